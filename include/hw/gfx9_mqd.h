/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The gfx9 memory queue descriptors: which dword holds what.
 *
 * Facts about the hardware, as the in-tree driver's v9_structs.h and the
 * register headers gc_9_0 and sdma0_4_0 give them; the driver fills these
 * fields and a GPU loads its queue registers from them and saves them there.
 * Dword numbers are indices into a u32 array.
 */
#ifndef HW_GFX9_MQD_H
#define HW_GFX9_MQD_H

/* Compute: 512 dwords. */
#define MQD9_DWORDS				512
#define MQD9_HEADER				0
#define MQD9_HEADER_VALUE			0xc0310800
/* 1..12 dispatch dimensions, 13..42 compute registers */
#define MQD9_COMPUTE_DISPATCH_INITIATOR		1
/* Without RESTORE (bit 14), which reloads waves, and the reserved bits. */
#define  MQD9_DISPATCH_INITIATOR_USER		0x00000c7fu
#define MQD9_COMPUTE_DIM_X			2
#define MQD9_COMPUTE_NUM_THREAD_Z		10
#define MQD9_COMPUTE_PIPELINESTAT_ENABLE	11
#define MQD9_COMPUTE_PERFCOUNT_ENABLE		12
#define MQD9_COMPUTE_PGM_LO			13	/* address >> 8 */
#define MQD9_COMPUTE_PGM_HI			14	/* 8 bits */
#define  MQD9_PGM_HI_MASK			0x000000ffu
#define MQD9_COMPUTE_TBA_LO			15	/* 15..18: tba, tma */
#define MQD9_COMPUTE_TMA_HI			18
/*
 * What a program may ask for in its resource registers; the rest "CP is
 * responsible for filling in" (LLVM's AMDGPUUsage, compute_pgm_rsrc1 and 2 of
 * GFX9): of RSRC1 PRIORITY (10..11), PRIV (20: waves start in the privileged
 * mode of the trap handler), DEBUG_MODE (22), BULKY (24), CDBG_USER (25); of
 * RSRC2 TRAP_PRESENT (6) and EXCP_EN_MSB (13..14: address watch, memory
 * violation). Reserved bits are left out, too.
 */
#define MQD9_COMPUTE_PGM_RSRC1			19
#define  MQD9_PGM_RSRC1_PRIV			0x00100000u
#define  MQD9_PGM_RSRC1_DEBUG_MODE		0x00400000u
#define  MQD9_PGM_RSRC1_USER			0x04aff3ffu
#define MQD9_COMPUTE_PGM_RSRC2			20
#define  MQD9_PGM_RSRC2_TRAP_PRESENT		0x00000040u
#define  MQD9_PGM_RSRC2_EXCP_EN_MSB		0x00006000u
#define  MQD9_PGM_RSRC2_USER			0x7fff9fbfu
#define MQD9_COMPUTE_VMID			21
#define MQD9_COMPUTE_RESOURCE_LIMITS		22
#define MQD9_COMPUTE_STATIC_THREAD_MGMT_SE0	23
#define MQD9_COMPUTE_STATIC_THREAD_MGMT_SE1	24
#define MQD9_COMPUTE_TMPRING_SIZE		25	/* 12 bits waves, 13 size */
#define  MQD9_TMPRING_SIZE_MASK			0x01ffffffu
#define MQD9_COMPUTE_STATIC_THREAD_MGMT_SE2	26
#define MQD9_COMPUTE_STATIC_THREAD_MGMT_SE3	27
#define MQD9_COMPUTE_RESTART_X			28
#define MQD9_COMPUTE_RESTART_Z			30
#define MQD9_COMPUTE_THREAD_TRACE_ENABLE	31
#define MQD9_COMPUTE_DISPATCH_ID		33
#define MQD9_COMPUTE_THREADGROUP_ID		34
#define MQD9_COMPUTE_RELAUNCH			35
#define MQD9_COMPUTE_WAVE_RESTORE_CONTROL	38
#define MQD9_COMPUTE_STATIC_THREAD_MGMT_SE4	39
#define MQD9_COMPUTE_STATIC_THREAD_MGMT_SE7	42
#define MQD9_COMPUTE_USER_DATA_0		65
#define MQD9_COMPUTE_USER_DATA_15		80
#define MQD9_CP_MQD_BASE_ADDR_LO		128
#define MQD9_CP_MQD_BASE_ADDR_HI		129
#define MQD9_CP_HQD_ACTIVE			130
#define MQD9_CP_HQD_VMID			131
#define MQD9_CP_HQD_PERSISTENT_STATE		132
#define  MQD9_PERSISTENT_PRELOAD_REQ		0x00000001u
#define  MQD9_PERSISTENT_PRELOAD_SIZE_SHIFT	8
#define  MQD9_PERSISTENT_QSWITCH_MODE		0x40000000u
#define MQD9_CP_HQD_PIPE_PRIORITY		133
#define MQD9_CP_HQD_QUEUE_PRIORITY		134
#define MQD9_CP_HQD_QUANTUM			135
#define MQD9_CP_HQD_PQ_BASE_LO			136	/* address >> 8 */
#define MQD9_CP_HQD_PQ_BASE_HI			137
#define MQD9_CP_HQD_PQ_RPTR			138	/* dwords, wrapped */
#define MQD9_CP_HQD_PQ_RPTR_REPORT_ADDR_LO	139
#define MQD9_CP_HQD_PQ_RPTR_REPORT_ADDR_HI	140
#define MQD9_CP_HQD_PQ_WPTR_POLL_ADDR_LO	141
#define MQD9_CP_HQD_PQ_WPTR_POLL_ADDR_HI	142
#define MQD9_CP_HQD_PQ_DOORBELL_CONTROL		143
#define  MQD9_DOORBELL_BIF_DROP			0x00000002u
#define  MQD9_DOORBELL_OFFSET_SHIFT		2	/* in dwords, 26 bits */
#define  MQD9_DOORBELL_OFFSET_MASK		0x0ffffffcu
#define  MQD9_DOORBELL_EN			0x40000000u
#define MQD9_CP_HQD_PQ_CONTROL			145
#define  MQD9_PQ_QUEUE_SIZE_MASK		0x3fu	/* log2(dwords) - 1 */
#define  MQD9_PQ_RPTR_BLOCK_SIZE_SHIFT		8
#define  MQD9_PQ_QUEUE_FULL_EN			0x00004000u
#define  MQD9_PQ_WPP_CLAMP_EN			0x00010000u
#define  MQD9_PQ_SLOT_BASED_WPTR_SHIFT		25
#define  MQD9_PQ_NO_UPDATE_RPTR			0x08000000u
#define  MQD9_PQ_PRIV_STATE			0x40000000u
#define  MQD9_PQ_KMD_QUEUE			0x80000000u
#define MQD9_CP_HQD_IB_BASE_ADDR_LO		146
#define MQD9_CP_HQD_IB_BASE_ADDR_HI		147	/* 16 bits */
#define  MQD9_IB_BASE_HI_MASK			0x0000ffffu
#define MQD9_CP_HQD_IB_RPTR			148	/* dwords done of the IB */
#define MQD9_CP_HQD_IB_CONTROL			149
#define  MQD9_IB_SIZE_MASK			0xfffffu
#define  MQD9_IB_MIN_AVAIL_SIZE_SHIFT		20
#define  MQD9_IB_EXE_DISABLE			0x00800000u
#define  MQD9_IB_PROCESSING			0x80000000u
#define MQD9_CP_HQD_IQ_TIMER			150
#define MQD9_CP_MQD_CONTROL			162
#define  MQD9_MQD_CONTROL_PRIV_STATE		0x00000100u
#define MQD9_CP_HQD_EOP_BASE_ADDR_LO		165	/* address >> 8 */
#define MQD9_CP_HQD_EOP_BASE_ADDR_HI		166
#define MQD9_CP_HQD_EOP_CONTROL			167	/* log2(dwords) - 1, <= 10 */
#define MQD9_CP_HQD_EOP_RPTR			168
#define  MQD9_EOP_RPTR_MASK			0x00001fffu	/* dwords */
#define MQD9_CP_HQD_EOP_WPTR			169
#define  MQD9_EOP_WPTR_MASK			0x00001fffu
#define  MQD9_EOP_EMPTY				0x00008000u
#define  MQD9_EOP_AVAIL_SHIFT			16	/* 13 bits */
#define  MQD9_EOP_AVAIL_MASK			0x1fff0000u
#define MQD9_CP_HQD_CTX_SAVE_BASE_ADDR_LO	171
#define MQD9_CP_HQD_CTX_SAVE_BASE_ADDR_HI	172
#define MQD9_CP_HQD_CTX_SAVE_CONTROL		173
#define MQD9_CP_HQD_CNTL_STACK_OFFSET		174
#define MQD9_CP_HQD_CNTL_STACK_SIZE		175
#define MQD9_CP_HQD_WG_STATE_OFFSET		176
#define MQD9_CP_HQD_CTX_SAVE_SIZE		177
#define MQD9_CP_HQD_ERROR			179
/* What the hardware reports (bits 0..5, 8..19), and what a simulator adds. */
#define  MQD9_ERROR_MASK			0x070fff3fu
#define MQD9_CP_HQD_AQL_CONTROL			181
#define  MQD9_AQL_CONTROL0_SHIFT		0
#define MQD9_CP_HQD_PQ_WPTR_LO			182	/* dwords, monotonic */
#define MQD9_CP_HQD_PQ_WPTR_HI			183

/*
 * The control stack holds what a queue needs to go on besides its registers.
 * It grows down from CNTL_STACK_SIZE to CNTL_STACK_OFFSET, and the CP takes it
 * as packets: two dwords of SET_SH_REG for COMPUTE_RELAUNCH, then what is
 * written there, one dword after the other (as AMD's debugger library and
 * debug agent read it on gfx9). A state says what the waves after it have, a
 * wave has its registers in the save area. What the other bits of a state or
 * a wave mean is not public. Neither is the payload of an event; in
 * one, this project's simulator keeps how much of a packet is done.
 */
#define MQD9_STACK_HEAD_DWORDS			2
#define MQD9_STACK_REGISTER			0x222u	/* COMPUTE_RELAUNCH */
#define MQD9_RELAUNCH_IS_EVENT			0x40000000u
#define MQD9_RELAUNCH_IS_STATE			0x80000000u
#define MQD9_RELAUNCH_STATE_MASK		0x0003ffffu	/* VGPRs, SGPRs, LDS */
#define MQD9_RELAUNCH_WAVE_MASK			0x00030000u	/* last, first wave */
#define MQD9_RELAUNCH_EVENT_MASK		0x03ffffffu

/* SDMA (one RLC queue): 128 dwords. */
#define SDMA_MQD9_DWORDS			128
#define SDMA_MQD9_RB_CNTL			0
#define  SDMA_MQD9_RB_ENABLE			0x00000001u
#define  SDMA_MQD9_RB_SIZE_SHIFT		1	/* log2(dwords), 6 bits */
#define  SDMA_MQD9_RB_SIZE_MASK			0x7eu
#define  SDMA_MQD9_RPTR_WRITEBACK_ENABLE	0x00001000u
#define  SDMA_MQD9_RPTR_WRITEBACK_TIMER_SHIFT	16
#define  SDMA_MQD9_RB_PRIV			0x00800000u
#define  SDMA_MQD9_RB_VMID_SHIFT		24
#define  SDMA_MQD9_RB_VMID_MASK			0x0f000000u
#define SDMA_MQD9_RB_BASE			1	/* address >> 8 */
#define SDMA_MQD9_RB_BASE_HI			2
#define SDMA_MQD9_RB_RPTR			3	/* bytes, 64 bits, not wrapped */
#define SDMA_MQD9_RB_RPTR_HI			4
#define SDMA_MQD9_RB_WPTR			5
#define SDMA_MQD9_RB_WPTR_HI			6
#define SDMA_MQD9_RB_WPTR_POLL_CNTL		7
#define SDMA_MQD9_RB_RPTR_ADDR_HI		8
#define SDMA_MQD9_RB_RPTR_ADDR_LO		9
#define SDMA_MQD9_IB_CNTL			10
#define SDMA_MQD9_IB_RPTR			11	/* bytes */
#define SDMA_MQD9_IB_OFFSET			12
#define  SDMA_MQD9_IB_RPTR_MASK			0x003ffffcu
#define SDMA_MQD9_IB_BASE_LO			13
#define SDMA_MQD9_IB_BASE_HI			14
#define  SDMA_MQD9_IB_BASE_HI_MASK		0x0000ffffu
#define SDMA_MQD9_IB_SIZE			15	/* dwords */
#define  SDMA_MQD9_IB_SIZE_MASK			0x000fffffu
#define SDMA_MQD9_DOORBELL			18
#define  SDMA_MQD9_DOORBELL_ENABLE		0x10000000u
#define SDMA_MQD9_STATUS			19
#define  SDMA_MQD9_STATUS_MASK			0x070fffffu
#define SDMA_MQD9_DOORBELL_OFFSET		22	/* bits 2..27: dwords */
#define SDMA_MQD9_CSA_ADDR_LO			23
#define SDMA_MQD9_CSA_ADDR_HI			24
#define SDMA_MQD9_IB_SUB_REMAIN			25
#define  SDMA_MQD9_IB_SUB_REMAIN_MASK		0x00003fffu
#define SDMA_MQD9_DUMMY_REG			27
#define SDMA_MQD9_RB_WPTR_POLL_ADDR_HI		28
#define SDMA_MQD9_RB_WPTR_POLL_ADDR_LO		29
/* A packet interrupted half-way: what is done of it (provider's meaning). */
#define SDMA_MQD9_MIDCMD_DATA0			32
#define SDMA_MQD9_MIDCMD_DATA8			40
#define SDMA_MQD9_MIDCMD_CNTL			41
#define  SDMA_MQD9_MIDCMD_CNTL_MASK		0x000001f3u

#endif
