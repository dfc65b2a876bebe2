// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the process unmaps (floor 3).
 *
 * Attributes belong to a mapping and go with it. An munmap() is heard of in an
 * MMU notifier, where ranges can't change; so it leaves a hole, and whoever
 * takes svm->lock next strikes the holes out of the ranges before anything
 * else, a work at the latest. A new mapping at the same place, whose owner
 * speaks of it after that, is not touched; nor is one that nobody speaks of,
 * as the pages of a hole are not looked up (kfd_svm_in_hole()).
 *
 * A hole takes memory, which a notifier can't wait for. Without any, the
 * addresses go into a hull, in which later just what has no mapping is struck
 * out. By then something else may be mapped there and have been looked up:
 * whatever a range loses it takes off the GPUs itself (change.c).
 *
 * notifier_lock protects the holes, svm->lock the ranges; only who holds it takes
 * holes out.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "svm.h"

/*
 * How long holes are left to those who take svm->lock anyway: not in the way of
 * who has just unmapped, and many at a time.
 */
#define SVM_STRIKE_DELAY_MS	10
/* How long the work waits when a hole can't be struck out for want of memory. */
#define SVM_STRIKE_AGAIN_MS	20

static void svm_schedule_strike(struct kfd_svm *svm, unsigned int ms)
{
	lockdep_assert_held(&svm->process->mirrors.notifier_lock);
	if (!svm->closing)
		queue_delayed_work(kfd_svm_wq, &svm->strike_work,
				   msecs_to_jiffies(ms));
}

/**
 * kfd_svm_add_hole() - addresses of a range have been unmapped
 * @svm: shared virtual memory of a process
 * @start: first byte, page-aligned
 * @last: last byte of a page
 *
 * Context: NOTIFIER; notifier_lock held.
 */
void kfd_svm_add_hole(struct kfd_svm *svm, u64 start, u64 last)
{
	struct kfd_svm_hole *hole;

	lockdep_assert_held(&svm->process->mirrors.notifier_lock);
	if (svm->closing)
		return;
	hole = kmalloc(sizeof(*hole), GFP_NOWAIT | __GFP_NOWARN |
		       __GFP_ACCOUNT);
	if (hole) {
		hole->node.start = start;
		hole->node.last = last;
		interval_tree_insert(&hole->node, &svm->holes);
		svm->num_holes++;
	} else {
		svm->lost_start = svm->lost_last ?
				  min(svm->lost_start, start) : start;
		svm->lost_last = max(svm->lost_last, last);
	}
	svm_schedule_strike(svm, SVM_STRIKE_DELAY_MS);
}

/**
 * kfd_svm_in_hole() - whether addresses of a range have been unmapped
 * @svm: shared virtual memory of a process
 * @start: first byte, page-aligned
 * @last: last byte of a page
 *
 * What is mapped there now has no attributes, though the range still says so:
 * to look it up would fill it, or make copies of the pages of a file.
 *
 * Context: mmap_lock held: whoever maps something instead has left the hole.
 * Return: true when a part has been, and there was memory for the hole.
 */
bool kfd_svm_in_hole(struct kfd_svm *svm, u64 start, u64 last)
{
	struct mutex *notifier_lock = &svm->process->mirrors.notifier_lock;
	bool found;

	mutex_lock(notifier_lock);
	found = interval_tree_iter_first(&svm->holes, start, last);
	mutex_unlock(notifier_lock);
	return found;
}

/*
 * The first stretch of [*@start, *@last] that nothing is mapped in. 1: there is
 * one; 0: there is none; -EINTR, -KFD_EABSENT
 */
static int svm_find_unmapped(struct mm_struct *mm, u64 *start, u64 *last)
{
	u64 from = *start, to = *last;
	struct vm_area_struct *vma;
	int found = kfd_mmap_read_lock(mm);

	if (found)
		return found;
	while (from <= to && !found) {
		vma = find_vma(mm, from);
		if (!vma || vma->vm_start > from) {
			*start = from;
			*last = vma ? min_t(u64, to, vma->vm_start - 1) : to;
			found = 1;
		} else {
			from = vma->vm_end;
		}
	}
	mmap_read_unlock(mm);
	return found;
}

static int svm_strike_lost(struct kfd_svm *svm, struct mm_struct *mm, u64 first,
			   u64 end)
{
	u64 start = first, last = end;
	int ret;

	while (start <= end) {
		ret = svm_find_unmapped(mm, &start, &last);
		if (ret <= 0)
			return ret;
		kfd_svm_lose_holds(svm, start, last);
		ret = kfd_svm_remove(svm, start, last);
		if (ret)
			return ret;
		start = last + 1;
		last = end;
	}
	return 0;
}

/* The first hole and those that join on to it; false: there is none. */
static bool svm_first_hole(struct kfd_svm *svm, u64 *start, u64 *last)
{
	struct mutex *notifier_lock = &svm->process->mirrors.notifier_lock;
	struct interval_tree_node *node;

	mutex_lock(notifier_lock);
	node = interval_tree_iter_first(&svm->holes, 0, ULONG_MAX);
	if (node) {
		*start = node->start;
		*last = node->last;
	}
	while (node && node->start <= *last + 1) {
		*last = max_t(u64, *last, node->last);
		node = interval_tree_iter_next(node, 0, ULONG_MAX);
	}
	mutex_unlock(notifier_lock);
	return *start <= *last;
}

/*
 * No range has these addresses any more. What sticks out has been added meanwhile,
 * and is for the next time.
 */
static void svm_forget_holes_in(struct kfd_svm *svm, u64 start, u64 last)
{
	struct kfd_mirrors *mirrors = &svm->process->mirrors;
	struct interval_tree_node *node, *next;
	u32 n = 0;

	mutex_lock(&mirrors->notifier_lock);
	for (node = interval_tree_iter_first(&svm->holes, start, last); node;
	     node = next) {
		next = interval_tree_iter_next(node, start, last);
		if (node->start >= start && node->last <= last) {
			interval_tree_remove(node, &svm->holes);
			svm->num_holes--;
			kfree(container_of(node, struct kfd_svm_hole, node));
		}
		/* Others only add. */
		kfd_mirrors_breathe(mirrors, &n);
	}
	mutex_unlock(&mirrors->notifier_lock);
}

/*
 * As many holes as there were at some time. Each is in the tree until no range has
 * it any more: validate_lock, which taking it out holds, keeps those off who look.
 * One that is added meanwhile where there is a range no more goes with the others.
 */
static int svm_strike_holes(struct kfd_svm *svm, u32 n)
{
	u64 start, last;
	int ret;

	while (n--) {
		start = 1;
		last = 0;
		if (!svm_first_hole(svm, &start, &last))
			break;
		kfd_svm_lose_holds(svm, start, last);
		ret = kfd_svm_remove(svm, start, last);
		if (ret)
			return ret;
		svm_forget_holes_in(svm, start, last);
	}
	return 0;
}

/**
 * kfd_svm_has_holes() - whether the process has unmapped what is not struck out yet
 * @svm: shared virtual memory of a process
 *
 * Context: takes notifier_lock.
 * Return: true: it has, and kfd_svm_strike() is to be called.
 */
bool kfd_svm_has_holes(struct kfd_svm *svm)
{
	struct mutex *notifier_lock = &svm->process->mirrors.notifier_lock;
	bool has;

	mutex_lock(notifier_lock);
	has = svm->num_holes || svm->lost_last;
	mutex_unlock(notifier_lock);
	return has;
}

/**
 * kfd_svm_strike() - take what the process has unmapped out of the ranges
 * @svm: shared virtual memory of a process
 *
 * Context: svm->lock held; sleeps.
 * Return: 0, also when the address space has no user any more, whose end takes
 * all ranges; -ENOMEM, -ENOSPC, -EINTR (killed), -KFD_EABSENT (as
 * kfd_mmap_read_lock()): holes are left, and the work tries again.
 */
int kfd_svm_strike(struct kfd_svm *svm)
{
	struct mutex *notifier_lock = &svm->process->mirrors.notifier_lock;
	struct mm_struct *mm;
	u64 lost_start, lost_last;
	u32 num_holes;
	int ret = 0;

	lockdep_assert_held(&svm->lock);
	mutex_lock(notifier_lock);
	num_holes = svm->num_holes;
	lost_start = svm->lost_start;
	lost_last = svm->lost_last;
	svm->lost_last = 0;
	mutex_unlock(notifier_lock);
	if (!num_holes && !lost_last)
		return 0;

	mm = kfd_process_mm_get(svm->process);
	if (mm) {
		ret = svm_strike_holes(svm, num_holes);
		if (lost_last && !ret)
			ret = svm_strike_lost(svm, mm, lost_start, lost_last);
		/* Its end must not come under our locks. */
		mmput_async(mm);
	}

	mutex_lock(notifier_lock);
	if (ret) {
		if (lost_last) {
			svm->lost_start = svm->lost_last ?
				min(svm->lost_start, lost_start) : lost_start;
			svm->lost_last = max(svm->lost_last, lost_last);
		}
		svm_schedule_strike(svm, SVM_STRIKE_AGAIN_MS);
	}
	mutex_unlock(notifier_lock);
	return ret;
}

/**
 * kfd_svm_strike_work() - strike holes out when nobody else comes by
 * @work: kfd_svm.strike_work
 *
 * While the process is paused nothing may change: kfd_svm_unpaused() makes up
 * for it.
 *
 * Context: a worker; takes svm->lock.
 */
void kfd_svm_strike_work(struct work_struct *work)
{
	struct kfd_svm *svm = container_of(work, struct kfd_svm,
					   strike_work.work);

	mutex_lock(&svm->lock);
	if (!READ_ONCE(svm->process->pause.active))
		kfd_svm_strike(svm);
	mutex_unlock(&svm->lock);
}

/**
 * kfd_svm_forget_holes() - free what is left of holes
 * @svm: shared virtual memory of a process, closing or without ranges
 *
 * Context: svm->lock and notifier_lock held unless closing.
 */
void kfd_svm_forget_holes(struct kfd_svm *svm)
{
	struct interval_tree_node *node;

	while ((node = interval_tree_iter_first(&svm->holes, 0, ULONG_MAX))) {
		interval_tree_remove(node, &svm->holes);
		kfree(container_of(node, struct kfd_svm_hole, node));
	}
	svm->num_holes = 0;
	svm->lost_last = 0;
}
