// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the driver asks of a simulated GPU: VMs and buffers. (Queues and
 * doorbells are the engines', see queue.c and doorbell.c.)
 *
 * The driver's handle of a buffer, struct kfd_gpu_bo, is one owner's share of
 * it: a buffer that two processes import has two. It keeps the owner's DRM
 * file, through which that owner may mmap the buffer, for as long as it lives.
 *
 * vm->owner_lock: who owns a VM. object_name_lock: kfd_owners, kfd_shares and
 * kfd_dmabuf of a buffer.
 */
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/file.h>
#include <linux/kfd_ioctl.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>

#include <drm/drm_gem.h>
#include <drm/drm_vma_manager.h>

#include "drm_node.h"
#include "engine.h"
#include "memory.h"

/* gfx9 knows coherent and not coherent. */
#define SIM_POLICY_MAX	KFD_IOC_CACHE_POLICY_NONCOHERENT

/**
 * struct kfd_gpu_bo - one owner's share of a buffer
 * @bo: the buffer, referenced
 * @file: the owner's DRM file, referenced; NULL for what no file maps
 * @drm_file: its DRM side
 * @pasid: of the owner, 0 where no file maps it
 * @link: in bo->kfd_shares (object_name_lock)
 */
struct kfd_gpu_bo {
	struct sim_bo *bo;
	struct file *file;
	struct drm_file *drm_file;
	u32 pasid;
	struct list_head link;
};

static int sim_op_vm_acquire(void *arg, struct file *file, u32 pasid,
			     struct kfd_gpu_vm **out)
{
	struct sim_gpu *gpu = arg;
	struct drm_file *drm_file;
	struct sim_vm *vm;
	int ret = 0;

	if (!sim_is_drm_file(file))
		return -EINVAL;
	drm_file = file->private_data;
	if (drm_file->minor->dev != &gpu->drm)
		return -EINVAL;

	vm = sim_file_vm(drm_file);
	mutex_lock(&vm->owner_lock);
	if (vm->owner) {
		ret = -EBUSY;
	} else {
		vm->owner = get_file(file);
		WRITE_ONCE(vm->pasid, pasid);
		*out = (struct kfd_gpu_vm *)sim_vm_get(vm);
	}
	mutex_unlock(&vm->owner_lock);
	return ret;
}

static void sim_op_vm_release(void *arg, struct kfd_gpu_vm *gpu_vm)
{
	struct sim_vm *vm = to_sim_vm(gpu_vm);
	struct file *file;

	sim_svm_unmap(vm, 0, SIM_VA_END >> PAGE_SHIFT);
	mutex_lock(&vm->owner_lock);
	file = vm->owner;
	vm->owner = NULL;
	WRITE_ONCE(vm->pasid, 0);
	vm->scratch_va = 0;
	vm->tba = 0;
	vm->tma = 0;
	mutex_unlock(&vm->owner_lock);
	sim_vm_put(vm);
	kfd_gpu_fput(file);
}

static void sim_op_vm_made(void *arg, struct kfd_gpu_vm *vm,
			   struct kfd_gpu_vm_made *made)
{
	sim_count_made(to_sim_vm(vm)->drm_file, made);
}

/* A share of @bo for the owner of @vm (NULL: nobody maps it). */
static struct kfd_gpu_bo *sim_share_create(struct sim_bo *bo,
					   struct sim_vm *vm)
{
	struct kfd_gpu_bo *share;
	int ret;

	share = kzalloc(sizeof(*share), GFP_KERNEL_ACCOUNT);
	if (!share)
		return ERR_PTR(-ENOMEM);
	if (vm) {
		ret = drm_vma_node_allow(&bo->base.vma_node, vm->drm_file);
		if (ret) {
			kfree(share);
			return ERR_PTR(ret);
		}
		share->file = get_file(vm->owner);
		share->drm_file = vm->drm_file;
		share->pasid = READ_ONCE(vm->pasid);
	}
	sim_bo_get(bo);
	share->bo = bo;
	mutex_lock(&bo->base.dev->object_name_lock);
	bo->kfd_owners++;
	list_add(&share->link, &bo->kfd_shares);
	mutex_unlock(&bo->base.dev->object_name_lock);
	return share;
}

static void sim_op_bo_put(struct kfd_gpu_bo *share)
{
	struct sim_bo *bo = share->bo;
	struct dma_buf *dmabuf = NULL;

	mutex_lock(&bo->base.dev->object_name_lock);
	list_del(&share->link);
	if (!--bo->kfd_owners)
		swap(dmabuf, bo->kfd_dmabuf);
	mutex_unlock(&bo->base.dev->object_name_lock);

	if (share->file) {
		drm_vma_node_revoke(&bo->base.vma_node, share->drm_file);
		kfd_gpu_fput(share->file);
	}
	/* the last reference of the dma-buf may be the last of the buffer */
	if (dmabuf)
		kfd_gpu_fput(dmabuf->file);
	sim_bo_put(bo);
	kfree(share);
}

static int sim_op_bo_create(void *arg, struct kfd_gpu_vm *gpu_vm, u64 size,
			    u32 alloc_flags, struct kfd_gpu_bo **out,
			    u64 *mmap_offset)
{
	struct sim_vm *vm = to_sim_vm(gpu_vm);
	struct kfd_gpu_bo *share;
	enum sim_bo_kind kind;
	struct sim_bo *bo;

	switch (alloc_flags & (KFD_IOC_ALLOC_MEM_FLAGS_VRAM |
			       KFD_IOC_ALLOC_MEM_FLAGS_GTT |
			       KFD_IOC_ALLOC_MEM_FLAGS_USERPTR)) {
	case KFD_IOC_ALLOC_MEM_FLAGS_VRAM:
		kind = SIM_BO_VRAM;
		break;
	case KFD_IOC_ALLOC_MEM_FLAGS_GTT:
		kind = SIM_BO_GTT;
		break;
	case KFD_IOC_ALLOC_MEM_FLAGS_USERPTR:
		kind = SIM_BO_USERPTR;
		break;
	default:
		return -EINVAL;
	}

	bo = sim_bo_create(arg, kind, size, alloc_flags);
	if (IS_ERR(bo))
		return PTR_ERR(bo);
	share = sim_share_create(bo, vm);
	*mmap_offset = kind == SIM_BO_USERPTR ?
		       0 : drm_vma_node_offset_addr(&bo->base.vma_node);
	sim_bo_put(bo);
	if (IS_ERR(share))
		return PTR_ERR(share);
	*out = share;
	return 0;
}

static int sim_op_bo_create_doorbell(void *arg, struct kfd_doorbell *db,
				     bool mmio, struct kfd_gpu_bo **out)
{
	unsigned long pfn = mmio ? db->mmio_pfn : db->pfn;
	struct kfd_gpu_bo *share;
	struct sim_bo *bo;
	u64 i;

	bo = sim_bo_create(arg, SIM_BO_DOORBELL,
			   mmio ? PAGE_SIZE : KFD_DOORBELL_SLICE_SIZE,
			   (mmio ? KFD_IOC_ALLOC_MEM_FLAGS_MMIO_REMAP :
				   KFD_IOC_ALLOC_MEM_FLAGS_DOORBELL) |
			   KFD_IOC_ALLOC_MEM_FLAGS_WRITABLE);
	if (IS_ERR(bo))
		return PTR_ERR(bo);
	for (i = 0; i < bo->npages; i++)
		bo->slots[i] = (unsigned long)pfn_to_page(pfn + i);
	bo->doorbell = mmio ? NULL : db;

	share = sim_share_create(bo, NULL);
	sim_bo_put(bo);
	if (IS_ERR(share))
		return PTR_ERR(share);
	*out = share;
	return 0;
}

static int sim_op_bo_map(void *arg, struct kfd_gpu_vm *gpu_vm,
			 struct kfd_gpu_bo *share, u64 va, u32 alloc_flags)
{
	struct sim_bo *bo = share->bo;
	u32 flags = SIM_MAP_KFD | SIM_MAP_READ;

	if (alloc_flags & KFD_IOC_ALLOC_MEM_FLAGS_WRITABLE)
		flags |= SIM_MAP_WRITE;
	return sim_vm_map(to_sim_vm(gpu_vm), bo, NULL, va, 0, bo->base.size,
			  flags, false);
}

static void sim_op_bo_unmap(void *arg, struct kfd_gpu_vm *gpu_vm,
			    struct kfd_gpu_bo *share, u64 va)
{
	WARN_ON_ONCE(sim_vm_unmap(to_sim_vm(gpu_vm), share->bo, va,
				  SIM_MAP_KFD));
}

static void sim_op_bo_populate(struct kfd_gpu_bo *share, u64 first, u64 npages,
			       struct page **pages, bool writable)
{
	sim_bo_populate(share->bo, first, npages, pages, writable);
}

static void sim_op_bo_invalidate(struct kfd_gpu_bo *share, u64 first,
				 u64 npages)
{
	sim_bo_invalidate(share->bo, first, npages);
}

static int sim_op_svm_reserve(void *arg, struct kfd_gpu_vm *gpu_vm, u64 va,
			      u64 npages)
{
	return sim_svm_reserve(to_sim_vm(gpu_vm), va, npages);
}

static int sim_op_svm_map(void *arg, struct kfd_gpu_vm *gpu_vm, u64 va,
			  u64 npages, struct page **pages, bool writable)
{
	return sim_svm_map(to_sim_vm(gpu_vm), va, npages, pages, writable);
}

static void sim_op_svm_unmap(void *arg, struct kfd_gpu_vm *gpu_vm, u64 va,
			     u64 npages)
{
	sim_svm_unmap(to_sim_vm(gpu_vm), va, npages);
}

static int sim_op_vram_page_alloc(void *arg, u64 npages, struct page **pages)
{
	return sim_vram_pages_alloc(arg, npages, pages);
}

static void sim_op_vram_page_free(void *arg, u64 npages, struct page **pages)
{
	sim_vram_pages_free(arg, npages, pages);
}

static void sim_op_vram_page_copy(void *arg, struct page *dst,
				  struct page *src)
{
	sim_page_copy(dst, src);
}

static struct dma_buf *sim_op_bo_export(struct kfd_gpu_bo *share)
{
	return sim_bo_export(share->bo);
}

/*
 * A DRM file belongs to the process that owns its VM, or else to the one that
 * opened it: libdrm opens files of its own.
 */
static bool sim_vm_is_of(struct sim_vm *vm, const struct kfd_gpu_bo *share)
{
	u32 pasid = READ_ONCE(vm->pasid);

	if (pasid)
		return pasid == share->pasid;
	return share->drm_file &&
	       vm->opener == sim_file_vm(share->drm_file)->opener;
}

static void sim_op_bo_sharing(struct kfd_gpu_bo *share,
			      struct kfd_gpu_bo_sharing *out)
{
	struct sim_bo *bo = share->bo;
	struct kfd_gpu_bo *other;
	struct sim_vm_bo *vm_bo;
	struct list_head *pos;

	memset(out, 0, sizeof(*out));
	mutex_lock(&bo->base.dev->object_name_lock);
	list_for_each_entry(other, &bo->kfd_shares, link)
		out->others += other->pasid != share->pasid;
	out->dmabuf = bo->kfd_dmabuf ?: bo->base.dma_buf;
	if (out->dmabuf)
		get_dma_buf(out->dmabuf);
	out->dmabuf_refs = 1 + !!bo->kfd_dmabuf + !!bo->base.dma_buf;
	mutex_lock(&bo->vm_bos_lock);
	list_for_each_entry(vm_bo, &bo->vm_bos, link) {
		out->others += !sim_vm_is_of(vm_bo->vm, share);
		out->dmabuf_refs += vm_bo->prime;
	}
	mutex_unlock(&bo->vm_bos_lock);
	mutex_unlock(&bo->base.dev->object_name_lock);
	if (!out->dmabuf)
		return;
	dma_resv_lock(out->dmabuf->resv, NULL);
	list_for_each(pos, &out->dmabuf->attachments)
		out->attached++;
	dma_resv_unlock(out->dmabuf->resv);
}

static int sim_op_bo_info(struct dma_buf *dmabuf, struct kfd_gpu_bo_info *info,
			  void *metadata, u32 metadata_len)
{
	struct sim_bo *bo = sim_bo_of_dmabuf(dmabuf);

	if (!bo)
		return -EINVAL;
	memset(info, 0, sizeof(*info));
	info->size = bo->base.size;
	info->alloc_flags = bo->alloc_flags;
	info->dev = bo->gpu->kfd;

	mutex_lock(&bo->metadata_lock);
	if (bo->metadata) {
		info->metadata_size = bo->metadata->size;
		info->metadata_flags = bo->metadata->tiling;
		if (metadata)
			memcpy(metadata, bo->metadata->data,
			       min(metadata_len, bo->metadata->size));
	}
	mutex_unlock(&bo->metadata_lock);
	return 0;
}

static int sim_op_bo_import(void *arg, struct kfd_gpu_vm *gpu_vm,
			    struct dma_buf *dmabuf, struct kfd_gpu_bo **out,
			    struct kfd_gpu_bo_info *info, u64 *mmap_offset)
{
	struct sim_bo *bo = sim_bo_of_dmabuf(dmabuf);
	struct sim_gpu *gpu = arg;
	struct kfd_gpu_bo *share;

	/* mmap goes by the GPU's own render node: only its own memory */
	if (!bo || bo->gpu != gpu)
		return -EINVAL;
	sim_op_bo_info(dmabuf, info, NULL, 0);

	share = sim_share_create(bo, to_sim_vm(gpu_vm));
	if (IS_ERR(share))
		return PTR_ERR(share);
	mutex_lock(&bo->base.dev->object_name_lock);
	if (!bo->kfd_dmabuf) {
		get_dma_buf(dmabuf);
		bo->kfd_dmabuf = dmabuf;
	}
	mutex_unlock(&bo->base.dev->object_name_lock);
	*mmap_offset = drm_vma_node_offset_addr(&bo->base.vma_node);
	*out = share;
	return 0;
}

static void *sim_op_bo_vmap(struct kfd_gpu_bo *share)
{
	return sim_bo_vmap(share->bo);
}

static void sim_op_bo_vunmap(struct kfd_gpu_bo *share, void *vaddr)
{
	sim_bo_vunmap(share->bo, vaddr);
}

static u64 sim_op_vram_available(void *arg)
{
	struct sim_gpu *gpu = arg;

	return gpu->vram_size - atomic64_read(&gpu->vram_used);
}

static void sim_op_set_scratch(void *arg, struct kfd_gpu_vm *gpu_vm, u64 va)
{
	struct sim_vm *vm = to_sim_vm(gpu_vm);

	mutex_lock(&vm->owner_lock);
	vm->scratch_va = va;
	mutex_unlock(&vm->owner_lock);
}

static void sim_op_set_trap_handler(void *arg, struct kfd_gpu_vm *gpu_vm,
				    u64 tba, u64 tma)
{
	struct sim_vm *vm = to_sim_vm(gpu_vm);

	mutex_lock(&vm->owner_lock);
	vm->tba = tba;
	vm->tma = tma;
	mutex_unlock(&vm->owner_lock);
}

static int sim_op_set_memory_policy(void *arg, struct kfd_gpu_vm *gpu_vm,
				    u32 default_policy, u32 alternate_policy,
				    u64 alternate_base, u64 alternate_size)
{
	struct sim_vm *vm = to_sim_vm(gpu_vm);
	u64 end;

	if (default_policy > SIM_POLICY_MAX ||
	    alternate_policy > SIM_POLICY_MAX ||
	    check_add_overflow(alternate_base, alternate_size, &end))
		return -EINVAL;
	mutex_lock(&vm->owner_lock);
	vm->policy_default = default_policy;
	vm->policy_alternate = alternate_policy;
	vm->alternate_base = alternate_base;
	vm->alternate_size = alternate_size;
	mutex_unlock(&vm->owner_lock);
	return 0;
}

static void sim_op_get_clocks(void *arg, struct kfd_gpu_clocks *clocks)
{
	clocks->gpu_counter = sim_gpu_clock();
}

const struct kfd_device_ops sim_kfd_ops = {
	.owner = THIS_MODULE,
	.vm_acquire = sim_op_vm_acquire,
	.vm_release = sim_op_vm_release,
	.vm_made = sim_op_vm_made,
	.bo_create = sim_op_bo_create,
	.bo_create_doorbell = sim_op_bo_create_doorbell,
	.bo_put = sim_op_bo_put,
	.bo_map = sim_op_bo_map,
	.bo_unmap = sim_op_bo_unmap,
	.bo_populate = sim_op_bo_populate,
	.bo_invalidate = sim_op_bo_invalidate,
	.svm_reserve = sim_op_svm_reserve,
	.svm_map = sim_op_svm_map,
	.svm_unmap = sim_op_svm_unmap,
	.fault_reply = sim_fault_reply,
	.vram_page_alloc = sim_op_vram_page_alloc,
	.vram_page_free = sim_op_vram_page_free,
	.vram_page_copy = sim_op_vram_page_copy,
	.bo_export = sim_op_bo_export,
	.bo_import = sim_op_bo_import,
	.bo_sharing = sim_op_bo_sharing,
	.bo_info = sim_op_bo_info,
	.bo_vmap = sim_op_bo_vmap,
	.bo_vunmap = sim_op_bo_vunmap,
	.vram_available = sim_op_vram_available,
	.doorbell_init = sim_doorbell_init,
	.doorbell_fini = sim_doorbell_fini,
	.doorbell_fault = sim_doorbell_fault,
	.queue_create = sim_queue_create,
	.queue_load = sim_queue_load,
	.queue_preempt = sim_queue_preempt,
	.queue_progress = sim_queue_progress,
	.queue_destroy = sim_queue_destroy,
	.set_scratch = sim_op_set_scratch,
	.set_trap_handler = sim_op_set_trap_handler,
	.set_memory_policy = sim_op_set_memory_policy,
	.get_clocks = sim_op_get_clocks,
};
