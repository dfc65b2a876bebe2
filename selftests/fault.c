// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every allocation of every call on objects made to fail: buffers, mappings,
 * queues, events, ranges of shared virtual memory, files. See lib/kfd_fault.h.
 */
#include <fcntl.h>
#include <sys/mman.h>

#include "lib/kfd_fault_test.h"
#include "lib/kfd_svm.h"

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

/* --- shared virtual memory --------------------------------------------------- */

#define SVM_SAVE	(8ULL << 20)
#define HULL		"what no hole could be made for is found by its lack of a mapping"
#define PLACES		"a page table has a second way, or a page fault is tried again"

/* Four pages that are there, at an address that stays. */
static int svm_map(void *data)
{
	struct kfd_fault_ctx *f = data;

	if (mmap(f->user, KFD_FAULT_SIZE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		return -errno;
	memset(f->user, 0x77, KFD_FAULT_SIZE);
	return 0;
}

/* Their attributes go with them; who has none has no range. */
static int svm_unmap(void *data)
{
	struct kfd_fault_ctx *f = data;
	uint32_t value;
	int ret;

	if (munmap(f->user, KFD_FAULT_SIZE))
		return -errno;
	ret = kfd_svm_get1(&f->k, f->user, KFD_FAULT_SIZE, KFD_IOCTL_SVM_ATTR_GRANULARITY, &value);
	return ret == -EFAULT ? 0 : ret ? ret : -EPROTO;
}

static int svm_gran(struct kfd_fault_ctx *f, unsigned int page, unsigned int pages, uint32_t value)
{
	return kfd_svm_set1(&f->k, f->user + page * KFD_PAGE, pages * KFD_PAGE,
			    KFD_IOCTL_SVM_ATTR_GRANULARITY, value);
}

static int svm_gran_is(struct kfd_fault_ctx *f, unsigned int page, unsigned int pages,
		       uint32_t value)
{
	uint32_t got;
	int ret;

	ret = kfd_svm_get1(&f->k, f->user + page * KFD_PAGE, pages * KFD_PAGE,
			   KFD_IOCTL_SVM_ATTR_GRANULARITY, &got);
	return ret ? ret : got == value ? 0 : -EILSEQ;
}

static int svm_access(void *data)
{
	struct kfd_fault_ctx *f = data;

	return kfd_svm_set1(&f->k, f->user, KFD_FAULT_SIZE, KFD_IOCTL_SVM_ATTR_ACCESS,
			    f->k.gpu[0].gpu_id);
}

/* The GPU adds to a word of each page. */
static int svm_reaches(struct kfd_fault_ctx *f)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < KFD_FAULT_SIZE / KFD_PAGE && !ret; i++) {
		volatile uint64_t *word = (uint64_t *)(f->user + i * KFD_PAGE);
		uint64_t was = *word;
		uint32_t p[8];

		ret = kfd_queue_run(&f->alive, p, sdma_atomic_add64(p, (uintptr_t)word, 1));
		if (!ret && *word != was + 1)
			ret = -EIO;
	}
	return ret;
}

/* What failed can be asked for again, and is had then. */
static int svm_access_end(void *data, int ret)
{
	ret = ret ? svm_access(data) : 0;
	if (!ret)
		ret = svm_reaches(data);
	return ret ? ret : svm_unmap(data);
}

static int svm_whole_prepare(void *data)
{
	int ret = svm_map(data);

	return ret ? ret : svm_access(data);
}

static int svm_split(void *data)
{
	return svm_gran(data, 1, 2, 3);
}

static int svm_split_end(void *data, int ret)
{
	ret = ret ? svm_split(data) : 0;
	if (!ret)
		ret = svm_gran_is(data, 0, 1, SVM_DEFAULT_GRANULARITY);
	if (!ret)
		ret = svm_gran_is(data, 1, 2, 3);
	if (!ret)
		ret = svm_gran_is(data, 3, 1, SVM_DEFAULT_GRANULARITY);
	if (!ret)
		ret = svm_reaches(data);
	return ret ? ret : svm_unmap(data);
}

static int svm_join_prepare(void *data)
{
	int ret = svm_whole_prepare(data);

	return ret ? ret : svm_split(data);
}

static int svm_join(void *data)
{
	return svm_gran(data, 1, 2, SVM_DEFAULT_GRANULARITY);
}

static int svm_join_end(void *data, int ret)
{
	ret = ret ? svm_join(data) : 0;
	if (!ret)
		ret = svm_gran_is(data, 0, 4, SVM_DEFAULT_GRANULARITY);
	if (!ret)
		ret = svm_reaches(data);
	return ret ? ret : svm_unmap(data);
}

static int svm_get(void *data)
{
	return svm_gran_is(data, 1, 2, 3);
}

static int svm_get_end(void *data, int ret)
{
	return svm_unmap(data);
}

static int svm_hole_prepare(void *data)
{
	int ret = svm_map(data);

	return ret ? ret : svm_gran(data, 0, 4, 2);
}

/*
 * An munmap() and, while things still fail, a question that is the first to
 * hear of it. What the question answers does not matter: the hole has to come.
 */
static int svm_hole(void *data)
{
	struct kfd_fault_ctx *f = data;
	uint32_t value;

	if (munmap(f->user + KFD_PAGE, 2 * KFD_PAGE))
		return -errno;
	kfd_svm_get1(&f->k, f->user, KFD_FAULT_SIZE, KFD_IOCTL_SVM_ATTR_GRANULARITY, &value);
	return 0;
}

static int svm_hole_end(void *data, int ret)
{
	struct kfd_fault_ctx *f = data;
	char *hole = f->user + KFD_PAGE;

	if (ret)
		ret = svm_hole(data);
	if (!ret && svm_gran_is(data, 0, 4, 2) != -EFAULT)
		ret = -EPROTO;
	if (!ret && mmap(hole, 2 * KFD_PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != hole)
		ret = -errno;
	if (!ret)
		ret = svm_gran_is(data, 0, 1, 2);
	if (!ret)
		ret = svm_gran_is(data, 1, 2, SVM_DEFAULT_GRANULARITY);
	if (!ret)
		ret = svm_gran_is(data, 3, 1, 2);
	return ret ? ret : svm_unmap(data);
}

/* A queue whose save area is in a range. */
static int svm_queue_setup(void *data)
{
	struct kfd_fault_ctx *f = data;
	char *save;
	int ret = queue_buffers(data);

	if (!ret)
		ret = kfd_svm_alloc(&f->k, SVM_SAVE, 0, &save);
	if (ret)
		return ret;
	f->q.args.ctx_save_restore_address = (uintptr_t)save;
	return f->q.args.ctx_save_restore_size > SVM_SAVE ? -ENOSPC : 0;
}

static int svm_queue_teardown(void *data)
{
	void *save = (void *)(uintptr_t)CTX(data)->q.args.ctx_save_restore_address;

	return munmap(save, SVM_SAVE) ? -errno : queue_buffers_free(data);
}

static int xnack_on(void *data)
{
	int ret = kfd_set_xnack(&CTX(data)->k, 1);

	return ret == 1 ? 0 : ret < 0 ? ret : -EPROTO;
}

static int xnack_end(void *data, int ret)
{
	ret = ret ? xnack_on(data) : 0;
	if (!ret)
		ret = kfd_set_xnack(&CTX(data)->k, 0);
	return ret ? ret : svm_unmap(data);
}

static const struct kfd_fault_op svm_ops[] = {
	{ .name = "SET_ATTR", .prepare = svm_map, .op = svm_access, .finish = svm_access_end,
	  .fallback = PLACES, .whole = true },
	{ .name = "SET_ATTR that splits", .prepare = svm_whole_prepare, .op = svm_split,
	  .finish = svm_split_end, .fallback = PLACES, .whole = true },
	{ .name = "SET_ATTR that joins", .prepare = svm_join_prepare, .op = svm_join,
	  .finish = svm_join_end, .fallback = PLACES, .whole = true },
	{ .name = "GET_ATTR", .prepare = svm_join_prepare, .op = svm_get,
	  .finish = svm_get_end },
	{ .name = "munmap of the middle", .prepare = svm_hole_prepare, .op = svm_hole,
	  .finish = svm_hole_end, .fallback = HULL },
};

static const struct kfd_fault_op svm_queue_ops[] = {
	{ .name = "create queue", .setup = svm_queue_setup, .op = queue_create,
	  .finish = queue_create_end, .teardown = svm_queue_teardown, .fallback = XARRAY },
};

static const struct kfd_fault_op xnack_op = {
	.name = "SET_XNACK_MODE", .prepare = svm_whole_prepare, .op = xnack_on,
	.finish = xnack_end, .whole = true,
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

TEST_F_TIMEOUT(fault, shared_virtual_memory, FAULT_SECONDS)
{
	FAULT_RUN_ALL_ON("SVM", 0, svm_ops);
	FAULT_RUN_ALL_ON("SVM", KFD_IOC_QUEUE_TYPE_COMPUTE, svm_queue_ops);
}

/* The mode is that of a process without queues. */
TEST_F_TIMEOUT(fault, retry_mode, FAULT_SECONDS)
{
	ASSERT_OK(kfd_queue_destroy(&self->f.k, &self->f.alive));
	EXPECT_OK(fault_run(&self->f.k, &xnack_op, &self->f, NULL));
}

TEST_F_TIMEOUT(fault, files, FAULT_SECONDS)
{
	FAULT_RUN_ALL(file_ops);
}

KFD_FAULT_TEST_MAIN
