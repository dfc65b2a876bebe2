/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A file whose pages come when a test likes: a FUSE server of its own, that can
 * stop to answer.
 */
#ifndef KFD_SLOW_H
#define KFD_SLOW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * struct kfd_slow - the file and its server
 * @dev: /dev/fuse
 * @server: process that answers
 * @shared: what both see
 * @pages: its length
 * @dir: where it is mounted
 */
struct kfd_slow {
	int dev;
	pid_t server;
	struct kfd_slow_shared *shared;
	uint64_t pages;
	char dir[64];
};

/*
 * Mount it. @ahead: pages that the kernel reads ahead; with 0 it asks for one page
 * and heeds no signal once the server has seen that. 0 or -errno; -ENODEV: the
 * kernel has no FUSE.
 */
int kfd_slow_start(struct kfd_slow *s, uint64_t pages, unsigned int ahead);
/* A mapping of page @page, or NULL. */
void *kfd_slow_map(struct kfd_slow *s, uint64_t page);
/* The same, to be written to: the process's own when it has come. */
void *kfd_slow_map_own(struct kfd_slow *s, uint64_t page);
/* Answer no reads any more. */
void kfd_slow_block(struct kfd_slow *s);
/* Take all pages out of the kernel's cache, and off whoever has them mapped. */
int kfd_slow_drop(struct kfd_slow *s);
/* Reads that are not answered; waits up to @ms for the first. */
unsigned int kfd_slow_blocked(struct kfd_slow *s, unsigned int ms);
/* End the server: who waits for it has an error. */
void kfd_slow_stop(struct kfd_slow *s);

#endif
