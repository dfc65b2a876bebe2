// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queues as the driver sees them: made, loaded, preempted, destroyed; and what
 * debugfs does to them. Their work is done by the engines' threads, see
 * sched.c; engine.h has the design and the locks.
 */
#include <linux/sched.h>
#include <linux/slab.h>

#include "engine.h"

/**
 * sim_queue_create() - make the GPU's side of a queue
 * @gpu: struct sim_gpu
 * @vm: address space
 * @desc: the queue; what it points to stays until sim_queue_destroy()
 * @queue: result, not loaded
 *
 * Context: may sleep and allocate.
 * Return: 0; -EINVAL: no such SDMA engine; -ENOMEM.
 */
int sim_queue_create(void *gpu, struct kfd_gpu_vm *vm,
		     const struct kfd_gpu_queue_desc *desc,
		     struct kfd_gpu_queue **queue)
{
	struct sim_gpu *g = gpu;
	struct kfd_gpu_queue *q;
	u32 engine = 0;

	if (desc->type == KFD_GPU_QUEUE_SDMA) {
		if (desc->sdma_engine >= SIM_SDMA_ENGINES)
			return -EINVAL;
		engine = 1 + desc->sdma_engine;
	}
	q = kzalloc(sizeof(*q), GFP_KERNEL_ACCOUNT);
	if (!q)
		return -ENOMEM;
	q->engine = g->engines[engine];
	q->vm = sim_vm_get(to_sim_vm(vm));
	q->desc = *desc;
	q->doorbell = desc->doorbell->priv;
	q->served = &sim_vm_client(q->vm)->served[g->index][engine];
	spin_lock(&q->engine->lock);
	list_add_tail(&q->node, &q->engine->queues);
	spin_unlock(&q->engine->lock);
	*queue = q;
	return 0;
}

/**
 * sim_queue_load() - let a queue run from the state in its MQD
 * @gpu: struct sim_gpu
 * @q: queue
 *
 * Context: NOTIFIER (device.h): takes a spinlock only.
 * Return: 0; -EIO: the GPU is going away.
 */
int sim_queue_load(void *gpu, struct kfd_gpu_queue *q)
{
	struct sim_engine *e = q->engine;

	spin_lock(&e->lock);
	if (e->dead) {
		spin_unlock(&e->lock);
		return -EIO;
	}
	if (!q->loaded) {
		sim_slot_decode(q);
		q->loaded = true;
		q->stop = false;
		q->lost = false;
		q->retry.waiting = false;
		q->retry.refused = false;
		q->work = false;
		q->peek = true;
		q->backoff = 0;
		q->blocked_until = 0;
		q->aql_start = 0;
	}
	spin_unlock(&e->lock);
	sim_engine_kick(e);
	return 0;
}

/* Stop the queue unless it is being worked on or hangs. */
static bool sim_queue_try_unload(struct kfd_gpu_queue *q)
{
	struct sim_engine *e = q->engine;
	bool ok;

	spin_lock(&e->lock);
	ok = !q->running && !q->hung;
	if (ok) {
		sim_slot_release(q, true);
		q->loaded = false;
		q->stop = false;
		q->preemptions++;
	}
	spin_unlock(&e->lock);
	return ok;
}

/**
 * sim_queue_preempt() - stop a queue and save its state
 * @gpu: struct sim_gpu
 * @q: queue
 * @timeout_ms: how long that may take
 *
 * The engine's thread gives the queue back after at most one chunk; a slot
 * that it leaves may be wanted by another queue, so the thread is kicked.
 *
 * Context: NOTIFIER (device.h): waits for the engine, which waits for no one
 * who might wait for this; no allocation.
 * Return: 0, also when it was not loaded; -ETIME: it did not stop and is still
 * loaded.
 */
int sim_queue_preempt(void *gpu, struct kfd_gpu_queue *q, u32 timeout_ms)
{
	struct sim_engine *e = q->engine;
	struct sim_gpu *g = gpu;
	bool loaded;
	int ret = 0;

	spin_lock(&e->lock);
	loaded = q->loaded;
	if (loaded && READ_ONCE(g->faults->fail_preempt))
		ret = -ETIME;
	else if (loaded)
		WRITE_ONCE(q->stop, true);
	spin_unlock(&e->lock);
	if (!loaded || ret)
		return ret;
	if (!wait_event_timeout(e->wait, sim_queue_try_unload(q),
				msecs_to_jiffies(timeout_ms))) {
		spin_lock(&e->lock);
		WRITE_ONCE(q->stop, false);
		spin_unlock(&e->lock);
		ret = -ETIME;
	}
	sim_engine_kick(e);
	return ret;
}

static bool sim_queue_is_at_rest(struct kfd_gpu_queue *q)
{
	bool ret;

	spin_lock(&q->engine->lock);
	ret = !q->running;
	spin_unlock(&q->engine->lock);
	return ret;
}

/**
 * sim_queue_destroy() - free a queue, loaded or not
 * @gpu: struct sim_gpu
 * @q: queue; if it is loaded, or hangs, its state is lost
 *
 * Context: may sleep; waits for at most one chunk of work.
 */
void sim_queue_destroy(void *gpu, struct kfd_gpu_queue *q)
{
	struct sim_engine *e = q->engine;

	spin_lock(&e->lock);
	WRITE_ONCE(q->stop, true);
	spin_unlock(&e->lock);
	wait_event(e->wait, sim_queue_is_at_rest(q));
	spin_lock(&e->lock);
	sim_slot_release(q, false);
	list_del(&q->node);
	spin_unlock(&e->lock);
	sim_engine_kick(e);
	sim_vm_put(q->vm);
	kfree(q);
}

/**
 * sim_gpu_lose_queues() - a reset: what the queues on the hardware held is gone
 * @gpu: GPU
 *
 * They halt with SIM_ERROR_LOST; queues that hang can be taken off again.
 * Queues that the driver had taken off are in their MQDs and survive.
 *
 * Context: any.
 */
void sim_gpu_lose_queues(struct sim_gpu *gpu)
{
	struct kfd_gpu_queue *q;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(gpu->engines); i++) {
		struct sim_engine *e = gpu->engines[i];

		spin_lock(&e->lock);
		list_for_each_entry(q, &e->queues, node) {
			q->hung = false;
			if (q->running)
				WRITE_ONCE(q->lost, true);
			else if (q->loaded)
				q->regs.error |= SIM_ERROR_LOST;
		}
		spin_unlock(&e->lock);
		wake_up_all(&e->wait);
		sim_engine_kick(e);
	}
}

/**
 * sim_gpu_set_hang() - fault injection: have queues hang
 * @gpu: GPU
 * @hang: doorbell offset of those that hang from now on, until their end;
 *	or SIM_HANG_NEXT; or SIM_HANG_NONE: none does any more
 *
 * Context: any.
 * Return: 0; -ENOENT: no queue has that doorbell.
 */
int sim_gpu_set_hang(struct sim_gpu *gpu, int hang)
{
	int ret = hang >= 0 ? -ENOENT : 0;
	struct kfd_gpu_queue *q;
	u32 i;

	atomic_set(&gpu->faults->hang,
		   hang == SIM_HANG_NEXT ? SIM_HANG_NEXT : SIM_HANG_NONE);
	for (i = 0; hang != SIM_HANG_NEXT && i < ARRAY_SIZE(gpu->engines); i++) {
		struct sim_engine *e = gpu->engines[i];

		spin_lock(&e->lock);
		list_for_each_entry(q, &e->queues, node) {
			if (hang == SIM_HANG_NONE) {
				WRITE_ONCE(q->hung, false);
			} else if (hang == (int)q->desc.doorbell_offset) {
				WRITE_ONCE(q->hung, true);
				ret = 0;
			}
		}
		spin_unlock(&e->lock);
		wake_up_all(&e->wait);
		sim_engine_kick(e);
	}
	return ret;
}
