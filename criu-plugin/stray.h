/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Processes that have state of a GPU and no file that leads to it: see stray.c.
 */
#ifndef KFD_PLUGIN_STRAY_H
#define KFD_PLUGIN_STRAY_H

#include <sys/types.h>

int stray_check_tree(void);
int stray_check_below(pid_t root);

#endif
