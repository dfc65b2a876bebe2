// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events in fdinfo (floor 3): by type, how many there are, how many of them are
 * signalled and how many waiters they have.
 *
 * process->lock keeps the table as it is, event_lock is held over the whole
 * count: an event that changes meanwhile is not counted twice or not at all.
 */
#include <linux/seq_file.h>

#include "../criu/object.h"
#include "event.h"

static const char *const event_types[] = {
	[KFD_IOC_EVENT_SIGNAL] = "signal",
	[KFD_IOC_EVENT_NODECHANGE] = "nodechange",
	[KFD_IOC_EVENT_DEVICESTATECHANGE] = "devicestatechange",
	[KFD_IOC_EVENT_HW_EXCEPTION] = "hw-exception",
	[KFD_IOC_EVENT_SYSTEM_EVENT] = "system",
	[KFD_IOC_EVENT_DEBUG_EVENT] = "debug",
	[KFD_IOC_EVENT_PROFILE_EVENT] = "profile",
	[KFD_IOC_EVENT_QUEUE_EVENT] = "queue",
	[KFD_IOC_EVENT_MEMORY] = "memory",
};

/**
 * struct event_sums - the events of one type
 * @count: how many
 * @signaled: signalled and not consumed
 * @waiters: of all of them; a call that waits for two events counts twice
 */
struct event_sums {
	u32 count;
	u32 signaled;
	u64 waiters;
};

static const char *event_page_name(const struct kfd_events *events)
{
	if (!events->slots)
		return "none";
	return events->kernel_page ? "driver" : "buffer";
}

/**
 * kfd_event_show() - struct kfd_criu_object_ops.show of events
 * @m: where to write
 * @p: the process
 *
 * Context: process->lock held; takes event_lock.
 * Return: 0.
 */
int kfd_event_show(struct seq_file *m, struct kfd_process *p)
{
	struct event_sums sums[ARRAY_SIZE(event_types)] = {};
	struct kfd_events *events = kfd_events(p);
	struct kfd_event *ev;
	unsigned long id;
	u32 i;

	lockdep_assert_held(&p->lock);
	spin_lock(&p->event_lock);
	xa_for_each(&events->table, id, ev) {
		struct event_sums *sum = &sums[ev->type];

		sum->count++;
		sum->signaled += ev->signaled;
		sum->waiters += ev->n_waiters;
	}
	spin_unlock(&p->event_lock);

	seq_printf(m, "kfd-events:\t%u\n", kfd_event_count(p));
	seq_printf(m, "kfd-event-page:\t%s\n", event_page_name(events));
	for (i = 0; i < ARRAY_SIZE(event_types); i++)
		seq_printf(m, "kfd-events-%s:\t%u signaled %u waiters %llu\n",
			   event_types[i], sums[i].count, sums[i].signaled,
			   sums[i].waiters);
	return 0;
}
