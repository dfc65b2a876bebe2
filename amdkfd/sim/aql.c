// SPDX-License-Identifier: GPL-2.0-only
/*
 * AQL: barrier packets, PM4 in an indirect buffer, and completion signals.
 *
 * The packet at the read index is run when its header says what it is; INVALID
 * means that its writer is not done yet, and the queue waits there. Packets
 * run one after the other, so the barrier bit is always honoured, and memory
 * is coherent, so a fence scope is a memory barrier whatever its width.
 *
 * While a vendor packet's indirect buffer is run, regs->ib is set and the read
 * index stays at the packet: a reload goes on inside the buffer.
 *
 * A packet completes in one go (sim_commit()). A step that ends with SIM_FAULT
 * has written nothing and may be repeated.
 */
#include <linux/kernel.h>

#include <hw/aql.h>
#include <hw/pm4_gfx9.h>

#include "engine.h"

static u64 aql_u64(const u32 *p)
{
	return (u64)p[1] << 32 | p[0];
}

/**
 * sim_aql_packet_va() - where the packet at the read index is
 * @r: registers
 *
 * Context: any.
 * Return: its GPU VA.
 */
u64 sim_aql_packet_va(const struct sim_regs *r)
{
	return r->ring_va + (r->rptr & (r->ring_size - 1)) * AQL_PACKET_BYTES;
}

/**
 * sim_aql_empty() - whether there is no packet between the indices
 * @r: registers; a write index behind the read index counts as empty
 *
 * Context: any.
 * Return: true when there is none.
 */
bool sim_aql_empty(const struct sim_regs *r)
{
	return (s64)(r->wptr - r->rptr) <= 0;
}

static int aql_read_header(struct sim_exec *x, u32 *header)
{
	int ret = sim_read(x, sim_aql_packet_va(x->regs), header, sizeof(*header));

	if (ret)
		x->fault_error = SIM_ERROR_RING_FAULT;
	smp_rmb(); /* the body is read after the header that makes it valid */
	return ret;
}

/**
 * sim_aql_peek() - whether there is a packet to run
 * @x: context, with the write index read
 *
 * Context: engine's thread.
 * Return: SIM_DONE: there is; SIM_IDLE: none or not valid yet; SIM_FAULT.
 */
enum sim_result sim_aql_peek(struct sim_exec *x)
{
	u32 header;

	if (x->regs->ib)
		return SIM_DONE;
	if (sim_aql_empty(x->regs))
		return SIM_IDLE;
	if (aql_read_header(x, &header))
		return SIM_FAULT;
	return AQL_TYPE(header) == AQL_TYPE_INVALID ? SIM_IDLE : SIM_DONE;
}

/* What completing a packet writes. */
struct aql_completion {
	struct sim_effect effects[6];
	u32 n;
};

static void aql_effect(struct aql_completion *c, u64 va, u32 size, bool add,
		       u64 value)
{
	c->effects[c->n++] = (struct sim_effect) {
		.va = va,
		.size = size,
		.add = add,
		.value = value,
	};
}

static void aql_signal(struct sim_exec *x, struct aql_completion *c,
		       u64 signal, u64 mailbox, u32 event)
{
	u64 now = sim_gpu_clock();

	aql_effect(c, signal + AMD_SIGNAL_START_TS, 8, false,
		   x->queue->aql_start ?: now);
	aql_effect(c, signal + AMD_SIGNAL_END_TS, 8, false, now);
	aql_effect(c, signal + AMD_SIGNAL_VALUE, 8, true, -1);
	/* From here on the signal may be gone. */
	if (mailbox)
		aql_effect(c, mailbox & ~7ull, 8, false, event);
}

/*
 * Give the slot back to the writer, signal, go on. All of it or nothing: once
 * the writer may use the slot again, nothing is left to start over from.
 */
static enum sim_result aql_complete(struct sim_exec *x, u64 signal)
{
	struct aql_completion c = {};
	struct sim_regs *r = x->regs;
	u64 mailbox = 0;
	u32 event = 0;

	if (signal && (sim_read(x, signal + AMD_SIGNAL_MAILBOX, &mailbox,
				sizeof(mailbox)) ||
		       sim_read(x, signal + AMD_SIGNAL_EVENT_ID, &event,
				sizeof(event))))
		return SIM_FAULT;
	/* Released before the completion: the signal tells that it may be. */
	aql_effect(&c, sim_aql_packet_va(r), 2, false, AQL_TYPE_INVALID);
	if (signal) {
		/* Whoever sees the signal sees the read index, too. */
		c.effects[c.n++] = sim_rptr_effect(x->queue, r->rptr + 1);
		aql_signal(x, &c, signal, mailbox, event);
	}
	if (sim_commit(x, c.effects, c.n))
		return SIM_FAULT;
	r->rptr++;
	r->mid = 0;
	r->ib = false;
	if (signal) {
		r->rptr_reported = r->rptr;
		x->unreported = 0;
	}
	if (mailbox)
		sim_interrupt(x, KFD_IRQ_CP_EOP, event);
	x->queue->aql_start = 0;
	return SIM_DONE;
}

static enum sim_result aql_barrier(struct sim_exec *x, const u32 *p, bool all)
{
	bool any = false, none = true;
	u32 i;

	for (i = 0; i < AQL_BARRIER_SIGNALS; i++) {
		u64 signal = aql_u64(&p[AQL_BARRIER_SIGNAL_DWORD + 2 * i]);
		s64 value;

		if (!signal)
			continue;
		none = false;
		if (sim_read(x, signal + AMD_SIGNAL_VALUE, &value,
			     sizeof(value)))
			return SIM_FAULT;
		if (value && all)
			return SIM_BLOCKED;
		any |= !value;
	}
	if (!all && !any && !none)
		return SIM_BLOCKED;
	return aql_complete(x, aql_u64(&p[AQL_COMPLETION_DWORD]));
}

/**
 * sim_aql_vendor() - enter the indirect buffer of a vendor packet
 * @x: context
 * @p: the packet, which completes at the buffer's end
 *
 * Context: engine's thread.
 * Return: SIM_MORE, or SIM_BAD.
 */
enum sim_result sim_aql_vendor(struct sim_exec *x, const u32 *p)
{
	const u32 *ib = &p[AQL_VENDOR_IB_DWORD];
	struct sim_regs *r = x->regs;

	if (AQL_VENDOR_FORMAT(p[0]) != AQL_VENDOR_PM4_IB ||
	    PM4_TYPE(ib[0]) != PM4_TYPE3 ||
	    PM4_OPCODE(ib[0]) != PM4_OP_INDIRECT_BUFFER)
		return SIM_BAD;
	r->ib_va = aql_u64(&ib[1]) & ~3ull;
	r->ib_size = PM4_IB_SIZE(ib[3]);
	r->ib_pos = 0;
	r->ib = true;
	r->mid = 0;
	x->window_dwords = 0;
	return SIM_MORE;
}

/* In a vendor packet's buffer. */
static enum sim_result aql_indirect(struct sim_exec *x)
{
	u32 signal[2];

	if (sim_src_avail(x)) {
		enum sim_result res = sim_pm4_step(x);

		return res == SIM_DONE ? SIM_MORE : res;
	}
	if (sim_read(x, sim_aql_packet_va(x->regs) + AQL_COMPLETION_DWORD * 4,
		     signal, sizeof(signal)))
		return SIM_FAULT;
	return aql_complete(x, aql_u64(signal));
}

/**
 * sim_aql_step() - run the next packet, or a part of it
 * @x: context of an AQL queue
 *
 * Context: engine's thread.
 * Return: see enum sim_result.
 */
enum sim_result sim_aql_step(struct sim_exec *x)
{
	struct sim_regs *r = x->regs;
	u32 *p = x->head;

	if (r->ib)
		return aql_indirect(x);
	if (sim_aql_empty(r))
		return SIM_IDLE;
	if (aql_read_header(x, &p[0]))
		return SIM_FAULT;
	if (AQL_TYPE(p[0]) == AQL_TYPE_INVALID)
		return SIM_IDLE;
	if (sim_read(x, sim_aql_packet_va(r) + 4, &p[1], AQL_PACKET_BYTES - 4)) {
		x->fault_error = SIM_ERROR_RING_FAULT;
		return SIM_FAULT;
	}
	if (AQL_ACQUIRE_SCOPE(p[0]))
		smp_mb(); /* acquire: see all writes of others */
	if (!x->queue->aql_start)
		x->queue->aql_start = sim_gpu_clock();
	switch (AQL_TYPE(p[0])) {
	case AQL_TYPE_VENDOR:
		return sim_aql_vendor(x, p);
	case AQL_TYPE_BARRIER_AND:
		return aql_barrier(x, p, true);
	case AQL_TYPE_BARRIER_OR:
		return aql_barrier(x, p, false);
	case AQL_TYPE_KERNEL_DISPATCH:
		return SIM_NO_SHADER;
	default:
		return SIM_BAD;
	}
}
