// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers: every kind, every bad argument, and what may be relied on.
 */
#include "lib/kfd_test.h"

#define BAD_GPU		0xfffe
#define MIB		(1ULL << 20)

KFD_FIXTURE(memory);

static int raw_alloc(struct kfd *k, struct kfd_ioctl_alloc_memory_of_gpu_args *args)
{
	return kfd_call(k->fd, AMDKFD_IOC_ALLOC_MEMORY_OF_GPU, args);
}

/* Allocate at @va and map; whichever of the two refuses, its errno. */
static int place(struct kfd *k, uint64_t va, uint64_t size, uint32_t flags, struct kfd_bo *bo)
{
	struct kfd_ioctl_alloc_memory_of_gpu_args args = {
		.va_addr = va, .size = size, .gpu_id = k->gpu[0].gpu_id, .flags = flags,
	};
	int ret;

	memset(bo, 0, sizeof(*bo));
	ret = raw_alloc(k, &args);
	if (ret)
		return ret;
	bo->handle = args.handle;
	bo->va = va;
	bo->size = size;
	bo->flags = flags;
	bo->offset = args.mmap_offset;
	ret = kfd_bo_map_gpu(k, bo, 0);
	if (ret)
		kfd_bo_free(k, bo);
	return ret;
}

TEST_F(memory, every_kind)
{
	static const uint32_t kinds[] = { MEM_VRAM, MEM_GTT, MEM_DOORBELL, MEM_MMIO };
	static const uint64_t sizes[] = { 64 << 10, 64 << 10, 2 * KFD_PAGE, KFD_PAGE };
	unsigned int i;

	for (i = 0; i < 4; i++) {
		struct kfd_bo bo;

		ASSERT_OK(kfd_bo_create(&self->k, 0, kinds[i], sizes[i], &bo))
			TH_LOG("flags %#x", kinds[i]);
		EXPECT_NE(0, bo.handle);
		EXPECT_OK(kfd_bo_destroy(&self->k, &bo)) TH_LOG("flags %#x", kinds[i]);
	}
}

TEST_F(memory, userptr)
{
	struct kfd_bo bo;
	void *p;

	p = mmap(NULL, 16 * KFD_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_OK(kfd_bo_userptr(&self->k, 0, p, 16 * KFD_PAGE, &bo));
	EXPECT_OK(kfd_bo_destroy(&self->k, &bo));
}

TEST_F(memory, alloc_bad_size)
{
	struct kfd_ioctl_alloc_memory_of_gpu_args args = {
		.va_addr = KFD_ARENA_BASE, .gpu_id = self->k.gpu[0].gpu_id, .flags = MEM_GTT,
	};

	EXPECT_ERR(EINVAL, raw_alloc(&self->k, &args));
	args.flags = MEM_VRAM;
	EXPECT_ERR(EINVAL, raw_alloc(&self->k, &args));
	args.size = ~(KFD_PAGE - 1);
	EXPECT_ERR_EITHER(EINVAL, ENOMEM, raw_alloc(&self->k, &args));
	args.size = 1ULL << 62;
	EXPECT_ERR_EITHER(EINVAL, ENOMEM, raw_alloc(&self->k, &args));
	args.size = self->k.gpu[0].vram + MIB;
	EXPECT_ERR(ENOMEM, raw_alloc(&self->k, &args));
	EXPECT_EQ(0, args.handle);
	if (!kfd_is_ours())
		return;
	args.size = KFD_PAGE + 1;
	EXPECT_ERR(EINVAL, raw_alloc(&self->k, &args));
	args.size = 100;
	EXPECT_ERR(EINVAL, raw_alloc(&self->k, &args));
}

TEST_F(memory, alloc_bad_gpu)
{
	struct kfd_ioctl_alloc_memory_of_gpu_args args = {
		.va_addr = KFD_ARENA_BASE, .size = KFD_PAGE, .gpu_id = BAD_GPU, .flags = MEM_GTT,
	};

	EXPECT_ERR(EINVAL, raw_alloc(&self->k, &args));
	args.gpu_id = 0;
	EXPECT_ERR(EINVAL, raw_alloc(&self->k, &args));
	args.gpu_id = self->k.gpu[0].gpu_id | 1u << 16;
	EXPECT_ERR(EINVAL, raw_alloc(&self->k, &args));
}

TEST_F(memory, alloc_bad_flags)
{
	static const uint32_t bad[] = {
		0, MEM_RW, 1u << 5, 1u << 10 | MEM_GTT, 1u << 20 | MEM_VRAM,
		MEM_GTT | MEM_VRAM, MEM_GTT | MEM_DOORBELL, MEM_USERPTR | MEM_GTT,
		MEM_DOORBELL | MEM_MMIO,
	};
	unsigned int i;

	REQUIRE_OURS();
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct kfd_ioctl_alloc_memory_of_gpu_args args = {
			.va_addr = KFD_ARENA_BASE, .size = KFD_PAGE,
			.gpu_id = self->k.gpu[0].gpu_id, .flags = bad[i],
		};

		EXPECT_ERR(EINVAL, raw_alloc(&self->k, &args)) TH_LOG("flags %#x", bad[i]);
	}
}

TEST_F(memory, alloc_doorbell_and_mmio_have_one_size)
{
	struct kfd_bo bo;

	EXPECT_ERR(EINVAL, kfd_bo_alloc(&self->k, 0, MEM_DOORBELL, KFD_PAGE, &bo));
	EXPECT_ERR(EINVAL, kfd_bo_alloc(&self->k, 0, MEM_DOORBELL, 4 * KFD_PAGE, &bo));
	EXPECT_ERR(EINVAL, kfd_bo_alloc(&self->k, 0, MEM_MMIO, 2 * KFD_PAGE, &bo));
}

TEST_F(memory, bad_address)
{
	struct kfd_bo bo;

	EXPECT_ERR(EINVAL, place(&self->k, KFD_ARENA_BASE + 1, KFD_PAGE, MEM_GTT, &bo));
	EXPECT_ERR(EINVAL, place(&self->k, KFD_ARENA_BASE + 2048, KFD_PAGE, MEM_GTT, &bo));
	EXPECT_ERR(EINVAL, place(&self->k, 1ULL << 63, KFD_PAGE, MEM_GTT, &bo));
	EXPECT_ERR(EINVAL, place(&self->k, ~(KFD_PAGE - 1), KFD_PAGE, MEM_GTT, &bo));
	EXPECT_ERR(EINVAL, place(&self->k, ~(KFD_PAGE - 1), 2 * KFD_PAGE, MEM_GTT, &bo));
	if (!kfd_is_ours())
		return;
	EXPECT_ERR(EINVAL, place(&self->k, 0, KFD_PAGE, MEM_GTT, &bo));
	EXPECT_ERR(EINVAL, place(&self->k, 0x3000, KFD_PAGE, MEM_GTT, &bo));
	EXPECT_ERR(EINVAL, place(&self->k, 0x3000, 2 * KFD_PAGE, MEM_GTT, &bo));
	EXPECT_ERR(EINVAL, place(&self->k, 0x800000000000, KFD_PAGE, MEM_GTT, &bo));
	EXPECT_ERR(EINVAL, place(&self->k, 0x7ffffffff000, 2 * KFD_PAGE, MEM_GTT, &bo));
	/* The very ends of the window are inside it. */
	ASSERT_OK(place(&self->k, 0x4000, KFD_PAGE, MEM_GTT, &bo));
	EXPECT_OK(kfd_bo_destroy(&self->k, &bo));
	ASSERT_OK(place(&self->k, 0x7ffffffff000, KFD_PAGE, MEM_GTT, &bo));
	EXPECT_OK(kfd_bo_destroy(&self->k, &bo));
}

TEST_F(memory, overlapping_addresses_are_EINVAL)
{
	uint64_t va = kfd_reserve_va(&self->k, 16 * KFD_PAGE) + 4 * KFD_PAGE;
	struct kfd_bo a, b;

	ASSERT_OK(place(&self->k, va, 4 * KFD_PAGE, MEM_GTT, &a));
	EXPECT_ERR(EINVAL, place(&self->k, va, KFD_PAGE, MEM_GTT, &b));
	EXPECT_ERR(EINVAL, place(&self->k, va + 3 * KFD_PAGE, 2 * KFD_PAGE, MEM_VRAM, &b));
	EXPECT_ERR(EINVAL, place(&self->k, va - KFD_PAGE, 2 * KFD_PAGE, MEM_GTT, &b));
	EXPECT_ERR(EINVAL, place(&self->k, va - KFD_PAGE, 8 * KFD_PAGE, MEM_GTT, &b));
	/* Right beside it there is room. */
	ASSERT_OK(place(&self->k, va + 4 * KFD_PAGE, KFD_PAGE, MEM_GTT, &b));
	EXPECT_OK(kfd_bo_destroy(&self->k, &b));
	ASSERT_OK(place(&self->k, va - KFD_PAGE, KFD_PAGE, MEM_GTT, &b));
	EXPECT_OK(kfd_bo_destroy(&self->k, &b));
	/* And in its place when it is gone. */
	EXPECT_OK(kfd_bo_destroy(&self->k, &a));
	ASSERT_OK(place(&self->k, va, 4 * KFD_PAGE, MEM_VRAM, &a));
	EXPECT_OK(kfd_bo_destroy(&self->k, &a));
}

TEST_F(memory, free_bad_handles)
{
	struct kfd_bo bo, bad;

	ASSERT_OK(kfd_bo_alloc(&self->k, 0, MEM_GTT, KFD_PAGE, &bo));
	bad = bo;
	bad.handle = 0;
	EXPECT_ERR(EINVAL, kfd_bo_free(&self->k, &bad));
	bad.handle = UINT64_MAX;
	EXPECT_ERR(EINVAL, kfd_bo_free(&self->k, &bad));
	bad.handle = bo.handle + 12345;
	EXPECT_ERR(EINVAL, kfd_bo_free(&self->k, &bad));
	bad.handle = bo.handle ^ 1ULL << 63;
	EXPECT_ERR(EINVAL, kfd_bo_free(&self->k, &bad));
	bad.handle = bo.handle ^ 1ULL << 31;
	EXPECT_ERR(EINVAL, kfd_bo_free(&self->k, &bad));
	EXPECT_OK(kfd_bo_free(&self->k, &bo));
	EXPECT_ERR(EINVAL, kfd_bo_free(&self->k, &bo));
}

TEST_F(memory, free_while_mapped_is_EBUSY)
{
	struct kfd_bo bo;

	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, KFD_PAGE, &bo));
	EXPECT_ERR(EBUSY, kfd_bo_free(&self->k, &bo));
	*(volatile uint32_t *)bo.cpu = 1;
	EXPECT_OK(kfd_bo_destroy(&self->k, &bo));
}

TEST_F(memory, map_bad_arguments)
{
	uint32_t ids[] = { self->k.gpu[0].gpu_id, BAD_GPU };
	struct kfd_ioctl_map_memory_to_gpu_args args = {
		.device_ids_array_ptr = (uintptr_t)ids, .n_devices = 1,
	};
	struct kfd_bo bo;

	ASSERT_OK(kfd_bo_alloc(&self->k, 0, MEM_GTT, KFD_PAGE, &bo));
	args.handle = bo.handle + 999;
	EXPECT_ERR_OR(EINVAL, ENOMEM, kfd_call(self->k.fd, AMDKFD_IOC_MAP_MEMORY_TO_GPU, &args));
	args.handle = bo.handle;
	args.n_devices = 0;
	EXPECT_ERR(EINVAL, kfd_call(self->k.fd, AMDKFD_IOC_MAP_MEMORY_TO_GPU, &args));
	args.n_devices = 1;
	args.n_success = 2;
	EXPECT_ERR(EINVAL, kfd_call(self->k.fd, AMDKFD_IOC_MAP_MEMORY_TO_GPU, &args));
	args.n_success = 0;
	args.n_devices = 0xffffffff;
	EXPECT_ERR_EITHER(EINVAL, ENOMEM,
			  kfd_call(self->k.fd, AMDKFD_IOC_MAP_MEMORY_TO_GPU, &args));
	args.n_devices = 1;
	args.device_ids_array_ptr = 16;
	EXPECT_ERR(EFAULT, kfd_call(self->k.fd, AMDKFD_IOC_MAP_MEMORY_TO_GPU, &args));
	args.device_ids_array_ptr = (uintptr_t)&ids[1];
	EXPECT_ERR(EINVAL, kfd_call(self->k.fd, AMDKFD_IOC_MAP_MEMORY_TO_GPU, &args));
	EXPECT_EQ(0, args.n_success);
	EXPECT_OK(kfd_bo_free(&self->k, &bo));
}

/* How far a call came is told though it failed, and it can be taken up there. */
TEST_F(memory, map_reports_how_far_it_came)
{
	uint32_t ids[] = { self->k.gpu[0].gpu_id, BAD_GPU };
	struct kfd_ioctl_map_memory_to_gpu_args args = {
		.device_ids_array_ptr = (uintptr_t)ids, .n_devices = 2,
	};
	struct kfd_bo bo;

	if (kfd_is_ours())
		REQUIRE_GPUS(&self->k, 2);
	ASSERT_OK(kfd_bo_alloc(&self->k, 0, MEM_GTT, KFD_PAGE, &bo));
	args.handle = bo.handle;
	EXPECT_ERR(EINVAL, kfd_call(self->k.fd, AMDKFD_IOC_MAP_MEMORY_TO_GPU, &args));
	EXPECT_EQ(1, args.n_success);
	if (self->k.num_gpus > 1) {
		ids[1] = self->k.gpu[1].gpu_id;
		EXPECT_OK(kfd_call(self->k.fd, AMDKFD_IOC_MAP_MEMORY_TO_GPU, &args));
		EXPECT_EQ(2, args.n_success);
	}
	EXPECT_OK(kfd_bo_destroy(&self->k, &bo));
}

TEST_F(memory, map_twice_and_unmap_twice)
{
	struct kfd_bo bo;

	ASSERT_OK(kfd_bo_alloc(&self->k, 0, MEM_GTT, KFD_PAGE, &bo));
	EXPECT_ERR(EINVAL, kfd_bo_unmap_gpu(&self->k, &bo, 0));
	EXPECT_OK(kfd_bo_map_gpu(&self->k, &bo, 0));
	EXPECT_OK(kfd_bo_map_gpu(&self->k, &bo, 0));
	EXPECT_OK(kfd_bo_unmap_gpu(&self->k, &bo, 0));
	EXPECT_ERR(EINVAL, kfd_bo_unmap_gpu(&self->k, &bo, 0));
	EXPECT_OK(kfd_bo_free(&self->k, &bo));
}

TEST_F(memory, unmap_bad_arguments)
{
	uint32_t id = BAD_GPU;
	struct kfd_ioctl_unmap_memory_from_gpu_args args = {
		.device_ids_array_ptr = (uintptr_t)&id, .n_devices = 1,
	};
	struct kfd_bo bo;

	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, KFD_PAGE, &bo));
	args.handle = bo.handle;
	EXPECT_ERR(EINVAL, kfd_call(self->k.fd, AMDKFD_IOC_UNMAP_MEMORY_FROM_GPU, &args));
	args.n_devices = 0;
	EXPECT_ERR(EINVAL, kfd_call(self->k.fd, AMDKFD_IOC_UNMAP_MEMORY_FROM_GPU, &args));
	args.n_devices = 1;
	args.device_ids_array_ptr = 16;
	EXPECT_ERR(EFAULT, kfd_call(self->k.fd, AMDKFD_IOC_UNMAP_MEMORY_FROM_GPU, &args));
	args.n_success = 2;
	EXPECT_ERR(EINVAL, kfd_call(self->k.fd, AMDKFD_IOC_UNMAP_MEMORY_FROM_GPU, &args));
	EXPECT_OK(kfd_bo_destroy(&self->k, &bo));
}

/* No byte of an earlier owner's is ever seen. */
TEST_F(memory, vram_comes_zeroed)
{
	struct kfd_bo bo;
	int round;
	size_t i;

	for (round = 0; round < 8; round++) {
		volatile uint64_t *words;
		uint64_t any = 0;

		ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_VRAM, 2 * MIB, &bo));
		words = bo.cpu;
		for (i = 0; i < 2 * MIB / 8; i++)
			any |= words[i];
		EXPECT_EQ(0, any) TH_LOG("round %d", round);
		memset(bo.cpu, 0xa5, 2 * MIB);
		EXPECT_OK(kfd_bo_destroy(&self->k, &bo));
	}
}

TEST_F(memory, vram_is_counted)
{
	uint64_t before, with, after;
	struct kfd_bo bo;

	ASSERT_OK(kfd_available_settled(&self->k, 0, &before));
	ASSERT_OK(kfd_bo_alloc(&self->k, 0, MEM_VRAM, 8 * MIB, &bo));
	ASSERT_OK(kfd_available(&self->k, 0, &with));
	EXPECT_LE(with + 8 * MIB, before);
	EXPECT_OK(kfd_bo_free(&self->k, &bo));
	ASSERT_OK(kfd_available(&self->k, 0, &after));
	EXPECT_EQ(before, after);
}

TEST_F(memory, vram_is_finite)
{
	uint64_t before, after, left, got = 0;
	struct kfd_bo bos[32];
	int n = 0, ret, i;

	ASSERT_OK(kfd_available_settled(&self->k, 0, &before));
	for (;;) {
		uint64_t chunk = (before / 16) & ~(2 * MIB - 1);

		ASSERT_LT(n, 32);
		ret = kfd_bo_alloc(&self->k, 0, MEM_VRAM, chunk, &bos[n]);
		if (ret)
			break;
		got += chunk;
		n++;
	}
	EXPECT_EQ(-ENOMEM, ret);
	EXPECT_LE(got, self->k.gpu[0].vram);
	EXPECT_GE(got, before / 16 * 14);
	ASSERT_OK(kfd_available(&self->k, 0, &left));
	EXPECT_LE(left + got, before);
	for (i = 0; i < n; i++)
		EXPECT_OK(kfd_bo_free(&self->k, &bos[i]));
	ASSERT_OK(kfd_available(&self->k, 0, &after));
	EXPECT_EQ(before, after);
}

TEST_F(memory, vram_comes_back_when_a_process_dies)
{
	uint64_t before, after, end;
	int status;
	pid_t child;

	ASSERT_OK(kfd_available_settled(&self->k, 0, &before));
	child = fork();
	if (!child) {
		struct kfd own;
		struct kfd_bo bo;

		if (kfd_start(&own) || kfd_bo_create(&own, 0, MEM_VRAM, 16 * MIB, &bo))
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	ASSERT_GT(child, 0);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_TRUE(WIFSIGNALED(status));
	end = kfd_now_ms() + PATIENCE;
	do {
		kfd_sleep_ms(5);
		ASSERT_OK(kfd_available(&self->k, 0, &after));
	} while (after != before && kfd_now_ms() < end);
	EXPECT_EQ(before, after);
}

TEST_F(memory, handles_are_not_shared_between_gpus)
{
	struct kfd_bo a, b;

	REQUIRE_GPUS(&self->k, 2);
	ASSERT_OK(kfd_bo_alloc(&self->k, 0, MEM_VRAM, KFD_PAGE, &a));
	ASSERT_OK(kfd_bo_alloc(&self->k, 1, MEM_VRAM, KFD_PAGE, &b));
	EXPECT_NE(a.handle, b.handle);
	EXPECT_OK(kfd_bo_free(&self->k, &a));
	EXPECT_ERR(EINVAL, kfd_bo_free(&self->k, &a));
	EXPECT_OK(kfd_bo_free(&self->k, &b));
}

TEST_F(memory, many_small_buffers)
{
	uint64_t before, after;
	struct kfd_bo *bos = calloc(2000, sizeof(*bos));
	int i;

	ASSERT_NE(NULL, bos);
	ASSERT_OK(kfd_available_settled(&self->k, 0, &before));
	for (i = 0; i < 2000; i++) {
		ASSERT_OK(kfd_bo_alloc(&self->k, 0, i % 2 ? MEM_VRAM : MEM_GTT, KFD_PAGE, &bos[i]));
		ASSERT_OK(kfd_bo_map_gpu(&self->k, &bos[i], 0));
	}
	for (i = 0; i < 2000; i++) {
		ASSERT_OK(kfd_bo_unmap_gpu(&self->k, &bos[i], 0));
		ASSERT_OK(kfd_bo_free(&self->k, &bos[i]));
	}
	ASSERT_OK(kfd_available(&self->k, 0, &after));
	EXPECT_EQ(before, after);
	free(bos);
}

TEST_F(memory, userptr_bad_arguments)
{
	struct kfd_ioctl_alloc_memory_of_gpu_args args = {
		.va_addr = kfd_reserve_va(&self->k, KFD_PAGE), .size = KFD_PAGE,
		.gpu_id = self->k.gpu[0].gpu_id, .flags = MEM_USERPTR,
	};
	struct kfd_bo bo;
	char *p;

	/* No address at all. */
	EXPECT_ERR(EINVAL, raw_alloc(&self->k, &args));
	/* Not the process's to give: kernel addresses. */
	args.mmap_offset = 0xffff888000000000;
	EXPECT_ERR_EITHER(EINVAL, EFAULT, raw_alloc(&self->k, &args));
	args.mmap_offset = ~(KFD_PAGE - 1);
	args.size = 2 * KFD_PAGE;
	EXPECT_ERR_EITHER(EINVAL, EFAULT, raw_alloc(&self->k, &args));
	/* Nothing is mapped there. */
	p = mmap(NULL, KFD_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_OK(munmap(p, KFD_PAGE));
	EXPECT_ERR(EFAULT, kfd_bo_userptr(&self->k, 0, p, KFD_PAGE, &bo));
	/* Memory that the process itself may not write. */
	p = mmap(NULL, KFD_PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_ERR_EITHER(EFAULT, EPERM, kfd_bo_userptr(&self->k, 0, p, KFD_PAGE, &bo));
	/* Unaligned. */
	if (!kfd_is_ours())
		return;
	p = mmap(NULL, 2 * KFD_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, p);
	args.size = KFD_PAGE;
	args.mmap_offset = (uintptr_t)p + 64;
	EXPECT_ERR(EINVAL, raw_alloc(&self->k, &args));
}

TEST_F(memory, userptr_of_a_device_mapping_is_EFAULT)
{
	struct kfd_bo vram, bo;

	ASSERT_OK(kfd_bo_alloc(&self->k, 0, MEM_VRAM, KFD_PAGE, &vram));
	ASSERT_OK(kfd_bo_map_cpu(&self->k, &vram));
	EXPECT_ERR(EFAULT, kfd_bo_userptr(&self->k, 0, vram.cpu, KFD_PAGE, &bo));
	EXPECT_OK(kfd_bo_destroy(&self->k, &vram));
}

KFD_TEST_MAIN
