// SPDX-License-Identifier: GPL-2.0-only
/*
 * The states of a mirror (floor 2).
 *
 * DOC: states and events of memory that GPUs see
 *
 * What a mirror is in is told by kfd_mirror.state, and of its pages by hulls of
 * those that are absent and those that are lost. This file has the table of states
 * and events and the only functions that change the state and the hull of absent
 * pages. The hulls of lost pages are mirror_salvage.c's; which GPUs need a mirror is
 * its owner's to say.
 *
 * OUT		not watched. GPUs have no page by way of it, and the hull is what
 *		will be absent when it is watched. New, restored and not yet RESUMEd,
 *		without an address, or removed.
 * IDLE		watched, and no GPU's queues need it. What goes is gone until somebody
 *		asks for it: GPUs that can wait do, when they miss it.
 * WHOLE	watched, needed, and nobody waits for a page of it: all are present but
 *		those that were given up. The hull is empty.
 * SHORT	watched, needed, pages are absent, and the queues run. Whoever holds
 *		validate_lock is bringing them, or has told its caller that it could
 *		not, or they are not for the mirror to bring any more.
 * BROKEN	watched, needed, pages are absent, on the list (kfd_mirrors.invalid): the
 *		queues of the GPUs that need it are evicted until they are back or
 *		given up.
 * RETIRED	watched, but another mirror has taken over: nothing counts any more.
 *
 * Who looks pages up has taken the hull meanwhile: then it may be empty in SHORT and
 * BROKEN as well, and has what became absent since.
 *
 * Pages are taken off GPUs in one place, mirror_take(). It is the last that an event
 * does: queues that cannot wait for them have stopped by then.
 *
 * notifier_lock protects everything here.
 */
#include <linux/jiffies.h>

#include "debug/break.h"
#include "mirror.h"
#include "process.h"

/* A storm: how soon the next eviction comes, and how long we then wait. */
#define STORM_CALM_JIFFIES	(HZ / 20)
#define STORM_DELAY_MAX_MS	64

/* What an event does beside. */
#define ACT_STOP	BIT(0)	/* evict queues, see to it that it is restored */
#define ACT_TAKE	BIT(1)	/* take the pages off the GPUs */
#define ACT_NEVER	BIT(2)	/* a bug: nothing is done */

/**
 * struct mirror_step - what an event makes of a state
 * @whole: the next state when the hull is empty
 * @lacking: when it is not
 * @acts: ACT_*
 */
struct mirror_step {
	u8 whole;
	u8 lacking;
	u8 acts;
};

#define IS(state)		{ KFD_MIRROR_##state, KFD_MIRROR_##state, 0 }
#define DO(acts, state)		{ KFD_MIRROR_##state, KFD_MIRROR_##state, acts }
#define HULL(whole, lacking)	{ KFD_MIRROR_##whole, KFD_MIRROR_##lacking, 0 }
#define NEVER			{ 0, 0, ACT_NEVER }
#define LOSES			DO(ACT_STOP | ACT_TAKE, BROKEN)

static const struct mirror_step
mirror_steps[KFD_MIRROR_EVENTS][KFD_MIRROR_STATES] = {
	/*		  OUT	IDLE	WHOLE	SHORT	BROKEN	RETIRED */
	[KFD_EV_WATCH]	= { IS(IDLE), NEVER, NEVER, NEVER, NEVER, NEVER },
	[KFD_EV_REMOVE]	= { NEVER, DO(ACT_TAKE, OUT), DO(ACT_TAKE, OUT),
			    DO(ACT_TAKE, OUT), DO(ACT_TAKE, OUT), IS(OUT) },
	[KFD_EV_NEED]	= { IS(OUT), HULL(WHOLE, SHORT), IS(WHOLE), IS(SHORT),
			    IS(BROKEN), NEVER },
	[KFD_EV_UNNEED]	= { IS(OUT), IS(IDLE), IS(IDLE), IS(IDLE), IS(IDLE), NEVER },
	[KFD_EV_LOSE]	= { IS(OUT), DO(ACT_TAKE, IDLE), LOSES, LOSES, LOSES,
			    IS(RETIRED) },
	[KFD_EV_LACK]	= { IS(OUT), IS(IDLE), IS(SHORT), IS(SHORT), IS(BROKEN),
			    NEVER },
	[KFD_EV_BREAK]	= { IS(OUT), IS(IDLE), IS(WHOLE), DO(ACT_STOP, BROKEN),
			    DO(ACT_STOP, BROKEN), NEVER },
	[KFD_EV_LOOKED]	= { NEVER, IS(IDLE), HULL(WHOLE, SHORT),
			    HULL(WHOLE, SHORT), HULL(WHOLE, BROKEN), NEVER },
	[KFD_EV_ABANDON]	= { NEVER, IS(IDLE), IS(WHOLE), IS(SHORT), IS(SHORT),
			    NEVER },
	[KFD_EV_RETIRE]	= { NEVER, IS(RETIRED), IS(RETIRED), IS(RETIRED),
			    IS(RETIRED), NEVER },
};

/* --- the hull of absent pages ---------------------------------------------- */

static void mirror_empty_hull(struct kfd_mirror *m)
{
	m->absent_first = 1;
	m->absent_last = 0;
}

static void mirror_add_absent(struct kfd_mirror *m, u64 first, u64 last)
{
	if (kfd_mirror_is_present(m)) {
		m->absent_first = first;
		m->absent_last = last;
	} else {
		m->absent_first = min(m->absent_first, first);
		m->absent_last = max(m->absent_last, last);
	}
}

/* --- what events do -------------------------------------------------------- */

/* How long the queues that are now being evicted stay so, milliseconds. */
static unsigned int mirrors_restore_delay(const struct kfd_mirrors *mirrors)
{
	if (time_after(jiffies, mirrors->restored_at + STORM_CALM_JIFFIES))
		return KFD_RESTORE_DELAY_MIN_MS;
	return min_t(unsigned int, mirrors->storm_ms * 2,
		     STORM_DELAY_MAX_MS);
}

/* A needed mirror is losing pages: stop the queues, see to it later. */
static void mirror_stop(struct kfd_mirror *m)
{
	struct kfd_mirrors *mirrors = m->mirrors;
	u32 evict = m->needed & ~mirrors->evicted;

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
	kfd_mirrors_restore_soon(mirrors);
}

/* The only place where pages are taken off GPUs. */
static void mirror_take(struct kfd_mirror *m, u64 first, u64 last, u32 gpus,
			enum kfd_mirror_why why)
{
	m->ops->take(m, first, last - first + 1, gpus, why);
}

/* Whether it is for its sake that pages have to be in system memory. */
static bool mirror_in_system(const struct kfd_mirror *m)
{
	return !m->ops->owner &&
	       (m->state == KFD_MIRROR_WHOLE || m->state == KFD_MIRROR_SHORT ||
		m->state == KFD_MIRROR_BROKEN);
}

static void mirror_set_in_system(struct kfd_mirror *m, bool was)
{
	struct rb_root_cached *tree = &m->mirrors->in_system;
	bool is = mirror_in_system(m);

	if (was && !is)
		interval_tree_remove(&m->system_node, tree);
	if (was || !is)
		return;
	m->system_node.start = m->addr >> PAGE_SHIFT;
	m->system_node.last = m->system_node.start + m->npages - 1;
	interval_tree_insert(&m->system_node, tree);
}

static void mirror_enter(struct kfd_mirror *m, enum kfd_mirror_state state)
{
	bool in_system = mirror_in_system(m);

	if (m->state == state)
		return;
	if (m->state == KFD_MIRROR_BROKEN)
		list_del_init(&m->invalid_node);
	m->state = state;
	mirror_set_in_system(m, in_system);
	if (state != KFD_MIRROR_BROKEN)
		return;
	list_add_tail(&m->invalid_node, &m->mirrors->invalid);
	/* What has been given up is tried again with the rest. */
	if (kfd_mirror_has_lost(m))
		mirror_add_absent(m, m->lost_first, m->lost_end - 1);
}

/**
 * kfd_mirror_step() - something happens to a mirror
 * @m: the mirror
 * @event: what; the functions below say it for others
 * @first: the first page that it happens to
 * @last: the last one
 * @why: for the owner, if pages are taken
 *
 * Context: notifier_lock held; NOTIFIER context.
 * Return: false: it can't happen in this state, and nothing has been done.
 */
bool kfd_mirror_step(struct kfd_mirror *m, enum kfd_mirror_event event,
		     u64 first, u64 last, enum kfd_mirror_why why)
{
	const struct mirror_step *step = &mirror_steps[event][m->state];
	u8 next = kfd_mirror_is_present(m) ? step->whole : step->lacking;
	u8 acts = step->acts;

	lockdep_assert_held(&m->mirrors->notifier_lock);
	if (acts & ACT_NEVER)
		return false;
	/* The queues are gone, and nothing is restored any more. */
	if (next == KFD_MIRROR_BROKEN && m->mirrors->closing) {
		next = KFD_MIRROR_SHORT;
		acts &= ~ACT_STOP;
	}
	mirror_enter(m, next);
	if (acts & ACT_STOP)
		mirror_stop(m);
	if (event == KFD_EV_LOSE || event == KFD_EV_LACK ||
	    event == KFD_EV_REMOVE)
		mirror_add_absent(m, first, last);
	if (acts & ACT_TAKE && !(KFD_BROKEN(unmap_leaves_pages) &&
				 why == KFD_MIRROR_UNMAPPED))
		mirror_take(m, first, last, ~0u, why);
	return true;
}

static void mirror_step(struct kfd_mirror *m, enum kfd_mirror_event event,
			u64 first, u64 last, enum kfd_mirror_why why)
{
	WARN_ONCE(!kfd_mirror_step(m, event, first, last, why),
		  "amdkfd: event %u of a mirror in state %u\n", event, m->state);
}

static void mirror_event(struct kfd_mirror *m, enum kfd_mirror_event event)
{
	mirror_step(m, event, 0, m->npages - 1, KFD_MIRROR_CHANGED);
}

/* --- events ---------------------------------------------------------------- */

static enum kfd_mirror_why mirror_why(const struct mmu_notifier_range *range)
{
	switch (range->event) {
	case MMU_NOTIFY_UNMAP:
		return KFD_MIRROR_UNMAPPED;
	case MMU_NOTIFY_MIGRATE:
		return KFD_MIRROR_MIGRATED;
	default:
		return KFD_MIRROR_CHANGED;
	}
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
	if (m->ops->stale && range->event == MMU_NOTIFY_UNMAP)
		kfd_fetcher_tell_unmap(m->mirrors->fetcher);
	if (!(KFD_BROKEN(fork_unseen) &&
	      range->event == MMU_NOTIFY_PROTECTION_PAGE))
		mirror_step(m, KFD_EV_LOSE, first, last, mirror_why(range));
	mutex_unlock(&m->mirrors->notifier_lock);
	return true;
}

static const struct mmu_interval_notifier_ops mirror_notifier_ops = {
	.invalidate = mirror_invalidate,
};

/**
 * kfd_mirror_init() - a mirror of nothing yet: all pages are absent
 * @m: the mirror, zeroed
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
	m->state = KFD_MIRROR_OUT;
	mirror_add_absent(m, 0, npages - 1);
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
	ret = kfd_mirrors_prepare(mirrors);
	if (ret)
		return ret;
	/* What is heard from here on is noted in the hull. */
	ret = mmu_interval_notifier_insert(&m->notifier, mirrors->mm, m->addr,
					   m->npages << PAGE_SHIFT,
					   &mirror_notifier_ops);
	if (ret)
		return ret == -ENOMEM || ret == -EINTR ? ret : -EFAULT;
	mutex_lock(&mirrors->notifier_lock);
	mirror_event(m, KFD_EV_WATCH);
	if (m->needed)
		mirror_event(m, KFD_EV_NEED);
	mutex_unlock(&mirrors->notifier_lock);
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
	if (!kfd_mirror_is_watched(m))
		return;
	lockdep_assert_held(&mirrors->validate_lock);
	mutex_lock(&mirrors->notifier_lock);
	mirror_event(m, KFD_EV_REMOVE);
	kfd_mirrors_settle(mirrors);
	mutex_unlock(&mirrors->notifier_lock);
	mmu_interval_notifier_remove(&m->notifier);
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
	lockdep_assert_held(&m->mirrors->notifier_lock);
	m->needed = gpus;
	mirror_event(m, gpus ? KFD_EV_NEED : KFD_EV_UNNEED);
	kfd_mirrors_settle(m->mirrors);
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
	mirror_event(m, KFD_EV_BREAK);
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
	mirror_step(m, KFD_EV_LOSE, (start - m->addr) >> PAGE_SHIFT,
		    (last - m->addr) >> PAGE_SHIFT, KFD_MIRROR_CHANGED);
}

/**
 * kfd_mirror_deny_locked() - some GPUs have pages no more, others keep them
 * @m: a mirror, or what has been one: its owner may have pages by other means
 * @start: CPU address of the first, inside @m
 * @last: CPU address of the last byte, inside @m
 * @gpus: the GPUs, by index; they do not need it
 * @why: what is told of it
 *
 * Context: notifier_lock held; NOTIFIER context.
 */
void kfd_mirror_deny_locked(struct kfd_mirror *m, unsigned long start,
			    unsigned long last, u32 gpus,
			    enum kfd_mirror_why why)
{
	lockdep_assert_held(&m->mirrors->notifier_lock);
	mirror_take(m, (start - m->addr) >> PAGE_SHIFT,
		    (last - m->addr) >> PAGE_SHIFT, gpus, why);
}

/**
 * kfd_mirror_lack() - pages of a mirror are absent
 * @m: a mirror, not retired
 * @start: CPU address of the first byte
 * @last: CPU address of the last byte; what lies outside @m does not matter
 *
 * Context: notifier_lock held.
 */
void kfd_mirror_lack(struct kfd_mirror *m, unsigned long start,
		     unsigned long last)
{
	u64 first, end;

	lockdep_assert_held(&m->mirrors->notifier_lock);
	if (kfd_mirror_clip(m, start, last, &first, &end))
		mirror_step(m, KFD_EV_LACK, first, end - 1, KFD_MIRROR_CHANGED);
}

/**
 * kfd_mirror_lack_lost() - what has been lost is to be looked for again
 * @m: a mirror, not retired
 * @first: the first page that it is to be done for
 * @end: the page after the last one
 *
 * Context: notifier_lock held.
 */
void kfd_mirror_lack_lost(struct kfd_mirror *m, u64 first, u64 end)
{
	lockdep_assert_held(&m->mirrors->notifier_lock);
	first = max(first, m->lost_first);
	end = min(end, m->lost_end);
	if (first < end)
		mirror_step(m, KFD_EV_LACK, first, end - 1, KFD_MIRROR_CHANGED);
}

/**
 * kfd_mirror_abandon() - what is absent will not be brought
 * @m: a watched mirror
 *
 * Context: notifier_lock held; the caller sees to it that queues go on.
 */
void kfd_mirror_abandon(struct kfd_mirror *m)
{
	mirror_event(m, KFD_EV_ABANDON);
}

/**
 * kfd_mirror_assume_present() - a mirror that is to take over from others
 * @m: a mirror that is not watched yet
 *
 * Its hull is empty from here on. What its predecessors lack is added by
 * kfd_mirror_inherit(), what they do not cover by kfd_mirror_lack().
 *
 * Context: any.
 */
void kfd_mirror_assume_present(struct kfd_mirror *m)
{
	WARN_ON_ONCE(m->state != KFD_MIRROR_OUT);
	mirror_empty_hull(m);
}

/**
 * kfd_mirror_inherit() - a mirror takes over what another has of its range
 * @m: a watched mirror
 * @old: a mirror of the same owner that overlaps it
 *
 * The pages stay where they are: @old is retired next.
 *
 * Context: notifier_lock held.
 */
void kfd_mirror_inherit(struct kfd_mirror *m, const struct kfd_mirror *old)
{
	lockdep_assert_held(&m->mirrors->notifier_lock);
	kfd_mirror_inherit_lost(m, old);
	if (kfd_mirror_is_present(old))
		return;
	kfd_mirror_lack(m, old->addr + (old->absent_first << PAGE_SHIFT),
			old->addr + (old->absent_last << PAGE_SHIFT) +
			PAGE_SIZE - 1);
}

/**
 * kfd_mirror_retire() - another mirror has taken over
 * @m: the mirror; kfd_mirror_remove() follows
 *
 * Context: notifier_lock held.
 */
void kfd_mirror_retire(struct kfd_mirror *m)
{
	m->needed = 0;
	mirror_event(m, KFD_EV_RETIRE);
}

/**
 * kfd_mirror_begin_look() - what is absent is looked at now
 * @m: a watched mirror
 * @first: the first page that is absent
 * @last: the last one; below @first: none is
 *
 * They are no longer in the hull, which gathers what becomes absent from here on.
 * kfd_mirror_still_absent() and kfd_mirror_end_look() follow.
 *
 * Context: validate_lock held; takes notifier_lock.
 */
void kfd_mirror_begin_look(struct kfd_mirror *m, u64 *first, u64 *last)
{
	lockdep_assert_held(&m->mirrors->validate_lock);
	mutex_lock(&m->mirrors->notifier_lock);
	*first = m->absent_first;
	*last = m->absent_last;
	mirror_empty_hull(m);
	mutex_unlock(&m->mirrors->notifier_lock);
}

/**
 * kfd_mirror_still_absent() - a look has not found some pages, or not looked
 * @m: a watched mirror
 * @first: the first one
 * @last: the last one
 *
 * Context: notifier_lock held; between kfd_mirror_begin_look() and _end_look().
 */
void kfd_mirror_still_absent(struct kfd_mirror *m, u64 first, u64 last)
{
	lockdep_assert_held(&m->mirrors->notifier_lock);
	mirror_add_absent(m, first, last);
}

/**
 * kfd_mirror_end_look() - a look is over
 * @m: a watched mirror
 *
 * Context: notifier_lock held since it was found out what is still absent.
 */
void kfd_mirror_end_look(struct kfd_mirror *m)
{
	mirror_event(m, KFD_EV_LOOKED);
}

/**
 * kfd_mirrors_keep_in_system() - whether pages must not move to VRAM
 * @mirrors: those of a process
 * @start: CPU address of the first byte
 * @last: CPU address of the last byte
 *
 * Queues need them in system memory: as soon as they were in VRAM the queues would
 * stop until they are back, and a queue that has missed them for something else would
 * have them moved again, for ever.
 *
 * Context: takes notifier_lock. With validate_lock held the answer stays true of
 * those that are needed; none becomes so.
 * Return: true: some of them.
 */
bool kfd_mirrors_keep_in_system(struct kfd_mirrors *mirrors,
				unsigned long start, unsigned long last)
{
	bool keep;

	mutex_lock(&mirrors->notifier_lock);
	keep = interval_tree_iter_first(&mirrors->in_system,
					start >> PAGE_SHIFT, last >> PAGE_SHIFT);
	mutex_unlock(&mirrors->notifier_lock);
	return keep;
}

/**
 * kfd_mirrors_settle() - give the evictions back when nothing asks for them
 * @mirrors: those of a process
 *
 * Context: notifier_lock held.
 */
void kfd_mirrors_settle(struct kfd_mirrors *mirrors)
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

/**
 * kfd_mirrors_calm() - no storm of invalidations is on
 * @mirrors: those of a new process
 *
 * Context: any.
 */
void kfd_mirrors_calm(struct kfd_mirrors *mirrors)
{
	mirrors->storm_ms = KFD_RESTORE_DELAY_MIN_MS;
	mirrors->restored_at = jiffies - STORM_CALM_JIFFIES - 1;
}
