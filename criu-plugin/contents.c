// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contents of buffer objects: from device mappings into files and back.
 *
 * A few threads take windows of the buffers from a common counter, map one
 * window at a time and unmap it again, so neither memory nor address space
 * depends on the size of a buffer. To unmap one, all CPUs that the threads run
 * on have to forget it, so there are only a few for each thread. A window is
 * worked on in chunks small enough for the CPU's cache: saving looks at each
 * page for zeros, hashes the rest and hands it to the kernel straight from the
 * mapping with one pwritev() per chunk; loading reads straight into the mapping
 * with one preadv() per chunk and hashes what arrived. There is no buffer in
 * between.
 *
 * Each thread writes a file of its own: the kernel lets one writer at a time
 * into a file.
 *
 * Hash: XXH64, not XXH3, because it is built of 64-bit scalar operations and
 * so is as fast as memory also where vector instructions are emulated (3.9
 * GB/s against 0.3 GB/s in a virtual machine without KVM).
 *
 * A device mapping may raise SIGBUS (a GPU that is gone, an evicted buffer
 * that cannot come back). Threads here catch it for the window that they
 * work on, and it ends as an error of that buffer instead of killing criu in
 * the middle of a dump.
 *
 * Locking: struct run's counters are atomic; its mutex protects the job's
 * fault fields and @stored. Nothing here writes to criu's log.
 */
#define _GNU_SOURCE
#define XXH_INLINE_ALL
#include "contents.h"

#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include <xxhash.h>

#define PAGES_PER_CHUNK		(CONTENTS_CHUNK / CONTENTS_PAGE)
#define MAX_RUNS		(PAGES_PER_CHUNK / 2)
#define WORDS_PER_PAGE		(CONTENTS_PAGE / sizeof(uint64_t))
#define STACK_SIZE		(256 * 1024)

/* One contents_save() or contents_load() under way, shared by its threads. */
struct run {
	struct contents_job *job;
	bool load;
	uint64_t window;		/* bytes of one */
	uint64_t *first_window;		/* per buffer, and the total at the end */
	atomic_ullong next_window;
	atomic_bool stop;
	pthread_mutex_t lock;
};

struct worker {
	struct run *run;
	unsigned int index;
	unsigned int obj;		/* buffer of the last window taken */
	uint64_t stored;
	uint64_t end;			/* save: end of this thread's file */
	pthread_t thread;
};

/* Where a window's SIGBUS goes: set while the thread touches a mapping. */
static __thread sigjmp_buf *bus_target;
static struct sigaction bus_old;

static void bus_handler(int sig)
{
	if (bus_target)
		siglongjmp(*bus_target, 1);
	/* Not ours: let it happen again under the handler that was there. */
	sigaction(sig, &bus_old, NULL);
}

/**
 * contents_what_text() - for messages
 * @what: what went wrong
 *
 * Return: words that follow the buffer's name.
 */
const char *contents_what_text(enum contents_what what)
{
	switch (what) {
	case CONTENTS_OK:
		return "no error";
	case CONTENTS_MAP:
		return "buffer cannot be mapped";
	case CONTENTS_ACCESS:
		return "mapped buffer cannot be accessed";
	case CONTENTS_WRITE:
		return "contents cannot be written to the image";
	case CONTENTS_READ:
		return "contents cannot be read from the image";
	case CONTENTS_SHORT:
		return "contents file is truncated";
	case CONTENTS_CHECKSUM:
		return "contents checksum mismatch";
	case CONTENTS_MEMORY:
		return "out of memory";
	}
	return "unknown error";
}

/**
 * contents_default_threads() - as many threads as there are CPUs to run them
 *
 * Return: 1..CONTENTS_MAX_FILES.
 */
unsigned int contents_default_threads(void)
{
	cpu_set_t set;
	int n = 1;

	if (!sched_getaffinity(0, sizeof(set), &set))
		n = CPU_COUNT(&set);
	if (n < 1)
		n = 1;
	return n > (int)CONTENTS_MAX_FILES ? (int)CONTENTS_MAX_FILES : n;
}

static void fault(struct run *run, enum contents_what what, int err,
		  unsigned int obj, uint64_t offset)
{
	pthread_mutex_lock(&run->lock);
	if (run->job->what == CONTENTS_OK) {
		run->job->what = what;
		run->job->err = err;
		run->job->obj = obj;
		run->job->offset = offset;
	}
	pthread_mutex_unlock(&run->lock);
	atomic_store(&run->stop, true);
}

/* 32 words at a time: few branches, and a page with data is left early. */
static bool page_is_zero(const void *page)
{
	const uint64_t *p = page;
	unsigned int i, j;

	for (i = 0; i < WORDS_PER_PAGE; i += 32) {
		uint64_t sum = 0;

		for (j = 0; j < 32; j++)
			sum |= p[i + j];
		if (sum)
			return false;
	}
	return true;
}

/* The runs of pages that @pages names, as an iovec; returns their number. */
static unsigned int page_runs(char *chunk, uint64_t pages, struct iovec *iov)
{
	unsigned int n = 0;

	while (pages) {
		unsigned int start = __builtin_ctzll(pages);
		uint64_t rest = ~(pages >> start);
		unsigned int len = rest ? (unsigned int)__builtin_ctzll(rest) :
					  (unsigned int)PAGES_PER_CHUNK;

		iov[n].iov_base = chunk + start * CONTENTS_PAGE;
		iov[n].iov_len = len * CONTENTS_PAGE;
		n++;
		if (start + len >= PAGES_PER_CHUNK)
			break;
		pages &= ~0ULL << (start + len);
	}
	return n;
}

static uint64_t hash_runs(const struct iovec *iov, unsigned int n, uint64_t seed)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		seed = XXH64(iov[i].iov_base, iov[i].iov_len, seed);
	return seed;
}

/* Take @done bytes off the front of the iovec. */
static void iov_advance(struct iovec **iov, unsigned int *n, size_t done)
{
	while (*n && done >= (*iov)->iov_len) {
		done -= (*iov)->iov_len;
		(*iov)++;
		(*n)--;
	}
	if (*n) {
		(*iov)->iov_base = (char *)(*iov)->iov_base + done;
		(*iov)->iov_len -= done;
	}
}

/*
 * All of an iovec to or from a file. CONTENTS_ACCESS when the kernel could not
 * get at the mapping, otherwise the fault of the file.
 */
static enum contents_what transfer(int file, struct iovec *iov, unsigned int n,
				   uint64_t offset, bool load, int *err)
{
	while (n) {
		ssize_t ret = load ? preadv(file, iov, n, offset) :
				     pwritev(file, iov, n, offset);

		if (ret < 0 && errno == EINTR)
			continue;
		if (ret < 0) {
			*err = errno;
			if (errno == EFAULT)
				return CONTENTS_ACCESS;
			return load ? CONTENTS_READ : CONTENTS_WRITE;
		}
		if (!ret) {
			*err = load ? 0 : ENOSPC;
			return load ? CONTENTS_SHORT : CONTENTS_WRITE;
		}
		offset += ret;
		iov_advance(&iov, &n, ret);
	}
	return CONTENTS_OK;
}

static enum contents_what save_chunk(struct worker *w, char *chunk, size_t len,
				     uint64_t offset, struct chunk_rec *rec,
				     int *err)
{
	struct iovec iov[MAX_RUNS + 1];
	uint64_t pages = 0, where, hash;
	enum contents_what what;
	unsigned int i, n;
	size_t bytes;

	for (i = 0; i < len / CONTENTS_PAGE; i++)
		if (!page_is_zero(chunk + i * CONTENTS_PAGE))
			pages |= 1ULL << i;
	if (!pages) {
		memset(rec, 0, sizeof(*rec));
		return CONTENTS_OK;
	}
	n = page_runs(chunk, pages, iov);
	hash = hash_runs(iov, n, offset);
	where = (uint64_t)w->index << CHUNK_FILE_SHIFT | w->end;
	what = transfer(w->run->job->files[w->index], iov, n, w->end, false, err);
	if (what != CONTENTS_OK)
		return what;
	bytes = __builtin_popcountll(pages) * CONTENTS_PAGE;
	w->end += bytes;
	w->stored += bytes;
	rec->where = htole64(where);
	rec->hash = htole64(hash);
	rec->pages = htole64(pages);
	return CONTENTS_OK;
}

static enum contents_what load_chunk(struct worker *w, char *chunk, size_t len,
				     uint64_t offset, const struct chunk_rec *rec,
				     int *err)
{
	struct contents_job *job = w->run->job;
	struct iovec iov[MAX_RUNS + 1], work[MAX_RUNS + 1];
	uint64_t pages = le64toh(rec->pages);
	uint64_t where = le64toh(rec->where);
	uint64_t all = ~0ULL >> (64 - len / CONTENTS_PAGE);
	enum contents_what what;
	unsigned int i, n;

	if ((pages & all) != all) {
		n = page_runs(chunk, ~pages & all, iov);
		for (i = 0; i < n; i++)
			memset(iov[i].iov_base, 0, iov[i].iov_len);
	}
	/* The image's validation comes first, but this must not overrun. */
	if (pages & ~all || where >> CHUNK_FILE_SHIFT >= job->nr_files)
		return CONTENTS_CHECKSUM;
	if (!pages)
		return CONTENTS_OK;
	n = page_runs(chunk, pages, iov);
	memcpy(work, iov, sizeof(*iov) * n);
	what = transfer(job->files[where >> CHUNK_FILE_SHIFT], work, n,
			where & CHUNK_OFFSET_MASK, true, err);
	if (what != CONTENTS_OK)
		return what;
	w->stored += __builtin_popcountll(pages) * CONTENTS_PAGE;
	if (hash_runs(iov, n, offset) != le64toh(rec->hash))
		return CONTENTS_CHECKSUM;
	return CONTENTS_OK;
}

/* All chunks of a mapped window, with SIGBUS caught. */
static void do_chunks(struct worker *w, unsigned int index, uint64_t start,
		      char *map, size_t len)
{
	struct contents_obj *obj = &w->run->job->objs[index];
	volatile size_t at = 0;
	sigjmp_buf env;

	if (sigsetjmp(env, 1)) {
		bus_target = NULL;
		fault(w->run, CONTENTS_ACCESS, EFAULT, index, start + at);
		return;
	}
	bus_target = &env;
	for (; at < len && !atomic_load(&w->run->stop); at += CONTENTS_CHUNK) {
		size_t size = len - at < CONTENTS_CHUNK ? len - at : CONTENTS_CHUNK;
		struct chunk_rec *rec = &obj->recs[(start + at) / CONTENTS_CHUNK];
		enum contents_what what;
		int err = 0;

		if (w->run->load)
			what = load_chunk(w, map + at, size, start + at, rec, &err);
		else
			what = save_chunk(w, map + at, size, start + at, rec, &err);
		if (what != CONTENTS_OK)
			fault(w->run, what, err, index, start + at);
	}
	bus_target = NULL;
}

static void do_window(struct worker *w, unsigned int index, uint64_t start)
{
	struct contents_obj *obj = &w->run->job->objs[index];
	uint64_t left = obj->size - start;
	size_t len = left < w->run->window ? left : w->run->window;
	int prot = w->run->load ? PROT_READ | PROT_WRITE : PROT_READ;
	/* What lies before the window is mapped along, but not touched. */
	uint64_t skip = obj->from_start ? start : 0;
	char *map;

	map = mmap(NULL, skip + len, prot, MAP_SHARED, obj->fd,
		   obj->fd_offset + start - skip);
	if (map == MAP_FAILED) {
		fault(w->run, CONTENTS_MAP, errno, index, start);
		return;
	}
	do_chunks(w, index, start, map + skip, len);
	munmap(map, skip + len);
}

static void work(struct worker *w)
{
	struct run *run = w->run;
	unsigned int nr = run->job->nr_objs;
	sigset_t bus, old;

	sigemptyset(&bus);
	sigaddset(&bus, SIGBUS);
	pthread_sigmask(SIG_UNBLOCK, &bus, &old);
	while (!atomic_load(&run->stop)) {
		uint64_t n = atomic_fetch_add(&run->next_window, 1);

		if (n >= run->first_window[nr])
			break;
		while (n >= run->first_window[w->obj + 1])
			w->obj++;
		do_window(w, w->obj, (n - run->first_window[w->obj]) * run->window);
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_mutex_lock(&run->lock);
	run->job->stored += w->stored;
	pthread_mutex_unlock(&run->lock);
}

static void *helper(void *arg)
{
	struct worker *w = arg;
	struct contents_job *job = w->run->job;

	if (!job->tid_wanted || !job->tid_wanted(syscall(SYS_gettid), job->tid_arg))
		work(w);
	return NULL;
}

/* Helper threads take no signals: criu's handlers belong to its own thread. */
static unsigned int start_helpers(struct worker *workers, unsigned int threads)
{
	pthread_attr_t attr;
	sigset_t all, old;
	unsigned int n;

	if (pthread_attr_init(&attr))
		return 1;
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	for (n = 1; n < threads; n++)
		if (pthread_create(&workers[n].thread, &attr, helper, &workers[n]))
			break;		/* fewer threads will do */
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return n;
}

static void run_threads(struct run *run, unsigned int threads)
{
	struct contents_job *job = run->job;
	struct worker workers[CONTENTS_MAX_FILES] = {};
	struct sigaction sa = { .sa_handler = bus_handler };
	unsigned int i, n;

	for (i = 0; i < threads; i++) {
		workers[i].run = run;
		workers[i].index = i;
		if (!run->load)
			workers[i].end = job->file_sizes[i];
	}
	sigemptyset(&sa.sa_mask);
	sigaction(SIGBUS, &sa, &bus_old);
	n = start_helpers(workers, threads);
	work(&workers[0]);
	for (i = 1; i < n; i++)
		pthread_join(workers[i].thread, NULL);
	sigaction(SIGBUS, &bus_old, NULL);
	if (!run->load)
		for (i = 0; i < threads; i++)
			job->file_sizes[i] = workers[i].end;
}

/**
 * contents_window() - how much of a buffer a thread maps at a time
 * @bytes: in all buffers
 * @threads: that share them
 *
 * Return: four windows for each thread, so that they end at about the same
 * time; but from CONTENTS_WINDOW to CONTENTS_MAX_WINDOW, in whole chunks.
 */
uint64_t contents_window(uint64_t bytes, unsigned int threads)
{
	uint64_t window = bytes / threads / 4;

	if (window < CONTENTS_WINDOW)
		return CONTENTS_WINDOW;
	if (window > CONTENTS_MAX_WINDOW)
		return CONTENTS_MAX_WINDOW;
	return window - window % CONTENTS_CHUNK;
}

/* Cut the buffers into windows; their number, or 0 when there is no memory. */
static uint64_t cut_windows(struct run *run, unsigned int threads)
{
	struct contents_job *job = run->job;
	uint64_t bytes = 0, windows = 0;
	unsigned int i;

	run->first_window = calloc(job->nr_objs + 1ul, sizeof(*run->first_window));
	if (!run->first_window) {
		job->what = CONTENTS_MEMORY;
		job->err = ENOMEM;
		return 0;
	}
	for (i = 0; i < job->nr_objs; i++)
		bytes += job->objs[i].size;
	run->window = contents_window(bytes, threads);
	for (i = 0; i < job->nr_objs; i++) {
		run->first_window[i] = windows;
		windows += job->objs[i].size / run->window +
			   !!(job->objs[i].size % run->window);
	}
	run->first_window[i] = windows;
	return windows;
}

static int run_job(struct contents_job *job, bool load)
{
	struct run run = { .job = job, .load = load,
			   .lock = PTHREAD_MUTEX_INITIALIZER };
	unsigned int threads = job->threads;
	uint64_t windows;

	job->what = CONTENTS_OK;
	job->err = 0;
	job->stored = 0;
	if (threads > CONTENTS_MAX_FILES)
		threads = CONTENTS_MAX_FILES;
	if (!load && threads > job->nr_files)
		threads = job->nr_files;
	windows = threads ? cut_windows(&run, threads) : 0;
	if (threads > windows)
		threads = windows;
	if (threads)
		run_threads(&run, threads);
	free(run.first_window);
	if (job->what == CONTENTS_OK)
		return 0;
	return job->err ? -job->err : -EIO;
}

/**
 * contents_save() - write what the buffers hold into the contents files
 * @job: the buffers and files; the records of all buffers are filled
 *
 * Return: 0, or a negative errno; then @job says what and where.
 */
int contents_save(struct contents_job *job)
{
	return run_job(job, false);
}

/**
 * contents_load() - fill the buffers from the contents files
 * @job: the buffers with their records, and the files
 *
 * Return: 0, or a negative errno (-EIO for a checksum or a short file); then
 * @job says what and where.
 */
int contents_load(struct contents_job *job)
{
	return run_job(job, true);
}
