/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ioctls that are about a GPU as a process sees it: version, clocks,
 * apertures, VM, cache policy, scratch, trap handler, XNACK (floor 4).
 */
#ifndef AMDKFD_DEVICE_IOCTL_H
#define AMDKFD_DEVICE_IOCTL_H

#include "process.h"

int kfd_ioctl_get_version(struct file *filp, struct kfd_process *p, void *data);
int kfd_ioctl_get_clock_counters(struct file *filp, struct kfd_process *p,
				 void *data);
int kfd_ioctl_get_process_apertures(struct file *filp, struct kfd_process *p,
				    void *data);
int kfd_ioctl_get_process_apertures_new(struct file *filp,
					struct kfd_process *p, void *data);
int kfd_ioctl_acquire_vm(struct file *filp, struct kfd_process *p, void *data);
int kfd_ioctl_set_memory_policy(struct file *filp, struct kfd_process *p,
				void *data);
int kfd_ioctl_set_scratch_backing_va(struct file *filp, struct kfd_process *p,
				     void *data);
int kfd_ioctl_set_trap_handler(struct file *filp, struct kfd_process *p,
			       void *data);
int kfd_ioctl_get_tile_config(struct file *filp, struct kfd_process *p,
			      void *data);
int kfd_ioctl_set_xnack_mode(struct file *filp, struct kfd_process *p,
			     void *data);

#endif
