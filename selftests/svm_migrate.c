// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages of shared virtual memory in VRAM. On a kernel that can have them there
 * (CONFIG_DEVICE_PRIVATE) they move, which is seen by the VRAM in use; on
 * others the same calls succeed and nothing moves. Contents are the same either
 * way.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/kfd_mem.h"
#include "lib/kfd_smi.h"
#include "lib/kfd_svm.h"
#include "lib/kfd_test.h"
#include "lib/kfd_vaddr.h"
#include "lib/kfd_workload.h"

#define RING	65536
#define PAGES	16
#define SIZE	(PAGES * KFD_PAGE)
#define SEED	77
#define ROUNDS	60

/**
 * struct mig - a process with memory that one GPU has access to
 * @k: the driver
 * @q: queue of that GPU
 * @p: PAGES pages, in place for the GPU
 * @vram: VRAM that was available before
 * @can: pages can be in VRAM
 */
struct mig {
	struct kfd k;
	struct kfd_queue q;
	char *p;
	uint64_t vram;
	int can;
};

static int mig_start(struct mig *m, int xnack)
{
	int ret = kfd_start(&m->k);

	if (ret)
		return ret;
	m->can = kfd_kernel_has("CONFIG_DEVICE_PRIVATE");
	if (m->can < 0)
		return m->can;
	if (xnack && kfd_set_xnack(&m->k, 1) != 1)
		return -EPERM;
	ret = kfd_queue_create(&m->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &m->q);
	if (!ret)
		ret = kfd_svm_alloc(&m->k, SIZE, 0, &m->p);
	return ret ? ret : kfd_available_settled(&m->k, 0, &m->vram);
}

static int prefetch(struct mig *m, char *p, uint64_t size, int gpu)
{
	return kfd_svm_set1(&m->k, p, size, KFD_IOCTL_SVM_ATTR_PREFETCH_LOC,
			    gpu < 0 ? KFD_IOCTL_SVM_LOCATION_SYSMEM : m->k.gpu[gpu].gpu_id);
}

static int set_access(struct mig *m, uint32_t type, int gpu)
{
	return kfd_svm_set1(&m->k, m->p, SIZE, type, m->k.gpu[gpu].gpu_id);
}

/* Pages that are in VRAM now, or -errno. */
static int in_vram(struct mig *m)
{
	uint64_t now;
	int ret = kfd_available(&m->k, 0, &now);

	return ret ? ret : (int)((m->vram - now) / KFD_PAGE);
}

#define EXPECT_IN_VRAM(m, n)	EXPECT_EQ((m)->can ? (int)(n) : 0, in_vram(m))

FIXTURE(mig) { struct mig m; };

FIXTURE_SETUP(mig)
{
	ASSERT_OK(mig_start(&self->m, 0));
}

FIXTURE_TEARDOWN(mig)
{
	kfd_stop(&self->m.k);
}

/* --- there and back -------------------------------------------------------- */

TEST_F(mig, prefetched_and_read)
{
	struct mig *m = &self->m;
	uint32_t loc;
	int i;

	kfd_fill_pattern(m->p, SIZE, SEED);
	/* Each time, though the attribute is the same. */
	for (i = 0; i < 2; i++) {
		ASSERT_OK(prefetch(m, m->p, SIZE, 0));
		EXPECT_IN_VRAM(m, PAGES);
		EXPECT_OK(kfd_svm_get1(&m->k, m->p, SIZE, KFD_IOCTL_SVM_ATTR_PREFETCH_LOC, &loc));
		EXPECT_EQ(m->k.gpu[0].gpu_id, loc);
		EXPECT_TRUE(kfd_check_pattern(m->p, SIZE, SEED));
		EXPECT_EQ(0, in_vram(m));
	}
}

/* The lines of one migration of all of it, start and end. */
static int told(struct kfd_smi *s, struct mig *m, uint32_t from, uint32_t to, int trigger)
{
	static const unsigned int events[] = {
		KFD_SMI_EVENT_MIGRATE_START, KFD_SMI_EVENT_MIGRATE_END,
	};
	struct kfd_smi_line line;
	int ret, i;

	for (i = 0; i < 2; i++) {
		ret = kfd_smi_expect(s, events[i], getpid(), &line);
		if (ret)
			return ret;
		if (line.page != (uintptr_t)m->p / KFD_PAGE || line.pages != PAGES ||
		    line.from != from || line.to != to || line.trigger != trigger)
			return -EILSEQ;
	}
	return 0;
}

TEST_F(mig, smi_events)
{
	struct mig *m = &self->m;
	uint32_t gpu = m->k.gpu[0].gpu_id;
	struct kfd_smi s;
	unsigned int lines;

	memset(m->p, 1, SIZE);
	ASSERT_OK(kfd_smi_open(&m->k, 0, SMI_BIT(MIGRATE_START) | SMI_BIT(MIGRATE_END), &s));
	ASSERT_OK(prefetch(m, m->p, SIZE, 0));
	if (m->can) {
		EXPECT_OK(told(&s, m, 0, gpu, KFD_MIGRATE_TRIGGER_PREFETCH));
		ASSERT_OK(prefetch(m, m->p, SIZE, -1));
		EXPECT_OK(told(&s, m, gpu, 0, KFD_MIGRATE_TRIGGER_PREFETCH));
		ASSERT_OK(prefetch(m, m->p, SIZE, 0));
		EXPECT_OK(told(&s, m, 0, gpu, KFD_MIGRATE_TRIGGER_PREFETCH));
		EXPECT_EQ(1, *(volatile char *)m->p);
		EXPECT_OK(told(&s, m, gpu, 0, KFD_MIGRATE_TRIGGER_PAGEFAULT_CPU));
	}
	/* Nothing else, and nothing at all where nothing can move. */
	ASSERT_OK(kfd_smi_drain(&s, &lines));
	EXPECT_EQ(0, lines);
	kfd_smi_close(&s);
}

TEST_F(mig, preferred_location_moves_nothing)
{
	struct mig *m = &self->m;
	uint32_t loc;

	kfd_fill_pattern(m->p, SIZE, SEED);
	ASSERT_OK(kfd_svm_set1(&m->k, m->p, SIZE, KFD_IOCTL_SVM_ATTR_PREFERRED_LOC,
			       m->k.gpu[0].gpu_id));
	EXPECT_EQ(0, in_vram(m));
	ASSERT_OK(kfd_svm_get1(&m->k, m->p, SIZE, KFD_IOCTL_SVM_ATTR_PREFERRED_LOC, &loc));
	EXPECT_EQ(m->k.gpu[0].gpu_id, loc);
}

TEST_F(mig, what_nobody_has_touched_is_zero)
{
	struct mig *m = &self->m;
	uint64_t i;

	ASSERT_OK(prefetch(m, m->p, SIZE, 0));
	EXPECT_IN_VRAM(m, PAGES);
	ASSERT_OK(kfd_gpu_add(&m->q, m->p + 5 * KFD_PAGE, 3));
	EXPECT_IN_VRAM(m, PAGES);
	for (i = 0; i < SIZE; i += 8)
		ASSERT_EQ(i == 5 * KFD_PAGE ? 3 : 0, *(volatile uint64_t *)(m->p + i));
	EXPECT_EQ(0, in_vram(m));
}

TEST_F(mig, gpu_works_there)
{
	struct mig *m = &self->m;
	volatile uint64_t *word = (uint64_t *)(m->p + 2 * KFD_PAGE);
	int i;

	*word = 100;
	for (i = 0; i < 5; i++) {
		ASSERT_OK(prefetch(m, m->p, SIZE, 0));
		ASSERT_OK(kfd_gpu_add(&m->q, word, 1));
		ASSERT_OK(kfd_gpu_add(&m->q, m->p + SIZE - 8, 1));
		EXPECT_IN_VRAM(m, PAGES);
		EXPECT_EQ(101 + i, *word);
		EXPECT_EQ(0, in_vram(m));
		ASSERT_OK(kfd_gpu_add(&m->q, m->p + SIZE - 8, 1));
	}
	EXPECT_EQ(10, *(volatile uint64_t *)(m->p + SIZE - 8));
}

TEST_F(mig, back_by_prefetch)
{
	struct mig *m = &self->m;

	kfd_fill_pattern(m->p, SIZE, SEED);
	ASSERT_OK(prefetch(m, m->p, SIZE, 0));
	ASSERT_OK(prefetch(m, m->p, SIZE / 4, -1));
	EXPECT_IN_VRAM(m, PAGES - PAGES / 4);
	ASSERT_OK(prefetch(m, m->p, SIZE, -1));
	EXPECT_EQ(0, in_vram(m));
	EXPECT_TRUE(kfd_check_pattern(m->p, SIZE, SEED));
}

TEST_F(mig, large_and_odd)
{
	struct mig *m = &self->m;
	uint64_t size = (6 << 20) + 3 * KFD_PAGE;
	char *p;

	ASSERT_OK(kfd_svm_alloc(&m->k, size, 0, &p));
	madvise(p, size, MADV_HUGEPAGE);
	kfd_fill_pattern(p, size, SEED);
	ASSERT_OK(prefetch(m, p + KFD_PAGE, size - 2 * KFD_PAGE, 0));
	EXPECT_IN_VRAM(m, size / KFD_PAGE - 2);
	EXPECT_TRUE(kfd_check_pattern(p, size, SEED));
	EXPECT_EQ(0, in_vram(m));
}

/* --- what stays ------------------------------------------------------------ */

TEST_F(mig, both_gpus_have_access)
{
	struct mig *m = &self->m;
	struct kfd_queue other;

	REQUIRE_GPUS(&m->k, 2);
	ASSERT_OK(kfd_queue_create(&m->k, 1, KFD_IOC_QUEUE_TYPE_SDMA, RING, &other));
	ASSERT_OK(kfd_available_settled(&m->k, 0, &m->vram));
	kfd_fill_pattern(m->p, SIZE, SEED);
	ASSERT_OK(set_access(m, KFD_IOCTL_SVM_ATTR_ACCESS, 1));
	ASSERT_OK(prefetch(m, m->p, SIZE, 0));
	EXPECT_EQ(0, in_vram(m));
	/* Taken away it can move; given again it comes back. */
	ASSERT_OK(set_access(m, KFD_IOCTL_SVM_ATTR_NO_ACCESS, 1));
	ASSERT_OK(prefetch(m, m->p, SIZE, 0));
	EXPECT_IN_VRAM(m, PAGES);
	ASSERT_OK(set_access(m, KFD_IOCTL_SVM_ATTR_ACCESS, 1));
	EXPECT_EQ(0, in_vram(m));
	EXPECT_TRUE(kfd_check_pattern(m->p, SIZE, SEED));
	*(volatile uint64_t *)m->p = 0;
	ASSERT_OK(kfd_gpu_add(&m->q, m->p, 1));
	ASSERT_OK(kfd_gpu_add(&other, m->p, 2));
	EXPECT_EQ(3, *(volatile uint64_t *)m->p);
}

TEST_F(mig, files_stay)
{
	struct mig *m = &self->m;
	int fd = memfd_create("file", MFD_CLOEXEC);
	volatile uint64_t *shared = (uint64_t *)m->p;
	volatile uint64_t *private = (uint64_t *)(m->p + KFD_PAGE);

	ASSERT_OK(ftruncate(fd, KFD_PAGE));
	ASSERT_EQ(m->p, mmap(m->p, KFD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			     fd, 0));
	ASSERT_EQ(m->p + KFD_PAGE, mmap(m->p + KFD_PAGE, KFD_PAGE, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_FIXED, fd, 0));
	*shared = 7;
	ASSERT_EQ(7, *private);
	ASSERT_OK(kfd_svm_set1(&m->k, m->p, 2 * KFD_PAGE, KFD_IOCTL_SVM_ATTR_ACCESS,
			       m->k.gpu[0].gpu_id));
	ASSERT_OK(prefetch(m, m->p, KFD_PAGE, 0));
	EXPECT_EQ(0, in_vram(m));
	/* The private copy is anonymous and may go. */
	ASSERT_OK(prefetch(m, m->p + KFD_PAGE, KFD_PAGE, 0));
	ASSERT_OK(kfd_gpu_add(&m->q, shared, 1));
	ASSERT_OK(kfd_gpu_add(&m->q, private, 2));
	EXPECT_EQ(8, *shared);
	EXPECT_EQ(9, *private);
	EXPECT_EQ(0, in_vram(m));
}

TEST_F(mig, vram_is_full)
{
	struct mig *m = &self->m;
	struct kfd_bo hog;
	uint64_t left;

	kfd_fill_pattern(m->p, SIZE, SEED);
	ASSERT_OK(kfd_bo_alloc(&m->k, 0, MEM_VRAM, m->vram, &hog));
	ASSERT_OK(kfd_available(&m->k, 0, &left));
	ASSERT_LT(left, SIZE);
	ASSERT_OK(prefetch(m, m->p, SIZE, 0));
	EXPECT_TRUE(kfd_check_pattern(m->p, SIZE, SEED));
	*(volatile uint64_t *)m->p = 0;
	ASSERT_OK(kfd_gpu_add(&m->q, m->p, 4));
	EXPECT_EQ(4, *(volatile uint64_t *)m->p);
	ASSERT_OK(kfd_bo_free(&m->k, &hog));
	ASSERT_OK(prefetch(m, m->p, SIZE, 0));
	EXPECT_IN_VRAM(m, PAGES);
}

/* --- what gives VRAM back -------------------------------------------------- */

TEST_F(mig, unmapped)
{
	struct mig *m = &self->m;

	ASSERT_OK(prefetch(m, m->p, SIZE, 0));
	ASSERT_OK(munmap(m->p, 4 * KFD_PAGE));
	EXPECT_IN_VRAM(m, PAGES - 4);
	ASSERT_OK(madvise(m->p + 4 * KFD_PAGE, 4 * KFD_PAGE, MADV_DONTNEED));
	EXPECT_IN_VRAM(m, PAGES - 8);
	ASSERT_OK(munmap(m->p + 4 * KFD_PAGE, SIZE - 4 * KFD_PAGE));
	EXPECT_EQ(0, in_vram(m));
}

/* In a child, whose arena begins where the parent's does. */
static int start_afresh(struct mig *m, const struct mig *parent)
{
	kfd_stop((struct kfd *)&parent->k);
	return munmap(parent->p, SIZE) ? -errno : mig_start(m, 0);
}

static int exit_with_pages(void *arg)
{
	struct mig m;
	int ret = start_afresh(&m, arg);

	if (!ret)
		ret = prefetch(&m, m.p, SIZE, 0);
	if (!ret && m.can && in_vram(&m) != PAGES)
		ret = -EILSEQ;
	return ret;
}

TEST_F(mig, process_ends)
{
	struct mig *m = &self->m;

	ASSERT_OK(kfd_in_child(exit_with_pages, m));
	EXPECT_OK(kfd_vram_is_back(&m->k, m->vram));
}

/* --- fork ------------------------------------------------------------------ */

static int child_does_nothing(void *arg)
{
	return 0;
}

static int child_reads(void *arg)
{
	struct mig *m = arg;

	return kfd_check_pattern(m->p, SIZE, SEED) ? 0 : -EILSEQ;
}

/* Nobody needs it, so the pages stay where they are until they are read. */
TEST_F(mig, child_reads_it_from_there)
{
	struct mig *m = &self->m;

	kfd_fill_pattern(m->p, SIZE, SEED);
	ASSERT_OK(set_access(m, KFD_IOCTL_SVM_ATTR_NO_ACCESS, 0));
	ASSERT_OK(prefetch(m, m->p, SIZE, 0));
	EXPECT_IN_VRAM(m, PAGES);
	ASSERT_OK(kfd_in_child(child_does_nothing, m));
	EXPECT_IN_VRAM(m, PAGES);
	EXPECT_OK(kfd_in_child(child_reads, m));
	EXPECT_EQ(0, in_vram(m));
	EXPECT_TRUE(kfd_check_pattern(m->p, SIZE, SEED));
}

TEST_F(mig, child_reads_it)
{
	struct mig *m = &self->m;

	kfd_fill_pattern(m->p, SIZE, SEED);
	ASSERT_OK(prefetch(m, m->p, SIZE, 0));
	EXPECT_OK(kfd_in_child(child_reads, m));
	EXPECT_EQ(0, in_vram(m));
	EXPECT_TRUE(kfd_check_pattern(m->p, SIZE, SEED));
	/* Shared no more, but not yet writable again. */
	ASSERT_OK(prefetch(m, m->p, SIZE, 0));
	EXPECT_IN_VRAM(m, PAGES);
	EXPECT_TRUE(kfd_check_pattern(m->p, SIZE, SEED));
}

/**
 * struct pair - parent and child that take turns, in memory that they share
 * @m: the parent's
 * @ready: the child is there
 * @go: the child goes on
 */
struct pair {
	struct mig m;
	volatile int ready;
	volatile int go;
};

static struct pair *pair_new(void)
{
	void *pair = mmap(NULL, sizeof(struct pair), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return pair == MAP_FAILED ? NULL : pair;
}

/* Sees what was there at the fork, and writes what the parent must not see. */
static int child_shares(struct pair *pair)
{
	volatile uint64_t *word = (uint64_t *)pair->m.p;
	int ret;

	pair->ready = 1;
	ret = kfd_wait_flag(&pair->go);
	if (ret)
		return ret;
	if (word[0] != 10 || word[512] != 20)
		return -EILSEQ;
	word[0] = 1000;
	return word[0] == 1000 && word[512] == 20 ? 0 : -EILSEQ;
}

TEST_F(mig, writes_after_a_fork_are_not_seen)
{
	struct pair *pair = pair_new();
	volatile uint64_t *word;
	pid_t child;

	ASSERT_NE(NULL, pair);
	pair->m = self->m;
	word = (uint64_t *)self->m.p;
	word[0] = 10;
	word[512] = 20;
	ASSERT_OK(prefetch(&self->m, self->m.p, SIZE, 0));
	child = fork();
	if (!child)
		_exit(-child_shares(pair) & 0xff);
	ASSERT_OK(kfd_wait_flag(&pair->ready));
	ASSERT_OK(kfd_gpu_add(&self->m.q, word, 1));
	ASSERT_OK(prefetch(&self->m, self->m.p, SIZE, 0));
	ASSERT_OK(kfd_gpu_add(&self->m.q, word + 512, 1));
	pair->go = 1;
	EXPECT_OK(kfd_wait_child(child));
	ASSERT_OK(kfd_gpu_add(&self->m.q, word, 1));
	EXPECT_EQ(12, word[0]);
	EXPECT_EQ(21, word[512]);
}

/* --- GPUs that wait for a page --------------------------------------------- */

FIXTURE(retry) { struct mig m; };

FIXTURE_SETUP(retry)
{
	ASSERT_OK(mig_start(&self->m, 1));
}

FIXTURE_TEARDOWN(retry)
{
	kfd_stop(&self->m.k);
}

TEST_F(retry, who_has_access_gets_it)
{
	struct mig *m = &self->m;

	kfd_fill_pattern(m->p, SIZE, SEED);
	ASSERT_OK(set_access(m, KFD_IOCTL_SVM_ATTR_ACCESS, 0));
	ASSERT_OK(kfd_gpu_add(&m->q, m->p, 0));
	EXPECT_IN_VRAM(m, PAGES);
	EXPECT_TRUE(kfd_check_pattern(m->p, SIZE, SEED));
	EXPECT_EQ(0, in_vram(m));
}

TEST_F(retry, in_place_is_where_it_is)
{
	struct mig *m = &self->m;

	kfd_fill_pattern(m->p, SIZE, SEED);
	ASSERT_OK(kfd_gpu_add(&m->q, m->p, 0));
	EXPECT_EQ(0, in_vram(m));
	ASSERT_OK(set_access(m, KFD_IOCTL_SVM_ATTR_NO_ACCESS, m->k.num_gpus - 1));
	ASSERT_OK(set_access(m, KFD_IOCTL_SVM_ATTR_ACCESS_IN_PLACE, 0));
	ASSERT_OK(prefetch(m, m->p, SIZE, 0));
	EXPECT_IN_VRAM(m, PAGES);
	ASSERT_OK(kfd_gpu_add(&m->q, m->p, 0));
	EXPECT_IN_VRAM(m, PAGES);
	EXPECT_TRUE(kfd_check_pattern(m->p, SIZE, SEED));
}

TEST_F(retry, preferred_location)
{
	struct mig *m = &self->m;

	kfd_fill_pattern(m->p, SIZE, SEED);
	ASSERT_OK(set_access(m, KFD_IOCTL_SVM_ATTR_ACCESS, 0));
	ASSERT_OK(kfd_svm_set1(&m->k, m->p, SIZE, KFD_IOCTL_SVM_ATTR_PREFERRED_LOC,
			       KFD_IOCTL_SVM_LOCATION_SYSMEM));
	ASSERT_OK(kfd_gpu_add(&m->q, m->p, 0));
	EXPECT_EQ(0, in_vram(m));
	ASSERT_OK(set_access(m, KFD_IOCTL_SVM_ATTR_ACCESS_IN_PLACE, 0));
	ASSERT_OK(kfd_svm_set1(&m->k, m->p, SIZE, KFD_IOCTL_SVM_ATTR_PREFERRED_LOC,
			       m->k.gpu[0].gpu_id));
	/* Until it misses a page it has no reason to move. */
	EXPECT_EQ(0, in_vram(m));
	EXPECT_TRUE(kfd_check_pattern(m->p, SIZE, SEED));
	ASSERT_OK(mprotect(m->p, SIZE, PROT_READ));
	ASSERT_OK(mprotect(m->p, SIZE, PROT_READ | PROT_WRITE));
	*(volatile char *)m->p = *(volatile char *)m->p;
	ASSERT_OK(kfd_gpu_add(&m->q, m->p, 0));
	EXPECT_TRUE(!m->can || in_vram(m) > 0);
	EXPECT_TRUE(kfd_check_pattern(m->p, SIZE, SEED));
}

TEST_F(retry, what_nobody_has_spoken_of)
{
	struct mig *m = &self->m;
	volatile uint64_t on_stack = 7;
	char *p;

	ASSERT_OK(kfd_svm_alloc(&m->k, SIZE, -1, &p));
	*(volatile uint64_t *)p = 5;
	ASSERT_OK(kfd_gpu_add(&m->q, &on_stack, 2));
	EXPECT_EQ(0, in_vram(m));
	EXPECT_EQ(9, on_stack);
	ASSERT_OK(kfd_gpu_add(&m->q, p, 2));
	EXPECT_TRUE(!m->can || in_vram(m) >= PAGES);
	EXPECT_EQ(7, *(volatile uint64_t *)p);
	EXPECT_EQ(0, in_vram(m));
}

/* Queues need it in system memory: it would go to and fro, and nothing would get on. */
TEST_F(retry, registered_memory_stays)
{
	struct mig *m = &self->m;
	struct kfd_bo bo;
	int i;

	kfd_fill_pattern(m->p, SIZE, SEED);
	ASSERT_OK(kfd_vaddr_bo(&m->k, 0, m->p + KFD_PAGE, 2 * KFD_PAGE, &bo));
	ASSERT_OK(set_access(m, KFD_IOCTL_SVM_ATTR_ACCESS, 0));
	for (i = 0; i < 4; i++)
		ASSERT_OK(kfd_gpu_add(&m->q, m->p + i * KFD_PAGE, 0));
	EXPECT_IN_VRAM(m, PAGES - 2);
	ASSERT_OK(prefetch(m, m->p, SIZE, 0));
	EXPECT_IN_VRAM(m, PAGES - 2);
	/* When it is not needed any more it is as any other. */
	ASSERT_OK(kfd_bo_unmap_gpu(&m->k, &bo, 0));
	ASSERT_OK(prefetch(m, m->p, SIZE, 0));
	EXPECT_IN_VRAM(m, PAGES);
	/* and comes back */
	ASSERT_OK(kfd_bo_map_gpu(&m->k, &bo, 0));
	ASSERT_OK(kfd_gpu_add(&m->q, (void *)(uintptr_t)bo.va, 0));
	EXPECT_TRUE(kfd_check_pattern(m->p, SIZE, SEED));
	EXPECT_OK(kfd_bo_destroy(&m->k, &bo));
}

TEST_F(retry, gpus_take_turns)
{
	struct mig *m = &self->m;
	struct kfd_queue other;
	int i;

	REQUIRE_GPUS(&m->k, 2);
	ASSERT_OK(kfd_queue_create(&m->k, 1, KFD_IOC_QUEUE_TYPE_SDMA, RING, &other));
	ASSERT_OK(kfd_available_settled(&m->k, 0, &m->vram));
	ASSERT_OK(set_access(m, KFD_IOCTL_SVM_ATTR_ACCESS, 0));
	ASSERT_OK(set_access(m, KFD_IOCTL_SVM_ATTR_ACCESS, 1));
	for (i = 0; i < 10; i++) {
		ASSERT_OK(kfd_gpu_add(&m->q, m->p, 1));
		EXPECT_IN_VRAM(m, PAGES);
		ASSERT_OK(kfd_gpu_add(&other, m->p, 100));
		EXPECT_EQ(0, in_vram(m));
	}
	EXPECT_EQ(1010, *(volatile uint64_t *)m->p);
}

/* --- CPU and GPU at once --------------------------------------------------- */

/**
 * struct adder - a thread that adds to a word
 * @word: where
 * @stop: no more
 * @added: how often
 */
struct adder {
	uint64_t *word;
	volatile int stop;
	uint64_t added;
};

static void *add_for_ever(void *arg)
{
	struct adder *a = arg;

	while (!a->stop) {
		__atomic_add_fetch(a->word, 1, __ATOMIC_SEQ_CST);
		a->added++;
		/* The GPU is to have it as well. */
		kfd_sleep_ms(1);
	}
	return NULL;
}

static int ping_pong(struct mig *m, bool fetch)
{
	struct adder a = { .word = (uint64_t *)m->p };
	pthread_t t;
	int i, ret;

	ret = -pthread_create(&t, NULL, add_for_ever, &a);
	if (ret)
		return ret;
	for (i = 0; i < ROUNDS && !ret; i++) {
		if (fetch)
			ret = prefetch(m, m->p, SIZE, 0);
		if (!ret)
			ret = kfd_gpu_add(&m->q, a.word, 1);
	}
	a.stop = 1;
	pthread_join(t, NULL);
	if (ret)
		return ret;
	return *(volatile uint64_t *)a.word == a.added + ROUNDS && a.added ? 0 : -EILSEQ;
}

TEST_F(mig, no_addition_is_lost)
{
	EXPECT_OK(ping_pong(&self->m, true));
}

TEST_F(retry, no_addition_is_lost)
{
	ASSERT_OK(set_access(&self->m, KFD_IOCTL_SVM_ATTR_ACCESS, 0));
	EXPECT_OK(ping_pong(&self->m, false));
}

/* --- other processes ------------------------------------------------------- */

static int others_run(struct pair *pair, const struct mig *parent)
{
	int ret = start_afresh(&pair->m, parent);

	if (!ret) {
		kfd_fill_pattern(pair->m.p, SIZE, SEED);
		ret = prefetch(&pair->m, pair->m.p, SIZE, 0);
	}
	pair->ready = ret ? ret : 1;
	if (!ret)
		ret = kfd_wait_flag(&pair->go);
	return ret ? ret : kfd_gpu_add(&pair->m.q, pair->m.p, 1);
}

/* As a dumper reads it: of a process that is paused, from outside. */
TEST_F(mig, read_from_outside_while_paused)
{
	struct pair *pair = pair_new();
	struct kfd_ioctl_criu_args info;
	char *copy = malloc(SIZE);
	int fd, mem, status;
	char path[32];
	pid_t child;

	ASSERT_NE(NULL, pair);
	child = fork();
	if (!child)
		_exit(-others_run(pair, &self->m) & 0xff);
	ASSERT_OK(kfd_wait_flag(&pair->ready));
	ASSERT_EQ(1, pair->ready);
	EXPECT_EQ(pair->m.can ? PAGES : 0, in_vram(&self->m));
	ASSERT_OK(ptrace(PTRACE_SEIZE, child, 0, 0));
	ASSERT_OK(ptrace(PTRACE_INTERRUPT, child, 0, 0));
	ASSERT_EQ(child, waitpid(child, &status, __WALL));
	fd = kfd_steal_fd(child, pair->m.k.fd);
	ASSERT_GE(fd, 0);
	ASSERT_OK(kfd_criu_info(fd, &info));
	snprintf(path, sizeof(path), "/proc/%d/mem", child);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_GE(mem, 0);
	ASSERT_EQ(SIZE, pread(mem, copy, SIZE, (uintptr_t)pair->m.p));
	close(mem);
	EXPECT_TRUE(kfd_check_pattern(copy, SIZE, SEED));
	EXPECT_EQ(0, in_vram(&self->m));
	ASSERT_OK(kfd_criu_unpause(fd));
	close(fd);
	ASSERT_OK(ptrace(PTRACE_DETACH, child, 0, 0));
	pair->go = 1;
	EXPECT_OK(kfd_wait_child(child));
	free(copy);
}

/* --- the driver goes ------------------------------------------------------- */

FIXTURE(gone) { struct pair *pair; };

FIXTURE_SETUP(gone)
{
	self->pair = pair_new();
	ASSERT_NE(NULL, self->pair);
}

FIXTURE_TEARDOWN(gone)
{
}

/* Has no descriptor of the driver, but pages in VRAM. */
static int orphan(struct pair *pair)
{
	kfd_stop(&pair->m.k);
	pair->ready = 1;
	if (kfd_wait_flag(&pair->go))
		return -ETIME;
	return kfd_check_pattern(pair->m.p, SIZE, SEED) ? 2 : -EILSEQ;
}

static int leave_an_orphan(void *arg)
{
	struct pair *pair = arg;
	int ret = mig_start(&pair->m, 0);

	if (!ret)
		ret = set_access(&pair->m, KFD_IOCTL_SVM_ATTR_NO_ACCESS, 0);
	if (ret)
		return ret;
	kfd_fill_pattern(pair->m.p, SIZE, SEED);
	ret = prefetch(&pair->m, pair->m.p, SIZE, 0);
	if (ret)
		return ret;
	if (!fork()) {
		pair->ready = orphan(pair);
		_exit(0);
	}
	return kfd_wait_flag(&pair->ready);
}

static int unload(void)
{
	uint64_t end = kfd_now_ms() + PATIENCE;

	/* A process that has ended lets go of the module a moment later. */
	while (syscall(SYS_delete_module, "amdgpu_sim", O_NONBLOCK)) {
		if (errno != EWOULDBLOCK || kfd_now_ms() > end)
			return -errno;
		kfd_sleep_ms(10);
	}
	return 0;
}

static int load(void)
{
	int fd = open(getenv("KFD_SIM_MODULE"), O_RDONLY | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	ret = syscall(SYS_finit_module, fd, getenv("KFD_SIM_PARAMS") ?: "", 0) ? -errno : 0;
	close(fd);
	return ret;
}

TEST_F(gone, a_child_keeps_its_memory)
{
	struct pair *pair = self->pair;
	uint64_t end, used;

	if (!getenv("KFD_SIM_MODULE"))
		SKIP(return, "needs a module to load again: KFD_SIM_MODULE");
	ASSERT_OK(kfd_in_child(leave_an_orphan, pair));
	ASSERT_OK(kfd_sim_get(0, "vram_used", &used));
	EXPECT_TRUE(!pair->m.can || used >= SIZE);
	EXPECT_OK(unload());
	EXPECT_OK(load());
	pair->go = 1;
	for (end = kfd_now_ms() + PATIENCE; pair->ready == 1 && kfd_now_ms() < end;)
		kfd_sleep_ms(5);
	EXPECT_EQ(2, pair->ready);
}

KFD_TEST_MAIN
