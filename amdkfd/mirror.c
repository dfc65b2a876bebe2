// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of a process as GPUs see it (floor 2).
 *
 * DOC: how GPUs follow the CPU's page tables
 *
 * A mirror holds no reference on pages. hmm_range_fault() looks them up, an
 * interval notifier on the address range tells when the answer is no longer
 * true. Between the two the GPUs may use the pages. A look-up takes what is in
 * memory (mirror_look.c); what is not comes while nothing of ours is held
 * (fetch.c), and the look-up is made again.
 *
 * What happens to a mirror, and what comes of it, is a table: mirror_state.c.
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
 *     take() exclude each other, and populate() comes after a look at the
 *     notifier's sequence under the lock;
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
 *	      mmap_lock		read, by hmm_range_fault(), which waits
 *				for no page
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
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "mirror.h"
#include "process.h"
#include "smi.h"

#define RESTORE_DELAY_MAX_MS	1000
/* How long nothing is brought in after there was no memory for it. */
#define FETCH_AGAIN_MS		100
/* Time after which the restore work makes a pause though it gets on. */
#define RESTORE_PASS_JIFFIES	HZ
/* Lost races with the notifier after which it does. */
#define RESTORE_TRIES		8

static struct workqueue_struct *restore_wq;

/**
 * kfd_mirrors_restore_soon() - make what is on the list present again
 * @mirrors: those of a process
 *
 * When the time has passed for which queues are to stay evicted at least.
 *
 * Context: notifier_lock held.
 */
void kfd_mirrors_restore_soon(struct kfd_mirrors *mirrors)
{
	lockdep_assert_held(&mirrors->notifier_lock);
	queue_delayed_work(restore_wq, &mirrors->restore_work,
			   msecs_to_jiffies(mirrors->storm_ms));
}

/* What is left of @first .. @last when a look-up has said @ret; none: false. */
static bool mirror_left(const struct kfd_mirror *m, const struct kfd_look *look,
			const struct kfd_missing *missing, int ret, u64 *first,
			u64 *last)
{
	if (!ret)
		return false;
	if (ret == -EFAULT && missing->end) {
		*first = missing->first;
		*last = missing->end - 1;
	} else if (ret == -KFD_EABSENT) {
		if (look->absent.n)
			*first = (look->absent.run[0].start - m->addr) >>
				 PAGE_SHIFT;
		if (missing->end)
			*first = min(*first, missing->first);
	}
	return true;
}

/*
 * Make present what is missed and in memory, of the pages from @from to @to. 0: nobody
 * misses one of those any more, and an invalidation after that moment has put the
 * mirror on the list (again) if it is needed. Else as kfd_mirror_try().
 */
static int mirror_try_once(struct kfd_mirror *m, struct kfd_look *look,
			   enum kfd_mercy mercy, u64 from, u64 to)
{
	struct kfd_missing missing = {};
	u64 first, last, start, end;
	bool raced;
	int ret = 0;

	kfd_mirror_begin_look(m, &first, &last);
	start = max(first, from);
	end = min(last, to);
	if (start <= end)
		ret = kfd_mirror_look(m, look, start, end, &missing);
	mutex_lock(&m->mirrors->notifier_lock);
	/* What is in the hull by now has gone since. */
	raced = !kfd_mirror_is_present(m) && m->absent_first <= to &&
		m->absent_last >= from;
	if (first <= last && first < from)
		kfd_mirror_still_absent(m, first, min(last, from - 1));
	if (first <= last && last > to)
		kfd_mirror_still_absent(m, max(first, to + 1), last);
	if (!ret)
		ret = kfd_mirror_judge(m, &missing, mercy);
	if (start <= end && mirror_left(m, look, &missing, ret, &start, &end))
		kfd_mirror_still_absent(m, start, end);
	kfd_mirror_end_look(m);
	mutex_unlock(&m->mirrors->notifier_lock);
	return ret ? ret : raced ? -EAGAIN : 0;
}

static int mirror_try(struct kfd_mirror *m, struct kfd_look *look,
		      enum kfd_mercy mercy, u64 from, u64 to)
{
	unsigned int tries = RESTORE_TRIES;
	int ret;

	lockdep_assert_held(&m->mirrors->validate_lock);
	do
		ret = mirror_try_once(m, look, mercy, from, to);
	while (ret == -EAGAIN && --tries);
	if (!ret)
		m->lost_since = 0;
	return ret;
}

/**
 * kfd_mirror_try() - make the pages present that are missed
 * @m: a watched mirror
 * @look: of who wants it
 * @mercy: which may be missing
 *
 * When it returns 0 they all were at one moment, and an invalidation after that
 * moment has put the mirror on the list (again) if it is needed.
 *
 * Context: validate_lock held; sleeps; takes mmap_lock. A user of the address
 * space.
 *
 * Return: 0; KFD_EABSENT: see kfd_mirror_look(); EAGAIN: lost RESTORE_TRIES races;
 * EFAULT: pages are missing that may not be; ESTALE, ENOMEM; EINTR: killed.
 */
int kfd_mirror_try(struct kfd_mirror *m, struct kfd_look *look,
		   enum kfd_mercy mercy)
{
	return mirror_try(m, look, mercy, 0, m->npages - 1);
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

/*
 * EAGAIN: more is left; KFD_EABSENT: likewise, and mirrors->look tells what is to
 * be brought in for it; EFAULT, ESTALE, ENOMEM: a mirror could not be had.
 */
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
			kfd_mirrors_settle(mirrors);
		mutex_unlock(&mirrors->notifier_lock);
		if (!m)
			return 0;
		/* Behind the first that was put off are others that were. */
		if (m->put_off == mirrors->pass)
			return left;
		if (time_after(jiffies, deadline))
			return -EAGAIN;
		ret = kfd_mirror_try(m, &mirrors->look, KFD_MERCY_NONE);
		if (ret == -EFAULT || ret == -ESTALE)
			ret = kfd_mirror_do_without(m, &mirrors->look, ret);
		/* The others are not needed without it. */
		if (ret == -KFD_EABSENT)
			return ret;
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

static struct kfd_fetcher *mirrors_fetcher(struct kfd_mirrors *mirrors)
{
	struct kfd_fetcher *f;

	mutex_lock(&mirrors->validate_lock);
	f = mirrors->fetcher ? kfd_fetcher_get(mirrors->fetcher) : NULL;
	mutex_unlock(&mirrors->validate_lock);
	return f;
}

/* Try again later, or when the pages have come: then true. */
static bool mirrors_restore_later(struct kfd_mirrors *mirrors, int ret)
{
	bool fetch = ret == -KFD_EABSENT;

	lockdep_assert_held(&mirrors->validate_lock);
	if (!ret) {
		mirrors->delay_ms = KFD_RESTORE_DELAY_MIN_MS;
		return false;
	}
	/* Under way already: what it has found out is for another look. */
	if (fetch && kfd_fetch_under_way(&mirrors->request))
		return false;
	if (fetch) {
		mirrors->request.look = mirrors->look;
		return true;
	}
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
	return false;
}

/**
 * kfd_mirrors_fetch() - have what a look-up has missed brought in for a work
 * @mirrors: those of the process
 * @req: which pages, and whom to tell
 *
 * Context: sleeps; nothing held.
 * Return: as kfd_fetch_later(); -ESRCH: nothing is watched any more.
 */
int kfd_mirrors_fetch(struct kfd_mirrors *mirrors,
		      struct kfd_fetch_request *req)
{
	struct kfd_fetcher *f = mirrors_fetcher(mirrors);
	int ret = -ESRCH;

	if (f) {
		ret = kfd_fetch_later(f, req);
		kfd_fetcher_put(f);
	}
	return ret;
}

/**
 * kfd_mirrors_fetch_cancel() - a work does not wait for pages any more
 * @mirrors: those of the process
 * @req: what it has asked for, if it has
 *
 * Context: sleeps; validate_lock not held.
 */
void kfd_mirrors_fetch_cancel(struct kfd_mirrors *mirrors,
			      struct kfd_fetch_request *req)
{
	struct kfd_fetcher *f = mirrors_fetcher(mirrors);

	if (f) {
		kfd_fetch_cancel(f, req);
		kfd_fetcher_put(f);
	}
}

static void mirrors_fetched(struct kfd_fetch_request *req)
{
	struct kfd_mirrors *mirrors = container_of(req, struct kfd_mirrors,
						   request);

	mod_delayed_work(restore_wq, &mirrors->restore_work,
			 req->ret ? msecs_to_jiffies(FETCH_AGAIN_MS) : 0);
}

static void mirrors_restore_work(struct work_struct *work)
{
	struct kfd_mirrors *mirrors = container_of(work, struct kfd_mirrors,
						   restore_work.work);
	struct mm_struct *mm;
	bool fetch;
	int ret;

	mutex_lock(&mirrors->validate_lock);
	mm = mirrors->mm;
	/* No user left: there is nothing to come back to. */
	if (!mmget_not_zero(mm)) {
		mutex_unlock(&mirrors->validate_lock);
		return;
	}
	/* What could not be had then may be there the next time: it counts once. */
	if (!kfd_fetch_under_way(&mirrors->request)) {
		mirrors->look = mirrors->request.look;
		memset(&mirrors->request.look, 0, sizeof(mirrors->request.look));
	}
	ret = mirrors_restore_pass(mirrors);
	fetch = mirrors_restore_later(mirrors, ret);
	mutex_unlock(&mirrors->validate_lock);
	/* Its end must not come under a lock, nor in a work of ours. */
	mmput_async(mm);
	if (fetch && kfd_mirrors_fetch(mirrors, &mirrors->request) == -ENOMEM)
		queue_delayed_work(restore_wq, &mirrors->restore_work,
				   msecs_to_jiffies(FETCH_AGAIN_MS));
}

/**
 * kfd_mirror_validate_part() - make some pages present
 * @m: a watched mirror
 * @look: of who wants it
 * @start: CPU address of the first byte
 * @last: CPU address of the last byte; what lies outside @m does not matter
 *
 * A mirror that is needed keeps them, by way of evictions. Those among them that
 * have been given up are tried again. Others are not waited for, nor does it matter
 * whether they are to be had: if any are absent the queues wait for them.
 *
 * Context: validate_lock held; sleeps; takes mmap_lock. A user of the address
 * space.
 *
 * Return: 0; KFD_EABSENT: for kfd_look_again(); EFAULT: a page can't be had;
 * ESTALE: its owner calls it stale; ENOMEM; EINTR: killed.
 */
int kfd_mirror_validate_part(struct kfd_mirror *m, struct kfd_look *look,
			     unsigned long start, unsigned long last)
{
	struct mutex *notifier_lock = &m->mirrors->notifier_lock;
	u64 first, end;
	int ret;

	if (!kfd_mirror_clip(m, start, last, &first, &end))
		return 0;
	mutex_lock(notifier_lock);
	kfd_mirror_lack_lost(m, first, end);
	mutex_unlock(notifier_lock);
	ret = mirror_try(m, look, KFD_MERCY_NONE, first, end - 1);
	if (ret == -EAGAIN)
		ret = kfd_look_let_others(look);
	if (!ret) {
		mutex_lock(notifier_lock);
		kfd_mirror_forget_lost(m, first, end);
		kfd_mirror_break_locked(m);
		mutex_unlock(notifier_lock);
	}
	return ret;
}

/**
 * kfd_mirror_validate() - make all pages present
 * @m: as kfd_mirror_validate_part()
 * @look: likewise
 *
 * Context: as kfd_mirror_validate_part().
 * Return: as kfd_mirror_validate_part().
 */
int kfd_mirror_validate(struct kfd_mirror *m, struct kfd_look *look)
{
	return kfd_mirror_validate_part(m, look, m->addr,
					m->addr + (m->npages << PAGE_SHIFT) - 1);
}

/**
 * kfd_mirror_fill() - make some pages present once
 * @m: a watched mirror
 * @look: of who wants it
 * @first: first page
 * @npages: their number, within the mirror
 * @wanted: the one among them that is wanted; the others are good to have
 *
 * What is absent is not remembered to be present: for mirrors that nobody
 * needs, whose GPUs ask for pages as they miss them.
 *
 * Context: as kfd_mirror_validate().
 *
 * Return: 0; KFD_EABSENT: for kfd_look_again(); EAGAIN: lost too many races with
 * invalidations; EFAULT: @wanted can't be had; ESTALE, ENOMEM; EINTR: killed.
 */
int kfd_mirror_fill(struct kfd_mirror *m, struct kfd_look *look, u64 first,
		    u64 npages, u64 wanted)
{
	struct kfd_missing missing = {};
	int ret;

	ret = kfd_mirror_look(m, look, first, first + npages - 1, &missing);
	if (ret || wanted < missing.first || wanted >= missing.end)
		return ret;
	/* Is it that one? */
	missing = (struct kfd_missing) {};
	ret = kfd_mirror_look(m, look, wanted, wanted, &missing);
	return ret ? ret : missing.end ? -EFAULT : 0;
}

/**
 * kfd_mirrors_prepare() - what the first mirror that is watched needs
 * @mirrors: those of the process
 *
 * Context: validate_lock held; sleeps.
 * Return: 0 or -ENOMEM.
 */
int kfd_mirrors_prepare(struct kfd_mirrors *mirrors)
{
	lockdep_assert_held(&mirrors->validate_lock);
	if (!mirrors->chunk)
		mirrors->chunk = kmalloc(sizeof(*mirrors->chunk),
					 GFP_KERNEL_ACCOUNT);
	if (!mirrors->fetcher)
		mirrors->fetcher = kfd_fetcher_create(mirrors->process,
						      mirrors->mm);
	return mirrors->chunk && mirrors->fetcher ? 0 : -ENOMEM;
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
	mirrors->in_system = RB_ROOT_CACHED;
	INIT_DELAYED_WORK(&mirrors->restore_work, mirrors_restore_work);
	kfd_fetch_request_init(&mirrors->request, mirrors_fetched, NULL);
	mirrors->delay_ms = KFD_RESTORE_DELAY_MIN_MS;
	kfd_mirrors_calm(mirrors);
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
	struct kfd_fetcher *fetcher;
	struct mm_struct *old;

	lockdep_assert_held(&mirrors->process->lock);
	mmgrab(mm);
	mutex_lock(&mirrors->validate_lock);
	old = mirrors->mm;
	mirrors->mm = mm;
	fetcher = mirrors->fetcher;
	mirrors->fetcher = NULL;
	mutex_unlock(&mirrors->validate_lock);
	if (fetcher)
		kfd_fetcher_close(fetcher);
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
	struct kfd_fetcher *fetcher;

	mutex_lock(&mirrors->notifier_lock);
	mirrors->closing = true;
	mutex_unlock(&mirrors->notifier_lock);
	/* An munmap() may still tell it: kfd_mirrors_fini() lets go of it. */
	fetcher = mirrors_fetcher(mirrors);
	if (fetcher)
		kfd_fetcher_close(fetcher);
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
	if (mirrors->fetcher)
		kfd_fetcher_put(mirrors->fetcher);
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
