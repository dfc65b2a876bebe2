// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events: table, event page, create, destroy, set, reset (floor 3).
 *
 * A signal event owns a 64-bit slot in the event page. A packet writes the
 * event's id there (the "mailbox") and raises an interrupt; the interrupt puts
 * the slot back and signals the event. The page is a buffer of the process
 * (CREATE_EVENT's event_page_offset) or the driver's own (mmap type 2).
 *
 * Locks: process->lock around every change of the table and of the page;
 * process->event_lock around what an interrupt may touch as well, and around
 * any look at struct kfd_events by who is not in process->lock: it goes with
 * the context, which may have left the caller's address space meanwhile.
 *
 * The driver's page is given to a mapping by fault, one page at a time, and
 * never by mmap itself: a mapping that is only being made is found by no zap.
 * process->mapping_lock makes "is it still there, give it" one step against the
 * end of the context and against its change of owner.
 */
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "../compat/compat.h"
#include "../debug/break.h"
#include "../mmap_offset.h"
#include "event.h"

#define KFD_EVENT_PAGE_ORDER	get_order(KFD_EVENT_PAGE_SIZE)

static u32 kfd_event_limit(const struct kfd_events *events)
{
	return min_t(u32, events->num_slots, KFD_SIGNAL_EVENT_LIMIT);
}

static void kfd_event_install_page(struct kfd_process *p, u64 *slots,
				   u32 num_slots, bool kernel_page)
{
	struct kfd_events *events = kfd_events(p);

	memset(slots, 0xff, KFD_EVENT_PAGE_SIZE);
	spin_lock(&p->event_lock);
	events->slots = slots;
	events->num_slots = num_slots;
	events->kernel_page = kernel_page;
	spin_unlock(&p->event_lock);
}

/**
 * kfd_event_own_page - give the process an event page of the driver's
 * @p: the process
 *
 * Context: sleeps; process->lock held.
 * Return: 0, also when there is a page already; -ENOMEM.
 */
int kfd_event_own_page(struct kfd_process *p)
{
	struct kfd_events *events = kfd_events(p);

	lockdep_assert_held(&p->lock);
	if (events->slots)
		return 0;
	if (!events->own_page)
		events->own_page = (u64 *)__get_free_pages(GFP_KERNEL_ACCOUNT,
							   KFD_EVENT_PAGE_ORDER);
	if (!events->own_page)
		return -ENOMEM;
	kfd_event_install_page(p, events->own_page, KFD_EVENT_DEFAULT_SLOTS,
			       true);
	return 0;
}

/**
 * kfd_event_set_page - make a buffer of the process its event page
 * @p: the process
 * @handle: buffer handle as from ALLOC_MEMORY_OF_GPU; at least 32 KiB
 *
 * Context: sleeps; process->lock held.
 * Return: 0; -EINVAL: there is a page already, no such buffer of this
 * process, or it is too small or not VRAM or GTT; -ENOMEM.
 */
int kfd_event_set_page(struct kfd_process *p, u64 handle)
{
	struct kfd_events *events = kfd_events(p);
	void *vaddr, *cookie;
	int ret;

	lockdep_assert_held(&p->lock);
	if (!KFD_BROKEN(multi_event_page) && events->slots)
		return -EINVAL;
	ret = kfd_process_bo_vmap(p, handle, KFD_EVENT_PAGE_SIZE, &vaddr,
				  &cookie);
	if (ret)
		return ret;
	events->page_handle = handle;
	events->page_cookie = cookie;
	kfd_event_install_page(p, vaddr, KFD_SIGNAL_EVENT_LIMIT, false);
	return 0;
}

/**
 * kfd_event_drop_page - give the event page back
 * @p: the process; it has no signal event any more
 *
 * Context: sleeps; process->lock held.
 */
void kfd_event_drop_page(struct kfd_process *p)
{
	struct kfd_events *events = kfd_events(p);
	void *slots = events->slots;

	spin_lock(&p->event_lock);
	events->slots = NULL;
	events->num_slots = 0;
	spin_unlock(&p->event_lock);
	if (!slots)
		return;
	if (!events->kernel_page)
		kfd_process_bo_vunmap(p, events->page_cookie);
	events->kernel_page = false;
	events->page_handle = 0;
	events->page_cookie = NULL;
}

/* No fault finds it any more, and no mapping of it has been given any. */
static void kfd_event_free_own_page(struct kfd_process *p)
{
	struct kfd_events *events = kfd_events(p);
	u64 *page;

	mutex_lock(&p->mapping_lock);
	page = events->own_page;
	events->own_page = NULL;
	mutex_unlock(&p->mapping_lock);
	free_pages((unsigned long)page, KFD_EVENT_PAGE_ORDER);
}

/**
 * kfd_event_free_unmapped_page - free the driver's page if nobody can see it
 * @p: the process, without an event page (kfd_event_drop_page()): it cannot be
 *	mapped any more
 *
 * Context: sleeps; process->lock held.
 */
void kfd_event_free_unmapped_page(struct kfd_process *p)
{
	struct kfd_events *events = kfd_events(p);
	bool mapped;

	lockdep_assert_held(&p->lock);
	spin_lock(&p->event_lock);
	mapped = events->own_mapped;
	spin_unlock(&p->event_lock);
	if (!mapped)
		kfd_event_free_own_page(p);
}

static int kfd_event_choose_id(struct kfd_process *p, struct kfd_event *ev,
			       u32 restore_id)
{
	struct kfd_events *events = kfd_events(p);
	struct xa_limit range;

	if (kfd_event_has_slot(ev->type)) {
		if (events->num_signal >= kfd_event_limit(events) - 1 &&
		    !restore_id)
			return -ENOSPC;
		range = XA_LIMIT(KFD_EVENT_FIRST_SIGNAL_ID,
				 kfd_event_limit(events) - 1);
		if (restore_id >= KFD_SIGNAL_EVENT_LIMIT)
			return -EINVAL;
	} else {
		if (events->num_other >= KFD_EVENT_MAX_OTHER)
			return -ENOSPC;
		range = XA_LIMIT(KFD_EVENT_FIRST_OTHER_ID, INT_MAX);
		if (restore_id && restore_id < KFD_EVENT_FIRST_OTHER_ID)
			return -EINVAL;
	}
	if (!KFD_BROKEN(id_over_int_max) && restore_id > INT_MAX)
		return -EINVAL;
	if (restore_id)
		range = XA_LIMIT(restore_id, restore_id);
	return xa_alloc(&events->table, &ev->id, NULL, range,
			GFP_KERNEL_ACCOUNT);
}

/**
 * kfd_event_add - make an event
 * @p: the process
 * @type: KFD_IOC_EVENT_*; a type with a slot needs the event page to be there
 * @auto_reset: a wake-up resets it
 * @restore_id: the id that it must get, or 0 for any
 *
 * Context: sleeps; process->lock held.
 * Return: the event; ERR_PTR(-EINVAL): @restore_id is not possible for this
 * type; -EBUSY: it is taken; -ENOSPC: limit reached; -ENOMEM.
 */
struct kfd_event *kfd_event_add(struct kfd_process *p, u32 type,
				bool auto_reset, u32 restore_id)
{
	struct kfd_events *events = kfd_events(p);
	struct kfd_event *ev;
	int ret;

	lockdep_assert_held(&p->lock);
	ev = kzalloc(sizeof(*ev), GFP_KERNEL_ACCOUNT);
	if (!ev)
		return ERR_PTR(-ENOMEM);
	ev->type = type;
	ev->auto_reset = auto_reset;
	INIT_LIST_HEAD(&ev->waiters);
	INIT_LIST_HEAD(&ev->served);

	ret = kfd_event_choose_id(p, ev, restore_id);
	if (ret) {
		kfree(ev);
		if (ret == -EBUSY && !restore_id)
			ret = -ENOSPC;
		return ERR_PTR(ret);
	}
	if (kfd_event_has_slot(type)) {
		WRITE_ONCE(events->slots[ev->id], KFD_EVENT_SLOT_UNSIGNALED);
		events->num_signal++;
	} else {
		events->num_other++;
	}
	/* The id was reserved above: storing cannot allocate, nor fail. */
	spin_lock(&p->event_lock);
	xa_store(&events->table, ev->id, ev, GFP_ATOMIC);
	spin_unlock(&p->event_lock);
	return ev;
}

static void kfd_event_remove(struct kfd_process *p, struct kfd_event *ev)
{
	struct kfd_events *events = kfd_events(p);

	spin_lock(&p->event_lock);
	xa_erase(&events->table, ev->id);
	kfd_event_forget_waiters_locked(ev);
	spin_unlock(&p->event_lock);
	if (kfd_event_has_slot(ev->type))
		events->num_signal--;
	else
		events->num_other--;
	kfree(ev);
}

/**
 * kfd_event_remove_all - destroy every event; waiters get "fail"
 * @p: the process
 *
 * Context: sleeps; process->lock held.
 */
void kfd_event_remove_all(struct kfd_process *p)
{
	struct kfd_event *ev;
	unsigned long id;

	xa_for_each(&kfd_events(p)->table, id, ev)
		kfd_event_remove(p, ev);
}

/**
 * kfd_event_count - number of events
 * @p: the process
 *
 * Context: process->lock held.
 * Return: their number.
 */
u32 kfd_event_count(struct kfd_process *p)
{
	return kfd_events(p)->num_signal + kfd_events(p)->num_other;
}

/**
 * kfd_ioctl_create_event - AMDKFD_IOC_CREATE_EVENT
 * @filp: kfd file
 * @p: process
 * @data: struct kfd_ioctl_create_event_args
 *
 * A nonzero event_page_offset is the handle of a buffer to become the event
 * page.
 *
 * Context: sleeps; takes process->lock.
 * Return: 0; -EINVAL: unknown type, or the event page is set already or not a
 * fitting buffer of this process; -ENOSPC: no slot or event left; -ENOMEM;
 * -EBADF: the process is gone.
 */
int kfd_ioctl_create_event(struct file *filp, struct kfd_process *p, void *data)
{
	struct kfd_ioctl_create_event_args *args = data;
	bool new_page = false;
	struct kfd_event *ev;
	int ret;

	if (args->event_type > KFD_IOC_EVENT_MEMORY)
		return -EINVAL;
	ret = kfd_process_lock(p);
	if (ret)
		return ret;

	if (args->event_page_offset) {
		ret = kfd_event_set_page(p, args->event_page_offset);
		new_page = !ret;
	}
	if (!ret && kfd_event_has_slot(args->event_type))
		ret = kfd_event_own_page(p);
	if (ret)
		goto unlock;

	ev = kfd_event_add(p, args->event_type, args->auto_reset, 0);
	if (IS_ERR(ev)) {
		ret = PTR_ERR(ev);
		if (new_page)
			kfd_event_drop_page(p);
		goto unlock;
	}
	args->event_id = ev->id;
	args->event_trigger_data = ev->id;
	args->event_slot_index = 0;
	args->event_page_offset = 0;
	if (kfd_event_has_slot(ev->type)) {
		args->event_page_offset = KFD_MMAP_TYPE_EVENTS;
		args->event_slot_index = ev->id;
	}
unlock:
	kfd_process_unlock(p);
	return ret;
}

/**
 * kfd_event_undo_create - take back an event that its maker never hears of
 * @p: the process
 * @id: the event
 * @page_handle: buffer that was made the event page with it, 0: none
 *
 * The driver's own page stays: the next signal event uses it.
 *
 * Context: sleeps; takes process->lock. When the caller is being killed
 * nothing is done: all goes with the process.
 */
void kfd_event_undo_create(struct kfd_process *p, u32 id, u64 page_handle)
{
	struct kfd_event *ev;

	if (kfd_process_lock(p))
		return;
	ev = xa_load(&kfd_events(p)->table, id);
	if (ev)
		kfd_event_remove(p, ev);
	if (page_handle && kfd_events(p)->page_handle == page_handle &&
	    !kfd_events(p)->num_signal)
		kfd_event_drop_page(p);
	kfd_process_unlock(p);
}

/**
 * kfd_ioctl_destroy_event - AMDKFD_IOC_DESTROY_EVENT
 * @filp: kfd file
 * @p: process
 * @data: struct kfd_ioctl_destroy_event_args
 *
 * Context: sleeps; takes process->lock.
 * Return: 0; -EINVAL: no such event; -EBADF: the process is gone.
 */
int kfd_ioctl_destroy_event(struct file *filp, struct kfd_process *p,
			    void *data)
{
	struct kfd_ioctl_destroy_event_args *args = data;
	struct kfd_event *ev;
	int ret;

	ret = kfd_process_lock(p);
	if (ret)
		return ret;
	ev = xa_load(&kfd_events(p)->table, args->event_id);
	if (ev)
		kfd_event_remove(p, ev);
	else
		ret = -EINVAL;
	kfd_process_unlock(p);
	return ret;
}

/* Set or reset an event from the CPU: only signal events allow it. */
static int kfd_event_change(struct kfd_process *p, u32 id, bool set)
{
	struct kfd_events *events;
	struct kfd_event *ev;
	int ret = -EINVAL;

	spin_lock(&p->event_lock);
	events = kfd_events(p);
	ev = events ? xa_load(&events->table, id) : NULL;
	if (ev && ev->type == KFD_IOC_EVENT_SIGNAL) {
		if (set)
			kfd_event_signal_locked(ev);
		else
			ev->signaled = false;
		ret = 0;
	}
	spin_unlock(&p->event_lock);
	return ret;
}

/**
 * kfd_ioctl_set_event - AMDKFD_IOC_SET_EVENT
 * @filp: kfd file
 * @p: process
 * @data: struct kfd_ioctl_set_event_args
 *
 * Context: takes process->event_lock.
 * Return: 0; -EINVAL: no such event, or not a signal event.
 */
int kfd_ioctl_set_event(struct file *filp, struct kfd_process *p, void *data)
{
	struct kfd_ioctl_set_event_args *args = data;

	return kfd_event_change(p, args->event_id, true);
}

/**
 * kfd_ioctl_reset_event - AMDKFD_IOC_RESET_EVENT
 * @filp: kfd file
 * @p: process
 * @data: struct kfd_ioctl_reset_event_args
 *
 * Context: takes process->event_lock.
 * Return: 0; -EINVAL: no such event, or not a signal event.
 */
int kfd_ioctl_reset_event(struct file *filp, struct kfd_process *p, void *data)
{
	struct kfd_ioctl_reset_event_args *args = data;

	return kfd_event_change(p, args->event_id, false);
}

static vm_fault_t kfd_event_page_fault(struct vm_fault *vmf)
{
	struct kfd_process *p = vmf->vma->vm_private_data;
	u64 at = kfd_mmap_at((u64)vmf->pgoff << PAGE_SHIFT);
	struct kfd_events *events;
	vm_fault_t ret;

	if (at >= KFD_EVENT_PAGE_SIZE)
		return VM_FAULT_SIGBUS;
	mutex_lock(&p->mapping_lock);
	ret = kfd_mapping_check(p, vmf->vma);
	events = kfd_events(p);
	if (!ret && (!events || !events->own_page))
		ret = VM_FAULT_SIGBUS;
	if (!ret)
		ret = vmf_insert_pfn(vmf->vma, vmf->address,
				     PHYS_PFN(virt_to_phys(events->own_page) +
					      at));
	mutex_unlock(&p->mapping_lock);
	return ret;
}

static const struct vm_operations_struct kfd_event_vm_ops = {
	.fault = kfd_event_page_fault,
};

/**
 * kfd_event_mmap - map the driver's event page (mmap type 2)
 * @p: the process
 * @vma: the mapping; its flags and offset have been checked by the caller
 * @at: byte of the page that it begins with, from its offset
 *
 * How much is mapped is how many slots may be used, as in mainline. @p outlives
 * the mapping: the mapping holds its file, the file the process.
 *
 * Context: mmap_lock held: process->lock must not be taken.
 * Return: 0; -EINVAL: no such page, or longer than it.
 */
int kfd_event_mmap(struct kfd_process *p, struct vm_area_struct *vma, u64 at)
{
	unsigned long size = vma->vm_end - vma->vm_start;
	struct kfd_events *events;
	bool there;

	if (at > KFD_EVENT_PAGE_SIZE || size > KFD_EVENT_PAGE_SIZE - at)
		return -EINVAL;
	spin_lock(&p->event_lock);
	events = kfd_events(p);
	there = events && events->slots && events->kernel_page;
	if (there) {
		events->own_mapped = true;
		events->num_slots = max_t(u32, events->num_slots,
					  (at + size) / sizeof(u64));
	}
	spin_unlock(&p->event_lock);
	if (!there)
		return -EINVAL;
	vma->vm_private_data = p;
	vma->vm_ops = &kfd_event_vm_ops;
	return 0;
}

static int kfd_event_process_init(struct kfd_process *p)
{
	struct kfd_events *events;

	events = kzalloc(sizeof(*events), GFP_KERNEL_ACCOUNT);
	if (!events)
		return -ENOMEM;
	xa_init_flags(&events->table, XA_FLAGS_ALLOC | XA_FLAGS_ACCOUNT);
	p->state[KFD_COMPONENT_EVENT] = events;
	return 0;
}

static void kfd_event_process_fini(struct kfd_process *p)
{
	struct kfd_events *events = kfd_events(p);

	if (!events)
		return;
	kfd_event_remove_all(p);
	kfd_event_drop_page(p);
	/* The mappings have been revoked, and the process is dead or unknown. */
	kfd_event_free_own_page(p);
	/* An interrupt that is under way looks at this under event_lock. */
	mutex_lock(&p->mapping_lock);
	spin_lock(&p->event_lock);
	p->state[KFD_COMPONENT_EVENT] = NULL;
	spin_unlock(&p->event_lock);
	mutex_unlock(&p->mapping_lock);
	xa_destroy(&events->table);
	kfree(events);
}

const struct kfd_component_ops kfd_event_component_ops = {
	.process_init = kfd_event_process_init,
	.process_fini = kfd_event_process_fini,
};
