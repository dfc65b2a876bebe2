// SPDX-License-Identifier: GPL-2.0-only
/*
 * USERPTR buffers without a CPU address (floor 3): what it means for one buffer
 * to give its address up and to get another. Who may ask for that, and for
 * which buffers together, is remap/'s.
 *
 * A buffer that has given up its address either lacks its pages, and the queues
 * of the GPUs that it is mapped on are evicted for that (one eviction per GPU,
 * however many buffers lack: kfd_memory.lacking), or its pages are held (live.c)
 * and the GPUs go on. Its mirror is not watched, so nothing of it refers to the
 * address space.
 *
 * DOC: states of a userptr's CPU address
 *
 * Only userptr_enter() goes from one to another; columns are what the buffer is told:
 *
 *	          give up              give up, held        take up            it goes
 *	VALID     LACKING: pages are   HELD: GPUs get the   -                  VALID
 *	          taken off, queues    file's pages, which
 *	          were stopped before  may differ
 *	LACKING   -                    -                    VALID: the queues  VALID:
 *	                                                    go on              likewise
 *	HELD      -                    -                    VALID: pages of    VALID: pages
 *	                                                    the new mapping,   are taken
 *	                                                    the hold ends      off first
 *
 * Who takes up an address and does not find the pages there is as before: a mirror
 * at the new address is watched and removed again, LACKING has no pages from it, and
 * HELD gets those that are held once more. What has no address can't be mapped.
 *
 * process->lock protects all of it; validate_lock is held where a mirror stops
 * or begins to be watched.
 */
#include <linux/bits.h>
#include <linux/sched/mm.h>

#include "memory.h"

/* Those of @gpus whose queues are not evicted for a buffer that lacks pages. */
static u32 memory_lack_nothing(struct kfd_process *p, u32 gpus)
{
	u32 i;

	lockdep_assert_held(&p->lock);
	for (i = 0; i < p->n_pdds; i++)
		if (kfd_memory(p)->lacking[i])
			gpus &= ~BIT(i);
	return gpus;
}

/**
 * kfd_memory_stop() - evict the queues of GPUs that will lack pages
 * @p: the process
 * @gpus: the GPUs, by index; those that lack some already are left out
 *
 * The buffers are given up next (kfd_userptr_give_up()), or kfd_memory_go_on()
 * undoes it.
 *
 * Context: process->lock held; sleeps.
 *
 * Return: 0; ETIME: a queue did not stop: all go on.
 */
int kfd_memory_stop(struct kfd_process *p, u32 gpus)
{
	int ret;

	gpus = memory_lack_nothing(p, gpus);
	ret = kfd_process_evict_on(p, gpus,
				   KFD_QUEUE_EVICTION_TRIGGER_USERPTR);
	if (ret)
		kfd_memory_go_on(p, gpus);
	return ret;
}

/**
 * kfd_memory_go_on() - let the queues of GPUs go on that lack nothing
 * @p: the process
 * @gpus: the GPUs, by index; those that lack some pages are left out
 *
 * Context: process->lock held; sleeps.
 */
void kfd_memory_go_on(struct kfd_process *p, u32 gpus)
{
	int ret;

	gpus = memory_lack_nothing(p, gpus);
	/* At the end of a process nothing goes on, and nobody is told so. */
	ret = gpus && !READ_ONCE(p->dead) ? kfd_process_restore_on(p, gpus) : 0;
	if (ret)
		pr_warn_ratelimited("amdkfd: pasid %u: queues did not come back with their memory's address: %d\n",
				    p->pasid, ret);
}

/* The queues of @gpus, by index, have been evicted for it. */
static void userptr_lack(struct kfd_userptr *userptr, u32 gpus)
{
	struct kfd_process *p = userptr->bo->pdd->process;
	u32 i;

	lockdep_assert_held(&p->lock);
	for (i = 0; i < p->n_pdds; i++)
		if (gpus & BIT(i))
			kfd_memory(p)->lacking[i]++;
}

/**
 * kfd_userptr_unlack() - GPUs have the pages again, or need them no more
 * @userptr: the userptr; if it lacks none nothing is done
 * @gpus: the GPUs, by index
 *
 * Context: process->lock held; sleeps.
 */
void kfd_userptr_unlack(struct kfd_userptr *userptr, u32 gpus)
{
	struct kfd_process *p = userptr->bo->pdd->process;
	u32 i;

	lockdep_assert_held(&p->lock);
	if (userptr->address != KFD_ADDRESS_LACKING)
		return;
	for (i = 0; i < p->n_pdds; i++)
		if (gpus & BIT(i))
			kfd_memory(p)->lacking[i]--;
	kfd_memory_go_on(p, gpus);
}

/* The only function that changes kfd_userptr.address, and what is counted by it. */
static void userptr_enter(struct kfd_userptr *userptr,
			  enum kfd_userptr_address next)
{
	struct kfd_addresses *addresses =
		&userptr->bo->pdd->process->addresses;
	enum kfd_userptr_address was = userptr->address;

	addresses->invalid += (next != KFD_ADDRESS_VALID) -
			      (was != KFD_ADDRESS_VALID);
	addresses->live += (next == KFD_ADDRESS_HELD) - (was == KFD_ADDRESS_HELD);
	kfd_userptr_unlack(userptr, userptr->gpus);
	userptr->address = next;
	if (next == KFD_ADDRESS_LACKING)
		userptr_lack(userptr, userptr->gpus);
	if (was == KFD_ADDRESS_HELD)
		kfd_live_release(userptr);
}

/* GPUs go on with the pages that are held, whatever comes of the mirror's. */
static void userptr_keep_held(struct kfd_userptr *userptr)
{
	struct kfd_mirror *m = &userptr->mirror;

	mutex_lock(&m->mirrors->notifier_lock);
	kfd_mirror_retire(m);
	kfd_live_populate(userptr);
	mutex_unlock(&m->mirrors->notifier_lock);
}

/**
 * kfd_userptr_give_up() - part with the CPU address, and with the pages unless
 *	they are held
 * @userptr: the userptr, watched; @userptr->live: its pages, held and charged.
 *	Without, the queues of the GPUs that it is mapped on have been evicted by
 *	kfd_memory_stop()
 *
 * When it returns the GPU uses the pages that are held, or none.
 *
 * Context: process->lock and validate_lock held; sleeps. Cannot fail.
 */
void kfd_userptr_give_up(struct kfd_userptr *userptr)
{
	/*
	 * Pages that the mapping has lost in the meantime are not the file's any
	 * more; those that it lacks are there again.
	 */
	if (userptr->live)
		userptr_keep_held(userptr);
	kfd_mirror_remove(&userptr->mirror);
	userptr_enter(userptr, userptr->live ? KFD_ADDRESS_HELD :
					       KFD_ADDRESS_LACKING);
}

/**
 * kfd_userptr_take_up() - get another CPU address
 * @userptr: a userptr that has given up its own
 * @addr: the new one, page-aligned; the range has been checked not to wrap
 * @look: of who wants it
 *
 * Context: process->lock held; current->mm is the process's; sleeps; takes
 * mmap_lock.
 *
 * Return: 0; KFD_EABSENT: for kfd_look_again(); EINVAL: pages are held, and this
 * is not where the same file is mapped in the same way; EFAULT: a page can't be
 * had; ENOMEM; EINTR. On error it is as before.
 */
int kfd_userptr_take_up(struct kfd_userptr *userptr, u64 addr,
			struct kfd_look *look)
{
	struct kfd_mirrors *mirrors = userptr->mirror.mirrors;
	u64 old = userptr->mirror.addr;
	int ret;

	if (mutex_lock_killable(&mirrors->validate_lock))
		return -EINTR;
	ret = userptr->live ? kfd_live_match(userptr, addr) : 0;
	if (ret)
		goto out;
	kfd_userptr_set_address(userptr, addr);
	ret = kfd_userptr_look_up(userptr, look);
	if (ret) {
		if (userptr->live && kfd_mirror_is_watched(&userptr->mirror))
			userptr_keep_held(userptr);
		kfd_mirror_remove(&userptr->mirror);
		kfd_userptr_set_address(userptr, old);
	} else {
		userptr_enter(userptr, KFD_ADDRESS_VALID);
	}
out:
	mutex_unlock(&mirrors->validate_lock);
	return ret;
}

/**
 * kfd_userptr_forget() - a userptr without an address goes for good
 * @userptr: the userptr, which no GPU has mapped any more; if its address is
 *	valid nothing is done
 *
 * Context: process->lock and validate_lock held; sleeps. Cannot fail.
 */
void kfd_userptr_forget(struct kfd_userptr *userptr)
{
	struct kfd_mirror *m = &userptr->mirror;

	if (userptr->address == KFD_ADDRESS_VALID)
		return;
	mutex_lock(&m->mirrors->notifier_lock);
	kfd_mirror_deny_locked(m, m->addr, m->addr + (m->npages << PAGE_SHIFT) - 1,
			       ~0u, KFD_MIRROR_CHANGED);
	mutex_unlock(&m->mirrors->notifier_lock);
	userptr_enter(userptr, KFD_ADDRESS_VALID);
}
