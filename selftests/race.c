// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every pair of operations on one process, at the same time from two threads;
 * then a tracer that dumps the process while it does each of them.
 *
 * Each operation leaves nothing behind and knows which answers it may get.
 * After a pair the counts are what they were, and both queues still run. What
 * else could go wrong is for the kernel to tell: KASAN, lockdep and the other
 * checks of the debug kernel. RACE_MS is the time for a pair.
 */
#include <amdgpu_drm.h>
#include <drm.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>

#include "lib/kfd_fault.h"
#include "lib/kfd_mem.h"
#include "lib/kfd_svm.h"
#include "lib/kfd_test.h"
#include "lib/kfd_vaddr.h"
#include "lib/kfd_workload.h"

#define SECONDS		200
#define RING		4096
#define GEM_BYTES	(16 * KFD_PAGE)

/**
 * struct racer - one thread
 * @r: what it shares with the other
 * @k: the driver, with a part of the arena of its own
 * @queue: a queue of its own that runs
 * @spare: memory for one more queue of each kind
 * @store: memory that is mapped twice
 * @again: the second mapping
 * @beats: packets that @queue has run
 * @op: what it does
 * @rounds: how often it has
 * @ret: the first answer that may not be
 */
struct racer {
	struct race *r;
	struct kfd k;
	struct kfd_queue queue;
	struct kfd_queue spare[2];
	struct kfd_store store;
	char *again;
	uint32_t beats;
	const struct race_op *op;
	unsigned int rounds;
	int ret;
};

/**
 * struct race - a process with two threads
 * @k: the driver
 * @racer: the threads
 * @shared: buffer in VRAM that both map and unmap
 * @words: buffer that packets write to
 * @ev: an event that both use
 * @user: two pages of registered memory that is in use
 * @user_bo: its registration
 * @svm: two pages that the GPU may reach, of the same attributes
 * @before: what every pair has to leave as it was
 * @end: when a pair's time is over
 * @barrier: they start together
 */
struct race {
	struct kfd k;
	struct racer racer[2];
	struct kfd_bo shared, words;
	struct kfd_ioctl_create_event_args ev;
	char *user;
	struct kfd_bo user_bo;
	char *svm;
	struct kfd_state before;
	uint64_t end;
	pthread_barrier_t barrier;
};

/**
 * struct race_op - an operation
 * @name: for the log
 * @run: do it once, and undo it: 0, or the answer that may not be
 */
struct race_op {
	const char *name;
	int (*run)(struct racer *t);
};

static unsigned int race_ms(void)
{
	const char *text = getenv("RACE_MS");

	return text ? strtoul(text, NULL, 10) : 15;
}

/* --- memory ------------------------------------------------------------------ */

static int create_and_destroy(struct racer *t, uint32_t flags)
{
	struct kfd_bo bo;
	int ret = kfd_bo_create(&t->k, 0, flags, 2 * KFD_PAGE, &bo);

	if (ret)
		return ret;
	*(volatile int *)bo.cpu = 1;
	return kfd_bo_destroy(&t->k, &bo);
}

static int vram(struct racer *t)
{
	return create_and_destroy(t, MEM_VRAM);
}

static int gtt(struct racer *t)
{
	return create_and_destroy(t, MEM_GTT);
}

static int map_shared(struct racer *t)
{
	int ret = kfd_bo_map_gpu(&t->k, &t->r->shared, 0);

	/* The other one may have unmapped it already. */
	return ret ? ret : kfd_may(kfd_bo_unmap_gpu(&t->k, &t->r->shared, 0), EINVAL);
}

static int map_file(int fd, uint64_t offset, uint64_t size, bool touch)
{
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);

	if (p == MAP_FAILED)
		return -errno;
	if (touch)
		p[0] = 1;
	return munmap(p, size) ? -errno : 0;
}

static int cpu_map(struct racer *t)
{
	struct kfd_bo *bo = &t->r->shared;

	return map_file(t->k.gpu[0].drm_fd, bo->offset, bo->size, true);
}

static int doorbell_map(struct racer *t)
{
	return map_file(t->k.fd, t->queue.doorbell_offset & ~(2 * KFD_PAGE - 1), 2 * KFD_PAGE,
			false);
}

static int event_page_map(struct racer *t)
{
	return map_file(t->k.fd, t->r->ev.event_page_offset, KFD_EVENT_PAGE_SIZE, false);
}

/* Registered memory that goes while it is mapped on the GPU. */
static int userptr(struct racer *t)
{
	char *p = kfd_some_memory(&t->k, 2 * KFD_PAGE);
	struct kfd_bo bo;
	int ret;

	if (!p)
		return -ENOMEM;
	ret = kfd_bo_userptr(&t->k, 0, p, 2 * KFD_PAGE, &bo);
	munmap(p, 2 * KFD_PAGE);
	return ret ? ret : kfd_bo_destroy(&t->k, &bo);
}

/* What pages in use can suffer. Nobody writes to the one that is protected. */
static int invalidate(struct racer *t)
{
	char *p = t->r->user, *q = p + KFD_PAGE;

	if (madvise(p, 2 * KFD_PAGE, MADV_DONTNEED) || mprotect(q, KFD_PAGE, PROT_READ) ||
	    mprotect(q, KFD_PAGE, PROT_READ | PROT_WRITE))
		return -errno;
	p[0] = 1;
	return 0;
}

static int remap(struct racer *t)
{
	char *p = kfd_some_memory(&t->k, KFD_PAGE), *q = kfd_some_memory(&t->k, KFD_PAGE), *moved;
	struct kfd_bo bo;
	int ret;

	if (!p || !q)
		return -ENOMEM;
	ret = kfd_bo_userptr(&t->k, 0, p, KFD_PAGE, &bo);
	moved = mremap(p, KFD_PAGE, KFD_PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q);
	if (moved == MAP_FAILED)
		return -errno;
	munmap(moved, KFD_PAGE);
	return ret ? ret : kfd_bo_destroy(&t->k, &bo);
}

static int fork_and_write(struct racer *t)
{
	pid_t child = fork();

	if (child < 0)
		return -errno;
	if (!child) {
		t->r->user[0] = 2;
		_exit(0);
	}
	t->r->user[0] = 3;
	return kfd_wait_child(child);
}

/* Memory with attributes that goes, and they with it, while the GPU has it. */
static int svm(struct racer *t)
{
	const struct kfd_ioctl_svm_attribute clear[] = {
		{ KFD_IOCTL_SVM_ATTR_NO_ACCESS, t->k.gpu[0].gpu_id },
		{ KFD_IOCTL_SVM_ATTR_CLR_FLAGS, KFD_IOCTL_SVM_FLAG_COHERENT },
	};
	char *p = kfd_some_memory(&t->k, 4 * KFD_PAGE);
	uint32_t value;
	int ret;

	if (!p)
		return -ENOMEM;
	ret = kfd_svm_set1(&t->k, p, 4 * KFD_PAGE, KFD_IOCTL_SVM_ATTR_ACCESS,
			   t->k.gpu[0].gpu_id);
	if (!ret)
		ret = kfd_svm_set(&t->k, p + KFD_PAGE, KFD_PAGE, clear, 2);
	if (!ret)
		ret = kfd_svm_access_of(&t->k, p, KFD_PAGE, 0) == KFD_IOCTL_SVM_ATTR_ACCESS ?
		      0 : -EILSEQ;
	munmap(p, 4 * KFD_PAGE);
	if (ret)
		return ret;
	/* Nothing is left that the next round would find at the same place. */
	ret = kfd_svm_get1(&t->k, p, KFD_PAGE, KFD_IOCTL_SVM_ATTR_GRANULARITY, &value);
	return ret == -EFAULT ? 0 : ret ? ret : -EPROTO;
}

/* Attributes of memory that both use; the last word is the same of both. */
static int svm_shared(struct racer *t)
{
	uint64_t size = 2 * KFD_PAGE;
	char *p = t->r->svm;
	uint32_t value;
	int ret;

	ret = kfd_svm_set1(&t->k, p, KFD_PAGE, KFD_IOCTL_SVM_ATTR_GRANULARITY, 3);
	if (!ret)
		ret = kfd_svm_get1(&t->k, p, size, KFD_IOCTL_SVM_ATTR_GRANULARITY, &value);
	if (!ret && value != 3 && value != SVM_DEFAULT_GRANULARITY)
		ret = -EILSEQ;
	if (!ret && madvise(p, size, MADV_DONTNEED))
		ret = -errno;
	if (!ret)
		ret = kfd_svm_set1(&t->k, p, size, KFD_IOCTL_SVM_ATTR_GRANULARITY,
				   SVM_DEFAULT_GRANULARITY);
	return ret;
}

/* Registered memory whose address is given up and replaced, with and without it. */
static int replace(struct racer *t)
{
	struct kfd_bo bo;
	int ret, ret2;

	if (!kfd_is_ours())
		return 0;
	ret = kfd_vaddr_bo(&t->k, 0, t->store.p, t->store.size, &bo);
	if (ret)
		return ret;
	ret = kfd_vaddr_live(&t->k, &bo);
	if (!ret)
		ret = kfd_vaddr_update(&t->k, &bo, t->again);
	if (!ret)
		ret = kfd_vaddr_invalidate(&t->k, &bo);
	if (!ret)
		ret = kfd_vaddr_update(&t->k, &bo, t->store.p);
	ret2 = kfd_bo_destroy(&t->k, &bo);
	return ret ? ret : ret2;
}

/* Both give it up and either replaces it; it may be write-protected for a moment. */
static int replace_shared(struct racer *t)
{
	struct kfd_bo *bo = &t->r->user_bo;
	int ret;

	if (!kfd_is_ours())
		return 0;
	ret = kfd_may(kfd_vaddr_invalidate(&t->k, bo), EINVAL);
	if (ret)
		return ret;
	do
		ret = kfd_vaddr_update(&t->k, bo, t->r->user);
	while (ret == -EFAULT);
	return kfd_may(ret, EINVAL);
}

/* A buffer of the render node that KFD imports. */
static int export_import(struct racer *t)
{
	union drm_amdgpu_gem_create make = {
		.in = { .bo_size = GEM_BYTES, .alignment = KFD_PAGE,
			.domains = AMDGPU_GEM_DOMAIN_GTT },
	};
	struct kfd_ioctl_import_dmabuf_args import = {
		.gpu_id = t->k.gpu[0].gpu_id, .va_addr = kfd_reserve_va(&t->k, GEM_BYTES),
	};
	struct drm_prime_handle prime = { .flags = DRM_CLOEXEC | DRM_RDWR };
	int drm = t->k.gpu[0].drm_fd, ret;
	struct drm_gem_close gone = { 0 };
	struct kfd_bo bo = { 0 };

	ret = kfd_call(drm, DRM_IOCTL_AMDGPU_GEM_CREATE, &make);
	if (ret)
		return ret;
	prime.handle = make.out.handle;
	gone.handle = make.out.handle;
	ret = kfd_call(drm, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime);
	if (!ret) {
		import.dmabuf_fd = prime.fd;
		ret = kfd_call(t->k.fd, AMDKFD_IOC_IMPORT_DMABUF, &import);
		close(prime.fd);
	}
	bo.handle = import.handle;
	if (!ret)
		ret = kfd_bo_free(&t->k, &bo);
	kfd_call(drm, DRM_IOCTL_GEM_CLOSE, &gone);
	return ret;
}

/* --- queues and events ------------------------------------------------------- */

static int queue(struct racer *t, struct kfd_queue *q)
{
	struct kfd_ioctl_destroy_queue_args gone;
	int ret = kfd_call(t->k.fd, AMDKFD_IOC_CREATE_QUEUE, &q->args);

	if (ret)
		return ret;
	gone = (struct kfd_ioctl_destroy_queue_args){ .queue_id = q->args.queue_id };
	return kfd_call(t->k.fd, AMDKFD_IOC_DESTROY_QUEUE, &gone);
}

static int sdma_queue(struct racer *t)
{
	return queue(t, &t->spare[0]);
}

static int pm4_queue(struct racer *t)
{
	return queue(t, &t->spare[1]);
}

static int update(struct racer *t)
{
	struct kfd_queue *q = &t->r->racer[0].queue;
	int ret = kfd_queue_update(&t->k, q, q->ring.va, RING, 50);

	return ret ? ret : kfd_queue_update(&t->k, q, q->ring.va, RING, 100);
}

static int submit(struct racer *t)
{
	struct race *r = t->r;
	int me = t - r->racer;
	uint32_t p[8];
	int ret;

	t->beats++;
	ret = kfd_queue_run(&t->queue, p, sdma_fence(p, r->words.va + me * 8, t->beats));
	if (ret)
		return ret;
	return ((volatile uint64_t *)r->words.cpu)[me] == t->beats ? 0 : -EIO;
}

static int event(struct racer *t)
{
	struct kfd_ioctl_create_event_args ev;
	int ret = kfd_event_create(&t->k, KFD_IOC_EVENT_SIGNAL, true, &ev);

	return ret ? ret : kfd_event_destroy(&t->k, ev.event_id);
}

static int use_event(struct racer *t)
{
	uint32_t id = t->r->ev.event_id, result;
	int ret = kfd_event_set(&t->k, id);

	if (!ret)
		ret = kfd_event_wait_one(&t->k, id, 1, &result);
	return ret ? ret : kfd_event_reset(&t->k, id);
}

/* --- checkpoint and restore -------------------------------------------------- */

/*
 * There is an imported buffer, a child has our dma-bufs as it has all files, or
 * an address has been given up.
 */
static bool is_refusal(int ret)
{
	return ret == -EXDEV || ret == -EMLINK || ret == -EBUSY;
}

static int pause_process(struct racer *t)
{
	struct kfd_ioctl_criu_args info;
	int ret = kfd_criu_info(t->k.fd, &info);

	if (is_refusal(ret))
		return 0;
	/* One pause, ended by whoever is first. */
	return ret ? ret : kfd_may(kfd_criu_unpause(t->k.fd), EINVAL);
}

/* Counts may have changed, or the other one has ended the pause. */
static int dump(int fd)
{
	struct kfd_ioctl_criu_args args;
	struct kfd_snapshot s;
	int ret;

	memset(&s, 0, sizeof(s));
	ret = kfd_criu_info(fd, &s.info);
	if (ret)
		return is_refusal(ret) ? 0 : ret;
	ret = kfd_snapshot_alloc(&s);
	if (ret)
		return ret;
	kfd_snapshot_args(&s, &args);
	ret = kfd_criu_op(fd, &args, KFD_CRIU_OP_CHECKPOINT);
	kfd_snapshot_free(&s);
	ret = kfd_may(kfd_may(kfd_may(ret, EINVAL), EXDEV), EBUSY);
	return ret ? ret : kfd_may(kfd_criu_unpause(fd), EINVAL);
}

static int dump_self(struct racer *t)
{
	return dump(t->k.fd);
}

static int restore(struct racer *t)
{
	struct kfd_criu_device_bucket device = { 0 };
	uint64_t priv[8] = { 0 };
	struct kfd_ioctl_criu_args args = {
		.devices = (uintptr_t)&device, .priv_data = (uintptr_t)priv,
		.num_devices = 1, .priv_data_size = sizeof(priv),
	};
	int ret = kfd_criu_op(t->k.fd, &args, KFD_CRIU_OP_RESTORE);

	return ret == -EBUSY ? 0 : ret ? ret : -EPROTO;
}

static int resume(struct racer *t)
{
	int ret = kfd_criu_resume(t->k.fd, getpid());

	return ret == -EINVAL ? 0 : ret ? ret : -EPROTO;
}

/* --- files and questions ----------------------------------------------------- */

static int questions(struct racer *t)
{
	struct kfd_ioctl_set_xnack_mode_args xnack = { .xnack_enabled = -1 };
	uint64_t bytes;
	int ret = kfd_call(t->k.fd, AMDKFD_IOC_SET_XNACK_MODE, &xnack);

	return ret ? ret : kfd_available(&t->k, 0, &bytes);
}

static int read_about(struct racer *t)
{
	char path[64], text[4096];
	uint64_t used;
	int ret;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", t->k.fd);
	ret = kfd_read_text(path, text, sizeof(text));
	if (ret || !kfd_sim_present())
		return ret;
	ret = kfd_read_text("/sys/kernel/debug/amdgpu_sim/0/queues", text, sizeof(text));
	return ret ? ret : kfd_sim_get(0, "vram_used", &used);
}

static int dup_and_close(struct racer *t)
{
	int fd = dup(t->k.fd);

	return fd < 0 || close(fd) ? -errno : 0;
}

static int files(struct racer *t)
{
	char path[64];
	int kfd, drm;

	snprintf(path, sizeof(path), "/dev/dri/renderD%d", t->k.gpu[0].render_minor);
	drm = open(path, O_RDWR | O_CLOEXEC);
	kfd = open("/dev/kfd", O_RDWR | O_CLOEXEC);
	if (drm < 0 || kfd < 0)
		return -errno;
	close(drm);
	close(kfd);
	return 0;
}

static const struct race_op ops[] = {
	{ "VRAM", vram },
	{ "GTT", gtt },
	{ "MAP and UNMAP", map_shared },
	{ "mmap of a buffer", cpu_map },
	{ "mmap of doorbells", doorbell_map },
	{ "mmap of the event page", event_page_map },
	{ "userptr and munmap", userptr },
	{ "madvise and mprotect", invalidate },
	{ "mremap", remap },
	{ "fork and write", fork_and_write },
	{ "export and import", export_import },
	{ "replace an address", replace },
	{ "replace one of both", replace_shared },
	{ "SVM of its own", svm },
	{ "SVM of both", svm_shared },
	{ "SDMA queue", sdma_queue },
	{ "PM4 queue", pm4_queue },
	{ "UPDATE_QUEUE", update },
	{ "packets", submit },
	{ "event", event },
	{ "SET, WAIT, RESET", use_event },
	{ "pause", pause_process },
	{ "dump", dump_self },
	{ "RESTORE", restore },
	{ "RESUME", resume },
	{ "questions", questions },
	{ "fdinfo and debugfs", read_about },
	{ "dup and close", dup_and_close },
	{ "open and close", files },
};

#define NUM_OPS		(sizeof(ops) / sizeof(ops[0]))

/* --- the race ---------------------------------------------------------------- */

static int racer_start(struct race *r, int n)
{
	struct racer *t = &r->racer[n];
	int ret;

	t->r = r;
	ret = kfd_queue_create(&r->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &t->queue);
	if (!ret)
		ret = kfd_queue_buffers(&r->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &t->spare[0]);
	if (!ret)
		ret = kfd_queue_buffers(&r->k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, RING, &t->spare[1]);
	if (!ret)
		ret = kfd_store_make(KFD_STORE_MEMFD, 2 * KFD_PAGE, &t->store);
	t->again = ret ? NULL : kfd_store_map(&t->store);
	t->k = r->k;
	t->k.next_va = KFD_ARENA_BASE + (n + 1ULL) * (64ULL << 30);
	return ret;
}

static int race_start(struct race *r)
{
	int ret;

	memset(r, 0, sizeof(*r));
	ret = kfd_start(&r->k);
	if (!ret)
		ret = kfd_bo_alloc(&r->k, 0, MEM_VRAM, KFD_PAGE, &r->shared);
	if (!ret)
		ret = kfd_bo_create(&r->k, 0, MEM_GTT, KFD_PAGE, &r->words);
	if (!ret)
		ret = kfd_event_create(&r->k, KFD_IOC_EVENT_SIGNAL, false, &r->ev);
	r->user = kfd_some_memory(&r->k, 2 * KFD_PAGE);
	if (!ret)
		ret = kfd_bo_userptr(&r->k, 0, r->user, 2 * KFD_PAGE, &r->user_bo);
	if (!ret)
		ret = kfd_svm_alloc(&r->k, 2 * KFD_PAGE, 0, &r->svm);
	if (!ret)
		ret = racer_start(r, 0);
	if (!ret)
		ret = racer_start(r, 1);
	pthread_barrier_init(&r->barrier, NULL, 2);
	if (!ret)
		ret = kfd_settle(&r->k);
	return ret ? ret : kfd_state_read(&r->k, &r->before);
}

static void *race_thread(void *arg)
{
	struct racer *t = arg;
	uint64_t next_va = t->k.next_va;

	pthread_barrier_wait(&t->r->barrier);
	do {
		t->k.next_va = next_va;
		t->ret = t->op->run(t);
		t->rounds++;
	} while (!t->ret && kfd_now_ms() < t->r->end);
	return NULL;
}

/* What a pair must leave as it was. */
static int race_check(struct race *r)
{
	const char *what;
	int ret = kfd_state_same(&r->k, &r->before, &what);

	if (!ret)
		ret = submit(&r->racer[0]);
	return ret ? ret : submit(&r->racer[1]);
}

static int race_pair(struct race *r, const struct race_op *a, const struct race_op *b)
{
	pthread_t threads[2];
	int ret = 0, i;

	r->racer[0].op = a;
	r->racer[1].op = b;
	r->end = kfd_now_ms() + race_ms();
	for (i = 0; i < 2; i++) {
		r->racer[i].rounds = 0;
		if (pthread_create(&threads[i], NULL, race_thread, &r->racer[i]))
			return -EAGAIN;
	}
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i < 2; i++) {
		if (!r->racer[i].ret)
			continue;
		printf("# \"%s\" against \"%s\": \"%s\" answered %d in round %u\n", a->name,
		       b->name, r->racer[i].op->name, r->racer[i].ret, r->racer[i].rounds);
		ret = r->racer[i].ret;
	}
	if (ret)
		return ret;
	ret = race_check(r);
	if (ret)
		printf("# after \"%s\" against \"%s\": %d\n", a->name, b->name, ret);
	return ret;
}

FIXTURE(race) { struct race r; };

FIXTURE_SETUP(race)
{
	ASSERT_OK(race_start(&self->r));
}

FIXTURE_TEARDOWN(race)
{
	kfd_stop(&self->r.k);
}

/* Every pair whose first operation is one of these. */
static int race_range(struct race *r, unsigned int from, unsigned int to)
{
	unsigned int i, j;
	int bad = 0;

	for (i = from; i < to; i++)
		for (j = i; j < NUM_OPS; j++)
			bad += !!race_pair(r, &ops[i], &ops[j]);
	return bad;
}

TEST_F_TIMEOUT(race, buffers_against_all, SECONDS)
{
	EXPECT_EQ(0, race_range(&self->r, 0, 6));
}

TEST_F_TIMEOUT(race, user_memory_against_all, SECONDS)
{
	EXPECT_EQ(0, race_range(&self->r, 6, 15));
}

TEST_F_TIMEOUT(race, queues_and_events_against_all, SECONDS)
{
	EXPECT_EQ(0, race_range(&self->r, 15, 21));
}

TEST_F_TIMEOUT(race, checkpoint_and_files_against_all, SECONDS)
{
	EXPECT_EQ(0, race_range(&self->r, 21, NUM_OPS));
}

/* --- a tracer that dumps a running process ----------------------------------- */

/**
 * struct race_shared - what a tracer and its process share
 * @ready: the process runs
 * @fd: its file
 * @go: it may end
 */
struct race_shared {
	volatile int ready;
	volatile int fd;
	volatile int go;
};

/* The process: every operation in turn, for a while each. */
static int traced(void *arg)
{
	struct race_shared *shared = arg;
	struct racer *t;
	struct race r;
	unsigned int i;
	int ret = race_start(&r);

	shared->fd = r.k.fd;
	shared->ready = ret ? ret : 1;
	if (!ret)
		ret = kfd_wait_flag(&shared->go);
	t = &r.racer[0];
	for (i = 0; !ret && i < NUM_OPS; i++) {
		uint64_t end = kfd_now_ms() + race_ms();
		uint64_t next_va = t->k.next_va;

		do {
			t->k.next_va = next_va;
			ret = ops[i].run(t);
		} while (!ret && kfd_now_ms() < end);
		if (ret)
			printf("# \"%s\" of a process that is dumped: %d\n", ops[i].name, ret);
	}
	return ret;
}

/* The GPU has few SDMA queues: the tracer has none of its own. */
FIXTURE(race_traced) { struct race_shared *shared; };

FIXTURE_SETUP(race_traced)
{
	self->shared = mmap(NULL, KFD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			    -1, 0);
	ASSERT_NE(MAP_FAILED, self->shared);
}

FIXTURE_TEARDOWN(race_traced)
{
	munmap(self->shared, KFD_PAGE);
}

TEST_F_TIMEOUT(race_traced, is_dumped_while_it_runs, SECONDS)
{
	struct race_shared *shared = self->shared;
	int dumps = 0, ret, fd, status;
	pid_t child;

	child = fork();
	if (!child) {
		ret = traced(shared);
		fflush(stdout);
		_exit(-ret & 0xff);
	}
	ASSERT_OK(kfd_wait_flag(&shared->ready));
	ASSERT_EQ(1, shared->ready);
	ASSERT_EQ(0, ptrace(PTRACE_SEIZE, child, 0, 0));
	fd = kfd_steal_fd(child, shared->fd);
	ASSERT_GE(fd, 0);
	shared->go = 1;
	for (;;) {
		pid_t got = waitpid(child, &status, WNOHANG | __WALL);

		if (got == child && !WIFSTOPPED(status))
			break;
		if (got == child)
			ptrace(PTRACE_CONT, child, 0, WSTOPSIG(status) == SIGTRAP ? 0 :
			       WSTOPSIG(status));
		ret = dump(fd);
		/* It may end, or have ended, meanwhile. */
		if (ret != -EBADF && ret != -EACCES && ret != -ESRCH)
			EXPECT_OK(ret);
		dumps += !ret;
	}
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
	EXPECT_GT(dumps, 0);
	TH_LOG("%d dumps", dumps);
	close(fd);
}

KFD_TEST_MAIN
