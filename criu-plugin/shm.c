// SPDX-License-Identifier: GPL-2.0-only
/*
 * libhsakmt's files below /dev/shm: a page that all programs with a GPU share,
 * and the semaphore for it. Every program has both mapped, and criu opens them
 * by their names when it restores it. The semaphore's name is one that criu
 * gives it at dump (link_remap.N, a hard link), because the C library maps it
 * under a name that is gone soon. On another machine, or after a reboot, they
 * are not there; link_remap.N is gone after the first restore as well.
 *
 * So the inventory has them, contents and all, and what is missing is made
 * again before criu opens anything. What is there stays: other programs share
 * it. They come to share it with the restored one, as if that had been started
 * here, which needs a file of the same size and mode.
 *
 * An image is not believed: image.c lets through the names of these files only,
 * files are made anew or not at all, and no link is followed.
 */
#define _GNU_SOURCE
#include "shm.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image.h"
#include "log.h"
#include "tracees.h"

#define MAX_MADE	(IMAGE_MAX_SHM * IMAGE_MAX_SHM_NAMES)
#define LINK_REMAP	"link_remap."

/* The directory; the tests have another one. */
const char *shm_dir = "/dev/shm";

/* Whether a process being dumped has a file; the tests have none of these. */
static bool used_by_tracee(const struct stat *st);
bool (*shm_used)(const struct stat *st) = used_by_tracee;

/* criu's names that were made here: of no use to anybody if the restore fails. */
static struct {
	char names[MAX_MADE][NAME_MAX + 1];
	size_t nr;
} made;

/* What tells that a file has been given another name since it was saved. */
static struct {
	dev_t dev;
	ino_t ino;
	nlink_t nlink;
} saved[IMAGE_MAX_SHM];

struct use {
	const struct stat *st;
	bool found;
};

static bool look_at_maps(pid_t pid, void *arg)
{
	struct use *use = arg;

	use->found = tracee_maps_file(pid, use->st->st_dev, use->st->st_ino);
	return !use->found;
}

static bool used_by_tracee(const struct stat *st)
{
	struct use use = { .st = st };

	tracees_each(look_at_maps, &use);
	return use.found;
}

static int open_dir(void)
{
	int dir = open(shm_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return dir < 0 ? -errno : dir;
}

static bool is_libhsakmts(const char *name)
{
	return !strncmp(name, "hsakmt_", 7) || !strncmp(name, "sem.hsakmt_", 11);
}

/* --- dump ------------------------------------------------------------------ */

static int add_name(KfdShmFile *f, const char *name)
{
	char **names;

	if (f->n_names == IMAGE_MAX_SHM_NAMES)
		return 0;
	names = realloc(f->names, (f->n_names + 1) * sizeof(*names));
	if (!names)
		return -ENOMEM;
	f->names = names;
	names[f->n_names] = strdup(name);
	return names[f->n_names] ? (f->n_names++, 0) : -ENOMEM;
}

/* The names that criu has given the file. */
static int add_remaps(int dir, KfdShmFile *f, const struct stat *file)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;
	struct stat st;

	if (!d)
		return -errno;
	while (!ret && (de = readdir(d)))
		if (!strncmp(de->d_name, LINK_REMAP, strlen(LINK_REMAP)) &&
		    !fstatat(dir, de->d_name, &st, AT_SYMLINK_NOFOLLOW) &&
		    st.st_ino == file->st_ino && st.st_dev == file->st_dev)
			ret = add_name(f, de->d_name);
	closedir(d);
	return ret;
}

static int read_contents(int fd, KfdShmFile *f, size_t size)
{
	ssize_t n;

	f->contents.data = malloc(size + 1);
	if (!f->contents.data)
		return -ENOMEM;
	n = pread(fd, f->contents.data, size, 0);
	f->contents.len = size;
	return n < 0 ? -errno : (size_t)n == size ? 0 : -EIO;
}

static void free_file(KfdShmFile *f)
{
	size_t i;

	for (i = 0; i < f->n_names; i++)
		free(f->names[i]);
	free(f->names);
	free(f->contents.data);
	free(f);
}

static int save_file(int dir, int fd, const char *name, const struct stat *st, KfdShmFile *f)
{
	int ret;

	kfd_shm_file__init(f);
	f->mode = st->st_mode & 0777;
	f->uid = st->st_uid;
	f->gid = st->st_gid;
	ret = add_name(f, name);
	if (!ret)
		ret = add_remaps(dir, f, st);
	if (!ret)
		ret = read_contents(fd, f, st->st_size);
	return ret;
}

static int collect_one(int dir, const char *name, KfdInventory *inventory)
{
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), ret = 0;
	struct stat st;
	KfdShmFile *f;

	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode) || !shm_used(&st))
		goto out;
	if (st.st_size > IMAGE_MAX_SHM_SIZE || inventory->n_shm == IMAGE_MAX_SHM) {
		pr_warn("%s/%s is not saved (%lld bytes): it has to be there at restore\n",
			shm_dir, name, (long long)st.st_size);
		goto out;
	}
	f = calloc(1, sizeof(*f));
	ret = f ? save_file(dir, fd, name, &st, f) : -ENOMEM;
	if (!ret) {
		saved[inventory->n_shm].dev = st.st_dev;
		saved[inventory->n_shm].ino = st.st_ino;
		saved[inventory->n_shm].nlink = st.st_nlink;
		inventory->shm[inventory->n_shm++] = f;
	} else {
		pr_err("%s/%s cannot be saved: %s\n", shm_dir, name, strerror(-ret));
		if (f)
			free_file(f);
	}
out:
	if (fd >= 0)
		close(fd);
	return ret;
}

/**
 * shm_collect() - save libhsakmt's files that a process being dumped has mapped
 * @inventory: gets them
 *
 * Return: 0, or a negative errno; the error has been logged.
 */
int shm_collect(KfdInventory *inventory)
{
	int dir = open_dir(), fd, ret = 0;
	struct dirent *de;
	DIR *d;

	if (dir < 0)
		return 0;	/* none is no error */
	inventory->shm = calloc(IMAGE_MAX_SHM, sizeof(*inventory->shm));
	fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!inventory->shm || !d)
		ret = -ENOMEM;
	while (!ret && (de = readdir(d)))
		if (is_libhsakmts(de->d_name))
			ret = collect_one(dir, de->d_name, inventory);
	if (d)
		closedir(d);
	close(dir);
	return ret;
}

/**
 * shm_changed() - whether what shm_collect() has saved has other names now
 * @inventory: with it
 *
 * criu gives files names until the last process has been dumped. Who has what
 * mapped does not change: the whole tree is stopped before any of it is dumped.
 */
bool shm_changed(const KfdInventory *inventory)
{
	int dir = open_dir();
	bool changed = false;
	struct stat st;
	size_t i;

	for (i = 0; i < inventory->n_shm && !changed; i++)
		changed = fstatat(dir, inventory->shm[i]->names[0], &st, AT_SYMLINK_NOFOLLOW) ||
			  st.st_dev != saved[i].dev || st.st_ino != saved[i].ino ||
			  st.st_nlink != saved[i].nlink;
	if (dir >= 0)
		close(dir);
	return changed;
}

/**
 * shm_free() - free what shm_collect() has added
 * @inventory: of the dump
 */
void shm_free(KfdInventory *inventory)
{
	while (inventory->n_shm)
		free_file(inventory->shm[--inventory->n_shm]);
	free(inventory->shm);
	inventory->shm = NULL;
}

/* --- restore --------------------------------------------------------------- */

static void note_made(const char *name)
{
	if (!strncmp(name, LINK_REMAP, strlen(LINK_REMAP)) && made.nr < MAX_MADE)
		snprintf(made.names[made.nr++], sizeof(made.names[0]), "%s", name);
}

static int write_contents(int fd, const KfdShmFile *f)
{
	size_t at = 0;

	if (ftruncate(fd, f->contents.len))
		return -errno;
	while (at < f->contents.len) {
		ssize_t n = pwrite(fd, f->contents.data + at, f->contents.len - at, at);

		if (n <= 0)
			return n ? -errno : -ENOSPC;
		at += n;
	}
	if (fchown(fd, f->uid, f->gid) || fchmod(fd, f->mode))
		return -errno;
	return 0;
}

/* Nobody can see it before it is complete. */
static int make_file(int dir, const KfdShmFile *f)
{
	char self[32];
	int fd, ret;

	fd = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	ret = write_contents(fd, f);
	if (!ret && linkat(AT_FDCWD, self, dir, f->names[0], AT_SYMLINK_FOLLOW))
		ret = -errno;
	close(fd);
	return ret;
}

/*
 * One that is there can take the place of the dump's if criu will take it:
 * 1 then, 0 when there is none.
 */
static int check_there(int dir, const KfdShmFile *f, const char *name, ino_t *ino)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISREG(st.st_mode) || (size_t)st.st_size != f->contents.len ||
	    (st.st_mode & 07777) != f->mode) {
		pr_err("%s/%s: the one that is here has %lld bytes and mode %#o, the dump's %zu and %#o: remove it when no program uses it\n",
		       shm_dir, name, (long long)st.st_size, st.st_mode & 07777,
		       f->contents.len, f->mode);
		return -EEXIST;
	}
	if (*ino && *ino != st.st_ino)
		pr_warn("%s/%s is another file than %s/%s here\n", shm_dir, name, shm_dir,
			f->names[0]);
	*ino = st.st_ino;
	return 1;
}

static int bring_one(int dir, const KfdShmFile *f)
{
	const char *there = NULL;
	ino_t ino = 0;
	size_t i;
	int ret;

	for (i = 0; i < f->n_names; i++) {
		ret = check_there(dir, f, f->names[i], &ino);
		if (ret < 0)
			return ret;
		if (ret)
			there = f->names[i];
	}
	if (!there) {
		ret = make_file(dir, f);
		if (ret) {
			pr_err("%s/%s cannot be made: %s\n", shm_dir, f->names[0], strerror(-ret));
			return ret;
		}
		there = f->names[0];
		note_made(there);
		pr_info("%s/%s: made as it was at dump\n", shm_dir, there);
	}
	for (i = 0; i < f->n_names; i++) {
		if (!linkat(dir, there, dir, f->names[i], 0)) {
			note_made(f->names[i]);
			continue;
		}
		ret = -errno;
		if (ret == -EEXIST)
			continue;
		pr_err("%s/%s cannot be linked to %s: %s\n", shm_dir, f->names[i], there,
		       strerror(-ret));
		return ret;
	}
	return 0;
}

/**
 * shm_bring() - make the files that the dumped processes had and that are missing
 * @inventory: of the dump, checked
 *
 * Return: 0, or a negative errno; the error has been logged.
 */
int shm_bring(const KfdInventory *inventory)
{
	int dir, ret = 0;
	size_t i;

	if (!inventory->n_shm)
		return 0;
	dir = open_dir();
	if (dir < 0) {
		pr_err("%s cannot be opened: %s\n", shm_dir, strerror(-dir));
		return dir;
	}
	for (i = 0; !ret && i < inventory->n_shm; i++)
		ret = bring_one(dir, inventory->shm[i]);
	close(dir);
	return ret;
}

/**
 * shm_take_back() - the restore has failed: remove criu's names made for it
 *
 * libhsakmt's own stay, since others may have them open by now.
 */
void shm_take_back(void)
{
	int dir = open_dir();

	while (made.nr && dir >= 0)
		unlinkat(dir, made.names[--made.nr], 0);
	if (dir >= 0)
		close(dir);
}
