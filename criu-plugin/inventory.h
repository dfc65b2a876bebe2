/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What belongs to a dump.
 */
#ifndef KFD_PLUGIN_INVENTORY_H
#define KFD_PLUGIN_INVENTORY_H

#include <stdbool.h>
#include <stdint.h>

void inventory_begin(int dir);
int inventory_add(int dir, unsigned int id, uint64_t dump_id);
void inventory_finish(int dir, bool failed);
int inventory_check(int dir);

#endif
