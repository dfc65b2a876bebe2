// SPDX-License-Identifier: GPL-2.0-only
/*
 * target: a process that holds memory and then sleeps, for criu to dump.
 *
 * target READY VRAM_MIB ANON_MIB: with VRAM it opens the GPU by libhsakmt, has
 * a compute and an SDMA queue that did a little work and are idle now, and an
 * event; without, it never touches the driver. Both kinds of memory are filled
 * with the same pattern. The file READY appears when all of that is done.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../demo/chain.h"
#include "../demo/gpu.h"
#include "lib/kfd_packets.h"

static void fill(uint8_t *mem, size_t mib)
{
	for (size_t i = 0; i < mib; i++)
		chain_fill_tile(mem + i * TILE_BYTES, 1, i);
}

/* Have a queue write a word and signal; it is idle when this is over. */
static void use_queue(const struct gpu *gpu, HsaEvent *event, int sdma)
{
	uint64_t box = event->EventData.HWData2;
	uint32_t pkt[32], id = event->EventId, n;
	struct gpu_queue q;
	struct gpu_buf word;

	gpu_alloc(gpu, &word, GPU_GTT, 4096);
	memset(word.cpu, 0, 4096);
	gpu_queue_create(gpu, &q, sdma, sdma ? GPU_HOST : GPU_GTT, 1024);
	if (sdma) {
		n = sdma_fence(pkt, word.va, 1);
		n += sdma_fence(pkt + n, box, id);
		n += sdma_trap(pkt + n, id);
	} else {
		n = pm4_release_mem(pkt, PM4_DATA_32, word.va, 1, 0);
		n += pm4_release_mem(pkt + n, PM4_DATA_32, box, id, id);
	}
	gpu_queue_put(&q, pkt, n);
	gpu_queue_ring(&q);
	if (!gpu_event_wait(event, 60000) || *(volatile uint32_t *)word.cpu != 1)
		die("the %s queue does not work", sdma ? "SDMA" : "compute");
}

int main(int argc, char **argv)
{
	struct gpu_buf vram;
	struct gpu gpu;
	HsaEvent *event;
	size_t vram_mib, anon_mib;
	uint8_t *anon;
	int fd;

	if (argc != 4)
		die("usage: target READY VRAM_MIB ANON_MIB");
	vram_mib = strtoul(argv[2], NULL, 0);
	anon_mib = strtoul(argv[3], NULL, 0);
	if (vram_mib) {
		gpu_open(&gpu);
		gpu_alloc(&gpu, &vram, GPU_VRAM, vram_mib * TILE_BYTES);
		fill(vram.cpu, vram_mib);
		event = gpu_event_create(&gpu);
		use_queue(&gpu, event, 0);
		use_queue(&gpu, event, 1);
	}
	if (anon_mib) {
		anon = mmap(NULL, anon_mib * TILE_BYTES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (anon == MAP_FAILED)
			die("no memory");
		fill(anon, anon_mib);
	}
	fd = open(argv[1], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		die("cannot create %s", argv[1]);
	close(fd);
	for (;;)
		pause();
}
