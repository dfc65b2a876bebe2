// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shared virtual memory with GPUs that wait for a page they miss (XNACK on):
 * any memory of the process serves, with and without attributes, and what is
 * no memory of the process is still a fault.
 */
#include <pthread.h>
#include <sys/mman.h>

#include "lib/kfd_mem.h"
#include "lib/kfd_svm.h"
#include "lib/kfd_test.h"
#include "lib/kfd_workload.h"

#define RING	65536
#define PAGES	16
#define ADDITIONS	960	/* full submissions of 16 and rounds of 160 */

FIXTURE(xnack)
{
	struct kfd k;
	struct kfd_queue q;
	struct kfd_bo safe;
	char *p;	/* PAGES pages that nobody has spoken of */
	uint64_t size;
	uint32_t gpu;
	bool can;	/* the GPUs can wait */
};

/* The harness does not heed a SKIP in a fixture's setup. */
#define REQUIRE_XNACK() \
	do { \
		if (!self->can) \
			SKIP(return, "a GPU that cannot wait for pages"); \
	} while (0)

FIXTURE_SETUP(xnack)
{
	self->size = PAGES * KFD_PAGE;
	ASSERT_OK(kfd_start(&self->k));
	self->can = kfd_set_xnack(&self->k, 1) == 1;
	self->gpu = self->k.gpu[0].gpu_id;
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, 64 << 10, &self->safe));
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &self->q));
	ASSERT_OK(kfd_svm_alloc(&self->k, self->size, -1, &self->p));
}

FIXTURE_TEARDOWN(xnack)
{
	kfd_stop(&self->k);
}

TEST_F(xnack, mode_is_told)
{
	REQUIRE_XNACK();
	EXPECT_EQ(1, kfd_set_xnack(&self->k, -1));
	EXPECT_ERR(EBUSY, kfd_set_xnack(&self->k, 0));
	ASSERT_OK(kfd_queue_destroy(&self->k, &self->q));
	EXPECT_EQ(0, kfd_set_xnack(&self->k, 0));
	EXPECT_EQ(0, kfd_set_xnack(&self->k, -1));
}

TEST_F(xnack, access_is_what_nobody_has_to_ask_for)
{
	REQUIRE_XNACK();
	EXPECT_EQ(KFD_IOCTL_SVM_ATTR_ACCESS,
		  kfd_svm_access_of(&self->k, self->p, self->size, 0));
}

TEST_F(xnack, memory_that_nobody_has_spoken_of)
{
	volatile uint64_t *word = (uint64_t *)(self->p + 3 * KFD_PAGE);
	static volatile uint64_t data = 5;
	uint64_t *heap = malloc(sizeof(*heap));
	volatile uint64_t on_stack = 7;

	REQUIRE_XNACK();
	ASSERT_OK(kfd_gpu_add(&self->q, word, 2));
	EXPECT_EQ(2, *word);
	ASSERT_OK(kfd_gpu_add(&self->q, &data, 2));
	EXPECT_EQ(7, data);
	*heap = 1;
	ASSERT_OK(kfd_gpu_add(&self->q, heap, 2));
	EXPECT_EQ(3, *(volatile uint64_t *)heap);
	ASSERT_OK(kfd_gpu_add(&self->q, &on_stack, 2));
	EXPECT_EQ(9, on_stack);
	free(heap);
}

TEST_F(xnack, files_private_and_shared)
{
	int fd = memfd_create("file", MFD_CLOEXEC);
	volatile uint64_t *shared, *private;

	REQUIRE_XNACK();
	ASSERT_OK(ftruncate(fd, KFD_PAGE));
	shared = mmap(NULL, KFD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	private = mmap(NULL, KFD_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	*shared = 20;
	ASSERT_OK(kfd_gpu_add(&self->q, shared, 1));
	EXPECT_EQ(21, *shared);
	ASSERT_OK(kfd_gpu_add(&self->q, private, 1));
	EXPECT_EQ(22, *private);
	EXPECT_EQ(21, *shared);
}

TEST_F(xnack, every_page_of_a_large_copy)
{
	uint64_t size = 4 << 20, at;
	uint32_t p[8];
	char *from, *to;

	REQUIRE_XNACK();
	ASSERT_OK(kfd_svm_alloc(&self->k, size, -1, &from));
	ASSERT_OK(kfd_svm_alloc(&self->k, size, -1, &to));
	kfd_fill_pattern(from, size, 9);
	/* The least block there is: each page is asked for by itself. */
	ASSERT_OK(kfd_svm_set1(&self->k, to, size / 16, KFD_IOCTL_SVM_ATTR_GRANULARITY, 0));
	for (at = 0; at < size; at += 1 << 20)
		ASSERT_OK(kfd_queue_emit(&self->q, p, sdma_copy(p, (uintptr_t)to + at,
								(uintptr_t)from + at, 1 << 20)));
	kfd_queue_submit(&self->q);
	ASSERT_OK(kfd_queue_wait(&self->q, 3 * PATIENCE));
	EXPECT_TRUE(kfd_check_pattern(to, size, 9));
}

TEST_F(xnack, ring_and_pointers_are_memory_too)
{
	struct kfd_queue q;
	uint32_t p[8];
	int i;

	REQUIRE_XNACK();
	/* A queue whose ring loses its pages while it runs. */
	ASSERT_OK(kfd_queue_buffers(&self->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &q));
	ASSERT_OK(kfd_svm_set1(&self->k, self->p, self->size, KFD_IOCTL_SVM_ATTR_ACCESS,
			       self->gpu));
	q.args.ring_base_address = (uintptr_t)self->p;
	q.ring.cpu = self->p;
	ASSERT_GE(self->size, RING);
	ASSERT_OK(kfd_queue_make(&self->k, &q));
	for (i = 0; i < 50; i++) {
		ASSERT_OK(kfd_queue_run(&q, p, sdma_fence(p, self->safe.va, i)));
		ASSERT_EQ(i, *(volatile uint32_t *)self->safe.cpu);
		/* Takes the pages off the GPU, not the contents. */
		ASSERT_OK(mprotect(self->p, self->size, PROT_READ));
		ASSERT_OK(mprotect(self->p, self->size, PROT_READ | PROT_WRITE));
	}
	ASSERT_OK(kfd_queue_destroy(&self->k, &q));
}

TEST_F(xnack, atomics_happen_once)
{
	volatile uint64_t *word = (uint64_t *)self->p;
	uint32_t p[8];
	int i;

	REQUIRE_XNACK();
	for (i = 0; i < 400; i++) {
		ASSERT_OK(kfd_queue_emit(&self->q, p,
					 sdma_atomic_add64(p, (uintptr_t)word, 1)));
		kfd_queue_submit(&self->q);
		if (i % 4 == 0) {
			/* Writable throughout, but the pages move off the GPU. */
			ASSERT_OK(mprotect(self->p, self->size,
					   PROT_READ | PROT_WRITE | PROT_EXEC));
			ASSERT_OK(mprotect(self->p, self->size, PROT_READ | PROT_WRITE));
		}
	}
	EXPECT_OK(kfd_queue_finish(&self->q, PATIENCE));
	EXPECT_EQ(400, *word);
}

/* A GPU that the process gets to use later has what the others have. */
static int late_gpu(void *arg)
{
	struct kfd_ioctl_acquire_vm_args vm = { 0 };
	volatile uint64_t *word;
	struct kfd_queue first, late;
	struct kfd k = { 0 };
	int ret, i;

	ret = kfd_open(&k);
	/* behind what the parent has */
	k.next_va = *(uint64_t *)arg;
	if (!ret)
		ret = kfd_open_drm(&k);
	if (!ret)
		ret = kfd_set_xnack(&k, 1) == 1 ? 0 : -EPERM;
	for (i = 0; i < 2 && !ret; i++) {
		vm.gpu_id = k.gpu[i].gpu_id;
		vm.drm_fd = k.gpu[i].drm_fd;
		ret = kfd_call(k.fd, AMDKFD_IOC_ACQUIRE_VM, &vm);
		if (!ret)
			ret = kfd_queue_create(&k, i, KFD_IOC_QUEUE_TYPE_SDMA, RING,
					       i ? &late : &first);
		if (!ret && !i)
			ret = kfd_svm_alloc(&k, KFD_PAGE, -1, &word);
		if (!ret)
			ret = kfd_gpu_add(i ? &late : &first, word, 1);
	}
	return ret ? ret : *word == 2 ? 0 : -EILSEQ;
}

TEST_F(xnack, a_gpu_that_comes_later)
{
	REQUIRE_XNACK();
	REQUIRE_GPUS(&self->k, 2);
	EXPECT_OK(kfd_in_child(late_gpu, &self->k.next_va));
}

/* --- what is no memory of the process -------------------------------------- */

TEST_F(xnack, no_mapping_is_a_fault)
{
	REQUIRE_XNACK();
	ASSERT_OK(munmap(self->p, self->size));
	EXPECT_OK(kfd_gpu_add_faults(&self->k, &self->q, self->p));
}

TEST_F(xnack, no_access_is_a_fault)
{
	REQUIRE_XNACK();
	ASSERT_OK(kfd_svm_set1(&self->k, self->p, self->size, KFD_IOCTL_SVM_ATTR_NO_ACCESS,
			       self->gpu));
	EXPECT_OK(kfd_gpu_add_faults(&self->k, &self->q, self->p));
	EXPECT_EQ(0, *(volatile uint64_t *)self->p);
}

TEST_F(xnack, read_only_memory)
{
	uint32_t p[8];

	REQUIRE_XNACK();
	*(uint32_t *)self->p = 4711;
	ASSERT_OK(mprotect(self->p, self->size, PROT_READ));
	ASSERT_OK(kfd_queue_run(&self->q, p,
				sdma_copy(p, self->safe.va, (uintptr_t)self->p, 4)));
	EXPECT_EQ(4711, *(volatile uint32_t *)self->safe.cpu);
	EXPECT_OK(kfd_gpu_add_faults(&self->k, &self->q, self->p));
	EXPECT_EQ(4711, *(volatile uint32_t *)self->p);
}

TEST_F(xnack, read_only_for_gpus)
{
	uint32_t p[8];

	REQUIRE_XNACK();
	*(uint32_t *)self->p = 4711;
	ASSERT_OK(kfd_svm_set1(&self->k, self->p, self->size, KFD_IOCTL_SVM_ATTR_SET_FLAGS,
			       KFD_IOCTL_SVM_FLAG_GPU_RO));
	ASSERT_OK(kfd_queue_run(&self->q, p,
				sdma_copy(p, self->safe.va, (uintptr_t)self->p, 4)));
	EXPECT_EQ(4711, *(volatile uint32_t *)self->safe.cpu);
	EXPECT_OK(kfd_gpu_add_faults(&self->k, &self->q, self->p));
}

TEST_F(xnack, no_memory_at_all)
{
	REQUIRE_XNACK();
	ASSERT_OK(mprotect(self->p, self->size, PROT_NONE));
	EXPECT_OK(kfd_gpu_add_faults(&self->k, &self->q, self->p));
}

TEST_F(xnack, a_device_is_not_memory)
{
	struct kfd_bo vram;

	REQUIRE_XNACK();
	ASSERT_OK(kfd_bo_alloc(&self->k, 0, MEM_VRAM, 4 * KFD_PAGE, &vram));
	ASSERT_OK(kfd_bo_map_cpu(&self->k, &vram));
	/* Not mapped on the GPU: only the CPU has it there. */
	EXPECT_OK(kfd_gpu_add_faults(&self->k, &self->q, vram.cpu));
}

/* One queue that waits for what never comes does not keep others. */
TEST_F(xnack, others_go_on)
{
	struct kfd_queue other;
	volatile uint64_t *word = (uint64_t *)self->p;
	int i;

	REQUIRE_XNACK();
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &other));
	EXPECT_OK(kfd_gpu_add_faults(&self->k, &self->q, (void *)KFD_ARENA_BASE - KFD_PAGE));
	for (i = 0; i < 10; i++)
		ASSERT_OK(kfd_gpu_add(&other, word + i * 512, 1));
}

/* --- against changes of the address space ---------------------------------- */

struct churn {
	char *p;
	uint64_t size;
	volatile int stop;
	unsigned int rounds;
};

static void *churn(void *arg)
{
	struct churn *c = arg;

	while (!c->stop) {
		/* Contents stay, pages move off the GPU. */
		madvise(c->p, c->size, MADV_COLD);
		if (mprotect(c->p + c->size / 2, c->size / 2, PROT_READ | PROT_WRITE | PROT_EXEC) ||
		    mprotect(c->p + c->size / 2, c->size / 2, PROT_READ | PROT_WRITE))
			return (void *)1;
		c->rounds++;
	}
	return NULL;
}

TEST_F(xnack, no_addition_is_lost_while_protections_change)
{
	struct churn c = { .p = self->p, .size = self->size };
	uint64_t sum = 0;
	uint32_t p[8];
	pthread_t t;
	void *failed;
	int i;

	REQUIRE_XNACK();
	ASSERT_OK(pthread_create(&t, NULL, churn, &c));
	for (i = 0; i < ADDITIONS; i++) {
		ASSERT_OK(kfd_queue_emit(&self->q, p,
					 sdma_atomic_add64(p, (uintptr_t)self->p +
							   (i % PAGES) * KFD_PAGE, 1)));
		if (i % 16 == 15)
			kfd_queue_submit(&self->q);
		if (i % 160 == 159)
			ASSERT_OK(kfd_queue_wait(&self->q, PATIENCE));
	}
	EXPECT_OK(kfd_queue_finish(&self->q, PATIENCE));
	/* An answer is an answer, and mmap_lock is no reason to ask again at once. */
	EXPECT_GE(ADDITIONS, kfd_sim_retries());
	c.stop = 1;
	pthread_join(t, &failed);
	EXPECT_EQ(NULL, failed);
	for (i = 0; i < PAGES; i++)
		sum += *(volatile uint64_t *)(self->p + i * KFD_PAGE);
	EXPECT_EQ(ADDITIONS, sum);
	EXPECT_GT(c.rounds, 0);
}

/* Switched off, what has attributes is there, and the rest is not. */
TEST_F(xnack, switched_off)
{
	REQUIRE_XNACK();
	ASSERT_OK(kfd_gpu_add(&self->q, self->p, 1));
	ASSERT_OK(kfd_queue_destroy(&self->k, &self->q));
	ASSERT_EQ(0, kfd_set_xnack(&self->k, 0));
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &self->q));
	ASSERT_OK(kfd_gpu_add(&self->q, self->p, 1));
	ASSERT_OK(madvise(self->p, self->size, MADV_DONTNEED));
	ASSERT_OK(kfd_gpu_add(&self->q, self->p, 1));
	EXPECT_EQ(1, *(volatile uint64_t *)self->p);
}

KFD_TEST_MAIN
