// SPDX-License-Identifier: GPL-2.0-only
/*
 * amdgpu_sim.ko: simulated GPUs for amdkfd.ko.
 *
 * Each GPU is a platform device without a driver, a DRM device on it, its
 * engines, and its registration with amdkfd. They are made in that order and
 * taken down in reverse: the driver lets go first (no process uses a GPU when
 * the module can be unloaded: each holds the module), then the DRM node, then
 * the engines.
 *
 * No locks: GPUs are made and destroyed by module init and exit alone.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/sizes.h>
#include <linux/workqueue.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>

#include "compat/compat.h"

#include "debug.h"
#include "drm_node.h"
#include "gpu.h"
#include "memory.h"

/* Much more than a test machine has; pages are taken as they are needed. */
#define SIM_MAX_VRAM_MB		(1u << 20)

static unsigned int num_gpus = 1;
module_param(num_gpus, uint, 0444);
MODULE_PARM_DESC(num_gpus, "number of GPUs, 1 to 8 (default 1)");

static unsigned int vram_mb = 512;
module_param(vram_mb, uint, 0444);
MODULE_PARM_DESC(vram_mb, "VRAM of each GPU in MiB (default 512)");

static struct sim_gpu *sim_gpus[SIM_MAX_GPUS];

/**
 * sim_check_param() - whether a module parameter is one that can be had
 * @name: of the parameter
 * @value: what it is
 * @max: and may be at most; at least 1
 *
 * Context: module init; says in the log what is wrong.
 * Return: 0 or -EINVAL.
 */
int sim_check_param(const char *name, unsigned int value, unsigned int max)
{
	if (value && value <= max)
		return 0;
	pr_err("%s: %s is %u, must be 1 to %u\n", KBUILD_MODNAME, name, value,
	       max);
	return -EINVAL;
}

static void sim_gpu_describe(struct sim_gpu *gpu, struct kfd_device_info *info)
{
	*info = (struct kfd_device_info) {
		.name = SIM_GPU_NAME,
		.gfx_target_version = SIM_GFX_VERSION,
		.vendor_id = SIM_VENDOR_ID,
		.device_id = SIM_DEVICE_ID,
		.location_id = (gpu->index + 1) << 8,
		.drm_render_minor = gpu->drm.render->index,
		.unique_id = 0x53494d00ULL << 32 | (gpu->index + 1),
		.vram_size = gpu->vram_size,
		.lds_size_kb = SIM_LDS_KB,
		.cu_count = SIM_CU_COUNT,
		.simd_per_cu = SIM_SIMD_PER_CU,
		.waves_per_simd = SIM_WAVES_PER_SIMD,
		.array_count = SIM_ARRAY_COUNT,
		.arrays_per_engine = SIM_ARRAYS_PER_ENGINE,
		.num_cp_queues = SIM_CP_QUEUES,
		.num_sdma_engines = SIM_SDMA_ENGINES,
		.num_sdma_queues_per_engine = SIM_SDMA_QUEUES,
		.max_slots_scratch_cu = SIM_SCRATCH_SLOTS_CU,
		.max_engine_clk_fcompute = SIM_MAX_ENGINE_MHZ,
		.mem_width = SIM_MEMORY_WIDTH,
		.mem_clk_max = SIM_MAX_MEMORY_MHZ,
		.fw_version = SIM_MEC_FW_VERSION,
		.sdma_fw_version = SIM_SDMA_FW_VERSION,
		.gb_addr_config = SIM_GB_ADDR_CONFIG,
		.capability = SIM_CAPABILITY,
	};
}

/* Engines, debugfs, DRM node, driver: whatever is visible. */
static int sim_gpu_start(struct sim_gpu *gpu)
{
	struct kfd_device_info info;
	int ret;

	ret = sim_engines_init(gpu);
	if (ret)
		return ret;
	ret = sim_debugfs_init(gpu);
	if (ret)
		goto err_engines;
	ret = drm_dev_register(&gpu->drm, 0);
	if (ret)
		goto err_debugfs;

	sim_gpu_describe(gpu, &info);
	gpu->kfd = kfd_device_register(&info, &sim_kfd_ops, gpu,
				       &gpu->pdev->dev);
	if (IS_ERR(gpu->kfd)) {
		ret = PTR_ERR(gpu->kfd);
		gpu->kfd = NULL;
		goto err_drm;
	}
	return 0;

err_drm:
	drm_dev_unregister(&gpu->drm);
err_debugfs:
	sim_debugfs_fini(gpu);
err_engines:
	sim_engines_fini(gpu);
	return ret;
}

static void sim_gpu_stop(struct sim_gpu *gpu)
{
	kfd_device_unregister(gpu->kfd);
	drm_dev_unregister(&gpu->drm);
	sim_debugfs_fini(gpu);
	sim_engines_fini(gpu);
	WARN_ON(atomic64_read(&gpu->vram_used) ||
		atomic64_read(&gpu->gtt_used));
}

static struct sim_gpu *sim_gpu_create(u32 index)
{
	struct platform_device *pdev;
	struct sim_gpu *gpu;
	int ret = -ENOMEM;

	pdev = platform_device_register_simple(KBUILD_MODNAME, index, NULL, 0);
	if (IS_ERR(pdev))
		return ERR_CAST(pdev);
	/* there is no driver whose unbinding would release what is devm_ */
	if (!devres_open_group(&pdev->dev, NULL, GFP_KERNEL))
		goto err_pdev;
	gpu = devm_drm_dev_alloc(&pdev->dev, &sim_drm_driver, struct sim_gpu,
				 drm);
	if (IS_ERR(gpu)) {
		ret = PTR_ERR(gpu);
		goto err_group;
	}
	gpu->index = index;
	gpu->pdev = pdev;
	gpu->vram_size = (u64)vram_mb * SZ_1M;
	/* half of the machine's memory, as GPU drivers do */
	gpu->gtt_size = ((u64)totalram_pages() << PAGE_SHIFT) / 2;
	ret = sim_gpu_start(gpu);
	if (ret)
		goto err_group;
	return gpu;

err_group:
	devres_release_group(&pdev->dev, NULL);
err_pdev:
	platform_device_unregister(pdev);
	return ERR_PTR(ret);
}

static void sim_gpu_destroy(struct sim_gpu *gpu)
{
	struct platform_device *pdev = gpu->pdev;

	sim_gpu_stop(gpu);
	/* drops the last reference of the DRM device, and so frees @gpu */
	devres_release_group(&pdev->dev, NULL);
	platform_device_unregister(pdev);
}

static void sim_destroy_all(void)
{
	u32 i;

	for (i = SIM_MAX_GPUS; i-- > 0; ) {
		if (sim_gpus[i])
			sim_gpu_destroy(sim_gpus[i]);
		sim_gpus[i] = NULL;
	}
}

struct workqueue_struct *sim_wq;

static int __init sim_init(void)
{
	struct sim_gpu *gpu;
	int ret;
	u32 i;

	ret = sim_check_param("num_gpus", num_gpus, SIM_MAX_GPUS) ?:
	      sim_check_param("vram_mb", vram_mb, SIM_MAX_VRAM_MB) ?:
	      sim_engines_check_params();
	if (ret)
		return ret;

	sim_wq = alloc_workqueue("amdgpu_sim", WQ_UNBOUND, 0);
	if (!sim_wq)
		return -ENOMEM;
	for (i = 0; i < num_gpus; i++) {
		gpu = sim_gpu_create(i);
		if (IS_ERR(gpu)) {
			sim_destroy_all();
			destroy_workqueue(sim_wq);
			return PTR_ERR(gpu);
		}
		sim_gpus[i] = gpu;
	}
	sim_debug_init();
	return 0;
}
module_init(sim_init);

static void __exit sim_exit(void)
{
	sim_debug_exit();
	sim_destroy_all();
	destroy_workqueue(sim_wq);
}
module_exit(sim_exit);

MODULE_DESCRIPTION("Simulated AMD GPUs for amdkfd");
MODULE_LICENSE("GPL");
MODULE_VERSION(KFD_PACKAGE_VERSION);
KFD_COMPAT_IMPORT_NS(DMA_BUF);
