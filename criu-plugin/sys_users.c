// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes that have a context of KFD's, as sysfs lists them: a directory each,
 * by its pid as init sees it. The in-tree driver lists them as well. Ours has a
 * file "state" in each, with the pid as the reader sees it, and whether there is
 * anything to lose.
 */
#define _GNU_SOURCE
#include "sys.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define KFD_PROC	"/sys/class/kfd/kfd/proc"
/* Inode of the first pid namespace; the kernel's interface to tell it by. */
#define FIRST_PID_NS	0xeffffffcu

static bool in_first_pid_ns(void)
{
	struct stat st;

	return !stat("/proc/self/ns/pid", &st) && st.st_ino == FIRST_PID_NS;
}

/*
 * A listed process's file "state": its pid as seen from here, and the sum of all
 * that it has. -ENOENT: the driver has no such file, or no such process any more.
 */
static int read_state(unsigned int number, pid_t *pid, uint64_t *sum)
{
	char path[64], word[16];
	uint64_t value;
	FILE *f;

	snprintf(path, sizeof(path), KFD_PROC "/%u/state", number);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	*pid = 0;
	*sum = 0;
	while (fscanf(f, "%15s %" SCNu64, word, &value) == 2) {
		if (!strcmp(word, "pid"))
			*pid = value;
		else if (strcmp(word, "files"))
			*sum += value;
	}
	fclose(f);
	return *pid ? 0 : -ENOENT;
}

/**
 * sys_users() - processes that have a context of KFD's
 * @list: out: allocated; free() it
 * @nr: out: their number; only those that can be seen from here
 *
 * Return: 0; -ENOENT: the driver does not list them; or another negative errno.
 * Then there is no @list.
 */
int sys_users(struct sys_user **list, size_t *nr)
{
	bool first = in_first_pid_ns();
	struct dirent *de;
	void *found = NULL;
	uint64_t sum;
	int ret = 0;
	DIR *d;

	*nr = 0;
	d = opendir(KFD_PROC);
	if (!d)
		return -errno;
	while (!ret && (de = readdir(d))) {
		struct sys_user user = { 0 };

		if (!isdigit((unsigned char)de->d_name[0]))
			continue;
		user.number = atoi(de->d_name);
		user.pid = user.number;
		if (!first && read_state(user.number, &user.pid, &sum))
			continue;
		ret = sys_append(&found, nr, &user, sizeof(user));
	}
	closedir(d);
	*list = found;
	return ret;
}

/**
 * sys_user_has_state() - whether a process has something to lose
 * @user: the process
 *
 * Return: true also where the driver does not tell.
 */
bool sys_user_has_state(const struct sys_user *user)
{
	char path[64];
	struct stat st;
	uint64_t sum;
	pid_t pid;

	if (!read_state(user->number, &pid, &sum))
		return sum;
	snprintf(path, sizeof(path), KFD_PROC "/%u/state", user->number);
	if (!stat(path, &st))
		return false;	/* it is ending */
	snprintf(path, sizeof(path), KFD_PROC "/%u", user->number);
	return !stat(path, &st);
}

/**
 * sys_parent() - the parent of a process
 * @pid: the process
 *
 * Return: its pid; 0: it has none that can be seen from here, or is gone.
 */
pid_t sys_parent(pid_t pid)
{
	char path[64], line[512], *at;
	pid_t parent = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	/* the name, which comes before, may have anything in it */
	at = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
	if (!at || sscanf(at, ") %*c %d", &parent) != 1)
		parent = 0;
	fclose(f);
	return parent;
}
