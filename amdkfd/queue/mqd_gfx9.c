// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory queue descriptors of gfx9: compute and SDMA v4 (floor 3).
 *
 * What is written here is what a GPU loads into its queue registers. The
 * field meanings are in include/hw/gfx9_mqd.h.
 *
 * A restored MQD is built from the queue's properties as for a new queue;
 * only execution state (pointers into rings, registers that SET_SH_REG may
 * write, the half-done packet, the save area's fill) is taken from the image.
 * VMID, privilege bits and every address that the properties determine are
 * never taken from there.
 *
 * Context: called while the queue is off the hardware; the caller holds
 * device->scheduler_lock or has not published the queue yet.
 */
#include <linux/log2.h>

#include <hw/gfx9_mqd.h>

#include "queue.h"

#define MQD9_EOP_CONTROL_MAX	0xau

static u32 mqd9_size(u32 type)
{
	return (kfd_queue_is_sdma(type) ? SDMA_MQD9_DWORDS : MQD9_DWORDS) *
	       sizeof(u32);
}

/* Userspace's bit i is CU i / n of shader engine i % n, n engines. */
static void mqd9_update_cu_mask(struct kfd_queue *q)
{
	static const u8 se_dword[] = {
		MQD9_COMPUTE_STATIC_THREAD_MGMT_SE0,
		MQD9_COMPUTE_STATIC_THREAD_MGMT_SE1,
		MQD9_COMPUTE_STATIC_THREAD_MGMT_SE2,
		MQD9_COMPUTE_STATIC_THREAD_MGMT_SE3,
		MQD9_COMPUTE_STATIC_THREAD_MGMT_SE4,
		MQD9_COMPUTE_STATIC_THREAD_MGMT_SE4 + 1,
		MQD9_COMPUTE_STATIC_THREAD_MGMT_SE4 + 2,
		MQD9_COMPUTE_STATIC_THREAD_MGMT_SE7,
	};
	const struct kfd_device_info *info = &q->pdd->dev->info;
	u32 engines, i, cus;

	engines = info->array_count / max(info->arrays_per_engine, 1u);
	engines = clamp_t(u32, engines, 1, ARRAY_SIZE(se_dword));
	cus = min3(q->cu_mask.bits, info->cu_count, engines * 32);
	for (i = 0; i < ARRAY_SIZE(se_dword); i++)
		q->mqd[se_dword[i]] = q->cu_mask.bits ? 0 : ~0u;
	for (i = 0; i < cus; i++)
		if (q->cu_mask.words[i / 32] & BIT(i % 32))
			q->mqd[se_dword[i % engines]] |= BIT(i / engines);
}

static void mqd9_update_compute(struct kfd_queue *q)
{
	const struct kfd_queue_properties *props = &q->props;
	u32 *m = q->mqd;

	m[MQD9_CP_HQD_PQ_CONTROL] =
		(5 << MQD9_PQ_RPTR_BLOCK_SIZE_SHIFT) |
		((order_base_2(props->ring_size / 4) - 1) &
		 MQD9_PQ_QUEUE_SIZE_MASK);
	m[MQD9_CP_HQD_PQ_BASE_LO] = lower_32_bits(props->ring_base >> 8);
	m[MQD9_CP_HQD_PQ_BASE_HI] = upper_32_bits(props->ring_base >> 8);
	m[MQD9_CP_HQD_PQ_RPTR_REPORT_ADDR_LO] = lower_32_bits(props->read_ptr);
	m[MQD9_CP_HQD_PQ_RPTR_REPORT_ADDR_HI] = upper_32_bits(props->read_ptr);
	m[MQD9_CP_HQD_PQ_WPTR_POLL_ADDR_LO] = lower_32_bits(props->write_ptr);
	m[MQD9_CP_HQD_PQ_WPTR_POLL_ADDR_HI] = upper_32_bits(props->write_ptr);
	m[MQD9_CP_HQD_PQ_DOORBELL_CONTROL] = MQD9_DOORBELL_EN |
		((q->doorbell_offset / 4) << MQD9_DOORBELL_OFFSET_SHIFT);
	m[MQD9_CP_HQD_EOP_BASE_ADDR_LO] = lower_32_bits(props->eop_addr >> 8);
	m[MQD9_CP_HQD_EOP_BASE_ADDR_HI] = upper_32_bits(props->eop_addr >> 8);
	m[MQD9_CP_HQD_EOP_CONTROL] = props->eop_addr ?
		min(MQD9_EOP_CONTROL_MAX,
		    (u32)order_base_2(props->eop_size / 4) - 1) : 0;
	m[MQD9_CP_HQD_PIPE_PRIORITY] = props->priority < 7 ? 0 :
				       props->priority < 11 ? 1 : 2;
	m[MQD9_CP_HQD_QUEUE_PRIORITY] = props->priority;
	if (props->type == KFD_IOC_QUEUE_TYPE_COMPUTE_AQL) {
		m[MQD9_CP_HQD_PQ_CONTROL] |= MQD9_PQ_NO_UPDATE_RPTR |
			(2 << MQD9_PQ_SLOT_BASED_WPTR_SHIFT) |
			MQD9_PQ_QUEUE_FULL_EN | MQD9_PQ_WPP_CLAMP_EN;
		m[MQD9_CP_HQD_PQ_DOORBELL_CONTROL] |= MQD9_DOORBELL_BIF_DROP;
	}
	mqd9_update_cu_mask(q);
}

static void mqd9_init_compute(struct kfd_queue *q)
{
	const struct kfd_queue_properties *props = &q->props;
	u32 *m = q->mqd;

	m[MQD9_HEADER] = MQD9_HEADER_VALUE;
	m[MQD9_COMPUTE_PIPELINESTAT_ENABLE] = 1;
	m[MQD9_CP_HQD_PERSISTENT_STATE] = MQD9_PERSISTENT_PRELOAD_REQ |
		(0x53 << MQD9_PERSISTENT_PRELOAD_SIZE_SHIFT);
	m[MQD9_CP_MQD_CONTROL] = MQD9_MQD_CONTROL_PRIV_STATE;
	/* Quantum: enabled, scale 1, duration 1. */
	m[MQD9_CP_HQD_QUANTUM] = BIT(0) | BIT(4) | BIT(8);
	m[MQD9_CP_HQD_IB_CONTROL] = (3 << MQD9_IB_MIN_AVAIL_SIZE_SHIFT) |
				    MQD9_IB_EXE_DISABLE;
	if (props->type == KFD_IOC_QUEUE_TYPE_COMPUTE_AQL)
		m[MQD9_CP_HQD_AQL_CONTROL] = 1 << MQD9_AQL_CONTROL0_SHIFT;
	if (q->pdd->tba)
		m[MQD9_COMPUTE_PGM_RSRC2] |= MQD9_PGM_RSRC2_TRAP_PRESENT;
	if (props->cwsr_addr) {
		m[MQD9_CP_HQD_PERSISTENT_STATE] |= MQD9_PERSISTENT_QSWITCH_MODE;
		m[MQD9_CP_HQD_CTX_SAVE_BASE_ADDR_LO] =
			lower_32_bits(props->cwsr_addr);
		m[MQD9_CP_HQD_CTX_SAVE_BASE_ADDR_HI] =
			upper_32_bits(props->cwsr_addr);
		m[MQD9_CP_HQD_CTX_SAVE_SIZE] = props->cwsr_size;
		/* Both areas grow from the end of the control stack. */
		m[MQD9_CP_HQD_CNTL_STACK_SIZE] = props->ctl_stack_size;
		m[MQD9_CP_HQD_CNTL_STACK_OFFSET] = props->ctl_stack_size;
		m[MQD9_CP_HQD_WG_STATE_OFFSET] = props->ctl_stack_size;
	}
	mqd9_update_compute(q);
}

static void mqd9_update_sdma(struct kfd_queue *q)
{
	const struct kfd_queue_properties *props = &q->props;
	u32 *m = q->mqd;

	m[SDMA_MQD9_RB_CNTL] =
		((order_base_2(props->ring_size / 4) << SDMA_MQD9_RB_SIZE_SHIFT) &
		 SDMA_MQD9_RB_SIZE_MASK) |
		SDMA_MQD9_RPTR_WRITEBACK_ENABLE |
		(6 << SDMA_MQD9_RPTR_WRITEBACK_TIMER_SHIFT);
	m[SDMA_MQD9_RB_BASE] = lower_32_bits(props->ring_base >> 8);
	m[SDMA_MQD9_RB_BASE_HI] = upper_32_bits(props->ring_base >> 8);
	m[SDMA_MQD9_RB_RPTR_ADDR_LO] = lower_32_bits(props->read_ptr);
	m[SDMA_MQD9_RB_RPTR_ADDR_HI] = upper_32_bits(props->read_ptr);
	m[SDMA_MQD9_RB_WPTR_POLL_ADDR_LO] = lower_32_bits(props->write_ptr);
	m[SDMA_MQD9_RB_WPTR_POLL_ADDR_HI] = upper_32_bits(props->write_ptr);
	m[SDMA_MQD9_DOORBELL] = SDMA_MQD9_DOORBELL_ENABLE;
	m[SDMA_MQD9_DOORBELL_OFFSET] = (q->doorbell_offset / 4) << 2;
	m[SDMA_MQD9_DUMMY_REG] = 0xf;
}

static void mqd9_init(struct kfd_queue *q)
{
	memset(q->mqd, 0, mqd9_size(q->props.type));
	if (kfd_queue_is_sdma(q->props.type))
		mqd9_update_sdma(q);
	else
		mqd9_init_compute(q);
}

static void mqd9_update(struct kfd_queue *q)
{
	if (kfd_queue_is_sdma(q->props.type))
		mqd9_update_sdma(q);
	else
		mqd9_update_compute(q);
}

/* Copy dwords @first .. @last from an image. */
static void mqd9_take(u32 *m, const u32 *src, u32 first, u32 last)
{
	memcpy(&m[first], &src[first], (last - first + 1) * sizeof(*m));
}

static int mqd9_restore_compute(struct kfd_queue *q, const u32 *src)
{
	u32 ctl = q->props.ctl_stack_size;
	u32 *m = q->mqd;
	u32 trap = m[MQD9_COMPUTE_PGM_RSRC2] & MQD9_PGM_RSRC2_TRAP_PRESENT;

	if (src[MQD9_HEADER] != MQD9_HEADER_VALUE)
		return -EINVAL;
	if (q->props.cwsr_addr &&
	    (src[MQD9_CP_HQD_CNTL_STACK_OFFSET] > ctl ||
	     src[MQD9_CP_HQD_WG_STATE_OFFSET] < ctl ||
	     src[MQD9_CP_HQD_WG_STATE_OFFSET] > q->props.cwsr_size))
		return -EINVAL;

	/* Registers that a queue's own SET_SH_REG may write; not the VMID. */
	mqd9_take(m, src, 1, 10);
	mqd9_take(m, src, 13, 14);
	mqd9_take(m, src, 19, 20);
	m[MQD9_COMPUTE_PGM_RSRC2] &= ~MQD9_PGM_RSRC2_TRAP_PRESENT;
	m[MQD9_COMPUTE_PGM_RSRC2] |= trap;
	mqd9_take(m, src, 22, 22);
	mqd9_take(m, src, 25, 25);
	mqd9_take(m, src, 28, 30);
	mqd9_take(m, src, 33, 34);
	mqd9_take(m, src, MQD9_COMPUTE_USER_DATA_0, MQD9_COMPUTE_USER_DATA_15);

	/* Where it was: ring, indirect buffer, EOP, save area. */
	m[MQD9_CP_HQD_PQ_RPTR] = src[MQD9_CP_HQD_PQ_RPTR];
	m[MQD9_CP_HQD_PQ_WPTR_LO] = src[MQD9_CP_HQD_PQ_WPTR_LO];
	m[MQD9_CP_HQD_PQ_WPTR_HI] = src[MQD9_CP_HQD_PQ_WPTR_HI];
	mqd9_take(m, src, MQD9_CP_HQD_IB_BASE_ADDR_LO, MQD9_CP_HQD_IB_RPTR);
	m[MQD9_CP_HQD_IB_CONTROL] |= src[MQD9_CP_HQD_IB_CONTROL] &
		(MQD9_IB_SIZE_MASK | MQD9_IB_PROCESSING);
	mqd9_take(m, src, MQD9_CP_HQD_EOP_RPTR, MQD9_CP_HQD_EOP_WPTR);
	m[MQD9_CP_HQD_ERROR] = src[MQD9_CP_HQD_ERROR];
	if (q->props.cwsr_addr) {
		m[MQD9_CP_HQD_CNTL_STACK_OFFSET] =
			src[MQD9_CP_HQD_CNTL_STACK_OFFSET];
		m[MQD9_CP_HQD_WG_STATE_OFFSET] =
			src[MQD9_CP_HQD_WG_STATE_OFFSET];
	}
	return 0;
}

static int mqd9_restore(struct kfd_queue *q, const u32 *src)
{
	u32 *m = q->mqd;

	if (!kfd_queue_is_sdma(q->props.type))
		return mqd9_restore_compute(q, src);

	mqd9_take(m, src, SDMA_MQD9_RB_RPTR, SDMA_MQD9_RB_WPTR_HI);
	mqd9_take(m, src, SDMA_MQD9_IB_RPTR, SDMA_MQD9_IB_SIZE);
	m[SDMA_MQD9_STATUS] = src[SDMA_MQD9_STATUS];
	m[SDMA_MQD9_IB_SUB_REMAIN] = src[SDMA_MQD9_IB_SUB_REMAIN];
	mqd9_take(m, src, SDMA_MQD9_MIDCMD_DATA0, SDMA_MQD9_MIDCMD_CNTL);
	return 0;
}

static void mqd9_wave_state(const struct kfd_queue *q, u32 *ctl_stack_used,
			    u32 *save_area_used)
{
	const u32 *m = q->mqd;

	*ctl_stack_used = m[MQD9_CP_HQD_CNTL_STACK_SIZE] -
			  m[MQD9_CP_HQD_CNTL_STACK_OFFSET];
	*save_area_used = m[MQD9_CP_HQD_WG_STATE_OFFSET] -
			  m[MQD9_CP_HQD_CNTL_STACK_SIZE];
}

const struct kfd_mqd_ops kfd_mqd_gfx9_ops = {
	.size = mqd9_size,
	.init = mqd9_init,
	.update = mqd9_update,
	.restore = mqd9_restore,
	.wave_state = mqd9_wave_state,
};
