// SPDX-License-Identifier: GPL-2.0-only
/*
 * A GPU with nothing to do costs nothing: kernel threads of the simulator and
 * work of the driver take no CPU time while queues are idle.
 */
#include <ctype.h>
#include <dirent.h>

#include "lib/kfd_test.h"

#define SECONDS		10
#define WINDOWS		4
/* What may be used in one window of SECONDS. */
#define OURS_MS		20
#define BUSY_MS		(SECONDS * 1000 / 4)

KFD_FIXTURE(idle);

/* CPU time of all kernel threads whose name has to do with us, in ms. */
static int our_threads(uint64_t *ms)
{
	/* Engines ("sim0:sdma1") and the work queues' rescuers. */
	static const char * const names[] = { "sim", "amdgpu_sim", "amdkfd", "kfd" };
	int found = 0, n;
	uint64_t one;
	unsigned int i;

	*ms = 0;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		n = kfd_cpu_ms_of(names[i], &one);
		if (n > 0) {
			found += n;
			*ms += one;
		}
	}
	return found;
}

/* Ticks that the machine's CPUs were not idle, in ms. */
static uint64_t busy_ms(void)
{
	unsigned long long v[10] = { 0 };
	char text[4096];

	if (kfd_read_text("/proc/stat", text, sizeof(text)) ||
	    sscanf(text, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &v[0], &v[1], &v[2],
		   &v[3], &v[4], &v[5], &v[6], &v[7]) != 8)
		return 0;
	return (v[0] + v[1] + v[2] + v[5] + v[6]) * 1000 / sysconf(_SC_CLK_TCK);
}

/* An engine may take a while to fall asleep, on a busy machine a long one. */
static void wait_for_sleep(void)
{
	uint64_t end = kfd_now_ms() + PATIENCE, before, after;

	our_threads(&after);
	do {
		before = after;
		kfd_sleep_ms(1000);
		our_threads(&after);
	} while (after != before && kfd_now_ms() < end);
}

/*
 * Quiet in one window is enough: what polls does so in all of them, while a
 * host that takes its CPUs away makes the guest look busy for a while.
 */
static void expect_silence(struct __test_metadata *_metadata)
{
	uint64_t before, ours, busy;
	int found, window = 0;

	do {
		wait_for_sleep();
		found = our_threads(&before);
		busy = busy_ms();
		kfd_sleep_ms(SECONDS * 1000);
		busy = busy_ms() - busy;
		our_threads(&ours);
		ours -= before;
		TH_LOG("%d threads of ours: %d ms; the machine was busy for %d ms", found,
		       (int)ours, (int)busy);
	} while ((ours > OURS_MS || busy >= BUSY_MS) && ++window < WINDOWS);
	EXPECT_GT(found, 0);
	EXPECT_LE(ours, OURS_MS);
	/* Polling hidden in somebody else's thread would show here. */
	EXPECT_LT(busy, BUSY_MS);
}

TEST_F_TIMEOUT(idle, loaded_without_queues, 120)
{
	REQUIRE_SIM();
	expect_silence(_metadata);
}

TEST_F_TIMEOUT(idle, with_queues_that_have_run, 120)
{
	static const uint32_t types[] = {
		KFD_IOC_QUEUE_TYPE_COMPUTE, KFD_IOC_QUEUE_TYPE_SDMA,
		KFD_IOC_QUEUE_TYPE_COMPUTE_AQL,
	};
	struct kfd_queue q[6];
	struct kfd_bo bo;
	uint32_t p[16], i;

	REQUIRE_SIM();
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, KFD_PAGE, &bo));
	for (i = 0; i < 6; i++) {
		unsigned int n;

		ASSERT_OK(kfd_queue_create(&self->k, 0, types[i % 3], 4096, &q[i]));
		if (i % 3 == 0)
			n = pm4_write_data(p, bo.va, 1);
		else if (i % 3 == 1)
			n = sdma_fence(p, bo.va, 1);
		else
			n = aql_barrier(p, AQL_BARRIER_AND, NULL, 0, 0);
		ASSERT_OK(kfd_queue_run(&q[i], p, n));
	}
	expect_silence(_metadata);
	/* They wake up again. */
	ASSERT_OK(kfd_queue_run(&q[1], p, sdma_fence(p, bo.va, 7)));
	EXPECT_EQ(7, *(volatile uint32_t *)bo.cpu);
}

KFD_TEST_MAIN
