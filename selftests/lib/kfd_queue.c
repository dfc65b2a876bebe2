// SPDX-License-Identifier: GPL-2.0-only
/*
 * User-mode queues of the selftests: their memory, their rings, doorbells.
 *
 * The write pointer is kept in dwords for PM4 and SDMA (the hardware wants
 * bytes of SDMA) and in packets for AQL.
 */
#include <string.h>
#include <sys/mman.h>

#include "kfd_lib.h"
#include "kfd_packets.h"

#define WPTR_AT		0x38
#define RPTR_AT		0x80
#define EOP_SIZE	4096

static bool is_compute(uint32_t type)
{
	return type == KFD_IOC_QUEUE_TYPE_COMPUTE || type == KFD_IOC_QUEUE_TYPE_COMPUTE_AQL;
}

/* What a gfx9 wave leaves behind, for all the waves that fit on the GPU. */
static void save_area_size(const struct kfd_gpu *gpu, uint32_t *area, uint32_t *ctl_stack)
{
	uint32_t per_cu = (256 << 10) + (16 << 10) + (64 << 10) + (4 << 10);
	uint32_t waves = gpu->cus * 40;

	*ctl_stack = (40 + 8 + waves * 8 + KFD_PAGE - 1) & ~(KFD_PAGE - 1);
	*area = *ctl_stack + ((gpu->cus * per_cu + KFD_PAGE - 1) & ~(KFD_PAGE - 1));
}

/* Everything that CREATE_QUEUE asks for, up to the call itself. */
int kfd_queue_buffers(struct kfd *k, int gpu, uint32_t type, uint32_t ring_bytes,
		      struct kfd_queue *q)
{
	uint64_t ring_alloc = ring_bytes < KFD_PAGE ? KFD_PAGE : ring_bytes;
	uint32_t area = 0;
	unsigned int i;
	int ret;

	memset(q, 0, sizeof(*q));
	q->gpu = gpu;
	q->type = type;
	ret = kfd_bo_create(k, gpu, MEM_GTT, ring_alloc, &q->ring);
	if (ret)
		return ret;
	ret = kfd_bo_create(k, gpu, MEM_GTT, KFD_PAGE, &q->ptrs);
	if (ret)
		return ret;
	memset(q->ring.cpu, 0, ring_bytes);
	memset(q->ptrs.cpu, 0, KFD_PAGE);
	if (type == KFD_IOC_QUEUE_TYPE_COMPUTE_AQL)
		for (i = 0; i < ring_bytes / 64; i++)
			((uint32_t *)q->ring.cpu)[i * AQL_DWORDS] = AQL_INVALID;
	q->args.ring_base_address = q->ring.va;
	q->args.ring_size = ring_bytes;
	q->args.write_pointer_address = q->ptrs.va + WPTR_AT;
	q->args.read_pointer_address = q->ptrs.va + RPTR_AT;
	q->args.gpu_id = k->gpu[gpu].gpu_id;
	q->args.queue_type = type;
	q->args.queue_percentage = 100;
	q->args.queue_priority = 7;
	if (!is_compute(type))
		return 0;

	save_area_size(&k->gpu[gpu], &area, &q->ctl_stack);
	ret = kfd_bo_create(k, gpu, MEM_VRAM, EOP_SIZE, &q->eop);
	if (ret)
		return ret;
	ret = kfd_bo_create(k, gpu, MEM_GTT, area, &q->cwsr);
	if (ret)
		return ret;
	q->args.eop_buffer_address = q->eop.va;
	q->args.eop_buffer_size = EOP_SIZE;
	q->args.ctx_save_restore_address = q->cwsr.va;
	q->args.ctx_save_restore_size = area;
	q->args.ctl_stack_size = q->ctl_stack;
	return 0;
}

/* Map the doorbell page that a queue's offset points into. */
int kfd_queue_map_doorbell(struct kfd *k, struct kfd_queue *q)
{
	uint64_t slice = q->doorbell_offset & ~(2 * KFD_PAGE - 1);
	void *p;

	p = mmap(NULL, 2 * KFD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, k->fd, (off_t)slice);
	if (p == MAP_FAILED)
		return -errno;
	q->doorbell_page = p;
	q->doorbell = (volatile uint64_t *)((char *)p + (q->doorbell_offset - slice));
	return 0;
}

/* CREATE_QUEUE of what kfd_queue_buffers() has filled in, perhaps changed since. */
int kfd_queue_make(struct kfd *k, struct kfd_queue *q)
{
	int ret = kfd_call(k->fd, AMDKFD_IOC_CREATE_QUEUE, &q->args);

	if (ret)
		return ret;
	q->id = q->args.queue_id;
	q->doorbell_offset = q->args.doorbell_offset;
	return kfd_queue_map_doorbell(k, q);
}

int kfd_queue_create(struct kfd *k, int gpu, uint32_t type, uint32_t ring_bytes,
		     struct kfd_queue *q)
{
	int ret;

	ret = kfd_queue_buffers(k, gpu, type, ring_bytes, q);
	if (ret)
		return ret;
	return kfd_queue_make(k, q);
}

int kfd_queue_destroy(struct kfd *k, struct kfd_queue *q)
{
	struct kfd_ioctl_destroy_queue_args args = { .queue_id = q->id };
	struct kfd_bo *bos[] = { &q->ring, &q->ptrs, &q->eop, &q->cwsr };
	unsigned int i;
	int ret;

	ret = kfd_call(k->fd, AMDKFD_IOC_DESTROY_QUEUE, &args);
	if (ret)
		return ret;
	if (q->doorbell_page)
		munmap(q->doorbell_page, 2 * KFD_PAGE);
	q->doorbell_page = NULL;
	q->doorbell = NULL;
	for (i = 0; i < sizeof(bos) / sizeof(bos[0]); i++) {
		if (!bos[i]->handle)
			continue;
		ret = kfd_bo_destroy(k, bos[i]);
		if (ret)
			return ret;
	}
	return 0;
}

int kfd_queue_update(struct kfd *k, struct kfd_queue *q, uint64_t ring, uint32_t ring_size,
		     uint32_t percentage)
{
	struct kfd_ioctl_update_queue_args args = {
		.ring_base_address = ring,
		.queue_id = q->id,
		.ring_size = ring_size,
		.queue_percentage = percentage,
		.queue_priority = 7,
	};

	return kfd_call(k->fd, AMDKFD_IOC_UPDATE_QUEUE, &args);
}

static volatile uint64_t *queue_wptr(const struct kfd_queue *q)
{
	return (volatile uint64_t *)((char *)q->ptrs.cpu + WPTR_AT);
}

/* The read pointer in the units of q->wptr, but PM4's modulo the ring. */
uint64_t kfd_queue_rptr(const struct kfd_queue *q)
{
	char *at = (char *)q->ptrs.cpu + RPTR_AT;

	if (q->type == KFD_IOC_QUEUE_TYPE_COMPUTE)
		return *(volatile uint32_t *)at;
	if (q->type == KFD_IOC_QUEUE_TYPE_COMPUTE_AQL)
		return *(volatile uint64_t *)at;
	return *(volatile uint64_t *)at / 4;
}

static uint64_t ring_dwords(const struct kfd_queue *q)
{
	return q->args.ring_size / 4;
}

/* Dwords (packets) that are in the ring and not yet done with. */
static uint64_t queue_pending(const struct kfd_queue *q)
{
	if (q->type == KFD_IOC_QUEUE_TYPE_COMPUTE)
		return (q->wptr - kfd_queue_rptr(q)) & (ring_dwords(q) - 1);
	return q->wptr - kfd_queue_rptr(q);
}

static int wait_for_room(struct kfd_queue *q, uint64_t need)
{
	uint64_t size = ring_dwords(q), end = kfd_now_ms() + 20000;

	if (q->type == KFD_IOC_QUEUE_TYPE_COMPUTE_AQL)
		size /= AQL_DWORDS;
	if (need >= size)
		return -ENOSPC;
	while (queue_pending(q) + need >= size) {
		kfd_queue_submit(q);
		if (kfd_now_ms() > end)
			return -ETIMEDOUT;
		kfd_sleep_ms(1);
	}
	return 0;
}

static void emit_aql(struct kfd_queue *q, const uint32_t *packet)
{
	uint32_t slots = ring_dwords(q) / AQL_DWORDS;
	volatile uint32_t *at = (uint32_t *)q->ring.cpu + q->wptr % slots * AQL_DWORDS;
	unsigned int i;

	for (i = 1; i < AQL_DWORDS; i++)
		at[i] = packet[i];
	/* The header goes last: it is what makes the packet valid. */
	__atomic_store_n((uint32_t *)at, packet[0], __ATOMIC_RELEASE);
	q->wptr++;
}

/* Put one packet into the ring; the GPU does not know of it until a submit. */
int kfd_queue_emit(struct kfd_queue *q, const void *packet, unsigned int dwords)
{
	uint32_t size = ring_dwords(q), at = q->wptr & (size - 1);
	volatile uint32_t *ring = q->ring.cpu;
	uint32_t pad = at + dwords > size ? size - at : 0;
	bool aql = q->type == KFD_IOC_QUEUE_TYPE_COMPUTE_AQL;
	const uint32_t *word = packet;
	unsigned int i;
	int ret;

	ret = wait_for_room(q, aql ? 1 : pad + dwords);
	if (ret)
		return ret;
	if (aql) {
		emit_aql(q, word);
		return 0;
	}
	for (i = 0; i < pad; i++)
		ring[at + i] = q->type == KFD_IOC_QUEUE_TYPE_COMPUTE ? PM4_NOP_1DW : SDMA_NOP;
	q->wptr += pad;
	at = q->wptr & (size - 1);
	for (i = 0; i < dwords; i++)
		ring[at + i] = word[i];
	q->wptr += dwords;
	return 0;
}

/* Tell the GPU how far the ring is filled. */
void kfd_queue_submit(struct kfd_queue *q)
{
	bool sdma = !is_compute(q->type);
	uint64_t value = sdma ? q->wptr * 4 : q->wptr;

	__atomic_store_n((uint64_t *)queue_wptr(q), value, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	/* An AQL doorbell takes the number of the last packet, not the next. */
	if (q->type == KFD_IOC_QUEUE_TYPE_COMPUTE_AQL)
		value--;
	*q->doorbell = value;
}

/* Wait until the read pointer has come to where the write pointer is. */
int kfd_queue_wait(struct kfd_queue *q, unsigned int ms)
{
	uint64_t end = kfd_now_ms() + ms;

	while (queue_pending(q)) {
		if (kfd_now_ms() > end)
			return -ETIMEDOUT;
		kfd_sleep_ms(1);
	}
	return 0;
}

/*
 * Wait until all that has been emitted is done and can be seen. The read pointer
 * passes a packet that signals before the signal can be seen; the packet behind it
 * is not begun until then. Not for AQL, whose packets have completions.
 */
int kfd_queue_finish(struct kfd_queue *q, unsigned int ms)
{
	uint32_t nop = q->type == KFD_IOC_QUEUE_TYPE_COMPUTE ? PM4_NOP_1DW : SDMA_NOP;
	int ret = 0;

	if (q->type != KFD_IOC_QUEUE_TYPE_COMPUTE_AQL)
		ret = kfd_queue_emit(q, &nop, 1);
	if (ret)
		return ret;
	kfd_queue_submit(q);
	return kfd_queue_wait(q, ms);
}

/* One packet from the ring to its end. */
int kfd_queue_run(struct kfd_queue *q, const void *packet, unsigned int dwords)
{
	int ret = kfd_queue_emit(q, packet, dwords);

	return ret ? ret : kfd_queue_finish(q, 10000);
}
