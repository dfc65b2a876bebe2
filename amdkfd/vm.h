/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The GPU address space of a process on one GPU: what is mapped where
 * (floor 2). memory/ fills it; svm/ asks it what is taken. Whether a ring or a
 * save area lies in memory that is mapped one way or the other is asked by
 * kfd_process_hold() (process.h).
 *
 * The page tables themselves are the provider's; this is the driver's book.
 */
#ifndef AMDKFD_VM_H
#define AMDKFD_VM_H

#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/types.h>

/* GPUVM aperture: what any GPU address of a process lies in. */
#define KFD_GPUVM_BASE		0x4000ULL
#define KFD_GPUVM_LIMIT		0x7fffffffffffULL

/**
 * struct kfd_vm - ranges that are mapped on one GPU
 * @lock: protects @ranges and the ranges' links and users
 * @ranges: interval tree of kfd_vm_range
 */
struct kfd_vm {
	struct mutex lock;
	struct rb_root_cached ranges;
};

/**
 * struct kfd_vm_range - one mapped range; embedded in its owner's struct
 * @node: interval tree linkage (vm->lock)
 * @subtree_last: interval tree augmentation (vm->lock)
 * @start: first byte; immutable while inserted
 * @last: last byte
 * @writable: the GPU may write
 * @users: queues that need the range; it can't be removed meanwhile (vm->lock)
 */
struct kfd_vm_range {
	struct rb_node node;
	u64 subtree_last;
	u64 start;
	u64 last;
	bool writable;
	u32 users;
};

void kfd_vm_init(struct kfd_vm *vm);
/* 0, EINVAL (outside the aperture, wraps, or overlaps a mapped range) */
int kfd_vm_insert(struct kfd_vm *vm, struct kfd_vm_range *range, u64 start,
		  u64 size, bool writable);
/* 0, or EBUSY while a queue needs it; with @force removed all the same */
int kfd_vm_remove(struct kfd_vm *vm, struct kfd_vm_range *range, bool force);
/*
 * Take a use count on the one range that wholly holds [start, start + size).
 * NULL when there is none, or it is not writable and @write.
 */
struct kfd_vm_range *kfd_vm_range_get(struct kfd_vm *vm, u64 start, u64 size,
				      bool write);
void kfd_vm_range_put(struct kfd_vm *vm, struct kfd_vm_range *range);
/* Whether any range has a byte of [start, start + size). */
bool kfd_vm_overlaps(struct kfd_vm *vm, u64 start, u64 size);
/* Whether [start, start + size) is covered without a hole. */
bool kfd_vm_covered(struct kfd_vm *vm, u64 start, u64 size);

#endif
