/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stop points of the debug driver: have the next process that comes to a phase
 * of a checkpoint or restore wait there.
 */
#ifndef KFD_PHASE_H
#define KFD_PHASE_H

#include <stdbool.h>
#include <sys/types.h>

#define KFD_MAX_PHASES		64
#define KFD_PHASE_NAME		64

/**
 * struct kfd_phases - the phases that the driver has
 * @n: how many
 * @name: what they are called, in the order in which the ops come to them
 */
struct kfd_phases {
	unsigned int n;
	char name[KFD_MAX_PHASES][KFD_PHASE_NAME];
};

bool kfd_phase_present(void);
int kfd_phase_list(struct kfd_phases *phases);
int kfd_phase_arm(const char *name);
int kfd_phase_wait(pid_t pid, const char *name);
int kfd_phase_let_go(void);

#endif
