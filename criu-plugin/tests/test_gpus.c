// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which GPU stands in for which when a process comes back, and which it needs.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <unistd.h>

#include "dump.h"
#include "fake_sys.h"
#include "flow.h"
#include "image.h"
#include "ktap.h"
#include "restore.h"

static void second_gpu(void)
{
	fake.nr_gpus = 2;
	fake.gpu_id[1] = 1001;
	fake.minor_nr[1] = 129;
	fake.user_gpu_id[1] = 501;
	fake_write_topology();
}

/* Two GPUs whose minors and ids are exchanged at restore. */
static void test_swapped_gpus(void)
{
	flow_machine_without_bos();
	second_gpu();
	flow_add_bo(KFD_IOC_ALLOC_MEM_FLAGS_VRAM, MIB, 0x10000000, 500);
	flow_add_bo(KFD_IOC_ALLOC_MEM_FLAGS_VRAM, MIB, 0x10000000, 501);
	CHECK(!dump_kfd_file(ktap_dirfd, fake_open_kfd(KFD_FD), KFD_ID));
	CHECK(!dump_render_file(ktap_dirfd, fake_open_render(128, 50), 50, 128));
	CHECK(!dump_render_file(ktap_dirfd, fake_open_render(129, 51), 51, 129));
	dump_finish();
	fake.minor_nr[0] = 129;
	fake.minor_nr[1] = 128;
	fake.gpu_id[0] = 1001;
	fake.gpu_id[1] = 1000;
	fake_write_topology();
	flow_install(restore_file(ktap_dirfd, 50), 50);
	flow_install(restore_file(ktap_dirfd, KFD_ID), KFD_FD);
	flow_install(restore_file(ktap_dirfd, 51), 51);
	CHECK(fake.devices[0].user_gpu_id == 500 && fake.devices[0].actual_gpu_id == 1001);
	CHECK(fake.drm_ino[0] == fake_ino(50) && fake.drm_ino[1] == fake_ino(51));
	flow_done();
}

static void test_no_matching_gpu(void)
{
	flow_machine();
	flow_dump();
	fake.nr_gpus = 0;
	fake_write_topology();
	flow_restore_fails(-ENODEV, "no GPU here can stand in for GPU 1000");
	flow_done();
}

/* Two GPUs, of which the process uses the first. */
static void machine_with_unused(void)
{
	flow_machine();
	second_gpu();
	fake.nr_used = 1;
}

/* Where there is one GPU from now on. */
static void machine_with_one(unsigned int gpu_id, unsigned int minor_nr)
{
	fake.nr_gpus = 1;
	fake.gpu_id[0] = gpu_id;
	fake.minor_nr[0] = minor_nr;
	fake_write_topology();
}

static void restored_on(unsigned int gpu_id)
{
	uint64_t off;
	int fd;

	flow_install(restore_file(ktap_dirfd, KFD_ID), KFD_FD);
	flow_install(restore_file(ktap_dirfd, RENDER_ID), RENDER_FD);
	CHECK(fake.devices[0].user_gpu_id == 500 && fake.devices[0].actual_gpu_id == gpu_id);
	flow_check_vmas(128);
	CHECK(restore_vma(ktap_dirfd, "/dev/dri/renderD129", 0, 0, &off, &fd) == -ENOTSUP);
	CHECK(!ktap_logged("Error"));
}

/* Who does not use a GPU does not need one for it, nor its render node. */
static void test_unused_gpu(void)
{
	machine_with_unused();
	flow_dump();
	machine_with_one(3000, 135);
	restored_on(3000);
	flow_done();
}

/* And of two that the dump's machine had, either may be the one. */
static void test_unused_gpu_stands_in(void)
{
	machine_with_unused();
	flow_dump();
	machine_with_one(1001, 129);
	restored_on(1001);
	flow_done();
}

/* criu sees more than the container does, or the other way round. */
static void test_more_gpus_than_dumped(void)
{
	machine_with_unused();
	machine_with_one(1000, 128);
	flow_dump();
	fake.nr_gpus = 2;
	fake_write_topology();
	restored_on(1000);
	flow_done();
}

/* One use after the other that the driver does not know of. */
static void needs_both(void)
{
	machine_with_one(1000, 128);
	flow_restore_fails(-ENODEV, "no GPU here can stand in for GPU 1001");
	CHECK(!fake.calls[KFD_CRIU_OP_RESTORE]);
	flow_done();
}

static void test_open_gpu(void)
{
	machine_with_unused();
	CHECK(!dump_render_file(ktap_dirfd, fake_open_render(129, 60), 60, 129));
	flow_dump();
	needs_both();
}

static void test_mapped_gpu(void)
{
	machine_with_unused();
	fake.mapped_minor = 129;
	flow_dump();
	needs_both();
}

static void test_gpu_of_a_kfd_page(void)
{
	machine_with_unused();
	fake.kfd_vma = 1001;
	flow_dump();
	needs_both();
}

/* An image of a plugin that did not look for what is used. */
static void test_use_not_known(void)
{
	KfdFileEntry *e;

	machine_with_unused();
	flow_dump();
	CHECK(!image_read_file(ktap_dirfd, KFD_ID, &e) && e->use);
	CHECK(e->use->n_gpu_ids == 1 && e->use->gpu_ids[0] == 1000);
	e->use = NULL;
	CHECK(!image_write_file(ktap_dirfd, KFD_ID, e));
	needs_both();
}

/* What criu may not see it cannot describe. */
static void test_gpu_hidden_from_criu(void)
{
	flow_machine();
	fake.user_gpu_id[1] = 501;
	fake.gpu_id[1] = 1001;
	fake.nr_used = 2;
	flow_dump_fails(-1, -ENODEV, "process 42: it uses GPU 1001, which criu may not see");
	flow_done();
}

/* A process in a container for each of two GPUs; criu sees both. */
static void machine_of_two_containers(bool shared)
{
	machine_with_unused();
	CHECK(!dump_kfd_file(ktap_dirfd, fake_open_kfd(KFD_FD), KFD_ID));
	CHECK(!dump_render_file(ktap_dirfd, fake_open_render(128, RENDER_FD), RENDER_ID, 128));
	fake.pid = 43;
	fake.real_pid = 4343;
	fake.gpu_id[0] = 1001;
	fake.minor_nr[0] = 129;
	fake.gpu_id[1] = 1000;
	fake.minor_nr[1] = 128;
	CHECK(!dump_kfd_file(ktap_dirfd, fake_open_kfd(KFD_FD), 30));
	fake.holder2 = shared ? 42 : 0;
	CHECK(!dump_render_file(ktap_dirfd, fake_open_render(129, 60), 60, 129));
	dump_finish();
}

static void test_two_containers(void)
{
	machine_of_two_containers(false);
	machine_with_one(1001, 129);
	CHECK(close(restore_file(ktap_dirfd, 30)) == 0);
	CHECK(fake.devices[0].actual_gpu_id == 1001);
	ktap_log[0] = '\0';
	fake.pid = 42;
	machine_with_one(1000, 128);
	restored_on(1000);
	flow_done();
}

/* A file that both have is of one GPU. */
static void test_two_containers_share(void)
{
	machine_of_two_containers(true);
	machine_with_one(1001, 129);
	fake.pid = 42;
	flow_restore_fails(-ENODEV, "no GPU here can stand in for GPU 1001");
	flow_done();
}

static const struct ktap_test tests[] = {
	{ "swapped_gpus", test_swapped_gpus },
	{ "no_matching_gpu", test_no_matching_gpu },
	{ "unused_gpu", test_unused_gpu },
	{ "unused_gpu_stands_in", test_unused_gpu_stands_in },
	{ "more_gpus_than_dumped", test_more_gpus_than_dumped },
	{ "open_gpu", test_open_gpu },
	{ "mapped_gpu", test_mapped_gpu },
	{ "gpu_of_a_kfd_page", test_gpu_of_a_kfd_page },
	{ "use_not_known", test_use_not_known },
	{ "gpu_hidden_from_criu", test_gpu_hidden_from_criu },
	{ "two_containers", test_two_containers },
	{ "two_containers_share", test_two_containers_share },
};

int main(void)
{
	return ktap_main(tests, sizeof(tests) / sizeof(tests[0]));
}
