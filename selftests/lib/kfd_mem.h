/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory of the process that a GPU writes too: how the GPU was told of it (the
 * kind) and what it is made of (the backing), each a parameter of a test. And
 * ways of making a child process.
 */
#ifndef KFD_MEM_H
#define KFD_MEM_H

#include "kfd_lib.h"

#define KFD_HUGE_PAGE	(2ULL << 20)

/**
 * enum kfd_backing - what memory is made of
 * @KFD_ANONYMOUS: private pages of 4 KiB
 * @KFD_ANONYMOUS_HUGE: private pages of 2 MiB
 * @KFD_PRIVATE_FILE: a private mapping of a file
 * @KFD_SHARED_FILE: a shared mapping of a memfd: a child does see what the GPU
 *	writes
 */
enum kfd_backing {
	KFD_ANONYMOUS,
	KFD_ANONYMOUS_HUGE,
	KFD_PRIVATE_FILE,
	KFD_SHARED_FILE,
};

struct kfd_mem;

/**
 * struct kfd_mem_kind - how a GPU comes to a process's memory
 * @name: for messages
 * @prepare: optional: before there are queues; 0 or a negative errno
 * @setup: let GPU @gpu read all of m->p at the same address, and write it unless
 *	@read_only; 0 or a negative errno
 * @teardown: undo that; likewise
 * @read_only: the GPU may not write it
 */
struct kfd_mem_kind {
	const char *name;
	int (*prepare)(struct kfd *k);
	int (*setup)(struct kfd *k, int gpu, struct kfd_mem *m);
	int (*teardown)(struct kfd *k, struct kfd_mem *m);
	bool read_only;
};

/**
 * struct kfd_mem - memory that both write
 * @kind: how
 * @backing: what
 * @p: where
 * @size: bytes
 * @fd: its file, or -1
 * @bo: of kinds that are a buffer
 */
struct kfd_mem {
	const struct kfd_mem_kind *kind;
	enum kfd_backing backing;
	char *p;
	uint64_t size;
	int fd;
	struct kfd_bo bo;
};

/* Every kind that there is. */
extern const struct kfd_mem_kind kfd_mem_userptr;
extern const struct kfd_mem_kind kfd_mem_userptr_read_only;
extern const struct kfd_mem_kind kfd_mem_svm;		/* a range; XNACK off */
extern const struct kfd_mem_kind kfd_mem_svm_read_only;
extern const struct kfd_mem_kind kfd_mem_svm_retry;	/* nothing said; XNACK on */

int kfd_mem_prepare(struct kfd *k, const struct kfd_mem_kind *kind);

int kfd_mem_create(struct kfd *k, const struct kfd_mem_kind *kind, enum kfd_backing backing,
		   struct kfd_mem *m);
int kfd_mem_destroy(struct kfd *k, struct kfd_mem *m);
int kfd_mem_file_untouched(const struct kfd_mem *m);

/* Anonymous memory that is there, in the arena, or NULL */
char *kfd_some_memory(struct kfd *k, uint64_t size);

/* smaps: kilobytes of "NAME:" of the mapping that has the address in it */
int kfd_smaps_kb(const void *p, const char *name, uint64_t *kb);
/* maps: mappings of devices, DMA-BUFs and the driver's files */
int kfd_device_maps(void);

/* A packet queue's work on a word, at its CPU address, which is the GPU's */
int kfd_gpu_add(struct kfd_queue *q, const volatile void *at, uint64_t value);
/* An addition that gets nowhere: a memory exception says so, of that page. */
int kfd_gpu_add_faults(struct kfd *k, struct kfd_queue *q, const volatile void *at);

/**
 * enum kfd_spawn - how a child process is made
 * @KFD_FORK: fork()
 * @KFD_CLONE: clone() with nothing shared, past the C library
 * @KFD_CLONE_FILES: clone() that shares the table of files
 * @KFD_NUM_COPYING: so far, the child has a copy of the memory
 * @KFD_CLONE_VM: clone() that shares the memory
 * @KFD_CLONE_VFORK: the same, and the parent waits, as vfork() does
 */
enum kfd_spawn {
	KFD_FORK,
	KFD_CLONE,
	KFD_CLONE_FILES,
	KFD_NUM_COPYING,
	KFD_CLONE_VM = KFD_NUM_COPYING,
	KFD_CLONE_VFORK,
};

/*
 * A child that runs @fn, whose negative errno becomes its exit code: its pid,
 * or a negative errno. @fn must be content with system calls and @arg.
 */
pid_t kfd_spawn(enum kfd_spawn how, int (*fn)(void *arg), void *arg);

#endif
