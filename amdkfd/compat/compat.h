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

#endif
