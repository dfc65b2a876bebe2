/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A small user of /dev/kfd for the selftests: the uAPI and nothing else.
 *
 * Every function that can fail returns 0 or a negative errno, so that a test
 * says what it expects with ASSERT_EQ(0, ...) or EXPECT_EQ(-EINVAL, ...).
 *
 * Addresses: buffers are placed one after the other in an arena at a fixed
 * address, the same for GPU and CPU. A process that was restored from another
 * one's image therefore finds every place free.
 */
#ifndef KFD_LIB_H
#define KFD_LIB_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/kfd_ioctl.h>

#define KFD_MAX_TEST_GPUS	8
#define KFD_ARENA_BASE		0x200000000000ULL
#define KFD_PAGE		4096ULL
#define KFD_EVENT_PAGE_SIZE	(KFD_SIGNAL_EVENT_LIMIT * 8)

#define KFD_MMAP_TYPE(offset)	((uint64_t)(offset) >> 62)
#define KFD_MMAP_TYPE_DOORBELLS	3
#define KFD_MMAP_TYPE_EVENTS	2
#define KFD_MMAP_GPU(offset)	(((uint64_t)(offset) >> 46) & 0xffff)

#define KFD_TOPOLOGY		"/sys/devices/virtual/kfd/kfd/topology"

/* What most buffers of the tests are. (The constants are signed ints.) */
#define MEM_RW		((uint32_t)KFD_IOC_ALLOC_MEM_FLAGS_WRITABLE)
#define MEM_RWX		(MEM_RW | (uint32_t)KFD_IOC_ALLOC_MEM_FLAGS_EXECUTABLE)
#define MEM_VRAM	((uint32_t)KFD_IOC_ALLOC_MEM_FLAGS_VRAM | \
			 (uint32_t)KFD_IOC_ALLOC_MEM_FLAGS_PUBLIC | \
			 (uint32_t)KFD_IOC_ALLOC_MEM_FLAGS_NO_SUBSTITUTE | MEM_RWX)
#define MEM_GTT		((uint32_t)KFD_IOC_ALLOC_MEM_FLAGS_GTT | \
			 (uint32_t)KFD_IOC_ALLOC_MEM_FLAGS_NO_SUBSTITUTE | \
			 (uint32_t)KFD_IOC_ALLOC_MEM_FLAGS_COHERENT | MEM_RWX)
#define MEM_USERPTR	((uint32_t)KFD_IOC_ALLOC_MEM_FLAGS_USERPTR | \
			 (uint32_t)KFD_IOC_ALLOC_MEM_FLAGS_NO_SUBSTITUTE | \
			 (uint32_t)KFD_IOC_ALLOC_MEM_FLAGS_COHERENT | MEM_RWX)
/* what GPUs only read */
#define MEM_USERPTR_RO	(MEM_USERPTR & ~MEM_RW)
#define MEM_DOORBELL	((uint32_t)KFD_IOC_ALLOC_MEM_FLAGS_DOORBELL | MEM_RW | \
			 (uint32_t)KFD_IOC_ALLOC_MEM_FLAGS_COHERENT)
#define MEM_MMIO	((uint32_t)KFD_IOC_ALLOC_MEM_FLAGS_MMIO_REMAP | MEM_RW | \
			 (uint32_t)KFD_IOC_ALLOC_MEM_FLAGS_COHERENT)

/**
 * struct kfd_gpu - a GPU, from the topology
 * @gpu_id: its id
 * @node: its node number
 * @render_minor: minor number of its render node
 * @drm_fd: that node, open, or -1
 * @cus: compute units
 * @gfx_version: gfx_target_version
 * @sdma_engines: copy engines
 * @sdma_queues: queues per copy engine
 * @cp_queues: compute queues
 * @vram: bytes of VRAM
 */
struct kfd_gpu {
	uint32_t gpu_id;
	int node;
	int render_minor;
	int drm_fd;
	uint32_t cus;
	uint32_t gfx_version;
	uint32_t sdma_engines;
	uint32_t sdma_queues;
	uint32_t cp_queues;
	uint64_t vram;
};

/**
 * struct kfd - one process's use of the driver
 * @fd: /dev/kfd or -1
 * @num_gpus: entries of @gpu
 * @gpu: the GPUs in order of their nodes
 * @next_va: where the arena goes on
 */
struct kfd {
	int fd;
	int num_gpus;
	struct kfd_gpu gpu[KFD_MAX_TEST_GPUS];
	uint64_t next_va;
};

/**
 * struct kfd_bo - a buffer
 * @gpu: index of the owning GPU
 * @flags: KFD_IOC_ALLOC_MEM_FLAGS_*
 * @handle: from ALLOC
 * @va: GPU address
 * @size: bytes
 * @offset: mmap offset from ALLOC; USERPTR: CPU address
 * @cpu: CPU mapping (at @va too), or NULL
 */
struct kfd_bo {
	int gpu;
	uint32_t flags;
	uint64_t handle;
	uint64_t va;
	uint64_t size;
	uint64_t offset;
	void *cpu;
};

/**
 * struct kfd_queue - a user-mode queue with its memory
 * @gpu: index of its GPU
 * @type: KFD_IOC_QUEUE_TYPE_*
 * @id: from CREATE_QUEUE
 * @doorbell_offset: from CREATE_QUEUE
 * @doorbell: where to store the write pointer to start the queue
 * @doorbell_page: the mapping that @doorbell points into
 * @ring: the ring
 * @ptrs: a page: write pointer at 0x38, read pointer at 0x80
 * @eop: compute: end-of-pipe buffer
 * @cwsr: compute: context save area
 * @ctl_stack: bytes of the control stack in @cwsr
 * @wptr: next free place: dwords (PM4, SDMA) or packets (AQL), monotonic
 * @args: what CREATE_QUEUE was given and answered
 */
struct kfd_queue {
	int gpu;
	uint32_t type;
	uint32_t id;
	uint64_t doorbell_offset;
	volatile uint64_t *doorbell;
	void *doorbell_page;
	struct kfd_bo ring;
	struct kfd_bo ptrs;
	struct kfd_bo eop;
	struct kfd_bo cwsr;
	uint32_t ctl_stack;
	uint64_t wptr;
	struct kfd_ioctl_create_queue_args args;
};

/* Process and topology */
/* Calls of this process that said EINTR and were repeated. */
extern unsigned int kfd_interrupted;

int kfd_call(int fd, unsigned long request, void *arg);
int kfd_open(struct kfd *k);
int kfd_open_drm(struct kfd *k);
int kfd_start(struct kfd *k);
void kfd_stop(struct kfd *k);
bool kfd_present(void);
bool kfd_is_ours(void);
int kfd_topology_read(struct kfd *k);
int kfd_property(const char *path, const char *name, uint64_t *value);
int kfd_read_text(const char *path, char *buf, size_t size);
int kfd_write_text(const char *path, const char *text);
uint64_t kfd_now_ms(void);
void kfd_sleep_ms(unsigned int ms);
int kfd_time_scale(void);
int kfd_kernel_has(const char *option);
int kfd_cpu_ms_of(const char *comm, uint64_t *ms);

/* The simulator's knobs in debugfs; -ENOENT without a simulator */
int kfd_sim_set(int gpu, const char *knob, const char *value);
int kfd_sim_get(int gpu, const char *knob, uint64_t *value);
bool kfd_sim_present(void);
/* How often the queues of the first GPU have asked for a page; 0 without a simulator */
uint64_t kfd_sim_retries(void);

/* Memory */
uint64_t kfd_reserve_va(struct kfd *k, uint64_t size);
int kfd_bo_alloc(struct kfd *k, int gpu, uint32_t flags, uint64_t size, struct kfd_bo *bo);
int kfd_bo_userptr(struct kfd *k, int gpu, void *cpu, uint64_t size, struct kfd_bo *bo);
int kfd_bo_map_gpu(struct kfd *k, struct kfd_bo *bo, int gpu);
int kfd_bo_unmap_gpu(struct kfd *k, struct kfd_bo *bo, int gpu);
int kfd_bo_map_cpu(struct kfd *k, struct kfd_bo *bo);
int kfd_bo_create(struct kfd *k, int gpu, uint32_t flags, uint64_t size, struct kfd_bo *bo);
int kfd_bo_free(struct kfd *k, struct kfd_bo *bo);
int kfd_bo_destroy(struct kfd *k, struct kfd_bo *bo);
int kfd_available(struct kfd *k, int gpu, uint64_t *bytes);
int kfd_available_settled(struct kfd *k, int gpu, uint64_t *bytes);
/* Until what an earlier process had is back, on every GPU. */
int kfd_settle(struct kfd *k);

/* Queues */
int kfd_queue_buffers(struct kfd *k, int gpu, uint32_t type, uint32_t ring_bytes,
		      struct kfd_queue *q);
int kfd_queue_make(struct kfd *k, struct kfd_queue *q);
int kfd_queue_create(struct kfd *k, int gpu, uint32_t type, uint32_t ring_bytes,
		     struct kfd_queue *q);
int kfd_queue_destroy(struct kfd *k, struct kfd_queue *q);
int kfd_queue_update(struct kfd *k, struct kfd_queue *q, uint64_t ring, uint32_t ring_size,
		     uint32_t percentage);
int kfd_queue_map_doorbell(struct kfd *k, struct kfd_queue *q);
uint64_t kfd_queue_rptr(const struct kfd_queue *q);
int kfd_queue_emit(struct kfd_queue *q, const void *packet, unsigned int dwords);
void kfd_queue_submit(struct kfd_queue *q);
int kfd_queue_wait(struct kfd_queue *q, unsigned int ms);
int kfd_queue_finish(struct kfd_queue *q, unsigned int ms);
int kfd_queue_run(struct kfd_queue *q, const void *packet, unsigned int dwords);

/* Events */
int kfd_event_create(struct kfd *k, uint32_t type, bool auto_reset,
		     struct kfd_ioctl_create_event_args *ev);
int kfd_event_set(struct kfd *k, uint32_t id);
int kfd_event_reset(struct kfd *k, uint32_t id);
int kfd_event_destroy(struct kfd *k, uint32_t id);
int kfd_event_wait(struct kfd *k, struct kfd_event_data *data, unsigned int n, bool all,
		   uint32_t ms, uint32_t *result);
int kfd_event_wait_one(struct kfd *k, uint32_t id, uint32_t ms, uint32_t *result);

/* Memory that the GPU writes */
int kfd_wait_u32(const volatile uint32_t *p, uint32_t value, unsigned int ms);
int kfd_wait_u64(const volatile uint64_t *p, uint64_t value, unsigned int ms);
void kfd_fill_pattern(void *p, size_t bytes, uint32_t seed);
bool kfd_check_pattern(const void *p, size_t bytes, uint32_t seed);

#endif
