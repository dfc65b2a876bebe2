// SPDX-License-Identifier: GPL-2.0-only
/*
 * The GPU side of the live update demo (live.h): the buffers on the memfd, the
 * queue, the code that it runs, and how a context is given up and adopted. The
 * uAPI alone, since a thunk opens /dev/kfd close-on-exec.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/kfd_packets.h"
#include "lib/kfd_vaddr.h"
#include "live.h"

#define RING_BYTES	65536u
#define SLOT_DWORDS	23u		/* of code: 9 + 6 + 8 */
#define WAIT_MS		120000u		/* no window takes that long */

/* Where the parts are in the memfd, and how large. */
static const struct {
	uint64_t at, bytes;
} parts[LIVE_PARTS] = {
	[LIVE_COUNT] = { 64 << 10, KFD_PAGE },
	[LIVE_LOG] = { 2 << 20, LIVE_MAX_SLOTS * sizeof(struct live_slot) },
	[LIVE_CODE] = { 4 << 20, LIVE_MAX_SLOTS * SLOT_DWORDS * 4 },
};

#define WITNESS_AT	(128ull << 10)
#define FILE_BYTES	((4ull << 20) + LIVE_MAX_SLOTS * SLOT_DWORDS * 4)

_Static_assert(sizeof(struct live) <= 64 << 10, "the state does not fit");
_Static_assert(WITNESS_AT + sizeof(struct live_witness) <= 2 << 20, "the witness does not fit");

static void *part(const struct live *l, enum live_part which)
{
	return (char *)(uintptr_t)l + parts[which].at;
}

/**
 * live_map() - map the memfd
 * @memfd: the file; an empty one is made as large as it has to be
 *
 * Return: what is at its start, at an address that no build before has had it
 * at.
 */
struct live *live_map(int memfd)
{
	struct live *l, *there;

	if (ftruncate(memfd, FILE_BYTES))
		die("memfd: %s", strerror(errno));
	l = mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	if (l == MAP_FAILED)
		die("memfd: %s", strerror(errno));
	if (l != l->where)
		return l;
	/* the first one stays until there is another */
	there = mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	if (there == MAP_FAILED)
		die("memfd: %s", strerror(errno));
	munmap(l, FILE_BYTES);
	return there;
}

/* What the GPU does for one slot; dwords written to @p. */
static uint32_t emit_slot(const struct live *l, uint32_t *p, uint32_t slot)
{
	uint64_t count = l->bo[LIVE_COUNT].va;
	uint64_t at = l->bo[LIVE_LOG].va + slot * sizeof(struct live_slot);
	uint32_t n;

	n = pm4_atomic_add64(p, count, 1);
	n += pm4_copy_data(p + n, at + offsetof(struct live_slot, number), count);
	return n + pm4_release_mem(p + n, PM4_DATA_CLOCK,
				   at + offsetof(struct live_slot, clock), 0, 0);
}

static void write_code(struct live *l)
{
	uint32_t *p = part(l, LIVE_CODE);

	for (uint32_t i = 0; i < LIVE_MAX_SLOTS; i++)
		if (emit_slot(l, p + i * SLOT_DWORDS, i) != SLOT_DWORDS)
			die("the code of a slot has another size");
}

/**
 * live_create() - a context from nothing: files, buffers, code, queue
 * @l: where the counter and the log are kept as they are
 */
void live_create(struct live *l)
{
	must(kfd_start(&l->k), "opening the GPU");
	must(kfd_keep_files(&l->k, true), "keeping files open");
	for (int i = 0; i < LIVE_PARTS; i++)
		must(kfd_vaddr_bo(&l->k, 0, part(l, i), parts[i].bytes, &l->bo[i]), "a buffer");
	write_code(l);
	must(kfd_queue_create(&l->k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, RING_BYTES, &l->queue),
	     "a queue");
	l->where = l;
}

/**
 * live_destroy() - the end of the context; the memfd stays
 * @l: its queue has nothing to do
 */
void live_destroy(struct live *l)
{
	must(kfd_queue_destroy(&l->k, &l->queue), "destroying the queue");
	for (int i = 0; i < LIVE_PARTS; i++)
		must(kfd_bo_destroy(&l->k, &l->bo[i]), "freeing a buffer");
	kfd_stop(&l->k);
}

/**
 * live_give_up() - give up all CPU addresses, so that the context outlives an exec
 * @l: the context
 * @kind: whether the GPU goes on
 */
void live_give_up(struct live *l, enum live_kind kind)
{
	struct kfd_ioctl_vaddr_info_args info = { 0 };

	must(kfd_vaddr_all(&l->k, kind == LIVE_UPDATE ? VADDR_LIVE : VADDR_INVALIDATE),
	     "VADDR_INVALIDATE");
	l->count_gone = live_count(l);
	must(kfd_vaddr_info(&l->k, &info), "VADDR_INFO");
	if (info.exec_blockers || info.num_invalid != LIVE_PARTS ||
	    info.num_live != (kind == LIVE_UPDATE ? LIVE_PARTS : 0))
		die("%u of %u buffers without address, %u live, exec_blockers 0x%x",
		    info.num_invalid, info.num_userptrs, info.num_live, info.exec_blockers);
}

/**
 * live_adopt() - take over a context after an exec
 * @l: given up by the program before
 *
 * Takes the time until all addresses are replaced, and what was written until
 * then.
 */
void live_adopt(struct live *l)
{
	struct live_window *w = &l->window[l->at];

	must(kfd_change_owner(l->k.fd), "CHANGE_OWNER");
	must(kfd_queue_map_again(&l->k, &l->queue), "mapping the queue");
	for (int i = 0; i < LIVE_PARTS; i++) {
		w->meanwhile = live_count(l) - l->count_gone;
		must(kfd_vaddr_update(&l->k, &l->bo[i], part(l, i)), "VADDR_UPDATE");
	}
	l->where = l;
}

/** live_count() - the counter */
uint64_t live_count(const struct live *l)
{
	return *(volatile uint64_t *)part(l, LIVE_COUNT);
}

/** live_log() - the log: LIVE_MAX_SLOTS slots */
struct live_slot *live_log(struct live *l)
{
	return part(l, LIVE_LOG);
}

/** live_witness() - what the witness says */
struct live_witness *live_witness(struct live *l)
{
	return (struct live_witness *)((char *)l + WITNESS_AT);
}

/**
 * live_submit() - have the GPU write some more of the window's numbers
 * @l: context
 * @slots: how many, a multiple of LIVE_IB_SLOTS
 */
void live_submit(struct live *l, uint32_t slots)
{
	uint64_t code = l->bo[LIVE_CODE].va;
	uint32_t p[4], n;

	for (uint32_t end = l->queued + slots; l->queued < end; l->queued += LIVE_IB_SLOTS) {
		n = pm4_indirect_buffer(p, code + l->queued * SLOT_DWORDS * 4,
					LIVE_IB_SLOTS * SLOT_DWORDS);
		must(kfd_queue_emit(&l->queue, p, n), "a packet");
	}
	kfd_queue_submit(&l->queue);
}

/** live_wait() - until the queue has done all that it was given */
void live_wait(struct live *l)
{
	must(kfd_queue_wait(&l->queue, WAIT_MS), "waiting for the queue");
}

/**
 * live_clocks() - find out how long a tick of the GPU's clock is
 * @l: context; the first call only takes the time, later ones set tick_s
 */
void live_clocks(struct live *l)
{
	struct kfd_ioctl_get_clock_counters_args args = { .gpu_id = l->k.gpu[0].gpu_id };

	must(kfd_call(l->k.fd, AMDKFD_IOC_GET_CLOCK_COUNTERS, &args), "GET_CLOCK_COUNTERS");
	if (!l->gpu0) {
		l->gpu0 = args.gpu_clock_counter;
		l->cpu0 = args.cpu_clock_counter;
		return;
	}
	l->tick_s = (args.cpu_clock_counter - l->cpu0) / 1e9 /
		    (args.gpu_clock_counter - l->gpu0);
}
