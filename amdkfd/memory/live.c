// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages of a file, held for a buffer whose CPU address has been given up
 * (floor 3).
 *
 * They are held by way of the file and not of the mapping, because the mapping
 * is what is about to go: a reference on the file keeps the file, references on
 * its pages keep those, whatever is unmapped, truncated or punched meanwhile.
 * Only files whose pages are memory will do (tmpfs with memfd, shared anonymous
 * and System V memory; hugetlbfs): of others the pages are written back and
 * watched for writes, which a GPU's are not seen as.
 *
 * While a GPU may write to them the file counts as one that is mapped writable,
 * from before its mapping may go: who seals a file against writing (F_SEAL_WRITE)
 * is told EBUSY, as with a mapping, and what is sealed is not taken.
 *
 * A buffer lies in a mapping as a whole when mappings of one file, shared, cover
 * it at consecutive offsets; that may be several VMAs.
 *
 * process->lock protects kfd_userptr.live; mmap_lock is taken for reading the
 * VMAs. notifier_lock is held where pages are given to the provider.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "../compat/file_pages.h"
#include "memory.h"

/* Pages that are given to the provider at a time. */
#define LIVE_CHUNK_PAGES	512

/**
 * struct kfd_live - pages of a file
 * @file: the file
 * @offset: byte offset of the first page
 * @npages: pages of the system's page size
 * @pages: the pages, by index
 * @hold: what keeps them
 */
struct kfd_live {
	struct file *file;
	loff_t offset;
	u64 npages;
	struct page **pages;
	struct kfd_compat_file_pages hold;
};

static bool live_file_is_memory(const struct file *file)
{
	const struct inode *inode = file->f_mapping->host;

	return S_ISREG(inode->i_mode) &&
	       (inode->i_sb->s_magic == TMPFS_MAGIC ||
		inode->i_sb->s_magic == HUGETLBFS_MAGIC);
}

/*
 * Which file is mapped at [start, end), shared and, with @write, writable;
 * @file: for live_put_file(). EINVAL: none that can be held, or not as a whole;
 * EINTR, KFD_EABSENT: as kfd_mmap_read_lock().
 */
static int live_find_file(struct mm_struct *mm, u64 start, u64 end, bool write,
			  struct file **file, loff_t *offset)
{
	unsigned long need = VM_SHARED | (write ? VM_WRITE : 0);
	struct vm_area_struct *vma;
	struct file *found = NULL;
	loff_t first = 0, off;
	int ret = kfd_mmap_read_lock(mm);
	u64 addr;

	if (ret)
		return ret;
	ret = -EINVAL;
	for (addr = start; addr < end; addr = vma->vm_end) {
		vma = vma_lookup(mm, addr);
		if (!vma || !vma->vm_file || (vma->vm_flags & need) != need ||
		    !live_file_is_memory(vma->vm_file))
			goto out;
		off = ((loff_t)vma->vm_pgoff << PAGE_SHIFT) +
		      (addr - vma->vm_start);
		if (!found) {
			found = vma->vm_file;
			first = off;
		}
		if (vma->vm_file->f_mapping != found->f_mapping ||
		    off != first + (addr - start))
			goto out;
	}
	/* Cannot fail while it is mapped writable, which it is. */
	if (write && mapping_map_writable(found->f_mapping))
		goto out;
	*file = get_file(found);
	*offset = first;
	ret = 0;
out:
	mmap_read_unlock(mm);
	return ret;
}

static void live_put_file(struct file *file, bool write)
{
	if (write)
		mapping_unmap_writable(file->f_mapping);
	fput(file);
}

static bool live_writable(const struct kfd_userptr *userptr)
{
	return userptr->bo->alloc_flags & KFD_IOC_ALLOC_MEM_FLAGS_WRITABLE;
}

static void live_free(struct kfd_live *live, bool write)
{
	kfd_compat_file_pages_put(&live->hold, write);
	kvfree(live->pages);
	live_put_file(live->file, write);
	kfree(live);
}

/**
 * kfd_live_hold() - hold the pages of the file behind a userptr
 * @userptr: a userptr whose CPU address is valid; current->mm is the process's
 *
 * Sets @userptr->live. The pages are charged first. kfd_live_release() undoes
 * it.
 *
 * Context: process->lock held; sleeps; takes mmap_lock.
 *
 * Return: 0; EINVAL: its memory is not a mapping of a file that can be held;
 * EFAULT: a page of the file is not there; ENOMEM: no memory, or over
 * RLIMIT_MEMLOCK; EINTR, KFD_EABSENT: as kfd_mmap_read_lock().
 */
int kfd_live_hold(struct kfd_userptr *userptr)
{
	struct kfd_process *p = userptr->bo->pdd->process;
	u64 start = userptr->mirror.addr, npages = userptr->mirror.npages;
	bool write = live_writable(userptr);
	struct kfd_live *live;
	int ret;

	live = kzalloc(sizeof(*live), GFP_KERNEL_ACCOUNT);
	if (!live)
		return -ENOMEM;
	live->npages = npages;
	ret = live_find_file(p->mm, start, start + (npages << PAGE_SHIFT),
			     write, &live->file, &live->offset);
	if (ret)
		goto err_free;
	ret = kfd_process_charge(p, npages);
	if (ret)
		goto err_file;
	ret = -ENOMEM;
	live->pages = kvmalloc_array(npages, sizeof(*live->pages),
				     GFP_KERNEL_ACCOUNT);
	if (!live->pages)
		goto err_charge;
	ret = kfd_compat_file_pages_get(live->file, live->offset, npages,
					live->pages, &live->hold);
	if (ret)
		goto err_pages;
	userptr->live = live;
	return 0;

err_pages:
	kvfree(live->pages);
err_charge:
	kfd_process_uncharge(p, npages);
err_file:
	live_put_file(live->file, write);
err_free:
	kfree(live);
	return ret;
}

/**
 * kfd_live_release() - undo kfd_live_hold()
 * @userptr: a userptr; the GPU no longer uses the pages, or has them otherwise
 *
 * Context: process->lock held; sleeps; takes mmap_lock.
 */
void kfd_live_release(struct kfd_userptr *userptr)
{
	struct kfd_live *live = userptr->live;

	userptr->live = NULL;
	kfd_process_uncharge(userptr->bo->pdd->process, live->npages);
	live_free(live, live_writable(userptr));
}

/**
 * kfd_live_populate() - give the GPU the pages that are held
 * @userptr: a userptr with pages that are held
 *
 * Those that it has already are the same as a rule, and it may be using them.
 *
 * Context: notifier_lock held; nothing is allocated.
 */
void kfd_live_populate(struct kfd_userptr *userptr)
{
	struct kfd_live *live = userptr->live;
	struct kfd_bo *bo = userptr->bo;
	u64 i, n;

	lockdep_assert_held(&bo->pdd->process->mirrors.notifier_lock);
	for (i = 0; i < live->npages; i += n) {
		n = min_t(u64, live->npages - i, LIVE_CHUNK_PAGES);
		bo->pdd->dev->ops->bo_populate(bo->gpu, i, n, live->pages + i,
					       live_writable(userptr));
	}
}

/**
 * kfd_live_match() - whether the same file is mapped in the same way elsewhere
 * @userptr: a userptr with pages that are held
 * @addr: CPU address, page-aligned, in current->mm, which is the process's
 *
 * Context: process->lock held; sleeps; takes mmap_lock.
 *
 * Return: 0; EINVAL: it is not; EINTR.
 */
int kfd_live_match(struct kfd_userptr *userptr, u64 addr)
{
	struct kfd_live *live = userptr->live;
	bool write = live_writable(userptr);
	struct file *file;
	loff_t offset;
	int ret;

	ret = live_find_file(userptr->bo->pdd->process->mm, addr,
			     addr + (live->npages << PAGE_SHIFT), write, &file,
			     &offset);
	if (ret)
		return ret;
	if (file->f_mapping != live->file->f_mapping || offset != live->offset)
		ret = -EINVAL;
	live_put_file(file, write);
	return ret;
}
