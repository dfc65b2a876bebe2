/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libhsakmt's files below /dev/shm.
 */
#ifndef KFD_PLUGIN_SHM_H
#define KFD_PLUGIN_SHM_H

#include <stdbool.h>
#include <sys/stat.h>

#include "kfd.pb-c.h"

extern const char *shm_dir;
extern bool (*shm_used)(const struct stat *st);

int shm_collect(KfdInventory *inventory);
bool shm_changed(const KfdInventory *inventory);
void shm_free(KfdInventory *inventory);
int shm_bring(const KfdInventory *inventory);
void shm_take_back(void);

#endif
