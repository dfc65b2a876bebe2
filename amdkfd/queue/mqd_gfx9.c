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
 * never taken from there. Two tables say of every dword which it is. A dword
 * that has no name in include/hw/gfx9_mqd.h is rebuilt, that is, zero.
 *
 * Context: called while the queue is off the hardware; the caller holds
 * device->scheduler_lock or has not published the queue yet.
 */
#include <linux/log2.h>

#include <hw/aql.h>
#include <hw/gfx9_mqd.h>
#include <hw/pm4_gfx9.h>

#include "queue.h"

#define MQD9_EOP_CONTROL_MAX	0xau
#define MQD9_OLD_STACK_MAGIC	0x4350444du

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

#define MQD9_REBUILT(a, b)	{ (a), (b), KFD_MQD_REBUILT, 0 }
#define MQD9_TAKEN(a, b)	{ (a), (b), KFD_MQD_TAKEN, ~0u }
#define MQD9_MASKED(a, b, mask)	{ (a), (b), KFD_MQD_MASKED, (mask) }
#define MQD9_BOUNDED(a, b, mask)	{ (a), (b), KFD_MQD_BOUNDED, (mask) }

/*
 * Compute. What SET_SH_REG may write is taken with the same masks as there.
 * The program's and the indirect buffer's addresses are GPU VAs: the GPU
 * translates them with the VMID, so through the tables of the process whose
 * image it is, and one that is not mapped faults there and harms nobody else.
 * They are only kept within what the registers hold.
 */
static const struct kfd_mqd_field mqd9_compute_fields[] = {
	MQD9_REBUILT(MQD9_HEADER, MQD9_HEADER),
	MQD9_MASKED(MQD9_COMPUTE_DISPATCH_INITIATOR,
		    MQD9_COMPUTE_DISPATCH_INITIATOR,
		    MQD9_DISPATCH_INITIATOR_USER),
	MQD9_TAKEN(MQD9_COMPUTE_DIM_X, MQD9_COMPUTE_NUM_THREAD_Z),
	MQD9_REBUILT(MQD9_COMPUTE_PIPELINESTAT_ENABLE,
		     MQD9_COMPUTE_PERFCOUNT_ENABLE),
	MQD9_TAKEN(MQD9_COMPUTE_PGM_LO, MQD9_COMPUTE_PGM_LO),
	MQD9_MASKED(MQD9_COMPUTE_PGM_HI, MQD9_COMPUTE_PGM_HI, MQD9_PGM_HI_MASK),
	MQD9_REBUILT(MQD9_COMPUTE_TBA_LO, MQD9_COMPUTE_TMA_HI),
	MQD9_MASKED(MQD9_COMPUTE_PGM_RSRC1, MQD9_COMPUTE_PGM_RSRC1,
		    MQD9_PGM_RSRC1_USER),
	MQD9_MASKED(MQD9_COMPUTE_PGM_RSRC2, MQD9_COMPUTE_PGM_RSRC2,
		    MQD9_PGM_RSRC2_USER),
	MQD9_REBUILT(MQD9_COMPUTE_VMID, MQD9_COMPUTE_VMID),
	MQD9_TAKEN(MQD9_COMPUTE_RESOURCE_LIMITS, MQD9_COMPUTE_RESOURCE_LIMITS),
	MQD9_REBUILT(MQD9_COMPUTE_STATIC_THREAD_MGMT_SE0,
		     MQD9_COMPUTE_STATIC_THREAD_MGMT_SE1),
	MQD9_MASKED(MQD9_COMPUTE_TMPRING_SIZE, MQD9_COMPUTE_TMPRING_SIZE,
		    MQD9_TMPRING_SIZE_MASK),
	MQD9_REBUILT(MQD9_COMPUTE_STATIC_THREAD_MGMT_SE2,
		     MQD9_COMPUTE_STATIC_THREAD_MGMT_SE3),
	MQD9_TAKEN(MQD9_COMPUTE_RESTART_X, MQD9_COMPUTE_RESTART_Z),
	/* Thread trace, and a reserved one. */
	MQD9_REBUILT(MQD9_COMPUTE_THREAD_TRACE_ENABLE,
		     MQD9_COMPUTE_DISPATCH_ID - 1),
	MQD9_TAKEN(MQD9_COMPUTE_DISPATCH_ID, MQD9_COMPUTE_THREADGROUP_ID),
	/* Relaunch and wave restore are the CP's own; CUs 4..7; reserved. */
	MQD9_REBUILT(MQD9_COMPUTE_RELAUNCH, MQD9_COMPUTE_USER_DATA_0 - 1),
	MQD9_TAKEN(MQD9_COMPUTE_USER_DATA_0, MQD9_COMPUTE_USER_DATA_15),
	/* Statistics, GDS, save addresses, then the queue's own registers. */
	MQD9_REBUILT(MQD9_COMPUTE_USER_DATA_15 + 1, MQD9_CP_HQD_PQ_RPTR - 1),
	MQD9_BOUNDED(MQD9_CP_HQD_PQ_RPTR, MQD9_CP_HQD_PQ_RPTR, ~0u),
	MQD9_REBUILT(MQD9_CP_HQD_PQ_RPTR + 1, MQD9_CP_HQD_PQ_CONTROL),
	MQD9_MASKED(MQD9_CP_HQD_IB_BASE_ADDR_LO, MQD9_CP_HQD_IB_BASE_ADDR_LO,
		    ~3u),
	MQD9_MASKED(MQD9_CP_HQD_IB_BASE_ADDR_HI, MQD9_CP_HQD_IB_BASE_ADDR_HI,
		    MQD9_IB_BASE_HI_MASK),
	MQD9_BOUNDED(MQD9_CP_HQD_IB_RPTR, MQD9_CP_HQD_IB_RPTR,
		     MQD9_IB_SIZE_MASK),
	MQD9_MASKED(MQD9_CP_HQD_IB_CONTROL, MQD9_CP_HQD_IB_CONTROL,
		    MQD9_IB_SIZE_MASK | MQD9_IB_PROCESSING),
	/* Other fetchers, semaphores, messages; MQD control; EOP buffer. */
	MQD9_REBUILT(MQD9_CP_HQD_IQ_TIMER, MQD9_CP_HQD_EOP_CONTROL),
	MQD9_BOUNDED(MQD9_CP_HQD_EOP_RPTR, MQD9_CP_HQD_EOP_RPTR,
		     MQD9_EOP_RPTR_MASK),
	MQD9_BOUNDED(MQD9_CP_HQD_EOP_WPTR, MQD9_CP_HQD_EOP_WPTR,
		     MQD9_EOP_WPTR_MASK | MQD9_EOP_EMPTY | MQD9_EOP_AVAIL_MASK),
	MQD9_REBUILT(MQD9_CP_HQD_EOP_WPTR + 1, MQD9_CP_HQD_CTX_SAVE_CONTROL),
	MQD9_BOUNDED(MQD9_CP_HQD_CNTL_STACK_OFFSET,
		     MQD9_CP_HQD_CNTL_STACK_OFFSET, ~0u),
	MQD9_REBUILT(MQD9_CP_HQD_CNTL_STACK_SIZE, MQD9_CP_HQD_CNTL_STACK_SIZE),
	MQD9_BOUNDED(MQD9_CP_HQD_WG_STATE_OFFSET, MQD9_CP_HQD_WG_STATE_OFFSET,
		     ~0u),
	/* Size of the save area, GDS. */
	MQD9_REBUILT(MQD9_CP_HQD_CTX_SAVE_SIZE, MQD9_CP_HQD_ERROR - 1),
	MQD9_MASKED(MQD9_CP_HQD_ERROR, MQD9_CP_HQD_ERROR, MQD9_ERROR_MASK),
	MQD9_REBUILT(MQD9_CP_HQD_ERROR + 1, MQD9_CP_HQD_AQL_CONTROL),
	MQD9_BOUNDED(MQD9_CP_HQD_PQ_WPTR_LO, MQD9_CP_HQD_PQ_WPTR_LO, ~0u),
	MQD9_TAKEN(MQD9_CP_HQD_PQ_WPTR_HI, MQD9_CP_HQD_PQ_WPTR_HI),
	/* Packets that the firmware runs by itself, doorbells, reserved. */
	MQD9_REBUILT(MQD9_CP_HQD_PQ_WPTR_HI + 1, MQD9_DWORDS - 1),
};

/*
 * SDMA. An address in what is kept of an interrupted packet is one that the
 * process could have put into a packet: see above.
 */
static const struct kfd_mqd_field mqd9_sdma_fields[] = {
	/* RB_CNTL has PRIV and VMID. */
	MQD9_REBUILT(SDMA_MQD9_RB_CNTL, SDMA_MQD9_RB_BASE_HI),
	MQD9_BOUNDED(SDMA_MQD9_RB_RPTR, SDMA_MQD9_RB_RPTR, ~3u),
	MQD9_TAKEN(SDMA_MQD9_RB_RPTR_HI, SDMA_MQD9_RB_RPTR_HI),
	MQD9_BOUNDED(SDMA_MQD9_RB_WPTR, SDMA_MQD9_RB_WPTR, ~3u),
	MQD9_BOUNDED(SDMA_MQD9_RB_WPTR_HI, SDMA_MQD9_RB_WPTR_HI, ~0u),
	/* IB_CNTL has the VMID of indirect buffers. */
	MQD9_REBUILT(SDMA_MQD9_RB_WPTR_POLL_CNTL, SDMA_MQD9_IB_CNTL),
	MQD9_BOUNDED(SDMA_MQD9_IB_RPTR, SDMA_MQD9_IB_RPTR,
		     SDMA_MQD9_IB_RPTR_MASK),
	MQD9_BOUNDED(SDMA_MQD9_IB_OFFSET, SDMA_MQD9_IB_OFFSET,
		     SDMA_MQD9_IB_RPTR_MASK),
	MQD9_MASKED(SDMA_MQD9_IB_BASE_LO, SDMA_MQD9_IB_BASE_LO, ~3u),
	MQD9_MASKED(SDMA_MQD9_IB_BASE_HI, SDMA_MQD9_IB_BASE_HI,
		    SDMA_MQD9_IB_BASE_HI_MASK),
	MQD9_MASKED(SDMA_MQD9_IB_SIZE, SDMA_MQD9_IB_SIZE,
		    SDMA_MQD9_IB_SIZE_MASK),
	MQD9_REBUILT(SDMA_MQD9_IB_SIZE + 1, SDMA_MQD9_DOORBELL),
	MQD9_MASKED(SDMA_MQD9_STATUS, SDMA_MQD9_STATUS, SDMA_MQD9_STATUS_MASK),
	/* Doorbell, context save address. */
	MQD9_REBUILT(SDMA_MQD9_STATUS + 1, SDMA_MQD9_CSA_ADDR_HI),
	MQD9_MASKED(SDMA_MQD9_IB_SUB_REMAIN, SDMA_MQD9_IB_SUB_REMAIN,
		    SDMA_MQD9_IB_SUB_REMAIN_MASK),
	MQD9_REBUILT(SDMA_MQD9_IB_SUB_REMAIN + 1, SDMA_MQD9_MIDCMD_DATA0 - 1),
	MQD9_TAKEN(SDMA_MQD9_MIDCMD_DATA0, SDMA_MQD9_MIDCMD_DATA8),
	MQD9_MASKED(SDMA_MQD9_MIDCMD_CNTL, SDMA_MQD9_MIDCMD_CNTL,
		    SDMA_MQD9_MIDCMD_CNTL_MASK),
	MQD9_REBUILT(SDMA_MQD9_MIDCMD_CNTL + 1, SDMA_MQD9_DWORDS - 1),
};

static const struct kfd_mqd_field *mqd9_fields(u32 type, u32 *count)
{
	if (kfd_queue_is_sdma(type)) {
		*count = ARRAY_SIZE(mqd9_sdma_fields);
		return mqd9_sdma_fields;
	}
	*count = ARRAY_SIZE(mqd9_compute_fields);
	return mqd9_compute_fields;
}

static void mqd9_take(struct kfd_queue *q, const u32 *src)
{
	const struct kfd_mqd_field *f;
	u32 *m = q->mqd;
	u32 count, i;

	for (f = mqd9_fields(q->props.type, &count); count; f++, count--)
		for (i = f->first; i <= f->last; i++)
			m[i] = (m[i] & ~f->mask) | (src[i] & f->mask);
}

static int mqd9_bound_eop(struct kfd_queue *q)
{
	u32 *m = q->mqd;
	u32 dwords = q->props.eop_size / sizeof(u32);
	u32 avail = (m[MQD9_CP_HQD_EOP_WPTR] & MQD9_EOP_AVAIL_MASK) >>
		    MQD9_EOP_AVAIL_SHIFT;

	if (!q->props.eop_addr) {
		m[MQD9_CP_HQD_EOP_RPTR] = 0;
		m[MQD9_CP_HQD_EOP_WPTR] = 0;
		return 0;
	}
	if (m[MQD9_CP_HQD_EOP_RPTR] >= dwords ||
	    (m[MQD9_CP_HQD_EOP_WPTR] & MQD9_EOP_WPTR_MASK) >= dwords ||
	    avail > dwords)
		return -EINVAL;
	return 0;
}

/* How far the save area is filled; the properties say how large it is. */
static int mqd9_bound_save_area(struct kfd_queue *q)
{
	u32 ctl = q->props.ctl_stack_size;
	u32 *m = q->mqd;

	if (!q->props.cwsr_addr) {
		m[MQD9_CP_HQD_CNTL_STACK_OFFSET] = 0;
		m[MQD9_CP_HQD_WG_STATE_OFFSET] = 0;
		return 0;
	}
	if (m[MQD9_CP_HQD_CNTL_STACK_OFFSET] > ctl ||
	    (ctl - m[MQD9_CP_HQD_CNTL_STACK_OFFSET]) % sizeof(u32) ||
	    m[MQD9_CP_HQD_WG_STATE_OFFSET] < ctl ||
	    m[MQD9_CP_HQD_WG_STATE_OFFSET] > q->props.cwsr_size)
		return -EINVAL;
	return 0;
}

/*
 * Ring pointers are brought into the ring instead of refused: of a disabled
 * queue they may still be those of the ring that it had before.
 */
static int mqd9_bound_compute(struct kfd_queue *q)
{
	u32 unit = q->props.type == KFD_IOC_QUEUE_TYPE_COMPUTE_AQL ?
		   AQL_PACKET_DWORDS : 1;
	u32 *m = q->mqd;
	int ret;

	m[MQD9_CP_HQD_PQ_RPTR] &= (q->props.ring_size / 4 - 1) & ~(unit - 1);
	m[MQD9_CP_HQD_PQ_WPTR_LO] &= ~(unit - 1);
	if (m[MQD9_CP_HQD_IB_RPTR] >
	    (m[MQD9_CP_HQD_IB_CONTROL] & MQD9_IB_SIZE_MASK))
		return -EINVAL;
	ret = mqd9_bound_eop(q);
	return ret ?: mqd9_bound_save_area(q);
}

static int mqd9_bound_sdma(struct kfd_queue *q)
{
	u32 *m = q->mqd;
	u64 ib_bytes = m[SDMA_MQD9_IB_SIZE] * 4ull, rptr, wptr;

	rptr = (u64)m[SDMA_MQD9_RB_RPTR_HI] << 32 | m[SDMA_MQD9_RB_RPTR];
	wptr = (u64)m[SDMA_MQD9_RB_WPTR_HI] << 32 | m[SDMA_MQD9_RB_WPTR];
	wptr = rptr + ((wptr - rptr) & (q->props.ring_size - 1));
	m[SDMA_MQD9_RB_WPTR] = lower_32_bits(wptr);
	m[SDMA_MQD9_RB_WPTR_HI] = upper_32_bits(wptr);
	if (m[SDMA_MQD9_IB_RPTR] > ib_bytes || m[SDMA_MQD9_IB_OFFSET] > ib_bytes)
		return -EINVAL;
	return 0;
}

static int mqd9_restore(struct kfd_queue *q, const u32 *src)
{
	if (kfd_queue_is_sdma(q->props.type)) {
		mqd9_take(q, src);
		return mqd9_bound_sdma(q);
	}
	if (src[MQD9_HEADER] != MQD9_HEADER_VALUE)
		return -EINVAL;
	mqd9_take(q, src);
	return mqd9_bound_compute(q);
}

/*
 * What images held for a half-done packet before the control stack had its
 * hardware's form: magic, 0, bytes done (64 bits). It becomes an event.
 */
static bool mqd9_stack_is_old(const u32 *src, u32 dwords)
{
	return dwords == 4 && src[0] == MQD9_OLD_STACK_MAGIC && !src[1] &&
	       !src[3] && !(src[2] & ~MQD9_RELAUNCH_EVENT_MASK);
}

static u32 mqd9_stack_word(u32 word)
{
	if (word & MQD9_RELAUNCH_IS_EVENT)
		return word & (MQD9_RELAUNCH_IS_EVENT |
			       MQD9_RELAUNCH_EVENT_MASK);
	if (word & MQD9_RELAUNCH_IS_STATE)
		return word & (MQD9_RELAUNCH_IS_STATE |
			       MQD9_RELAUNCH_STATE_MASK);
	return word & MQD9_RELAUNCH_WAVE_MASK;
}

/*
 * The control stack is packets that the CP runs by itself: one that is not
 * SET_SH_REG of COMPUTE_RELAUNCH could set any register, VMID and privileged
 * mode among them. So there is the one packet, for all of what is used, and of
 * the words that it writes only bits whose meaning is known. That may lose
 * what a GPU with waves has there; none is supported yet.
 */
static int mqd9_restore_stack(struct kfd_queue *q, const void *image)
{
	u32 used = q->props.ctl_stack_size -
		   q->mqd[MQD9_CP_HQD_CNTL_STACK_OFFSET];
	const u32 *src = image + q->mqd[MQD9_CP_HQD_CNTL_STACK_OFFSET];
	u32 *dst = q->ctl_stack + q->mqd[MQD9_CP_HQD_CNTL_STACK_OFFSET];
	u32 dwords = used / sizeof(u32), i;

	if (!dwords)
		return 0;
	if (mqd9_stack_is_old(src, dwords)) {
		dst[1] = PM4_HEADER(PM4_OP_SET_SH_REG, 3);
		dst[2] = MQD9_STACK_REGISTER;
		dst[3] = MQD9_RELAUNCH_IS_EVENT | src[2];
		q->mqd[MQD9_CP_HQD_CNTL_STACK_OFFSET] += sizeof(u32);
		return 0;
	}
	if (dwords <= MQD9_STACK_HEAD_DWORDS ||
	    dwords - 2 > PM4_COUNT(~0u) ||
	    src[0] != PM4_HEADER(PM4_OP_SET_SH_REG, dwords) ||
	    src[1] != MQD9_STACK_REGISTER)
		return -EINVAL;
	memcpy(dst, src, MQD9_STACK_HEAD_DWORDS * sizeof(u32));
	for (i = MQD9_STACK_HEAD_DWORDS; i < dwords; i++)
		dst[i] = mqd9_stack_word(src[i]);
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

/* The read pointer of a compute queue is kept wrapped, the write pointer not. */
static void mqd9_progress(const struct kfd_queue *q,
			  struct kfd_gpu_queue_progress *out)
{
	const u32 *m = q->mqd;
	u32 ring = q->props.ring_size / 4;
	bool part;

	if (kfd_queue_is_sdma(q->props.type)) {
		out->rptr = ((u64)m[SDMA_MQD9_RB_RPTR_HI] << 32 |
			     m[SDMA_MQD9_RB_RPTR]) / 4;
		out->wptr = ((u64)m[SDMA_MQD9_RB_WPTR_HI] << 32 |
			     m[SDMA_MQD9_RB_WPTR]) / 4;
		part = m[SDMA_MQD9_IB_SIZE] || m[SDMA_MQD9_MIDCMD_CNTL];
		out->halted = m[SDMA_MQD9_STATUS];
	} else {
		out->wptr = (u64)m[MQD9_CP_HQD_PQ_WPTR_HI] << 32 |
			    m[MQD9_CP_HQD_PQ_WPTR_LO];
		/* A disabled queue may have no ring. */
		out->rptr = out->wptr - (ring ? (out->wptr -
				m[MQD9_CP_HQD_PQ_RPTR]) & (ring - 1) : 0);
		part = m[MQD9_CP_HQD_IB_CONTROL] & MQD9_IB_PROCESSING ||
		       m[MQD9_CP_HQD_CNTL_STACK_OFFSET] !=
		       m[MQD9_CP_HQD_CNTL_STACK_SIZE];
		out->halted = m[MQD9_CP_HQD_ERROR];
	}
	out->idle = !part && out->rptr == out->wptr;
}

const struct kfd_mqd_ops kfd_mqd_gfx9_ops = {
	.size = mqd9_size,
	.init = mqd9_init,
	.update = mqd9_update,
	.restore = mqd9_restore,
	.restore_stack = mqd9_restore_stack,
	.fields = mqd9_fields,
	.wave_state = mqd9_wave_state,
	.progress = mqd9_progress,
};
