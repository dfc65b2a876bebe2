// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which queues are on the hardware (floor 3).
 *
 * A queue runs iff it is enabled, has no error and no eviction. Evictions
 * nest: a userptr invalidation and a checkpoint may both hold a queue off the
 * hardware, each undone by its own restore. A new queue inherits the number
 * of evictions in force.
 *
 * Everything here is under device->scheduler_lock and may be called from an
 * MMU notifier: no allocation, no user memory.
 */
#include <linux/lockdep.h>

#include "queue.h"

static bool kfd_queue_should_run(const struct kfd_queue *q)
{
	return q->props.ring_base && q->props.percentage && !q->evictions &&
	       !READ_ONCE(q->error);
}

static int kfd_queue_stop(struct kfd_queue *q, u32 timeout_ms)
{
	struct kfd_device *dev = q->pdd->dev;
	int ret;

	lockdep_assert_held(&dev->scheduler_lock);
	if (!q->loaded)
		return 0;
	ret = dev->ops->queue_preempt(dev->gpu, q->gpu_queue, timeout_ms);
	if (ret) {
		pr_err_ratelimited("queue %u of pasid %u does not stop on GPU 0x%x: %d\n",
				   q->id, q->pdd->process->pasid, dev->id, ret);
		return -ETIME;
	}
	q->loaded = false;
	return 0;
}

/**
 * kfd_queue_stop_locked - take a queue off the hardware
 * @q: the queue
 *
 * Context: sleeps, bounded; scheduler_lock held.
 * Return: 0, also when it was not loaded; -ETIME: it did not stop and is still
 * loaded.
 */
int kfd_queue_stop_locked(struct kfd_queue *q)
{
	return kfd_queue_stop(q, KFD_PREEMPT_TIMEOUT_MS);
}

/**
 * kfd_queue_start_locked - put a queue onto the hardware if it should run
 * @q: the queue
 *
 * Context: sleeps, bounded; scheduler_lock held.
 * Return: 0, also when it should not run or runs already; -EIO: the GPU is
 * gone.
 */
int kfd_queue_start_locked(struct kfd_queue *q)
{
	struct kfd_device *dev = q->pdd->dev;
	int ret;

	lockdep_assert_held(&dev->scheduler_lock);
	if (q->loaded || !kfd_queue_should_run(q))
		return 0;
	ret = dev->ops->queue_load(dev->gpu, q->gpu_queue);
	if (!ret)
		q->loaded = true;
	return ret;
}

static int kfd_queue_sched_evict(struct kfd_process_device *pdd)
{
	struct kfd_device_queues *dq = kfd_device_queues(pdd);
	u32 timeout_ms = KFD_PREEMPT_TIMEOUT_MS;
	struct kfd_queue *q;
	int ret = 0, err;

	lockdep_assert_held(&pdd->dev->scheduler_lock);
	pdd->evicted++;
	pdd->evictions_total++;
	if (!dq)
		return 0;
	/* Count first: a queue that does not stop must not keep the rest on. */
	list_for_each_entry(q, &dq->list, link) {
		q->evictions++;
		q->evictions_total++;
		err = kfd_queue_stop(q, timeout_ms);
		if (err) {
			ret = err;
			/* The first has shown it: many must not add up. */
			timeout_ms = timeout_ms > KFD_PREEMPT_MORE_TIMEOUT_MS ?
				     KFD_PREEMPT_MORE_TIMEOUT_MS : 1;
		}
	}
	return ret;
}

static int kfd_queue_sched_restore(struct kfd_process_device *pdd)
{
	struct kfd_device_queues *dq = kfd_device_queues(pdd);
	struct kfd_queue *q;
	int ret = 0, err;

	lockdep_assert_held(&pdd->dev->scheduler_lock);
	if (WARN_ON_ONCE(!pdd->evicted))
		return -EINVAL;
	pdd->evicted--;
	if (!dq)
		return 0;
	list_for_each_entry(q, &dq->list, link) {
		q->evictions--;
		err = kfd_queue_start_locked(q);
		if (err)
			ret = err;
	}
	return ret;
}

const struct kfd_queue_sched_ops kfd_queue_sched_ops = {
	.evict = kfd_queue_sched_evict,
	.restore = kfd_queue_sched_restore,
};

/**
 * kfd_queue_attach - let a new queue take part
 * @q: the queue, complete
 *
 * Context: sleeps; process->lock held; takes scheduler_lock.
 * Return: 0; -EIO: the GPU is gone; the queue is not attached then.
 */
int kfd_queue_attach(struct kfd_queue *q)
{
	struct kfd_process_device *pdd = q->pdd;
	int ret;

	mutex_lock(&pdd->dev->scheduler_lock);
	q->evictions = pdd->evicted;
	ret = kfd_queue_start_locked(q);
	if (!ret)
		list_add_tail(&q->link, &kfd_device_queues(pdd)->list);
	mutex_unlock(&pdd->dev->scheduler_lock);
	return ret;
}

/**
 * kfd_queue_detach - take a queue off the hardware and out of scheduling
 * @q: the queue; when it does not stop, destroying its GPU side will make it
 *
 * Context: sleeps; takes scheduler_lock.
 */
void kfd_queue_detach(struct kfd_queue *q)
{
	struct kfd_device *dev = q->pdd->dev;

	mutex_lock(&dev->scheduler_lock);
	list_del_init(&q->link);
	/* One that is evicted and still loaded has had its time. */
	if (!q->evictions)
		kfd_queue_stop_locked(q);
	mutex_unlock(&dev->scheduler_lock);
}
