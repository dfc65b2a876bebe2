/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Processes that do their worst with what anybody may do, and those that they are
 * compared with: as many that are merely busy. All for crowd_start().
 */
#ifndef HOSTILE_H
#define HOSTILE_H

#include <stdbool.h>

/**
 * struct kind - something that can be done to others
 * @name: in the table
 * @n: processes that do it
 * @slow: it needs a file whose pages do not come
 * @run: does it for ever; its argument is that file, a struct kfd_slow
 */
struct kind {
	const char *name;
	unsigned int n;
	bool slow;
	void (*run)(void *slow);
};

extern const struct kind kinds[];
extern const unsigned int num_kinds;

void be_busy(void *unused);

#endif
