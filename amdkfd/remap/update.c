// SPDX-License-Identifier: GPL-2.0-only
/*
 * VADDR_UPDATE: a buffer gets another CPU address (floor 4).
 *
 * Between RESTORE and RESUME a buffer has the address that the image says and
 * nothing has been looked up: then it is only noted.
 *
 * process->lock is held throughout.
 */
#include "../memory/memory.h"
#include "remap.h"

/* A RESUME that failed may have looked it up, or have tried to: as if it had not. */
static int update_restored(struct kfd_userptr *u, u64 addr)
{
	struct kfd_mirrors *mirrors = u->mirror.mirrors;

	if (mutex_lock_killable(&mirrors->validate_lock))
		return -EINTR;
	kfd_mirror_remove(&u->mirror);
	kfd_userptr_set_address(u, addr);
	mutex_unlock(&mirrors->validate_lock);
	return 0;
}

/**
 * kfd_remap_update() - replace a CPU address
 * @p: the process
 * @args: va_addr, size, gpu_id: which buffer; mmap_offset: its new address
 * @look: of who wants it
 *
 * The last buffer of a GPU that lacked its pages lets the GPU's queues go on.
 *
 * Context: process->lock held; current->mm is the process's; sleeps; takes
 * validate_lock and mmap_lock.
 *
 * Return: 0, or, with nothing changed:
 * * KFD_EABSENT: for kfd_look_again()
 * * ENOENT: no buffer is there
 * * EINVAL: another range than a buffer's, a buffer of another kind, an address
 *   that can't be one or that is valid; pages are held and something else is
 *   mapped there
 * * ENODEV: the GPU has no VM
 * * EFAULT: a page can't be had
 * * ENOMEM
 * * EINTR: a signal came first
 */
int kfd_remap_update(struct kfd_process *p,
		     const struct kfd_ioctl_alloc_memory_of_gpu_args *args,
		     struct kfd_look *look)
{
	struct kfd_process_device *pdd;
	struct kfd_userptr *u;
	struct kfd_bo *bo;
	int ret;

	lockdep_assert_held(&p->lock);
	if (!args->size)
		return -EINVAL;
	ret = kfd_memory_bound_device(p, args->gpu_id, &pdd);
	if (!ret)
		ret = kfd_bo_lookup_va(pdd, args->va_addr, args->size, &bo);
	if (ret)
		return ret;
	if (!kfd_bo_user_range_valid(args->mmap_offset, args->size))
		return -EINVAL;
	u = bo->userptr;
	if (u->address != KFD_ADDRESS_VALID)
		return kfd_userptr_take_up(u, args->mmap_offset, look);
	return p->restored ? update_restored(u, args->mmap_offset) : -EINVAL;
}
