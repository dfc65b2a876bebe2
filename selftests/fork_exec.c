// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a child process and a new program inherit, and what they must not: no
 * mapping of a device, no use of /dev/kfd by a file of the process before, and
 * after an exec nothing of the old image that a GPU could still reach.
 *
 * The new program is this one: --after says what it finds.
 */
#include <amdgpu_drm.h>
#include <drm.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>

#include "lib/kfd_mem.h"
#include "lib/kfd_smi.h"
#include "lib/kfd_test.h"
#include "lib/kfd_workload.h"

#define RING		(32 << 10)
#define IB_SIZE		(256 << 10)
#define IB_RUNS		1000	/* more than anybody waits for */
#define STILL_MS	100

KFD_FIXTURE(fork_exec);

/* --- what a child has -------------------------------------------------------- */

static int export_bo(struct kfd *k)
{
	union drm_amdgpu_gem_create make = {
		.in = { .bo_size = KFD_PAGE, .alignment = KFD_PAGE,
			.domains = AMDGPU_GEM_DOMAIN_GTT },
	};
	struct drm_prime_handle prime = { .flags = DRM_CLOEXEC | DRM_RDWR };
	int ret = kfd_call(k->gpu[0].drm_fd, DRM_IOCTL_AMDGPU_GEM_CREATE, &make);

	prime.handle = make.out.handle;
	if (!ret)
		ret = kfd_call(k->gpu[0].drm_fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime);
	return ret ? ret : prime.fd;
}

/* One mapping of everything that can be mapped; how many. */
static int map_everything(struct kfd *k, struct kfd_queue *q)
{
	static const uint32_t flags[] = { MEM_VRAM, MEM_GTT };
	struct kfd_ioctl_create_event_args ev;
	struct kfd_bo bo;
	int ret = 0, i, fd;

	for (i = 0; i < 2 && !ret; i++)
		ret = kfd_bo_create(k, 0, flags[i], KFD_PAGE, &bo);
	if (!ret)
		ret = kfd_bo_alloc(k, 0, MEM_MMIO, KFD_PAGE, &bo);
	if (!ret)
		ret = kfd_bo_map_cpu(k, &bo);
	/* Ring, pointers, doorbells. */
	if (!ret)
		ret = kfd_queue_create(k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, q);
	if (!ret)
		ret = kfd_event_create(k, KFD_IOC_EVENT_SIGNAL, true, &ev);
	if (ret)
		return ret;
	if (mmap(NULL, KFD_EVENT_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, k->fd,
		 (off_t)ev.event_page_offset) == MAP_FAILED)
		return -errno;
	/* As libhsakmt reserves what it will not touch. */
	ret = kfd_bo_alloc(k, 0, MEM_VRAM, KFD_PAGE, &bo);
	if (ret)
		return ret;
	if (mmap(NULL, KFD_PAGE, PROT_NONE, MAP_PRIVATE, k->gpu[0].drm_fd, (off_t)bo.offset) ==
	    MAP_FAILED)
		return -errno;
	fd = export_bo(k);
	if (fd < 0)
		return fd;
	if (mmap(NULL, KFD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED)
		return -errno;
	return 9;
}

static int count_maps(void *arg)
{
	(void)arg;
	return -kfd_device_maps();
}

TEST_F(fork_exec, child_has_no_device_mapping)
{
	struct kfd_queue q;
	pid_t pid;
	int how;

	REQUIRE_OURS();
	ASSERT_EQ(9, map_everything(&self->k, &q));
	ASSERT_EQ(9, kfd_device_maps());
	for (how = 0; how < KFD_NUM_COPYING; how++) {
		pid = kfd_spawn(how, count_maps, NULL);
		ASSERT_LT(0, pid);
		EXPECT_EQ(0, kfd_wait_child(pid)) TH_LOG("way %d", how);
	}
	/* Its own address space has them, whoever runs in it. */
	pid = kfd_spawn(KFD_CLONE_VM, count_maps, NULL);
	ASSERT_LT(0, pid);
	EXPECT_EQ(-9, kfd_wait_child(pid));
	EXPECT_EQ(9, kfd_device_maps());
}

/* --- what it can do with its parent's files ---------------------------------- */

/* Every operation, with an argument of the size that it has. */
static const unsigned long requests[] = {
	AMDKFD_IOC_GET_VERSION, AMDKFD_IOC_CREATE_QUEUE, AMDKFD_IOC_DESTROY_QUEUE,
	AMDKFD_IOC_SET_MEMORY_POLICY, AMDKFD_IOC_GET_CLOCK_COUNTERS,
	AMDKFD_IOC_GET_PROCESS_APERTURES, AMDKFD_IOC_UPDATE_QUEUE, AMDKFD_IOC_CREATE_EVENT,
	AMDKFD_IOC_DESTROY_EVENT, AMDKFD_IOC_SET_EVENT, AMDKFD_IOC_RESET_EVENT,
	AMDKFD_IOC_WAIT_EVENTS, AMDKFD_IOC_DBG_REGISTER_DEPRECATED,
	AMDKFD_IOC_DBG_UNREGISTER_DEPRECATED, AMDKFD_IOC_DBG_ADDRESS_WATCH_DEPRECATED,
	AMDKFD_IOC_DBG_WAVE_CONTROL_DEPRECATED, AMDKFD_IOC_SET_SCRATCH_BACKING_VA,
	AMDKFD_IOC_GET_TILE_CONFIG, AMDKFD_IOC_SET_TRAP_HANDLER,
	AMDKFD_IOC_GET_PROCESS_APERTURES_NEW, AMDKFD_IOC_ACQUIRE_VM,
	AMDKFD_IOC_ALLOC_MEMORY_OF_GPU, AMDKFD_IOC_FREE_MEMORY_OF_GPU,
	AMDKFD_IOC_MAP_MEMORY_TO_GPU, AMDKFD_IOC_UNMAP_MEMORY_FROM_GPU, AMDKFD_IOC_SET_CU_MASK,
	AMDKFD_IOC_GET_QUEUE_WAVE_STATE, AMDKFD_IOC_GET_DMABUF_INFO, AMDKFD_IOC_IMPORT_DMABUF,
	AMDKFD_IOC_ALLOC_QUEUE_GWS, AMDKFD_IOC_SMI_EVENTS, AMDKFD_IOC_SVM,
	AMDKFD_IOC_SET_XNACK_MODE, AMDKFD_IOC_CRIU_OP, AMDKFD_IOC_AVAILABLE_MEMORY,
	AMDKFD_IOC_VADDR_INFO, AMDKFD_IOC_CHANGE_OWNER,
};

_Static_assert(sizeof(requests) / sizeof(requests[0]) ==
	       AMDKFD_COMMAND_END - 1 + AMDKFD_EXTENSION_END - AMDKFD_EXTENSION_START,
	       "an operation is missing");

static bool maps(int fd, uint64_t type, uint32_t gpu_id, size_t size)
{
	off_t offset = (off_t)(type << 62 | (uint64_t)gpu_id << 46);

	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset) != MAP_FAILED ||
	       errno != EBADF;
}

/* Whoever has a context or shares one cannot adopt this one either. */
static bool is_dead(unsigned long request, int err)
{
	return err == EBADF || (err == EBUSY && request == AMDKFD_IOC_CHANGE_OWNER);
}

/* EBADF for all of it, or the errno that says what was not. */
static int kfd_file_is_dead(int fd, uint32_t gpu_id)
{
	struct kfd_ioctl_criu_args criu = { 0 };
	char args[4096] = "";
	unsigned int i;

	for (i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		if (ioctl(fd, requests[i], args) != -1 || !is_dead(requests[i], errno))
			return -EPROTO;
	for (criu.op = 0; criu.op < 6; criu.op++)
		if (ioctl(fd, AMDKFD_IOC_CRIU_OP, &criu) != -1 || errno != EBADF)
			return -EILSEQ;
	if (maps(fd, KFD_MMAP_TYPE_DOORBELLS, gpu_id, 2 * KFD_PAGE) ||
	    maps(fd, KFD_MMAP_TYPE_EVENTS, 0, KFD_PAGE) ||
	    maps(fd, 0, gpu_id, KFD_PAGE) || maps(fd, 1, gpu_id, KFD_PAGE))
		return -EBADMSG;
	return 0;
}

static int is_dead_in_child(void *arg)
{
	struct kfd *k = arg;

	return kfd_file_is_dead(k->fd, k->gpu[0].gpu_id);
}

TEST_F(fork_exec, file_of_the_parent_is_dead)
{
	struct kfd_queue q;
	uint32_t p[8];
	pid_t pid;
	int how;

	REQUIRE_OURS();
	ASSERT_EQ(9, map_everything(&self->k, &q));
	for (how = 0; how < KFD_NUM_COPYING; how++) {
		pid = kfd_spawn(how, is_dead_in_child, &self->k);
		ASSERT_LT(0, pid);
		EXPECT_OK(kfd_wait_child(pid)) TH_LOG("way %d", how);
	}
	ASSERT_OK(kfd_queue_run(&q, p, sdma_fence(p, q.ptrs.va, 0x600d)));
	EXPECT_EQ(0x600d, *(volatile uint32_t *)q.ptrs.cpu);
}

/*
 * Another process in the same memory is not the one that opened the file. What
 * it opens itself leads to the same state, which is not its own either.
 */
static int in_the_same_memory(void *arg)
{
	struct kfd_ioctl_get_version_args args;
	struct kfd *k = arg;
	int fd, ret;

	if (kfd_call(k->fd, AMDKFD_IOC_GET_VERSION, &args) != -EBADF)
		return -EPROTO;
	fd = open("/dev/kfd", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = kfd_call(fd, AMDKFD_IOC_GET_VERSION, &args);
	close(fd);
	return ret == -EBADF ? 0 : -EILSEQ;
}

TEST_F(fork_exec, same_memory_is_not_the_same_process)
{
	struct kfd_queue q;
	uint32_t p[8];
	pid_t pid;
	int i;

	REQUIRE_OURS();
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &q));
	for (i = 0; i < 2; i++) {
		pid = kfd_spawn(i ? KFD_CLONE_VFORK : KFD_CLONE_VM, in_the_same_memory, &self->k);
		ASSERT_LT(0, pid);
		EXPECT_OK(kfd_wait_child(pid));
	}
	ASSERT_OK(kfd_queue_run(&q, p, sdma_fence(p, q.ptrs.va, 0x600d)));
}

/* The VM of its parent's render node stays its parent's. */
static int uses_render_node(void *arg)
{
	union drm_amdgpu_gem_create make = {
		.in = { .bo_size = KFD_PAGE, .alignment = KFD_PAGE,
			.domains = AMDGPU_GEM_DOMAIN_VRAM },
	};
	struct drm_gem_close gone = { 0 };
	struct kfd *k = arg;
	struct kfd_ioctl_acquire_vm_args acquire = {
		.drm_fd = k->gpu[0].drm_fd, .gpu_id = k->gpu[0].gpu_id,
	};
	int fd = open("/dev/kfd", O_RDWR | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	if (kfd_call(fd, AMDKFD_IOC_ACQUIRE_VM, &acquire) != -EBUSY)
		return -EPROTO;
	ret = kfd_call(k->gpu[0].drm_fd, DRM_IOCTL_AMDGPU_GEM_CREATE, &make);
	gone.handle = make.out.handle;
	if (!ret)
		ret = kfd_call(k->gpu[0].drm_fd, DRM_IOCTL_GEM_CLOSE, &gone);
	close(k->gpu[0].drm_fd);
	close(k->fd);
	return ret;
}

TEST_F(fork_exec, other_files_of_the_parent_are_harmless)
{
	struct kfd_smi_line line;
	struct kfd_smi smi;
	struct kfd_mem m;
	struct kfd_queue q;
	pid_t pid;

	REQUIRE_OURS();
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &q));
	ASSERT_OK(kfd_mem_create(&self->k, &kfd_mem_userptr, KFD_ANONYMOUS, &m));
	ASSERT_OK(kfd_smi_open(&self->k, 0, SMI_BIT(QUEUE_EVICTION), &smi));
	pid = kfd_spawn(KFD_FORK, uses_render_node, &self->k);
	ASSERT_LT(0, pid);
	EXPECT_OK(kfd_wait_child(pid));
	/* The fork itself was an eviction, and ours to hear of. */
	EXPECT_OK(kfd_smi_expect(&smi, KFD_SMI_EVENT_QUEUE_EVICTION, getpid(), &line));
	ASSERT_OK(kfd_gpu_add(&q, m.p, 3));
	EXPECT_EQ(3, *(volatile uint64_t *)m.p);
	kfd_smi_close(&smi);
	EXPECT_OK(kfd_mem_destroy(&self->k, &m));
}

/* --- files that the driver makes --------------------------------------------- */

static int all_cloexec(const struct kfd_snapshot *s, unsigned int *files)
{
	uint32_t i;

	*files = 0;
	for (i = 0; i < s->info.num_bos; i++) {
		if (s->bos[i].dmabuf_fd == KFD_INVALID_FD)
			continue;
		(*files)++;
		if (fcntl((int)s->bos[i].dmabuf_fd, F_GETFD) != FD_CLOEXEC)
			return -EPROTO;
	}
	return 0;
}

static int restored_files(void *arg)
{
	struct kfd_snapshot *s = arg;
	unsigned int files;
	struct kfd k;
	int ret;

	ret = kfd_snapshot_open(&k, s);
	if (!ret)
		ret = kfd_snapshot_restore_op(&k, s);
	if (!ret)
		ret = all_cloexec(s, &files);
	return ret || files == 2 ? ret : -ENODATA;
}

TEST_F(fork_exec, dmabufs_of_checkpoint_and_restore_are_cloexec)
{
	struct kfd_snapshot s;
	struct kfd_bo vram, gtt;
	unsigned int files;

	REQUIRE_OURS();
	ASSERT_OK(kfd_bo_alloc(&self->k, 0, MEM_VRAM, KFD_PAGE, &vram));
	ASSERT_OK(kfd_bo_alloc(&self->k, 0, MEM_GTT, KFD_PAGE, &gtt));
	ASSERT_OK(kfd_snapshot_checkpoint(self->k.fd, &s));
	EXPECT_OK(all_cloexec(&s, &files));
	EXPECT_EQ(2, files);
	kfd_snapshot_close_fds(&s);
	EXPECT_OK(kfd_criu_unpause(self->k.fd));
	EXPECT_OK(kfd_in_child(restored_files, &s));
	kfd_snapshot_free(&s);
}

/* --- exec -------------------------------------------------------------------- */

/**
 * struct image - a process that will be another program
 * @memfd: a page of a file that its GPU counts in
 * @shared: what it and we tell each other
 * @sibling: another process shares its memory, and stays there until it is told
 *	to end
 */
struct image {
	int memfd;
	struct image_shared {
		volatile int ready;	/* its GPU counts; negative: what went wrong */
		volatile int go;	/* it may exec */
		volatile int end;	/* its sibling may end */
	} *shared;
	bool sibling;
};

/* Much work in one piece: nobody has to feed the queue. */
static int count_for_ever(struct kfd *k, struct kfd_queue *q, uint64_t va)
{
	struct kfd_bo ib;
	uint32_t p[8], *at;
	int ret, i;

	ret = kfd_bo_create(k, 0, MEM_GTT, IB_SIZE, &ib);
	if (ret)
		return ret;
	for (at = ib.cpu; (char *)at < (char *)ib.cpu + IB_SIZE; )
		at += sdma_atomic_add64(at, va, 1);
	for (i = 0; i < IB_RUNS && !ret; i++)
		ret = kfd_queue_emit(q, p, sdma_indirect(p, ib.va, IB_SIZE / 4));
	kfd_queue_submit(q);
	return ret;
}

static int old_image(const struct image *im, struct kfd *k)
{
	uint64_t *counter = mmap(NULL, KFD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, im->memfd, 0);
	struct kfd_queue q;
	struct kfd_bo bo;
	int ret;

	if (counter == MAP_FAILED)
		return -errno;
	ret = kfd_start(k);
	if (!ret)
		ret = kfd_bo_create(k, 0, MEM_VRAM, 4 << 20, &bo);
	if (!ret)
		ret = kfd_bo_userptr(k, 0, counter, KFD_PAGE, &bo);
	if (!ret)
		ret = kfd_queue_create(k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &q);
	/* The choice of whoever opens it. */
	if (!ret && (fcntl(k->fd, F_SETFD, 0) || fcntl(k->gpu[0].drm_fd, F_SETFD, 0)))
		ret = -errno;
	return ret ? ret : count_for_ever(k, &q, (uintptr_t)counter);
}

static int stays(void *arg)
{
	const struct image *im = arg;

	return kfd_wait_flag(&im->shared->end);
}

static int becomes_another(void *arg)
{
	const struct image *im = arg;
	char kfd[16], drm[16], gpu[16];
	struct kfd k;
	int ret = old_image(im, &k);

	if (!ret && im->sibling) {
		ret = kfd_spawn(KFD_CLONE_VM, stays, arg);
		ret = ret > 0 ? 0 : ret;
	}
	im->shared->ready = ret ? ret : 1;
	if (!ret)
		ret = kfd_wait_flag(&im->shared->go);
	if (ret)
		return ret;
	snprintf(kfd, sizeof(kfd), "%d", k.fd);
	snprintf(drm, sizeof(drm), "%d", k.gpu[0].drm_fd);
	snprintf(gpu, sizeof(gpu), "%u", k.gpu[0].gpu_id);
	execl("/proc/self/exe", "fork_exec", "--after", kfd, drm, gpu, NULL);
	return -errno;
}

/* What the new program finds: files, but nothing behind them, and its own way. */
static int after(int kfd, int drm, uint32_t gpu_id)
{
	struct kfd_queue q;
	struct kfd_bo bo;
	uint32_t p[8];
	struct kfd k;
	int ret;

	if (kfd_device_maps())
		return -ENOTUNIQ;
	ret = kfd_file_is_dead(kfd, gpu_id);
	if (ret)
		return ret;
	if (fcntl(drm, F_GETFD) < 0)
		return -ENOENT;
	ret = kfd_start(&k);
	if (!ret)
		ret = kfd_queue_create(&k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &q);
	if (!ret)
		ret = kfd_bo_create(&k, 0, MEM_VRAM, KFD_PAGE, &bo);
	if (!ret)
		ret = kfd_queue_run(&q, p, sdma_fence(p, bo.va, 0x600d));
	if (!ret && *(volatile uint32_t *)bo.cpu != 0x600d)
		ret = -EIO;
	/* That makes the old file no better. */
	return ret ? ret : kfd_file_is_dead(kfd, gpu_id);
}

static int start_image(struct image *im, volatile uint64_t **counter, pid_t *pid)
{
	uint64_t end = kfd_now_ms() + PATIENCE;
	int ret;

	im->memfd = memfd_create("counter", MFD_CLOEXEC);
	if (im->memfd < 0 || ftruncate(im->memfd, KFD_PAGE))
		return -errno;
	*counter = mmap(NULL, KFD_PAGE, PROT_READ, MAP_SHARED, im->memfd, 0);
	im->shared = mmap(NULL, KFD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			  -1, 0);
	if (*counter == MAP_FAILED || im->shared == MAP_FAILED)
		return -errno;
	*pid = kfd_spawn(KFD_FORK, becomes_another, im);
	if (*pid < 0)
		return *pid;
	ret = kfd_wait_flag(&im->shared->ready);
	if (ret || im->shared->ready < 0)
		return ret ? ret : im->shared->ready;
	while (!**counter) {
		if (kfd_now_ms() > end)
			return -ETIMEDOUT;
		kfd_sleep_ms(1);
	}
	return 0;
}

/* 1: it counts, 0: it does not. */
static int counts(volatile uint64_t *counter)
{
	uint64_t then = *counter, end = kfd_now_ms() + STILL_MS;

	while (kfd_now_ms() < end) {
		if (*counter != then)
			return 1;
		kfd_sleep_ms(1);
	}
	return 0;
}

static int stops_counting(volatile uint64_t *counter)
{
	uint64_t end = kfd_now_ms() + PATIENCE;

	while (counts(counter))
		if (kfd_now_ms() > end)
			return -ETIMEDOUT;
	return 0;
}

TEST_F_TIMEOUT(fork_exec, the_gpu_leaves_the_old_image, 60)
{
	struct image im = { .sibling = false };
	volatile uint64_t *counter;
	uint64_t before, seen;
	pid_t pid;

	REQUIRE_OURS();
	ASSERT_OK(kfd_available_settled(&self->k, 0, &before));
	ASSERT_OK(start_image(&im, &counter, &pid));
	ASSERT_EQ(1, counts(counter));
	im.shared->go = 1;
	/* Its new self has looked around when it ends. */
	ASSERT_OK(kfd_wait_child(pid));
	seen = *counter;
	EXPECT_EQ(0, counts(counter));
	EXPECT_LT(seen, (uint64_t)IB_RUNS * (IB_SIZE / 32));
	EXPECT_OK(kfd_vram_is_back(&self->k, before));
	EXPECT_EQ(seen, *counter);
}

/* An exec leaves the memory to those who share it, and so does the GPU. */
TEST_F_TIMEOUT(fork_exec, an_image_that_somebody_else_runs_in, 60)
{
	struct image im = { .sibling = true };
	volatile uint64_t *counter;
	uint64_t before;
	pid_t pid;

	REQUIRE_OURS();
	ASSERT_OK(kfd_available_settled(&self->k, 0, &before));
	ASSERT_OK(start_image(&im, &counter, &pid));
	im.shared->go = 1;
	ASSERT_OK(kfd_wait_child(pid));
	EXPECT_EQ(1, counts(counter));
	im.shared->end = 1;
	EXPECT_OK(stops_counting(counter));
	EXPECT_LT(*counter, (uint64_t)IB_RUNS * (IB_SIZE / 32));
	EXPECT_OK(kfd_vram_is_back(&self->k, before));
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "--after"))
		return -after(atoi(argv[2]), atoi(argv[3]), strtoul(argv[4], NULL, 10)) & 0xff;
	return kfd_test_main(argc, argv);
}
