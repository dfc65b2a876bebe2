// SPDX-License-Identifier: GPL-2.0-only
/*
 * GPU address spaces: which buffers are mapped where. Beside them lie pages of
 * the process itself, see svm.c. How engines reach both is in access.c.
 *
 * A sim_vm belongs to a DRM file. Mappings are made by the DRM node's GEM_VA,
 * and by the driver once it owns the VM; neither touches the other's.
 *
 * vm->lock protects the tree. A change takes it for writing, and so comes
 * between two chunks of an engine: when it returns, no engine uses what it
 * took away. References of buffers are dropped after the lock.
 *
 * An engine that waits for the lock runs nobody's packets meanwhile. So what
 * takes away many mappings lets go of it after SIM_VM_BATCH of them.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "memory.h"

/* Mappings that are taken away at a time. */
#define SIM_VM_BATCH		256u

#define MAPPING_START(m)	((m)->start)
#define MAPPING_LAST(m)		((m)->last)

INTERVAL_TREE_DEFINE(struct sim_mapping, rb, u64, subtree_last,
		     MAPPING_START, MAPPING_LAST, static inline __maybe_unused,
		     mapping_tree)

/**
 * sim_vm_create() - make the address space of a DRM file
 * @gpu: whose
 * @file: its file
 *
 * Context: sleeps.
 * Return: the VM with one reference, or ERR_PTR(-ENOMEM).
 */
struct sim_vm *sim_vm_create(struct sim_gpu *gpu, struct drm_file *file)
{
	struct sim_vm *vm = kzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);

	if (!vm)
		return ERR_PTR(-ENOMEM);
	kref_init(&vm->ref);
	vm->client = sim_client_get();
	if (!vm->client) {
		kfree(vm);
		return ERR_PTR(-ENOMEM);
	}
	vm->gpu = gpu;
	vm->drm_file = file;
	vm->opener = get_pid(task_tgid(current));
	vm->mappings = RB_ROOT_CACHED;
	xa_init(&vm->leaves);
	init_rwsem(&vm->lock);
	mutex_init(&vm->owner_lock);
	return vm;
}

/**
 * sim_vm_get() - take a reference
 * @vm: the VM
 *
 * Context: any.
 * Return: @vm.
 */
struct sim_vm *sim_vm_get(struct sim_vm *vm)
{
	kref_get(&vm->ref);
	return vm;
}

static void sim_vm_release(struct kref *ref)
{
	struct sim_vm *vm = container_of(ref, struct sim_vm, ref);

	WARN_ON_ONCE(vm->n_mappings || vm->owner || !xa_empty(&vm->leaves));
	mutex_destroy(&vm->owner_lock);
	put_pid(vm->opener);
	sim_client_put(vm->client);
	kfree(vm);
}

/**
 * sim_vm_put() - drop a reference
 * @vm: the VM
 *
 * Context: any that may free; a closed VM has nothing that could sleep.
 */
void sim_vm_put(struct sim_vm *vm)
{
	kref_put(&vm->ref, sim_vm_release);
}

/**
 * sim_vm_pasid() - the process that owns a VM
 * @vm: the VM
 *
 * Context: any.
 * Return: its pasid; 0 when the driver does not own the VM.
 */
u32 sim_vm_pasid(struct sim_vm *vm)
{
	return READ_ONCE(vm->pasid);
}

/**
 * sim_vm_client() - the process that has opened a VM's file
 * @vm: the VM
 *
 * Context: any.
 * Return: the client; it lives as long as the VM.
 */
struct sim_client *sim_vm_client(struct sim_vm *vm)
{
	return vm->client;
}

/**
 * sim_vm_job_begin() - a submission is handed to an engine
 * @vm: the VM it works in
 *
 * Context: any.
 */
void sim_vm_job_begin(struct sim_vm *vm)
{
	atomic_inc(&vm->jobs);
}

/**
 * sim_vm_job_end() - a submission works no more
 * @vm: the VM it worked in
 *
 * To be called before its fence signals: who has waited for that must not find
 * the job still counted.
 *
 * Context: any.
 */
void sim_vm_job_end(struct sim_vm *vm)
{
	atomic_dec(&vm->jobs);
}

/**
 * sim_vm_jobs() - submissions under way
 * @vm: the VM
 *
 * Context: any.
 * Return: their number.
 */
int sim_vm_jobs(struct sim_vm *vm)
{
	return atomic_read(&vm->jobs);
}

/**
 * sim_vm_find() - the mapping that holds an address
 * @vm: the VM, vm->lock held
 * @va: the address
 * @last: an address behind it; when there is no mapping here, but one from
 *	somewhere up to there, it becomes the last one before that mapping
 *
 * @vm->last is only ever written to a mapping found under the lock, and is
 * cleared before one goes.
 *
 * Context: any.
 * Return: the mapping, or NULL.
 */
struct sim_mapping *sim_vm_find(struct sim_vm *vm, u64 va, u64 *last)
{
	struct sim_mapping *m = READ_ONCE(vm->last);

	lockdep_assert_held(&vm->lock);
	if (m && va >= m->start && va <= m->last)
		return m;
	m = mapping_tree_iter_first(&vm->mappings, va, *last);
	if (m && m->start > va) {
		*last = m->start - 1;
		return NULL;
	}
	if (m)
		WRITE_ONCE(vm->last, m);
	return m;
}

static void sim_vm_insert(struct sim_vm *vm, struct sim_mapping *m)
{
	lockdep_assert_held_write(&vm->lock);
	mapping_tree_insert(m, &vm->mappings);
	vm->n_mappings++;
	if (m->vm_bo)
		list_add(&m->link, &m->vm_bo->mappings);
}

/* Take a mapping out of the VM; sim_mappings_free() does the rest. */
static void sim_vm_remove(struct sim_vm *vm, struct sim_mapping *m,
			  struct list_head *dead)
{
	lockdep_assert_held_write(&vm->lock);
	mapping_tree_remove(m, &vm->mappings);
	vm->n_mappings--;
	vm->last = NULL;
	if (m->vm_bo)
		list_del(&m->link);
	list_add(&m->link, dead);
}

static void sim_mappings_free(struct list_head *dead)
{
	struct sim_mapping *m, *next;

	list_for_each_entry_safe(m, next, dead, link) {
		list_del(&m->link);
		sim_bo_put(m->bo);
		kfree(m);
		cond_resched();
	}
}

/**
 * sim_va_ok() - whether something can be mapped at a range
 * @va: first byte
 * @size: bytes
 *
 * Context: any.
 * Return: true when it is aligned, not empty and inside the address space.
 */
bool sim_va_ok(u64 va, u64 size)
{
	u64 end;

	return size && PAGE_ALIGNED(va) && PAGE_ALIGNED(size) &&
	       va >= SIM_VA_MIN && !check_add_overflow(va, size, &end) &&
	       end <= SIM_VA_END;
}

/* Whether DRM may take away all that lies in the range; vm->lock held. */
static bool sim_vm_clearable(struct sim_vm *vm, u64 first, u64 last)
{
	struct sim_mapping *m;

	for (m = mapping_tree_iter_first(&vm->mappings, first, last); m;
	     m = mapping_tree_iter_next(m, first, last))
		if (m->flags & SIM_MAP_KFD)
			return false;
	return true;
}

/* What is left of @m from @first to @last; its tree position is new. */
static void sim_mapping_set(struct sim_mapping *m, u64 first, u64 last)
{
	m->offset += first - m->start;
	m->start = first;
	m->last = last;
}

/*
 * Empty [first, last]; vm->lock held for writing. A mapping may stick out on
 * both sides; only one can, and *@spare becomes its second part.
 */
static void sim_vm_clear_locked(struct sim_vm *vm, u64 first, u64 last,
				struct sim_mapping **spare,
				struct list_head *dead)
{
	struct sim_mapping *m, *tail;

	while ((m = mapping_tree_iter_first(&vm->mappings, first, last))) {
		bool head = m->start < first;

		if (m->last > last) {
			tail = m;
			if (head) {
				tail = *spare;
				*spare = NULL;
				*tail = *m;
				sim_bo_get(tail->bo);
			} else {
				sim_vm_remove(vm, m, dead);
				list_del(&m->link);
			}
			sim_mapping_set(tail, last + 1, tail->last);
			sim_vm_insert(vm, tail);
		}
		if (head) {
			sim_vm_remove(vm, m, dead);
			list_del(&m->link);
			sim_mapping_set(m, m->start, first - 1);
			sim_vm_insert(vm, m);
		} else if (m->last <= last) {
			sim_vm_remove(vm, m, dead);
		}
	}
}

/* As sim_vm_clearable(), by batches; vm->lock not held. */
static bool sim_vm_looks_clearable(struct sim_vm *vm, u64 first, u64 last)
{
	struct sim_mapping *m;
	bool ret = true;
	u32 n;

	do {
		n = 0;
		down_read(&vm->lock);
		for (m = mapping_tree_iter_first(&vm->mappings, first, last);
		     m && ret && n < SIM_VM_BATCH;
		     m = mapping_tree_iter_next(m, first, last), n++) {
			ret = !(m->flags & SIM_MAP_KFD);
			if (n == SIM_VM_BATCH - 1)
				first = m->last + 1;
		}
		up_read(&vm->lock);
		cond_resched();
	} while (ret && n == SIM_VM_BATCH && first <= last);
	return ret;
}

/*
 * Take away what lies in [first, last] as a whole, by batches; what is left, or
 * comes in between, is for sim_vm_clear_locked(). -EINVAL: something of the
 * driver's lies there, and nothing has changed.
 */
static int sim_vm_thin_out(struct sim_vm *vm, u64 first, u64 last)
{
	struct sim_mapping *m, *next;
	LIST_HEAD(dead);
	u32 n;

	if (!sim_vm_looks_clearable(vm, first, last))
		return -EINVAL;
	do {
		n = 0;
		down_write(&vm->lock);
		for (m = mapping_tree_iter_first(&vm->mappings, first, last);
		     m && n < SIM_VM_BATCH; m = next, n++) {
			next = mapping_tree_iter_next(m, first, last);
			if (m->start >= first && m->last <= last &&
			    !(m->flags & SIM_MAP_KFD))
				sim_vm_remove(vm, m, &dead);
		}
		up_write(&vm->lock);
		sim_mappings_free(&dead);
	} while (n == SIM_VM_BATCH);
	return 0;
}

/**
 * sim_vm_map() - map a part of a buffer
 * @vm: the VM
 * @bo: the buffer; the mapping takes a reference
 * @vm_bo: handle it is made through, with bo->vm_bos_lock held; NULL for the
 *	driver's
 * @va: GPU address, page-aligned
 * @offset: byte in @bo, page-aligned
 * @size: bytes, page-aligned
 * @flags: SIM_MAP_*
 * @replace: take away what is there
 *
 * Context: sleeps; takes vm->lock.
 * Return: 0; -EINVAL for a range that is not aligned, not inside the buffer
 * or not addressable, or that overlaps a mapping (with @replace: one of the
 * driver's); -ENOSPC when the VM has SIM_VM_MAX_MAPPINGS; -ENOMEM.
 */
int sim_vm_map(struct sim_vm *vm, struct sim_bo *bo, struct sim_vm_bo *vm_bo,
	       u64 va, u64 offset, u64 size, u32 flags, bool replace)
{
	struct sim_mapping *m, *spare = NULL;
	LIST_HEAD(dead);
	u64 end;
	int ret = 0;

	if (!sim_va_ok(va, size) || !PAGE_ALIGNED(offset) ||
	    check_add_overflow(offset, size, &end) || end > bo->base.size)
		return -EINVAL;

	m = kzalloc(sizeof(*m), GFP_KERNEL_ACCOUNT);
	if (replace)
		spare = kzalloc(sizeof(*spare), GFP_KERNEL_ACCOUNT);
	if (!m || (replace && !spare)) {
		ret = -ENOMEM;
		goto out;
	}
	m->start = va;
	m->last = va + size - 1;
	m->bo = bo;
	m->offset = offset;
	m->flags = flags;
	m->vm_bo = vm_bo;

	if (replace)
		ret = sim_vm_thin_out(vm, m->start, m->last);
	if (ret)
		goto out;
	down_write(&vm->lock);
	if (vm->n_mappings >= SIM_VM_MAX_MAPPINGS - 1)
		ret = -ENOSPC;
	else if (replace ? !sim_vm_clearable(vm, m->start, m->last) :
		 !!mapping_tree_iter_first(&vm->mappings, m->start, m->last))
		ret = -EINVAL;
	if (!ret) {
		if (replace)
			sim_vm_clear_locked(vm, m->start, m->last, &spare,
					    &dead);
		sim_bo_get(bo);
		sim_vm_insert(vm, m);
		m = NULL;
	}
	up_write(&vm->lock);
	sim_mappings_free(&dead);
out:
	kfree(spare);
	kfree(m);
	return ret;
}

/**
 * sim_vm_unmap() - undo one sim_vm_map()
 * @vm: the VM
 * @bo: the buffer, or NULL for whatever is there
 * @va: where the mapping starts
 * @owner: SIM_MAP_KFD for one of the driver's, 0 for another
 *
 * Context: sleeps; takes vm->lock. When it returns no engine uses the mapping.
 * Return: 0, or -ENOENT when no such mapping starts there.
 */
int sim_vm_unmap(struct sim_vm *vm, struct sim_bo *bo, u64 va, u32 owner)
{
	struct sim_mapping *m;
	LIST_HEAD(dead);

	down_write(&vm->lock);
	m = mapping_tree_iter_first(&vm->mappings, va, va);
	if (m && m->start == va && (!bo || m->bo == bo) &&
	    (m->flags & SIM_MAP_KFD) == owner)
		sim_vm_remove(vm, m, &dead);
	up_write(&vm->lock);
	if (list_empty(&dead))
		return -ENOENT;
	sim_mappings_free(&dead);
	return 0;
}

/**
 * sim_vm_clear() - empty a range
 * @vm: the VM
 * @va: first byte, page-aligned
 * @size: bytes, page-aligned
 *
 * Mappings that stick out are cut.
 *
 * Context: sleeps; takes vm->lock.
 * Return: 0; -EINVAL for a range that is not aligned or not addressable, or
 * that holds a mapping of the driver's; -ENOSPC when the VM has
 * SIM_VM_MAX_MAPPINGS; -ENOMEM.
 */
int sim_vm_clear(struct sim_vm *vm, u64 va, u64 size)
{
	struct sim_mapping *spare;
	LIST_HEAD(dead);
	int ret = 0;

	if (!sim_va_ok(va, size))
		return -EINVAL;
	spare = kzalloc(sizeof(*spare), GFP_KERNEL_ACCOUNT);
	if (!spare)
		return -ENOMEM;
	ret = sim_vm_thin_out(vm, va, va + size - 1);
	if (ret) {
		kfree(spare);
		return ret;
	}

	down_write(&vm->lock);
	if (vm->n_mappings >= SIM_VM_MAX_MAPPINGS)
		ret = -ENOSPC;
	else if (!sim_vm_clearable(vm, va, va + size - 1))
		ret = -EINVAL;
	else
		sim_vm_clear_locked(vm, va, va + size - 1, &spare, &dead);
	up_write(&vm->lock);
	sim_mappings_free(&dead);
	kfree(spare);
	return ret;
}

/**
 * sim_vm_drop_bo() - unmap all that was mapped through a file's handles
 * @vm: the VM
 * @vm_bo: the handles; bo->vm_bos_lock held
 *
 * Context: sleeps; takes vm->lock. The caller holds a reference of the buffer.
 */
void sim_vm_drop_bo(struct sim_vm *vm, struct sim_vm_bo *vm_bo)
{
	struct sim_mapping *m, *next;
	LIST_HEAD(dead);
	u32 n;

	do {
		n = 0;
		down_write(&vm->lock);
		list_for_each_entry_safe(m, next, &vm_bo->mappings, link) {
			if (n++ == SIM_VM_BATCH)
				break;
			sim_vm_remove(vm, m, &dead);
		}
		up_write(&vm->lock);
		sim_mappings_free(&dead);
	} while (n > SIM_VM_BATCH);
}

/**
 * sim_vm_close() - the DRM file is gone: empty the VM and drop its reference
 * @vm: the VM, owned by nobody
 *
 * Context: sleeps; takes vm->lock.
 */
void sim_vm_close(struct sim_vm *vm)
{
	struct rb_node *node;
	LIST_HEAD(dead);
	u32 n;

	do {
		n = 0;
		down_write(&vm->lock);
		while (n < SIM_VM_BATCH &&
		       (node = rb_first_cached(&vm->mappings))) {
			sim_vm_remove(vm,
				      rb_entry(node, struct sim_mapping, rb),
				      &dead);
			n++;
		}
		up_write(&vm->lock);
		sim_mappings_free(&dead);
	} while (n == SIM_VM_BATCH);
	sim_svm_unmap(vm, 0, SIM_VA_END >> PAGE_SHIFT);
	sim_vm_put(vm);
}
