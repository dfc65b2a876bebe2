// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: the states of a mirror (mirror_state.c), what becomes of pages that are
 * not to be had (mirror_salvage.c), and the stretches of pages that a look-up tells
 * of (fetch.c).
 *
 * The mirrors are made up: no process, no memory, nobody who watches. A page is
 * given by its number, in a string of what it is: '.' present, 'a' absent, 'l'
 * lost, 'g' lost and given up. What is between two absent ones counts as absent,
 * and so on: hulls are all that there is.
 */
#include <kunit/test.h>
#include <linux/workqueue.h>

#include "../mirror.h"
#include "../process.h"
#include "tests.h"

#define ADDR	0x7f0000000000UL
#define PAGES	8u

/**
 * struct taken - what has been taken off GPUs, in all
 * @calls: how many times
 * @first: the first page, of the last time
 * @npages: and how many
 * @evicted: kfd_mirrors.evicted at that moment
 * @why: what was said
 */
static struct taken {
	u32 calls;
	u64 first;
	u64 npages;
	u32 evicted;
	enum kfd_mirror_why why;
} taken;

static void made_up_take(struct kfd_mirror *m, u64 first, u64 npages, u32 gpus,
			 enum kfd_mirror_why why)
{
	taken.calls++;
	taken.first = first;
	taken.npages = npages;
	taken.evicted = m->mirrors->evicted;
	taken.why = why;
}

static void *made_up_owner(struct kfd_mirror *m)
{
	return NULL;
}

static const struct kfd_mirror_ops made_up_ops = {
	.name = "made up",
	.take = made_up_take,
	.owner = made_up_owner,
};

static const struct kfd_mirror_ops system_ops = {
	.name = "made up, in system memory",
	.take = made_up_take,
};

static void no_work(struct work_struct *work)
{
}

static void no_more_work(struct kfd_mirrors *mirrors)
{
	cancel_delayed_work_sync(&mirrors->restore_work);
}

static unsigned long page_at(u64 page)
{
	return ADDR + page * PAGE_SIZE;
}

static struct kfd_mirrors *new_mirrors(struct kunit *test)
{
	struct kfd_mirrors *mirrors = kunit_kzalloc(test, sizeof(*mirrors),
						    GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, mirrors);
	/* It has no GPU: evictions are counted in kfd_mirrors.evicted alone. */
	mirrors->process = kunit_kzalloc(test, sizeof(*mirrors->process),
					 GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, mirrors->process);
	mutex_init(&mirrors->notifier_lock);
	INIT_LIST_HEAD(&mirrors->invalid);
	mirrors->in_system = RB_ROOT_CACHED;
	INIT_DELAYED_WORK(&mirrors->restore_work, no_work);
	return mirrors;
}

/* A mirror of @npages from @page on, none of which anybody misses. */
static struct kfd_mirror *new_mirror(struct kunit *test,
				     struct kfd_mirrors *mirrors, u64 page,
				     u64 npages)
{
	struct kfd_mirror *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, m);
	kfd_mirror_init(m, mirrors, &made_up_ops, page_at(page), npages,
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
			kfd_mirror_step(m, KFD_EV_LACK, i, i, KFD_MIRROR_TOLD);
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
		missing = (struct kfd_missing) { j->first, j->end };
		mutex_lock(&mirrors->notifier_lock);
		set_states(m, j->before);
		expect_states(test, m, j->before);
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

	mutex_lock(&mirrors->notifier_lock);
	set_states(left, ".gg.");
	set_states(right, "..");
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

	mutex_lock(&mirrors->notifier_lock);
	set_states(old, "..ggllaa");
	expect_states(test, old, "..ggllaa");
	old->state = KFD_MIRROR_IDLE;
	kfd_mirror_inherit(left, old);
	kfd_mirror_inherit(right, old);
	kfd_mirror_retire(old);
	mutex_unlock(&mirrors->notifier_lock);
	expect_states(test, left, "..gg");
	expect_states(test, right, "llaa");
	KUNIT_EXPECT_EQ(test, KFD_MIRROR_RETIRED, old->state);
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

/*
 * The table, told a second time: a letter for each state, OUT, IDLE, WHOLE, SHORT,
 * BROKEN and RETIRED, and '-' where the event can't happen. Whether the hull is empty
 * makes a difference for some; with an empty one SHORT and BROKEN are being looked at.
 */
static const char letters[] = "OIWSBR";

static const struct {
	const char *empty;
	const char *full;
} expected[KFD_MIRROR_EVENTS] = {
	[KFD_EV_WATCH]		= { "I-----", "I-----" },
	[KFD_EV_REMOVE]		= { "-OOOOO", "-OOOOO" },
	[KFD_EV_NEED]		= { "OWWSB-", "OSWSB-" },
	[KFD_EV_UNNEED]		= { "OIIII-", "OIIII-" },
	[KFD_EV_LOSE]		= { "OIBBBR", "OIBBBR" },
	[KFD_EV_LACK]		= { "OISSB-", "OISSB-" },
	[KFD_EV_BREAK]		= { "OIWBB-", "OIWBB-" },
	[KFD_EV_LOOKED]		= { "-IWWW-", "-ISSB-" },
	[KFD_EV_ABANDON]	= { "-IWSS-", "-IWSS-" },
	[KFD_EV_RETIRE]		= { "-RRRR-", "-RRRR-" },
};

/* Which GPUs need a mirror that is needed. */
#define NEEDED	0x5u

static bool is_needed(enum kfd_mirror_state state)
{
	return state == KFD_MIRROR_WHOLE || state == KFD_MIRROR_SHORT ||
	       state == KFD_MIRROR_BROKEN;
}

static struct kfd_mirror *mirror_in(struct kunit *test,
				    struct kfd_mirrors *mirrors,
				    enum kfd_mirror_state state, bool full)
{
	struct kfd_mirror *m = new_mirror(test, mirrors, 0, PAGES);

	if (full)
		set_states(m, "..aaaa..");
	m->needed = is_needed(state) ? NEEDED : 0;
	m->state = state;
	mirrors->evicted = 0;
	if (state == KFD_MIRROR_BROKEN) {
		list_add(&m->invalid_node, &mirrors->invalid);
		mirrors->evicted = NEEDED;
	}
	return m;
}

/* What holds in every state, whatever has led there. */
static void expect_sound(struct kunit *test, const struct kfd_mirror *m)
{
	bool listed = !list_empty(&m->invalid_node);

	KUNIT_EXPECT_EQ(test, listed, m->state == KFD_MIRROR_BROKEN);
	if (listed)
		KUNIT_EXPECT_EQ(test, 0u, m->needed & ~m->mirrors->evicted);
	KUNIT_EXPECT_EQ(test, kfd_mirror_is_watched(m),
			m->state != KFD_MIRROR_OUT);
}

/* Pages 3 and 4 are what the event is about. */
static void one_step(struct kunit *test, struct kfd_mirrors *mirrors,
		     enum kfd_mirror_event event, enum kfd_mirror_state state,
		     bool full)
{
	char want = (full ? expected[event].full : expected[event].empty)[state];
	struct kfd_mirror *m = mirror_in(test, mirrors, state, full);
	bool takes, happens;
	char is;

	memset(&taken, 0, sizeof(taken));
	if (event == KFD_EV_NEED)
		m->needed = NEEDED;
	if (event == KFD_EV_UNNEED || event == KFD_EV_RETIRE)
		m->needed = 0;
	happens = kfd_mirror_step(m, event, 3, 4, KFD_MIRROR_MIGRATED);
	is = happens ? letters[m->state] : '-';
	KUNIT_EXPECT_EQ_MSG(test, want, is, "event %u in %c, hull %s", event,
			    letters[state], full ? "full" : "empty");
	if (!happens)
		KUNIT_EXPECT_EQ(test, state, m->state);
	expect_sound(test, m);

	/* Pages go when they are lost, or the mirror is, if it has any itself. */
	takes = (event == KFD_EV_LOSE || event == KFD_EV_REMOVE) &&
		state != KFD_MIRROR_OUT && state != KFD_MIRROR_RETIRED;
	KUNIT_EXPECT_EQ(test, takes ? 1u : 0u, taken.calls);
	if (takes) {
		KUNIT_EXPECT_EQ(test, 3ull, taken.first);
		KUNIT_EXPECT_EQ(test, 2ull, taken.npages);
		KUNIT_EXPECT_EQ(test, KFD_MIRROR_MIGRATED, taken.why);
	}
	/* and not before the queues have stopped that can't be without them */
	if (event == KFD_EV_LOSE)
		KUNIT_EXPECT_EQ(test, is_needed(state) ? NEEDED : 0,
				taken.evicted);
	/* What has gone is missed from then on, also where nobody waits yet. */
	if (event == KFD_EV_LOSE || (event == KFD_EV_LACK && happens))
		KUNIT_EXPECT_EQ(test, 'a', state_of(m, 3));
	list_del_init(&m->invalid_node);
}

static void mirror_table(struct kunit *test)
{
	struct kfd_mirrors *mirrors = new_mirrors(test);
	u32 event, state;

	mutex_lock(&mirrors->notifier_lock);
	for (event = 0; event < KFD_MIRROR_EVENTS; event++)
		for (state = 0; state < KFD_MIRROR_STATES; state++) {
			one_step(test, mirrors, event, state, false);
			one_step(test, mirrors, event, state, true);
		}
	mutex_unlock(&mirrors->notifier_lock);
	no_more_work(mirrors);
}

/* Once the queues are gone nothing is evicted, nor waits to be brought back. */
static void mirror_closing(struct kunit *test)
{
	struct kfd_mirrors *mirrors = new_mirrors(test);
	struct kfd_mirror *m = mirror_in(test, mirrors, KFD_MIRROR_WHOLE, false);

	memset(&taken, 0, sizeof(taken));
	mutex_lock(&mirrors->notifier_lock);
	mirrors->closing = true;
	kfd_mirror_lose_locked(m, page_at(3), page_at(5) - 1);
	mutex_unlock(&mirrors->notifier_lock);
	KUNIT_EXPECT_EQ(test, KFD_MIRROR_SHORT, m->state);
	expect_sound(test, m);
	KUNIT_EXPECT_EQ(test, 1u, taken.calls);
	KUNIT_EXPECT_EQ(test, 0u, mirrors->evicted);
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&mirrors->restore_work));
}

/* What was given up is missed again as soon as another page is. */
static void mirror_broken_misses_lost(struct kunit *test)
{
	struct kfd_mirrors *mirrors = new_mirrors(test);
	struct kfd_mirror *m = mirror_in(test, mirrors, KFD_MIRROR_WHOLE, false);

	mutex_lock(&mirrors->notifier_lock);
	set_states(m, ".gg.....");
	kfd_mirror_lose_locked(m, page_at(4), page_at(5) - 1);
	mutex_unlock(&mirrors->notifier_lock);
	no_more_work(mirrors);
	expect_states(test, m, ".aaaa...");
	KUNIT_EXPECT_EQ(test, NEEDED, mirrors->evicted);
}

static bool keeps(struct kfd_mirrors *mirrors, u64 page, u64 end)
{
	return kfd_mirrors_keep_in_system(mirrors, page_at(page),
					  page_at(end) - 1);
}

/* While it is needed its pages do not go to VRAM, whatever else happens to it. */
static void mirror_keeps_in_system(struct kunit *test)
{
	struct kfd_mirrors *mirrors = new_mirrors(test);
	struct kfd_mirror *m = new_mirror(test, mirrors, 2, 4);
	static const struct {
		enum kfd_mirror_event event;
		bool keep;
	} steps[] = {
		{ KFD_EV_WATCH, false },
		{ KFD_EV_NEED, true },
		{ KFD_EV_LACK, true },
		{ KFD_EV_LOSE, true },
		{ KFD_EV_LOOKED, true },
		{ KFD_EV_ABANDON, true },
		{ KFD_EV_UNNEED, false },
		{ KFD_EV_NEED, true },
		{ KFD_EV_RETIRE, false },
		{ KFD_EV_REMOVE, false },
		{ KFD_EV_WATCH, false },
		{ KFD_EV_NEED, true },
		{ KFD_EV_REMOVE, false },
	};
	u32 i;

	m->ops = &system_ops;
	m->needed = NEEDED;
	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		mutex_lock(&mirrors->notifier_lock);
		KUNIT_EXPECT_TRUE(test, kfd_mirror_step(m, steps[i].event, 0, 0,
							KFD_MIRROR_CHANGED));
		mutex_unlock(&mirrors->notifier_lock);
		KUNIT_EXPECT_EQ_MSG(test, steps[i].keep,
				    keeps(mirrors, 5, 9), "%u", i);
		KUNIT_EXPECT_FALSE(test, keeps(mirrors, 0, 2));
		KUNIT_EXPECT_FALSE(test, keeps(mirrors, 6, 9));
	}
	no_more_work(mirrors);
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
	KUNIT_CASE(mirror_table),
	KUNIT_CASE(mirror_closing),
	KUNIT_CASE(mirror_broken_misses_lost),
	KUNIT_CASE(mirror_keeps_in_system),
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
