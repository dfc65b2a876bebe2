// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ranges of shared virtual memory (floor 3): the tree, and what is asked of it.
 * change.c has how it changes, pages.c what the pages of a range are to GPUs.
 *
 * svm->lock protects the tree and the attributes, and is held by all callers.
 */
#include <linux/interval_tree_generic.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "svm.h"

#define SVM_START(r)	((r)->start)
#define SVM_LAST(r)	((r)->last)

INTERVAL_TREE_DEFINE(struct kfd_svm_range, node, u64, subtree_last, SVM_START,
		     SVM_LAST, static __maybe_unused, svm_tree)

/**
 * kfd_svm_insert() - put a range into the tree
 * @r: the range, which overlaps none
 *
 * Context: svm->lock held.
 */
void kfd_svm_insert(struct kfd_svm_range *r)
{
	lockdep_assert_held(&r->svm->lock);
	svm_tree_insert(r, &r->svm->ranges);
}

/**
 * kfd_svm_take() - take a range out of the tree
 * @r: the range, in it
 *
 * Context: svm->lock held.
 */
void kfd_svm_take(struct kfd_svm_range *r)
{
	lockdep_assert_held(&r->svm->lock);
	svm_tree_remove(r, &r->svm->ranges);
}

/**
 * kfd_svm_first() - the first range that has an address of a stretch
 * @svm: shared virtual memory of a process
 * @start: first byte
 * @last: last byte
 *
 * Context: svm->lock held.
 * Return: the range, or NULL.
 */
struct kfd_svm_range *kfd_svm_first(struct kfd_svm *svm, u64 start, u64 last)
{
	lockdep_assert_held(&svm->lock);
	return svm_tree_iter_first(&svm->ranges, start, last);
}

/**
 * kfd_svm_next() - the next one
 * @r: what kfd_svm_first() or this function returned
 * @start: as there
 * @last: as there
 *
 * Context: svm->lock held.
 * Return: the range, or NULL.
 */
struct kfd_svm_range *kfd_svm_next(struct kfd_svm_range *r, u64 start,
				   u64 last)
{
	return svm_tree_iter_next(r, start, last);
}

/**
 * kfd_svm_bound_gpus() - GPUs on which a process has an address space
 * @p: the process
 *
 * Context: any; the answer grows by ACQUIRE_VM.
 * Return: their set, by index.
 */
u32 kfd_svm_bound_gpus(struct kfd_process *p)
{
	u32 i, gpus = 0;

	for (i = 0; i < p->n_pdds; i++)
		if (READ_ONCE(p->pdds[i]->gpu_vm))
			gpus |= BIT(i);
	return gpus;
}

/**
 * kfd_svm_gpus() - GPUs that pages with these attributes go to
 * @svm: shared virtual memory of a process
 * @attrs: the attributes
 *
 * Context: svm->lock held.
 * Return: their set, by index.
 */
u32 kfd_svm_gpus(struct kfd_svm *svm, const struct kfd_svm_attrs *attrs)
{
	return (attrs->access | attrs->in_place) &
	       kfd_svm_bound_gpus(svm->process);
}

/**
 * kfd_svm_needs() - GPUs whose queues can't wait for a page of a range
 * @r: the range
 *
 * Context: svm->lock held.
 * Return: their set, by index.
 */
u32 kfd_svm_needs(const struct kfd_svm_range *r)
{
	if (r->svm->retry &&
	    !(r->attrs.flags & KFD_IOCTL_SVM_FLAG_GPU_ALWAYS_MAPPED))
		return 0;
	return r->gpus;
}

/**
 * kfd_svm_default_attrs() - attributes of addresses that nobody spoke of
 * @svm: shared virtual memory of a process
 * @attrs: filled: mainline's
 *
 * Context: svm->lock held.
 */
void kfd_svm_default_attrs(struct kfd_svm *svm, struct kfd_svm_attrs *attrs)
{
	lockdep_assert_held(&svm->lock);
	*attrs = (struct kfd_svm_attrs) {
		.flags = KFD_IOCTL_SVM_FLAG_HOST_ACCESS |
			 KFD_IOCTL_SVM_FLAG_COHERENT,
		.granularity = KFD_SVM_DEFAULT_GRANULARITY,
		.preferred_loc = KFD_IOCTL_SVM_LOCATION_UNDEFINED,
		.prefetch_loc = KFD_IOCTL_SVM_LOCATION_UNDEFINED,
		/* Who can wait for a page may ask for any. */
		.access = svm->retry ? GENMASK(svm->process->n_pdds - 1, 0) : 0,
	};
}

/**
 * kfd_svm_range_new() - make a range that is in no tree yet
 * @svm: shared virtual memory of a process
 * @start: first byte, page-aligned
 * @last: last byte
 * @attrs: its attributes
 *
 * Context: sleeps.
 * Return: the range, to be freed by kfree(), or NULL.
 */
struct kfd_svm_range *kfd_svm_range_new(struct kfd_svm *svm, u64 start,
					u64 last,
					const struct kfd_svm_attrs *attrs)
{
	struct kfd_svm_range *r = kzalloc(sizeof(*r), GFP_KERNEL_ACCOUNT);

	if (!r)
		return NULL;
	r->svm = svm;
	r->start = start;
	r->last = last;
	r->attrs = *attrs;
	INIT_LIST_HEAD(&r->link);
	return r;
}

/**
 * kfd_svm_validate() - bring pages that GPUs can't wait for
 * @svm: shared virtual memory of a process
 * @start: first byte
 * @last: last byte
 * @look: of who wants it
 *
 * Context: svm->lock held; sleeps; takes mmap_lock. A user of the address
 * space.
 * Return: 0, or of the first range that fails: -KFD_EABSENT: for
 * kfd_look_again(); -EFAULT: a page can't be had;
 * -ESTALE: one has been unmapped since kfd_svm_strike(), which is to be called
 * again; -ENOMEM; -EINTR: a signal came first.
 */
int kfd_svm_validate(struct kfd_svm *svm, u64 start, u64 last,
		     struct kfd_look *look)
{
	struct kfd_mirrors *mirrors = &svm->process->mirrors;
	struct kfd_svm_range *r;
	int ret = 0;

	if (mutex_lock_killable(&mirrors->validate_lock))
		return -EINTR;
	for (r = kfd_svm_first(svm, start, last); r && !ret;
	     r = kfd_svm_next(r, start, last))
		if (kfd_svm_needs(r))
			ret = kfd_mirror_validate_part(&r->mirror, look, start,
						       last);
	mutex_unlock(&mirrors->validate_lock);
	return ret;
}

/**
 * kfd_svm_renew_needs() - XNACK was switched, or a GPU has become usable
 * @svm: shared virtual memory of a process
 *
 * Pages that have become needed are brought soon; until then queues stay
 * evicted.
 *
 * Context: svm->lock held; sleeps.
 */
void kfd_svm_renew_needs(struct kfd_svm *svm)
{
	struct kfd_mirrors *mirrors = &svm->process->mirrors;
	struct kfd_svm_range *r;
	u32 n = 0;

	mutex_lock(&mirrors->notifier_lock);
	for (r = kfd_svm_first(svm, 0, U64_MAX); r;
	     r = kfd_svm_next(r, 0, U64_MAX)) {
		r->gpus = kfd_svm_gpus(svm, &r->attrs);
		kfd_mirror_lack(&r->mirror, r->start, r->last);
		kfd_mirror_need_locked(&r->mirror, kfd_svm_needs(r));
		kfd_mirror_break_locked(&r->mirror);
		kfd_mirrors_breathe(mirrors, &n);
	}
	mutex_unlock(&mirrors->notifier_lock);
}

/**
 * kfd_svm_remove_all() - free all ranges, whoever needs them
 * @svm: shared virtual memory of a process whose queues are gone
 *
 * Context: svm->lock held; sleeps. Cannot fail.
 */
void kfd_svm_remove_all(struct kfd_svm *svm)
{
	struct kfd_mirrors *mirrors = &svm->process->mirrors;
	struct rb_node *node;

	mutex_lock(&mirrors->validate_lock);
	while ((node = rb_first_cached(&svm->ranges))) {
		struct kfd_svm_range *r = rb_entry(node, struct kfd_svm_range,
						   node);

		kfd_svm_take(r);
		svm->num_ranges--;
		kfd_mirror_remove(&r->mirror);
		kfree(r);
		cond_resched();
	}
	kfd_svm_set_charge(svm, 0);
	mutex_unlock(&mirrors->validate_lock);
}
