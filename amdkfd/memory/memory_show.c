// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers in fdinfo (floor 3): numbers and bytes by kind, how many of them were
 * imported, how many userptrs keep the queues off the GPUs, and which of them
 * lack pages.
 *
 * process->lock is held throughout; notifier_lock around what an MMU notifier
 * changes.
 */
#include <linux/sched.h>
#include <linux/seq_file.h>

#include "../criu/object.h"
#include "memory.h"

/* A kind of memory and what it is called. */
static const struct {
	const char *name;
	u32 flag;
} memory_kinds[] = {
	{ "vram", KFD_IOC_ALLOC_MEM_FLAGS_VRAM },
	{ "gtt", KFD_IOC_ALLOC_MEM_FLAGS_GTT },
	{ "userptr", KFD_IOC_ALLOC_MEM_FLAGS_USERPTR },
	{ "doorbell", KFD_IOC_ALLOC_MEM_FLAGS_DOORBELL },
	{ "mmio", KFD_IOC_ALLOC_MEM_FLAGS_MMIO_REMAP },
};

/**
 * struct memory_sums - buffers counted
 * @count: buffers by kind, in the order of memory_kinds[]
 * @bytes: their memory
 * @imported: how many of all were imported
 * @imported_bytes: their memory
 * @own_gtt: bytes of GTT buffers that were not
 * @mappings: mappings on GPUs, of all buffers
 */
struct memory_sums {
	u32 count[ARRAY_SIZE(memory_kinds)];
	u64 bytes[ARRAY_SIZE(memory_kinds)];
	u32 imported;
	u64 imported_bytes;
	u64 own_gtt;
	u64 mappings;
};

static u32 memory_list_length(const struct list_head *list)
{
	const struct list_head *pos;
	u32 n = 0;

	list_for_each(pos, list)
		n++;
	return n;
}

static u32 memory_absent_userptrs(struct kfd_mirrors *mirrors)
{
	struct kfd_mirror *mirror;
	u32 n = 0;

	lockdep_assert_held(&mirrors->notifier_lock);
	list_for_each_entry(mirror, &mirrors->invalid, invalid_node)
		n += mirror->ops->trigger == KFD_QUEUE_EVICTION_TRIGGER_USERPTR;
	return n;
}

/* For kfd_memory_walk(). */
static int memory_add(struct kfd_bo *bo, void *arg)
{
	struct memory_sums *sums = arg;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(memory_kinds); i++) {
		if (!(bo->alloc_flags & memory_kinds[i].flag))
			continue;
		sums->count[i]++;
		sums->bytes[i] += bo->mem_size;
	}
	if (bo->imported) {
		sums->imported++;
		sums->imported_bytes += bo->mem_size;
	} else if (bo->alloc_flags & KFD_IOC_ALLOC_MEM_FLAGS_GTT) {
		sums->own_gtt += bo->mem_size;
	}
	sums->mappings += memory_list_length(&bo->mappings);
	return 0;
}

/* For kfd_memory_walk(): a line for a userptr whose pages GPUs lack. */
static int memory_show_lost(struct kfd_bo *bo, void *arg)
{
	struct kfd_mirrors *mirrors = &bo->pdd->process->mirrors;
	struct kfd_userptr *u = bo->userptr;
	struct seq_file *m = arg;
	u64 first, npages;
	bool lost;

	/* One that is not watched has none at all, which is said elsewhere. */
	if (!u || !u->gpus || !kfd_mirror_is_watched(&u->mirror))
		return 0;
	if (mutex_lock_killable(&mirrors->notifier_lock))
		return -EINTR;
	lost = kfd_mirror_lost_locked(&u->mirror, &first, &npages);
	mutex_unlock(&mirrors->notifier_lock);
	if (lost)
		seq_printf(m, "kfd-userptr-lost:\t%llu offset %llu bytes %llu\n",
			   kfd_bo_handle(bo), first << PAGE_SHIFT,
			   npages << PAGE_SHIFT);
	cond_resched();
	return 0;
}

/**
 * kfd_memory_show() - struct kfd_criu_object_ops.show of buffers
 * @m: where to write
 * @p: the process
 *
 * Context: sleeps, killably; process->lock held.
 * Return: 0; -EINTR: the reader is being killed.
 */
int kfd_memory_show(struct seq_file *m, struct kfd_process *p)
{
	struct kfd_mirrors *mirrors = &p->mirrors;
	struct memory_sums sums = {};
	u32 absent, i;
	bool evicted;

	lockdep_assert_held(&p->lock);
	kfd_memory_walk(p, memory_add, &sums);
	if (mutex_lock_killable(&mirrors->notifier_lock))
		return -EINTR;
	absent = memory_absent_userptrs(mirrors);
	evicted = mirrors->evicted;
	mutex_unlock(&mirrors->notifier_lock);

	seq_printf(m, "kfd-bos:\t%u\n", kfd_memory(p)->num_bos);
	for (i = 0; i < ARRAY_SIZE(memory_kinds); i++)
		seq_printf(m, "kfd-bos-%s:\t%u bytes %llu\n",
			   memory_kinds[i].name, sums.count[i], sums.bytes[i]);
	seq_printf(m, "kfd-bos-imported:\t%u bytes %llu\n", sums.imported,
		   sums.imported_bytes);
	/* What this process's GPUs may use; of GTT its provider keeps count. */
	seq_printf(m, "kfd-sysmem:\t%llu\n",
		   (u64)atomic64_read(&p->sysmem) + sums.own_gtt);
	seq_printf(m, "kfd-bo-mappings:\t%llu\n", sums.mappings);
	seq_printf(m, "kfd-userptrs-invalid:\t%u live %u held-pages %llu\n",
		   p->addresses.invalid, p->addresses.live,
		   p->addresses.held_pages);
	seq_printf(m, "kfd-userptrs-absent:\t%u queues-held %d\n", absent,
		   evicted);
	return kfd_memory_walk(p, memory_show_lost, m);
}
