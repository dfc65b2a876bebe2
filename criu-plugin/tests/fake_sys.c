// SPDX-License-Identifier: GPL-2.0-only
/*
 * A machine and a driver that exist only for the tests.
 *
 * Stands in for sys.c. Device files are memfds: one of /dev/kfd is empty, one
 * of a render node is where RESTORE puts the buffers if it gives no dmabuf, so
 * that what was loaded is found by mapping it as the process would. A file is
 * known by its inode.
 */
#define _GNU_SOURCE
#include "fake_sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ktap.h"
#include "sys.h"

#define MAX_FILES		64
#define RENDER_SIZE		(1ULL << 30)
#define RESTORED_BASE		(64ULL << 20)
#define KEEP_BASE		512
#define OWN_BASE		800	/* fds of the stand-in itself */
#define PRIV_SIZE		333
#define NUM_OBJECTS		5

struct fake_file {
	uint64_t ino;
	enum sys_dev kind;
	unsigned int minor_nr;
	int own_fd;
};

struct fake_machine fake;
static struct fake_file files[MAX_FILES];
static unsigned int nr_files;

/** fake_ino() - what tells one file from another */
uint64_t fake_ino(int fd)
{
	struct stat st;

	CHECK(!fstat(fd, &st));
	return st.st_ino;
}

static struct fake_file *find(uint64_t ino)
{
	unsigned int i;

	for (i = 0; i < nr_files; i++)
		if (files[i].ino == ino)
			return &files[i];
	return NULL;
}

static int new_file(enum sys_dev kind, unsigned int minor_nr, int own_fd)
{
	int fd = memfd_create("device", MFD_CLOEXEC);

	CHECK(fd >= 0 && nr_files < MAX_FILES);
	CHECK(kind == SYS_DEV_KFD || !ftruncate(fd, RENDER_SIZE));
	files[nr_files++] = (struct fake_file) { fake_ino(fd), kind, minor_nr, own_fd };
	return fd;
}

/** fake_open_kfd() - a file that the dumped process has open as @own_fd */
int fake_open_kfd(int own_fd)
{
	return new_file(SYS_DEV_KFD, 0, own_fd);
}

/** fake_open_render() - likewise; -1: the process has none open */
int fake_open_render(unsigned int minor_nr, int own_fd)
{
	return new_file(SYS_DEV_RENDER, minor_nr, own_fd);
}

/** fake_open_fds() - number of open fds of this process */
unsigned int fake_open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned int n = 0;
	struct dirent *de;

	while ((de = readdir(d)))
		n += atoi(de->d_name) < OWN_BASE;
	closedir(d);
	return n - 3;	/* ".", ".." and the directory */
}

static void put(const char *path, const char *text)
{
	char full[256], *p;
	FILE *f;

	snprintf(full, sizeof(full), "%s/%s", sys_topology_root(), path);
	for (p = strchr(full + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		mkdir(full, 0700);
		*p = '/';
	}
	f = fopen(full, "w");
	CHECK(f);
	fputs(text, f);
	fclose(f);
}

/** fake_write_topology() - show @fake's GPUs in sysfs */
void fake_write_topology(void)
{
	char path[64], text[128];
	unsigned int i;

	snprintf(text, sizeof(text), "rm -rf %s", sys_topology_root());
	CHECK(!system(text));
	put("nodes/0/gpu_id", "0\n");
	for (i = 0; i < fake.nr_gpus; i++) {
		snprintf(path, sizeof(path), "nodes/%u/gpu_id", i + 1);
		snprintf(text, sizeof(text), "%u\n", fake.gpu_id[i]);
		put(path, text);
		snprintf(path, sizeof(path), "nodes/%u/properties", i + 1);
		snprintf(text, sizeof(text), "simd_count 16\nunique_id %u\ndrm_render_minor %u\n",
			 i + 1, fake.minor_nr[i]);
		put(path, text);
	}
}

const char *sys_topology_root(void)
{
	static char root[96];

	snprintf(root, sizeof(root), "%s.sysfs", ktap_dir);
	return root;
}

enum sys_dev sys_classify(const struct stat *st, unsigned int *minor_nr)
{
	const struct fake_file *f = find(st->st_ino);

	if (!f)
		return SYS_DEV_OTHER;
	*minor_nr = f->minor_nr;
	return f->kind;
}

int sys_open_kfd(void)
{
	return new_file(SYS_DEV_KFD, 0, -1);
}

int sys_open_dead_kfd(bool (*wanted)(pid_t pid, void *arg), void *arg)
{
	CHECK(!wanted(1, arg));
	fake.dead_opens++;
	return new_file(SYS_DEV_KFD, 0, -1);
}

int sys_kfd_owner(int kfd, pid_t *pid, bool *dead)
{
	CHECK(find(fake_ino(kfd)));
	*pid = fake.owner;
	*dead = fake.owner_dead;
	return fake.owner ? 0 : -ENOENT;
}

int sys_open_render(unsigned int minor_nr)
{
	unsigned int i;

	for (i = 0; i < fake.nr_gpus; i++)
		if (fake.minor_nr[i] == minor_nr)
			return new_file(SYS_DEV_RENDER, minor_nr, -1);
	return -ENOENT;
}

int sys_refusal(int kfd, char *text, size_t size)
{
	(void)kfd;
	snprintf(text, size, "%s", fake.refusal ? fake.refusal : "");
	return fake.refusal ? 0 : -ENOENT;
}

int sys_keep_fd(int fd)
{
	int ret = fcntl(fd, F_DUPFD_CLOEXEC, KEEP_BASE);

	close(fd);
	return ret;
}

int sys_find_holders(int fd, struct sys_holders *out)
{
	const struct fake_file *f = find(fake_ino(fd));

	memset(out, 0, sizeof(*out));
	if (!f || f->own_fd < 0)
		return 0;
	out->list = calloc(3, sizeof(*out->list));
	if (fake.holder_pid)
		out->list[out->nr++] =
			(struct sys_holder) { fake.holder_pid, fake.holder_pid, f->own_fd };
	/* by pid, as they are */
	if (fake.holder2)
		out->list[out->nr++] = (struct sys_holder) { 4200, fake.holder2, f->own_fd };
	out->list[out->nr++] = (struct sys_holder) { fake.real_pid, fake.pid, f->own_fd };
	return 0;
}

/* The process's render node: the buffers are where their offsets say. */
int sys_borrow_fd(pid_t pid, dev_t rdev)
{
	int fd = memfd_create("borrowed", MFD_CLOEXEC);
	unsigned int i;
	char *buf;

	CHECK(pid == fake.real_pid && rdev);
	for (i = 0; i < fake.nr_bos; i++) {
		if (fake.memory[i] < 0)
			continue;
		buf = malloc(fake.bos[i].size);
		CHECK(pread(fake.memory[i], buf, fake.bos[i].size, 0) ==
		      (ssize_t)fake.bos[i].size);
		CHECK(pwrite(fd, buf, fake.bos[i].size, fake.bos[i].offset) ==
		      (ssize_t)fake.bos[i].size);
		free(buf);
	}
	return fd;
}

int sys_count_vmas(pid_t pid, unsigned int counts[SYS_RENDER_COUNT])
{
	CHECK(pid == fake.real_pid);
	memset(counts, 0, sizeof(*counts) * SYS_RENDER_COUNT);
	counts[(fake.mapped_minor ? fake.mapped_minor : fake.minor_nr[0]) -
	       SYS_RENDER_FIRST] = fake.render_vmas;
	return 0;
}

int sys_find_kfd_vmas(pid_t pid, uint32_t **ids, size_t *nr)
{
	CHECK(pid == fake.real_pid);
	*nr = fake.kfd_vma != 0;
	*ids = calloc(1, sizeof(**ids));
	(*ids)[0] = fake.kfd_vma;
	return 0;
}

pid_t sys_ns_pid(pid_t pid)
{
	if (fake.no_procfs || pid == fake.gone)
		return -1;
	return pid == fake.real_pid ? fake.pid : pid;
}

pid_t sys_self(void)
{
	return fake.pid;
}

bool sys_exists(pid_t pid)
{
	return pid != fake.gone;
}

void sys_kill_tracees(pid_t pid)
{
	CHECK(pid > 0);
	fake.killed = pid;
	fake.kills++;
}

pid_t sys_tracer(pid_t pid)
{
	return fake.traced && pid == fake.real_pid ? getpid() : 0;
}

int sys_tracees(pid_t **list, size_t *nr)
{
	*list = calloc(1, sizeof(**list));
	(*list)[0] = fake.real_pid;
	*nr = fake.traced;
	return 0;
}

int sys_device_fds(pid_t pid, struct sys_fd **list, size_t *nr)
{
	CHECK(pid == fake.real_pid);
	*list = calloc(FAKE_MAX_MAPS, sizeof(**list));
	memcpy(*list, fake.fd_list, sizeof(fake.fd_list));
	*nr = fake.nr_fds;
	return 0;
}

int sys_device_maps(pid_t pid, struct sys_map **list, size_t *nr)
{
	CHECK(pid == fake.real_pid);
	*list = calloc(FAKE_MAX_MAPS, sizeof(**list));
	memcpy(*list, fake.maps, sizeof(fake.maps));
	*nr = fake.nr_maps;
	return 0;
}

void sys_fd_name(pid_t pid, int fd, char *name, size_t size)
{
	CHECK(!pid && fd >= 0);
	snprintf(name, size, "/dmabuf:");
}

/* Both drivers are ours, or both are mainline's. */
int sys_fdinfo(pid_t pid, int fd, const char *key, uint64_t *value)
{
	const struct fake_file *f = pid ? NULL : find(fake_ino(fd));
	int own_fd = f ? f->own_fd : fd;
	unsigned int i;

	if (fake.mainline)
		return -ENOENT;
	*value = !strcmp(key, "kfd-pid") ? fake.real_pid : 0;
	for (i = 0; i < FAKE_MAX_INFOS; i++)
		if (fake.infos[i].key && fake.infos[i].fd == own_fd &&
		    !strcmp(fake.infos[i].key, key))
			*value = fake.infos[i].value;
	return 0;
}

int sys_fdinfo_line(pid_t pid, int fd, const char *key, unsigned int nr, char *line, size_t size)
{
	CHECK(pid == fake.real_pid && fd >= 0 && !strcmp(key, "kfd-vm"));
	if (fake.mainline || nr >= FAKE_MAX_GPUS || !fake.vms[nr])
		return -ENOENT;
	snprintf(line, size, "\t%s\n", fake.vms[nr]);
	return 0;
}

bool sys_is_own_kfd(pid_t pid, int fd)
{
	uint64_t owner;

	return sys_fdinfo(pid, fd, "kfd-pid", &owner) || (pid_t)owner == pid;
}

int sys_users(struct sys_user **list, size_t *nr)
{
	if (fake.unlisted)
		return -ENOENT;
	*list = calloc(FAKE_MAX_USERS, sizeof(**list));
	memcpy(*list, fake.users, sizeof(fake.users));
	*nr = fake.nr_users;
	return 0;
}

bool sys_user_has_state(const struct sys_user *user)
{
	CHECK(user->number);
	return !fake.stateless;
}

/* 4242 is a child of 4200, which is one of 4000, which is one of 1. */
pid_t sys_parent(pid_t pid)
{
	return pid == 4242 ? 4200 : pid == 4200 ? 4000 : pid == 4000;
}

int sys_gem_handles(pid_t pid, int fd, uint64_t *nr)
{
	CHECK(fake.mainline && (!pid || pid == fake.real_pid) && fd >= 0);
	*nr = fake.gem_handles;
	return fake.gem_handles < 0 ? fake.gem_handles : 0;
}

int sys_render_of(unsigned int minor_nr)
{
	CHECK(minor_nr <= SYS_PRIMARY_LAST);
	return fake.primary_render ? (int)fake.primary_render : -ENOENT;
}

/* GPUs that the driver names in a checkpoint. */
static unsigned int nr_devices(void)
{
	return fake.nr_used ? fake.nr_used : fake.nr_gpus;
}

static int process_info(struct kfd_ioctl_criu_args *args)
{
	fake.paused = 1;
	args->num_devices = nr_devices();
	args->num_bos = fake.nr_bos;
	args->num_objects = NUM_OBJECTS;
	args->priv_data_size = PRIV_SIZE;
	args->pid = fake.pid;
	fake.request = args->priv_data;
	if (fake.drains && args->priv_data)
		args->priv_data = KFD_CRIU_DRAIN_ANSWERED;
	return 0;
}

static int checkpoint(const struct kfd_ioctl_criu_args *args)
{
	struct kfd_criu_device_bucket *devices = (void *)(uintptr_t)args->devices;
	struct kfd_criu_bo_bucket *bos = (void *)(uintptr_t)args->bos;
	unsigned int i;

	if (!fake.paused || args->num_bos != fake.nr_bos || args->num_devices != nr_devices() ||
	    args->num_objects != NUM_OBJECTS || args->priv_data_size != PRIV_SIZE ||
	    !devices || !bos || !args->priv_data)
		return -EINVAL;
	for (i = 0; i < nr_devices(); i++) {
		devices[i].user_gpu_id = fake.user_gpu_id[i];
		devices[i].actual_gpu_id = fake.gpu_id[i];
	}
	for (i = 0; i < fake.nr_bos; i++) {
		bos[i] = fake.bos[i];
		bos[i].dmabuf_fd = fake.memory[i] < 0 || fake.no_dmabuf ? KFD_INVALID_FD :
				   (uint32_t)fcntl(fake.memory[i], F_DUPFD_CLOEXEC, 3);
	}
	memset((void *)(uintptr_t)args->priv_data, 0x5a, PRIV_SIZE);
	return 0;
}

static int restore(const struct kfd_ioctl_criu_args *args)
{
	struct kfd_criu_bo_bucket *bos = (void *)(uintptr_t)args->bos;
	unsigned char *priv = (void *)(uintptr_t)args->priv_data;
	uint64_t next = RESTORED_BASE;
	unsigned int i;

	CHECK(args->num_objects == NUM_OBJECTS && args->priv_data_size == PRIV_SIZE);
	CHECK(args->num_devices == nr_devices() && args->num_bos == fake.nr_bos);
	CHECK(priv[0] == 0x5a && priv[PRIV_SIZE - 1] == 0x5a);
	memcpy(fake.devices, (void *)(uintptr_t)args->devices,
	       sizeof(*fake.devices) * args->num_devices);
	for (i = 0; i < args->num_devices; i++)
		fake.drm_ino[i] = fake_ino(fake.devices[i].drm_fd);
	for (i = 0; i < args->num_bos; i++) {
		bos[i].restored_offset = next;
		next += bos[i].size;
		if (bos[i].alloc_flags & KFD_IOC_ALLOC_MEM_FLAGS_DOORBELL)
			bos[i].restored_offset = 3ULL << 62 | (uint64_t)fake.gpu_id[0] << 46;
		bos[i].dmabuf_fd = KFD_INVALID_FD;
		if (fake.memory[i] >= 0 && !fake.no_dmabuf) {
			bos[i].dmabuf_fd = memfd_create("dmabuf", MFD_CLOEXEC);
			CHECK(!ftruncate(bos[i].dmabuf_fd, bos[i].size));
			fake.filled[i] = fcntl(bos[i].dmabuf_fd, F_DUPFD_CLOEXEC, OWN_BASE);
		}
		fake.restored[i] = bos[i];
	}
	return 0;
}

int sys_criu_op(int kfd, struct kfd_ioctl_criu_args *args)
{
	const struct fake_file *f = find(fake_ino(kfd));

	CHECK(f && f->kind == SYS_DEV_KFD && args->op < 8);
	fake.calls[args->op]++;
	if (fake.fail_op == (int)args->op)
		return fake.fail_err;
	switch (args->op) {
	case KFD_CRIU_OP_PROCESS_INFO:
		return process_info(args);
	case KFD_CRIU_OP_CHECKPOINT:
		return checkpoint(args);
	case KFD_CRIU_OP_UNPAUSE:
		if (!fake.paused)
			return -EINVAL;
		fake.paused = 0;
		return 0;
	case KFD_CRIU_OP_RESTORE:
		return restore(args);
	case KFD_CRIU_OP_RESUME:
		fake.resumed = args->pid;
		return 0;
	}
	return -EINVAL;
}

/* After RESTORE, and before any buffer has been written to. */
static void check_restored_empty(int kfd)
{
	const struct fake_file *f = find(fake_ino(kfd));
	unsigned int i;

	CHECK(f && f->kind == SYS_DEV_KFD && fake.calls[KFD_CRIU_OP_RESTORE]);
	CHECK(!fake.calls[KFD_CRIU_OP_RESUME]);
	for (i = 0; i < fake.nr_bos; i++)
		if (fake.memory[i] >= 0)
			CHECK(lseek(fake.filled[i], 0, SEEK_DATA) < 0 && errno == ENXIO);
}

int sys_vaddr_info(int kfd, struct kfd_ioctl_vaddr_info_args *args)
{
	check_restored_empty(kfd);
	fake.vaddr_infos++;
	args->capabilities = fake.vaddr_caps;
	return fake.vaddr_err;
}

int sys_vaddr_update(int kfd, struct kfd_ioctl_alloc_memory_of_gpu_args *args)
{
	check_restored_empty(kfd);
	CHECK(fake.vaddr_infos && fake.nr_updates < FAKE_MAX_UPDATES);
	fake.updates[fake.nr_updates++] = *args;
	return fake.nr_updates == 2 ? fake.update_err : 0;
}
