// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process's view of a GPU before it has any buffer: address windows, the VM
 * that it takes from a render node, clocks and the settings of a VM.
 */
#include <fcntl.h>
#include <sys/socket.h>

#include "lib/kfd_test.h"

#define BAD_GPU		0xfffe

FIXTURE(aperture) { struct kfd k; };

/* The driver is open and so are the render nodes, but no VM is taken yet. */
FIXTURE_SETUP(aperture)
{
	ASSERT_OK(kfd_open(&self->k));
	ASSERT_OK(kfd_open_drm(&self->k));
}

FIXTURE_TEARDOWN(aperture)
{
	kfd_stop(&self->k);
}

static int acquire(struct kfd *k, int drm_fd, uint32_t gpu_id)
{
	struct kfd_ioctl_acquire_vm_args args = { .drm_fd = drm_fd, .gpu_id = gpu_id };

	return kfd_call(k->fd, AMDKFD_IOC_ACQUIRE_VM, &args);
}

static int apertures(struct kfd *k, struct kfd_process_device_apertures *a, uint32_t *n)
{
	struct kfd_ioctl_get_process_apertures_new_args args = {
		.kfd_process_device_apertures_ptr = (uintptr_t)a,
		.num_of_nodes = *n,
	};
	int ret = kfd_call(k->fd, AMDKFD_IOC_GET_PROCESS_APERTURES_NEW, &args);

	*n = args.num_of_nodes;
	return ret;
}

TEST_F(aperture, windows)
{
	struct kfd_process_device_apertures a[KFD_MAX_TEST_GPUS] = { 0 };
	uint32_t n = KFD_MAX_TEST_GPUS, i;

	ASSERT_OK(apertures(&self->k, a, &n));
	ASSERT_EQ(self->k.num_gpus, n);
	for (i = 0; i < n; i++) {
		EXPECT_GE(kfd_gpu_by_id(&self->k, a[i].gpu_id), 0);
		EXPECT_LT(a[i].lds_base, a[i].lds_limit);
		EXPECT_LT(a[i].scratch_base, a[i].scratch_limit);
		EXPECT_EQ(0, a[i].pad);
		if (self->k.gpu[0].gfx_version / 10000 != 9)
			continue;
		EXPECT_EQ(1ULL << 48, a[i].lds_base);
		EXPECT_EQ((1ULL << 48) + 0xffffffff, a[i].lds_limit);
		EXPECT_EQ(2ULL << 48, a[i].scratch_base);
		EXPECT_EQ((2ULL << 48) + 0xffffffff, a[i].scratch_limit);
		if (!kfd_is_ours())
			continue;
		EXPECT_EQ(0x4000, a[i].gpuvm_base);
		EXPECT_EQ(0x7fffffffffff, a[i].gpuvm_limit);
	}
}

TEST_F(aperture, count_only)
{
	uint32_t n = 0;

	ASSERT_OK(apertures(&self->k, NULL, &n));
	EXPECT_EQ(self->k.num_gpus, n);
}

TEST_F(aperture, array_too_short_and_too_long)
{
	struct kfd_process_device_apertures a[KFD_MAX_TEST_GPUS + 1] = { 0 };
	uint32_t n = 1;

	ASSERT_OK(apertures(&self->k, a, &n));
	EXPECT_EQ(1, n);
	EXPECT_NE(0, a[0].gpu_id);
	EXPECT_EQ(0, a[1].gpu_id);
	if (!kfd_is_ours())
		return;
	/* A count that no memory could hold is only an upper bound. */
	n = 0xffffffff;
	ASSERT_OK(apertures(&self->k, a, &n));
	EXPECT_EQ(self->k.num_gpus, n);
}

TEST_F(aperture, bad_array_is_EFAULT)
{
	uint32_t n = 1;

	EXPECT_ERR(EFAULT, apertures(&self->k, (void *)16, &n));
}

TEST_F(aperture, old_call_agrees)
{
	struct kfd_process_device_apertures a[KFD_MAX_TEST_GPUS] = { 0 };
	struct kfd_ioctl_get_process_apertures_args old = { 0 };
	uint32_t n = KFD_MAX_TEST_GPUS, i;

	ASSERT_OK(apertures(&self->k, a, &n));
	ASSERT_OK(kfd_call(self->k.fd, AMDKFD_IOC_GET_PROCESS_APERTURES, &old));
	ASSERT_EQ(n < NUM_OF_SUPPORTED_GPUS ? n : NUM_OF_SUPPORTED_GPUS, old.num_of_nodes);
	for (i = 0; i < old.num_of_nodes; i++)
		EXPECT_EQ(0, memcmp(&a[i], &old.process_apertures[i], sizeof(a[i])));
}

TEST_F(aperture, acquire_vm_twice_with_one_file)
{
	struct kfd_gpu *gpu = &self->k.gpu[0];

	ASSERT_OK(acquire(&self->k, gpu->drm_fd, gpu->gpu_id));
	EXPECT_OK(acquire(&self->k, gpu->drm_fd, gpu->gpu_id));
}

TEST_F(aperture, acquire_vm_with_another_file_is_EBUSY)
{
	struct kfd_gpu *gpu = &self->k.gpu[0];
	struct kfd second = self->k;
	struct kfd_bo bo;

	ASSERT_OK(acquire(&self->k, gpu->drm_fd, gpu->gpu_id));
	ASSERT_OK(kfd_open_drm(&second));
	EXPECT_ERR(EBUSY, acquire(&self->k, second.gpu[0].drm_fd, gpu->gpu_id));
	/* The first one still serves. */
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, KFD_PAGE, &bo));
	EXPECT_OK(kfd_bo_destroy(&self->k, &bo));
	close(second.gpu[0].drm_fd);
}

TEST_F(aperture, acquire_vm_of_another_process_is_refused)
{
	struct kfd_gpu *gpu = &self->k.gpu[0];
	pid_t child;
	int status;

	ASSERT_OK(acquire(&self->k, gpu->drm_fd, gpu->gpu_id));
	child = fork();
	if (!child) {
		struct kfd own;

		if (kfd_open(&own))
			_exit(1);
		_exit(-acquire(&own, gpu->drm_fd, gpu->gpu_id));
	}
	ASSERT_GT(child, 0);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(kfd_is_ours() ? EBUSY : EINVAL, WEXITSTATUS(status));
}

/* A file is free again once the process that had its VM is gone. */
TEST_F(aperture, acquire_vm_after_the_owner_is_gone)
{
	struct kfd_gpu *gpu = &self->k.gpu[0];
	uint64_t end;
	pid_t child;
	int status, ret;

	REQUIRE_OURS();
	child = fork();
	if (!child) {
		struct kfd own;

		if (kfd_open(&own))
			_exit(1);
		_exit(-acquire(&own, gpu->drm_fd, gpu->gpu_id));
	}
	ASSERT_GT(child, 0);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_EQ(0, status);
	/* Teardown is not finished by the time that wait returns. */
	end = kfd_now_ms() + PATIENCE;
	do
		ret = acquire(&self->k, gpu->drm_fd, gpu->gpu_id);
	while (ret == -EBUSY && kfd_now_ms() < end);
	EXPECT_OK(ret);
}

TEST_F(aperture, acquire_vm_bad_arguments)
{
	struct kfd_gpu *gpu = &self->k.gpu[0];
	int null = open("/dev/null", O_RDWR), pair[2];

	ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	EXPECT_ERR(EINVAL, acquire(&self->k, gpu->drm_fd, BAD_GPU));
	EXPECT_ERR(EINVAL, acquire(&self->k, gpu->drm_fd, 0));
	EXPECT_ERR_EITHER(EINVAL, EBADF, acquire(&self->k, -1, gpu->gpu_id));
	EXPECT_ERR_EITHER(EINVAL, EBADF, acquire(&self->k, 1000000, gpu->gpu_id));
	EXPECT_ERR(EINVAL, acquire(&self->k, null, gpu->gpu_id));
	EXPECT_ERR(EINVAL, acquire(&self->k, pair[0], gpu->gpu_id));
	EXPECT_ERR(EINVAL, acquire(&self->k, self->k.fd, gpu->gpu_id));
	/* None of that took the GPU. */
	EXPECT_OK(acquire(&self->k, gpu->drm_fd, gpu->gpu_id));
}

TEST_F(aperture, acquire_vm_of_another_gpu_is_EINVAL)
{
	REQUIRE_GPUS(&self->k, 2);
	EXPECT_ERR(EINVAL, acquire(&self->k, self->k.gpu[1].drm_fd, self->k.gpu[0].gpu_id));
}

TEST_F(aperture, vm_outlives_the_callers_descriptor)
{
	struct kfd_gpu *gpu = &self->k.gpu[0];
	struct kfd_bo bo;

	ASSERT_OK(acquire(&self->k, gpu->drm_fd, gpu->gpu_id));
	close(gpu->drm_fd);
	gpu->drm_fd = -1;
	ASSERT_OK(kfd_bo_alloc(&self->k, 0, MEM_VRAM, KFD_PAGE, &bo));
	EXPECT_OK(kfd_bo_map_gpu(&self->k, &bo, 0));
	EXPECT_OK(kfd_bo_destroy(&self->k, &bo));
}

TEST_F(aperture, nothing_works_without_a_vm)
{
	struct kfd_ioctl_create_queue_args queue = {
		.gpu_id = self->k.gpu[0].gpu_id,
		.queue_type = KFD_IOC_QUEUE_TYPE_SDMA,
		.queue_percentage = 100,
		.ring_size = 4096,
	};
	struct kfd_bo bo;

	EXPECT_ERR(ENODEV, kfd_bo_alloc(&self->k, 0, MEM_GTT, KFD_PAGE, &bo));
	EXPECT_ERR(ENODEV, kfd_bo_alloc(&self->k, 0, MEM_VRAM, KFD_PAGE, &bo));
	EXPECT_ERR_OR(ENODEV, ESRCH, kfd_call(self->k.fd, AMDKFD_IOC_CREATE_QUEUE, &queue));
}

TEST_F(aperture, memory_policy)
{
	struct kfd_gpu *gpu = &self->k.gpu[0];
	struct kfd_ioctl_set_memory_policy_args args = {
		.gpu_id = gpu->gpu_id,
		.default_policy = KFD_IOC_CACHE_POLICY_COHERENT,
		.alternate_policy = KFD_IOC_CACHE_POLICY_NONCOHERENT,
	};

	ASSERT_OK(acquire(&self->k, gpu->drm_fd, gpu->gpu_id));
	EXPECT_OK(kfd_call(self->k.fd, AMDKFD_IOC_SET_MEMORY_POLICY, &args));
	args.default_policy = 2;
	EXPECT_ERR(EINVAL, kfd_call(self->k.fd, AMDKFD_IOC_SET_MEMORY_POLICY, &args));
	args.default_policy = KFD_IOC_CACHE_POLICY_COHERENT;
	args.alternate_policy = 7;
	EXPECT_ERR(EINVAL, kfd_call(self->k.fd, AMDKFD_IOC_SET_MEMORY_POLICY, &args));
	args.alternate_policy = KFD_IOC_CACHE_POLICY_COHERENT;
	args.gpu_id = BAD_GPU;
	EXPECT_ERR(EINVAL, kfd_call(self->k.fd, AMDKFD_IOC_SET_MEMORY_POLICY, &args));
}

TEST_F(aperture, clocks_go_forward)
{
	struct kfd_ioctl_get_clock_counters_args a = { .gpu_id = self->k.gpu[0].gpu_id }, b = a;

	ASSERT_OK(kfd_call(self->k.fd, AMDKFD_IOC_GET_CLOCK_COUNTERS, &a));
	kfd_sleep_ms(20);
	ASSERT_OK(kfd_call(self->k.fd, AMDKFD_IOC_GET_CLOCK_COUNTERS, &b));
	EXPECT_EQ(1000000000, a.system_clock_freq);
	EXPECT_GT(b.gpu_clock_counter, a.gpu_clock_counter);
	EXPECT_GE(b.cpu_clock_counter, a.cpu_clock_counter + 20000000);
	EXPECT_GE(b.system_clock_counter, a.system_clock_counter + 20000000);
}

TEST_F(aperture, clocks_of_the_cpu_node)
{
	struct kfd_ioctl_get_clock_counters_args args = { .gpu_id = 0 };

	ASSERT_OK(kfd_call(self->k.fd, AMDKFD_IOC_GET_CLOCK_COUNTERS, &args));
	EXPECT_EQ(0, args.gpu_clock_counter);
	EXPECT_NE(0, args.cpu_clock_counter);
	EXPECT_NE(0, args.system_clock_counter);
}

TEST_F(aperture, scratch_and_trap_handler)
{
	struct kfd_gpu *gpu = &self->k.gpu[0];
	struct kfd_ioctl_set_scratch_backing_va_args scratch = {
		.va_addr = KFD_ARENA_BASE, .gpu_id = gpu->gpu_id,
	};
	struct kfd_ioctl_set_trap_handler_args trap = { .gpu_id = gpu->gpu_id };
	struct kfd_bo code;

	ASSERT_OK(acquire(&self->k, gpu->drm_fd, gpu->gpu_id));
	EXPECT_OK(kfd_call(self->k.fd, AMDKFD_IOC_SET_SCRATCH_BACKING_VA, &scratch));
	scratch.gpu_id = BAD_GPU;
	EXPECT_ERR(EINVAL, kfd_call(self->k.fd, AMDKFD_IOC_SET_SCRATCH_BACKING_VA, &scratch));
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_VRAM, 2 * KFD_PAGE, &code));
	trap.tba_addr = code.va;
	trap.tma_addr = code.va + KFD_PAGE;
	EXPECT_OK(kfd_call(self->k.fd, AMDKFD_IOC_SET_TRAP_HANDLER, &trap));
	trap.gpu_id = BAD_GPU;
	EXPECT_ERR(EINVAL, kfd_call(self->k.fd, AMDKFD_IOC_SET_TRAP_HANDLER, &trap));
	trap.gpu_id = gpu->gpu_id;
	trap.tba_addr = 0;
	trap.tma_addr = 0;
	EXPECT_OK(kfd_call(self->k.fd, AMDKFD_IOC_SET_TRAP_HANDLER, &trap));
	EXPECT_OK(kfd_bo_destroy(&self->k, &code));
}

TEST_F(aperture, xnack_query)
{
	struct kfd_ioctl_set_xnack_mode_args args = { .xnack_enabled = -1 };
	int32_t mode;

	ASSERT_OK(kfd_call(self->k.fd, AMDKFD_IOC_SET_XNACK_MODE, &args));
	ASSERT_GE(args.xnack_enabled, 0);
	ASSERT_LE(args.xnack_enabled, 1);
	/* What holds already can be asked for. */
	mode = args.xnack_enabled;
	EXPECT_OK(kfd_call(self->k.fd, AMDKFD_IOC_SET_XNACK_MODE, &args));
	EXPECT_EQ(mode, args.xnack_enabled);
}

TEST_F(aperture, available_memory_of_no_gpu_is_EINVAL)
{
	struct kfd_ioctl_get_available_memory_args args = { .gpu_id = BAD_GPU };

	EXPECT_ERR(EINVAL, kfd_call(self->k.fd, AMDKFD_IOC_AVAILABLE_MEMORY, &args));
	args.gpu_id = 0;
	EXPECT_ERR(EINVAL, kfd_call(self->k.fd, AMDKFD_IOC_AVAILABLE_MEMORY, &args));
}

/* What mainline answers for gfx9: tables of that many words with nothing in them. */
#define TILES	32
#define MACROS	16

TEST_F(aperture, tile_config)
{
	uint32_t tiles[TILES + 1], macros[MACROS + 1];
	struct kfd_ioctl_get_tile_config_args args = {
		.tile_config_ptr = (uintptr_t)tiles,
		.macro_tile_config_ptr = (uintptr_t)macros,
		.num_tile_configs = TILES + 1,
		.num_macro_tile_configs = MACROS + 1,
		.gpu_id = self->k.gpu[0].gpu_id,
		.num_banks = 7,
		.num_ranks = 7,
	};
	int i;

	memset(tiles, 0xff, sizeof(tiles));
	memset(macros, 0xff, sizeof(macros));
	ASSERT_OK(kfd_call(self->k.fd, AMDKFD_IOC_GET_TILE_CONFIG, &args));
	EXPECT_EQ(TILES, args.num_tile_configs);
	EXPECT_EQ(MACROS, args.num_macro_tile_configs);
	for (i = 0; i < TILES; i++)
		EXPECT_EQ(0, tiles[i]);
	for (i = 0; i < MACROS; i++)
		EXPECT_EQ(0, macros[i]);
	EXPECT_EQ(UINT32_MAX, tiles[TILES]);
	EXPECT_EQ(UINT32_MAX, macros[MACROS]);
	/* GB_ADDR_CONFIG of gfx900, as the render node's READ_MMR_REG has it */
	EXPECT_EQ(0x2a114042, args.gb_addr_config);
	EXPECT_EQ(0, args.num_banks);
	EXPECT_EQ(0, args.num_ranks);
}

TEST_F(aperture, tile_config_in_little_room)
{
	uint32_t tiles[2] = { UINT32_MAX, UINT32_MAX };
	struct kfd_ioctl_get_tile_config_args args = {
		.tile_config_ptr = (uintptr_t)tiles,
		.num_tile_configs = 1,
		.gpu_id = self->k.gpu[0].gpu_id,
	};

	ASSERT_OK(kfd_call(self->k.fd, AMDKFD_IOC_GET_TILE_CONFIG, &args));
	EXPECT_EQ(1, args.num_tile_configs);
	EXPECT_EQ(0, args.num_macro_tile_configs);
	EXPECT_EQ(0, tiles[0]);
	EXPECT_EQ(UINT32_MAX, tiles[1]);
}

TEST_F(aperture, tile_config_that_cannot_be_given)
{
	uint32_t tiles[TILES];
	struct kfd_ioctl_get_tile_config_args args = {
		.tile_config_ptr = (uintptr_t)tiles,
		.num_tile_configs = TILES,
		.num_macro_tile_configs = MACROS,
		.gpu_id = self->k.gpu[0].gpu_id,
	};

	/* the second table has no address */
	EXPECT_ERR(EFAULT, kfd_call(self->k.fd, AMDKFD_IOC_GET_TILE_CONFIG, &args));
	EXPECT_EQ(TILES, args.num_tile_configs);
	EXPECT_EQ(0, args.num_macro_tile_configs);
	args.tile_config_ptr = ~7ULL;
	EXPECT_ERR(EFAULT, kfd_call(self->k.fd, AMDKFD_IOC_GET_TILE_CONFIG, &args));
	EXPECT_EQ(0, args.num_tile_configs);
	args.gpu_id = BAD_GPU;
	EXPECT_ERR(EINVAL, kfd_call(self->k.fd, AMDKFD_IOC_GET_TILE_CONFIG, &args));
	args.gpu_id = 0;
	EXPECT_ERR(EINVAL, kfd_call(self->k.fd, AMDKFD_IOC_GET_TILE_CONFIG, &args));
}

KFD_TEST_MAIN
