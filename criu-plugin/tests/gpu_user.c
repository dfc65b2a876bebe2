// SPDX-License-Identifier: GPL-2.0-only
/*
 * A program to be dumped and restored: it uses GPUs in the way that its first
 * argument says, writes a line to the file that the second one names, waits
 * for SIGUSR1, checks that everything is as it was, and writes "right" or what
 * is wrong to that file. Through the uAPI alone.
 *
 *	bos	buffers in VRAM and GTT on every GPU
 *	gpu_1	as bos, on the first GPU; the others are not touched
 *	gpu_2	likewise, on the second
 *	idle	/dev/kfd and nothing else
 *	unused	a VM on every GPU, but no buffer
 *	twice	as bos, with /dev/kfd and a render node opened twice, and duplicates
 *	child	as bos in a child; the parent uses no GPU
 *	pair	as bos in two children
 *	mixed	as bos in a child, as moved in another, no GPU in a third
 *	fds	as bos, with many fds
 *	closed	as bos, with the render nodes closed while mapped
 *	imported	as bos, with a buffer of a render node imported, which cannot
 *		be dumped
 *	moved	memory that is mapped twice, and a GPU that works on the first
 *		mapping: see gpu_user_moved.c
 *	orphan, orphan_exec, inherited, outside
 *		files of another process: see gpu_held.c
 *	split	mappings in pieces: see gpu_user_split.c
 *	more	that has to do with other files: see gpu_user_foreign.c
 *	uring	two io_urings beside a GPU: see gpu_uring.c
 */
#define _GNU_SOURCE
#include "gpu_user.h"

#include <dirent.h>
#include <fcntl.h>
#include <libdrm/amdgpu_drm.h>
#include <libdrm/drm.h>
#include <linux/kfd_ioctl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define MAX_GPUS	4
#define MIB		(1024 * 1024ul)
#define NODES		"/sys/class/kfd/kfd/topology/nodes"
#define GPU_VA		0x4000000000ul

/* A buffer, and what it is full of. */
struct bo {
	uint32_t gpu_id;
	uint32_t flags;
	size_t size;
	uint64_t seed;
	uint64_t handle;
	uint64_t *map;
};

struct gpu {
	uint32_t id;
	unsigned int minor_nr;
	int drm;
};

static struct gpu gpus[MAX_GPUS];
static unsigned int nr_gpus;
static struct bo bos[4 * MAX_GPUS];
static unsigned int nr_bos;
static int kfd = -1;

static long read_number(const char *path, const char *key)
{
	char line[256];
	long value = -1;
	FILE *f = fopen(path, "re");

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f)) {
		if (!key)
			value = atol(line);
		else if (!strncmp(line, key, strlen(key)))
			value = atol(line + strlen(key));
	}
	fclose(f);
	return value;
}

static void find_gpus(void)
{
	char path[128];
	int node;

	for (node = 0; node < 16 && nr_gpus < MAX_GPUS; node++) {
		long id, minor_nr;

		snprintf(path, sizeof(path), NODES "/%d/gpu_id", node);
		id = read_number(path, NULL);
		snprintf(path, sizeof(path), NODES "/%d/properties", node);
		minor_nr = read_number(path, "drm_render_minor ");
		if (id > 0 && minor_nr > 0)
			gpus[nr_gpus++] = (struct gpu){ id, minor_nr, -1 };
	}
	REQUIRE(nr_gpus > 0);
}

static int open_render(const struct gpu *gpu)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/dri/renderD%u", gpu->minor_nr);
	fd = open(path, O_RDWR | O_CLOEXEC);
	REQUIRE(fd >= 0);
	return fd;
}

static void acquire(void)
{
	unsigned int i;

	for (i = 0; i < nr_gpus; i++) {
		struct kfd_ioctl_acquire_vm_args args = { .gpu_id = gpus[i].id };

		gpus[i].drm = open_render(&gpus[i]);
		args.drm_fd = gpus[i].drm;
		REQUIRE(!ioctl(kfd, AMDKFD_IOC_ACQUIRE_VM, &args));
	}
}

/* Two thirds of the pages get data that no other page has. */
static void fill(const struct bo *bo)
{
	size_t page, i;

	for (page = 0; page < bo->size / 4096; page++)
		for (i = 0; page % 3 && i < 512; i++)
			bo->map[page * 512 + i] = (bo->seed << 40) + page * 512 + i;
}

static bool filled(const struct bo *bo)
{
	size_t page, i;

	for (page = 0; page < bo->size / 4096; page++)
		for (i = 0; i < 512; i++)
			if (bo->map[page * 512 + i] !=
			    (page % 3 ? (bo->seed << 40) + page * 512 + i : 0))
				return false;
	return true;
}

static void new_bo(const struct gpu *gpu, uint32_t flags, size_t size)
{
	static uint64_t next_va = GPU_VA;
	struct kfd_ioctl_alloc_memory_of_gpu_args args = {
		.va_addr = next_va, .size = size, .gpu_id = gpu->id,
		.flags = flags | KFD_IOC_ALLOC_MEM_FLAGS_WRITABLE |
			 KFD_IOC_ALLOC_MEM_FLAGS_PUBLIC,
	};
	struct bo *bo = &bos[nr_bos];

	next_va += size + MIB;
	REQUIRE(!ioctl(kfd, AMDKFD_IOC_ALLOC_MEMORY_OF_GPU, &args));
	bo->gpu_id = gpu->id;
	bo->flags = args.flags;
	bo->size = size;
	bo->seed = ++nr_bos;
	bo->handle = args.handle;
	bo->map = mmap((void *)args.va_addr, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_FIXED_NOREPLACE, gpu->drm, args.mmap_offset);
	REQUIRE(bo->map != MAP_FAILED);
	fill(bo);
}

static void new_bos(void)
{
	unsigned int i;

	for (i = 0; i < nr_gpus; i++) {
		new_bo(&gpus[i], KFD_IOC_ALLOC_MEM_FLAGS_VRAM, 20 * MIB);
		new_bo(&gpus[i], KFD_IOC_ALLOC_MEM_FLAGS_VRAM, 4096);
		new_bo(&gpus[i], KFD_IOC_ALLOC_MEM_FLAGS_GTT, MIB + 4096);
	}
}

/* What was there is there, and what is new works as well. */
static void check(bool closed)
{
	unsigned int i, old = nr_bos;

	for (i = 0; i < old; i++) {
		struct kfd_ioctl_map_memory_to_gpu_args map = {
			.handle = bos[i].handle, .n_devices = 1,
			.device_ids_array_ptr = (uintptr_t)&bos[i].gpu_id,
		};

		if (!filled(&bos[i])) {
			report("buffer %u is not what it was", i);
			_exit(1);
		}
		fill(&bos[i]);	/* it can be written, too */
		REQUIRE(!ioctl(kfd, AMDKFD_IOC_MAP_MEMORY_TO_GPU, &map));
	}
	for (i = 0; i < nr_gpus && !closed && gpus[i].drm >= 0; i++)
		new_bo(&gpus[i], KFD_IOC_ALLOC_MEM_FLAGS_VRAM, MIB);
	/* the driver's mapping without an fd needs one fd per node */
	check_fds(closed ? nr_gpus : 0);
}

static void open_kfd(void)
{
	kfd = open("/dev/kfd", O_RDWR | O_CLOEXEC);
	REQUIRE(kfd >= 0);
}

static void use_bos(void)
{
	open_kfd();
	acquire();
	new_bos();
	wait_signal();
	check(false);
}

/* The n-th GPU is the only one that this program knows of. */
static void use_one(unsigned int n)
{
	REQUIRE(n < nr_gpus);
	gpus[0] = gpus[n];
	nr_gpus = 1;
	use_bos();
}

static void use_imported(void)
{
	union drm_amdgpu_gem_create make = {
		.in = { .bo_size = MIB, .alignment = 4096, .domains = AMDGPU_GEM_DOMAIN_GTT },
	};
	struct drm_prime_handle prime = { .flags = DRM_CLOEXEC | DRM_RDWR };
	struct kfd_ioctl_import_dmabuf_args import = { .va_addr = 2 * GPU_VA };
	struct drm_gem_close gone = { 0 };

	open_kfd();
	acquire();
	new_bos();
	REQUIRE(!ioctl(gpus[0].drm, DRM_IOCTL_AMDGPU_GEM_CREATE, &make));
	prime.handle = make.out.handle;
	REQUIRE(!ioctl(gpus[0].drm, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime));
	import.gpu_id = gpus[0].id;
	import.dmabuf_fd = prime.fd;
	REQUIRE(!ioctl(kfd, AMDKFD_IOC_IMPORT_DMABUF, &import));
	close(prime.fd);
	/* what is left of it is KFD's alone */
	gone.handle = make.out.handle;
	REQUIRE(!ioctl(gpus[0].drm, DRM_IOCTL_GEM_CLOSE, &gone));
	wait_signal();
	check(false);
}

static void use_twice(void)
{
	struct kfd_ioctl_get_version_args version;
	int again;

	again = open("/dev/kfd", O_RDWR | O_CLOEXEC);
	open_kfd();
	REQUIRE(again >= 0 && dup(again) >= 0 && dup(kfd) >= 0);
	find_gpus();
	REQUIRE(open_render(&gpus[0]) >= 0);
	acquire();
	REQUIRE(dup(gpus[0].drm) >= 0);
	new_bos();
	wait_signal();
	check(false);
	REQUIRE(!ioctl(again, AMDKFD_IOC_GET_VERSION, &version));
}

static void use_idle(void)
{
	open_kfd();
	wait_signal();
	nr_gpus = 0;
	check(false);
}

static void use_unused(void)
{
	open_kfd();
	acquire();
	wait_signal();
	check(false);
}

static void use_closed(void)
{
	unsigned int i;

	open_kfd();
	acquire();
	new_bos();
	for (i = 0; i < nr_gpus; i++)
		close(gpus[i].drm);
	wait_signal();
	check(true);
}

/* Device files in between, above and below many others. */
static void use_fds(void)
{
	int i, fd;

	for (i = 0; i < 150; i++)
		REQUIRE(open("/dev/null", O_RDWR | O_CLOEXEC) >= 0);
	open_kfd();
	for (i = 0; i < 150; i++)
		REQUIRE(open("/dev/null", O_RDWR | O_CLOEXEC) >= 0);
	acquire();
	/* render nodes below, the rest is full */
	for (i = 0; i < (int)nr_gpus; i++) {
		fd = 10 + i;
		REQUIRE(dup3(gpus[i].drm, fd, O_CLOEXEC) == fd);
		close(gpus[i].drm);
		gpus[i].drm = fd;
	}
	new_bos();
	wait_signal();
	check(false);
}

static void child_bos(void)
{
	find_gpus();
	use_bos();
}

static void child_moved(void)
{
	report("moved is %d", getpid());
	use_moved();
}

/* Children get the parent's signal passed on. */
static void use_children(void (* const use[])(void), unsigned int nr)
{
	pid_t pids[3];
	unsigned int i;
	int status;

	for (i = 0; i < nr; i++) {
		pids[i] = fork();
		REQUIRE(pids[i] >= 0);
		if (!pids[i]) {
			use[i]();
			report("right");
			_exit(0);
		}
	}
	wait_signal();
	for (i = 0; i < nr; i++)
		kill(pids[i], SIGUSR1);
	for (i = 0; i < nr; i++)
		REQUIRE(waitpid(pids[i], &status, 0) == pids[i] && !status);
}

int main(int argc, char **argv)
{
	static void (* const pair[])(void) = { child_bos, child_bos };
	static void (* const mixed[])(void) = { child_bos, child_moved, wait_signal };
	const char *mode = argv[1];

	if (argc < 3)
		return 2;
	result_path = argv[2];
	/* what a mode has executed */
	if (argc == 5 && !strcmp(mode, "hold"))
		hold_files(atoi(argv[3]), atoi(argv[4]));
	if (argc != 3)
		return 2;
	if (!strcmp(mode, "child") || !strcmp(mode, "pair")) {
		use_children(pair, !strcmp(mode, "pair") ? 2 : 1);
	} else if (!strcmp(mode, "mixed")) {
		use_children(mixed, 3);
	} else if (!strcmp(mode, "twice")) {
		use_twice();
	} else if (!strcmp(mode, "moved")) {
		use_moved();
	} else if (!strcmp(mode, "orphan") || !strcmp(mode, "orphan_exec")) {
		use_orphan(!strcmp(mode, "orphan_exec"));
	} else if (!strcmp(mode, "inherited") || !strcmp(mode, "outside")) {
		use_inherited(!strcmp(mode, "outside"));
	} else if (!strcmp(mode, "uring")) {
		use_uring();
	} else if (!use_foreign(mode)) {
		find_gpus();
		if (!strcmp(mode, "bos"))
			use_bos();
		else if (!strcmp(mode, "gpu_1"))
			use_one(0);
		else if (!strcmp(mode, "gpu_2"))
			use_one(1);
		else if (!strcmp(mode, "idle"))
			use_idle();
		else if (!strcmp(mode, "unused"))
			use_unused();
		else if (!strcmp(mode, "closed"))
			use_closed();
		else if (!strcmp(mode, "imported"))
			use_imported();
		else if (!strcmp(mode, "fds"))
			use_fds();
		else
			return 2;
	}
	report("right");
	return 0;
}
