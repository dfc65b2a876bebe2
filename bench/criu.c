// SPDX-License-Identifier: GPL-2.0-only
/*
 * Figures taken from real runs of criu: how fast contents are dumped, what a
 * dump costs against one of plain memory, how much memory criu takes.
 *
 * A dump's own costs (freezing, the parasite, the thunk's mappings) are there
 * with next to no VRAM as well, so the contents' rate is the slope between two
 * sizes. Dumps that are compared take turns, and leave their target running.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define MIB 1048576.0

static char image_dir[64];

static void run_quietly(char *const argv[])
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (!pid) {
		execvp(argv[0], argv);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		die("%s failed with status %d", argv[0], status);
}

/* An empty directory for images, always at the same place. */
static void fresh_image_dir(void)
{
	char *rm[] = { "rm", "-rf", image_dir, NULL };

	snprintf(image_dir, sizeof(image_dir), "%s/img", work_dir);
	run_quietly(rm);
	if (mkdir(image_dir, 0700))
		die("%s: %s", image_dir, strerror(errno));
}

static void show_log(const char *verb)
{
	char cmd[256];

	snprintf(cmd, sizeof(cmd), "tail -n 20 %s/%s.log >&2", image_dir, verb);
	if (system(cmd))
		fprintf(stderr, "bench: no log\n");
}

/* criu VERB [EXTRA...] with a plugin: run it and take its cost */
static struct cost run_criu(const char *verb, const char *plugin_dir, const char *const *extra)
{
	char *log = text("%s.log", verb);
	const char *argv[24] = { "criu", verb, "-D", image_dir, "-o", log, "-v2",
				 "-L", plugin_dir };
	unsigned int n = 9;
	struct rusage usage;
	struct cost cost;
	double t = now();
	int status;
	pid_t pid;

	while (*extra && n < 23)
		argv[n++] = *extra++;
	/* not vfork: the child's peak would begin with ours */
	pid = fork();
	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (!pid) {
		execvp("criu", (char *const *)argv);
		_exit(127);
	}
	if (wait4(pid, &status, 0, &usage) != pid)
		die("wait4: %s", strerror(errno));
	cost.seconds = now() - t;
	cost.rss_mib = usage.ru_maxrss / 1024.0;
	if (status) {
		show_log(verb);
		die("criu %s failed with status %#x", verb, status);
	}
	free(log);
	return cost;
}

/**
 * criu_dump() - dump a process, into a directory that was empty
 * @t: the process
 * @plugin_dir: where the plugin is
 * @leave_running: else it is gone afterwards
 *
 * Return: what it took.
 */
struct cost criu_dump(struct target *t, const char *plugin_dir, bool leave_running)
{
	char pid[16];
	/* libhsakmt keeps an unlinked semaphore mapped */
	const char *extra[] = { "-t", pid, "--link-remap", leave_running ? "-R" : NULL, NULL };
	struct cost cost;

	snprintf(pid, sizeof(pid), "%d", t->pid);
	fresh_image_dir();
	cost = run_criu("dump", plugin_dir, extra);
	if (!leave_running)
		target_await_end(t);
	return cost;
}

/**
 * criu_restore() - restore what criu_dump() left
 * @plugin_dir: where the plugin is
 *
 * Return: what it took.
 */
struct cost criu_restore(const char *plugin_dir)
{
	const char *extra[] = { "-d", NULL };

	return run_criu("restore", plugin_dir, extra);
}

/** criu_forget() - remove the images of the last dump */
void criu_forget(void)
{
	fresh_image_dir();
}

/**
 * figures_criu() - rate of contents, and a dump of VRAM against one of memory
 * @sz: how much
 */
void figures_criu(const struct sizes *sz)
{
	enum { ANON, VRAM, SMALL, KINDS };
	struct target t[KINDS];
	double sec[KINDS][16], copy, rate, best[KINDS], bytes;

	progress("memcpy of %u MiB on each of two CPUs", sz->big_mib);
	copy = memcpy_rate(sz->big_mib);
	progress("starting processes with %u MiB of memory, %u MiB and %u MiB of VRAM",
		 sz->big_mib, sz->big_mib, sz->small_mib);
	target_start(&t[ANON], 0, sz->big_mib);
	target_start(&t[VRAM], sz->big_mib, 0);
	target_start(&t[SMALL], sz->small_mib, 0);
	/* the first round warms up what stays cached and does not count */
	for (unsigned int r = 0; r <= sz->repeats; r++) {
		for (unsigned int k = 0; k < KINDS; k++) {
			double s = criu_dump(&t[k], criu_plugin_dir, true).seconds;

			if (r)
				sec[k][r - 1] = s;
		}
		progress("dump %u of %u", r, sz->repeats);
	}
	for (unsigned int k = 0; k < KINDS; k++) {
		target_kill(&t[k]);
		best[k] = least(sec[k], sz->repeats);
	}
	bytes = (sz->big_mib - sz->small_mib) * MIB;
	if (best[VRAM] <= best[SMALL])
		die("dumping %u MiB took no longer than %u MiB", sz->big_mib, sz->small_mib);
	rate = bytes / (best[VRAM] - best[SMALL]);
	report_time(text("VRAM contents dumped, %u MiB", sz->big_mib),
		    text("%.0f MB/s", rate / 1e6), text("%.0f MB/s memcpy", copy / 1e6),
		    rate / copy, "", AT_LEAST, 0.5);
	report_time(text("criu dump, %u MiB VRAM", sz->big_mib), text("%.2f s", best[VRAM]),
		    text("%.2f s anonymous memory", best[ANON]), best[VRAM] / best[ANON], "",
		    AT_MOST, 1.2);
}

/* Peak resident memory of a process so far, in MiB. */
static double peak_rss(pid_t pid)
{
	char path[64], line[256];
	double kib = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	if (!f)
		die("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "VmHWM: %lf", &kib) == 1)
			break;
	fclose(f);
	if (kib < 0)
		die("no VmHWM in %s", path);
	return kib / 1024;
}

/*
 * Memory that criu takes for a process with so much VRAM. In a restore, the
 * process that fills the buffers becomes the restored one: its peak is read
 * off it afterwards, and the larger of it and criu's own counts.
 */
static void criu_memory(unsigned int vram_mib, double *dumping, double *restoring)
{
	struct target t;
	double task;

	progress("memory used by criu with %u MiB of VRAM", vram_mib);
	target_start(&t, vram_mib, 0);
	*dumping = criu_dump(&t, criu_plugin_dir, false).rss_mib;
	*restoring = criu_restore(criu_plugin_dir).rss_mib;
	task = peak_rss(t.pid);
	if (task > *restoring)
		*restoring = task;
	target_kill(&t);
	criu_forget();
}

/**
 * figures_criu_memory() - does criu's memory grow with the VRAM?
 * @sz: how much VRAM
 */
void figures_criu_memory(const struct sizes *sz)
{
	double dump_big, dump_small, restore_big, restore_small;
	const char *against = text("MiB peak with %u MiB", sz->rss_small_mib);

	criu_memory(sz->rss_small_mib, &dump_small, &restore_small);
	criu_memory(sz->rss_big_mib, &dump_big, &restore_big);
	report(text("memory of criu dump, %u MiB VRAM", sz->rss_big_mib),
	       text("%.1f MiB peak", dump_big), text("%.1f %s", dump_small, against),
	       dump_big - dump_small, " MiB more", AT_MOST, sz->rss_limit_mib);
	report(text("memory of criu restore, %u MiB VRAM", sz->rss_big_mib),
	       text("%.1f MiB peak", restore_big), text("%.1f %s", restore_small, against),
	       restore_big - restore_small, " MiB more", AT_MOST, sz->rss_limit_mib);
}
