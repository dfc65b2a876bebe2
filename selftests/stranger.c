// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process whose memory does not come, or that is killed at a bad moment: nobody
 * else waits for it, and when it is killed it is gone.
 *
 * Memory that does not come is a page of a file whose server does not answer
 * (lib/kfd_slow.h). What this does to all processes at once when there are many of
 * them is measured by bench/.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/kfd_fdinfo.h"
#include "lib/kfd_mem.h"
#include "lib/kfd_slow.h"
#include "lib/kfd_svm.h"
#include "lib/kfd_test.h"
#include "lib/kfd_vaddr.h"

#define RING		65536
#define TAKEN		(32ULL << 20)	/* VRAM of the one that is killed */
#define AHEAD		32		/* pages */
#define SOON_MS		(10000 * kfd_time_scale())	/* not never */

/* Where the page is waited for. */
enum where {
	IN_RESTORE,	/* of queues that were evicted for it */
	IN_ALLOC,	/* of a userptr */
	IN_SET_ATTR,	/* of shared virtual memory, XNACK off */
	IN_FAULT,	/* of a GPU, XNACK on */
	IN_WAVE_STATE,	/* what is copied out to the caller */
	IN_CHECKPOINT,	/* likewise */
	IN_RESTORE_OP,	/* an image that is copied in */
};

struct shared {
	volatile int ready;	/* -1: no */
	volatile int kfd;
};

/* What a test shares with its child, and the VRAM that is taken before it. */
static int start(struct kfd *k, struct shared **shared, uint64_t *vram)
{
	int ret;

	*shared = mmap(NULL, KFD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (*shared == MAP_FAILED)
		return -errno;
	ret = kfd_start(k);
	return ret || !kfd_sim_present() ? ret : kfd_sim_get(0, "vram_used", vram);
}

FIXTURE(stranger)
{
	struct kfd k;
	struct kfd_slow slow;
	struct shared *shared;
	uint64_t vram;
	int slow_ret;
};

FIXTURE_VARIANT(stranger)
{
	enum where where;
	unsigned int ahead;
	bool locked;
};

/* No page is read ahead: whoever waits does not even hear SIGKILL. */
FIXTURE_VARIANT_ADD(stranger, restore)
{
	.where = IN_RESTORE, .ahead = 0,
};

FIXTURE_VARIANT_ADD(stranger, fault)
{
	.where = IN_FAULT, .ahead = 0,
};

/* The caller waits by itself, and can be killed as at a touch of the page. */
FIXTURE_VARIANT_ADD(stranger, alloc)
{
	.where = IN_ALLOC, .ahead = AHEAD,
};

FIXTURE_VARIANT_ADD(stranger, set_attr)
{
	.where = IN_SET_ATTR, .ahead = AHEAD,
};

/* Pages that are copied from or to; a pointer of the caller's is as good as memory. */
FIXTURE_VARIANT_ADD(stranger, wave_state)
{
	.where = IN_WAVE_STATE, .ahead = AHEAD,
};

FIXTURE_VARIANT_ADD(stranger, checkpoint)
{
	.where = IN_CHECKPOINT, .ahead = AHEAD,
};

FIXTURE_VARIANT_ADD(stranger, restore_op)
{
	.where = IN_RESTORE_OP, .ahead = AHEAD,
};

/* The process keeps its own mmap_lock: by a read of a page through /proc/self/mem. */
FIXTURE_VARIANT_ADD(stranger, alloc_without_mmap_lock)
{
	.where = IN_ALLOC, .ahead = AHEAD, .locked = true,
};

FIXTURE_VARIANT_ADD(stranger, set_attr_without_mmap_lock)
{
	.where = IN_SET_ATTR, .ahead = AHEAD, .locked = true,
};

FIXTURE_SETUP(stranger)
{
	/* before anything of KFD: the server is a child */
	self->slow_ret = kfd_slow_start(&self->slow, 64, variant->ahead);
	ASSERT_OK(start(&self->k, &self->shared, &self->vram));
}

FIXTURE_TEARDOWN(stranger)
{
	kfd_stop(&self->k);
	if (!self->slow_ret)
		kfd_slow_stop(&self->slow);
}

#define REQUIRE_SLOW() \
	do { \
		if (self->slow_ret == -ENODEV) \
			SKIP(return, "needs FUSE"); \
		ASSERT_OK(self->slow_ret); \
	} while (0)

/* How far keep_mmap_lock() is; no thread can be made once there is a writer. */
static volatile enum { MAKE_THREADS, READ, WRITE } lock_step;

static void *read_by_proc(void *page)
{
	int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	char c;

	while (lock_step < READ)
		kfd_sleep_ms(1);
	return pread(fd, &c, 1, (uintptr_t)page) == 1 ? NULL : page;
}

static void *map_something(void *unused)
{
	while (lock_step < WRITE)
		kfd_sleep_ms(1);
	mmap(NULL, KFD_PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return unused;
}

/*
 * The kernel waits for the page with mmap_lock held, and behind a writer no
 * reader gets it any more. Returns memory to be used instead of the page.
 */
static void *keep_mmap_lock(struct kfd_slow *slow, void *page)
{
	void *m = mmap(NULL, KFD_PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	pthread_t reader, writer;

	if (m == MAP_FAILED || pthread_create(&reader, NULL, read_by_proc, page) ||
	    pthread_create(&writer, NULL, map_something, NULL))
		return NULL;
	kfd_slow_block(slow);
	lock_step = READ;
	if (!kfd_slow_blocked(slow, PATIENCE))
		return NULL;
	lock_step = WRITE;
	/* It is in mmap() soon. Nothing tells. */
	kfd_sleep_ms(100);
	return m;
}

/* Copies from or to a page that does not come. */
static int copy_by_page(struct kfd *k, struct kfd_slow *slow, enum where where,
			struct shared *shared)
{
	void *page = kfd_slow_map_own(slow, 32);
	struct kfd_ioctl_criu_args args = {
		.priv_data = (uintptr_t)page, .priv_data_size = 256,
	};
	struct kfd_ioctl_get_queue_wave_state_args state = {
		.ctl_stack_address = (uintptr_t)page,
	};
	struct kfd_snapshot s = { 0 };
	struct kfd_queue q;
	int ret = 0;

	if (!page)
		return -ENOMEM;
	if (where == IN_WAVE_STATE) {
		ret = kfd_queue_create(k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, RING, &q);
		if (!ret)
			ret = kfd_queue_update(k, &q, q.ring.va, RING, 0);
		state.queue_id = q.id;
	} else if (where == IN_CHECKPOINT) {
		ret = kfd_criu_info(k->fd, &s.info);
		if (!ret)
			ret = kfd_snapshot_alloc(&s);
		kfd_snapshot_args(&s, &args);
		args.priv_data = (uintptr_t)page;
	}
	if (ret)
		return ret;
	kfd_slow_block(slow);
	shared->ready = 1;
	if (where == IN_WAVE_STATE)
		return kfd_call(k->fd, AMDKFD_IOC_GET_QUEUE_WAVE_STATE, &state);
	return kfd_criu_op(k->fd, &args, where == IN_CHECKPOINT ? KFD_CRIU_OP_CHECKPOINT :
								   KFD_CRIU_OP_RESTORE);
}

/* Never comes back, or with an error. */
static int miss_page(struct kfd *k, struct kfd_slow *slow, enum where where, bool locked,
		     struct shared *shared)
{
	void *page = kfd_slow_map(slow, 32);
	struct kfd_queue q;
	struct kfd_bo bo, safe;
	uint32_t p[16];
	int ret;

	if (page && locked)
		page = keep_mmap_lock(slow, page);
	if (!page)
		return -ENOMEM;
	switch (where) {
	case IN_RESTORE:
		ret = kfd_vaddr_bo_alloc(k, 0, MEM_USERPTR_RO, page, KFD_PAGE, &bo);
		if (!ret)
			ret = kfd_bo_map_gpu(k, &bo, 0);
		break;
	case IN_FAULT:
		ret = kfd_bo_create(k, 0, MEM_GTT, KFD_PAGE, &safe);
		if (!ret)
			ret = kfd_queue_create(k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &q);
		if (!ret)
			ret = kfd_queue_emit(&q, p, sdma_copy(p, safe.va, (uintptr_t)page, 8));
		if (!ret) {
			kfd_slow_block(slow);
			kfd_queue_submit(&q);
		}
		break;
	case IN_ALLOC:
		kfd_slow_block(slow);
		shared->ready = 1;
		ret = kfd_vaddr_bo_alloc(k, 0, MEM_USERPTR_RO, page, KFD_PAGE, &bo);
		return ret ? ret : -EILSEQ;
	case IN_SET_ATTR:
		kfd_slow_block(slow);
		shared->ready = 1;
		ret = kfd_svm_set1(k, page, KFD_PAGE, KFD_IOCTL_SVM_ATTR_ACCESS,
				   k->gpu[0].gpu_id);
		return ret ? ret : -EILSEQ;
	default:
		ret = copy_by_page(k, slow, where, shared);
		return ret ? ret : -EILSEQ;
	}
	if (ret)
		return ret;
	shared->ready = 1;
	for (;;)
		pause();
}

/*
 * A child that has VRAM, and waits for a page that does not come. The VRAM is not
 * mapped: a mapping lasts as long as the address space, and that as long as who
 * waits for a page of it.
 */
static void hostile(struct kfd_slow *slow, enum where where, bool locked,
		    struct shared *shared)
{
	struct kfd_bo vram;
	struct kfd k;
	int ret;

	/* The file system ends with the last that has this. */
	close(slow->dev);
	/* An image is for who has nothing. */
	ret = where == IN_RESTORE_OP ? kfd_open(&k) : kfd_start(&k);
	if (!ret && where == IN_FAULT && kfd_set_xnack(&k, 1) != 1)
		ret = -EOPNOTSUPP;
	if (!ret && where != IN_RESTORE_OP)
		ret = kfd_bo_alloc(&k, 0, MEM_VRAM, TAKEN, &vram);
	shared->kfd = k.fd;
	if (!ret)
		ret = miss_page(&k, slow, where, locked, shared);
	printf("# the child: %d\n", ret);
	fflush(stdout);
	shared->ready = -1;
	_exit(1);
}

/* Whether somebody else can read what the process has, soon. */
static bool fdinfo_is_read(pid_t pid, int fd)
{
	uint64_t end = kfd_now_ms() + SOON_MS;
	pid_t reader = fork();
	char text[8192];
	bool done = false;
	int status;

	if (!reader)
		_exit(kfd_fdinfo_read(pid, fd, text, sizeof(text)) ? 1 : 0);
	while (!done && kfd_now_ms() < end) {
		done = waitpid(reader, &status, WNOHANG) == reader;
		kfd_sleep_ms(5);
	}
	if (!done) {
		kill(reader, SIGKILL);
		waitpid(reader, NULL, 0);
	}
	return done && WIFEXITED(status) && !WEXITSTATUS(status);
}

/* Memory of our own that goes and comes: our queues are evicted, and restored. */
static int evicted_and_back(struct kfd *k)
{
	struct kfd_queue q;
	struct kfd_bo bo, safe;
	uint32_t p[16];
	char *m = mmap(NULL, KFD_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int ret = m == MAP_FAILED ? -ENOMEM : 0;

	if (!ret) {
		m[0] = 1;
		ret = kfd_bo_create(k, 0, MEM_GTT, KFD_PAGE, &safe);
	}
	if (!ret)
		ret = kfd_queue_create(k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &q);
	if (!ret)
		ret = kfd_bo_userptr(k, 0, m, KFD_PAGE, &bo);
	if (!ret)
		ret = kfd_bo_map_gpu(k, &bo, 0);
	if (ret)
		return ret;
	mprotect(m, KFD_PAGE, PROT_READ);
	mprotect(m, KFD_PAGE, PROT_READ | PROT_WRITE);
	m[0] = 2;
	ret = kfd_queue_emit(&q, p, sdma_fence(p, safe.va, 1));
	if (!ret) {
		kfd_queue_submit(&q);
		ret = kfd_queue_wait(&q, SOON_MS);
	}
	kfd_queue_destroy(k, &q);
	kfd_bo_destroy(k, &bo);
	kfd_bo_destroy(k, &safe);
	munmap(m, KFD_PAGE);
	return ret;
}

static bool vram_is_back(uint64_t before)
{
	uint64_t end = kfd_now_ms() + SOON_MS, now = UINT64_MAX;

	while (now > before && kfd_now_ms() < end) {
		if (kfd_sim_get(0, "vram_used", &now))
			return false;
		kfd_sleep_ms(5);
	}
	return now <= before;
}

TEST_F_TIMEOUT(stranger, page_that_does_not_come, 60)
{
	pid_t pid;

	REQUIRE_OURS();
	REQUIRE_SIM();
	REQUIRE_SLOW();
	if (variant->where == IN_FAULT && kfd_set_xnack(&self->k, -1) < 0)
		SKIP(return, "a GPU that cannot wait for pages");
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid)
		hostile(&self->slow, variant->where, variant->locked, self->shared);
	while (!self->shared->ready)
		kfd_sleep_ms(5);
	ASSERT_EQ(1, self->shared->ready);
	if (variant->where == IN_RESTORE) {
		kfd_slow_block(&self->slow);
		ASSERT_OK(kfd_slow_drop(&self->slow));
	}
	ASSERT_GE(kfd_slow_blocked(&self->slow, PATIENCE), 1);
	EXPECT_TRUE(fdinfo_is_read(pid, self->shared->kfd));
	EXPECT_OK(evicted_and_back(&self->k));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	/* Who reads through /proc heeds no signal. */
	if (variant->locked) {
		kfd_slow_stop(&self->slow);
		self->slow_ret = -ESHUTDOWN;
	}
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	EXPECT_TRUE(vram_is_back(self->vram));
	EXPECT_OK(evicted_and_back(&self->k));
}

/* --- killed ---------------------------------------------------------------- */

#define QUEUES		4
#define PACKETS		60
#define BLOCK		(128ULL << 20)	/* what one fault brings in */
#define SLICE		(PACKETS * BLOCK)

FIXTURE(killed)
{
	struct kfd k;
	struct shared *shared;
	uint64_t vram;
};

FIXTURE_SETUP(killed)
{
	ASSERT_OK(start(&self->k, &self->shared, &self->vram));
}

FIXTURE_TEARDOWN(killed)
{
	kfd_stop(&self->k);
}

/* Queues each of whose packets misses a block that nobody has touched. */
static int keep_missing(struct kfd *k, struct shared *shared)
{
	struct kfd_queue q[QUEUES];
	struct kfd_bo safe;
	uint32_t p[16];
	uint64_t i, j;
	char *m;
	int ret;

	m = mmap(NULL, SLICE * QUEUES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		 0);
	if (m == MAP_FAILED)
		return -errno;

	madvise(m, SLICE * QUEUES, MADV_NOHUGEPAGE);
	ret = kfd_bo_create(k, 0, MEM_GTT, KFD_PAGE, &safe);
	if (!ret)
		ret = kfd_svm_set1(k, m, SLICE * QUEUES, KFD_IOCTL_SVM_ATTR_GRANULARITY, 15);
	for (i = 0; i < QUEUES && !ret; i++) {
		ret = kfd_queue_create(k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &q[i]);
		for (j = 0; j < PACKETS && !ret; j++)
			ret = kfd_queue_emit(&q[i], p,
					     sdma_copy(p, safe.va, (uintptr_t)m + i * SLICE +
						       j * BLOCK, 8));
		if (!ret)
			kfd_queue_submit(&q[i]);
	}
	if (ret)
		return ret;
	shared->ready = 1;
	for (;;)
		pause();
}

/* There is always one more fault to serve: the process has to end between two. */
TEST_F_TIMEOUT(killed, while_pages_are_missed, 60)
{
	struct kfd_bo vram;
	struct kfd k;
	pid_t pid;

	REQUIRE_OURS();
	REQUIRE_SIM();
	if (kfd_set_xnack(&self->k, -1) < 0)
		SKIP(return, "a GPU that cannot wait for pages");
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		int ret = kfd_start(&k);

		if (!ret && kfd_set_xnack(&k, 1) != 1)
			ret = -EOPNOTSUPP;
		if (!ret)
			ret = kfd_bo_alloc(&k, 0, MEM_VRAM, TAKEN, &vram);
		if (!ret)
			ret = keep_missing(&k, self->shared);
		self->shared->ready = ret;
		_exit(1);
	}
	while (!self->shared->ready)
		kfd_sleep_ms(5);
	ASSERT_EQ(1, self->shared->ready);
	kfd_sleep_ms(500);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	EXPECT_TRUE(vram_is_back(self->vram));
}

/* --- memory that the kernel itself does not reach --------------------------- */

#ifndef __NR_memfd_secret
#define __NR_memfd_secret 447
#endif

/* It is in no page table of the kernel's: a copy of it was a panic. */
TEST_F(killed, secret_memory)
{
	struct kfd *k = &self->k;
	int fd = syscall(__NR_memfd_secret, O_CLOEXEC);
	struct kfd_bo bo;
	char *m;

	REQUIRE_OURS();
	if (fd < 0)
		SKIP(return, "memfd_secret() is off here (secretmem.enable)");
	ASSERT_EQ(0, ftruncate(fd, 4 * KFD_PAGE));
	m = mmap(NULL, 4 * KFD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, (void *)m);
	memset(m, 0x5a, 4 * KFD_PAGE);
	EXPECT_ERR(EFAULT, kfd_bo_userptr(k, 0, m, 4 * KFD_PAGE, &bo));
	EXPECT_ERR(EFAULT, kfd_vaddr_bo_alloc(k, 0, MEM_USERPTR_RO, m, 4 * KFD_PAGE, &bo));
	EXPECT_ERR(EFAULT, kfd_svm_set1(k, m, 4 * KFD_PAGE, KFD_IOCTL_SVM_ATTR_ACCESS,
					k->gpu[0].gpu_id));
	munmap(m, 4 * KFD_PAGE);
	close(fd);
}

KFD_TEST_MAIN
