// SPDX-License-Identifier: GPL-2.0-only
/*
 * The engine of the fault tests; see the header.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kfd_criu.h"
#include "kfd_fault.h"

#define FAIL_NTH	"/proc/thread-self/fail-nth"
#define KNOBS		"/sys/kernel/debug/"
#define MAX_TRIES	3000	/* more allocations than any operation makes */
#define SETTLE_MS	10000

static int fail_nth_fd = -1;
static pid_t fail_nth_pid;

bool kfd_fault_possible(void)
{
	return !access(FAIL_NTH, F_OK) && !access(KNOBS "failslab", F_OK) &&
	       !access(KNOBS "fail_page_alloc", F_OK);
}

/*
 * All allocations count, those that may sleep too, of any order. What is made
 * to fail is not talked about: the kernel's log is read for other things.
 */
int kfd_fault_enable(void)
{
	static const char * const knobs[][2] = {
		{ KNOBS "failslab/verbose", "0" },
		{ KNOBS "failslab/ignore-gfp-wait", "N" },
		{ KNOBS "failslab/cache-filter", "N" },
		{ KNOBS "failslab/probability", "0" },
		{ KNOBS "fail_page_alloc/verbose", "0" },
		{ KNOBS "fail_page_alloc/ignore-gfp-wait", "N" },
		{ KNOBS "fail_page_alloc/ignore-gfp-highmem", "N" },
		{ KNOBS "fail_page_alloc/min-order", "0" },
		{ KNOBS "fail_page_alloc/probability", "0" },
		{ KNOBS "fail_usercopy/verbose", "0" },
	};
	unsigned int i;
	int ret;

	for (i = 0; i < sizeof(knobs) / sizeof(knobs[0]); i++) {
		ret = kfd_write_text(knobs[i][0], knobs[i][1]);
		if (ret)
			return ret;
	}
	return 0;
}

/* The file names the thread that opened it: a child opens its own. */
static int fail_nth_open(void)
{
	if (fail_nth_fd >= 0 && fail_nth_pid == getpid())
		return 0;
	if (fail_nth_fd >= 0)
		close(fail_nth_fd);
	fail_nth_fd = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	fail_nth_pid = getpid();
	return fail_nth_fd < 0 ? -errno : 0;
}

/* Let the @n-th allocation of this thread from here on fail. */
int kfd_fault_arm(unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);
	int ret = fail_nth_open();

	if (ret)
		return ret;
	return pwrite(fail_nth_fd, text, len, 0) == len ? 0 : -errno;
}

/* Stop it. @left is 0 when the allocation has failed. */
int kfd_fault_disarm(unsigned int *left)
{
	char text[16] = "";
	ssize_t got;

	got = pread(fail_nth_fd, text, sizeof(text) - 1, 0);
	/* The copy of the answer counts too: it was the next to fail. */
	*left = got < 0 && errno == EFAULT ? 1 : strtoul(text, NULL, 10);
	if (got < 0 && errno != EFAULT)
		return -errno;
	/* And so does the copy that takes it back. */
	got = kfd_fault_arm(0);
	return got == -EFAULT ? kfd_fault_arm(0) : got;
}

/* Of every line that has @word, leave what is before it. */
static int cut_lines(char *text, const char *word)
{
	char *line, *end;

	while ((line = strstr(text, word))) {
		end = strchr(line, '\n');
		if (!end)
			return -EINVAL;
		memmove(line, end, strlen(end) + 1);
	}
	return 0;
}

static void drop_lines(char *text, const char *key)
{
	char *line, *end;

	while ((line = strstr(text, key))) {
		end = strchr(line, '\n');
		if (!end)
			return;
		memmove(line, end + 1, strlen(end + 1) + 1);
	}
}

/*
 * Without the numbers that only ever grow, without why the last op failed, and
 * without which pages GPUs lack: that is of the moment, or of memory that was
 * away for one.
 */
static int read_fdinfo(struct kfd *k, char *text, size_t size)
{
	char path[64];
	int ret;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", k->fd);
	ret = kfd_read_text(path, text, size);
	if (!ret)
		ret = cut_lines(text, " evictions ");
	/* of kfd-svm-ranges: served and taken away so far */
	if (!ret)
		ret = cut_lines(text, " faults ");
	if (!ret)
		ret = cut_lines(text, " lost-offset ");
	drop_lines(text, "kfd-userptr-lost:");
	drop_lines(text, "kfd-refused:");
	return ret;
}

static int count_maps(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[512];
	int n = 0;

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		n += strstr(line, "/dev/") || strstr(line, "dmabuf");
	fclose(f);
	return n;
}

int kfd_state_read(struct kfd *k, struct kfd_state *state)
{
	int ret = 0, i;

	memset(state, 0, sizeof(*state));
	/* Where there is one: opened before files are counted, as it is later. */
	if (!access(FAIL_NTH, F_OK))
		ret = fail_nth_open();
	if (!ret && k->fd >= 0)
		ret = read_fdinfo(k, state->text, sizeof(state->text));
	for (i = 0; !ret && k->fd >= 0 && i < k->num_gpus; i++)
		ret = kfd_available(k, i, &state->available[i]);
	state->fds = kfd_count_fds();
	state->maps = count_maps();
	return ret;
}

static void say_difference(const struct kfd_state *before, const struct kfd_state *now)
{
	const char *a = before->text, *b = now->text;
	int i;

	while (*a && *b) {
		int la = strcspn(a, "\n"), lb = strcspn(b, "\n");

		if (la != lb || strncmp(a, b, la))
			printf("# was %.*s, is %.*s\n", la, a, lb, b);
		a += la + !!a[la];
		b += lb + !!b[lb];
	}
	for (i = 0; i < KFD_MAX_TEST_GPUS; i++)
		if (before->available[i] != now->available[i])
			printf("# available on %d was %llu, is %llu\n", i,
			       (unsigned long long)before->available[i],
			       (unsigned long long)now->available[i]);
	printf("# files %d, %d; mappings %d, %d\n", before->fds, now->fds, before->maps,
	       now->maps);
}

/* What differs, or NULL. */
static const char *difference(const struct kfd_state *a, const struct kfd_state *b)
{
	if (strcmp(a->text, b->text))
		return "counts or flags";
	if (a->fds != b->fds)
		return "open files";
	if (a->maps != b->maps)
		return "mappings";
	if (memcmp(a->available, b->available, sizeof(a->available)))
		return "available memory";
	return NULL;
}

/* What of it is the same however many ranges RESUME has come to. */
static void forget_progress(struct kfd_state *state)
{
	drop_lines(state->text, "kfd-svm-ranges:");
	drop_lines(state->text, "kfd-svm-restored:");
}

/* As kfd_state_same(), but @done (unless it is NULL) is as good as @before. */
static int state_is(struct kfd *k, const struct kfd_state *before, const struct kfd_state *done,
		    bool partly, const char **what)
{
	uint64_t end = kfd_now_ms() + SETTLE_MS;
	struct kfd_state now;
	int ret;

	for (;;) {
		ret = kfd_state_read(k, &now);
		if (ret)
			return ret;
		if (partly)
			forget_progress(&now);
		*what = difference(&now, before);
		if (!*what || (done && !difference(&now, done)))
			return 0;
		if (kfd_now_ms() > end)
			break;
		kfd_sleep_ms(5);
	}
	say_difference(before, &now);
	return -EILSEQ;
}

/*
 * Whether all is as it was. Memory may come back a moment after it was freed,
 * and a file a moment after it was closed.
 */
int kfd_state_same(struct kfd *k, const struct kfd_state *before, const char **what)
{
	return state_is(k, before, NULL, false, what);
}

static bool errno_allowed(const struct kfd_fault_op *op, int ret)
{
	int i;

	for (i = 0; i < KFD_FAULT_ERRNOS; i++)
		if (op->errnos[i] && ret == -op->errnos[i])
			return true;
	return ret == -ENOMEM || ret == -EFAULT;
}

static int problem(struct kfd_fault_tally *t, const char *what, int ret)
{
	snprintf(t->problem, sizeof(t->problem), "allocation %u: %s (%d)", t->n, what, ret);
	return -EILSEQ;
}

/* It keeps a record of every allocation, in memory that is made to fail too. */
static bool kmemleak_on(void)
{
	char text[4096];

	return !kfd_read_text("/proc/cmdline", text, sizeof(text)) &&
	       strstr(text, "kmemleak=on");
}

/*
 * One try: 0: it succeeded with nothing failed; 1: go on; or an error. @done is
 * what the try of number 0 has led to.
 */
static int one_try(struct kfd *k, const struct kfd_fault_op *op, void *data,
		   int (*alive)(void *data), struct kfd_fault_tally *t, struct kfd_state *done)
{
	struct kfd_state before, prepared;
	unsigned int left = 0;
	const char *what;
	bool failed, late;
	int ret, err;

	if (kfd_state_read(k, &before))
		return problem(t, "state before", 0);
	ret = op->prepare ? op->prepare(data) : 0;
	if (ret)
		return problem(t, "prepare", ret);
	if (kfd_state_read(k, &prepared))
		return problem(t, "state after prepare", 0);
	if (op->partly)
		forget_progress(&prepared);
	err = kfd_fault_arm(t->n);
	if (err)
		return problem(t, "arm", err);
	ret = op->op(data);
	err = kfd_fault_disarm(&left);
	if (err)
		return problem(t, "disarm", err);
	failed = t->n && !left;
	if (ret && !failed)
		return problem(t, "failed with nothing made to fail", ret);
	if (ret && !errno_allowed(op, ret))
		return problem(t, "errno", ret);
	late = op->late && ret == -EFAULT;
	if (ret && !late && state_is(k, &prepared, op->whole ? done : NULL, op->partly, &what))
		return problem(t, what, ret);
	if (op->whole && !t->n && kfd_state_read(k, done))
		return problem(t, "state when done", 0);
	if (!ret && failed && !op->fallback && !kmemleak_on())
		return problem(t, "succeeded although an allocation failed", 0);
	t->failed += !!ret;
	t->survived += !ret && failed;

	err = op->finish ? op->finish(data, ret) : 0;
	if (err)
		return problem(t, "finish", err);
	if (!op->once && kfd_state_same(k, &before, &what))
		return problem(t, what, ret);
	err = alive ? alive(data) : 0;
	if (err)
		return problem(t, "not alive", err);
	return t->n && !failed ? 0 : 1;
}

/*
 * All tries from @tally->n on; the one of number 0 has nothing fail: it tells
 * what the operation should be like. Return 0 at the end; -EAGAIN: an operation that
 * cannot be undone has succeeded: go on in another process.
 */
int kfd_fault_loop(struct kfd *k, const struct kfd_fault_op *op, void *data,
		   int (*alive)(void *data), struct kfd_fault_tally *tally)
{
	unsigned int survived = tally->survived, failed = tally->failed;
	uint64_t next_va = k->next_va;
	struct kfd_state done;
	int ret;

	for (; tally->n < MAX_TRIES; tally->n++) {
		k->next_va = next_va;
		ret = one_try(k, op, data, alive, tally, &done);
		if (ret <= 0)
			return ret;
		if (op->once && (tally->survived != survived ||
				 (op->partly && tally->failed != failed))) {
			tally->n++;
			return -EAGAIN;
		}
	}
	return problem(tally, "too many", 0);
}
