// SPDX-License-Identifier: GPL-2.0-only
/*
 * The compute micro engine: PM4 packets of a ring or of an indirect buffer.
 *
 * One call of sim_pm4_step() runs one packet, or a chunk of a long one. All
 * of a packet but DMA_DATA is done in one step. Waves do not exist here, so
 * cache flushes and waits for idle have nothing left to do when their turn
 * comes.
 *
 * A step that ends with SIM_FAULT may be repeated, and does nothing twice:
 * regs->mid counts the bytes of WRITE_DATA and DMA_DATA that are done, the
 * other packets write or add at most once, and an interrupt comes after that.
 */
#include <linux/kernel.h>

#include <hw/gfx9_mqd.h>
#include <hw/pm4_gfx9.h>

#include "engine.h"

static u64 pm4_u64(const u32 *p)
{
	return (u64)p[1] << 32 | p[0];
}

static enum sim_result pm4_result(int ret)
{
	return ret ? SIM_FAULT : SIM_DONE;
}

static enum sim_result pm4_write_data(struct sim_exec *x, u32 dwords)
{
	u32 sel = PM4_WRITE_DST_SEL(x->head[1]);
	u64 va = pm4_u64(&x->head[2]) & ~3ull;
	u32 n = dwords - PM4_WRITE_HEAD_DWORDS;
	u32 value, done;
	int ret;

	if (dwords <= PM4_WRITE_HEAD_DWORDS)
		return SIM_BAD;
	/* Registers are out of an unprivileged queue's reach. */
	if (sel != PM4_WRITE_DST_MEM && sel != PM4_WRITE_DST_MEM_SYNC &&
	    sel != PM4_WRITE_DST_L2)
		return SIM_BAD;
	if (n == 1 || x->head[1] & PM4_WRITE_ONE_ADDR) {
		/* All go to one address: what stays is the last. */
		ret = sim_src_read(x, dwords - 1, &value, 1);
		if (!ret)
			ret = sim_write32(x, va, value);
		return pm4_result(ret);
	}
	done = min_t(u64, x->regs->mid / 4, n);
	if (dwords <= SIM_HEAD_DWORDS)
		ret = sim_write(x, va + done * 4,
				&x->head[PM4_WRITE_HEAD_DWORDS + done],
				(n - done) * 4);
	else
		ret = sim_src_copy(x, PM4_WRITE_HEAD_DWORDS + done,
				   va + done * 4, (n - done) * 4);
	x->regs->mid = done * 4 + x->moved;
	return pm4_result(ret);
}

static enum sim_result pm4_wait_reg_mem(struct sim_exec *x, u32 dwords)
{
	const u32 *p = x->head;
	u32 value = 0;

	if (dwords < PM4_WAIT_DWORDS || PM4_WAIT_FUNCTION(p[1]) > GPU_CMP_GT ||
	    PM4_WAIT_OPERATION(p[1]))
		return SIM_BAD;
	switch (PM4_WAIT_MEM_SPACE(p[1])) {
	case PM4_WAIT_SPACE_REG:
		/* Status registers of an idle GPU: all zero. */
		break;
	case PM4_WAIT_SPACE_MEM:
		if (sim_read(x, pm4_u64(&p[2]) & ~3ull, &value, sizeof(value)))
			return SIM_FAULT;
		break;
	default:
		return SIM_BAD;
	}
	if (!sim_compare(PM4_WAIT_FUNCTION(p[1]), value, p[5], p[4]))
		return SIM_BLOCKED;
	smp_rmb(); /* what follows sees what came before the value */
	return SIM_DONE;
}

/* Enters the buffer: the packet itself is done, so it advances by itself. */
static enum sim_result pm4_indirect_buffer(struct sim_exec *x, u32 dwords)
{
	struct sim_regs *r = x->regs;
	u32 control = x->head[3];

	if (dwords < PM4_IB_DWORDS)
		return SIM_BAD;
	/* There is one level: out of a buffer leads a chain alone. */
	if (r->ib && !(control & PM4_IB_CHAIN))
		return SIM_BAD;
	sim_src_advance(x, dwords);
	r->ib_va = pm4_u64(&x->head[1]) & ~3ull;
	r->ib_size = PM4_IB_SIZE(control);
	r->ib_pos = 0;
	r->ib = r->ib_size || r->ib;
	x->window_dwords = 0;
	return SIM_MORE;
}

static enum sim_result pm4_copy_data(struct sim_exec *x, u32 dwords)
{
	const u32 *p = x->head;
	u32 bytes = p[1] & PM4_COPY_64BIT ? 8 : 4;
	u64 src = pm4_u64(&p[2]), value = 0;

	if (dwords < PM4_COPY_DWORDS)
		return SIM_BAD;
	switch (PM4_COPY_DST_SEL(p[1])) {
	case PM4_COPY_DST_MEM_SYNC:
	case PM4_COPY_DST_L2:
	case PM4_COPY_DST_MEM:
		break;
	default:
		return SIM_BAD;
	}
	switch (PM4_COPY_SRC_SEL(p[1])) {
	case PM4_COPY_SRC_MEM:
	case PM4_COPY_SRC_L2:
		if (sim_read(x, src & ~(u64)(bytes - 1), &value, bytes))
			return SIM_FAULT;
		break;
	case PM4_COPY_SRC_IMM:
		value = src;
		break;
	case PM4_COPY_SRC_CLOCK:
		value = sim_gpu_clock();
		break;
	default:
		return SIM_BAD;
	}
	src = pm4_u64(&p[4]);
	return pm4_result(bytes == 8 ? sim_write64(x, src, value) :
				       sim_write32(x, src, value));
}

static enum sim_result pm4_release_mem(struct sim_exec *x, u32 dwords)
{
	const u32 *p = x->head;
	u64 va = pm4_u64(&p[3]);
	u32 sel = PM4_RELEASE_INT_SEL(p[2]), size = 8;
	u64 value = 0;

	if (dwords < PM4_RELEASE_DWORDS_MIN || sel > PM4_RELEASE_INT_WAIT ||
	    PM4_RELEASE_DST_SEL(p[2]) > PM4_RELEASE_DST_L2)
		return SIM_BAD;
	switch (PM4_RELEASE_DATA_SEL(p[2])) {
	case PM4_RELEASE_DATA_NONE:
		size = 0;
		break;
	case PM4_RELEASE_DATA_32:
		size = 4;
		value = p[5];
		break;
	case PM4_RELEASE_DATA_64:
		value = pm4_u64(&p[5]);
		break;
	case PM4_RELEASE_DATA_GPU_CLOCK:
	case PM4_RELEASE_DATA_SYS_CLOCK:
		value = sim_gpu_clock();
		break;
	default:
		return SIM_BAD;
	}
	/* The low bits of the address are ignored, as in hardware. */
	if (sim_signal(x, va & ~(u64)(size - 1), size, false, value))
		return SIM_FAULT;
	if (sel == PM4_RELEASE_INT_ONLY || sel == PM4_RELEASE_INT_CONFIRM)
		sim_interrupt(x, KFD_IRQ_CP_EOP,
			      dwords > PM4_RELEASE_DWORDS_MIN ? p[7] : 0);
	return SIM_DONE;
}

static enum sim_result pm4_event_write(struct sim_exec *x, u32 dwords)
{
	u32 index = PM4_EVENT_INDEX(x->head[1]);

	/* Those with an address sample counters of waves: there are none. */
	if (dwords != PM4_EVENT_DWORDS || (index != PM4_EVENT_INDEX_ANY &&
					   index != PM4_EVENT_INDEX_FLUSH))
		return SIM_BAD;
	return SIM_DONE;
}

static enum sim_result pm4_dma_data(struct sim_exec *x, u32 dwords)
{
	const u32 *p = x->head;
	u32 bytes = PM4_DMA_BYTES(p[6]), done, chunk;
	u32 src_sel = PM4_DMA_SRC_SEL(p[1]), dst_sel = PM4_DMA_DST_SEL(p[1]);
	u64 src = pm4_u64(&p[2]), dst = pm4_u64(&p[4]);
	struct sim_regs *r = x->regs;
	int ret;

	if (dwords < PM4_DMA_DWORDS ||
	    (dst_sel != PM4_DMA_DST_MEM && dst_sel != PM4_DMA_DST_L2) ||
	    p[6] & (PM4_DMA_SRC_REG | PM4_DMA_DST_REG | PM4_DMA_SRC_FIXED |
		    PM4_DMA_DST_FIXED))
		return SIM_BAD;
	done = min_t(u64, r->mid, bytes);
	if (src_sel == PM4_DMA_SRC_DATA)
		done = round_down(done, 4);	/* the pattern's start */
	chunk = min(bytes - done, SIM_CHUNK);
	if (!chunk)
		return SIM_DONE;
	switch (src_sel) {
	case PM4_DMA_SRC_MEM:
	case PM4_DMA_SRC_L2:
		ret = sim_copy(x, dst + done, src + done, chunk);
		break;
	case PM4_DMA_SRC_DATA:
		if (bytes & 3)
			return SIM_BAD;
		ret = sim_fill(x, dst + done, p[2], 4, chunk);
		break;
	default:
		return SIM_BAD;
	}
	r->mid = done + x->moved;
	if (ret)
		return SIM_FAULT;
	return r->mid == bytes ? SIM_DONE : SIM_MORE;
}

/**
 * sim_pm4_sh_reg_mask() - what a user-mode queue may change of a register
 * @reg: SH register, counted from 0x2c00
 *
 * These are the registers that the queue takes along in its MQD. Bits that
 * the CP fills in by itself are not a program's to set; see hw/gfx9_mqd.h.
 *
 * Context: any.
 * Return: the writable bits; 0: none.
 */
u32 sim_pm4_sh_reg_mask(u32 reg)
{
	u32 n = reg - PM4_SH_COMPUTE_FIRST + 1;

	if (reg >= PM4_SH_USER_DATA_0 && reg <= PM4_SH_USER_DATA_15)
		return ~0u;
	if (reg < PM4_SH_COMPUTE_FIRST || reg > PM4_SH_COMPUTE_LAST)
		return 0;
	switch (n) {
	case MQD9_COMPUTE_DISPATCH_INITIATOR:
		return MQD9_DISPATCH_INITIATOR_USER;
	case MQD9_COMPUTE_PGM_HI:
		return MQD9_PGM_HI_MASK;
	case MQD9_COMPUTE_PGM_RSRC1:
		return MQD9_PGM_RSRC1_USER;
	case MQD9_COMPUTE_PGM_RSRC2:
		return MQD9_PGM_RSRC2_USER;
	case MQD9_COMPUTE_TMPRING_SIZE:
		return MQD9_TMPRING_SIZE_MASK;
	case MQD9_COMPUTE_DIM_X ... MQD9_COMPUTE_NUM_THREAD_Z:
	case MQD9_COMPUTE_PGM_LO:
	case MQD9_COMPUTE_RESOURCE_LIMITS:
	case MQD9_COMPUTE_RESTART_X ... MQD9_COMPUTE_RESTART_Z:
	case MQD9_COMPUTE_DISPATCH_ID ... MQD9_COMPUTE_THREADGROUP_ID:
		return ~0u;
	default:
		return 0;
	}
}

static enum sim_result pm4_set_sh_reg(struct sim_exec *x, u32 dwords)
{
	u32 reg, n = dwords - 2, i, value, mask, *m;

	if (dwords < 3)
		return SIM_BAD;
	reg = PM4_SH_REG(x->head[1]);
	if (reg + n > PM4_SH_REG_COUNT)
		return SIM_BAD;
	for (i = 0; i < n; i++, reg++) {
		mask = sim_pm4_sh_reg_mask(reg);
		if (!mask)
			continue;
		if (sim_src_read(x, 2 + i, &value, 1))
			return SIM_FAULT;
		if (!x->queue)
			continue;
		m = &x->queue->desc.mqd[reg - PM4_SH_COMPUTE_FIRST + 1];
		*m = (*m & ~mask) | (value & mask);
	}
	return SIM_DONE;
}

static enum sim_result pm4_execute(struct sim_exec *x, u32 op, u32 dwords)
{
	switch (op) {
	case PM4_OP_NOP:
		return SIM_DONE;
	case PM4_OP_WRITE_DATA:
		return pm4_write_data(x, dwords);
	case PM4_OP_WAIT_REG_MEM:
		return pm4_wait_reg_mem(x, dwords);
	case PM4_OP_INDIRECT_BUFFER:
		return pm4_indirect_buffer(x, dwords);
	case PM4_OP_COPY_DATA:
		return pm4_copy_data(x, dwords);
	case PM4_OP_EVENT_WRITE:
		return pm4_event_write(x, dwords);
	case PM4_OP_RELEASE_MEM:
		return pm4_release_mem(x, dwords);
	case PM4_OP_ACQUIRE_MEM:
		if (dwords < PM4_ACQUIRE_DWORDS)
			return SIM_BAD;
		smp_mb(); /* the one cache there is, the CPU's, is coherent */
		return SIM_DONE;
	case PM4_OP_DMA_DATA:
		return pm4_dma_data(x, dwords);
	case PM4_OP_SET_SH_REG:
		return pm4_set_sh_reg(x, dwords);
	case PM4_OP_ATOMIC_MEM:
		if (dwords < PM4_ATOMIC_DWORDS)
			return SIM_BAD;
		return sim_atomic(x, PM4_ATOMIC_OP(x->head[1]),
				  pm4_u64(&x->head[2]), pm4_u64(&x->head[4]));
	case PM4_OP_DISPATCH_DIRECT:
	case PM4_OP_DISPATCH_INDIRECT:
		return SIM_NO_SHADER;
	default:
		return SIM_BAD;
	}
}

/**
 * sim_pm4_step() - run the next packet, or a chunk of it
 * @x: context; regs->ib says whether it comes from an indirect buffer
 *
 * An indirect buffer that has been run to its end is left in the call that
 * finds it empty.
 *
 * Context: engine's thread.
 * Return: see enum sim_result.
 */
enum sim_result sim_pm4_step(struct sim_exec *x)
{
	struct sim_regs *r = x->regs;
	u32 avail = sim_src_avail(x), dwords, header;
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
	dwords = PM4_COUNT(header) + 2;
	if (PM4_TYPE(header) == PM4_TYPE2 ||
	    (PM4_TYPE(header) == PM4_TYPE3 && PM4_OPCODE(header) == PM4_OP_NOP &&
	     PM4_COUNT(header) == PM4_NOP_COUNT_ONE)) {
		sim_src_advance(x, 1);
		return SIM_DONE;
	}
	if (PM4_TYPE(header) != PM4_TYPE3)
		return SIM_BAD;
	if (dwords > avail)
		/* The rest of it may still come, unless it can't fit. */
		return r->ib || dwords >= r->ring_size ? SIM_BAD : SIM_IDLE;
	if (sim_src_read(x, 0, x->head, min(dwords, SIM_HEAD_DWORDS)))
		return SIM_FAULT;
	x->dwords = dwords;
	res = pm4_execute(x, PM4_OPCODE(header), dwords);
	if (res == SIM_DONE)
		sim_src_advance(x, dwords);
	return res;
}
