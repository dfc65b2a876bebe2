/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who may call what (floor 1): the one function that decides over the CRIU op.
 */
#ifndef AMDKFD_GATE_H
#define AMDKFD_GATE_H

#include <linux/types.h>

struct task_struct;

/**
 * enum kfd_gate_who - relation of the caller to the process behind the fd
 * @KFD_GATE_SELF: a thread of the process itself
 * @KFD_GATE_TRACER: the ptracer of its lead thread
 * @KFD_GATE_STRANGER: anybody else
 */
enum kfd_gate_who {
	KFD_GATE_SELF,
	KFD_GATE_TRACER,
	KFD_GATE_STRANGER,
};

enum kfd_gate_who kfd_gate_who(struct task_struct *lead_thread);
int kfd_gate_check(struct task_struct *lead_thread, bool need_capability,
		   bool tracer_allowed);

#endif
