// SPDX-License-Identifier: GPL-2.0-only
/*
 * What procfs and sysfs say of the processes being dumped and their devices.
 *
 * These are the processes that this one traces: criu has stopped the whole
 * tree before it calls the first hook.
 */
#define _GNU_SOURCE
#include "sys.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* DRM_IOCTL_AMDGPU_GEM_LIST_HANDLES, which libdrm's header may not have yet. */
struct list_handles {
	uint64_t entries;
	uint32_t num_entries;
	uint32_t padding;
};

#define LIST_HANDLES	_IOWR('d', 0x59, struct list_handles)
_Static_assert(LIST_HANDLES == 0xC0106459, "the number that the kernel knows");

/**
 * sys_append() - one more element of a list
 * @list: allocated, or NULL; freed, and NULL, when there is no memory
 * @nr: elements of it; 0 then
 * @item: the element
 * @size: bytes of it
 *
 * Return: 0 or -ENOMEM.
 */
int sys_append(void **list, size_t *nr, const void *item, size_t size)
{
	char *more = realloc(*list, (*nr + 1) * size);

	if (!more) {
		free(*list);
		*list = NULL;
		*nr = 0;
		return -ENOMEM;
	}
	memcpy(more + *nr * size, item, size);
	*list = more;
	++*nr;
	return 0;
}

/**
 * sys_tracees() - the processes being dumped
 * @list: out: allocated; free() it
 * @nr: out: their number
 *
 * Return: 0 or a negative errno; then there is no @list.
 */
int sys_tracees(pid_t **list, size_t *nr)
{
	struct dirent *de;
	void *found = NULL;
	int ret = 0;
	DIR *d;

	*nr = 0;
	d = opendir("/proc");
	if (!d)
		return -errno;
	while (!ret && (de = readdir(d))) {
		pid_t pid = isdigit(de->d_name[0]) ? atoi(de->d_name) : 0;

		if (pid > 0 && sys_tracer(pid) == getpid())
			ret = sys_append(&found, nr, &pid, sizeof(pid));
	}
	closedir(d);
	*list = found;
	return ret;
}

/**
 * sys_fd_name() - what /proc shows an open file as
 * @pid: a process that has it open; 0: this one
 * @fd: its number there
 * @name: out: as much of it as fits, or an empty string
 * @size: bytes at @name
 */
void sys_fd_name(pid_t pid, int fd, char *name, size_t size)
{
	char path[64];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid ? pid : getpid(), fd);
	len = readlink(path, name, size - 1);
	name[len < 0 ? 0 : len] = '\0';
}

/**
 * sys_device_fds() - device files of ours, and files without a path, that are open
 * @pid: the process
 * @list: out: allocated; free() it
 * @nr: out: their number
 *
 * Return: 0 or a negative errno; then there is no @list.
 */
int sys_device_fds(pid_t pid, struct sys_fd **list, size_t *nr)
{
	void *found = NULL;
	struct dirent *de;
	char path[64];
	int ret = 0;
	DIR *d;

	*nr = 0;
	*list = NULL;
	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	d = opendir(path);
	if (!d)
		return 0;	/* it is dead */
	while (!ret && (de = readdir(d))) {
		struct sys_fd f = { 0 };
		struct stat st;

		if (!isdigit(de->d_name[0]) || fstatat(dirfd(d), de->d_name, &st, 0))
			continue;
		f.fd = atoi(de->d_name);
		f.kind = sys_classify(&st, &f.minor_nr);
		if (!(st.st_mode & S_IFMT)) {
			f.kind = SYS_DEV_ANON;
			sys_fd_name(pid, f.fd, f.name, sizeof(f.name));
		}
		if (f.kind != SYS_DEV_OTHER)
			ret = sys_append(&found, nr, &f, sizeof(f));
	}
	closedir(d);
	*list = found;
	return ret;
}

/* The device behind a mapping: what it is, or else what its name says. */
static enum sys_dev classify_map(int map_files, struct sys_map *map)
{
	const char *base = strrchr(map->path, '/');
	char link[64];
	struct stat st;

	/* No path, but a name that its exporter may have given it. */
	if (!strncmp(map->path, "/dmabuf:", strlen("/dmabuf:")))
		return SYS_DEV_ANON;
	snprintf(link, sizeof(link), "%" PRIx64 "-%" PRIx64, map->start, map->end);
	if (!fstatat(map_files, link, &st, 0))
		return sys_classify(&st, &map->minor_nr);
	if (errno == ENOENT || !base)
		return SYS_DEV_OTHER;
	if (!strcmp(base, "/kfd"))
		return SYS_DEV_KFD;
	if (sscanf(base, "/renderD%u", &map->minor_nr) == 1)
		return SYS_DEV_RENDER;
	return SYS_DEV_OTHER;
}

static bool parse_map(const char *line, struct sys_map *map, unsigned long *dev_ino)
{
	int at = 0;

	memset(map, 0, sizeof(*map));
	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64 " %lx:%lx %lu %n", &map->start,
		   &map->end, &map->offset, &dev_ino[0], &dev_ino[1], &dev_ino[2], &at) != 6 ||
	    line[at] != '/')
		return false;
	snprintf(map->path, sizeof(map->path), "%s", line + at);
	map->path[strcspn(map->path, "\n")] = '\0';
	return true;
}

/**
 * sys_device_maps() - mappings of device files of ours and of DMA-BUFs
 * @pid: of the process
 * @list: out: in order of address; allocated; free() it
 * @nr: out: their number
 *
 * Return: 0 or a negative errno; then there is no @list.
 */
int sys_device_maps(pid_t pid, struct sys_map **list, size_t *nr)
{
	unsigned long last[3] = { 0 }, now[3];
	char path[64], line[4500];
	void *found = NULL;
	int dir, ret = 0;
	FILE *f;

	*nr = 0;
	*list = NULL;
	snprintf(path, sizeof(path), "/proc/%d/map_files", pid);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	while (f && !ret && fgets(line, sizeof(line), f)) {
		struct sys_map map;

		/* Of one file that is none of ours there are many in a row. */
		if (!parse_map(line, &map, now) || !memcmp(now, last, sizeof(now)))
			continue;
		map.kind = classify_map(dir, &map);
		if (map.kind == SYS_DEV_OTHER) {
			memcpy(last, now, sizeof(last));
			continue;
		}
		ret = sys_append(&found, nr, &map, sizeof(map));
	}
	if (f)
		fclose(f);
	if (dir >= 0)
		close(dir);
	*list = found;
	return ret;
}

/**
 * sys_fdinfo() - a number that a file's driver shows in fdinfo
 * @pid: a process that has it open; 0: this one
 * @fd: its number there
 * @key: what is before the colon
 * @value: out
 *
 * Return: 0; -ENOENT: the driver shows no such thing; or another negative
 * errno.
 */
int sys_fdinfo(pid_t pid, int fd, const char *key, uint64_t *value)
{
	char line[512];
	int ret = sys_fdinfo_line(pid, fd, key, 0, line, sizeof(line));

	if (!ret)
		*value = strtoull(line, NULL, 0);
	return ret;
}

/**
 * sys_fdinfo_line() - one of several lines of the same key in fdinfo
 * @pid: a process that has the file open; 0: this one
 * @fd: its number there
 * @key: what is before the colon
 * @nr: which of them, from 0
 * @line: out: what is behind the colon
 * @size: bytes at @line
 *
 * Return: 0; -ENOENT: there are not so many; or another negative errno.
 */
int sys_fdinfo_line(pid_t pid, int fd, const char *key, unsigned int nr, char *line, size_t size)
{
	char path[64], text[512];
	size_t len = strlen(key);
	int ret = -ENOENT;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid ? pid : getpid(), fd);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (ret && fgets(text, sizeof(text), f)) {
		if (strncmp(text, key, len) || text[len] != ':' || nr--)
			continue;
		snprintf(line, size, "%s", text + len + 1);
		ret = 0;
	}
	fclose(f);
	return ret;
}

/**
 * sys_is_own_kfd() - whether the state behind a file of /dev/kfd is the process's
 * @pid: who has it open
 * @fd: its number there
 *
 * Return: true also where the driver does not tell.
 */
bool sys_is_own_kfd(pid_t pid, int fd)
{
	uint64_t owner;

	return sys_fdinfo(pid, fd, "kfd-pid", &owner) || (pid_t)owner == pid;
}

/**
 * sys_gem_handles() - how many GEM handles a file of a render node has
 * @pid: a process that has it open; 0: this one
 * @fd: its number there
 * @nr: out
 *
 * Return: 0 or a negative errno: EINVAL or ENOTTY where the driver does not
 * list them.
 */
int sys_gem_handles(pid_t pid, int fd, uint64_t *nr)
{
	struct list_handles args = { 0 };
	int copy, pidfd, ret;

	if (pid) {
		pidfd = syscall(SYS_pidfd_open, pid, 0);
		if (pidfd < 0)
			return -errno;
		copy = syscall(SYS_pidfd_getfd, pidfd, fd, 0);
		ret = -errno;
		close(pidfd);
	} else {
		copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		ret = -errno;
	}
	if (copy < 0)
		return ret;
	ret = ioctl(copy, LIST_HANDLES, &args) ? -errno : 0;
	close(copy);
	*nr = args.num_entries;
	return ret;
}

/**
 * sys_render_of() - the render node of the GPU that a primary node is of
 * @minor_nr: N of /dev/dri/cardN
 *
 * Return: minor number of the render node, or -ENOENT.
 */
int sys_render_of(unsigned int minor_nr)
{
	unsigned int render;
	struct dirent *de;
	char path[64];
	int ret = -ENOENT;
	DIR *d;

	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/device/drm", SYS_DRM_MAJOR, minor_nr);
	d = opendir(path);
	while (d && ret < 0 && (de = readdir(d)))
		if (sscanf(de->d_name, "renderD%u", &render) == 1)
			ret = render;
	if (d)
		closedir(d);
	return ret;
}
