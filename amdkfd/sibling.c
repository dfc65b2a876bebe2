// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kinds of state need of one another (floor 2).
 *
 * Siblings on floor 3 do not call each other. What one does for the others is
 * in a table that it registers when the module is loaded; the functions here
 * are how the others ask. The tables never change afterwards and have no lock.
 */
#include "process.h"
#include "smi.h"

static const struct kfd_queue_sched_ops *kfd_sched_ops;
static const struct kfd_bo_vmap_ops *kfd_bo_ops;
static const struct kfd_svm_ops *kfd_svm_ops;

/**
 * kfd_process_register_sched() - say how queues are evicted and restored
 * @ops: static table
 *
 * Context: module init, before /dev/kfd can be opened.
 */
void kfd_process_register_sched(const struct kfd_queue_sched_ops *ops)
{
	kfd_sched_ops = ops;
}

/**
 * kfd_process_register_bo_ops() - say how buffers are mapped into the kernel
 * @ops: static table
 *
 * Context: module init, before /dev/kfd can be opened.
 */
void kfd_process_register_bo_ops(const struct kfd_bo_vmap_ops *ops)
{
	kfd_bo_ops = ops;
}

/**
 * kfd_process_register_svm_ops() - what svm/ does for its siblings
 * @ops: static table
 *
 * Context: module init.
 */
void kfd_process_register_svm_ops(const struct kfd_svm_ops *ops)
{
	kfd_svm_ops = ops;
}

/**
 * kfd_process_svm_in_use() - whether GPUs share memory by its CPU address
 * @p: the process
 *
 * Context: any; without a lock the answer is that of a moment.
 * Return: true when there is a range of shared virtual memory, or XNACK makes
 * all memory shared.
 */
bool kfd_process_svm_in_use(struct kfd_process *p)
{
	return kfd_svm_ops->in_use(p);
}

/**
 * kfd_process_svm_settle() - let what svm/ still does in the mm come to its end
 * @p: a process for which kfd_process_svm_in_use() is false
 *
 * Context: sleeps; process->lock held.
 */
void kfd_process_svm_settle(struct kfd_process *p)
{
	lockdep_assert_held(&p->lock);
	kfd_svm_ops->settle(p);
}

/* One step on some GPUs, whatever the others say: the first error. */
static int kfd_process_sched(struct kfd_process *p, u32 gpus,
			     int (*step)(struct kfd_process_device *pdd))
{
	int ret = 0;
	u32 i;

	for (i = 0; i < p->n_pdds; i++) {
		struct kfd_process_device *pdd = p->pdds[i];
		int err = 0;

		if (!(gpus & BIT(i)))
			continue;
		mutex_lock(&pdd->dev->scheduler_lock);
		if (!pdd->closed)
			err = step(pdd);
		mutex_unlock(&pdd->dev->scheduler_lock);
		if (err && !ret)
			ret = err;
	}
	return ret;
}

/**
 * kfd_process_evict_on() - take all queues of a process off some of its GPUs
 * @p: the process
 * @gpus: set of GPUs, by kfd_process_device.index
 * @trigger: why, for SMI events
 *
 * Context: NOTIFIER context (amdkfd/device.h) is fine; takes the GPUs'
 * scheduler_lock. A reference on @p.
 * Return: 0; -ETIME: a queue did not stop. One kfd_process_restore_on() of the
 * same GPUs is owed in both cases.
 */
int kfd_process_evict_on(struct kfd_process *p, u32 gpus,
			 enum KFD_QUEUE_EVICTION_TRIGGERS trigger)
{
	u32 i;

	for (i = 0; i < p->n_pdds; i++)
		if (gpus & BIT(i))
			kfd_smi_queue_eviction(p, p->pdds[i]->dev, trigger);
	return kfd_process_sched(p, gpus, kfd_sched_ops->evict);
}

/**
 * kfd_process_restore_on() - undo one kfd_process_evict_on()
 * @p: the process
 * @gpus: the GPUs that it was for
 *
 * Context: as kfd_process_evict_on().
 * Return: 0, or the first error of a queue that could not be loaded (-EIO: its
 * GPU is gone); all others have been restored all the same.
 */
int kfd_process_restore_on(struct kfd_process *p, u32 gpus)
{
	u32 i;

	for (i = 0; i < p->n_pdds; i++)
		if (gpus & BIT(i))
			kfd_smi_queue_restore(p, p->pdds[i]->dev, false);
	return kfd_process_sched(p, gpus, kfd_sched_ops->restore);
}

/**
 * kfd_process_evict() - take all queues of a process off all its GPUs
 * @p: the process
 * @trigger: why, for SMI events
 *
 * Context: NOTIFIER context (amdkfd/device.h) is fine; takes the GPUs'
 * scheduler_lock. A reference on @p.
 * Return: 0; -ETIME: a queue did not stop. One kfd_process_restore() is owed in
 * both cases.
 */
int kfd_process_evict(struct kfd_process *p,
		      enum KFD_QUEUE_EVICTION_TRIGGERS trigger)
{
	return kfd_process_evict_on(p, KFD_ALL_GPUS, trigger);
}

/**
 * kfd_process_restore() - undo one kfd_process_evict()
 * @p: the process
 *
 * Context: as kfd_process_evict().
 * Return: 0, or the first error of a queue that could not be loaded (-EIO: its
 * GPU is gone); all others have been restored all the same.
 */
int kfd_process_restore(struct kfd_process *p)
{
	return kfd_process_restore_on(p, KFD_ALL_GPUS);
}

/**
 * kfd_process_stop() - evict everything, for good
 * @p: a process whose end has begun
 *
 * As kfd_process_evict(), but nobody is told.
 *
 * Context: as kfd_process_evict_on().
 * Return: 0; -ETIME: a queue did not stop.
 */
int kfd_process_stop(struct kfd_process *p)
{
	return kfd_process_sched(p, KFD_ALL_GPUS, kfd_sched_ops->evict);
}

/**
 * kfd_process_bo_vmap() - kernel address of a buffer
 * @p: the process, p->lock held
 * @handle: handle of a VRAM or GTT buffer
 * @min_size: bytes that it must have
 * @vaddr: set to its kernel address
 * @cookie: set to what kfd_process_bo_vunmap() wants
 *
 * Context: sleeps; process->lock held.
 * Return: 0; -EINVAL: no such buffer, too small, or of another kind; -EBUSY:
 * it has been vmapped already; -ENOMEM.
 */
int kfd_process_bo_vmap(struct kfd_process *p, u64 handle, u64 min_size,
			void **vaddr, void **cookie)
{
	lockdep_assert_held(&p->lock);
	return kfd_bo_ops->vmap(p, handle, min_size, vaddr, cookie);
}

/**
 * kfd_process_bo_vunmap() - undo kfd_process_bo_vmap()
 * @p: the process, p->lock held
 * @cookie: from kfd_process_bo_vmap()
 *
 * Context: sleeps; process->lock held.
 */
void kfd_process_bo_vunmap(struct kfd_process *p, void *cookie)
{
	lockdep_assert_held(&p->lock);
	kfd_bo_ops->vunmap(p, cookie);
}

/**
 * kfd_process_svm_overlaps() - whether addresses are shared virtual memory
 * @p: the process, p->lock held
 * @start: first byte
 * @size: bytes
 *
 * Context: sleeps; process->lock held.
 * Return: true when some are.
 */
bool kfd_process_svm_overlaps(struct kfd_process *p, u64 start, u64 size)
{
	lockdep_assert_held(&p->lock);
	return kfd_svm_ops->overlaps(p, start, size);
}

/**
 * kfd_process_hold() - keep memory reachable for a queue
 * @pdd: the GPU of the queue
 * @start: first byte
 * @size: bytes
 * @write: the GPU writes to it
 * @hold: filled; zeroed on error
 *
 * Context: sleeps; process->lock held.
 * Return: 0; -EINVAL: not all of it is mapped on that GPU by one buffer or
 * shared with it, or only for reading and @write; -ENOMEM.
 */
int kfd_process_hold(struct kfd_process_device *pdd, u64 start, u64 size,
		     bool write, struct kfd_hold *hold)
{
	void *svm;

	lockdep_assert_held(&pdd->process->lock);
	*hold = (struct kfd_hold) {
		.range = kfd_vm_range_get(&pdd->vm, start, size, write),
	};
	if (hold->range)
		return 0;
	svm = kfd_svm_ops->hold(pdd, start, size, write);
	if (IS_ERR(svm))
		return PTR_ERR(svm);
	hold->svm = svm;
	return 0;
}

/**
 * kfd_process_release() - undo kfd_process_hold()
 * @pdd: the GPU
 * @hold: what is held, may be nothing; zeroed
 *
 * Context: sleeps; process->lock held.
 */
void kfd_process_release(struct kfd_process_device *pdd, struct kfd_hold *hold)
{
	lockdep_assert_held(&pdd->process->lock);
	kfd_vm_range_put(&pdd->vm, hold->range);
	if (hold->svm)
		kfd_svm_ops->release(pdd, hold->svm);
	*hold = (struct kfd_hold) {};
}
