// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shared virtual memory as a component of a process, and what its siblings
 * need of it (floor 3).
 *
 * A queue may live in shared virtual memory: it holds the addresses, not the
 * ranges, which come and go. A hold refuses changes of attributes that would
 * take the memory away. It can't refuse an munmap(); then the queues of that
 * GPU stay evicted until the one that lost its memory is gone.
 *
 * svm->lock protects ranges and holds.
 */
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "svm.h"

/*
 * Where faults are resolved and holes struck out: neither waits for a page, but what
 * they do may take long.
 */
struct workqueue_struct *kfd_svm_wq;

/* --- holds ----------------------------------------------------------------- */

static bool svm_grants(const struct kfd_svm_attrs *attrs,
		       const struct kfd_process_device *pdd, bool write)
{
	if (write && attrs->flags & KFD_IOCTL_SVM_FLAG_GPU_RO)
		return false;
	return (attrs->access | attrs->in_place) & BIT(pdd->index);
}

/*
 * Whether a range goes on with what is to be covered from *@next on; *@next is
 * then what comes behind it.
 */
static bool svm_covers(const struct kfd_svm_range *r,
		       const struct kfd_process_device *pdd, bool write,
		       u64 *next)
{
	if (r->start > *next || !svm_grants(&r->attrs, pdd, write))
		return false;
	*next = r->last + 1;
	return true;
}

/* Ranges without a gap that @pdd may reach; before RESUME those to come. */
static bool svm_covered(struct kfd_svm *svm, struct kfd_process_device *pdd,
			u64 start, u64 last, bool write)
{
	struct kfd_svm_range *r;
	u64 next = start;

	for (r = kfd_svm_first(svm, start, last); r;
	     r = kfd_svm_next(r, start, last))
		if (!svm_covers(r, pdd, write, &next))
			return false;
	list_for_each_entry(r, &svm->restored, link) {
		if (r->last < start || r->start > last)
			continue;
		if (!svm_covers(r, pdd, write, &next))
			return false;
	}
	return next > last;
}

static void *svm_hold(struct kfd_process_device *pdd, u64 start, u64 size,
		      bool write)
{
	struct kfd_svm *svm = kfd_svm(pdd->process);
	struct kfd_svm_hold *hold;
	bool covered;

	hold = kzalloc(sizeof(*hold), GFP_KERNEL_ACCOUNT);
	if (!hold)
		return ERR_PTR(-ENOMEM);
	hold->pdd = pdd;
	hold->start = start;
	hold->last = start + size - 1;
	hold->write = write;

	mutex_lock(&svm->lock);
	/* What can't be struck out for want of memory is found by the work. */
	kfd_svm_strike(svm);
	covered = svm_covered(svm, pdd, hold->start, hold->last, write);
	if (covered)
		list_add_tail(&hold->link, &svm->holds);
	mutex_unlock(&svm->lock);
	if (covered)
		return hold;
	kfree(hold);
	return ERR_PTR(-EINVAL);
}

static void svm_release(struct kfd_process_device *pdd, void *cookie)
{
	struct kfd_svm *svm = kfd_svm(pdd->process);
	struct kfd_svm_hold *hold = cookie;

	mutex_lock(&svm->lock);
	list_del(&hold->link);
	mutex_unlock(&svm->lock);
	if (hold->lost)
		kfd_process_restore_on(pdd->process, BIT(pdd->index));
	kfree(hold);
}

/* The same of one hold: only the ranges that it is in are looked at. */
static bool svm_takes(struct kfd_svm_hold *hold, struct kfd_svm *svm, u64 start,
		      u64 last, kfd_svm_change_fn fn, void *arg)
{
	struct kfd_svm_attrs attrs;
	struct kfd_svm_range *r;

	start = max(start, hold->start);
	last = min(last, hold->last);
	for (r = kfd_svm_first(svm, start, last); r;
	     r = kfd_svm_next(r, start, last)) {
		attrs = r->attrs;
		fn(&attrs, arg);
		if (!svm_grants(&attrs, hold->pdd, hold->write))
			return true;
	}
	return false;
}

/**
 * kfd_svm_takes_held() - whether a queue needs what a change would take away
 * @svm: shared virtual memory of a process
 * @start: first byte
 * @last: last byte
 * @fn: works out the new attributes
 * @arg: its second argument
 *
 * Context: svm->lock held; sleeps.
 * Return: true when one does.
 */
bool kfd_svm_takes_held(struct kfd_svm *svm, u64 start, u64 last,
			kfd_svm_change_fn fn, void *arg)
{
	struct kfd_svm_hold *hold;

	lockdep_assert_held(&svm->lock);
	list_for_each_entry(hold, &svm->holds, link) {
		if (hold->start <= last && hold->last >= start &&
		    svm_takes(hold, svm, start, last, fn, arg))
			return true;
		cond_resched();
	}
	return false;
}

/**
 * kfd_svm_lose_holds() - memory that queues live in has been unmapped
 * @svm: shared virtual memory of a process
 * @start: first byte
 * @last: last byte
 *
 * Context: svm->lock held; sleeps.
 */
void kfd_svm_lose_holds(struct kfd_svm *svm, u64 start, u64 last)
{
	struct kfd_process *p = svm->process;
	struct kfd_svm_hold *hold;

	lockdep_assert_held(&svm->lock);
	list_for_each_entry(hold, &svm->holds, link) {
		if (hold->lost || hold->start > last || hold->last < start)
			continue;
		hold->lost = true;
		pr_warn_ratelimited("amdkfd: pasid %u: memory at %#llx has been unmapped that a queue lives in; the queues of that GPU stop\n",
				    p->pasid, hold->start);
		kfd_process_evict_on(p, BIT(hold->pdd->index),
				     KFD_QUEUE_EVICTION_TRIGGER_SVM);
	}
}

/* --- what siblings ask ----------------------------------------------------- */

static bool svm_overlaps(struct kfd_process *p, u64 start, u64 size)
{
	struct kfd_svm *svm = kfd_svm(p);
	u64 last = start + size - 1;
	struct kfd_svm_range *r;
	bool found;

	mutex_lock(&svm->lock);
	kfd_svm_strike(svm);
	found = kfd_svm_first(svm, start, last);
	list_for_each_entry(r, &svm->restored, link)
		found |= r->start <= last && r->last >= start;
	mutex_unlock(&svm->lock);
	return found;
}

static bool svm_in_use(struct kfd_process *p)
{
	const struct kfd_svm *svm = READ_ONCE(kfd_state(p, KFD_COMPONENT_SVM));

	/* While it is being taken down nobody knows. */
	return !svm || READ_ONCE(svm->num_ranges) ||
	       READ_ONCE(svm->num_restored) || READ_ONCE(p->xnack_enabled);
}

/* Holes that are still to be struck out are those of ranges that are gone. */
static void svm_settle(struct kfd_process *p)
{
	struct kfd_svm *svm = kfd_svm(p);

	kfd_svm_forget_faults(svm);
	cancel_delayed_work_sync(&svm->strike_work);
	mutex_lock(&svm->lock);
	mutex_lock(&p->mirrors.notifier_lock);
	kfd_svm_forget_holes(svm);
	mutex_unlock(&p->mirrors.notifier_lock);
	mutex_unlock(&svm->lock);
}

const struct kfd_svm_ops kfd_svm_ops = {
	.overlaps = svm_overlaps,
	.hold = svm_hold,
	.release = svm_release,
	.in_use = svm_in_use,
	.settle = svm_settle,
};

static bool svm_can_retry(struct kfd_process *p)
{
	u32 i;

	for (i = 0; i < p->n_pdds; i++)
		if (!(p->pdds[i]->dev->info.capability & KFD_CAP_SVM))
			return false;
	return p->n_pdds;
}

/**
 * kfd_svm_set_xnack() - whether GPUs wait for pages that are absent
 * @p: a process without queues
 * @enabled: they do
 *
 * Context: process->lock held; sleeps.
 * Return: 0; -EPERM: a GPU of the process cannot; -ENOMEM: without, the ranges
 * would go over the limit on system memory.
 */
int kfd_svm_set_xnack(struct kfd_process *p, bool enabled)
{
	struct kfd_svm *svm = kfd_svm(p);
	int ret;

	lockdep_assert_held(&p->lock);
	if (p->xnack_enabled == enabled)
		return 0;
	if (enabled && !svm_can_retry(p))
		return -EPERM;
	mutex_lock(&svm->lock);
	svm->retry = enabled;
	ret = kfd_svm_charge_all(svm);
	if (ret) {
		svm->retry = !enabled;
	} else {
		p->xnack_enabled = enabled;
		kfd_svm_renew_needs(svm);
	}
	mutex_unlock(&svm->lock);
	return ret;
}

/**
 * kfd_svm_gpu_bound() - a process has got an address space on a GPU
 * @p: the process
 *
 * Ranges that the GPU may access are its from now on.
 *
 * Context: process->lock held; sleeps.
 */
void kfd_svm_gpu_bound(struct kfd_process *p)
{
	struct kfd_svm *svm = kfd_svm(p);

	lockdep_assert_held(&p->lock);
	mutex_lock(&svm->lock);
	kfd_svm_renew_needs(svm);
	mutex_unlock(&svm->lock);
}

/**
 * kfd_svm_unpaused() - a checkpoint is over: catch up
 * @p: the process, p->pause.active cleared
 *
 * Context: process->lock held; sleeps.
 */
void kfd_svm_unpaused(struct kfd_process *p)
{
	struct kfd_svm *svm = kfd_svm(p);

	mutex_lock(&svm->lock);
	kfd_svm_strike(svm);
	mutex_unlock(&svm->lock);
}

/* --- component ------------------------------------------------------------- */

static int svm_process_init(struct kfd_process *p)
{
	struct kfd_svm *svm = kzalloc(sizeof(*svm), GFP_KERNEL_ACCOUNT);

	if (!svm)
		return -ENOMEM;
	svm->process = p;
	mutex_init(&svm->lock);
	svm->ranges = RB_ROOT_CACHED;
	INIT_LIST_HEAD(&svm->holds);
	INIT_LIST_HEAD(&svm->restored);
	svm->holes = RB_ROOT_CACHED;
	INIT_DELAYED_WORK(&svm->strike_work, kfd_svm_strike_work);
	kfd_svm_faults_init(svm);
	kfd_state(p, KFD_COMPONENT_SVM) = svm;
	return 0;
}

static void svm_process_fini(struct kfd_process *p)
{
	struct kfd_svm *svm = kfd_svm(p);

	/* GPUs' threads find the process by its pasid until its very end. */
	WRITE_ONCE(kfd_state(p, KFD_COMPONENT_SVM), NULL);
	synchronize_rcu();
	cancel_work_sync(&svm->fault_work);

	mutex_lock(&p->mirrors.notifier_lock);
	svm->closing = true;
	mutex_unlock(&p->mirrors.notifier_lock);
	cancel_delayed_work_sync(&svm->strike_work);

	mutex_lock(&svm->lock);
	kfd_svm_remove_all(svm);
	kfd_svm_drop_restored(svm);
	WARN_ON_ONCE(!list_empty(&svm->holds));
	mutex_unlock(&svm->lock);
	kfd_svm_forget_holes(svm);
	mutex_destroy(&svm->lock);
	kfree(svm);
}

const struct kfd_component_ops kfd_svm_component_ops = {
	.process_init = svm_process_init,
	.process_fini = svm_process_fini,
};

/**
 * kfd_svm_init() - what all processes' shared virtual memory needs
 *
 * Context: module initialisation. May sleep.
 * Return: 0 or -ENOMEM.
 */
int kfd_svm_init(void)
{
	kfd_svm_wq = alloc_workqueue("amdkfd_svm", WQ_UNBOUND, 0);
	return kfd_svm_wq ? 0 : -ENOMEM;
}

/**
 * kfd_svm_exit() - undo kfd_svm_init(), when there is no process any more
 *
 * Context: module exit. May sleep.
 */
void kfd_svm_exit(void)
{
	destroy_workqueue(kfd_svm_wq);
}
