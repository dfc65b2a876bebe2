// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages of shared virtual memory in VRAM (floor 3), on kernels that can have a
 * struct page for memory that the CPU does not reach (CONFIG_DEVICE_PRIVATE).
 * On others svm.h answers for this file: nothing ever moves.
 *
 * DOC: where pages are
 *
 * A GPU has a region of device-private pages, made when something first moves
 * there. Such a page stands in the CPU's page table for a page of VRAM, its
 * backing, that the provider has given. It belongs to whoever maps it: a fork
 * shares it, munmap() and exit free it, and its backing with it. A CPU access
 * faults, and the block around it moves back to system memory, in any address
 * space, be it one that has never heard of this driver.
 *
 * Moving takes the pages off the GPUs as any other invalidation does (mirror.c)
 * and leaves it to the next look-up to map them where they are then. A look-up
 * finds pages in VRAM only when all GPUs that it is made for are that one GPU
 * (kfd_svm_owner()); for others the CPU's fault brings them to system memory
 * first: no GPU reaches another's VRAM.
 *
 * What can't move stays where it is, which is never an error: file pages,
 * shared mappings, pages that copy-on-write still shares (a write would have to
 * bring them back), and whatever VRAM has no room for. Nothing is evicted from
 * VRAM to make room.
 *
 * DOC: locks
 *
 * Moving into VRAM holds svm->lock and validate_lock, so that the work that
 * restores mirrors does not meet it half-way, and mmap_lock for reading.
 * Moving out by a CPU fault comes with mmap_lock held and takes neither of the
 * others: it may happen inside any look-up. A region's spinlock protects its
 * list of free pages; svm_regions_lock making one, and nobody unmakes one that
 * a process could still use.
 */
#include <linux/delay.h>
#include <linux/ioport.h>
#include <linux/memremap.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "compat/compat.h"

#include "../smi.h"
#include "svm.h"

/* Pages that move at a time, and that a CPU fault brings back: 2 MiB. */
#define SVM_MOVE_PAGES		512
#define SVM_MOVE_SIZE		((u64)SVM_MOVE_PAGES << PAGE_SHIFT)
/* Pause before what did not leave VRAM at the first attempt is tried again. */
#define SVM_LEAVE_AGAIN_MS	10

/**
 * struct svm_move - pages under way
 * @args: the kernel's; @src and @dst are its arrays
 * @src: what is there
 * @dst: what comes in its place
 * @vram: pages of VRAM that have been given for it
 */
struct svm_move {
	struct migrate_vma args;
	unsigned long src[SVM_MOVE_PAGES];
	unsigned long dst[SVM_MOVE_PAGES];
	struct page *vram[SVM_MOVE_PAGES];
};

/**
 * struct kfd_svm_region - struct pages for a GPU's VRAM
 * @dev: the GPU
 * @pagemap: the kernel's; owned by this struct
 * @leave: for the end of the region, which can't fail
 * @lock: protects what follows; nests in page table locks
 * @free: pages that were in use before, linked by zone_device_data
 * @next: first page frame that has never been in use
 * @end: page frame behind the last
 * @used: pages in somebody's page tables, or on their way there
 */
struct kfd_svm_region {
	struct kfd_device *dev;
	struct dev_pagemap pagemap;
	struct svm_move *leave;
	spinlock_t lock;	/* the free pages */
	struct page *free;
	unsigned long next;
	unsigned long end;
	unsigned long used;
};

static DEFINE_MUTEX(svm_regions_lock);

static struct kfd_svm_region *to_region(const struct page *page)
{
	return container_of(kfd_compat_page_pgmap(page), struct kfd_svm_region, pagemap);
}

static struct kfd_svm_region *svm_region(struct kfd_device *dev)
{
	/* pairs with svm_region_provide() */
	return smp_load_acquire(&dev->svm_region);
}

/* --- pages of a region ----------------------------------------------------- */

/* A locked page that stands for @backing, or NULL. */
static struct page *svm_page_new(struct kfd_svm_region *region,
				 struct page *backing)
{
	struct page *page;

	spin_lock(&region->lock);
	page = region->free;
	if (page)
		region->free = page->zone_device_data;
	else if (region->next < region->end)
		page = pfn_to_page(region->next++);
	if (page)
		region->used++;
	spin_unlock(&region->lock);
	if (!page)
		return NULL;
	kfd_compat_zone_device_page_init(page, &region->pagemap);
	page->zone_device_data = backing;
	return page;
}

/* Nobody maps it any more: struct dev_pagemap_ops. */
static void svm_page_free(KFD_COMPAT_PAGEMAP_FREE_ARG freed)
{
	struct page *page = kfd_compat_freed_page(freed);
	struct kfd_svm_region *region = to_region(page);
	struct kfd_device *dev = region->dev;
	struct page *backing = page->zone_device_data;

	dev->ops->vram_page_free(dev->gpu, 1, &backing);
	spin_lock(&region->lock);
	page->zone_device_data = region->free;
	region->free = page;
	region->used--;
	spin_unlock(&region->lock);
}

/* --- out of VRAM ----------------------------------------------------------- */

/*
 * Copy what leaves VRAM. What there is no memory for stays: that is an error
 * for @fault_page alone, the others are worth no effort then.
 */
static int svm_copy_out(struct kfd_svm_region *region, struct svm_move *move,
			unsigned long npages, struct page *fault_page)
{
	struct kfd_device *dev = region->dev;
	struct page *page, *new;
	unsigned long i;
	int ret = 0;
	gfp_t gfp;

	for (i = 0; i < npages; i++) {
		page = migrate_pfn_to_page(move->src[i]);
		move->dst[i] = 0;
		if (!page || !(move->src[i] & MIGRATE_PFN_MIGRATE))
			continue;
		gfp = GFP_HIGHUSER_MOVABLE;
		if (fault_page && page != fault_page)
			gfp |= __GFP_NORETRY | __GFP_NOWARN;
		new = alloc_page(gfp);
		if (!new) {
			ret = page == fault_page ? -ENOMEM : ret;
			continue;
		}
		lock_page(new);
		dev->ops->vram_page_copy(dev->gpu, new,
					 page->zone_device_data);
		/* The GPU may have written, and nobody has told. */
		SetPageDirty(new);
		move->dst[i] = migrate_pfn(page_to_pfn(new));
	}
	return ret;
}

/*
 * What is in a region of a part of a mapping, of move->args. -EINVAL: a mapping
 * that has no such pages; -ENOMEM: none for @fault_page.
 */
static int svm_move_out(struct kfd_svm_region *region, struct svm_move *move,
			struct page *fault_page)
{
	int ret;

	move->args.pgmap_owner = region;
	move->args.flags = MIGRATE_VMA_SELECT_DEVICE_PRIVATE;
	move->args.fault_page = fault_page;
	ret = migrate_vma_setup(&move->args);
	if (ret)
		return ret;
	ret = svm_copy_out(region, move, move->args.npages, fault_page);
	migrate_vma_pages(&move->args);
	migrate_vma_finalize(&move->args);
	return ret;
}

static void svm_move_init(struct svm_move *move, struct vm_area_struct *vma,
			  u64 start, u64 end)
{
	move->args = (struct migrate_vma) {
		.vma = vma,
		.start = start,
		.end = end,
		.src = move->src,
		.dst = move->dst,
	};
}

/* The SMI event of a CPU access, to the process whose page it is, if any. */
static void svm_tell_fault(const struct svm_move *move,
			   struct kfd_device *dev, bool begin)
{
	const enum KFD_MIGRATE_TRIGGERS trigger =
		KFD_MIGRATE_TRIGGER_PAGEFAULT_CPU;
	struct kfd_process *p = kfd_process_get_by_mm(move->args.vma->vm_mm);
	unsigned long first = move->args.start >> PAGE_SHIFT;
	unsigned long last = (move->args.end - 1) >> PAGE_SHIFT;

	if (!p)
		return;
	if (begin)
		kfd_smi_migration_start(p, dev, first, last, dev->id, 0,
					KFD_IOCTL_SVM_LOCATION_UNDEFINED,
					KFD_IOCTL_SVM_LOCATION_UNDEFINED,
					trigger);
	else
		kfd_smi_migration_end(p, dev, first, last, dev->id, 0, trigger);
	kfd_process_put(p);
}

/*
 * A CPU access: struct dev_pagemap_ops. mmap_lock is held, and validate_lock
 * and svm->lock perhaps. A page that somebody else holds at the moment is left
 * alone; the access is repeated.
 */
static vm_fault_t svm_cpu_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct kfd_svm_region *region = to_region(vmf->page);
	u64 start = ALIGN_DOWN(vmf->address, SVM_MOVE_SIZE);
	struct svm_move *move;
	int ret;

	move = kvmalloc(sizeof(*move), GFP_KERNEL);
	if (!move)
		return VM_FAULT_OOM;
	svm_move_init(move, vma, max_t(u64, start, vma->vm_start),
		      min_t(u64, start + SVM_MOVE_SIZE, vma->vm_end));
	svm_tell_fault(move, region->dev, true);
	ret = svm_move_out(region, move, vmf->page);
	svm_tell_fault(move, region->dev, false);
	kvfree(move);
	if (ret == -ENOMEM)
		return VM_FAULT_OOM;
	return ret ? VM_FAULT_SIGBUS : 0;
}

static const struct dev_pagemap_ops svm_pagemap_ops = {
	KFD_COMPAT_PAGEMAP_FREE(svm_page_free)
	.migrate_to_ram = svm_cpu_fault,
};

/* --- regions --------------------------------------------------------------- */

static int svm_region_map(struct kfd_svm_region *region)
{
	struct dev_pagemap *pagemap = &region->pagemap;
	struct resource *res;
	void *addr;

	res = request_free_mem_region(&iomem_resource,
				      region->dev->info.vram_size, "amdkfd");
	if (IS_ERR(res))
		return PTR_ERR(res);
	pagemap->type = MEMORY_DEVICE_PRIVATE;
	pagemap->range.start = res->start;
	pagemap->range.end = res->end;
	pagemap->nr_range = 1;
	pagemap->ops = &svm_pagemap_ops;
	pagemap->owner = region;
	addr = memremap_pages(pagemap, numa_mem_id());
	if (IS_ERR(addr)) {
		release_mem_region(res->start, resource_size(res));
		return PTR_ERR(addr);
	}
	region->next = PHYS_PFN(pagemap->range.start);
	region->end = region->next + PHYS_PFN(range_len(&pagemap->range));
	return 0;
}

static void svm_region_free(struct kfd_svm_region *region)
{
	kvfree(region->leave);
	kfree(region);
}

static struct kfd_svm_region *svm_region_create(struct kfd_device *dev)
{
	struct kfd_svm_region *region = kzalloc(sizeof(*region), GFP_KERNEL);
	int ret = -ENOMEM;

	if (!region)
		return NULL;
	region->dev = dev;
	spin_lock_init(&region->lock);
	region->leave = kvmalloc(sizeof(*region->leave), GFP_KERNEL);
	if (region->leave)
		ret = svm_region_map(region);
	if (!ret)
		return region;
	pr_warn_ratelimited("amdkfd: GPU 0x%x: nothing can move to VRAM: %d\n",
			    dev->id, ret);
	svm_region_free(region);
	return NULL;
}

/* The region of a GPU, made if need be; NULL when it can't be had. */
static struct kfd_svm_region *svm_region_provide(struct kfd_device *dev)
{
	struct kfd_svm_region *region;

	mutex_lock(&svm_regions_lock);
	region = dev->svm_region;
	if (!region) {
		region = svm_region_create(dev);
		/* whoever sees it sees what is in it */
		smp_store_release(&dev->svm_region, region);
	}
	mutex_unlock(&svm_regions_lock);
	return region;
}

static bool svm_region_in_use(struct kfd_svm_region *region)
{
	bool used;

	spin_lock(&region->lock);
	used = region->used;
	spin_unlock(&region->lock);
	return used;
}

/* Whatever page tables the pages are in. */
static void svm_region_empty(struct kfd_svm_region *region)
{
	struct svm_move *move = region->leave;
	unsigned long pfn, n;

	for (pfn = PHYS_PFN(region->pagemap.range.start); pfn < region->next;
	     pfn += n) {
		n = min_t(unsigned long, region->next - pfn, SVM_MOVE_PAGES);
		migrate_device_range(move->src, pfn, n);
		svm_copy_out(region, move, n, NULL);
		migrate_device_pages(move->src, move->dst, n);
		migrate_device_finalize(move->src, move->dst, n);
		cond_resched();
	}
}

/**
 * kfd_svm_device_unused() - a GPU is going: what is in its VRAM leaves it
 * @dev: a GPU that no process is bound to any more
 *
 * Pages may still be mapped: by a child that was forked, or by a process that
 * is about to end.
 *
 * Context: sleeps until the last page has left.
 */
void kfd_svm_device_unused(struct kfd_device *dev)
{
	struct kfd_svm_region *region = dev->svm_region;
	struct range *range;

	if (!region)
		return;
	for (;;) {
		svm_region_empty(region);
		if (!svm_region_in_use(region))
			break;
		/* Somebody had hold of a page, or there was no memory. */
		msleep(SVM_LEAVE_AGAIN_MS);
	}
	dev->svm_region = NULL;
	range = &region->pagemap.range;
	memunmap_pages(&region->pagemap);
	release_mem_region(range->start, range_len(range));
	svm_region_free(region);
}

/* --- into VRAM ------------------------------------------------------------- */

/**
 * struct svm_journey - what moves where
 * @p: whose memory
 * @to: the region; NULL: system memory
 * @move: scratch space
 * @shared: pages have stayed that copy-on-write shares
 */
struct svm_journey {
	struct kfd_process *p;
	struct kfd_svm_region *to;
	struct svm_move *move;
	bool shared;
};

/* Which pages are to move: their dst is set. Returns their number. */
static unsigned long svm_choose(struct svm_journey *j)
{
	struct svm_move *move = j->move;
	bool writable = move->args.vma->vm_flags & VM_WRITE;
	struct kfd_mirrors *mirrors = &j->p->mirrors;
	unsigned long i, n = 0, addr = move->args.start;
	bool some_stay = kfd_mirrors_keep_in_system(mirrors, addr,
						    move->args.end - 1);
	struct page *page;

	for (i = 0; i < move->args.npages; i++, addr += PAGE_SIZE) {
		move->dst[i] = 0;
		if (!(move->src[i] & MIGRATE_PFN_MIGRATE))
			continue;
		if (some_stay && kfd_mirrors_keep_in_system(mirrors, addr, addr))
			continue;
		page = migrate_pfn_to_page(move->src[i]);
		if (page && (!PageAnon(page) || folio_test_ksm(page_folio(page))))
			continue;
		if (page && writable && !(move->src[i] & MIGRATE_PFN_WRITE)) {
			j->shared = true;
			continue;
		}
		move->dst[i] = MIGRATE_PFN_MIGRATE;
		n++;
	}
	return n;
}

/* Fill move->dst for as many of the @n chosen pages as there is VRAM for. */
static void svm_copy_in(struct kfd_svm_region *region, struct svm_move *move,
			unsigned long n)
{
	struct kfd_device *dev = region->dev;
	unsigned long i, next = 0;
	struct page *page, *new;

	while (n && dev->ops->vram_page_alloc(dev->gpu, n, move->vram))
		n /= 2;
	for (i = 0; i < move->args.npages; i++) {
		if (!move->dst[i])
			continue;
		move->dst[i] = 0;
		if (next == n)
			continue;
		new = svm_page_new(region, move->vram[next]);
		if (!new)
			continue;
		page = migrate_pfn_to_page(move->src[i]);
		/* What is not there yet is zero, as is new VRAM. */
		if (page)
			dev->ops->vram_page_copy(dev->gpu, move->vram[next],
						 page);
		next++;
		move->dst[i] = migrate_pfn(page_to_pfn(new));
		if (move->src[i] & MIGRATE_PFN_WRITE)
			move->dst[i] |= MIGRATE_PFN_WRITE;
	}
	if (next < n)
		dev->ops->vram_page_free(dev->gpu, n - next,
					 move->vram + next);
}

static void svm_move_in(struct svm_journey *j)
{
	struct svm_move *move = j->move;

	move->args.pgmap_owner = j->to;
	move->args.flags = MIGRATE_VMA_SELECT_SYSTEM;
	move->args.fault_page = NULL;
	if (migrate_vma_setup(&move->args))
		return;
	svm_copy_in(j->to, move, svm_choose(j));
	migrate_vma_pages(&move->args);
	migrate_vma_finalize(&move->args);
}

/* A part of one mapping, SVM_MOVE_SIZE at most; mmap_lock held. */
static void svm_move_part(struct svm_journey *j, struct vm_area_struct *vma,
			  u64 start, u64 end)
{
	struct kfd_svm_region *region;
	u32 i;

	/* Only anonymous pages move, and hugetlbfs has pages of its own. */
	if (vma->vm_flags & (VM_SHARED | VM_HUGETLB))
		return;
	for (i = 0; i < j->p->n_pdds; i++) {
		region = svm_region(j->p->pdds[i]->dev);
		if (!region || region == j->to)
			continue;
		svm_move_init(j->move, vma, start, end);
		svm_move_out(region, j->move, NULL);
	}
	if (!j->to)
		return;
	svm_move_init(j->move, vma, start, end);
	svm_move_in(j);
}

/* [start, last]; what is not mapped is left to who looks the pages up. */
static int svm_move_all(struct svm_journey *j, u64 start, u64 last)
{
	struct mm_struct *mm = j->p->mm;
	struct vm_area_struct *vma;
	u64 end;
	int ret;

	for (; start <= last; start = end) {
		if (fatal_signal_pending(current))
			return -EINTR;
		ret = kfd_mmap_read_lock(mm);
		if (ret)
			return ret;
		end = min(last + 1, ALIGN_DOWN(start, SVM_MOVE_SIZE) +
			  SVM_MOVE_SIZE);
		vma = vma_lookup(mm, start);
		if (vma) {
			end = min_t(u64, end, vma->vm_end);
			svm_move_part(j, vma, start, end);
		} else {
			end = start + PAGE_SIZE;
		}
		mmap_read_unlock(mm);
		cond_resched();
	}
	return 0;
}

/*
 * SMI events of a migration that the driver decides on: to the VRAM of @to, or
 * (NULL) out of that of every GPU that there may be pages in.
 */
static void svm_tell_move(struct kfd_svm_range *r, u64 start, u64 last,
			  struct kfd_process_device *to, bool begin,
			  enum KFD_MIGRATE_TRIGGERS trigger)
{
	struct kfd_process *p = r->svm->process;
	unsigned long first_page = start >> PAGE_SHIFT;
	unsigned long last_page = last >> PAGE_SHIFT;
	struct kfd_device *dev;
	u32 i, from_id, to_id;

	for (i = 0; i < p->n_pdds; i++) {
		dev = p->pdds[i]->dev;
		if (to ? p->pdds[i] != to : !svm_region(dev))
			continue;
		from_id = to ? 0 : dev->id;
		to_id = to ? dev->id : 0;
		if (begin)
			kfd_smi_migration_start(p, dev, first_page, last_page,
						from_id, to_id,
						r->attrs.prefetch_loc,
						r->attrs.preferred_loc,
						trigger);
		else
			kfd_smi_migration_end(p, dev, first_page, last_page,
					      from_id, to_id, trigger);
	}
}

/*
 * Pages of a range, to the VRAM of a GPU or (@to NULL) to system memory. The
 * one place where a migration that the driver decides on begins and ends.
 * 1: pages have stayed that copy-on-write shares; -ENOMEM, -EINTR; -KFD_EABSENT: as
 * kfd_mmap_read_lock(): they stay where they are.
 */
static int svm_migrate(struct kfd_svm_range *r, u64 start, u64 last,
		       struct kfd_process_device *to,
		       enum KFD_MIGRATE_TRIGGERS trigger)
{
	struct kfd_mirrors *mirrors = &r->svm->process->mirrors;
	struct svm_journey j = { .p = r->svm->process };
	int ret;

	lockdep_assert_held(&r->svm->lock);
	if (to) {
		j.to = svm_region_provide(to->dev);
		if (!j.to)
			return 0;
	}
	j.move = kvmalloc(sizeof(*j.move), GFP_KERNEL_ACCOUNT);
	if (!j.move)
		return -ENOMEM;
	ret = mutex_lock_killable(&mirrors->validate_lock);
	if (!ret) {
		svm_tell_move(r, start, last, to, true, trigger);
		ret = svm_move_all(&j, start, last);
		svm_tell_move(r, start, last, to, false, trigger);
		mutex_unlock(&mirrors->validate_lock);
	}
	kvfree(j.move);
	return ret ? ret : j.shared;
}

/* --- when ------------------------------------------------------------------ */

/*
 * The GPU whose VRAM a range is to be prefetched to; NULL: system memory,
 * because that was asked for, or because others have to reach it too, who have
 * no access to that GPU's VRAM. Those that can wait for a page do not count.
 */
static struct kfd_process_device *svm_prefetch_to(struct kfd_svm_range *r)
{
	struct kfd_process *p = r->svm->process;
	struct kfd_process_device *pdd;
	u32 others = kfd_svm_needs(r);

	pdd = kfd_process_device_by_user_id(p, r->attrs.prefetch_loc);
	if (!pdd)
		return NULL;
	if (r->svm->retry)
		others |= r->attrs.in_place & kfd_svm_bound_gpus(p);
	return others & ~BIT(pdd->index) ? NULL : pdd;
}

/**
 * kfd_svm_prefetch() - bring pages to the prefetch location of their ranges
 * @svm: shared virtual memory of a process
 * @start: first byte, page-aligned
 * @last: last byte of a page
 *
 * Context: svm->lock and process->lock held; sleeps; takes mmap_lock. A user of
 * the address space.
 * Return: 0, whatever could be moved; 1: likewise, and more can once
 * kfd_svm_validate() has unshared what copy-on-write shares; -ENOMEM; -EINTR;
 * -KFD_EABSENT: as kfd_mmap_read_lock().
 */
int kfd_svm_prefetch(struct kfd_svm *svm, u64 start, u64 last)
{
	struct kfd_svm_range *r;
	int ret, shared = 0;

	for (r = kfd_svm_first(svm, start, last); r;
	     r = kfd_svm_next(r, start, last)) {
		if (r->attrs.prefetch_loc == KFD_IOCTL_SVM_LOCATION_UNDEFINED)
			continue;
		ret = svm_migrate(r, max(r->start, start), min(r->last, last),
				  svm_prefetch_to(r),
				  KFD_MIGRATE_TRIGGER_PREFETCH);
		if (ret < 0)
			return ret;
		shared |= ret;
	}
	return shared;
}

/**
 * kfd_svm_approach() - a GPU has missed pages: bring them where it likes them
 * @r: the range
 * @pdd: the GPU, which has access
 * @start: first byte of the pages, within the range
 * @last: last byte
 *
 * The preferred location if that is this GPU or system memory; else this GPU's
 * VRAM, if it does not have to take the pages where they are. Does what it can:
 * the pages are looked up next, wherever they are.
 *
 * Context: svm->lock held; sleeps; takes mmap_lock. A user of the address
 * space.
 */
void kfd_svm_approach(struct kfd_svm_range *r, struct kfd_process_device *pdd,
		      u64 start, u64 last)
{
	const enum KFD_MIGRATE_TRIGGERS trigger =
		KFD_MIGRATE_TRIGGER_PAGEFAULT_GPU;
	u32 loc = r->attrs.preferred_loc;

	if (loc == KFD_IOCTL_SVM_LOCATION_SYSMEM) {
		svm_migrate(r, start, last, NULL, trigger);
		return;
	}
	/* Others have to reach it at any time. */
	if (kfd_svm_needs(r) & ~BIT(pdd->index))
		return;
	if (loc == pdd->user_gpu_id || r->attrs.access & BIT(pdd->index))
		svm_migrate(r, start, last, pdd, trigger);
}

/**
 * kfd_svm_owner() - whose device-private pages a look-up may find
 * @r: the range
 * @gpus: GPUs that are to use the pages, by index
 *
 * Context: validate_lock held.
 * Return: the owner of the pages in the VRAM of the only GPU in @gpus, or NULL:
 * pages in VRAM have to come back first.
 */
void *kfd_svm_owner(struct kfd_svm_range *r, u32 gpus)
{
	if (!is_power_of_2(gpus))
		return NULL;
	return svm_region(r->svm->process->pdds[__ffs(gpus)]->dev);
}

/**
 * kfd_svm_backing() - pages as a GPU knows them
 * @pages: what a look-up has found; device-private ones are replaced by the
 *	provider's pages that they stand for
 * @npages: their number
 *
 * Context: notifier_lock held.
 * Return: true when there was one.
 */
bool kfd_svm_backing(struct page **pages, u64 npages)
{
	bool found = false;
	u64 i;

	for (i = 0; i < npages; i++) {
		if (!is_device_private_page(pages[i]))
			continue;
		pages[i] = pages[i]->zone_device_data;
		found = true;
	}
	return found;
}
