/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One name for what of DRM differs between kernels, as compat.h: for the simulator,
 * as the driver itself includes nothing of DRM's.
 */
#ifndef AMDKFD_COMPAT_DRM_H
#define AMDKFD_COMPAT_DRM_H

#include <linux/idr.h>
#include <linux/xarray.h>

#include <drm/drm_file.h>

#include "compat_config.h"

/**
 * kfd_compat_drm_syncobjs() - the table of a DRM file's sync objects
 * @file: the file
 *
 * Return: what xa_for_each() goes through, which is what an IDR has inside, too.
 */
static inline struct xarray *kfd_compat_drm_syncobjs(struct drm_file *file)
{
#ifdef HAVE_DRM_FILE_SYNCOBJ_XA
	return &file->syncobj_xa;
#else
	return &file->syncobj_idr.idr_rt;
#endif
}

#endif
