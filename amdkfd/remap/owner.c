// SPDX-License-Identifier: GPL-2.0-only
/*
 * CHANGE_OWNER: a program adopts the context that the process had before its
 * exec (floor 4). That nobody but the same thread group gets here, the gate has
 * seen to; what it takes is in ../owner.c.
 */
#include <linux/compat.h>

#include "remap.h"

/**
 * kfd_ioctl_change_owner() - CHANGE_OWNER
 * @filp: the kfd file
 * @p: the process, of current's thread group
 * @data: struct kfd_ioctl_change_owner_args
 *
 * Context: takes process->lock.
 *
 * Return: 0; EINVAL: unknown flags, or current's address space is the process's
 * already; EPERM: a 32-bit program; EBADF: the context has ended; else as
 * kfd_process_adopt().
 */
int kfd_ioctl_change_owner(struct file *filp, struct kfd_process *p, void *data)
{
	const struct kfd_ioctl_change_owner_args *args = data;
	int ret;

	if (args->flags || args->pad)
		return -EINVAL;
	if (in_compat_syscall())
		return -EPERM;
	ret = kfd_process_lock(p);
	if (ret)
		return ret;
	ret = kfd_process_adopt(p);
	kfd_process_unlock(p);
	return ret;
}
