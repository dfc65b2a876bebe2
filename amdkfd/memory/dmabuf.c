// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers as dma-bufs: out for a checkpoint, in from another process, and
 * what one is made of (floor 3).
 *
 * Interface 1.11 has no operation of /dev/kfd that exports; a process exports
 * through the render node.
 *
 * process->lock keeps the GPUs of the process, whose providers are asked.
 */
#include <linux/dma-buf.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "memory.h"

/* Metadata is a few words per buffer; more is a provider gone wrong. */
#define METADATA_MAX	(64u << 10)

/**
 * kfd_bo_export() - a dma-buf of a buffer
 * @bo: a VRAM or GTT buffer
 *
 * Context: process->lock held; sleeps.
 *
 * Return: the dma-buf's file with a reference for the caller, or an ERR_PTR:
 * EINVAL: a buffer of another kind; ENOMEM.
 */
struct file *kfd_bo_export(struct kfd_bo *bo)
{
	struct dma_buf *dmabuf;

	if (!(bo->alloc_flags & KFD_MEMORY_SHAREABLE))
		return ERR_PTR(-EINVAL);
	dmabuf = bo->pdd->dev->ops->bo_export(bo->gpu);
	return IS_ERR(dmabuf) ? ERR_CAST(dmabuf) : dmabuf->file;
}

/* An unknown fd and a file that is no dma-buf are the same wrong argument. */
static struct dma_buf *dmabuf_get(u32 fd)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);

	return IS_ERR(dmabuf) ? ERR_PTR(-EINVAL) : dmabuf;
}

/*
 * Ask the providers of the process's GPUs, each once. The GPU that owns the
 * memory has to be one of the process's.
 */
static struct kfd_process_device *
dmabuf_describe(struct kfd_process *p, struct dma_buf *dmabuf,
		struct kfd_gpu_bo_info *info, void *metadata, u32 metadata_len)
{
	const struct kfd_device_ops *asked = NULL;
	u32 i, j;

	for (i = 0; i < p->n_pdds; i++) {
		if (p->pdds[i]->dev->ops == asked)
			continue;
		asked = p->pdds[i]->dev->ops;
		memset(info, 0, sizeof(*info));
		if (asked->bo_info(dmabuf, info, metadata, metadata_len))
			continue;
		for (j = 0; j < p->n_pdds; j++)
			if (p->pdds[j]->dev == info->dev)
				return p->pdds[j];
		break;
	}
	return NULL;
}

/* Metadata go out whole or not at all. */
static int dmabuf_copy_metadata(struct kfd_process *p, struct dma_buf *dmabuf,
				const struct kfd_ioctl_get_dmabuf_info_args *args,
				u32 size)
{
	struct kfd_gpu_bo_info info;
	int ret = 0;
	void *buf;

	if (!size || !args->metadata_ptr || !args->metadata_size)
		return 0;
	if (args->metadata_size < size || size > METADATA_MAX)
		return -EINVAL;
	buf = kzalloc(size, GFP_KERNEL_ACCOUNT);
	if (!buf)
		return -ENOMEM;
	if (!dmabuf_describe(p, dmabuf, &info, buf, size))
		ret = -EINVAL;
	else if (copy_to_user(u64_to_user_ptr(args->metadata_ptr), buf, size))
		ret = -EFAULT;
	kfree(buf);
	return ret;
}

/**
 * kfd_ioctl_get_dmabuf_info() - what a dma-buf is made of
 * @filp: the kfd file
 * @p: the process
 * @data: struct kfd_ioctl_get_dmabuf_info_args
 *
 * Context: takes process->lock.
 *
 * Return: 0; EINVAL: not a dma-buf of a GPU that the process knows, or no
 * room for its metadata; EFAULT; ENOMEM.
 */
int kfd_ioctl_get_dmabuf_info(struct file *filp, struct kfd_process *p,
			      void *data)
{
	struct kfd_ioctl_get_dmabuf_info_args *args = data;
	struct kfd_process_device *pdd;
	struct kfd_gpu_bo_info info;
	struct dma_buf *dmabuf;
	int ret;

	dmabuf = dmabuf_get(args->dmabuf_fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	ret = kfd_process_lock(p);
	if (ret)
		goto out_put;
	pdd = dmabuf_describe(p, dmabuf, &info, NULL, 0);
	ret = pdd ? dmabuf_copy_metadata(p, dmabuf, args, info.metadata_size) :
		    -EINVAL;
	if (!ret) {
		args->size = info.size;
		args->metadata_size = info.metadata_size;
		args->gpu_id = pdd->user_gpu_id;
		args->flags = info.alloc_flags;
	}
	kfd_process_unlock(p);
out_put:
	dma_buf_put(dmabuf);
	return ret;
}

/**
 * kfd_ioctl_import_dmabuf() - a buffer of another process as one of ours
 * @filp: the kfd file
 * @p: the process
 * @data: struct kfd_ioctl_import_dmabuf_args
 *
 * Context: takes process->lock.
 *
 * Return: 0; EINVAL: no such GPU, not a dma-buf of its provider, or a GPU
 * address that no buffer of that size can have; ENODEV: the GPU has no VM;
 * else as kfd_bo_create().
 */
int kfd_ioctl_import_dmabuf(struct file *filp, struct kfd_process *p,
			    void *data)
{
	struct kfd_ioctl_import_dmabuf_args *args = data;
	struct kfd_bo_desc desc = { .va = args->va_addr };
	struct kfd_process_device *pdd;
	struct kfd_bo *bo;
	int ret;

	desc.dmabuf = dmabuf_get(args->dmabuf_fd);
	if (IS_ERR(desc.dmabuf))
		return PTR_ERR(desc.dmabuf);
	ret = kfd_process_lock(p);
	if (ret)
		goto out_put;
	ret = kfd_memory_bound_device(p, args->gpu_id, &pdd);
	if (!ret)
		ret = kfd_bo_create(pdd, &desc, &bo);
	if (!ret)
		args->handle = kfd_bo_handle(bo);
	kfd_process_unlock(p);
out_put:
	dma_buf_put(desc.dmabuf);
	return ret;
}
