/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Checkpoint and restore (floor 4): the CRIU op of the ioctl interface.
 *
 * Everything is under process->lock of the process behind the fd, except that
 * RESUME works on the process that its pid names.
 */
#ifndef AMDKFD_CRIU_H
#define AMDKFD_CRIU_H

#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/types.h>

#include <linux/kfd_ioctl.h>

#include "../process.h"
#include "object.h"
#include "phase.h"

int kfd_criu_init(void);
void kfd_criu_exit(void);

int kfd_ioctl_criu_op(struct file *filp, struct kfd_process *p, void *data);
void kfd_criu_file_closed(struct kfd_process *p, fl_owner_t id,
			  struct file *filp);

/* criu_show.c; p->lock held */
void kfd_criu_show(struct seq_file *m, struct kfd_process *p);

/* checkpoint.c; takes p->lock */
void kfd_criu_undo_process_info(struct kfd_process *p, const struct file *filp);

/* Kinds of objects in the order in which they are saved and loaded. */
#define KFD_CRIU_NUM_KINDS	4
extern const struct kfd_criu_object_ops *const
	kfd_criu_kinds[KFD_CRIU_NUM_KINDS];

/* pause.c; p->lock held */
int kfd_pause_begin(struct kfd_process *p, const struct file *filp);
void kfd_pause_end(struct kfd_process *p);

/**
 * struct kfd_drain - a PROCESS_INFO that may wait for the queues
 * @wanted: it was asked to
 * @only: and to fail when they don't get there
 * @drained: they did
 * @end: how long it waits
 * @pause_ms: until the next look
 * @waited: there was a look before
 */
struct kfd_drain {
	bool wanted;
	bool only;
	bool drained;
	ktime_t end;
	u32 pause_ms;
	bool waited;
};

/* drain.c */
int kfd_drain_init(struct kfd_drain *drain, u64 request);
int kfd_drain_look(const struct kfd_drain *drain, struct kfd_process *p);
int kfd_drain_check(struct kfd_drain *drain, struct kfd_process *p);
int kfd_drain_sleep(struct kfd_drain *drain);

/* checkpoint.c; takes p->lock, and lets go of it to wait */
int kfd_criu_process_info(struct kfd_process *p, const struct file *filp,
			  struct kfd_ioctl_criu_args *args);

/* checkpoint.c, restore.c; take p->lock */
int kfd_criu_checkpoint(struct kfd_process *p,
			const struct kfd_ioctl_criu_args *args);
int kfd_criu_restore(struct kfd_process *p,
		     const struct kfd_ioctl_criu_args *args);
/* restore.c; takes the lock of the process that args->pid names */
int kfd_criu_resume(const struct kfd_ioctl_criu_args *args);

/* fds.c: files that become fds of the caller, all or none */
int kfd_criu_reserve_fds(struct kfd_criu_bo_bucket *bos, struct file **files,
			 u32 n);
void kfd_criu_install_fds(const struct kfd_criu_bo_bucket *bos,
			  struct file **files, u32 n);
void kfd_criu_unreserve_fds(const struct kfd_criu_bo_bucket *bos,
			    struct file **files, u32 n);
void kfd_criu_drop_files(struct file **files, u32 n);

#endif
