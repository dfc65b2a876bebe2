// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dumpers, targets, restorers and masters that are stopped, interrupted and
 * killed in every phase of every op. The phases are the driver's own list, so
 * that a new one that no test comes to fails here. Needs a debug build of the
 * driver; criu_kill.c does by chance what this does by name.
 */
#include <signal.h>
#include <string.h>

#include "lib/kfd_phase.h"
#include "lib/kfd_test.h"
#include "lib/kfd_workload.h"

/**
 * struct crew - who takes part, in memory that all of them share
 * @w: what is dumped and restored
 * @before: @w as the image has it
 * @t: the process that is dumped, or the one that has been restored
 * @s: the image
 * @spoilt: the image, with an error that shows when buffers are made
 * @step: what the restored process has come to
 * @go: lets it come to its end
 */
struct crew {
	struct kfd_workload *w;
	struct kfd_workload before;
	struct kfd_target t;
	struct kfd_snapshot s;
	struct kfd_snapshot spoilt;
	volatile int step;
	volatile int go;
};

FIXTURE(phase)
{
	struct kfd probe;	/* to look at VRAM with */
	uint64_t vram;
	struct kfd_phases phases;
	struct kfd_victim *v;
};

static struct crew *crew;

FIXTURE_SETUP(phase)
{
	/* The harness would run the test of a setup that skips. */
	if (!kfd_phase_present())
		return;
	ASSERT_OK(kfd_phase_let_go());
	ASSERT_OK(kfd_phase_list(&self->phases));
	self->v = kfd_victim_new();
	ASSERT_NE(NULL, self->v);
	crew = mmap(NULL, sizeof(*crew), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		    -1, 0);
	ASSERT_NE(MAP_FAILED, crew);
	crew->w = kfd_workload_new();
	ASSERT_NE(NULL, crew->w);
	self->v->t = &crew->t;
	self->v->s = &crew->s;
	ASSERT_OK(kfd_open(&self->probe));
	ASSERT_OK(kfd_available_settled(&self->probe, 0, &self->vram));
}

FIXTURE_TEARDOWN(phase)
{
	if (!kfd_phase_present())
		return;
	kfd_phase_let_go();
	kfd_stop(&self->probe);
}

#define REQUIRE_PHASES() \
	do { \
		if (!kfd_phase_present()) \
			SKIP(return, "needs a debug build of the driver"); \
	} while (0)

static bool is_of(const char *phase, const char *op)
{
	return !strncmp(phase, op, strlen(op)) && phase[strlen(op)] == '_';
}

static bool is_dump(const char *phase)
{
	return is_of(phase, "info") || is_of(phase, "checkpoint") || is_of(phase, "unpause");
}

static bool is_undo(const char *phase)
{
	return !strcmp(phase, "restore_undo");
}

/* What a complete restore comes to. */
static bool is_restore(const char *phase)
{
	return (is_of(phase, "restore") && !is_undo(phase)) || is_of(phase, "resume");
}

static void on_signal(int sig)
{
	(void)sig;
}

/*
 * No op says EINTR because of a signal that does not kill; only RESUME may,
 * and it works when it is asked again.
 */
static int never_interrupted(void)
{
	return kfd_interrupted ? -EINTR : 0;
}

/* A handler and no restart: an op that says EINTR is seen to. */
static int catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	return sigaction(SIGUSR1, &action, NULL) ? -errno : 0;
}

/* Dump the target from its start to its release. */
static int dump_once(struct kfd_victim *v)
{
	struct kfd_snapshot s;
	int ret, err, fds;

	ret = catch_signals();
	if (!ret)
		ret = kfd_target_seize(v->t);
	if (ret)
		return ret;
	fds = kfd_count_fds();
	ret = kfd_snapshot_checkpoint(v->t->fd, &s);
	if (!ret) {
		kfd_snapshot_free(&s);
		ret = kfd_criu_unpause(v->t->fd);
	}
	if (kfd_count_fds() != fds)
		return -EMFILE;
	err = kfd_target_release(v->t);
	return ret ? ret : err ? err : never_interrupted();
}

/* Have crew->s hold the image of a workload, which is then gone. */
static int make_image(void)
{
	struct kfd_snapshot *s = &crew->s;
	struct kfd k = { .fd = -1 };
	int ret, status;

	ret = kfd_target_start(&crew->t, crew->w, 0);
	if (ret)
		return ret;
	ret = kfd_target_seize(&crew->t);
	if (!ret)
		ret = kfd_open(&k);
	if (!ret)
		ret = kfd_open_drm(&k);
	if (!ret)
		ret = kfd_snapshot_dump(&k, crew->t.fd, s);
	kfd_stop(&k);
	/* The registered page is all that is not in a buffer. */
	memset(crew->w->user_copy, 0x11, sizeof(crew->w->user_copy));
	crew->before = *crew->w;
	kill(crew->t.pid, SIGKILL);
	waitpid(crew->t.pid, &status, __WALL);
	close(crew->t.fd);
	if (!ret)
		ret = kfd_snapshot_copy(s, &crew->spoilt);
	/* The last: something has been made by then. */
	if (!ret)
		crew->spoilt.bos[s->info.num_bos - 1].size += KFD_PAGE;
	return ret;
}

static void drop_image(void)
{
	kfd_snapshot_free(&crew->s);
	kfd_snapshot_free(&crew->spoilt);
}

/* Become the restored process, up to its RESUME. */
static int restore_begin(struct kfd_victim *v)
{
	int ret = catch_signals();

	*crew->w = crew->before;
	return ret ? ret : kfd_workload_restore(crew->w, v->s);
}

static int restore_and_finish(struct kfd_victim *v)
{
	int ret = restore_begin(v);

	if (!ret)
		ret = never_interrupted();
	if (!ret)
		ret = kfd_criu_resume(crew->w->k.fd, getpid());
	return ret ? ret : kfd_workload_finish(crew->w);
}

/* Up to RESUME, which is somebody else's business; then to the end. */
static int restore_and_wait(struct kfd_victim *v)
{
	int ret = restore_begin(v);

	crew->step = ret ? ret : 1;
	if (!ret)
		ret = kfd_wait_flag(&crew->go);
	return ret ? ret : kfd_workload_finish(crew->w);
}

/* A restore that fails, and leaves a process that can try again. */
static int restore_in_vain(struct kfd_victim *v)
{
	struct kfd k;
	int ret;

	ret = catch_signals();
	if (!ret)
		ret = kfd_snapshot_open(&k, &crew->spoilt);
	if (ret)
		return ret;
	ret = kfd_snapshot_restore_op(&k, &crew->spoilt);
	if (ret != -EINVAL)
		return ret ? ret : -EPROTO;
	kfd_stop(&k);
	return restore_and_finish(v);
}

/* The criu master: resumes crew->t, by a file of its own. */
static int resume_other(struct kfd_victim *v)
{
	struct kfd k;
	int ret;

	(void)v;
	ret = catch_signals();
	if (!ret)
		ret = kfd_open(&k);
	return ret ? ret : kfd_criu_resume(k.fd, crew->t.pid);
}

static int start_restored(struct kfd_victim *v)
{
	int ret;

	crew->go = 0;
	crew->step = 0;
	v->fn = restore_and_wait;
	crew->t.pid = kfd_victim_run(v);
	if (crew->t.pid < 0)
		return -errno;
	ret = kfd_wait_flag(&crew->step);
	return ret ? ret : crew->step == 1 ? 0 : crew->step;
}

/* Let a process be stopped in @phase, and be killed there. */
static int kill_in(const char *phase, pid_t (*start)(struct kfd_victim *), struct kfd_victim *v)
{
	int ret, end;
	pid_t pid;

	ret = kfd_phase_arm(phase);
	if (ret)
		return ret;
	pid = start(v);
	if (pid < 0)
		return -ECHILD;
	ret = kfd_phase_wait(pid, phase);
	kill(pid, SIGKILL);
	end = kfd_wait_child(pid);
	kfd_phase_let_go();
	return ret ? ret : end == -EINTR ? 0 : -EPROTO;
}

/*
 * Have a process stop in each phase that @of says, one after the other, give
 * it @sig there if it is one, and let it go on. What it ends with.
 */
static int walk(const struct kfd_phases *phases, bool (*of)(const char *), struct kfd_victim *v,
		int sig)
{
	const char *at = NULL;
	unsigned int i;
	pid_t pid = -1;
	int ret, end;

	for (i = 0, ret = 0; i < phases->n && !ret; i++) {
		if (!of(phases->name[i]))
			continue;
		/* This lets it go on from where it is. */
		ret = kfd_phase_arm(phases->name[i]);
		if (!at)
			pid = kfd_victim_run(v);
		at = phases->name[i];
		if (!ret)
			ret = kfd_phase_wait(pid, at);
		if (!ret && sig && kill(pid, sig))
			ret = -errno;
		/* Long enough to have been woken by it. */
		if (sig)
			kfd_sleep_ms(5);
	}
	kfd_phase_let_go();
	if (!at)
		return -ENOENT;
	if (ret)
		kill(pid, SIGKILL);
	end = kfd_wait_child(pid);
	return ret ? ret : end;
}

TEST_F_TIMEOUT(phase, every_one_is_known, 30)
{
	unsigned int i, dump = 0, restore = 0, undo = 0;

	REQUIRE_PHASES();
	for (i = 0; i < self->phases.n; i++) {
		const char *name = self->phases.name[i];

		dump += is_dump(name);
		restore += is_restore(name);
		undo += is_undo(name);
		EXPECT_TRUE(is_dump(name) || is_restore(name) || is_undo(name))
			TH_LOG("no test comes to %s", name);
	}
	EXPECT_GE(dump, 9);
	EXPECT_GE(restore, 13);
	EXPECT_EQ(1, undo);
	EXPECT_ERR(EINVAL, kfd_phase_arm("no_such_phase"));
}

/* Stopped in each, let go, and nothing is different. */
TEST_F_TIMEOUT(phase, stop_and_go_on, 300)
{
	REQUIRE_PHASES();
	ASSERT_OK(kfd_target_start(&crew->t, crew->w, 0));
	self->v->fn = dump_once;
	EXPECT_OK(walk(&self->phases, is_dump, self->v, 0));
	EXPECT_OK(kfd_target_finish(&crew->t));
	ASSERT_OK(make_image());
	self->v->fn = restore_and_finish;
	EXPECT_OK(walk(&self->phases, is_restore, self->v, 0));
	self->v->fn = restore_in_vain;
	EXPECT_OK(walk(&self->phases, is_undo, self->v, 0));
	drop_image();
	EXPECT_OK(kfd_vram_is_back(&self->probe, self->vram));
}

/* A signal that is handled, without SA_RESTART, in each: nor does that matter. */
TEST_F_TIMEOUT(phase, signal_in_each, 300)
{
	REQUIRE_PHASES();
	ASSERT_OK(kfd_target_start(&crew->t, crew->w, 0));
	self->v->fn = dump_once;
	EXPECT_OK(walk(&self->phases, is_dump, self->v, SIGUSR1));
	EXPECT_OK(kfd_target_finish(&crew->t));
	ASSERT_OK(make_image());
	self->v->fn = restore_and_finish;
	EXPECT_OK(walk(&self->phases, is_restore, self->v, SIGUSR1));
	self->v->fn = restore_in_vain;
	EXPECT_OK(walk(&self->phases, is_undo, self->v, SIGUSR1));
	drop_image();
	EXPECT_OK(kfd_vram_is_back(&self->probe, self->vram));
}

/* The dumper dies: the target goes on to its end. */
TEST_F_TIMEOUT(phase, dumper_killed, 400)
{
	unsigned int i;

	REQUIRE_PHASES();
	self->v->fn = dump_once;
	for (i = 0; i < self->phases.n; i++) {
		const char *phase = self->phases.name[i];

		if (!is_dump(phase))
			continue;
		ASSERT_OK(kfd_target_start(&crew->t, crew->w, 0));
		EXPECT_OK(kill_in(phase, kfd_victim_run, self->v)) TH_LOG("in %s", phase);
		/* Its queues run, so it is not paused. */
		EXPECT_OK(kfd_target_finish(&crew->t)) TH_LOG("in %s", phase);
		EXPECT_OK(kfd_vram_is_back(&self->probe, self->vram)) TH_LOG("in %s", phase);
	}
	EXPECT_OK(kfd_in_child(kfd_healthy, NULL));
}

/* The target dies: the dumper comes to an end and has got no more than it knows of. */
TEST_F_TIMEOUT(phase, target_killed, 400)
{
	unsigned int i;
	pid_t pid;

	REQUIRE_PHASES();
	self->v->fn = dump_once;
	for (i = 0; i < self->phases.n; i++) {
		const char *phase = self->phases.name[i];

		if (!is_dump(phase))
			continue;
		ASSERT_OK(kfd_target_start(&crew->t, crew->w, 0));
		ASSERT_OK(kfd_phase_arm(phase));
		pid = kfd_victim_run(self->v);
		ASSERT_GT(pid, 0);
		EXPECT_OK(kfd_phase_wait(pid, phase));
		kill(crew->t.pid, SIGKILL);
		/* It is on its way out, and does not wait for the dumper. */
		kfd_sleep_ms(20);
		ASSERT_OK(kfd_phase_let_go());
		EXPECT_ERR_EITHER(EBADF, ESRCH, kfd_wait_child(pid));
		EXPECT_ERR(EINTR, kfd_wait_child(crew->t.pid)) TH_LOG("in %s", phase);
		EXPECT_OK(kfd_vram_is_back(&self->probe, self->vram)) TH_LOG("in %s", phase);
	}
	EXPECT_OK(kfd_in_child(kfd_healthy, NULL));
}

/* The restorer dies in its RESTORE, in its own RESUME, or as it undoes. */
TEST_F_TIMEOUT(phase, restorer_killed, 600)
{
	unsigned int i;

	REQUIRE_PHASES();
	ASSERT_OK(make_image());
	for (i = 0; i < self->phases.n; i++) {
		const char *phase = self->phases.name[i];

		if (is_dump(phase))
			continue;
		self->v->fn = is_undo(phase) ? restore_in_vain : restore_and_finish;
		EXPECT_OK(kill_in(phase, kfd_victim_run, self->v)) TH_LOG("in %s", phase);
		EXPECT_OK(kfd_vram_is_back(&self->probe, self->vram)) TH_LOG("in %s", phase);
	}
	/* The image has not suffered. */
	self->v->fn = restore_and_finish;
	EXPECT_OK(kfd_wait_child(kfd_victim_run(self->v)));
	drop_image();
	EXPECT_OK(kfd_vram_is_back(&self->probe, self->vram));
}

/* The master dies in RESUME: another one finishes it, or finds it done. */
TEST_F_TIMEOUT(phase, master_killed, 300)
{
	struct kfd_victim *master = kfd_victim_new();
	unsigned int i;

	REQUIRE_PHASES();
	ASSERT_NE(NULL, master);
	master->fn = resume_other;
	ASSERT_OK(make_image());
	for (i = 0; i < self->phases.n; i++) {
		const char *phase = self->phases.name[i];
		int ret;

		if (!is_of(phase, "resume"))
			continue;
		ASSERT_OK(start_restored(self->v));
		EXPECT_OK(kill_in(phase, kfd_victim_run, master)) TH_LOG("in %s", phase);
		ret = kfd_wait_child(kfd_victim_run(master));
		EXPECT_TRUE(ret == 0 || ret == -EINVAL) TH_LOG("in %s: %d", phase, ret);
		crew->go = 1;
		EXPECT_OK(kfd_wait_child(crew->t.pid)) TH_LOG("in %s", phase);
		EXPECT_OK(kfd_vram_is_back(&self->probe, self->vram)) TH_LOG("in %s", phase);
	}
	drop_image();
}

/* The restored process dies under its master. */
TEST_F_TIMEOUT(phase, restored_killed, 300)
{
	struct kfd_victim *master = kfd_victim_new();
	unsigned int i;
	pid_t pid;
	int ret;

	REQUIRE_PHASES();
	ASSERT_NE(NULL, master);
	master->fn = resume_other;
	ASSERT_OK(make_image());
	for (i = 0; i < self->phases.n; i++) {
		const char *phase = self->phases.name[i];

		if (!is_of(phase, "resume"))
			continue;
		ASSERT_OK(start_restored(self->v));
		ASSERT_OK(kfd_phase_arm(phase));
		pid = kfd_victim_run(master);
		ASSERT_GT(pid, 0);
		EXPECT_OK(kfd_phase_wait(pid, phase));
		kill(crew->t.pid, SIGKILL);
		/* Its end does not wait for the master's op ... */
		EXPECT_ERR(EINTR, kfd_wait_child(crew->t.pid)) TH_LOG("in %s", phase);
		ASSERT_OK(kfd_phase_let_go());
		/* ... which ends too: done just in time, or without an address space. */
		ret = kfd_wait_child(pid);
		EXPECT_TRUE(ret == 0 || ret == -ESRCH) TH_LOG("in %s: %d", phase, ret);
		EXPECT_OK(kfd_vram_is_back(&self->probe, self->vram)) TH_LOG("in %s", phase);
	}
	drop_image();
	EXPECT_OK(kfd_in_child(kfd_healthy, NULL));
}

KFD_TEST_MAIN
