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
 * A look-up fails as a whole, and does not tell for which page. Stretches
 * without a mapping that would do are found by their mappings and cost nothing;
 * in others a look-up that fails is made again of half as much. That is about
 * two look-ups for every page that is missing, at most.
 */
#include <linux/hmm.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>

#include "mirror.h"
#include "process.h"

/* How long memory may be away before its mirror is given up. */
#define GIVE_UP_MS	500
/* Lost races with the notifier in one place after which it does. */
#define SALVAGE_TRIES	8

/**
 * struct mirror_missing - the hull of pages that were not to be had
 * @first: first page
 * @end: the page after the last one; 0: none
 */
struct mirror_missing {
	u64 first;
	u64 end;
};

static void missing_add(struct mirror_missing *missing, u64 first, u64 n)
{
	if (!missing->end)
		missing->first = first;
	missing->end = first + n;
}

/* Whether they all were given up before. */
static bool missing_is_known(const struct mirror_missing *missing,
			     const struct kfd_mirror *m)
{
	return !missing->end || (missing->first >= m->given_first &&
				 missing->end <= m->given_end);
}

/*
 * Whether there is a mapping that may give page @first. *@n is cut to the pages
 * that this holds for. EFAULT: there is none; EINTR: killed.
 */
static int mirror_look_for_mapping(struct kfd_mirror *m, u64 first, u64 *n)
{
	const unsigned long device = VM_IO | VM_PFNMAP | VM_MIXEDMAP;
	unsigned long addr = m->addr + (first << PAGE_SHIFT), end;
	unsigned long need = VM_READ;
	struct vm_area_struct *vma;
	int ret = -EFAULT;

	if (m->access == KFD_MIRROR_WRITE)
		need |= VM_WRITE;
	if (mmap_read_lock_killable(m->mirrors->mm))
		return -EINTR;
	vma = find_vma(m->mirrors->mm, addr);
	if (vma) {
		end = vma->vm_start > addr ? vma->vm_start : vma->vm_end;
		*n = min_t(u64, *n, (end - addr) >> PAGE_SHIFT);
		if (vma->vm_start <= addr && !(vma->vm_flags & device) &&
		    (vma->vm_flags & need) == need)
			ret = 0;
	}
	mmap_read_unlock(m->mirrors->mm);
	return ret;
}

/* kfd_mirror_populate() that an invalidation elsewhere does not turn back. */
static int mirror_populate_here(struct kfd_mirror *m, u64 first, u64 *n)
{
	unsigned int tries = SALVAGE_TRIES;
	int ret;

	do
		ret = kfd_mirror_populate(m, first, n);
	while (ret == -EAGAIN && --tries);
	return ret;
}

/*
 * All that can be had of pages @first .. @last; the others are @missing. EAGAIN,
 * ESTALE, ENOMEM; EINTR: killed.
 */
static int mirror_gather(struct kfd_mirror *m, u64 first, u64 last,
			 struct mirror_missing *missing)
{
	u64 step = KFD_MIRROR_CHUNK, n;
	int ret;

	for (; first <= last; first += n) {
		cond_resched();
		if (fatal_signal_pending(current))
			return -EINTR;
		n = last - first + 1;
		ret = mirror_look_for_mapping(m, first, &n);
		if (!ret) {
			n = min(n, step);
			ret = mirror_populate_here(m, first, &n);
			step = ret ? max(n / 2, 1ULL) :
			       min_t(u64, 2 * step, KFD_MIRROR_CHUNK);
			if (ret == -EFAULT && n > 1) {
				n = 0;
				continue;
			}
		}
		if (ret == -EFAULT)
			missing_add(missing, first, n);
		else if (ret)
			return ret;
	}
	return 0;
}

/* What the mirror misses, which is to be looked up, is no longer in its hull. */
static void mirror_take_hull(struct kfd_mirror *m, u64 *first, u64 *last)
{
	mutex_lock(&m->mirrors->notifier_lock);
	*first = m->absent_first;
	*last = m->absent_last;
	kfd_mirror_set_present(m);
	mutex_unlock(&m->mirrors->notifier_lock);
}

/**
 * enum mirror_mercy - which pages may be missing
 * @MIRROR_KNOWN: those that were given up
 * @MIRROR_NOTE: the same; the others are lost from now on
 * @MIRROR_ANY: all, and they are given up
 */
enum mirror_mercy {
	MIRROR_KNOWN,
	MIRROR_NOTE,
	MIRROR_ANY,
};

/* 0, or EFAULT: some are missing that may not. */
static int mirror_judge(struct kfd_mirror *m,
			const struct mirror_missing *missing,
			enum mirror_mercy mercy)
{
	lockdep_assert_held(&m->mirrors->notifier_lock);
	if (missing_is_known(missing, m))
		return 0;
	if (mercy == MIRROR_KNOWN)
		return -EFAULT;
	kfd_mirror_add_lost(m, missing->first, missing->end);
	if (mercy != MIRROR_ANY)
		return -EFAULT;
	kfd_mirror_add_given(m, missing->first, missing->end);
	return 0;
}

/*
 * Make present what can be had. 0: nobody misses a page any more. EFAULT: pages
 * are missing that may not be. EAGAIN: lost races; ESTALE, ENOMEM; EINTR:
 * killed.
 */
static int mirror_salvage(struct kfd_mirror *m, enum mirror_mercy mercy)
{
	struct kfd_mirrors *mirrors = m->mirrors;
	struct mirror_missing missing = {};
	u64 first, last;
	int ret;

	lockdep_assert_held(&mirrors->validate_lock);
	mirror_take_hull(m, &first, &last);
	ret = mirror_gather(m, first, last, &missing);
	mutex_lock(&mirrors->notifier_lock);
	if (ret) {
		kfd_mirror_add_absent(m, first, last);
	} else {
		ret = mirror_judge(m, &missing, mercy);
		if (ret)
			kfd_mirror_add_absent(m, missing.first,
					      missing.end - 1);
	}
	if (kfd_mirror_is_present(m))
		list_del_init(&m->invalid_node);
	else if (!ret)
		ret = -EAGAIN;
	mutex_unlock(&mirrors->notifier_lock);
	return ret;
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
 * @err: what kfd_mirror_try() said
 *
 * What has been away for long enough is given up, and what was given up before
 * is not waited for.
 *
 * Context: validate_lock held; sleeps; takes mmap_lock. A user of the address
 * space.
 *
 * Return: 0: nobody waits for it any more; else @err, or what came of the
 * attempt: EAGAIN, ESTALE, ENOMEM.
 */
int kfd_mirror_do_without(struct kfd_mirror *m, int err)
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
		err = mirror_salvage(m, late ? MIRROR_ANY : MIRROR_NOTE);
	/* What is stale is not to be touched, and will go from the mirror. */
	if (err == -ESTALE && late) {
		mutex_lock(&mirrors->notifier_lock);
		list_del_init(&m->invalid_node);
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
 *
 * All of them but those that kfd_mirror_forgo() told of, which may be missing.
 *
 * Context: validate_lock held; sleeps; takes mmap_lock. A user of the address
 * space.
 *
 * Return: 0; EFAULT: another page can't be had; ESTALE: its owner calls it
 * stale; ENOMEM; EINTR: a signal came first.
 */
int kfd_mirror_bring_back(struct kfd_mirror *m)
{
	struct mutex *notifier_lock = &m->mirrors->notifier_lock;
	bool whole;
	int ret;

	/* All of it is looked at, also after an attempt that went well. */
	mutex_lock(notifier_lock);
	if (kfd_mirror_has_lost(m))
		kfd_mirror_add_absent(m, m->lost_first, m->lost_end - 1);
	mutex_unlock(notifier_lock);
	for (;;) {
		ret = kfd_mirror_try(m);
		whole = !ret;
		if (ret == -EFAULT && kfd_mirror_has_lost(m))
			ret = mirror_salvage(m, MIRROR_KNOWN);
		if (ret != -EAGAIN)
			break;
		if (signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	if (whole) {
		mutex_lock(notifier_lock);
		kfd_mirror_forget_lost(m);
		mutex_unlock(notifier_lock);
	} else if (!ret) {
		mirror_tell_gone(m, "comes back as it was, without all its memory");
	}
	return ret;
}

/* Pages of @m among these; false: none. */
static bool mirror_clip(const struct kfd_mirror *m, unsigned long start,
			unsigned long last, u64 *first, u64 *end)
{
	unsigned long m_last = m->addr + (m->npages << PAGE_SHIFT) - 1;

	if (last < m->addr || start > m_last)
		return false;
	*first = (max(start, m->addr) - m->addr) >> PAGE_SHIFT;
	*end = ((min(last, m_last) - m->addr) >> PAGE_SHIFT) + 1;
	return true;
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
	if (!mirror_clip(m, start, last, &first, &end))
		return;
	kfd_mirror_add_lost(m, first, end);
	kfd_mirror_add_given(m, first, end);
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
	u64 first, end;

	lockdep_assert_held(&m->mirrors->notifier_lock);
	if (!kfd_mirror_has_lost(old))
		return;
	if (mirror_clip(m, old->addr + (old->lost_first << PAGE_SHIFT),
			old->addr + (old->lost_end << PAGE_SHIFT) - 1,
			&first, &end))
		kfd_mirror_add_lost(m, first, end);
	if (old->given_end &&
	    mirror_clip(m, old->addr + (old->given_first << PAGE_SHIFT),
			old->addr + (old->given_end << PAGE_SHIFT) - 1,
			&first, &end))
		kfd_mirror_add_given(m, first, end);
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
