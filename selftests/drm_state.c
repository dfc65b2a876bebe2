// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a dumper has to know of a render node: what a program has made through
 * it that is not KFD's (fdinfo counts it), and that what is left of a mapping
 * which was split can be mapped again piece by piece.
 */
#include <amdgpu.h>
#include <amdgpu_drm.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <xf86drm.h>

#include "lib/kfd_fdinfo.h"
#include "lib/kfd_test.h"

#define GEM_VA		0x100000000ULL
#define JOB_MS		30000

FIXTURE(drm_state)
{
	struct kfd k;
	int drm;
};

FIXTURE_SETUP(drm_state)
{
	ASSERT_OK(kfd_start(&self->k));
	self->drm = self->k.gpu[0].drm_fd;
}

FIXTURE_TEARDOWN(drm_state)
{
	kfd_stop(&self->k);
}

static uint64_t count_of(int fd, const char *key)
{
	char text[4096], name[64];

	snprintf(name, sizeof(name), "kfd-%s", key);
	if (kfd_fdinfo_read(getpid(), fd, text, sizeof(text)))
		return KFD_FDINFO_NONE;
	return kfd_fdinfo_value(text, name);
}

/* All that is counted; the sum is enough where nothing else is expected. */
static uint64_t count_all(int fd)
{
	return count_of(fd, "gem-handles") + count_of(fd, "contexts") +
	       count_of(fd, "bo-lists") + count_of(fd, "syncobjs") + count_of(fd, "jobs");
}

static uint32_t gem_make(int fd, uint64_t size)
{
	union drm_amdgpu_gem_create make = {
		.in = { .bo_size = size, .alignment = KFD_PAGE,
			.domains = AMDGPU_GEM_DOMAIN_GTT },
	};

	return kfd_call(fd, DRM_IOCTL_AMDGPU_GEM_CREATE, &make) ? 0 : make.out.handle;
}

static int gem_close(int fd, uint32_t handle)
{
	struct drm_gem_close gone = { .handle = handle };

	return kfd_call(fd, DRM_IOCTL_GEM_CLOSE, &gone);
}

static void *gem_map(int fd, uint32_t handle, uint64_t at, uint64_t size)
{
	union drm_amdgpu_gem_mmap where = { .in = { .handle = handle } };

	if (kfd_call(fd, DRM_IOCTL_AMDGPU_GEM_MMAP, &where))
		return MAP_FAILED;
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    (off_t)(where.out.addr_ptr + at));
}

static int gem_va(int fd, uint32_t handle, uint32_t operation)
{
	struct drm_amdgpu_gem_va va = {
		.handle = handle, .operation = operation, .va_address = GEM_VA,
		.flags = AMDGPU_VM_PAGE_READABLE | AMDGPU_VM_PAGE_WRITEABLE |
			 AMDGPU_VM_PAGE_EXECUTABLE,
		.map_size = KFD_PAGE,
	};

	return kfd_call(fd, DRM_IOCTL_AMDGPU_GEM_VA, &va);
}

/* 0: it failed */
static uint32_t ctx_make(int fd)
{
	union drm_amdgpu_ctx ctx = { .in = { .op = AMDGPU_CTX_OP_ALLOC_CTX } };

	return kfd_call(fd, DRM_IOCTL_AMDGPU_CTX, &ctx) ? 0 : ctx.out.alloc.ctx_id;
}

static int ctx_free(int fd, uint32_t id)
{
	union drm_amdgpu_ctx ctx = { .in = { .op = AMDGPU_CTX_OP_FREE_CTX, .ctx_id = id } };

	return kfd_call(fd, DRM_IOCTL_AMDGPU_CTX, &ctx);
}

static int list_call(int fd, uint32_t operation, uint32_t bo, uint32_t *list)
{
	struct drm_amdgpu_bo_list_entry entry = { .bo_handle = bo };
	union drm_amdgpu_bo_list args = {
		.in = { .operation = operation, .list_handle = *list, .bo_number = 1,
			.bo_info_size = sizeof(entry), .bo_info_ptr = (uintptr_t)&entry },
	};
	int ret = kfd_call(fd, DRM_IOCTL_AMDGPU_BO_LIST, &args);

	*list = args.out.list_handle;
	return ret;
}

static int submit(int fd, uint32_t ctx, uint64_t va, unsigned int dwords, uint64_t *seq)
{
	struct drm_amdgpu_cs_chunk_ib ib = {
		.ip_type = AMDGPU_HW_IP_DMA, .va_start = va, .ib_bytes = dwords * 4,
	};
	struct drm_amdgpu_cs_chunk chunk = {
		.chunk_id = AMDGPU_CHUNK_ID_IB, .length_dw = sizeof(ib) / 4,
		.chunk_data = (uintptr_t)&ib,
	};
	uint64_t chunks[] = { (uintptr_t)&chunk };
	union drm_amdgpu_cs cs = {
		.in = { .ctx_id = ctx, .num_chunks = 1, .chunks = (uintptr_t)chunks },
	};
	int ret = kfd_call(fd, DRM_IOCTL_AMDGPU_CS, &cs);

	*seq = cs.out.handle;
	return ret;
}

static int wait_job(int fd, uint32_t ctx, uint64_t seq)
{
	union drm_amdgpu_wait_cs wait = {
		.in = { .handle = seq, .timeout = (kfd_now_ms() + JOB_MS) * 1000000,
			.ip_type = AMDGPU_HW_IP_DMA, .ctx_id = ctx },
	};
	int ret = kfd_call(fd, DRM_IOCTL_AMDGPU_WAIT_CS, &wait);

	return ret ? ret : wait.out.status ? -ETIME : 0;
}

TEST_F(drm_state, buffers_of_kfd_do_not_count)
{
	struct kfd_bo vram, gtt, user;
	void *mem;

	REQUIRE_OURS();
	EXPECT_EQ(0, count_all(self->drm));
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_VRAM, 2 * KFD_PAGE, &vram));
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, 2 * KFD_PAGE, &gtt));
	mem = mmap(NULL, KFD_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, mem);
	ASSERT_OK(kfd_bo_userptr(&self->k, 0, mem, KFD_PAGE, &user));
	EXPECT_EQ(0, count_all(self->drm));
	EXPECT_OK(kfd_bo_destroy(&self->k, &user));
	EXPECT_OK(kfd_bo_destroy(&self->k, &gtt));
	EXPECT_OK(kfd_bo_destroy(&self->k, &vram));
}

static uint64_t vm_of_kfd(struct kfd *k, const char *word)
{
	char text[8192];

	if (kfd_fdinfo_read(getpid(), k->fd, text, sizeof(text)))
		return KFD_FDINFO_NONE;
	return kfd_fdinfo_word_of(text, "kfd-vm", k->gpu[0].gpu_id, word);
}

/* /dev/kfd tells of the file that it has the VM of, also when that is closed. */
TEST_F(drm_state, kfd_tells_of_a_closed_node)
{
	static const char * const words[] = {
		"gem-handles", "contexts", "bo-lists", "syncobjs", "jobs",
	};
	struct drm_syncobj_create sync = { 0 };
	struct kfd other = self->k;
	uint32_t gem, list = 0;
	unsigned int i;

	REQUIRE_OURS();
	for (i = 0; i < 5; i++)
		EXPECT_EQ(0, vm_of_kfd(&self->k, words[i])) TH_LOG("%s", words[i]);
	EXPECT_EQ(self->k.gpu[0].render_minor, vm_of_kfd(&self->k, "render-minor"));
	gem = gem_make(self->drm, KFD_PAGE);
	ASSERT_NE(0, gem_make(self->drm, KFD_PAGE));
	ASSERT_OK(list_call(self->drm, AMDGPU_BO_LIST_OP_CREATE, gem, &list));
	ASSERT_OK(kfd_call(self->drm, DRM_IOCTL_SYNCOBJ_CREATE, &sync));
	ASSERT_NE(0, ctx_make(self->drm));
	EXPECT_OK(gem_close(self->drm, gem));
	/* Of another file of the node it does not. */
	ASSERT_OK(kfd_open_drm(&other));
	ASSERT_NE(0, ctx_make(other.gpu[0].drm_fd));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(1, vm_of_kfd(&self->k, "gem-handles"));
		EXPECT_EQ(1, vm_of_kfd(&self->k, "contexts"));
		EXPECT_EQ(1, vm_of_kfd(&self->k, "bo-lists"));
		EXPECT_EQ(1, vm_of_kfd(&self->k, "syncobjs"));
		EXPECT_EQ(0, vm_of_kfd(&self->k, "jobs"));
		if (!i)
			ASSERT_OK(close(self->drm));
	}
	close(other.gpu[0].drm_fd);
	self->k.gpu[0].drm_fd = -1;
}

TEST_F(drm_state, kfd_tells_of_no_node_without_a_vm)
{
	char text[8192];
	struct kfd k;

	REQUIRE_OURS();
	ASSERT_OK(kfd_fdinfo_read(getpid(), self->k.fd, text, sizeof(text)));
	EXPECT_EQ(self->k.num_gpus, kfd_fdinfo_lines(text, "kfd-vm"));
	kfd_stop(&self->k);
	if (!fork()) {
		/* another process, which takes no VM */
		if (kfd_open(&k) || kfd_fdinfo_read(getpid(), k.fd, text, sizeof(text)))
			_exit(1);
		_exit(kfd_fdinfo_lines(text, "kfd-vm") ? 2 : 0);
	}
	ASSERT_NE(-1, wait(&self->drm));
	EXPECT_EQ(0, self->drm);
}

/* As libdrm opens a GPU: that alone makes nothing. */
TEST_F(drm_state, a_device_of_libdrm_is_nothing)
{
	amdgpu_device_handle dev;
	uint32_t major, minor;

	REQUIRE_OURS();
	ASSERT_OK(amdgpu_device_initialize(self->drm, &major, &minor, &dev));
	EXPECT_EQ(0, count_all(amdgpu_device_get_fd(dev)));
	EXPECT_EQ(0, count_all(self->drm));
	amdgpu_device_deinitialize(dev);
}

TEST_F(drm_state, handles_are_counted)
{
	uint32_t first = gem_make(self->drm, KFD_PAGE), second = gem_make(self->drm, KFD_PAGE);

	REQUIRE_OURS();
	ASSERT_NE(0, first);
	ASSERT_NE(0, second);
	EXPECT_EQ(2, count_of(self->drm, "gem-handles"));
	EXPECT_EQ(2, count_all(self->drm));
	EXPECT_OK(gem_close(self->drm, first));
	EXPECT_EQ(1, count_all(self->drm));
	EXPECT_OK(gem_close(self->drm, second));
	EXPECT_EQ(0, count_all(self->drm));
}

/* A handle of a buffer of KFD's is the program's all the same. */
TEST_F(drm_state, an_imported_handle_is_counted)
{
	struct kfd_snapshot s;
	struct kfd_bo bo;
	uint32_t handle;

	REQUIRE_OURS();
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_VRAM, KFD_PAGE, &bo));
	ASSERT_OK(kfd_snapshot_checkpoint(self->k.fd, &s));
	ASSERT_OK(kfd_criu_unpause(self->k.fd));
	/* The dumper's own DMA-BUFs are none. */
	EXPECT_EQ(0, count_all(self->drm));
	ASSERT_OK(drmPrimeFDToHandle(self->drm, (int)s.bos[0].dmabuf_fd, &handle));
	EXPECT_EQ(1, count_of(self->drm, "gem-handles"));
	EXPECT_OK(gem_close(self->drm, handle));
	EXPECT_EQ(0, count_all(self->drm));
	kfd_snapshot_free(&s);
	EXPECT_OK(kfd_bo_destroy(&self->k, &bo));
}

TEST_F(drm_state, contexts_lists_and_syncobjs_are_counted)
{
	uint32_t ctx = ctx_make(self->drm), gem = gem_make(self->drm, KFD_PAGE);
	struct drm_syncobj_create sync = { 0 };
	struct drm_syncobj_destroy gone = { 0 };
	uint32_t list = 0;

	REQUIRE_OURS();
	ASSERT_NE(0, ctx);
	EXPECT_EQ(1, count_of(self->drm, "contexts"));
	ASSERT_OK(list_call(self->drm, AMDGPU_BO_LIST_OP_CREATE, gem, &list));
	EXPECT_EQ(1, count_of(self->drm, "bo-lists"));
	ASSERT_OK(kfd_call(self->drm, DRM_IOCTL_SYNCOBJ_CREATE, &sync));
	EXPECT_EQ(1, count_of(self->drm, "syncobjs"));
	EXPECT_EQ(4, count_all(self->drm));
	gone.handle = sync.handle;
	EXPECT_OK(kfd_call(self->drm, DRM_IOCTL_SYNCOBJ_DESTROY, &gone));
	EXPECT_OK(list_call(self->drm, AMDGPU_BO_LIST_OP_DESTROY, gem, &list));
	EXPECT_OK(ctx_free(self->drm, ctx));
	EXPECT_OK(gem_close(self->drm, gem));
	EXPECT_EQ(0, count_all(self->drm));
}

/* What another open file of the same node has is that file's. */
TEST_F(drm_state, each_file_has_its_own)
{
	struct kfd other = self->k;
	uint32_t ctx;

	REQUIRE_OURS();
	ASSERT_OK(kfd_open_drm(&other));
	ctx = ctx_make(other.gpu[0].drm_fd);
	ASSERT_NE(0, ctx);
	EXPECT_EQ(1, count_all(other.gpu[0].drm_fd));
	EXPECT_EQ(0, count_all(self->drm));
	close(other.gpu[0].drm_fd);
}

/*
 * A job that waits, all that it was made with being gone: it is still under
 * way, in memory of KFD's.
 */
TEST_F(drm_state, a_job_under_way_is_counted)
{
	uint32_t ctx = ctx_make(self->drm), gem = gem_make(self->drm, KFD_PAGE);
	volatile uint32_t *gate;
	struct kfd_bo word;
	uint32_t *ib;
	uint64_t seq;

	REQUIRE_OURS();
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, KFD_PAGE, &word));
	gate = word.cpu;
	*gate = 0;
	ib = gem_map(self->drm, gem, 0, KFD_PAGE);
	ASSERT_NE(MAP_FAILED, ib);
	memset(ib, 0, 64);
	sdma_poll(ib, PM4_FUNC_EQUAL, word.va, 1, ~0u);
	ASSERT_OK(gem_va(self->drm, gem, AMDGPU_VA_OP_MAP));
	ASSERT_OK(submit(self->drm, ctx, GEM_VA, 8, &seq));
	EXPECT_EQ(1, count_of(self->drm, "jobs"));
	*gate = 1;
	ASSERT_OK(wait_job(self->drm, ctx, seq));
	/* Whoever has waited must not find it still there. */
	EXPECT_EQ(0, count_of(self->drm, "jobs"));
	munmap(ib, KFD_PAGE);
	EXPECT_OK(gem_va(self->drm, gem, AMDGPU_VA_OP_UNMAP));
	EXPECT_OK(gem_close(self->drm, gem));
	EXPECT_OK(ctx_free(self->drm, ctx));
	EXPECT_EQ(0, count_all(self->drm));
	EXPECT_OK(kfd_bo_destroy(&self->k, &word));
}

static void *part(int fd, uint64_t offset, uint64_t size, int prot, int flags)
{
	return mmap(NULL, size, prot, flags, fd, (off_t)offset);
}

static bool refused(int err, int fd, uint64_t offset, uint64_t size, int flags)
{
	void *p = part(fd, offset, size, PROT_READ | PROT_WRITE, flags);

	if (p != MAP_FAILED) {
		munmap(p, size);
		return false;
	}
	return errno == err;
}

TEST_F(drm_state, both_drivers_say_that_they_map_parts)
{
	REQUIRE_OURS();
	EXPECT_EQ(1, count_of(self->drm, "mmap-parts"));
	EXPECT_EQ(1, count_of(self->k.fd, "mmap-parts"));
}

/* Every page alone, and pieces of all lengths from all places. */
TEST_F(drm_state, parts_of_a_buffer)
{
	static const uint32_t kinds[] = { MEM_VRAM, MEM_GTT };
	struct kfd_bo before, bo, behind;
	unsigned int kind, first, n;
	char *whole, *p;

	REQUIRE_OURS();
	for (kind = 0; kind < 2; kind++) {
		ASSERT_OK(kfd_bo_create(&self->k, 0, kinds[kind], 2 * KFD_PAGE, &before));
		ASSERT_OK(kfd_bo_create(&self->k, 0, kinds[kind], 6 * KFD_PAGE, &bo));
		ASSERT_OK(kfd_bo_create(&self->k, 0, kinds[kind], 2 * KFD_PAGE, &behind));
		whole = bo.cpu;
		kfd_fill_pattern(whole, bo.size, kind);
		for (first = 0; first < 6; first++) {
			for (n = 1; n <= 6 - first; n++) {
				p = part(self->drm, bo.offset + first * KFD_PAGE, n * KFD_PAGE,
					 PROT_READ | PROT_WRITE, MAP_SHARED);
				ASSERT_NE(MAP_FAILED, p);
				EXPECT_EQ(0, memcmp(p, whole + first * KFD_PAGE, n * KFD_PAGE));
				p[n * KFD_PAGE - 1] ^= 1;
				EXPECT_EQ(p[n * KFD_PAGE - 1],
					  whole[(first + n) * KFD_PAGE - 1]);
				munmap(p, n * KFD_PAGE);
			}
			/* One page more than there is. */
			EXPECT_TRUE(refused(EINVAL, self->drm, bo.offset + first * KFD_PAGE,
					    (7 - first) * KFD_PAGE, MAP_SHARED));
		}
		EXPECT_TRUE(refused(EINVAL, self->drm, bo.offset + 5 * KFD_PAGE, 1ULL << 40,
				    MAP_SHARED));
		EXPECT_OK(kfd_bo_destroy(&self->k, &behind));
		EXPECT_OK(kfd_bo_destroy(&self->k, &bo));
		EXPECT_OK(kfd_bo_destroy(&self->k, &before));
	}
}

/* Faults, 2 MiB at a time, and where a piece that was cut and moved looks. */
TEST_F(drm_state, pieces_are_where_they_were)
{
	const uint64_t size = 5ULL << 20, cut = (2ULL << 20) + KFD_PAGE;
	struct kfd_bo bo;
	char *p, *moved;

	REQUIRE_OURS();
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_VRAM, size, &bo));
	kfd_fill_pattern(bo.cpu, size, 5);
	p = part(self->drm, bo.offset + cut, size - cut, PROT_READ, MAP_SHARED);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_OK(munmap(p + KFD_PAGE, KFD_PAGE));
	EXPECT_EQ(0, memcmp(p, (char *)bo.cpu + cut, KFD_PAGE));
	moved = mremap(p + 2 * KFD_PAGE, size - cut - 2 * KFD_PAGE, size - cut - 2 * KFD_PAGE,
		       MREMAP_MAYMOVE | MREMAP_FIXED, p + (16ULL << 20));
	ASSERT_EQ(p + (16ULL << 20), moved);
	EXPECT_EQ(0, memcmp(moved, (char *)bo.cpu + cut + 2 * KFD_PAGE,
			    size - cut - 2 * KFD_PAGE));
	munmap(p, KFD_PAGE);
	munmap(moved, size - cut - 2 * KFD_PAGE);
	EXPECT_OK(kfd_bo_destroy(&self->k, &bo));
}

TEST_F(drm_state, parts_are_as_guarded_as_the_whole)
{
	struct kfd second = self->k;
	struct kfd_bo bo;
	uint32_t handle;
	uint64_t at;
	void *p;

	REQUIRE_OURS();
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_VRAM, 4 * KFD_PAGE, &bo));
	ASSERT_OK(kfd_open_drm(&second));
	at = bo.offset + KFD_PAGE;
	EXPECT_TRUE(refused(EACCES, second.gpu[0].drm_fd, at, KFD_PAGE, MAP_SHARED));
	EXPECT_TRUE(refused(EINVAL, self->drm, at, KFD_PAGE, MAP_PRIVATE));
	/* libhsakmt's reservations, of which a part may be left, too */
	p = part(self->drm, at, 2 * KFD_PAGE, PROT_NONE, MAP_PRIVATE);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(-1, mprotect(p, KFD_PAGE, PROT_READ | PROT_WRITE));
	munmap(p, 2 * KFD_PAGE);
	EXPECT_OK(kfd_bo_destroy(&self->k, &bo));
	EXPECT_TRUE(refused(EINVAL, self->drm, at, KFD_PAGE, MAP_SHARED));

	/* With a handle, for as long as there is one. */
	handle = gem_make(self->drm, 4 * KFD_PAGE);
	ASSERT_NE(0, handle);
	p = gem_map(self->drm, handle, 2 * KFD_PAGE, 2 * KFD_PAGE);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(MAP_FAILED, gem_map(self->drm, handle, 2 * KFD_PAGE, 3 * KFD_PAGE));
	munmap(p, 2 * KFD_PAGE);
	EXPECT_OK(gem_close(self->drm, handle));
	close(second.gpu[0].drm_fd);
}

/* The doorbells' second page, and the first, each mapped alone. */
TEST_F(drm_state, parts_of_the_doorbells)
{
	uint64_t slice = 3ULL << 62 | (uint64_t)self->k.gpu[0].gpu_id << 46, at;
	struct kfd_queue q;
	uint32_t packet[8];
	struct kfd_bo word;
	char *page;

	REQUIRE_OURS();
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, 4096, &q));
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, KFD_PAGE, &word));
	munmap(q.doorbell_page, 2 * KFD_PAGE);
	q.doorbell_page = NULL;
	at = q.doorbell_offset & (2 * KFD_PAGE - 1);
	page = part(self->k.fd, slice + (at & ~(KFD_PAGE - 1)), KFD_PAGE, PROT_READ | PROT_WRITE,
		    MAP_SHARED);
	ASSERT_NE(MAP_FAILED, page);
	q.doorbell = (volatile uint64_t *)(page + (at & (KFD_PAGE - 1)));
	ASSERT_OK(kfd_queue_run(&q, packet, sdma_fence(packet, word.va, 0x77)));
	EXPECT_EQ(0x77, *(volatile uint32_t *)word.cpu);
	munmap(page, KFD_PAGE);

	EXPECT_TRUE(refused(EINVAL, self->k.fd, slice + KFD_PAGE, 2 * KFD_PAGE, MAP_SHARED));
	EXPECT_TRUE(refused(EINVAL, self->k.fd, slice + 2 * KFD_PAGE, KFD_PAGE, MAP_SHARED));
	EXPECT_TRUE(refused(EINVAL, self->k.fd, slice, 3 * KFD_PAGE, MAP_SHARED));
	EXPECT_OK(kfd_queue_destroy(&self->k, &q));
	EXPECT_OK(kfd_bo_destroy(&self->k, &word));
}

TEST_F(drm_state, parts_of_the_event_page)
{
	struct kfd_ioctl_create_event_args ev;
	uint64_t *whole, *page, at = 2ULL << 62;

	REQUIRE_OURS();
	ASSERT_OK(kfd_event_create(&self->k, KFD_IOC_EVENT_SIGNAL, false, &ev));
	whole = part(self->k.fd, at, KFD_EVENT_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED);
	ASSERT_NE(MAP_FAILED, whole);
	page = part(self->k.fd, at + 3 * KFD_PAGE, KFD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	ASSERT_NE(MAP_FAILED, page);
	page[5] = 0x1234;
	EXPECT_EQ(0x1234, whole[3 * 512 + 5]);
	EXPECT_TRUE(refused(EINVAL, self->k.fd, at + KFD_PAGE, KFD_EVENT_PAGE_SIZE, MAP_SHARED));
	EXPECT_TRUE(refused(EINVAL, self->k.fd, at + KFD_EVENT_PAGE_SIZE, KFD_PAGE, MAP_SHARED));
	munmap(page, KFD_PAGE);
	munmap(whole, KFD_EVENT_PAGE_SIZE);
	EXPECT_OK(kfd_event_destroy(&self->k, ev.event_id));
}

KFD_TEST_MAIN
