// SPDX-License-Identifier: GPL-2.0-only
/*
 * The GPU state of one process: the RESTORE op, other CPU addresses for its
 * buffers where that is wanted, and their contents.
 *
 * Runs in the process being restored, from the hook for its file of /dev/kfd.
 * The driver adopts the VM of the render node files that it is given here, and
 * buffers can only be mapped through these very files; state.c sees to it that
 * they are the ones that the process ends up with, whichever hook comes first.
 */
#define _GNU_SOURCE
#include "restore.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kfd_ioctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "contents.h"
#include "log.h"
#include "move.h"
#include "sys.h"

#define NO_FD			0xffffffffu

/* RESTORE's arguments, and what goes with each device and buffer. */
struct target {
	struct kfd_ioctl_criu_args args;
	struct kfd_criu_device_bucket *devices;
	size_t *slots;			/* per device */
	struct kfd_criu_bo_bucket *bos;
	struct move_plan moves;
	int files[CONTENTS_MAX_FILES];
	unsigned int nr_files;
};

static const char *op_hint(int err)
{
	switch (err) {
	case -EACCES:
	case -EPERM:
		return " (criu needs CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN)";
	case -ENOTTY:
		return " (the KFD driver is too old for checkpoints: 1.8 is needed)";
	case -EINVAL:
		return " (the image is damaged or does not fit: see amdkfd's debug messages)";
	case -E2BIG:
		return " (the image was made by a newer driver: update this one)";
	case -ENOMEM:
	case -ENOSPC:
		return " (not enough VRAM, memory or queues: stop other GPU programs)";
	case -EMFILE:
	case -ENFILE:
		return " (criu needs an fd for each buffer: raise ulimit -n, or fs.file-max)";
	case -EBUSY:
		return " (the process has GPU state already, or a render node has an owner)";
	default:
		return "";
	}
}

static void free_target(struct target *t)
{
	unsigned int i;

	for (i = 0; t->bos && i < t->args.num_bos; i++)
		if (t->bos[i].dmabuf_fd != NO_FD)
			close(t->bos[i].dmabuf_fd);
	for (i = 0; i < t->nr_files; i++)
		close(t->files[i]);
	free(t->devices);
	free(t->slots);
	free(t->bos);
	free(t->moves.list);
}

static int fill_devices(struct restore_state *st, const KfdProcess *p, struct target *t)
{
	size_t i;

	for (i = 0; i < p->n_devices; i++) {
		int slot = restore_slot_by_old_id(st, p->devices[i]->actual_gpu_id);
		int ret;

		if (slot < 0) {
			pr_err("process %d: GPU %u of its state is not among the image's GPUs\n",
			       st->pid, p->devices[i]->actual_gpu_id);
			return slot;
		}
		ret = restore_slot_open(st, slot);
		if (ret)
			return ret;
		t->slots[i] = slot;
		t->devices[i].user_gpu_id = p->devices[i]->user_gpu_id;
		t->devices[i].actual_gpu_id = st->now.gpus[slot]->gpu_id;
		t->devices[i].drm_fd = st->slots[slot].drm_fd;
		pr_debug("process %d: its GPU %u was %u, is %u, renderD%u\n", st->pid,
			 p->devices[i]->user_gpu_id, p->devices[i]->actual_gpu_id,
			 st->now.gpus[slot]->gpu_id, st->now.gpus[slot]->render_minor);
	}
	return 0;
}

static void fill_bos(const KfdProcess *p, struct target *t)
{
	size_t i;

	for (i = 0; i < p->n_bos; i++) {
		t->bos[i].addr = p->bos[i]->addr;
		t->bos[i].size = p->bos[i]->size;
		t->bos[i].offset = p->bos[i]->offset;
		t->bos[i].gpu_id = p->bos[i]->gpu_id;
		t->bos[i].alloc_flags = p->bos[i]->alloc_flags;
		t->bos[i].dmabuf_fd = NO_FD;
	}
}

/* Everything that can be found wrong without the driver comes before it. */
static int prepare(int dir, struct restore_state *st, unsigned int id,
		   const KfdProcess *p, struct target *t)
{
	int ret;

	t->devices = calloc(p->n_devices + 1, sizeof(*t->devices));
	t->slots = calloc(p->n_devices + 1, sizeof(*t->slots));
	t->bos = calloc(p->n_bos + 1, sizeof(*t->bos));
	if (!t->devices || !t->slots || !t->bos) {
		pr_err("process %d: out of memory for %zu BOs\n", st->pid, p->n_bos);
		return -ENOMEM;
	}
	while (t->nr_files < p->n_contents_sizes) {
		ret = image_open_contents(dir, id, t->nr_files, p);
		if (ret < 0)
			return ret;
		t->files[t->nr_files++] = ret;
	}
	ret = move_make_plan(st, p, &t->moves);
	if (!ret)
		ret = fill_devices(st, p, t);
	if (ret)
		return ret;
	fill_bos(p, t);
	t->args.devices = (uintptr_t)t->devices;
	t->args.bos = (uintptr_t)t->bos;
	t->args.priv_data = (uintptr_t)p->priv_data.data;
	t->args.priv_data_size = p->priv_data.len;
	t->args.num_devices = p->n_devices;
	t->args.num_bos = p->n_bos;
	t->args.num_objects = p->num_objects;
	t->args.op = KFD_CRIU_OP_RESTORE;
	return 0;
}

static int call_driver(struct restore_state *st, int kfd, struct target *t)
{
	uint32_t i;
	int ret = sys_criu_op(kfd, &t->args);

	/* As at dump: what is no fd may come back as 0. */
	for (i = 0; i < t->args.num_bos; i++)
		if (!t->bos[i].dmabuf_fd)
			t->bos[i].dmabuf_fd = NO_FD;
	if (ret)
		pr_err("process %d: RESTORE of %u GPUs, %u BOs and %u objects failed: %s%s\n",
		       st->pid, t->args.num_devices, t->args.num_bos, t->args.num_objects,
		       strerror(-ret), op_hint(ret));
	return ret;
}

static size_t slot_of_bo(const struct target *t, uint32_t i)
{
	uint32_t n;

	for (n = 0; n < t->args.num_devices; n++)
		if (t->devices[n].user_gpu_id == t->bos[i].gpu_id)
			return t->slots[n];
	return 0;	/* the image's validation has excluded this */
}

/* By dmabuf, or else through the render node as the process will do it. */
static void find_mapping(const struct restore_state *st, const struct target *t,
			 uint32_t i, struct contents_obj *obj)
{
	void *probe;

	obj->fd = t->bos[i].dmabuf_fd;
	obj->fd_offset = 0;
	if (obj->fd != (int)NO_FD) {
		probe = mmap(NULL, CONTENTS_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, obj->fd, 0);
		if (probe != MAP_FAILED) {
			munmap(probe, CONTENTS_PAGE);
			return;
		}
	}
	obj->fd = st->slots[slot_of_bo(t, i)].drm_fd;
	obj->fd_offset = t->bos[i].restored_offset;
	obj->from_start = true;
}

static int load_contents(int dir, struct restore_state *st, const KfdProcess *p,
			 struct target *t)
{
	struct contents_obj *objs = calloc(p->n_bos + 1, sizeof(*objs));
	uint32_t *index = calloc(p->n_bos + 1, sizeof(*index));
	struct contents_job job = {
		.objs = objs, .files = t->files, .nr_files = t->nr_files,
		.threads = contents_default_threads(),
		.tid_wanted = image_wants_tid, .tid_arg = &dir,
	};
	char label[BO_LABEL_SIZE];
	int ret = -ENOMEM;
	size_t i;

	if (!objs || !index)
		goto out;
	for (i = 0; i < p->n_bos; i++) {
		if (!bo_has_contents(p->bos[i]->alloc_flags))
			continue;
		find_mapping(st, t, i, &objs[job.nr_objs]);
		objs[job.nr_objs].size = p->bos[i]->size;
		objs[job.nr_objs].recs = (void *)p->bos[i]->chunks.data;
		index[job.nr_objs++] = i;
	}
	ret = contents_load(&job);
out:
	if (ret && (!objs || !index || job.what == CONTENTS_MEMORY))
		pr_err("process %d: out of memory\n", st->pid);
	else if (ret)
		pr_err("process %d: %s: %s at 0x%" PRIx64 "%s%s\n", st->pid,
		       bo_label(label, sizeof(label), index[job.obj], p->bos[index[job.obj]]),
		       contents_what_text(job.what), job.offset, job.err ? ": " : "",
		       job.err ? strerror(job.err) : "");
	free(objs);
	free(index);
	return ret;
}

/* Remember what the hook for mappings has to know. */
static int note_moves(struct restore_state *st, const KfdProcess *p, const struct target *t)
{
	size_t i;

	st->bos = calloc(p->n_bos + 1, sizeof(*st->bos));
	st->devices = calloc(p->n_devices + 1, sizeof(*st->devices));
	if (!st->bos || !st->devices)
		return -ENOMEM;
	for (i = 0; i < p->n_bos; i++) {
		struct moved_bo *m = &st->bos[st->nr_bos++];
		size_t slot = slot_of_bo(t, i), old;

		m->old = p->bos[i]->offset;
		m->new = t->bos[i].restored_offset;
		m->size = p->bos[i]->size;
		m->slot = slot;
		for (old = 0; old < st->nr_saved && st->map[old] != slot; old++)
			;
		if (bo_has_contents(p->bos[i]->alloc_flags))
			m->minor_nr = st->saved[old]->render_minor;
		else if (p->bos[i]->alloc_flags & KFD_IOC_ALLOC_MEM_FLAGS_USERPTR)
			st->nr_bos--;	/* mapped through no device */
	}
	for (i = 0; i < p->n_devices; i++) {
		kfd_device__init(&st->devices[i]);
		st->devices[i].user_gpu_id = p->devices[i]->user_gpu_id;
		st->devices[i].actual_gpu_id = p->devices[i]->actual_gpu_id;
	}
	st->nr_devices = p->n_devices;
	return 0;
}

/**
 * restore_process() - bring back the GPU state of this process
 * @dir: image directory
 * @st: of this process
 * @kfd: its new file of /dev/kfd
 * @id: number of the image
 *
 * Return: 0, or a negative errno; the error has been logged. After an error
 * criu kills the process, and the driver frees what there was.
 */
int restore_process(int dir, struct restore_state *st, int kfd, unsigned int id)
{
	struct target t = {};
	KfdProcess *p;
	int ret;

	ret = image_read_process(dir, id, &p);
	if (ret)
		return ret;
	if (p->dump_id != restore_find_file(st, id)->entry->dump_id) {
		pr_err("kfd-process-%u.img: of another dump than kfd-file-%u.img\n", id, id);
		kfd_process__free_unpacked(p, NULL);
		return -EINVAL;
	}
	pr_info("process %d: restoring %zu GPUs, %zu BOs, %u objects\n", st->pid,
		p->n_devices, p->n_bos, p->num_objects);
	ret = prepare(dir, st, id, p, &t);
	if (!ret)
		ret = call_driver(st, kfd, &t);
	if (!ret)
		ret = move_apply(st, kfd, &t.moves);
	if (!ret)
		ret = load_contents(dir, st, p, &t);
	if (!ret)
		ret = note_moves(st, p, &t);
	free_target(&t);
	kfd_process__free_unpacked(p, NULL);
	return ret;
}
