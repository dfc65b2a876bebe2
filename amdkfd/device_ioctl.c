// SPDX-License-Identifier: GPL-2.0-only
/*
 * ioctls that are about a GPU as a process sees it (floor 4).
 *
 * What is set here is kept in the per-GPU data, under process->lock, for a
 * checkpoint to find; the GPU is told at once.
 */
#include <linux/file.h>
#include <linux/ktime.h>
#include <linux/uaccess.h>

#include <linux/kfd_ioctl.h>

#include "device_ioctl.h"
#include "queue/queue.h"
#include "svm/svm.h"

/*
 * Windows of gfx9 on local data share and private memory: chosen by the upper
 * 16 bits of an address, each 4 GiB long, outside of what a CPU can map.
 */
#define KFD_LDS_BASE		0x1000000000000ULL
#define KFD_LDS_LIMIT		(KFD_LDS_BASE | 0xffffffffULL)
#define KFD_SCRATCH_BASE	0x2000000000000ULL
#define KFD_SCRATCH_LIMIT	(KFD_SCRATCH_BASE | 0xffffffffULL)

/* Words of mainline's tables of tile modes, which are empty from gfx9 on. */
#define KFD_TILE_MODES		32
#define KFD_MACRO_TILE_MODES	16

/**
 * kfd_ioctl_get_version() - AMDKFD_IOC_GET_VERSION
 * @filp: kfd file
 * @p: process
 * @data: struct kfd_ioctl_get_version_args
 *
 * Return: 0.
 */
int kfd_ioctl_get_version(struct file *filp, struct kfd_process *p, void *data)
{
	struct kfd_ioctl_get_version_args *args = data;

	args->major_version = KFD_IOCTL_MAJOR_VERSION;
	args->minor_version = KFD_IOCTL_MINOR_VERSION;
	return 0;
}

/**
 * kfd_ioctl_get_clock_counters() - AMDKFD_IOC_GET_CLOCK_COUNTERS
 * @filp: kfd file
 * @p: process
 * @data: struct kfd_ioctl_get_clock_counters_args
 *
 * An id that is no GPU's, as a CPU node's 0, reads the CPU's clocks alone.
 *
 * Context: sleeps; takes process->lock.
 * Return: 0; -EBADF: the process is gone; -EINTR: killed.
 */
int kfd_ioctl_get_clock_counters(struct file *filp, struct kfd_process *p,
				 void *data)
{
	struct kfd_ioctl_get_clock_counters_args *args = data;
	struct kfd_process_device *pdd;
	struct kfd_gpu_clocks clocks = { };
	int ret;

	ret = kfd_process_lock(p);
	if (ret)
		return ret;
	pdd = kfd_process_device_by_user_id(p, args->gpu_id);
	if (pdd)
		pdd->dev->ops->get_clocks(pdd->dev->gpu, &clocks);
	args->gpu_clock_counter = clocks.gpu_counter;
	args->cpu_clock_counter = ktime_get_raw_ns();
	args->system_clock_counter = ktime_get_boottime_ns();
	args->system_clock_freq = NSEC_PER_SEC;
	kfd_process_unlock(p);
	return 0;
}

static void kfd_fill_apertures(const struct kfd_process_device *pdd,
			       struct kfd_process_device_apertures *a)
{
	a->lds_base = KFD_LDS_BASE;
	a->lds_limit = KFD_LDS_LIMIT;
	a->scratch_base = KFD_SCRATCH_BASE;
	a->scratch_limit = KFD_SCRATCH_LIMIT;
	a->gpuvm_base = KFD_GPUVM_BASE;
	a->gpuvm_limit = KFD_GPUVM_LIMIT;
	a->gpu_id = pdd->user_gpu_id;
}

/**
 * kfd_ioctl_get_process_apertures() - AMDKFD_IOC_GET_PROCESS_APERTURES
 * @filp: kfd file
 * @p: process
 * @data: struct kfd_ioctl_get_process_apertures_args
 *
 * Context: sleeps; takes process->lock.
 * Return: 0; -EBADF: the process is gone; -EINTR: killed.
 */
int kfd_ioctl_get_process_apertures(struct file *filp, struct kfd_process *p,
				    void *data)
{
	struct kfd_ioctl_get_process_apertures_args *args = data;
	u32 i;
	int ret;

	ret = kfd_process_lock(p);
	if (ret)
		return ret;
	args->num_of_nodes = min_t(u32, p->n_pdds, NUM_OF_SUPPORTED_GPUS);
	for (i = 0; i < args->num_of_nodes; i++)
		kfd_fill_apertures(p->pdds[i], &args->process_apertures[i]);
	kfd_process_unlock(p);
	return 0;
}

/**
 * kfd_ioctl_get_process_apertures_new() - AMDKFD_IOC_GET_PROCESS_APERTURES_NEW
 * @filp: kfd file
 * @p: process
 * @data: struct kfd_ioctl_get_process_apertures_new_args
 *
 * Room for more GPUs than there are is fine, and no more of it than that is
 * touched.
 *
 * Context: sleeps; takes process->lock.
 * Return: 0; -EFAULT: the array is not writable; -EBADF: the process is gone;
 * -EINTR: killed.
 */
int kfd_ioctl_get_process_apertures_new(struct file *filp,
					struct kfd_process *p, void *data)
{
	struct kfd_ioctl_get_process_apertures_new_args *args = data;
	struct kfd_process_device_apertures a[KFD_MAX_GPUS] = { };
	void __user *array = u64_to_user_ptr(args->kfd_process_device_apertures_ptr);
	u32 i, count;
	int ret;

	ret = kfd_process_lock(p);
	if (ret)
		return ret;
	count = p->n_pdds;
	for (i = 0; i < count; i++)
		kfd_fill_apertures(p->pdds[i], &a[i]);
	kfd_process_unlock(p);

	if (args->num_of_nodes) {
		count = min(count, args->num_of_nodes);
		if (copy_to_user(array, a, count * sizeof(a[0])))
			return -EFAULT;
	}
	args->num_of_nodes = count;
	return 0;
}

/* Sets *@count to how many words of a table of zeros a program has got of @size. */
static int kfd_put_no_table(u64 to, u32 *count, u32 size)
{
	u32 n = min(*count, size);

	*count = 0;
	if (clear_user(u64_to_user_ptr(to), n * sizeof(u32)))
		return -EFAULT;
	*count = n;
	return 0;
}

/**
 * kfd_ioctl_get_tile_config() - AMDKFD_IOC_GET_TILE_CONFIG
 * @filp: kfd file
 * @p: process
 * @data: struct kfd_ioctl_get_tile_config_args
 *
 * From gfx9 on surfaces are laid out by GB_ADDR_CONFIG alone. The tables of
 * tile modes, 32 and 16 words, are there with nothing in them, as are banks and
 * ranks; OpenCL's runtime does not start without an answer.
 *
 * Context: sleeps; takes process->lock.
 * Return: 0; -EINVAL: no such GPU; -EFAULT: a table cannot be written, its
 * number of words is 0 then; -EBADF: the process is gone; -EINTR: killed.
 */
int kfd_ioctl_get_tile_config(struct file *filp, struct kfd_process *p, void *data)
{
	struct kfd_ioctl_get_tile_config_args *args = data;
	struct kfd_process_device *pdd;
	int ret = kfd_process_lock(p);

	if (ret)
		return ret;
	pdd = kfd_process_device_by_user_id(p, args->gpu_id);
	if (pdd)
		args->gb_addr_config = pdd->dev->info.gb_addr_config;
	kfd_process_unlock(p);
	if (!pdd)
		return -EINVAL;

	args->num_banks = 0;
	args->num_ranks = 0;
	ret = kfd_put_no_table(args->tile_config_ptr, &args->num_tile_configs,
			       KFD_TILE_MODES);
	return ret ?: kfd_put_no_table(args->macro_tile_config_ptr,
				       &args->num_macro_tile_configs,
				       KFD_MACRO_TILE_MODES);
}

/**
 * kfd_ioctl_acquire_vm() - AMDKFD_IOC_ACQUIRE_VM
 * @filp: kfd file
 * @p: process
 * @data: struct kfd_ioctl_acquire_vm_args
 *
 * Context: sleeps; takes process->lock.
 * Return: 0; -EINVAL: no such GPU, no such fd, or not a render node of that
 * GPU; -EBUSY: the process has another VM there, or the file's VM has an
 * owner; -ENODEV: the GPU is gone; -ENOMEM; -EBADF: the process is gone;
 * -EINTR: killed.
 */
int kfd_ioctl_acquire_vm(struct file *filp, struct kfd_process *p, void *data)
{
	struct kfd_ioctl_acquire_vm_args *args = data;
	struct kfd_process_device *pdd;
	struct file *drm_file;
	int ret;

	drm_file = fget(args->drm_fd);
	if (!drm_file)
		return -EINVAL;

	ret = kfd_process_lock(p);
	if (ret)
		goto out_fput;
	pdd = kfd_process_device_by_user_id(p, args->gpu_id);
	ret = pdd ? kfd_process_device_acquire_vm(pdd, drm_file) : -EINVAL;
	if (!ret)
		kfd_svm_gpu_bound(p);
	kfd_process_unlock(p);
out_fput:
	fput(drm_file);
	return ret;
}

/* The GPU of an ioctl that needs its VM; enters the process on success. */
static int kfd_lock_bound(struct kfd_process *p, u32 user_gpu_id,
			  struct kfd_process_device **pdd)
{
	int ret = kfd_process_lock(p);

	if (ret)
		return ret;
	*pdd = kfd_process_device_by_user_id(p, user_gpu_id);
	if (!*pdd)
		ret = -EINVAL;
	else if (!(*pdd)->gpu_vm)
		ret = -ENODEV;
	if (ret)
		kfd_process_unlock(p);
	return ret;
}

/**
 * kfd_ioctl_set_memory_policy() - AMDKFD_IOC_SET_MEMORY_POLICY
 * @filp: kfd file
 * @p: process
 * @data: struct kfd_ioctl_set_memory_policy_args
 *
 * Context: sleeps; takes process->lock.
 * Return: 0; -EINVAL: no such GPU or policy, or a range that the GPU refuses;
 * -ENODEV: no VM acquired; -EBADF: the process is gone; -EINTR: killed.
 */
int kfd_ioctl_set_memory_policy(struct file *filp, struct kfd_process *p,
				void *data)
{
	struct kfd_ioctl_set_memory_policy_args *args = data;
	struct kfd_process_device *pdd;
	int ret;

	if (args->default_policy > KFD_IOC_CACHE_POLICY_NONCOHERENT ||
	    args->alternate_policy > KFD_IOC_CACHE_POLICY_NONCOHERENT)
		return -EINVAL;

	ret = kfd_lock_bound(p, args->gpu_id, &pdd);
	if (ret)
		return ret;
	ret = pdd->dev->ops->set_memory_policy(pdd->dev->gpu, pdd->gpu_vm,
					       args->default_policy,
					       args->alternate_policy,
					       args->alternate_aperture_base,
					       args->alternate_aperture_size);
	if (!ret) {
		pdd->policy_default = args->default_policy;
		pdd->policy_alternate = args->alternate_policy;
		pdd->alternate_base = args->alternate_aperture_base;
		pdd->alternate_size = args->alternate_aperture_size;
	}
	kfd_process_unlock(p);
	return ret;
}

/**
 * kfd_ioctl_set_scratch_backing_va() - AMDKFD_IOC_SET_SCRATCH_BACKING_VA
 * @filp: kfd file
 * @p: process
 * @data: struct kfd_ioctl_set_scratch_backing_va_args
 *
 * Context: sleeps; takes process->lock.
 * Return: 0; -EINVAL: no such GPU; -ENODEV: no VM acquired; -EBADF: the process
 * is gone; -EINTR: killed.
 */
int kfd_ioctl_set_scratch_backing_va(struct file *filp, struct kfd_process *p,
				     void *data)
{
	struct kfd_ioctl_set_scratch_backing_va_args *args = data;
	struct kfd_process_device *pdd;
	int ret;

	ret = kfd_lock_bound(p, args->gpu_id, &pdd);
	if (ret)
		return ret;
	pdd->dev->ops->set_scratch(pdd->dev->gpu, pdd->gpu_vm, args->va_addr);
	pdd->scratch_va = args->va_addr;
	kfd_process_unlock(p);
	return 0;
}

/**
 * kfd_ioctl_set_trap_handler() - AMDKFD_IOC_SET_TRAP_HANDLER
 * @filp: kfd file
 * @p: process
 * @data: struct kfd_ioctl_set_trap_handler_args
 *
 * Context: sleeps; takes process->lock.
 * Return: 0; -EINVAL: no such GPU; -ENODEV: no VM acquired; -EBADF: the process
 * is gone; -EINTR: killed.
 */
int kfd_ioctl_set_trap_handler(struct file *filp, struct kfd_process *p,
			       void *data)
{
	struct kfd_ioctl_set_trap_handler_args *args = data;
	struct kfd_process_device *pdd;
	int ret;

	ret = kfd_lock_bound(p, args->gpu_id, &pdd);
	if (ret)
		return ret;
	pdd->dev->ops->set_trap_handler(pdd->dev->gpu, pdd->gpu_vm,
					args->tba_addr, args->tma_addr);
	pdd->tba = args->tba_addr;
	pdd->tma = args->tma_addr;
	kfd_process_unlock(p);
	return 0;
}

/**
 * kfd_ioctl_set_xnack_mode() - AMDKFD_IOC_SET_XNACK_MODE
 * @filp: kfd file
 * @p: process
 * @data: struct kfd_ioctl_set_xnack_mode_args
 *
 * Whether a GPU that misses a page of shared virtual memory waits for it.
 *
 * Context: sleeps; takes process->lock.
 * Return: 0; -EBUSY: there are queues; -EPERM: a GPU cannot do it; -EBADF: the
 * process is gone; -EINTR: killed.
 */
int kfd_ioctl_set_xnack_mode(struct file *filp, struct kfd_process *p,
			     void *data)
{
	struct kfd_ioctl_set_xnack_mode_args *args = data;
	int ret;

	ret = kfd_process_lock(p);
	if (ret)
		return ret;
	if (args->xnack_enabled < 0)
		args->xnack_enabled = p->xnack_enabled;
	else if (kfd_queue_count(p))
		ret = -EBUSY;
	else
		ret = kfd_svm_set_xnack(p, args->xnack_enabled);
	kfd_process_unlock(p);
	return ret;
}
