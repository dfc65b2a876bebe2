// SPDX-License-Identifier: GPL-2.0-only
/*
 * The checkpoint and restore operations as a dumper and a restorer use them.
 */
#include <dirent.h>
#include <fcntl.h>
#include <libdrm/amdgpu_drm.h>
#include <libdrm/drm.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kfd_criu.h"

int kfd_criu_op(int fd, struct kfd_ioctl_criu_args *args, uint32_t op)
{
	args->op = op;
	return kfd_call(fd, AMDKFD_IOC_CRIU_OP, args);
}

int kfd_criu_info(int fd, struct kfd_ioctl_criu_args *args)
{
	memset(args, 0, sizeof(*args));
	return kfd_criu_op(fd, args, KFD_CRIU_OP_PROCESS_INFO);
}

int kfd_criu_unpause(int fd)
{
	struct kfd_ioctl_criu_args args = { 0 };

	return kfd_criu_op(fd, &args, KFD_CRIU_OP_UNPAUSE);
}

int kfd_criu_resume(int fd, pid_t pid)
{
	struct kfd_ioctl_criu_args args = { .pid = pid };

	return kfd_criu_op(fd, &args, KFD_CRIU_OP_RESUME);
}

/* Room for what @s->info tells of. */
int kfd_snapshot_alloc(struct kfd_snapshot *s)
{
	uint32_t i;

	if (s->info.num_devices > KFD_MAX_TEST_GPUS)
		return -E2BIG;
	s->bos = calloc(s->info.num_bos + 1, sizeof(*s->bos));
	s->priv = calloc(1, s->info.priv_data_size + 8);
	s->contents = calloc(s->info.num_bos + 1, sizeof(*s->contents));
	if (!s->bos || !s->priv || !s->contents) {
		kfd_snapshot_free(s);
		return -ENOMEM;
	}
	for (i = 0; i < s->info.num_bos; i++)
		s->bos[i].dmabuf_fd = KFD_INVALID_FD;
	return 0;
}

void kfd_snapshot_close_fds(struct kfd_snapshot *s)
{
	uint32_t i;

	for (i = 0; s->bos && i < s->info.num_bos; i++) {
		if (s->bos[i].dmabuf_fd != KFD_INVALID_FD)
			close((int)s->bos[i].dmabuf_fd);
		s->bos[i].dmabuf_fd = KFD_INVALID_FD;
	}
}

void kfd_snapshot_free(struct kfd_snapshot *s)
{
	uint32_t i;

	kfd_snapshot_close_fds(s);
	for (i = 0; s->contents && i < s->info.num_bos; i++)
		free(s->contents[i]);
	free(s->contents);
	free(s->priv);
	free(s->bos);
	s->contents = NULL;
	s->priv = NULL;
	s->bos = NULL;
}

/* A copy to be spoilt; without the contents and the fds. */
int kfd_snapshot_copy(const struct kfd_snapshot *from, struct kfd_snapshot *to)
{
	uint32_t i;
	int ret;

	*to = *from;
	ret = kfd_snapshot_alloc(to);
	if (ret)
		return ret;
	memcpy(to->priv, from->priv, from->info.priv_data_size);
	memcpy(to->bos, from->bos, from->info.num_bos * sizeof(*to->bos));
	for (i = 0; i < to->info.num_bos; i++)
		to->bos[i].dmabuf_fd = KFD_INVALID_FD;
	return 0;
}

/* The arguments of a CHECKPOINT into or a RESTORE from @s. */
void kfd_snapshot_args(const struct kfd_snapshot *s, struct kfd_ioctl_criu_args *args)
{
	*args = s->info;
	args->devices = (uintptr_t)s->devices;
	args->bos = (uintptr_t)s->bos;
	args->priv_data = (uintptr_t)s->priv;
	args->pid = 0;
}

/* PROCESS_INFO and CHECKPOINT; the process stays paused on success. */
int kfd_snapshot_checkpoint(int fd, struct kfd_snapshot *s)
{
	struct kfd_ioctl_criu_args args;
	int ret;

	memset(s, 0, sizeof(*s));
	ret = kfd_criu_info(fd, &s->info);
	if (ret)
		return ret;
	ret = kfd_snapshot_alloc(s);
	if (!ret) {
		kfd_snapshot_args(s, &args);
		ret = kfd_criu_op(fd, &args, KFD_CRIU_OP_CHECKPOINT);
	}
	if (ret) {
		kfd_snapshot_free(s);
		kfd_criu_unpause(fd);
	}
	return ret;
}

int kfd_gpu_by_id(const struct kfd *k, uint32_t gpu_id)
{
	int i;

	for (i = 0; i < k->num_gpus; i++)
		if (k->gpu[i].gpu_id == gpu_id)
			return i;
	return -1;
}

/* Map a DMA-BUF: by itself, or as a buffer of the render node. */
static void *map_dmabuf(int drm_fd, int dmabuf, uint64_t size, uint32_t *handle)
{
	struct drm_prime_handle prime = { .fd = dmabuf };
	union drm_amdgpu_gem_mmap where = { 0 };
	void *p;

	*handle = 0;
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, dmabuf, 0);
	if (p != MAP_FAILED)
		return p;
	if (kfd_call(drm_fd, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime))
		return MAP_FAILED;
	*handle = prime.handle;
	where.in.handle = prime.handle;
	if (kfd_call(drm_fd, DRM_IOCTL_AMDGPU_GEM_MMAP, &where))
		return MAP_FAILED;
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, drm_fd,
		    (off_t)where.out.addr_ptr);
}

/* Copy what is in VRAM and GTT through the DMA-BUFs of the checkpoint. */
int kfd_snapshot_read_contents(struct kfd *k, struct kfd_snapshot *s)
{
	struct drm_gem_close gone = { 0 };
	uint32_t handle, i;
	int ret = 0, gpu;
	void *p;

	for (i = 0; i < s->info.num_bos && !ret; i++) {
		struct kfd_criu_bo_bucket *bo = &s->bos[i];

		if (bo->dmabuf_fd == KFD_INVALID_FD)
			continue;
		gpu = kfd_gpu_by_id(k, bo->gpu_id);
		if (gpu < 0)
			return -ENODEV;
		s->contents[i] = malloc(bo->size);
		if (!s->contents[i])
			return -ENOMEM;
		p = map_dmabuf(k->gpu[gpu].drm_fd, (int)bo->dmabuf_fd, bo->size, &handle);
		if (p == MAP_FAILED) {
			ret = -errno;
		} else {
			memcpy(s->contents[i], p, bo->size);
			munmap(p, bo->size);
		}
		if (handle) {
			gone.handle = handle;
			kfd_call(k->gpu[gpu].drm_fd, DRM_IOCTL_GEM_CLOSE, &gone);
		}
	}
	return ret;
}

/*
 * A whole dump of the process behind @fd, contents and all. @k gives render
 * nodes to read through. The process stays paused.
 */
int kfd_snapshot_dump(struct kfd *k, int fd, struct kfd_snapshot *s)
{
	int ret;

	ret = kfd_snapshot_checkpoint(fd, s);
	if (ret)
		return ret;
	ret = kfd_snapshot_read_contents(k, s);
	kfd_snapshot_close_fds(s);
	if (ret) {
		kfd_snapshot_free(s);
		kfd_criu_unpause(fd);
	}
	return ret;
}

/* Have the last GPU come first, and so on. */
static void reverse_gpus(struct kfd *k)
{
	int i;

	for (i = 0; i < k->num_gpus / 2; i++) {
		struct kfd_gpu gpu = k->gpu[i];

		k->gpu[i] = k->gpu[k->num_gpus - 1 - i];
		k->gpu[k->num_gpus - 1 - i] = gpu;
	}
}

/* Open the driver and put the n-th GPU in the place of the n-th bucket's. */
int kfd_snapshot_open(struct kfd *k, struct kfd_snapshot *s)
{
	uint32_t i;
	int ret;

	ret = kfd_open(k);
	if (ret)
		return ret;
	ret = kfd_open_drm(k);
	if (ret)
		return ret;
	if (s->info.num_devices > (uint32_t)k->num_gpus)
		return -ENODEV;
	if (s->swap)
		reverse_gpus(k);
	for (i = 0; i < s->info.num_devices; i++) {
		s->devices[i].actual_gpu_id = k->gpu[i].gpu_id;
		s->devices[i].drm_fd = k->gpu[i].drm_fd;
	}
	return 0;
}

int kfd_snapshot_restore_op(struct kfd *k, struct kfd_snapshot *s)
{
	struct kfd_ioctl_criu_args args;

	kfd_snapshot_args(s, &args);
	return kfd_criu_op(k->fd, &args, KFD_CRIU_OP_RESTORE);
}

static int bucket_gpu(const struct kfd_snapshot *s, uint32_t user_gpu_id)
{
	uint32_t i;

	for (i = 0; i < s->info.num_devices; i++)
		if (s->devices[i].user_gpu_id == user_gpu_id)
			return i;
	return -1;
}

/* Map every buffer where it was and put its contents back. */
int kfd_snapshot_map_bos(struct kfd *k, struct kfd_snapshot *s)
{
	uint32_t by_kfd = KFD_IOC_ALLOC_MEM_FLAGS_DOORBELL | KFD_IOC_ALLOC_MEM_FLAGS_MMIO_REMAP;
	uint32_t i;

	for (i = 0; i < s->info.num_bos; i++) {
		struct kfd_criu_bo_bucket *bo = &s->bos[i];
		int gpu = bucket_gpu(s, bo->gpu_id);
		void *p;
		int fd;

		if (bo->alloc_flags & KFD_IOC_ALLOC_MEM_FLAGS_USERPTR)
			continue;
		if (gpu < 0)
			return -ENODEV;
		fd = bo->alloc_flags & by_kfd ? k->fd : k->gpu[gpu].drm_fd;
		p = mmap((void *)(uintptr_t)bo->addr, bo->size, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED_NOREPLACE, fd, (off_t)bo->restored_offset);
		if (p == MAP_FAILED)
			return -errno;
		if (s->contents[i])
			memcpy(p, s->contents[i], bo->size);
	}
	return 0;
}

/* What follows a RESTORE: mappings and contents, and the ids of the image. */
int kfd_snapshot_after_restore(struct kfd *k, struct kfd_snapshot *s)
{
	int ret = kfd_snapshot_map_bos(k, s);
	uint32_t i;

	kfd_snapshot_close_fds(s);
	/* From here on the process knows the GPUs by the ids it had. */
	for (i = 0; !ret && i < s->info.num_devices; i++)
		k->gpu[i].gpu_id = s->devices[i].user_gpu_id;
	return ret;
}

/* Everything up to, not including, RESUME. */
int kfd_snapshot_restore(struct kfd *k, struct kfd_snapshot *s)
{
	int ret;

	ret = kfd_snapshot_open(k, s);
	if (!ret)
		ret = kfd_snapshot_restore_op(k, s);
	if (!ret)
		return kfd_snapshot_after_restore(k, s);
	kfd_snapshot_close_fds(s);
	return ret;
}

/*
 * The file: the info, the buckets, the private data, then for each buffer a
 * size and its pages, each led by its number; pages of zeros are left out.
 */
static int put(int fd, const void *p, size_t bytes)
{
	while (bytes) {
		ssize_t n = write(fd, p, bytes);

		if (n <= 0)
			return n ? -errno : -EIO;
		p = (const char *)p + n;
		bytes -= n;
	}
	return 0;
}

static int get(int fd, void *p, size_t bytes)
{
	while (bytes) {
		ssize_t n = read(fd, p, bytes);

		if (n <= 0)
			return n ? -errno : -ENODATA;
		p = (char *)p + n;
		bytes -= n;
	}
	return 0;
}

static int put_contents(int fd, const void *contents, uint64_t size)
{
	static const char zeros[KFD_PAGE];
	uint64_t at, end = UINT64_MAX;
	int ret = 0;

	for (at = 0; contents && at < size && !ret; at += KFD_PAGE) {
		const char *page = (const char *)contents + at;

		if (!memcmp(page, zeros, KFD_PAGE))
			continue;
		ret = put(fd, &at, sizeof(at));
		if (!ret)
			ret = put(fd, page, KFD_PAGE);
	}
	return ret ? ret : put(fd, &end, sizeof(end));
}

static int get_contents(int fd, char *contents, uint64_t size)
{
	uint64_t at;
	int ret;

	for (;;) {
		ret = get(fd, &at, sizeof(at));
		if (ret || at == UINT64_MAX)
			return ret;
		if (at % KFD_PAGE || at >= size)
			return -EINVAL;
		ret = get(fd, contents + at, KFD_PAGE);
		if (ret)
			return ret;
	}
}

int kfd_snapshot_write(const struct kfd_snapshot *s, int fd)
{
	uint32_t i;
	int ret;

	ret = put(fd, &s->info, sizeof(s->info));
	if (!ret)
		ret = put(fd, s->devices, s->info.num_devices * sizeof(s->devices[0]));
	if (!ret)
		ret = put(fd, s->bos, s->info.num_bos * sizeof(s->bos[0]));
	if (!ret)
		ret = put(fd, s->priv, s->info.priv_data_size);
	for (i = 0; !ret && i < s->info.num_bos; i++)
		ret = put_contents(fd, s->contents[i], s->bos[i].size);
	return ret;
}

int kfd_snapshot_read(struct kfd_snapshot *s, int fd)
{
	uint32_t with_contents = KFD_IOC_ALLOC_MEM_FLAGS_VRAM | KFD_IOC_ALLOC_MEM_FLAGS_GTT;
	uint32_t i;
	int ret;

	memset(s, 0, sizeof(*s));
	ret = get(fd, &s->info, sizeof(s->info));
	if (!ret)
		ret = kfd_snapshot_alloc(s);
	if (ret)
		return ret;
	ret = get(fd, s->devices, s->info.num_devices * sizeof(s->devices[0]));
	if (!ret)
		ret = get(fd, s->bos, s->info.num_bos * sizeof(s->bos[0]));
	if (!ret)
		ret = get(fd, s->priv, s->info.priv_data_size);
	for (i = 0; !ret && i < s->info.num_bos; i++) {
		s->bos[i].dmabuf_fd = KFD_INVALID_FD;
		if (s->bos[i].alloc_flags & with_contents) {
			s->contents[i] = calloc(1, s->bos[i].size);
			if (!s->contents[i])
				ret = -ENOMEM;
		}
		if (!ret)
			ret = get_contents(fd, s->contents[i],
					   s->contents[i] ? s->bos[i].size : 0);
	}
	if (ret)
		kfd_snapshot_free(s);
	return ret;
}

/* Open files of this process, the one that counts them left out. */
int kfd_count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = -1;	/* opendir's own */

	if (!dir)
		return -errno;
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2;	/* "." and ".." */
}

/* A descriptor of our own for another process's open file. */
int kfd_steal_fd(pid_t pid, int fd)
{
	int pidfd, ret;

	pidfd = syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		return -errno;
	ret = syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	if (ret < 0)
		ret = -errno;
	close(pidfd);
	return ret;
}

/* Set the effective capabilities; the permitted ones stay. */
int kfd_set_caps(uint64_t effective)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data))
		return -errno;
	data[0].effective = (uint32_t)effective & data[0].permitted;
	data[1].effective = (uint32_t)(effective >> 32) & data[1].permitted;
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}
