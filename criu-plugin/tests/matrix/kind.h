/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kinds of state that a program may be in when it is dumped; see main.c.
 */
#ifndef KFD_MATRIX_KIND_H
#define KFD_MATRIX_KIND_H

#include <stddef.h>

#include "tests/gpu_user.h"

#include "lib/kfd_packets.h"
#include "lib/kfd_workload.h"

/**
 * struct kind - a kind of state
 * @name: for the command line
 * @gpus: how many GPUs a restore needs
 * @before: optional: before anything else, with /dev/kfd not yet open
 * @setup: bring the program into that state; the workload runs and waits
 * @check: all is as @setup left it; the GPU may do new work, the workload is
 *	brought to its end afterwards
 * @refused: NULL when a dump has to succeed, and a restore with it; else what
 *	the log of criu must say (a pattern for grep -E)
 * @alone: only @setup and @check, no workload: what does not go with it
 *
 * A program with state for @refused goes on after the refusal, and @check must
 * find everything as it was.
 */
struct kind {
	const char *name;
	unsigned int gpus;
	void (*before)(void);
	void (*setup)(void);
	void (*check)(void);
	const char *refused;
	bool alone;
};

/* The program's use of GPUs: that of @k of the workload. */
extern struct kfd_workload work;

/* Each list ends with a kind that has no name. */
extern const struct kind memory_kinds[];
extern const struct kind mapping_kinds[];
extern const struct kind node_kinds[];
extern const struct kind process_kinds[];

/* Anonymous private memory in the arena, each page of which is there. */
char *new_memory(size_t bytes);
/* A copy queue, made by setup(), that add_by_gpu() uses. */
void new_copy_queue(void);
/* The GPU adds @value to a word at a GPU address; returns when it has. */
void add_by_gpu(uint64_t va, uint64_t value);
/* A GPU's access there is a memory exception, and the queue is given up. */
void must_fault(const volatile void *at);

#endif
