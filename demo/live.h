/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The live update demo: a GPU queue that writes numbers into a file in memory
 * while the program that owns it becomes another build of itself.
 *
 * Everything that the program knows is in one memfd, which both builds map:
 * struct live at its start, then what the GPU sees through three USERPTR
 * buffers: the counter, the log and the code. The queue's own memory is the
 * driver's.
 *
 * What the GPU does for a number: add 1 to the counter, copy the counter into
 * the number's slot of the log, write its clock beside it. So whatever is lost
 * or done twice shows in the log, and the time between two numbers is what the
 * GPU saw. The code does this once for each slot, and is run in windows: a
 * part of the slots is queued, then the program changes (or does not), then the
 * rest is queued, and in the end the log is checked.
 *
 * Single-threaded. Whatever cannot be done ends the program with exit code 1.
 */
#ifndef DEMO_LIVE_H
#define DEMO_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/kfd_lib.h"

#define LIVE_MAX_WINDOWS	64
#define LIVE_MAX_SLOTS		131072u
#define LIVE_IB_SLOTS		256u	/* of one indirect buffer */

/**
 * enum live_kind - what happens in a window
 * @LIVE_NONE: nothing
 * @LIVE_UPDATE: a hand-over; the GPU keeps the pages and goes on
 * @LIVE_EVICTED: a hand-over; the queue is evicted until it has its pages again
 * @LIVE_TORN_DOWN: the context ends, and the next build makes a new one
 * @LIVE_KINDS: how many there are
 */
enum live_kind { LIVE_NONE, LIVE_UPDATE, LIVE_EVICTED, LIVE_TORN_DOWN, LIVE_KINDS };

/* Buffers on the memfd, by what is in them. */
enum live_part { LIVE_COUNT, LIVE_LOG, LIVE_CODE, LIVE_PARTS };

/**
 * struct live_slot - what the GPU writes of a number
 * @number: the counter
 * @clock: the GPU's clock
 */
struct live_slot {
	uint64_t number;
	uint64_t clock;
};

#define LIVE_STALLS	32768u

/**
 * struct live_witness - when the processor of a simulated GPU stood still
 * @n: entries ever written
 * @stall: the last of them
 */
struct live_witness {
	uint64_t n;
	struct live_stall {
		uint64_t from, to;	/* ns of the raw clock */
	} stall[LIVE_STALLS];
};

/**
 * struct live_window - what became of a window
 * @kind: what happened
 * @slots: numbers written
 * @dry: the queue had nothing to do before it got the rest: says nothing
 * @gap: longest time between two of them, seconds
 * @net: the same without the time in which the processor stood still
 * @took: from giving up the addresses to the last one replaced (torn down: from
 *	the end of the old context to the new one; else: as long), seconds
 * @meanwhile: numbers written in that time
 */
struct live_window {
	enum live_kind kind;
	uint32_t slots;
	bool dry;
	double gap;
	double net;
	double took;
	uint64_t meanwhile;
};

/**
 * struct live - what one build leaves to the next
 * @bytes: of this struct, so that a build that knows another one notices
 * @memfd: the file that this is in
 * @where: address at which the last build had it
 * @build: which was the last one
 * @k: the driver; file descriptors stay open over an exec
 * @bo: USERPTR buffers
 * @queue: the compute queue
 * @plan: a letter for each window
 * @at: window that is under way
 * @numbers: written before it
 * @queued: slots of it that were given to the GPU
 * @warm: so many windows at the start are not counted
 * @stalls: entries of the witness before the window
 * @slots: of a window from now on
 * @slot_s: seconds that the GPU takes for one
 * @busy_s: how long the last hand-over took
 * @gone: when the addresses were given up, seconds
 * @count_gone: the counter right after that
 * @count_exec: the counter right before the exec
 * @gpu0: the GPU's clock at the start
 * @cpu0: the CPU's then, ns
 * @tick_s: seconds of a tick of the GPU's clock
 * @window: what became of the windows so far
 */
struct live {
	size_t bytes;
	int memfd;
	const void *where;
	unsigned int build;
	struct kfd k;
	struct kfd_bo bo[LIVE_PARTS];
	struct kfd_queue queue;
	char plan[LIVE_MAX_WINDOWS + 1];
	unsigned int at;
	uint64_t numbers;
	uint32_t queued;
	unsigned int warm;
	uint64_t stalls;
	uint32_t slots;
	double slot_s;
	double busy_s;
	double gone;
	uint64_t count_gone;
	uint64_t count_exec;
	uint64_t gpu0, cpu0;
	double tick_s;
	struct live_window window[LIVE_MAX_WINDOWS];
};

void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
void must(int ret, const char *what);
double now(void);

/* live_gpu.c */
struct live *live_map(int memfd);
void live_create(struct live *l);
void live_destroy(struct live *l);
void live_give_up(struct live *l, enum live_kind kind);
void live_adopt(struct live *l);
uint64_t live_count(const struct live *l);
struct live_slot *live_log(struct live *l);
struct live_witness *live_witness(struct live *l);
void live_submit(struct live *l, uint32_t slots);
void live_wait(struct live *l);
void live_clocks(struct live *l);

/* live_witness.c */
void witness_start(struct live *l, int cpu);
uint64_t witness_stalled(struct live *l, uint64_t since, uint64_t from, uint64_t to);

/* live_report.c */
void live_check(struct live *l, struct live_window *w);
bool live_report(const struct live *l);

#endif
