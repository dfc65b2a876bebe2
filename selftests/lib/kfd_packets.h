/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Builders for the packets that the tests put into queues: PM4 and SDMA 4 of
 * gfx9, and AQL. Each writes to @p and returns the number of dwords.
 */
#ifndef KFD_PACKETS_H
#define KFD_PACKETS_H

#include <stdint.h>
#include <string.h>

#define LO(x)	((uint32_t)(uint64_t)(x))
#define HI(x)	((uint32_t)((uint64_t)(x) >> 32))

/* PM4 */
#define PM4_NOP			0x10
#define PM4_DISPATCH_DIRECT	0x15
#define PM4_ATOMIC_MEM		0x1e
#define PM4_WRITE_DATA		0x37
#define PM4_WAIT_REG_MEM	0x3c
#define PM4_INDIRECT_BUFFER	0x3f
#define PM4_COPY_DATA		0x40
#define PM4_RELEASE_MEM		0x49
#define PM4_ACQUIRE_MEM		0x58
#define PM4_SET_SH_REG		0x76
#define PM4_NOP_1DW		0xffff1002u

#define PM4_FUNC_LESS		1
#define PM4_FUNC_LESS_EQUAL	2
#define PM4_FUNC_EQUAL		3
#define PM4_FUNC_NOT_EQUAL	4
#define PM4_FUNC_GREATER_EQUAL	5
#define PM4_FUNC_GREATER	6

#define PM4_DATA_NONE		0
#define PM4_DATA_32		1
#define PM4_DATA_64		2
#define PM4_DATA_CLOCK		3

#define PM4_ATOMIC_ADD64	0x2f

/* Bit 1 marks packets of the compute pipe. */
static inline uint32_t pm4_header(uint32_t op, uint32_t dwords)
{
	return 3u << 30 | (dwords - 2) << 16 | op << 8 | 1u << 1;
}

static inline unsigned int pm4_nop(uint32_t *p, unsigned int dwords)
{
	memset(p, 0, dwords * 4);
	p[0] = dwords == 1 ? PM4_NOP_1DW : pm4_header(PM4_NOP, dwords);
	return dwords;
}

static inline unsigned int pm4_write_data_n(uint32_t *p, uint64_t va, const uint32_t *data,
					    unsigned int n)
{
	p[0] = pm4_header(PM4_WRITE_DATA, 4 + n);
	p[1] = 5u << 8 | 1u << 20;	/* to memory, confirmed */
	p[2] = LO(va);
	p[3] = HI(va);
	memcpy(p + 4, data, n * 4);
	return 4 + n;
}

static inline unsigned int pm4_write_data(uint32_t *p, uint64_t va, uint32_t data)
{
	return pm4_write_data_n(p, va, &data, 1);
}

static inline unsigned int pm4_wait_reg_mem(uint32_t *p, uint32_t func, uint64_t va, uint32_t ref,
					    uint32_t mask)
{
	p[0] = pm4_header(PM4_WAIT_REG_MEM, 7);
	p[1] = func | 1u << 4;		/* memory, not a register */
	p[2] = LO(va);
	p[3] = HI(va);
	p[4] = ref;
	p[5] = mask;
	p[6] = 4;			/* poll interval */
	return 7;
}

static inline unsigned int pm4_indirect_buffer(uint32_t *p, uint64_t va, uint32_t dwords)
{
	p[0] = pm4_header(PM4_INDIRECT_BUFFER, 4);
	p[1] = LO(va);
	p[2] = HI(va) & 0xffff;
	p[3] = dwords | 1u << 23;	/* valid */
	return 4;
}

static inline unsigned int pm4_release_mem(uint32_t *p, uint32_t data_sel, uint64_t va,
					   uint64_t data, uint32_t event_id)
{
	p[0] = pm4_header(PM4_RELEASE_MEM, 8);
	p[1] = 0x14 | 5u << 8;		/* end-of-pipe time stamp, caches flushed */
	p[2] = data_sel << 29 | (event_id ? 2u : 0u) << 24;
	p[3] = LO(va);
	p[4] = HI(va);
	p[5] = LO(data);
	p[6] = HI(data);
	p[7] = event_id;
	return 8;
}

/* 8 bytes from memory to memory */
static inline unsigned int pm4_copy_data(uint32_t *p, uint64_t dst, uint64_t src)
{
	p[0] = pm4_header(PM4_COPY_DATA, 6);
	p[1] = 1u | 5u << 8 | 1u << 16 | 1u << 20;	/* 64 bits, confirmed */
	p[2] = LO(src);
	p[3] = HI(src);
	p[4] = LO(dst);
	p[5] = HI(dst);
	return 6;
}

static inline unsigned int pm4_atomic_add64(uint32_t *p, uint64_t va, uint64_t value)
{
	memset(p, 0, 9 * 4);
	p[0] = pm4_header(PM4_ATOMIC_MEM, 9);
	p[1] = PM4_ATOMIC_ADD64;
	p[2] = LO(va);
	p[3] = HI(va);
	p[4] = LO(value);
	p[5] = HI(value);
	return 9;
}

static inline unsigned int pm4_acquire_mem(uint32_t *p)
{
	p[0] = pm4_header(PM4_ACQUIRE_MEM, 7);
	p[1] = 1u << 29 | 1u << 27 | 1u << 23 | 1u << 22;	/* SH caches, TC, TCL1 */
	p[2] = 0xffffffff;
	p[3] = 0xff;
	p[4] = 0;
	p[5] = 0;
	p[6] = 4;
	return 7;
}

static inline unsigned int pm4_set_sh_reg(uint32_t *p, uint32_t reg, const uint32_t *values,
					  unsigned int n)
{
	p[0] = pm4_header(PM4_SET_SH_REG, 2 + n);
	p[1] = reg - 0x2c00;
	memcpy(p + 2, values, n * 4);
	return 2 + n;
}

static inline unsigned int pm4_dispatch_direct(uint32_t *p, uint32_t x, uint32_t y, uint32_t z)
{
	p[0] = pm4_header(PM4_DISPATCH_DIRECT, 5);
	p[1] = x;
	p[2] = y;
	p[3] = z;
	p[4] = 1u | 1u << 2;		/* shader enable, start at 0,0,0 */
	return 5;
}

/* SDMA 4 */
#define SDMA_NOP		0
#define SDMA_COPY		1
#define SDMA_WRITE		2
#define SDMA_INDIRECT		4
#define SDMA_FENCE		5
#define SDMA_TRAP		6
#define SDMA_POLL_REGMEM	8
#define SDMA_ATOMIC		10
#define SDMA_CONST_FILL		11
#define SDMA_TIMESTAMP		13
#define SDMA_COPY_MAX		(1u << 22)	/* bytes of one copy packet */
#define SDMA_ATOMIC_ADD64	0x2f

static inline unsigned int sdma_copy(uint32_t *p, uint64_t dst, uint64_t src, uint32_t bytes)
{
	p[0] = SDMA_COPY;
	p[1] = bytes - 1;
	p[2] = 0;
	p[3] = LO(src);
	p[4] = HI(src);
	p[5] = LO(dst);
	p[6] = HI(dst);
	return 7;
}

static inline unsigned int sdma_copy_broadcast(uint32_t *p, uint64_t dst1, uint64_t dst2,
					       uint64_t src, uint32_t bytes)
{
	sdma_copy(p, dst1, src, bytes);
	p[0] |= 1u << 27;
	p[7] = LO(dst2);
	p[8] = HI(dst2);
	return 9;
}

/**
 * struct sdma_rect - one side of a rectangle copy, in elements
 * @va: address of the surface
 * @x: first column
 * @y: first row
 * @z: first slice
 * @pitch: elements per row
 * @slice: elements per slice
 */
struct sdma_rect {
	uint64_t va;
	uint32_t x, y, z;
	uint32_t pitch;
	uint32_t slice;
};

static inline unsigned int sdma_copy_rect(uint32_t *p, const struct sdma_rect *dst,
					  const struct sdma_rect *src, uint32_t w, uint32_t h,
					  uint32_t d, uint32_t log2_element)
{
	p[0] = SDMA_COPY | 4u << 8 | log2_element << 29;
	p[1] = LO(src->va);
	p[2] = HI(src->va);
	p[3] = src->x | src->y << 16;
	p[4] = src->z | (src->pitch - 1) << 13;
	p[5] = src->slice - 1;
	p[6] = LO(dst->va);
	p[7] = HI(dst->va);
	p[8] = dst->x | dst->y << 16;
	p[9] = dst->z | (dst->pitch - 1) << 13;
	p[10] = dst->slice - 1;
	p[11] = (w - 1) | (h - 1) << 16;
	p[12] = d - 1;
	return 13;
}

static inline unsigned int sdma_write(uint32_t *p, uint64_t va, const uint32_t *data,
				      unsigned int n)
{
	p[0] = SDMA_WRITE;
	p[1] = LO(va);
	p[2] = HI(va);
	p[3] = n - 1;
	memcpy(p + 4, data, n * 4);
	return 4 + n;
}

static inline unsigned int sdma_indirect(uint32_t *p, uint64_t va, uint32_t dwords)
{
	p[0] = SDMA_INDIRECT;
	p[1] = LO(va);
	p[2] = HI(va);
	p[3] = dwords;
	p[4] = 0;
	p[5] = 0;
	return 6;
}

static inline unsigned int sdma_fence(uint32_t *p, uint64_t va, uint32_t value)
{
	p[0] = SDMA_FENCE;
	p[1] = LO(va);
	p[2] = HI(va);
	p[3] = value;
	return 4;
}

static inline unsigned int sdma_trap(uint32_t *p, uint32_t event_id)
{
	p[0] = SDMA_TRAP;
	p[1] = event_id;
	return 2;
}

static inline unsigned int sdma_poll(uint32_t *p, uint32_t func, uint64_t va, uint32_t ref,
				     uint32_t mask)
{
	p[0] = SDMA_POLL_REGMEM | func << 28 | 1u << 31;
	p[1] = LO(va);
	p[2] = HI(va);
	p[3] = ref;
	p[4] = mask;
	p[5] = 10u | 0xfffu << 16;	/* interval; retry for ever */
	return 6;
}

static inline unsigned int sdma_atomic_add64(uint32_t *p, uint64_t va, uint64_t value)
{
	p[0] = SDMA_ATOMIC | (uint32_t)SDMA_ATOMIC_ADD64 << 25;
	p[1] = LO(va);
	p[2] = HI(va);
	p[3] = LO(value);
	p[4] = HI(value);
	p[5] = 0;
	p[6] = 0;
	p[7] = 0;
	return 8;
}

/* The count field is in bytes; with dword elements its low bits do not count. */
static inline unsigned int sdma_fill(uint32_t *p, uint64_t va, uint32_t value, uint32_t bytes)
{
	p[0] = SDMA_CONST_FILL | 2u << 30;
	p[1] = LO(va);
	p[2] = HI(va);
	p[3] = value;
	p[4] = bytes - 1;
	return 5;
}

static inline unsigned int sdma_timestamp(uint32_t *p, uint64_t va)
{
	p[0] = SDMA_TIMESTAMP | 2u << 8;	/* global clock */
	p[1] = LO(va);
	p[2] = HI(va);
	return 3;
}

/* AQL */
#define AQL_VENDOR		0
#define AQL_INVALID		1
#define AQL_KERNEL_DISPATCH	2
#define AQL_BARRIER_AND		3
#define AQL_BARRIER_OR		5
#define AQL_HEADER(type)	((type) | 1u << 8 | 2u << 9 | 2u << 11)
#define AQL_DWORDS		16

/**
 * struct aql_signal - the memory of a signal
 * @kind: 1: user signal
 * @value: its value
 * @mailbox: address that the event id is written to; 0: no interrupt
 * @event_id: event to set
 * @reserved: zero
 * @start: time stamp of the packet's start
 * @end: time stamp of its end
 * @queue: unused here
 * @reserved2: zero
 */
struct aql_signal {
	int64_t kind;
	int64_t value;
	uint64_t mailbox;
	uint32_t event_id;
	uint32_t reserved;
	uint64_t start;
	uint64_t end;
	uint64_t queue;
	uint64_t reserved2;
};

static inline unsigned int aql_barrier(uint32_t *p, uint32_t type, const uint64_t *deps,
				       unsigned int num_deps, uint64_t completion)
{
	uint64_t *q = (uint64_t *)p;

	memset(p, 0, AQL_DWORDS * 4);
	p[0] = AQL_HEADER(type);
	memcpy(q + 1, deps, num_deps * 8);
	q[7] = completion;
	return AQL_DWORDS;
}

static inline unsigned int aql_pm4_ib(uint32_t *p, uint64_t ib, uint32_t dwords,
				      uint64_t completion)
{
	memset(p, 0, AQL_DWORDS * 4);
	p[0] = AQL_HEADER(AQL_VENDOR) | 1u << 16;	/* format 1 */
	pm4_indirect_buffer(p + 1, ib, dwords);
	p[5] = 10;					/* dwords that follow */
	p[14] = LO(completion);
	p[15] = HI(completion);
	return AQL_DWORDS;
}

static inline unsigned int aql_dispatch(uint32_t *p, uint64_t kernel_object, uint64_t kernarg,
					uint32_t grid, uint64_t completion)
{
	memset(p, 0, AQL_DWORDS * 4);
	p[0] = AQL_HEADER(AQL_KERNEL_DISPATCH) | 1u << 16;	/* one dimension */
	p[1] = 64 | 1u << 16;
	p[2] = 1;
	p[3] = grid;
	p[4] = 1;
	p[5] = 1;
	p[8] = LO(kernel_object);
	p[9] = HI(kernel_object);
	p[10] = LO(kernarg);
	p[11] = HI(kernarg);
	p[14] = LO(completion);
	p[15] = HI(completion);
	return AQL_DWORDS;
}

#endif
