// SPDX-License-Identifier: GPL-2.0-only
/*
 * A random walk through what can happen to memory that GPUs use, beside a model of
 * what has to come of it.
 *
 * A window of a few pages is mapped, unmapped, moved, protected, thrown away,
 * truncated, shared by a fork; it is registered, mapped on the GPU, unmapped, freed,
 * given attributes and dumped; and now and then the GPU reads and writes a page of it.
 * The model knows of each page what it holds and who may reach it:
 *
 *	the GPU never sees anything but what the CPU would see there now, and never
 *	a page that the CPU has not, or that has not been given to it;
 *	a page that has been there since it was registered, mapped or given attributes
 *	is reached (it is *firm*). One that was away for a while need not be.
 *
 * A child that was forked finds what it had. What else could go wrong is for the
 * kernel to tell: KASAN, lockdep and the other checks of the debug kernel.
 *
 * WALK_SEED is where it begins (0: somewhere else each time), WALK_ROUNDS how long it is.
 */
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "lib/kfd_fdinfo.h"
#include "lib/kfd_mem.h"
#include "lib/kfd_svm.h"
#include "lib/kfd_test.h"
#include "lib/kfd_vaddr.h"
#include "lib/kfd_workload.h"

#define PAGES		12
#define USERPTRS	3
#define RING		65536
#define TRAIL		24	/* steps that are told of when it fails */
#define STEPS		4	/* between two looks at what the GPU sees */
#define ROUNDS		60

enum kind { NONE, ANONYMOUS, SHARED };

/**
 * struct page_model - a page of the window
 * @kind: what is mapped
 * @prot: PROT_*
 * @word: what its first word is; SHARED: the file's tells
 * @at: SHARED: which page of the file
 * @given: the GPU may reach it by its address
 * @firm: and has to
 */
struct page_model {
	enum kind kind;
	int prot;
	uint64_t word;
	unsigned int at;
	bool given;
	bool firm;
};

/**
 * struct user_model - registered memory
 * @bo: its buffer; handle 0: none
 * @first: its first page
 * @n: its length in pages
 * @mapped: on the GPU
 * @firm: the GPU has to reach it, by page of the window
 */
struct user_model {
	struct kfd_bo bo;
	unsigned int first;
	unsigned int n;
	bool mapped;
	bool firm[PAGES];
};

FIXTURE(walk)
{
	struct kfd k;
	struct kfd_queue q;
	struct kfd_bo safe;
	char *base;
	int fd;
	unsigned int file_pages;	/* that the file has */
	uint64_t file_word[PAGES];
	struct page_model page[PAGES];
	struct user_model user[USERPTRS];
	pid_t child;
	int pipe;
	uint64_t random;
	uint64_t next_word;
	bool retry;
	char trail[TRAIL][96];
	unsigned int steps;
};

#define WALK	FIXTURE_DATA(walk)

FIXTURE_VARIANT(walk)
{
	bool retry;
};

FIXTURE_VARIANT_ADD(walk, queues_stop)
{
	.retry = false,
};

FIXTURE_VARIANT_ADD(walk, queues_retry)
{
	.retry = true,
};

static unsigned int number_of(const char *name, unsigned int otherwise)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 10) : otherwise;
}

/* splitmix64: the same walk from the same seed, whatever libc is used. */
static unsigned int dice(WALK *w, unsigned int sides)
{
	uint64_t x = w->random += 0x9e3779b97f4a7c15ULL;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return (x ^ (x >> 31)) % sides;
}

__attribute__((format(printf, 2, 3)))
static void note(WALK *w, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(w->trail[w->steps++ % TRAIL], sizeof(w->trail[0]), fmt, args);
	va_end(args);
}

static void tell_trail(const WALK *w)
{
	static char text[64 << 10];
	char *line;
	unsigned int i = w->steps > TRAIL ? w->steps - TRAIL : 0;

	for (; i < w->steps; i++)
		printf("# %u: %s\n", i, w->trail[i % TRAIL]);
	/* and how the driver has it */
	if (!kfd_fdinfo_read(getpid(), w->k.fd, text, sizeof(text)))
		for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
			printf("# %s\n", line);
	fflush(stdout);
}

/* Some of the pages. */
static unsigned int stretch(WALK *w, unsigned int *first)
{
	unsigned int n = 1 + dice(w, 5);

	*first = dice(w, PAGES);
	return *first + n > PAGES ? PAGES - *first : n;
}

static char *at(const WALK *w, unsigned int i)
{
	return w->base + i * KFD_PAGE;
}

static uint64_t *word_of(WALK *w, unsigned int i)
{
	struct page_model *p = &w->page[i];

	return p->kind == SHARED ? &w->file_word[p->at] : &p->word;
}

/* --- who may reach what ---------------------------------------------------- */

static bool is_there(const WALK *w, unsigned int i, int prot)
{
	const struct page_model *p = &w->page[i];

	return p->kind != NONE && (p->prot & prot) == prot &&
	       (p->kind != SHARED || p->at < w->file_pages);
}

static bool all_there(const WALK *w, unsigned int first, unsigned int n, int prot)
{
	while (n--)
		if (!is_there(w, first++, prot))
			return false;
	return true;
}

static bool all_mapped(const WALK *w, unsigned int first, unsigned int n)
{
	while (n--)
		if (w->page[first++].kind == NONE)
			return false;
	return true;
}

/* After every step: what is away is firm no more, unless GPUs ask again and again. */
static void forget(WALK *w)
{
	struct page_model *p;
	unsigned int i, u;

	for (i = 0; i < PAGES; i++) {
		p = &w->page[i];
		if (!p->given || !is_there(w, i, PROT_READ))
			p->firm = false;
		else if (w->retry)
			p->firm = true;
		for (u = 0; u < USERPTRS; u++)
			if (!is_there(w, i, PROT_READ | PROT_WRITE))
				w->user[u].firm[i] = false;
	}
}

/* The mapping of a page has gone, and with it what was said of it. */
static void unmapped(WALK *w, unsigned int i)
{
	w->page[i] = (struct page_model){ .given = w->retry };
}

/* --- steps: what the process does ------------------------------------------ */

static int new_word(WALK *w, unsigned int i)
{
	if (!is_there(w, i, PROT_READ | PROT_WRITE))
		return 0;
	*word_of(w, i) = ++w->next_word;
	*(volatile uint64_t *)at(w, i) = w->next_word;
	return 0;
}

static int step_write(WALK *w)
{
	unsigned int i = dice(w, PAGES);

	note(w, "write %u", i);
	return new_word(w, i);
}

static int step_map(WALK *w)
{
	unsigned int first, n = stretch(w, &first), i;

	note(w, "mmap %u+%u", first, n);
	if (mmap(at(w, first), n * KFD_PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		return -errno;
	for (i = first; i < first + n; i++) {
		unmapped(w, i);
		w->page[i].kind = ANONYMOUS;
		w->page[i].prot = PROT_READ | PROT_WRITE;
		/* Some stay pages that nobody has touched. */
		if (dice(w, 3))
			new_word(w, i);
	}
	return 0;
}

static int step_map_file(WALK *w)
{
	unsigned int first, n = stretch(w, &first), i;

	note(w, "mmap the file %u+%u", first, n);
	if (mmap(at(w, first), n * KFD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		 w->fd, first * KFD_PAGE) == MAP_FAILED)
		return -errno;
	for (i = first; i < first + n; i++) {
		unmapped(w, i);
		w->page[i].kind = SHARED;
		w->page[i].prot = PROT_READ | PROT_WRITE;
		w->page[i].at = i;
	}
	return 0;
}

static int step_unmap(WALK *w)
{
	unsigned int first, n = stretch(w, &first), i;

	note(w, "munmap %u+%u", first, n);
	for (i = first; i < first + n; i++)
		unmapped(w, i);
	return munmap(at(w, first), n * KFD_PAGE) ? -errno : 0;
}

static int step_protect(WALK *w)
{
	static const int prots[] = { PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE,
				     PROT_READ | PROT_WRITE };
	unsigned int first, n = stretch(w, &first), i;
	int prot = prots[dice(w, 4)];

	note(w, "mprotect %u+%u %d", first, n, prot);
	if (!all_mapped(w, first, n))
		return 0;
	for (i = first; i < first + n; i++)
		w->page[i].prot = prot;
	return mprotect(at(w, first), n * KFD_PAGE, prot) ? -errno : 0;
}

static int step_throw_away(WALK *w)
{
	unsigned int first, n = stretch(w, &first), i;

	note(w, "MADV_DONTNEED %u+%u", first, n);
	if (!all_mapped(w, first, n))
		return 0;
	for (i = first; i < first + n; i++)
		if (w->page[i].kind == ANONYMOUS)
			w->page[i].word = 0;
	return madvise(at(w, first), n * KFD_PAGE, MADV_DONTNEED) ? -errno : 0;
}

static int step_move(WALK *w)
{
	unsigned int from = dice(w, PAGES), to = dice(w, PAGES);
	struct page_model moved = w->page[from];

	note(w, "mremap %u to %u", from, to);
	if (from == to || moved.kind == NONE)
		return 0;
	if (mremap(at(w, from), KFD_PAGE, KFD_PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		   at(w, to)) == MAP_FAILED)
		return -errno;
	unmapped(w, to);
	unmapped(w, from);
	moved.given = w->retry;
	moved.firm = false;
	w->page[to] = moved;
	return 0;
}

static int step_truncate(WALK *w)
{
	unsigned int pages = dice(w, 2) ? PAGES : dice(w, PAGES), i;

	note(w, "ftruncate to %u", pages);
	for (i = pages; i < PAGES; i++)
		w->file_word[i] = 0;
	w->file_pages = pages;
	return ftruncate(w->fd, pages * KFD_PAGE) ? -errno : 0;
}

/* What is private to it has stayed as it was. */
static int child_looks(const WALK *w)
{
	const struct page_model *p;
	int i;

	for (i = 0; i < PAGES; i++) {
		p = &w->page[i];
		if (p->kind == ANONYMOUS && p->prot & PROT_READ &&
		    *(volatile uint64_t *)at(w, i) != p->word)
			return 1 + i;
	}
	return 0;
}

static int step_fork(WALK *w)
{
	int ends[2], ret;
	char c;

	if (!w->child) {
		note(w, "fork");
		if (pipe(ends))
			return -errno;
		w->child = fork();
		if (w->child < 0)
			return -errno;
		if (!w->child) {
			close(ends[1]);
			ret = read(ends[0], &c, 1);
			_exit(ret ? 255 : child_looks(w));
		}
		close(ends[0]);
		w->pipe = ends[1];
		return 0;
	}
	note(w, "the child's end");
	close(w->pipe);
	if (waitpid(w->child, &ret, 0) != w->child)
		return -errno;
	w->child = 0;
	if (!ret)
		return 0;
	note(w, "the child says %#x", ret);
	return -EILSEQ;
}

/* --- steps: what it has the driver do -------------------------------------- */

/* A page that is missing is EFAULT, and nothing has changed. */
static int as_expected(WALK *w, int ret, bool good)
{
	if (ret == (good ? 0 : -EFAULT))
		return 0;
	note(w, "it said %d", ret);
	return ret ? ret : -EPROTO;
}

static void user_is_firm(WALK *w, struct user_model *u)
{
	unsigned int i;

	u->mapped = true;
	for (i = u->first; i < u->first + u->n; i++)
		u->firm[i] = true;
}

static int step_register(WALK *w)
{
	struct user_model *u = &w->user[dice(w, USERPTRS)];
	unsigned int first, n = stretch(w, &first);
	bool good;
	int ret;

	if (u->bo.handle) {
		note(w, "free %u+%u", u->first, u->n);
		ret = u->mapped ? kfd_bo_unmap_gpu(&w->k, &u->bo, 0) : 0;
		if (!ret)
			ret = kfd_bo_free(&w->k, &u->bo);
		memset(u, 0, sizeof(*u));
		return ret;
	}
	note(w, "register %u+%u", first, n);
	good = all_there(w, first, n, PROT_READ | PROT_WRITE);
	ret = kfd_vaddr_bo(&w->k, 0, at(w, first), n * KFD_PAGE, &u->bo);
	if (ret) {
		memset(u, 0, sizeof(*u));
		return as_expected(w, ret, good);
	}
	u->first = first;
	u->n = n;
	user_is_firm(w, u);
	return as_expected(w, ret, good);
}

static int step_map_gpu(WALK *w)
{
	struct user_model *u = &w->user[dice(w, USERPTRS)];
	bool good;
	int ret;

	if (!u->bo.handle)
		return 0;
	if (u->mapped) {
		note(w, "unmap %u+%u of the GPU", u->first, u->n);
		u->mapped = false;
		memset(u->firm, 0, sizeof(u->firm));
		return kfd_bo_unmap_gpu(&w->k, &u->bo, 0);
	}
	note(w, "map %u+%u on the GPU", u->first, u->n);
	good = all_there(w, u->first, u->n, PROT_READ | PROT_WRITE);
	ret = kfd_bo_map_gpu(&w->k, &u->bo, 0);
	if (!ret)
		user_is_firm(w, u);
	return as_expected(w, ret, good);
}

static int step_give(WALK *w)
{
	unsigned int first, n = stretch(w, &first), i;
	bool mapped, good;
	int ret;

	note(w, "access to %u+%u", first, n);
	mapped = all_mapped(w, first, n);
	/* Who can ask for a page does not need it at once. */
	good = mapped && (w->retry || all_there(w, first, n, PROT_READ));
	ret = kfd_svm_set1(&w->k, at(w, first), n * KFD_PAGE, KFD_IOCTL_SVM_ATTR_ACCESS,
			   w->k.gpu[0].gpu_id);
	for (i = first; i < first + n && mapped; i++) {
		w->page[i].given = true;
		if (!ret)
			w->page[i].firm = true;
	}
	return as_expected(w, ret, good);
}

static int step_deny(WALK *w)
{
	unsigned int first, n = stretch(w, &first), i;
	bool mapped;
	int ret;

	note(w, "no access to %u+%u", first, n);
	mapped = all_mapped(w, first, n);
	ret = kfd_svm_set1(&w->k, at(w, first), n * KFD_PAGE, KFD_IOCTL_SVM_ATTR_NO_ACCESS,
			   w->k.gpu[0].gpu_id);
	for (i = first; i < first + n && mapped; i++)
		w->page[i].given = false;
	return as_expected(w, ret, mapped);
}

static int step_dump(WALK *w)
{
	struct kfd_snapshot s;
	int ret;

	note(w, "checkpoint");
	ret = kfd_snapshot_checkpoint(w->k.fd, &s);
	if (ret)
		return ret;
	kfd_snapshot_close_fds(&s);
	kfd_snapshot_free(&s);
	return kfd_criu_unpause(w->k.fd);
}

/* --- what the GPU sees ----------------------------------------------------- */

/**
 * struct sight - how the GPU has a page before it
 * @va: the address
 * @i: the page of the window
 * @may: it may reach it
 * @has_to: it has to
 * @write: and may write to it
 */
struct sight {
	uint64_t va;
	unsigned int i;
	bool may;
	bool has_to;
	bool write;
};

/* It reads, and writes if it may: what both find afterwards is the same. */
static int gpu_uses(WALK *w, const struct sight *s)
{
	volatile uint64_t *got = w->safe.cpu;
	uint64_t want = *word_of(w, s->i);
	uint32_t p[16];
	int ret;

	*got = ~0ULL;
	ret = kfd_queue_run(&w->q, p, sdma_copy(p, w->safe.va, s->va, 8));
	if (ret || *got != want) {
		note(w, "page %u: the GPU (%d) read %#llx and not %#llx", s->i, ret,
		     (unsigned long long)*got, (unsigned long long)want);
		return ret ? ret : -EILSEQ;
	}
	if (!s->write)
		return 0;
	ret = kfd_queue_run(&w->q, p, sdma_atomic_add64(p, s->va, 1ULL << 32));
	*word_of(w, s->i) += 1ULL << 32;
	if (ret || *(volatile uint64_t *)at(w, s->i) != want + (1ULL << 32)) {
		note(w, "page %u: the GPU (%d) wrote %#llx more, not seen", s->i, ret, 1ULL << 32);
		return ret ? ret : -EILSEQ;
	}
	return 0;
}

/*
 * On a queue that is used for this alone: 1: it has read *@got; 0: it was told of as
 * a memory exception; -errno
 */
static int try_read(WALK *w, const struct sight *s, uint64_t *got)
{
	struct kfd_event_data data = { 0 };
	struct kfd_ioctl_create_event_args ev;
	unsigned int ms = 0;
	struct kfd_queue q;
	uint32_t p[8], result = KFD_IOC_WAIT_RESULT_TIMEOUT;
	int ret;

	ret = kfd_event_create(&w->k, KFD_IOC_EVENT_MEMORY, true, &ev);
	if (ret)
		return ret;
	ret = kfd_queue_create(&w->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &q);
	if (ret)
		return ret;
	data.event_id = ev.event_id;
	*(volatile uint64_t *)w->safe.cpu = ~0ULL;
	kfd_queue_emit(&q, p, sdma_copy(p, w->safe.va, s->va, 8));
	kfd_queue_submit(&q);
	while (!ret && result == KFD_IOC_WAIT_RESULT_TIMEOUT &&
	       kfd_queue_wait(&q, 0) && ms++ < (unsigned int)PATIENCE)
		ret = kfd_event_wait(&w->k, &data, 1, false, 1, &result);
	*got = *(volatile uint64_t *)w->safe.cpu;
	if (!ret && result == KFD_IOC_WAIT_RESULT_TIMEOUT)
		ret = *got != ~0ULL ? 1 : -ETIME;
	kfd_queue_destroy(&w->k, &q);
	kfd_event_destroy(&w->k, ev.event_id);
	return ret;
}

/* It reads what the CPU would, or nothing; and nothing if it may not. */
static int gpu_tries(WALK *w, const struct sight *s)
{
	uint64_t got, want = *word_of(w, s->i);
	int ret = try_read(w, s, &got);

	if (ret <= 0) {
		if (ret)
			note(w, "page %u: neither read nor refused", s->i);
		return ret;
	}
	if (s->may && got == want)
		return 0;
	note(w, "page %u: the GPU read %#llx, %s", s->i, (unsigned long long)got,
	     s->may ? "which is something else" : "which it may not");
	return -EILSEQ;
}

static int look_at(WALK *w, const struct sight *s)
{
	note(w, "look at %u by %#llx: %s", s->i, (unsigned long long)s->va,
	     s->has_to ? "has to" : s->may ? "may" : "may not");
	return s->has_to ? gpu_uses(w, s) : gpu_tries(w, s);
}

static int look_by_address(WALK *w)
{
	unsigned int i = dice(w, PAGES);
	struct sight s = {
		.va = (uintptr_t)at(w, i), .i = i,
		.may = w->page[i].given && is_there(w, i, PROT_READ),
		.has_to = w->page[i].firm,
		.write = is_there(w, i, PROT_READ | PROT_WRITE),
	};

	return look_at(w, &s);
}

static int look_by_buffer(WALK *w)
{
	struct user_model *u = &w->user[dice(w, USERPTRS)];
	struct sight s = { .write = true };

	if (!u->bo.handle || !u->mapped)
		return 0;
	s.i = u->first + dice(w, u->n);
	s.va = u->bo.va + (s.i - u->first) * KFD_PAGE;
	s.may = is_there(w, s.i, PROT_READ | PROT_WRITE);
	s.has_to = u->firm[s.i];
	return look_at(w, &s);
}

/* --- the walk -------------------------------------------------------------- */

static int step(WALK *w)
{
	static int (*const steps[])(WALK *) = {
		step_write, step_map, step_map, step_map_file, step_map_file, step_unmap,
		step_protect, step_protect, step_throw_away, step_move, step_truncate,
		step_fork, step_register, step_register, step_map_gpu, step_give, step_give,
		step_deny, step_dump,
	};
	int ret = steps[dice(w, sizeof(steps) / sizeof(steps[0]))](w);

	forget(w);
	return ret;
}

FIXTURE_SETUP(walk)
{
	unsigned int i;

	self->retry = variant->retry;
	self->random = number_of("WALK_SEED", 1) ?: kfd_now_ms() & 0xffffff;
	TH_LOG("WALK_SEED=%llu", (unsigned long long)self->random);
	ASSERT_OK(kfd_start(&self->k));
	if (self->retry && kfd_set_xnack(&self->k, 1) != 1)
		return;
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, KFD_PAGE, &self->safe));
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &self->q));
	self->base = (char *)(uintptr_t)kfd_reserve_va(&self->k, PAGES * KFD_PAGE);
	self->fd = memfd_create("walk", MFD_CLOEXEC);
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(0, ftruncate(self->fd, PAGES * KFD_PAGE));
	self->file_pages = PAGES;
	for (i = 0; i < PAGES; i++)
		unmapped(self, i);
}

FIXTURE_TEARDOWN(walk)
{
	if (self->child > 0) {
		close(self->pipe);
		waitpid(self->child, NULL, 0);
	}
	kfd_stop(&self->k);
}

TEST_F_TIMEOUT(walk, the_model_holds, 600)
{
	unsigned int rounds = number_of("WALK_ROUNDS", ROUNDS), i, n;
	int ret = 0;

	if (!self->base)
		SKIP(return, "a GPU that cannot wait for pages");
	for (i = 0; i < rounds && !ret; i++) {
		for (n = 0; n < STEPS && !ret; n++)
			ret = step(self);
		if (!ret)
			ret = look_by_address(self);
		if (!ret)
			ret = look_by_buffer(self);
	}
	if (ret)
		tell_trail(self);
	ASSERT_OK(ret);
}

TEST_HARNESS_MAIN
