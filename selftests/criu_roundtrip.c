// SPDX-License-Identifier: GPL-2.0-only
/*
 * A whole process dumped and restored, by hand and without criu: all ids,
 * offsets and addresses come back, and the work goes on where it stood.
 */
#include <fcntl.h>
#include <sched.h>

#include "lib/kfd_test.h"
#include "lib/kfd_workload.h"

/**
 * struct trip - a dump and a restore
 * @w: the process, shared by everybody
 * @fd: file for the image
 * @flags: WORKLOAD_*
 * @swap: restore with the GPUs exchanged
 */
struct trip {
	struct kfd_workload *w;
	int fd;
	uint32_t flags;
	bool swap;
};

FIXTURE(roundtrip) { struct trip trip; };

FIXTURE_SETUP(roundtrip)
{
	self->trip.w = kfd_workload_new();
	ASSERT_NE(NULL, self->trip.w);
	self->trip.fd = memfd_create("image", MFD_CLOEXEC);
	ASSERT_GE(self->trip.fd, 0);
}

FIXTURE_TEARDOWN(roundtrip)
{
	close(self->trip.fd);
	munmap(self->trip.w, sizeof(*self->trip.w));
}

/* Dump itself into the file and go on to the end. */
static int dump_self(void *arg)
{
	struct trip *trip = arg;
	struct kfd_workload *w = trip->w, before;
	struct kfd_snapshot s;
	int ret;

	ret = kfd_workload_start(w, trip->flags);
	if (!ret)
		ret = kfd_workload_save(w, &s);
	if (ret)
		return ret;
	ret = kfd_snapshot_write(&s, trip->fd);
	if (!ret && !(trip->flags & WORKLOAD_NO_QUEUES))
		ret = kfd_workload_paused(w);
	if (!ret)
		ret = kfd_criu_unpause(w->k.fd);
	/* What is restored is the process as it was, not as it ends. */
	before = *w;
	if (!ret)
		ret = kfd_workload_finish(w);
	*w = before;
	return ret;
}

static int read_image(struct trip *trip, struct kfd_snapshot *s)
{
	if (lseek(trip->fd, 0, SEEK_SET))
		return -errno;
	return kfd_snapshot_read(s, trip->fd);
}

static int restore_paused(struct trip *trip, struct kfd_snapshot *s)
{
	int ret = read_image(trip, s);

	if (ret)
		return ret;
	s->swap = trip->swap;
	ret = kfd_workload_restore(trip->w, s);
	if (!ret && !(trip->flags & WORKLOAD_NO_QUEUES))
		ret = kfd_workload_paused(trip->w);
	return ret;
}

static int restore_self(void *arg)
{
	struct trip *trip = arg;
	struct kfd_snapshot s;
	int ret;

	ret = restore_paused(trip, &s);
	if (!ret)
		ret = kfd_criu_resume(trip->w->k.fd, getpid());
	if (!ret)
		ret = kfd_workload_finish(trip->w);
	return ret;
}

static int round_trip(struct trip *trip)
{
	int ret = kfd_in_child(dump_self, trip);

	return ret ? ret : kfd_in_child(restore_self, trip);
}

TEST_F_TIMEOUT(roundtrip, everything, 120)
{
	EXPECT_OK(round_trip(&self->trip));
}

TEST_F_TIMEOUT(roundtrip, no_queues, 60)
{
	self->trip.flags = WORKLOAD_NO_QUEUES;
	EXPECT_OK(round_trip(&self->trip));
}

TEST_F_TIMEOUT(roundtrip, no_events, 120)
{
	self->trip.flags = WORKLOAD_NO_EVENTS;
	EXPECT_OK(round_trip(&self->trip));
}

TEST_F_TIMEOUT(roundtrip, only_buffers, 60)
{
	self->trip.flags = WORKLOAD_NO_EVENTS | WORKLOAD_NO_QUEUES;
	EXPECT_OK(round_trip(&self->trip));
}

TEST_F_TIMEOUT(roundtrip, on_other_gpus, 120)
{
	struct kfd k;

	ASSERT_OK(kfd_topology_read(&k));
	REQUIRE_GPUS(&k, 2);
	self->trip.swap = true;
	EXPECT_OK(round_trip(&self->trip));
}

/* The image of a restored process is as good as the first. */
static int restore_and_dump_again(void *arg)
{
	struct trip *trip = arg;
	struct kfd_workload *w = trip->w;
	struct kfd_snapshot s, second;
	int ret;

	ret = read_image(trip, &s);
	if (!ret)
		ret = kfd_workload_restore(w, &s);
	if (!ret)
		ret = kfd_criu_resume(w->k.fd, getpid());
	if (!ret)
		ret = kfd_workload_same_ids(w, &s);
	if (!ret)
		ret = kfd_workload_save(w, &second);
	if (ret)
		return ret;
	if (ftruncate(trip->fd, 0) || lseek(trip->fd, 0, SEEK_SET))
		return -errno;
	return kfd_snapshot_write(&second, trip->fd);
}

TEST_F_TIMEOUT(roundtrip, twice_over, 180)
{
	ASSERT_OK(kfd_in_child(dump_self, &self->trip));
	ASSERT_OK(kfd_in_child(restore_and_dump_again, &self->trip));
	EXPECT_OK(kfd_in_child(restore_self, &self->trip));
}

/* Two processes out of one image, both at a time. */
static int restore_two(void *arg)
{
	struct trip *trip = arg;
	struct kfd_workload *mine = kfd_workload_new();
	struct trip copy = *trip;
	int ret, ret2;
	pid_t pid;

	if (!mine)
		return -ENOMEM;
	*mine = *trip->w;
	copy.w = mine;
	pid = fork();
	if (!pid) {
		/* A file of its own: the offset of the other one is shared. */
		char path[64];

		snprintf(path, sizeof(path), "/proc/self/fd/%d", trip->fd);
		copy.fd = open(path, O_RDONLY | O_CLOEXEC);
		ret = restore_self(&copy);
		fflush(stdout);
		_exit(-ret & 0xff);
	}
	ret = restore_self(trip);
	ret2 = kfd_wait_child(pid);
	return ret ? ret : ret2;
}

TEST_F_TIMEOUT(roundtrip, two_from_one_image, 180)
{
	ASSERT_OK(kfd_in_child(dump_self, &self->trip));
	EXPECT_OK(kfd_in_child(restore_two, &self->trip));
}

/* Dumped by its tracer, which then lets it go on. */
TEST_F_TIMEOUT(roundtrip, dumped_by_a_tracer, 180)
{
	struct kfd viewer = { .fd = -1 };
	struct kfd_workload before;
	struct kfd_snapshot s;
	struct kfd_target t;
	int fds;

	ASSERT_OK(kfd_target_start(&t, self->trip.w, 0));
	ASSERT_OK(kfd_topology_read(&viewer));
	ASSERT_OK(kfd_open_drm(&viewer));
	ASSERT_OK(kfd_target_seize(&t));
	fds = kfd_count_fds();
	ASSERT_OK(kfd_snapshot_dump(&viewer, t.fd, &s));
	EXPECT_EQ(t.pid, s.info.pid);
	EXPECT_EQ(fds, kfd_count_fds());
	memset(self->trip.w->user_copy, 0x11, KFD_PAGE);
	before = *self->trip.w;
	ASSERT_OK(kfd_snapshot_write(&s, self->trip.fd));
	ASSERT_OK(kfd_criu_unpause(t.fd));
	ASSERT_OK(kfd_target_release(&t));
	EXPECT_OK(kfd_target_finish(&t));
	*self->trip.w = before;
	EXPECT_OK(kfd_in_child(restore_self, &self->trip));
	kfd_snapshot_free(&s);
	kfd_stop(&viewer);
}

/* As CRIU does it: the process restores itself, its tracer resumes it. */
TEST_F_TIMEOUT(roundtrip, resumed_by_a_tracer, 180)
{
	struct kfd_workload *w = self->trip.w;
	struct kfd_target t = { .w = w, .fd = -1 };
	struct kfd_snapshot s;
	int ret;

	ASSERT_OK(kfd_in_child(dump_self, &self->trip));
	w->ready = 0;
	w->go = 0;
	t.pid = fork();
	if (!t.pid) {
		ret = restore_paused(&self->trip, &s);
		w->ready = ret ? ret : 1;
		if (!ret)
			ret = kfd_wait_flag(&w->go);
		if (!ret)
			ret = kfd_workload_finish(w);
		fflush(stdout);
		_exit(-ret & 0xff);
	}
	ASSERT_GT(t.pid, 0);
	ASSERT_OK(kfd_wait_flag(&w->ready));
	ASSERT_EQ(1, w->ready);
	ASSERT_OK(kfd_target_seize(&t));
	EXPECT_OK(kfd_criu_resume(t.fd, t.pid));
	EXPECT_ERR(EINVAL, kfd_criu_resume(t.fd, t.pid));
	ASSERT_OK(kfd_target_release(&t));
	EXPECT_OK(kfd_target_finish(&t));
}

#define CHAIN	4000

/* A chain that nothing holds up: it is dumped wherever it happens to be. */
struct chain {
	struct kfd k;
	struct kfd_bo words, a, b;
	struct kfd_queue q;
	int fd;
};

/* -EAGAIN: a busy machine has let the chain come to its end before the dump. */
static int chain_dump(void *arg)
{
	struct chain *c = arg;
	struct kfd_snapshot s;
	uint32_t p[8];
	int ret, i;

	ret = kfd_start(&c->k);
	if (!ret)
		ret = kfd_bo_create(&c->k, 0, MEM_GTT, KFD_PAGE, &c->words);
	if (!ret)
		ret = kfd_bo_create(&c->k, 0, MEM_VRAM, 65536, &c->a);
	if (!ret)
		ret = kfd_bo_create(&c->k, 0, MEM_VRAM, 65536, &c->b);
	if (!ret)
		ret = kfd_queue_create(&c->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, 512 << 10, &c->q);
	if (ret)
		return ret;
	kfd_fill_pattern(c->a.cpu, 65536, 1);
	for (i = 0; i < CHAIN && !ret; i++) {
		uint64_t from = i % 2 ? c->b.va : c->a.va, to = i % 2 ? c->a.va : c->b.va;

		/* One copy and one count, so that nothing may happen twice. */
		ret = kfd_queue_emit(&c->q, p, sdma_copy(p, to, from, 65536));
		if (!ret)
			ret = kfd_queue_emit(&c->q, p, sdma_atomic_add64(p, c->words.va, 1));
	}
	kfd_queue_submit(&c->q);
	while (!ret && *(volatile uint64_t *)c->words.cpu < CHAIN / 10)
		kfd_sleep_ms(1);
	if (!ret)
		ret = kfd_snapshot_dump(&c->k, c->k.fd, &s);
	if (!ret && *(volatile uint64_t *)c->words.cpu == CHAIN)
		ret = -EAGAIN;
	return ret ? ret : kfd_snapshot_write(&s, c->fd);
}

static int chain_restore(void *arg)
{
	struct chain *c = arg;
	struct kfd_snapshot s;
	uint64_t done;
	struct kfd k;
	int ret;

	lseek(c->fd, 0, SEEK_SET);
	ret = kfd_snapshot_read(&s, c->fd);
	if (!ret)
		ret = kfd_snapshot_restore(&k, &s);
	if (ret)
		return ret;
	done = *(volatile uint64_t *)c->words.cpu;
	printf("# dumped after %llu of %d\n", (unsigned long long)done, CHAIN);
	if (done < CHAIN / 10 || done >= CHAIN)
		return -ERANGE;
	ret = kfd_criu_resume(k.fd, getpid());
	if (!ret)
		ret = kfd_wait_u64(c->words.cpu, CHAIN, 60000);
	if (!ret && !kfd_check_pattern(c->a.cpu, 65536, 1))
		ret = -EILSEQ;
	return ret;
}

TEST_F_TIMEOUT(roundtrip, chain_in_full_swing, 180)
{
	struct chain *c = mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int ret, tries = 20;

	ASSERT_NE(MAP_FAILED, c);
	c->fd = self->trip.fd;
	do
		ret = kfd_in_child(chain_dump, c);
	while (ret == -EAGAIN && --tries);
	ASSERT_OK(ret);
	EXPECT_OK(kfd_in_child(chain_restore, c));
}

/* Until a counter that stood at @seen goes on. */
static int wait_past(const volatile uint64_t *counter, uint64_t seen)
{
	uint64_t end = kfd_now_ms() + PATIENCE;

	while (*counter == seen) {
		if (kfd_now_ms() > end)
			return -ETIMEDOUT;
		sched_yield();
	}
	return 0;
}

/*
 * Dump and unpause again and again under a running chain: no word is lost. It
 * gets on a little each time: the next dump would come before its engine woke up.
 */
TEST_F_TIMEOUT(roundtrip, many_dumps_of_a_running_process, 180)
{
	struct kfd_snapshot s;
	struct kfd_queue q;
	struct kfd_bo words, mem;
	unsigned int under_way = 0;
	struct kfd k;
	uint32_t p[8];
	int i;

	ASSERT_OK(kfd_start(&k));
	ASSERT_OK(kfd_bo_create(&k, 0, MEM_GTT, KFD_PAGE, &words));
	ASSERT_OK(kfd_bo_create(&k, 0, MEM_VRAM, 2 * 65536, &mem));
	ASSERT_OK(kfd_queue_create(&k, 0, KFD_IOC_QUEUE_TYPE_SDMA, 512 << 10, &q));
	for (i = 0; i < CHAIN; i++) {
		ASSERT_OK(kfd_queue_emit(&q, p, sdma_copy(p, mem.va, mem.va + 65536, 65536)));
		ASSERT_OK(kfd_queue_emit(&q, p, sdma_atomic_add64(p, words.va, 1)));
	}
	kfd_queue_submit(&q);
	for (i = 0; i < 50; i++) {
		uint64_t seen, later;

		ASSERT_OK(kfd_snapshot_checkpoint(k.fd, &s));
		seen = *(volatile uint64_t *)words.cpu;
		kfd_sleep_ms(2);
		later = *(volatile uint64_t *)words.cpu;
		EXPECT_EQ(seen, later);
		under_way += seen > 0 && seen < CHAIN;
		kfd_snapshot_free(&s);
		ASSERT_OK(kfd_criu_unpause(k.fd));
		if (seen < CHAIN)
			ASSERT_OK(wait_past(words.cpu, seen));
	}
	ASSERT_OK(kfd_wait_u64(words.cpu, CHAIN, PATIENCE));
	EXPECT_GT(under_way, 0);
	EXPECT_OK(kfd_queue_destroy(&k, &q));
	kfd_stop(&k);
}

KFD_TEST_MAIN
