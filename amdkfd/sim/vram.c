// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pages behind buffers, single pages of VRAM that the driver migrates to,
 * and the pools that bound them.
 *
 * A simulated GPU's VRAM is system memory that is counted: a buffer takes its
 * size from the pool first and its pages from the system afterwards, in the
 * largest pieces that can be had, so that an engine's copy is a few long
 * memcpy() and not one for every 4 KiB. Pieces are compound pages, which know
 * their own order; nothing else has to remember it.
 *
 * No locks: the counters are atomic, the arrays belong to the caller.
 */
#include <linux/gfp.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>

#include "memory.h"

/* 2 MiB: larger ones are hard to get and gain nothing. */
#define SIM_MAX_ORDER	9u

/**
 * sim_pool_take() - take a share of a finite pool
 * @used: bytes taken so far
 * @limit: size of the pool, bytes
 * @size: bytes wanted
 *
 * Context: any. The counter never exceeds the limit, not even for a moment,
 * so that one request can't make another fail in vain.
 * Return: 0, or -ENOMEM when less than @size is left.
 */
int sim_pool_take(atomic64_t *used, u64 limit, u64 size)
{
	s64 old = atomic64_read(used);

	do {
		if (size > limit || (u64)old > limit - size)
			return -ENOMEM;
	} while (!atomic64_try_cmpxchg(used, &old, old + size));

	return 0;
}

/**
 * sim_pool_give() - return a share to its pool
 * @used: bytes taken so far
 * @size: bytes given back, taken by sim_pool_take() before
 *
 * Context: any.
 */
void sim_pool_give(atomic64_t *used, u64 size)
{
	WARN_ON_ONCE(atomic64_sub_return(size, used) < 0);
}

static struct page *sim_alloc_piece(unsigned int order)
{
	gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN;

	/*
	 * A large piece is a wish, not worth reclaiming for. A single page is
	 * needed, but it is the caller that gets the error, not some innocent
	 * process the OOM killer.
	 */
	gfp |= order ? __GFP_COMP | __GFP_NORETRY : __GFP_RETRY_MAYFAIL;
	return alloc_pages(gfp, order);
}

/**
 * sim_pages_alloc() - zeroed pages, as contiguous as possible
 * @pages: array to fill
 * @npages: entries
 *
 * Context: sleeps. Accounted to the caller's memory cgroup.
 * Return: 0; -ENOMEM; -EINTR when the caller is being killed. On error the
 * array holds nothing that would have to be freed.
 */
int sim_pages_alloc(struct page **pages, u64 npages)
{
	unsigned int order = SIM_MAX_ORDER;
	struct page *page;
	u64 done = 0, i;
	int ret;

	while (done < npages) {
		order = min_t(unsigned int, order, ilog2(npages - done));
		page = sim_alloc_piece(order);
		if (!page && order) {
			order--;
			continue;
		}
		if (!page || fatal_signal_pending(current)) {
			ret = page ? -EINTR : -ENOMEM;
			if (page)
				__free_pages(page, order);
			sim_pages_free(pages, done);
			return ret;
		}
		for (i = 0; i < 1u << order; i++)
			pages[done++] = page + i;
		cond_resched();
	}
	return 0;
}

/**
 * sim_pages_free() - undo sim_pages_alloc()
 * @pages: array
 * @npages: entries
 *
 * Context: sleeps.
 */
void sim_pages_free(struct page **pages, u64 npages)
{
	unsigned int order;
	u64 i;

	for (i = 0; i < npages; i += 1u << order) {
		order = compound_order(pages[i]);
		__free_pages(pages[i], order);
		cond_resched();
	}
}

/* Contiguous pages that can each be freed alone, as many as @order says. */
static struct page *sim_alloc_split(unsigned int order)
{
	gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN;
	struct page *page;

	/* see sim_alloc_piece() */
	gfp |= order ? __GFP_NORETRY : __GFP_RETRY_MAYFAIL;
	page = alloc_pages(gfp, order);
	if (page && order)
		split_page(page, order);
	return page;
}

/**
 * sim_vram_pages_alloc() - single pages of VRAM, for the driver to migrate to
 * @gpu: whose VRAM
 * @npages: entries of @pages
 * @pages: array to fill
 *
 * Context: sleeps. Accounted to the caller's memory cgroup.
 * Return: 0; -ENOMEM; -EINTR when the caller is being killed. On error nothing
 * is taken.
 */
int sim_vram_pages_alloc(struct sim_gpu *gpu, u64 npages, struct page **pages)
{
	unsigned int order = SIM_MAX_ORDER;
	struct page *page;
	u64 done = 0, i;
	int ret;

	if (npages > gpu->vram_size >> PAGE_SHIFT)
		return -ENOMEM;
	ret = sim_pool_take(&gpu->vram_used, gpu->vram_size,
			    npages << PAGE_SHIFT);
	if (ret)
		return ret;
	while (done < npages) {
		order = min_t(unsigned int, order, ilog2(npages - done));
		page = sim_alloc_split(order);
		if (!page && order) {
			order--;
			continue;
		}
		for (i = 0; page && i < 1u << order; i++)
			pages[done++] = page + i;
		if (!page || fatal_signal_pending(current)) {
			sim_vram_pages_free(gpu, done, pages);
			sim_pool_give(&gpu->vram_used,
				      (npages - done) << PAGE_SHIFT);
			return page ? -EINTR : -ENOMEM;
		}
		cond_resched();
	}
	return 0;
}

/**
 * sim_vram_pages_free() - free some pages of sim_vram_pages_alloc()
 * @gpu: whose VRAM
 * @npages: entries of @pages
 * @pages: the pages, in any order and of any allocations
 *
 * Context: any that may free; does not sleep.
 */
void sim_vram_pages_free(struct sim_gpu *gpu, u64 npages, struct page **pages)
{
	u64 i;

	for (i = 0; i < npages; i++)
		__free_page(pages[i]);
	sim_pool_give(&gpu->vram_used, npages << PAGE_SHIFT);
}
