// SPDX-License-Identifier: GPL-2.0-only
/*
 * When the simulated GPU's processor stood still (live.h). The simulated GPU is
 * a thread, and in a virtual machine its processor is one too: when the host
 * has something else to do, the GPU stands still, whatever the driver does.
 *
 * The witness is a process that is bound to the same processor, comes before
 * everything else there, and does nothing but wake up every millisecond. When
 * it is late, the processor was not there, or did not let go of something in
 * the kernel. A GPU that the driver has stopped, or that waits for a lock,
 * does not make it late.
 *
 * Only the witness writes what it saw; witness->n is stored after the entry.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "live.h"

#define PERIOD_NS	1000000
#define LATE_NS		500000

static uint64_t raw_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void watch_processor(struct live_witness *w)
{
	const struct timespec period = { .tv_nsec = PERIOD_NS };
	uint64_t last = raw_ns(), t;

	for (;; last = t) {
		nanosleep(&period, NULL);
		t = raw_ns();
		if (t < last + PERIOD_NS + LATE_NS)
			continue;
		w->stall[w->n % LIVE_STALLS] = (struct live_stall){ last + PERIOD_NS, t };
		__atomic_store_n(&w->n, w->n + 1, __ATOMIC_RELEASE);
	}
}

/**
 * witness_start() - watch the processor that the simulated GPU runs on
 * @l: where the witness says what it saw; no file of a GPU is open yet
 * @cpu: the processor
 *
 * It outlives an exec of its parent, and ends with it.
 */
void witness_start(struct live *l, int cpu)
{
	const struct sched_param first = { .sched_priority = 50 };
	cpu_set_t set;
	pid_t pid = fork();

	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (pid)
		return;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (sched_setaffinity(0, sizeof(set), &set) || sched_setscheduler(0, SCHED_FIFO, &first))
		die("a witness on processor %d: %s", cpu, strerror(errno));
	watch_processor(live_witness(l));
}

/**
 * witness_stalled() - for how long the processor stood still
 * @l: context
 * @since: the first entry to be looked at, from witness->n
 * @from: between here, ns of the raw clock
 * @to: and here
 *
 * Return: nanoseconds.
 */
uint64_t witness_stalled(struct live *l, uint64_t since, uint64_t from, uint64_t to)
{
	struct live_witness *w = live_witness(l);
	uint64_t n = __atomic_load_n(&w->n, __ATOMIC_ACQUIRE), sum = 0;

	for (; since < n; since++) {
		struct live_stall s = w->stall[since % LIVE_STALLS];

		if (s.from < from)
			s.from = from;
		if (s.to > to)
			s.to = to;
		if (s.from < s.to)
			sum += s.to - s.from;
	}
	return sum;
}
