/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The little of a runtime that the demo needs on top of libhsakmt: the first
 * GPU of the machine, memory that it sees, user-mode queues with a ring to put
 * packets into, events. Not thread-safe. Every function that cannot do what it
 * says prints why and ends the program with exit code 1, since a demo has no
 * use for a half-working GPU.
 */
#ifndef DEMO_GPU_H
#define DEMO_GPU_H

#include <stddef.h>
#include <stdint.h>
/* hsakmt.h of ROCm 6 has a prototype with this, and nothing else of it */
struct kfd_ioctl_dbg_trap_args;
#include <hsakmt.h>

/**
 * struct gpu - the GPU that is used
 * @node: its node in the topology
 * @vram: bytes of its memory
 * @target: gfx version as 10000 * major + 100 * minor + stepping
 */
struct gpu {
	HSAuint32 node;
	uint64_t vram;
	unsigned int target;
};

/**
 * enum gpu_mem - where memory comes from
 * @GPU_VRAM: the GPU's own memory, mapped for the CPU too
 * @GPU_GTT: system memory that the driver allocates
 * @GPU_HOST: system memory that the thunk allocates and registers, as ROCr's default pool
 * @GPU_USERPTR: the program's own anonymous mapping, registered
 */
enum gpu_mem { GPU_VRAM, GPU_GTT, GPU_HOST, GPU_USERPTR };

/**
 * struct gpu_buf - memory that CPU and GPU see
 * @cpu: where the CPU sees it
 * @va: where the GPU sees it; differs from @cpu for a registered mapping
 * @size: in bytes
 */
struct gpu_buf {
	uint8_t *cpu;
	uint64_t va;
	size_t size;
};

/**
 * struct gpu_queue - a user-mode queue and its ring
 * @res: what the thunk says of it
 * @ring: ring memory
 * @dwords: size of the ring, a power of two
 * @wptr: next free position, in dwords, never wrapped
 * @sdma: copy engine (byte pointers) or compute (dword pointers)
 */
struct gpu_queue {
	HsaQueueResource res;
	struct gpu_buf ring;
	uint32_t dwords;
	uint64_t wptr;
	int sdma;
};

void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

void gpu_open(struct gpu *gpu);
void gpu_close(void);
void gpu_alloc(const struct gpu *gpu, struct gpu_buf *buf, enum gpu_mem kind, size_t size);
void gpu_queue_create(const struct gpu *gpu, struct gpu_queue *q, int sdma,
		      enum gpu_mem ring_kind, uint32_t ring_dwords);
void gpu_queue_put(struct gpu_queue *q, const uint32_t *packets, uint32_t dwords);
void gpu_queue_ring(struct gpu_queue *q);
void gpu_queue_destroy(struct gpu_queue *q);
HsaEvent *gpu_event_create(const struct gpu *gpu);
int gpu_event_wait(HsaEvent *event, unsigned int ms);

#endif
