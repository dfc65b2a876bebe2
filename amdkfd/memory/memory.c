// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory as a component of a process, and its ioctls (floor 3).
 *
 * Everything is protected by process->lock, which the handlers take.
 */
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "memory.h"

/**
 * kfd_memory_bound_device() - the GPU that an ioctl means, with its VM
 * @p: the process
 * @user_gpu_id: id that the process uses
 * @pdd: what it has there
 *
 * Context: process->lock held.
 *
 * Return: 0; EINVAL: no such GPU; ENODEV: no VM has been acquired on it.
 */
int kfd_memory_bound_device(struct kfd_process *p, u32 user_gpu_id,
			    struct kfd_process_device **pdd)
{
	*pdd = kfd_process_device_by_user_id(p, user_gpu_id);
	if (!*pdd)
		return -EINVAL;
	return (*pdd)->gpu_vm && kfd_memory_device(*pdd) ? 0 : -ENODEV;
}

/**
 * kfd_ioctl_available_memory() - VRAM that can still be allocated
 * @filp: the kfd file
 * @p: the process
 * @data: struct kfd_ioctl_get_available_memory_args
 *
 * Context: takes process->lock.
 *
 * Return: 0; EINVAL: no such GPU.
 */
int kfd_ioctl_available_memory(struct file *filp, struct kfd_process *p,
			       void *data)
{
	struct kfd_ioctl_get_available_memory_args *args = data;
	struct kfd_process_device *pdd;
	int ret;

	ret = kfd_process_lock(p);
	if (ret)
		return ret;
	pdd = kfd_process_device_by_user_id(p, args->gpu_id);
	if (pdd)
		args->available = pdd->dev->ops->vram_available(pdd->dev->gpu);
	kfd_process_unlock(p);
	return pdd ? 0 : -EINVAL;
}

static int memory_alloc(struct kfd_process *p,
			struct kfd_ioctl_alloc_memory_of_gpu_args *args,
			struct kfd_look *look)
{
	const struct kfd_bo_desc desc = {
		.va = args->va_addr,
		.size = args->size,
		.user_addr = args->mmap_offset,
		.alloc_flags = args->flags,
		.look = look,
	};
	struct kfd_process_device *pdd;
	struct kfd_bo *bo;
	int ret;

	ret = kfd_process_lock(p);
	if (ret)
		return ret;
	ret = kfd_memory_bound_device(p, args->gpu_id, &pdd);
	if (!ret)
		ret = kfd_bo_create(pdd, &desc, &bo);
	if (!ret) {
		args->handle = kfd_bo_handle(bo);
		if (!bo->userptr)
			args->mmap_offset = bo->mmap_offset;
	}
	kfd_process_unlock(p);
	return ret;
}

/**
 * kfd_ioctl_alloc_memory_of_gpu() - make a buffer
 * @filp: the kfd file
 * @p: the process
 * @data: struct kfd_ioctl_alloc_memory_of_gpu_args
 *
 * Where there is no memory left, waits for that of processes that are ending.
 *
 * Context: takes process->lock; see kfd_gpu_retry().
 *
 * Return: 0; ENODEV: ACQUIRE_VM has not been done; EINTR: killed; else as
 * kfd_bo_create().
 */
int kfd_ioctl_alloc_memory_of_gpu(struct file *filp, struct kfd_process *p,
				  void *data)
{
	struct kfd_gpu_retry retry;
	struct kfd_look look = {};
	int ret;

	kfd_gpu_retry_begin(&retry);
	do {
		ret = memory_alloc(p, data, &look);
	} while (kfd_look_again(&p->mirrors, &look, &ret) ||
		 kfd_gpu_retry(&retry, &ret));
	return ret;
}

/**
 * kfd_ioctl_free_memory_of_gpu() - free a buffer
 * @filp: the kfd file
 * @p: the process
 * @data: struct kfd_ioctl_free_memory_of_gpu_args
 *
 * Context: takes process->lock.
 *
 * Return: 0; EINVAL: no such buffer; EBUSY: it is mapped on a GPU, or is the
 * event page.
 */
int kfd_ioctl_free_memory_of_gpu(struct file *filp, struct kfd_process *p,
				 void *data)
{
	const struct kfd_ioctl_free_memory_of_gpu_args *args = data;
	struct kfd_bo *bo;
	int ret;

	ret = kfd_process_lock(p);
	if (ret)
		return ret;
	bo = kfd_bo_lookup(p, args->handle);
	if (!bo)
		ret = -EINVAL;
	else if (bo->vaddr || !list_empty(&bo->mappings))
		ret = -EBUSY;
	else
		kfd_bo_destroy(bo);
	kfd_process_unlock(p);
	return ret;
}

/* Fetch the array of GPU ids of MAP and UNMAP. */
static int memory_get_ids(u32 *ids, u64 ptr, u32 n_devices, u32 n_success)
{
	if (!n_devices || n_devices > KFD_MAX_GPUS || n_success > n_devices)
		return -EINVAL;
	if (copy_from_user(ids, u64_to_user_ptr(ptr), n_devices * sizeof(*ids)))
		return -EFAULT;
	return 0;
}

static int memory_map_on(struct kfd_process *p, struct kfd_bo *bo, u32 gpu_id,
			 struct kfd_look *look)
{
	struct kfd_process_device *pdd;
	int ret;

	ret = kfd_memory_bound_device(p, gpu_id, &pdd);
	return ret ? ret : kfd_bo_map(bo, pdd, look);
}

static int memory_unmap_from(struct kfd_process *p, struct kfd_bo *bo,
			     u32 gpu_id)
{
	struct kfd_process_device *pdd;

	pdd = kfd_process_device_by_user_id(p, gpu_id);
	return pdd ? kfd_bo_unmap(bo, pdd) : -EINVAL;
}

/* MAP and (@look NULL) UNMAP: from the *@done-th GPU on, counting up *@done. */
static int memory_map_ids(struct kfd_process *p, u64 handle, const u32 *ids,
			  u32 n, u32 *done, struct kfd_look *look)
{
	struct kfd_bo *bo;
	int ret;

	ret = kfd_process_lock(p);
	if (ret)
		return ret;
	bo = kfd_bo_lookup(p, handle);
	if (!bo)
		ret = -EINVAL;
	while (!ret && *done < n) {
		ret = look ? memory_map_on(p, bo, ids[*done], look) :
			     memory_unmap_from(p, bo, ids[*done]);
		if (!ret)
			(*done)++;
	}
	kfd_process_unlock(p);
	return ret;
}

/**
 * kfd_ioctl_map_memory_to_gpu() - map a buffer on GPUs
 * @filp: the kfd file
 * @p: the process
 * @data: struct kfd_ioctl_map_memory_to_gpu_args; n_success is to be copied
 *	back on error too
 *
 * Context: takes process->lock.
 *
 * Return: 0; EINVAL: a count is wrong, no such buffer or GPU; ENODEV: a GPU
 * has no VM; EFAULT: the array can't be read; else as kfd_bo_map().
 */
int kfd_ioctl_map_memory_to_gpu(struct file *filp, struct kfd_process *p,
				void *data)
{
	struct kfd_ioctl_map_memory_to_gpu_args *args = data;
	struct kfd_look look = {};
	u32 ids[KFD_MAX_GPUS];
	int ret;

	ret = memory_get_ids(ids, args->device_ids_array_ptr, args->n_devices,
			     args->n_success);
	if (ret)
		return ret;
	do {
		ret = memory_map_ids(p, args->handle, ids, args->n_devices,
				     &args->n_success, &look);
	} while (kfd_look_again(&p->mirrors, &look, &ret));
	return ret;
}

/**
 * kfd_ioctl_unmap_memory_from_gpu() - take a buffer off GPUs
 * @filp: the kfd file
 * @p: the process
 * @data: struct kfd_ioctl_unmap_memory_from_gpu_args; n_success is to be
 *	copied back on error too
 *
 * Context: takes process->lock.
 *
 * Return: 0; EINVAL: a count is wrong, no such buffer or GPU, or it is not
 * mapped there; EFAULT: the array can't be read; EBUSY: a queue needs it.
 */
int kfd_ioctl_unmap_memory_from_gpu(struct file *filp, struct kfd_process *p,
				    void *data)
{
	struct kfd_ioctl_unmap_memory_from_gpu_args *args = data;
	u32 ids[KFD_MAX_GPUS];
	int ret;

	ret = memory_get_ids(ids, args->device_ids_array_ptr, args->n_devices,
			     args->n_success);
	if (ret)
		return ret;
	return memory_map_ids(p, args->handle, ids, args->n_devices,
			      &args->n_success, NULL);
}

static int memory_vmap(struct kfd_process *p, u64 handle, u64 min_size,
		       void **vaddr, void **cookie)
{
	struct kfd_bo *bo = kfd_bo_lookup(p, handle);
	void *addr;

	if (!bo || !(bo->alloc_flags & KFD_MEMORY_SHAREABLE) ||
	    bo->mem_size < min_size)
		return -EINVAL;
	if (bo->vaddr)
		return -EBUSY;
	addr = bo->pdd->dev->ops->bo_vmap(bo->gpu);
	if (IS_ERR(addr))
		return PTR_ERR(addr);
	bo->vaddr = addr;
	*vaddr = addr;
	*cookie = bo;
	return 0;
}

static void memory_vunmap(struct kfd_process *p, void *cookie)
{
	struct kfd_bo *bo = cookie;

	lockdep_assert_held(&p->lock);
	bo->pdd->dev->ops->bo_vunmap(bo->gpu, bo->vaddr);
	bo->vaddr = NULL;
}

static const struct kfd_bo_vmap_ops memory_vmap_ops = {
	.vmap = memory_vmap,
	.vunmap = memory_vunmap,
};

static int memory_process_init(struct kfd_process *p)
{
	struct kfd_memory *memory;

	memory = kzalloc(sizeof(*memory), GFP_KERNEL_ACCOUNT);
	if (!memory)
		return -ENOMEM;
	memory->process = p;
	kfd_state(p, KFD_COMPONENT_MEMORY) = memory;
	return 0;
}

static void memory_process_fini(struct kfd_process *p)
{
	kfree(kfd_memory(p));
	kfd_state(p, KFD_COMPONENT_MEMORY) = NULL;
}

static int memory_device_init(struct kfd_process_device *pdd)
{
	struct kfd_memory_device *md;

	md = kmalloc(sizeof(*md), GFP_KERNEL_ACCOUNT);
	if (!md)
		return -ENOMEM;
	xa_init_flags(&md->bos, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
	md->by_va = RB_ROOT_CACHED;
	kfd_state(pdd, KFD_COMPONENT_MEMORY) = md;
	return 0;
}

static void memory_device_fini(struct kfd_process_device *pdd)
{
	struct kfd_memory_device *md = kfd_memory_device(pdd);

	if (!md)
		return;
	/* One may be mapped on any GPU: all buffers go with the first. */
	kfd_memory_free_all(pdd->process);
	xa_destroy(&md->bos);
	kfree(md);
	kfd_state(pdd, KFD_COMPONENT_MEMORY) = NULL;
}

static const struct kfd_component_ops memory_component_ops = {
	.process_init = memory_process_init,
	.process_fini = memory_process_fini,
	.device_init = memory_device_init,
	.device_fini = memory_device_fini,
};

/**
 * kfd_memory_init() - offer memory to processes
 *
 * Context: module init, before any process exists.
 */
void kfd_memory_init(void)
{
	kfd_process_register_component(KFD_COMPONENT_MEMORY,
				       &memory_component_ops);
	kfd_process_register_bo_ops(&memory_vmap_ops);
}
