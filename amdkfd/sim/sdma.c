// SPDX-License-Identifier: GPL-2.0-only
/*
 * The copy engine: SDMA v4 packets of a ring, of an indirect buffer or of a
 * job.
 *
 * One call of sim_sdma_step() runs one packet, or a chunk of SIM_CHUNK bytes of
 * a long one; regs->mid counts the bytes that are done meanwhile, to the byte
 * where a fault stopped it, so that a step that ended with SIM_FAULT may be
 * repeated. Ranges that overlap are copied from low to high addresses.
 */
#include <linux/kernel.h>

#include <hw/pm4_gfx9.h>
#include <hw/sdma_v4.h>

#include "engine.h"

static u64 sdma_u64(const u32 *p)
{
	return (u64)p[1] << 32 | p[0];
}

static enum sim_result sdma_result(int ret)
{
	return ret ? SIM_FAULT : SIM_DONE;
}

/* A chunk of @total bytes, @done of which came before it, ended with @ret. */
static enum sim_result sdma_progress(struct sim_exec *x, int ret, u64 done,
				     u64 total)
{
	struct sim_regs *r = x->regs;

	r->mid = done + x->moved;
	if (ret)
		return SIM_FAULT;
	return r->mid >= total ? SIM_DONE : SIM_MORE;
}

/*
 * A job may ask for one byte more than it means, and that byte may lie past
 * the end of a mapping; see struct sim_job.
 */
static u32 sdma_forgive(struct sim_exec *x, u64 src, u64 dst, u32 bytes)
{
	u32 last = bytes - 1;

	if (x->queue || !last)
		return bytes;
	if (sim_vm_mapped(x->vm, src + last, false) &&
	    sim_vm_mapped(x->vm, dst + last, true))
		return bytes;
	if (sim_vm_mapped(x->vm, src + last - 1, false) &&
	    sim_vm_mapped(x->vm, dst + last - 1, true))
		return last;
	return bytes;
}

/*
 * Copy to two places, a chunk to the first and then to the second: regs->mid
 * has what the second has done in its low half, what the first has in the high
 * one.
 */
static enum sim_result sdma_copy_broadcast(struct sim_exec *x, u64 src,
					   u32 bytes)
{
	u64 dst = sdma_u64(&x->head[5]), dst2 = sdma_u64(&x->head[7]);
	struct sim_regs *r = x->regs;
	u32 ahead = min(upper_32_bits(r->mid), bytes);
	u32 done = min(lower_32_bits(r->mid), ahead);
	u32 end = min(round_down(done, SIM_CHUNK) + SIM_CHUNK, bytes);
	int ret = 0;

	if (ahead < end) {
		ret = sim_copy(x, dst + ahead, src + ahead, end - ahead);
		ahead += x->moved;
	}
	if (!ret && done < end) {
		ret = sim_copy(x, dst2 + done, src + done, end - done);
		done += x->moved;
	}
	r->mid = (u64)ahead << 32 | done;
	if (ret)
		return SIM_FAULT;
	return done == bytes ? SIM_DONE : SIM_MORE;
}

static enum sim_result sdma_copy_linear(struct sim_exec *x)
{
	const u32 *p = x->head;
	u64 src = sdma_u64(&p[3]), dst = sdma_u64(&p[5]);
	u32 bytes = sdma_forgive(x, src, dst, SDMA_COPY_BYTES(p[1]));
	u64 done = min_t(u64, x->regs->mid, bytes);
	u32 chunk = min_t(u64, bytes - done, SIM_CHUNK);

	if (p[0] & SDMA_COPY_BROADCAST)
		return sdma_copy_broadcast(x, src, bytes);
	if (!chunk)
		return SIM_DONE;
	return sdma_progress(x, sim_copy(x, dst + done, src + done, chunk),
			     done, bytes);
}

/* Byte address of row @row of the box whose description starts at @p. */
static u64 sdma_subwin_row(const u32 *p, u32 shift, u64 row, u32 height)
{
	u64 z = div_u64(row, height), y = row - z * height;
	u64 element;

	z += SDMA_SUBWIN_Z(p[3]);
	y += SDMA_SUBWIN_Y(p[2]);
	element = z * SDMA_SUBWIN_SLICE(p[4]) + y * SDMA_SUBWIN_PITCH(p[3]) +
		  SDMA_SUBWIN_X(p[2]);
	return sdma_u64(p) + (element << shift);
}

/* A step copies whole rows, as many as make up a chunk; at least one. */
static enum sim_result sdma_copy_subwin(struct sim_exec *x)
{
	const u32 *p = x->head;
	u32 shift = SDMA_SUBWIN_ELEMENT(p[0]);
	u32 width = SDMA_SUBWIN_X(p[11]) + 1, height = SDMA_SUBWIN_Y(p[11]) + 1;
	u32 left, depth = SDMA_SUBWIN_Z(p[12]) + 1, bytes, done;
	u64 row, rows = (u64)height * depth;
	int ret;

	if (shift > SDMA_SUBWIN_ELEMENT_MAX)
		return SIM_BAD;
	bytes = width << shift;
	/* A row may have been left in its middle. */
	row = div_u64_rem(x->regs->mid, bytes, &done);
	left = max_t(u32, SIM_CHUNK / bytes, 1);
	left = min(left, SIM_CHUNK / SIM_PACKET_COST);
	for (; row < rows && left; row++, left--, done = 0) {
		ret = sim_copy(x, sdma_subwin_row(&p[6], shift, row, height) +
				  done,
			       sdma_subwin_row(&p[1], shift, row, height) +
				  done, bytes - done);
		x->regs->mid = row * bytes + done + x->moved;
		if (ret)
			return SIM_FAULT;
	}
	return row >= rows ? SIM_DONE : SIM_MORE;
}

static enum sim_result sdma_write(struct sim_exec *x)
{
	u64 dst = sdma_u64(&x->head[1]) & ~3ull;
	u64 bytes = SDMA_WRITE_COUNT(x->head[3]) * 4ull, done;
	u32 chunk, value;

	if (bytes == 4) {
		if (sim_src_read(x, SDMA_WRITE_HEAD_DWORDS, &value, 1))
			return SIM_FAULT;
		return sdma_result(sim_write32(x, dst, value));
	}
	done = min_t(u64, x->regs->mid & ~3ull, bytes);
	chunk = min_t(u64, bytes - done, SIM_CHUNK);
	return sdma_progress(x, sim_src_copy(x, SDMA_WRITE_HEAD_DWORDS +
					     done / 4, dst + done, chunk),
			     done, bytes);
}

static enum sim_result sdma_fill(struct sim_exec *x)
{
	const u32 *p = x->head;
	u64 dst = sdma_u64(&p[1]), done;
	u32 size = 1u << SDMA_FILL_SIZE(p[0]);
	u32 bytes, chunk;

	if (SDMA_FILL_SIZE(p[0]) > SDMA_FILL_DWORD || dst & (size - 1))
		return SIM_BAD;
	/* Whole elements: the count's low bits do not matter. */
	bytes = (SDMA_FILL_COUNT(p[4]) | (size - 1)) + 1;
	done = min_t(u64, round_down(x->regs->mid, size), bytes);
	chunk = min_t(u64, bytes - done, SIM_CHUNK);
	return sdma_progress(x, sim_fill(x, dst + done, p[3], size, chunk),
			     done, bytes);
}

/* Enters the buffer: the packet itself is done, so it advances by itself. */
static enum sim_result sdma_indirect(struct sim_exec *x)
{
	struct sim_regs *r = x->regs;

	if (r->ib)
		return SIM_BAD;
	sim_src_advance(x, SDMA_INDIRECT_DWORDS);
	r->ib_va = sdma_u64(&x->head[1]) & ~3ull;
	r->ib_size = SDMA_INDIRECT_SIZE(x->head[3]);
	r->ib_pos = 0;
	r->ib = r->ib_size;
	x->window_dwords = 0;
	return SIM_MORE;
}

/* Tries, if they are counted, are counted in regs->mid. */
static enum sim_result sdma_poll(struct sim_exec *x)
{
	const u32 *p = x->head;
	u32 function = SDMA_POLL_FUNCTION(p[0]), value = 0;
	u32 retries = SDMA_POLL_RETRIES(p[5]);

	if (SDMA_SUBOP(p[0]) || function > GPU_CMP_GT)
		return SIM_BAD;
	/* A register reads as zero: those a queue polls show "idle" so. */
	if (p[0] & SDMA_POLL_MEM && function != GPU_CMP_ALWAYS &&
	    sim_read(x, sdma_u64(&p[1]) & ~3ull, &value, sizeof(value)))
		return SIM_FAULT;
	if (sim_compare(function, value, p[4], p[3])) {
		smp_rmb(); /* what follows sees what came before the value */
		return SIM_DONE;
	}
	if (retries != SDMA_POLL_FOREVER && x->regs->mid++ >= retries)
		return SIM_DONE; /* given up: the queue goes on, as hardware's */
	return SIM_BLOCKED;
}

static enum sim_result sdma_timestamp(struct sim_exec *x)
{
	u32 sub = SDMA_SUBOP(x->head[0]);

	if (sub != SDMA_SUBOP_TIMESTAMP_GET && sub != SDMA_SUBOP_TIMESTAMP_GLOBAL)
		return SIM_BAD;
	return sdma_result(sim_write64(x, sdma_u64(&x->head[1]),
				       sim_gpu_clock()));
}

/**
 * sim_sdma_head_dwords() - how long a packet is
 * @h: its header
 *
 * Context: any.
 * Return: dwords, of a WRITE without its data; 0: not a packet of this engine.
 */
u32 sim_sdma_head_dwords(u32 h)
{
	switch (SDMA_OP(h)) {
	case SDMA_OP_NOP:
		return SDMA_NOP_COUNT(h) + 1;
	case SDMA_OP_COPY:
		if (SDMA_SUBOP(h) == SDMA_SUBOP_COPY_SUBWIN)
			return SDMA_SUBWIN_DWORDS;
		if (SDMA_SUBOP(h) != SDMA_SUBOP_COPY_LINEAR)
			return 0;
		return h & SDMA_COPY_BROADCAST ? SDMA_COPY_BROADCAST_DWORDS :
						 SDMA_COPY_DWORDS;
	case SDMA_OP_WRITE:
		return SDMA_SUBOP(h) == SDMA_SUBOP_WRITE_LINEAR ?
		       SDMA_WRITE_HEAD_DWORDS : 0;
	case SDMA_OP_INDIRECT:
		return SDMA_INDIRECT_DWORDS;
	case SDMA_OP_FENCE:
		return SDMA_FENCE_DWORDS;
	case SDMA_OP_TRAP:
		return SDMA_TRAP_DWORDS;
	case SDMA_OP_POLL_REGMEM:
		return SDMA_POLL_DWORDS;
	case SDMA_OP_ATOMIC:
		return SDMA_ATOMIC_DWORDS;
	case SDMA_OP_CONST_FILL:
		return SDMA_FILL_DWORDS;
	case SDMA_OP_TIMESTAMP:
		return SDMA_TIMESTAMP_DWORDS;
	default:
		return 0;
	}
}

static enum sim_result sdma_execute(struct sim_exec *x)
{
	const u32 *p = x->head;

	switch (SDMA_OP(p[0])) {
	case SDMA_OP_COPY:
		return SDMA_SUBOP(p[0]) == SDMA_SUBOP_COPY_SUBWIN ?
		       sdma_copy_subwin(x) : sdma_copy_linear(x);
	case SDMA_OP_WRITE:
		return sdma_write(x);
	case SDMA_OP_INDIRECT:
		return sdma_indirect(x);
	case SDMA_OP_FENCE:
		return sdma_result(sim_signal(x, sdma_u64(&p[1]) & ~3ull, 4,
					      false, p[3]));
	case SDMA_OP_TRAP:
		if (sim_signal(x, 0, 0, false, 0))
			return SIM_FAULT;
		sim_interrupt(x, KFD_IRQ_SDMA_TRAP, SDMA_TRAP_CONTEXT(p[1]));
		return SIM_DONE;
	case SDMA_OP_POLL_REGMEM:
		return sdma_poll(x);
	case SDMA_OP_ATOMIC:
		return sim_atomic(x, SDMA_ATOMIC_OP(p[0]), sdma_u64(&p[1]),
				  sdma_u64(&p[3]));
	case SDMA_OP_CONST_FILL:
		return sdma_fill(x);
	case SDMA_OP_TIMESTAMP:
		return sdma_timestamp(x);
	default:
		return SIM_DONE;	/* NOP */
	}
}

/**
 * sim_sdma_step() - run the next packet, or a chunk of it
 * @x: context; regs->ib says whether it comes from an indirect buffer
 *
 * An indirect buffer that has been run to its end is left in the call that
 * finds it empty.
 *
 * Context: engine's thread.
 * Return: see enum sim_result.
 */
enum sim_result sim_sdma_step(struct sim_exec *x)
{
	struct sim_regs *r = x->regs;
	u32 avail = sim_src_avail(x), header, dwords;
	enum sim_result res;

	if (!avail) {
		if (!r->ib)
			return SIM_IDLE;
		r->ib = false;
		return SIM_MORE;
	}
	if (sim_src_read(x, 0, x->head, 1))
		return SIM_FAULT;
	header = x->head[0];
	dwords = sim_sdma_head_dwords(header);
	if (!dwords)
		return SIM_BAD;
	if (dwords <= avail) {
		if (sim_src_read(x, 0, x->head, min(dwords, SIM_HEAD_DWORDS)))
			return SIM_FAULT;
		if (SDMA_OP(header) == SDMA_OP_WRITE)
			dwords += SDMA_WRITE_COUNT(x->head[3]);
	}
	if (dwords > avail)
		/* The rest of it may still come, unless it can't fit. */
		return r->ib || dwords >= r->ring_size ? SIM_BAD : SIM_IDLE;
	x->dwords = dwords;
	res = sdma_execute(x);
	if (res == SIM_DONE)
		sim_src_advance(x, dwords);
	return res;
}
