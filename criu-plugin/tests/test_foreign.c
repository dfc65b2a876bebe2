// SPDX-License-Identifier: GPL-2.0-only
/*
 * What no image can hold is refused, and the process is not paused then.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dump.h"
#include "fake_sys.h"
#include "flow.h"
#include "ktap.h"
#include "foreign.h"
#include "sys.h"

#define KIB		1024ULL
#define BO_OFFSET	0x10000000ULL
#define BO_SIZE		(64 * KIB)
#define GPU		(1000ULL << 46)
#define EVENTS		(2ULL << 62)

static void add_fd(int fd, enum sys_dev kind, unsigned int minor_nr)
{
	fake.fd_list[fake.nr_fds++] = (struct sys_fd) {
		.fd = fd, .kind = kind, .minor_nr = minor_nr,
	};
}

static void add_map(enum sys_dev kind, uint64_t offset, uint64_t size, const char *path)
{
	struct sys_map *m = &fake.maps[fake.nr_maps++];

	m->start = 0x7f0000000000;
	m->end = m->start + size;
	m->offset = offset;
	m->kind = kind;
	m->minor_nr = kind == SYS_DEV_RENDER ? 128 : 0;
	snprintf(m->path, sizeof(m->path), "%s", path);
}

static void add_info(int fd, const char *key, uint64_t value)
{
	unsigned int i;

	for (i = 0; fake.infos[i].key; i++)
		;
	fake.infos[i] = (struct fake_info) { fd, key, value };
}

/* A process with a buffer of VRAM that is mapped whole, and doorbells. */
static void machine(void)
{
	flow_one_gpu();
	fake.traced = true;
	add_fd(KFD_FD, SYS_DEV_KFD, 0);
	add_fd(RENDER_FD, SYS_DEV_RENDER, 128);
	add_map(SYS_DEV_RENDER, BO_OFFSET, BO_SIZE, "/dev/dri/renderD128");
	add_map(SYS_DEV_KFD, DOORBELL, 8192, "/dev/kfd");
	fake.nr_bos = 1;
	fake.bos[0] = (struct kfd_criu_bo_bucket) {
		.addr = 0x7f0000000000, .size = BO_SIZE, .offset = BO_OFFSET, .gpu_id = 500,
		.alloc_flags = KFD_IOC_ALLOC_MEM_FLAGS_VRAM,
	};
	fake.memory[0] = memfd_create("bo", MFD_CLOEXEC);
	CHECK(!ftruncate(fake.memory[0], BO_SIZE));
}

static void done(void)
{
	dump_finish();
	CHECK(!fake.paused);
	flow_done();
}

/* As criu does it: each file, and the end of all when one fails. */
static int dump(void)
{
	int ret = dump_kfd_file(ktap_dirfd, fake_open_kfd(KFD_FD), KFD_ID);

	return ret ? ret : dump_render_file(ktap_dirfd, fake_open_render(128, RENDER_FD),
					    RENDER_ID, 128);
}

static void passes(void)
{
	CHECK(!dump());
	CHECK(!ktap_logged("Error"));
	done();
}

/* Not even paused: the tree is looked at before that. */
static void refused_at_once(const char *why)
{
	CHECK(dump() == -EBUSY);
	CHECK(ktap_logged(why));
	CHECK(!fake.calls[KFD_CRIU_OP_PROCESS_INFO]);
	done();
}

/* Paused, which is over, and nothing left of it. */
static void refused_after_checkpoint(const char *why)
{
	CHECK(dump() == -EBUSY);
	CHECK(ktap_logged(why));
	CHECK(fake.calls[KFD_CRIU_OP_CHECKPOINT] == 1);
	CHECK(fake.calls[KFD_CRIU_OP_UNPAUSE] == 1 && !fake.paused);
	CHECK(faccessat(ktap_dirfd, "kfd-contents-7-0.img", F_OK, 0) && errno == ENOENT);
	done();
}

static void test_nothing(void)
{
	machine();
	passes();
}

static void test_counts(void)
{
	machine();
	add_info(RENDER_FD, "kfd-gem-handles", 1);
	add_info(RENDER_FD, "kfd-contexts", 2);
	add_info(RENDER_FD, "kfd-bo-lists", 1);
	add_info(RENDER_FD, "kfd-syncobjs", 1);
	add_info(RENDER_FD, "kfd-jobs", 3);
	refused_at_once("process 42: renderD128, fd 41: has 1 GEM buffer, 2 contexts, "
			"1 buffer list, 1 sync object, 3 submitted jobs under way");
}

static void test_each_count(void)
{
	static const char *const keys[] = {
		"kfd-gem-handles", "kfd-contexts", "kfd-bo-lists", "kfd-syncobjs", "kfd-jobs",
	};
	unsigned int i;

	machine();
	for (i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		fake.infos[0] = (struct fake_info) { RENDER_FD, keys[i], 1 };
		CHECK(dump() == -EBUSY);
		CHECK(!fake.calls[KFD_CRIU_OP_PROCESS_INFO]);
		dump_finish();
	}
	done();
}

/* A second file of the node, not the one whose VM is KFD's. */
static void test_second_file(void)
{
	machine();
	add_fd(50, SYS_DEV_RENDER, 128);
	add_info(50, "kfd-contexts", 1);
	refused_at_once("renderD128, fd 50: has 1 context that");
}

/* A node of another driver is none of our business. */
static void test_foreign_node(void)
{
	machine();
	add_fd(50, SYS_DEV_RENDER, 140);
	add_info(50, "kfd-contexts", 1);
	passes();
}

/* A file that the tree does not show: passed through a socket. */
static void test_unseen_file(void)
{
	machine();
	add_info(77, "kfd-gem-handles", 1);
	CHECK(!dump());
	CHECK(dump_render_file(ktap_dirfd, fake_open_render(128, 77), 9, 128) == -EBUSY);
	CHECK(ktap_logged("has 1 GEM buffer that"));
	done();
}

static void test_mainline(void)
{
	machine();
	fake.mainline = true;
	fake.gem_handles = -EINVAL;
	CHECK(!dump());
	CHECK(ktap_logged("does not tell of GEM buffers, contexts, buffer lists, sync objects"));
	CHECK(!ktap_logged("Error"));
	done();
}

static void test_mainline_lists_handles(void)
{
	machine();
	fake.mainline = true;
	fake.gem_handles = 3;
	refused_at_once("has 3 GEM buffers that");
}

static void test_mainline_no_handles(void)
{
	machine();
	fake.mainline = true;
	CHECK(!dump());
	CHECK(ktap_logged("does not tell of contexts, buffer lists"));
	CHECK(!ktap_logged("Error"));
	done();
}

/* The file that KFD has the VM of is closed; of a second GPU there is none. */
static void test_closed_node(void)
{
	machine();
	fake.nr_fds = 1;
	fake.vms[0] = "1000 render-minor 128 gem-handles 0 contexts 1 bo-lists 0 syncobjs 2 jobs 0";
	refused_at_once("process 42: renderD128 (GPU 1000), whose file is closed: has 1 context, "
			"2 sync objects that no image can hold");
}

static void test_closed_node_of_second_gpu(void)
{
	machine();
	fake.vms[0] = "1000 render-minor 128 gem-handles 0 contexts 0 bo-lists 0 syncobjs 0 jobs 0";
	fake.vms[1] = "1001 render-minor 129 gem-handles 1 contexts 0 bo-lists 0 syncobjs 0 jobs 0";
	refused_at_once("renderD129 (GPU 1001), whose file is closed: has 1 GEM buffer that");
}

/* One that is open is named by its fd. */
static void test_open_node_of_vm(void)
{
	machine();
	fake.vms[0] = "1000 render-minor 128 gem-handles 1 contexts 0 bo-lists 0 syncobjs 0 jobs 0";
	add_info(RENDER_FD, "kfd-gem-handles", 1);
	refused_at_once("renderD128, fd 41: has 1 GEM buffer that");
}

static void test_closed_clean_node(void)
{
	machine();
	fake.nr_fds = 1;
	fake.vms[0] = "1000 render-minor 128 gem-handles 0 contexts 0 bo-lists 0 syncobjs 0 jobs 0";
	passes();
}

static void test_primary(void)
{
	machine();
	fake.primary_render = 128;
	add_fd(51, SYS_DEV_PRIMARY, 0);
	refused_at_once("has /dev/dri/card0 open or mapped: of a GPU only the render node "
			"(renderD128)");
}

static void test_foreign_primary(void)
{
	machine();
	fake.primary_render = 140;
	add_fd(51, SYS_DEV_PRIMARY, 0);
	passes();
}

static void test_files_without_path(void)
{
	static const char *const names[] = {
		"/dmabuf:name", "anon_inode:sync_file", "anon_inode:syncobj_file",
	};
	unsigned int i;

	machine();
	add_fd(60, SYS_DEV_ANON, 0);
	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(fake.fd_list[2].name, sizeof(fake.fd_list[2].name), "%s", names[i]);
		CHECK(dump() == -EBUSY);
		CHECK(ktap_logged("process 42: fd 60 is a "));
		CHECK(!fake.calls[KFD_CRIU_OP_PROCESS_INFO]);
		dump_finish();
	}
	done();
}

/* That is for criu to see to. */
static void test_other_file_without_path(void)
{
	machine();
	add_fd(60, SYS_DEV_ANON, 0);
	snprintf(fake.fd_list[2].name, sizeof(fake.fd_list[2].name), "anon_inode:[eventfd]");
	passes();
}

static void test_unseen_file_without_path(void)
{
	foreign_check_other(0);
	CHECK(ktap_logged("a DMA-BUF, sent through a socket"));
}

static void test_mapped_dmabuf(void)
{
	machine();
	add_map(SYS_DEV_ANON, 0, 4096, "/dmabuf:");
	refused_at_once("maps a DMA-BUF at 0x7f0000000000, which no image");
}

static void test_map_without_kfd(void)
{
	machine();
	fake.fd_list[0] = fake.fd_list[1];
	fake.nr_fds = 1;
	refused_at_once("maps /dev/dri/renderD128 at 0x7f0000000000 and has no file of "
			"/dev/kfd of its own open");
}

/* It has one open, which leads to its parent's state. */
static void test_map_with_anothers_kfd(void)
{
	machine();
	add_info(KFD_FD, "kfd-pid", 1);
	refused_at_once("has no file of /dev/kfd of its own open");
}

static void test_map_under_another_name(void)
{
	machine();
	snprintf(fake.maps[0].path, sizeof(fake.maps[0].path), "/dev/gpu");
	refused_at_once("under the name /dev/gpu");
}

static void test_map_of_no_buffer(void)
{
	machine();
	add_map(SYS_DEV_RENDER, BO_OFFSET + BO_SIZE, 4096, "/dev/dri/renderD128");
	refused_after_checkpoint("where no buffer of KFD's is");
}

/* It would end behind the buffer. */
static void test_map_beyond_buffer(void)
{
	machine();
	add_info(RENDER_FD, "kfd-mmap-parts", 1);
	add_map(SYS_DEV_RENDER, BO_OFFSET + BO_SIZE - 4096, 8192, "/dev/dri/renderD128");
	refused_after_checkpoint("where no buffer of KFD's is");
}

static void test_part_from_start(void)
{
	machine();
	fake.mainline = true;
	fake.gem_handles = -EINVAL;
	fake.maps[0].end -= 4096;
	CHECK(!dump());
	done();
}

static void test_part_refused(void)
{
	machine();
	fake.mainline = true;
	fake.gem_handles = -EINVAL;
	add_map(SYS_DEV_RENDER, BO_OFFSET + 4096, 4096, "/dev/dri/renderD128");
	refused_after_checkpoint("is what munmap() or mprotect() left of one");
}

static void test_part_taken(void)
{
	machine();
	add_info(RENDER_FD, "kfd-mmap-parts", 1);
	add_map(SYS_DEV_RENDER, BO_OFFSET + 4096, 4096, "/dev/dri/renderD128");
	passes();
}

/* The node is mapped and not open: it is opened to be asked. */
static void test_part_of_closed_node(void)
{
	machine();
	fake.nr_fds = 1;
	add_info(-1, "kfd-mmap-parts", 1);
	add_map(SYS_DEV_RENDER, BO_OFFSET + 4096, 4096, "/dev/dri/renderD128");
	passes();
}

static void test_part_of_doorbells(void)
{
	machine();
	add_map(SYS_DEV_KFD, DOORBELL + 4096, 4096, "/dev/kfd");
	refused_after_checkpoint("the mapping of /dev/kfd at");
}

static void test_first_part_of_doorbells(void)
{
	machine();
	add_map(SYS_DEV_KFD, DOORBELL, 4096, "/dev/kfd");
	refused_after_checkpoint("the mapping of /dev/kfd at");
}

static void test_part_of_doorbells_taken(void)
{
	machine();
	add_info(KFD_FD, "kfd-mmap-parts", 1);
	add_map(SYS_DEV_KFD, DOORBELL + 4096, 4096, "/dev/kfd");
	add_map(SYS_DEV_KFD, EVENTS, 4096, "/dev/kfd");
	passes();
}

static const struct ktap_test tests[] = {
	{ "nothing", test_nothing },
	{ "counts", test_counts },
	{ "each_count", test_each_count },
	{ "second_file", test_second_file },
	{ "foreign_node", test_foreign_node },
	{ "unseen_file", test_unseen_file },
	{ "mainline", test_mainline },
	{ "mainline_lists_handles", test_mainline_lists_handles },
	{ "mainline_no_handles", test_mainline_no_handles },
	{ "closed_node", test_closed_node },
	{ "closed_node_of_second_gpu", test_closed_node_of_second_gpu },
	{ "open_node_of_vm", test_open_node_of_vm },
	{ "closed_clean_node", test_closed_clean_node },
	{ "primary", test_primary },
	{ "foreign_primary", test_foreign_primary },
	{ "files_without_path", test_files_without_path },
	{ "other_file_without_path", test_other_file_without_path },
	{ "unseen_file_without_path", test_unseen_file_without_path },
	{ "mapped_dmabuf", test_mapped_dmabuf },
	{ "map_without_kfd", test_map_without_kfd },
	{ "map_with_anothers_kfd", test_map_with_anothers_kfd },
	{ "map_under_another_name", test_map_under_another_name },
	{ "map_of_no_buffer", test_map_of_no_buffer },
	{ "map_beyond_buffer", test_map_beyond_buffer },
	{ "part_from_start", test_part_from_start },
	{ "part_refused", test_part_refused },
	{ "part_taken", test_part_taken },
	{ "part_of_closed_node", test_part_of_closed_node },
	{ "part_of_doorbells", test_part_of_doorbells },
	{ "first_part_of_doorbells", test_first_part_of_doorbells },
	{ "part_of_doorbells_taken", test_part_of_doorbells_taken },
};

int main(void)
{
	return ktap_main(tests, sizeof(tests) / sizeof(tests[0]));
}
