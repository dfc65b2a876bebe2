// SPDX-License-Identifier: GPL-2.0-only
/*
 * Figures of shared virtual memory: cost per range of checkpoint and restore,
 * what a notifier adds to an munmap() of memory that no queue uses, and how
 * many evictions a storm of invalidations costs.
 *
 * A child makes what is measured and measures it; times come back in memory
 * that both share.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"
#include "lib/kfd_criu.h"
#include "lib/kfd_packets.h"
#include "lib/kfd_svm.h"

#define ROUNDS		9
#define UNMAP_ROUNDS	41
#define UNMAP_BYTES	(8u << 20)
#define STORM		1000	/* invalidations */
#define STORM_S		0.1

/* --- checkpoint and restore ------------------------------------------------ */

/**
 * struct ranges - a process with ranges, and what it took to move it
 * @n: ranges, of a page each
 * @base: where they are
 * @fd: its image
 * @round: number of the restore
 * @save_us: PROCESS_INFO and CHECKPOINT, microseconds per range
 * @load_us: RESTORE and RESUME
 */
struct ranges {
	unsigned int n;
	char *base;
	int fd;
	unsigned int round;
	double save_us[ROUNDS];
	double load_us[ROUNDS];
};

/**
 * make_ranges() - ranges of shared virtual memory that the first GPU has access to
 * @k: the driver
 * @n: how many, of a page each; neighbours differ, or they would be one range
 *
 * Return: where they are.
 */
char *make_ranges(struct kfd *k, unsigned int n)
{
	struct kfd_ioctl_svm_attribute attrs[] = {
		{ KFD_IOCTL_SVM_ATTR_ACCESS, k->gpu[0].gpu_id },
		{ KFD_IOCTL_SVM_ATTR_GRANULARITY, 0 },
	};
	char *base;

	must(kfd_svm_alloc(k, (uint64_t)n * KFD_PAGE, -1, &base), "memory");
	for (unsigned int i = 0; i < n; i++) {
		attrs[1].value = i % 2 + 1;
		must(kfd_svm_set(k, base + (uint64_t)i * KFD_PAGE, KFD_PAGE, attrs, 2), "a range");
	}
	return base;
}

static void ranges_save(void *arg)
{
	struct ranges *r = arg;
	struct kfd_ioctl_criu_args args;
	struct kfd_snapshot s;
	struct kfd k;
	double t;

	must(kfd_start(&k), "opening the GPU");
	r->base = make_ranges(&k, r->n);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		memset(&s, 0, sizeof(s));
		t = now();
		must(kfd_criu_info(k.fd, &s.info), "PROCESS_INFO");
		r->save_us[i] = now() - t;
		if (s.info.num_objects != r->n)
			die("%u objects, not %u ranges", s.info.num_objects, r->n);
		must(kfd_snapshot_alloc(&s), "memory for a checkpoint");
		memset(s.priv, 1, s.info.priv_data_size);
		kfd_snapshot_args(&s, &args);
		t = now();
		must(kfd_criu_op(k.fd, &args, KFD_CRIU_OP_CHECKPOINT), "CHECKPOINT");
		r->save_us[i] += now() - t;
		r->save_us[i] *= 1e6 / r->n;
		must(kfd_criu_unpause(k.fd), "UNPAUSE");
		if (i < ROUNDS - 1)
			kfd_snapshot_free(&s);
	}
	must(kfd_snapshot_write(&s, r->fd), "writing the image");
}

static void ranges_load(void *arg)
{
	struct ranges *r = arg;
	size_t bytes = (size_t)r->n * KFD_PAGE;
	struct kfd_snapshot s;
	struct kfd k = { 0 };
	double t, took;

	if (lseek(r->fd, 0, SEEK_SET))
		die("lseek: %s", strerror(errno));
	must(kfd_snapshot_read(&s, r->fd), "reading the image");
	must(kfd_snapshot_open(&k, &s), "opening the GPU");
	t = now();
	must(kfd_snapshot_restore_op(&k, &s), "RESTORE");
	took = now() - t;
	if (mmap(r->base, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS |
		 MAP_FIXED_NOREPLACE | MAP_POPULATE, -1, 0) != r->base)
		die("memory: %s", strerror(errno));
	t = now();
	must(kfd_criu_resume(k.fd, getpid()), "RESUME");
	took += now() - t;
	r->load_us[r->round] = took * 1e6 / r->n;
}

static struct ranges *ranges_start(unsigned int n)
{
	struct ranges *r = shared_memory(sizeof(*r));

	r->n = n;
	r->fd = memfd_create("image", MFD_CLOEXEC);
	if (r->fd < 0)
		die("memfd_create: %s", strerror(errno));
	in_child(ranges_save, r);
	return r;
}

static void per_range(const struct sizes *sz)
{
	struct ranges *many, *few;
	double m, f;

	progress("checkpoint and restore with %u and %u ranges of shared virtual memory",
		 sz->many_bos, sz->few_bos);
	few = ranges_start(sz->few_bos);
	many = ranges_start(sz->many_bos);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		few->round = i;
		many->round = i;
		in_child(ranges_load, few);
		in_child(ranges_load, many);
	}
	m = median(many->save_us, ROUNDS);
	f = median(few->save_us, ROUNDS);
	report_time(text("checkpoint per range, %u SVM ranges", sz->many_bos),
		    text("%.2f us", m), text("%.2f us with %u", f, sz->few_bos), m / f, "",
		    AT_MOST, 1.3);
	m = median(many->load_us, ROUNDS);
	f = median(few->load_us, ROUNDS);
	report_time(text("restore per range, %u SVM ranges", sz->many_bos),
		    text("%.2f us", m), text("%.2f us with %u", f, sz->few_bos), m / f, "",
		    AT_MOST, 1.3);
}

/* --- munmap() of what no queue uses ---------------------------------------- */

/**
 * struct unmapping - two processes that unmap by turns
 * @turn: how many turns have been taken; even: without KFD, odd: with
 * @with_us: microseconds of an munmap() of a range that a GPU may access
 * @without_us: of memory that no driver watches
 */
struct unmapping {
	volatile unsigned int turn;
	double with_us[UNMAP_ROUNDS];
	double without_us[UNMAP_ROUNDS];
};

static double unmap_once(struct kfd *k, bool svm)
{
	char *p = mmap(NULL, UNMAP_BYTES, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	double t;

	if (p == MAP_FAILED)
		die("memory: %s", strerror(errno));
	madvise(p, UNMAP_BYTES, MADV_NOHUGEPAGE);
	memset(p, 1, UNMAP_BYTES);
	if (svm)
		must(kfd_svm_set1(k, p, UNMAP_BYTES, KFD_IOCTL_SVM_ATTR_ACCESS,
				  k->gpu[0].gpu_id), "a range");
	t = now();
	if (munmap(p, UNMAP_BYTES))
		die("munmap: %s", strerror(errno));
	return (now() - t) * 1e6;
}

static void take_turns(struct unmapping *u, bool svm)
{
	double *us = svm ? u->with_us : u->without_us;
	struct kfd k;

	if (svm)
		must(kfd_start(&k), "opening the GPU");
	for (unsigned int i = 0; i < UNMAP_ROUNDS; i++) {
		while (u->turn != 2 * i + svm)
			usleep(100);
		us[i] = unmap_once(&k, svm);
		/* let the other processor finish what it does behind us */
		usleep(5000);
		u->turn++;
	}
}

static void unmap_with(void *arg)
{
	take_turns(arg, true);
}

static void unmap_without(void *arg)
{
	take_turns(arg, false);
}

static void unmap_cost(void)
{
	struct unmapping *u = shared_memory(sizeof(*u));
	double with, without;
	pid_t pid;

	progress("munmap() with and without a notifier");
	pid = child_start(unmap_without, u);
	in_child(unmap_with, u);
	child_end(pid);
	with = median(u->with_us, UNMAP_ROUNDS);
	without = median(u->without_us, UNMAP_ROUNDS);
	report_time(text("munmap of %u MiB that no queue uses", UNMAP_BYTES >> 20),
		    text("%.0f us", with), text("%.0f us unwatched", without), with / without, "",
		    AT_MOST, 1.1);
}

/* --- a storm --------------------------------------------------------------- */

/**
 * struct storm - invalidations in a row, with a queue at work
 * @evictions: of the GPU's queues that they cost
 * @took: seconds that they came in
 * @done: packets that the queue has done since
 */
struct storm {
	uint64_t evictions;
	double took;
	uint64_t done;
};

static uint64_t evictions(struct kfd *k)
{
	char path[64], line[256], *at;
	uint64_t n = 0;
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", k->fd);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f)) {
		at = strstr(line, " evictions ");
		if (strncmp(line, "kfd-gpu:", 8) || !at)
			continue;
		n = strtoull(at + 11, NULL, 10);
		found = true;
		break;
	}
	if (!found)
		die("no count of evictions in %s", path);
	fclose(f);
	return n;
}

static void blow(void *arg)
{
	struct storm *s = arg;
	struct kfd_queue q;
	struct kfd_bo safe;
	uint32_t p[8];
	uint64_t before;
	double start;
	struct kfd k;
	char *mem;

	must(kfd_start(&k), "opening the GPU");
	must(kfd_bo_create(&k, 0, MEM_GTT, KFD_PAGE, &safe), "a buffer");
	must(kfd_queue_create(&k, 0, KFD_IOC_QUEUE_TYPE_SDMA, 65536, &q), "a queue");
	must(kfd_svm_alloc(&k, 16 * KFD_PAGE, 0, &mem), "a range");
	memset(mem, 1, 16 * KFD_PAGE);
	before = evictions(&k);
	start = now();
	for (unsigned int i = 0; i < STORM; i++) {
		must(kfd_queue_emit(&q, p, sdma_atomic_add64(p, safe.va, 1)), "a packet");
		kfd_queue_submit(&q);
		/* Writable throughout; the page tables change all the same. */
		if (mprotect(mem, 16 * KFD_PAGE, PROT_READ | PROT_WRITE | (i % 2 ? 0 : PROT_EXEC)))
			die("mprotect: %s", strerror(errno));
		while (now() < start + STORM_S / STORM * i)
			;
	}
	s->took = now() - start;
	s->evictions = evictions(&k) - before;
	must(kfd_queue_finish(&q, 20000), "the queue");
	s->done = *(volatile uint64_t *)safe.cpu;
}

static void storm(void)
{
	struct storm *s = shared_memory(sizeof(*s));

	progress("evictions in a storm of invalidations");
	in_child(blow, s);
	if (s->done != STORM)
		die("%llu of %u packets done", (unsigned long long)s->done, STORM);
	report(text("evictions in %u invalidations", STORM),
	       text("%llu", (unsigned long long)s->evictions),
	       text("invalidations in %.0f ms", s->took * 1e3), s->evictions, "", AT_MOST, 19);
}

/**
 * figures_svm() - shared virtual memory
 * @sz: how many ranges
 */
void figures_svm(const struct sizes *sz)
{
	per_range(sz);
	unmap_cost();
	storm();
}
