/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SDMA v4 packets (gfx9's copy engines).
 *
 * Facts about the hardware. The header dword has the operation in bits 0..7
 * and the sub-operation in bits 8..15. "minus one" fields hold the count less
 * one. Dword numbers count from the header.
 */
#ifndef HW_SDMA_V4_H
#define HW_SDMA_V4_H

#define SDMA_OP(h)			((h) & 0xffu)
#define SDMA_SUBOP(h)			(((h) >> 8) & 0xffu)

#define SDMA_OP_NOP			0
#define SDMA_OP_COPY			1
#define SDMA_OP_WRITE			2
#define SDMA_OP_INDIRECT		4
#define SDMA_OP_FENCE			5
#define SDMA_OP_TRAP			6
#define SDMA_OP_POLL_REGMEM		8
#define SDMA_OP_ATOMIC			10
#define SDMA_OP_CONST_FILL		11
#define SDMA_OP_TIMESTAMP		13

/* NOP: so many dwords follow and are skipped */
#define SDMA_NOP_COUNT(h)		(((h) >> 16) & 0x3fffu)

/*
 * COPY linear: 1 bytes minus one, 2 parameters, 3..4 source, 5..6
 * destination, with broadcast 7..8 a second destination
 */
#define SDMA_SUBOP_COPY_LINEAR		0
#define SDMA_COPY_BROADCAST		(1u << 27)
#define SDMA_COPY_BYTES(d)		(((d) & 0x3fffffu) + 1u)
#define SDMA_COPY_DWORDS		7u
#define SDMA_COPY_BROADCAST_DWORDS	9u

/*
 * COPY linear sub-window (a box): 1..2 source, 3 x and y, 4 z and row pitch,
 * 5 slice pitch, 6..10 the same of the destination, 11 width and height, 12
 * depth. Lengths and pitches are in elements, minus one.
 */
#define SDMA_SUBOP_COPY_SUBWIN		4
#define SDMA_SUBWIN_ELEMENT(h)		((h) >> 29)	/* log2(bytes) */
#define  SDMA_SUBWIN_ELEMENT_MAX	4u
#define SDMA_SUBWIN_X(d)		((d) & 0x3fffu)
#define SDMA_SUBWIN_Y(d)		(((d) >> 16) & 0x3fffu)
#define SDMA_SUBWIN_Z(d)		((d) & 0x7ffu)
#define SDMA_SUBWIN_PITCH(d)		((((d) >> 13) & 0x7ffffu) + 1u)
#define SDMA_SUBWIN_SLICE(d)		(((d) & 0xfffffffu) + 1u)
#define SDMA_SUBWIN_DWORDS		13u

/* WRITE linear: 1..2 destination, 3 dwords minus one, 4.. data */
#define SDMA_SUBOP_WRITE_LINEAR		0
#define SDMA_WRITE_COUNT(d)		(((d) & 0xfffffu) + 1u)
#define SDMA_WRITE_HEAD_DWORDS		4u

/* INDIRECT: 1..2 address, 3 size in dwords, 4..5 save area */
#define SDMA_INDIRECT_SIZE(d)		((d) & 0xfffffu)
#define SDMA_INDIRECT_DWORDS		6u

/* FENCE: 1..2 address, 3 data */
#define SDMA_FENCE_DWORDS		4u

/* TRAP: 1 context */
#define SDMA_TRAP_CONTEXT(d)		((d) & 0x0fffffffu)
#define SDMA_TRAP_DWORDS		2u

/*
 * POLL_REGMEM: 1..2 address, 3 value, 4 mask, 5 interval and retries.
 * Sub-operation 0 alone; others write memory or verify it.
 */
#define SDMA_POLL_FUNCTION(h)		(((h) >> 28) & 7u)
#define SDMA_POLL_MEM			(1u << 31)
#define SDMA_POLL_RETRIES(d)		(((d) >> 16) & 0xfffu)
#define  SDMA_POLL_FOREVER		0xfffu
#define SDMA_POLL_DWORDS		6u

/* ATOMIC: 1..2 address, 3..4 source, 5..6 compare, 7 loop interval */
#define SDMA_ATOMIC_OP(h)		((h) >> 25)
#define SDMA_ATOMIC_DWORDS		8u

/* CONST_FILL: 1..2 destination, 3 data, 4 bytes minus one */
#define SDMA_FILL_SIZE(h)		((h) >> 30)
#define  SDMA_FILL_BYTE			0u
#define  SDMA_FILL_WORD			1u
#define  SDMA_FILL_DWORD		2u
#define SDMA_FILL_COUNT(d)		((d) & 0x3fffffu)
#define SDMA_FILL_DWORDS		5u

/* TIMESTAMP: 1..2 address, of 8 bytes */
#define SDMA_SUBOP_TIMESTAMP_GET	1
#define SDMA_SUBOP_TIMESTAMP_GLOBAL	2
#define SDMA_TIMESTAMP_DWORDS		3u

#endif
