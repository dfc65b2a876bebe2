// SPDX-License-Identifier: GPL-2.0-only
/*
 * A program to be dumped, in a state that its first argument names. Whatever the
 * state, one of two things has to come of a dump: all is as it was, here, on
 * another number of GPUs and on another machine; or the dump is refused with a
 * reason, and the program goes on as if nothing had been.
 *
 *	gpu_state KIND RESULT	be in that state; "ready" goes to the file RESULT,
 *				and after SIGUSR1 "right" or what is wrong
 *	gpu_state --list	KIND, how many GPUs it needs, and "back" or what a
 *				refusal says, a line each
 *
 * Beside its state the program has a bit of everything (lib/kfd_workload.h):
 * queues of every type in the middle of their work, buffers of every kind,
 * events. So what is asked is also whether the state does harm to the rest.
 */
#define _GNU_SOURCE
#include "kind.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

static const struct kind *const lists[] = {
	memory_kinds, mapping_kinds, node_kinds, process_kinds,
};

struct kfd_workload work;
static struct kfd_queue copier;

char *new_memory(size_t bytes)
{
	char *p = mmap((void *)(uintptr_t)kfd_reserve_va(&work.k, bytes), bytes,
		       PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	REQUIRE(p != MAP_FAILED);
	memset(p, 0, bytes);
	return p;
}

void new_copy_queue(void)
{
	REQUIRE_OK(kfd_queue_create(&work.k, 0, KFD_IOC_QUEUE_TYPE_SDMA, KFD_PAGE, &copier));
}

void add_by_gpu(uint64_t va, uint64_t value)
{
	uint32_t p[8];

	REQUIRE_OK(kfd_queue_run(&copier, p, sdma_atomic_add64(p, va, value)));
}

void must_fault(const volatile void *at)
{
	struct kfd_event_data data = { 0 };
	struct kfd_ioctl_create_event_args ev;
	uint32_t p[8], result;

	REQUIRE_OK(kfd_event_create(&work.k, KFD_IOC_EVENT_MEMORY, true, &ev));
	data.event_id = ev.event_id;
	REQUIRE_OK(kfd_queue_emit(&copier, p, sdma_atomic_add64(p, (uintptr_t)at, 1)));
	kfd_queue_submit(&copier);
	REQUIRE_OK(kfd_event_wait(&work.k, &data, 1, false, 20000, &result));
	REQUIRE(result == KFD_IOC_WAIT_RESULT_COMPLETE);
	REQUIRE(data.memory_exception_data.va == ((uintptr_t)at & -KFD_PAGE));
	REQUIRE_OK(kfd_event_destroy(&work.k, ev.event_id));
	/* The workload has such an event, too; a wait resets it. */
	REQUIRE_OK(kfd_event_wait_one(&work.k, work.memory.event_id, 20000, &result));
	REQUIRE(result == KFD_IOC_WAIT_RESULT_COMPLETE);
	REQUIRE_OK(kfd_queue_destroy(&work.k, &copier));
}

static void print_list(void)
{
	const struct kind *kind;
	size_t i;

	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		for (kind = lists[i]; kind->name; kind++)
			printf("%s %u %s\n", kind->name, kind->gpus, kind->refused ?: "back");
}

static const struct kind *find_kind(const char *name)
{
	const struct kind *kind;
	size_t i;

	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		for (kind = lists[i]; kind->name; kind++)
			if (!strcmp(kind->name, name))
				return kind;
	return NULL;
}

static void start_work(const struct kind *kind)
{
	char gpus[16];

	/* A GPU that the program has opened must be there at the restore. */
	snprintf(gpus, sizeof(gpus), "%u", kind->gpus);
	setenv("KFD_TEST_GPUS", gpus, 1);
	if (!kind->alone)
		REQUIRE_OK(kfd_workload_start(&work, kind->gpus > 1 ? 0 : WORKLOAD_SMALL));
}

static void run(const struct kind *kind)
{
	if (kind->before)
		kind->before();
	start_work(kind);
	if (kind->setup)
		kind->setup();
	wait_signal();
	check_fds(0);
	if (kind->check)
		kind->check();
	if (!kind->alone && kfd_workload_finish(&work)) {
		report("the workload: %s", work.step);
		_exit(1);
	}
	report("right");
}

int main(int argc, char **argv)
{
	const struct kind *kind;

	if (argc == 2 && !strcmp(argv[1], "--list")) {
		print_list();
		return 0;
	}
	kind = argc == 3 ? find_kind(argv[1]) : NULL;
	if (!kind) {
		fprintf(stderr, "usage: gpu_state KIND RESULT, or gpu_state --list\n");
		return 2;
	}
	result_path = argv[2];
	run(kind);
	return 0;
}
