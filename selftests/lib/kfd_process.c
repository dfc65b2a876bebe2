// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes of the checkpoint and restore tests: children that do one thing,
 * and targets that run a workload until they are dumped by their tracer.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kfd_workload.h"

#define PATIENCE	25000

/* Exit code 0, or a negative errno made of it; -EINTR when it was killed. */
int kfd_wait_child(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	if (!WIFEXITED(status))
		return -EINTR;
	return -WEXITSTATUS(status);
}

/* Run @fn in a child of our own and return what it returned. */
int kfd_in_child(int (*fn)(void *arg), void *arg)
{
	pid_t pid;
	int ret;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		ret = fn(arg);
		fflush(stdout);
		_exit(ret < 0 ? -ret & 0xff : 0);
	}
	return pid < 0 ? -errno : kfd_wait_child(pid);
}

int kfd_wait_flag(const volatile int *flag)
{
	uint64_t end = kfd_now_ms() + PATIENCE;

	while (!*flag) {
		if (kfd_now_ms() > end)
			return -ETIMEDOUT;
		kfd_sleep_ms(2);
	}
	return 0;
}

static int run_target(struct kfd_workload *w, uint32_t flags)
{
	int ret;

	ret = kfd_workload_start(w, flags);
	w->ready = ret ? ret : 1;
	if (ret)
		return ret;
	ret = kfd_wait_flag(&w->go);
	return ret ? ret : kfd_workload_finish(w);
}

/* Start a process that runs @w and waits before its second half. */
int kfd_target_start(struct kfd_target *t, struct kfd_workload *w, uint32_t flags)
{
	pid_t pid;
	int ret;

	t->w = w;
	t->fd = -1;
	t->traced = false;
	w->ready = 0;
	w->go = 0;
	fflush(stdout);
	/* @t may lie in memory that the child shares: not a word of it is his. */
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		ret = run_target(w, flags);
		fflush(stdout);
		_exit(ret < 0 ? -ret & 0xff : 0);
	}
	t->pid = pid;
	ret = kfd_wait_flag(&w->ready);
	if (!ret && w->ready < 0)
		ret = w->ready;
	if (ret)
		kfd_target_kill(t);
	return ret;
}

/* Stop it as CRIU does and get hold of its file. */
int kfd_target_seize(struct kfd_target *t)
{
	int status;

	if (ptrace(PTRACE_SEIZE, t->pid, 0, 0))
		return -errno;
	if (ptrace(PTRACE_INTERRUPT, t->pid, 0, 0))
		return -errno;
	if (waitpid(t->pid, &status, __WALL) != t->pid || !WIFSTOPPED(status))
		return -ECHILD;
	t->traced = true;
	t->fd = kfd_steal_fd(t->pid, t->w->k.fd);
	return t->fd < 0 ? t->fd : 0;
}

int kfd_target_release(struct kfd_target *t)
{
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
	if (t->traced && ptrace(PTRACE_DETACH, t->pid, 0, 0))
		return -errno;
	t->traced = false;
	return 0;
}

/* Let it do its second half; what it found is returned. */
int kfd_target_finish(struct kfd_target *t)
{
	t->w->go = 1;
	return kfd_wait_child(t->pid);
}

void kfd_target_kill(struct kfd_target *t)
{
	int status;

	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
	kill(t->pid, SIGKILL);
	waitpid(t->pid, &status, __WALL);
}

/* Shared with the process that it becomes. */
struct kfd_victim *kfd_victim_new(void)
{
	void *p = mmap(NULL, sizeof(struct kfd_victim), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

pid_t kfd_victim_run(struct kfd_victim *v)
{
	pid_t pid;
	int ret;

	fflush(stdout);
	v->phase = 0;
	pid = fork();
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	ret = v->fn(v);
	fflush(stdout);
	_exit(-ret & 0xff);
}

/* All VRAM is back, within some patience. */
int kfd_vram_is_back(struct kfd *probe, uint64_t vram)
{
	uint64_t end = kfd_now_ms() + PATIENCE, now;
	int ret;

	do {
		ret = kfd_available(probe, 0, &now);
		if (ret || now == vram)
			return ret;
		kfd_sleep_ms(5);
	} while (kfd_now_ms() < end);
	return -EBUSY;
}

/* A process that starts, works and ends as if nothing had been. */
int kfd_healthy(void *arg)
{
	struct kfd_workload *w = kfd_workload_new();
	int ret;

	(void)arg;
	ret = kfd_workload_start(w, 0);
	return ret ? ret : kfd_workload_finish(w);
}
