// SPDX-License-Identifier: GPL-2.0-only
/*
 * Figures of buffers whose CPU address is replaced: cost per buffer, and what
 * it costs to free and allocate the same buffers instead.
 *
 * Two processes, with many and with few buffers, take turns. Buffers are of
 * 2 MiB, a huge page, which is what a runtime's allocator takes from the
 * system. All of the memory moves to and fro between two places: anonymous
 * memory by one mremap(), a memfd by being mapped once more.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"
#include "lib/kfd_packets.h"
#include "lib/kfd_mem.h"
#include "lib/kfd_vaddr.h"

#define ROUNDS		9
#define ANEW_EVERY	4	/* rounds: it takes seconds */
#define ANEW_ROUNDS	((ROUNDS + ANEW_EVERY - 1) / ANEW_EVERY)
#define BO_BYTES	KFD_HUGE_PAGE
#define RING		(64u << 10)
#define SHMEM_THP	"/sys/kernel/mm/transparent_hugepage/shmem_enabled"

/**
 * struct heap - a process with buffers
 * @k: the driver
 * @q: a queue, for it is queues that an invalid address stops
 * @n: buffers
 * @memfd: what is behind all of them, or -1: private memory
 * @place: the two places of all the memory
 * @here: in which of them it is
 * @bo: buffers
 */
struct heap {
	struct kfd k;
	struct kfd_queue q;
	unsigned int n;
	int memfd;
	char *place[2];
	unsigned int here;
	struct kfd_bo *bo;
};

/**
 * struct remap - what is measured in such a process
 * @n: buffers
 * @live: the GPU goes on meanwhile
 * @turn: how many turns have been taken, by both processes
 * @mine: every second turn, from this one on, is this process's
 * @us: microseconds per buffer to replace all addresses
 * @anew_us: to free and allocate all of them with their contents
 * @huge: percentage of the memory that is in huge pages
 */
struct remap {
	unsigned int n;
	bool live;
	volatile unsigned int *turn;
	unsigned int mine;
	double us[ROUNDS];
	double anew_us[ANEW_ROUNDS];
	double huge;
};

static char *at(const struct heap *h, unsigned int place, unsigned int i)
{
	return h->place[place] + i * BO_BYTES;
}

/* Addresses alone, at @p or anywhere; what is mapped there is no more. */
static char *reserve(char *p, size_t bytes)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (p ? MAP_FIXED : 0);

	p = mmap(p, bytes, PROT_NONE, flags, -1, 0);
	if (p == MAP_FAILED)
		die("no addresses: %s", strerror(errno));
	return p;
}

/* A place where huge pages can go. */
static char *make_place(size_t bytes)
{
	char *p = reserve(NULL, bytes + BO_BYTES);

	return p + (-(uintptr_t)p & (BO_BYTES - 1));
}

/* Memory at @p: new, or the start of the file. */
static void map_memory(const struct heap *h, char *p, size_t bytes)
{
	int flags = h->memfd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;

	if (mmap(p, bytes, PROT_READ | PROT_WRITE, flags | MAP_FIXED, h->memfd, 0) != p ||
	    madvise(p, bytes, MADV_HUGEPAGE))
		die("memory of buffers: %s", strerror(errno));
}

static double huge_percent(const struct heap *h)
{
	const char *name = h->memfd < 0 ? "AnonHugePages" : "ShmemPmdMapped";
	uint64_t kb, sum = 0;

	for (unsigned int i = 0; i < h->n; ) {
		uint64_t size;

		/* neighbours may be one mapping */
		must(kfd_smaps_kb(at(h, h->here, i), "Size", &size), "smaps");
		must(kfd_smaps_kb(at(h, h->here, i), name, &kb), "smaps");
		sum += kb;
		i += size / (BO_BYTES >> 10);
	}
	return sum * 100.0 / (h->n * (BO_BYTES >> 10));
}

static void heap_make(struct heap *h, struct remap *r)
{
	size_t bytes = (size_t)r->n * BO_BYTES;

	h->n = r->n;
	h->here = 0;
	h->memfd = -1;
	h->bo = calloc(h->n, sizeof(*h->bo));
	if (!h->bo)
		die("out of memory");
	if (r->live) {
		h->memfd = memfd_create("heap", MFD_CLOEXEC);
		if (h->memfd < 0 || ftruncate(h->memfd, bytes))
			die("memfd: %s", strerror(errno));
	}
	h->place[0] = make_place(bytes);
	h->place[1] = make_place(bytes);
	map_memory(h, h->place[0], bytes);
	must(kfd_start(&h->k), "opening the GPU");
	must(kfd_queue_create(&h->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &h->q), "a queue");
	for (unsigned int i = 0; i < h->n; i++) {
		memset(at(h, 0, i), i, BO_BYTES);
		must(kfd_bo_userptr(&h->k, 0, at(h, 0, i), BO_BYTES, &h->bo[i]), "a buffer");
	}
	r->huge = huge_percent(h);
}

/* Every buffer is where the CPU thinks that it is, with what was in it. */
static void heap_check(struct heap *h, uint32_t seed)
{
	uint32_t p[8];

	for (unsigned int i = 0; i < h->n; i++)
		must(kfd_queue_emit(&h->q, p, sdma_fence(p, h->bo[i].va, seed + i)), "a packet");
	must(kfd_queue_finish(&h->q, 20000), "the queue");
	for (unsigned int i = 0; i < h->n; i++) {
		const char *mem = at(h, h->here, i);

		if (*(volatile uint32_t *)mem != seed + i)
			die("buffer %u: the GPU writes elsewhere", i);
		if (mem[4] != (char)i || mem[BO_BYTES - 1] != (char)i)
			die("buffer %u has lost its contents", i);
	}
}

/* Give up all addresses, move all memory, replace them; microseconds per buffer. */
static double replace_all(struct heap *h, bool live)
{
	size_t bytes = h->n * BO_BYTES;
	char *from = at(h, h->here, 0), *to = at(h, !h->here, 0);
	double t = now();

	must(kfd_vaddr_all(&h->k, live ? VADDR_LIVE : VADDR_INVALIDATE), "VADDR_INVALIDATE");
	if (live)
		map_memory(h, to, bytes);
	else if (mremap(from, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to)
		die("mremap: %s", strerror(errno));
	reserve(from, bytes);
	h->here = !h->here;
	for (unsigned int i = 0; i < h->n; i++)
		must(kfd_vaddr_update(&h->k, &h->bo[i], at(h, h->here, i)), "VADDR_UPDATE");
	return (now() - t) * 1e6 / h->n;
}

/* What a program does that can't replace addresses; microseconds per buffer. */
static double make_anew(struct heap *h)
{
	unsigned int there = !h->here;
	double t = now();

	for (unsigned int i = 0; i < h->n; i++) {
		char *from = at(h, h->here, i), *to = at(h, there, i);

		must(kfd_bo_unmap_gpu(&h->k, &h->bo[i], 0), "unmapping a buffer");
		must(kfd_bo_free(&h->k, &h->bo[i]), "freeing a buffer");
		map_memory(h, to, BO_BYTES);
		memcpy(to, from, BO_BYTES);
		reserve(from, BO_BYTES);
		must(kfd_bo_userptr(&h->k, 0, to, BO_BYTES, &h->bo[i]), "a buffer");
	}
	t = now() - t;
	h->here = there;
	return t * 1e6 / h->n;
}

static void measure(void *arg)
{
	struct remap *r = arg;
	struct heap h;

	while (*r->turn != r->mine)
		usleep(100);
	heap_make(&h, r);
	heap_check(&h, 0);
	++*r->turn;
	for (unsigned int i = 0; i < ROUNDS; i++) {
		while (*r->turn != 2 * (i + 1) + r->mine)
			usleep(100);
		r->us[i] = replace_all(&h, r->live);
		heap_check(&h, i + 1);
		if (!r->live && i % ANEW_EVERY == 0) {
			r->anew_us[i / ANEW_EVERY] = make_anew(&h);
			heap_check(&h, ~i);
		}
		++*r->turn;
	}
}

/* Both processes to their end. */
static void take_turns(struct remap *r, const struct sizes *sz, bool live)
{
	volatile unsigned int *turn = shared_memory(sizeof(*turn));
	pid_t few;

	for (unsigned int i = 0; i < 2; i++) {
		r[i].n = i ? sz->many_remaps : sz->few_remaps;
		r[i].live = live;
		r[i].turn = turn;
		r[i].mine = i;
	}
	few = child_start(measure, &r[0]);
	in_child(measure, &r[1]);
	child_end(few);
	progress("%.0f %% of it in huge pages", r[1].huge);
}

static void report_slope(struct remap *r, const char *how, enum limit kind)
{
	double m = median(r[1].us, ROUNDS), f = median(r[0].us, ROUNDS);

	report_time(text("%s remap per buffer, %u of 2 MiB", how, r[1].n), text("%.1f us", m),
		    text("%.1f us with %u", f, r[0].n), m / f, "", kind, 1.3);
}

/* Let a memfd have huge pages; what the setting was before. */
static char *shmem_huge(const char *how)
{
	char line[128], *word;

	if (kfd_read_text(SHMEM_THP, line, sizeof(line)) || kfd_write_text(SHMEM_THP, how))
		return NULL;
	word = strchr(line, '[');
	if (!word)
		return NULL;
	word[1 + strcspn(word + 1, "]")] = '\0';
	return text("%s", word + 1);
}

/**
 * figures_remap() - buffers whose CPU address is replaced
 * @sz: how many
 */
void figures_remap(const struct sizes *sz)
{
	struct remap *r = shared_memory(4 * sizeof(*r)), *live = r + 2;
	double m, anew;
	char *before;

	progress("new CPU addresses for %u and %u buffers", sz->many_remaps, sz->few_remaps);
	take_turns(r, sz, false);
	report_slope(r, "evicted", AT_MOST);
	m = median(r[1].us, ROUNDS);
	anew = median(r[1].anew_us, ANEW_ROUNDS);
	report_time(text("evicted remap of %u buffers of 2 MiB", r[1].n),
		    text("%.1f ms", m * r[1].n / 1e3),
		    text("%.0f ms to make them anew", anew * r[1].n / 1e3), anew / m, "",
		    AT_LEAST, 20);
	progress("the same of a memfd, while the GPU goes on");
	before = shmem_huge("advise");
	take_turns(live, sz, true);
	if (before)
		free(shmem_huge(before));
	report_slope(live, "live", INFO);
	report_time(text("live remap of %u buffers of 2 MiB", live[1].n),
		    text("%.1f ms", median(live[1].us, ROUNDS) * live[1].n / 1e3),
		    text("%.0f ms to make them anew", anew * r[1].n / 1e3),
		    anew / median(live[1].us, ROUNDS), "", INFO, 0);
}
