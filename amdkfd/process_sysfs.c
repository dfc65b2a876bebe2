// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/class/kfd/kfd/proc/PID (floor 5): processes that have a context here.
 *
 *	pasid			what the GPUs know it by
 *	vram_GPUID		bytes of VRAM in its buffers
 *	sdma_GPUID		time of copy engines; not counted, so 0
 *	state			see below
 *
 * PID is that of the thread group, as init sees it. All but the last are the
 * in-tree driver's, for tools that list what a GPU is used by.
 *
 * A context does not end when its process closes /dev/kfd. Then no file shows
 * it, and who wants to know whether there is one, as who dumps the process
 * does, looks here. A program may have opened the file just to see whether it
 * can; "state" tells whether there is more to it than that: lines of a word and
 * a number,
 *
 *	pid			of the process, as the reader sees it
 *	files			open files of /dev/kfd that lead to it
 *	vms			GPUs whose VM it has
 *	objects			buffers, ranges, events, queues
 *	settings		what else was set and is not as it begins
 *
 * An exec may leave the old address space's context to end while the new one
 * has one of its own already: they share a directory, which tells of the newest
 * that is alive.
 *
 * kfd_proc_lock: the list of directories, and which processes are in one; held
 * while a directory is made and removed, which waits for its readers. So a
 * reader does not take it, but the directory's own lock, to get at the process.
 */
#include <linux/device.h>
#include <linux/kobject.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/sysfs.h>

#include "chardev.h"
#include "criu/criu.h"
#include "memory/memory.h"
#include "process_sysfs.h"

/**
 * struct kfd_proc_file - a file of a process's directory
 * @attr: its name
 * @show: writes its text; p->lock held
 * @gpu_id: the GPU that it is about
 * @name: room for the name
 */
struct kfd_proc_file {
	struct attribute attr;
	int (*show)(struct kfd_process *p, const struct kfd_proc_file *file,
		    char *buf);
	u32 gpu_id;
	char name[24];
};

#define KFD_PROC_FILES	(2 + 2 * KFD_MAX_GPUS)

/**
 * struct kfd_proc_dir - the directory of a thread group
 * @kobj: the directory
 * @link: in kfd_proc_dirs (kfd_proc_lock)
 * @pid: the thread group, referenced
 * @lock: protects @processes
 * @processes: kfd_process.sysfs.link of its contexts, the newest last; changed
 *	with kfd_proc_lock held as well
 * @n_files: entries of @files
 * @files: its files
 */
struct kfd_proc_dir {
	struct kobject kobj;
	struct list_head link;
	struct pid *pid;
	spinlock_t lock;	/* processes */
	struct list_head processes;
	u32 n_files;
	struct kfd_proc_file files[KFD_PROC_FILES];
};

static DEFINE_MUTEX(kfd_proc_lock);
static LIST_HEAD(kfd_proc_dirs);
static struct kobject *kfd_proc_root;

/* --- files ----------------------------------------------------------------- */

/* The process that a directory tells of, referenced, or NULL. */
static struct kfd_process *kfd_proc_get(struct kfd_proc_dir *dir)
{
	struct kfd_process *p, *found = NULL;

	spin_lock(&dir->lock);
	list_for_each_entry_reverse(p, &dir->processes, sysfs.link) {
		if (!READ_ONCE(p->dead)) {
			/* What is in the list has not been freed. */
			found = kfd_process_get(p);
			break;
		}
	}
	spin_unlock(&dir->lock);
	return found;
}

static int kfd_proc_show_pasid(struct kfd_process *p,
			       const struct kfd_proc_file *file, char *buf)
{
	return sysfs_emit(buf, "%u\n", p->pasid);
}

/**
 * struct kfd_proc_vram - for kfd_memory_walk()
 * @pdd: the process on the GPU that is asked for
 * @bytes: of buffers there, so far
 */
struct kfd_proc_vram {
	const struct kfd_process_device *pdd;
	u64 bytes;
};

static int kfd_proc_add_vram(struct kfd_bo *bo, void *arg)
{
	struct kfd_proc_vram *vram = arg;

	if (bo->pdd == vram->pdd &&
	    bo->alloc_flags & KFD_IOC_ALLOC_MEM_FLAGS_VRAM)
		vram->bytes += bo->mem_size;
	return 0;
}

static int kfd_proc_show_vram(struct kfd_process *p,
			      const struct kfd_proc_file *file, char *buf)
{
	struct kfd_proc_vram vram = {
		.pdd = kfd_process_device_by_id(p, file->gpu_id),
	};

	if (vram.pdd)
		kfd_memory_walk(p, kfd_proc_add_vram, &vram);
	return sysfs_emit(buf, "%llu\n", vram.bytes);
}

static int kfd_proc_show_sdma(struct kfd_process *p,
			      const struct kfd_proc_file *file, char *buf)
{
	return sysfs_emit(buf, "0\n");
}

static int kfd_proc_show_state(struct kfd_process *p,
			       const struct kfd_proc_file *file, char *buf)
{
	u32 vms = 0, settings = p->xnack_enabled, i;
	u64 objects = 0;

	for (i = 0; i < p->n_pdds; i++)
		vms += p->pdds[i]->gpu_vm ? 1 : 0;
	for (i = 0; i < KFD_CRIU_NUM_KINDS; i++) {
		objects += kfd_criu_kinds[i]->count(p);
		settings += kfd_criu_kinds[i]->has_state &&
			    kfd_criu_kinds[i]->has_state(p);
	}
	return sysfs_emit(buf,
			  "pid %d\nfiles %u\nvms %u\nobjects %llu\nsettings %u\n",
			  pid_vnr(p->tgid), READ_ONCE(p->owner.files), vms,
			  objects, settings);
}

static ssize_t kfd_proc_show(struct kobject *kobj, struct attribute *attr,
			     char *buf)
{
	struct kfd_proc_dir *dir = container_of(kobj, struct kfd_proc_dir, kobj);
	struct kfd_proc_file *file = container_of(attr, struct kfd_proc_file,
						  attr);
	struct kfd_process *p = kfd_proc_get(dir);
	ssize_t ret;

	if (!p)
		return -ESRCH;
	ret = kfd_process_lock(p);
	if (!ret) {
		ret = file->show(p, file, buf);
		kfd_process_unlock(p);
	} else if (ret == -EBADF) {
		ret = -ESRCH;
	}
	kfd_process_put(p);
	return ret;
}

/* --- directories ----------------------------------------------------------- */

static void kfd_proc_release(struct kobject *kobj)
{
	struct kfd_proc_dir *dir = container_of(kobj, struct kfd_proc_dir, kobj);

	put_pid(dir->pid);
	kfree(dir);
}

static const struct sysfs_ops kfd_proc_sysfs_ops = {
	.show = kfd_proc_show,
};

static struct kobj_type kfd_proc_type = {
	.release = kfd_proc_release,
	.sysfs_ops = &kfd_proc_sysfs_ops,
};

static int kfd_proc_add_file(struct kfd_proc_dir *dir, const char *name,
			     u32 gpu_id,
			     int (*show)(struct kfd_process *p,
					 const struct kfd_proc_file *file,
					 char *buf))
{
	struct kfd_proc_file *file = &dir->files[dir->n_files++];

	if (gpu_id)
		snprintf(file->name, sizeof(file->name), "%s_%u", name, gpu_id);
	else
		strscpy(file->name, name, sizeof(file->name));
	file->gpu_id = gpu_id;
	file->show = show;
	sysfs_attr_init(&file->attr);
	file->attr.name = file->name;
	file->attr.mode = 0444;
	return sysfs_create_file(&dir->kobj, &file->attr);
}

static int kfd_proc_add_files(struct kfd_proc_dir *dir, struct kfd_process *p)
{
	int ret;
	u32 i;

	ret = kfd_proc_add_file(dir, "state", 0, kfd_proc_show_state);
	if (!ret)
		ret = kfd_proc_add_file(dir, "pasid", 0, kfd_proc_show_pasid);
	for (i = 0; i < p->n_pdds && !ret; i++) {
		u32 id = p->pdds[i]->dev->id;

		ret = kfd_proc_add_file(dir, "vram", id, kfd_proc_show_vram);
		if (!ret)
			ret = kfd_proc_add_file(dir, "sdma", id,
						kfd_proc_show_sdma);
	}
	return ret;
}

static void kfd_proc_remove_dir(struct kfd_proc_dir *dir)
{
	lockdep_assert_held(&kfd_proc_lock);
	list_del(&dir->link);
	kobject_del(&dir->kobj);
	kobject_put(&dir->kobj);
}

static struct kfd_proc_dir *kfd_proc_add_dir(struct kfd_process *p)
{
	struct kfd_proc_dir *dir;
	int ret;

	lockdep_assert_held(&kfd_proc_lock);
	dir = kzalloc(sizeof(*dir), GFP_KERNEL);
	if (!dir)
		return ERR_PTR(-ENOMEM);
	dir->pid = get_pid(p->tgid);
	spin_lock_init(&dir->lock);
	INIT_LIST_HEAD(&dir->processes);
	ret = kobject_init_and_add(&dir->kobj, &kfd_proc_type, kfd_proc_root,
				   "%d", pid_nr(p->tgid));
	if (ret) {
		kobject_put(&dir->kobj);
		return ERR_PTR(ret);
	}
	list_add_tail(&dir->link, &kfd_proc_dirs);
	ret = kfd_proc_add_files(dir, p);
	if (ret) {
		kfd_proc_remove_dir(dir);
		return ERR_PTR(ret);
	}
	return dir;
}

/* The directory of @p's thread group, whose number another one may have had. */
static struct kfd_proc_dir *kfd_proc_find_dir(const struct kfd_process *p)
{
	struct kfd_proc_dir *dir;

	lockdep_assert_held(&kfd_proc_lock);
	list_for_each_entry(dir, &kfd_proc_dirs, link)
		if (pid_nr(dir->pid) == pid_nr(p->tgid))
			return dir;
	return NULL;
}

static int kfd_proc_added(struct kfd_process *p)
{
	struct kfd_proc_dir *dir;

	/* The module is being loaded, and not there yet for anybody. */
	if (!READ_ONCE(kfd_proc_root))
		return -ENODEV;
	mutex_lock(&kfd_proc_lock);
	dir = kfd_proc_find_dir(p);
	if (!dir)
		dir = kfd_proc_add_dir(p);
	if (!IS_ERR(dir)) {
		p->sysfs.dir = dir;
		spin_lock(&dir->lock);
		list_add_tail(&p->sysfs.link, &dir->processes);
		spin_unlock(&dir->lock);
	}
	mutex_unlock(&kfd_proc_lock);
	return PTR_ERR_OR_ZERO(dir);
}

static void kfd_proc_removed(struct kfd_process *p)
{
	struct kfd_proc_dir *dir;
	bool last;

	mutex_lock(&kfd_proc_lock);
	dir = p->sysfs.dir;
	p->sysfs.dir = NULL;
	if (dir) {
		spin_lock(&dir->lock);
		list_del(&p->sysfs.link);
		last = list_empty(&dir->processes);
		spin_unlock(&dir->lock);
		if (last)
			kfd_proc_remove_dir(dir);
	}
	mutex_unlock(&kfd_proc_lock);
}

static const struct kfd_process_listener kfd_proc_listener = {
	.added = kfd_proc_added,
	.removed = kfd_proc_removed,
};

/**
 * kfd_process_sysfs_connect() - be told of processes from now on
 *
 * Context: module init, before /dev/kfd can be opened.
 */
void kfd_process_sysfs_connect(void)
{
	kfd_process_set_listener(&kfd_proc_listener);
}

/**
 * kfd_process_sysfs_init() - make the directory "proc"
 * @parent: the device of /dev/kfd
 *
 * Context: module init.
 * Return: 0 or -ENOMEM.
 */
int kfd_process_sysfs_init(struct device *parent)
{
	struct kobject *root = kobject_create_and_add("proc", &parent->kobj);

	if (!root)
		return -ENOMEM;
	WRITE_ONCE(kfd_proc_root, root);
	return 0;
}

/**
 * kfd_process_sysfs_exit() - remove it
 *
 * Context: module exit, or init that failed: there is no process.
 */
void kfd_process_sysfs_exit(void)
{
	WARN_ON(!list_empty(&kfd_proc_dirs));
	kobject_del(kfd_proc_root);
	kobject_put(kfd_proc_root);
}
