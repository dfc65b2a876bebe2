// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/kfd (floor 5): open, the ioctl table and the copying of arguments, mmap.
 *
 * filp->private_data is the process, referenced, from open to release and
 * never changes. Nothing here has a lock of its own.
 *
 * Arguments cross in one copy each way. A handler sees a kernel copy of the
 * struct as this driver knows it, however long the caller's is; see the rules
 * at the top of <linux/kfd_ioctl.h>. What a handler did not change is not
 * copied back, and when what it made cannot be told, that is taken back: an
 * EFAULT leaves nothing behind.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/compat.h>
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <linux/kfd_ioctl.h>

#include "chardev.h"
#include "compat/compat.h"
#include "criu/criu.h"
#include "device_ioctl.h"
#include "event/event.h"
#include "gate.h"
#include "memory/memory.h"
#include "mmap_offset.h"
#include "queue/queue.h"
#include "remap/remap.h"
#include "smi.h"
#include "svm/svm.h"

#define KFD_NAME	"kfd"

/* The arguments are written back although the handler failed. */
#define KFD_IOCTL_COPY_ON_ERROR		BIT(0)
/* Checkpoint and restore: for the tracer too, and only with capability. */
#define KFD_IOCTL_CRIU			BIT(1)
/* An array follows the struct: as long as the request number says. */
#define KFD_IOCTL_VARIABLE		BIT(2)
/* For the process in another address space than the context's. */
#define KFD_IOCTL_ADOPT			BIT(3)

/**
 * struct kfd_ioctl_desc - one entry of the ioctl table
 * @cmd: request number, which says size and direction; 0: no such ioctl
 * @min_size: bytes up to the end of the last mandatory field
 * @flags: KFD_IOCTL_*
 * @check: (VARIABLE) whether the arguments are as long as they say
 * @func: handler; NULL: the interface has it, this driver does not
 * @undo: takes back what @func made, which its caller will never hear of; gets
 *	the arguments as @func found and as it left them; NULL: it makes nothing
 */
struct kfd_ioctl_desc {
	unsigned int cmd;
	unsigned int min_size;
	unsigned int flags;
	int (*check)(const void *data, unsigned int size);
	kfd_ioctl_fn func;
	void (*undo)(struct file *filp, struct kfd_process *p,
		     const void *before, const void *made);
};

#define KFD_IOCTL_AT(index, name, lower, type, last, fl, undo_fn)	\
	[index] = {							\
		.cmd = AMDKFD_IOC_##name,				\
		.min_size = offsetofend(struct kfd_ioctl_##type##_args, last), \
		.flags = (fl),						\
		.func = kfd_ioctl_##lower,				\
		.undo = (undo_fn),					\
	}

#define KFD_IOCTL_MAKES(name, lower, type, last, fl, undo_fn)		\
	KFD_IOCTL_AT(_IOC_NR(AMDKFD_IOC_##name), name, lower, type,	\
		     last, fl, undo_fn)

#define KFD_IOCTL_EXTENSION(name, lower, type, last, fl)		\
	KFD_IOCTL_AT(_IOC_NR(AMDKFD_IOC_##name) - AMDKFD_EXTENSION_START, \
		     name, lower, type, last, fl, NULL)

#define KFD_IOCTL(name, lower, type, last, fl)				\
	KFD_IOCTL_MAKES(name, lower, type, last, fl, NULL)

#define KFD_IOCTL_UNSUPPORTED(name)					\
	[_IOC_NR(AMDKFD_IOC_##name)] = { .cmd = AMDKFD_IOC_##name }

static void kfd_undo_create_queue(struct file *filp, struct kfd_process *p,
				  const void *before, const void *made)
{
	const struct kfd_ioctl_create_queue_args *queue = made;
	struct kfd_ioctl_destroy_queue_args args = {
		.queue_id = queue->queue_id,
	};

	kfd_ioctl_destroy_queue(filp, p, &args);
}

static void kfd_undo_create_event(struct file *filp, struct kfd_process *p,
				  const void *before, const void *made)
{
	const struct kfd_ioctl_create_event_args *asked = before, *event = made;

	kfd_event_undo_create(p, event->event_id, asked->event_page_offset);
}

static void kfd_undo_alloc_memory(struct file *filp, struct kfd_process *p,
				  const void *before, const void *made)
{
	const struct kfd_ioctl_alloc_memory_of_gpu_args *bo = made;
	struct kfd_ioctl_free_memory_of_gpu_args args = {
		.handle = bo->handle,
	};

	kfd_ioctl_free_memory_of_gpu(filp, p, &args);
}

static void kfd_undo_import_dmabuf(struct file *filp, struct kfd_process *p,
				   const void *before, const void *made)
{
	const struct kfd_ioctl_import_dmabuf_args *bo = made;
	struct kfd_ioctl_free_memory_of_gpu_args args = {
		.handle = bo->handle,
	};

	kfd_ioctl_free_memory_of_gpu(filp, p, &args);
}

static void kfd_undo_criu_op(struct file *filp, struct kfd_process *p,
			     const void *before, const void *made)
{
	const struct kfd_ioctl_criu_args *args = made;

	/* No other operation answers in its arguments. */
	if (args->op == KFD_CRIU_OP_PROCESS_INFO)
		kfd_criu_undo_process_info(p, filp);
}

static void kfd_undo_smi_events(struct file *filp, struct kfd_process *p,
				const void *before, const void *made)
{
	const struct kfd_ioctl_smi_events_args *args = made;

	kfd_smi_undo_open(p, args->anon_fd);
}

static const struct kfd_ioctl_desc kfd_ioctls[AMDKFD_COMMAND_END] = {
	KFD_IOCTL(GET_VERSION, get_version, get_version, minor_version, 0),
	KFD_IOCTL_MAKES(CREATE_QUEUE, create_queue, create_queue, queue_id, 0,
			kfd_undo_create_queue),
	KFD_IOCTL(DESTROY_QUEUE, destroy_queue, destroy_queue, queue_id, 0),
	KFD_IOCTL(SET_MEMORY_POLICY, set_memory_policy, set_memory_policy,
		  alternate_policy, 0),
	KFD_IOCTL(GET_CLOCK_COUNTERS, get_clock_counters, get_clock_counters,
		  gpu_id, 0),
	KFD_IOCTL(GET_PROCESS_APERTURES, get_process_apertures,
		  get_process_apertures, num_of_nodes, 0),
	KFD_IOCTL(UPDATE_QUEUE, update_queue, update_queue, queue_priority, 0),
	KFD_IOCTL_MAKES(CREATE_EVENT, create_event, create_event,
			event_slot_index, 0, kfd_undo_create_event),
	KFD_IOCTL(DESTROY_EVENT, destroy_event, destroy_event, event_id, 0),
	KFD_IOCTL(SET_EVENT, set_event, set_event, event_id, 0),
	KFD_IOCTL(RESET_EVENT, reset_event, reset_event, event_id, 0),
	KFD_IOCTL(WAIT_EVENTS, wait_events, wait_events, wait_result,
		  KFD_IOCTL_COPY_ON_ERROR),
	KFD_IOCTL_UNSUPPORTED(DBG_REGISTER_DEPRECATED),
	KFD_IOCTL_UNSUPPORTED(DBG_UNREGISTER_DEPRECATED),
	KFD_IOCTL_UNSUPPORTED(DBG_ADDRESS_WATCH_DEPRECATED),
	KFD_IOCTL_UNSUPPORTED(DBG_WAVE_CONTROL_DEPRECATED),
	KFD_IOCTL(SET_SCRATCH_BACKING_VA, set_scratch_backing_va,
		  set_scratch_backing_va, gpu_id, 0),
	KFD_IOCTL(GET_TILE_CONFIG, get_tile_config, get_tile_config,
		  num_ranks, KFD_IOCTL_COPY_ON_ERROR),
	KFD_IOCTL(SET_TRAP_HANDLER, set_trap_handler, set_trap_handler,
		  gpu_id, 0),
	KFD_IOCTL(GET_PROCESS_APERTURES_NEW, get_process_apertures_new,
		  get_process_apertures_new, num_of_nodes, 0),
	KFD_IOCTL(ACQUIRE_VM, acquire_vm, acquire_vm, gpu_id, 0),
	KFD_IOCTL_MAKES(ALLOC_MEMORY_OF_GPU, alloc_or_remap,
			alloc_memory_of_gpu, flags, 0, kfd_undo_alloc_memory),
	KFD_IOCTL(FREE_MEMORY_OF_GPU, free_memory_of_gpu, free_memory_of_gpu,
		  handle, 0),
	KFD_IOCTL(MAP_MEMORY_TO_GPU, map_memory_to_gpu, map_memory_to_gpu,
		  n_success, KFD_IOCTL_COPY_ON_ERROR),
	KFD_IOCTL(UNMAP_MEMORY_FROM_GPU, unmap_memory_from_gpu,
		  unmap_memory_from_gpu, n_success, KFD_IOCTL_COPY_ON_ERROR),
	KFD_IOCTL(SET_CU_MASK, set_cu_mask, set_cu_mask, cu_mask_ptr, 0),
	KFD_IOCTL(GET_QUEUE_WAVE_STATE, get_queue_wave_state,
		  get_queue_wave_state, queue_id, 0),
	KFD_IOCTL(GET_DMABUF_INFO, get_dmabuf_info, get_dmabuf_info,
		  dmabuf_fd, 0),
	KFD_IOCTL_MAKES(IMPORT_DMABUF, import_dmabuf, import_dmabuf, dmabuf_fd,
			0, kfd_undo_import_dmabuf),
	KFD_IOCTL_UNSUPPORTED(ALLOC_QUEUE_GWS),
	KFD_IOCTL_MAKES(SMI_EVENTS, smi_events, smi_events, gpuid, 0,
			kfd_undo_smi_events),
	[_IOC_NR(AMDKFD_IOC_SVM)] = {
		.cmd = AMDKFD_IOC_SVM,
		.min_size = sizeof(struct kfd_ioctl_svm_args),
		.flags = KFD_IOCTL_VARIABLE,
		.check = kfd_svm_ioctl_check,
		.func = kfd_ioctl_svm,
	},
	KFD_IOCTL(SET_XNACK_MODE, set_xnack_mode, set_xnack_mode,
		  xnack_enabled, 0),
	KFD_IOCTL_MAKES(CRIU_OP, criu_op, criu, op, KFD_IOCTL_CRIU,
			kfd_undo_criu_op),
	KFD_IOCTL(AVAILABLE_MEMORY, available_memory, get_available_memory,
		  gpu_id, 0),
};

static const struct kfd_ioctl_desc kfd_extensions[AMDKFD_EXTENSION_END -
						  AMDKFD_EXTENSION_START] = {
	KFD_IOCTL_EXTENSION(VADDR_INFO, vaddr_info, vaddr_info, exec_blockers,
			    0),
	KFD_IOCTL_EXTENSION(CHANGE_OWNER, change_owner, change_owner, pad,
			    KFD_IOCTL_ADOPT),
};

static int kfd_major;
static struct class *kfd_class;
static struct device *kfd_device_node;

static int kfd_open(struct inode *inode, struct file *filp)
{
	struct kfd_process *p;

	if (iminor(inode))
		return -ENODEV;
	if (in_compat_syscall())
		return -EPERM;

	p = kfd_process_create_current();
	if (IS_ERR(p))
		/* A signal that does not kill must not make an open fail. */
		return PTR_ERR(p) == -EINTR ? -ERESTARTSYS : PTR_ERR(p);

	filp->private_data = p;
	kfd_owner_file_opened(p);
	/* One address space for all files of a process, to unmap from. */
	filp->f_mapping = &p->mapping;
	return 0;
}

static int kfd_flush(struct file *filp, fl_owner_t id)
{
	kfd_criu_file_closed(filp->private_data, id, filp);
	return 0;
}

static int kfd_release(struct inode *inode, struct file *filp)
{
	/* The process may go now, and its address space with it. */
	filp->f_mapping = inode->i_mapping;
	kfd_owner_file_released(filp->private_data);
	kfd_process_put(filp->private_data);
	return 0;
}

/* --- ioctl ----------------------------------------------------------------- */

static const struct kfd_ioctl_desc *kfd_ioctl_find(unsigned int cmd)
{
	unsigned int nr = _IOC_NR(cmd);

	if (_IOC_TYPE(cmd) != AMDKFD_IOCTL_BASE)
		return NULL;
	if (nr >= AMDKFD_EXTENSION_START && nr < AMDKFD_EXTENSION_END)
		return &kfd_extensions[nr - AMDKFD_EXTENSION_START];
	if (nr >= ARRAY_SIZE(kfd_ioctls) || !kfd_ioctls[nr].cmd)
		return NULL;
	return &kfd_ioctls[nr];
}

/* Whether the caller may do it to this process, whatever it asks for. */
static int kfd_ioctl_gate(const struct kfd_ioctl_desc *desc,
			  struct kfd_process *p)
{
	bool criu = desc->flags & KFD_IOCTL_CRIU;
	int ret;

	if (desc->flags & KFD_IOCTL_ADOPT)
		ret = kfd_gate_who(p->tgid) == KFD_GATE_SELF ? 0 : -EBADF;
	else if (kfd_process_is_orphan(p))
		ret = -EBADF;
	else
		ret = kfd_gate_check(p->tgid, READ_ONCE(p->mm), criu, criu);
	if (ret)
		return ret;
	if (!desc->func)
		return -EOPNOTSUPP;
	return READ_ONCE(p->dead) ? -EBADF : 0;
}

/* Bytes of the arguments as a handler gets them. */
static unsigned int kfd_ioctl_size(const struct kfd_ioctl_desc *desc,
				   unsigned int usize)
{
	unsigned int ksize = _IOC_SIZE(desc->cmd);

	return desc->flags & KFD_IOCTL_VARIABLE ? max(ksize, usize) : ksize;
}

static int kfd_ioctl_copy_in(const struct kfd_ioctl_desc *desc,
			     unsigned int usize, void __user *uarg, void *data)
{
	unsigned int ksize = kfd_ioctl_size(desc, usize);
	unsigned int size = min(usize, ksize);
	int ret;

	if (usize < desc->min_size)
		return -EINVAL;
	memset(data, 0, ksize);
	if (!(_IOC_DIR(desc->cmd) & _IOC_WRITE))
		return 0;

	if (copy_from_user(data, uarg, size))
		return -EFAULT;
	/*
	 * Userspace that is newer than the driver relies on it that mainline
	 * ignores what it does not know. Of our own calls nobody does.
	 */
	if (usize > ksize && _IOC_NR(desc->cmd) >= AMDKFD_EXTENSION_START) {
		ret = check_zeroed_user(uarg + ksize, usize - ksize);
		if (ret <= 0)
			return ret ?: -E2BIG;
	}
	/*
	 * What is created must not be lost because its id can't be handed
	 * out: find out first, by writing back what was read.
	 */
	if (_IOC_DIR(desc->cmd) & _IOC_READ && copy_to_user(uarg, data, size))
		return -EFAULT;
	return desc->check ? desc->check(data, ksize) : 0;
}

/* @before: room for another copy of the arguments */
static int kfd_ioctl_run(struct file *filp, const struct kfd_ioctl_desc *desc,
			 unsigned int usize, void __user *uarg, void *data,
			 void *before)
{
	unsigned int ksize = kfd_ioctl_size(desc, usize);
	int ret, err;

	ret = kfd_ioctl_copy_in(desc, usize, uarg, data);
	if (ret)
		return ret;
	memcpy(before, data, ksize);

	err = desc->func(filp, filp->private_data, data);
	if (err && !(desc->flags & KFD_IOCTL_COPY_ON_ERROR))
		return err;
	if (!(_IOC_DIR(desc->cmd) & _IOC_READ))
		return err;
	/* The caller has it already. */
	if (_IOC_DIR(desc->cmd) & _IOC_WRITE && !memcmp(before, data, ksize))
		return err;
	if (!copy_to_user(uarg, data, min(usize, ksize)))
		return err;
	if (!err && desc->undo)
		desc->undo(filp, filp->private_data, before, data);
	return err ?: -EFAULT;
}

static long kfd_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	const struct kfd_ioctl_desc *desc = kfd_ioctl_find(cmd);
	struct kfd_process *p = filp->private_data;
	unsigned int size, usize = _IOC_SIZE(cmd);
	void __user *uarg = (void __user *)arg;
	u64 stack[2 * 128 / sizeof(u64)];
	void *data = stack;
	int ret;

	if (!desc)
		return -ENOTTY;
	ret = kfd_ioctl_gate(desc, p);
	if (ret)
		return ret;

	size = kfd_ioctl_size(desc, usize);
	if (2 * size > sizeof(stack)) {
		data = kmalloc(2 * size, GFP_KERNEL);
		if (!data)
			return -ENOMEM;
	}
	ret = kfd_ioctl_run(filp, desc, usize, uarg, data, data + size);
	if (data != stack)
		kfree(data);
	return ret;
}

/* --- mmap ------------------------------------------------------------------ */

static int kfd_mmap(struct file *filp, struct vm_area_struct *vma)
{
	u64 offset = (u64)vma->vm_pgoff << PAGE_SHIFT;
	u32 gpu_id = (offset & KFD_MMAP_GPU_ID_MASK) >> KFD_MMAP_GPU_ID_SHIFT;
	u64 at = kfd_mmap_at(offset);
	u64 type = offset & KFD_MMAP_TYPE_MASK;
	struct kfd_process *p = filp->private_data;
	struct kfd_process_device *pdd;

	if (vma->vm_mm != READ_ONCE(p->mm) || READ_ONCE(p->dead))
		return -EBADF;
	/* Private pages of a device cannot be told from its own. */
	if ((vma->vm_flags & (VM_SHARED | VM_MAYWRITE)) == VM_MAYWRITE)
		return -EINVAL;

	kfd_compat_vm_flags_set(vma, VM_IO | VM_PFNMAP | VM_DONTCOPY |
				VM_DONTEXPAND | VM_DONTDUMP);
	switch (type) {
	case KFD_MMAP_TYPE_EVENTS:
		return kfd_event_mmap(p, vma, at);
	case KFD_MMAP_TYPE_DOORBELL:
	case KFD_MMAP_TYPE_MMIO:
		pdd = kfd_process_device_by_id(p, gpu_id);
		if (!pdd)
			return -ENODEV;
		return kfd_doorbell_mmap(pdd, vma, at,
					 type == KFD_MMAP_TYPE_MMIO);
	default:
		/* Reserved memory: of GPUs with an address space of the CPU's. */
		return -ENODEV;
	}
}

/* --- the device ------------------------------------------------------------ */

static const struct file_operations kfd_fops = {
	.owner = THIS_MODULE,
	.open = kfd_open,
	.flush = kfd_flush,
	.release = kfd_release,
	.unlocked_ioctl = kfd_ioctl,
	.mmap = kfd_mmap,
	.show_fdinfo = kfd_show_fdinfo,
	.llseek = noop_llseek,
};

static char *kfd_devnode(KFD_COMPAT_DEVNODE_CONST struct device *dev,
			 umode_t *mode)
{
	/* Who may use which GPU is decided at its render node. */
	if (mode)
		*mode = 0666;
	return NULL;
}

/**
 * kfd_chardev_init() - make /dev/kfd
 *
 * Context: module init; processes may come from here on.
 * Return: 0 or a negative errno.
 */
int kfd_chardev_init(void)
{
	int ret;

	kfd_major = register_chrdev(0, KFD_NAME, &kfd_fops);
	if (kfd_major < 0)
		return kfd_major;

	kfd_class = kfd_compat_class_create(KFD_NAME);
	if (IS_ERR(kfd_class)) {
		ret = PTR_ERR(kfd_class);
		goto err_chrdev;
	}
	kfd_class->devnode = kfd_devnode;

	kfd_device_node = device_create(kfd_class, NULL, MKDEV(kfd_major, 0),
					NULL, KFD_NAME);
	if (IS_ERR(kfd_device_node)) {
		ret = PTR_ERR(kfd_device_node);
		goto err_class;
	}
	return 0;

err_class:
	class_destroy(kfd_class);
err_chrdev:
	unregister_chrdev(kfd_major, KFD_NAME);
	return ret;
}

/**
 * kfd_chardev_exit() - take /dev/kfd away
 *
 * Context: module exit, or init that failed: no file of it is open, as each
 * holds the module.
 */
void kfd_chardev_exit(void)
{
	device_destroy(kfd_class, MKDEV(kfd_major, 0));
	class_destroy(kfd_class);
	unregister_chrdev(kfd_major, KFD_NAME);
}

/**
 * kfd_chardev_device() - the device that the topology hangs below
 *
 * Return: the device of /dev/kfd, valid until kfd_chardev_exit().
 */
struct device *kfd_chardev_device(void)
{
	return kfd_device_node;
}
