// SPDX-License-Identifier: GPL-2.0-only
/*
 * Is anything that a process does with its ranges of shared virtual memory worse
 * than linear in their number? Strangers wait for some of it: for an munmap() and
 * an exit, which hold locks of the memory management.
 *
 * A child makes what is measured; times come back in memory that both share.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "lib/kfd_svm.h"

#define TURNS	5

enum step { MAKE, CHANGE, UNMAP, EXIT, NR_STEPS };

static const char *const step_names[NR_STEPS] = {
	[MAKE]   = "SET_ATTR that makes a range",
	[CHANGE] = "SET_ATTR of all",
	[UNMAP]  = "munmap",
	[EXIT]   = "exit",
};

/**
 * struct walk - processes with ranges, and what those cost
 * @n: ranges, of a page each
 * @turn: which one this is
 * @ready: the process has its ranges, and waits to be killed
 * @us: microseconds per range
 */
struct walk {
	unsigned int n;
	unsigned int turn;
	volatile bool ready;
	double us[NR_STEPS][TURNS];
};

static void took(struct walk *w, enum step what, double since)
{
	w->us[what][w->turn] = (now() - since) * 1e6 / w->n;
}

/* Neighbours differ, or they would be one range. */
static char *walk_make(struct kfd *k, struct walk *w)
{
	struct kfd_ioctl_svm_attribute attrs[] = {
		{ KFD_IOCTL_SVM_ATTR_ACCESS, k->gpu[0].gpu_id },
		{ KFD_IOCTL_SVM_ATTR_GRANULARITY, 0 },
	};
	char *base;

	must(kfd_svm_alloc(k, (uint64_t)w->n * KFD_PAGE, -1, &base), "memory");
	for (unsigned int i = 0; i < w->n; i++) {
		attrs[1].value = i % 2 + 1;
		must(kfd_svm_set(k, base + (uint64_t)i * KFD_PAGE, KFD_PAGE, attrs, 2), "a range");
	}
	return base;
}

static void walk_alive(void *arg)
{
	struct walk *w = arg;
	struct kfd k;
	char *base;
	double t;

	must(kfd_start(&k), "opening the GPU");
	t = now();
	base = walk_make(&k, w);
	took(w, MAKE, t);
	t = now();
	must(kfd_svm_set1(&k, base, (uint64_t)w->n * KFD_PAGE, KFD_IOCTL_SVM_ATTR_SET_FLAGS,
			  KFD_IOCTL_SVM_FLAG_GPU_READ_MOSTLY), "a change of all");
	took(w, CHANGE, t);
	t = now();
	if (munmap(base, (uint64_t)w->n * KFD_PAGE))
		die("munmap: %m");
	took(w, UNMAP, t);
}

static void walk_until_killed(void *arg)
{
	struct walk *w = arg;
	struct kfd k;

	must(kfd_start(&k), "opening the GPU");
	walk_make(&k, w);
	w->ready = true;
	for (;;)
		pause();
}

static void walk_turn(struct walk *w, unsigned int turn)
{
	int status;
	double t;
	pid_t pid;

	w->turn = turn;
	in_child(walk_alive, w);
	w->ready = false;
	pid = child_start(walk_until_killed, w);
	while (!w->ready) {
		if (waitpid(pid, &status, WNOHANG))
			die("a measuring process failed");
		usleep(1000);
	}
	t = now();
	kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
		die("a process that was killed has ended otherwise");
	took(w, EXIT, t);
}

static struct walk *walk_of(unsigned int n)
{
	struct walk *w = shared_memory(sizeof(*w));

	w->n = n;
	return w;
}

/**
 * figures_ranges() - what ranges cost, each, when there are many
 * @sz: how many
 */
void figures_ranges(const struct sizes *sz)
{
	struct walk *many = walk_of(sz->many_ranges), *few = walk_of(sz->few_ranges);
	double m, f;

	progress("making, changing and losing %u and %u ranges of shared virtual memory",
		 many->n, few->n);
	for (unsigned int i = 0; i < TURNS; i++) {
		walk_turn(few, i);
		walk_turn(many, i);
	}
	for (unsigned int s = 0; s < NR_STEPS; s++) {
		m = least(many->us[s], TURNS);
		f = least(few->us[s], TURNS);
		report_time(text("%s, per range, %u ranges", step_names[s], many->n),
			    text("%.2f us", m), text("%.2f us with %u", f, few->n), m / f, "",
			    AT_MOST, 1.3);
	}
}
