// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a queue may look like, and the memory it lives in (floor 3).
 *
 * Create, update and restore go through the same checks. The memory is held
 * (kfd_process_hold()) for as long as the queue exists, so that no buffer
 * disappears from under the hardware.
 */
#include <linux/log2.h>
#include <linux/overflow.h>
#include <linux/sizes.h>

#include "../debug/break.h"
#include "queue.h"

/* Hardware takes ring and EOP addresses in units of 256 bytes. */
#define KFD_QUEUE_BASE_ALIGN	256
#define KFD_QUEUE_MAX_RING	SZ_2G
#define KFD_QUEUE_MAX_EOP	SZ_1M

static bool kfd_queue_in_aperture(u64 addr, u64 size)
{
	u64 last;

	return size && !check_add_overflow(addr, size - 1, &last) &&
	       addr >= KFD_GPUVM_BASE && last <= KFD_GPUVM_LIMIT;
}

static int kfd_queue_check_compute(const struct kfd_queue_properties *props)
{
	if (props->eop_addr) {
		if (!IS_ALIGNED(props->eop_addr, KFD_QUEUE_BASE_ALIGN) ||
		    !is_power_of_2(props->eop_size) ||
		    props->eop_size < KFD_QUEUE_BASE_ALIGN ||
		    props->eop_size > KFD_QUEUE_MAX_EOP)
			return -EINVAL;
		if (!kfd_queue_in_aperture(props->eop_addr, props->eop_size))
			return -EFAULT;
	}
	if (props->cwsr_addr) {
		if (!IS_ALIGNED(props->cwsr_addr, PAGE_SIZE) ||
		    !IS_ALIGNED(props->ctl_stack_size, sizeof(u32)) ||
		    props->ctl_stack_size > KFD_IMAGE_MAX_CTL_STACK ||
		    (!KFD_BROKEN(ctl_stack_overread) &&
		     props->ctl_stack_size > props->cwsr_size))
			return -EINVAL;
		if (!kfd_queue_in_aperture(props->cwsr_addr, props->cwsr_size))
			return -EFAULT;
	} else if (props->cwsr_size || props->ctl_stack_size) {
		return -EINVAL;
	}
	return 0;
}

/**
 * kfd_queue_check_properties - whether a queue may look like this
 * @props: the properties
 *
 * Context: any.
 * Return: 0; -EINVAL: value out of range, address not aligned, unknown type;
 * -EFAULT: an address outside the GPUVM aperture; -EOPNOTSUPP: XGMI queues.
 */
int kfd_queue_check_properties(const struct kfd_queue_properties *props)
{
	u32 rptr_size = props->type == KFD_IOC_QUEUE_TYPE_COMPUTE ? 4 : 8;

	if (!KFD_BROKEN(queue_type_bounds) &&
	    props->type > KFD_IOC_QUEUE_TYPE_SDMA_XGMI)
		return -EINVAL;
	if (props->type == KFD_IOC_QUEUE_TYPE_SDMA_XGMI)
		return -EOPNOTSUPP;
	if (props->percentage > KFD_MAX_QUEUE_PERCENTAGE ||
	    props->priority > KFD_MAX_QUEUE_PRIORITY)
		return -EINVAL;
	if (!is_power_of_2(props->ring_size) ||
	    props->ring_size < KFD_MIN_QUEUE_RING_SIZE ||
	    props->ring_size > KFD_QUEUE_MAX_RING ||
	    !IS_ALIGNED(props->ring_base, KFD_QUEUE_BASE_ALIGN))
		return -EINVAL;
	if (props->ring_base &&
	    !kfd_queue_in_aperture(props->ring_base, props->ring_size))
		return -EFAULT;
	if (!IS_ALIGNED(props->read_ptr, rptr_size) ||
	    !IS_ALIGNED(props->write_ptr, sizeof(u64)))
		return -EINVAL;
	if (!kfd_queue_in_aperture(props->read_ptr, sizeof(u64)) ||
	    !kfd_queue_in_aperture(props->write_ptr, sizeof(u64)))
		return -EFAULT;
	if (kfd_queue_is_sdma(props->type))
		return 0;
	return kfd_queue_check_compute(props);
}

/**
 * kfd_queue_hold_buffers - keep everything a queue needs mapped
 * @pdd: process and GPU
 * @props: checked properties
 * @buffers: filled
 *
 * Context: sleeps; process->lock held.
 * Return: 0; -EINVAL: a buffer is not mapped as a whole on this GPU, or only
 * for reading where the GPU writes; -ENOMEM. Nothing is held then.
 */
int kfd_queue_hold_buffers(struct kfd_process_device *pdd,
			   const struct kfd_queue_properties *props,
			   struct kfd_queue_buffers *buffers)
{
	u32 rptr_size = props->type == KFD_IOC_QUEUE_TYPE_COMPUTE ? 4 : 8;
	bool sdma = kfd_queue_is_sdma(props->type);
	const struct {
		u64 addr, size;
		bool write;
	} want[KFD_QUEUE_NUM_BUFFERS] = {
		[KFD_QUEUE_RING] = { props->ring_base, props->ring_size,
			props->type == KFD_IOC_QUEUE_TYPE_COMPUTE_AQL },
		[KFD_QUEUE_RPTR] = { props->read_ptr, rptr_size, true },
		[KFD_QUEUE_WPTR] = { props->write_ptr, sizeof(u64), false },
		[KFD_QUEUE_EOP] = { sdma ? 0 : props->eop_addr,
			props->eop_size, true },
		[KFD_QUEUE_CWSR] = { sdma ? 0 : props->cwsr_addr,
			props->cwsr_size, true },
	};
	int i, ret;

	memset(buffers, 0, sizeof(*buffers));
	for (i = 0; i < KFD_QUEUE_NUM_BUFFERS; i++) {
		if (!want[i].addr)
			continue;
		ret = kfd_process_hold(pdd, want[i].addr, want[i].size,
				       want[i].write, &buffers->hold[i]);
		if (ret) {
			pr_debug("queue buffer %d at 0x%llx is not held: %d\n",
				 i, want[i].addr, ret);
			kfd_queue_release_buffers(pdd, buffers);
			return ret;
		}
	}
	return 0;
}

/**
 * kfd_queue_release_buffers - undo kfd_queue_hold_buffers()
 * @pdd: process and GPU
 * @buffers: what was held; zeroed
 *
 * Context: sleeps; process->lock held.
 */
void kfd_queue_release_buffers(struct kfd_process_device *pdd,
			       struct kfd_queue_buffers *buffers)
{
	int i;

	for (i = 0; i < KFD_QUEUE_NUM_BUFFERS; i++)
		kfd_process_release(pdd, &buffers->hold[i]);
}
