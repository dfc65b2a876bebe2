// SPDX-License-Identifier: GPL-2.0-only
/*
 * Modes of gpu_user in which a process holds files that are not its own:
 *
 *	orphan		a child with its parent's files of /dev/kfd and of a render
 *			node, which it neither opened nor can use; the parent,
 *			whose GPU state it was, is gone
 *	orphan_exec	the same, and the child has executed another program
 *	inherited	a child with its parent's files, and the parent with buffers
 *	outside		the same, to be dumped without the parent
 *
 * "pid N" in the result is the process to be dumped.
 */
#define _GNU_SOURCE
#include "gpu_user.h"

#include <fcntl.h>
#include <libdrm/drm.h>
#include <linux/kfd_ioctl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "lib/kfd_lib.h"

#define SIZE	(4 * KFD_PAGE)
#define SEED	11

/* A file of /dev/kfd that belongs to nobody, and a render node that works. */
static void check_files(int kfd, int drm)
{
	struct kfd_ioctl_get_version_args version;
	struct drm_version drm_version = {};
	char path[64], link[64] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", kfd);
	REQUIRE(readlink(path, link, sizeof(link) - 1) > 0);
	if (strcmp(link, "/dev/kfd")) {
		report("fd %d is %s", kfd, link);
		_exit(1);
	}
	if (!ioctl(kfd, AMDKFD_IOC_GET_VERSION, &version) || errno != EBADF) {
		report("fd %d can be used, or fails otherwise: %s", kfd, strerror(errno));
		_exit(1);
	}
	REQUIRE(!ioctl(drm, DRM_IOCTL_VERSION, &drm_version));
}

/**
 * hold_files() - be the process that has the files
 * @kfd: another process's
 * @drm: a render node's
 *
 * What it opens for itself works, before and after.
 */
void hold_files(int kfd, int drm)
{
	struct kfd own;

	check_files(kfd, drm);
	wait_signal();
	check_fds(0);
	check_files(kfd, drm);
	REQUIRE_OK(kfd_start(&own));
	report("right");
	_exit(0);
}

/* A process that dies with its files kept open by this one's descendant. */
static void open_files(struct kfd *k, struct kfd_bo *bo)
{
	REQUIRE_OK(kfd_start(k));
	REQUIRE_OK(kfd_bo_create(k, 0, MEM_VRAM, SIZE, bo));
	kfd_fill_pattern(bo->cpu, SIZE, SEED);
}

static void exec_holder(int kfd, int drm)
{
	char fds[2][16];

	REQUIRE(!fcntl(kfd, F_SETFD, 0) && !fcntl(drm, F_SETFD, 0));
	snprintf(fds[0], sizeof(fds[0]), "%d", kfd);
	snprintf(fds[1], sizeof(fds[1]), "%d", drm);
	execl("/proc/self/exe", "gpu_user", "hold", result_path, fds[0], fds[1], NULL);
	report("exec: %s", strerror(errno));
	_exit(1);
}

/* The child of one that is gone: it waits until that is so. */
static void be_orphan(struct kfd *k, pid_t parent, bool exec)
{
	sigset_t set;
	int sig;

	/* the parent's end is told by a signal */
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	REQUIRE(!prctl(PR_SET_PDEATHSIG, SIGUSR2));
	while (getppid() == parent)
		sigwait(&set, &sig);
	prctl(PR_SET_PDEATHSIG, 0);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	REQUIRE(setsid() >= 0);
	report("pid %d", getpid());
	if (exec)
		exec_holder(k->fd, k->gpu[0].drm_fd);
	hold_files(k->fd, k->gpu[0].drm_fd);
}

/**
 * use_orphan() - leave a child with this process's files
 * @exec: the child executes this program once more
 */
void use_orphan(bool exec)
{
	pid_t self = getpid();
	struct kfd_bo bo;
	struct kfd k;

	open_files(&k, &bo);
	if (!fork())
		be_orphan(&k, self, exec);
	_exit(0);
}

/**
 * use_inherited() - a child with the files of this process
 * @outside: the child is what is to be dumped
 */
void use_inherited(bool outside)
{
	struct kfd_bo bo;
	struct kfd k;
	int status;
	pid_t pid;

	open_files(&k, &bo);
	pid = fork();
	REQUIRE(pid >= 0);
	if (!pid) {
		if (outside) {
			REQUIRE(setsid() >= 0);
			report("pid %d", getpid());
		}
		hold_files(k.fd, k.gpu[0].drm_fd);
	}
	wait_signal();
	REQUIRE(kfd_check_pattern(bo.cpu, SIZE, SEED));
	kill(pid, SIGUSR1);
	REQUIRE(waitpid(pid, &status, 0) == pid && !status);
}
