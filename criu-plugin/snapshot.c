// SPDX-License-Identifier: GPL-2.0-only
/*
 * What CHECKPOINT gave of one process, and its way into the images: buffers'
 * contents by their dma-bufs, the rest as one message.
 *
 * Called by dump.c in criu's main process, in its main thread; contents are
 * saved by threads of their own, see contents.c.
 */
#define _GNU_SOURCE
#include "snapshot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "foreign.h"
#include "image.h"
#include "log.h"
#include "room.h"
#include "sys.h"

/**
 * snapshot_free() - free what belongs to a snapshot, and close its dma-bufs
 * @s: the snapshot; whatever of it has been allocated
 */
void snapshot_free(struct snapshot *s)
{
	uint32_t i;

	for (i = 0; s->bos && i < s->args.num_bos; i++) {
		if (s->bos[i].dmabuf_fd != SNAPSHOT_NO_FD)
			close(s->bos[i].dmabuf_fd);
		if (s->recs)
			free(s->recs[i]);
	}
	free(s->devices);
	free(s->bos);
	free(s->priv_data);
	free(s->recs);
}

static void bo_message(KfdBo *bo, const struct kfd_criu_bo_bucket *b)
{
	kfd_bo__init(bo);
	bo->addr = b->addr;
	bo->size = b->size;
	bo->offset = b->offset;
	bo->gpu_id = b->gpu_id;
	bo->alloc_flags = b->alloc_flags;
}

static const char *snapshot_label(char *buf, const struct snapshot *s, uint32_t i)
{
	KfdBo bo;

	bo_message(&bo, &s->bos[i]);
	return bo_label(buf, BO_LABEL_SIZE, i, &bo);
}

/* Render minor of the GPU that the process knows as @user_gpu_id. */
static int render_minor_of(const struct snapshot *s, uint32_t user_gpu_id)
{
	const KfdGpu *gpu;
	uint32_t i;

	for (i = 0; i < s->args.num_devices; i++)
		if (s->devices[i].user_gpu_id == user_gpu_id)
			break;
	if (i == s->args.num_devices)
		return -ENODEV;
	gpu = topology_by_id(s->gpus->gpus, s->gpus->nr, s->devices[i].actual_gpu_id);
	return gpu ? (int)gpu->render_minor : -ENODEV;
}

/*
 * Where a BO can be mapped: its dmabuf, or else the process's own render node.
 * *borrowed is an fd to be closed in the latter case.
 */
static int find_mapping(const struct snapshot *s, uint32_t i,
			struct contents_obj *obj, int *borrowed)
{
	const struct kfd_criu_bo_bucket *bo = &s->bos[i];
	char label[BO_LABEL_SIZE];
	void *probe;
	int minor_nr;

	*borrowed = -1;
	if (bo->dmabuf_fd != SNAPSHOT_NO_FD) {
		probe = mmap(NULL, CONTENTS_PAGE, PROT_READ, MAP_SHARED, bo->dmabuf_fd, 0);
		if (probe != MAP_FAILED) {
			munmap(probe, CONTENTS_PAGE);
			obj->fd = bo->dmabuf_fd;
			obj->fd_offset = 0;
			return 0;
		}
	}
	minor_nr = render_minor_of(s, bo->gpu_id);
	*borrowed = minor_nr < 0 || !s->pid ? -ENODEV :
		    sys_borrow_fd(s->pid, makedev(SYS_DRM_MAJOR, minor_nr));
	if (*borrowed < 0) {
		pr_err("process %d: %s: neither its dmabuf can be mapped nor the render node of GPU %u be had (%s)\n",
		       s->ns_pid, snapshot_label(label, s, i), bo->gpu_id,
		       strerror(-*borrowed));
		return *borrowed;
	}
	obj->fd = *borrowed;
	obj->fd_offset = bo->offset;
	obj->from_start = true;
	return 0;
}

/* What may have to be written: pages of zeros are not. */
static uint64_t contents_bytes(const struct snapshot *s)
{
	uint64_t bytes = 0;
	uint32_t i;

	for (i = 0; i < s->args.num_bos; i++)
		if (bo_has_contents(s->bos[i].alloc_flags))
			bytes += s->bos[i].size;
	return bytes;
}

static void print_not_saved(int dir, const struct snapshot *s, const struct contents_job *job,
			    uint32_t index, int err)
{
	char label[BO_LABEL_SIZE], text[ROOM_TEXT_SIZE];

	snapshot_label(label, s, index);
	if (job->what == CONTENTS_MEMORY)
		pr_err("process %d: out of memory\n", s->ns_pid);
	else if (job->what == CONTENTS_WRITE)
		pr_err("process %d: %s: %s at 0x%" PRIx64 ": %s; %" PRIu64
		       " bytes had been written\n",
		       s->ns_pid, label, contents_what_text(job->what), job->offset,
		       room_text(text, dir, err, contents_bytes(s) - job->stored), job->stored);
	else
		pr_err("process %d: %s: %s at 0x%" PRIx64 ": %s\n", s->ns_pid, label,
		       contents_what_text(job->what), job->offset, strerror(-err));
}

static int save_objs(int dir, struct snapshot *s, struct contents_obj *objs,
		     const uint32_t *index, unsigned int nr, const int *files)
{
	struct contents_job job = {
		.objs = objs, .nr_objs = nr, .files = files,
		.file_sizes = s->file_sizes, .nr_files = s->nr_files,
		.threads = s->nr_files,
	};
	int ret = contents_save(&job);

	if (ret)
		print_not_saved(dir, s, &job, index[job.obj], ret);
	else
		pr_debug("process %d: %" PRIu64 " KiB of contents stored\n", s->ns_pid,
			 job.stored >> 10);
	return ret;
}

/* Contents of all VRAM and GTT BOs, into files that are open already. */
static int save_to_files(int dir, struct snapshot *s, const int *files)
{
	struct contents_obj *objs = calloc(s->args.num_bos, sizeof(*objs));
	uint32_t *index = calloc(s->args.num_bos, sizeof(*index));
	int *borrowed = calloc(s->args.num_bos, sizeof(*borrowed));
	unsigned int nr = 0, i;
	int ret = 0;

	if (!objs || !index || !borrowed)
		ret = -ENOMEM;
	for (i = 0; !ret && i < s->args.num_bos; i++) {
		const struct kfd_criu_bo_bucket *bo = &s->bos[i];

		if (!bo_has_contents(bo->alloc_flags))
			continue;
		ret = find_mapping(s, i, &objs[nr], &borrowed[nr]);
		if (ret)
			break;
		objs[nr].size = bo->size;
		objs[nr].recs = s->recs[i];
		index[nr++] = i;
	}
	if (!ret)
		ret = save_objs(dir, s, objs, index, nr, files);
	else if (ret == -ENOMEM)
		pr_err("process %d: out of memory\n", s->ns_pid);
	for (i = 0; i < nr; i++)
		if (borrowed[i] >= 0)
			close(borrowed[i]);
	free(objs);
	free(index);
	free(borrowed);
	return ret;
}

/* A file system may have less and hold it, if much of it is zero. */
static void compare_with_room(int dir, const struct snapshot *s, uint64_t bytes)
{
	uint64_t left;

	if (!room_left(dir, &left) && left < bytes)
		pr_warn("process %d: its buffers have %" PRIu64 " bytes, and the image directory "
			"has room for %" PRIu64 ": the dump fails unless %" PRIu64
			" of them are zeros\n",
			s->ns_pid, bytes, left, bytes - left);
}

/**
 * snapshot_save_contents() - save what is in all VRAM and GTT buffers
 * @dir: image directory
 * @s: the snapshot, after snapshot_prepare(); gets the chunk records and the
 *	sizes of the files
 *
 * Return: 0, or a negative errno; the error has been logged. What was written
 * is for image_remove().
 */
int snapshot_save_contents(int dir, struct snapshot *s)
{
	uint64_t bytes = contents_bytes(s);
	int files[CONTENTS_MAX_FILES];
	unsigned int n;
	int ret = 0;

	if (!bytes)
		return 0;
	n = contents_default_threads();
	if (bytes <= (uint64_t)(n - 1) * CONTENTS_WINDOW)
		n = bytes / CONTENTS_WINDOW + 1;
	while (s->nr_files < n) {
		ret = image_create_contents(dir, s->id, s->nr_files, s->dump_id);
		if (ret < 0)
			break;
		files[s->nr_files] = ret;
		s->file_sizes[s->nr_files++] = CONTENTS_DATA_START;
		ret = 0;
	}
	if (!ret) {
		compare_with_room(dir, s, bytes);
		ret = save_to_files(dir, s, files);
	}
	for (n = 0; n < s->nr_files; n++) {
		if (close(files[n]) && !ret) {
			ret = -errno;
			pr_err("process %d: kfd-contents-%u-%u.img: %s\n", s->ns_pid, s->id, n,
			       strerror(errno));
		}
	}
	return ret;
}

/* Space for the chunk records of all buffers. */
static int new_recs(struct snapshot *s)
{
	char label[BO_LABEL_SIZE];
	uint32_t i;

	for (i = 0; i < s->args.num_bos; i++) {
		const struct kfd_criu_bo_bucket *bo = &s->bos[i];

		if (!bo_has_contents(bo->alloc_flags))
			continue;
		if (!bo->size || bo->size % CONTENTS_PAGE || bo->size > IMAGE_MAX_BO_SIZE) {
			pr_err("process %d: %s: impossible size\n", s->ns_pid,
			       snapshot_label(label, s, i));
			return -EINVAL;
		}
		s->recs[i] = calloc(contents_nr_chunks(bo->size), sizeof(**s->recs));
		if (!s->recs[i]) {
			pr_err("process %d: out of memory\n", s->ns_pid);
			return -ENOMEM;
		}
	}
	return 0;
}

/* kfd-process-ID.img, or the room for it alone. */
static int write_or_reserve(int dir, struct snapshot *s, bool reserve)
{
	KfdProcess p = KFD_PROCESS__INIT;
	KfdDevice *devices = calloc(s->args.num_devices + 1ul, sizeof(*devices));
	KfdBo *bos = calloc(s->args.num_bos + 1ul, sizeof(*bos));
	uint32_t i;
	int ret = -ENOMEM;

	p.devices = calloc(s->args.num_devices + 1ul, sizeof(*p.devices));
	p.bos = calloc(s->args.num_bos + 1ul, sizeof(*p.bos));
	if (!devices || !bos || !p.devices || !p.bos)
		goto out;
	p.dump_id = s->dump_id;
	p.pid = s->ns_pid;
	p.num_objects = s->args.num_objects;
	p.n_devices = s->args.num_devices;
	for (i = 0; i < s->args.num_devices; i++) {
		kfd_device__init(&devices[i]);
		devices[i].user_gpu_id = s->devices[i].user_gpu_id;
		devices[i].actual_gpu_id = s->devices[i].actual_gpu_id;
		p.devices[i] = &devices[i];
	}
	p.n_bos = s->args.num_bos;
	for (i = 0; i < s->args.num_bos; i++) {
		bo_message(&bos[i], &s->bos[i]);
		if (s->recs[i]) {
			bos[i].has_chunks = 1;
			bos[i].chunks.data = (uint8_t *)s->recs[i];
			bos[i].chunks.len = contents_nr_chunks(s->bos[i].size) *
					    sizeof(struct chunk_rec);
		}
		p.bos[i] = &bos[i];
	}
	p.priv_data.data = s->priv_data;
	p.priv_data.len = s->args.priv_data_size;
	p.contents_sizes = s->file_sizes;
	p.n_contents_sizes = s->nr_files;
	ret = reserve ? image_reserve_process(dir, s->id, &p) :
			image_write_process(dir, s->id, &p);
out:
	free(p.devices);
	free(p.bos);
	free(devices);
	free(bos);
	return ret;
}

/**
 * snapshot_prepare() - before contents are saved: can the rest be?
 * @dir: image directory
 * @s: the snapshot; gets space for chunk records
 *
 * Contents take long, and what the driver gives out may be more than there is
 * room for, or nothing that a restore would take.
 *
 * Return: 0, or a negative errno; the error has been logged.
 */
int snapshot_prepare(int dir, struct snapshot *s)
{
	int ret = new_recs(s);

	return ret ? ret : write_or_reserve(dir, s, true);
}

/**
 * snapshot_write() - write kfd-process-ID.img
 * @dir: image directory
 * @s: the snapshot, after snapshot_save_contents()
 *
 * Return: 0, or a negative errno; the error has been logged.
 */
int snapshot_write(int dir, struct snapshot *s)
{
	return write_or_reserve(dir, s, false);
}

/**
 * snapshot_check_maps() - before anything is saved: can the mappings be made again?
 * @s: the snapshot
 *
 * Return: 0; -EBUSY when one cannot; or another negative errno. The error has
 * been logged.
 */
int snapshot_check_maps(const struct snapshot *s)
{
	struct sys_holder holder = { .pid = s->pid, .ns_pid = s->ns_pid };
	struct mapped_bo *bos = calloc(s->args.num_bos + 1ul, sizeof(*bos));
	size_t nr = 0;
	uint32_t i;
	int ret;

	if (!bos) {
		pr_err("process %d: out of memory\n", s->ns_pid);
		return -ENOMEM;
	}
	for (i = 0; i < s->args.num_bos; i++) {
		int minor_nr = render_minor_of(s, s->bos[i].gpu_id);

		if (minor_nr < 0 || !bo_has_contents(s->bos[i].alloc_flags))
			continue;
		bos[nr++] = (struct mapped_bo) { minor_nr, s->bos[i].offset, s->bos[i].size };
	}
	ret = foreign_check_maps(&holder, s->kfd, bos, nr);
	free(bos);
	return ret;
}
