/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Processes in sysfs (floor 5): see process_sysfs.c.
 */
#ifndef AMDKFD_PROCESS_SYSFS_H
#define AMDKFD_PROCESS_SYSFS_H

struct device;

void kfd_process_sysfs_connect(void);
int kfd_process_sysfs_init(struct device *parent);
void kfd_process_sysfs_exit(void);

#endif
