/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Buffers of a process (floor 3): VRAM, system memory, host memory of the
 * process itself (userptr), and the doorbell and MMIO pages as the GPU sees
 * them.
 *
 * Everything here is protected by process->lock; presence of a userptr's pages
 * is ../mirror.c's.
 */
#ifndef AMDKFD_MEMORY_H
#define AMDKFD_MEMORY_H

#include <linux/interval_tree.h>
#include <linux/list.h>
#include <linux/types.h>
#include <linux/xarray.h>

#include <linux/kfd_ioctl.h>

#include "../mirror.h"
#include "../process.h"

struct file;
struct kfd_bo;
struct kfd_live;

/* The kinds of memory; every buffer has exactly one of these flags. */
#define KFD_MEMORY_TYPES	((u32)(KFD_IOC_ALLOC_MEM_FLAGS_VRAM |	\
				       KFD_IOC_ALLOC_MEM_FLAGS_GTT |	\
				       KFD_IOC_ALLOC_MEM_FLAGS_USERPTR | \
				       KFD_IOC_ALLOC_MEM_FLAGS_DOORBELL | \
				       KFD_IOC_ALLOC_MEM_FLAGS_MMIO_REMAP))
/* All flags there are; the in-tree driver ignores others, this one doesn't. */
#define KFD_MEMORY_FLAGS	(KFD_MEMORY_TYPES | (u32)(		\
				 KFD_IOC_ALLOC_MEM_FLAGS_WRITABLE |	\
				 KFD_IOC_ALLOC_MEM_FLAGS_EXECUTABLE |	\
				 KFD_IOC_ALLOC_MEM_FLAGS_PUBLIC |	\
				 KFD_IOC_ALLOC_MEM_FLAGS_NO_SUBSTITUTE | \
				 KFD_IOC_ALLOC_MEM_FLAGS_AQL_QUEUE_MEM | \
				 KFD_IOC_ALLOC_MEM_FLAGS_COHERENT |	\
				 KFD_IOC_ALLOC_MEM_FLAGS_UNCACHED))
/* Those that have a dma-buf and an offset on the render node. */
#define KFD_MEMORY_SHAREABLE	((u32)(KFD_IOC_ALLOC_MEM_FLAGS_VRAM |	\
				       KFD_IOC_ALLOC_MEM_FLAGS_GTT))

/**
 * struct kfd_memory - the memory of a process
 * @process: whose
 * @num_bos: buffers on all GPUs (process->lock)
 * @lacking: per GPU, by index, mapped USERPTR buffers that have neither an
 *	address nor pages: while there are any the GPU's queues carry one
 *	eviction (process->lock)
 */
struct kfd_memory {
	struct kfd_process *process;
	u32 num_bos;
	u32 lacking[KFD_MAX_GPUS];
};

/**
 * struct kfd_memory_device - the buffers that a GPU owns (process->lock)
 * @bos: by number
 * @by_va: by GPU address; several may have the same
 */
struct kfd_memory_device {
	struct xarray bos;
	struct rb_root_cached by_va;
};

/**
 * enum kfd_userptr_address - what a userptr's CPU address is; vaddr.c has the table
 * @KFD_ADDRESS_VALID: its mirror's, where the pages are or will be looked up
 * @KFD_ADDRESS_LACKING: none, and no pages: the queues of the GPUs that it is mapped
 *	on are evicted
 * @KFD_ADDRESS_HELD: none; GPUs have the pages, which are held
 */
enum kfd_userptr_address {
	KFD_ADDRESS_VALID,
	KFD_ADDRESS_LACKING,
	KFD_ADDRESS_HELD,
};

/**
 * struct kfd_userptr - the process's own pages behind a buffer
 * @mirror: the pages; first, see struct kfd_mirror
 * @bo: the buffer
 * @gpus: those that it is mapped on or being mapped on, by index
 * @address: only vaddr.c changes it; @mirror is watched in ADDRESS_VALID alone
 * @live: pages that are held; those of ADDRESS_HELD, or soon to be
 * @node: in a list of those who use it in one hold of process->lock
 *
 * All but @mirror are protected by process->lock.
 */
struct kfd_userptr {
	struct kfd_mirror mirror;
	struct kfd_bo *bo;
	u32 gpus;
	enum kfd_userptr_address address;
	struct kfd_live *live;
	struct list_head node;
};

/**
 * struct kfd_bo_mapping - a buffer that is mapped on one GPU
 * @node: in kfd_bo.mappings
 * @pdd: on which GPU
 * @range: entry in the book of that GPU's VM
 */
struct kfd_bo_mapping {
	struct list_head node;
	struct kfd_process_device *pdd;
	struct kfd_vm_range range;
};

/**
 * struct kfd_bo - a buffer (process->lock; all but @vaddr and @mappings is
 *	immutable)
 * @memory: memory of the process
 * @pdd: GPU that owns it
 * @number: low half of its handle, 1..INT_MAX
 * @alloc_flags: KFD_IOC_ALLOC_MEM_FLAGS_*
 * @va: GPU address
 * @by_va: in kfd_memory_device.by_va while it has a number
 * @size: bytes from @va on that it takes on a GPU
 * @mem_size: bytes of memory: half of @size when it is mapped twice in a row
 *	(AQL_QUEUE_MEM), else @size
 * @mmap_offset: where the CPU maps it; USERPTR: 0
 * @charged: bytes of system memory that are charged for it here
 * @imported: from another process's dma-buf
 * @gpu: the provider's buffer, referenced
 * @vaddr: kernel address while it is vmapped, else NULL
 * @mappings: list of kfd_bo_mapping
 * @userptr: USERPTR only
 */
struct kfd_bo {
	struct kfd_memory *memory;
	struct kfd_process_device *pdd;
	u32 number;
	u32 alloc_flags;
	u64 va;
	struct interval_tree_node by_va;
	u64 size;
	u64 mem_size;
	u64 mmap_offset;
	u64 charged;
	bool imported;
	struct kfd_gpu_bo *gpu;
	void *vaddr;
	struct list_head mappings;
	struct kfd_userptr *userptr;
};

/**
 * struct kfd_bo_desc - what to make a buffer of
 * @va: GPU address
 * @size: bytes on the GPU
 * @user_addr: CPU address (USERPTR), else ignored
 * @alloc_flags: KFD_IOC_ALLOC_MEM_FLAGS_*
 * @number: low half of the handle; 0: any free one
 * @absent: (USERPTR) leave the pages unlooked-at until kfd_memory_resume()
 * @look: (USERPTR, not @absent) of who wants it
 * @dmabuf: import this instead of allocating; @size and @alloc_flags are
 *	taken from it
 */
struct kfd_bo_desc {
	u64 va;
	u64 size;
	u64 user_addr;
	u32 alloc_flags;
	u32 number;
	bool absent;
	struct kfd_look *look;
	struct dma_buf *dmabuf;
};

static inline struct kfd_memory *kfd_memory(struct kfd_process *p)
{
	return kfd_state(p, KFD_COMPONENT_MEMORY);
}

/* Buffers that a GPU owns; NULL while the process is made or taken down. */
static inline struct kfd_memory_device *
kfd_memory_device(struct kfd_process_device *pdd)
{
	return kfd_state(pdd, KFD_COMPONENT_MEMORY);
}

static inline u64 kfd_bo_handle(const struct kfd_bo *bo)
{
	return (u64)bo->pdd->user_gpu_id << 32 | bo->number;
}

/* Bytes of memory in a buffer that takes @size bytes of GPU addresses. */
static inline u64 kfd_bo_mem_size(u32 alloc_flags, u64 size)
{
	return alloc_flags & KFD_IOC_ALLOC_MEM_FLAGS_AQL_QUEUE_MEM ? size / 2 :
								      size;
}

/* bo.c */
int kfd_bo_create(struct kfd_process_device *pdd,
		  const struct kfd_bo_desc *desc, struct kfd_bo **bo);
void kfd_bo_destroy(struct kfd_bo *bo);
struct kfd_bo *kfd_bo_lookup(struct kfd_process *p, u64 handle);
int kfd_bo_lookup_va(struct kfd_process_device *pdd, u64 va, u64 size,
		     struct kfd_bo **bo);
bool kfd_bo_user_range_valid(u64 addr, u64 size);
int kfd_bo_map(struct kfd_bo *bo, struct kfd_process_device *pdd,
	       struct kfd_look *look);
int kfd_bo_unmap(struct kfd_bo *bo, struct kfd_process_device *pdd);
bool kfd_bo_is_mapped_on(const struct kfd_bo *bo,
			 const struct kfd_process_device *pdd);
int kfd_memory_walk(struct kfd_process *p,
		    int (*fn)(struct kfd_bo *bo, void *arg), void *arg);
void kfd_memory_free_all(struct kfd_process *p);

/* memory.c: component and ioctls */
void kfd_memory_init(void);
int kfd_memory_bound_device(struct kfd_process *p, u32 user_gpu_id,
			    struct kfd_process_device **pdd);
int kfd_ioctl_available_memory(struct file *filp, struct kfd_process *p,
			       void *data);
int kfd_ioctl_alloc_memory_of_gpu(struct file *filp, struct kfd_process *p,
				  void *data);
int kfd_ioctl_free_memory_of_gpu(struct file *filp, struct kfd_process *p,
				 void *data);
int kfd_ioctl_map_memory_to_gpu(struct file *filp, struct kfd_process *p,
				void *data);
int kfd_ioctl_unmap_memory_from_gpu(struct file *filp, struct kfd_process *p,
				    void *data);

/* dmabuf.c */
struct file *kfd_bo_export(struct kfd_bo *bo);
int kfd_ioctl_get_dmabuf_info(struct file *filp, struct kfd_process *p,
			      void *data);
int kfd_ioctl_import_dmabuf(struct file *filp, struct kfd_process *p,
			    void *data);

/* sharing.c */
int kfd_memory_check_imported(struct kfd_bo *bo);

/* userptr.c */
int kfd_userptr_create(struct kfd_bo *bo, u64 addr, bool absent,
		       struct kfd_look *look);
void kfd_userptr_destroy(struct kfd_bo *bo);
int kfd_userptr_need(struct kfd_userptr *userptr,
		     const struct kfd_process_device *pdd,
		     struct kfd_look *look);
void kfd_userptr_unneed(struct kfd_userptr *userptr,
			const struct kfd_process_device *pdd);
int kfd_userptr_look_up(struct kfd_userptr *userptr, struct kfd_look *look);
void kfd_userptr_set_address(struct kfd_userptr *userptr, u64 addr);
int kfd_userptr_lost(struct kfd_userptr *userptr, u64 *offset, u64 *size);
void kfd_userptr_forgo(struct kfd_userptr *userptr, u64 offset, u64 size);
int kfd_memory_resume(struct kfd_process *p, struct kfd_look *look);

/* vaddr.c: CPU addresses that are given up and replaced */
int kfd_memory_stop(struct kfd_process *p, u32 gpus);
void kfd_memory_go_on(struct kfd_process *p, u32 gpus);
void kfd_userptr_unlack(struct kfd_userptr *userptr, u32 gpus);
void kfd_userptr_give_up(struct kfd_userptr *userptr);
int kfd_userptr_take_up(struct kfd_userptr *userptr, u64 addr,
			struct kfd_look *look);
void kfd_userptr_forget(struct kfd_userptr *userptr);

/* live.c: pages of files, held */
int kfd_live_hold(struct kfd_userptr *userptr);
void kfd_live_release(struct kfd_userptr *userptr);
void kfd_live_populate(struct kfd_userptr *userptr);
int kfd_live_match(struct kfd_userptr *userptr, u64 addr);

#endif
