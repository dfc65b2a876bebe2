/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Replacing the CPU addresses behind a context (floor 4): who may ask for it,
 * for which buffers together, and the change of owner. What it means for one
 * buffer is memory/'s (vaddr.c), for the binding to an address space owner.c's.
 * The rules are in <linux/kfd_ioctl.h>.
 *
 * Everything is protected by process->lock, which the handlers take.
 */
#ifndef AMDKFD_REMAP_H
#define AMDKFD_REMAP_H

#include <linux/types.h>

#include <linux/kfd_ioctl.h>

#include "../process.h"

struct file;

/* Flags of ALLOC_MEMORY_OF_GPU that make it one of the operations here. */
#define KFD_REMAP_FLAGS	((u32)(KFD_IOC_ALLOC_MEM_FLAGS_VADDR_INVALIDATE | \
			       KFD_IOC_ALLOC_MEM_FLAGS_VADDR_UPDATE |	  \
			       KFD_IOC_ALLOC_MEM_FLAGS_VADDR_LIVE))

/* remap.c */
int kfd_ioctl_alloc_or_remap(struct file *filp, struct kfd_process *p,
			     void *data);

/* invalidate.c */
int kfd_remap_invalidate(struct kfd_process *p,
			 const struct kfd_ioctl_alloc_memory_of_gpu_args *args,
			 bool live, struct kfd_look *look);

/* update.c */
int kfd_remap_update(struct kfd_process *p,
		     const struct kfd_ioctl_alloc_memory_of_gpu_args *args,
		     struct kfd_look *look);

/* info.c */
int kfd_ioctl_vaddr_info(struct file *filp, struct kfd_process *p, void *data);

/* owner.c */
int kfd_ioctl_change_owner(struct file *filp, struct kfd_process *p,
			   void *data);

#endif
