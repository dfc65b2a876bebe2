// SPDX-License-Identifier: GPL-2.0-only
/*
 * gpu_chain: keep a GPU busy with a long chain of dependent work and know what
 * must come out of it.
 *
 * A PM4 compute queue and an SDMA queue take turns: every step begins on the
 * one, which then lets the other go on (chain.h says what a step does). Steps
 * are submitted in batches, several of them ahead of the engines, so that at
 * any moment both rings hold work. The end of a batch is signalled by both
 * queues with an event each, which is what the program sleeps on. When the
 * chain is through, the same steps are done on the CPU in plain memory, and
 * every byte is compared.
 *
 * The program knows nothing of checkpoints. How far it is stands in a status
 * file, one line of fixed length.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "chain.h"
#include "gpu.h"
#include "lib/kfd_packets.h"

#define BATCH 16u		/* steps */
#define AHEAD 4u		/* batches in flight */
#define RING_DWORDS 8192u
#define IB_DWORDS 1024u		/* room for one batch of the compute queue */
#define STATUS_BYTES 96
#define EVENT_MS 60000u		/* no batch takes that long */

/* Words that the two queues and the CPU share; a cache line each, in GTT. */
enum { SEQ_CP = 0, SEQ_SDMA = 64, DONE_CP = 128, DONE_SDMA = 192 };

struct job {
	struct gpu gpu;
	struct gpu_buf vram, gtt, host;
	struct gpu_buf sync, ib;
	struct gpu_queue cp, sdma;
	HsaEvent *cp_event, *sdma_event;
	struct chain chain;
	uint64_t seed;
	uint32_t steps, tiles;
	uint32_t vram_tiles, gtt_tiles, host_tiles;
	uint32_t queued, done;		/* steps */
	uint64_t woken;			/* by events */
	double pause;			/* longest time without progress, in seconds */
	int status_fd;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void status(const struct job *j, const char *state)
{
	char line[STATUS_BYTES + 1];

	if (j->status_fd < 0)
		return;
	snprintf(line, sizeof(line), "state %-8s step %07u of %07u queued %07u events %07" PRIu64,
		 state, j->done, j->steps, j->queued, j->woken);
	memset(line + strlen(line), ' ', STATUS_BYTES - strlen(line));
	line[STATUS_BYTES - 1] = '\n';
	if (pwrite(j->status_fd, line, STATUS_BYTES, 0) != STATUS_BYTES)
		die("status file: %s", strerror(errno));
}

static const struct gpu_buf *tile_home(const struct job *j, uint32_t *tile)
{
	if (*tile < j->vram_tiles)
		return &j->vram;
	*tile -= j->vram_tiles;
	if (*tile < j->gtt_tiles)
		return &j->gtt;
	*tile -= j->gtt_tiles;
	return &j->host;
}

static uint64_t tile_va(const struct job *j, uint32_t tile)
{
	const struct gpu_buf *home = tile_home(j, &tile);

	return home->va + (uint64_t)tile * TILE_BYTES;
}

static uint8_t *tile_cpu(const struct job *j, uint32_t tile)
{
	const struct gpu_buf *home = tile_home(j, &tile);

	return home->cpu + (size_t)tile * TILE_BYTES;
}

/* The part of step @k that the compute queue does; dwords written to @p. */
static uint32_t emit_cp_step(const struct job *j, uint32_t *p, uint32_t k, const struct step *s)
{
	uint64_t stamp = tile_va(j, s->stamp_tile) + s->stamp_off;
	uint32_t n;

	n = pm4_wait_reg_mem(p, PM4_FUNC_GREATER_EQUAL, j->sync.va + SEQ_SDMA, k, 0xffffffff);
	n += pm4_write_data_n(p + n, stamp, s->stamp, STAMP_DWORDS);
	return n + pm4_write_data(p + n, j->sync.va + SEQ_CP, k + 1);
}

/* The part of step @k that the copy engine does; dwords written to @p. */
static uint32_t emit_sdma_step(const struct job *j, uint32_t *p, uint32_t k, const struct step *s)
{
	uint64_t dst = tile_va(j, s->dst), src = tile_va(j, s->src);
	uint64_t fill = tile_va(j, s->fill_tile) + s->fill_off;
	uint32_t n;

	n = sdma_poll(p, PM4_FUNC_GREATER_EQUAL, j->sync.va + SEQ_CP, k + 1, 0xffffffff);
	n += sdma_copy(p + n, dst, src, s->split);
	n += sdma_copy(p + n, dst + s->split, src + s->split, TILE_BYTES - s->split);
	n += sdma_fill(p + n, fill, s->fill_value, s->fill_len);
	n += sdma_atomic_add64(p + n, tile_va(j, s->add_tile) + s->add_off, s->add_value);
	return n + sdma_fence(p + n, j->sync.va + SEQ_SDMA, k + 1);
}

/* Tell the host that all steps before @k are done: a count, a mailbox, an interrupt. */
static void emit_batch_end(struct job *j, uint32_t k)
{
	uint64_t cp_box = j->cp_event->EventData.HWData2;
	uint64_t sdma_box = j->sdma_event->EventData.HWData2;
	uint32_t cp_id = j->cp_event->EventId, sdma_id = j->sdma_event->EventId;
	uint32_t pkt[32], n;

	n = pm4_release_mem(pkt, PM4_DATA_64, j->sync.va + DONE_CP, k, 0);
	n += pm4_release_mem(pkt + n, PM4_DATA_32, cp_box, cp_id, cp_id);
	gpu_queue_put(&j->cp, pkt, n);

	n = sdma_fence(pkt, j->sync.va + DONE_SDMA, k);
	n += sdma_fence(pkt + n, sdma_box, sdma_id);
	n += sdma_trap(pkt + n, sdma_id);
	gpu_queue_put(&j->sdma, pkt, n);
}

/* Put the next batch into both rings. Every second one runs from an indirect buffer. */
static void submit(struct job *j)
{
	uint32_t todo = j->steps - j->queued < BATCH ? j->steps - j->queued : BATCH;
	uint32_t batch = j->queued / BATCH;
	uint32_t slot = batch % (AHEAD + 1) * IB_DWORDS;
	uint32_t *ib = (uint32_t *)j->ib.cpu + slot;
	uint32_t pkt[64], in_ib = 0, n;
	struct step s;

	for (uint32_t i = 0; i < todo; i++) {
		uint32_t k = j->queued + i;

		chain_next(&j->chain, &s);
		if (batch & 1) {
			in_ib += emit_cp_step(j, ib + in_ib, k, &s);
		} else {
			n = emit_cp_step(j, pkt, k, &s);
			gpu_queue_put(&j->cp, pkt, n);
		}
		n = emit_sdma_step(j, pkt, k, &s);
		gpu_queue_put(&j->sdma, pkt, n);
	}
	if (in_ib) {
		n = pm4_indirect_buffer(pkt, j->ib.va + slot * 4ul, in_ib);
		gpu_queue_put(&j->cp, pkt, n);
	}
	j->queued += todo;
	emit_batch_end(j, j->queued);
	gpu_queue_ring(&j->cp);
	gpu_queue_ring(&j->sdma);
}

static uint32_t steps_done(const struct job *j)
{
	uint32_t cp = __atomic_load_n((uint32_t *)(j->sync.cpu + DONE_CP), __ATOMIC_ACQUIRE);
	uint32_t sdma = __atomic_load_n((uint32_t *)(j->sync.cpu + DONE_SDMA), __ATOMIC_ACQUIRE);

	return cp < sdma ? cp : sdma;
}

/* Sleep until more steps are done than @before. Only an event may wake us. */
static void wait_progress(struct job *j, uint32_t before)
{
	while (steps_done(j) <= before) {
		uint32_t cp = *(volatile uint32_t *)(j->sync.cpu + DONE_CP);
		HsaEvent *event = cp <= before ? j->cp_event : j->sdma_event;

		if (gpu_event_wait(event, EVENT_MS)) {
			j->woken++;
			continue;
		}
		die("step %u: no event from the %s queue in %u s (done: compute %u, SDMA %u)",
		    before, event == j->cp_event ? "compute" : "SDMA", EVENT_MS / 1000,
		    *(volatile uint32_t *)(j->sync.cpu + DONE_CP),
		    *(volatile uint32_t *)(j->sync.cpu + DONE_SDMA));
	}
}

static void run_chain(struct job *j)
{
	double last = now();

	while (j->done < j->steps) {
		while (j->queued < j->steps && j->queued - j->done <= (AHEAD - 1) * BATCH)
			submit(j);
		wait_progress(j, j->done);
		j->done = steps_done(j);
		if (now() - last > j->pause)
			j->pause = now() - last;
		last = now();
		status(j, "running");
	}
}

static void setup(struct job *j)
{
	gpu_open(&j->gpu);
	printf("GPU: gfx%u, %" PRIu64 " MiB VRAM\n", j->gpu.target, j->gpu.vram >> 20);
	gpu_alloc(&j->gpu, &j->vram, GPU_VRAM, (size_t)j->vram_tiles * TILE_BYTES);
	gpu_alloc(&j->gpu, &j->gtt, GPU_GTT, (size_t)j->gtt_tiles * TILE_BYTES);
	gpu_alloc(&j->gpu, &j->host, GPU_USERPTR, (size_t)j->host_tiles * TILE_BYTES);
	gpu_alloc(&j->gpu, &j->sync, GPU_GTT, 4096);
	gpu_alloc(&j->gpu, &j->ib, GPU_HOST, ((AHEAD + 1) * IB_DWORDS * 4 + 4095) & ~4095u);
	memset(j->sync.cpu, 0, 4096);
	j->cp_event = gpu_event_create(&j->gpu);
	j->sdma_event = gpu_event_create(&j->gpu);
	gpu_queue_create(&j->gpu, &j->cp, 0, GPU_GTT, RING_DWORDS);
	gpu_queue_create(&j->gpu, &j->sdma, 1, GPU_HOST, RING_DWORDS);
	for (uint32_t t = 0; t < j->tiles; t++)
		chain_fill_tile(tile_cpu(j, t), j->seed, t);
	printf("memory: %u MiB VRAM, %u MiB GTT, %u MiB registered\n", j->vram_tiles,
	       j->gtt_tiles, j->host_tiles);
	printf("queues: compute is %llu, SDMA is %llu\n",
	       (unsigned long long)j->cp.res.QueueId, (unsigned long long)j->sdma.res.QueueId);
}

/* The same steps in plain memory; 1 when every byte agrees. */
static int verify(const struct job *j)
{
	uint8_t **tile = calloc(j->tiles, sizeof(*tile));
	uint64_t want = 0, got = 0, bad = 0;
	struct chain chain;
	struct step s;
	uint8_t *mem;

	mem = mmap(NULL, (size_t)j->tiles * TILE_BYTES, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!tile || mem == MAP_FAILED)
		die("no memory for the comparison");
	for (uint32_t t = 0; t < j->tiles; t++) {
		tile[t] = mem + (size_t)t * TILE_BYTES;
		chain_fill_tile(tile[t], j->seed, t);
	}
	chain_start(&chain, j->seed, j->tiles);
	for (uint32_t k = 0; k < j->steps; k++) {
		chain_next(&chain, &s);
		chain_replay_step(tile, &s);
	}
	for (uint32_t t = 0; t < j->tiles; t++) {
		const uint8_t *gpu = tile_cpu(j, t);

		want = chain_checksum(want, tile[t], TILE_BYTES);
		got = chain_checksum(got, gpu, TILE_BYTES);
		if (!memcmp(gpu, tile[t], TILE_BYTES))
			continue;
		for (uint32_t i = 0; i < TILE_BYTES; i++) {
			if (gpu[i] == tile[t][i])
				continue;
			if (!bad++)
				printf("first difference: tile %u byte %u: %02x, not %02x\n",
				       t, i, gpu[i], tile[t][i]);
		}
	}
	printf("checksum by GPU: %016" PRIx64 "\nchecksum by CPU: %016" PRIx64 "\n", got, want);
	printf("bytes compared: %" PRIu64 ", different: %" PRIu64 "\n",
	       (uint64_t)j->tiles * TILE_BYTES, bad);
	munmap(mem, (size_t)j->tiles * TILE_BYTES);
	free(tile);
	return !bad && got == want;
}

static uint32_t number(const char *opt, uint32_t min, uint32_t max)
{
	char *end;
	unsigned long v = strtoul(opt, &end, 0);

	if (!*opt || *end || v < min || v > max)
		die("%s: not a number from %u to %u", opt, min, max);
	return v;
}

static void parse(struct job *j, int argc, char **argv)
{
	static const struct option opts[] = {
		{ "steps", required_argument, NULL, 'n' },
		{ "vram", required_argument, NULL, 'v' },
		{ "gtt", required_argument, NULL, 'g' },
		{ "userptr", required_argument, NULL, 'u' },
		{ "seed", required_argument, NULL, 's' },
		{ "status", required_argument, NULL, 'f' },
		{ NULL, 0, NULL, 0 }
	};
	int c;

	while ((c = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		if (c == 'n')
			j->steps = number(optarg, 1, 10000000 - 1);
		else if (c == 'v')
			j->vram_tiles = number(optarg, 1, 65536);
		else if (c == 'g')
			j->gtt_tiles = number(optarg, 1, 65536);
		else if (c == 'u')
			j->host_tiles = number(optarg, 1, 65536);
		else if (c == 's')
			j->seed = number(optarg, 0, UINT32_MAX);
		else if (c == 'f')
			j->status_fd = open(optarg, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		else
			die("usage: gpu_chain [--steps N] [--vram MiB] [--gtt MiB] [--userptr MiB] "
			    "[--seed N] [--status FILE]");
		if (c == 'f' && j->status_fd < 0)
			die("%s: %s", optarg, strerror(errno));
	}
	if (optind != argc)
		die("unknown argument %s", argv[optind]);
	j->tiles = j->vram_tiles + j->gtt_tiles + j->host_tiles;
}

int main(int argc, char **argv)
{
	static struct job job = {
		.steps = 4096, .vram_tiles = 256, .gtt_tiles = 16, .host_tiles = 16,
		.seed = 20260101, .status_fd = -1,
	};
	struct job *j = &job;
	double start;
	int good;

	setvbuf(stdout, NULL, _IOLBF, 0);
	parse(j, argc, argv);
	status(j, "starting");
	setup(j);
	chain_start(&j->chain, j->seed, j->tiles);

	start = now();
	run_chain(j);
	printf("%u steps in %.1f s, woken %" PRIu64 " times by events, longest pause %.1f s\n",
	       j->steps, now() - start, j->woken, j->pause);
	status(j, "checking");
	good = verify(j);
	gpu_queue_destroy(&j->cp);
	gpu_queue_destroy(&j->sdma);
	hsaKmtDestroyEvent(j->cp_event);
	hsaKmtDestroyEvent(j->sdma_event);
	gpu_close();
	printf("result: %s\n", good ? "right" : "WRONG");
	status(j, good ? "passed" : "failed");
	return !good;
}
