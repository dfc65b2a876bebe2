/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A process with a bit of everything, for the checkpoint and restore tests:
 * buffers of every kind, queues of every type stopped in the middle of their
 * work, events set and not set. It can be started in one process and brought
 * to its end in another one that was restored from the first one's image.
 *
 * The struct lies in memory that both processes share; the pointers in it are
 * good in both, because all of the memory comes back at the same addresses.
 */
#ifndef KFD_WORKLOAD_H
#define KFD_WORKLOAD_H

#include "kfd_criu.h"

#define WORKLOAD_PIECES	64	/* of a page each, before and after the gate */

/**
 * struct kfd_workload - the process
 * @k: the driver; file descriptors are those of the process that runs it
 * @flags: WORKLOAD_*
 * @vram: source of the first half of the copies
 * @gtt: their destination, and the source of the second half
 * @vram2: destination of the second half
 * @words: GTT page of words that packets write: see enum workload_word
 * @event_page: the event page
 * @doorbells: the doorbell slice of the first GPU
 * @mmio: the page of flush registers
 * @user: registered memory, a page
 * @user_copy: what was in @user when the process was dumped
 * @far: a buffer in VRAM of the second GPU, if there is one
 * @pm4: compute queue, waits for the gate
 * @sdma: copy queue, waits for the gate half-way
 * @aql: AQL queue, waits for a signal
 * @set: signal event that is set, manual reset
 * @later: signal event that the copy queue sets at the end, auto reset
 * @memory: memory exception event
 * @step: what kfd_workload_finish() was at when it failed
 * @ready: set by a target process when it has come to where it waits
 * @go: set to let it go on
 */
struct kfd_workload {
	struct kfd k;
	uint32_t flags;
	struct kfd_bo vram, gtt, vram2, words, event_page, doorbells, mmio, user, far;
	char user_copy[4096];
	struct kfd_queue pm4, sdma, aql;
	struct kfd_ioctl_create_event_args set, later, memory;
	const char *step;
	volatile int ready;
	volatile int go;
};

#define WORKLOAD_NO_QUEUES	1
#define WORKLOAD_NO_EVENTS	2
#define WORKLOAD_SMALL		4	/* one GPU, no AQL queue */

/* Words in @words, by index of 8 bytes. */
enum workload_word {
	WORD_GATE,
	WORD_COUNT,
	WORD_PM4_BEFORE,
	WORD_PM4_AFTER,
	WORD_DONE,
	WORD_DEP = 16,		/* a struct aql_signal */
	WORD_COMPLETION = 24,	/* another one */
};

/**
 * struct kfd_target - another process that runs a workload, to be dumped
 * @pid: its id
 * @w: what it runs
 * @fd: our descriptor for its /dev/kfd, or -1
 * @traced: we are its tracer and it is stopped
 */
struct kfd_target {
	pid_t pid;
	struct kfd_workload *w;
	int fd;
	bool traced;
};

/**
 * struct kfd_victim - a process that is killed, or might be, at what it does
 * @fn: what it does; its negative errno becomes the exit code
 * @t: its target, if it dumps
 * @s: its image, if it restores
 * @phase: how far it says that it is
 */
struct kfd_victim {
	int (*fn)(struct kfd_victim *v);
	struct kfd_target *t;
	struct kfd_snapshot *s;
	volatile int phase;
};

struct kfd_workload *kfd_workload_new(void);
int kfd_workload_start(struct kfd_workload *w, uint32_t flags);
int kfd_workload_save(struct kfd_workload *w, struct kfd_snapshot *s);
int kfd_workload_adopt(struct kfd_workload *w, const struct kfd *now);
int kfd_workload_restore(struct kfd_workload *w, struct kfd_snapshot *s);
int kfd_workload_paused(struct kfd_workload *w);
int kfd_workload_finish(struct kfd_workload *w);
int kfd_workload_same_ids(struct kfd_workload *w, const struct kfd_snapshot *s);

/* Processes */
int kfd_in_child(int (*fn)(void *arg), void *arg);
int kfd_wait_child(pid_t pid);
int kfd_wait_flag(const volatile int *flag);
int kfd_target_start(struct kfd_target *t, struct kfd_workload *w, uint32_t flags);
int kfd_target_seize(struct kfd_target *t);
int kfd_target_release(struct kfd_target *t);
int kfd_target_finish(struct kfd_target *t);
void kfd_target_kill(struct kfd_target *t);
struct kfd_victim *kfd_victim_new(void);
pid_t kfd_victim_run(struct kfd_victim *v);

/* What must be so after all of that */
int kfd_vram_is_back(struct kfd *probe, uint64_t vram);
int kfd_healthy(void *arg);

#endif
