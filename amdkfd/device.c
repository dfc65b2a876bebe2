// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registered GPUs (floor 1): registration, gpu_ids, references.
 *
 * kfd_registration_lock serialises registering and unregistering, the calls of
 * the listener (topology.c) included; kfd_devices_lock, taken inside it,
 * protects the table and kfd_device.gone, and nothing is called under it but
 * reference counting.
 *
 * A process that opens /dev/kfd binds to all GPUs of that moment for as long
 * as it lives. A binding is a reference on the GPU, which unregistering waits
 * for, and one on the provider's module, so that rmmod fails instead of
 * waiting. What remains to wait for is a provider that unbinds a device while
 * its module stays.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/device.h>
#include <linux/device_cgroup.h>
#include <linux/err.h>
#include <linux/jhash.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <drm/drm_ioctl.h>

#include "kfd_device.h"

#define KFD_DRM_RENDER_MINOR_FIRST	128
#define KFD_DRM_RENDER_MINOR_LAST	191

static DEFINE_MUTEX(kfd_registration_lock);
static DEFINE_MUTEX(kfd_devices_lock);
static struct kfd_device *kfd_devices[KFD_MAX_GPUS];
static u32 kfd_num_devices;
static const struct kfd_device_listener *kfd_listener;

/**
 * kfd_device_set_listener() - who is told of GPUs that come and go
 * @listener: static table, or NULL
 *
 * Context: sleeps; module init and exit, while no GPU is registered.
 */
void kfd_device_set_listener(const struct kfd_device_listener *listener)
{
	mutex_lock(&kfd_registration_lock);
	kfd_listener = listener;
	mutex_unlock(&kfd_registration_lock);
}

static struct kfd_device *kfd_device_find_locked(u32 gpu_id)
{
	u32 i;

	lockdep_assert_held(&kfd_devices_lock);
	for (i = 0; i < kfd_num_devices; i++)
		if (kfd_devices[i]->id == gpu_id)
			return kfd_devices[i];
	return NULL;
}

/*
 * The same GPU in the same place has the same id after a reboot or a reload,
 * so that an image fits without translation. GPUs whose hashes collide get the
 * next free id.
 */
static u32 kfd_device_make_id(const struct kfd_device_info *info)
{
	const u32 key[] = {
		info->gfx_target_version,
		info->vendor_id,
		info->device_id,
		info->domain,
		info->location_id,
		lower_32_bits(info->unique_id),
		upper_32_bits(info->unique_id),
		lower_32_bits(info->vram_size),
		upper_32_bits(info->vram_size),
		info->cu_count,
	};
	u32 hash = jhash2(key, ARRAY_SIZE(key), 0);
	u32 id = (hash ^ (hash >> 16)) & 0xffff;

	while (!id || kfd_device_find_locked(id))
		id = (id + 1) & 0xffff;
	return id;
}

static int kfd_device_check_info(const struct kfd_device_info *info)
{
	if (strnlen(info->name, sizeof(info->name)) == sizeof(info->name))
		return -EINVAL;
	if (info->drm_render_minor < KFD_DRM_RENDER_MINOR_FIRST ||
	    info->drm_render_minor > KFD_DRM_RENDER_MINOR_LAST)
		return -EINVAL;
	if (!info->cu_count || !info->simd_per_cu || !info->array_count ||
	    !info->arrays_per_engine || !info->num_cp_queues)
		return -EINVAL;
	if (info->num_sdma_engines > KFD_MAX_SDMA_ENGINES ||
	    info->num_sdma_queues_per_engine > KFD_MAX_SDMA_SLOTS)
		return -EINVAL;
	/* queue/ has the MQD format of gfx9 */
	if (info->gfx_target_version / 10000 != 9)
		return -EOPNOTSUPP;
	return 0;
}

static void kfd_device_free(struct kfd_device *dev)
{
	put_device(dev->parent);
	mutex_destroy(&dev->scheduler_lock);
	kfree(dev);
}

static struct kfd_device *kfd_device_alloc(const struct kfd_device_info *info,
					   const struct kfd_device_ops *ops,
					   void *gpu, struct device *parent)
{
	struct kfd_device *dev;

	dev = kzalloc(sizeof(*dev), GFP_KERNEL);
	if (!dev)
		return NULL;
	INIT_LIST_HEAD(&dev->smi_files);
	INIT_LIST_HEAD(&dev->smi_watchers);
	dev->info = *info;
	dev->ops = ops;
	dev->gpu = gpu;
	dev->parent = get_device(parent);
	refcount_set(&dev->ref, 1);
	init_completion(&dev->unused);
	mutex_init(&dev->scheduler_lock);
	return dev;
}

static int kfd_device_announce(struct kfd_device *dev)
{
	u32 count;
	int ret;

	lockdep_assert_held(&kfd_registration_lock);

	mutex_lock(&kfd_devices_lock);
	count = kfd_num_devices;
	dev->id = kfd_device_make_id(&dev->info);
	mutex_unlock(&kfd_devices_lock);
	if (count == KFD_MAX_GPUS)
		return -ENOSPC;

	if (kfd_listener) {
		ret = kfd_listener->added(dev);
		if (ret)
			return ret;
	}

	mutex_lock(&kfd_devices_lock);
	kfd_devices[kfd_num_devices++] = dev;
	mutex_unlock(&kfd_devices_lock);
	return 0;
}

/**
 * kfd_device_register() - make a GPU known to the driver
 * @info: what it is; copied
 * @ops: what the driver may ask of it; all operations are mandatory; kept
 * @gpu: first argument of the operations
 * @parent: the provider's device, or NULL; a reference is taken
 *
 * From here on, even before this function returns, processes that open
 * /dev/kfd bind to the GPU and operations may be called.
 *
 * Context: sleeps; no lock held that an operation takes.
 * Return: the driver's handle, for kfd_device_unregister() and the kfd_gpu_*()
 * calls, or an ERR_PTR: -EINVAL: @info makes no sense; -EOPNOTSUPP: a
 * generation of GPU that the driver does not know; -ENOSPC: too many GPUs;
 * -ENOMEM.
 */
struct kfd_device *kfd_device_register(const struct kfd_device_info *info,
				       const struct kfd_device_ops *ops,
				       void *gpu, struct device *parent)
{
	struct kfd_device *dev;
	int ret;

	ret = kfd_device_check_info(info);
	if (ret)
		return ERR_PTR(ret);

	dev = kfd_device_alloc(info, ops, gpu, parent);
	if (!dev)
		return ERR_PTR(-ENOMEM);

	mutex_lock(&kfd_registration_lock);
	ret = kfd_device_announce(dev);
	mutex_unlock(&kfd_registration_lock);
	if (ret) {
		kfd_device_free(dev);
		return ERR_PTR(ret);
	}

	pr_info("GPU 0x%x: gfx%u%u%x, %u CUs, %llu MiB, renderD%u\n", dev->id,
		info->gfx_target_version / 10000,
		info->gfx_target_version / 100 % 100,
		info->gfx_target_version % 100, info->cu_count,
		info->vram_size >> 20, info->drm_render_minor);
	return dev;
}
EXPORT_SYMBOL_GPL(kfd_device_register);

/**
 * kfd_device_unregister() - forget a GPU
 * @dev: from kfd_device_register(); invalid afterwards
 *
 * Returns when no process uses the GPU any more and no operation will be
 * called again. The GPU has to keep serving operations until then.
 *
 * Context: sleeps, as long as there are processes that opened /dev/kfd while
 * the GPU was there; no lock held that an operation takes.
 */
void kfd_device_unregister(struct kfd_device *dev)
{
	u32 i;

	mutex_lock(&kfd_registration_lock);
	mutex_lock(&kfd_devices_lock);
	dev->gone = true;
	for (i = 0; i < kfd_num_devices && kfd_devices[i] != dev; i++)
		;
	if (!WARN_ON(i == kfd_num_devices)) {
		kfd_num_devices--;
		for (; i < kfd_num_devices; i++)
			kfd_devices[i] = kfd_devices[i + 1];
		kfd_devices[i] = NULL;
	}
	mutex_unlock(&kfd_devices_lock);
	if (kfd_listener)
		kfd_listener->removed(dev);
	mutex_unlock(&kfd_registration_lock);

	kfd_device_put(dev);
	wait_for_completion(&dev->unused);
	if (kfd_listener)
		kfd_listener->unused(dev);
	kfd_device_free(dev);
}
EXPORT_SYMBOL_GPL(kfd_device_unregister);

/**
 * kfd_device_by_index() - the n-th registered GPU
 * @index: from 0, in order of registration
 *
 * Context: sleeps.
 * Return: the GPU with a reference for kfd_device_put(), or NULL.
 */
struct kfd_device *kfd_device_by_index(u32 index)
{
	struct kfd_device *dev = NULL;

	mutex_lock(&kfd_devices_lock);
	if (index < kfd_num_devices) {
		dev = kfd_devices[index];
		refcount_inc(&dev->ref);
	}
	mutex_unlock(&kfd_devices_lock);
	return dev;
}

/**
 * kfd_device_by_id() - the registered GPU with a gpu_id
 * @gpu_id: the GPU's own id
 *
 * Context: sleeps.
 * Return: the GPU with a reference for kfd_device_put(), or NULL.
 */
struct kfd_device *kfd_device_by_id(u32 gpu_id)
{
	struct kfd_device *dev;

	mutex_lock(&kfd_devices_lock);
	dev = kfd_device_find_locked(gpu_id);
	if (dev)
		refcount_inc(&dev->ref);
	mutex_unlock(&kfd_devices_lock);
	return dev;
}

/**
 * kfd_device_count() - number of registered GPUs
 *
 * Context: sleeps.
 * Return: 0 .. KFD_MAX_GPUS; may be out of date at once.
 */
u32 kfd_device_count(void)
{
	u32 count;

	mutex_lock(&kfd_devices_lock);
	count = kfd_num_devices;
	mutex_unlock(&kfd_devices_lock);
	return count;
}

/**
 * kfd_device_put() - drop a reference of a look-up
 * @dev: the GPU; may be gone afterwards
 *
 * Context: any.
 */
void kfd_device_put(struct kfd_device *dev)
{
	if (refcount_dec_and_test(&dev->ref))
		complete(&dev->unused);
}

/**
 * kfd_device_allowed() - whether the caller may use a GPU
 * @dev: the GPU
 *
 * A device cgroup that hides the render node hides the GPU here too.
 *
 * Context: any task context.
 * Return: true if current may open the render node for reading and writing as
 * far as cgroups go.
 */
bool kfd_device_allowed(const struct kfd_device *dev)
{
	return !devcgroup_check_permission(DEVCG_DEV_CHAR, DRM_MAJOR,
					   dev->info.drm_render_minor,
					   DEVCG_ACC_READ | DEVCG_ACC_WRITE);
}

/**
 * kfd_device_bind_all() - bind a process to every GPU that there is
 * @devs: filled with the GPUs, each with a reference on it and on its
 *	provider's module
 *
 * GPUs that current's cgroups forbid, or whose provider is being unloaded, are
 * left out.
 *
 * Context: sleeps.
 * Return: number of entries filled.
 */
u32 kfd_device_bind_all(struct kfd_device *devs[KFD_MAX_GPUS])
{
	u32 i, count = 0;

	mutex_lock(&kfd_devices_lock);
	for (i = 0; i < kfd_num_devices; i++) {
		struct kfd_device *dev = kfd_devices[i];

		if (!kfd_device_allowed(dev) || !try_module_get(dev->ops->owner))
			continue;
		refcount_inc(&dev->ref);
		devs[count++] = dev;
	}
	mutex_unlock(&kfd_devices_lock);
	return count;
}

/**
 * kfd_device_unbind() - undo the binding of one GPU
 * @dev: the GPU; may be gone afterwards
 *
 * Context: any.
 */
void kfd_device_unbind(struct kfd_device *dev)
{
	struct module *owner = dev->ops->owner;

	kfd_device_put(dev);
	module_put(owner);
}
