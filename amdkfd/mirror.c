// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of a process as GPUs see it (floor 2).
 *
 * DOC: how GPUs follow the CPU's page tables
 *
 * A mirror holds no reference on pages. hmm_range_fault() looks them up, an
 * interval notifier on the address range tells when the answer is no longer
 * true. Between the two the GPUs may use the pages.
 *
 * A page of a mirror is *present* (given to the owner by populate()) or
 * *absent*. The hull [absent_first, absent_last] of a mirror holds every absent
 * page that has not been given up, except while validate() works, when it holds
 * those that have become absent since it looked. A mirror is *needed* by the
 * GPUs whose queues cannot wait for a page: those that a buffer is mapped on or
 * is about to, or that may access a range of shared virtual memory and can't
 * retry. Invariants, all under notifier_lock:
 *
 *  1. what is present is what the CPU's page tables say now: populate() and
 *     invalidate() exclude each other, and populate() comes after a look at
 *     the notifier's sequence under the lock;
 *  2. a needed mirror that an invalidation has hit is on kfd_mirrors.invalid
 *     until its pages are back or given up;
 *  3. while that list is not empty the queues of the GPUs that need what is on
 *     it are evicted: by one eviction per GPU, however many invalidations
 *     come, taken by the first (kfd_mirrors.evicted) and given back by whoever
 *     empties the list;
 *  4. the queues are evicted before the pages become absent, so that a
 *     running queue doesn't see them go.
 *
 * The restore work makes what is on the list present again 1 ms after the first
 * invalidation. Where invalidations come in storms, an eviction that follows a
 * restore at once doubles that, up to 64 ms, so that a storm costs a handful of
 * evictions and not one each; a calm twentieth of a second ends it. When the
 * pages can't be had, the work tries again after 1 ms at first, then twice as
 * long each time, one second at most. Pages that can't be had for half a second
 * are given up: they stay absent, the queues go on, and a GPU access to them is
 * a VM fault (mirror_salvage.c), which is what mainline makes of the whole of
 * it at once and what a program that never touches them again expects. The
 * grace is for those that put a new mapping in place.
 *
 * DOC: locks
 *
 *	process->lock		who may make and free mirrors
 *	  svm->lock		(svm/: likewise)
 *	    validate_lock	who may call populate(). Holds off freeing a
 *				mirror, so the restore work, which must not
 *				wait for process->lock (teardown waits for the
 *				work with that lock held), walks safely
 *	      mmap_lock		read, by hmm_range_fault()
 *	        notifier_lock	presence, the list and the eviction
 *	          scheduler_lock  by kfd_process_evict_on() and _restore_on()
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
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "debug/break.h"
#include "mirror.h"
#include "process.h"
#include "smi.h"

#define RESTORE_DELAY_MIN_MS	1
#define RESTORE_DELAY_MAX_MS	1000
/* A storm: how soon the next eviction comes, and how long we then wait. */
#define STORM_CALM_JIFFIES	(HZ / 20)
#define STORM_DELAY_MAX_MS	64
/* Time after which the restore work makes a pause though it gets on. */
#define RESTORE_PASS_JIFFIES	HZ
/* Lost races with the notifier after which it does. */
#define RESTORE_TRIES		8

/**
 * struct kfd_mirror_chunk - scratch space of one look-up
 * @pfns: what hmm_range_fault() says
 * @pages: the same for the owner
 */
struct kfd_mirror_chunk {
	unsigned long pfns[KFD_MIRROR_CHUNK];
	struct page *pages[KFD_MIRROR_CHUNK];
};

static struct workqueue_struct *restore_wq;

/* Give the evictions back when nothing asks for them any more. */
static void mirrors_settle(struct kfd_mirrors *mirrors)
{
	u32 evicted = mirrors->evicted;
	int ret;

	lockdep_assert_held(&mirrors->notifier_lock);
	if (!evicted || mirrors->closing || !list_empty(&mirrors->invalid))
		return;
	mirrors->evicted = 0;
	mirrors->restored_at = jiffies;
	ret = kfd_process_restore_on(mirrors->process, evicted);
	if (ret)
		pr_warn_ratelimited("amdkfd: pasid %u: queues did not come back after their memory did: %d\n",
				    mirrors->process->pasid, ret);
}

/* How long the queues that are now being evicted stay so, milliseconds. */
static unsigned int mirrors_restore_delay(const struct kfd_mirrors *mirrors)
{
	if (time_after(jiffies, mirrors->restored_at + STORM_CALM_JIFFIES))
		return RESTORE_DELAY_MIN_MS;
	return min_t(unsigned int, mirrors->storm_ms * 2,
		     STORM_DELAY_MAX_MS);
}

/* What has been given up is tried again. */
static void mirror_miss_lost(struct kfd_mirror *m)
{
	lockdep_assert_held(&m->mirrors->notifier_lock);
	if (kfd_mirror_has_lost(m))
		kfd_mirror_add_absent(m, m->lost_first, m->lost_end - 1);
}

/* A needed mirror is losing pages: stop the queues, see to it later. */
static void mirror_break_locked(struct kfd_mirror *m)
{
	struct kfd_mirrors *mirrors = m->mirrors;
	u32 evict = m->needed & ~mirrors->evicted;

	lockdep_assert_held(&mirrors->notifier_lock);
	if (mirrors->closing)
		return;
	if (list_empty(&m->invalid_node)) {
		list_add_tail(&m->invalid_node, &mirrors->invalid);
		mirror_miss_lost(m);
	}
	if (evict) {
		if (!mirrors->evicted)
			mirrors->storm_ms = mirrors_restore_delay(mirrors);
		mirrors->evicted |= evict;
		/* The count is raised even when a queue did not stop. */
		if (kfd_process_evict_on(mirrors->process, evict,
					 m->ops->trigger))
			pr_warn_ratelimited("amdkfd: pasid %u: a queue did not stop while its memory changes\n",
					    mirrors->process->pasid);
	}
	queue_delayed_work(restore_wq, &mirrors->restore_work,
			   msecs_to_jiffies(mirrors->storm_ms));
}

static void mirror_lose(struct kfd_mirror *m, u64 first, u64 last,
			const struct mmu_notifier_range *why)
{
	lockdep_assert_held(&m->mirrors->notifier_lock);
	if (m->needed)
		mirror_break_locked(m);
	kfd_mirror_add_absent(m, first, last);
	m->ops->invalidate(m, first, last - first + 1, why);
}

static bool mirror_invalidate(struct mmu_interval_notifier *notifier,
			      const struct mmu_notifier_range *range,
			      unsigned long seq)
{
	struct kfd_mirror *m = container_of(notifier, struct kfd_mirror,
					    notifier);
	unsigned long end = m->addr + (m->npages << PAGE_SHIFT);
	u64 first, last;

	/* Stopping a queue sleeps; the OOM reaper comes back later. */
	if (!mmu_notifier_range_blockable(range))
		return false;

	first = (max(range->start, m->addr) - m->addr) >> PAGE_SHIFT;
	last = (min(range->end, end) - 1 - m->addr) >> PAGE_SHIFT;

	mutex_lock(&m->mirrors->notifier_lock);
	mmu_interval_set_seq(notifier, seq);
	if (!m->retired && !(KFD_BROKEN(fork_unseen) &&
			     range->event == MMU_NOTIFY_PROTECTION_PAGE))
		mirror_lose(m, first, last, range);
	mutex_unlock(&m->mirrors->notifier_lock);
	return true;
}

static const struct mmu_interval_notifier_ops mirror_notifier_ops = {
	.invalidate = mirror_invalidate,
};

/*
 * Hand what hmm_range_fault() found to the owner. The pages are marked dirty
 * now because nobody tells when the GPU writes: until they are cleaned or freed
 * lazily, which invalidates them first, they count as written. What is in VRAM
 * is dirty when it comes back.
 */
static int mirror_give_pages(struct kfd_mirror *m, u64 first, u64 n,
			     bool writable)
{
	struct kfd_mirror_chunk *chunk = m->mirrors->chunk;
	u64 i;

	lockdep_assert_held(&m->mirrors->notifier_lock);
	for (i = 0; i < n; i++) {
		chunk->pages[i] = hmm_pfn_to_page(chunk->pfns[i]);
		if (writable && !is_device_private_page(chunk->pages[i]))
			set_page_dirty(chunk->pages[i]);
	}
	return m->ops->populate(m, first, n, chunk->pages, writable);
}

/*
 * Whether *@n pages from @first on are looked up for writing; *@n is cut so that
 * the answer holds for all of them. mmap_lock held. EFAULT, ESTALE.
 */
static int mirror_wants_write(struct kfd_mirror *m, u64 first, u64 *n,
			      bool *write)
{
	unsigned long addr = m->addr + (first << PAGE_SHIFT);
	struct vm_area_struct *vma;

	if (m->ops->stale && m->ops->stale(m, first, *n))
		return -ESTALE;
	if (m->access != KFD_MIRROR_WRITE_IF_ALLOWED) {
		*write = m->access == KFD_MIRROR_WRITE;
		return 0;
	}
	vma = vma_lookup(m->mirrors->mm, addr);
	if (!vma)
		return -EFAULT;
	*n = min_t(u64, *n, (vma->vm_end - addr) >> PAGE_SHIFT);
	*write = vma->vm_flags & VM_WRITE;
	return 0;
}

/*
 * hmm_range_fault() breaks copy-on-write of what it faults in for writing, but
 * takes the owner's own pages as they are. Those that can't be written have to
 * come to system memory for that.
 */
static int mirror_look_up(struct hmm_range *range)
{
	u64 i, n = (range->end - range->start) >> PAGE_SHIFT;
	int ret = hmm_range_fault(range);

	if (ret || !range->dev_private_owner ||
	    !(range->default_flags & HMM_PFN_REQ_WRITE))
		return ret;
	for (i = 0; i < n && range->hmm_pfns[i] & HMM_PFN_WRITE; i++)
		;
	if (i == n)
		return 0;
	range->dev_private_owner = NULL;
	return hmm_range_fault(range);
}

/**
 * kfd_mirror_populate() - make pages present, if one look-up finds them all
 * @m: a watched mirror
 * @first: first page
 * @n: how many, KFD_MIRROR_CHUNK at most; cut to as many as a look-up can do
 *
 * Their place in the hull is the caller's to see to.
 *
 * Context: validate_lock held; sleeps; takes mmap_lock. A user of the address
 * space.
 *
 * Return: 0; EAGAIN: the notifier came in between; EFAULT: one of the *@n can't
 * be had; ESTALE, ENOMEM; EINTR: killed.
 */
int kfd_mirror_populate(struct kfd_mirror *m, u64 first, u64 *n)
{
	struct kfd_mirrors *mirrors = m->mirrors;
	struct hmm_range range = {
		.notifier = &m->notifier,
		.start = m->addr + (first << PAGE_SHIFT),
		.hmm_pfns = mirrors->chunk->pfns,
		.default_flags = HMM_PFN_REQ_FAULT,
	};
	bool write = false;
	int ret;

	ret = m->ops->reserve ? m->ops->reserve(m, first, *n) : 0;
	if (ret)
		return ret;
	if (m->ops->owner)
		range.dev_private_owner = m->ops->owner(m);
	range.notifier_seq = mmu_interval_read_begin(&m->notifier);
	if (mmap_read_lock_killable(mirrors->mm))
		return -EINTR;
	ret = mirror_wants_write(m, first, n, &write);
	range.end = range.start + (*n << PAGE_SHIFT);
	if (write)
		range.default_flags |= HMM_PFN_REQ_WRITE;
	if (!ret)
		ret = mirror_look_up(&range);
	mmap_read_unlock(mirrors->mm);
	if (ret == -EBUSY)
		return -EAGAIN;
	if (ret)
		return ret == -ENOMEM || ret == -ESTALE ? ret : -EFAULT;

	mutex_lock(&mirrors->notifier_lock);
	if (mmu_interval_read_retry(&m->notifier, range.notifier_seq))
		ret = -EAGAIN;
	else
		ret = mirror_give_pages(m, first, *n, write);
	mutex_unlock(&mirrors->notifier_lock);
	return ret;
}

/* Pages first .. last; what could not be had goes back into the hull. */
static int mirror_populate(struct kfd_mirror *m, u64 first, u64 last)
{
	int ret;
	u64 n;

	for (; first <= last; first += n) {
		n = min_t(u64, last - first + 1, KFD_MIRROR_CHUNK);
		ret = kfd_mirror_populate(m, first, &n);
		if (ret) {
			mutex_lock(&m->mirrors->notifier_lock);
			kfd_mirror_add_absent(m, first, last);
			mutex_unlock(&m->mirrors->notifier_lock);
			return ret;
		}
		cond_resched();
	}
	return 0;
}

/**
 * kfd_mirror_try() - make the pages present that are missed
 * @m: a watched mirror
 *
 * When it returns 0 they all were at one moment, and an invalidation after that
 * moment has put the mirror on the list (again) if it is needed.
 *
 * Context: validate_lock held; sleeps; takes mmap_lock. A user of the address
 * space.
 *
 * Return: 0; EAGAIN: lost RESTORE_TRIES races; EFAULT, ESTALE, ENOMEM.
 */
int kfd_mirror_try(struct kfd_mirror *m)
{
	struct kfd_mirrors *mirrors = m->mirrors;
	unsigned int tries = RESTORE_TRIES;
	u64 first, last;
	bool present;
	int ret;

	lockdep_assert_held(&mirrors->validate_lock);
	for (;;) {
		mutex_lock(&mirrors->notifier_lock);
		first = m->absent_first;
		last = m->absent_last;
		present = kfd_mirror_is_present(m);
		if (present)
			list_del_init(&m->invalid_node);
		else if (tries)
			kfd_mirror_set_present(m);
		mutex_unlock(&mirrors->notifier_lock);
		if (present) {
			m->lost_since = 0;
			return 0;
		}
		if (!tries--)
			return -EAGAIN;
		ret = mirror_populate(m, first, last);
		if (ret && ret != -EAGAIN)
			return ret;
	}
}

/* This one has to wait for the next pass; others must not wait for it. */
static void mirror_put_off(struct kfd_mirror *m)
{
	struct kfd_mirrors *mirrors = m->mirrors;

	m->put_off = mirrors->pass;
	mutex_lock(&mirrors->notifier_lock);
	if (!list_empty(&m->invalid_node))
		list_move_tail(&m->invalid_node, &mirrors->invalid);
	mutex_unlock(&mirrors->notifier_lock);
}

/* EAGAIN: more is left; EFAULT, ESTALE, ENOMEM: a mirror could not be had. */
static int mirrors_restore_pass(struct kfd_mirrors *mirrors)
{
	unsigned long deadline = jiffies + RESTORE_PASS_JIFFIES;
	struct kfd_mirror *m;
	int ret, left = 0;

	lockdep_assert_held(&mirrors->validate_lock);
	mirrors->pass++;
	for (;;) {
		mutex_lock(&mirrors->notifier_lock);
		m = list_first_entry_or_null(&mirrors->invalid,
					     struct kfd_mirror, invalid_node);
		if (!m)
			mirrors_settle(mirrors);
		mutex_unlock(&mirrors->notifier_lock);
		if (!m)
			return 0;
		/* Behind the first that was put off are others that were. */
		if (m->put_off == mirrors->pass)
			return left;
		if (time_after(jiffies, deadline))
			return -EAGAIN;
		ret = kfd_mirror_try(m);
		if (ret)
			ret = kfd_mirror_do_without(m, ret);
		if (ret) {
			mirror_put_off(m);
			left = ret;
		}
	}
}

static void mirrors_tell_rescheduled(struct kfd_mirrors *mirrors)
{
	struct kfd_process *p = mirrors->process;
	u32 i;

	for (i = 0; i < p->n_pdds; i++)
		if (READ_ONCE(mirrors->evicted) & BIT(i))
			kfd_smi_queue_restore(p, p->pdds[i]->dev, true);
}

static void mirrors_restore_work(struct work_struct *work)
{
	struct kfd_mirrors *mirrors = container_of(work, struct kfd_mirrors,
						   restore_work.work);
	struct mm_struct *mm;
	int ret;

	mutex_lock(&mirrors->validate_lock);
	mm = mirrors->mm;
	/* No user left: there is nothing to come back to. */
	if (!mmget_not_zero(mm)) {
		mutex_unlock(&mirrors->validate_lock);
		return;
	}
	ret = mirrors_restore_pass(mirrors);
	if (ret) {
		pr_debug("amdkfd: pasid %u: memory not restored yet: %d\n",
			 mirrors->process->pasid, ret);
		mirrors_tell_rescheduled(mirrors);
		mutex_lock(&mirrors->notifier_lock);
		if (!mirrors->closing)
			queue_delayed_work(restore_wq, &mirrors->restore_work,
					   msecs_to_jiffies(mirrors->delay_ms));
		mutex_unlock(&mirrors->notifier_lock);
		mirrors->delay_ms = min_t(unsigned int, mirrors->delay_ms * 2,
					  RESTORE_DELAY_MAX_MS);
	} else {
		mirrors->delay_ms = RESTORE_DELAY_MIN_MS;
	}
	mutex_unlock(&mirrors->validate_lock);
	mmput(mm);
}

/**
 * kfd_mirror_validate() - make all pages present
 * @m: a watched mirror
 *
 * A mirror that is needed keeps them, by way of evictions. Those that have been
 * given up are tried again.
 *
 * Context: validate_lock held; sleeps; takes mmap_lock. A user of the address
 * space.
 *
 * Return: 0; EFAULT: a page can't be had; ESTALE: its owner calls it stale;
 * ENOMEM; EINTR: a signal came first.
 */
int kfd_mirror_validate(struct kfd_mirror *m)
{
	struct mutex *notifier_lock = &m->mirrors->notifier_lock;
	int ret;

	mutex_lock(notifier_lock);
	mirror_miss_lost(m);
	mutex_unlock(notifier_lock);
	for (;;) {
		ret = kfd_mirror_try(m);
		if (ret != -EAGAIN)
			break;
		if (signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	if (!ret) {
		mutex_lock(notifier_lock);
		kfd_mirror_forget_lost(m);
		mutex_unlock(notifier_lock);
	}
	return ret;
}

/**
 * kfd_mirror_fill() - make some pages present once
 * @m: a watched mirror
 * @first: first page
 * @npages: their number, within the mirror
 *
 * What is absent is not remembered to be present: for mirrors that nobody
 * needs, whose GPUs ask for pages as they miss them.
 *
 * Context: as kfd_mirror_validate().
 *
 * Return: 0; EAGAIN: lost too many races with invalidations; EFAULT, ESTALE: a
 * page can't be had, those before it are present; ENOMEM; EINTR: killed.
 */
int kfd_mirror_fill(struct kfd_mirror *m, u64 first, u64 npages)
{
	unsigned int tries = RESTORE_TRIES;
	u64 end = first + npages, n;
	int ret;

	lockdep_assert_held(&m->mirrors->validate_lock);
	while (first < end) {
		n = min_t(u64, end - first, KFD_MIRROR_CHUNK);
		ret = kfd_mirror_populate(m, first, &n);
		if (ret && (ret != -EAGAIN || !tries--))
			return ret;
		if (!ret)
			first += n;
		cond_resched();
	}
	return 0;
}

/**
 * kfd_mirror_init() - a mirror of nothing yet: all pages are absent
 * @m: the mirror
 * @mirrors: those of the process
 * @ops: static table
 * @addr: CPU address, page-aligned; the range has been checked not to wrap
 * @npages: its length, not 0
 * @access: what GPUs do with the pages
 *
 * Context: any.
 */
void kfd_mirror_init(struct kfd_mirror *m, struct kfd_mirrors *mirrors,
		     const struct kfd_mirror_ops *ops, unsigned long addr,
		     u64 npages, enum kfd_mirror_access access)
{
	m->addr = addr;
	m->npages = npages;
	m->mirrors = mirrors;
	m->ops = ops;
	m->access = access;
	m->absent_last = npages - 1;
	INIT_LIST_HEAD(&m->invalid_node);
}

/**
 * kfd_mirror_watch() - hear of what happens to the memory from now on
 * @m: a mirror that is not watched yet
 *
 * Context: validate_lock held; sleeps; takes mmap_lock.
 *
 * Return: 0; EFAULT: the range is not in user space; ENOMEM; EINTR: the first
 * of an address space gives way to any pending signal.
 */
int kfd_mirror_watch(struct kfd_mirror *m)
{
	struct kfd_mirrors *mirrors = m->mirrors;
	int ret;

	lockdep_assert_held(&mirrors->validate_lock);
	if (!mirrors->chunk)
		mirrors->chunk = kmalloc(sizeof(*mirrors->chunk),
					 GFP_KERNEL_ACCOUNT);
	if (!mirrors->chunk)
		return -ENOMEM;
	ret = mmu_interval_notifier_insert(&m->notifier, mirrors->mm, m->addr,
					   m->npages << PAGE_SHIFT,
					   &mirror_notifier_ops);
	if (ret)
		return ret == -ENOMEM || ret == -EINTR ? ret : -EFAULT;
	m->watched = true;
	return 0;
}

/**
 * kfd_mirror_remove() - take all pages away and watch no more
 * @m: a mirror, watched or not
 *
 * The pages of a retired mirror are its successor's and stay.
 *
 * Context: validate_lock held; sleeps until no invalidation runs any more.
 */
void kfd_mirror_remove(struct kfd_mirror *m)
{
	struct kfd_mirrors *mirrors = m->mirrors;

	/* one that has never been looked at may not even be initialised */
	if (!m->watched)
		return;
	lockdep_assert_held(&mirrors->validate_lock);
	mutex_lock(&mirrors->notifier_lock);
	list_del_init(&m->invalid_node);
	if (!m->retired)
		m->ops->invalidate(m, 0, m->npages, NULL);
	m->retired = true;
	mirrors_settle(mirrors);
	mutex_unlock(&mirrors->notifier_lock);
	mmu_interval_notifier_remove(&m->notifier);
	m->watched = false;
}

/**
 * kfd_mirror_need_locked() - these GPUs' queues need the pages, and no others
 * @m: the mirror
 * @gpus: the GPUs, by index in kfd_process.pdds
 *
 * An invalidation from here on evicts them. Pages that are absent already are
 * brought by kfd_mirror_validate() or, with the queues evicted meanwhile, by
 * kfd_mirror_break_locked().
 *
 * Context: notifier_lock held.
 */
void kfd_mirror_need_locked(struct kfd_mirror *m, u32 gpus)
{
	struct kfd_mirrors *mirrors = m->mirrors;

	lockdep_assert_held(&mirrors->notifier_lock);
	m->needed = gpus;
	if (!gpus)
		list_del_init(&m->invalid_node);
	mirrors_settle(mirrors);
}

/**
 * kfd_mirror_break_locked() - bring the pages with the queues out of the way
 * @m: a mirror; what it lacks is in its hull
 *
 * Does nothing when nobody needs it or nothing is absent.
 *
 * Context: notifier_lock held; NOTIFIER context.
 */
void kfd_mirror_break_locked(struct kfd_mirror *m)
{
	if (m->needed && !kfd_mirror_is_present(m))
		mirror_break_locked(m);
}

/**
 * kfd_mirror_lose_locked() - take pages away for a while
 * @m: a watched mirror
 * @start: CPU address of the first, inside @m
 * @last: CPU address of the last byte, inside @m
 *
 * As an invalidation of them.
 *
 * Context: notifier_lock held; NOTIFIER context.
 */
void kfd_mirror_lose_locked(struct kfd_mirror *m, unsigned long start,
			    unsigned long last)
{
	mirror_lose(m, (start - m->addr) >> PAGE_SHIFT,
		    (last - m->addr) >> PAGE_SHIFT, NULL);
}

/**
 * kfd_mirrors_init() - set up the mirrors of a process
 * @mirrors: zeroed
 * @p: the process, p->mm set
 *
 * Context: any.
 */
void kfd_mirrors_init(struct kfd_mirrors *mirrors, struct kfd_process *p)
{
	mirrors->process = p;
	mirrors->mm = p->mm;
	mmgrab(p->mm);
	mutex_init(&mirrors->validate_lock);
	mutex_init(&mirrors->notifier_lock);
	INIT_LIST_HEAD(&mirrors->invalid);
	INIT_DELAYED_WORK(&mirrors->restore_work, mirrors_restore_work);
	mirrors->delay_ms = RESTORE_DELAY_MIN_MS;
	mirrors->storm_ms = RESTORE_DELAY_MIN_MS;
	mirrors->restored_at = jiffies - STORM_CALM_JIFFIES - 1;
}

/**
 * kfd_mirrors_rebind() - the process has another address space
 * @mirrors: no mirror is watched
 * @mm: the new one
 *
 * Context: sleeps; process->lock held.
 */
void kfd_mirrors_rebind(struct kfd_mirrors *mirrors, struct mm_struct *mm)
{
	struct mm_struct *old;

	lockdep_assert_held(&mirrors->process->lock);
	mmgrab(mm);
	mutex_lock(&mirrors->validate_lock);
	old = mirrors->mm;
	mirrors->mm = mm;
	mutex_unlock(&mirrors->validate_lock);
	mmdrop(old);
}

/**
 * kfd_mirrors_close() - evict, restore and schedule no more
 * @mirrors: of a process whose queues are gone or never ran
 *
 * Context: sleeps; waits for the restore work.
 */
void kfd_mirrors_close(struct kfd_mirrors *mirrors)
{
	mutex_lock(&mirrors->notifier_lock);
	mirrors->closing = true;
	mutex_unlock(&mirrors->notifier_lock);
	cancel_delayed_work_sync(&mirrors->restore_work);
}

/**
 * kfd_mirrors_fini() - free what kfd_mirrors_init() began
 * @mirrors: closed, without mirrors
 *
 * Context: sleeps.
 */
void kfd_mirrors_fini(struct kfd_mirrors *mirrors)
{
	kfree(mirrors->chunk);
	mutex_destroy(&mirrors->notifier_lock);
	mutex_destroy(&mirrors->validate_lock);
	mmdrop(mirrors->mm);
}

/**
 * kfd_mirrors_module_init() - make the workqueue that pages are restored on
 *
 * Context: module init.
 * Return: 0 or -ENOMEM.
 */
int kfd_mirrors_module_init(void)
{
	restore_wq = alloc_workqueue("amdkfd_mirror", WQ_UNBOUND, 0);
	return restore_wq ? 0 : -ENOMEM;
}

/**
 * kfd_mirrors_module_exit() - undo kfd_mirrors_module_init()
 *
 * Context: module exit; no process is left.
 */
void kfd_mirrors_module_exit(void)
{
	destroy_workqueue(restore_wq);
}
