// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queues: create, destroy, update, CU mask, wave state (floor 3).
 *
 * process->lock serialises everything here; what touches the MQD or the
 * hardware takes device->scheduler_lock below it. A queue is reserved an id,
 * built completely, and only then attached and published.
 */
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "../debug/break.h"
#include "queue.h"

/**
 * kfd_mqd_ops_for - the MQD format of a GPU
 * @dev: the GPU
 *
 * Context: any.
 * Return: its operations; NULL: a generation that is not known.
 */
const struct kfd_mqd_ops *kfd_mqd_ops_for(const struct kfd_device *dev)
{
	if (dev->info.gfx_target_version / 10000 == 9)
		return &kfd_mqd_gfx9_ops;
	return NULL;
}

static int kfd_queue_reserve_doorbell(struct kfd_queue *q,
				      const struct kfd_queue_restore *restore)
{
	struct kfd_device_queues *dq = kfd_device_queues(q->pdd);
	unsigned long bit;

	if (restore && !KFD_BROKEN(doorbell_offset)) {
		bit = restore->doorbell_offset / KFD_DOORBELL_STRIDE;
		if (bit >= KFD_DOORBELLS_PER_SLICE || test_bit(bit, dq->doorbells))
			return -EINVAL;
	} else {
		bit = find_first_zero_bit(dq->doorbells,
					  KFD_DOORBELLS_PER_SLICE);
		if (bit >= KFD_DOORBELLS_PER_SLICE)
			return -ENOSPC;
	}
	__set_bit(bit, dq->doorbells);
	q->doorbell_offset = bit * KFD_DOORBELL_STRIDE;
	return 0;
}

static void kfd_queue_release_doorbell(struct kfd_queue *q)
{
	__clear_bit(q->doorbell_offset / KFD_DOORBELL_STRIDE,
		    kfd_device_queues(q->pdd)->doorbells);
}

/*
 * A place on the engine with the fewest queues: SDMA queues have as many as
 * there are hardware queues. One that has been given back is not the last.
 */
static int kfd_queue_reserve_sdma(struct kfd_queue *q)
{
	struct kfd_device *dev = q->pdd->dev;
	u32 i, n, slot, engine = 0, least = U32_MAX;

	lockdep_assert_held(&dev->scheduler_lock);
	for (i = 0; i < dev->info.num_sdma_engines; i++) {
		n = hweight_long(dev->sdma_slots[i]);
		if (n < least) {
			engine = i;
			least = n;
		}
	}
	if (least >= dev->info.num_sdma_queues_per_engine)
		return -ENOMEM;
	slot = find_first_zero_bit(&dev->sdma_slots[engine],
				   KFD_MAX_SDMA_SLOTS);
	__set_bit(slot, &dev->sdma_slots[engine]);
	q->sdma_engine = engine;
	q->sdma_slot = slot;
	return 0;
}

static int kfd_queue_reserve_hw(struct kfd_queue *q)
{
	struct kfd_device *dev = q->pdd->dev;
	int ret = 0;

	mutex_lock(&dev->scheduler_lock);
	if (kfd_queue_is_sdma(q->props.type))
		ret = kfd_queue_reserve_sdma(q);
	else if (dev->n_cp_queues >= KFD_MAX_QUEUES_PER_GPU)
		ret = -ENOSPC;
	else
		dev->n_cp_queues++;
	mutex_unlock(&dev->scheduler_lock);
	return ret;
}

static void kfd_queue_release_hw(struct kfd_queue *q)
{
	struct kfd_device *dev = q->pdd->dev;

	mutex_lock(&dev->scheduler_lock);
	if (kfd_queue_is_sdma(q->props.type))
		__clear_bit(q->sdma_slot, &dev->sdma_slots[q->sdma_engine]);
	else
		dev->n_cp_queues--;
	mutex_unlock(&dev->scheduler_lock);
}

static int kfd_queue_alloc_mqd(struct kfd_queue *q)
{
	q->mqd = kvzalloc(q->mqd_ops->size(q->props.type), GFP_KERNEL_ACCOUNT);
	if (!q->mqd)
		return -ENOMEM;
	if (q->props.ctl_stack_size && !kfd_queue_is_sdma(q->props.type)) {
		q->ctl_stack = kvzalloc(q->props.ctl_stack_size,
					GFP_KERNEL_ACCOUNT);
		if (!q->ctl_stack)
			return -ENOMEM;
	}
	return 0;
}

static int kfd_queue_fill_mqd(struct kfd_queue *q,
			      const struct kfd_queue_restore *restore)
{
	int ret;

	if (restore && restore->cu_mask) {
		memcpy(q->cu_mask.words, restore->cu_mask,
		       restore->cu_mask_bits / 8);
		q->cu_mask.bits = restore->cu_mask_bits;
	}
	q->mqd_ops->init(q);
	if (!restore)
		return 0;
	WRITE_ONCE(q->error, restore->error);
	ret = q->mqd_ops->restore(q, restore->mqd);
	if (ret || !q->ctl_stack || !restore->ctl_stack)
		return ret;
	return q->mqd_ops->restore_stack(q, restore->ctl_stack);
}

static int kfd_queue_create_gpu(struct kfd_queue *q)
{
	struct kfd_process_device *pdd = q->pdd;
	struct kfd_gpu_queue_desc desc = {
		.mqd = q->mqd,
		.ctl_stack = q->ctl_stack,
		.ctl_stack_size = q->ctl_stack ? q->props.ctl_stack_size : 0,
		.sdma_engine = q->sdma_engine,
		.doorbell = &pdd->doorbell,
		.doorbell_offset = q->doorbell_offset,
		.pasid = pdd->process->pasid,
		.priority = q->props.priority,
		.retry_faults = pdd->process->xnack_enabled,
		.cookie = q,
	};

	switch (q->props.type) {
	case KFD_IOC_QUEUE_TYPE_SDMA:
		desc.type = KFD_GPU_QUEUE_SDMA;
		break;
	case KFD_IOC_QUEUE_TYPE_COMPUTE_AQL:
		desc.type = KFD_GPU_QUEUE_AQL;
		break;
	default:
		desc.type = KFD_GPU_QUEUE_PM4;
		break;
	}
	return pdd->dev->ops->queue_create(pdd->dev->gpu, pdd->gpu_vm, &desc,
					   &q->gpu_queue);
}

static int kfd_queue_reserve_id(struct kfd_queue *q,
				const struct kfd_queue_restore *restore)
{
	struct kfd_queues *queues = kfd_queues(q->pdd->process);
	struct xa_limit limit = XA_LIMIT(0, KFD_MAX_QUEUES_PER_PROCESS - 1);
	int ret;

	if (restore)
		limit = XA_LIMIT(restore->id, restore->id);
	if (limit.max >= KFD_MAX_QUEUES_PER_PROCESS)
		return -EINVAL;
	ret = xa_alloc(&queues->table, &q->id, NULL, limit, GFP_KERNEL_ACCOUNT);
	if (ret == -EBUSY)
		return restore ? -EINVAL : -ENOSPC;
	return ret;
}

/**
 * kfd_queue_create - make a queue and let it run
 * @pdd: process and GPU, with a VM
 * @props: its properties
 * @restore: NULL for a new queue; else the id, doorbell and state to get
 *
 * Context: sleeps; process->lock held.
 * Return: the queue; ERR_PTR of -EINVAL: properties, buffers that are not
 * mapped, id or doorbell taken; -EFAULT: address outside the aperture;
 * -ENOSPC: no queue id, doorbell or compute queue left; -ENOMEM: no memory or
 * no SDMA queue left; -EOPNOTSUPP: XGMI, or a GPU of unknown generation.
 */
struct kfd_queue *kfd_queue_create(struct kfd_process_device *pdd,
				   const struct kfd_queue_properties *props,
				   const struct kfd_queue_restore *restore)
{
	struct kfd_queues *queues = kfd_queues(pdd->process);
	struct kfd_queue *q;
	int ret;

	lockdep_assert_held(&pdd->process->lock);
	ret = kfd_queue_check_properties(props);
	if (ret)
		return ERR_PTR(ret);
	q = kzalloc(sizeof(*q), GFP_KERNEL_ACCOUNT);
	if (!q)
		return ERR_PTR(-ENOMEM);
	q->pdd = pdd;
	q->props = *props;
	if (kfd_queue_is_sdma(props->type)) {
		/* What only a compute queue has is neither checked nor kept. */
		q->props.eop_addr = 0;
		q->props.eop_size = 0;
		q->props.cwsr_addr = 0;
		q->props.cwsr_size = 0;
		q->props.ctl_stack_size = 0;
	}
	q->mqd_ops = kfd_mqd_ops_for(pdd->dev);
	INIT_LIST_HEAD(&q->link);
	ret = -EOPNOTSUPP;
	if (!q->mqd_ops)
		goto free_queue;

	ret = kfd_queue_reserve_id(q, restore);
	if (ret)
		goto free_queue;
	if (!KFD_BROKEN(restore_without_buffers) || !restore)
		ret = kfd_queue_hold_buffers(pdd, props, &q->buffers);
	if (ret)
		goto release_id;
	ret = kfd_queue_reserve_doorbell(q, restore);
	if (ret)
		goto release_buffers;
	ret = kfd_queue_reserve_hw(q);
	if (ret)
		goto release_doorbell;
	ret = kfd_queue_alloc_mqd(q);
	if (ret)
		goto free_mqd;
	ret = kfd_queue_fill_mqd(q, restore);
	if (ret)
		goto free_mqd;
	ret = kfd_queue_create_gpu(q);
	if (ret)
		goto free_mqd;
	ret = kfd_queue_attach(q);
	if (ret)
		goto destroy_gpu;
	/* The id is reserved: this neither allocates nor fails. */
	xa_store(&queues->table, q->id, q, GFP_KERNEL);
	queues->count++;
	return q;

destroy_gpu:
	pdd->dev->ops->queue_destroy(pdd->dev->gpu, q->gpu_queue);
free_mqd:
	kvfree(q->ctl_stack);
	kvfree(q->mqd);
	kfd_queue_release_hw(q);
release_doorbell:
	kfd_queue_release_doorbell(q);
release_buffers:
	kfd_queue_release_buffers(pdd, &q->buffers);
release_id:
	xa_erase(&queues->table, q->id);
free_queue:
	kfree(q);
	return ERR_PTR(ret);
}

/**
 * kfd_queue_destroy - stop a queue and free it
 * @q: the queue
 *
 * Context: sleeps; process->lock held.
 */
void kfd_queue_destroy(struct kfd_queue *q)
{
	struct kfd_process_device *pdd = q->pdd;
	struct kfd_queues *queues = kfd_queues(pdd->process);

	lockdep_assert_held(&pdd->process->lock);
	xa_erase(&queues->table, q->id);
	queues->count--;
	kfd_queue_detach(q);
	pdd->dev->ops->queue_destroy(pdd->dev->gpu, q->gpu_queue);
	kfd_queue_release_hw(q);
	kfd_queue_release_doorbell(q);
	kfd_queue_release_buffers(pdd, &q->buffers);
	kvfree(q->ctl_stack);
	kvfree(q->mqd);
	kfree(q);
}

/**
 * kfd_queue_count - number of queues
 * @p: the process
 *
 * Context: process->lock held.
 * Return: their number.
 */
u32 kfd_queue_count(struct kfd_process *p)
{
	return kfd_queues(p)->count;
}

/**
 * kfd_queue_gave_up - the GPU cannot go on with a queue
 * @p: whose
 * @dev: on which GPU
 * @cookie: the queue; its GPU side is not destroyed before this returns
 * @error: why
 *
 * Context: the provider's engine thread: takes no lock.
 */
void kfd_queue_gave_up(struct kfd_process *p, struct kfd_device *dev,
		       void *cookie, enum kfd_queue_error error)
{
	static const char * const why[] = {
		[KFD_QUEUE_ERROR_BAD_PACKET] = "a packet that cannot be decoded",
		[KFD_QUEUE_ERROR_NO_SHADER] = "a dispatch, but the GPU runs no shaders",
		[KFD_QUEUE_ERROR_HUNG] = "no answer to preemption",
	};
	struct kfd_queue *q = cookie;

	WRITE_ONCE(q->error, true);
	pr_warn_ratelimited("queue %u of pasid %u on GPU 0x%x stopped: %s\n",
			    q->id, p->pasid, dev->id, why[error]);
}

static int kfd_queue_create_once(struct kfd_process *p,
				 struct kfd_ioctl_create_queue_args *args)
{
	struct kfd_queue_properties props = {
		.type = args->queue_type,
		.priority = args->queue_priority,
		.percentage = args->queue_percentage,
		.ring_base = args->ring_base_address,
		.ring_size = args->ring_size,
		.read_ptr = args->read_pointer_address,
		.write_ptr = args->write_pointer_address,
		.eop_addr = args->eop_buffer_address,
		.eop_size = args->eop_buffer_size,
		.cwsr_addr = args->ctx_save_restore_address,
		.cwsr_size = args->ctx_save_restore_size,
		.ctl_stack_size = args->ctl_stack_size,
	};
	struct kfd_process_device *pdd;
	struct kfd_queue *q;
	int ret;

	if (args->ring_size && !is_power_of_2(args->ring_size))
		return -EINVAL;
	props.ring_size = max_t(u64, props.ring_size, KFD_MIN_QUEUE_RING_SIZE);

	ret = kfd_process_lock(p);
	if (ret)
		return ret;
	ret = -EINVAL;
	pdd = kfd_process_device_by_user_id(p, args->gpu_id);
	if (!pdd)
		goto unlock;
	ret = -ENODEV;
	if (!pdd->gpu_vm)
		goto unlock;
	q = kfd_queue_create(pdd, &props, NULL);
	ret = PTR_ERR_OR_ZERO(q);
	if (ret)
		goto unlock;
	args->queue_id = q->id;
	args->doorbell_offset = pdd->doorbell.mmap_offset | q->doorbell_offset;
unlock:
	kfd_process_unlock(p);
	return ret;
}

/**
 * kfd_ioctl_create_queue - AMDKFD_IOC_CREATE_QUEUE
 * @filp: kfd file
 * @p: process
 * @data: struct kfd_ioctl_create_queue_args
 *
 * A ring smaller than KFD_MIN_QUEUE_RING_SIZE is taken for one of that size,
 * as in mainline.
 *
 * Where there is none left, or no memory, waits for what processes that are
 * ending have.
 *
 * Context: sleeps; takes process->lock; see kfd_gpu_retry().
 * Return: 0; -EINVAL: no such GPU, or as kfd_queue_create(); -ENODEV: no VM
 * acquired on it; -EBADF: the process is gone; -EINTR: killed.
 */
int kfd_ioctl_create_queue(struct file *filp, struct kfd_process *p, void *data)
{
	struct kfd_gpu_retry retry;
	int ret;

	kfd_gpu_retry_begin(&retry);
	do {
		ret = kfd_queue_create_once(p, data);
	} while (kfd_gpu_retry(&retry, &ret));
	return ret;
}

/* Look up a queue with process->lock taken; NULL and unlocked: *ret says why. */
static struct kfd_queue *kfd_queue_lock(struct kfd_process *p, u32 id, int *ret)
{
	struct kfd_queue *q;

	*ret = kfd_process_lock(p);
	if (*ret)
		return NULL;
	q = xa_load(&kfd_queues(p)->table, id);
	if (q)
		return q;
	*ret = -EINVAL;
	kfd_process_unlock(p);
	return NULL;
}

/**
 * kfd_ioctl_destroy_queue - AMDKFD_IOC_DESTROY_QUEUE
 * @filp: kfd file
 * @p: process
 * @data: struct kfd_ioctl_destroy_queue_args
 *
 * Context: sleeps; takes process->lock.
 * Return: 0; -EINVAL: no such queue; -EBADF: the process is gone.
 */
int kfd_ioctl_destroy_queue(struct file *filp, struct kfd_process *p,
			    void *data)
{
	struct kfd_ioctl_destroy_queue_args *args = data;
	struct kfd_queue *q;
	int ret;

	q = kfd_queue_lock(p, args->queue_id, &ret);
	if (!q)
		return ret;
	kfd_queue_destroy(q);
	kfd_process_unlock(p);
	return 0;
}

static void kfd_queue_swap(struct kfd_queue *q,
			   struct kfd_queue_properties *props,
			   struct kfd_cu_mask *cu_mask)
{
	if (props)
		swap(q->props, *props);
	if (cu_mask)
		swap(q->cu_mask, *cu_mask);
	q->mqd_ops->update(q);
}

/*
 * Change a queue's MQD while it is off the hardware. An error leaves it as it
 * was, though maybe no longer loaded: its GPU is gone then.
 */
static int kfd_queue_change(struct kfd_queue *q,
			    struct kfd_queue_properties *props,
			    struct kfd_cu_mask *cu_mask)
{
	struct kfd_device *dev = q->pdd->dev;
	int ret;

	mutex_lock(&dev->scheduler_lock);
	ret = kfd_queue_stop_locked(q);
	if (!ret) {
		kfd_queue_swap(q, props, cu_mask);
		ret = kfd_queue_start_locked(q);
		if (ret)
			kfd_queue_swap(q, props, cu_mask);
	}
	mutex_unlock(&dev->scheduler_lock);
	return ret;
}

/**
 * kfd_ioctl_update_queue - AMDKFD_IOC_UPDATE_QUEUE
 * @filp: kfd file
 * @p: process
 * @data: struct kfd_ioctl_update_queue_args; a ring address or percentage of
 *	0 disables the queue
 *
 * Context: sleeps; takes process->lock.
 * Return: 0; -EINVAL: no such queue, value out of range, ring not mapped;
 * -EFAULT: ring outside the aperture; -ETIME: the queue does not stop, and is
 * unchanged; -EBADF: the process is gone.
 */
int kfd_ioctl_update_queue(struct file *filp, struct kfd_process *p, void *data)
{
	struct kfd_queue_buffers buffers;
	struct kfd_ioctl_update_queue_args *args = data;
	struct kfd_queue_properties props;
	struct kfd_queue *q;
	int ret;

	if (args->ring_size && !is_power_of_2(args->ring_size))
		return -EINVAL;
	q = kfd_queue_lock(p, args->queue_id, &ret);
	if (!q)
		return ret;
	props = q->props;
	props.ring_base = args->ring_base_address;
	props.ring_size = max_t(u64, args->ring_size, KFD_MIN_QUEUE_RING_SIZE);
	props.percentage = args->queue_percentage;
	props.priority = args->queue_priority;
	ret = kfd_queue_check_properties(&props);
	if (ret)
		goto unlock;
	ret = kfd_queue_hold_buffers(q->pdd, &props, &buffers);
	if (ret)
		goto unlock;
	ret = kfd_queue_change(q, &props, NULL);
	if (!ret)
		swap(buffers, q->buffers);
	kfd_queue_release_buffers(q->pdd, &buffers);
unlock:
	kfd_process_unlock(p);
	return ret;
}

/**
 * kfd_ioctl_set_cu_mask - AMDKFD_IOC_SET_CU_MASK
 * @filp: kfd file
 * @p: process
 * @data: struct kfd_ioctl_set_cu_mask_args; num_cu_mask is in bits, bits past
 *	1024 are ignored
 *
 * Context: sleeps; takes process->lock.
 * Return: 0; -EINVAL: no such queue, an SDMA queue, no bits or not a multiple
 * of 32; -EFAULT; -ETIME: the queue does not stop, and is unchanged.
 */
int kfd_ioctl_set_cu_mask(struct file *filp, struct kfd_process *p, void *data)
{
	struct kfd_ioctl_set_cu_mask_args *args = data;
	struct kfd_cu_mask mask = {
		.bits = min_t(u32, args->num_cu_mask, KFD_CU_MASK_MAX_BITS),
	};
	struct kfd_queue *q;
	int ret;

	if (!args->num_cu_mask || args->num_cu_mask % 32)
		return -EINVAL;
	if (copy_from_user(mask.words, u64_to_user_ptr(args->cu_mask_ptr),
			   mask.bits / 8))
		return -EFAULT;
	q = kfd_queue_lock(p, args->queue_id, &ret);
	if (!q)
		return ret;
	ret = -EINVAL;
	if (kfd_queue_is_sdma(q->props.type))
		goto unlock;
	ret = kfd_queue_change(q, NULL, &mask);
unlock:
	kfd_process_unlock(p);
	return ret;
}

/**
 * kfd_ioctl_get_queue_wave_state - AMDKFD_IOC_GET_QUEUE_WAVE_STATE
 * @filp: kfd file
 * @p: process
 * @data: struct kfd_ioctl_get_queue_wave_state_args; the control stack of
 *	ctl_stack_size bytes is copied to ctl_stack_address
 *
 * Context: sleeps; takes process->lock.
 * Return: 0; -EINVAL: no such queue, an SDMA queue, one without context save
 * area, or one that is enabled; -ENOMEM; -EFAULT.
 */
int kfd_ioctl_get_queue_wave_state(struct file *filp, struct kfd_process *p,
				   void *data)
{
	struct kfd_ioctl_get_queue_wave_state_args *args = data;
	void *ctl_stack = NULL;
	struct kfd_queue *q;
	u32 size = 0;
	int ret;

	q = kfd_queue_lock(p, args->queue_id, &ret);
	if (!q)
		return ret;
	ret = -EINVAL;
	if (!q->ctl_stack || (q->props.ring_base && q->props.percentage))
		goto unlock;
	size = q->props.ctl_stack_size;
	ctl_stack = kvmalloc(size, GFP_KERNEL_ACCOUNT);
	ret = ctl_stack ? 0 : -ENOMEM;
	if (ret)
		goto unlock;
	memcpy(ctl_stack, q->ctl_stack, size);
	q->mqd_ops->wave_state(q, &args->ctl_stack_used_size,
			       &args->save_area_used_size);
unlock:
	kfd_process_unlock(p);
	/* The caller's pages may take for ever. */
	if (!ret && copy_to_user(u64_to_user_ptr(args->ctl_stack_address),
				 ctl_stack, size))
		ret = -EFAULT;
	kvfree(ctl_stack);
	return ret;
}

static int kfd_queue_process_init(struct kfd_process *p)
{
	struct kfd_queues *queues = kzalloc(sizeof(*queues), GFP_KERNEL_ACCOUNT);

	if (!queues)
		return -ENOMEM;
	xa_init_flags(&queues->table, XA_FLAGS_ALLOC | XA_FLAGS_ACCOUNT);
	p->state[KFD_COMPONENT_QUEUE] = queues;
	return 0;
}

static void kfd_queue_process_fini(struct kfd_process *p)
{
	struct kfd_queues *queues = kfd_queues(p);

	if (!queues)
		return;
	/* The queues went with their GPUs. */
	WARN_ON_ONCE(queues->count);
	xa_destroy(&queues->table);
	p->state[KFD_COMPONENT_QUEUE] = NULL;
	kfree(queues);
}

static int kfd_queue_device_init(struct kfd_process_device *pdd)
{
	struct kfd_device_queues *dq = kzalloc(sizeof(*dq), GFP_KERNEL_ACCOUNT);

	if (!dq)
		return -ENOMEM;
	INIT_LIST_HEAD(&dq->list);
	pdd->state[KFD_COMPONENT_QUEUE] = dq;
	return 0;
}

/* The GPU's state goes before the process's: its queues go with it. */
static void kfd_queue_device_fini(struct kfd_process_device *pdd)
{
	struct kfd_queues *queues = kfd_queues(pdd->process);
	struct kfd_queue *q;
	unsigned long id;

	if (queues)
		xa_for_each(&queues->table, id, q)
			if (q->pdd == pdd)
				kfd_queue_destroy(q);
	kfree(kfd_device_queues(pdd));
	pdd->state[KFD_COMPONENT_QUEUE] = NULL;
}

const struct kfd_component_ops kfd_queue_component_ops = {
	.process_init = kfd_queue_process_init,
	.process_fini = kfd_queue_process_fini,
	.device_init = kfd_queue_device_init,
	.device_fini = kfd_queue_device_fini,
};
