// SPDX-License-Identifier: GPL-2.0-only
/*
 * The end of a file of /dev/kfd: closing it waits for nobody, and what is limited
 * in number does not wait for it.
 */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/kfd_fdinfo.h"
#include "lib/kfd_mem.h"
#include "lib/kfd_test.h"
#include "lib/kfd_workload.h"

#define PASIDS	"/sys/module/amdkfd/parameters/pasids_used"

KFD_FIXTURE(close);

#define MISSING	(64 << 10)

/* --- a close while somebody is inside the process ------------------------------ */

/**
 * struct inside - a thread that is in CHECKPOINT until a page comes
 * @fd: the file that it does that by
 * @args: with an array in @missing
 * @ret: what CHECKPOINT said
 * @missing: memory whose pages somebody has to bring
 * @uffd: who misses one is told here
 * @close_ms: how long the close of the other file has taken
 */
struct inside {
	int fd;
	struct kfd_ioctl_criu_args args;
	int ret;
	char *missing;
	int uffd;
	volatile uint64_t close_ms;
};

static void *is_inside(void *arg)
{
	struct inside *in = arg;

	in->ret = kfd_criu_op(in->fd, &in->args, KFD_CRIU_OP_CHECKPOINT);
	return NULL;
}

static int missing_make(struct inside *in)
{
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_api api = { .api = UFFD_API };

	in->uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (in->uffd < 0)
		return -errno;
	in->missing = mmap(NULL, MISSING, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);
	if (in->missing == MAP_FAILED)
		return -errno;
	reg.range.start = (uintptr_t)in->missing;
	reg.range.len = MISSING;
	return ioctl(in->uffd, UFFDIO_API, &api) || ioctl(in->uffd, UFFDIO_REGISTER, &reg) ?
	       -errno : 0;
}

static int missing_bring(struct inside *in)
{
	struct uffdio_zeropage zero = { .range = { (uintptr_t)in->missing, MISSING } };

	return ioctl(in->uffd, UFFDIO_ZEROPAGE, &zero) ? -errno : 0;
}

/* Until somebody has asked for a page. */
static int missing_wait(struct inside *in)
{
	struct uffd_msg msg;

	return read(in->uffd, &msg, sizeof(msg)) == sizeof(msg) ? 0 : -errno;
}

static void *closes(void *arg)
{
	struct inside *in = arg;
	uint64_t begin = kfd_now_ms();
	int fd = in->fd;

	close(fd);
	in->close_ms = kfd_now_ms() - begin + 1;
	return NULL;
}

static int wait_unpaused(int fd)
{
	uint64_t end = kfd_now_ms() + PATIENCE;
	char text[8192];

	for (;;) {
		int ret = kfd_fdinfo_read(getpid(), fd, text, sizeof(text));

		if (ret)
			return ret;
		if (!kfd_fdinfo_value(text, "kfd-paused"))
			return 0;
		if (kfd_now_ms() > end)
			return -ETIME;
		kfd_sleep_ms(1);
	}
}

TEST_F_TIMEOUT(close, waits_for_nobody_in_the_process, 60)
{
	struct inside in = { .fd = self->k.fd }, other = {};
	pthread_t threads[2];
	struct kfd_snapshot s;
	int i;

	/* Paused by a file, and looked at by another. */
	memset(&s, 0, sizeof(s));
	other.fd = open("/dev/kfd", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, other.fd);
	ASSERT_OK(missing_make(&in));
	ASSERT_OK(kfd_criu_info(other.fd, &s.info));
	ASSERT_OK(kfd_snapshot_alloc(&s));
	ASSERT_GE(MISSING, s.info.priv_data_size);
	kfd_snapshot_args(&s, &in.args);
	in.args.priv_data = (uintptr_t)in.missing;
	ASSERT_EQ(0, pthread_create(&threads[0], NULL, is_inside, &in));
	ASSERT_OK(missing_wait(&in));
	ASSERT_EQ(0, pthread_create(&threads[1], NULL, closes, &other));
	for (i = 0; i < 2000 * kfd_time_scale() && !other.close_ms; i++)
		kfd_sleep_ms(1);
	EXPECT_NE(0, other.close_ms) TH_LOG("close() waits");
	EXPECT_OK(missing_bring(&in));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	EXPECT_OK(in.ret);
	/* It has ended the pause all the same. */
	EXPECT_OK(wait_unpaused(self->k.fd));
	kfd_snapshot_free(&s);
	munmap(in.missing, MISSING);
	close(in.uffd);
}

/* --- what is limited in number -------------------------------------------------- */

static uint64_t pasids_used(void)
{
	char text[32] = "";

	return kfd_read_text(PASIDS, text, sizeof(text)) ? UINT64_MAX : strtoull(text, NULL, 10);
}

static int wait_pasids(uint64_t n)
{
	uint64_t end = kfd_now_ms() + PATIENCE;

	while (pasids_used() != n) {
		if (kfd_now_ms() > end)
			return -ETIME;
		kfd_sleep_ms(1);
	}
	return 0;
}

/**
 * struct held - a process with a file that somebody else takes
 * @fd: the file
 * @ready: it has one
 */
struct held {
	int fd;
	volatile int ready;
};

static int has_a_file(void *arg)
{
	struct held *held = arg;
	struct kfd k;
	int ret = kfd_open(&k);

	if (ret)
		return ret;
	held->fd = k.fd;
	held->ready = 1;
	pause();
	return 0;
}

TEST_F_TIMEOUT(close, number_of_processes, 60)
{
	struct held *held;
	pid_t pid;
	int fd;

	/* Nobody but this process; others may just be ending. */
	ASSERT_OK(wait_pasids(1));
	held = mmap(NULL, KFD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)held);
	pid = kfd_spawn(KFD_FORK, has_a_file, held);
	ASSERT_LT(0, pid);
	ASSERT_OK(kfd_wait_flag(&held->ready));
	EXPECT_EQ(2, pasids_used());
	fd = kfd_steal_fd(pid, held->fd);
	ASSERT_LE(0, fd);
	ASSERT_OK(kill(pid, SIGKILL));
	EXPECT_EQ(-EINTR, kfd_wait_child(pid));
	/* It is taken down, whoever has a file of it. */
	EXPECT_OK(wait_pasids(1));
	close(fd);
	kfd_sleep_ms(50);
	EXPECT_EQ(1, pasids_used());
	munmap(held, KFD_PAGE);
}

KFD_TEST_MAIN_OURS
