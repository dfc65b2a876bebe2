/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What every selftest starts with: the kernel's harness, our library, and a
 * fixture that has opened the driver and taken a VM on every GPU.
 */
#ifndef KFD_TEST_H
#define KFD_TEST_H

#include <kselftest_harness.h>

#include "lib/kfd_criu.h"
#include "lib/kfd_lib.h"
#include "lib/kfd_packets.h"

/* A wait that must come true is given this long: emulated machines are slow. */
#define PATIENCE	(20000 * kfd_time_scale())

/* For promises that the in-tree driver does not make. */
#define REQUIRE_OURS() \
	do { \
		if (!kfd_is_ours()) \
			SKIP(return, "the in-tree driver does not promise this"); \
	} while (0)

/* For faults that have to be made. */
#define REQUIRE_SIM() \
	do { \
		if (!kfd_sim_present()) \
			SKIP(return, "needs the simulator's debugfs knobs"); \
	} while (0)

#define REQUIRE_GPUS(k, n) \
	do { \
		if ((k)->num_gpus < (n)) \
			SKIP(return, "needs %d GPUs", (n)); \
	} while (0)

#define EXPECT_ERR(err, call)	EXPECT_EQ(-(err), (call))
#define ASSERT_ERR(err, call)	ASSERT_EQ(-(err), (call))
#define ASSERT_OK(call)		ASSERT_EQ(0, (call))
#define EXPECT_OK(call)		EXPECT_EQ(0, (call))

/* Where the in-tree driver has an errno of its own for the same thing. */
#define EXPECT_ERR_OR(ours, in_tree, call) \
	EXPECT_EQ(kfd_is_ours() ? -(ours) : -(in_tree), (call))

/* Where two errnos are equally right, because two layers may see it first. */
#define EXPECT_ERR_EITHER(err1, err2, call) \
	do { \
		int _err = (call); \
		EXPECT_TRUE(_err == -(err1) || _err == -(err2)) \
			TH_LOG("got %d, expected %d or %d", _err, -(err1), -(err2)); \
	} while (0)

/* An answer that another thread may be the cause of is none. */
static inline int kfd_may(int ret, int err)
{
	return ret == -err ? 0 : ret;
}

#define KFD_FIXTURE(name) \
	FIXTURE(name) { struct kfd k; }; \
	FIXTURE_SETUP(name) \
	{ \
		ASSERT_OK(kfd_start(&self->k)); \
	} \
	FIXTURE_TEARDOWN(name) \
	{ \
		kfd_stop(&self->k); \
	}

/* A kernel that checks everything it does takes longer over it. */
static inline void kfd_scale_timeouts(void)
{
	struct __fixture_metadata *f;
	struct __test_metadata *t;

	for (f = __fixture_list; f; f = f->next)
		for (t = f->tests; t; t = t->next)
			t->timeout *= kfd_time_scale();
}

static inline bool kfd_test_is_named(const char *name, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (!strcmp(name, argv[i]))
			return true;
	return false;
}

/* The harness of 6.1 cannot choose: leave the tests that are not named out. */
static inline int kfd_test_choose(int argc, char **argv)
{
	struct __fixture_metadata *f;
	struct __test_metadata **t;
	int n = 0;

	for (f = __fixture_list; f; f = f->next)
		for (t = &f->tests; *t;)
			if (kfd_test_is_named((*t)->name, argc, argv)) {
				t = &(*t)->next;
				n++;
			} else {
				*t = (*t)->next;
			}
	return n;
}

/*
 * Run all tests, or those that the arguments name. Without the driver a whole
 * program is skipped: the harness would run a test whose fixture skips.
 */
static inline int kfd_test_main(int argc, char **argv)
{
	if (!kfd_present()) {
		ksft_print_header();
		ksft_exit_skip("there is no /dev/kfd here\n");
	}
	if (argc > 1 && kfd_test_choose(argc, argv) != argc - 1) {
		fprintf(stderr, "%s: there is no such test\n", argv[0]);
		return 2;
	}
	kfd_scale_timeouts();
	/* what a test has said must not be lost when the harness ends it */
	setvbuf(stdout, NULL, _IOLBF, 0);
	return test_harness_run(argc, argv);
}

/* Of what the in-tree driver does not have at all. */
static inline int kfd_test_main_ours(int argc, char **argv)
{
	if (kfd_present() && !kfd_is_ours()) {
		ksft_print_header();
		ksft_exit_skip("the in-tree driver does not have this\n");
	}
	return kfd_test_main(argc, argv);
}

#define KFD_TEST_MAIN_OURS \
	int main(int argc, char **argv) \
	{ \
		return kfd_test_main_ours(argc, argv); \
	}

#define KFD_TEST_MAIN \
	int main(int argc, char **argv) \
	{ \
		return kfd_test_main(argc, argv); \
	}

#endif
