// SPDX-License-Identifier: GPL-2.0-only
/*
 * The processes that the fuzzers' images are made of; see the header.
 *
 * Every scene is built and dumped in a child, for a process has the driver's
 * state as long as its memory lives. A queue's memory is one small buffer, and
 * its save area and control stack are the least that is allowed.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz/scenes.h"
#include "lib/kfd_packets.h"
#include "lib/kfd_svm.h"
#include "lib/kfd_workload.h"

/* A queue's buffer: ring, pointers, EOP buffer, save area of two pages. */
#define RING_AT		0
#define PTRS_AT		(1 * KFD_PAGE)
#define EOP_AT		(2 * KFD_PAGE)
#define CWSR_AT		(3 * KFD_PAGE)
#define QUEUE_PAGES	5
#define CTL_STACK	64
#define PATIENCE	20000

#define SCENE_CU_MASK	1
#define SCENE_BROKEN	2	/* its packets are none: the GPU gives it up */
#define SCENE_SVM	4	/* its save area is shared virtual memory */

static int no_vm(struct kfd *k)
{
	return kfd_open(k);
}

static int nothing(struct kfd *k)
{
	return kfd_start(k);
}

static int userptr(struct kfd *k, uint64_t bytes)
{
	uint64_t va = kfd_reserve_va(k, bytes);
	struct kfd_bo bo;
	void *p = mmap((void *)(uintptr_t)va, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (p == MAP_FAILED)
		return -errno;
	memset(p, 0x11, bytes);
	return kfd_bo_userptr(k, 0, p, bytes, &bo);
}

static int add_buffers(struct kfd *k, struct kfd_bo *doorbells)
{
	struct kfd_bo bo;
	int ret;

	ret = kfd_bo_create(k, 0, MEM_VRAM, KFD_PAGE, &bo);
	if (!ret)
		ret = kfd_bo_create(k, 0, MEM_GTT, 2 * KFD_PAGE, &bo);
	if (!ret)
		ret = kfd_bo_create(k, 0, MEM_DOORBELL, 2 * KFD_PAGE, doorbells);
	if (!ret)
		ret = kfd_bo_create(k, 0, MEM_MMIO, KFD_PAGE, &bo);
	return ret ? ret : userptr(k, 2 * KFD_PAGE);
}

static int buffers(struct kfd *k)
{
	struct kfd_bo doorbells;
	int ret = kfd_start(k);

	return ret ? ret : add_buffers(k, &doorbells);
}

/* Some mapped, some not, of different sizes. */
static int many_buffers(struct kfd *k)
{
	struct kfd_bo bo;
	int ret = kfd_start(k), i;

	for (i = 0; !ret && i < 24; i++) {
		uint32_t flags = i % 3 ? MEM_GTT : MEM_VRAM;
		uint64_t bytes = (1 + i % 4) * KFD_PAGE;

		ret = i % 5 ? kfd_bo_create(k, 0, flags, bytes, &bo) :
			kfd_bo_alloc(k, 0, flags, bytes, &bo);
	}
	return ret;
}

static int registers(struct kfd *k, int gpu, uint64_t va)
{
	struct kfd_ioctl_set_memory_policy_args policy = {
		.gpu_id = k->gpu[gpu].gpu_id,
		.default_policy = KFD_IOC_CACHE_POLICY_COHERENT,
		.alternate_policy = KFD_IOC_CACHE_POLICY_NONCOHERENT,
		.alternate_aperture_base = va,
		.alternate_aperture_size = KFD_PAGE,
	};
	struct kfd_ioctl_set_scratch_backing_va_args scratch = {
		.gpu_id = k->gpu[gpu].gpu_id, .va_addr = va,
	};
	struct kfd_ioctl_set_trap_handler_args trap = {
		.gpu_id = k->gpu[gpu].gpu_id, .tba_addr = va, .tma_addr = va + 0x100,
	};
	int ret;

	ret = kfd_call(k->fd, AMDKFD_IOC_SET_MEMORY_POLICY, &policy);
	if (!ret)
		ret = kfd_call(k->fd, AMDKFD_IOC_SET_SCRATCH_BACKING_VA, &scratch);
	return ret ? ret : kfd_call(k->fd, AMDKFD_IOC_SET_TRAP_HANDLER, &trap);
}

static int add_events(struct kfd *k, bool own_page)
{
	struct kfd_ioctl_create_event_args ev = { .event_type = KFD_IOC_EVENT_SIGNAL };
	struct kfd_bo page;
	uint32_t type;
	int ret = 0;

	if (own_page) {
		ret = kfd_bo_create(k, 0, MEM_GTT, KFD_EVENT_PAGE_SIZE, &page);
		if (ret)
			return ret;
		memset(page.cpu, 0xff, page.size);
		ev.event_page_offset = page.handle;
	}
	ret = kfd_call(k->fd, AMDKFD_IOC_CREATE_EVENT, &ev);
	if (!ret)
		ret = kfd_event_set(k, ev.event_id);
	for (type = KFD_IOC_EVENT_SIGNAL; !ret && type <= KFD_IOC_EVENT_MEMORY; type++)
		ret = kfd_event_create(k, type, type & 1, &ev);
	return ret;
}

static int events_in_buffer(struct kfd *k)
{
	int ret = kfd_start(k);

	return ret ? ret : add_events(k, true);
}

static int events_in_kernel(struct kfd *k)
{
	int ret = kfd_start(k);

	return ret ? ret : add_events(k, false);
}

static int queue_call(struct kfd *k, int gpu, uint32_t type, uint32_t flags, struct kfd_queue *q)
{
	uint64_t va = q->ring.va;
	char *save;
	int ret;

	q->gpu = gpu;
	q->type = type;
	q->ptrs = q->ring;
	q->ptrs.cpu = (char *)q->ring.cpu + PTRS_AT;
	q->args = (struct kfd_ioctl_create_queue_args) {
		.ring_base_address = va + RING_AT,
		.ring_size = KFD_PAGE,
		.write_pointer_address = va + PTRS_AT + 0x38,
		.read_pointer_address = va + PTRS_AT + 0x80,
		.gpu_id = k->gpu[gpu].gpu_id,
		.queue_type = type,
		.queue_percentage = 100,
		.queue_priority = 7,
	};
	if (type != KFD_IOC_QUEUE_TYPE_SDMA) {
		q->args.eop_buffer_address = va + EOP_AT;
		q->args.eop_buffer_size = KFD_PAGE;
		q->args.ctx_save_restore_address = va + CWSR_AT;
		q->args.ctx_save_restore_size = 2 * KFD_PAGE;
		q->args.ctl_stack_size = CTL_STACK;
	}
	if (flags & SCENE_SVM) {
		ret = kfd_svm_alloc(k, 2 * KFD_PAGE, gpu, &save);
		if (ret)
			return ret;
		q->args.ctx_save_restore_address = (uintptr_t)save;
	}
	return kfd_queue_make(k, q);
}

/* Packets that wait for the gate, then count; or none that anybody knows. */
static void queue_work(struct kfd_queue *q, uint32_t flags)
{
	uint64_t gate = q->ring.va + FUZZ_SCENE_GATE_AT, done = gate + 8;
	uint32_t p[16] = { 0xdeadbeef, 0xdeadbeef, 0xdeadbeef, 0xdeadbeef };

	if (flags & SCENE_BROKEN) {
		p[0] = q->type == KFD_IOC_QUEUE_TYPE_SDMA ? 0xee : p[0];
		kfd_queue_emit(q, p, 16);
	} else if (q->type == KFD_IOC_QUEUE_TYPE_SDMA) {
		kfd_queue_emit(q, p, sdma_poll(p, PM4_FUNC_EQUAL, gate, 1, ~0u));
		kfd_queue_emit(q, p, sdma_atomic_add64(p, done, 1));
	} else if (q->type == KFD_IOC_QUEUE_TYPE_COMPUTE) {
		kfd_queue_emit(q, p, pm4_wait_reg_mem(p, PM4_FUNC_EQUAL, gate, 1, ~0u));
		kfd_queue_emit(q, p, pm4_write_data(p, done, 1));
	} else {
		/* Its completion signal is at the gate, whatever that does. */
		kfd_queue_emit(q, p, aql_barrier(p, AQL_BARRIER_AND, &gate, 1, 0));
	}
	kfd_queue_submit(q);
}

static int add_queue(struct kfd *k, int gpu, uint32_t type, uint32_t flags)
{
	uint32_t mask[2] = { 0x3, 0xff };
	struct kfd_ioctl_set_cu_mask_args cu = {
		.num_cu_mask = 64, .cu_mask_ptr = (uintptr_t)mask,
	};
	uint32_t pages = type == KFD_IOC_QUEUE_TYPE_SDMA ? 2 : QUEUE_PAGES, i;
	struct kfd_queue q = { 0 };
	int ret;

	ret = kfd_bo_create(k, gpu, MEM_GTT, pages * KFD_PAGE, &q.ring);
	if (ret)
		return ret;
	memset(q.ring.cpu, 0, pages * KFD_PAGE);
	for (i = 0; type == KFD_IOC_QUEUE_TYPE_COMPUTE_AQL && i < KFD_PAGE / 64; i++)
		((uint32_t *)q.ring.cpu)[i * AQL_DWORDS] = AQL_INVALID;
	ret = queue_call(k, gpu, type, flags, &q);
	cu.queue_id = q.id;
	if (!ret && flags & SCENE_CU_MASK)
		ret = kfd_call(k->fd, AMDKFD_IOC_SET_CU_MASK, &cu);
	if (!ret)
		queue_work(&q, flags);
	return ret;
}

static int queue_sdma(struct kfd *k)
{
	int ret = kfd_start(k);

	return ret ? ret : add_queue(k, 0, KFD_IOC_QUEUE_TYPE_SDMA, 0);
}

static int queue_pm4(struct kfd *k)
{
	int ret = kfd_start(k);

	return ret ? ret : add_queue(k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, SCENE_CU_MASK);
}

static int queue_aql(struct kfd *k)
{
	int ret = kfd_start(k);

	return ret ? ret : add_queue(k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE_AQL, 0);
}

/* A queue that the GPU has given up: its error is in the image. */
static int queue_broken(struct kfd *k)
{
	struct kfd_ioctl_create_event_args ev;
	uint32_t result;
	int ret = kfd_start(k);

	if (!ret)
		ret = kfd_event_create(k, KFD_IOC_EVENT_HW_EXCEPTION, true, &ev);
	if (!ret)
		ret = add_queue(k, 0, KFD_IOC_QUEUE_TYPE_SDMA, SCENE_BROKEN);
	if (!ret)
		ret = kfd_event_wait_one(k, ev.event_id, PATIENCE, &result);
	return ret ? ret : result == KFD_IOC_WAIT_RESULT_COMPLETE ? 0 : -ETIMEDOUT;
}

/* Ranges of every kind: some touch, one is split, one nobody may reach. */
static int add_svm(struct kfd *k)
{
	const struct kfd_ioctl_svm_attribute moved[] = {
		{ KFD_IOCTL_SVM_ATTR_PREFERRED_LOC, k->gpu[0].gpu_id },
		{ KFD_IOCTL_SVM_ATTR_PREFETCH_LOC, KFD_IOCTL_SVM_LOCATION_SYSMEM },
		{ KFD_IOCTL_SVM_ATTR_SET_FLAGS, KFD_IOCTL_SVM_FLAG_GPU_READ_MOSTLY },
		{ KFD_IOCTL_SVM_ATTR_GRANULARITY, 3 },
		{ KFD_IOCTL_SVM_ATTR_ACCESS, k->gpu[0].gpu_id },
	};
	char *p, *alone;
	int ret;

	ret = kfd_svm_alloc(k, 8 * KFD_PAGE, 0, &p);
	if (!ret)
		ret = kfd_svm_set1(k, p + 3 * KFD_PAGE, 2 * KFD_PAGE,
				   KFD_IOCTL_SVM_ATTR_SET_FLAGS, KFD_IOCTL_SVM_FLAG_GPU_RO);
	if (!ret)
		ret = kfd_svm_set1(k, p + 7 * KFD_PAGE, KFD_PAGE, KFD_IOCTL_SVM_ATTR_NO_ACCESS,
				   k->gpu[0].gpu_id);
	if (!ret)
		ret = kfd_svm_alloc(k, 4 * KFD_PAGE, -1, &alone);
	return ret ? ret : kfd_svm_set(k, alone + KFD_PAGE, KFD_PAGE, moved, 5);
}

static int svm(struct kfd *k)
{
	int ret = kfd_start(k);

	if (!ret)
		ret = userptr(k, KFD_PAGE);
	return ret ? ret : add_svm(k);
}

/* A queue that could not be restored before its range is. */
static int svm_queue(struct kfd *k)
{
	int ret = kfd_start(k);

	if (!ret)
		ret = add_svm(k);
	return ret ? ret : add_queue(k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, SCENE_SVM);
}

/* XNACK: every GPU has access, also the one whose VM the process has not taken. */
static int svm_xnack(struct kfd *k)
{
	struct kfd_ioctl_acquire_vm_args args;
	int ret = kfd_open(k);
	struct kfd_bo bo;

	if (!ret)
		ret = kfd_open_drm(k);
	if (ret)
		return ret;
	args.drm_fd = k->gpu[0].drm_fd;
	args.gpu_id = k->gpu[0].gpu_id;
	ret = kfd_set_xnack(k, 1);
	if (ret != 1)
		return ret < 0 ? ret : -EOPNOTSUPP;
	ret = kfd_call(k->fd, AMDKFD_IOC_ACQUIRE_VM, &args);
	if (!ret)
		ret = kfd_bo_create(k, 0, MEM_GTT, KFD_PAGE, &bo);
	return ret ? ret : add_svm(k);
}

static int everything(struct kfd *k)
{
	struct kfd_bo doorbells;
	int ret = kfd_start(k);

	if (!ret)
		ret = add_buffers(k, &doorbells);
	if (!ret)
		ret = registers(k, 0, doorbells.va);
	if (!ret)
		ret = add_events(k, true);
	if (!ret)
		ret = add_queue(k, 0, KFD_IOC_QUEUE_TYPE_SDMA, 0);
	if (!ret)
		ret = add_queue(k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, SCENE_CU_MASK);
	return ret ? ret : add_queue(k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE_AQL, SCENE_CU_MASK);
}

static int two_gpus(struct kfd *k)
{
	struct kfd_bo near, far;
	int ret = kfd_start(k);

	if (!ret)
		ret = kfd_bo_create(k, 0, MEM_VRAM, KFD_PAGE, &near);
	if (!ret)
		ret = kfd_bo_map_gpu(k, &near, 1);
	if (!ret)
		ret = kfd_bo_create(k, 1, MEM_GTT, KFD_PAGE, &far);
	if (!ret)
		ret = kfd_bo_map_gpu(k, &far, 0);
	if (!ret)
		ret = registers(k, 1, far.va);
	if (!ret)
		ret = add_queue(k, 0, KFD_IOC_QUEUE_TYPE_SDMA, 0);
	return ret ? ret : add_queue(k, 1, KFD_IOC_QUEUE_TYPE_SDMA, 0);
}

const struct fuzz_scene fuzz_scenes[] = {
	{ "no-vm", 1, no_vm },
	{ "nothing", 1, nothing },
	{ "buffers", 1, buffers },
	{ "many-buffers", 1, many_buffers },
	{ "events-in-buffer", 1, events_in_buffer },
	{ "events-in-kernel", 1, events_in_kernel },
	{ "queue-sdma", 1, queue_sdma },
	{ "queue-pm4", 1, queue_pm4 },
	{ "queue-aql", 1, queue_aql },
	{ "queue-broken", 1, queue_broken },
	{ "everything", 1, everything },
	{ "two-gpus", 2, two_gpus },
	{ "svm", 1, svm },
	{ "svm-queue", 1, svm_queue },
	{ "svm-xnack", 2, svm_xnack },
};

const unsigned int fuzz_num_scenes = sizeof(fuzz_scenes) / sizeof(fuzz_scenes[0]);

/**
 * struct scene_dump - what the child is to do
 * @scene: the scene
 * @fd: where the snapshot goes
 */
struct scene_dump {
	const struct fuzz_scene *scene;
	int fd;
};

static int dump_in_child(void *arg)
{
	const struct scene_dump *d = arg;
	struct kfd_snapshot s;
	struct kfd k;
	int ret;

	ret = d->scene->build(&k);
	/* Render nodes to read buffers through; the process itself needs none. */
	if (!ret && k.gpu[0].drm_fd < 0)
		ret = kfd_open_drm(&k);
	if (!ret)
		ret = kfd_snapshot_dump(&k, k.fd, &s);
	return ret ? ret : kfd_snapshot_write(&s, d->fd);
}

/**
 * fuzz_scene_dump - build a process and dump it
 * @scene: which
 * @s: filled, contents and all; kfd_snapshot_free() frees it
 *
 * Return: 0 or a negative errno.
 */
int fuzz_scene_dump(const struct fuzz_scene *scene, struct kfd_snapshot *s)
{
	struct scene_dump d = { scene, memfd_create("scene", MFD_CLOEXEC) };
	int ret;

	if (d.fd < 0)
		return -errno;
	ret = kfd_in_child(dump_in_child, &d);
	if (!ret && lseek(d.fd, 0, SEEK_SET))
		ret = -errno;
	if (!ret)
		ret = kfd_snapshot_read(s, d.fd);
	close(d.fd);
	return ret;
}
