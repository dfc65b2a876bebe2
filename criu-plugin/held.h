/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files of /dev/kfd in the hands of processes whose GPU state they do not have.
 */
#ifndef KFD_PLUGIN_HELD_H
#define KFD_PLUGIN_HELD_H

#include <stdbool.h>
#include <sys/types.h>

#include "sys.h"

bool held_is_dead(int kfd);
void held_explain(int kfd, const struct sys_holders *holders);
int held_check_opener(unsigned int id, pid_t owner, const struct sys_holders *holders);
int held_open_dead(int dir, pid_t self);

#endif
