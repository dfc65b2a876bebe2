// SPDX-License-Identifier: GPL-2.0-only
/*
 * Signalling events and waiting for them (floor 3).
 *
 * A WAIT_EVENTS call puts one waiter on each event; signalling marks the
 * waiters and wakes their call. An auto-reset event that wakes somebody does
 * not stay signalled; a call that does not complete (a timeout, a signal, an
 * event destroyed) gives back what it had consumed, so nothing is lost.
 *
 * An interrupt comes in a GPU's thread, which others need. So a waiter is walked
 * over by one signal, not by each: one that has been marked moves to another
 * list. And a process has KFD_EVENT_MAX_WAITERS of them at most.
 *
 * Everything here is protected by process->event_lock.
 */
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include "event.h"

#define KFD_WAIT_IMMEDIATE	0u
#define KFD_WAIT_INFINITE	0xffffffffu
/* Waiters in one call; an event may be given more than once. */
#define KFD_WAIT_MAX_EVENTS	(2 * KFD_SIGNAL_EVENT_LIMIT)

/**
 * struct kfd_event_waiter - one event of one WAIT_EVENTS call
 * @link: in event->waiters while waiting, in event->served when activated
 * @event: the event; NULL once it was destroyed
 * @wq: woken when something changes; one for all waiters of a call
 * @activated: the event was signalled for this waiter
 * @type: the event's type; the event may be gone when it is looked at
 * @memory: exception data at that moment
 * @hw: likewise
 */
struct kfd_event_waiter {
	struct list_head link;
	struct kfd_event *event;
	wait_queue_head_t *wq;
	bool activated;
	u32 type;
	union {
		struct kfd_hsa_memory_exception_data memory;
		struct kfd_hsa_hw_exception_data hw;
	};
};

static void kfd_waiter_activate(struct kfd_event_waiter *waiter,
				const struct kfd_event *ev)
{
	if (ev->type == KFD_IOC_EVENT_MEMORY)
		waiter->memory = ev->memory;
	else if (ev->type == KFD_IOC_EVENT_HW_EXCEPTION)
		waiter->hw = ev->hw;
	WRITE_ONCE(waiter->activated, true);
}

/**
 * kfd_event_signal_locked - signal an event
 * @ev: the event
 *
 * Context: process->event_lock held.
 */
void kfd_event_signal_locked(struct kfd_event *ev)
{
	struct kfd_event_waiter *waiter;

	ev->signaled = !ev->auto_reset || list_empty(&ev->waiters);
	list_for_each_entry(waiter, &ev->waiters, link) {
		kfd_waiter_activate(waiter, ev);
		wake_up(waiter->wq);
	}
	list_splice_init(&ev->waiters, &ev->served);
}

/**
 * kfd_event_forget_waiters_locked - an event is being destroyed
 * @ev: the event; whoever waits for it gets "fail"
 *
 * Context: process->event_lock held.
 */
void kfd_event_forget_waiters_locked(struct kfd_event *ev)
{
	struct kfd_event_waiter *waiter, *next;

	list_splice_init(&ev->served, &ev->waiters);
	list_for_each_entry_safe(waiter, next, &ev->waiters, link) {
		list_del_init(&waiter->link);
		WRITE_ONCE(waiter->event, NULL);
		wake_up(waiter->wq);
	}
}

static bool kfd_event_take_slot(struct kfd_events *events, u32 id)
{
	if (READ_ONCE(events->slots[id]) == KFD_EVENT_SLOT_UNSIGNALED)
		return false;
	WRITE_ONCE(events->slots[id], KFD_EVENT_SLOT_UNSIGNALED);
	return true;
}

/**
 * kfd_event_interrupt - a queue's packet raised an interrupt
 * @p: whose
 * @dev: on which GPU
 * @irq: context_id is the event; when its slot says otherwise, or it is 0,
 *	every slot that a packet has written counts
 *
 * Context: takes process->event_lock; does not sleep.
 */
void kfd_event_interrupt(struct kfd_process *p, struct kfd_device *dev,
			 const struct kfd_irq_entry *irq)
{
	u32 id = irq->context_id;
	struct kfd_events *events;
	struct kfd_event *ev;
	unsigned long index;

	spin_lock(&p->event_lock);
	events = kfd_events(p);
	if (!events || !events->slots)
		goto unlock;
	ev = id && id < KFD_SIGNAL_EVENT_LIMIT ? xa_load(&events->table, id) :
						 NULL;
	if (ev && kfd_event_take_slot(events, id)) {
		kfd_event_signal_locked(ev);
		goto unlock;
	}
	xa_for_each_range(&events->table, index, ev, KFD_EVENT_FIRST_SIGNAL_ID,
			  KFD_SIGNAL_EVENT_LIMIT - 1)
		if (kfd_event_take_slot(events, index))
			kfd_event_signal_locked(ev);
unlock:
	spin_unlock(&p->event_lock);
}

/**
 * kfd_event_vm_fault - a GPU access of the process had no translation
 * @p: whose
 * @dev: on which GPU
 * @fault: what was accessed
 *
 * Signals every memory-exception event.
 *
 * Context: takes process->event_lock; does not sleep.
 */
void kfd_event_vm_fault(struct kfd_process *p, struct kfd_device *dev,
			const struct kfd_gpu_fault *fault)
{
	struct kfd_process_device *pdd = kfd_process_device_by_id(p, dev->id);
	struct kfd_events *events;
	struct kfd_event *ev;
	unsigned long id;

	spin_lock(&p->event_lock);
	events = kfd_events(p);
	if (!events)
		goto unlock;
	xa_for_each_start(&events->table, id, ev, KFD_EVENT_FIRST_OTHER_ID) {
		if (ev->type != KFD_IOC_EVENT_MEMORY)
			continue;
		memset(&ev->memory, 0, sizeof(ev->memory));
		ev->memory.va = fault->va;
		ev->memory.gpu_id = pdd ? pdd->user_gpu_id : dev->id;
		ev->memory.failure.NotPresent = fault->not_present;
		ev->memory.failure.ReadOnly = !fault->not_present &&
					      fault->write;
		kfd_event_signal_locked(ev);
	}
unlock:
	spin_unlock(&p->event_lock);
}

/**
 * kfd_event_hw_exception - the GPU was reset, or failed for this process
 * @p: whose
 * @dev: on which GPU
 * @cause: KFD_HW_EXCEPTION_GPU_HANG or KFD_HW_EXCEPTION_ECC
 * @memory_lost: VRAM contents are gone
 * @whole_gpu: the whole GPU was reset, else one engine or queue
 *
 * Signals every HW-exception event, and the memory-exception events with the
 * matching ErrorType, as mainline does for a reset.
 *
 * Context: takes process->event_lock; does not sleep.
 */
void kfd_event_hw_exception(struct kfd_process *p, struct kfd_device *dev,
			    u32 cause, bool memory_lost, bool whole_gpu)
{
	struct kfd_process_device *pdd = kfd_process_device_by_id(p, dev->id);
	u32 gpu_id = pdd ? pdd->user_gpu_id : dev->id;
	struct kfd_events *events;
	struct kfd_event *ev;
	unsigned long id;

	spin_lock(&p->event_lock);
	events = kfd_events(p);
	if (!events)
		goto unlock;
	xa_for_each_start(&events->table, id, ev, KFD_EVENT_FIRST_OTHER_ID) {
		if (ev->type == KFD_IOC_EVENT_HW_EXCEPTION) {
			ev->hw.reset_type = whole_gpu ?
				KFD_HW_EXCEPTION_WHOLE_GPU_RESET :
				KFD_HW_EXCEPTION_PER_ENGINE_RESET;
			ev->hw.reset_cause = cause;
			ev->hw.memory_lost = memory_lost;
			ev->hw.gpu_id = gpu_id;
			kfd_event_signal_locked(ev);
		} else if (ev->type == KFD_IOC_EVENT_MEMORY && whole_gpu) {
			memset(&ev->memory, 0, sizeof(ev->memory));
			ev->memory.gpu_id = gpu_id;
			ev->memory.ErrorType = cause == KFD_HW_EXCEPTION_ECC ?
				KFD_MEM_ERR_SRAM_ECC : KFD_MEM_ERR_GPU_HANG;
			kfd_event_signal_locked(ev);
		}
	}
unlock:
	spin_unlock(&p->event_lock);
}

static int kfd_wait_start(struct kfd_process *p, const struct kfd_event_data *data,
			  struct kfd_event_waiter *waiters, u32 n,
			  wait_queue_head_t *wq)
{
	struct kfd_event_waiter *waiter;
	struct kfd_events *events;
	struct kfd_event *ev;
	int ret = 0;
	u32 i;

	spin_lock(&p->event_lock);
	events = kfd_events(p);
	if (events && n > KFD_EVENT_MAX_WAITERS - events->num_waiters)
		ret = -ENOSPC;
	for (i = 0; i < n && !ret; i++)
		if (!events || !xa_load(&events->table, data[i].event_id))
			ret = -EINVAL;
	for (i = 0; i < n && !ret; i++) {
		waiter = &waiters[i];
		ev = xa_load(&events->table, data[i].event_id);
		waiter->event = ev;
		waiter->type = ev->type;
		waiter->wq = wq;
		if (ev->signaled) {
			kfd_waiter_activate(waiter, ev);
			ev->signaled = !ev->auto_reset;
			list_add_tail(&waiter->link, &ev->served);
		} else {
			list_add_tail(&waiter->link, &ev->waiters);
		}
		ev->n_waiters++;
	}
	if (!ret)
		events->num_waiters += n;
	spin_unlock(&p->event_lock);
	return ret;
}

static u32 kfd_wait_result(const struct kfd_event_waiter *waiters, u32 n,
			   bool all)
{
	u32 i, activated = 0;

	for (i = 0; i < n; i++) {
		if (!READ_ONCE(waiters[i].event))
			return KFD_IOC_WAIT_RESULT_FAIL;
		if (READ_ONCE(waiters[i].activated))
			activated++;
	}
	if (activated == n || (activated && !all))
		return KFD_IOC_WAIT_RESULT_COMPLETE;
	return KFD_IOC_WAIT_RESULT_TIMEOUT;
}

/*
 * The result, which nothing can change any more. Unless it is "complete" what
 * auto-reset events gave to this call is given back.
 */
static u32 kfd_wait_end(struct kfd_process *p, struct kfd_event_waiter *waiters,
			u32 n, bool all)
{
	struct kfd_events *events;
	struct kfd_event *ev;
	u32 i, result;

	spin_lock(&p->event_lock);
	result = kfd_wait_result(waiters, n, all);
	events = kfd_events(p);
	if (events)
		events->num_waiters -= n;
	for (i = 0; i < n; i++) {
		ev = waiters[i].event;
		if (!ev)
			continue;
		list_del_init(&waiters[i].link);
		ev->n_waiters--;
		if (result != KFD_IOC_WAIT_RESULT_COMPLETE &&
		    waiters[i].activated && ev->auto_reset)
			kfd_event_signal_locked(ev);
	}
	spin_unlock(&p->event_lock);
	return result;
}

static bool kfd_wait_ended(const struct kfd_event_waiter *waiters, u32 n,
			   bool all)
{
	return kfd_wait_result(waiters, n, all) != KFD_IOC_WAIT_RESULT_TIMEOUT;
}

static long kfd_wait_timeout(u32 ms)
{
	if (ms == KFD_WAIT_IMMEDIATE)
		return 0;
	if (ms == KFD_WAIT_INFINITE)
		return MAX_SCHEDULE_TIMEOUT;
	/* msecs_to_jiffies() takes more than INT_MAX for infinity. */
	return msecs_to_jiffies(min_t(u32, ms, INT_MAX)) + 1;
}

/*
 * What is left of a timeout that ends at @end_ms, in whole milliseconds of the
 * clock, not since the call: then it does not matter how often the wait is
 * interrupted and restarted. Rounded up by each restart, a timeout would never
 * end under signals that come faster than that.
 */
static u32 kfd_wait_left(s64 end_ms)
{
	return max_t(s64, end_ms - ktime_to_ms(ktime_get()), 0);
}

static int kfd_wait_copy_out(struct kfd_event_data __user *user,
			     const struct kfd_event_waiter *waiters, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++) {
		const struct kfd_event_waiter *w = &waiters[i];

		if (!w->activated)
			continue;
		if (w->type == KFD_IOC_EVENT_MEMORY &&
		    copy_to_user(&user[i].memory_exception_data, &w->memory,
				 sizeof(w->memory)))
			return -EFAULT;
		if (w->type == KFD_IOC_EVENT_HW_EXCEPTION &&
		    copy_to_user(&user[i].hw_exception_data, &w->hw,
				 sizeof(w->hw)))
			return -EFAULT;
	}
	return 0;
}

static int kfd_wait_sleep(struct kfd_process *p,
			  struct kfd_ioctl_wait_events_args *args,
			  struct kfd_event_waiter *waiters,
			  wait_queue_head_t *wq, s64 end_ms)
{
	bool all = args->wait_for_all;
	u32 n = args->num_events;
	u32 ms = args->timeout;
	long left, timeout;

	do {
		timeout = kfd_wait_timeout(ms);
		left = wait_event_interruptible_timeout(*wq,
							kfd_wait_ended(waiters, n, all),
							timeout);
		/* jiffies may have been behind the clock when the wait began */
		ms = min_t(u32, kfd_wait_left(end_ms), INT_MAX);
	} while (!left && ms && args->timeout != KFD_WAIT_INFINITE);
	args->wait_result = kfd_wait_end(p, waiters, n, all);
	if (args->wait_result == KFD_IOC_WAIT_RESULT_FAIL)
		return -EIO;
	if (left >= 0 || args->wait_result == KFD_IOC_WAIT_RESULT_COMPLETE)
		return 0;
	return -ERESTARTSYS;
}

/**
 * kfd_ioctl_wait_events - AMDKFD_IOC_WAIT_EVENTS
 * @filp: kfd file
 * @p: process
 * @data: struct kfd_ioctl_wait_events_args; timeout in ms, 0xffffffff: none.
 *	When a signal interrupts the wait, timeout is set to what was left, so
 *	that the restarted call ends when the first one would have.
 *
 * Context: sleeps, interruptibly; holds no lock meanwhile.
 * Return: 0 with wait_result set; -EINVAL: no event or more than the limit
 * given, or one that does not exist; -ENOSPC: with those of other calls it is
 * more than KFD_EVENT_MAX_WAITERS; -EIO: one was destroyed meanwhile;
 * -EFAULT; -ENOMEM; -ERESTARTSYS. The arguments are written back in any case.
 */
int kfd_ioctl_wait_events(struct file *filp, struct kfd_process *p, void *data)
{
	struct kfd_ioctl_wait_events_args *args = data;
	struct kfd_event_data __user *user = u64_to_user_ptr(args->events_ptr);
	DECLARE_WAIT_QUEUE_HEAD_ONSTACK(wq);
	struct kfd_event_waiter *waiters = NULL;
	struct kfd_event_data *copy;
	s64 end_ms;
	u32 n = args->num_events;
	int ret = -ENOMEM;

	args->wait_result = KFD_IOC_WAIT_RESULT_FAIL;
	if (!n || n > KFD_WAIT_MAX_EVENTS)
		return -EINVAL;
	end_ms = ktime_to_ms(ktime_get()) + args->timeout;
	copy = kvmalloc_array(n, sizeof(*copy), GFP_KERNEL_ACCOUNT);
	waiters = kvcalloc(n, sizeof(*waiters), GFP_KERNEL_ACCOUNT);
	if (!copy || !waiters)
		goto out;
	ret = -EFAULT;
	if (copy_from_user(copy, user, n * sizeof(*copy)))
		goto out;
	ret = kfd_wait_start(p, copy, waiters, n, &wq);
	if (ret)
		goto out;

	ret = kfd_wait_sleep(p, args, waiters, &wq, end_ms);
	if (ret == -ERESTARTSYS && args->timeout != KFD_WAIT_INFINITE)
		args->timeout = kfd_wait_left(end_ms);
	else if (!ret)
		ret = kfd_wait_copy_out(user, waiters, n);
out:
	kvfree(waiters);
	kvfree(copy);
	return ret;
}
