// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers in a checkpoint image (floor 3); see criu/object.h.
 *
 * The contents of VRAM and GTT buffers travel by dma-buf, those of userptrs
 * with the process's own memory; an image carries only what a buffer is and
 * where it is mapped.
 *
 * A buffer that is shared cannot be saved; sharing.c finds that out before the
 * pause begins. What is imported during the pause is found here.
 *
 * Called with process->lock held, which protects everything used here.
 */
#include <linux/slab.h>

#include "../criu/object.h"
#include "memory.h"

static u32 memory_criu_count(struct kfd_process *p)
{
	return kfd_memory(p)->num_bos;
}

static u64 memory_criu_size(struct kfd_process *p)
{
	return (u64)memory_criu_count(p) *
	       kfd_record_space(sizeof(struct kfd_record_bo));
}

static int memory_fill_record(const struct kfd_bo *bo,
			      struct kfd_record_bo *rec)
{
	const struct kfd_bo_mapping *mapping;

	memset(rec, 0, sizeof(*rec));
	rec->handle = kfd_bo_handle(bo);
	rec->va = bo->va;
	rec->size = bo->size;
	rec->user_addr = bo->userptr ? bo->userptr->mirror.addr : 0;
	rec->gpu_id = bo->pdd->user_gpu_id;
	rec->alloc_flags = bo->alloc_flags;
	list_for_each_entry(mapping, &bo->mappings, node)
		rec->mapped[rec->num_mapped++] = mapping->pdd->user_gpu_id;
	return bo->userptr ? kfd_userptr_lost(bo->userptr, &rec->lost_offset,
					      &rec->lost_size) : 0;
}

static void memory_fill_bucket(const struct kfd_bo *bo,
			       struct kfd_criu_bo_bucket *bucket)
{
	memset(bucket, 0, sizeof(*bucket));
	bucket->addr = bo->va;
	bucket->size = bo->mem_size;
	bucket->offset = bo->userptr ? bo->userptr->mirror.addr : bo->mmap_offset;
	bucket->gpu_id = bo->pdd->user_gpu_id;
	bucket->alloc_flags = bo->alloc_flags;
	bucket->dmabuf_fd = KFD_INVALID_FD;
}

/* The dma-buf that userspace reads or fills the contents through, if any. */
static int memory_export(struct kfd_bo *bo, struct file **slot)
{
	struct file *file;

	*slot = NULL;
	if (!(bo->alloc_flags & KFD_MEMORY_SHAREABLE))
		return 0;
	file = kfd_bo_export(bo);
	if (IS_ERR(file))
		return PTR_ERR(file);
	*slot = file;
	return 0;
}

static int memory_save_bo(struct kfd_bo *bo, void *arg)
{
	struct kfd_criu_dump *dump = arg;
	struct kfd_record_bo rec;
	int ret;

	ret = kfd_memory_check_imported(bo);
	if (ret)
		return ret;
	if (dump->bo >= dump->num_bos)
		return -EINVAL;
	ret = memory_fill_record(bo, &rec);
	if (ret)
		return ret;
	ret = kfd_image_put(dump->out, KFD_RECORD_BO, &rec, sizeof(rec));
	if (ret)
		return ret;
	memory_fill_bucket(bo, &dump->bos[dump->bo]);
	ret = memory_export(bo, &dump->fd_files[dump->bo]);
	if (!ret)
		dump->bo++;
	return ret;
}

/* What has been put into fd_files stays there, whatever comes after. */
static int memory_criu_save(struct kfd_criu_dump *dump)
{
	BUILD_BUG_ON(KFD_IMAGE_MAX_GPUS < KFD_MAX_GPUS);
	return kfd_memory_walk(dump->p, memory_save_bo, dump);
}

/*
 * A record against its bucket, which came by another way. The size there is
 * that of the memory.
 */
static bool memory_bucket_matches(const struct kfd_record_bo *rec,
				  const struct kfd_criu_bo_bucket *bucket)
{
	return bucket->addr == rec->va && bucket->gpu_id == rec->gpu_id &&
	       bucket->alloc_flags == rec->alloc_flags &&
	       bucket->size == kfd_bo_mem_size(rec->alloc_flags, rec->size);
}

static int memory_load_mappings(struct kfd_process *p, struct kfd_bo *bo,
				const struct kfd_record_bo *rec)
{
	struct kfd_process_device *pdd;
	int ret;
	u32 i;

	if (rec->num_mapped > KFD_IMAGE_MAX_GPUS)
		return -EINVAL;
	for (i = 0; i < rec->num_mapped; i++) {
		pdd = kfd_process_device_bound(p, rec->mapped[i]);
		if (!pdd || kfd_bo_is_mapped_on(bo, pdd))
			return -EINVAL;
		ret = kfd_bo_map(bo, pdd, NULL);
		if (ret)
			return ret;
	}
	return 0;
}

static int memory_criu_load(struct kfd_criu_load *load,
			    const struct kfd_record *record, u32 index)
{
	struct kfd_bo_desc desc = { .absent = true };
	struct kfd_criu_bo_bucket *bucket;
	struct kfd_process_device *pdd;
	struct kfd_record_bo rec;
	struct kfd_bo *bo;
	int ret;

	lockdep_assert_held(&load->p->lock);
	ret = kfd_record_read(record, &rec, sizeof(rec), KFD_RECORD_BO_MIN);
	if (ret)
		return ret;
	if (index >= load->num_bos)
		return -EINVAL;
	bucket = &load->bos[index];
	desc.va = rec.va;
	desc.size = rec.size;
	desc.user_addr = rec.user_addr;
	desc.alloc_flags = rec.alloc_flags;
	desc.number = lower_32_bits(rec.handle);
	if (!desc.number || rec.handle >> 32 != rec.gpu_id ||
	    !memory_bucket_matches(&rec, bucket))
		return -EINVAL;
	ret = kfd_memory_bound_device(load->p, rec.gpu_id, &pdd);
	if (ret)
		return -EINVAL;

	ret = kfd_bo_create(pdd, &desc, &bo);
	if (ret)
		return ret;
	if (rec.lost_size)
		kfd_userptr_forgo(bo->userptr, rec.lost_offset, rec.lost_size);
	ret = memory_load_mappings(load->p, bo, &rec);
	if (!ret)
		ret = memory_export(bo, &load->fd_files[index]);
	if (ret) {
		kfd_bo_destroy(bo);
		return ret;
	}
	bucket->restored_offset = bo->mmap_offset;
	bucket->dmabuf_fd = KFD_INVALID_FD;
	return 0;
}

const struct kfd_criu_object_ops kfd_memory_criu_ops = {
	.name = "bo",
	.type = KFD_RECORD_BO,
	.count = memory_criu_count,
	.size = memory_criu_size,
	.save = memory_criu_save,
	.load = memory_criu_load,
	.unload = kfd_memory_free_all,
	.check = kfd_memory_check,
	.show = kfd_memory_show,
};
