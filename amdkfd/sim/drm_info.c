// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queries (INFO): what a simulated GPU says of itself to libdrm_amdgpu.
 *
 * A query fills a buffer that is copied out up to the caller's size, so that
 * programs built against an older or newer header get what they know. What is
 * not in the table, sensors and the VBIOS among it, gives -EINVAL.
 */
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <drm/drm_device.h>

#include "drm_node.h"
#include "engine.h"
#include "gpu.h"
#include "memory.h"

/* GB_ADDR_CONFIG's place among the registers of gfx9, in words. */
#define SIM_REG_GB_ADDR_CONFIG	0x263e

/* What user VAs start at and are aligned to. */
#define SIM_VA_OFFSET		0x200000ULL
#define SIM_SDMA_VERSION_MAJOR	4

/**
 * struct sim_answer - the answer to a query
 * @size: bytes
 * @data: the answer
 */
struct sim_answer {
	u32 size;
	union {
		u32 value32;
		u64 value64;
		struct drm_amdgpu_info_hw_ip ip;
		struct drm_amdgpu_info_firmware fw;
		struct drm_amdgpu_info_vram_gtt vram_gtt;
		struct drm_amdgpu_info_gds gds;
		struct drm_amdgpu_memory_info memory;
		struct drm_amdgpu_info_device dev;
	} data;
};

static void sim_answer32(struct sim_answer *a, u32 value)
{
	a->data.value32 = value;
	a->size = sizeof(value);
}

static void sim_answer64(struct sim_answer *a, u64 value)
{
	a->data.value64 = value;
	a->size = sizeof(value);
}

static int sim_info_hw_ip(const struct drm_amdgpu_info *in,
			  struct sim_answer *a)
{
	struct drm_amdgpu_info_hw_ip *ip = &a->data.ip;

	if (in->query_hw_ip.type >= AMDGPU_HW_IP_NUM ||
	    in->query_hw_ip.ip_instance >= AMDGPU_HW_IP_INSTANCE_MAX_COUNT)
		return -EINVAL;
	a->size = sizeof(*ip);
	/* no rings of other kinds: their answer is all zeros */
	if (in->query_hw_ip.type == AMDGPU_HW_IP_DMA) {
		ip->hw_ip_version_major = SIM_SDMA_VERSION_MAJOR;
		ip->ib_start_alignment = 256;
		ip->ib_size_alignment = 4;
		ip->available_rings = GENMASK(SIM_SDMA_ENGINES - 1, 0);
		ip->ip_discovery_version = SIM_SDMA_VERSION_MAJOR << 16;
	}
	return 0;
}

static int sim_info_hw_ip_count(const struct drm_amdgpu_info *in,
				struct sim_answer *a)
{
	if (in->query_hw_ip.type >= AMDGPU_HW_IP_NUM)
		return -EINVAL;
	sim_answer32(a, in->query_hw_ip.type == AMDGPU_HW_IP_DMA);
	return 0;
}

static int sim_info_fw(const struct drm_amdgpu_info *in, struct sim_answer *a)
{
	a->size = sizeof(a->data.fw);
	switch (in->query_fw.fw_type) {
	case AMDGPU_INFO_FW_GFX_MEC:
		if (in->query_fw.index > 1)
			return -EINVAL;
		a->data.fw.ver = SIM_MEC_FW_VERSION;
		break;
	case AMDGPU_INFO_FW_SDMA:
		if (in->query_fw.index >= SIM_SDMA_ENGINES)
			return -EINVAL;
		a->data.fw.ver = SIM_SDMA_FW_VERSION;
		break;
	case AMDGPU_INFO_FW_VCE:
	case AMDGPU_INFO_FW_UVD:
	case AMDGPU_INFO_FW_GMC:
	case AMDGPU_INFO_FW_GFX_ME:
	case AMDGPU_INFO_FW_GFX_PFP:
	case AMDGPU_INFO_FW_GFX_CE:
	case AMDGPU_INFO_FW_GFX_RLC:
	case AMDGPU_INFO_FW_SMC:
		/* engines it has not: version 0 */
		break;
	default:
		return -EINVAL;
	}
	return 0;
}

static void sim_info_memory(struct sim_gpu *gpu, struct sim_answer *a)
{
	struct drm_amdgpu_memory_info *mem = &a->data.memory;

	a->size = sizeof(*mem);
	mem->vram.total_heap_size = gpu->vram_size;
	mem->vram.usable_heap_size = gpu->vram_size;
	mem->vram.heap_usage = atomic64_read(&gpu->vram_used);
	mem->vram.max_allocation = min(gpu->vram_size, SIM_BO_MAX_SIZE);
	mem->cpu_accessible_vram = mem->vram;
	mem->gtt.total_heap_size = gpu->gtt_size;
	mem->gtt.usable_heap_size = gpu->gtt_size;
	mem->gtt.heap_usage = atomic64_read(&gpu->gtt_used);
	mem->gtt.max_allocation = min(gpu->gtt_size, SIM_BO_MAX_SIZE);
}

static void sim_info_vram_gtt(struct sim_gpu *gpu, struct sim_answer *a)
{
	a->size = sizeof(a->data.vram_gtt);
	a->data.vram_gtt.vram_size = gpu->vram_size;
	a->data.vram_gtt.vram_cpu_accessible_size = gpu->vram_size;
	a->data.vram_gtt.gtt_size = gpu->gtt_size;
}

static void sim_info_dev(struct sim_gpu *gpu, struct sim_answer *a)
{
	struct drm_amdgpu_info_device *dev = &a->data.dev;

	a->size = sizeof(*dev);
	dev->device_id = SIM_DEVICE_ID;
	dev->external_rev = 1;
	dev->family = AMDGPU_FAMILY_AI;
	dev->num_shader_engines = SIM_ARRAY_COUNT;
	dev->num_shader_arrays_per_engine = SIM_ARRAYS_PER_ENGINE;
	dev->gpu_counter_freq = SIM_CLOCK_KHZ;
	dev->max_engine_clock = SIM_MAX_ENGINE_MHZ * 1000;
	dev->max_memory_clock = SIM_MAX_MEMORY_MHZ * 1000;
	dev->cu_active_number = SIM_CU_COUNT;
	dev->cu_bitmap[0][0] = GENMASK(SIM_CU_COUNT - 1, 0);
	dev->cu_ao_bitmap[0][0] = GENMASK(SIM_CU_COUNT - 1, 0);
	dev->num_hw_gfx_contexts = 8;
	dev->virtual_address_offset = SIM_VA_OFFSET;
	dev->virtual_address_max = SIM_VA_END;
	dev->virtual_address_alignment = PAGE_SIZE;
	dev->pte_fragment_size = SZ_2M;
	dev->gart_page_size = PAGE_SIZE;
	dev->vram_type = AMDGPU_VRAM_TYPE_HBM;
	dev->vram_bit_width = SIM_MEMORY_WIDTH;
	dev->wave_front_size = SIM_WAVE_FRONT_SIZE;
	dev->num_shader_visible_vgprs = 256;
	dev->num_cu_per_sh = SIM_CU_COUNT;
}

static int sim_info_mmr(const struct drm_amdgpu_info *in, struct sim_answer *a)
{
	if (in->read_mmr_reg.dword_offset != SIM_REG_GB_ADDR_CONFIG ||
	    in->read_mmr_reg.count != 1)
		return -EINVAL;
	sim_answer32(a, SIM_GB_ADDR_CONFIG);
	return 0;
}

static int sim_info_answer(struct sim_gpu *gpu,
			   const struct drm_amdgpu_info *in,
			   struct sim_answer *a)
{
	switch (in->query) {
	case AMDGPU_INFO_ACCEL_WORKING:
		sim_answer32(a, 1);
		return 0;
	case AMDGPU_INFO_HW_IP_INFO:
		return sim_info_hw_ip(in, a);
	case AMDGPU_INFO_HW_IP_COUNT:
		return sim_info_hw_ip_count(in, a);
	case AMDGPU_INFO_TIMESTAMP:
		sim_answer64(a, sim_gpu_clock());
		return 0;
	case AMDGPU_INFO_FW_VERSION:
		return sim_info_fw(in, a);
	case AMDGPU_INFO_VRAM_USAGE:
	case AMDGPU_INFO_VIS_VRAM_USAGE:
		sim_answer64(a, atomic64_read(&gpu->vram_used));
		return 0;
	case AMDGPU_INFO_GTT_USAGE:
		sim_answer64(a, atomic64_read(&gpu->gtt_used));
		return 0;
	case AMDGPU_INFO_NUM_BYTES_MOVED:
	case AMDGPU_INFO_NUM_EVICTIONS:
	case AMDGPU_INFO_NUM_VRAM_CPU_PAGE_FAULTS:
		/* memory never moves */
		sim_answer64(a, 0);
		return 0;
	case AMDGPU_INFO_VRAM_LOST_COUNTER:
		sim_answer32(a, 0);
		return 0;
	case AMDGPU_INFO_GDS_CONFIG:
		/* there is none: all zeros */
		a->size = sizeof(a->data.gds);
		return 0;
	case AMDGPU_INFO_VRAM_GTT:
		sim_info_vram_gtt(gpu, a);
		return 0;
	case AMDGPU_INFO_MEMORY:
		sim_info_memory(gpu, a);
		return 0;
	case AMDGPU_INFO_DEV_INFO:
		sim_info_dev(gpu, a);
		return 0;
	case AMDGPU_INFO_READ_MMR_REG:
		return sim_info_mmr(in, a);
	default:
		return -EINVAL;
	}
}

/**
 * sim_ioctl_info() - INFO: ask a GPU about itself
 * @dev: the GPU
 * @data: struct drm_amdgpu_info
 * @file: the caller's
 *
 * Context: sleeps.
 * Return: 0; -EINVAL for a query or a part of it that is not known, or no room
 * for an answer; -EFAULT; -ENOMEM.
 */
int sim_ioctl_info(struct drm_device *dev, void *data, struct drm_file *file)
{
	struct drm_amdgpu_info *in = data;
	struct sim_answer *a;
	int ret;

	if (!in->return_size || !in->return_pointer)
		return -EINVAL;
	/* zeroed: an answer's unused fields and padding are copied out too */
	a = kzalloc(sizeof(*a), GFP_KERNEL_ACCOUNT);
	if (!a)
		return -ENOMEM;
	ret = sim_info_answer(to_sim_gpu(dev), in, a);
	if (!ret && copy_to_user(u64_to_user_ptr(in->return_pointer), &a->data,
				 min(in->return_size, a->size)))
		ret = -EFAULT;
	kfree(a);
	return ret;
}
