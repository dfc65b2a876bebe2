// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/kfd, the topology and the simulator's knobs, for the selftests.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "kfd_lib.h"

#define SIM_KNOBS	"/sys/kernel/debug/amdgpu_sim"

unsigned int kfd_interrupted;

/* As user space does: repeat what a signal interrupted. */
int kfd_call(int fd, unsigned long request, void *arg)
{
	int ret;

	for (;;) {
		ret = ioctl(fd, request, arg);
		if (ret != -1 || errno != EINTR)
			return ret == -1 ? -errno : ret;
		kfd_interrupted++;
	}
}

int kfd_read_text(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t got = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while (got < size - 1) {
		n = read(fd, buf + got, size - 1 - got);
		if (n < 0) {
			n = -errno;
			close(fd);
			return n;
		}
		if (!n)
			break;
		got += n;
	}
	close(fd);
	buf[got] = '\0';
	return 0;
}

int kfd_write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/* One "name number" line of a topology file. */
int kfd_property(const char *path, const char *name, uint64_t *value)
{
	char text[8192], *line, *save = NULL;
	size_t len = strlen(name);
	int ret;

	ret = kfd_read_text(path, text, sizeof(text));
	if (ret)
		return ret;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (strncmp(line, name, len) || line[len] != ' ')
			continue;
		*value = strtoull(line + len + 1, NULL, 10);
		return 0;
	}
	return -ENOENT;
}

static uint32_t property_or_zero(const char *path, const char *name)
{
	uint64_t value = 0;

	if (kfd_property(path, name, &value))
		return 0;
	return (uint32_t)value;
}

static int topology_gpu(struct kfd_gpu *gpu, int node)
{
	char path[256], text[64];
	uint64_t value = 0;

	snprintf(path, sizeof(path), KFD_TOPOLOGY "/nodes/%d/gpu_id", node);
	if (kfd_read_text(path, text, sizeof(text)))
		return -ENOENT;
	memset(gpu, 0, sizeof(*gpu));
	gpu->gpu_id = strtoul(text, NULL, 10);
	gpu->node = node;
	gpu->drm_fd = -1;
	if (!gpu->gpu_id)
		return 0;
	snprintf(path, sizeof(path), KFD_TOPOLOGY "/nodes/%d/properties", node);
	gpu->render_minor = property_or_zero(path, "drm_render_minor");
	gpu->cus = property_or_zero(path, "simd_count") /
		   (property_or_zero(path, "simd_per_cu") ?: 1);
	gpu->gfx_version = property_or_zero(path, "gfx_target_version");
	gpu->sdma_engines = property_or_zero(path, "num_sdma_engines");
	gpu->sdma_queues = property_or_zero(path, "num_sdma_queues_per_engine");
	gpu->cp_queues = property_or_zero(path, "num_cp_queues");
	snprintf(path, sizeof(path), KFD_TOPOLOGY "/nodes/%d/mem_banks/0/properties", node);
	if (!kfd_property(path, "size_in_bytes", &value))
		gpu->vram = value;
	return 0;
}

/* How many GPUs are used of those that are there: KFD_TEST_GPUS of the environment. */
static int gpus_to_use(void)
{
	const char *text = getenv("KFD_TEST_GPUS");
	int n = text ? atoi(text) : KFD_MAX_TEST_GPUS;

	return n > 0 && n < KFD_MAX_TEST_GPUS ? n : KFD_MAX_TEST_GPUS;
}

int kfd_topology_read(struct kfd *k)
{
	int node, most = gpus_to_use();
	struct kfd_gpu gpu;

	k->num_gpus = 0;
	for (node = 0; !topology_gpu(&gpu, node); node++) {
		if (!gpu.gpu_id)
			continue;
		if (k->num_gpus == most)
			return 0;
		k->gpu[k->num_gpus++] = gpu;
	}
	return k->num_gpus ? 0 : -ENODEV;
}

bool kfd_present(void)
{
	return !access("/dev/kfd", R_OK | W_OK);
}

/* In the in-tree driver KFD is a part of amdgpu.ko; ours is a module itself. */
bool kfd_is_ours(void)
{
	return !access("/sys/module/amdkfd", F_OK);
}

/* Open the driver and look at the GPUs. */
int kfd_open(struct kfd *k)
{
	int ret;

	memset(k, 0, sizeof(*k));
	k->fd = open("/dev/kfd", O_RDWR | O_CLOEXEC);
	if (k->fd < 0)
		return -errno;
	k->next_va = KFD_ARENA_BASE;
	ret = kfd_topology_read(k);
	if (ret) {
		close(k->fd);
		k->fd = -1;
	}
	return ret;
}

int kfd_open_drm(struct kfd *k)
{
	char path[64];
	int i;

	for (i = 0; i < k->num_gpus; i++) {
		snprintf(path, sizeof(path), "/dev/dri/renderD%d", k->gpu[i].render_minor);
		k->gpu[i].drm_fd = open(path, O_RDWR | O_CLOEXEC);
		if (k->gpu[i].drm_fd < 0)
			return -errno;
	}
	return 0;
}

/* Open the driver and every GPU, and take the render nodes' VMs. */
int kfd_start(struct kfd *k)
{
	struct kfd_ioctl_acquire_vm_args args;
	int ret, i;

	ret = kfd_open(k);
	if (ret)
		return ret;
	ret = kfd_open_drm(k);
	for (i = 0; !ret && i < k->num_gpus; i++) {
		args.drm_fd = k->gpu[i].drm_fd;
		args.gpu_id = k->gpu[i].gpu_id;
		ret = kfd_call(k->fd, AMDKFD_IOC_ACQUIRE_VM, &args);
	}
	if (ret)
		kfd_stop(k);
	return ret;
}

void kfd_stop(struct kfd *k)
{
	int i;

	for (i = 0; i < k->num_gpus; i++) {
		if (k->gpu[i].drm_fd >= 0)
			close(k->gpu[i].drm_fd);
		k->gpu[i].drm_fd = -1;
	}
	if (k->fd >= 0)
		close(k->fd);
	k->fd = -1;
}

static int config_has(const char *path, const char *option)
{
	char line[256], want[128];
	FILE *f = fopen(path, "re");
	int found = 0, any = 0;

	if (!f)
		return -errno;
	snprintf(want, sizeof(want), "%s=y\n", option);
	while (fgets(line, sizeof(line), f)) {
		any |= !strncmp(line, "CONFIG_MMU=y", 12);
		found |= !strcmp(line, want);
	}
	fclose(f);
	return any ? found : -EBADMSG;
}

/* 1 or 0; -errno when it can't be told: that is no "no". */
int kfd_kernel_has(const char *option)
{
	struct utsname u;
	char path[256];
	int ret;

	if (uname(&u))
		return -errno;
	snprintf(path, sizeof(path), "/boot/config-%s", u.release);
	ret = config_has(path, option);
	if (ret >= 0)
		return ret;
	snprintf(path, sizeof(path), "/lib/modules/%s/build/.config", u.release);
	return config_has(path, option);
}

uint64_t kfd_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

void kfd_sleep_ms(unsigned int ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000L };

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

/* How much longer everything may take: KFD_TIME_SCALE of the environment. */
int kfd_time_scale(void)
{
	const char *text = getenv("KFD_TIME_SCALE");
	int scale = text ? atoi(text) : 1;

	return scale > 0 ? scale : 1;
}

bool kfd_sim_present(void)
{
	return !access(SIM_KNOBS, F_OK);
}

uint64_t kfd_sim_retries(void)
{
	char text[4096], *at = text;
	uint64_t sum = 0;

	if (kfd_read_text(SIM_KNOBS "/0/queues", text, sizeof(text)))
		return 0;
	while ((at = strstr(at, " retries=")))
		sum += strtoull(at += strlen(" retries="), NULL, 0);
	return sum;
}

int kfd_sim_set(int gpu, const char *knob, const char *value)
{
	char path[256];

	snprintf(path, sizeof(path), SIM_KNOBS "/%d/%s", gpu, knob);
	return kfd_write_text(path, value);
}

int kfd_sim_get(int gpu, const char *knob, uint64_t *value)
{
	char path[256], text[64];
	int ret;

	snprintf(path, sizeof(path), SIM_KNOBS "/%d/%s", gpu, knob);
	ret = kfd_read_text(path, text, sizeof(text));
	if (!ret)
		*value = strtoull(text, NULL, 0);
	return ret;
}

/* CPU time of all threads (kernel ones too) whose name starts with @comm. */
int kfd_cpu_ms_of(const char *comm, uint64_t *ms)
{
	unsigned long utime, stime, ticks = 0;
	char path[300], text[1024], *name, *rest;
	struct dirent *entry;
	int found = 0;
	DIR *proc;

	proc = opendir("/proc");
	if (!proc)
		return -errno;
	while ((entry = readdir(proc))) {
		if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
		if (kfd_read_text(path, text, sizeof(text)))
			continue;
		name = strchr(text, '(');
		rest = strrchr(text, ')');
		if (!name || !rest || strncmp(name + 1, comm, strlen(comm)))
			continue;
		if (sscanf(rest + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
			   &utime, &stime) != 2)
			continue;
		ticks += utime + stime;
		found++;
	}
	closedir(proc);
	*ms = ticks * 1000 / sysconf(_SC_CLK_TCK);
	return found;
}
