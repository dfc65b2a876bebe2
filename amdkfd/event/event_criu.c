// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events in a checkpoint image (floor 3); see criu/object.h.
 *
 * The event page goes with the process record (kfd_event_criu_page_*): a
 * buffer is found again by its handle, so buffers are restored before events.
 *
 * Called with process->lock held; event_lock around state that an interrupt
 * or SET_EVENT may change.
 */
#include <linux/slab.h>

#include "../criu/object.h"
#include "../debug/break.h"
#include "event.h"

static u64 kfd_event_criu_size(struct kfd_process *p)
{
	return (u64)kfd_event_count(p) *
	       kfd_record_space(sizeof(struct kfd_record_event));
}

/*
 * Whether an event's slot was written and the interrupt that would signal it
 * has not come. A buffer brings its slots back, and the interrupt, which the
 * image has in a queue, finds them there. The driver's own page is in no buffer:
 * what has happened by now is a signal.
 */
static bool kfd_event_slot_is_lost(const struct kfd_events *events,
				   const struct kfd_event *ev)
{
	return events->kernel_page && kfd_event_has_slot(ev->type) &&
	       READ_ONCE(events->slots[ev->id]) != KFD_EVENT_SLOT_UNSIGNALED;
}

static int kfd_event_save_all(struct kfd_criu_dump *dump)
{
	struct kfd_process *p = dump->p;
	struct kfd_record_event rec;
	struct kfd_event *ev;
	unsigned long id;
	int ret;

	/* The table is stable under process->lock. */
	xa_for_each(&kfd_events(p)->table, id, ev) {
		memset(&rec, 0, sizeof(rec));
		rec.id = ev->id;
		rec.type = ev->type;
		rec.auto_reset = ev->auto_reset;
		rec.slot = kfd_event_has_slot(ev->type) ? ev->id : 0;
		spin_lock(&p->event_lock);
		rec.signaled = ev->signaled ||
			       kfd_event_slot_is_lost(kfd_events(p), ev);
		if (ev->type == KFD_IOC_EVENT_MEMORY)
			memcpy(rec.data, &ev->memory, sizeof(ev->memory));
		else if (ev->type == KFD_IOC_EVENT_HW_EXCEPTION)
			memcpy(rec.data, &ev->hw, sizeof(ev->hw));
		spin_unlock(&p->event_lock);
		ret = kfd_image_put(dump->out, KFD_RECORD_EVENT, &rec,
				    sizeof(rec));
		if (ret)
			return ret;
	}
	return 0;
}

static int kfd_event_criu_save(struct kfd_criu_dump *dump)
{
	int ret;

	if (KFD_BROKEN(checkpoint_events_race))
		mutex_unlock(&dump->p->lock);
	ret = kfd_event_save_all(dump);
	if (KFD_BROKEN(checkpoint_events_race))
		mutex_lock(&dump->p->lock);
	return ret;
}

static int kfd_event_criu_load(struct kfd_criu_load *load,
			       const struct kfd_record *rec, u32 index)
{
	const struct kfd_record_process *proc = &load->image->process;
	struct kfd_process *p = load->p;
	struct kfd_record_event in;
	struct kfd_event *ev;
	int ret;

	BUILD_BUG_ON(sizeof(ev->memory) > sizeof(in.data));
	BUILD_BUG_ON(sizeof(ev->hw) > sizeof(in.data));

	ret = kfd_record_read(rec, &in, sizeof(in), sizeof(in));
	if (ret)
		return ret;
	if (kfd_event_has_slot(in.type) && !kfd_events(p)->slots &&
	    !proc->event_page_handle)
		return -EINVAL;
	ev = kfd_event_add(p, in.type, in.auto_reset, in.id);
	if (IS_ERR(ev))
		return PTR_ERR(ev) == -EBUSY ? -EINVAL : PTR_ERR(ev);
	spin_lock(&p->event_lock);
	ev->signaled = in.signaled;
	if (in.type == KFD_IOC_EVENT_MEMORY)
		memcpy(&ev->memory, in.data, sizeof(ev->memory));
	else if (in.type == KFD_IOC_EVENT_HW_EXCEPTION)
		memcpy(&ev->hw, in.data, sizeof(ev->hw));
	spin_unlock(&p->event_lock);
	return 0;
}

static void kfd_event_criu_unload(struct kfd_process *p)
{
	kfd_event_remove_all(p);
	kfd_event_drop_page(p);
	/* A refused process may try again, so it must be as it was. */
	kfd_event_free_unmapped_page(p);
}

/* A page of the driver's that was mapped cannot be taken back. */
static bool kfd_event_criu_has_state(struct kfd_process *p)
{
	return kfd_events(p)->slots || kfd_events(p)->own_page;
}

/**
 * kfd_event_criu_save_process - note the event page in the process record
 * @p: process being dumped
 * @rec: its record
 *
 * Context: process->lock held.
 */
static void kfd_event_criu_save_process(struct kfd_process *p,
					struct kfd_record_process *rec)
{
	const struct kfd_events *events = kfd_events(p);

	rec->event_page_handle = events->page_handle;
	rec->event_page_user = events->slots && events->kernel_page;
}

/*
 * Before the first event: the page must be there for slots to be reset. A
 * buffer's contents are filled by userspace after RESTORE, over the reset.
 */
static int kfd_event_criu_load_process(struct kfd_criu_load *load)
{
	const struct kfd_record_process *rec = &load->image->process;
	struct kfd_process *p = load->p;
	int ret = 0;

	if (rec->event_page_handle) {
		ret = kfd_event_set_page(p, rec->event_page_handle);
	} else if (rec->event_page_user) {
		ret = kfd_event_own_page(p);
		/* How much of it was mapped is not known: allow all ids. */
		if (!ret)
			kfd_events(p)->num_slots = KFD_SIGNAL_EVENT_LIMIT;
	}
	return ret;
}

const struct kfd_criu_object_ops kfd_event_criu_ops = {
	.name = "event",
	.type = KFD_RECORD_EVENT,
	.count = kfd_event_count,
	.size = kfd_event_criu_size,
	.save = kfd_event_criu_save,
	.load = kfd_event_criu_load,
	.unload = kfd_event_criu_unload,
	.has_state = kfd_event_criu_has_state,
	.save_process = kfd_event_criu_save_process,
	.load_process = kfd_event_criu_load_process,
	.show = kfd_event_show,
};
