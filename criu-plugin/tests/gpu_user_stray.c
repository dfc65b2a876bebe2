// SPDX-License-Identifier: GPL-2.0-only
/*
 * Modes of gpu_user in which the program has closed /dev/kfd and has nothing of
 * it mapped: the driver keeps its state, and nothing of the process's own shows
 * that there is any.
 */
#define _GNU_SOURCE
#include "gpu_user.h"

#include <fcntl.h>
#include <linux/kfd_ioctl.h>
#include <signal.h>
#include <stdint.h>

#include "lib/kfd_lib.h"

#define BYTES	(1ul << 20)

static struct kfd k;

static void close_files(int sig)
{
	(void)sig;
	close(k.gpu[0].drm_fd);
	close(k.fd);
}

static void keep_state(void (*before)(void))
{
	struct kfd_ioctl_create_event_args ev;
	struct kfd_bo bo;

	REQUIRE_OK(kfd_start(&k));
	REQUIRE_OK(kfd_event_create(&k, KFD_IOC_EVENT_SIGNAL, false, &ev));
	REQUIRE_OK(kfd_bo_alloc(&k, 0, MEM_VRAM, BYTES, &bo));
	before();
	wait_signal();
	REQUIRE(fcntl(k.fd, F_GETFD) < 0);
	k.fd = open("/dev/kfd", O_RDWR | O_CLOEXEC);
	REQUIRE(k.fd >= 0);
	REQUIRE_OK(kfd_event_destroy(&k, ev.event_id));
	REQUIRE_OK(kfd_bo_free(&k, &bo));
}

static void close_now(void)
{
	close_files(0);
}

static void close_on_signal(void)
{
	REQUIRE(signal(SIGUSR2, close_files) != SIG_ERR);
}

/**
 * use_stray() - state behind /dev/kfd that no file leads to
 *
 * It is there when the file is opened again.
 */
void use_stray(void)
{
	keep_state(close_now);
}

/** use_stray_late() - the same, from SIGUSR2 on: see late_close.c */
void use_stray_late(void)
{
	keep_state(close_on_signal);
}

/** use_looked() - /dev/kfd was opened and closed, and nothing made */
void use_looked(void)
{
	int fd = open("/dev/kfd", O_RDWR | O_CLOEXEC);

	REQUIRE(fd >= 0 && !close(fd));
	wait_signal();
	fd = open("/dev/kfd", O_RDWR | O_CLOEXEC);
	REQUIRE(fd >= 0);
}
