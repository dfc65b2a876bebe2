/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * User-mode queues of a process (floor 3).
 *
 * process->lock: which queues exist and their properties.
 * device->scheduler_lock: whether they run: the list per GPU, eviction counts,
 * loaded, and the MQD (which the GPU owns while the queue is loaded).
 */
#ifndef AMDKFD_QUEUE_H
#define AMDKFD_QUEUE_H

#include <linux/bitmap.h>
#include <linux/list.h>
#include <linux/types.h>
#include <linux/xarray.h>

#include <linux/kfd_ioctl.h>

#include "../criu/image.h"
#include "../process.h"

#define KFD_MAX_QUEUES_PER_PROCESS	KFD_IMAGE_MAX_QUEUES
#define KFD_MAX_QUEUES_PER_GPU		4096
#define KFD_DOORBELLS_PER_SLICE		(KFD_DOORBELL_SLICE_SIZE / KFD_DOORBELL_STRIDE)
#define KFD_CU_MASK_MAX_BITS		1024
/* How long a queue may take to leave the hardware. */
#define KFD_PREEMPT_TIMEOUT_MS		2000
/* Likewise, when another queue of the same process has not made it. */
#define KFD_PREEMPT_MORE_TIMEOUT_MS	50

/**
 * enum kfd_queue_buffer - what a queue needs to stay mapped on its GPU
 * @KFD_QUEUE_RING: ring buffer
 * @KFD_QUEUE_RPTR: read pointer
 * @KFD_QUEUE_WPTR: write pointer
 * @KFD_QUEUE_EOP: EOP buffer
 * @KFD_QUEUE_CWSR: context save area
 * @KFD_QUEUE_NUM_BUFFERS: their number
 */
enum kfd_queue_buffer {
	KFD_QUEUE_RING,
	KFD_QUEUE_RPTR,
	KFD_QUEUE_WPTR,
	KFD_QUEUE_EOP,
	KFD_QUEUE_CWSR,
	KFD_QUEUE_NUM_BUFFERS,
};

/**
 * struct kfd_queue_properties - what userspace says of a queue
 * @type: KFD_IOC_QUEUE_TYPE_*
 * @priority: 0..15
 * @percentage: 0..100; 0 disables
 * @ring_base: GPU VA; 0 disables
 * @ring_size: bytes, power of two
 * @read_ptr: GPU VA
 * @write_ptr: GPU VA
 * @eop_addr: GPU VA or 0
 * @eop_size: bytes
 * @cwsr_addr: GPU VA of the context save area or 0
 * @cwsr_size: bytes
 * @ctl_stack_size: bytes of it that are control stack
 */
struct kfd_queue_properties {
	u32 type;
	u32 priority;
	u32 percentage;
	u64 ring_base;
	u64 ring_size;
	u64 read_ptr;
	u64 write_ptr;
	u64 eop_addr;
	u64 eop_size;
	u64 cwsr_addr;
	u32 cwsr_size;
	u32 ctl_stack_size;
};

/**
 * struct kfd_cu_mask - what SET_CU_MASK gave
 * @bits: valid bits of @words, a multiple of 32; 0: not set
 * @words: the bits
 */
struct kfd_cu_mask {
	u32 bits;
	u32 words[KFD_CU_MASK_MAX_BITS / 32];
};

/**
 * struct kfd_queue_buffers - memory that a queue holds
 * @hold: by enum kfd_queue_buffer; nothing where it has none
 */
struct kfd_queue_buffers {
	struct kfd_hold hold[KFD_QUEUE_NUM_BUFFERS];
};

/**
 * struct kfd_queue - a queue
 * @id: number within the process
 * @pdd: process and GPU
 * @props: properties (process->lock)
 * @doorbell_offset: bytes in the doorbell slice
 * @sdma_engine: SDMA only
 * @sdma_slot: SDMA only: index within the engine
 * @mqd_ops: MQD format of the GPU's generation
 * @mqd: the MQD (scheduler_lock; the GPU's while loaded)
 * @ctl_stack: kernel copy of the control stack, likewise; NULL for SDMA
 * @cu_mask: which CUs it may use (process->lock)
 * @buffers: memory held mapped (process->lock)
 * @gpu_queue: the provider's side
 * @link: in the per-GPU list (scheduler_lock)
 * @evictions: reasons not to run (scheduler_lock)
 * @evictions_total: how often one was added, for fdinfo (scheduler_lock)
 * @loaded: it is on the hardware (scheduler_lock)
 * @error: the GPU gave it up; set once from the provider's thread
 */
struct kfd_queue {
	u32 id;
	struct kfd_process_device *pdd;
	struct kfd_queue_properties props;
	u32 doorbell_offset;
	u32 sdma_engine;
	u32 sdma_slot;
	const struct kfd_mqd_ops *mqd_ops;
	u32 *mqd;
	void *ctl_stack;
	struct kfd_cu_mask cu_mask;
	struct kfd_queue_buffers buffers;
	struct kfd_gpu_queue *gpu_queue;
	struct list_head link;
	u32 evictions;
	u64 evictions_total;
	bool loaded;
	bool error;
};

/**
 * enum kfd_mqd_class - where a restored queue has a part of its MQD from
 * @KFD_MQD_REBUILT: from the queue's properties, as a new queue; what the
 *	image says there is not looked at
 * @KFD_MQD_TAKEN: from the image: execution state, any value is good
 * @KFD_MQD_MASKED: likewise, the bits of the mask; the others are rebuilt
 * @KFD_MQD_BOUNDED: as @KFD_MQD_MASKED, and brought into the range that the
 *	queue's properties allow, or refused
 */
enum kfd_mqd_class {
	KFD_MQD_REBUILT,
	KFD_MQD_TAKEN,
	KFD_MQD_MASKED,
	KFD_MQD_BOUNDED,
};

/**
 * struct kfd_mqd_field - a run of dwords of an MQD that are of one class
 * @first: first dword
 * @last: last dword
 * @class: what it is
 * @mask: bits that are taken from an image; 0 for KFD_MQD_REBUILT
 */
struct kfd_mqd_field {
	u16 first;
	u16 last;
	enum kfd_mqd_class class;
	u32 mask;
};

/**
 * struct kfd_mqd_ops - the MQD format of one GPU generation
 * @size: bytes of an MQD of this queue type
 * @init: fill @q->mqd from the properties, as for a new queue
 * @update: bring changed properties and the CU mask into the MQD
 * @restore: after @init: take the execution state, and nothing privileged,
 *	from @src of an image
 * @restore_stack: after @restore: take the used part of a control stack of an
 *	image, and nothing privileged; the rest of q->ctl_stack stays zero
 * @fields: the classes of all dwords of an MQD of this queue type, in order
 *	and without a gap
 * @wave_state: bytes used of control stack and of the save area
 * @progress: ring positions, and whether anything of a packet is left undone
 *
 * All work on memory alone; @q is not loaded.
 */
struct kfd_mqd_ops {
	u32 (*size)(u32 type);
	void (*init)(struct kfd_queue *q);
	void (*update)(struct kfd_queue *q);
	int (*restore)(struct kfd_queue *q, const u32 *src);
	int (*restore_stack)(struct kfd_queue *q, const void *src);
	const struct kfd_mqd_field *(*fields)(u32 type, u32 *count);
	void (*wave_state)(const struct kfd_queue *q, u32 *ctl_stack_used,
			   u32 *save_area_used);
	void (*progress)(const struct kfd_queue *q,
			 struct kfd_gpu_queue_progress *out);
};

/**
 * struct kfd_queues - the queues of a process
 * @table: id -> kfd_queue (process->lock)
 * @count: their number (process->lock)
 */
struct kfd_queues {
	struct xarray table;
	u32 count;
};

/**
 * struct kfd_device_queues - the queues of a process on one GPU
 * @list: kfd_queue.link (scheduler_lock)
 * @doorbells: doorbells in use (process->lock)
 */
struct kfd_device_queues {
	struct list_head list;
	DECLARE_BITMAP(doorbells, KFD_DOORBELLS_PER_SLICE);
};

static inline struct kfd_queues *kfd_queues(struct kfd_process *p)
{
	return kfd_state(p, KFD_COMPONENT_QUEUE);
}

static inline struct kfd_device_queues *
kfd_device_queues(struct kfd_process_device *pdd)
{
	return kfd_state(pdd, KFD_COMPONENT_QUEUE);
}

static inline bool kfd_queue_is_sdma(u32 type)
{
	return type == KFD_IOC_QUEUE_TYPE_SDMA;
}

extern const struct kfd_component_ops kfd_queue_component_ops;
extern const struct kfd_queue_sched_ops kfd_queue_sched_ops;
extern const struct kfd_mqd_ops kfd_mqd_gfx9_ops;

int kfd_ioctl_create_queue(struct file *filp, struct kfd_process *p, void *data);
int kfd_ioctl_destroy_queue(struct file *filp, struct kfd_process *p,
			    void *data);
int kfd_ioctl_update_queue(struct file *filp, struct kfd_process *p, void *data);
int kfd_ioctl_set_cu_mask(struct file *filp, struct kfd_process *p, void *data);
int kfd_ioctl_get_queue_wave_state(struct file *filp, struct kfd_process *p,
				   void *data);

/**
 * struct kfd_queue_restore - what a restored queue gets besides properties
 * @id: queue id
 * @doorbell_offset: bytes in the slice
 * @mqd: MQD of the image, already of the right size
 * @ctl_stack: control stack of the image, ctl_stack_size bytes, or NULL
 * @cu_mask: CU mask of the image or NULL
 * @cu_mask_bits: its bits
 * @error: it had been given up
 */
struct kfd_queue_restore {
	u32 id;
	u32 doorbell_offset;
	const u32 *mqd;
	const void *ctl_stack;
	const u32 *cu_mask;
	u32 cu_mask_bits;
	bool error;
};

/* queue.c */
const struct kfd_mqd_ops *kfd_mqd_ops_for(const struct kfd_device *dev);
struct kfd_queue *kfd_queue_create(struct kfd_process_device *pdd,
				   const struct kfd_queue_properties *props,
				   const struct kfd_queue_restore *restore);
void kfd_queue_destroy(struct kfd_queue *q);
u32 kfd_queue_count(struct kfd_process *p);
void kfd_queue_gave_up(struct kfd_process *p, struct kfd_device *dev,
		       void *cookie, enum kfd_queue_error error);

/* queue_buffers.c */
int kfd_queue_check_properties(const struct kfd_queue_properties *props);
int kfd_queue_hold_buffers(struct kfd_process_device *pdd,
			   const struct kfd_queue_properties *props,
			   struct kfd_queue_buffers *buffers);
void kfd_queue_release_buffers(struct kfd_process_device *pdd,
			       struct kfd_queue_buffers *buffers);

/* queue_idle.c */
struct kfd_queue *kfd_queue_first_loaded(struct kfd_process *p);
struct kfd_queue *kfd_queue_first_busy(struct kfd_process *p, bool off);

/* queue_sched.c */
int kfd_queue_attach(struct kfd_queue *q);
void kfd_queue_detach(struct kfd_queue *q);
int kfd_queue_stop_locked(struct kfd_queue *q);
int kfd_queue_start_locked(struct kfd_queue *q);

#endif
