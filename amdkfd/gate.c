// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may call what (floor 1).
 *
 * A /dev/kfd file belongs to the process that opened it. Only checkpoint and
 * restore is open to one other caller, the ptrace parent of its lead thread:
 * that very thread, not its thread group, as it is the one that has stopped
 * the process. Being the tracer is checked anew on every call.
 *
 * Nothing here takes a lock other than RCU.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/pid.h>
#include <linux/ptrace.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include "gate.h"

/**
 * kfd_gate_who() - relation of the caller to the process behind a file
 * @tgid: thread group of the process, referenced by the caller
 *
 * Its leader is looked up anew: after an exec by another thread it is not the
 * task that it was.
 *
 * Context: any task context.
 * Return: KFD_GATE_SELF, KFD_GATE_TRACER or KFD_GATE_STRANGER.
 */
enum kfd_gate_who kfd_gate_who(struct pid *tgid)
{
	struct task_struct *leader;
	bool tracer;

	if (task_tgid(current) == tgid)
		return KFD_GATE_SELF;

	rcu_read_lock();
	leader = pid_task(tgid, PIDTYPE_TGID);
	tracer = leader && ptrace_parent(leader) == current;
	rcu_read_unlock();

	return tracer ? KFD_GATE_TRACER : KFD_GATE_STRANGER;
}

/**
 * kfd_gate_decide() - whether a caller may do an operation on a file
 * @facts: who calls
 * @need_capability: the operation is for CAP_CHECKPOINT_RESTORE or
 *	CAP_SYS_ADMIN, in the initial user namespace
 * @tracer_allowed: the operation is open to the tracer too
 *
 * The rules, and nothing else: no state is looked at. Who calls is decided
 * first: a stranger learns nothing from its capabilities. The thread group is
 * not enough to be the owner: after an exec with the file kept open it is the
 * same, the address space is not.
 *
 * Context: any.
 * Return: 0; -EBADF: not the caller's file; -EACCES: a capability is missing.
 */
int kfd_gate_decide(const struct kfd_gate_facts *facts, bool need_capability,
		    bool tracer_allowed)
{
	switch (facts->who) {
	case KFD_GATE_SELF:
		if (facts->same_mm)
			break;
		return -EBADF;
	case KFD_GATE_TRACER:
		if (tracer_allowed)
			break;
		fallthrough;
	default:
		return -EBADF;
	}
	return need_capability && !facts->capable ? -EACCES : 0;
}

/**
 * kfd_gate_check() - whether the caller may do an operation on a file
 * @tgid: thread group of the process behind the file
 * @mm: address space of that process (compared, never dereferenced)
 * @need_capability: see kfd_gate_decide()
 * @tracer_allowed: likewise
 *
 * No capability is used (and audited) on a stranger's behalf.
 *
 * Context: any task context.
 * Return: as kfd_gate_decide().
 */
int kfd_gate_check(struct pid *tgid, const struct mm_struct *mm,
		   bool need_capability, bool tracer_allowed)
{
	struct kfd_gate_facts facts = {
		.who = kfd_gate_who(tgid),
		.same_mm = current->mm == mm,
		.capable = true,
	};
	int ret;

	ret = kfd_gate_decide(&facts, need_capability, tracer_allowed);
	if (ret || !need_capability)
		return ret;
	/* checkpoint_restore_ns_capable() of init_user_ns is these two */
	facts.capable = capable(CAP_CHECKPOINT_RESTORE) ||
			capable(CAP_SYS_ADMIN);
	return kfd_gate_decide(&facts, need_capability, tracer_allowed);
}
