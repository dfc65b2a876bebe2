/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The line between the driver (amdkfd.ko) and a GPU.
 *
 * A provider registers a GPU with kfd_device_register(): what the topology
 * says of it (struct kfd_device_info) and what the driver may ask of it
 * (struct kfd_device_ops). Upwards it calls kfd_gpu_*(). The driver includes
 * no header of a provider and a provider includes no other header of the
 * driver than this one and those of include/hw/.
 *
 * The operations have the shape of what amdgpu could serve: its gpuvm
 * functions for memory, adding and removing one queue by its MQD for queues.
 */
#ifndef AMDKFD_DEVICE_H
#define AMDKFD_DEVICE_H

#include <linux/file.h>
#include <linux/fs.h>
#include <linux/sched.h>
#include <linux/types.h>

struct dma_buf;
struct kfd_device;
struct module;
struct page;

/* Owned by the provider and opaque to the driver. */
struct kfd_gpu_vm;
struct kfd_gpu_bo;
struct kfd_gpu_queue;

#define KFD_DEVICE_NAME_LEN	32

/**
 * struct kfd_device_info - what a GPU is; copied at registration
 * @name: marketing name in the topology's "name" file, at most 31 characters
 * @gfx_target_version: major * 10000 + minor * 100 + stepping; selects the
 *	MQD format (90000: gfx900)
 * @vendor_id: PCI vendor
 * @device_id: PCI device
 * @location_id: PCI bus << 8 | devfn
 * @domain: PCI domain
 * @drm_render_minor: minor number of the render node, 128..191
 * @unique_id: a number that no other GPU has; stable over reloads
 * @vram_size: bytes of VRAM, all of it host-visible
 * @lds_size_kb: LDS per CU in KiB
 * @cu_count: compute units
 * @simd_per_cu: SIMDs per CU
 * @waves_per_simd: wave slots per SIMD
 * @array_count: shader arrays
 * @arrays_per_engine: shader arrays per shader engine
 * @num_cp_queues: compute queues that the scheduler accepts
 * @num_sdma_engines: SDMA engines
 * @num_sdma_queues_per_engine: user queues per SDMA engine
 * @max_slots_scratch_cu: scratch slots per CU
 * @max_engine_clk_fcompute: MHz
 * @mem_width: memory bus in bits
 * @mem_clk_max: MHz
 * @fw_version: MEC firmware version, low 10 bits nonzero
 * @sdma_fw_version: likewise for SDMA
 * @gb_addr_config: register GB_ADDR_CONFIG, what surfaces are laid out by
 * @capability: HSA_CAP_* bits of the topology, ready to print
 * @debug_prop: likewise for debug_prop
 */
struct kfd_device_info {
	char name[KFD_DEVICE_NAME_LEN];
	u32 gfx_target_version;
	u32 vendor_id;
	u32 device_id;
	u32 location_id;
	u32 domain;
	u32 drm_render_minor;
	u64 unique_id;
	u64 vram_size;
	u32 lds_size_kb;
	u32 cu_count;
	u32 simd_per_cu;
	u32 waves_per_simd;
	u32 array_count;
	u32 arrays_per_engine;
	u32 num_cp_queues;
	u32 num_sdma_engines;
	u32 num_sdma_queues_per_engine;
	u32 max_slots_scratch_cu;
	u32 max_engine_clk_fcompute;
	u32 mem_width;
	u32 mem_clk_max;
	u32 fw_version;
	u32 sdma_fw_version;
	u32 gb_addr_config;
	u32 capability;
	u64 debug_prop;
};

#define KFD_DOORBELL_SLICE_SIZE	8192
#define KFD_DOORBELL_STRIDE	8

/**
 * struct kfd_doorbell - the pages of a GPU that one process maps by /dev/kfd
 * @dev: the GPU
 * @mapping: address space that the process's VMAs of /dev/kfd belong to
 * @mmap_offset: byte offset in @mapping where the doorbell slice starts
 * @pfn: first page frame of the slice of KFD_DOORBELL_SLICE_SIZE bytes
 *	(contiguous); set by the provider
 * @mmio_pfn: page frame of this process's MMIO remap page; set by the provider
 * @priv: the provider's
 *
 * Made by the driver once per process and GPU, filled by
 * kfd_device_ops.doorbell_init(). Immutable until doorbell_fini().
 */
struct kfd_doorbell {
	struct kfd_device *dev;
	struct address_space *mapping;
	u64 mmap_offset;
	unsigned long pfn;
	unsigned long mmio_pfn;
	void *priv;
};

/**
 * enum kfd_gpu_queue_type - engine and packet format of a queue
 * @KFD_GPU_QUEUE_PM4: compute, PM4 packets
 * @KFD_GPU_QUEUE_AQL: compute, AQL packets
 * @KFD_GPU_QUEUE_SDMA: SDMA packets
 */
enum kfd_gpu_queue_type {
	KFD_GPU_QUEUE_PM4,
	KFD_GPU_QUEUE_AQL,
	KFD_GPU_QUEUE_SDMA,
};

/**
 * struct kfd_gpu_queue_desc - what a provider needs to know of a queue
 * @type: engine and packet format
 * @mqd: memory queue descriptor; 512 dwords (compute) or 128 dwords (SDMA),
 *	see include/hw/. The driver touches it only while the queue is not
 *	loaded; the provider only from queue_load() to queue_preempt()'s return.
 * @ctl_stack: compute only: kernel copy of the control stack, as @mqd; NULL
 *	for SDMA
 * @ctl_stack_size: bytes at @ctl_stack
 * @sdma_engine: index of the SDMA engine, SDMA only
 * @doorbell: the process's doorbell slice
 * @doorbell_offset: byte offset of the queue's doorbell in the slice
 * @pasid: who gets its interrupts
 * @priority: 0..15
 * @retry_faults: XNACK: an access without a translation is a retry fault
 *	(kfd_gpu_fault.retry) that waits for @fault_reply, not an error
 * @cookie: the driver's, handed back in kfd_gpu_queue_error()
 */
struct kfd_gpu_queue_desc {
	enum kfd_gpu_queue_type type;
	u32 *mqd;
	void *ctl_stack;
	u32 ctl_stack_size;
	u32 sdma_engine;
	struct kfd_doorbell *doorbell;
	u32 doorbell_offset;
	u32 pasid;
	u32 priority;
	bool retry_faults;
	void *cookie;
};

/**
 * struct kfd_gpu_queue_progress - how far a queue has come
 * @rptr: how far its ring has been read: dwords since the queue was made,
 *	not wrapped
 * @wptr: how far it has been written, likewise
 * @idle: all that was written has been read, and nothing of it is under way
 * @halted: it stopped at an error and does not go on by itself
 */
struct kfd_gpu_queue_progress {
	u64 rptr;
	u64 wptr;
	bool idle;
	bool halted;
};

/**
 * struct kfd_gpu_clocks - one reading of a GPU's clocks
 * @gpu_counter: GPU clock counter, ticks of 10 ns (100 MHz crystal)
 */
struct kfd_gpu_clocks {
	u64 gpu_counter;
};

/**
 * struct kfd_gpu_bo_info - what a dma-buf is made of
 * @size: bytes
 * @alloc_flags: KFD_IOC_ALLOC_MEM_FLAGS_* as given at creation
 * @dev: GPU that the memory belongs to
 * @metadata_size: bytes of amdgpu metadata attached to it
 * @metadata_flags: amdgpu tiling flags
 */
struct kfd_gpu_bo_info {
	u64 size;
	u32 alloc_flags;
	struct kfd_device *dev;
	u32 metadata_size;
	u64 metadata_flags;
};

/**
 * struct kfd_gpu_bo_sharing - who else has to do with a buffer
 * @others: other processes that have it: their owners' shares, and DRM files
 *	with a handle
 * @attached: devices that have attached its dma-buf: they read and write it
 *	by themselves, and it stays where it is for them
 * @dmabuf: its dma-buf, with a reference for the caller; NULL: it has none
 * @dmabuf_refs: references on the dma-buf's file that are the provider's, DRM's
 *	for handles of this process, or the caller's: whoever has more holds it
 *	by an fd, a mapping or an attachment
 */
struct kfd_gpu_bo_sharing {
	u32 others;
	u32 attached;
	struct dma_buf *dmabuf;
	u32 dmabuf_refs;
};

/**
 * struct kfd_gpu_vm_made - what a program has in the DRM file of its VM that the
 *	driver knows nothing of
 * @gem_handles: GEM handles
 * @contexts: contexts
 * @bo_lists: lists of buffers
 * @syncobjs: sync objects
 * @jobs: submissions that have not ended
 */
struct kfd_gpu_vm_made {
	u64 gem_handles;
	u64 contexts;
	u64 bo_lists;
	u64 syncobjs;
	u64 jobs;
};

/**
 * struct kfd_device_ops - what the driver may ask of a GPU
 * @owner: module that holds these functions; the driver takes a reference on
 *	it for every process that uses the GPU
 *
 * @gpu is the pointer given to kfd_device_register(). Unless said otherwise
 * an operation may sleep and allocate. "NOTIFIER" marks those that are called
 * from an MMU notifier or under device->scheduler_lock: they may sleep for a
 * bounded time but neither allocate with reclaim nor take mmap_lock or a
 * reservation object.
 *
 * @vm_acquire: take over the GPU VM of an open DRM file as a process's VM and
 *	hold a file reference until @vm_release. *@vm is valid until then.
 *	EINVAL: not a file of this GPU; EBUSY: that VM has an owner already.
 * @vm_release: end the ownership, with everything that was mapped by @bo_map
 *	gone before by @bo_unmap; what @svm_map mapped goes with it. Cannot
 *	fail.
 * @vm_made: count what the program has made through the VM's DRM file by itself.
 *	The file may have been closed: it is there as long as the driver has the
 *	VM, and all that is in it.
 * @bo_create: create a buffer of @size bytes (multiple of the page size) and
 *	allow it to be mmapped through @vm's DRM file. @alloc_flags has exactly
 *	one of VRAM, GTT, USERPTR; VRAM is zeroed. A USERPTR buffer starts
 *	with all its pages absent. *@mmap_offset: offset on the render node,
 *	0 for USERPTR. ENOMEM: no memory or no VRAM left.
 * @bo_create_doorbell: a buffer over the process's doorbell slice (@mmio
 *	false) or MMIO remap page (@mmio true), to be mapped for the GPU.
 * @bo_put: drop the driver's reference.
 * @bo_map: map the whole buffer at GPU address @va (page-aligned, range free)
 *	in @vm. The buffer may belong to another GPU of the same ops. READ-ONLY
 *	unless @alloc_flags has WRITABLE. EINVAL: the range overlaps a mapping.
 *	ENOMEM.
 * @bo_unmap: undo @bo_map; when it returns no engine uses the mapping.
 * @bo_populate: (USERPTR) give pages @first .. @first + @npages - 1; the
 *	provider takes no reference: the caller keeps the pages valid until
 *	@bo_invalidate. @writable: whether they may be written. Called under
 *	the driver's notifier lock: NOTIFIER.
 * @bo_invalidate: (USERPTR) NOTIFIER: make these pages absent; when it
 *	returns no engine uses them.
 * @svm_reserve: make room in the page tables for @npages pages from @va
 *	(page-aligned) on, so that @svm_map there needs no memory. EINVAL: not
 *	inside the GPU's address space; ENOMEM; EINTR: the caller is being
 *	killed. Room that is never used stays until @svm_unmap or @vm_release.
 * @svm_map: NOTIFIER: map pages of the process itself at @va on; @pages[i]
 *	NULL leaves what is there. The provider takes no reference: the caller
 *	keeps the pages valid until @svm_unmap. Pages may be those of
 *	@vram_page_alloc. What @bo_map maps at the same address goes first.
 *	EAGAIN: an @svm_unmap has taken the room that was reserved; nothing
 *	has been mapped.
 * @svm_unmap: NOTIFIER: make @npages pages from @va on absent, whether they
 *	were present or not; when it returns no engine uses them.
 * @fault_reply: the retry faults of @vm on the page at @va (page-aligned;
 *	~0: on any page) have been served: who waits for it tries again. With
 *	@resolved false an access that still has no translation is then an
 *	error like any other. Every retry fault gets at least one reply that
 *	is sent after it was raised, be it from within kfd_gpu_vm_fault(),
 *	unless its queue is preempted or destroyed first: loaded again, the
 *	queue tries and raises it again. Does not wait for the engine's thread.
 * @vram_page_alloc: allocate @npages pages of VRAM, zeroed, counted like a
 *	buffer's. What the pages are is the provider's; the driver hands them
 *	to @svm_map, @vram_page_copy and @vram_page_free. ENOMEM.
 * @vram_page_free: free them; no page table has them any more. Does not sleep.
 * @vram_page_copy: copy one page from @src to @dst, either of which may be
 *	VRAM or system memory. Does not sleep.
 * @bo_export: a dma-buf of the buffer with its reference given to the caller,
 *	or ERR_PTR.
 * @bo_import: the buffer behind a dma-buf of this provider, referenced and
 *	mmap-able through @vm's file; EINVAL when it is somebody else's.
 * @bo_sharing: who besides the caller's process has a buffer (VRAM or GTT).
 * @bo_info: describe a dma-buf; @metadata (@metadata_len bytes) may be NULL;
 *	EINVAL when it is not this provider's.
 * @bo_vmap: kernel address of the whole buffer (VRAM or GTT), valid until
 *	@bo_vunmap, or ERR_PTR. Not counted: one user at a time.
 * @bo_vunmap: undo it.
 * @vram_available: bytes of VRAM that can still be allocated.
 * @doorbell_init: fill pfn, mmio_pfn and priv of a doorbell slice, zeroed.
 * @doorbell_fini: free it; no VMA of it is left and no queue uses it.
 * @doorbell_fault: a CPU access found the page unmapped; the driver maps it
 *	right after. The provider polls the slice until it calls
 *	kfd_gpu_doorbell_zap(). Called with mmap_lock held: neither sleeps on
 *	anything that waits for a notifier nor allocates.
 * @queue_create: make the GPU's side of a queue, not loaded. ENOMEM, ENOSPC.
 * @queue_load: NOTIFIER: let the queue run from the state in its MQD. EIO
 *	when the GPU is gone.
 * @queue_preempt: NOTIFIER: stop the queue and save its state into MQD and
 *	control stack within @timeout_ms. ETIME: it did not stop in time; the
 *	queue counts as still loaded. Preempting one that is not loaded: 0.
 * @queue_progress: how far a queue has come, by the write pointer in memory;
 *	one that is not loaded: when it was taken off. Under
 *	device->scheduler_lock; does not wait for the engine's thread.
 * @queue_destroy: free it; a queue that is still loaded is stopped by force.
 * @set_scratch: SH_STATIC_MEM-style scratch aperture backing, bytes >> 0.
 * @set_trap_handler: TBA and TMA of the VM.
 * @set_memory_policy: as the ioctl; EINVAL for a range that is not valid.
 * @get_clocks: read the clocks.
 */
struct kfd_device_ops {
	struct module *owner;

	int (*vm_acquire)(void *gpu, struct file *drm_file, u32 pasid,
			  struct kfd_gpu_vm **vm);
	void (*vm_release)(void *gpu, struct kfd_gpu_vm *vm);
	void (*vm_made)(void *gpu, struct kfd_gpu_vm *vm,
			struct kfd_gpu_vm_made *made);

	int (*bo_create)(void *gpu, struct kfd_gpu_vm *vm, u64 size,
			 u32 alloc_flags, struct kfd_gpu_bo **bo,
			 u64 *mmap_offset);
	int (*bo_create_doorbell)(void *gpu, struct kfd_doorbell *db, bool mmio,
				  struct kfd_gpu_bo **bo);
	void (*bo_put)(struct kfd_gpu_bo *bo);
	int (*bo_map)(void *gpu, struct kfd_gpu_vm *vm, struct kfd_gpu_bo *bo,
		      u64 va, u32 alloc_flags);
	void (*bo_unmap)(void *gpu, struct kfd_gpu_vm *vm,
			 struct kfd_gpu_bo *bo, u64 va);
	void (*bo_populate)(struct kfd_gpu_bo *bo, u64 first, u64 npages,
			    struct page **pages, bool writable);
	void (*bo_invalidate)(struct kfd_gpu_bo *bo, u64 first, u64 npages);
	int (*svm_reserve)(void *gpu, struct kfd_gpu_vm *vm, u64 va,
			   u64 npages);
	int (*svm_map)(void *gpu, struct kfd_gpu_vm *vm, u64 va, u64 npages,
		       struct page **pages, bool writable);
	void (*svm_unmap)(void *gpu, struct kfd_gpu_vm *vm, u64 va,
			  u64 npages);
	void (*fault_reply)(void *gpu, struct kfd_gpu_vm *vm, u64 va,
			    bool resolved);
	int (*vram_page_alloc)(void *gpu, u64 npages, struct page **pages);
	void (*vram_page_free)(void *gpu, u64 npages, struct page **pages);
	void (*vram_page_copy)(void *gpu, struct page *dst, struct page *src);
	struct dma_buf *(*bo_export)(struct kfd_gpu_bo *bo);
	int (*bo_import)(void *gpu, struct kfd_gpu_vm *vm,
			 struct dma_buf *dmabuf, struct kfd_gpu_bo **bo,
			 struct kfd_gpu_bo_info *info, u64 *mmap_offset);
	void (*bo_sharing)(struct kfd_gpu_bo *bo,
			   struct kfd_gpu_bo_sharing *sharing);
	int (*bo_info)(struct dma_buf *dmabuf, struct kfd_gpu_bo_info *info,
		       void *metadata, u32 metadata_len);
	void *(*bo_vmap)(struct kfd_gpu_bo *bo);
	void (*bo_vunmap)(struct kfd_gpu_bo *bo, void *vaddr);
	u64 (*vram_available)(void *gpu);

	int (*doorbell_init)(void *gpu, struct kfd_doorbell *db);
	void (*doorbell_fini)(void *gpu, struct kfd_doorbell *db);
	void (*doorbell_fault)(void *gpu, struct kfd_doorbell *db);

	int (*queue_create)(void *gpu, struct kfd_gpu_vm *vm,
			    const struct kfd_gpu_queue_desc *desc,
			    struct kfd_gpu_queue **queue);
	int (*queue_load)(void *gpu, struct kfd_gpu_queue *queue);
	int (*queue_preempt)(void *gpu, struct kfd_gpu_queue *queue,
			     u32 timeout_ms);
	void (*queue_progress)(void *gpu, struct kfd_gpu_queue *queue,
			       struct kfd_gpu_queue_progress *progress);
	void (*queue_destroy)(void *gpu, struct kfd_gpu_queue *queue);

	void (*set_scratch)(void *gpu, struct kfd_gpu_vm *vm, u64 va);
	void (*set_trap_handler)(void *gpu, struct kfd_gpu_vm *vm, u64 tba,
				 u64 tma);
	int (*set_memory_policy)(void *gpu, struct kfd_gpu_vm *vm,
				 u32 default_policy, u32 alternate_policy,
				 u64 alternate_base, u64 alternate_size);
	void (*get_clocks)(void *gpu, struct kfd_gpu_clocks *clocks);
};

struct kfd_device *kfd_device_register(const struct kfd_device_info *info,
				       const struct kfd_device_ops *ops,
				       void *gpu, struct device *parent);
void kfd_device_unregister(struct kfd_device *dev);

/**
 * enum kfd_irq_source - what raised an interrupt
 * @KFD_IRQ_CP_EOP: RELEASE_MEM or an AQL completion signal
 * @KFD_IRQ_SDMA_TRAP: SDMA TRAP packet
 * @KFD_IRQ_ECC: an uncorrectable memory error
 */
enum kfd_irq_source {
	KFD_IRQ_CP_EOP,
	KFD_IRQ_SDMA_TRAP,
	KFD_IRQ_ECC,
};

/**
 * struct kfd_irq_entry - one entry of the interrupt ring
 * @source: what raised it
 * @pasid: whose queue; 0 for device-wide sources
 * @context_id: int_ctxid: the event id that the packet carried; 0 when it
 *	carried none (the driver then looks at all slots of the event page)
 */
struct kfd_irq_entry {
	enum kfd_irq_source source;
	u32 pasid;
	u32 context_id;
};

/**
 * struct kfd_gpu_fault - a GPU access that has no translation
 * @pasid: whose VM
 * @va: GPU address, page-aligned
 * @write: it was a write
 * @not_present: no mapping there (else: the mapping forbids the access)
 * @retry: the queue waits for kfd_device_ops.fault_reply; else it has halted.
 *	Also for a write to a page of @svm_map that is not writable, with
 *	@not_present false; never for what @bo_map made read-only.
 */
struct kfd_gpu_fault {
	u32 pasid;
	u64 va;
	bool write;
	bool not_present;
	bool retry;
};

/**
 * enum kfd_queue_error - why a GPU gave up a queue
 * @KFD_QUEUE_ERROR_BAD_PACKET: a packet that cannot be decoded
 * @KFD_QUEUE_ERROR_NO_SHADER: a kernel dispatch on a GPU that runs no shaders
 * @KFD_QUEUE_ERROR_HUNG: did not stop when it was told to
 */
enum kfd_queue_error {
	KFD_QUEUE_ERROR_BAD_PACKET,
	KFD_QUEUE_ERROR_NO_SHADER,
	KFD_QUEUE_ERROR_HUNG,
};

/*
 * Upward calls. All may be called from a provider's engine thread with no
 * lock held that an operation above takes; none of them waits for that thread
 * (what has to preempt queues is deferred to a work item).
 */
void kfd_gpu_interrupt(struct kfd_device *dev, const struct kfd_irq_entry *irq);
void kfd_gpu_vm_fault(struct kfd_device *dev, const struct kfd_gpu_fault *fault);
void kfd_gpu_queue_error(struct kfd_device *dev, u32 pasid, void *cookie,
			 enum kfd_queue_error error);
void kfd_gpu_reset(struct kfd_device *dev, bool begin);
void kfd_gpu_doorbell_zap(struct kfd_doorbell *db);

/*
 * System memory behind buffers has one limit for all GPUs. A provider charges
 * pages before it allocates them (GTT), or lets a GPU use memory of a process
 * that the driver does not know of (userptrs of a render node), until they are
 * free; the driver charges what it populates itself. 0 or -ENOMEM. Any context.
 */
int kfd_gpu_sysmem_charge(u64 bytes);
void kfd_gpu_sysmem_uncharge(u64 bytes);

/**
 * struct kfd_gpu_retry - an allocation that may be tried a second time
 * @ending: processes were ending when it was tried
 * @over: they have been waited for
 *
 * Memory of a process is freed a moment after its end. So::
 *
 *	kfd_gpu_retry_begin(&retry);
 *	do {
 *		ret = allocate();
 *	} while (kfd_gpu_retry(&retry, &ret));
 */
struct kfd_gpu_retry {
	bool ending;
	bool over;
};

void kfd_gpu_retry_begin(struct kfd_gpu_retry *retry);
bool kfd_gpu_retry(struct kfd_gpu_retry *retry, int *ret);

/**
 * kfd_gpu_fput() - drop a reference on a file that may keep memory of a GPU
 * @file: the file
 *
 * In a worker, which is where a process is taken down, the last one closes the
 * file at once. fput() would leave it to a work of the kernel's, and the memory
 * be taken when the teardown is said to be over.
 *
 * Context: sleeps.
 */
static inline void kfd_gpu_fput(struct file *file)
{
	if (current->flags & PF_KTHREAD)
		__fput_sync(file);
	else
		fput(file);
}

#endif
