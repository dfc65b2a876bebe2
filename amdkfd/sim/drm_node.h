/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The DRM node of a simulated GPU: the part of amdgpu's interface that ROCm
 * and CRIU's plugin use. drm.c has the driver and its files, drm_gem.c
 * buffers, drm_list.c lists of them, drm_ctx.c contexts and waiting, drm_cs.c
 * submissions, drm_info.c queries, drm_show.c fdinfo.
 */
#ifndef AMDGPU_SIM_DRM_NODE_H
#define AMDGPU_SIM_DRM_NODE_H

#include <drm/amdgpu_drm.h>
#include <drm/drm_drv.h>
#include <linux/dma-fence.h>
#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/xarray.h>

#include "sim.h"

struct kfd_gpu_vm_made;
struct seq_file;
struct sim_bo;

/* Objects of one kind in one file. */
#define SIM_FILE_MAX_OBJECTS	4096u

/**
 * struct sim_file - a DRM file
 * @vm: its address space, referenced
 * @ctxs: struct sim_ctx by id
 * @lists: struct sim_bo_list by handle
 *
 * Look-ups of @ctxs and @lists take their reference under the xarray's lock.
 */
struct sim_file {
	struct sim_vm *vm;
	struct xarray ctxs;
	struct xarray lists;
};

static inline struct sim_file *to_sim_file(struct drm_file *file)
{
	return file->driver_priv;
}

/* Submissions of one context to one ring whose fences can be asked for. */
#define SIM_CTX_FENCES		32u

/**
 * struct sim_ctx - a context: who submits, in what order
 * @ref: the file's table, look-ups
 * @submit_lock: serialises the submissions of the context; held while one waits
 * @lock: protects the rest, for a moment at a time: who asks for a fence waits
 *	for no submission
 * @seq: submissions so far, per ring
 * @fences: the last of them, that of number n at n modulo SIM_CTX_FENCES
 * @priority: AMDGPU_CTX_PRIORITY_* as given; all run alike
 * @hangs: submissions that ended with an error
 * @reported: @hangs at the last query
 */
struct sim_ctx {
	struct kref ref;
	struct mutex submit_lock;
	spinlock_t lock;	/* numbers and fences */
	u64 seq[SIM_SDMA_ENGINES];
	struct dma_fence *fences[SIM_SDMA_ENGINES][SIM_CTX_FENCES];
	s32 priority;
	u32 hangs;
	u32 reported;
};

/**
 * struct sim_bo_list - buffers that a submission uses
 * @ref: the file's table, look-ups
 * @count: entries of @bos
 * @bos: buffers, referenced
 */
struct sim_bo_list {
	struct kref ref;
	u32 count;
	struct sim_bo *bos[];
};

/* drm.c */
extern const struct drm_driver sim_drm_driver;
bool sim_is_drm_file(struct file *file);
long sim_timeout_jiffies(u64 timeout_ns);

/* drm_show.c */
void sim_count_made(struct drm_file *file, struct kfd_gpu_vm_made *made);
void sim_drm_show_fdinfo(struct seq_file *m, struct file *file);

/* drm_list.c */
struct sim_bo_list *sim_bo_list_create(struct drm_file *file,
				       const struct drm_amdgpu_bo_list_in *in);
struct sim_bo_list *sim_bo_list_get(struct sim_file *f, u32 handle);
void sim_bo_list_put(struct sim_bo_list *list);
void sim_bo_list_close(struct sim_file *f);

/* drm_ctx.c */
struct sim_ctx *sim_ctx_get(struct sim_file *f, u32 id);
void sim_ctx_put(struct sim_ctx *ctx);
void sim_ctx_close(struct sim_file *f);
int sim_ctx_reserve(struct sim_ctx *ctx, u32 ring);
u64 sim_ctx_publish(struct sim_ctx *ctx, u32 ring, struct dma_fence *fence);
int sim_ctx_fence(struct sim_file *f, u32 id, u32 ip_type, u32 ip_instance,
		  u32 ring, u64 seq, struct dma_fence **fence);

/* drm_cs.c */
int sim_bo_wait_own(struct sim_bo *bo, struct sim_vm *vm);

/* The ioctls. */
#define SIM_IOCTL(name)	int name(struct drm_device *dev, void *data, \
				 struct drm_file *file)
SIM_IOCTL(sim_ioctl_gem_create);
SIM_IOCTL(sim_ioctl_gem_mmap);
SIM_IOCTL(sim_ioctl_gem_userptr);
SIM_IOCTL(sim_ioctl_gem_metadata);
SIM_IOCTL(sim_ioctl_gem_wait_idle);
SIM_IOCTL(sim_ioctl_gem_op);
SIM_IOCTL(sim_ioctl_gem_va);
SIM_IOCTL(sim_ioctl_bo_list);
SIM_IOCTL(sim_ioctl_ctx);
SIM_IOCTL(sim_ioctl_wait_cs);
SIM_IOCTL(sim_ioctl_wait_fences);
SIM_IOCTL(sim_ioctl_fence_to_handle);
SIM_IOCTL(sim_ioctl_cs);
SIM_IOCTL(sim_ioctl_vm);
SIM_IOCTL(sim_ioctl_info);

#endif
