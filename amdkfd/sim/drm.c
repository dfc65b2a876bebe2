// SPDX-License-Identifier: GPL-2.0-only
/*
 * The DRM driver of a simulated GPU and its files.
 *
 * It calls itself "amdgpu": that is what libdrm_amdgpu, ROCm and CRIU's plugin
 * look for. An ioctl that is not in the table gives -EINVAL (the DRM core's
 * doing), which is what newer tools take for "not supported".
 */
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/slab.h>

#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_ioctl.h>
#include <drm/drm_prime.h>
#include <drm/drm_vma_manager.h>

#include "compat/compat.h"

#include "drm_node.h"
#include "memory.h"

#define SIM_DRM_MAJOR	3
#define SIM_DRM_MINOR	49

#define SIM_IOCTL_DEF(name, func) \
	DRM_IOCTL_DEF_DRV(AMDGPU_##name, func, DRM_AUTH | DRM_RENDER_ALLOW)

static const struct drm_ioctl_desc sim_ioctls[] = {
	SIM_IOCTL_DEF(GEM_CREATE, sim_ioctl_gem_create),
	SIM_IOCTL_DEF(GEM_MMAP, sim_ioctl_gem_mmap),
	SIM_IOCTL_DEF(CTX, sim_ioctl_ctx),
	SIM_IOCTL_DEF(BO_LIST, sim_ioctl_bo_list),
	SIM_IOCTL_DEF(CS, sim_ioctl_cs),
	SIM_IOCTL_DEF(INFO, sim_ioctl_info),
	SIM_IOCTL_DEF(GEM_METADATA, sim_ioctl_gem_metadata),
	SIM_IOCTL_DEF(GEM_WAIT_IDLE, sim_ioctl_gem_wait_idle),
	SIM_IOCTL_DEF(GEM_VA, sim_ioctl_gem_va),
	SIM_IOCTL_DEF(WAIT_CS, sim_ioctl_wait_cs),
	SIM_IOCTL_DEF(GEM_OP, sim_ioctl_gem_op),
	SIM_IOCTL_DEF(GEM_USERPTR, sim_ioctl_gem_userptr),
	SIM_IOCTL_DEF(WAIT_FENCES, sim_ioctl_wait_fences),
	SIM_IOCTL_DEF(VM, sim_ioctl_vm),
	SIM_IOCTL_DEF(FENCE_TO_HANDLE, sim_ioctl_fence_to_handle),
};

static int sim_drm_open(struct drm_device *dev, struct drm_file *file)
{
	struct sim_file *f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);

	if (!f)
		return -ENOMEM;
	f->vm = sim_vm_create(to_sim_gpu(dev), file);
	if (IS_ERR(f->vm)) {
		int ret = PTR_ERR(f->vm);

		kfree(f);
		return ret;
	}
	xa_init_flags(&f->ctxs, XA_FLAGS_ALLOC1);
	xa_init_flags(&f->lists, XA_FLAGS_ALLOC1);
	file->driver_priv = f;
	return 0;
}

/* All handles are closed by now; jobs under way lose their mappings. */
static void sim_drm_postclose(struct drm_device *dev, struct drm_file *file)
{
	struct sim_file *f = to_sim_file(file);

	sim_ctx_close(f);
	sim_bo_list_close(f);
	sim_vm_close(f->vm);
	kfree(f);
}

/*
 * As drm_gem_mmap(), and also a part of a buffer that begins behind its start:
 * what is left when a program has unmapped or protected a part of its mapping
 * has to be mapped again, piece by piece, when the program is restored.
 */
static int sim_drm_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct drm_file *drm_file = file->private_data;
	struct drm_device *dev = drm_file->minor->dev;
	struct drm_gem_object *obj = NULL;
	struct drm_vma_offset_node *node;
	unsigned long skipped = 0;
	int ret = -EACCES;

	if (drm_dev_is_unplugged(dev))
		return -ENODEV;
	drm_vma_offset_lock_lookup(dev->vma_offset_manager);
	/* finds nothing when the mapping would not end inside the buffer */
	node = drm_vma_offset_lookup_locked(dev->vma_offset_manager,
					    vma->vm_pgoff, vma_pages(vma));
	if (node) {
		obj = container_of(node, struct drm_gem_object, vma_node);
		skipped = vma->vm_pgoff - drm_vma_node_start(node);
		/* it may be about to be freed */
		if (!kref_get_unless_zero(&obj->refcount))
			obj = NULL;
	}
	drm_vma_offset_unlock_lookup(dev->vma_offset_manager);
	if (!obj)
		return -EINVAL;
	if (drm_vma_node_is_allowed(&obj->vma_node, drm_file))
		ret = drm_gem_mmap_obj(obj, obj->size - (skipped << PAGE_SHIFT),
				       vma);
	drm_gem_object_put(obj);
	return ret;
}

static const struct file_operations sim_drm_fops = {
	.owner = THIS_MODULE,
	.open = drm_open,
	.release = drm_release,
	.unlocked_ioctl = drm_ioctl,
	.compat_ioctl = drm_compat_ioctl,
	.poll = drm_poll,
	.read = drm_read,
	.llseek = noop_llseek,
	.mmap = sim_drm_mmap,
	.show_fdinfo = sim_drm_show_fdinfo,
	KFD_COMPAT_FOPS_UNSIGNED_OFFSET
};

/**
 * sim_is_drm_file() - whether a file is a DRM node of a simulated GPU
 * @file: any file
 *
 * Context: any.
 * Return: true when its private data is a struct drm_file of ours.
 */
bool sim_is_drm_file(struct file *file)
{
	return file->f_op == &sim_drm_fops;
}

/**
 * sim_file_vm() - the address space of a DRM file
 * @file: of a simulated GPU
 *
 * Context: any.
 * Return: the VM, without a reference: it lives as long as the file.
 */
struct sim_vm *sim_file_vm(struct drm_file *file)
{
	return to_sim_file(file)->vm;
}

/**
 * sim_timeout_jiffies() - what an ioctl's timeout means
 * @timeout_ns: absolute, CLOCK_MONOTONIC, ns; negative as s64: for ever
 *
 * Context: any.
 * Return: jiffies from now, 0 when it is over already.
 */
long sim_timeout_jiffies(u64 timeout_ns)
{
	s64 left;

	if ((s64)timeout_ns < 0)
		return MAX_SCHEDULE_TIMEOUT;
	left = timeout_ns - ktime_get_ns();
	if (left <= 0)
		return 0;
	return min_t(u64, nsecs_to_jiffies64(left) + 1,
		     MAX_SCHEDULE_TIMEOUT - 1);
}

static int sim_prime_handle_to_fd(struct drm_device *dev, struct drm_file *file,
				  u32 handle, u32 flags, int *prime_fd)
{
	int ret = drm_gem_prime_handle_to_fd(dev, file, handle, flags, prime_fd);

	if (!ret)
		sim_bo_note_prime(file, handle);
	return ret;
}

static int sim_prime_fd_to_handle(struct drm_device *dev, struct drm_file *file,
				  int prime_fd, u32 *handle)
{
	int ret = drm_gem_prime_fd_to_handle(dev, file, prime_fd, handle);

	if (!ret)
		sim_bo_note_prime(file, *handle);
	return ret;
}

const struct drm_driver sim_drm_driver = {
	.driver_features = DRIVER_GEM | DRIVER_RENDER | DRIVER_SYNCOBJ,
	.open = sim_drm_open,
	.postclose = sim_drm_postclose,
	.ioctls = sim_ioctls,
	.num_ioctls = ARRAY_SIZE(sim_ioctls),
	.fops = &sim_drm_fops,
	.prime_handle_to_fd = sim_prime_handle_to_fd,
	.prime_fd_to_handle = sim_prime_fd_to_handle,
	.gem_prime_import = sim_gem_prime_import,
	.name = "amdgpu",
	.desc = "Simulated AMD GPU",
	KFD_COMPAT_DRM_DRIVER_DATE("20240101")
	.major = SIM_DRM_MAJOR,
	.minor = SIM_DRM_MINOR,
};
