// SPDX-License-Identifier: GPL-2.0-only
/*
 * munmap() of shared virtual memory for which the driver finds no memory to take
 * note of it, a new mapping in its place while the note is being worked off, and
 * the end of that: no GPU may have a translation to the page then, which is
 * somebody else's. (svm_hull)
 *
 * Every allocation of the munmap() is made to fail in turn; what has to happen is
 * the same whichever it is.
 */
#include <sys/mman.h>

#include "lib/kfd_fault_test.h"
#include "lib/kfd_mem.h"
#include "lib/kfd_packets.h"
#include "lib/kfd_svm.h"

#define BUSY		(48ULL << 20)	/* what the restore work has to do meanwhile */
#define OTHERS		(16ULL << 20)	/* where freed pages are used again */
#define MAX_TRIES	64		/* enough where each is noted down by kmemleak */
#define HOLD_MS		40		/* the note is being worked off by then */
#define ANSWER_MS	40		/* for a packet that can be done */
#define PATTERN		0x5ec2e75ec2e7ULL

FIXTURE(svm_hull)
{
	struct kfd k;
	struct kfd_bo safe;
	char *busy;
};

FIXTURE_SETUP(svm_hull)
{
	ASSERT_OK(kfd_start(&self->k));
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, KFD_PAGE, &self->safe));
	ASSERT_OK(kfd_svm_alloc(&self->k, BUSY, -1, &self->busy));
	/* page by page, so that it takes long */
	ASSERT_EQ(0, madvise(self->busy, BUSY, MADV_NOHUGEPAGE));
	ASSERT_OK(kfd_svm_set1(&self->k, self->busy, BUSY, KFD_IOCTL_SVM_ATTR_ACCESS,
			       self->k.gpu[0].gpu_id));
}

FIXTURE_TEARDOWN(svm_hull)
{
	kfd_stop(&self->k);
}

/* Memory that is a range by itself, in the middle of some that is none. */
static int make_range(struct kfd *k, char **x)
{
	int ret = kfd_svm_alloc(k, 16 * KFD_PAGE, -1, x);

	if (ret)
		return ret;
	*x += 8 * KFD_PAGE;
	memset(*x, 1, KFD_PAGE);
	return kfd_svm_set1(k, *x, KFD_PAGE, KFD_IOCTL_SVM_ATTR_ACCESS, k->gpu[0].gpu_id);
}

/*
 * Pages that were freed a moment ago, in use again. What the GPU reads of them is
 * known.
 */
static char *use_again(void)
{
	char *p = mmap(NULL, OTHERS, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t i;

	if (p == MAP_FAILED)
		return NULL;
	madvise(p, OTHERS, MADV_NOHUGEPAGE);
	for (i = 0; i < OTHERS; i += KFD_PAGE)
		*(uint64_t *)(p + i) = PATTERN;
	return p;
}

/* Whether a GPU still reaches @x, which is unmapped; or -errno. */
static int gpu_reaches(struct kfd *k, struct kfd_bo *safe, const char *x, uint64_t *got)
{
	struct kfd_queue q;
	uint32_t p[16];
	int ret;

	ret = kfd_queue_create(k, 0, KFD_IOC_QUEUE_TYPE_SDMA, 65536, &q);
	if (ret)
		return ret;
	*(volatile uint64_t *)safe->cpu = 0;
	ret = kfd_queue_emit(&q, p, sdma_copy(p, safe->va, (uintptr_t)x, 8));
	if (!ret) {
		kfd_queue_submit(&q);
		ret = kfd_queue_wait(&q, ANSWER_MS * kfd_time_scale()) ? 0 : 1;
	}
	*got = *(volatile uint64_t *)safe->cpu;
	kfd_queue_destroy(k, &q);
	return ret;
}

/* 1: the @n-th allocation was made to fail; 0: there are not as many; -errno */
static int unmap_with_failure(char *x, unsigned int n, bool *unmapped)
{
	unsigned int left = 0;
	int ret = kfd_fault_arm(n), err;

	if (ret)
		return ret;
	*unmapped = !munmap(x, KFD_PAGE);
	err = kfd_fault_disarm(&left);
	return err ? err : !left;
}

/* 1: the driver did without memory; 0: nothing failed, or the munmap() did; -errno */
static int try_once(struct kfd *k, struct kfd_bo *safe, char *busy, unsigned int n, int *failed)
{
	bool unmapped;
	uint64_t got;
	char *x, *others;
	int ret = make_range(k, &x);

	/* The restore work is kept busy: what works the note off waits for it. */
	if (!ret && madvise(busy, BUSY, MADV_DONTNEED))
		ret = -errno;
	if (ret)
		return ret;
	kfd_sleep_ms(3);
	*failed = unmap_with_failure(x, n, &unmapped);
	if (*failed < 0 || !unmapped)
		return *failed < 0 ? *failed : 0;
	kfd_sleep_ms(HOLD_MS);
	if (mmap(x, KFD_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		 -1, 0) != x)
		return -errno;
	memset(x, 2, KFD_PAGE);
	/* waits for who is at it, and nothing is to come any more */
	ret = kfd_svm_access_of(k, x, KFD_PAGE, 0);
	munmap(x, KFD_PAGE);
	if (ret < 0)
		return ret;
	others = use_again();
	if (!others)
		return -ENOMEM;
	ret = gpu_reaches(k, safe, x, &got);
	munmap(others, OTHERS);
	if (ret > 0) {
		printf("# allocation %u: the GPU read %llx%s\n", n,
		       (unsigned long long)got,
		       got == PATTERN ? ", which is of other memory" : "");
		fflush(stdout);
		return -EILSEQ;
	}
	return ret ? ret : *failed;
}

TEST_F_TIMEOUT(svm_hull, no_note_of_what_is_unmapped, 240)
{
	unsigned int n, without = 0;
	int failed = 1, ret;

	for (n = 1; n <= MAX_TRIES && failed; n++) {
		ret = try_once(&self->k, &self->safe, self->busy, n, &failed);
		ASSERT_GE(ret, 0);
		without += ret;
	}
	/* Some of it fails in the driver, and not the munmap(). */
	EXPECT_GE(without, 1);
	TH_LOG("%u allocations, %u times the driver did without", n - 1, without);
}

KFD_FAULT_TEST_MAIN
