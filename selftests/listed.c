// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/class/kfd/kfd/proc: which processes have a context, and whether there is
 * anything in it; also when no file leads to it.
 */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "lib/kfd_test.h"
#include "lib/kfd_workload.h"

#define PROC		"/sys/class/kfd/kfd/proc"
#define GONE_MS		20000

KFD_FIXTURE(listed);

/* A word of the file "state" of a process, or -1. */
static long state_of(pid_t pid, const char *word)
{
	char path[80], name[32];
	long value, found = -1;
	FILE *f;

	snprintf(path, sizeof(path), PROC "/%d/state", pid);
	f = fopen(path, "re");
	if (!f)
		return -1;
	while (fscanf(f, "%31s %ld", name, &value) == 2)
		if (!strcmp(name, word))
			found = value;
	fclose(f);
	return found;
}

/* A file with a number; @gpu 0: none that is of a GPU. -1: there is none. */
static long long number_of(pid_t pid, const char *name, uint32_t gpu)
{
	long long value = -1;
	char path[80];
	FILE *f;

	if (gpu)
		snprintf(path, sizeof(path), PROC "/%d/%s_%u", pid, name, gpu);
	else
		snprintf(path, sizeof(path), PROC "/%d/%s", pid, name);
	f = fopen(path, "re");
	if (!f)
		return -1;
	if (fscanf(f, "%lld", &value) != 1)
		value = -2;
	fclose(f);
	return value;
}

static bool is_listed(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), PROC "/%d", pid);
	return !access(path, F_OK);
}

static bool goes(pid_t pid)
{
	uint64_t end = kfd_now_ms() + GONE_MS;

	while (is_listed(pid)) {
		if (kfd_now_ms() > end)
			return false;
		kfd_sleep_ms(10);
	}
	return true;
}

TEST_F(listed, what_mainline_has)
{
	struct kfd_bo vram, gtt;
	pid_t self_pid = getpid();
	int i;

	REQUIRE_OURS();
	ASSERT_TRUE(is_listed(self_pid));
	EXPECT_GT(number_of(self_pid, "pasid", 0), 0);
	for (i = 0; i < self->k.num_gpus; i++) {
		EXPECT_EQ(0, number_of(self_pid, "vram", self->k.gpu[i].gpu_id));
		EXPECT_EQ(0, number_of(self_pid, "sdma", self->k.gpu[i].gpu_id));
	}
	ASSERT_OK(kfd_bo_alloc(&self->k, 0, MEM_VRAM, 5 * KFD_PAGE, &vram));
	ASSERT_OK(kfd_bo_alloc(&self->k, 0, MEM_GTT, 3 * KFD_PAGE, &gtt));
	EXPECT_EQ(5 * KFD_PAGE, number_of(self_pid, "vram", self->k.gpu[0].gpu_id));
	if (self->k.num_gpus > 1)
		EXPECT_EQ(0, number_of(self_pid, "vram", self->k.gpu[1].gpu_id));
}

TEST_F(listed, state_without_a_file)
{
	struct kfd_ioctl_create_event_args ev;
	pid_t self_pid = getpid();
	int again;

	REQUIRE_OURS();
	EXPECT_EQ(self_pid, state_of(self_pid, "pid"));
	EXPECT_EQ(1, state_of(self_pid, "files"));
	EXPECT_EQ(self->k.num_gpus, state_of(self_pid, "vms"));
	EXPECT_EQ(0, state_of(self_pid, "objects"));
	EXPECT_EQ(0, state_of(self_pid, "settings"));
	ASSERT_OK(kfd_event_create(&self->k, KFD_IOC_EVENT_SIGNAL, true, &ev));
	EXPECT_EQ(1, state_of(self_pid, "objects"));
	again = open("/dev/kfd", O_RDWR | O_CLOEXEC);
	ASSERT_GE(again, 0);
	EXPECT_EQ(2, state_of(self_pid, "files"));
	ASSERT_OK(close(again));
	ASSERT_OK(close(self->k.fd));
	EXPECT_EQ(0, state_of(self_pid, "files"));
	EXPECT_EQ(self->k.num_gpus, state_of(self_pid, "vms"));
	EXPECT_EQ(1, state_of(self_pid, "objects"));
	self->k.fd = open("/dev/kfd", O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->k.fd, 0);
	EXPECT_OK(kfd_event_destroy(&self->k, ev.event_id));
	EXPECT_EQ(0, state_of(self_pid, "objects"));
}

/* Opened to see whether it can be: there is nothing to lose. */
static int look_only(void *arg)
{
	int fd = open("/dev/kfd", O_RDWR | O_CLOEXEC);

	if (fd < 0 || close(fd))
		return -errno;
	if (state_of(getpid(), "files") || state_of(getpid(), "vms") ||
	    state_of(getpid(), "objects") || state_of(getpid(), "settings"))
		return -EPROTO;
	return 0;
}

TEST_F(listed, nothing_in_it)
{
	REQUIRE_OURS();
	EXPECT_OK(kfd_in_child(look_only, NULL));
}

TEST_F(listed, until_the_end)
{
	pid_t child;
	int status;

	REQUIRE_OURS();
	child = fork();
	ASSERT_GE(child, 0);
	if (!child) {
		open("/dev/kfd", O_RDWR | O_CLOEXEC);
		pause();
	}
	/* A child has none before it opens the file. */
	while (!is_listed(child) && !waitpid(child, &status, WNOHANG))
		kfd_sleep_ms(5);
	EXPECT_EQ(child, state_of(child, "pid"));
	ASSERT_OK(kill(child, SIGKILL));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_TRUE(goes(child));
	EXPECT_TRUE(is_listed(getpid()));
}

/* A child that runs this program so often, each time in a new context; its status. */
static int run_again(const char *times, pid_t *child)
{
	int status;

	*child = fork();
	if (!*child) {
		execl("/proc/self/exe", "listed", "--again", times, NULL);
		_exit(99);
	}
	return *child > 0 && waitpid(*child, &status, 0) == *child ? status : -1;
}

/* Again and again under the same pid: the old context ends while the new begins. */
TEST_F_TIMEOUT(listed, over_an_exec, 60)
{
	pid_t child;

	REQUIRE_OURS();
	EXPECT_EQ(0, run_again("20", &child));
	EXPECT_TRUE(goes(child));
}

static int exec_again(const char *count)
{
	int fd = open("/dev/kfd", O_RDWR | O_CLOEXEC), left = atoi(count);
	char next[16];

	if (fd < 0)
		return 1;
	if (state_of(getpid(), "files") != 1)
		return 2;
	if (!left)
		return 0;
	snprintf(next, sizeof(next), "%d", left - 1);
	execl("/proc/self/exe", "listed", "--again", next, NULL);
	return 3;
}

static void *read_all(void *arg)
{
	volatile bool *stop = arg;
	struct dirent *de;
	DIR *d;

	while (!*stop) {
		d = opendir(PROC);
		while (d && (de = readdir(d)))
			if (atoi(de->d_name) > 0) {
				state_of(atoi(de->d_name), "pid");
				number_of(atoi(de->d_name), "pasid", 0);
			}
		if (d)
			closedir(d);
	}
	return NULL;
}

/* Processes come and go while somebody reads. */
TEST_F_TIMEOUT(listed, read_while_they_end, 60)
{
	volatile bool stop = false;
	pthread_t reader[2];
	pid_t child;
	int i;

	REQUIRE_OURS();
	for (i = 0; i < 2; i++)
		ASSERT_OK(pthread_create(&reader[i], NULL, read_all, (void *)&stop));
	for (i = 0; i < 40; i++)
		ASSERT_EQ(0, run_again("1", &child));
	EXPECT_TRUE(goes(child));
	stop = true;
	for (i = 0; i < 2; i++)
		ASSERT_OK(pthread_join(reader[i], NULL));
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "--again"))
		return exec_again(argv[2]);
	return kfd_test_main(argc, argv);
}
