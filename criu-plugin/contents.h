/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Contents of buffer objects: from device mappings into files and back.
 */
#ifndef KFD_PLUGIN_CONTENTS_H
#define KFD_PLUGIN_CONTENTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The unit of zero detection. */
#define CONTENTS_PAGE		4096UL
/* The unit of checksums; 64 pages, so that one word says which are stored. */
#define CONTENTS_CHUNK		(64 * CONTENTS_PAGE)
/* How much of a buffer a thread has mapped at a time: see contents_window(). */
#define CONTENTS_WINDOW		(32 * CONTENTS_CHUNK)
#define CONTENTS_MAX_WINDOW	(4 * CONTENTS_WINDOW)
/* Files that the contents of one process are spread over, at most. */
#define CONTENTS_MAX_FILES	8
/* Every contents file begins with this many bytes of header. */
#define CONTENTS_DATA_START	4096UL

/**
 * struct chunk_rec - where one chunk of a buffer is stored; little-endian
 * @where: number of the contents file << 56 | byte offset; 0 if no page is
 *	stored. The stored pages follow each other without gaps.
 * @hash: XXH64 chained over the runs of stored pages, first seed: the chunk's
 *	byte offset in the buffer; 0 if no page is stored
 * @pages: bit n: page n of the chunk is stored; the others are zero
 *
 * A part of the image format.
 */
struct chunk_rec {
	uint64_t where;
	uint64_t hash;
	uint64_t pages;
};

#define CHUNK_FILE_SHIFT	56
#define CHUNK_OFFSET_MASK	((1ULL << CHUNK_FILE_SHIFT) - 1)

/**
 * contents_nr_chunks() - number of chunk records of a buffer
 * @size: of the buffer in bytes
 */
static inline uint64_t contents_nr_chunks(uint64_t size)
{
	return size / CONTENTS_CHUNK + !!(size % CONTENTS_CHUNK);
}

/**
 * struct contents_obj - one buffer
 * @fd: file to map it through
 * @fd_offset: mmap offset in bytes of the buffer's first byte
 * @size: in bytes, a multiple of CONTENTS_PAGE
 * @from_start: the file can only be mapped from @fd_offset on, not from within
 *	the buffer: so it is with DRM's render nodes
 * @recs: contents_nr_chunks(@size) records; save fills them, load reads them
 */
struct contents_obj {
	int fd;
	uint64_t fd_offset;
	uint64_t size;
	bool from_start;
	struct chunk_rec *recs;
};

/**
 * enum contents_what - what went wrong
 * @CONTENTS_OK: nothing
 * @CONTENTS_MAP: the buffer cannot be mapped
 * @CONTENTS_ACCESS: the mapped buffer cannot be read or written (SIGBUS)
 * @CONTENTS_WRITE: writing to the contents file failed
 * @CONTENTS_READ: reading from the contents file failed
 * @CONTENTS_SHORT: the contents file ends too early
 * @CONTENTS_CHECKSUM: what was read is not what was written
 * @CONTENTS_MEMORY: out of memory
 */
enum contents_what {
	CONTENTS_OK,
	CONTENTS_MAP,
	CONTENTS_ACCESS,
	CONTENTS_WRITE,
	CONTENTS_READ,
	CONTENTS_SHORT,
	CONTENTS_CHECKSUM,
	CONTENTS_MEMORY,
};

/**
 * struct contents_job - buffers to be saved or loaded
 * @objs: the buffers
 * @nr_objs: their number
 * @files: contents files: save writes file n in thread n alone (two writers
 *	of one file would wait for each other), load reads any of them
 * @file_sizes: save: in: bytes that each file has already, out: has now
 * @nr_files: their number, 1..CONTENTS_MAX_FILES
 * @threads: upper bound for the number of threads, the caller's included
 * @tid_wanted: asked with its own thread id by each helper thread of a load
 *	before it does anything; true: the helper ends at once. May be NULL.
 * @tid_arg: for @tid_wanted
 * @stored: out: bytes of stored pages
 * @what: out: first fault
 * @err: out: its errno, 0 when none belongs to it
 * @obj: out: index of the buffer concerned
 * @offset: out: byte offset in that buffer, to the chunk
 */
struct contents_job {
	struct contents_obj *objs;
	unsigned int nr_objs;
	const int *files;
	uint64_t *file_sizes;
	unsigned int nr_files;
	unsigned int threads;
	bool (*tid_wanted)(pid_t tid, void *arg);
	void *tid_arg;
	uint64_t stored;
	enum contents_what what;
	int err;
	unsigned int obj;
	uint64_t offset;
};

unsigned int contents_default_threads(void);
uint64_t contents_window(uint64_t bytes, unsigned int threads);
int contents_save(struct contents_job *job);
int contents_load(struct contents_job *job);
const char *contents_what_text(enum contents_what what);

#endif
