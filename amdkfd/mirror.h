/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory of a process as GPUs see it (floor 2): what userptr buffers (memory/)
 * and shared virtual memory (svm/) have in common. mirror.c has the essay.
 *
 * A mirror is a range of the process's addresses whose pages some provider may
 * use. The look-up of pages, the notifier, and the eviction of queues while
 * pages are away are here; what it means to give pages to a GPU and to take
 * them away is its owner's, through kfd_mirror_ops.
 */
#ifndef AMDKFD_MIRROR_H
#define AMDKFD_MIRROR_H

#include <linux/interval_tree.h>
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include <linux/kfd_ioctl.h>

#include "fetch.h"

/* Pages that are looked up and given away at a time: 2 MiB. */
#define KFD_MIRROR_CHUNK	512
/* How long queues stay evicted at least. */
#define KFD_RESTORE_DELAY_MIN_MS	1

/**
 * enum kfd_mirror_state - what a mirror is in; mirror_state.c has the table
 * @KFD_MIRROR_OUT: not watched
 * @KFD_MIRROR_IDLE: watched; no GPU's queues need it
 * @KFD_MIRROR_WHOLE: needed, and nobody waits for a page
 * @KFD_MIRROR_SHORT: needed, pages are absent, and the queues run
 * @KFD_MIRROR_BROKEN: needed, pages are absent, and the queues are evicted for it
 * @KFD_MIRROR_RETIRED: another mirror has taken over
 * @KFD_MIRROR_STATES: their number
 */
enum kfd_mirror_state {
	KFD_MIRROR_OUT,
	KFD_MIRROR_IDLE,
	KFD_MIRROR_WHOLE,
	KFD_MIRROR_SHORT,
	KFD_MIRROR_BROKEN,
	KFD_MIRROR_RETIRED,
	KFD_MIRROR_STATES,
};

/**
 * enum kfd_mirror_event - what happens to a mirror; mirror_state.c has the table
 * @KFD_EV_WATCH: the notifier is registered
 * @KFD_EV_REMOVE: it is going to be removed
 * @KFD_EV_NEED: GPUs' queues need it; also: others than before
 * @KFD_EV_UNNEED: none does any more
 * @KFD_EV_LOSE: pages go, or are to go
 * @KFD_EV_LACK: pages are found to be absent, or asked for that were given up
 * @KFD_EV_BREAK: what is absent is to be brought with the queues out of the way
 * @KFD_EV_LOOKED: a look-up has ended; the hull is what is absent now
 * @KFD_EV_ABANDON: what is absent will not be brought
 * @KFD_EV_RETIRE: another mirror has taken over
 * @KFD_MIRROR_EVENTS: their number
 */
enum kfd_mirror_event {
	KFD_EV_WATCH,
	KFD_EV_REMOVE,
	KFD_EV_NEED,
	KFD_EV_UNNEED,
	KFD_EV_LOSE,
	KFD_EV_LACK,
	KFD_EV_BREAK,
	KFD_EV_LOOKED,
	KFD_EV_ABANDON,
	KFD_EV_RETIRE,
	KFD_MIRROR_EVENTS,
};

/**
 * enum kfd_mirror_why - why pages are taken off GPUs
 * @KFD_MIRROR_CHANGED: the CPU's page tables change, or the owner has asked for it
 * @KFD_MIRROR_UNMAPPED: the mapping goes
 * @KFD_MIRROR_MIGRATED: the pages move
 * @KFD_MIRROR_TOLD: for what has been told of before
 */
enum kfd_mirror_why {
	KFD_MIRROR_CHANGED,
	KFD_MIRROR_UNMAPPED,
	KFD_MIRROR_MIGRATED,
	KFD_MIRROR_TOLD,
};

/**
 * struct kfd_mirror_chunk - scratch space of one look-up
 * @pfns: what hmm_range_fault() says
 * @pages: the same for the owner
 */
struct kfd_mirror_chunk {
	unsigned long pfns[KFD_MIRROR_CHUNK];
	struct page *pages[KFD_MIRROR_CHUNK];
};

struct kfd_mirror;
struct kfd_process;
struct mm_struct;
struct page;

/**
 * struct kfd_mirror_ops - the owner of a kind of mirror
 * @name: for messages
 * @trigger: what an eviction for its sake is told to be
 * @reserve: optional: make room for pages that @populate may get; sleeps.
 *	0 or a negative errno
 * @populate: take pages @first .. @first + @npages - 1 and let the GPUs use
 *	them until @take; notifier_lock held, nothing is allocated. 0, or
 *	-EAGAIN when the room is gone again
 * @owner: optional: whose device-private pages (hmm_range.dev_private_owner) a
 *	look-up finds where they are, or NULL; all others come to system memory
 *	first. validate_lock held
 * @stale: optional: whether something else is mapped there by now than what the
 *	mirror is of, which is not to be touched. validate_lock and mmap_lock held
 * @take: none of these GPUs (by index) uses these pages any more when it returns;
 *	notifier_lock held, NOTIFIER context (amdkfd/device.h). Only mirror_state.c
 *	calls it
 */
struct kfd_mirror_ops {
	const char *name;
	enum KFD_QUEUE_EVICTION_TRIGGERS trigger;
	int (*reserve)(struct kfd_mirror *m, u64 first, u64 npages);
	int (*populate)(struct kfd_mirror *m, u64 first, u64 npages,
			struct page **pages, bool writable);
	void *(*owner)(struct kfd_mirror *m);
	bool (*stale)(struct kfd_mirror *m, u64 first, u64 npages);
	void (*take)(struct kfd_mirror *m, u64 first, u64 npages, u32 gpus,
		     enum kfd_mirror_why why);
};

/**
 * struct kfd_mirrors - all mirrors of a process; in struct kfd_process
 * @process: whose
 * @mm: its address space; the struct is held, the address space is not
 *	(validate_lock)
 * @validate_lock: one at a time makes pages present; no mirror goes away
 *	meanwhile
 * @notifier_lock: presence of pages, and the fields said below; taken by the
 *	MMU notifier, so nothing is allocated under it
 * @invalid: mirrors that a GPU needs and that have absent pages
 *	(notifier_lock)
 * @evicted: GPUs whose queues are held evicted because @invalid is not, or
 *	was not, empty: one kfd_process_evict_on() each (notifier_lock)
 * @closing: nothing is evicted, restored or scheduled any more
 *	(notifier_lock)
 * @in_system: needed mirrors whose pages have to be in system memory, by page
 *	number (notifier_lock)
 * @restore_work: empties @invalid
 * @look: what @restore_work is at (validate_lock)
 * @request: pages that it waits for
 * @fetcher: brings them in; NULL before the first mirror (validate_lock)
 * @restored_at: jiffies of the last time that queues were restored
 *	(notifier_lock)
 * @storm_ms: how long queues stay evicted at least (notifier_lock)
 * @delay_ms: how long @restore_work waits after the next failure
 *	(validate_lock)
 * @pass: number of the last attempt to empty @invalid (validate_lock)
 * @resumes: number of the last RESUME (process->lock)
 * @chunk: scratch space of page look-ups; NULL before the first mirror
 *	(validate_lock)
 */
struct kfd_mirrors {
	struct kfd_process *process;
	struct mm_struct *mm;
	struct mutex validate_lock;	/* makers of presence */
	struct mutex notifier_lock;	/* presence, and who lost it */
	struct list_head invalid;
	u32 evicted;
	bool closing;
	struct rb_root_cached in_system;
	struct delayed_work restore_work;
	struct kfd_look look;
	struct kfd_fetch_request request;
	struct kfd_fetcher *fetcher;
	unsigned long restored_at;
	unsigned int storm_ms;
	unsigned int delay_ms;
	u32 pass;
	u32 resumes;
	struct kfd_mirror_chunk *chunk;
};

/**
 * struct kfd_mirror - a range of process memory; embedded in its owner's struct
 * @addr: CPU address of the first page; immutable while it is watched
 * @lost_since: jiffies of the first vain attempt since it went onto the list;
 *	0: none (validate_lock)
 * @npages: its length; immutable
 * @mirrors: all of the process
 * @ops: the owner's; immutable
 * @access: what GPUs do with the pages (validate_lock)
 * @notifier: tells when pages go; registered while it is watched
 * @put_off: the kfd_mirrors.pass in which it could not be had, if it could not
 *	(validate_lock)
 * @brought: the RESUME that it has been brought back for (validate_lock)
 * @state: only mirror_state.c changes it (notifier_lock; and validate_lock where it
 *	begins or ceases to be watched)
 * @absent_first: first page that may be absent (notifier_lock)
 * @absent_last: last such page; below @absent_first: none (notifier_lock)
 * @lost_first: first page that was found to be missing since the mirror was
 *	validated (notifier_lock)
 * @lost_end: the page after the last one; 0: none (notifier_lock)
 * @given_first: first page that nobody waits for any more; of those above
 *	(notifier_lock)
 * @given_end: the page after the last one; 0: none (notifier_lock)
 * @needed: GPUs, by index, whose queues can't do without it (notifier_lock)
 * @invalid_node: in kfd_mirrors.invalid, in state BROKEN (notifier_lock)
 * @system_node: in kfd_mirrors.in_system, in WHOLE, SHORT and BROKEN, if its owner
 *	does not know what to do with VRAM (notifier_lock)
 *
 * The first 16 bytes are what KASAN writes into freed memory: no pointer there,
 * so that a use after free (the bug resume_svm_twice) is told and survived.
 */
struct kfd_mirror {
	unsigned long addr;
	unsigned long lost_since;
	u64 npages;
	struct kfd_mirrors *mirrors;
	const struct kfd_mirror_ops *ops;
	enum kfd_mirror_access access;
	struct mmu_interval_notifier notifier;
	u32 put_off;
	u32 brought;
	enum kfd_mirror_state state;
	u64 absent_first;
	u64 absent_last;
	u64 lost_first;
	u64 lost_end;
	u64 given_first;
	u64 given_end;
	u32 needed;
	struct list_head invalid_node;
	struct interval_tree_node system_node;
};

/**
 * struct kfd_missing - the hull of pages that can't be had
 * @first: first page
 * @end: the page after the last one; 0: none
 */
struct kfd_missing {
	u64 first;
	u64 end;
};

/* Whether invalidations are told of; validate_lock */
static inline bool kfd_mirror_is_watched(const struct kfd_mirror *m)
{
	return READ_ONCE(m->state) != KFD_MIRROR_OUT;
}

/* The hull of pages that are missed; notifier_lock, or nobody watches yet */
static inline bool kfd_mirror_is_present(const struct kfd_mirror *m)
{
	return m->absent_first > m->absent_last;
}

/* Pages of @m among these, @end not included; false: none. */
static inline bool kfd_mirror_clip(const struct kfd_mirror *m,
				   unsigned long start, unsigned long last,
				   u64 *first, u64 *end)
{
	unsigned long m_last = m->addr + (m->npages << PAGE_SHIFT) - 1;

	if (last < m->addr || start > m_last)
		return false;
	*first = (max(start, m->addr) - m->addr) >> PAGE_SHIFT;
	*end = ((min(last, m_last) - m->addr) >> PAGE_SHIFT) + 1;
	return true;
}

/* The hull of pages that were found to be missing; likewise */
static inline bool kfd_mirror_has_lost(const struct kfd_mirror *m)
{
	return m->lost_end;
}

static inline void kfd_mirror_add_lost(struct kfd_mirror *m, u64 first, u64 end)
{
	m->lost_first = m->lost_end ? min(m->lost_first, first) : first;
	m->lost_end = max(m->lost_end, end);
}

/* Who waits for notifier_lock may have it between this many mirrors. */
#define KFD_MIRROR_BATCH	64

/**
 * kfd_mirrors_breathe() - let others have notifier_lock in a walk of mirrors
 * @mirrors: those of the process
 * @n: counted up by each call; begins at 0
 *
 * There may be many mirrors, and the munmap() of anybody may wait for the lock:
 * to be called between two mirrors that are each as they should be.
 *
 * Context: notifier_lock held, and let go of at times; sleeps.
 */
static inline void kfd_mirrors_breathe(struct kfd_mirrors *mirrors, u32 *n)
{
	if (++*n % KFD_MIRROR_BATCH)
		return;
	mutex_unlock(&mirrors->notifier_lock);
	cond_resched();
	mutex_lock(&mirrors->notifier_lock);
}

/* Of these, those that nobody waits for any more; likewise */
static inline void kfd_mirror_add_given(struct kfd_mirror *m, u64 first, u64 end)
{
	m->given_first = m->given_end ? min(m->given_first, first) : first;
	m->given_end = max(m->given_end, end);
}

int kfd_mirrors_module_init(void);
void kfd_mirrors_module_exit(void);
void kfd_mirrors_init(struct kfd_mirrors *mirrors, struct kfd_process *p);
void kfd_mirrors_rebind(struct kfd_mirrors *mirrors, struct mm_struct *mm);
void kfd_mirrors_close(struct kfd_mirrors *mirrors);
void kfd_mirrors_fini(struct kfd_mirrors *mirrors);

void kfd_mirror_init(struct kfd_mirror *m, struct kfd_mirrors *mirrors,
		     const struct kfd_mirror_ops *ops, unsigned long addr,
		     u64 npages, enum kfd_mirror_access access);
int kfd_mirror_watch(struct kfd_mirror *m);
void kfd_mirror_remove(struct kfd_mirror *m);
int kfd_mirror_validate(struct kfd_mirror *m, struct kfd_look *look);
int kfd_mirror_validate_part(struct kfd_mirror *m, struct kfd_look *look,
			     unsigned long start, unsigned long last);
int kfd_mirror_fill(struct kfd_mirror *m, struct kfd_look *look, u64 first,
		    u64 npages, u64 wanted);
int kfd_look_let_others(struct kfd_look *look);
bool kfd_look_again(struct kfd_mirrors *mirrors, struct kfd_look *look,
		    int *ret);
int kfd_mirrors_fetch(struct kfd_mirrors *mirrors,
		      struct kfd_fetch_request *req);
void kfd_mirrors_fetch_cancel(struct kfd_mirrors *mirrors,
			      struct kfd_fetch_request *req);

bool kfd_mirrors_keep_in_system(struct kfd_mirrors *mirrors,
				unsigned long start, unsigned long last);

/* Memory that can't be had any more: mirror_salvage.c */
int kfd_mirror_bring_back(struct kfd_mirror *m, struct kfd_look *look);
int kfd_mirror_lost(struct kfd_mirror *m, u64 *first, u64 *npages);
bool kfd_mirror_lost_locked(const struct kfd_mirror *m, u64 *first,
			    u64 *npages);
void kfd_mirror_forgo(struct kfd_mirror *m, unsigned long start,
		      unsigned long last);
void kfd_mirror_inherit_lost(struct kfd_mirror *m,
			     const struct kfd_mirror *old);
void kfd_mirror_forget_lost(struct kfd_mirror *m, u64 first, u64 end);
void kfd_mirror_keep_lost(struct kfd_mirror *m, const struct kfd_mirror *was);

/**
 * enum kfd_mercy - which pages may be missing
 * @KFD_MERCY_NONE: none
 * @KFD_MERCY_KNOWN: those that were given up
 * @KFD_MERCY_NOTE: the same; the others are lost from now on
 * @KFD_MERCY_ANY: all, and they are given up
 */
enum kfd_mercy {
	KFD_MERCY_NONE,
	KFD_MERCY_KNOWN,
	KFD_MERCY_NOTE,
	KFD_MERCY_ANY,
};

/* Between it, mirror.c and mirror_look.c; under validate_lock */
int kfd_mirror_look(struct kfd_mirror *m, struct kfd_look *look, u64 first,
		    u64 last, struct kfd_missing *missing);
int kfd_mirror_try(struct kfd_mirror *m, struct kfd_look *look,
		   enum kfd_mercy mercy);
int kfd_mirror_judge(struct kfd_mirror *m, const struct kfd_missing *missing,
		     enum kfd_mercy mercy);
int kfd_mirror_do_without(struct kfd_mirror *m, struct kfd_look *look, int err);

/* Between mirror.c and mirror_state.c */
int kfd_mirrors_prepare(struct kfd_mirrors *mirrors);
void kfd_mirrors_restore_soon(struct kfd_mirrors *mirrors);
void kfd_mirrors_settle(struct kfd_mirrors *mirrors);
void kfd_mirrors_calm(struct kfd_mirrors *mirrors);
void kfd_mirror_begin_look(struct kfd_mirror *m, u64 *first, u64 *last);
void kfd_mirror_still_absent(struct kfd_mirror *m, u64 first, u64 last);
void kfd_mirror_end_look(struct kfd_mirror *m);
void kfd_mirror_lack_lost(struct kfd_mirror *m, u64 first, u64 end);
void kfd_mirror_abandon(struct kfd_mirror *m);

/* What happens to a mirror (mirror_state.c); under notifier_lock */
bool kfd_mirror_step(struct kfd_mirror *m, enum kfd_mirror_event event,
		     u64 first, u64 last, enum kfd_mirror_why why);
void kfd_mirror_need_locked(struct kfd_mirror *m, u32 gpus);
void kfd_mirror_break_locked(struct kfd_mirror *m);
void kfd_mirror_lose_locked(struct kfd_mirror *m, unsigned long start,
			    unsigned long last);
void kfd_mirror_deny_locked(struct kfd_mirror *m, unsigned long start,
			    unsigned long last, u32 gpus,
			    enum kfd_mirror_why why);

/* One mirror in place of others: before it is watched, and under the lock */
void kfd_mirror_assume_present(struct kfd_mirror *m);
void kfd_mirror_lack(struct kfd_mirror *m, unsigned long start,
		     unsigned long last);
void kfd_mirror_inherit(struct kfd_mirror *m, const struct kfd_mirror *old);
void kfd_mirror_retire(struct kfd_mirror *m);

#endif
