// SPDX-License-Identifier: GPL-2.0-only
/*
 * Does an idle GPU cost CPU time? The simulated GPU's threads are watched while
 * a process has queues that have nothing to do.
 */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "lib/kfd_lib.h"

#define SETTLE_S 5	/* the engines look at a queue that fell idle for a while */
#define PF_KTHREAD 0x00200000ul

/**
 * struct usage - CPU time of the simulator's threads
 * @threads: how many there are
 * @ticks: user and system time, in clock ticks
 * @ns: time on a CPU, from the scheduler
 */
struct usage {
	unsigned int threads;
	unsigned long ticks;
	unsigned long long ns;
};

static int read_file(const char *pid, const char *name, char *buf, size_t len)
{
	char path[300];

	snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
	return !kfd_read_text(path, buf, len);
}

/* Is @comm one of simN:something? */
static int is_sim(const char *comm)
{
	return !strncmp(comm, "sim", 3) && isdigit((unsigned char)comm[3]);
}

static void add_thread(const char *pid, struct usage *u)
{
	unsigned long flags, utime, stime;
	unsigned long long ns;
	char buf[1024], *open, *close;

	if (!read_file(pid, "stat", buf, sizeof(buf)))
		return;
	open = strchr(buf, '(');
	close = strrchr(buf, ')');
	if (!open || !close || !is_sim(open + 1))
		return;
	if (sscanf(close + 1, " %*c %*d %*d %*d %*d %*d %lu %*u %*u %*u %*u %lu %lu",
		   &flags, &utime, &stime) != 3)
		die("cannot read /proc/%s/stat", pid);
	if (!(flags & PF_KTHREAD))
		return;
	if (!read_file(pid, "schedstat", buf, sizeof(buf)) || sscanf(buf, "%llu", &ns) != 1)
		die("no schedstat for thread %s", pid);
	u->threads++;
	u->ticks += utime + stime;
	u->ns += ns;
}

static struct usage sim_usage(void)
{
	struct usage u = { 0 };
	DIR *dir = opendir("/proc");
	struct dirent *e;

	while (dir && (e = readdir(dir)))
		if (isdigit((unsigned char)e->d_name[0]))
			add_thread(e->d_name, &u);
	if (dir)
		closedir(dir);
	return u;
}

/**
 * figures_idle() - CPU time of the simulator's threads with idle queues
 * @sz: for how long
 */
void figures_idle(const struct sizes *sz)
{
	struct usage before, after;
	struct target t;

	progress("idle queues for %u s", sz->idle_s);
	target_start(&t, 4, 0);
	sleep(SETTLE_S);
	before = sim_usage();
	sleep(sz->idle_s);
	after = sim_usage();
	target_kill(&t);
	if (!before.threads || before.threads != after.threads)
		die("%u simulator threads, then %u", before.threads, after.threads);
	report(text("CPU time of %u idle engines, %u s", before.threads, sz->idle_s),
	       text("%lu ticks", after.ticks - before.ticks),
	       text("%.1f ms used before", before.ns / 1e6),
	       (after.ns - before.ns) / 1e6, " ms", AT_MOST, 0);
}
