// SPDX-License-Identifier: GPL-2.0-only
/*
 * How far a queue has come, for whoever waits until it has nothing to do.
 *
 * engine->lock for the registers, as in engine.h; the write pointer is read
 * from memory after it was dropped. A queue that goes on between the two is
 * seen with an old read pointer, thus as busy, never as idle.
 */
#include <linux/kernel.h>

#include <hw/aql.h>

#include "engine.h"

/**
 * sim_queue_progress() - struct kfd_device_ops.queue_progress
 * @gpu: struct sim_gpu
 * @q: queue
 * @out: result
 *
 * Context: sleeps; takes engine->lock, then vm->lock and pages_lock.
 */
void sim_queue_progress(void *gpu, struct kfd_gpu_queue *q,
			struct kfd_gpu_queue_progress *out)
{
	u32 unit = sim_queue_is_aql(q) ? AQL_PACKET_DWORDS : 1;
	struct sim_engine *e = q->engine;
	struct sim_fault_info fault;
	bool readable, busy;
	u64 rptr, wptr, va;

	spin_lock(&e->lock);
	/* The thread's while it is running: a moment's value, word by word. */
	rptr = READ_ONCE(q->regs.rptr);
	wptr = READ_ONCE(q->regs.wptr);
	va = READ_ONCE(q->regs.wptr_va);
	busy = q->running || q->hung || q->regs.ib || q->regs.mid;
	out->halted = !q->running && q->regs.error;
	spin_unlock(&e->lock);

	readable = !sim_vm_read(q->vm, va & ~7ull, &va, sizeof(va), &fault);
	if (readable)
		wptr = q->desc.type == KFD_GPU_QUEUE_SDMA ? va >> 2 : va;
	out->rptr = rptr * unit;
	out->wptr = wptr * unit;
	out->idle = readable && !busy && rptr == wptr;
}
