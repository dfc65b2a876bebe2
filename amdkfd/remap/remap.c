// SPDX-License-Identifier: GPL-2.0-only
/*
 * ALLOC_MEMORY_OF_GPU: a buffer, or another CPU address for one (floor 4).
 *
 * process->lock is taken here for what the other files of remap/ do.
 */
#include "../memory/memory.h"
#include "remap.h"

#define REMAP_GIVE_UP	(KFD_IOC_ALLOC_MEM_FLAGS_USERPTR | \
			 KFD_IOC_ALLOC_MEM_FLAGS_VADDR_INVALIDATE)
#define REMAP_GIVE_UP_LIVE	(REMAP_GIVE_UP | \
				 KFD_IOC_ALLOC_MEM_FLAGS_VADDR_LIVE)
#define REMAP_REPLACE	(KFD_IOC_ALLOC_MEM_FLAGS_USERPTR | \
			 KFD_IOC_ALLOC_MEM_FLAGS_VADDR_UPDATE)

static int remap_once(struct kfd_process *p,
		      const struct kfd_ioctl_alloc_memory_of_gpu_args *args,
		      struct kfd_look *look)
{
	int ret;

	ret = kfd_process_lock(p);
	if (ret)
		return ret;
	switch (args->flags) {
	case REMAP_GIVE_UP:
	case REMAP_GIVE_UP_LIVE:
		ret = kfd_remap_invalidate(p, args,
					   args->flags == REMAP_GIVE_UP_LIVE,
					   look);
		break;
	case REMAP_REPLACE:
		ret = kfd_remap_update(p, args, look);
		break;
	default:
		ret = -EINVAL;
	}
	kfd_process_unlock(p);
	return ret;
}

static int remap(struct kfd_process *p,
		 const struct kfd_ioctl_alloc_memory_of_gpu_args *args)
{
	struct kfd_look look = {};
	int ret;

	do {
		ret = remap_once(p, args, &look);
	} while (kfd_look_again(&p->mirrors, &look, &ret));
	return ret;
}

/**
 * kfd_ioctl_alloc_or_remap() - ALLOC_MEMORY_OF_GPU
 * @filp: the kfd file
 * @p: the process
 * @data: struct kfd_ioctl_alloc_memory_of_gpu_args; with flags VADDR_* nothing
 *	in it is changed
 *
 * Context: takes process->lock.
 *
 * Return: without flags VADDR_* as kfd_ioctl_alloc_memory_of_gpu(). Else 0;
 * EINVAL: flags that do not go together; or as kfd_remap_invalidate() and
 * kfd_remap_update().
 */
int kfd_ioctl_alloc_or_remap(struct file *filp, struct kfd_process *p,
			     void *data)
{
	const struct kfd_ioctl_alloc_memory_of_gpu_args *args = data;

	if (args->flags & KFD_REMAP_FLAGS)
		return remap(p, args);
	return kfd_ioctl_alloc_memory_of_gpu(filp, p, data);
}
