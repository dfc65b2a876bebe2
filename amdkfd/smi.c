// SPDX-License-Identifier: GPL-2.0-only
/*
 * SMI events (floor 2): the files that AMDKFD_IOC_SMI_EVENTS opens, and the
 * lines that go into them.
 *
 * A file belongs to the process that opened it and to one GPU. It is told what
 * happens to that process there, what happens to the GPU itself, and, if its
 * opener had CAP_SYS_ADMIN and the mask asks for it, what happens to all
 * processes there. It refers to both by bare pointers, which are compared and
 * never followed but for the process's count of sessions, and which are taken
 * away when a process or a GPU ends. So a file that was passed on and forgotten
 * keeps nothing but itself and this module: the process's struct is freed, a
 * GPU can be unregistered, and the file is at its end then (0 from read(),
 * EPOLLHUP).
 *
 * A file keeps up to SMI_BUFFER bytes of lines that nobody has read. A line
 * that does not fit is dropped and counted (fdinfo); those that are there stay,
 * so that what is read has happened in that order without a hole before it.
 *
 * Nobody's event walks over the files of strangers: what happens to a process is
 * looked for in the list of its own files, SMI_MAX_FILES at most, and in that of
 * the GPU's files that want all processes, which take CAP_SYS_ADMIN. Only what
 * happens to a GPU itself goes through all of its files.
 *
 * DOC: locks
 *
 * kfd_smi_lock is a spinlock that protects the lists, every field of a file
 * that says so, and kfd_device.smi_resets. Nothing is taken inside it but wait
 * queues' locks. A file's read_lock is for readers alone, who copy to user
 * space between looking at lines and removing them: an EFAULT loses none.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/anon_inodes.h>
#include <linux/capability.h>
#include <linux/ctype.h>
#include <linux/fcntl.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include "process.h"
#include "smi.h"

#define SMI_BUFFER	1024
/* Files that a process has opened and that are still open somewhere. */
#define SMI_MAX_FILES	128

/**
 * struct kfd_smi_file - one open file
 * @link: in the process's list, while there is a process (kfd_smi_lock)
 * @dev_link: in the GPU's list, while there is a GPU (kfd_smi_lock)
 * @watch_link: in the GPU's list of those that want all processes, while it is
 *	one (kfd_smi_lock)
 * @process: who opened it; NULL once that is gone (kfd_smi_lock)
 * @dev: GPU that it tells of; NULL once that is gone (kfd_smi_lock)
 * @gpu_id: of that GPU; immutable
 * @admin: the opener had CAP_SYS_ADMIN; immutable
 * @mask: events that are asked for (kfd_smi_lock)
 * @dropped: lines that found no room (kfd_smi_lock)
 * @used: bytes in @buffer (kfd_smi_lock)
 * @buffer: lines that nobody has read yet (kfd_smi_lock)
 * @readable: for poll()
 * @read_lock: one reader at a time
 */
struct kfd_smi_file {
	struct list_head link;
	struct list_head dev_link;
	struct list_head watch_link;
	struct kfd_process *process;
	struct kfd_device *dev;
	u32 gpu_id;
	bool admin;
	u64 mask;
	u64 dropped;
	u32 used;
	char buffer[SMI_BUFFER];
	wait_queue_head_t readable;
	struct mutex read_lock; /* who copies lines out */
};

static DEFINE_SPINLOCK(kfd_smi_lock);

/* --- telling --------------------------------------------------------------- */

static void kfd_smi_put(struct kfd_smi_file *f, const struct kfd_device *dev,
			u32 event, const char *line, u32 len)
{
	lockdep_assert_held(&kfd_smi_lock);
	if (f->dev != dev || !(f->mask & KFD_SMI_EVENT_MASK_FROM_INDEX(event)))
		return;
	if (f->used + len > SMI_BUFFER) {
		f->dropped++;
		return;
	}
	memcpy(f->buffer + f->used, line, len);
	f->used += len;
	wake_up_interruptible_poll(&f->readable, EPOLLIN | EPOLLRDNORM);
}

/* @p: whose event it is; NULL: the GPU's own. */
static void kfd_smi_deliver(const struct kfd_process *p,
			    const struct kfd_device *dev, u32 event,
			    const char *line, u32 len)
{
	struct kfd_smi_file *f;

	lockdep_assert_held(&kfd_smi_lock);
	if (!p) {
		list_for_each_entry(f, &dev->smi_files, dev_link)
			kfd_smi_put(f, dev, event, line, len);
		return;
	}
	list_for_each_entry(f, &p->smi_files, link)
		kfd_smi_put(f, dev, event, line, len);
	list_for_each_entry(f, &dev->smi_watchers, watch_link)
		if (f->process != p)
			kfd_smi_put(f, dev, event, line, len);
}

/* Whether somebody may want to know; a mere guess without the lock. */
static bool kfd_smi_is_told(const struct kfd_process *p,
			    const struct kfd_device *dev)
{
	if (!p)
		return !list_empty(&dev->smi_files);
	return !list_empty(&p->smi_files) || !list_empty(&dev->smi_watchers);
}

/* One line: the number of the event in hex, a blank, and what @fmt makes. */
static __printf(3, 0) u32 kfd_smi_format(char *line, u32 event,
					 const char *fmt, va_list args)
{
	u32 len = scnprintf(line, KFD_SMI_EVENT_MSG_SIZE, "%x ", event);

	len += vscnprintf(line + len, KFD_SMI_EVENT_MSG_SIZE - len, fmt, args);
	/* Only numbers that cannot be would be cut off; not even then the end. */
	line[len - 1] = '\n';
	return len;
}

static __printf(4, 5) void kfd_smi_tell(const struct kfd_process *p,
					const struct kfd_device *dev,
					u32 event, const char *fmt, ...)
{
	char line[KFD_SMI_EVENT_MSG_SIZE];
	va_list args;
	u32 len;

	if (!kfd_smi_is_told(p, dev))
		return;
	va_start(args, fmt);
	len = kfd_smi_format(line, event, fmt, args);
	va_end(args);
	spin_lock(&kfd_smi_lock);
	kfd_smi_deliver(p, dev, event, line, len);
	spin_unlock(&kfd_smi_lock);
}

static s64 kfd_smi_now(void)
{
	return ktime_get_boottime_ns();
}

static pid_t kfd_smi_pid(const struct kfd_process *p)
{
	return pid_nr(p->tgid);
}

/**
 * kfd_smi_vm_fault() - a GPU access of a process had no translation
 * @p: the process
 * @dev: the GPU
 *
 * Context: as said at the top of smi.h.
 */
void kfd_smi_vm_fault(struct kfd_process *p, struct kfd_device *dev)
{
	char name[TASK_COMM_LEN] = "";
	struct task_struct *leader;
	char *c;

	rcu_read_lock();
	leader = pid_task(p->tgid, PIDTYPE_TGID);
	if (leader)
		get_task_comm(name, leader);
	rcu_read_unlock();
	/* A process chooses its name; the lines of others it does not write. */
	for (c = name; *c; c++)
		if (!isprint(*c))
			*c = '?';
	kfd_smi_tell(p, dev, KFD_SMI_EVENT_VMFAULT, "%x:%s\n", kfd_smi_pid(p),
		     name);
}

/**
 * kfd_smi_gpu_reset() - a GPU is being reset
 * @dev: the GPU
 * @begin: the reset begins (else: it is over)
 *
 * Context: as said at the top of smi.h.
 */
void kfd_smi_gpu_reset(struct kfd_device *dev, bool begin)
{
	u32 number;

	spin_lock(&kfd_smi_lock);
	if (begin)
		dev->smi_resets++;
	number = dev->smi_resets;
	spin_unlock(&kfd_smi_lock);
	kfd_smi_tell(NULL, dev, begin ? KFD_SMI_EVENT_GPU_PRE_RESET :
					KFD_SMI_EVENT_GPU_POST_RESET,
		     "%x\n", number);
}

/**
 * kfd_smi_migration_start() - pages of a process begin to move
 * @p: the process
 * @dev: the GPU that they move to or from
 * @start: first page
 * @last: last page
 * @from_gpu_id: where they are: a GPU's id, 0: system memory
 * @to_gpu_id: where they go
 * @prefetch_loc: where the process has asked for them last
 * @preferred_loc: where it wants them
 * @trigger: why
 *
 * Context: as said at the top of smi.h.
 */
void kfd_smi_migration_start(struct kfd_process *p, struct kfd_device *dev,
			     unsigned long start, unsigned long last,
			     u32 from_gpu_id, u32 to_gpu_id, u32 prefetch_loc,
			     u32 preferred_loc,
			     enum KFD_MIGRATE_TRIGGERS trigger)
{
	kfd_smi_tell(p, dev, KFD_SMI_EVENT_MIGRATE_START,
		     "%lld -%d @%lx(%lx) %x->%x %x:%x %d\n", kfd_smi_now(),
		     kfd_smi_pid(p), start, last - start + 1, from_gpu_id,
		     to_gpu_id, prefetch_loc, preferred_loc, trigger);
}

/**
 * kfd_smi_migration_end() - pages of a process have moved
 * @p: the process
 * @dev: the GPU that they moved to or from
 * @start: first page
 * @last: last page
 * @from_gpu_id: where they were: a GPU's id, 0: system memory
 * @to_gpu_id: where they are
 * @trigger: why
 *
 * Context: as said at the top of smi.h.
 */
void kfd_smi_migration_end(struct kfd_process *p, struct kfd_device *dev,
			   unsigned long start, unsigned long last,
			   u32 from_gpu_id, u32 to_gpu_id,
			   enum KFD_MIGRATE_TRIGGERS trigger)
{
	kfd_smi_tell(p, dev, KFD_SMI_EVENT_MIGRATE_END,
		     "%lld -%d @%lx(%lx) %x->%x %d\n", kfd_smi_now(),
		     kfd_smi_pid(p), start, last - start + 1, from_gpu_id,
		     to_gpu_id, trigger);
}

/**
 * kfd_smi_page_fault_start() - a fault that can be served is looked at
 * @p: whose
 * @dev: GPU that faulted
 * @va: address, in bytes
 * @write: it wanted to write
 *
 * Context: as said at the top of smi.h.
 */
void kfd_smi_page_fault_start(struct kfd_process *p, struct kfd_device *dev,
			      u64 va, bool write)
{
	kfd_smi_tell(p, dev, KFD_SMI_EVENT_PAGE_FAULT_START,
		     "%lld -%d @%llx(%x) %c\n", kfd_smi_now(), kfd_smi_pid(p),
		     va >> PAGE_SHIFT, dev->id, write ? 'W' : 'R');
}

/**
 * kfd_smi_page_fault_end() - a fault has been served
 * @p: whose
 * @dev: GPU that faulted
 * @va: address, in bytes
 * @migrated: pages were moved for it
 *
 * Context: as said at the top of smi.h.
 */
void kfd_smi_page_fault_end(struct kfd_process *p, struct kfd_device *dev,
			    u64 va, bool migrated)
{
	kfd_smi_tell(p, dev, KFD_SMI_EVENT_PAGE_FAULT_END,
		     "%lld -%d @%llx(%x) %c\n", kfd_smi_now(), kfd_smi_pid(p),
		     va >> PAGE_SHIFT, dev->id, migrated ? 'M' : 'U');
}

/**
 * kfd_smi_queue_eviction() - the queues of a process are taken off a GPU
 * @p: the process
 * @dev: the GPU
 * @trigger: why
 *
 * Context: as said at the top of smi.h.
 */
void kfd_smi_queue_eviction(struct kfd_process *p, struct kfd_device *dev,
			    enum KFD_QUEUE_EVICTION_TRIGGERS trigger)
{
	kfd_smi_tell(p, dev, KFD_SMI_EVENT_QUEUE_EVICTION, "%lld -%d %x %d\n",
		     kfd_smi_now(), kfd_smi_pid(p), dev->id, trigger);
}

/**
 * kfd_smi_queue_restore() - the queues of a process come back to a GPU
 * @p: the process
 * @dev: the GPU
 * @rescheduled: they do not yet: it will be tried again
 *
 * Context: as said at the top of smi.h.
 */
void kfd_smi_queue_restore(struct kfd_process *p, struct kfd_device *dev,
			   bool rescheduled)
{
	kfd_smi_tell(p, dev, KFD_SMI_EVENT_QUEUE_RESTORE, "%lld -%d %x%s\n",
		     kfd_smi_now(), kfd_smi_pid(p), dev->id,
		     rescheduled ? " R" : "");
}

/**
 * kfd_smi_unmap_from_gpu() - pages of a process are taken off a GPU
 * @p: the process
 * @dev: the GPU
 * @start: first page
 * @last: last page
 * @trigger: why
 *
 * Context: as said at the top of smi.h.
 */
void kfd_smi_unmap_from_gpu(struct kfd_process *p, struct kfd_device *dev,
			    unsigned long start, unsigned long last,
			    enum KFD_SVM_UNMAP_TRIGGERS trigger)
{
	kfd_smi_tell(p, dev, KFD_SMI_EVENT_UNMAP_FROM_GPU,
		     "%lld -%d @%lx(%lx) %x %d\n", kfd_smi_now(),
		     kfd_smi_pid(p), start, last - start + 1, dev->id,
		     trigger);
}

/* --- the file -------------------------------------------------------------- */

/* As many whole lines as fit into @size, or else a part of the first one. */
static u32 kfd_smi_peek(const struct kfd_smi_file *f, char *to, u32 size)
{
	u32 n = min(size, f->used), cut = n;

	lockdep_assert_held(&kfd_smi_lock);
	while (cut && f->buffer[cut - 1] != '\n')
		cut--;
	if (cut)
		n = cut;
	memcpy(to, f->buffer, n);
	return n;
}

static ssize_t kfd_smi_read(struct file *filp, char __user *user, size_t size,
			    loff_t *offset)
{
	struct kfd_smi_file *f = filp->private_data;
	ssize_t ret;
	char *lines;
	u32 n;

	if (!size)
		return 0;
	lines = kmalloc(SMI_BUFFER, GFP_KERNEL);
	if (!lines)
		return -ENOMEM;
	ret = -ERESTARTSYS;
	if (mutex_lock_interruptible(&f->read_lock))
		goto free;

	spin_lock(&kfd_smi_lock);
	n = kfd_smi_peek(f, lines, min_t(size_t, size, SMI_BUFFER));
	ret = f->dev ? -EAGAIN : 0;
	spin_unlock(&kfd_smi_lock);
	if (!n)
		goto unlock;
	ret = -EFAULT;
	if (copy_to_user(user, lines, n))
		goto unlock;

	/* Lines may have been added meanwhile, but only this takes any away. */
	spin_lock(&kfd_smi_lock);
	f->used -= n;
	memmove(f->buffer, f->buffer + n, f->used);
	spin_unlock(&kfd_smi_lock);
	ret = n;
unlock:
	mutex_unlock(&f->read_lock);
free:
	kfree(lines);
	return ret;
}

static ssize_t kfd_smi_write(struct file *filp, const char __user *user,
			     size_t size, loff_t *offset)
{
	struct kfd_smi_file *f = filp->private_data;
	u64 all = KFD_SMI_EVENT_MASK_FROM_INDEX(KFD_SMI_EVENT_ALL_PROCESS);
	u64 mask;

	/* Bits of events that there are not are never looked at. */
	if (size < sizeof(mask) || copy_from_user(&mask, user, sizeof(mask)))
		return -EFAULT;
	spin_lock(&kfd_smi_lock);
	f->mask = mask;
	list_del_init(&f->watch_link);
	if (f->dev && f->admin && (mask & all))
		list_add_tail(&f->watch_link, &f->dev->smi_watchers);
	spin_unlock(&kfd_smi_lock);
	return sizeof(mask);
}

static __poll_t kfd_smi_poll(struct file *filp, struct poll_table_struct *wait)
{
	struct kfd_smi_file *f = filp->private_data;
	__poll_t events = 0;

	poll_wait(filp, &f->readable, wait);
	spin_lock(&kfd_smi_lock);
	if (f->used || !f->dev)
		events |= EPOLLIN | EPOLLRDNORM;
	if (!f->dev)
		events |= EPOLLHUP;
	spin_unlock(&kfd_smi_lock);
	return events;
}

static void kfd_smi_show_fdinfo(struct seq_file *m, struct file *filp)
{
	struct kfd_smi_file *f = filp->private_data;
	u64 mask, dropped;
	u32 used;

	spin_lock(&kfd_smi_lock);
	mask = f->mask;
	dropped = f->dropped;
	used = f->used;
	spin_unlock(&kfd_smi_lock);
	seq_printf(m, "kfd-smi-gpu:\t%u\n", f->gpu_id);
	seq_printf(m, "kfd-smi-mask:\t0x%llx\n", mask);
	seq_printf(m, "kfd-smi-unread:\t%u\n", used);
	seq_printf(m, "kfd-smi-dropped:\t%llu\n", dropped);
}

/* Nobody finds the file any more. */
static void kfd_smi_unlink(struct kfd_smi_file *f)
{
	spin_lock(&kfd_smi_lock);
	list_del_init(&f->link);
	list_del_init(&f->dev_link);
	list_del_init(&f->watch_link);
	if (f->process)
		atomic_dec(&f->process->smi_sessions);
	spin_unlock(&kfd_smi_lock);
}

static void kfd_smi_free(struct kfd_smi_file *f)
{
	mutex_destroy(&f->read_lock);
	kfree(f);
}

static int kfd_smi_release(struct inode *inode, struct file *filp)
{
	struct kfd_smi_file *f = filp->private_data;

	kfd_smi_unlink(f);
	kfd_smi_free(f);
	return 0;
}

static const struct file_operations kfd_smi_fops = {
	.owner = THIS_MODULE,
	.read = kfd_smi_read,
	.write = kfd_smi_write,
	.poll = kfd_smi_poll,
	.show_fdinfo = kfd_smi_show_fdinfo,
	.release = kfd_smi_release,
};

/* 0; -ENODEV: the GPU is gone; -ENOSPC: the process has SMI_MAX_FILES. */
static int kfd_smi_link(struct kfd_smi_file *f, struct kfd_process *p,
			struct kfd_device *dev)
{
	int ret = 0;

	spin_lock(&kfd_smi_lock);
	if (READ_ONCE(dev->gone)) {
		ret = -ENODEV;
	} else if (atomic_read(&p->smi_sessions) >= SMI_MAX_FILES) {
		ret = -ENOSPC;
	} else {
		f->process = p;
		f->dev = dev;
		atomic_inc(&p->smi_sessions);
		list_add_tail(&f->link, &p->smi_files);
		list_add_tail(&f->dev_link, &dev->smi_files);
	}
	spin_unlock(&kfd_smi_lock);
	return ret;
}

static int kfd_smi_open(struct kfd_process *p, struct kfd_device *dev)
{
	struct kfd_smi_file *f;
	int fd, ret;

	f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);
	if (!f)
		return -ENOMEM;
	f->gpu_id = dev->id;
	f->admin = capable(CAP_SYS_ADMIN);
	INIT_LIST_HEAD(&f->link);
	INIT_LIST_HEAD(&f->dev_link);
	INIT_LIST_HEAD(&f->watch_link);
	init_waitqueue_head(&f->readable);
	mutex_init(&f->read_lock);

	/* First of all, so that nothing has to be undone but this. */
	ret = kfd_smi_link(f, p, dev);
	if (ret) {
		kfd_smi_free(f);
		return ret;
	}

	fd = anon_inode_getfd("kfd_smi_ev", &kfd_smi_fops, f,
			      O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		kfd_smi_unlink(f);
		kfd_smi_free(f);
	}
	return fd;
}

/**
 * kfd_ioctl_smi_events() - AMDKFD_IOC_SMI_EVENTS
 * @filp: kfd file
 * @p: process
 * @data: struct kfd_ioctl_smi_events_args
 *
 * Context: sleeps; takes process->lock.
 * Return: 0; -EINVAL: no such GPU; -ENODEV: the GPU is gone; -ENOSPC: the
 * process has SMI_MAX_FILES; -EMFILE; -ENFILE; -ENOMEM; -EBADF: the process is
 * gone; -EINTR: killed.
 */
int kfd_ioctl_smi_events(struct file *filp, struct kfd_process *p, void *data)
{
	struct kfd_ioctl_smi_events_args *args = data;
	struct kfd_process_device *pdd;
	int ret;

	ret = kfd_process_lock(p);
	if (ret)
		return ret;
	pdd = kfd_process_device_by_user_id(p, args->gpuid);
	/* In the lock: a checkpoint that has seen no session stays right. */
	ret = pdd ? kfd_smi_open(p, pdd->dev) : -EINVAL;
	kfd_process_unlock(p);
	if (ret < 0)
		return ret;
	args->anon_fd = ret;
	return 0;
}

/**
 * kfd_smi_undo_open() - close a file that its opener will not hear of
 * @p: the opener, which is current's process
 * @fd: from kfd_ioctl_smi_events()
 *
 * Context: sleeps.
 */
void kfd_smi_undo_open(struct kfd_process *p, u32 fd)
{
	struct file *filp = fget(fd);
	struct kfd_smi_file *f;
	bool ours = false;

	if (!filp)
		return;
	/* Another thread may have closed it and opened something else. */
	if (filp->f_op == &kfd_smi_fops) {
		f = filp->private_data;
		spin_lock(&kfd_smi_lock);
		ours = f->process == p;
		spin_unlock(&kfd_smi_lock);
	}
	fput(filp);
	if (ours)
		close_fd(fd);
}

/**
 * kfd_smi_process_gone() - a process's struct is about to be freed
 * @p: the process, without a reference
 *
 * Context: any but interrupts.
 */
void kfd_smi_process_gone(struct kfd_process *p)
{
	struct kfd_smi_file *f, *next;

	spin_lock(&kfd_smi_lock);
	list_for_each_entry_safe(f, next, &p->smi_files, link) {
		list_del_init(&f->link);
		f->process = NULL;
	}
	spin_unlock(&kfd_smi_lock);
}

/**
 * kfd_smi_device_gone() - a GPU is being unregistered
 * @dev: the GPU, with dev->gone set
 *
 * Its files are at their end and their readers are woken.
 *
 * Context: any but interrupts.
 */
void kfd_smi_device_gone(struct kfd_device *dev)
{
	struct kfd_smi_file *f, *next;

	spin_lock(&kfd_smi_lock);
	list_for_each_entry_safe(f, next, &dev->smi_files, dev_link) {
		list_del_init(&f->dev_link);
		list_del_init(&f->watch_link);
		f->dev = NULL;
		wake_up_interruptible_poll(&f->readable, EPOLLIN | EPOLLHUP);
	}
	spin_unlock(&kfd_smi_lock);
}
