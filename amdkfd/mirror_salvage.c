// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that can't be had any more (floor 2).
 *
 * DOC: what becomes of pages that are gone
 *
 * A program may take memory away that GPUs need and never touch it again: unmap
 * registered memory, protect a page of a range, truncate the file behind it. It
 * is right as long as nobody reaches for what it took away. So the queues wait
 * for half a second, in case something else is mapped in place, and go on then:
 * whatever can be had is present, page by page, and what can't be had has been
 * *given up*. It is not in the hull of absent pages any more: nobody waits for
 * it, and an access is a VM fault.
 *
 * Pages that a look-up found to be missing are *lost*, and have a hull of their
 * own. They stay in it when something is there later. For that may be nothing
 * of the program's: who dumps it has a piece of code in its address space for a
 * while, where the kernel finds room, and that is where something was unmapped.
 * Only validate(), which the program asks for by MAP or SET_ATTR, ends it.
 *
 * An invalidation that puts the mirror on the list again is an occasion to try
 * lost pages again, and so is validate(). If they were given up and no others
 * are missing, nobody waits half a second for them again. Memory that is mapped
 * where there was none (no invalidation tells of it) stays out of the GPU's
 * reach until then.
 *
 * An image says which pages were absent or lost, and they may be missing in the
 * process that comes of it: kfd_mirror_forgo() before it is RESUMEd,
 * kfd_mirror_bring_back() then. Any other page has to be there.
 *
 * A look-up (mirror_look.c) gives what can be had and tells the hull of what can't.
 */
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>

#include "mirror.h"
#include "process.h"

/* How long memory may be away before its mirror is given up. */
#define GIVE_UP_MS	500

/* Whether they all were given up before. */
static bool missing_is_known(const struct kfd_missing *missing,
			     const struct kfd_mirror *m)
{
	return missing->first >= m->given_first && missing->end <= m->given_end;
}

/**
 * kfd_mirror_judge() - what becomes of pages that can't be had
 * @m: the mirror
 * @missing: the pages
 * @mercy: which may be missing
 *
 * Context: notifier_lock held.
 *
 * Return: 0: nobody waits for them, or there are none; EFAULT: some are missing
 * that may not.
 */
int kfd_mirror_judge(struct kfd_mirror *m, const struct kfd_missing *missing,
		     enum kfd_mercy mercy)
{
	lockdep_assert_held(&m->mirrors->notifier_lock);
	if (!missing->end)
		return 0;
	if (mercy == KFD_MERCY_NONE)
		return -EFAULT;
	if (missing_is_known(missing, m))
		return 0;
	if (mercy == KFD_MERCY_KNOWN)
		return -EFAULT;
	kfd_mirror_add_lost(m, missing->first, missing->end);
	if (mercy != KFD_MERCY_ANY)
		return -EFAULT;
	kfd_mirror_add_given(m, missing->first, missing->end);
	return 0;
}

static void mirror_tell_gone(const struct kfd_mirror *m, const char *how)
{
	pr_warn_ratelimited("amdkfd: pasid %u: %s at 0x%lx %s; GPU accesses will fault\n",
			    m->mirrors->process->pasid, m->ops->name, m->addr,
			    how);
}

/**
 * kfd_mirror_do_without() - a mirror on the list could not be made present
 * @m: the mirror
 * @look: of who wants it
 * @err: what kfd_mirror_try() said
 *
 * What has been away for long enough is given up, and what was given up before
 * is not waited for.
 *
 * Context: validate_lock held; sleeps; takes mmap_lock. A user of the address
 * space.
 *
 * Return: 0: nobody waits for it any more; else @err, or what came of the
 * attempt: KFD_EABSENT, EAGAIN, ESTALE, ENOMEM.
 */
int kfd_mirror_do_without(struct kfd_mirror *m, struct kfd_look *look, int err)
{
	struct kfd_mirrors *mirrors = m->mirrors;
	bool late;

	lockdep_assert_held(&mirrors->validate_lock);
	if (err != -EFAULT && err != -ESTALE)
		return err;
	if (!m->lost_since)
		m->lost_since = jiffies ?: 1;
	late = time_after_eq(jiffies, m->lost_since +
			     msecs_to_jiffies(GIVE_UP_MS));
	if (err == -EFAULT)
		err = kfd_mirror_try(m, look,
				     late ? KFD_MERCY_ANY : KFD_MERCY_NOTE);
	/* What is stale is not to be touched, and will go from the mirror. */
	if (err == -ESTALE && late) {
		mutex_lock(&mirrors->notifier_lock);
		kfd_mirror_abandon(m);
		mutex_unlock(&mirrors->notifier_lock);
		err = 0;
	}
	if (err)
		return err;
	m->lost_since = 0;
	if (late)
		mirror_tell_gone(m, "has lost its memory");
	return 0;
}

/**
 * kfd_mirror_bring_back() - make the pages of a restored mirror present
 * @m: a watched mirror
 * @look: of who wants it
 *
 * All of them but those that kfd_mirror_forgo() told of, which may be missing. What
 * is missing is looked for once for each RESUME: one that waits for pages of
 * another mirror comes by here again, and would have forgotten the answer.
 *
 * Context: validate_lock held; sleeps; takes mmap_lock. A user of the address
 * space.
 *
 * Return: 0; KFD_EABSENT: for kfd_look_again(); EFAULT: another page can't be had;
 * ESTALE: its owner calls it stale; ENOMEM; EINTR: killed.
 */
int kfd_mirror_bring_back(struct kfd_mirror *m, struct kfd_look *look)
{
	struct mutex *notifier_lock = &m->mirrors->notifier_lock;
	bool whole, done;
	int ret;

	/* All of it is looked at, also after a RESUME that went well here. */
	mutex_lock(notifier_lock);
	done = look->pass && m->brought == look->pass &&
	       kfd_mirror_is_present(m);
	if (!done)
		kfd_mirror_lack_lost(m, 0, m->npages);
	mutex_unlock(notifier_lock);
	if (done)
		return 0;
	ret = kfd_mirror_try(m, look, KFD_MERCY_NONE);
	whole = !ret;
	if (ret == -EFAULT && kfd_mirror_has_lost(m))
		ret = kfd_mirror_try(m, look, KFD_MERCY_KNOWN);
	if (ret == -EAGAIN)
		return kfd_look_let_others(look);
	if (!ret)
		m->brought = look->pass;
	if (whole) {
		mutex_lock(notifier_lock);
		kfd_mirror_forget_lost(m, 0, m->npages);
		mutex_unlock(notifier_lock);
	} else if (!ret) {
		mirror_tell_gone(m, "comes back as it was, without all its memory");
	}
	return ret;
}

/**
 * kfd_mirror_forgo() - pages of a mirror have been given up
 * @m: the mirror; nobody has missed the pages yet
 * @start: CPU address of the first byte
 * @last: CPU address of the last byte; what lies outside @m does not matter
 *
 * Context: notifier_lock held.
 */
void kfd_mirror_forgo(struct kfd_mirror *m, unsigned long start,
		      unsigned long last)
{
	u64 first, end;

	lockdep_assert_held(&m->mirrors->notifier_lock);
	if (!kfd_mirror_clip(m, start, last, &first, &end))
		return;
	kfd_mirror_add_lost(m, first, end);
	kfd_mirror_add_given(m, first, end);
}

/* Pages @first .. @end - 1 of @old, if any, as pages of @m. */
static bool mirror_translate(const struct kfd_mirror *m,
			     const struct kfd_mirror *old, u64 *first, u64 *end)
{
	return *end && kfd_mirror_clip(m, old->addr + (*first << PAGE_SHIFT),
				       old->addr + (*end << PAGE_SHIFT) - 1,
				       first, end);
}

/**
 * kfd_mirror_inherit_lost() - a mirror takes over what another has lost
 * @m: the mirror
 * @old: a mirror of the same owner that overlaps it
 *
 * Context: notifier_lock held.
 */
void kfd_mirror_inherit_lost(struct kfd_mirror *m, const struct kfd_mirror *old)
{
	u64 first = old->lost_first, end = old->lost_end;

	lockdep_assert_held(&m->mirrors->notifier_lock);
	if (mirror_translate(m, old, &first, &end))
		kfd_mirror_add_lost(m, first, end);
	first = old->given_first;
	end = old->given_end;
	if (mirror_translate(m, old, &first, &end))
		kfd_mirror_add_given(m, first, end);
}

/* A hull without what it has of @first .. @end - 1, as far as it is one then. */
static void hull_without(u64 *hull_first, u64 *hull_end, u64 first, u64 end)
{
	if (first <= *hull_first && end > *hull_first)
		*hull_first = min(end, *hull_end);
	else if (first < *hull_end && end >= *hull_end)
		*hull_end = first;
	if (*hull_first >= *hull_end) {
		*hull_first = 0;
		*hull_end = 0;
	}
}

/**
 * kfd_mirror_forget_lost() - pages are there
 * @m: the mirror
 * @first: the first one
 * @end: the page after the last one
 *
 * Those in the middle of what is lost stay in the hull.
 *
 * Context: notifier_lock held.
 */
void kfd_mirror_forget_lost(struct kfd_mirror *m, u64 first, u64 end)
{
	lockdep_assert_held(&m->mirrors->notifier_lock);
	hull_without(&m->lost_first, &m->lost_end, first, end);
	hull_without(&m->given_first, &m->given_end, first, end);
}

/**
 * kfd_mirror_keep_lost() - the memory has another address, and is as it was
 * @m: a mirror that is not watched, with as many pages as @was
 * @was: what it was like
 *
 * Context: nobody knows @m yet.
 */
void kfd_mirror_keep_lost(struct kfd_mirror *m, const struct kfd_mirror *was)
{
	m->lost_first = was->lost_first;
	m->lost_end = was->lost_end;
	m->given_first = was->given_first;
	m->given_end = was->given_end;
}

/**
 * kfd_mirror_lost_locked() - which pages GPUs lack
 * @m: a watched mirror that is needed
 * @first: the first one that they may lack
 * @npages: from there to the last one; 0: none
 *
 * Those that are absent and those that are lost. While somebody makes pages
 * present (validate_lock) it may be too few.
 *
 * Context: notifier_lock held.
 *
 * Return: whether there are any.
 */
bool kfd_mirror_lost_locked(const struct kfd_mirror *m, u64 *first,
			    u64 *npages)
{
	u64 start = U64_MAX, end = 0;

	lockdep_assert_held(&m->mirrors->notifier_lock);
	if (!kfd_mirror_is_present(m)) {
		start = m->absent_first;
		end = m->absent_last + 1;
	}
	if (kfd_mirror_has_lost(m)) {
		start = min(start, m->lost_first);
		end = max(end, m->lost_end);
	}
	*first = end ? start : 0;
	*npages = end ? end - start : 0;
	return end;
}

/**
 * kfd_mirror_lost() - which pages GPUs lack, for an image
 * @m: as kfd_mirror_lost_locked()
 * @first: likewise
 * @npages: likewise
 *
 * Nothing is waited for but an attempt to make pages present that is under way.
 *
 * Context: sleeps; takes validate_lock.
 *
 * Return: 0; EINTR: killed.
 */
int kfd_mirror_lost(struct kfd_mirror *m, u64 *first, u64 *npages)
{
	struct kfd_mirrors *mirrors = m->mirrors;

	if (mutex_lock_killable(&mirrors->validate_lock))
		return -EINTR;
	mutex_lock(&mirrors->notifier_lock);
	kfd_mirror_lost_locked(m, first, npages);
	mutex_unlock(&mirrors->notifier_lock);
	mutex_unlock(&mirrors->validate_lock);
	return 0;
}
