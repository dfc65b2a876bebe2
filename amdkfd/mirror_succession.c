// SPDX-License-Identifier: GPL-2.0-only
/*
 * One mirror in place of others (floor 2): when ranges are split or joined, the
 * new mirror takes over what the old ones have, and no page goes away for it.
 *
 * The new one is watched first, then takes over under notifier_lock, which
 * protects everything here; the old ones are removed last.
 */
#include <linux/mm.h>

#include "mirror.h"
#include "process.h"

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
	kfd_mirror_set_present(m);
}

/**
 * kfd_mirror_lack() - pages of a mirror are absent
 * @m: a watched mirror
 * @start: CPU address of the first byte
 * @last: CPU address of the last byte; what lies outside @m does not matter
 *
 * Context: notifier_lock held.
 */
void kfd_mirror_lack(struct kfd_mirror *m, unsigned long start,
		     unsigned long last)
{
	unsigned long end = m->addr + (m->npages << PAGE_SHIFT) - 1;

	lockdep_assert_held(&m->mirrors->notifier_lock);
	if (last < m->addr || start > end)
		return;
	start = max(start, m->addr);
	last = min(last, end);
	kfd_mirror_add_absent(m, (start - m->addr) >> PAGE_SHIFT,
			      (last - m->addr) >> PAGE_SHIFT);
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
	lockdep_assert_held(&m->mirrors->notifier_lock);
	m->retired = true;
	m->needed = 0;
	list_del_init(&m->invalid_node);
}
