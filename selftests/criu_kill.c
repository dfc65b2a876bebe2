// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dumpers, targets and restorers that are killed at every point of the way.
 * Nothing may be left behind, and who is still there must go on.
 */
#include <signal.h>

#include "lib/kfd_test.h"
#include "lib/kfd_workload.h"

FIXTURE(kill)
{
	struct kfd_workload *w;
	struct kfd probe;	/* to look at VRAM with */
	uint64_t vram;
};

FIXTURE_SETUP(kill)
{
	self->w = kfd_workload_new();
	ASSERT_NE(NULL, self->w);
	ASSERT_OK(kfd_open(&self->probe));
	ASSERT_OK(kfd_available_settled(&self->probe, 0, &self->vram));
}

FIXTURE_TEARDOWN(kill)
{
	kfd_stop(&self->probe);
}

TEST_F_TIMEOUT(kill, target_while_paused, 120)
{
	struct kfd_ioctl_criu_args info;
	struct kfd_snapshot s;
	struct kfd_target t;
	int phase;

	for (phase = 0; phase < 3; phase++) {
		ASSERT_OK(kfd_target_start(&t, self->w, 0));
		ASSERT_OK(kfd_target_seize(&t));
		ASSERT_OK(kfd_criu_info(t.fd, &info));
		if (phase >= 1)
			ASSERT_OK(kfd_snapshot_checkpoint(t.fd, &s));
		kill(t.pid, SIGKILL);
		ASSERT_EQ(t.pid, waitpid(t.pid, NULL, __WALL));
		/* Our descriptor is still open, but there is no process behind it. */
		EXPECT_ERR_EITHER(EBADF, ESRCH, kfd_criu_unpause(t.fd));
		EXPECT_ERR_EITHER(EBADF, ESRCH, kfd_criu_info(t.fd, &info));
		if (phase >= 1)
			kfd_snapshot_free(&s);
		close(t.fd);
		EXPECT_OK(kfd_vram_is_back(&self->probe, self->vram)) TH_LOG("phase %d", phase);
	}
	EXPECT_OK(kfd_in_child(kfd_healthy, NULL));
}

/* Exported buffers outlive the process, and go with the last of their fds. */
TEST_F_TIMEOUT(kill, target_while_its_buffers_are_open, 60)
{
	struct kfd_snapshot s;
	struct kfd_target t;
	uint64_t now;

	ASSERT_OK(kfd_target_start(&t, self->w, WORKLOAD_NO_QUEUES));
	ASSERT_OK(kfd_target_seize(&t));
	ASSERT_OK(kfd_snapshot_checkpoint(t.fd, &s));
	kfd_target_kill(&t);
	kfd_sleep_ms(200);
	ASSERT_OK(kfd_available(&self->probe, 0, &now));
	EXPECT_LT(now, self->vram);
	kfd_snapshot_free(&s);
	EXPECT_OK(kfd_vram_is_back(&self->probe, self->vram));
}

static int dump_in_a_loop(struct kfd_victim *v)
{
	struct kfd_snapshot s;
	int ret;

	ret = kfd_target_seize(v->t);
	while (!ret) {
		v->phase = 1;
		ret = kfd_snapshot_checkpoint(v->t->fd, &s);
		if (!ret) {
			v->phase = 2;
			kfd_snapshot_free(&s);
			ret = kfd_criu_unpause(v->t->fd);
		}
	}
	return ret;
}

/* The dumper dies anywhere in its loop: the target goes on to its end. */
TEST_F_TIMEOUT(kill, dumper_at_any_time, 240)
{
	struct kfd_victim *v = kfd_victim_new();
	struct kfd_target t;
	int round;

	REQUIRE_OURS();
	ASSERT_NE(NULL, v);
	v->fn = dump_in_a_loop;
	v->t = &t;
	for (round = 0; round < 10; round++) {
		pid_t pid;

		ASSERT_OK(kfd_target_start(&t, self->w, 0));
		pid = kfd_victim_run(v);
		ASSERT_GT(pid, 0);
		ASSERT_OK(kfd_wait_flag(&v->phase));
		kfd_sleep_ms(round * 3);
		kill(pid, SIGKILL);
		EXPECT_EQ(-EINTR, kfd_wait_child(pid));
		EXPECT_OK(kfd_target_finish(&t)) TH_LOG("round %d", round);
	}
	EXPECT_OK(kfd_vram_is_back(&self->probe, self->vram));
}

static int restore_once(struct kfd_victim *v)
{
	struct kfd k;
	int ret;

	ret = kfd_snapshot_open(&k, v->s);
	v->phase = 1;
	if (!ret)
		ret = kfd_snapshot_restore_op(&k, v->s);
	v->phase = 2;
	if (!ret)
		ret = kfd_criu_resume(k.fd, getpid());
	v->phase = 3;
	for (;;)
		pause();
	return ret;
}

/* The restorer dies before, in, between and after RESTORE and RESUME. */
TEST_F_TIMEOUT(kill, restorer_at_any_time, 240)
{
	struct kfd_victim *v = kfd_victim_new();
	struct kfd_snapshot s;
	struct kfd_target t;
	int round;

	ASSERT_NE(NULL, v);
	ASSERT_OK(kfd_target_start(&t, self->w, 0));
	ASSERT_OK(kfd_target_seize(&t));
	ASSERT_OK(kfd_snapshot_checkpoint(t.fd, &s));
	kfd_snapshot_close_fds(&s);
	kfd_target_kill(&t);
	ASSERT_OK(kfd_vram_is_back(&self->probe, self->vram));
	v->fn = restore_once;
	v->s = &s;
	for (round = 0; round < 20; round++) {
		volatile uint64_t spin = 0;
		pid_t pid = kfd_victim_run(v);

		ASSERT_GT(pid, 0);
		while (!v->phase)
			;
		/* From at once to some milliseconds later. */
		while (spin < round * 100000ULL)
			spin++;
		kill(pid, SIGKILL);
		EXPECT_EQ(-EINTR, kfd_wait_child(pid)) TH_LOG("round %d", round);
		EXPECT_OK(kfd_vram_is_back(&self->probe, self->vram))
			TH_LOG("round %d, phase %d", round, v->phase);
	}
	kfd_snapshot_free(&s);
	EXPECT_OK(kfd_in_child(kfd_healthy, NULL));
}

/* Everybody at once: the target and the dumper that holds it. */
TEST_F_TIMEOUT(kill, target_and_dumper, 120)
{
	struct kfd_victim *v = kfd_victim_new();
	struct kfd_target t;
	int round;

	ASSERT_NE(NULL, v);
	v->fn = dump_in_a_loop;
	v->t = &t;
	for (round = 0; round < 5; round++) {
		pid_t pid;

		ASSERT_OK(kfd_target_start(&t, self->w, 0));
		pid = kfd_victim_run(v);
		ASSERT_GT(pid, 0);
		ASSERT_OK(kfd_wait_flag(&v->phase));
		kfd_sleep_ms(round);
		kill(pid, SIGKILL);
		kill(t.pid, SIGKILL);
		EXPECT_EQ(-EINTR, kfd_wait_child(pid));
		EXPECT_EQ(-EINTR, kfd_wait_child(t.pid));
		EXPECT_OK(kfd_vram_is_back(&self->probe, self->vram)) TH_LOG("round %d", round);
	}
	EXPECT_OK(kfd_in_child(kfd_healthy, NULL));
}

/* Without preemption there is no pause, and nothing is paused then. */
TEST_F_TIMEOUT(kill, pause_that_cannot_preempt, 120)
{
	struct kfd_ioctl_criu_args info;
	struct kfd_target t;

	REQUIRE_SIM();
	ASSERT_OK(kfd_target_start(&t, self->w, 0));
	ASSERT_OK(kfd_target_seize(&t));
	ASSERT_OK(kfd_sim_set(0, "fail_preempt", "Y"));
	EXPECT_ERR_EITHER(ETIME, EIO, kfd_criu_info(t.fd, &info));
	ASSERT_OK(kfd_sim_set(0, "fail_preempt", "N"));
	EXPECT_ERR(EINVAL, kfd_criu_unpause(t.fd));
	ASSERT_OK(kfd_target_release(&t));
	EXPECT_OK(kfd_target_finish(&t));
}

KFD_TEST_MAIN
