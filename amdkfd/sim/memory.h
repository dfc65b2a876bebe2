/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The simulated GPU's memory: buffers (bo.c), their pages (vram.c), the
 * address spaces they are mapped in (vm.c) and the pages of the process that
 * lie there beside them (svm.c). Private to the memory and DRM half; the
 * engines know sim.h alone.
 *
 * Lock order, outermost first:
 *
 *	drm_file->prime.lock, dev->object_name_lock	(DRM core)
 *	  bo->vm_bos_lock
 *	    vm->lock
 *	      bo->pages_lock (of two buffers: the lower address first)
 */
#ifndef AMDGPU_SIM_MEMORY_H
#define AMDGPU_SIM_MEMORY_H

#include <linux/interval_tree_generic.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mmu_notifier.h>
#include <linux/xarray.h>

#include "sim.h"

/* What a GPU can address: page 0 .. 3 stay free, 47 bits. */
#define SIM_VA_MIN		0x4000ULL
#define SIM_VA_END		(1ULL << 47)

/* Largest buffer, bytes; what bounds a userptr's array of pages. */
#define SIM_BO_MAX_SIZE		(64ULL << 30)

/* Mappings of one VM; what bounds its memory. */
#define SIM_VM_MAX_MAPPINGS	(1u << 20)

/* Bytes of amdgpu metadata that a buffer carries. */
#define SIM_METADATA_MAX	256u

/**
 * enum sim_bo_kind - where the pages of a buffer come from
 * @SIM_BO_VRAM: the GPU's memory: counted against vram_size
 * @SIM_BO_GTT: system memory: counted against gtt_size
 * @SIM_BO_USERPTR: a process's own pages; any of them may be absent
 * @SIM_BO_DOORBELL: a process's doorbell slice or MMIO page; not counted
 */
enum sim_bo_kind {
	SIM_BO_VRAM,
	SIM_BO_GTT,
	SIM_BO_USERPTR,
	SIM_BO_DOORBELL,
};

/**
 * struct sim_userptr - user memory behind a buffer made by GEM_USERPTR
 * @notifier: of the range, in the maker's mm; removed when the buffer is freed
 * @bo: whose
 * @client: who made it, referenced
 * @start: user address of the first byte, page-aligned
 * @readonly: the GPU never writes
 * @anon_only: refuse memory that belongs to a file
 * @overdue: an invalidation has waited in vain for the buffer's jobs: the next
 *	ones do not wait (bo->pages_lock)
 *
 * Buffers of the driver's are populated by the driver and have none.
 */
struct sim_userptr {
	struct mmu_interval_notifier notifier;
	struct sim_bo *bo;
	struct sim_client *client;
	u64 start;
	bool readonly;
	bool anon_only;
	bool overdue;
};

/**
 * struct sim_metadata - what userspace attached with GEM_METADATA
 * @flags: its flags, stored as they are
 * @tiling: amdgpu tiling flags
 * @size: bytes used of @data
 * @data: the rest
 */
struct sim_metadata {
	u64 flags;
	u64 tiling;
	u32 size;
	u32 data[SIM_METADATA_MAX / sizeof(u32)];
};

/**
 * struct sim_bo - a buffer
 * @base: its GEM object, which counts its references
 * @gpu: whose memory it is
 * @kind: immutable
 * @alloc_flags: KFD_IOC_ALLOC_MEM_FLAGS_* it has or would have
 * @gem_flags: AMDGPU_GEM_CREATE_*
 * @domains: AMDGPU_GEM_DOMAIN_* preferred (metadata_lock)
 * @npages: pages
 * @slots: a page each; bit 0 set: read-only; 0: absent. Immutable but for
 *	userptrs (@pages_lock)
 * @pages_lock: see sim.h
 * @doorbell: what a GPU write to a doorbell slice kicks, or NULL
 * @userptr: NULL unless made by GEM_USERPTR
 * @metadata_lock: protects @metadata and @domains
 * @metadata: NULL before the first is set
 * @vm_bos_lock: protects @vm_bos
 * @vm_bos: struct sim_vm_bo, one for each DRM file that has a handle
 * @kfd_owners: references held by the driver (object_name_lock)
 * @kfd_shares: struct kfd_gpu_bo, one for each of them (object_name_lock)
 * @kfd_dmabuf: the one dma-buf of this buffer, kept while @kfd_owners; see
 *	sim_bo_export() (object_name_lock)
 */
struct sim_bo {
	struct drm_gem_object base;
	struct sim_gpu *gpu;
	enum sim_bo_kind kind;
	u32 alloc_flags;
	u64 gem_flags;
	u32 domains;
	u64 npages;
	unsigned long *slots;
	struct rw_semaphore pages_lock;
	struct kfd_doorbell *doorbell;
	struct sim_userptr *userptr;
	struct mutex metadata_lock;
	struct sim_metadata *metadata;
	struct mutex vm_bos_lock;
	struct list_head vm_bos;
	u32 kfd_owners;
	struct list_head kfd_shares;
	struct dma_buf *kfd_dmabuf;
};

#define to_sim_bo(obj)		container_of(obj, struct sim_bo, base)

#define SIM_SLOT_READONLY	1ul

static inline struct page *sim_slot_page(unsigned long slot)
{
	return (struct page *)(slot & ~SIM_SLOT_READONLY);
}

/* The buffer's pages as an array: VRAM and GTT, whose slots have no flags. */
static inline struct page **sim_bo_pages(struct sim_bo *bo)
{
	return (struct page **)bo->slots;
}

static inline void sim_bo_get(struct sim_bo *bo)
{
	drm_gem_object_get(&bo->base);
}

static inline void sim_bo_put(struct sim_bo *bo)
{
	drm_gem_object_put(&bo->base);
}

/* Access rights of a mapping. */
#define SIM_MAP_READ		(1u << 0)
#define SIM_MAP_WRITE		(1u << 1)
/* Made by the driver: the DRM node's operations leave it alone. */
#define SIM_MAP_KFD		(1u << 2)

/**
 * struct sim_mapping - a range of GPU addresses and what is behind it
 * @rb: link in vm->mappings
 * @subtree_last: of the interval tree
 * @start: first byte, page-aligned
 * @last: last byte
 * @bo: buffer, referenced
 * @offset: byte in @bo that @start shows, page-aligned
 * @flags: SIM_MAP_*
 * @vm_bo: the handle it was made through; NULL for the driver's
 * @link: in vm_bo->mappings, or in a list of mappings to be freed
 *
 * All protected by vm->lock.
 */
struct sim_mapping {
	struct rb_node rb;
	u64 subtree_last;
	u64 start;
	u64 last;
	struct sim_bo *bo;
	u64 offset;
	u32 flags;
	struct sim_vm_bo *vm_bo;
	struct list_head link;
};

/* Addresses of one leaf of the page tables for shared virtual memory: 2 MiB. */
#define SIM_LEAF_SHIFT		21
#define SIM_LEAF_SLOTS		(1u << (SIM_LEAF_SHIFT - PAGE_SHIFT))

/**
 * struct sim_leaf - what is mapped in 2 MiB of addresses, see svm.c
 * @present: slots that are not 0
 * @slots: SIM_LEAF_SLOTS of them, as those of a buffer
 *
 * All protected by vm->lock.
 */
struct sim_leaf {
	u32 present;
	unsigned long *slots;
};

static inline unsigned long *sim_leaf_slot(struct sim_leaf *leaf, u64 va)
{
	return &leaf->slots[(va >> PAGE_SHIFT) % SIM_LEAF_SLOTS];
}

/**
 * struct sim_vm_bo - a DRM file's handles of a buffer
 * @link: in bo->vm_bos
 * @vm: of that file
 * @handles: their number; the mappings go with the last (bo->vm_bos_lock)
 * @prime: DRM has the dma-buf in the file's table, with a reference
 *	(bo->vm_bos_lock)
 * @mappings: made through them (vm->lock)
 */
struct sim_vm_bo {
	struct list_head link;
	struct sim_vm *vm;
	u32 handles;
	bool prime;
	struct list_head mappings;
};

/**
 * struct sim_vm - a GPU address space; every DRM file has one
 * @ref: the file, its jobs, its queues
 * @gpu: whose
 * @lock: protects @mappings and @leaves and all in them; see sim.h
 * @mappings: interval tree of struct sim_mapping
 * @n_mappings: their number (@lock)
 * @last: mapping found last: a hint (written without lock by readers)
 * @leaves: struct sim_leaf by address >> SIM_LEAF_SHIFT; looked at only where
 *	there is no mapping; added to without @lock, see svm.c
 * @drm_file: its file; stays what mmap is allowed through
 * @opener: thread group that opened it, referenced
 * @client: which that is, referenced
 * @overdue: an unmap has waited in vain for a job (written without lock)
 * @jobs: submissions under way
 * @owner_lock: protects all below
 * @owner: file reference while the driver owns the VM, else NULL
 * @pasid: of the owning process; 0 without one (read without lock)
 * @scratch_va: base of scratch memory
 * @tba: trap handler
 * @tma: its memory
 * @policy_default: KFD_IOC_CACHE_POLICY_*
 * @policy_alternate: likewise, of the range that follows
 * @alternate_base: first byte
 * @alternate_size: bytes
 */
struct sim_vm {
	struct kref ref;
	struct sim_gpu *gpu;
	struct rw_semaphore lock;
	struct rb_root_cached mappings;
	u32 n_mappings;
	struct sim_mapping *last;
	struct xarray leaves;
	struct drm_file *drm_file;
	struct pid *opener;
	struct sim_client *client;
	bool overdue;
	atomic_t jobs;

	struct mutex owner_lock;
	struct file *owner;
	u32 pasid;
	u64 scratch_va;
	u64 tba;
	u64 tma;
	u32 policy_default;
	u32 policy_alternate;
	u64 alternate_base;
	u64 alternate_size;
};

/* vram.c: pages, and the two pools they are counted against */
int sim_pages_alloc(struct page **pages, u64 npages);
void sim_pages_free(struct page **pages, u64 npages);
int sim_vram_pages_alloc(struct sim_gpu *gpu, u64 npages, struct page **pages);
void sim_vram_pages_free(struct sim_gpu *gpu, u64 npages, struct page **pages);
int sim_pool_take(atomic64_t *used, u64 limit, u64 size);
void sim_pool_give(atomic64_t *used, u64 size);

/* access.c, beside what engines do (sim.h) */
void sim_page_copy(struct page *dst, struct page *src);

/* bo.c */
struct sim_bo *sim_bo_create(struct sim_gpu *gpu, enum sim_bo_kind kind,
			     u64 size, u32 alloc_flags);
struct dma_buf *sim_bo_export(struct sim_bo *bo);
struct drm_gem_object *sim_gem_prime_import(struct drm_device *dev,
					    struct dma_buf *dmabuf);
void sim_bo_populate(struct sim_bo *bo, u64 first, u64 npages,
		     struct page **pages, bool writable);
void sim_bo_invalidate(struct sim_bo *bo, u64 first, u64 npages);
void *sim_bo_vmap(struct sim_bo *bo);
void sim_bo_vunmap(struct sim_bo *bo, void *vaddr);
struct sim_bo *sim_bo_of_dmabuf(struct dma_buf *dmabuf);
struct sim_vm_bo *sim_vm_bo_find(struct sim_bo *bo, struct sim_vm *vm);
void sim_bo_note_prime(struct drm_file *file, u32 handle);

/* userptr.c: user memory of GEM_USERPTR buffers */
int sim_userptr_init(struct sim_bo *bo, u64 addr, u32 flags);
void sim_userptr_fini(struct sim_bo *bo);
int sim_userptr_validate(struct sim_bo *bo);
bool sim_userptr_valid(struct sim_bo *bo);

/* vm.c */
struct sim_vm *sim_vm_create(struct sim_gpu *gpu, struct drm_file *file);
struct sim_vm *sim_file_vm(struct drm_file *file);	/* drm.c */
void sim_vm_close(struct sim_vm *vm);
int sim_vm_map(struct sim_vm *vm, struct sim_bo *bo, struct sim_vm_bo *vm_bo,
	       u64 va, u64 offset, u64 size, u32 flags, bool replace);
int sim_vm_unmap(struct sim_vm *vm, struct sim_bo *bo, u64 va, u32 owner);
int sim_vm_clear(struct sim_vm *vm, u64 va, u64 size);
void sim_vm_drop_bo(struct sim_vm *vm, struct sim_vm_bo *vm_bo);
struct sim_mapping *sim_vm_find(struct sim_vm *vm, u64 va, u64 *last);
bool sim_va_ok(u64 va, u64 size);

/* svm.c: the process's own pages */
int sim_svm_reserve(struct sim_vm *vm, u64 va, u64 npages);
int sim_svm_map(struct sim_vm *vm, u64 va, u64 npages, struct page **pages,
		bool writable);
void sim_svm_unmap(struct sim_vm *vm, u64 va, u64 npages);
struct sim_leaf *sim_svm_find(struct sim_vm *vm, u64 va);

/* kfd_ops.c: struct kfd_device_ops' share of memory */
extern const struct kfd_device_ops sim_kfd_ops;

#endif
