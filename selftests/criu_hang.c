// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queues that hang: a checkpoint of their process fails in bounded time, the
 * process and its other queues go on, and once the cause is gone the same
 * dump works. Times are bounds on a hang, with much room, not a measurement.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "lib/kfd_test.h"
#include "lib/kfd_workload.h"

#define RING		4096
#define PER_GPU		3	/* queues that hang, and one more that does not */
#define GPUS		2

/*
 * A GPU's first queue that does not stop has 2 s, each of the others some
 * milliseconds. Twenty-odd seconds are both GPUs, on a machine that is busy.
 */
#define BOUND_MS	25000

/**
 * struct hung - a process with queues on all GPUs, in shared memory
 * @k: the driver
 * @bad: the queues that hang
 * @good: on each GPU one that does not
 * @words: memory for @good to write
 * @ready: set when all of them run; a negative errno when not
 * @turn: asks for a sign of life of @good by a new number
 * @done: the number that it was given for last; a negative errno
 */
struct hung {
	struct kfd k;
	struct kfd_queue bad[GPUS][PER_GPU];
	struct kfd_queue good[GPUS];
	struct kfd_bo words[GPUS];
	volatile int ready;
	volatile int turn;
	volatile int done;
};

FIXTURE(hang)
{
	struct kfd probe;
	uint64_t vram;
	struct kfd_target t;
	struct kfd_workload *w;	/* only its fd, for kfd_target_seize() */
	struct hung *h;
	int gpus;
};

static int start_gpu(struct hung *h, int gpu)
{
	uint32_t p[8];
	int ret, i;

	ret = kfd_bo_create(&h->k, gpu, MEM_GTT, KFD_PAGE, &h->words[gpu]);
	if (!ret)
		ret = kfd_queue_create(&h->k, gpu, KFD_IOC_QUEUE_TYPE_COMPUTE, RING,
				       &h->good[gpu]);
	/* What is waited for never comes: a queue that is busy when it hangs. */
	for (i = 0; i < PER_GPU && !ret; i++) {
		ret = kfd_queue_create(&h->k, gpu, KFD_IOC_QUEUE_TYPE_COMPUTE, RING,
				       &h->bad[gpu][i]);
		if (ret)
			break;
		kfd_queue_emit(&h->bad[gpu][i], p,
			       pm4_wait_reg_mem(p, PM4_FUNC_EQUAL, h->words[gpu].va, 77, ~0u));
		kfd_queue_submit(&h->bad[gpu][i]);
	}
	return ret;
}

static int sign_of_life(struct hung *h, int turn)
{
	volatile uint32_t *word;
	uint32_t p[8];
	int ret, gpu;

	for (gpu = 0; gpu < h->k.num_gpus && gpu < GPUS; gpu++) {
		ret = kfd_queue_run(&h->good[gpu], p,
				    pm4_write_data(p, h->words[gpu].va + 8, turn));
		word = (volatile uint32_t *)h->words[gpu].cpu + 2;
		if (ret || *word != turn)
			return ret ? ret : -EILSEQ;
	}
	return 0;
}

/* The target: a sign of life whenever it is asked for one. */
static int run_hung(struct hung *h)
{
	int ret, gpu, turn = 0;

	ret = kfd_start(&h->k);
	for (gpu = 0; gpu < GPUS && gpu < h->k.num_gpus && !ret; gpu++)
		ret = start_gpu(h, gpu);
	h->ready = ret ? ret : 1;
	while (!ret) {
		while (h->turn == turn)
			kfd_sleep_ms(2);
		turn = h->turn;
		ret = sign_of_life(h, turn);
		h->done = ret ? ret : turn;
	}
	return ret;
}

static int ask(struct hung *h)
{
	int turn = h->turn + 1;
	uint64_t end = kfd_now_ms() + PATIENCE;

	h->turn = turn;
	while (h->done != turn) {
		if (h->done < 0)
			return h->done;
		if (kfd_now_ms() > end)
			return -ETIMEDOUT;
		kfd_sleep_ms(2);
	}
	return 0;
}

static int knob(int gpu, const struct kfd_queue *q, int value)
{
	char text[32];

	snprintf(text, sizeof(text), "%d", q ? (int)(q->doorbell_offset % (2 * KFD_PAGE)) : value);
	return kfd_sim_set(gpu, "hang_queue", text);
}

static int hang_all(struct hung *h)
{
	int ret = 0, gpu, i;

	for (gpu = 0; gpu < GPUS && gpu < h->k.num_gpus; gpu++)
		for (i = 0; i < PER_GPU && !ret; i++)
			ret = knob(gpu, &h->bad[gpu][i], 0);
	return ret;
}

static void heal_all(int gpus)
{
	int gpu;

	for (gpu = 0; gpu < gpus; gpu++) {
		knob(gpu, NULL, -2);
		kfd_sim_set(gpu, "fail_preempt", "N");
	}
}

FIXTURE_SETUP(hang)
{
	if (!kfd_sim_present())
		return;
	self->h = mmap(NULL, sizeof(*self->h), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->h);
	self->w = kfd_workload_new();
	ASSERT_NE(NULL, self->w);
	ASSERT_OK(kfd_open(&self->probe));
	ASSERT_OK(kfd_available_settled(&self->probe, 0, &self->vram));
	self->gpus = self->probe.num_gpus < GPUS ? self->probe.num_gpus : GPUS;
	fflush(stdout);
	self->t.fd = -1;
	self->t.w = self->w;
	self->t.pid = fork();
	if (!self->t.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(-run_hung(self->h) & 0xff);
	}
	ASSERT_GT(self->t.pid, 0);
	ASSERT_OK(kfd_wait_flag(&self->h->ready));
	ASSERT_EQ(1, self->h->ready);
	self->w->k.fd = self->h->k.fd;
	ASSERT_OK(ask(self->h));
}

FIXTURE_TEARDOWN(hang)
{
	if (!kfd_sim_present())
		return;
	if (self->t.pid > 0)
		kfd_target_kill(&self->t);
	heal_all(self->gpus);
	EXPECT_OK(kfd_vram_is_back(&self->probe, self->vram));
	EXPECT_OK(kfd_in_child(kfd_healthy, NULL));
	kfd_stop(&self->probe);
}

/* ETIME within the bound, and nothing is paused. */
static int dump_fails(int fd)
{
	struct kfd_ioctl_criu_args info;
	uint64_t began = kfd_now_ms();
	int ret = kfd_criu_info(fd, &info);

	if (kfd_now_ms() - began > BOUND_MS)
		return -ETIMEDOUT;
	if (ret != -ETIME)
		return ret ? ret : -EPROTO;
	return kfd_criu_unpause(fd) == -EINVAL ? 0 : -EBUSY;
}

static int dump_works(int fd)
{
	struct kfd_snapshot s;
	int ret = kfd_snapshot_checkpoint(fd, &s);

	if (ret)
		return ret;
	kfd_snapshot_free(&s);
	return kfd_criu_unpause(fd);
}

/* All in one: it fails, the rest lives, it is healed, it works. */
TEST_F_TIMEOUT(hang, one_queue, 120)
{
	REQUIRE_SIM();
	ASSERT_OK(knob(0, &self->h->bad[0][0], 0));
	ASSERT_OK(kfd_target_seize(&self->t));
	EXPECT_OK(dump_fails(self->t.fd));
	ASSERT_OK(kfd_target_release(&self->t));
	EXPECT_OK(ask(self->h));
	heal_all(self->gpus);
	ASSERT_OK(kfd_target_seize(&self->t));
	EXPECT_OK(dump_works(self->t.fd));
	ASSERT_OK(kfd_target_release(&self->t));
	EXPECT_OK(ask(self->h));
}

/* Many do not add up. */
TEST_F_TIMEOUT(hang, many_on_all_gpus, 180)
{
	int round;

	REQUIRE_SIM();
	ASSERT_OK(hang_all(self->h));
	ASSERT_OK(kfd_target_seize(&self->t));
	for (round = 0; round < 2; round++)
		EXPECT_OK(dump_fails(self->t.fd));
	ASSERT_OK(kfd_target_release(&self->t));
	EXPECT_OK(ask(self->h));
	heal_all(self->gpus);
	ASSERT_OK(kfd_target_seize(&self->t));
	EXPECT_OK(dump_works(self->t.fd));
	ASSERT_OK(kfd_target_release(&self->t));
	EXPECT_OK(ask(self->h));
}

/* The other knob: preemption fails at once, for the queues that are well too. */
TEST_F_TIMEOUT(hang, preemption_that_fails, 120)
{
	REQUIRE_SIM();
	ASSERT_OK(kfd_sim_set(self->gpus - 1, "fail_preempt", "Y"));
	ASSERT_OK(kfd_target_seize(&self->t));
	EXPECT_OK(dump_fails(self->t.fd));
	heal_all(self->gpus);
	EXPECT_OK(dump_works(self->t.fd));
	ASSERT_OK(kfd_target_release(&self->t));
	EXPECT_OK(ask(self->h));
}

static int dump_in_vain(struct kfd_victim *v)
{
	int ret = kfd_target_seize(v->t);

	v->phase = 1;
	return ret ? ret : dump_fails(v->t->fd);
}

/* The dumper dies while it waits for them; the process goes on. */
TEST_F_TIMEOUT(hang, dumper_killed, 120)
{
	struct kfd_victim *v = kfd_victim_new();
	uint64_t began;
	pid_t pid;

	REQUIRE_SIM();
	ASSERT_NE(NULL, v);
	ASSERT_OK(hang_all(self->h));
	v->fn = dump_in_vain;
	v->t = &self->t;
	pid = kfd_victim_run(v);
	ASSERT_GT(pid, 0);
	ASSERT_OK(kfd_wait_flag(&v->phase));
	kfd_sleep_ms(500);
	began = kfd_now_ms();
	kill(pid, SIGKILL);
	EXPECT_ERR(EINTR, kfd_wait_child(pid));
	EXPECT_LT(kfd_now_ms() - began, BOUND_MS);
	EXPECT_OK(ask(self->h));
}

/* The process dies while the dumper waits: both come to an end. */
TEST_F_TIMEOUT(hang, target_killed, 120)
{
	struct kfd_victim *v = kfd_victim_new();
	uint64_t began;
	int ret;
	pid_t pid;

	REQUIRE_SIM();
	ASSERT_NE(NULL, v);
	ASSERT_OK(hang_all(self->h));
	v->fn = dump_in_vain;
	v->t = &self->t;
	pid = kfd_victim_run(v);
	ASSERT_GT(pid, 0);
	ASSERT_OK(kfd_wait_flag(&v->phase));
	kfd_sleep_ms(500);
	began = kfd_now_ms();
	kill(self->t.pid, SIGKILL);
	/* UNPAUSE finds no process any more. */
	ret = kfd_wait_child(pid);
	EXPECT_TRUE(ret == 0 || ret == -EBUSY || ret == -EBADF) TH_LOG("%d", ret);
	EXPECT_ERR(EINTR, kfd_wait_child(self->t.pid));
	self->t.pid = -1;
	EXPECT_OK(kfd_vram_is_back(&self->probe, self->vram));
	EXPECT_LT(kfd_now_ms() - began, BOUND_MS);
}

/* Nobody dumps it: teardown alone is bounded, and frees everything. */
TEST_F_TIMEOUT(hang, nobody_dumps, 120)
{
	uint64_t began;

	REQUIRE_SIM();
	ASSERT_OK(hang_all(self->h));
	began = kfd_now_ms();
	kfd_target_kill(&self->t);
	self->t.pid = -1;
	EXPECT_OK(kfd_vram_is_back(&self->probe, self->vram));
	EXPECT_LT(kfd_now_ms() - began, BOUND_MS);
}

KFD_TEST_MAIN
