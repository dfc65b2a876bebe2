// SPDX-License-Identifier: GPL-2.0-only
/*
 * The demo's runtime on top of the unmodified libhsakmt: see gpu.h.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "gpu.h"
#include "lib/kfd_packets.h"

void die(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

static void check(HSAKMT_STATUS status, const char *what)
{
	if (status != HSAKMT_STATUS_SUCCESS)
		die("%s: thunk status %d", what, status);
}

/**
 * gpu_open() - open the driver and find the first GPU
 * @gpu: filled in
 */
void gpu_open(struct gpu *gpu)
{
	HsaSystemProperties sys;
	HsaNodeProperties node;
	HsaMemoryProperties bank[8];

	check(hsaKmtOpenKFD(), "hsaKmtOpenKFD");
	check(hsaKmtAcquireSystemProperties(&sys), "hsaKmtAcquireSystemProperties");
	for (HSAuint32 n = 0; n < sys.NumNodes; n++) {
		check(hsaKmtGetNodeProperties(n, &node), "hsaKmtGetNodeProperties");
		if (!node.NumFComputeCores)
			continue;
		gpu->node = n;
		gpu->target = node.EngineId.ui32.Major * 10000 + node.EngineId.ui32.Minor * 100 +
			      node.EngineId.ui32.Stepping;
		gpu->vram = 0;
		memset(bank, 0, sizeof(bank));
		if (node.NumMemoryBanks > 8)
			die("node %u has %u memory banks", n, node.NumMemoryBanks);
		check(hsaKmtGetNodeMemoryProperties(n, node.NumMemoryBanks, bank),
		      "hsaKmtGetNodeMemoryProperties");
		for (HSAuint32 b = 0; b < node.NumMemoryBanks; b++)
			if (bank[b].HeapType == HSA_HEAPTYPE_FRAME_BUFFER_PUBLIC ||
			    bank[b].HeapType == HSA_HEAPTYPE_FRAME_BUFFER_PRIVATE)
				gpu->vram += bank[b].SizeInBytes;
		return;
	}
	die("no GPU in the topology (%u nodes)", sys.NumNodes);
}

/** gpu_close() - drop the topology and close the driver */
void gpu_close(void)
{
	check(hsaKmtReleaseSystemProperties(), "hsaKmtReleaseSystemProperties");
	check(hsaKmtCloseKFD(), "hsaKmtCloseKFD");
}

/**
 * gpu_alloc() - memory that both the CPU and the GPU see
 * @gpu: the GPU
 * @buf: filled in
 * @kind: where it comes from
 * @size: in bytes, a multiple of the page size
 */
void gpu_alloc(const struct gpu *gpu, struct gpu_buf *buf, enum gpu_mem kind, size_t size)
{
	HsaMemFlags flags = { .Value = 0 };
	HSAuint64 va = 0;
	void *mem = NULL;

	if (kind == GPU_USERPTR) {
		mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (mem == MAP_FAILED)
			die("no %zu bytes of memory", size);
		check(hsaKmtRegisterMemory(mem, size), "hsaKmtRegisterMemory");
	} else {
		flags.ui32.HostAccess = 1;
		flags.ui32.NonPaged = kind != GPU_HOST;
		flags.ui32.ExecuteAccess = 1;
		flags.ui32.CoarseGrain = kind == GPU_VRAM;
		flags.ui32.NoSubstitute = kind == GPU_VRAM;
		check(hsaKmtAllocMemory(kind == GPU_VRAM ? gpu->node : 0, size, flags, &mem),
		      "hsaKmtAllocMemory");
	}
	check(hsaKmtMapMemoryToGPU(mem, size, &va), "hsaKmtMapMemoryToGPU");
	buf->cpu = mem;
	buf->va = va ? va : (uintptr_t)mem;
	buf->size = size;
}

/**
 * gpu_queue_create() - a user-mode queue with an empty ring
 * @gpu: the GPU
 * @q: filled in
 * @sdma: copy engine, or else PM4 compute
 * @ring_kind: where the ring lives
 * @ring_dwords: its size, a power of two
 */
void gpu_queue_create(const struct gpu *gpu, struct gpu_queue *q, int sdma,
		      enum gpu_mem ring_kind, uint32_t ring_dwords)
{
	memset(q, 0, sizeof(*q));
	gpu_alloc(gpu, &q->ring, ring_kind, ring_dwords * 4ul);
	q->dwords = ring_dwords;
	q->sdma = sdma;
	check(hsaKmtCreateQueue(gpu->node, sdma ? HSA_QUEUE_SDMA : HSA_QUEUE_COMPUTE, 100,
				HSA_QUEUE_PRIORITY_NORMAL, (void *)(uintptr_t)q->ring.va,
				q->ring.size, NULL, &q->res),
	      sdma ? "hsaKmtCreateQueue(SDMA)" : "hsaKmtCreateQueue(COMPUTE)");
}

/* Position of the oldest dword that the engine has not taken yet. */
static uint64_t queue_rptr(const struct gpu_queue *q)
{
	uint64_t behind;

	if (q->sdma)
		return __atomic_load_n(q->res.Queue_read_ptr_aql, __ATOMIC_ACQUIRE) / 4;
	/* the compute read pointer is wrapped: count back from the write pointer */
	behind = q->wptr - __atomic_load_n(q->res.Queue_read_ptr, __ATOMIC_ACQUIRE);
	return q->wptr - (behind & (q->dwords - 1));
}

/**
 * gpu_queue_put() - put packets into the ring; the engine is not told yet
 * @q: the queue
 * @packets: whole packets; they are not split at the ring's end, which is filled with NOPs
 * @dwords: their length
 */
void gpu_queue_put(struct gpu_queue *q, const uint32_t *packets, uint32_t dwords)
{
	uint32_t *ring = (uint32_t *)q->ring.cpu;
	uint32_t at = q->wptr & (q->dwords - 1);
	uint32_t pad = at + dwords > q->dwords ? q->dwords - at : 0;

	/* one dword stays free: a full ring would look like an empty one */
	if (q->wptr - queue_rptr(q) + pad + dwords >= q->dwords)
		die("ring of %u dwords is too small", q->dwords);
	for (uint32_t i = 0; i < pad; i++)
		ring[at + i] = q->sdma ? SDMA_NOP : PM4_NOP_1DW;
	q->wptr += pad;
	memcpy(ring + (q->wptr & (q->dwords - 1)), packets, dwords * 4ul);
	q->wptr += dwords;
}

/**
 * gpu_queue_ring() - publish the write pointer and ring the doorbell
 * @q: the queue
 */
void gpu_queue_ring(struct gpu_queue *q)
{
	uint64_t pos = q->sdma ? q->wptr * 4 : q->wptr;

	__atomic_store_n(q->res.Queue_write_ptr_aql, pos, __ATOMIC_RELEASE);
	__atomic_store_n(q->res.Queue_DoorBell_aql, pos, __ATOMIC_RELEASE);
}

/**
 * gpu_queue_destroy() - take a queue off the GPU
 * @q: the queue; its ring stays allocated until the process ends
 */
void gpu_queue_destroy(struct gpu_queue *q)
{
	check(hsaKmtDestroyQueue(q->res.QueueId), "hsaKmtDestroyQueue");
}

/**
 * gpu_event_create() - a signal event that a wait resets
 * @gpu: the GPU
 *
 * Return: the event; its mailbox address is EventData.HWData2.
 */
HsaEvent *gpu_event_create(const struct gpu *gpu)
{
	HsaEventDescriptor desc = { .EventType = HSA_EVENTTYPE_SIGNAL, .NodeId = gpu->node };
	HsaEvent *event = NULL;

	check(hsaKmtCreateEvent(&desc, false, false, &event), "hsaKmtCreateEvent");
	return event;
}

/**
 * gpu_event_wait() - sleep until an event comes
 * @event: the event
 * @ms: at most so many milliseconds
 *
 * Return: 1 when it came, 0 when the time was over.
 */
int gpu_event_wait(HsaEvent *event, unsigned int ms)
{
	HSAKMT_STATUS status = hsaKmtWaitOnEvent(event, ms);

	if (status == HSAKMT_STATUS_WAIT_TIMEOUT)
		return 0;
	check(status, "hsaKmtWaitOnEvent");
	return 1;
}
