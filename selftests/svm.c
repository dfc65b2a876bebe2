// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shared virtual memory: attributes of addresses and what they are worth, with
 * GPUs that can't wait for a page (XNACK off). svm_fault.c has those that can,
 * svm_criu.c checkpoint and restore.
 */
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "lib/kfd_fdinfo.h"
#include "lib/kfd_mem.h"
#include "lib/kfd_svm.h"
#include "lib/kfd_test.h"

#define RING	65536
#define PAGES	16

FIXTURE(svm)
{
	struct kfd k;
	char *p;	/* PAGES pages that nobody has spoken of */
	uint64_t size;
	uint32_t gpu;
};

FIXTURE_SETUP(svm)
{
	self->size = PAGES * KFD_PAGE;
	ASSERT_OK(kfd_start(&self->k));
	self->gpu = self->k.gpu[0].gpu_id;
	ASSERT_OK(kfd_svm_alloc(&self->k, self->size, -1, &self->p));
}

FIXTURE_TEARDOWN(svm)
{
	kfd_stop(&self->k);
}

/* --- attributes ------------------------------------------------------------ */

static const struct kfd_ioctl_svm_attribute questions[] = {
	{ .type = KFD_IOCTL_SVM_ATTR_PREFERRED_LOC },
	{ .type = KFD_IOCTL_SVM_ATTR_PREFETCH_LOC },
	{ .type = KFD_IOCTL_SVM_ATTR_SET_FLAGS },
	{ .type = KFD_IOCTL_SVM_ATTR_CLR_FLAGS },
	{ .type = KFD_IOCTL_SVM_ATTR_GRANULARITY },
};

enum { Q_PREFERRED, Q_PREFETCH, Q_FLAGS, Q_CLEAR, Q_GRANULARITY, Q_NUM };

static int ask(struct kfd *k, const char *p, uint64_t size, uint32_t *answer)
{
	struct kfd_ioctl_svm_attribute attrs[Q_NUM];
	int i, ret;

	memcpy(attrs, questions, sizeof(attrs));
	ret = kfd_svm_get(k, p, size, attrs, Q_NUM);
	for (i = 0; i < Q_NUM; i++)
		answer[i] = attrs[i].value;
	return ret;
}

TEST_F(svm, what_nobody_has_spoken_of)
{
	uint32_t answer[Q_NUM];

	ASSERT_OK(ask(&self->k, self->p, self->size, answer));
	EXPECT_EQ(KFD_IOCTL_SVM_LOCATION_UNDEFINED, answer[Q_PREFERRED]);
	EXPECT_EQ(KFD_IOCTL_SVM_LOCATION_UNDEFINED, answer[Q_PREFETCH]);
	EXPECT_EQ(SVM_DEFAULT_FLAGS, answer[Q_FLAGS]);
	EXPECT_EQ(~(uint32_t)SVM_DEFAULT_FLAGS, answer[Q_CLEAR]);
	EXPECT_EQ(SVM_DEFAULT_GRANULARITY, answer[Q_GRANULARITY]);
	EXPECT_EQ(KFD_IOCTL_SVM_ATTR_NO_ACCESS,
		  kfd_svm_access_of(&self->k, self->p, self->size, 0));
}

TEST_F(svm, each_attribute_comes_back)
{
	const struct kfd_ioctl_svm_attribute set[] = {
		{ KFD_IOCTL_SVM_ATTR_PREFERRED_LOC, self->gpu },
		{ KFD_IOCTL_SVM_ATTR_PREFETCH_LOC, KFD_IOCTL_SVM_LOCATION_SYSMEM },
		{ KFD_IOCTL_SVM_ATTR_SET_FLAGS, KFD_IOCTL_SVM_FLAG_GPU_READ_MOSTLY },
		{ KFD_IOCTL_SVM_ATTR_CLR_FLAGS, KFD_IOCTL_SVM_FLAG_COHERENT },
		{ KFD_IOCTL_SVM_ATTR_GRANULARITY, 3 },
		{ KFD_IOCTL_SVM_ATTR_ACCESS, self->gpu },
	};
	uint32_t answer[Q_NUM];
	uint32_t flags = KFD_IOCTL_SVM_FLAG_HOST_ACCESS | KFD_IOCTL_SVM_FLAG_GPU_READ_MOSTLY;

	ASSERT_OK(kfd_svm_set(&self->k, self->p, self->size, set, 6));
	ASSERT_OK(ask(&self->k, self->p, self->size, answer));
	EXPECT_EQ(self->gpu, answer[Q_PREFERRED]);
	EXPECT_EQ(KFD_IOCTL_SVM_LOCATION_SYSMEM, answer[Q_PREFETCH]);
	EXPECT_EQ(flags, answer[Q_FLAGS]);
	EXPECT_EQ(~flags, answer[Q_CLEAR]);
	EXPECT_EQ(3, answer[Q_GRANULARITY]);
	EXPECT_EQ(KFD_IOCTL_SVM_ATTR_ACCESS,
		  kfd_svm_access_of(&self->k, self->p, self->size, 0));
}

TEST_F(svm, granularity_has_a_bound)
{
	uint32_t value;

	ASSERT_OK(kfd_svm_set1(&self->k, self->p, self->size, KFD_IOCTL_SVM_ATTR_GRANULARITY,
			       1000));
	ASSERT_OK(kfd_svm_get1(&self->k, self->p, self->size, KFD_IOCTL_SVM_ATTR_GRANULARITY,
			       &value));
	EXPECT_EQ(0x3f, value);
}

TEST_F(svm, access_of_each_kind)
{
	static const uint32_t kinds[] = {
		KFD_IOCTL_SVM_ATTR_ACCESS, KFD_IOCTL_SVM_ATTR_ACCESS_IN_PLACE,
		KFD_IOCTL_SVM_ATTR_NO_ACCESS, KFD_IOCTL_SVM_ATTR_ACCESS_IN_PLACE,
		KFD_IOCTL_SVM_ATTR_ACCESS,
	};
	unsigned int i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		ASSERT_OK(kfd_svm_set1(&self->k, self->p, self->size, kinds[i], self->gpu));
		EXPECT_EQ(kinds[i], kfd_svm_access_of(&self->k, self->p, self->size, 0));
	}
}

TEST_F(svm, access_is_per_gpu)
{
	REQUIRE_GPUS(&self->k, 2);
	ASSERT_OK(kfd_svm_set1(&self->k, self->p, self->size, KFD_IOCTL_SVM_ATTR_ACCESS,
			       self->k.gpu[1].gpu_id));
	EXPECT_EQ(KFD_IOCTL_SVM_ATTR_NO_ACCESS,
		  kfd_svm_access_of(&self->k, self->p, self->size, 0));
	EXPECT_EQ(KFD_IOCTL_SVM_ATTR_ACCESS,
		  kfd_svm_access_of(&self->k, self->p, self->size, 1));
}

/* What all of a stretch have in common is what is told of it. */
TEST_F(svm, a_part_differs)
{
	uint32_t answer[Q_NUM];
	char *part = self->p + 4 * KFD_PAGE;
	const struct kfd_ioctl_svm_attribute whole[] = {
		{ KFD_IOCTL_SVM_ATTR_PREFERRED_LOC, self->gpu },
		{ KFD_IOCTL_SVM_ATTR_GRANULARITY, 7 },
		{ KFD_IOCTL_SVM_ATTR_ACCESS, self->gpu },
	};
	const struct kfd_ioctl_svm_attribute other[] = {
		{ KFD_IOCTL_SVM_ATTR_PREFERRED_LOC, KFD_IOCTL_SVM_LOCATION_SYSMEM },
		{ KFD_IOCTL_SVM_ATTR_GRANULARITY, 5 },
		{ KFD_IOCTL_SVM_ATTR_SET_FLAGS, KFD_IOCTL_SVM_FLAG_GPU_EXEC },
		{ KFD_IOCTL_SVM_ATTR_CLR_FLAGS, KFD_IOCTL_SVM_FLAG_HOST_ACCESS },
		{ KFD_IOCTL_SVM_ATTR_NO_ACCESS, self->gpu },
	};

	ASSERT_OK(kfd_svm_set(&self->k, self->p, self->size, whole, 3));
	ASSERT_OK(kfd_svm_set(&self->k, part, 2 * KFD_PAGE, other, 5));

	ASSERT_OK(ask(&self->k, self->p, self->size, answer));
	EXPECT_EQ(KFD_IOCTL_SVM_LOCATION_UNDEFINED, answer[Q_PREFERRED]);
	EXPECT_EQ(5, answer[Q_GRANULARITY]);
	EXPECT_EQ(KFD_IOCTL_SVM_FLAG_COHERENT, answer[Q_FLAGS]);
	EXPECT_EQ(~(uint32_t)(SVM_DEFAULT_FLAGS | KFD_IOCTL_SVM_FLAG_GPU_EXEC), answer[Q_CLEAR]);
	EXPECT_EQ(KFD_IOCTL_SVM_ATTR_NO_ACCESS,
		  kfd_svm_access_of(&self->k, self->p, self->size, 0));

	/* And each part has its own. */
	ASSERT_OK(ask(&self->k, self->p, 4 * KFD_PAGE, answer));
	EXPECT_EQ(self->gpu, answer[Q_PREFERRED]);
	EXPECT_EQ(7, answer[Q_GRANULARITY]);
	ASSERT_OK(ask(&self->k, part, 2 * KFD_PAGE, answer));
	EXPECT_EQ(KFD_IOCTL_SVM_LOCATION_SYSMEM, answer[Q_PREFERRED]);
	EXPECT_EQ(KFD_IOCTL_SVM_FLAG_COHERENT | KFD_IOCTL_SVM_FLAG_GPU_EXEC, answer[Q_FLAGS]);
	EXPECT_EQ(KFD_IOCTL_SVM_ATTR_ACCESS,
		  kfd_svm_access_of(&self->k, part + 2 * KFD_PAGE, 10 * KFD_PAGE, 0));
}

TEST_F(svm, parts_made_alike_again)
{
	uint32_t answer[Q_NUM];
	int i;

	for (i = 0; i < PAGES; i++)
		ASSERT_OK(kfd_svm_set1(&self->k, self->p + i * KFD_PAGE, KFD_PAGE,
				       KFD_IOCTL_SVM_ATTR_GRANULARITY, i % 5));
	ASSERT_OK(kfd_svm_set1(&self->k, self->p + KFD_PAGE, self->size - 2 * KFD_PAGE,
			       KFD_IOCTL_SVM_ATTR_GRANULARITY, 6));
	ASSERT_OK(ask(&self->k, self->p + KFD_PAGE, self->size - 2 * KFD_PAGE, answer));
	EXPECT_EQ(6, answer[Q_GRANULARITY]);
	ASSERT_OK(ask(&self->k, self->p, KFD_PAGE, answer));
	EXPECT_EQ(0, answer[Q_GRANULARITY]);
}

TEST_F(svm, munmap_takes_attributes_with_it)
{
	char *hole = self->p + 5 * KFD_PAGE, *again;
	uint32_t value;

	ASSERT_OK(kfd_svm_set1(&self->k, self->p, self->size, KFD_IOCTL_SVM_ATTR_GRANULARITY, 2));
	ASSERT_OK(munmap(hole, 3 * KFD_PAGE));
	EXPECT_ERR(EFAULT, kfd_svm_get1(&self->k, self->p, self->size,
					KFD_IOCTL_SVM_ATTR_GRANULARITY, &value));
	ASSERT_OK(kfd_svm_get1(&self->k, self->p, 5 * KFD_PAGE, KFD_IOCTL_SVM_ATTR_GRANULARITY,
			       &value));
	EXPECT_EQ(2, value);
	again = mmap(hole, 3 * KFD_PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	ASSERT_EQ(hole, again);
	ASSERT_OK(kfd_svm_get1(&self->k, hole, 3 * KFD_PAGE, KFD_IOCTL_SVM_ATTR_GRANULARITY,
			       &value));
	EXPECT_EQ(SVM_DEFAULT_GRANULARITY, value);
	ASSERT_OK(kfd_svm_get1(&self->k, hole + 3 * KFD_PAGE, 8 * KFD_PAGE,
			       KFD_IOCTL_SVM_ATTR_GRANULARITY, &value));
	EXPECT_EQ(2, value);
}

TEST_F(svm, mremap_takes_attributes_with_it)
{
	char *to = (char *)(uintptr_t)kfd_reserve_va(&self->k, self->size);
	uint32_t value;

	ASSERT_OK(kfd_svm_set1(&self->k, self->p, self->size, KFD_IOCTL_SVM_ATTR_GRANULARITY, 2));
	ASSERT_EQ(to, mremap(self->p, self->size, self->size, MREMAP_MAYMOVE | MREMAP_FIXED, to));
	ASSERT_OK(kfd_svm_get1(&self->k, to, self->size, KFD_IOCTL_SVM_ATTR_GRANULARITY, &value));
	EXPECT_EQ(SVM_DEFAULT_GRANULARITY, value);
	EXPECT_ERR(EFAULT, kfd_svm_get1(&self->k, self->p, self->size,
					KFD_IOCTL_SVM_ATTR_GRANULARITY, &value));
}

/* --- what is refused ------------------------------------------------------- */

static int set_gran(struct kfd *k, const void *p, uint64_t size)
{
	return kfd_svm_set1(k, p, size, KFD_IOCTL_SVM_ATTR_GRANULARITY, 4);
}

TEST_F(svm, addresses_out_of_order)
{
	uint32_t value;
	char *p = self->p;

	EXPECT_ERR(EINVAL, set_gran(&self->k, p + 1, KFD_PAGE));
	EXPECT_ERR(EINVAL, set_gran(&self->k, p, KFD_PAGE + 1));
	EXPECT_ERR(EINVAL, set_gran(&self->k, p, 0));
	EXPECT_ERR(EINVAL, set_gran(&self->k, NULL, KFD_PAGE));
	EXPECT_ERR(EINVAL, set_gran(&self->k, p, -KFD_PAGE));
	EXPECT_ERR(EFAULT, set_gran(&self->k, (void *)(1UL << 62), KFD_PAGE));
	EXPECT_ERR(EFAULT, set_gran(&self->k, p, 1ULL << 40));
	ASSERT_OK(munmap(p + KFD_PAGE, KFD_PAGE));
	EXPECT_ERR(EFAULT, set_gran(&self->k, p, self->size));
	/* Nothing has come of it. */
	ASSERT_OK(kfd_svm_get1(&self->k, p, KFD_PAGE, KFD_IOCTL_SVM_ATTR_GRANULARITY, &value));
	EXPECT_EQ(SVM_DEFAULT_GRANULARITY, value);
}

TEST_F(svm, attributes_out_of_order)
{
	static const uint32_t with_gpu[] = {
		KFD_IOCTL_SVM_ATTR_PREFERRED_LOC, KFD_IOCTL_SVM_ATTR_PREFETCH_LOC,
		KFD_IOCTL_SVM_ATTR_ACCESS, KFD_IOCTL_SVM_ATTR_ACCESS_IN_PLACE,
		KFD_IOCTL_SVM_ATTR_NO_ACCESS,
	};
	struct kfd_ioctl_svm_attribute two[] = {
		{ KFD_IOCTL_SVM_ATTR_GRANULARITY, 1 },
		{ KFD_IOCTL_SVM_ATTR_GRANULARITY + 1, 1 },
	};
	uint32_t value;
	unsigned int i;

	for (i = 0; i < sizeof(with_gpu) / sizeof(with_gpu[0]); i++)
		EXPECT_ERR(EINVAL, kfd_svm_set1(&self->k, self->p, self->size, with_gpu[i], 1));
	EXPECT_ERR(EINVAL, kfd_svm_set1(&self->k, self->p, self->size,
					KFD_IOCTL_SVM_ATTR_PREFETCH_LOC,
					KFD_IOCTL_SVM_LOCATION_UNDEFINED));
	EXPECT_ERR(EINVAL, kfd_svm_set(&self->k, self->p, self->size, two, 2));
	ASSERT_OK(kfd_svm_get1(&self->k, self->p, self->size, KFD_IOCTL_SVM_ATTR_GRANULARITY,
			       &value));
	EXPECT_EQ(SVM_DEFAULT_GRANULARITY, value);
	/* Questions that there are not. */
	EXPECT_ERR(EINVAL, kfd_svm_get1(&self->k, self->p, self->size,
					KFD_IOCTL_SVM_ATTR_ACCESS_IN_PLACE, &value));
	EXPECT_ERR(EINVAL, kfd_svm_get1(&self->k, self->p, self->size,
					KFD_IOCTL_SVM_ATTR_NO_ACCESS, &value));
}

TEST_F(svm, more_attributes_said_than_given)
{
	struct kfd_ioctl_svm_args args = {
		.start_addr = (uintptr_t)self->p,
		.size = self->size,
		.nattr = 1,
	};

	EXPECT_ERR(EINVAL, kfd_call(self->k.fd, AMDKFD_IOC_SVM, &args));
	args.nattr = UINT32_MAX;
	EXPECT_ERR(EINVAL, kfd_call(self->k.fd, AMDKFD_IOC_SVM, &args));
	args.nattr = 0;
	EXPECT_OK(kfd_call(self->k.fd, AMDKFD_IOC_SVM, &args));
	args.op = 2;
	EXPECT_ERR(EINVAL, kfd_call(self->k.fd, AMDKFD_IOC_SVM, &args));
}

TEST_F(svm, a_device_is_not_memory)
{
	struct kfd_bo vram;

	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_VRAM, 4 * KFD_PAGE, &vram));
	EXPECT_ERR(EFAULT, set_gran(&self->k, vram.cpu, 4 * KFD_PAGE));
}

TEST_F(svm, not_where_a_buffer_is)
{
	struct kfd_bo bo;

	ASSERT_OK(kfd_bo_userptr(&self->k, 0, self->p, self->size, &bo));
	EXPECT_ERR(EADDRINUSE, set_gran(&self->k, self->p + KFD_PAGE, KFD_PAGE));
	ASSERT_OK(kfd_bo_destroy(&self->k, &bo));
	EXPECT_OK(set_gran(&self->k, self->p + KFD_PAGE, KFD_PAGE));
}

TEST_F(svm, no_buffer_where_ranges_are)
{
	struct kfd_bo bo = { 0 };

	ASSERT_OK(set_gran(&self->k, self->p + KFD_PAGE, KFD_PAGE));
	EXPECT_ERR(EADDRINUSE, kfd_bo_userptr(&self->k, 0, self->p, self->size, &bo));
	ASSERT_OK(munmap(self->p + KFD_PAGE, KFD_PAGE));
	EXPECT_OK(kfd_bo_userptr(&self->k, 0, self->p, KFD_PAGE, &bo));
}

/* A buffer that has been made, but is nowhere yet, gives way. */
TEST_F(svm, mapping_a_buffer_into_ranges)
{
	struct kfd_ioctl_alloc_memory_of_gpu_args args = {
		.va_addr = (uintptr_t)self->p,
		.size = self->size,
		.gpu_id = self->gpu,
		.flags = MEM_GTT,
	};
	struct kfd_bo bo;

	ASSERT_OK(kfd_call(self->k.fd, AMDKFD_IOC_ALLOC_MEMORY_OF_GPU, &args));
	bo = (struct kfd_bo){ .handle = args.handle, .va = args.va_addr, .size = args.size };
	ASSERT_OK(set_gran(&self->k, self->p, KFD_PAGE));
	EXPECT_ERR(EADDRINUSE, kfd_bo_map_gpu(&self->k, &bo, 0));
	EXPECT_OK(kfd_bo_free(&self->k, &bo));
}

/* --- GPUs ------------------------------------------------------------------ */

FIXTURE(gpu)
{
	struct kfd k;
	struct kfd_queue q;
	struct kfd_bo safe;
	char *p;	/* PAGES pages that the first GPU may access */
	uint64_t size;
	uint32_t gpu;
};

FIXTURE_SETUP(gpu)
{
	self->size = PAGES * KFD_PAGE;
	ASSERT_OK(kfd_start(&self->k));
	self->gpu = self->k.gpu[0].gpu_id;
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, 64 << 10, &self->safe));
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &self->q));
	ASSERT_OK(kfd_svm_alloc(&self->k, self->size, 0, &self->p));
}

FIXTURE_TEARDOWN(gpu)
{
	kfd_stop(&self->k);
}

TEST_F(gpu, same_address_same_memory)
{
	volatile uint64_t *word = (uint64_t *)(self->p + 3 * KFD_PAGE);

	*word = 40;
	ASSERT_OK(kfd_gpu_add(&self->q, word, 2));
	EXPECT_EQ(42, *word);
	/* Memory that nobody has touched is zero. */
	word = (uint64_t *)(self->p + 9 * KFD_PAGE);
	ASSERT_OK(kfd_gpu_add(&self->q, word, 7));
	EXPECT_EQ(7, *word);
}

TEST_F(gpu, two_gpus)
{
	volatile uint64_t *word = (uint64_t *)self->p;
	struct kfd_queue other;

	REQUIRE_GPUS(&self->k, 2);
	ASSERT_OK(kfd_queue_create(&self->k, 1, KFD_IOC_QUEUE_TYPE_SDMA, RING, &other));
	ASSERT_OK(kfd_gpu_add(&self->q, word, 1));
	ASSERT_OK(kfd_svm_set1(&self->k, self->p, self->size, KFD_IOCTL_SVM_ATTR_ACCESS,
			       self->k.gpu[1].gpu_id));
	ASSERT_OK(kfd_gpu_add(&other, word, 2));
	ASSERT_OK(kfd_gpu_add(&self->q, word, 4));
	EXPECT_EQ(7, *word);
	/* What one loses the other keeps. */
	ASSERT_OK(kfd_svm_set1(&self->k, self->p, self->size, KFD_IOCTL_SVM_ATTR_NO_ACCESS,
			       self->gpu));
	ASSERT_OK(kfd_gpu_add(&other, word, 8));
	EXPECT_EQ(15, *word);
	EXPECT_OK(kfd_gpu_add_faults(&self->k, &self->q, word));
	EXPECT_EQ(15, *word);
}

TEST_F(gpu, no_access_is_a_fault)
{
	volatile uint64_t *word = (uint64_t *)self->p;

	ASSERT_OK(kfd_gpu_add(&self->q, word, 1));
	ASSERT_OK(kfd_svm_set1(&self->k, self->p, self->size, KFD_IOCTL_SVM_ATTR_NO_ACCESS,
			       self->gpu));
	EXPECT_OK(kfd_gpu_add_faults(&self->k, &self->q, word));
	EXPECT_EQ(1, *word);
}

TEST_F(gpu, read_only_for_gpus)
{
	volatile uint32_t *word = (uint32_t *)self->p;
	uint32_t p[8];

	*word = 4711;
	ASSERT_OK(kfd_gpu_add(&self->q, word + 2, 1));
	ASSERT_OK(kfd_svm_set1(&self->k, self->p, self->size, KFD_IOCTL_SVM_ATTR_SET_FLAGS,
			       KFD_IOCTL_SVM_FLAG_GPU_RO));
	ASSERT_OK(kfd_queue_run(&self->q, p, sdma_copy(p, self->safe.va, (uintptr_t)word, 4)));
	EXPECT_EQ(4711, *(volatile uint32_t *)self->safe.cpu);
	ASSERT_OK(kfd_svm_set1(&self->k, self->p, self->size, KFD_IOCTL_SVM_ATTR_CLR_FLAGS,
			       KFD_IOCTL_SVM_FLAG_GPU_RO));
	ASSERT_OK(kfd_gpu_add(&self->q, word + 2, 1));
	EXPECT_EQ(2, word[2]);
	ASSERT_OK(kfd_svm_set1(&self->k, self->p, self->size, KFD_IOCTL_SVM_ATTR_SET_FLAGS,
			       KFD_IOCTL_SVM_FLAG_GPU_RO));
	EXPECT_OK(kfd_gpu_add_faults(&self->k, &self->q, word));
	EXPECT_EQ(4711, *word);
}

/* What is not spoken of stays as it is, on both sides. */
TEST_F(gpu, read_only_in_the_middle)
{
	char *middle = self->p + 6 * KFD_PAGE;
	int i;

	for (i = 0; i < PAGES; i++)
		ASSERT_OK(kfd_gpu_add(&self->q, self->p + i * KFD_PAGE, 1));
	ASSERT_OK(kfd_svm_set1(&self->k, middle, KFD_PAGE, KFD_IOCTL_SVM_ATTR_SET_FLAGS,
			       KFD_IOCTL_SVM_FLAG_GPU_RO));
	for (i = 0; i < PAGES; i++)
		if (i != 6)
			ASSERT_OK(kfd_gpu_add(&self->q, self->p + i * KFD_PAGE, 1));
	EXPECT_OK(kfd_gpu_add_faults(&self->k, &self->q, middle));
	for (i = 0; i < PAGES; i++)
		EXPECT_EQ(i == 6 ? 1U : 2U, *(volatile uint64_t *)(self->p + i * KFD_PAGE));
}

TEST_F(gpu, read_only_memory)
{
	volatile uint32_t *word = (uint32_t *)self->p;
	uint32_t p[8];

	*word = 4711;
	ASSERT_OK(mprotect(self->p, self->size, PROT_READ));
	ASSERT_OK(kfd_queue_run(&self->q, p, sdma_copy(p, self->safe.va, (uintptr_t)word, 4)));
	EXPECT_EQ(4711, *(volatile uint32_t *)self->safe.cpu);
	EXPECT_OK(kfd_gpu_add_faults(&self->k, &self->q, word));
	EXPECT_EQ(4711, *word);
}

TEST_F(gpu, large_and_split)
{
	uint64_t size = 12 << 20, at;
	struct kfd_bo vram;
	uint32_t p[8];
	char *mem;

	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_VRAM, size, &vram));
	ASSERT_OK(kfd_svm_alloc(&self->k, size, 0, &mem));
	kfd_fill_pattern(mem, size, 31);
	/* Cut into pieces; the pages stay where they are. */
	for (at = 0; at < size; at += 3 << 20)
		ASSERT_OK(kfd_svm_set1(&self->k, mem + at, KFD_PAGE,
				       KFD_IOCTL_SVM_ATTR_GRANULARITY, 1));
	for (at = 0; at < size; at += 1 << 20)
		ASSERT_OK(kfd_queue_emit(&self->q, p,
					 sdma_copy(p, vram.va + at, (uintptr_t)mem + at, 1 << 20)));
	kfd_queue_submit(&self->q);
	ASSERT_OK(kfd_queue_wait(&self->q, PATIENCE));
	EXPECT_TRUE(kfd_check_pattern(vram.cpu, size, 31));
}

TEST_F(gpu, follows_the_address_space)
{
	volatile uint64_t *word = (uint64_t *)(self->p + 2 * KFD_PAGE);

	ASSERT_OK(kfd_gpu_add(&self->q, word, 5));
	ASSERT_OK(madvise(self->p, self->size, MADV_DONTNEED));
	ASSERT_OK(kfd_gpu_add(&self->q, word, 1));
	EXPECT_EQ(1, *word);
	ASSERT_OK(mprotect(self->p, self->size, PROT_READ));
	ASSERT_OK(mprotect(self->p, self->size, PROT_READ | PROT_WRITE));
	ASSERT_OK(kfd_gpu_add(&self->q, word, 1));
	EXPECT_EQ(2, *word);
}

/* The page lives on in a file; the GPU must not go on with it. */
TEST_F(gpu, munmap_while_the_gpu_writes)
{
	int fd = memfd_create("page", MFD_CLOEXEC);
	volatile uint64_t *other;
	uint32_t p[8];
	uint64_t seen;
	char *mapped;
	int i;

	ASSERT_OK(ftruncate(fd, KFD_PAGE));
	mapped = mmap(NULL, KFD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	other = mmap(NULL, KFD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_OK(kfd_svm_set1(&self->k, mapped, KFD_PAGE, KFD_IOCTL_SVM_ATTR_ACCESS, self->gpu));
	for (i = 0; i < 1000; i++)
		ASSERT_OK(kfd_queue_emit(&self->q, p,
					 sdma_atomic_add64(p, (uintptr_t)mapped, 1)));
	kfd_queue_submit(&self->q);
	ASSERT_OK(munmap(mapped, KFD_PAGE));
	seen = *other;
	kfd_sleep_ms(100);
	EXPECT_EQ(seen, *other);
	EXPECT_LE(seen, 1000);
}

TEST_F(gpu, munmap_of_idle_memory_leaves_queues_running)
{
	uint32_t p[8];

	ASSERT_OK(kfd_gpu_add(&self->q, self->p, 1));
	ASSERT_OK(munmap(self->p, self->size));
	ASSERT_OK(kfd_queue_run(&self->q, p, sdma_fence(p, self->safe.va, 77)));
	EXPECT_EQ(77, *(volatile uint32_t *)self->safe.cpu);
	EXPECT_OK(kfd_gpu_add_faults(&self->k, &self->q, self->p));
}

/* Nobody has spoken of it: it is not even touched, or it would be a copy by then. */
TEST_F(gpu, what_is_mapped_instead_is_left_alone)
{
	int fd = memfd_create("page", MFD_CLOEXEC), i;
	char *place = self->p + 2 * KFD_PAGE;
	volatile uint64_t *file;

	ASSERT_OK(ftruncate(fd, KFD_PAGE));
	file = mmap(NULL, KFD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, file);
	/* Whichever of the driver's delays is over by then; a storm has others. */
	for (i = 0; i < 12; i++) {
		kfd_sleep_ms(60);
		ASSERT_OK(kfd_svm_set1(&self->k, place, KFD_PAGE, KFD_IOCTL_SVM_ATTR_ACCESS,
				       self->gpu));
		ASSERT_EQ(place, mmap(place, KFD_PAGE, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_FIXED, fd, 0));
		kfd_sleep_ms(i);
		*file = i + 1;
		EXPECT_EQ(i + 1, *(volatile uint64_t *)place);
		ASSERT_OK(kfd_gpu_add(&self->q, self->p, 1));
	}
}

/* What is asked for is there; a page of the same range is away, for long or just now. */
TEST_F(gpu, attributes_beside_memory_that_is_away)
{
	char *away = self->p + 8 * KFD_PAGE;
	uint32_t beside = KFD_IOCTL_SVM_ATTR_ACCESS;
	int round;

	for (round = 0; round < 4; round++) {
		ASSERT_EQ(0, mprotect(away, KFD_PAGE, PROT_NONE));
		if (round % 2)
			kfd_sleep_ms(1000);
		/* apart from it, and one with it again */
		ASSERT_OK(kfd_svm_set1(&self->k, self->p, KFD_PAGE,
				       KFD_IOCTL_SVM_ATTR_NO_ACCESS, self->gpu));
		EXPECT_OK(kfd_svm_set1(&self->k, self->p, KFD_PAGE, beside, self->gpu));
		EXPECT_OK(kfd_gpu_add(&self->q, self->p, 1));
		EXPECT_OK(kfd_gpu_add(&self->q, self->p + 9 * KFD_PAGE, 1));
		/* but not if it is asked for */
		EXPECT_ERR(EFAULT, kfd_svm_set1(&self->k, away - KFD_PAGE, 3 * KFD_PAGE,
						KFD_IOCTL_SVM_ATTR_ACCESS, self->gpu));
		ASSERT_EQ(0, mprotect(away, KFD_PAGE, PROT_READ | PROT_WRITE));
		ASSERT_OK(kfd_svm_set1(&self->k, self->p, self->size,
				       KFD_IOCTL_SVM_ATTR_ACCESS, self->gpu));
		EXPECT_OK(kfd_gpu_add(&self->q, away, 1));
	}
	EXPECT_EQ(4, *(volatile uint64_t *)self->p);
	EXPECT_EQ(4, *(volatile uint64_t *)away);
}

TEST_F(gpu, discarded_again_and_again_while_the_gpu_writes)
{
	volatile uint64_t *word = (uint64_t *)self->p;
	uint32_t p[8];
	uint64_t sum = 0;
	int i;

	for (i = 0; i < 200; i++) {
		ASSERT_OK(kfd_queue_emit(&self->q, p,
					 sdma_atomic_add64(p, (uintptr_t)word, 1)));
		kfd_queue_submit(&self->q);
		if (i % 10 == 5)
			ASSERT_OK(madvise(self->p, self->size, MADV_DONTNEED));
	}
	ASSERT_OK(kfd_queue_finish(&self->q, PATIENCE));
	sum = *word;
	EXPECT_LE(sum, 200);
	ASSERT_OK(kfd_gpu_add(&self->q, word, 1));
	EXPECT_EQ(sum + 1, *word);
}

/* --- whom an invalidation stops -------------------------------------------- */

/* Evictions of this process on a GPU so far. */
static uint64_t evictions(struct kfd *k, int gpu)
{
	static char text[64 << 10];

	if (kfd_fdinfo_read(getpid(), k->fd, text, sizeof(text)))
		return KFD_FDINFO_NONE;
	return kfd_fdinfo_word_of(text, "kfd-gpu", k->gpu[gpu].gpu_id, "evictions");
}

static int protect_twice(char *p, uint64_t size)
{
	if (mprotect(p, size, PROT_READ) || mprotect(p, size, PROT_READ | PROT_WRITE))
		return -errno;
	return 0;
}

TEST_F(gpu, invalidation_stops_the_gpus_that_may_reach_it)
{
	struct kfd_queue other;
	uint64_t mine, others;
	uint32_t p[8];

	REQUIRE_OURS();
	REQUIRE_GPUS(&self->k, 2);
	ASSERT_OK(kfd_queue_create(&self->k, 1, KFD_IOC_QUEUE_TYPE_SDMA, RING, &other));
	ASSERT_OK(kfd_bo_map_gpu(&self->k, &self->safe, 1));
	ASSERT_OK(kfd_gpu_add(&self->q, self->p, 1));
	mine = evictions(&self->k, 0);
	others = evictions(&self->k, 1);
	ASSERT_NE(KFD_FDINFO_NONE, mine);
	ASSERT_NE(KFD_FDINFO_NONE, others);
	ASSERT_OK(protect_twice(self->p, self->size));
	EXPECT_LT(mine, evictions(&self->k, 0));
	EXPECT_EQ(others, evictions(&self->k, 1));
	ASSERT_OK(kfd_gpu_add(&self->q, self->p, 1));
	ASSERT_OK(kfd_queue_run(&other, p, sdma_fence(p, self->safe.va, 3)));
	EXPECT_EQ(others, evictions(&self->k, 1));
	/* With access it is stopped as well. */
	ASSERT_OK(kfd_svm_set1(&self->k, self->p, self->size, KFD_IOCTL_SVM_ATTR_ACCESS,
			       self->k.gpu[1].gpu_id));
	others = evictions(&self->k, 1);
	ASSERT_OK(protect_twice(self->p, self->size));
	EXPECT_LT(others, evictions(&self->k, 1));
}

TEST_F(gpu, invalidation_without_access_stops_nobody)
{
	uint64_t before[2];
	uint32_t p[8];
	char *mem;
	int i;

	REQUIRE_OURS();
	REQUIRE_GPUS(&self->k, 2);
	ASSERT_OK(kfd_svm_alloc(&self->k, self->size, -1, &mem));
	ASSERT_OK(kfd_svm_set1(&self->k, mem, self->size, KFD_IOCTL_SVM_ATTR_GRANULARITY, 3));
	memset(mem, 1, self->size);
	ASSERT_OK(kfd_gpu_add(&self->q, self->p, 1));
	for (i = 0; i < 2; i++)
		before[i] = evictions(&self->k, i);
	ASSERT_NE(KFD_FDINFO_NONE, before[0]);
	for (i = 0; i < 20; i++)
		ASSERT_OK(protect_twice(mem, self->size));
	ASSERT_OK(madvise(mem, self->size, MADV_DONTNEED));
	ASSERT_OK(munmap(mem, self->size));
	ASSERT_OK(kfd_queue_run(&self->q, p, sdma_fence(p, self->safe.va, 3)));
	for (i = 0; i < 2; i++)
		EXPECT_EQ(before[i], evictions(&self->k, i));
}

TEST_F(gpu, storm_of_invalidations_costs_few_evictions)
{
	uint64_t before, begin, ms, count;
	int i;

	REQUIRE_OURS();
	memset(self->p, 0, self->size);
	ASSERT_OK(kfd_gpu_add(&self->q, self->p, 1));
	before = evictions(&self->k, 0);
	ASSERT_NE(KFD_FDINFO_NONE, before);
	begin = kfd_now_ms();
	for (i = 0; i < 1000; i++)
		ASSERT_OK(mprotect(self->p, self->size,
				   PROT_READ | (i % 2 ? PROT_WRITE : 0)));
	ms = kfd_now_ms() - begin;
	count = evictions(&self->k, 0) - before;
	ksft_print_msg("1000 changes of protection in %llu ms: %llu evictions\n",
		       (unsigned long long)ms, (unsigned long long)count);
	EXPECT_GE(count, 1);
	EXPECT_LE(count, 20 + ms / 50);
	ASSERT_OK(kfd_gpu_add(&self->q, self->p, 1));
	EXPECT_EQ(2, *(volatile uint64_t *)self->p);
}

/* --- queues that live in it ------------------------------------------------ */

TEST_F(gpu, queue_with_its_save_area_in_it)
{
	uint64_t size = 8 << 20;
	struct kfd_queue q = { 0 };
	uint32_t p[8];
	char *mem;

	ASSERT_OK(kfd_svm_alloc(&self->k, size, 0, &mem));
	ASSERT_OK(kfd_svm_queue(&self->k, 0, mem, size, &q));
	ASSERT_OK(kfd_queue_run(&q, p, pm4_write_data(p, self->safe.va, 5)));
	EXPECT_EQ(5, *(volatile uint32_t *)self->safe.cpu);
	/* It can't do without. */
	EXPECT_ERR(EBUSY, kfd_svm_set1(&self->k, mem, size, KFD_IOCTL_SVM_ATTR_NO_ACCESS,
				       self->gpu));
	EXPECT_ERR(EBUSY, kfd_svm_set1(&self->k, mem, size, KFD_IOCTL_SVM_ATTR_SET_FLAGS,
				       KFD_IOCTL_SVM_FLAG_GPU_RO));
	EXPECT_OK(kfd_svm_set1(&self->k, mem, size, KFD_IOCTL_SVM_ATTR_GRANULARITY, 4));
	EXPECT_OK(kfd_svm_set1(&self->k, mem + KFD_PAGE, KFD_PAGE,
			       KFD_IOCTL_SVM_ATTR_GRANULARITY, 5));
	ASSERT_OK(kfd_queue_run(&q, p, pm4_write_data(p, self->safe.va, 6)));
	ASSERT_OK(kfd_queue_destroy(&self->k, &q));
	EXPECT_OK(kfd_svm_set1(&self->k, mem, size, KFD_IOCTL_SVM_ATTR_NO_ACCESS, self->gpu));
}

TEST_F(gpu, no_queue_in_memory_without_access)
{
	uint64_t size = 8 << 20;
	struct kfd_queue q = { 0 };
	char *mem;

	ASSERT_OK(kfd_svm_alloc(&self->k, size, -1, &mem));
	EXPECT_ERR(EINVAL, kfd_svm_queue(&self->k, 0, mem, size, &q));
}

TEST_F(gpu, no_queue_in_memory_with_a_gap)
{
	uint64_t size = 8 << 20;
	struct kfd_queue q = { 0 };
	char *mem;

	ASSERT_OK(kfd_svm_alloc(&self->k, size, 0, &mem));
	ASSERT_OK(munmap(mem + KFD_PAGE, KFD_PAGE));
	EXPECT_ERR(EINVAL, kfd_svm_queue(&self->k, 0, mem, size, &q));
}

/* An munmap() can't be refused; then the queues stand until it is gone. */
TEST_F(gpu, queue_whose_save_area_is_unmapped)
{
	uint64_t size = 8 << 20;
	struct kfd_ioctl_criu_args info;
	struct kfd_queue q = { 0 };
	uint32_t p[8];
	char *mem;

	ASSERT_OK(kfd_svm_alloc(&self->k, size, 0, &mem));
	ASSERT_OK(kfd_svm_queue(&self->k, 0, mem, size, &q));
	ASSERT_OK(munmap(mem, size));
	kfd_sleep_ms(50 * kfd_time_scale());
	ASSERT_OK(kfd_queue_emit(&self->q, p, sdma_fence(p, self->safe.va, 9)));
	kfd_queue_submit(&self->q);
	EXPECT_NE(0, kfd_queue_wait(&self->q, 100));
	/* An image could not bring it back. */
	EXPECT_ERR(EFAULT, kfd_criu_info(self->k.fd, &info));
	ASSERT_OK(kfd_queue_destroy(&self->k, &q));
	EXPECT_OK(kfd_criu_info(self->k.fd, &info));
	EXPECT_OK(kfd_criu_unpause(self->k.fd));
	EXPECT_OK(kfd_queue_wait(&self->q, PATIENCE));
	EXPECT_EQ(9, *(volatile uint32_t *)self->safe.cpu);
}

KFD_TEST_MAIN
