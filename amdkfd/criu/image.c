// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writer and parser of the checkpoint image (floor 0).
 *
 * Pure code: no kernel state, no allocation, no lock; it builds in user space
 * as well. kfd_image_parse() checks all that can be known from the bytes
 * alone: lengths, order, counts, ranges, alignments, reserved fields. What
 * needs state (is the id free? does the GPU exist here?) is checked by the
 * load() operations.
 */
#ifdef __KERNEL__
#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/string.h>
#else
#include <errno.h>
#include <limits.h>
#include <string.h>
#endif

#include <linux/kfd_ioctl.h>

#include "../debug/break.h"
#include "image.h"

#define IMAGE_PAGE		4096ULL
#define IMAGE_VA_FIRST		0x4000ULL
#define IMAGE_VA_LAST		0x7fffffffffffULL
#define IMAGE_DOORBELL_SLICE	8192
#define IMAGE_MAX_MQD		4096
#define IMAGE_FIRST_OTHER_ID	(((__u32)INT_MAX >> 1) + 1)
#define IMAGE_MEMORY_TYPES	(KFD_IOC_ALLOC_MEM_FLAGS_VRAM | \
				 KFD_IOC_ALLOC_MEM_FLAGS_GTT | \
				 KFD_IOC_ALLOC_MEM_FLAGS_USERPTR | \
				 KFD_IOC_ALLOC_MEM_FLAGS_DOORBELL | \
				 KFD_IOC_ALLOC_MEM_FLAGS_MMIO_REMAP)

#define IMAGE_SVM_FLAGS		0x7fu	/* all that there are */
#define IMAGE_SVM_MAX_GRANULARITY	63

/**
 * struct parse - state of a validation under way
 * @image: what is being filled
 * @fault: where to note the first fault, or NULL
 * @rec: record being looked at
 * @gpu_ids: user_gpu_ids of the DEVICE records so far
 * @has_vm: whether they have a VM
 * @svm_next: end of the SVM record before
 * @mqd_left: bytes that the MQD record of the last queue must have; 0: seen
 * @ctl_left: likewise, control stack
 * @cu_left: likewise, CU mask
 */
struct parse {
	struct kfd_image *image;
	struct kfd_image_fault *fault;
	struct kfd_record rec;
	__u32 gpu_ids[KFD_IMAGE_MAX_GPUS];
	__u32 has_vm[KFD_IMAGE_MAX_GPUS];
	__u64 svm_next;
	__u64 mqd_left;
	__u64 ctl_left;
	__u64 cu_left;
};

static int parse_fault(struct parse *s, __u64 offset, const char *field)
{
	if (s->fault) {
		s->fault->record = s->rec.data ? (__s32)s->rec.number : -1;
		s->fault->type = s->rec.type;
		s->fault->offset = s->rec.offset + offset;
		s->fault->field = field;
	}
	return -EINVAL;
}

/* parse_fault() that names a field of the record's struct. */
#define fault_at(s, type, field)	\
	parse_fault(s, offsetof(type, field), #field)

static bool all_zero(const void *data, __u64 len)
{
	const unsigned char *p = data;
	__u64 i;

	for (i = 0; i < len; i++)
		if (p[i])
			return false;
	return true;
}

/**
 * kfd_image_writer_init - start an image
 * @w: the writer
 * @buf: where to, 8-aligned
 * @size: bytes there
 *
 * Context: any.
 * Return: 0; -EINVAL: no room for the header.
 */
int kfd_image_writer_init(struct kfd_image_writer *w, void *buf, __u64 size)
{
	if (size < sizeof(struct kfd_image_header))
		return -EINVAL;
	w->buf = buf;
	w->size = size;
	w->used = sizeof(struct kfd_image_header);
	w->num_records = 0;
	return 0;
}

/**
 * kfd_image_put - add a record
 * @w: the writer
 * @type: its type
 * @data: its payload
 * @len: bytes at @data
 *
 * Context: any.
 * Return: 0; -EINVAL: it does not fit: what is saved has grown since it was
 * measured. Nothing is written then.
 */
int kfd_image_put(struct kfd_image_writer *w, enum kfd_record_type type,
		  const void *data, __u64 len)
{
	struct kfd_record_header hdr = {
		.type = type,
		.version = 1,
		.length = len,
	};
	unsigned char *p = w->buf;
	__u64 space;

	if (len > KFD_IMAGE_MAX_BYTES)
		return -EINVAL;
	space = kfd_record_space(len);
	if (!KFD_BROKEN(counts_changed) && space > w->size - w->used)
		return -EINVAL;
	p += w->used;
	memcpy(p, &hdr, sizeof(hdr));
	memcpy(p + sizeof(hdr), data, len);
	memset(p + sizeof(hdr) + len, 0, space - sizeof(hdr) - len);
	w->used += space;
	w->num_records++;
	return 0;
}

/**
 * kfd_image_finish - complete the image by its header
 * @w: the writer; @w->used is the image's length
 *
 * Context: any.
 */
void kfd_image_finish(struct kfd_image_writer *w)
{
	struct kfd_image_header hdr = {
		.magic = KFD_IMAGE_MAGIC,
		.version = KFD_IMAGE_VERSION,
		.header_len = sizeof(hdr),
		.total_len = w->used,
		.num_records = w->num_records,
	};

	memcpy(w->buf, &hdr, sizeof(hdr));
}

/**
 * kfd_record_read - take a record's payload as the struct that is known here
 * @rec: the record
 * @dst: the struct; zero-filled where the record is shorter
 * @size: its bytes
 * @min_size: bytes of the first version of that struct
 *
 * Context: any.
 * Return: 0; -EINVAL: shorter than the first version; -E2BIG: something in it
 * that is not known here is not zero.
 */
int kfd_record_read(const struct kfd_record *rec, void *dst, __u64 size,
		    __u64 min_size)
{
	__u64 n = rec->len < size ? rec->len : size;

	if (rec->len < min_size)
		return -EINVAL;
	if (rec->len > size &&
	    !all_zero((const char *)rec->data + size, rec->len - size))
		return -E2BIG;
	memset(dst, 0, size);
	memcpy(dst, rec->data, n);
	return 0;
}

static __u64 record_end(const struct kfd_record *rec)
{
	return rec->offset + ((rec->len + 7) & ~7ULL);
}

/* The record at @offset; false when it is not wholly inside the image. */
static bool record_at(const void *buf, __u64 len, __u64 offset,
		      struct kfd_record *rec)
{
	struct kfd_record_header hdr;

	if (offset > len || len - offset < sizeof(hdr))
		return false;
	memcpy(&hdr, (const char *)buf + offset, sizeof(hdr));
	offset += sizeof(hdr);
	if (hdr.length > KFD_IMAGE_MAX_BYTES ||
	    ((hdr.length + 7) & ~7ULL) > len - offset)
		return false;
	rec->type = hdr.type;
	rec->version = hdr.version;
	rec->len = hdr.length;
	rec->offset = offset;
	rec->data = (const char *)buf + offset;
	return true;
}

/**
 * kfd_image_next - step to the next record of a validated image
 * @image: the image
 * @rec: all zero to start; then the record to step from
 *
 * Context: any.
 * Return: false at the end.
 */
bool kfd_image_next(const struct kfd_image *image, struct kfd_record *rec)
{
	struct kfd_image_header hdr;
	__u64 offset;

	memcpy(&hdr, image->buf, sizeof(hdr));
	if (rec->data) {
		offset = record_end(rec);
		rec->number++;
	} else {
		offset = hdr.header_len;
		rec->number = 0;
	}
	return rec->number < hdr.num_records &&
	       record_at(image->buf, image->len, offset, rec);
}

/**
 * kfd_image_find - the n-th record of a type
 * @image: a validated image
 * @type: the type
 * @index: n, from 0
 * @rec: filled
 *
 * Walks from the start: for types with few records.
 *
 * Context: any.
 * Return: false when there is none.
 */
bool kfd_image_find(const struct kfd_image *image, enum kfd_record_type type,
		    __u32 index, struct kfd_record *rec)
{
	memset(rec, 0, sizeof(*rec));
	while (kfd_image_next(image, rec))
		if (rec->type == type && !index--)
			return true;
	return false;
}

static int parse_read_from(struct parse *s, void *dst, __u64 size,
			   __u64 min_size)
{
	int ret = kfd_record_read(&s->rec, dst, size, min_size);

	if (ret)
		parse_fault(s, 0, ret == -E2BIG ? "unknown fields" : "length");
	return ret;
}

static int parse_read(struct parse *s, void *dst, __u64 size)
{
	return parse_read_from(s, dst, size, size);
}

static int parse_process(struct parse *s)
{
	struct kfd_record_process *p = &s->image->process;
	int ret = parse_read_from(s, p, sizeof(*p), KFD_RECORD_PROCESS_MIN);

	if (ret)
		return ret;
	if (p->num_devices > KFD_IMAGE_MAX_GPUS)
		return fault_at(s, struct kfd_record_process, num_devices);
	if (p->num_bos > KFD_IMAGE_MAX_BOS)
		return fault_at(s, struct kfd_record_process, num_bos);
	if (p->num_events > 2 * KFD_IMAGE_MAX_EVENTS)
		return fault_at(s, struct kfd_record_process, num_events);
	if (p->num_queues > KFD_IMAGE_MAX_QUEUES)
		return fault_at(s, struct kfd_record_process, num_queues);
	if (p->xnack > 1)
		return fault_at(s, struct kfd_record_process, xnack);
	if (p->reserved)
		return fault_at(s, struct kfd_record_process, reserved);
	if (p->event_page_user > 1)
		return fault_at(s, struct kfd_record_process, event_page_user);
	if (p->event_page_user && p->event_page_handle)
		return fault_at(s, struct kfd_record_process, event_page_handle);
	if (p->next_event_id)
		return fault_at(s, struct kfd_record_process, next_event_id);
	if (p->num_svm > KFD_IMAGE_MAX_SVM)
		return fault_at(s, struct kfd_record_process, num_svm);
	if (p->reserved2)
		return fault_at(s, struct kfd_record_process, reserved2);
	return 0;
}

/* Index of a user_gpu_id among the DEVICE records, -1: none. */
static int find_gpu(const struct parse *s, __u32 gpu_id)
{
	__u32 i;

	for (i = 0; i < s->image->count[KFD_RECORD_DEVICE]; i++)
		if (s->gpu_ids[i] == gpu_id)
			return (int)i;
	return -1;
}

static int parse_device(struct parse *s)
{
	__u32 n = s->image->count[KFD_RECORD_DEVICE];
	struct kfd_record_device d;
	int ret = parse_read(s, &d, sizeof(d));

	if (ret)
		return ret;
	if (!d.user_gpu_id || d.user_gpu_id > 0xffff ||
	    find_gpu(s, d.user_gpu_id) >= 0)
		return fault_at(s, struct kfd_record_device, user_gpu_id);
	if (d.has_vm > 1)
		return fault_at(s, struct kfd_record_device, has_vm);
	if (d.policy_default > KFD_IOC_CACHE_POLICY_NONCOHERENT)
		return fault_at(s, struct kfd_record_device, policy_default);
	if (d.policy_alternate > KFD_IOC_CACHE_POLICY_NONCOHERENT)
		return fault_at(s, struct kfd_record_device, policy_alternate);
	if (d.reserved)
		return fault_at(s, struct kfd_record_device, reserved);
	s->gpu_ids[n] = d.user_gpu_id;
	s->has_vm[n] = d.has_vm;
	return 0;
}

static bool gpu_has_vm(const struct parse *s, __u32 gpu_id)
{
	int i = find_gpu(s, gpu_id);

	return i >= 0 && s->has_vm[i];
}

static bool one_bit(__u32 bits)
{
	return bits && !(bits & (bits - 1));
}

static bool in_aperture(__u64 va, __u64 size)
{
	return size && va >= IMAGE_VA_FIRST && va <= IMAGE_VA_LAST &&
	       size - 1 <= IMAGE_VA_LAST - va;
}

static int parse_bo_mapped(struct parse *s, const struct kfd_record_bo *bo)
{
	__u32 i, j;

	if (bo->num_mapped > s->image->count[KFD_RECORD_DEVICE])
		return fault_at(s, struct kfd_record_bo, num_mapped);
	for (i = 0; i < KFD_IMAGE_MAX_GPUS; i++) {
		if (i >= bo->num_mapped) {
			if (bo->mapped[i])
				return fault_at(s, struct kfd_record_bo, mapped);
			continue;
		}
		if (!gpu_has_vm(s, bo->mapped[i]))
			return fault_at(s, struct kfd_record_bo, mapped);
		for (j = 0; j < i; j++)
			if (bo->mapped[j] == bo->mapped[i])
				return fault_at(s, struct kfd_record_bo, mapped);
	}
	return 0;
}

/* Whole pages of a buffer or range, or none of any. */
static bool lost_is_inside(__u64 offset, __u64 size, __u64 whole)
{
	if (offset % IMAGE_PAGE || size % IMAGE_PAGE)
		return false;
	return size ? offset < whole && size <= whole - offset : !offset;
}

static int parse_bo(struct parse *s)
{
	struct kfd_record_bo bo;
	int ret = parse_read_from(s, &bo, sizeof(bo), KFD_RECORD_BO_MIN);
	bool userptr;

	if (ret)
		return ret;
	userptr = bo.alloc_flags & KFD_IOC_ALLOC_MEM_FLAGS_USERPTR;
	if (bo.handle >> 32 != bo.gpu_id || !(__u32)bo.handle ||
	    (!KFD_BROKEN(id_over_int_max) && (__u32)bo.handle > INT_MAX))
		return fault_at(s, struct kfd_record_bo, handle);
	if (!gpu_has_vm(s, bo.gpu_id))
		return fault_at(s, struct kfd_record_bo, gpu_id);
	if (bo.va % IMAGE_PAGE)
		return fault_at(s, struct kfd_record_bo, va);
	if (bo.size % IMAGE_PAGE || !in_aperture(bo.va, bo.size))
		return fault_at(s, struct kfd_record_bo, size);
	if (!one_bit(bo.alloc_flags & IMAGE_MEMORY_TYPES))
		return fault_at(s, struct kfd_record_bo, alloc_flags);
	if (bo.user_addr % IMAGE_PAGE || (bo.user_addr && !userptr) ||
	    bo.user_addr > IMAGE_VA_LAST ||
	    bo.size - 1 > IMAGE_VA_LAST - bo.user_addr)
		return fault_at(s, struct kfd_record_bo, user_addr);
	if (bo.reserved)
		return fault_at(s, struct kfd_record_bo, reserved);
	if (!lost_is_inside(bo.lost_offset, bo.lost_size,
			    userptr ? bo.size : 0))
		return fault_at(s, struct kfd_record_bo, lost_size);
	return parse_bo_mapped(s, &bo);
}

static bool svm_location_ok(const struct parse *s, __u32 loc)
{
	return loc == KFD_IOCTL_SVM_LOCATION_SYSMEM ||
	       loc == KFD_IOCTL_SVM_LOCATION_UNDEFINED || gpu_has_vm(s, loc);
}

static int parse_svm_access(struct parse *s, const struct kfd_record_svm *svm)
{
	__u32 i, j;

	if (svm->num_access > s->image->count[KFD_RECORD_DEVICE])
		return fault_at(s, struct kfd_record_svm, num_access);
	for (i = 0; i < KFD_IMAGE_MAX_GPUS; i++) {
		if (i >= svm->num_access) {
			if (svm->gpu_id[i])
				return fault_at(s, struct kfd_record_svm, gpu_id);
			if (svm->access[i])
				return fault_at(s, struct kfd_record_svm, access);
			continue;
		}
		/* With XNACK, GPUs without a VM have access by default too. */
		if (find_gpu(s, svm->gpu_id[i]) < 0)
			return fault_at(s, struct kfd_record_svm, gpu_id);
		if (svm->access[i] != KFD_RECORD_SVM_ACCESS &&
		    svm->access[i] != KFD_RECORD_SVM_IN_PLACE)
			return fault_at(s, struct kfd_record_svm, access);
		for (j = 0; j < i; j++)
			if (svm->gpu_id[j] == svm->gpu_id[i])
				return fault_at(s, struct kfd_record_svm, gpu_id);
	}
	return 0;
}

static int parse_svm(struct parse *s)
{
	struct kfd_record_svm svm;
	int ret = parse_read_from(s, &svm, sizeof(svm), KFD_RECORD_SVM_MIN);

	if (ret)
		return ret;
	if (svm.start % IMAGE_PAGE || svm.start < s->svm_next)
		return fault_at(s, struct kfd_record_svm, start);
	if (svm.size % IMAGE_PAGE || !in_aperture(svm.start, svm.size))
		return fault_at(s, struct kfd_record_svm, size);
	if (svm.flags & ~IMAGE_SVM_FLAGS)
		return fault_at(s, struct kfd_record_svm, flags);
	if (svm.granularity > IMAGE_SVM_MAX_GRANULARITY)
		return fault_at(s, struct kfd_record_svm, granularity);
	if (!svm_location_ok(s, svm.preferred_loc))
		return fault_at(s, struct kfd_record_svm, preferred_loc);
	if (!svm_location_ok(s, svm.prefetch_loc))
		return fault_at(s, struct kfd_record_svm, prefetch_loc);
	if (svm.others > 1)
		return fault_at(s, struct kfd_record_svm, others);
	if (!lost_is_inside(svm.lost_offset, svm.lost_size, svm.size))
		return fault_at(s, struct kfd_record_svm, lost_size);
	s->svm_next = svm.start + svm.size;
	return parse_svm_access(s, &svm);
}

static int parse_event(struct parse *s)
{
	struct kfd_record_event ev;
	int ret = parse_read(s, &ev, sizeof(ev));
	bool slot, data;

	if (ret)
		return ret;
	if (ev.type > KFD_IOC_EVENT_MEMORY)
		return fault_at(s, struct kfd_record_event, type);
	slot = ev.type == KFD_IOC_EVENT_SIGNAL ||
	       ev.type == KFD_IOC_EVENT_DEBUG_EVENT;
	data = ev.type == KFD_IOC_EVENT_MEMORY ||
	       ev.type == KFD_IOC_EVENT_HW_EXCEPTION;
	if (slot ? !ev.id || ev.id >= KFD_SIGNAL_EVENT_LIMIT :
	    ev.id < IMAGE_FIRST_OTHER_ID ||
	    (!KFD_BROKEN(id_over_int_max) && ev.id > INT_MAX))
		return fault_at(s, struct kfd_record_event, id);
	if (ev.auto_reset > 1)
		return fault_at(s, struct kfd_record_event, auto_reset);
	if (ev.signaled > 1)
		return fault_at(s, struct kfd_record_event, signaled);
	if (ev.slot != (slot ? ev.id : 0))
		return fault_at(s, struct kfd_record_event, slot);
	if (ev.reserved)
		return fault_at(s, struct kfd_record_event, reserved);
	if (!data && !all_zero(ev.data, sizeof(ev.data)))
		return fault_at(s, struct kfd_record_event, data);
	/* A slot needs an event page. */
	if (slot && !s->image->process.event_page_handle &&
	    !s->image->process.event_page_user)
		return fault_at(s, struct kfd_record_event, slot);
	return 0;
}

/* 0 stands for "none"; what is not mapped is found when the queue is made. */
static bool none_or_in_aperture(__u64 va, __u64 size)
{
	return !va || in_aperture(va, size ? size : 1);
}

static int parse_queue_addresses(struct parse *s,
				 const struct kfd_record_queue *q)
{
	if (!none_or_in_aperture(q->ring_base, q->ring_size))
		return fault_at(s, struct kfd_record_queue, ring_base);
	if (!none_or_in_aperture(q->read_ptr, sizeof(__u64)))
		return fault_at(s, struct kfd_record_queue, read_ptr);
	if (!none_or_in_aperture(q->write_ptr, sizeof(__u64)))
		return fault_at(s, struct kfd_record_queue, write_ptr);
	if (!none_or_in_aperture(q->eop_addr, q->eop_size))
		return fault_at(s, struct kfd_record_queue, eop_addr);
	if (!none_or_in_aperture(q->cwsr_addr, q->cwsr_size))
		return fault_at(s, struct kfd_record_queue, cwsr_addr);
	return 0;
}

static int parse_queue(struct parse *s)
{
	struct kfd_record_queue q;
	int ret = parse_read(s, &q, sizeof(q));

	if (ret)
		return ret;
	if (q.id >= KFD_IMAGE_MAX_QUEUES)
		return fault_at(s, struct kfd_record_queue, id);
	if (!gpu_has_vm(s, q.gpu_id))
		return fault_at(s, struct kfd_record_queue, gpu_id);
	if (!KFD_BROKEN(queue_type_bounds) &&
	    q.type > KFD_IOC_QUEUE_TYPE_COMPUTE_AQL)
		return fault_at(s, struct kfd_record_queue, type);
	if (q.priority > KFD_MAX_QUEUE_PRIORITY)
		return fault_at(s, struct kfd_record_queue, priority);
	if (q.percentage > KFD_MAX_QUEUE_PERCENTAGE)
		return fault_at(s, struct kfd_record_queue, percentage);
	if (q.flags)
		return fault_at(s, struct kfd_record_queue, flags);
	if (q.ring_size & (q.ring_size - 1))
		return fault_at(s, struct kfd_record_queue, ring_size);
	if (q.doorbell_offset % 8 ||
	    q.doorbell_offset >= IMAGE_DOORBELL_SLICE)
		return fault_at(s, struct kfd_record_queue, doorbell_offset);
	if (!KFD_BROKEN(mqd_size_mismatch) &&
	    (!q.mqd_size || q.mqd_size % 4 || q.mqd_size > IMAGE_MAX_MQD))
		return fault_at(s, struct kfd_record_queue, mqd_size);
	if (q.ctl_stack_size > KFD_IMAGE_MAX_CTL_STACK ||
	    (!KFD_BROKEN(ctl_stack_overread) &&
	     q.ctl_stack_size > q.cwsr_size) ||
	    (q.ctl_stack_size && q.type == KFD_IOC_QUEUE_TYPE_SDMA))
		return fault_at(s, struct kfd_record_queue, ctl_stack_size);
	if (q.cu_mask_size % 4 ||
	    q.cu_mask_size > KFD_IMAGE_MAX_CU_MASK ||
	    (q.cu_mask_size && q.type == KFD_IOC_QUEUE_TYPE_SDMA))
		return fault_at(s, struct kfd_record_queue, cu_mask_size);
	if (q.error > 1)
		return fault_at(s, struct kfd_record_queue, error);
	if (q.reserved)
		return fault_at(s, struct kfd_record_queue, reserved);
	ret = parse_queue_addresses(s, &q);
	if (ret)
		return ret;
	s->mqd_left = q.mqd_size;
	s->ctl_left = q.ctl_stack_size;
	s->cu_left = q.cu_mask_size;
	return 0;
}

/* Whether a part of a queue is as long as the queue's record says. */
static bool part_has_length(const struct kfd_record *part, __u64 length)
{
	if (KFD_BROKEN(mqd_size_mismatch) && part->type == KFD_RECORD_MQD)
		return true;
	if (KFD_BROKEN(ctl_stack_overread) && part->type == KFD_RECORD_CTL_STACK)
		return true;
	return part->len == length;
}

/* A part of a queue: must be the one that is due, with just its length. */
static int parse_part(struct parse *s, __u64 *left)
{
	if (!*left || !part_has_length(&s->rec, *left))
		return parse_fault(s, 0, "length of a part of a queue");
	*left = 0;
	return 0;
}

static int parse_record(struct parse *s)
{
	/* A queue's parts come right behind it, in their order. */
	if ((s->mqd_left && s->rec.type != KFD_RECORD_MQD) ||
	    (!s->mqd_left && s->ctl_left &&
	     s->rec.type != KFD_RECORD_CTL_STACK) ||
	    (!s->mqd_left && !s->ctl_left && s->cu_left &&
	     s->rec.type != KFD_RECORD_CU_MASK))
		return parse_fault(s, 0, "a part of a queue is missing");
	if (s->rec.version != 1) {
		parse_fault(s, 0, "version of a record");
		return s->rec.version ? -E2BIG : -EINVAL;
	}

	switch (s->rec.type) {
	case KFD_RECORD_PROCESS:
		return parse_process(s);
	case KFD_RECORD_DEVICE:
		return parse_device(s);
	case KFD_RECORD_BO:
		return parse_bo(s);
	case KFD_RECORD_SVM:
		return parse_svm(s);
	case KFD_RECORD_EVENT:
		return parse_event(s);
	case KFD_RECORD_QUEUE:
		return parse_queue(s);
	case KFD_RECORD_MQD:
		return parse_part(s, &s->mqd_left);
	case KFD_RECORD_CTL_STACK:
		return parse_part(s, &s->ctl_left);
	case KFD_RECORD_CU_MASK:
		return parse_part(s, &s->cu_left);
	default:
		parse_fault(s, 0, "type");
		return -E2BIG;
	}
}

/* Position of a type in the order of records; queue parts go with QUEUE. */
static __u32 record_rank(__u32 type)
{
	switch (type) {
	case KFD_RECORD_PROCESS:
		return 1;
	case KFD_RECORD_DEVICE:
		return 2;
	case KFD_RECORD_BO:
		return 3;
	case KFD_RECORD_SVM:
		return 4;
	case KFD_RECORD_EVENT:
		return 5;
	default:
		return 6;
	}
}

/* One more of its type: in order, and not more than the process record says. */
static int parse_count(struct parse *s, __u32 *rank)
{
	const struct kfd_record_process *p = &s->image->process;
	__u32 *count = s->image->count;
	__u32 type = s->rec.type;
	bool first = type == KFD_RECORD_PROCESS;

	if (record_rank(type) < *rank || first == !!s->rec.number)
		return parse_fault(s, 0, "order of records");
	*rank = record_rank(type);
	if ((type == KFD_RECORD_DEVICE && count[type] >= p->num_devices) ||
	    (type == KFD_RECORD_BO && count[type] >= p->num_bos) ||
	    (type == KFD_RECORD_SVM && count[type] >= p->num_svm) ||
	    (type == KFD_RECORD_EVENT && count[type] >= p->num_events) ||
	    (type == KFD_RECORD_QUEUE && count[type] >= p->num_queues))
		return parse_fault(s, 0, "more records than the process has");
	return 0;
}

static int parse_header(struct parse *s, const void *buf, __u64 len,
			struct kfd_image_header *hdr)
{
	if (len < sizeof(*hdr) || len > KFD_IMAGE_MAX_BYTES)
		return parse_fault(s, 0, "length of the image");
	memcpy(hdr, buf, sizeof(*hdr));
	if (hdr->magic != KFD_IMAGE_MAGIC)
		return fault_at(s, struct kfd_image_header, magic);
	if (hdr->version != KFD_IMAGE_VERSION)
		return fault_at(s, struct kfd_image_header, version);
	if (hdr->total_len > len || hdr->total_len % 8)
		return fault_at(s, struct kfd_image_header, total_len);
	if (hdr->header_len < sizeof(*hdr) || hdr->header_len % 8 ||
	    hdr->header_len > hdr->total_len)
		return fault_at(s, struct kfd_image_header, header_len);
	if (hdr->reserved)
		return fault_at(s, struct kfd_image_header, reserved);
	if (!all_zero((const char *)buf + sizeof(*hdr),
		      hdr->header_len - sizeof(*hdr)) ||
	    !all_zero((const char *)buf + hdr->total_len,
		      len - hdr->total_len)) {
		parse_fault(s, sizeof(*hdr), "unknown trailing bytes");
		return -E2BIG;
	}
	return 0;
}

static int parse_records(struct parse *s, const struct kfd_image_header *hdr)
{
	struct kfd_image *image = s->image;
	__u64 offset = hdr->header_len;
	__u32 i, rank = 0;
	int ret;

	for (i = 0; i < hdr->num_records; i++) {
		s->rec.number = i;
		if (!record_at(image->buf, image->len, offset, &s->rec))
			return parse_fault(s, 0, "length of a record");
		if (!all_zero((const char *)s->rec.data + s->rec.len,
			      record_end(&s->rec) - s->rec.offset - s->rec.len))
			return parse_fault(s, s->rec.len, "padding");
		ret = parse_count(s, &rank);
		if (!ret)
			ret = parse_record(s);
		if (ret)
			return ret;
		image->count[s->rec.type]++;
		offset = record_end(&s->rec);
	}
	if (offset != image->len)
		return parse_fault(s, 0, "bytes behind the last record");
	if (s->mqd_left || s->ctl_left || s->cu_left)
		return parse_fault(s, 0, "a part of a queue is missing");
	return 0;
}

/**
 * kfd_image_parse - validate an image
 * @image: filled; refers to @buf
 * @buf: the bytes, 8-aligned
 * @len: their number
 * @fault: filled with the first fault; may be NULL
 *
 * Context: any; pure.
 * Return: 0; -EINVAL: malformed; -E2BIG: from a driver that saves more than
 * this one knows.
 */
int kfd_image_parse(struct kfd_image *image, const void *buf, __u64 len,
		    struct kfd_image_fault *fault)
{
	struct parse s = { .image = image, .fault = fault };
	const struct kfd_record_process *p = &image->process;
	struct kfd_image_header hdr;
	int ret;

	memset(image, 0, sizeof(*image));
	if (fault)
		memset(fault, 0, sizeof(*fault));
	ret = parse_header(&s, buf, len, &hdr);
	if (ret)
		return ret;
	image->buf = buf;
	image->len = hdr.total_len;
	ret = parse_records(&s, &hdr);
	if (ret)
		return ret;
	if (image->count[KFD_RECORD_PROCESS] != 1 ||
	    image->count[KFD_RECORD_DEVICE] != p->num_devices ||
	    image->count[KFD_RECORD_BO] != p->num_bos ||
	    image->count[KFD_RECORD_SVM] != p->num_svm ||
	    image->count[KFD_RECORD_EVENT] != p->num_events ||
	    image->count[KFD_RECORD_QUEUE] != p->num_queues)
		return parse_fault(&s, 0, "fewer records than the process has");
	return 0;
}
