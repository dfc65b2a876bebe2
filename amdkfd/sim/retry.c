// SPDX-License-Identifier: GPL-2.0-only
/*
 * Retry faults: what becomes of an access without translation when the process
 * has XNACK on.
 *
 * The packet stays where it is, with what is done of it in regs->mid. The
 * driver is told, and the queue is not run until the driver has replied; it
 * then tries again. Meanwhile it costs nothing: no timer runs, its slot is
 * others' to have, and it can be preempted at once. A queue that is preempted
 * and loaded again forgets that it was waiting, and tries again.
 *
 * When the driver can't help, the queue tries once more all the same: what it
 * waited for may have come by another way. Failing on that page again is then
 * an error like any other.
 *
 * No reply is lost: the queue is marked as waiting before the driver is told,
 * so the reply that answers it always finds the mark, be it sent from within
 * that call. A reply to somebody else's fault that came before the mark is not
 * missed either, for the driver answers every fault that it is told of.
 *
 * q->retry is protected by engine->lock. While a queue runs and does not wait,
 * nobody but the engine's thread changes it.
 */
#include <linux/mm.h>

#include "engine.h"

/**
 * sim_retry_begin() - make a queue wait, if its fault is one to wait for
 * @q: queue, running
 * @fault: why an access failed
 *
 * Context: engine's thread, no lock held.
 * Return: whether it waits; false: the fault is an error.
 */
bool sim_retry_begin(struct kfd_gpu_queue *q,
		     const struct sim_fault_info *fault)
{
	struct sim_retry *r = &q->retry;
	u64 page = fault->va & PAGE_MASK;
	bool wait;

	spin_lock(&q->engine->lock);
	wait = q->desc.retry_faults && fault->curable &&
	       !(r->refused && r->va == page);
	if (wait) {
		r->waiting = true;
		r->refused = false;
		r->va = page;
		r->count++;
	}
	spin_unlock(&q->engine->lock);
	return wait;
}

/**
 * sim_retry_raise() - turn an access that failed into a retry fault
 * @x: context of a queue, with @x->fault set
 *
 * Context: engine's thread, no lock held.
 * Return: whether the queue waits now, with the driver told; false: the fault
 * is an error.
 */
bool sim_retry_raise(struct sim_exec *x)
{
	struct kfd_gpu_fault fault = {
		.pasid = x->pasid,
		.va = x->fault.va & PAGE_MASK,
		.write = x->fault.write,
		.not_present = x->fault.not_present,
		.retry = true,
	};

	if (!sim_retry_begin(x->queue, &x->fault))
		return false;
	kfd_gpu_vm_fault(x->gpu->kfd, &fault);
	return true;
}

/**
 * sim_retry_answer() - a reply has come
 * @q: queue that may be waiting
 * @va: page that it is about, ~0: any
 * @resolved: false: the page will not come
 *
 * Context: engine->lock held.
 * Return: whether it was for this queue, which can be run again.
 */
bool sim_retry_answer(struct kfd_gpu_queue *q, u64 va, bool resolved)
{
	struct sim_retry *r = &q->retry;

	lockdep_assert_held(&q->engine->lock);
	if (!r->waiting || (va != ~0ull && va != r->va))
		return false;
	r->waiting = false;
	r->refused = !resolved;
	return true;
}

/**
 * sim_fault_reply() - kfd_device_ops.fault_reply
 * @gpu: struct sim_gpu
 * @gpu_vm: address space
 * @va: page, ~0: any
 * @resolved: false: an access that fails again there is an error
 *
 * Context: any that may take a spinlock, the call that raised the fault
 * included; waits for nobody.
 */
void sim_fault_reply(void *gpu, struct kfd_gpu_vm *gpu_vm, u64 va,
		     bool resolved)
{
	struct sim_vm *vm = to_sim_vm(gpu_vm);
	struct sim_gpu *g = gpu;
	struct kfd_gpu_queue *q;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(g->engines); i++) {
		struct sim_engine *e = g->engines[i];
		bool any = false;

		spin_lock(&e->lock);
		list_for_each_entry(q, &e->queues, node)
			if (q->vm == vm)
				any |= sim_retry_answer(q, va, resolved);
		spin_unlock(&e->lock);
		if (any)
			sim_engine_kick(e);
	}
}
