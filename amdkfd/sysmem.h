/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * System memory that GPUs may use (floor 1): one limit for all processes.
 */
#ifndef AMDKFD_SYSMEM_H
#define AMDKFD_SYSMEM_H

#include <linux/types.h>

struct kfd_process;

void kfd_sysmem_init(void);
int kfd_sysmem_charge(struct kfd_process *p, u64 bytes);
void kfd_sysmem_uncharge(struct kfd_process *p, u64 bytes);

#endif
