// SPDX-License-Identifier: GPL-2.0-only
/*
 * The process that the checkpoint and restore tests dump; see the header.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "kfd_packets.h"
#include "kfd_workload.h"

#define RING		65536
#define PIECE		KFD_PAGE
#define PATIENCE	20000
#define SEED		0x5eed

#define WORD_VA(w, n)	((w)->words.va + (n) * 8ULL)
#define WORD(w, n)	(((volatile uint64_t *)(w)->words.cpu)[n])

#define TRY(w, what, call) \
	do { \
		int _ret = (call); \
		(w)->step = what; \
		if (_ret) { \
			printf("# workload: %s: %d\n", what, _ret); \
			return _ret; \
		} \
	} while (0)

#define CHECK(w, what, condition) TRY(w, what, (condition) ? 0 : -EILSEQ)

/* Shared with all children, whoever of them runs it. */
struct kfd_workload *kfd_workload_new(void)
{
	struct kfd_workload *w = mmap(NULL, sizeof(*w), PROT_READ | PROT_WRITE,
				      MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return w == MAP_FAILED ? NULL : w;
}

static int anonymous_at(uint64_t va, uint64_t size)
{
	void *p = mmap((void *)(uintptr_t)va, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	return p == MAP_FAILED ? -errno : 0;
}

static int start_memory(struct kfd_workload *w)
{
	struct kfd *k = &w->k;
	uint64_t user;

	TRY(w, "VRAM", kfd_bo_create(k, 0, MEM_VRAM, WORKLOAD_PIECES * PIECE, &w->vram));
	TRY(w, "GTT", kfd_bo_create(k, 0, MEM_GTT, WORKLOAD_PIECES * PIECE, &w->gtt));
	TRY(w, "VRAM 2", kfd_bo_create(k, 0, MEM_VRAM, WORKLOAD_PIECES * PIECE, &w->vram2));
	TRY(w, "words", kfd_bo_create(k, 0, MEM_GTT, KFD_PAGE, &w->words));
	TRY(w, "doorbells", kfd_bo_create(k, 0, MEM_DOORBELL, 2 * KFD_PAGE, &w->doorbells));
	TRY(w, "MMIO", kfd_bo_create(k, 0, MEM_MMIO, KFD_PAGE, &w->mmio));
	user = kfd_reserve_va(k, KFD_PAGE);
	TRY(w, "user memory", anonymous_at(user, KFD_PAGE));
	memset((void *)(uintptr_t)user, 0x11, KFD_PAGE);
	TRY(w, "userptr", kfd_bo_userptr(k, 0, (void *)(uintptr_t)user, KFD_PAGE, &w->user));
	if (k->num_gpus > 1 && !(w->flags & WORKLOAD_SMALL)) {
		TRY(w, "far VRAM", kfd_bo_create(k, 1, MEM_VRAM, 4 * PIECE, &w->far));
		TRY(w, "far map", kfd_bo_map_gpu(k, &w->far, 0));
		kfd_fill_pattern(w->far.cpu, w->far.size, SEED + 1);
	}
	kfd_fill_pattern(w->vram.cpu, w->vram.size, SEED);
	memset(w->gtt.cpu, 0, w->gtt.size);
	memset(w->words.cpu, 0, KFD_PAGE);
	return 0;
}

static int start_events(struct kfd_workload *w)
{
	struct kfd *k = &w->k;

	TRY(w, "event page", kfd_bo_create(k, 0, MEM_GTT, KFD_EVENT_PAGE_SIZE, &w->event_page));
	memset(w->event_page.cpu, 0xff, w->event_page.size);
	w->set.event_type = KFD_IOC_EVENT_SIGNAL;
	w->set.event_page_offset = w->event_page.handle;
	TRY(w, "first event", kfd_call(k->fd, AMDKFD_IOC_CREATE_EVENT, &w->set));
	TRY(w, "set", kfd_event_set(k, w->set.event_id));
	TRY(w, "event", kfd_event_create(k, KFD_IOC_EVENT_SIGNAL, true, &w->later));
	TRY(w, "memory event", kfd_event_create(k, KFD_IOC_EVENT_MEMORY, true, &w->memory));
	return 0;
}

/* As the thunk does it: the doorbell is in the page that was allocated. */
static int start_queue(struct kfd_workload *w, uint32_t type, struct kfd_queue *q)
{
	TRY(w, "queue buffers", kfd_queue_buffers(&w->k, 0, type, RING, q));
	TRY(w, "queue", kfd_call(w->k.fd, AMDKFD_IOC_CREATE_QUEUE, &q->args));
	q->id = q->args.queue_id;
	q->doorbell_offset = q->args.doorbell_offset;
	q->doorbell = (volatile uint64_t *)((char *)w->doorbells.cpu +
					    q->doorbell_offset % (2 * KFD_PAGE));
	return 0;
}

static void emit_copies(struct kfd_workload *w, uint64_t dst, uint64_t src)
{
	uint32_t p[8];
	int i;

	for (i = 0; i < WORKLOAD_PIECES; i++) {
		kfd_queue_emit(&w->sdma, p, sdma_copy(p, dst + i * PIECE, src + i * PIECE, PIECE));
		kfd_queue_emit(&w->sdma, p, sdma_atomic_add64(p, WORD_VA(w, WORD_COUNT), 1));
	}
}

static int start_queues(struct kfd_workload *w)
{
	struct kfd_queue *q = &w->sdma;
	uint64_t deps[1] = { WORD_VA(w, WORD_DEP) };
	uint32_t p[16];

	TRY(w, "SDMA", start_queue(w, KFD_IOC_QUEUE_TYPE_SDMA, q));
	emit_copies(w, w->gtt.va, w->vram.va);
	kfd_queue_emit(q, p, sdma_poll(p, PM4_FUNC_EQUAL, WORD_VA(w, WORD_GATE), 1, ~0u));
	emit_copies(w, w->vram2.va, w->gtt.va);
	kfd_queue_emit(q, p, sdma_atomic_add64(p, w->user.va, 5));
	if (!(w->flags & WORKLOAD_NO_EVENTS)) {
		kfd_queue_emit(q, p, sdma_fence(p, w->event_page.va +
						w->later.event_slot_index * 8ULL,
						w->later.event_id));
		kfd_queue_emit(q, p, sdma_trap(p, w->later.event_trigger_data));
	}
	kfd_queue_emit(q, p, sdma_fence(p, WORD_VA(w, WORD_DONE), 0xd0e));
	kfd_queue_submit(q);

	q = &w->pm4;
	TRY(w, "PM4", start_queue(w, KFD_IOC_QUEUE_TYPE_COMPUTE, q));
	kfd_queue_emit(q, p, pm4_write_data(p, WORD_VA(w, WORD_PM4_BEFORE), 0xbef));
	kfd_queue_emit(q, p, pm4_wait_reg_mem(p, PM4_FUNC_EQUAL, WORD_VA(w, WORD_GATE), 1, ~0u));
	kfd_queue_emit(q, p, pm4_release_mem(p, PM4_DATA_64, WORD_VA(w, WORD_PM4_AFTER), 0xaf7, 0));
	kfd_queue_submit(q);

	if (w->flags & WORKLOAD_SMALL)
		return 0;
	q = &w->aql;
	WORD(w, WORD_DEP) = 1;
	WORD(w, WORD_DEP + 1) = 1;
	WORD(w, WORD_COMPLETION) = 1;
	WORD(w, WORD_COMPLETION + 1) = 1;
	TRY(w, "AQL", start_queue(w, KFD_IOC_QUEUE_TYPE_COMPUTE_AQL, q));
	kfd_queue_emit(q, p, aql_barrier(p, AQL_BARRIER_AND, deps, 1, WORD_VA(w, WORD_COMPLETION)));
	kfd_queue_submit(q);
	return 0;
}

/* Everything, up to where the queues wait for the gate. */
int kfd_workload_start(struct kfd_workload *w, uint32_t flags)
{
	int ret;

	memset(w, 0, sizeof(*w));
	w->flags = flags;
	TRY(w, "start", kfd_start(&w->k));
	ret = start_memory(w);
	if (!ret && !(flags & WORKLOAD_NO_EVENTS))
		ret = start_events(w);
	if (ret || flags & WORKLOAD_NO_QUEUES)
		return ret;
	ret = start_queues(w);
	if (ret)
		return ret;
	TRY(w, "first half of the copies",
	    kfd_wait_u64(&WORD(w, WORD_COUNT), WORKLOAD_PIECES, PATIENCE));
	TRY(w, "PM4 before the gate", kfd_wait_u64(&WORD(w, WORD_PM4_BEFORE), 0xbef, PATIENCE));
	return 0;
}

/* Dump the calling process, which runs @w, and leave it paused. */
int kfd_workload_save(struct kfd_workload *w, struct kfd_snapshot *s)
{
	TRY(w, "dump", kfd_snapshot_dump(&w->k, w->k.fd, s));
	memcpy(w->user_copy, (void *)(uintptr_t)w->user.va, KFD_PAGE);
	return 0;
}

/* The calling process, which is @now, has been restored: it runs @w from here on. */
int kfd_workload_adopt(struct kfd_workload *w, const struct kfd *now)
{
	struct kfd before = w->k;
	int i, j;

	w->k = *now;
	w->k.next_va = before.next_va;
	/* The GPUs in the order in which the workload knows them. */
	for (i = 0; i < before.num_gpus; i++) {
		j = kfd_gpu_by_id(now, before.gpu[i].gpu_id);
		CHECK(w, "GPU of the image", j >= 0);
		w->k.gpu[i] = now->gpu[j];
	}
	TRY(w, "user memory", anonymous_at(w->user.va, KFD_PAGE));
	memcpy((void *)(uintptr_t)w->user.va, w->user_copy, KFD_PAGE);
	return 0;
}

/* Become that process, up to RESUME. */
int kfd_workload_restore(struct kfd_workload *w, struct kfd_snapshot *s)
{
	struct kfd now;

	TRY(w, "restore", kfd_snapshot_restore(&now, s));
	return kfd_workload_adopt(w, &now);
}

/* Open the gate; 0 when nothing moves all the same. */
int kfd_workload_paused(struct kfd_workload *w)
{
	WORD(w, WORD_GATE) = 1;
	kfd_sleep_ms(100);
	CHECK(w, "queues ran though paused",
	      WORD(w, WORD_COUNT) == WORKLOAD_PIECES && !WORD(w, WORD_PM4_AFTER));
	return 0;
}

static int finish_queues(struct kfd_workload *w)
{
	volatile uint64_t *user = (volatile uint64_t *)(uintptr_t)w->user.va;
	uint32_t p[8];

	WORD(w, WORD_GATE) = 1;
	TRY(w, "end of the copies",
	    kfd_wait_u32((uint32_t *)&WORD(w, WORD_DONE), 0xd0e, PATIENCE));
	TRY(w, "PM4 after the gate", kfd_wait_u64(&WORD(w, WORD_PM4_AFTER), 0xaf7, PATIENCE));
	CHECK(w, "number of copies", WORD(w, WORD_COUNT) == 2 * WORKLOAD_PIECES);
	CHECK(w, "first half", kfd_check_pattern(w->gtt.cpu, w->gtt.size, SEED));
	CHECK(w, "second half", kfd_check_pattern(w->vram2.cpu, w->vram2.size, SEED));
	CHECK(w, "user memory", *user == 0x1111111111111116);
	TRY(w, "drain", kfd_queue_wait(&w->sdma, PATIENCE));
	/* And something new. */
	TRY(w, "more copies", kfd_queue_run(&w->sdma, p, sdma_fence(p, w->vram2.va, 77)));
	CHECK(w, "more copies' result", *(volatile uint32_t *)w->vram2.cpu == 77);
	TRY(w, "more PM4", kfd_queue_run(&w->pm4, p, pm4_write_data(p, w->vram2.va + 4, 78)));
	CHECK(w, "more PM4's result", ((volatile uint32_t *)w->vram2.cpu)[1] == 78);
	if (!(w->flags & WORKLOAD_SMALL)) {
		CHECK(w, "AQL before its time", WORD(w, WORD_COMPLETION + 1) == 1);
		WORD(w, WORD_DEP + 1) = 0;
		TRY(w, "AQL", kfd_wait_u64(&WORD(w, WORD_COMPLETION + 1), 0, PATIENCE));
		TRY(w, "AQL's end", kfd_queue_destroy(&w->k, &w->aql));
	}
	TRY(w, "SDMA's end", kfd_queue_destroy(&w->k, &w->sdma));
	TRY(w, "PM4's end", kfd_queue_destroy(&w->k, &w->pm4));
	return 0;
}

static int finish_events(struct kfd_workload *w)
{
	struct kfd_ioctl_create_event_args fresh;
	uint32_t result;

	TRY(w, "wait", kfd_event_wait_one(&w->k, w->set.event_id, 0, &result));
	CHECK(w, "event that was set", result == KFD_IOC_WAIT_RESULT_COMPLETE);
	if (!(w->flags & WORKLOAD_NO_QUEUES)) {
		TRY(w, "wait", kfd_event_wait_one(&w->k, w->later.event_id, PATIENCE, &result));
		CHECK(w, "event of the copies", result == KFD_IOC_WAIT_RESULT_COMPLETE);
	}
	TRY(w, "wait", kfd_event_wait_one(&w->k, w->later.event_id, 0, &result));
	CHECK(w, "auto-reset event", result == KFD_IOC_WAIT_RESULT_TIMEOUT);
	TRY(w, "wait", kfd_event_wait_one(&w->k, w->memory.event_id, 0, &result));
	CHECK(w, "memory event", result == KFD_IOC_WAIT_RESULT_TIMEOUT);
	TRY(w, "reset", kfd_event_reset(&w->k, w->set.event_id));
	TRY(w, "new event", kfd_event_create(&w->k, KFD_IOC_EVENT_SIGNAL, true, &fresh));
	CHECK(w, "new event's id", fresh.event_id != w->set.event_id &&
	      fresh.event_id != w->later.event_id && fresh.event_id != w->memory.event_id);
	TRY(w, "destroy", kfd_event_destroy(&w->k, fresh.event_id));
	TRY(w, "destroy", kfd_event_destroy(&w->k, w->set.event_id));
	TRY(w, "destroy", kfd_event_destroy(&w->k, w->later.event_id));
	TRY(w, "destroy", kfd_event_destroy(&w->k, w->memory.event_id));
	return 0;
}

/* Let it run to its end, check every result, take everything apart. */
int kfd_workload_finish(struct kfd_workload *w)
{
	struct kfd_bo *bos[] = { &w->vram, &w->gtt, &w->vram2, &w->words, &w->user };
	struct kfd_bo fresh;
	unsigned int i;
	int ret = 0;

	CHECK(w, "VRAM", kfd_check_pattern(w->vram.cpu, w->vram.size, SEED));
	if (w->far.handle)
		CHECK(w, "far VRAM", kfd_check_pattern(w->far.cpu, w->far.size, SEED + 1));
	if (!(w->flags & WORKLOAD_NO_QUEUES))
		ret = finish_queues(w);
	if (!ret && !(w->flags & WORKLOAD_NO_EVENTS))
		ret = finish_events(w);
	if (ret)
		return ret;
	((volatile uint32_t *)w->mmio.cpu)[0] = 1;
	TRY(w, "new buffer", kfd_bo_create(&w->k, 0, MEM_VRAM, KFD_PAGE, &fresh));
	CHECK(w, "new buffer's contents", *(volatile uint64_t *)fresh.cpu == 0);
	for (i = 0; i < sizeof(bos) / sizeof(bos[0]); i++) {
		CHECK(w, "new buffer's handle", fresh.handle != bos[i]->handle);
		TRY(w, "free", kfd_bo_destroy(&w->k, bos[i]));
	}
	if (w->far.handle)
		TRY(w, "free far", kfd_bo_destroy(&w->k, &w->far));
	TRY(w, "free MMIO", kfd_bo_destroy(&w->k, &w->mmio));
	TRY(w, "free doorbells", kfd_bo_destroy(&w->k, &w->doorbells));
	return 0;
}

/* Dump once more: what the image says must be what it said before. */
int kfd_workload_same_ids(struct kfd_workload *w, const struct kfd_snapshot *s)
{
	struct kfd_snapshot now;
	uint32_t i;
	int ret;

	ret = kfd_snapshot_checkpoint(w->k.fd, &now);
	if (ret)
		return ret;
	w->step = "counts of a second dump";
	if (now.info.num_devices != s->info.num_devices ||
	    now.info.num_bos != s->info.num_bos ||
	    now.info.num_objects != s->info.num_objects ||
	    now.info.priv_data_size != s->info.priv_data_size)
		ret = -EILSEQ;
	for (i = 0; !ret && i < s->info.num_bos; i++) {
		w->step = "buffers of a second dump";
		if (now.bos[i].addr != s->bos[i].addr || now.bos[i].size != s->bos[i].size ||
		    now.bos[i].gpu_id != s->bos[i].gpu_id ||
		    now.bos[i].alloc_flags != s->bos[i].alloc_flags)
			ret = -EILSEQ;
	}
	for (i = 0; !ret && i < s->info.num_devices; i++)
		if (now.devices[i].user_gpu_id != s->devices[i].user_gpu_id)
			ret = -EILSEQ;
	kfd_snapshot_free(&now);
	if (kfd_criu_unpause(w->k.fd) && !ret)
		ret = -EPROTO;
	return ret;
}
