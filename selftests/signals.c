// SPDX-License-Identifier: GPL-2.0-only
/*
 * Signals in every wait that a program can come to: a storm of them, handled
 * and without SA_RESTART, changes no answer, and SIGKILL ends the process at
 * once. Documentation/waits.rst lists the waits.
 *
 * Calls go by kfd_call(), which repeats on EINTR as the thunk does. Who may
 * say EINTR is the scene's affair; what may never come of a signal is another
 * errno, or a state that is half changed.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/time.h>

#include "lib/kfd_test.h"
#include "lib/kfd_workload.h"

#define RING		4096
#define STORM_US	2000
#define USER_BYTES	(8u << 20)
#define COPY_BYTES	(16u << 20)
#define PACKET_BYTES	(4u << 20)	/* the most that a copy can say */
/* One hung queue has 2 s to stop; the rest is room for a busy machine. */
#define BOUND_MS	20000

/**
 * struct scene - something that waits
 * @name: what
 * @fn: do it once, in a process of its own that has opened the driver; 0 or a
 *	negative errno
 * @eintr: it may have said EINTR
 */
struct scene {
	const char *name;
	int (*fn)(struct kfd *k);
	bool eintr;
};

/* The image of restore_scene(), made before the storm. */
static struct kfd_snapshot image;
static uint64_t image_va;

static void on_alarm(int sig)
{
	(void)sig;
}

static int storm(bool on)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct itimerval every = { { 0, STORM_US }, { 0, STORM_US } };

	if (!on)
		memset(&every, 0, sizeof(every));
	if (sigaction(SIGALRM, &action, NULL) || setitimer(ITIMER_REAL, &every, NULL))
		return -errno;
	return 0;
}

static int user_memory(uint64_t va)
{
	void *p = mmap((void *)(uintptr_t)va, USER_BYTES, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	return p == MAP_FAILED ? -errno : 0;
}

/* Registering, mapping, unmapping, freeing memory that is not there yet. */
static int userptr_scene(struct kfd *k)
{
	uint64_t va = kfd_reserve_va(k, USER_BYTES);
	struct kfd_bo bo;
	int ret;

	ret = user_memory(va);
	if (!ret)
		ret = kfd_bo_userptr(k, 0, (void *)(uintptr_t)va, USER_BYTES, &bo);
	if (!ret)
		ret = kfd_bo_destroy(k, &bo);
	munmap((void *)(uintptr_t)va, USER_BYTES);
	return ret;
}

/* A wait that nothing ends is over when it should be, not at each signal. */
static int event_scene(struct kfd *k)
{
	struct kfd_ioctl_create_event_args ev;
	uint64_t began;
	uint32_t result;
	int ret;

	ret = kfd_event_create(k, KFD_IOC_EVENT_SIGNAL, true, &ev);
	if (ret)
		return ret;
	began = kfd_now_ms();
	ret = kfd_event_wait_one(k, ev.event_id, 300, &result);
	if (!ret && (result != KFD_IOC_WAIT_RESULT_TIMEOUT || kfd_now_ms() - began < 250 ||
		     kfd_now_ms() - began > BOUND_MS))
		ret = -EPROTO;
	if (!ret)
		ret = kfd_event_set(k, ev.event_id);
	if (!ret)
		ret = kfd_event_wait_one(k, ev.event_id, 300, &result);
	if (!ret && result != KFD_IOC_WAIT_RESULT_COMPLETE)
		ret = -EPROTO;
	return ret ? ret : kfd_event_destroy(k, ev.event_id);
}

/* PROCESS_INFO in the middle of a long packet, CHECKPOINT, UNPAUSE. */
static int dump_scene(struct kfd *k)
{
	struct kfd_bo from, to;
	struct kfd_snapshot s;
	struct kfd_queue q;
	uint32_t p[8];
	int ret, i;

	ret = kfd_bo_create(k, 0, MEM_VRAM, COPY_BYTES, &from);
	if (!ret)
		ret = kfd_bo_create(k, 0, MEM_VRAM, COPY_BYTES, &to);
	if (!ret)
		ret = kfd_queue_create(k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &q);
	if (ret)
		return ret;
	((volatile uint32_t *)from.cpu)[COPY_BYTES / 4 - 1] = 4711;
	for (i = 0; i < COPY_BYTES / PACKET_BYTES; i++)
		kfd_queue_emit(&q, p, sdma_copy(p, to.va + i * PACKET_BYTES,
						from.va + i * PACKET_BYTES, PACKET_BYTES));
	kfd_queue_submit(&q);
	for (i = 0; i < 3 && !ret; i++) {
		ret = kfd_snapshot_checkpoint(k->fd, &s);
		if (ret)
			break;
		kfd_snapshot_free(&s);
		ret = kfd_criu_unpause(k->fd);
	}
	if (!ret)
		ret = kfd_queue_wait(&q, PATIENCE);
	if (!ret && ((volatile uint32_t *)to.cpu)[COPY_BYTES / 4 - 1] != 4711)
		ret = -EILSEQ;
	if (!ret)
		ret = kfd_queue_destroy(k, &q);
	if (!ret)
		ret = kfd_bo_destroy(k, &from);
	return ret ? ret : kfd_bo_destroy(k, &to);
}

/* A queue that hangs: its end is late, but it is its end. */
static int hung_scene(struct kfd *k)
{
	struct kfd_queue q;
	uint64_t began;
	char at[32];
	int ret;

	ret = kfd_queue_create(k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, RING, &q);
	if (ret)
		return ret;
	snprintf(at, sizeof(at), "%u", (unsigned int)(q.doorbell_offset % (2 * KFD_PAGE)));
	ret = kfd_sim_set(0, "hang_queue", at);
	began = kfd_now_ms();
	if (!ret)
		ret = kfd_queue_destroy(k, &q);
	return ret ? ret : kfd_now_ms() - began > BOUND_MS ? -ETIMEDOUT : 0;
}

static int available_scene(struct kfd *k)
{
	uint64_t bytes;
	int i, ret = 0;

	for (i = 0; i < 200 && !ret; i++)
		ret = kfd_available(k, 0, &bytes);
	return ret;
}

/* RESTORE and RESUME of registered memory; the process is used up by it. */
static int restore_scene(struct kfd *unused)
{
	sigset_t alarm, old;
	struct kfd_snapshot s;
	unsigned int before;
	struct kfd k;
	int ret;

	(void)unused;
	ret = kfd_snapshot_copy(&image, &s);
	if (!ret)
		ret = user_memory(image_va);
	/* An open may be interrupted, and nobody repeats it. */
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	sigprocmask(SIG_BLOCK, &alarm, &old);
	if (!ret)
		ret = kfd_snapshot_open(&k, &s);
	sigprocmask(SIG_SETMASK, &old, NULL);
	/* RESUME may be, and kfd_call() repeats it; RESTORE is not. */
	if (!ret) {
		before = kfd_interrupted;
		ret = kfd_snapshot_restore_op(&k, &s);
	}
	if (!ret && kfd_interrupted != before)
		ret = -EINTR;
	if (!ret)
		ret = kfd_criu_resume(k.fd, getpid());
	munmap((void *)(uintptr_t)image_va, USER_BYTES);
	kfd_snapshot_free(&s);
	return ret;
}

static const struct scene scenes[] = {
	{ "userptr", userptr_scene, true },
	{ "event", event_scene, true },
	{ "dump", dump_scene, false },
	{ "hung_queue", hung_scene, false },
	{ "available", available_scene, false },
	{ "restore", restore_scene, true },
};

#define N_SCENES (sizeof(scenes) / sizeof(scenes[0]))

struct run {
	const struct scene *scene;
	bool storm;
};

/* A process for one scene: once, or until somebody kills it. */
static int play(const struct run *run, bool for_ever)
{
	bool fresh = run->scene->fn == restore_scene;
	unsigned int before;
	struct kfd k = { .fd = -1 };
	int ret = 0;

	if (!fresh)
		ret = kfd_start(&k);
	before = kfd_interrupted;
	if (!ret && run->storm)
		ret = storm(true);
	do {
		if (!ret)
			ret = run->scene->fn(&k);
	} while (for_ever && !ret && !fresh);
	if (run->storm)
		storm(false);
	if (!ret && !run->scene->eintr && kfd_interrupted != before)
		ret = -EINTR;
	while (for_ever && !ret)
		pause();
	if (ret)
		printf("# %s: %d\n", run->scene->name, ret);
	return ret;
}

static int play_once(void *arg)
{
	return play(arg, false);
}

static const struct run *for_ever_run;

static int play_for_ever(struct kfd_victim *v)
{
	v->phase = 1;
	return play(for_ever_run, true);
}

/* Another process's state, so that this one stays as it is. */
static int image_into(void *arg)
{
	int fd = *(int *)arg;
	struct kfd_snapshot s;
	struct kfd_bo bo;
	struct kfd k;
	int ret;

	ret = kfd_start(&k);
	if (!ret)
		ret = user_memory(image_va);
	if (!ret)
		ret = kfd_bo_userptr(&k, 0, (void *)(uintptr_t)image_va, USER_BYTES, &bo);
	if (!ret)
		ret = kfd_snapshot_dump(&k, k.fd, &s);
	return ret ? ret : kfd_snapshot_write(&s, fd);
}

FIXTURE(signals)
{
	struct kfd probe;
	uint64_t vram;
};

FIXTURE_SETUP(signals)
{
	int fd;

	if (!kfd_sim_present())
		return;
	ASSERT_OK(kfd_open(&self->probe));
	ASSERT_OK(kfd_available_settled(&self->probe, 0, &self->vram));
	image_va = KFD_ARENA_BASE + (1ull << 40);
	fd = memfd_create("image", MFD_CLOEXEC);
	ASSERT_GE(fd, 0);
	ASSERT_OK(kfd_in_child(image_into, &fd));
	ASSERT_EQ(0, lseek(fd, 0, SEEK_SET));
	ASSERT_OK(kfd_snapshot_read(&image, fd));
	close(fd);
}

FIXTURE_TEARDOWN(signals)
{
	if (!kfd_sim_present())
		return;
	kfd_snapshot_free(&image);
	EXPECT_OK(kfd_vram_is_back(&self->probe, self->vram));
	EXPECT_OK(kfd_in_child(kfd_healthy, NULL));
	kfd_stop(&self->probe);
}

TEST_F_TIMEOUT(signals, calm, 90)
{
	unsigned int i;

	REQUIRE_SIM();
	for (i = 0; i < N_SCENES; i++) {
		struct run run = { &scenes[i], false };

		EXPECT_OK(kfd_in_child(play_once, &run)) TH_LOG("%s", scenes[i].name);
	}
}

TEST_F_TIMEOUT(signals, storm, 90)
{
	unsigned int i;

	REQUIRE_SIM();
	for (i = 0; i < N_SCENES; i++) {
		struct run run = { &scenes[i], true };

		EXPECT_OK(kfd_in_child(play_once, &run)) TH_LOG("%s", scenes[i].name);
		EXPECT_OK(kfd_vram_is_back(&self->probe, self->vram));
	}
}

/* The end of a process does not wait for what it waited for. */
TEST_F_TIMEOUT(signals, killed, 90)
{
	struct kfd_victim *v = kfd_victim_new();
	unsigned int i, ms;

	REQUIRE_SIM();
	ASSERT_NE(NULL, v);
	v->fn = play_for_ever;
	for (i = 0; i < N_SCENES; i++) {
		for (ms = 50; ms < 400; ms += 170) {
			struct run run = { &scenes[i], false };
			uint64_t began;
			pid_t pid;

			for_ever_run = &run;
			pid = kfd_victim_run(v);
			ASSERT_GT(pid, 0);
			ASSERT_OK(kfd_wait_flag(&v->phase));
			kfd_sleep_ms(ms);
			began = kfd_now_ms();
			kill(pid, SIGKILL);
			EXPECT_ERR(EINTR, kfd_wait_child(pid)) TH_LOG("%s", scenes[i].name);
			EXPECT_OK(kfd_vram_is_back(&self->probe, self->vram))
				TH_LOG("%s", scenes[i].name);
			EXPECT_LT(kfd_now_ms() - began, BOUND_MS) TH_LOG("%s", scenes[i].name);
		}
	}
}

KFD_TEST_MAIN
