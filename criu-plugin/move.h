/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Restoring USERPTR buffers at other CPU addresses: see move.c.
 */
#ifndef KFD_PLUGIN_MOVE_H
#define KFD_PLUGIN_MOVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "restore.h"

/**
 * struct move - a USERPTR buffer, and where its memory is from now on
 * @bo: the buffer as the image has it
 * @index: its number in the image
 * @to: its CPU address
 * @moved: @to is not what the image says
 */
struct move {
	const KfdBo *bo;
	size_t index;
	uint64_t to;
	bool moved;
};

/**
 * struct move_plan - what becomes of the USERPTR buffers of a process
 * @list: all of them, if any moves; allocated: free() it
 * @nr: entries of @list
 */
struct move_plan {
	struct move *list;
	size_t nr;
};

int move_make_plan(const struct restore_state *st, const KfdProcess *p, struct move_plan *plan);
int move_apply(const struct restore_state *st, int kfd, const struct move_plan *plan);

#endif
