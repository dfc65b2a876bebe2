// SPDX-License-Identifier: GPL-2.0-only
/*
 * Room in the image directory.
 *
 * How much a dump needs is not known before it is made: pages of zeros are not
 * stored, and there may be many. So nothing is refused for what a file system
 * says that it has left, which is an estimate on some of them anyway; what
 * is sure to be written is written or reserved before the long part begins,
 * and of the rest it is said how much it may be.
 *
 * A write beyond RLIMIT_FSIZE would kill criu in the middle of a dump, with its
 * code in the processes and half an image in the directory. From room_begin()
 * on it is an error like any other, of criu's own files as well.
 *
 * Called in criu's main process, in its main thread.
 */
#define _GNU_SOURCE
#include "room.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

static struct {
	bool on;
	struct sigaction old;
} caught;

/* Some file systems that are made in user space say 0 of everything. */
static int stat_fs(int dir, struct statvfs *st)
{
	return fstatvfs(dir, st) || !st->f_blocks ? -ENODATA : 0;
}

/**
 * room_left() - bytes that the file system has at most for who writes the images
 * @dir: image directory
 * @bytes: out
 *
 * Return: 0, or -ENODATA: it does not say.
 */
int room_left(int dir, uint64_t *bytes)
{
	struct statvfs st;

	if (stat_fs(dir, &st))
		return -ENODATA;
	/* what is kept back may be for root */
	*bytes = (uint64_t)(geteuid() ? st.f_bavail : st.f_bfree) * st.f_frsize;
	return 0;
}

static void dir_name(int dir, char *name, size_t size)
{
	char link[64];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", dir);
	len = readlink(link, name, size - 1);
	if (len > 0)
		name[len] = '\0';
	else
		snprintf(name, size, "the image directory");
}

/**
 * room_text() - for messages: where something could not be written, and why
 * @buf: ROOM_TEXT_SIZE bytes
 * @dir: image directory
 * @err: negative errno
 * @need: bytes that were to be written
 *
 * Return: @buf, words that follow the name of what was not written.
 */
const char *room_text(char *buf, int dir, int err, uint64_t need)
{
	char name[PATH_MAX];
	struct rlimit limit;
	struct statvfs st;

	dir_name(dir, name, sizeof(name));
	if (err == -EFBIG && !getrlimit(RLIMIT_FSIZE, &limit) && limit.rlim_cur != RLIM_INFINITY)
		snprintf(buf, ROOM_TEXT_SIZE,
			 "%s: %" PRIu64 " bytes to be written to %s, where no file may have more "
			 "than %" PRIu64 " (ulimit -f)",
			 strerror(-err), need, name, (uint64_t)limit.rlim_cur);
	else if ((err == -ENOSPC || err == -EDQUOT) && !stat_fs(dir, &st))
		snprintf(buf, ROOM_TEXT_SIZE,
			 "%s: %" PRIu64 " bytes to be written to %s, which has %" PRIu64 " left%s",
			 strerror(-err), need, name, (uint64_t)st.f_bavail * st.f_frsize,
			 err == -EDQUOT ? ", and a quota" :
			 st.f_files && !st.f_ffree ? ", and no inodes" : "");
	else
		snprintf(buf, ROOM_TEXT_SIZE, "%s: %" PRIu64 " bytes to be written to %s",
			 strerror(-err), need, name);
	return buf;
}

/**
 * room_reserve() - take what a file is sure to need
 * @fd: of the file, which is new
 * @size: bytes
 *
 * Return: 0, also where files cannot be given room; or a negative errno: it
 * would not fit.
 */
int room_reserve(int fd, uint64_t size)
{
	while (fallocate(fd, 0, 0, size)) {
		if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG)
			return -errno;
		if (errno != EINTR)
			return 0;
	}
	return 0;
}

static void too_large(int sig)
{
	(void)sig;
}

/**
 * room_begin() - a file that becomes too large is no end of criu
 *
 * A handler, since what is ignored would be so in criu's scripts, too.
 */
void room_begin(void)
{
	struct sigaction sa = { .sa_handler = too_large, .sa_flags = SA_RESTART };

	if (caught.on)
		return;
	sigemptyset(&sa.sa_mask);
	caught.on = !sigaction(SIGXFSZ, &sa, &caught.old);
}

/** room_end() - the dump is over */
void room_end(void)
{
	if (caught.on)
		sigaction(SIGXFSZ, &caught.old, NULL);
	caught.on = false;
}
