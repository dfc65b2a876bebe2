// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every allocation of every call on objects made to fail: buffers, mappings,
 * queues, events, files. See lib/kfd_fault.h.
 */
#include <fcntl.h>
#include <sys/mman.h>

#include "lib/kfd_fault_test.h"

#define RING	4096
#define FREES	"nothing is refused that frees memory"
#define VMA	"a VMA merges or is allocated in bulk"

/* --- buffers ----------------------------------------------------------------- */

static uint64_t bo_size(uint32_t flags)
{
	if (flags & KFD_IOC_ALLOC_MEM_FLAGS_DOORBELL)
		return 2 * KFD_PAGE;
	return flags & KFD_IOC_ALLOC_MEM_FLAGS_MMIO_REMAP ? KFD_PAGE : KFD_FAULT_SIZE;
}

static int bo_alloc(void *data)
{
	struct kfd_fault_ctx *f = data;
	uint32_t flags = f->op->arg;
	struct kfd_ioctl_alloc_memory_of_gpu_args args = {
		.va_addr = kfd_reserve_va(&f->k, KFD_FAULT_SIZE),
		.size = bo_size(flags),
		.gpu_id = f->k.gpu[0].gpu_id,
		.flags = flags,
	};
	int ret;

	if (flags & KFD_IOC_ALLOC_MEM_FLAGS_USERPTR)
		args.mmap_offset = (uintptr_t)f->user;
	ret = kfd_call(f->k.fd, AMDKFD_IOC_ALLOC_MEMORY_OF_GPU, &args);
	if (ret)
		return ret;
	f->bo = (struct kfd_bo){
		.flags = flags, .handle = args.handle, .va = args.va_addr, .size = args.size,
		.offset = args.mmap_offset,
	};
	return 0;
}

static int bo_free(void *data)
{
	return kfd_bo_free(&CTX(data)->k, &CTX(data)->bo);
}

static int bo_alloc_end(void *data, int ret)
{
	if (ret)
		return 0;
	ret = kfd_fault_same_id(CTX(data), CTX(data)->bo.handle);
	return ret ? ret : bo_free(data);
}

static int bo_free_end(void *data, int ret)
{
	return ret ? bo_free(data) : 0;
}

static int bo_map(void *data)
{
	struct kfd_fault_ctx *f = data;
	uint32_t ids[KFD_MAX_TEST_GPUS];
	struct kfd_ioctl_map_memory_to_gpu_args args = {
		.handle = f->bo.handle, .device_ids_array_ptr = (uintptr_t)ids, .n_devices = 1,
	};

	ids[0] = f->k.gpu[0].gpu_id;
	return kfd_call(f->k.fd, AMDKFD_IOC_MAP_MEMORY_TO_GPU, &args);
}

static int bo_unmap(void *data)
{
	return kfd_bo_unmap_gpu(&CTX(data)->k, &CTX(data)->bo, 0);
}

static int bo_map_end(void *data, int ret)
{
	int err = bo_unmap(data);

	/* It was mapped when, and only when, the call said so. */
	if (ret != -EFAULT && err != (ret ? -EINVAL : 0))
		return err ? err : -EPROTO;
	return bo_free(data);
}

static int bo_unmap_prepare(void *data)
{
	int ret = bo_alloc(data);

	return ret ? ret : bo_map(data);
}

static int bo_unmap_end(void *data, int ret)
{
	int err = bo_unmap(data);

	if (ret != -EFAULT && err != (ret ? 0 : -EINVAL))
		return err ? err : -EPROTO;
	return bo_free(data);
}

static int cpu_map(void *data)
{
	return kfd_bo_map_cpu(&CTX(data)->k, &CTX(data)->bo);
}

static int cpu_map_end(void *data, int ret)
{
	struct kfd_bo *bo = &CTX(data)->bo;

	if (!ret && munmap(bo->cpu, bo->size))
		return -errno;
	return bo_free(data);
}

/* Far from every earlier try, so that there is no page table yet. */
static int touch_prepare(void *data)
{
	struct kfd_fault_ctx *f = data;
	int ret;

	f->k.next_va += (uint64_t)(f->beats + 1) << 30;
	ret = bo_alloc(data);
	if (!ret)
		ret = cpu_map(data);
	return ret;
}

/* Page faults inside of a system call, which tells of them. */
static int touch(void *data)
{
	struct kfd_fault_ctx *f = data;
	ssize_t n = read(f->fd, f->bo.cpu, f->bo.size);

	if (n < 0)
		return -errno;
	return n == (ssize_t)f->bo.size ? 0 : -EFAULT;
}

static int touch_end(void *data, int ret)
{
	return cpu_map_end(data, 0);
}

static int open_zero(void *data)
{
	CTX(data)->fd = open("/dev/zero", O_RDONLY);
	return CTX(data)->fd < 0 ? -errno : 0;
}

static const struct kfd_fault_op bo_ops[] = {
	{ .name = "alloc", .op = bo_alloc, .finish = bo_alloc_end, .fallback = XARRAY },
	{ .name = "free", .prepare = bo_alloc, .op = bo_free, .finish = bo_free_end,
	  .fallback = FREES },
	{ .name = "map", .prepare = bo_alloc, .op = bo_map, .finish = bo_map_end,
	  .fallback = XARRAY, .late = true },
	{ .name = "unmap", .prepare = bo_unmap_prepare, .op = bo_unmap, .finish = bo_unmap_end,
	  .fallback = FREES, .late = true },
};

static const struct kfd_fault_op mmap_ops[] = {
	{ .name = "mmap", .prepare = bo_alloc, .op = cpu_map, .finish = cpu_map_end,
	  .fallback = VMA },
};

static const struct kfd_fault_op touch_ops[] = {
	{ .name = "page fault", .setup = open_zero, .prepare = touch_prepare, .op = touch,
	  .finish = touch_end, .teardown = kfd_fault_close_fd,
	  .fallback = "a page fault is tried again" },
};

/* --- queues ------------------------------------------------------------------ */

static int queue_buffers(void *data)
{
	return kfd_queue_buffers(&CTX(data)->k, 0, CTX(data)->op->arg, RING, &CTX(data)->q);
}

static int queue_buffers_free(void *data)
{
	struct kfd_fault_ctx *f = data;
	struct kfd_bo *bos[] = { &f->q.ring, &f->q.ptrs, &f->q.eop, &f->q.cwsr };
	unsigned int i;
	int ret = 0;

	for (i = 0; i < 4 && !ret; i++)
		if (bos[i]->handle)
			ret = kfd_bo_destroy(&f->k, bos[i]);
	return ret;
}

static int queue_create(void *data)
{
	struct kfd_fault_ctx *f = data;
	int ret = kfd_call(f->k.fd, AMDKFD_IOC_CREATE_QUEUE, &f->q.args);

	f->q.id = f->q.args.queue_id;
	return ret;
}

static int queue_destroy(void *data)
{
	struct kfd_ioctl_destroy_queue_args args = { .queue_id = CTX(data)->q.id };

	return kfd_call(CTX(data)->k.fd, AMDKFD_IOC_DESTROY_QUEUE, &args);
}

static int queue_create_end(void *data, int ret)
{
	if (ret)
		return 0;
	ret = kfd_fault_same_id(CTX(data), CTX(data)->q.id);
	return ret ? ret : queue_destroy(data);
}

static int queue_destroy_end(void *data, int ret)
{
	return ret ? queue_destroy(data) : 0;
}

static int queue_update(void *data)
{
	struct kfd_fault_ctx *f = data;

	return kfd_queue_update(&f->k, &f->q, f->q.ring.va, RING, 50);
}

static int queue_cu_mask(void *data)
{
	uint32_t mask[2] = { 0xff, 0xff };
	struct kfd_ioctl_set_cu_mask_args args = {
		.queue_id = CTX(data)->q.id, .num_cu_mask = 64, .cu_mask_ptr = (uintptr_t)mask,
	};

	return kfd_call(CTX(data)->k.fd, AMDKFD_IOC_SET_CU_MASK, &args);
}

static int queue_end(void *data, int ret)
{
	return queue_destroy(data);
}

static const struct kfd_fault_op queue_ops[] = {
	{ .name = "create", .setup = queue_buffers, .op = queue_create,
	  .finish = queue_create_end, .teardown = queue_buffers_free, .fallback = XARRAY },
	{ .name = "destroy", .setup = queue_buffers, .prepare = queue_create,
	  .op = queue_destroy, .finish = queue_destroy_end, .teardown = queue_buffers_free },
	{ .name = "update", .setup = queue_buffers, .prepare = queue_create,
	  .op = queue_update, .finish = queue_end, .teardown = queue_buffers_free },
};

static const struct kfd_fault_op cu_mask_ops[] = {
	{ .name = "CU mask", .setup = queue_buffers, .prepare = queue_create,
	  .op = queue_cu_mask, .finish = queue_end, .teardown = queue_buffers_free },
};

/* --- events ------------------------------------------------------------------ */

static int event_create(void *data)
{
	struct kfd_fault_ctx *f = data;

	return kfd_event_create(&f->k, f->op->arg, true, &f->ev);
}

static int event_destroy(void *data)
{
	return kfd_event_destroy(&CTX(data)->k, CTX(data)->ev.event_id);
}

static int event_create_end(void *data, int ret)
{
	if (ret)
		return 0;
	ret = kfd_fault_same_id(CTX(data), CTX(data)->ev.event_id);
	return ret ? ret : event_destroy(data);
}

static int event_destroy_end(void *data, int ret)
{
	return ret ? event_destroy(data) : 0;
}

static int event_set(void *data)
{
	return kfd_event_set(&CTX(data)->k, CTX(data)->ev.event_id);
}

static int event_reset(void *data)
{
	return kfd_event_reset(&CTX(data)->k, CTX(data)->ev.event_id);
}

static int event_wait(void *data)
{
	uint32_t result;

	return kfd_event_wait_one(&CTX(data)->k, CTX(data)->ev.event_id, 1, &result);
}

static int event_end(void *data, int ret)
{
	return event_destroy(data);
}

static int event_page_prepare(void *data)
{
	struct kfd_fault_ctx *f = data;
	int ret = event_create(data);

	f->bo = (struct kfd_bo){
		.flags = KFD_IOC_ALLOC_MEM_FLAGS_DOORBELL, /* mapped by /dev/kfd */
		.size = KFD_EVENT_PAGE_SIZE, .offset = f->ev.event_page_offset,
		.va = kfd_reserve_va(&f->k, KFD_EVENT_PAGE_SIZE),
	};
	return ret;
}

static int event_page_end(void *data, int ret)
{
	struct kfd_bo *bo = &CTX(data)->bo;

	if (!ret && munmap(bo->cpu, bo->size))
		return -errno;
	return event_destroy(data);
}

static const struct kfd_fault_op event_ops[] = {
	{ .name = "create", .op = event_create, .finish = event_create_end, .fallback = XARRAY },
	{ .name = "destroy", .prepare = event_create, .op = event_destroy,
	  .finish = event_destroy_end },
	{ .name = "wait", .prepare = event_create, .op = event_wait, .finish = event_end },
};

static const struct kfd_fault_op signal_ops[] = {
	{ .name = "set", .prepare = event_create, .op = event_set, .finish = event_end },
	{ .name = "reset", .prepare = event_create, .op = event_reset, .finish = event_end },
	{ .name = "mmap event page", .prepare = event_page_prepare, .op = cpu_map,
	  .finish = event_page_end, .fallback = VMA },
};

/* --- the process ------------------------------------------------------------- */

static int ask_apertures(void *data)
{
	struct kfd_process_device_apertures apertures[KFD_MAX_TEST_GPUS];
	struct kfd_ioctl_get_process_apertures_new_args args = {
		.kfd_process_device_apertures_ptr = (uintptr_t)apertures,
		.num_of_nodes = KFD_MAX_TEST_GPUS,
	};

	return kfd_call(CTX(data)->k.fd, AMDKFD_IOC_GET_PROCESS_APERTURES_NEW, &args);
}

static int open_render(void *data)
{
	struct kfd_fault_ctx *f = data;
	char path[64];

	snprintf(path, sizeof(path), "/dev/dri/renderD%d", f->k.gpu[0].render_minor);
	f->fd = open(path, O_RDWR | O_CLOEXEC);
	return f->fd < 0 ? -errno : 0;
}

static int open_kfd(void *data)
{
	CTX(data)->fd = open("/dev/kfd", O_RDWR | O_CLOEXEC);
	return CTX(data)->fd < 0 ? -errno : 0;
}

static int open_smi(void *data)
{
	struct kfd_ioctl_smi_events_args args = { .gpuid = CTX(data)->k.gpu[0].gpu_id };
	int ret = kfd_call(CTX(data)->k.fd, AMDKFD_IOC_SMI_EVENTS, &args);

	CTX(data)->fd = ret ? -1 : (int)args.anon_fd;
	return ret;
}

static int close_op(void *data)
{
	return close(CTX(data)->fd) ? -errno : 0;
}

static int open_end(void *data, int ret)
{
	return ret ? 0 : kfd_fault_close_fd(data);
}

static int close_end(void *data, int ret)
{
	CTX(data)->fd = -1;
	return ret ? -EPROTO : 0;
}

static const struct kfd_fault_op file_ops[] = {
	{ .name = "GET_PROCESS_APERTURES_NEW", .op = ask_apertures },
	{ .name = "open render node", .op = open_render, .finish = open_end,
	  .fallback = XARRAY },
	{ .name = "close render node", .prepare = open_render, .op = close_op,
	  .finish = close_end, .fallback = "a close never fails", .none = true },
	{ .name = "open /dev/kfd again", .op = open_kfd, .finish = open_end,
	  .fallback = XARRAY },
	{ .name = "close /dev/kfd", .prepare = open_kfd, .op = close_op,
	  .finish = close_end, .fallback = "a close never fails", .none = true },
	{ .name = "SMI_EVENTS", .op = open_smi, .finish = open_end },
	{ .name = "close SMI file", .prepare = open_smi, .op = close_op,
	  .finish = close_end, .fallback = "a close never fails", .none = true },
};

FAULT_FIXTURE(fault);

TEST_F_TIMEOUT(fault, buffers, FAULT_SECONDS)
{
	FAULT_RUN_ALL_ON("VRAM", MEM_VRAM, bo_ops);
	FAULT_RUN_ALL_ON("GTT", MEM_GTT, bo_ops);
	FAULT_RUN_ALL_ON("USERPTR", MEM_USERPTR, bo_ops);
	FAULT_RUN_ALL_ON("DOORBELL", MEM_DOORBELL, bo_ops);
	FAULT_RUN_ALL_ON("MMIO", MEM_MMIO, bo_ops);
}

TEST_F_TIMEOUT(fault, mappings, FAULT_SECONDS)
{
	FAULT_RUN_ALL_ON("VRAM", MEM_VRAM, mmap_ops);
	FAULT_RUN_ALL_ON("GTT", MEM_GTT, mmap_ops);
	FAULT_RUN_ALL_ON("DOORBELL", MEM_DOORBELL, mmap_ops);
	FAULT_RUN_ALL_ON("MMIO", MEM_MMIO, mmap_ops);
	FAULT_RUN_ALL_ON("VRAM", MEM_VRAM, touch_ops);
	FAULT_RUN_ALL_ON("GTT", MEM_GTT, touch_ops);
}

TEST_F_TIMEOUT(fault, queues, FAULT_SECONDS)
{
	FAULT_RUN_ALL_ON("PM4 queue", KFD_IOC_QUEUE_TYPE_COMPUTE, queue_ops);
	FAULT_RUN_ALL_ON("AQL queue", KFD_IOC_QUEUE_TYPE_COMPUTE_AQL, queue_ops);
	FAULT_RUN_ALL_ON("SDMA queue", KFD_IOC_QUEUE_TYPE_SDMA, queue_ops);
	FAULT_RUN_ALL_ON("PM4 queue", KFD_IOC_QUEUE_TYPE_COMPUTE, cu_mask_ops);
}

TEST_F_TIMEOUT(fault, events, FAULT_SECONDS)
{
	FAULT_RUN_ALL_ON("signal event", KFD_IOC_EVENT_SIGNAL, event_ops);
	FAULT_RUN_ALL_ON("exception event", KFD_IOC_EVENT_HW_EXCEPTION, event_ops);
	FAULT_RUN_ALL_ON("memory event", KFD_IOC_EVENT_MEMORY, event_ops);
	FAULT_RUN_ALL_ON("signal event", KFD_IOC_EVENT_SIGNAL, signal_ops);
}

TEST_F_TIMEOUT(fault, files, FAULT_SECONDS)
{
	FAULT_RUN_ALL(file_ops);
}

KFD_FAULT_TEST_MAIN
