// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page tables for shared virtual memory: pages of the process at its own
 * addresses, which the driver maps and takes away one by one.
 *
 * A leaf holds the slots of 2 MiB of addresses; vm->leaves has them by
 * address. sim_svm_reserve() makes leaves, because that allocates; mapping
 * and unmapping happen in MMU notifiers, so they only fill and empty what is
 * there. A leaf that an unmap leaves empty is freed, so a process that maps
 * and unmaps all over its addresses keeps nothing.
 *
 * Locks: vm->lock, held for writing, protects what is in a leaf and keeps
 * leaves from being freed under an engine; nothing is allocated under it. A
 * leaf is added under the xarray's lock alone: an engine that does not see it
 * yet misses nothing, for it is empty.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "memory.h"

/* Leaves that are emptied at a time, before engines get in between. */
#define SIM_LEAF_BATCH	32u

static struct sim_leaf *sim_leaf_create(void)
{
	struct sim_leaf *leaf = kzalloc(sizeof(*leaf), GFP_KERNEL_ACCOUNT);

	if (!leaf)
		return NULL;
	leaf->slots = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!leaf->slots) {
		kfree(leaf);
		return NULL;
	}
	return leaf;
}

static void sim_leaf_free(struct sim_leaf *leaf)
{
	free_page((unsigned long)leaf->slots);
	kfree(leaf);
}

/* Make the leaf with this index unless it is there. */
static int sim_leaf_provide(struct sim_vm *vm, unsigned long index)
{
	struct sim_leaf *leaf;
	int ret;

	BUILD_BUG_ON(SIM_LEAF_SLOTS * sizeof(*leaf->slots) != PAGE_SIZE);
	if (xa_load(&vm->leaves, index))
		return 0;
	leaf = sim_leaf_create();
	if (!leaf)
		return -ENOMEM;
	ret = xa_insert(&vm->leaves, index, leaf, GFP_KERNEL_ACCOUNT);
	if (ret)
		sim_leaf_free(leaf);
	/* somebody else was faster */
	return ret == -EBUSY ? 0 : ret;
}

/**
 * sim_svm_reserve() - make room for pages, so that sim_svm_map() needs none
 * @vm: the VM
 * @va: first address, page-aligned
 * @npages: pages
 *
 * What was made before an error stays until sim_svm_unmap().
 *
 * Context: sleeps, allocates; takes the xarray's lock alone.
 * Return: 0; -EINVAL when the range is not inside the GPU's address space;
 * -ENOMEM; -EINTR when the caller is being killed.
 */
int sim_svm_reserve(struct sim_vm *vm, u64 va, u64 npages)
{
	unsigned long index, last;
	int ret;

	if (npages > SIM_VA_END >> PAGE_SHIFT ||
	    !sim_va_ok(va, npages << PAGE_SHIFT))
		return -EINVAL;
	last = (va + (npages << PAGE_SHIFT) - 1) >> SIM_LEAF_SHIFT;
	for (index = va >> SIM_LEAF_SHIFT; index <= last; index++) {
		ret = sim_leaf_provide(vm, index);
		if (ret)
			return ret;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/* Whether there is a leaf for every page that is given. */
static bool sim_svm_has_room(struct sim_vm *vm, u64 va, u64 npages,
			     struct page **pages)
{
	unsigned long index, found = ULONG_MAX;
	u64 i;

	for (i = 0; i < npages; i++) {
		index = (va + (i << PAGE_SHIFT)) >> SIM_LEAF_SHIFT;
		if (!pages[i] || index == found)
			continue;
		if (!xa_load(&vm->leaves, index))
			return false;
		found = index;
	}
	return true;
}

/**
 * sim_svm_map() - map pages of the process
 * @vm: the VM
 * @va: first address, page-aligned, with room reserved
 * @npages: entries of @pages
 * @pages: a page each, kept valid by the caller until sim_svm_unmap(); NULL
 *	leaves what is there
 * @writable: whether they may be written
 *
 * Context: NOTIFIER (device.h); takes vm->lock.
 * Return: 0; -EAGAIN when there is no room: nothing has been mapped.
 */
int sim_svm_map(struct sim_vm *vm, u64 va, u64 npages, struct page **pages,
		bool writable)
{
	unsigned long index, found = ULONG_MAX, *slot;
	struct sim_leaf *leaf = NULL;
	u64 i;

	down_write(&vm->lock);
	if (!sim_svm_has_room(vm, va, npages, pages)) {
		up_write(&vm->lock);
		return -EAGAIN;
	}
	for (i = 0; i < npages; i++, va += PAGE_SIZE) {
		if (!pages[i])
			continue;
		index = va >> SIM_LEAF_SHIFT;
		if (index != found)
			leaf = xa_load(&vm->leaves, index);
		found = index;
		slot = sim_leaf_slot(leaf, va);
		leaf->present += !*slot;
		*slot = (unsigned long)pages[i] |
			(writable ? 0 : SIM_SLOT_READONLY);
	}
	up_write(&vm->lock);
	return 0;
}

/* Empty the slots from @first to @last of a leaf; vm->lock held for writing. */
static void sim_leaf_clear(struct sim_leaf *leaf, u32 first, u32 last)
{
	u32 i;

	if (!first && last == SIM_LEAF_SLOTS - 1)
		leaf->present = 0;	/* it is freed: nobody will look */
	for (i = first; i <= last && leaf->present; i++) {
		if (!leaf->slots[i])
			continue;
		leaf->slots[i] = 0;
		leaf->present--;
	}
}

/*
 * Empty the slots of pages @first to @last in the next leaves. Returns the page
 * to go on at, one behind @last when all is done.
 */
static u64 sim_svm_unmap_batch(struct sim_vm *vm, u64 first, u64 last)
{
	struct sim_leaf *leaf;
	unsigned long index;
	u32 n = 0;
	u64 start;

	lockdep_assert_held_write(&vm->lock);
	xa_for_each_range(&vm->leaves, index, leaf, first / SIM_LEAF_SLOTS,
			  last / SIM_LEAF_SLOTS) {
		start = (u64)index * SIM_LEAF_SLOTS;
		if (n++ == SIM_LEAF_BATCH)
			return max(first, start);
		sim_leaf_clear(leaf, first > start ? first - start : 0,
			       min_t(u64, last - start, SIM_LEAF_SLOTS - 1));
		if (leaf->present)
			continue;
		xa_erase(&vm->leaves, index);
		sim_leaf_free(leaf);
	}
	return last + 1;
}

/**
 * sim_svm_unmap() - make pages absent, present or not
 * @vm: the VM
 * @va: first address, page-aligned; need not be one that the GPU has
 * @npages: pages; as many as there are addresses cost no more than the leaves
 *	that exist there
 *
 * When it returns no engine uses them. Waits for an engine's chunk, again for
 * each SIM_LEAF_BATCH leaves that exist: an engine that waits for this one runs
 * nobody's packets meanwhile.
 *
 * Context: NOTIFIER (device.h); takes vm->lock.
 */
void sim_svm_unmap(struct sim_vm *vm, u64 va, u64 npages)
{
	u64 first = va >> PAGE_SHIFT, last;

	if (!npages)
		return;
	last = first + min(npages, SIM_VA_END >> PAGE_SHIFT) - 1;
	while (first <= last) {
		down_write(&vm->lock);
		first = sim_svm_unmap_batch(vm, first, last);
		up_write(&vm->lock);
		cond_resched();
	}
}

/**
 * sim_svm_find() - the leaf of an address
 * @vm: the VM, vm->lock held
 * @va: the address
 *
 * Context: any; the leaf stays as long as vm->lock is held.
 * Return: the leaf, or NULL.
 */
struct sim_leaf *sim_svm_find(struct sim_vm *vm, u64 va)
{
	lockdep_assert_held(&vm->lock);
	return xa_load(&vm->leaves, va >> SIM_LEAF_SHIFT);
}
