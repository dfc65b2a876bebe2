// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPU addresses replaced ten thousand times under a GPU that counts, from
 * several threads, in processes that are killed or dumped meanwhile, and over
 * one exec after the other. The words that the GPU has counted in say whether
 * an addition was lost; the rest is for the kernel to tell.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/ptrace.h>

#include "lib/kfd_mem.h"
#include "lib/kfd_scene.h"
#include "lib/kfd_test.h"
#include "lib/kfd_workload.h"

#define PAGES		4
#define SIZE		(PAGES * KFD_PAGE)
#define MANY		16
#define KILLS		12
#define DUMPS		200

/* Together ten thousand; every kernel takes them. */
#define EVICTED_REMAPS	3000
#define LIVE_REMAPS	4000
#define MIXED_REMAPS	3000
#define SECONDS		150

FIXTURE(vaddr_storm)
{
	struct kfd k;
	struct kfd_store s;
	char *p[2];		/* two mappings of it, besides the first */
	struct kfd_bo bo;
	struct kfd_counter c;	/* in the first word of the buffer */
};

FIXTURE_SETUP(vaddr_storm)
{
	ASSERT_OK(kfd_start(&self->k));
	ASSERT_OK(kfd_store_make(KFD_STORE_MEMFD, SIZE, &self->s));
	self->p[0] = kfd_store_map(&self->s);
	self->p[1] = kfd_store_map(&self->s);
	ASSERT_NE(NULL, self->p[0]);
	ASSERT_NE(NULL, self->p[1]);
	ASSERT_OK(kfd_vaddr_bo(&self->k, 0, self->s.p, SIZE, &self->bo));
	ASSERT_OK(kfd_counter_start(&self->k, 0, self->bo.va, &self->c));
	ASSERT_OK(kfd_word_moves(self->s.p));
}

FIXTURE_TEARDOWN(vaddr_storm)
{
	kfd_stop(&self->k);
	munmap(self->p[0], SIZE);
	munmap(self->p[1], SIZE);
	munmap(self->s.p, SIZE);
	EXPECT_OK(kfd_nobody_writes(self->s.fd));
	self->s.p = NULL;
	kfd_store_drop(&self->s);
}

/* --- ten thousand ------------------------------------------------------------ */

/* Given up as @flags say, then at the @i-th of two places. */
static int remap(struct kfd *k, const struct kfd_bo *bo, uint32_t flags, char *const *p,
		 unsigned int i)
{
	int ret = kfd_vaddr_op(k->fd, flags, k->gpu[bo->gpu].gpu_id, bo->va, bo->size, 0);

	return ret ? ret : kfd_vaddr_update(k, bo, p[i % 2]);
}

TEST_F_TIMEOUT(vaddr_storm, one_buffer_evicted, SECONDS)
{
	unsigned int i;

	for (i = 0; i < EVICTED_REMAPS; i++)
		ASSERT_OK(remap(&self->k, &self->bo, VADDR_INVALIDATE, self->p, i))
			TH_LOG("remap %u", i);
	EXPECT_OK(kfd_word_moves(self->s.p));
	EXPECT_OK(kfd_counter_stop(&self->k, &self->c, self->s.p, 0));
}

TEST_F_TIMEOUT(vaddr_storm, one_buffer_live, SECONDS)
{
	uint64_t evictions = kfd_gpu_word(&self->k, 0, "evictions");
	struct kfd_locked before, now;
	unsigned int i;

	ASSERT_OK(kfd_locked_read(getpid(), &before));
	for (i = 0; i < LIVE_REMAPS; i++)
		ASSERT_OK(remap(&self->k, &self->bo, VADDR_LIVE, self->p, i)) TH_LOG("remap %u", i);
	EXPECT_EQ(evictions, kfd_gpu_word(&self->k, 0, "evictions"));
	ASSERT_OK(kfd_locked_read(getpid(), &now));
	EXPECT_EQ(before.lck, now.lck);
	EXPECT_OK(kfd_word_moves(self->s.p));
	EXPECT_OK(kfd_counter_stop(&self->k, &self->c, self->s.p, 0));
}

/* All at a time, then one after the other in another order. */
TEST_F_TIMEOUT(vaddr_storm, many_buffers, SECONDS)
{
	struct kfd_locked before, now;
	struct kfd_bo bo[MANY];
	unsigned int i, n, round;

	ASSERT_OK(kfd_locked_read(getpid(), &before));
	for (i = 0; i < MANY; i++)
		ASSERT_OK(kfd_vaddr_bo(&self->k, i % self->k.num_gpus,
				       self->s.p + i % PAGES * KFD_PAGE, KFD_PAGE, &bo[i]));
	for (round = 0, n = 0; n < MIXED_REMAPS; round++) {
		ASSERT_OK(kfd_vaddr_all(&self->k, round % 2 ? VADDR_LIVE : VADDR_INVALIDATE));
		ASSERT_OK(kfd_vaddr_update(&self->k, &self->bo, self->p[round % 2]));
		for (i = 0; i < MANY; i++, n++) {
			const struct kfd_bo *b = &bo[(i * 7 + round) % MANY];
			unsigned int page = (b - bo) % PAGES;

			ASSERT_OK(kfd_vaddr_update(&self->k, b,
						   self->p[(round + i) % 2] + page * KFD_PAGE));
		}
		n++;
	}
	EXPECT_OK(kfd_vaddr_stands(&self->k, MANY + 1, 0, 0, 0));
	ASSERT_OK(kfd_locked_read(getpid(), &now));
	EXPECT_EQ(before.lck, now.lck);
	EXPECT_OK(kfd_word_moves(self->s.p));
	EXPECT_OK(kfd_counter_stop(&self->k, &self->c, self->s.p, 0));
}

/* --- threads ----------------------------------------------------------------- */

/**
 * struct thread - one of several that get in each other's way
 * @k: the driver
 * @bo: the buffer
 * @p: where it may be
 * @view: a mapping of the same memory that is played with
 * @end: they may end
 * @rounds: how often
 * @ret: an answer that may not be
 */
struct thread {
	struct kfd *k;
	struct kfd_bo *bo;
	char *const *p;
	char *view;
	volatile int *end;
	unsigned int rounds;
	int ret;
};

/* Another one may have been first, with either call. */
static void *remaps(void *arg)
{
	struct thread *t = arg;

	while (!*t->end && !t->ret) {
		t->ret = kfd_may(t->rounds % 3 ? kfd_vaddr_live(t->k, t->bo) :
				      kfd_vaddr_invalidate(t->k, t->bo), EINVAL);
		if (!t->ret)
			t->ret = kfd_may(kfd_vaddr_update(t->k, t->bo, t->p[t->rounds % 2]),
					 EINVAL);
		t->rounds++;
	}
	return NULL;
}

/* Whether the counts, taken at any moment, go together. */
static int is_consistent(const struct kfd_ioctl_vaddr_info_args *info)
{
	bool addresses = info->exec_blockers & KFD_IOC_VADDR_EXEC_ADDRESSES;

	return info->num_live <= info->num_invalid && info->num_invalid <= info->num_userptrs &&
	       info->held_pages == info->num_live * PAGES &&
	       addresses == (info->num_invalid != info->num_userptrs) ? 0 : -EILSEQ;
}

static void *asks(void *arg)
{
	struct kfd_ioctl_vaddr_info_args info;
	struct thread *t = arg;

	while (!*t->end && !t->ret) {
		t->ret = kfd_vaddr_info(t->k, &info);
		if (!t->ret)
			t->ret = is_consistent(&info);
		t->rounds++;
	}
	return NULL;
}

static int ends_at_once(void *arg)
{
	return 0;
}

static void *forks(void *arg)
{
	struct thread *t = arg;
	pid_t pid;

	while (!*t->end && !t->ret) {
		pid = kfd_spawn(KFD_FORK, ends_at_once, NULL);
		t->ret = pid < 0 ? pid : kfd_wait_child(pid);
		t->rounds++;
	}
	return NULL;
}

/* Pages of it go and come back, at the addresses that it has and at another. */
static void *invalidates(void *arg)
{
	struct thread *t = arg;

	while (!*t->end && !t->ret) {
		if (madvise(t->p[t->rounds % 2], SIZE, MADV_DONTNEED) ||
		    mprotect(t->view, SIZE, PROT_READ) ||
		    mprotect(t->view, SIZE, PROT_READ | PROT_WRITE))
			t->ret = -errno;
		t->rounds++;
	}
	return NULL;
}

TEST_F_TIMEOUT(vaddr_storm, threads, SECONDS)
{
	static void *(*const what[])(void *arg) = { remaps, remaps, asks, forks, invalidates };
	unsigned int n = sizeof(what) / sizeof(what[0]), i;
	struct thread t[sizeof(what) / sizeof(what[0])];
	pthread_t threads[sizeof(what) / sizeof(what[0])];
	volatile int end = 0;

	for (i = 0; i < n; i++) {
		t[i] = (struct thread){ .k = &self->k, .bo = &self->bo, .p = self->p,
					.view = self->s.p, .end = &end };
		ASSERT_OK(pthread_create(&threads[i], NULL, what[i], &t[i]));
	}
	kfd_sleep_ms(3000 * kfd_time_scale());
	end = 1;
	for (i = 0; i < n; i++) {
		ASSERT_OK(pthread_join(threads[i], NULL));
		EXPECT_OK(t[i].ret) TH_LOG("thread %u after %u rounds", i, t[i].rounds);
		EXPECT_LT(10, t[i].rounds) TH_LOG("thread %u", i);
	}
	/* Whoever was last has left it one way or the other. */
	EXPECT_OK(kfd_may(kfd_vaddr_update(&self->k, &self->bo, self->p[0]), EINVAL));
	EXPECT_OK(kfd_vaddr_stands(&self->k, 1, 0, 0, 0));
	EXPECT_OK(kfd_word_moves(self->s.p));
	EXPECT_OK(kfd_counter_stop(&self->k, &self->c, self->s.p, 0));
}

/* --- a process that is killed, or dumped ------------------------------------- */

/**
 * struct victim - a process that remaps until it is killed
 * @fd: its /dev/kfd
 * @data: its memory, a memfd of SIZE bytes
 * @ready: it does
 * @go: it may end by itself
 * @step: where it failed
 */
struct victim {
	volatile int fd;
	int data;
	volatile int ready, go;
	int step;
};

static int victim(void *arg)
{
	struct victim *v = arg;
	struct kfd_counter c;
	struct kfd_bo bo[2];
	struct kfd k;
	unsigned int i;
	char *p[2];

	p[0] = kfd_scene_map(v->data);
	p[1] = kfd_scene_map(v->data);
	STEP(v, kfd_start(&k));
	STEP(v, kfd_vaddr_bo(&k, 0, p[0], SIZE, &bo[0]));
	STEP(v, kfd_vaddr_bo(&k, k.num_gpus - 1, p[0], SIZE, &bo[1]));
	STEP(v, kfd_counter_start(&k, 0, bo[0].va, &c));
	STEP(v, kfd_word_moves(p[0]));
	v->fd = k.fd;
	v->ready = 1;
	for (i = 0; !v->go; i++) {
		STEP(v, remap(&k, &bo[0], i % 2 ? VADDR_LIVE : VADDR_INVALIDATE, p, i));
		STEP(v, kfd_vaddr_all(&k, i % 3 ? VADDR_LIVE : VADDR_INVALIDATE));
		STEP(v, kfd_vaddr_update(&k, &bo[1], p[1]));
		STEP(v, kfd_vaddr_update(&k, &bo[0], p[1]));
		/* All are valid for a while, so that it can be dumped. */
		kfd_sleep_ms(1);
	}
	STEP(v, kfd_word_moves(p[0]));
	return kfd_counter_stop(&k, &c, p[0], 0);
}

FIXTURE(vaddr_victim)
{
	struct kfd probe;
	uint64_t before;
	struct victim *v;
};

FIXTURE_SETUP(vaddr_victim)
{
	self->v = mmap(NULL, KFD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->v);
	ASSERT_OK(kfd_open(&self->probe));
	ASSERT_OK(kfd_available_settled(&self->probe, 0, &self->before));
}

FIXTURE_TEARDOWN(vaddr_victim)
{
	EXPECT_OK(kfd_vram_is_back(&self->probe, self->before));
	kfd_stop(&self->probe);
}

static pid_t victim_start(struct victim *v)
{
	pid_t pid;
	int ret;

	*v = (struct victim){ .data = memfd_create("data", MFD_ALLOW_SEALING) };
	if (ftruncate(v->data, SIZE))
		return -errno;
	pid = kfd_spawn(KFD_FORK, victim, v);
	ret = pid < 0 ? pid : kfd_wait_flag(&v->ready);
	return ret ? ret : pid;
}

TEST_F_TIMEOUT(vaddr_victim, killed_at_any_time, SECONDS)
{
	struct victim *v = self->v;
	pid_t pid;
	int round;

	srand(1);
	for (round = 0; round < KILLS; round++) {
		pid = victim_start(v);
		ASSERT_LT(0, pid) TH_LOG("line %d", v->step);
		kfd_sleep_ms(rand() % (20 * kfd_time_scale()));
		ASSERT_OK(kill(pid, SIGKILL));
		EXPECT_EQ(-EINTR, kfd_wait_child(pid)) TH_LOG("line %d", v->step);
		EXPECT_OK(kfd_vram_is_back(&self->probe, self->before)) TH_LOG("round %d", round);
		EXPECT_OK(kfd_nobody_writes(v->data)) TH_LOG("round %d", round);
		close(v->data);
	}
}

/* Stopped as criu stops it, wherever it is. */
static int stop(pid_t pid)
{
	int status;

	if (ptrace(PTRACE_INTERRUPT, pid, 0, 0))
		return -errno;
	return waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status) ? 0 : -ECHILD;
}

/* Each dump finds all addresses valid, or is refused; until both has been seen. */
TEST_F_TIMEOUT(vaddr_victim, dumped_while_it_remaps, SECONDS)
{
	uint64_t end = kfd_now_ms() + PATIENCE;
	int fd, tries, dumps = 0, refused = 0, ret;
	struct victim *v = self->v;
	struct kfd_snapshot s;
	pid_t pid;

	pid = victim_start(v);
	ASSERT_LT(0, pid) TH_LOG("line %d", v->step);
	ASSERT_OK(ptrace(PTRACE_SEIZE, pid, 0, 0));
	fd = kfd_steal_fd(pid, v->fd);
	ASSERT_LE(0, fd);
	for (tries = 0; tries < DUMPS || ((!dumps || !refused) && kfd_now_ms() < end); tries++) {
		ASSERT_OK(stop(pid));
		ret = kfd_snapshot_checkpoint(fd, &s);
		if (!ret) {
			dumps++;
			kfd_snapshot_free(&s);
			ASSERT_OK(kfd_criu_unpause(fd));
		} else {
			ASSERT_ERR(EBUSY, ret);
			refused++;
		}
		ASSERT_OK(ptrace(PTRACE_CONT, pid, 0, 0));
		kfd_sleep_ms(tries % 3);
	}
	EXPECT_LT(0, dumps);
	EXPECT_LT(0, refused);
	v->go = 1;
	ASSERT_OK(stop(pid));
	ASSERT_OK(ptrace(PTRACE_DETACH, pid, 0, 0));
	EXPECT_OK(kfd_wait_child(pid)) TH_LOG("line %d", v->step);
	close(fd);
}

/* --- one program after the other --------------------------------------------- */

/* Adopts, replaces, gives up, and is another program again. */
static int new_loops(struct kfd_scene *sc)
{
	char *p = kfd_scene_map(sc->data);

	STEP(sc, kfd_word_moves(p));
	STEP(sc, kfd_change_owner(sc->k.fd));
	STEP(sc, kfd_scene_charged(sc, getpid(), SCENE_PAGES));
	if (sc->go) {
		STEP(sc, kfd_gpu_word(&sc->k, 0, "evictions") == sc->evictions ? 0 : -EILSEQ);
		return kfd_scene_goes_on(sc, p);
	}
	STEP(sc, kfd_vaddr_update(&sc->k, &sc->live, p));
	STEP(sc, kfd_vaddr_live(&sc->k, &sc->live));
	sc->ready++;
	sc->image = 0;
	return kfd_scene_become(sc);
}

static const struct kfd_image_fn images[] = {
	{ "loops", new_loops },
};

TEST_F_TIMEOUT(vaddr_victim, many_execs, SECONDS)
{
	struct kfd_scene *sc = kfd_scene_new();
	pid_t pid;

	ASSERT_NE(NULL, sc);
	pid = kfd_scene_start(sc, kfd_scene_old_live, "loops", NULL);
	ASSERT_LT(0, pid);
	kfd_sleep_ms(4000 * kfd_time_scale());
	sc->go = 1;
	EXPECT_OK(kfd_wait_child(pid)) TH_LOG("after %d, line %d", sc->ready, sc->step);
	EXPECT_LT(3, sc->ready);
	EXPECT_OK(kfd_nobody_writes(sc->data));
}

TEST_F_TIMEOUT(vaddr_victim, killed_between_execs, SECONDS)
{
	struct kfd_scene *sc;
	pid_t pid;
	int round;

	srand(2);
	for (round = 0; round < KILLS; round++) {
		sc = kfd_scene_new();
		ASSERT_NE(NULL, sc);
		pid = kfd_scene_start(sc, kfd_scene_old_live, "loops", NULL);
		ASSERT_LT(0, pid);
		ASSERT_OK(kfd_wait_flag(&sc->ready));
		kfd_sleep_ms(rand() % (100 * kfd_time_scale()));
		ASSERT_OK(kill(pid, SIGKILL));
		EXPECT_EQ(-EINTR, kfd_wait_child(pid)) TH_LOG("line %d", sc->step);
		EXPECT_OK(kfd_vram_is_back(&self->probe, self->before)) TH_LOG("round %d", round);
		EXPECT_OK(kfd_nobody_writes(sc->data)) TH_LOG("round %d", round);
	}
}

int main(int argc, char **argv)
{
	int ret = kfd_scene_main(argc, argv, images, 1);

	return ret < 0 ? kfd_test_main_ours(argc, argv) : ret;
}
