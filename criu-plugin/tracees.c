// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the processes being dumped have, as procfs shows it: those that this
 * one traces. criu has stopped the whole tree before it calls the first hook,
 * and lets it go after the last one.
 */
#define _GNU_SOURCE
#include "tracees.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "log.h"
#include "sys.h"

#define RING_LINK	"anon_inode:[io_uring]"
/* of the flags in /proc/PID/task/TID/stat */
#define PF_IO_WORKER	0x10

/**
 * tracees_each() - look at all processes being dumped
 * @visit: called with the pid of each; false: that was enough
 * @arg: for @visit
 *
 * Return: 0, or a negative errno: procfs cannot be read.
 */
int tracees_each(bool (*visit)(pid_t pid, void *arg), void *arg)
{
	pid_t *list;
	size_t nr, i;
	int ret = sys_tracees(&list, &nr);

	if (ret)
		return ret;
	for (i = 0; i < nr; i++)
		if (!visit(list[i], arg))
			break;
	free(list);
	return 0;
}

/* Whether a process has this one's mounts, so that a path is the same to both. */
static bool same_mounts(pid_t pid)
{
	struct stat own, other;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
	return !stat("/proc/self/ns/mnt", &own) && !stat(path, &other) &&
	       own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

/**
 * tracee_maps_file() - whether a process has a file mapped
 * @pid: of the process; one with other mounts has none of ours
 * @dev: of the file's file system
 * @ino: of the file
 */
bool tracee_maps_file(pid_t pid, dev_t dev, ino_t ino)
{
	char path[64], line[4500];
	bool found = false;
	FILE *f;

	if (!same_mounts(pid))
		return false;
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	while (f && !found && fgets(line, sizeof(line), f)) {
		unsigned int maj, min;
		uint64_t inode;

		if (sscanf(line, "%*s %*s %*s %x:%x %" SCNu64, &maj, &min, &inode) == 3)
			found = inode == ino && makedev(maj, min) == dev;
	}
	if (f)
		fclose(f);
	return found;
}

/* The number of an io_uring that a process has open, or -1. */
static int ring_fd(pid_t pid)
{
	char path[64], link[64];
	struct dirent *de;
	int fd = -1;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	d = opendir(path);
	while (d && fd < 0 && (de = readdir(d))) {
		ssize_t len = readlinkat(dirfd(d), de->d_name, link, sizeof(link) - 1);

		link[len > 0 ? len : 0] = '\0';
		if (!strcmp(link, RING_LINK))
			fd = atoi(de->d_name);
	}
	if (d)
		closedir(d);
	return fd;
}

/* One that is mapped, and closed since. */
static bool maps_ring(pid_t pid)
{
	char path[64], line[4500];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	while (f && !found && fgets(line, sizeof(line), f))
		found = strstr(line, RING_LINK);
	if (f)
		fclose(f);
	return found;
}

/* A thread of the kernel's that does a ring's work, or 0. */
static pid_t ring_worker(pid_t pid)
{
	char path[300], line[512], *flags_at;
	unsigned int flags = 0;
	struct dirent *de;
	pid_t tid = 0;
	FILE *f;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	while (d && !tid && (de = readdir(d))) {
		snprintf(path, sizeof(path), "/proc/%d/task/%s/stat", pid, de->d_name);
		f = isdigit((unsigned char)de->d_name[0]) ? fopen(path, "re") : NULL;
		if (!f)
			continue;
		/* the name, which comes before, may have anything in it */
		flags_at = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
		if (flags_at && sscanf(flags_at, ") %*c %*d %*d %*d %*d %*d %u", &flags) == 1 &&
		    flags & PF_IO_WORKER)
			tid = atoi(de->d_name);
		fclose(f);
	}
	if (d)
		closedir(d);
	return tid;
}

static bool name_ring(pid_t pid, void *arg)
{
	static const char advice[] =
		"an io_uring, which criu cannot dump: have the program drain and close it first";
	bool *found = arg;
	int fd = ring_fd(pid);
	pid_t worker = ring_worker(pid);

	if (fd >= 0)
		pr_err("process %d: its fd %d is %s\n", pid, fd, advice);
	else if (maps_ring(pid))
		pr_err("process %d: it has mapped %s\n", pid, advice);
	else if (worker)
		pr_err("process %d: its thread %d is the kernel's, from an io_uring, and criu cannot dump it: it goes when the thread that used the ring ends\n",
		       pid, worker);
	else
		return true;
	*found = true;
	return true;
}

/**
 * tracees_have_rings() - whether a process has an io_uring; it is logged then
 *
 * criu 3.17 says "Unknown shit" of one that is mapped, and does not ask any
 * plugin. What a ring cannot do at once the kernel does in a thread of the
 * process, which stays when the ring is gone; there criu waits for ever.
 */
bool tracees_have_rings(void)
{
	bool found = false;

	tracees_each(name_ring, &found);
	return found;
}
