/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Registered GPUs (floor 1).
 */
#ifndef AMDKFD_KFD_DEVICE_H
#define AMDKFD_KFD_DEVICE_H

#include <linux/bits.h>
#include <linux/completion.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/types.h>

#include <amdkfd/device.h>

/* GPUs per system; sysfs and the image are bounded by it as well. */
#define KFD_MAX_GPUS		8
/* Capability bit of the topology: shared virtual memory, with retry faults */
#define KFD_CAP_SVM		BIT(27)
/* SDMA engines per GPU */
#define KFD_MAX_SDMA_ENGINES	8
/* Queues of one SDMA engine: bits of a word */
#define KFD_MAX_SDMA_SLOTS	BITS_PER_LONG

struct kfd_svm_region;

/**
 * struct kfd_device - a registered GPU (device.c)
 * @id: gpu_id: nonzero, 16 bits
 * @node: its node number in the topology (topology.c's lock)
 * @info: what it is
 * @ops: what it can do
 * @gpu: argument of @ops
 * @parent: the provider's struct device, referenced; may be NULL
 * @ref: references; unregistering waits for them
 * @unused: completed when the last reference is gone
 * @gone: unregistering; no new process binds (kfd_devices lock)
 * @scheduler_lock: queues of this GPU, their eviction counts and load state
 * @n_cp_queues: compute queues in existence (scheduler_lock)
 * @sdma_slots: which of an engine's places have an SDMA queue, a word for each
 *	engine (scheduler_lock)
 * @smi_files: SMI files that tell of it (smi.c's lock)
 * @smi_watchers: those that want to know of all processes (smi.c's lock)
 * @smi_resets: resets so far, for SMI events (smi.c's lock)
 * @svm_region: svm/'s pages for its VRAM, or NULL (svm/migrate.c)
 */
struct kfd_device {
	u32 id;
	u32 node;
	struct kfd_device_info info;
	const struct kfd_device_ops *ops;
	void *gpu;
	struct device *parent;
	refcount_t ref;
	struct completion unused;
	bool gone;
	struct mutex scheduler_lock; /* queues, whether they run */
	u32 n_cp_queues;
	unsigned long sdma_slots[KFD_MAX_SDMA_ENGINES];
	struct list_head smi_files;
	struct list_head smi_watchers;
	u32 smi_resets;
	struct kfd_svm_region *svm_region;
};

/**
 * struct kfd_device_listener - who is told of GPUs that come and go
 * @added: before processes can bind to it; an error refuses the GPU
 * @removed: when no new process can bind to it any more
 * @unused: when no process is bound to it any more; operations may be called
 *	until it returns
 *
 * Calls sleep; those of @added and @removed are serialised.
 */
struct kfd_device_listener {
	int (*added)(struct kfd_device *dev);
	void (*removed)(struct kfd_device *dev);
	void (*unused)(struct kfd_device *dev);
};

void kfd_device_set_listener(const struct kfd_device_listener *listener);

/* Registered GPUs in order of registration; look-ups take a reference. */
struct kfd_device *kfd_device_by_index(u32 index);
struct kfd_device *kfd_device_by_id(u32 gpu_id);
u32 kfd_device_count(void);
void kfd_device_put(struct kfd_device *dev);

/* References of a process: on the GPU and on its provider's module. */
u32 kfd_device_bind_all(struct kfd_device *devs[KFD_MAX_GPUS]);
void kfd_device_unbind(struct kfd_device *dev);

/* Whether the caller's device cgroup lets it use the GPU's render node. */
bool kfd_device_allowed(const struct kfd_device *dev);

#endif
