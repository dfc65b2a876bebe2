// SPDX-License-Identifier: GPL-2.0-only
/*
 * State of a GPU that no open file leads to.
 *
 * The driver keeps what a process has made until its address space ends, also
 * when it has closed /dev/kfd. criu asks the plugin about files and mappings,
 * and of such a process it has none to ask about: it would be dumped without
 * its state. So the plugin looks by itself, at what sysfs lists, and refuses.
 *
 * It does so
 *
 *  - as soon as criu asks about a file or mapping of a GPU: all of the tree is
 *    stopped then;
 *  - when criu loads the plugin, as there may be no such file in all of the
 *    tree. Nothing has been stopped yet. Who closes /dev/kfd later than this
 *    is found by the next;
 *  - when criu, since 4.0, has stopped all of the tree and says so;
 *  - when an older one unloads it, if it has asked nothing. It is about to say
 *    that all went well, and criu.c makes it say that it did not.
 *
 * A process that has only opened the file to see whether it can has nothing to
 * lose, and our driver says so. Of mainline's nobody knows.
 */
#define _GNU_SOURCE
#include "stray.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "log.h"
#include "sys.h"

/* One of its own open files leads to the state of a process. */
static int has_own_file(pid_t pid, bool *has)
{
	struct sys_fd *fds;
	size_t nr, i;
	int ret = sys_device_fds(pid, &fds, &nr);

	*has = false;
	if (ret)
		return ret;
	for (i = 0; i < nr; i++)
		*has |= fds[i].kind == SYS_DEV_KFD && sys_is_own_kfd(pid, fds[i].fd);
	free(fds);
	return 0;
}

static int check_user(const struct sys_user *user)
{
	bool has;
	int ret = has_own_file(user->pid, &has);

	if (ret)
		return ret;
	/* It ends, or has ended: then it has no state either. */
	if (has || !sys_user_has_state(user))
		return 0;
	pr_err("process %d: has state of a GPU, and no file of /dev/kfd of its own open, by which it could be saved: have it keep the file open\n",
	       sys_ns_pid(user->pid));
	return -EBUSY;
}

static bool is_below(pid_t pid, pid_t root)
{
	while (pid > 0 && pid != root)
		pid = sys_parent(pid);
	return pid == root;
}

/* @root: whose descendants are meant; 0: those that are traced */
static int check(pid_t root)
{
	struct sys_user *users;
	size_t nr, i;
	int ret = sys_users(&users, &nr);

	/* The driver does not list them, or there is none. */
	if (ret || !nr)
		return ret == -ENOENT ? 0 : ret;
	for (i = 0; !ret && i < nr; i++)
		if (root ? is_below(users[i].pid, root) : sys_tracer(users[i].pid) == getpid())
			ret = check_user(&users[i]);
	free(users);
	return ret;
}

/**
 * stray_check_tree() - all processes being dumped can be asked for their state
 *
 * Return: 0; -EBUSY when one cannot, which has been logged; or another negative
 * errno.
 */
int stray_check_tree(void)
{
	return check(0);
}

/**
 * stray_check_below() - the same of processes that have not been stopped yet
 * @root: the first of them, as criu was told it
 *
 * Return: as stray_check_tree().
 */
int stray_check_below(pid_t root)
{
	return check(root);
}
