// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that process and GPU write, for the selftests, and child processes.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kfd_mem.h"
#include "kfd_packets.h"
#include "kfd_svm.h"

#define PATIENCE	(20000 * kfd_time_scale())
#define SMALL_SIZE	(16 * KFD_PAGE)
#define HUGE_SIZE	(2 * KFD_HUGE_PAGE)
#define HUGE_TRIES	20
#define STACK_SIZE	(64 << 10)
#define FILE_SEED	77

/* --- backings ---------------------------------------------------------------- */

int kfd_smaps_kb(const void *p, const char *name, uint64_t *kb)
{
	FILE *maps = fopen("/proc/self/smaps", "r");
	size_t len = strlen(name);
	unsigned long start, end;
	bool here = false;
	int ret = -ENOENT;
	char line[512];

	if (!maps)
		return -errno;
	while (ret && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2) {
			here = start <= (unsigned long)p && (unsigned long)p < end;
		} else if (here && !strncmp(line, name, len) && line[len] == ':') {
			*kb = strtoull(line + len + 1, NULL, 10);
			ret = 0;
		}
	}
	fclose(maps);
	return ret;
}

int kfd_device_maps(void)
{
	static const char * const names[] = {
		"/dev/kfd", "/dev/dri/", "/dmabuf:", "anon_inode:",
	};
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];
	unsigned int i;
	int n = 0;

	if (!maps)
		return -errno;
	while (fgets(line, sizeof(line), maps))
		for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			n += !!strstr(line, names[i]);
	fclose(maps);
	return n;
}

/*
 * At an address of the arena's own: where memory was unmapped before its buffer
 * is freed, another's must not come to lie, for the buffer still has the place.
 */
char *kfd_some_memory(struct kfd *k, uint64_t size)
{
	void *at = (void *)(uintptr_t)kfd_reserve_va(k, size);
	char *p = mmap(at, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_POPULATE,
		       -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* Memory may be in pieces: ask for whole ones until they come. */
static int map_huge(struct kfd_mem *m)
{
	uint64_t kb;
	int i, ret;

	for (i = 0; i < HUGE_TRIES; i++) {
		m->p = mmap(m->p, m->size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		if (m->p == MAP_FAILED || madvise(m->p, m->size, MADV_HUGEPAGE))
			return -errno;
		memset(m->p, 0, m->size);
		ret = kfd_smaps_kb(m->p, "AnonHugePages", &kb);
		if (ret || kb == m->size >> 10)
			return ret;
		kfd_write_text("/proc/sys/vm/compact_memory", "1");
	}
	return -ENOMEM;
}

static int map_private_file(struct kfd_mem *m)
{
	char path[] = "/tmp/kfd_mem_XXXXXX";
	char *text;
	int ret = 0;

	m->fd = mkstemp(path);
	if (m->fd < 0)
		return -errno;
	unlink(path);
	text = malloc(m->size);
	if (!text)
		return -ENOMEM;
	kfd_fill_pattern(text, m->size, FILE_SEED);
	if (write(m->fd, text, m->size) != (ssize_t)m->size)
		ret = -EIO;
	free(text);
	if (ret)
		return ret;
	m->p = mmap(m->p, m->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, m->fd, 0);
	return m->p == MAP_FAILED ? -errno : 0;
}

static int map_shared_file(struct kfd_mem *m)
{
	m->fd = memfd_create("kfd_mem", MFD_CLOEXEC);
	if (m->fd < 0 || ftruncate(m->fd, m->size))
		return -errno;
	m->p = mmap(m->p, m->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, m->fd, 0);
	return m->p == MAP_FAILED ? -errno : 0;
}

static int map_anonymous(struct kfd_mem *m)
{
	m->p = mmap(m->p, m->size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (m->p == MAP_FAILED || madvise(m->p, m->size, MADV_NOHUGEPAGE))
		return -errno;
	memset(m->p, 0, m->size);
	return 0;
}

static int map_backing(struct kfd *k, struct kfd_mem *m)
{
	m->size = m->backing == KFD_ANONYMOUS_HUGE ? HUGE_SIZE : SMALL_SIZE;
	m->p = (char *)(uintptr_t)kfd_reserve_va(k, m->size);
	switch (m->backing) {
	case KFD_ANONYMOUS:
		return map_anonymous(m);
	case KFD_ANONYMOUS_HUGE:
		return map_huge(m);
	case KFD_PRIVATE_FILE:
		return map_private_file(m);
	case KFD_SHARED_FILE:
		return map_shared_file(m);
	}
	return -EINVAL;
}

/* A private mapping's file is as it was, whatever was written to the memory. */
int kfd_mem_file_untouched(const struct kfd_mem *m)
{
	char *text;
	int ret = 0;

	if (m->backing != KFD_PRIVATE_FILE)
		return 0;
	text = malloc(m->size);
	if (!text)
		return -ENOMEM;
	if (pread(m->fd, text, m->size, 0) != (ssize_t)m->size)
		ret = -EIO;
	else if (!kfd_check_pattern(text, m->size, FILE_SEED))
		ret = -EILSEQ;
	free(text);
	return ret;
}

/* --- kinds ------------------------------------------------------------------- */

static int userptr_setup(struct kfd *k, int gpu, struct kfd_mem *m)
{
	struct kfd_ioctl_alloc_memory_of_gpu_args args = {
		.va_addr = (uintptr_t)m->p,
		.size = m->size,
		.mmap_offset = (uintptr_t)m->p,
		.gpu_id = k->gpu[gpu].gpu_id,
		.flags = MEM_USERPTR_RO,
	};
	int ret;

	if (!m->kind->read_only)
		return kfd_bo_userptr(k, gpu, m->p, m->size, &m->bo);
	ret = kfd_call(k->fd, AMDKFD_IOC_ALLOC_MEMORY_OF_GPU, &args);
	if (ret)
		return ret;
	m->bo = (struct kfd_bo){
		.gpu = gpu, .flags = args.flags, .handle = args.handle, .va = args.va_addr,
		.size = m->size, .offset = args.mmap_offset,
	};
	return kfd_bo_map_gpu(k, &m->bo, gpu);
}

static int userptr_teardown(struct kfd *k, struct kfd_mem *m)
{
	return kfd_bo_destroy(k, &m->bo);
}

const struct kfd_mem_kind kfd_mem_userptr = {
	.name = "userptr", .setup = userptr_setup, .teardown = userptr_teardown,
};

const struct kfd_mem_kind kfd_mem_userptr_read_only = {
	.name = "userptr, read-only", .setup = userptr_setup, .teardown = userptr_teardown,
	.read_only = true,
};

static int svm_setup(struct kfd *k, int gpu, struct kfd_mem *m)
{
	const struct kfd_ioctl_svm_attribute attrs[] = {
		{ KFD_IOCTL_SVM_ATTR_ACCESS, k->gpu[gpu].gpu_id },
		{ KFD_IOCTL_SVM_ATTR_SET_FLAGS, KFD_IOCTL_SVM_FLAG_GPU_RO },
	};

	return kfd_svm_set(k, m->p, m->size, attrs, m->kind->read_only ? 2 : 1);
}

/* Attributes go with the mapping. */
static int svm_teardown(struct kfd *k, struct kfd_mem *m)
{
	return 0;
}

static int svm_retry_prepare(struct kfd *k)
{
	int mode = kfd_set_xnack(k, 1);

	return mode < 0 ? mode : mode == 1 ? 0 : -EPERM;
}

static int svm_retry_setup(struct kfd *k, int gpu, struct kfd_mem *m)
{
	return 0;
}

const struct kfd_mem_kind kfd_mem_svm = {
	.name = "svm", .setup = svm_setup, .teardown = svm_teardown,
};

const struct kfd_mem_kind kfd_mem_svm_read_only = {
	.name = "svm, read-only", .setup = svm_setup, .teardown = svm_teardown,
	.read_only = true,
};

const struct kfd_mem_kind kfd_mem_svm_retry = {
	.name = "svm, XNACK on", .prepare = svm_retry_prepare, .setup = svm_retry_setup,
	.teardown = svm_teardown,
};

int kfd_mem_prepare(struct kfd *k, const struct kfd_mem_kind *kind)
{
	return kind->prepare ? kind->prepare(k) : 0;
}

int kfd_mem_create(struct kfd *k, const struct kfd_mem_kind *kind, enum kfd_backing backing,
		   struct kfd_mem *m)
{
	int ret;

	memset(m, 0, sizeof(*m));
	m->kind = kind;
	m->backing = backing;
	m->fd = -1;
	ret = map_backing(k, m);
	return ret ? ret : kind->setup(k, 0, m);
}

int kfd_mem_destroy(struct kfd *k, struct kfd_mem *m)
{
	int ret = m->kind->teardown(k, m);

	munmap(m->p, m->size);
	if (m->fd >= 0)
		close(m->fd);
	return ret;
}

int kfd_gpu_add(struct kfd_queue *q, const volatile void *at, uint64_t value)
{
	uint32_t p[8];

	return kfd_queue_run(q, p, sdma_atomic_add64(p, (uintptr_t)at, value));
}

int kfd_gpu_add_faults(struct kfd *k, struct kfd_queue *q, const volatile void *at)
{
	struct kfd_event_data data = { 0 };
	struct kfd_ioctl_create_event_args ev;
	uint32_t p[8], result;
	int ret;

	ret = kfd_event_create(k, KFD_IOC_EVENT_MEMORY, true, &ev);
	if (ret)
		return ret;
	data.event_id = ev.event_id;
	kfd_queue_emit(q, p, sdma_atomic_add64(p, (uintptr_t)at, 1));
	kfd_queue_submit(q);
	ret = kfd_event_wait(k, &data, 1, false, PATIENCE, &result);
	if (ret)
		return ret;
	if (result != KFD_IOC_WAIT_RESULT_COMPLETE)
		return -ETIME;
	return data.memory_exception_data.va == ((uintptr_t)at & -KFD_PAGE) ? 0 : -EILSEQ;
}

/* --- children ---------------------------------------------------------------- */

struct spawn {
	int (*fn)(void *arg);
	void *arg;
};

static int spawned(void *data)
{
	struct spawn s = *(struct spawn *)data;

	_exit(-s.fn(s.arg) & 0xff);
}

/*
 * The child's stack is its own for as long as it lives, which nobody tells:
 * it is left behind, and so is what it is to do, at its lower end.
 */
static pid_t spawn_sharing(unsigned long flags, const struct spawn *s)
{
	char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	pid_t pid;

	if (stack == MAP_FAILED)
		return -errno;
	memcpy(stack, s, sizeof(*s));
	pid = clone(spawned, stack + STACK_SIZE, flags | SIGCHLD, stack);
	return pid < 0 ? -errno : pid;
}

pid_t kfd_spawn(enum kfd_spawn how, int (*fn)(void *arg), void *arg)
{
	struct spawn s = { .fn = fn, .arg = arg };
	pid_t pid;

	fflush(stdout);
	switch (how) {
	case KFD_FORK:
		pid = fork();
		break;
	case KFD_CLONE:
		pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
		break;
	case KFD_CLONE_FILES:
		pid = syscall(SYS_clone, CLONE_FILES | CLONE_FS | SIGCHLD, 0, 0, 0, 0);
		break;
	case KFD_CLONE_VM:
		return spawn_sharing(CLONE_VM, &s);
	case KFD_CLONE_VFORK:
		return spawn_sharing(CLONE_VM | CLONE_VFORK, &s);
	default:
		return -EINVAL;
	}
	if (!pid)
		spawned(&s);
	return pid < 0 ? -errno : pid;
}
