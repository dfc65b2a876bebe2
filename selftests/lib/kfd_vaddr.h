/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Replacing the CPU address of buffers, for the selftests: the calls, memory
 * that can be mapped at one address after the other, what the process is
 * charged for, and a queue that counts for as long as nobody stops it.
 */
#ifndef KFD_VADDR_H
#define KFD_VADDR_H

#include "kfd_lib.h"

/* The flags are signed ints, as all of them. */
#define VADDR_INVALIDATE	((uint32_t)(KFD_IOC_ALLOC_MEM_FLAGS_USERPTR | \
				 KFD_IOC_ALLOC_MEM_FLAGS_VADDR_INVALIDATE))
#define VADDR_LIVE		(VADDR_INVALIDATE | \
				 (uint32_t)KFD_IOC_ALLOC_MEM_FLAGS_VADDR_LIVE)
#define VADDR_UPDATE		((uint32_t)(KFD_IOC_ALLOC_MEM_FLAGS_USERPTR | \
				 KFD_IOC_ALLOC_MEM_FLAGS_VADDR_UPDATE))

/**
 * enum kfd_store_kind - what memory is made of
 * @KFD_STORE_MEMFD: shared mapping of a memfd
 * @KFD_STORE_TMPFS: of a file in /dev/shm
 * @KFD_STORE_SHARED_ANONYMOUS: MAP_SHARED | MAP_ANONYMOUS
 * @KFD_STORE_SYSV: a System V segment
 * @KFD_STORE_HUGETLB: a memfd of huge pages
 * @KFD_STORE_NUM_LIVE: so far, VADDR_LIVE can hold the pages
 * @KFD_STORE_ANONYMOUS: private anonymous memory
 * @KFD_STORE_PRIVATE_FILE: private mapping of a memfd
 * @KFD_STORE_OTHER_FILE: shared mapping of a file of another file system
 * @KFD_STORE_NUM: number of kinds
 */
enum kfd_store_kind {
	KFD_STORE_MEMFD,
	KFD_STORE_TMPFS,
	KFD_STORE_SHARED_ANONYMOUS,
	KFD_STORE_SYSV,
	KFD_STORE_HUGETLB,
	KFD_STORE_NUM_LIVE,
	KFD_STORE_ANONYMOUS = KFD_STORE_NUM_LIVE,
	KFD_STORE_PRIVATE_FILE,
	KFD_STORE_OTHER_FILE,
	KFD_STORE_NUM,
};

/**
 * struct kfd_store - memory, and what is needed to map it once more
 * @kind: what it is made of
 * @size: bytes
 * @fd: its file, or -1
 * @shm: its segment, or -1
 * @p: the first mapping
 */
struct kfd_store {
	enum kfd_store_kind kind;
	uint64_t size;
	int fd;
	int shm;
	char *p;
};

const char *kfd_store_name(enum kfd_store_kind kind);
/* What @size has to be a multiple of */
uint64_t kfd_store_unit(enum kfd_store_kind kind);
int kfd_store_make(enum kfd_store_kind kind, uint64_t size, struct kfd_store *s);
/* Another mapping of the same memory; for private kinds other memory like it */
char *kfd_store_map(const struct kfd_store *s);
void kfd_store_drop(struct kfd_store *s);

int kfd_vaddr_op(int fd, uint32_t flags, uint32_t gpu_id, uint64_t va, uint64_t size,
		 uint64_t addr);
int kfd_vaddr_invalidate(struct kfd *k, const struct kfd_bo *bo);
int kfd_vaddr_live(struct kfd *k, const struct kfd_bo *bo);
int kfd_vaddr_all(struct kfd *k, uint32_t flags);
int kfd_vaddr_update(struct kfd *k, const struct kfd_bo *bo, const void *p);
int kfd_vaddr_info(struct kfd *k, struct kfd_ioctl_vaddr_info_args *info);
int kfd_change_owner(int fd);
/* Buffers, those without address, those that are held, pages: 0 or -EILSEQ */
int kfd_vaddr_stands(struct kfd *k, uint32_t userptrs, uint32_t invalid, uint32_t live,
		     uint64_t pages);

/* USERPTR at a GPU address of its own, not mapped on any GPU, and mapped */
int kfd_vaddr_bo_alloc(struct kfd *k, int gpu, uint32_t flags, void *p, uint64_t size,
		       struct kfd_bo *bo);
int kfd_vaddr_bo(struct kfd *k, int gpu, void *p, uint64_t size, struct kfd_bo *bo);
/* The GPU adds to a word of the buffer, which must then be seen at @seen */
int kfd_vaddr_reaches(struct kfd_queue *q, const struct kfd_bo *bo, uint64_t offset,
		      const void *seen);

/**
 * struct kfd_locked - lines of /proc/PID/status, in pages of 4 KiB
 * @lck: VmLck
 * @pin: VmPin
 */
struct kfd_locked {
	uint64_t lck, pin;
};

int kfd_locked_read(pid_t pid, struct kfd_locked *l);

/**
 * struct kfd_counter - a queue that counts for longer than any test runs
 * @q: the queue
 * @ib: its packets: add to the word, then to the shadow
 * @shadow: buffer whose first word counts too, and cannot lose its address
 */
struct kfd_counter {
	struct kfd_queue q;
	struct kfd_bo ib;
	struct kfd_bo shadow;
};

int kfd_counter_start(struct kfd *k, int gpu, uint64_t va, struct kfd_counter *c);
uint64_t kfd_counter_value(const struct kfd_counter *c);
/* Take the queue away; the word was 0 when the shadow was @from, and counted with it */
int kfd_counter_stop(struct kfd *k, struct kfd_counter *c, const void *word, uint64_t from);
/* 0: it moved within our patience, or it stood still for a while */
int kfd_word_moves(const volatile void *word);
int kfd_word_stands(const volatile void *word);

/* Nobody has a page of a memfd, which none of us maps: it can be sealed */
int kfd_nobody_writes(int fd);

/* After exec: map again what the queue needs of the CPU */
int kfd_queue_map_again(struct kfd *k, struct kfd_queue *q);
/* Keep the driver's files open over an exec, or not */
int kfd_keep_files(struct kfd *k, bool keep);

/* fdinfo: a word of the line of a GPU, such as "evictions" */
uint64_t kfd_gpu_word(struct kfd *k, int gpu, const char *word);

#endif
