// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whose a process is (floor 2): the binding of its GPU context to an address
 * space, and what becomes of the context when that ends.
 *
 * DOC: how a context outlives its address space
 *
 * A context is bound to an mm by an MMU notifier. When the mm ends, everything
 * ends with it, unless nothing in the context depends on the mm: all CPU
 * addresses have been given up, no memory is shared, nobody saves or restores
 * (kfd_process_exec_blockers()); somebody in the same thread group runs in
 * another mm, which is what an exec looks like and an exit does not; and a file
 * of /dev/kfd is still open. Then the context becomes an orphan: it is found by
 * no mm and every ioctl on it but CHANGE_OWNER is refused. Its GPU side does not
 * know of this.
 *
 * An orphan ends when it is adopted (by its own thread group, in a new mm), when
 * its last file is closed, or when its thread group has ended while others
 * still hold the file. Nothing tells a driver of the last, so a work looks ten
 * times a second, while there is an orphan.
 *
 * The mm may outlast the exec, because another process shares it or somebody
 * reads its /proc. Then there is no orphan, but the context can be adopted all
 * the same; whoever is left in the old mm loses its mappings of /dev/kfd.
 *
 * The release callback and the adoption may run at the same time: owner->lock
 * makes the decision of the one and the change of the other one step each, and
 * a callback of a notifier that is no longer the context's does nothing.
 *
 * Locks: kfd_process.mm changes under process->lock and owner->lock; owner->lock
 * protects the rest of struct kfd_owner. The release callback takes no
 * process->lock (see process.c).
 */
#include <linux/capability.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "process.h"

/* How often it is looked whether an orphan's thread group still runs. */
#define KFD_OWNER_WATCH_MS	100

/**
 * struct kfd_owner_notifier - one binding to one address space
 * @mn: the notifier, which holds the mm's struct
 * @process: whose, referenced until the notifier is freed
 */
struct kfd_owner_notifier {
	struct mmu_notifier mn;
	struct kfd_process *process;
};

/* Whether the thread group lives on in another address space. */
static bool kfd_owner_has_moved(const struct kfd_process *p)
{
	struct task_struct *leader, *t;
	bool moved = false;

	rcu_read_lock();
	leader = pid_task(p->tgid, PIDTYPE_TGID);
	if (leader) {
		for_each_thread(leader, t) {
			const struct mm_struct *mm = READ_ONCE(t->mm);

			moved |= mm && mm != p->mm;
		}
	}
	rcu_read_unlock();
	return moved;
}

/**
 * kfd_process_exec_blockers() - what the end of the address space would end the
 *	context for
 * @p: the process
 *
 * Context: process->lock held, or no thread of the process runs in its address
 * space any more.
 * Return: KFD_IOC_VADDR_EXEC_*; 0: it could live on.
 */
u32 kfd_process_exec_blockers(struct kfd_process *p)
{
	const struct kfd_addresses *a = &p->addresses;
	u32 blockers = 0;

	if (a->invalid != a->userptrs || (!a->userptrs && !a->given_up))
		blockers |= KFD_IOC_VADDR_EXEC_ADDRESSES;
	if (kfd_process_svm_in_use(p))
		blockers |= KFD_IOC_VADDR_EXEC_SVM;
	if (p->pause.active)
		blockers |= KFD_IOC_VADDR_EXEC_PAUSED;
	if (p->restored)
		blockers |= KFD_IOC_VADDR_EXEC_RESTORED;
	return blockers;
}

static void kfd_owner_watch_start(struct kfd_process *p)
{
	kfd_process_get(p);
	if (!queue_delayed_work(kfd_process_wq, &p->owner.watch,
				msecs_to_jiffies(KFD_OWNER_WATCH_MS)))
		kfd_process_put(p);
}

static void kfd_owner_watch(struct work_struct *work)
{
	struct kfd_process *p = container_of(to_delayed_work(work),
					     struct kfd_process, owner.watch);
	bool orphan, ended;

	spin_lock(&p->owner.lock);
	orphan = p->owner.orphan && !READ_ONCE(p->dead);
	ended = orphan && !kfd_owner_has_moved(p);
	spin_unlock(&p->owner.lock);
	if (ended)
		kfd_process_kill(p);
	else if (orphan)
		kfd_owner_watch_start(p);
	kfd_process_put(p);
}

static void kfd_owner_mn_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct kfd_owner_notifier *notifier =
		container_of(mn, struct kfd_owner_notifier, mn);
	struct kfd_process *p = notifier->process;
	struct kfd_owner *owner = &p->owner;

	spin_lock(&owner->lock);
	/* Adopted before the last user of the old mm was gone. */
	if (owner->notifier != notifier) {
		spin_unlock(&owner->lock);
		return;
	}
	owner->orphan = !READ_ONCE(p->dead) && owner->files &&
			!kfd_process_exec_blockers(p) && kfd_owner_has_moved(p);
	spin_unlock(&owner->lock);

	/* From here on only the thread group's exec or end can come. */
	if (!READ_ONCE(owner->orphan)) {
		kfd_process_kill(p);
		return;
	}
	kfd_process_unpublish(p, mm);
	kfd_owner_watch_start(p);
}

static void kfd_owner_mn_free(struct mmu_notifier *mn)
{
	struct kfd_owner_notifier *notifier =
		container_of(mn, struct kfd_owner_notifier, mn);

	kfd_process_put(notifier->process);
	kfree(notifier);
}

static const struct mmu_notifier_ops kfd_owner_mn_ops = {
	.release = kfd_owner_mn_release,
	.free_notifier = kfd_owner_mn_free,
};

static bool kfd_owner_ignore(struct mmu_interval_notifier *mni,
			     const struct mmu_notifier_range *range,
			     unsigned long seq)
{
	mmu_interval_set_seq(mni, seq);
	return true;
}

static const struct mmu_interval_notifier_ops kfd_owner_interval_ops = {
	.invalidate = kfd_owner_ignore,
};

/*
 * The first interval notifier of an address space takes mmap_lock for writing,
 * and heeds no signal. Mirrors are watched with locks held that others want, so
 * this is to be over before there is one.
 */
static int kfd_owner_prepare_intervals(struct mm_struct *mm)
{
	struct mmu_interval_notifier *mni;
	int ret;

	mni = kzalloc(sizeof(*mni), GFP_KERNEL_ACCOUNT);
	if (!mni)
		return -ENOMEM;
	ret = mmu_interval_notifier_insert(mni, mm, 0, PAGE_SIZE,
					   &kfd_owner_interval_ops);
	if (!ret)
		mmu_interval_notifier_remove(mni);
	kfree(mni);
	return ret;
}

/* A binding of @p to current's address space. */
static struct kfd_owner_notifier *kfd_owner_register(struct kfd_process *p)
{
	struct kfd_owner_notifier *notifier;
	int ret;

	ret = kfd_owner_prepare_intervals(current->mm);
	if (ret)
		return ERR_PTR(ret);
	notifier = kzalloc(sizeof(*notifier), GFP_KERNEL_ACCOUNT);
	if (!notifier)
		return ERR_PTR(-ENOMEM);
	notifier->mn.ops = &kfd_owner_mn_ops;
	notifier->process = p;
	ret = mmu_notifier_register(&notifier->mn, current->mm);
	if (ret) {
		kfree(notifier);
		return ERR_PTR(ret);
	}
	kfd_process_get(p);
	return notifier;
}

/**
 * kfd_owner_init() - set up the owner of a new process
 * @p: the process, zeroed
 * @mm: current's address space
 *
 * Context: any task context.
 */
void kfd_owner_init(struct kfd_process *p, struct mm_struct *mm)
{
	spin_lock_init(&p->owner.lock);
	INIT_DELAYED_WORK(&p->owner.watch, kfd_owner_watch);
	p->mm = mm;
	p->tgid = get_pid(task_tgid(current));
}

/**
 * kfd_owner_fini() - undo kfd_owner_init()
 * @p: the process, which nobody refers to any more
 *
 * Context: any.
 */
void kfd_owner_fini(struct kfd_process *p)
{
	put_pid(p->tgid);
}

/**
 * kfd_owner_bind() - tie a new process to current's address space
 * @p: the process; nobody knows of it yet
 *
 * Context: sleeps; takes mmap_lock.
 * Return: 0; -ENOMEM; -EINTR: killed.
 */
int kfd_owner_bind(struct kfd_process *p)
{
	struct kfd_owner_notifier *notifier = kfd_owner_register(p);

	if (IS_ERR(notifier))
		return PTR_ERR(notifier);
	p->owner.notifier = notifier;
	return 0;
}

/**
 * kfd_owner_unbind() - let go of the address space at the end of a process
 * @p: the process, dead
 *
 * Context: sleeps; the mm's struct goes after an SRCU grace period.
 */
void kfd_owner_unbind(struct kfd_process *p)
{
	if (cancel_delayed_work(&p->owner.watch))
		kfd_process_put(p);
	mmu_notifier_put(&p->owner.notifier->mn);
}

/**
 * kfd_owner_file_opened() - /dev/kfd was opened
 * @p: process behind the file
 *
 * Context: any task context.
 */
void kfd_owner_file_opened(struct kfd_process *p)
{
	spin_lock(&p->owner.lock);
	p->owner.files++;
	spin_unlock(&p->owner.lock);
}

/**
 * kfd_owner_file_released() - a file of /dev/kfd is gone
 * @p: process behind the file
 *
 * Ends an orphan that nobody can reach any more.
 *
 * Context: sleeps.
 */
void kfd_owner_file_released(struct kfd_process *p)
{
	bool lost;

	spin_lock(&p->owner.lock);
	lost = !--p->owner.files && p->owner.orphan;
	spin_unlock(&p->owner.lock);
	if (lost)
		kfd_process_kill(p);
}

/**
 * kfd_process_is_orphan() - whether a context waits to be adopted
 * @p: the process
 *
 * Context: any.
 * Return: true when its address space is gone and it is not.
 */
bool kfd_process_is_orphan(struct kfd_process *p)
{
	return READ_ONCE(p->owner.orphan);
}

/**
 * kfd_process_mm_get() - the address space, kept in use
 * @p: the process
 *
 * Context: any; process->lock need not be held.
 * Return: the mm with one more user (mmput()), or NULL when it has none left.
 */
struct mm_struct *kfd_process_mm_get(struct kfd_process *p)
{
	struct mm_struct *mm;

	spin_lock(&p->owner.lock);
	mm = p->mm;
	if (!mmget_not_zero(mm))
		mm = NULL;
	spin_unlock(&p->owner.lock);
	return mm;
}

/**
 * struct kfd_held - pages that other contexts of a thread group hold
 * @but: the one that does not count
 * @pages: their number
 */
struct kfd_held {
	const struct kfd_process *but;
	u64 pages;
};

static void kfd_owner_add_held(struct kfd_process *p, void *arg)
{
	struct kfd_held *held = arg;

	if (p != held->but && p->tgid == held->but->tgid)
		held->pages += READ_ONCE(p->addresses.held_pages);
}

/*
 * Those that wait to be adopted are charged to an address space that has no
 * limit any more: a program that execs and never adopts could hold as much as
 * it likes.
 */
static bool kfd_owner_may_hold(struct kfd_process *p, u64 pages)
{
	u64 limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	struct kfd_held held = { .but = p };

	kfd_process_for_each(kfd_owner_add_held, &held);
	return !held.pages || capable(CAP_IPC_LOCK) ||
	       READ_ONCE(p->mm->locked_vm) + pages + held.pages <= limit;
}

/**
 * kfd_process_charge() - charge pages that are held to the address space
 * @p: the process, in whose address space current runs
 * @pages: their number
 *
 * As locked memory: RLIMIT_MEMLOCK is the limit, unless current has
 * CAP_IPC_LOCK. What other contexts of the thread group hold, which it had
 * before an exec, counts as well.
 *
 * Context: sleeps; process->lock held; takes mmap_lock.
 * Return: 0; -ENOMEM: over the limit.
 */
int kfd_process_charge(struct kfd_process *p, u64 pages)
{
	int ret;

	lockdep_assert_held(&p->lock);
	if (!kfd_owner_may_hold(p, pages))
		return -ENOMEM;
	ret = account_locked_vm(p->mm, pages, true);
	if (!ret)
		p->addresses.held_pages += pages;
	return ret;
}

/**
 * kfd_process_uncharge() - undo kfd_process_charge()
 * @p: the process, maybe in another address space by now, maybe dead
 * @pages: their number
 *
 * Context: sleeps; process->lock held; takes mmap_lock.
 */
void kfd_process_uncharge(struct kfd_process *p, u64 pages)
{
	lockdep_assert_held(&p->lock);
	p->addresses.held_pages -= pages;
	account_locked_vm(p->mm, pages, false);
}

/* The step that makes current's address space the context's. */
static void kfd_owner_switch(struct kfd_process *p,
			     struct kfd_owner_notifier *notifier)
{
	struct kfd_owner_notifier *old = p->owner.notifier;
	struct mm_struct *old_mm = p->mm;

	kfd_mirrors_rebind(&p->mirrors, current->mm);
	spin_lock(&p->owner.lock);
	p->owner.notifier = notifier;
	p->owner.orphan = false;
	WRITE_ONCE(p->mm, current->mm);
	spin_unlock(&p->owner.lock);

	/* What may be left in the old one, whose struct @old still holds. */
	kfd_process_unpublish(p, old_mm);
	account_locked_vm(old_mm, p->addresses.held_pages, false);
	kfd_mapping_revoke(p);
	mmu_notifier_put(&old->mn);
	p->addresses.given_up = false;
}

/**
 * kfd_process_adopt() - make current's address space that of a context
 * @p: the process, of current's thread group, not dead
 *
 * Context: sleeps; process->lock held; takes mmap_lock.
 * Return: 0; -EINVAL: it is already; -EBUSY: the address space has a context of
 * its own, or the context still depends on the old one; -ENOMEM: no memory, or
 * over RLIMIT_MEMLOCK with the pages that are held; -EINTR: killed. Nothing has
 * changed then.
 */
int kfd_process_adopt(struct kfd_process *p)
{
	struct kfd_owner_notifier *notifier;
	int ret;

	lockdep_assert_held(&p->lock);
	if (p->mm == current->mm)
		return -EINVAL;
	if (kfd_process_exec_blockers(p))
		return -EBUSY;
	kfd_process_svm_settle(p);
	notifier = kfd_owner_register(p);
	if (IS_ERR(notifier))
		return PTR_ERR(notifier);
	/* Both are charged for a moment, so that no page goes uncounted. */
	ret = account_locked_vm(current->mm, p->addresses.held_pages, true);
	if (ret)
		goto err_notifier;
	ret = kfd_process_publish(p, current->mm);
	if (ret)
		goto err_charge;
	kfd_owner_switch(p, notifier);
	return 0;

err_charge:
	account_locked_vm(current->mm, p->addresses.held_pages, false);
err_notifier:
	mmu_notifier_put(&notifier->mn);
	return ret;
}
