// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes whose queues run, from two threads, while they become another
 * program or end, and perhaps while a tracer dumps them in a loop. Nothing may
 * be left of them; what else could go wrong is for the kernel to tell.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/ptrace.h>

#include "lib/kfd_test.h"
#include "lib/kfd_workload.h"

#define RING		4096
#define NUM_THREADS	2
#define ROUNDS		24

/**
 * struct shared - what a process and its tracer share
 * @fd: the process's /dev/kfd
 * @ready: its queues run; negative: what went wrong
 */
struct shared {
	volatile int fd;
	volatile int ready;
};

/**
 * struct victim - a process that does not stay
 * @shared: with its tracer
 * @keep: the driver's file stays open over the exec
 * @exit: it just ends instead
 * @ms: so long after its queues have begun to run
 */
struct victim {
	struct shared *shared;
	bool keep, exit;
	unsigned int ms;
};

struct worker {
	struct kfd_queue q;
	struct kfd_bo *words;
	int number;
};

/* One packet after the other; that a queue does not go on ends the process. */
static void *work(void *arg)
{
	struct worker *w = arg;
	volatile uint32_t *word = (uint32_t *)w->words->cpu + w->number;
	uint64_t va = w->words->va + w->number * sizeof(*word);
	uint32_t p[8], n;

	for (n = 1; ; n++)
		if (kfd_queue_run(&w->q, p, sdma_fence(p, va, n)) || *word != n)
			_exit(EIO);
	return NULL;
}

static int start_work(struct kfd *k, struct kfd_bo *words)
{
	static struct worker workers[NUM_THREADS];
	pthread_t thread;
	int ret, i;

	ret = kfd_start(k);
	if (!ret)
		ret = kfd_bo_create(k, 0, MEM_GTT, KFD_PAGE, words);
	for (i = 0; i < NUM_THREADS && !ret; i++) {
		workers[i].words = words;
		workers[i].number = i;
		ret = kfd_queue_create(k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &workers[i].q);
		if (!ret)
			ret = -pthread_create(&thread, NULL, work, &workers[i]);
	}
	return ret;
}

static int run_victim(const struct victim *v)
{
	struct kfd_bo words;
	struct kfd k;
	int ret;

	ret = start_work(&k, &words);
	if (!ret && v->keep && fcntl(k.fd, F_SETFD, 0))
		ret = -errno;
	v->shared->fd = k.fd;
	v->shared->ready = ret ? ret : 1;
	kfd_sleep_ms(v->ms);
	if (ret || v->exit)
		return ret;
	execl("/bin/true", "true", NULL);
	return -errno;
}

static int dump(int fd)
{
	struct kfd_snapshot s;
	int ret;

	ret = kfd_snapshot_checkpoint(fd, &s);
	if (ret)
		return ret;
	kfd_snapshot_free(&s);
	return kfd_criu_unpause(fd);
}

/* Dump it for as long as it is there; its exit code, or what went wrong. */
static int dump_until_gone(pid_t child, int fd, int *dumps)
{
	int status, ret;

	for (;;) {
		pid_t got = waitpid(child, &status, WNOHANG | __WALL);

		if (got == child && !WIFSTOPPED(status))
			return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
		if (got == child)
			ptrace(PTRACE_CONT, child, 0, WSTOPSIG(status) == SIGTRAP ? 0 :
			       WSTOPSIG(status));
		ret = dump(fd);
		*dumps += !ret;
		/* What it was is gone, and who has ended has no tracer. */
		if (ret && ret != -EBADF && ret != -ESRCH)
			return ret;
	}
}

static int end_of(pid_t child, int fd, int *dumps)
{
	/* It may be gone before anybody gets hold of it. */
	if (fd < 0 || ptrace(PTRACE_SEIZE, child, 0, 0))
		return kfd_wait_child(child);
	return dump_until_gone(child, fd, dumps);
}

FIXTURE(race_exec) { struct shared *shared; };

FIXTURE_SETUP(race_exec)
{
	self->shared = mmap(NULL, KFD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			    -1, 0);
	ASSERT_NE(MAP_FAILED, self->shared);
}

FIXTURE_TEARDOWN(race_exec)
{
	munmap(self->shared, KFD_PAGE);
}

TEST_F_TIMEOUT(race_exec, exec_and_exit_while_queues_run, 120)
{
	struct victim v = { .shared = self->shared };
	uint64_t before;
	int round, dumps = 0, fd;
	struct kfd k;
	pid_t child;

	ASSERT_OK(kfd_open(&k));
	ASSERT_OK(kfd_available_settled(&k, 0, &before));
	for (round = 0; round < ROUNDS; round++) {
		v.keep = round & 1;
		v.exit = (round & 6) == 6;
		v.ms = round % 5 * 5;
		v.shared->ready = 0;
		child = fork();
		if (!child)
			_exit(-run_victim(&v) & 0xff);
		ASSERT_OK(kfd_wait_flag(&v.shared->ready));
		ASSERT_EQ(1, v.shared->ready);
		fd = round % 3 ? kfd_steal_fd(child, v.shared->fd) : -1;
		EXPECT_OK(end_of(child, fd, &dumps)) TH_LOG("round %d", round);
		if (fd >= 0)
			close(fd);
	}
	EXPECT_OK(kfd_vram_is_back(&k, before));
	/* The tracer has to have come in between now and then. */
	EXPECT_GT(dumps, 0);
	kfd_stop(&k);
}

KFD_TEST_MAIN
