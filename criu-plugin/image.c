// SPDX-License-Identifier: GPL-2.0-only
/*
 * The image files of GPU state: writing them, and reading them with nothing
 * in them believed before it has been checked.
 *
 * A reader that returns success has proved: the file is whole and of this
 * version, its message is the one that was written, and every number in it is
 * in range and fits the others, so that its user needs no checks of his own
 * (sizes of arrays, ids, places in contents files). What can only be judged
 * by the driver (priv_data, alloc_flags, addresses) is left to it.
 */
#define _GNU_SOURCE
#define XXH_INLINE_ALL
#include "image.h"

#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kfd_ioctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "log.h"
#include "room.h"

#define NAME_LEN		64
#define GPU_ID_MAX		0xffff

_Static_assert(sizeof(struct image_header) == 40, "part of the format");
_Static_assert(sizeof(struct chunk_rec) == 24, "part of the format");

/**
 * bo_has_contents() - whether a buffer's contents are in the image
 * @alloc_flags: KFD_IOC_ALLOC_MEM_FLAGS_*
 *
 * Return: true for VRAM and GTT; other memory is the process's own, which
 * criu dumps, or none.
 */
bool bo_has_contents(uint32_t alloc_flags)
{
	return alloc_flags & (KFD_IOC_ALLOC_MEM_FLAGS_VRAM | KFD_IOC_ALLOC_MEM_FLAGS_GTT);
}

static const char *bo_kind(uint32_t flags)
{
	if (flags & KFD_IOC_ALLOC_MEM_FLAGS_VRAM)
		return "VRAM";
	if (flags & KFD_IOC_ALLOC_MEM_FLAGS_GTT)
		return "GTT";
	if (flags & KFD_IOC_ALLOC_MEM_FLAGS_USERPTR)
		return "userptr";
	if (flags & KFD_IOC_ALLOC_MEM_FLAGS_DOORBELL)
		return "doorbell";
	if (flags & KFD_IOC_ALLOC_MEM_FLAGS_MMIO_REMAP)
		return "MMIO";
	return "unknown kind";
}

/**
 * bo_label() - what messages call a buffer
 * @buf: for the text
 * @size: of @buf, BO_LABEL_SIZE is enough
 * @index: of the buffer in its process
 * @bo: the buffer
 *
 * Return: @buf, as "BO 3 (VRAM, 0x7f0000000000, 4 MiB)".
 */
const char *bo_label(char *buf, size_t size, size_t index, const KfdBo *bo)
{
	bool mib = !(bo->size & 0xfffff);

	snprintf(buf, size, "BO %zu (%s, 0x%" PRIx64 ", %" PRIu64 " %s)", index,
		 bo_kind(bo->alloc_flags), bo->addr, bo->size >> (mib ? 20 : 10),
		 mib ? "MiB" : "KiB");
	return buf;
}

static const char *image_name(char *name, enum image_kind kind, unsigned int id,
			      unsigned int nr)
{
	if (kind == IMAGE_CONTENTS)
		snprintf(name, NAME_LEN, "kfd-contents-%u-%u.img", id, nr);
	else if (kind == IMAGE_INVENTORY)
		snprintf(name, NAME_LEN, "kfd-inventory.img");
	else
		snprintf(name, NAME_LEN, "kfd-%s-%u.img",
			 kind == IMAGE_FILE ? "file" : "process", id);
	return name;
}

/**
 * image_file_id() - recognise the name of a kfd-file-ID.img
 * @name: of a directory entry
 * @id: out
 *
 * Return: 0, or -EINVAL for any other name.
 */
int image_file_id(const char *name, unsigned int *id)
{
	char expect[NAME_LEN];

	if (sscanf(name, "kfd-file-%u.img", id) != 1)
		return -EINVAL;
	return strcmp(name, image_name(expect, IMAGE_FILE, *id, 0)) ? -EINVAL : 0;
}

static void fill_header(struct image_header *h, enum image_kind kind,
			uint64_t payload, uint64_t hash)
{
	memcpy(h->magic, KFD_IMAGE_MAGIC, sizeof(h->magic));
	h->version = htole32(KFD_IMAGE_VERSION);
	h->kind = htole32(kind);
	h->payload = htole64(payload);
	h->hash = htole64(hash);
	h->header_hash = htole64(XXH64(h, offsetof(struct image_header, header_hash), 0));
}

static int write_all(int fd, const void *buf, size_t len)
{
	const char *p = buf;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENOSPC;
		p += n;
		len -= n;
	}
	return 0;
}

/* @len: bytes to have; -ENODATA when the file ends before. */
static int read_all(int fd, void *buf, size_t len)
{
	char *p = buf;

	while (len) {
		ssize_t n = read(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENODATA;
		p += n;
		len -= n;
	}
	return 0;
}

/* Bytes of the file that a message becomes, or a negative errno, logged. */
static ssize_t file_size(const char *name, const ProtobufCMessage *msg)
{
	size_t len = protobuf_c_message_get_packed_size(msg);

	if (len <= IMAGE_MAX_PAYLOAD)
		return sizeof(struct image_header) + len;
	pr_err("%s: %zu bytes of GPU state are more than the format allows\n", name, len);
	return -EFBIG;
}

static void print_not_written(const char *name, int dir, int err, uint64_t bytes)
{
	char text[ROOM_TEXT_SIZE];

	pr_err("%s: cannot be written: %s\n", name, room_text(text, dir, err, bytes));
}

/* What is there may be room that image_reserve_process() has taken: it is kept. */
static int write_message(int dir, enum image_kind kind, unsigned int id,
			 const ProtobufCMessage *msg)
{
	struct image_header *h;
	char name[NAME_LEN];
	ssize_t size;
	int fd, ret;

	image_name(name, kind, id, 0);
	size = file_size(name, msg);
	if (size < 0)
		return size;
	h = malloc(size);
	if (!h) {
		pr_err("%s: out of memory for %zd bytes\n", name, size);
		return -ENOMEM;
	}
	protobuf_c_message_pack(msg, (uint8_t *)(h + 1));
	fill_header(h, kind, size - sizeof(*h), XXH64(h + 1, size - sizeof(*h), kind));
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ret = fd < 0 ? -errno : write_all(fd, h, size);
	if (!ret && ftruncate(fd, size))
		ret = -errno;
	if (fd >= 0 && close(fd) && !ret)
		ret = -errno;
	free(h);
	if (ret)
		print_not_written(name, dir, ret, size);
	return ret;
}

/**
 * image_write_file() - write kfd-file-ID.img
 * @dir: image directory
 * @id: criu's number of the file
 * @entry: the message
 *
 * Return: 0, or a negative errno; the error has been logged.
 */
int image_write_file(int dir, unsigned int id, const KfdFileEntry *entry)
{
	return write_message(dir, IMAGE_FILE, id, &entry->base);
}

/**
 * image_write_process() - write kfd-process-ID.img
 * @dir: image directory
 * @id: criu's number of the file of /dev/kfd
 * @process: the message
 *
 * Return: 0, or a negative errno; the error has been logged.
 */
int image_write_process(int dir, unsigned int id, const KfdProcess *process)
{
	return write_message(dir, IMAGE_PROCESS, id, &process->base);
}

/**
 * image_write_inventory() - write kfd-inventory.img
 * @dir: image directory
 * @inventory: the message
 *
 * Return: 0, or a negative errno; the error has been logged.
 */
int image_write_inventory(int dir, const KfdInventory *inventory)
{
	return write_message(dir, IMAGE_INVENTORY, 0, &inventory->base);
}

/**
 * image_remove_inventory() - remove kfd-inventory.img, if there is one
 * @dir: image directory
 */
void image_remove_inventory(int dir)
{
	char name[NAME_LEN];

	unlinkat(dir, image_name(name, IMAGE_INVENTORY, 0, 0), 0);
}

/**
 * image_create_contents() - create kfd-contents-ID-N.img with its header
 * @dir: image directory
 * @id: criu's number of the file of /dev/kfd
 * @nr: N
 * @dump_id: of this dump
 *
 * Return: fd for pwritev() from CONTENTS_DATA_START on, or a negative errno;
 * the error has been logged.
 */
int image_create_contents(int dir, unsigned int id, unsigned int nr, uint64_t dump_id)
{
	struct image_header h;
	char name[NAME_LEN];
	int fd, ret;

	image_name(name, IMAGE_CONTENTS, id, nr);
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ret = fd < 0 ? -errno : 0;
	if (!ret) {
		fill_header(&h, IMAGE_CONTENTS, nr, dump_id);
		ret = write_all(fd, &h, sizeof(h));
	}
	if (!ret && ftruncate(fd, CONTENTS_DATA_START))
		ret = -errno;
	if (!ret)
		return fd;
	print_not_written(name, dir, ret, CONTENTS_DATA_START);
	if (fd >= 0)
		close(fd);
	return ret;
}

/**
 * image_remove() - remove what was written for a file whose dump failed
 * @dir: image directory
 * @id: criu's number of the file
 */
void image_remove(int dir, unsigned int id)
{
	char name[NAME_LEN];
	unsigned int nr;

	unlinkat(dir, image_name(name, IMAGE_FILE, id, 0), 0);
	unlinkat(dir, image_name(name, IMAGE_PROCESS, id, 0), 0);
	for (nr = 0; nr < CONTENTS_MAX_FILES; nr++)
		unlinkat(dir, image_name(name, IMAGE_CONTENTS, id, nr), 0);
}

/* Header and kind; the reader's position is behind the header then. */
static int read_header(int fd, const char *name, enum image_kind kind,
		       struct image_header *h)
{
	int ret = read_all(fd, h, sizeof(*h));

	if (ret == -ENODATA) {
		pr_err("%s: truncated: it ends within its header\n", name);
		return -EINVAL;
	}
	if (ret) {
		pr_err("%s: cannot be read: %s\n", name, strerror(-ret));
		return ret;
	}
	if (memcmp(h->magic, KFD_IMAGE_MAGIC, sizeof(h->magic))) {
		pr_err("%s: not an image of this plugin\n", name);
		return -EINVAL;
	}
	if (le32toh(h->version) != KFD_IMAGE_VERSION) {
		pr_err("%s: format version %u, this plugin reads version %u: restore with the plugin that dumped\n",
		       name, le32toh(h->version), KFD_IMAGE_VERSION);
		return -EINVAL;
	}
	if (le64toh(h->header_hash) !=
	    XXH64(h, offsetof(struct image_header, header_hash), 0)) {
		pr_err("%s: header checksum mismatch\n", name);
		return -EINVAL;
	}
	if (le32toh(h->kind) != kind) {
		pr_err("%s: holds an image of kind %u instead of %u\n", name,
		       le32toh(h->kind), kind);
		return -EINVAL;
	}
	return 0;
}

/* The checked bytes of a message; free() them. */
static int read_payload(int fd, const char *name, enum image_kind kind,
			uint8_t **out, size_t *len)
{
	struct image_header h;
	struct stat st;
	int ret;

	ret = read_header(fd, name, kind, &h);
	if (ret)
		return ret;
	if (fstat(fd, &st))
		return -errno;
	*len = le64toh(h.payload);
	if (le64toh(h.payload) > IMAGE_MAX_PAYLOAD ||
	    (uint64_t)st.st_size != sizeof(h) + le64toh(h.payload)) {
		pr_err("%s: %s: %" PRIu64 " bytes, %" PRIu64 " expected\n", name,
		       (uint64_t)st.st_size < sizeof(h) + le64toh(h.payload) ?
		       "truncated" : "size mismatch", (uint64_t)st.st_size,
		       sizeof(h) + le64toh(h.payload));
		return -EINVAL;
	}
	*out = malloc(*len + 1);
	if (!*out)
		return -ENOMEM;
	ret = read_all(fd, *out, *len);
	if (!ret && XXH64(*out, *len, kind) != le64toh(h.hash))
		ret = -EBADMSG;
	if (!ret)
		return 0;
	if (ret == -EBADMSG)
		pr_err("%s: checksum mismatch\n", name);
	else
		pr_err("%s: cannot be read: %s\n", name, strerror(-ret));
	free(*out);
	return ret == -EBADMSG ? -EINVAL : ret;
}

static int read_message(int dir, enum image_kind kind, unsigned int id,
			const ProtobufCMessageDescriptor *type, ProtobufCMessage **out)
{
	char name[NAME_LEN];
	uint8_t *buf = NULL;
	size_t len = 0;
	int fd, ret;

	image_name(name, kind, id, 0);
	fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		ret = -errno;
		/*
		 * No such kfd-file is how other plugins' files are told apart,
		 * and older dumps have no inventory.
		 */
		if (ret != -ENOENT || (kind != IMAGE_FILE && kind != IMAGE_INVENTORY))
			pr_err("%s: cannot be opened: %s\n", name, strerror(-ret));
		return ret;
	}
	ret = read_payload(fd, name, kind, &buf, &len);
	close(fd);
	if (ret)
		return ret;
	*out = protobuf_c_message_unpack(type, NULL, len, buf);
	free(buf);
	if (!*out) {
		pr_err("%s: the message in it is malformed\n", name);
		return -EINVAL;
	}
	return 0;
}

static int check_gpus(const char *name, struct KfdGpu **gpus, size_t nr)
{
	size_t i, j;

	if (nr > IMAGE_MAX_DEVICES) {
		pr_err("%s: %zu GPUs\n", name, nr);
		return -EINVAL;
	}
	for (i = 0; i < nr; i++) {
		if (!gpus[i]->gpu_id || gpus[i]->gpu_id > GPU_ID_MAX) {
			pr_err("%s: GPU %zu has the impossible id %u\n", name, i, gpus[i]->gpu_id);
			return -EINVAL;
		}
		for (j = 0; j < i; j++) {
			if (gpus[i]->gpu_id != gpus[j]->gpu_id)
				continue;
			pr_err("%s: GPU id %u occurs twice\n", name, gpus[i]->gpu_id);
			return -EINVAL;
		}
	}
	return 0;
}

static int check_file(const char *name, const KfdFileEntry *e)
{
	size_t i;

	if ((e->kind != KFD_FILE_KFD || !e->has_pid) && e->kind != KFD_FILE_DEAD &&
	    (e->kind != KFD_FILE_RENDER || !e->has_render_minor)) {
		pr_err("%s: file of kind %u lacks a field\n", name, e->kind);
		return -EINVAL;
	}
	if (e->kind == KFD_FILE_RENDER && e->n_gpus) {
		for (i = 0; i < e->n_gpus; i++)
			if (e->gpus[i]->render_minor == e->render_minor)
				break;
		if (i == e->n_gpus) {
			pr_err("%s: renderD%u belongs to none of the image's GPUs\n", name,
			       e->render_minor);
			return -EINVAL;
		}
	}
	for (i = 0; i < e->n_holders; i++) {
		if (e->holders[i]->fd > INT32_MAX || !e->holders[i]->pid ||
		    e->holders[i]->pid > INT32_MAX) {
			pr_err("%s: impossible holder %u:%u\n", name, e->holders[i]->pid,
			       e->holders[i]->fd);
			return -EINVAL;
		}
	}
	return check_gpus(name, e->gpus, e->n_gpus);
}

/**
 * image_check_file() - before kfd-file-ID.img is written: could it be read?
 * @id: criu's number of the file
 * @entry: the message
 *
 * Return: 0, or -EINVAL; the error has been logged.
 */
int image_check_file(unsigned int id, const KfdFileEntry *entry)
{
	char name[NAME_LEN];

	return check_file(image_name(name, IMAGE_FILE, id, 0), entry);
}

/**
 * image_read_file() - read and check kfd-file-ID.img
 * @dir: image directory
 * @id: criu's number of the file
 * @out: the message; kfd_file_entry__free_unpacked() it
 *
 * Return: 0; -ENOENT when there is none, which is not logged; or another
 * negative errno, logged.
 */
int image_read_file(int dir, unsigned int id, KfdFileEntry **out)
{
	ProtobufCMessage *msg;
	char name[NAME_LEN];
	int ret;

	ret = read_message(dir, IMAGE_FILE, id, &kfd_file_entry__descriptor, &msg);
	if (ret)
		return ret;
	*out = (KfdFileEntry *)msg;
	ret = check_file(image_name(name, IMAGE_FILE, id, 0), *out);
	if (ret)
		kfd_file_entry__free_unpacked(*out, NULL);
	return ret;
}

static int check_chunk(const KfdProcess *p, const KfdBo *bo, uint64_t n)
{
	const struct chunk_rec *recs = (const void *)bo->chunks.data;
	uint64_t where = le64toh(recs[n].where), pages = le64toh(recs[n].pages);
	uint64_t left = (bo->size - n * CONTENTS_CHUNK) / CONTENTS_PAGE;
	uint64_t file = where >> CHUNK_FILE_SHIFT, at = where & CHUNK_OFFSET_MASK;

	if (!pages)
		return where || recs[n].hash ? -EINVAL : 0;
	if (left < 64 && pages >> left)
		return -EINVAL;
	if (file >= p->n_contents_sizes || at < CONTENTS_DATA_START)
		return -EINVAL;
	at += __builtin_popcountll(pages) * CONTENTS_PAGE;
	return at > p->contents_sizes[file] ? -EINVAL : 0;
}

static int check_bo(const char *name, const KfdProcess *p, size_t index)
{
	const KfdBo *bo = p->bos[index];
	char label[BO_LABEL_SIZE];
	uint64_t n, nr;
	size_t i;

	bo_label(label, sizeof(label), index, bo);
	if (!bo->size || bo->size % CONTENTS_PAGE || bo->size > IMAGE_MAX_BO_SIZE ||
	    bo->addr + bo->size < bo->addr || bo->offset + bo->size < bo->offset) {
		pr_err("%s: %s: impossible size or address\n", name, label);
		return -EINVAL;
	}
	for (i = 0; i < p->n_devices; i++)
		if (p->devices[i]->user_gpu_id == bo->gpu_id)
			break;
	if (i == p->n_devices) {
		pr_err("%s: %s: its GPU %u is not in the image\n", name, label, bo->gpu_id);
		return -EINVAL;
	}
	nr = bo_has_contents(bo->alloc_flags) ? contents_nr_chunks(bo->size) : 0;
	if (bo->chunks.len != nr * sizeof(struct chunk_rec)) {
		pr_err("%s: %s: %zu bytes of contents index, %" PRIu64 " expected for its size\n",
		       name, label, bo->chunks.len, nr * sizeof(struct chunk_rec));
		return -EINVAL;
	}
	for (n = 0; n < nr; n++) {
		if (!check_chunk(p, bo, n))
			continue;
		pr_err("%s: %s: bad contents index at 0x%" PRIx64 "\n", name, label,
		       n * CONTENTS_CHUNK);
		return -EINVAL;
	}
	return 0;
}

static int check_process(const char *name, const KfdProcess *p)
{
	size_t i, j;
	int ret;

	if (p->n_devices > IMAGE_MAX_DEVICES || p->n_contents_sizes > CONTENTS_MAX_FILES) {
		pr_err("%s: %zu GPUs and %zu contents files\n", name, p->n_devices,
		       p->n_contents_sizes);
		return -EINVAL;
	}
	for (i = 0; i < p->n_contents_sizes; i++) {
		if (p->contents_sizes[i] >= CONTENTS_DATA_START &&
		    p->contents_sizes[i] <= CHUNK_OFFSET_MASK)
			continue;
		pr_err("%s: impossible size of contents file %zu\n", name, i);
		return -EINVAL;
	}
	for (i = 0; i < p->n_devices; i++) {
		const KfdDevice *d = p->devices[i];

		for (j = 0; j < i && p->devices[j]->user_gpu_id != d->user_gpu_id &&
		     p->devices[j]->actual_gpu_id != d->actual_gpu_id; j++)
			;
		if (j == i && d->user_gpu_id && d->user_gpu_id <= GPU_ID_MAX)
			continue;
		pr_err("%s: bad or repeated GPU id %u (user %u)\n", name,
		       d->actual_gpu_id, d->user_gpu_id);
		return -EINVAL;
	}
	for (i = 0; i < p->n_bos; i++) {
		ret = check_bo(name, p, i);
		if (ret)
			return ret;
	}
	return 0;
}

/**
 * image_reserve_process() - before contents are written: can the rest be?
 * @dir: image directory
 * @id: criu's number of the file of /dev/kfd
 * @process: the message, with chunk records of zeros
 *
 * Leaves a kfd-process-ID.img that is no image and has room for one.
 *
 * Return: 0, or a negative errno: it would not fit, or not be read again; the
 * error has been logged.
 */
int image_reserve_process(int dir, unsigned int id, const KfdProcess *process)
{
	char name[NAME_LEN];
	ssize_t size;
	int fd, ret;

	image_name(name, IMAGE_PROCESS, id, 0);
	ret = check_process(name, process);
	size = ret ? ret : file_size(name, &process->base);
	if (size < 0)
		return size;
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ret = fd < 0 ? -errno : room_reserve(fd, size);
	if (fd >= 0)
		close(fd);
	if (ret)
		print_not_written(name, dir, ret, size);
	return ret;
}

/**
 * image_read_process() - read and check kfd-process-ID.img
 * @dir: image directory
 * @id: criu's number of the file of /dev/kfd
 * @out: the message; kfd_process__free_unpacked() it
 *
 * Return: 0, or a negative errno; the error has been logged.
 */
int image_read_process(int dir, unsigned int id, KfdProcess **out)
{
	ProtobufCMessage *msg;
	char name[NAME_LEN];
	int ret;

	ret = read_message(dir, IMAGE_PROCESS, id, &kfd_process__descriptor, &msg);
	if (ret)
		return ret;
	*out = (KfdProcess *)msg;
	ret = check_process(image_name(name, IMAGE_PROCESS, id, 0), *out);
	if (ret)
		kfd_process__free_unpacked(*out, NULL);
	return ret;
}

/**
 * image_open_contents() - open and check kfd-contents-ID-N.img
 * @dir: image directory
 * @id: criu's number of the file of /dev/kfd
 * @nr: N, less than @process->n_contents_sizes
 * @process: what it belongs to
 *
 * Return: fd for preadv(), or a negative errno; the error has been logged.
 */
int image_open_contents(int dir, unsigned int id, unsigned int nr,
			const KfdProcess *process)
{
	struct image_header h;
	char name[NAME_LEN];
	struct stat st;
	int fd, ret;

	image_name(name, IMAGE_CONTENTS, id, nr);
	fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st)) {
		ret = -errno;
		pr_err("%s: cannot be opened: %s\n", name, strerror(-ret));
		if (fd >= 0)
			close(fd);
		return ret;
	}
	ret = read_header(fd, name, IMAGE_CONTENTS, &h);
	if (!ret && (le64toh(h.hash) != process->dump_id || le64toh(h.payload) != nr)) {
		pr_err("%s: of another dump than the image that refers to it\n", name);
		ret = -EINVAL;
	}
	if (!ret && (uint64_t)st.st_size != process->contents_sizes[nr]) {
		pr_err("%s: %s: %" PRIu64 " bytes, %" PRIu64 " expected\n", name,
		       (uint64_t)st.st_size < process->contents_sizes[nr] ?
		       "truncated" : "size mismatch", (uint64_t)st.st_size,
		       process->contents_sizes[nr]);
		ret = -EINVAL;
	}
	if (!ret)
		return fd;
	close(fd);
	return ret;
}

/* Whether a file may be made under a name: nothing but what libhsakmt and criu use. */
static bool shm_name_ok(const char *name)
{
	static const char * const prefixes[] = { "hsakmt_", "sem.hsakmt_", "link_remap." };
	const char *c;
	size_t i;

	if (strlen(name) >= NAME_LEN)
		return false;
	for (c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("_.-", *c))
			return false;
	for (i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (!strncmp(name, prefixes[i], strlen(prefixes[i])))
			return true;
	return false;
}

static int check_shm(const char *image, const KfdShmFile *f, size_t index)
{
	size_t i;

	if (!f->n_names || f->n_names > IMAGE_MAX_SHM_NAMES || f->mode & ~0777u ||
	    f->contents.len > IMAGE_MAX_SHM_SIZE) {
		pr_err("%s: impossible file %zu of /dev/shm: %zu names, %zu bytes, mode %#o\n",
		       image, index, f->n_names, f->contents.len, f->mode);
		return -EINVAL;
	}
	for (i = 0; i < f->n_names; i++) {
		if (shm_name_ok(f->names[i]))
			continue;
		pr_err("%s: file %zu of /dev/shm has a name that is not libhsakmt's\n", image,
		       index);
		return -EINVAL;
	}
	return 0;
}

/**
 * image_read_inventory() - read and check kfd-inventory.img
 * @dir: image directory
 * @out: the message; kfd_inventory__free_unpacked() it
 *
 * Return: 0; -ENOENT when there is none, which is not logged; or another
 * negative errno, logged.
 */
int image_read_inventory(int dir, KfdInventory **out)
{
	ProtobufCMessage *msg;
	char name[NAME_LEN];
	size_t i;
	int ret;

	ret = read_message(dir, IMAGE_INVENTORY, 0, &kfd_inventory__descriptor, &msg);
	if (ret)
		return ret;
	*out = (KfdInventory *)msg;
	image_name(name, IMAGE_INVENTORY, 0, 0);
	if ((*out)->n_shm > IMAGE_MAX_SHM) {
		pr_err("%s: %zu files of /dev/shm\n", name, (*out)->n_shm);
		ret = -EINVAL;
	}
	for (i = 0; !ret && i < (*out)->n_shm; i++)
		ret = check_shm(name, (*out)->shm[i], i);
	if (ret)
		kfd_inventory__free_unpacked(*out, NULL);
	return ret;
}

/**
 * image_wants_tid() - whether a process of the dump has a thread of this id
 * @tid: as a restored process sees it
 * @arg: int *: image directory
 *
 * criu gives the threads of restored processes their old thread ids, and
 * other processes of the tree may be at that while this one makes threads or
 * processes of its own: one whose id is wanted gives it back at once.
 */
bool image_wants_tid(pid_t tid, void *arg)
{
	char name[64];

	snprintf(name, sizeof(name), "core-%d.img", tid);
	return !faccessat(*(int *)arg, name, F_OK, 0);
}
