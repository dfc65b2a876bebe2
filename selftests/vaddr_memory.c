// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which memory the CPU address of a buffer may be given up of and replaced by:
 * every kind of it, in pieces, in part, at the same place or next to it; and
 * what can be done with the buffer meanwhile.
 */
#include "lib/kfd_test.h"
#include "lib/kfd_vaddr.h"

#define RING		4096
#define PAGES		4
#define SIZE		(PAGES * KFD_PAGE)

/* --- every kind ------------------------------------------------------------- */

FIXTURE(vaddr_kind)
{
	struct kfd k;
	struct kfd_queue q;
	struct kfd_store s;
	struct kfd_bo bo;
};

FIXTURE_VARIANT(vaddr_kind)
{
	enum kfd_store_kind kind;
};

FIXTURE_VARIANT_ADD(vaddr_kind, memfd) { .kind = KFD_STORE_MEMFD };
FIXTURE_VARIANT_ADD(vaddr_kind, tmpfs) { .kind = KFD_STORE_TMPFS };
FIXTURE_VARIANT_ADD(vaddr_kind, shared_anonymous) { .kind = KFD_STORE_SHARED_ANONYMOUS };
FIXTURE_VARIANT_ADD(vaddr_kind, sysv) { .kind = KFD_STORE_SYSV };
FIXTURE_VARIANT_ADD(vaddr_kind, hugetlb) { .kind = KFD_STORE_HUGETLB };
FIXTURE_VARIANT_ADD(vaddr_kind, anonymous) { .kind = KFD_STORE_ANONYMOUS };
FIXTURE_VARIANT_ADD(vaddr_kind, private_file) { .kind = KFD_STORE_PRIVATE_FILE };
FIXTURE_VARIANT_ADD(vaddr_kind, other_file) { .kind = KFD_STORE_OTHER_FILE };

FIXTURE_SETUP(vaddr_kind)
{
	uint64_t size = 2 * kfd_store_unit(variant->kind);

	if (size < SIZE)
		size = SIZE;
	ASSERT_OK(kfd_start(&self->k));
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &self->q));
	ASSERT_OK(kfd_store_make(variant->kind, size, &self->s));
	ASSERT_OK(kfd_vaddr_bo(&self->k, 0, self->s.p, size, &self->bo));
}

FIXTURE_TEARDOWN(vaddr_kind)
{
	kfd_store_drop(&self->s);
	kfd_stop(&self->k);
}

static int reaches_ends(struct kfd_queue *q, const struct kfd_bo *bo, const char *p)
{
	int ret = kfd_vaddr_reaches(q, bo, 0, p);

	return ret ? ret : kfd_vaddr_reaches(q, bo, bo->size - 8, p);
}

/* Any memory will do, also such as the buffer was not on before. */
TEST_F(vaddr_kind, evicted)
{
	char *p = kfd_store_map(&self->s);
	struct kfd_store anon;

	ASSERT_NE(NULL, p);
	ASSERT_OK(kfd_store_make(KFD_STORE_ANONYMOUS, self->s.size, &anon));
	ASSERT_OK(reaches_ends(&self->q, &self->bo, self->s.p));
	ASSERT_OK(kfd_vaddr_invalidate(&self->k, &self->bo));
	EXPECT_OK(kfd_vaddr_stands(&self->k, 1, 1, 0, 0));
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo, p));
	EXPECT_OK(reaches_ends(&self->q, &self->bo, p));
	ASSERT_OK(kfd_vaddr_invalidate(&self->k, &self->bo));
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo, anon.p));
	EXPECT_OK(reaches_ends(&self->q, &self->bo, anon.p));
	ASSERT_OK(kfd_vaddr_invalidate(&self->k, &self->bo));
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo, self->s.p));
	EXPECT_OK(reaches_ends(&self->q, &self->bo, self->s.p));
	kfd_store_drop(&anon);
	munmap(p, self->s.size);
}

TEST_F(vaddr_kind, live)
{
	uint64_t size = self->s.size, pages = size / KFD_PAGE;
	char *p, *other;

	if (variant->kind >= KFD_STORE_NUM_LIVE) {
		EXPECT_ERR(EINVAL, kfd_vaddr_live(&self->k, &self->bo));
		EXPECT_ERR(EINVAL, kfd_vaddr_all(&self->k, VADDR_LIVE));
		EXPECT_OK(kfd_vaddr_stands(&self->k, 1, 0, 0, 0));
		EXPECT_OK(reaches_ends(&self->q, &self->bo, self->s.p));
		return;
	}
	other = kfd_store_map(&self->s);
	p = kfd_store_map(&self->s);
	ASSERT_NE(NULL, other);
	ASSERT_NE(NULL, p);
	ASSERT_OK(kfd_vaddr_live(&self->k, &self->bo));
	EXPECT_OK(kfd_vaddr_stands(&self->k, 1, 1, 1, pages));
	ASSERT_OK(munmap(self->s.p, size));
	self->s.p = p;
	EXPECT_OK(reaches_ends(&self->q, &self->bo, other));
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo, p));
	EXPECT_OK(kfd_vaddr_stands(&self->k, 1, 0, 0, 0));
	ASSERT_OK(munmap(other, size));
	EXPECT_OK(reaches_ends(&self->q, &self->bo, p));
}

/* A part of a file, which starts anywhere in it. */
TEST_F(vaddr_kind, live_at_an_offset)
{
	uint64_t unit = kfd_store_unit(variant->kind), size = KFD_PAGE, at = unit + KFD_PAGE;
	struct kfd_bo bo;
	char *p;

	if (variant->kind >= KFD_STORE_NUM_LIVE)
		return;
	p = kfd_store_map(&self->s);
	ASSERT_NE(NULL, p);
	ASSERT_OK(kfd_vaddr_bo(&self->k, 0, self->s.p + at, size, &bo));
	ASSERT_OK(kfd_vaddr_live(&self->k, &bo));
	EXPECT_OK(kfd_vaddr_stands(&self->k, 2, 1, 1, 1));
	EXPECT_OK(kfd_vaddr_reaches(&self->q, &bo, 8, self->s.p + at));
	/* Of the pages before and behind, and of the right one. */
	EXPECT_ERR(EINVAL, kfd_vaddr_update(&self->k, &bo, p + at - KFD_PAGE));
	EXPECT_ERR(EINVAL, kfd_vaddr_update(&self->k, &bo, p + at + KFD_PAGE));
	EXPECT_ERR(EINVAL, kfd_vaddr_update(&self->k, &bo, p));
	EXPECT_OK(kfd_vaddr_stands(&self->k, 2, 1, 1, 1));
	ASSERT_OK(kfd_vaddr_update(&self->k, &bo, p + at));
	EXPECT_OK(kfd_vaddr_reaches(&self->q, &bo, 8, p + at));
}

/* --- which mapping ----------------------------------------------------------- */

FIXTURE(vaddr_mapping)
{
	struct kfd k;
	struct kfd_queue q;
	struct kfd_store s;	/* a memfd with a page more than the buffer has */
	struct kfd_bo bo;
	struct kfd_bo safe;	/* no USERPTR */
};

FIXTURE_SETUP(vaddr_mapping)
{
	ASSERT_OK(kfd_start(&self->k));
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &self->q));
	ASSERT_OK(kfd_store_make(KFD_STORE_MEMFD, SIZE + KFD_PAGE, &self->s));
	ASSERT_OK(kfd_vaddr_bo(&self->k, 0, self->s.p, SIZE, &self->bo));
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, KFD_PAGE, &self->safe));
}

FIXTURE_TEARDOWN(vaddr_mapping)
{
	kfd_store_drop(&self->s);
	kfd_stop(&self->k);
}

/* Let something else be mapped at a part of @p. */
static int put(char *p, uint64_t size, int prot, int flags, int fd, uint64_t offset)
{
	return mmap(p, size, prot, flags | MAP_FIXED, fd, (off_t)offset) == p ? 0 : -errno;
}

#define RW	(PROT_READ | PROT_WRITE)

TEST_F(vaddr_mapping, live_in_pieces)
{
	char *p = kfd_store_map(&self->s);

	ASSERT_NE(NULL, p);
	/* Three mappings before, two that were made as two after. */
	ASSERT_OK(madvise(self->s.p + KFD_PAGE, KFD_PAGE, MADV_DONTFORK));
	ASSERT_OK(put(p + 2 * KFD_PAGE, SIZE - KFD_PAGE, RW, MAP_SHARED, self->s.fd,
		      2 * KFD_PAGE));
	ASSERT_OK(madvise(p + 2 * KFD_PAGE, SIZE - KFD_PAGE, MADV_DONTDUMP));
	ASSERT_OK(kfd_vaddr_live(&self->k, &self->bo));
	EXPECT_OK(reaches_ends(&self->q, &self->bo, p));
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo, p));
	EXPECT_OK(reaches_ends(&self->q, &self->bo, p));
	ASSERT_OK(kfd_vaddr_live(&self->k, &self->bo));
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo, self->s.p));
	EXPECT_OK(reaches_ends(&self->q, &self->bo, self->s.p));
}

/* The GPU can use all of these, but they are not one piece of one file. */
TEST_F(vaddr_mapping, live_is_of_one_file)
{
	struct kfd_store other;
	char *p = self->s.p;

	ASSERT_OK(kfd_store_make(KFD_STORE_MEMFD, SIZE, &other));
	ASSERT_OK(put(p + SIZE - KFD_PAGE, KFD_PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	EXPECT_ERR(EINVAL, kfd_vaddr_live(&self->k, &self->bo));
	ASSERT_OK(put(p + SIZE - KFD_PAGE, KFD_PAGE, RW, MAP_SHARED, other.fd, SIZE - KFD_PAGE));
	EXPECT_ERR(EINVAL, kfd_vaddr_live(&self->k, &self->bo));
	ASSERT_OK(put(p + SIZE - KFD_PAGE, KFD_PAGE, RW, MAP_PRIVATE, self->s.fd,
		      SIZE - KFD_PAGE));
	EXPECT_ERR(EINVAL, kfd_vaddr_live(&self->k, &self->bo));
	ASSERT_OK(put(p + SIZE - KFD_PAGE, KFD_PAGE, RW, MAP_SHARED, self->s.fd, KFD_PAGE));
	EXPECT_ERR(EINVAL, kfd_vaddr_live(&self->k, &self->bo));
	EXPECT_OK(kfd_vaddr_stands(&self->k, 1, 0, 0, 0));
	ASSERT_OK(put(p + SIZE - KFD_PAGE, KFD_PAGE, RW, MAP_SHARED, self->s.fd,
		      SIZE - KFD_PAGE));
	ASSERT_OK(kfd_vaddr_live(&self->k, &self->bo));
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo, p));
	EXPECT_OK(reaches_ends(&self->q, &self->bo, p));
	/* Not all there, and not all in the file. */
	ASSERT_OK(munmap(p + SIZE - KFD_PAGE, KFD_PAGE));
	EXPECT_ERR_EITHER(EINVAL, EFAULT, kfd_vaddr_live(&self->k, &self->bo));
	ASSERT_OK(put(p, SIZE, RW, MAP_SHARED, self->s.fd, 0));
	ASSERT_OK(ftruncate(self->s.fd, KFD_PAGE));
	EXPECT_ERR(EFAULT, kfd_vaddr_live(&self->k, &self->bo));
	EXPECT_OK(kfd_vaddr_stands(&self->k, 1, 0, 0, 0));
	kfd_store_drop(&other);
}

TEST_F(vaddr_mapping, live_comes_back_to_the_same)
{
	struct kfd_store other;
	char *p = kfd_store_map(&self->s), *last = p + SIZE - KFD_PAGE;
	const char *first = self->s.p;

	ASSERT_NE(NULL, p);
	ASSERT_OK(kfd_store_make(KFD_STORE_MEMFD, SIZE, &other));
	ASSERT_OK(kfd_vaddr_live(&self->k, &self->bo));
	EXPECT_ERR(EINVAL, kfd_vaddr_update(&self->k, &self->bo, first + KFD_PAGE));
	EXPECT_ERR(EINVAL, kfd_vaddr_update(&self->k, &self->bo, other.p));
	ASSERT_OK(put(p, SIZE, PROT_READ, MAP_SHARED, self->s.fd, 0));
	EXPECT_ERR(EINVAL, kfd_vaddr_update(&self->k, &self->bo, p));
	ASSERT_OK(put(p, SIZE, RW, MAP_PRIVATE, self->s.fd, 0));
	EXPECT_ERR(EINVAL, kfd_vaddr_update(&self->k, &self->bo, p));
	ASSERT_OK(put(p, SIZE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	EXPECT_ERR(EINVAL, kfd_vaddr_update(&self->k, &self->bo, p));
	/* Right but for the last page. */
	ASSERT_OK(put(p, SIZE, RW, MAP_SHARED, self->s.fd, 0));
	ASSERT_OK(mprotect(last, KFD_PAGE, PROT_READ));
	EXPECT_ERR(EINVAL, kfd_vaddr_update(&self->k, &self->bo, p));
	ASSERT_OK(put(last, KFD_PAGE, RW, MAP_SHARED, self->s.fd, 0));
	EXPECT_ERR(EINVAL, kfd_vaddr_update(&self->k, &self->bo, p));
	ASSERT_OK(put(last, KFD_PAGE, RW, MAP_SHARED, other.fd, SIZE - KFD_PAGE));
	EXPECT_ERR(EINVAL, kfd_vaddr_update(&self->k, &self->bo, p));
	ASSERT_OK(put(last, KFD_PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	EXPECT_ERR(EINVAL, kfd_vaddr_update(&self->k, &self->bo, p));
	ASSERT_OK(munmap(last, KFD_PAGE));
	EXPECT_ERR(EINVAL, kfd_vaddr_update(&self->k, &self->bo, p));
	ASSERT_OK(munmap(p, SIZE));
	EXPECT_ERR(EINVAL, kfd_vaddr_update(&self->k, &self->bo, p));
	/* All the while nothing has changed. */
	EXPECT_OK(kfd_vaddr_stands(&self->k, 1, 1, 1, PAGES));
	EXPECT_OK(reaches_ends(&self->q, &self->bo, first));
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo, first));
	EXPECT_OK(reaches_ends(&self->q, &self->bo, first));
	kfd_store_drop(&other);
}

/* What the GPU may not write need not be writable. */
TEST_F(vaddr_mapping, live_and_read_only)
{
	char *p = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, self->s.fd, 0);
	struct kfd_bo bo;
	uint32_t packet[8];

	ASSERT_NE(MAP_FAILED, p);
	ASSERT_OK(kfd_vaddr_bo_alloc(&self->k, 0, MEM_USERPTR_RO, self->s.p, SIZE, &bo));
	ASSERT_OK(kfd_bo_map_gpu(&self->k, &bo, 0));
	ASSERT_OK(kfd_vaddr_live(&self->k, &bo));
	ASSERT_OK(kfd_vaddr_update(&self->k, &bo, p));
	ASSERT_OK(kfd_vaddr_live(&self->k, &bo));
	*(volatile uint32_t *)self->s.p = 0x600d;
	ASSERT_OK(kfd_queue_run(&self->q, packet, sdma_copy(packet, self->safe.va, bo.va, 8)));
	EXPECT_EQ(0x600d, *(volatile uint32_t *)self->safe.cpu);
	ASSERT_OK(kfd_vaddr_update(&self->k, &bo, p));
	*(volatile uint32_t *)self->s.p = 0xf00d;
	ASSERT_OK(kfd_queue_run(&self->q, packet, sdma_copy(packet, self->safe.va, bo.va, 8)));
	EXPECT_EQ(0xf00d, *(volatile uint32_t *)self->safe.cpu);
}

TEST_F(vaddr_mapping, no_memory_there)
{
	uint64_t slice = self->q.doorbell_offset & ~(2 * KFD_PAGE - 1);
	char *p = mmap(NULL, SIZE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, p);
	ASSERT_OK(kfd_vaddr_invalidate(&self->k, &self->bo));
	ASSERT_OK(mprotect(p, SIZE, PROT_READ));
	EXPECT_ERR(EFAULT, kfd_vaddr_update(&self->k, &self->bo, p));
	ASSERT_OK(mprotect(p, SIZE, PROT_NONE));
	EXPECT_ERR(EFAULT, kfd_vaddr_update(&self->k, &self->bo, p));
	ASSERT_OK(put(p, 2 * KFD_PAGE, RW, MAP_SHARED, self->k.fd, slice));
	EXPECT_ERR(EFAULT, kfd_vaddr_update(&self->k, &self->bo, p));
	ASSERT_OK(put(p, SIZE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	ASSERT_OK(munmap(p + SIZE - KFD_PAGE, KFD_PAGE));
	EXPECT_ERR(EFAULT, kfd_vaddr_update(&self->k, &self->bo, p));
	/* Its end is behind that of the file. */
	EXPECT_ERR(EFAULT, kfd_vaddr_update(&self->k, &self->bo, self->s.p + 2 * KFD_PAGE));
	EXPECT_OK(kfd_vaddr_stands(&self->k, 1, 1, 0, 0));
	ASSERT_OK(put(p, SIZE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo, p));
	EXPECT_OK(reaches_ends(&self->q, &self->bo, p));
}

/* --- which address ----------------------------------------------------------- */

TEST_F(vaddr_mapping, the_same_address)
{
	int i;

	for (i = 0; i < 4; i++) {
		ASSERT_OK(i % 2 ? kfd_vaddr_live(&self->k, &self->bo) :
				  kfd_vaddr_invalidate(&self->k, &self->bo));
		ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo, self->s.p));
		EXPECT_OK(reaches_ends(&self->q, &self->bo, self->s.p));
	}
	/* What was mapped there meanwhile is what counts. */
	ASSERT_OK(kfd_vaddr_invalidate(&self->k, &self->bo));
	ASSERT_OK(put(self->s.p, SIZE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo, self->s.p));
	EXPECT_OK(reaches_ends(&self->q, &self->bo, self->s.p));
}

/* A page further, in the same memory, and a page further with it. */
TEST_F(vaddr_mapping, an_address_that_overlaps)
{
	char *p;

	ASSERT_OK(kfd_vaddr_invalidate(&self->k, &self->bo));
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo, self->s.p + KFD_PAGE));
	EXPECT_OK(reaches_ends(&self->q, &self->bo, self->s.p + KFD_PAGE));
	ASSERT_OK(kfd_vaddr_invalidate(&self->k, &self->bo));
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo, self->s.p));
	EXPECT_OK(reaches_ends(&self->q, &self->bo, self->s.p));
	ASSERT_OK(kfd_vaddr_live(&self->k, &self->bo));
	p = mmap(NULL, 4 * SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_OK(put(p, SIZE, RW, MAP_SHARED, self->s.fd, 0));
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo, p));
	ASSERT_OK(kfd_vaddr_live(&self->k, &self->bo));
	ASSERT_OK(put(p + KFD_PAGE, SIZE, RW, MAP_SHARED, self->s.fd, 0));
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo, p + KFD_PAGE));
	EXPECT_OK(reaches_ends(&self->q, &self->bo, p + KFD_PAGE));
	ASSERT_OK(munmap(p, KFD_PAGE));
	EXPECT_OK(reaches_ends(&self->q, &self->bo, self->s.p));
}

/* As a garbage collector moves it. */
TEST_F(vaddr_mapping, mremap)
{
	char *to = mmap(NULL, SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *p;
	int live;

	ASSERT_NE(MAP_FAILED, to);
	for (live = 0; live < 2; live++) {
		p = kfd_store_map(&self->s);
		ASSERT_NE(NULL, p);
		ASSERT_OK(kfd_vaddr_invalidate(&self->k, &self->bo));
		ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo, p));
		ASSERT_OK(live ? kfd_vaddr_live(&self->k, &self->bo) :
				 kfd_vaddr_invalidate(&self->k, &self->bo));
		ASSERT_EQ(to, mremap(p, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, to));
		ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo, to));
		EXPECT_OK(reaches_ends(&self->q, &self->bo, to));
		EXPECT_OK(reaches_ends(&self->q, &self->bo, self->s.p));
	}
}

/* --- while it is away -------------------------------------------------------- */

static int give_up(struct kfd *k, const struct kfd_bo *bo, bool live)
{
	return live ? kfd_vaddr_live(k, bo) : kfd_vaddr_invalidate(k, bo);
}

TEST_F(vaddr_mapping, what_needs_it_is_busy)
{
	struct kfd_ioctl_criu_args args;
	struct kfd_snapshot s;
	int live;

	for (live = 0; live < 2; live++) {
		ASSERT_OK(give_up(&self->k, &self->bo, live));
		EXPECT_ERR(EBUSY, kfd_criu_info(self->k.fd, &args));
		EXPECT_ERR(EINVAL, kfd_criu_unpause(self->k.fd));
		/* Where it is mapped it is, which is no news. */
		if (self->k.num_gpus > 1)
			EXPECT_ERR(EBUSY, kfd_bo_map_gpu(&self->k, &self->bo, 1));
		ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo, self->s.p));
		if (self->k.num_gpus > 1) {
			EXPECT_OK(kfd_bo_map_gpu(&self->k, &self->bo, 1));
			EXPECT_OK(kfd_bo_unmap_gpu(&self->k, &self->bo, 1));
		}
		/* And between the two parts of a checkpoint. */
		ASSERT_OK(kfd_criu_info(self->k.fd, &s.info));
		ASSERT_OK(give_up(&self->k, &self->bo, live));
		ASSERT_OK(kfd_snapshot_alloc(&s));
		kfd_snapshot_args(&s, &args);
		EXPECT_ERR(EBUSY, kfd_criu_op(self->k.fd, &args, KFD_CRIU_OP_CHECKPOINT));
		ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo, self->s.p));
		EXPECT_OK(kfd_criu_op(self->k.fd, &args, KFD_CRIU_OP_CHECKPOINT));
		kfd_snapshot_free(&s);
		ASSERT_OK(kfd_criu_unpause(self->k.fd));
		EXPECT_OK(reaches_ends(&self->q, &self->bo, self->s.p));
	}
}

TEST_F(vaddr_mapping, unmap_lets_the_queues_go_on)
{
	struct kfd_bo more;
	int live;

	for (live = 0; live < 2; live++) {
		ASSERT_OK(give_up(&self->k, &self->bo, live));
		/* Not before: it is still mapped. */
		EXPECT_ERR(EBUSY, kfd_bo_free(&self->k, &self->bo));
		/* Others come and go meanwhile. */
		ASSERT_OK(kfd_vaddr_bo(&self->k, 0, self->s.p, KFD_PAGE, &more));
		EXPECT_OK(kfd_bo_destroy(&self->k, &more));
		ASSERT_OK(kfd_bo_unmap_gpu(&self->k, &self->bo, 0));
		EXPECT_OK(kfd_vaddr_reaches(&self->q, &self->safe, 0, self->safe.cpu));
		EXPECT_OK(kfd_vaddr_stands(&self->k, 1, 1, live, live * PAGES));
		ASSERT_OK(kfd_bo_free(&self->k, &self->bo));
		EXPECT_OK(kfd_vaddr_stands(&self->k, 0, 0, 0, 0));
		EXPECT_ERR(ENOENT, kfd_vaddr_update(&self->k, &self->bo, self->s.p));
		ASSERT_OK(kfd_vaddr_bo(&self->k, 0, self->s.p, SIZE, &self->bo));
	}
	EXPECT_OK(reaches_ends(&self->q, &self->bo, self->s.p));
}

/* A queue that is made meanwhile waits as well. */
TEST_F(vaddr_mapping, new_queues_wait_too)
{
	struct kfd_queue q;
	uint32_t p[8];

	ASSERT_OK(kfd_vaddr_invalidate(&self->k, &self->bo));
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &q));
	ASSERT_OK(kfd_queue_emit(&q, p, sdma_atomic_add64(p, self->bo.va, 5)));
	kfd_queue_submit(&q);
	EXPECT_OK(kfd_word_stands(self->s.p));
	EXPECT_EQ(0, *(volatile uint64_t *)self->s.p);
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo, self->s.p));
	ASSERT_OK(kfd_queue_finish(&q, PATIENCE));
	EXPECT_EQ(5, *(volatile uint64_t *)self->s.p);
	/* And one that is destroyed while it waits is gone. */
	ASSERT_OK(kfd_vaddr_invalidate(&self->k, &self->bo));
	EXPECT_OK(kfd_queue_destroy(&self->k, &q));
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo, self->s.p));
	EXPECT_OK(reaches_ends(&self->q, &self->bo, self->s.p));
}

KFD_TEST_MAIN_OURS
