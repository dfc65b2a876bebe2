// SPDX-License-Identifier: GPL-2.0-only
/*
 * What shared virtual memory is charged for (floor 3); ../sysmem.c has the rule.
 *
 * The charge follows the ranges: it is set to what they will be just before
 * they change, which is the last that can fail, so it is theirs to the byte,
 * split, joined or struck out. Ranges of an image are charged when RESTORE
 * notes them down; RESUME, which makes them, takes from that.
 *
 * svm->lock protects kfd_svm.charged and charged_ahead.
 */
#include <linux/minmax.h>

#include "../sysmem.h"
#include "svm.h"

/**
 * kfd_svm_bytes() - what a range is charged for
 * @svm: shared virtual memory of a process
 * @start: first byte
 * @last: last byte
 * @attrs: its attributes
 *
 * Context: svm->lock held.
 * Return: bytes; 0 when no GPU may access it, or GPUs wait for its pages.
 */
u64 kfd_svm_bytes(const struct kfd_svm *svm, u64 start, u64 last,
		  const struct kfd_svm_attrs *attrs)
{
	if (svm->retry || !(attrs->access | attrs->in_place))
		return 0;
	return last - start + 1;
}

/**
 * kfd_svm_set_charge() - what the ranges will be charged for
 * @svm: shared virtual memory of a process
 * @total: bytes
 *
 * Context: svm->lock held.
 * Return: 0, always when it is not more than before; -ENOMEM: over the limit,
 * nothing has changed.
 */
int kfd_svm_set_charge(struct kfd_svm *svm, u64 total)
{
	u64 more, ahead;
	int ret;

	lockdep_assert_held(&svm->lock);
	if (total <= svm->charged) {
		kfd_sysmem_uncharge(svm->process, svm->charged - total);
		svm->charged = total;
		return 0;
	}
	more = total - svm->charged;
	ahead = min(more, svm->charged_ahead);
	ret = kfd_sysmem_charge(svm->process, more - ahead);
	if (ret)
		return ret;
	svm->charged_ahead -= ahead;
	svm->charged = total;
	return 0;
}

/**
 * kfd_svm_charge_all() - charge all ranges for another XNACK mode
 * @svm: shared virtual memory of a process, whose mode has just changed
 *
 * Context: svm->lock held.
 * Return: 0; -ENOMEM: over the limit, nothing has changed.
 */
int kfd_svm_charge_all(struct kfd_svm *svm)
{
	struct kfd_svm_range *r;
	u64 total = 0;

	for (r = kfd_svm_first(svm, 0, U64_MAX); r;
	     r = kfd_svm_next(r, 0, U64_MAX))
		total += kfd_svm_bytes(svm, r->start, r->last, &r->attrs);
	return kfd_svm_set_charge(svm, total);
}

/**
 * kfd_svm_charge_ahead() - charge a range that RESUME will make
 * @r: the range, in no tree
 *
 * Context: svm->lock held.
 * Return: 0; -ENOMEM: over the limit.
 */
int kfd_svm_charge_ahead(const struct kfd_svm_range *r)
{
	struct kfd_svm *svm = r->svm;
	u64 bytes = kfd_svm_bytes(svm, r->start, r->last, &r->attrs);
	int ret;

	lockdep_assert_held(&svm->lock);
	ret = kfd_sysmem_charge(svm->process, bytes);
	if (!ret)
		svm->charged_ahead += bytes;
	return ret;
}

/**
 * kfd_svm_drop_ahead() - no range of the image is to come any more
 * @svm: shared virtual memory of a process
 *
 * Context: svm->lock held.
 */
void kfd_svm_drop_ahead(struct kfd_svm *svm)
{
	lockdep_assert_held(&svm->lock);
	kfd_sysmem_uncharge(svm->process, svm->charged_ahead);
	svm->charged_ahead = 0;
}
