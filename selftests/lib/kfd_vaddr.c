// SPDX-License-Identifier: GPL-2.0-only
/*
 * Replacing the CPU address of buffers; see the header.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kfd_fdinfo.h"
#include "kfd_mem.h"
#include "kfd_packets.h"
#include "kfd_vaddr.h"

#define PATIENCE	(20000 * kfd_time_scale())
#define STILL_MS	60
#define RING		(32 << 10)
#define IB_SIZE		(256 << 10)
#define IB_RUNS		1000	/* more than anybody waits for */
#define SOME_HUGE_PAGES	"16"
#define RAMFS		"/tmp/kfd_ramfs"

/* --- memory ------------------------------------------------------------------ */

static const char * const store_names[] = {
	[KFD_STORE_MEMFD] = "memfd",
	[KFD_STORE_TMPFS] = "tmpfs",
	[KFD_STORE_SHARED_ANONYMOUS] = "shared anonymous",
	[KFD_STORE_SYSV] = "System V",
	[KFD_STORE_HUGETLB] = "hugetlb",
	[KFD_STORE_ANONYMOUS] = "anonymous",
	[KFD_STORE_PRIVATE_FILE] = "private file",
	[KFD_STORE_OTHER_FILE] = "file of another file system",
};

const char *kfd_store_name(enum kfd_store_kind kind)
{
	return store_names[kind];
}

uint64_t kfd_store_unit(enum kfd_store_kind kind)
{
	return kind == KFD_STORE_HUGETLB ? KFD_HUGE_PAGE : KFD_PAGE;
}

static int open_memfd(unsigned int flags)
{
	int fd = memfd_create("kfd_store", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);

	return fd < 0 ? -errno : fd;
}

static int open_unlinked(const char *dir)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/kfd_store_XXXXXX", dir);
	fd = mkstemp(path);
	if (fd < 0)
		return -errno;
	unlink(path);
	return fd;
}

/* A file in memory too, but none whose pages the driver knows how to hold. */
static int open_ramfs(void)
{
	int fd;

	if (mkdir(RAMFS, 0700) && errno != EEXIST)
		return -errno;
	if (mount("none", RAMFS, "ramfs", 0, NULL))
		return -errno;
	fd = open_unlinked(RAMFS);
	umount2(RAMFS, MNT_DETACH);
	return fd;
}

/* Enough for all tests at a time; what there is already stays. */
static int open_huge(void)
{
	char text[32];
	int ret;

	ret = kfd_read_text("/proc/sys/vm/nr_hugepages", text, sizeof(text));
	if (!ret && atoi(text) < atoi(SOME_HUGE_PAGES)) {
		kfd_write_text("/proc/sys/vm/compact_memory", "1");
		ret = kfd_write_text("/proc/sys/vm/nr_hugepages", SOME_HUGE_PAGES);
	}
	return ret ? ret : open_memfd(MFD_HUGETLB);
}

static int store_open(struct kfd_store *s)
{
	switch (s->kind) {
	case KFD_STORE_MEMFD:
	case KFD_STORE_PRIVATE_FILE:
		return open_memfd(0);
	case KFD_STORE_TMPFS:
		return open_unlinked("/dev/shm");
	case KFD_STORE_HUGETLB:
		return open_huge();
	case KFD_STORE_OTHER_FILE:
		return open_ramfs();
	default:
		return -1;
	}
}

static char *map_new(const struct kfd_store *s)
{
	int flags = s->kind == KFD_STORE_ANONYMOUS || s->kind == KFD_STORE_PRIVATE_FILE ?
		    MAP_PRIVATE : MAP_SHARED;

	return mmap(NULL, s->size, PROT_READ | PROT_WRITE,
		    flags | (s->fd < 0 ? MAP_ANONYMOUS : 0), s->fd, 0);
}

int kfd_store_make(enum kfd_store_kind kind, uint64_t size, struct kfd_store *s)
{
	int ret;

	*s = (struct kfd_store){ .kind = kind, .size = size, .fd = -1, .shm = -1 };
	if (kind == KFD_STORE_SYSV) {
		s->shm = shmget(IPC_PRIVATE, size, IPC_CREAT | 0600);
		s->p = s->shm < 0 ? MAP_FAILED : shmat(s->shm, NULL, 0);
	} else {
		ret = store_open(s);
		if (ret < -1)
			return ret;
		s->fd = ret;
		if (s->fd >= 0 && ftruncate(s->fd, size))
			return -errno;
		s->p = map_new(s);
	}
	if (s->p == MAP_FAILED)
		return -errno;
	memset(s->p, 0, size);
	return 0;
}

/* A mapping that is shared is doubled by a move of nothing. */
char *kfd_store_map(const struct kfd_store *s)
{
	char *p;

	if (s->kind == KFD_STORE_SYSV)
		p = shmat(s->shm, NULL, 0);
	else if (s->kind == KFD_STORE_SHARED_ANONYMOUS)
		p = mremap(s->p, 0, s->size, MREMAP_MAYMOVE);
	else
		p = map_new(s);
	return p == MAP_FAILED ? NULL : p;
}

void kfd_store_drop(struct kfd_store *s)
{
	if (s->p)
		munmap(s->p, s->size);
	if (s->fd >= 0)
		close(s->fd);
	if (s->shm >= 0)
		shmctl(s->shm, IPC_RMID, NULL);
	s->p = NULL;
	s->fd = -1;
	s->shm = -1;
}

/* --- the calls --------------------------------------------------------------- */

int kfd_vaddr_op(int fd, uint32_t flags, uint32_t gpu_id, uint64_t va, uint64_t size,
		 uint64_t addr)
{
	struct kfd_ioctl_alloc_memory_of_gpu_args args = {
		.va_addr = va, .size = size, .handle = 0x600d, .mmap_offset = addr,
		.gpu_id = gpu_id, .flags = flags,
	};
	int ret = kfd_call(fd, AMDKFD_IOC_ALLOC_MEMORY_OF_GPU, &args);

	return args.handle == 0x600d ? ret : -EPROTO;
}

int kfd_vaddr_invalidate(struct kfd *k, const struct kfd_bo *bo)
{
	return kfd_vaddr_op(k->fd, VADDR_INVALIDATE, k->gpu[bo->gpu].gpu_id, bo->va, bo->size, 0);
}

int kfd_vaddr_live(struct kfd *k, const struct kfd_bo *bo)
{
	return kfd_vaddr_op(k->fd, VADDR_LIVE, k->gpu[bo->gpu].gpu_id, bo->va, bo->size, 0);
}

/* Of all of the process. */
int kfd_vaddr_all(struct kfd *k, uint32_t flags)
{
	return kfd_vaddr_op(k->fd, flags, 0, 0, 0, 0);
}

int kfd_vaddr_update(struct kfd *k, const struct kfd_bo *bo, const void *p)
{
	return kfd_vaddr_op(k->fd, VADDR_UPDATE, k->gpu[bo->gpu].gpu_id, bo->va, bo->size,
			    (uintptr_t)p);
}

int kfd_vaddr_info(struct kfd *k, struct kfd_ioctl_vaddr_info_args *info)
{
	memset(info, 0xff, sizeof(*info));
	return kfd_call(k->fd, AMDKFD_IOC_VADDR_INFO, info);
}

int kfd_change_owner(int fd)
{
	struct kfd_ioctl_change_owner_args args = { 0 };

	return kfd_call(fd, AMDKFD_IOC_CHANGE_OWNER, &args);
}

int kfd_vaddr_stands(struct kfd *k, uint32_t userptrs, uint32_t invalid, uint32_t live,
		     uint64_t pages)
{
	struct kfd_ioctl_vaddr_info_args info;
	int ret = kfd_vaddr_info(k, &info);

	if (ret)
		return ret;
	if (info.num_userptrs == userptrs && info.num_invalid == invalid &&
	    info.num_live == live && info.held_pages == pages &&
	    (invalid == userptrs || info.exec_blockers & KFD_IOC_VADDR_EXEC_ADDRESSES))
		return 0;
	printf("# %u buffers, %u invalid, %u live, %llu pages, blockers %#x\n",
	       info.num_userptrs, info.num_invalid, info.num_live,
	       (unsigned long long)info.held_pages, info.exec_blockers);
	return -EILSEQ;
}

int kfd_vaddr_bo_alloc(struct kfd *k, int gpu, uint32_t flags, void *p, uint64_t size,
		       struct kfd_bo *bo)
{
	struct kfd_ioctl_alloc_memory_of_gpu_args args = {
		.va_addr = kfd_reserve_va(k, size),
		.size = size,
		.mmap_offset = (uintptr_t)p,
		.gpu_id = k->gpu[gpu].gpu_id,
		.flags = flags,
	};
	int ret = kfd_call(k->fd, AMDKFD_IOC_ALLOC_MEMORY_OF_GPU, &args);

	*bo = (struct kfd_bo){
		.gpu = gpu, .flags = flags, .handle = args.handle, .va = args.va_addr,
		.size = size, .offset = (uintptr_t)p,
	};
	return ret;
}

int kfd_vaddr_bo(struct kfd *k, int gpu, void *p, uint64_t size, struct kfd_bo *bo)
{
	int ret = kfd_vaddr_bo_alloc(k, gpu, MEM_USERPTR, p, size, bo);

	return ret ? ret : kfd_bo_map_gpu(k, bo, gpu);
}

int kfd_vaddr_reaches(struct kfd_queue *q, const struct kfd_bo *bo, uint64_t offset,
		      const void *seen)
{
	const volatile uint64_t *word = (const void *)((const char *)seen + offset);
	uint64_t was = *word;
	int ret = kfd_gpu_add(q, (void *)(uintptr_t)(bo->va + offset), 3);

	return ret ? ret : *word == was + 3 ? 0 : -EILSEQ;
}

/* --- what the process is charged for ----------------------------------------- */

static int status_pages(const char *text, const char *name, uint64_t *pages)
{
	const char *at = strstr(text, name);

	if (!at)
		return -ENOENT;
	*pages = strtoull(at + strlen(name), NULL, 10) / 4;
	return 0;
}

int kfd_locked_read(pid_t pid, struct kfd_locked *l)
{
	char path[64], text[4096];
	int ret;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	ret = kfd_read_text(path, text, sizeof(text));
	if (!ret)
		ret = status_pages(text, "\nVmLck:", &l->lck);
	return ret ? ret : status_pages(text, "\nVmPin:", &l->pin);
}

/* --- a queue that counts ----------------------------------------------------- */

int kfd_counter_start(struct kfd *k, int gpu, uint64_t va, struct kfd_counter *c)
{
	uint32_t p[8], *at;
	int ret, i;

	ret = kfd_bo_create(k, gpu, MEM_GTT, KFD_PAGE, &c->shadow);
	if (!ret)
		ret = kfd_bo_create(k, gpu, MEM_GTT, IB_SIZE, &c->ib);
	if (!ret)
		ret = kfd_queue_create(k, gpu, KFD_IOC_QUEUE_TYPE_SDMA, RING, &c->q);
	if (ret)
		return ret;
	*(volatile uint64_t *)c->shadow.cpu = 0;
	for (at = c->ib.cpu; (char *)at < (char *)c->ib.cpu + IB_SIZE; ) {
		at += sdma_atomic_add64(at, va, 1);
		at += sdma_atomic_add64(at, c->shadow.va, 1);
	}
	for (i = 0; i < IB_RUNS && !ret; i++)
		ret = kfd_queue_emit(&c->q, p, sdma_indirect(p, c->ib.va, IB_SIZE / 4));
	kfd_queue_submit(&c->q);
	return ret;
}

uint64_t kfd_counter_value(const struct kfd_counter *c)
{
	return *(volatile uint64_t *)c->shadow.cpu;
}

/*
 * The word comes first: it may be one ahead. Where it began at zero later than
 * the shadow, its predecessor may have been.
 */
int kfd_counter_stop(struct kfd *k, struct kfd_counter *c, const void *word, uint64_t from)
{
	uint64_t ahead;
	int ret;

	ret = kfd_queue_destroy(k, &c->q);
	if (ret)
		return ret;
	ahead = *(volatile uint64_t *)word + from - kfd_counter_value(c);
	if (ahead > 1 && !(from && ahead == UINT64_MAX))
		return -EILSEQ;
	ret = kfd_bo_destroy(k, &c->ib);
	return ret ? ret : kfd_bo_destroy(k, &c->shadow);
}

int kfd_word_moves(const volatile void *word)
{
	const volatile uint64_t *at = word;
	uint64_t then = *at, end = kfd_now_ms() + PATIENCE;

	while (*at == then) {
		if (kfd_now_ms() > end)
			return -ETIMEDOUT;
		kfd_sleep_ms(1);
	}
	return 0;
}

int kfd_word_stands(const volatile void *word)
{
	const volatile uint64_t *at = word;
	uint64_t then = *at;

	kfd_sleep_ms(STILL_MS);
	return *at == then ? 0 : -EBUSY;
}

/* What a process had is given back a moment after its end. */
int kfd_nobody_writes(int fd)
{
	uint64_t end = kfd_now_ms() + PATIENCE;

	while (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE)) {
		if (errno != EBUSY || kfd_now_ms() > end)
			return -errno;
		kfd_sleep_ms(5);
	}
	return 0;
}

/* --- exec -------------------------------------------------------------------- */

int kfd_queue_map_again(struct kfd *k, struct kfd_queue *q)
{
	struct kfd_bo *bos[] = { &q->ring, &q->ptrs, &q->eop, &q->cwsr };
	unsigned int i;
	int ret = 0;

	for (i = 0; i < sizeof(bos) / sizeof(bos[0]) && !ret; i++)
		if (bos[i]->handle)
			ret = kfd_bo_map_cpu(k, bos[i]);
	return ret ? ret : kfd_queue_map_doorbell(k, q);
}

int kfd_keep_files(struct kfd *k, bool keep)
{
	int flags = keep ? 0 : FD_CLOEXEC, i;

	for (i = 0; i < k->num_gpus; i++)
		if (fcntl(k->gpu[i].drm_fd, F_SETFD, flags))
			return -errno;
	return fcntl(k->fd, F_SETFD, flags) ? -errno : 0;
}

uint64_t kfd_gpu_word(struct kfd *k, int gpu, const char *word)
{
	static char text[64 << 10];

	if (kfd_fdinfo_read(getpid(), k->fd, text, sizeof(text)))
		return KFD_FDINFO_NONE;
	return kfd_fdinfo_word_of(text, "kfd-gpu", k->gpu[gpu].gpu_id, word);
}
