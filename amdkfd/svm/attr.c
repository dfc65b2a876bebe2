// SPDX-License-Identifier: GPL-2.0-only
/*
 * AMDKFD_IOC_SVM: attributes of addresses (floor 3). The semantics are
 * mainline's; where this driver differs, Documentation/design-changes.rst says
 * so.
 *
 * process->lock is held for the GPUs' ids, svm->lock for the ranges.
 */
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/sched/signal.h>

#include <amdkfd/vma.h>

#include "svm.h"

/**
 * struct svm_request - attributes as userspace gave them
 * @svm: whose ranges
 * @attrs: what it gave
 * @nattr: their number
 * @look: for the pages that GPUs need
 * @set: they have been set, and pages are to come
 */
struct svm_request {
	struct kfd_svm *svm;
	struct kfd_ioctl_svm_attribute *attrs;
	u32 nattr;
	struct kfd_look look;
	bool set;
};

/* Index of a GPU that the process can use, by its user_gpu_id; -1: none. */
static int svm_gpu_index(struct kfd_process *p, u32 user_gpu_id)
{
	struct kfd_process_device *pdd;

	pdd = kfd_process_device_bound(p, user_gpu_id);
	return pdd ? (int)pdd->index : -1;
}

/**
 * kfd_svm_check_memory() - whether addresses can be shared with GPUs
 * @p: the process
 * @start: first byte, page-aligned
 * @last: last byte of a page
 *
 * Context: sleeps; takes mmap_lock. A user of the address space.
 * Return: 0; -EFAULT: a part is not mapped, is a device's or secret memory;
 * -EADDRINUSE: a buffer is mapped on a GPU there; -EINTR: killed; -KFD_EABSENT: as
 * kfd_mmap_read_lock().
 */
int kfd_svm_check_memory(struct kfd_process *p, u64 start, u64 last)
{
	struct vm_area_struct *vma;
	u64 addr;
	int ret;
	u32 i;

	ret = kfd_mmap_read_lock(p->mm);
	if (ret)
		return ret;
	for (addr = start; addr <= last && !ret; addr = vma ? vma->vm_end : 0) {
		vma = vma_lookup(p->mm, addr);
		if (!vma || !kfd_vma_can_share(vma))
			ret = -EFAULT;
	}
	mmap_read_unlock(p->mm);
	for (i = 0; i < p->n_pdds && !ret; i++)
		if (kfd_vm_overlaps(&p->pdds[i]->vm, start, last - start + 1))
			ret = -EADDRINUSE;
	return ret;
}

/* --- SET_ATTR -------------------------------------------------------------- */

static int svm_check_attr(struct kfd_process *p,
			  const struct kfd_ioctl_svm_attribute *attr)
{
	switch (attr->type) {
	case KFD_IOCTL_SVM_ATTR_PREFERRED_LOC:
		if (attr->value == KFD_IOCTL_SVM_LOCATION_UNDEFINED)
			return 0;
		fallthrough;
	case KFD_IOCTL_SVM_ATTR_PREFETCH_LOC:
		if (attr->value == KFD_IOCTL_SVM_LOCATION_SYSMEM)
			return 0;
		fallthrough;
	case KFD_IOCTL_SVM_ATTR_ACCESS:
	case KFD_IOCTL_SVM_ATTR_ACCESS_IN_PLACE:
	case KFD_IOCTL_SVM_ATTR_NO_ACCESS:
		return svm_gpu_index(p, attr->value) < 0 ? -EINVAL : 0;
	case KFD_IOCTL_SVM_ATTR_SET_FLAGS:
	case KFD_IOCTL_SVM_ATTR_CLR_FLAGS:
	case KFD_IOCTL_SVM_ATTR_GRANULARITY:
		return 0;
	default:
		return -EINVAL;
	}
}

static void svm_apply_attr(struct kfd_process *p, struct kfd_svm_attrs *attrs,
			   const struct kfd_ioctl_svm_attribute *attr)
{
	u32 gpu = 0;

	if (attr->type == KFD_IOCTL_SVM_ATTR_ACCESS ||
	    attr->type == KFD_IOCTL_SVM_ATTR_ACCESS_IN_PLACE ||
	    attr->type == KFD_IOCTL_SVM_ATTR_NO_ACCESS) {
		gpu = BIT(svm_gpu_index(p, attr->value));
		attrs->access &= ~gpu;
		attrs->in_place &= ~gpu;
	}
	switch (attr->type) {
	case KFD_IOCTL_SVM_ATTR_PREFERRED_LOC:
		attrs->preferred_loc = attr->value;
		break;
	case KFD_IOCTL_SVM_ATTR_PREFETCH_LOC:
		attrs->prefetch_loc = attr->value;
		break;
	case KFD_IOCTL_SVM_ATTR_ACCESS:
		attrs->access |= gpu;
		break;
	case KFD_IOCTL_SVM_ATTR_ACCESS_IN_PLACE:
		attrs->in_place |= gpu;
		break;
	case KFD_IOCTL_SVM_ATTR_SET_FLAGS:
		attrs->flags |= attr->value & KFD_SVM_FLAGS;
		break;
	case KFD_IOCTL_SVM_ATTR_CLR_FLAGS:
		attrs->flags &= ~attr->value;
		break;
	case KFD_IOCTL_SVM_ATTR_GRANULARITY:
		attrs->granularity = min_t(u32, attr->value,
					   KFD_SVM_MAX_GRANULARITY);
		break;
	}
}

/* A kfd_svm_change_fn. */
static void svm_apply(struct kfd_svm_attrs *attrs, void *arg)
{
	const struct svm_request *req = arg;
	u32 i;

	for (i = 0; i < req->nattr; i++)
		svm_apply_attr(req->svm->process, attrs, &req->attrs[i]);
}

static bool svm_asks_to_prefetch(const struct svm_request *req)
{
	u32 i;

	for (i = 0; i < req->nattr; i++)
		if (req->attrs[i].type == KFD_IOCTL_SVM_ATTR_PREFETCH_LOC)
			return true;
	return false;
}

/*
 * Move pages if that is asked for, and bring those that GPUs can't wait for.
 * Pages that copy-on-write shares do not move; looked up for writing they are
 * not shared any more.
 */
static int svm_bring(struct svm_request *req, u64 start, u64 last)
{
	int i, ret, again = 0;

	for (i = 0; i < 2; i++) {
		if (svm_asks_to_prefetch(req))
			again = kfd_svm_prefetch(req->svm, start, last);
		if (again < 0)
			return again;
		ret = kfd_svm_validate(req->svm, start, last, &req->look);
		if (ret || !again)
			return ret;
	}
	return 0;
}

static int svm_change(struct svm_request *req, u64 start, u64 last)
{
	struct kfd_svm *svm = req->svm;
	int ret;
	u32 i;

	for (i = 0; i < req->nattr; i++) {
		ret = svm_check_attr(svm->process, &req->attrs[i]);
		if (ret)
			return ret;
	}
	if (kfd_svm_takes_held(svm, start, last, svm_apply, req))
		return -EBUSY;
	return kfd_svm_change(svm, start, last, svm_apply, req);
}

/*
 * Once they are set the pages may take several tries, between which others may
 * change or unmap what they like.
 */
static int svm_set_attr(struct svm_request *req, u64 start, u64 last)
{
	int ret = kfd_svm_strike(req->svm);

	if (!ret && !req->set) {
		ret = svm_change(req, start, last);
		req->set = !ret;
	}
	while (!ret) {
		ret = svm_bring(req, start, last);
		if (ret != -ESTALE)
			break;
		/* Unmapped meanwhile; perhaps a neighbour in the same range. */
		ret = signal_pending(current) ? -EINTR :
						kfd_svm_strike(req->svm);
	}
	return ret;
}

/* --- GET_ATTR -------------------------------------------------------------- */

/**
 * struct svm_common - what all parts of a stretch have in common
 * @attrs: locations that all share, GPUs that all grant, flags that all have,
 *	the least granularity
 * @any_flags: flags that some have
 * @ranges: parts looked at
 * @preferred_differs: parts have different preferred locations
 * @prefetch_differs: likewise
 */
struct svm_common {
	struct kfd_svm_attrs attrs;
	u32 any_flags;
	u32 ranges;
	bool preferred_differs;
	bool prefetch_differs;
};

static void svm_join(struct svm_common *c, const struct kfd_svm_attrs *attrs)
{
	struct kfd_svm_attrs *all = &c->attrs;

	if (!c->ranges++) {
		*all = *attrs;
		c->any_flags = attrs->flags;
		return;
	}
	all->flags &= attrs->flags;
	c->any_flags |= attrs->flags;
	all->granularity = min(all->granularity, attrs->granularity);
	all->access &= attrs->access;
	all->in_place &= attrs->in_place;
	if (all->preferred_loc != attrs->preferred_loc)
		c->preferred_differs = true;
	if (all->prefetch_loc != attrs->prefetch_loc)
		c->prefetch_differs = true;
}

static int svm_answer(struct kfd_process *p, const struct svm_common *c,
		      struct kfd_ioctl_svm_attribute *attr)
{
	int gpu;

	switch (attr->type) {
	case KFD_IOCTL_SVM_ATTR_PREFERRED_LOC:
		attr->value = c->preferred_differs ?
			      KFD_IOCTL_SVM_LOCATION_UNDEFINED :
			      c->attrs.preferred_loc;
		return 0;
	case KFD_IOCTL_SVM_ATTR_PREFETCH_LOC:
		attr->value = c->prefetch_differs ?
			      KFD_IOCTL_SVM_LOCATION_UNDEFINED :
			      c->attrs.prefetch_loc;
		return 0;
	case KFD_IOCTL_SVM_ATTR_ACCESS:
		gpu = svm_gpu_index(p, attr->value);
		if (gpu < 0)
			return -EINVAL;
		attr->type = KFD_IOCTL_SVM_ATTR_NO_ACCESS;
		if (c->attrs.access & BIT(gpu))
			attr->type = KFD_IOCTL_SVM_ATTR_ACCESS;
		else if (c->attrs.in_place & BIT(gpu))
			attr->type = KFD_IOCTL_SVM_ATTR_ACCESS_IN_PLACE;
		return 0;
	case KFD_IOCTL_SVM_ATTR_SET_FLAGS:
		attr->value = c->attrs.flags;
		return 0;
	case KFD_IOCTL_SVM_ATTR_CLR_FLAGS:
		attr->value = ~c->any_flags;
		return 0;
	case KFD_IOCTL_SVM_ATTR_GRANULARITY:
		attr->value = c->attrs.granularity;
		return 0;
	default:
		return -EINVAL;
	}
}

/* Parts that nobody spoke of do not count, as in mainline. */
static int svm_get_attr(struct svm_request *req, u64 start, u64 last)
{
	struct kfd_svm *svm = req->svm;
	struct svm_common common = {};
	struct kfd_svm_attrs attrs;
	struct kfd_svm_range *r;
	int ret;
	u32 i;

	ret = kfd_svm_strike(svm);
	if (!ret)
		ret = kfd_svm_check_memory(svm->process, start, last);
	if (ret)
		return ret;
	for (r = kfd_svm_first(svm, start, last); r;
	     r = kfd_svm_next(r, start, last))
		svm_join(&common, &r->attrs);
	if (!common.ranges) {
		kfd_svm_default_attrs(svm, &attrs);
		svm_join(&common, &attrs);
	}
	for (i = 0; i < req->nattr && !ret; i++)
		ret = svm_answer(svm->process, &common, &req->attrs[i]);
	return ret;
}

/**
 * kfd_svm_ioctl_check() - whether the arguments are as long as they say
 * @data: struct kfd_ioctl_svm_args
 * @size: its bytes, those of the struct without attributes at least
 *
 * Context: any.
 * Return: 0, or -EINVAL when there are fewer attributes than it says.
 */
int kfd_svm_ioctl_check(const void *data, unsigned int size)
{
	const struct kfd_ioctl_svm_args *args = data;

	return struct_size(args, attrs, args->nattr) > size ? -EINVAL : 0;
}

static int svm_ioctl_once(struct kfd_process *p,
			  struct kfd_ioctl_svm_args *args,
			  struct svm_request *req)
{
	u64 end;
	int ret;

	if (!args->start_addr || !args->size ||
	    !PAGE_ALIGNED(args->start_addr) || !PAGE_ALIGNED(args->size) ||
	    check_add_overflow(args->start_addr, args->size, &end) ||
	    args->op > KFD_IOCTL_SVM_OP_GET_ATTR)
		return -EINVAL;
	if (end > TASK_SIZE)
		return -EFAULT;
	ret = kfd_process_lock(p);
	if (ret)
		return ret;
	req->svm = kfd_svm(p);
	if (!kfd_svm_bound_gpus(p))
		ret = -EINVAL;
	else if (p->restored)
		ret = -EBUSY;
	if (!ret && mutex_lock_killable(&req->svm->lock))
		ret = -EINTR;
	if (!ret) {
		/* What is not told of pages is of mmap_lock. */
		req->look.absent.n = 0;
		ret = args->op == KFD_IOCTL_SVM_OP_SET_ATTR ?
		      svm_set_attr(req, args->start_addr, end - 1) :
		      svm_get_attr(req, args->start_addr, end - 1);
		mutex_unlock(&req->svm->lock);
	}
	kfd_process_unlock(p);
	return ret;
}

/**
 * kfd_ioctl_svm() - AMDKFD_IOC_SVM
 * @filp: kfd file
 * @p: process
 * @data: struct kfd_ioctl_svm_args with its attributes; checked by
 *	kfd_svm_ioctl_check()
 *
 * Where there is no memory left, waits for that of processes that are ending.
 *
 * Context: sleeps; takes process->lock, svm->lock and mmap_lock; see
 * kfd_gpu_retry().
 * Return: 0; -EINVAL: not page-aligned, empty, wraps; an attribute or an
 * operation that there is not; a GPU that the process does not use, or none at
 * all; -EFAULT: a part is not mapped, is a device's, or (with the attributes
 * set) has a page that can't be had; -EADDRINUSE: a buffer is mapped on a GPU
 * there; -EBUSY: a queue would lose memory that it lives in, or RESUME is to
 * come; -ENOSPC: too many ranges; -ENOMEM: nothing has changed, or all
 * attributes are set and pages are to come; -EBADF: the process is gone; -EINTR.
 */
int kfd_ioctl_svm(struct file *filp, struct kfd_process *p, void *data)
{
	struct kfd_ioctl_svm_args *args = data;
	struct svm_request req = {
		.attrs = args->attrs,
		.nattr = args->nattr,
	};
	struct kfd_gpu_retry retry;
	int ret;

	kfd_gpu_retry_begin(&retry);
	do {
		ret = svm_ioctl_once(p, args, &req);
	} while (kfd_look_again(&p->mirrors, &req.look, &ret) ||
		 kfd_gpu_retry(&retry, &ret));
	return ret;
}
