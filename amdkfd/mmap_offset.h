/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an mmap offset of /dev/kfd means (floor 0). The gpu_id in it is always
 * the GPU's own, never the one that a restored process knows it by.
 */
#ifndef AMDKFD_MMAP_OFFSET_H
#define AMDKFD_MMAP_OFFSET_H

#include <linux/types.h>

/* /dev/kfd mmap offsets: type << 62 | gpu_id << 46 | byte offset */
#define KFD_MMAP_TYPE_SHIFT	62
#define KFD_MMAP_TYPE_DOORBELL	(3ULL << KFD_MMAP_TYPE_SHIFT)
#define KFD_MMAP_TYPE_EVENTS	(2ULL << KFD_MMAP_TYPE_SHIFT)
#define KFD_MMAP_TYPE_RESERVED	(1ULL << KFD_MMAP_TYPE_SHIFT)
#define KFD_MMAP_TYPE_MMIO	(0ULL << KFD_MMAP_TYPE_SHIFT)
#define KFD_MMAP_TYPE_MASK	(3ULL << KFD_MMAP_TYPE_SHIFT)
#define KFD_MMAP_GPU_ID_SHIFT	46
#define KFD_MMAP_GPU_ID_MASK	(0xffffULL << KFD_MMAP_GPU_ID_SHIFT)
#define KFD_MMAP_GPU_ID(id)	((u64)(id) << KFD_MMAP_GPU_ID_SHIFT)

/* The byte offset in it. */
static inline u64 kfd_mmap_at(u64 offset)
{
	return offset & ~(KFD_MMAP_TYPE_MASK | KFD_MMAP_GPU_ID_MASK);
}

#endif
