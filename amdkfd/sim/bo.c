// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers: GEM objects over an array of pages.
 *
 * The pages of a VRAM or GTT buffer are allocated with it, never move and are
 * freed with it, so they are looked at without a lock by whoever holds a
 * reference. The pages of a userptr come and go under bo->pages_lock.
 *
 * CPU mappings are PFN mappings of the pages, cached. A process gets one only
 * through a DRM file that has a handle of the buffer (GEM's own rule), a DRM
 * file that the driver allowed it for (kfd_ops.c), or a dma-buf.
 *
 * A buffer has one dma-buf at a time, whoever asked for it: that is what lets
 * a DRM file that imports it twice find its first handle again.
 */
#include <linux/dma-buf.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include <drm/drm_prime.h>

#include "compat/compat.h"

#include "drm_node.h"
#include "memory.h"

/* What one CPU fault maps: faults cost far more than entries. */
#define SIM_FAULT_AROUND	SZ_2M

static u64 sim_vma_page(struct vm_area_struct *vma, struct sim_bo *bo,
			unsigned long addr)
{
	return vma->vm_pgoff - drm_vma_node_start(&bo->base.vma_node) +
	       ((addr - vma->vm_start) >> PAGE_SHIFT);
}

/**
 * struct sim_fault_around - entries that a CPU fault fills in
 * @vma: the mapping
 * @bo: what it maps
 */
struct sim_fault_around {
	struct vm_area_struct *vma;
	struct sim_bo *bo;
};

/* Under the page table's lock. Entries that are there say the same already. */
static int sim_bo_fill_pte(pte_t *pte, unsigned long addr, void *data)
{
	struct sim_fault_around *around = data;
	struct vm_area_struct *vma = around->vma;
	u64 index = sim_vma_page(vma, around->bo, addr);
	unsigned long pfn;

	if (index >= around->bo->npages || !pte_none(ptep_get(pte)))
		return 0;
	pfn = page_to_pfn(sim_bo_pages(around->bo)[index]);
	set_pte_at(vma->vm_mm, addr, pte,
		   pte_mkspecial(pfn_pte(pfn, vma->vm_page_prot)));
	return 0;
}

/*
 * The page that is wanted by the ordinary way, the rest of its 2 MiB in one go:
 * vmf_insert_pfn() asks for the memory type of every page, which is that of
 * ordinary memory for all of them.
 */
static vm_fault_t sim_bo_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct sim_bo *bo = to_sim_bo(vma->vm_private_data);
	struct sim_fault_around around = { .vma = vma, .bo = bo };
	unsigned long first, last;
	vm_fault_t ret;
	u64 index;

	index = sim_vma_page(vma, bo, vmf->address);
	if (index >= bo->npages)
		return VM_FAULT_SIGBUS;
	ret = vmf_insert_pfn(vma, vmf->address & PAGE_MASK,
			     page_to_pfn(sim_bo_pages(bo)[index]));
	if (ret != VM_FAULT_NOPAGE)
		return ret;

	/* A favour: when it fails, those pages fault later. */
	first = max(ALIGN_DOWN(vmf->address, SIM_FAULT_AROUND), vma->vm_start);
	last = min(ALIGN_DOWN(vmf->address, SIM_FAULT_AROUND) +
		   SIM_FAULT_AROUND, vma->vm_end);
	apply_to_page_range(vma->vm_mm, first, last - first, sim_bo_fill_pte,
			    &around);
	return VM_FAULT_NOPAGE;
}

/* ptrace() and /proc/PID/mem, which get_user_pages() does not serve here. */
static int sim_bo_access(struct vm_area_struct *vma, unsigned long addr,
			 void *buf, int len, int write)
{
	struct sim_bo *bo = to_sim_bo(vma->vm_private_data);
	int done, n;
	u8 *p;

	/* The caller does not stop at the mapping's end. */
	len = min_t(unsigned long, len, vma->vm_end - addr);
	if (write && !(vma->vm_flags & VM_MAYWRITE))
		return -EACCES;
	for (done = 0; done < len; done += n) {
		u64 index = sim_vma_page(vma, bo, addr + done);

		if (index >= bo->npages)
			break;
		p = page_address(sim_bo_pages(bo)[index]);
		p += offset_in_page(addr + done);
		n = min_t(int, len - done, PAGE_SIZE - offset_in_page(p));
		if (write)
			memcpy(p, buf + done, n);
		else
			memcpy(buf + done, p, n);
	}
	return done ?: -EFAULT;
}

static const struct vm_operations_struct sim_bo_vm_ops = {
	.open = drm_gem_vm_open,
	.close = drm_gem_vm_close,
	.fault = sim_bo_fault,
	.access = sim_bo_access,
};

static int sim_bo_mmap(struct drm_gem_object *obj, struct vm_area_struct *vma)
{
	struct sim_bo *bo = to_sim_bo(obj);

	if (bo->kind != SIM_BO_VRAM && bo->kind != SIM_BO_GTT)
		return -EINVAL;
	if (bo->gem_flags & AMDGPU_GEM_CREATE_NO_CPU_ACCESS)
		return -EPERM;
	/* A private copy of device memory makes no sense to anybody. */
	/*
	 * libhsakmt reserves the CPU's side of memory it will not touch by a
	 * private mapping without any access; it may never get one either.
	 */
	if (kfd_compat_vma_is_cow(vma) &&
	    !(vma->vm_flags & (VM_READ | VM_WRITE | VM_EXEC)))
		kfd_compat_vm_flags_clear(vma, VM_MAYWRITE);
	if (kfd_compat_vma_is_cow(vma))
		return -EINVAL;

	kfd_compat_vm_flags_set(vma, VM_IO | VM_PFNMAP | VM_DONTCOPY |
				VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_page_prot = vm_get_page_prot(vma->vm_flags);
	return 0;
}

/**
 * sim_bo_vmap() - make a buffer contiguous in kernel addresses
 * @bo: VRAM or GTT
 *
 * Context: sleeps.
 * Return: its address, valid until sim_bo_vunmap(); ERR_PTR(-EINVAL) for
 * another kind, ERR_PTR(-ENOMEM).
 */
void *sim_bo_vmap(struct sim_bo *bo)
{
	struct page **pages = sim_bo_pages(bo);
	void *vaddr;
	u64 i;

	if (bo->kind != SIM_BO_VRAM && bo->kind != SIM_BO_GTT)
		return ERR_PTR(-EINVAL);

	for (i = 1; i < bo->npages && pages[i] == pages[0] + i; i++)
		;
	if (i == bo->npages)
		return page_address(pages[0]);

	vaddr = vmap(pages, bo->npages, VM_MAP, PAGE_KERNEL);
	return vaddr ?: ERR_PTR(-ENOMEM);
}

/**
 * sim_bo_vunmap() - undo sim_bo_vmap()
 * @bo: the buffer
 * @vaddr: what it returned
 *
 * Context: sleeps.
 */
void sim_bo_vunmap(struct sim_bo *bo, void *vaddr)
{
	if (is_vmalloc_addr(vaddr))
		vunmap(vaddr);
}

static int sim_gem_vmap(struct drm_gem_object *obj, struct iosys_map *map)
{
	void *vaddr = sim_bo_vmap(to_sim_bo(obj));

	if (IS_ERR(vaddr))
		return PTR_ERR(vaddr);
	iosys_map_set_vaddr(map, vaddr);
	return 0;
}

static void sim_gem_vunmap(struct drm_gem_object *obj, struct iosys_map *map)
{
	sim_bo_vunmap(to_sim_bo(obj), map->vaddr);
}

static struct sg_table *sim_gem_sg_table(struct drm_gem_object *obj)
{
	struct sim_bo *bo = to_sim_bo(obj);

	return drm_prime_pages_to_sg(obj->dev, sim_bo_pages(bo), bo->npages);
}

static int sim_dmabuf_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct drm_gem_object *obj = dmabuf->priv;

	/* dma-buf offsets start at 0, those of the fault handler do not */
	vma->vm_pgoff += drm_vma_node_start(&obj->vma_node);
	return drm_gem_mmap_obj(obj, obj->size, vma);
}

static const struct dma_buf_ops sim_dmabuf_ops = {
	.attach = drm_gem_map_attach,
	.detach = drm_gem_map_detach,
	.map_dma_buf = drm_gem_map_dma_buf,
	.unmap_dma_buf = drm_gem_unmap_dma_buf,
	.release = drm_gem_dmabuf_release,
	.mmap = sim_dmabuf_mmap,
	.vmap = drm_gem_dmabuf_vmap,
	.vunmap = drm_gem_dmabuf_vunmap,
};

/* GEM's hook: object_name_lock is held and obj->dma_buf is NULL. */
static struct dma_buf *sim_gem_export(struct drm_gem_object *obj, int flags)
{
	struct sim_bo *bo = to_sim_bo(obj);
	struct dma_buf_export_info info = {
		.exp_name = KBUILD_MODNAME,
		.owner = THIS_MODULE,
		.ops = &sim_dmabuf_ops,
		.size = obj->size,
		/* one dma-buf serves all, so it can do what any of them may */
		.flags = (flags & O_CLOEXEC) | O_RDWR,
		.priv = obj,
		.resv = obj->resv,
	};

	lockdep_assert_held(&obj->dev->object_name_lock);
	if (bo->kind != SIM_BO_VRAM && bo->kind != SIM_BO_GTT)
		return ERR_PTR(-EPERM);
	if (bo->kfd_dmabuf) {
		get_dma_buf(bo->kfd_dmabuf);
		return bo->kfd_dmabuf;
	}
	return drm_gem_dmabuf_export(obj->dev, &info);
}

/**
 * sim_bo_export() - the dma-buf of a buffer that the driver owns
 * @bo: VRAM or GTT, with kfd_owners not 0
 *
 * The first one is kept until the driver's last reference is dropped; GEM
 * keeps it likewise while there is a handle. Whoever can still export the
 * buffer thus finds the same dma-buf.
 *
 * Context: sleeps; takes object_name_lock.
 * Return: dma-buf with a reference for the caller; ERR_PTR(-EPERM) for
 * another kind, ERR_PTR(-ENOMEM).
 */
struct dma_buf *sim_bo_export(struct sim_bo *bo)
{
	struct drm_gem_object *obj = &bo->base;
	struct dma_buf *dmabuf;

	mutex_lock(&obj->dev->object_name_lock);
	if (obj->dma_buf) {
		dmabuf = obj->dma_buf;
		get_dma_buf(dmabuf);
	} else {
		dmabuf = sim_gem_export(obj, O_CLOEXEC);
	}
	if (!IS_ERR(dmabuf) && !bo->kfd_dmabuf) {
		get_dma_buf(dmabuf);
		bo->kfd_dmabuf = dmabuf;
	}
	mutex_unlock(&obj->dev->object_name_lock);
	return dmabuf;
}

/**
 * sim_bo_of_dmabuf() - the buffer behind a dma-buf
 * @dmabuf: anybody's
 *
 * Context: any.
 * Return: the buffer, whose reference is the dma-buf's; NULL when the dma-buf
 * is of another exporter.
 */
struct sim_bo *sim_bo_of_dmabuf(struct dma_buf *dmabuf)
{
	if (dmabuf->ops != &sim_dmabuf_ops)
		return NULL;
	return to_sim_bo(((struct drm_gem_object *)dmabuf->priv));
}

/**
 * sim_gem_prime_import() - drm_driver.gem_prime_import
 * @dev: the GPU whose DRM file imports
 * @dmabuf: anybody's
 *
 * A handle belongs to the file's own GPU; memory of another one is shared
 * through the driver. Engines reach pages by their kernel address, so there
 * is no use for memory that somebody else exports.
 *
 * Context: object_name_lock held.
 * Return: the object, referenced; ERR_PTR(-EINVAL).
 */
struct drm_gem_object *sim_gem_prime_import(struct drm_device *dev,
					    struct dma_buf *dmabuf)
{
	struct sim_bo *bo = sim_bo_of_dmabuf(dmabuf);

	if (!bo || bo->base.dev != dev)
		return ERR_PTR(-EINVAL);
	sim_bo_get(bo);
	return &bo->base;
}

/**
 * sim_bo_populate() - give a userptr some of its pages
 * @bo: kind USERPTR
 * @first: index of the first page
 * @npages: how many
 * @pages: their pages, kept valid by the caller until sim_bo_invalidate()
 * @writable: the GPU may write them
 *
 * Context: NOTIFIER; takes pages_lock.
 */
void sim_bo_populate(struct sim_bo *bo, u64 first, u64 npages,
		     struct page **pages, bool writable)
{
	u64 i;

	if (WARN_ON_ONCE(bo->kind != SIM_BO_USERPTR || first > bo->npages ||
			 npages > bo->npages - first))
		return;
	down_write(&bo->pages_lock);
	for (i = 0; i < npages; i++)
		bo->slots[first + i] = (unsigned long)pages[i] |
				       (writable ? 0 : SIM_SLOT_READONLY);
	up_write(&bo->pages_lock);
}

/**
 * sim_bo_invalidate() - take some of its pages from a userptr
 * @bo: kind USERPTR
 * @first: index of the first page
 * @npages: how many
 *
 * When it returns no engine uses them. Waits for an engine's chunk at most.
 *
 * Context: NOTIFIER; takes pages_lock.
 */
void sim_bo_invalidate(struct sim_bo *bo, u64 first, u64 npages)
{
	if (WARN_ON_ONCE(bo->kind != SIM_BO_USERPTR || first > bo->npages ||
			 npages > bo->npages - first))
		return;
	down_write(&bo->pages_lock);
	memset(&bo->slots[first], 0, npages * sizeof(*bo->slots));
	up_write(&bo->pages_lock);
}

/* Handles: what the mappings made by GEM_VA live and die with. */
static int sim_gem_open(struct drm_gem_object *obj, struct drm_file *file)
{
	struct sim_bo *bo = to_sim_bo(obj);
	struct sim_vm *vm = sim_file_vm(file);
	struct sim_vm_bo *vm_bo;
	int ret = 0;

	/* User memory is for the process that it is memory of. */
	if (bo->userptr && bo->userptr->notifier.mm != current->mm)
		return -EPERM;

	mutex_lock(&bo->vm_bos_lock);
	vm_bo = sim_vm_bo_find(bo, vm);
	if (!vm_bo) {
		vm_bo = kzalloc(sizeof(*vm_bo), GFP_KERNEL_ACCOUNT);
		if (!vm_bo) {
			ret = -ENOMEM;
			goto out;
		}
		vm_bo->vm = vm;
		INIT_LIST_HEAD(&vm_bo->mappings);
		list_add(&vm_bo->link, &bo->vm_bos);
	}
	vm_bo->handles++;
out:
	mutex_unlock(&bo->vm_bos_lock);
	return ret;
}

static void sim_gem_close(struct drm_gem_object *obj, struct drm_file *file)
{
	struct sim_bo *bo = to_sim_bo(obj);
	struct sim_vm *vm = sim_file_vm(file);
	struct sim_vm_bo *vm_bo;

	/* what is closed right after a submission still serves it */
	sim_bo_wait_own(bo, vm);
	mutex_lock(&bo->vm_bos_lock);
	vm_bo = sim_vm_bo_find(bo, vm);
	if (!WARN_ON_ONCE(!vm_bo) && !--vm_bo->handles) {
		list_del(&vm_bo->link);
		/* GEM holds a reference across this call */
		sim_vm_drop_bo(vm, vm_bo);
		kfree(vm_bo);
	}
	mutex_unlock(&bo->vm_bos_lock);
}

/**
 * sim_vm_bo_find() - what a DRM file has of a buffer
 * @bo: the buffer, vm_bos_lock held
 * @vm: the file's VM
 *
 * Return: its handles and mappings, or NULL when it has no handle.
 */
struct sim_vm_bo *sim_vm_bo_find(struct sim_bo *bo, struct sim_vm *vm)
{
	struct sim_vm_bo *vm_bo;

	lockdep_assert_held(&bo->vm_bos_lock);
	list_for_each_entry(vm_bo, &bo->vm_bos, link)
		if (vm_bo->vm == vm)
			return vm_bo;
	return NULL;
}

/**
 * sim_bo_note_prime() - a handle has gone to a dma-buf, or come from one
 * @file: the DRM file
 * @handle: the handle; it may be closed by now
 *
 * DRM keeps both in a table of the file's, and a reference on the dma-buf with
 * them, which nothing but this tells of.
 *
 * Context: sleeps; takes vm_bos_lock.
 */
void sim_bo_note_prime(struct drm_file *file, u32 handle)
{
	struct drm_gem_object *obj = drm_gem_object_lookup(file, handle);
	struct sim_vm_bo *vm_bo;
	struct sim_bo *bo;

	if (!obj)
		return;
	bo = to_sim_bo(obj);
	mutex_lock(&bo->vm_bos_lock);
	vm_bo = sim_vm_bo_find(bo, sim_file_vm(file));
	if (vm_bo)
		vm_bo->prime = true;
	mutex_unlock(&bo->vm_bos_lock);
	sim_bo_put(bo);
}

static void sim_bo_release_pages(struct sim_bo *bo)
{
	switch (bo->kind) {
	case SIM_BO_VRAM:
		sim_pages_free(sim_bo_pages(bo), bo->npages);
		sim_pool_give(&bo->gpu->vram_used, bo->npages << PAGE_SHIFT);
		break;
	case SIM_BO_GTT:
		sim_pages_free(sim_bo_pages(bo), bo->npages);
		sim_pool_give(&bo->gpu->gtt_used, bo->npages << PAGE_SHIFT);
		kfd_gpu_sysmem_uncharge(bo->npages << PAGE_SHIFT);
		break;
	case SIM_BO_USERPTR:
	case SIM_BO_DOORBELL:
		break;
	}
	kvfree(bo->slots);
}

static void sim_bo_free(struct drm_gem_object *obj)
{
	struct sim_bo *bo = to_sim_bo(obj);

	WARN_ON_ONCE(!list_empty(&bo->vm_bos) || bo->kfd_dmabuf);
	if (bo->userptr)
		sim_userptr_fini(bo);
	drm_gem_object_release(obj);
	sim_bo_release_pages(bo);
	mutex_destroy(&bo->metadata_lock);
	mutex_destroy(&bo->vm_bos_lock);
	kfree(bo->metadata);
	kfree(bo);
}

static const struct drm_gem_object_funcs sim_gem_funcs = {
	.free = sim_bo_free,
	.open = sim_gem_open,
	.close = sim_gem_close,
	.export = sim_gem_export,
	.get_sg_table = sim_gem_sg_table,
	.vmap = sim_gem_vmap,
	.vunmap = sim_gem_vunmap,
	.mmap = sim_bo_mmap,
	.vm_ops = &sim_bo_vm_ops,
};

static int sim_bo_fill(struct sim_bo *bo, atomic64_t *used, u64 limit)
{
	u64 size = bo->npages << PAGE_SHIFT;
	int ret;

	ret = sim_pool_take(used, limit, size);
	if (ret)
		return ret;
	bo->slots = kvcalloc(bo->npages, sizeof(*bo->slots),
			     GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	ret = bo->slots ? sim_pages_alloc(sim_bo_pages(bo), bo->npages) :
			  -ENOMEM;
	if (ret) {
		kvfree(bo->slots);
		sim_pool_give(used, size);
	}
	return ret;
}

static int sim_bo_fill_gtt(struct sim_bo *bo)
{
	u64 size = bo->npages << PAGE_SHIFT;
	int ret;

	ret = kfd_gpu_sysmem_charge(size);
	if (ret)
		return ret;
	ret = sim_bo_fill(bo, &bo->gpu->gtt_used, bo->gpu->gtt_size);
	if (ret)
		kfd_gpu_sysmem_uncharge(size);
	return ret;
}

static int sim_bo_back(struct sim_bo *bo)
{
	struct sim_gpu *gpu = bo->gpu;

	switch (bo->kind) {
	case SIM_BO_VRAM:
		return sim_bo_fill(bo, &gpu->vram_used, gpu->vram_size);
	case SIM_BO_GTT:
		return sim_bo_fill_gtt(bo);
	case SIM_BO_USERPTR:
	case SIM_BO_DOORBELL:
		break;
	}
	bo->slots = kvcalloc(bo->npages, sizeof(*bo->slots),
			     GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	return bo->slots ? 0 : -ENOMEM;
}

/**
 * sim_bo_create() - make a buffer
 * @gpu: whose memory
 * @kind: what memory
 * @size: bytes, a multiple of the page size
 * @alloc_flags: KFD_IOC_ALLOC_MEM_FLAGS_* to remember
 *
 * VRAM and GTT come with zeroed pages and an mmap offset, the others with all
 * their pages absent.
 *
 * Context: sleeps. Accounted to the caller's memory cgroup.
 * Return: the buffer with one reference; ERR_PTR(-EINVAL) for a size that is
 * 0, not aligned or past SIM_BO_MAX_SIZE; ERR_PTR(-ENOMEM); ERR_PTR(-EINTR)
 * when the caller is being killed.
 */
struct sim_bo *sim_bo_create(struct sim_gpu *gpu, enum sim_bo_kind kind,
			     u64 size, u32 alloc_flags)
{
	struct sim_bo *bo;
	int ret;

	if (!size || !PAGE_ALIGNED(size) || size > SIM_BO_MAX_SIZE)
		return ERR_PTR(-EINVAL);
	bo = kzalloc(sizeof(*bo), GFP_KERNEL_ACCOUNT);
	if (!bo)
		return ERR_PTR(-ENOMEM);
	bo->gpu = gpu;
	bo->kind = kind;
	bo->alloc_flags = alloc_flags;
	bo->npages = size >> PAGE_SHIFT;
	bo->domains = kind == SIM_BO_VRAM ? AMDGPU_GEM_DOMAIN_VRAM :
					    AMDGPU_GEM_DOMAIN_GTT;
	init_rwsem(&bo->pages_lock);
	mutex_init(&bo->metadata_lock);
	mutex_init(&bo->vm_bos_lock);
	INIT_LIST_HEAD(&bo->vm_bos);
	INIT_LIST_HEAD(&bo->kfd_shares);
	ret = sim_bo_back(bo);
	if (ret) {
		kfree(bo);
		return ERR_PTR(ret);
	}

	bo->base.funcs = &sim_gem_funcs;
	drm_gem_private_object_init(&gpu->drm, &bo->base, size);
	if (kind == SIM_BO_VRAM || kind == SIM_BO_GTT) {
		ret = drm_gem_create_mmap_offset(&bo->base);
		if (ret) {
			sim_bo_put(bo);
			return ERR_PTR(ret);
		}
	}
	return bo;
}
