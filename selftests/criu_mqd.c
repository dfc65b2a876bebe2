// SPDX-License-Identifier: GPL-2.0-only
/*
 * Images with forged MQDs and control stacks: what the restored process's own
 * image has of them. Privileged fields are rebuilt, never taken from an image.
 *
 * The queues are disabled in the image (percentage 0), so that what was
 * restored is dumped again as it is: no GPU has had its hands on it. The field
 * numbers are those of the gfx9 MQDs; they are written down here once more, so
 * that a wrong table in the driver does not go unseen.
 */
#include <sys/mman.h>

#include "../include/hw/gfx9_mqd.h"
#include "lib/kfd_image.h"
#include "lib/kfd_test.h"
#include "lib/kfd_workload.h"

#define STACK_LEADER(dwords)	(3u << 30 | ((dwords) - 2) << 16 | PM4_SET_SH_REG << 8)
#define RANDOM_IMAGES		12

enum { PM4, AQL, SDMA, NUM_QUEUES };

static const uint32_t queue_type[NUM_QUEUES] = {
	KFD_IOC_QUEUE_TYPE_COMPUTE, KFD_IOC_QUEUE_TYPE_COMPUTE_AQL, KFD_IOC_QUEUE_TYPE_SDMA,
};

/**
 * struct outcome - what a restored process's own image has, in shared memory
 * @mqd: MQDs by queue
 * @stack: end of the control stacks of the compute queues
 * @stack_dirt: number of bytes that are not zero in the rest of them
 */
struct outcome {
	uint32_t mqd[NUM_QUEUES][MQD9_DWORDS];
	uint32_t stack[2][8];
	uint32_t stack_dirt[2];
};

/**
 * struct field - bits that must not come from an image
 * @dword: which dword
 * @mask: which bits
 * @name: of what
 */
struct field {
	uint32_t dword;
	uint32_t mask;
	const char *name;
};

static const struct field compute_fields[] = {
	{ 1, 1u << 14, "DISPATCH_INITIATOR.RESTORE" },
	{ 11, ~0u, "PIPELINESTAT_ENABLE" },
	{ 12, ~0u, "PERFCOUNT_ENABLE" },
	{ 15, ~0u, "TBA_LO" },
	{ 16, ~0u, "TBA_HI" },
	{ 17, ~0u, "TMA_LO" },
	{ 18, ~0u, "TMA_HI" },
	{ 19, 3u << 10, "PGM_RSRC1.PRIORITY" },
	{ 19, 1u << 20, "PGM_RSRC1.PRIV" },
	{ 19, 1u << 22, "PGM_RSRC1.DEBUG_MODE" },
	{ 19, 3u << 24, "PGM_RSRC1.BULKY, CDBG_USER" },
	{ 20, 1u << 6, "PGM_RSRC2.TRAP_PRESENT" },
	{ 20, 3u << 13, "PGM_RSRC2.EXCP_EN_MSB" },
	{ 21, ~0u, "COMPUTE_VMID" },
	{ 23, ~0u, "STATIC_THREAD_MGMT_SE0" },
	{ 27, ~0u, "STATIC_THREAD_MGMT_SE3" },
	{ 31, ~0u, "THREAD_TRACE_ENABLE" },
	{ 35, ~0u, "RELAUNCH" },
	{ 36, ~0u, "WAVE_RESTORE_ADDR_LO" },
	{ 38, ~0u, "WAVE_RESTORE_CONTROL" },
	{ 42, ~0u, "STATIC_THREAD_MGMT_SE7" },
	{ 106, ~0u, "DISABLE_QUEUE" },
	{ 120, ~0u, "GDS_SAVE_BASE_ADDR_LO" },
	{ 124, ~0u, "CTX_SAVE_BASE_ADDR_LO" },
	{ 126, ~0u, "DYNAMIC_CU_MASK_ADDR_LO" },
	{ 128, ~0u, "MQD_BASE_ADDR_LO" },
	{ 130, ~0u, "HQD_ACTIVE" },
	{ 131, ~0u, "HQD_VMID" },
	{ 132, ~0u, "PERSISTENT_STATE" },
	{ 133, ~0u, "PIPE_PRIORITY" },
	{ 134, ~0u, "QUEUE_PRIORITY" },
	{ 135, ~0u, "QUANTUM" },
	{ 136, ~0u, "PQ_BASE_LO" },
	{ 137, ~0u, "PQ_BASE_HI" },
	{ 139, ~0u, "PQ_RPTR_REPORT_ADDR_LO" },
	{ 141, ~0u, "PQ_WPTR_POLL_ADDR_LO" },
	{ 143, ~0u, "PQ_DOORBELL_CONTROL" },
	{ 145, 1u << 30, "PQ_CONTROL.PRIV_STATE" },
	{ 145, 1u << 31, "PQ_CONTROL.KMD_QUEUE" },
	{ 145, ~0u, "PQ_CONTROL" },
	{ 149, 0x7ff00000, "IB_CONTROL" },
	{ 152, ~0u, "DEQUEUE_REQUEST" },
	{ 162, ~0u, "MQD_CONTROL" },
	{ 165, ~0u, "EOP_BASE_ADDR_LO" },
	{ 167, ~0u, "EOP_CONTROL" },
	{ 168, 0xffffe000, "EOP_RPTR's control bits" },
	{ 171, ~0u, "CTX_SAVE_BASE_ADDR_LO" },
	{ 172, ~0u, "CTX_SAVE_BASE_ADDR_HI" },
	{ 173, ~0u, "CTX_SAVE_CONTROL" },
	{ 175, ~0u, "CNTL_STACK_SIZE" },
	{ 177, ~0u, "CTX_SAVE_SIZE" },
	{ 178, ~0u, "GDS_RESOURCE_STATE" },
	{ 181, ~0u, "AQL_CONTROL" },
	{ 192, ~0u, "IQTIMER_PKT_HEADER" },
	{ 228, ~0u, "SET_RESOURCES_HEADER" },
	{ 240, ~0u, "QUEUE_DOORBELL_ID0" },
	{ 511, ~0u, "the last dword" },
};

static const struct field sdma_fields[] = {
	{ 0, 1u << 23, "RB_CNTL.RB_PRIV" },
	{ 0, 0xfu << 24, "RB_CNTL.RB_VMID" },
	{ 0, ~0u, "RB_CNTL" },
	{ 1, ~0u, "RB_BASE" },
	{ 2, ~0u, "RB_BASE_HI" },
	{ 7, ~0u, "RB_WPTR_POLL_CNTL" },
	{ 8, ~0u, "RB_RPTR_ADDR_HI" },
	{ 9, ~0u, "RB_RPTR_ADDR_LO" },
	{ 10, ~0u, "IB_CNTL" },
	{ 16, ~0u, "SKIP_CNTL" },
	{ 17, ~0u, "CONTEXT_STATUS" },
	{ 18, ~0u, "DOORBELL" },
	{ 22, ~0u, "DOORBELL_OFFSET" },
	{ 23, ~0u, "CSA_ADDR_LO" },
	{ 24, ~0u, "CSA_ADDR_HI" },
	{ 26, ~0u, "PREEMPT" },
	{ 28, ~0u, "RB_WPTR_POLL_ADDR_HI" },
	{ 29, ~0u, "RB_WPTR_POLL_ADDR_LO" },
	{ 30, ~0u, "RB_AQL_CNTL" },
	{ 31, ~0u, "MINOR_PTR_UPDATE" },
	{ 127, ~0u, "the last dword" },
};

/* Fields whose values have bounds: random ones would be refused. */
static const uint32_t compute_bounded[] = { 0, 148, 168, 169, 174, 176 };
static const uint32_t sdma_bounded[] = { 11, 12 };

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

FIXTURE(mqd)
{
	struct kfd_workload *w;
	struct kfd_snapshot s;
	struct outcome *out;
	struct outcome base;
};

/* The queue record of a type, the @part-th record behind it. */
static void *part_of(struct kfd_snapshot *s, uint32_t type, unsigned int part)
{
	uint8_t *p = (uint8_t *)kfd_image_queue(s, type);

	while (p && part--) {
		struct kfd_record_header *h = (struct kfd_record_header *)p - 1;

		p += kfd_record_space(h->length);
	}
	return p;
}

static uint32_t *mqd_of(struct kfd_snapshot *s, int queue)
{
	return part_of(s, queue_type[queue], 1);
}

static uint32_t *stack_of(struct kfd_snapshot *s, int queue)
{
	return part_of(s, queue_type[queue], 2);
}

static uint32_t mqd_dwords(int queue)
{
	return queue == SDMA ? SDMA_MQD9_DWORDS : MQD9_DWORDS;
}

static void look_at_stack(struct kfd_snapshot *s, int queue, struct outcome *out)
{
	uint32_t size = kfd_image_queue(s, queue_type[queue])->ctl_stack_size, i;
	const uint8_t *stack = (const uint8_t *)stack_of(s, queue);

	memcpy(out->stack[queue], stack + size - sizeof(out->stack[queue]),
	       sizeof(out->stack[queue]));
	out->stack_dirt[queue] = 0;
	for (i = 0; i < size - sizeof(out->stack[queue]); i++)
		out->stack_dirt[queue] += !!stack[i];
}

/**
 * struct attempt - what a child is to restore
 * @s: the image
 * @w: the workload that it was made of
 * @out: where to put what came of it
 */
struct attempt {
	struct kfd_snapshot *s;
	struct kfd_workload *w;
	struct outcome *out;
};

/* Restore, resume, and dump again. */
static int restore_and_dump(void *arg)
{
	struct attempt *a = arg;
	struct kfd_snapshot now;
	struct kfd k;
	void *user;
	int ret, i;

	user = mmap((void *)(uintptr_t)a->w->user.va, KFD_PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (user == MAP_FAILED || kfd_snapshot_open(&k, a->s))
		return -EPROTO;
	ret = kfd_snapshot_restore_op(&k, a->s);
	if (ret)
		return ret;
	kfd_snapshot_close_fds(a->s);
	if (kfd_criu_resume(k.fd, getpid()) || kfd_snapshot_checkpoint(k.fd, &now))
		return -EPROTO;
	for (i = 0; i < NUM_QUEUES; i++) {
		if (!mqd_of(&now, i))
			return -EPROTO;
		memcpy(a->out->mqd[i], mqd_of(&now, i), mqd_dwords(i) * 4);
		if (i != SDMA)
			look_at_stack(&now, i, a->out);
	}
	return 0;
}

FIXTURE_SETUP(mqd)
{
	struct attempt a = { .s = &self->s };
	struct kfd_target t;
	int i;

	self->w = kfd_workload_new();
	ASSERT_NE(NULL, self->w);
	self->out = mmap(NULL, sizeof(*self->out), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->out);
	ASSERT_OK(kfd_target_start(&t, self->w, 0));
	ASSERT_OK(kfd_target_seize(&t));
	ASSERT_OK(kfd_snapshot_checkpoint(t.fd, &self->s));
	kfd_snapshot_close_fds(&self->s);
	kfd_target_kill(&t);
	if (!kfd_is_ours())
		return;
	for (i = 0; i < NUM_QUEUES; i++) {
		ASSERT_NE(NULL, kfd_image_queue(&self->s, queue_type[i]));
		kfd_image_queue(&self->s, queue_type[i])->percentage = 0;
	}
	/* What comes of an honest image. */
	a.w = self->w;
	a.out = self->out;
	ASSERT_OK(kfd_in_child(restore_and_dump, &a));
	self->base = *self->out;
}

FIXTURE_TEARDOWN(mqd)
{
	kfd_snapshot_free(&self->s);
	munmap(self->out, sizeof(*self->out));
}

/* Restore what @change made of a copy of the image; its result is in @ret. */
#define ATTEMPT(ret, change) \
	do { \
		struct kfd_snapshot bad; \
		struct attempt _a = { .s = &bad, .w = self->w, .out = self->out }; \
		ASSERT_OK(kfd_snapshot_copy(&self->s, &bad)); \
		{ change; } \
		(ret) = kfd_in_child(restore_and_dump, &_a); \
		kfd_snapshot_free(&bad); \
	} while (0)

static int bits_differ(const struct outcome *a, const struct outcome *b, int queue,
		       const struct field *f)
{
	return ((a->mqd[queue][f->dword] ^ b->mqd[queue][f->dword]) & f->mask) != 0;
}

/* Queues of a test variant: @fields are theirs. */
static unsigned int fields_of(int queue, const struct field **fields)
{
	*fields = queue == SDMA ? sdma_fields : compute_fields;
	return queue == SDMA ? COUNT(sdma_fields) : COUNT(compute_fields);
}

/* An honest image keeps its state: else nothing below would say anything. */
TEST_F_TIMEOUT(mqd, honest_image_comes_back, 120)
{
	int i;

	REQUIRE_OURS();
	for (i = 0; i < NUM_QUEUES; i++)
		EXPECT_EQ(0, memcmp(mqd_of(&self->s, i), self->base.mqd[i], mqd_dwords(i) * 4))
			TH_LOG("queue %d", i);
}

/* The forged bits of one field at a time, in every queue that has it. */
TEST_F_TIMEOUT(mqd, each_privileged_field, 400)
{
	unsigned int i;
	int ret, queue;

	REQUIRE_OURS();
	for (i = 0; i < COUNT(compute_fields); i++) {
		const struct field *c = &compute_fields[i];
		const struct field *d = &sdma_fields[i % COUNT(sdma_fields)];

		ATTEMPT(ret,
			mqd_of(&bad, PM4)[c->dword] ^= c->mask;
			mqd_of(&bad, AQL)[c->dword] ^= c->mask;
			mqd_of(&bad, SDMA)[d->dword] ^= d->mask);
		EXPECT_EQ(0, ret) TH_LOG("%s, %s", c->name, d->name);
		for (queue = 0; queue < NUM_QUEUES; queue++) {
			const struct field *f = queue == SDMA ? d : c;

			EXPECT_FALSE(bits_differ(&self->base, self->out, queue, f))
				TH_LOG("queue %d: %s came from the image: %#x", queue, f->name,
				       self->out->mqd[queue][f->dword]);
		}
	}
}

static void forge_all(struct kfd_snapshot *s, const struct kfd_snapshot *good, int seed)
{
	const uint32_t *bounded;
	unsigned int i, n;
	int queue;

	for (queue = 0; queue < NUM_QUEUES; queue++) {
		uint32_t *m = mqd_of(s, queue);
		const uint32_t *g = mqd_of((struct kfd_snapshot *)good, queue);

		if (seed)
			kfd_fill_pattern(m, mqd_dwords(queue) * 4, seed * 0x9e3779b9u + queue);
		else
			memset(m, 0xff, mqd_dwords(queue) * 4);
		bounded = queue == SDMA ? sdma_bounded : compute_bounded;
		n = queue == SDMA ? COUNT(sdma_bounded) : COUNT(compute_bounded);
		for (i = 0; i < n; i++)
			m[bounded[i]] = g[bounded[i]];
	}
}

/* All dwords at once: ones, and random. */
TEST_F_TIMEOUT(mqd, all_dwords_forged, 300)
{
	const struct field *f;
	unsigned int i, n;
	int ret, queue, seed;

	REQUIRE_OURS();
	for (seed = 0; seed <= RANDOM_IMAGES; seed++) {
		ATTEMPT(ret, forge_all(&bad, &self->s, seed));
		EXPECT_EQ(0, ret) TH_LOG("image %d", seed);
		for (queue = 0; queue < NUM_QUEUES; queue++) {
			n = fields_of(queue, &f);
			for (i = 0; i < n; i++)
				EXPECT_FALSE(bits_differ(&self->base, self->out, queue, &f[i]))
					TH_LOG("image %d, queue %d: %s: %#x", seed, queue,
					       f[i].name,
					       self->out->mqd[queue][f[i].dword]);
		}
	}
}

/* Positions that cannot be: refused as a whole. */
TEST_F_TIMEOUT(mqd, positions_out_of_range, 200)
{
	static const struct {
		int queue;
		uint32_t dword, value;
	} bad_values[] = {
		{ PM4, 0, 0 },
		{ PM4, 148, 0xfffff },		/* IB: behind its end */
		{ PM4, 168, 0x1fff },		/* EOP: behind the buffer's end */
		{ PM4, 169, 0x1fff },
		{ PM4, 169, 0x1fff0000 },
		{ PM4, 174, 0xfffffffc },	/* control stack */
		{ PM4, 174, 2 },
		{ PM4, 176, 0 },		/* save area */
		{ PM4, 176, 0xfffffffc },
		{ AQL, 0, 0xffffffff },
		{ AQL, 148, 1 },
		{ AQL, 174, 0x80000000 },
		{ SDMA, 11, 0xffffffff },	/* IB: behind its end */
		{ SDMA, 12, 0x00100000 },
	};
	unsigned int i;
	int ret;

	REQUIRE_OURS();
	for (i = 0; i < COUNT(bad_values); i++) {
		ATTEMPT(ret, mqd_of(&bad, bad_values[i].queue)[bad_values[i].dword] =
			     bad_values[i].value);
		EXPECT_ERR(EINVAL, ret) TH_LOG("case %u", i);
	}
}

/* Ring pointers are brought into the ring. */
TEST_F_TIMEOUT(mqd, ring_pointers, 100)
{
	uint64_t rptr, wptr, ring;
	uint32_t *m;
	int ret;

	REQUIRE_OURS();
	ring = kfd_image_queue(&self->s, KFD_IOC_QUEUE_TYPE_SDMA)->ring_size;
	ATTEMPT(ret,
		mqd_of(&bad, PM4)[138] = 0xffffffff;
		mqd_of(&bad, AQL)[138] = 0xffffffff;
		mqd_of(&bad, AQL)[182] = 0xffffffff;
		memset(&mqd_of(&bad, SDMA)[3], 0xff, 16);
		mqd_of(&bad, SDMA)[4] = 0);
	ASSERT_OK(ret);
	EXPECT_EQ(ring / 4 - 1, self->out->mqd[PM4][138]);
	EXPECT_EQ(ring / 4 - 16, self->out->mqd[AQL][138]);
	EXPECT_EQ(0xfffffff0, self->out->mqd[AQL][182]);
	m = self->out->mqd[SDMA];
	rptr = (uint64_t)m[4] << 32 | m[3];
	wptr = (uint64_t)m[6] << 32 | m[5];
	EXPECT_EQ(0xfffffffc, rptr);
	EXPECT_EQ(0, wptr % 4);
	EXPECT_LT(wptr - rptr, ring);
}

/* Put @n dwords at the bottom of both control stacks, @above elsewhere. */
static void forge_stack(struct kfd_snapshot *s, const uint32_t *words, unsigned int n,
			uint8_t above)
{
	int queue;

	for (queue = 0; queue < SDMA; queue++) {
		uint32_t size = kfd_image_queue(s, queue_type[queue])->ctl_stack_size;
		uint8_t *stack = (uint8_t *)stack_of(s, queue);

		memset(stack, above, size);
		memcpy(stack + size - n * 4, words, n * 4);
		mqd_of(s, queue)[174] = size - n * 4;
	}
}

/* What is not used of a control stack does not come in; what is used, masked. */
TEST_F_TIMEOUT(mqd, control_stack, 200)
{
	static const uint32_t words[] = { STACK_LEADER(5), 0x222, ~0u, 0xbfffffff, 0x3fffffff };
	static const uint32_t want[] = { 0, 0, 0, STACK_LEADER(5), 0x222, 0x43ffffff,
					 0x8003ffff, 0x00030000 };
	static const uint32_t none[8];
	static const uint32_t old[] = { 0x4350444d, 0, 0x12340, 0 };
	static const uint32_t from_old[] = { 0, 0, 0, 0, 0, STACK_LEADER(3), 0x222, 0x40012340 };
	int ret, queue;

	REQUIRE_OURS();
	ATTEMPT(ret, forge_stack(&bad, words, 0, 0xff));
	ASSERT_OK(ret);
	for (queue = 0; queue < SDMA; queue++) {
		EXPECT_EQ(0, memcmp(none, self->out->stack[queue], sizeof(none)));
		EXPECT_EQ(0, self->out->stack_dirt[queue]);
	}
	ATTEMPT(ret, forge_stack(&bad, words, 5, 0xff));
	ASSERT_OK(ret);
	for (queue = 0; queue < SDMA; queue++) {
		EXPECT_EQ(0, memcmp(want, self->out->stack[queue], sizeof(want)));
		EXPECT_EQ(0, self->out->stack_dirt[queue]);
	}
	/* The form of earlier images. */
	ATTEMPT(ret, forge_stack(&bad, old, 4, 0));
	ASSERT_OK(ret);
	for (queue = 0; queue < SDMA; queue++)
		EXPECT_EQ(0, memcmp(from_old, self->out->stack[queue], sizeof(from_old)));
}

/* Packets that would set other registers, and what is no packet. */
TEST_F_TIMEOUT(mqd, control_stack_refused, 200)
{
	static const uint32_t bad_stacks[][4] = {
		{ STACK_LEADER(4), 0x214, 1, 1 },		/* COMPUTE_VMID */
		{ STACK_LEADER(4), 0x212, 0x00100000, 0 },	/* RSRC1: PRIV */
		{ STACK_LEADER(3), 0x222, 0, 0xffff1000 },	/* a packet behind it */
		{ STACK_LEADER(5), 0x222, 0, 0 },
		{ 3u << 30 | 2 << 16 | PM4_WRITE_DATA << 8, 0x222, 0, 0 },
		{ STACK_LEADER(4), 0x10000222, 0, 0 },
		{ 0, 0, 0, 0 },
		{ ~0u, ~0u, ~0u, ~0u },
		{ 0x4350444d, 0, 0, 1 },
		{ 0x4350444d, 0, 0x04000000, 0 },
	};
	unsigned int i;
	int ret;

	REQUIRE_OURS();
	for (i = 0; i < COUNT(bad_stacks); i++) {
		ATTEMPT(ret, forge_stack(&bad, bad_stacks[i], 4, 0));
		EXPECT_ERR(EINVAL, ret) TH_LOG("stack %u", i);
	}
	/* Half a leader. */
	ATTEMPT(ret, forge_stack(&bad, bad_stacks[0], 1, 0));
	EXPECT_ERR(EINVAL, ret);
}

/* A queue's own packets set no privileged bit either. */
TEST_F_TIMEOUT(mqd, registers_set_by_packets, 60)
{
	uint32_t values[2] = { ~0u, ~0u }, vmid = ~0u, p[8];
	struct kfd_snapshot s;
	struct kfd_queue q;
	struct kfd k;

	REQUIRE_OURS();
	ASSERT_OK(kfd_start(&k));
	ASSERT_OK(kfd_queue_create(&k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, 4096, &q));
	ASSERT_OK(kfd_queue_emit(&q, p, pm4_set_sh_reg(p, 0x2e12, values, 2)));
	ASSERT_OK(kfd_queue_run(&q, p, pm4_set_sh_reg(p, 0x2e14, &vmid, 1)));
	ASSERT_OK(kfd_snapshot_checkpoint(k.fd, &s));
	EXPECT_EQ(0x04aff3ff, mqd_of(&s, PM4)[19]);
	EXPECT_EQ(0x7fff9fbf, mqd_of(&s, PM4)[20]);
	EXPECT_EQ(0, mqd_of(&s, PM4)[21]);
	kfd_snapshot_close_fds(&s);
	kfd_snapshot_free(&s);
	EXPECT_OK(kfd_criu_unpause(k.fd));
	EXPECT_OK(kfd_queue_destroy(&k, &q));
	kfd_stop(&k);
}

KFD_TEST_MAIN
