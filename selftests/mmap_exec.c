// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nothing is mapped into a process that can be freed: mmap() of the event page
 * by somebody who was left in the old address space, while the context is
 * adopted by the program after an exec, and ends.
 *
 * Whoever maps is made slow: it runs when nobody else wants its CPU, and just
 * after the exec everybody does. So now and then it stands in the middle of its
 * mmap() until the context is gone.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "lib/kfd_mem.h"
#include "lib/kfd_scene.h"
#include "lib/kfd_test.h"
#include "lib/kfd_workload.h"

#define TRIES	40
#define HOGS	2
#define EVENT_PAGE_OFFSET	((off_t)(2ULL << 62))

/**
 * struct late - what the programs and the test tell each other besides a scene
 * @hog: the CPU of who maps is busy
 * @loops: how often it has mapped
 * @adopted: the context has been adopted
 * @gone: it has ended
 * @done: who maps has ended
 * @late: its mmap() came back after the end
 * @readable: and there was a page
 * @end: the hogs may end
 */
struct late {
	volatile int hog, loops, adopted, gone, done, late, readable, end;
};

static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static struct late *late_of(const struct kfd_scene *sc)
{
	return (struct late *)kfd_scene_map(sc->data);
}

/* Without a signal: the kernel is asked to read it. */
static bool is_readable(const void *p)
{
	bool yes;
	int fds[2];

	if (pipe(fds))
		return false;
	yes = write(fds[1], p, 8) == 8;
	close(fds[0]);
	close(fds[1]);
	return yes;
}

static int maps_late(void *arg)
{
	struct sched_param param = { 0 };
	struct kfd_scene *sc = arg;
	struct late *l = late_of(sc);
	void *p = NULL;

	run_on(0);
	STEP(sc, sched_setscheduler(0, SCHED_IDLE, &param) ? -errno : 0);
	while (!l->adopted) {
		l->loops++;
		p = mmap(NULL, KFD_EVENT_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, sc->k.fd,
			 EVENT_PAGE_OFFSET);
		if (p == MAP_FAILED || l->adopted)
			break;
		munmap(p, KFD_EVENT_PAGE_SIZE);
	}
	l->late = l->gone;
	l->readable = p != MAP_FAILED && is_readable(p);
	l->done = 1;
	return 0;
}

static int old_maps(void *arg)
{
	struct kfd_ioctl_create_event_args ev;
	struct kfd_scene *sc = arg;
	struct late *l = late_of(sc);

	run_on(1);
	STEP(sc, kfd_open(&sc->k));
	STEP(sc, fcntl(sc->k.fd, F_SETFD, 0) ? -errno : 0);
	STEP(sc, kfd_event_create(&sc->k, KFD_IOC_EVENT_SIGNAL, true, &ev));
	STEP(sc, kfd_vaddr_all(&sc->k, VADDR_INVALIDATE));
	sc->pid = kfd_spawn(KFD_CLONE_VM, maps_late, sc);
	STEP(sc, sc->pid < 0 ? sc->pid : 0);
	STEP(sc, kfd_wait_flag(&l->loops));
	return kfd_scene_become(sc);
}

static int new_ends(struct kfd_scene *sc)
{
	struct late *l = late_of(sc);

	run_on(1);
	l->hog = 1;
	kfd_sleep_ms(2);
	STEP(sc, kfd_change_owner(sc->k.fd));
	l->adopted = 1;
	return 0;
}

static const struct kfd_image_fn images[] = {
	{ "ends", new_ends },
};

static int hogs_cpu(void *arg)
{
	struct late *l = arg;

	run_on(0);
	while (!l->end)
		while (!l->hog && !l->end)
			kfd_sleep_ms(1);
	return 0;
}

FIXTURE(mmap_exec)
{
	struct kfd_scene *sc;
	struct late *late;
	pid_t hogs[HOGS];
};

FIXTURE_SETUP(mmap_exec)
{
	int i;

	self->sc = kfd_scene_new();
	ASSERT_NE(NULL, self->sc);
	self->late = late_of(self->sc);
	ASSERT_NE(MAP_FAILED, self->late);
	for (i = 0; i < HOGS; i++) {
		self->hogs[i] = kfd_spawn(KFD_FORK, hogs_cpu, self->late);
		ASSERT_LT(0, self->hogs[i]);
	}
}

FIXTURE_TEARDOWN(mmap_exec)
{
	int i;

	self->late->end = 1;
	for (i = 0; i < HOGS; i++)
		EXPECT_OK(kfd_wait_child(self->hogs[i]));
}

/* Its directory goes when the state does. */
static int wait_gone(pid_t pid)
{
	uint64_t end = kfd_now_ms() + PATIENCE;
	char path[64];

	snprintf(path, sizeof(path), "/sys/class/kfd/kfd/proc/%d", pid);
	while (!access(path, F_OK)) {
		if (kfd_now_ms() > end)
			return -ETIME;
		kfd_sleep_ms(1);
	}
	return 0;
}

TEST_F_TIMEOUT(mmap_exec, mapping_of_freed_pages, 120)
{
	struct late *l = self->late;
	int i, late = 0;
	pid_t pid;

	run_on(1);
	for (i = 0; i < TRIES; i++) {
		memset(l, 0, sizeof(*l));
		pid = kfd_scene_start(self->sc, old_maps, "ends", NULL);
		ASSERT_LT(0, pid);
		ASSERT_OK(kfd_wait_child(pid)) TH_LOG("line %d", self->sc->step);
		ASSERT_OK(wait_gone(pid));
		l->gone = 1;
		l->hog = 0;
		ASSERT_OK(kfd_wait_flag(&l->done));
		late += l->late;
		ASSERT_EQ(0, l->readable) TH_LOG("try %d: a page of a context that is gone", i);
	}
	printf("# %d of %d came back after the end\n", late, TRIES);
}

int main(int argc, char **argv)
{
	int ret = kfd_scene_main(argc, argv, images, sizeof(images) / sizeof(images[0]));

	return ret < 0 ? kfd_test_main_ours(argc, argv) : ret;
}
