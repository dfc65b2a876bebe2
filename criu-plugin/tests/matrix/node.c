// SPDX-License-Identifier: GPL-2.0-only
/*
 * State on the render node that is not KFD's, and what a program can hold open
 * beside it.
 */
#define _GNU_SOURCE
#include "kind.h"

#include <fcntl.h>
#include <libdrm/amdgpu_drm.h>
#include <libdrm/drm.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define BYTES	(1ul << 20)
#define MAGIC	0xabcd1234u
/* What the plugin says of the node's file. */
#define HAS	"kfd_plugin: Error: .*renderD128, fd [0-9]+: has "
/* And of one that is closed and that KFD has the VM of. */
#define CLOSED	"kfd_plugin: Error: .*renderD128 .GPU [0-9]+., whose file is closed: has "

static uint32_t handle, context, list, syncobj;
static volatile uint32_t *map;
static int node = -1, prime_fd = -1;

static int drm(void)
{
	return node >= 0 ? node : work.k.gpu[0].drm_fd;
}

static void new_gem(void)
{
	union drm_amdgpu_gem_create make = {
		.in = { .bo_size = BYTES, .alignment = 4096, .domains = AMDGPU_GEM_DOMAIN_GTT },
	};

	REQUIRE(!ioctl(drm(), DRM_IOCTL_AMDGPU_GEM_CREATE, &make));
	handle = make.out.handle;
}

static void map_gem(void)
{
	union drm_amdgpu_gem_mmap mm = { .in = { .handle = handle } };

	REQUIRE(!ioctl(drm(), DRM_IOCTL_AMDGPU_GEM_MMAP, &mm));
	map = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, drm(), mm.out.addr_ptr);
	REQUIRE(map != MAP_FAILED);
	map[0] = MAGIC;
	map[1000] = ~MAGIC;
}

static void gem_handle_check(void)
{
	union drm_amdgpu_gem_mmap mm = { .in = { .handle = handle } };

	REQUIRE(!ioctl(drm(), DRM_IOCTL_AMDGPU_GEM_MMAP, &mm));
}

static void gem_mapped_setup(void)
{
	new_gem();
	map_gem();
}

static void gem_mapped_check(void)
{
	REQUIRE(map[0] == MAGIC && map[1000] == ~MAGIC);
	gem_handle_check();
}

/* The mapping stays when the handle is closed. */
static void gem_only_mapped_setup(void)
{
	struct drm_gem_close end = { 0 };

	gem_mapped_setup();
	end.handle = handle;
	REQUIRE(!ioctl(drm(), DRM_IOCTL_GEM_CLOSE, &end));
}

static void gem_only_mapped_check(void)
{
	REQUIRE(map[0] == MAGIC && map[1000] == ~MAGIC);
}

static void open_node(const char *kind, int minor_nr)
{
	char path[64];

	snprintf(path, sizeof(path), "/dev/dri/%s%d", kind, minor_nr);
	node = open(path, O_RDWR | O_CLOEXEC);
	REQUIRE(node >= 0);
}

/* The file that has the state is not the one whose VM KFD has. */
static void gem_second_file_setup(void)
{
	open_node("renderD", work.k.gpu[0].render_minor);
	new_gem();
}

static void second_file_setup(void)
{
	open_node("renderD", work.k.gpu[0].render_minor);
}

static void only_gem_setup(void)
{
	open_node("renderD", 128);
	gem_mapped_setup();
}

static struct kfd_bo kept_bo;
static struct kfd_ioctl_create_event_args kept_event;

/* State of KFD's, of which nothing is mapped; the node is about to be closed. */
static void closed_begin(void)
{
	REQUIRE_OK(kfd_start(&work.k));
	REQUIRE_OK(kfd_event_create(&work.k, KFD_IOC_EVENT_SIGNAL, true, &kept_event));
	REQUIRE_OK(kfd_bo_alloc(&work.k, 0, MEM_VRAM, BYTES, &kept_bo));
}

/* The file stays KFD's when the program has closed it. */
static void close_node(void)
{
	REQUIRE(!close(work.k.gpu[0].drm_fd));
	work.k.gpu[0].drm_fd = -1;
}

static void closed_check(void)
{
	REQUIRE_OK(kfd_event_destroy(&work.k, kept_event.event_id));
	REQUIRE_OK(kfd_bo_free(&work.k, &kept_bo));
}

static void closed_setup(void)
{
	closed_begin();
	close_node();
}

static void closed_gem_setup(void)
{
	closed_begin();
	new_gem();
	close_node();
}

/* The handle is in the GPU's address space, too. */
static void closed_va_setup(void)
{
	struct drm_amdgpu_gem_va va = {
		.operation = AMDGPU_VA_OP_MAP, .flags = AMDGPU_VM_PAGE_READABLE,
		.map_size = BYTES,
	};

	closed_begin();
	new_gem();
	va.handle = handle;
	va.va_address = kfd_reserve_va(&work.k, BYTES);
	REQUIRE(!ioctl(drm(), DRM_IOCTL_AMDGPU_GEM_VA, &va));
	close_node();
}

static void card_setup(void)
{
	open_node("card", work.k.gpu[0].render_minor - 128);
}

static void context_setup(void)
{
	union drm_amdgpu_ctx ctx = { .in = { .op = AMDGPU_CTX_OP_ALLOC_CTX } };

	REQUIRE(!ioctl(drm(), DRM_IOCTL_AMDGPU_CTX, &ctx));
	context = ctx.out.alloc.ctx_id;
}

static void context_check(void)
{
	union drm_amdgpu_ctx ctx = { .in = { .op = AMDGPU_CTX_OP_FREE_CTX, .ctx_id = context } };

	REQUIRE(!ioctl(drm(), DRM_IOCTL_AMDGPU_CTX, &ctx));
}

static void bo_list_setup(void)
{
	union drm_amdgpu_bo_list args = {
		.in = { .operation = AMDGPU_BO_LIST_OP_CREATE,
			.bo_info_size = sizeof(struct drm_amdgpu_bo_list_entry) },
	};
	struct drm_gem_close end = { 0 };
	struct drm_amdgpu_bo_list_entry entry = { 0 };

	new_gem();
	entry.bo_handle = handle;
	args.in.bo_number = 1;
	args.in.bo_info_ptr = (uintptr_t)&entry;
	REQUIRE(!ioctl(drm(), DRM_IOCTL_AMDGPU_BO_LIST, &args));
	list = args.out.list_handle;
	end.handle = handle;
	REQUIRE(!ioctl(drm(), DRM_IOCTL_GEM_CLOSE, &end));
}

static void bo_list_check(void)
{
	union drm_amdgpu_bo_list args = {
		.in = { .operation = AMDGPU_BO_LIST_OP_DESTROY, .list_handle = list },
	};

	REQUIRE(!ioctl(drm(), DRM_IOCTL_AMDGPU_BO_LIST, &args));
}

static void syncobj_setup(void)
{
	struct drm_syncobj_create args = { 0 };

	REQUIRE(!ioctl(drm(), DRM_IOCTL_SYNCOBJ_CREATE, &args));
	syncobj = args.handle;
}

static void syncobj_check(void)
{
	struct drm_syncobj_destroy args = { .handle = syncobj };

	REQUIRE(!ioctl(drm(), DRM_IOCTL_SYNCOBJ_DESTROY, &args));
}

/* A dma-buf of the program's own, and nothing else of that buffer. */
static void dmabuf_fd_setup(void)
{
	struct drm_prime_handle prime = { .flags = DRM_CLOEXEC | DRM_RDWR };
	struct drm_gem_close end = { 0 };

	new_gem();
	prime.handle = handle;
	REQUIRE(!ioctl(drm(), DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime));
	prime_fd = prime.fd;
	end.handle = handle;
	REQUIRE(!ioctl(drm(), DRM_IOCTL_GEM_CLOSE, &end));
}

static void closed_context_setup(void)
{
	closed_begin();
	context_setup();
	close_node();
}

static void closed_bo_list_setup(void)
{
	closed_begin();
	bo_list_setup();
	close_node();
}

static void closed_syncobj_setup(void)
{
	closed_begin();
	syncobj_setup();
	close_node();
}

static void dmabuf_fd_check(void)
{
	REQUIRE(lseek(prime_fd, 0, SEEK_END) == (off_t)BYTES);
}

static void imported_setup(void)
{
	struct kfd_ioctl_import_dmabuf_args args = { 0 };
	struct drm_gem_close end = { 0 };
	struct drm_prime_handle prime = { .flags = DRM_CLOEXEC | DRM_RDWR };

	new_gem();
	prime.handle = handle;
	REQUIRE(!ioctl(drm(), DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime));
	args.va_addr = kfd_reserve_va(&work.k, BYTES);
	args.gpu_id = work.k.gpu[0].gpu_id;
	args.dmabuf_fd = prime.fd;
	REQUIRE(!ioctl(work.k.fd, AMDKFD_IOC_IMPORT_DMABUF, &args));
	close(prime.fd);
	end.handle = handle;
	REQUIRE(!ioctl(drm(), DRM_IOCTL_GEM_CLOSE, &end));
}

const struct kind node_kinds[] = {
	{ .name = "second_file", .gpus = 1, .setup = second_file_setup },
	{ .name = "gem_mapped", .gpus = 1, .setup = gem_mapped_setup, .check = gem_mapped_check,
	  .refused = HAS "1 GEM buffer " },
	{ .name = "gem_handle", .gpus = 1, .setup = new_gem, .check = gem_handle_check,
	  .refused = HAS "1 GEM buffer " },
	{ .name = "gem_only_mapped", .gpus = 1, .setup = gem_only_mapped_setup,
	  .check = gem_only_mapped_check,
	  .refused = "kfd_plugin: Error: .*renderD128.* where no buffer of KFD's is" },
	{ .name = "gem_second_file", .gpus = 1, .setup = gem_second_file_setup,
	  .check = gem_handle_check, .refused = HAS "1 GEM buffer " },
	{ .name = "gem_without_kfd", .gpus = 1, .setup = only_gem_setup, .alone = true,
	  .check = gem_mapped_check, .refused = HAS "1 GEM buffer " },
	{ .name = "card", .gpus = 1, .setup = card_setup,
	  .refused = "kfd_plugin: Error: .*has /dev/dri/card0 open" },
	{ .name = "context", .gpus = 1, .setup = context_setup, .check = context_check,
	  .refused = HAS "1 context " },
	{ .name = "bo_list", .gpus = 1, .setup = bo_list_setup, .check = bo_list_check,
	  .refused = HAS "1 buffer list " },
	{ .name = "syncobj", .gpus = 1, .setup = syncobj_setup, .check = syncobj_check,
	  .refused = HAS "1 sync object " },
	{ .name = "node_closed", .gpus = 1, .setup = closed_setup, .check = closed_check,
	  .alone = true },
	{ .name = "closed_gem", .gpus = 1, .setup = closed_gem_setup, .check = closed_check,
	  .alone = true, .refused = CLOSED "1 GEM buffer " },
	{ .name = "closed_va", .gpus = 1, .setup = closed_va_setup, .check = closed_check,
	  .alone = true, .refused = CLOSED "1 GEM buffer " },
	{ .name = "closed_context", .gpus = 1, .setup = closed_context_setup, .check = closed_check,
	  .alone = true, .refused = CLOSED "1 context " },
	{ .name = "closed_bo_list", .gpus = 1, .setup = closed_bo_list_setup, .check = closed_check,
	  .alone = true, .refused = CLOSED "1 buffer list " },
	{ .name = "closed_syncobj", .gpus = 1, .setup = closed_syncobj_setup, .check = closed_check,
	  .alone = true, .refused = CLOSED "1 sync object " },
	{ .name = "dmabuf_fd", .gpus = 1, .setup = dmabuf_fd_setup, .check = dmabuf_fd_check,
	  .refused = "kfd_plugin: Error: .*fd [0-9]+ is a DMA-BUF" },
	{ .name = "imported", .gpus = 1, .setup = imported_setup,
	  .refused = "PROCESS_INFO EXDEV .* was imported from a dma-buf" },
	{ .name = NULL },
};
