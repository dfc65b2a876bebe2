// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events: made, set, awaited and destroyed by the CPU; set by the GPU; and
 * the exceptions that a GPU reports.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>

#include "lib/kfd_fdinfo.h"
#include "lib/kfd_test.h"

#define FOREVER		0xffffffff

KFD_FIXTURE(event);

/* A buffer as event page, given with the first event, as the thunk does it. */
static int page_from_bo(struct kfd *k, struct kfd_bo *page, struct kfd_ioctl_create_event_args *ev)
{
	int ret = kfd_bo_create(k, 0, MEM_GTT, KFD_EVENT_PAGE_SIZE, page);

	if (ret)
		return ret;
	memset(page->cpu, 0xff, page->size);
	memset(ev, 0, sizeof(*ev));
	ev->event_type = KFD_IOC_EVENT_SIGNAL;
	ev->auto_reset = 1;
	ev->event_page_offset = page->handle;
	return kfd_call(k->fd, AMDKFD_IOC_CREATE_EVENT, ev);
}

TEST_F(event, set_wait_reset)
{
	struct kfd_ioctl_create_event_args ev;
	uint32_t result;

	ASSERT_OK(kfd_event_create(&self->k, KFD_IOC_EVENT_SIGNAL, false, &ev));
	EXPECT_NE(0, ev.event_id);
	EXPECT_OK(kfd_event_wait_one(&self->k, ev.event_id, 0, &result));
	EXPECT_EQ(KFD_IOC_WAIT_RESULT_TIMEOUT, result);
	EXPECT_OK(kfd_event_set(&self->k, ev.event_id));
	/* It stays set until it is reset. */
	EXPECT_OK(kfd_event_wait_one(&self->k, ev.event_id, 0, &result));
	EXPECT_EQ(KFD_IOC_WAIT_RESULT_COMPLETE, result);
	EXPECT_OK(kfd_event_wait_one(&self->k, ev.event_id, FOREVER, &result));
	EXPECT_EQ(KFD_IOC_WAIT_RESULT_COMPLETE, result);
	EXPECT_OK(kfd_event_reset(&self->k, ev.event_id));
	EXPECT_OK(kfd_event_wait_one(&self->k, ev.event_id, 0, &result));
	EXPECT_EQ(KFD_IOC_WAIT_RESULT_TIMEOUT, result);
	EXPECT_OK(kfd_event_destroy(&self->k, ev.event_id));
}

TEST_F(event, auto_reset)
{
	struct kfd_ioctl_create_event_args ev;
	uint32_t result;

	ASSERT_OK(kfd_event_create(&self->k, KFD_IOC_EVENT_SIGNAL, true, &ev));
	EXPECT_OK(kfd_event_set(&self->k, ev.event_id));
	EXPECT_OK(kfd_event_wait_one(&self->k, ev.event_id, 0, &result));
	EXPECT_EQ(KFD_IOC_WAIT_RESULT_COMPLETE, result);
	EXPECT_OK(kfd_event_wait_one(&self->k, ev.event_id, 0, &result));
	EXPECT_EQ(KFD_IOC_WAIT_RESULT_TIMEOUT, result);
}

TEST_F(event, wait_any_and_all)
{
	struct kfd_ioctl_create_event_args ev[3];
	struct kfd_event_data data[3] = { 0 };
	uint32_t result;
	int i;

	for (i = 0; i < 3; i++) {
		ASSERT_OK(kfd_event_create(&self->k, KFD_IOC_EVENT_SIGNAL, false, &ev[i]));
		data[i].event_id = ev[i].event_id;
	}
	EXPECT_OK(kfd_event_set(&self->k, ev[1].event_id));
	EXPECT_OK(kfd_event_wait(&self->k, data, 3, false, 0, &result));
	EXPECT_EQ(KFD_IOC_WAIT_RESULT_COMPLETE, result);
	EXPECT_OK(kfd_event_wait(&self->k, data, 3, true, 0, &result));
	EXPECT_EQ(KFD_IOC_WAIT_RESULT_TIMEOUT, result);
	EXPECT_OK(kfd_event_set(&self->k, ev[0].event_id));
	EXPECT_OK(kfd_event_set(&self->k, ev[2].event_id));
	EXPECT_OK(kfd_event_wait(&self->k, data, 3, true, FOREVER, &result));
	EXPECT_EQ(KFD_IOC_WAIT_RESULT_COMPLETE, result);
	/* The same event more than once. */
	data[2] = data[1];
	EXPECT_OK(kfd_event_wait(&self->k, data, 3, true, 0, &result));
	EXPECT_EQ(KFD_IOC_WAIT_RESULT_COMPLETE, result);
}

/* An auto-reset event that wakes an "all" wait too early is not eaten by it. */
TEST_F(event, wait_all_that_times_out_resets_nothing)
{
	struct kfd_ioctl_create_event_args ev[2];
	struct kfd_event_data data[2] = { 0 };
	uint32_t result;
	int i;

	REQUIRE_OURS();
	for (i = 0; i < 2; i++) {
		ASSERT_OK(kfd_event_create(&self->k, KFD_IOC_EVENT_SIGNAL, false, &ev[i]));
		data[i].event_id = ev[i].event_id;
	}
	EXPECT_OK(kfd_event_set(&self->k, ev[0].event_id));
	EXPECT_OK(kfd_event_wait(&self->k, data, 2, true, 30, &result));
	EXPECT_EQ(KFD_IOC_WAIT_RESULT_TIMEOUT, result);
	EXPECT_OK(kfd_event_wait_one(&self->k, ev[0].event_id, 0, &result));
	EXPECT_EQ(KFD_IOC_WAIT_RESULT_COMPLETE, result);
}

TEST_F(event, timeouts)
{
	struct kfd_ioctl_create_event_args ev;
	uint64_t start, took;
	uint32_t result;

	ASSERT_OK(kfd_event_create(&self->k, KFD_IOC_EVENT_SIGNAL, true, &ev));
	start = kfd_now_ms();
	EXPECT_OK(kfd_event_wait_one(&self->k, ev.event_id, 0, &result));
	EXPECT_EQ(KFD_IOC_WAIT_RESULT_TIMEOUT, result);
	took = kfd_now_ms() - start;
	EXPECT_LT(took, 1000 * kfd_time_scale());
	start = kfd_now_ms();
	EXPECT_OK(kfd_event_wait_one(&self->k, ev.event_id, 200, &result));
	EXPECT_EQ(KFD_IOC_WAIT_RESULT_TIMEOUT, result);
	took = kfd_now_ms() - start;
	EXPECT_GE(took, 190);
	EXPECT_LT(took, 5000 * kfd_time_scale());
}

struct later {
	struct kfd *k;
	uint32_t id;
	bool destroy;
};

static void *act_later(void *arg)
{
	struct later *later = arg;

	kfd_sleep_ms(100);
	return (void *)(intptr_t)(later->destroy ? kfd_event_destroy(later->k, later->id) :
						  kfd_event_set(later->k, later->id));
}

TEST_F(event, set_by_another_thread)
{
	struct kfd_ioctl_create_event_args ev;
	struct later later = { .k = &self->k };
	uint32_t result;
	pthread_t thread;
	void *ret;

	ASSERT_OK(kfd_event_create(&self->k, KFD_IOC_EVENT_SIGNAL, true, &ev));
	later.id = ev.event_id;
	ASSERT_OK(pthread_create(&thread, NULL, act_later, &later));
	EXPECT_OK(kfd_event_wait_one(&self->k, ev.event_id, FOREVER, &result));
	EXPECT_EQ(KFD_IOC_WAIT_RESULT_COMPLETE, result);
	ASSERT_OK(pthread_join(thread, &ret));
	EXPECT_EQ(NULL, ret);
}

TEST_F(event, destroyed_while_awaited)
{
	struct kfd_ioctl_create_event_args ev;
	struct later later = { .k = &self->k, .destroy = true };
	uint32_t result;
	pthread_t thread;
	void *ret;

	ASSERT_OK(kfd_event_create(&self->k, KFD_IOC_EVENT_SIGNAL, true, &ev));
	later.id = ev.event_id;
	ASSERT_OK(pthread_create(&thread, NULL, act_later, &later));
	EXPECT_ERR(EIO, kfd_event_wait_one(&self->k, ev.event_id, FOREVER, &result));
	if (!kfd_is_ours())
		EXPECT_EQ(KFD_IOC_WAIT_RESULT_FAIL, result);
	ASSERT_OK(pthread_join(thread, &ret));
	EXPECT_EQ(NULL, ret);
}

static void on_alarm(int sig)
{
	(void)sig;
}

TEST_F(event, a_signal_ends_a_wait)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct kfd_ioctl_create_event_args ev;
	struct kfd_event_data data = { 0 };
	struct kfd_ioctl_wait_events_args args = {
		.events_ptr = (uintptr_t)&data, .num_events = 1, .timeout = FOREVER,
	};
	pid_t parent = getpid(), child;
	int status;

	ASSERT_OK(kfd_event_create(&self->k, KFD_IOC_EVENT_SIGNAL, true, &ev));
	data.event_id = ev.event_id;
	ASSERT_OK(sigaction(SIGUSR1, &action, NULL));
	child = fork();
	if (!child) {
		kfd_sleep_ms(200);
		_exit(kill(parent, SIGUSR1) ? 1 : 0);
	}
	ASSERT_GT(child, 0);
	EXPECT_EQ(-1, ioctl(self->k.fd, AMDKFD_IOC_WAIT_EVENTS, &args));
	EXPECT_EQ(EINTR, errno);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(event, a_waiting_process_can_be_killed)
{
	int status;
	pid_t child = fork();

	if (!child) {
		struct kfd_ioctl_create_event_args ev;
		struct kfd own;

		if (kfd_start(&own) || kfd_event_create(&own, KFD_IOC_EVENT_SIGNAL, true, &ev))
			_exit(1);
		kfd_event_wait_one(&own, ev.event_id, FOREVER, NULL);
		_exit(2);
	}
	ASSERT_GT(child, 0);
	kfd_sleep_ms(500);
	ASSERT_OK(kill(child, SIGKILL));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
}

TEST_F(event, bad_ids)
{
	static const uint32_t bad[] = { 0, 4095, 0x7fffffff, 0x80000000, 0xffffffff };
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		EXPECT_ERR(EINVAL, kfd_event_set(&self->k, bad[i])) TH_LOG("%#x", bad[i]);
		EXPECT_ERR(EINVAL, kfd_event_reset(&self->k, bad[i])) TH_LOG("%#x", bad[i]);
		EXPECT_ERR(EINVAL, kfd_event_destroy(&self->k, bad[i])) TH_LOG("%#x", bad[i]);
		EXPECT_ERR(EINVAL, kfd_event_wait_one(&self->k, bad[i], 0, NULL))
			TH_LOG("%#x", bad[i]);
	}
}

TEST_F(event, destroyed_id_is_gone)
{
	struct kfd_ioctl_create_event_args ev;

	ASSERT_OK(kfd_event_create(&self->k, KFD_IOC_EVENT_SIGNAL, true, &ev));
	ASSERT_OK(kfd_event_destroy(&self->k, ev.event_id));
	EXPECT_ERR(EINVAL, kfd_event_destroy(&self->k, ev.event_id));
	EXPECT_ERR(EINVAL, kfd_event_set(&self->k, ev.event_id));
}

TEST_F(event, bad_wait_arguments)
{
	struct kfd_ioctl_wait_events_args args = { .num_events = 1, .events_ptr = 16 };
	struct kfd_event_data data[2] = { 0 };
	struct kfd_ioctl_create_event_args ev;

	EXPECT_ERR(EFAULT, kfd_call(self->k.fd, AMDKFD_IOC_WAIT_EVENTS, &args));
	args.num_events = 0xffffffff;
	args.events_ptr = (uintptr_t)data;
	EXPECT_ERR_EITHER(EINVAL, ENOMEM, kfd_call(self->k.fd, AMDKFD_IOC_WAIT_EVENTS, &args));
	/* One good, one bad. */
	ASSERT_OK(kfd_event_create(&self->k, KFD_IOC_EVENT_SIGNAL, true, &ev));
	data[0].event_id = ev.event_id;
	data[1].event_id = 0x7ffffff0;
	EXPECT_ERR(EINVAL, kfd_event_wait(&self->k, data, 2, false, 0, NULL));
}

TEST_F(event, bad_types)
{
	struct kfd_ioctl_create_event_args ev;

	REQUIRE_OURS();
	EXPECT_ERR(EINVAL, kfd_event_create(&self->k, 9, true, &ev));
	EXPECT_ERR(EINVAL, kfd_event_create(&self->k, 0xffffffff, true, &ev));
}

TEST_F(event, only_signal_events_can_be_set_by_hand)
{
	struct kfd_ioctl_create_event_args ev;

	ASSERT_OK(kfd_event_create(&self->k, KFD_IOC_EVENT_MEMORY, true, &ev));
	EXPECT_ERR(EINVAL, kfd_event_set(&self->k, ev.event_id));
	EXPECT_ERR(EINVAL, kfd_event_reset(&self->k, ev.event_id));
	EXPECT_OK(kfd_event_destroy(&self->k, ev.event_id));
}

TEST_F(event, limit_of_signal_events)
{
	struct kfd_ioctl_create_event_args ev;
	struct kfd_bo page;
	uint32_t first;
	int n = 1, ret;

	ASSERT_OK(page_from_bo(&self->k, &page, &ev));
	first = ev.event_id;
	do {
		ret = kfd_event_create(&self->k, KFD_IOC_EVENT_SIGNAL, true, &ev);
		n += !ret;
	} while (!ret && n <= KFD_SIGNAL_EVENT_LIMIT);
	EXPECT_EQ(-ENOSPC, ret);
	EXPECT_GE(n, KFD_SIGNAL_EVENT_LIMIT - 1);
	EXPECT_LE(n, KFD_SIGNAL_EVENT_LIMIT);
	/* One goes, one comes. */
	EXPECT_OK(kfd_event_destroy(&self->k, first));
	EXPECT_OK(kfd_event_create(&self->k, KFD_IOC_EVENT_SIGNAL, true, &ev));
	EXPECT_EQ(-ENOSPC, kfd_event_create(&self->k, KFD_IOC_EVENT_SIGNAL, true, &ev));
}

TEST_F(event, page_from_a_buffer)
{
	struct kfd_ioctl_create_event_args a, b;
	struct kfd_bo page;

	ASSERT_OK(page_from_bo(&self->k, &page, &a));
	ASSERT_OK(kfd_event_create(&self->k, KFD_IOC_EVENT_SIGNAL, true, &b));
	EXPECT_NE(a.event_slot_index, b.event_slot_index);
	EXPECT_LT(a.event_slot_index, KFD_SIGNAL_EVENT_LIMIT);
	EXPECT_EQ(a.event_id, a.event_trigger_data);
	/* The buffer is the driver's too now. */
	EXPECT_OK(kfd_bo_unmap_gpu(&self->k, &page, 0));
	EXPECT_ERR(EBUSY, kfd_bo_free(&self->k, &page));
}

TEST_F(event, page_bad_buffers)
{
	struct kfd_ioctl_create_event_args ev = {
		.event_type = KFD_IOC_EVENT_SIGNAL, .event_page_offset = 0x123456789,
	};
	struct kfd_bo small;

	EXPECT_ERR(EINVAL, kfd_call(self->k.fd, AMDKFD_IOC_CREATE_EVENT, &ev));
	if (!kfd_is_ours())
		return;
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, KFD_PAGE, &small));
	ev.event_page_offset = small.handle;
	EXPECT_ERR(EINVAL, kfd_call(self->k.fd, AMDKFD_IOC_CREATE_EVENT, &ev));
	EXPECT_OK(kfd_bo_destroy(&self->k, &small));
	/* That has not spoilt anything. */
	ASSERT_OK(page_from_bo(&self->k, &small, &ev));
}

/* A fence into the event's slot and a trap: how SDMA sets an event. */
TEST_F(event, set_by_sdma)
{
	struct kfd_ioctl_create_event_args ev;
	struct kfd_queue q;
	struct kfd_bo page;
	uint32_t p[8], result;
	int i;

	ASSERT_OK(page_from_bo(&self->k, &page, &ev));
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, 4096, &q));
	for (i = 0; i < 10; i++) {
		ASSERT_OK(kfd_queue_emit(&q, p, sdma_fence(p, page.va + ev.event_slot_index * 8ULL,
							   ev.event_id)));
		ASSERT_OK(kfd_queue_emit(&q, p, sdma_trap(p, ev.event_trigger_data)));
		kfd_queue_submit(&q);
		EXPECT_OK(kfd_event_wait_one(&self->k, ev.event_id, PATIENCE, &result));
		EXPECT_EQ(KFD_IOC_WAIT_RESULT_COMPLETE, result);
	}
	/* Auto-reset: nothing is left over. */
	EXPECT_OK(kfd_event_wait_one(&self->k, ev.event_id, 50, &result));
	EXPECT_EQ(KFD_IOC_WAIT_RESULT_TIMEOUT, result);
	EXPECT_OK(kfd_queue_destroy(&self->k, &q));
}

TEST_F(event, set_by_compute)
{
	struct kfd_ioctl_create_event_args ev;
	struct kfd_queue q;
	struct kfd_bo page;
	uint32_t p[8], result;
	int i;

	ASSERT_OK(page_from_bo(&self->k, &page, &ev));
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, 4096, &q));
	for (i = 0; i < 10; i++) {
		ASSERT_OK(kfd_queue_emit(&q, p,
					 pm4_release_mem(p, PM4_DATA_64,
							 page.va + ev.event_slot_index * 8ULL,
							 ev.event_id, ev.event_trigger_data)));
		kfd_queue_submit(&q);
		EXPECT_OK(kfd_event_wait_one(&self->k, ev.event_id, PATIENCE, &result));
		EXPECT_EQ(KFD_IOC_WAIT_RESULT_COMPLETE, result);
	}
	EXPECT_OK(kfd_queue_destroy(&self->k, &q));
}

/* The driver's own page: the CPU fills the slot, the GPU interrupts. */
TEST_F(event, set_through_the_drivers_page)
{
	struct kfd_ioctl_create_event_args ev;
	struct kfd_queue q;
	volatile uint64_t *slots;
	uint32_t p[8], result;

	ASSERT_OK(kfd_event_create(&self->k, KFD_IOC_EVENT_SIGNAL, true, &ev));
	slots = mmap(NULL, KFD_EVENT_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, self->k.fd,
		     (off_t)ev.event_page_offset);
	ASSERT_NE(MAP_FAILED, slots);
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, 4096, &q));
	slots[ev.event_slot_index] = ev.event_id;
	ASSERT_OK(kfd_queue_run(&q, p, sdma_trap(p, ev.event_trigger_data)));
	EXPECT_OK(kfd_event_wait_one(&self->k, ev.event_id, PATIENCE, &result));
	EXPECT_EQ(KFD_IOC_WAIT_RESULT_COMPLETE, result);
	EXPECT_OK(kfd_queue_destroy(&self->k, &q));
}

/* An interrupt that names an event of nobody's must not set one of ours. */
TEST_F(event, bogus_trap_sets_nothing)
{
	struct kfd_ioctl_create_event_args ev;
	struct kfd_queue q;
	struct kfd_bo page;
	uint32_t p[8], result;

	ASSERT_OK(page_from_bo(&self->k, &page, &ev));
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, 4096, &q));
	ASSERT_OK(kfd_queue_run(&q, p, sdma_trap(p, ev.event_id + 1)));
	ASSERT_OK(kfd_queue_run(&q, p, sdma_trap(p, 0xfffffff)));
	EXPECT_OK(kfd_event_wait_one(&self->k, ev.event_id, 100, &result));
	EXPECT_EQ(KFD_IOC_WAIT_RESULT_TIMEOUT, result);
	EXPECT_OK(kfd_queue_destroy(&self->k, &q));
}

/* --- many waiters -------------------------------------------------------------- */

#define CALL_MAX	8192
#define WAITERS_MAX	16384
#define SETS		2000

/**
 * struct crowd - a thread that waits for as much as it can
 * @k: the driver
 * @set: event that is set again and again
 * @never: event that is not
 * @n: how often it waits for @set
 * @ret: what WAIT_EVENTS said
 */
struct crowd {
	struct kfd *k;
	uint32_t set, never;
	unsigned int n;
	int ret;
	pthread_t thread;
};

static void *waits_in_crowd(void *arg)
{
	struct kfd_event_data *data;
	struct crowd *c = arg;
	uint32_t result;
	unsigned int i;

	data = calloc(c->n + 1, sizeof(*data));
	for (i = 0; data && i < c->n; i++)
		data[i].event_id = c->set;
	if (data)
		data[c->n].event_id = c->never;
	c->ret = data ? kfd_event_wait(c->k, data, c->n + 1, true, FOREVER, &result) : -ENOMEM;
	free(data);
	return NULL;
}

static int crowd_start(struct crowd *c, struct kfd *k, uint32_t set, uint32_t never,
		       unsigned int n)
{
	*c = (struct crowd) { .k = k, .set = set, .never = never, .n = n };
	return -pthread_create(&c->thread, NULL, waits_in_crowd, c);
}

static int wait_waiters(struct kfd *k, int64_t n)
{
	uint64_t end = kfd_now_ms() + PATIENCE;
	char text[8192];

	for (;;) {
		int ret = kfd_fdinfo_read(getpid(), k->fd, text, sizeof(text));

		if (ret)
			return ret;
		if (kfd_fdinfo_word(text, "kfd-events-signal", "waiters") == n)
			return 0;
		if (kfd_now_ms() > end)
			return -ETIME;
		kfd_sleep_ms(1);
	}
}

/* Microseconds that it takes to set an event SETS times. */
static uint64_t time_sets(struct kfd *k, uint32_t id)
{
	struct timespec a, b;
	int i;

	clock_gettime(CLOCK_MONOTONIC, &a);
	for (i = 0; i < SETS; i++)
		if (kfd_event_set(k, id))
			return UINT64_MAX;
	clock_gettime(CLOCK_MONOTONIC, &b);
	return (b.tv_sec - a.tv_sec) * 1000000ULL + (b.tv_nsec - a.tv_nsec) / 1000;
}

/* What a signal costs does not grow with who waits, for the GPU's thread does it too. */
TEST_F_TIMEOUT(event, many_waiters, 120)
{
	struct kfd_ioctl_create_event_args set, never;
	struct crowd crowd[2], one_more;
	uint64_t alone, crowded;
	uint32_t result;
	int i;

	REQUIRE_OURS();
	ASSERT_OK(kfd_event_create(&self->k, KFD_IOC_EVENT_SIGNAL, false, &set));
	ASSERT_OK(kfd_event_create(&self->k, KFD_IOC_EVENT_SIGNAL, false, &never));
	alone = time_sets(&self->k, set.event_id);
	EXPECT_OK(kfd_event_reset(&self->k, set.event_id));
	for (i = 0; i < 2; i++)
		ASSERT_OK(crowd_start(&crowd[i], &self->k, set.event_id, never.event_id,
				      CALL_MAX - 1));
	ASSERT_OK(wait_waiters(&self->k, WAITERS_MAX));
	/* Not one more. */
	EXPECT_ERR(ENOSPC, kfd_event_wait_one(&self->k, never.event_id, 0, &result));
	crowded = time_sets(&self->k, set.event_id);
	printf("# %d sets: %llu us alone, %llu us with %d waiters\n", SETS,
	       (unsigned long long)alone, (unsigned long long)crowded, WAITERS_MAX);
	EXPECT_GT(10 * alone + 100000 * kfd_time_scale(), crowded);
	EXPECT_OK(kfd_event_set(&self->k, never.event_id));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, pthread_join(crowd[i].thread, NULL));
		EXPECT_OK(crowd[i].ret);
	}
	/* And as many again. */
	EXPECT_OK(kfd_event_reset(&self->k, never.event_id));
	ASSERT_OK(crowd_start(&one_more, &self->k, set.event_id, never.event_id, 1));
	ASSERT_OK(wait_waiters(&self->k, 2));
	EXPECT_OK(kfd_event_set(&self->k, never.event_id));
	ASSERT_EQ(0, pthread_join(one_more.thread, NULL));
	EXPECT_OK(one_more.ret);
}

/* It was signalled when the wait began: its end ends the wait all the same. */
TEST_F(event, destroyed_after_it_was_signalled)
{
	struct kfd_ioctl_create_event_args set, never;
	struct crowd c;

	REQUIRE_OURS();
	ASSERT_OK(kfd_event_create(&self->k, KFD_IOC_EVENT_SIGNAL, true, &set));
	ASSERT_OK(kfd_event_create(&self->k, KFD_IOC_EVENT_SIGNAL, false, &never));
	ASSERT_OK(kfd_event_set(&self->k, set.event_id));
	ASSERT_OK(crowd_start(&c, &self->k, set.event_id, never.event_id, 1));
	kfd_sleep_ms(100);
	EXPECT_OK(kfd_event_destroy(&self->k, set.event_id));
	kfd_sleep_ms(100);
	EXPECT_OK(kfd_event_destroy(&self->k, never.event_id));
	ASSERT_EQ(0, pthread_join(c.thread, NULL));
	EXPECT_EQ(-EIO, c.ret);
}

KFD_TEST_MAIN
