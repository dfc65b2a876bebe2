// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queues that are in the way of a checkpoint (floor 3): the first one that did
 * not stop, the first one that is not done with its ring.
 *
 * process->lock keeps the queues, scheduler_lock their state.
 */
#include "queue.h"

static bool kfd_queue_is_loaded(struct kfd_queue *q)
{
	struct kfd_device *dev = q->pdd->dev;
	bool loaded;

	mutex_lock(&dev->scheduler_lock);
	loaded = q->loaded;
	mutex_unlock(&dev->scheduler_lock);
	return loaded;
}

/**
 * kfd_queue_first_loaded() - a queue that is on the hardware
 * @p: the process
 *
 * Context: sleeps; process->lock held, which keeps the queue.
 * Return: the queue, or NULL.
 */
struct kfd_queue *kfd_queue_first_loaded(struct kfd_process *p)
{
	struct kfd_queue *q;
	unsigned long id;

	lockdep_assert_held(&p->lock);
	xa_for_each(&kfd_queues(p)->table, id, q)
		if (kfd_queue_is_loaded(q))
			return q;
	return NULL;
}

static bool kfd_queue_is_busy(struct kfd_queue *q, bool off)
{
	struct kfd_device *dev = q->pdd->dev;
	struct kfd_gpu_queue_progress at = {};
	bool busy = true;

	if (!q->props.ring_base || !q->props.percentage || READ_ONCE(q->error))
		return false;
	mutex_lock(&dev->scheduler_lock);
	if (q->loaded || off) {
		dev->ops->queue_progress(dev->gpu, q->gpu_queue, &at);
		busy = !at.idle && !at.halted;
	}
	mutex_unlock(&dev->scheduler_lock);
	return busy;
}

/**
 * kfd_queue_first_busy() - a queue that has something to do
 * @p: the process
 * @off: the queues have been taken off the hardware, and count by what they
 *	had then; else one that is off, though it is enabled, has to get on first
 *
 * Disabled ones, and those that stopped at an error, have nothing to do.
 *
 * Context: sleeps; process->lock held, which keeps the queue.
 * Return: the queue, or NULL.
 */
struct kfd_queue *kfd_queue_first_busy(struct kfd_process *p, bool off)
{
	struct kfd_queue *q;
	unsigned long id;

	lockdep_assert_held(&p->lock);
	xa_for_each(&kfd_queues(p)->table, id, q)
		if (kfd_queue_is_busy(q, off))
			return q;
	return NULL;
}
