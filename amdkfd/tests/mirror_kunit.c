// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: what becomes of pages of a mirror that are not to be had (mirror.h,
 * mirror_salvage.c, mirror_succession.c), and the stretches of pages that a
 * look-up tells of (fetch.c).
 *
 * The mirrors are made up: no process, no memory, nobody who watches. A page is
 * given by its number, in a string of what it is: '.' present, 'a' absent, 'l'
 * lost, 'g' lost and given up. What is between two absent ones counts as absent,
 * and so on: hulls are all that there is.
 */
#include <kunit/test.h>

#include "../mirror.h"
#include "tests.h"

#define ADDR	0x7f0000000000UL
#define PAGES	8u

static const struct kfd_mirror_ops no_ops = { .name = "made up" };

static unsigned long page_at(u64 page)
{
	return ADDR + page * PAGE_SIZE;
}

static struct kfd_mirrors *new_mirrors(struct kunit *test)
{
	struct kfd_mirrors *mirrors = kunit_kzalloc(test, sizeof(*mirrors),
						    GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, mirrors);
	mutex_init(&mirrors->notifier_lock);
	INIT_LIST_HEAD(&mirrors->invalid);
	return mirrors;
}

/* A mirror of @npages from @page on, none of which anybody misses. */
static struct kfd_mirror *new_mirror(struct kunit *test,
				     struct kfd_mirrors *mirrors, u64 page,
				     u64 npages)
{
	struct kfd_mirror *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, m);
	kfd_mirror_init(m, mirrors, &no_ops, page_at(page), npages,
			KFD_MIRROR_READ);
	kfd_mirror_assume_present(m);
	return m;
}

static char state_of(const struct kfd_mirror *m, u64 page)
{
	if (page >= m->absent_first && page <= m->absent_last)
		return 'a';
	if (page >= m->given_first && page < m->given_end)
		return 'g';
	return page >= m->lost_first && page < m->lost_end ? 'l' : '.';
}

static void expect_states(struct kunit *test, const struct kfd_mirror *m,
			  const char *states)
{
	char is[PAGES + 1] = "";
	u64 i;

	for (i = 0; i < m->npages; i++)
		is[i] = state_of(m, i);
	KUNIT_EXPECT_STREQ(test, states, (const char *)is);
}

/**
 * struct judgement - pages that could not be had, and what comes of it
 * @before: how the mirror was
 * @first: first page that is missing
 * @end: the page behind the last; 0: none is
 * @mercy: which may be
 * @ret: the answer
 * @after: how it is then
 */
struct judgement {
	const char *before;
	u64 first;
	u64 end;
	enum kfd_mercy mercy;
	int ret;
	const char *after;
};

/* Every mercy, with nothing missing, with what is known, and with what is not. */
static const struct judgement judgements[] = {
	{ "........", 0, 0, KFD_MERCY_NONE, 0, "........" },
	{ "........", 0, 0, KFD_MERCY_KNOWN, 0, "........" },
	{ "........", 0, 0, KFD_MERCY_NOTE, 0, "........" },
	{ "........", 0, 0, KFD_MERCY_ANY, 0, "........" },
	{ "........", 2, 4, KFD_MERCY_NONE, -EFAULT, "........" },
	{ "........", 2, 4, KFD_MERCY_KNOWN, -EFAULT, "........" },
	{ "........", 2, 4, KFD_MERCY_NOTE, -EFAULT, "..ll...." },
	{ "........", 2, 4, KFD_MERCY_ANY, 0, "..gg...." },
	{ "..gg....", 2, 4, KFD_MERCY_NONE, -EFAULT, "..gg...." },
	{ "..gg....", 2, 4, KFD_MERCY_KNOWN, 0, "..gg...." },
	{ "..gg....", 3, 4, KFD_MERCY_NOTE, 0, "..gg...." },
	{ "..gg....", 2, 4, KFD_MERCY_ANY, 0, "..gg...." },
	{ "..gg....", 3, 6, KFD_MERCY_KNOWN, -EFAULT, "..gg...." },
	{ "..gg....", 3, 6, KFD_MERCY_NOTE, -EFAULT, "..ggll.." },
	{ "..gg....", 3, 6, KFD_MERCY_ANY, 0, "..gggg.." },
	{ "..ll....", 2, 4, KFD_MERCY_KNOWN, -EFAULT, "..ll...." },
	{ "..ll....", 2, 4, KFD_MERCY_NOTE, -EFAULT, "..ll...." },
	{ "..ll....", 2, 4, KFD_MERCY_ANY, 0, "..gg...." },
	{ "gg......", 6, 8, KFD_MERCY_ANY, 0, "gggggggg" },
};

static void set_states(struct kfd_mirror *m, const char *states)
{
	u64 i;

	for (i = 0; i < m->npages; i++) {
		if (states[i] == 'a')
			kfd_mirror_add_absent(m, i, i);
		if (states[i] == 'l' || states[i] == 'g')
			kfd_mirror_add_lost(m, i, i + 1);
		if (states[i] == 'g')
			kfd_mirror_add_given(m, i, i + 1);
	}
}

static void mirror_judge(struct kunit *test)
{
	struct kfd_mirrors *mirrors = new_mirrors(test);
	const struct judgement *j;
	struct kfd_missing missing;
	struct kfd_mirror *m;
	u32 i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(judgements); i++) {
		j = &judgements[i];
		m = new_mirror(test, mirrors, 0, PAGES);
		set_states(m, j->before);
		expect_states(test, m, j->before);
		missing = (struct kfd_missing) { j->first, j->end };
		mutex_lock(&mirrors->notifier_lock);
		ret = kfd_mirror_judge(m, &missing, j->mercy);
		mutex_unlock(&mirrors->notifier_lock);
		KUNIT_EXPECT_EQ_MSG(test, j->ret, ret, "%u", i);
		expect_states(test, m, j->after);
	}
}

/* One mirror in place of two and a gap: nothing is forgotten, and nothing added. */
static void mirror_joined(struct kunit *test)
{
	struct kfd_mirrors *mirrors = new_mirrors(test);
	struct kfd_mirror *left = new_mirror(test, mirrors, 0, 4);
	struct kfd_mirror *right = new_mirror(test, mirrors, 6, 2);
	struct kfd_mirror *m = new_mirror(test, mirrors, 0, PAGES);

	set_states(left, ".gg.");
	set_states(right, "..");
	mutex_lock(&mirrors->notifier_lock);
	kfd_mirror_inherit(m, left);
	kfd_mirror_lack(m, page_at(4), page_at(6) - 1);
	kfd_mirror_inherit(m, right);
	mutex_unlock(&mirrors->notifier_lock);
	expect_states(test, m, ".gg.aa..");
}

/* Two in place of one: each has its part of what the old one lacked. */
static void mirror_split(struct kunit *test)
{
	struct kfd_mirrors *mirrors = new_mirrors(test);
	struct kfd_mirror *old = new_mirror(test, mirrors, 0, PAGES);
	struct kfd_mirror *left = new_mirror(test, mirrors, 0, 4);
	struct kfd_mirror *right = new_mirror(test, mirrors, 4, 4);

	set_states(old, "..ggllaa");
	expect_states(test, old, "..ggllaa");
	mutex_lock(&mirrors->notifier_lock);
	kfd_mirror_inherit(left, old);
	kfd_mirror_inherit(right, old);
	kfd_mirror_retire(old);
	mutex_unlock(&mirrors->notifier_lock);
	expect_states(test, left, "..gg");
	expect_states(test, right, "llaa");
	KUNIT_EXPECT_TRUE(test, old->retired);
}

/* What an image says may be missing is lost and given up; outside it nothing is. */
static void mirror_forgone(struct kunit *test)
{
	struct kfd_mirrors *mirrors = new_mirrors(test);
	struct kfd_mirror *m = new_mirror(test, mirrors, 2, 4);

	mutex_lock(&mirrors->notifier_lock);
	kfd_mirror_forgo(m, page_at(0), page_at(2) - 1);
	kfd_mirror_forgo(m, page_at(6), page_at(8) - 1);
	expect_states(test, m, "....");
	kfd_mirror_forgo(m, page_at(5), page_at(9) - 1);
	mutex_unlock(&mirrors->notifier_lock);
	expect_states(test, m, "...g");
}

static void runs_in_order(struct kunit *test)
{
	struct kfd_runs runs = {};
	u64 i;

	KUNIT_EXPECT_FALSE(test, kfd_runs_have(&runs, page_at(0)));
	/* next to each other they are one */
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_TRUE(test, kfd_runs_add(&runs, page_at(i),
						     page_at(i + 1)));
	KUNIT_EXPECT_EQ(test, 1u, runs.n);
	/* every other page, up to the last for which there is room */
	for (i = 1; i < KFD_MAX_RUNS; i++)
		KUNIT_EXPECT_TRUE(test, kfd_runs_add(&runs, page_at(2 + 2 * i),
						     page_at(3 + 2 * i)));
	KUNIT_EXPECT_EQ(test, (u32)KFD_MAX_RUNS, runs.n);
	KUNIT_EXPECT_FALSE(test, kfd_runs_add(&runs, page_at(100),
					      page_at(101)));
	/* the last may still grow */
	KUNIT_EXPECT_TRUE(test, kfd_runs_add(&runs, page_at(3 + 2 * (i - 1)),
					     page_at(4 + 2 * (i - 1))));
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_TRUE(test, kfd_runs_have(&runs, page_at(i)));
	KUNIT_EXPECT_FALSE(test, kfd_runs_have(&runs, page_at(3)));
	KUNIT_EXPECT_TRUE(test, kfd_runs_have(&runs, page_at(4)));
	KUNIT_EXPECT_FALSE(test, kfd_runs_have(&runs, page_at(100)));
}

static struct kunit_case mirror_cases[] = {
	KUNIT_CASE(mirror_judge),
	KUNIT_CASE(mirror_joined),
	KUNIT_CASE(mirror_split),
	KUNIT_CASE(mirror_forgone),
	KUNIT_CASE(runs_in_order),
	{}
};

struct kunit_suite kfd_mirror_suite = {
	.name = "kfd_mirror",
	.test_cases = mirror_cases,
};
