/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a CRIU op is (floor 4): a tracepoint, amdkfd_cr:criu_phase, and in
 * debug builds a place where a test can have it stop (debug/stop.h).
 */
#ifndef AMDKFD_CRIU_PHASE_H
#define AMDKFD_CRIU_PHASE_H

struct kfd_process;

/**
 * enum kfd_phase - how far a CRIU op has come
 * @KFD_PHASE_INFO_BEGIN: PROCESS_INFO: nothing done yet
 * @KFD_PHASE_INFO_EVICTED: paused
 * @KFD_PHASE_CHECKPOINT_BEGIN: CHECKPOINT: nothing done yet
 * @KFD_PHASE_CHECKPOINT_SAVED: the image is complete, in kernel memory
 * @KFD_PHASE_CHECKPOINT_FDS_RESERVED: every dma-buf has its number
 * @KFD_PHASE_CHECKPOINT_COPIED: all is copied out, no fd is installed
 * @KFD_PHASE_CHECKPOINT_INSTALLED: the fds are there
 * @KFD_PHASE_UNPAUSE_BEGIN: UNPAUSE: nothing done yet
 * @KFD_PHASE_UNPAUSE_QUEUES: the queues go on
 * @KFD_PHASE_RESTORE_BEGIN: RESTORE: nothing done yet
 * @KFD_PHASE_RESTORE_COPIED_IN: the image is in kernel memory
 * @KFD_PHASE_RESTORE_VALIDATED: it is sound
 * @KFD_PHASE_RESTORE_DEVICES: GPUs are assigned and VMs adopted
 * @KFD_PHASE_RESTORE_BOS: buffers are made
 * @KFD_PHASE_RESTORE_SVM: shared virtual memory is noted down
 * @KFD_PHASE_RESTORE_EVENTS: events are made
 * @KFD_PHASE_RESTORE_QUEUES: queues are made, evicted
 * @KFD_PHASE_RESTORE_FDS_RESERVED: every dma-buf has its number
 * @KFD_PHASE_RESTORE_COPIED_OUT: buckets are copied out, no fd is installed
 * @KFD_PHASE_RESTORE_PUBLISHED: the fds are there
 * @KFD_PHASE_RESTORE_UNDO: something cannot be made; what was is about to go
 * @KFD_PHASE_RESUME_BEGIN: RESUME: nothing done yet
 * @KFD_PHASE_RESUME_USERPTRS: userptrs have their pages
 * @KFD_PHASE_RESUME_SVM: shared virtual memory is there
 * @KFD_PHASE_RESUME_QUEUES: the queues run
 * @KFD_NUM_PHASES: their number
 *
 * In the order in which the ops come to them. RESTORE_BOS, _SVM, _EVENTS and
 * _QUEUES follow each other as in kfd_criu_kinds[].
 */
enum kfd_phase {
	KFD_PHASE_INFO_BEGIN,
	KFD_PHASE_INFO_EVICTED,
	KFD_PHASE_CHECKPOINT_BEGIN,
	KFD_PHASE_CHECKPOINT_SAVED,
	KFD_PHASE_CHECKPOINT_FDS_RESERVED,
	KFD_PHASE_CHECKPOINT_COPIED,
	KFD_PHASE_CHECKPOINT_INSTALLED,
	KFD_PHASE_UNPAUSE_BEGIN,
	KFD_PHASE_UNPAUSE_QUEUES,
	KFD_PHASE_RESTORE_BEGIN,
	KFD_PHASE_RESTORE_COPIED_IN,
	KFD_PHASE_RESTORE_VALIDATED,
	KFD_PHASE_RESTORE_DEVICES,
	KFD_PHASE_RESTORE_BOS,
	KFD_PHASE_RESTORE_SVM,
	KFD_PHASE_RESTORE_EVENTS,
	KFD_PHASE_RESTORE_QUEUES,
	KFD_PHASE_RESTORE_FDS_RESERVED,
	KFD_PHASE_RESTORE_COPIED_OUT,
	KFD_PHASE_RESTORE_PUBLISHED,
	KFD_PHASE_RESTORE_UNDO,
	KFD_PHASE_RESUME_BEGIN,
	KFD_PHASE_RESUME_USERPTRS,
	KFD_PHASE_RESUME_SVM,
	KFD_PHASE_RESUME_QUEUES,
	KFD_NUM_PHASES,
};

extern const char *const kfd_phase_names[KFD_NUM_PHASES];

void kfd_criu_phase(struct kfd_process *p, enum kfd_phase phase);
void kfd_criu_phase_of(struct kfd_process *p, pid_t pid, enum kfd_phase phase);

#endif
