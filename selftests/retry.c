// SPDX-License-Identifier: GPL-2.0-only
/*
 * Retry faults (XNACK on): packets that are stopped at any page, at any time,
 * and still do what they would have done, once.
 *
 * All that a queue touches is one shared file mapping: ring, pointers, buffers,
 * signals, data. A thread drops pages of it all the time, which loses nothing
 * but the GPU's view of them, and takes the queue off the hardware now and
 * then, also while it waits for a page.
 */
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "lib/kfd_svm.h"
#include "lib/kfd_test.h"

#define RING	16384		/* bytes */
#define PTRS	RING
#define IB	(PTRS + KFD_PAGE)
#define SIGNAL	(IB + 4 * KFD_PAGE)
#define DATA	(SIGNAL + 4 * KFD_PAGE)
#define PAGES	128
#define SIZE	(PAGES * KFD_PAGE)
#define ROUNDS	30

/**
 * struct disturber - who drops pages and stops the queue
 * @thread: does it
 * @runs: there is one
 * @stop: it is to end
 * @failed: errno of what went wrong
 * @k: the process
 * @q: the queue
 * @mem: the memory
 */
struct disturber {
	pthread_t thread;
	bool runs;
	volatile bool stop;
	int failed;
	struct kfd *k;
	struct kfd_queue *q;
	char *mem;
};

FIXTURE(retry)
{
	struct kfd k;
	struct kfd_queue q;
	char *mem;
	uint64_t va;
	uint32_t p[512];
	struct disturber d;
};

FIXTURE_SETUP(retry)
{
	int fd;

	ASSERT_OK(kfd_start(&self->k));
	ASSERT_EQ(1, kfd_set_xnack(&self->k, 1));
	self->va = kfd_reserve_va(&self->k, SIZE);
	fd = memfd_create("retry", MFD_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_OK(ftruncate(fd, SIZE));
	self->mem = mmap((void *)(uintptr_t)self->va, SIZE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, fd, 0);
	ASSERT_EQ(self->va, (uintptr_t)self->mem);
	close(fd);
	ASSERT_OK(kfd_svm_set1(&self->k, self->mem, SIZE, KFD_IOCTL_SVM_ATTR_ACCESS,
			       self->k.gpu[0].gpu_id));
	/* a fault brings one page, and not its neighbours */
	ASSERT_OK(kfd_svm_set1(&self->k, self->mem, SIZE, KFD_IOCTL_SVM_ATTR_GRANULARITY, 0));
}

FIXTURE_TEARDOWN(retry)
{
	self->d.stop = true;
	if (self->d.runs)
		pthread_join(self->d.thread, NULL);
	kfd_stop(&self->k);
}

/* A queue whose ring and pointers are in @mem. */
static int queue_in(struct kfd *k, uint32_t type, char *mem, struct kfd_queue *q)
{
	uint64_t old;
	int ret;

	ret = kfd_queue_buffers(k, 0, type, RING, q);
	if (ret)
		return ret;
	memcpy(mem, q->ring.cpu, RING);
	old = q->ptrs.va;
	ret = kfd_bo_destroy(k, &q->ring);
	if (!ret)
		ret = kfd_bo_destroy(k, &q->ptrs);
	if (ret)
		return ret;
	q->ring = (struct kfd_bo) { .va = (uintptr_t)mem, .cpu = mem };
	q->ptrs = (struct kfd_bo) { .va = (uintptr_t)mem + PTRS, .cpu = mem + PTRS };
	q->args.ring_base_address = q->ring.va;
	q->args.write_pointer_address += q->ptrs.va - old;
	q->args.read_pointer_address += q->ptrs.va - old;
	return kfd_queue_make(k, q);
}

static void *disturb(void *arg)
{
	struct disturber *d = arg;
	unsigned int seed = 1, first, n;

	while (!d->stop) {
		first = rand_r(&seed) % PAGES;
		n = 1 + rand_r(&seed) % 6;
		if (first + n > PAGES)
			n = PAGES - first;
		if (madvise(d->mem + first * KFD_PAGE, n * KFD_PAGE, MADV_DONTNEED))
			d->failed = errno;
		if (rand_r(&seed) % 64 == 0 &&
		    (kfd_queue_update(d->k, d->q, d->q->ring.va, RING, 0) ||
		     kfd_queue_update(d->k, d->q, d->q->ring.va, RING, 100)))
			d->failed = EIO;
		usleep(rand_r(&seed) % 100);
	}
	return NULL;
}

#define START(type) \
	do { \
		ASSERT_OK(queue_in(&self->k, type, self->mem, &self->q)); \
		self->d.k = &self->k; \
		self->d.q = &self->q; \
		self->d.mem = self->mem; \
		ASSERT_OK(pthread_create(&self->d.thread, NULL, disturb, &self->d)); \
		self->d.runs = true; \
	} while (0)

/* It was really disturbed, and lives. How often is chance. */
#define END() \
	do { \
		self->d.stop = true; \
		ASSERT_EQ(0, pthread_join(self->d.thread, NULL)); \
		self->d.runs = false; \
		EXPECT_EQ(0, self->d.failed); \
		if (kfd_sim_present()) \
			EXPECT_LE(ROUNDS / 6, kfd_sim_retries()); \
		ASSERT_OK(kfd_queue_destroy(&self->k, &self->q)); \
	} while (0)

#define EMIT(build) ASSERT_OK(kfd_queue_emit(&self->q, self->p, build))
#define RUN(build)  ASSERT_OK(kfd_queue_run(&self->q, self->p, build))

/* What the GPU has to make of @data, computed by the CPU. */
static void expect_sdma(char *data, unsigned int round)
{
	uint32_t i, word;

	/* over itself, upwards */
	memmove(data, data + 100, 20 * KFD_PAGE);
	/* the first destination lies over the source, the second does not */
	memmove(data + 30 * KFD_PAGE, data + 30 * KFD_PAGE + 300, 9 * KFD_PAGE);
	memcpy(data + 45 * KFD_PAGE + 1000, data + 30 * KFD_PAGE + 300, 9 * KFD_PAGE);
	for (i = 0; i < 3 * KFD_PAGE / 4; i++) {
		word = 0xabc00000 + round;
		memcpy(data + 60 * KFD_PAGE + 2000 + i * 4, &word, 4);
	}
	for (i = 0; i < 300; i++) {
		word = round * 1000 + i;
		memcpy(data + 71 * KFD_PAGE - 600 + i * 4, &word, 4);
	}
}

TEST_F(retry, sdma)
{
	uint64_t d = self->va + DATA, bytes = SIZE - DATA, *count;
	uint32_t *p = self->p, words[300];
	char *expected = malloc(bytes);
	unsigned int round, i;

	ASSERT_NE(NULL, expected);
	START(KFD_IOC_QUEUE_TYPE_SDMA);
	count = (uint64_t *)(self->mem + SIGNAL);
	for (round = 1; round <= ROUNDS; round++) {
		kfd_fill_pattern(self->mem + DATA, bytes, round);
		memcpy(expected, self->mem + DATA, bytes);
		expect_sdma(expected, round);
		for (i = 0; i < 300; i++)
			words[i] = round * 1000 + i;
		EMIT(sdma_copy(p, d, d + 100, 20 * KFD_PAGE));
		EMIT(sdma_copy_broadcast(p, d + 30 * KFD_PAGE, d + 45 * KFD_PAGE + 1000,
					 d + 30 * KFD_PAGE + 300, 9 * KFD_PAGE));
		EMIT(sdma_fill(p, d + 60 * KFD_PAGE + 2000, 0xabc00000 + round, 3 * KFD_PAGE));
		EMIT(sdma_write(p, d + 71 * KFD_PAGE - 600, words, 300));
		RUN(sdma_atomic_add64(p, self->va + SIGNAL, 1));
		ASSERT_EQ(round, *(volatile uint64_t *)count);
		ASSERT_EQ(0, memcmp(expected, self->mem + DATA, bytes));
	}
	END();
	free(expected);
}

TEST_F(retry, pm4)
{
	uint32_t *p = self->p, *ib = (uint32_t *)(self->mem + IB), words[256];
	uint64_t d = self->va + DATA;
	unsigned int round, i, n;

	START(KFD_IOC_QUEUE_TYPE_COMPUTE);
	for (round = 1; round <= ROUNDS; round++) {
		memset(self->mem + DATA, 0, SIZE - DATA);
		kfd_fill_pattern(words, sizeof(words), round);
		/* far apart in a buffer of several pages, which one page stops */
		for (i = n = 0; i < 100; i++)
			n += pm4_write_data_n(ib + n, d + i * KFD_PAGE - 40, words, 20);
		EMIT(pm4_indirect_buffer(p, self->va + IB, n));
		EMIT(pm4_write_data_n(p, d + 102 * KFD_PAGE - 500, words, 256));
		RUN(pm4_release_mem(p, PM4_DATA_64, self->va + SIGNAL, round, 0));
		ASSERT_EQ(round, *(volatile uint64_t *)(self->mem + SIGNAL));
		for (i = 0; i < 100; i++)
			ASSERT_EQ(0, memcmp(self->mem + DATA + i * KFD_PAGE - 40, words, 80));
		ASSERT_EQ(0, memcmp(self->mem + DATA + 102 * KFD_PAGE - 500, words, 1024));
	}
	END();
}

/* A signal that reaches into the next page is counted down once a packet. */
TEST_F(retry, aql)
{
	struct aql_signal *signal = (void *)(self->mem + SIGNAL + KFD_PAGE - 32);
	struct aql_signal *done = (void *)(self->mem + SIGNAL + 2 * KFD_PAGE + 64);
	uint32_t *p = self->p, *ib = (uint32_t *)(self->mem + IB);
	uint64_t dep = (uintptr_t)done;
	unsigned int round, i;

	START(KFD_IOC_QUEUE_TYPE_COMPUTE_AQL);
	signal->value = 1000000;
	signal->event_id = 7;
	signal->mailbox = self->va + SIGNAL + 3 * KFD_PAGE;
	for (round = 1; round <= ROUNDS; round++) {
		*(volatile uint64_t *)(uintptr_t)signal->mailbox = 0;
		for (i = 0; i < 6; i++)
			EMIT(aql_barrier(p, i & 1 ? AQL_BARRIER_OR : AQL_BARRIER_AND, &dep, 1,
					 (uintptr_t)signal));
		i = pm4_write_data(ib, self->va + DATA, round);
		EMIT(aql_pm4_ib(p, self->va + IB, i, (uintptr_t)signal));
		RUN(aql_barrier(p, AQL_BARRIER_AND, &dep, 1, (uintptr_t)signal));
		ASSERT_OK(kfd_wait_u64((uint64_t *)&signal->value, 1000000 - 8 * round, PATIENCE));
		ASSERT_EQ(round, *(volatile uint32_t *)(self->mem + DATA));
		ASSERT_OK(kfd_wait_u64((uint64_t *)(uintptr_t)signal->mailbox, 7, PATIENCE));
		ASSERT_LE(signal->start, signal->end);
	}
	END();
}

KFD_TEST_MAIN
