// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dma-buf fds that CHECKPOINT and RESTORE give to their caller (floor 4).
 *
 * An fd that was installed cannot be taken back, so it takes three steps:
 * files first (memory/ exports them), then reserved numbers, written into the
 * buckets and copied out, and only when nothing can fail any more, install.
 *
 * The caller's own file table: no lock of the driver is needed.
 */
#include <linux/fcntl.h>
#include <linux/file.h>

#include "../debug/break.h"
#include "criu.h"

/**
 * kfd_criu_reserve_fds - a number for every file, KFD_INVALID_FD for the rest
 * @bos: buckets whose dmabuf_fd is set
 * @files: their files, NULL: none
 * @n: number of both
 *
 * Context: sleeps.
 * Return: 0; -EMFILE: over RLIMIT_NOFILE; -ENOMEM: nothing is reserved then.
 */
int kfd_criu_reserve_fds(struct kfd_criu_bo_bucket *bos, struct file **files,
			 u32 n)
{
	int fd;
	u32 i;

	for (i = 0; i < n; i++) {
		bos[i].dmabuf_fd = KFD_INVALID_FD;
		if (!files[i])
			continue;
		fd = get_unused_fd_flags(O_CLOEXEC);
		if (fd < 0) {
			kfd_criu_unreserve_fds(bos, files, i);
			return fd;
		}
		bos[i].dmabuf_fd = fd;
		if (KFD_BROKEN(dmabuf_fd_leak))
			fd_install(fd, get_file(files[i]));
	}
	return 0;
}

/**
 * kfd_criu_unreserve_fds - undo kfd_criu_reserve_fds()
 * @bos: the buckets
 * @files: the files
 * @n: number of both
 *
 * Context: any.
 */
void kfd_criu_unreserve_fds(const struct kfd_criu_bo_bucket *bos,
			    struct file **files, u32 n)
{
	u32 i;

	if (KFD_BROKEN(dmabuf_fd_leak))
		return;
	for (i = 0; i < n; i++)
		if (files[i])
			put_unused_fd(bos[i].dmabuf_fd);
}

/**
 * kfd_criu_install_fds - make the reserved numbers refer to the files
 * @bos: the buckets
 * @files: the files; given away, set to NULL
 * @n: number of both
 *
 * Context: any. Cannot fail.
 */
void kfd_criu_install_fds(const struct kfd_criu_bo_bucket *bos,
			  struct file **files, u32 n)
{
	u32 i;

	if (KFD_BROKEN(dmabuf_fd_leak))
		return;
	for (i = 0; i < n; i++) {
		if (files[i])
			fd_install(bos[i].dmabuf_fd, files[i]);
		files[i] = NULL;
	}
}

/**
 * kfd_criu_drop_files - give files back that were not installed
 * @files: the files; may be NULL
 * @n: their number
 *
 * Context: any.
 */
void kfd_criu_drop_files(struct file **files, u32 n)
{
	u32 i;

	if (!files)
		return;
	for (i = 0; i < n; i++)
		if (files[i])
			fput(files[i]);
}
