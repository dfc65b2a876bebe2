// SPDX-License-Identifier: GPL-2.0-only
/*
 * Device files, ioctls, sysfs and procfs.
 */
#define _GNU_SOURCE
#include "sys.h"

#include "criu_api.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/kfd_ioctl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define KFD_CLASS_DEV	"/sys/class/kfd/kfd/dev"
#define KFD_TOPOLOGY	"/sys/class/kfd/kfd/topology"
#define KFD_NODE	"/dev/kfd"

/* The device number of /dev/kfd: what sysfs says, else what the node says. */
static dev_t kfd_rdev(void)
{
	static dev_t cached;
	unsigned int maj, min;
	struct stat st;
	FILE *f;

	if (cached)
		return cached;
	f = fopen(KFD_CLASS_DEV, "re");
	if (f) {
		if (fscanf(f, "%u:%u", &maj, &min) == 2)
			cached = makedev(maj, min);
		fclose(f);
	}
	if (!cached && !stat(KFD_NODE, &st) && S_ISCHR(st.st_mode))
		cached = st.st_rdev;
	return cached;
}

/**
 * sys_classify() - tell our device files from others
 * @st: of the open file
 * @minor_nr: for a DRM node: its minor number
 *
 * Return: what it is. A DRM node may still belong to another driver.
 */
enum sys_dev sys_classify(const struct stat *st, unsigned int *minor_nr)
{
	if (!S_ISCHR(st->st_mode))
		return SYS_DEV_OTHER;
	if (major(st->st_rdev) == SYS_DRM_MAJOR) {
		*minor_nr = minor(st->st_rdev);
		if (*minor_nr >= SYS_RENDER_FIRST && *minor_nr <= SYS_RENDER_LAST)
			return SYS_DEV_RENDER;
		return *minor_nr <= SYS_PRIMARY_LAST ? SYS_DEV_PRIMARY : SYS_DEV_OTHER;
	}
	if (st->st_rdev && st->st_rdev == kfd_rdev())
		return SYS_DEV_KFD;
	return SYS_DEV_OTHER;
}

/**
 * sys_topology_root() - directory of KFD's topology in sysfs
 */
const char *sys_topology_root(void)
{
	return KFD_TOPOLOGY;
}

/**
 * sys_open_kfd() - open /dev/kfd
 *
 * Return: fd, or a negative errno.
 */
int sys_open_kfd(void)
{
	int fd = open(KFD_NODE, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* In the child of sys_open_dead_kfd(): whose fds are the parent's, too. */
static void open_for_parent(bool (*wanted)(pid_t pid, void *arg), void *arg, int *fd)
{
	*fd = wanted(syscall(SYS_getpid), arg) ? -EAGAIN : sys_open_kfd();
	syscall(SYS_exit_group, 0);
}

/**
 * sys_open_dead_kfd() - open /dev/kfd for a process that is gone then
 * @wanted: whether a pid has to be free: such a process goes at once, and
 *	another one is made
 * @arg: for @wanted
 *
 * The process shares this one's fds and nothing else. No signal tells of its
 * end, since criu's handler would take it for that of a restored process.
 *
 * Return: fd, or a negative errno.
 */
int sys_open_dead_kfd(bool (*wanted)(pid_t pid, void *arg), void *arg)
{
	int *fd = mmap(NULL, sizeof(*fd), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	int ret;

	if (fd == MAP_FAILED)
		return -errno;
	do {
		pid_t pid;

		*fd = -EIO;
		pid = syscall(SYS_clone, CLONE_FILES, NULL, NULL, NULL, 0);
		if (!pid)
			open_for_parent(wanted, arg, fd);
		if (pid < 0)
			*fd = -errno;
		while (pid > 0 && waitpid(pid, NULL, __WCLONE) < 0 && errno == EINTR)
			;
		ret = *fd;
	} while (ret == -EAGAIN);
	munmap(fd, sizeof(*fd));
	return ret;
}

/**
 * sys_kfd_owner() - the process that a file of /dev/kfd belongs to
 * @kfd: the file
 * @pid: out: as seen from here; of a dead one, what it was
 * @dead: out: it is gone, and its GPU state with it
 *
 * Return: 0, or -ENOENT: the driver does not tell.
 */
int sys_kfd_owner(int kfd, pid_t *pid, bool *dead)
{
	char path[64], line[512];
	int found = 0, value;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", kfd);
	f = fopen(path, "re");
	while (f && found < 2 && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "kfd-pid: %d", &value) == 1) {
			*pid = value;
			found++;
		} else if (sscanf(line, "kfd-dead: %d", &value) == 1) {
			*dead = value;
			found++;
		}
	}
	if (f)
		fclose(f);
	return found == 2 ? 0 : -ENOENT;
}

/**
 * sys_open_render() - open a render node
 * @minor_nr: N of /dev/dri/renderDN
 *
 * Return: fd, or a negative errno.
 */
int sys_open_render(unsigned int minor_nr)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/dri/renderD%u", minor_nr);
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int call(int kfd, unsigned long request, void *args)
{
	int ret;

	do {
		ret = ioctl(kfd, request, args);
	} while (ret < 0 && (errno == EINTR || errno == EAGAIN));
	return ret < 0 ? -errno : 0;
}

/**
 * sys_criu_op() - AMDKFD_IOC_CRIU_OP
 * @kfd: file of the process concerned
 * @args: in and out
 *
 * To be called by criu's main thread: the driver lets the ptracer of the
 * process in, and that is one thread.
 *
 * Return: 0 or a negative errno.
 */
int sys_criu_op(int kfd, struct kfd_ioctl_criu_args *args)
{
	return call(kfd, AMDKFD_IOC_CRIU_OP, args);
}

/**
 * sys_vaddr_info() - AMDKFD_IOC_VADDR_INFO
 * @kfd: file of this process
 * @args: out
 *
 * Return: 0 or a negative errno; EINVAL or ENOTTY: the driver does not know it.
 */
int sys_vaddr_info(int kfd, struct kfd_ioctl_vaddr_info_args *args)
{
	return call(kfd, AMDKFD_IOC_VADDR_INFO, args);
}

/**
 * sys_vaddr_update() - AMDKFD_IOC_ALLOC_MEMORY_OF_GPU with VADDR_UPDATE
 * @kfd: file of this process, whose driver has said that it can do this: others
 *	would make a buffer
 * @args: in
 *
 * Return: 0 or a negative errno.
 */
int sys_vaddr_update(int kfd, struct kfd_ioctl_alloc_memory_of_gpu_args *args)
{
	return call(kfd, AMDKFD_IOC_ALLOC_MEMORY_OF_GPU, args);
}

/**
 * sys_refusal() - why the driver refused the last operation, in its words
 * @kfd: file that it was asked on
 * @text: "OPERATION ERRNO reason", or an empty string
 * @size: bytes at @text, at least 1
 *
 * Return: 0, or -ENOENT: it has not said anything.
 */
int sys_refusal(int kfd, char *text, size_t size)
{
	static const char key[] = "kfd-refused:\t";
	char path[64], line[512];
	int ret = -ENOENT;
	FILE *f;

	text[0] = '\0';
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", kfd);
	f = fopen(path, "re");
	if (!f)
		return -ENOENT;
	while (ret && fgets(line, sizeof(line), f)) {
		if (strncmp(line, key, sizeof(key) - 1))
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(text, size, "%s", line + sizeof(key) - 1);
		ret = 0;
	}
	fclose(f);
	return ret;
}

/* The highest number of an open fd of this process, or -1. */
static int highest_fd(void)
{
	struct dirent *de;
	int max = -1;
	DIR *d = opendir("/proc/self/fd");

	if (!d)
		return -1;
	while ((de = readdir(d))) {
		int fd = isdigit(de->d_name[0]) ? atoi(de->d_name) : -1;

		if (fd > max && fd != dirfd(d))
			max = fd;
	}
	closedir(d);
	return max;
}

/**
 * sys_keep_fd() - move an fd out of the way of criu's
 * @fd: is closed, also on error
 *
 * criu refuses to install a restored fd under a number that is in use, and
 * installs its service fds just below a multiple of 128 above all restored
 * fds. The image directory is one of them, so nothing of criu's is ever put
 * above the next multiple.
 *
 * Return: the new fd, close-on-exec, or a negative errno.
 */
int sys_keep_fd(int fd)
{
	int base = criu_get_image_dir();
	int high = highest_fd();
	int ret;

	if (base < high)
		base = high;
	base = (base / 128 + 1) * 128;
	ret = fcntl(fd, F_DUPFD_CLOEXEC, base);
	if (ret < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/* One numeric field of /proc/PID/status; the last one of several on the line. */
static long status_field(pid_t pid, const char *name)
{
	char path[64], line[256];
	size_t len = strlen(name);
	long value = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f)) {
		char *last;

		if (strncmp(line, name, len) || line[len] != ':')
			continue;
		line[strcspn(line, "\n")] = '\0';
		last = strrchr(line, '\t');
		value = last ? strtol(last, NULL, 10) : -1;
		break;
	}
	fclose(f);
	return value;
}

/**
 * sys_ns_pid() - a process's id in its own pid namespace
 * @pid: as seen from here
 *
 * Return: the id, or -1 if the process is gone.
 */
pid_t sys_ns_pid(pid_t pid)
{
	return status_field(pid, "NSpid");
}

/**
 * sys_tracer() - who traces a process
 * @pid: the process
 *
 * Return: 0 if nobody does, -1 if the process is gone.
 */
pid_t sys_tracer(pid_t pid)
{
	return status_field(pid, "TracerPid");
}

/**
 * sys_self() - this process's id in its own pid namespace
 */
pid_t sys_self(void)
{
	return getpid();
}

static int add_holder(struct sys_holders *out, pid_t pid, int fd)
{
	struct sys_holder *list;

	list = realloc(out->list, (out->nr + 1) * sizeof(*list));
	if (!list)
		return -ENOMEM;
	out->list = list;
	list[out->nr].pid = pid;
	list[out->nr].ns_pid = sys_ns_pid(pid);
	list[out->nr].fd = fd;
	out->nr++;
	return 0;
}

/* Those fds of @pid that are the very file @fd is. */
static int search_holder(struct sys_holders *out, int fd, dev_t rdev, pid_t pid)
{
	char path[64];
	struct dirent *de;
	int ret = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	d = opendir(path);
	if (!d)
		return 0;	/* a kernel thread, or it is gone */
	while (!ret && (de = readdir(d))) {
		struct stat st;

		if (!isdigit(de->d_name[0]) || fstatat(dirfd(d), de->d_name, &st, 0) ||
		    !S_ISCHR(st.st_mode) || st.st_rdev != rdev)
			continue;
		if (!syscall(SYS_kcmp, getpid(), pid, KCMP_FILE, fd, atoi(de->d_name)))
			ret = add_holder(out, pid, atoi(de->d_name));
	}
	closedir(d);
	return ret;
}

static int compare_holders(const void *a, const void *b)
{
	const struct sys_holder *x = a, *y = b;

	if (x->ns_pid != y->ns_pid)
		return x->ns_pid < y->ns_pid ? -1 : 1;
	return x->fd - y->fd;
}

/**
 * sys_find_holders() - which of the processes being dumped have a file open
 * @fd: the file
 * @out: filled in; empty when procfs or kcmp() do not say
 *
 * The hook that dumps a file does not say whose it is. The processes being
 * dumped are those that this one traces.
 *
 * Return: 0 or a negative errno; then @out is empty.
 */
int sys_find_holders(int fd, struct sys_holders *out)
{
	struct dirent *de;
	struct stat st;
	int ret = 0;
	DIR *d;

	memset(out, 0, sizeof(*out));
	if (fstat(fd, &st))
		return -errno;
	d = opendir("/proc");
	if (!d)
		return -errno;
	while (!ret && (de = readdir(d))) {
		pid_t pid = isdigit(de->d_name[0]) ? atoi(de->d_name) : 0;

		if (pid > 0 && status_field(pid, "TracerPid") == getpid())
			ret = search_holder(out, fd, st.st_rdev, pid);
	}
	closedir(d);
	if (ret) {
		free(out->list);
		memset(out, 0, sizeof(*out));
	} else if (out->nr) {
		qsort(out->list, out->nr, sizeof(*out->list), compare_holders);
	}
	return ret;
}

/**
 * sys_borrow_fd() - get at a device file that another process has open
 * @pid: the process, traced by this one
 * @rdev: of the device
 *
 * Return: an fd for the same open file, or a negative errno: ENOENT when the
 * process has none.
 */
int sys_borrow_fd(pid_t pid, dev_t rdev)
{
	int pidfd, ret = -ENOENT;
	struct dirent *de;
	char path[64];
	DIR *d;

	pidfd = syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		return -errno;
	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	d = opendir(path);
	while (d && ret == -ENOENT && (de = readdir(d))) {
		struct stat st;

		if (!isdigit(de->d_name[0]) || fstatat(dirfd(d), de->d_name, &st, 0) ||
		    !S_ISCHR(st.st_mode) || st.st_rdev != rdev)
			continue;
		ret = syscall(SYS_pidfd_getfd, pidfd, atoi(de->d_name), 0);
		if (ret < 0)
			ret = -errno;
	}
	if (d)
		closedir(d);
	close(pidfd);
	return ret;
}

/**
 * sys_count_vmas() - how often each render node is mapped
 * @pid: of the process
 * @counts: indexed by minor number - SYS_RENDER_FIRST
 *
 * Return: 0 or a negative errno.
 */
int sys_count_vmas(pid_t pid, unsigned int counts[SYS_RENDER_COUNT])
{
	char path[64], line[4500];
	FILE *f;

	memset(counts, 0, sizeof(*counts) * SYS_RENDER_COUNT);
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		const char *name = strstr(line, "/renderD");
		unsigned int min;

		/* The line's device is that of /dev's file system. */
		if (name && sscanf(name, "/renderD%u", &min) == 1 &&
		    min >= SYS_RENDER_FIRST && min <= SYS_RENDER_LAST)
			counts[min - SYS_RENDER_FIRST]++;
	}
	fclose(f);
	return 0;
}

/**
 * sys_find_kfd_vmas() - the GPUs that mappings of /dev/kfd name
 * @pid: of the process
 * @ids: out: as their offsets have them, some more than once; free() it
 * @nr: out: their number
 *
 * Return: 0 or a negative errno.
 */
int sys_find_kfd_vmas(pid_t pid, uint32_t **ids, size_t *nr)
{
	char path[64], line[4500];
	int ret = 0;
	FILE *f;

	*ids = NULL;
	*nr = 0;
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (!ret && fgets(line, sizeof(line), f)) {
		unsigned long long offset;
		uint32_t *more, id;

		line[strcspn(line, "\n")] = '\0';
		if (strlen(line) < 4 || strcmp(line + strlen(line) - 4, "/kfd") ||
		    sscanf(line, "%*x-%*x %*s %llx", &offset) != 1)
			continue;
		id = (offset & SYS_KFD_GPU_ID_MASK) >> SYS_KFD_GPU_ID_SHIFT;
		if (!id)
			continue;
		more = realloc(*ids, (*nr + 1) * sizeof(*more));
		if (!more)
			ret = -ENOMEM;
		else
			*ids = more;
		if (more)
			more[(*nr)++] = id;
	}
	fclose(f);
	return ret;
}

/**
 * sys_exists() - whether there is a process, be it dead and not yet waited for
 * @pid: as seen from here
 */
bool sys_exists(pid_t pid)
{
	return !kill(pid, 0) || errno != ESRCH;
}

static void reap(pid_t tid)
{
	int status = 0;

	while (waitpid(tid, &status, __WALL) == tid && WIFSTOPPED(status))
		;
}

/* A process's threads, its first one last: that one waits for the others. */
static void reap_threads(pid_t pid)
{
	char path[64];
	struct dirent *de;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	while (d && (de = readdir(d)))
		if (isdigit(de->d_name[0]) && atoi(de->d_name) != pid)
			reap(atoi(de->d_name));
	if (d)
		closedir(d);
	reap(pid);
}

/**
 * sys_kill_tracees() - end all processes that this one traces
 * @pid: one of them, in case procfs does not say
 *
 * The init of a pid namespace is gone only when all others in it are, and
 * those that are traced wait for their tracer to look. criu waits for the init
 * alone, and would for ever. So the others are waited for here. Where there is
 * no init nobody is: criu still kills them by their pids, which nobody else
 * may have got by then.
 */
void sys_kill_tracees(pid_t pid)
{
	pid_t *pids = NULL;
	bool init = false;
	size_t i, n = 0;

	kill(pid, SIGKILL);
	sys_tracees(&pids, &n);
	for (i = 0; i < n; i++) {
		init = init || sys_ns_pid(pids[i]) == 1;
		kill(pids[i], SIGKILL);
	}
	for (i = 0; i < n && init; i++)
		if (sys_ns_pid(pids[i]) != 1)
			reap_threads(pids[i]);
	free(pids);
}
