// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queues that are in the way of a checkpoint (floor 3): the first one that did
 * not stop.
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
