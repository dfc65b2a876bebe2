// SPDX-License-Identifier: GPL-2.0-only
/*
 * kfd_bench: the project's figures, each with its limit and whether it is met.
 * All of them are ratios, differences or counts taken in one run of one
 * machine; none is a time by itself, since a virtual machine's clock says
 * little about another machine.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

const char *criu_plugin_dir;
const char *amdgpu_plugin_dir;
const char *target_path = "build/bench/target";
const char *work_dir = "/tmp/bench";

#define MAX_ROWS 64

struct row {
	const char *figure, *measured, *against;
	char value[32], limit[32];
	int met;	/* -1: has no limit */
};

static struct row rows[MAX_ROWS];
static unsigned int num_rows;
static bool lenient;
static const struct sizes full = {
	.big_mib = 256, .small_mib = 4,
	.rss_big_mib = 1024, .rss_small_mib = 64, .rss_limit_mib = 64,
	.many_bos = 10000, .few_bos = 1000,
	.many_remaps = 1000, .few_remaps = 100,
	.many_ranges = 100000, .few_ranges = 1000,
	.idle_s = 10, .repeats = 5, .turns = 9, .stranger = true,
};

/* The same figures, sooner: for "make check". The limits scale with the sizes. */
static const struct sizes quick = {
	.big_mib = 128, .small_mib = 4,
	.rss_big_mib = 304, .rss_small_mib = 64, .rss_limit_mib = 16,
	.many_bos = 4000, .few_bos = 400,
	.many_remaps = 300, .few_remaps = 30,
	.many_ranges = 10000, .few_ranges = 1000,
	.idle_s = 5, .repeats = 8, .turns = 9,
};

void die(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	va_start(ap, fmt);
	fprintf(stderr, "bench: ");
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(2);
}

/**
 * must() - end the program when something failed
 * @ret: 0 or a negative errno
 * @what: that was to be done
 */
void must(int ret, const char *what)
{
	if (ret < 0)
		die("%s: %s", what, strerror(-ret));
}

/**
 * progress() - say what is being measured
 * @fmt: one line, without its end
 */
void progress(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	printf("... ");
	vprintf(fmt, ap);
	putchar('\n');
	va_end(ap);
}

/**
 * text() - a formatted string
 * @fmt: as for printf
 *
 * Return: memory that stays allocated until the program ends.
 */
char *text(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		die("out of memory");
	va_end(ap);
	return s;
}

/** now() - seconds of the monotonic clock */
double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/**
 * median() - the middle one of some values
 * @v: the values; they are sorted
 * @n: how many, at least 1
 *
 * Return: for an even number the mean of the two in the middle.
 */
double median(double *v, unsigned int n)
{
	qsort(v, n, sizeof(*v), by_value);
	return (v[(n - 1) / 2] + v[n / 2]) / 2;
}

/**
 * least() - the smallest of some values
 * @v: the values
 * @n: how many, at least 1
 *
 * For long measurements of what needs both CPUs of the machine: whatever else
 * runs only makes them longer, and few of them can be taken.
 *
 * Return: the value.
 */
double least(const double *v, unsigned int n)
{
	double min = v[0];

	while (--n)
		min = v[n] < min ? v[n] : min;
	return min;
}

/**
 * shared_memory() - memory for what a child measures
 * @bytes: how much
 *
 * Return: zeroes, which children share.
 */
void *shared_memory(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("no memory");
	return p;
}

/**
 * child_start() - run a function in a child
 * @fn: what
 * @arg: handed to it
 *
 * Return: its pid, for child_end().
 */
pid_t child_start(void (*fn)(void *arg), void *arg)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		fn(arg);
		exit(0);
	}
	return pid;
}

/**
 * child_end() - wait for a child, which must come to its end
 * @pid: the child
 */
void child_end(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status))
		die("a measuring process failed");
}

/* Two halves of @size bytes each, all there. */
static char *two_halves(size_t size)
{
	char *mem = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);

	if (mem == MAP_FAILED)
		die("no memory for memcpy");
	memset(mem, 0x5a, 2 * size);
	return mem;
}

static void copy_for_ever(void *arg)
{
	size_t size = *(size_t *)arg;
	volatile char *mem = two_halves(size);

	for (;;)
		memcpy((char *)mem + size, (char *)mem, size);
}

/**
 * memcpy_rate() - how fast this machine copies memory that is already there
 * @mib: size of the copy in MiB
 *
 * While another process copies, too: what is compared with it, a dump, keeps
 * two CPUs busy, and those may be less than twice as much as one, of a machine
 * that others use.
 *
 * Return: bytes per second, the fastest of five copies.
 */
double memcpy_rate(unsigned int mib)
{
	size_t size = (size_t)mib << 20;
	char *mem = two_halves(size);
	double took[5], t;
	pid_t other;

	other = child_start(copy_for_ever, &size);
	for (unsigned int i = 0; i < 5; i++) {
		mem[i] ^= 1;
		t = now();
		memcpy(mem + size, mem, size);
		took[i] = now() - t;
		if (mem[size + i] != mem[i])
			die("memcpy does not copy");
	}
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	munmap(mem, 2 * size);
	return size / least(took, 5);
}

/**
 * in_child() - run a function in a child to its end
 * @fn: what
 * @arg: handed to it
 */
void in_child(void (*fn)(void *arg), void *arg)
{
	child_end(child_start(fn, arg));
}

/**
 * report() - a figure for the table
 * @figure: its name
 * @measured: what was measured, in words
 * @against: what it is compared with, in words
 * @value: the figure
 * @unit: printed after the value and the limit
 * @kind: how it is judged
 * @limit: against what
 */
void report(const char *figure, const char *measured, const char *against, double value,
	    const char *unit, enum limit kind, double limit)
{
	struct row *r = &rows[num_rows++];

	if (num_rows > MAX_ROWS)
		die("too many figures");
	r->figure = figure;
	r->measured = measured;
	r->against = against;
	snprintf(r->value, sizeof(r->value), "%.2f%s", value, unit);
	if (kind == INFO) {
		r->met = -1;
		snprintf(r->limit, sizeof(r->limit), "none");
		return;
	}
	r->met = kind == AT_MOST ? value <= limit : value >= limit;
	snprintf(r->limit, sizeof(r->limit), "%s %.2f%s", kind == AT_MOST ? "<=" : ">=", limit,
		 unit);
}

static int wider(int width, const char *s)
{
	return (int)strlen(s) > width ? (int)strlen(s) : width;
}

/**
 * report_time() - as report(), for a ratio of times
 *
 * Machines are shared: the quick run, which is a test, lets such a ratio be
 * half as good as the limit before it fails. The full run does not.
 */
void report_time(const char *figure, const char *measured, const char *against, double value,
		 const char *unit, enum limit kind, double limit)
{
	if (lenient)
		limit *= kind == AT_MOST ? 2 : 0.5;
	report(figure, measured, against, value, unit, kind, limit);
}

/* Print the table; the number of figures whose limit is not met. */
static unsigned int print_table(void)
{
	int w[5] = { 6, 8, 7, 5, 5 };
	unsigned int missed = 0;

	for (unsigned int i = 0; i < num_rows; i++) {
		w[0] = wider(w[0], rows[i].figure);
		w[1] = wider(w[1], rows[i].measured);
		w[2] = wider(w[2], rows[i].against);
		w[3] = wider(w[3], rows[i].value);
		w[4] = wider(w[4], rows[i].limit);
	}
	printf("\n%-*s  %-*s  %-*s  %*s  %-*s  %s\n", w[0], "figure", w[1], "measured",
	       w[2], "against", w[3], "ratio", w[4], "limit", "met");
	for (unsigned int i = 0; i < num_rows; i++) {
		const struct row *r = &rows[i];

		printf("%-*s  %-*s  %-*s  %*s  %-*s  %s\n", w[0], r->figure, w[1], r->measured,
		       w[2], r->against, w[3], r->value, w[4], r->limit,
		       r->met < 0 ? "-" : r->met ? "yes" : "NO");
		missed += !r->met;
	}
	return missed;
}

/* absolute: criu changes to the image directory before it looks */
static const char *directory_with(const char *dir, const char *file)
{
	const char *path = realpath(dir, NULL);

	if (!path || access(text("%s/%s", path, file), R_OK))
		die("no %s in %s", file, dir);
	return path;
}

/* Which parts, by letters, and what for. */
static const struct {
	char letter;
	void (*take)(const struct sizes *sz);
} parts[] = {
	{ 'a', figures_criu },
	{ 'p', figures_plugins },
	{ 'u', figures_uapi },
	{ 's', figures_svm },
	{ 'l', figures_ranges },
	{ 't', figures_stranger },
	{ 'r', figures_remap },
	{ 'm', figures_criu_memory },
	{ 'i', figures_idle },
};

#define NR_PARTS (sizeof(parts) / sizeof(parts[0]))

static void take_figures(const struct sizes *sz, const char *only)
{
	for (unsigned int i = 0; i < NR_PARTS; i++)
		if (strchr(only, parts[i].letter))
			parts[i].take(sz);
}

int main(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "quick", no_argument, NULL, 'q' },
		{ "only", required_argument, NULL, 'o' },
		{ "plugin", required_argument, NULL, 'p' },
		{ "amdgpu-plugin", required_argument, NULL, 'a' },
		{ NULL, 0, NULL, 0 }
	};
	const char *plugin = "build/criu-plugin";
	const struct sizes *sz = &full;
	static const char all[] = "ausltrimp";
	const char *only = all;
	unsigned int missed;
	int c;

	setvbuf(stdout, NULL, _IOLBF, 0);
	while ((c = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		if (c == 'q') {
			sz = &quick;
			lenient = true;
		} else if (c == 'o') {
			only = optarg;
		} else if (c == 'p') {
			plugin = optarg;
		} else if (c == 'a') {
			amdgpu_plugin_dir = directory_with(optarg, "amdgpu_plugin.so");
		} else {
			die("usage: kfd_bench [--quick] [--only LETTERS] [--plugin DIR] "
			    "[--amdgpu-plugin DIR] "
			    "(a criu dumps, m criu's memory, u uAPI, s shared virtual memory, "
			    "l many ranges of it, t a stranger, r new CPU addresses, i idle, "
			    "p criu's own plugin; default all)");
		}
	}
	if (only[strspn(only, all)])
		die("--only %s: not letters of \"%s\"", only, all);
	criu_plugin_dir = directory_with(plugin, "kfd_plugin.so");
	if (mkdir(work_dir, 0700) && errno != EEXIST)
		die("%s: %s", work_dir, strerror(errno));
	take_figures(sz, only);
	if (!num_rows)
		die("nothing measured");
	missed = print_table();
	if (missed)
		printf("\n%u of the limits not met\n", missed);
	return missed != 0;
}
