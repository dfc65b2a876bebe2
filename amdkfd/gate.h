/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who may call what (floor 1): the one function that decides over every ioctl.
 */
#ifndef AMDKFD_GATE_H
#define AMDKFD_GATE_H

#include <linux/types.h>

struct mm_struct;
struct pid;

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

/**
 * struct kfd_gate_facts - what the decision is made of
 * @who: relation of the caller to the process
 * @same_mm: the caller runs in the address space that the file was opened in
 * @capable: it has a capability that checkpoint and restore asks for
 */
struct kfd_gate_facts {
	enum kfd_gate_who who;
	bool same_mm;
	bool capable;
};

enum kfd_gate_who kfd_gate_who(struct pid *tgid);
int kfd_gate_decide(const struct kfd_gate_facts *facts, bool need_capability,
		    bool tracer_allowed);
int kfd_gate_check(struct pid *tgid, const struct mm_struct *mm,
		   bool need_capability, bool tracer_allowed);

#endif
