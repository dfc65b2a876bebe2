// SPDX-License-Identifier: GPL-2.0-only
/*
 * The end of a file of /dev/kfd: what is limited in number does not wait for it.
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "lib/kfd_mem.h"
#include "lib/kfd_test.h"
#include "lib/kfd_workload.h"

#define PASIDS	"/sys/module/amdkfd/parameters/pasids_used"

KFD_FIXTURE(close);

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
