/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Processes that do their worst with what anybody may do, and those that they are
 * compared with: as many that are merely busy.
 */
#ifndef HOSTILE_H
#define HOSTILE_H

#include <stdbool.h>
#include <sys/types.h>

#define MOST_HOSTILE	64

struct kfd_slow;

/**
 * struct kind - something that can be done to others
 * @name: in the table
 * @n: processes that do it
 * @slow: it needs a file whose pages do not come
 * @run: does it for ever; calls hostile_ready() once it is in the middle of it
 */
struct kind {
	const char *name;
	unsigned int n;
	bool slow;
	void (*run)(struct kfd_slow *slow);
};

/**
 * struct crowd - processes of one kind
 * @n: how many
 * @pid: theirs
 * @ready: how many are in the middle of it; shared
 */
struct crowd {
	unsigned int n;
	pid_t pid[MOST_HOSTILE];
	unsigned int *ready;
};

extern const struct kind kinds[];
extern const unsigned int num_kinds;

void hostile_ready(void);
void be_busy(struct kfd_slow *slow);
void crowd_start(struct crowd *c, unsigned int n, void (*run)(struct kfd_slow *slow),
		 struct kfd_slow *slow);
void crowd_kill(struct crowd *c);
void crowd_wait(struct crowd *c);

#endif
