/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Processes that do something until they are killed.
 */
#ifndef CROWD_H
#define CROWD_H

#include <sys/types.h>

#define MOST_OF_A_CROWD	64

/**
 * struct crowd - processes that do the same
 * @n: how many
 * @pid: theirs
 * @ready: how many are in the middle of it; shared
 */
struct crowd {
	unsigned int n;
	pid_t pid[MOST_OF_A_CROWD];
	unsigned int *ready;
};

void crowd_ready(void);
void crowd_start(struct crowd *c, unsigned int n, void (*run)(void *arg), void *arg);
void crowd_kill(struct crowd *c);
void crowd_wait(struct crowd *c);

#endif
