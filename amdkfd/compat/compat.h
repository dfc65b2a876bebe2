/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One name for what differs between kernels.
 *
 * compat_config.h is made by configure.sh: it compiles a probe for each
 * HAVE_* macro against the kernel that is built for. Driver code uses the
 * kfd_compat_* names below, or the newest kernel's name where an older one
 * can be given it, and tests no HAVE_* macro and no version of its own.
 */
#ifndef AMDKFD_COMPAT_H
#define AMDKFD_COMPAT_H

#include <linux/device.h>
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/timer.h>

#include "compat_config.h"

/**
 * kfd_compat_vm_flags_set() - add flags to a mapping
 * @vma: the mapping, its mmap_lock held for writing
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
 * kfd_compat_vm_flags_clear() - take flags away from a mapping
 * @vma: the mapping, its mmap_lock held for writing
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

/* Type of the device argument of struct class's devnode callback. */
#ifdef HAVE_CLASS_DEVNODE_CONST
#define KFD_COMPAT_DEVNODE_CONST	const
#else
#define KFD_COMPAT_DEVNODE_CONST
#endif

/**
 * kfd_compat_eventfd_signal() - add one to an eventfd's counter
 * @ctx: the eventfd; any context
 */
static inline void kfd_compat_eventfd_signal(struct eventfd_ctx *ctx)
{
#ifdef HAVE_EVENTFD_SIGNAL_ONE_ARG
	eventfd_signal(ctx);
#else
	eventfd_signal(ctx, 1);
#endif
}

/*
 * File positions with the top bit set, as mmap offsets of /dev/kfd have it:
 * KFD_COMPAT_FOPS_UNSIGNED_OFFSET stands in the initializer of the
 * file_operations, kfd_compat_unsigned_offset() is called by their open().
 */
#ifdef HAVE_FOP_UNSIGNED_OFFSET
#define KFD_COMPAT_FOPS_UNSIGNED_OFFSET	.fop_flags = FOP_UNSIGNED_OFFSET,
#else
#define KFD_COMPAT_FOPS_UNSIGNED_OFFSET
#endif

/**
 * kfd_compat_unsigned_offset() - accept negative file positions on this file
 * @filp: the file, in its open()
 */
static inline void kfd_compat_unsigned_offset(struct file *filp)
{
#ifndef HAVE_FOP_UNSIGNED_OFFSET
	filp->f_mode |= FMODE_UNSIGNED_OFFSET;
#endif
}

#ifndef HAVE_FD_FILE
/* the file of a struct fd, as newer kernels name it */
#define fd_file(f)	((f).file)
#endif

/* MODULE_IMPORT_NS() of a name that is written without quotes. */
#ifdef HAVE_IMPORT_NS_IDENTIFIER
#define KFD_COMPAT_IMPORT_NS(ns)	MODULE_IMPORT_NS(ns)
#else
#define KFD_COMPAT_IMPORT_NS(ns)	MODULE_IMPORT_NS(#ns)
#endif

/*
 * KFD_COMPAT_PLATFORM_REMOVE() - define a platform driver's remove callback
 * @name: of the callback
 * @func: what it calls, void (*)(struct platform_device *)
 */
#ifdef HAVE_PLATFORM_REMOVE_VOID
#define KFD_COMPAT_PLATFORM_REMOVE(name, func)			\
static void name(struct platform_device *pdev)			\
{								\
	func(pdev);						\
}
#else
#define KFD_COMPAT_PLATFORM_REMOVE(name, func)			\
static int name(struct platform_device *pdev)			\
{								\
	func(pdev);						\
	return 0;						\
}
#endif

#ifndef HAVE_TIMER_DELETE_SYNC
static inline int timer_delete_sync(struct timer_list *timer)
{
	return del_timer_sync(timer);
}
#endif

/* The date member of struct drm_driver, which newer kernels do without. */
#ifdef HAVE_DRM_DRIVER_DATE
#define KFD_COMPAT_DRM_DRIVER_DATE(d)	.date = (d),
#else
#define KFD_COMPAT_DRM_DRIVER_DATE(d)
#endif

#endif
