/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SMI events (floor 2): lines of text for those who watch a GPU, by the file
 * that AMDKFD_IOC_SMI_EVENTS opens.
 *
 * Whoever knows of something that is told there calls the function for it. All
 * of them may be called in NOTIFIER context (amdkfd/device.h) and with any of
 * the driver's mutexes held, but not from interrupts and not with another
 * spinlock of the driver held. They allocate nothing, do not sleep and cannot
 * fail. Without an open file they cost one look at a list. A process is told
 * by a reference that the caller has; a GPU is one that it is bound to.
 *
 * Addresses in the lines are page numbers; so are start and last (which is
 * inclusive) of the calls here, while va is in bytes.
 */
#ifndef AMDKFD_SMI_H
#define AMDKFD_SMI_H

#include <linux/types.h>

#include <linux/kfd_ioctl.h>

struct file;
struct kfd_device;
struct kfd_process;

int kfd_ioctl_smi_events(struct file *filp, struct kfd_process *p, void *data);
void kfd_smi_undo_open(struct kfd_process *p, u32 fd);

/* What files know of them ends here. */
void kfd_smi_process_gone(struct kfd_process *p);
void kfd_smi_device_gone(struct kfd_device *dev);

void kfd_smi_vm_fault(struct kfd_process *p, struct kfd_device *dev);
void kfd_smi_gpu_reset(struct kfd_device *dev, bool begin);

/* GPU ids of the two ends, 0 for system memory */
void kfd_smi_migration_start(struct kfd_process *p, struct kfd_device *dev,
			     unsigned long start, unsigned long last,
			     u32 from_gpu_id, u32 to_gpu_id, u32 prefetch_loc,
			     u32 preferred_loc,
			     enum KFD_MIGRATE_TRIGGERS trigger);
void kfd_smi_migration_end(struct kfd_process *p, struct kfd_device *dev,
			   unsigned long start, unsigned long last,
			   u32 from_gpu_id, u32 to_gpu_id,
			   enum KFD_MIGRATE_TRIGGERS trigger);

void kfd_smi_page_fault_start(struct kfd_process *p, struct kfd_device *dev,
			      u64 va, bool write);
void kfd_smi_page_fault_end(struct kfd_process *p, struct kfd_device *dev,
			    u64 va, bool migrated);

/* Told by kfd_process_evict() and kfd_process_restore(). */
void kfd_smi_queue_eviction(struct kfd_process *p, struct kfd_device *dev,
			    enum KFD_QUEUE_EVICTION_TRIGGERS trigger);
void kfd_smi_queue_restore(struct kfd_process *p, struct kfd_device *dev,
			   bool rescheduled);

void kfd_smi_unmap_from_gpu(struct kfd_process *p, struct kfd_device *dev,
			    unsigned long start, unsigned long last,
			    enum KFD_SVM_UNMAP_TRIGGERS trigger);

#endif
