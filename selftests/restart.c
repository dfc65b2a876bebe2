// SPDX-License-Identifier: GPL-2.0-only
/*
 * One process after the other, each with nearly all there is: when one has
 * been killed and waited for, what it had is there for the next.
 */
#include <amdgpu_drm.h>
#include <drm.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "lib/kfd_mem.h"
#include "lib/kfd_step.h"
#include "lib/kfd_svm.h"
#include "lib/kfd_test.h"
#include "lib/kfd_workload.h"

#define MIB	(1ULL << 20)
#define PARAM	"/sys/module/amdkfd/parameters/"
#define STARTS	40
#define RING	65536

static uint64_t param(const char *path)
{
	char text[64] = "";

	return kfd_read_text(path, text, sizeof(text)) ? UINT64_MAX : strtoull(text, NULL, 10);
}

static uint64_t waits(void)
{
	return param(PARAM "teardown_waits");
}

/* Nine tenths of the VRAM of the first GPU. */
static uint64_t most_of(const struct kfd *k)
{
	return k->gpu[0].vram / 10 * 9 / (2 * MIB) * (2 * MIB);
}

/**
 * struct job - what each process of a row takes
 * @take: takes it; 0 or a negative errno; NULL: restore the image
 * @s: an image, for those that restore
 * @image: where it is handed on
 * @step: where something else failed
 */
struct job {
	int (*take)(struct job *job, struct kfd *k);
	struct kfd_snapshot s;
	int image;
	int step;
};

static int take_vram(struct job *job, struct kfd *k)
{
	struct kfd_bo bo;

	return kfd_bo_alloc(k, 0, MEM_VRAM, most_of(k), &bo);
}

/* Exported: the dma-buf keeps it too, until its file is closed. */
static int take_exported(struct job *job, struct kfd *k)
{
	struct drm_prime_handle prime = { .flags = DRM_CLOEXEC | DRM_RDWR };
	union drm_amdgpu_gem_create make = {
		.in = { .bo_size = most_of(k), .alignment = KFD_PAGE,
			.domains = AMDGPU_GEM_DOMAIN_VRAM },
	};
	int ret = kfd_call(k->gpu[0].drm_fd, DRM_IOCTL_AMDGPU_GEM_CREATE, &make);

	prime.handle = make.out.handle;
	return ret ? ret : kfd_call(k->gpu[0].drm_fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime);
}

static int take_gem(struct job *job, struct kfd *k)
{
	union drm_amdgpu_gem_create make = {
		.in = { .bo_size = most_of(k), .alignment = KFD_PAGE,
			.domains = AMDGPU_GEM_DOMAIN_VRAM },
	};

	return kfd_call(k->gpu[0].drm_fd, DRM_IOCTL_AMDGPU_GEM_CREATE, &make);
}

/* Many, with CPU mappings and a queue that works on one of them. */
static int take_busy(struct job *job, struct kfd *k)
{
	uint64_t piece = most_of(k) / 16 / KFD_PAGE * KFD_PAGE;
	struct kfd_queue q;
	struct kfd_bo bo;
	uint32_t p[8];
	int i, ret = 0;

	for (i = 0; i < 16 && !ret; i++)
		ret = kfd_bo_create(k, 0, MEM_VRAM, piece, &bo);
	if (!ret)
		ret = kfd_queue_create(k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &q);
	if (!ret)
		ret = kfd_queue_emit(&q, p, sdma_fill(p, bo.va, 1, SDMA_COPY_MAX));
	if (!ret)
		kfd_queue_submit(&q);
	return ret;
}

/* All queues that the SDMA engines have. */
static int take_queues(struct job *job, struct kfd *k)
{
	unsigned int i, n = k->gpu[0].sdma_engines * k->gpu[0].sdma_queues;
	struct kfd_queue q;
	int ret = 0;

	for (i = 0; i < n && !ret; i++)
		ret = kfd_queue_create(k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &q);
	return ret;
}

/* System memory up to the limit. */
static int take_system(struct job *job, struct kfd *k)
{
	struct kfd_bo bo;
	int ret = kfd_bo_alloc(k, 0, MEM_GTT, 20 * MIB, &bo);
	void *mem;

	return ret ? ret : kfd_svm_alloc(k, 11 * MIB, 0, &mem);
}

static int restore_image(struct job *job)
{
	struct kfd now = { 0 };
	int ret = kfd_snapshot_open(&now, &job->s);

	return ret ? ret : kfd_snapshot_restore_op(&now, &job->s);
}

/* A process that takes it, says how that went, and waits to be killed. */
static pid_t start(struct job *job, int ready)
{
	pid_t pid = fork();
	struct kfd k;
	int ret;

	if (pid)
		return pid;
	if (!job->take)
		ret = restore_image(job);
	else
		ret = kfd_start(&k) ?: job->take(job, &k);
	if (write(ready, &ret, sizeof(ret)) == sizeof(ret))
		pause();
	_exit(1);
}

/* @n processes, each killed and waited for before the next; how many failed. */
static int row(struct job *job, int n, int *err)
{
	int ready[2], failed = 0, ret;
	pid_t pid;

	if (pipe(ready))
		return -1;
	while (n--) {
		pid = start(job, ready[1]);
		if (pid < 0 || read(ready[0], &ret, sizeof(ret)) != sizeof(ret))
			return -1;
		if (ret) {
			*err = ret;
			failed++;
		}
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	close(ready[0]);
	close(ready[1]);
	return failed;
}

FIXTURE(restart)
{
	struct job job;
};

FIXTURE_VARIANT(restart)
{
	int (*take)(struct job *job, struct kfd *k);
	const char *limit;
	bool waits;
};

FIXTURE_VARIANT_ADD(restart, vram) { .take = take_vram, .waits = true };
FIXTURE_VARIANT_ADD(restart, exported) { .take = take_exported };
FIXTURE_VARIANT_ADD(restart, render_node) { .take = take_gem };
FIXTURE_VARIANT_ADD(restart, busy) { .take = take_busy };
FIXTURE_VARIANT_ADD(restart, queues) { .take = take_queues };
FIXTURE_VARIANT_ADD(restart, system_memory) { .take = take_system, .limit = "32" };

FIXTURE_SETUP(restart)
{
	REQUIRE_OURS();
	self->job.take = variant->take;
	if (variant->limit)
		ASSERT_OK(kfd_write_text(PARAM "system_mem_limit_mb", variant->limit));
}

FIXTURE_TEARDOWN(restart)
{
	kfd_write_text(PARAM "system_mem_limit_mb", "0");
}

TEST_F_TIMEOUT(restart, at_once, 120)
{
	uint64_t before = waits();
	int err = 0;

	EXPECT_EQ(0, row(&self->job, STARTS, &err)) TH_LOG("the last: %s", strerror(-err));
	/* Some have waited, or this would prove nothing. */
	if (variant->waits)
		EXPECT_GT(waits(), before);
}

/* --- restore ---------------------------------------------------------------- */

/* The image alone: what is in the buffer does not matter. */
static int dump_most(void *arg)
{
	struct job *job = arg;
	struct kfd_snapshot s;
	struct kfd_bo bo;
	struct kfd k;

	STEP(job, kfd_start(&k));
	STEP(job, kfd_bo_alloc(&k, 0, MEM_VRAM, most_of(&k), &bo));
	STEP(job, kfd_bo_map_gpu(&k, &bo, 0));
	STEP(job, kfd_snapshot_checkpoint(k.fd, &s));
	kfd_snapshot_close_fds(&s);
	STEP(job, kfd_snapshot_write(&s, job->image));
	return 0;
}

TEST(restored_at_once)
{
	struct job *job = mmap(NULL, sizeof(*job), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int err = 0;

	REQUIRE_OURS();
	ASSERT_NE(MAP_FAILED, job);
	job->image = memfd_create("image", MFD_CLOEXEC);
	ASSERT_OK(kfd_in_child(dump_most, job)) TH_LOG("line %d", job->step);
	ASSERT_EQ(0, lseek(job->image, 0, SEEK_SET));
	ASSERT_OK(kfd_snapshot_read(&job->s, job->image));
	EXPECT_EQ(0, row(job, STARTS, &err)) TH_LOG("the last: %s", strerror(-err));
}

/* --- when nobody ends, and when nobody may wait ------------------------------ */

TEST(at_once_when_nobody_ends)
{
	struct kfd_bo bo, more;
	struct kfd k;
	uint64_t before;

	REQUIRE_OURS();
	ASSERT_OK(kfd_start(&k));
	ASSERT_OK(kfd_bo_alloc(&k, 0, MEM_VRAM, most_of(&k), &bo));
	before = waits();
	EXPECT_ERR(ENOMEM, kfd_bo_alloc(&k, 0, MEM_VRAM, most_of(&k), &more));
	EXPECT_EQ(before, waits());
	/* One that has ended long ago is nobody. */
	EXPECT_OK(kfd_bo_free(&k, &bo));
	EXPECT_OK(kfd_bo_alloc(&k, 0, MEM_VRAM, most_of(&k), &bo));
	EXPECT_EQ(before, waits());
	kfd_stop(&k);
}

/* Takes nearly all and has a queue that hangs. */
static int take_and_hang(struct job *job, struct kfd *k)
{
	struct kfd_queue q;
	uint32_t p[8];
	int ret = kfd_queue_create(k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &q);

	if (!ret)
		ret = kfd_sim_set(0, "hang_queue", "-1");
	if (!ret)
		ret = kfd_queue_emit(&q, p, sdma_fence(p, q.ptrs.va + 0x200, 1));
	if (!ret)
		kfd_queue_submit(&q);
	return ret ? ret : take_vram(job, k);
}

static bool is_waiting(pid_t pid)
{
	char path[64], stack[4096] = "";

	snprintf(path, sizeof(path), "/proc/%d/stack", pid);
	return !kfd_read_text(path, stack, sizeof(stack)) && strstr(stack, "kfd_gpu_retry");
}

/*
 * The end of a process whose queue hangs takes as long as the preemption may.
 * Who waits for it can be killed, and leaves while that end is still to come.
 * (Its own end is another matter: it needs the lock that preempting holds.)
 */
TEST(a_wait_is_killable)
{
	struct job hang = { .take = take_and_hang }, want = { .take = take_vram };
	uint64_t stop = kfd_now_ms() + PATIENCE;
	int ready[2], unused[2], ret;
	pid_t victim, waiter;

	REQUIRE_OURS();
	REQUIRE_SIM();
	ASSERT_EQ(0, pipe(ready));
	ASSERT_EQ(0, pipe(unused));
	victim = start(&hang, ready[1]);
	ASSERT_GT(victim, 0);
	ASSERT_EQ(sizeof(ret), read(ready[0], &ret, sizeof(ret)));
	ASSERT_EQ(0, ret);
	kfd_sleep_ms(20);
	kill(victim, SIGKILL);
	kfd_sleep_ms(50);
	waiter = start(&want, unused[1]);
	while (!is_waiting(waiter) && kfd_now_ms() < stop)
		kfd_sleep_ms(1);
	EXPECT_TRUE(is_waiting(waiter));
	kill(waiter, SIGKILL);
	while (is_waiting(waiter) && kfd_now_ms() < stop)
		kfd_sleep_ms(1);
	EXPECT_EQ(0, waitpid(victim, NULL, WNOHANG));
	EXPECT_EQ(waiter, waitpid(waiter, NULL, 0));
	EXPECT_EQ(victim, waitpid(victim, NULL, 0));
	EXPECT_OK(kfd_sim_set(0, "hang_queue", "-2"));
	/* And now it is there. */
	EXPECT_EQ(0, row(&want, 1, &ret));
}

KFD_TEST_MAIN
