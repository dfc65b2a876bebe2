// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whether buffers can be told from an image alone (floor 3).
 *
 * An image has a buffer's contents and nothing of who else uses it. A buffer
 * that was imported would come back as a private copy; one that others have
 * would come back without them; one that another device has attached would
 * come back where that device does not look. All three are refused.
 *
 * Whom a buffer is shared with, the provider knows as far as there are owners,
 * handles and attachments. A mere fd of its dma-buf, or a mapping of one, is
 * only seen in the file's count of references: what is left of that when the
 * provider's own, and the fds and mappings of the process itself and of the
 * caller, are taken off, is somebody else's. The caller is a dumper who may
 * still have what the CHECKPOINT before gave him; criu also has a copy of each
 * fd of the process for as long as it looks at it.
 *
 * process->lock is held; of both processes, mmap_lock for reading, and the
 * lock of their file tables.
 */
#include <linux/delay.h>
#include <linux/dma-buf.h>
#include <linux/fdtable.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "../criu/object.h"
#include "memory.h"

/* How often a reference that is nobody's is looked for again, 1 ms apart. */
#define SHARING_LOOKS	5

/**
 * struct sharing_count - references on a file that are accounted for
 * @file: the file
 * @found: how many
 */
struct sharing_count {
	const struct file *file;
	long found;
};

static int sharing_count_fd(const void *arg, struct file *file, unsigned int fd)
{
	struct sharing_count *count = (void *)arg;

	count->found += file == count->file;
	return 0;
}

/* The table of a thread group that has one: all threads share it, as a rule. */
static struct files_struct *sharing_count_fds(struct pid *tgid,
					      struct sharing_count *count)
{
	struct files_struct *files = NULL;
	struct task_struct *leader, *t;

	rcu_read_lock();
	leader = pid_task(tgid, PIDTYPE_TGID);
	if (!leader)
		goto out;
	for_each_thread(leader, t) {
		task_lock(t);
		files = t->files;
		if (files)
			iterate_fd(files, 0, sharing_count_fd, count);
		task_unlock(t);
		if (files)
			break;
	}
out:
	rcu_read_unlock();
	return files;
}

static int sharing_count_vmas(struct mm_struct *mm, struct sharing_count *count)
{
	VMA_ITERATOR(vmi, mm, 0);
	struct vm_area_struct *vma;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	for_each_vma(vmi, vma)
		count->found += vma->vm_file == count->file;
	mmap_read_unlock(mm);
	return 0;
}

/* Fds and mappings of the process and of the caller. */
static int sharing_count_own(struct kfd_process *p, struct sharing_count *count)
{
	struct files_struct *files;
	int ret = 0;

	files = sharing_count_fds(p->tgid, count);
	if (current->files != files)
		iterate_fd(current->files, 0, sharing_count_fd, count);
	if (mmget_not_zero(p->mm)) {
		ret = sharing_count_vmas(p->mm, count);
		/* process->lock is held: the last one must not be ours. */
		mmput_async(p->mm);
	}
	if (!ret && current->mm != p->mm)
		ret = sharing_count_vmas(current->mm, count);
	return ret;
}

static int sharing_refuse(struct kfd_bo *bo, int err, const char *why)
{
	return kfd_refuse(bo->pdd->process, err,
			  "buffer 0x%llx (GPU address 0x%llx, %llu bytes) %s",
			  kfd_bo_handle(bo), bo->va, bo->mem_size, why);
}

static long sharing_references(const struct kfd_gpu_bo_sharing *sharing)
{
	return file_count(sharing->dmabuf->file) - sharing->dmabuf_refs;
}

/*
 * Whether somebody holds the dma-buf who is not accounted for. An fd of our own
 * that is just being closed, or installed, looks like that for a moment.
 */
static int sharing_check_held(struct kfd_bo *bo,
			      const struct kfd_gpu_bo_sharing *sharing)
{
	struct sharing_count count = { .file = sharing->dmabuf->file };
	int ret, i;

	for (i = 0; i < SHARING_LOOKS; i++) {
		if (sharing_references(sharing) <= 0)
			return 0;
		count.found = 0;
		ret = sharing_count_own(bo->pdd->process, &count);
		if (ret || sharing_references(sharing) <= count.found)
			return ret;
		usleep_range(1000, 2000);
	}
	return sharing_refuse(bo, -EMLINK,
			      "is held by another process through a dma-buf");
}

static int sharing_check(struct kfd_bo *bo)
{
	struct kfd_gpu_bo_sharing sharing;
	int ret = 0;

	bo->pdd->dev->ops->bo_sharing(bo->gpu, &sharing);
	if (sharing.attached)
		ret = sharing_refuse(bo, -EREMOTE,
				     "is pinned for another device");
	else if (sharing.others)
		ret = sharing_refuse(bo, -EMLINK,
				     "is shared with another process");
	else if (sharing.dmabuf)
		ret = sharing_check_held(bo, &sharing);
	if (sharing.dmabuf)
		dma_buf_put(sharing.dmabuf);
	return ret;
}

/**
 * kfd_memory_check_imported() - whether a buffer has its memory from elsewhere
 * @bo: the buffer
 *
 * Also of one that the process exported itself: an image has no way to say that
 * two buffers are one memory.
 *
 * Context: process->lock held.
 * Return: 0; -EXDEV: it was imported, and that is refused.
 */
int kfd_memory_check_imported(struct kfd_bo *bo)
{
	return bo->imported ?
	       sharing_refuse(bo, -EXDEV, "was imported from a dma-buf") : 0;
}

static int sharing_check_bo(struct kfd_bo *bo, void *arg)
{
	int ret = kfd_memory_check_imported(bo);

	if (!ret && bo->alloc_flags & KFD_MEMORY_SHAREABLE)
		ret = sharing_check(bo);
	return ret;
}

/**
 * kfd_memory_check() - struct kfd_criu_object_ops.check of buffers
 * @p: the process
 *
 * Context: sleeps, killably; process->lock held.
 * Return: 0; -EXDEV, -EMLINK, -EREMOTE: refused; -EINTR: the caller is being
 * killed.
 */
int kfd_memory_check(struct kfd_process *p)
{
	return kfd_memory_walk(p, sharing_check_bo, NULL);
}
