/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PM4 packets as a gfx9 compute micro engine takes them.
 *
 * Facts about the hardware: opcodes, and in which bits of which dword a field
 * lies. A packet starts with a header dword: type in bits 30..31; for type 3
 * the opcode in bits 8..15 and in bits 16..29 the number of dwords that
 * follow the header, minus one. Dword numbers below count from the header.
 */
#ifndef HW_PM4_GFX9_H
#define HW_PM4_GFX9_H

#define PM4_TYPE(h)			((h) >> 30)
#define PM4_TYPE2			2u	/* one dword of filler */
#define PM4_TYPE3			3u
#define PM4_COUNT(h)			(((h) >> 16) & 0x3fffu)
#define PM4_OPCODE(h)			(((h) >> 8) & 0xffu)
#define PM4_HEADER(op, dwords)		(3u << 30 | ((dwords) - 2u) << 16 | \
					 (op) << 8)

/* A NOP with this count is one dword long: 0xffff1000, bits 0..7 any. */
#define PM4_NOP_COUNT_ONE		0x3fffu

#define PM4_OP_NOP			0x10
#define PM4_OP_DISPATCH_DIRECT		0x15
#define PM4_OP_DISPATCH_INDIRECT	0x16
#define PM4_OP_ATOMIC_MEM		0x1e
#define PM4_OP_WRITE_DATA		0x37
#define PM4_OP_WAIT_REG_MEM		0x3c
#define PM4_OP_INDIRECT_BUFFER		0x3f
#define PM4_OP_COPY_DATA		0x40
#define PM4_OP_EVENT_WRITE		0x46
#define PM4_OP_RELEASE_MEM		0x49
#define PM4_OP_DMA_DATA			0x50
#define PM4_OP_ACQUIRE_MEM		0x58
#define PM4_OP_SET_SH_REG		0x76

/* WRITE_DATA: 1 control, 2..3 address, 4.. data */
#define PM4_WRITE_DST_SEL(d)		(((d) >> 8) & 0xfu)
#define  PM4_WRITE_DST_MEM_SYNC		1u
#define  PM4_WRITE_DST_L2		2u
#define  PM4_WRITE_DST_MEM		5u
#define PM4_WRITE_ONE_ADDR		(1u << 16)	/* don't increment */
#define PM4_WRITE_HEAD_DWORDS		4u

/* WAIT_REG_MEM: 1 control, 2..3 address, 4 reference, 5 mask, 6 interval */
#define PM4_WAIT_FUNCTION(d)		((d) & 7u)
#define PM4_WAIT_MEM_SPACE(d)		(((d) >> 4) & 3u)
#define  PM4_WAIT_SPACE_REG		0u
#define  PM4_WAIT_SPACE_MEM		1u
#define PM4_WAIT_OPERATION(d)		(((d) >> 6) & 3u)
#define PM4_WAIT_DWORDS			7u

/* Comparison of WAIT_REG_MEM and of SDMA's POLL_REGMEM; unsigned. */
#define GPU_CMP_ALWAYS			0u
#define GPU_CMP_LT			1u
#define GPU_CMP_LE			2u
#define GPU_CMP_EQ			3u
#define GPU_CMP_NE			4u
#define GPU_CMP_GE			5u
#define GPU_CMP_GT			6u

/* INDIRECT_BUFFER: 1..2 address, 3 control */
#define PM4_IB_SIZE(d)			((d) & 0xfffffu)	/* dwords */
#define PM4_IB_CHAIN			(1u << 20)
#define PM4_IB_DWORDS			4u

/* COPY_DATA: 1 control, 2..3 source or data, 4..5 destination */
#define PM4_COPY_SRC_SEL(d)		((d) & 0xfu)
#define  PM4_COPY_SRC_MEM		1u
#define  PM4_COPY_SRC_L2		2u
#define  PM4_COPY_SRC_IMM		5u
#define  PM4_COPY_SRC_CLOCK		9u
#define PM4_COPY_DST_SEL(d)		(((d) >> 8) & 0xfu)
#define  PM4_COPY_DST_MEM_SYNC		1u
#define  PM4_COPY_DST_L2		2u
#define  PM4_COPY_DST_MEM		5u
#define PM4_COPY_64BIT			(1u << 16)
#define PM4_COPY_DWORDS			6u

/* EVENT_WRITE: 1 event; index 0 and 4 have no address and no data */
#define PM4_EVENT_INDEX(d)		(((d) >> 8) & 0xfu)
#define  PM4_EVENT_INDEX_ANY		0u
#define  PM4_EVENT_INDEX_FLUSH		4u
#define PM4_EVENT_DWORDS		2u

/*
 * RELEASE_MEM: 1 event and cache actions, 2 selectors, 3..4 address, 5..6
 * data, 7 int_ctxid (absent in the seven-dword form)
 */
#define PM4_RELEASE_DST_SEL(d)		(((d) >> 16) & 3u)
#define  PM4_RELEASE_DST_L2		1u	/* highest that is memory */
#define PM4_RELEASE_INT_SEL(d)		(((d) >> 24) & 7u)
#define  PM4_RELEASE_INT_NONE		0u
#define  PM4_RELEASE_INT_ONLY		1u
#define  PM4_RELEASE_INT_CONFIRM	2u
#define  PM4_RELEASE_INT_WAIT		3u	/* confirm without interrupt */
#define PM4_RELEASE_DATA_SEL(d)		(((d) >> 29) & 7u)
#define  PM4_RELEASE_DATA_NONE		0u
#define  PM4_RELEASE_DATA_32		1u
#define  PM4_RELEASE_DATA_64		2u
#define  PM4_RELEASE_DATA_GPU_CLOCK	3u
#define  PM4_RELEASE_DATA_SYS_CLOCK	4u
#define PM4_RELEASE_DWORDS_MIN		7u

/* DMA_DATA: 1 control, 2..3 source or data, 4..5 destination, 6 command */
#define PM4_DMA_SRC_SEL(d)		(((d) >> 29) & 3u)
#define  PM4_DMA_SRC_MEM		0u
#define  PM4_DMA_SRC_DATA		2u
#define  PM4_DMA_SRC_L2			3u
#define PM4_DMA_DST_SEL(d)		(((d) >> 20) & 3u)
#define  PM4_DMA_DST_MEM		0u
#define  PM4_DMA_DST_L2			3u
#define PM4_DMA_BYTES(d)		((d) & 0x3ffffffu)
#define PM4_DMA_SRC_REG			(1u << 26)
#define PM4_DMA_DST_REG			(1u << 27)
#define PM4_DMA_SRC_FIXED		(1u << 28)
#define PM4_DMA_DST_FIXED		(1u << 29)
#define PM4_DMA_DWORDS			7u

#define PM4_ACQUIRE_DWORDS		7u

/* ATOMIC_MEM: 1 operation, 2..3 address, 4..5 source, 6..7 compare, 8 loop */
#define PM4_ATOMIC_OP(d)		((d) & 0x7fu)
#define PM4_ATOMIC_DWORDS		9u

/* Operation codes of the L2 cache's atomic unit, shared with SDMA. */
#define TC_ATOMIC_ADD_RTN_32		0x0f
#define TC_ATOMIC_SUB_RTN_32		0x10
#define TC_ATOMIC_ADD_RTN_64		0x2f
#define TC_ATOMIC_SUB_RTN_64		0x30
#define TC_ATOMIC_ADD_32		0x4f
#define TC_ATOMIC_SUB_32		0x50
#define TC_ATOMIC_ADD_64		0x6f
#define TC_ATOMIC_SUB_64		0x70

/*
 * SET_SH_REG: 1 register (dwords from 0x2c00), 2.. values. The compute
 * registers start at 0x2e00; up to RESTORE_ADDR and for USER_DATA_0..15 the
 * MQD holds register 0x2e00 + n in dword n + 1.
 */
#define PM4_SH_REG(d)			((d) & 0xffffu)
#define PM4_SH_REG_COUNT		0x400u
#define PM4_SH_COMPUTE_FIRST		0x200u
#define PM4_SH_COMPUTE_VMID		0x214u	/* privileged */
#define PM4_SH_COMPUTE_LAST		0x225u
#define PM4_SH_USER_DATA_0		0x240u
#define PM4_SH_USER_DATA_15		0x24fu

#endif
