/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Everything that the plugin asks of the system it runs on: device files,
 * ioctls, sysfs and procfs. The unit tests put a stand-in here.
 */
#ifndef KFD_PLUGIN_SYS_H
#define KFD_PLUGIN_SYS_H

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
 */
enum sys_dev {
	SYS_DEV_OTHER,
	SYS_DEV_KFD,
	SYS_DEV_RENDER,
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

/* Render minors: 226:128 to 226:191 */
#define SYS_DRM_MAJOR		226
#define SYS_RENDER_FIRST	128
#define SYS_RENDER_LAST		191
#define SYS_RENDER_COUNT	(SYS_RENDER_LAST - SYS_RENDER_FIRST + 1)

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
int sys_count_vmas(pid_t pid, unsigned int counts[SYS_RENDER_COUNT]);
pid_t sys_ns_pid(pid_t pid);
pid_t sys_self(void);
bool sys_exists(pid_t pid);
void sys_kill_tracees(pid_t pid);

#endif
