// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hardware slots: the registers of a queue, loaded from its MQD and saved
 * into it.
 *
 * An MQD may come from a checkpoint image, so nothing in it is believed:
 * sizes are clamped, positions are taken modulo the ring, addresses are only
 * ever used through sim_vm_*().
 *
 * What is done of a packet that was stopped half-way: SDMA has registers for
 * it, MIDCMD. A compute queue keeps it on its control stack, where the
 * hardware puts what a queue needs besides its registers, in the hardware's
 * form: one event (struct sim_stack_record) at the bottom, counted by
 * CNTL_STACK_OFFSET.
 *
 * Everything here is called with engine->lock held, for a queue that is not
 * running.
 */
#include <linux/kernel.h>
#include <linux/string.h>

#include <hw/aql.h>
#include <hw/gfx9_mqd.h>
#include <hw/pm4_gfx9.h>
#include <hw/sdma_v4.h>

#include "engine.h"

/* How long a queue keeps a slot that others wait for. */
#define SIM_QUANTUM_NS		(10 * NSEC_PER_MSEC)

#define SIM_MIDCMD_VALID	BIT(0)

#define SIM_STACK_HEADER	PM4_HEADER(PM4_OP_SET_SH_REG, 3)

/**
 * struct sim_stack_record - a half-done PM4 packet on the control stack
 * @header: SIM_STACK_HEADER
 * @reg: MQD9_STACK_REGISTER
 * @event: MQD9_RELAUNCH_IS_EVENT and how many bytes of the packet are done;
 *	no PM4 packet has more of them than fit
 */
struct sim_stack_record {
	u32 header;
	u32 reg;
	u32 event;
};

static u64 sim_mqd_u64(const u32 *mqd, u32 lo, u32 hi)
{
	return (u64)mqd[hi] << 32 | mqd[lo];
}

static void sim_mqd_set_u64(u32 *mqd, u32 lo, u32 hi, u64 value)
{
	mqd[lo] = lower_32_bits(value);
	mqd[hi] = upper_32_bits(value);
}

/* Bytes of the control stack's copy that both sides agree on. */
static u32 sim_stack_size(const struct kfd_gpu_queue *q)
{
	if (!q->desc.ctl_stack)
		return 0;
	return min(q->desc.mqd[MQD9_CP_HQD_CNTL_STACK_SIZE],
		   q->desc.ctl_stack_size);
}

static void sim_stack_save(struct kfd_gpu_queue *q)
{
	struct sim_stack_record rec = {
		.header = SIM_STACK_HEADER,
		.reg = MQD9_STACK_REGISTER,
		.event = MQD9_RELAUNCH_IS_EVENT |
			 (q->regs.mid & MQD9_RELAUNCH_EVENT_MASK),
	};
	u32 size = sim_stack_size(q);

	if (size < sizeof(rec))
		return;
	q->desc.mqd[MQD9_CP_HQD_CNTL_STACK_OFFSET] = size;
	if (!q->regs.mid)
		return;
	memcpy(q->desc.ctl_stack + size - sizeof(rec), &rec, sizeof(rec));
	q->desc.mqd[MQD9_CP_HQD_CNTL_STACK_OFFSET] = size - sizeof(rec);
}

static u64 sim_stack_load(const struct kfd_gpu_queue *q)
{
	u32 size = sim_stack_size(q);
	struct sim_stack_record rec;

	if (size < sizeof(rec) || q->desc.mqd[MQD9_CP_HQD_CNTL_STACK_OFFSET] !=
				  size - sizeof(rec))
		return 0;
	memcpy(&rec, q->desc.ctl_stack + size - sizeof(rec), sizeof(rec));
	if (rec.header != SIM_STACK_HEADER || rec.reg != MQD9_STACK_REGISTER ||
	    !(rec.event & MQD9_RELAUNCH_IS_EVENT))
		return 0;
	return rec.event & MQD9_RELAUNCH_EVENT_MASK;
}

static void sim_decode_compute(struct kfd_gpu_queue *q)
{
	const u32 *m = q->desc.mqd;
	struct sim_regs *r = &q->regs;
	u32 order, rptr, ib;
	u64 wptr;

	order = (m[MQD9_CP_HQD_PQ_CONTROL] & MQD9_PQ_QUEUE_SIZE_MASK) + 1;
	/* The smallest ring holds one AQL packet. */
	r->ring_size = 1u << clamp(order, 4u, SIM_RING_ORDER_MAX);
	r->ring_va = sim_mqd_u64(m, MQD9_CP_HQD_PQ_BASE_LO,
				 MQD9_CP_HQD_PQ_BASE_HI) << 8;
	r->rptr_va = sim_mqd_u64(m, MQD9_CP_HQD_PQ_RPTR_REPORT_ADDR_LO,
				 MQD9_CP_HQD_PQ_RPTR_REPORT_ADDR_HI);
	r->wptr_va = sim_mqd_u64(m, MQD9_CP_HQD_PQ_WPTR_POLL_ADDR_LO,
				 MQD9_CP_HQD_PQ_WPTR_POLL_ADDR_HI);
	wptr = sim_mqd_u64(m, MQD9_CP_HQD_PQ_WPTR_LO, MQD9_CP_HQD_PQ_WPTR_HI);
	rptr = m[MQD9_CP_HQD_PQ_RPTR];
	if (sim_queue_is_aql(q)) {
		r->ring_size /= AQL_PACKET_DWORDS;
		rptr /= AQL_PACKET_DWORDS;
		wptr /= AQL_PACKET_DWORDS;
	}
	/* The read pointer is kept wrapped: it lies less than a ring behind. */
	r->rptr = wptr - ((wptr - rptr) & (r->ring_size - 1));
	r->wptr = r->rptr;

	ib = m[MQD9_CP_HQD_IB_CONTROL];
	r->ib = ib & MQD9_IB_PROCESSING;
	r->ib_va = sim_mqd_u64(m, MQD9_CP_HQD_IB_BASE_ADDR_LO,
			       MQD9_CP_HQD_IB_BASE_ADDR_HI) & ~3ull;
	r->ib_size = ib & MQD9_IB_SIZE_MASK;
	r->ib_pos = min(m[MQD9_CP_HQD_IB_RPTR], r->ib_size);
	r->mid = sim_stack_load(q);
	r->error = m[MQD9_CP_HQD_ERROR] & SIM_ERROR_MASK;
}

static void sim_encode_compute(struct kfd_gpu_queue *q)
{
	const struct sim_regs *r = &q->regs;
	u32 *m = q->desc.mqd;
	u32 unit = sim_queue_is_aql(q) ? AQL_PACKET_DWORDS : 1;
	u32 behind;

	/*
	 * A full AQL ring would look like an empty one modulo its size. The
	 * write pointer is read from memory again, so let it fall behind.
	 */
	behind = min_t(u64, r->wptr - r->rptr, r->ring_size - 1);
	m[MQD9_CP_HQD_PQ_RPTR] = (r->rptr & (r->ring_size - 1)) * unit;
	sim_mqd_set_u64(m, MQD9_CP_HQD_PQ_WPTR_LO, MQD9_CP_HQD_PQ_WPTR_HI,
			(r->rptr + behind) * unit);
	sim_mqd_set_u64(m, MQD9_CP_HQD_IB_BASE_ADDR_LO,
			MQD9_CP_HQD_IB_BASE_ADDR_HI, r->ib ? r->ib_va : 0);
	m[MQD9_CP_HQD_IB_RPTR] = r->ib ? r->ib_pos : 0;
	m[MQD9_CP_HQD_IB_CONTROL] &= ~(MQD9_IB_SIZE_MASK | MQD9_IB_PROCESSING);
	if (r->ib)
		m[MQD9_CP_HQD_IB_CONTROL] |= r->ib_size | MQD9_IB_PROCESSING;
	sim_stack_save(q);
	m[MQD9_CP_HQD_ERROR] &= ~SIM_ERROR_MASK;
	m[MQD9_CP_HQD_ERROR] |= r->error;
}

static void sim_decode_sdma(struct kfd_gpu_queue *q)
{
	const u32 *m = q->desc.mqd;
	struct sim_regs *r = &q->regs;
	u32 order;

	order = (m[SDMA_MQD9_RB_CNTL] & SDMA_MQD9_RB_SIZE_MASK) >>
		SDMA_MQD9_RB_SIZE_SHIFT;
	r->ring_size = 1u << clamp(order, 4u, SIM_RING_ORDER_MAX);
	r->ring_va = sim_mqd_u64(m, SDMA_MQD9_RB_BASE,
				 SDMA_MQD9_RB_BASE_HI) << 8;
	r->rptr_va = sim_mqd_u64(m, SDMA_MQD9_RB_RPTR_ADDR_LO,
				 SDMA_MQD9_RB_RPTR_ADDR_HI);
	r->wptr_va = sim_mqd_u64(m, SDMA_MQD9_RB_WPTR_POLL_ADDR_LO,
				 SDMA_MQD9_RB_WPTR_POLL_ADDR_HI);
	r->rptr = sim_mqd_u64(m, SDMA_MQD9_RB_RPTR, SDMA_MQD9_RB_RPTR_HI) >> 2;
	r->wptr = r->rptr;

	/* Whether an IB is being run shows in its size alone. */
	r->ib_va = sim_mqd_u64(m, SDMA_MQD9_IB_BASE_LO,
			       SDMA_MQD9_IB_BASE_HI) & ~3ull;
	r->ib_size = SDMA_INDIRECT_SIZE(m[SDMA_MQD9_IB_SIZE]);
	r->ib_pos = min(m[SDMA_MQD9_IB_RPTR] / 4, r->ib_size);
	r->ib = r->ib_size;
	r->mid = m[SDMA_MQD9_MIDCMD_CNTL] & SIM_MIDCMD_VALID ?
		 sim_mqd_u64(m, SDMA_MQD9_MIDCMD_DATA0,
			     SDMA_MQD9_MIDCMD_DATA0 + 1) : 0;
	r->error = m[SDMA_MQD9_STATUS] & SIM_ERROR_MASK;
}

static void sim_encode_sdma(struct kfd_gpu_queue *q)
{
	const struct sim_regs *r = &q->regs;
	u32 *m = q->desc.mqd;

	sim_mqd_set_u64(m, SDMA_MQD9_RB_RPTR, SDMA_MQD9_RB_RPTR_HI,
			r->rptr << 2);
	sim_mqd_set_u64(m, SDMA_MQD9_RB_WPTR, SDMA_MQD9_RB_WPTR_HI,
			r->wptr << 2);
	sim_mqd_set_u64(m, SDMA_MQD9_IB_BASE_LO, SDMA_MQD9_IB_BASE_HI,
			r->ib ? r->ib_va : 0);
	m[SDMA_MQD9_IB_SIZE] = r->ib ? r->ib_size : 0;
	m[SDMA_MQD9_IB_RPTR] = r->ib ? r->ib_pos * 4 : 0;
	m[SDMA_MQD9_IB_OFFSET] = m[SDMA_MQD9_IB_RPTR];
	sim_mqd_set_u64(m, SDMA_MQD9_MIDCMD_DATA0, SDMA_MQD9_MIDCMD_DATA0 + 1,
			r->mid);
	m[SDMA_MQD9_MIDCMD_CNTL] = r->mid ? SIM_MIDCMD_VALID : 0;
	m[SDMA_MQD9_STATUS] &= ~SIM_ERROR_MASK;
	m[SDMA_MQD9_STATUS] |= r->error;
}

/**
 * sim_slot_decode() - load a queue's registers from its MQD
 * @q: queue
 *
 * Context: engine->lock held, @q loaded by the driver and not running.
 */
void sim_slot_decode(struct kfd_gpu_queue *q)
{
	lockdep_assert_held(&q->engine->lock);
	memset(&q->regs, 0, sizeof(q->regs));
	if (q->desc.type == KFD_GPU_QUEUE_SDMA)
		sim_decode_sdma(q);
	else
		sim_decode_compute(q);
	/*
	 * What memory has of the read pointer: all, or the queue would not
	 * have stopped. But it may have been taken off while it waited for
	 * the page: then it is not known.
	 */
	q->regs.rptr_reported = sim_rptr_done(q);
	if (q->desc.retry_faults)
		q->regs.rptr_reported = ~q->regs.rptr_reported;
}

/**
 * sim_slot_release() - take a queue off the hardware
 * @q: queue
 * @save: put the registers into the MQD; else they are lost
 *
 * A loaded queue without a slot has registers too: what a look at its write
 * pointer found.
 *
 * Context: engine->lock held, @q loaded and not running.
 */
void sim_slot_release(struct kfd_gpu_queue *q, bool save)
{
	lockdep_assert_held(&q->engine->lock);
	if (save && q->desc.type == KFD_GPU_QUEUE_SDMA)
		sim_encode_sdma(q);
	else if (save)
		sim_encode_compute(q);
	if (!q->slot)
		return;
	q->slot = false;
	q->switches++;
	q->engine->used_slots--;
}

/* A queue whose slot may be given to another, or NULL. */
static struct kfd_gpu_queue *sim_slot_victim(struct sim_engine *e, u64 now)
{
	struct kfd_gpu_queue *q, *found = NULL;

	list_for_each_entry(q, &e->queues, node) {
		if (!q->slot || q->running || q->hung)
			continue;
		if (!q->work || q->regs.error)
			return q;
		if (now < q->blocked_until || q->retry.waiting ||
		    now - q->slot_since >= SIM_QUANTUM_NS)
			found = q;
	}
	return found;
}

/**
 * sim_slot_room() - whether sim_slot_get() would succeed
 * @e: engine
 * @now: ktime_get_ns()
 *
 * For any queue that has no slot: walk over the queues and ask once.
 *
 * Context: engine->lock held.
 */
bool sim_slot_room(struct sim_engine *e, u64 now)
{
	lockdep_assert_held(&e->lock);
	return e->used_slots < e->n_slots || sim_slot_victim(e, now);
}

/**
 * sim_slot_get() - give a queue a hardware slot
 * @q: a loaded queue that is not running
 * @now: ktime_get_ns()
 *
 * Takes the slot of an idle, blocked or long-running queue when all are taken.
 *
 * Context: engine->lock held.
 * Return: whether it has one.
 */
bool sim_slot_get(struct kfd_gpu_queue *q, u64 now)
{
	struct sim_engine *e = q->engine;
	struct kfd_gpu_queue *victim;

	lockdep_assert_held(&e->lock);
	if (q->slot)
		return true;
	if (e->used_slots >= e->n_slots) {
		victim = sim_slot_victim(e, now);
		if (!victim)
			return false;
		sim_slot_release(victim, true);
	}
	sim_slot_decode(q);
	q->slot = true;
	q->slot_since = now;
	e->used_slots++;
	return true;
}
