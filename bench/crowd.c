// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes that do something until they are killed. One crowd starts at a time.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "crowd.h"

/* Of the crowd that starts; its processes inherit it. */
static unsigned int *in_the_middle;

/** crowd_ready() - the calling process is in the middle of it */
void crowd_ready(void)
{
	__atomic_add_fetch(in_the_middle, 1, __ATOMIC_RELAXED);
}

/**
 * crowd_start() - start processes and wait until they are all at it
 * @c: filled
 * @n: how many, MOST_OF_A_CROWD at most
 * @run: what they do, for ever; calls crowd_ready()
 * @arg: handed to it
 */
void crowd_start(struct crowd *c, unsigned int n, void (*run)(void *arg), void *arg)
{
	int status;

	c->n = n;
	c->ready = shared_memory(sizeof(*c->ready));
	in_the_middle = c->ready;
	for (unsigned int i = 0; i < n; i++)
		c->pid[i] = child_start(run, arg);
	while (__atomic_load_n(c->ready, __ATOMIC_RELAXED) < n) {
		for (unsigned int i = 0; i < n; i++)
			if (waitpid(c->pid[i], &status, WNOHANG) == c->pid[i])
				die("a process that was to go on has ended (%#x)", status);
		usleep(1000);
	}
}

/**
 * crowd_kill() - kill them, and do not wait
 * @c: the crowd
 */
void crowd_kill(struct crowd *c)
{
	for (unsigned int i = 0; i < c->n; i++)
		kill(c->pid[i], SIGKILL);
}

/**
 * crowd_wait() - wait until they are gone
 * @c: the crowd, killed
 */
void crowd_wait(struct crowd *c)
{
	int status;

	for (unsigned int i = 0; i < c->n; i++)
		if (waitpid(c->pid[i], &status, 0) != c->pid[i] || !WIFSIGNALED(status))
			die("a process that was killed has ended otherwise");
	munmap(c->ready, sizeof(*c->ready));
}
