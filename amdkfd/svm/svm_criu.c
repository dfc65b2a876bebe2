// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ranges of shared virtual memory in a checkpoint image (floor 3); see
 * criu/object.h.
 *
 * The contents travel with the process's own memory; an image carries where
 * the ranges are and what was said of them, and the XNACK mode. RESTORE only
 * takes note of the ranges: the mappings are not in place yet. RESUME makes
 * them.
 *
 * process->lock is held, and svm->lock is taken where ranges are touched: they
 * change without process->lock too, but not in a process that is paused once
 * count() and size() have struck its holes out.
 */
#include <linux/slab.h>

#include "../criu/object.h"
#include "../debug/break.h"
#include "svm.h"

static u32 svm_criu_count(struct kfd_process *p)
{
	struct kfd_svm *svm = kfd_svm(p);
	u32 count;

	mutex_lock(&svm->lock);
	kfd_svm_strike(svm);
	count = svm->num_ranges + svm->num_restored;
	mutex_unlock(&svm->lock);
	return count;
}

/* A queue whose memory is gone would be refused by RESTORE. */
static int svm_criu_check(struct kfd_process *p)
{
	struct kfd_svm *svm = kfd_svm(p);
	struct kfd_svm_hold *hold;
	int ret = 0;

	mutex_lock(&svm->lock);
	kfd_svm_strike(svm);
	list_for_each_entry(hold, &svm->holds, link) {
		if (!hold->lost)
			continue;
		ret = kfd_refuse(p, -EFAULT,
				 "memory at %#llx that a queue lives in has been unmapped",
				 hold->start);
		break;
	}
	mutex_unlock(&svm->lock);
	return ret;
}

static u64 svm_criu_size(struct kfd_process *p)
{
	return (u64)svm_criu_count(p) *
	       kfd_record_space(sizeof(struct kfd_record_svm));
}

static int svm_fill_record(struct kfd_svm_range *r, struct kfd_record_svm *rec)
{
	const struct kfd_svm_attrs *attrs = &r->attrs;
	struct kfd_process *p = r->svm->process;
	u64 first = 0, npages = 0;
	int ret = 0;
	u32 i, n = 0;

	/* Who can wait for a page lacks none. */
	if (kfd_svm_needs(r))
		ret = kfd_mirror_lost(&r->mirror, &first, &npages);
	*rec = (struct kfd_record_svm) {
		.start = r->start,
		.size = r->last - r->start + 1,
		.flags = attrs->flags,
		.granularity = attrs->granularity,
		.preferred_loc = attrs->preferred_loc,
		.prefetch_loc = attrs->prefetch_loc,
		.lost_offset = first << PAGE_SHIFT,
		.lost_size = npages << PAGE_SHIFT,
	};
	for (i = 0; i < p->n_pdds; i++) {
		if (!((attrs->access | attrs->in_place) & BIT(i)))
			continue;
		/* Only by default, with XNACK, and all or none of them. */
		if (!p->pdds[i]->gpu_vm) {
			rec->others = 1;
			continue;
		}
		rec->gpu_id[n] = p->pdds[i]->user_gpu_id;
		rec->access[n] = attrs->in_place & BIT(i) ?
				 KFD_RECORD_SVM_IN_PLACE :
				 KFD_RECORD_SVM_ACCESS;
		n++;
	}
	rec->num_access = n;
	return ret;
}

static int svm_criu_save(struct kfd_criu_dump *dump)
{
	struct kfd_svm *svm = kfd_svm(dump->p);
	struct kfd_record_svm rec;
	struct kfd_svm_range *r;
	int ret = 0;

	mutex_lock(&svm->lock);
	for (r = kfd_svm_first(svm, 0, U64_MAX); r && !ret;
	     r = kfd_svm_next(r, 0, U64_MAX)) {
		ret = svm_fill_record(r, &rec);
		if (!ret)
			ret = kfd_image_put(dump->out, KFD_RECORD_SVM, &rec,
					    sizeof(rec));
	}
	mutex_unlock(&svm->lock);
	return ret;
}

static void svm_criu_save_process(struct kfd_process *p,
				  struct kfd_record_process *rec)
{
	rec->xnack = p->xnack_enabled;
	rec->num_svm = kfd_svm(p)->num_ranges;
}

static int svm_criu_load_process(struct kfd_criu_load *load)
{
	struct kfd_svm *svm = kfd_svm(load->p);
	bool before = load->p->xnack_enabled;
	int ret;

	ret = kfd_svm_set_xnack(load->p, load->image->process.xnack);
	/* An image for other GPUs, that is. */
	if (ret)
		return ret == -EPERM ? -EINVAL : ret;
	svm->xnack_loaded = true;
	svm->xnack_before = before;
	return 0;
}

/* Indices instead of ids. The image has been checked for doubles. */
static int svm_read_access(struct kfd_process *p,
			   const struct kfd_record_svm *rec,
			   struct kfd_svm_attrs *attrs)
{
	struct kfd_process_device *pdd;
	u32 i;

	for (i = 0; i < rec->num_access; i++) {
		pdd = kfd_process_device_by_user_id(p, rec->gpu_id[i]);
		if (!pdd)
			return -EINVAL;
		if (rec->access[i] == KFD_RECORD_SVM_IN_PLACE)
			attrs->in_place |= BIT(pdd->index);
		else
			attrs->access |= BIT(pdd->index);
	}
	for (i = 0; i < p->n_pdds && rec->others; i++)
		if (!p->pdds[i]->gpu_vm)
			attrs->access |= BIT(i);
	return 0;
}

static int svm_criu_load(struct kfd_criu_load *load,
			 const struct kfd_record *record, u32 index)
{
	struct kfd_process *p = load->p;
	struct kfd_svm *svm = kfd_svm(p);
	struct kfd_record_svm rec;
	struct kfd_svm_attrs attrs = {};
	struct kfd_svm_range *r;
	int ret;
	u32 i;

	ret = kfd_record_read(record, &rec, sizeof(rec), KFD_RECORD_SVM_MIN);
	if (!ret)
		ret = svm_read_access(p, &rec, &attrs);
	for (i = 0; i < p->n_pdds && !ret; i++)
		if (kfd_vm_overlaps(&p->pdds[i]->vm, rec.start, rec.size))
			ret = -EINVAL;
	if (ret)
		return ret;
	attrs.flags = rec.flags;
	attrs.granularity = rec.granularity;
	attrs.preferred_loc = rec.preferred_loc;
	attrs.prefetch_loc = rec.prefetch_loc;
	r = kfd_svm_range_new(svm, rec.start, rec.start + rec.size - 1, &attrs);
	if (!r)
		return -ENOMEM;
	/* Noted down too: the mirror of this range is never made. */
	r->mirror.lost_first = rec.lost_offset >> PAGE_SHIFT;
	r->mirror.lost_end = (rec.lost_offset + rec.lost_size) >> PAGE_SHIFT;
	mutex_lock(&svm->lock);
	ret = kfd_svm_charge_ahead(r);
	if (!ret) {
		list_add_tail(&r->link, &svm->restored);
		svm->num_restored++;
	}
	mutex_unlock(&svm->lock);
	if (ret)
		kfree(r);
	return ret;
}

static void svm_criu_unload(struct kfd_process *p)
{
	struct kfd_svm *svm = kfd_svm(p);

	mutex_lock(&svm->lock);
	kfd_svm_drop_restored(svm);
	mutex_unlock(&svm->lock);
	if (svm->xnack_loaded)
		kfd_svm_set_xnack(p, svm->xnack_before);
	svm->xnack_loaded = false;
	/* It may answer faults of queues that are gone, by a VM that goes. */
	kfd_svm_forget_faults(svm);
}

/**
 * kfd_svm_drop_restored() - forget the ranges that wait for RESUME
 * @svm: shared virtual memory of a process
 *
 * Context: svm->lock held.
 */
void kfd_svm_drop_restored(struct kfd_svm *svm)
{
	struct kfd_svm_range *r, *next;

	lockdep_assert_held(&svm->lock);
	list_for_each_entry_safe(r, next, &svm->restored, link)
		kfree(r);
	INIT_LIST_HEAD(&svm->restored);
	svm->num_restored = 0;
	kfd_svm_drop_ahead(svm);
}

/* A kfd_svm_change_fn: those of the image. */
static void svm_restore_attrs(struct kfd_svm_attrs *attrs, void *arg)
{
	*attrs = *(const struct kfd_svm_attrs *)arg;
}

static void svm_tell_missing(const struct kfd_svm_range *r, int err)
{
	if (err != -EINTR && err != -KFD_EABSENT)
		pr_err_ratelimited("amdkfd: pasid %u: shared virtual memory %#llx-%#llx can't be had: %d\n",
				   r->svm->process->pasid, r->start, r->last,
				   err);
}

/* What GPUs lacked when the image was made may be missing now. */
static void svm_forgo(struct kfd_svm *svm, const struct kfd_svm_range *noted)
{
	struct mutex *notifier_lock = &svm->process->mirrors.notifier_lock;
	u64 start = noted->start + (noted->mirror.lost_first << PAGE_SHIFT);
	u64 last = noted->start + (noted->mirror.lost_end << PAGE_SHIFT) - 1;
	struct kfd_svm_range *r;

	if (!kfd_mirror_has_lost(&noted->mirror))
		return;
	mutex_lock(notifier_lock);
	for (r = kfd_svm_first(svm, start, last); r;
	     r = kfd_svm_next(r, start, last))
		kfd_mirror_forgo(&r->mirror, start, last);
	mutex_unlock(notifier_lock);
}

/* What was noted down becomes ranges; each is one or the other. */
static int svm_make_restored(struct kfd_svm *svm)
{
	struct kfd_svm_range *r, *next;
	int ret = 0;

	list_for_each_entry_safe(r, next, &svm->restored, link) {
		ret = kfd_svm_change(svm, r->start, r->last, svm_restore_attrs,
				     &r->attrs);
		if (ret) {
			svm_tell_missing(r, ret);
			if (KFD_BROKEN(resume_svm_twice))
				kfree(r);
			break;
		}
		svm_forgo(svm, r);
		list_del(&r->link);
		svm->num_restored--;
		kfree(r);
	}
	return ret;
}

static int svm_bring_back(struct kfd_svm_range *r, struct kfd_look *look)
{
	struct kfd_mirrors *mirrors = &r->svm->process->mirrors;
	int ret;

	if (!kfd_svm_needs(r))
		return 0;
	if (mutex_lock_killable(&mirrors->validate_lock))
		return -EINTR;
	ret = kfd_mirror_bring_back(&r->mirror, look);
	mutex_unlock(&mirrors->validate_lock);
	return ret;
}

static int svm_bring_all_back(struct kfd_svm *svm, struct kfd_look *look)
{
	struct kfd_svm_range *r;
	int ret = 0;

	for (r = kfd_svm_first(svm, 0, U64_MAX); r && !ret;
	     r = kfd_svm_next(r, 0, U64_MAX)) {
		ret = svm_bring_back(r, look);
		/* Unmapped just now; whoever does that can resume again. */
		if (ret == -ESTALE)
			ret = -EFAULT;
		if (ret)
			svm_tell_missing(r, ret);
	}
	return ret;
}

/**
 * kfd_svm_resume() - make the ranges of a restored process
 * @p: the process, not necessarily current's; its address space stands again
 *	and has a user
 * @look: of who wants it
 *
 * After an error some ranges may be there, some with their pages; calling it
 * again goes on with the others.
 *
 * Context: process->lock held; sleeps; takes the process's mmap_lock.
 * Return: 0, or the error of the first range that fails, which is named in the
 * log: -EFAULT: not mapped, or a page can't be had; -ENOSPC: too many ranges;
 * -ENOMEM; -EINTR; or -KFD_EABSENT: for kfd_look_again().
 */
int kfd_svm_resume(struct kfd_process *p, struct kfd_look *look)
{
	struct kfd_svm *svm = kfd_svm(p);
	int ret;

	lockdep_assert_held(&p->lock);
	mutex_lock(&svm->lock);
	/* What an attempt before this one made may have been unmapped. */
	ret = kfd_svm_strike(svm);
	if (!ret)
		ret = svm_make_restored(svm);
	if (!ret)
		kfd_svm_drop_ahead(svm);
	if (!ret)
		ret = svm_bring_all_back(svm, look);
	mutex_unlock(&svm->lock);
	return ret;
}

const struct kfd_criu_object_ops kfd_svm_criu_ops = {
	.name = "shared virtual memory range",
	.type = KFD_RECORD_SVM,
	.check = svm_criu_check,
	.count = svm_criu_count,
	.size = svm_criu_size,
	.save = svm_criu_save,
	.load = svm_criu_load,
	.unload = svm_criu_unload,
	.save_process = svm_criu_save_process,
	.load_process = svm_criu_load_process,
	.show = kfd_svm_show,
};
