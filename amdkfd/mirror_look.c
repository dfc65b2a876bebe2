// SPDX-License-Identifier: GPL-2.0-only
/*
 * Looking pages of a process up and giving them to GPUs (floor 2).
 *
 * A look-up takes what is in memory and waits for nothing: it is made with locks
 * held that others need, and a page may take for ever (fetch.c). Pages are
 *
 *	there		given to the mirror's owner;
 *	absent		to be brought in, and looked for again: -KFD_EABSENT;
 *	missing		not to be had: no mapping, none of the kind, or one that
 *			does not allow what GPUs do; and what was tried to be
 *			brought in, in vain.
 *
 * validate_lock is held throughout; the pages are given away under notifier_lock.
 */
#include <linux/hmm.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>

#include <amdkfd/vma.h>

#include "mirror.h"
#include "process.h"

/* Lost races with the notifier in one place after which it is left for now. */
#define LOOK_TRIES	8

/**
 * struct mirror_part - pages that one look at the page tables is for
 * @first: first page of the mirror
 * @n: their number, KFD_MIRROR_CHUNK at most
 * @write: they are to be writable
 * @range: the kernel's, for those pages
 */
struct mirror_part {
	u64 first;
	u64 n;
	bool write;
	struct hmm_range range;
};

static unsigned long page_addr(const struct kfd_mirror *m, u64 page)
{
	return m->addr + (page << PAGE_SHIFT);
}

static void missing_add(struct kfd_missing *missing, u64 first, u64 n)
{
	if (!missing->end)
		missing->first = first;
	missing->first = min(missing->first, first);
	missing->end = max(missing->end, first + n);
}

/*
 * Whether there is a mapping that may give the first page of a part, which is cut
 * to the pages that the answer holds for. mmap_lock held.
 */
static bool mirror_has_mapping(struct kfd_mirror *m, struct mirror_part *part)
{
	unsigned long addr = page_addr(m, part->first), end;
	struct vm_area_struct *vma = find_vma(m->mirrors->mm, addr);

	if (!vma)
		return false;
	end = vma->vm_start > addr ? vma->vm_start : vma->vm_end;
	part->n = min_t(u64, part->n, (end - addr) >> PAGE_SHIFT);
	part->write = m->access == KFD_MIRROR_WRITE ||
		      (m->access == KFD_MIRROR_WRITE_IF_ALLOWED &&
		       vma->vm_flags & VM_WRITE);
	return vma->vm_start <= addr && kfd_vma_can_share(vma) &&
	       vma->vm_flags & VM_READ &&
	       (!part->write || vma->vm_flags & VM_WRITE);
}

/*
 * What the page tables say of a part, which is cut. 0; 1: there is no mapping that
 * would do; KFD_EABSENT: nobody knows, mmap_lock is not to be had; EAGAIN: the
 * notifier came in between; ESTALE; EINTR: killed.
 */
static int mirror_read_tables(struct kfd_mirror *m, const struct kfd_look *look,
			      struct mirror_part *part)
{
	struct mm_struct *mm = m->mirrors->mm;
	int ret = 0;

	part->range = (struct hmm_range) {
		.notifier = &m->notifier,
		.notifier_seq = mmu_interval_read_begin(&m->notifier),
		.start = page_addr(m, part->first),
		.hmm_pfns = m->mirrors->chunk->pfns,
		.dev_private_owner = m->ops->owner ? m->ops->owner(m) : NULL,
	};
	if (!look->in_line)
		ret = kfd_mmap_read_lock(mm);
	if (ret)
		return ret;
	if (m->ops->stale && m->ops->stale(m, part->first, part->n))
		ret = -ESTALE;
	else if (!mirror_has_mapping(m, part))
		ret = 1;
	/* Without HMM_PFN_REQ_FAULT it waits for no page. */
	part->range.end = page_addr(m, part->first + part->n);
	if (!ret)
		ret = hmm_range_fault(&part->range);
	if (!look->in_line)
		mmap_read_unlock(mm);
	return ret < 0 && ret != -ESTALE ? -EAGAIN : ret;
}

/*
 * Hand pages to the owner, from the @at-th of a part on. They are marked dirty now
 * because nobody tells when the GPU writes: until they are cleaned or freed
 * lazily, which invalidates them first, they count as written. What is in VRAM is
 * dirty when it comes back.
 */
static int mirror_give(struct kfd_mirror *m, const struct mirror_part *part,
		       u64 at, u64 n)
{
	struct kfd_mirror_chunk *chunk = m->mirrors->chunk;
	struct page **pages = chunk->pages;
	u64 i;

	lockdep_assert_held(&m->mirrors->notifier_lock);
	for (i = 0; i < n; i++) {
		pages[i] = hmm_pfn_to_page(chunk->pfns[at + i]);
		if (part->write && !is_device_private_page(pages[i]))
			set_page_dirty(pages[i]);
	}
	return m->ops->populate(m, part->first + at, n, pages, part->write);
}

static bool mirror_is_there(const struct mirror_part *part, u64 at)
{
	unsigned long need = HMM_PFN_VALID;

	if (part->write)
		need |= HMM_PFN_WRITE;
	return (part->range.hmm_pfns[at] & need) == need;
}

/* All that is there, one stretch after the other. EAGAIN, ENOMEM */
static int mirror_give_all(struct kfd_mirror *m, const struct mirror_part *part)
{
	struct mutex *notifier_lock = &m->mirrors->notifier_lock;
	u64 at = 0, n;
	int ret = 0;

	mutex_lock(notifier_lock);
	if (mmu_interval_read_retry(&m->notifier, part->range.notifier_seq))
		ret = -EAGAIN;
	while (!ret && at < part->n) {
		for (n = 0; at + n < part->n && mirror_is_there(part, at + n);)
			n++;
		if (n)
			ret = mirror_give(m, part, at, n);
		at += n ?: 1;
	}
	mutex_unlock(notifier_lock);
	return ret;
}

/* What is not there: absent or missing. false: there is no room to tell of it. */
static bool mirror_sort(struct kfd_mirror *m, struct kfd_look *look,
			const struct mirror_part *part,
			struct kfd_missing *missing)
{
	unsigned long addr;
	u64 i;

	for (i = 0; i < part->n; i++) {
		addr = page_addr(m, part->first + i);
		if (mirror_is_there(part, i))
			continue;
		if (part->range.hmm_pfns[i] & HMM_PFN_ERROR ||
		    kfd_runs_have(&look->refused, addr))
			missing_add(missing, part->first + i, 1);
		else if (!kfd_runs_add(&look->absent, addr, addr + PAGE_SIZE))
			return false;
	}
	return true;
}

/* One part; as kfd_mirror_look(), and ENOSPC: tell of what there is first. */
static int mirror_look_at(struct kfd_mirror *m, struct kfd_look *look,
			  struct mirror_part *part, struct kfd_missing *missing)
{
	int ret;

	ret = m->ops->reserve ? m->ops->reserve(m, part->first, part->n) : 0;
	if (!ret)
		ret = mirror_read_tables(m, look, part);
	if (ret < 0)
		return ret;
	if (ret) {
		missing_add(missing, part->first, part->n);
		return 0;
	}
	ret = mirror_give_all(m, part);
	if (ret)
		return ret;
	return mirror_sort(m, look, part, missing) ? 0 : -ENOSPC;
}

/* A look for another mirror than the last begins anew. */
static void look_begin(struct kfd_look *look, const struct kfd_mirror *m)
{
	unsigned long end = page_addr(m, m->npages);

	if (look->start != m->addr || look->end != end ||
	    look->access != m->access) {
		look->start = m->addr;
		look->end = end;
		look->access = m->access;
		look->refused.n = 0;
	}
	look->absent.n = 0;
	look->unmaps = kfd_fetcher_unmaps(m->mirrors->fetcher);
}

/**
 * kfd_mirror_look() - make present what is in memory
 * @m: a watched mirror
 * @look: of who wants it; what is not in memory is told there
 * @first: first page
 * @last: last page
 * @missing: what can't be had is added
 *
 * The place of the pages in the hulls is the caller's to see to.
 *
 * Context: validate_lock held; sleeps, but for no page; takes mmap_lock, but for
 * @look->in_line. A user of the address space.
 *
 * Return: 0; KFD_EABSENT: some have to be brought in, see @look; there may be more
 * than it tells of, and it may tell of none where mmap_lock was not to be had;
 * EAGAIN: lost races with the notifier; ESTALE, ENOMEM; EINTR:
 * killed.
 */
int kfd_mirror_look(struct kfd_mirror *m, struct kfd_look *look, u64 first,
		    u64 last, struct kfd_missing *missing)
{
	struct mirror_part part = { .first = first };
	unsigned int tries = LOOK_TRIES;
	int ret;

	lockdep_assert_held(&m->mirrors->validate_lock);
	look_begin(look, m);
	while (part.first <= last) {
		cond_resched();
		if (fatal_signal_pending(current))
			return -EINTR;
		part.n = min_t(u64, last - part.first + 1, KFD_MIRROR_CHUNK);
		ret = mirror_look_at(m, look, &part, missing);
		if (ret == -ENOSPC)
			break;
		if (ret == -EAGAIN && --tries)
			continue;
		if (ret)
			return ret;
		tries = LOOK_TRIES;
		part.first += part.n;
	}
	return look->absent.n ? -KFD_EABSENT : 0;
}

/**
 * kfd_look_let_others() - so many races were lost that others shall have our locks
 * @look: who has lost them
 *
 * A program can change its mappings without end; who waits for a lock that is held
 * meanwhile would wait as long.
 *
 * Context: any.
 * Return: -KFD_EABSENT: to be made again, as if mmap_lock had not been to be had.
 */
int kfd_look_let_others(struct kfd_look *look)
{
	look->absent.n = 0;
	return -KFD_EABSENT;
}

/**
 * kfd_look_again() - whether a look-up is to be made once more
 * @mirrors: those of the process
 * @look: what it has said
 * @ret: what it has returned
 *
 * Brings in what was absent.
 *
 * Context: sleeps for as long as the memory likes, killably; nothing held.
 * Return: true: again; false: @ret is the answer: never -KFD_EABSENT; -EINTR: also
 * a signal that came after many rounds; -ESRCH: the process has ended.
 */
bool kfd_look_again(struct kfd_mirrors *mirrors, struct kfd_look *look,
		    int *ret)
{
	struct kfd_fetcher *f;

	if (*ret != -KFD_EABSENT)
		return false;
	*ret = -EINTR;
	if (look->rounds > LOOK_TRIES && signal_pending(current))
		return false;
	if (mutex_lock_killable(&mirrors->validate_lock))
		return false;
	f = mirrors->fetcher ? kfd_fetcher_get(mirrors->fetcher) : NULL;
	mutex_unlock(&mirrors->validate_lock);
	*ret = f ? kfd_fetch_now(f, look) : -ESRCH;
	if (f)
		kfd_fetcher_put(f);
	return !*ret;
}
