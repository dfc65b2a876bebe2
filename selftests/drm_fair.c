// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the user of a render node can make others wait for: the next on the same
 * ring, who changes memory that it has registered, who uses an engine while its
 * mappings go, and another thread of its own.
 */
#include <amdgpu.h>
#include <amdgpu_drm.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

#include "lib/kfd_mem.h"
#include "lib/kfd_test.h"
#include "lib/kfd_workload.h"

#define MAX_BOS		8
#define CTX_FENCES	32	/* that a context remembers */
#define MAPPINGS	300000
#define GPU_CMP_EQUAL	3

/**
 * struct gem - a buffer
 * @bo: it
 * @va: GPU address
 * @cpu: its memory
 */
struct gem {
	amdgpu_bo_handle bo;
	uint64_t va;
	void *cpu;
};

/**
 * struct user - who uses a render node
 * @k: the driver
 * @dev: the node
 * @ctx: a context
 * @ib: commands
 * @mem: what they work on
 * @more: further buffers of a submission
 * @n_more: their number
 */
struct user {
	struct kfd k;
	amdgpu_device_handle dev;
	amdgpu_context_handle ctx;
	struct gem ib, mem;
	amdgpu_bo_handle more[MAX_BOS];
	unsigned int n_more;
};

static int gem_place(struct user *u, struct gem *g, uint64_t size)
{
	amdgpu_va_handle handle;
	int ret;

	ret = amdgpu_va_range_alloc(u->dev, amdgpu_gpu_va_range_general, size, KFD_PAGE, 0,
				    &g->va, &handle, 0);
	return ret ? ret : amdgpu_bo_va_op(g->bo, 0, size, g->va, 0, AMDGPU_VA_OP_MAP);
}

static int gem_make(struct user *u, struct gem *g)
{
	struct amdgpu_bo_alloc_request req = {
		.alloc_size = KFD_PAGE, .phys_alignment = KFD_PAGE,
		.preferred_heap = AMDGPU_GEM_DOMAIN_GTT,
	};
	int ret = amdgpu_bo_alloc(u->dev, &req, &g->bo);

	if (!ret)
		ret = gem_place(u, g, KFD_PAGE);
	return ret ? ret : amdgpu_bo_cpu_map(g->bo, &g->cpu);
}

static int user_start(struct user *u)
{
	uint32_t major, minor;
	int ret;

	memset(u, 0, sizeof(*u));
	ret = kfd_start(&u->k);
	if (!ret)
		ret = amdgpu_device_initialize(u->k.gpu[0].drm_fd, &major, &minor, &u->dev);
	if (!ret)
		ret = amdgpu_cs_ctx_create(u->dev, &u->ctx);
	if (!ret)
		ret = gem_make(u, &u->ib);
	return ret ? ret : gem_make(u, &u->mem);
}

static volatile uint32_t *word(struct user *u, unsigned int n)
{
	return (volatile uint32_t *)u->mem.cpu + n;
}

static uint64_t word_va(struct user *u, unsigned int n)
{
	return u->mem.va + 4 * n;
}

static int submit(struct user *u, unsigned int dwords, uint64_t *seq)
{
	amdgpu_bo_handle bos[MAX_BOS + 2] = { u->ib.bo, u->mem.bo };
	struct amdgpu_cs_ib_info info = { .ib_mc_address = u->ib.va, .size = dwords };
	struct amdgpu_cs_request req = {
		.ip_type = AMDGPU_HW_IP_DMA, .number_of_ibs = 1, .ibs = &info,
	};
	int ret;

	memcpy(bos + 2, u->more, u->n_more * sizeof(*bos));
	ret = amdgpu_bo_list_create(u->dev, 2 + u->n_more, bos, NULL, &req.resources);
	if (ret)
		return ret;
	ret = amdgpu_cs_submit(u->ctx, 0, &req, 1);
	amdgpu_bo_list_destroy(req.resources);
	*seq = req.seq_no;
	return ret;
}

/* What the submission ended with; -EAGAIN: it has not. */
static int wait_job(struct user *u, uint64_t seq, uint64_t ms)
{
	struct amdgpu_cs_fence fence = {
		.ip_type = AMDGPU_HW_IP_DMA, .context = u->ctx, .fence = seq,
	};
	uint32_t expired = 0;
	int ret = amdgpu_cs_query_fence_status(&fence, ms * 1000000, 0, &expired);

	return ret ? ret : expired ? 0 : -EAGAIN;
}

/* Waits for words @first .. @first + @n - 1 of its memory, one after the other. */
static unsigned int polls(struct user *u, unsigned int first, unsigned int n)
{
	uint32_t *p = u->ib.cpu;
	unsigned int at = 0, i;

	for (i = first; i < first + n; i++)
		at += sdma_poll(p + at, GPU_CMP_EQUAL, word_va(u, i), 1, 0xffffffff);
	return at;
}

FIXTURE(drm_fair) { struct user u; };

/*
 * A test begins by user_start(), and one with a stranger after that has begun:
 * libdrm has one file for a node, which a child would use as well.
 */
FIXTURE_SETUP(drm_fair)
{
	self->u.k.fd = -1;
}

FIXTURE_TEARDOWN(drm_fair)
{
	kfd_stop(&self->u.k);
}

/* --- the ring ------------------------------------------------------------------- */

/* More of them than anybody wants to wait for. */
static int fills_ring(void *arg)
{
	volatile int *ready = arg;
	struct user u;
	uint64_t seq;
	int i, ret;

	ret = user_start(&u);
	for (i = 0; i < 20 && !ret; i++)
		ret = submit(&u, polls(&u, 0, 1), &seq);
	if (ret)
		return ret;
	*ready = 1;
	pause();
	return 0;
}

TEST_F_TIMEOUT(drm_fair, ring_of_a_stranger, 120)
{
	struct user *u = &self->u;
	volatile int *ready;
	uint64_t seq;
	pid_t pid;

	ready = mmap(NULL, KFD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)ready);
	pid = kfd_spawn(KFD_FORK, fills_ring, (void *)ready);
	ASSERT_LT(0, pid);
	ASSERT_OK(kfd_wait_flag(ready));
	ASSERT_OK(user_start(u));
	ASSERT_OK(submit(u, sdma_fence(u->ib.cpu, word_va(u, 0), 7), &seq));
	EXPECT_OK(wait_job(u, seq, 3000 * kfd_time_scale()));
	EXPECT_EQ(7, *word(u, 0));
	ASSERT_OK(kill(pid, SIGKILL));
	EXPECT_EQ(-EINTR, kfd_wait_child(pid));
	/* And what it leaves behind holds nobody. */
	ASSERT_OK(submit(u, sdma_fence(u->ib.cpu, word_va(u, 0), 8), &seq));
	EXPECT_OK(wait_job(u, seq, 3000 * kfd_time_scale()));
	EXPECT_EQ(8, *word(u, 0));
	munmap((void *)ready, KFD_PAGE);
}

/* Its own are done in their order, on whatever file. */
TEST_F_TIMEOUT(drm_fair, order_of_its_own, 60)
{
	struct user *u = &self->u;
	uint64_t first, second;
	unsigned int dwords;

	ASSERT_OK(user_start(u));
	ASSERT_OK(submit(u, polls(u, 1, 1), &first));
	/* The engine reads the commands when it comes to them. */
	u->ib.va += 2048;
	dwords = sdma_fence((uint32_t *)u->ib.cpu + 512, word_va(u, 0), 7);
	ASSERT_OK(submit(u, dwords, &second));
	EXPECT_EQ(-EAGAIN, wait_job(u, second, 200));
	EXPECT_EQ(0, *word(u, 0));
	*word(u, 1) = 1;
	EXPECT_OK(wait_job(u, second, PATIENCE));
	EXPECT_EQ(7, *word(u, 0));
	EXPECT_OK(wait_job(u, first, 0));
}

/* Each comes true in its time, and all of them take more than a job may wait. */
TEST_F_TIMEOUT(drm_fair, job_of_many_waits, 60)
{
	struct user *u = &self->u;
	uint64_t seq, begin = kfd_now_ms();
	int i, ret = -EAGAIN;

	ASSERT_OK(user_start(u));
	ASSERT_OK(submit(u, polls(u, 0, 8), &seq));
	for (i = 0; i < 8 && ret == -EAGAIN; i++) {
		ret = wait_job(u, seq, 2500);
		*word(u, i) = 1;
	}
	/* The time was over in the middle, not behind the last. */
	EXPECT_EQ(-ETIME, ret);
	EXPECT_GT(8, i);
	printf("# ended after %d waits and %llu ms\n", i,
	       (unsigned long long)(kfd_now_ms() - begin));
	/* It holds the ring no more. */
	ASSERT_OK(submit(u, sdma_fence(u->ib.cpu, word_va(u, 0), 9), &seq));
	EXPECT_OK(wait_job(u, seq, PATIENCE));
}

/* --- memory that it has registered ---------------------------------------------- */

TEST_F_TIMEOUT(drm_fair, notifier_of_many_buffers, 60)
{
	struct user *u = &self->u;
	uint64_t seq, begin, ms;
	int i;
	char *p;

	ASSERT_OK(user_start(u));
	p = mmap(NULL, KFD_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, p);
	*p = 1;
	for (i = 0; i < MAX_BOS; i++)
		ASSERT_OK(amdgpu_create_bo_from_user_mem(u->dev, p, KFD_PAGE, &u->more[i]));
	u->n_more = MAX_BOS;
	for (i = 0; i < 2; i++) {
		*word(u, 0) = 0;
		ASSERT_OK(submit(u, polls(u, 0, 1), &seq));
		begin = kfd_now_ms();
		ASSERT_EQ(0, madvise(p, KFD_PAGE, MADV_DONTNEED));
		ms = kfd_now_ms() - begin;
		printf("# memory of %d buffers changed after %llu ms\n", MAX_BOS,
		       (unsigned long long)ms);
		EXPECT_GT(2500, ms);
		*word(u, 0) = 1;
		EXPECT_OK(wait_job(u, seq, PATIENCE));
		*p = 1;
	}
	for (i = 0; i < MAX_BOS; i++)
		EXPECT_OK(amdgpu_bo_free(u->more[i]));
	munmap(p, KFD_PAGE);
}

/* --- another thread -------------------------------------------------------------- */

static void *submits_one_more(void *arg)
{
	struct user *u = arg;
	uint64_t seq;

	return (void *)(long)submit(u, polls(u, 0, 1), &seq);
}

TEST_F_TIMEOUT(drm_fair, waits_beside_a_submission, 60)
{
	struct user *u = &self->u;
	uint64_t first = 0, seq, begin, ms = 0;
	pthread_t thread;
	void *ret;
	int i;

	ASSERT_OK(user_start(u));
	for (i = 0; i < CTX_FENCES; i++)
		ASSERT_OK(submit(u, polls(u, 0, 1), i ? &seq : &first));
	/* There is no room for it before the first has ended. */
	ASSERT_EQ(0, pthread_create(&thread, NULL, submits_one_more, u));
	kfd_sleep_ms(300);
	begin = kfd_now_ms();
	EXPECT_EQ(-EAGAIN, wait_job(u, first, 1));
	ms = kfd_now_ms() - begin;
	EXPECT_GT(2000 * kfd_time_scale(), ms) TH_LOG("%llu ms", (unsigned long long)ms);
	*word(u, 0) = 1;
	ASSERT_EQ(0, pthread_join(thread, &ret));
	EXPECT_EQ(NULL, ret);
	EXPECT_OK(wait_job(u, seq, PATIENCE));
}

/* --- mappings --------------------------------------------------------------------- */

/**
 * struct maps - a process with many mappings
 * @n: how many
 * @ready: it has them
 * @go: it may take them away
 * @done: it has
 * @us: in so many microseconds
 */
struct maps {
	int n;
	volatile int ready, go, done;
	volatile uint64_t us;
};

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000ULL + t.tv_nsec / 1000;
}

static int takes_maps_away(void *arg)
{
	struct maps *m = arg;
	amdgpu_va_handle handle;
	uint64_t va, seq, begin;
	struct user u;
	int ret, i;

	ret = user_start(&u);
	if (!ret)
		ret = amdgpu_va_range_alloc(u.dev, amdgpu_gpu_va_range_general,
					    m->n * KFD_PAGE, KFD_PAGE, 0, &va, &handle, 0);
	for (i = 0; i < m->n && !ret; i++)
		ret = amdgpu_bo_va_op(u.mem.bo, 0, KFD_PAGE, va + i * KFD_PAGE, 0,
				      AMDGPU_VA_OP_MAP);
	/* The engine looks at memory of this address space again and again. */
	if (!ret)
		ret = submit(&u, polls(&u, 0, 1), &seq);
	if (ret)
		return ret;
	m->ready = 1;
	ret = kfd_wait_flag(&m->go);
	begin = now_us();
	if (!ret)
		ret = amdgpu_bo_va_op_raw(u.dev, NULL, 0, m->n * KFD_PAGE, va, 0,
					  AMDGPU_VA_OP_CLEAR);
	m->us = now_us() - begin;
	m->done = 1;
	return ret;
}

/* It takes its time. */
static int wait_ready(volatile int *ready)
{
	int i, ret = -ETIME;

	for (i = 0; i < 4 && ret; i++)
		ret = kfd_wait_flag(ready);
	return ret;
}

/* An engine that stands still for a stranger's mappings. */
TEST_F_TIMEOUT(drm_fair, mappings_of_a_stranger, 120)
{
	struct user *u = &self->u;
	uint64_t begin, us, worst = 0, rounds = 0;
	uint32_t p[16];
	struct kfd_queue q;
	struct maps *m;
	pid_t pid;

	m = mmap(NULL, KFD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)m);
	/* It takes longer to make them than to take them away. */
	m->n = MAPPINGS / kfd_time_scale();
	pid = kfd_spawn(KFD_FORK, takes_maps_away, m);
	ASSERT_LT(0, pid);
	ASSERT_OK(wait_ready(&m->ready));
	ASSERT_OK(user_start(u));
	/* The first queue is on the first engine, as the job is. */
	ASSERT_OK(kfd_queue_create(&u->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, 65536, &q));
	m->go = 1;
	while (!m->done) {
		begin = now_us();
		ASSERT_OK(kfd_queue_run(&q, p, sdma_fence(p, word_va(u, 1), ++rounds)));
		us = now_us() - begin;
		worst = us > worst ? us : worst;
	}
	EXPECT_OK(kfd_wait_child(pid));
	printf("# %d mappings gone in %llu us; %llu packets meanwhile, the slowest %llu us\n",
	       m->n, (unsigned long long)m->us, (unsigned long long)rounds,
	       (unsigned long long)worst);
	EXPECT_GT(m->us / 3 + 20000 * kfd_time_scale(), worst);
	EXPECT_OK(kfd_queue_destroy(&u->k, &q));
	munmap(m, KFD_PAGE);
}

KFD_TEST_MAIN_OURS
