// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shared virtual memory in fdinfo (floor 3): a line of sums, and a line for
 * each range.
 *
 * svm->lock is held from the first line to the last, notifier_lock around what
 * an MMU notifier changes.
 */
#include <linux/seq_file.h>

#include "../criu/object.h"
#include "svm.h"

/**
 * struct svm_sums - ranges counted
 * @bytes: addresses in ranges
 * @absent: ranges whose pages keep queues off the GPUs
 * @unmaps: times that pages were taken off GPUs
 */
struct svm_sums {
	u64 bytes;
	u32 absent;
	u64 unmaps;
};

static int svm_sum(struct kfd_svm *svm, struct svm_sums *sums)
{
	struct kfd_mirrors *mirrors = &svm->process->mirrors;
	struct kfd_svm_range *r;
	u32 n = 0;

	if (mutex_lock_killable(&mirrors->notifier_lock))
		return -EINTR;
	for (r = kfd_svm_first(svm, 0, U64_MAX); r;
	     r = kfd_svm_next(r, 0, U64_MAX)) {
		sums->bytes += r->last - r->start + 1;
		sums->absent += r->mirror.state == KFD_MIRROR_BROKEN;
		kfd_mirrors_breathe(mirrors, &n);
	}
	sums->unmaps = svm->num_unmaps;
	mutex_unlock(&mirrors->notifier_lock);
	return 0;
}

/* GPUs by the ids that the process knows. */
static void svm_show_gpus(struct seq_file *m, struct kfd_process *p,
			  const char *name, u32 gpus)
{
	u32 i;

	seq_printf(m, " %s", name);
	if (!gpus)
		seq_puts(m, " -");
	for (i = 0; i < p->n_pdds; i++)
		if (gpus & BIT(i))
			seq_printf(m, " %u", p->pdds[i]->user_gpu_id);
}

/* Which of its pages GPUs lack that can't wait for them. */
static int svm_show_lost(struct seq_file *m, const struct kfd_svm_range *r)
{
	struct mutex *notifier_lock = &r->svm->process->mirrors.notifier_lock;
	u64 first, npages;
	bool lost;

	if (!kfd_mirror_is_watched(&r->mirror) || !kfd_svm_needs(r))
		return 0;
	if (mutex_lock_killable(notifier_lock))
		return -EINTR;
	lost = kfd_mirror_lost_locked(&r->mirror, &first, &npages);
	mutex_unlock(notifier_lock);
	if (lost)
		seq_printf(m, " lost-offset %llu lost-bytes %llu",
			   first << PAGE_SHIFT, npages << PAGE_SHIFT);
	return 0;
}

static int svm_show_range(struct seq_file *m, const struct kfd_svm_range *r)
{
	const struct kfd_svm_attrs *attrs = &r->attrs;
	struct kfd_process *p = r->svm->process;
	int ret;

	seq_printf(m, "kfd-svm-range:\t%#llx-%#llx flags %#x granularity %u preferred %#x prefetch %#x",
		   r->start, r->last, attrs->flags, attrs->granularity,
		   attrs->preferred_loc, attrs->prefetch_loc);
	svm_show_gpus(m, p, "access", attrs->access);
	svm_show_gpus(m, p, "in-place", attrs->in_place);
	ret = svm_show_lost(m, r);
	seq_putc(m, '\n');
	return ret;
}

/**
 * kfd_svm_show() - struct kfd_criu_object_ops.show of shared virtual memory
 * @m: where to write
 * @p: the process
 *
 * Context: sleeps, killably; process->lock held; takes svm->lock.
 * Return: 0; -EINTR: the reader is being killed.
 */
int kfd_svm_show(struct seq_file *m, struct kfd_process *p)
{
	struct kfd_svm *svm = kfd_svm(p);
	struct svm_sums sums = {};
	struct kfd_svm_range *r;
	int ret;

	lockdep_assert_held(&p->lock);
	if (mutex_lock_killable(&svm->lock))
		return -EINTR;
	kfd_svm_strike(svm);
	ret = svm_sum(svm, &sums);
	if (ret)
		goto unlock;
	seq_printf(m, "kfd-svm-ranges:\t%u bytes %llu absent %u faults %llu unmaps %llu\n",
		   svm->num_ranges, sums.bytes, sums.absent, svm->num_faults,
		   sums.unmaps);
	seq_printf(m, "kfd-svm-restored:\t%u\n", svm->num_restored);
	for (r = kfd_svm_first(svm, 0, U64_MAX); r && !ret;
	     r = kfd_svm_next(r, 0, U64_MAX)) {
		ret = svm_show_range(m, r);
		cond_resched();
	}
	list_for_each_entry(r, &svm->restored, link)
		if (!ret)
			ret = svm_show_range(m, r);
unlock:
	mutex_unlock(&svm->lock);
	return ret;
}
