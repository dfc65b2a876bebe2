/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Everything that the plugin asks of the system it runs on: device files,
 * ioctls, sysfs and procfs. The unit tests put a stand-in here.
 */
#ifndef KFD_PLUGIN_SYS_H
#define KFD_PLUGIN_SYS_H

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct kfd_ioctl_alloc_memory_of_gpu_args;
struct kfd_ioctl_criu_args;
struct kfd_ioctl_vaddr_info_args;

/**
 * enum sys_dev - what a device file is
 * @SYS_DEV_OTHER: nothing of ours
 * @SYS_DEV_KFD: /dev/kfd
 * @SYS_DEV_RENDER: a DRM render node, of any driver
 * @SYS_DEV_PRIMARY: a DRM primary node, of any driver
 * @SYS_DEV_ANON: no device file but one without a path, which its name tells of
 */
enum sys_dev {
	SYS_DEV_OTHER,
	SYS_DEV_KFD,
	SYS_DEV_RENDER,
	SYS_DEV_PRIMARY,
	SYS_DEV_ANON,
};

/**
 * struct sys_holder - a process that has a file open
 * @pid: the process as this one sees it
 * @ns_pid: the process as it sees itself
 * @fd: one of the numbers that it has the file open under
 */
struct sys_holder {
	pid_t pid;
	pid_t ns_pid;
	int fd;
};

/**
 * struct sys_holders - holders of one file, ordered by ns_pid and fd
 * @list: allocated; free() it
 * @nr: entries of @list
 */
struct sys_holders {
	struct sys_holder *list;
	size_t nr;
};

/**
 * struct sys_fd - a device file of ours, or one without a path, that is open
 * @fd: its number in the process
 * @kind: not SYS_DEV_OTHER
 * @minor_nr: of a DRM node
 * @name: of SYS_DEV_ANON
 */
struct sys_fd {
	int fd;
	enum sys_dev kind;
	unsigned int minor_nr;
	char name[40];
};

/**
 * struct sys_map - a mapping of a device file of ours, or of a DMA-BUF
 * @start: address
 * @end: address behind it
 * @offset: in the file
 * @kind: not SYS_DEV_OTHER
 * @minor_nr: of a DRM node
 * @path: of the device, as the process sees it
 */
struct sys_map {
	uint64_t start;
	uint64_t end;
	uint64_t offset;
	enum sys_dev kind;
	unsigned int minor_nr;
	char path[64];
};

/**
 * struct sys_user - a process that the driver of /dev/kfd lists
 * @pid: the process as this one sees it
 * @number: what the driver lists it as
 */
struct sys_user {
	pid_t pid;
	unsigned int number;
};

/* Primary minors: 226:0 to 226:63; render minors: 226:128 to 226:191 */
#define SYS_DRM_MAJOR		226
#define SYS_PRIMARY_LAST	63
#define SYS_RENDER_FIRST	128
#define SYS_RENDER_LAST		191
#define SYS_RENDER_COUNT	(SYS_RENDER_LAST - SYS_RENDER_FIRST + 1)

/* Offsets of /dev/kfd mappings: type << 62 | gpu_id << 46 | byte offset */
#define SYS_KFD_GPU_ID_SHIFT	46
#define SYS_KFD_GPU_ID_MASK	(0xffffULL << SYS_KFD_GPU_ID_SHIFT)

enum sys_dev sys_classify(const struct stat *st, unsigned int *minor_nr);
const char *sys_topology_root(void);
int sys_open_kfd(void);
int sys_open_dead_kfd(bool (*wanted)(pid_t pid, void *arg), void *arg);
int sys_kfd_owner(int kfd, pid_t *pid, bool *dead);
int sys_open_render(unsigned int minor_nr);
int sys_criu_op(int kfd, struct kfd_ioctl_criu_args *args);
int sys_vaddr_info(int kfd, struct kfd_ioctl_vaddr_info_args *args);
int sys_vaddr_update(int kfd, struct kfd_ioctl_alloc_memory_of_gpu_args *args);
int sys_refusal(int kfd, char *text, size_t size);
int sys_keep_fd(int fd);
int sys_find_holders(int fd, struct sys_holders *out);
int sys_borrow_fd(pid_t pid, dev_t rdev);
int sys_find_kfd_vmas(pid_t pid, uint32_t **ids, size_t *nr);
int sys_count_vmas(pid_t pid, unsigned int counts[SYS_RENDER_COUNT]);
pid_t sys_ns_pid(pid_t pid);
pid_t sys_tracer(pid_t pid);
pid_t sys_self(void);
bool sys_exists(pid_t pid);
void sys_kill_tracees(pid_t pid);

/* sys_tree.c, sys_users.c */
int sys_append(void **list, size_t *nr, const void *item, size_t size);
int sys_tracees(pid_t **list, size_t *nr);
int sys_device_fds(pid_t pid, struct sys_fd **list, size_t *nr);
int sys_device_maps(pid_t pid, struct sys_map **list, size_t *nr);
void sys_fd_name(pid_t pid, int fd, char *name, size_t size);
int sys_fdinfo(pid_t pid, int fd, const char *key, uint64_t *value);
int sys_fdinfo_line(pid_t pid, int fd, const char *key, unsigned int nr, char *line,
		    size_t size);
bool sys_is_own_kfd(pid_t pid, int fd);
int sys_users(struct sys_user **list, size_t *nr);
bool sys_user_has_state(const struct sys_user *user);
pid_t sys_parent(pid_t pid);
int sys_gem_handles(pid_t pid, int fd, uint64_t *nr);
int sys_render_of(unsigned int minor_nr);

#endif
