/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Events of a process (floor 3): what an interrupt, an exception or the
 * process itself signals, and what its threads wait for.
 *
 * Creation, destruction and the event page change under process->lock;
 * process->event_lock (spinlock) protects everything an interrupt touches:
 * the table, the state and the waiters of every event.
 */
#ifndef AMDKFD_EVENT_H
#define AMDKFD_EVENT_H

#include <linux/list.h>
#include <linux/types.h>
#include <linux/xarray.h>

#include <linux/kfd_ioctl.h>

#include "../process.h"

struct vm_area_struct;

/* A slot that no packet has written an event id to. */
#define KFD_EVENT_SLOT_UNSIGNALED	(~0ULL)
/* Signal events are 1 .. limit - 1: the id is the slot; 0 is "no event". */
#define KFD_EVENT_FIRST_SIGNAL_ID	1
/* All others start here, as in mainline. */
#define KFD_EVENT_FIRST_OTHER_ID	(((u32)INT_MAX >> 1) + 1)
/* Slots that a process gets without mapping more of the kernel's page. */
#define KFD_EVENT_DEFAULT_SLOTS		256
#define KFD_EVENT_PAGE_SIZE		(KFD_SIGNAL_EVENT_LIMIT * sizeof(u64))
/* Events without a slot that a process may have. */
#define KFD_EVENT_MAX_OTHER		KFD_SIGNAL_EVENT_LIMIT
/* Waiters that a process may have: of two calls that wait for all they can. */
#define KFD_EVENT_MAX_WAITERS		(4 * KFD_SIGNAL_EVENT_LIMIT)

/**
 * struct kfd_event - one event
 * @id: its number
 * @type: KFD_IOC_EVENT_*
 * @auto_reset: a wake-up resets it
 * @signaled: set and not yet consumed (process->event_lock)
 * @memory: what a waiter of a KFD_IOC_EVENT_MEMORY gets (event_lock)
 * @hw: what a waiter of a KFD_IOC_EVENT_HW_EXCEPTION gets (event_lock)
 * @waiters: list of kfd_event_waiter that it has not been signalled for yet
 *	(event_lock)
 * @served: likewise, that it has, and that have not gone yet (event_lock)
 * @n_waiters: entries of both (event_lock)
 */
struct kfd_event {
	u32 id;
	u32 type;
	bool auto_reset;
	bool signaled;
	union {
		struct kfd_hsa_memory_exception_data memory;
		struct kfd_hsa_hw_exception_data hw;
	};
	struct list_head waiters;
	struct list_head served;
	u32 n_waiters;
};

/**
 * struct kfd_events - the events of a process
 * @table: id -> event (changes: process->lock and event_lock)
 * @num_signal: signal events (process->lock)
 * @num_other: the others (process->lock)
 * @num_waiters: waiters of all of them (event_lock)
 * @slots: event page, one u64 per slot; NULL before the first signal event
 *	(set once under event_lock)
 * @num_slots: slots that may be handed out (event_lock)
 * @kernel_page: @slots is @own_page
 * @own_page: the driver's own page, mapped by mmap type 2. Once mapped it stays
 *	until the process goes: a mapping of it holds no reference
 *	(process->lock; it goes with mapping_lock held)
 * @own_mapped: @own_page has been mapped (event_lock)
 * @page_handle: BO handle of the event page when it is a buffer
 * @page_cookie: what kfd_process_bo_vunmap() wants
 */
struct kfd_events {
	struct xarray table;
	u32 num_signal;
	u32 num_other;
	u32 num_waiters;
	u64 *slots;
	u32 num_slots;
	bool kernel_page;
	u64 *own_page;
	bool own_mapped;
	u64 page_handle;
	void *page_cookie;
};

static inline struct kfd_events *kfd_events(struct kfd_process *p)
{
	return kfd_state(p, KFD_COMPONENT_EVENT);
}

static inline bool kfd_event_has_slot(u32 type)
{
	return type == KFD_IOC_EVENT_SIGNAL || type == KFD_IOC_EVENT_DEBUG_EVENT;
}

extern const struct kfd_component_ops kfd_event_component_ops;

int kfd_ioctl_create_event(struct file *filp, struct kfd_process *p, void *data);
int kfd_ioctl_destroy_event(struct file *filp, struct kfd_process *p,
			    void *data);
int kfd_ioctl_set_event(struct file *filp, struct kfd_process *p, void *data);
int kfd_ioctl_reset_event(struct file *filp, struct kfd_process *p, void *data);
int kfd_ioctl_wait_events(struct file *filp, struct kfd_process *p, void *data);

int kfd_event_mmap(struct kfd_process *p, struct vm_area_struct *vma, u64 at);

/* Shared by event.c, event_wait.c and event_criu.c. */
struct kfd_event *kfd_event_add(struct kfd_process *p, u32 type,
				bool auto_reset, u32 restore_id);
int kfd_event_set_page(struct kfd_process *p, u64 handle);
int kfd_event_own_page(struct kfd_process *p);
void kfd_event_remove_all(struct kfd_process *p);
void kfd_event_undo_create(struct kfd_process *p, u32 id, u64 page_handle);
void kfd_event_drop_page(struct kfd_process *p);
void kfd_event_free_unmapped_page(struct kfd_process *p);
void kfd_event_signal_locked(struct kfd_event *ev);
void kfd_event_forget_waiters_locked(struct kfd_event *ev);

/* Upward calls of a GPU (struct kfd_gpu_sink). */
void kfd_event_interrupt(struct kfd_process *p, struct kfd_device *dev,
			 const struct kfd_irq_entry *irq);
void kfd_event_vm_fault(struct kfd_process *p, struct kfd_device *dev,
			const struct kfd_gpu_fault *fault);
void kfd_event_hw_exception(struct kfd_process *p, struct kfd_device *dev,
			    u32 cause, bool memory_lost, bool whole_gpu);
u32 kfd_event_count(struct kfd_process *p);

#endif
