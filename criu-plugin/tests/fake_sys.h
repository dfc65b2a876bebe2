/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A machine and a driver that exist only for the tests: see fake_sys.c.
 */
#ifndef KFD_PLUGIN_TEST_FAKE_SYS_H
#define KFD_PLUGIN_TEST_FAKE_SYS_H

#include <linux/kfd_ioctl.h>
#include <stdbool.h>
#include <stdint.h>

#include "sys.h"

#define FAKE_MAX_BOS	8
#define FAKE_MAX_GPUS	2
#define FAKE_MAX_UPDATES	16
#define FAKE_MAX_MAPS	8
#define FAKE_MAX_INFOS	8
#define FAKE_MAX_USERS	4

/**
 * struct fake_info - a line of a file's fdinfo that is not 0
 * @fd: the file's number in the process
 * @key: of the line
 * @value: in it
 */
struct fake_info {
	int fd;
	const char *key;
	uint64_t value;
};

/**
 * struct fake_machine - what the plugin finds, and what it has done
 * @nr_gpus: devices that a process has
 * @gpu_id: in the topology
 * @minor_nr: of their render nodes
 * @user_gpu_id: as the dumped process knows them
 * @nr_used: the first so many of them have the process's state; 0: all
 * @kfd_vma: gpu_id in a mapping of /dev/kfd, or 0
 * @mapped_minor: render node that the process has mapped; 0: the first
 * @nr_bos: buffers of the dumped process
 * @bos: as CHECKPOINT gives them, dmabuf_fd excepted
 * @memory: a memfd with the contents of each buffer
 * @no_dmabuf: CHECKPOINT and RESTORE give no dmabuf
 * @pid: of the process, as PROCESS_INFO gives it and as the restored one has it
 * @real_pid: of the process as seen by criu
 * @holder_fd: number of each file in the process, by the file's inode
 * @holder_pid: a process that has every file as well, or 0
 * @owner: process that the driver says opened every file; 0: it does not say
 * @owner_dead: and that it is gone
 * @dead_opens: how often /dev/kfd was opened for one that is
 * @holder2: another process that has each file, as it sees itself; 0: none
 * @fail_op: this op fails with @fail_err; -1: none does
 * @refusal: what the driver says of that, or NULL
 * @drains: the driver knows what PROCESS_INFO can be asked for
 * @request: what the last one was asked for
 * @paused: PROCESS_INFO less UNPAUSE
 * @calls: per op
 * @restored: buffers as RESTORE got them
 * @filled: the dmabufs that RESTORE gave
 * @devices: device buckets as RESTORE got them
 * @drm_ino: inodes of the drm_fds in them
 * @resumed: pid of the last RESUME
 * @no_procfs: procfs says nothing of a process
 * @gone: pid of a process that is not there any more
 * @killed: who was to be killed, with all others that are being restored
 * @kills: how often
 * @vaddr_err: what VADDR_INFO fails with, or 0
 * @vaddr_caps: what it says that the driver can
 * @vaddr_infos: how often it was called
 * @update_err: what the second VADDR_UPDATE fails with, or 0
 * @nr_updates: how often that was called
 * @updates: with what
 * @render_vmas: mappings of the first render node
 * @traced: criu traces the process
 * @mainline: the render nodes count nothing in fdinfo and take no parts
 * @gem_handles: what a mainline node lists, or a negative errno
 * @infos: what else fdinfo has; other keys that there are say 0
 * @fd_list: device files that the process has open
 * @nr_fds: entries of @fd_list
 * @maps: its mappings of devices
 * @nr_maps: entries of @maps
 * @vms: lines of fdinfo of /dev/kfd about its VMs
 * @unlisted: the driver lists no processes
 * @users: those that it lists
 * @nr_users: entries of @users
 * @stateless: they have nothing to lose
 * @primary_render: the render node of the GPU with any primary node, or 0
 */
struct fake_machine {
	unsigned int nr_gpus;
	unsigned int gpu_id[FAKE_MAX_GPUS];
	unsigned int minor_nr[FAKE_MAX_GPUS];
	unsigned int user_gpu_id[FAKE_MAX_GPUS];
	unsigned int nr_used;
	unsigned int kfd_vma;
	unsigned int mapped_minor;
	unsigned int nr_bos;
	struct kfd_criu_bo_bucket bos[FAKE_MAX_BOS];
	int memory[FAKE_MAX_BOS];
	bool no_dmabuf;
	int pid;
	int real_pid;
	int holder_pid;
	int owner;
	bool owner_dead;
	unsigned int dead_opens;
	int holder2;
	int fail_op;
	int fail_err;
	const char *refusal;
	bool drains;
	uint64_t request;
	int paused;
	unsigned int calls[8];
	struct kfd_criu_bo_bucket restored[FAKE_MAX_BOS];
	int filled[FAKE_MAX_BOS];
	struct kfd_criu_device_bucket devices[FAKE_MAX_GPUS];
	uint64_t drm_ino[FAKE_MAX_GPUS];
	int resumed;
	bool no_procfs;
	int gone;
	int killed;
	unsigned int kills;
	int vaddr_err;
	uint64_t vaddr_caps;
	unsigned int vaddr_infos;
	int update_err;
	unsigned int nr_updates;
	struct kfd_ioctl_alloc_memory_of_gpu_args updates[FAKE_MAX_UPDATES];
	unsigned int render_vmas;
	bool traced;
	bool mainline;
	int gem_handles;
	struct fake_info infos[FAKE_MAX_INFOS];
	struct sys_fd fd_list[FAKE_MAX_MAPS];
	unsigned int nr_fds;
	struct sys_map maps[FAKE_MAX_MAPS];
	unsigned int nr_maps;
	const char *vms[FAKE_MAX_GPUS];
	bool unlisted;
	struct sys_user users[FAKE_MAX_USERS];
	unsigned int nr_users;
	bool stateless;
	unsigned int primary_render;
};

extern struct fake_machine fake;

int fake_open_kfd(int own_fd);
int fake_open_render(unsigned int minor_nr, int own_fd);
void fake_write_topology(void);
uint64_t fake_ino(int fd);
unsigned int fake_open_fds(void);

#endif
