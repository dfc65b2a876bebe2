// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fork and copy-on-write under a GPU that writes memory on its own.
 *
 * A fork makes process and child share every private page until one of them
 * writes. The GPU writes too, and knows nothing of that: it must never write
 * to a page that the child has, and must never lose the page that its process
 * has. So whatever comes first, a write of the process, of its child or of the
 * GPU: the process and its GPU see the same, and the child what was there at
 * the moment of the fork.
 *
 * Each test runs for every kind of memory and every backing (lib/kfd_mem.h). A
 * shared mapping is the control: there the child has to see what the GPU
 * writes, so that a test which could not notice it would fail.
 */
#include <spawn.h>
#include <sys/syscall.h>

#include "lib/kfd_mem.h"
#include "lib/kfd_test.h"
#include "lib/kfd_workload.h"

#define RING		65536
#define NUM_WORDS	3
#define STEPS		4
#define CHILDREN	6	/* of a round of a storm */
#define BATCH		256	/* additions to each word, in one piece */
#define GOOD_ROUNDS	3	/* in which the GPU counted meanwhile */
#define MAX_ROUNDS	12

extern char **environ;

/**
 * struct child - what a process and its child tell each other
 * @at: the words that both look at
 * @write: the child writes a value of its own at first
 * @shared: the memory is shared: what the child writes, its parent would see
 * @expect: what the child has to see in each word
 * @first: what it saw at first
 * @last: what it saw at the end
 * @step: how far it is
 * @go: how far it may go
 *
 * In memory that both share.
 */
struct child {
	volatile uint64_t *at[NUM_WORDS];
	bool write, shared;
	volatile uint64_t expect;
	uint64_t first[NUM_WORDS], last[NUM_WORDS];
	volatile int step;
	volatile int go[STEPS];
};

FIXTURE(fork)
{
	struct kfd k;
	struct kfd_queue q;
	struct kfd_bo shadow;	/* that nobody copies: counts with the words */
	struct kfd_bo ib;	/* BATCH additions to each of them */
	struct kfd_mem m;
	volatile uint64_t *at[NUM_WORDS];
	struct child *child;
};

FIXTURE_VARIANT(fork)
{
	const struct kfd_mem_kind *kind;
	enum kfd_backing backing;
};

/* One line for each kind of memory. */
#define FORK_VARIANTS(kind_name) \
	FIXTURE_VARIANT_ADD(fork, kind_name##_anonymous) \
	{ .kind = &kfd_mem_##kind_name, .backing = KFD_ANONYMOUS }; \
	FIXTURE_VARIANT_ADD(fork, kind_name##_huge) \
	{ .kind = &kfd_mem_##kind_name, .backing = KFD_ANONYMOUS_HUGE }; \
	FIXTURE_VARIANT_ADD(fork, kind_name##_private_file) \
	{ .kind = &kfd_mem_##kind_name, .backing = KFD_PRIVATE_FILE }; \
	FIXTURE_VARIANT_ADD(fork, kind_name##_shared_file) \
	{ .kind = &kfd_mem_##kind_name, .backing = KFD_SHARED_FILE }

FORK_VARIANTS(userptr);
FORK_VARIANTS(svm);
FORK_VARIANTS(svm_retry);

/* Add 1 to each word and then to the shadow, BATCH times. */
static int fill_ib(struct kfd *k, volatile uint64_t **at, uint64_t shadow, struct kfd_bo *ib)
{
	uint32_t bytes = BATCH * (NUM_WORDS + 1) * 32, *p;
	int ret = kfd_bo_create(k, 0, MEM_GTT, bytes, ib);
	int i;

	if (ret)
		return ret;
	for (p = ib->cpu; (char *)p < (char *)ib->cpu + bytes; ) {
		for (i = 0; i < NUM_WORDS; i++)
			p += sdma_atomic_add64(p, (uintptr_t)at[i], 1);
		p += sdma_atomic_add64(p, shadow, 1);
	}
	return 0;
}

FIXTURE_SETUP(fork)
{
	int i;

	self->child = mmap(NULL, KFD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			   -1, 0);
	ASSERT_NE(MAP_FAILED, self->child);
	ASSERT_OK(kfd_start(&self->k));
	ASSERT_OK(kfd_mem_prepare(&self->k, variant->kind));
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, KFD_PAGE, &self->shadow));
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &self->q));
	ASSERT_OK(kfd_mem_create(&self->k, variant->kind, variant->backing, &self->m))
		TH_LOG("%s", variant->kind->name);
	/* Of two huge pages: in the first, at the end of it, and in the last. */
	self->at[0] = (uint64_t *)self->m.p;
	self->at[1] = (uint64_t *)(self->m.p + self->m.size / 2 - KFD_PAGE + 8);
	self->at[2] = (uint64_t *)(self->m.p + self->m.size - 8);
	for (i = 0; i < NUM_WORDS; i++) {
		*self->at[i] = 0;
		self->child->at[i] = self->at[i];
	}
	self->child->shared = variant->backing == KFD_SHARED_FILE;
	ASSERT_OK(fill_ib(&self->k, self->at, self->shadow.va, &self->ib));
}

FIXTURE_TEARDOWN(fork)
{
	EXPECT_OK(kfd_mem_file_untouched(&self->m));
	EXPECT_OK(kfd_mem_destroy(&self->k, &self->m));
	kfd_stop(&self->k);
	munmap(self->child, KFD_PAGE);
}

/* --- one write after the other ----------------------------------------------- */

static int add_all(struct kfd_queue *q, volatile uint64_t **at, uint64_t value)
{
	int ret = 0, i;

	for (i = 0; i < NUM_WORDS && !ret; i++)
		ret = kfd_gpu_add(q, at[i], value);
	return ret;
}

static void write_all(volatile uint64_t **at, uint64_t value)
{
	int i;

	for (i = 0; i < NUM_WORDS; i++)
		*at[i] = value;
}

static int all_are(volatile uint64_t **at, uint64_t value)
{
	int i;

	for (i = 0; i < NUM_WORDS; i++)
		if (*at[i] != value)
			return -EILSEQ;
	return 0;
}

static int next_step(struct child *c)
{
	int step = ++c->step;

	return kfd_wait_flag(&c->go[step - 1]);
}

/* Look, write, look again; what it has to see is told it each time. */
static int look_and_write(void *arg)
{
	struct child *c = arg;
	int ret;

	if (all_are(c->at, c->expect))
		return -EPROTO;
	if (c->write)
		write_all(c->at, 7);
	ret = next_step(c);
	if (ret)
		return ret;
	if (all_are(c->at, c->expect))
		return -EILSEQ;
	if (!c->shared)
		write_all(c->at, 8);
	ret = next_step(c);
	if (ret)
		return ret;
	return all_are(c->at, c->expect) ? -EBADMSG : 0;
}

static int wait_for_step(struct child *c, int step)
{
	uint64_t end = kfd_now_ms() + PATIENCE;

	while (c->step < step) {
		if (kfd_now_ms() > end)
			return -ETIMEDOUT;
		kfd_sleep_ms(1);
	}
	return 0;
}

static void let_go(struct child *c, int step, uint64_t expect)
{
	c->expect = expect;
	c->go[step - 1] = 1;
}

enum order { PARENT_FIRST, CHILD_FIRST, GPU_FIRST, NUM_ORDERS };

/*
 * The first writes after a fork come in @order. Of what the process writes, 0
 * says that all is well; else where it was not, as a negative number.
 */
static int writes_after_fork(struct kfd_queue *q, volatile uint64_t **at, struct child *c,
			     enum kfd_spawn how, enum order order)
{
	uint64_t mine = 10, its = 10;
	pid_t pid;

	c->step = 0;
	memset((void *)c->go, 0, sizeof(c->go));
	c->write = order == CHILD_FIRST && !c->shared;
	c->expect = 10;
	write_all(at, 0);
	if (add_all(q, at, 10) || all_are(at, 10))
		return -1;
	pid = kfd_spawn(how, look_and_write, c);
	if (pid < 0 || wait_for_step(c, 1))
		return -2;
	if (c->write)
		its = 7;
	if (order == PARENT_FIRST) {
		mine = 100;
		write_all(at, mine);
	}
	if (add_all(q, at, 5) || all_are(at, mine + 5))
		return -3;
	/* Frozen, unless the memory is shared. */
	let_go(c, 1, c->shared ? mine + 5 : its);
	if (wait_for_step(c, 2))
		return -4;
	if (all_are(at, mine + 5) || add_all(q, at, 1) || all_are(at, mine + 6))
		return -5;
	let_go(c, 2, c->shared ? mine + 6 : 8);
	if (kfd_wait_child(pid))
		return -6;
	/* Alone again. */
	if (add_all(q, at, 1) || all_are(at, mine + 7))
		return -7;
	write_all(at, 1);
	return add_all(q, at, 1) || all_are(at, 2) ? -8 : 0;
}

TEST_F_TIMEOUT(fork, whoever_writes_first, 60)
{
	int how, order, ret;

	for (how = 0; how < KFD_NUM_COPYING; how++)
		for (order = 0; order < NUM_ORDERS; order++) {
			ret = writes_after_fork(&self->q, self->at, self->child, how, order);
			EXPECT_EQ(0, ret) TH_LOG("way %d, order %d: step %d", how, order, -ret);
		}
}

/* What a child writes and the process has not touched since stays apart too. */
static int writes_and_ends(void *arg)
{
	struct child *c = arg;

	write_all(c->at, 99);
	return all_are(c->at, 99);
}

TEST_F(fork, child_that_writes_and_is_gone)
{
	pid_t pid;
	int round;

	if (variant->backing == KFD_SHARED_FILE)
		return;
	for (round = 1; round <= 5; round++) {
		pid = kfd_spawn(KFD_FORK, writes_and_ends, self->child);
		ASSERT_LT(0, pid);
		ASSERT_OK(kfd_wait_child(pid));
		ASSERT_OK(add_all(&self->q, self->at, 1));
		ASSERT_OK(all_are(self->at, round));
	}
}

/* --- children that share the memory ------------------------------------------ */

static int sees_and_adds(void *arg)
{
	struct child *c = arg;

	if (all_are(c->at, c->expect))
		return -EILSEQ;
	write_all(c->at, c->expect + 1);
	return 0;
}

/* It is no copy: what it writes the GPU sees, and its end is nobody's. */
TEST_F(fork, children_in_the_same_memory)
{
	static const enum kfd_spawn ways[] = { KFD_CLONE_VM, KFD_CLONE_VFORK };
	uint64_t value = 0;
	pid_t pid;
	int i;

	for (i = 0; i < 6; i++) {
		ASSERT_OK(add_all(&self->q, self->at, 1));
		self->child->expect = ++value;
		pid = kfd_spawn(ways[i % 2], sees_and_adds, self->child);
		ASSERT_LT(0, pid);
		ASSERT_OK(kfd_wait_child(pid));
		value++;
		ASSERT_OK(all_are(self->at, value));
		ASSERT_OK(add_all(&self->q, self->at, 1));
		ASSERT_OK(all_are(self->at, ++value));
	}
}

/* --- storms ------------------------------------------------------------------ */

/*
 * @n batches of counting, without waiting for them. The ring's read pointer is
 * past a batch when it has begun: the shadow says when all is done.
 */
static int start_batches(struct kfd_queue *q, const struct kfd_bo *ib, unsigned int n)
{
	uint32_t p[8];
	int ret = 0;

	while (n-- && !ret)
		ret = kfd_queue_emit(q, p, sdma_indirect(p, ib->va, ib->size / 4));
	kfd_queue_submit(q);
	return ret;
}

static void look(const struct child *c, uint64_t *seen)
{
	int i;

	for (i = 0; i < NUM_WORDS; i++)
		seen[i] = *c->at[i];
}

static int look_twice(void *arg)
{
	struct child *c = arg;
	int ret;

	look(c, c->first);
	ret = next_step(c);
	look(c, c->last);
	return ret;
}

/*
 * What the child of a process whose GPU counts has to have seen: the words of
 * one moment, which was between two looks at the shadow, and never another one.
 */
static int saw_one_moment(const struct child *c, uint64_t before, uint64_t after)
{
	int i;

	if (memcmp(c->first, c->last, sizeof(c->first)))
		return -EILSEQ;
	/* The queue adds to one after the other. */
	for (i = 1; i < NUM_WORDS; i++)
		if (c->first[i] > c->first[i - 1])
			return -EPROTO;
	if (c->first[0] - c->first[NUM_WORDS - 1] > 1)
		return -EPROTO;
	return c->first[NUM_WORDS - 1] < before || c->first[0] > after + 1 ? -ERANGE : 0;
}

struct storm {
	struct child *c[CHILDREN];
	pid_t pid[CHILDREN];
	uint64_t before[CHILDREN], after[CHILDREN];
};

static int storm_start(struct storm *s, struct child *c, volatile uint64_t *shadow)
{
	int i;

	for (i = 0; i < CHILDREN; i++) {
		s->c[i] = c + 1 + i;
		*s->c[i] = (struct child){ .shared = c->shared };
		memcpy(s->c[i]->at, c->at, sizeof(c->at));
		s->before[i] = *shadow;
		s->pid[i] = kfd_spawn(i % KFD_NUM_COPYING, look_twice, s->c[i]);
		s->after[i] = *shadow;
		if (s->pid[i] < 0)
			return s->pid[i];
	}
	return 0;
}

static void say_words(int i, const char *when, const uint64_t *seen)
{
	printf("# child %d saw %s: %llu %llu %llu\n", i, when, (unsigned long long)seen[0],
	       (unsigned long long)seen[1], (unsigned long long)seen[2]);
}

/* All of them end; the first one that was not as it should be is returned. */
static int storm_end(struct storm *s, uint64_t total)
{
	int ret = 0, err, i;

	for (i = 0; i < CHILDREN; i++) {
		err = wait_for_step(s->c[i], 1);
		s->c[i]->go[0] = 1;
		if (!err)
			err = kfd_wait_child(s->pid[i]);
		if (!err && !s->c[i]->shared)
			err = saw_one_moment(s->c[i], s->before[i], s->after[i]);
		if (!err && s->c[i]->shared && all_are(s->c[i]->at, total))
			err = -EBADMSG;
		if (err && !ret) {
			ret = err;
			say_words(i, "at first", s->c[i]->first);
			say_words(i, "at the end", s->c[i]->last);
			printf("# between %llu and %llu\n", (unsigned long long)s->before[i],
			       (unsigned long long)s->after[i]);
		}
	}
	return ret;
}

/*
 * Forks after the GPU has come to its end prove nothing, and how fast either is
 * nobody knows: it gets more to do until there have been rounds enough.
 */
TEST_F_TIMEOUT(fork, storm_while_the_gpu_counts, 90)
{
	volatile uint64_t *shadow = self->shadow.cpu;
	int round, good = 0;
	unsigned int batches = 2;
	uint64_t total = 0;
	struct storm s;

	for (round = 0; round < MAX_ROUNDS && good < GOOD_ROUNDS; round++) {
		ASSERT_OK(start_batches(&self->q, &self->ib, batches));
		total += (uint64_t)batches * BATCH;
		ASSERT_OK(storm_start(&s, self->child, shadow));
		if (s.after[CHILDREN / 2] < total)
			good++;
		else
			batches *= 2;
		ASSERT_OK(kfd_wait_u64(shadow, total, PATIENCE));
		EXPECT_OK(all_are(self->at, total));
		EXPECT_OK(storm_end(&s, total));
		EXPECT_OK(all_are(self->at, total));
	}
	EXPECT_EQ(GOOD_ROUNDS, good);
}

static int ends_at_once(void *arg)
{
	return 0;
}

static pid_t spawn_true(void)
{
	static char *const argv[] = { "true", NULL };
	pid_t pid;
	int ret = posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ);

	return ret ? -ret : pid;
}

static pid_t vfork_true(void)
{
	static char *const argv[] = { "true", NULL };
	pid_t pid = vfork();

	if (!pid) {
		execve("/bin/true", argv, environ);
		_exit(127);
	}
	return pid < 0 ? -errno : pid;
}

static pid_t vfork_and_end(void)
{
	return kfd_spawn(KFD_CLONE_VFORK, ends_at_once, NULL);
}

/* Children that have nothing to copy, of the same and of another program. */
TEST_F_TIMEOUT(fork, storm_of_vforks_and_spawns, 90)
{
	static pid_t (*const ways[])(void) = { spawn_true, vfork_true, vfork_and_end };
	volatile uint64_t *shadow = self->shadow.cpu;
	unsigned int batches = 2;
	uint64_t total = 0;
	int round, good = 0;
	pid_t pid;

	for (round = 0; round < MAX_ROUNDS && good < 2 * GOOD_ROUNDS; round++) {
		ASSERT_OK(start_batches(&self->q, &self->ib, batches));
		total += (uint64_t)batches * BATCH;
		if (*shadow < total)
			good++;
		else
			batches *= 2;
		pid = ways[round % 3]();
		ASSERT_LT(0, pid);
		ASSERT_OK(kfd_wait_child(pid));
		ASSERT_OK(kfd_wait_u64(shadow, total, PATIENCE));
		EXPECT_OK(all_are(self->at, total));
	}
	EXPECT_EQ(2 * GOOD_ROUNDS, good);
}

/*
 * The child goes on to use the GPU itself, in the same memory that its parent
 * has registered: each has a copy, and each GPU VM its own.
 */
static int uses_the_gpu(void *arg)
{
	struct child *c = arg;
	struct kfd_queue q;
	struct kfd_bo bo;
	struct kfd own;
	int ret;

	ret = kfd_start(&own);
	if (ret)
		return ret;
	/* Beyond what its parent has there, which it has inherited. */
	own.next_va += 1ULL << 32;
	ret = kfd_queue_create(&own, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &q);
	if (!ret)
		ret = kfd_bo_userptr(&own, 0, (void *)((uintptr_t)c->at[0] & ~(KFD_PAGE - 1)),
				     KFD_PAGE, &bo);
	if (!ret)
		ret = kfd_gpu_add(&q, c->at[0], 1000);
	if (!ret && *c->at[0] != 1010)
		ret = -EILSEQ;
	if (!ret)
		ret = next_step(c);
	return ret || *c->at[0] == 1010 ? ret : -EBADMSG;
}

TEST_F_TIMEOUT(fork, child_registers_its_copy, 60)
{
	pid_t pid;

	if (variant->backing == KFD_SHARED_FILE)
		return;
	ASSERT_OK(add_all(&self->q, self->at, 10));
	pid = kfd_spawn(KFD_FORK, uses_the_gpu, self->child);
	ASSERT_LT(0, pid);
	ASSERT_OK(wait_for_step(self->child, 1));
	ASSERT_OK(all_are(self->at, 10));
	ASSERT_OK(add_all(&self->q, self->at, 1));
	let_go(self->child, 1, 0);
	EXPECT_OK(kfd_wait_child(pid));
	EXPECT_OK(all_are(self->at, 11));
}

/* --- a GPU that only reads --------------------------------------------------- */

/*
 * Pages that the GPU may not write stay shared after a fork, also while it has
 * them: it must go where the process goes, and not stay with the child.
 */
FIXTURE(fork_read)
{
	struct kfd k;
	struct kfd_queue q;
	struct kfd_bo copy;	/* what the GPU has read */
	struct kfd_mem m;
	struct child *child;
};

FIXTURE_VARIANT(fork_read)
{
	const struct kfd_mem_kind *kind;
	enum kfd_backing backing;
};

#define FORK_READ_VARIANTS(kind_name) \
	FIXTURE_VARIANT_ADD(fork_read, kind_name##_anonymous) \
	{ .kind = &kfd_mem_##kind_name, .backing = KFD_ANONYMOUS }; \
	FIXTURE_VARIANT_ADD(fork_read, kind_name##_huge) \
	{ .kind = &kfd_mem_##kind_name, .backing = KFD_ANONYMOUS_HUGE }; \
	FIXTURE_VARIANT_ADD(fork_read, kind_name##_private_file) \
	{ .kind = &kfd_mem_##kind_name, .backing = KFD_PRIVATE_FILE }

FORK_READ_VARIANTS(userptr_read_only);
FORK_READ_VARIANTS(svm_read_only);

FIXTURE_SETUP(fork_read)
{
	self->child = mmap(NULL, KFD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			   -1, 0);
	ASSERT_NE(MAP_FAILED, self->child);
	ASSERT_OK(kfd_start(&self->k));
	ASSERT_OK(kfd_mem_prepare(&self->k, variant->kind));
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, KFD_PAGE, &self->copy));
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &self->q));
	ASSERT_OK(kfd_mem_create(&self->k, variant->kind, variant->backing, &self->m));
}

FIXTURE_TEARDOWN(fork_read)
{
	EXPECT_OK(kfd_mem_file_untouched(&self->m));
	EXPECT_OK(kfd_mem_destroy(&self->k, &self->m));
	kfd_stop(&self->k);
	munmap(self->child, KFD_PAGE);
}

/* The words at @at, as the GPU sees them, must all be @value. */
static int gpu_sees(struct kfd_queue *q, const struct kfd_bo *copy, volatile uint64_t **at,
		    uint64_t value)
{
	volatile uint64_t *seen = copy->cpu;
	uint32_t p[8];
	int ret, i;

	for (i = 0; i < NUM_WORDS; i++) {
		seen[i] = ~value;
		ret = kfd_queue_run(q, p, sdma_copy(p, copy->va + i * 8, (uintptr_t)at[i], 8));
		if (ret)
			return ret;
		if (seen[i] != value)
			return -EILSEQ;
	}
	return 0;
}

TEST_F(fork_read, the_gpu_sees_what_its_process_sees)
{
	struct child *c = self->child;
	volatile uint64_t **at = c->at;
	int order;
	pid_t pid;

	at[0] = (uint64_t *)self->m.p;
	at[1] = (uint64_t *)(self->m.p + self->m.size / 2 - KFD_PAGE + 8);
	at[2] = (uint64_t *)(self->m.p + self->m.size - 8);
	for (order = PARENT_FIRST; order <= CHILD_FIRST; order++) {
		write_all(at, 10);
		ASSERT_OK(gpu_sees(&self->q, &self->copy, at, 10));
		memset((void *)c->go, 0, sizeof(c->go));
		c->step = 0;
		c->expect = 10;
		c->write = order == CHILD_FIRST;
		pid = kfd_spawn(KFD_FORK, look_and_write, c);
		ASSERT_LT(0, pid);
		ASSERT_OK(wait_for_step(c, 1));
		EXPECT_OK(gpu_sees(&self->q, &self->copy, at, 10));
		write_all(at, 20);
		EXPECT_OK(gpu_sees(&self->q, &self->copy, at, 20));
		let_go(c, 1, c->write ? 7 : 10);
		ASSERT_OK(wait_for_step(c, 2));
		EXPECT_OK(gpu_sees(&self->q, &self->copy, at, 20));
		let_go(c, 2, 8);
		EXPECT_OK(kfd_wait_child(pid));
		write_all(at, 30);
		EXPECT_OK(gpu_sees(&self->q, &self->copy, at, 30));
	}
}

KFD_TEST_MAIN
