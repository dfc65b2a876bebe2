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

/**
 * kfd_svm_unmap_untold() - take pages of a range off GPUs, without SMI events
 * @r: the range
 * @gpus: the GPUs, by index
 * @va: first byte
 * @npages: pages from there on
 *
 * Context: notifier_lock held; NOTIFIER context.
 */
void kfd_svm_unmap_untold(struct kfd_svm_range *r, u32 gpus, u64 va, u64 npages)
{
	struct kfd_process *p = r->svm->process;
	struct kfd_process_device *pdd;
	u32 i;

	lockdep_assert_held(&p->mirrors.notifier_lock);
	for (i = 0; i < p->n_pdds; i++) {
		pdd = p->pdds[i];
		if (gpus & BIT(i))
			pdd->dev->ops->svm_unmap(pdd->dev->gpu, pdd->gpu_vm, va,
						 npages);
	}
}

/**
 * kfd_svm_unmap() - take pages of a range off GPUs
 * @r: the range
 * @gpus: the GPUs, by index
 * @va: first byte
 * @npages: pages from there on
 * @trigger: why, for SMI events
 *
 * Context: notifier_lock held; NOTIFIER context.
 */
void kfd_svm_unmap(struct kfd_svm_range *r, u32 gpus, u64 va, u64 npages,
		   enum KFD_SVM_UNMAP_TRIGGERS trigger)
{
	unsigned long first = va >> PAGE_SHIFT;
	struct kfd_process *p = r->svm->process;
	u32 i;

	kfd_svm_unmap_untold(r, gpus, va, npages);
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

static enum KFD_SVM_UNMAP_TRIGGERS
svm_unmap_trigger(const struct mmu_notifier_range *why)
{
	if (why && why->event == MMU_NOTIFY_UNMAP)
		return KFD_SVM_UNMAP_TRIGGER_UNMAP_FROM_CPU;
	if (why && why->event == MMU_NOTIFY_MIGRATE)
		return KFD_SVM_UNMAP_TRIGGER_MMU_NOTIFY_MIGRATE;
	return KFD_SVM_UNMAP_TRIGGER_MMU_NOTIFY;
}

static void svm_invalidate(struct kfd_mirror *m, u64 first, u64 npages,
			   const struct mmu_notifier_range *why)
{
	struct kfd_svm_range *r = to_range(m);
	u64 va = r->start + (first << PAGE_SHIFT);

	if (r->mapped) {
		kfd_svm_unmap(r, r->mapped, va, npages, svm_unmap_trigger(why));
		r->svm->num_unmaps++;
		if (npages == m->npages)
			r->mapped = 0;
	}
	if (why && why->event == MMU_NOTIFY_UNMAP)
		kfd_svm_add_hole(r->svm, va, va + (npages << PAGE_SHIFT) - 1);
}

const struct kfd_mirror_ops kfd_svm_mirror_ops = {
	.name = "shared virtual memory",
	.trigger = KFD_QUEUE_EVICTION_TRIGGER_SVM,
	.reserve = svm_reserve,
	.populate = svm_populate,
	.owner = svm_owner,
	.stale = svm_stale,
	.invalidate = svm_invalidate,
};
