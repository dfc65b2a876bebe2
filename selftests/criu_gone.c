// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that went away while the GPU knew it: unmapped, protected, truncated,
 * replaced by a device, whole or in part. The program is right as long as the
 * GPU does not reach for what is gone; so it comes back as it was: what is there
 * is reached, what is gone is a fault, and everything else runs. A queue whose
 * own ring is gone is no exception.
 *
 * One process has memory of every kind that went away in every way. It is
 * dumped at once, or when the driver has given the memory up, and goes on;
 * another process is restored from its image, and dumped again after a fork.
 */
#include <sys/mman.h>

#include "lib/kfd_fdinfo.h"
#include "lib/kfd_image.h"
#include "lib/kfd_mem.h"
#include "lib/kfd_step.h"
#include "lib/kfd_svm.h"
#include "lib/kfd_test.h"
#include "lib/kfd_vaddr.h"
#include "lib/kfd_workload.h"

#define RING	4096
#define PAGES	16
#define SIZE	(PAGES * KFD_PAGE)
#define VALUE	0x1122334455667788ULL
#define TEXT	(256 << 10)
#define TIMEOUT	120

enum taking { KEEP, UNMAP, NO_ACCESS, READ_ONLY, TRUNCATE, DEVICE };

/**
 * struct way - a way for memory to go away
 * @name: for messages
 * @taking: what is done
 * @first: first page
 * @n: number of pages
 * @also: one more page, or 0
 */
static const struct way {
	const char *name;
	enum taking taking;
	unsigned int first, n, also;
} ways[] = {
	{ "nothing", KEEP, 0, 0, 0 },
	{ "all unmapped", UNMAP, 0, PAGES, 0 },
	{ "the first page unmapped", UNMAP, 0, 1, 0 },
	{ "pages in the middle unmapped", UNMAP, 6, 3, 0 },
	{ "the last page unmapped", UNMAP, PAGES - 1, 1, 0 },
	{ "all protected", NO_ACCESS, 0, PAGES, 0 },
	{ "a guard page", NO_ACCESS, 7, 1, 0 },
	{ "two guard pages", NO_ACCESS, 1, 1, 12 },
	{ "all read-only", READ_ONLY, 0, PAGES, 0 },
	{ "some read-only", READ_ONLY, 4, 5, 0 },
	{ "truncated", TRUNCATE, 5, PAGES - 5, 0 },
	{ "a device in place", DEVICE, 8, 2, 0 },
};

#define GUARD_PAGE	6	/* in ways[] */
#define WAYS	(sizeof(ways) / sizeof(ways[0]))

/**
 * struct piece - memory that the GPU knows, and that goes away
 * @way: how
 * @svm: it is a range of shared virtual memory; else registered
 * @p: where
 * @fd: its file, in the process that has just made it
 * @bo: if it is registered
 */
struct piece {
	const struct way *way;
	bool svm;
	char *p;
	int fd;
	struct kfd_bo bo;
};

/**
 * struct scene - a process with such memory, in memory that others share
 * @k: the driver, as the process that was dumped last knows it
 * @piece: the memory: registered, then in ranges
 * @safe: a buffer
 * @q: a queue
 * @dumped: @q, when the last image was made
 * @lame: a queue whose ring is gone
 * @given_up: it is dumped when nobody waits for the memory any more
 * @fd: where images are handed on
 * @s: the last one, once it has been read back
 * @step: where something failed
 * @at: the piece that it failed at
 */
struct scene {
	struct kfd k;
	struct piece piece[2 * WAYS];
	struct kfd_bo safe;
	struct kfd_queue q, dumped, lame;
	bool given_up;
	int fd;
	struct kfd_snapshot s;
	int step;
	unsigned int at;
};

static char text[TEXT];

static int map_piece(struct piece *pc)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	unsigned int i;

	pc->fd = -1;
	if (pc->way->taking == TRUNCATE) {
		pc->fd = memfd_create("piece", MFD_CLOEXEC);
		if (pc->fd < 0 || ftruncate(pc->fd, SIZE))
			return -errno;
		flags = MAP_SHARED;
	}
	if (mmap(pc->p, SIZE, PROT_READ | PROT_WRITE, flags | MAP_FIXED_NOREPLACE, pc->fd, 0) !=
	    pc->p)
		return -errno;
	for (i = 0; i < PAGES; i++)
		*(uint64_t *)(pc->p + i * KFD_PAGE) = VALUE;
	return 0;
}

static int take_pages(struct scene *sc, struct kfd *k, struct piece *pc, unsigned int first,
		      unsigned int n)
{
	char *p = pc->p + first * KFD_PAGE;
	off_t doorbells = (off_t)(sc->q.doorbell_offset & ~(2 * KFD_PAGE - 1));

	switch (pc->way->taking) {
	case KEEP:
		return 0;
	case UNMAP:
		return munmap(p, n * KFD_PAGE) ? -errno : 0;
	case NO_ACCESS:
		return mprotect(p, n * KFD_PAGE, PROT_NONE) ? -errno : 0;
	case READ_ONLY:
		return mprotect(p, n * KFD_PAGE, PROT_READ) ? -errno : 0;
	case TRUNCATE:
		return ftruncate(pc->fd, first * KFD_PAGE) ? -errno : 0;
	case DEVICE:
		return mmap(p, n * KFD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, k->fd,
			    doorbells) == p ? 0 : -errno;
	}
	return -EINVAL;
}

static int take_away(struct scene *sc, struct kfd *k, struct piece *pc)
{
	int ret = take_pages(sc, k, pc, pc->way->first, pc->way->n);

	return ret || !pc->way->also ? ret : take_pages(sc, k, pc, pc->way->also, 1);
}

static bool is_gone(const struct piece *pc, unsigned int page)
{
	const struct way *w = pc->way;

	/* A range follows the rights of the mapping. */
	if (pc->svm && w->taking == READ_ONLY)
		return false;
	return (page >= w->first && page < w->first + w->n) || (w->also && page == w->also);
}

/* --- the process ------------------------------------------------------------- */

/* A queue whose ring is registered memory, which goes away. */
static int make_lame(struct scene *sc)
{
	struct kfd_queue *q = &sc->lame;
	uint32_t p[8];
	char *mem;

	STEP(sc, kfd_queue_buffers(&sc->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, q));
	mem = kfd_some_memory(&sc->k, RING);
	STEP(sc, mem ? 0 : -ENOMEM);
	STEP(sc, kfd_bo_userptr(&sc->k, 0, mem, RING, &q->ring));
	q->ring.cpu = mem;
	q->args.ring_base_address = (uintptr_t)mem;
	STEP(sc, kfd_queue_make(&sc->k, q));
	STEP(sc, kfd_queue_run(q, p, sdma_fence(p, sc->safe.va, 1)));
	STEP(sc, munmap(mem, RING) ? -errno : 0);
	return 0;
}

static int scene_make(struct scene *sc)
{
	struct piece *pc;
	unsigned int i;

	STEP(sc, kfd_start(&sc->k));
	STEP(sc, kfd_bo_create(&sc->k, 0, MEM_GTT, KFD_PAGE, &sc->safe));
	STEP(sc, kfd_queue_create(&sc->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &sc->q));
	for (i = 0; i < 2 * WAYS; i++) {
		sc->at = i;
		pc = &sc->piece[i];
		pc->way = &ways[i % WAYS];
		pc->svm = i >= WAYS;
		pc->p = (char *)(uintptr_t)kfd_reserve_va(&sc->k, SIZE);
		STEP(sc, map_piece(pc));
		if (pc->svm)
			STEP(sc, kfd_svm_set1(&sc->k, pc->p, SIZE,
					      KFD_IOCTL_SVM_ATTR_ACCESS_IN_PLACE,
					      sc->k.gpu[0].gpu_id));
		else
			STEP(sc, kfd_bo_userptr(&sc->k, 0, pc->p, SIZE, &pc->bo));
	}
	STEP(sc, make_lame(sc));
	for (i = 0; i < 2 * WAYS; i++) {
		sc->at = i;
		STEP(sc, take_away(sc, &sc->k, &sc->piece[i]));
	}
	return 0;
}

static int look(struct kfd *k)
{
	return kfd_fdinfo_read(getpid(), k->fd, text, sizeof(text));
}

static int wait_until_given_up(struct kfd *k)
{
	return kfd_fdinfo_settled(k->fd, text, sizeof(text), PATIENCE);
}

/* A fork takes every page away for a moment. */
static int fork_and_wait(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	return pid < 0 ? -errno : kfd_wait_child(pid);
}

/* --- what the GPU reaches ---------------------------------------------------- */

static int reaches(struct scene *sc, char *at, bool read_only)
{
	volatile uint64_t *word = (uint64_t *)at;
	uint64_t before = *word;
	uint32_t p[8];

	if (!read_only) {
		STEP(sc, kfd_gpu_add(&sc->q, at, 5));
		STEP(sc, *word == before + 5 ? 0 : -EILSEQ);
		return 0;
	}
	STEP(sc, kfd_queue_run(&sc->q, p, sdma_copy(p, sc->safe.va, (uintptr_t)at, 8)));
	STEP(sc, *(volatile uint64_t *)sc->safe.cpu == before ? 0 : -EILSEQ);
	return 0;
}

/* A queue of its own, which does not survive it. */
static int is_a_fault(struct scene *sc, struct kfd *k, char *at)
{
	struct kfd_queue q;

	STEP(sc, kfd_queue_create(k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &q));
	STEP(sc, kfd_gpu_add_faults(k, &q, at));
	STEP(sc, kfd_queue_destroy(k, &q));
	return 0;
}

/* All that is there; with @faults, of what is gone the first page and the last. */
static int check_piece(struct scene *sc, struct kfd *k, struct piece *pc, bool faults)
{
	int first = -1, last = -1, i;

	for (i = 0; i < PAGES; i++) {
		bool read_only = pc->way->taking == READ_ONLY &&
			i >= (int)pc->way->first && i < (int)(pc->way->first + pc->way->n);

		if (is_gone(pc, i)) {
			first = first < 0 ? i : first;
			last = i;
		} else {
			STEP(sc, reaches(sc, pc->p + i * KFD_PAGE, read_only));
		}
	}
	if (faults && first >= 0)
		STEP(sc, is_a_fault(sc, k, pc->p + first * KFD_PAGE));
	if (faults && last > first)
		STEP(sc, is_a_fault(sc, k, pc->p + last * KFD_PAGE));
	return 0;
}

/* It finds out that its ring is gone when it is told of work there. */
static int lame_faults(struct scene *sc, struct kfd *k)
{
	struct kfd_queue q = sc->lame;
	struct kfd_ioctl_create_event_args ev;
	struct kfd_event_data data = { 0 };
	uint32_t result;

	STEP(sc, kfd_event_create(k, KFD_IOC_EVENT_MEMORY, true, &ev));
	data.event_id = ev.event_id;
	q.wptr += 4;
	kfd_queue_submit(&q);
	STEP(sc, kfd_event_wait(k, &data, 1, false, PATIENCE, &result));
	STEP(sc, result == KFD_IOC_WAIT_RESULT_COMPLETE ? 0 : -ETIME);
	STEP(sc, data.memory_exception_data.va == sc->lame.ring.va ? 0 : -EILSEQ);
	return 0;
}

static int check_all(struct scene *sc, struct kfd *k)
{
	unsigned int i;

	STEP(sc, lame_faults(sc, k));

	for (i = 0; i < 2 * WAYS; i++) {
		sc->at = i;
		STEP(sc, check_piece(sc, k, &sc->piece[i], true));
	}
	return 0;
}

/* --- what an image and fdinfo say of it -------------------------------------- */

/* What is gone, from the first page to the last. */
static void hull_of(const struct piece *pc, uint64_t *offset, uint64_t *size)
{
	int i, first = -1, last = -1;

	for (i = 0; i < PAGES; i++)
		if (is_gone(pc, i)) {
			first = first < 0 ? i : first;
			last = i;
		}
	*offset = first < 0 ? 0 : first * KFD_PAGE;
	*size = first < 0 ? 0 : (last - first + 1) * KFD_PAGE;
}

static struct kfd_record_bo *bo_record(struct kfd_snapshot *s, const struct kfd_bo *bo)
{
	struct kfd_record_bo *r;
	unsigned int i;

	for (i = 0; (r = kfd_image_record(s, KFD_RECORD_BO, i)); i++)
		if (r->handle == bo->handle)
			return r;
	return NULL;
}

/* Of the range that has the page in it. */
static struct kfd_record_svm *svm_record(struct kfd_snapshot *s, const char *p)
{
	struct kfd_record_svm *r;
	unsigned int i;

	for (i = 0; (r = kfd_image_record(s, KFD_RECORD_SVM, i)); i++)
		if (r->start <= (uintptr_t)p && (uintptr_t)p < r->start + r->size)
			return r;
	return NULL;
}

/* Just that; or more, while pages are missed that are there. */
static bool lost_matches(const struct scene *sc, uint64_t offset, uint64_t size,
			 uint64_t lost_offset, uint64_t lost_size)
{
	if (sc->given_up)
		return lost_size == size && (!size || lost_offset == offset);
	return !size || (lost_offset <= offset && lost_offset + lost_size >= offset + size);
}

/* Ranges lose what is unmapped altogether; else it is said as of buffers. */
static int image_tells(struct scene *sc, struct kfd_snapshot *s, const struct piece *pc)
{
	bool struck = pc->way->taking == UNMAP || pc->way->taking == DEVICE;
	struct kfd_record_svm *svm;
	struct kfd_record_bo *bo;
	uint64_t offset, size;
	int i;

	hull_of(pc, &offset, &size);
	if (pc->svm && struck)
		size = 0;
	if (!pc->svm) {
		bo = bo_record(s, &pc->bo);
		STEP(sc, bo ? 0 : -ENOENT);
		STEP(sc, lost_matches(sc, offset, size, bo->lost_offset, bo->lost_size) ?
		     0 : -EILSEQ);
		return 0;
	}
	for (i = 0; i < PAGES; i++) {
		svm = svm_record(s, pc->p + i * KFD_PAGE);
		STEP(sc, !svm == (struck && is_gone(pc, i)) ? 0 : -ENOENT);
		if (!svm)
			continue;
		STEP(sc, lost_matches(sc, offset, size, svm->lost_offset, svm->lost_size) ?
		     0 : -EILSEQ);
	}
	return 0;
}

static int fdinfo_tells(struct scene *sc, struct kfd *k)
{
	uint64_t offset, size, lost_offset, lost_size;
	const char *key = "kfd-userptr-lost";
	unsigned int i, lines = 1;	/* that of a ring */

	STEP(sc, look(k));
	STEP(sc, kfd_fdinfo_check(text));
	for (i = 0; i < WAYS; i++) {
		struct piece *pc = &sc->piece[i];

		sc->at = i;
		hull_of(pc, &offset, &size);
		lost_offset = kfd_fdinfo_word_of(text, key, pc->bo.handle, "offset");
		lost_size = kfd_fdinfo_word_of(text, key, pc->bo.handle, "bytes");
		STEP(sc, size && lost_size == KFD_FDINFO_NONE ? -ENOENT : 0);
		if (lost_size == KFD_FDINFO_NONE)
			continue;
		STEP(sc, lost_matches(sc, offset, size, lost_offset, lost_size) ? 0 : -EILSEQ);
		lines++;
	}
	STEP(sc, kfd_fdinfo_lines(text, key) == lines ? 0 : -EILSEQ);
	for (i = WAYS; i < 2 * WAYS; i++) {
		struct piece *pc = &sc->piece[i];
		uint64_t start = (uintptr_t)pc->p;

		if (pc->way->taking != NO_ACCESS && pc->way->taking != TRUNCATE)
			continue;
		sc->at = i;
		hull_of(pc, &offset, &size);
		STEP(sc, strstr(text, "lost-bytes") ? 0 : -ENOENT);
		snprintf(text + TEXT / 2, TEXT / 2, "kfd-svm-range:\t%#llx-%#llx ",
			 (unsigned long long)start, (unsigned long long)(start + SIZE - 1));
		STEP(sc, strstr(text, text + TEXT / 2) ? 0 : -ENOENT);
	}
	return 0;
}

/* --- dump -------------------------------------------------------------------- */

static int dump(struct scene *sc, struct kfd *k)
{
	struct kfd_snapshot s;
	unsigned int i;

	STEP(sc, kfd_snapshot_dump(k, k->fd, &s));
	sc->dumped = sc->q;
	STEP(sc, lseek(sc->fd, 0, SEEK_SET) || ftruncate(sc->fd, 0) ? -errno : 0);
	STEP(sc, kfd_snapshot_write(&s, sc->fd));
	for (i = 0; i < 2 * WAYS; i++) {
		sc->at = i;
		STEP(sc, image_tells(sc, &s, &sc->piece[i]));
	}
	kfd_snapshot_free(&s);
	return 0;
}

/*
 * Who dumps a process puts code of his own into it, which lands where something
 * was unmapped; the GPU may get to see it. It is no memory of the program's.
 */
static int visitor_comes(struct scene *sc)
{
	unsigned int i;

	for (i = 0; i < WAYS; i++) {
		struct piece *pc = &sc->piece[i];
		char *p = pc->p + pc->way->first * KFD_PAGE;

		if (pc->way->taking != UNMAP)
			continue;
		sc->at = i;
		STEP(sc, mmap(p, KFD_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS |
			      MAP_FIXED_NOREPLACE | MAP_POPULATE, -1, 0) == p ? 0 : -errno);
		STEP(sc, madvise(p, KFD_PAGE, MADV_DONTNEED) ? -errno : 0);
	}
	return wait_until_given_up(&sc->k);
}

static int visitor_goes(struct scene *sc)
{
	unsigned int i;

	for (i = 0; i < WAYS; i++) {
		struct piece *pc = &sc->piece[i];

		if (pc->way->taking == UNMAP)
			STEP(sc, munmap(pc->p + pc->way->first * KFD_PAGE, KFD_PAGE) ? -errno : 0);
	}
	return 0;
}

/* In a child: is dumped. */
static int scene_dump(void *arg)
{
	struct scene *sc = arg;

	STEP(sc, scene_make(sc));
	if (sc->given_up) {
		STEP(sc, wait_until_given_up(&sc->k));
		STEP(sc, fdinfo_tells(sc, &sc->k));
		STEP(sc, visitor_comes(sc));
	}
	STEP(sc, dump(sc, &sc->k));
	if (sc->given_up)
		STEP(sc, visitor_goes(sc));
	STEP(sc, kfd_criu_unpause(sc->k.fd));
	return 0;
}

/* The same, and goes on. */
static int scene_dump_and_go_on(void *arg)
{
	struct scene *sc = arg;

	STEP(sc, scene_dump(sc));
	return check_all(sc, &sc->k);
}

static int read_image(struct scene *sc)
{
	STEP(sc, lseek(sc->fd, 0, SEEK_SET) ? -errno : 0);
	STEP(sc, kfd_snapshot_read(&sc->s, sc->fd));
	return 0;
}

/* --- restore ----------------------------------------------------------------- */

/* As it comes back, and the memory as criu would have brought it. */
static int scene_restore(struct scene *sc, struct kfd *now)
{
	unsigned int i;

	STEP(sc, kfd_snapshot_restore(now, &sc->s));
	now->next_va = sc->k.next_va;
	sc->q = sc->dumped;
	STEP(sc, kfd_queue_map_doorbell(now, &sc->q));
	STEP(sc, kfd_queue_map_doorbell(now, &sc->lame));
	for (i = 0; i < 2 * WAYS; i++) {
		sc->at = i;
		STEP(sc, map_piece(&sc->piece[i]));
		STEP(sc, take_away(sc, now, &sc->piece[i]));
	}
	return 0;
}

/* And is dumped again, after a fork. */
static int scene_restore_and_go_on(void *arg)
{
	struct scene *sc = arg;
	struct kfd now = { 0 };

	STEP(sc, scene_restore(sc, &now));
	STEP(sc, kfd_criu_resume(now.fd, getpid()));
	STEP(sc, fdinfo_tells(sc, &now));
	STEP(sc, fork_and_wait());
	if (sc->given_up)
		STEP(sc, wait_until_given_up(&now));
	STEP(sc, dump(sc, &now));
	STEP(sc, kfd_criu_unpause(now.fd));
	STEP(sc, check_all(sc, &now));
	return 0;
}

/* What is gone may be missing, and nothing else. */
static int scene_more_is_missing(void *arg)
{
	struct scene *sc = arg;
	struct kfd now = { 0 };
	unsigned int i;

	STEP(sc, scene_restore(sc, &now));
	for (i = 0; i < 2 * WAYS; i++) {
		struct piece *pc = &sc->piece[i];
		char *p = pc->p + 3 * KFD_PAGE;

		if (is_gone(pc, 3))
			continue;
		/* Between two guard pages it may, or where a page may have been missed. */
		if (pc->way->also || (pc->svm && pc->way->taking == READ_ONLY))
			continue;
		sc->at = i;
		STEP(sc, mprotect(p, KFD_PAGE, PROT_NONE) ? -errno : 0);
		STEP_ERR(sc, EFAULT, kfd_criu_resume(now.fd, getpid()));
		STEP(sc, mprotect(p, KFD_PAGE, PROT_READ | PROT_WRITE) ? -errno : 0);
	}
	STEP(sc, kfd_criu_resume(now.fd, getpid()));
	for (i = 0; i < 2 * WAYS; i++) {
		sc->at = i;
		STEP(sc, check_piece(sc, &now, &sc->piece[i], false));
	}
	return 0;
}

/* An image that says of all memory that it was lost. */
static int scene_all_is_said_to_be_lost(void *arg)
{
	struct scene *sc = arg;
	struct kfd_record_bo *bo;
	struct kfd now = { 0 };
	unsigned int i;

	for (i = 0; i < 2 * WAYS; i++) {
		struct piece *pc = &sc->piece[i];
		struct kfd_record_svm *svm = svm_record(&sc->s, pc->p + 3 * KFD_PAGE);

		bo = pc->svm ? NULL : bo_record(&sc->s, &pc->bo);
		if (bo) {
			bo->lost_offset = 0;
			bo->lost_size = bo->size;
		} else if (pc->svm && svm) {
			svm->lost_offset = 0;
			svm->lost_size = svm->size;
		}
	}
	STEP(sc, scene_restore(sc, &now));
	STEP(sc, munmap(sc->piece[0].p, SIZE) ? -errno : 0);
	STEP(sc, kfd_criu_resume(now.fd, getpid()));
	for (i = 1; i < 2 * WAYS; i++) {
		sc->at = i;
		STEP(sc, check_piece(sc, &now, &sc->piece[i], false));
	}
	sc->at = 0;
	return is_a_fault(sc, &now, sc->piece[0].p + 3 * KFD_PAGE);
}

/* Memory that comes back is had again when the buffer is mapped again. */
static int scene_comes_back(void *arg)
{
	struct scene *sc = arg;
	struct kfd now = { 0 };
	unsigned int i, page;

	STEP(sc, scene_restore(sc, &now));
	STEP(sc, kfd_criu_resume(now.fd, getpid()));
	for (i = 0; i < WAYS; i++) {
		struct piece *pc = &sc->piece[i];

		sc->at = i;
		munmap(pc->p, SIZE);
		STEP(sc, map_piece(pc));
		STEP(sc, kfd_bo_unmap_gpu(&now, &pc->bo, 0));
		STEP(sc, kfd_bo_map_gpu(&now, &pc->bo, 0));
		for (page = 0; page < PAGES; page++)
			STEP(sc, reaches(sc, pc->p + page * KFD_PAGE, false));
	}
	STEP(sc, look(&now));
	STEP(sc, kfd_fdinfo_lines(text, "kfd-userptr-lost") == 1 ? 0 : -EILSEQ);
	return 0;
}

/* Whoever restores may put the memory elsewhere, with what is missing of it. */
static int scene_elsewhere(void *arg)
{
	struct scene *sc = arg;
	struct kfd now = { 0 };
	unsigned int page;
	struct piece *pc;
	char *p;

	STEP(sc, scene_restore(sc, &now));
	sc->at = GUARD_PAGE;
	pc = &sc->piece[GUARD_PAGE];
	STEP(sc, munmap(pc->p, SIZE) ? -errno : 0);
	p = kfd_some_memory(&now, SIZE);
	STEP(sc, p ? 0 : -ENOMEM);
	STEP(sc, mprotect(p + pc->way->first * KFD_PAGE, KFD_PAGE, PROT_NONE));
	STEP(sc, kfd_vaddr_update(&now, &pc->bo, p));
	STEP(sc, kfd_criu_resume(now.fd, getpid()));
	for (page = 0; page < PAGES; page++)
		if (!is_gone(pc, page))
			STEP(sc, kfd_vaddr_reaches(&sc->q, &pc->bo, page * KFD_PAGE, p));
	return is_a_fault(sc, &now, (char *)(uintptr_t)(pc->bo.va + pc->way->first * KFD_PAGE));
}

FIXTURE(criu_gone)
{
	struct scene *sc;
};

FIXTURE_VARIANT(criu_gone)
{
	bool given_up;
};

FIXTURE_VARIANT_ADD(criu_gone, just_now) { .given_up = false };
FIXTURE_VARIANT_ADD(criu_gone, long_ago) { .given_up = true };

static int in_child(struct scene *sc, int (*fn)(void *arg))
{
	int ret = kfd_in_child(fn, sc);

	if (ret)
		printf("# line %d, %s, %s: %d\n", sc->step, sc->piece[sc->at].way->name,
		       sc->piece[sc->at].svm ? "range" : "registered", ret);
	sc->step = 0;
	return ret;
}

FIXTURE_SETUP(criu_gone)
{
	struct scene *sc;

	sc = mmap(NULL, sizeof(*sc), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, sc);
	self->sc = sc;
	sc->given_up = variant->given_up;
	sc->fd = memfd_create("image", MFD_CLOEXEC);
	ASSERT_OK(in_child(sc, scene_dump));
	ASSERT_OK(read_image(sc));
}

FIXTURE_TEARDOWN(criu_gone)
{
	kfd_snapshot_free(&self->sc->s);
}

TEST_F_TIMEOUT(criu_gone, dumped_it_goes_on, TIMEOUT)
{
	EXPECT_OK(in_child(self->sc, scene_dump_and_go_on));
}

TEST_F_TIMEOUT(criu_gone, comes_back_as_it_was, TIMEOUT)
{
	ASSERT_OK(in_child(self->sc, scene_restore_and_go_on));
	/* And the image of that. */
	kfd_snapshot_free(&self->sc->s);
	ASSERT_OK(read_image(self->sc));
	EXPECT_OK(in_child(self->sc, scene_restore_and_go_on));
}

TEST_F_TIMEOUT(criu_gone, more_is_missing, TIMEOUT)
{
	EXPECT_OK(in_child(self->sc, scene_more_is_missing));
}

TEST_F_TIMEOUT(criu_gone, all_is_said_to_be_lost, TIMEOUT)
{
	EXPECT_OK(in_child(self->sc, scene_all_is_said_to_be_lost));
}

TEST_F_TIMEOUT(criu_gone, memory_is_elsewhere, TIMEOUT)
{
	EXPECT_OK(in_child(self->sc, scene_elsewhere));
}

TEST_F_TIMEOUT(criu_gone, memory_comes_back, TIMEOUT)
{
	EXPECT_OK(in_child(self->sc, scene_comes_back));
}

KFD_TEST_MAIN_OURS
