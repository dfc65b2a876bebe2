// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may call CRIU_OP: every relation of the caller to the process, with
 * every set of capabilities, for every operation.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "lib/kfd_test.h"
#include "lib/kfd_workload.h"

enum who {
	OWN_PROCESS, OWN_OTHER_THREAD, CHILD, TRACER, TRACER_OF_OTHER_THREAD, STRANGER, NUM_WHO,
};

enum caps { NO_CAP, CAP_CR, CAP_ADMIN, USER_NAMESPACE, NUM_CAPS };

static const char * const who_name[] = {
	"own process", "its other thread", "its child", "tracer of the lead thread",
	"tracer of another thread", "stranger",
};

static const char * const caps_name[] = {
	"no capability", "CAP_CHECKPOINT_RESTORE", "CAP_SYS_ADMIN", "all in a user namespace",
};

static const char * const op_name[] = {
	"PROCESS_INFO", "CHECKPOINT", "UNPAUSE", "RESTORE", "RESUME",
};

/**
 * struct gate_case - one cell of the table
 * @who: relation
 * @caps: capabilities
 * @op: enum kfd_criu_op
 */
struct gate_case {
	enum who who;
	enum caps caps;
	uint32_t op;
};

/**
 * struct gate_target - the process that is to be dumped, in shared memory
 * @fd: its /dev/kfd
 * @pid: its lead thread
 * @tid: its other thread
 * @ready: both run
 */
struct gate_target {
	int fd;
	pid_t pid;
	pid_t tid;
	volatile int ready;
};

static int take_caps(enum caps caps)
{
	switch (caps) {
	case NO_CAP:
		return kfd_set_caps(0);
	case CAP_CR:
		return kfd_set_caps(1ULL << CAP_NR_CHECKPOINT_RESTORE);
	case CAP_ADMIN:
		return kfd_set_caps(1ULL << CAP_NR_SYS_ADMIN);
	default:
		return unshare(CLONE_NEWUSER) ? -errno : 0;
	}
}

/* The call, with arguments that every operation refuses once past the gate. */
static int call(int fd, uint32_t op)
{
	struct kfd_ioctl_criu_args args = { 0 };

	return kfd_criu_op(fd, &args, op);
}

struct thread_call {
	const struct gate_case *c;
	int fd;
	int ret;
};

static void *call_in_thread(void *arg)
{
	struct thread_call *t = arg;

	/* Capabilities are a thread's own. A user namespace is the process's. */
	t->ret = t->c->caps == USER_NAMESPACE ? 0 : take_caps(t->c->caps);
	if (!t->ret)
		t->ret = call(t->fd, t->c->op);
	return NULL;
}

static int as_owner(const struct gate_case *c)
{
	struct thread_call t = { .c = c };
	pthread_t thread;
	struct kfd k;
	int ret;

	if (kfd_open(&k))
		return -EPROTO;
	/* A process with threads cannot enter a user namespace: it goes first. */
	if (c->caps == USER_NAMESPACE) {
		ret = take_caps(c->caps);
		if (ret)
			return -EPROTO;
	}
	t.fd = k.fd;
	if (c->who == OWN_OTHER_THREAD) {
		if (pthread_create(&thread, NULL, call_in_thread, &t) ||
		    pthread_join(thread, NULL))
			return -EPROTO;
		return t.ret;
	}
	call_in_thread(&t);
	return t.ret;
}

static void *idle_thread(void *arg)
{
	struct gate_target *t = arg;

	t->tid = syscall(SYS_gettid);
	t->ready = 1;
	for (;;)
		pause();
	return NULL;
}

static void run_gate_target(struct gate_target *t)
{
	pthread_t thread;
	struct kfd k;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (kfd_start(&k))
		_exit(1);
	t->fd = k.fd;
	t->pid = getpid();
	if (pthread_create(&thread, NULL, idle_thread, t))
		_exit(1);
	for (;;)
		pause();
}

static int as_other(const struct gate_case *c)
{
	struct gate_target *t = mmap(NULL, KFD_PAGE, PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fd, ret = 0, status;
	pid_t pid, traced;

	if (t == MAP_FAILED)
		return -EPROTO;
	pid = fork();
	if (!pid)
		run_gate_target(t);
	if (kfd_wait_flag(&t->ready))
		return -EPROTO;
	fd = kfd_steal_fd(pid, t->fd);
	if (fd < 0)
		return -EPROTO;
	if (c->who == TRACER || c->who == TRACER_OF_OTHER_THREAD) {
		traced = c->who == TRACER ? t->pid : t->tid;
		if (ptrace(PTRACE_SEIZE, traced, 0, 0) || ptrace(PTRACE_INTERRUPT, traced, 0, 0) ||
		    waitpid(traced, &status, __WALL) != traced)
			return -EPROTO;
	}
	ret = take_caps(c->caps);
	ret = ret ? -EPROTO : call(fd, c->op);
	kill(pid, SIGKILL);
	return ret;
}

/* The owner opens the file, and a child of it makes the call. */
static int as_child(const struct gate_case *c)
{
	struct kfd k;
	pid_t pid;
	int ret;

	if (kfd_open(&k))
		return -EPROTO;
	pid = fork();
	if (!pid) {
		ret = take_caps(c->caps);
		_exit(ret ? EPROTO : -call(k.fd, c->op) & 0xff);
	}
	return kfd_wait_child(pid);
}

static int gate_call(void *arg)
{
	const struct gate_case *c = arg;

	switch (c->who) {
	case OWN_PROCESS:
	case OWN_OTHER_THREAD:
		return as_owner(c);
	case CHILD:
		return as_child(c);
	default:
		return as_other(c);
	}
}

/* Whether an answer is one that the gate must give, or one from behind it. */
static bool as_expected(const struct gate_case *c, int ret)
{
	bool own = c->who == OWN_PROCESS || c->who == OWN_OTHER_THREAD;
	bool relation = own || c->who == TRACER;
	bool capable = c->caps == CAP_CR || c->caps == CAP_ADMIN;

	/* A tracer restores nothing into another process. */
	if (c->who == TRACER && c->op == KFD_CRIU_OP_RESTORE && capable)
		return ret < 0 && ret != -EACCES && ret != -EPROTO;
	if (!relation)
		return ret == -EBADF;
	if (!capable)
		return ret == -EACCES;
	if (c->op == KFD_CRIU_OP_PROCESS_INFO)
		return !ret;
	if (c->op == KFD_CRIU_OP_RESUME)
		return ret == -ESRCH || ret == -EINVAL;
	return ret == -EINVAL;
}

FIXTURE(gate) {};

FIXTURE_VARIANT(gate)
{
	enum who who;
};

FIXTURE_VARIANT_ADD(gate, own_process) { .who = OWN_PROCESS, };
FIXTURE_VARIANT_ADD(gate, other_thread) { .who = OWN_OTHER_THREAD, };
FIXTURE_VARIANT_ADD(gate, child) { .who = CHILD, };
FIXTURE_VARIANT_ADD(gate, tracer) { .who = TRACER, };
FIXTURE_VARIANT_ADD(gate, tracer_of_other_thread) { .who = TRACER_OF_OTHER_THREAD, };
FIXTURE_VARIANT_ADD(gate, stranger) { .who = STRANGER, };

FIXTURE_SETUP(gate)
{
}

FIXTURE_TEARDOWN(gate)
{
}

TEST_F_TIMEOUT(gate, matrix, 120)
{
	struct gate_case c = { .who = variant->who };

	for (c.caps = 0; c.caps < NUM_CAPS; c.caps++)
		for (c.op = 0; c.op < 5; c.op++) {
			int ret = kfd_in_child(gate_call, &c);

			EXPECT_TRUE(as_expected(&c, ret))
				TH_LOG("%s by %s with %s: %d", op_name[c.op], who_name[c.who],
				       caps_name[c.caps], ret);
		}
}

/* Bad pointers are not looked at before the gate. */
TEST(gate_comes_before_any_pointer)
{
	struct kfd_ioctl_criu_args args = {
		.devices = 16, .bos = 16, .priv_data = 16, .num_devices = 1, .num_bos = 1,
		.priv_data_size = 4096,
	};
	struct kfd k;
	uint32_t op;

	ASSERT_OK(kfd_open(&k));
	ASSERT_OK(kfd_set_caps(0));
	for (op = 0; op < 8; op++)
		EXPECT_ERR(EACCES, kfd_criu_op(k.fd, &args, op)) TH_LOG("op %u", op);
	kfd_stop(&k);
}

KFD_TEST_MAIN
