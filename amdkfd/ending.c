// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of processes that are ending (floor 2).
 *
 * DOC: waiting for teardowns
 *
 * What a process had is freed by a work after its end: who has waited for the
 * process may find the GPU's memory still taken. So whoever finds none left
 * waits for the teardowns that are under way at that time and tries once more;
 * then the answer is final. Those that begin later are not waited for, so
 * nobody waits for ever while others come and go.
 *
 * A process counts from the moment its end is known, which is in the exit of
 * its last thread, before its parent hears of it, until its memory is free.
 * The files that keep memory are closed by the teardown itself
 * (kfd_gpu_fput(), flush_delayed_fput()), not by the kernel's own work, which
 * nobody can wait for.
 *
 * The wait is killable, and ends after KFD_ENDING_PATIENCE_MS. No lock is held.
 *
 * kfd_ending_lock protects the list, the numbers and kfd_process.ending.
 */
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include <amdkfd/device.h>

#include "process.h"

#define KFD_ENDING_PATIENCE_MS	5000

static DEFINE_SPINLOCK(kfd_ending_lock);
static DECLARE_WAIT_QUEUE_HEAD(kfd_ending_wait);
/* Teardowns under way, the oldest first. */
static LIST_HEAD(kfd_endings);
static u64 kfd_endings_begun;

static unsigned long kfd_ending_waits;
module_param_named(teardown_waits, kfd_ending_waits, ulong, 0444);
MODULE_PARM_DESC(teardown_waits, "allocations that have waited for teardowns (read only)");

/**
 * kfd_ending_begin() - a process has come to its end
 * @p: the process
 *
 * Context: NOTIFIER context (amdkfd/device.h).
 */
void kfd_ending_begin(struct kfd_process *p)
{
	spin_lock(&kfd_ending_lock);
	p->ending.number = ++kfd_endings_begun;
	list_add_tail(&p->ending.node, &kfd_endings);
	spin_unlock(&kfd_ending_lock);
}

/**
 * kfd_ending_done() - all that a process had is free
 * @p: the process, after kfd_ending_begin()
 *
 * Context: any task context.
 */
void kfd_ending_done(struct kfd_process *p)
{
	spin_lock(&kfd_ending_lock);
	list_del(&p->ending.node);
	spin_unlock(&kfd_ending_lock);
	wake_up_all(&kfd_ending_wait);
}

/* Whether none that began up to number @last is under way any more. */
static bool kfd_endings_over(u64 last)
{
	struct kfd_ending *oldest;
	bool over;

	spin_lock(&kfd_ending_lock);
	oldest = list_first_entry_or_null(&kfd_endings, struct kfd_ending,
					  node);
	over = !oldest || oldest->number > last;
	spin_unlock(&kfd_ending_lock);
	return over;
}

/**
 * kfd_gpu_retry_begin() - something is going to be allocated
 * @retry: to be handed to kfd_gpu_retry()
 *
 * Context: any task context.
 */
void kfd_gpu_retry_begin(struct kfd_gpu_retry *retry)
{
	retry->over = false;
	retry->ending = !kfd_endings_over(U64_MAX);
}
EXPORT_SYMBOL_GPL(kfd_gpu_retry_begin);

/**
 * kfd_gpu_retry() - whether to try an allocation once more
 * @retry: from kfd_gpu_retry_begin()
 * @ret: what came of it; -EINTR when the caller is killed meanwhile
 *
 * When it failed for want of memory (ENOMEM), or of something else that there
 * is a number of (ENOSPC), and processes were ending then, waits for them.
 *
 * Context: sleeps, killably, 5 s at most; no lock held.
 * Return: true: try again, it is worth it; false: @ret is the answer.
 */
bool kfd_gpu_retry(struct kfd_gpu_retry *retry, int *ret)
{
	long left = msecs_to_jiffies(KFD_ENDING_PATIENCE_MS);
	u64 last;

	if ((*ret != -ENOMEM && *ret != -ENOSPC) || retry->over)
		return false;
	spin_lock(&kfd_ending_lock);
	last = kfd_endings_begun;
	/* One that was over in time for nothing but the first try counts. */
	retry->ending |= !list_empty(&kfd_endings);
	if (retry->ending)
		kfd_ending_waits++;
	spin_unlock(&kfd_ending_lock);
	if (!retry->ending)
		return false;
	retry->over = true;
	left = wait_event_killable_timeout(kfd_ending_wait,
					   kfd_endings_over(last), left);
	if (left < 0)
		*ret = -EINTR;
	return left >= 0;
}
EXPORT_SYMBOL_GPL(kfd_gpu_retry);
