// SPDX-License-Identifier: GPL-2.0-only
/*
 * User memory behind buffers made by GEM_USERPTR.
 *
 * No page is pinned. A submission faults the pages of its userptrs in and
 * notes them in the buffer's slots; an MMU notifier takes out what goes away.
 * It first gives the jobs that use the buffer a moment to finish; a job that
 * takes longer finds the page absent and ends with a fault. The moment is the
 * client's: who changes the memory may be a stranger, as with a file, and buffers
 * are easily made (client.c).
 *
 * bo->pages_lock protects the slots and is the lock that mmu_interval_set_seq()
 * and mmu_interval_read_retry() meet under.
 */
#include <linux/dma-resv.h>
#include <linux/hmm.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include <drm/amdgpu_drm.h>

#include <amdkfd/vma.h>

#include "memory.h"

/* Pages faulted in at a time. */
#define SIM_USERPTR_BATCH	512u
/* How long a submission tries to get all pages at once, milliseconds. */
#define SIM_USERPTR_PATIENCE	1000

/* Give the jobs that use the buffer the time that their client has left. */
static void sim_userptr_wait(struct sim_userptr *u)
{
	u64 patience, begin;

	/*
	 * Once per submission: reclaim must not stand still again and again
	 * because somebody's job waits for something that never happens.
	 */
	if (READ_ONCE(u->overdue))
		return;
	patience = sim_client_patience(u->client);
	begin = ktime_get_ns();
	if (!dma_resv_wait_timeout(u->bo->base.resv, DMA_RESV_USAGE_BOOKKEEP,
				   false, nsecs_to_jiffies(patience)))
		WRITE_ONCE(u->overdue, true);
	sim_client_waited(u->client, ktime_get_ns() - begin);
}

static bool sim_userptr_invalidate(struct mmu_interval_notifier *notifier,
				   const struct mmu_notifier_range *range,
				   unsigned long seq)
{
	struct sim_userptr *u = container_of(notifier, struct sim_userptr,
					     notifier);
	struct sim_bo *bo = u->bo;
	u64 first, last;

	if (!mmu_notifier_range_blockable(range))
		return false;
	sim_userptr_wait(u);

	first = max_t(u64, range->start, u->start) - u->start;
	last = min_t(u64, range->end, u->start + bo->base.size) - u->start;
	first >>= PAGE_SHIFT;
	last = DIV_ROUND_UP_ULL(last, PAGE_SIZE);

	down_write(&bo->pages_lock);
	mmu_interval_set_seq(notifier, seq);
	if (first < last)
		memset(&bo->slots[first], 0,
		       (last - first) * sizeof(*bo->slots));
	up_write(&bo->pages_lock);
	return true;
}

static const struct mmu_interval_notifier_ops sim_userptr_ops = {
	.invalidate = sim_userptr_invalidate,
};

/**
 * sim_userptr_init() - tie a buffer to a range of the caller's memory
 * @bo: kind USERPTR, not visible to anybody yet
 * @addr: user address, page-aligned
 * @flags: AMDGPU_GEM_USERPTR_*
 *
 * Context: sleeps; takes mmap_lock.
 * Return: 0; -EINVAL when the range is not aligned or not in user space;
 * -ENOMEM: also over the limit on system memory; -EINTR.
 */
int sim_userptr_init(struct sim_bo *bo, u64 addr, u32 flags)
{
	struct sim_userptr *u;
	u64 end;
	int ret;

	if (!PAGE_ALIGNED(addr) ||
	    check_add_overflow(addr, (u64)bo->base.size, &end) ||
	    end > TASK_SIZE)
		return -EINVAL;
	u = kzalloc(sizeof(*u), GFP_KERNEL_ACCOUNT);
	if (!u)
		return -ENOMEM;
	u->bo = bo;
	u->start = addr;
	u->readonly = flags & AMDGPU_GEM_USERPTR_READONLY;
	u->anon_only = flags & AMDGPU_GEM_USERPTR_ANONONLY;
	u->client = sim_client_get();
	ret = -ENOMEM;
	if (!u->client)
		goto err_free;
	ret = kfd_gpu_sysmem_charge(bo->base.size);
	if (ret)
		goto err_client;
	ret = mmu_interval_notifier_insert(&u->notifier, current->mm, addr,
					   bo->base.size, &sim_userptr_ops);
	if (ret)
		goto err_uncharge;
	bo->userptr = u;
	return 0;

err_uncharge:
	kfd_gpu_sysmem_uncharge(bo->base.size);
err_client:
	sim_client_put(u->client);
err_free:
	kfree(u);
	return ret;
}

/**
 * sim_userptr_fini() - undo sim_userptr_init(); the buffer is being freed
 * @bo: the buffer
 *
 * Context: sleeps until no invalidation runs any more.
 */
void sim_userptr_fini(struct sim_bo *bo)
{
	mmu_interval_notifier_remove(&bo->userptr->notifier);
	kfd_gpu_sysmem_uncharge(bo->base.size);
	sim_client_put(bo->userptr->client);
	kfree(bo->userptr);
	bo->userptr = NULL;
}

static bool sim_userptr_has(struct sim_bo *bo, u64 first, u64 npages)
{
	u64 i;

	for (i = first; i < first + npages; i++)
		if (!bo->slots[i])
			return false;
	return true;
}

/**
 * sim_userptr_valid() - whether all pages are there
 * @bo: made by GEM_USERPTR
 *
 * Context: sleeps; takes pages_lock.
 * Return: true when they are. They stay, for the time that an invalidation
 * waits, when the buffer's reservation object already has a fence.
 */
bool sim_userptr_valid(struct sim_bo *bo)
{
	bool valid;

	down_read(&bo->pages_lock);
	valid = sim_userptr_has(bo, 0, bo->npages);
	up_read(&bo->pages_lock);
	return valid;
}

static int sim_userptr_check_vmas(struct sim_userptr *u, u64 start, u64 end)
{
	struct vm_area_struct *vma;
	u64 addr;

	mmap_assert_locked(u->notifier.mm);
	for (addr = start; addr < end; addr = vma->vm_end) {
		vma = vma_lookup(u->notifier.mm, addr);
		if (!vma || !kfd_vma_can_share(vma))
			return -EFAULT;
		if (u->anon_only && vma->vm_file)
			return -EPERM;
	}
	return 0;
}

/* One try; -EBUSY when an invalidation came in between. */
static int sim_userptr_fault_batch(struct sim_bo *bo, u64 first, u64 npages,
				   unsigned long *pfns)
{
	struct sim_userptr *u = bo->userptr;
	struct hmm_range range = {
		.notifier = &u->notifier,
		.start = u->start + (first << PAGE_SHIFT),
		.end = u->start + ((first + npages) << PAGE_SHIFT),
		.hmm_pfns = pfns,
		.default_flags = HMM_PFN_REQ_FAULT |
				 (u->readonly ? 0 : HMM_PFN_REQ_WRITE),
	};
	u64 i;
	int ret;

	range.notifier_seq = mmu_interval_read_begin(&u->notifier);
	if (mmap_read_lock_killable(u->notifier.mm))
		return -EINTR;
	ret = sim_userptr_check_vmas(u, range.start, range.end);
	if (!ret)
		ret = hmm_range_fault(&range);
	mmap_read_unlock(u->notifier.mm);
	if (ret)
		return ret;

	down_write(&bo->pages_lock);
	if (mmu_interval_read_retry(&u->notifier, range.notifier_seq))
		ret = -EBUSY;
	for (i = 0; !ret && i < npages; i++)
		bo->slots[first + i] =
			(unsigned long)hmm_pfn_to_page(pfns[i]) |
			(u->readonly ? SIM_SLOT_READONLY : 0);
	up_write(&bo->pages_lock);
	return ret;
}

static int sim_userptr_fault(struct sim_bo *bo, unsigned long *pfns)
{
	u64 first, npages;
	bool there;
	int ret;

	for (first = 0; first < bo->npages; first += npages) {
		npages = min_t(u64, bo->npages - first, SIM_USERPTR_BATCH);
		down_read(&bo->pages_lock);
		there = sim_userptr_has(bo, first, npages);
		up_read(&bo->pages_lock);
		if (there)
			continue;
		ret = sim_userptr_fault_batch(bo, first, npages, pfns);
		if (ret)
			return ret;
		cond_resched();
	}
	return 0;
}

/**
 * sim_userptr_validate() - fault all pages in
 * @bo: made by GEM_USERPTR
 *
 * Context: sleeps; takes mmap_lock and pages_lock.
 * Return: 0; -EPERM when the caller's memory is not the buffer's, or belongs
 * to a file against AMDGPU_GEM_USERPTR_ANONONLY; -EFAULT when it is not
 * mapped or not as the buffer needs it; -EBUSY when it goes away faster than
 * it comes; -ENOMEM; -EINTR when the caller is being killed.
 */
int sim_userptr_validate(struct sim_bo *bo)
{
	unsigned long deadline;
	unsigned long *pfns;
	int ret;

	if (bo->userptr->notifier.mm != current->mm)
		return -EPERM;
	WRITE_ONCE(bo->userptr->overdue, false);
	if (sim_userptr_valid(bo))
		return 0;

	pfns = kmalloc_array(SIM_USERPTR_BATCH, sizeof(*pfns),
			     GFP_KERNEL_ACCOUNT);
	if (!pfns)
		return -ENOMEM;
	deadline = jiffies + msecs_to_jiffies(SIM_USERPTR_PATIENCE);
	do {
		ret = sim_userptr_fault(bo, pfns);
		if (!ret && !sim_userptr_valid(bo))
			ret = -EBUSY;
		if (fatal_signal_pending(current))
			ret = -EINTR;
	} while (ret == -EBUSY && time_before(jiffies, deadline));
	kfree(pfns);
	return ret;
}
