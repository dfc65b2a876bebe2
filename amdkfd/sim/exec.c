// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory as the packet decoders see it.
 *
 * A decoder reads packets from a source, which is the ring or an indirect
 * buffer, through a window of dwords fetched ahead; it reads and writes data
 * by address. A write into the window's range drops the window, so a packet
 * that changes one further on is seen. Everything here belongs to the engine's
 * thread; no lock is needed.
 */
#include <linux/kernel.h>

#include <hw/aql.h>
#include <hw/pm4_gfx9.h>
#include <hw/sdma_v4.h>

#include "engine.h"

static int sim_failed(struct sim_exec *x, int ret, u32 error)
{
	if (ret)
		x->fault_error = error;
	return ret;
}

/*
 * Note how far a copy or a fill got: what is done is not done again when the
 * packet goes on after a retry fault.
 */
static int sim_moved(struct sim_exec *x, int ret, u64 dst, u64 src, u32 bytes)
{
	x->moved = bytes;
	if (!ret)
		return 0;
	x->moved = x->fault.va - (x->fault.write ? dst : src);
	return sim_failed(x, ret, SIM_ERROR_DATA_FAULT);
}

static void sim_written(struct sim_exec *x, u64 va, u32 bytes)
{
	if (x->window_dwords && va < x->window_va + x->window_dwords * 4ull &&
	    x->window_va < va + bytes)
		x->window_dwords = 0;
}

/**
 * sim_src_avail() - dwords that can be read from the packet source
 * @x: context; not in an AQL ring
 *
 * A write pointer outside the ring counts modulo its size, as in hardware.
 *
 * Return: their number from the next packet on.
 */
u32 sim_src_avail(const struct sim_exec *x)
{
	const struct sim_regs *r = x->regs;

	if (r->ib)
		return r->ib_size - r->ib_pos;
	return (r->wptr - r->rptr) & (r->ring_size - 1);
}

/**
 * sim_src_advance() - a packet is done
 * @x: context
 * @dwords: its length, at most sim_src_avail()
 */
void sim_src_advance(struct sim_exec *x, u32 dwords)
{
	struct sim_regs *r = x->regs;

	if (r->ib)
		r->ib_pos += dwords;
	else
		r->rptr += dwords;
	r->mid = 0;
}

/* Address of the dword @ofs of the source, and how many follow in a row. */
static u64 sim_src_va(struct sim_exec *x, u32 ofs, u32 *dwords)
{
	struct sim_regs *r = x->regs;
	u32 at;

	if (r->ib) {
		*dwords = r->ib_size - r->ib_pos - ofs;
		return r->ib_va + (r->ib_pos + ofs) * 4ull;
	}
	at = (r->rptr + ofs) & (r->ring_size - 1);
	*dwords = min(r->ring_size - at, sim_src_avail(x) - ofs);
	return r->ring_va + at * 4ull;
}

static int sim_window_fill(struct sim_exec *x, u64 va, u32 need, u32 most)
{
	u32 n = clamp(most, need, SIM_WINDOW_DWORDS);
	int ret;

	x->window_dwords = 0;
	ret = sim_vm_read(x->vm, va, x->window, n * 4, &x->fault);
	if (ret && n > need) {
		/* The rest may lie past the end of a mapping. */
		n = need;
		ret = sim_vm_read(x->vm, va, x->window, n * 4, &x->fault);
	}
	if (ret)
		return ret;
	x->window_va = va;
	x->window_dwords = n;
	return 0;
}

/* Whether @n dwords at @va are in the window; no sum here can wrap. */
static bool sim_window_has(const struct sim_exec *x, u64 va, u32 n)
{
	u64 bytes = x->window_dwords * 4ull, skip = va - x->window_va;

	return va >= x->window_va && skip < bytes && n * 4ull <= bytes - skip;
}

/**
 * sim_src_read() - read dwords of the packet source
 * @x: context
 * @ofs: first, counted from the next packet
 * @dst: where to
 * @dwords: how many, at most SIM_WINDOW_DWORDS and within sim_src_avail()
 *
 * Return: 0, or -EFAULT with @x->fault set.
 */
int sim_src_read(struct sim_exec *x, u32 ofs, u32 *dst, u32 dwords)
{
	while (dwords) {
		u32 run, n, in;
		u64 va = sim_src_va(x, ofs, &run);

		n = min(run, dwords);
		if (!sim_window_has(x, va, n)) {
			int ret = sim_window_fill(x, va, n, run);

			if (ret)
				return sim_failed(x, ret, x->regs->ib ?
						  SIM_ERROR_IB_FAULT :
						  SIM_ERROR_RING_FAULT);
		}
		in = (va - x->window_va) / 4;
		memcpy(dst, x->window + in, n * 4);
		dst += n;
		ofs += n;
		dwords -= n;
	}
	return 0;
}

/**
 * sim_src_copy() - copy data of a packet to memory
 * @x: context
 * @ofs: first dword, counted from the packet's header
 * @dst: where to
 * @bytes: how many, a multiple of 4, at most SIM_CHUNK, within the packet
 *
 * Return: 0, or -EFAULT with @x->fault set; @x->moved bytes have been copied.
 */
int sim_src_copy(struct sim_exec *x, u32 ofs, u64 dst, u32 bytes)
{
	u32 done = 0;
	int ret = 0;

	while (done < bytes && !ret) {
		u32 run, n;
		u64 va = sim_src_va(x, ofs + done / 4, &run);

		n = min_t(u64, run * 4ull, bytes - done);
		ret = sim_copy(x, dst + done, va, n);
		done += x->moved;
	}
	x->moved = done;
	return ret;
}

/**
 * sim_read() - read memory
 * @x: context
 * @va: GPU address
 * @dst: where to
 * @bytes: at most SIM_CHUNK
 *
 * Return: 0, or -EFAULT with @x->fault set.
 */
int sim_read(struct sim_exec *x, u64 va, void *dst, u32 bytes)
{
	return sim_failed(x, sim_vm_read(x->vm, va, dst, bytes, &x->fault),
			  SIM_ERROR_DATA_FAULT);
}

/**
 * sim_write() - write memory
 * @x: context
 * @va: GPU address
 * @src: where from
 * @bytes: at most SIM_CHUNK
 *
 * Return: 0, or -EFAULT with @x->fault set; @x->moved bytes are done.
 */
int sim_write(struct sim_exec *x, u64 va, const void *src, u32 bytes)
{
	sim_written(x, va, bytes);
	return sim_moved(x, sim_vm_write(x->vm, va, src, bytes, &x->fault), va,
			 0, bytes);
}

/**
 * sim_write32() - write an aligned dword, after all that was written before
 * @x: context
 * @va: GPU address; the low two bits are ignored, as in hardware
 * @value: what
 *
 * Return: 0, or -EFAULT with @x->fault set.
 */
int sim_write32(struct sim_exec *x, u64 va, u32 value)
{
	smp_wmb(); /* a fence's value comes after the data that it fences */
	return sim_write(x, va & ~3ull, &value, sizeof(value));
}

/**
 * sim_write64() - as sim_write32(), 8 bytes
 * @x: context
 * @va: GPU address; the low three bits are ignored
 * @value: what
 *
 * Return: 0, or -EFAULT with @x->fault set.
 */
int sim_write64(struct sim_exec *x, u64 va, u64 value)
{
	smp_wmb(); /* see sim_write32() */
	return sim_write(x, va & ~7ull, &value, sizeof(value));
}

/**
 * sim_commit() - do several small writes, all of them or none
 * @x: context
 * @effects: the writes
 * @n: their number
 *
 * Return: 0, or -EFAULT with @x->fault set and nothing done; see
 * sim_vm_commit().
 */
int sim_commit(struct sim_exec *x, const struct sim_effect *effects, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++)
		sim_written(x, effects[i].va, effects[i].size);
	return sim_failed(x, sim_vm_commit(x->vm, effects, n, &x->fault),
			  SIM_ERROR_DATA_FAULT);
}

/* The read pointer as memory is to have it when the current packet is done. */
static u64 sim_rptr_next(const struct sim_exec *x)
{
	const struct sim_regs *r = x->regs;

	if (!r->ib)
		return r->rptr + x->dwords;
	/* The last packet of an indirect buffer is the end of that, too. */
	if (!sim_queue_is_aql(x->queue) && r->ib_pos + x->dwords == r->ib_size)
		return r->rptr;
	return sim_rptr_done(x->queue);
}

/**
 * sim_signal() - what a packet does to tell somebody that it is done
 * @x: context; not in an AQL ring
 * @va: GPU address, aligned to @size
 * @size: 4 or 8; 0: nothing is written, an interrupt follows
 * @add: add @value to what is there
 * @value: what
 *
 * The rule for the read pointer in memory, which a program computes the room
 * in the ring from: it moves every SIM_RPTR_PACKETS packets, when there is
 * nothing to run or a turn ends, and before a signal. Signals are RELEASE_MEM,
 * FENCE, TRAP, atomics and the completion of an AQL packet. A signal is the
 * last thing that its packet does, so the pointer passes the packet, too: the
 * ring may be filled up again by whoever sees the signal. All other packets
 * are passed after what they write can be seen.
 *
 * A vendor packet of an AQL ring is needed until its buffer has been run, so
 * what signals from within the buffer moves the pointer to it, not past it.
 *
 * How far the queue is, is what the registers and the MQD say; this does not
 * change it. Pointer and value are written in one go (sim_vm_commit()): a step
 * that ends with SIM_FAULT has done nothing and may be repeated.
 *
 * Return: 0, or -EFAULT with @x->fault set.
 */
int sim_signal(struct sim_exec *x, u64 va, u32 size, bool add, u64 value)
{
	struct sim_effect effects[2];
	u64 rptr = 0;
	u32 n = 0;
	int ret;

	if (x->queue) {
		rptr = sim_rptr_next(x);
		if (rptr != x->regs->rptr_reported)
			effects[n++] = sim_rptr_effect(x->queue, rptr);
	}
	if (size)
		effects[n++] = (struct sim_effect) {
			.va = va,
			.size = size,
			.add = add,
			.value = value,
		};
	ret = n ? sim_commit(x, effects, n) : 0;
	if (!ret && x->queue) {
		x->regs->rptr_reported = rptr;
		x->unreported = 0;
	}
	return ret;
}

/**
 * sim_copy() - copy memory
 * @x: context
 * @dst: GPU address
 * @src: GPU address
 * @bytes: at most SIM_CHUNK
 *
 * Return: 0, or -EFAULT with @x->fault set; @x->moved bytes are done.
 */
int sim_copy(struct sim_exec *x, u64 dst, u64 src, u32 bytes)
{
	sim_written(x, dst, bytes);
	x->cost += bytes;
	return sim_moved(x, sim_vm_copy(x->vm, dst, src, bytes, &x->fault),
			 dst, src, bytes);
}

/**
 * sim_fill() - fill memory with a pattern
 * @x: context
 * @va: GPU address
 * @value: pattern
 * @size: its bytes: 1, 2 or 4
 * @bytes: at most SIM_CHUNK, a multiple of @size
 *
 * Return: 0, or -EFAULT with @x->fault set; @x->moved bytes are done.
 */
int sim_fill(struct sim_exec *x, u64 va, u32 value, u32 size, u32 bytes)
{
	sim_written(x, va, bytes);
	x->cost += bytes;
	return sim_moved(x, sim_vm_fill(x->vm, va, value, size, bytes,
					&x->fault), va, 0, bytes);
}

/**
 * sim_atomic() - an operation of the L2's atomic unit
 * @x: context
 * @op: TC_ATOMIC_*
 * @va: GPU address; must be aligned to the operand
 * @operand: second operand
 *
 * The forms that return a value leave it in a register that no packet reads.
 * What others may be waiting for is a signal.
 *
 * Return: SIM_DONE, SIM_FAULT, or SIM_BAD when this GPU has no such operation.
 */
enum sim_result sim_atomic(struct sim_exec *x, u32 op, u64 va, u64 operand)
{
	int ret;

	switch (op) {
	case TC_ATOMIC_SUB_RTN_64:
	case TC_ATOMIC_SUB_64:
		operand = -operand;
		fallthrough;
	case TC_ATOMIC_ADD_RTN_64:
	case TC_ATOMIC_ADD_64:
		if (va & 7)
			return SIM_BAD;
		ret = sim_signal(x, va, 8, true, operand);
		break;
	case TC_ATOMIC_SUB_RTN_32:
	case TC_ATOMIC_SUB_32:
		operand = -operand;
		fallthrough;
	case TC_ATOMIC_ADD_RTN_32:
	case TC_ATOMIC_ADD_32:
		if (va & 3)
			return SIM_BAD;
		ret = sim_signal(x, va, 4, true, operand);
		break;
	default:
		return SIM_BAD;
	}
	return ret ? SIM_FAULT : SIM_DONE;
}

/**
 * sim_compare() - the condition of WAIT_REG_MEM and POLL_REGMEM
 * @function: GPU_CMP_*
 * @value: what memory holds
 * @mask: bits of @value that count
 * @ref: reference; not masked
 *
 * Return: whether it is true.
 */
bool sim_compare(u32 function, u32 value, u32 mask, u32 ref)
{
	value &= mask;
	switch (function) {
	case GPU_CMP_ALWAYS:
		return true;
	case GPU_CMP_LT:
		return value < ref;
	case GPU_CMP_LE:
		return value <= ref;
	case GPU_CMP_EQ:
		return value == ref;
	case GPU_CMP_NE:
		return value != ref;
	case GPU_CMP_GE:
		return value >= ref;
	case GPU_CMP_GT:
		return value > ref;
	default:
		return false;
	}
}

/**
 * sim_interrupt() - put an entry into the interrupt ring
 * @x: context
 * @source: kind
 * @context: the packet's context id
 */
void sim_interrupt(struct sim_exec *x, enum kfd_irq_source source, u32 context)
{
	struct kfd_irq_entry irq = {
		.source = source,
		.pasid = x->pasid,
		.context_id = context,
	};

	/* Whoever gets it may look at all of its events. */
	x->cost += SIM_INTERRUPT_COST;
	if (x->pasid)
		kfd_gpu_interrupt(x->gpu->kfd, &irq);
}

/**
 * sim_read_wptr() - look at a queue's write pointer in memory
 * @x: context
 *
 * Return: 0 with regs->wptr set, or -EFAULT with @x->fault set.
 */
int sim_read_wptr(struct sim_exec *x)
{
	struct sim_regs *r = x->regs;
	u64 wptr;
	int ret;

	ret = sim_vm_read(x->vm, r->wptr_va & ~7ull, &wptr, sizeof(wptr),
			  &x->fault);
	if (ret)
		return sim_failed(x, ret, SIM_ERROR_RING_FAULT);
	smp_rmb(); /* packets are read after the pointer that covers them */
	if (x->queue->desc.type == KFD_GPU_QUEUE_SDMA)
		wptr >>= 2;
	if (wptr != r->wptr)
		x->window_dwords = 0;
	r->wptr = wptr;
	return 0;
}

/**
 * sim_rptr_done() - the read pointer as memory is to have it
 * @q: queue
 *
 * The packet that entered an indirect buffer is done when the buffer is, or a
 * process that waits for the pointer would see what is not there yet.
 *
 * Return: the pointer, in the ring's unit.
 */
u64 sim_rptr_done(const struct kfd_gpu_queue *q)
{
	const struct sim_regs *r = &q->regs;

	if (!r->ib || q->desc.type == KFD_GPU_QUEUE_AQL)
		return r->rptr;
	return r->rptr - (q->desc.type == KFD_GPU_QUEUE_SDMA ?
			  SDMA_INDIRECT_DWORDS : PM4_IB_DWORDS);
}

/**
 * sim_rptr_effect() - the write that has memory know the read pointer
 * @q: queue
 * @rptr: the pointer, in the ring's unit
 *
 * Return: the write, for sim_commit().
 */
struct sim_effect sim_rptr_effect(const struct kfd_gpu_queue *q, u64 rptr)
{
	const struct sim_regs *r = &q->regs;

	switch (q->desc.type) {
	case KFD_GPU_QUEUE_PM4:
		return (struct sim_effect) {
			.va = r->rptr_va & ~3ull,
			.size = 4,
			.value = rptr & (r->ring_size - 1),
		};
	case KFD_GPU_QUEUE_SDMA:
		return (struct sim_effect) {
			.va = r->rptr_va & ~7ull,
			.size = 8,
			.value = rptr << 2,
		};
	default:
		return (struct sim_effect) {
			.va = r->rptr_va & ~7ull,
			.size = 8,
			.value = rptr,
		};
	}
}

/**
 * sim_report_rptr() - write a queue's read pointer to memory
 * @x: context
 *
 * Does nothing when memory has it already.
 *
 * Return: 0, or -EFAULT with @x->fault set.
 */
int sim_report_rptr(struct sim_exec *x)
{
	struct sim_regs *r = x->regs;
	u64 rptr = sim_rptr_done(x->queue);
	struct sim_effect effect;
	int ret;

	x->unreported = 0;
	if (rptr == r->rptr_reported)
		return 0;
	/* Whoever sees the pointer sees what the packets did. */
	effect = sim_rptr_effect(x->queue, rptr);
	ret = sim_commit(x, &effect, 1);
	if (!ret)
		r->rptr_reported = rptr;
	return ret;
}
