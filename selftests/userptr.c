// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of the process that is registered with the GPU, and then changes
 * under it: unmapped, forked, discarded, moved, replaced, protected. The GPU
 * must follow the address space at once: never touch the page that was there
 * before, and go on with the one that is there now.
 */
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "lib/kfd_mem.h"
#include "lib/kfd_test.h"
#include "lib/kfd_workload.h"

#define RING	65536

FIXTURE(userptr)
{
	struct kfd k;
	struct kfd_queue q;
	struct kfd_bo safe;	/* memory that nothing happens to */
	struct kfd_bo bo;	/* the registered memory */
	char *p;
	uint64_t size;
};

static int anonymous(struct kfd *k, uint64_t size, char **p)
{
	*p = mmap((void *)(uintptr_t)kfd_reserve_va(k, size), size, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (*p == MAP_FAILED)
		return -errno;
	memset(*p, 0, size);
	return 0;
}

FIXTURE_SETUP(userptr)
{
	self->size = 16 * KFD_PAGE;
	ASSERT_OK(kfd_start(&self->k));
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, 64 << 10, &self->safe));
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &self->q));
	ASSERT_OK(anonymous(&self->k, self->size, &self->p));
	ASSERT_OK(kfd_bo_userptr(&self->k, 0, self->p, self->size, &self->bo));
}

FIXTURE_TEARDOWN(userptr)
{
	kfd_stop(&self->k);
}

/* Something that does not need the memory in question still works. */
static int gpu_alive(struct kfd_queue *q, struct kfd_bo *safe)
{
	static uint32_t value;
	uint32_t p[8];
	int ret;

	ret = kfd_queue_run(q, p, sdma_fence(p, safe->va, ++value));
	if (ret)
		return ret;
	return *(volatile uint32_t *)safe->cpu == value ? 0 : -EILSEQ;
}

/* A stream of additions to @at, long enough to be under way for a while. */
static int gpu_stream(struct kfd_queue *q, const volatile void *at, unsigned int n)
{
	uint32_t p[8];
	int ret;

	while (n--) {
		ret = kfd_queue_emit(q, p, sdma_atomic_add64(p, (uintptr_t)at, 1));
		if (ret)
			return ret;
	}
	kfd_queue_submit(q);
	return 0;
}

TEST_F(userptr, gpu_and_cpu_see_the_same)
{
	volatile uint64_t *word = (uint64_t *)self->p;

	*word = 40;
	ASSERT_OK(kfd_gpu_add(&self->q, word, 2));
	EXPECT_EQ(42, *word);
	*word = 1;
	ASSERT_OK(kfd_gpu_add(&self->q, word, 1));
	EXPECT_EQ(2, *word);
}

TEST_F(userptr, gpu_address_of_its_own)
{
	struct kfd_ioctl_alloc_memory_of_gpu_args args = {
		.va_addr = kfd_reserve_va(&self->k, self->size),
		.size = self->size,
		.gpu_id = self->k.gpu[0].gpu_id,
		.flags = MEM_USERPTR,
	};
	struct kfd_bo bo;
	char *p;

	p = mmap(NULL, self->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, p);
	args.mmap_offset = (uintptr_t)p;
	ASSERT_OK(kfd_call(self->k.fd, AMDKFD_IOC_ALLOC_MEMORY_OF_GPU, &args));
	bo = (struct kfd_bo){ .handle = args.handle, .va = args.va_addr, .size = self->size };
	ASSERT_OK(kfd_bo_map_gpu(&self->k, &bo, 0));
	ASSERT_OK(kfd_gpu_add(&self->q, (void *)(uintptr_t)(bo.va + 5 * KFD_PAGE), 11));
	EXPECT_EQ(11, *(volatile uint64_t *)(p + 5 * KFD_PAGE));
	/* Nor does a change of the memory lose the two. */
	ASSERT_OK(madvise(p, self->size, MADV_DONTNEED));
	ASSERT_OK(kfd_gpu_add(&self->q, (void *)(uintptr_t)(bo.va + 5 * KFD_PAGE), 3));
	EXPECT_EQ(3, *(volatile uint64_t *)(p + 5 * KFD_PAGE));
	EXPECT_OK(kfd_bo_destroy(&self->k, &bo));
}

TEST_F(userptr, large_copy)
{
	uint64_t size = 8 << 20, at;
	struct kfd_bo vram, bo;
	uint32_t p[8];
	char *mem;

	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_VRAM, size, &vram));
	ASSERT_OK(anonymous(&self->k, size, &mem));
	ASSERT_OK(kfd_bo_userptr(&self->k, 0, mem, size, &bo));
	kfd_fill_pattern(mem, size, 31);
	for (at = 0; at < size; at += 1 << 20)
		ASSERT_OK(kfd_queue_emit(&self->q, p,
					 sdma_copy(p, vram.va + at, (uintptr_t)mem + at, 1 << 20)));
	kfd_queue_submit(&self->q);
	ASSERT_OK(kfd_queue_wait(&self->q, PATIENCE));
	EXPECT_TRUE(kfd_check_pattern(vram.cpu, size, 31));
}

/*
 * The page lives on in a file that is mapped elsewhere too: if the GPU went
 * on with it after the unmapping, we would see that.
 */
TEST_F(userptr, munmap_while_the_gpu_writes)
{
	int fd = memfd_create("page", MFD_CLOEXEC);
	volatile uint64_t *other;
	uint64_t seen;
	struct kfd_bo bo;
	char *mapped;

	ASSERT_OK(ftruncate(fd, KFD_PAGE));
	mapped = mmap(NULL, KFD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	other = mmap(NULL, KFD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, mapped);
	ASSERT_NE(MAP_FAILED, other);
	ASSERT_OK(kfd_bo_userptr(&self->k, 0, mapped, KFD_PAGE, &bo));
	ASSERT_OK(gpu_stream(&self->q, mapped, 1000));
	ASSERT_OK(munmap(mapped, KFD_PAGE));
	seen = *other;
	kfd_sleep_ms(100);
	EXPECT_EQ(seen, *other);
	EXPECT_LE(seen, 1000);
}

TEST_F(userptr, munmap_of_idle_memory_leaves_queues_running)
{
	ASSERT_OK(kfd_gpu_add(&self->q, self->p, 1));
	ASSERT_OK(munmap(self->p, self->size));
	kfd_sleep_ms(20);
	EXPECT_OK(gpu_alive(&self->q, &self->safe));
	EXPECT_OK(kfd_bo_destroy(&self->k, &self->bo));
	EXPECT_OK(gpu_alive(&self->q, &self->safe));
}

TEST_F(userptr, access_after_munmap_is_a_fault)
{
	struct kfd_ioctl_create_event_args ev;
	struct kfd_event_data data = { 0 };
	uint32_t p[8], result;

	ASSERT_OK(kfd_event_create(&self->k, KFD_IOC_EVENT_MEMORY, true, &ev));
	data.event_id = ev.event_id;
	ASSERT_OK(munmap(self->p, self->size));
	ASSERT_OK(kfd_queue_emit(&self->q, p, sdma_atomic_add64(p, (uintptr_t)self->p, 1)));
	kfd_queue_submit(&self->q);
	ASSERT_OK(kfd_event_wait(&self->k, &data, 1, false, PATIENCE, &result));
	ASSERT_EQ(KFD_IOC_WAIT_RESULT_COMPLETE, result);
	EXPECT_EQ(1, data.memory_exception_data.failure.NotPresent);
	EXPECT_EQ((uintptr_t)self->p, data.memory_exception_data.va);
}

TEST_F(userptr, part_unmapped_the_rest_serves)
{
	volatile uint64_t *rest = (uint64_t *)(self->p + 8 * KFD_PAGE);

	ASSERT_OK(kfd_gpu_add(&self->q, rest, 1));
	ASSERT_OK(munmap(self->p, KFD_PAGE));
	kfd_sleep_ms(20);
	ASSERT_OK(gpu_alive(&self->q, &self->safe));
	if (kfd_is_ours()) {
		ASSERT_OK(kfd_gpu_add(&self->q, rest, 1));
		EXPECT_EQ(2, *rest);
	}
}

/* Queues wait for a while in case it comes back: for all of it at once. */
TEST_F_TIMEOUT(userptr, much_is_unmapped_at_once, 60)
{
	enum { MANY = 64 };
	struct kfd_bo bo[MANY];
	char *p[MANY];
	int i;

	REQUIRE_OURS();
	for (i = 0; i < MANY; i++) {
		ASSERT_OK(anonymous(&self->k, KFD_PAGE, &p[i]));
		ASSERT_OK(kfd_bo_userptr(&self->k, 0, p[i], KFD_PAGE, &bo[i]));
	}
	for (i = 0; i < MANY; i++)
		ASSERT_OK(munmap(p[i], KFD_PAGE));
	ASSERT_OK(gpu_alive(&self->q, &self->safe));
	for (i = 0; i < MANY; i++)
		EXPECT_OK(kfd_bo_destroy(&self->k, &bo[i]));
}

/*
 * A fork takes all pages away for a moment. Those around the one that is gone
 * come back.
 */
TEST_F(userptr, a_guard_page_and_a_fork)
{
	volatile uint64_t *word;
	int i, round;
	pid_t pid;

	REQUIRE_OURS();
	ASSERT_OK(mprotect(self->p + 5 * KFD_PAGE, KFD_PAGE, PROT_NONE));
	for (round = 1; round <= 3; round++) {
		pid = fork();
		if (!pid)
			_exit(0);
		ASSERT_GT(pid, 0);
		ASSERT_OK(kfd_wait_child(pid));
		for (i = 0; i < 16; i++) {
			word = (uint64_t *)(self->p + i * KFD_PAGE);
			if (i == 5)
				continue;
			ASSERT_OK(kfd_gpu_add(&self->q, word, 1)) TH_LOG("page %d", i);
			EXPECT_EQ(round, *word);
		}
	}
	EXPECT_OK(kfd_gpu_add_faults(&self->k, &self->q, self->p + 5 * KFD_PAGE));
}

/* After a fork the child keeps what was; what the GPU writes is the parent's. */
TEST_F(userptr, fork_and_copy_on_write)
{
	volatile uint64_t *word = (uint64_t *)self->p;
	int go[2], status;
	pid_t child;
	char c;

	ASSERT_OK(pipe(go));
	ASSERT_OK(kfd_gpu_add(&self->q, word, 10));
	child = fork();
	if (!child) {
		uint64_t before = *word;

		/* The GPU has written by the time that the parent says go. */
		if (read(go[0], &c, 1) != 1)
			_exit(1);
		_exit(before == 10 && *word == 10 ? 0 : 2);
	}
	ASSERT_GT(child, 0);
	ASSERT_OK(kfd_gpu_add(&self->q, word, 5));
	EXPECT_EQ(15, *word);
	*word = 100;
	ASSERT_OK(kfd_gpu_add(&self->q, word, 1));
	EXPECT_EQ(101, *word);
	ASSERT_EQ(1, write(go[1], "g", 1));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	ASSERT_OK(kfd_gpu_add(&self->q, word, 1));
	EXPECT_EQ(102, *word);
}

TEST_F(userptr, fork_while_the_gpu_writes)
{
	volatile uint64_t *word = (uint64_t *)self->p;
	int round, status;

	for (round = 1; round <= 5; round++) {
		pid_t child;

		ASSERT_OK(gpu_stream(&self->q, word, 1000));
		child = fork();
		if (!child) {
			uint64_t seen = *word;

			kfd_sleep_ms(100);
			_exit(*word == seen ? 0 : 1);
		}
		ASSERT_GT(child, 0);
		ASSERT_OK(kfd_queue_wait(&self->q, PATIENCE));
		EXPECT_EQ(round * 1000, *word);
		ASSERT_EQ(child, waitpid(child, &status, 0));
		EXPECT_EQ(0, status);
	}
}

TEST_F(userptr, madvise_dontneed)
{
	volatile uint64_t *word = (uint64_t *)self->p;

	ASSERT_OK(kfd_gpu_add(&self->q, word, 7));
	EXPECT_EQ(7, *word);
	ASSERT_OK(madvise(self->p, self->size, MADV_DONTNEED));
	EXPECT_EQ(0, *word);
	ASSERT_OK(kfd_gpu_add(&self->q, word, 1));
	EXPECT_EQ(1, *word);
	/* Also when the GPU is the first to touch the new page. */
	ASSERT_OK(madvise(self->p, self->size, MADV_DONTNEED));
	ASSERT_OK(kfd_gpu_add(&self->q, word, 4));
	EXPECT_EQ(4, *word);
}

TEST_F(userptr, madvise_while_the_gpu_writes)
{
	volatile uint64_t *word = (uint64_t *)self->p;
	int round;

	for (round = 0; round < 20; round++) {
		ASSERT_OK(gpu_stream(&self->q, word, 300));
		ASSERT_OK(madvise(self->p, self->size, MADV_DONTNEED));
		ASSERT_OK(kfd_queue_wait(&self->q, PATIENCE));
		EXPECT_LE(*word, 300);
		/* And the page that is there now is the one that both see. */
		*word = 1000;
		ASSERT_OK(kfd_gpu_add(&self->q, word, 1));
		EXPECT_EQ(1001, *word);
	}
}

TEST_F(userptr, mremap_moves_the_page_away)
{
	volatile uint64_t *moved;
	uint64_t seen;
	char *to;

	to = (char *)(uintptr_t)kfd_reserve_va(&self->k, self->size);
	ASSERT_OK(gpu_stream(&self->q, self->p, 1000));
	moved = mremap(self->p, self->size, self->size, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	ASSERT_EQ((void *)to, (void *)moved);
	seen = *moved;
	kfd_sleep_ms(100);
	EXPECT_EQ(seen, *moved);
	EXPECT_LE(seen, 1000);
}

TEST_F(userptr, mapping_replaced_in_place)
{
	volatile uint64_t *word = (uint64_t *)self->p;
	int fd = memfd_create("new", MFD_CLOEXEC);
	uint64_t in_file = 0;

	ASSERT_OK(ftruncate(fd, self->size));
	ASSERT_OK(kfd_gpu_add(&self->q, word, 1));
	ASSERT_EQ(self->p, mmap(self->p, self->size, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_FIXED, fd, 0));
	EXPECT_EQ(0, *word);
	ASSERT_OK(kfd_gpu_add(&self->q, word, 9));
	EXPECT_EQ(9, *word);
	ASSERT_EQ(sizeof(in_file), pread(fd, &in_file, sizeof(in_file), 0));
	EXPECT_EQ(9, in_file);
}

TEST_F(userptr, write_protected_memory_is_not_written)
{
	volatile uint64_t *word = (uint64_t *)self->p;
	uint32_t p[8];

	ASSERT_OK(kfd_gpu_add(&self->q, word, 6));
	ASSERT_OK(mprotect(self->p, self->size, PROT_READ));
	ASSERT_OK(kfd_queue_emit(&self->q, p, sdma_atomic_add64(p, (uintptr_t)word, 1)));
	kfd_queue_submit(&self->q);
	kfd_sleep_ms(200);
	EXPECT_EQ(6, *word);
}

TEST_F(userptr, truncated_file)
{
	int fd = memfd_create("file", MFD_CLOEXEC);
	struct kfd_bo bo;
	char *p;

	ASSERT_OK(ftruncate(fd, 4 * KFD_PAGE));
	p = mmap(NULL, 4 * KFD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_OK(kfd_bo_userptr(&self->k, 0, p, 4 * KFD_PAGE, &bo));
	ASSERT_OK(kfd_gpu_add(&self->q, p, 1));
	ASSERT_OK(ftruncate(fd, 0));
	kfd_sleep_ms(50);
	EXPECT_OK(gpu_alive(&self->q, &self->safe));
	ASSERT_OK(ftruncate(fd, 4 * KFD_PAGE));
	EXPECT_EQ(0, *(volatile uint64_t *)p);
	EXPECT_OK(kfd_bo_destroy(&self->k, &bo));
}

TEST_F(userptr, same_memory_registered_twice)
{
	struct kfd_ioctl_alloc_memory_of_gpu_args args = {
		.va_addr = kfd_reserve_va(&self->k, self->size),
		.size = self->size,
		.mmap_offset = (uintptr_t)self->p,
		.gpu_id = self->k.gpu[0].gpu_id,
		.flags = MEM_USERPTR,
	};
	struct kfd_bo bo;

	ASSERT_OK(kfd_call(self->k.fd, AMDKFD_IOC_ALLOC_MEMORY_OF_GPU, &args));
	bo = (struct kfd_bo){ .handle = args.handle, .va = args.va_addr, .size = self->size };
	ASSERT_OK(kfd_bo_map_gpu(&self->k, &bo, 0));
	ASSERT_OK(kfd_gpu_add(&self->q, self->p, 1));
	ASSERT_OK(kfd_gpu_add(&self->q, (void *)(uintptr_t)bo.va, 1));
	EXPECT_EQ(2, *(volatile uint64_t *)self->p);
	EXPECT_OK(kfd_bo_destroy(&self->k, &bo));
	ASSERT_OK(kfd_gpu_add(&self->q, self->p, 1));
	EXPECT_EQ(3, *(volatile uint64_t *)self->p);
}

/* The process's pages are free again when the buffer is. */
TEST_F(userptr, exit_with_registered_memory)
{
	int status;
	pid_t child = fork();

	if (!child) {
		struct kfd own;
		struct kfd_queue q;
		struct kfd_bo bo;
		char *p;

		if (kfd_start(&own))
			_exit(2);
		/* Beyond what it has inherited. */
		own.next_va = self->k.next_va;
		if (anonymous(&own, 1 << 20, &p) ||
		    kfd_bo_userptr(&own, 0, p, 1 << 20, &bo) ||
		    kfd_queue_create(&own, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &q) ||
		    gpu_stream(&q, p, 1000))
			_exit(1);
		_exit(0);
	}
	ASSERT_GT(child, 0);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_OK(gpu_alive(&self->q, &self->safe));
}

KFD_TEST_MAIN
