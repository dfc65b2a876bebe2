// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers and events of the selftests, and waiting for what the GPU writes.
 */
#include <string.h>
#include <sys/mman.h>

#include "kfd_lib.h"

/* A piece of the arena, with a hole behind it so that overruns are seen. */
uint64_t kfd_reserve_va(struct kfd *k, uint64_t size)
{
	uint64_t va = k->next_va;

	/* Large buffers may be backed by 2 MiB pages: let them be aligned. */
	if (size >= 2 << 20)
		va = (va + (2 << 20) - 1) & ~((2ULL << 20) - 1);
	k->next_va = va + ((size + KFD_PAGE - 1) & ~(KFD_PAGE - 1)) + 16 * KFD_PAGE;
	return va;
}

int kfd_bo_alloc(struct kfd *k, int gpu, uint32_t flags, uint64_t size, struct kfd_bo *bo)
{
	struct kfd_ioctl_alloc_memory_of_gpu_args args = {
		.va_addr = kfd_reserve_va(k, size),
		.size = size,
		.gpu_id = k->gpu[gpu].gpu_id,
		.flags = flags,
	};
	int ret;

	memset(bo, 0, sizeof(*bo));
	ret = kfd_call(k->fd, AMDKFD_IOC_ALLOC_MEMORY_OF_GPU, &args);
	if (ret)
		return ret;
	bo->gpu = gpu;
	bo->flags = flags;
	bo->handle = args.handle;
	bo->va = args.va_addr;
	bo->size = size;
	bo->offset = args.mmap_offset;
	return 0;
}

/* Register memory of this process, at its own address, and map it on a GPU. */
int kfd_bo_userptr(struct kfd *k, int gpu, void *cpu, uint64_t size, struct kfd_bo *bo)
{
	struct kfd_ioctl_alloc_memory_of_gpu_args args = {
		.va_addr = (uintptr_t)cpu,
		.size = size,
		.mmap_offset = (uintptr_t)cpu,
		.gpu_id = k->gpu[gpu].gpu_id,
		.flags = MEM_USERPTR,
	};
	int ret;

	memset(bo, 0, sizeof(*bo));
	ret = kfd_call(k->fd, AMDKFD_IOC_ALLOC_MEMORY_OF_GPU, &args);
	if (ret)
		return ret;
	bo->gpu = gpu;
	bo->flags = args.flags;
	bo->handle = args.handle;
	bo->va = args.va_addr;
	bo->size = size;
	bo->offset = (uintptr_t)cpu;
	return kfd_bo_map_gpu(k, bo, gpu);
}

int kfd_bo_map_gpu(struct kfd *k, struct kfd_bo *bo, int gpu)
{
	struct kfd_ioctl_map_memory_to_gpu_args args = {
		.handle = bo->handle,
		.device_ids_array_ptr = (uintptr_t)&k->gpu[gpu].gpu_id,
		.n_devices = 1,
	};
	int ret = kfd_call(k->fd, AMDKFD_IOC_MAP_MEMORY_TO_GPU, &args);

	return ret ? ret : args.n_success == 1 ? 0 : -EPROTO;
}

int kfd_bo_unmap_gpu(struct kfd *k, struct kfd_bo *bo, int gpu)
{
	struct kfd_ioctl_unmap_memory_from_gpu_args args = {
		.handle = bo->handle,
		.device_ids_array_ptr = (uintptr_t)&k->gpu[gpu].gpu_id,
		.n_devices = 1,
	};
	int ret = kfd_call(k->fd, AMDKFD_IOC_UNMAP_MEMORY_FROM_GPU, &args);

	return ret ? ret : args.n_success == 1 ? 0 : -EPROTO;
}

/* Let the CPU see the buffer at the address that the GPU sees it at. */
int kfd_bo_map_cpu(struct kfd *k, struct kfd_bo *bo)
{
	uint32_t by_kfd = KFD_IOC_ALLOC_MEM_FLAGS_DOORBELL | KFD_IOC_ALLOC_MEM_FLAGS_MMIO_REMAP;
	int fd = bo->flags & by_kfd ? k->fd : k->gpu[bo->gpu].drm_fd;
	void *p;

	p = mmap((void *)(uintptr_t)bo->va, bo->size, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED_NOREPLACE, fd, (off_t)bo->offset);
	if (p == MAP_FAILED)
		return -errno;
	bo->cpu = p;
	return 0;
}

/* Allocate, map on the owning GPU, map on the CPU. */
int kfd_bo_create(struct kfd *k, int gpu, uint32_t flags, uint64_t size, struct kfd_bo *bo)
{
	int ret;

	ret = kfd_bo_alloc(k, gpu, flags, size, bo);
	if (ret)
		return ret;
	ret = kfd_bo_map_gpu(k, bo, gpu);
	if (!ret)
		ret = kfd_bo_map_cpu(k, bo);
	if (ret)
		kfd_bo_destroy(k, bo);
	return ret;
}

int kfd_bo_free(struct kfd *k, struct kfd_bo *bo)
{
	struct kfd_ioctl_free_memory_of_gpu_args args = { .handle = bo->handle };

	return kfd_call(k->fd, AMDKFD_IOC_FREE_MEMORY_OF_GPU, &args);
}

/* Take a buffer away from CPU and GPU (it may be mapped on any) and free it. */
int kfd_bo_destroy(struct kfd *k, struct kfd_bo *bo)
{
	int ret, i;

	if (bo->cpu)
		munmap(bo->cpu, bo->size);
	bo->cpu = NULL;
	for (i = 0; i < k->num_gpus; i++) {
		ret = kfd_bo_unmap_gpu(k, bo, i);
		if (ret && ret != -EINVAL)
			return ret;
	}
	ret = kfd_bo_free(k, bo);
	if (!ret)
		memset(bo, 0, sizeof(*bo));
	return ret;
}

int kfd_available(struct kfd *k, int gpu, uint64_t *bytes)
{
	struct kfd_ioctl_get_available_memory_args args = { .gpu_id = k->gpu[gpu].gpu_id };
	int ret = kfd_call(k->fd, AMDKFD_IOC_AVAILABLE_MEMORY, &args);

	*bytes = args.available;
	return ret;
}

/* The same, once the teardown of earlier processes does not change it any more. */
int kfd_available_settled(struct kfd *k, int gpu, uint64_t *bytes)
{
	uint64_t last = 0;
	int ret, same = 0;

	while (same < 20) {
		ret = kfd_available(k, gpu, bytes);
		if (ret)
			return ret;
		same = *bytes == last ? same + 1 : 0;
		last = *bytes;
		kfd_sleep_ms(20);
	}
	return 0;
}

int kfd_settle(struct kfd *k)
{
	uint64_t bytes;
	int ret = 0, i;

	for (i = 0; !ret && i < k->num_gpus; i++)
		ret = kfd_available_settled(k, i, &bytes);
	return ret;
}

int kfd_event_create(struct kfd *k, uint32_t type, bool auto_reset,
		     struct kfd_ioctl_create_event_args *ev)
{
	memset(ev, 0, sizeof(*ev));
	ev->event_type = type;
	ev->auto_reset = auto_reset;
	return kfd_call(k->fd, AMDKFD_IOC_CREATE_EVENT, ev);
}

int kfd_event_set(struct kfd *k, uint32_t id)
{
	struct kfd_ioctl_set_event_args args = { .event_id = id };

	return kfd_call(k->fd, AMDKFD_IOC_SET_EVENT, &args);
}

int kfd_event_reset(struct kfd *k, uint32_t id)
{
	struct kfd_ioctl_reset_event_args args = { .event_id = id };

	return kfd_call(k->fd, AMDKFD_IOC_RESET_EVENT, &args);
}

int kfd_event_destroy(struct kfd *k, uint32_t id)
{
	struct kfd_ioctl_destroy_event_args args = { .event_id = id };

	return kfd_call(k->fd, AMDKFD_IOC_DESTROY_EVENT, &args);
}

int kfd_event_wait(struct kfd *k, struct kfd_event_data *data, unsigned int n, bool all,
		   uint32_t ms, uint32_t *result)
{
	struct kfd_ioctl_wait_events_args args = {
		.events_ptr = (uintptr_t)data,
		.num_events = n,
		.wait_for_all = all,
		.timeout = ms,
		.wait_result = 0xdead,
	};
	int ret = kfd_call(k->fd, AMDKFD_IOC_WAIT_EVENTS, &args);

	if (result)
		*result = args.wait_result;
	return ret;
}

int kfd_event_wait_one(struct kfd *k, uint32_t id, uint32_t ms, uint32_t *result)
{
	struct kfd_event_data data = { .event_id = id };

	return kfd_event_wait(k, &data, 1, false, ms, result);
}

int kfd_wait_u32(const volatile uint32_t *p, uint32_t value, unsigned int ms)
{
	uint64_t end = kfd_now_ms() + ms;

	while (*p != value) {
		if (kfd_now_ms() > end)
			return -ETIMEDOUT;
		kfd_sleep_ms(1);
	}
	return 0;
}

int kfd_wait_u64(const volatile uint64_t *p, uint64_t value, unsigned int ms)
{
	uint64_t end = kfd_now_ms() + ms;

	while (*p != value) {
		if (kfd_now_ms() > end)
			return -ETIMEDOUT;
		kfd_sleep_ms(1);
	}
	return 0;
}

static uint32_t next_word(uint32_t x)
{
	return x * 1664525u + 1013904223u;
}

void kfd_fill_pattern(void *p, size_t bytes, uint32_t seed)
{
	uint32_t *word = p;
	size_t i;

	for (i = 0; i < bytes / 4; i++) {
		seed = next_word(seed);
		word[i] = seed;
	}
}

bool kfd_check_pattern(const void *p, size_t bytes, uint32_t seed)
{
	const volatile uint32_t *word = p;
	size_t i;

	for (i = 0; i < bytes / 4; i++) {
		seed = next_word(seed);
		if (word[i] != seed)
			return false;
	}
	return true;
}
