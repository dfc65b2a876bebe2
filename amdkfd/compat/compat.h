/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One name for what differs between kernels.
 *
 * compat_config.h is made by configure.sh: it compiles a probe for each
 * HAVE_* macro against the kernel that is built for. Driver code uses the
 * kfd_compat_* and KFD_COMPAT_* names below and tests no HAVE_* macro and no
 * version of its own.
 */
#ifndef AMDKFD_COMPAT_H
#define AMDKFD_COMPAT_H

#include <linux/device.h>
#include <linux/fs.h>
#include <linux/kernfs.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/module.h>

#include "compat_config.h"

/**
 * kfd_compat_vm_flags_set() - add flags to a mapping
 * @vma: the mapping, its mmap_lock held for writing or not yet reachable
 * @flags: VM_* flags
 */
static inline void kfd_compat_vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
#ifdef HAVE_VM_FLAGS_SET
	vm_flags_set(vma, flags);
#else
	vma->vm_flags |= flags;
#endif
}

/**
 * kfd_compat_vm_flags_clear() - take flags from a mapping
 * @vma: the mapping, as above
 * @flags: VM_* flags
 */
static inline void kfd_compat_vm_flags_clear(struct vm_area_struct *vma, vm_flags_t flags)
{
#ifdef HAVE_VM_FLAGS_SET
	vm_flags_clear(vma, flags);
#else
	vma->vm_flags &= ~flags;
#endif
}

/*
 * kfd_compat_class_create() - class_create() for this module; a macro because
 * the older form has a lock class key per call.
 */
#ifdef HAVE_CLASS_CREATE_ONE_ARG
#define kfd_compat_class_create(name)	class_create(name)
#else
#define kfd_compat_class_create(name)	class_create(THIS_MODULE, name)
#endif

/* Of the device argument of struct class's devnode callback. */
#ifdef HAVE_CLASS_DEVNODE_CONST
#define KFD_COMPAT_DEVNODE_CONST	const
#else
#define KFD_COMPAT_DEVNODE_CONST
#endif

/*
 * Member of an initializer of struct file_operations: the top bit of a file
 * position is no sign. DRM wants it of its drivers where it exists, and sets
 * the file's own flag where it does not.
 */
#ifdef HAVE_FOP_UNSIGNED_OFFSET
#define KFD_COMPAT_FOPS_UNSIGNED_OFFSET	.fop_flags = FOP_UNSIGNED_OFFSET,
#else
#define KFD_COMPAT_FOPS_UNSIGNED_OFFSET
#endif

/* MODULE_IMPORT_NS() of a name that is written without quotes. */
#ifdef HAVE_IMPORT_NS_IDENTIFIER
#define KFD_COMPAT_IMPORT_NS(ns)	MODULE_IMPORT_NS(ns)
#else
#define KFD_COMPAT_IMPORT_NS(ns)	MODULE_IMPORT_NS(#ns)
#endif

/* The date member of struct drm_driver, which newer kernels do without. */
#ifdef HAVE_DRM_DRIVER_DATE
#define KFD_COMPAT_DRM_DRIVER_DATE(d)	.date = (d),
#else
#define KFD_COMPAT_DRM_DRIVER_DATE(d)
#endif

/**
 * kfd_compat_kernfs_parent() - the directory that a node of sysfs is in
 * @node: one that is never renamed, and that the caller keeps
 *
 * Return: the node, without a reference.
 */
static inline struct kernfs_node *kfd_compat_kernfs_parent(const struct kernfs_node *node)
{
#ifdef HAVE_KERNFS_PARENT_RCU
	return rcu_dereference_protected(node->__parent, true);
#else
	return node->parent;
#endif
}

/**
 * kfd_compat_vma_is_cow() - whether a mapping's pages are copied when written to
 * @vma: the mapping, its mmap_lock held or not yet reachable
 */
static inline bool kfd_compat_vma_is_cow(const struct vm_area_struct *vma)
{
#ifdef HAVE_VMA_IS_COW_MAPPING
	return vma_is_cow_mapping(vma);
#else
	return is_cow_mapping(vma->vm_flags);
#endif
}

/**
 * kfd_compat_page_pgmap() - the device memory that a page is of
 * @page: a page of ZONE_DEVICE
 */
static inline struct dev_pagemap *kfd_compat_page_pgmap(const struct page *page)
{
#ifdef HAVE_PAGE_PGMAP
	return page_pgmap(page);
#else
	return page->pgmap;
#endif
}

/*
 * kfd_compat_zone_device_page_init() - make a free page of device memory one that is
 * used; it may forget the page's zone_device_data. A macro because not every
 * configuration has what it is for.
 */
#ifdef HAVE_ZONE_DEVICE_PAGE_INIT_PGMAP
#define kfd_compat_zone_device_page_init(page, pgmap)	zone_device_page_init(page, pgmap, 0)
#else
#define kfd_compat_zone_device_page_init(page, pgmap) \
	do { (void)(pgmap); zone_device_page_init(page); } while (0)
#endif

/*
 * Member of an initializer of struct dev_pagemap_ops: what is told of a page of device
 * memory that nobody uses any more. KFD_COMPAT_PAGEMAP_FREE_ARG is its argument, of which
 * kfd_compat_freed_page() makes the page.
 */
#ifdef HAVE_PAGEMAP_FOLIO_FREE
#define KFD_COMPAT_PAGEMAP_FREE(f)	.folio_free = (f),
#define KFD_COMPAT_PAGEMAP_FREE_ARG	struct folio *
#define kfd_compat_freed_page(arg)	folio_page(arg, 0)
#else
#define KFD_COMPAT_PAGEMAP_FREE(f)	.page_free = (f),
#define KFD_COMPAT_PAGEMAP_FREE_ARG	struct page *
#define kfd_compat_freed_page(arg)	(arg)
#endif

#endif
