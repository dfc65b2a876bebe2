/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The checkpoint image: layout, writer, parser (floor 0).
 *
 * An image is what CHECKPOINT puts into priv_data and RESTORE takes from
 * there: one kfd_image_header and records. Every record says its type,
 * version and length, so that a later driver reads an earlier image:
 *
 *  - a record shorter than the struct this driver knows, but not shorter than
 *    its first version, is read as if the rest were zero;
 *  - a longer one is accepted when what this driver does not know is zero,
 *    else E2BIG;
 *  - an unknown type is E2BIG too: skipping state is not restoring it.
 *
 * Everything is little-endian and naturally aligned; records start at
 * multiples of 8 and padding is zero. An image is hostile: image.c is pure
 * code with neither kernel state nor allocation and builds in user space as
 * well, where it is tested and fuzzed.
 *
 * Order: PROCESS, DEVICE*, BO*, SVM*, EVENT*, then for each queue QUEUE, MQD,
 * [CTL_STACK], [CU_MASK].
 */
#ifndef AMDKFD_CRIU_IMAGE_H
#define AMDKFD_CRIU_IMAGE_H

#include <linux/types.h>
#ifndef __KERNEL__
#include <stdbool.h>
#include <stddef.h>
#endif

#define KFD_IMAGE_MAGIC		0x474d494b44464b01ULL
#define KFD_IMAGE_VERSION	1
#define KFD_IMAGE_MAX_GPUS	8
/* Bounds of an image; RESTORE refuses more with EINVAL before it allocates. */
#define KFD_IMAGE_MAX_BOS	0x100000u
#define KFD_IMAGE_MAX_SVM	0x100000u
#define KFD_IMAGE_MAX_EVENTS	4096
#define KFD_IMAGE_MAX_QUEUES	1024
#define KFD_IMAGE_MAX_BYTES	0x20000000u
#define KFD_IMAGE_MAX_CTL_STACK	0x100000u
#define KFD_IMAGE_MAX_CU_MASK	128	/* bytes */

/**
 * enum kfd_record_type - what a record holds
 * @KFD_RECORD_NONE: never in an image
 * @KFD_RECORD_PROCESS: struct kfd_record_process, exactly one, first
 * @KFD_RECORD_DEVICE: struct kfd_record_device, one per GPU on which the
 *	process has state; the first drivers made one per GPU of the machine
 * @KFD_RECORD_BO: struct kfd_record_bo, one per buffer
 * @KFD_RECORD_EVENT: struct kfd_record_event
 * @KFD_RECORD_QUEUE: struct kfd_record_queue
 * @KFD_RECORD_MQD: the MQD of the queue before it, exactly its mqd_size
 * @KFD_RECORD_CTL_STACK: its control stack, exactly its ctl_stack_size
 * @KFD_RECORD_CU_MASK: its CU mask, exactly its cu_mask_size
 * @KFD_RECORD_SVM: struct kfd_record_svm, in order of address
 * @KFD_NUM_RECORD_TYPES: one more than the last
 */
enum kfd_record_type {
	KFD_RECORD_NONE,
	KFD_RECORD_PROCESS,
	KFD_RECORD_DEVICE,
	KFD_RECORD_BO,
	KFD_RECORD_EVENT,
	KFD_RECORD_QUEUE,
	KFD_RECORD_MQD,
	KFD_RECORD_CTL_STACK,
	KFD_RECORD_CU_MASK,
	KFD_RECORD_SVM,
	KFD_NUM_RECORD_TYPES,
};

/**
 * struct kfd_image_header - start of an image
 * @magic: KFD_IMAGE_MAGIC
 * @version: KFD_IMAGE_VERSION; raised only when old drivers must not try
 * @header_len: bytes of this header, multiple of 8
 * @total_len: bytes of the whole image, this header included; multiple of 8
 * @num_records: number of records
 * @reserved: zero
 */
struct kfd_image_header {
	__u64 magic;
	__u32 version;
	__u32 header_len;
	__u64 total_len;
	__u32 num_records;
	__u32 reserved;
};

/**
 * struct kfd_record_header - start of a record
 * @type: enum kfd_record_type
 * @version: 1
 * @length: bytes of the payload that follows, without the padding to 8
 */
struct kfd_record_header {
	__u32 type;
	__u32 version;
	__u64 length;
};

/**
 * struct kfd_record_process - process-wide state
 * @num_devices: DEVICE records, 0..8
 * @num_bos: BO records
 * @num_events: EVENT records
 * @num_queues: QUEUE records
 * @xnack: SET_XNACK_MODE: 0 or 1
 * @reserved: zero
 * @event_page_handle: BO handle of the event page; 0: none or the kernel's
 * @event_page_user: 1: the event page is the kernel's own (mmap type 2)
 * @next_event_id: reserved, zero
 * @num_svm: SVM records; the first versions of this struct end before it
 * @reserved2: zero
 */
struct kfd_record_process {
	__u32 num_devices;
	__u32 num_bos;
	__u32 num_events;
	__u32 num_queues;
	__u32 xnack;
	__u32 reserved;
	__u64 event_page_handle;
	__u32 event_page_user;
	__u32 next_event_id;
	__u32 num_svm;
	__u32 reserved2;
};

/* Bytes of struct kfd_record_process in images without SVM records. */
#define KFD_RECORD_PROCESS_MIN	40

/**
 * struct kfd_record_device - what the process had on one GPU
 * @user_gpu_id: gpu_id that the process uses; unique, nonzero, 16 bits
 * @gfx_target_version: must equal that of the GPU it is restored on
 * @has_vm: 1: ACQUIRE_VM was done
 * @policy_default: KFD_IOC_CACHE_POLICY_*
 * @policy_alternate: likewise
 * @reserved: zero
 * @alternate_base: SET_MEMORY_POLICY
 * @alternate_size: SET_MEMORY_POLICY
 * @scratch_va: SET_SCRATCH_BACKING_VA
 * @tba: SET_TRAP_HANDLER
 * @tma: SET_TRAP_HANDLER
 */
struct kfd_record_device {
	__u32 user_gpu_id;
	__u32 gfx_target_version;
	__u32 has_vm;
	__u32 policy_default;
	__u32 policy_alternate;
	__u32 reserved;
	__u64 alternate_base;
	__u64 alternate_size;
	__u64 scratch_va;
	__u64 tba;
	__u64 tma;
};

/**
 * struct kfd_record_bo - a buffer; the n-th belongs to the n-th BO bucket
 * @handle: user_gpu_id << 32 | number, number in 1..INT_MAX, unique
 * @va: GPU VA, page-aligned, in the GPUVM aperture
 * @size: bytes, page-aligned, nonzero
 * @user_addr: (USERPTR) CPU address, page-aligned; else 0
 * @gpu_id: user_gpu_id of the GPU that it was allocated on
 * @alloc_flags: KFD_IOC_ALLOC_MEM_FLAGS_*, exactly one memory type
 * @num_mapped: valid entries of @mapped
 * @reserved: zero
 * @mapped: user_gpu_ids of the GPUs that it is mapped on, each once
 * @lost_offset: (USERPTR) first byte that was missing, page-aligned; the first
 *	version of this struct ends before it
 * @lost_size: bytes to the last one that was, page-aligned; 0: none. They may be
 *	missing at RESUME
 */
struct kfd_record_bo {
	__u64 handle;
	__u64 va;
	__u64 size;
	__u64 user_addr;
	__u32 gpu_id;
	__u32 alloc_flags;
	__u32 num_mapped;
	__u32 reserved;
	__u32 mapped[KFD_IMAGE_MAX_GPUS];
	__u64 lost_offset;
	__u64 lost_size;
};

/* Bytes of struct kfd_record_bo in images that say nothing of lost memory. */
#define KFD_RECORD_BO_MIN	80

/* struct kfd_record_svm.access */
#define KFD_RECORD_SVM_ACCESS	1
#define KFD_RECORD_SVM_IN_PLACE	2

/**
 * struct kfd_record_svm - a range of shared virtual memory
 * @start: address, page-aligned, in the GPUVM aperture, behind the range
 *	before it
 * @size: bytes, page-aligned, nonzero
 * @flags: KFD_IOCTL_SVM_FLAG_*
 * @granularity: 0..63
 * @preferred_loc: user_gpu_id or KFD_IOCTL_SVM_LOCATION_*
 * @prefetch_loc: likewise
 * @num_access: valid entries of @gpu_id and @access
 * @others: 1: GPUs on which the process has no state may reach it, too; zero
 *	in the first images, where those had records and are in @gpu_id
 * @gpu_id: user_gpu_ids of the GPUs that may reach it, each once
 * @access: KFD_RECORD_SVM_*: how
 * @lost_offset: as in struct kfd_record_bo
 * @lost_size: likewise
 */
struct kfd_record_svm {
	__u64 start;
	__u64 size;
	__u32 flags;
	__u32 granularity;
	__u32 preferred_loc;
	__u32 prefetch_loc;
	__u32 num_access;
	__u32 others;
	__u32 gpu_id[KFD_IMAGE_MAX_GPUS];
	__u32 access[KFD_IMAGE_MAX_GPUS];
	__u64 lost_offset;
	__u64 lost_size;
};

/* Bytes of struct kfd_record_svm in images that say nothing of lost memory. */
#define KFD_RECORD_SVM_MIN	104

/**
 * struct kfd_record_event - an event
 * @id: event id, 1..INT_MAX, unique; signal and debug events: the slot,
 *	below the limit; others from INT_MAX / 2 + 1
 * @type: KFD_IOC_EVENT_*
 * @auto_reset: 0 or 1
 * @signaled: 0 or 1
 * @slot: slot in the event page (signal events), else 0
 * @reserved: zero
 * @data: memory or HW exception data that a waiter would get, as in struct
 *	kfd_event_data's union (32 bytes); zero for other types
 */
struct kfd_record_event {
	__u32 id;
	__u32 type;
	__u32 auto_reset;
	__u32 signaled;
	__u32 slot;
	__u32 reserved;
	__u64 data[4];
};

/**
 * struct kfd_record_queue - a queue
 * @id: queue id, 0..KFD_IMAGE_MAX_QUEUES - 1, unique
 * @gpu_id: user_gpu_id
 * @type: KFD_IOC_QUEUE_TYPE_*
 * @priority: 0..15
 * @percentage: 0..100
 * @flags: zero
 * @ring_base: GPU VA, 256-byte aligned; may be 0 when disabled
 * @ring_size: bytes, power of two; may be 0 when disabled
 * @read_ptr: GPU VA of the read pointer
 * @write_ptr: GPU VA of the write pointer
 * @doorbell_offset: bytes in the doorbell slice, multiple of 8, unique per GPU
 * @sdma_engine: index, SDMA only
 * @sdma_queue: index within the engine, SDMA only
 * @mqd_size: bytes of the MQD record
 * @ctl_stack_size: bytes of the CTL_STACK record; 0: none
 * @eop_addr: GPU VA of the EOP buffer
 * @eop_size: its bytes
 * @cwsr_addr: GPU VA of the context save area
 * @cwsr_size: its bytes
 * @cu_mask_size: bytes of the CU_MASK record; 0: none
 * @error: 1: the GPU gave the queue up
 * @reserved: zero
 */
struct kfd_record_queue {
	__u32 id;
	__u32 gpu_id;
	__u32 type;
	__u32 priority;
	__u32 percentage;
	__u32 flags;
	__u64 ring_base;
	__u64 ring_size;
	__u64 read_ptr;
	__u64 write_ptr;
	__u32 doorbell_offset;
	__u32 sdma_engine;
	__u32 sdma_queue;
	__u32 mqd_size;
	__u64 eop_addr;
	__u64 cwsr_addr;
	__u32 eop_size;
	__u32 cwsr_size;
	__u32 ctl_stack_size;
	__u32 cu_mask_size;
	__u32 error;
	__u32 reserved;
};

/**
 * struct kfd_record - a record found in an image
 * @type: enum kfd_record_type
 * @version: its version
 * @number: its position among all records, from 0
 * @offset: of its payload from the start of the image
 * @data: its payload
 * @len: bytes at @data
 */
struct kfd_record {
	__u32 type;
	__u32 version;
	__u32 number;
	__u64 offset;
	const void *data;
	__u64 len;
};

/**
 * struct kfd_image_writer - bounds-checked cursor for writing
 * @buf: the image, 8-aligned
 * @size: bytes at @buf
 * @used: bytes written
 * @num_records: records written
 */
struct kfd_image_writer {
	void *buf;
	__u64 size;
	__u64 used;
	__u32 num_records;
};

/**
 * struct kfd_image - a validated image
 * @buf: the image; kept by the caller
 * @len: its bytes
 * @process: the process record
 * @count: number of records per type
 */
struct kfd_image {
	const void *buf;
	__u64 len;
	struct kfd_record_process process;
	__u32 count[KFD_NUM_RECORD_TYPES];
};

/**
 * struct kfd_image_fault - the first fault that validation found
 * @record: number of the record, or -1 for the image header
 * @type: its type
 * @offset: byte offset of the offending field in the image
 * @field: name of the field
 */
struct kfd_image_fault {
	__s32 record;
	__u32 type;
	__u64 offset;
	const char *field;
};

/* Bytes that a record with a payload of @len bytes takes in an image. */
static inline __u64 kfd_record_space(__u64 len)
{
	return sizeof(struct kfd_record_header) + ((len + 7) & ~7ULL);
}

int kfd_image_writer_init(struct kfd_image_writer *w, void *buf, __u64 size);
int kfd_image_put(struct kfd_image_writer *w, enum kfd_record_type type,
		  const void *data, __u64 len);
void kfd_image_finish(struct kfd_image_writer *w);

int kfd_image_parse(struct kfd_image *image, const void *buf, __u64 len,
		    struct kfd_image_fault *fault);
bool kfd_image_next(const struct kfd_image *image, struct kfd_record *rec);
bool kfd_image_find(const struct kfd_image *image, enum kfd_record_type type,
		    __u32 index, struct kfd_record *rec);
int kfd_record_read(const struct kfd_record *rec, void *dst, __u64 size,
		    __u64 min_size);

#endif
