// SPDX-License-Identifier: GPL-2.0-only
/*
 * The modules stay while anything of theirs is in use: a file, a mapping, a
 * DMA-BUF, a paused process, each of them alone.
 *
 * A child makes the thing and drops everything else; the parent tries to
 * unload. That the modules do unload when nothing is left is run_guest's test.
 */
#include <amdgpu_drm.h>
#include <drm.h>
#include <fcntl.h>
#include <sys/syscall.h>

#include "lib/kfd_test.h"
#include "lib/kfd_workload.h"

/* What the child keeps. */
enum keep {
	KEEP_KFD,
	KEEP_RENDER,
	KEEP_DOORBELLS,
	KEEP_BUFFER,
	KEEP_DMABUF,
	KEEP_PAUSE,
};

/**
 * struct holder - the child
 * @ready: it has let go of all but one thing; or a negative errno
 * @go: it may end
 */
struct holder {
	volatile int ready;
	volatile int go;
};

FIXTURE(unload) { struct holder *h; };

FIXTURE_VARIANT(unload) { enum keep what; };

FIXTURE_VARIANT_ADD(unload, open_driver) { .what = KEEP_KFD };
FIXTURE_VARIANT_ADD(unload, open_render_node) { .what = KEEP_RENDER };
FIXTURE_VARIANT_ADD(unload, mapped_doorbells) { .what = KEEP_DOORBELLS };
FIXTURE_VARIANT_ADD(unload, mapped_buffer) { .what = KEEP_BUFFER };
FIXTURE_VARIANT_ADD(unload, exported_buffer) { .what = KEEP_DMABUF };
FIXTURE_VARIANT_ADD(unload, paused_process) { .what = KEEP_PAUSE };

FIXTURE_SETUP(unload)
{
	self->h = mmap(NULL, KFD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->h);
}

FIXTURE_TEARDOWN(unload)
{
	munmap(self->h, KFD_PAGE);
}

static int dmabuf(struct kfd *k)
{
	union drm_amdgpu_gem_create make = {
		.in = { .bo_size = KFD_PAGE, .alignment = KFD_PAGE,
			.domains = AMDGPU_GEM_DOMAIN_VRAM },
	};
	struct drm_prime_handle prime = { .flags = DRM_CLOEXEC | DRM_RDWR };
	int ret = kfd_call(k->gpu[0].drm_fd, DRM_IOCTL_AMDGPU_GEM_CREATE, &make);

	prime.handle = make.out.handle;
	return ret ? ret : kfd_call(k->gpu[0].drm_fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime);
}

/* Without /dev/kfd: a process that has opened it holds the modules to its end. */
static int keep_drm(enum keep what)
{
	struct kfd k = { .fd = -1 };
	int ret = kfd_topology_read(&k);

	if (!ret)
		ret = kfd_open_drm(&k);
	if (ret || what == KEEP_RENDER)
		return ret;
	ret = dmabuf(&k);
	kfd_stop(&k);
	return ret;
}

static int keep_kfd(enum keep what)
{
	struct kfd_ioctl_criu_args info;
	struct kfd_bo bo;
	struct kfd k;
	int ret;

	if (what == KEEP_KFD)
		return kfd_open(&k);
	ret = kfd_start(&k);
	if (ret)
		return ret;
	if (what == KEEP_PAUSE)
		return kfd_criu_info(k.fd, &info);
	if (what == KEEP_DOORBELLS)
		ret = kfd_bo_create(&k, 0, MEM_DOORBELL, 2 * KFD_PAGE, &bo);
	else
		ret = kfd_bo_create(&k, 0, MEM_VRAM, KFD_PAGE, &bo);
	kfd_stop(&k);
	return ret;
}

/* The first errno of an unload that would not have been refused is 0. */
static int try_unload(void)
{
	static const char * const modules[] = { "amdgpu_sim", "amdkfd" };
	unsigned int i;

	for (i = 0; i < 2; i++) {
		if (!syscall(SYS_delete_module, modules[i], O_NONBLOCK))
			return -EPROTO;
		if (errno != EWOULDBLOCK && errno != EBUSY)
			return -errno;
	}
	return 0;
}

static int stays(struct holder *h, enum keep what)
{
	pid_t child;
	int ret, ret2;

	memset(h, 0, sizeof(*h));
	child = fork();
	if (child < 0)
		return -errno;
	if (!child) {
		ret = what == KEEP_RENDER || what == KEEP_DMABUF ? keep_drm(what) : keep_kfd(what);
		h->ready = ret ? ret : 1;
		_exit(ret ? 1 : -kfd_wait_flag(&h->go));
	}
	ret = kfd_wait_flag(&h->ready);
	if (!ret)
		ret = h->ready < 0 ? h->ready : try_unload();
	h->go = 1;
	ret2 = kfd_wait_child(child);
	return ret ? ret : ret2;
}

TEST_F(unload, is_refused)
{
	REQUIRE_SIM();
	EXPECT_OK(stays(self->h, variant->what));
}

KFD_TEST_MAIN
