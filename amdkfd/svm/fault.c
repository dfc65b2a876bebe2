// SPDX-License-Identifier: GPL-2.0-only
/*
 * GPU faults that wait for a page (floor 3): XNACK.
 *
 * A GPU's thread leaves a fault in a queue and goes on with other work; a work
 * of the process's own serves it: finds the range, or makes one when nobody has
 * spoken of the address yet, brings the block of pages that the granularity
 * asks for, and answers. What can't be had is answered so, and the access
 * becomes an ordinary VM fault.
 *
 * A page that is not in memory may take for ever (../fetch.c): the fault waits until
 * it has been brought in, and those behind it wait with it; nothing is held
 * meanwhile, neither the address space nor a lock, and no worker.
 *
 * A fault that finds the queue full is forgotten, and everybody who waits is
 * told to try again once there is room. The same goes for faults of a process
 * that is paused: when its queues are loaded again they ask again.
 *
 * fault_lock protects the queue of faults; svm->lock the ranges. process->lock
 * is not taken: teardown waits for the work with that lock held.
 */
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>

#include "../smi.h"
#include "svm.h"

/* 128 MiB: others wait for svm->lock while a block is brought. */
#define SVM_MAX_BLOCK_ORDER	15
/* How often pages are brought in for a fault before the GPU is to ask again. */
#define SVM_MAX_ROUNDS		8
/* Every page of a GPU, to kfd_device_ops.fault_reply. */
#define SVM_ANY_PAGE		(~0ULL)

/**
 * kfd_svm_gpu_fault() - a GPU access waits for a page
 * @p: whose
 * @dev: the GPU
 * @fault: the access
 *
 * Context: a provider's thread; does not sleep.
 */
void kfd_svm_gpu_fault(struct kfd_process *p, struct kfd_device *dev,
		       const struct kfd_gpu_fault *fault)
{
	struct kfd_process_device *pdd = kfd_process_device_by_id(p, dev->id);
	struct kfd_svm_fault entry;
	struct kfd_svm *svm;

	if (!pdd)
		return;
	entry = (struct kfd_svm_fault) {
		.gpu = pdd->index,
		.va = fault->va,
		.write = fault->write,
	};
	/* Teardown unsets it and waits before it frees. */
	rcu_read_lock();
	svm = READ_ONCE(kfd_state(p, KFD_COMPONENT_SVM));
	if (svm) {
		spin_lock(&svm->fault_lock);
		if (!kfifo_put(&svm->faults, entry))
			svm->faults_lost = true;
		spin_unlock(&svm->fault_lock);
		queue_work(kfd_svm_wq, &svm->fault_work);
	}
	rcu_read_unlock();
}

static void svm_reply(struct kfd_process_device *pdd, u64 va, bool resolved)
{
	pdd->dev->ops->fault_reply(pdd->dev->gpu, pdd->gpu_vm, va, resolved);
}

/*
 * The block of 2 to the power of @order pages around @va, inside [*@start,
 * *@last].
 */
static void svm_cut_to_block(u64 va, u32 order, u64 *start, u64 *last)
{
	u64 size = PAGE_SIZE << min_t(u32, order, SVM_MAX_BLOCK_ORDER);

	*start = max(*start, ALIGN_DOWN(va, size));
	*last = min(*last, ALIGN_DOWN(va, size) + size - 1);
}

/* The heap and the stack of the main thread, that the CPU has most use for. */
static bool svm_is_heap_or_stack(const struct vm_area_struct *vma)
{
	const struct mm_struct *mm = vma->vm_mm;

	return (vma->vm_start <= mm->brk && vma->vm_end >= mm->start_brk) ||
	       (vma->vm_start <= mm->start_stack &&
		vma->vm_end >= mm->start_stack);
}

/*
 * The mapping that holds @va, if the access is one that the process itself
 * might make; *@start and *@last are cut to it. mmap_lock held.
 */
static int svm_check_access(struct mm_struct *mm, u64 va, bool write,
			    u64 *start, u64 *last, bool *heap_or_stack)
{
	struct vm_area_struct *vma = vma_lookup(mm, va);

	if (!vma || !(vma->vm_flags & (write ? VM_WRITE : VM_READ | VM_WRITE)))
		return -EFAULT;
	*start = max_t(u64, *start, vma->vm_start);
	*last = min_t(u64, *last, vma->vm_end - 1);
	*heap_or_stack = svm_is_heap_or_stack(vma);
	return 0;
}

/* A kfd_svm_change_fn: the default, but for the heap and the stack. */
static void svm_prefer(struct kfd_svm_attrs *attrs, void *arg)
{
	if (*(const bool *)arg)
		attrs->preferred_loc = KFD_IOCTL_SVM_LOCATION_SYSMEM;
}

/* The gap between ranges that holds @va, which none does. */
static void svm_cut_to_gap(struct kfd_svm *svm, u64 va, u64 *start, u64 *last)
{
	struct kfd_svm_range *r;

	for (r = kfd_svm_first(svm, *start, *last); r;
	     r = kfd_svm_next(r, *start, *last)) {
		if (r->last < va) {
			*start = max(*start, r->last + 1);
		} else {
			*last = min(*last, r->start - 1);
			break;
		}
	}
}

/* A range of default attributes around @va, which no range has. */
static struct kfd_svm_range *svm_create_around(struct kfd_svm *svm, u64 va,
					       u64 start, u64 last,
					       bool heap_or_stack)
{
	int ret;

	svm_cut_to_block(va, KFD_SVM_DEFAULT_GRANULARITY, &start, &last);
	svm_cut_to_gap(svm, va, &start, &last);
	ret = kfd_svm_change(svm, start, last, svm_prefer, &heap_or_stack);
	/* A buffer somewhere in the block doesn't make the page one. */
	if (ret == -EADDRINUSE)
		ret = kfd_svm_change(svm, va, va + PAGE_SIZE - 1,
				     svm_prefer, &heap_or_stack);
	return ret ? ERR_PTR(ret) : kfd_svm_first(svm, va, va);
}

static int svm_fill(struct kfd_svm_range *r, struct kfd_process_device *pdd,
		    u64 va, u64 start, u64 last)
{
	struct kfd_mirrors *mirrors = &r->svm->process->mirrors;
	u64 wanted = (va - r->start) >> PAGE_SHIFT;
	int ret;

	svm_cut_to_block(va, r->attrs.granularity, &start, &last);
	start = max(start, r->start);
	last = min(last, r->last);
	if (!r->svm->look.in_line) {
		kfd_svm_approach(r, pdd, start, last);
		mutex_lock(&mirrors->validate_lock);
	} else if (!mutex_trylock(&mirrors->validate_lock)) {
		return -EAGAIN;
	}
	/* What the others can't reach they will miss themselves. */
	if (!kfd_svm_needs(r))
		r->asker = BIT(pdd->index);
	ret = kfd_mirror_fill(&r->mirror, &r->svm->look,
			      (start - r->start) >> PAGE_SHIFT,
			      (last - start + 1) >> PAGE_SHIFT, wanted);
	/* Not the whole block, but the page perhaps. */
	if (ret && ret != -KFD_EABSENT)
		ret = kfd_mirror_fill(&r->mirror, &r->svm->look, wanted, 1,
				      wanted);
	r->asker = 0;
	mutex_unlock(&mirrors->validate_lock);
	/* Unmapped meanwhile: who serves the next attempt strikes it out. */
	return ret == -ESTALE ? -EAGAIN : ret;
}

/* What the range allows; as svm_serve_locked(). */
static int svm_serve_from(struct kfd_svm_range *r, const struct kfd_svm_fault *fault,
			  u64 start, u64 last)
{
	struct kfd_svm *svm = r->svm;

	if (!(r->gpus & BIT(fault->gpu)) ||
	    (fault->write && r->attrs.flags & KFD_IOCTL_SVM_FLAG_GPU_RO))
		return -EFAULT;
	svm->num_faults++;
	return svm_fill(r, svm->process->pdds[fault->gpu], fault->va, start, last);
}

/*
 * 0; EAGAIN: the GPU is to ask again; KFD_EABSENT: svm->look tells which pages have
 * to be brought in first; EFAULT: an access that is not allowed, or memory that
 * can't be had.
 */
static int svm_serve_locked(struct kfd_svm *svm,
			    const struct kfd_svm_fault *fault)
{
	struct kfd_process *p = svm->process;
	u64 start = 0, last = U64_MAX;
	bool heap_or_stack = false;
	struct kfd_svm_range *r;
	int ret;

	lockdep_assert_held(&svm->lock);
	if (!svm->retry)
		return -EFAULT;
	/* mmap_lock is waited for as a page is. */
	svm->look.absent.n = 0;
	ret = kfd_svm_strike(svm);
	if (!ret)
		ret = kfd_mmap_read_lock(p->mm);
	if (ret)
		return ret;
	ret = svm_check_access(p->mm, fault->va, fault->write, &start, &last,
			       &heap_or_stack);
	mmap_read_unlock(p->mm);
	if (ret)
		return ret;
	r = kfd_svm_first(svm, fault->va, fault->va);
	if (!r)
		r = svm_create_around(svm, fault->va, start, last,
				      heap_or_stack);
	if (IS_ERR_OR_NULL(r))
		return r ? PTR_ERR(r) : -EFAULT;
	return svm_serve_from(r, fault, start, last);
}

/*
 * The same with mmap_lock held: what a look at the page tables is enough for, and
 * EAGAIN for all else.
 */
static int svm_serve_in_line(struct kfd_svm *svm, const struct kfd_svm_fault *fault)
{
	u64 start = 0, last = U64_MAX;
	struct kfd_svm_range *r;
	bool heap_or_stack;
	int ret;

	lockdep_assert_held(&svm->lock);
	if (READ_ONCE(svm->process->pause.active) || !svm->retry ||
	    kfd_svm_has_holes(svm))
		return -EAGAIN;
	ret = svm_check_access(svm->process->mm, fault->va, fault->write, &start,
			       &last, &heap_or_stack);
	if (ret)
		return ret;
	r = kfd_svm_first(svm, fault->va, fault->va);
	return r ? svm_serve_from(r, fault, start, last) : -EAGAIN;
}

/* A user of the address space for one step: who is killed ends between two. */
static int svm_serve_step(struct kfd_svm *svm, const struct kfd_svm_fault *fault)
{
	struct kfd_process *p = svm->process;
	struct mm_struct *mm = kfd_process_mm_get(p);
	int ret = -EAGAIN;

	/* There is neither memory nor anybody who waits. */
	if (!mm)
		return -ESRCH;
	mutex_lock(&svm->lock);
	if (!READ_ONCE(p->pause.active))
		ret = svm_serve_locked(svm, fault);
	mutex_unlock(&svm->lock);
	mmput_async(mm);
	return ret;
}

static void svm_end_fault(struct kfd_svm *svm, const struct kfd_svm_fault *fault,
			  int ret)
{
	struct kfd_process_device *pdd = svm->process->pdds[fault->gpu];

	kfd_smi_page_fault_end(svm->process, pdd->dev, fault->va, false);
	if (ret && ret != -EAGAIN)
		pr_debug("pasid %u: fault at %#llx is not served: %d\n",
			 svm->process->pasid, fault->va, ret);
	svm_reply(pdd, fault->va, !ret || ret == -EAGAIN);
}

/* Whether a fault waits for pages from now on; returns whether one did. */
static bool svm_set_waits(struct kfd_svm *svm, bool waits)
{
	bool waited;

	spin_lock(&svm->fault_lock);
	waited = svm->waits;
	svm->waits = waits;
	spin_unlock(&svm->fault_lock);
	return waited;
}

/* Go on with this one when its pages are there; false: it has to be asked again. */
static bool svm_wait_for_pages(struct kfd_svm *svm,
			       const struct kfd_svm_fault *fault)
{
	if (svm->look.rounds >= SVM_MAX_ROUNDS)
		return false;
	svm->waiting = *fault;
	svm_set_waits(svm, true);
	svm->request.look = svm->look;
	if (!kfd_mirrors_fetch(&svm->process->mirrors, &svm->request))
		return true;
	svm_set_waits(svm, false);
	return false;
}

/* The one that has waited for pages, or the next. *@ret: what came of the wait. */
static bool svm_next_fault(struct kfd_svm *svm, struct kfd_svm_fault *fault,
			   int *ret)
{
	*ret = 0;
	if (svm_set_waits(svm, false)) {
		*fault = svm->waiting;
		svm->look = svm->request.look;
		*ret = svm->request.ret;
		return true;
	}
	if (!kfifo_out_spinlocked(&svm->faults, fault, 1, &svm->fault_lock))
		return false;
	memset(&svm->look, 0, sizeof(svm->look));
	kfd_smi_page_fault_start(svm->process,
				 svm->process->pdds[fault->gpu]->dev, fault->va,
				 fault->write);
	return true;
}

/* There is room again for those that found none. */
static void svm_ask_again(struct kfd_svm *svm)
{
	struct kfd_process *p = svm->process;
	bool lost;
	u32 i;

	spin_lock(&svm->fault_lock);
	lost = svm->faults_lost;
	svm->faults_lost = false;
	spin_unlock(&svm->fault_lock);
	for (i = 0; lost && i < p->n_pdds; i++)
		if (READ_ONCE(p->pdds[i]->gpu_vm))
			svm_reply(p->pdds[i], SVM_ANY_PAGE, true);
}

/* Takes svm->lock and mmap_lock, and waits for no page. */
static void svm_fault_work(struct work_struct *work)
{
	struct kfd_svm *svm = container_of(work, struct kfd_svm, fault_work);
	struct kfd_svm_fault fault;
	int ret;

	/* It is queued once more when the pages are there. */
	if (kfd_fetch_under_way(&svm->request))
		return;
	while (svm_next_fault(svm, &fault, &ret)) {
		/* Another error is of the end of the process, or of the thread. */
		if (ret != -ENOMEM)
			ret = svm_serve_step(svm, &fault);
		if (ret == -ESRCH)
			return;
		if (ret == -KFD_EABSENT && svm_wait_for_pages(svm, &fault))
			return;
		svm_end_fault(svm, &fault, ret == -KFD_EABSENT ? -EAGAIN : ret);
		cond_resched();
	}
	svm_ask_again(svm);
}

/* kfd_fetch_request.serve; what is not served here is by svm_fetched() */
static void svm_serve_fetched(struct kfd_fetch_request *req,
			      struct kfd_look *look)
{
	struct kfd_svm *svm = container_of(req, struct kfd_svm, request);
	int ret;

	/* It is taken outside mmap_lock. */
	if (!mutex_trylock(&svm->lock))
		return;
	svm->look = *look;
	ret = svm_serve_in_line(svm, &svm->waiting);
	mutex_unlock(&svm->lock);
	if (ret)
		return;
	svm_set_waits(svm, false);
	svm_end_fault(svm, &svm->waiting, 0);
}

static void svm_fetched(struct kfd_fetch_request *req)
{
	struct kfd_svm *svm = container_of(req, struct kfd_svm, request);

	queue_work(kfd_svm_wq, &svm->fault_work);
}

/**
 * kfd_svm_faults_init() - get ready for faults
 * @svm: shared virtual memory of a process, zeroed
 *
 * Context: any.
 */
void kfd_svm_faults_init(struct kfd_svm *svm)
{
	spin_lock_init(&svm->fault_lock);
	INIT_KFIFO(svm->faults);
	INIT_WORK(&svm->fault_work, svm_fault_work);
	kfd_fetch_request_init(&svm->request, svm_fetched, svm_serve_fetched);
}

static void svm_wait_no_more(struct kfd_svm *svm)
{
	kfd_mirrors_fetch_cancel(&svm->process->mirrors, &svm->request);
	svm_set_waits(svm, false);
}

/**
 * kfd_svm_forget_faults() - serve what can be served now, and nothing later
 * @svm: shared virtual memory of a process whose queues do not run
 *
 * Context: sleeps; svm->lock not held.
 */
void kfd_svm_forget_faults(struct kfd_svm *svm)
{
	svm_wait_no_more(svm);
	flush_work(&svm->fault_work);
	/* That may have found another one that has to wait. */
	svm_wait_no_more(svm);
	cancel_work_sync(&svm->fault_work);
}
