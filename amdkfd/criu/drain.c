// SPDX-License-Identifier: GPL-2.0-only
/*
 * Letting the queues come to their ends before a pause (floor 4).
 *
 * PROCESS_INFO may be asked to wait until every queue of the process has done
 * all that was written to its ring. It is looked again and again, with
 * process->lock held for a look and not in between: the process and its queues
 * go on, and work that comes meanwhile is waited for too. When the time is over,
 * who is not done is preempted in the middle of it, as ever, or, where only
 * drained queues are wanted, the op fails and nothing has happened.
 *
 * A queue that is disabled or that stopped at an error has nothing under way.
 * One that is off the hardware for another reason, such as absent userptr
 * pages, is waited for.
 *
 * struct kfd_drain is the caller's own; no lock.
 */
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/sched/signal.h>

#include "../queue/queue.h"
#include "criu.h"

/* Between two looks: from the one to the other, each twice the one before. */
#define KFD_DRAIN_MIN_MS	1u
#define KFD_DRAIN_MAX_MS	16u

#define KFD_DRAIN_KNOWN		(KFD_CRIU_DRAIN | KFD_CRIU_DRAIN_ONLY | \
				 KFD_CRIU_DRAIN_MS_MASK)

/**
 * kfd_drain_init - what PROCESS_INFO was asked for
 * @drain: result
 * @request: kfd_ioctl_criu_args.priv_data
 *
 * Return: 0; -EINVAL: bits that are not known, too long, or
 * %KFD_CRIU_DRAIN_ONLY without %KFD_CRIU_DRAIN.
 */
int kfd_drain_init(struct kfd_drain *drain, u64 request)
{
	u32 ms = request & KFD_CRIU_DRAIN_MS_MASK;

	*drain = (struct kfd_drain) { .pause_ms = KFD_DRAIN_MIN_MS };
	/* A pointer, which nobody looks at in this operation. */
	if (!(request & (KFD_CRIU_DRAIN | KFD_CRIU_DRAIN_ONLY)))
		return 0;
	if (request & ~KFD_DRAIN_KNOWN || !(request & KFD_CRIU_DRAIN) ||
	    ms > KFD_CRIU_DRAIN_MAX_MS)
		return -EINVAL;
	drain->wanted = true;
	drain->only = request & KFD_CRIU_DRAIN_ONLY;
	drain->end = ktime_add_ms(ktime_get(), ms);
	return 0;
}

static bool kfd_drain_is_over(const struct kfd_drain *drain)
{
	return ktime_compare(ktime_get(), drain->end) >= 0;
}

static int kfd_drain_refuse(struct kfd_process *p, const struct kfd_queue *q)
{
	return kfd_refuse(p, -ETIME, "queue %u of GPU %u is not drained",
			  q->id, q->pdd->user_gpu_id);
}

/**
 * kfd_drain_look - whether the pause may begin
 * @drain: what was asked for
 * @p: the process; paused already: its queues don't get any further
 *
 * Context: sleeps; process->lock held.
 * Return: 0: it may; -EINPROGRESS: to be looked at again after
 * kfd_drain_sleep(); -ETIME: not drained, and only drained queues are wanted.
 */
int kfd_drain_look(const struct kfd_drain *drain, struct kfd_process *p)
{
	const struct kfd_queue *busy;

	lockdep_assert_held(&p->lock);
	if (!drain->wanted || (p->pause.active && !drain->only))
		return 0;
	busy = kfd_queue_first_busy(p, p->pause.active);
	if (!busy)
		return 0;
	if (!p->pause.active && !kfd_drain_is_over(drain))
		return -EINPROGRESS;
	return drain->only ? kfd_drain_refuse(p, busy) : 0;
}

/**
 * kfd_drain_check - what has become of it: a pause has just begun
 * @drain: what was asked for; drained is set
 * @p: a paused process
 *
 * A process that is not stopped may have rung a doorbell between the look and
 * the pause.
 *
 * Context: sleeps; process->lock held.
 * Return: 0; -EINPROGRESS, -ETIME: as kfd_drain_look(), and the pause has to
 * end.
 */
int kfd_drain_check(struct kfd_drain *drain, struct kfd_process *p)
{
	const struct kfd_queue *busy;

	lockdep_assert_held(&p->lock);
	if (!drain->wanted)
		return 0;
	busy = kfd_queue_first_busy(p, true);
	drain->drained = !busy;
	if (!busy || !drain->only)
		return 0;
	return kfd_drain_is_over(drain) ? kfd_drain_refuse(p, busy) :
					  -EINPROGRESS;
}

/**
 * kfd_drain_sleep - let the queues go on for a while
 * @drain: what was asked for
 *
 * Context: sleeps, killably; nothing held.
 * Return: 0; -EINTR: the caller is being killed.
 */
int kfd_drain_sleep(struct kfd_drain *drain)
{
	s64 left = ktime_ms_delta(drain->end, ktime_get()) + 1;
	u32 ms = clamp_t(s64, left, KFD_DRAIN_MIN_MS, drain->pause_ms);

	drain->waited = true;
	drain->pause_ms = min(drain->pause_ms * 2, KFD_DRAIN_MAX_MS);
	schedule_timeout_killable(msecs_to_jiffies(ms));
	return fatal_signal_pending(current) ? -EINTR : 0;
}
