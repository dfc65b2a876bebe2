// SPDX-License-Identifier: GPL-2.0-only
/*
 * Modes of gpu_user in which the program has more of a GPU than /dev/kfd knows
 * of, or mappings that are no longer in one piece. The first kind cannot be
 * dumped: what the program has must be there still when it goes on.
 */
#define _GNU_SOURCE
#include "gpu_user.h"

#include <fcntl.h>
#include <libdrm/amdgpu_drm.h>
#include <libdrm/drm.h>
#include <linux/kfd_ioctl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/kfd_lib.h"
#include "lib/kfd_packets.h"

#define GEM_BYTES	(1ul << 20)
#define SEED		11
#define PATIENCE	30000			/* milliseconds */

/* A queue that waits for the first word, then writes the second. */
struct job {
	struct kfd k;
	struct kfd_queue q;
	struct kfd_bo words, vram;
	int drm;
};

enum { WORD_GATE, WORD_DONE };

static void start_job(struct job *j)
{
	uint32_t packet[16];

	REQUIRE_OK(kfd_start(&j->k));
	j->drm = j->k.gpu[0].drm_fd;
	REQUIRE_OK(kfd_bo_create(&j->k, 0, MEM_GTT, KFD_PAGE, &j->words));
	memset(j->words.cpu, 0, KFD_PAGE);
	REQUIRE_OK(kfd_bo_create(&j->k, 0, MEM_VRAM, GEM_BYTES, &j->vram));
	kfd_fill_pattern(j->vram.cpu, GEM_BYTES, SEED);
	REQUIRE_OK(kfd_queue_create(&j->k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, 8192, &j->q));
	REQUIRE_OK(kfd_queue_emit(&j->q, packet,
				  pm4_wait_reg_mem(packet, PM4_FUNC_EQUAL, j->words.va, 1, ~0u)));
	REQUIRE_OK(kfd_queue_emit(&j->q, packet,
				  pm4_write_data(packet, j->words.va + WORD_DONE * 4, 4711)));
	kfd_queue_submit(&j->q);
}

static void finish_job(struct job *j)
{
	volatile uint32_t *words = j->words.cpu;

	REQUIRE(!words[WORD_DONE]);
	words[WORD_GATE] = 1;
	REQUIRE_OK(kfd_wait_u32(&words[WORD_DONE], 4711, PATIENCE));
	REQUIRE(kfd_check_pattern(j->vram.cpu, GEM_BYTES, SEED));
}

static int open_node(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	REQUIRE(fd >= 0);
	return fd;
}

static uint32_t gem_make(int fd)
{
	union drm_amdgpu_gem_create make = {
		.in = { .bo_size = GEM_BYTES, .alignment = 4096, .domains = AMDGPU_GEM_DOMAIN_GTT },
	};

	REQUIRE(!ioctl(fd, DRM_IOCTL_AMDGPU_GEM_CREATE, &make));
	return make.out.handle;
}

static void gem_close(int fd, uint32_t handle)
{
	struct drm_gem_close gone = { .handle = handle };

	REQUIRE(!ioctl(fd, DRM_IOCTL_GEM_CLOSE, &gone));
}

static void *gem_map(int fd, uint32_t handle)
{
	union drm_amdgpu_gem_mmap where = { .in = { .handle = handle } };
	void *p;

	REQUIRE(!ioctl(fd, DRM_IOCTL_AMDGPU_GEM_MMAP, &where));
	p = mmap(NULL, GEM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		 (off_t)where.out.addr_ptr);
	REQUIRE(p != MAP_FAILED);
	return p;
}

static uint32_t ctx_call(int fd, uint32_t op, uint32_t id)
{
	union drm_amdgpu_ctx ctx = { .in = { .op = op, .ctx_id = id } };

	REQUIRE(!ioctl(fd, DRM_IOCTL_AMDGPU_CTX, &ctx));
	return ctx.out.alloc.ctx_id;
}

static void gem(struct job *j)
{
	uint32_t handle = gem_make(j->drm);

	wait_signal();
	gem_close(j->drm, handle);
}

/* Only the mapping is left of it: nothing counts that. */
static void gem_mapped(struct job *j)
{
	uint32_t handle = gem_make(j->drm);
	void *p = gem_map(j->drm, handle);

	kfd_fill_pattern(p, GEM_BYTES, SEED + 1);
	gem_close(j->drm, handle);
	wait_signal();
	REQUIRE(kfd_check_pattern(p, GEM_BYTES, SEED + 1));
}

static void ctx(struct job *j)
{
	uint32_t id = ctx_call(j->drm, AMDGPU_CTX_OP_ALLOC_CTX, 0);

	wait_signal();
	ctx_call(j->drm, AMDGPU_CTX_OP_FREE_CTX, id);
}

/* In a file that KFD has nothing to do with. */
static void second(struct job *j)
{
	char path[64];
	uint32_t id;
	int fd;

	snprintf(path, sizeof(path), "/dev/dri/renderD%d", j->k.gpu[0].render_minor);
	fd = open_node(path);
	id = ctx_call(fd, AMDGPU_CTX_OP_ALLOC_CTX, 0);
	wait_signal();
	ctx_call(fd, AMDGPU_CTX_OP_FREE_CTX, id);
}

/* Of a buffer that has no handle any more. */
static uint32_t list_make(int fd)
{
	struct drm_amdgpu_bo_list_entry entry = { .bo_handle = gem_make(fd) };
	union drm_amdgpu_bo_list args = {
		.in = { .operation = AMDGPU_BO_LIST_OP_CREATE, .bo_number = 1,
			.bo_info_size = sizeof(entry), .bo_info_ptr = (uintptr_t)&entry },
	};

	REQUIRE(!ioctl(fd, DRM_IOCTL_AMDGPU_BO_LIST, &args));
	gem_close(fd, entry.bo_handle);
	return args.out.list_handle;
}

static void list(struct job *j)
{
	union drm_amdgpu_bo_list args = {
		.in = { .operation = AMDGPU_BO_LIST_OP_DESTROY,
			.list_handle = list_make(j->drm) },
	};

	wait_signal();
	REQUIRE(!ioctl(j->drm, DRM_IOCTL_AMDGPU_BO_LIST, &args));
}

static void syncobj(struct job *j)
{
	struct drm_syncobj_create make = { .flags = DRM_SYNCOBJ_CREATE_SIGNALED };
	struct drm_syncobj_destroy gone = { 0 };

	REQUIRE(!ioctl(j->drm, DRM_IOCTL_SYNCOBJ_CREATE, &make));
	wait_signal();
	gone.handle = make.handle;
	REQUIRE(!ioctl(j->drm, DRM_IOCTL_SYNCOBJ_DESTROY, &gone));
}

/* An fd of it, without the handle. */
static void syncobj_fd(struct job *j)
{
	struct drm_syncobj_create make = { .flags = DRM_SYNCOBJ_CREATE_SIGNALED };
	struct drm_syncobj_destroy gone = { 0 };
	struct drm_syncobj_handle fd = { 0 };

	REQUIRE(!ioctl(j->drm, DRM_IOCTL_SYNCOBJ_CREATE, &make));
	fd.handle = make.handle;
	REQUIRE(!ioctl(j->drm, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &fd));
	gone.handle = make.handle;
	REQUIRE(!ioctl(j->drm, DRM_IOCTL_SYNCOBJ_DESTROY, &gone));
	wait_signal();
	REQUIRE(!ioctl(j->drm, DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, &fd));
	gone.handle = fd.handle;
	REQUIRE(!ioctl(j->drm, DRM_IOCTL_SYNCOBJ_DESTROY, &gone));
}

static void sync_file(struct job *j)
{
	union drm_amdgpu_fence_to_handle args = {
		.in = { .what = AMDGPU_FENCE_TO_HANDLE_GET_SYNC_FILE_FD,
			.fence = { .ip_type = AMDGPU_HW_IP_DMA } },
	};
	struct pollfd poll_it = { .events = POLLIN };

	args.in.fence.ctx_id = ctx_call(j->drm, AMDGPU_CTX_OP_ALLOC_CTX, 0);
	poll_it.fd = args.in.fence.ctx_id;
	REQUIRE(!ioctl(j->drm, DRM_IOCTL_AMDGPU_FENCE_TO_HANDLE, &args));
	ctx_call(j->drm, AMDGPU_CTX_OP_FREE_CTX, poll_it.fd);
	poll_it.fd = args.out.handle;
	wait_signal();
	REQUIRE(poll(&poll_it, 1, PATIENCE) == 1 && poll_it.revents == POLLIN);
}

/* Of a buffer that is gone otherwise. */
static int make_dmabuf(struct job *j)
{
	struct drm_prime_handle prime = { .flags = DRM_CLOEXEC | DRM_RDWR };

	prime.handle = gem_make(j->drm);
	REQUIRE(!ioctl(j->drm, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime));
	gem_close(j->drm, prime.handle);
	return prime.fd;
}

static void *map_dmabuf(int fd)
{
	void *p = mmap(NULL, GEM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	REQUIRE(p != MAP_FAILED);
	return p;
}

static void dmabuf(struct job *j)
{
	int fd = make_dmabuf(j);
	void *p = map_dmabuf(fd);

	kfd_fill_pattern(p, GEM_BYTES, SEED + 2);
	REQUIRE(!munmap(p, GEM_BYTES));
	wait_signal();
	REQUIRE(kfd_check_pattern(map_dmabuf(fd), GEM_BYTES, SEED + 2));
}

static void dmabuf_mapped(struct job *j)
{
	int fd = make_dmabuf(j);
	char *p = map_dmabuf(fd);

	kfd_fill_pattern(p, GEM_BYTES, SEED + 2);
	close(fd);
	wait_signal();
	REQUIRE(kfd_check_pattern(p, GEM_BYTES, SEED + 2));
}

static void smi(struct job *j)
{
	struct kfd_ioctl_smi_events_args args = { .gpuid = j->k.gpu[0].gpu_id };

	REQUIRE_OK(kfd_call(j->k.fd, AMDKFD_IOC_SMI_EVENTS, &args));
	wait_signal();
	REQUIRE(fcntl(args.anon_fd, F_GETFD) >= 0);
}

static void card(struct job *j)
{
	int fd = open_node("/dev/dri/card0");
	struct drm_version version = { 0 };

	(void)j;
	wait_signal();
	REQUIRE(!ioctl(fd, DRM_IOCTL_VERSION, &version));
}

/* A buffer that was freed while mapped: the memory lives on in the mapping. */
static void freed(struct job *j)
{
	struct kfd_bo bo;

	REQUIRE_OK(kfd_bo_alloc(&j->k, 0, MEM_VRAM, GEM_BYTES, &bo));
	REQUIRE_OK(kfd_bo_map_cpu(&j->k, &bo));
	kfd_fill_pattern(bo.cpu, GEM_BYTES, SEED + 3);
	REQUIRE_OK(kfd_bo_free(&j->k, &bo));
	wait_signal();
	REQUIRE(kfd_check_pattern(bo.cpu, GEM_BYTES, SEED + 3));
}

static void pidfd(struct job *j)
{
	int fd = syscall(SYS_pidfd_open, getpid(), 0);

	(void)j;
	REQUIRE(fd >= 0);
	wait_signal();
	REQUIRE(!syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0));
}

/* The state stays when the file is closed, and the queue needs none. */
static void kfd_closed(struct job *j)
{
	close(j->k.fd);
	j->k.fd = -1;
	wait_signal();
}

/* Nothing that criu cannot hold by itself. */
static void eventfds(struct job *j)
{
	int fd = eventfd(3, EFD_CLOEXEC);
	eventfd_t value;

	(void)j;
	REQUIRE(fd >= 0);
	wait_signal();
	REQUIRE(!eventfd_read(fd, &value) && value == 3);
}

/* Without /dev/kfd at all. */
static void only_gem(void)
{
	int fd = open_node("/dev/dri/renderD128");
	void *p = gem_map(fd, gem_make(fd));

	kfd_fill_pattern(p, GEM_BYTES, SEED);
	wait_signal();
	REQUIRE(kfd_check_pattern(p, GEM_BYTES, SEED));
}

/* As before, and all that is left is the mapping. */
static void only_mapping(void)
{
	int fd = open_node("/dev/dri/renderD128");
	void *p = gem_map(fd, gem_make(fd));

	close(fd);
	kfd_fill_pattern(p, GEM_BYTES, SEED);
	wait_signal();
	REQUIRE(kfd_check_pattern(p, GEM_BYTES, SEED));
}

/* A node that is open, with nothing in it: that can be restored. */
static void only_open(void)
{
	int fd = open_node("/dev/dri/renderD128");

	wait_signal();
	gem_close(fd, gem_make(fd));
}

static void beside(void (*alone)(void))
{
	struct job *j = calloc(1, sizeof(*j));
	int status;
	pid_t child = fork();

	REQUIRE(j && child >= 0);
	if (!child) {
		alone();
		report("right");
		_exit(0);
	}
	start_job(j);
	wait_signal();
	finish_job(j);
	kill(child, SIGUSR1);
	REQUIRE(waitpid(child, &status, 0) == child && !status);
}

/* The parent can be dumped, the child cannot: all of the tree is looked at. */
static void in_child(void)
{
	beside(only_gem);
}

static void stray_child(void)
{
	beside(use_stray);
}

/* KFD keeps the file that it has the VM of, and all that is in it. */
static void close_node(struct job *j)
{
	REQUIRE(!close(j->drm));
	wait_signal();
}

static void closed_gem(struct job *j)
{
	gem_make(j->drm);
	close_node(j);
}

static void closed_ctx(struct job *j)
{
	ctx_call(j->drm, AMDGPU_CTX_OP_ALLOC_CTX, 0);
	close_node(j);
}

static void closed_list(struct job *j)
{
	list_make(j->drm);
	close_node(j);
}

static void closed_syncobj(struct job *j)
{
	struct drm_syncobj_create make = { 0 };

	REQUIRE(!ioctl(j->drm, DRM_IOCTL_SYNCOBJ_CREATE, &make));
	close_node(j);
}

/* With nothing in it that is not KFD's: that can be restored. */
static void closed_clean(struct job *j)
{
	gem_close(j->drm, gem_make(j->drm));
	close_node(j);
}

static const struct {
	const char *name;
	void (*run)(struct job *j);
	void (*alone)(void);
} modes[] = {
	{ "gem", gem, NULL },
	{ "gem_mapped", gem_mapped, NULL },
	{ "ctx", ctx, NULL },
	{ "second", second, NULL },
	{ "list", list, NULL },
	{ "syncobj", syncobj, NULL },
	{ "syncobj_fd", syncobj_fd, NULL },
	{ "sync_file", sync_file, NULL },
	{ "dmabuf", dmabuf, NULL },
	{ "dmabuf_mapped", dmabuf_mapped, NULL },
	{ "smi", smi, NULL },
	{ "card", card, NULL },
	{ "freed", freed, NULL },
	{ "pidfd", pidfd, NULL },
	{ "kfd_closed", kfd_closed, NULL },
	{ "eventfd", eventfds, NULL },
	{ "only_gem", NULL, only_gem },
	{ "only_mapping", NULL, only_mapping },
	{ "only_open", NULL, only_open },
	{ "in_child", NULL, in_child },
	{ "split", NULL, use_split },
	{ "closed_gem", closed_gem, NULL },
	{ "closed_ctx", closed_ctx, NULL },
	{ "closed_list", closed_list, NULL },
	{ "closed_syncobj", closed_syncobj, NULL },
	{ "closed_clean", closed_clean, NULL },
	{ "stray", NULL, use_stray },
	{ "stray_child", NULL, stray_child },
	{ "stray_late", NULL, use_stray_late },
	{ "looked", NULL, use_looked },
};

/**
 * use_foreign() - one of these modes
 * @mode: its name
 *
 * Return: false when it is none of them.
 */
bool use_foreign(const char *mode)
{
	struct job *j = calloc(1, sizeof(*j));
	size_t i;

	REQUIRE(j);
	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(mode, modes[i].name))
			continue;
		if (modes[i].alone) {
			modes[i].alone();
			return true;
		}
		start_job(j);
		modes[i].run(j);
		finish_job(j);
		return true;
	}
	return false;
}
