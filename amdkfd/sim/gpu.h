/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a simulated GPU is: a small gfx900. Few compute units keep context save
 * areas small. Said in the topology (main.c) and by the DRM node (drm_info.c).
 */
#ifndef AMDGPU_SIM_GPU_H
#define AMDGPU_SIM_GPU_H

#define SIM_GPU_NAME		"gfx900 (simulated)"
#define SIM_GFX_VERSION		90000
#define SIM_VENDOR_ID		0x1002
#define SIM_DEVICE_ID		0x6860
#define SIM_CU_COUNT		4
#define SIM_SIMD_PER_CU		4
#define SIM_WAVES_PER_SIMD	10
#define SIM_WAVE_FRONT_SIZE	64
#define SIM_ARRAY_COUNT		1
#define SIM_ARRAYS_PER_ENGINE	1
#define SIM_LDS_KB		64
#define SIM_CP_QUEUES		24
#define SIM_SDMA_QUEUES		2	/* per engine */
#define SIM_SCRATCH_SLOTS_CU	32
#define SIM_MAX_ENGINE_MHZ	1500
#define SIM_MAX_MEMORY_MHZ	945
#define SIM_MEMORY_WIDTH	2048	/* bits */
#define SIM_CLOCK_KHZ		100000	/* of sim_gpu_clock() */

/* Their low 10 bits are what the topology shows; not 0. */
#define SIM_MEC_FW_VERSION	459
#define SIM_SDMA_FW_VERSION	430

/* Register GB_ADDR_CONFIG of gfx900: what surfaces are laid out by. */
#define SIM_GB_ADDR_CONFIG	0x2a114042

/*
 * HSA_CAP_*: doorbells of 8 bytes (type 2, from bit 12), watch points
 * supported (bit 7), two to the power of 2 of them (from bit 8).
 */
#define SIM_CAPABILITY		(2u << 12 | 1u << 7 | 2u << 8 | 1u << 27)

#endif
