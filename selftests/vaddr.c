// SPDX-License-Identifier: GPL-2.0-only
/*
 * Replacing the CPU address of registered memory: which calls are right, what
 * each wrong one answers and that it changes nothing, and what can and cannot
 * be done while an address is away. What GPUs do meanwhile is in vaddr_live.
 */
#include "lib/kfd_svm.h"
#include "lib/kfd_test.h"
#include "lib/kfd_vaddr.h"
#include "lib/kfd_workload.h"

#define RING		4096
#define PAGES		4
#define SIZE		(PAGES * KFD_PAGE)
#define ALL_CAPS	(KFD_IOC_VADDR_CAP_REMAP | KFD_IOC_VADDR_CAP_LIVE | \
			 KFD_IOC_VADDR_CAP_LIVE_HUGETLB | KFD_IOC_VADDR_CAP_CHANGE_OWNER)

FIXTURE(vaddr)
{
	struct kfd k;
	struct kfd_queue q;
	struct kfd_store memfd, anon;
	struct kfd_bo file_bo, anon_bo;	/* mapped on the first GPU */
};

FIXTURE_SETUP(vaddr)
{
	ASSERT_OK(kfd_start(&self->k));
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &self->q));
	ASSERT_OK(kfd_store_make(KFD_STORE_MEMFD, SIZE, &self->memfd));
	ASSERT_OK(kfd_store_make(KFD_STORE_ANONYMOUS, SIZE, &self->anon));
	ASSERT_OK(kfd_vaddr_bo(&self->k, 0, self->memfd.p, SIZE, &self->file_bo));
	ASSERT_OK(kfd_vaddr_bo(&self->k, 0, self->anon.p, SIZE, &self->anon_bo));
}

FIXTURE_TEARDOWN(vaddr)
{
	kfd_store_drop(&self->memfd);
	kfd_store_drop(&self->anon);
	kfd_stop(&self->k);
}

/* --- VADDR_INFO -------------------------------------------------------------- */

TEST_F(vaddr, info_tells_how_it_stands)
{
	struct kfd_ioctl_vaddr_info_args info;
	char *p;

	ASSERT_OK(kfd_vaddr_info(&self->k, &info));
	EXPECT_EQ(ALL_CAPS, info.capabilities);
	EXPECT_EQ(KFD_IOC_VADDR_EXEC_ADDRESSES, info.exec_blockers);
	EXPECT_OK(kfd_vaddr_stands(&self->k, 2, 0, 0, 0));
	ASSERT_OK(kfd_vaddr_live(&self->k, &self->file_bo));
	EXPECT_OK(kfd_vaddr_stands(&self->k, 2, 1, 1, PAGES));
	ASSERT_OK(kfd_vaddr_invalidate(&self->k, &self->anon_bo));
	EXPECT_OK(kfd_vaddr_stands(&self->k, 2, 2, 1, PAGES));
	ASSERT_OK(kfd_vaddr_info(&self->k, &info));
	EXPECT_EQ(0, info.exec_blockers);
	EXPECT_EQ(ALL_CAPS, info.capabilities);
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->anon_bo, self->anon.p));
	EXPECT_OK(kfd_vaddr_stands(&self->k, 2, 1, 1, PAGES));
	p = kfd_store_map(&self->memfd);
	ASSERT_NE(NULL, p);
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->file_bo, p));
	EXPECT_OK(kfd_vaddr_stands(&self->k, 2, 0, 0, 0));
	EXPECT_OK(kfd_vaddr_reaches(&self->q, &self->file_bo, KFD_PAGE, p));
	EXPECT_OK(kfd_vaddr_reaches(&self->q, &self->anon_bo, KFD_PAGE, self->anon.p));
}

static uint32_t blockers(struct kfd *k)
{
	struct kfd_ioctl_vaddr_info_args info;

	return kfd_vaddr_info(k, &info) ? ~0u : info.exec_blockers;
}

TEST_F(vaddr, info_tells_what_an_exec_would_end_it_for)
{
	struct kfd_ioctl_criu_args args;
	char *p;

	ASSERT_OK(kfd_vaddr_all(&self->k, VADDR_INVALIDATE));
	EXPECT_EQ(0, blockers(&self->k));
	ASSERT_OK(kfd_svm_alloc(&self->k, KFD_PAGE, 0, &p));
	EXPECT_EQ(KFD_IOC_VADDR_EXEC_SVM, blockers(&self->k));
	ASSERT_OK(munmap(p, KFD_PAGE));
	/* The range goes when somebody next looks. */
	EXPECT_ERR(EFAULT, kfd_svm_access_of(&self->k, p, KFD_PAGE, 0));
	EXPECT_EQ(0, blockers(&self->k));
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->file_bo, self->memfd.p));
	EXPECT_EQ(KFD_IOC_VADDR_EXEC_ADDRESSES, blockers(&self->k));
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->anon_bo, self->anon.p));
	ASSERT_OK(kfd_criu_info(self->k.fd, &args));
	EXPECT_EQ(KFD_IOC_VADDR_EXEC_ADDRESSES | KFD_IOC_VADDR_EXEC_PAUSED, blockers(&self->k));
	ASSERT_OK(kfd_criu_unpause(self->k.fd));
	/* With XNACK all memory is shared. */
	ASSERT_OK(kfd_queue_destroy(&self->k, &self->q));
	ASSERT_OK(kfd_vaddr_all(&self->k, VADDR_INVALIDATE));
	EXPECT_EQ(0, blockers(&self->k));
	ASSERT_EQ(1, kfd_set_xnack(&self->k, 1));
	EXPECT_EQ(KFD_IOC_VADDR_EXEC_SVM, blockers(&self->k));
}

/* Without such buffers it is a matter of having been asked for. */
TEST_F(vaddr, info_of_a_process_without_userptrs)
{
	struct kfd_bo bo;

	ASSERT_OK(kfd_bo_destroy(&self->k, &self->file_bo));
	ASSERT_OK(kfd_bo_destroy(&self->k, &self->anon_bo));
	EXPECT_NE(0, blockers(&self->k));
	ASSERT_OK(kfd_vaddr_all(&self->k, VADDR_INVALIDATE));
	EXPECT_EQ(0, blockers(&self->k));
	ASSERT_OK(kfd_vaddr_all(&self->k, VADDR_LIVE));
	EXPECT_EQ(0, blockers(&self->k));
	/* What is made since is not meant, even when it is gone again. */
	ASSERT_OK(kfd_vaddr_bo(&self->k, 0, self->anon.p, SIZE, &bo));
	EXPECT_NE(0, blockers(&self->k));
	ASSERT_OK(kfd_bo_destroy(&self->k, &bo));
	EXPECT_NE(0, blockers(&self->k));
}

/* --- one buffer -------------------------------------------------------------- */

#define ANY_GPU		0
#define FIRST_GPU	1
#define NO_SUCH_GPU	9
#define USER_END	((1ULL << 47) - KFD_PAGE)
#define KERNEL		0xffff888000000000ULL

/**
 * struct rule - a call that is wrong in itself, on a buffer that is valid
 * @what: for the log
 * @flags: of the call
 * @gpu: FIRST_GPU and so on
 * @va: added to the buffer's
 * @size: added to the buffer's
 * @addr: the call's mmap_offset
 * @err: what it answers
 */
struct rule {
	const char *what;
	uint32_t flags;
	int gpu;
	int64_t va, size;
	uint64_t addr;
	int err;
};

#define FLAG(name)	((uint32_t)KFD_IOC_ALLOC_MEM_FLAGS_##name)
#define INVAL		VADDR_INVALIDATE

static const struct rule wrong_invalidate[] = {
	{ "no USERPTR", FLAG(VADDR_INVALIDATE), 1, 0, 0, 0, EINVAL },
	{ "no USERPTR, live", FLAG(VADDR_INVALIDATE) | FLAG(VADDR_LIVE), 1, 0, 0, 0, EINVAL },
	{ "live alone", FLAG(USERPTR) | FLAG(VADDR_LIVE), 1, 0, 0, 0, EINVAL },
	{ "both", VADDR_INVALIDATE | VADDR_UPDATE, 1, 0, 0, 0, EINVAL },
	{ "update and live", VADDR_UPDATE | FLAG(VADDR_LIVE), 1, 0, 0, 0, EINVAL },
	{ "all three", VADDR_LIVE | VADDR_UPDATE, 1, 0, 0, 0, EINVAL },
	{ "and VRAM", INVAL | FLAG(VRAM), 1, 0, 0, 0, EINVAL },
	{ "and GTT", INVAL | FLAG(GTT), 1, 0, 0, 0, EINVAL },
	{ "and WRITABLE", INVAL | MEM_RW, 1, 0, 0, 0, EINVAL },
	{ "and EXECUTABLE", INVAL | FLAG(EXECUTABLE), 1, 0, 0, 0, EINVAL },
	{ "and COHERENT", VADDR_LIVE | FLAG(COHERENT), 1, 0, 0, 0, EINVAL },
	{ "and NO_SUBSTITUTE", INVAL | FLAG(NO_SUBSTITUTE), 1, 0, 0, 0, EINVAL },
	{ "and bit 15", INVAL | 1 << 15, 1, 0, 0, 0, EINVAL },
	{ "an offset", INVAL, 1, 0, 0, KFD_PAGE, EINVAL },
	{ "an offset, live", VADDR_LIVE, 1, 0, 0, 1, EINVAL },
	{ "unknown GPU", INVAL, NO_SUCH_GPU, 0, 0, 0, EINVAL },
	{ "one buffer of no GPU", INVAL, ANY_GPU, 0, 0, 0, EINVAL },
	{ "unaligned start", INVAL, 1, 8, 0, 0, EINVAL },
	{ "unaligned size", INVAL, 1, 0, 8, 0, EINVAL },
	{ "later start", INVAL, 1, KFD_PAGE, -(int64_t)KFD_PAGE, 0, EINVAL },
	{ "later start, live", VADDR_LIVE, 1, KFD_PAGE, -(int64_t)KFD_PAGE, 0, EINVAL },
	{ "shorter", INVAL, 1, 0, -(int64_t)KFD_PAGE, 0, EINVAL },
	{ "longer", INVAL, 1, 0, KFD_PAGE, 0, EINVAL },
	{ "earlier start", INVAL, 1, -(int64_t)KFD_PAGE, KFD_PAGE, 0, EINVAL },
	{ "overlaps its end", INVAL, 1, SIZE - KFD_PAGE, 0, 0, EINVAL },
	{ "overlaps its start", INVAL, 1, -(int64_t)KFD_PAGE, 0, 0, EINVAL },
	{ "in its middle", INVAL, 1, KFD_PAGE, -2 * (int64_t)KFD_PAGE, 0, EINVAL },
	{ "size 0", INVAL, 1, 0, -(int64_t)SIZE, 0, EINVAL },
	{ "wraps", INVAL, 1, 0, -(int64_t)KFD_PAGE - (int64_t)SIZE, 0, EINVAL },
	{ "behind it", INVAL, 1, SIZE, 0, 0, ENOENT },
	{ "behind it, live", VADDR_LIVE, 1, SIZE, 0, 0, ENOENT },
	{ "before it", INVAL, 1, -(int64_t)SIZE, 0, 0, ENOENT },
	{ "far away", INVAL, 1, 1LL << 40, 0, 0, ENOENT },
	{ "on another GPU", INVAL, FIRST_GPU + 1, 0, 0, 0, ENOENT },
	{ "anonymous, live", VADDR_LIVE, 1, 0, 0, 0, EINVAL },
	{ "update of a valid one", VADDR_UPDATE, 1, 0, 0, 0x10000, EINVAL },
};

static int run_rule(struct kfd *k, const struct kfd_bo *bo, const struct rule *r)
{
	uint32_t gpu_id = r->gpu == NO_SUCH_GPU ? 0x7fff : r->gpu ? k->gpu[r->gpu - 1].gpu_id : 0;

	if (r->gpu != NO_SUCH_GPU && r->gpu > k->num_gpus)
		return -r->err;
	return kfd_vaddr_op(k->fd, r->flags, gpu_id, bo->va + r->va, bo->size + r->size, r->addr);
}

#define COUNT(table)	(sizeof(table) / sizeof((table)[0]))

TEST_F(vaddr, wrong_invalidate)
{
	unsigned int i;

	for (i = 0; i < COUNT(wrong_invalidate); i++) {
		const struct rule *r = &wrong_invalidate[i];

		EXPECT_EQ(-r->err, run_rule(&self->k, &self->anon_bo, r)) TH_LOG("%s", r->what);
		ASSERT_OK(kfd_vaddr_stands(&self->k, 2, 0, 0, 0)) TH_LOG("%s", r->what);
	}
	EXPECT_OK(kfd_vaddr_reaches(&self->q, &self->anon_bo, 0, self->anon.p));
}

#define UP	VADDR_UPDATE
#define GOOD	0x10000		/* looked at after what is wrong */

static const struct rule wrong_update[] = {
	{ "no USERPTR", FLAG(VADDR_UPDATE), 1, 0, 0, GOOD, EINVAL },
	{ "and GTT", UP | FLAG(GTT), 1, 0, 0, GOOD, EINVAL },
	{ "and WRITABLE", UP | MEM_RW, 1, 0, 0, GOOD, EINVAL },
	{ "and live", UP | FLAG(VADDR_LIVE), 1, 0, 0, GOOD, EINVAL },
	{ "unknown GPU", UP, NO_SUCH_GPU, 0, 0, GOOD, EINVAL },
	{ "no GPU", UP, ANY_GPU, 0, 0, GOOD, EINVAL },
	{ "unaligned start", UP, 1, 8, 0, GOOD, EINVAL },
	{ "unaligned size", UP, 1, 0, 8, GOOD, EINVAL },
	{ "unaligned address", UP, 1, 0, 0, GOOD + 8, EINVAL },
	{ "address that wraps", UP, 1, 0, 0, -KFD_PAGE, EINVAL },
	{ "address of the kernel", UP, 1, 0, 0, KERNEL, EINVAL },
	{ "address that ends in the kernel's", UP, 1, 0, 0, USER_END - KFD_PAGE, EINVAL },
	{ "shorter", UP, 1, 0, -(int64_t)KFD_PAGE, GOOD, EINVAL },
	{ "longer", UP, 1, 0, KFD_PAGE, GOOD, EINVAL },
	{ "later start", UP, 1, KFD_PAGE, -(int64_t)KFD_PAGE, GOOD, EINVAL },
	{ "overlaps its end", UP, 1, SIZE - KFD_PAGE, 0, GOOD, EINVAL },
	{ "size 0", UP, 1, 0, -(int64_t)SIZE, GOOD, EINVAL },
	{ "wraps", UP, 1, 0, -(int64_t)KFD_PAGE - (int64_t)SIZE, GOOD, EINVAL },
	{ "behind it", UP, 1, SIZE, 0, GOOD, ENOENT },
	{ "on another GPU", UP, FIRST_GPU + 1, 0, 0, GOOD, ENOENT },
	{ "invalid already", INVAL, 1, 0, 0, 0, EINVAL },
	{ "invalid already, live", VADDR_LIVE, 1, 0, 0, 0, EINVAL },
};

TEST_F(vaddr, wrong_update)
{
	unsigned int i, live;

	for (live = 0; live < 2; live++) {
		const struct kfd_bo *bo = live ? &self->file_bo : &self->anon_bo;
		const char *p = live ? self->memfd.p : self->anon.p;

		ASSERT_OK(live ? kfd_vaddr_live(&self->k, bo) : kfd_vaddr_invalidate(&self->k, bo));
		for (i = 0; i < COUNT(wrong_update); i++) {
			const struct rule *r = &wrong_update[i];

			EXPECT_EQ(-r->err, run_rule(&self->k, bo, r)) TH_LOG("%s", r->what);
			ASSERT_OK(kfd_vaddr_stands(&self->k, 2, 1, live, live * PAGES))
				TH_LOG("%s", r->what);
		}
		ASSERT_OK(kfd_vaddr_update(&self->k, bo, p));
		EXPECT_ERR(EINVAL, kfd_vaddr_update(&self->k, bo, p));
		EXPECT_OK(kfd_vaddr_reaches(&self->q, bo, 0, p));
	}
	EXPECT_OK(kfd_vaddr_stands(&self->k, 2, 0, 0, 0));
}

/* All of nothing is no range. */
TEST_F(vaddr, update_is_never_of_all)
{
	ASSERT_OK(kfd_vaddr_all(&self->k, VADDR_INVALIDATE));
	EXPECT_ERR(EINVAL, kfd_vaddr_op(self->k.fd, VADDR_UPDATE, 0, 0, 0, 0));
	EXPECT_ERR(EINVAL, kfd_vaddr_op(self->k.fd, VADDR_UPDATE, self->k.gpu[0].gpu_id, 0, 0,
					(uintptr_t)self->anon.p));
	EXPECT_ERR(EINVAL, kfd_vaddr_op(self->k.fd, VADDR_INVALIDATE, 0, 0, 0, KFD_PAGE));
	EXPECT_OK(kfd_vaddr_stands(&self->k, 2, 2, 0, 0));
}

TEST_F(vaddr, only_of_userptrs)
{
	static const uint32_t flags[] = { MEM_VRAM, MEM_GTT, MEM_DOORBELL, MEM_MMIO };
	unsigned int i;
	struct kfd_bo bo;

	for (i = 0; i < COUNT(flags); i++) {
		ASSERT_OK(kfd_bo_alloc(&self->k, 0, flags[i],
				       flags[i] == MEM_DOORBELL ? 2 * KFD_PAGE : KFD_PAGE, &bo));
		EXPECT_ERR(EINVAL, kfd_vaddr_invalidate(&self->k, &bo)) TH_LOG("kind %u", i);
		EXPECT_ERR(EINVAL, kfd_vaddr_live(&self->k, &bo)) TH_LOG("kind %u", i);
		EXPECT_ERR(EINVAL, kfd_vaddr_update(&self->k, &bo, self->anon.p))
			TH_LOG("kind %u", i);
		EXPECT_OK(kfd_bo_destroy(&self->k, &bo));
	}
	/* Of all is of all of that kind. */
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_VRAM, KFD_PAGE, &bo));
	ASSERT_OK(kfd_vaddr_all(&self->k, VADDR_INVALIDATE));
	EXPECT_OK(kfd_vaddr_stands(&self->k, 2, 2, 0, 0));
}

static int without_vm(void *arg)
{
	struct kfd k;
	uint32_t id;
	int ret = kfd_open(&k);

	if (ret)
		return ret;
	id = k.gpu[0].gpu_id;
	if (kfd_vaddr_op(k.fd, VADDR_INVALIDATE, id, KFD_ARENA_BASE, SIZE, 0) != -ENODEV)
		return -EILSEQ;
	if (kfd_vaddr_op(k.fd, VADDR_LIVE, id, KFD_ARENA_BASE, SIZE, 0) != -ENODEV)
		return -EPROTO;
	if (kfd_vaddr_op(k.fd, VADDR_UPDATE, id, KFD_ARENA_BASE, SIZE, 0x10000) != -ENODEV)
		return -EBADMSG;
	/* All of nothing is fine. */
	return kfd_vaddr_all(&k, VADDR_INVALIDATE);
}

TEST_F(vaddr, gpu_without_a_vm_is_ENODEV)
{
	EXPECT_OK(kfd_in_child(without_vm, NULL));
}

/* --- all buffers ------------------------------------------------------------- */

TEST_F(vaddr, all_or_nothing)
{
	struct kfd_bo bo;
	int gpu;

	/* One of them cannot be held. */
	EXPECT_ERR(EINVAL, kfd_vaddr_all(&self->k, VADDR_LIVE));
	EXPECT_OK(kfd_vaddr_stands(&self->k, 2, 0, 0, 0));
	/* One of them is invalid already. */
	ASSERT_OK(kfd_vaddr_invalidate(&self->k, &self->anon_bo));
	EXPECT_ERR(EINVAL, kfd_vaddr_all(&self->k, VADDR_INVALIDATE));
	EXPECT_ERR(EINVAL, kfd_vaddr_all(&self->k, VADDR_LIVE));
	EXPECT_OK(kfd_vaddr_stands(&self->k, 2, 1, 0, 0));
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->anon_bo, self->anon.p));
	EXPECT_OK(kfd_vaddr_reaches(&self->q, &self->file_bo, 0, self->memfd.p));
	/* Those of a GPU are not those of another. */
	REQUIRE_GPUS(&self->k, 2);
	gpu = self->k.num_gpus - 1;
	ASSERT_OK(kfd_vaddr_bo(&self->k, gpu, self->memfd.p, SIZE, &bo));
	ASSERT_OK(kfd_vaddr_op(self->k.fd, VADDR_LIVE, self->k.gpu[gpu].gpu_id, 0, 0, 0));
	EXPECT_OK(kfd_vaddr_stands(&self->k, 3, 1, 1, PAGES));
	ASSERT_OK(kfd_vaddr_op(self->k.fd, VADDR_INVALIDATE, self->k.gpu[0].gpu_id, 0, 0, 0));
	EXPECT_OK(kfd_vaddr_stands(&self->k, 3, 3, 1, PAGES));
	ASSERT_OK(kfd_vaddr_update(&self->k, &bo, self->memfd.p));
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->file_bo, self->memfd.p));
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->anon_bo, self->anon.p));
	EXPECT_OK(kfd_vaddr_stands(&self->k, 3, 0, 0, 0));
	ASSERT_OK(kfd_vaddr_all(&self->k, VADDR_INVALIDATE));
	EXPECT_OK(kfd_vaddr_stands(&self->k, 3, 3, 0, 0));
	EXPECT_ERR(EINVAL, kfd_vaddr_op(self->k.fd, VADDR_INVALIDATE, 0x7fff, 0, 0, 0));
}

/* Only of a process; a file that is another's is nobody's. */
static int all_of_the_parent(void *arg)
{
	struct kfd *k = arg;

	if (kfd_vaddr_all(k, VADDR_INVALIDATE) != -EBADF || kfd_change_owner(k->fd) != -EBADF)
		return -EILSEQ;
	return 0;
}

TEST_F(vaddr, not_by_a_child)
{
	EXPECT_OK(kfd_in_child(all_of_the_parent, &self->k));
	EXPECT_OK(kfd_vaddr_stands(&self->k, 2, 0, 0, 0));
	/* Who has it needs not adopt it. */
	EXPECT_ERR(EINVAL, kfd_change_owner(self->k.fd));
}

TEST_F(vaddr, change_owner_looks_at_its_arguments)
{
	struct kfd_ioctl_change_owner_args args = { .flags = 1 };

	EXPECT_ERR(EINVAL, kfd_call(self->k.fd, AMDKFD_IOC_CHANGE_OWNER, &args));
	args = (struct kfd_ioctl_change_owner_args){ .pad = 1 };
	EXPECT_ERR(EINVAL, kfd_call(self->k.fd, AMDKFD_IOC_CHANGE_OWNER, &args));
}

/* --- several with the same address ------------------------------------------- */

static int alloc_same(struct kfd *k, const struct kfd_bo *as, char *p, struct kfd_bo *bo)
{
	struct kfd_ioctl_alloc_memory_of_gpu_args args = {
		.va_addr = as->va, .size = as->size, .mmap_offset = (uintptr_t)p,
		.gpu_id = k->gpu[as->gpu].gpu_id, .flags = MEM_USERPTR,
	};
	int ret = kfd_call(k->fd, AMDKFD_IOC_ALLOC_MEMORY_OF_GPU, &args);

	*bo = *as;
	bo->handle = args.handle;
	return ret;
}

TEST_F(vaddr, the_mapped_one_is_meant)
{
	struct kfd_bo twin;
	struct kfd_store other;

	ASSERT_OK(kfd_store_make(KFD_STORE_ANONYMOUS, SIZE, &other));
	ASSERT_OK(alloc_same(&self->k, &self->anon_bo, other.p, &twin));
	ASSERT_OK(kfd_vaddr_invalidate(&self->k, &self->anon_bo));
	EXPECT_OK(kfd_vaddr_stands(&self->k, 3, 1, 0, 0));
	/* Now the other one is, and it is valid. */
	ASSERT_OK(kfd_bo_unmap_gpu(&self->k, &self->anon_bo, 0));
	ASSERT_OK(kfd_bo_map_gpu(&self->k, &twin, 0));
	EXPECT_ERR(EINVAL, kfd_vaddr_update(&self->k, &twin, self->anon.p));
	EXPECT_OK(kfd_vaddr_reaches(&self->q, &twin, 0, other.p));
	ASSERT_OK(kfd_vaddr_invalidate(&self->k, &twin));
	EXPECT_OK(kfd_vaddr_stands(&self->k, 3, 2, 0, 0));
	ASSERT_OK(kfd_vaddr_update(&self->k, &twin, self->anon.p));
	EXPECT_OK(kfd_vaddr_reaches(&self->q, &twin, 0, self->anon.p));
	EXPECT_OK(kfd_bo_destroy(&self->k, &twin));
	/* The first one is what is left, mapped or not. */
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->anon_bo, other.p));
	ASSERT_OK(kfd_bo_map_gpu(&self->k, &self->anon_bo, 0));
	EXPECT_OK(kfd_vaddr_reaches(&self->q, &self->anon_bo, 0, other.p));
	kfd_store_drop(&other);
}

TEST_F(vaddr, all_of_the_same_address)
{
	struct kfd_bo twin;

	ASSERT_OK(alloc_same(&self->k, &self->file_bo, self->memfd.p, &twin));
	ASSERT_OK(kfd_vaddr_all(&self->k, VADDR_INVALIDATE));
	EXPECT_OK(kfd_vaddr_stands(&self->k, 3, 3, 0, 0));
	/* Each update is of another one until none is left. */
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->file_bo, self->memfd.p));
	EXPECT_OK(kfd_vaddr_stands(&self->k, 3, 2, 0, 0));
	EXPECT_OK(kfd_bo_destroy(&self->k, &twin));
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->anon_bo, self->anon.p));
	EXPECT_OK(kfd_vaddr_reaches(&self->q, &self->file_bo, 0, self->memfd.p));
}

/* A buffer that no GPU has mapped has an address too. */
TEST_F(vaddr, not_mapped_on_any_gpu)
{
	char *p = kfd_store_map(&self->memfd);

	ASSERT_NE(NULL, p);
	ASSERT_OK(kfd_bo_unmap_gpu(&self->k, &self->file_bo, 0));
	ASSERT_OK(kfd_vaddr_invalidate(&self->k, &self->file_bo));
	/* Nobody stands still for it. */
	EXPECT_OK(kfd_vaddr_reaches(&self->q, &self->anon_bo, 0, self->anon.p));
	EXPECT_ERR(EBUSY, kfd_bo_map_gpu(&self->k, &self->file_bo, 0));
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->file_bo, p));
	ASSERT_OK(kfd_vaddr_live(&self->k, &self->file_bo));
	EXPECT_ERR(EBUSY, kfd_bo_map_gpu(&self->k, &self->file_bo, 0));
	EXPECT_OK(kfd_vaddr_stands(&self->k, 2, 1, 1, PAGES));
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->file_bo, self->memfd.p));
	ASSERT_OK(kfd_bo_map_gpu(&self->k, &self->file_bo, 0));
	EXPECT_OK(kfd_vaddr_reaches(&self->q, &self->file_bo, SIZE - 8, self->memfd.p));
}

KFD_TEST_MAIN_OURS
