// SPDX-License-Identifier: GPL-2.0-only
/*
 * target: a process that holds memory and then sleeps, for criu to dump.
 *
 * target WORD VRAM_MIB ANON_MIB: with VRAM it opens the GPU by libhsakmt, has
 * a compute and an SDMA queue that did a little work and are idle now, and an
 * event; without, it never touches the driver. Both kinds of memory are filled
 * with the same pattern. The file WORD says "ready" when all of that is done.
 * After SIGUSR1 it says "right", if all memory is as it was and the queues do a
 * little more work, or else what is wrong.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../demo/chain.h"
#include "../demo/gpu.h"
#include "lib/kfd_packets.h"

struct held {
	struct gpu gpu;
	struct gpu_buf vram, word;
	struct gpu_queue queue[2];
	HsaEvent *event;
	uint8_t *anon;
	size_t vram_mib, anon_mib;
};

static void fill(uint8_t *mem, size_t mib)
{
	for (size_t i = 0; i < mib; i++)
		chain_fill_tile(mem + i * TILE_BYTES, 1, i);
}

static bool is_filled(const uint8_t *mem, size_t mib)
{
	static uint8_t tile[TILE_BYTES];

	for (size_t i = 0; i < mib; i++) {
		chain_fill_tile(tile, 1, i);
		if (memcmp(tile, mem + i * TILE_BYTES, TILE_BYTES))
			return false;
	}
	return true;
}

/* Have a queue write a number and signal; it is idle when this is over. */
static bool use_queue(struct held *h, int sdma, uint32_t number)
{
	uint64_t box = h->event->EventData.HWData2;
	uint32_t pkt[32], id = h->event->EventId, n;

	memset(h->word.cpu, 0, 4096);
	if (sdma) {
		n = sdma_fence(pkt, h->word.va, number);
		n += sdma_fence(pkt + n, box, id);
		n += sdma_trap(pkt + n, id);
	} else {
		n = pm4_release_mem(pkt, PM4_DATA_32, h->word.va, number, 0);
		n += pm4_release_mem(pkt + n, PM4_DATA_32, box, id, id);
	}
	gpu_queue_put(&h->queue[sdma], pkt, n);
	gpu_queue_ring(&h->queue[sdma]);
	return gpu_event_wait(h->event, 60000) && *(volatile uint32_t *)h->word.cpu == number;
}

static void take_gpu(struct held *h)
{
	gpu_open(&h->gpu);
	gpu_alloc(&h->gpu, &h->vram, GPU_VRAM, h->vram_mib * TILE_BYTES);
	fill(h->vram.cpu, h->vram_mib);
	h->event = gpu_event_create(&h->gpu);
	gpu_alloc(&h->gpu, &h->word, GPU_GTT, 4096);
	gpu_queue_create(&h->gpu, &h->queue[0], 0, GPU_GTT, 1024);
	gpu_queue_create(&h->gpu, &h->queue[1], 1, GPU_HOST, 1024);
	for (int sdma = 0; sdma < 2; sdma++)
		if (!use_queue(h, sdma, 1))
			die("the %s queue does not work", sdma ? "SDMA" : "compute");
}

static const char *check(struct held *h)
{
	if (!is_filled(h->anon, h->anon_mib))
		return "its memory is not what it was";
	if (!h->vram_mib)
		return "right";
	if (!is_filled(h->vram.cpu, h->vram_mib))
		return "its VRAM is not what it was";
	if (!use_queue(h, 0, 2))
		return "its compute queue does not work";
	return use_queue(h, 1, 3) ? "right" : "its SDMA queue does not work";
}

/* All of it at once, for who waits for the file. */
static void say(const char *path, const char *word)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, word, strlen(word)) != (ssize_t)strlen(word))
		die("cannot write %s", path);
	close(fd);
}

int main(int argc, char **argv)
{
	static struct held h;
	sigset_t asked;
	int sig;

	if (argc != 4)
		die("usage: target WORD VRAM_MIB ANON_MIB");
	sigemptyset(&asked);
	sigaddset(&asked, SIGUSR1);
	sigprocmask(SIG_BLOCK, &asked, NULL);
	h.vram_mib = strtoul(argv[2], NULL, 0);
	h.anon_mib = strtoul(argv[3], NULL, 0);
	if (h.vram_mib)
		take_gpu(&h);
	if (h.anon_mib) {
		h.anon = mmap(NULL, h.anon_mib * TILE_BYTES, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (h.anon == MAP_FAILED)
			die("no memory");
		fill(h.anon, h.anon_mib);
	}
	say(argv[1], "ready");
	while (!sigwait(&asked, &sig))
		say(argv[1], check(&h));
	die("sigwait");
}
