// SPDX-License-Identifier: GPL-2.0-only
/*
 * Is anything that a process does with its ranges of shared virtual memory worse
 * than linear in their number? Strangers wait for some of it: for an munmap() and
 * an exit, which hold locks of the memory management.
 *
 * A child makes what is measured; times come back in memory that both share.
 */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"
#include "crowd.h"
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
 * @us: microseconds per range
 */
struct walk {
	unsigned int n;
	unsigned int turn;
	double us[NR_STEPS][TURNS];
};

static void took(struct walk *w, enum step what, double since)
{
	w->us[what][w->turn] = (now() - since) * 1e6 / w->n;
}

static void walk_alive(void *arg)
{
	struct walk *w = arg;
	struct kfd k;
	char *base;
	double t;

	must(kfd_start(&k), "opening the GPU");
	t = now();
	base = make_ranges(&k, w->n);
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
	make_ranges(&k, w->n);
	crowd_ready();
	for (;;)
		pause();
}

static void walk_turn(struct walk *w, unsigned int turn)
{
	struct crowd one;
	double t;

	w->turn = turn;
	in_child(walk_alive, w);
	crowd_start(&one, 1, walk_until_killed, w);
	t = now();
	crowd_kill(&one);
	crowd_wait(&one);
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
