// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: the gfx9 MQD (queue/mqd_gfx9.c): what a new queue's looks like, which
 * dword is of which class, and what of a forged image comes through.
 *
 * The queues are made up: properties and memory, no process and no GPU. The
 * MQD code looks at nothing else. No locks.
 */
#include <linux/random.h>

#include <kunit/test.h>

#include <hw/gfx9_mqd.h>
#include <hw/pm4_gfx9.h>

#include "../queue/queue.h"
#include "tests.h"

#define RING_BYTES	65536u
#define CTL_BYTES	4096u
#define CWSR_BYTES	65536u
#define EOP_BYTES	4096u
#define RANDOM_ROUNDS	200

static const u32 queue_types[] = {
	KFD_IOC_QUEUE_TYPE_COMPUTE, KFD_IOC_QUEUE_TYPE_SDMA,
	KFD_IOC_QUEUE_TYPE_COMPUTE_AQL,
};

static const struct kfd_mqd_ops *const ops = &kfd_mqd_gfx9_ops;

static void *zeroed(struct kunit *test, size_t size)
{
	void *p = kunit_kzalloc(test, size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	return p;
}

/* A queue as kfd_queue_create() has it before it calls the MQD code. */
static struct kfd_queue *mqd_queue(struct kunit *test, u32 type)
{
	struct kfd_queue *q = zeroed(test, sizeof(*q));
	bool sdma = kfd_queue_is_sdma(type);

	q->pdd = zeroed(test, sizeof(*q->pdd));
	q->pdd->dev = zeroed(test, sizeof(*q->pdd->dev));
	q->pdd->dev->info.array_count = 4;
	q->pdd->dev->info.arrays_per_engine = 1;
	q->pdd->dev->info.cu_count = 64;
	q->props = (struct kfd_queue_properties) {
		.type = type,
		.priority = 7,
		.percentage = 100,
		.ring_base = 0x123456789a00,
		.ring_size = RING_BYTES,
		.read_ptr = 0x200000000080,
		.write_ptr = 0x200000000038,
		.eop_addr = sdma ? 0 : 0x300000001000,
		.eop_size = sdma ? 0 : EOP_BYTES,
		.cwsr_addr = sdma ? 0 : 0x400000002000,
		.cwsr_size = sdma ? 0 : CWSR_BYTES,
		.ctl_stack_size = sdma ? 0 : CTL_BYTES,
	};
	q->doorbell_offset = 0x48;
	q->mqd_ops = ops;
	q->mqd = zeroed(test, ops->size(type));
	q->ctl_stack = sdma ? NULL : zeroed(test, CTL_BYTES);
	ops->init(q);
	return q;
}

static void expect_dword(struct kunit *test, const struct kfd_queue *q, u32 n,
			 u32 value)
{
	KUNIT_EXPECT_EQ_MSG(test, value, q->mqd[n], "type %u, dword %u",
			    q->props.type, n);
}

static void mqd_new_compute(struct kunit *test)
{
	struct kfd_queue *q = mqd_queue(test, KFD_IOC_QUEUE_TYPE_COMPUTE);

	KUNIT_EXPECT_EQ(test, 2048u, ops->size(q->props.type));
	expect_dword(test, q, 0, 0xc0310800);
	expect_dword(test, q, 20, 0);			/* no trap handler */
	expect_dword(test, q, 21, 0);			/* VMID: the CP's */
	expect_dword(test, q, 23, ~0u);			/* all CUs */
	expect_dword(test, q, 131, 0);
	expect_dword(test, q, 132, 0x40005301);
	expect_dword(test, q, 133, 1);			/* priority 7 */
	expect_dword(test, q, 134, 7);
	expect_dword(test, q, 135, 0x111);
	expect_dword(test, q, 136, 0x3456789a);		/* ring >> 8 */
	expect_dword(test, q, 137, 0x12);
	expect_dword(test, q, 139, 0x80);
	expect_dword(test, q, 140, 0x2000);
	expect_dword(test, q, 141, 0x38);
	expect_dword(test, q, 142, 0x2000);
	expect_dword(test, q, 143, 0x40000048);		/* doorbell */
	expect_dword(test, q, 145, 0x50d);		/* 2^14 dwords */
	expect_dword(test, q, 149, 0x00b00000);
	expect_dword(test, q, 162, 0x100);
	expect_dword(test, q, 165, 0x10);
	expect_dword(test, q, 166, 0x30);
	expect_dword(test, q, 167, 9);
	expect_dword(test, q, 171, 0x2000);
	expect_dword(test, q, 172, 0x4000);
	expect_dword(test, q, 174, CTL_BYTES);
	expect_dword(test, q, 175, CTL_BYTES);
	expect_dword(test, q, 176, CTL_BYTES);
	expect_dword(test, q, 177, CWSR_BYTES);
	expect_dword(test, q, 181, 0);

	q->pdd->tba = 0x1000;
	ops->init(q);
	expect_dword(test, q, 20, MQD9_PGM_RSRC2_TRAP_PRESENT);
}

static void mqd_new_aql(struct kunit *test)
{
	struct kfd_queue *q = mqd_queue(test, KFD_IOC_QUEUE_TYPE_COMPUTE_AQL);

	expect_dword(test, q, 143, 0x4000004a);
	expect_dword(test, q, 145, 0x0c01450d);
	expect_dword(test, q, 181, 1);
	KUNIT_EXPECT_EQ(test, 0u, q->mqd[MQD9_CP_HQD_PQ_CONTROL] &
				  (MQD9_PQ_PRIV_STATE | MQD9_PQ_KMD_QUEUE));
}

static void mqd_new_sdma(struct kunit *test)
{
	struct kfd_queue *q = mqd_queue(test, KFD_IOC_QUEUE_TYPE_SDMA);

	KUNIT_EXPECT_EQ(test, 512u, ops->size(q->props.type));
	expect_dword(test, q, 0, 0x0006101c);
	expect_dword(test, q, 1, 0x3456789a);
	expect_dword(test, q, 2, 0x12);
	expect_dword(test, q, 8, 0x2000);
	expect_dword(test, q, 9, 0x80);
	expect_dword(test, q, 18, 0x10000000);
	expect_dword(test, q, 22, 0x48);
	expect_dword(test, q, 23, 0);
	expect_dword(test, q, 24, 0);
	expect_dword(test, q, 28, 0x2000);
	expect_dword(test, q, 29, 0x38);
}

/* Changed properties come in, where the queue is stays. */
static void mqd_update(struct kunit *test)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(queue_types); i++) {
		struct kfd_queue *q = mqd_queue(test, queue_types[i]);
		bool sdma = kfd_queue_is_sdma(q->props.type);
		u32 rptr = sdma ? SDMA_MQD9_RB_RPTR : MQD9_CP_HQD_PQ_RPTR;

		q->mqd[rptr] = 0x40;
		q->props.ring_base = 0x600000000000;
		q->props.ring_size = 4096;
		q->props.priority = 15;
		q->cu_mask.bits = 32;
		q->cu_mask.words[0] = 0x00000011;
		ops->update(q);
		expect_dword(test, q, rptr, 0x40);
		expect_dword(test, q, sdma ? 2 : 137, 0x60);
		if (sdma) {
			expect_dword(test, q, 0, 0x00061014);
			continue;
		}
		expect_dword(test, q, 133, 2);
		expect_dword(test, q, 134, 15);
		KUNIT_EXPECT_EQ(test, 9u, q->mqd[145] & MQD9_PQ_QUEUE_SIZE_MASK);
		/* Bits 0 and 4: CUs 0 and 1 of the first of four engines. */
		expect_dword(test, q, 23, 3);
		expect_dword(test, q, 24, 0);
		expect_dword(test, q, 26, 0);
	}
}

/* Every dword has a class, and one only. */
static void mqd_every_dword_is_classified(struct kunit *test)
{
	u32 t, i, count;

	for (t = 0; t < ARRAY_SIZE(queue_types); t++) {
		const struct kfd_mqd_field *f;
		u32 next = 0;

		f = ops->fields(queue_types[t], &count);
		for (i = 0; i < count; i++) {
			KUNIT_EXPECT_EQ_MSG(test, next, (u32)f[i].first,
					    "type %u, entry %u",
					    queue_types[t], i);
			KUNIT_EXPECT_LE(test, (u32)f[i].first, (u32)f[i].last);
			next = f[i].last + 1;
			KUNIT_EXPECT_EQ_MSG(test,
					    f[i].class == KFD_MQD_REBUILT,
					    f[i].mask == 0, "dword %u",
					    f[i].first);
			if (f[i].class == KFD_MQD_TAKEN)
				KUNIT_EXPECT_EQ(test, ~0u, f[i].mask);
		}
		KUNIT_EXPECT_EQ(test, ops->size(queue_types[t]) / 4, next);
	}
}

/* What must never come from an image, written down apart from the tables. */
static const struct {
	bool sdma;
	u32 dword;
	u32 mask;
} privileged[] = {
	{ false, 1, 0x00004000 },	/* DISPATCH_INITIATOR.RESTORE */
	{ false, 15, ~0u }, { false, 16, ~0u },			/* tba */
	{ false, 17, ~0u }, { false, 18, ~0u },			/* tma */
	{ false, 19, 0x03500c00 },	/* RSRC1 CDBG_USER .. PRIORITY */
	{ false, 20, 0x00006040 },	/* RSRC2 EXCP_EN_MSB, TRAP_PRESENT */
	{ false, 21, ~0u },		/* COMPUTE_VMID */
	{ false, 23, ~0u }, { false, 24, ~0u }, { false, 26, ~0u },
	{ false, 27, ~0u }, { false, 39, ~0u }, { false, 42, ~0u },
	{ false, 31, ~0u },		/* thread trace */
	{ false, 35, ~0u },		/* relaunch */
	{ false, 36, ~0u }, { false, 37, ~0u }, { false, 38, ~0u },
	{ false, 106, ~0u },		/* disable_queue */
	{ false, 120, ~0u }, { false, 121, ~0u },		/* GDS save */
	{ false, 124, ~0u }, { false, 125, ~0u },		/* context save */
	{ false, 126, ~0u }, { false, 127, ~0u },		/* CU mask's */
	{ false, 128, ~0u }, { false, 129, ~0u },		/* MQD's */
	{ false, 130, ~0u }, { false, 131, ~0u },		/* active, VMID */
	{ false, 132, ~0u },		/* PERSISTENT_STATE */
	{ false, 133, ~0u }, { false, 134, ~0u }, { false, 135, ~0u },
	{ false, 136, ~0u }, { false, 137, ~0u },		/* ring */
	{ false, 139, ~0u }, { false, 140, ~0u },
	{ false, 141, ~0u }, { false, 142, ~0u },
	{ false, 143, ~0u },		/* doorbell */
	{ false, 145, ~0u },		/* PQ_CONTROL: PRIV_STATE, KMD_QUEUE */
	{ false, 149, 0x7ff00000 },	/* IB_CONTROL */
	{ false, 150, ~0u }, { false, 152, ~0u }, { false, 153, ~0u },
	{ false, 162, ~0u },		/* MQD_CONTROL */
	{ false, 165, ~0u }, { false, 166, ~0u }, { false, 167, ~0u },
	{ false, 171, ~0u }, { false, 172, ~0u }, { false, 173, ~0u },
	{ false, 175, ~0u }, { false, 177, ~0u },
	{ false, 178, ~0u },		/* GDS resources */
	{ false, 181, ~0u },		/* AQL_CONTROL */
	{ false, 192, ~0u }, { false, 193, ~0u },	/* IQ timer packet */
	{ false, 228, ~0u }, { false, 235, ~0u },	/* SET_RESOURCES */
	{ false, 240, ~0u }, { false, 255, ~0u },	/* doorbell ids */
	{ false, 511, ~0u },
	{ true, 0, ~0u },		/* RB_CNTL: PRIV, VMID */
	{ true, 1, ~0u }, { true, 2, ~0u },
	{ true, 7, ~0u }, { true, 8, ~0u }, { true, 9, ~0u },
	{ true, 10, ~0u },		/* IB_CNTL */
	{ true, 16, ~0u }, { true, 17, ~0u }, { true, 18, ~0u },
	{ true, 20, ~0u }, { true, 21, ~0u }, { true, 22, ~0u },
	{ true, 23, ~0u }, { true, 24, ~0u },	/* CSA */
	{ true, 26, ~0u }, { true, 27, ~0u }, { true, 28, ~0u },
	{ true, 29, ~0u }, { true, 30, ~0u }, { true, 31, ~0u },
	{ true, 42, ~0u }, { true, 126, ~0u }, { true, 127, ~0u },
};

static void expect_same_bits(struct kunit *test, const struct kfd_queue *fresh,
			     const struct kfd_queue *q, u32 n, u32 mask)
{
	KUNIT_EXPECT_EQ_MSG(test, fresh->mqd[n] & mask, q->mqd[n] & mask,
			    "type %u, dword %u", q->props.type, n);
}

static void expect_nothing_privileged(struct kunit *test,
				      const struct kfd_queue *fresh,
				      const struct kfd_queue *q)
{
	bool sdma = kfd_queue_is_sdma(q->props.type);
	u32 i;

	for (i = 0; i < ARRAY_SIZE(privileged); i++)
		if (privileged[i].sdma == sdma)
			expect_same_bits(test, fresh, q, privileged[i].dword,
					 privileged[i].mask);
}

/* One dword of ones after the other in an image that is good otherwise. */
static void mqd_forged_one_by_one(struct kunit *test)
{
	u32 t, i;

	for (t = 0; t < ARRAY_SIZE(queue_types); t++) {
		struct kfd_queue *fresh = mqd_queue(test, queue_types[t]);
		struct kfd_queue *q = mqd_queue(test, queue_types[t]);
		u32 dwords = ops->size(queue_types[t]) / 4;
		u32 *image = zeroed(test, dwords * 4);

		for (i = 0; i < dwords; i++) {
			int ret;

			memcpy(image, fresh->mqd, dwords * 4);
			image[i] = ~fresh->mqd[i];
			ops->init(q);
			ret = ops->restore(q, image);
			KUNIT_EXPECT_TRUE_MSG(test, !ret || ret == -EINVAL,
					      "dword %u: %d", i, ret);
			if (!ret)
				expect_nothing_privileged(test, fresh, q);
		}
	}
}

/* Whatever is accepted is in range. */
static void expect_in_range(struct kunit *test, const struct kfd_queue *q)
{
	const u32 *m = q->mqd;

	if (kfd_queue_is_sdma(q->props.type)) {
		u64 rptr = (u64)m[4] << 32 | m[3], wptr = (u64)m[6] << 32 | m[5];

		KUNIT_EXPECT_LT(test, wptr - rptr, (u64)RING_BYTES);
		KUNIT_EXPECT_EQ(test, 0u, m[3] % 4);
		KUNIT_EXPECT_EQ(test, 0u, m[5] % 4);
		KUNIT_EXPECT_LE(test, m[SDMA_MQD9_IB_RPTR],
				m[SDMA_MQD9_IB_SIZE] * 4);
		return;
	}
	KUNIT_EXPECT_LT(test, m[MQD9_CP_HQD_PQ_RPTR], RING_BYTES / 4);
	if (q->props.type == KFD_IOC_QUEUE_TYPE_COMPUTE_AQL) {
		KUNIT_EXPECT_EQ(test, 0u, m[MQD9_CP_HQD_PQ_RPTR] % 16);
		KUNIT_EXPECT_EQ(test, 0u, m[MQD9_CP_HQD_PQ_WPTR_LO] % 16);
	}
	KUNIT_EXPECT_LE(test, m[MQD9_CP_HQD_IB_RPTR],
			m[MQD9_CP_HQD_IB_CONTROL] & MQD9_IB_SIZE_MASK);
	KUNIT_EXPECT_LT(test, m[MQD9_CP_HQD_EOP_RPTR], EOP_BYTES / 4);
	KUNIT_EXPECT_LT(test, m[MQD9_CP_HQD_EOP_WPTR] & MQD9_EOP_WPTR_MASK,
			EOP_BYTES / 4);
	KUNIT_EXPECT_LE(test, m[MQD9_CP_HQD_CNTL_STACK_OFFSET], CTL_BYTES);
	KUNIT_EXPECT_GE(test, m[MQD9_CP_HQD_WG_STATE_OFFSET], CTL_BYTES);
	KUNIT_EXPECT_LE(test, m[MQD9_CP_HQD_WG_STATE_OFFSET], CWSR_BYTES);
}

/* Wholly random images; what has bounds is brought near them half the time. */
static void mqd_forged_at_random(struct kunit *test)
{
	u32 t, n, accepted = 0;

	for (t = 0; t < ARRAY_SIZE(queue_types); t++) {
		struct kfd_queue *fresh = mqd_queue(test, queue_types[t]);
		struct kfd_queue *q = mqd_queue(test, queue_types[t]);
		u32 size = ops->size(queue_types[t]);
		u32 *image = zeroed(test, size);

		for (n = 0; n < RANDOM_ROUNDS; n++) {
			get_random_bytes(image, size);
			if (!kfd_queue_is_sdma(queue_types[t])) {
				image[MQD9_HEADER] = MQD9_HEADER_VALUE;
				image[MQD9_CP_HQD_IB_RPTR] = 0;
				image[MQD9_CP_HQD_EOP_RPTR] &= ~0x1c00;
				image[MQD9_CP_HQD_EOP_WPTR] &= ~0x1fff1c00;
				image[MQD9_CP_HQD_CNTL_STACK_OFFSET] %=
					CTL_BYTES + 64;
				image[MQD9_CP_HQD_CNTL_STACK_OFFSET] &= ~3;
				image[MQD9_CP_HQD_WG_STATE_OFFSET] %= CWSR_BYTES;
			} else if (n % 2) {
				image[SDMA_MQD9_IB_RPTR] = 0;
				image[SDMA_MQD9_IB_OFFSET] = 0;
			}
			ops->init(q);
			if (ops->restore(q, image))
				continue;
			accepted++;
			expect_nothing_privileged(test, fresh, q);
			expect_in_range(test, q);
		}
	}
	/* Else this would have tested nothing. */
	KUNIT_EXPECT_GT(test, accepted, (u32)RANDOM_ROUNDS);
}

static void mqd_out_of_range(struct kunit *test)
{
	static const struct {
		u32 type, dword, value;
		int ret;
	} cases[] = {
		{ KFD_IOC_QUEUE_TYPE_COMPUTE, 0, 0xc0310801, -EINVAL },
		{ KFD_IOC_QUEUE_TYPE_COMPUTE, 148, 1, -EINVAL },
		{ KFD_IOC_QUEUE_TYPE_COMPUTE, 168, EOP_BYTES / 4, -EINVAL },
		{ KFD_IOC_QUEUE_TYPE_COMPUTE, 168, EOP_BYTES / 4 - 1, 0 },
		{ KFD_IOC_QUEUE_TYPE_COMPUTE, 169, EOP_BYTES / 4, -EINVAL },
		{ KFD_IOC_QUEUE_TYPE_COMPUTE, 169, 0x04010000, -EINVAL },
		{ KFD_IOC_QUEUE_TYPE_COMPUTE, 169, 0x04000000, 0 },
		{ KFD_IOC_QUEUE_TYPE_COMPUTE, 174, CTL_BYTES + 4, -EINVAL },
		{ KFD_IOC_QUEUE_TYPE_COMPUTE, 174, CTL_BYTES - 2, -EINVAL },
		{ KFD_IOC_QUEUE_TYPE_COMPUTE, 174, 0, 0 },
		{ KFD_IOC_QUEUE_TYPE_COMPUTE, 176, CTL_BYTES - 4, -EINVAL },
		{ KFD_IOC_QUEUE_TYPE_COMPUTE, 176, CWSR_BYTES + 4, -EINVAL },
		{ KFD_IOC_QUEUE_TYPE_COMPUTE, 176, CWSR_BYTES, 0 },
		{ KFD_IOC_QUEUE_TYPE_COMPUTE_AQL, 0, 0, -EINVAL },
		{ KFD_IOC_QUEUE_TYPE_SDMA, 11, 4, -EINVAL },
		{ KFD_IOC_QUEUE_TYPE_SDMA, 12, 4, -EINVAL },
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct kfd_queue *q = mqd_queue(test, cases[i].type);
		u32 *image = zeroed(test, ops->size(cases[i].type));

		memcpy(image, q->mqd, ops->size(cases[i].type));
		image[cases[i].dword] = cases[i].value;
		KUNIT_EXPECT_EQ_MSG(test, cases[i].ret, ops->restore(q, image),
				    "dword %u", cases[i].dword);
	}
}

/* A restored queue's state is what was saved. */
static void mqd_round_trip(struct kunit *test)
{
	u32 t, i;

	for (t = 0; t < ARRAY_SIZE(queue_types); t++) {
		struct kfd_queue *from = mqd_queue(test, queue_types[t]);
		struct kfd_queue *to = mqd_queue(test, queue_types[t]);

		if (kfd_queue_is_sdma(queue_types[t])) {
			from->mqd[SDMA_MQD9_RB_RPTR] = 0xfffffff0;
			from->mqd[SDMA_MQD9_RB_WPTR] = 0x00000010;
			from->mqd[SDMA_MQD9_RB_WPTR_HI] = 1;
			from->mqd[SDMA_MQD9_IB_SIZE] = 0x100;
			from->mqd[SDMA_MQD9_IB_RPTR] = 0x400;
			from->mqd[SDMA_MQD9_MIDCMD_DATA0] = 0x12345;
			from->mqd[SDMA_MQD9_MIDCMD_CNTL] = 1;
		} else {
			for (i = 0; i < 16; i++)
				from->mqd[MQD9_COMPUTE_USER_DATA_0 + i] = ~i;
			from->mqd[MQD9_COMPUTE_PGM_RSRC1] = 0x00af00c1;
			from->mqd[MQD9_CP_HQD_PQ_RPTR] = 0x3ff0;
			from->mqd[MQD9_CP_HQD_PQ_WPTR_LO] = 0x4010;
			from->mqd[MQD9_CP_HQD_IB_CONTROL] |=
				MQD9_IB_PROCESSING | 64;
			from->mqd[MQD9_CP_HQD_IB_RPTR] = 12;
			from->mqd[MQD9_CP_HQD_EOP_RPTR] = 8;
			from->mqd[MQD9_CP_HQD_ERROR] = 0x20;
		}
		KUNIT_ASSERT_EQ(test, 0, ops->restore(to, from->mqd));
		KUNIT_EXPECT_EQ(test, 0, memcmp(from->mqd, to->mqd,
						ops->size(queue_types[t])));
	}
}

/* Restore @n dwords at the bottom of a control stack; the result or NULL. */
static const u32 *stack_restore(struct kunit *test, const u32 *words, u32 n,
				u8 above, int expected)
{
	struct kfd_queue *q = mqd_queue(test, KFD_IOC_QUEUE_TYPE_COMPUTE);
	u8 *image = zeroed(test, CTL_BYTES);
	u32 *mqd = zeroed(test, ops->size(q->props.type));
	u32 used = n * 4, i;
	int ret;

	memset(image, above, CTL_BYTES - used);
	memcpy(image + CTL_BYTES - used, words, used);
	memcpy(mqd, q->mqd, ops->size(q->props.type));
	mqd[MQD9_CP_HQD_CNTL_STACK_OFFSET] = CTL_BYTES - used;
	KUNIT_ASSERT_EQ(test, 0, ops->restore(q, mqd));
	ret = ops->restore_stack(q, image);
	KUNIT_EXPECT_EQ(test, expected, ret);
	/* What is not used stays zero, whatever the image has there. */
	for (i = 0; i < CTL_BYTES - used; i++)
		KUNIT_EXPECT_EQ(test, 0, (int)((u8 *)q->ctl_stack)[i]);
	return ret ? NULL : q->ctl_stack + q->mqd[MQD9_CP_HQD_CNTL_STACK_OFFSET];
}

static void mqd_control_stack(struct kunit *test)
{
	static const u32 good[] = {
		PM4_HEADER(PM4_OP_SET_SH_REG, 5), MQD9_STACK_REGISTER,
		~0u, 0xbfffffff, 0x3fffffff,
	};
	static const u32 vmid[] = {
		PM4_HEADER(PM4_OP_SET_SH_REG, 3), PM4_SH_COMPUTE_VMID, 1,
	};
	static const u32 other[] = {
		PM4_HEADER(PM4_OP_WRITE_DATA, 3), MQD9_STACK_REGISTER, 1,
	};
	static const u32 shorter[] = {
		PM4_HEADER(PM4_OP_SET_SH_REG, 3), MQD9_STACK_REGISTER, 1,
		PM4_HEADER(PM4_OP_SET_SH_REG, 3), PM4_SH_COMPUTE_VMID, 1,
	};
	static const u32 longer[] = {
		PM4_HEADER(PM4_OP_SET_SH_REG, 4), MQD9_STACK_REGISTER, 1,
	};
	static const u32 indexed[] = {
		PM4_HEADER(PM4_OP_SET_SH_REG, 3), MQD9_STACK_REGISTER | 1 << 28,
		1,
	};
	static const u32 old[] = { 0x4350444d, 0, 0x2345, 0 };
	const u32 *out;

	stack_restore(test, good, 0, 0xff, 0);
	out = stack_restore(test, good, 5, 0xff, 0);
	KUNIT_ASSERT_NOT_NULL(test, out);
	KUNIT_EXPECT_EQ(test, good[0], out[0]);
	KUNIT_EXPECT_EQ(test, good[1], out[1]);
	KUNIT_EXPECT_EQ(test, 0x43ffffffu, out[2]);	/* event */
	KUNIT_EXPECT_EQ(test, 0x8003ffffu, out[3]);	/* state */
	KUNIT_EXPECT_EQ(test, 0x00030000u, out[4]);	/* wave */

	stack_restore(test, good, 2, 0, -EINVAL);
	stack_restore(test, good, 1, 0, -EINVAL);
	stack_restore(test, good, 4, 0, -EINVAL);
	stack_restore(test, vmid, 3, 0, -EINVAL);
	stack_restore(test, other, 3, 0, -EINVAL);
	stack_restore(test, shorter, 6, 0, -EINVAL);
	stack_restore(test, longer, 3, 0, -EINVAL);
	stack_restore(test, indexed, 3, 0, -EINVAL);

	/* The form of earlier images becomes an event of today's. */
	out = stack_restore(test, old, 4, 0xff, 0);
	KUNIT_ASSERT_NOT_NULL(test, out);
	KUNIT_EXPECT_EQ(test, (u32)PM4_HEADER(PM4_OP_SET_SH_REG, 3), out[0]);
	KUNIT_EXPECT_EQ(test, MQD9_STACK_REGISTER, out[1]);
	KUNIT_EXPECT_EQ(test, 0x40002345u, out[2]);
}

static struct kunit_case mqd_cases[] = {
	KUNIT_CASE(mqd_new_compute),
	KUNIT_CASE(mqd_new_aql),
	KUNIT_CASE(mqd_new_sdma),
	KUNIT_CASE(mqd_update),
	KUNIT_CASE(mqd_every_dword_is_classified),
	KUNIT_CASE(mqd_forged_one_by_one),
	KUNIT_CASE(mqd_forged_at_random),
	KUNIT_CASE(mqd_out_of_range),
	KUNIT_CASE(mqd_round_trip),
	KUNIT_CASE(mqd_control_stack),
	{}
};

struct kunit_suite kfd_mqd_suite = {
	.name = "kfd_mqd",
	.test_cases = mqd_cases,
};
