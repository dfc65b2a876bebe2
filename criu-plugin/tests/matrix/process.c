// SPDX-License-Identifier: GPL-2.0-only
/*
 * States of the process: its files, its children, what else it has of the
 * driver and beside it.
 */
#define _GNU_SOURCE
#include "kind.h"

#include <fcntl.h>
#include <linux/io_uring.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/kfd_smi.h"

/* What the plugin says of state that no file leads to. */
#define STRAY	"kfd_plugin: Error: .*has state of a GPU, and no file of /dev/kfd of its own open"

static struct kfd_smi smi;
static int ring_fd = -1;
static int again = -1;
static pid_t child;

static void two_files_setup(void)
{
	again = open("/dev/kfd", O_RDWR | O_CLOEXEC);
	REQUIRE(again >= 0 && dup(again) >= 0 && dup(work.k.fd) >= 0 &&
		dup(work.k.gpu[0].drm_fd) >= 0);
}

static void two_files_check(void)
{
	struct kfd_ioctl_get_version_args version;

	REQUIRE(!ioctl(again, AMDKFD_IOC_GET_VERSION, &version));
}

static void smi_setup(void)
{
	REQUIRE_OK(kfd_smi_open(&work.k, 0, SMI_BIT(VMFAULT), &smi));
}

static void smi_check(void)
{
	REQUIRE_OK(kfd_smi_select(&smi, SMI_BIT(VMFAULT)));
	kfd_smi_close(&smi);
}

/* A ring that is mapped and has nothing to do. */
static void ring_setup(void)
{
	struct io_uring_params params = { 0 };
	void *p;

	ring_fd = syscall(SYS_io_uring_setup, 4, &params);
	REQUIRE(ring_fd >= 0);
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring_fd, IORING_OFF_SQ_RING);
	REQUIRE(p != MAP_FAILED);
}

static void ring_check(void)
{
	REQUIRE(syscall(SYS_io_uring_enter, ring_fd, 0, 0, 0, NULL, 0) == 0);
}

/* Every ioctl of a child that has inherited the files is refused. */
static void kfd_is_anothers(void)
{
	uint64_t bytes;

	REQUIRE(kfd_available(&work.k, 0, &bytes) == -EBADF);
}

static void block(sigset_t *set, int sig)
{
	sigemptyset(set);
	sigaddset(set, sig);
	sigprocmask(SIG_BLOCK, set, NULL);
}

/* A process beside the one that works: it sets up what it has, and checks it in the end. */
static void start_child(void (*setup)(void), void (*check)(void))
{
	sigset_t set;
	int sig;

	block(&set, SIGUSR2);
	child = fork();
	REQUIRE(child >= 0);
	if (child) {
		REQUIRE(!sigwait(&set, &sig));
		return;
	}
	block(&set, SIGUSR1);
	setup();
	kill(getppid(), SIGUSR2);
	sigwait(&set, &sig);
	check();
	_exit(0);
}

static void inherited_setup(void)
{
	start_child(kfd_is_anothers, kfd_is_anothers);
}

static void inherited_check(void)
{
	int status;

	REQUIRE(!kill(child, SIGUSR1));
	REQUIRE(waitpid(child, &status, 0) == child && !status);
}

/* The program is what is left of a tree whose parent used the GPU. */
static void orphan_setup(void)
{
	pid_t parent = getpid();

	REQUIRE_OK(kfd_start(&work.k));
	switch (fork()) {
	case -1:
		REQUIRE(false);
	case 0:
		while (getppid() == parent)
			kfd_sleep_ms(10);
		break;
	default:
		_exit(0);
	}
	/* criu wants the root of what it dumps to lead a session. */
	REQUIRE(setsid() > 0);
	kfd_is_anothers();
}

static struct kfd_ioctl_create_event_args kept;

/* State that no file leads to any more, and that comes back with the next one. */
static void stray_setup(void)
{
	REQUIRE_OK(kfd_start(&work.k));
	REQUIRE_OK(kfd_event_create(&work.k, KFD_IOC_EVENT_SIGNAL, true, &kept));
	REQUIRE(!close(work.k.gpu[0].drm_fd) && !close(work.k.fd));
}

static void stray_check(void)
{
	work.k.fd = open("/dev/kfd", O_RDWR | O_CLOEXEC);
	REQUIRE(work.k.fd >= 0);
	REQUIRE_OK(kfd_event_destroy(&work.k, kept.event_id));
}

/* Opened once, and nothing made. */
static void looked_setup(void)
{
	int fd = open("/dev/kfd", O_RDWR | O_CLOEXEC);

	REQUIRE(fd >= 0 && !close(fd));
}

static void looked_check(void)
{
	REQUIRE_OK(kfd_start(&work.k));
}

static void stray_of_its_own(void)
{
	memset(&work, 0, sizeof(work));
	stray_setup();
}

/* A process beside the one that works has such state. */
static void stray_beside_setup(void)
{
	start_child(stray_of_its_own, stray_check);
}

static void too_many_queues_setup(void)
{
	static struct kfd_queue queues[12];
	unsigned int i;

	/* more than run at a time */
	for (i = 0; i < sizeof(queues) / sizeof(queues[0]); i++)
		REQUIRE_OK(kfd_queue_create(&work.k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, KFD_PAGE,
					    &queues[i]));
}

static struct kfd_queue bad;

/* A queue that stopped at a packet that there is not. */
static void error_setup(void)
{
	uint32_t packet[4] = { 3u << 30 | 2u << 16 | 0xffu << 8 };
	struct kfd_ioctl_create_event_args ev;
	uint32_t result;

	REQUIRE_OK(kfd_event_create(&work.k, KFD_IOC_EVENT_HW_EXCEPTION, false, &ev));
	REQUIRE_OK(kfd_queue_create(&work.k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, KFD_PAGE, &bad));
	REQUIRE_OK(kfd_queue_emit(&bad, packet, 4));
	kfd_queue_submit(&bad);
	REQUIRE_OK(kfd_event_wait_one(&work.k, ev.event_id, 20000, &result));
	REQUIRE(result == KFD_IOC_WAIT_RESULT_COMPLETE);
}

static void error_check(void)
{
	REQUIRE_OK(kfd_queue_destroy(&work.k, &bad));
}

const struct kind process_kinds[] = {
	{ .name = "two_files", .gpus = 1, .setup = two_files_setup, .check = two_files_check },
	{ .name = "many_queues", .gpus = 1, .setup = too_many_queues_setup },
	{ .name = "queue_error", .gpus = 1, .setup = error_setup, .check = error_check },
	{ .name = "inherited", .gpus = 1, .setup = inherited_setup, .check = inherited_check },
	{ .name = "orphan", .gpus = 1, .setup = orphan_setup, .check = kfd_is_anothers,
	  .alone = true },
	{ .name = "stray", .gpus = 1, .setup = stray_setup, .check = stray_check,
	  .alone = true, .refused = STRAY },
	{ .name = "stray_beside", .gpus = 1, .setup = stray_beside_setup,
	  .check = inherited_check, .refused = STRAY },
	{ .name = "looked", .gpus = 1, .setup = looked_setup, .check = looked_check,
	  .alone = true },
	{ .name = "smi", .gpus = 1, .setup = smi_setup, .check = smi_check,
	  .refused = "PROCESS_INFO EISCONN .*SMI events" },
	{ .name = "io_uring", .gpus = 1, .setup = ring_setup, .check = ring_check,
	  .refused = "io_uring" },
	{ .name = NULL },
};
