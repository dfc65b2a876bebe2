// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROCESS_INFO and CHECKPOINT (floor 4).
 *
 * PROCESS_INFO pauses the process and says how large everything is;
 * CHECKPOINT takes exactly that much. All is put together in kernel memory
 * proportional to the number of objects, copied out once, and the dma-buf fds
 * are installed last.
 *
 * process->lock is held throughout, so neither counts nor objects change.
 */
#include <linux/pid_namespace.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "../debug/break.h"
#include "criu.h"

static const struct kfd_criu_object_ops *const kfd_bos = &kfd_memory_criu_ops;

/*
 * An image has the GPUs on which the process has state, and that takes a VM:
 * where it could be restored without one of the others, it shall be.
 */
static bool kfd_criu_has_state(const struct kfd_process_device *pdd)
{
	return pdd->gpu_vm;
}

static u32 kfd_criu_num_devices(const struct kfd_process *p)
{
	u32 i, n = 0;

	for (i = 0; i < p->n_pdds; i++)
		n += kfd_criu_has_state(p->pdds[i]);
	return n;
}

static u64 kfd_criu_image_size(struct kfd_process *p)
{
	u64 size = sizeof(struct kfd_image_header);
	u32 i;

	size += kfd_record_space(sizeof(struct kfd_record_process));
	size += kfd_criu_num_devices(p) *
		kfd_record_space(sizeof(struct kfd_record_device));
	for (i = 0; i < KFD_CRIU_NUM_KINDS; i++)
		size += kfd_criu_kinds[i]->size(p);
	return size;
}

static u32 kfd_criu_num_objects(struct kfd_process *p)
{
	return kfd_svm_criu_ops.count(p) + kfd_event_criu_ops.count(p) +
	       kfd_queue_criu_ops.count(p);
}

static int kfd_criu_check_addresses(struct kfd_process *p)
{
	u32 invalid = p->addresses.invalid;

	return invalid ? kfd_refuse(p, -EBUSY,
				    "%u buffers have given up their CPU address and have no other yet",
				    invalid) : 0;
}

/*
 * Whether an image can hold the process. Who uses its memory besides itself is
 * asked when a pause begins and not again: the dumper himself does, as soon as
 * he has the dma-bufs.
 */
static int kfd_criu_check(struct kfd_process *p)
{
	u64 size = kfd_criu_image_size(p);
	int ret;
	u32 i;

	if (p->restored)
		return kfd_refuse(p, -EBUSY,
				  "the process was restored and not yet resumed");
	ret = kfd_criu_check_addresses(p);
	if (ret)
		return ret;
	if (size > KFD_IMAGE_MAX_BYTES)
		return kfd_refuse(p, -E2BIG,
				  "the image would have %llu bytes, more than %u",
				  size, KFD_IMAGE_MAX_BYTES);
	if (atomic_read(&p->smi_sessions))
		return kfd_refuse(p, -EISCONN,
				  "the process has %d files of SMI events open",
				  atomic_read(&p->smi_sessions));
	if (p->pause.active)
		return 0;
	for (i = 0; i < KFD_CRIU_NUM_KINDS && !ret; i++)
		if (kfd_criu_kinds[i]->check)
			ret = kfd_criu_kinds[i]->check(p);
	return ret;
}

/* As much of a pause as is wanted, or nothing of it. */
static int kfd_criu_pause(struct kfd_process *p, const struct file *filp,
			  struct kfd_drain *drain)
{
	int ret;

	ret = kfd_pause_begin(p, filp);
	if (ret)
		return ret;
	ret = kfd_drain_check(drain, p);
	if (ret && !p->pause.again)
		kfd_pause_end(p);
	return ret;
}

/* PROCESS_INFO under one hold of process->lock; -EINPROGRESS: not drained yet. */
static int kfd_criu_try_info(struct kfd_process *p, const struct file *filp,
			     struct kfd_ioctl_criu_args *args,
			     struct kfd_drain *drain)
{
	int ret;

	kfd_refusal_begin(p, "PROCESS_INFO");
	if (!p->n_pdds)
		return -ENODEV;
	/* Before the wait, which would be in vain, and after it. */
	ret = drain->waited ? 0 : kfd_criu_check(p);
	if (!ret)
		ret = kfd_drain_look(drain, p);
	if (!ret && drain->waited)
		ret = kfd_criu_check(p);
	if (!ret)
		ret = kfd_criu_pause(p, filp, drain);
	if (ret)
		return ret;
	kfd_criu_phase(p, KFD_PHASE_INFO_EVICTED);
	args->num_devices = kfd_criu_num_devices(p);
	args->num_bos = kfd_bos->count(p);
	args->num_objects = kfd_criu_num_objects(p);
	args->priv_data_size = kfd_criu_image_size(p);
	args->pid = pid_nr_ns(p->tgid, ns_of_pid(p->tgid));
	if (drain->wanted)
		args->priv_data = KFD_CRIU_DRAIN_ANSWERED |
				  (drain->drained ? KFD_CRIU_DRAINED : 0);
	return 0;
}

/**
 * kfd_criu_process_info - PROCESS_INFO: pause, and say how large the image is
 * @p: the process
 * @filp: the kfd file that was used: its last close ends the pause
 * @args: num_devices, num_bos, num_objects, priv_data_size and pid are set;
 *	priv_data: in: %KFD_CRIU_DRAIN and so on, out: what came of it
 *
 * Context: sleeps, killably; takes process->lock.
 * Return: 0; -ENODEV: there is no GPU; -EBUSY: restored and not yet resumed, or
 * a CPU address has been given up;
 * -ETIME: a queue does not stop, or is not drained, and the process goes on;
 * -E2BIG: more state than an image may have; -EISCONN, -EXDEV, -EMLINK,
 * -EREMOTE: something is shared that an image cannot hold; -EFAULT: a queue
 * has lost its memory; -EINVAL: no such request to drain; -EINTR: the caller is
 * being killed; -EBADF: the process is gone. All but the last three and ENODEV
 * leave their reason in fdinfo.
 */
int kfd_criu_process_info(struct kfd_process *p, const struct file *filp,
			  struct kfd_ioctl_criu_args *args)
{
	struct kfd_drain drain;
	int ret;

	ret = kfd_drain_init(&drain, args->priv_data);
	while (!ret) {
		ret = kfd_process_lock(p);
		if (ret)
			break;
		if (!drain.waited)
			kfd_criu_phase(p, KFD_PHASE_INFO_BEGIN);
		ret = kfd_criu_try_info(p, filp, args, &drain);
		kfd_process_unlock(p);
		if (ret != -EINPROGRESS)
			break;
		ret = kfd_drain_sleep(&drain);
	}
	return ret;
}

/**
 * kfd_criu_undo_process_info - PROCESS_INFO whose answer cannot be told
 * @p: the process
 * @filp: the kfd file that was used
 *
 * The pause that it began ends; one that was there before stays.
 *
 * Context: sleeps; takes process->lock. When the caller is being killed
 * nothing is done: the end of his file ends the pause.
 */
void kfd_criu_undo_process_info(struct kfd_process *p, const struct file *filp)
{
	if (kfd_process_lock(p))
		return;
	if (p->pause.active && !p->pause.again && p->pause.filp == filp)
		kfd_pause_end(p);
	kfd_process_unlock(p);
}

static int kfd_criu_save_process(struct kfd_criu_dump *dump)
{
	struct kfd_process *p = dump->p;
	struct kfd_record_process rec = {
		.num_devices = kfd_criu_num_devices(p),
		.num_bos = dump->num_bos,
		.num_events = kfd_event_criu_ops.count(p),
		.num_queues = kfd_queue_criu_ops.count(p),
	};
	u32 i;

	for (i = 0; i < KFD_CRIU_NUM_KINDS; i++)
		if (kfd_criu_kinds[i]->save_process)
			kfd_criu_kinds[i]->save_process(p, &rec);
	return kfd_image_put(dump->out, KFD_RECORD_PROCESS, &rec, sizeof(rec));
}

static int kfd_criu_save_devices(struct kfd_criu_dump *dump,
				 struct kfd_criu_device_bucket *buckets)
{
	struct kfd_process *p = dump->p;
	struct kfd_process_device *pdd;
	struct kfd_record_device rec;
	int ret = 0;
	u32 i, n = 0;

	for (i = 0; i < p->n_pdds && !ret; i++) {
		pdd = p->pdds[i];
		if (!kfd_criu_has_state(pdd))
			continue;
		rec = (struct kfd_record_device) {
			.user_gpu_id = pdd->user_gpu_id,
			.gfx_target_version = pdd->dev->info.gfx_target_version,
			.has_vm = 1,
			.policy_default = pdd->policy_default,
			.policy_alternate = pdd->policy_alternate,
			.alternate_base = pdd->alternate_base,
			.alternate_size = pdd->alternate_size,
			.scratch_va = pdd->scratch_va,
			.tba = pdd->tba,
			.tma = pdd->tma,
		};
		buckets[n].user_gpu_id = pdd->user_gpu_id;
		buckets[n].actual_gpu_id = pdd->dev->id;
		buckets[n].drm_fd = KFD_INVALID_FD;
		n++;
		ret = kfd_image_put(dump->out, KFD_RECORD_DEVICE, &rec,
				    sizeof(rec));
	}
	return ret;
}

static int kfd_criu_save(struct kfd_criu_dump *dump,
			 struct kfd_criu_device_bucket *buckets)
{
	int ret;
	u32 i;

	ret = kfd_criu_save_process(dump);
	if (!ret)
		ret = kfd_criu_save_devices(dump, buckets);
	for (i = 0; i < KFD_CRIU_NUM_KINDS && !ret; i++)
		ret = kfd_criu_kinds[i]->save(dump);
	if (ret)
		return ret;
	/* Nothing uninitialised may leave the kernel. */
	if (!KFD_BROKEN(counts_changed) &&
	    WARN_ON_ONCE(dump->out->used != dump->out->size ||
			 dump->bo != dump->num_bos))
		return -EINVAL;
	kfd_image_finish(dump->out);
	return 0;
}

/* What CHECKPOINT says must be what PROCESS_INFO would say now. */
static bool kfd_criu_args_match(struct kfd_process *p,
				const struct kfd_ioctl_criu_args *args)
{
	bool same = args->num_bos == kfd_bos->count(p) &&
		    args->num_objects == kfd_criu_num_objects(p) &&
		    args->priv_data_size == kfd_criu_image_size(p);

	if (KFD_BROKEN(no_buffer_objects) && !args->num_bos)
		return false;
	return args->num_devices == kfd_criu_num_devices(p) &&
	       (same || KFD_BROKEN(counts_changed)) && args->priv_data &&
	       (args->devices || !args->num_devices) &&
	       (args->bos || !args->num_bos);
}

static int kfd_criu_copy_out(const struct kfd_ioctl_criu_args *args,
			     const struct kfd_criu_dump *dump,
			     const struct kfd_criu_device_bucket *buckets)
{
	if (copy_to_user(u64_to_user_ptr(args->devices), buckets,
			 args->num_devices * sizeof(*buckets)) ||
	    copy_to_user(u64_to_user_ptr(args->bos), dump->bos,
			 args->num_bos * sizeof(*dump->bos)) ||
	    copy_to_user(u64_to_user_ptr(args->priv_data), dump->out->buf,
			 args->priv_data_size))
		return -EFAULT;
	return 0;
}

/* Buckets, image and fds, or nothing of it. */
static int kfd_criu_give_out(const struct kfd_ioctl_criu_args *args,
			     struct kfd_criu_dump *dump, pid_t pid,
			     const struct kfd_criu_device_bucket *buckets)
{
	u32 n = dump->num_bos;
	int ret;

	ret = kfd_criu_reserve_fds(dump->bos, dump->fd_files, n);
	if (ret)
		return ret;
	kfd_criu_phase_of(dump->p, pid, KFD_PHASE_CHECKPOINT_FDS_RESERVED);
	ret = kfd_criu_copy_out(args, dump, buckets);
	if (ret) {
		kfd_criu_unreserve_fds(dump->bos, dump->fd_files, n);
		return ret;
	}
	kfd_criu_phase_of(dump->p, pid, KFD_PHASE_CHECKPOINT_COPIED);
	kfd_criu_install_fds(dump->bos, dump->fd_files, n);
	kfd_criu_phase_of(dump->p, pid, KFD_PHASE_CHECKPOINT_INSTALLED);
	return 0;
}

/**
 * struct kfd_criu_result - what a checkpoint gives out
 * @dump: the checkpoint; its bos and fd_files are given out
 * @out: cursor into @image
 * @image: kernel copy of priv_data
 * @buckets: kernel copy of the device buckets
 * @pid: id of the process
 */
struct kfd_criu_result {
	struct kfd_criu_dump dump;
	struct kfd_image_writer out;
	void *image;
	struct kfd_criu_device_bucket *buckets;
	pid_t pid;
};

static int kfd_criu_result_alloc(struct kfd_criu_result *r,
				 const struct kfd_ioctl_criu_args *args)
{
	struct kfd_criu_dump *dump = &r->dump;

	dump->num_bos = args->num_bos;
	r->buckets = kcalloc(args->num_devices, sizeof(*r->buckets),
			     GFP_KERNEL_ACCOUNT);
	/* Every byte of these two is written before they are copied out. */
	r->image = kvmalloc(args->priv_data_size, GFP_KERNEL_ACCOUNT);
	dump->bos = kvmalloc_array(args->num_bos + 1, sizeof(*dump->bos),
				   GFP_KERNEL_ACCOUNT);
	dump->fd_files = kvcalloc(args->num_bos + 1, sizeof(*dump->fd_files),
				  GFP_KERNEL_ACCOUNT);
	if (!r->buckets || !r->image || !dump->bos || !dump->fd_files)
		return -ENOMEM;
	return kfd_image_writer_init(&r->out, r->image, args->priv_data_size);
}

static void kfd_criu_result_free(struct kfd_criu_result *r)
{
	kfd_criu_drop_files(r->dump.fd_files, r->dump.num_bos);
	kvfree(r->dump.fd_files);
	kvfree(r->dump.bos);
	kvfree(r->image);
	kfree(r->buckets);
}

static int kfd_criu_checkpoint_locked(struct kfd_process *p,
				      const struct kfd_ioctl_criu_args *args,
				      struct kfd_criu_result *r)
{
	int ret;

	kfd_criu_phase(p, KFD_PHASE_CHECKPOINT_BEGIN);
	kfd_refusal_begin(p, "CHECKPOINT");
	r->pid = pid_nr(p->tgid);
	if (!p->pause.active || !kfd_criu_args_match(p, args))
		return -EINVAL;
	ret = kfd_criu_check_addresses(p);
	if (!ret)
		ret = kfd_criu_result_alloc(r, args);
	if (!ret)
		ret = kfd_criu_save(&r->dump, r->buckets);
	if (!ret)
		kfd_criu_phase(p, KFD_PHASE_CHECKPOINT_SAVED);
	return ret;
}

/**
 * kfd_criu_checkpoint - CHECKPOINT: save everything
 * @p: a paused process
 * @args: counts and priv_data_size as PROCESS_INFO gave them; devices, bos and
 *	priv_data point to room for that much
 *
 * The caller's pages are touched without a lock: they may take for ever.
 *
 * Context: sleeps; takes process->lock.
 * Return: 0, with a dma-buf fd of the caller in the bucket of every VRAM and
 * GTT buffer; -EINVAL: not paused, counts or sizes that are no longer right,
 * no pointer; -EBUSY: a CPU address was given up since the pause began;
 * -EFAULT; -ENOMEM; -EMFILE; -EXDEV: a buffer was imported since the pause
 * began; -ETIME: a queue did not stop; -EBADF: the process is gone; -EINTR. No
 * fd is installed then.
 */
int kfd_criu_checkpoint(struct kfd_process *p,
			const struct kfd_ioctl_criu_args *args)
{
	struct kfd_criu_result r = { .dump = { .p = p, .out = &r.out } };
	int ret;

	ret = kfd_process_lock(p);
	if (ret)
		return ret;
	ret = kfd_criu_checkpoint_locked(p, args, &r);
	kfd_process_unlock(p);
	if (!ret)
		ret = kfd_criu_give_out(args, &r.dump, r.pid, r.buckets);
	kfd_criu_result_free(&r);
	return ret;
}
