// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls that GPUs make upward (floor 2): find the process that is meant and
 * hand on to floor 3 through the table that module.c sets.
 *
 * A process is known to a GPU by its pasid. A late call for a process that is
 * gone finds nothing and is dropped. No lock is held while floor 3 is called;
 * a reference on the process is.
 */
#include <linux/module.h>

#include "process.h"
#include "smi.h"

static const struct kfd_gpu_sink *kfd_sink;

/**
 * kfd_process_set_sink() - where upward calls go
 * @sink: static table; all its functions are mandatory
 *
 * Context: module init, before any GPU is registered.
 */
void kfd_process_set_sink(const struct kfd_gpu_sink *sink)
{
	kfd_sink = sink;
}

struct kfd_irq_call {
	struct kfd_device *dev;
	const struct kfd_irq_entry *irq;
};

static void kfd_interrupt_one(struct kfd_process *p, void *arg)
{
	struct kfd_irq_call *call = arg;

	if (kfd_process_device_by_id(p, call->dev->id))
		kfd_sink->interrupt(p, call->dev, call->irq);
}

/**
 * kfd_gpu_interrupt() - a GPU raised an interrupt
 * @dev: the GPU
 * @irq: entry of its interrupt ring; with pasid 0 every process of the GPU is
 *	told
 *
 * Context: a provider's thread; may sleep for a moment; waits for no queue.
 */
void kfd_gpu_interrupt(struct kfd_device *dev, const struct kfd_irq_entry *irq)
{
	struct kfd_irq_call call = { .dev = dev, .irq = irq };
	struct kfd_process *p;

	if (!irq->pasid) {
		kfd_process_for_each(kfd_interrupt_one, &call);
		return;
	}
	p = kfd_process_get_by_pasid(irq->pasid);
	if (!p)
		return;
	kfd_sink->interrupt(p, dev, irq);
	kfd_process_put(p);
}
EXPORT_SYMBOL_GPL(kfd_gpu_interrupt);

/**
 * kfd_gpu_vm_fault() - a GPU access had no translation
 * @dev: the GPU
 * @fault: what was accessed, and whose
 *
 * Context: a provider's thread; may sleep for a moment; waits for no queue.
 */
void kfd_gpu_vm_fault(struct kfd_device *dev, const struct kfd_gpu_fault *fault)
{
	struct kfd_process *p = kfd_process_get_by_pasid(fault->pasid);

	if (!p)
		return;
	if (!fault->retry)
		kfd_smi_vm_fault(p, dev);
	kfd_sink->vm_fault(p, dev, fault);
	kfd_process_put(p);
}
EXPORT_SYMBOL_GPL(kfd_gpu_vm_fault);

/**
 * kfd_gpu_queue_error() - a GPU gave up a queue
 * @dev: the GPU
 * @pasid: whose queue
 * @cookie: kfd_gpu_queue_desc.cookie of the queue; the queue has not been
 *	destroyed yet
 * @error: why
 *
 * Context: a provider's thread; may sleep for a moment; waits for no queue.
 */
void kfd_gpu_queue_error(struct kfd_device *dev, u32 pasid, void *cookie,
			 enum kfd_queue_error error)
{
	struct kfd_process *p = kfd_process_get_by_pasid(pasid);

	if (!p)
		return;
	kfd_sink->queue_error(p, dev, cookie, error);
	kfd_process_put(p);
}
EXPORT_SYMBOL_GPL(kfd_gpu_queue_error);

struct kfd_reset_call {
	struct kfd_device *dev;
	bool begin;
};

static void kfd_reset_one(struct kfd_process *p, void *arg)
{
	struct kfd_reset_call *call = arg;

	if (kfd_process_device_by_id(p, call->dev->id))
		kfd_sink->reset(p, call->dev, call->begin);
}

/**
 * kfd_gpu_reset() - a GPU is being reset
 * @dev: the GPU
 * @begin: the reset begins (else: it is over)
 *
 * Context: a provider's thread; may sleep for a moment; waits for no queue.
 */
void kfd_gpu_reset(struct kfd_device *dev, bool begin)
{
	struct kfd_reset_call call = { .dev = dev, .begin = begin };

	kfd_smi_gpu_reset(dev, begin);
	kfd_process_for_each(kfd_reset_one, &call);
}
EXPORT_SYMBOL_GPL(kfd_gpu_reset);
