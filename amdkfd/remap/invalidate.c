// SPDX-License-Identifier: GPL-2.0-only
/*
 * VADDR_INVALIDATE: buffers give up their CPU addresses, all that are meant or
 * none (floor 4).
 *
 * First everything that can fail: which buffers, their pages held, or else the
 * queues evicted; then every buffer gives its address up, which cannot.
 *
 * process->lock is held throughout.
 */
#include <linux/list.h>

#include "../memory/memory.h"
#include "remap.h"

/**
 * struct invalidate - one call
 * @userptrs: list of kfd_userptr that are meant
 * @owner: only buffers of this GPU; NULL: of all
 * @gpus: GPUs that any of them is mapped on, by index
 */
struct invalidate {
	struct list_head userptrs;
	const struct kfd_process_device *owner;
	u32 gpus;
};

static int invalidate_add(struct kfd_bo *bo, void *arg)
{
	struct invalidate *inv = arg;

	if (!bo->userptr || (inv->owner && bo->pdd != inv->owner))
		return 0;
	if (bo->userptr->address != KFD_ADDRESS_VALID)
		return -EINVAL;
	list_add_tail(&bo->userptr->node, &inv->userptrs);
	inv->gpus |= bo->userptr->gpus;
	return 0;
}

/* Which buffers @args means. */
static int invalidate_find(struct kfd_process *p, struct invalidate *inv,
			   const struct kfd_ioctl_alloc_memory_of_gpu_args *args)
{
	struct kfd_process_device *pdd = NULL;
	struct kfd_bo *bo;
	bool all = !args->va_addr && !args->size;
	int ret = 0;

	if (args->mmap_offset || (!all && !args->size))
		return -EINVAL;
	/* Between RESTORE and RESUME no address is in use. */
	if (p->restored)
		return -EINVAL;
	if (!all || args->gpu_id)
		ret = kfd_memory_bound_device(p, args->gpu_id, &pdd);
	if (ret)
		return ret;
	if (all) {
		inv->owner = pdd;
		return kfd_memory_walk(p, invalidate_add, inv);
	}
	ret = kfd_bo_lookup_va(pdd, args->va_addr, args->size, &bo);
	return ret ? ret : invalidate_add(bo, inv);
}

static void invalidate_release(struct invalidate *inv)
{
	struct kfd_userptr *u;

	list_for_each_entry(u, &inv->userptrs, node)
		if (u->live)
			kfd_live_release(u);
}

/* All pages, so that the GPUs can go on. */
static int invalidate_hold(struct kfd_mirrors *mirrors, struct invalidate *inv,
			   struct kfd_look *look)
{
	struct kfd_userptr *u;
	int ret = 0;

	lockdep_assert_held(&mirrors->validate_lock);
	list_for_each_entry(u, &inv->userptrs, node) {
		/* Of hugetlbfs only what has been touched is there. */
		ret = kfd_mirror_validate(&u->mirror, look);
		if (!ret)
			ret = kfd_live_hold(u);
		if (ret)
			break;
		cond_resched();
	}
	if (ret)
		invalidate_release(inv);
	return ret;
}

/**
 * kfd_remap_invalidate() - give up CPU addresses
 * @p: the process
 * @args: va_addr, size, gpu_id: which buffer, or both 0 and maybe gpu_id too:
 *	all; mmap_offset: 0
 * @live: hold the pages
 * @look: of who wants it
 *
 * Context: process->lock held; current->mm is the process's; sleeps; takes
 * validate_lock and mmap_lock.
 *
 * Return: 0, or, with nothing changed:
 * * KFD_EABSENT: with @live: for kfd_look_again()
 * * ENOENT: no buffer is there
 * * EINVAL: another range than a buffer's, a buffer of another kind, an address
 *   that has been given up, a process that was restored and not resumed; with
 *   @live memory that is not a shared mapping of a file in memory
 * * ENODEV: the GPU has no VM
 * * EFAULT: with @live: a page can't be had
 * * ENOMEM: no memory, or over RLIMIT_MEMLOCK
 * * ETIME: a queue did not stop
 * * EINTR: a signal came first
 */
int kfd_remap_invalidate(struct kfd_process *p,
			 const struct kfd_ioctl_alloc_memory_of_gpu_args *args,
			 bool live, struct kfd_look *look)
{
	struct invalidate inv = {
		.userptrs = LIST_HEAD_INIT(inv.userptrs),
	};
	struct kfd_userptr *u;
	int ret;

	lockdep_assert_held(&p->lock);
	ret = invalidate_find(p, &inv, args);
	if (ret)
		return ret;
	if (mutex_lock_killable(&p->mirrors.validate_lock))
		return -EINTR;
	ret = live ? invalidate_hold(&p->mirrors, &inv, look) :
		     kfd_memory_stop(p, inv.gpus);
	if (!ret) {
		list_for_each_entry(u, &inv.userptrs, node)
			kfd_userptr_give_up(u);
		if (!args->size && !args->gpu_id)
			p->addresses.given_up = true;
	}
	mutex_unlock(&p->mirrors.validate_lock);
	return ret;
}
