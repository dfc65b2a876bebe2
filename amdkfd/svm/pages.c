// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the pages of a range are to GPUs (floor 3): the mirror's owner.
 *
 * notifier_lock protects what is mapped; kfd_svm_range.asker is validate_lock's.
 */
#include <linux/mm.h>

#include "../debug/break.h"
#include "../smi.h"
#include "svm.h"

static struct kfd_svm_range *to_range(struct kfd_mirror *m)
{
	return container_of(m, struct kfd_svm_range, mirror);
}

static void svm_unmap(struct kfd_svm_range *r, u32 gpus, u64 va, u64 npages)
{
	struct kfd_process *p = r->svm->process;
	struct kfd_process_device *pdd;
	u32 i;

	for (i = 0; i < p->n_pdds; i++) {
		pdd = p->pdds[i];
		if (gpus & BIT(i))
			pdd->dev->ops->svm_unmap(pdd->dev->gpu, pdd->gpu_vm, va,
						 npages);
	}
}

static void svm_tell_unmap(struct kfd_svm_range *r, u32 gpus, u64 va, u64 npages,
			   enum KFD_SVM_UNMAP_TRIGGERS trigger)
{
	unsigned long first = va >> PAGE_SHIFT;
	struct kfd_process *p = r->svm->process;
	u32 i;

	for (i = 0; i < p->n_pdds; i++)
		if (gpus & BIT(i))
			kfd_smi_unmap_from_gpu(p, p->pdds[i]->dev, first,
					       first + npages - 1, trigger);
}

static int svm_reserve(struct kfd_mirror *m, u64 first, u64 npages)
{
	struct kfd_svm_range *r = to_range(m);
	struct kfd_process *p = r->svm->process;
	struct kfd_process_device *pdd;
	int ret = 0;
	u32 i;

	for (i = 0; i < p->n_pdds && !ret; i++) {
		pdd = p->pdds[i];
		if (r->gpus & BIT(i))
			ret = pdd->dev->ops->svm_reserve(pdd->dev->gpu,
				pdd->gpu_vm, r->start + (first << PAGE_SHIFT),
				npages);
	}
	return ret;
}

/* GPUs that pages which are looked up now have to be good for. */
static u32 svm_users(const struct kfd_svm_range *r)
{
	return r->asker ? r->asker : r->gpus;
}

static void *svm_owner(struct kfd_mirror *m)
{
	struct kfd_svm_range *r = to_range(m);

	return kfd_svm_owner(r, svm_users(r));
}

static bool svm_stale(struct kfd_mirror *m, u64 first, u64 npages)
{
	struct kfd_svm_range *r = to_range(m);
	u64 start = r->start + (first << PAGE_SHIFT);

	return !KFD_BROKEN(hole_unseen) &&
	       kfd_svm_in_hole(r->svm, start,
			       start + (npages << PAGE_SHIFT) - 1);
}

static int svm_populate(struct kfd_mirror *m, u64 first, u64 npages,
			struct page **pages, bool writable)
{
	struct kfd_svm_range *r = to_range(m);
	struct kfd_process *p = r->svm->process;
	struct kfd_process_device *pdd;
	u32 i, gpus = r->gpus;
	int ret = 0;

	/* Others can't reach it; they ask for themselves. */
	if (kfd_svm_backing(pages, npages))
		gpus = svm_users(r);
	r->mapped |= gpus;
	for (i = 0; i < p->n_pdds && !ret; i++) {
		pdd = p->pdds[i];
		if (gpus & BIT(i))
			ret = pdd->dev->ops->svm_map(pdd->dev->gpu,
				pdd->gpu_vm, r->start + (first << PAGE_SHIFT),
				npages, pages, writable);
	}
	return ret;
}

/* By enum kfd_mirror_why. */
static const enum KFD_SVM_UNMAP_TRIGGERS svm_triggers[] = {
	[KFD_MIRROR_CHANGED] = KFD_SVM_UNMAP_TRIGGER_MMU_NOTIFY,
	[KFD_MIRROR_UNMAPPED] = KFD_SVM_UNMAP_TRIGGER_UNMAP_FROM_CPU,
	[KFD_MIRROR_MIGRATED] = KFD_SVM_UNMAP_TRIGGER_MMU_NOTIFY_MIGRATE,
};

static void svm_take(struct kfd_mirror *m, u64 first, u64 npages, u32 gpus,
		     enum kfd_mirror_why why)
{
	struct kfd_svm_range *r = to_range(m);
	u64 va = r->start + (first << PAGE_SHIFT);

	gpus &= r->mapped;
	if (gpus) {
		svm_unmap(r, gpus, va, npages);
		if (npages == m->npages)
			r->mapped &= ~gpus;
	}
	if (gpus && why != KFD_MIRROR_TOLD) {
		r->svm->num_unmaps++;
		svm_tell_unmap(r, gpus, va, npages, svm_triggers[why]);
	}
	if (why == KFD_MIRROR_UNMAPPED)
		kfd_svm_add_hole(r->svm, va, va + (npages << PAGE_SHIFT) - 1);
}

const struct kfd_mirror_ops kfd_svm_mirror_ops = {
	.name = "shared virtual memory",
	.trigger = KFD_QUEUE_EVICTION_TRIGGER_SVM,
	.reserve = svm_reserve,
	.populate = svm_populate,
	.owner = svm_owner,
	.stale = svm_stale,
	.take = svm_take,
};
