// SPDX-License-Identifier: GPL-2.0-only
/*
 * Submissions (CS): one indirect buffer for one SDMA ring.
 *
 * What a submission depends on is waited for here, before it goes to the
 * engine: an engine takes the jobs of a client in order and has no list of reasons
 * to pass one over. Jobs of the same ring and client never wait for each other
 * here.
 *
 * Its fence is on the buffers before their user memory is looked at for the
 * last time; from then on an MMU notifier that wants to take a page away waits
 * for the job. See userptr.c.
 *
 * ctx->submit_lock is held from making room for the submission to its number being
 * known. Fences hold a reference on the module: one can outlive every file of
 * ours in somebody's sync file.
 */
#include <linux/dma-resv.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include <drm/drm_gem.h>
#include <drm/drm_syncobj.h>

#include "drm_node.h"
#include "memory.h"

#define SIM_CS_MAX_CHUNKS	64u
#define SIM_CS_MAX_CHUNK_DW	4096u
/* What the packet that starts an IB can say: 20 bits of dwords. */
#define SIM_CS_MAX_IB_DW	0xfffffu
/* How long an unmap waits for jobs, jiffies. */
#define SIM_CS_UNMAP_WAIT	(5 * HZ)
/* How often user memory may vanish between two looks at it. */
#define SIM_CS_MAX_TRIES	8

/**
 * struct sim_fence - signals when a job is done
 * @base: a timeline of its own: a job that is given up signals out of turn
 * @lock: of @base
 * @ring: SDMA ring it is for
 * @owner: the VM, as an identity: never dereferenced
 * @client: likewise; both live until it has signalled
 */
struct sim_fence {
	struct dma_fence base;
	spinlock_t lock;
	u32 ring;
	const void *owner;
	const void *client;
};

/**
 * struct sim_cs_job - a job and what has to live as long
 * @job: what the engine knows
 * @list: the buffers, referenced; may be NULL
 * @user_bo: buffer of the user fence, referenced; may be NULL
 * @user: where the number goes when the job is done
 * @seq: the number
 * @done: callback that writes it
 * @cleanup: frees the job
 */
struct sim_cs_job {
	struct sim_job job;
	struct sim_bo_list *list;
	struct sim_bo *user_bo;
	u64 *user;
	u64 seq;
	struct dma_fence_cb done;
	struct work_struct cleanup;
};

/* A chunk as copied from the user. */
struct sim_chunk {
	u32 id;
	u32 bytes;
	void *data;
};

/**
 * struct sim_cs - a submission on its way
 * @dev: the GPU
 * @file: the caller's
 * @ctx: its context, referenced
 * @n_chunks: entries of @chunks
 * @chunks: copied
 * @ib: the indirect buffer
 * @list: referenced; may be NULL
 * @user_bo: buffer of the user fence, referenced; may be NULL
 * @user: where in it
 * @n_out: entries of @out
 * @out: syncobjs that get the fence, referenced
 */
struct sim_cs {
	struct drm_device *dev;
	struct drm_file *file;
	struct sim_ctx *ctx;
	u32 n_chunks;
	struct sim_chunk chunks[SIM_CS_MAX_CHUNKS];
	struct drm_amdgpu_cs_chunk_ib *ib;
	struct sim_bo_list *list;
	struct sim_bo *user_bo;
	u64 *user;
	u32 n_out;
	struct drm_syncobj **out;
};

static const char *sim_fence_driver_name(struct dma_fence *fence)
{
	return KBUILD_MODNAME;
}

static const char *sim_fence_timeline_name(struct dma_fence *fence)
{
	return container_of(fence, struct sim_fence, base)->ring ?
	       "sdma1" : "sdma0";
}

static void sim_fence_release(struct dma_fence *fence)
{
	dma_fence_free(fence);
	module_put(THIS_MODULE);
}

static const struct dma_fence_ops sim_fence_ops = {
	.get_driver_name = sim_fence_driver_name,
	.get_timeline_name = sim_fence_timeline_name,
	.release = sim_fence_release,
};

static struct dma_fence *sim_fence_create(u32 ring, struct sim_vm *vm)
{
	struct sim_fence *fence = kzalloc(sizeof(*fence), GFP_KERNEL_ACCOUNT);

	if (!fence)
		return NULL;
	spin_lock_init(&fence->lock);
	fence->ring = ring;
	fence->owner = vm;
	fence->client = sim_vm_client(vm);
	__module_get(THIS_MODULE);
	dma_fence_init(&fence->base, &sim_fence_ops, &fence->lock,
		       dma_fence_context_alloc(1), 1);
	return &fence->base;
}

/* Whether its job ends before one that @vm submits to the ring from now on. */
static bool sim_fence_is_before(struct dma_fence *base, u32 ring,
				struct sim_vm *vm)
{
	struct sim_fence *fence = container_of(base, struct sim_fence, base);

	return base->ops == &sim_fence_ops && fence->ring == ring &&
	       fence->client == sim_vm_client(vm);
}

static bool sim_fence_owned(struct dma_fence *fence, struct sim_vm *vm)
{
	return fence->ops == &sim_fence_ops &&
	       container_of(fence, struct sim_fence, base)->owner == vm;
}

/**
 * sim_bo_wait_own() - wait for a file's own jobs on a buffer
 * @bo: the buffer
 * @vm: the file's VM
 *
 * Before its mapping is taken away from under them: hardware does so in their
 * turn. A job that takes longer than SIM_CS_UNMAP_WAIT is not waited for, and
 * nor is any other then, until the file's next submission.
 *
 * Context: sleeps.
 * Return: 0, or -ERESTARTSYS.
 */
int sim_bo_wait_own(struct sim_bo *bo, struct sim_vm *vm)
{
	long left = SIM_CS_UNMAP_WAIT;
	struct dma_resv_iter cursor;
	struct dma_fence *fence;

	/* who exits can't care any more; who has waited in vain need not again */
	if (READ_ONCE(vm->overdue) || (current->flags & PF_EXITING))
		return 0;
	dma_resv_iter_begin(&cursor, bo->base.resv, DMA_RESV_USAGE_BOOKKEEP);
	dma_resv_for_each_fence_unlocked(&cursor, fence) {
		if (!sim_fence_owned(fence, vm))
			continue;
		left = dma_fence_wait_timeout(fence, true, left);
		if (left <= 0)
			break;
	}
	dma_resv_iter_end(&cursor);
	if (!left)
		WRITE_ONCE(vm->overdue, true);
	return left < 0 ? left : 0;
}

/* The number of a submission, where the program polls for it. */
static void sim_cs_job_done(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct sim_cs_job *job = container_of(cb, struct sim_cs_job, done);

	/* pairs with the program's load: the job's writes come first */
	smp_store_release(job->user, job->seq);
}

static void sim_cs_job_free(struct sim_cs_job *job)
{
	sim_bo_list_put(job->list);
	if (job->user_bo)
		sim_bo_put(job->user_bo);
	sim_vm_put(job->job.vm);
	dma_fence_put(job->job.fence);
	kfree(job);
}

static void sim_cs_job_cleanup(struct work_struct *work)
{
	sim_cs_job_free(container_of(work, struct sim_cs_job, cleanup));
}

/*
 * Called by the engine, which must not free the buffers itself: freeing a
 * userptr waits for the MMU notifiers of its mm, and these may just be waiting
 * for the engine to give up a queue.
 */
static void sim_cs_job_release(struct sim_job *base)
{
	queue_work(sim_wq,
		   &container_of(base, struct sim_cs_job, job)->cleanup);
}

static struct sim_cs_job *sim_cs_job_create(struct sim_cs *cs)
{
	struct sim_vm *vm = sim_file_vm(cs->file);
	struct sim_cs_job *job;

	job = kzalloc(sizeof(*job), GFP_KERNEL_ACCOUNT);
	if (!job)
		return NULL;
	job->job.fence = sim_fence_create(cs->ib->ring, vm);
	if (!job->job.fence) {
		kfree(job);
		return NULL;
	}
	INIT_WORK(&job->cleanup, sim_cs_job_cleanup);
	INIT_LIST_HEAD(&job->job.node);
	job->job.vm = sim_vm_get(vm);
	job->job.ib_va = cs->ib->va_start;
	job->job.ib_dwords = cs->ib->ib_bytes / sizeof(u32);
	job->job.release = sim_cs_job_release;
	if (cs->list) {
		kref_get(&cs->list->ref);
		job->list = cs->list;
	}
	if (cs->user_bo) {
		sim_bo_get(cs->user_bo);
		job->user_bo = cs->user_bo;
		job->user = cs->user;
	}
	return job;
}

static int sim_cs_load_chunk(struct sim_cs *cs, u64 ptr)
{
	struct drm_amdgpu_cs_chunk chunk;
	struct sim_chunk *c;

	if (copy_from_user(&chunk, u64_to_user_ptr(ptr), sizeof(chunk)))
		return -EFAULT;
	if (!chunk.length_dw || chunk.length_dw > SIM_CS_MAX_CHUNK_DW)
		return -EINVAL;
	c = &cs->chunks[cs->n_chunks];
	c->id = chunk.chunk_id;
	c->bytes = chunk.length_dw * sizeof(u32);
	c->data = kvmalloc(c->bytes, GFP_KERNEL_ACCOUNT);
	if (!c->data)
		return -ENOMEM;
	/* counted from here on: it has to be freed */
	cs->n_chunks++;
	return copy_from_user(c->data, u64_to_user_ptr(chunk.chunk_data),
			      c->bytes) ? -EFAULT : 0;
}

static int sim_cs_load(struct sim_cs *cs, const struct drm_amdgpu_cs_in *in)
{
	u64 __user *ptrs = u64_to_user_ptr(in->chunks);
	u64 ptr;
	u32 i;
	int ret;

	/* in->flags was padding once and says nothing: not looked at */
	if (!in->num_chunks || in->num_chunks > SIM_CS_MAX_CHUNKS)
		return -EINVAL;
	for (i = 0; i < in->num_chunks; i++) {
		if (get_user(ptr, &ptrs[i]))
			return -EFAULT;
		ret = sim_cs_load_chunk(cs, ptr);
		if (ret)
			return ret;
	}
	return 0;
}

static int sim_cs_set_ib(struct sim_cs *cs, struct sim_chunk *chunk)
{
	struct drm_amdgpu_cs_chunk_ib *ib = chunk->data;

	if (cs->ib || chunk->bytes < sizeof(*ib))
		return -EINVAL;
	/*
	 * ib->flags is not looked at: none of them means anything to SDMA, and
	 * mainline takes any. There are programs that never set it.
	 */
	if (ib->ip_type != AMDGPU_HW_IP_DMA || ib->ip_instance ||
	    ib->ring >= SIM_SDMA_ENGINES || !ib->ib_bytes ||
	    !IS_ALIGNED(ib->ib_bytes, sizeof(u32)) ||
	    ib->ib_bytes / sizeof(u32) > SIM_CS_MAX_IB_DW ||
	    !IS_ALIGNED(ib->va_start, sizeof(u32)))
		return -EINVAL;
	cs->ib = ib;
	return 0;
}

static int sim_cs_set_user_fence(struct sim_cs *cs, struct sim_chunk *chunk)
{
	struct drm_amdgpu_cs_chunk_fence *in = chunk->data;
	struct drm_gem_object *obj;
	struct sim_bo *bo;

	if (cs->user_bo || chunk->bytes < sizeof(*in) ||
	    !IS_ALIGNED(in->offset, sizeof(u64)))
		return -EINVAL;
	obj = drm_gem_object_lookup(cs->file, in->handle);
	if (!obj)
		return -EINVAL;
	bo = to_sim_bo(obj);
	cs->user_bo = bo;
	if (bo->kind == SIM_BO_USERPTR ||
	    in->offset > bo->base.size - sizeof(u64))
		return -EINVAL;
	cs->user = page_address(sim_bo_pages(bo)[in->offset >> PAGE_SHIFT]) +
		   offset_in_page(in->offset);
	return 0;
}

static int sim_cs_set_list(struct sim_cs *cs, struct sim_chunk *chunk)
{
	struct sim_bo_list *list;

	if (cs->list || chunk->bytes < sizeof(struct drm_amdgpu_bo_list_in))
		return -EINVAL;
	list = sim_bo_list_create(cs->file, chunk->data);
	if (IS_ERR(list))
		return PTR_ERR(list);
	cs->list = list;
	return 0;
}

static int sim_cs_set_out(struct sim_cs *cs, struct sim_chunk *chunk)
{
	struct drm_amdgpu_cs_chunk_sem *sem = chunk->data;
	u32 i, n = chunk->bytes / sizeof(*sem);

	if (cs->out)
		return -EINVAL;
	cs->out = kvcalloc(n, sizeof(*cs->out), GFP_KERNEL_ACCOUNT);
	if (!cs->out)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		cs->out[i] = drm_syncobj_find(cs->file, sem[i].handle);
		if (!cs->out[i])
			return -ENOENT;
		cs->n_out++;
	}
	return 0;
}

/* All chunks but what is to be waited for. */
static int sim_cs_parse(struct sim_cs *cs)
{
	u32 i;
	int ret;

	for (i = 0; i < cs->n_chunks; i++) {
		struct sim_chunk *chunk = &cs->chunks[i];

		switch (chunk->id) {
		case AMDGPU_CHUNK_ID_IB:
			ret = sim_cs_set_ib(cs, chunk);
			break;
		case AMDGPU_CHUNK_ID_FENCE:
			ret = sim_cs_set_user_fence(cs, chunk);
			break;
		case AMDGPU_CHUNK_ID_BO_HANDLES:
			ret = sim_cs_set_list(cs, chunk);
			break;
		case AMDGPU_CHUNK_ID_SYNCOBJ_OUT:
			ret = sim_cs_set_out(cs, chunk);
			break;
		case AMDGPU_CHUNK_ID_DEPENDENCIES:
		case AMDGPU_CHUNK_ID_SCHEDULED_DEPENDENCIES:
		case AMDGPU_CHUNK_ID_SYNCOBJ_IN:
			ret = 0;
			break;
		default:
			ret = -EINVAL;
		}
		if (ret)
			return ret;
	}
	return cs->ib ? 0 : -EINVAL;
}

/* Takes over the caller's reference of @fence. */
static int sim_cs_wait(struct sim_cs *cs, struct dma_fence *fence)
{
	int ret = 0;

	if (fence && !sim_fence_is_before(fence, cs->ib->ring,
					  sim_file_vm(cs->file)))
		ret = dma_fence_wait(fence, true);
	dma_fence_put(fence);
	return ret;
}

static int sim_cs_wait_deps(struct sim_cs *cs, struct sim_chunk *chunk)
{
	struct drm_amdgpu_cs_chunk_dep *dep = chunk->data;
	u32 i, n = chunk->bytes / sizeof(*dep);
	struct dma_fence *fence;
	int ret;

	for (i = 0; i < n; i++) {
		ret = sim_ctx_fence(to_sim_file(cs->file), dep[i].ctx_id,
				    dep[i].ip_type, dep[i].ip_instance,
				    dep[i].ring, dep[i].handle, &fence);
		if (!ret)
			ret = sim_cs_wait(cs, fence);
		if (ret)
			return ret;
	}
	return 0;
}

static int sim_cs_wait_syncobjs(struct sim_cs *cs, struct sim_chunk *chunk)
{
	struct drm_amdgpu_cs_chunk_sem *sem = chunk->data;
	u32 i, n = chunk->bytes / sizeof(*sem);
	struct dma_fence *fence;
	int ret;

	for (i = 0; i < n; i++) {
		ret = drm_syncobj_find_fence(cs->file, sem[i].handle, 0, 0,
					     &fence);
		if (!ret)
			ret = sim_cs_wait(cs, fence);
		if (ret)
			return ret;
	}
	return 0;
}

static int sim_cs_wait_chunks(struct sim_cs *cs)
{
	u32 i;
	int ret = 0;

	for (i = 0; i < cs->n_chunks && !ret; i++) {
		switch (cs->chunks[i].id) {
		case AMDGPU_CHUNK_ID_DEPENDENCIES:
		case AMDGPU_CHUNK_ID_SCHEDULED_DEPENDENCIES:
			ret = sim_cs_wait_deps(cs, &cs->chunks[i]);
			break;
		case AMDGPU_CHUNK_ID_SYNCOBJ_IN:
			ret = sim_cs_wait_syncobjs(cs, &cs->chunks[i]);
			break;
		}
	}
	return ret;
}

/* A fence of the buffer that this submission has to wait for, or NULL. */
static struct dma_fence *sim_cs_blocker(struct sim_cs *cs, struct sim_bo *bo)
{
	struct sim_vm *vm = sim_file_vm(cs->file);
	struct dma_fence *fence, *found = NULL;
	struct dma_resv_iter cursor;

	dma_resv_iter_begin(&cursor, bo->base.resv, DMA_RESV_USAGE_READ);
	dma_resv_for_each_fence_unlocked(&cursor, fence) {
		/* a ring has a client's in order, a VM's see to themselves */
		if (!sim_fence_is_before(fence, cs->ib->ring, vm) &&
		    !sim_fence_owned(fence, vm) &&
		    !dma_fence_is_signaled(fence)) {
			found = dma_fence_get(fence);
			break;
		}
	}
	dma_resv_iter_end(&cursor);
	return found;
}

/* Other processes' jobs on the same buffers come first. */
static int sim_cs_wait_bos(struct sim_cs *cs)
{
	struct dma_fence *fence;
	u32 i;
	int ret;

	for (i = 0; cs->list && i < cs->list->count; i++) {
		struct sim_bo *bo = cs->list->bos[i];

		if (bo->gem_flags & AMDGPU_GEM_CREATE_EXPLICIT_SYNC)
			continue;
		while ((fence = sim_cs_blocker(cs, bo))) {
			ret = dma_fence_wait(fence, true);
			dma_fence_put(fence);
			if (ret)
				return ret;
		}
	}
	return 0;
}

static int sim_cs_validate(struct sim_cs *cs)
{
	u32 i;
	int ret;

	for (i = 0; cs->list && i < cs->list->count; i++) {
		if (!cs->list->bos[i]->userptr)
			continue;
		ret = sim_userptr_validate(cs->list->bos[i]);
		if (ret)
			return ret;
	}
	return 0;
}

static int sim_cs_add_fence(struct sim_cs *cs, struct dma_fence *fence)
{
	struct dma_resv *resv;
	u32 i;
	int ret;

	for (i = 0; cs->list && i < cs->list->count; i++) {
		resv = cs->list->bos[i]->base.resv;
		ret = dma_resv_lock_interruptible(resv, NULL);
		if (ret)
			return ret;
		ret = dma_resv_reserve_fences(resv, 1);
		if (!ret)
			dma_resv_add_fence(resv, fence, DMA_RESV_USAGE_WRITE);
		dma_resv_unlock(resv);
		if (ret)
			return ret;
	}
	return 0;
}

static bool sim_cs_valid(struct sim_cs *cs)
{
	u32 i;

	for (i = 0; cs->list && i < cs->list->count; i++)
		if (cs->list->bos[i]->userptr &&
		    !sim_userptr_valid(cs->list->bos[i]))
			return false;
	return true;
}

/* -EAGAIN when user memory went away meanwhile. */
static int sim_cs_try(struct sim_cs *cs, u64 *seq)
{
	struct sim_cs_job *job;
	struct dma_fence *fence;
	u32 i, ring = cs->ib->ring;
	int ret;

	ret = sim_cs_validate(cs);
	if (ret)
		return ret;
	job = sim_cs_job_create(cs);
	if (!job)
		return -ENOMEM;
	ret = sim_cs_add_fence(cs, job->job.fence);
	if (!ret && !sim_cs_valid(cs))
		ret = -EAGAIN;
	if (ret) {
		dma_fence_set_error(job->job.fence, -ECANCELED);
		dma_fence_signal(job->job.fence);
		sim_cs_job_free(job);
		return ret;
	}

	WRITE_ONCE(job->job.vm->overdue, false);
	/* nothing fails from here on; the engine may free the job at once */
	fence = dma_fence_get(job->job.fence);
	job->seq = sim_ctx_publish(cs->ctx, ring, fence);
	*seq = job->seq;
	if (job->user)
		dma_fence_add_callback(fence, &job->done, sim_cs_job_done);
	for (i = 0; i < cs->n_out; i++)
		drm_syncobj_replace_fence(cs->out[i], fence);
	sim_engine_submit(to_sim_gpu(cs->dev), ring, &job->job);
	dma_fence_put(fence);
	return 0;
}

static int sim_cs_submit(struct sim_cs *cs, u64 *seq)
{
	int tries, ret;

	if (mutex_lock_interruptible(&cs->ctx->submit_lock))
		return -ERESTARTSYS;
	ret = sim_ctx_reserve(cs->ctx, cs->ib->ring);
	if (!ret)
		ret = sim_cs_wait_bos(cs);
	if (!ret) {
		ret = -EAGAIN;
		for (tries = 0; ret == -EAGAIN && tries < SIM_CS_MAX_TRIES;
		     tries++)
			ret = sim_cs_try(cs, seq);
		if (ret == -EAGAIN)
			ret = -EBUSY;
	}
	mutex_unlock(&cs->ctx->submit_lock);
	return ret;
}

static void sim_cs_free(struct sim_cs *cs)
{
	u32 i;

	for (i = 0; i < cs->n_chunks; i++)
		kvfree(cs->chunks[i].data);
	for (i = 0; i < cs->n_out; i++)
		drm_syncobj_put(cs->out[i]);
	kvfree(cs->out);
	sim_bo_list_put(cs->list);
	if (cs->user_bo)
		sim_bo_put(cs->user_bo);
	if (cs->ctx)
		sim_ctx_put(cs->ctx);
	kfree(cs);
}

/**
 * sim_ioctl_cs() - CS: submit an indirect buffer to an SDMA ring
 * @dev: the GPU
 * @data: union drm_amdgpu_cs
 * @file: the caller's
 *
 * Context: sleeps; waits for what the submission depends on.
 * Return: 0; -EINVAL for unknown chunks, no or more than one IB, an IB that is
 * not aligned, too long or for another kind of ring, no such context; -ENOENT
 * for no such list, buffer or syncobj; -EBUSY when user memory changes too
 * fast; what sim_userptr_validate() says; -EFAULT; -ENOMEM; -ERESTARTSYS.
 */
int sim_ioctl_cs(struct drm_device *dev, void *data, struct drm_file *file)
{
	union drm_amdgpu_cs *args = data;
	struct sim_file *f = to_sim_file(file);
	struct sim_cs *cs;
	u64 seq;
	int ret;

	cs = kzalloc(sizeof(*cs), GFP_KERNEL_ACCOUNT);
	if (!cs)
		return -ENOMEM;
	cs->dev = dev;
	cs->file = file;
	cs->ctx = sim_ctx_get(f, args->in.ctx_id);
	ret = cs->ctx ? sim_cs_load(cs, &args->in) : -EINVAL;
	if (!ret && args->in.bo_list_handle) {
		cs->list = sim_bo_list_get(f, args->in.bo_list_handle);
		if (!cs->list)
			ret = -ENOENT;
	}
	if (!ret)
		ret = sim_cs_parse(cs);
	if (!ret)
		ret = sim_cs_wait_chunks(cs);
	if (!ret)
		ret = sim_cs_submit(cs, &seq);
	sim_cs_free(cs);
	if (ret)
		return ret;
	memset(args, 0, sizeof(*args));
	args->out.handle = seq;
	return 0;
}
