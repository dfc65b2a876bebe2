// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the tests of whole dumps and restores have in common: see flow.h.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dump.h"
#include "fake_sys.h"
#include "flow.h"
#include "ktap.h"
#include "restore.h"
#include "sys.h"

static void fill(int fd, uint64_t size, uint64_t seed)
{
	uint64_t page[512], at;
	unsigned int i;

	for (at = 0; at < size; at += 4096) {
		if ((at / 4096 + seed) % 3 == 0)
			continue;
		for (i = 0; i < 512; i++)
			page[i] = at * 512 + i * seed + 1;
		CHECK(pwrite(fd, page, 4096, at) == 4096);
	}
}

void flow_add_bo(uint32_t flags, uint64_t size, uint64_t offset, uint32_t gpu_id)
{
	unsigned int i = fake.nr_bos++;

	fake.bos[i] = (struct kfd_criu_bo_bucket) {
		.addr = 0x7f0000000000 + i * 0x10000000, .size = size, .offset = offset,
		.gpu_id = gpu_id, .alloc_flags = flags,
	};
	fake.memory[i] = -1;
	if (!(flags & (KFD_IOC_ALLOC_MEM_FLAGS_VRAM | KFD_IOC_ALLOC_MEM_FLAGS_GTT)))
		return;
	fake.memory[i] = memfd_create("bo", MFD_CLOEXEC);
	CHECK(fake.memory[i] >= 0 && !ftruncate(fake.memory[i], size));
	fill(fake.memory[i], size, i + 1);
}

void flow_one_gpu(void)
{
	fake.nr_gpus = 1;
	fake.gpu_id[0] = 1000;
	fake.minor_nr[0] = 128;
	fake.user_gpu_id[0] = 500;
	fake.pid = 42;
	fake.real_pid = 4242;
	fake.fail_op = -1;
	fake_write_topology();
}

void flow_machine_without_bos(void)
{
	flow_one_gpu();
	fake.render_vmas = 2;
}

void flow_machine(void)
{
	flow_machine_without_bos();
	flow_add_bo(KFD_IOC_ALLOC_MEM_FLAGS_VRAM, 12 * MIB, 0x10000000, 500);
	flow_add_bo(KFD_IOC_ALLOC_MEM_FLAGS_USERPTR, MIB, 0x20000000, 500);
	flow_add_bo(KFD_IOC_ALLOC_MEM_FLAGS_GTT, 64 * 1024, 0x30000000, 500);
	flow_add_bo(KFD_IOC_ALLOC_MEM_FLAGS_DOORBELL, 8192, DOORBELL, 500);
}

/* The topology is shown beside the test's directory: see fake_sys.c. */
void flow_done(void)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", sys_topology_root());
	CHECK(!system(cmd));
}

void flow_dump(void)
{
	CHECK(dump_is_our_render(fake.minor_nr[0]));
	CHECK(!dump_kfd_file(ktap_dirfd, fake_open_kfd(KFD_FD), KFD_ID));
	CHECK(!dump_render_file(ktap_dirfd, fake_open_render(fake.minor_nr[0], RENDER_FD),
				RENDER_ID, fake.minor_nr[0]));
	CHECK(fake.paused);
	dump_finish();
	CHECK(!fake.paused);
}

void flow_dump_fails(int op, int err, const char *message)
{
	unsigned int fds;
	int kfd;

	fake.fail_op = op;
	fake.fail_err = err;
	kfd = fake_open_kfd(KFD_FD);
	fds = fake_open_fds();
	CHECK(dump_kfd_file(ktap_dirfd, kfd, KFD_ID) == err);
	CHECK(!fake.paused);
	CHECK(ktap_logged(message));
	CHECK(fake_open_fds() == fds);
	CHECK(faccessat(ktap_dirfd, "kfd-file-7.img", F_OK, 0) &&
	      faccessat(ktap_dirfd, "kfd-process-7.img", F_OK, 0) &&
	      faccessat(ktap_dirfd, "kfd-contents-7-0.img", F_OK, 0));
	dump_finish();
}

int flow_install(int fd, int number)
{
	CHECK(fd >= 0);
	CHECK(fcntl(number, F_GETFD) < 0);
	CHECK(dup2(fd, number) == number);
	close(fd);
	return number;
}

void flow_check_contents(int render)
{
	unsigned int i;

	for (i = 0; i < fake.nr_bos; i++) {
		uint64_t size = fake.bos[i].size;
		char *a, *b;

		if (fake.memory[i] < 0)
			continue;
		a = mmap(NULL, size, PROT_READ, MAP_SHARED, fake.memory[i], 0);
		if (fake.no_dmabuf)
			b = mmap(NULL, size, PROT_READ, MAP_SHARED, render,
				 fake.restored[i].restored_offset);
		else
			b = mmap(NULL, size, PROT_READ, MAP_SHARED, fake.filled[i], 0);
		CHECK(a != MAP_FAILED && b != MAP_FAILED && !memcmp(a, b, size));
	}
}

void flow_check_vmas(unsigned int old_minor)
{
	char path[64];
	uint64_t off;
	int fd;

	snprintf(path, sizeof(path), "/dev/dri/renderD%u", old_minor);
	CHECK(restore_vma(ktap_dirfd, path, 0x7f0000000000, 0x10000000, &off, &fd) == 1);
	CHECK(off == fake.restored[0].restored_offset && fd == RENDER_FD);
	/* the later part of a buffer whose mapping was split */
	CHECK(restore_vma(ktap_dirfd, path, 0x7f0000001000, 0x10001000, &off, &fd) == 1);
	CHECK(off == fake.restored[0].restored_offset + 0x1000 && fd == RENDER_FD);
	CHECK(restore_vma(ktap_dirfd, "/dev/kfd", 0x1000, DOORBELL, &off, &fd) == 1);
	CHECK(off == (3ULL << 62 | (uint64_t)fake.gpu_id[0] << 46) && fd == KFD_FD);
	/* a page of the driver's own, for no buffer: of the GPU, of the process */
	CHECK(restore_vma(ktap_dirfd, "/dev/kfd", 0x1000, 1000ULL << 46 | 4096, &off, &fd) == 1);
	CHECK(off == ((uint64_t)fake.gpu_id[0] << 46 | 4096));
	CHECK(restore_vma(ktap_dirfd, "/dev/kfd", 0x1000, 500ULL << 46, &off, &fd) == 1);
	CHECK(off == (uint64_t)fake.gpu_id[0] << 46);
	CHECK(restore_vma(ktap_dirfd, "/dev/kfd", 0x1000, 2ULL << 62, &off, &fd) == 1);
	CHECK(off == 2ULL << 62);
	CHECK(restore_vma(ktap_dirfd, "/dev/zero", 0x1000, 0, &off, &fd) == -ENOTSUP);
	CHECK(restore_vma(ktap_dirfd, "/dev/dri/card0", 0x1000, 0, &off, &fd) == -ENOTSUP);
	CHECK(restore_vma(ktap_dirfd, "/dev/dri/renderD190", 0x1000, 0, &off, &fd) == -ENOTSUP);
}

void flow_restore_fails(int err, const char *message)
{
	unsigned int fds = fake_open_fds();

	ktap_log[0] = '\0';
	CHECK(restore_file(ktap_dirfd, KFD_ID) == err);
	CHECK(ktap_logged(message));
	/* nothing of the driver's is left but the render node it may own */
	CHECK(fake_open_fds() <= fds + 1);
}

void flow_spoil(const char *name, off_t at)
{
	int fd = openat(ktap_dirfd, name, O_RDWR);
	char c;

	CHECK(fd >= 0 && pread(fd, &c, 1, at) == 1);
	c ^= 0x10;
	CHECK(pwrite(fd, &c, 1, at) == 1);
	close(fd);
}
