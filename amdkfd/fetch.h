/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bringing memory of a process in, with nothing of ours held (floor 2). fetch.c
 * has the essay.
 */
#ifndef AMDKFD_FETCH_H
#define AMDKFD_FETCH_H

#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mmap_lock.h>
#include <linux/sched.h>
#include <linux/types.h>

struct kfd_fetcher;
struct kfd_process;

/*
 * A look-up has found pages that are not in memory: they are to be brought in,
 * without any lock, before it is made again. It never leaves the driver, and is
 * no errno of anybody's.
 */
#define KFD_EABSENT	600

/* Stretches of pages that a look-up tells of at a time. */
#define KFD_MAX_RUNS	16

/**
 * enum kfd_mirror_access - what the GPU does with the pages
 * @KFD_MIRROR_READ: it reads
 * @KFD_MIRROR_WRITE: it writes; memory that can't be written is EFAULT
 * @KFD_MIRROR_WRITE_IF_ALLOWED: it may write where the process may
 */
enum kfd_mirror_access {
	KFD_MIRROR_READ,
	KFD_MIRROR_WRITE,
	KFD_MIRROR_WRITE_IF_ALLOWED,
};

/**
 * struct kfd_run - pages one after the other
 * @start: CPU address of the first
 * @end: of the byte behind the last
 */
struct kfd_run {
	unsigned long start;
	unsigned long end;
};

/**
 * struct kfd_runs - some stretches of pages, in order, none next to another
 * @n: their number
 * @run: the stretches
 */
struct kfd_runs {
	u32 n;
	struct kfd_run run[KFD_MAX_RUNS];
};

/**
 * struct kfd_look - making pages of mirrors present, as often as it takes; of one
 *	mirror at a time
 * @start: first byte of the mirror
 * @end: the byte behind its last
 * @access: what GPUs do with the pages
 * @unmaps: kfd_fetcher_unmaps() before the last look-up
 * @rounds: how often pages have been brought in for it
 * @pass: number of the RESUME that it is of; 0: it is of none
 * @in_line: mmap_lock is held for reading by who looks; see
 *	kfd_fetch_request.serve
 * @absent: what the last look-up did not find in memory; there may be more; none:
 *	it did not get mmap_lock
 * @refused: what could not be brought in
 *
 * Zeroed by who begins, and handed from look-up to kfd_look_again() and back.
 */
struct kfd_look {
	unsigned long start;
	unsigned long end;
	enum kfd_mirror_access access;
	u32 unmaps;
	u32 rounds;
	u32 pass;
	bool in_line;
	struct kfd_runs absent;
	struct kfd_runs refused;
};

/**
 * struct kfd_fetch_request - pages that a work waits for
 * @node: in the fetcher's list (kfd_fetcher.lock)
 * @look: which pages; filled by who asks, and @look.refused by the fetcher,
 *	before @done
 * @ret: what came of it: 0, -ENOMEM, -EINTR or -ESRCH
 * @under_way: it has been asked for and @done has not been called; while it is
 *	not, the rest is the asker's (kfd_fetch_under_way())
 * @done: tells who has asked; called with the fetcher's lock held, does not
 *	sleep
 * @serve: NULL, or the look-up itself, for a program that takes each page away
 *	before its work comes to look: called by the thread, which has waited for
 *	mmap_lock like anybody, holds it for reading and has just brought in the
 *	pages of its @look. Waits for no lock of ours that is taken outside
 *	mmap_lock. What comes of it is told to @done, which is called all the same
 */
struct kfd_fetch_request {
	struct list_head node;
	struct kfd_look look;
	int ret;
	bool under_way;
	void (*done)(struct kfd_fetch_request *req);
	void (*serve)(struct kfd_fetch_request *req, struct kfd_look *look);
};

/* Whether a request is the fetcher's; any context */
static inline bool kfd_fetch_under_way(const struct kfd_fetch_request *req)
{
	/* pairs with the fetcher's end of it */
	return smp_load_acquire(&req->under_way);
}

bool kfd_runs_add(struct kfd_runs *runs, unsigned long start,
		  unsigned long end);
bool kfd_runs_have(const struct kfd_runs *runs, unsigned long addr);

int kfd_mmap_read_lock(struct mm_struct *mm);

struct kfd_fetcher *kfd_fetcher_create(struct kfd_process *p,
				       struct mm_struct *mm);
struct kfd_fetcher *kfd_fetcher_get(struct kfd_fetcher *f);
void kfd_fetcher_put(struct kfd_fetcher *f);
void kfd_fetcher_close(struct kfd_fetcher *f);
u32 kfd_fetcher_unmaps(struct kfd_fetcher *f);
void kfd_fetcher_tell_unmap(struct kfd_fetcher *f);

void kfd_fetch_request_init(struct kfd_fetch_request *req,
			    void (*done)(struct kfd_fetch_request *req),
			    void (*serve)(struct kfd_fetch_request *req,
					  struct kfd_look *look));
int kfd_fetch_later(struct kfd_fetcher *f, struct kfd_fetch_request *req);
void kfd_fetch_cancel(struct kfd_fetcher *f, struct kfd_fetch_request *req);
int kfd_fetch_now(struct kfd_fetcher *f, struct kfd_look *look);

#endif
