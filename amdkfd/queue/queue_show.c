// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queues in fdinfo (floor 3): a line each.
 *
 * Ring positions of a queue that is on the hardware are what the GPU says at
 * this moment; those of one that is off are what was saved in its MQD ("saved"):
 * what the process has written to its ring since, no one has looked at yet.
 *
 * process->lock keeps the queues, scheduler_lock each one's state.
 */
#include <linux/seq_file.h>

#include "../criu/object.h"
#include "queue.h"

static const char *kfd_queue_type_name(u32 type)
{
	switch (type) {
	case KFD_IOC_QUEUE_TYPE_COMPUTE:
		return "compute";
	case KFD_IOC_QUEUE_TYPE_COMPUTE_AQL:
		return "aql";
	default:
		return "sdma";
	}
}

/* Numbers that grow by themselves come last, behind "evictions". */
static int kfd_queue_show_one(struct seq_file *m, struct kfd_queue *q)
{
	const struct kfd_queue_properties *props = &q->props;
	struct kfd_device *dev = q->pdd->dev;
	struct kfd_gpu_queue_progress at = {};
	u32 evictions;
	bool loaded;
	u64 total;

	if (mutex_lock_killable(&dev->scheduler_lock))
		return -EINTR;
	loaded = q->loaded;
	evictions = q->evictions;
	total = q->evictions_total;
	if (loaded)
		dev->ops->queue_progress(dev->gpu, q->gpu_queue, &at);
	else
		q->mqd_ops->progress(q, &at);
	mutex_unlock(&dev->scheduler_lock);

	seq_printf(m, "kfd-queue:\t%u gpu %u type %s enabled %d error %d loaded %d evicted %u doorbell 0x%x ring 0x%llx bytes %llu evictions %llu rptr %llu wptr %llu%s\n",
		   q->id, q->pdd->user_gpu_id, kfd_queue_type_name(props->type),
		   props->ring_base && props->percentage, READ_ONCE(q->error),
		   loaded, evictions, q->doorbell_offset, props->ring_base,
		   props->ring_size, total, at.rptr, at.wptr,
		   loaded ? "" : " saved");
	return 0;
}

/**
 * kfd_queue_show() - struct kfd_criu_object_ops.show of queues
 * @m: where to write
 * @p: the process
 *
 * Context: sleeps, killably; process->lock held; takes scheduler_lock.
 * Return: 0; -EINTR: the reader is being killed.
 */
int kfd_queue_show(struct seq_file *m, struct kfd_process *p)
{
	struct kfd_queue *q;
	unsigned long id;
	int ret;

	lockdep_assert_held(&p->lock);
	seq_printf(m, "kfd-queues:\t%u\n", kfd_queue_count(p));
	xa_for_each(&kfd_queues(p)->table, id, q) {
		ret = kfd_queue_show_one(m, q);
		if (ret)
			return ret;
	}
	return 0;
}
