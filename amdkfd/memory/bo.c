// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a buffer: made, mapped on GPUs, unmapped, gone (floor 3).
 *
 * A buffer belongs to one GPU of one process and is found by handle in an
 * xarray of that GPU's per-process data. It may be mapped on any GPU of the
 * process whose provider is the same. Everything here is called with
 * process->lock held, which protects all of it; what the MMU notifier sees of
 * a userptr is behind the kfd_userptr_*() calls.
 */
#include <linux/bitops.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/slab.h>

#include "../criu/image.h"
#include "../debug/break.h"
#include "../mmap_offset.h"
#include "../sysmem.h"
#include "memory.h"

static u32 bo_type(u32 alloc_flags)
{
	return alloc_flags & KFD_MEMORY_TYPES;
}

/* A range of GPU addresses that a buffer may have. */
static bool bo_va_valid(u64 va, u64 size)
{
	u64 last;

	if (!size || !PAGE_ALIGNED(size) || !PAGE_ALIGNED(va))
		return false;
	if (check_add_overflow(va, size - 1, &last))
		return false;
	return va >= KFD_GPUVM_BASE && last <= KFD_GPUVM_LIMIT;
}

/**
 * kfd_bo_user_range_valid() - whether a buffer could have a CPU address
 * @addr: the address
 * @size: bytes, not 0
 *
 * Context: any.
 *
 * Return: true when it is page-aligned and in user space as a whole.
 */
bool kfd_bo_user_range_valid(u64 addr, u64 size)
{
	u64 end;

	return addr && PAGE_ALIGNED(addr) &&
	       !check_add_overflow(addr, size, &end) && end <= TASK_SIZE;
}

/* All that can be said against a buffer before anything is allocated. */
static int bo_check(struct kfd_process_device *pdd, struct kfd_bo *bo,
		    const struct kfd_bo_desc *desc)
{
	u32 type = bo_type(bo->alloc_flags);

	if (bo->alloc_flags & ~KFD_MEMORY_FLAGS || hweight32(type) != 1 ||
	    !bo_va_valid(bo->va, bo->size))
		return -EINVAL;
	if (!KFD_BROKEN(id_over_int_max) && desc->number > INT_MAX)
		return -EINVAL;

	bo->mem_size = kfd_bo_mem_size(bo->alloc_flags, bo->size);
	if (bo->mem_size != bo->size && (!(type & KFD_MEMORY_SHAREABLE) ||
					 !PAGE_ALIGNED(bo->mem_size)))
		return -EINVAL;

	switch (type) {
	case KFD_IOC_ALLOC_MEM_FLAGS_VRAM:
		if (bo->mem_size > pdd->dev->info.vram_size)
			return -ENOMEM;
		return 0;
	case KFD_IOC_ALLOC_MEM_FLAGS_USERPTR:
		if (!kfd_bo_user_range_valid(desc->user_addr, bo->size))
			return -EINVAL;
		fallthrough;
	case KFD_IOC_ALLOC_MEM_FLAGS_GTT:
		if (bo->mem_size >> PAGE_SHIFT > totalram_pages())
			return -ENOMEM;
		return 0;
	case KFD_IOC_ALLOC_MEM_FLAGS_DOORBELL:
		return bo->size == KFD_DOORBELL_SLICE_SIZE ? 0 : -EINVAL;
	default:
		return bo->size == PAGE_SIZE ? 0 : -EINVAL;
	}
}

/* Get the provider's buffer. */
static int bo_back(struct kfd_process_device *pdd, struct kfd_bo *bo)
{
	const struct kfd_device_ops *ops = pdd->dev->ops;
	bool mmio = bo->alloc_flags & KFD_IOC_ALLOC_MEM_FLAGS_MMIO_REMAP;
	u64 type = mmio ? KFD_MMAP_TYPE_MMIO : KFD_MMAP_TYPE_DOORBELL;

	if (bo_type(bo->alloc_flags) & (KFD_MEMORY_SHAREABLE |
					KFD_IOC_ALLOC_MEM_FLAGS_USERPTR))
		return ops->bo_create(pdd->dev->gpu, pdd->gpu_vm, bo->mem_size,
				      bo->alloc_flags, &bo->gpu,
				      &bo->mmap_offset);

	bo->mmap_offset = type | KFD_MMAP_GPU_ID(pdd->dev->id);
	return ops->bo_create_doorbell(pdd->dev->gpu, &pdd->doorbell, mmio,
				       &bo->gpu);
}

/*
 * The importer may do with the memory what any GPU buffer allows: a dma-buf
 * carries no access rights between GPUs.
 */
static int bo_import(struct kfd_process_device *pdd, struct kfd_bo *bo,
		     struct dma_buf *dmabuf)
{
	const u32 keep = KFD_MEMORY_SHAREABLE |
			 KFD_IOC_ALLOC_MEM_FLAGS_PUBLIC |
			 KFD_IOC_ALLOC_MEM_FLAGS_COHERENT |
			 KFD_IOC_ALLOC_MEM_FLAGS_UNCACHED;
	struct kfd_gpu_bo_info info = {};
	int ret;

	ret = pdd->dev->ops->bo_import(pdd->dev->gpu, pdd->gpu_vm, dmabuf,
				       &bo->gpu, &info, &bo->mmap_offset);
	if (ret) {
		bo->gpu = NULL;
		return ret;
	}
	bo->imported = true;
	bo->size = info.size;
	bo->mem_size = info.size;
	bo->alloc_flags = (info.alloc_flags & keep) |
			  KFD_IOC_ALLOC_MEM_FLAGS_WRITABLE |
			  KFD_IOC_ALLOC_MEM_FLAGS_EXECUTABLE;
	if (hweight32(bo_type(bo->alloc_flags)) != 1 ||
	    !bo_va_valid(bo->va, bo->size))
		return -EINVAL;
	return 0;
}

/* Give the buffer its number and thereby make it visible. */
static int bo_publish(struct kfd_bo *bo, u32 number)
{
	struct kfd_memory_device *md = kfd_memory_device(bo->pdd);
	int ret;

	if (number) {
		bo->number = number;
		ret = xa_insert(&md->bos, number, bo, GFP_KERNEL_ACCOUNT);
		if (ret == -EBUSY)
			ret = -EINVAL;
	} else {
		ret = xa_alloc(&md->bos, &bo->number, bo, XA_LIMIT(1, INT_MAX),
			       GFP_KERNEL_ACCOUNT);
		if (ret == -EBUSY)
			ret = -ENOSPC;
	}
	if (ret)
		return ret;
	bo->by_va.start = bo->va;
	bo->by_va.last = bo->va + bo->size - 1;
	interval_tree_insert(&bo->by_va, &md->by_va);
	return 0;
}

/* Free what bo_init() got so far; the buffer has no number any more. */
static void bo_free(struct kfd_bo *bo)
{
	if (bo->userptr)
		kfd_userptr_destroy(bo);
	if (bo->gpu)
		bo->pdd->dev->ops->bo_put(bo->gpu);
	kfd_sysmem_uncharge(bo->pdd->process, bo->charged);
	kfree(bo);
}

/* A userptr is charged here, the others by the provider, with their pages. */
static int bo_charge(struct kfd_bo *bo)
{
	int ret;

	if (!(bo->alloc_flags & KFD_IOC_ALLOC_MEM_FLAGS_USERPTR))
		return 0;
	ret = kfd_sysmem_charge(bo->pdd->process, bo->size);
	if (!ret)
		bo->charged = bo->size;
	return ret;
}

static int bo_init(struct kfd_bo *bo, const struct kfd_bo_desc *desc)
{
	struct kfd_process_device *pdd = bo->pdd;
	int ret;

	bo->va = desc->va;
	if (desc->dmabuf)
		return bo_import(pdd, bo, desc->dmabuf);

	bo->size = desc->size;
	bo->alloc_flags = desc->alloc_flags;
	ret = bo_check(pdd, bo, desc);
	if (!ret)
		ret = bo_charge(bo);
	if (ret)
		return ret;
	ret = bo_back(pdd, bo);
	if (ret) {
		bo->gpu = NULL;
		return ret;
	}
	if (bo->alloc_flags & KFD_IOC_ALLOC_MEM_FLAGS_USERPTR)
		return kfd_userptr_create(bo, desc->user_addr, desc->absent,
					  desc->look);
	return 0;
}

/**
 * kfd_bo_create() - make a buffer and give it a handle
 * @pdd: GPU that shall own it; it has a VM
 * @desc: what to make it of; checked here, whoever it comes from
 * @bo: the buffer
 *
 * Context: process->lock held; sleeps. A USERPTR that is not @desc->absent
 * needs current->mm to be that of the process.
 *
 * Return: 0, or
 * * EINVAL: the description is wrong in itself, the number is taken, or the
 *   dma-buf is not one of this provider's
 * * EADDRINUSE: shared virtual memory has some of its addresses
 * * KFD_EABSENT: (USERPTR) for kfd_look_again()
 * * EFAULT: (USERPTR) the pages can't be had
 * * ENOMEM: no memory of the kind wanted, or over the limit on system memory
 * * ENOSPC: the process has as many buffers as an image can hold
 * * EINTR: (USERPTR) a signal came first
 */
int kfd_bo_create(struct kfd_process_device *pdd,
		  const struct kfd_bo_desc *desc, struct kfd_bo **bo)
{
	struct kfd_memory *memory = kfd_memory(pdd->process);
	struct kfd_bo *new;
	int ret;

	lockdep_assert_held(&pdd->process->lock);
	if (memory->num_bos >= KFD_IMAGE_MAX_BOS)
		return -ENOSPC;
	new = kzalloc(sizeof(*new), GFP_KERNEL_ACCOUNT);
	if (!new)
		return -ENOMEM;
	new->memory = memory;
	new->pdd = pdd;
	INIT_LIST_HEAD(&new->mappings);

	ret = bo_init(new, desc);
	if (!ret && kfd_process_svm_overlaps(pdd->process, new->va, new->size))
		ret = -EADDRINUSE;
	if (!ret)
		ret = bo_publish(new, desc->number);
	if (ret) {
		bo_free(new);
		return ret;
	}
	memory->num_bos++;
	*bo = new;
	return 0;
}

static struct kfd_bo_mapping *
bo_find_mapping(const struct kfd_bo *bo, const struct kfd_process_device *pdd)
{
	struct kfd_bo_mapping *mapping;

	list_for_each_entry(mapping, &bo->mappings, node)
		if (mapping->pdd == pdd)
			return mapping;
	return NULL;
}

/**
 * kfd_bo_is_mapped_on() - whether a GPU has a buffer mapped
 * @bo: the buffer
 * @pdd: the GPU
 *
 * Context: process->lock held.
 *
 * Return: true when it has.
 */
bool kfd_bo_is_mapped_on(const struct kfd_bo *bo,
			 const struct kfd_process_device *pdd)
{
	return bo_find_mapping(bo, pdd);
}

/* Tell the provider; the second half of an AQL ring is the first once more. */
static int bo_gpu_map(struct kfd_bo *bo, struct kfd_process_device *pdd)
{
	const struct kfd_device_ops *ops = pdd->dev->ops;
	void *gpu = pdd->dev->gpu;
	int ret;

	ret = ops->bo_map(gpu, pdd->gpu_vm, bo->gpu, bo->va, bo->alloc_flags);
	if (ret || bo->mem_size == bo->size)
		return ret;
	ret = ops->bo_map(gpu, pdd->gpu_vm, bo->gpu, bo->va + bo->mem_size,
			  bo->alloc_flags);
	if (ret)
		ops->bo_unmap(gpu, pdd->gpu_vm, bo->gpu, bo->va);
	return ret;
}

static void bo_gpu_unmap(struct kfd_bo *bo, struct kfd_process_device *pdd)
{
	const struct kfd_device_ops *ops = pdd->dev->ops;
	void *gpu = pdd->dev->gpu;

	if (bo->mem_size != bo->size)
		ops->bo_unmap(gpu, pdd->gpu_vm, bo->gpu,
			      bo->va + bo->mem_size);
	ops->bo_unmap(gpu, pdd->gpu_vm, bo->gpu, bo->va);
}

/**
 * kfd_bo_map() - map a buffer on a GPU
 * @bo: the buffer
 * @pdd: a GPU of the same process; it has a VM
 * @look: (USERPTR) of who wants it; NULL: between RESTORE and RESUME, when no
 *	page is looked up
 *
 * Does nothing when it is mapped there already.
 *
 * Context: process->lock held; sleeps.
 *
 * Return: 0, or
 * * EINVAL: another buffer is mapped in that range
 * * EADDRINUSE: shared virtual memory has some of it
 * * EOPNOTSUPP: the GPU's provider is not the buffer's
 * * EBUSY: (USERPTR) its CPU address has been given up
 * * KFD_EABSENT: (USERPTR) for kfd_look_again()
 * * EFAULT: (USERPTR) the pages can't be had
 * * ENOMEM
 * * EINTR: (USERPTR) a signal came first
 */
int kfd_bo_map(struct kfd_bo *bo, struct kfd_process_device *pdd,
	       struct kfd_look *look)
{
	bool writable = bo->alloc_flags & KFD_IOC_ALLOC_MEM_FLAGS_WRITABLE;
	struct kfd_bo_mapping *mapping;
	int ret;

	lockdep_assert_held(&pdd->process->lock);
	if (bo_find_mapping(bo, pdd))
		return 0;
	if (pdd->dev->ops != bo->pdd->dev->ops)
		return -EOPNOTSUPP;

	mapping = kzalloc(sizeof(*mapping), GFP_KERNEL_ACCOUNT);
	if (!mapping)
		return -ENOMEM;
	mapping->pdd = pdd;
	ret = kfd_vm_insert(&pdd->vm, &mapping->range, bo->va, bo->size,
			    writable);
	if (ret)
		goto err_free;
	/* In this order: a fault makes ranges without process->lock. */
	if (kfd_process_svm_overlaps(pdd->process, bo->va, bo->size)) {
		ret = -EADDRINUSE;
		goto err_remove;
	}
	if (bo->userptr) {
		ret = kfd_userptr_need(bo->userptr, pdd, look);
		if (ret)
			goto err_remove;
	}
	ret = bo_gpu_map(bo, pdd);
	if (ret)
		goto err_unneed;
	list_add_tail(&mapping->node, &bo->mappings);
	return 0;

err_unneed:
	if (bo->userptr)
		kfd_userptr_unneed(bo->userptr, pdd);
err_remove:
	kfd_vm_remove(&pdd->vm, &mapping->range, true);
err_free:
	kfree(mapping);
	return ret;
}

static int bo_unmap(struct kfd_bo *bo, struct kfd_bo_mapping *mapping,
		    bool force)
{
	struct kfd_process_device *pdd = mapping->pdd;
	int ret;

	ret = kfd_vm_remove(&pdd->vm, &mapping->range, force);
	if (ret)
		return ret;
	bo_gpu_unmap(bo, pdd);
	list_del(&mapping->node);
	kfree(mapping);
	if (bo->userptr)
		kfd_userptr_unneed(bo->userptr, pdd);
	return 0;
}

/**
 * kfd_bo_unmap() - take a buffer off a GPU
 * @bo: the buffer
 * @pdd: the GPU
 *
 * Context: process->lock held; sleeps.
 *
 * Return: 0; EINVAL: it is not mapped there; EBUSY: a queue needs it there.
 */
int kfd_bo_unmap(struct kfd_bo *bo, struct kfd_process_device *pdd)
{
	struct kfd_bo_mapping *mapping = bo_find_mapping(bo, pdd);

	lockdep_assert_held(&pdd->process->lock);
	if (!mapping)
		return -EINVAL;
	return bo_unmap(bo, mapping, false);
}

/**
 * kfd_bo_destroy() - take a buffer off all GPUs and free it, whoever needs it
 * @bo: the buffer; not vmapped
 *
 * Context: process->lock held; sleeps. Cannot fail.
 */
void kfd_bo_destroy(struct kfd_bo *bo)
{
	struct kfd_memory_device *md = kfd_memory_device(bo->pdd);
	struct kfd_bo_mapping *mapping, *next;

	lockdep_assert_held(&bo->pdd->process->lock);
	xa_erase(&md->bos, bo->number);
	interval_tree_remove(&bo->by_va, &md->by_va);
	bo->memory->num_bos--;
	list_for_each_entry_safe(mapping, next, &bo->mappings, node)
		bo_unmap(bo, mapping, true);
	if (bo->vaddr)
		bo->pdd->dev->ops->bo_vunmap(bo->gpu, bo->vaddr);
	bo_free(bo);
}

/**
 * kfd_bo_lookup() - the buffer that has a handle
 * @p: process whose handle it is
 * @handle: user_gpu_id << 32 | number
 *
 * Context: process->lock held; the result is valid as long as it is.
 *
 * Return: the buffer, or NULL.
 */
struct kfd_bo *kfd_bo_lookup(struct kfd_process *p, u64 handle)
{
	struct kfd_process_device *pdd;
	struct kfd_memory_device *md;

	lockdep_assert_held(&p->lock);
	pdd = kfd_process_device_by_user_id(p, handle >> 32);
	if (!pdd)
		return NULL;
	md = kfd_memory_device(pdd);
	return md ? xa_load(&md->bos, lower_32_bits(handle)) : NULL;
}

/**
 * kfd_bo_lookup_va() - the USERPTR buffer that has a range of GPU addresses
 * @pdd: GPU that owns it
 * @va: its first address
 * @size: its bytes, not 0
 * @bo: the buffer; of several, one that is mapped
 *
 * Context: process->lock held; the result is valid as long as it is.
 *
 * Return: 0; ENOENT: no buffer has any address of the range; EINVAL: the range
 * wraps, or is not exactly that of a buffer, or only of one of another kind.
 */
int kfd_bo_lookup_va(struct kfd_process_device *pdd, u64 va, u64 size,
		     struct kfd_bo **bo)
{
	struct kfd_memory_device *md = kfd_memory_device(pdd);
	struct interval_tree_node *node;
	struct kfd_bo *found = NULL, *b;
	u64 last;

	lockdep_assert_held(&pdd->process->lock);
	if (check_add_overflow(va, size - 1, &last))
		return -EINVAL;
	node = interval_tree_iter_first(&md->by_va, va, last);
	if (!node)
		return -ENOENT;
	for (; node; node = interval_tree_iter_next(node, va, last)) {
		b = container_of(node, struct kfd_bo, by_va);
		if (node->start != va || node->last != last || !b->userptr)
			continue;
		if (!found || !list_empty(&b->mappings))
			found = b;
		if (!list_empty(&b->mappings))
			break;
	}
	if (!found)
		return -EINVAL;
	*bo = found;
	return 0;
}

/**
 * kfd_memory_walk() - call a function for every buffer of a process
 * @p: the process
 * @fn: the function; it may destroy its buffer, and no other; an error ends the
 *	walk
 * @arg: its second argument
 *
 * Context: process->lock held; sleeps.
 *
 * Return: 0, or what @fn returned last.
 */
int kfd_memory_walk(struct kfd_process *p,
		    int (*fn)(struct kfd_bo *bo, void *arg), void *arg)
{
	struct kfd_memory_device *md;
	unsigned long number;
	struct kfd_bo *bo;
	int ret;
	u32 i;

	lockdep_assert_held(&p->lock);
	for (i = 0; i < p->n_pdds; i++) {
		md = kfd_memory_device(p->pdds[i]);
		if (!md)
			continue;
		xa_for_each(&md->bos, number, bo) {
			ret = fn(bo, arg);
			if (ret)
				return ret;
			cond_resched();
		}
	}
	return 0;
}

static int bo_destroy_one(struct kfd_bo *bo, void *arg)
{
	kfd_bo_destroy(bo);
	return 0;
}

/**
 * kfd_memory_free_all() - free all buffers of a process, whoever needs them
 * @p: the process
 *
 * Context: process->lock held; sleeps. Cannot fail.
 */
void kfd_memory_free_all(struct kfd_process *p)
{
	kfd_memory_walk(p, bo_destroy_one, NULL);
}
