// SPDX-License-Identifier: GPL-2.0-only
/*
 * States of a buffer's CPU mapping: in pieces, in part, elsewhere, or left
 * behind by a buffer that is gone.
 */
#define _GNU_SOURCE
#include "kind.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define PAGES		16ul
#define BYTES		(PAGES * KFD_PAGE)
#define SEED		0x5117

static struct kfd_bo bo;
static char *moved;

static void new_buffer(void)
{
	REQUIRE_OK(kfd_bo_create(&work.k, 0, MEM_VRAM, BYTES, &bo));
	kfd_fill_pattern(bo.cpu, BYTES, SEED);
}

/* Permissions of the mapping that an address is in, or "" where there is none. */
static const char *permissions(const char *at, char perms[5])
{
	FILE *f = fopen("/proc/self/maps", "re");
	unsigned long start, end;
	char line[512];

	REQUIRE(f);
	strcpy(perms, "");
	while (fgets(line, sizeof(line), f)) {
		char found[5];

		if (sscanf(line, "%lx-%lx %4s", &start, &end, found) == 3 &&
		    start <= (uintptr_t)at && (uintptr_t)at < end)
			strcpy(perms, found);
	}
	fclose(f);
	return perms;
}

static void must_be(unsigned long page, unsigned long npages, const char *want)
{
	char perms[5], *at = (char *)(uintptr_t)bo.va;
	unsigned long i;

	for (i = page; i < page + npages; i++)
		if (strcmp(permissions(at + i * KFD_PAGE, perms), want)) {
			report("page %lu is \"%s\", was \"%s\"", i, perms, want);
			_exit(1);
		}
}

/* All of it through a new mapping. */
static void contents_check(void)
{
	char *p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
		       work.k.gpu[0].drm_fd, bo.offset);

	/* A restored buffer may lie elsewhere; then the old pieces are what there is. */
	if (p == MAP_FAILED)
		return;
	munmap(p, BYTES);
}

static void page_check(const char *at, unsigned long page)
{
	uint32_t *want = malloc(BYTES);

	REQUIRE(want);
	kfd_fill_pattern(want, BYTES, SEED);
	if (memcmp(at, want + page * KFD_PAGE / 4, KFD_PAGE)) {
		report("page %lu is not what it was", page);
		_exit(1);
	}
	free(want);
}

static void pages_check(unsigned long page, unsigned long npages)
{
	unsigned long i;

	for (i = page; i < page + npages; i++)
		page_check((char *)(uintptr_t)bo.va + i * KFD_PAGE, i);
}

static void hole_setup(void)
{
	new_buffer();
	REQUIRE(!munmap((char *)bo.cpu + 4 * KFD_PAGE, 4 * KFD_PAGE));
}

static void hole_check(void)
{
	must_be(0, 4, "rw-s");
	must_be(4, 4, "");
	must_be(8, 8, "rw-s");
	pages_check(0, 4);
	pages_check(8, 8);
	contents_check();
}

static void first_gone_setup(void)
{
	new_buffer();
	REQUIRE(!munmap(bo.cpu, KFD_PAGE));
}

static void first_gone_check(void)
{
	must_be(0, 1, "");
	must_be(1, 15, "rw-s");
	pages_check(1, 15);
}

static void protections_setup(void)
{
	new_buffer();
	REQUIRE(!mprotect((char *)bo.cpu + 4 * KFD_PAGE, 4 * KFD_PAGE, PROT_READ));
	REQUIRE(!mprotect((char *)bo.cpu + 8 * KFD_PAGE, 4 * KFD_PAGE, PROT_NONE));
}

static void protections_check(void)
{
	must_be(0, 4, "rw-s");
	must_be(4, 4, "r--s");
	must_be(8, 4, "---s");
	must_be(12, 4, "rw-s");
	REQUIRE(!mprotect((char *)bo.cpu + 8 * KFD_PAGE, 4 * KFD_PAGE, PROT_READ));
	pages_check(0, 16);
}

static void moved_piece_setup(void)
{
	new_buffer();
	moved = (char *)(uintptr_t)kfd_reserve_va(&work.k, BYTES);
	REQUIRE(mremap((char *)bo.cpu + 12 * KFD_PAGE, 4 * KFD_PAGE, 4 * KFD_PAGE,
		       MREMAP_MAYMOVE | MREMAP_FIXED, moved) == moved);
}

static void moved_piece_check(void)
{
	unsigned long i;

	must_be(0, 12, "rw-s");
	must_be(12, 4, "");
	pages_check(0, 12);
	for (i = 0; i < 4; i++)
		page_check(moved + i * KFD_PAGE, 12 + i);
}

static void reserved_setup(void)
{
	REQUIRE_OK(kfd_bo_alloc(&work.k, 0, MEM_VRAM, BYTES, &bo));
	bo.cpu = mmap((void *)(uintptr_t)bo.va, BYTES, PROT_NONE,
		      MAP_PRIVATE | MAP_FIXED_NOREPLACE, work.k.gpu[0].drm_fd, bo.offset);
	REQUIRE(bo.cpu != MAP_FAILED);
}

static void reserved_check(void)
{
	must_be(0, 16, "---p");
}

/* The mapping keeps the memory; nothing else does. */
static void freed_setup(void)
{
	new_buffer();
	REQUIRE_OK(kfd_bo_unmap_gpu(&work.k, &bo, 0));
	REQUIRE_OK(kfd_bo_free(&work.k, &bo));
}

static void freed_check(void)
{
	pages_check(0, 16);
}

const struct kind mapping_kinds[] = {
	{ .name = "mapping_hole", .gpus = 1, .setup = hole_setup, .check = hole_check },
	{ .name = "mapping_first_gone", .gpus = 1, .setup = first_gone_setup,
	  .check = first_gone_check },
	{ .name = "mapping_protections", .gpus = 1, .setup = protections_setup,
	  .check = protections_check },
	{ .name = "mapping_moved_piece", .gpus = 1, .setup = moved_piece_setup,
	  .check = moved_piece_check },
	{ .name = "mapping_reserved", .gpus = 1, .setup = reserved_setup,
	  .check = reserved_check },
	{ .name = "mapping_of_freed", .gpus = 1, .setup = freed_setup, .check = freed_check,
	  .refused = "kfd_plugin: Error: .* where no buffer of KFD's is" },
	{ .name = NULL },
};
