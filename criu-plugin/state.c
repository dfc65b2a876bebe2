// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a process being restored knows, and its device files and mappings.
 *
 * criu runs the hooks for a process's files and then those for its mappings
 * in the process itself, after the whole tree has been forked.
 *
 * For each GPU there is one open render node file per process. Whichever hook
 * needs it first opens it, /dev/kfd's (the driver adopts its VM) or the render
 * node's (a duplicate becomes the process's own fd). If the process had the
 * node open several times, all its fds become this file: which of them the VM
 * belonged to cannot be seen from outside, so each must be able to map.
 *
 * These files are kept under numbers above all of criu's (sys_keep_fd()) and
 * closed with the last hook that could need them, which the images tell: the
 * kfd-file images name every file of the dump with its holders. Mappings are
 * made through the process's own fd by then. Only a process that has mappings
 * of a render node, but had closed its last fd for it, keeps one more fd.
 */
#define _GNU_SOURCE
#include "restore.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kfd_ioctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "criu.h"
#include "held.h"
#include "log.h"
#include "sys.h"
#include "use.h"

/* No such fd: neither dup() nor mmap() takes it. */
#define POISON_FD		0x7fffffff
/* An offset that no device maps: it makes mmap() fail, likewise. */
#define POISON_OFFSET		(~0xfffULL)

static struct restore_state state;

static void free_state(struct restore_state *st)
{
	size_t i;

	for (i = 0; i < st->nr_files; i++)
		kfd_file_entry__free_unpacked(st->files[i].entry, NULL);
	free(st->files);
	free(st->map);
	free(st->slots);
	free(st->bos);
	free(st->devices);
	topology_free(&st->now);
	memset(st, 0, sizeof(*st));
}

/* criu has the holder with the lowest pid open a shared file. */
static void note_holders(struct file_rec *f, pid_t self)
{
	size_t i;

	f->own_fd = -1;
	for (i = 0; i < f->entry->n_holders; i++) {
		const KfdHolder *h = f->entry->holders[i];

		if (i == 0)
			f->mine = (pid_t)h->pid == self;
		if ((pid_t)h->pid == self && f->own_fd < 0)
			f->own_fd = h->fd;
	}
}

static int add_file(int dir, struct restore_state *st, unsigned int id)
{
	struct file_rec *files;
	int ret;

	files = realloc(st->files, (st->nr_files + 1) * sizeof(*files));
	if (!files)
		return -ENOMEM;
	st->files = files;
	files += st->nr_files;
	memset(files, 0, sizeof(*files));
	files->id = id;
	ret = image_read_file(dir, id, &files->entry);
	if (ret)
		return ret;
	st->nr_files++;
	if (files->entry->dump_id != st->files[0].entry->dump_id) {
		pr_err("kfd-file-%u.img and kfd-file-%u.img are of different dumps: the image directory holds more than one\n",
		       id, st->files[0].id);
		return -EINVAL;
	}
	note_holders(files, st->pid);
	if (!files->entry->n_holders)
		st->holders_known = false;
	return 0;
}

static int read_files(int dir, struct restore_state *st)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *de;
	unsigned int id;
	int ret = 0;
	DIR *d;

	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		ret = -errno;
		if (fd >= 0)
			close(fd);
		pr_err("the image directory cannot be listed: %s\n", strerror(-ret));
		return ret;
	}
	while (!ret && (de = readdir(d)))
		if (!image_file_id(de->d_name, &id))
			ret = add_file(dir, st, id);
	closedir(d);
	return ret;
}

/* A GPU for each one that is used: by this process, or by any of the dump. */
static int match_used(struct restore_state *st, bool own, char *why, size_t size)
{
	KfdGpu **used = calloc(st->nr_saved + 1, sizeof(*used));
	size_t *map = calloc(st->nr_saved + 1, sizeof(*map));
	size_t i, nr = 0;
	int ret = -ENOMEM;

	if (!used || !map)
		goto out;
	for (i = 0; i < st->nr_saved; i++)
		if (use_is_needed(st, st->saved[i], own))
			used[nr++] = st->saved[i];
	ret = topology_match(used, nr, st->now.gpus, st->now.nr, map, why, size);
	if (ret)
		goto out;
	for (i = 0, nr = 0; i < st->nr_saved; i++)
		st->map[i] = used[nr] == st->saved[i] ? map[nr++] : RESTORE_UNUSED;
out:
	free(used);
	free(map);
	return ret;
}

/*
 * The processes of a dump agree on what each GPU has become, since all look
 * for what any of them used. Where they see different GPUs, as in several
 * containers, there may be no answer to that; then each has what it used.
 */
static int match_gpus(struct restore_state *st)
{
	bool no_driver;
	char why[1024];
	size_t i;
	int ret;

	st->saved = st->files[0].entry->gpus;
	st->nr_saved = st->files[0].entry->n_gpus;
	ret = topology_read(sys_topology_root(), &st->now);
	no_driver = ret == -ENOENT;
	if (ret && !no_driver) {
		pr_err("the GPU topology in %s cannot be read: %s\n", sys_topology_root(),
		       strerror(-ret));
		return ret;
	}
	st->map = calloc(st->nr_saved + 1, sizeof(*st->map));
	st->slots = calloc(st->now.nr + 1, sizeof(*st->slots));
	if (!st->map || !st->slots)
		return -ENOMEM;
	for (i = 0; i < st->now.nr; i++) {
		st->slots[i].drm_fd = -1;
		st->slots[i].own_fd = -1;
	}
	ret = match_used(st, false, why, sizeof(why));
	if (ret == -ENODEV && !use_is_shared(st))
		ret = match_used(st, true, why, sizeof(why));
	if (ret)
		pr_err("%s%s\n", ret == -ENOMEM ? "out of memory" : why,
		       no_driver ? ": is the amdkfd driver loaded?" : "");
	return ret;
}

/* Which fds and mappings of render nodes this process is going to have. */
static void note_expected(struct restore_state *st)
{
	size_t i, j;
	int slot;

	for (i = 0; i < st->nr_files; i++) {
		const struct file_rec *f = &st->files[i];

		if (f->entry->kind == KFD_FILE_RENDER) {
			slot = restore_slot_by_old_minor(st, f->entry->render_minor);
			if (slot >= 0 && f->mine)
				st->slots[slot].own_fd = f->own_fd;
			continue;
		}
		if ((pid_t)f->entry->pid != st->pid)
			continue;
		for (j = 0; j < f->entry->n_vmas; j++) {
			slot = restore_slot_by_old_minor(st, f->entry->vmas[j]->render_minor);
			if (slot >= 0)
				st->slots[slot].vmas = f->entry->vmas[j]->count;
		}
	}
}

/**
 * restore_files_get() - the files of the dump, all that criu's main process needs
 * @dir: image directory
 * @out: what this process knows; of the rest, only holders_known and pid are set
 *
 * Return: 0; -ENOENT when the dump has no GPU files; or another negative
 * errno, logged.
 */
int restore_files_get(int dir, struct restore_state **out)
{
	int ret;

	*out = &state;
	if (state.pid == sys_self())
		return state.nr_files ? 0 : -ENOENT;
	free_state(&state);
	state.holders_known = true;
	state.pid = sys_self();
	ret = read_files(dir, &state);
	if (!ret)
		return state.nr_files ? 0 : -ENOENT;
	free_state(&state);
	return ret == -ENOENT ? -EINVAL : ret;
}

/**
 * restore_state_get() - what this process knows; found out at the first call
 * @dir: image directory
 * @out: the state
 *
 * Return: 0; -ENOENT when the dump has no GPU files; or another negative
 * errno, logged.
 */
int restore_state_get(int dir, struct restore_state **out)
{
	int ret = restore_files_get(dir, out);

	if (ret || state.slots)
		return ret;
	ret = match_gpus(&state);
	if (!ret) {
		note_expected(&state);
		return 0;
	}
	free_state(&state);
	return ret == -ENOENT ? -EINVAL : ret;
}

/**
 * restore_find_file() - the record of a file
 * @st: of this process
 * @id: criu's number of the file
 *
 * Return: the record, or NULL.
 */
struct file_rec *restore_find_file(struct restore_state *st, unsigned int id)
{
	size_t i;

	for (i = 0; i < st->nr_files; i++)
		if (st->files[i].id == id)
			return &st->files[i];
	return NULL;
}

/**
 * restore_has_state() - whether a process is among those with GPU state
 * @st: of this process
 * @ns_pid: the process as it sees itself
 */
bool restore_has_state(const struct restore_state *st, pid_t ns_pid)
{
	size_t i;

	for (i = 0; i < st->nr_files; i++) {
		const KfdFileEntry *e = st->files[i].entry;

		if (e->kind == KFD_FILE_KFD && e->has_state_id && (pid_t)e->pid == ns_pid)
			return true;
	}
	return false;
}

/**
 * restore_slot_by_old_minor() - the GPU that a render node has become
 * @st: of this process
 * @minor_nr: of the node at dump
 *
 * Return: index in @st->slots, or -ENODEV.
 */
int restore_slot_by_old_minor(const struct restore_state *st, unsigned int minor_nr)
{
	size_t i;

	for (i = 0; i < st->nr_saved; i++)
		if (st->saved[i]->render_minor == minor_nr && st->map[i] != RESTORE_UNUSED)
			return st->map[i];
	return -ENODEV;
}

/**
 * restore_slot_by_old_id() - the GPU that another one has become
 * @st: of this process
 * @gpu_id: in the topology at dump
 *
 * Return: index in @st->slots, or -ENODEV.
 */
int restore_slot_by_old_id(const struct restore_state *st, uint32_t gpu_id)
{
	size_t i;

	for (i = 0; i < st->nr_saved; i++)
		if (st->saved[i]->gpu_id == gpu_id && st->map[i] != RESTORE_UNUSED)
			return st->map[i];
	return -ENODEV;
}

/**
 * restore_slot_open() - see to it that a GPU's render node is open
 * @st: of this process
 * @slot: index of the GPU
 *
 * Return: 0, or a negative errno; the error has been logged.
 */
int restore_slot_open(struct restore_state *st, size_t slot)
{
	unsigned int minor_nr = st->now.gpus[slot]->render_minor;
	int fd;

	if (st->slots[slot].drm_fd >= 0)
		return 0;
	fd = sys_open_render(minor_nr);
	if (fd >= 0)
		fd = sys_keep_fd(fd);
	if (fd < 0) {
		pr_err("process %d: /dev/dri/renderD%u of GPU %u cannot be opened: %s\n", st->pid,
		       minor_nr, st->now.gpus[slot]->gpu_id, strerror(-fd));
		return fd;
	}
	st->slots[slot].drm_fd = fd;
	return 0;
}

/**
 * restore_close_unneeded() - close the render nodes that no hook will need
 * @st: of this process
 */
void restore_close_unneeded(struct restore_state *st)
{
	size_t i;

	if (!st->holders_known)
		return;
	for (i = 0; i < st->nr_files; i++)
		if (st->files[i].mine && !st->files[i].done)
			return;
	for (i = 0; i < st->now.nr; i++) {
		struct gpu_slot *s = &st->slots[i];

		if (s->drm_fd < 0 || (s->own_fd < 0 && s->vmas))
			continue;
		close(s->drm_fd);
		s->drm_fd = -1;
	}
}

static int restore_render(struct restore_state *st, struct file_rec *f)
{
	int slot = restore_slot_by_old_minor(st, f->entry->render_minor);
	int fd;

	if (slot < 0) {
		pr_err("file %#x: renderD%u of the image has no GPU here\n", f->id,
		       f->entry->render_minor);
		return slot;
	}
	fd = restore_slot_open(st, slot);
	if (fd)
		return fd;
	fd = fcntl(st->slots[slot].drm_fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0) {
		fd = -errno;
		pr_err("file %#x: no fd for renderD%u: %s\n", f->id,
		       st->now.gpus[slot]->render_minor, strerror(-fd));
	}
	return fd;
}

static int restore_kfd(int dir, struct restore_state *st, struct file_rec *f)
{
	int fd, ret = 0;

	if (f->entry->has_state_id && (pid_t)f->entry->pid != st->pid) {
		pr_err("file %#x: the GPU state behind it is process %u's, but process %d has to open it, because the file is shared and this pid is lower: have the program close /dev/kfd after fork()\n",
		       f->id, f->entry->pid, st->pid);
		return -EINVAL;
	}
	fd = sys_open_kfd();
	if (fd < 0) {
		pr_err("process %d: /dev/kfd cannot be opened: %s: is the amdkfd driver loaded?\n",
		       st->pid, strerror(-fd));
		return fd;
	}
	if (f->entry->has_state_id && f->entry->state_id == f->id)
		ret = restore_process(dir, st, fd, f->id);
	if (!ret)
		return fd;
	close(fd);
	return ret;
}

/**
 * restore_file() - restore an open file of /dev/kfd or of a render node
 * @dir: image directory
 * @id: criu's number of the file
 *
 * Return: an fd that criu moves to where it belongs; -ENOTSUP when the file is
 * none of ours; or another negative errno, logged.
 */
int restore_file(int dir, unsigned int id)
{
	struct restore_state *st;
	struct file_rec *f;
	int fd, ret;

	ret = restore_state_get(dir, &st);
	if (ret)
		return ret == -ENOENT ? -ENOTSUP : ret;
	f = restore_find_file(st, id);
	if (!f)
		return -ENOTSUP;
	if (f->entry->kind == KFD_FILE_KFD)
		fd = restore_kfd(dir, st, f);
	else if (f->entry->kind == KFD_FILE_DEAD)
		fd = held_open_dead(dir, st->pid);
	else
		fd = restore_render(st, f);
	if (fd < 0)
		return fd;
	if (f->entry->flags & O_NONBLOCK)
		fcntl(fd, F_SETFL, O_NONBLOCK);
	f->done = true;
	restore_close_unneeded(st);
	return fd;
}

/* The process's own fd for a device, if that is what it is. */
static int own_fd(int fd, enum sys_dev kind, unsigned int minor_nr)
{
	unsigned int found = 0;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) || sys_classify(&st, &found) != kind)
		return -1;
	return kind == SYS_DEV_RENDER && found != minor_nr ? -1 : fd;
}

static int render_vma(struct restore_state *st, unsigned int minor_nr, uint64_t old,
		      uint64_t *new, int *fd)
{
	int slot = restore_slot_by_old_minor(st, minor_nr);
	size_t i;

	for (i = 0; slot >= 0 && i < st->nr_bos; i++) {
		const struct moved_bo *m = &st->bos[i];

		if (m->minor_nr == minor_nr && old >= m->old && old - m->old < m->size)
			break;
	}
	if (slot < 0 || i == st->nr_bos)
		return -ENOENT;
	*new = st->bos[i].new + (old - st->bos[i].old);
	*fd = own_fd(st->slots[slot].own_fd, SYS_DEV_RENDER, st->now.gpus[slot]->render_minor);
	if (*fd < 0)
		*fd = st->slots[slot].drm_fd;
	if (*fd < 0)
		return -EBADF;
	if (*fd == st->slots[slot].drm_fd)
		pr_warn("process %d: renderD%u is mapped but not open there: it keeps fd %d for it\n",
			st->pid, st->now.gpus[slot]->render_minor, *fd);
	return 1;
}

/* In an offset there is the id of the topology, or the one the process knows. */
static int slot_by_offset_id(const struct restore_state *st, uint32_t id)
{
	uint32_t actual = id;
	size_t i;

	if (!topology_by_id(st->saved, st->nr_saved, id))
		for (i = 0; i < st->nr_devices; i++)
			if (st->devices[i].user_gpu_id == id)
				actual = st->devices[i].actual_gpu_id;
	return restore_slot_by_old_id(st, actual);
}

/* The gpu_id in an offset of /dev/kfd stands for another GPU now. */
static int kfd_vma(struct restore_state *st, uint64_t old, uint64_t *new, int *fd)
{
	uint32_t id = (old & SYS_KFD_GPU_ID_MASK) >> SYS_KFD_GPU_ID_SHIFT;
	int slot;
	size_t i;

	*fd = -1;
	for (i = 0; i < st->nr_files && *fd < 0; i++)
		if (st->files[i].entry->kind == KFD_FILE_KFD)
			*fd = own_fd(st->files[i].own_fd, SYS_DEV_KFD, 0);
	for (i = 0; i < st->nr_bos; i++) {
		const struct moved_bo *m = &st->bos[i];

		if (m->minor_nr || old < m->old || old - m->old >= m->size)
			continue;
		*new = m->new + (old - m->old);
		return 1;
	}
	*new = old;
	if (!id)
		return 1;
	slot = slot_by_offset_id(st, id);
	if (slot < 0)
		return -ENOENT;
	*new = (old & ~SYS_KFD_GPU_ID_MASK) |
	       (uint64_t)st->now.gpus[slot]->gpu_id << SYS_KFD_GPU_ID_SHIFT;
	return 1;
}

/**
 * restore_vma() - where a mapping of a device is to be made again
 * @dir: image directory
 * @path: of the device at dump
 * @addr: of the mapping, for messages
 * @old_offset: mmap offset at dump, in bytes
 * @new_offset: out
 * @fd: out: to map through, criu's or not (see criu_vma_fd()). -1: let criu
 *	open @path
 *
 * criu does not look at the hook's failure, and would map what is at the old
 * offset now. So after an error, which is logged, @fd is one that is not open,
 * and @new_offset one that cannot be mapped.
 *
 * Return: 1 when @new_offset and @fd are set, also after an error; -ENOTSUP
 * for a mapping that is none of ours.
 */
int restore_vma(int dir, const char *path, uint64_t addr, uint64_t old_offset,
		uint64_t *new_offset, int *fd)
{
	const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	bool is_kfd = !strcmp(base, "kfd");
	struct restore_state *st;
	unsigned int minor_nr;
	int ret, len = 0;

	if (!is_kfd && (sscanf(base, "renderD%u%n", &minor_nr, &len) != 1 || base[len]))
		return -ENOTSUP;
	ret = restore_state_get(dir, &st);
	if (ret == -ENOENT)
		return -ENOTSUP;
	if (!ret && !is_kfd && restore_slot_by_old_minor(st, minor_nr) < 0)
		return -ENOTSUP;	/* another driver's GPU */
	if (!ret)
		ret = is_kfd ? kfd_vma(st, old_offset, new_offset, fd) :
			       render_vma(st, minor_nr, old_offset, new_offset, fd);
	if (ret > 0) {
		*fd = criu_vma_fd(*fd);
		/* none at all is right, too */
		ret = *fd < -1 ? *fd : ret;
	}
	if (ret > 0)
		return ret;
	pr_err("process %d: mapping of %s at 0x%" PRIx64 ", offset 0x%" PRIx64 ": %s\n",
	       sys_self(), path, addr, old_offset,
	       ret == -ENOENT ? "it belongs to no BO or GPU of the image" :
	       ret == -EBADF ? "there is no open file to map it through" : strerror(-ret));
	*new_offset = POISON_OFFSET;
	*fd = POISON_FD;
	return 1;
}
