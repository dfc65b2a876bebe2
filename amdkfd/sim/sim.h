/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The simulated GPU: what its files share.
 *
 * Memory (bo.c, vram.c, vm.c, svm.c), the DRM node (drm.c, drm_*.c) and the
 * engines (sched.c, queue.c, retry.c, pm4.c, sdma.c, aql.c, doorbell.c) meet
 * here. Engines reach memory by GPU virtual address through sim_vm_*() alone, so
 * that page tables, read-only mappings and absent pages are honoured in one
 * place.
 *
 * Lock order: vm->lock (rwsem) > bo->pages_lock (rwsem). Engines hold both for
 * reading for the length of one chunk (at most SIM_CHUNK bytes) and neither
 * allocate nor touch user memory meanwhile, so an MMU notifier may wait for
 * them. Engine-private state is touched by the engine's thread alone.
 */
#ifndef AMDGPU_SIM_H
#define AMDGPU_SIM_H

#include <drm/drm_device.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <linux/dma-fence.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/types.h>

#include <amdkfd/device.h>

/* Longest piece of work between two looks at "should I stop?", bytes. */
#define SIM_CHUNK		(256u << 10)
#define SIM_MAX_GPUS		8
#define SIM_SDMA_ENGINES	2

struct platform_device;
struct workqueue_struct;
struct sim_client;
struct sim_engine;
struct sim_faults;

/**
 * struct sim_gpu - one simulated GPU
 * @drm: its DRM device (embedded: drm_dev_alloc macros)
 * @index: 0 .. num_gpus - 1
 * @pdev: platform device behind it
 * @kfd: the driver's handle; NULL until registered
 * @vram_size: bytes of VRAM
 * @vram_used: bytes allocated
 * @gtt_size: limit of system memory for GTT buffers, bytes
 * @gtt_used: bytes allocated
 * @engines: compute at 0, SDMA at 1 .. SIM_SDMA_ENGINES; see engine.h
 * @faults: fault injection knobs (debugfs.c)
 * @debugfs: /sys/kernel/debug/amdgpu_sim/<index>
 */
struct sim_gpu {
	struct drm_device drm;
	u32 index;
	struct platform_device *pdev;
	struct kfd_device *kfd;
	u64 vram_size;
	atomic64_t vram_used;
	u64 gtt_size;
	atomic64_t gtt_used;
	struct sim_engine *engines[1 + SIM_SDMA_ENGINES];
	struct sim_faults *faults;
	struct dentry *debugfs;
};

#define to_sim_gpu(d)	container_of(d, struct sim_gpu, drm)

/**
 * struct sim_fault_info - why a translation failed
 * @va: GPU address of the first byte that could not be reached
 * @write: the access was a write
 * @not_present: nothing mapped or page absent; else read-only
 * @curable: the driver may do something about it: a page is absent, or one of
 *	the process itself is read-only for now
 */
struct sim_fault_info {
	u64 va;
	bool write;
	bool not_present;
	bool curable;
};

/*
 * What an engine's thread must not do itself because it may wait for MMU
 * notifiers, which may wait for the thread (main.c).
 */
extern struct workqueue_struct *sim_wq;

int sim_check_param(const char *name, unsigned int value, unsigned int max);

struct sim_vm;	/* vm.c; one per DRM file */
struct sim_bo;	/* bo.c */

/*
 * Access to GPU virtual memory, from engine threads. Context: sleeps (rwsem).
 * All return 0, or -EFAULT with *@fault filled; bytes before the fault have
 * been transferred. @len at most SIM_CHUNK. 4- and 8-byte aligned accesses of
 * just that size are single-copy atomic.
 */
int sim_vm_read(struct sim_vm *vm, u64 va, void *dst, size_t len,
		struct sim_fault_info *fault);
int sim_vm_write(struct sim_vm *vm, u64 va, const void *src, size_t len,
		 struct sim_fault_info *fault);
/* As memmove would when ranges overlap in the direction of growing address. */
int sim_vm_copy(struct sim_vm *vm, u64 dst, u64 src, size_t len,
		struct sim_fault_info *fault);
/* @size: element of 1, 2 or 4 bytes; @len a multiple of it. */
int sim_vm_fill(struct sim_vm *vm, u64 va, u32 value, u32 size, size_t len,
		struct sim_fault_info *fault);

/**
 * struct sim_effect - a small write of sim_vm_commit()
 * @va: GPU address, aligned to @size
 * @size: 2, 4 or 8 bytes
 * @add: add @value atomically (4 or 8 bytes); else store it
 * @value: what
 */
struct sim_effect {
	u64 va;
	u32 size;
	bool add;
	u64 value;
};

/*
 * Do @n writes in their order, each seen before the next; or none, with
 * *@fault filled, so that they can be tried again.
 */
int sim_vm_commit(struct sim_vm *vm, const struct sim_effect *effects, u32 n,
		  struct sim_fault_info *fault);

/*
 * Whether the byte at @va has a present page. A hint: it may change as soon as
 * it is answered. The job path drops the last byte of a copy with it.
 */
bool sim_vm_mapped(struct sim_vm *vm, u64 va, bool write);

/* What the driver calls a kfd_gpu_vm is the sim_vm of a DRM file. */
static inline struct sim_vm *to_sim_vm(struct kfd_gpu_vm *vm)
{
	return (struct sim_vm *)vm;
}

struct sim_vm *sim_vm_get(struct sim_vm *vm);
void sim_vm_put(struct sim_vm *vm);
u32 sim_vm_pasid(struct sim_vm *vm);
struct sim_client *sim_vm_client(struct sim_vm *vm);
void sim_vm_job_begin(struct sim_vm *vm);
void sim_vm_job_end(struct sim_vm *vm);
int sim_vm_jobs(struct sim_vm *vm);

/* client.c: processes, as far as they are in each other's way */
struct sim_client *sim_client_get(void);
void sim_client_put(struct sim_client *client);
u64 sim_client_patience(struct sim_client *client);
void sim_client_waited(struct sim_client *client, u64 ns);

/*
 * Engines (sched.c). The kfd_device_ops for queues and doorbells are
 * implemented in queue.c, retry.c and doorbell.c; kfd_ops.c puts them into the table.
 */
int sim_engines_check_params(void);
int sim_engines_init(struct sim_gpu *gpu);
void sim_engines_fini(struct sim_gpu *gpu);

int sim_queue_create(void *gpu, struct kfd_gpu_vm *vm,
		     const struct kfd_gpu_queue_desc *desc,
		     struct kfd_gpu_queue **queue);
int sim_queue_load(void *gpu, struct kfd_gpu_queue *queue);
int sim_queue_preempt(void *gpu, struct kfd_gpu_queue *queue, u32 timeout_ms);
void sim_queue_progress(void *gpu, struct kfd_gpu_queue *queue,
			struct kfd_gpu_queue_progress *progress);
void sim_queue_destroy(void *gpu, struct kfd_gpu_queue *queue);
void sim_fault_reply(void *gpu, struct kfd_gpu_vm *vm, u64 va, bool resolved);
int sim_doorbell_init(void *gpu, struct kfd_doorbell *db);
void sim_doorbell_fini(void *gpu, struct kfd_doorbell *db);
void sim_doorbell_fault(void *gpu, struct kfd_doorbell *db);
/*
 * A GPU write hit a doorbell page mapped into a VM: look at it. Called with
 * vm->lock held for reading: it may wake threads, but sleeps on nothing.
 */
void sim_doorbell_kick(struct kfd_doorbell *db);

/**
 * struct sim_job - an indirect buffer submitted through the DRM node (CS)
 * @node: link in the client's line
 * @vm: address space, referenced
 * @ib_va: GPU VA of the indirect buffer
 * @ib_dwords: its length
 * @position: dwords done; the engine's
 * @fence: signalled when done (with error when it faulted), referenced
 * @release: frees the job; called by the engine after signalling
 *
 * Runs on an SDMA engine between user queues; those of one client in the order in
 * which they were submitted, clients in turn. On this path an access of one
 * byte past the end of a mapping is tolerated: CRIU's amdgpu plugin writes the
 * byte count where SDMA v4 has count - 1.
 */
struct sim_job {
	struct list_head node;
	struct sim_vm *vm;
	u64 ib_va;
	u32 ib_dwords;
	u32 position;
	struct dma_fence *fence;
	void (*release)(struct sim_job *job);
};

void sim_engine_submit(struct sim_gpu *gpu, u32 sdma_engine,
		       struct sim_job *job);

/* debugfs.c: fault injection and insight (engines' side). */
int sim_debugfs_init(struct sim_gpu *gpu);
void sim_debugfs_fini(struct sim_gpu *gpu);

/* peer.c: another device that uses a GPU's memory */
extern const struct file_operations sim_peer_fops;

#endif
