// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where a CRIU op is (floor 4), see phase.h.
 */
#include <linux/sched.h>

#include "../debug/stop.h"
#include "../process.h"
#include "phase.h"

#define CREATE_TRACE_POINTS
#include "../trace.h"

/* What the phases are called. */
const char *const kfd_phase_names[KFD_NUM_PHASES] = {
	[KFD_PHASE_INFO_BEGIN] = "info_begin",
	[KFD_PHASE_INFO_EVICTED] = "info_evicted",
	[KFD_PHASE_CHECKPOINT_BEGIN] = "checkpoint_begin",
	[KFD_PHASE_CHECKPOINT_SAVED] = "checkpoint_saved",
	[KFD_PHASE_CHECKPOINT_FDS_RESERVED] = "checkpoint_fds_reserved",
	[KFD_PHASE_CHECKPOINT_COPIED] = "checkpoint_copied",
	[KFD_PHASE_CHECKPOINT_INSTALLED] = "checkpoint_installed",
	[KFD_PHASE_UNPAUSE_BEGIN] = "unpause_begin",
	[KFD_PHASE_UNPAUSE_QUEUES] = "unpause_queues",
	[KFD_PHASE_RESTORE_BEGIN] = "restore_begin",
	[KFD_PHASE_RESTORE_COPIED_IN] = "restore_copied_in",
	[KFD_PHASE_RESTORE_VALIDATED] = "restore_validated",
	[KFD_PHASE_RESTORE_DEVICES] = "restore_devices",
	[KFD_PHASE_RESTORE_BOS] = "restore_bos",
	[KFD_PHASE_RESTORE_SVM] = "restore_svm",
	[KFD_PHASE_RESTORE_EVENTS] = "restore_events",
	[KFD_PHASE_RESTORE_QUEUES] = "restore_queues",
	[KFD_PHASE_RESTORE_FDS_RESERVED] = "restore_fds_reserved",
	[KFD_PHASE_RESTORE_COPIED_OUT] = "restore_copied_out",
	[KFD_PHASE_RESTORE_PUBLISHED] = "restore_published",
	[KFD_PHASE_RESTORE_UNDO] = "restore_undo",
	[KFD_PHASE_RESUME_BEGIN] = "resume_begin",
	[KFD_PHASE_RESUME_USERPTRS] = "resume_userptrs",
	[KFD_PHASE_RESUME_SVM] = "resume_svm",
	[KFD_PHASE_RESUME_QUEUES] = "resume_queues",
};

/**
 * kfd_criu_phase_of - an op has come to a phase in which it holds no lock
 * @p: the process that the op is about
 * @pid: its id, which is not @p's to tell without process->lock
 * @phase: the phase
 *
 * Nothing of what the op does or answers may depend on it.
 *
 * Context: debug builds: may sleep, killably, for some seconds.
 */
void kfd_criu_phase_of(struct kfd_process *p, pid_t pid, enum kfd_phase phase)
{
	trace_criu_phase(p->pasid, pid, kfd_phase_names[phase]);
	kfd_stop_point(phase);
}

/**
 * kfd_criu_phase - an op has come to a phase
 * @p: the process that the op is about
 * @phase: the phase
 *
 * Context: process->lock held; else as kfd_criu_phase_of().
 */
void kfd_criu_phase(struct kfd_process *p, enum kfd_phase phase)
{
	lockdep_assert_held(&p->lock);
	kfd_criu_phase_of(p, pid_nr(p->tgid), phase);
}
