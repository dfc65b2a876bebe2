/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages of a file in memory, held through the file: memfd_pin_folios() where it
 * exists, else the page cache's own look-ups.
 */
#ifndef AMDKFD_FILE_PAGES_H
#define AMDKFD_FILE_PAGES_H

#include <linux/types.h>

#include "compat.h"

struct file;
struct folio;
struct page;

/**
 * struct kfd_compat_file_pages - what keeps the pages; the caller's memory
 * @folios: pinned folios, where the kernel pins
 * @num_folios: their number
 * @pages: pages with one reference each, where it does not; the caller's array
 * @num_pages: their number
 */
struct kfd_compat_file_pages {
	struct folio **folios;
	u64 num_folios;
	struct page **pages;
	u64 num_pages;
};

int kfd_compat_file_pages_get(struct file *file, loff_t offset, u64 npages,
			      struct page **pages,
			      struct kfd_compat_file_pages *hold);
void kfd_compat_file_pages_put(struct kfd_compat_file_pages *hold, bool dirty);

#endif
