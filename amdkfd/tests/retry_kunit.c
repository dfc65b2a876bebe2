// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: retry faults of the simulator (sim/retry.c), and that every packet can
 * be stopped by a fault at any page and go on (pm4.c, sdma.c, aql.c, exec.c).
 *
 * A program of packets runs in an address space where everything is pages of
 * the process: ring, pointers, buffers, signals, data. It runs once with all
 * pages present. Then it runs again with none: each fault brings the page that
 * it names, drops one that came long before, and, as a preemption would, puts
 * the queue's registers into its MQD and takes them out again. Memory must be
 * the same to the byte: what was done twice, or left out, shows.
 *
 * Here the engine's thread is the test. No locks but engine->lock, which the
 * functions that are called want held.
 */
#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/vmalloc.h>

#include <hw/aql.h>
#include <hw/gfx9_mqd.h>
#include <hw/pm4_gfx9.h>
#include <hw/sdma_v4.h>

#include "../sim/engine.h"
#include "../sim/memory.h"
#include "tests.h"

/* Pages; those from DATA on are data. A leaf ends in their middle. */
#define RING		0u
#define RING_PAGES	2u
#define WPTR		2u
#define RPTR		3u
#define IB		4u
#define SIGNAL		6u	/* reaches into the next one */
#define MAILBOX		8u
#define DEPENDENCY	9u
#define DATA		10u
#define N_PAGES		64u
#define BASE		(0x40000000ULL - 37 * PAGE_SIZE)
#define VA(page)	(BASE + (page) * PAGE_SIZE)
#define SIGNAL_VA	(VA(SIGNAL) + PAGE_SIZE - 16)
#define DATA_VA		VA(DATA)

/*
 * Pages that may be present at a time. A barrier needs seven: write pointer,
 * packet, dependency, two of its signal, read pointer, mailbox.
 */
#define WORKING_SET	7u
#define MAX_STEPS	20000u

/**
 * struct machine - an engine, a queue, and its memory
 * @gpu: nobody's
 * @engine: one without a thread
 * @queue: its queue
 * @mqd: the queue's
 * @stack: its control stack
 * @pages: memory, at BASE
 * @first: pages that are present, the oldest at @first % WORKING_SET
 * @present: their numbers
 * @faults: faults so far
 */
struct machine {
	struct sim_gpu gpu;
	struct sim_engine engine;
	struct kfd_gpu_queue queue;
	u32 mqd[MQD9_DWORDS];
	u32 stack[64];
	struct page *pages[N_PAGES];
	u32 first;
	u32 present[WORKING_SET];
	u32 faults;
};

static void *mem(struct machine *m, u64 va)
{
	return page_address(m->pages[(va - BASE) >> PAGE_SHIFT]) +
	       offset_in_page(va);
}

static void put32(struct machine *m, u64 va, u32 value)
{
	*(u32 *)mem(m, va) = value;
}

static void put64(struct machine *m, u64 va, u64 value)
{
	*(u64 *)mem(m, va) = value;
}

static int retry_test_init(struct kunit *test)
{
	struct machine *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, m);
	test->priv = m;
	spin_lock_init(&m->engine.lock);
	INIT_LIST_HEAD(&m->engine.queues);
	m->engine.gpu = &m->gpu;
	m->engine.exec.gpu = &m->gpu;
	m->queue.engine = &m->engine;
	m->queue.desc.mqd = m->mqd;
	m->queue.desc.ctl_stack = m->stack;
	m->queue.desc.ctl_stack_size = sizeof(m->stack);
	m->queue.desc.retry_faults = true;
	for (i = 0; i < N_PAGES; i++) {
		m->pages[i] = alloc_page(GFP_KERNEL);
		if (!m->pages[i])
			return -ENOMEM;
	}
	m->queue.vm = sim_vm_create(&m->gpu, NULL);
	if (IS_ERR(m->queue.vm)) {
		m->queue.vm = NULL;
		return -ENOMEM;
	}
	return 0;
}

static void retry_test_exit(struct kunit *test)
{
	struct machine *m = test->priv;
	u32 i;

	if (!m)
		return;
	if (m->queue.vm)
		sim_vm_close(m->queue.vm);
	for (i = 0; i < N_PAGES; i++)
		if (m->pages[i])
			__free_page(m->pages[i]);
}

static u32 dword_at(u64 va)
{
	return (u32)(va >> 2) * 2654435761u;
}

/* Memory as a program finds it. */
static void machine_memory(struct machine *m)
{
	u64 va;

	for (va = BASE; va < VA(N_PAGES); va += 4)
		put32(m, va, dword_at(va));
	for (va = VA(RING); va < VA(DATA); va += 4)
		put32(m, va, 0);
	put64(m, SIGNAL_VA + AMD_SIGNAL_VALUE, 1000);
	put64(m, SIGNAL_VA + AMD_SIGNAL_MAILBOX, VA(MAILBOX) + 0x800);
	put32(m, SIGNAL_VA + AMD_SIGNAL_EVENT_ID, 77);
}

static void machine_mqd(struct machine *m, enum kfd_gpu_queue_type type,
			u32 rptr)
{
	u64 rptr_va = VA(RPTR) + 0x80, wptr_va = VA(WPTR) + 0x40;
	u32 order = ilog2(RING_PAGES * PAGE_SIZE / 4);
	u32 *d = m->mqd;

	memset(d, 0, sizeof(m->mqd));
	m->queue.desc.type = type;
	if (type == KFD_GPU_QUEUE_SDMA) {
		d[SDMA_MQD9_RB_CNTL] = order << SDMA_MQD9_RB_SIZE_SHIFT;
		d[SDMA_MQD9_RB_BASE] = VA(RING) >> 8;
		d[SDMA_MQD9_RB_RPTR] = rptr * 4;
		d[SDMA_MQD9_RB_RPTR_ADDR_LO] = rptr_va;
		d[SDMA_MQD9_RB_WPTR_POLL_ADDR_LO] = wptr_va;
		return;
	}
	d[MQD9_CP_HQD_PQ_CONTROL] = order - 1;
	d[MQD9_CP_HQD_PQ_BASE_LO] = VA(RING) >> 8;
	d[MQD9_CP_HQD_PQ_RPTR] = rptr;
	d[MQD9_CP_HQD_PQ_WPTR_LO] = rptr;
	d[MQD9_CP_HQD_PQ_RPTR_REPORT_ADDR_LO] = rptr_va;
	d[MQD9_CP_HQD_PQ_WPTR_POLL_ADDR_LO] = wptr_va;
	d[MQD9_CP_HQD_CNTL_STACK_SIZE] = sizeof(m->stack);
	d[MQD9_CP_HQD_CNTL_STACK_OFFSET] = sizeof(m->stack);
}

static void machine_reload(struct machine *m)
{
	spin_lock(&m->engine.lock);
	sim_slot_release(&m->queue, true);
	sim_slot_decode(&m->queue);
	spin_unlock(&m->engine.lock);
}

/* What the driver does about a fault. */
static void machine_bring(struct kunit *test, struct machine *m)
{
	u64 page = (m->engine.exec.fault.va - BASE) >> PAGE_SHIFT;
	struct sim_vm *vm = m->queue.vm;
	u32 *slot = &m->present[m->first % WORKING_SET];

	KUNIT_ASSERT_TRUE(test, m->engine.exec.fault.curable);
	KUNIT_ASSERT_TRUE(test, page < N_PAGES);
	m->faults++;
	if (m->first++ >= WORKING_SET)
		sim_svm_unmap(vm, VA(*slot), 1);
	*slot = page;
	KUNIT_ASSERT_EQ(test, 0, sim_svm_reserve(vm, VA(page), 1));
	KUNIT_ASSERT_EQ(test, 0, sim_svm_map(vm, VA(page), 1, &m->pages[page],
					     true));
}

static enum sim_result machine_step(struct sim_exec *x)
{
	enum sim_result res;

	switch (x->queue->desc.type) {
	case KFD_GPU_QUEUE_PM4:
		res = sim_pm4_step(x);
		break;
	case KFD_GPU_QUEUE_SDMA:
		res = sim_sdma_step(x);
		break;
	default:
		res = sim_aql_step(x);
		break;
	}
	/* As the engine's thread does when it finds nothing more. */
	if (res == SIM_IDLE && (sim_read_wptr(x) || sim_report_rptr(x)))
		return SIM_FAULT;
	if (res == SIM_IDLE && (sim_queue_is_aql(x->queue) ?
				!sim_aql_empty(x->regs) : sim_src_avail(x)))
		return SIM_MORE;
	return res;
}

/* Run to the ring's end. */
static void machine_run(struct kunit *test, struct machine *m, bool all)
{
	struct sim_exec *x = &m->engine.exec;
	enum sim_result res = SIM_MORE;
	u32 steps;

	m->faults = 0;
	m->first = 0;
	sim_svm_unmap(m->queue.vm, BASE, N_PAGES);
	if (all) {
		KUNIT_ASSERT_EQ(test, 0, sim_svm_reserve(m->queue.vm, BASE,
							 N_PAGES));
		KUNIT_ASSERT_EQ(test, 0, sim_svm_map(m->queue.vm, BASE, N_PAGES,
						     m->pages, true));
	}
	spin_lock(&m->engine.lock);
	sim_slot_decode(&m->queue);
	spin_unlock(&m->engine.lock);
	sim_exec_begin(x, m->queue.vm, &m->queue.regs, &m->queue, 0);
	for (steps = 0; steps < MAX_STEPS && res != SIM_IDLE; steps++) {
		res = machine_step(x);
		if (res == SIM_FAULT) {
			machine_bring(test, m);
			machine_reload(m);
			sim_exec_begin(x, m->queue.vm, &m->queue.regs,
				       &m->queue, 0);
			continue;
		}
		KUNIT_ASSERT_TRUE_MSG(test, res == SIM_DONE || res == SIM_MORE ||
				      res == SIM_IDLE, "result %d, packet %x",
				      res, x->head[0]);
	}
	KUNIT_ASSERT_EQ(test, SIM_IDLE, res);
}

/* Time goes on; that it was written is enough. */
static void machine_forget_time(struct kunit *test, struct machine *m,
				bool written)
{
	u64 *start = mem(m, SIGNAL_VA + AMD_SIGNAL_START_TS);
	u64 *end = mem(m, SIGNAL_VA + AMD_SIGNAL_END_TS);

	KUNIT_EXPECT_EQ(test, written, *start && *end >= *start);
	*start = 0;
	*end = 0;
}

typedef u64 (*load_fn)(struct machine *m, u32 rptr);

static void once(struct kunit *test, enum kfd_gpu_queue_type type, u32 rptr,
		 load_fn load, bool all)
{
	bool aql = type == KFD_GPU_QUEUE_AQL;
	struct machine *m = test->priv;
	u64 wptr;

	machine_memory(m);
	machine_mqd(m, type, aql ? rptr * AQL_PACKET_DWORDS : rptr);
	wptr = load(m, rptr);
	put64(m, VA(WPTR) + 0x40,
	      type == KFD_GPU_QUEUE_SDMA ? wptr * 4 : wptr);
	machine_run(test, m, all);
	KUNIT_EXPECT_EQ(test, wptr, m->queue.regs.rptr);
	machine_forget_time(test, m, aql);
}

/* @load puts a program at @rptr and returns where it ends. */
static void twice(struct kunit *test, enum kfd_gpu_queue_type type, u32 rptr,
		  load_fn load, u32 faults_min)
{
	struct machine *m = test->priv;
	u8 *expected = vmalloc(N_PAGES * PAGE_SIZE);
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, expected);
	once(test, type, rptr, load, true);
	KUNIT_EXPECT_EQ(test, 0u, m->faults);
	for (i = 0; i < N_PAGES; i++)
		memcpy(expected + i * PAGE_SIZE, page_address(m->pages[i]),
		       PAGE_SIZE);
	once(test, type, rptr, load, false);
	for (i = 0; i < N_PAGES; i++)
		KUNIT_EXPECT_EQ_MSG(test, 0, memcmp(expected + i * PAGE_SIZE,
						    page_address(m->pages[i]),
						    PAGE_SIZE), "page %u", i);
	KUNIT_EXPECT_GE(test, m->faults, faults_min);
	vfree(expected);
}

/**
 * struct program - packets being written
 * @m: into whose memory
 * @va: of the ring or buffer
 * @at: next dword
 * @mask: dwords - 1 of a ring, ~0 of a buffer
 */
struct program {
	struct machine *m;
	u64 va;
	u32 at;
	u32 mask;
};

static void emit(struct program *g, u32 dword)
{
	put32(g->m, g->va + (g->at++ & g->mask) * 4ull, dword);
}

static void emit64(struct program *g, u64 qword)
{
	emit(g, lower_32_bits(qword));
	emit(g, upper_32_bits(qword));
}

static struct program ring_of(struct machine *m, u32 at)
{
	return (struct program) {
		.m = m, .va = VA(RING), .at = at,
		.mask = RING_PAGES * PAGE_SIZE / 4 - 1,
	};
}

static struct program buffer_of(struct machine *m)
{
	/* across the end of its first page */
	return (struct program) {
		.m = m, .va = VA(IB) + PAGE_SIZE - 32, .mask = ~0u,
	};
}

static void pm4_write(struct program *g, u64 va, u32 n)
{
	u32 i;

	emit(g, PM4_HEADER(PM4_OP_WRITE_DATA, 4 + n));
	emit(g, PM4_WRITE_DST_MEM << 8);
	emit64(g, va);
	for (i = 0; i < n; i++)
		emit(g, 0xd0000000 + g->at);
}

static void pm4_dma(struct program *g, u64 dst, u32 sel, u64 src, u32 bytes)
{
	emit(g, PM4_HEADER(PM4_OP_DMA_DATA, PM4_DMA_DWORDS));
	emit(g, sel << 29);
	emit64(g, src);
	emit64(g, dst);
	emit(g, bytes);
}

/* Each with something that a repeated effect would spoil. */
static void pm4_body(struct program *g)
{
	pm4_write(g, DATA_VA + PAGE_SIZE - 12, 8);
	pm4_write(g, DATA_VA + 3 * PAGE_SIZE - 400, 300);
	emit(g, PM4_HEADER(PM4_OP_WAIT_REG_MEM, PM4_WAIT_DWORDS));
	emit(g, GPU_CMP_EQ | PM4_WAIT_SPACE_MEM << 4);
	emit64(g, DATA_VA + 4 * PAGE_SIZE);
	emit(g, dword_at(DATA_VA + 4 * PAGE_SIZE));
	emit(g, ~0u);
	emit(g, 4);
	emit(g, PM4_HEADER(PM4_OP_COPY_DATA, PM4_COPY_DWORDS));
	emit(g, PM4_COPY_SRC_MEM | PM4_COPY_DST_MEM << 8 | PM4_COPY_64BIT);
	emit64(g, DATA_VA + 5 * PAGE_SIZE + 8);
	emit64(g, DATA_VA + 6 * PAGE_SIZE + 16);
	/* over itself, upwards */
	pm4_dma(g, DATA_VA + 10 * PAGE_SIZE + 4, PM4_DMA_SRC_MEM,
		DATA_VA + 10 * PAGE_SIZE + 204, 9 * PAGE_SIZE + 100);
	/* across pages, neither end on a dword */
	pm4_dma(g, DATA_VA + 22 * PAGE_SIZE + 101, PM4_DMA_SRC_DATA,
		0x1234567, 3 * PAGE_SIZE + 60);
	emit(g, PM4_HEADER(PM4_OP_ATOMIC_MEM, PM4_ATOMIC_DWORDS));
	emit(g, TC_ATOMIC_ADD_RTN_64);
	emit64(g, DATA_VA + 7 * PAGE_SIZE + 8);
	emit64(g, 0x100000001ULL);
	emit64(g, 0);
	emit(g, 0);
	emit(g, PM4_HEADER(PM4_OP_RELEASE_MEM, 8));
	emit(g, 0);
	emit(g, PM4_RELEASE_DATA_64 << 29 | PM4_RELEASE_INT_CONFIRM << 24);
	emit64(g, DATA_VA + 8 * PAGE_SIZE);
	emit64(g, 0xfeedULL << 32);
	emit(g, 5);
}

static u64 load_pm4(struct machine *m, u32 rptr)
{
	struct program g = ring_of(m, rptr);

	pm4_body(&g);
	emit(&g, PM4_HEADER(PM4_OP_SET_SH_REG, 4));
	emit(&g, PM4_SH_USER_DATA_0);
	emit64(&g, 0x1111111122222222ULL);
	return g.at;
}

/* The ring's end, and a page's, in the middle of packets. */
static void pm4_goes_on(struct kunit *test)
{
	struct machine *m = test->priv;
	u32 rptr;

	for (rptr = 1024 - 110; rptr < 1024; rptr += 13)
		twice(test, KFD_GPU_QUEUE_PM4, rptr, load_pm4, 35);
	twice(test, KFD_GPU_QUEUE_PM4, 2048 - 9, load_pm4, 35);
	KUNIT_EXPECT_EQ(test, 0x22222222u, m->mqd[MQD9_COMPUTE_USER_DATA_0]);
}

static u64 load_pm4_buffer(struct machine *m, u32 rptr)
{
	struct program g = ring_of(m, rptr), b = buffer_of(m);

	pm4_body(&b);
	emit(&g, PM4_HEADER(PM4_OP_INDIRECT_BUFFER, PM4_IB_DWORDS));
	emit64(&g, b.va);
	emit(&g, b.at);
	pm4_write(&g, DATA_VA + 30 * PAGE_SIZE, 1);
	return g.at;
}

static void pm4_buffer_goes_on(struct kunit *test)
{
	twice(test, KFD_GPU_QUEUE_PM4, 1024 - 2, load_pm4_buffer, 25);
}

static void sdma_rect(struct program *g, u64 dst, u64 src)
{
	emit(g, SDMA_OP_COPY | SDMA_SUBOP_COPY_SUBWIN << 8 | 2u << 29);
	emit64(g, src);
	emit(g, 3 | 1 << 16);
	emit(g, (800 - 1) << 13);
	emit(g, 800 * 6 - 1);
	emit64(g, dst);
	emit(g, 5);
	emit(g, (900 - 1) << 13);
	emit(g, 900 * 5 - 1);
	emit(g, (700 - 1) | (5 - 1) << 16);
	emit(g, 2 - 1);
}

static void sdma_body(struct program *g)
{
	u32 i;

	/* over itself, upwards */
	emit(g, SDMA_OP_COPY);
	emit(g, 9 * PAGE_SIZE + 100 - 1);
	emit(g, 0);
	emit64(g, DATA_VA + 77);
	emit64(g, DATA_VA + 13);
	/* the first destination lies over the source */
	emit(g, SDMA_OP_COPY | SDMA_COPY_BROADCAST);
	emit(g, 5 * PAGE_SIZE + 100 - 1);
	emit(g, 0);
	emit64(g, DATA_VA + 12 * PAGE_SIZE + 300);
	emit64(g, DATA_VA + 12 * PAGE_SIZE);
	emit64(g, DATA_VA + 19 * PAGE_SIZE + 1000);
	/* two boxes over each other */
	sdma_rect(g, DATA_VA + 26 * PAGE_SIZE, DATA_VA + 28 * PAGE_SIZE);
	emit(g, SDMA_OP_WRITE);
	emit64(g, DATA_VA + 46 * PAGE_SIZE - 500);
	emit(g, 300 - 1);
	for (i = 0; i < 300; i++)
		emit(g, 0xe0000000 + i);
	emit(g, SDMA_OP_CONST_FILL);	/* bytes */
	emit64(g, DATA_VA + 48 * PAGE_SIZE - 7);
	emit(g, 0x5a);
	emit(g, PAGE_SIZE + 100 - 1);
	emit(g, SDMA_OP_ATOMIC | (u32)TC_ATOMIC_ADD_RTN_64 << 25);
	emit64(g, DATA_VA + 50 * PAGE_SIZE + 8);
	emit64(g, 3);
	emit64(g, 0);
	emit(g, 0);
	emit(g, SDMA_OP_POLL_REGMEM | GPU_CMP_GE << 28 | SDMA_POLL_MEM);
	emit64(g, DATA_VA + 51 * PAGE_SIZE);
	emit(g, 0);
	emit(g, ~0u);
	emit(g, SDMA_POLL_FOREVER << 16);
	emit(g, SDMA_OP_FENCE);
	emit64(g, DATA_VA + 52 * PAGE_SIZE);
	emit(g, 0xabcdef);
	emit(g, SDMA_OP_TRAP);
	emit(g, 1);
}

static u64 load_sdma(struct machine *m, u32 rptr)
{
	struct program g = ring_of(m, rptr);

	sdma_body(&g);
	return g.at;
}

static void sdma_goes_on(struct kunit *test)
{
	u32 rptr;

	for (rptr = 1024 - 60; rptr < 1024; rptr += 7)
		twice(test, KFD_GPU_QUEUE_SDMA, rptr, load_sdma, 90);
	twice(test, KFD_GPU_QUEUE_SDMA, 2048 - 9, load_sdma, 90);
}

static u64 load_sdma_buffer(struct machine *m, u32 rptr)
{
	struct program g = ring_of(m, rptr), b = buffer_of(m);

	sdma_body(&b);
	emit(&g, SDMA_OP_INDIRECT);
	emit64(&g, b.va);
	emit(&g, b.at);
	emit64(&g, 0);
	emit(&g, SDMA_OP_FENCE);
	emit64(&g, DATA_VA + 53 * PAGE_SIZE);
	emit(&g, 1);
	return g.at;
}

static void sdma_buffer_goes_on(struct kunit *test)
{
	twice(test, KFD_GPU_QUEUE_SDMA, 1024 - 3, load_sdma_buffer, 60);
}

/* Barriers and a vendor packet, all with the same signal. */
static u64 load_aql(struct machine *m, u32 rptr)
{
	struct program g = ring_of(m, rptr * AQL_PACKET_DWORDS);
	struct program b = buffer_of(m);
	u32 i, end;

	pm4_body(&b);
	put64(m, VA(DEPENDENCY) + AMD_SIGNAL_VALUE, 0);
	for (i = 0; i < 6; i++) {
		end = g.at + AQL_PACKET_DWORDS;
		if (i == 3) {
			emit(&g, AQL_TYPE_VENDOR | AQL_VENDOR_PM4_IB << 16);
			emit(&g, PM4_HEADER(PM4_OP_INDIRECT_BUFFER,
					    PM4_IB_DWORDS));
			emit64(&g, b.va);
			emit(&g, b.at);
		} else {
			emit(&g, i & 1 ? AQL_TYPE_BARRIER_OR :
					 AQL_TYPE_BARRIER_AND);
			emit(&g, 0);
			emit64(&g, VA(DEPENDENCY));
		}
		while (g.at < end - 2)
			emit(&g, 0);
		/* one completes without anybody being told */
		emit64(&g, i == 4 ? 0 : SIGNAL_VA);
	}
	return g.at / AQL_PACKET_DWORDS;
}

static void aql_goes_on(struct kunit *test)
{
	struct machine *m = test->priv;
	u32 rptr;

	for (rptr = 60; rptr <= 64; rptr++) {
		twice(test, KFD_GPU_QUEUE_AQL, rptr, load_aql, 30);
		KUNIT_EXPECT_EQ(test, 995ULL,
				*(u64 *)mem(m, SIGNAL_VA + AMD_SIGNAL_VALUE));
		KUNIT_EXPECT_EQ(test, 77ULL, *(u64 *)mem(m, VA(MAILBOX) + 0x800));
		KUNIT_EXPECT_EQ(test, rptr + 6ULL,
				*(u64 *)mem(m, VA(RPTR) + 0x80));
	}
	twice(test, KFD_GPU_QUEUE_AQL, 125, load_aql, 30);
}

static bool answer(struct kfd_gpu_queue *q, u64 va, bool resolved)
{
	bool ours;

	spin_lock(&q->engine->lock);
	ours = sim_retry_answer(q, va, resolved);
	spin_unlock(&q->engine->lock);
	return ours;
}

/* Who waits, for which page, and who is refused. */
static void retry_states(struct kunit *test)
{
	struct sim_fault_info here = { .va = 0x5008, .curable = true };
	struct sim_fault_info there = { .va = 0x9ffc, .curable = true };
	struct sim_fault_info never = { .va = 0x5008 };
	struct machine *m = test->priv;
	struct kfd_gpu_queue *q = &m->queue;

	/* No XNACK, or nothing that could be done about it: an error. */
	q->desc.retry_faults = false;
	KUNIT_EXPECT_FALSE(test, sim_retry_begin(q, &here));
	q->desc.retry_faults = true;
	KUNIT_EXPECT_FALSE(test, sim_retry_begin(q, &never));
	KUNIT_EXPECT_FALSE(test, q->retry.waiting);
	KUNIT_EXPECT_EQ(test, 0ULL, q->retry.count);

	/* An answer to nothing does nothing. */
	KUNIT_EXPECT_FALSE(test, answer(q, 0x5000, false));
	KUNIT_EXPECT_FALSE(test, answer(q, ~0ULL, false));
	KUNIT_EXPECT_FALSE(test, q->retry.refused);

	KUNIT_EXPECT_TRUE(test, sim_retry_begin(q, &here));
	KUNIT_EXPECT_TRUE(test, q->retry.waiting);
	KUNIT_EXPECT_EQ(test, 0x5000ULL, q->retry.va);
	KUNIT_EXPECT_FALSE(test, answer(q, 0x4000, true));
	KUNIT_EXPECT_FALSE(test, answer(q, 0x6000, false));
	KUNIT_EXPECT_TRUE(test, q->retry.waiting);
	KUNIT_EXPECT_TRUE(test, answer(q, 0x5000, true));
	KUNIT_EXPECT_FALSE(test, q->retry.waiting);
	KUNIT_EXPECT_FALSE(test, answer(q, 0x5000, true));

	/* The page did not stay: again, and refused, for this page alone. */
	KUNIT_EXPECT_TRUE(test, sim_retry_begin(q, &here));
	KUNIT_EXPECT_TRUE(test, answer(q, ~0ULL, false));
	KUNIT_EXPECT_FALSE(test, sim_retry_begin(q, &here));
	KUNIT_EXPECT_FALSE(test, q->retry.waiting);
	KUNIT_EXPECT_TRUE(test, sim_retry_begin(q, &there));
	KUNIT_EXPECT_TRUE(test, answer(q, 0x9000, true));
	KUNIT_EXPECT_TRUE(test, sim_retry_begin(q, &here));
	KUNIT_EXPECT_EQ(test, 4ULL, q->retry.count);
	KUNIT_EXPECT_TRUE(test, answer(q, ~0ULL, true));
}

/* The address space of another queue's, or another page, wakes nobody. */
static void retry_replies(struct kunit *test)
{
	struct sim_fault_info fault = { .va = VA(3), .curable = true };
	struct machine *m = test->priv;
	struct kfd_gpu_queue *q = &m->queue;
	struct sim_vm *other = sim_vm_create(&m->gpu, NULL);
	u32 i;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, other);
	m->engine.thread = current;
	for (i = 0; i < ARRAY_SIZE(m->gpu.engines); i++)
		m->gpu.engines[i] = &m->engine;
	list_add(&q->node, &m->engine.queues);
	KUNIT_EXPECT_TRUE(test, sim_retry_begin(q, &fault));
	sim_fault_reply(&m->gpu, (struct kfd_gpu_vm *)other, ~0ULL, true);
	sim_fault_reply(&m->gpu, (struct kfd_gpu_vm *)q->vm, VA(4), true);
	KUNIT_EXPECT_TRUE(test, q->retry.waiting);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&m->engine.kick));
	sim_fault_reply(&m->gpu, (struct kfd_gpu_vm *)q->vm, VA(3), false);
	KUNIT_EXPECT_FALSE(test, q->retry.waiting);
	KUNIT_EXPECT_TRUE(test, q->retry.refused);
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&m->engine.kick));
	sim_vm_close(other);
}

static struct kunit_case retry_kunit_cases[] = {
	KUNIT_CASE(pm4_goes_on),
	KUNIT_CASE(pm4_buffer_goes_on),
	KUNIT_CASE(sdma_goes_on),
	KUNIT_CASE(sdma_buffer_goes_on),
	KUNIT_CASE(aql_goes_on),
	KUNIT_CASE(retry_states),
	KUNIT_CASE(retry_replies),
	{}
};

struct kunit_suite sim_retry_suite = {
	.name = "sim_retry",
	.init = retry_test_init,
	.exit = retry_test_exit,
	.test_cases = retry_kunit_cases,
};
