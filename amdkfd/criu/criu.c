// SPDX-License-Identifier: GPL-2.0-only
/*
 * AMDKFD_IOC_CRIU_OP: from an op number to its function (floor 4).
 *
 * The gate (gate.c) has been passed before anything here is called; the kinds
 * of objects are listed here and nowhere else.
 */
#include "criu.h"

const struct kfd_criu_object_ops *const kfd_criu_kinds[KFD_CRIU_NUM_KINDS] = {
	&kfd_memory_criu_ops,
	&kfd_svm_criu_ops,
	&kfd_event_criu_ops,
	&kfd_queue_criu_ops,
};

static int kfd_criu_unpause(struct kfd_process *p)
{
	kfd_criu_phase(p, KFD_PHASE_UNPAUSE_BEGIN);
	if (!p->pause.active)
		return -EINVAL;
	kfd_pause_end(p);
	kfd_criu_phase(p, KFD_PHASE_UNPAUSE_QUEUES);
	return 0;
}

/* Nothing of the process is there between two tries. */
static int kfd_criu_restore_unlocked(struct kfd_process *p,
				     struct kfd_ioctl_criu_args *args)
{
	struct kfd_gpu_retry retry;
	int ret;

	kfd_gpu_retry_begin(&retry);
	do
		ret = kfd_criu_restore(p, args);
	while (kfd_gpu_retry(&retry, &ret));
	return ret;
}

/**
 * kfd_ioctl_criu_op - AMDKFD_IOC_CRIU_OP
 * @filp: kfd file
 * @p: process behind it
 * @data: struct kfd_ioctl_criu_args
 *
 * Context: sleeps; takes process->lock; RESTORE: see kfd_gpu_retry().
 * Return: 0, or as kfd_criu_process_info(), kfd_criu_checkpoint(),
 * kfd_criu_restore(), kfd_criu_resume(); -EINVAL: UNPAUSE of a process that is
 * not paused, or no such op; -EBADF: the process is gone. (-EBADF and -EACCES
 * of the gate come before.)
 */
int kfd_ioctl_criu_op(struct file *filp, struct kfd_process *p, void *data)
{
	struct kfd_ioctl_criu_args *args = data;
	int ret;

	if (args->op > KFD_CRIU_OP_RESUME)
		return -EINVAL;
	/* RESUME is about another process than the one behind the fd. */
	if (args->op == KFD_CRIU_OP_RESUME)
		return kfd_criu_resume(args);

	if (args->op == KFD_CRIU_OP_PROCESS_INFO)
		return kfd_criu_process_info(p, filp, args);
	if (args->op == KFD_CRIU_OP_RESTORE)
		return kfd_criu_restore_unlocked(p, args);
	if (args->op == KFD_CRIU_OP_CHECKPOINT)
		return kfd_criu_checkpoint(p, args);

	ret = kfd_process_lock(p);
	if (ret)
		return ret;
	ret = kfd_criu_unpause(p);
	kfd_process_unlock(p);
	return ret;
}
