// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages of a file in memory, held through the file.
 *
 * A kernel with memfd_pin_folios() does all of it: it makes pages that are not
 * there, moves what must not be pinned for long, and knows hugetlbfs. Otherwise
 * tmpfs makes and gives its pages by shmem_read_mapping_page(), and the pages
 * of hugetlbfs are taken from the page cache, where whoever had them mapped has
 * put them.
 *
 * No lock is held or kept.
 */
#include <linux/fs.h>
#include <linux/hugetlb.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>

#include "file_pages.h"

#ifdef HAVE_MEMFD_PIN_FOLIOS

static int file_pages_get(struct file *file, loff_t offset, u64 npages,
			  struct page **pages,
			  struct kfd_compat_file_pages *hold)
{
	u64 n = 0, k, skip;
	pgoff_t in_first = 0;
	long count;

	hold->folios = kvmalloc_array(npages, sizeof(*hold->folios),
				      GFP_KERNEL_ACCOUNT);
	if (!hold->folios)
		return -ENOMEM;
	count = memfd_pin_folios(file, offset,
				 offset + (npages << PAGE_SHIFT) - 1,
				 hold->folios, npages, &in_first);
	if (count < 0)
		return count == -EINVAL ? -EFAULT : count;
	hold->num_folios = count;
	skip = in_first >> PAGE_SHIFT;
	for (k = 0; k < hold->num_folios; k++, skip = 0) {
		u64 in_folio = folio_nr_pages(hold->folios[k]);

		for (; skip < in_folio && n < npages; skip++)
			pages[n++] = folio_page(hold->folios[k], skip);
	}
	return n == npages ? 0 : -EFAULT;
}

void kfd_compat_file_pages_put(struct kfd_compat_file_pages *hold, bool dirty)
{
	u64 k;

	for (k = 0; dirty && k < hold->num_folios; k++)
		set_page_dirty_lock(folio_page(hold->folios[k], 0));
	if (hold->num_folios)
		unpin_folios(hold->folios, hold->num_folios);
	kvfree(hold->folios);
	*hold = (struct kfd_compat_file_pages) {};
}

#else

/* Where the page cache has a page of hugetlbfs: by which unit it counts. */
static pgoff_t file_pages_huge_index(struct inode *inode, pgoff_t index)
{
#ifdef HAVE_HUGETLB_INDEX_IN_HUGE_PAGES
	return index >> huge_page_order(hstate_inode(inode));
#else
	return index;
#endif
}

static struct page *file_pages_get_huge(struct address_space *mapping,
					pgoff_t index)
{
	struct hstate *h = hstate_inode(mapping->host);
	struct page *page;

	page = find_get_page(mapping, file_pages_huge_index(mapping->host,
							    index));
	if (!page)
		return ERR_PTR(-EFAULT);
	/* The reference is on the whole of it. */
	return nth_page(compound_head(page),
			index & (pages_per_huge_page(h) - 1));
}

static int file_pages_get(struct file *file, loff_t offset, u64 npages,
			  struct page **pages,
			  struct kfd_compat_file_pages *hold)
{
	struct address_space *mapping = file->f_mapping;
	bool huge = mapping->host->i_sb->s_magic == HUGETLBFS_MAGIC;
	pgoff_t index = offset >> PAGE_SHIFT;
	struct page *page;

	hold->pages = pages;
	while (hold->num_pages < npages) {
		page = huge ? file_pages_get_huge(mapping, index) :
			      shmem_read_mapping_page(mapping, index);
		if (IS_ERR(page))
			return PTR_ERR(page) == -EINVAL ? -EFAULT :
							  PTR_ERR(page);
		pages[hold->num_pages++] = page;
		index++;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

void kfd_compat_file_pages_put(struct kfd_compat_file_pages *hold, bool dirty)
{
	u64 i;

	for (i = 0; i < hold->num_pages; i++) {
		if (dirty)
			set_page_dirty_lock(hold->pages[i]);
		put_page(hold->pages[i]);
		cond_resched();
	}
	*hold = (struct kfd_compat_file_pages) {};
}

#endif

/**
 * kfd_compat_file_pages_get() - hold pages of a file in memory
 * @file: of tmpfs or hugetlbfs
 * @offset: byte offset of the first page, page-aligned
 * @npages: pages of the system's page size, not 0
 * @pages: array of @npages; set; it has to last until
 *	kfd_compat_file_pages_put()
 * @hold: zeroed; set
 *
 * Context: sleeps.
 * Return: 0; -EFAULT: the file is shorter, or has no page there; -ENOMEM;
 * -EINTR: killed. Nothing is held then.
 */
int kfd_compat_file_pages_get(struct file *file, loff_t offset, u64 npages,
			      struct page **pages,
			      struct kfd_compat_file_pages *hold)
{
	loff_t size = i_size_read(file->f_mapping->host);
	int ret;

	if (offset > size || npages > (u64)(size - offset) >> PAGE_SHIFT)
		return -EFAULT;
	ret = file_pages_get(file, offset, npages, pages, hold);
	if (ret)
		kfd_compat_file_pages_put(hold, false);
	return ret;
}
