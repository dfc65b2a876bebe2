// SPDX-License-Identifier: GPL-2.0-only
/*
 * What one process can do to others, a function each. Nothing of it needs a
 * privilege. Single-threaded processes, but where a kind needs waiters.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "crowd.h"
#include "hostile.h"
#include "lib/kfd_packets.h"
#include "lib/kfd_slow.h"
#include "lib/kfd_smi.h"
#include "lib/kfd_svm.h"
#include "lib/kfd_vaddr.h"

#define RING		4096
#define RANGES		20000
#define BUFFERS		2000
#define STORM_PAGES	64
#define WAITERS		8
#define WAITED		200	/* events of each waiter */
/* Those of other processes are for CAP_SYS_ADMIN. */
#define OWN_EVENTS	(~SMI_BIT(ALL_PROCESS))
#define SMI_FILES	128	/* as many as a process may have */

/* --- what they are compared with ------------------------------------------- */

/**
 * be_busy() - compute, and have a queue compute
 * @slow: unused
 */
void be_busy(void *slow)
{
	struct kfd_queue q;
	struct kfd_bo bo;
	uint32_t p[16];
	struct kfd k;

	(void)slow;
	must(kfd_start(&k), "opening the GPU");
	must(kfd_bo_create(&k, 0, MEM_GTT, KFD_PAGE, &bo), "a buffer");
	must(kfd_queue_create(&k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, RING, &q), "a queue");
	crowd_ready();
	for (unsigned int i = 0;; i++) {
		must(kfd_queue_emit(&q, p, pm4_write_data(p, bo.va, 1)), "a packet");
		kfd_queue_submit(&q);
		if (i % 64 == 63)
			must(kfd_queue_wait(&q, 60000), "the queue");
	}
}

/* --- the kinds ------------------------------------------------------------- */

static void *slow_page(struct kfd_slow *slow)
{
	void *page = kfd_slow_map(slow, 32);

	if (!page)
		die("a page of a file: %m");
	/* The file system ends with the last that has this. */
	close(slow->dev);
	return page;
}

/* Registered memory that does not come: in ALLOC. */
static void miss_in_alloc(void *slow)
{
	void *page = slow_page(slow);
	struct kfd_bo bo;
	struct kfd k;

	must(kfd_start(&k), "opening the GPU");
	crowd_ready();
	must(kfd_vaddr_bo_alloc(&k, 0, MEM_USERPTR_RO, page, KFD_PAGE, &bo), "registering a page");
	die("a page has come");
}

/* A queue whose commands are in a page that does not come. */
static void miss_in_fault(void *slow)
{
	void *page = slow_page(slow);
	struct kfd_queue q;
	uint32_t p[16];
	struct kfd k;

	must(kfd_start(&k), "opening the GPU");
	if (kfd_set_xnack(&k, 1) != 1)
		die("no XNACK");
	must(kfd_queue_create(&k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, RING, &q), "a queue");
	must(kfd_queue_emit(&q, p, pm4_indirect_buffer(p, (uintptr_t)page, 8)), "a packet");
	kfd_queue_submit(&q);
	crowd_ready();
	for (;;)
		pause();
}

/* Attributes of very many ranges, all changed time and again. */
static void change_ranges(void *slow)
{
	struct kfd k;
	char *base;

	(void)slow;
	must(kfd_start(&k), "opening the GPU");
	base = make_ranges(&k, RANGES);
	crowd_ready();
	for (unsigned int i = 0;; i++)
		must(kfd_svm_set1(&k, base, (uint64_t)RANGES * KFD_PAGE,
				  i % 2 ? KFD_IOCTL_SVM_ATTR_CLR_FLAGS :
					  KFD_IOCTL_SVM_ATTR_SET_FLAGS,
				  KFD_IOCTL_SVM_FLAG_GPU_READ_MOSTLY), "a change of all");
}

/* Memory that goes and comes under a queue: evictions without end. */
static void evict(struct kfd *k)
{
	const uint64_t size = STORM_PAGES * KFD_PAGE;
	struct kfd_queue q;
	char *mem;

	must(kfd_queue_create(k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, RING, &q), "a queue");
	must(kfd_svm_alloc(k, size, 0, &mem), "a range");
	crowd_ready();
	for (;;) {
		memset(mem, 1, size);
		if (madvise(mem, size, MADV_DONTNEED))
			die("madvise: %m");
	}
}

static void evict_for_ever(void *slow)
{
	struct kfd k;

	(void)slow;
	must(kfd_start(&k), "opening the GPU");
	evict(&k);
}

/* Pages that a queue asks for, and that go again. */
static void fault_for_ever(void *slow)
{
	const uint64_t size = STORM_PAGES * KFD_PAGE;
	struct kfd_queue q;
	uint32_t p[16];
	struct kfd k;
	char *mem;

	(void)slow;
	must(kfd_start(&k), "opening the GPU");
	if (kfd_set_xnack(&k, 1) != 1)
		die("no XNACK");
	must(kfd_queue_create(&k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, RING, &q), "a queue");
	must(kfd_svm_alloc(&k, size, -1, &mem), "memory");
	crowd_ready();
	for (unsigned int i = 0;; i++) {
		must(kfd_queue_emit(&q, p, pm4_write_data(p, (uintptr_t)mem +
				    i % STORM_PAGES * KFD_PAGE, 1)), "a packet");
		kfd_queue_submit(&q);
		if (i % STORM_PAGES == 0 && madvise(mem, size, MADV_DONTNEED))
			die("madvise: %m");
		if (i % STORM_PAGES == 63)
			must(kfd_queue_wait(&q, 60000), "the queue");
	}
}

/**
 * struct waits - events that a thread waits for
 * @k: the driver
 * @data: which
 */
struct waits {
	struct kfd *k;
	struct kfd_event_data data[WAITED];
};

static void *wait_for_all(void *arg)
{
	struct waits *w = arg;
	uint32_t result;

	for (;;)
		kfd_event_wait(w->k, w->data, WAITED, true, 1000000, &result);
	return NULL;
}

/* Very many waiters for events that come and go. */
static void wait_and_signal(void *slow)
{
	struct kfd_ioctl_create_event_args ev[WAITED];
	static struct waits w[WAITERS];
	pthread_t thread;
	struct kfd k;

	(void)slow;
	must(kfd_start(&k), "opening the GPU");
	for (unsigned int i = 0; i < WAITED; i++)
		must(kfd_event_create(&k, KFD_IOC_EVENT_SIGNAL, false, &ev[i]), "an event");
	for (unsigned int t = 0; t < WAITERS; t++) {
		w[t].k = &k;
		for (unsigned int i = 0; i < WAITED; i++)
			w[t].data[i].event_id = ev[i].event_id;
		if (pthread_create(&thread, NULL, wait_for_all, &w[t]))
			die("a thread: %m");
	}
	crowd_ready();
	for (unsigned int i = 0;; i++) {
		must(kfd_event_set(&k, ev[i % (WAITED - 1)].event_id), "an event");
		must(kfd_event_reset(&k, ev[i % (WAITED - 1)].event_id), "an event");
	}
}

/* SMI files that nobody reads, and what fills them. */
static void listen_and_shout(void *slow)
{
	static struct kfd_smi smi[SMI_FILES];
	struct kfd k;

	(void)slow;
	must(kfd_start(&k), "opening the GPU");
	for (unsigned int i = 0; i < SMI_FILES; i++)
		must(kfd_smi_open(&k, 0, OWN_EVENTS, &smi[i]), "an SMI file");
	evict(&k);
}

/* Buffers, mapped, and all given back by the end of the process. */
static void die_with_buffers(void *slow)
{
	(void)slow;
	crowd_ready();
	for (;;) {
		pid_t pid = fork();
		struct kfd_bo bo;
		struct kfd k;

		if (pid < 0)
			die("fork: %m");
		if (pid) {
			waitpid(pid, NULL, 0);
			continue;
		}
		must(kfd_start(&k), "opening the GPU");
		for (unsigned int i = 0; i < BUFFERS; i++)
			must(kfd_bo_create(&k, 0, MEM_GTT, KFD_PAGE, &bo), "a buffer");
		_exit(0);
	}
}

const struct kind kinds[] = {
	{ "a page that does not come, in ALLOC", 48, true, miss_in_alloc },
	{ "a page that does not come, in a fault", 16, true, miss_in_fault },
	{ "SET_ATTR of very many ranges", 4, false, change_ranges },
	{ "evictions without end", 4, false, evict_for_ever },
	{ "faults without end", 4, false, fault_for_ever },
	{ "waiters for many events", 4, false, wait_and_signal },
	{ "SMI files that nobody reads", 4, false, listen_and_shout },
	{ "deaths with many buffers", 4, false, die_with_buffers },
};

const unsigned int num_kinds = sizeof(kinds) / sizeof(kinds[0]);
