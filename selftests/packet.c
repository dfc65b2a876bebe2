// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every packet that user space is known to use, each compared with what the
 * CPU says the result must be.
 */
#include "lib/kfd_test.h"

#define MIB	(1ULL << 20)
#define RING	65536

FIXTURE(packet)
{
	struct kfd k;
	struct kfd_queue q;
	struct kfd_bo a, b, c;
};

FIXTURE_VARIANT(packet)
{
	uint32_t memory;
};

FIXTURE_VARIANT_ADD(packet, vram)
{
	.memory = MEM_VRAM,
};

FIXTURE_VARIANT_ADD(packet, gtt)
{
	.memory = MEM_GTT,
};

FIXTURE_SETUP(packet)
{
	ASSERT_OK(kfd_start(&self->k));
	ASSERT_OK(kfd_bo_create(&self->k, 0, variant->memory, MIB, &self->a));
	ASSERT_OK(kfd_bo_create(&self->k, 0, variant->memory, MIB, &self->b));
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, 64 << 10, &self->c));
}

FIXTURE_TEARDOWN(packet)
{
	if (self->q.id || self->q.doorbell)
		kfd_queue_destroy(&self->k, &self->q);
	kfd_stop(&self->k);
}

#define PM4_QUEUE()  ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, RING, \
						&self->q))
#define SDMA_QUEUE() ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, \
						&self->q))
#define AQL_QUEUE()  ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE_AQL, \
						RING, &self->q))
#define RUN(build)   ASSERT_OK(kfd_queue_run(&self->q, p, build))
#define EMIT(build)  ASSERT_OK(kfd_queue_emit(&self->q, p, build))
#define WORD(bo, n)  (((volatile uint32_t *)(bo).cpu)[n])
#define QWORD(bo, n) (((volatile uint64_t *)(bo).cpu)[n])

TEST_F(packet, pm4_nop)
{
	uint32_t p[64];

	PM4_QUEUE();
	EMIT(pm4_nop(p, 1));
	EMIT(pm4_nop(p, 2));
	EMIT(pm4_nop(p, 60));
	RUN(pm4_write_data(p, self->a.va, 1));
	EXPECT_EQ(1, WORD(self->a, 0));
}

TEST_F(packet, pm4_write_data)
{
	uint32_t p[300], data[256];

	PM4_QUEUE();
	kfd_fill_pattern(data, sizeof(data), 3);
	RUN(pm4_write_data_n(p, self->a.va + 4000, data, 256));
	EXPECT_EQ(0, memcmp((char *)self->a.cpu + 4000, data, sizeof(data)));
	EXPECT_EQ(0, WORD(self->a, 999));
	EXPECT_EQ(0, WORD(self->a, 1000 + 256));
}

TEST_F(packet, pm4_indirect_buffer)
{
	uint32_t p[8], *ib = self->c.cpu;
	unsigned int n = 0, i;

	PM4_QUEUE();
	for (i = 0; i < 100; i++)
		n += pm4_write_data(ib + n, self->a.va + i * 8, i + 1);
	EMIT(pm4_indirect_buffer(p, self->c.va, n));
	RUN(pm4_write_data(p, self->a.va + 4, 0x55));
	for (i = 0; i < 100; i++)
		EXPECT_EQ(i + 1, WORD(self->a, i * 2));
	EXPECT_EQ(0x55, WORD(self->a, 1));
}

TEST_F(packet, pm4_wait_reg_mem_functions)
{
	static const struct {
		uint32_t func, ref, now;
	} cases[] = {
		{ PM4_FUNC_LESS, 10, 9 }, { PM4_FUNC_LESS_EQUAL, 10, 10 },
		{ PM4_FUNC_EQUAL, 10, 10 }, { PM4_FUNC_NOT_EQUAL, 10, 11 },
		{ PM4_FUNC_GREATER_EQUAL, 10, 10 }, { PM4_FUNC_GREATER, 10, 11 },
	};
	uint32_t p[8];
	unsigned int i;

	PM4_QUEUE();
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		WORD(self->c, 0) = cases[i].now;
		EMIT(pm4_wait_reg_mem(p, cases[i].func, self->c.va, cases[i].ref, ~0u));
		RUN(pm4_write_data(p, self->a.va, i + 1));
		EXPECT_EQ(i + 1, WORD(self->a, 0));
	}
}

TEST_F(packet, pm4_wait_reg_mem_released_by_the_cpu)
{
	uint32_t p[8];

	PM4_QUEUE();
	/* Only the masked bits count. */
	WORD(self->c, 0) = 0xff00;
	EMIT(pm4_wait_reg_mem(p, PM4_FUNC_EQUAL, self->c.va, 0x5, 0xf));
	EMIT(pm4_write_data(p, self->a.va, 1));
	kfd_queue_submit(&self->q);
	kfd_sleep_ms(100);
	EXPECT_EQ(0, WORD(self->a, 0));
	WORD(self->c, 0) = 0x4;
	kfd_sleep_ms(50);
	EXPECT_EQ(0, WORD(self->a, 0));
	WORD(self->c, 0) = 0xabc5;
	EXPECT_OK(kfd_wait_u32(self->a.cpu, 1, PATIENCE));
}

TEST_F(packet, pm4_release_mem)
{
	uint32_t p[8];
	uint64_t before, after;

	PM4_QUEUE();
	RUN(pm4_release_mem(p, PM4_DATA_32, self->a.va, 0x1122334455667788, 0));
	EXPECT_EQ(0x55667788, QWORD(self->a, 0));
	RUN(pm4_release_mem(p, PM4_DATA_64, self->a.va + 8, 0x1122334455667788, 0));
	EXPECT_EQ(0x1122334455667788, QWORD(self->a, 1));
	RUN(pm4_release_mem(p, PM4_DATA_CLOCK, self->a.va + 16, 0, 0));
	before = QWORD(self->a, 2);
	kfd_sleep_ms(10);
	RUN(pm4_release_mem(p, PM4_DATA_CLOCK, self->a.va + 16, 0, 0));
	after = QWORD(self->a, 2);
	EXPECT_NE(0, before);
	EXPECT_GT(after, before);
	RUN(pm4_release_mem(p, PM4_DATA_NONE, self->a.va + 24, 0x77, 0));
	EXPECT_EQ(0, QWORD(self->a, 3));
}

TEST_F(packet, pm4_acquire_mem)
{
	uint32_t p[8];

	PM4_QUEUE();
	EMIT(pm4_acquire_mem(p));
	RUN(pm4_write_data(p, self->a.va, 8));
	EXPECT_EQ(8, WORD(self->a, 0));
}

TEST_F(packet, pm4_set_sh_reg)
{
	uint32_t p[24], values[16];

	PM4_QUEUE();
	kfd_fill_pattern(values, sizeof(values), 5);
	EMIT(pm4_set_sh_reg(p, 0x2e40, values, 16));	/* COMPUTE_USER_DATA_0.. */
	RUN(pm4_write_data(p, self->a.va, 8));
	EXPECT_EQ(8, WORD(self->a, 0));
}

/* Any number of bytes, in packets of the largest size and a rest. */
static void copy_all(struct kfd_queue *q, uint64_t dst, uint64_t src, uint64_t bytes)
{
	uint32_t p[8];

	while (bytes) {
		uint32_t now = bytes < SDMA_COPY_MAX ? bytes : SDMA_COPY_MAX;

		kfd_queue_emit(q, p, sdma_copy(p, dst, src, now));
		dst += now;
		src += now;
		bytes -= now;
	}
	kfd_queue_submit(q);
}

TEST_F(packet, sdma_copy)
{
	static const uint32_t sizes[] = { 4, 8, 64, 4096, 4100, 65536, 1 << 20 };
	unsigned int i;

	SDMA_QUEUE();
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		kfd_fill_pattern(self->a.cpu, sizes[i], i);
		memset(self->b.cpu, 0, sizes[i]);
		copy_all(&self->q, self->b.va, self->a.va, sizes[i]);
		ASSERT_OK(kfd_queue_wait(&self->q, PATIENCE));
		EXPECT_TRUE(kfd_check_pattern(self->b.cpu, sizes[i], i))
			TH_LOG("%u bytes", sizes[i]);
		if (sizes[i] < MIB)
			EXPECT_EQ(0, WORD(self->b, sizes[i] / 4));
	}
}

/* Any byte count at any byte address; the bytes beside it stay. */
TEST_F(packet, sdma_copy_unaligned)
{
	static const uint32_t spots[][3] = {	/* from, to, bytes */
		{ 0, 1, 1 }, { 1, 0, 2 }, { 3, 7, 13 }, { 4095, 1, 2 }, { 1, 4095, 4098 },
		{ 5, 8190, 9001 },
	};
	unsigned char *from = self->a.cpu, *to = self->b.cpu;
	unsigned int i;
	uint32_t p[8];

	SDMA_QUEUE();
	kfd_fill_pattern(from, 32768, 1);
	for (i = 0; i < sizeof(spots) / sizeof(spots[0]); i++) {
		uint32_t src = spots[i][0], dst = spots[i][1], n = spots[i][2];

		memset(to, 0xcc, 32768);
		RUN(sdma_copy(p, self->b.va + dst, self->a.va + src, n));
		EXPECT_EQ(0, memcmp(to + dst, from + src, n)) TH_LOG("case %u", i);
		EXPECT_EQ(0xcc, to[dst + n]) TH_LOG("case %u wrote behind", i);
		if (dst)
			EXPECT_EQ(0xcc, to[dst - 1]) TH_LOG("case %u wrote before", i);
	}
}

TEST_F(packet, sdma_long_copy)
{
	struct kfd_bo big, copy;

	SDMA_QUEUE();
	ASSERT_OK(kfd_bo_create(&self->k, 0, variant->memory, 16 * MIB, &big));
	ASSERT_OK(kfd_bo_create(&self->k, 0, variant->memory, 16 * MIB, &copy));
	kfd_fill_pattern(big.cpu, big.size, 77);
	copy_all(&self->q, copy.va, big.va, big.size);
	ASSERT_OK(kfd_queue_wait(&self->q, PATIENCE));
	EXPECT_TRUE(kfd_check_pattern(copy.cpu, copy.size, 77));
}

TEST_F(packet, sdma_broadcast)
{
	uint32_t p[16];

	SDMA_QUEUE();
	kfd_fill_pattern(self->a.cpu, 8192, 12);
	RUN(sdma_copy_broadcast(p, self->b.va, self->c.va, self->a.va, 8192));
	EXPECT_TRUE(kfd_check_pattern(self->b.cpu, 8192, 12));
	EXPECT_TRUE(kfd_check_pattern(self->c.cpu, 8192, 12));
}

/* A box out of one 3D surface into another of other pitches. */
TEST_F(packet, sdma_rectangle)
{
	struct sdma_rect src = { self->a.va, 3, 5, 1, 64, 64 * 32 };
	struct sdma_rect dst = { self->b.va, 7, 2, 2, 100, 100 * 50 };
	const uint32_t w = 20, h = 10, d = 3;
	uint32_t p[16], x, y, z, *expect;

	SDMA_QUEUE();
	kfd_fill_pattern(self->a.cpu, MIB, 9);
	expect = calloc(1, MIB);
	ASSERT_NE(NULL, expect);
	for (z = 0; z < d; z++)
		for (y = 0; y < h; y++)
			for (x = 0; x < w; x++)
				expect[(dst.z + z) * dst.slice + (dst.y + y) * dst.pitch +
				       dst.x + x] =
					WORD(self->a, (src.z + z) * src.slice +
					     (src.y + y) * src.pitch + src.x + x);
	RUN(sdma_copy_rect(p, &dst, &src, w, h, d, 2));
	EXPECT_EQ(0, memcmp(self->b.cpu, expect, MIB));
	free(expect);
}

TEST_F(packet, sdma_rectangle_of_bytes_and_of_16_bytes)
{
	struct sdma_rect src = { self->a.va, 1, 1, 0, 128, 128 * 16 };
	struct sdma_rect dst = { self->b.va, 2, 0, 0, 256, 256 * 16 };
	unsigned char *from = self->a.cpu, *to = self->b.cpu;
	uint32_t p[16], y, log2;

	SDMA_QUEUE();
	kfd_fill_pattern(from, 65536, 4);
	for (log2 = 0; log2 <= 4; log2 += 4) {
		uint32_t size = 1u << log2;

		memset(to, 0, 65536);
		RUN(sdma_copy_rect(p, &dst, &src, 10, 4, 1, log2));
		for (y = 0; y < 4; y++)
			EXPECT_EQ(0, memcmp(to + (y * 256 + 2) * size,
					    from + ((y + 1) * 128 + 1) * size, 10 * size))
				TH_LOG("element size %u row %u", size, y);
		EXPECT_EQ(0, to[2 * size - 1]);
		EXPECT_EQ(0, to[12 * size]);
	}
}

TEST_F(packet, sdma_fill)
{
	uint32_t p[8], i;

	SDMA_QUEUE();
	RUN(sdma_fill(p, self->a.va + 64, 0xcafe0001, 4096));
	EXPECT_EQ(0, WORD(self->a, 15));
	for (i = 0; i < 1024; i++)
		ASSERT_EQ(0xcafe0001, WORD(self->a, 16 + i)) TH_LOG("word %u", i);
	EXPECT_EQ(0, WORD(self->a, 16 + 1024));
	/* The ROCm runtime leaves the low bits of the count clear. */
	sdma_fill(p, self->a.va, 0xcafe0002, 8);
	p[4] = 4;
	RUN(5);
	EXPECT_EQ(0xcafe0002, WORD(self->a, 0));
	EXPECT_EQ(0xcafe0002, WORD(self->a, 1));
	EXPECT_EQ(0, WORD(self->a, 2));
}

TEST_F(packet, sdma_write)
{
	uint32_t p[80], data[64];

	SDMA_QUEUE();
	kfd_fill_pattern(data, sizeof(data), 21);
	RUN(sdma_write(p, self->a.va + 4092, data, 64));
	EXPECT_EQ(0, memcmp((char *)self->a.cpu + 4092, data, sizeof(data)));
	EXPECT_EQ(0, WORD(self->a, 1022));
	EXPECT_EQ(0, WORD(self->a, 1023 + 64));
}

TEST_F(packet, sdma_fence)
{
	uint32_t p[8];

	SDMA_QUEUE();
	RUN(sdma_fence(p, self->a.va + 4, 0xfe9ce));
	EXPECT_EQ(0, WORD(self->a, 0));
	EXPECT_EQ(0xfe9ce, WORD(self->a, 1));
	EXPECT_EQ(0, WORD(self->a, 2));
}

TEST_F(packet, sdma_atomic)
{
	uint32_t p[8];
	int i;

	SDMA_QUEUE();
	QWORD(self->a, 0) = 0xffffffff;
	for (i = 0; i < 100; i++)
		EMIT(sdma_atomic_add64(p, self->a.va, 3));
	RUN(sdma_atomic_add64(p, self->a.va, (uint64_t)-1));
	EXPECT_EQ(0xffffffffULL + 300 - 1, QWORD(self->a, 0));
}

TEST_F(packet, sdma_timestamp)
{
	uint64_t first;
	uint32_t p[8];

	SDMA_QUEUE();
	RUN(sdma_timestamp(p, self->a.va));
	first = QWORD(self->a, 0);
	EXPECT_NE(0, first);
	kfd_sleep_ms(10);
	RUN(sdma_timestamp(p, self->a.va));
	EXPECT_GT(QWORD(self->a, 0), first);
}

TEST_F(packet, sdma_indirect)
{
	uint32_t p[8], *ib = self->c.cpu;
	unsigned int n = 0, i;

	SDMA_QUEUE();
	for (i = 0; i < 50; i++)
		n += sdma_fence(ib + n, self->a.va + i * 4, i + 1);
	while (n % 8)
		ib[n++] = SDMA_NOP;
	/* The hardware wants the packet to end on a multiple of 8 dwords. */
	while (self->q.wptr % 8 != 2) {
		p[0] = SDMA_NOP;
		EMIT(1);
	}
	RUN(sdma_indirect(p, self->c.va, n));
	for (i = 0; i < 50; i++)
		EXPECT_EQ(i + 1, WORD(self->a, i));
}

TEST_F(packet, sdma_poll_released_by_the_cpu)
{
	uint32_t p[8];

	SDMA_QUEUE();
	EMIT(sdma_poll(p, PM4_FUNC_EQUAL, self->c.va, 7, 0xff));
	EMIT(sdma_fence(p, self->a.va, 1));
	kfd_queue_submit(&self->q);
	kfd_sleep_ms(100);
	EXPECT_EQ(0, WORD(self->a, 0));
	WORD(self->c, 0) = 0xf07;
	EXPECT_OK(kfd_wait_u32(self->a.cpu, 1, PATIENCE));
}

/* One GPU reads what is in the other's memory, and writes there. */
TEST_F(packet, sdma_between_gpus)
{
	struct kfd_bo other;

	REQUIRE_GPUS(&self->k, 2);
	SDMA_QUEUE();
	ASSERT_OK(kfd_bo_create(&self->k, 1, MEM_VRAM, 65536, &other));
	ASSERT_OK(kfd_bo_map_gpu(&self->k, &other, 0));
	kfd_fill_pattern(other.cpu, 65536, 5);
	copy_all(&self->q, self->a.va, other.va, 65536);
	ASSERT_OK(kfd_queue_wait(&self->q, PATIENCE));
	EXPECT_TRUE(kfd_check_pattern(self->a.cpu, 65536, 5));
	kfd_fill_pattern(self->a.cpu, 65536, 6);
	copy_all(&self->q, other.va, self->a.va, 65536);
	ASSERT_OK(kfd_queue_wait(&self->q, PATIENCE));
	EXPECT_TRUE(kfd_check_pattern(other.cpu, 65536, 6));
}

/* Signals of value 1, with no event behind them. */
static void init_signals(struct aql_signal *s, unsigned int n)
{
	memset(s, 0, n * sizeof(*s));
	while (n--) {
		s[n].kind = 1;
		s[n].value = 1;
	}
}

TEST_F(packet, aql_barrier_and)
{
	struct aql_signal *s = self->c.cpu;
	uint64_t deps[2] = { self->c.va, self->c.va + 64 };
	uint32_t p[16];

	AQL_QUEUE();
	init_signals(s, 3);
	EMIT(aql_barrier(p, AQL_BARRIER_AND, deps, 2, self->c.va + 128));
	kfd_queue_submit(&self->q);
	kfd_sleep_ms(50);
	EXPECT_EQ(1, *(volatile int64_t *)&s[2].value);
	*(volatile int64_t *)&s[0].value = 0;
	kfd_sleep_ms(50);
	EXPECT_EQ(1, *(volatile int64_t *)&s[2].value);
	*(volatile int64_t *)&s[1].value = 0;
	EXPECT_OK(kfd_wait_u64((uint64_t *)&s[2].value, 0, PATIENCE));
	EXPECT_OK(kfd_queue_wait(&self->q, PATIENCE));
	EXPECT_GE(s[2].end, s[2].start);
}

TEST_F(packet, aql_barrier_or)
{
	struct aql_signal *s = self->c.cpu;
	uint64_t deps[2] = { self->c.va, self->c.va + 64 };
	uint32_t p[16];

	AQL_QUEUE();
	init_signals(s, 3);
	EMIT(aql_barrier(p, AQL_BARRIER_OR, deps, 2, self->c.va + 128));
	kfd_queue_submit(&self->q);
	kfd_sleep_ms(50);
	EXPECT_EQ(1, *(volatile int64_t *)&s[2].value);
	*(volatile int64_t *)&s[1].value = 0;
	EXPECT_OK(kfd_wait_u64((uint64_t *)&s[2].value, 0, PATIENCE));
}

TEST_F(packet, aql_vendor_pm4)
{
	uint32_t p[16], *ib = self->c.cpu;
	struct aql_signal *s = (void *)((char *)self->c.cpu + 32768);
	unsigned int n;

	AQL_QUEUE();
	memset(s, 0, sizeof(*s));
	s->kind = 1;
	s->value = 5;
	n = pm4_write_data(ib, self->a.va, 0xa91);
	EMIT(aql_pm4_ib(p, self->c.va, n, self->c.va + 32768));
	kfd_queue_submit(&self->q);
	EXPECT_OK(kfd_wait_u64((uint64_t *)&s->value, 4, PATIENCE));
	EXPECT_EQ(0xa91, WORD(self->a, 0));
	EXPECT_NE(0, s->end);
	EXPECT_GE(s->end, s->start);
}

/* A packet that is not valid yet stops the queue; its header lets it go on. */
TEST_F(packet, aql_stops_at_an_invalid_packet)
{
	struct aql_signal *s = self->c.cpu;
	uint32_t p[16], *ring;

	AQL_QUEUE();
	init_signals(s, 2);
	EMIT(aql_barrier(p, AQL_BARRIER_AND, NULL, 0, self->c.va));
	EMIT(aql_barrier(p, AQL_BARRIER_AND, NULL, 0, self->c.va + 64));
	ring = self->q.ring.cpu;
	ring[16] = AQL_INVALID;
	kfd_queue_submit(&self->q);
	EXPECT_OK(kfd_wait_u64((uint64_t *)&s[0].value, 0, PATIENCE));
	kfd_sleep_ms(50);
	EXPECT_EQ(1, *(volatile int64_t *)&s[1].value);
	EXPECT_EQ(1, kfd_queue_rptr(&self->q));
	__atomic_store_n(ring + 16, p[0], __ATOMIC_RELEASE);
	*self->q.doorbell = 1;
	EXPECT_OK(kfd_wait_u64((uint64_t *)&s[1].value, 0, PATIENCE));
}

/* Completion: the value goes down, the mailbox is written, the event set. */
TEST_F(packet, aql_completion_sets_an_event)
{
	struct kfd_ioctl_create_event_args ev = {
		.event_type = KFD_IOC_EVENT_SIGNAL, .auto_reset = 1,
	};
	struct aql_signal *s = self->c.cpu;
	struct kfd_bo page;
	uint32_t p[16], result;

	AQL_QUEUE();
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, KFD_EVENT_PAGE_SIZE, &page));
	memset(page.cpu, 0xff, page.size);
	ev.event_page_offset = page.handle;
	ASSERT_OK(kfd_call(self->k.fd, AMDKFD_IOC_CREATE_EVENT, &ev));
	memset(s, 0, sizeof(*s));
	s->kind = 1;
	s->value = 1;
	s->event_id = ev.event_id;
	s->mailbox = page.va + ev.event_slot_index * 8ULL;
	EMIT(aql_barrier(p, AQL_BARRIER_AND, NULL, 0, self->c.va));
	kfd_queue_submit(&self->q);
	EXPECT_OK(kfd_event_wait_one(&self->k, ev.event_id, PATIENCE, &result));
	EXPECT_EQ(KFD_IOC_WAIT_RESULT_COMPLETE, result);
	EXPECT_EQ(0, *(volatile int64_t *)&s->value);
}

/* Delayed packets change the time that things take, and nothing else. */
TEST_F(packet, delayed_packets)
{
	uint32_t p[8], i;

	REQUIRE_SIM();
	SDMA_QUEUE();
	ASSERT_OK(kfd_sim_set(0, "delay_nth", "7"));
	for (i = 0; i < 50; i++)
		EMIT(sdma_atomic_add64(p, self->a.va, 1));
	EXPECT_OK(kfd_queue_finish(&self->q, PATIENCE));
	EXPECT_OK(kfd_sim_set(0, "delay_nth", "0"));
	EXPECT_EQ(50, QWORD(self->a, 0));
}

KFD_TEST_MAIN
