// SPDX-License-Identifier: GPL-2.0-only
/*
 * Signals that were raised and that nobody has waited for, through checkpoint
 * and restore: of many events each one that was raised arrives, once, and none
 * that was not. Raised in every way there is, long before the pause, right
 * before it, or half before and half after.
 */
#include <stdio.h>
#include <stdlib.h>

#include "lib/kfd_test.h"
#include "lib/kfd_workload.h"

#define EVENTS		300	/* raised; more than a wait is made for at a time */
#define SILENT		20	/* not raised */
#define PENDING		10	/* written to their slots, and no interrupt yet */
#define ALL		(EVENTS + SILENT + PENDING)
#define RING		65536
#define CHUNK		64	/* events of one wait */

/**
 * struct signals - a process with events
 * @k: the driver
 * @page: the event page, if it is a buffer
 * @slots: the event page as the CPU sees it
 * @gate: a word that the last packets of @sdma wait for, and one that they write before
 * @pm4: raises the first third
 * @sdma: raises the rest, and has more behind the gate
 * @ev: the events; half of them are reset by a wait
 * @s: the image
 */
struct signals {
	struct kfd k;
	struct kfd_bo page;
	volatile uint64_t *slots;
	struct kfd_bo gate;
	struct kfd_queue pm4;
	struct kfd_queue sdma;
	uint32_t ev[ALL];
	struct kfd_snapshot s;
};

static bool is_auto(unsigned int i)
{
	return i % 2;
}

static int make_events(struct signals *g, uint64_t page)
{
	struct kfd_ioctl_create_event_args ev;
	unsigned int i;
	int ret;

	for (i = 0; i < ALL; i++) {
		memset(&ev, 0, sizeof(ev));
		ev.event_type = KFD_IOC_EVENT_SIGNAL;
		ev.auto_reset = is_auto(i);
		ev.event_page_offset = i ? 0 : page;
		ret = kfd_call(g->k.fd, AMDKFD_IOC_CREATE_EVENT, &ev);
		if (ret)
			return ret;
		g->ev[i] = ev.event_id;
		/* The driver's own page has more slots once more of it is mapped. */
		if (page || i)
			continue;
		g->slots = mmap(NULL, KFD_EVENT_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
				g->k.fd, (off_t)ev.event_page_offset);
		if (g->slots == MAP_FAILED)
			return -errno;
	}
	return 0;
}

static int signals_start(struct signals *g, bool own_page)
{
	int ret;

	memset(g, 0, sizeof(*g));
	ret = kfd_start(&g->k);
	if (!ret && !own_page)
		ret = kfd_bo_create(&g->k, 0, MEM_GTT, KFD_EVENT_PAGE_SIZE, &g->page);
	if (!ret)
		ret = kfd_bo_create(&g->k, 0, MEM_GTT, KFD_PAGE, &g->gate);
	if (!ret)
		ret = kfd_queue_create(&g->k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, RING, &g->pm4);
	if (!ret)
		ret = kfd_queue_create(&g->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &g->sdma);
	if (!ret && !own_page)
		g->slots = g->page.cpu;
	return ret ? ret : make_events(g, g->page.handle);
}

static uint64_t slot_va(const struct signals *g, unsigned int i)
{
	return g->page.va + g->ev[i] * 8;
}

/* Its id into its slot, by a packet. */
static int put_slot(struct signals *g, unsigned int i)
{
	uint32_t p[8], id[2] = { g->ev[i], 0 };

	return kfd_queue_emit(&g->sdma, p, sdma_write(p, slot_va(g, i), id, 2));
}

static int put_trap(struct signals *g, uint32_t id)
{
	uint32_t p[8];

	return kfd_queue_emit(&g->sdma, p, sdma_trap(p, id));
}

/*
 * One third by RELEASE_MEM, one by a slot and a trap each, one by their slots
 * and now and then a trap that names no event.
 */
static int raise_by_gpu(struct signals *g)
{
	uint32_t p[8];
	unsigned int i;
	int ret = 0;

	for (i = 0; i < EVENTS && !ret; i++) {
		if (i % 3 == 0) {
			ret = kfd_queue_emit(&g->pm4, p,
					     pm4_release_mem(p, PM4_DATA_64, slot_va(g, i),
							     g->ev[i], g->ev[i]));
			continue;
		}
		ret = put_slot(g, i);
		if (!ret && i % 3 == 1)
			ret = put_trap(g, g->ev[i]);
		else if (!ret && i % 30 == 29)
			ret = put_trap(g, 0);
	}
	return ret ? ret : put_trap(g, 0);
}

/*
 * Slots that are written before the pause, word that they are, and an interrupt
 * behind the gate. (The slots themselves do not tell: whoever handles one of the
 * interrupts before may come that late, and then takes what is in them.)
 */
static int put_pending(struct signals *g)
{
	uint32_t p[8], reached[2] = { 1, 0 };
	unsigned int i;
	int ret = 0;

	for (i = EVENTS + SILENT; i < ALL && !ret; i++) {
		if (g->page.handle)
			ret = put_slot(g, i);
		else
			g->slots[g->ev[i]] = g->ev[i];
	}
	if (!ret)
		ret = kfd_queue_emit(&g->sdma, p, sdma_write(p, g->gate.va + 8, reached, 2));
	if (!ret)
		ret = kfd_queue_emit(&g->sdma, p, sdma_poll(p, PM4_FUNC_EQUAL, g->gate.va, 1,
							    ~0u));
	return ret ? ret : put_trap(g, 0);
}

/* How many of these arrive within @ms, each by itself; which must be all or none. */
static int wait_for(struct signals *g, unsigned int first, unsigned int n, uint32_t ms,
		    unsigned int *arrived)
{
	uint64_t end = kfd_now_ms() + ms;
	uint32_t result;
	unsigned int i;
	int ret;

	*arrived = 0;
	for (i = first; i < first + n; i++) {
		uint64_t now = kfd_now_ms();

		ret = kfd_event_wait_one(&g->k, g->ev[i], now < end ? end - now : 0, &result);
		if (ret)
			return ret;
		if (result == KFD_IOC_WAIT_RESULT_COMPLETE)
			(*arrived)++;
		else if (ms)
			printf("# event %u (number %u) has not arrived\n", g->ev[i], i);
	}
	return 0;
}

/* After a wait: those that a wait resets are not set again, the others still are. */
static int none_comes_twice(struct signals *g, unsigned int first, unsigned int n)
{
	unsigned int i, arrived;
	int ret;

	for (i = first; i < first + n; i++) {
		ret = wait_for(g, i, 1, 0, &arrived);
		if (ret)
			return ret;
		if (arrived == is_auto(i)) {
			printf("# event %u (number %u) arrived %s\n", g->ev[i], i,
			       arrived ? "twice" : "and was lost");
			return -EILSEQ;
		}
	}
	return 0;
}

/* All at once, as many as a wait may have and in pieces: all have arrived. */
static int wait_in_chunks(struct signals *g, uint32_t ms)
{
	struct kfd_event_data data[CHUNK];
	unsigned int i, j, n;
	uint32_t result;
	int ret;

	for (i = 0; i < EVENTS; i += n) {
		n = EVENTS - i < CHUNK ? EVENTS - i : CHUNK;
		memset(data, 0, sizeof(data));
		for (j = 0; j < n; j++)
			data[j].event_id = g->ev[i + j];
		ret = kfd_event_wait(&g->k, data, n, true, ms, &result);
		if (ret)
			return ret;
		if (result != KFD_IOC_WAIT_RESULT_COMPLETE) {
			printf("# not all of %u events from number %u on arrived\n", n, i);
			return -ETIMEDOUT;
		}
	}
	return none_comes_twice(g, 0, EVENTS);
}

/* In the process that the image became. */
static int check_restored(struct signals *g, bool chunks)
{
	unsigned int arrived;
	int ret;

	if (chunks) {
		ret = wait_in_chunks(g, PATIENCE);
	} else {
		ret = wait_for(g, 0, EVENTS, PATIENCE, &arrived);
		if (!ret && arrived != EVENTS)
			ret = -ETIMEDOUT;
		if (!ret)
			ret = none_comes_twice(g, 0, EVENTS);
	}
	if (!ret)
		ret = wait_for(g, EVENTS, SILENT, 0, &arrived);
	if (!ret && arrived) {
		printf("# %u events arrived that nobody raised\n", arrived);
		ret = -EILSEQ;
	}
	return ret;
}

/* Those whose interrupt comes at last, if it did not before. */
static int check_pending(struct signals *g)
{
	unsigned int arrived;
	int ret;

	*(volatile uint32_t *)(uintptr_t)g->gate.va = 1;
	ret = wait_for(g, EVENTS + SILENT, PENDING, PATIENCE, &arrived);
	if (!ret && arrived != PENDING)
		ret = -ETIMEDOUT;
	if (!ret)
		ret = kfd_queue_wait(&g->sdma, PATIENCE);
	return ret ? ret : none_comes_twice(g, EVENTS + SILENT, PENDING);
}

static int adopt(struct signals *g, const struct kfd *now)
{
	struct kfd before = g->k;

	if (before.num_gpus != now->num_gpus)
		return -ENODEV;
	g->k = *now;
	g->k.next_va = before.next_va;
	return 0;
}

static int restored(void *arg, bool chunks)
{
	struct signals *g = arg;
	struct kfd now;
	int ret;

	ret = kfd_snapshot_restore(&now, &g->s);
	if (!ret)
		ret = adopt(g, &now);
	if (!ret)
		ret = kfd_criu_resume(g->k.fd, getpid());
	if (!ret)
		ret = check_restored(g, chunks);
	return ret ? ret : check_pending(g);
}

static int restored_one_by_one(void *arg)
{
	return restored(arg, false);
}

static int restored_chunks(void *arg)
{
	return restored(arg, true);
}

FIXTURE(signals) { struct signals *g; };

FIXTURE_VARIANT(signals) { bool settled; int (*check)(void *arg); };

FIXTURE_VARIANT_ADD(signals, raised_before)
{
	.settled = true, .check = restored_one_by_one,
};

FIXTURE_VARIANT_ADD(signals, raised_before_and_awaited_at_once)
{
	.settled = true, .check = restored_chunks,
};

FIXTURE_VARIANT_ADD(signals, raised_before_and_after)
{
	.settled = false, .check = restored_one_by_one,
};

FIXTURE_SETUP(signals)
{
	self->g = calloc(1, sizeof(*self->g));
	ASSERT_NE(NULL, self->g);
}

FIXTURE_TEARDOWN(signals)
{
	kfd_snapshot_free(&self->g->s);
	kfd_stop(&self->g->k);
	free(self->g);
}

TEST_F_TIMEOUT(signals, each_arrives_once, 90)
{
	struct signals *g = self->g;

	ASSERT_OK(signals_start(g, false));
	ASSERT_OK(raise_by_gpu(g));
	ASSERT_OK(put_pending(g));
	kfd_queue_submit(&g->pm4);
	kfd_queue_submit(&g->sdma);
	if (variant->settled) {
		ASSERT_OK(kfd_wait_u64((uint64_t *)g->gate.cpu + 1, 1, PATIENCE));
		ASSERT_OK(kfd_queue_wait(&g->pm4, PATIENCE));
	}
	ASSERT_OK(kfd_snapshot_dump(&g->k, g->k.fd, &g->s));
	ASSERT_OK(kfd_criu_unpause(g->k.fd));
	EXPECT_OK(kfd_in_child(variant->check, g));
	/* And in the process that was dumped, which has gone on. */
	EXPECT_OK(check_restored(g, false));
	EXPECT_OK(check_pending(g));
}

FIXTURE(signals_own_page) { struct signals *g; };

FIXTURE_SETUP(signals_own_page)
{
	self->g = calloc(1, sizeof(*self->g));
	ASSERT_NE(NULL, self->g);
}

FIXTURE_TEARDOWN(signals_own_page)
{
	kfd_snapshot_free(&self->g->s);
	kfd_stop(&self->g->k);
	free(self->g);
}

/*
 * The driver's own page of slots is in no buffer, so it is not a part of what
 * userspace saves. Ids beyond those of its first part are used, too.
 */
TEST_F_TIMEOUT(signals_own_page, each_arrives_once, 90)
{
	struct signals *g = self->g;
	unsigned int i;

	ASSERT_OK(signals_start(g, true));
	for (i = 0; i < EVENTS; i++)
		ASSERT_OK(kfd_event_set(&g->k, g->ev[i]));
	ASSERT_OK(put_pending(g));
	kfd_queue_submit(&g->sdma);
	ASSERT_OK(kfd_snapshot_dump(&g->k, g->k.fd, &g->s));
	ASSERT_OK(kfd_criu_unpause(g->k.fd));
	EXPECT_OK(kfd_in_child(restored_one_by_one, g));
	EXPECT_OK(check_restored(g, false));
	EXPECT_OK(check_pending(g));
}

KFD_TEST_MAIN
