// SPDX-License-Identifier: GPL-2.0-only
/*
 * States of memory: every kind of buffer, and memory that went away while a GPU
 * had it.
 */
#define _GNU_SOURCE
#include "kind.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/kfd_svm.h"

#define PAGES		32ul
#define BYTES		(PAGES * KFD_PAGE)
#define SEED		0xbead

static struct kfd_bo bo;
static char *mem;

/* Contents that no CPU mapping shows, and a GPU address that is read by copies. */
static void hidden_setup(uint32_t flags)
{
	REQUIRE_OK(kfd_bo_create(&work.k, 0, flags, BYTES, &bo));
	kfd_fill_pattern(bo.cpu, BYTES, SEED);
	REQUIRE(!munmap(bo.cpu, BYTES));
	bo.cpu = NULL;
}

static void hidden_check(void)
{
	REQUIRE_OK(kfd_bo_map_cpu(&work.k, &bo));
	REQUIRE(kfd_check_pattern(bo.cpu, BYTES, SEED));
	REQUIRE_OK(kfd_bo_destroy(&work.k, &bo));
}

static void vram_setup(void)
{
	hidden_setup(MEM_VRAM);
}

static void gtt_setup(void)
{
	hidden_setup(MEM_GTT);
}

static void unmapped_setup(void)
{
	REQUIRE_OK(kfd_bo_alloc(&work.k, 0, MEM_VRAM, BYTES, &bo));
}

static void unmapped_check(void)
{
	new_copy_queue();
	REQUIRE_OK(kfd_bo_map_gpu(&work.k, &bo, 0));
	add_by_gpu(bo.va, 1);
	REQUIRE_OK(kfd_bo_destroy(&work.k, &bo));
}

static void new_userptr(int prot)
{
	new_copy_queue();
	mem = new_memory(BYTES);
	kfd_fill_pattern(mem, BYTES, SEED);
	REQUIRE_OK(kfd_bo_userptr(&work.k, 0, mem, BYTES, &bo));
	if (prot >= 0)
		REQUIRE(!mprotect(mem, BYTES, prot));
}

static void userptr_setup(void)
{
	new_userptr(-1);
}

static void userptr_check(void)
{
	REQUIRE(kfd_check_pattern(mem, BYTES, SEED));
	*(volatile uint64_t *)mem = 5;
	add_by_gpu(bo.va, 2);
	REQUIRE(*(volatile uint64_t *)mem == 7);
	add_by_gpu(bo.va + BYTES - 8, 1);
}

/*
 * Memory that is given back while it is registered. Until the driver gives the
 * page up it looks for it, with the queues stopped; work that ends after the
 * memory went says that it has.
 */
static void until_given_up(void)
{
	struct kfd_bo word;

	REQUIRE_OK(kfd_bo_create(&work.k, 0, MEM_GTT, KFD_PAGE, &word));
	add_by_gpu(word.va, 3);
	REQUIRE(*(volatile uint64_t *)word.cpu == 3);
	REQUIRE_OK(kfd_bo_destroy(&work.k, &word));
}

static void lost_whole_setup(void)
{
	new_userptr(-1);
	REQUIRE(!munmap(mem, BYTES));
	until_given_up();
}

static void lost_just_now_setup(void)
{
	new_userptr(-1);
	REQUIRE(!munmap(mem, BYTES));
}

static void lost_check(void)
{
	must_fault(mem + KFD_PAGE);
}

static void lost_part_setup(void)
{
	new_userptr(-1);
	REQUIRE(!munmap(mem + 8 * KFD_PAGE, 4 * KFD_PAGE));
	until_given_up();
}

/* What is left on both sides of the hole is reached, the hole is not. */
static void lost_part_check(void)
{
	volatile uint64_t *first = (void *)mem, *last = (void *)(mem + BYTES - 8);
	uint64_t was_first = *first, was_last = *last;

	add_by_gpu((uintptr_t)first, 1);
	add_by_gpu((uintptr_t)last, 2);
	REQUIRE(*first == was_first + 1 && *last == was_last + 2);
	must_fault(mem + 8 * KFD_PAGE);
}

static void protected_none_setup(void)
{
	new_userptr(PROT_NONE);
	until_given_up();
}

static void protected_read_setup(void)
{
	new_userptr(PROT_READ);
	until_given_up();
}

static void truncated_setup(void)
{
	int fd = memfd_create("matrix", MFD_CLOEXEC);

	REQUIRE(fd >= 0 && !ftruncate(fd, BYTES));
	new_copy_queue();
	mem = mmap((void *)(uintptr_t)kfd_reserve_va(&work.k, BYTES), BYTES,
		   PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);
	REQUIRE(mem != MAP_FAILED);
	kfd_fill_pattern(mem, BYTES, SEED);
	REQUIRE_OK(kfd_bo_userptr(&work.k, 0, mem, BYTES, &bo));
	REQUIRE(!ftruncate(fd, KFD_PAGE));
	until_given_up();
}

static void new_range(void)
{
	new_copy_queue();
	REQUIRE_OK(kfd_svm_alloc(&work.k, BYTES, 0, &mem));
	kfd_fill_pattern(mem, BYTES, SEED);
}

static void svm_setup(void)
{
	new_range();
	add_by_gpu((uintptr_t)mem, 1);
	add_by_gpu((uintptr_t)mem, -1);
}

static void svm_check(void)
{
	REQUIRE(kfd_check_pattern(mem, BYTES, SEED));
	*(volatile uint64_t *)mem = 5;
	add_by_gpu((uintptr_t)mem, 2);
	REQUIRE(*(volatile uint64_t *)mem == 7);
}

static void svm_guard_setup(void)
{
	new_range();
	REQUIRE(!mprotect(mem + 8 * KFD_PAGE, KFD_PAGE, PROT_NONE));
	until_given_up();
}

static void svm_hole_setup(void)
{
	new_range();
	REQUIRE(!munmap(mem + 8 * KFD_PAGE, KFD_PAGE));
	until_given_up();
}

static void address_given_up_setup(void)
{
	struct kfd_ioctl_alloc_memory_of_gpu_args args = {
		.flags = KFD_IOC_ALLOC_MEM_FLAGS_USERPTR |
			 KFD_IOC_ALLOC_MEM_FLAGS_VADDR_INVALIDATE,
	};

	new_userptr(-1);
	args.va_addr = bo.va;
	args.size = BYTES;
	args.gpu_id = work.k.gpu[0].gpu_id;
	REQUIRE_OK(kfd_call(work.k.fd, AMDKFD_IOC_ALLOC_MEMORY_OF_GPU, &args));
}

/* With its address back the queues go on. */
static void address_given_up_check(void)
{
	struct kfd_ioctl_alloc_memory_of_gpu_args args = {
		.va_addr = bo.va, .size = BYTES, .mmap_offset = (uintptr_t)mem,
		.gpu_id = work.k.gpu[0].gpu_id,
		.flags = KFD_IOC_ALLOC_MEM_FLAGS_USERPTR |
			 KFD_IOC_ALLOC_MEM_FLAGS_VADDR_UPDATE,
	};

	REQUIRE_OK(kfd_call(work.k.fd, AMDKFD_IOC_ALLOC_MEMORY_OF_GPU, &args));
	userptr_check();
}

const struct kind memory_kinds[] = {
	{ .name = "plain", .gpus = 1 },
	{ .name = "two_gpus", .gpus = 2 },
	{ .name = "vram", .gpus = 1, .setup = vram_setup, .check = hidden_check },
	{ .name = "gtt", .gpus = 1, .setup = gtt_setup, .check = hidden_check },
	{ .name = "unmapped", .gpus = 1, .setup = unmapped_setup, .check = unmapped_check },
	{ .name = "userptr", .gpus = 1, .setup = userptr_setup, .check = userptr_check },
	{ .name = "svm", .gpus = 1, .setup = svm_setup, .check = svm_check },
	{ .name = "lost_whole", .gpus = 1, .setup = lost_whole_setup, .check = lost_check },
	{ .name = "lost_just_now", .gpus = 1, .setup = lost_just_now_setup, .check = lost_check },
	{ .name = "lost_part", .gpus = 1, .setup = lost_part_setup, .check = lost_part_check },
	{ .name = "protected_none", .gpus = 1, .setup = protected_none_setup,
	  .check = lost_check },
	{ .name = "protected_read", .gpus = 1, .setup = protected_read_setup,
	  .check = lost_check },
	{ .name = "truncated", .gpus = 1, .setup = truncated_setup, .check = lost_check },
	{ .name = "svm_guard", .gpus = 1, .setup = svm_guard_setup, .check = lost_part_check },
	{ .name = "svm_hole", .gpus = 1, .setup = svm_hole_setup, .check = lost_part_check },
	{ .name = "address_given_up", .gpus = 1, .setup = address_given_up_setup,
	  .check = address_given_up_check,
	  .refused = "PROCESS_INFO EBUSY .*given up their CPU address" },
	{ .name = NULL },
};
