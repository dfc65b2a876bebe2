// SPDX-License-Identifier: GPL-2.0-only
/*
 * RESTORE and RESUME (floor 4).
 *
 * RESTORE copies everything in once, validates it as a whole, and then makes
 * process, devices, buffers, shared virtual memory, events and queues, in this
 * order. Whatever fails, all is undone in reverse. One eviction keeps the
 * queues off the hardware, and userptrs and shared virtual memory have no
 * pages, until RESUME: by then the process has its mappings back.
 *
 * process->lock of the process concerned is held but while the image is copied in.
 */
#include <linux/file.h>
#include <linux/overflow.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "../memory/memory.h"
#include "../svm/svm.h"
#include "criu.h"

/**
 * struct kfd_restore - a RESTORE under way
 * @load: what the kinds of objects get
 * @image: the validated image
 * @priv: its bytes
 * @devices: kernel copy of the device buckets
 * @num_devices: their number
 */
struct kfd_restore {
	struct kfd_criu_load load;
	struct kfd_image image;
	void *priv;
	struct kfd_criu_device_bucket *devices;
	u32 num_devices;
};

/* What can be said of them without the process. */
static int kfd_restore_check_args(const struct kfd_ioctl_criu_args *args)
{
	if (!args->priv_data || (!args->devices && args->num_devices) ||
	    (!args->bos && args->num_bos))
		return -EINVAL;
	if (args->num_devices > KFD_MAX_GPUS ||
	    args->num_bos > KFD_IMAGE_MAX_BOS ||
	    args->priv_data_size > KFD_IMAGE_MAX_BYTES)
		return -EINVAL;
	/* A BO takes a record: no more buckets than the image can have. */
	if (args->num_bos > args->priv_data_size / sizeof(struct kfd_record_bo))
		return -EINVAL;
	return 0;
}

static int kfd_restore_check_process(const struct kfd_restore *r)
{
	struct kfd_process *p = r->load.p;
	u32 i;

	if (r->num_devices > p->n_pdds)
		return -EINVAL;
	if (p->pause.active || p->restored)
		return -EBUSY;
	for (i = 0; i < KFD_CRIU_NUM_KINDS; i++)
		if (kfd_criu_kinds[i]->count(p) ||
		    (kfd_criu_kinds[i]->has_state &&
		     kfd_criu_kinds[i]->has_state(p)))
			return -EBUSY;
	for (i = 0; i < p->n_pdds; i++)
		if (p->pdds[i]->gpu_vm ||
		    p->pdds[i]->user_gpu_id != p->pdds[i]->dev->id)
			return -EBUSY;
	return 0;
}

static int kfd_restore_copy_in(struct kfd_restore *r,
			       const struct kfd_ioctl_criu_args *args)
{
	u32 n = args->num_bos;

	r->num_devices = args->num_devices;
	r->load.num_bos = n;
	r->devices = kcalloc(r->num_devices, sizeof(*r->devices),
			     GFP_KERNEL_ACCOUNT);
	r->priv = kvmalloc(args->priv_data_size, GFP_KERNEL_ACCOUNT);
	r->load.bos = kvcalloc(n + 1, sizeof(*r->load.bos), GFP_KERNEL_ACCOUNT);
	r->load.fd_files = kvcalloc(n + 1, sizeof(*r->load.fd_files),
				    GFP_KERNEL_ACCOUNT);
	if (!r->devices || !r->priv || !r->load.bos || !r->load.fd_files)
		return -ENOMEM;
	if (copy_from_user(r->devices, u64_to_user_ptr(args->devices),
			   r->num_devices * sizeof(*r->devices)) ||
	    copy_from_user(r->load.bos, u64_to_user_ptr(args->bos),
			   n * sizeof(*r->load.bos)) ||
	    copy_from_user(r->priv, u64_to_user_ptr(args->priv_data),
			   args->priv_data_size))
		return -EFAULT;
	return 0;
}

static void kfd_restore_free(struct kfd_restore *r)
{
	kfd_criu_drop_files(r->load.fd_files, r->load.num_bos);
	kvfree(r->load.fd_files);
	kvfree(r->load.bos);
	kvfree(r->priv);
	kfree(r->devices);
}

static int kfd_restore_validate(struct kfd_restore *r,
				const struct kfd_ioctl_criu_args *args)
{
	struct kfd_image_fault fault;
	int ret;
	u32 i;

	ret = kfd_image_parse(&r->image, r->priv, args->priv_data_size, &fault);
	if (ret) {
		pr_debug("image refused: record %d (type %u), offset %llu: %s\n",
			 fault.record, fault.type, fault.offset, fault.field);
		return ret;
	}
	r->load.image = &r->image;
	if (r->image.count[KFD_RECORD_DEVICE] != args->num_devices ||
	    r->image.count[KFD_RECORD_BO] != args->num_bos ||
	    r->image.count[KFD_RECORD_SVM] +
	    r->image.count[KFD_RECORD_EVENT] +
	    r->image.count[KFD_RECORD_QUEUE] != args->num_objects)
		return -EINVAL;
	/* What else a bucket says is held against its record by memory/. */
	for (i = 0; i < r->load.num_bos; i++)
		if (r->load.bos[i].pad)
			return -EINVAL;
	return 0;
}

static struct kfd_criu_device_bucket *
kfd_restore_find_bucket(struct kfd_restore *r, u32 user_gpu_id)
{
	u32 i;

	for (i = 0; i < r->num_devices; i++)
		if (r->devices[i].user_gpu_id == user_gpu_id)
			return &r->devices[i];
	return NULL;
}

/*
 * GPUs that the image does not name get what is free: their own id, unless the
 * process knows another GPU by it.
 */
static void kfd_restore_assign_others(struct kfd_process *p)
{
	struct kfd_process_device *pdd;
	u32 i, id;

	for (i = 0; i < p->n_pdds; i++) {
		pdd = p->pdds[i];
		if (pdd->user_gpu_id)
			continue;
		id = pdd->dev->id;
		while (kfd_process_device_by_user_id(p, id))
			id = id % U16_MAX + 1;
		pdd->user_gpu_id = id;
	}
}

/* Each record has its bucket, each bucket its GPU, and none is named twice. */
static int kfd_restore_assign_gpus(struct kfd_restore *r)
{
	struct kfd_process *p = r->load.p;
	struct kfd_criu_device_bucket *bucket;
	struct kfd_process_device *pdd;
	struct kfd_record_device dev;
	struct kfd_record rec = {};
	u32 i;

	for (i = 0; i < p->n_pdds; i++)
		p->pdds[i]->user_gpu_id = 0;
	while (kfd_image_next(&r->image, &rec)) {
		if (rec.type != KFD_RECORD_DEVICE)
			continue;
		kfd_record_read(&rec, &dev, sizeof(dev), sizeof(dev));
		bucket = kfd_restore_find_bucket(r, dev.user_gpu_id);
		if (!bucket || bucket->pad)
			return -EINVAL;
		pdd = kfd_process_device_by_id(p, bucket->actual_gpu_id);
		if (!pdd || pdd->user_gpu_id ||
		    pdd->dev->info.gfx_target_version != dev.gfx_target_version)
			return -EINVAL;
		pdd->user_gpu_id = dev.user_gpu_id;
	}
	kfd_restore_assign_others(p);
	return 0;
}

static int kfd_restore_device(struct kfd_restore *r,
			      const struct kfd_record_device *dev)
{
	const struct kfd_criu_device_bucket *bucket;
	struct kfd_process_device *pdd;
	const struct kfd_device_ops *ops;
	struct file *drm_file;
	int ret;

	bucket = kfd_restore_find_bucket(r, dev->user_gpu_id);
	pdd = kfd_process_device_by_user_id(r->load.p, dev->user_gpu_id);
	if (!bucket || !pdd)
		return -EINVAL;
	if (!dev->has_vm)
		return 0;
	drm_file = fget(bucket->drm_fd);
	if (!drm_file)
		return -EINVAL;
	ret = kfd_process_device_acquire_vm(pdd, drm_file);
	fput(drm_file);
	if (ret)
		return ret;

	ops = pdd->dev->ops;
	ret = ops->set_memory_policy(pdd->dev->gpu, pdd->gpu_vm,
				     dev->policy_default, dev->policy_alternate,
				     dev->alternate_base, dev->alternate_size);
	if (ret)
		return ret;
	pdd->policy_default = dev->policy_default;
	pdd->policy_alternate = dev->policy_alternate;
	pdd->alternate_base = dev->alternate_base;
	pdd->alternate_size = dev->alternate_size;
	pdd->scratch_va = dev->scratch_va;
	ops->set_scratch(pdd->dev->gpu, pdd->gpu_vm, dev->scratch_va);
	pdd->tba = dev->tba;
	pdd->tma = dev->tma;
	ops->set_trap_handler(pdd->dev->gpu, pdd->gpu_vm, dev->tba, dev->tma);
	return 0;
}

static int kfd_restore_devices(struct kfd_restore *r)
{
	struct kfd_record_device dev;
	struct kfd_record rec = {};
	int ret;

	ret = kfd_restore_assign_gpus(r);
	while (!ret && kfd_image_next(&r->image, &rec)) {
		if (rec.type != KFD_RECORD_DEVICE)
			continue;
		kfd_record_read(&rec, &dev, sizeof(dev), sizeof(dev));
		ret = kfd_restore_device(r, &dev);
	}
	return ret;
}

static void kfd_restore_undo_devices(struct kfd_process *p)
{
	struct kfd_process_device *pdd;
	u32 i;

	for (i = 0; i < p->n_pdds; i++) {
		pdd = p->pdds[i];
		if (pdd->gpu_vm)
			kfd_process_device_release_vm(pdd);
		pdd->user_gpu_id = pdd->dev->id;
		pdd->policy_default = 0;
		pdd->policy_alternate = 0;
		pdd->alternate_base = 0;
		pdd->alternate_size = 0;
		pdd->scratch_va = 0;
		pdd->tba = 0;
		pdd->tma = 0;
	}
}

static int kfd_restore_kind(struct kfd_restore *r,
			    const struct kfd_criu_object_ops *kind)
{
	struct kfd_record rec = {};
	u32 index = 0;
	int ret = 0;

	if (kind->load_process)
		ret = kind->load_process(&r->load);
	while (!ret && kfd_image_next(&r->image, &rec)) {
		if (rec.type != kind->type)
			continue;
		ret = kind->load(&r->load, &rec, index);
		if (ret)
			pr_debug("%s %u is not restored: %d\n", kind->name,
				 index, ret);
		index++;
	}
	return ret;
}

static int kfd_restore_publish(struct kfd_restore *r,
			       const struct kfd_ioctl_criu_args *args)
{
	struct kfd_criu_load *load = &r->load;
	int ret;

	ret = kfd_criu_reserve_fds(load->bos, load->fd_files, load->num_bos);
	if (ret)
		return ret;
	kfd_criu_phase(load->p, KFD_PHASE_RESTORE_FDS_RESERVED);
	if (copy_to_user(u64_to_user_ptr(args->bos), load->bos,
			 load->num_bos * sizeof(*load->bos))) {
		kfd_criu_unreserve_fds(load->bos, load->fd_files,
				       load->num_bos);
		return -EFAULT;
	}
	kfd_criu_phase(load->p, KFD_PHASE_RESTORE_COPIED_OUT);
	kfd_criu_install_fds(load->bos, load->fd_files, load->num_bos);
	kfd_criu_phase(load->p, KFD_PHASE_RESTORE_PUBLISHED);
	return 0;
}

static int kfd_restore_load(struct kfd_restore *r,
			    const struct kfd_ioctl_criu_args *args)
{
	struct kfd_process *p = r->load.p;
	int ret, i;

	BUILD_BUG_ON(KFD_PHASE_RESTORE_QUEUES - KFD_PHASE_RESTORE_BOS !=
		     KFD_CRIU_NUM_KINDS - 1);
	/* The process has no queue yet: this cannot fail, only count. */
	kfd_process_evict(p, KFD_QUEUE_EVICTION_CRIU_RESTORE);
	p->restored = true;
	ret = kfd_restore_devices(r);
	if (!ret)
		kfd_criu_phase(p, KFD_PHASE_RESTORE_DEVICES);
	for (i = 0; i < KFD_CRIU_NUM_KINDS && !ret; i++) {
		ret = kfd_restore_kind(r, kfd_criu_kinds[i]);
		if (!ret)
			kfd_criu_phase(p, KFD_PHASE_RESTORE_BOS + i);
	}
	if (!ret)
		ret = kfd_restore_publish(r, args);
	if (!ret)
		return 0;

	kfd_criu_phase(p, KFD_PHASE_RESTORE_UNDO);
	/* The process had nothing: what there is now is of this restore. */
	for (i = KFD_CRIU_NUM_KINDS - 1; i >= 0; i--)
		kfd_criu_kinds[i]->unload(p);
	kfd_restore_undo_devices(p);
	p->restored = false;
	kfd_process_restore(p);
	return ret;
}

static int kfd_restore_locked(struct kfd_restore *r,
			      const struct kfd_ioctl_criu_args *args)
{
	struct kfd_process *p = r->load.p;
	int ret;

	ret = kfd_restore_check_process(r);
	if (!ret)
		ret = kfd_restore_validate(r, args);
	if (ret)
		return ret;
	kfd_criu_phase(p, KFD_PHASE_RESTORE_VALIDATED);
	return kfd_restore_load(r, args);
}

/**
 * kfd_criu_restore - RESTORE: make everything that an image holds
 * @p: a process without any KFD state but an open file
 * @args: devices: buckets with user_gpu_id, actual_gpu_id and drm_fd (an open
 *	DRM file, whose VM is adopted); bos: the buckets of the checkpoint;
 *	priv_data: the image; the counts
 *
 * The image is copied in without a lock: the caller's pages may take for ever.
 *
 * Context: sleeps; takes process->lock.
 * Return: 0, with restored_offset and a dma-buf fd for every VRAM and GTT
 * buffer in @args->bos; -EINVAL: malformed or inconsistent arguments or
 * image, no such GPU, an id that is given twice; -E2BIG: an image with more
 * than this driver knows; -EBUSY: the process has state already or is paused,
 * or a DRM file has an owner; -EBADF: the process is gone; -EFAULT; -EMFILE;
 * -ENOMEM; -ENOSPC; -EINTR. The process then has no state, as before.
 */
int kfd_criu_restore(struct kfd_process *p,
		     const struct kfd_ioctl_criu_args *args)
{
	struct kfd_restore *r;
	int ret;

	/* It is current's own. */
	kfd_criu_phase_of(p, task_tgid_nr(current), KFD_PHASE_RESTORE_BEGIN);
	ret = kfd_restore_check_args(args);
	if (ret)
		return ret;
	r = kzalloc(sizeof(*r), GFP_KERNEL_ACCOUNT);
	if (!r)
		return -ENOMEM;
	r->load.p = p;
	ret = kfd_restore_copy_in(r, args);
	if (ret)
		goto free;
	kfd_criu_phase_of(p, task_tgid_nr(current),
			  KFD_PHASE_RESTORE_COPIED_IN);
	ret = kfd_process_lock(p);
	if (ret)
		goto free;
	ret = kfd_restore_locked(r, args);
	kfd_process_unlock(p);
free:
	kfd_restore_free(r);
	kfree(r);
	return ret;
}

/* Memory of the process itself, whose addresses are in place again. */
static int kfd_resume_memory(struct kfd_process *p, struct kfd_look *look)
{
	int ret;

	if (!mmget_not_zero(p->mm))
		return -ESRCH;
	ret = kfd_memory_resume(p, look);
	if (!ret) {
		kfd_criu_phase(p, KFD_PHASE_RESUME_USERPTRS);
		ret = kfd_svm_resume(p, look);
	}
	/* Its end must not come under process->lock. */
	mmput_async(p->mm);
	return ret;
}

static int kfd_resume_locked(struct kfd_process *p, struct kfd_look *look)
{
	int ret;

	kfd_criu_phase(p, KFD_PHASE_RESUME_BEGIN);
	if (!p->restored)
		return -EINVAL;
	if (!look->pass)
		look->pass = ++p->mirrors.resumes ?: ++p->mirrors.resumes;
	ret = kfd_resume_memory(p, look);
	if (ret)
		return ret;
	kfd_criu_phase(p, KFD_PHASE_RESUME_SVM);
	ret = kfd_process_restore(p);
	if (ret) {
		pr_err("pasid %u: its queues do not come back: %d\n", p->pasid,
		       ret);
		kfd_process_evict(p, KFD_QUEUE_EVICTION_CRIU_RESTORE);
		return ret;
	}
	p->restored = false;
	kfd_criu_phase(p, KFD_PHASE_RESUME_QUEUES);
	return 0;
}

/**
 * kfd_criu_resume - RESUME: let a restored process go
 * @args: pid: the process, in the caller's pid namespace
 *
 * Its mappings must be in place: userptrs get their pages here.
 *
 * Context: sleeps, for as long as that memory likes, killably; takes process->lock
 * of that process, but not while it waits for a page.
 * Return: 0; -ESRCH: no such process, or it does not use KFD; -EINVAL: it was
 * not restored, or has been resumed; as kfd_memory_resume() and
 * kfd_svm_resume(): a userptr or shared virtual memory whose mapping is not
 * there, which the log names: its queues stay evicted and RESUME may be tried
 * again.
 */
int kfd_criu_resume(const struct kfd_ioctl_criu_args *args)
{
	struct kfd_look look = {};
	struct task_struct *task;
	struct kfd_process *p;
	struct pid *pid;
	int ret;

	pid = find_get_pid(args->pid);
	task = get_pid_task(pid, PIDTYPE_PID);
	put_pid(pid);
	if (!task)
		return -ESRCH;
	p = kfd_process_get_by_task(task);
	put_task_struct(task);
	if (!p)
		return -ESRCH;
	/* Between two tries it is as after a RESUME that has failed. */
	do {
		ret = kfd_process_lock(p);
		if (ret)
			break;
		ret = kfd_resume_locked(p, &look);
		kfd_process_unlock(p);
	} while (kfd_look_again(&p->mirrors, &look, &ret));
	kfd_process_put(p);
	return ret;
}
