// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queues of two processes on one engine: how long a packet of the one takes does
 * not depend on how many queues the other has.
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "lib/kfd_mem.h"
#include "lib/kfd_test.h"
#include "lib/kfd_workload.h"

#define FEW		2
#define MANY		200
#define RING		4096
#define IB_DWORDS	(1u << 18)
#define ROUNDS		20

/**
 * struct crowd - a process with queues that never come to an end
 * @n: how many
 * @ready: they run
 */
struct crowd {
	int n;
	volatile int ready;
};

/* A buffer of commands that do nothing, run by each queue time and again. */
static int crowd_queue(struct kfd *k, const struct kfd_bo *ib, struct kfd_queue *q)
{
	uint32_t p[16];
	int i, ret;

	ret = kfd_queue_create(k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, RING, q);
	for (i = 0; i < 200 && !ret; i++)
		ret = kfd_queue_emit(q, p, pm4_indirect_buffer(p, ib->va, IB_DWORDS));
	if (!ret)
		kfd_queue_submit(q);
	return ret;
}

static int crowds(void *arg)
{
	struct crowd *c = arg;
	struct kfd_queue *qs;
	struct kfd_bo ib;
	struct kfd k;
	uint32_t *p;
	int i, ret;

	qs = calloc(c->n, sizeof(*qs));
	ret = qs ? kfd_start(&k) : -ENOMEM;
	if (!ret)
		ret = kfd_bo_create(&k, 0, MEM_GTT, IB_DWORDS * 4, &ib);
	if (ret)
		return ret;
	for (p = ib.cpu, i = 0; i < IB_DWORDS; i += 2)
		pm4_nop(p + i, 2);
	for (i = 0; i < c->n && !ret; i++)
		ret = crowd_queue(&k, &ib, &qs[i]);
	if (ret)
		return ret;
	c->ready = 1;
	pause();
	return 0;
}

static int compare(const void *a, const void *b)
{
	return *(const uint64_t *)a < *(const uint64_t *)b ? -1 : 1;
}

/* Milliseconds that a packet takes in the middle, beside @n queues of a stranger. */
static int packet_beside(struct kfd *k, int n, uint64_t *ms)
{
	uint64_t took[ROUNDS];
	struct kfd_queue q;
	struct kfd_bo bo;
	struct crowd *c;
	uint32_t p[16];
	int i, ret;
	pid_t pid;

	c = mmap(NULL, KFD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (c == MAP_FAILED)
		return -errno;
	c->n = n;
	pid = kfd_spawn(KFD_FORK, crowds, c);
	ret = pid < 0 ? pid : kfd_wait_flag(&c->ready);
	if (!ret)
		ret = kfd_bo_create(k, 0, MEM_GTT, KFD_PAGE, &bo);
	if (!ret)
		ret = kfd_queue_create(k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, RING, &q);
	for (i = 0; i < ROUNDS && !ret; i++) {
		took[i] = kfd_now_ms();
		ret = kfd_queue_run(&q, p, pm4_write_data(p, bo.va, i));
		took[i] = kfd_now_ms() - took[i];
	}
	kill(pid, SIGKILL);
	kfd_wait_child(pid);
	munmap(c, KFD_PAGE);
	if (ret)
		return ret;
	qsort(took, ROUNDS, sizeof(*took), compare);
	*ms = took[ROUNDS / 2];
	ret = kfd_queue_destroy(k, &q);
	return ret ? ret : kfd_bo_destroy(k, &bo);
}

KFD_FIXTURE(queue_fair);

TEST_F_TIMEOUT(queue_fair, many_queues_of_a_stranger, 120)
{
	uint64_t few = 0, many = 0;

	REQUIRE_SIM();
	ASSERT_OK(packet_beside(&self->k, FEW, &few));
	ASSERT_OK(packet_beside(&self->k, MANY, &many));
	printf("# a packet: %llu ms beside %d queues, %llu ms beside %d\n",
	       (unsigned long long)few, FEW, (unsigned long long)many, MANY);
	/* A slot may have to be given back first. */
	EXPECT_GT(3 * few + 30 * kfd_time_scale(), many);
}

KFD_TEST_MAIN_OURS
