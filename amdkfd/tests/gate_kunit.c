// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: who may call what (gate.c).
 *
 * The decision is tested over every combination of facts, against rules that
 * are written down once more here. kfd_gate_check() itself is tested with real
 * credentials of the test's thread, and with tasks that are made up as far as
 * the gate looks at them: it compares their thread group and asks who traces
 * them. Every CRIU operation comes through the one ioctl CRIU_OP, which asks
 * for capability and is open to the tracer; every other ioctl does neither.
 *
 * No locks: what is made up here is seen by nobody else.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/ptrace.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/user_namespace.h>

#include <kunit/test.h>

#include "../gate.h"
#include "tests.h"

/**
 * enum gate_caller - the caller, as Documentation/checkpoint-restore.rst has it
 * @OWN_PROCESS: lead thread of the process itself
 * @OWN_THREAD: another thread of it
 * @OWN_AFTER_EXEC: the process, after an exec with the file kept open
 * @CHILD: a child
 * @TRACER: ptrace parent of the lead thread
 * @TRACER_AFTER_EXEC: likewise, after an exec of either side
 * @TRACER_OF_THREAD: ptrace parent of another thread
 * @STRANGER: none of these
 * @NUM_CALLERS: their number
 */
enum gate_caller {
	OWN_PROCESS,
	OWN_THREAD,
	OWN_AFTER_EXEC,
	CHILD,
	TRACER,
	TRACER_AFTER_EXEC,
	TRACER_OF_THREAD,
	STRANGER,
	NUM_CALLERS,
};

enum gate_caps {
	NO_CAP,
	CAP_CR,
	CAP_ADMIN,
	CAPS_IN_NAMESPACE,
	NUM_CAPS,
};

static const char * const caller_name[] = {
	"own process", "other thread", "own process after exec", "child",
	"tracer", "tracer after exec", "tracer of another thread", "stranger",
};

static const char * const caps_name[] = {
	"no capability", "CAP_CHECKPOINT_RESTORE", "CAP_SYS_ADMIN",
	"both in a user namespace",
};

/* Outcome of an ioctl without and with KFD_IOCTL_CRIU. */
static int gate_expected(enum gate_caller who, enum gate_caps caps, bool criu)
{
	static const int other[NUM_CALLERS] = {
		0, 0, -EBADF, -EBADF, -EBADF, -EBADF, -EBADF, -EBADF,
	};
	static const int criu_able[NUM_CALLERS] = {
		0, 0, -EBADF, -EBADF, 0, 0, -EBADF, -EBADF,
	};

	if (!criu)
		return other[who];
	if (criu_able[who])
		return criu_able[who];
	return caps == CAP_CR || caps == CAP_ADMIN ? 0 : -EACCES;
}

static void gate_decision(struct kunit *test)
{
	static const struct {
		struct kfd_gate_facts facts;
		bool need_capability, tracer_allowed;
		int ret;
	} cases[] = {
		/* who, same mm, capable; what is asked for; outcome */
		{ { KFD_GATE_SELF, true, false }, false, false, 0 },
		{ { KFD_GATE_SELF, true, true }, false, false, 0 },
		{ { KFD_GATE_SELF, true, false }, true, true, -EACCES },
		{ { KFD_GATE_SELF, true, true }, true, true, 0 },
		{ { KFD_GATE_SELF, true, false }, true, false, -EACCES },
		{ { KFD_GATE_SELF, true, true }, true, false, 0 },
		{ { KFD_GATE_SELF, false, false }, false, false, -EBADF },
		{ { KFD_GATE_SELF, false, true }, false, false, -EBADF },
		{ { KFD_GATE_SELF, false, true }, true, true, -EBADF },
		{ { KFD_GATE_SELF, false, false }, true, true, -EBADF },
		{ { KFD_GATE_TRACER, false, false }, true, true, -EACCES },
		{ { KFD_GATE_TRACER, false, true }, true, true, 0 },
		{ { KFD_GATE_TRACER, true, true }, true, true, 0 },
		{ { KFD_GATE_TRACER, false, true }, false, false, -EBADF },
		{ { KFD_GATE_TRACER, false, false }, false, true, 0 },
		{ { KFD_GATE_TRACER, false, true }, true, false, -EBADF },
		{ { KFD_GATE_STRANGER, false, true }, true, true, -EBADF },
		{ { KFD_GATE_STRANGER, false, false }, true, true, -EBADF },
		{ { KFD_GATE_STRANGER, true, true }, true, true, -EBADF },
		{ { KFD_GATE_STRANGER, false, true }, false, false, -EBADF },
		{ { KFD_GATE_STRANGER + 1, true, true }, true, true, -EBADF },
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ_MSG(test, cases[i].ret,
				    kfd_gate_decide(&cases[i].facts,
						    cases[i].need_capability,
						    cases[i].tracer_allowed),
				    "case %u", i);
}

/*
 * A thread group as far as the gate looks at one: ours, or another whose leader
 * is traced by us or by somebody else or not at all.
 */
static struct pid *gate_group(struct kunit *test, enum gate_caller who)
{
	struct task_struct *task, *other;
	struct pid *tgid;

	if (who == OWN_PROCESS || who == OWN_THREAD || who == OWN_AFTER_EXEC)
		return task_tgid(current);

	task = kunit_kzalloc(test, sizeof(*task), GFP_KERNEL);
	other = kunit_kzalloc(test, sizeof(*other), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, task);
	KUNIT_ASSERT_NOT_NULL(test, other);
	tgid = kunit_kzalloc(test, sizeof(*tgid), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, tgid);
	hlist_add_head_rcu(&task->pid_links[PIDTYPE_TGID],
			   &tgid->tasks[PIDTYPE_TGID]);
	RCU_INIT_POINTER(task->real_parent, other);
	RCU_INIT_POINTER(task->parent, other);
	switch (who) {
	case CHILD:
		/* We are the child: its lead thread is our real parent. */
		break;
	case TRACER:
	case TRACER_AFTER_EXEC:
		task->ptrace = PT_PTRACED;
		RCU_INIT_POINTER(task->parent, current);
		break;
	case TRACER_OF_THREAD:
		/* That other thread is traced by us, the leader by nobody. */
		RCU_INIT_POINTER(task->parent, current);
		RCU_INIT_POINTER(task->real_parent, current);
		break;
	default:
		task->ptrace = PT_PTRACED;
		break;
	}
	return tgid;
}

/* A user namespace that has ours above it; nobody else ever sees it. */
static struct user_namespace *gate_namespace(struct kunit *test)
{
	struct user_namespace *ns;

	ns = kunit_kzalloc(test, sizeof(*ns), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ns);
	ns->parent = &init_user_ns;
	ns->level = 1;
	ns->owner = GLOBAL_ROOT_UID;
	return ns;
}

static void gate_set_caps(struct cred *cred, enum gate_caps caps,
			  struct user_namespace *ns)
{
	cap_clear(cred->cap_effective);
	if (caps == CAP_CR || caps == CAPS_IN_NAMESPACE)
		cap_raise(cred->cap_effective, CAP_CHECKPOINT_RESTORE);
	if (caps == CAP_ADMIN || caps == CAPS_IN_NAMESPACE)
		cap_raise(cred->cap_effective, CAP_SYS_ADMIN);
	if (caps == CAPS_IN_NAMESPACE)
		cred->user_ns = ns;
}

/* kfd_gate_check() as a caller with these capabilities. */
static int gate_call(struct kunit *test, enum gate_caller who,
		     enum gate_caps caps, struct user_namespace *ns, bool criu)
{
	struct pid *tgid = gate_group(test, who);
	struct user_namespace *own_ns;
	const struct mm_struct *mm;
	const struct cred *old;
	struct cred *cred;
	int ret;

	/* Another address space than ours: only compared. */
	mm = who == OWN_PROCESS || who == OWN_THREAD ? current->mm :
						       (void *)tgid;
	cred = prepare_creds();
	KUNIT_ASSERT_NOT_NULL(test, cred);
	own_ns = cred->user_ns;
	gate_set_caps(cred, caps, ns);
	old = override_creds(cred);
	ret = kfd_gate_check(tgid, mm, criu, criu);
	revert_creds(old);
	cred->user_ns = own_ns;
	put_cred(cred);
	return ret;
}

static void gate_matrix(struct kunit *test)
{
	struct user_namespace *ns = gate_namespace(test);
	u32 who, caps, criu;

	for (who = 0; who < NUM_CALLERS; who++)
		for (caps = 0; caps < NUM_CAPS; caps++)
			for (criu = 0; criu < 2; criu++)
				KUNIT_EXPECT_EQ_MSG(test,
						    gate_expected(who, caps, criu),
						    gate_call(test, who, caps, ns, criu),
						    "%s, %s, %s", caller_name[who],
						    caps_name[caps],
						    criu ? "CRIU_OP" : "another ioctl");
}

/* Real tasks: this one, and one that is never anything to us. */
static void gate_relations(struct kunit *test)
{
	struct pid *init = find_get_pid(1);

	KUNIT_ASSERT_NOT_NULL(test, init);
	KUNIT_EXPECT_EQ(test, (int)KFD_GATE_SELF,
			(int)kfd_gate_who(task_tgid(current)));
	KUNIT_EXPECT_EQ(test, (int)KFD_GATE_STRANGER, (int)kfd_gate_who(init));
	KUNIT_EXPECT_EQ(test, 0, kfd_gate_check(task_tgid(current), current->mm,
						true, true));
	KUNIT_EXPECT_EQ(test, -EBADF,
			kfd_gate_check(init, current->mm, true, true));
	put_pid(init);
}

static struct kunit_case gate_cases[] = {
	KUNIT_CASE(gate_decision),
	KUNIT_CASE(gate_matrix),
	KUNIT_CASE(gate_relations),
	{}
};

struct kunit_suite kfd_gate_suite = {
	.name = "kfd_gate",
	.test_cases = gate_cases,
};
