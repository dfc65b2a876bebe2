// SPDX-License-Identifier: GPL-2.0-only
/*
 * How fast contents are saved and loaded, against memcpy().
 *
 * bench_contents [MIB [DIRECTORY]]: for three kinds of buffers, prints MB/s of
 * memcpy() into memory that is there, of memcpy() into new memory (what a new
 * file on tmpfs is, too), of saving and of loading, and the ratio of saving to
 * the first.
 */
#define _GNU_SOURCE
#include "contents.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define CHUNK	(256 * 1024UL)

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static double rate(size_t size, double start)
{
	return size / 1e6 / (now() - start);
}

static void copy(char *to, const char *from, size_t size)
{
	size_t at;

	for (at = 0; at < size; at += CHUNK)
		memcpy(to + at, from + at, CHUNK);
	__asm__ volatile("" : : "r"(to) : "memory");
}

static void fill(char *p, size_t size, unsigned int part)
{
	uint64_t x = 1;
	size_t at, i;

	for (at = 0; at < size; at += 4096)
		for (i = 0; at / 4096 % 4 < part && i < 4096; i += 8) {
			x = x * 6364136223846793005ULL + 1;
			*(uint64_t *)(p + at + i) = x;
		}
}

static int bench(size_t size, const char *dir, unsigned int part, const char *name)
{
	struct contents_obj obj = {
		.fd = memfd_create("bo", MFD_CLOEXEC), .size = size,
		.recs = calloc(contents_nr_chunks(size), sizeof(struct chunk_rec)),
	};
	int files[CONTENTS_MAX_FILES];
	uint64_t sizes[CONTENTS_MAX_FILES];
	struct contents_job job = {
		.objs = &obj, .nr_objs = 1, .files = files, .file_sizes = sizes,
		.nr_files = contents_default_threads(), .threads = contents_default_threads(),
	};
	double again, fresh, save, load, t;
	char *buf, *to;
	unsigned int i;

	if (obj.fd < 0 || ftruncate(obj.fd, size) || !obj.recs)
		return 1;
	buf = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, obj.fd, 0);
	to = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buf == MAP_FAILED || to == MAP_FAILED)
		return 1;
	memset(buf, 0, size);
	fill(buf, size, part);
	t = now();
	copy(to, buf, size);
	fresh = rate(size, t);
	t = now();
	copy(to, buf, size);
	again = rate(size, t);
	munmap(to, size);
	for (i = 0; i < job.nr_files; i++) {
		files[i] = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		sizes[i] = CONTENTS_DATA_START;
		if (files[i] < 0)
			return 1;
	}
	t = now();
	if (contents_save(&job))
		return 1;
	save = rate(size, t);
	t = now();
	if (contents_load(&job))
		return 1;
	load = rate(size, t);
	printf("%-5s memcpy %6.0f  memcpy new %6.0f  save %6.0f  load %6.0f MB/s  ratio %.2f\n",
	       name, again, fresh, save, load, save / again);
	for (i = 0; i < job.nr_files; i++)
		close(files[i]);
	munmap(buf, size);
	close(obj.fd);
	free(obj.recs);
	return 0;
}

int main(int argc, char **argv)
{
	size_t size = (argc > 1 ? strtoul(argv[1], NULL, 0) : 256) << 20;
	const char *dir = argc > 2 ? argv[2] : "/dev/shm";

	return bench(size, dir, 4, "full") || bench(size, dir, 2, "half") ||
	       bench(size, dir, 0, "zero");
}
