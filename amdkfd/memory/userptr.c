// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of the process itself behind a buffer (floor 3).
 *
 * A userptr is a mirror (../mirror.c, where the essay is) whose pages go into
 * the provider's buffer. A GPU that has the buffer mapped, or is about to,
 * needs it.
 *
 * Between RESTORE and RESUME a userptr is not watched and all its pages are
 * absent: the address space is not in place yet. The restorer's own eviction
 * keeps the queues off meanwhile, and kfd_memory_resume() brings the buffer
 * to the ordinary state.
 *
 * One whose CPU address has been given up (vaddr.c) is not watched either.
 *
 * process->lock protects which userptrs there are and kfd_userptr.gpus.
 */
#include <linux/bits.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "../debug/break.h"
#include "memory.h"

static struct kfd_userptr *to_userptr(struct kfd_mirror *m)
{
	return container_of(m, struct kfd_userptr, mirror);
}

static int userptr_populate(struct kfd_mirror *m, u64 first, u64 npages,
			    struct page **pages, bool writable)
{
	struct kfd_bo *bo = to_userptr(m)->bo;

	bo->pdd->dev->ops->bo_populate(bo->gpu, first, npages, pages, writable);
	return 0;
}

/* The buffer's pages are all GPUs'. */
static void userptr_take(struct kfd_mirror *m, u64 first, u64 npages, u32 gpus,
			 enum kfd_mirror_why why)
{
	struct kfd_bo *bo = to_userptr(m)->bo;

	bo->pdd->dev->ops->bo_invalidate(bo->gpu, first, npages);
}

static const struct kfd_mirror_ops userptr_mirror_ops = {
	.name = "userptr buffer",
	.trigger = KFD_QUEUE_EVICTION_TRIGGER_USERPTR,
	.populate = userptr_populate,
	.take = userptr_take,
};

static void userptr_need_mirror(struct kfd_userptr *u)
{
	struct kfd_mirrors *mirrors = u->mirror.mirrors;

	mutex_lock(&mirrors->notifier_lock);
	kfd_mirror_need_locked(&u->mirror, u->gpus);
	mutex_unlock(&mirrors->notifier_lock);
}

static void userptr_set_gpus(struct kfd_userptr *u, u32 gpus)
{
	lockdep_assert_held(&u->bo->pdd->process->lock);
	kfd_userptr_unlack(u, u->gpus & ~gpus);
	u->gpus = gpus;
	/* What is needed of it is said when it gets an address again. */
	if (u->address == KFD_ADDRESS_VALID)
		userptr_need_mirror(u);
}

/* A mirror of nothing yet; only of one that is not watched. */
static void userptr_init_mirror(struct kfd_userptr *u, u64 addr)
{
	bool write = u->bo->alloc_flags & KFD_IOC_ALLOC_MEM_FLAGS_WRITABLE;

	memset(&u->mirror, 0, sizeof(u->mirror));
	kfd_mirror_init(&u->mirror, &u->bo->pdd->process->mirrors,
			&userptr_mirror_ops, addr, u->bo->size >> PAGE_SHIFT,
			write ? KFD_MIRROR_WRITE : KFD_MIRROR_READ);
}

/**
 * kfd_userptr_look_up() - watch one and make its pages present
 * @userptr: the userptr, not watched; on error it may be watched
 * @look: of who wants it
 *
 * Context: process->lock and validate_lock held; sleeps; takes mmap_lock.
 * current->mm is the process's.
 *
 * Return: 0; KFD_EABSENT: for kfd_look_again(); EFAULT: a page can't be had; ENOMEM;
 * EINTR.
 */
int kfd_userptr_look_up(struct kfd_userptr *userptr, struct kfd_look *look)
{
	int ret;

	/* First: of a live one the GPU has pages, which it may not lose unseen. */
	userptr_need_mirror(userptr);
	ret = kfd_mirror_watch(&userptr->mirror);
	return ret ? ret : kfd_mirror_validate(&userptr->mirror, look);
}

/**
 * kfd_userptr_need() - a GPU is about to map a userptr
 * @userptr: the userptr
 * @pdd: the GPU
 * @look: of who wants it
 *
 * Makes the pages present and keeps them so, by way of evictions, until
 * kfd_userptr_unneed(). Before RESUME it only takes note.
 *
 * Context: process->lock held; sleeps; takes mmap_lock.
 *
 * Return: 0; KFD_EABSENT: for kfd_look_again(); EBUSY: its CPU address has been
 * given up; EFAULT: a page can't be had; ENOMEM; EINTR.
 */
int kfd_userptr_need(struct kfd_userptr *userptr,
		     const struct kfd_process_device *pdd,
		     struct kfd_look *look)
{
	struct kfd_mirrors *mirrors = userptr->mirror.mirrors;
	int ret = 0;

	if (userptr->address != KFD_ADDRESS_VALID)
		return -EBUSY;
	if (mutex_lock_killable(&mirrors->validate_lock))
		return -EINTR;
	/* First, so that no invalidation goes unseen once it is present. */
	userptr_set_gpus(userptr, userptr->gpus | BIT(pdd->index));
	if (kfd_mirror_is_watched(&userptr->mirror))
		ret = kfd_mirror_validate(&userptr->mirror, look);
	mutex_unlock(&mirrors->validate_lock);
	if (ret)
		kfd_userptr_unneed(userptr, pdd);
	return ret;
}

/**
 * kfd_userptr_unneed() - a GPU has unmapped a userptr
 * @userptr: the userptr
 * @pdd: the GPU
 *
 * The queues go on at once when it was the last one whose pages could not be
 * had.
 *
 * Context: process->lock held; sleeps.
 */
void kfd_userptr_unneed(struct kfd_userptr *userptr,
			const struct kfd_process_device *pdd)
{
	userptr_set_gpus(userptr, userptr->gpus & ~BIT(pdd->index));
}

/**
 * kfd_userptr_create() - put the process's own pages behind a buffer
 * @bo: a USERPTR buffer, all of whose pages are absent
 * @addr: CPU address, page-aligned; the range has been checked not to wrap
 * @absent: leave the pages absent and unwatched until kfd_memory_resume();
 *	else current->mm is the process's
 * @look: of who wants it
 *
 * On error too, @bo->userptr may have been set; kfd_userptr_destroy() undoes
 * it.
 *
 * Context: process->lock held; sleeps; takes mmap_lock.
 *
 * Return: 0; KFD_EABSENT: for kfd_look_again(); EFAULT: a page can't be had; ENOMEM;
 * EINTR.
 */
int kfd_userptr_create(struct kfd_bo *bo, u64 addr, bool absent,
		       struct kfd_look *look)
{
	struct kfd_mirrors *mirrors = &bo->pdd->process->mirrors;
	struct kfd_userptr *u;
	int ret;

	u = kzalloc(sizeof(*u), GFP_KERNEL_ACCOUNT);
	if (!u)
		return -ENOMEM;
	u->bo = bo;
	userptr_init_mirror(u, addr);
	bo->userptr = u;
	bo->pdd->process->addresses.userptrs++;
	bo->pdd->process->addresses.given_up = false;
	if (absent)
		return 0;

	if (mutex_lock_killable(&mirrors->validate_lock))
		return -EINTR;
	ret = kfd_userptr_look_up(u, look);
	mutex_unlock(&mirrors->validate_lock);
	return ret;
}

static void userptr_free(struct kfd_userptr *u)
{
	u->bo->pdd->process->addresses.userptrs--;
	kfd_userptr_forget(u);
	kfd_mirror_remove(&u->mirror);
	kfree(u);
}

/**
 * kfd_userptr_destroy() - part with the process's pages
 * @bo: buffer that has a userptr and that no GPU has mapped
 *
 * Context: process->lock held; sleeps. Cannot fail.
 */
void kfd_userptr_destroy(struct kfd_bo *bo)
{
	struct kfd_mirrors *mirrors = bo->userptr->mirror.mirrors;

	mutex_lock(&mirrors->validate_lock);
	userptr_free(bo->userptr);
	mutex_unlock(&mirrors->validate_lock);
	bo->userptr = NULL;
}

static int userptr_resume(struct kfd_userptr *u, struct kfd_look *look)
{
	struct kfd_bo *bo = u->bo;
	int ret = 0;

	if (!kfd_mirror_is_watched(&u->mirror))
		ret = kfd_mirror_watch(&u->mirror);
	if (!ret && u->gpus)
		ret = kfd_mirror_bring_back(&u->mirror, look);
	if (ret && ret != -EINTR && ret != -KFD_EABSENT)
		pr_err_ratelimited("amdkfd: pasid %u: host memory at %#lx, %llu bytes, of buffer %#llx can't be had: %d\n",
				   bo->pdd->process->pasid, u->mirror.addr,
				   bo->size, kfd_bo_handle(bo), ret);
	return ret;
}

static int userptr_resume_bo(struct kfd_bo *bo, void *arg)
{
	int ret = bo->userptr ? userptr_resume(bo->userptr, arg) : 0;

	if (ret && ret != -KFD_EABSENT && KFD_BROKEN(resume_svm_twice))
		userptr_free(bo->userptr);
	return ret;
}

/**
 * kfd_userptr_set_address() - another CPU address for one that is not watched
 * @userptr: the userptr, as RESTORE or kfd_userptr_give_up() left it
 * @addr: CPU address, page-aligned; the range has been checked not to wrap
 *
 * Context: process->lock held.
 */
void kfd_userptr_set_address(struct kfd_userptr *userptr, u64 addr)
{
	struct kfd_mirror was = userptr->mirror;

	lockdep_assert_held(&userptr->bo->pdd->process->lock);
	userptr_init_mirror(userptr, addr);
	if (userptr->address != KFD_ADDRESS_VALID)
		return;
	/* The memory is elsewhere, and what the image says of it holds. */
	kfd_mirror_keep_lost(&userptr->mirror, &was);
	userptr_need_mirror(userptr);
}

/**
 * kfd_userptr_lost() - which part of a userptr GPUs that have it mapped lack
 * @userptr: the userptr, whose CPU address is valid
 * @offset: the first byte that they may lack
 * @size: bytes from there to the last one; 0: none
 *
 * Context: process->lock held; sleeps.
 *
 * Return: 0; EINTR: killed.
 */
int kfd_userptr_lost(struct kfd_userptr *userptr, u64 *offset, u64 *size)
{
	u64 first = 0, npages = 0;
	int ret = 0;

	lockdep_assert_held(&userptr->bo->pdd->process->lock);
	if (userptr->gpus)
		ret = kfd_mirror_lost(&userptr->mirror, &first, &npages);
	*offset = first << PAGE_SHIFT;
	*size = npages << PAGE_SHIFT;
	return ret;
}

/**
 * kfd_userptr_forgo() - a part of a userptr need not be there at RESUME
 * @userptr: the userptr, as kfd_userptr_create() left it, absent
 * @offset: the first byte; a page of it, as the last one is
 * @size: bytes, not 0
 *
 * Context: process->lock held; sleeps.
 */
void kfd_userptr_forgo(struct kfd_userptr *userptr, u64 offset, u64 size)
{
	struct kfd_mirror *m = &userptr->mirror;

	mutex_lock(&m->mirrors->notifier_lock);
	kfd_mirror_forgo(m, m->addr + offset, m->addr + offset + size - 1);
	mutex_unlock(&m->mirrors->notifier_lock);
}

/**
 * kfd_memory_resume() - watch and look up the userptrs of a restored process
 * @p: the process, not necessarily current's; its address space stands again
 *	and has a user
 * @look: of who wants it
 *
 * Those that no GPU has mapped are only watched. What the image says GPUs lacked
 * may be missing. After an error some userptrs may have pages already; calling it
 * again goes on with the others.
 *
 * Context: process->lock held; sleeps; takes the process's mmap_lock.
 *
 * Return: 0, or the error of the first userptr that fails, which is named in
 * the log: EFAULT: a page can't be had; ENOMEM; EINTR; or KFD_EABSENT: for
 * kfd_look_again().
 */
int kfd_memory_resume(struct kfd_process *p, struct kfd_look *look)
{
	int ret;

	lockdep_assert_held(&p->lock);
	if (mutex_lock_killable(&p->mirrors.validate_lock))
		return -EINTR;
	ret = kfd_memory_walk(p, userptr_resume_bo, look);
	mutex_unlock(&p->mirrors.validate_lock);
	return ret;
}
