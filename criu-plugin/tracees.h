/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The processes being dumped, as procfs shows them.
 */
#ifndef KFD_PLUGIN_TRACEES_H
#define KFD_PLUGIN_TRACEES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

int tracees_each(bool (*visit)(pid_t pid, void *arg), void *arg);
bool tracee_maps_file(pid_t pid, dev_t dev, ino_t ino);
bool tracees_have_rings(void);

#endif
