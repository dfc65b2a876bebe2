// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may call CRIU_OP: every relation of the caller to the process, with
 * every set of capabilities, before and after an exec of either, for every
 * operation.
 *
 * Three processes: the test; a runner, which is the caller or, where the
 * caller is a child of the process, the process; and the process ("owner")
 * that opened /dev/kfd. An exec is one of this very program, whose arguments
 * then say what it is (gate_main()). Answers come back through a pipe, so an
 * exec in between makes no difference.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "lib/kfd_test.h"
#include "lib/kfd_workload.h"

#define NUM_OPS	5
#define NOBODY	65534

enum who {
	OWN_PROCESS, OWN_OTHER_THREAD, CHILD, TRACER, THREAD_OF_TRACER, TRACER_OF_OTHER_THREAD,
	STRANGER, ROOT_STRANGER, NUM_WHO,
};

enum caps { NO_CAP, CAP_CR, CAP_ADMIN, USER_NAMESPACE, ALL_CAPS, NUM_CAPS };

enum execs { NO_EXEC, OWNER_EXEC, CALLER_EXEC, BOTH_EXEC, NUM_EXECS };

static const char * const who_name[] = {
	"own process", "its other thread", "its child", "tracer of the lead thread",
	"another thread of that tracer", "tracer of another thread", "unprivileged stranger",
	"root stranger",
};

static const char * const caps_name[] = {
	"no capability", "CAP_CHECKPOINT_RESTORE", "CAP_SYS_ADMIN", "all in a user namespace",
	"all",
};

static const char * const execs_name[] = {
	"no exec", "exec of the owner", "exec of the caller", "exec of both",
};

static const char * const op_name[] = {
	"PROCESS_INFO", "CHECKPOINT", "UNPAUSE", "RESTORE", "RESUME",
};

/**
 * struct gate_case - a row of the table: five cells, one for each operation
 * @who: relation
 * @caps: capabilities
 * @execs: who has exec'ed since /dev/kfd was opened and the process traced
 */
struct gate_case {
	enum who who;
	enum caps caps;
	enum execs execs;
};

/**
 * struct gate_owner - what the owner says of itself when it is ready
 * @fd: its /dev/kfd
 * @pid: its lead thread
 * @tid: its other thread
 */
struct gate_owner {
	int fd;
	pid_t pid;
	pid_t tid;
};

/**
 * struct gate_answers - what the caller got
 * @setup: 0, or why there are no answers
 * @ret: by operation
 */
struct gate_answers {
	int setup;
	int ret[NUM_OPS];
};

static bool is_own(enum who who)
{
	return who == OWN_PROCESS || who == OWN_OTHER_THREAD;
}

/* Cells that mean nothing, or the same as another one. */
static const char *why_left_out(const struct gate_case *c)
{
	if (is_own(c->who) && (c->execs == CALLER_EXEC || c->execs == BOTH_EXEC))
		return "owner and caller are one";
	if (c->who == ROOT_STRANGER && c->caps != ALL_CAPS && c->caps != USER_NAMESPACE)
		return "a root with fewer capabilities is the other stranger";
	if (c->who != ROOT_STRANGER && c->caps == ALL_CAPS)
		return "both capabilities can do no more than one";
	return NULL;
}

/*
 * The rules, as Documentation/checkpoint-restore.rst has them:
 *
 *  - who: the process itself, with the address space that opened the file, or
 *    the ptrace parent of its lead thread, that very thread: else EBADF,
 *    whatever the capabilities;
 *  - one of the two capabilities in the initial user namespace: else EACCES;
 *  - behind the gate: a process that has exec'ed has no KFD state any more:
 *    EBADF. Otherwise, in this order and with arguments that are all zero:
 *    PROCESS_INFO pauses, CHECKPOINT and RESTORE miss their pointers, UNPAUSE
 *    ends the pause, and pid 0 of RESUME is nobody.
 */
static int rule(const struct gate_case *c, unsigned int op)
{
	static const int behind[NUM_OPS] = {
		[KFD_CRIU_OP_PROCESS_INFO] = 0,
		[KFD_CRIU_OP_CHECKPOINT] = -EINVAL,
		[KFD_CRIU_OP_UNPAUSE] = 0,
		[KFD_CRIU_OP_RESTORE] = -EINVAL,
		[KFD_CRIU_OP_RESUME] = -ESRCH,
	};
	bool owner_execed = c->execs == OWNER_EXEC || c->execs == BOTH_EXEC;

	if (is_own(c->who) ? owner_execed : c->who != TRACER)
		return -EBADF;
	if (c->caps == NO_CAP || c->caps == USER_NAMESPACE)
		return -EACCES;
	return owner_execed ? -EBADF : behind[op];
}

/* Become who calls. Threads that come later inherit it. */
static int become(const struct gate_case *c)
{
	if (c->who == STRANGER) {
		if (prctl(PR_SET_KEEPCAPS, 1) ||
		    syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY))
			return -errno;
	}
	switch (c->caps) {
	case NO_CAP:
		return kfd_set_caps(0);
	case CAP_CR:
		return kfd_set_caps(1ULL << CAP_NR_CHECKPOINT_RESTORE);
	case CAP_ADMIN:
		return kfd_set_caps(1ULL << CAP_NR_SYS_ADMIN);
	case USER_NAMESPACE:
		return unshare(CLONE_NEWUSER) ? -errno : 0;
	default:
		return 0;
	}
}

/**
 * struct gate_calls - the calls of one thread
 * @fd: /dev/kfd of the owner
 * @answers: filled
 */
struct gate_calls {
	int fd;
	struct gate_answers *answers;
};

/* The order makes UNPAUSE undo what PROCESS_INFO did; all else is refused. */
static void *call_all(void *arg)
{
	struct gate_calls *calls = arg;
	uint32_t op;

	for (op = 0; op < NUM_OPS; op++) {
		struct kfd_ioctl_criu_args args = { 0 };

		calls->answers->ret[op] = kfd_criu_op(calls->fd, &args, op);
	}
	return NULL;
}

static int call_in_thread(struct gate_calls *calls)
{
	pthread_t thread;
	int ret;

	ret = pthread_create(&thread, NULL, call_all, calls);
	if (!ret)
		ret = pthread_join(thread, NULL);
	return -ret;
}

/* The caller: never returns. */
static void run_caller(const struct gate_case *c, int fd, int out)
{
	struct gate_answers answers = { 0 };
	struct gate_calls calls = { fd, &answers };

	answers.setup = become(c);
	if (answers.setup)
		;
	else if (c->who == OWN_OTHER_THREAD || c->who == THREAD_OF_TRACER)
		answers.setup = call_in_thread(&calls);
	else
		call_all(&calls);
	if (write(out, &answers, sizeof(answers)) != sizeof(answers))
		_exit(1);
	/* Whoever asked ends us: our end may be that of the process. */
	for (;;)
		pause();
}

static void fail_caller(int out, int err)
{
	struct gate_answers answers = { .setup = err };

	if (write(out, &answers, sizeof(answers)) != sizeof(answers))
		_exit(2);
	_exit(1);
}

/* exec of this program: "PART A B C D E"; returns only when that fails. */
static int exec_self(const char *part, const int *numbers)
{
	char text[5][16];
	int i;

	for (i = 0; i < 5; i++)
		snprintf(text[i], sizeof(text[i]), "%d", numbers[i]);
	execl("/proc/self/exe", "criu_gate", part, text[0], text[1], text[2], text[3], text[4],
	      NULL);
	return -errno;
}

static void caller(const struct gate_case *c, bool by_exec, int fd, int out)
{
	const int numbers[5] = { c->who, c->caps, c->execs, fd, out };

	if (!by_exec)
		run_caller(c, fd, out);
	fail_caller(out, exec_self("--caller", numbers));
}

static void *idle_thread(void *arg)
{
	struct gate_owner *o = arg;
	int ready = o->tid;

	o->tid = syscall(SYS_gettid);
	if (write(ready, o, sizeof(*o)) != sizeof(*o))
		_exit(1);
	for (;;)
		pause();
	return NULL;
}

/* The owner, once it is what it shall be: says so and waits. */
static void run_owner(int fd, int ready)
{
	/* The thread overwrites where it reports to. */
	struct gate_owner o = { .fd = fd, .pid = getpid(), .tid = ready };
	pthread_t thread;

	if (pthread_create(&thread, NULL, idle_thread, &o))
		_exit(1);
	for (;;)
		pause();
}

static void owner(bool by_exec, int fd, int ready)
{
	const int numbers[5] = { fd, ready, 0, 0, 0 };

	if (!by_exec)
		run_owner(fd, ready);
	exec_self("--owner", numbers);
	_exit(1);
}

/* Without O_CLOEXEC, and without what kfd_open() looks up. */
static int open_kfd(void)
{
	int fd = open("/dev/kfd", O_RDWR);

	return fd < 0 ? -errno : fd;
}

static int wait_owner(int ready, struct gate_owner *o)
{
	struct pollfd p = { .fd = ready, .events = POLLIN };

	if (poll(&p, 1, PATIENCE) != 1)
		return -ETIMEDOUT;
	return read(ready, o, sizeof(*o)) == sizeof(*o) ? 0 : -EIO;
}

static int trace(pid_t tid)
{
	int status;

	if (ptrace(PTRACE_SEIZE, tid, 0, 0) || ptrace(PTRACE_INTERRUPT, tid, 0, 0))
		return -errno;
	return waitpid(tid, &status, __WALL) == tid ? 0 : -ECHILD;
}

/* The owner is a child of the runner, who becomes the caller. */
static void run_other(const struct gate_case *c, int out)
{
	bool owner_execs = c->execs == OWNER_EXEC || c->execs == BOTH_EXEC;
	bool caller_execs = c->execs == CALLER_EXEC || c->execs == BOTH_EXEC;
	struct gate_owner o;
	int ready[2], fd, ret;

	if (pipe(ready))
		fail_caller(out, -errno);
	if (!fork()) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ready[0]);
		fd = open_kfd();
		if (fd < 0)
			_exit(1);
		owner(owner_execs, fd, ready[1]);
	}
	close(ready[1]);
	ret = wait_owner(ready[0], &o);
	if (ret)
		fail_caller(out, ret);
	fd = kfd_steal_fd(o.pid, o.fd);
	if (fd < 0 || fcntl(fd, F_SETFD, 0))
		fail_caller(out, fd < 0 ? fd : -errno);
	if (c->who == TRACER || c->who == THREAD_OF_TRACER)
		ret = trace(o.pid);
	else if (c->who == TRACER_OF_OTHER_THREAD)
		ret = trace(o.tid);
	if (ret)
		fail_caller(out, ret);
	caller(c, caller_execs, fd, out);
}

/* The runner is the owner; the caller is its child and waits for its exec. */
static void run_parent(const struct gate_case *c, int out)
{
	bool owner_execs = c->execs == OWNER_EXEC || c->execs == BOTH_EXEC;
	bool caller_execs = c->execs == CALLER_EXEC || c->execs == BOTH_EXEC;
	int ready[2], fd = open_kfd(), ret;
	struct gate_owner o;

	if (fd < 0 || pipe(ready))
		fail_caller(out, fd < 0 ? fd : -errno);
	if (!fork()) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ready[1]);
		ret = wait_owner(ready[0], &o);
		if (ret)
			fail_caller(out, ret);
		caller(c, caller_execs, fd, out);
	}
	close(ready[0]);
	owner(owner_execs, fd, ready[1]);
}

static void run_own(const struct gate_case *c, int out)
{
	int fd = open_kfd();

	if (fd < 0)
		fail_caller(out, fd);
	caller(c, c->execs == OWNER_EXEC, fd, out);
}

static void runner(const struct gate_case *c, int out)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Other credentials clear that signal: who asked ends the whole group. */
	setpgid(0, 0);
	if (is_own(c->who))
		run_own(c, out);
	else if (c->who == CHILD)
		run_parent(c, out);
	else
		run_other(c, out);
	_exit(1);
}

/* One row: 0 with the answers, or why there are none. */
static int ask(const struct gate_case *c, struct gate_answers *answers)
{
	struct pollfd p = { .events = POLLIN };
	int out[2], ret = 0;
	pid_t pid;

	if (pipe(out))
		return -errno;
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		close(out[0]);
		runner(c, out[1]);
	}
	close(out[1]);
	p.fd = out[0];
	if (poll(&p, 1, 2 * PATIENCE) != 1)
		ret = -ETIMEDOUT;
	else if (read(out[0], answers, sizeof(*answers)) != sizeof(*answers))
		ret = -EIO;
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(out[0]);
	return ret ? ret : answers->setup;
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
FIXTURE_VARIANT_ADD(gate, thread_of_tracer) { .who = THREAD_OF_TRACER, };
FIXTURE_VARIANT_ADD(gate, tracer_of_other_thread) { .who = TRACER_OF_OTHER_THREAD, };
FIXTURE_VARIANT_ADD(gate, stranger) { .who = STRANGER, };
FIXTURE_VARIANT_ADD(gate, root_stranger) { .who = ROOT_STRANGER, };

FIXTURE_SETUP(gate)
{
}

FIXTURE_TEARDOWN(gate)
{
}

TEST_F_TIMEOUT(gate, matrix, 120)
{
	struct gate_case c = { .who = variant->who };
	struct gate_answers answers;
	unsigned int op, rows = 0;

	for (c.caps = 0; c.caps < NUM_CAPS; c.caps++)
		for (c.execs = 0; c.execs < NUM_EXECS; c.execs++) {
			if (why_left_out(&c))
				continue;
			rows++;
			ASSERT_OK(ask(&c, &answers))
				TH_LOG("no answers: %s with %s, %s", who_name[c.who],
				       caps_name[c.caps], execs_name[c.execs]);
			for (op = 0; op < NUM_OPS; op++) {
				EXPECT_EQ(rule(&c, op), answers.ret[op])
					TH_LOG("%s by %s with %s, %s", op_name[op],
					       who_name[c.who], caps_name[c.caps],
					       execs_name[c.execs]);
			}
		}
	EXPECT_EQ(c.who == ROOT_STRANGER ? 8 : is_own(c.who) ? 8 : 16, rows);
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

/* After an exec: see exec_self(). */
static void gate_main(char **argv)
{
	struct gate_case c = { atoi(argv[2]), atoi(argv[3]), atoi(argv[4]) };

	if (!strcmp(argv[1], "--caller"))
		run_caller(&c, atoi(argv[5]), atoi(argv[6]));
	if (!strcmp(argv[1], "--owner"))
		run_owner(atoi(argv[2]), atoi(argv[3]));
}

int main(int argc, char **argv)
{
	if (argc == 7)
		gate_main(argv);
	return kfd_test_main(argc, argv);
}
