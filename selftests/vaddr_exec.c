// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process that becomes a new program and keeps its GPU context: what it has
 * to give up for that, who may adopt the context, that queues whose memory
 * lives lose nothing and others go on, and that everything is freed when nobody
 * adopts it.
 *
 * The new program is this one: --image says which part of it, and a file that
 * is open over the exec has what the programs and the test tell each other.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/resource.h>

#include "lib/kfd_mem.h"
#include "lib/kfd_scene.h"
#include "lib/kfd_svm.h"
#include "lib/kfd_test.h"
#include "lib/kfd_workload.h"

/* --- the program before ------------------------------------------------------ */

static int old_both(void *arg)
{
	struct kfd_scene *sc = arg;

	STEP(sc, kfd_scene_live(sc));
	STEP(sc, kfd_scene_dead(sc));
	STEP(sc, kfd_scene_blockers(sc));
	return kfd_scene_become(sc);
}

/* No registered memory at all. */
static int old_bare(void *arg)
{
	struct kfd_scene *sc = arg;

	STEP(sc, kfd_scene_base(sc));
	STEP(sc, kfd_bo_create(&sc->k, 0, MEM_GTT, KFD_PAGE, &sc->live));
	STEP(sc, kfd_counter_start(&sc->k, 0, sc->live.va, &sc->counter));
	if (sc->what)
		STEP(sc, kfd_vaddr_all(&sc->k, VADDR_INVALIDATE));
	return kfd_scene_become(sc);
}

static void *become_in_thread(void *arg)
{
	_exit(-kfd_scene_become(arg) & 0xff);
}

static int old_thread(void *arg)
{
	struct kfd_scene *sc = arg;
	pthread_t thread;

	STEP(sc, kfd_scene_live(sc));
	STEP(sc, -pthread_create(&thread, NULL, become_in_thread, sc));
	return pthread_join(thread, NULL);
}

static int stays(void *arg)
{
	const struct kfd_scene *sc = arg;

	return kfd_wait_flag(&sc->end);
}

/* Another process runs in the old address space and stays there. */
static int old_shared(void *arg)
{
	struct kfd_scene *sc = arg;
	char *p = sc->what ? kfd_scene_map(sc->data2) : NULL;

	STEP(sc, kfd_scene_live(sc));
	if (p)
		STEP(sc, kfd_vaddr_bo(&sc->k, 0, p, SCENE_SIZE, &sc->dead));
	sc->pid = kfd_spawn(KFD_CLONE_VM, stays, sc);
	STEP(sc, sc->pid < 0 ? sc->pid : 0);
	return kfd_scene_become(sc);
}

enum blocker { AN_ADDRESS, SVM_RANGE, PAUSED, NUM_BLOCKERS };

static const int blocker_bits[] = {
	[AN_ADDRESS] = KFD_IOC_VADDR_EXEC_ADDRESSES,
	[SVM_RANGE] = KFD_IOC_VADDR_EXEC_SVM,
	[PAUSED] = KFD_IOC_VADDR_EXEC_PAUSED,
};

static int old_blocked(void *arg)
{
	struct kfd_ioctl_criu_args args;
	struct kfd_scene *sc = arg;
	struct kfd_bo bo;
	char *p;

	STEP(sc, kfd_scene_live(sc));
	switch (sc->what) {
	case AN_ADDRESS:
		p = kfd_scene_map(sc->data2);
		STEP(sc, kfd_vaddr_bo(&sc->k, 0, p, SCENE_SIZE, &bo));
		break;
	case SVM_RANGE:
		STEP(sc, kfd_svm_alloc(&sc->k, KFD_PAGE, 0, &p));
		break;
	case PAUSED:
		p = kfd_scene_map(sc->data);
		STEP(sc, kfd_vaddr_update(&sc->k, &sc->live, p));
		STEP(sc, kfd_criu_info(sc->k.fd, &args));
		STEP(sc, kfd_vaddr_all(&sc->k, VADDR_LIVE));
		break;
	}
	STEP(sc, kfd_scene_blockers(sc) == blocker_bits[sc->what] ? 0 : -EILSEQ);
	return kfd_scene_become(sc);
}

static int old_cloexec(void *arg)
{
	struct kfd_scene *sc = arg;

	STEP(sc, kfd_scene_live(sc));
	STEP(sc, kfd_keep_files(&sc->k, false));
	if (sc->what)
		sc->pid = kfd_spawn(KFD_FORK, stays, sc);
	return kfd_scene_become(sc);
}

/* --- the program after ------------------------------------------------------- */

static int new_live(struct kfd_scene *sc)
{
	char *p = kfd_scene_map(sc->data);

	STEP(sc, kfd_word_moves(p));
	STEP(sc, kfd_scene_adopt(sc));
	STEP(sc, kfd_vaddr_stands(&sc->k, 1, 1, 1, SCENE_PAGES));
	STEP(sc, kfd_scene_charged(sc, getpid(), SCENE_PAGES));
	return kfd_scene_goes_on(sc, p);
}

static int new_both(struct kfd_scene *sc)
{
	char *p = kfd_scene_map(sc->data), *old = kfd_scene_map(sc->data2), *anon;
	uint64_t from;

	/* On one GPU the other buffer keeps this one's queue too. */
	STEP(sc, sc->k.num_gpus > 1 ? kfd_word_moves(p) : kfd_word_stands(p));
	STEP(sc, kfd_word_stands(old));
	STEP(sc, kfd_scene_adopt(sc));
	STEP(sc, kfd_vaddr_stands(&sc->k, 2, 2, 1, SCENE_PAGES));
	STEP(sc, kfd_word_stands(old));
	anon = mmap(NULL, SCENE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	STEP(sc, anon == MAP_FAILED ? -errno : 0);
	STEP(sc, kfd_queue_map_again(&sc->k, &sc->stopped.q));
	STEP(sc, kfd_bo_map_cpu(&sc->k, &sc->stopped.ib));
	STEP(sc, kfd_bo_map_cpu(&sc->k, &sc->stopped.shadow));
	from = kfd_counter_value(&sc->stopped);
	STEP(sc, kfd_vaddr_update(&sc->k, &sc->dead, anon));
	STEP(sc, kfd_word_moves(anon));
	STEP(sc, kfd_counter_stop(&sc->k, &sc->stopped, anon, from));
	STEP(sc, kfd_word_stands(old));
	sc->evictions = kfd_gpu_word(&sc->k, 0, "evictions");
	return kfd_scene_goes_on(sc, p);
}

static int new_bare(struct kfd_scene *sc)
{
	STEP(sc, kfd_scene_adopt(sc));
	STEP(sc, kfd_scene_map_again(sc));
	STEP(sc, kfd_bo_map_cpu(&sc->k, &sc->live));
	STEP(sc, kfd_scene_events(sc));
	STEP(sc, kfd_word_moves(sc->live.cpu));
	return kfd_counter_stop(&sc->k, &sc->counter, sc->live.cpu, 0);
}

static int new_again(struct kfd_scene *sc)
{
	STEP(sc, kfd_scene_nobodys(sc));
	return kfd_scene_become(sc);
}

/* It is as any owner: it may give up all once more and become another program. */
static int new_adopts_again(struct kfd_scene *sc)
{
	char *p = kfd_scene_map(sc->data);

	STEP(sc, kfd_scene_adopt(sc));
	STEP(sc, kfd_vaddr_update(&sc->k, &sc->live, p));
	STEP(sc, kfd_vaddr_live(&sc->k, &sc->live));
	sc->evictions = kfd_gpu_word(&sc->k, 0, "evictions");
	return kfd_scene_become(sc);
}

/* Memory of the GPU is back while this program is still there. */
static int is_freed(struct kfd_scene *sc)
{
	struct kfd probe;

	STEP(sc, kfd_open(&probe));
	STEP(sc, kfd_vram_is_back(&probe, sc->before));
	kfd_stop(&probe);
	return 0;
}

static int new_ended(struct kfd_scene *sc)
{
	STEP(sc, kfd_scene_nobodys(sc));
	STEP_ERR(sc, EBADF, kfd_change_owner(sc->k.fd));
	STEP(sc, is_freed(sc));
	STEP_ERR(sc, EBADF, kfd_change_owner(sc->k.fd));
	return kfd_scene_nobodys(sc);
}

static int new_without_files(struct kfd_scene *sc)
{
	return is_freed(sc);
}

/* Somebody else has a file of it, and keeps it for as long as we are there. */
static int new_beside_file(struct kfd_scene *sc)
{
	STEP(sc, kfd_word_moves(kfd_scene_map(sc->data)));
	sc->end = 1;
	return is_freed(sc);
}

static int new_closes(struct kfd_scene *sc)
{
	int fd = dup(sc->k.fd);

	kfd_stop(&sc->k);
	/* There is one more. */
	STEP(sc, kfd_word_moves(kfd_scene_map(sc->data)));
	close(fd);
	return is_freed(sc);
}

static int new_opens_first(struct kfd_scene *sc)
{
	int fd = open("/dev/kfd", O_RDWR | O_CLOEXEC);

	STEP(sc, fd < 0 ? -errno : 0);
	STEP_ERR(sc, EBUSY, kfd_change_owner(sc->k.fd));
	STEP(sc, kfd_word_moves(kfd_scene_map(sc->data)));
	/* Closing it does not end what the address space has. */
	close(fd);
	STEP_ERR(sc, EBUSY, kfd_change_owner(sc->k.fd));
	return 0;
}

static int new_leaves_a_child(struct kfd_scene *sc)
{
	sc->pid = kfd_spawn(KFD_FORK, stays, sc);
	return sc->pid < 0 ? sc->pid : 0;
}

static int child_adopts(void *arg)
{
	struct kfd_scene *sc = arg;

	return kfd_change_owner(sc->k.fd) == -EBADF ? 0 : -EILSEQ;
}

/* Others have tried; it is still this process's. */
static int new_waits(struct kfd_scene *sc)
{
	char *p = kfd_scene_map(sc->data);

	STEP(sc, kfd_in_child(child_adopts, sc));
	sc->ready = 1;
	STEP(sc, kfd_wait_flag(&sc->go));
	STEP(sc, kfd_scene_adopt(sc));
	STEP(sc, kfd_scene_charged(sc, getpid(), SCENE_PAGES));
	return kfd_scene_goes_on(sc, p);
}

/* The old address space is still somebody's: what was charged there moves here. */
static int new_beside_sharer(struct kfd_scene *sc)
{
	char *p = kfd_scene_map(sc->data);

	STEP(sc, kfd_scene_charged(sc, sc->pid, SCENE_PAGES));
	STEP(sc, kfd_scene_adopt(sc));
	STEP(sc, kfd_scene_charged(sc, sc->pid, 0));
	STEP(sc, kfd_scene_charged(sc, getpid(), SCENE_PAGES));
	STEP(sc, kfd_word_moves(p));
	sc->end = 1;
	STEP(sc, kfd_wait_child(sc->pid));
	return kfd_scene_goes_on(sc, p);
}

/* An address is valid there, and serves: not ours, until it ends. */
static int new_beside_owner(struct kfd_scene *sc)
{
	char *p = kfd_scene_map(sc->data);

	STEP_ERR(sc, EBUSY, kfd_change_owner(sc->k.fd));
	STEP(sc, kfd_word_moves(p));
	sc->end = 1;
	STEP(sc, kfd_wait_child(sc->pid));
	STEP(sc, is_freed(sc));
	STEP_ERR(sc, EBADF, kfd_change_owner(sc->k.fd));
	return kfd_word_stands(p);
}

static int limit_pages(uint64_t pages)
{
	struct rlimit limit = { pages * KFD_PAGE, RLIM_INFINITY };

	return setrlimit(RLIMIT_MEMLOCK, &limit) ? -errno : 0;
}

static int new_under_limit(struct kfd_scene *sc)
{
	struct kfd_ioctl_vaddr_info_args info;
	char *p = kfd_scene_map(sc->data);

	STEP(sc, kfd_set_caps(~(1ULL << CAP_IPC_LOCK)));
	STEP(sc, limit_pages(SCENE_PAGES - 1));
	STEP_ERR(sc, ENOMEM, kfd_change_owner(sc->k.fd));
	STEP_ERR(sc, EBADF, kfd_vaddr_info(&sc->k, &info));
	STEP(sc, kfd_scene_charged(sc, getpid(), 0));
	STEP(sc, limit_pages(SCENE_PAGES));
	STEP(sc, kfd_scene_adopt(sc));
	STEP(sc, kfd_scene_charged(sc, getpid(), SCENE_PAGES));
	return kfd_scene_goes_on(sc, p);
}

/* A context of its own does not double the limit. */
static int new_second_context(struct kfd_scene *sc)
{
	char *p = kfd_scene_map(sc->data2);
	int tries, ret = -ENOMEM;
	struct kfd second;
	struct kfd_bo bo;

	STEP(sc, kfd_set_caps(~(1ULL << CAP_IPC_LOCK)));
	STEP(sc, limit_pages(2 * SCENE_PAGES - 1));
	STEP(sc, kfd_start(&second));
	STEP_ERR(sc, EBUSY, kfd_change_owner(sc->k.fd));
	STEP(sc, kfd_vaddr_bo(&second, 0, p, SCENE_SIZE, &bo));
	STEP_ERR(sc, ENOMEM, kfd_vaddr_live(&second, &bo));
	STEP(sc, kfd_scene_charged(sc, getpid(), 0));
	STEP(sc, limit_pages(2 * SCENE_PAGES));
	STEP(sc, kfd_vaddr_live(&second, &bo));
	STEP(sc, kfd_scene_charged(sc, getpid(), SCENE_PAGES));
	STEP(sc, kfd_vaddr_update(&second, &bo, p));
	STEP(sc, close(sc->k.fd) ? -errno : 0);
	STEP(sc, limit_pages(SCENE_PAGES));
	/* The first one is taken down in the background. */
	for (tries = 0; tries < 200 && (ret = kfd_vaddr_live(&second, &bo)) == -ENOMEM; tries++)
		kfd_sleep_ms(50);
	STEP(sc, ret);
	return kfd_vaddr_update(&second, &bo, p);
}

static int new_stops_at(struct kfd_scene *sc)
{
	char *p = kfd_scene_map(sc->data);

	if (sc->what >= 1)
		STEP(sc, kfd_scene_adopt(sc));
	if (sc->what >= 2)
		STEP(sc, kfd_vaddr_update(&sc->k, &sc->live, p));
	if (sc->what >= 3)
		STEP(sc, kfd_vaddr_live(&sc->k, &sc->live));
	sc->ready = 1;
	for (;;)
		pause();
}

static int new_stranger(struct kfd_scene *sc)
{
	STEP(sc, kfd_scene_nobodys(sc));
	STEP_ERR(sc, EBADF, kfd_change_owner(sc->k.fd));
	return 0;
}

static const struct kfd_image_fn images[] = {
	{ "live", new_live },
	{ "both", new_both },
	{ "bare", new_bare },
	{ "again", new_again },
	{ "adopts again", new_adopts_again },
	{ "ended", new_ended },
	{ "without files", new_without_files },
	{ "beside file", new_beside_file },
	{ "closes", new_closes },
	{ "opens first", new_opens_first },
	{ "leaves a child", new_leaves_a_child },
	{ "waits", new_waits },
	{ "beside sharer", new_beside_sharer },
	{ "beside owner", new_beside_owner },
	{ "under limit", new_under_limit },
	{ "second context", new_second_context },
	{ "stops", new_stops_at },
	{ "stranger", new_stranger },
};

/* --- the tests --------------------------------------------------------------- */

FIXTURE(vaddr_exec)
{
	struct kfd probe;
	struct kfd_scene *sc;
	char *view, *view2;	/* of what lives, and of what does not */
};

FIXTURE_SETUP(vaddr_exec)
{
	self->sc = kfd_scene_new();
	ASSERT_NE(NULL, self->sc);
	self->view = kfd_scene_map(self->sc->data);
	self->view2 = kfd_scene_map(self->sc->data2);
	ASSERT_NE(MAP_FAILED, self->view);
	ASSERT_NE(MAP_FAILED, self->view2);
	ASSERT_OK(kfd_open(&self->probe));
	ASSERT_OK(kfd_available_settled(&self->probe, 0, &self->sc->before));
}

/* Whatever has been: nothing is left, and nobody writes any more. */
FIXTURE_TEARDOWN(vaddr_exec)
{
	self->sc->end = 1;
	self->sc->go = 1;
	EXPECT_OK(kfd_vram_is_back(&self->probe, self->sc->before));
	EXPECT_OK(kfd_word_stands(self->view));
	EXPECT_OK(kfd_word_stands(self->view2));
	munmap(self->view, SCENE_SIZE);
	EXPECT_OK(kfd_nobody_writes(self->sc->data));
	kfd_stop(&self->probe);
}

TEST_F_TIMEOUT(vaddr_exec, what_lives_has_never_stood_still, 60)
{
	EXPECT_OK(kfd_scene_run(self->sc, kfd_scene_old_live, "live", NULL));
}

TEST_F_TIMEOUT(vaddr_exec, what_was_evicted_goes_on, 60)
{
	EXPECT_OK(kfd_scene_run(self->sc, old_both, "both", NULL));
}

TEST_F_TIMEOUT(vaddr_exec, without_registered_memory, 60)
{
	/* Only who has said that nothing depends on the old memory. */
	EXPECT_OK(kfd_scene_run(self->sc, old_bare, "ended", NULL));
	self->sc->what = 1;
	EXPECT_OK(kfd_scene_run(self->sc, old_bare, "bare", NULL));
}

TEST_F_TIMEOUT(vaddr_exec, from_a_thread_that_does_not_lead, 60)
{
	EXPECT_OK(kfd_scene_run(self->sc, old_thread, "live", NULL));
}

TEST_F_TIMEOUT(vaddr_exec, twice_before_it_is_adopted, 60)
{
	EXPECT_OK(kfd_scene_run(self->sc, kfd_scene_old_live, "again", "live"));
}

TEST_F_TIMEOUT(vaddr_exec, twice_and_adopted_each_time, 60)
{
	EXPECT_OK(kfd_scene_run(self->sc, kfd_scene_old_live, "adopts again", "live"));
}

TEST_F_TIMEOUT(vaddr_exec, whatever_depends_on_the_old_memory_ends_it, 120)
{
	for (self->sc->what = 0; self->sc->what < NUM_BLOCKERS; self->sc->what++)
		EXPECT_OK(kfd_scene_run(self->sc, old_blocked, "ended", NULL))
			TH_LOG("blocker %d", self->sc->what);
}

TEST_F_TIMEOUT(vaddr_exec, close_on_exec, 60)
{
	EXPECT_OK(kfd_scene_run(self->sc, old_cloexec, "without files", NULL));
}

TEST_F_TIMEOUT(vaddr_exec, close_on_exec_beside_a_child, 60)
{
	self->sc->what = 1;
	EXPECT_OK(kfd_scene_run(self->sc, old_cloexec, "beside file", NULL));
}

TEST_F_TIMEOUT(vaddr_exec, closed_before_it_is_adopted, 60)
{
	EXPECT_OK(kfd_scene_run(self->sc, kfd_scene_old_live, "closes", NULL));
}

TEST_F_TIMEOUT(vaddr_exec, opened_before_it_is_adopted, 60)
{
	EXPECT_OK(kfd_scene_run(self->sc, kfd_scene_old_live, "opens first", NULL));
}

TEST_F_TIMEOUT(vaddr_exec, ends_before_it_is_adopted, 60)
{
	EXPECT_OK(kfd_scene_run(self->sc, kfd_scene_old_live, "leaves a child", NULL));
	/* That the child still has the files keeps nothing. */
	EXPECT_OK(kfd_vram_is_back(&self->probe, self->sc->before));
	EXPECT_OK(kfd_word_stands(self->view));
	EXPECT_OK(kill(self->sc->pid, 0));
	self->sc->end = 1;
}

TEST_F_TIMEOUT(vaddr_exec, nobody_else_adopts_it, 60)
{
	struct kfd_scene *sc = self->sc;
	struct kfd_ioctl_criu_args args;
	pid_t pid = kfd_scene_start(sc, kfd_scene_old_live, "waits", NULL);
	int fd, status;

	ASSERT_LT(0, pid);
	ASSERT_OK(kfd_wait_flag(&sc->ready));
	fd = kfd_steal_fd(pid, sc->k.fd);
	ASSERT_LE(0, fd);
	EXPECT_ERR(EBADF, kfd_change_owner(fd));
	EXPECT_ERR(EBADF, kfd_criu_info(fd, &args));
	ASSERT_OK(ptrace(PTRACE_SEIZE, pid, 0, 0));
	ASSERT_OK(ptrace(PTRACE_INTERRUPT, pid, 0, 0));
	ASSERT_EQ(pid, waitpid(pid, &status, __WALL));
	EXPECT_ERR(EBADF, kfd_change_owner(fd));
	EXPECT_ERR(EBADF, kfd_criu_info(fd, &args));
	EXPECT_ERR(EBADF, kfd_criu_unpause(fd));
	ASSERT_OK(ptrace(PTRACE_DETACH, pid, 0, 0));
	EXPECT_OK(kfd_word_moves(self->view));
	sc->go = 1;
	EXPECT_OK(kfd_wait_child(pid)) TH_LOG("line %d", sc->step);
	close(fd);
}

TEST_F_TIMEOUT(vaddr_exec, somebody_stays_in_the_old_memory, 60)
{
	EXPECT_OK(kfd_scene_run(self->sc, old_shared, "beside sharer", NULL));
}

TEST_F_TIMEOUT(vaddr_exec, somebody_stays_who_needs_it, 60)
{
	self->sc->what = 1;
	EXPECT_OK(kfd_scene_run(self->sc, old_shared, "beside owner", NULL));
}

TEST_F_TIMEOUT(vaddr_exec, limit_of_locked_memory, 60)
{
	EXPECT_OK(kfd_scene_run(self->sc, kfd_scene_old_live, "under limit", NULL));
}

TEST_F_TIMEOUT(vaddr_exec, limit_of_all_contexts_together, 60)
{
	EXPECT_OK(kfd_scene_run(self->sc, kfd_scene_old_live, "second context", NULL));
}

TEST_F_TIMEOUT(vaddr_exec, killed_at_every_step, 120)
{
	struct kfd_scene *sc = self->sc;
	pid_t pid;

	for (sc->what = 0; sc->what < 4; sc->what++) {
		pid = kfd_scene_start(sc, kfd_scene_old_live, "stops", NULL);
		ASSERT_LT(0, pid);
		ASSERT_OK(kfd_wait_flag(&sc->ready));
		EXPECT_OK(kfd_word_moves(self->view));
		ASSERT_OK(kill(pid, SIGKILL));
		EXPECT_EQ(-EINTR, kfd_wait_child(pid));
		EXPECT_OK(kfd_vram_is_back(&self->probe, sc->before)) TH_LOG("step %d", sc->what);
		EXPECT_OK(kfd_word_stands(self->view));
	}
}

/* --- a restored process ------------------------------------------------------ */

static int dumped(void *arg)
{
	struct kfd_scene *sc = arg;
	struct kfd_snapshot s;
	char *p = kfd_scene_map(sc->data);

	STEP(sc, kfd_start(&sc->k));
	STEP(sc, kfd_vaddr_bo(&sc->k, 0, p, SCENE_SIZE, &sc->live));
	STEP(sc, kfd_bo_create(&sc->k, 0, MEM_VRAM, SCENE_VRAM, &sc->vram));
	STEP(sc, kfd_queue_create(&sc->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, KFD_PAGE, &sc->idle));
	STEP(sc, kfd_event_create(&sc->k, KFD_IOC_EVENT_SIGNAL, true, &sc->set));
	STEP(sc, kfd_snapshot_dump(&sc->k, sc->k.fd, &s));
	return kfd_snapshot_write(&s, sc->data2);
}

/* It has been restored, and is another program before it is resumed. */
static int old_restored(void *arg)
{
	struct kfd_snapshot s;
	struct kfd_scene *sc = arg;

	STEP(sc, lseek(sc->data2, 0, SEEK_SET) ? -errno : 0);
	STEP(sc, kfd_snapshot_read(&s, sc->data2));
	STEP(sc, kfd_snapshot_restore(&sc->k, &s));
	STEP(sc, kfd_keep_files(&sc->k, true));
	STEP(sc, kfd_scene_blockers(sc) & KFD_IOC_VADDR_EXEC_RESTORED ? 0 : -EILSEQ);
	return kfd_scene_become(sc);
}

TEST_F_TIMEOUT(vaddr_exec, restored_and_not_resumed, 60)
{
	ASSERT_OK(kfd_in_child(dumped, self->sc)) TH_LOG("line %d", self->sc->step);
	EXPECT_OK(kfd_scene_run(self->sc, old_restored, "ended", NULL));
}

/* --- a child that becomes another program ------------------------------------ */

static int stranger(void *arg)
{
	return kfd_scene_become(arg);
}

static int old_parent(void *arg)
{
	struct kfd_scene *sc = arg;
	char *p = kfd_scene_map(sc->data);
	enum kfd_spawn how;
	pid_t pid;

	STEP(sc, kfd_scene_live(sc));
	for (how = KFD_FORK; how <= KFD_CLONE_VFORK; how++) {
		sc->image = 0;
		pid = kfd_spawn(how, stranger, sc);
		STEP(sc, pid < 0 ? pid : kfd_wait_child(pid));
		STEP(sc, kfd_word_moves(p));
		STEP(sc, kfd_vaddr_stands(&sc->k, 1, 1, 1, SCENE_PAGES));
	}
	STEP(sc, kfd_vaddr_update(&sc->k, &sc->live, p));
	STEP(sc, kfd_word_moves(p));
	return kfd_counter_stop(&sc->k, &sc->counter, p, 0);
}

TEST_F_TIMEOUT(vaddr_exec, a_child_becomes_another_program, 60)
{
	EXPECT_OK(kfd_scene_run(self->sc, old_parent, "stranger", NULL));
}

int main(int argc, char **argv)
{
	int ret = kfd_scene_main(argc, argv, images, sizeof(images) / sizeof(images[0]));

	return ret < 0 ? kfd_test_main_ours(argc, argv) : ret;
}
