// SPDX-License-Identifier: GPL-2.0-only
/*
 * /proc/PID/fdinfo/N of a kfd file (floor 5): the whole state of the process.
 *
 * What is common to all of it is said here, what a kind of state has by its
 * own struct kfd_criu_object_ops.show. process->lock is held from the first
 * line to the last, so that the lines agree with each other; it is waited for,
 * killably, rather than that anything be left out. A text without its last
 * line, kfd-end, is the one that a reader got who was killed.
 *
 * A process that is being taken down has neither state nor anybody who may
 * look at it: pid, "kfd-dead: 1" and the end are all there is to say then.
 */
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>

#include "chardev.h"
#include "criu/criu.h"

/*
 * What the program has made by itself through the file that the VM is of. The
 * driver keeps that file, so it may be one that the program has closed, and
 * whose own fdinfo nobody can read.
 */
static void kfd_show_vm(struct seq_file *m, struct kfd_process_device *pdd)
{
	struct kfd_device *dev = pdd->dev;
	struct kfd_gpu_vm_made made;

	dev->ops->vm_made(dev->gpu, pdd->gpu_vm, &made);
	seq_printf(m,
		   "kfd-vm:\t%u render-minor %u gem-handles %llu contexts %llu bo-lists %llu syncobjs %llu jobs %llu\n",
		   dev->id, dev->info.drm_render_minor, made.gem_handles,
		   made.contexts, made.bo_lists, made.syncobjs, made.jobs);
}

static int kfd_show_device(struct seq_file *m, struct kfd_process_device *pdd)
{
	u64 total;
	u32 evicted;

	if (mutex_lock_killable(&pdd->dev->scheduler_lock))
		return -EINTR;
	evicted = pdd->evicted;
	total = pdd->evictions_total;
	mutex_unlock(&pdd->dev->scheduler_lock);

	seq_printf(m, "kfd-gpu:\t%u user-id %u vm %u evicted %u evictions %llu\n",
		   pdd->dev->id, pdd->user_gpu_id, pdd->gpu_vm ? 1 : 0, evicted,
		   total);
	if (pdd->gpu_vm)
		kfd_show_vm(m, pdd);
	return 0;
}

/* Everything but the first and the last lines. */
static int kfd_show_state(struct seq_file *m, struct kfd_process *p)
{
	int ret = 0;
	u32 i;

	lockdep_assert_held(&p->lock);
	seq_printf(m, "kfd-pasid:\t%u\n", p->pasid);
	seq_printf(m, "kfd-xnack:\t%d\n", p->xnack_enabled);
	kfd_criu_show(m, p);
	seq_printf(m, "kfd-gpus:\t%u\n", p->n_pdds);
	for (i = 0; i < p->n_pdds && !ret; i++)
		ret = kfd_show_device(m, p->pdds[i]);
	for (i = 0; i < KFD_CRIU_NUM_KINDS && !ret; i++)
		if (kfd_criu_kinds[i]->show)
			ret = kfd_criu_kinds[i]->show(m, p);
	return ret;
}

/**
 * kfd_show_fdinfo() - file_operations.show_fdinfo of /dev/kfd
 * @m: where to write
 * @filp: the kfd file
 *
 * Context: sleeps, killably; takes process->lock and below.
 */
void kfd_show_fdinfo(struct seq_file *m, struct file *filp)
{
	struct kfd_process *p = filp->private_data;
	int ret;

	ret = kfd_process_lock(p);
	if (ret == -EINTR)
		return;
	seq_printf(m, "kfd-pid:\t%d\n", pid_vnr(p->tgid));
	/* kfd_mmap() maps what is left of a mapping that was split */
	seq_puts(m, "kfd-mmap-parts:\t1\n");
	seq_printf(m, "kfd-dead:\t%d\n", ret ? 1 : 0);
	if (!ret) {
		ret = kfd_show_state(m, p);
		kfd_process_unlock(p);
		if (ret)
			return;
	}
	seq_printf(m, "kfd-end:\t%d\n", pid_vnr(p->tgid));
}
