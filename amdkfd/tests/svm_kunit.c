// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: the simulator's page tables for pages of the process itself
 * (sim/svm.c, access.c) and its single pages of VRAM (vram.c).
 *
 * An address space of nobody's, pages of system memory in it, and the engines'
 * own functions to reach them; no engine, no DRM device.
 *
 * No locks: nobody else sees any of this.
 */
#include <kunit/test.h>
#include <linux/mm.h>

#include "../sim/memory.h"
#include "tests.h"

#define N_PAGES		8u
#define LEAF		(1ULL << SIM_LEAF_SHIFT)
/* The last two pages of a leaf, and on into the next. */
#define BASE		(0x40000000ULL - 2 * PAGE_SIZE)

/**
 * struct space - an address space and pages to map in it
 * @gpu: what the address space is on
 * @vm: the address space
 * @pages: the pages
 */
struct space {
	struct sim_gpu gpu;
	struct sim_vm *vm;
	struct page *pages[N_PAGES];
};

static int svm_test_init(struct kunit *test)
{
	struct space *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, s);
	test->priv = s;
	for (i = 0; i < N_PAGES; i++) {
		s->pages[i] = alloc_page(GFP_KERNEL | __GFP_ZERO);
		if (!s->pages[i])
			return -ENOMEM;
	}
	s->vm = sim_vm_create(&s->gpu, NULL);
	if (IS_ERR(s->vm)) {
		s->vm = NULL;
		return -ENOMEM;
	}
	return 0;
}

static void svm_test_exit(struct kunit *test)
{
	struct space *s = test->priv;
	u32 i;

	if (!s)
		return;
	if (s->vm)
		sim_vm_close(s->vm);
	for (i = 0; i < N_PAGES; i++)
		if (s->pages[i])
			__free_page(s->pages[i]);
}

static int put32(struct space *s, u64 va, u32 value, struct sim_fault_info *f)
{
	return sim_vm_write(s->vm, va, &value, sizeof(value), f);
}

/* Which error there is at @va; the fault is what it should be. */
static void expect_fault(struct kunit *test, u64 va, bool write,
			 bool not_present)
{
	struct space *s = test->priv;
	struct sim_fault_info f = {};
	u32 value = 0;
	int ret;

	ret = write ? put32(s, va, value, &f) :
		      sim_vm_read(s->vm, va, &value, sizeof(value), &f);
	KUNIT_EXPECT_EQ_MSG(test, -EFAULT, ret, "%llx", va);
	KUNIT_EXPECT_EQ(test, va, f.va);
	KUNIT_EXPECT_EQ(test, write, f.write);
	KUNIT_EXPECT_EQ(test, not_present, f.not_present);
	KUNIT_EXPECT_TRUE(test, f.curable);
	KUNIT_EXPECT_FALSE(test, sim_vm_mapped(s->vm, va, write));
}

/* Mapped, written and read across two leaves, taken away from one side. */
static void svm_map_and_unmap(struct kunit *test)
{
	struct space *s = test->priv;
	u8 in[256], out[sizeof(in)];
	u64 va = BASE + 2 * PAGE_SIZE - sizeof(in) / 2;
	struct sim_fault_info f;
	u32 i;

	for (i = 0; i < sizeof(in); i++)
		in[i] = i * 7 + 1;
	expect_fault(test, BASE, false, true);
	KUNIT_ASSERT_EQ(test, 0, sim_svm_reserve(s->vm, BASE, 4));
	expect_fault(test, BASE, false, true);
	KUNIT_ASSERT_EQ(test, 0, sim_svm_map(s->vm, BASE, 4, s->pages, true));
	KUNIT_EXPECT_EQ(test, 0, sim_vm_write(s->vm, va, in, sizeof(in), &f));
	KUNIT_EXPECT_EQ(test, 0, sim_vm_read(s->vm, va, out, sizeof(out), &f));
	KUNIT_EXPECT_EQ(test, 0, memcmp(in, out, sizeof(in)));
	KUNIT_EXPECT_EQ(test, 0, memcmp(page_address(s->pages[2]),
					in + sizeof(in) / 2, sizeof(in) / 2));
	KUNIT_EXPECT_EQ(test, 0, put32(s, BASE + 4 * PAGE_SIZE - 4, 1, &f));
	expect_fault(test, BASE + 4 * PAGE_SIZE, true, true);
	expect_fault(test, BASE - 4, true, true);

	sim_svm_unmap(s->vm, BASE + PAGE_SIZE, 2);
	expect_fault(test, BASE + PAGE_SIZE, false, true);
	expect_fault(test, BASE + 2 * PAGE_SIZE, true, true);
	KUNIT_EXPECT_TRUE(test, sim_vm_mapped(s->vm, BASE, true));
	KUNIT_EXPECT_TRUE(test, sim_vm_mapped(s->vm, BASE + 3 * PAGE_SIZE, true));
	KUNIT_EXPECT_FALSE(test, xa_empty(&s->vm->leaves));
	sim_svm_unmap(s->vm, BASE, 1);
	sim_svm_unmap(s->vm, BASE + 3 * PAGE_SIZE, 1);
	KUNIT_EXPECT_TRUE(test, xa_empty(&s->vm->leaves));
}

/* An access that fails half-way has done what came before. */
static void svm_stops_where_nothing_is(struct kunit *test)
{
	struct space *s = test->priv;
	struct sim_fault_info f;
	u8 data[256];

	memset(data, 0x5a, sizeof(data));
	KUNIT_ASSERT_EQ(test, 0, sim_svm_reserve(s->vm, BASE, 4));
	KUNIT_ASSERT_EQ(test, 0, sim_svm_map(s->vm, BASE, 1, s->pages, true));
	KUNIT_EXPECT_EQ(test, -EFAULT,
			sim_vm_write(s->vm, BASE + PAGE_SIZE - 100, data,
				     sizeof(data), &f));
	KUNIT_EXPECT_EQ(test, BASE + PAGE_SIZE, f.va);
	KUNIT_EXPECT_EQ(test, 0, memcmp(page_address(s->pages[0]) + PAGE_SIZE -
					100, data, 100));
	/* From what is there to what is not, and the other way round. */
	KUNIT_EXPECT_EQ(test, -EFAULT,
			sim_vm_copy(s->vm, BASE + 2 * PAGE_SIZE, BASE, 8, &f));
	KUNIT_EXPECT_EQ(test, BASE + 2 * PAGE_SIZE, f.va);
	KUNIT_EXPECT_TRUE(test, f.write);
	KUNIT_EXPECT_EQ(test, -EFAULT,
			sim_vm_copy(s->vm, BASE, BASE + 2 * PAGE_SIZE, 8, &f));
	KUNIT_EXPECT_EQ(test, BASE + 2 * PAGE_SIZE, f.va);
	KUNIT_EXPECT_FALSE(test, f.write);
}

/* Room is what was reserved, until an unmap leaves it empty. */
static void svm_room(struct kunit *test)
{
	struct page *none[N_PAGES] = {};
	struct space *s = test->priv;

	KUNIT_EXPECT_EQ(test, -EAGAIN,
			sim_svm_map(s->vm, BASE, 1, s->pages, true));
	/* Half of it is not enough, and then nothing is mapped. */
	KUNIT_ASSERT_EQ(test, 0, sim_svm_reserve(s->vm, BASE, 2));
	KUNIT_EXPECT_EQ(test, -EAGAIN,
			sim_svm_map(s->vm, BASE, 4, s->pages, true));
	expect_fault(test, BASE, false, true);
	KUNIT_ASSERT_EQ(test, 0, sim_svm_reserve(s->vm, BASE, 4));
	KUNIT_EXPECT_EQ(test, 0, sim_svm_map(s->vm, BASE, 4, s->pages, true));

	/* The first leaf goes with its last page, the second stays. */
	sim_svm_unmap(s->vm, BASE, 1);
	KUNIT_EXPECT_EQ(test, 0, sim_svm_map(s->vm, BASE, 1, s->pages, true));
	sim_svm_unmap(s->vm, BASE, 2);
	KUNIT_EXPECT_EQ(test, -EAGAIN,
			sim_svm_map(s->vm, BASE, 4, s->pages, true));
	KUNIT_EXPECT_EQ(test, 0, sim_svm_map(s->vm, BASE + 2 * PAGE_SIZE, 2,
					     s->pages, true));
	/* What is not there needs no room. */
	KUNIT_EXPECT_EQ(test, 0, sim_svm_map(s->vm, BASE, 2, none, true));

	/* Room that nobody used goes with an unmap, too. */
	KUNIT_ASSERT_EQ(test, 0, sim_svm_reserve(s->vm, 4 * LEAF, 1));
	sim_svm_unmap(s->vm, 4 * LEAF + PAGE_SIZE, 1);
	KUNIT_EXPECT_EQ(test, -EAGAIN,
			sim_svm_map(s->vm, 4 * LEAF, 1, s->pages, true));
}

/* Mapped over and over, with holes: the leaf still knows when it is empty. */
static void svm_counts(struct kunit *test)
{
	struct page *holes[N_PAGES] = {};
	struct space *s = test->priv;
	u32 i;

	for (i = 0; i < N_PAGES; i += 2)
		holes[i] = s->pages[i];
	KUNIT_ASSERT_EQ(test, 0, sim_svm_reserve(s->vm, LEAF, N_PAGES));
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_EQ(test, 0, sim_svm_map(s->vm, LEAF, N_PAGES,
						     holes, i & 1));
	KUNIT_EXPECT_TRUE(test, sim_vm_mapped(s->vm, LEAF, false));
	KUNIT_EXPECT_FALSE(test, sim_vm_mapped(s->vm, LEAF + PAGE_SIZE, false));
	/* NULL leaves what is there. */
	KUNIT_EXPECT_EQ(test, 0, sim_svm_map(s->vm, LEAF + PAGE_SIZE, 3,
					     &s->pages[1], true));
	KUNIT_EXPECT_EQ(test, 0, sim_svm_map(s->vm, LEAF, N_PAGES, holes,
					     true));
	KUNIT_EXPECT_TRUE(test, sim_vm_mapped(s->vm, LEAF + PAGE_SIZE, true));
	for (i = 0; i < N_PAGES; i++) {
		KUNIT_EXPECT_FALSE(test, xa_empty(&s->vm->leaves));
		sim_svm_unmap(s->vm, LEAF + i * PAGE_SIZE, 1);
		sim_svm_unmap(s->vm, LEAF + i * PAGE_SIZE, 1);
		if (i >= 6)
			break;
	}
	KUNIT_EXPECT_TRUE(test, xa_empty(&s->vm->leaves));
}

/* A read-only page is a fault that the driver may cure, by mapping it anew. */
static void svm_read_only(struct kunit *test)
{
	struct space *s = test->priv;
	struct sim_fault_info f;
	struct sim_effect add = {
		.va = BASE, .size = 8, .add = true, .value = 1,
	};
	u32 value = 1;

	KUNIT_ASSERT_EQ(test, 0, sim_svm_reserve(s->vm, BASE, 4));
	KUNIT_ASSERT_EQ(test, 0, sim_svm_map(s->vm, BASE, 4, s->pages, false));
	KUNIT_EXPECT_EQ(test, 0, sim_vm_read(s->vm, BASE, &value, 4, &f));
	KUNIT_EXPECT_EQ(test, 0u, value);
	expect_fault(test, BASE, true, false);
	KUNIT_EXPECT_EQ(test, -EFAULT,
			sim_vm_commit(s->vm, &add, 1, &f));
	KUNIT_EXPECT_EQ(test, -EFAULT,
			sim_vm_copy(s->vm, BASE, BASE + PAGE_SIZE, 8, &f));
	KUNIT_EXPECT_TRUE(test, f.write);
	KUNIT_EXPECT_FALSE(test, f.not_present);
	KUNIT_EXPECT_EQ(test, 0, sim_svm_map(s->vm, BASE, 1, s->pages, true));
	KUNIT_EXPECT_EQ(test, 0, put32(s, BASE, 7, &f));
	expect_fault(test, BASE + PAGE_SIZE, true, false);
	/* Nobody can cure an address that is not aligned. */
	add.va += 4;
	KUNIT_EXPECT_EQ(test, -EFAULT,
			sim_vm_commit(s->vm, &add, 1, &f));
	KUNIT_EXPECT_FALSE(test, f.curable);
}

static void svm_limits(struct kunit *test)
{
	static const struct {
		u64 va, npages;
		int ret;
	} cases[] = {
		{ SIM_VA_MIN, 1, 0 },
		{ SIM_VA_MIN - PAGE_SIZE, 1, -EINVAL },
		{ SIM_VA_MIN + 1, 1, -EINVAL },
		{ SIM_VA_MIN, 0, -EINVAL },
		{ SIM_VA_END - PAGE_SIZE, 1, 0 },
		{ SIM_VA_END - PAGE_SIZE, 2, -EINVAL },
		{ SIM_VA_END, 1, -EINVAL },
		{ SIM_VA_MIN, SIM_VA_END >> PAGE_SHIFT, -EINVAL },
		{ SIM_VA_MIN, 1ULL << 52, -EINVAL },
		{ SIM_VA_MIN, ~0ULL, -EINVAL },
		{ ~0ULL << PAGE_SHIFT, 1, -EINVAL },
	};
	struct space *s = test->priv;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ_MSG(test, cases[i].ret,
				    sim_svm_reserve(s->vm, cases[i].va,
						    cases[i].npages),
				    "case %u", i);
}

/* Unmapping everything costs what is there, and an odd range is no harm. */
static void svm_unmap_all(struct kunit *test)
{
	struct space *s = test->priv;
	u32 i;

	for (i = 0; i < N_PAGES; i++) {
		u64 va = (u64)(i + 1) << 44;

		KUNIT_ASSERT_EQ(test, 0, sim_svm_reserve(s->vm, va, 1));
		KUNIT_ASSERT_EQ(test, 0, sim_svm_map(s->vm, va, 1,
						     &s->pages[i], true));
		if (i == 6)
			break;
	}
	sim_svm_unmap(s->vm, 1ULL << 44, 0);
	KUNIT_EXPECT_TRUE(test, sim_vm_mapped(s->vm, 1ULL << 44, true));
	sim_svm_unmap(s->vm, (1ULL << 44) + PAGE_SIZE, (1ULL << 32) - 1);
	KUNIT_EXPECT_TRUE(test, sim_vm_mapped(s->vm, 1ULL << 44, true));
	KUNIT_EXPECT_TRUE(test, sim_vm_mapped(s->vm, 2ULL << 44, true));
	sim_svm_unmap(s->vm, ~0ULL << PAGE_SHIFT, ~0ULL);
	KUNIT_EXPECT_TRUE(test, sim_vm_mapped(s->vm, 7ULL << 44, true));
	sim_svm_unmap(s->vm, 0, ~0ULL);
	KUNIT_EXPECT_TRUE(test, xa_empty(&s->vm->leaves));
}

/* All or nothing, in order. */
static void svm_commit(struct kunit *test)
{
	struct space *s = test->priv;
	struct sim_effect e[] = {
		{ .va = BASE + 8, .size = 8, .value = 0x1122334455667788ULL },
		{ .va = BASE + 2, .size = 2, .value = 0xabcd },
		{ .va = BASE + PAGE_SIZE, .size = 8, .add = true, .value = -1 },
		{ .va = BASE + 2 * PAGE_SIZE, .size = 4, .value = 5 },
		{ .va = BASE + 8, .size = 8, .add = true, .value = 2 },
		{ .va = BASE + 8, .size = 4, .add = true, .value = -3 },
	};
	u64 *first = page_address(s->pages[0]);
	u64 *second = page_address(s->pages[1]);
	struct sim_fault_info f;

	KUNIT_ASSERT_EQ(test, 0, sim_svm_reserve(s->vm, BASE, 4));
	KUNIT_ASSERT_EQ(test, 0, sim_svm_map(s->vm, BASE, 2, s->pages, true));
	KUNIT_EXPECT_EQ(test, -EFAULT,
			sim_vm_commit(s->vm, e, ARRAY_SIZE(e), &f));
	KUNIT_EXPECT_EQ(test, BASE + 2 * PAGE_SIZE, f.va);
	KUNIT_EXPECT_TRUE(test, f.curable && f.write && f.not_present);
	KUNIT_EXPECT_EQ(test, 0ULL, first[0] | first[1] | second[0]);
	KUNIT_ASSERT_EQ(test, 0, sim_svm_map(s->vm, BASE, 3, s->pages, true));
	KUNIT_EXPECT_EQ(test, 0, sim_vm_commit(s->vm, e, ARRAY_SIZE(e), &f));
	KUNIT_EXPECT_EQ(test, 0xabcd0000ULL, first[0]);
	KUNIT_EXPECT_EQ(test, 0x1122334455667787ULL, first[1]);
	KUNIT_EXPECT_EQ(test, ~0ULL, second[0]);
	e[3].va++;
	KUNIT_EXPECT_EQ(test, -EFAULT,
			sim_vm_commit(s->vm, e, ARRAY_SIZE(e), &f));
	KUNIT_EXPECT_FALSE(test, f.curable);
	KUNIT_EXPECT_EQ(test, ~0ULL, second[0]);
}

/* Counted, zeroed, and freed one by one in any order. */
static void vram_pages(struct kunit *test)
{
	struct space *s = test->priv;
	const u32 total = 1200;
	struct page **pages;
	u32 i, dirty = 0;

	pages = kunit_kcalloc(test, total + 1, sizeof(*pages), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, pages);
	s->gpu.vram_size = total * PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, -ENOMEM,
			sim_vram_pages_alloc(&s->gpu, total + 1, pages));
	KUNIT_EXPECT_EQ(test, -ENOMEM,
			sim_vram_pages_alloc(&s->gpu, ~0ULL, pages));
	KUNIT_ASSERT_EQ(test, 0, sim_vram_pages_alloc(&s->gpu, total, pages));
	KUNIT_EXPECT_EQ(test, (s64)(total * PAGE_SIZE),
			atomic64_read(&s->gpu.vram_used));
	KUNIT_EXPECT_EQ(test, -ENOMEM,
			sim_vram_pages_alloc(&s->gpu, 1, &pages[total]));
	for (i = 0; i < total; i++) {
		dirty += !!memchr_inv(page_address(pages[i]), 0, PAGE_SIZE);
		memset(page_address(pages[i]), i, PAGE_SIZE);
	}
	KUNIT_EXPECT_EQ(test, 0u, dirty);

	KUNIT_ASSERT_EQ(test, 0, sim_svm_reserve(s->vm, BASE, 4));
	KUNIT_EXPECT_EQ(test, 0, sim_svm_map(s->vm, BASE, 4, &pages[5], true));
	KUNIT_EXPECT_TRUE(test, sim_vm_mapped(s->vm, BASE, true));
	sim_svm_unmap(s->vm, BASE, 4);
	sim_page_copy(pages[1], pages[7]);
	KUNIT_EXPECT_EQ(test, 0, memcmp(page_address(pages[1]),
					page_address(pages[7]), PAGE_SIZE));

	for (i = 0; i < total; i += 2)
		sim_vram_pages_free(&s->gpu, 1, &pages[i]);
	KUNIT_EXPECT_EQ(test, (s64)(total / 2 * PAGE_SIZE),
			atomic64_read(&s->gpu.vram_used));
	for (i = total; i > 0; i -= 2)
		sim_vram_pages_free(&s->gpu, 1, &pages[i - 1]);
	KUNIT_EXPECT_EQ(test, 0LL, atomic64_read(&s->gpu.vram_used));
}

static struct kunit_case svm_kunit_cases[] = {
	KUNIT_CASE(svm_map_and_unmap),
	KUNIT_CASE(svm_stops_where_nothing_is),
	KUNIT_CASE(svm_room),
	KUNIT_CASE(svm_counts),
	KUNIT_CASE(svm_read_only),
	KUNIT_CASE(svm_limits),
	KUNIT_CASE(svm_unmap_all),
	KUNIT_CASE(svm_commit),
	KUNIT_CASE(vram_pages),
	{}
};

struct kunit_suite sim_svm_suite = {
	.name = "sim_svm",
	.init = svm_test_init,
	.exit = svm_test_exit,
	.test_cases = svm_kunit_cases,
};
