// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers through the DRM node: making, mapping, describing, waiting.
 *
 * Arguments are checked before anything is looked up, so that what a kernel
 * does not know gives -EINVAL whatever else is in the arguments.
 */
#include <linux/dma-resv.h>
#include <linux/kfd_ioctl.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <drm/drm_gem.h>

#include "drm_node.h"
#include "memory.h"

#define SIM_GEM_FLAGS	(AMDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED | \
			 AMDGPU_GEM_CREATE_NO_CPU_ACCESS | \
			 AMDGPU_GEM_CREATE_CPU_GTT_USWC | \
			 AMDGPU_GEM_CREATE_VRAM_CLEARED | \
			 AMDGPU_GEM_CREATE_VM_ALWAYS_VALID | \
			 AMDGPU_GEM_CREATE_EXPLICIT_SYNC | \
			 AMDGPU_GEM_CREATE_VRAM_WIPE_ON_RELEASE | \
			 AMDGPU_GEM_CREATE_PREEMPTIBLE)

#define SIM_GEM_SYSTEM	(AMDGPU_GEM_DOMAIN_GTT | AMDGPU_GEM_DOMAIN_CPU)
#define SIM_GEM_DOMAINS	(AMDGPU_GEM_DOMAIN_VRAM | SIM_GEM_SYSTEM)

#define SIM_USERPTR_FLAGS (AMDGPU_GEM_USERPTR_READONLY | \
			   AMDGPU_GEM_USERPTR_ANONONLY | \
			   AMDGPU_GEM_USERPTR_VALIDATE | \
			   AMDGPU_GEM_USERPTR_REGISTER)

#define SIM_VA_FLAGS	(AMDGPU_VM_DELAY_UPDATE | AMDGPU_VM_PAGE_READABLE | \
			 AMDGPU_VM_PAGE_WRITEABLE | \
			 AMDGPU_VM_PAGE_EXECUTABLE | AMDGPU_VM_MTYPE_MASK | \
			 AMDGPU_VM_PAGE_NOALLOC)

static_assert(sizeof_field(struct drm_amdgpu_gem_metadata, data.data) ==
	      SIM_METADATA_MAX);

static struct sim_bo *sim_bo_lookup(struct drm_file *file, u32 handle)
{
	struct drm_gem_object *obj = drm_gem_object_lookup(file, handle);

	return obj ? to_sim_bo(obj) : NULL;
}

/* The handle takes over the caller's reference. */
static int sim_bo_handle(struct drm_file *file, struct sim_bo *bo, u32 *handle)
{
	int ret = drm_gem_handle_create(file, &bo->base, handle);

	sim_bo_put(bo);
	return ret;
}

static struct sim_bo *sim_gem_make(struct sim_gpu *gpu,
				   const struct drm_amdgpu_gem_create_in *in)
{
	const u32 access = KFD_IOC_ALLOC_MEM_FLAGS_WRITABLE |
			   KFD_IOC_ALLOC_MEM_FLAGS_PUBLIC;
	struct sim_bo *bo = ERR_PTR(-ENOMEM);

	if (in->domains & AMDGPU_GEM_DOMAIN_VRAM)
		bo = sim_bo_create(gpu, SIM_BO_VRAM, in->bo_size,
				   KFD_IOC_ALLOC_MEM_FLAGS_VRAM | access);
	if (bo == ERR_PTR(-ENOMEM) && (in->domains & SIM_GEM_SYSTEM))
		bo = sim_bo_create(gpu, SIM_BO_GTT, in->bo_size,
				   KFD_IOC_ALLOC_MEM_FLAGS_GTT | access);
	return bo;
}

/**
 * sim_ioctl_gem_create() - GEM_CREATE: a buffer in VRAM or GTT
 * @dev: the GPU
 * @data: union drm_amdgpu_gem_create
 * @file: the caller's
 *
 * Where both domains are asked for, GTT is taken when VRAM is used up. Where
 * there is none of either, that of processes that are ending is waited for. Who
 * asks for VRAM alone gets GTT after that, too, as mainline does.
 *
 * Context: sleeps; see kfd_gpu_retry().
 * Return: 0; -EINVAL for unknown flags or domains, or a size of 0 or too
 * large; -ENOMEM; -EINTR.
 */
int sim_ioctl_gem_create(struct drm_device *dev, void *data,
			 struct drm_file *file)
{
	union drm_amdgpu_gem_create *args = data;
	struct drm_amdgpu_gem_create_in in = args->in;
	struct kfd_gpu_retry retry;
	struct sim_bo *bo;
	u32 handle;
	int ret;

	if ((in.domain_flags & ~(u64)SIM_GEM_FLAGS) || !in.domains ||
	    (in.domains & ~(u64)SIM_GEM_DOMAINS) ||
	    (in.alignment && !is_power_of_2(in.alignment)) ||
	    !in.bo_size || in.bo_size > SIM_BO_MAX_SIZE)
		return -EINVAL;

	in.bo_size = PAGE_ALIGN(in.bo_size);
	kfd_gpu_retry_begin(&retry);
	do {
		bo = sim_gem_make(to_sim_gpu(dev), &in);
		ret = PTR_ERR_OR_ZERO(bo);
	} while (kfd_gpu_retry(&retry, &ret));
	if (ret == -ENOMEM && in.domains == AMDGPU_GEM_DOMAIN_VRAM) {
		in.domains |= AMDGPU_GEM_DOMAIN_GTT;
		bo = sim_gem_make(to_sim_gpu(dev), &in);
		ret = PTR_ERR_OR_ZERO(bo);
	}
	if (ret)
		return ret;
	bo->gem_flags = in.domain_flags;
	bo->domains = in.domains;
	ret = sim_bo_handle(file, bo, &handle);
	if (ret)
		return ret;
	memset(args, 0, sizeof(*args));
	args->out.handle = handle;
	return 0;
}

/**
 * sim_ioctl_gem_mmap() - GEM_MMAP: where to mmap a buffer
 * @dev: the GPU
 * @data: union drm_amdgpu_gem_mmap
 * @file: the caller's
 *
 * Context: sleeps.
 * Return: 0; -ENOENT for no such handle; -EPERM for a userptr and for a
 * buffer made with NO_CPU_ACCESS.
 */
int sim_ioctl_gem_mmap(struct drm_device *dev, void *data,
		       struct drm_file *file)
{
	union drm_amdgpu_gem_mmap *args = data;
	struct sim_bo *bo = sim_bo_lookup(file, args->in.handle);
	int ret = 0;

	if (!bo)
		return -ENOENT;
	if (bo->kind == SIM_BO_USERPTR ||
	    (bo->gem_flags & AMDGPU_GEM_CREATE_NO_CPU_ACCESS))
		ret = -EPERM;
	else
		args->out.addr_ptr =
			drm_vma_node_offset_addr(&bo->base.vma_node);
	sim_bo_put(bo);
	return ret;
}

/**
 * sim_ioctl_gem_userptr() - GEM_USERPTR: a buffer over the caller's memory
 * @dev: the GPU
 * @data: struct drm_amdgpu_gem_userptr
 * @file: the caller's
 *
 * Context: sleeps; takes mmap_lock.
 * Return: 0; -EINVAL for unknown flags or a range that is not page-aligned,
 * empty, too large or not in user space; -EACCES when it is to be written and
 * REGISTER is missing; and with VALIDATE what sim_userptr_validate() says.
 */
int sim_ioctl_gem_userptr(struct drm_device *dev, void *data,
			  struct drm_file *file)
{
	struct drm_amdgpu_gem_userptr *args = data;
	struct sim_bo *bo;
	int ret;

	if (args->flags & ~SIM_USERPTR_FLAGS)
		return -EINVAL;
	if (!(args->flags & AMDGPU_GEM_USERPTR_READONLY) &&
	    !(args->flags & AMDGPU_GEM_USERPTR_REGISTER))
		return -EACCES;

	bo = sim_bo_create(to_sim_gpu(dev), SIM_BO_USERPTR, args->size,
			   KFD_IOC_ALLOC_MEM_FLAGS_USERPTR |
			   KFD_IOC_ALLOC_MEM_FLAGS_WRITABLE);
	if (IS_ERR(bo))
		return PTR_ERR(bo);
	ret = sim_userptr_init(bo, args->addr, args->flags);
	if (!ret && (args->flags & AMDGPU_GEM_USERPTR_VALIDATE))
		ret = sim_userptr_validate(bo);
	if (ret) {
		sim_bo_put(bo);
		return ret;
	}
	return sim_bo_handle(file, bo, &args->handle);
}

static int sim_metadata_set(struct sim_bo *bo,
			    const struct drm_amdgpu_gem_metadata *args)
{
	struct sim_metadata *meta;

	meta = kzalloc(sizeof(*meta), GFP_KERNEL_ACCOUNT);
	if (!meta)
		return -ENOMEM;
	meta->flags = args->data.flags;
	meta->tiling = args->data.tiling_info;
	meta->size = args->data.data_size_bytes;
	memcpy(meta->data, args->data.data, meta->size);

	mutex_lock(&bo->metadata_lock);
	swap(bo->metadata, meta);
	mutex_unlock(&bo->metadata_lock);
	kfree(meta);
	return 0;
}

static void sim_metadata_get(struct sim_bo *bo,
			     struct drm_amdgpu_gem_metadata *args)
{
	memset(&args->data, 0, sizeof(args->data));
	mutex_lock(&bo->metadata_lock);
	if (bo->metadata) {
		args->data.flags = bo->metadata->flags;
		args->data.tiling_info = bo->metadata->tiling;
		args->data.data_size_bytes = bo->metadata->size;
		memcpy(args->data.data, bo->metadata->data,
		       bo->metadata->size);
	}
	mutex_unlock(&bo->metadata_lock);
}

/**
 * sim_ioctl_gem_metadata() - GEM_METADATA: attach data to a buffer, or read it
 * @dev: the GPU
 * @data: struct drm_amdgpu_gem_metadata
 * @file: the caller's
 *
 * Context: sleeps.
 * Return: 0; -EINVAL for an unknown operation or more data than there is room
 * for; -ENOENT for no such handle; -ENOMEM.
 */
int sim_ioctl_gem_metadata(struct drm_device *dev, void *data,
			   struct drm_file *file)
{
	struct drm_amdgpu_gem_metadata *args = data;
	struct sim_bo *bo;
	int ret = 0;

	if (args->op != AMDGPU_GEM_METADATA_OP_GET_METADATA &&
	    (args->op != AMDGPU_GEM_METADATA_OP_SET_METADATA ||
	     args->data.data_size_bytes > SIM_METADATA_MAX))
		return -EINVAL;
	bo = sim_bo_lookup(file, args->handle);
	if (!bo)
		return -ENOENT;
	if (args->op == AMDGPU_GEM_METADATA_OP_SET_METADATA)
		ret = sim_metadata_set(bo, args);
	else
		sim_metadata_get(bo, args);
	sim_bo_put(bo);
	return ret;
}

/**
 * sim_ioctl_gem_wait_idle() - GEM_WAIT_IDLE: wait for a buffer's jobs
 * @dev: the GPU
 * @data: union drm_amdgpu_gem_wait_idle
 * @file: the caller's
 *
 * Context: sleeps.
 * Return: 0 (status 1: still busy when the time was over); -ENOENT for no such
 * handle; -ERESTARTSYS.
 */
int sim_ioctl_gem_wait_idle(struct drm_device *dev, void *data,
			    struct drm_file *file)
{
	union drm_amdgpu_gem_wait_idle *args = data;
	struct sim_bo *bo = sim_bo_lookup(file, args->in.handle);
	bool vram;
	long left;

	if (!bo)
		return -ENOENT;
	left = dma_resv_wait_timeout(bo->base.resv, DMA_RESV_USAGE_READ, true,
				     sim_timeout_jiffies(args->in.timeout));
	vram = bo->kind == SIM_BO_VRAM;
	sim_bo_put(bo);
	if (left < 0)
		return left;
	memset(args, 0, sizeof(*args));
	args->out.status = left == 0;
	args->out.domain = vram ? AMDGPU_GEM_DOMAIN_VRAM :
				  AMDGPU_GEM_DOMAIN_GTT;
	return 0;
}

static int sim_gem_create_info(struct sim_bo *bo, u64 ptr)
{
	struct drm_amdgpu_gem_create_in info = {
		.bo_size = bo->base.size,
		.alignment = PAGE_SIZE,
		.domain_flags = bo->gem_flags,
	};

	mutex_lock(&bo->metadata_lock);
	info.domains = bo->domains;
	mutex_unlock(&bo->metadata_lock);
	return copy_to_user(u64_to_user_ptr(ptr), &info, sizeof(info)) ?
	       -EFAULT : 0;
}

/* Memory does not move here: the wish is noted and shown, no more. */
static int sim_gem_set_placement(struct sim_bo *bo, u64 domains)
{
	if (!domains || (domains & ~(u64)SIM_GEM_DOMAINS))
		return -EINVAL;
	if (bo->kind == SIM_BO_USERPTR)
		return -EPERM;
	mutex_lock(&bo->metadata_lock);
	bo->domains = domains;
	mutex_unlock(&bo->metadata_lock);
	return 0;
}

/**
 * sim_ioctl_gem_op() - GEM_OP: how a buffer was made, where it should be
 * @dev: the GPU
 * @data: struct drm_amdgpu_gem_op
 * @file: the caller's
 *
 * Context: sleeps.
 * Return: 0; -EINVAL for an unknown operation or domain; -ENOENT for no such
 * handle; -EPERM for a placement of a userptr; -EFAULT.
 */
int sim_ioctl_gem_op(struct drm_device *dev, void *data, struct drm_file *file)
{
	struct drm_amdgpu_gem_op *args = data;
	struct sim_bo *bo;
	int ret;

	if (args->op != AMDGPU_GEM_OP_GET_GEM_CREATE_INFO &&
	    args->op != AMDGPU_GEM_OP_SET_PLACEMENT)
		return -EINVAL;
	bo = sim_bo_lookup(file, args->handle);
	if (!bo)
		return -ENOENT;
	if (args->op == AMDGPU_GEM_OP_GET_GEM_CREATE_INFO)
		ret = sim_gem_create_info(bo, args->value);
	else
		ret = sim_gem_set_placement(bo, args->value);
	sim_bo_put(bo);
	return ret;
}

static int sim_gem_va_map(struct sim_vm *vm, struct sim_bo *bo,
			  const struct drm_amdgpu_gem_va *args)
{
	struct sim_vm_bo *vm_bo;
	u32 flags = 0;
	int ret;

	if (args->flags & (AMDGPU_VM_PAGE_READABLE | AMDGPU_VM_PAGE_EXECUTABLE))
		flags |= SIM_MAP_READ;
	if (args->flags & AMDGPU_VM_PAGE_WRITEABLE)
		flags |= SIM_MAP_WRITE;

	mutex_lock(&bo->vm_bos_lock);
	vm_bo = sim_vm_bo_find(bo, vm);
	/* another thread may have closed the handle by now */
	ret = vm_bo ? sim_vm_map(vm, bo, vm_bo, args->va_address,
				 args->offset_in_bo, args->map_size, flags,
				 args->operation == AMDGPU_VA_OP_REPLACE) :
		      -ENOENT;
	mutex_unlock(&bo->vm_bos_lock);
	return ret;
}

/**
 * sim_ioctl_gem_va() - GEM_VA: change what is mapped where
 * @dev: the GPU
 * @data: struct drm_amdgpu_gem_va
 * @file: the caller's
 *
 * Changes are in effect when it returns. UNMAP goes by the start address
 * alone, and lets the file's jobs on the buffer finish first; CLEAR and REPLACE
 * do not wait. Mappings that the driver made can't be touched.
 *
 * Context: sleeps.
 * Return: 0; -EINVAL for an unknown operation or flag, or a range that is not
 * aligned, not addressable, not inside the buffer or not free; -ENOENT for no
 * such handle or mapping; -ENOSPC for too many mappings; -ENOMEM;
 * -ERESTARTSYS.
 */
int sim_ioctl_gem_va(struct drm_device *dev, void *data, struct drm_file *file)
{
	struct drm_amdgpu_gem_va *args = data;
	struct sim_vm *vm = sim_file_vm(file);
	struct sim_bo *bo;
	int ret;

	if (args->flags & ~SIM_VA_FLAGS)
		return -EINVAL;
	switch (args->operation) {
	case AMDGPU_VA_OP_CLEAR:
		return sim_vm_clear(vm, args->va_address, args->map_size);
	case AMDGPU_VA_OP_MAP:
	case AMDGPU_VA_OP_UNMAP:
	case AMDGPU_VA_OP_REPLACE:
		break;
	default:
		return -EINVAL;
	}

	bo = sim_bo_lookup(file, args->handle);
	if (!bo)
		return -ENOENT;
	if (args->operation == AMDGPU_VA_OP_UNMAP) {
		ret = sim_bo_wait_own(bo, vm);
		if (!ret)
			ret = sim_vm_unmap(vm, bo, args->va_address, 0);
	} else {
		ret = sim_gem_va_map(vm, bo, args);
	}
	sim_bo_put(bo);
	return ret;
}
