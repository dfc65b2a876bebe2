// SPDX-License-Identifier: GPL-2.0-only
/*
 * The GPU address space of a process on one GPU: what is mapped where
 * (floor 2). The driver's book only; the page tables are the provider's.
 *
 * vm->lock protects the tree and the use counts. It is the innermost mutex
 * but for object locks: nothing is allocated and nothing sleeps under it.
 */
#include <linux/errno.h>
#include <linux/interval_tree_generic.h>
#include <linux/overflow.h>

#include "vm.h"

#define KFD_VM_START(range)	((range)->start)
#define KFD_VM_LAST(range)	((range)->last)

INTERVAL_TREE_DEFINE(struct kfd_vm_range, node, u64, subtree_last,
		     KFD_VM_START, KFD_VM_LAST,
		     static __maybe_unused, kfd_vm_tree)

/**
 * kfd_vm_init() - make an empty address space
 * @vm: the address space; needs no counterpart
 */
void kfd_vm_init(struct kfd_vm *vm)
{
	mutex_init(&vm->lock);
	vm->ranges = RB_ROOT_CACHED;
}

/* The last byte of [start, start + size), or 0 when there is no such range. */
static u64 kfd_vm_last(u64 start, u64 size)
{
	u64 end;

	if (!size || check_add_overflow(start, size, &end))
		return 0;
	if (start < KFD_GPUVM_BASE || end - 1 > KFD_GPUVM_LIMIT)
		return 0;
	return end - 1;
}

/**
 * kfd_vm_insert() - enter a mapped range
 * @vm: the address space
 * @range: the range, in nobody's tree; filled by this function
 * @start: first byte
 * @size: bytes
 * @writable: the GPU may write to it
 *
 * Context: sleeps; takes vm->lock.
 * Return: 0, or -EINVAL when the range is empty, wraps, lies outside the GPUVM
 * aperture or overlaps one that is mapped.
 */
int kfd_vm_insert(struct kfd_vm *vm, struct kfd_vm_range *range, u64 start,
		  u64 size, bool writable)
{
	u64 last = kfd_vm_last(start, size);
	int ret = -EINVAL;

	if (!last)
		return -EINVAL;

	mutex_lock(&vm->lock);
	if (!kfd_vm_tree_iter_first(&vm->ranges, start, last)) {
		range->start = start;
		range->last = last;
		range->writable = writable;
		range->users = 0;
		kfd_vm_tree_insert(range, &vm->ranges);
		ret = 0;
	}
	mutex_unlock(&vm->lock);
	return ret;
}

/**
 * kfd_vm_remove() - strike a range out
 * @vm: the address space
 * @range: a range that was inserted
 * @force: even when queues need it
 *
 * Context: sleeps; takes vm->lock.
 * Return: 0, or -EBUSY when a queue needs it (not with @force).
 */
int kfd_vm_remove(struct kfd_vm *vm, struct kfd_vm_range *range, bool force)
{
	int ret = -EBUSY;

	mutex_lock(&vm->lock);
	if (!range->users || force) {
		kfd_vm_tree_remove(range, &vm->ranges);
		ret = 0;
	}
	mutex_unlock(&vm->lock);
	return ret;
}

/**
 * kfd_vm_range_get() - keep the range that holds some memory mapped
 * @vm: the address space
 * @start: first byte of the memory
 * @size: its bytes
 * @write: it has to be writable
 *
 * Context: sleeps; takes vm->lock.
 * Return: the one range that holds all of the memory, its use count raised
 * until kfd_vm_range_put(); NULL when there is none.
 */
struct kfd_vm_range *kfd_vm_range_get(struct kfd_vm *vm, u64 start, u64 size,
				      bool write)
{
	u64 last = kfd_vm_last(start, size);
	struct kfd_vm_range *range;

	if (!last)
		return NULL;

	mutex_lock(&vm->lock);
	range = kfd_vm_tree_iter_first(&vm->ranges, start, start);
	if (range && range->last >= last && (range->writable || !write) &&
	    range->users != U32_MAX)
		range->users++;
	else
		range = NULL;
	mutex_unlock(&vm->lock);
	return range;
}

/**
 * kfd_vm_range_put() - undo one kfd_vm_range_get()
 * @vm: the address space
 * @range: what kfd_vm_range_get() returned, or NULL
 *
 * Context: sleeps; takes vm->lock.
 */
void kfd_vm_range_put(struct kfd_vm *vm, struct kfd_vm_range *range)
{
	if (!range)
		return;

	mutex_lock(&vm->lock);
	if (!WARN_ON_ONCE(!range->users))
		range->users--;
	mutex_unlock(&vm->lock);
}

/**
 * kfd_vm_overlaps() - whether anything is mapped in a range
 * @vm: the address space
 * @start: first byte
 * @size: bytes
 *
 * Context: sleeps; takes vm->lock.
 * Return: true when some byte is; addresses outside the aperture never are.
 */
bool kfd_vm_overlaps(struct kfd_vm *vm, u64 start, u64 size)
{
	bool found;

	mutex_lock(&vm->lock);
	found = kfd_vm_tree_iter_first(&vm->ranges, start, start + size - 1);
	mutex_unlock(&vm->lock);
	return found;
}

/**
 * kfd_vm_covered() - whether memory is mapped without a hole
 * @vm: the address space
 * @start: first byte
 * @size: bytes
 *
 * Unlike kfd_vm_range_get(), any number of adjoining ranges will do.
 *
 * Context: sleeps; takes vm->lock.
 * Return: true when every byte lies in a range.
 */
bool kfd_vm_covered(struct kfd_vm *vm, u64 start, u64 size)
{
	u64 last = kfd_vm_last(start, size);
	struct kfd_vm_range *range;
	bool covered = false;
	u64 next = start;

	if (!last)
		return false;

	mutex_lock(&vm->lock);
	for (range = kfd_vm_tree_iter_first(&vm->ranges, start, last); range;
	     range = kfd_vm_tree_iter_next(range, start, last)) {
		if (range->start > next)
			break;
		if (range->last >= last) {
			covered = true;
			break;
		}
		next = range->last + 1;
	}
	mutex_unlock(&vm->lock);
	return covered;
}
