/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the two fault tests share: running one operation as a test.
 */
#ifndef KFD_FAULT_TEST_H
#define KFD_FAULT_TEST_H

#include "kfd_fault.h"
#include "kfd_test.h"

#define FAULT_SECONDS	240
#define XARRAY		"an xarray allocates once more where it may sleep"
#define CTX(data)	((struct kfd_fault_ctx *)(data))

#define FAULT_FIXTURE(name) \
	FIXTURE(name) { struct kfd_fault_ctx f; }; \
	FIXTURE_SETUP(name) \
	{ \
		ASSERT_OK(kfd_fault_ctx_start(&self->f)); \
	} \
	FIXTURE_TEARDOWN(name) \
	{ \
		kfd_stop(&self->f.k); \
	}

/* A kernel that cannot do this has nothing to run. */
static inline int kfd_fault_test_main(int argc, char **argv)
{
	int ret;

	if (!kfd_present()) {
		ksft_print_header();
		ksft_exit_skip("there is no /dev/kfd here\n");
	}
	if (!kfd_fault_possible()) {
		ksft_print_header();
		ksft_exit_skip("needs /proc/thread-self/fail-nth and its knobs\n");
	}
	ret = kfd_fault_enable();
	if (ret) {
		ksft_print_header();
		ksft_exit_fail_msg("the knobs of fault injection: %d\n", ret);
	}
	return test_harness_run(argc, argv);
}

#define KFD_FAULT_TEST_MAIN \
	int main(int argc, char **argv) \
	{ \
		return kfd_fault_test_main(argc, argv); \
	}

/* Say how it went; an operation that nothing could fail in has tested nothing. */
static inline int fault_report(const struct kfd_fault_op *op, const struct kfd_fault_tally *t)
{
	printf("# %s: %u failed, %u succeeded all the same%s%s%s%s\n", op->name, t->failed,
	       t->survived, t->survived ? ": " : "", t->survived && op->fallback ?
	       op->fallback : "", t->problem[0] ? "; " : "", t->problem);
	fflush(stdout);
	if (t->problem[0])
		return -EILSEQ;
	if (!t->failed && !t->survived && !op->none)
		return -ENODATA;
	return 0;
}

static inline int fault_run(struct kfd *k, const struct kfd_fault_op *op, void *data,
			    int (*alive)(void *data))
{
	struct kfd_fault_tally tally = { .n = 0 };
	int ret, ret2;

	ret = op->setup ? op->setup(data) : 0;
	if (ret) {
		printf("# %s: setup: %d\n", op->name, ret);
		return ret;
	}
	ret = kfd_fault_loop(k, op, data, alive, &tally);
	ret2 = fault_report(op, &tally);
	if (!ret)
		ret = ret2;
	ret2 = op->teardown ? op->teardown(data) : 0;
	if (ret2)
		printf("# %s: teardown: %d\n", op->name, ret2);
	return ret ? ret : ret2;
}

/*
 * Every operation of a table, one that fails not stopping the others; how many
 * failed. With a @kind they are done to objects of that kind.
 */
static inline int fault_run_all(struct kfd_fault_ctx *f, const struct kfd_fault_op *ops,
				unsigned int n, const char *kind, uint32_t arg)
{
	struct kfd_fault_op op;
	unsigned int i;
	char name[64];
	int bad = 0;

	for (i = 0; i < n; i++) {
		op = ops[i];
		if (kind) {
			snprintf(name, sizeof(name), "%s: %s", kind, op.name);
			op.name = name;
			op.arg = arg;
		}
		f->op = &op;
		f->first_id = 0;
		if (fault_run(&f->k, &op, f, kfd_fault_alive))
			bad++;
	}
	return bad;
}

#define FAULT_RUN_ALL(ops) \
	EXPECT_EQ(0, fault_run_all(&self->f, ops, sizeof(ops) / sizeof((ops)[0]), NULL, 0))

#define FAULT_RUN_ALL_ON(kind, value, ops) \
	EXPECT_EQ(0, fault_run_all(&self->f, ops, sizeof(ops) / sizeof((ops)[0]), kind, value))

#endif
