/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Checkpoint and restore for the selftests, without criu: dump a process into
 * a struct kfd_snapshot, write that to a file, restore a process from it.
 */
#ifndef KFD_CRIU_H
#define KFD_CRIU_H

#include <sys/types.h>

#include "kfd_lib.h"

#define CAP_NR_SYS_ADMIN		21
#define CAP_NR_CHECKPOINT_RESTORE	40

/**
 * struct kfd_snapshot - a dumped process
 * @info: what PROCESS_INFO said: counts, size, pid
 * @devices: info.num_devices buckets
 * @bos: info.num_bos buckets; dmabuf_fd is open until kfd_snapshot_close_fds()
 * @priv: info.priv_data_size bytes
 * @contents: for each buffer a copy of its bytes, or NULL
 * @swap: restore with the GPUs in reverse order
 */
struct kfd_snapshot {
	struct kfd_ioctl_criu_args info;
	struct kfd_criu_device_bucket devices[KFD_MAX_TEST_GPUS];
	struct kfd_criu_bo_bucket *bos;
	uint8_t *priv;
	void **contents;
	bool swap;
};

int kfd_criu_op(int fd, struct kfd_ioctl_criu_args *args, uint32_t op);
int kfd_criu_info(int fd, struct kfd_ioctl_criu_args *args);
int kfd_criu_unpause(int fd);
int kfd_criu_resume(int fd, pid_t pid);

int kfd_snapshot_alloc(struct kfd_snapshot *s);
void kfd_snapshot_free(struct kfd_snapshot *s);
void kfd_snapshot_close_fds(struct kfd_snapshot *s);
int kfd_snapshot_copy(const struct kfd_snapshot *from, struct kfd_snapshot *to);
void kfd_snapshot_args(const struct kfd_snapshot *s, struct kfd_ioctl_criu_args *args);

int kfd_snapshot_checkpoint(int fd, struct kfd_snapshot *s);
int kfd_snapshot_read_contents(struct kfd *k, struct kfd_snapshot *s);
int kfd_snapshot_dump(struct kfd *k, int fd, struct kfd_snapshot *s);

int kfd_snapshot_open(struct kfd *k, struct kfd_snapshot *s);
int kfd_snapshot_restore_op(struct kfd *k, struct kfd_snapshot *s);
int kfd_snapshot_map_bos(struct kfd *k, struct kfd_snapshot *s);
int kfd_snapshot_after_restore(struct kfd *k, struct kfd_snapshot *s);
int kfd_snapshot_restore(struct kfd *k, struct kfd_snapshot *s);

int kfd_snapshot_write(const struct kfd_snapshot *s, int fd);
int kfd_snapshot_read(struct kfd_snapshot *s, int fd);

int kfd_gpu_by_id(const struct kfd *k, uint32_t gpu_id);
int kfd_count_fds(void);
int kfd_steal_fd(pid_t pid, int fd);
int kfd_set_caps(uint64_t effective);

#endif
