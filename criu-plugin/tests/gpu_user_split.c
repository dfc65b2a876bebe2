// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mode "split" of gpu_user: mappings of a buffer, of doorbells and of the
 * event page of which munmap(), mprotect() and mremap() have left pieces. They
 * have to be there as they were, with their protections and their holes, and
 * show the memory that the GPU sees.
 */
#define _GNU_SOURCE
#include "gpu_user.h"

#include <linux/kfd_ioctl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "lib/kfd_lib.h"
#include "lib/kfd_packets.h"

#define PAGES		1280ul			/* of the buffer: 5 MiB */
#define BYTES		(PAGES * KFD_PAGE)
#define ELSEWHERE	0x180000000000ull
#define EVENTS		(2ULL << 62)
#define SEED		13
#define PATIENCE	30000			/* milliseconds */

struct split {
	struct kfd k;
	struct kfd_queue q;
	struct kfd_bo bo, copy;
	char *moved;				/* pages 600 .. 699 */
	char *again;				/* pages 50 .. 59, mapped apart */
	volatile uint64_t *slots;		/* event page, from its second page on */
	char *want;
	char before[16384], after[16384];
};

/* All mappings of devices: address, protection, name; offsets may change. */
static void list_maps(char *text, size_t size)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[512], range[64], prot[8];
	size_t len = 0;
	char *name;

	REQUIRE(f);
	text[0] = '\0';
	while (fgets(line, sizeof(line), f)) {
		name = strstr(line, "/dev/dri");
		if (!name)
			name = strstr(line, "/dev/kfd");
		if (!name || sscanf(line, "%63s %7s", range, prot) != 2)
			continue;
		len += snprintf(text + len, size - len, "%s %s %s", range, prot, name);
		REQUIRE(len < size);
	}
	fclose(f);
}

static void *map(int fd, uint64_t offset, uint64_t bytes, int prot, int flags)
{
	void *p = mmap(NULL, bytes, prot, flags, fd, (off_t)offset);

	REQUIRE(p != MAP_FAILED);
	return p;
}

static char *page(const struct split *s, unsigned int n)
{
	return (char *)s->bo.cpu + n * KFD_PAGE;
}

static void split_buffer(struct split *s)
{
	int drm = s->k.gpu[0].drm_fd;
	char *reserved;

	REQUIRE_OK(kfd_bo_create(&s->k, 0, MEM_VRAM, BYTES, &s->bo));
	kfd_fill_pattern(s->bo.cpu, BYTES, SEED);
	s->again = map(drm, s->bo.offset, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED);
	REQUIRE(!munmap(s->again, 50 * KFD_PAGE));
	REQUIRE(!munmap(s->again + 60 * KFD_PAGE, BYTES - 60 * KFD_PAGE));
	s->again += 50 * KFD_PAGE;
	/* As libhsakmt reserves, half of it given back. */
	reserved = map(drm, s->bo.offset, BYTES, PROT_NONE, MAP_PRIVATE);
	REQUIRE(!munmap(reserved, BYTES / 2));

	REQUIRE(!munmap(page(s, 0), KFD_PAGE));
	REQUIRE(!mprotect(page(s, 3), KFD_PAGE, PROT_READ));
	REQUIRE(!munmap(page(s, 10), 3 * KFD_PAGE));
	REQUIRE(!mprotect(page(s, 20), 2 * KFD_PAGE, PROT_NONE));
	s->moved = mremap(page(s, 600), 100 * KFD_PAGE, 100 * KFD_PAGE,
			  MREMAP_MAYMOVE | MREMAP_FIXED, (void *)ELSEWHERE);
	REQUIRE(s->moved == (void *)ELSEWHERE);
}

static void split_events(struct split *s)
{
	struct kfd_ioctl_create_event_args ev;
	char *p;

	REQUIRE_OK(kfd_event_create(&s->k, KFD_IOC_EVENT_SIGNAL, false, &ev));
	p = map(s->k.fd, EVENTS, KFD_EVENT_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED);
	REQUIRE(!munmap(p, KFD_PAGE));
	REQUIRE(!mprotect(p + 4 * KFD_PAGE, KFD_PAGE, PROT_READ));
	s->slots = (volatile uint64_t *)(p + KFD_PAGE);
}

/* The queue keeps the page that it needs, and there is the other one alone. */
static void split_doorbells(struct split *s)
{
	uint64_t slice = s->q.doorbell_offset & ~(2 * KFD_PAGE - 1);
	bool high = s->q.doorbell_offset & KFD_PAGE;
	char *whole = s->q.doorbell_page, *other;

	REQUIRE(!munmap(whole + (high ? 0 : KFD_PAGE), KFD_PAGE));
	other = map(s->k.fd, slice, 2 * KFD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	REQUIRE(!munmap(other + (high ? KFD_PAGE : 0), KFD_PAGE));
}

/* What the GPU reads of the buffer. */
static void check_gpu(struct split *s)
{
	uint32_t packet[16];

	memset(s->copy.cpu, 0, BYTES);
	REQUIRE_OK(kfd_queue_run(&s->q, packet,
				 sdma_copy(packet, s->copy.va, s->bo.va, BYTES / 2)));
	REQUIRE_OK(kfd_queue_run(&s->q, packet,
				 sdma_copy(packet, s->copy.va + BYTES / 2, s->bo.va + BYTES / 2,
					   BYTES / 2)));
	REQUIRE(!memcmp(s->copy.cpu, s->want, BYTES));
}

static void check_range(struct split *s, const char *at, unsigned int first, unsigned int nr)
{
	if (!memcmp(at, s->want + first * KFD_PAGE, nr * KFD_PAGE))
		return;
	report("pages %u .. %u are not what they were", first, first + nr - 1);
	_exit(1);
}

static void check_pieces(struct split *s)
{
	check_range(s, page(s, 1), 1, 9);
	check_range(s, page(s, 13), 13, 7);
	check_range(s, page(s, 22), 22, 578);
	check_range(s, page(s, 700), 700, PAGES - 700);
	check_range(s, s->moved, 600, 100);
	check_range(s, s->again, 50, 10);
	REQUIRE(!mprotect(page(s, 20), 2 * KFD_PAGE, PROT_READ));
	check_range(s, page(s, 20), 20, 2);
	REQUIRE(!mprotect(page(s, 20), 2 * KFD_PAGE, PROT_NONE));
}

/* Some of what is written through each piece. */
static void write_pieces(struct split *s)
{
	static const unsigned int pages[] = { 1, 4, 13, 22, 599, 700, PAGES - 1 };
	unsigned int i;

	for (i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		memset(page(s, pages[i]), i + 1, KFD_PAGE);
	for (i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		memset(s->want + pages[i] * KFD_PAGE, i + 1, KFD_PAGE);
	memset(s->moved + 99 * KFD_PAGE, 0x61, KFD_PAGE);
	memset(s->want + 699 * KFD_PAGE, 0x61, KFD_PAGE);
	memset(s->again + 5 * KFD_PAGE, 0x62, KFD_PAGE);
	memset(s->want + 55 * KFD_PAGE, 0x62, KFD_PAGE);
}

/** use_split() - mappings in pieces */
void use_split(void)
{
	struct split *s = calloc(1, sizeof(*s));

	REQUIRE(s);
	s->want = malloc(BYTES);
	REQUIRE(s->want);
	kfd_fill_pattern(s->want, BYTES, SEED);
	REQUIRE_OK(kfd_start(&s->k));
	split_buffer(s);
	REQUIRE_OK(kfd_bo_create(&s->k, 0, MEM_GTT, BYTES, &s->copy));
	REQUIRE_OK(kfd_queue_create(&s->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, 4096, &s->q));
	split_doorbells(s);
	split_events(s);
	list_maps(s->before, sizeof(s->before));

	wait_signal();
	check_fds(0);
	list_maps(s->after, sizeof(s->after));
	if (strcmp(s->before, s->after)) {
		report("mappings before:\n%sand after:\n%s", s->before, s->after);
		_exit(1);
	}
	check_pieces(s);
	check_gpu(s);
	write_pieces(s);
	check_pieces(s);
	check_gpu(s);
	s->slots[5] = 1;
	REQUIRE(s->slots[5] == 1);
}
