// SPDX-License-Identifier: GPL-2.0-only
/*
 * VADDR_INFO: what can be done with CPU addresses, and how they stand
 * (floor 4).
 */
#include "remap.h"

/**
 * kfd_ioctl_vaddr_info() - VADDR_INFO
 * @filp: the kfd file
 * @p: the process
 * @data: struct kfd_ioctl_vaddr_info_args, filled
 *
 * Context: takes process->lock.
 *
 * Return: 0; EBADF: the process is being taken down; EINTR: killed.
 */
int kfd_ioctl_vaddr_info(struct file *filp, struct kfd_process *p, void *data)
{
	struct kfd_ioctl_vaddr_info_args *args = data;
	int ret;

	ret = kfd_process_lock(p);
	if (ret)
		return ret;
	args->capabilities = KFD_IOC_VADDR_CAP_REMAP | KFD_IOC_VADDR_CAP_LIVE |
			     KFD_IOC_VADDR_CAP_CHANGE_OWNER;
	if (IS_ENABLED(CONFIG_HUGETLBFS))
		args->capabilities |= KFD_IOC_VADDR_CAP_LIVE_HUGETLB;
	args->held_pages = p->addresses.held_pages;
	args->num_userptrs = p->addresses.userptrs;
	args->num_invalid = p->addresses.invalid;
	args->num_live = p->addresses.live;
	args->exec_blockers = kfd_process_exec_blockers(p);
	kfd_process_unlock(p);
	return 0;
}
