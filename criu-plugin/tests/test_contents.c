// SPDX-License-Identifier: GPL-2.0-only
/*
 * The contents engine on memfds in place of buffers.
 */
#define _GNU_SOURCE
#include "contents.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "ktap.h"

#define MIB	(1024 * 1024UL)

static int new_file(void)
{
	int fd = memfd_create("contents", MFD_CLOEXEC);

	CHECK(fd >= 0 && !ftruncate(fd, CONTENTS_DATA_START));
	return fd;
}

static int new_buffer(uint64_t size)
{
	int fd = memfd_create("buffer", MFD_CLOEXEC);

	CHECK(fd >= 0 && !ftruncate(fd, size));
	return fd;
}

/* Data that no other place in any buffer has; @part of 16 pages get some. */
static void fill(int fd, uint64_t size, uint64_t seed, unsigned int part)
{
	uint64_t page[CONTENTS_PAGE / 8], at, x = seed * 2 + 1;
	unsigned int i;

	for (at = 0; at < size; at += CONTENTS_PAGE) {
		x = x * 6364136223846793005ULL + 1442695040888963407ULL;
		if ((x >> 40) % 16 >= part)
			continue;
		for (i = 0; i < CONTENTS_PAGE / 8; i++)
			page[i] = x ^ (i * 0x9e3779b97f4a7c15ULL);
		CHECK(pwrite(fd, page, sizeof(page), at) == sizeof(page));
	}
}

static bool same(int a, int b, uint64_t size)
{
	char *x = mmap(NULL, size, PROT_READ, MAP_SHARED, a, 0);
	char *y = mmap(NULL, size, PROT_READ, MAP_SHARED, b, 0);
	bool ret = x != MAP_FAILED && y != MAP_FAILED && !memcmp(x, y, size);

	munmap(x, size);
	munmap(y, size);
	return ret;
}

static struct contents_obj new_obj(uint64_t size)
{
	struct contents_obj obj = {
		.fd = new_buffer(size), .size = size,
		.recs = calloc(contents_nr_chunks(size), sizeof(struct chunk_rec)),
	};

	CHECK(obj.recs);
	/* what save leaves undone must not look like an empty chunk */
	memset(obj.recs, 0xff, contents_nr_chunks(size) * sizeof(struct chunk_rec));
	return obj;
}

struct setup {
	struct contents_obj objs[8];
	int files[CONTENTS_MAX_FILES];
	uint64_t sizes[CONTENTS_MAX_FILES];
	struct contents_job job;
};

static void prepare(struct setup *s, unsigned int nr, unsigned int threads)
{
	unsigned int i;

	for (i = 0; i < threads; i++) {
		s->files[i] = new_file();
		s->sizes[i] = CONTENTS_DATA_START;
	}
	s->job = (struct contents_job) {
		.objs = s->objs, .nr_objs = nr, .files = s->files,
		.file_sizes = s->sizes, .nr_files = threads, .threads = threads,
	};
}

/* Load into buffers that are full of something else. */
static void load_and_compare(struct setup *s)
{
	int saved[8];
	unsigned int i;

	for (i = 0; i < s->job.nr_objs; i++) {
		saved[i] = s->objs[i].fd;
		s->objs[i].fd = new_buffer(s->objs[i].size);
		fill(s->objs[i].fd, s->objs[i].size, 1000 + i, 16);
	}
	CHECK(!contents_load(&s->job));
	for (i = 0; i < s->job.nr_objs; i++)
		CHECK(same(saved[i], s->objs[i].fd, s->objs[i].size));
}

static void test_round_trip(void)
{
	static const uint64_t sizes[] = {
		CONTENTS_PAGE, CONTENTS_CHUNK, CONTENTS_CHUNK + CONTENTS_PAGE,
		CONTENTS_WINDOW, CONTENTS_WINDOW + CONTENTS_PAGE, 3 * CONTENTS_PAGE,
		40 * MIB, CONTENTS_WINDOW - CONTENTS_PAGE,
	};
	unsigned int threads, i;

	for (threads = 1; threads <= CONTENTS_MAX_FILES; threads++) {
		struct setup s;

		for (i = 0; i < 8; i++) {
			s.objs[i] = new_obj(sizes[i]);
			fill(s.objs[i].fd, sizes[i], i, 2 * (i + 1));
		}
		prepare(&s, 8, threads);
		CHECK(!contents_save(&s.job));
		load_and_compare(&s);
	}
}

/* One thread, and so much that its windows are longer than the shortest. */
static void test_long_windows(void)
{
	uint64_t size = 5 * CONTENTS_WINDOW + 3 * CONTENTS_PAGE;
	struct setup s;

	CHECK(contents_window(2 * size, 1) > CONTENTS_WINDOW);
	s.objs[0] = new_obj(size);
	s.objs[1] = new_obj(size);
	fill(s.objs[0].fd, size, 1, 16);
	fill(s.objs[1].fd, size, 2, 5);
	prepare(&s, 2, 1);
	CHECK(!contents_save(&s.job));
	s.job.threads = 2;
	load_and_compare(&s);
}

static void test_window(void)
{
	CHECK(contents_window(0, 1) == CONTENTS_WINDOW);
	CHECK(contents_window(4 * CONTENTS_WINDOW, 1) == CONTENTS_WINDOW);
	CHECK(contents_window(256 * MIB, 2) == 32 * MIB);
	CHECK(contents_window(256 * MIB + CONTENTS_PAGE, 2) == 32 * MIB);
	CHECK(contents_window(256 * MIB, 8) == CONTENTS_WINDOW);
	CHECK(contents_window(1024 * MIB, 1) == CONTENTS_MAX_WINDOW);
	CHECK(contents_window(~0ULL, 8) == CONTENTS_MAX_WINDOW);
	CHECK(!(contents_window(259 * MIB + 12345, 3) % CONTENTS_CHUNK));
}

static void test_offset(void)
{
	struct setup s;
	int all = new_buffer(4 * MIB), back = new_buffer(4 * MIB);

	fill(all, 4 * MIB, 1, 16);
	s.objs[0] = new_obj(MIB);
	s.objs[0].fd = all;
	s.objs[0].fd_offset = 2 * MIB;
	prepare(&s, 1, 2);
	CHECK(!contents_save(&s.job));
	s.objs[0].fd = back;
	CHECK(!contents_load(&s.job));
	CHECK(lseek(back, 0, SEEK_DATA) == 2 * (off_t)MIB);
	CHECK(lseek(back, 2 * MIB, SEEK_HOLE) == 3 * (off_t)MIB);
}

/* A file that can be mapped from the start of the buffer only. */
static void test_from_start(void)
{
	struct setup s;

	s.objs[0] = new_obj(20 * MIB);
	s.objs[0].from_start = true;
	fill(s.objs[0].fd, 20 * MIB, 1, 16);
	prepare(&s, 1, 2);
	CHECK(!contents_save(&s.job));
	load_and_compare(&s);
}

/* Zero pages are not stored, and are zero afterwards. */
static void test_zero(void)
{
	struct setup s;
	unsigned int i;

	s.objs[0] = new_obj(20 * MIB);
	prepare(&s, 1, 2);
	CHECK(!contents_save(&s.job));
	CHECK(s.job.stored == 0);
	CHECK(s.sizes[0] == CONTENTS_DATA_START && s.sizes[1] == CONTENTS_DATA_START);
	for (i = 0; i < contents_nr_chunks(20 * MIB); i++)
		CHECK(!s.objs[0].recs[i].where && !s.objs[0].recs[i].pages);
	load_and_compare(&s);
}

/* One byte anywhere makes a page that is stored; its neighbours are not. */
static void test_one_byte(void)
{
	static const unsigned int at[] = { 0, 1, 255, 256, 2048, 4088, 4095 };
	unsigned int i;

	for (i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		struct setup s;

		s.objs[0] = new_obj(CONTENTS_CHUNK);
		CHECK(pwrite(s.objs[0].fd, "x", 1, 5 * CONTENTS_PAGE + at[i]) == 1);
		prepare(&s, 1, 1);
		CHECK(!contents_save(&s.job));
		CHECK(s.job.stored == CONTENTS_PAGE);
		CHECK(le64toh(s.objs[0].recs[0].pages) == 1 << 5);
		load_and_compare(&s);
	}
}

/* Runs of every shape within a chunk. */
static void test_runs(void)
{
	static const uint64_t pages[] = {
		1, ~0ULL, 1ULL << 63, ~0ULL << 63 | 1, 0x5555555555555555ULL,
		0xaaaaaaaaaaaaaaaaULL, 0x00ffff0000ffff00ULL, ~1ULL, ~(1ULL << 63),
	};
	unsigned int i, page;

	for (i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		struct setup s;

		s.objs[0] = new_obj(CONTENTS_CHUNK);
		for (page = 0; page < 64; page++)
			if (pages[i] >> page & 1)
				CHECK(pwrite(s.objs[0].fd, "page", 4, page * CONTENTS_PAGE) == 4);
		prepare(&s, 1, 1);
		CHECK(!contents_save(&s.job));
		CHECK(le64toh(s.objs[0].recs[0].pages) == pages[i]);
		load_and_compare(&s);
	}
}

static void flip(int fd, uint64_t at)
{
	char c;

	CHECK(pread(fd, &c, 1, at) == 1);
	c ^= 1;
	CHECK(pwrite(fd, &c, 1, at) == 1);
}

static void saved_3m(struct setup *s)
{
	s->objs[0] = new_obj(MIB);
	s->objs[1] = new_obj(3 * MIB);
	fill(s->objs[0].fd, MIB, 1, 16);
	fill(s->objs[1].fd, 3 * MIB, 2, 16);
	prepare(s, 2, 1);
	CHECK(!contents_save(&s->job));
}

static void test_corrupt(void)
{
	struct setup s;
	uint64_t where;

	saved_3m(&s);
	where = le64toh(s.objs[1].recs[8].where);
	flip(s.files[0], where + 12345);
	CHECK(contents_load(&s.job) == -EIO);
	CHECK(s.job.what == CONTENTS_CHECKSUM && s.job.obj == 1);
	CHECK(s.job.offset == 2 * MIB);
}

/* Whole chunks that have changed places are noticed, too. */
static void test_swapped(void)
{
	struct chunk_rec rec;
	struct setup s;

	saved_3m(&s);
	rec = s.objs[0].recs[0];
	s.objs[0].recs[0] = s.objs[0].recs[1];
	s.objs[0].recs[1] = rec;
	CHECK(contents_load(&s.job) == -EIO);
	CHECK(s.job.what == CONTENTS_CHECKSUM && s.job.obj == 0 && s.job.offset == 0);
}

static void test_truncated(void)
{
	struct setup s;

	saved_3m(&s);
	CHECK(!ftruncate(s.files[0], s.sizes[0] - 1));
	CHECK(contents_load(&s.job) == -EIO);
	CHECK(s.job.what == CONTENTS_SHORT && s.job.obj == 1);
	CHECK(s.job.offset == 3 * MIB - CONTENTS_CHUNK);
}

static void test_bad_record(void)
{
	struct setup s;

	saved_3m(&s);
	s.objs[0].recs[2].where |= htole64(5ULL << CHUNK_FILE_SHIFT);
	CHECK(contents_load(&s.job) == -EIO);
	CHECK(s.job.what == CONTENTS_CHECKSUM && s.job.offset == 2 * CONTENTS_CHUNK);
}

/* A mapping that raises SIGBUS is an error of its buffer, not a crash. */
static void test_sigbus(void)
{
	struct setup s;

	s.objs[0] = new_obj(MIB);
	s.objs[1] = new_obj(20 * MIB);
	fill(s.objs[0].fd, MIB, 1, 16);
	fill(s.objs[1].fd, 20 * MIB, 1, 16);
	CHECK(!ftruncate(s.objs[1].fd, 10 * MIB));
	prepare(&s, 2, 2);
	CHECK(contents_save(&s.job) == -EFAULT);
	CHECK(s.job.what == CONTENTS_ACCESS && s.job.obj == 1);
	CHECK(s.job.offset >= 10 * MIB);
}

static void test_no_mapping(void)
{
	struct setup s;
	int pipes[2];

	CHECK(!pipe(pipes));
	s.objs[0] = new_obj(MIB);
	s.objs[0].fd = pipes[0];
	prepare(&s, 1, 1);
	CHECK(contents_save(&s.job) == -ENODEV);
	CHECK(s.job.what == CONTENTS_MAP && s.job.obj == 0);
}

static void test_file_full(void)
{
	struct setup s;
	int full = open("/dev/full", O_RDWR | O_CLOEXEC);

	s.objs[0] = new_obj(MIB);
	fill(s.objs[0].fd, MIB, 1, 16);
	prepare(&s, 1, 1);
	s.files[0] = full;
	CHECK(contents_save(&s.job) == -ENOSPC);
	CHECK(s.job.what == CONTENTS_WRITE && s.job.err == ENOSPC);
}

static bool any_tid(pid_t tid, void *arg)
{
	(void)tid;
	__atomic_add_fetch((int *)arg, 1, __ATOMIC_RELAXED);
	return true;
}

/* Helpers whose thread id is wanted do nothing; the caller does it all. */
static void test_wanted_tid(void)
{
	struct setup s;
	int asked = 0;

	s.objs[0] = new_obj(40 * MIB);
	fill(s.objs[0].fd, 40 * MIB, 1, 16);
	prepare(&s, 1, 4);
	CHECK(!contents_save(&s.job));
	s.job.tid_wanted = any_tid;
	s.job.tid_arg = &asked;
	load_and_compare(&s);
	CHECK(asked == 3);
}

static void test_nothing(void)
{
	struct setup s;

	prepare(&s, 0, 2);
	CHECK(!contents_save(&s.job));
	CHECK(!contents_load(&s.job));
}

static long peak_kib(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return ru.ru_maxrss;
}

/*
 * Memory does not grow with the buffer: windows are unmapped again. Pages of a
 * memfd count while they are mapped, so both have the longest windows.
 */
static void test_memory(void)
{
	struct setup s;
	long small;

	CHECK(contents_window(256 * MIB, 2) == CONTENTS_MAX_WINDOW);
	s.objs[0] = new_obj(256 * MIB);
	fill(s.objs[0].fd, 256 * MIB, 1, 16);
	prepare(&s, 1, 2);
	CHECK(!contents_save(&s.job));
	small = peak_kib();
	s.objs[0] = new_obj(512 * MIB);
	fill(s.objs[0].fd, 512 * MIB, 1, 16);
	prepare(&s, 1, 2);
	CHECK(!contents_save(&s.job));
	CHECK(peak_kib() - small < 8 * 1024);
}

static const struct ktap_test tests[] = {
	{ "round_trip", test_round_trip },
	{ "long_windows", test_long_windows },
	{ "window", test_window },
	{ "offset", test_offset },
	{ "from_start", test_from_start },
	{ "zero", test_zero },
	{ "one_byte", test_one_byte },
	{ "runs", test_runs },
	{ "corrupt", test_corrupt },
	{ "swapped", test_swapped },
	{ "truncated", test_truncated },
	{ "bad_record", test_bad_record },
	{ "sigbus", test_sigbus },
	{ "no_mapping", test_no_mapping },
	{ "file_full", test_file_full },
	{ "wanted_tid", test_wanted_tid },
	{ "nothing", test_nothing },
	{ "memory", test_memory },
};

int main(void)
{
	return ktap_main(tests, sizeof(tests) / sizeof(tests[0]));
}
