// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contexts (CTX), and waiting for what was submitted through them.
 *
 * A context numbers its submissions to each ring from 1 and remembers the
 * fences of the last SIM_CTX_FENCES; one that is older has finished, because
 * a submission waits for the one whose place it takes.
 *
 * ctx->lock protects a context; ctx->submit_lock is held by who submits. f->ctxs
 * and the references taken through it are protected by the xarray's lock.
 */
#include <linux/capability.h>
#include <linux/dma-fence.h>
#include <linux/file.h>
#include <linux/slab.h>
#include <linux/sync_file.h>
#include <linux/uaccess.h>

#include <drm/drm_auth.h>
#include <drm/drm_syncobj.h>

#include "drm_node.h"
#include "memory.h"

/* Fences of one WAIT_FENCES. */
#define SIM_WAIT_MAX_FENCES	1024u

static void sim_ctx_release(struct kref *ref)
{
	struct sim_ctx *ctx = container_of(ref, struct sim_ctx, ref);
	u32 ring, i;

	for (ring = 0; ring < SIM_SDMA_ENGINES; ring++)
		for (i = 0; i < SIM_CTX_FENCES; i++)
			dma_fence_put(ctx->fences[ring][i]);
	mutex_destroy(&ctx->submit_lock);
	kfree(ctx);
}

/**
 * sim_ctx_put() - drop a reference
 * @ctx: the context
 *
 * Context: sleeps.
 */
void sim_ctx_put(struct sim_ctx *ctx)
{
	kref_put(&ctx->ref, sim_ctx_release);
}

/**
 * sim_ctx_get() - find a context
 * @f: the file
 * @id: of the context
 *
 * Context: any.
 * Return: the context, referenced, or NULL.
 */
struct sim_ctx *sim_ctx_get(struct sim_file *f, u32 id)
{
	struct sim_ctx *ctx;

	xa_lock(&f->ctxs);
	ctx = xa_load(&f->ctxs, id);
	if (ctx)
		kref_get(&ctx->ref);
	xa_unlock(&f->ctxs);
	return ctx;
}

/**
 * sim_ctx_close() - the file is gone: drop its contexts
 * @f: the file
 *
 * Context: sleeps.
 */
void sim_ctx_close(struct sim_file *f)
{
	struct sim_ctx *ctx;
	unsigned long id;

	xa_for_each(&f->ctxs, id, ctx)
		sim_ctx_put(ctx);
	xa_destroy(&f->ctxs);
}

/**
 * sim_ctx_reserve() - make room for one more submission
 * @ctx: the context, ctx->submit_lock held: nobody else adds or drops a fence
 * @ring: SDMA ring
 *
 * Context: sleeps until the oldest submission that is remembered is done.
 * Return: 0, or -ERESTARTSYS.
 */
int sim_ctx_reserve(struct sim_ctx *ctx, u32 ring)
{
	u32 slot = (ctx->seq[ring] + 1) % SIM_CTX_FENCES;
	struct dma_fence *old = ctx->fences[ring][slot];

	lockdep_assert_held(&ctx->submit_lock);
	return old ? dma_fence_wait(old, true) : 0;
}

/**
 * sim_ctx_publish() - number a submission
 * @ctx: the context, ctx->submit_lock held, sim_ctx_reserve() done
 * @ring: SDMA ring
 * @fence: signals when it is done; a reference is taken
 *
 * Context: any; takes ctx->lock.
 * Return: its number.
 */
u64 sim_ctx_publish(struct sim_ctx *ctx, u32 ring, struct dma_fence *fence)
{
	struct dma_fence **slot, *old;
	u64 seq;

	lockdep_assert_held(&ctx->submit_lock);
	spin_lock(&ctx->lock);
	seq = ++ctx->seq[ring];
	slot = &ctx->fences[ring][seq % SIM_CTX_FENCES];
	old = *slot;
	if (old && old->error)
		ctx->hangs++;
	*slot = dma_fence_get(fence);
	spin_unlock(&ctx->lock);
	dma_fence_put(old);
	return seq;
}

/**
 * sim_ctx_fence() - the fence of a submission
 * @f: the file
 * @id: of the context
 * @ip_type: AMDGPU_HW_IP_DMA
 * @ip_instance: 0
 * @ring: SDMA ring
 * @seq: its number, or ~0 for the last
 * @fence: a reference; NULL when it was done long ago, or nothing was
 *	submitted yet and @seq asks for the last or for number 0
 *
 * Context: any that may free; takes ctx->lock.
 * Return: 0; -EINVAL for no such context, ring or number.
 */
int sim_ctx_fence(struct sim_file *f, u32 id, u32 ip_type, u32 ip_instance,
		  u32 ring, u64 seq, struct dma_fence **fence)
{
	struct sim_ctx *ctx;
	int ret = 0;
	u64 last;

	if (ip_type != AMDGPU_HW_IP_DMA || ip_instance ||
	    ring >= SIM_SDMA_ENGINES)
		return -EINVAL;
	ctx = sim_ctx_get(f, id);
	if (!ctx)
		return -EINVAL;

	spin_lock(&ctx->lock);
	*fence = NULL;
	last = ctx->seq[ring];
	if (seq == ~0ull)
		seq = last;
	if (seq > last)
		ret = -EINVAL;
	else if (seq && last - seq < SIM_CTX_FENCES)
		*fence = dma_fence_get(ctx->fences[ring][seq % SIM_CTX_FENCES]);
	spin_unlock(&ctx->lock);
	sim_ctx_put(ctx);
	return ret;
}

static bool sim_priority_ok(s32 priority)
{
	switch (priority) {
	case AMDGPU_CTX_PRIORITY_UNSET:
	case AMDGPU_CTX_PRIORITY_VERY_LOW:
	case AMDGPU_CTX_PRIORITY_LOW:
	case AMDGPU_CTX_PRIORITY_NORMAL:
	case AMDGPU_CTX_PRIORITY_HIGH:
	case AMDGPU_CTX_PRIORITY_VERY_HIGH:
		return true;
	default:
		return false;
	}
}

static int sim_ctx_alloc(struct drm_file *file, union drm_amdgpu_ctx *args)
{
	/* older programs leave garbage there */
	s32 priority = sim_priority_ok(args->in.priority) ?
		       args->in.priority : AMDGPU_CTX_PRIORITY_NORMAL;
	struct sim_ctx *ctx;
	u32 id;
	int ret;

	if (args->in.flags)
		return -EINVAL;
	if (priority > AMDGPU_CTX_PRIORITY_NORMAL && !capable(CAP_SYS_NICE) &&
	    !drm_is_current_master(file))
		return -EACCES;
	ctx = kzalloc(sizeof(*ctx), GFP_KERNEL_ACCOUNT);
	if (!ctx)
		return -ENOMEM;
	kref_init(&ctx->ref);
	mutex_init(&ctx->submit_lock);
	spin_lock_init(&ctx->lock);
	ctx->priority = priority;
	ret = xa_alloc(&to_sim_file(file)->ctxs, &id, ctx,
		       XA_LIMIT(1, SIM_FILE_MAX_OBJECTS), GFP_KERNEL_ACCOUNT);
	if (ret) {
		sim_ctx_put(ctx);
		return ret;
	}
	memset(args, 0, sizeof(*args));
	args->out.alloc.ctx_id = id;
	return 0;
}

static u32 sim_ctx_hangs(struct sim_ctx *ctx)
{
	u32 hangs = ctx->hangs, ring, i;

	lockdep_assert_held(&ctx->lock);
	for (ring = 0; ring < SIM_SDMA_ENGINES; ring++)
		for (i = 0; i < SIM_CTX_FENCES; i++)
			if (ctx->fences[ring][i] &&
			    dma_fence_get_status(ctx->fences[ring][i]) < 0)
				hangs++;
	return hangs;
}

static int sim_ctx_query(struct sim_file *f, union drm_amdgpu_ctx *args)
{
	bool flags = args->in.op == AMDGPU_CTX_OP_QUERY_STATE2;
	struct sim_ctx *ctx = sim_ctx_get(f, args->in.ctx_id);
	u32 hangs;

	if (!ctx)
		return -EINVAL;
	memset(args, 0, sizeof(*args));
	spin_lock(&ctx->lock);
	hangs = sim_ctx_hangs(ctx);
	if (flags) {
		if (hangs)
			args->out.state.flags = AMDGPU_CTX_QUERY2_FLAGS_GUILTY;
	} else {
		args->out.state.hangs = hangs;
		args->out.state.reset_status = hangs != ctx->reported ?
			AMDGPU_CTX_GUILTY_RESET : AMDGPU_CTX_NO_RESET;
		ctx->reported = hangs;
	}
	spin_unlock(&ctx->lock);
	sim_ctx_put(ctx);
	return 0;
}

/**
 * sim_ioctl_ctx() - CTX: make, free or ask a context
 * @dev: the GPU
 * @data: union drm_amdgpu_ctx
 * @file: the caller's
 *
 * Context: sleeps.
 * Return: 0; -EINVAL for an unknown operation or flag, or no such context;
 * -EACCES for a high priority without CAP_SYS_NICE; -EBUSY for too many
 * contexts; -ENOMEM.
 */
int sim_ioctl_ctx(struct drm_device *dev, void *data, struct drm_file *file)
{
	union drm_amdgpu_ctx *args = data;
	struct sim_file *f = to_sim_file(file);
	struct sim_ctx *ctx;

	switch (args->in.op) {
	case AMDGPU_CTX_OP_ALLOC_CTX:
		return sim_ctx_alloc(file, args);
	case AMDGPU_CTX_OP_FREE_CTX:
		ctx = xa_erase(&f->ctxs, args->in.ctx_id);
		if (!ctx)
			return -EINVAL;
		sim_ctx_put(ctx);
		return 0;
	case AMDGPU_CTX_OP_QUERY_STATE:
	case AMDGPU_CTX_OP_QUERY_STATE2:
		return sim_ctx_query(f, args);
	default:
		return -EINVAL;
	}
}

/**
 * sim_ioctl_wait_cs() - WAIT_CS: wait for a submission
 * @dev: the GPU
 * @data: union drm_amdgpu_wait_cs
 * @file: the caller's
 *
 * Context: sleeps.
 * Return: 0 (status 1: not done when the time was over); the error that the
 * submission ended with, -EFAULT for an access without translation; -EINVAL
 * as sim_ctx_fence(); -ERESTARTSYS.
 */
int sim_ioctl_wait_cs(struct drm_device *dev, void *data,
		      struct drm_file *file)
{
	union drm_amdgpu_wait_cs *args = data;
	long timeout = sim_timeout_jiffies(args->in.timeout);
	struct dma_fence *fence;
	long left = 1;
	int ret;

	ret = sim_ctx_fence(to_sim_file(file), args->in.ctx_id,
			    args->in.ip_type, args->in.ip_instance,
			    args->in.ring, args->in.handle, &fence);
	if (ret)
		return ret;
	if (fence) {
		left = dma_fence_wait_timeout(fence, true, timeout);
		if (left > 0)
			ret = fence->error;
		dma_fence_put(fence);
	}
	if (left < 0)
		return left;
	memset(args, 0, sizeof(*args));
	args->out.status = left == 0;
	return ret;
}

static int sim_wait_all(struct dma_fence **fences, u32 count, long timeout,
			u32 *done)
{
	u32 i;

	for (i = 0; i < count; i++) {
		if (!fences[i])
			continue;
		timeout = dma_fence_wait_timeout(fences[i], true, timeout);
		if (timeout <= 0)
			return timeout;
		if (fences[i]->error)
			return fences[i]->error;
	}
	*done = 1;
	return 0;
}

static int sim_wait_any(struct dma_fence **fences, u32 count, long timeout,
			u32 *done, u32 *first)
{
	long left;
	u32 i;

	for (i = 0; i < count; i++) {
		if (!fences[i]) {
			*done = 1;
			*first = i;
			return 0;
		}
	}
	left = dma_fence_wait_any_timeout(fences, count, true, timeout, first);
	if (left < 0)
		return left;
	*done = left > 0;
	return *done && *first < count ? fences[*first]->error : 0;
}

static int sim_collect_fences(struct sim_file *f, u64 ptr, u32 count,
			      struct dma_fence **fences)
{
	struct drm_amdgpu_fence __user *user = u64_to_user_ptr(ptr);
	struct drm_amdgpu_fence in;
	u32 i;
	int ret;

	for (i = 0; i < count; i++) {
		if (copy_from_user(&in, &user[i], sizeof(in)))
			return -EFAULT;
		ret = sim_ctx_fence(f, in.ctx_id, in.ip_type, in.ip_instance,
				    in.ring, in.seq_no, &fences[i]);
		if (ret)
			return ret;
	}
	return 0;
}

/**
 * sim_ioctl_wait_fences() - WAIT_FENCES: wait for all or any of some
 * @dev: the GPU
 * @data: union drm_amdgpu_wait_fences
 * @file: the caller's
 *
 * Context: sleeps.
 * Return: 0 (status 0: not done when the time was over); the error that one
 * ended with; -EINVAL for none or too many fences, and as sim_ctx_fence();
 * -EFAULT; -ENOMEM; -ERESTARTSYS.
 */
int sim_ioctl_wait_fences(struct drm_device *dev, void *data,
			  struct drm_file *file)
{
	union drm_amdgpu_wait_fences *args = data;
	struct drm_amdgpu_wait_fences_in in = args->in;
	u32 i, done = 0, first = 0;
	struct dma_fence **fences;
	long timeout;
	int ret;

	if (!in.fence_count || in.fence_count > SIM_WAIT_MAX_FENCES)
		return -EINVAL;
	fences = kcalloc(in.fence_count, sizeof(*fences), GFP_KERNEL_ACCOUNT);
	if (!fences)
		return -ENOMEM;
	ret = sim_collect_fences(to_sim_file(file), in.fences, in.fence_count,
				 fences);
	timeout = sim_timeout_jiffies(in.timeout_ns);
	if (!ret && in.wait_all)
		ret = sim_wait_all(fences, in.fence_count, timeout, &done);
	else if (!ret)
		ret = sim_wait_any(fences, in.fence_count, timeout, &done,
				   &first);
	for (i = 0; i < in.fence_count; i++)
		dma_fence_put(fences[i]);
	kfree(fences);
	if (ret)
		return ret;
	memset(args, 0, sizeof(*args));
	args->out.status = done;
	args->out.first_signaled = first;
	return 0;
}

static int sim_fence_sync_file(struct dma_fence *fence, u32 *handle)
{
	struct sync_file *sync = sync_file_create(fence);
	int fd;

	if (!sync)
		return -ENOMEM;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		fput(sync->file);
		return fd;
	}
	fd_install(fd, sync->file);
	*handle = fd;
	return 0;
}

static int sim_fence_syncobj(struct drm_file *file, struct dma_fence *fence,
			     bool as_fd, u32 *handle)
{
	struct drm_syncobj *syncobj;
	int ret;

	ret = drm_syncobj_create(&syncobj, 0, fence);
	if (ret)
		return ret;
	if (as_fd)
		ret = drm_syncobj_get_fd(syncobj, (int *)handle);
	else
		ret = drm_syncobj_get_handle(file, syncobj, handle);
	drm_syncobj_put(syncobj);
	return ret;
}

/**
 * sim_ioctl_fence_to_handle() - FENCE_TO_HANDLE: a submission as a syncobj or
 * a sync file
 * @dev: the GPU
 * @data: union drm_amdgpu_fence_to_handle
 * @file: the caller's
 *
 * Context: sleeps.
 * Return: 0; -EINVAL for an unknown kind of handle, and as sim_ctx_fence();
 * -EMFILE; -ENOMEM.
 */
int sim_ioctl_fence_to_handle(struct drm_device *dev, void *data,
			      struct drm_file *file)
{
	union drm_amdgpu_fence_to_handle *args = data;
	struct drm_amdgpu_fence in = args->in.fence;
	u32 what = args->in.what;
	bool as_fd = what == AMDGPU_FENCE_TO_HANDLE_GET_SYNCOBJ_FD;
	struct dma_fence *fence;
	int ret;

	if (what > AMDGPU_FENCE_TO_HANDLE_GET_SYNC_FILE_FD)
		return -EINVAL;
	ret = sim_ctx_fence(to_sim_file(file), in.ctx_id, in.ip_type,
			    in.ip_instance, in.ring, in.seq_no, &fence);
	if (ret)
		return ret;
	if (!fence)
		fence = dma_fence_get_stub();
	if (what == AMDGPU_FENCE_TO_HANDLE_GET_SYNC_FILE_FD)
		ret = sim_fence_sync_file(fence, &args->out.handle);
	else
		ret = sim_fence_syncobj(file, fence, as_fd, &args->out.handle);
	dma_fence_put(fence);
	return ret;
}

/**
 * sim_ioctl_vm() - VM: keep a VMID for a file
 * @dev: the GPU
 * @data: union drm_amdgpu_vm
 * @file: the caller's
 *
 * Every file has page tables of its own here, so that is always so.
 *
 * Context: any.
 * Return: 0, or -EINVAL for an unknown operation or flag.
 */
int sim_ioctl_vm(struct drm_device *dev, void *data, struct drm_file *file)
{
	union drm_amdgpu_vm *args = data;

	if (args->in.flags ||
	    (args->in.op != AMDGPU_VM_OP_RESERVE_VMID &&
	     args->in.op != AMDGPU_VM_OP_UNRESERVE_VMID))
		return -EINVAL;
	args->out.flags = 0;
	return 0;
}
