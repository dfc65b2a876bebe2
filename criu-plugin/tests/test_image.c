// SPDX-License-Identifier: GPL-2.0-only
/*
 * The image format: what was written comes back, and everything else is
 * refused with a message that names it.
 */
#define _GNU_SOURCE
#define XXH_INLINE_ALL
#include "image.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kfd_ioctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "ktap.h"

#define MIB		(1024 * 1024ULL)
#define BO_SIZE		(4 * MIB)
#define NR_CHUNKS	(BO_SIZE / CONTENTS_CHUNK)
#define DUMP_ID		0x1122334455667788ULL

/* A process image that is right in every detail, to be spoilt by the tests. */
struct model {
	KfdProcess p;
	KfdDevice dev[2];
	struct KfdDevice *devs[2];
	KfdBo bo[3];
	struct KfdBo *bos[3];
	struct chunk_rec recs[2][NR_CHUNKS];
	uint64_t sizes[2];
	uint8_t priv[100];
};

static struct model m;

static void model_init(void)
{
	static const uint32_t flags[] = {
		KFD_IOC_ALLOC_MEM_FLAGS_VRAM, KFD_IOC_ALLOC_MEM_FLAGS_USERPTR,
		KFD_IOC_ALLOC_MEM_FLAGS_GTT | KFD_IOC_ALLOC_MEM_FLAGS_WRITABLE,
	};
	unsigned int i, n;

	memset(&m, 0, sizeof(m));
	kfd_process__init(&m.p);
	m.p.dump_id = DUMP_ID;
	m.p.pid = 77;
	m.p.num_objects = 5;
	for (i = 0; i < 2; i++) {
		kfd_device__init(&m.dev[i]);
		m.dev[i].user_gpu_id = 100 + i;
		m.dev[i].actual_gpu_id = 200 + i;
		m.devs[i] = &m.dev[i];
		m.sizes[i] = CONTENTS_DATA_START + BO_SIZE;
	}
	for (i = 0; i < 3; i++) {
		kfd_bo__init(&m.bo[i]);
		m.bo[i].addr = 0x7f0000000000 + i * BO_SIZE;
		m.bo[i].size = BO_SIZE;
		m.bo[i].offset = 0x100000000 + i * BO_SIZE;
		m.bo[i].gpu_id = 100 + i % 2;
		m.bo[i].alloc_flags = flags[i];
		m.bos[i] = &m.bo[i];
	}
	for (n = 0; n < NR_CHUNKS; n++) {
		struct chunk_rec rec = {
			.where = htole64(CONTENTS_DATA_START + n * CONTENTS_CHUNK),
			.hash = htole64(n + 1), .pages = htole64(~0ULL),
		};

		m.recs[0][n] = rec;
		rec.where |= htole64(1ULL << CHUNK_FILE_SHIFT);
		m.recs[1][n] = rec;
	}
	memset(&m.recs[0][3], 0, sizeof(m.recs[0][3]));	/* a zero chunk */
	for (i = 0; i < 2; i++) {
		m.bo[2 * i].has_chunks = 1;
		m.bo[2 * i].chunks.data = (uint8_t *)m.recs[i];
		m.bo[2 * i].chunks.len = sizeof(m.recs[i]);
	}
	memset(m.priv, 0xab, sizeof(m.priv));
	m.p.devices = m.devs;
	m.p.n_devices = 2;
	m.p.bos = m.bos;
	m.p.n_bos = 3;
	m.p.contents_sizes = m.sizes;
	m.p.n_contents_sizes = 2;
	m.p.priv_data.data = m.priv;
	m.p.priv_data.len = sizeof(m.priv);
}

static void model_write(void)
{
	CHECK(!image_write_process(ktap_dirfd, 5, &m.p));
}

static void test_process_round_trip(void)
{
	KfdProcess *p;

	model_init();
	model_write();
	CHECK(!image_read_process(ktap_dirfd, 5, &p));
	CHECK(p->dump_id == DUMP_ID && p->pid == 77 && p->num_objects == 5);
	CHECK(p->n_devices == 2 && p->devices[1]->user_gpu_id == 101 &&
	      p->devices[1]->actual_gpu_id == 201);
	CHECK(p->n_bos == 3 && p->bos[2]->addr == m.bo[2].addr &&
	      p->bos[2]->offset == m.bo[2].offset &&
	      p->bos[2]->alloc_flags == m.bo[2].alloc_flags);
	CHECK(p->bos[0]->chunks.len == sizeof(m.recs[0]) &&
	      !memcmp(p->bos[0]->chunks.data, m.recs[0], sizeof(m.recs[0])));
	CHECK(!p->bos[1]->chunks.len);
	CHECK(p->priv_data.len == sizeof(m.priv) &&
	      !memcmp(p->priv_data.data, m.priv, sizeof(m.priv)));
	CHECK(p->n_contents_sizes == 2 && p->contents_sizes[1] == m.sizes[1]);
	kfd_process__free_unpacked(p, NULL);
	CHECK(!ktap_log[0]);
}

static void test_empty_process(void)
{
	KfdProcess *p;

	model_init();
	m.p.n_bos = 0;
	m.p.n_devices = 0;
	m.p.n_contents_sizes = 0;
	m.p.priv_data.len = 0;
	model_write();
	CHECK(!image_read_process(ktap_dirfd, 5, &p));
	CHECK(!p->n_bos && !p->n_devices && !p->priv_data.len);
}

static void test_file_round_trip(void)
{
	KfdFileEntry e = KFD_FILE_ENTRY__INIT, *back;
	KfdProperty prop = KFD_PROPERTY__INIT, *props[] = { &prop };
	KfdHolder holder = KFD_HOLDER__INIT, *holders[] = { &holder };
	KfdGpu gpu = KFD_GPU__INIT, *gpus[] = { &gpu };
	unsigned int id;

	prop.name = "simd_count";
	prop.value = 16;
	gpu.gpu_id = 200;
	gpu.render_minor = 129;
	gpu.vram_size = 1ULL << 40;
	gpu.properties = props;
	gpu.n_properties = 1;
	holder.pid = 77;
	holder.fd = 4;
	e.dump_id = DUMP_ID;
	e.kind = KFD_FILE_RENDER;
	e.flags = O_RDWR;
	e.has_render_minor = 1;
	e.render_minor = 129;
	e.gpus = gpus;
	e.n_gpus = 1;
	e.holders = holders;
	e.n_holders = 1;
	CHECK(!image_write_file(ktap_dirfd, 9, &e));
	CHECK(!image_read_file(ktap_dirfd, 9, &back));
	CHECK(back->kind == KFD_FILE_RENDER && back->render_minor == 129);
	CHECK(back->n_gpus == 1 && back->gpus[0]->vram_size == 1ULL << 40);
	CHECK(!strcmp(back->gpus[0]->properties[0]->name, "simd_count"));
	CHECK(back->n_holders == 1 && back->holders[0]->fd == 4);
	CHECK(!image_file_id("kfd-file-9.img", &id) && id == 9);
	CHECK(image_file_id("kfd-file-9.img.bak", &id));
	CHECK(image_file_id("kfd-file-09.img", &id));
	CHECK(image_file_id("kfd-process-9.img", &id));

	e.render_minor = 130;	/* a node of no GPU in the list */
	CHECK(!image_write_file(ktap_dirfd, 10, &e));
	CHECK(image_read_file(ktap_dirfd, 10, &back) == -EINVAL);
	CHECK(ktap_logged("kfd-file-10.img: renderD130 belongs to none"));
	e.kind = 4;
	CHECK(!image_write_file(ktap_dirfd, 10, &e));
	CHECK(image_read_file(ktap_dirfd, 10, &back) == -EINVAL);
	CHECK(ktap_logged("kind 4 lacks a field"));
}

static void test_missing(void)
{
	KfdFileEntry *e;
	KfdProcess *p;

	CHECK(image_read_file(ktap_dirfd, 1, &e) == -ENOENT);
	CHECK(!ktap_log[0]);
	CHECK(image_read_process(ktap_dirfd, 1, &p) == -ENOENT);
	CHECK(ktap_logged("kfd-process-1.img: cannot be opened"));
}

/* Every single byte counts: any flip in the file is refused. */
static void test_every_flip(void)
{
	unsigned char *all;
	struct stat st;
	KfdProcess *p;
	int fd;
	off_t i;

	model_init();
	model_write();
	fd = openat(ktap_dirfd, "kfd-process-5.img", O_RDWR);
	CHECK(fd >= 0 && !fstat(fd, &st));
	all = malloc(st.st_size);
	CHECK(pread(fd, all, st.st_size, 0) == st.st_size);
	for (i = 0; i < st.st_size; i++) {
		unsigned char c = all[i] ^ (1 << i % 8);

		CHECK(pwrite(fd, &c, 1, i) == 1);
		ktap_log[0] = '\0';
		CHECK(image_read_process(ktap_dirfd, 5, &p) == -EINVAL);
		CHECK(ktap_logged("kfd-process-5.img: "));
		CHECK(pwrite(fd, &all[i], 1, i) == 1);
	}
	CHECK(!image_read_process(ktap_dirfd, 5, &p));
}

/* And so does every length. */
static void test_every_length(void)
{
	unsigned char *all;
	struct stat st;
	KfdProcess *p;
	int fd;
	off_t i;

	model_init();
	model_write();
	fd = openat(ktap_dirfd, "kfd-process-5.img", O_RDWR);
	CHECK(fd >= 0 && !fstat(fd, &st));
	all = malloc(st.st_size);
	CHECK(pread(fd, all, st.st_size, 0) == st.st_size);
	for (i = st.st_size - 1; i >= 0; i--) {
		CHECK(!ftruncate(fd, i));
		ktap_log[0] = '\0';
		CHECK(image_read_process(ktap_dirfd, 5, &p) == -EINVAL);
		CHECK(ktap_logged("truncated"));
	}
	CHECK(pwrite(fd, all, st.st_size, 0) == st.st_size);
	CHECK(!image_read_process(ktap_dirfd, 5, &p));
	CHECK(pwrite(fd, "x", 1, st.st_size) == 1);
	CHECK(image_read_process(ktap_dirfd, 5, &p) == -EINVAL);
	CHECK(ktap_logged("size mismatch"));
}

/* A message whose checksums are right but whose numbers are not. */
static void refused(const char *message)
{
	KfdProcess *p;

	ktap_log[0] = '\0';
	model_write();
	CHECK(image_read_process(ktap_dirfd, 5, &p) == -EINVAL);
	CHECK(ktap_logged(message));
	model_init();
}

static void test_devices(void)
{
	model_init();
	m.dev[1].user_gpu_id = 100;
	refused("bad or repeated GPU id 201 (user 100)");
	m.dev[1].actual_gpu_id = 200;
	refused("bad or repeated GPU id");
	m.dev[0].user_gpu_id = 0;
	refused("bad or repeated GPU id");
	m.dev[0].user_gpu_id = 0x10000;
	refused("bad or repeated GPU id");
}

static void test_bos(void)
{
	model_init();
	m.bo[2].size = 0;
	refused("BO 2 (GTT, ");
	m.bo[1].size++;
	refused("BO 1 (userptr, ");
	m.bo[0].size = IMAGE_MAX_BO_SIZE + CONTENTS_PAGE;
	refused("impossible size");
	m.bo[0].addr = -(uint64_t)CONTENTS_PAGE;
	refused("impossible size or address");
	m.bo[0].offset = -(uint64_t)CONTENTS_PAGE;
	refused("impossible size or address");
	m.bo[0].gpu_id = 102;
	refused("BO 0 (VRAM, 0x7f0000000000, 4 MiB): its GPU 102 is not in the image");
	m.bo[0].size += CONTENTS_PAGE;	/* one chunk more than there are records */
	refused("bytes of contents index");
	m.bo[0].chunks.len--;
	refused("bytes of contents index");
	m.bo[0].has_chunks = 0;
	refused("0 bytes of contents index");
	m.bo[1].has_chunks = 1;		/* a userptr has no contents */
	m.bo[1].chunks = m.bo[0].chunks;
	refused("BO 1 (userptr, 0x7f0000400000, 4 MiB): 384 bytes of contents index, 0 expected");
}

static void test_chunks(void)
{
	struct chunk_rec *rec = &m.recs[1][2];
	const char *text = "BO 2 (GTT, 0x7f0000800000, 4 MiB): bad contents index at 0x80000";

	model_init();
	rec->where = htole64(2ULL << CHUNK_FILE_SHIFT | CONTENTS_DATA_START);
	refused(text);
	rec->where = htole64(1ULL << CHUNK_FILE_SHIFT);
	refused(text);
	rec->where = htole64(1ULL << CHUNK_FILE_SHIFT | CHUNK_OFFSET_MASK);
	refused(text);
	rec->where = htole64(1ULL << CHUNK_FILE_SHIFT | (CONTENTS_DATA_START + BO_SIZE - 1));
	refused(text);
	rec->pages = 0;
	refused(text);
	/* a page behind the buffer's end */
	m.bo[2].size = BO_SIZE - CONTENTS_PAGE;
	refused("bad contents index at 0x3c0000");
	m.sizes[1] -= CONTENTS_PAGE;
	refused("bad contents index at 0x3c0000");
	m.sizes[0] = 100;
	refused("impossible size of contents file 0");
}

static int contents(unsigned int nr, uint64_t dump_id)
{
	int fd = image_create_contents(ktap_dirfd, 5, nr, dump_id);

	CHECK(fd >= 0 && !ftruncate(fd, m.sizes[nr]));
	return fd;
}

static void test_contents_file(void)
{
	int fd;

	model_init();
	close(contents(0, DUMP_ID));
	fd = contents(1, DUMP_ID);
	CHECK(image_open_contents(ktap_dirfd, 5, 0, &m.p) >= 0);
	CHECK(image_open_contents(ktap_dirfd, 5, 1, &m.p) >= 0);
	CHECK(!ktap_log[0]);
	CHECK(!ftruncate(fd, m.sizes[1] - 1));
	CHECK(image_open_contents(ktap_dirfd, 5, 1, &m.p) == -EINVAL);
	CHECK(ktap_logged("kfd-contents-5-1.img: truncated"));
	CHECK(!ftruncate(fd, m.sizes[1] + 1));
	CHECK(image_open_contents(ktap_dirfd, 5, 1, &m.p) == -EINVAL);
	CHECK(ktap_logged("size mismatch"));
	CHECK(!ftruncate(fd, 20));
	CHECK(image_open_contents(ktap_dirfd, 5, 1, &m.p) == -EINVAL);
	CHECK(ktap_logged("ends within its header"));
	contents(1, DUMP_ID + 1);
	CHECK(image_open_contents(ktap_dirfd, 5, 1, &m.p) == -EINVAL);
	CHECK(ktap_logged("of another dump"));
	/* the files of two threads, exchanged */
	CHECK(!renameat(ktap_dirfd, "kfd-contents-5-0.img", ktap_dirfd, "kfd-contents-5-1.img"));
	CHECK(image_open_contents(ktap_dirfd, 5, 1, &m.p) == -EINVAL);
	CHECK(image_open_contents(ktap_dirfd, 5, 0, &m.p) == -ENOENT);
	model_write();
	CHECK(!renameat(ktap_dirfd, "kfd-process-5.img", ktap_dirfd, "kfd-contents-5-0.img"));
	CHECK(image_open_contents(ktap_dirfd, 5, 0, &m.p) == -EINVAL);
	CHECK(ktap_logged("kind 2 instead of 3"));
}

static void test_version(void)
{
	uint32_t version = htole32(KFD_IMAGE_VERSION + 1);
	KfdProcess *p;
	int fd;

	model_init();
	model_write();
	fd = openat(ktap_dirfd, "kfd-process-5.img", O_RDWR);
	CHECK(pwrite(fd, &version, 4, offsetof(struct image_header, version)) == 4);
	CHECK(image_read_process(ktap_dirfd, 5, &p) == -EINVAL);
	CHECK(ktap_logged("format version 2, this plugin reads version 1"));
}

/* What validation promises to those who use the message. */
static void check_promises(const KfdProcess *p)
{
	uint64_t n;
	size_t i;

	CHECK(p->n_contents_sizes <= CONTENTS_MAX_FILES);
	for (i = 0; i < p->n_bos; i++) {
		const KfdBo *bo = p->bos[i];
		const struct chunk_rec *recs = (const void *)bo->chunks.data;

		CHECK(bo->size && bo->size % CONTENTS_PAGE == 0);
		if (!bo_has_contents(bo->alloc_flags))
			continue;
		CHECK(bo->chunks.len == contents_nr_chunks(bo->size) * sizeof(*recs));
		for (n = 0; n < contents_nr_chunks(bo->size); n++)
			CHECK(!recs[n].pages || le64toh(recs[n].where) >> CHUNK_FILE_SHIFT <
			      p->n_contents_sizes);
	}
}

/* Hostile messages with right checksums: refused, or harmless. */
static void test_mutations(void)
{
	unsigned int round, i, accepted = 0, refused_nr = 0;
	struct image_header h;
	unsigned char *good, *bad;
	struct stat st;
	KfdProcess *p;
	size_t len;
	int fd;

	model_init();
	model_write();
	srandom(1);
	fd = openat(ktap_dirfd, "kfd-process-5.img", O_RDWR);
	CHECK(fd >= 0 && !fstat(fd, &st));
	CHECK(pread(fd, &h, sizeof(h), 0) == sizeof(h));
	len = st.st_size - sizeof(h);
	good = malloc(len);
	bad = malloc(len);
	CHECK(pread(fd, good, len, sizeof(h)) == (ssize_t)len);
	for (round = 0; round < 20000; round++) {
		size_t cut = random() % 8 ? len : (size_t)random() % (len + 1);

		memcpy(bad, good, len);
		for (i = random() % 4 + 1; i; i--)
			bad[random() % len] = random();
		h.payload = htole64(cut);
		h.hash = htole64(XXH64(bad, cut, IMAGE_PROCESS));
		h.header_hash = htole64(XXH64(&h, offsetof(struct image_header, header_hash), 0));
		CHECK(!ftruncate(fd, 0));
		CHECK(pwrite(fd, &h, sizeof(h), 0) == sizeof(h));
		CHECK(pwrite(fd, bad, cut, sizeof(h)) == (ssize_t)cut);
		ktap_log[0] = '\0';
		if (image_read_process(ktap_dirfd, 5, &p)) {
			CHECK(ktap_logged("kfd-process-5.img: "));
			refused_nr++;
			continue;
		}
		check_promises(p);
		kfd_process__free_unpacked(p, NULL);
		accepted++;
	}
	CHECK(accepted > 100 && refused_nr > 100);
}

static void test_remove(void)
{
	KfdFileEntry e = KFD_FILE_ENTRY__INIT;

	model_init();
	model_write();
	contents(0, DUMP_ID);
	e.kind = KFD_FILE_KFD;
	CHECK(!image_write_file(ktap_dirfd, 5, &e));
	image_remove(ktap_dirfd, 5);
	CHECK(!unlinkat(AT_FDCWD, ktap_dir, AT_REMOVEDIR));	/* nothing is left */
}

static const struct ktap_test tests[] = {
	{ "process_round_trip", test_process_round_trip },
	{ "empty_process", test_empty_process },
	{ "file_round_trip", test_file_round_trip },
	{ "missing", test_missing },
	{ "every_flip", test_every_flip },
	{ "every_length", test_every_length },
	{ "devices", test_devices },
	{ "bos", test_bos },
	{ "chunks", test_chunks },
	{ "contents_file", test_contents_file },
	{ "version", test_version },
	{ "mutations", test_mutations },
	{ "remove", test_remove },
};

int main(void)
{
	return ktap_main(tests, sizeof(tests) / sizeof(tests[0]));
}
