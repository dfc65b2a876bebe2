// SPDX-License-Identifier: GPL-2.0-only
/*
 * The invariants of accepted images; see the header. A broken one aborts, so
 * that the fuzzer keeps the image.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kfd_ioctl.h>

#include "image_check.h"

#define MUST(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: invariant broken: %s\n", __FILE__, __LINE__, \
				#condition); \
			abort(); \
		} \
	} while (0)

#define VA_LAST		0x7fffffffffffULL
#define PAGE		4096ULL
#define MEMORY_TYPES	0x1fu
#define SVM_FLAGS	0x7fu

/**
 * struct check - a walk over an accepted image
 * @image: the image
 * @rec: the record that the walk is at
 * @seen: records so far, by type
 * @gpus: user_gpu_ids so far
 * @bound: whether they have a VM
 * @svm_end: end of the range before
 */
struct check {
	const struct kfd_image *image;
	struct kfd_record rec;
	__u32 seen[KFD_NUM_RECORD_TYPES];
	__u32 gpus[KFD_IMAGE_MAX_GPUS];
	bool bound[KFD_IMAGE_MAX_GPUS];
	__u64 svm_end;
};

static bool is_zero(const void *p, __u64 bytes)
{
	const char *c = p;

	while (bytes--)
		if (*c++)
			return false;
	return true;
}

static bool known_gpu(const struct check *c, __u32 id)
{
	__u32 i;

	for (i = 0; i < c->seen[KFD_RECORD_DEVICE]; i++)
		if (c->gpus[i] == id)
			return true;
	return false;
}

static bool bound_gpu(const struct check *c, __u32 id)
{
	__u32 i;

	for (i = 0; i < c->seen[KFD_RECORD_DEVICE]; i++)
		if (c->gpus[i] == id)
			return c->bound[i];
	return false;
}

/* Every byte of the record is in the image, and it is aligned. */
static void check_bounds(const struct check *c)
{
	const struct kfd_image *image = c->image;
	const struct kfd_record *rec = &c->rec;

	MUST(rec->type > KFD_RECORD_NONE && rec->type < KFD_NUM_RECORD_TYPES);
	MUST(rec->version == 1);
	MUST(rec->data == (const char *)image->buf + rec->offset);
	MUST(rec->offset % 8 == 0);
	MUST(rec->offset >= sizeof(struct kfd_image_header) + sizeof(struct kfd_record_header));
	MUST(rec->offset <= image->len && rec->len <= image->len - rec->offset);
	MUST((rec->type == KFD_RECORD_PROCESS) == (rec->number == 0));
}

static void check_device(struct check *c)
{
	__u32 n = c->seen[KFD_RECORD_DEVICE], i;
	struct kfd_record_device d;

	MUST(n < KFD_IMAGE_MAX_GPUS);
	MUST(!kfd_record_read(&c->rec, &d, sizeof(d), sizeof(d)));
	MUST(d.user_gpu_id && d.user_gpu_id <= 0xffff);
	for (i = 0; i < n; i++)
		MUST(c->gpus[i] != d.user_gpu_id);
	MUST(d.has_vm <= 1 && !d.reserved);
	MUST(d.policy_default <= 1 && d.policy_alternate <= 1);
	c->gpus[n] = d.user_gpu_id;
	c->bound[n] = d.has_vm;
}

/* Whole pages inside, or nothing. */
static void check_lost(__u64 offset, __u64 size, __u64 whole)
{
	MUST(offset % PAGE == 0 && size % PAGE == 0);
	MUST(size ? offset < whole && size <= whole - offset : !offset);
}

static void check_bo(struct check *c)
{
	struct kfd_record_bo bo;
	__u32 i, j;

	MUST(!kfd_record_read(&c->rec, &bo, sizeof(bo), KFD_RECORD_BO_MIN));
	MUST(!c->seen[KFD_RECORD_SVM]);
	MUST(bo.handle >> 32 == bo.gpu_id && bound_gpu(c, bo.gpu_id));
	MUST((__u32)bo.handle >= 1 && (__u32)bo.handle <= INT_MAX);
	MUST(bo.size && bo.size % PAGE == 0 && bo.va % PAGE == 0 && bo.va);
	MUST(bo.va <= VA_LAST && bo.size <= VA_LAST + 1 - bo.va);
	MUST(__builtin_popcount(bo.alloc_flags & MEMORY_TYPES) == 1);
	MUST(!bo.user_addr || bo.alloc_flags & KFD_IOC_ALLOC_MEM_FLAGS_USERPTR);
	MUST(bo.user_addr % PAGE == 0 && bo.user_addr <= VA_LAST);
	MUST(bo.size <= VA_LAST + 1 - bo.user_addr);
	MUST(!bo.reserved && bo.num_mapped <= c->seen[KFD_RECORD_DEVICE]);
	for (i = 0; i < bo.num_mapped; i++) {
		MUST(bound_gpu(c, bo.mapped[i]));
		for (j = 0; j < i; j++)
			MUST(bo.mapped[i] != bo.mapped[j]);
	}
	MUST(is_zero(bo.mapped + i, (KFD_IMAGE_MAX_GPUS - i) * sizeof(bo.mapped[0])));
	MUST(!bo.lost_size || bo.alloc_flags & KFD_IOC_ALLOC_MEM_FLAGS_USERPTR);
	check_lost(bo.lost_offset, bo.lost_size, bo.size);
}

static bool is_location(const struct check *c, __u32 loc)
{
	return loc == KFD_IOCTL_SVM_LOCATION_SYSMEM || loc == KFD_IOCTL_SVM_LOCATION_UNDEFINED ||
	       bound_gpu(c, loc);
}

/* Ranges come in order of address and never overlap. */
static void check_svm(struct check *c)
{
	struct kfd_record_svm svm;
	__u32 i, j;

	MUST(!kfd_record_read(&c->rec, &svm, sizeof(svm), KFD_RECORD_SVM_MIN));
	MUST(svm.start && svm.start % PAGE == 0 && svm.size && svm.size % PAGE == 0);
	MUST(svm.start <= VA_LAST && svm.size <= VA_LAST + 1 - svm.start);
	MUST(svm.start >= c->svm_end);
	MUST(!(svm.flags & ~SVM_FLAGS) && svm.granularity < 64 && svm.others <= 1);
	MUST(is_location(c, svm.preferred_loc) && is_location(c, svm.prefetch_loc));
	MUST(svm.num_access <= c->seen[KFD_RECORD_DEVICE]);
	for (i = 0; i < svm.num_access; i++) {
		MUST(known_gpu(c, svm.gpu_id[i]));
		MUST(svm.access[i] == KFD_RECORD_SVM_ACCESS ||
		     svm.access[i] == KFD_RECORD_SVM_IN_PLACE);
		for (j = 0; j < i; j++)
			MUST(svm.gpu_id[i] != svm.gpu_id[j]);
	}
	MUST(is_zero(svm.gpu_id + i, (KFD_IMAGE_MAX_GPUS - i) * sizeof(svm.gpu_id[0])));
	MUST(is_zero(svm.access + i, (KFD_IMAGE_MAX_GPUS - i) * sizeof(svm.access[0])));
	check_lost(svm.lost_offset, svm.lost_size, svm.size);
	/* buffers come before, events and queues behind */
	MUST(!c->seen[KFD_RECORD_EVENT] && !c->seen[KFD_RECORD_QUEUE]);
	c->svm_end = svm.start + svm.size;
}

static void check_event(struct check *c)
{
	const struct kfd_record_process *p = &c->image->process;
	struct kfd_record_event ev;

	MUST(!kfd_record_read(&c->rec, &ev, sizeof(ev), sizeof(ev)));
	MUST(ev.type <= KFD_IOC_EVENT_MEMORY && ev.id && ev.id <= INT_MAX);
	MUST(ev.auto_reset <= 1 && ev.signaled <= 1 && !ev.reserved);
	if (ev.type == KFD_IOC_EVENT_SIGNAL || ev.type == KFD_IOC_EVENT_DEBUG_EVENT) {
		MUST(ev.id < KFD_SIGNAL_EVENT_LIMIT && ev.slot == ev.id);
		MUST(p->event_page_user || p->event_page_handle);
	} else {
		MUST(ev.id > INT_MAX / 2 && !ev.slot);
	}
	if (ev.type != KFD_IOC_EVENT_MEMORY && ev.type != KFD_IOC_EVENT_HW_EXCEPTION)
		MUST(is_zero(ev.data, sizeof(ev.data)));
}

static void check_address(__u64 va, __u64 bytes)
{
	MUST(va <= VA_LAST);
	MUST(!va || !bytes || bytes <= VA_LAST + 1 - va);
}

/* The next record is that part with that length. */
static void check_part(const struct check *c, struct kfd_record *part, __u32 type, __u32 bytes)
{
	MUST(kfd_image_next(c->image, part));
	MUST(part->type == type && part->len == bytes);
}

static void check_queue(struct check *c)
{
	struct kfd_record part = c->rec;
	struct kfd_record_queue q;
	bool sdma;

	MUST(!kfd_record_read(&c->rec, &q, sizeof(q), sizeof(q)));
	MUST(q.id < KFD_IMAGE_MAX_QUEUES && bound_gpu(c, q.gpu_id));
	MUST(q.type <= KFD_IOC_QUEUE_TYPE_COMPUTE_AQL);
	MUST(q.priority <= 15 && q.percentage <= 100 && !q.flags && !q.reserved && q.error <= 1);
	MUST(q.ring_size == 0 || __builtin_popcountll(q.ring_size) == 1);
	MUST(q.doorbell_offset % 8 == 0 && q.doorbell_offset < 8192);
	MUST(q.mqd_size && q.mqd_size <= 4096);
	MUST(q.ctl_stack_size <= KFD_IMAGE_MAX_CTL_STACK && q.ctl_stack_size <= q.cwsr_size);
	MUST(q.cu_mask_size <= KFD_IMAGE_MAX_CU_MASK && q.cu_mask_size % 4 == 0);
	sdma = q.type == KFD_IOC_QUEUE_TYPE_SDMA;
	MUST(!sdma || (!q.ctl_stack_size && !q.cu_mask_size));
	check_address(q.ring_base, q.ring_size);
	check_address(q.read_ptr, 8);
	check_address(q.write_ptr, 8);
	check_address(q.eop_addr, q.eop_size);
	check_address(q.cwsr_addr, q.cwsr_size);
	check_part(c, &part, KFD_RECORD_MQD, q.mqd_size);
	if (q.ctl_stack_size)
		check_part(c, &part, KFD_RECORD_CTL_STACK, q.ctl_stack_size);
	if (q.cu_mask_size)
		check_part(c, &part, KFD_RECORD_CU_MASK, q.cu_mask_size);
	/* and nobody's parts come after those */
	if (kfd_image_next(c->image, &part))
		MUST(part.type == KFD_RECORD_QUEUE);
}

static void check_process(struct check *c)
{
	const struct kfd_record_process *p = &c->image->process;
	struct kfd_record_process again;

	MUST(!kfd_record_read(&c->rec, &again, sizeof(again), KFD_RECORD_PROCESS_MIN));
	MUST(!memcmp(&again, p, sizeof(again)));
	MUST(p->num_devices <= KFD_IMAGE_MAX_GPUS);
	MUST(p->xnack <= 1 && p->event_page_user <= 1 && !p->reserved && !p->next_event_id);
	MUST(p->num_svm <= KFD_IMAGE_MAX_SVM && !p->reserved2);
	MUST(!p->event_page_user || !p->event_page_handle);
}

static void check_record(struct check *c)
{
	static void (*const checks[KFD_NUM_RECORD_TYPES])(struct check *c) = {
		[KFD_RECORD_PROCESS] = check_process,
		[KFD_RECORD_DEVICE] = check_device,
		[KFD_RECORD_BO] = check_bo,
		[KFD_RECORD_SVM] = check_svm,
		[KFD_RECORD_EVENT] = check_event,
		[KFD_RECORD_QUEUE] = check_queue,
	};

	check_bounds(c);
	if (checks[c->rec.type])
		checks[c->rec.type](c);
	c->seen[c->rec.type]++;
}

/* Counts as the walk finds them, as the parser says and as the process says. */
static void check_counts(const struct check *c)
{
	const struct kfd_record_process *p = &c->image->process;
	struct kfd_record rec;
	__u32 type;

	for (type = 0; type < KFD_NUM_RECORD_TYPES; type++) {
		MUST(c->seen[type] == c->image->count[type]);
		if (c->seen[type])
			MUST(kfd_image_find(c->image, type, c->seen[type] - 1, &rec) &&
			     rec.type == type);
		MUST(!kfd_image_find(c->image, type, c->seen[type], &rec));
	}
	MUST(c->seen[KFD_RECORD_PROCESS] == 1);
	MUST(c->seen[KFD_RECORD_DEVICE] == p->num_devices);
	MUST(c->seen[KFD_RECORD_BO] == p->num_bos);
	MUST(c->seen[KFD_RECORD_SVM] == p->num_svm);
	MUST(c->seen[KFD_RECORD_EVENT] == p->num_events);
	MUST(c->seen[KFD_RECORD_QUEUE] == p->num_queues);
	MUST(c->seen[KFD_RECORD_MQD] == p->num_queues);
	MUST(c->seen[KFD_RECORD_CTL_STACK] <= p->num_queues);
	MUST(c->seen[KFD_RECORD_CU_MASK] <= p->num_queues);
}

/**
 * image_check_accepted - abort unless all that a restore relies on is so
 * @image: an image that kfd_image_parse() has accepted
 */
void image_check_accepted(const struct kfd_image *image)
{
	struct check c = { .image = image };
	__u64 end = 0;

	while (kfd_image_next(image, &c.rec)) {
		MUST(c.rec.offset >= end + sizeof(struct kfd_record_header));
		check_record(&c);
		end = c.rec.offset + ((c.rec.len + 7) & ~7ULL);
	}
	MUST(end == image->len);
	check_counts(&c);
}

/* Write every record of @from again; false when the writer has no room left. */
static bool rewrite(const struct kfd_image *from, struct kfd_image_writer *w, void *buf,
		    __u64 room)
{
	struct kfd_record rec = { 0 };

	if (kfd_image_writer_init(w, buf, room))
		return false;
	while (kfd_image_next(from, &rec))
		if (kfd_image_put(w, rec.type, rec.data, rec.len))
			return false;
	kfd_image_finish(w);
	return true;
}

/**
 * image_check_rewritten - abort unless the writer's image is the parser's
 * @image: an image that has been accepted
 *
 * The records are written by the writer into just enough room, which must be
 * accepted with the same counts; with 8 bytes less the writer must refuse.
 */
void image_check_rewritten(const struct kfd_image *image)
{
	struct kfd_record rec = { 0 }, rec2 = { 0 };
	struct kfd_image_writer w;
	struct kfd_image again;
	__u64 room = sizeof(struct kfd_image_header);
	void *buf;

	while (kfd_image_next(image, &rec))
		room += kfd_record_space(rec.len);
	buf = malloc(room);
	MUST(buf);
	MUST(rewrite(image, &w, buf, room));
	MUST(w.used == room);
	MUST(!kfd_image_parse(&again, buf, w.used, NULL));
	MUST(!memcmp(again.count, image->count, sizeof(again.count)));
	MUST(!memcmp(&again.process, &image->process, sizeof(again.process)));
	memset(&rec, 0, sizeof(rec));
	while (kfd_image_next(image, &rec)) {
		MUST(kfd_image_next(&again, &rec2));
		MUST(rec.type == rec2.type && rec.len == rec2.len);
		MUST(!memcmp(rec.data, rec2.data, rec.len));
	}
	free(buf);
	buf = malloc(room - 8);
	MUST(buf);
	MUST(!rewrite(image, &w, buf, room - 8));
	free(buf);
}
