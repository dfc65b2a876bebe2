// SPDX-License-Identifier: GPL-2.0-only
/*
 * liveupdate: a program that becomes a new build of itself while its GPU queue
 * goes on (live.h says what is done). Built twice, with BUILD 1 and 2, which
 * exec each other.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "live.h"

#ifndef BUILD
#error "a build has a number"
#endif

#define WARM_UP		2u	/* windows that tell how long everything takes */
#define FIRST_SLOTS	2048u	/* of the first one, before anything is known */
#define WINDOW_S	1.0	/* how long a window takes at least, */
#define HAND_OVERS	6	/* and how many times what a hand-over does */

/* Of a plan, by enum live_kind. */
static const char letters[] = "nlet";

void die(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	va_start(ap, fmt);
	fprintf(stderr, "liveupdate: build %d: ", BUILD);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(1);
}

/**
 * must() - end the program when something failed
 * @ret: 0 or a negative errno
 * @what: that was to be done
 */
void must(int ret, const char *what)
{
	if (ret < 0)
		die("%s: %s", what, strerror(-ret));
}

/** now() - seconds of the monotonic clock, which an exec does not change */
double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* This program's directory and name, with another build's number. */
static void become_other(struct live *l)
{
	char path[4096], fd[16];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (len < 1)
		die("/proc/self/exe: %s", strerror(errno));
	path[len] = '\0';
	path[len - 1] = BUILD == 1 ? '2' : '1';
	snprintf(fd, sizeof(fd), "%d", l->memfd);
	fflush(stdout);
	l->count_exec = live_count(l);
	execl(path, path, "--adopt", fd, NULL);
	die("%s: %s", path, strerror(errno));
}

static void nap(double s)
{
	struct timespec t = { .tv_sec = s, .tv_nsec = (s - (time_t)s) * 1e9 };

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

/* A window, its first part queued: what the GPU is busy with meanwhile. */
static void window_begin(struct live *l)
{
	struct live_window *w = &l->window[l->at];

	w->kind = strchr(letters, l->plan[l->at]) - letters;
	w->slots = l->slots;
	l->queued = 0;
	memset(live_log(l), 0, w->slots * sizeof(struct live_slot));
	l->stalls = live_witness(l)->n;
	live_submit(l, w->slots / 8 * 7 / LIVE_IB_SLOTS * LIVE_IB_SLOTS);
	/* not in the first moment */
	nap(w->slots * l->slot_s / 16);
}

/* As busy as in a hand-over, for as long as the last one took. */
static void watch(struct live *l)
{
	struct live_window *w = &l->window[l->at];
	double end = now() + l->busy_s;
	uint64_t count = live_count(l);

	while (now() < end)
		w->meanwhile = live_count(l) - count;
	w->took = l->busy_s;
}

/* Give the context up, as the window wants it, and become the other build. */
static void hand_over(struct live *l)
{
	const struct live_window *w = &l->window[l->at];

	if (w->kind == LIVE_TORN_DOWN)
		live_wait(l);
	l->gone = now();
	if (w->kind == LIVE_TORN_DOWN)
		live_destroy(l);
	else
		live_give_up(l, w->kind);
	become_other(l);
}

/* In the next build: take over what there is. */
static void take_over(struct live *l)
{
	struct live_window *w = &l->window[l->at];
	uint64_t count = live_count(l);

	if (w->kind == LIVE_UPDATE && count == l->count_exec && count < l->numbers + l->queued)
		die("the GPU wrote nothing during the exec");
	if (w->kind == LIVE_TORN_DOWN)
		live_create(l);
	else
		live_adopt(l);
	w->took = now() - l->gone;
	if (w->kind == LIVE_EVICTED && w->meanwhile)
		die("the GPU wrote %" PRIu64 " numbers into pages that it should not have",
		    w->meanwhile);
	l->busy_s = w->took;
}

/* Slots of the next window: many times what a hand-over takes. */
static uint32_t window_slots(const struct live *l)
{
	double s = HAND_OVERS * l->busy_s > WINDOW_S ? HAND_OVERS * l->busy_s : WINDOW_S;
	double slots = s / l->slot_s;

	if (slots > LIVE_MAX_SLOTS)
		slots = LIVE_MAX_SLOTS;
	if (slots < FIRST_SLOTS)
		slots = FIRST_SLOTS;
	return (uint32_t)slots / LIVE_IB_SLOTS * LIVE_IB_SLOTS;
}

/* The rest of a window, and whether all of it was written. */
static void window_end(struct live *l)
{
	struct live_window *w = &l->window[l->at];

	w->dry = w->kind != LIVE_TORN_DOWN && live_count(l) >= l->numbers + l->queued;
	live_submit(l, w->slots - l->queued);
	live_wait(l);
	live_check(l, w);
	l->slots = window_slots(l);
	l->at++;
}

static struct live *start(const char *plan, int witness_cpu)
{
	int memfd = memfd_create("liveupdate", 0);
	const char *change = strpbrk(plan, letters + 1);
	struct live *l;

	if (strspn(plan, letters) != strlen(plan) || strlen(plan) > LIVE_MAX_WINDOWS - WARM_UP)
		die("a plan is up to %u letters of \"%s\"", LIVE_MAX_WINDOWS - WARM_UP, letters);
	if (memfd < 0)
		die("memfd_create: %s", strerror(errno));
	l = live_map(memfd);
	l->bytes = sizeof(*l);
	l->memfd = memfd;
	l->build = BUILD;
	l->slots = FIRST_SLOTS;
	l->warm = WARM_UP;
	snprintf(l->plan, sizeof(l->plan), "n%c%s", change ? *change : 'n', plan);
	if (witness_cpu >= 0)
		witness_start(l, witness_cpu);
	live_create(l);
	live_clocks(l);
	return l;
}

static struct live *adopt(int memfd)
{
	struct live *l = live_map(memfd);

	if (l->bytes != sizeof(*l))
		die("another build's state: %zu bytes", l->bytes);
	l->build = BUILD;
	take_over(l);
	window_end(l);
	return l;
}

int main(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "adopt", required_argument, NULL, 'a' },
		{ "plan", required_argument, NULL, 'p' },
		{ "witness", required_argument, NULL, 'w' },
		{ NULL, 0, NULL, 0 }
	};
	const char *plan = "nlelntnlnelntlnlneltnlnlnlln";
	int memfd = -1, witness_cpu = -1, c;
	struct live *l;

	setvbuf(stdout, NULL, _IOLBF, 0);
	while ((c = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		if (c == 'a')
			memfd = atoi(optarg);
		else if (c == 'p')
			plan = optarg;
		else if (c == 'w')
			witness_cpu = atoi(optarg);
		else
			die("usage: liveupdate [--plan LETTERS] [--witness PROCESSOR]");
	}
	l = memfd >= 0 ? adopt(memfd) : start(plan, witness_cpu);
	while (l->plan[l->at]) {
		window_begin(l);
		if (l->window[l->at].kind == LIVE_NONE)
			watch(l);
		else
			hand_over(l);
		window_end(l);
	}
	return live_report(l) ? 0 : 1;
}
