/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which mappings of a process GPUs may have the pages of. The driver and the
 * provider look them up each for its own buffers, and ask the same.
 */
#ifndef AMDKFD_VMA_H
#define AMDKFD_VMA_H

#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/mm.h>

/**
 * kfd_vma_can_share() - whether there are pages behind a mapping that the kernel
 *	itself may touch
 * @vma: the mapping
 *
 * A device's memory has none. Those of memfd_secret() are out of the kernel's own
 * page tables: to copy one is to panic. (The kernel has vma_is_secretmem(), which
 * is not for modules.)
 *
 * Context: mmap_lock held.
 * Return: true when there are.
 */
static inline bool kfd_vma_can_share(const struct vm_area_struct *vma)
{
	if (vma->vm_flags & (VM_IO | VM_PFNMAP | VM_MIXEDMAP))
		return false;
	return !vma->vm_file ||
	       file_inode(vma->vm_file)->i_sb->s_magic != SECRETMEM_MAGIC;
}

#endif
