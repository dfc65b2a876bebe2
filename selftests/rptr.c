// SPDX-License-Identifier: GPL-2.0-only
/*
 * The read pointer in memory: how fresh it is. Programs compute from it how
 * much room a ring has, so it may not be later than what tells them that a
 * packet is done, nor many packets late.
 */
#include "lib/kfd_test.h"

#define MIB		(1ULL << 20)
#define SMALL_RING	1024
#define LARGE_RING	65536
#define SIGNALS		40u
#define AT_MOST_LATE	8u	/* packets */
#define IB_BYTES	1024u

/**
 * enum signal - how a packet tells that it is done
 * @FENCE: PM4 RELEASE_MEM, SDMA FENCE
 * @ATOMIC: an atomic addition
 * @LAST_OF_IB: a fence, the last packet of an indirect buffer
 * @COMPLETION: of an AQL barrier
 * @VENDOR: of an AQL packet with an indirect buffer
 */
enum signal { FENCE, ATOMIC, LAST_OF_IB, COMPLETION, VENDOR };

FIXTURE(rptr)
{
	struct kfd k;
	struct kfd_queue q;
	struct kfd_bo out, ib, big;
};

FIXTURE_SETUP(rptr)
{
	ASSERT_OK(kfd_start(&self->k));
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, KFD_PAGE, &self->out));
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, SIGNALS * IB_BYTES, &self->ib));
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, 2 * MIB, &self->big));
}

FIXTURE_TEARDOWN(rptr)
{
	if (self->q.doorbell)
		kfd_queue_destroy(&self->k, &self->q);
	kfd_stop(&self->k);
}

static bool is_sdma(const struct kfd_queue *q)
{
	return q->type == KFD_IOC_QUEUE_TYPE_SDMA;
}

/* The read pointer as a number that only grows, like q->wptr. */
static uint64_t read_pointer(const struct kfd_queue *q)
{
	uint64_t rptr = kfd_queue_rptr(q);

	if (q->type != KFD_IOC_QUEUE_TYPE_COMPUTE)
		return rptr;
	return q->wptr - ((q->wptr - rptr) & (q->args.ring_size / 4 - 1));
}

static volatile uint64_t *word(const struct kfd_bo *bo)
{
	return bo->cpu;
}

/* Packet number @i of a row in which each says, as @how, that it is done. */
static int emit_signal(struct kfd_queue *q, enum signal how, const struct kfd_bo *out,
		       const struct kfd_bo *ib, unsigned int i)
{
	uint64_t ib_va = ib->va + i % SIGNALS * IB_BYTES, va = out->va;
	uint32_t *b = (uint32_t *)((char *)ib->cpu + i % SIGNALS * IB_BYTES), p[16];
	unsigned int n = 0;

	switch (how) {
	case FENCE:
		n = is_sdma(q) ? sdma_fence(p, va, i + 1) :
				 pm4_release_mem(p, PM4_DATA_64, va, i + 1, 0);
		break;
	case ATOMIC:
		n = is_sdma(q) ? sdma_atomic_add64(p, va, 1) : pm4_atomic_add64(p, va, 1);
		break;
	case LAST_OF_IB:
		n = is_sdma(q) ? sdma_fence(b, va + 16, i) : pm4_write_data(b, va + 16, i);
		n += is_sdma(q) ? sdma_fence(b + n, va, i + 1) :
				  pm4_release_mem(b + n, PM4_DATA_64, va, i + 1, 0);
		n = is_sdma(q) ? sdma_indirect(p, ib_va, n) : pm4_indirect_buffer(p, ib_va, n);
		break;
	case COMPLETION:
		n = aql_barrier(p, AQL_BARRIER_AND, NULL, 0, va - 8);
		break;
	case VENDOR:
		n = pm4_write_data(b, va + 256, i);
		n = aql_pm4_ib(p, ib_va, n, va - 8);
		break;
	}
	return kfd_queue_emit(q, p, n);
}

static const struct {
	const char *name;
	uint32_t type;
	enum signal how;
} kinds[] = {
	{ "RELEASE_MEM", KFD_IOC_QUEUE_TYPE_COMPUTE, FENCE },
	{ "ATOMIC_MEM", KFD_IOC_QUEUE_TYPE_COMPUTE, ATOMIC },
	{ "RELEASE_MEM in a buffer", KFD_IOC_QUEUE_TYPE_COMPUTE, LAST_OF_IB },
	{ "FENCE", KFD_IOC_QUEUE_TYPE_SDMA, FENCE },
	{ "ATOMIC", KFD_IOC_QUEUE_TYPE_SDMA, ATOMIC },
	{ "FENCE in a buffer", KFD_IOC_QUEUE_TYPE_SDMA, LAST_OF_IB },
	{ "AQL barrier", KFD_IOC_QUEUE_TYPE_COMPUTE_AQL, COMPLETION },
	{ "AQL vendor packet", KFD_IOC_QUEUE_TYPE_COMPUTE_AQL, VENDOR },
};

/*
 * SIGNALS packets in a row, each signalling. Whenever a signal is seen, the
 * read pointer has to be past its packet. Returns how many signals but the
 * last were seen, or -1 when the pointer was late.
 */
static int watch_a_row(struct kfd_queue *q, enum signal how, struct kfd_bo *out,
		       const struct kfd_bo *ib)
{
	bool down = how == COMPLETION || how == VENDOR;
	uint64_t end[SIGNALS + 1], seen = 0, now, at, stop;
	/* An AQL signal lies 8 bytes before its value. */
	struct kfd_bo word_of = *out;
	unsigned int i;
	int between = 0;

	word_of.va += 64;
	word_of.cpu = (char *)word_of.cpu + 64;
	memset(out->cpu, 0, KFD_PAGE);
	*word(&word_of) = down ? SIGNALS : 0;
	end[0] = q->wptr;
	for (i = 0; i < SIGNALS; i++) {
		if (emit_signal(q, how, &word_of, ib, i))
			return -1;
		end[i + 1] = q->wptr;
	}
	kfd_queue_submit(q);
	stop = kfd_now_ms() + PATIENCE;
	while (seen < SIGNALS) {
		now = down ? SIGNALS - *word(&word_of) : *word(&word_of);
		if (now == seen) {
			if (kfd_now_ms() > stop)
				return -1;
			continue;
		}
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		at = read_pointer(q);
		if (at < end[now]) {
			printf("# signal %u: the read pointer is %u behind\n", (unsigned int)now,
			       (unsigned int)(end[now] - at));
			return -1;
		}
		between += now < SIGNALS;
		seen = now;
	}
	return between;
}

TEST_F_TIMEOUT(rptr, covers_each_packet_that_signals, 120)
{
	unsigned int i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		uint64_t stop = kfd_now_ms() + PATIENCE;
		int seen = 0, n = 0;

		ASSERT_OK(kfd_queue_create(&self->k, 0, kinds[i].type, LARGE_RING, &self->q));
		/* Until enough signals were seen while others were still to come. */
		while (n >= 0 && seen < 30 && kfd_now_ms() < stop) {
			n = watch_a_row(&self->q, kinds[i].how, &self->out, &self->ib);
			seen += n;
		}
		EXPECT_GE(n, 0) TH_LOG("%s", kinds[i].name);
		EXPECT_GE(seen, n < 0 ? seen : 30) TH_LOG("%s", kinds[i].name);
		ASSERT_OK(kfd_queue_destroy(&self->k, &self->q));
		memset(&self->q, 0, sizeof(self->q));
	}
}

/*
 * Small packets that say nothing but write their number: the pointer is never
 * further behind than it may be, however the ring wraps, so that a program
 * that takes no more room than it sees goes on for ever.
 */
TEST_F_TIMEOUT(rptr, is_never_many_packets_late, 120)
{
	static const uint32_t types[] = { KFD_IOC_QUEUE_TYPE_COMPUTE, KFD_IOC_QUEUE_TYPE_SDMA };
	uint64_t end[64] = {}, stop, now, seen, at;
	uint32_t p[8], t, i, value;
	struct kfd_queue *q = &self->q;
	unsigned int between;

	for (t = 0; t < 2; t++) {
		ASSERT_OK(kfd_queue_create(&self->k, 0, types[t], SMALL_RING, q));
		*word(&self->out) = 0;
		between = 0;
		stop = kfd_now_ms() + PATIENCE;
		/* Eight times around, and until enough was seen on the way. */
		for (i = 0; i < 400 || between < 100;) {
			for (value = i + 32; i < value; i++) {
				uint32_t data = i + 1;

				EXPECT_OK(kfd_queue_emit(q, p, is_sdma(q) ?
					  sdma_write(p, self->out.va, &data, 1) :
					  pm4_write_data(p, self->out.va, data)));
				end[(i + 1) % 64] = q->wptr;
			}
			kfd_queue_submit(q);
			for (seen = i - 32; seen < i; seen = now) {
				now = *word(&self->out);
				if (now == seen) {
					ASSERT_LT(kfd_now_ms(), stop);
					continue;
				}
				__atomic_thread_fence(__ATOMIC_ACQUIRE);
				at = read_pointer(q);
				between += now < i;
				if (now > AT_MOST_LATE)
					ASSERT_GE(at, end[(now - AT_MOST_LATE) % 64])
						TH_LOG("type %u packet %u", types[t],
						       (unsigned int)now);
			}
			/* What is under way takes no part in the next round. */
			ASSERT_OK(kfd_queue_wait(q, PATIENCE));
		}
		ASSERT_OK(kfd_queue_destroy(&self->k, q));
		memset(q, 0, sizeof(*q));
	}
}

/* An event finds the pointer past the packet that raised it. */
TEST_F_TIMEOUT(rptr, covers_what_raises_an_event, 120)
{
	static const uint32_t types[] = { KFD_IOC_QUEUE_TYPE_COMPUTE, KFD_IOC_QUEUE_TYPE_SDMA };
	struct kfd_ioctl_create_event_args ev = {
		.event_type = KFD_IOC_EVENT_SIGNAL, .auto_reset = 1,
	};
	struct kfd_queue *q = &self->q;
	struct kfd_bo page;
	uint32_t result, t, i;

	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, KFD_EVENT_PAGE_SIZE, &page));
	memset(page.cpu, 0xff, page.size);
	ev.event_page_offset = page.handle;
	ASSERT_OK(kfd_call(self->k.fd, AMDKFD_IOC_CREATE_EVENT, &ev));
	for (t = 0; t < 2; t++) {
		ASSERT_OK(kfd_queue_create(&self->k, 0, types[t], LARGE_RING, q));
		for (i = 0; i < 20; i++) {
			uint64_t slot = page.va + ev.event_slot_index * 8ULL, end;
			uint32_t p[8], n;

			if (is_sdma(q)) {
				ASSERT_OK(kfd_queue_emit(q, p, sdma_fence(p, slot, 1)));
				ASSERT_OK(kfd_queue_emit(q, p, sdma_trap(p, ev.event_id)));
			} else {
				n = pm4_release_mem(p, PM4_DATA_64, slot, 1, ev.event_id);
				ASSERT_OK(kfd_queue_emit(q, p, n));
			}
			end = q->wptr;
			/* The engine stays busy while the event is waited for. */
			for (n = 0; n < 240; n++) {
				unsigned int len = is_sdma(q) ?
					sdma_fill(p, self->big.va, n, 4096) : pm4_nop(p, 2);

				ASSERT_OK(kfd_queue_emit(q, p, len));
			}
			kfd_queue_submit(q);
			ASSERT_OK(kfd_event_wait_one(&self->k, ev.event_id, PATIENCE, &result));
			ASSERT_EQ(KFD_IOC_WAIT_RESULT_COMPLETE, result);
			EXPECT_GE(read_pointer(q), end);
			ASSERT_OK(kfd_queue_wait(q, PATIENCE));
		}
		ASSERT_OK(kfd_queue_destroy(&self->k, q));
		memset(q, 0, sizeof(*q));
	}
}

/* The other way round: what the pointer has passed has been done. */
TEST_F_TIMEOUT(rptr, passes_nothing_that_is_not_done, 120)
{
	static const uint32_t types[] = { KFD_IOC_QUEUE_TYPE_COMPUTE, KFD_IOC_QUEUE_TYPE_SDMA };
	struct kfd_queue *q = &self->q;
	uint64_t end[201], at, stop;
	uint32_t t, i, data, p[8], n;

	for (t = 0; t < 2; t++) {
		ASSERT_OK(kfd_queue_create(&self->k, 0, types[t], LARGE_RING, q));
		stop = kfd_now_ms() + PATIENCE;
		for (n = 0; n < 50;) {
			*word(&self->out) = 0;
			end[0] = q->wptr;
			for (i = 0; i < 200; i++) {
				data = i + 1;
				ASSERT_OK(kfd_queue_emit(q, p, is_sdma(q) ?
					  sdma_write(p, self->out.va, &data, 1) :
					  pm4_write_data(p, self->out.va, data)));
				end[i + 1] = q->wptr;
			}
			kfd_queue_submit(q);
			do {
				ASSERT_LT(kfd_now_ms(), stop);
				at = read_pointer(q);
				__atomic_thread_fence(__ATOMIC_ACQUIRE);
				data = *word(&self->out);
				ASSERT_GE(end[data], at) TH_LOG("type %u", types[t]);
				n += at > end[0] && at < end[200];
			} while (at < end[200]);
		}
		ASSERT_OK(kfd_queue_destroy(&self->k, q));
		memset(q, 0, sizeof(*q));
	}
}

KFD_TEST_MAIN
