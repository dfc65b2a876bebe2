// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files of /dev/kfd in the hands of processes whose GPU state they do not have:
 * inherited over fork(), or kept over exec(). A file is the process's that
 * opened it, and everybody else's ioctls on it are EBADF.
 *
 * When that process is gone, the file is nobody's for ever. So it is dumped
 * without any state, and restored by having a process open it that is gone
 * right after. When it is one of those being dumped, the file comes back with
 * its state, and criu gives it to the others. One that goes on outside of the
 * dump cannot be had: the dump is refused.
 */
#define _GNU_SOURCE
#include "held.h"

#include <errno.h>
#include <string.h>

#include "image.h"
#include "log.h"

/**
 * held_is_dead() - whether the process that opened a file is gone
 * @kfd: file of /dev/kfd
 *
 * Return: true if so; false also when the driver does not tell.
 */
bool held_is_dead(int kfd)
{
	bool dead;
	pid_t pid;

	return !sys_kfd_owner(kfd, &pid, &dead) && dead;
}

/**
 * held_explain() - say why the driver answers EBADF to criu
 * @kfd: file of /dev/kfd
 * @holders: of the file, among the processes being dumped
 */
void held_explain(int kfd, const struct sys_holders *holders)
{
	pid_t who = holders->nr ? holders->list[0].ns_pid : 0, pid;
	bool dead;
	size_t i;

	if (sys_kfd_owner(kfd, &pid, &dead)) {
		pr_err("process %d: its file of /dev/kfd was opened by a process that is gone or is not dumped: dump that one as well, or have process %d close the file\n",
		       who, who);
		return;
	}
	for (i = 0; i < holders->nr; i++)
		if (holders->list[i].pid == pid)
			break;
	if (i < holders->nr)
		pr_err("process %d: its file of /dev/kfd is from before an exec, and its GPU state has not been adopted\n",
		       who);
	else
		pr_err("process %d: its file of /dev/kfd is process %d's, which is not dumped: dump that one as well, or have process %d close the file\n",
		       who, pid, who);
}

/**
 * held_check_opener() - whether the right process will open a file at restore
 * @id: criu's number of the file
 * @owner: process with the GPU state behind the file, in its own pid namespace
 * @holders: of the file, or none: not known
 *
 * criu has the holder with the lowest pid open a file, and hand it to the rest.
 *
 * Return: 0, or -EXDEV; the error has been logged.
 */
int held_check_opener(unsigned int id, pid_t owner, const struct sys_holders *holders)
{
	if (!holders->nr || holders->list[0].ns_pid == owner)
		return 0;
	pr_err("file %#x: the GPU state behind it is process %d's, but at restore process %d would have to open it, because it has the file, too, and its pid is lower: have it close /dev/kfd\n",
	       id, owner, holders->list[0].ns_pid);
	return -EXDEV;
}

/**
 * held_open_dead() - open a file of /dev/kfd that is nobody's
 * @dir: image directory
 * @self: this process's pid, for messages
 *
 * Return: fd, or a negative errno; the error has been logged.
 */
int held_open_dead(int dir, pid_t self)
{
	int fd = sys_open_dead_kfd(image_wants_tid, &dir);

	if (fd < 0)
		pr_err("process %d: /dev/kfd cannot be opened in a process of its own: %s: is the amdkfd driver loaded?\n",
		       self, strerror(-fd));
	return fd;
}
