/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Failing allocations: an operation is tried again and again, each time with
 * another one of its allocations (or copies from and to user space) failing,
 * until it has gone through with nothing left to fail. After every failure all
 * must be as it was. Needs a kernel with /proc/thread-self/fail-nth.
 */
#ifndef KFD_FAULT_H
#define KFD_FAULT_H

#include "kfd_lib.h"

#define KFD_FAULT_ERRNOS	4

/**
 * struct kfd_state - what a failed operation must not have changed
 * @text: fdinfo of the kfd file, without the totals
 * @fds: open files
 * @maps: mappings of devices and DMA-BUFs
 * @available: VRAM that can be had, by GPU
 */
struct kfd_state {
	char text[8192];
	int fds;
	int maps;
	uint64_t available[KFD_MAX_TEST_GPUS];
};

/**
 * struct kfd_fault_op - an operation and what surrounds it
 * @name: for the log
 * @arg: for the functions, which many operations share
 * @setup: once, before all tries
 * @prepare: before every try; what it starts is over when it returns, for what
 *	fdinfo counts is compared with what is there after the try
 * @op: the operation: one system call; 0 or a negative errno
 * @finish: after every try: back to where @prepare began; @ret: what @op returned
 * @teardown: once, after all tries
 * @errnos: what it may answer besides ENOMEM and EFAULT
 * @fallback: why it may succeed although something failed; NULL: it must not
 * @once: it cannot be undone: a process does it once
 * @none: it has nothing that could fail
 * @late: EFAULT may come after it was done: the DRM core answers so when it
 *	cannot copy the result out, and MAP and UNMAP say how far they came
 * @whole: a failure may come after it was done: then all of it was
 * @partly: it goes range by range: a failure leaves those it has come to; only
 *	with @once, and another process goes on with the next allocation
 *
 * Each returns 0 or a negative errno, and any but @op and @name may be NULL.
 */
struct kfd_fault_op {
	const char *name;
	uint32_t arg;
	int (*setup)(void *data);
	int (*prepare)(void *data);
	int (*op)(void *data);
	int (*finish)(void *data, int ret);
	int (*teardown)(void *data);
	int errnos[KFD_FAULT_ERRNOS];
	const char *fallback;
	bool once;
	bool none;
	bool late;
	bool whole;
	bool partly;
};

/**
 * struct kfd_fault_tally - how it went
 * @n: which allocation fails in the next try
 * @failed: tries in which the operation failed
 * @survived: tries in which it succeeded although something failed
 * @problem: what was wrong, or empty
 */
struct kfd_fault_tally {
	unsigned int n;
	unsigned int failed;
	unsigned int survived;
	char problem[256];
};

/**
 * struct kfd_fault_ctx - everything that an operation may need
 * @k: the driver
 * @op: the operation
 * @vram: must keep its contents
 * @gtt: likewise, but for its last page
 * @alive: a queue that must go on working
 * @beats: packets that @alive has run
 * @user: memory of this process, of KFD_FAULT_SIZE
 * @first_id: what the created thing was called at first, plus one
 * @bo: a buffer to work on
 * @q: a queue
 * @ev: an event
 * @fd: a file or -1
 * @gem: handle of a render node's buffer
 * @gem_va: its GPU address
 * @ctx: context
 * @list: list of buffers
 * @seq: number of a job
 * @metadata: room for a DMA-BUF's
 */
struct kfd_fault_ctx {
	struct kfd k;
	const struct kfd_fault_op *op;
	struct kfd_bo vram, gtt;
	struct kfd_queue alive;
	uint32_t beats;
	char *user;
	uint64_t first_id;
	struct kfd_bo bo;
	struct kfd_queue q;
	struct kfd_ioctl_create_event_args ev;
	int fd;
	uint32_t gem;
	uint64_t gem_va;
	uint32_t ctx, list;
	uint64_t seq;
	char metadata[256];
};

#define KFD_FAULT_SIZE	(4 * KFD_PAGE)

int kfd_fault_ctx_start(struct kfd_fault_ctx *f);
int kfd_fault_alive(void *data);
int kfd_fault_same_id(struct kfd_fault_ctx *f, uint64_t id);
int kfd_fault_close_fd(void *data);

bool kfd_fault_possible(void);
int kfd_fault_enable(void);
int kfd_fault_arm(unsigned int n);
int kfd_fault_disarm(unsigned int *left);
int kfd_state_read(struct kfd *k, struct kfd_state *state);
int kfd_state_same(struct kfd *k, const struct kfd_state *before, const char **what);
int kfd_fault_loop(struct kfd *k, const struct kfd_fault_op *op, void *data,
		   int (*alive)(void *data), struct kfd_fault_tally *tally);

#endif
