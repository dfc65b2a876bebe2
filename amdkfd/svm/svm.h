/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared virtual memory (floor 3): ranges of the process's own addresses that
 * GPUs reach under the same addresses.
 *
 * range.c	the ranges: the tree
 * change.c	split, merge, new attributes
 * pages.c	what the pages of a range are to GPUs
 * hole.c	what munmap leaves
 * attr.c	AMDKFD_IOC_SVM
 * charge.c	what is charged against the limit on system memory
 * fault.c	GPU faults that wait for a page
 * migrate.c	pages in VRAM
 * svm.c	the component, queue buffers in ranges, what siblings ask
 * svm_criu.c	checkpoint and restore
 *
 * The pages of a range are a mirror (../mirror.h). Lock order: process->lock >
 * svm->lock > mirrors.validate_lock > mmap_lock > mirrors.notifier_lock.
 * Faults and munmap come without process->lock, so svm->lock alone protects
 * the ranges.
 */
#ifndef AMDKFD_SVM_H
#define AMDKFD_SVM_H

#include <linux/interval_tree.h>
#include <linux/kfifo.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include <linux/kfd_ioctl.h>

#include "../mirror.h"
#include "../process.h"

struct file;
struct kfd_record_svm;
struct seq_file;

#define KFD_SVM_FLAGS	(KFD_IOCTL_SVM_FLAG_HOST_ACCESS |	\
			 KFD_IOCTL_SVM_FLAG_COHERENT |		\
			 KFD_IOCTL_SVM_FLAG_HIVE_LOCAL |	\
			 KFD_IOCTL_SVM_FLAG_GPU_RO |		\
			 KFD_IOCTL_SVM_FLAG_GPU_EXEC |		\
			 KFD_IOCTL_SVM_FLAG_GPU_READ_MOSTLY |	\
			 KFD_IOCTL_SVM_FLAG_GPU_ALWAYS_MAPPED)

/* What the granularity is at most, log2 of pages; mainline's bound. */
#define KFD_SVM_MAX_GRANULARITY		0x3f
/* 2 MiB */
#define KFD_SVM_DEFAULT_GRANULARITY	9

/* Faults of a process that can wait to be served at a time. */
#define KFD_SVM_MAX_FAULTS		64

/**
 * struct kfd_svm_attrs - what userspace says of a range
 * @flags: KFD_IOCTL_SVM_FLAG_*
 * @granularity: log2 of the pages that are moved and mapped together, 0..63
 * @preferred_loc: user_gpu_id or KFD_IOCTL_SVM_LOCATION_*
 * @prefetch_loc: likewise; what was asked for last
 * @access: GPUs that may reach it, by index
 * @in_place: GPUs that may reach it where it is, by index; none of @access
 */
struct kfd_svm_attrs {
	u32 flags;
	u32 granularity;
	u32 preferred_loc;
	u32 prefetch_loc;
	u32 access;
	u32 in_place;
};

/**
 * struct kfd_svm_range - a range of addresses with the same attributes
 * @mirror: its pages
 * @node: interval tree linkage (svm->lock)
 * @subtree_last: interval tree augmentation (svm->lock)
 * @start: first byte; immutable once in the tree
 * @last: last byte
 * @svm: whose
 * @attrs: (svm->lock)
 * @gpus: GPUs that pages go to, by index; from @attrs (notifier_lock)
 * @mapped: GPUs that may have pages, by index (notifier_lock)
 * @asker: the GPU that pages are looked up for, as a set; 0: for all of @gpus
 *	(validate_lock)
 * @link: in a list of one change (svm->lock)
 */
struct kfd_svm_range {
	struct kfd_mirror mirror;
	struct rb_node node;
	u64 subtree_last;
	u64 start;
	u64 last;
	struct kfd_svm *svm;
	struct kfd_svm_attrs attrs;
	u32 gpus;
	u32 mapped;
	u32 asker;
	struct list_head link;
};

/**
 * struct kfd_svm_hole - addresses that the process has unmapped
 * @node: in kfd_svm.holes (notifier_lock)
 */
struct kfd_svm_hole {
	struct interval_tree_node node;
};

/**
 * struct kfd_svm_hold - memory in ranges that a queue can't do without
 * @link: in kfd_svm.holds (svm->lock)
 * @pdd: GPU of the queue
 * @start: first byte
 * @last: last byte
 * @write: the GPU writes there
 * @lost: it has been unmapped: one eviction of that GPU is held until the
 *	queue is gone (svm->lock)
 */
struct kfd_svm_hold {
	struct list_head link;
	struct kfd_process_device *pdd;
	u64 start;
	u64 last;
	bool write;
	bool lost;
};

/**
 * struct kfd_svm_fault - a GPU access that waits
 * @gpu: index of the GPU
 * @va: page
 * @write: it is a write
 */
struct kfd_svm_fault {
	u32 gpu;
	u64 va;
	bool write;
};

/**
 * struct kfd_svm - shared virtual memory of a process
 * @process: whose
 * @lock: protects the ranges and the fields said below
 * @ranges: interval tree of kfd_svm_range (@lock)
 * @num_ranges: their number (@lock)
 * @retry: XNACK: GPUs wait for absent pages (@lock)
 * @holds: struct kfd_svm_hold (@lock)
 * @restored: ranges of an image that wait for RESUME, in order of address,
 *	linked by kfd_svm_range.link and unwatched (@lock)
 * @num_restored: their number (@lock)
 * @charged: bytes that @ranges are charged for, see charge.c (@lock)
 * @charged_ahead: bytes that @restored are charged for (@lock)
 * @xnack_loaded: a RESTORE has set the XNACK mode (process->lock)
 * @xnack_before: to what it was before (process->lock)
 * @holes: struct kfd_svm_hole: unmapped, but still in ranges (notifier_lock)
 * @num_holes: their number (notifier_lock)
 * @lost_start: hull of holes that there was no memory for (notifier_lock)
 * @lost_last: its end; 0: none (notifier_lock)
 * @closing: no work is scheduled any more (notifier_lock)
 * @strike_work: takes @holes out of the ranges
 * @fault_lock: protects @faults and @faults_lost; a GPU's thread takes it
 * @faults: to be served
 * @faults_lost: there were more than @faults can hold
 * @fault_work: serves them
 * @waiting: the one that waits for pages to be brought in (@fault_work)
 * @waits: there is one (@fault_lock)
 * @look: of the fault that is served (@fault_work)
 * @request: the pages that @waiting waits for
 * @num_faults: served, for fdinfo (@lock)
 * @num_unmaps: times that pages were taken off GPUs (notifier_lock)
 */
struct kfd_svm {
	struct kfd_process *process;
	struct mutex lock;	/* ranges and their attributes */
	struct rb_root_cached ranges;
	u32 num_ranges;
	bool retry;
	struct list_head holds;
	struct list_head restored;
	u32 num_restored;
	u64 charged;
	u64 charged_ahead;
	bool xnack_loaded;
	bool xnack_before;
	struct rb_root_cached holes;
	u32 num_holes;
	u64 lost_start;
	u64 lost_last;
	bool closing;
	struct delayed_work strike_work;
	spinlock_t fault_lock;	/* faults that wait to be served */
	DECLARE_KFIFO(faults, struct kfd_svm_fault, KFD_SVM_MAX_FAULTS);
	bool faults_lost;
	struct work_struct fault_work;
	struct kfd_svm_fault waiting;
	bool waits;
	struct kfd_look look;
	struct kfd_fetch_request request;
	u64 num_faults;
	u64 num_unmaps;
};

static inline struct kfd_svm *kfd_svm(struct kfd_process *p)
{
	return kfd_state(p, KFD_COMPONENT_SVM);
}

static inline bool kfd_svm_attrs_equal(const struct kfd_svm_attrs *a,
				       const struct kfd_svm_attrs *b)
{
	return a->flags == b->flags && a->granularity == b->granularity &&
	       a->preferred_loc == b->preferred_loc &&
	       a->prefetch_loc == b->prefetch_loc && a->access == b->access &&
	       a->in_place == b->in_place;
}

/**
 * typedef kfd_svm_change_fn - new attributes of a part of the ranges
 * @attrs: those it has, to be changed
 * @arg: the caller's
 */
typedef void (*kfd_svm_change_fn)(struct kfd_svm_attrs *attrs, void *arg);

/* range.c; svm->lock held */
void kfd_svm_insert(struct kfd_svm_range *r);
void kfd_svm_take(struct kfd_svm_range *r);
struct kfd_svm_range *kfd_svm_first(struct kfd_svm *svm, u64 start, u64 last);
struct kfd_svm_range *kfd_svm_next(struct kfd_svm_range *r, u64 start,
				   u64 last);
struct kfd_svm_range *kfd_svm_range_new(struct kfd_svm *svm, u64 start,
					u64 last,
					const struct kfd_svm_attrs *attrs);
void kfd_svm_default_attrs(struct kfd_svm *svm, struct kfd_svm_attrs *attrs);
int kfd_svm_validate(struct kfd_svm *svm, u64 start, u64 last,
		     struct kfd_look *look);
void kfd_svm_remove_all(struct kfd_svm *svm);
void kfd_svm_renew_needs(struct kfd_svm *svm);
u32 kfd_svm_bound_gpus(struct kfd_process *p);
u32 kfd_svm_gpus(struct kfd_svm *svm, const struct kfd_svm_attrs *attrs);
u32 kfd_svm_needs(const struct kfd_svm_range *r);

/* change.c; svm->lock held */
int kfd_svm_change(struct kfd_svm *svm, u64 start, u64 last,
		   kfd_svm_change_fn fn, void *arg);
int kfd_svm_remove(struct kfd_svm *svm, u64 start, u64 last);

/* pages.c */
extern const struct kfd_mirror_ops kfd_svm_mirror_ops;

/* charge.c: the limit on system memory; svm->lock held */
u64 kfd_svm_bytes(const struct kfd_svm *svm, u64 start, u64 last,
		  const struct kfd_svm_attrs *attrs);
int kfd_svm_set_charge(struct kfd_svm *svm, u64 total);
int kfd_svm_charge_all(struct kfd_svm *svm);
int kfd_svm_charge_ahead(const struct kfd_svm_range *r);
void kfd_svm_drop_ahead(struct kfd_svm *svm);

/* hole.c: what the process unmaps */
void kfd_svm_add_hole(struct kfd_svm *svm, u64 start, u64 last);
bool kfd_svm_in_hole(struct kfd_svm *svm, u64 start, u64 last);
bool kfd_svm_has_holes(struct kfd_svm *svm);
int kfd_svm_strike(struct kfd_svm *svm);
void kfd_svm_strike_work(struct work_struct *work);
void kfd_svm_forget_holes(struct kfd_svm *svm);

/* attr.c */
int kfd_svm_check_memory(struct kfd_process *p, u64 start, u64 last);
int kfd_svm_ioctl_check(const void *data, unsigned int size);
int kfd_ioctl_svm(struct file *filp, struct kfd_process *p, void *data);

/* fault.c */
void kfd_svm_gpu_fault(struct kfd_process *p, struct kfd_device *dev,
		       const struct kfd_gpu_fault *fault);
void kfd_svm_faults_init(struct kfd_svm *svm);
void kfd_svm_forget_faults(struct kfd_svm *svm);

/* migrate.c; svm->lock held, but for kfd_svm_device_unused() */
#if IS_ENABLED(CONFIG_DEVICE_PRIVATE)
int kfd_svm_prefetch(struct kfd_svm *svm, u64 start, u64 last);
void kfd_svm_approach(struct kfd_svm_range *r, struct kfd_process_device *pdd,
		      u64 start, u64 last);
void *kfd_svm_owner(struct kfd_svm_range *r, u32 gpus);
bool kfd_svm_backing(struct page **pages, u64 npages);
void kfd_svm_device_unused(struct kfd_device *dev);
#else
/* No page can be in VRAM: nothing moves, which is never an error. */
static inline int kfd_svm_prefetch(struct kfd_svm *svm, u64 start, u64 last)
{
	return 0;
}

static inline void kfd_svm_approach(struct kfd_svm_range *r,
				    struct kfd_process_device *pdd, u64 start,
				    u64 last)
{
}

static inline void *kfd_svm_owner(struct kfd_svm_range *r, u32 gpus)
{
	return NULL;
}

static inline bool kfd_svm_backing(struct page **pages, u64 npages)
{
	return false;
}

static inline void kfd_svm_device_unused(struct kfd_device *dev)
{
}
#endif

/* svm.c */
extern struct workqueue_struct *kfd_svm_wq;
int kfd_svm_init(void);
void kfd_svm_exit(void);
extern const struct kfd_component_ops kfd_svm_component_ops;
extern const struct kfd_svm_ops kfd_svm_ops;
bool kfd_svm_takes_held(struct kfd_svm *svm, u64 start, u64 last,
			kfd_svm_change_fn fn, void *arg);
void kfd_svm_lose_holds(struct kfd_svm *svm, u64 start, u64 last);
int kfd_svm_set_xnack(struct kfd_process *p, bool enabled);
void kfd_svm_gpu_bound(struct kfd_process *p);
void kfd_svm_unpaused(struct kfd_process *p);

/* svm_criu.c */
int kfd_svm_resume(struct kfd_process *p, struct kfd_look *look);
void kfd_svm_drop_restored(struct kfd_svm *svm);

#endif
