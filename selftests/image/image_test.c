// SPDX-License-Identifier: GPL-2.0-only
/*
 * Host test of the checkpoint image's parser (amdkfd/criu/image.c): the pure
 * code is built into this program. A good image is made with the writer; each
 * case then changes one thing, and says what the parser must answer and which
 * field it must name. At last every truncation, and every byte set to a few
 * values, is tried: none may be read out of bounds (the Makefile builds with
 * ASan and UBSan) and no truncation may be accepted.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kfd_ioctl.h>

#include "criu/image.h"

#define IMAGE_ROOM	65536
#define GPU_A		0x1234
#define GPU_B		0x4321
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* Everything that goes into the image of a case; a case changes some of it. */
struct scene {
	struct kfd_record_process process;
	struct kfd_record_device device[2];
	struct kfd_record_bo bo[2];
	struct kfd_record_svm svm[2];
	struct kfd_record_event event[2];
	struct kfd_record_queue queue[2];
	unsigned char mqd[2][2048];
	unsigned char ctl_stack[4096];
	unsigned char cu_mask[8];
};

/* Two ranges that touch; the first one's GPUs have access, each in its way. */
static void scene_init_svm(struct scene *s)
{
	s->process.num_svm = 2;
	s->svm[0].start = 0x400000;
	s->svm[0].size = 0x3000;
	s->svm[0].flags = KFD_IOCTL_SVM_FLAG_HOST_ACCESS |
			  KFD_IOCTL_SVM_FLAG_COHERENT;
	s->svm[0].granularity = 9;
	s->svm[0].preferred_loc = GPU_B;
	s->svm[0].prefetch_loc = KFD_IOCTL_SVM_LOCATION_SYSMEM;
	s->svm[0].num_access = 2;
	s->svm[0].gpu_id[0] = GPU_A;
	s->svm[0].access[0] = KFD_RECORD_SVM_ACCESS;
	s->svm[0].gpu_id[1] = GPU_B;
	s->svm[0].access[1] = KFD_RECORD_SVM_IN_PLACE;
	s->svm[1].start = 0x403000;
	s->svm[1].size = 0x1000;
	s->svm[1].granularity = 63;
	s->svm[1].preferred_loc = KFD_IOCTL_SVM_LOCATION_UNDEFINED;
	s->svm[1].prefetch_loc = KFD_IOCTL_SVM_LOCATION_UNDEFINED;
}

static void scene_init(struct scene *s)
{
	memset(s, 0, sizeof(*s));
	scene_init_svm(s);
	s->process.num_devices = 2;
	s->process.num_bos = 2;
	s->process.num_events = 2;
	s->process.num_queues = 2;
	s->process.event_page_handle = (__u64)GPU_A << 32 | 1;
	s->device[0].user_gpu_id = GPU_A;
	s->device[0].gfx_target_version = 90000;
	s->device[0].has_vm = 1;
	s->device[1] = s->device[0];
	s->device[1].user_gpu_id = GPU_B;
	s->bo[0].handle = (__u64)GPU_A << 32 | 1;
	s->bo[0].va = 0x100000;
	s->bo[0].size = 0x8000;
	s->bo[0].gpu_id = GPU_A;
	s->bo[0].alloc_flags = KFD_IOC_ALLOC_MEM_FLAGS_GTT;
	s->bo[0].num_mapped = 2;
	s->bo[0].mapped[0] = GPU_A;
	s->bo[0].mapped[1] = GPU_B;
	s->bo[1].handle = (__u64)GPU_B << 32 | 1;
	s->bo[1].va = 0x200000;
	s->bo[1].size = 0x1000;
	s->bo[1].user_addr = 0x7000000;
	s->bo[1].gpu_id = GPU_B;
	s->bo[1].alloc_flags = KFD_IOC_ALLOC_MEM_FLAGS_USERPTR;
	s->event[0].id = 7;
	s->event[0].slot = 7;
	s->event[0].type = KFD_IOC_EVENT_SIGNAL;
	s->event[1].id = 0x40000000;
	s->event[1].type = KFD_IOC_EVENT_MEMORY;
	s->event[1].data[1] = 5;
	s->queue[0].id = 0;
	s->queue[0].gpu_id = GPU_A;
	s->queue[0].type = KFD_IOC_QUEUE_TYPE_COMPUTE_AQL;
	s->queue[0].ring_base = 0x100000;
	s->queue[0].ring_size = 0x1000;
	s->queue[0].mqd_size = 2048;
	s->queue[0].cwsr_addr = 0x102000;
	s->queue[0].cwsr_size = 0x2000;
	s->queue[0].ctl_stack_size = sizeof(s->ctl_stack);
	s->queue[0].cu_mask_size = sizeof(s->cu_mask);
	s->queue[1].id = 1;
	s->queue[1].gpu_id = GPU_B;
	s->queue[1].type = KFD_IOC_QUEUE_TYPE_SDMA;
	s->queue[1].ring_size = 0x400;
	s->queue[1].doorbell_offset = 8;
	s->queue[1].mqd_size = 512;
}

static void put(struct kfd_image_writer *w, enum kfd_record_type type,
		const void *data, size_t len)
{
	if (kfd_image_put(w, type, data, len)) {
		printf("Bail out! the image does not fit\n");
		exit(1);
	}
}

/* An empty image but for a process record as long as @len. */
static void begin(struct kfd_image_writer *w, char *buf, const void *process, size_t len)
{
	memset(buf, 0, IMAGE_ROOM);
	kfd_image_writer_init(w, buf, IMAGE_ROOM);
	put(w, KFD_RECORD_PROCESS, process, len);
}

static size_t scene_write(const struct scene *s, void *buf)
{
	struct kfd_image_writer w;
	int i;

	begin(&w, buf, &s->process, sizeof(s->process));
	for (i = 0; i < 2; i++)
		put(&w, KFD_RECORD_DEVICE, &s->device[i], sizeof(s->device[i]));
	for (i = 0; i < 2; i++)
		put(&w, KFD_RECORD_BO, &s->bo[i], sizeof(s->bo[i]));
	for (i = 0; i < 2; i++)
		put(&w, KFD_RECORD_SVM, &s->svm[i], sizeof(s->svm[i]));
	for (i = 0; i < 2; i++)
		put(&w, KFD_RECORD_EVENT, &s->event[i], sizeof(s->event[i]));
	put(&w, KFD_RECORD_QUEUE, &s->queue[0], sizeof(s->queue[0]));
	put(&w, KFD_RECORD_MQD, s->mqd[0], 2048);
	put(&w, KFD_RECORD_CTL_STACK, s->ctl_stack, sizeof(s->ctl_stack));
	put(&w, KFD_RECORD_CU_MASK, s->cu_mask, sizeof(s->cu_mask));
	put(&w, KFD_RECORD_QUEUE, &s->queue[1], sizeof(s->queue[1]));
	put(&w, KFD_RECORD_MQD, s->mqd[1], 512);
	kfd_image_finish(&w);
	return w.used;
}

/* A case: one field of the scene gets another value. */
struct field_case {
	const char *name;
	size_t offset;
	size_t size;
	__u64 value;
	const char *field;
};

#define CASE(member, val, what)						\
	{ #member " = " #val, offsetof(struct scene, member),		\
	  sizeof(((struct scene *)0)->member), val, what }

static const struct field_case field_cases[] = {
	CASE(process.num_devices, 0, "more records than the process has"),
	CASE(process.num_devices, 9, "num_devices"),
	CASE(process.num_devices, 3, "fewer records than the process has"),
	CASE(process.num_bos, 1, "more records than the process has"),
	CASE(process.num_bos, 3, "fewer records than the process has"),
	CASE(process.num_bos, 0xffffffff, "num_bos"),
	CASE(process.num_events, 0xffffffff, "num_events"),
	CASE(process.num_queues, 0xffffffff, "num_queues"),
	CASE(process.xnack, 2, "xnack"),
	CASE(process.reserved, 1, "reserved"),
	CASE(process.event_page_user, 1, "event_page_handle"),
	CASE(process.event_page_handle, 0, "slot"),
	CASE(process.next_event_id, 1, "next_event_id"),
	CASE(process.num_svm, 1, "more records than the process has"),
	CASE(process.num_svm, 0, "more records than the process has"),
	CASE(process.num_svm, 3, "fewer records than the process has"),
	CASE(process.num_svm, KFD_IMAGE_MAX_SVM,
	     "fewer records than the process has"),
	CASE(process.num_svm, KFD_IMAGE_MAX_SVM + 1, "num_svm"),
	CASE(process.num_svm, 0xffffffff, "num_svm"),
	CASE(process.reserved2, 1, "reserved2"),
	CASE(device[0].user_gpu_id, 0, "user_gpu_id"),
	CASE(device[0].user_gpu_id, 0x10000, "user_gpu_id"),
	CASE(device[1].user_gpu_id, GPU_A, "user_gpu_id"),
	CASE(device[0].has_vm, 2, "has_vm"),
	CASE(device[0].has_vm, 0, "gpu_id"),
	CASE(device[0].policy_default, 2, "policy_default"),
	CASE(device[0].reserved, 1, "reserved"),
	CASE(bo[0].handle, 1, "handle"),
	CASE(bo[0].handle, (__u64)GPU_A << 32, "handle"),
	CASE(bo[0].handle, (__u64)GPU_A << 32 | 0x80000000, "handle"),
	CASE(bo[0].gpu_id, GPU_B, "handle"),
	CASE(bo[0].va, 0x100001, "va"),
	CASE(bo[0].va, 0x1000, "size"),
	CASE(bo[0].va, 0x7ffffffff000, "size"),
	CASE(bo[0].size, 0, "size"),
	CASE(bo[0].size, 0x8001, "size"),
	CASE(bo[0].size, 0xfffffffffffff000, "size"),
	CASE(bo[0].alloc_flags, 0, "alloc_flags"),
	CASE(bo[0].alloc_flags, 3, "alloc_flags"),
	CASE(bo[0].user_addr, 0x1000, "user_addr"),
	CASE(bo[1].user_addr, 0x1001, "user_addr"),
	CASE(bo[1].user_addr, 0xfffffffffffff000, "user_addr"),
	CASE(bo[0].reserved, 1, "reserved"),
	CASE(bo[0].num_mapped, 9, "num_mapped"),
	CASE(bo[0].num_mapped, 1, "mapped"),
	CASE(bo[0].mapped[1], GPU_A, "mapped"),
	CASE(bo[0].mapped[1], 0x77, "mapped"),
	CASE(bo[0].lost_size, 0x1000, "lost_size"),
	CASE(bo[0].lost_offset, 0x1000, "lost_size"),
	CASE(bo[1].lost_offset, 0x1000, "lost_size"),
	CASE(bo[1].lost_size, 0x800, "lost_size"),
	CASE(bo[1].lost_size, 0x2000, "lost_size"),
	CASE(bo[1].lost_size, 0xfffffffffffff000, "lost_size"),
	CASE(svm[0].start, 0x400001, "start"),
	CASE(svm[0].start, 0x401000, "start"),	/* into the next one */
	CASE(svm[0].start, 0x500000, "start"),	/* behind the next one */
	CASE(svm[0].start, 0, "size"),
	CASE(svm[0].start, 0x3000, "size"),
	CASE(svm[0].start, 0x7fffffffe000, "size"),
	CASE(svm[0].start, 0x800000000000, "size"),
	CASE(svm[1].start, 0x402000, "start"),
	CASE(svm[1].start, 0x400000, "start"),
	CASE(svm[1].start, 0x300000, "start"),
	CASE(svm[1].start, 0xfffffffffffff000, "size"),
	CASE(svm[0].size, 0, "size"),
	CASE(svm[0].size, 0x3001, "size"),
	CASE(svm[0].size, 0x4000, "start"),	/* of the next one */
	CASE(svm[0].size, 0xfffffffffffff000, "size"),
	CASE(svm[0].size, 0x7fffffc00000, "start"),	/* all that is left */
	CASE(svm[1].size, 0x7fffffbfe000, "size"),
	CASE(svm[0].flags, 0x80, "flags"),
	CASE(svm[0].flags, 0xffffffff, "flags"),
	CASE(svm[0].granularity, 64, "granularity"),
	CASE(svm[0].granularity, 0xffffffff, "granularity"),
	CASE(svm[0].preferred_loc, 0x77, "preferred_loc"),
	CASE(svm[0].preferred_loc, 0xfffffffe, "preferred_loc"),
	CASE(svm[0].prefetch_loc, 0x77, "prefetch_loc"),
	CASE(svm[0].num_access, 3, "num_access"),
	CASE(svm[0].num_access, 0xffffffff, "num_access"),
	CASE(svm[0].num_access, 1, "gpu_id"),
	CASE(svm[0].gpu_id[1], 0x77, "gpu_id"),
	CASE(svm[0].gpu_id[1], 0, "gpu_id"),
	CASE(svm[0].gpu_id[1], GPU_A, "gpu_id"),
	CASE(svm[0].gpu_id[7], GPU_A, "gpu_id"),
	CASE(svm[0].access[0], 0, "access"),
	CASE(svm[0].access[0], 3, "access"),
	CASE(svm[0].access[2], KFD_RECORD_SVM_ACCESS, "access"),
	CASE(svm[0].others, 2, "others"),
	CASE(svm[0].lost_offset, 0x1000, "lost_size"),
	CASE(svm[0].lost_size, 0x1001, "lost_size"),
	CASE(svm[0].lost_size, 0xfffffffffffff000, "lost_size"),
	CASE(event[0].type, 9, "type"),
	CASE(event[0].id, 0, "id"),
	CASE(event[0].id, 4096, "id"),
	CASE(event[1].id, 0x80000000, "id"),
	CASE(event[1].id, 5, "id"),
	CASE(event[0].slot, 8, "slot"),
	CASE(event[0].auto_reset, 2, "auto_reset"),
	CASE(event[0].signaled, 2, "signaled"),
	CASE(event[0].reserved, 1, "reserved"),
	CASE(event[0].data[3], 1, "data"),
	CASE(queue[0].id, KFD_IMAGE_MAX_QUEUES, "id"),
	CASE(queue[0].id, 0x80000000, "id"),
	CASE(queue[0].gpu_id, 1, "gpu_id"),
	CASE(queue[0].type, 3, "type"),
	CASE(queue[0].type, 0xffffffff, "type"),
	CASE(queue[0].priority, 16, "priority"),
	CASE(queue[0].percentage, 101, "percentage"),
	CASE(queue[0].flags, 1, "flags"),
	CASE(queue[0].ring_size, 0x1001, "ring_size"),
	CASE(queue[1].doorbell_offset, 4, "doorbell_offset"),
	CASE(queue[1].doorbell_offset, 8192, "doorbell_offset"),
	CASE(queue[0].mqd_size, 0, "mqd_size"),
	CASE(queue[0].mqd_size, 2047, "mqd_size"),
	CASE(queue[0].mqd_size, 4100, "mqd_size"),
	CASE(queue[0].mqd_size, 2044, "length of a part of a queue"),
	CASE(queue[0].ctl_stack_size, 0xfffffff8, "ctl_stack_size"),
	CASE(queue[0].ctl_stack_size, 0x2008, "ctl_stack_size"),
	CASE(queue[0].ctl_stack_size, 0x1008, "length of a part of a queue"),
	CASE(queue[0].ctl_stack_size, 0, "a part of a queue is missing"),
	CASE(queue[1].ctl_stack_size, 8, "ctl_stack_size"),
	CASE(queue[0].cu_mask_size, 3, "cu_mask_size"),
	CASE(queue[0].cu_mask_size, 132, "cu_mask_size"),
	CASE(queue[0].cu_mask_size, 0, "length of a part of a queue"),
	CASE(queue[1].cu_mask_size, 4, "cu_mask_size"),
	CASE(queue[0].error, 2, "error"),
	CASE(queue[0].reserved, 1, "reserved"),
};

static int number, failures;

static void result(bool ok, const char *name, const char *detail)
{
	number++;
	if (!ok) {
		failures++;
		printf("# %s\n", detail);
	}
	printf("%sok %d image.%s\n", ok ? "" : "not ", number, name);
}

static void expect(const char *name, const void *buf, size_t len, int errnum,
		   const char *field)
{
	struct kfd_image_fault fault = {};
	struct kfd_image image;
	char detail[256];
	int ret = kfd_image_parse(&image, buf, len, &fault);
	bool named;

	named = !field || (fault.field && !strcmp(fault.field, field));
	snprintf(detail, sizeof(detail), "answer %d, field %s; expected %d, %s",
		 ret, fault.field ? fault.field : "none", -errnum,
		 field ? field : "none");
	result(ret == -errnum && named, name, detail);
}

static void test_fields(void *buf)
{
	struct scene s;
	size_t i, len;

	for (i = 0; i < ARRAY_SIZE(field_cases); i++) {
		const struct field_case *c = &field_cases[i];

		scene_init(&s);
		memcpy((char *)&s + c->offset, &c->value, c->size);
		len = scene_write(&s, buf);
		expect(c->name, buf, len, EINVAL, c->field);
	}
}

static void test_header(char *buf)
{
	struct kfd_image_header *hdr = (void *)buf;
	struct scene s;
	size_t len;

	scene_init(&s);
	len = scene_write(&s, buf);
	expect("good", buf, len, 0, NULL);
	expect("zero bytes behind it", buf, len + 64, 0, NULL);
	expect("empty", buf, 0, EINVAL, "length of the image");
	buf[len + 9] = 1;
	expect("something behind it", buf, len + 64, E2BIG,
	       "unknown trailing bytes");
	buf[len + 9] = 0;
	hdr->magic++;
	expect("magic", buf, len, EINVAL, "magic");
	hdr->magic--;
	hdr->version++;
	expect("version", buf, len, EINVAL, "version");
	hdr->version--;
	hdr->total_len += 8;
	expect("total_len too large", buf, len, EINVAL, "total_len");
	hdr->total_len -= 16;
	expect("total_len too small", buf, len, EINVAL, NULL);
	hdr->total_len += 8;
	hdr->header_len = 8;
	expect("header_len too small", buf, len, EINVAL, "header_len");
	hdr->header_len = (__u32)len + 8;
	expect("header_len too large", buf, len, EINVAL, "header_len");
	hdr->header_len = sizeof(*hdr);
	hdr->num_records++;
	expect("one record more", buf, len, EINVAL, "length of a record");
	hdr->num_records -= 2;
	expect("one record less", buf, len, EINVAL, NULL);
	hdr->num_records++;
	hdr->reserved = 1;
	expect("header reserved", buf, len, EINVAL, "reserved");
}

/* The first record's header, changed; and a longer process record. */
static void test_records(char *buf)
{
	struct kfd_record_header *rec = (void *)(buf +
						 sizeof(struct kfd_image_header));
	struct {
		struct kfd_record_process known;
		__u64 unknown;
	} longer;
	struct kfd_image_writer w;
	struct kfd_image image;
	struct scene s;
	size_t len;

	scene_init(&s);
	len = scene_write(&s, buf);
	rec->version = 2;
	expect("newer record", buf, len, E2BIG, NULL);
	rec->version = 1;
	rec->type = KFD_RECORD_DEVICE;
	expect("no process record", buf, len, EINVAL, "order of records");
	rec->type = 99;
	expect("unknown first type", buf, len, EINVAL, "order of records");
	rec->type = KFD_RECORD_PROCESS;
	rec->length = ~0ULL;
	expect("endless record", buf, len, EINVAL, "length of a record");
	rec->length = KFD_RECORD_PROCESS_MIN - 4;
	expect("short record", buf, len, EINVAL, NULL);

	memset(&longer, 0, sizeof(longer));
	longer.known.num_devices = 1;
	begin(&w, buf, &longer, sizeof(longer));
	put(&w, KFD_RECORD_DEVICE, &s.device[0], sizeof(s.device[0]));
	kfd_image_finish(&w);
	expect("longer record, rest zero", buf, w.used, 0, NULL);
	put(&w, (enum kfd_record_type)42, &s.device[0], 8);
	kfd_image_finish(&w);
	expect("unknown type", buf, w.used, E2BIG, "type");

	longer.unknown = 1;
	begin(&w, buf, &longer, sizeof(longer));
	kfd_image_finish(&w);
	expect("longer record, rest not zero", buf, w.used, E2BIG,
	       "unknown fields");
	result(kfd_image_put(&w, KFD_RECORD_BO, buf, IMAGE_ROOM) == -EINVAL,
	       "writer stays inside its buffer", "it wrote too much");
	result(kfd_image_parse(&image, buf, 3, NULL) == -EINVAL,
	       "no fault wanted", "accepted");
}

/* A process need not have state on any GPU. */
static void test_no_device(char *buf)
{
	struct kfd_image_writer w;
	struct kfd_image image;
	struct scene s;
	int ret;

	scene_init(&s);
	s.process.num_devices = 0;
	s.process.num_bos = 0;
	s.process.num_svm = 0;
	s.process.num_queues = 0;
	s.process.num_events = 1;
	s.process.event_page_handle = 0;
	s.process.event_page_user = 1;
	begin(&w, buf, &s.process, sizeof(s.process));
	put(&w, KFD_RECORD_EVENT, &s.event[0], sizeof(s.event[0]));
	kfd_image_finish(&w);
	expect("no device", buf, w.used, 0, NULL);
	ret = kfd_image_parse(&image, buf, w.used, NULL);
	result(!ret && !image.count[KFD_RECORD_DEVICE], "none is there", "one is");
	s.process.num_bos = 1;
	begin(&w, buf, &s.process, sizeof(s.process));
	put(&w, KFD_RECORD_BO, &s.bo[0], sizeof(s.bo[0]));
	kfd_image_finish(&w);
	expect("a buffer without a device", buf, w.used, EINVAL, "gpu_id");
}

/* A process record as long as @bytes, a device, and @num ranges. */
static size_t write_svm_image(char *buf, size_t bytes, __u32 has_vm, int num)
{
	struct kfd_image_writer w;
	struct scene s;
	int i;

	scene_init(&s);
	s.process.num_devices = 1;
	s.process.num_bos = 0;
	s.process.num_events = 0;
	s.process.num_queues = 0;
	s.process.event_page_handle = 0;
	s.process.num_svm = (__u32)num;
	s.device[0].has_vm = has_vm;
	s.svm[0].num_access = 1;
	s.svm[0].preferred_loc = KFD_IOCTL_SVM_LOCATION_UNDEFINED;
	s.svm[0].gpu_id[1] = 0;
	s.svm[0].access[1] = 0;
	begin(&w, buf, &s.process, bytes);
	put(&w, KFD_RECORD_DEVICE, &s.device[0], sizeof(s.device[0]));
	for (i = 0; i < num; i++)
		put(&w, KFD_RECORD_SVM, &s.svm[i], sizeof(s.svm[i]));
	kfd_image_finish(&w);
	return w.used;
}

/* Images from before there were ranges, and what else is special about these. */
static void test_svm(char *buf)
{
	const size_t full = sizeof(struct kfd_record_process);
	struct kfd_record_svm *svm;
	struct kfd_image image;
	size_t len, at;
	int ret;

	len = write_svm_image(buf, KFD_RECORD_PROCESS_MIN, 1, 0);
	expect("process record of old", buf, len, 0, NULL);
	ret = kfd_image_parse(&image, buf, len, NULL);
	result(!ret && !image.process.num_svm && !image.process.reserved2,
	       "process record of old has no ranges", "it has some");
	len = write_svm_image(buf, KFD_RECORD_PROCESS_MIN, 1, 1);
	expect("ranges behind a process record of old", buf, len, EINVAL,
	       "more records than the process has");
	len = write_svm_image(buf, KFD_RECORD_PROCESS_MIN - 8, 1, 0);
	expect("process record older than that", buf, len, EINVAL, "length");
	len = write_svm_image(buf, full, 1, 2);
	expect("nothing but ranges", buf, len, 0, NULL);
	/* With XNACK every GPU has access, those without a VM too. */
	len = write_svm_image(buf, full, 0, 1);
	expect("access of a GPU without VM", buf, len, 0, NULL);
	at = len - sizeof(*svm);
	svm = (void *)(buf + at);
	svm->others = 1;
	expect("access of GPUs without a record", buf, len, 0, NULL);
	svm->others = 0;
	svm->prefetch_loc = GPU_A;
	expect("location on a GPU without VM", buf, len, EINVAL,
	       "prefetch_loc");
	svm->prefetch_loc = KFD_IOCTL_SVM_LOCATION_UNDEFINED;
	svm->preferred_loc = GPU_A;
	expect("preferred on a GPU without VM", buf, len, EINVAL,
	       "preferred_loc");
}

/* An image whose last buffer and range say what was lost of them. */
static size_t write_lost_image(char *buf, size_t bo_bytes, size_t svm_bytes)
{
	struct kfd_image_writer w;
	struct scene s;
	int i;

	scene_init(&s);
	s.process.num_events = 0;
	s.process.num_queues = 0;
	s.bo[1].size = 0x8000;
	s.bo[1].lost_offset = 0x3000;
	s.bo[1].lost_size = 0x5000;
	s.svm[1].lost_size = 0x1000;
	begin(&w, buf, &s.process, sizeof(s.process));
	for (i = 0; i < 2; i++)
		put(&w, KFD_RECORD_DEVICE, &s.device[i], sizeof(s.device[i]));
	for (i = 0; i < 2; i++)
		put(&w, KFD_RECORD_BO, &s.bo[i], bo_bytes);
	for (i = 0; i < 2; i++)
		put(&w, KFD_RECORD_SVM, &s.svm[i], svm_bytes);
	kfd_image_finish(&w);
	return w.used;
}

/* What the GPUs lacked, and images from before that was told. */
static void test_lost(char *buf)
{
	const size_t bo = sizeof(struct kfd_record_bo);
	const size_t svm = sizeof(struct kfd_record_svm);
	struct kfd_record_bo *last;
	size_t len;

	result(offsetof(struct kfd_record_bo, lost_offset) == KFD_RECORD_BO_MIN &&
	       offsetof(struct kfd_record_svm, lost_offset) == KFD_RECORD_SVM_MIN,
	       "the first versions are as long as they were", "they are not");
	len = write_lost_image(buf, bo, svm);
	expect("parts are lost", buf, len, 0, NULL);
	last = (void *)(buf + len - 2 * kfd_record_space(svm) - bo);
	last->lost_offset = 0x4000;
	expect("lost behind the end", buf, len, EINVAL, "lost_size");
	last->lost_offset = 0x2800;
	expect("half a page is lost", buf, len, EINVAL, "lost_size");
	last->lost_offset = 0xfffffffffffff000;
	expect("lost in front of it", buf, len, EINVAL, "lost_size");
	len = write_lost_image(buf, KFD_RECORD_BO_MIN, KFD_RECORD_SVM_MIN);
	expect("records of old", buf, len, 0, NULL);
	len = write_lost_image(buf, KFD_RECORD_BO_MIN - 4, svm);
	expect("buffers older than that", buf, len, EINVAL, "length");
	len = write_lost_image(buf, bo, KFD_RECORD_SVM_MIN - 4);
	expect("ranges older than that", buf, len, EINVAL, "length");
}

/* Write the records of a scene that @order names, one letter each. */
static size_t write_in_order(char *buf, const char *order)
{
	struct kfd_image_writer w;
	struct scene s;

	scene_init(&s);
	s.process.num_bos = 1;
	s.process.num_svm = 1;
	s.process.num_events = 1;
	s.process.num_queues = 0;
	s.bo[0].num_mapped = 0;
	memset(s.bo[0].mapped, 0, sizeof(s.bo[0].mapped));
	begin(&w, buf, &s.process, sizeof(s.process));
	for (; *order; order++) {
		if (*order == 'd') {
			put(&w, KFD_RECORD_DEVICE, &s.device[0],
			    sizeof(s.device[0]));
			put(&w, KFD_RECORD_DEVICE, &s.device[1],
			    sizeof(s.device[1]));
		} else if (*order == 'b') {
			put(&w, KFD_RECORD_BO, &s.bo[0], sizeof(s.bo[0]));
		} else if (*order == 's') {
			put(&w, KFD_RECORD_SVM, &s.svm[0], sizeof(s.svm[0]));
		} else {
			put(&w, KFD_RECORD_EVENT, &s.event[0],
			    sizeof(s.event[0]));
		}
	}
	kfd_image_finish(&w);
	return w.used;
}

/* Types are not numbered in the order in which they come. */
static void test_order(char *buf)
{
	static const char *const wrong[] = { "dsbe", "dbes", "desb" };
	char name[64];
	size_t i;

	expect("ranges between buffers and events", buf,
	       write_in_order(buf, "dbse"), 0, NULL);
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		snprintf(name, sizeof(name), "order %s", wrong[i]);
		expect(name, buf, write_in_order(buf, wrong[i]), EINVAL,
		       "order of records");
	}
}

/* No truncation is an image; a heap copy of just that size bounds the reads. */
static void test_truncation(const char *buf, size_t len)
{
	size_t n, accepted = 0;
	struct kfd_image image;

	for (n = 0; n < len; n++) {
		char *copy = malloc(n ? n : 1);

		memcpy(copy, buf, n);
		accepted += !kfd_image_parse(&image, copy, n, NULL);
		free(copy);
	}
	result(!accepted, "every truncation is refused", "one was accepted");
}

static void test_bytes(const char *buf, size_t len)
{
	static const unsigned char values[] = { 0, 1, 0x7f, 0x80, 0xff };
	struct kfd_image image;
	size_t i, j, tried = 0, bad = 0;

	for (i = 0; i < len; i++) {
		for (j = 0; j < sizeof(values); j++) {
			struct kfd_record rec = {};
			char *copy = malloc(len);
			int ret;

			memcpy(copy, buf, len);
			copy[i] = (char)values[j];
			ret = kfd_image_parse(&image, copy, len, NULL);
			while (!ret && kfd_image_next(&image, &rec))
				bad += rec.offset + rec.len > len;
			bad += ret && ret != -EINVAL && ret != -E2BIG;
			free(copy);
			tried++;
		}
	}
	result(!bad && tried == len * sizeof(values),
	       "any byte changed is answered cleanly", "out of bounds");
}

int main(void)
{
	static _Alignas(8) char buf[IMAGE_ROOM];
	struct scene s;
	size_t len;

	printf("TAP version 13\n");
	test_header(buf);
	test_fields(buf);
	test_records(buf);
	test_no_device(buf);
	test_svm(buf);
	test_lost(buf);
	test_order(buf);
	scene_init(&s);
	len = scene_write(&s, buf);
	test_truncation(buf, len);
	test_bytes(buf, len);
	printf("1..%d\n", number);
	return failures != 0;
}
