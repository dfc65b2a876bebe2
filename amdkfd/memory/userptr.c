// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of the process itself as GPU memory (floor 3).
 *
 * DOC: how the GPU follows the CPU's page tables
 *
 * A userptr buffer holds no reference on pages. hmm_range_fault() looks them
 * up, an interval notifier on the address range tells when the answer is no
 * longer true. Between the two the provider may use the pages.
 *
 * A page of a buffer is *present* (given to the provider by bo_populate) or
 * *absent*. The hull [absent_first, absent_last] of a buffer holds every
 * absent page, except while validate() works, when it holds those that have
 * become absent since it looked. A buffer is *needed* while some GPU has it
 * mapped or is about to. Invariants, all under notifier_lock:
 *
 *  1. what is present is what the CPU's page tables say now: populate() and
 *     invalidate() exclude each other, and populate() checks the notifier's
 *     sequence after it has got the lock;
 *  2. a needed buffer that invalidate() has hit is on kfd_memory.invalid until
 *     its pages are back or given up;
 *  3. while that list is not empty the process's queues are evicted: by one
 *     eviction for the whole process, however many invalidations come, taken
 *     by the first (kfd_memory.evicted) and given back by whoever empties the
 *     list;
 *  4. the queues are evicted before the pages become absent, so that a
 *     running queue doesn't see them go.
 *
 * The restore work makes what is on the list present again, and gives up for
 * a while when that fails: 1 ms after the invalidation at first, then twice as
 * long each time, one second at most. A range that stays without a mapping
 * (munmap) for half a second is given up: its pages stay absent, the queues go
 * on, and a GPU access to it is a VM fault, which is what mainline makes of it
 * at once and what a program that never touches it again expects. (The grace
 * is for those that put a new mapping in place.) The next invalidation or MAP
 * tries again.
 *
 * Between RESTORE and RESUME a userptr has no notifier and all its pages are
 * absent: the address space is not in place yet. The restorer's own eviction
 * keeps the queues off meanwhile, and kfd_memory_resume() brings the buffer
 * to the ordinary state.
 *
 * DOC: locks
 *
 *	process->lock		who may create, map, unmap and free buffers
 *	  validate_lock		who may call populate(). Holds off freeing a
 *				userptr, so the restore work, which must not
 *				wait for process->lock (teardown waits for
 *				the work with that lock held), walks safely
 *	    mmap_lock		read, by hmm_range_fault()
 *	      notifier_lock	presence, the list and the eviction
 *	        scheduler_lock	by kfd_process_evict(), kfd_process_restore()
 *
 * The notifier comes with mmap_lock, page locks, or reclaim's locks held, and
 * takes notifier_lock and what is below. So nothing is allocated and no page
 * is touched under notifier_lock, and mmu_interval_read_begin(), which waits
 * for notifiers, and mmu_interval_notifier_remove(), which does as well, are
 * called without it.
 *
 * At the end of an address space the notifiers are called with
 * MMU_NOTIFY_RELEASE before the process's own release callback, so an
 * eviction is held before teardown begins and stays: the restore work needs
 * a user of the address space and finds none.
 */
#include <linux/hmm.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "../debug/break.h"
#include "memory.h"

/* Pages that are looked up and given to the provider at a time: 2 MiB. */
#define CHUNK_PAGES		512
#define RESTORE_DELAY_MIN_MS	1
#define RESTORE_DELAY_MAX_MS	1000
/* Time after which the restore work makes a pause though it gets on. */
#define RESTORE_PASS_JIFFIES	HZ
/* How long memory may be away before its userptr is given up. */
#define RESTORE_GIVE_UP_MS	500
/* Lost races with the notifier after which it does. */
#define RESTORE_TRIES		8

/**
 * struct kfd_userptr_chunk - scratch space of one look-up
 * @pfns: what hmm_range_fault() says
 * @pages: the same for the provider
 */
struct kfd_userptr_chunk {
	unsigned long pfns[CHUNK_PAGES];
	struct page *pages[CHUNK_PAGES];
};

static struct workqueue_struct *restore_wq;

static bool userptr_writable(const struct kfd_userptr *u)
{
	return u->bo->alloc_flags & KFD_IOC_ALLOC_MEM_FLAGS_WRITABLE;
}

static bool userptr_is_present(const struct kfd_userptr *u)
{
	return u->absent_first > u->absent_last;
}

static void userptr_set_present(struct kfd_userptr *u)
{
	u->absent_first = 1;
	u->absent_last = 0;
}

static void userptr_add_absent(struct kfd_userptr *u, u64 first, u64 last)
{
	if (userptr_is_present(u)) {
		u->absent_first = first;
		u->absent_last = last;
	} else {
		u->absent_first = min(u->absent_first, first);
		u->absent_last = max(u->absent_last, last);
	}
}

/* Give the eviction back when nothing asks for it any more. */
static void userptr_settle(struct kfd_memory *memory)
{
	int ret;

	lockdep_assert_held(&memory->notifier_lock);
	if (!memory->evicted || memory->closing || !list_empty(&memory->invalid))
		return;
	memory->evicted = false;
	ret = kfd_process_restore(memory->process);
	if (ret)
		pr_warn_ratelimited("amdkfd: pasid %u: queues did not come back after their memory did: %d\n",
				    memory->process->pasid, ret);
}

/* A needed userptr is losing pages: stop the queues, see to it later. */
static void userptr_break(struct kfd_userptr *u)
{
	struct kfd_memory *memory = u->bo->memory;

	lockdep_assert_held(&memory->notifier_lock);
	if (memory->closing)
		return;
	if (list_empty(&u->invalid_node))
		list_add_tail(&u->invalid_node, &memory->invalid);
	if (!memory->evicted) {
		memory->evicted = true;
		/* The count is raised even when a queue did not stop. */
		if (kfd_process_evict(memory->process))
			pr_warn_ratelimited("amdkfd: pasid %u: a queue did not stop while its memory changes\n",
					    memory->process->pasid);
	}
	queue_delayed_work(restore_wq, &memory->restore_work,
			   msecs_to_jiffies(RESTORE_DELAY_MIN_MS));
}

static bool userptr_invalidate(struct mmu_interval_notifier *notifier,
			       const struct mmu_notifier_range *range,
			       unsigned long seq)
{
	struct kfd_userptr *u = container_of(notifier, struct kfd_userptr,
					     notifier);
	struct kfd_memory *memory = u->bo->memory;
	unsigned long end = u->addr + u->bo->size;
	u64 first, last;

	/* Stopping a queue sleeps; the OOM reaper comes back later. */
	if (!mmu_notifier_range_blockable(range))
		return false;

	first = (max(range->start, u->addr) - u->addr) >> PAGE_SHIFT;
	last = (min(range->end, end) - 1 - u->addr) >> PAGE_SHIFT;

	mutex_lock(&memory->notifier_lock);
	mmu_interval_set_seq(notifier, seq);
	if (u->needed)
		userptr_break(u);
	userptr_add_absent(u, first, last);
	u->bo->pdd->dev->ops->bo_invalidate(u->bo->gpu, first,
					    last - first + 1);
	mutex_unlock(&memory->notifier_lock);
	return true;
}

static const struct mmu_interval_notifier_ops userptr_notifier_ops = {
	.invalidate = userptr_invalidate,
};

/*
 * Hand what hmm_range_fault() found to the provider. The pages are marked
 * dirty now because nobody tells when the GPU writes: until they are cleaned
 * or freed lazily, which invalidates them first, they count as written.
 */
static void userptr_give_pages(struct kfd_userptr *u, u64 first, u64 n)
{
	struct kfd_userptr_chunk *chunk = u->bo->memory->chunk;
	bool writable = userptr_writable(u);
	u64 i;

	lockdep_assert_held(&u->bo->memory->notifier_lock);
	for (i = 0; i < n; i++) {
		chunk->pages[i] = hmm_pfn_to_page(chunk->pfns[i]);
		if (writable)
			set_page_dirty(chunk->pages[i]);
	}
	u->bo->pdd->dev->ops->bo_populate(u->bo->gpu, first, n, chunk->pages,
					  writable);
}

/* EAGAIN: the notifier came in between; EFAULT, ENOMEM; EINTR: killed. */
static int userptr_populate_chunk(struct kfd_userptr *u, u64 first, u64 n)
{
	struct kfd_memory *memory = u->bo->memory;
	struct hmm_range range = {
		.notifier = &u->notifier,
		.start = u->addr + (first << PAGE_SHIFT),
		.end = u->addr + ((first + n) << PAGE_SHIFT),
		.hmm_pfns = memory->chunk->pfns,
		.default_flags = HMM_PFN_REQ_FAULT,
	};
	int ret;

	if (userptr_writable(u))
		range.default_flags |= HMM_PFN_REQ_WRITE;
	range.notifier_seq = mmu_interval_read_begin(&u->notifier);
	if (mmap_read_lock_killable(memory->mm))
		return -EINTR;
	ret = hmm_range_fault(&range);
	mmap_read_unlock(memory->mm);
	if (ret == -EBUSY)
		return -EAGAIN;
	if (ret)
		return ret == -ENOMEM ? ret : -EFAULT;

	mutex_lock(&memory->notifier_lock);
	if (mmu_interval_read_retry(&u->notifier, range.notifier_seq))
		ret = -EAGAIN;
	else
		userptr_give_pages(u, first, n);
	mutex_unlock(&memory->notifier_lock);
	return ret;
}

/* Pages first .. last; what could not be had goes back into the hull. */
static int userptr_populate(struct kfd_userptr *u, u64 first, u64 last)
{
	struct kfd_memory *memory = u->bo->memory;
	int ret;
	u64 n;

	for (; first <= last; first += n) {
		n = min_t(u64, last - first + 1, CHUNK_PAGES);
		ret = userptr_populate_chunk(u, first, n);
		if (ret) {
			mutex_lock(&memory->notifier_lock);
			userptr_add_absent(u, first, last);
			mutex_unlock(&memory->notifier_lock);
			return ret;
		}
		cond_resched();
	}
	return 0;
}

/*
 * Make all pages present. When it returns 0 they all were at one moment, and
 * an invalidation after that moment has put the buffer on the list (again) if
 * it is needed.
 *
 * EAGAIN: lost @tries races; EFAULT, ENOMEM.
 */
static int userptr_validate(struct kfd_userptr *u, unsigned int tries)
{
	struct kfd_memory *memory = u->bo->memory;
	u64 first, last;
	bool present;
	int ret;

	lockdep_assert_held(&memory->validate_lock);
	for (;;) {
		mutex_lock(&memory->notifier_lock);
		first = u->absent_first;
		last = u->absent_last;
		present = userptr_is_present(u);
		if (present)
			list_del_init(&u->invalid_node);
		else if (tries)
			userptr_set_present(u);
		mutex_unlock(&memory->notifier_lock);
		if (present) {
			u->lost_since = 0;
			return 0;
		}
		if (!tries--)
			return -EAGAIN;
		ret = userptr_populate(u, first, last);
		if (ret && ret != -EAGAIN)
			return ret;
	}
}

/* For ioctls: until it is done or a signal comes. */
static int userptr_validate_wait(struct kfd_userptr *u)
{
	int ret;

	for (;;) {
		ret = userptr_validate(u, RESTORE_TRIES);
		if (ret != -EAGAIN)
			return ret;
		if (signal_pending(current))
			return -EINTR;
		cond_resched();
	}
}

/* Whether a userptr that answered @err has had its chance; it is let go then. */
static bool userptr_give_up(struct kfd_userptr *u, int err)
{
	struct kfd_memory *memory = u->bo->memory;

	lockdep_assert_held(&memory->validate_lock);
	if (err != -EFAULT)
		return false;
	if (!u->lost_since)
		u->lost_since = jiffies ?: 1;
	if (time_before(jiffies, u->lost_since +
			msecs_to_jiffies(RESTORE_GIVE_UP_MS)))
		return false;
	u->lost_since = 0;
	pr_warn_ratelimited("amdkfd: pasid %u: userptr buffer at 0x%lx has lost its memory; GPU accesses will fault\n",
			    memory->process->pasid, u->addr);
	mutex_lock(&memory->notifier_lock);
	list_del_init(&u->invalid_node);
	mutex_unlock(&memory->notifier_lock);
	return true;
}

/* EAGAIN: more is left; EFAULT, ENOMEM: a userptr could not be had. */
static int userptr_restore_pass(struct kfd_memory *memory)
{
	unsigned long deadline = jiffies + RESTORE_PASS_JIFFIES;
	struct kfd_userptr *u;
	int ret = 0;

	lockdep_assert_held(&memory->validate_lock);
	while (!ret) {
		mutex_lock(&memory->notifier_lock);
		u = list_first_entry_or_null(&memory->invalid,
					     struct kfd_userptr, invalid_node);
		if (!u)
			userptr_settle(memory);
		mutex_unlock(&memory->notifier_lock);
		if (!u)
			return 0;
		if (time_after(jiffies, deadline))
			return -EAGAIN;
		ret = userptr_validate(u, RESTORE_TRIES);
		if (ret && userptr_give_up(u, ret))
			ret = 0;
	}
	return ret;
}

static void userptr_restore_work(struct work_struct *work)
{
	struct kfd_memory *memory = container_of(work, struct kfd_memory,
						 restore_work.work);
	struct mm_struct *mm = memory->mm;
	int ret;

	/* No user left: there is nothing to come back to. */
	if (!mmget_not_zero(mm))
		return;
	mutex_lock(&memory->validate_lock);
	ret = userptr_restore_pass(memory);
	if (ret) {
		pr_debug("amdkfd: pasid %u: userptr not restored yet: %d\n",
			 memory->process->pasid, ret);
		mutex_lock(&memory->notifier_lock);
		if (!memory->closing)
			queue_delayed_work(restore_wq, &memory->restore_work,
					   msecs_to_jiffies(memory->delay_ms));
		mutex_unlock(&memory->notifier_lock);
		memory->delay_ms = min_t(unsigned int, memory->delay_ms * 2,
					 RESTORE_DELAY_MAX_MS);
	} else {
		memory->delay_ms = RESTORE_DELAY_MIN_MS;
	}
	mutex_unlock(&memory->validate_lock);
	mmput(mm);
}

/**
 * kfd_userptr_need() - a GPU is about to map a userptr
 * @userptr: the userptr
 *
 * Makes the pages present and keeps them so, by way of evictions, until
 * kfd_userptr_unneed(). Before RESUME it only counts.
 *
 * Context: process->lock held; sleeps; takes mmap_lock.
 *
 * Return: 0; EFAULT: a page can't be had; ENOMEM; EINTR.
 */
int kfd_userptr_need(struct kfd_userptr *userptr)
{
	struct kfd_memory *memory = userptr->bo->memory;
	int ret = 0;

	if (mutex_lock_killable(&memory->validate_lock))
		return -EINTR;
	/* First, so that no invalidation goes unseen once it is present. */
	mutex_lock(&memory->notifier_lock);
	userptr->needed++;
	mutex_unlock(&memory->notifier_lock);
	if (userptr->registered)
		ret = userptr_validate_wait(userptr);
	mutex_unlock(&memory->validate_lock);
	if (ret)
		kfd_userptr_unneed(userptr);
	return ret;
}

/**
 * kfd_userptr_unneed() - a GPU has unmapped a userptr
 * @userptr: the userptr
 *
 * The queues go on at once when it was the last one whose pages could not be
 * had.
 *
 * Context: process->lock held; sleeps.
 */
void kfd_userptr_unneed(struct kfd_userptr *userptr)
{
	struct kfd_memory *memory = userptr->bo->memory;

	mutex_lock(&memory->notifier_lock);
	if (!--userptr->needed)
		list_del_init(&userptr->invalid_node);
	userptr_settle(memory);
	mutex_unlock(&memory->notifier_lock);
}

static int userptr_register(struct kfd_userptr *u)
{
	int ret;

	ret = mmu_interval_notifier_insert(&u->notifier, u->bo->memory->mm,
					   u->addr, u->bo->size,
					   &userptr_notifier_ops);
	/* The first of an address space gives way to any pending signal. */
	if (ret)
		return ret == -ENOMEM || ret == -EINTR ? ret : -EFAULT;
	u->registered = true;
	return 0;
}

/**
 * kfd_userptr_create() - put the process's own pages behind a buffer
 * @bo: a USERPTR buffer, all of whose pages are absent
 * @addr: CPU address, page-aligned; the range has been checked not to wrap
 * @absent: leave the pages absent and unwatched until kfd_memory_resume();
 *	else current->mm is the process's
 *
 * On error too, @bo->userptr may have been set; kfd_userptr_destroy() undoes
 * it.
 *
 * Context: process->lock held; sleeps; takes mmap_lock.
 *
 * Return: 0; EFAULT: a page can't be had; ENOMEM; EINTR.
 */
int kfd_userptr_create(struct kfd_bo *bo, u64 addr, bool absent)
{
	struct kfd_memory *memory = bo->memory;
	struct kfd_userptr *u;
	int ret = 0;

	u = kzalloc(sizeof(*u), GFP_KERNEL_ACCOUNT);
	if (!u)
		return -ENOMEM;
	u->bo = bo;
	u->addr = addr;
	u->absent_last = (bo->size >> PAGE_SHIFT) - 1;
	INIT_LIST_HEAD(&u->invalid_node);
	bo->userptr = u;

	if (mutex_lock_killable(&memory->validate_lock))
		return -EINTR;
	if (!memory->chunk)
		memory->chunk = kmalloc(sizeof(*memory->chunk),
					GFP_KERNEL_ACCOUNT);
	if (!memory->chunk)
		ret = -ENOMEM;
	if (!ret && !absent) {
		ret = userptr_register(u);
		if (!ret)
			ret = userptr_validate_wait(u);
	}
	mutex_unlock(&memory->validate_lock);
	return ret;
}

/* Take the pages from the provider, watch the range no more, free @u. */
static void userptr_free(struct kfd_userptr *u)
{
	struct kfd_memory *memory = u->bo->memory;

	lockdep_assert_held(&memory->validate_lock);
	if (u->registered) {
		mutex_lock(&memory->notifier_lock);
		u->bo->pdd->dev->ops->bo_invalidate(u->bo->gpu, 0,
						    u->bo->size >> PAGE_SHIFT);
		mutex_unlock(&memory->notifier_lock);
		mmu_interval_notifier_remove(&u->notifier);
		u->registered = false;
	}
	kfree(u);
}

/**
 * kfd_userptr_destroy() - part with the process's pages
 * @bo: buffer that has a userptr and that no GPU has mapped
 *
 * Context: process->lock held; sleeps. Cannot fail.
 */
void kfd_userptr_destroy(struct kfd_bo *bo)
{
	struct kfd_memory *memory = bo->memory;

	mutex_lock(&memory->validate_lock);
	userptr_free(bo->userptr);
	mutex_unlock(&memory->validate_lock);
	bo->userptr = NULL;
}

static int userptr_resume(struct kfd_userptr *u)
{
	int ret = 0;

	if (!u->registered)
		ret = userptr_register(u);
	if (!ret && u->needed)
		ret = userptr_validate_wait(u);
	if (ret && ret != -EINTR)
		pr_err_ratelimited("amdkfd: pasid %u: host memory at %#lx, %llu bytes, of buffer %#llx can't be had: %d\n",
				   u->bo->memory->process->pasid, u->addr,
				   u->bo->size, kfd_bo_handle(u->bo), ret);
	return ret;
}

/**
 * kfd_memory_resume() - watch and look up the userptrs of a restored process
 * @p: the process, not necessarily current's; its address space stands again
 *
 * Those that no GPU has mapped are only watched. After an error some userptrs
 * may have pages already; calling it again goes on with the others.
 *
 * Context: process->lock held; sleeps; takes the process's mmap_lock.
 *
 * Return: 0, or the error of the first userptr that fails, which is named in
 * the log: EFAULT: a page can't be had; ENOMEM; EINTR. ESRCH: the address
 * space is gone.
 */
int kfd_memory_resume(struct kfd_process *p)
{
	struct kfd_memory *memory = kfd_memory(p);
	struct xarray *bos;
	unsigned long number;
	struct kfd_bo *bo;
	int ret = 0;
	u32 i;

	lockdep_assert_held(&p->lock);
	if (!mmget_not_zero(memory->mm))
		return -ESRCH;
	if (mutex_lock_killable(&memory->validate_lock)) {
		mmput_async(memory->mm);
		return -EINTR;
	}
	for (i = 0; i < p->n_pdds && !ret; i++) {
		bos = kfd_memory_bos(p->pdds[i]);
		if (!bos)
			continue;
		xa_for_each(bos, number, bo) {
			if (bo->userptr)
				ret = userptr_resume(bo->userptr);
			if (ret && KFD_BROKEN(resume_svm_twice))
				userptr_free(bo->userptr);
			if (ret)
				break;
		}
	}
	mutex_unlock(&memory->validate_lock);
	/* Its end must not come under process->lock. */
	mmput_async(memory->mm);
	return ret;
}

/**
 * kfd_userptr_process_init() - set up the userptr half of a process's memory
 * @memory: zeroed, with @process and @mm set
 */
void kfd_userptr_process_init(struct kfd_memory *memory)
{
	mutex_init(&memory->validate_lock);
	mutex_init(&memory->notifier_lock);
	INIT_LIST_HEAD(&memory->invalid);
	INIT_DELAYED_WORK(&memory->restore_work, userptr_restore_work);
	memory->delay_ms = RESTORE_DELAY_MIN_MS;
}

/**
 * kfd_userptr_process_close() - evict, restore and schedule no more
 * @memory: memory of a process whose queues are gone or never ran
 *
 * Context: sleeps; waits for the restore work.
 */
void kfd_userptr_process_close(struct kfd_memory *memory)
{
	mutex_lock(&memory->notifier_lock);
	memory->closing = true;
	mutex_unlock(&memory->notifier_lock);
	cancel_delayed_work_sync(&memory->restore_work);
}

/**
 * kfd_userptr_process_fini() - free what kfd_userptr_process_init() began
 * @memory: closed, without userptrs
 */
void kfd_userptr_process_fini(struct kfd_memory *memory)
{
	kfree(memory->chunk);
	mutex_destroy(&memory->notifier_lock);
	mutex_destroy(&memory->validate_lock);
}

/**
 * kfd_userptr_init() - make the workqueue that userptrs are restored on
 *
 * Return: 0 or ENOMEM.
 */
int kfd_userptr_init(void)
{
	restore_wq = alloc_workqueue("kfd_userptr", WQ_UNBOUND, 0);
	return restore_wq ? 0 : -ENOMEM;
}

/**
 * kfd_userptr_exit() - undo kfd_userptr_init(); no process is left
 */
void kfd_userptr_exit(void)
{
	destroy_workqueue(restore_wq);
}
