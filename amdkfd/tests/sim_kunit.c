// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: the simulator's packet decoders and ring arithmetic (sim/pm4.c,
 * sdma.c, aql.c, exec.c).
 *
 * The decoders run on registers that are made up and on packets that lie in
 * the fetch window, which stands for the ring as a whole; there is no VM, no
 * engine and no GPU. So only packets that touch no other memory are run; what
 * they do to memory is tested through real queues (selftests/packet.c).
 *
 * No locks: nobody else sees any of this.
 */
#include <kunit/test.h>

#include <hw/aql.h>
#include <hw/gfx9_mqd.h>
#include <hw/pm4_gfx9.h>
#include <hw/sdma_v4.h>

#include "../sim/engine.h"
#include "tests.h"

#define RING_VA		0x100000ULL
#define RING_DWORDS	SIM_WINDOW_DWORDS

/**
 * struct bench - a decoder's context without a GPU
 * @x: the context; its window is the ring
 * @regs: the queue's registers
 * @queue: the queue
 * @mqd: its MQD
 */
struct bench {
	struct sim_exec x;
	struct sim_regs regs;
	struct kfd_gpu_queue queue;
	u32 mqd[MQD9_DWORDS];
};

static struct bench *bench_new(struct kunit *test, enum kfd_gpu_queue_type type)
{
	struct bench *b = kunit_kzalloc(test, sizeof(*b), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, b);
	b->queue.desc.type = type;
	b->queue.desc.mqd = b->mqd;
	b->x.regs = &b->regs;
	b->x.queue = &b->queue;
	b->regs.ring_va = RING_VA;
	b->regs.ring_size = RING_DWORDS;
	return b;
}

/* Put packets at the read pointer; the ring's end wraps. */
static void bench_fill(struct bench *b, const u32 *p, u32 dwords)
{
	u32 i;

	for (i = 0; i < dwords; i++)
		b->x.window[(b->regs.rptr + i) % RING_DWORDS] = p[i];
	b->x.window_va = RING_VA;
	b->x.window_dwords = RING_DWORDS;
	b->regs.wptr = b->regs.rptr + dwords;
}

/* Packets that are run, or refused, by their headers and sizes alone. */
struct packet_case {
	const char *name;
	u32 p[12];
	u32 dwords;
	enum sim_result res;
	u32 advance;
};

#define PM4(op, n)	PM4_HEADER(PM4_OP_##op, n)

static const struct packet_case pm4_cases[] = {
	{ "empty", {}, 0, SIM_IDLE, 0 },
	{ "type 0", { 0 }, 1, SIM_BAD, 0 },
	{ "type 1", { 1u << 30 }, 1, SIM_BAD, 0 },
	{ "type 2", { 2u << 30 }, 1, SIM_DONE, 1 },
	{ "one-dword NOP", { 0xffff1000 }, 1, SIM_DONE, 1 },
	{ "NOP", { PM4(NOP, 4) }, 4, SIM_DONE, 4 },
	{ "half a NOP", { PM4(NOP, 4) }, 3, SIM_IDLE, 0 },
	{ "larger than the ring", { PM4(NOP, RING_DWORDS) }, 4, SIM_BAD, 0 },
	{ "just fits", { PM4(NOP, RING_DWORDS - 1) }, 4, SIM_IDLE, 0 },
	{ "longest", { PM4(WRITE_DATA, 0x4001) }, 4, SIM_BAD, 0 },
	{ "no such opcode", { 3u << 30 | 0xffu << 8 }, 2, SIM_BAD, 0 },
	{ "opcode 0", { 3u << 30 }, 2, SIM_BAD, 0 },
	{ "WRITE_DATA without data", { PM4(WRITE_DATA, 4), 5 << 8 }, 4, SIM_BAD, 0 },
	{ "WRITE_DATA to a register", { PM4(WRITE_DATA, 5) }, 5, SIM_BAD, 0 },
	{ "WRITE_DATA to nowhere", { PM4(WRITE_DATA, 5), 0xf << 8 }, 5, SIM_BAD, 0 },
	{ "WAIT_REG_MEM too short", { PM4(WAIT_REG_MEM, 6), 3 }, 6, SIM_BAD, 0 },
	{ "WAIT_REG_MEM, bad function", { PM4(WAIT_REG_MEM, 7), 7 }, 7, SIM_BAD, 0 },
	{ "WAIT_REG_MEM, idle register", { PM4(WAIT_REG_MEM, 7), 3 }, 7, SIM_DONE, 7 },
	{ "WAIT_REG_MEM, never", { PM4(WAIT_REG_MEM, 7), 6 }, 7, SIM_BLOCKED, 0 },
	{ "WAIT_REG_MEM, no such space", { PM4(WAIT_REG_MEM, 7), 3 | 2 << 4 }, 7, SIM_BAD, 0 },
	{ "COPY_DATA too short", { PM4(COPY_DATA, 5) }, 5, SIM_BAD, 0 },
	{ "COPY_DATA to a register", { PM4(COPY_DATA, 6), 5 }, 6, SIM_BAD, 0 },
	{ "RELEASE_MEM too short", { PM4(RELEASE_MEM, 6) }, 6, SIM_BAD, 0 },
	{ "RELEASE_MEM of nothing", { PM4(RELEASE_MEM, 8) }, 8, SIM_DONE, 8 },
	{ "RELEASE_MEM to GDS", { PM4(RELEASE_MEM, 8), 0, 2 << 16 }, 8, SIM_BAD, 0 },
	{ "RELEASE_MEM, bad data", { PM4(RELEASE_MEM, 8), 0, 7u << 29 }, 8, SIM_BAD, 0 },
	{ "EVENT_WRITE", { PM4(EVENT_WRITE, 2) }, 2, SIM_DONE, 2 },
	{ "EVENT_WRITE with address", { PM4(EVENT_WRITE, 4) }, 4, SIM_BAD, 0 },
	{ "EVENT_WRITE, bad index", { PM4(EVENT_WRITE, 2), 1 << 8 }, 2, SIM_BAD, 0 },
	{ "ACQUIRE_MEM", { PM4(ACQUIRE_MEM, 7) }, 7, SIM_DONE, 7 },
	{ "ACQUIRE_MEM too short", { PM4(ACQUIRE_MEM, 6) }, 6, SIM_BAD, 0 },
	{ "DMA_DATA too short", { PM4(DMA_DATA, 6) }, 6, SIM_BAD, 0 },
	{ "DMA_DATA of nothing", { PM4(DMA_DATA, 7) }, 7, SIM_DONE, 7 },
	{ "DMA_DATA from a register", { PM4(DMA_DATA, 7), 0, 0, 0, 0, 0, 1 << 26 }, 7, SIM_BAD, 0 },
	{ "DMA_DATA to GDS", { PM4(DMA_DATA, 7), 1 << 20 }, 7, SIM_BAD, 0 },
	{ "ATOMIC_MEM too short", { PM4(ATOMIC_MEM, 8) }, 8, SIM_BAD, 0 },
	{ "ATOMIC_MEM, bad operation", { PM4(ATOMIC_MEM, 9), 0x7f }, 9, SIM_BAD, 0 },
	{ "ATOMIC_MEM, not aligned", { PM4(ATOMIC_MEM, 9), 0x2f, 4 }, 9, SIM_BAD, 0 },
	{ "SET_SH_REG of nothing", { PM4(SET_SH_REG, 2), 0x240 }, 2, SIM_BAD, 0 },
	{ "SET_SH_REG", { PM4(SET_SH_REG, 3), 0x240, 7 }, 3, SIM_DONE, 3 },
	{ "SET_SH_REG, last", { PM4(SET_SH_REG, 3), 0x3ff, 7 }, 3, SIM_DONE, 3 },
	{ "SET_SH_REG past the end", { PM4(SET_SH_REG, 3), 0x400, 7 }, 3, SIM_BAD, 0 },
	{ "SET_SH_REG across the end", { PM4(SET_SH_REG, 4), 0x3ff, 7, 8 }, 4, SIM_BAD, 0 },
	{ "DISPATCH_DIRECT", { PM4(DISPATCH_DIRECT, 5) }, 5, SIM_NO_SHADER, 0 },
	{ "INDIRECT_BUFFER too short", { PM4(INDIRECT_BUFFER, 3) }, 3, SIM_BAD, 0 },
	{ "INDIRECT_BUFFER", { PM4(INDIRECT_BUFFER, 4), 0x1003, 1, 16 }, 4, SIM_MORE, 4 },
};

static void run_cases(struct kunit *test, const struct packet_case *cases,
		      u32 n, enum kfd_gpu_queue_type type)
{
	u32 i, at;

	for (i = 0; i < n; i++)
		for (at = 0; at < RING_DWORDS; at += RING_DWORDS - 3) {
			const struct packet_case *c = &cases[i];
			struct bench *b = bench_new(test, type);
			enum sim_result res;

			/* At the ring's start, and across its end. */
			b->regs.rptr = at;
			/* There is no memory to write the pointer to. */
			b->regs.rptr_reported = at + c->advance;
			bench_fill(b, c->p, c->dwords);
			res = type == KFD_GPU_QUEUE_SDMA ? sim_sdma_step(&b->x) :
							   sim_pm4_step(&b->x);
			KUNIT_EXPECT_EQ_MSG(test, (int)c->res, (int)res,
					    "%s at %u", c->name, at);
			KUNIT_EXPECT_EQ_MSG(test, (u64)at + c->advance,
					    b->regs.rptr, "%s at %u", c->name,
					    at);
			kunit_kfree(test, b);
		}
}

static void pm4_packets(struct kunit *test)
{
	run_cases(test, pm4_cases, ARRAY_SIZE(pm4_cases), KFD_GPU_QUEUE_PM4);
}

static const struct packet_case sdma_cases[] = {
	{ "empty", {}, 0, SIM_IDLE, 0 },
	{ "NOP", { 0 }, 1, SIM_DONE, 1 },
	{ "long NOP", { 3 << 16 }, 4, SIM_DONE, 4 },
	{ "half a NOP", { 3 << 16 }, 3, SIM_IDLE, 0 },
	{ "larger than the ring", { (RING_DWORDS - 1) << 16 }, 4, SIM_BAD, 0 },
	{ "just fits", { (RING_DWORDS - 2) << 16 }, 4, SIM_IDLE, 0 },
	{ "no such operation", { 0xff }, 1, SIM_BAD, 0 },
	{ "operation 3", { 3 }, 8, SIM_BAD, 0 },
	{ "COPY, bad sub-operation", { 1 | 0xff << 8 }, 8, SIM_BAD, 0 },
	{ "half a COPY", { 1 }, 6, SIM_IDLE, 0 },
	{ "WRITE, tiled", { 2 | 1 << 8 }, 8, SIM_BAD, 0 },
	{ "WRITE longer than the ring", { 2, 0, 0, 0xfffff }, 8, SIM_BAD, 0 },
	{ "half a WRITE", { 2, 0, 0, 7 }, 8, SIM_IDLE, 0 },
	{ "POLL, bad function", { 8 | 7u << 28 }, 6, SIM_BAD, 0 },
	{ "POLL, idle register", { 8 | 3u << 28, 0, 0, 0, ~0u, 0 }, 6, SIM_DONE, 6 },
	{ "POLL, gives up", { 8 | 3u << 28, 0, 0, 1, ~0u, 0 }, 6, SIM_DONE, 6 },
	{ "POLL, tries again", { 8 | 3u << 28, 0, 0, 1, ~0u, 1 << 16 }, 6, SIM_BLOCKED, 0 },
	{ "POLL, for ever", { 8 | 3u << 28, 0, 0, 1, ~0u, 0xfff << 16 }, 6, SIM_BLOCKED, 0 },
	{ "FILL, bad size", { 11 | 3u << 30 }, 5, SIM_BAD, 0 },
	{ "FILL, not aligned", { 11 | 2u << 30, 2 }, 5, SIM_BAD, 0 },
	{ "ATOMIC, bad operation", { 10 | 0x7fu << 25 }, 8, SIM_BAD, 0 },
	{ "ATOMIC, not aligned", { 10 | 0x2fu << 25, 4 }, 8, SIM_BAD, 0 },
	{ "SUBWIN, bad element", { 1 | 4 << 8 | 5u << 29 }, 12, SIM_IDLE, 0 },
	{ "TIMESTAMP, set", { 13 }, 3, SIM_BAD, 0 },
	{ "TRAP of nobody", { 6, 1 }, 2, SIM_DONE, 2 },
	{ "INDIRECT", { 4, 0x1003, 1, 16 }, 6, SIM_MORE, 6 },
};

static void sdma_packets(struct kunit *test)
{
	run_cases(test, sdma_cases, ARRAY_SIZE(sdma_cases), KFD_GPU_QUEUE_SDMA);
}

/* Every header there is, by operation and sub-operation. */
static void sdma_head_sizes(struct kunit *test)
{
	static const u8 dwords[16] = {
		[0] = 1, [1] = 7, [2] = 4, [4] = 6, [5] = 4, [6] = 2, [8] = 6,
		[10] = 8, [11] = 5, [13] = 3,
	};
	u32 op;

	for (op = 0; op < 256; op++)
		KUNIT_EXPECT_EQ_MSG(test, op < 16 ? dwords[op] : 0u,
				    sim_sdma_head_dwords(op), "operation %u",
				    op);
	KUNIT_EXPECT_EQ(test, 9u, sim_sdma_head_dwords(1 | SDMA_COPY_BROADCAST));
	KUNIT_EXPECT_EQ(test, 13u, sim_sdma_head_dwords(1 | 4 << 8));
	KUNIT_EXPECT_EQ(test, 0x4000u, sim_sdma_head_dwords(0x3fff0000));
}

/* Entering a buffer: from a ring only, or by a chain. */
static void pm4_indirect(struct kunit *test)
{
	static const u32 enter[] = { PM4(INDIRECT_BUFFER, 4), 0x1003, 1, 16 };
	static const u32 chain[] = {
		PM4(INDIRECT_BUFFER, 4), 0x2000, 0, 8 | PM4_IB_CHAIN,
	};
	struct bench *b = bench_new(test, KFD_GPU_QUEUE_PM4);

	bench_fill(b, enter, 4);
	KUNIT_EXPECT_EQ(test, SIM_MORE, sim_pm4_step(&b->x));
	KUNIT_EXPECT_TRUE(test, b->regs.ib);
	KUNIT_EXPECT_EQ(test, 0x100001000ULL, b->regs.ib_va);
	KUNIT_EXPECT_EQ(test, 16u, b->regs.ib_size);
	KUNIT_EXPECT_EQ(test, 16u, sim_src_avail(&b->x));

	/* Another one inside of it is refused, a chain is taken. */
	memcpy(b->x.window, enter, sizeof(enter));
	b->x.window_va = b->regs.ib_va;
	b->x.window_dwords = 16;
	KUNIT_EXPECT_EQ(test, SIM_BAD, sim_pm4_step(&b->x));
	memcpy(b->x.window, chain, sizeof(chain));
	KUNIT_EXPECT_EQ(test, SIM_MORE, sim_pm4_step(&b->x));
	KUNIT_EXPECT_EQ(test, 0x2000ULL, b->regs.ib_va);
	KUNIT_EXPECT_EQ(test, 8u, b->regs.ib_size);

	/* A packet that is longer than the buffer will never be whole. */
	b->x.window[0] = PM4(NOP, 9);
	b->x.window_va = b->regs.ib_va;
	b->x.window_dwords = 8;
	KUNIT_EXPECT_EQ(test, SIM_BAD, sim_pm4_step(&b->x));
	b->regs.ib_pos = 8;
	KUNIT_EXPECT_EQ(test, SIM_MORE, sim_pm4_step(&b->x));
	KUNIT_EXPECT_FALSE(test, b->regs.ib);
}

/* Only unprivileged registers, and of them only unprivileged bits. */
static void pm4_registers(struct kunit *test)
{
	struct bench *b = bench_new(test, KFD_GPU_QUEUE_PM4);
	u32 reg, n;

	for (reg = 0; reg < PM4_SH_REG_COUNT; reg++) {
		u32 p[] = { PM4(SET_SH_REG, 3), reg, ~0u };

		memset(b->mqd, 0, sizeof(b->mqd));
		bench_fill(b, p, 3);
		KUNIT_EXPECT_EQ(test, SIM_DONE, sim_pm4_step(&b->x));
		for (n = 0; n < MQD9_DWORDS; n++)
			KUNIT_EXPECT_EQ_MSG(test, n == reg - 0x200 + 1 ?
					    sim_pm4_sh_reg_mask(reg) : 0,
					    b->mqd[n], "register %x, dword %u",
					    reg, n);
	}
	/* Written down apart from the decoder: see hw/gfx9_mqd.h. */
	KUNIT_EXPECT_EQ(test, 0u, sim_pm4_sh_reg_mask(0x200) & 1 << 14);
	KUNIT_EXPECT_EQ(test, 0u, sim_pm4_sh_reg_mask(0x212) &
				  (MQD9_PGM_RSRC1_PRIV |
				   MQD9_PGM_RSRC1_DEBUG_MODE));
	KUNIT_EXPECT_EQ(test, 0u, sim_pm4_sh_reg_mask(0x213) &
				  (MQD9_PGM_RSRC2_TRAP_PRESENT |
				   MQD9_PGM_RSRC2_EXCP_EN_MSB));
	KUNIT_EXPECT_EQ(test, 0u, sim_pm4_sh_reg_mask(PM4_SH_COMPUTE_VMID));
	KUNIT_EXPECT_EQ(test, 0u, sim_pm4_sh_reg_mask(MQD9_STACK_REGISTER));
	for (reg = 0x20e; reg <= 0x211; reg++)	/* tba, tma */
		KUNIT_EXPECT_EQ(test, 0u, sim_pm4_sh_reg_mask(reg));
	KUNIT_EXPECT_EQ(test, ~0u, sim_pm4_sh_reg_mask(0x240));
	KUNIT_EXPECT_EQ(test, ~0u, sim_pm4_sh_reg_mask(0x24f));
	KUNIT_EXPECT_EQ(test, 0u, sim_pm4_sh_reg_mask(0x250));
}

static void aql_vendor_packets(struct kunit *test)
{
	static const struct {
		u32 p[5];
		enum sim_result res;
	} cases[] = {
		{ { 1 << 16, PM4(INDIRECT_BUFFER, 4), 0x1003, 2, 32 }, SIM_MORE },
		{ { 0, PM4(INDIRECT_BUFFER, 4), 0x1000, 2, 32 }, SIM_BAD },
		{ { 2 << 16, PM4(INDIRECT_BUFFER, 4), 0x1000, 2, 32 }, SIM_BAD },
		{ { 1 << 16, PM4(NOP, 4), 0x1000, 2, 32 }, SIM_BAD },
		{ { 1 << 16, 0, 0x1000, 2, 32 }, SIM_BAD },
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct bench *b = bench_new(test, KFD_GPU_QUEUE_AQL);

		KUNIT_EXPECT_EQ_MSG(test, (int)cases[i].res,
				    (int)sim_aql_vendor(&b->x, cases[i].p),
				    "case %u", i);
		KUNIT_EXPECT_EQ(test, cases[i].res == SIM_MORE, b->regs.ib);
		if (b->regs.ib) {
			KUNIT_EXPECT_EQ(test, 0x200001000ULL, b->regs.ib_va);
			KUNIT_EXPECT_EQ(test, 32u, b->regs.ib_size);
		}
	}
}

/* Pointers that grow for ever, at the ring's end and beyond the ring. */
static void ring_available(struct kunit *test)
{
	static const struct {
		u64 rptr, wptr;
		u32 avail;
	} cases[] = {
		{ 0, 0, 0 },
		{ 0, 1, 1 },
		{ 0, RING_DWORDS - 1, RING_DWORDS - 1 },
		{ RING_DWORDS - 1, RING_DWORDS + 1, 2 },
		/* A ring further on than it should be: counts modulo. */
		{ 0, RING_DWORDS, 0 },
		{ 0, RING_DWORDS + 5, 5 },
		{ 10, 5, RING_DWORDS - 5 },
		/* 32 and 64 bits run over. */
		{ 0xfffffffe, 0x100000003ULL, 5 },
		{ ~0ULL, 3, 4 },
		{ ~0ULL - 7, ~0ULL, 7 },
	};
	struct bench *b = bench_new(test, KFD_GPU_QUEUE_PM4);
	u32 i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		b->regs.rptr = cases[i].rptr;
		b->regs.wptr = cases[i].wptr;
		KUNIT_EXPECT_EQ_MSG(test, cases[i].avail, sim_src_avail(&b->x),
				    "case %u", i);
	}
	/* A buffer does not wrap. */
	b->regs.ib = true;
	b->regs.ib_size = 10;
	b->regs.ib_pos = 10;
	KUNIT_EXPECT_EQ(test, 0u, sim_src_avail(&b->x));
}

/* Read across the ring's end, at every place of it. */
static void ring_wraps(struct kunit *test)
{
	struct bench *b = bench_new(test, KFD_GPU_QUEUE_SDMA);
	u32 p[SIM_HEAD_DWORDS], out[SIM_HEAD_DWORDS], i;

	for (i = 0; i < SIM_HEAD_DWORDS; i++)
		p[i] = 0xc0de0000 + i;
	for (b->regs.rptr = RING_DWORDS - 20;
	     b->regs.rptr < RING_DWORDS + 4; b->regs.rptr++) {
		bench_fill(b, p, SIM_HEAD_DWORDS);
		memset(out, 0, sizeof(out));
		KUNIT_EXPECT_EQ(test, 0, sim_src_read(&b->x, 0, out,
						      SIM_HEAD_DWORDS));
		KUNIT_EXPECT_EQ_MSG(test, 0, memcmp(p, out, sizeof(p)),
				    "at %llu", b->regs.rptr);
		KUNIT_EXPECT_EQ(test, 0, sim_src_read(&b->x, 3, out, 2));
		KUNIT_EXPECT_EQ(test, p[3], out[0]);
		KUNIT_EXPECT_EQ(test, p[4], out[1]);
	}
}

static void ring_advance(struct kunit *test)
{
	struct bench *b = bench_new(test, KFD_GPU_QUEUE_PM4);

	b->regs.rptr = 0xfffffffe;
	b->regs.mid = 7;
	sim_src_advance(&b->x, 4);
	KUNIT_EXPECT_EQ(test, 0x100000002ULL, b->regs.rptr);
	KUNIT_EXPECT_EQ(test, 0ULL, b->regs.mid);
	b->regs.ib = true;
	b->regs.ib_size = 16;
	sim_src_advance(&b->x, 4);
	KUNIT_EXPECT_EQ(test, 0x100000002ULL, b->regs.rptr);
	KUNIT_EXPECT_EQ(test, 4u, b->regs.ib_pos);
}

static void ring_aql(struct kunit *test)
{
	struct sim_regs r = { .ring_va = RING_VA, .ring_size = 16 };

	KUNIT_EXPECT_TRUE(test, sim_aql_empty(&r));
	r.wptr = 1;
	KUNIT_EXPECT_FALSE(test, sim_aql_empty(&r));
	r.rptr = 1;
	KUNIT_EXPECT_TRUE(test, sim_aql_empty(&r));
	/* Behind the read index there is nothing, however far. */
	r.rptr = 5;
	KUNIT_EXPECT_TRUE(test, sim_aql_empty(&r));
	r.rptr = ~0ULL;
	KUNIT_EXPECT_FALSE(test, sim_aql_empty(&r));
	KUNIT_EXPECT_EQ(test, RING_VA + 15 * 64, sim_aql_packet_va(&r));
	r.rptr = 16;
	KUNIT_EXPECT_EQ(test, RING_VA, sim_aql_packet_va(&r));
	r.rptr = 0x100000011ULL;
	KUNIT_EXPECT_EQ(test, RING_VA + 64, sim_aql_packet_va(&r));
}

static struct kunit_case packet_kunit_cases[] = {
	KUNIT_CASE(pm4_packets),
	KUNIT_CASE(pm4_indirect),
	KUNIT_CASE(pm4_registers),
	KUNIT_CASE(sdma_packets),
	KUNIT_CASE(sdma_head_sizes),
	KUNIT_CASE(aql_vendor_packets),
	{}
};

struct kunit_suite sim_packet_suite = {
	.name = "sim_packet",
	.test_cases = packet_kunit_cases,
};

static struct kunit_case ring_kunit_cases[] = {
	KUNIT_CASE(ring_available),
	KUNIT_CASE(ring_wraps),
	KUNIT_CASE(ring_advance),
	KUNIT_CASE(ring_aql),
	{}
};

struct kunit_suite sim_ring_suite = {
	.name = "sim_ring",
	.test_cases = ring_kunit_cases,
};
