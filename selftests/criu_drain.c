// SPDX-License-Identifier: GPL-2.0-only
/*
 * Checkpoints that let the queues come to their ends first: queues that get
 * there in time and queues that don't, with what is to be done then; that the
 * process goes on meanwhile, and that who waits can be killed.
 *
 * Bounds on how long something took have much room: they tell a wait from
 * none, and one that ends from one that does not.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#include "lib/kfd_fdinfo.h"
#include "lib/kfd_test.h"
#include "lib/kfd_workload.h"

#define RING		4096
#define LONG_MS		KFD_CRIU_DRAIN_MAX_MS
#define SHORT_MS	300

/* Words of the page that queues and CPU share. */
enum { GATE, DONE, OTHER, SIGNAL = 8 };

FIXTURE(drain)
{
	struct kfd k;
	struct kfd_bo words;
	struct kfd_queue q;
	volatile uint64_t *word;
};

FIXTURE_SETUP(drain)
{
	ASSERT_OK(kfd_start(&self->k));
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, KFD_PAGE, &self->words));
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, RING, &self->q));
	self->word = self->words.cpu;
}

FIXTURE_TEARDOWN(drain)
{
	kfd_stop(&self->k);
}

static int drain(int fd, uint64_t request, struct kfd_ioctl_criu_args *args)
{
	memset(args, 0, sizeof(*args));
	args->priv_data = request;
	return kfd_criu_op(fd, args, KFD_CRIU_OP_PROCESS_INFO);
}

static uint64_t word_va(const struct kfd_bo *words, unsigned int i)
{
	return words->va + i * 8;
}

/* Wait for the gate, then write that it is done; one of each kind of queue. */
static int put_wait(struct kfd_queue *q, const struct kfd_bo *words, unsigned int done)
{
	uint64_t dep = word_va(words, SIGNAL);
	struct aql_signal *s = (void *)((uint64_t *)words->cpu + SIGNAL);
	uint32_t p[AQL_DWORDS];
	int ret;

	switch (q->type) {
	case KFD_IOC_QUEUE_TYPE_COMPUTE:
		ret = kfd_queue_emit(q, p, pm4_wait_reg_mem(p, PM4_FUNC_EQUAL,
							    word_va(words, GATE), 1, ~0u));
		if (!ret)
			ret = kfd_queue_emit(q, p, pm4_write_data(p, word_va(words, done), 1));
		break;
	case KFD_IOC_QUEUE_TYPE_COMPUTE_AQL:
		s->kind = 1;
		s->value = 1;
		ret = kfd_queue_emit(q, p, aql_barrier(p, AQL_BARRIER_AND, &dep, 1, 0));
		break;
	default:
		ret = kfd_queue_emit(q, p, sdma_poll(p, PM4_FUNC_EQUAL, word_va(words, GATE), 1,
						     ~0u));
		if (!ret)
			ret = kfd_queue_emit(q, p, sdma_fence(p, word_va(words, done), 1));
	}
	if (!ret)
		kfd_queue_submit(q);
	return ret;
}

static void open_gate(volatile uint64_t *word)
{
	word[GATE] = 1;
	((struct aql_signal *)(uintptr_t)(word + SIGNAL))->value = 0;
}

static uint64_t fd_value(int fd, const char *key)
{
	static char text[64 << 10];

	if (kfd_fdinfo_read(getpid(), fd, text, sizeof(text)))
		return KFD_FDINFO_NONE;
	return kfd_fdinfo_value(text, key);
}

static bool refused_for(int fd, uint32_t queue, uint32_t gpu)
{
	static char text[64 << 10];
	char line[256], want[128];

	snprintf(want, sizeof(want), "PROCESS_INFO ETIME queue %u of GPU %u is not drained", queue,
		 gpu);
	return !kfd_fdinfo_read(getpid(), fd, text, sizeof(text)) &&
	       !kfd_fdinfo_line(text, "kfd-refused", line, sizeof(line)) && !strcmp(line, want);
}

TEST_F(drain, requests_that_are_not_known_are_EINVAL)
{
	struct kfd_ioctl_criu_args args;
	unsigned int i;

	REQUIRE_OURS();
	for (i = 32; i < 62; i++)
		EXPECT_ERR(EINVAL, drain(self->k.fd, KFD_CRIU_DRAIN | 1ULL << i, &args))
			TH_LOG("bit %u", i);
	EXPECT_ERR(EINVAL, drain(self->k.fd, KFD_CRIU_DRAIN | (KFD_CRIU_DRAIN_MAX_MS + 1), &args));
	EXPECT_ERR(EINVAL, drain(self->k.fd, KFD_CRIU_DRAIN | KFD_CRIU_DRAIN_MS_MASK, &args));
	EXPECT_ERR(EINVAL, drain(self->k.fd, KFD_CRIU_DRAIN_ONLY, &args));
	EXPECT_ERR(EINVAL, drain(self->k.fd, KFD_CRIU_DRAIN_ONLY | 10, &args));
	EXPECT_EQ(0, fd_value(self->k.fd, "kfd-paused"));
	/* A pointer says nothing, and is left alone. */
	ASSERT_OK(drain(self->k.fd, (uintptr_t)&args, &args));
	EXPECT_EQ((uintptr_t)&args, args.priv_data);
	EXPECT_OK(kfd_criu_unpause(self->k.fd));
	ASSERT_OK(drain(self->k.fd, 0, &args));
	EXPECT_EQ(0, args.priv_data);
	EXPECT_OK(kfd_criu_unpause(self->k.fd));
	/* The longest that there is, of queues that have nothing to do. */
	ASSERT_OK(drain(self->k.fd, KFD_CRIU_DRAIN | KFD_CRIU_DRAIN_ONLY | LONG_MS, &args));
	EXPECT_EQ(KFD_CRIU_DRAIN_ANSWERED | KFD_CRIU_DRAINED, args.priv_data);
	EXPECT_EQ(1, fd_value(self->k.fd, "kfd-paused"));
	EXPECT_OK(kfd_criu_unpause(self->k.fd));
}

/**
 * struct opener - a thread that opens the gate after a while
 * @word: the words
 * @ms: how long it waits first
 */
struct opener {
	volatile uint64_t *word;
	unsigned int ms;
};

static void *open_later(void *arg)
{
	struct opener *o = arg;

	kfd_sleep_ms(o->ms);
	open_gate(o->word);
	return NULL;
}

FIXTURE(drain_type) { struct kfd k; };

FIXTURE_VARIANT(drain_type) { uint32_t type; };

FIXTURE_VARIANT_ADD(drain_type, pm4) { .type = KFD_IOC_QUEUE_TYPE_COMPUTE };
FIXTURE_VARIANT_ADD(drain_type, aql) { .type = KFD_IOC_QUEUE_TYPE_COMPUTE_AQL };
FIXTURE_VARIANT_ADD(drain_type, sdma) { .type = KFD_IOC_QUEUE_TYPE_SDMA };

FIXTURE_SETUP(drain_type)
{
	ASSERT_OK(kfd_start(&self->k));
}

FIXTURE_TEARDOWN(drain_type)
{
	kfd_stop(&self->k);
}

TEST_F_TIMEOUT(drain_type, queue_that_gets_there_is_waited_for, 90)
{
	struct kfd_ioctl_criu_args args;
	int last = self->k.num_gpus - 1;
	struct kfd_queue q, near;
	struct kfd_bo words;
	struct opener o = { .ms = SHORT_MS };
	pthread_t thread;
	uint64_t start;

	REQUIRE_OURS();
	/* On the last GPU, besides one that has nothing to do. */
	ASSERT_OK(kfd_bo_create(&self->k, last, MEM_GTT, KFD_PAGE, &words));
	ASSERT_OK(kfd_queue_create(&self->k, 0, variant->type, RING, &near));
	ASSERT_OK(kfd_queue_create(&self->k, last, variant->type, RING, &q));
	ASSERT_OK(put_wait(&q, &words, DONE));
	o.word = words.cpu;
	start = kfd_now_ms();
	ASSERT_EQ(0, pthread_create(&thread, NULL, open_later, &o));
	ASSERT_OK(drain(self->k.fd, KFD_CRIU_DRAIN | KFD_CRIU_DRAIN_ONLY | LONG_MS, &args));
	EXPECT_GE(kfd_now_ms() - start, SHORT_MS - 10);
	EXPECT_LT(kfd_now_ms() - start, LONG_MS);
	EXPECT_EQ(KFD_CRIU_DRAIN_ANSWERED | KFD_CRIU_DRAINED, args.priv_data);
	/* All of it is done, and seen by the CPU. */
	EXPECT_OK(kfd_queue_wait(&q, 0));
	if (variant->type != KFD_IOC_QUEUE_TYPE_COMPUTE_AQL)
		EXPECT_EQ(1, o.word[DONE]);
	EXPECT_EQ(1, fd_value(self->k.fd, "kfd-paused"));
	EXPECT_OK(kfd_criu_unpause(self->k.fd));
	ASSERT_EQ(0, pthread_join(thread, NULL));
}

TEST_F_TIMEOUT(drain_type, queue_that_does_not_is_preempted_in_place, 90)
{
	struct kfd_ioctl_criu_args args;
	struct kfd_bo words;
	struct kfd_queue q;
	uint64_t start;

	REQUIRE_OURS();
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, KFD_PAGE, &words));
	ASSERT_OK(kfd_queue_create(&self->k, 0, variant->type, RING, &q));
	ASSERT_OK(put_wait(&q, &words, DONE));
	start = kfd_now_ms();
	ASSERT_OK(drain(self->k.fd, KFD_CRIU_DRAIN | SHORT_MS, &args));
	EXPECT_GE(kfd_now_ms() - start, SHORT_MS - 10);
	EXPECT_EQ(KFD_CRIU_DRAIN_ANSWERED, args.priv_data);
	open_gate(words.cpu);
	kfd_sleep_ms(20);
	EXPECT_EQ(0, ((volatile uint64_t *)words.cpu)[DONE]);
	EXPECT_ERR(ETIMEDOUT, kfd_queue_wait(&q, 0));
	EXPECT_OK(kfd_criu_unpause(self->k.fd));
	EXPECT_OK(kfd_queue_wait(&q, PATIENCE));
}

TEST_F_TIMEOUT(drain_type, only_drained_queues_or_ETIME, 90)
{
	struct kfd_ioctl_criu_args args;
	struct kfd_bo words;
	struct kfd_queue q;
	uint64_t start;

	REQUIRE_OURS();
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, KFD_PAGE, &words));
	ASSERT_OK(kfd_queue_create(&self->k, 0, variant->type, RING, &q));
	ASSERT_OK(put_wait(&q, &words, DONE));
	start = kfd_now_ms();
	EXPECT_ERR(ETIME, drain(self->k.fd, KFD_CRIU_DRAIN | KFD_CRIU_DRAIN_ONLY | SHORT_MS,
				&args));
	EXPECT_GE(kfd_now_ms() - start, SHORT_MS - 10);
	EXPECT_TRUE(refused_for(self->k.fd, q.id, self->k.gpu[0].gpu_id));
	EXPECT_EQ(0, fd_value(self->k.fd, "kfd-paused"));
	EXPECT_ERR(EINVAL, kfd_criu_unpause(self->k.fd));
	/* It has not been touched, and goes on. */
	open_gate(words.cpu);
	EXPECT_OK(kfd_queue_wait(&q, PATIENCE));
	EXPECT_OK(drain(self->k.fd, KFD_CRIU_DRAIN | KFD_CRIU_DRAIN_ONLY | LONG_MS, &args));
	EXPECT_EQ(KFD_CRIU_DRAIN_ANSWERED | KFD_CRIU_DRAINED, args.priv_data);
	EXPECT_OK(kfd_criu_unpause(self->k.fd));
}

TEST_F(drain, without_time_it_is_one_look)
{
	struct kfd_ioctl_criu_args args;

	REQUIRE_OURS();
	ASSERT_OK(drain(self->k.fd, KFD_CRIU_DRAIN | KFD_CRIU_DRAIN_ONLY, &args));
	EXPECT_EQ(KFD_CRIU_DRAIN_ANSWERED | KFD_CRIU_DRAINED, args.priv_data);
	EXPECT_OK(kfd_criu_unpause(self->k.fd));
	ASSERT_OK(put_wait(&self->q, &self->words, DONE));
	EXPECT_ERR(ETIME, drain(self->k.fd, KFD_CRIU_DRAIN | KFD_CRIU_DRAIN_ONLY, &args));
	EXPECT_TRUE(refused_for(self->k.fd, self->q.id, self->k.gpu[0].gpu_id));
	ASSERT_OK(drain(self->k.fd, KFD_CRIU_DRAIN, &args));
	EXPECT_EQ(KFD_CRIU_DRAIN_ANSWERED, args.priv_data);
	/* Paused in the middle: that cannot become better by waiting. */
	EXPECT_ERR(ETIME, drain(self->k.fd, KFD_CRIU_DRAIN | KFD_CRIU_DRAIN_ONLY | LONG_MS,
				&args));
	EXPECT_EQ(1, fd_value(self->k.fd, "kfd-paused"));
	ASSERT_OK(drain(self->k.fd, KFD_CRIU_DRAIN | LONG_MS, &args));
	EXPECT_EQ(KFD_CRIU_DRAIN_ANSWERED, args.priv_data);
	EXPECT_OK(kfd_criu_unpause(self->k.fd));
	open_gate(self->word);
	EXPECT_OK(kfd_queue_wait(&self->q, PATIENCE));
	/* Paused when it was done: whoever asks is told so. */
	ASSERT_OK(drain(self->k.fd, KFD_CRIU_DRAIN | LONG_MS, &args));
	ASSERT_OK(drain(self->k.fd, KFD_CRIU_DRAIN | KFD_CRIU_DRAIN_ONLY, &args));
	EXPECT_EQ(KFD_CRIU_DRAIN_ANSWERED | KFD_CRIU_DRAINED, args.priv_data);
	EXPECT_OK(kfd_criu_unpause(self->k.fd));
}

/* In the middle of an indirect buffer the ring looks as if all of it was done. */
TEST_F(drain, indirect_buffer_counts)
{
	struct kfd_ioctl_criu_args args;
	uint32_t *ib, p[8], n;
	struct kfd_bo bo;

	REQUIRE_OURS();
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, KFD_PAGE, &bo));
	ib = bo.cpu;
	n = pm4_wait_reg_mem(ib, PM4_FUNC_EQUAL, word_va(&self->words, GATE), 1, ~0u);
	n += pm4_write_data(ib + n, word_va(&self->words, DONE), 1);
	ASSERT_OK(kfd_queue_emit(&self->q, p, pm4_indirect_buffer(p, bo.va, n)));
	kfd_queue_submit(&self->q);
	EXPECT_ERR(ETIME, drain(self->k.fd, KFD_CRIU_DRAIN | KFD_CRIU_DRAIN_ONLY | SHORT_MS,
				&args));
	open_gate(self->word);
	ASSERT_OK(drain(self->k.fd, KFD_CRIU_DRAIN | KFD_CRIU_DRAIN_ONLY | LONG_MS, &args));
	EXPECT_EQ(1, self->word[DONE]);
	EXPECT_OK(kfd_criu_unpause(self->k.fd));
}

/* What will never go on by itself is not waited for. */
TEST_F(drain, disabled_and_halted_queues_count_as_done)
{
	uint64_t end = kfd_now_ms() + PATIENCE;
	struct kfd_queue bad, off, lost;
	struct kfd_ioctl_criu_args args;
	uint32_t p[8];

	REQUIRE_OURS();
	REQUIRE_SIM();
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, RING, &bad));
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, RING, &off));
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, RING, &lost));
	ASSERT_OK(put_wait(&off, &self->words, DONE));
	EXPECT_ERR(ETIME, drain(self->k.fd, KFD_CRIU_DRAIN | KFD_CRIU_DRAIN_ONLY, &args));
	ASSERT_OK(kfd_queue_update(&self->k, &off, off.ring.va, RING, 0));
	/* A dispatch that there is no shader for, and a write to nowhere. */
	ASSERT_OK(kfd_queue_emit(&bad, p, pm4_dispatch_direct(p, 1, 1, 1)));
	kfd_queue_submit(&bad);
	ASSERT_OK(kfd_queue_emit(&lost, p, pm4_write_data(p, 0x700000000000, 1)));
	kfd_queue_submit(&lost);
	while (drain(self->k.fd, KFD_CRIU_DRAIN | KFD_CRIU_DRAIN_ONLY, &args))
		ASSERT_LT(kfd_now_ms(), end);
	EXPECT_EQ(KFD_CRIU_DRAIN_ANSWERED | KFD_CRIU_DRAINED, args.priv_data);
	EXPECT_OK(kfd_criu_unpause(self->k.fd));
	/* Enabled again, it has its work still. */
	ASSERT_OK(kfd_queue_update(&self->k, &off, off.ring.va, RING, 100));
	EXPECT_ERR(ETIME, drain(self->k.fd, KFD_CRIU_DRAIN | KFD_CRIU_DRAIN_ONLY, &args));
	open_gate(self->word);
	EXPECT_OK(kfd_queue_wait(&off, PATIENCE));
}

/**
 * struct waiter - a thread that drains
 * @fd: the process's file
 * @request: what it asks for
 * @args: the answer
 * @ret: how it went
 * @done: it is over
 */
struct waiter {
	int fd;
	uint64_t request;
	struct kfd_ioctl_criu_args args;
	int ret;
	volatile int done;
};

static void *drain_thread(void *arg)
{
	struct waiter *w = arg;

	w->ret = drain(w->fd, w->request, &w->args);
	w->done = 1;
	return NULL;
}

TEST_F_TIMEOUT(drain, process_goes_on_while_it_is_waited_for, 90)
{
	struct waiter w = { .fd = self->k.fd, .request = KFD_CRIU_DRAIN | LONG_MS };
	struct kfd_ioctl_create_event_args ev;
	struct kfd_queue other;
	pthread_t thread;
	struct kfd_bo bo;
	uint32_t p[8];
	int i;

	REQUIRE_OURS();
	ASSERT_OK(put_wait(&self->q, &self->words, DONE));
	ASSERT_EQ(0, pthread_create(&thread, NULL, drain_thread, &w));
	kfd_sleep_ms(50);
	for (i = 0; i < 5; i++) {
		ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_VRAM, KFD_PAGE, &bo));
		ASSERT_OK(kfd_event_create(&self->k, KFD_IOC_EVENT_SIGNAL, true, &ev));
		ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, RING,
					   &other));
		EXPECT_OK(kfd_queue_run(&other, p, pm4_write_data(p, word_va(&self->words, OTHER),
								  7 + i)));
		EXPECT_EQ(7 + i, self->word[OTHER]);
		EXPECT_EQ(0, fd_value(self->k.fd, "kfd-paused"));
		EXPECT_OK(kfd_queue_destroy(&self->k, &other));
		EXPECT_OK(kfd_event_destroy(&self->k, ev.event_id));
		EXPECT_OK(kfd_bo_destroy(&self->k, &bo));
	}
	EXPECT_EQ(0, w.done);
	/* More work for the same queue is waited for, too. */
	ASSERT_OK(kfd_queue_emit(&self->q, p,
				 pm4_write_data(p, word_va(&self->words, OTHER), 99)));
	kfd_queue_submit(&self->q);
	open_gate(self->word);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_OK(w.ret);
	EXPECT_EQ(KFD_CRIU_DRAIN_ANSWERED | KFD_CRIU_DRAINED, w.args.priv_data);
	EXPECT_EQ(1, self->word[DONE]);
	EXPECT_EQ(99, self->word[OTHER]);
	EXPECT_OK(kfd_criu_unpause(self->k.fd));
}

/* --- a dumper and its process -------------------------------------------------- */

/* The workload's queues wait for its gate: without it they get nowhere. */
static int dump_and_drain(struct kfd_victim *v)
{
	struct kfd_ioctl_criu_args args;
	int ret = kfd_target_seize(v->t);

	v->phase = ret ? ret : 1;
	if (!ret)
		ret = drain(v->t->fd, KFD_CRIU_DRAIN | LONG_MS, &args);
	v->phase = 2;
	return ret;
}

TEST_F_TIMEOUT(drain, killed_dumper_leaves_the_process_alone, 120)
{
	struct kfd_workload *w = kfd_workload_new();
	struct kfd_victim *v = kfd_victim_new();
	struct kfd_ioctl_criu_args args;
	struct kfd_target t;
	uint64_t start;
	pid_t dumper;
	int status;

	REQUIRE_OURS();
	ASSERT_NE(NULL, w);
	ASSERT_NE(NULL, v);
	ASSERT_OK(kfd_target_start(&t, w, WORKLOAD_SMALL));
	v->fn = dump_and_drain;
	v->t = &t;
	dumper = kfd_victim_run(v);
	ASSERT_OK(kfd_wait_flag(&v->phase));
	ASSERT_EQ(1, v->phase);
	kfd_sleep_ms(100);
	EXPECT_EQ(1, v->phase);
	start = kfd_now_ms();
	kill(dumper, SIGKILL);
	ASSERT_EQ(dumper, waitpid(dumper, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_LT(kfd_now_ms() - start, LONG_MS / 2);
	/* Nobody has it paused, and another dumper may come. */
	ASSERT_OK(kfd_target_seize(&t));
	EXPECT_EQ(0, fd_value(t.fd, "kfd-paused"));
	EXPECT_ERR(ETIME, drain(t.fd, KFD_CRIU_DRAIN | KFD_CRIU_DRAIN_ONLY | SHORT_MS, &args));
	EXPECT_OK(kfd_target_release(&t));
	EXPECT_OK(kfd_target_finish(&t));
}

/* A dump after a drain in vain is as good as any: what was not done is in it. */
static int restored(void *arg)
{
	struct kfd_victim *v = arg;
	int ret;

	/* What the dumped process has there, a fork has brought along. */
	munmap((void *)(uintptr_t)v->t->w->user.va, KFD_PAGE);
	ret = kfd_workload_restore(v->t->w, v->s);
	if (!ret)
		ret = kfd_criu_resume(v->t->w->k.fd, getpid());
	return ret ? ret : kfd_workload_finish(v->t->w);
}

static int drain_and_save(void *arg)
{
	struct kfd_victim *v = arg;
	struct kfd_workload *w = v->t->w;
	struct kfd_ioctl_criu_args args;
	int ret;

	ret = kfd_workload_start(w, 0);
	if (!ret)
		ret = drain(w->k.fd, KFD_CRIU_DRAIN | SHORT_MS, &args);
	if (!ret && args.priv_data != KFD_CRIU_DRAIN_ANSWERED)
		ret = -EPROTO;
	if (!ret)
		ret = kfd_workload_save(w, v->s);
	return ret ? ret : kfd_in_child(restored, v);
}

TEST(dump_of_what_was_not_done)
{
	struct kfd_workload *w = kfd_workload_new();
	struct kfd_target t = { .w = w };
	struct kfd_snapshot s;
	struct kfd_victim v = { .t = &t, .s = &s };

	REQUIRE_OURS();
	ASSERT_NE(NULL, w);
	EXPECT_OK(kfd_in_child(drain_and_save, &v)) TH_LOG("%s", w->step);
}

KFD_TEST_MAIN
