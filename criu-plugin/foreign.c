// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a process has of a GPU that no image holds: a dump would end the
 * program, and its restore would fail or, worse, go on without it. So the dump
 * is refused, with what there is and what to do about it.
 *
 * These are:
 *
 * Things of a render node that are not KFD's: buffers made through it, contexts
 * and so on. The node of amdgpu_sim counts them in fdinfo; where the program has
 * closed the file, and KFD still has its VM, fdinfo of /dev/kfd has the same
 * numbers. amdgpu's does not:
 * newer ones list the GEM handles, none lists the rest (what fdinfo says of
 * memory has KFD's buffers and the kernel's own in it), and all that can be
 * done is to say so.
 *
 * Mappings that cannot be made again: of memory that is no buffer of KFD's, or
 * no longer; of a node under another name than it has; in a process that has
 * no open file of /dev/kfd to find them by. And mappings that begin inside a
 * buffer, what is left of one that munmap() or mprotect() has split: DRM finds
 * a buffer by the offset at which it starts, so only a driver that says that
 * it takes parts can map them.
 *
 * Primary nodes, which criu cannot open again; DMA-BUFs, sync files and fds of
 * sync objects, open or mapped. criu would refuse all of these, but late, and
 * does not say what they are.
 *
 * The tree is looked at once, from the first hook that has to do with a GPU:
 * all of it is stopped by then, and nothing has been paused or saved yet. Which
 * mappings belong to buffers is known after CHECKPOINT.
 */
#define _GNU_SOURCE
#include "foreign.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/kfd_ioctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dump.h"
#include "log.h"
#include "stray.h"

/* In an offset of /dev/kfd: what is below the GPU's id, and the type above. */
#define KFD_OFFSET_AT		((1ULL << 46) - 1)
#define KFD_OFFSET_TYPE(offset)	((offset) >> 62)
#define KFD_TYPE_DOORBELL	3
#define KFD_DOORBELL_BYTES	8192

/* The driver maps a part of a buffer that begins behind its start. */
#define KEY_PARTS		"kfd-mmap-parts"

static struct {
	bool tree_checked;
	bool told;
} checked;

/* What fdinfo of /dev/kfd counts of a file whose VM is KFD's; a line per GPU. */
#define KEY_VM			"kfd-vm"

/*
 * What a render node's fdinfo counts; the first key tells that it does. In a
 * line of fdinfo of /dev/kfd the same are words, without what they begin with.
 */
#define COUNTED_PREFIX		"kfd-"

static const struct {
	const char *key;
	const char *one;
	const char *many;
} counted[] = {
	{ COUNTED_PREFIX "gem-handles", "GEM buffer", "GEM buffers" },
	{ COUNTED_PREFIX "contexts", "context", "contexts" },
	{ COUNTED_PREFIX "bo-lists", "buffer list", "buffer lists" },
	{ COUNTED_PREFIX "syncobjs", "sync object", "sync objects" },
	{ COUNTED_PREFIX "jobs", "submitted job under way", "submitted jobs under way" },
};

static void add_count(char *text, size_t size, uint64_t n, const char *one, const char *many)
{
	size_t len = strlen(text);

	if (n)
		snprintf(text + len, size - len, "%s%" PRIu64 " %s", len ? ", " : "", n,
			 n == 1 ? one : many);
}

/* A node that does not count: what else can be known. */
static void look_at_uncounted(const struct sys_holder *h, int fd, unsigned int minor_nr,
			      char *text, size_t size)
{
	uint64_t n = 0;
	int ret = sys_gem_handles(h->pid, fd, &n);

	if (!ret)
		add_count(text, size, n, counted[0].one, counted[0].many);
	if (!checked.told)
		pr_warn("renderD%u: this kernel does not tell of %scontexts, buffer lists, sync objects and jobs of its node: if the program has any that are not KFD's, they are lost\n",
			minor_nr, ret ? "GEM buffers, " : "");
	checked.told = true;
}

/**
 * foreign_check_file() - an open file of a render node has nothing but KFD's
 * @holder: who has it open; pid 0: this process
 * @fd: its number there
 * @minor_nr: of the node
 *
 * Return: 0; -EBUSY when it has; or another negative errno. The error has been
 * logged.
 */
int foreign_check_file(const struct sys_holder *holder, int fd, unsigned int minor_nr)
{
	char text[256] = "";
	uint64_t n;
	size_t i;
	int ret = 0;

	for (i = 0; !ret && i < sizeof(counted) / sizeof(*counted); i++) {
		ret = sys_fdinfo(holder->pid, fd, counted[i].key, &n);
		if (!ret)
			add_count(text, sizeof(text), n, counted[i].one, counted[i].many);
	}
	/* Who does not show the first key does not count. */
	if (ret == -ENOENT && i == 1) {
		look_at_uncounted(holder, fd, minor_nr, text, sizeof(text));
	} else if (ret) {
		pr_err("process %d: renderD%u, fd %d: what it has cannot be found out: %s\n",
		       holder->ns_pid, minor_nr, fd, strerror(-ret));
		return ret;
	}
	if (!text[0])
		return 0;
	pr_err("process %d: renderD%u, fd %d: has %s that no image can hold: have the program free what is not KFD's, or close the node, before the dump\n",
	       holder->ns_pid, minor_nr, fd, text);
	return -EBUSY;
}

/* A word of a line, and the number behind it; there is none: 0. */
static uint64_t number_of(const char *line, const char *word)
{
	size_t len = strlen(word);
	const char *at = line;

	while ((at = strstr(at, word))) {
		if (at > line && at[-1] == ' ' && at[len] == ' ')
			return strtoull(at + len, NULL, 0);
		at += len;
	}
	return 0;
}

/*
 * The files that KFD has the VMs of. Those that are open have been looked at, so
 * what is counted here is in one that is closed, and that only KFD still has.
 */
static int check_closed_nodes(const struct sys_holder *h, int kfd)
{
	unsigned int nr;
	char line[512];
	size_t i;
	int ret;

	for (nr = 0;; nr++) {
		char text[256] = "";

		ret = sys_fdinfo_line(h->pid, kfd, KEY_VM, nr, line, sizeof(line));
		if (ret)
			break;
		for (i = 0; i < sizeof(counted) / sizeof(*counted); i++)
			add_count(text, sizeof(text),
				  number_of(line, counted[i].key + strlen(COUNTED_PREFIX)),
				  counted[i].one, counted[i].many);
		if (!text[0])
			continue;
		pr_err("process %d: renderD%" PRIu64
		       " (GPU %" PRIu64 "), whose file is closed: has %s that no image can hold: "
		       "have the program free what is not KFD's before it closes the node\n",
		       h->ns_pid, number_of(line, "render-minor"),
		       (uint64_t)strtoull(line, NULL, 0), text);
		return -EBUSY;
	}
	return ret == -ENOENT ? 0 : ret;
}

static bool is_our_primary(unsigned int minor_nr)
{
	int render = sys_render_of(minor_nr);

	return render >= 0 && dump_is_our_render(render);
}

static int refuse_primary(const struct sys_holder *h, unsigned int minor_nr)
{
	pr_err("process %d: has /dev/dri/card%u open or mapped: of a GPU only the render node (renderD%d) can be restored: have the program use that, or close it before the dump\n",
	       h->ns_pid, minor_nr, sys_render_of(minor_nr));
	return -EBUSY;
}

/* What a file without a path is that no image can hold, or NULL. */
static const char *held_file(const char *name)
{
	static const struct {
		const char *name;
		const char *what;
	} known[] = {
		{ "/dmabuf:", "a DMA-BUF" },
		{ "anon_inode:sync_file", "a sync file (a fence)" },
		{ "anon_inode:syncobj_file", "a sync object" },
	};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (!strncmp(name, known[i].name, strlen(known[i].name)))
			return known[i].what;
	return NULL;
}

static int check_anon(const struct sys_holder *h, const struct sys_fd *f)
{
	const char *what = held_file(f->name);

	if (!what)
		return 0;	/* criu's business */
	pr_err("process %d: fd %d is %s, which no image can hold: have the program close it before the dump\n",
	       h->ns_pid, f->fd, what);
	return -EBUSY;
}

static int check_fds(const struct sys_holder *h, bool *own_kfd)
{
	int kfd = -1, ret;
	struct sys_fd *fds;
	size_t nr, i;

	*own_kfd = false;
	ret = sys_device_fds(h->pid, &fds, &nr);
	if (ret)
		return ret;
	for (i = 0; !ret && i < nr; i++) {
		const struct sys_fd *f = &fds[i];

		if (f->kind == SYS_DEV_KFD)
			kfd = sys_is_own_kfd(h->pid, f->fd) ? f->fd : kfd;
		else if (f->kind == SYS_DEV_RENDER && dump_is_our_render(f->minor_nr))
			ret = foreign_check_file(h, f->fd, f->minor_nr);
		else if (f->kind == SYS_DEV_PRIMARY && is_our_primary(f->minor_nr))
			ret = refuse_primary(h, f->minor_nr);
		else if (f->kind == SYS_DEV_ANON)
			ret = check_anon(h, f);
	}
	free(fds);
	*own_kfd = kfd >= 0;
	return ret || kfd < 0 ? ret : check_closed_nodes(h, kfd);
}

/* What restore goes by is the last part of the name. */
static bool has_its_name(const struct sys_map *m)
{
	const char *base = strrchr(m->path, '/');
	char want[32];

	if (m->kind == SYS_DEV_KFD)
		snprintf(want, sizeof(want), "/kfd");
	else
		snprintf(want, sizeof(want), "/renderD%u", m->minor_nr);
	return base && !strcmp(base, want);
}

static int check_map(const struct sys_holder *h, const struct sys_map *m, bool own_kfd)
{
	if (m->kind == SYS_DEV_ANON) {
		pr_err("process %d: maps a DMA-BUF at 0x%" PRIx64 ", which no image can hold: "
		       "have the program unmap it before the dump\n",
		       h->ns_pid, m->start);
		return -EBUSY;
	}
	if (m->kind == SYS_DEV_PRIMARY)
		return is_our_primary(m->minor_nr) ? refuse_primary(h, m->minor_nr) : 0;
	if (m->kind == SYS_DEV_RENDER && !dump_is_our_render(m->minor_nr))
		return 0;
	if (!own_kfd) {
		pr_err("process %d: maps %s at 0x%" PRIx64 " and has no file of /dev/kfd of its "
		       "own open: have it unmap that, or keep the file open\n",
		       h->ns_pid, m->path, m->start);
		return -EBUSY;
	}
	if (!has_its_name(m)) {
		pr_err("process %d: maps a GPU's device at 0x%" PRIx64 " under the name %s, by "
		       "which it will not be found: have the program open it as /dev/kfd or "
		       "/dev/dri/renderD%u\n",
		       h->ns_pid, m->start, m->path,
		       m->kind == SYS_DEV_RENDER ? m->minor_nr : SYS_RENDER_FIRST);
		return -EBUSY;
	}
	return 0;
}

static int check_process(pid_t pid)
{
	struct sys_holder h = { .pid = pid, .ns_pid = sys_ns_pid(pid) };
	struct sys_map *maps;
	bool own_kfd;
	size_t nr, i;
	int ret;

	ret = check_fds(&h, &own_kfd);
	if (ret)
		return ret;
	ret = sys_device_maps(pid, &maps, &nr);
	if (ret)
		return ret;
	for (i = 0; !ret && i < nr; i++)
		ret = check_map(&h, &maps[i], own_kfd);
	free(maps);
	return ret;
}

/**
 * foreign_check_tree() - look at all processes being dumped, once
 *
 * Return: 0; -EBUSY when one has what cannot be saved; or another negative
 * errno. The error has been logged.
 */
int foreign_check_tree(void)
{
	pid_t *pids;
	size_t nr, i;
	int ret;

	if (checked.tree_checked)
		return 0;
	ret = sys_tracees(&pids, &nr);
	if (!ret) {
		for (i = 0; !ret && i < nr; i++)
			ret = check_process(pids[i]);
		free(pids);
	}
	if (!ret)
		ret = stray_check_tree();
	if (ret && ret != -EBUSY)
		pr_err("the processes being dumped cannot be looked at: %s\n", strerror(-ret));
	checked.tree_checked = !ret;
	return ret;
}

/* The first buffer that a mapping lies in, or NULL. */
static const struct mapped_bo *bo_of_map(const struct sys_map *m, const struct mapped_bo *bos,
					 size_t nr_bos)
{
	uint64_t len = m->end - m->start;
	size_t i;

	for (i = 0; i < nr_bos; i++)
		if (bos[i].minor_nr == m->minor_nr && m->offset >= bos[i].offset &&
		    len <= bos[i].size && m->offset - bos[i].offset <= bos[i].size - len)
			return &bos[i];
	return NULL;
}

/* Whether the node takes parts: any file of it says. */
static bool node_takes_parts(const struct sys_holder *h, unsigned int minor_nr)
{
	uint64_t parts = 0;
	struct sys_fd *fds;
	bool asked = false;
	size_t nr, i;
	int fd;

	if (sys_device_fds(h->pid, &fds, &nr))
		return false;
	for (i = 0; i < nr && !asked; i++) {
		asked = fds[i].kind == SYS_DEV_RENDER && fds[i].minor_nr == minor_nr;
		if (asked && sys_fdinfo(h->pid, fds[i].fd, KEY_PARTS, &parts))
			parts = 0;
	}
	free(fds);
	if (asked)
		return parts;
	fd = sys_open_render(minor_nr);
	if (fd < 0)
		return false;
	if (sys_fdinfo(0, fd, KEY_PARTS, &parts))
		parts = 0;
	close(fd);
	return parts;
}

static bool is_part_of_kfd(const struct sys_map *m)
{
	return (m->offset & KFD_OFFSET_AT) ||
	       (KFD_OFFSET_TYPE(m->offset) == KFD_TYPE_DOORBELL &&
		m->end - m->start != KFD_DOORBELL_BYTES);
}

static int check_bo_map(const struct sys_holder *h, int kfd, const struct sys_map *m,
			const struct mapped_bo *bos, size_t nr_bos)
{
	const struct mapped_bo *bo = NULL;
	uint64_t parts = 0;

	if (m->kind == SYS_DEV_KFD) {
		if (!is_part_of_kfd(m) || (!sys_fdinfo(0, kfd, KEY_PARTS, &parts) && parts))
			return 0;
	} else {
		bo = bo_of_map(m, bos, nr_bos);
		if (!bo) {
			pr_err("process %d: maps %s at 0x%" PRIx64 ", offset 0x%" PRIx64
			       ", where no buffer of KFD's is: one that has been freed, or is not "
			       "KFD's: have the program unmap it\n",
			       h->ns_pid, m->path, m->start, m->offset);
			return -EBUSY;
		}
		if (m->offset == bo->offset || node_takes_parts(h, m->minor_nr))
			return 0;
	}
	pr_err("process %d: the mapping of %s at 0x%" PRIx64 ", offset 0x%" PRIx64
	       ", is what munmap() or mprotect() left of one, and this kernel's driver maps "
	       "buffers only from their start, doorbells only whole: have the program map it "
	       "again in one piece\n",
	       h->ns_pid, m->path, m->start, m->offset);
	return -EBUSY;
}

/**
 * foreign_check_maps() - a process's mappings can be made again
 * @holder: the process; pid 0: not known, nothing is looked at
 * @kfd: this process's copy of its file of /dev/kfd
 * @bos: its buffers that are mapped through render nodes
 * @nr_bos: their number
 *
 * Return: 0; -EBUSY when one cannot; or another negative errno. The error has
 * been logged.
 */
int foreign_check_maps(const struct sys_holder *holder, int kfd, const struct mapped_bo *bos,
		       size_t nr_bos)
{
	struct sys_map *maps;
	size_t nr, i;
	int ret;

	if (!holder->pid)
		return 0;
	ret = sys_device_maps(holder->pid, &maps, &nr);
	if (ret) {
		pr_err("process %d: its mappings cannot be read: %s\n", holder->ns_pid,
		       strerror(-ret));
		return ret;
	}
	for (i = 0; !ret && i < nr; i++) {
		if (maps[i].kind == SYS_DEV_KFD ||
		    (maps[i].kind == SYS_DEV_RENDER && dump_is_our_render(maps[i].minor_nr)))
			ret = check_bo_map(holder, kfd, &maps[i], bos, nr_bos);
	}
	free(maps);
	return ret;
}

/**
 * foreign_check_other() - say why criu is going to refuse a file, if it is a GPU's
 * @fd: a file that is none of ours
 *
 * The tree does not show it: it was sent through a socket and not received.
 */
void foreign_check_other(int fd)
{
	const char *what;
	char name[40];

	sys_fd_name(0, fd, name, sizeof(name));
	what = held_file(name);
	if (what)
		pr_err("%s, sent through a socket, is nothing that an image can hold\n", what);
}

/** foreign_tree_is_checked() - whether a hook has had foreign_check_tree() called */
bool foreign_tree_is_checked(void)
{
	return checked.tree_checked;
}

/** foreign_check_finish() - the dump is over: forget what was found */
void foreign_check_finish(void)
{
	checked.tree_checked = false;
	checked.told = false;
}
