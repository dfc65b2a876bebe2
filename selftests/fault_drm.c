// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every allocation made to fail in the calls of the render node that libdrm
 * and CRIU's plugin make. See lib/kfd_fault.h.
 *
 * The DRM core copies the results out and answers EFAULT when it cannot, long
 * after the handle was made: the test then looks for it itself.
 */
#include <amdgpu_drm.h>
#include <drm.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "lib/kfd_fault_test.h"

#define FREES	"nothing is refused that frees memory"

static int drm_call(struct kfd_fault_ctx *f, unsigned long request, void *arg)
{
	return kfd_call(f->k.gpu[0].drm_fd, request, arg);
}

static int gem_create(void *data)
{
	union drm_amdgpu_gem_create args = {
		.in = { .bo_size = KFD_FAULT_SIZE, .alignment = KFD_PAGE,
			.domains = CTX(data)->op->arg },
	};
	int ret = drm_call(CTX(data), DRM_IOCTL_AMDGPU_GEM_CREATE, &args);

	CTX(data)->gem = args.out.handle;
	return ret;
}

static int gem_userptr(void *data)
{
	struct kfd_fault_ctx *f = data;
	struct drm_amdgpu_gem_userptr args = {
		.addr = (uintptr_t)f->user, .size = KFD_FAULT_SIZE,
		.flags = AMDGPU_GEM_USERPTR_ANONONLY | AMDGPU_GEM_USERPTR_REGISTER |
			 AMDGPU_GEM_USERPTR_VALIDATE,
	};
	int ret = drm_call(f, DRM_IOCTL_AMDGPU_GEM_USERPTR, &args);

	f->gem = args.handle;
	return ret;
}

static int gem_close(void *data)
{
	struct drm_gem_close args = { .handle = CTX(data)->gem };

	return drm_call(CTX(data), DRM_IOCTL_GEM_CLOSE, &args);
}

/* Made, but what it is called was not told: it has the next number. */
static bool made_late(int ret)
{
	return ret == -EFAULT;
}

static int gem_end(void *data, int ret)
{
	struct kfd_fault_ctx *f = data;

	if (made_late(ret)) {
		f->gem = f->first_id - 1;
		gem_close(data);
	}
	if (ret)
		return 0;
	ret = kfd_fault_same_id(f, f->gem);
	return ret ? ret : gem_close(data);
}

static int gem_close_end(void *data, int ret)
{
	return ret ? gem_close(data) : 0;
}

static int gem_mmap(void *data)
{
	union drm_amdgpu_gem_mmap args = { .in = { .handle = CTX(data)->gem } };

	return drm_call(CTX(data), DRM_IOCTL_AMDGPU_GEM_MMAP, &args);
}

static int gem_va(struct kfd_fault_ctx *f, uint32_t operation)
{
	struct drm_amdgpu_gem_va args = {
		.handle = f->gem, .operation = operation, .va_address = f->gem_va,
		.map_size = KFD_FAULT_SIZE,
		.flags = AMDGPU_VM_PAGE_READABLE | AMDGPU_VM_PAGE_WRITEABLE |
			 AMDGPU_VM_PAGE_EXECUTABLE,
	};

	return drm_call(f, DRM_IOCTL_AMDGPU_GEM_VA, &args);
}

static int gem_va_map(void *data)
{
	return gem_va(CTX(data), AMDGPU_VA_OP_MAP);
}

static int gem_va_unmap(void *data)
{
	return gem_va(CTX(data), AMDGPU_VA_OP_UNMAP);
}

static int gem_place(void *data)
{
	CTX(data)->gem_va = kfd_reserve_va(&CTX(data)->k, KFD_FAULT_SIZE);
	return gem_create(data);
}

static int gem_placed(void *data)
{
	int ret = gem_place(data);

	return ret ? ret : gem_va_map(data);
}

static int gem_any_end(void *data, int ret)
{
	return gem_close(data);
}

static int gem_va_map_end(void *data, int ret)
{
	int err = gem_va_unmap(data);

	if (ret ? !err : err)
		return err ? err : -EPROTO;
	return gem_close(data);
}

static int gem_va_unmap_end(void *data, int ret)
{
	int err = gem_va_unmap(data);

	if (ret ? err : !err)
		return err ? err : -EPROTO;
	return gem_close(data);
}

static int prime_export(void *data)
{
	struct drm_prime_handle args = {
		.handle = CTX(data)->gem, .flags = DRM_CLOEXEC | DRM_RDWR,
	};
	int ret = drm_call(CTX(data), DRM_IOCTL_PRIME_HANDLE_TO_FD, &args);

	CTX(data)->fd = ret ? -1 : args.fd;
	return ret;
}

static int prime_export_end(void *data, int ret)
{
	struct kfd_fault_ctx *f = data;

	if (!ret)
		ret = kfd_fault_same_id(f, f->fd);
	else if (made_late(ret))
		f->fd = f->first_id - 1;
	kfd_fault_close_fd(data);
	return gem_close(data);
}

/* A DMA-BUF whose GEM handle is gone, so that an import makes a new one. */
static int prime_setup(void *data)
{
	int ret = gem_create(data);

	if (!ret)
		ret = prime_export(data);
	return ret ? ret : gem_close(data);
}

static int prime_import(void *data)
{
	struct drm_prime_handle args = { .fd = CTX(data)->fd };
	int ret = drm_call(CTX(data), DRM_IOCTL_PRIME_FD_TO_HANDLE, &args);

	CTX(data)->gem = args.handle;
	return ret;
}

static int kfd_import(void *data)
{
	struct kfd_fault_ctx *f = data;
	struct kfd_ioctl_import_dmabuf_args args = {
		.gpu_id = f->k.gpu[0].gpu_id, .dmabuf_fd = f->fd,
		.va_addr = kfd_reserve_va(&f->k, KFD_FAULT_SIZE),
	};
	int ret = kfd_call(f->k.fd, AMDKFD_IOC_IMPORT_DMABUF, &args);

	f->bo.handle = args.handle;
	return ret;
}

static int kfd_import_end(void *data, int ret)
{
	struct kfd_fault_ctx *f = data;

	if (ret)
		return 0;
	ret = kfd_fault_same_id(f, f->bo.handle);
	return ret ? ret : kfd_bo_free(&f->k, &f->bo);
}

static int dmabuf_info(void *data)
{
	struct kfd_fault_ctx *f = data;
	struct kfd_ioctl_get_dmabuf_info_args args = {
		.dmabuf_fd = f->fd, .metadata_ptr = (uintptr_t)f->metadata,
		.metadata_size = sizeof(f->metadata),
	};

	return kfd_call(f->k.fd, AMDKFD_IOC_GET_DMABUF_INFO, &args);
}

static int ctx_op(struct kfd_fault_ctx *f, uint32_t op)
{
	union drm_amdgpu_ctx args = { .in = { .op = op, .ctx_id = f->ctx } };
	int ret = drm_call(f, DRM_IOCTL_AMDGPU_CTX, &args);

	if (!ret && op == AMDGPU_CTX_OP_ALLOC_CTX)
		f->ctx = args.out.alloc.ctx_id;
	return ret;
}

static int ctx_alloc(void *data)
{
	CTX(data)->ctx = 0;
	return ctx_op(CTX(data), AMDGPU_CTX_OP_ALLOC_CTX);
}

static int ctx_free(void *data)
{
	return ctx_op(CTX(data), AMDGPU_CTX_OP_FREE_CTX);
}

static int ctx_alloc_end(void *data, int ret)
{
	struct kfd_fault_ctx *f = data;

	if (made_late(ret)) {
		f->ctx = f->first_id - 1;
		ctx_free(data);
	}
	if (ret)
		return 0;
	ret = kfd_fault_same_id(f, f->ctx);
	return ret ? ret : ctx_free(data);
}

static int ctx_free_end(void *data, int ret)
{
	/* After an EFAULT it may be gone already. */
	if (made_late(ret)) {
		ctx_free(data);
		return 0;
	}
	return ret ? ctx_free(data) : 0;
}

static int list_op(struct kfd_fault_ctx *f, uint32_t op)
{
	struct drm_amdgpu_bo_list_entry entry = { .bo_handle = f->gem };
	union drm_amdgpu_bo_list args = {
		.in = { .operation = op, .list_handle = f->list, .bo_number = 1,
			.bo_info_size = sizeof(entry), .bo_info_ptr = (uintptr_t)&entry },
	};
	int ret = drm_call(f, DRM_IOCTL_AMDGPU_BO_LIST, &args);

	if (!ret && op == AMDGPU_BO_LIST_OP_CREATE)
		f->list = args.out.list_handle;
	return ret;
}

static int list_create(void *data)
{
	CTX(data)->list = 0;
	return list_op(CTX(data), AMDGPU_BO_LIST_OP_CREATE);
}

static int list_destroy(void *data)
{
	return list_op(CTX(data), AMDGPU_BO_LIST_OP_DESTROY);
}

static int list_create_end(void *data, int ret)
{
	struct kfd_fault_ctx *f = data;

	if (made_late(ret)) {
		f->list = f->first_id - 1;
		list_destroy(data);
	}
	if (ret)
		return 0;
	ret = kfd_fault_same_id(f, f->list);
	return ret ? ret : list_destroy(data);
}

/* A buffer of commands that do nothing, a context, a list. */
static int cs_setup(void *data)
{
	int ret = gem_placed(data);

	if (!ret)
		ret = ctx_alloc(data);
	return ret ? ret : list_create(data);
}

static int cs_teardown(void *data)
{
	int ret = list_destroy(data);

	if (!ret)
		ret = ctx_free(data);
	return ret ? ret : gem_close(data);
}

static int cs_submit(void *data)
{
	struct kfd_fault_ctx *f = data;
	struct drm_amdgpu_cs_chunk_ib ib = {
		.ip_type = AMDGPU_HW_IP_DMA, .va_start = f->gem_va, .ib_bytes = 64,
	};
	struct drm_amdgpu_cs_chunk chunk = {
		.chunk_id = AMDGPU_CHUNK_ID_IB, .length_dw = sizeof(ib) / 4,
		.chunk_data = (uintptr_t)&ib,
	};
	uint64_t chunks[] = { (uintptr_t)&chunk };
	union drm_amdgpu_cs cs = {
		.in = { .ctx_id = f->ctx, .bo_list_handle = f->list, .num_chunks = 1,
			.chunks = (uintptr_t)chunks },
	};
	int ret = drm_call(f, DRM_IOCTL_AMDGPU_CS, &cs);

	f->seq = cs.out.handle;
	return ret;
}

static int cs_wait(void *data)
{
	union drm_amdgpu_wait_cs args = {
		.in = { .handle = CTX(data)->seq, .ip_type = AMDGPU_HW_IP_DMA,
			.timeout = UINT64_MAX, .ctx_id = CTX(data)->ctx },
	};
	int ret = drm_call(CTX(data), DRM_IOCTL_AMDGPU_WAIT_CS, &args);

	return ret ? ret : args.out.status ? -ETIME : 0;
}

/* Over when it returns: a job that ends by itself is no doing of the op's. */
static int cs_done(void *data)
{
	int ret = cs_submit(data);

	return ret ? ret : cs_wait(data);
}

static int cs_end(void *data, int ret)
{
	return ret ? 0 : cs_wait(data);
}

#define GTT	AMDGPU_GEM_DOMAIN_GTT

static const struct kfd_fault_op drm_ops[] = {
	{ .name = "GEM_CREATE VRAM", .arg = AMDGPU_GEM_DOMAIN_VRAM, .op = gem_create,
	  .finish = gem_end, .fallback = XARRAY, .late = true },
	{ .name = "GEM_CREATE GTT", .arg = GTT, .op = gem_create, .finish = gem_end,
	  .fallback = XARRAY, .late = true },
	{ .name = "GEM_USERPTR", .op = gem_userptr, .finish = gem_end, .fallback = XARRAY,
	  .late = true },
	{ .name = "GEM_CLOSE", .arg = GTT, .prepare = gem_create, .op = gem_close,
	  .finish = gem_close_end, .fallback = FREES },
	{ .name = "GEM_MMAP", .arg = GTT, .prepare = gem_create, .op = gem_mmap,
	  .finish = gem_any_end, .fallback = XARRAY },
	{ .name = "GEM_VA map", .arg = GTT, .prepare = gem_place, .op = gem_va_map,
	  .finish = gem_va_map_end, .fallback = XARRAY },
	{ .name = "GEM_VA unmap", .arg = GTT, .prepare = gem_placed, .op = gem_va_unmap,
	  .finish = gem_va_unmap_end, .fallback = FREES },
	{ .name = "PRIME export", .arg = GTT, .prepare = gem_create, .op = prime_export,
	  .finish = prime_export_end, .fallback = XARRAY, .late = true },
	{ .name = "PRIME import", .arg = GTT, .setup = prime_setup, .op = prime_import,
	  .finish = gem_end, .teardown = kfd_fault_close_fd, .fallback = XARRAY, .late = true },
	{ .name = "IMPORT_DMABUF", .arg = GTT, .setup = prime_setup, .op = kfd_import,
	  .finish = kfd_import_end, .teardown = kfd_fault_close_fd, .fallback = XARRAY },
	{ .name = "GET_DMABUF_INFO", .arg = GTT, .setup = prime_setup, .op = dmabuf_info,
	  .teardown = kfd_fault_close_fd },
	{ .name = "CTX alloc", .op = ctx_alloc, .finish = ctx_alloc_end, .fallback = XARRAY,
	  .late = true },
	{ .name = "CTX free", .prepare = ctx_alloc, .op = ctx_free, .finish = ctx_free_end,
	  .late = true },
	{ .name = "BO_LIST create", .arg = GTT, .setup = gem_create, .op = list_create,
	  .finish = list_create_end, .teardown = gem_close, .fallback = XARRAY, .late = true },
	{ .name = "CS", .arg = GTT, .setup = cs_setup, .op = cs_submit, .finish = cs_end,
	  .teardown = cs_teardown, .fallback = XARRAY, .late = true },
	{ .name = "WAIT_CS", .arg = GTT, .setup = cs_setup, .prepare = cs_done,
	  .op = cs_wait, .teardown = cs_teardown },
};

FAULT_FIXTURE(fault_drm);

TEST_F_TIMEOUT(fault_drm, render_node, FAULT_SECONDS)
{
	FAULT_RUN_ALL(drm_ops);
}

KFD_FAULT_TEST_MAIN
