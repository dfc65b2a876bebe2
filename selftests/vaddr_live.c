// SPDX-License-Identifier: GPL-2.0-only
/*
 * GPUs at work while the CPU address of their memory is replaced: with
 * VADDR_LIVE they never stand still, without it they stand from the first call
 * to the last and never touch what was there. And what it costs the process:
 * locked memory, to the page.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sys/resource.h>

#include "lib/kfd_mem.h"
#include "lib/kfd_test.h"
#include "lib/kfd_vaddr.h"
#include "lib/kfd_workload.h"

#define RING	4096
#define PAGES	4
#define SIZE	(PAGES * KFD_PAGE)
#define ROUNDS	20

/* --- memory that lives ------------------------------------------------------- */

FIXTURE(vaddr_live)
{
	struct kfd k;
	struct kfd_store s;
	struct kfd_bo bo;
	struct kfd_counter c;	/* in the first word of the buffer */
	char *view;		/* a mapping that stays */
};

FIXTURE_VARIANT(vaddr_live)
{
	enum kfd_store_kind kind;
};

FIXTURE_VARIANT_ADD(vaddr_live, memfd) { .kind = KFD_STORE_MEMFD };
FIXTURE_VARIANT_ADD(vaddr_live, tmpfs) { .kind = KFD_STORE_TMPFS };
FIXTURE_VARIANT_ADD(vaddr_live, shared_anonymous) { .kind = KFD_STORE_SHARED_ANONYMOUS };
FIXTURE_VARIANT_ADD(vaddr_live, sysv) { .kind = KFD_STORE_SYSV };
FIXTURE_VARIANT_ADD(vaddr_live, hugetlb) { .kind = KFD_STORE_HUGETLB };

FIXTURE_SETUP(vaddr_live)
{
	uint64_t size = kfd_store_unit(variant->kind);

	ASSERT_OK(kfd_start(&self->k));
	ASSERT_OK(kfd_store_make(variant->kind, size < SIZE ? SIZE : size, &self->s));
	self->view = kfd_store_map(&self->s);
	ASSERT_NE(NULL, self->view);
	ASSERT_OK(kfd_vaddr_bo(&self->k, 0, self->s.p, self->s.size, &self->bo));
	ASSERT_OK(kfd_counter_start(&self->k, 0, self->bo.va, &self->c));
	ASSERT_OK(kfd_word_moves(self->view));
}

FIXTURE_TEARDOWN(vaddr_live)
{
	kfd_store_drop(&self->s);
	kfd_stop(&self->k);
}

/* Where it is moved to and how often does not matter to it, nor what is left. */
TEST_F_TIMEOUT(vaddr_live, never_stands_still, 60)
{
	uint64_t evictions = kfd_gpu_word(&self->k, 0, "evictions");
	char *old = self->s.p, *p;
	int round;

	for (round = 0; round < ROUNDS; round++) {
		p = kfd_store_map(&self->s);
		ASSERT_NE(NULL, p);
		ASSERT_OK(kfd_vaddr_live(&self->k, &self->bo));
		/* The first mapping is what further ones are made from. */
		if (old != self->s.p)
			ASSERT_OK(munmap(old, self->s.size));
		EXPECT_OK(kfd_word_moves(self->view));
		ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo, p));
		EXPECT_OK(kfd_word_moves(self->view));
		EXPECT_OK(kfd_word_moves(p));
		old = p;
	}
	EXPECT_EQ(evictions, kfd_gpu_word(&self->k, 0, "evictions"));
	EXPECT_OK(kfd_counter_stop(&self->k, &self->c, self->view, 0));
}

/* For as long as there is no mapping of it at all. */
TEST_F_TIMEOUT(vaddr_live, no_mapping_is_needed, 60)
{
	uint64_t then;
	char *p;

	if (variant->kind == KFD_STORE_SHARED_ANONYMOUS)
		return;	/* without a mapping nobody could come back to it */
	ASSERT_OK(kfd_vaddr_live(&self->k, &self->bo));
	ASSERT_OK(munmap(self->view, self->s.size));
	ASSERT_OK(munmap(self->s.p, self->s.size));
	then = kfd_counter_value(&self->c);
	ASSERT_OK(kfd_word_moves(self->c.shadow.cpu));
	p = kfd_store_map(&self->s);
	ASSERT_NE(NULL, p);
	self->s.p = p;
	EXPECT_LT(then, *(volatile uint64_t *)p);
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo, p));
	EXPECT_OK(kfd_word_moves(p));
	EXPECT_OK(kfd_counter_stop(&self->k, &self->c, p, 0));
}

/* The GPU has the pages that were the file's, the file has others. */
TEST_F_TIMEOUT(vaddr_live, pages_that_the_file_has_lost, 60)
{
	volatile uint64_t *word = (uint64_t *)self->view;
	uint64_t before, after, end;

	if (self->s.fd < 0)
		return;
	ASSERT_OK(kfd_vaddr_live(&self->k, &self->bo));
	ASSERT_OK(fallocate(self->s.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			    self->s.size));
	EXPECT_EQ(0, *word);
	ASSERT_OK(kfd_word_moves(self->c.shadow.cpu));
	EXPECT_EQ(0, *word);
	before = kfd_counter_value(&self->c);
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo, self->s.p));
	after = kfd_counter_value(&self->c);
	ASSERT_OK(kfd_word_moves(word));
	ASSERT_OK(kfd_queue_destroy(&self->k, &self->c.q));
	end = kfd_counter_value(&self->c);
	/* It counts there from some moment within the call on. */
	EXPECT_LE(*word, end - before + 1);
	EXPECT_GE(*word + 1, end - after);
}

TEST_F_TIMEOUT(vaddr_live, truncated_and_grown_again, 60)
{
	if (self->s.fd < 0)
		return;
	ASSERT_OK(kfd_vaddr_live(&self->k, &self->bo));
	ASSERT_OK(ftruncate(self->s.fd, 0));
	ASSERT_OK(kfd_word_moves(self->c.shadow.cpu));
	EXPECT_ERR(EFAULT, kfd_vaddr_update(&self->k, &self->bo, self->s.p));
	EXPECT_OK(kfd_vaddr_stands(&self->k, 1, 1, 1, self->s.size / KFD_PAGE));
	ASSERT_OK(kfd_word_moves(self->c.shadow.cpu));
	ASSERT_OK(ftruncate(self->s.fd, self->s.size));
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo, self->s.p));
	EXPECT_OK(kfd_word_moves(self->view));
}

/**
 * struct feeder - a thread that gives the GPU one piece of work after the other
 * @q: its queue
 * @va: GPU address of a word
 * @seen: where it has to be seen
 * @end: it may end
 * @rounds: how often it has
 * @ret: what went wrong
 */
struct feeder {
	struct kfd_queue q;
	uint64_t va;
	volatile uint64_t *seen;
	volatile int end;
	volatile unsigned int rounds;
	int ret;
};

static void *feed(void *arg)
{
	struct feeder *f = arg;
	uint64_t value = *f->seen;

	while (!f->end && !f->ret) {
		f->ret = kfd_gpu_add(&f->q, (void *)(uintptr_t)f->va, 1);
		if (!f->ret && *f->seen != ++value)
			f->ret = -EILSEQ;
		f->rounds++;
	}
	return NULL;
}

TEST_F_TIMEOUT(vaddr_live, a_thread_that_submits, 60)
{
	struct feeder f = { .va = self->bo.va + KFD_PAGE,
			    .seen = (uint64_t *)(self->view + KFD_PAGE) };
	char *p[2] = { self->s.p, kfd_store_map(&self->s) };
	pthread_t thread;
	int round;

	ASSERT_NE(NULL, p[1]);
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &f.q));
	ASSERT_OK(pthread_create(&thread, NULL, feed, &f));
	for (round = 1; round < 5 * ROUNDS || f.rounds < ROUNDS; round++) {
		/* Every fourth time it is evicted. */
		ASSERT_OK(round % 4 ? kfd_vaddr_live(&self->k, &self->bo) :
				      kfd_vaddr_invalidate(&self->k, &self->bo));
		ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo, p[round % 2]));
		if (f.ret)
			break;
	}
	f.end = 1;
	ASSERT_OK(pthread_join(thread, NULL));
	EXPECT_OK(f.ret) TH_LOG("after %u additions and %d remaps", f.rounds, round);
	EXPECT_OK(kfd_counter_stop(&self->k, &self->c, self->view, 0));
}

/* --- memory that does not ---------------------------------------------------- */

FIXTURE(vaddr_evicted)
{
	struct kfd k;
	struct kfd_store s[2];
	struct kfd_bo bo[2];
	struct kfd_counter c;	/* in the first word of the first buffer */
	char *view;		/* of the first store, a mapping that stays */
};

FIXTURE_SETUP(vaddr_evicted)
{
	int i;

	ASSERT_OK(kfd_start(&self->k));
	for (i = 0; i < 2; i++) {
		ASSERT_OK(kfd_store_make(KFD_STORE_MEMFD, SIZE, &self->s[i]));
		ASSERT_OK(kfd_vaddr_bo(&self->k, 0, self->s[i].p, SIZE, &self->bo[i]));
	}
	self->view = kfd_store_map(&self->s[0]);
	ASSERT_NE(NULL, self->view);
	ASSERT_OK(kfd_counter_start(&self->k, 0, self->bo[0].va, &self->c));
	ASSERT_OK(kfd_word_moves(self->view));
}

FIXTURE_TEARDOWN(vaddr_evicted)
{
	kfd_store_drop(&self->s[0]);
	kfd_store_drop(&self->s[1]);
	kfd_stop(&self->k);
}

TEST_F_TIMEOUT(vaddr_evicted, it_stands_and_the_old_memory_stays, 60)
{
	volatile uint64_t *old = (uint64_t *)self->view;
	struct kfd_store anon;
	uint64_t seen, from;

	ASSERT_OK(kfd_store_make(KFD_STORE_ANONYMOUS, SIZE, &anon));
	ASSERT_OK(kfd_vaddr_invalidate(&self->k, &self->bo[0]));
	seen = *old;
	from = kfd_counter_value(&self->c);
	EXPECT_LT(0, kfd_gpu_word(&self->k, 0, "evicted"));
	/* Nothing wakes it: neither what happens to the memory nor time. */
	ASSERT_OK(munmap(self->s[0].p, SIZE));
	ASSERT_OK(kfd_word_stands(self->c.shadow.cpu));
	EXPECT_EQ(self->s[0].p, mmap(self->s[0].p, SIZE, PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_FIXED, self->s[0].fd, 0));
	kfd_sleep_ms(600);
	EXPECT_EQ(from, kfd_counter_value(&self->c));
	EXPECT_EQ(seen, *old);
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo[0], anon.p));
	EXPECT_OK(kfd_word_moves(anon.p));
	EXPECT_EQ(0, kfd_gpu_word(&self->k, 0, "evicted"));
	EXPECT_EQ(seen, *old);
	EXPECT_OK(kfd_counter_stop(&self->k, &self->c, anon.p, from));
	EXPECT_EQ(seen, *old);
	kfd_store_drop(&anon);
}

TEST_F_TIMEOUT(vaddr_evicted, until_the_last_one_is_back, 60)
{
	ASSERT_OK(kfd_vaddr_invalidate(&self->k, &self->bo[0]));
	ASSERT_OK(kfd_vaddr_invalidate(&self->k, &self->bo[1]));
	EXPECT_OK(kfd_word_stands(self->view));
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo[0], self->view));
	EXPECT_OK(kfd_word_stands(self->view));
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo[1], self->s[1].p));
	EXPECT_OK(kfd_word_moves(self->view));
	ASSERT_OK(kfd_vaddr_all(&self->k, VADDR_INVALIDATE));
	EXPECT_OK(kfd_word_stands(self->view));
	/* One that is no longer mapped keeps nobody. */
	ASSERT_OK(kfd_bo_unmap_gpu(&self->k, &self->bo[1], 0));
	EXPECT_OK(kfd_word_stands(self->view));
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo[0], self->s[0].p));
	EXPECT_OK(kfd_word_moves(self->view));
	EXPECT_OK(kfd_counter_stop(&self->k, &self->c, self->view, 0));
}

/* One lives, the other does not: the GPU has both. */
TEST_F_TIMEOUT(vaddr_evicted, a_live_one_does_not_help_the_other, 60)
{
	ASSERT_OK(kfd_vaddr_live(&self->k, &self->bo[0]));
	EXPECT_OK(kfd_word_moves(self->view));
	ASSERT_OK(kfd_vaddr_invalidate(&self->k, &self->bo[1]));
	EXPECT_OK(kfd_word_stands(self->view));
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo[0], self->view));
	EXPECT_OK(kfd_word_stands(self->view));
	ASSERT_OK(kfd_vaddr_live(&self->k, &self->bo[0]));
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo[1], self->s[1].p));
	EXPECT_OK(kfd_word_moves(self->view));
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo[0], self->s[0].p));
	EXPECT_OK(kfd_counter_stop(&self->k, &self->c, self->view, 0));
}

TEST_F_TIMEOUT(vaddr_evicted, only_gpus_that_have_it, 60)
{
	struct kfd_store far;
	struct kfd_counter c;
	struct kfd_bo bo;

	REQUIRE_GPUS(&self->k, 2);
	ASSERT_OK(kfd_store_make(KFD_STORE_MEMFD, SIZE, &far));
	ASSERT_OK(kfd_vaddr_bo(&self->k, 1, far.p, SIZE, &bo));
	ASSERT_OK(kfd_counter_start(&self->k, 1, bo.va, &c));
	ASSERT_OK(kfd_vaddr_invalidate(&self->k, &self->bo[0]));
	EXPECT_OK(kfd_word_stands(self->view));
	EXPECT_OK(kfd_word_moves(far.p));
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo[0], self->s[0].p));
	/* The buffer of one GPU that the other has too. */
	ASSERT_OK(kfd_bo_map_gpu(&self->k, &self->bo[1], 1));
	ASSERT_OK(kfd_vaddr_invalidate(&self->k, &self->bo[1]));
	EXPECT_OK(kfd_word_stands(self->view));
	EXPECT_OK(kfd_word_stands(far.p));
	ASSERT_OK(kfd_bo_unmap_gpu(&self->k, &self->bo[1], 1));
	EXPECT_OK(kfd_word_moves(far.p));
	EXPECT_OK(kfd_word_stands(self->view));
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo[1], self->s[1].p));
	EXPECT_OK(kfd_word_moves(self->view));
	EXPECT_OK(kfd_counter_stop(&self->k, &c, far.p, 0));
	EXPECT_OK(kfd_counter_stop(&self->k, &self->c, self->view, 0));
	kfd_store_drop(&far);
}

/* What fails changes nothing, whatever has been stopped by then. */
TEST_F_TIMEOUT(vaddr_evicted, what_fails_leaves_it_running, 60)
{
	ASSERT_OK(kfd_vaddr_invalidate(&self->k, &self->bo[1]));
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo[1], self->s[1].p));
	ASSERT_OK(kfd_vaddr_live(&self->k, &self->bo[1]));
	EXPECT_ERR(EINVAL, kfd_vaddr_all(&self->k, VADDR_INVALIDATE));
	EXPECT_OK(kfd_word_moves(self->view));
	EXPECT_ERR(EINVAL, kfd_vaddr_all(&self->k, VADDR_LIVE));
	EXPECT_OK(kfd_word_moves(self->view));
	EXPECT_ERR(EINVAL, kfd_vaddr_update(&self->k, &self->bo[1], self->s[0].p));
	EXPECT_OK(kfd_vaddr_stands(&self->k, 2, 1, 1, PAGES));
	EXPECT_OK(kfd_counter_stop(&self->k, &self->c, self->view, 0));
}

/* A queue that does not stop: it goes on with what it has. */
TEST_F_TIMEOUT(vaddr_evicted, a_queue_that_does_not_stop, 120)
{
	REQUIRE_SIM();
	ASSERT_OK(kfd_sim_set(0, "fail_preempt", "Y"));
	EXPECT_ERR(ETIME, kfd_vaddr_invalidate(&self->k, &self->bo[0]));
	EXPECT_ERR(ETIME, kfd_vaddr_all(&self->k, VADDR_INVALIDATE));
	ASSERT_OK(kfd_sim_set(0, "fail_preempt", "N"));
	EXPECT_OK(kfd_vaddr_stands(&self->k, 2, 0, 0, 0));
	EXPECT_OK(kfd_word_moves(self->view));
	ASSERT_OK(kfd_vaddr_invalidate(&self->k, &self->bo[0]));
	EXPECT_OK(kfd_word_stands(self->view));
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo[0], self->s[0].p));
	EXPECT_OK(kfd_word_moves(self->view));
	EXPECT_OK(kfd_counter_stop(&self->k, &self->c, self->view, 0));
}

/* Much memory: all of what the GPU reads is the new, and all it writes. */
TEST_F_TIMEOUT(vaddr_evicted, every_page_of_much_memory, 60)
{
	uint64_t size = 4 << 20, at;
	struct kfd_store old, new;
	struct kfd_bo bo, vram;
	struct kfd_queue q;
	uint32_t p[8];

	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_VRAM, size, &vram));
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &q));
	ASSERT_OK(kfd_store_make(KFD_STORE_MEMFD, size, &old));
	ASSERT_OK(kfd_store_make(KFD_STORE_ANONYMOUS, size, &new));
	ASSERT_OK(kfd_vaddr_bo(&self->k, 0, old.p, size, &bo));
	kfd_fill_pattern(old.p, size, 1);
	kfd_fill_pattern(new.p, size, 2);
	ASSERT_OK(kfd_vaddr_invalidate(&self->k, &bo));
	ASSERT_OK(kfd_vaddr_update(&self->k, &bo, new.p));
	for (at = 0; at < size; at += 1 << 20)
		ASSERT_OK(kfd_queue_run(&q, p, sdma_copy(p, vram.va + at, bo.va + at, 1 << 20)));
	EXPECT_TRUE(kfd_check_pattern(vram.cpu, size, 2));
	kfd_fill_pattern(vram.cpu, size, 3);
	for (at = 0; at < size; at += 1 << 20)
		ASSERT_OK(kfd_queue_run(&q, p, sdma_copy(p, bo.va + at, vram.va + at, 1 << 20)));
	EXPECT_TRUE(kfd_check_pattern(new.p, size, 3));
	EXPECT_TRUE(kfd_check_pattern(old.p, size, 1));
	kfd_store_drop(&old);
	kfd_store_drop(&new);
}

/* --- locked memory ----------------------------------------------------------- */

FIXTURE(vaddr_locked)
{
	struct kfd k;
	struct kfd_store s;
	struct kfd_bo bo, part;
	struct kfd_locked before;
};

FIXTURE_SETUP(vaddr_locked)
{
	ASSERT_OK(kfd_start(&self->k));
	ASSERT_OK(kfd_store_make(KFD_STORE_MEMFD, SIZE, &self->s));
	ASSERT_OK(kfd_vaddr_bo(&self->k, 0, self->s.p, SIZE, &self->bo));
	ASSERT_OK(kfd_vaddr_bo(&self->k, 0, self->s.p + KFD_PAGE, KFD_PAGE, &self->part));
	ASSERT_OK(kfd_locked_read(getpid(), &self->before));
	ASSERT_EQ(0, self->before.pin);
}

FIXTURE_TEARDOWN(vaddr_locked)
{
	kfd_store_drop(&self->s);
	kfd_stop(&self->k);
}

/* So many pages more than before are charged as locked, and none as pinned. */
static int charged(const struct kfd_locked *before, int64_t pages)
{
	struct kfd_locked now;
	int ret = kfd_locked_read(getpid(), &now);

	if (ret || (now.lck == before->lck + pages && !now.pin))
		return ret;
	printf("# %lld pages locked, %llu pinned\n", (long long)(now.lck - before->lck),
	       (unsigned long long)now.pin);
	return -EILSEQ;
}

TEST_F(vaddr_locked, exactly_what_is_held)
{
	EXPECT_OK(charged(&self->before, 0));
	ASSERT_OK(kfd_vaddr_invalidate(&self->k, &self->bo));
	EXPECT_OK(charged(&self->before, 0));
	ASSERT_OK(kfd_vaddr_live(&self->k, &self->part));
	EXPECT_OK(charged(&self->before, 1));
	EXPECT_OK(kfd_vaddr_stands(&self->k, 2, 2, 1, 1));
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo, self->s.p));
	EXPECT_OK(charged(&self->before, 1));
	/* The pages of both are counted for each. */
	ASSERT_OK(kfd_vaddr_live(&self->k, &self->bo));
	EXPECT_OK(charged(&self->before, PAGES + 1));
	EXPECT_OK(kfd_vaddr_stands(&self->k, 2, 2, 2, PAGES + 1));
	EXPECT_ERR(EINVAL, kfd_vaddr_update(&self->k, &self->bo, self->s.p + KFD_PAGE));
	EXPECT_OK(charged(&self->before, PAGES + 1));
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->part, self->s.p + KFD_PAGE));
	EXPECT_OK(charged(&self->before, PAGES));
	/* A buffer that goes pays back too. */
	ASSERT_OK(kfd_bo_destroy(&self->k, &self->bo));
	EXPECT_OK(charged(&self->before, 0));
	ASSERT_OK(kfd_vaddr_all(&self->k, VADDR_LIVE));
	EXPECT_OK(charged(&self->before, 1));
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->part, self->s.p + KFD_PAGE));
	EXPECT_OK(charged(&self->before, 0));
}

/* What the process itself locks, and the driver, are added up. */
TEST_F(vaddr_locked, beside_mlock)
{
	ASSERT_OK(mlock(self->s.p, SIZE));
	EXPECT_OK(charged(&self->before, PAGES));
	ASSERT_OK(kfd_vaddr_live(&self->k, &self->bo));
	EXPECT_OK(charged(&self->before, 2 * PAGES));
	ASSERT_OK(munmap(self->s.p, SIZE));
	EXPECT_OK(charged(&self->before, PAGES));
	ASSERT_EQ(self->s.p, mmap(self->s.p, SIZE, PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_FIXED_NOREPLACE, self->s.fd, 0));
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo, self->s.p));
	EXPECT_OK(charged(&self->before, 0));
}

static int limit_pages(uint64_t pages, uint64_t less)
{
	struct rlimit limit = { pages * KFD_PAGE - less, RLIM_INFINITY };

	return setrlimit(RLIMIT_MEMLOCK, &limit) ? -errno : 0;
}

TEST_F(vaddr_locked, limit)
{
	uint64_t now = self->before.lck;

	ASSERT_OK(kfd_set_caps(~(1ULL << CAP_IPC_LOCK)));
	/* A page short, a byte short, for one and for all. */
	ASSERT_OK(limit_pages(now + PAGES - 1, 0));
	EXPECT_ERR(ENOMEM, kfd_vaddr_live(&self->k, &self->bo));
	ASSERT_OK(limit_pages(now + PAGES, 1));
	EXPECT_ERR(ENOMEM, kfd_vaddr_live(&self->k, &self->bo));
	ASSERT_OK(limit_pages(now + PAGES, 0));
	EXPECT_ERR(ENOMEM, kfd_vaddr_all(&self->k, VADDR_LIVE));
	EXPECT_OK(kfd_vaddr_stands(&self->k, 2, 0, 0, 0));
	EXPECT_OK(charged(&self->before, 0));
	/* Exactly enough. */
	EXPECT_OK(kfd_vaddr_live(&self->k, &self->bo));
	EXPECT_ERR(ENOMEM, kfd_vaddr_live(&self->k, &self->part));
	EXPECT_OK(charged(&self->before, PAGES));
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo, self->s.p));
	ASSERT_OK(limit_pages(now + PAGES + 1, 0));
	EXPECT_OK(kfd_vaddr_all(&self->k, VADDR_LIVE));
	EXPECT_OK(charged(&self->before, PAGES + 1));
	/* Lowered later it is no longer asked. */
	ASSERT_OK(limit_pages(0, 0));
	EXPECT_OK(kfd_vaddr_update(&self->k, &self->part, self->s.p + KFD_PAGE));
	EXPECT_OK(kfd_vaddr_update(&self->k, &self->bo, self->s.p));
	/* Nor for what holds nothing. */
	EXPECT_OK(kfd_vaddr_all(&self->k, VADDR_INVALIDATE));
	EXPECT_OK(kfd_vaddr_update(&self->k, &self->part, self->s.p + KFD_PAGE));
	EXPECT_OK(kfd_vaddr_update(&self->k, &self->bo, self->s.p));
	EXPECT_ERR(ENOMEM, kfd_vaddr_live(&self->k, &self->part));
	/* With the capability there is none. */
	ASSERT_OK(kfd_set_caps(~0ULL));
	EXPECT_OK(kfd_vaddr_all(&self->k, VADDR_LIVE));
	EXPECT_OK(charged(&self->before, PAGES + 1));
}

/* A file cannot be sealed against writing as long as somebody has its pages. */
TEST_F_TIMEOUT(vaddr_locked, nobody_has_the_pages_afterwards, 60)
{
	ASSERT_OK(kfd_vaddr_live(&self->k, &self->bo));
	ASSERT_OK(kfd_bo_destroy(&self->k, &self->part));
	ASSERT_OK(munmap(self->s.p, SIZE));
	EXPECT_EQ(-1, fcntl(self->s.fd, F_ADD_SEALS, F_SEAL_WRITE));
	EXPECT_EQ(EBUSY, errno);
	self->s.p = kfd_store_map(&self->s);
	ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo, self->s.p));
	ASSERT_OK(munmap(self->s.p, SIZE));
	EXPECT_OK(kfd_nobody_writes(self->s.fd));
}

/* --- fork -------------------------------------------------------------------- */

/**
 * struct child - a child between INVALIDATE and UPDATE
 * @k: its parent's
 * @bo: its parent's, without an address
 * @word: a word of the memory that it was on
 * @shared: the memory is shared: it sees what the GPU writes
 * @ready: it has looked
 * @go: the GPU has written
 */
struct child {
	struct kfd *k;
	struct kfd_bo *bo;
	volatile uint64_t *word;
	bool shared;
	volatile int ready, go;
};

static int looks(void *arg)
{
	struct child *c = arg;
	uint64_t then = *c->word;
	struct kfd_ioctl_vaddr_info_args info;
	int ret;

	if (kfd_vaddr_update(c->k, c->bo, (void *)c->word) != -EBADF ||
	    kfd_vaddr_invalidate(c->k, c->bo) != -EBADF ||
	    kfd_vaddr_info(c->k, &info) != -EBADF || kfd_change_owner(c->k->fd) != -EBADF)
		return -EPROTO;
	c->ready = 1;
	ret = kfd_wait_flag(&c->go);
	if (ret)
		return ret;
	return (*c->word != then) == c->shared ? 0 : -EILSEQ;
}

FIXTURE(vaddr_fork)
{
	struct kfd k;
	struct kfd_queue q;
	struct kfd_store s;
	struct kfd_bo bo;
	struct child *c;
};

FIXTURE_VARIANT(vaddr_fork)
{
	enum kfd_store_kind kind;
	bool live;
};

FIXTURE_VARIANT_ADD(vaddr_fork, anonymous) { .kind = KFD_STORE_ANONYMOUS };
FIXTURE_VARIANT_ADD(vaddr_fork, private_file) { .kind = KFD_STORE_PRIVATE_FILE };
FIXTURE_VARIANT_ADD(vaddr_fork, memfd) { .kind = KFD_STORE_MEMFD };
FIXTURE_VARIANT_ADD(vaddr_fork, memfd_live) { .kind = KFD_STORE_MEMFD, .live = true };

FIXTURE_SETUP(vaddr_fork)
{
	self->c = mmap(NULL, KFD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->c);
	ASSERT_OK(kfd_start(&self->k));
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &self->q));
	ASSERT_OK(kfd_store_make(variant->kind, SIZE, &self->s));
	ASSERT_OK(kfd_vaddr_bo(&self->k, 0, self->s.p, SIZE, &self->bo));
	*self->c = (struct child){
		.k = &self->k, .bo = &self->bo, .word = (uint64_t *)self->s.p,
		.shared = variant->kind == KFD_STORE_MEMFD,
	};
}

FIXTURE_TEARDOWN(vaddr_fork)
{
	kfd_store_drop(&self->s);
	kfd_stop(&self->k);
	munmap(self->c, KFD_PAGE);
}

/* The parent goes on where it was; before the update, or after it, by turns. */
TEST_F_TIMEOUT(vaddr_fork, the_child_has_nothing_of_it, 60)
{
	struct kfd_locked before, now;
	pid_t pid;
	int round;

	ASSERT_OK(kfd_locked_read(getpid(), &before));
	for (round = 0; round < KFD_NUM_COPYING; round++) {
		self->c->ready = 0;
		self->c->go = 0;
		ASSERT_OK(kfd_vaddr_reaches(&self->q, &self->bo, 0, self->s.p));
		ASSERT_OK(variant->live ? kfd_vaddr_live(&self->k, &self->bo) :
					  kfd_vaddr_invalidate(&self->k, &self->bo));
		pid = kfd_spawn(round, looks, self->c);
		ASSERT_LT(0, pid);
		ASSERT_OK(kfd_wait_flag(&self->c->ready));
		EXPECT_OK(kfd_locked_read(pid, &now));
		EXPECT_EQ(0, now.lck);
		ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo, self->s.p));
		EXPECT_OK(kfd_vaddr_reaches(&self->q, &self->bo, 0, self->s.p));
		self->c->go = 1;
		EXPECT_OK(kfd_wait_child(pid)) TH_LOG("way %d", round);
		EXPECT_OK(kfd_vaddr_reaches(&self->q, &self->bo, 0, self->s.p));
		EXPECT_OK(charged(&before, 0));
	}
}

KFD_TEST_MAIN_OURS
