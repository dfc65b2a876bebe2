// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queues in a checkpoint image (floor 3); see criu/object.h.
 *
 * A queue is a QUEUE record followed by its MQD, control stack and CU mask.
 * Restore goes through kfd_queue_create(), so through the same checks as
 * CREATE_QUEUE. All is called with process->lock held and the queues evicted:
 * the MQDs are at rest.
 */
#include <linux/slab.h>

#include "../criu/object.h"
#include "../debug/break.h"
#include "queue.h"

static u32 kfd_queue_ctl_stack_size(const struct kfd_queue *q)
{
	return q->ctl_stack ? q->props.ctl_stack_size : 0;
}

/* Bytes of a queue's MQD in an image: what an MQD of its type has. */
static u32 kfd_queue_criu_mqd_size(const struct kfd_mqd_ops *ops, u32 type)
{
	if (KFD_BROKEN(sdma_mqd_size))
		type = KFD_IOC_QUEUE_TYPE_COMPUTE;
	return ops->size(type);
}

static u64 kfd_queue_criu_size(struct kfd_process *p)
{
	struct kfd_queue *q;
	unsigned long id;
	u64 size = 0;

	xa_for_each(&kfd_queues(p)->table, id, q) {
		size += kfd_record_space(sizeof(struct kfd_record_queue));
		size += kfd_record_space(kfd_queue_criu_mqd_size(q->mqd_ops,
								 q->props.type));
		if (kfd_queue_ctl_stack_size(q))
			size += kfd_record_space(kfd_queue_ctl_stack_size(q));
		if (q->cu_mask.bits)
			size += kfd_record_space(q->cu_mask.bits / 8);
	}
	return size;
}

static void kfd_queue_fill_record(const struct kfd_queue *q,
				  struct kfd_record_queue *rec)
{
	const struct kfd_queue_properties *props = &q->props;

	*rec = (struct kfd_record_queue) {
		.id = q->id,
		.gpu_id = q->pdd->user_gpu_id,
		.type = props->type,
		.priority = props->priority,
		.percentage = props->percentage,
		.ring_base = props->ring_base,
		.ring_size = props->ring_size,
		.read_ptr = props->read_ptr,
		.write_ptr = props->write_ptr,
		.doorbell_offset = q->doorbell_offset,
		.sdma_engine = q->sdma_engine,
		.sdma_queue = q->sdma_slot,
		.mqd_size = kfd_queue_criu_mqd_size(q->mqd_ops, props->type),
		.eop_addr = props->eop_addr,
		.eop_size = props->eop_size,
		.cwsr_addr = props->cwsr_addr,
		.cwsr_size = props->cwsr_size,
		.ctl_stack_size = kfd_queue_ctl_stack_size(q),
		.cu_mask_size = q->cu_mask.bits / 8,
		.error = READ_ONCE(q->error),
	};
}

static int kfd_queue_save_one(struct kfd_queue *q, struct kfd_image_writer *out)
{
	struct kfd_record_queue rec;
	int ret;

	kfd_queue_fill_record(q, &rec);
	ret = kfd_image_put(out, KFD_RECORD_QUEUE, &rec, sizeof(rec));
	if (!ret)
		ret = kfd_image_put(out, KFD_RECORD_MQD, q->mqd, rec.mqd_size);
	if (!ret && rec.ctl_stack_size)
		ret = kfd_image_put(out, KFD_RECORD_CTL_STACK, q->ctl_stack,
				    rec.ctl_stack_size);
	if (!ret && rec.cu_mask_size)
		ret = kfd_image_put(out, KFD_RECORD_CU_MASK, q->cu_mask.words,
				    rec.cu_mask_size);
	return ret;
}

static int kfd_queue_criu_save(struct kfd_criu_dump *dump)
{
	struct kfd_queue *q;
	unsigned long id;
	int ret;

	xa_for_each(&kfd_queues(dump->p)->table, id, q) {
		/* Evicted, but one that did not stop has no state to save. */
		if (q->loaded)
			return -ETIME;
		ret = kfd_queue_save_one(q, dump->out);
		if (ret)
			return ret;
	}
	return 0;
}

/* The MQD, control stack and CU mask that follow a QUEUE record. */
static int kfd_queue_read_parts(const struct kfd_image *image,
				const struct kfd_record *rec,
				const struct kfd_record_queue *in,
				struct kfd_queue_restore *restore)
{
	struct kfd_record part = *rec;

	if (!kfd_image_next(image, &part) || part.type != KFD_RECORD_MQD ||
	    (!KFD_BROKEN(mqd_size_mismatch) && part.len != in->mqd_size))
		return -EINVAL;
	restore->mqd = part.data;
	if (in->ctl_stack_size) {
		if (!kfd_image_next(image, &part) ||
		    part.type != KFD_RECORD_CTL_STACK ||
		    (!KFD_BROKEN(ctl_stack_overread) &&
		     part.len != in->ctl_stack_size))
			return -EINVAL;
		restore->ctl_stack = part.data;
	}
	if (in->cu_mask_size) {
		if (!kfd_image_next(image, &part) ||
		    part.type != KFD_RECORD_CU_MASK ||
		    part.len != in->cu_mask_size ||
		    part.len > KFD_CU_MASK_MAX_BITS / 8)
			return -EINVAL;
		restore->cu_mask = part.data;
		restore->cu_mask_bits = part.len * 8;
	}
	return 0;
}

static int kfd_queue_criu_load(struct kfd_criu_load *load,
			       const struct kfd_record *rec, u32 index)
{
	struct kfd_queue_restore restore = {};
	struct kfd_queue_properties props;
	const struct kfd_mqd_ops *mqd_ops;
	struct kfd_process_device *pdd;
	struct kfd_record_queue in;
	struct kfd_queue *q;
	int ret;

	ret = kfd_record_read(rec, &in, sizeof(in), sizeof(in));
	if (ret)
		return ret;
	pdd = kfd_process_device_bound(load->p, in.gpu_id);
	if (!pdd)
		return -EINVAL;
	ret = kfd_queue_read_parts(load->image, rec, &in, &restore);
	if (ret)
		return ret;
	mqd_ops = kfd_mqd_ops_for(pdd->dev);
	if (!mqd_ops)
		return -EINVAL;
	if (!KFD_BROKEN(mqd_size_mismatch) &&
	    in.mqd_size != kfd_queue_criu_mqd_size(mqd_ops, in.type))
		return -EINVAL;
	props = (struct kfd_queue_properties) {
		.type = in.type,
		.priority = in.priority,
		.percentage = in.percentage,
		.ring_base = in.ring_base,
		.ring_size = in.ring_size,
		.read_ptr = in.read_ptr,
		.write_ptr = in.write_ptr,
		.eop_addr = in.eop_addr,
		.eop_size = in.eop_size,
		.cwsr_addr = in.cwsr_addr,
		.cwsr_size = in.cwsr_size,
		.ctl_stack_size = in.ctl_stack_size,
	};
	restore.id = in.id;
	restore.doorbell_offset = in.doorbell_offset;
	restore.error = in.error;
	q = kfd_queue_create(pdd, &props, &restore);
	return PTR_ERR_OR_ZERO(q);
}

static void kfd_queue_criu_unload(struct kfd_process *p)
{
	struct kfd_queue *q;
	unsigned long id;

	xa_for_each(&kfd_queues(p)->table, id, q)
		kfd_queue_destroy(q);
}

const struct kfd_criu_object_ops kfd_queue_criu_ops = {
	.name = "queue",
	.type = KFD_RECORD_QUEUE,
	.count = kfd_queue_count,
	.size = kfd_queue_criu_size,
	.save = kfd_queue_criu_save,
	.load = kfd_queue_criu_load,
	.unload = kfd_queue_criu_unload,
	.show = kfd_queue_show,
};
