// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whole dumps and restores, hook by hook as criu calls them, with a driver
 * that exists only here (fake_sys.c).
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
#include "image.h"
#include "ktap.h"
#include "restore.h"
#include "sys.h"

#define MIB		(1024 * 1024ULL)
#define KFD_ID		7u
#define RENDER_ID	8u
#define KFD_FD		40
#define RENDER_FD	41
#define DOORBELL	(3ULL << 62 | 1000ULL << 46)

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

static void add_bo(uint32_t flags, uint64_t size, uint64_t offset, uint32_t gpu_id)
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

static void machine_without_bos(void)
{
	fake.nr_gpus = 1;
	fake.gpu_id[0] = 1000;
	fake.minor_nr[0] = 128;
	fake.user_gpu_id[0] = 500;
	fake.pid = 42;
	fake.real_pid = 4242;
	fake.fail_op = -1;
	fake.render_vmas = 2;
	fake_write_topology();
}

static void machine(void)
{
	machine_without_bos();
	add_bo(KFD_IOC_ALLOC_MEM_FLAGS_VRAM, 12 * MIB, 0x10000000, 500);
	add_bo(KFD_IOC_ALLOC_MEM_FLAGS_USERPTR, MIB, 0x20000000, 500);
	add_bo(KFD_IOC_ALLOC_MEM_FLAGS_GTT, 64 * 1024, 0x30000000, 500);
	add_bo(KFD_IOC_ALLOC_MEM_FLAGS_DOORBELL, 8192, DOORBELL, 500);
}

/* The topology is shown beside the test's directory: see fake_sys.c. */
static void done(void)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", sys_topology_root());
	CHECK(!system(cmd));
}

static void dump_all(void)
{
	CHECK(dump_is_our_render(fake.minor_nr[0]));
	CHECK(!dump_kfd_file(ktap_dirfd, fake_open_kfd(KFD_FD), KFD_ID));
	CHECK(!dump_render_file(ktap_dirfd, fake_open_render(fake.minor_nr[0], RENDER_FD),
				RENDER_ID, fake.minor_nr[0]));
	CHECK(fake.paused);
	dump_finish();
	CHECK(!fake.paused);
}

/* What criu does with the fd that a hook returns. */
static int install(int fd, int number)
{
	CHECK(fd >= 0);
	CHECK(fcntl(number, F_GETFD) < 0);
	CHECK(dup2(fd, number) == number);
	close(fd);
	return number;
}

static void check_contents(int render)
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

static void check_vmas(unsigned int old_minor)
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

static void round_trip(bool kfd_first)
{
	unsigned int fds, old_minor;

	machine();
	dump_all();
	CHECK(fake.calls[KFD_CRIU_OP_UNPAUSE] == 1);
	old_minor = fake.minor_nr[0];
	fake.gpu_id[0] = 3000;
	fake.minor_nr[0] = 135;
	fake_write_topology();
	fds = fake_open_fds();
	if (kfd_first)
		install(restore_file(ktap_dirfd, KFD_ID), KFD_FD);
	install(restore_file(ktap_dirfd, RENDER_ID), RENDER_FD);
	if (!kfd_first)
		install(restore_file(ktap_dirfd, KFD_ID), KFD_FD);
	CHECK(fake_open_fds() == fds + 2);	/* nothing else is left open */
	CHECK(fake.devices[0].user_gpu_id == 500 && fake.devices[0].actual_gpu_id == 3000);
	CHECK(fake.drm_ino[0] == fake_ino(RENDER_FD));
	check_contents(RENDER_FD);
	check_vmas(old_minor);
	CHECK(!restore_resume(ktap_dirfd, 4242) && fake.resumed == 4242);
	fake.resumed = 0;
	CHECK(restore_resume(ktap_dirfd, 17) == -ENOTSUP && !fake.resumed);
	CHECK(restore_file(ktap_dirfd, 99) == -ENOTSUP);
	CHECK(!ktap_logged("Error"));
	done();
}

static void test_kfd_first(void)
{
	round_trip(true);
}

static void test_render_first(void)
{
	round_trip(false);
}

/* Two GPUs whose minors and ids are exchanged at restore. */
static void test_swapped_gpus(void)
{
	machine_without_bos();
	fake.nr_gpus = 2;
	fake.gpu_id[1] = 1001;
	fake.minor_nr[1] = 129;
	fake.user_gpu_id[1] = 501;
	fake_write_topology();
	add_bo(KFD_IOC_ALLOC_MEM_FLAGS_VRAM, MIB, 0x10000000, 500);
	add_bo(KFD_IOC_ALLOC_MEM_FLAGS_VRAM, MIB, 0x10000000, 501);
	CHECK(!dump_kfd_file(ktap_dirfd, fake_open_kfd(KFD_FD), KFD_ID));
	CHECK(!dump_render_file(ktap_dirfd, fake_open_render(128, 50), 50, 128));
	CHECK(!dump_render_file(ktap_dirfd, fake_open_render(129, 51), 51, 129));
	dump_finish();
	fake.minor_nr[0] = 129;
	fake.minor_nr[1] = 128;
	fake.gpu_id[0] = 1001;
	fake.gpu_id[1] = 1000;
	fake_write_topology();
	install(restore_file(ktap_dirfd, 50), 50);
	install(restore_file(ktap_dirfd, KFD_ID), KFD_FD);
	install(restore_file(ktap_dirfd, 51), 51);
	CHECK(fake.devices[0].user_gpu_id == 500 && fake.devices[0].actual_gpu_id == 1001);
	CHECK(fake.drm_ino[0] == fake_ino(50) && fake.drm_ino[1] == fake_ino(51));
	done();
}

/* Without a dmabuf, contents go through the process's render node. */
static void test_no_dmabuf(void)
{
	machine();
	fake.no_dmabuf = true;
	dump_all();
	install(restore_file(ktap_dirfd, KFD_ID), KFD_FD);
	install(restore_file(ktap_dirfd, RENDER_ID), RENDER_FD);
	check_contents(RENDER_FD);
	done();
}

static void test_no_bos(void)
{
	machine_without_bos();
	dump_all();
	install(restore_file(ktap_dirfd, KFD_ID), KFD_FD);
	install(restore_file(ktap_dirfd, RENDER_ID), RENDER_FD);
	CHECK(fake.calls[KFD_CRIU_OP_RESTORE] == 1);
	done();
}

/* /dev/kfd opened while there was no GPU: there is nothing, and that is fine. */
static void test_no_gpu(void)
{
	machine_without_bos();
	fake.nr_gpus = 0;
	fake_write_topology();
	fake.fail_op = KFD_CRIU_OP_PROCESS_INFO;
	fake.fail_err = -ENODEV;
	CHECK(!dump_kfd_file(ktap_dirfd, fake_open_kfd(KFD_FD), KFD_ID));
	dump_finish();
	CHECK(!fake.calls[KFD_CRIU_OP_CHECKPOINT] && !fake.calls[KFD_CRIU_OP_UNPAUSE]);
	install(restore_file(ktap_dirfd, KFD_ID), KFD_FD);
	CHECK(!fake.calls[KFD_CRIU_OP_RESTORE]);
	CHECK(restore_resume(ktap_dirfd, 4242) == -ENOTSUP);
	done();
}

/* /dev/kfd opened twice by a process: one state. */
static void test_two_kfd_files(void)
{
	machine();
	CHECK(!dump_kfd_file(ktap_dirfd, fake_open_kfd(30), 30));
	dump_all();
	CHECK(fake.calls[KFD_CRIU_OP_CHECKPOINT] == 1 && fake.calls[KFD_CRIU_OP_UNPAUSE] == 1);
	install(restore_file(ktap_dirfd, KFD_ID), KFD_FD);
	install(restore_file(ktap_dirfd, 30), 30);
	install(restore_file(ktap_dirfd, RENDER_ID), RENDER_FD);
	CHECK(fake.calls[KFD_CRIU_OP_RESTORE] == 1);
	CHECK(fake_ino(30) != fake_ino(KFD_FD));
	check_contents(RENDER_FD);
	done();
}

/* Two render node fds that were two files: both can map the buffers. */
static void test_two_render_files(void)
{
	unsigned int fds;

	machine();
	CHECK(!dump_render_file(ktap_dirfd, fake_open_render(128, 60), 60, 128));
	dump_all();
	fds = fake_open_fds();
	install(restore_file(ktap_dirfd, RENDER_ID), RENDER_FD);
	install(restore_file(ktap_dirfd, KFD_ID), KFD_FD);
	install(restore_file(ktap_dirfd, 60), 60);
	CHECK(fake_ino(60) == fake_ino(RENDER_FD));
	CHECK(fake_open_fds() == fds + 3);
	done();
}

/* Mapped, but the process had closed its render node: one fd stays. */
static void test_mapped_not_open(void)
{
	unsigned int fds;
	uint64_t off;
	int fd;

	machine();
	CHECK(!dump_kfd_file(ktap_dirfd, fake_open_kfd(KFD_FD), KFD_ID));
	dump_finish();
	fds = fake_open_fds();
	install(restore_file(ktap_dirfd, KFD_ID), KFD_FD);
	CHECK(restore_vma(ktap_dirfd, "/dev/dri/renderD128", 0, 0x30000000, &off, &fd) == 1);
	CHECK(fake_ino(fd) == fake.drm_ino[0] && off == fake.restored[2].restored_offset);
	CHECK(fake_open_fds() == fds + 2);
	CHECK(ktap_logged("renderD128 is mapped but not open"));
	done();
}

/* Neither mapped nor open: no fd stays. */
static void test_not_mapped_not_open(void)
{
	unsigned int fds;

	machine();
	fake.render_vmas = 0;
	CHECK(!dump_kfd_file(ktap_dirfd, fake_open_kfd(KFD_FD), KFD_ID));
	dump_finish();
	fds = fake_open_fds();
	install(restore_file(ktap_dirfd, KFD_ID), KFD_FD);
	CHECK(fake_open_fds() == fds + 1);
	done();
}

/* A mapping that cannot be right must not be made, which needs a trick. */
static void test_bad_vma(void)
{
	uint64_t off = 1;
	int fd = -1;

	machine();
	dump_all();
	install(restore_file(ktap_dirfd, KFD_ID), KFD_FD);
	install(restore_file(ktap_dirfd, RENDER_ID), RENDER_FD);
	CHECK(restore_vma(ktap_dirfd, "/dev/dri/renderD128", 0x5000, 0x40000000, &off, &fd) == 1);
	CHECK(off == ~0xfffULL && dup(fd) < 0);
	CHECK(ktap_logged("mapping of /dev/dri/renderD128 at 0x5000, offset 0x40000000"));
	CHECK(restore_vma(ktap_dirfd, "/dev/kfd", 0x6000, 77ULL << 46, &off, &fd) == 1);
	CHECK(off == ~0xfffULL && dup(fd) < 0);
	done();
}

static void dump_fails(int op, int err, const char *message)
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

static void test_dump_errors(void)
{
	machine();
	dump_fails(KFD_CRIU_OP_PROCESS_INFO, -EACCES, "CAP_CHECKPOINT_RESTORE");
	dump_fails(KFD_CRIU_OP_PROCESS_INFO, -ETIME, "a queue did not stop in time");
	dump_fails(KFD_CRIU_OP_CHECKPOINT, -EINVAL, "CHECKPOINT of 1 GPUs, 4 BOs");
	CHECK(!ktap_logged("the driver refused"));
	/* its own words are printed as they are */
	fake.refusal = "PROCESS_INFO EXDEV buffer 0x7 was imported from a dma-buf";
	dump_fails(KFD_CRIU_OP_PROCESS_INFO, -EXDEV, "it has imported a buffer");
	dump_fails(KFD_CRIU_OP_PROCESS_INFO, -EXDEV,
		   "the driver refused: PROCESS_INFO EXDEV buffer 0x7 was imported from a dma-buf");
	dump_fails(KFD_CRIU_OP_CHECKPOINT, -EXDEV, "the driver refused: ");
	fake.refusal = NULL;
	fake.bos[0].size = 0;
	dump_fails(-1, -EINVAL, "BO 0 (VRAM, 0x7f0000000000, 0 MiB): impossible size");
	/* a buffer smaller than it says: SIGBUS while it is read */
	fake.bos[0].size = 64 * MIB;
	dump_fails(-1, -EFAULT, "64 MiB): mapped buffer cannot be accessed at 0x");
	done();
}

static void dump_dead(void)
{
	CHECK(!dump_kfd_file(ktap_dirfd, fake_open_kfd(KFD_FD), KFD_ID));
	CHECK(!fake.calls[KFD_CRIU_OP_PROCESS_INFO] && !fake.paused);
	CHECK(ktap_logged("file 0x7 of /dev/kfd: the process that opened it is gone"));
	CHECK(!ktap_logged("Error"));
	dump_finish();
}

static void restore_dead(int pid)
{
	int fd;

	fake.pid = pid;
	fd = restore_file(ktap_dirfd, KFD_ID);
	CHECK(fd >= 0);
	close(fd);
}

static void dump_drained(const char *ms, const char *only, uint64_t request, int ret,
			 const char *message)
{
	ktap_log[0] = '\0';
	fake.request = 0;
	CHECK(!setenv("KFD_PLUGIN_DRAIN_MS", ms, 1) && !setenv("KFD_PLUGIN_DRAIN_ONLY", only, 1));
	CHECK(dump_kfd_file(ktap_dirfd, fake_open_kfd(KFD_FD), KFD_ID) == ret);
	CHECK(fake.request == request && ktap_logged(message));
	/* what is not wanted is not left paused */
	CHECK(fake.paused == !ret);
	dump_finish();
	CHECK(!fake.paused);
	CHECK(!unsetenv("KFD_PLUGIN_DRAIN_MS") && !unsetenv("KFD_PLUGIN_DRAIN_ONLY"));
}

/* What the environment asks for reaches the driver, whether it knows it or not. */
static void test_drain(void)
{
	machine();
	dump_drained("", "1", 0, -EINVAL, "KFD_PLUGIN_DRAIN_ONLY=1: without KFD_PLUGIN_DRAIN_MS");
	dump_drained("250", "", KFD_CRIU_DRAIN | 250, 0,
		     "Warning: process 42: this driver does not wait for queues");
	dump_drained("250", "1", KFD_CRIU_DRAIN | KFD_CRIU_DRAIN_ONLY | 250, -EOPNOTSUPP,
		     "Error: process 42: this driver does not wait for queues");
	fake.drains = true;
	dump_drained("0", "0", KFD_CRIU_DRAIN, 0, "a queue was stopped in the middle");
	dump_drained("60000", "1", KFD_CRIU_DRAIN | KFD_CRIU_DRAIN_ONLY | 60000, 0,
		     "a queue was stopped in the middle");
	dump_drained("60001", "", 0, -EINVAL, "KFD_PLUGIN_DRAIN_MS=60001: not a number");
	dump_drained("10ms", "", 0, -EINVAL, "KFD_PLUGIN_DRAIN_MS=10ms: not a number");
	dump_drained("-1", "", 0, -EINVAL, "KFD_PLUGIN_DRAIN_MS=-1: not a number");
	/* the hint is that of what has happened */
	fake.fail_op = KFD_CRIU_OP_PROCESS_INFO;
	fake.fail_err = -ETIME;
	fake.refusal = "PROCESS_INFO ETIME queue 3 of GPU 500 is not drained";
	dump_drained("20", "1", 0, -ETIME, "(not done within KFD_PLUGIN_DRAIN_MS, as");
	CHECK(!ktap_logged("less busy"));
	fake.refusal = "PROCESS_INFO ETIME queue 3 of GPU 500 does not stop";
	dump_drained("20", "1", 0, -ETIME, "(a queue did not stop in time");
	CHECK(!ktap_logged("not done within"));
	done();
}

/* A file whose process is gone comes back as one whose process is gone. */
static void test_dead_file(void)
{
	machine();
	fake.owner = 17;
	fake.owner_dead = true;
	dump_dead();
	restore_dead(42);
	restore_dead(43);
	/* it needs no GPU */
	fake.nr_gpus = 0;
	restore_dead(44);
	CHECK(fake.dead_opens == 3 && !fake.calls[KFD_CRIU_OP_RESTORE]);
	CHECK(restore_resume(ktap_dirfd, 4242) == -ENOTSUP);
	done();
}

/* What EBADF means is said, and nothing is left. */
static void test_foreign_file(void)
{
	machine();
	fake.owner = 17;
	dump_fails(KFD_CRIU_OP_PROCESS_INFO, -EBADF,
		   "process 42: its file of /dev/kfd is process 17's, which is not dumped");
	fake.owner = fake.real_pid;
	dump_fails(KFD_CRIU_OP_PROCESS_INFO, -EBADF,
		   "process 42: its file of /dev/kfd is from before an exec");
	fake.owner = 0;
	dump_fails(KFD_CRIU_OP_PROCESS_INFO, -EBADF,
		   "process 42: its file of /dev/kfd was opened by a process that is gone or is not");
	done();
}

/* What could not be restored is not dumped: see test_wrong_process(). */
static void test_wrong_opener(void)
{
	machine();
	fake.holder_pid = 41;
	dump_fails(-1, -EXDEV,
		   "is process 42's, but at restore process 41 would have to open it");
	CHECK(!fake.calls[KFD_CRIU_OP_CHECKPOINT]);
	done();
}

static void restore_fails(int err, const char *message)
{
	unsigned int fds = fake_open_fds();

	ktap_log[0] = '\0';
	CHECK(restore_file(ktap_dirfd, KFD_ID) == err);
	CHECK(ktap_logged(message));
	/* nothing of the driver's is left but the render node it may own */
	CHECK(fake_open_fds() <= fds + 1);
}

static void spoil(const char *name, off_t at)
{
	int fd = openat(ktap_dirfd, name, O_RDWR);
	char c;

	CHECK(fd >= 0 && pread(fd, &c, 1, at) == 1);
	c ^= 0x10;
	CHECK(pwrite(fd, &c, 1, at) == 1);
	close(fd);
}

static void test_restore_errors(void)
{
	machine();
	dump_all();
	fake.fail_op = KFD_CRIU_OP_RESTORE;
	fake.fail_err = -ENOMEM;
	restore_fails(-ENOMEM, "not enough VRAM");
	fake.fail_err = -EINVAL;
	restore_fails(-EINVAL, "the image is damaged");
	fake.fail_op = -1;
	spoil("kfd-process-7.img", 100);
	restore_fails(-EINVAL, "kfd-process-7.img: checksum mismatch");
	spoil("kfd-process-7.img", 100);
	CHECK(!renameat(ktap_dirfd, "kfd-contents-7-0.img", ktap_dirfd, "away"));
	restore_fails(-ENOENT, "kfd-contents-7-0.img: cannot be opened");
	CHECK(!renameat(ktap_dirfd, "away", ktap_dirfd, "kfd-contents-7-0.img"));
	spoil("kfd-contents-7-0.img", 4096 + 2 * MIB);
	restore_fails(-EIO, "contents checksum mismatch at 0x");
	CHECK(ktap_logged("process 42: BO "));
	spoil("kfd-contents-7-0.img", 4096 + 2 * MIB);
	CHECK(restore_file(ktap_dirfd, KFD_ID) >= 0);
	done();
}

static void test_no_matching_gpu(void)
{
	machine();
	dump_all();
	fake.nr_gpus = 0;
	fake_write_topology();
	restore_fails(-ENODEV, "no GPU here can stand in for GPU 1000");
	done();
}

/* Two GPUs, of which the process uses the first. */
static void machine_with_unused(void)
{
	machine();
	fake.nr_gpus = 2;
	fake.nr_used = 1;
	fake.gpu_id[1] = 1001;
	fake.minor_nr[1] = 129;
	fake.user_gpu_id[1] = 501;
	fake_write_topology();
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

	install(restore_file(ktap_dirfd, KFD_ID), KFD_FD);
	install(restore_file(ktap_dirfd, RENDER_ID), RENDER_FD);
	CHECK(fake.devices[0].user_gpu_id == 500 && fake.devices[0].actual_gpu_id == gpu_id);
	check_vmas(128);
	CHECK(restore_vma(ktap_dirfd, "/dev/dri/renderD129", 0, 0, &off, &fd) == -ENOTSUP);
	CHECK(!ktap_logged("Error"));
}

/* Who does not use a GPU does not need one for it, nor its render node. */
static void test_unused_gpu(void)
{
	machine_with_unused();
	dump_all();
	machine_with_one(3000, 135);
	restored_on(3000);
	done();
}

/* And of two that the dump's machine had, either may be the one. */
static void test_unused_gpu_stands_in(void)
{
	machine_with_unused();
	dump_all();
	machine_with_one(1001, 129);
	restored_on(1001);
	done();
}

/* criu sees more than the container does, or the other way round. */
static void test_more_gpus_than_dumped(void)
{
	machine_with_unused();
	machine_with_one(1000, 128);
	dump_all();
	fake.nr_gpus = 2;
	fake_write_topology();
	restored_on(1000);
	done();
}

/* One use after the other that the driver does not know of. */
static void needs_both(void)
{
	machine_with_one(1000, 128);
	restore_fails(-ENODEV, "no GPU here can stand in for GPU 1001");
	CHECK(!fake.calls[KFD_CRIU_OP_RESTORE]);
	done();
}

static void test_open_gpu(void)
{
	machine_with_unused();
	CHECK(!dump_render_file(ktap_dirfd, fake_open_render(129, 60), 60, 129));
	dump_all();
	needs_both();
}

static void test_mapped_gpu(void)
{
	machine_with_unused();
	fake.mapped_minor = 129;
	dump_all();
	needs_both();
}

static void test_gpu_of_a_kfd_page(void)
{
	machine_with_unused();
	fake.kfd_vma = 1001;
	dump_all();
	needs_both();
}

/* An image of a plugin that did not look for what is used. */
static void test_use_not_known(void)
{
	KfdFileEntry *e;

	machine_with_unused();
	dump_all();
	CHECK(!image_read_file(ktap_dirfd, KFD_ID, &e) && e->use);
	CHECK(e->use->n_gpu_ids == 1 && e->use->gpu_ids[0] == 1000);
	e->use = NULL;
	CHECK(!image_write_file(ktap_dirfd, KFD_ID, e));
	needs_both();
}

/* What criu may not see it cannot describe. */
static void test_gpu_hidden_from_criu(void)
{
	machine();
	fake.user_gpu_id[1] = 501;
	fake.gpu_id[1] = 1001;
	fake.nr_used = 2;
	dump_fails(-1, -ENODEV, "process 42: it uses GPU 1001, which criu may not see");
	done();
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
	done();
}

/* A file that both have is of one GPU. */
static void test_two_containers_share(void)
{
	machine_of_two_containers(true);
	machine_with_one(1001, 129);
	fake.pid = 42;
	restore_fails(-ENODEV, "no GPU here can stand in for GPU 1001");
	done();
}

/* A shared file that criu would have the wrong process open. */
static void test_wrong_process(void)
{
	machine();
	dump_all();
	fake.pid = 41;
	restore_fails(-EINVAL, "the GPU state behind it is process 42's");
	done();
}

/* criu does not look: nothing of a tree in which a RESUME failed may go on. */
static void test_resume_error(void)
{
	machine();
	dump_all();
	CHECK(restore_resume(ktap_dirfd, 17) == -ENOTSUP && !fake.kills);
	fake.fail_op = KFD_CRIU_OP_RESUME;
	fake.fail_err = -EFAULT;
	CHECK(restore_resume(ktap_dirfd, 4242) == -EFAULT);
	CHECK(ktap_logged("process 4242: RESUME failed: Bad address"));
	CHECK(ktap_logged("Error: process 4242: its GPU queues cannot run"));
	CHECK(fake.kills == 1 && fake.killed == 4242);
	/* nobody's queues run in a tree that dies */
	fake.fail_op = -1;
	fake.calls[KFD_CRIU_OP_RESUME] = 0;
	CHECK(restore_resume(ktap_dirfd, 4242) == -ESRCH);
	CHECK(!fake.calls[KFD_CRIU_OP_RESUME] && fake.kills == 1);
	done();
}

/* It is as bad not to know whether there is something to resume. */
static void test_resume_unknown(void)
{
	machine();
	dump_all();
	fake.gone = 4243;
	CHECK(restore_resume(ktap_dirfd, 4243) == -ENOTSUP && !fake.kills);
	fake.no_procfs = true;
	CHECK(restore_resume(ktap_dirfd, 4243) == -ENOTSUP && !fake.kills);
	CHECK(restore_resume(ktap_dirfd, 4242) == -EIO);
	CHECK(fake.kills == 1 && fake.killed == 4242);
	CHECK(ktap_logged("process 4242: procfs does not say which one it is"));
	done();
}

static void test_resume_bad_image(void)
{
	machine();
	dump_all();
	spoil("kfd-file-7.img", 60);
	CHECK(restore_resume(ktap_dirfd, 4242) == -EINVAL);
	CHECK(fake.kills == 1 && !fake.calls[KFD_CRIU_OP_RESUME]);
	done();
}

/* Who wants it so gets a process whose queues stand still. */
static void test_resume_keep_stopped(void)
{
	machine();
	dump_all();
	fake.fail_op = KFD_CRIU_OP_RESUME;
	fake.fail_err = -EFAULT;
	CHECK(!setenv("KFD_PLUGIN_KEEP_STOPPED", "1", 1));
	CHECK(restore_resume(ktap_dirfd, 4242) == -EFAULT);
	CHECK(!fake.kills && ktap_logged("Warning: process 4242: goes on, but its GPU queues"));
	/* the others of the tree have theirs */
	fake.fail_op = -1;
	CHECK(!restore_resume(ktap_dirfd, 4242) && fake.resumed == 4242);
	fake.fail_op = KFD_CRIU_OP_RESUME;
	CHECK(!setenv("KFD_PLUGIN_KEEP_STOPPED", "0", 1));
	CHECK(restore_resume(ktap_dirfd, 4242) == -EFAULT && fake.kills == 1);
	done();
}

/* The machine of the tests below: what is in the image as BO 1, 4 and 5. */
static void machine_to_move(void)
{
	machine();
	add_bo(KFD_IOC_ALLOC_MEM_FLAGS_USERPTR, 8192, 0x20200000, 500);
	add_bo(KFD_IOC_ALLOC_MEM_FLAGS_USERPTR, 4096, 0x50000000, 500);
	dump_all();
}

static void want_moves(const char *value)
{
	CHECK(!setenv("KFD_PLUGIN_MOVE_USERPTRS", value, 1));
}

static void check_update(unsigned int nr, unsigned int bo, uint64_t addr)
{
	const struct kfd_ioctl_alloc_memory_of_gpu_args *u = &fake.updates[nr];

	CHECK(nr < fake.nr_updates);
	CHECK(u->va_addr == fake.bos[bo].addr && u->size == fake.bos[bo].size);
	CHECK(u->gpu_id == 500 && u->mmap_offset == addr && !u->handle);
	CHECK(u->flags == (KFD_IOC_ALLOC_MEM_FLAGS_USERPTR | KFD_IOC_ALLOC_MEM_FLAGS_VADDR_UPDATE));
}

/* A process is restored once: what is known of it is for another one no more. */
static void forget_process(void)
{
	int pid = fake.pid;

	fake.pid = 1;
	CHECK(restore_resume(ktap_dirfd, 1) == -ENOTSUP);
	fake.pid = pid;
}

/* One restore with the variable, and how many buffers it has moved. */
static void restore_moved(const char *value, unsigned int updates)
{
	forget_process();
	ktap_log[0] = '\0';
	fake.nr_updates = 0;
	fake.vaddr_infos = 0;
	want_moves(value);
	CHECK(close(restore_file(ktap_dirfd, KFD_ID)) == 0);
	CHECK(fake.nr_updates == updates && fake.vaddr_infos == (updates > 0));
	CHECK(!ktap_logged("Error") && !ktap_logged("Warning"));
}

static void test_move(void)
{
	machine_to_move();
	fake.vaddr_caps = KFD_IOC_VADDR_CAP_REMAP;
	/* not set, as good as not set */
	CHECK(close(restore_file(ktap_dirfd, KFD_ID)) == 0);
	CHECK(!fake.nr_updates && !fake.vaddr_infos);
	restore_moved("", 0);
	/* exactly a buffer; the others stay */
	restore_moved("20000000-20100000:7f1000000000", 1);
	check_update(0, 1, 0x7f1000000000);
	CHECK(ktap_logged("process 42: 1 of 3 USERPTR BOs have other CPU addresses"));
	/* two in one part keep their distance, and a second part; 0x is allowed */
	restore_moved("0x1fff0000-0x20202000:0x1000,50000000-50001000:50000000", 3);
	check_update(0, 1, 0x11000);
	check_update(1, 4, 0x211000);
	check_update(2, 5, 0x50000000);
	/* adjacent parts, the old and the new place overlapping, and a pid */
	restore_moved("42/20200000-20202000:20201000,20000000-20200000:20001000", 2);
	check_update(0, 1, 0x20001000);
	check_update(1, 4, 0x20201000);
	/* offsets of other buffers are not CPU addresses */
	restore_moved("10000000-40000000:70000000", 2);
	check_contents(-1);
	CHECK(!restore_resume(ktap_dirfd, 4242) && fake.resumed == 4242);
	done();
}

static void move_refused(const char *value, const char *message)
{
	want_moves(value);
	restore_fails(-EINVAL, message);
	CHECK(ktap_logged("Error: KFD_PLUGIN_MOVE_USERPTRS: "));
	CHECK(!fake.calls[KFD_CRIU_OP_RESTORE] && !fake.vaddr_infos && !fake.nr_updates);
}

/* What is wrong with the variable is found before the driver is asked. */
static void test_move_refused(void)
{
	static const char * const malformed[] = {
		"x", ",", "20000000", "20000000-20100000", "20000000-20100000:", "-20100000:1000",
		"20000000-20100000:7000,", " 20000000-20100000:7000", "20000000-+20100000:7000",
		"20000000-20100000:7000 ", "20000000-20100000:7000;", "20000000:20100000-7000",
		"/20000000-20100000:7000", "0/20000000-20100000:7000", "a/20000000-20100000:7000",
		"-42/20000000-20100000:7000", "4294967338/20000000-20100000:7000",
		"20000000-20100000:10000000000001000", "20000000-20100000:7000/42",
	};
	size_t i;

	machine_to_move();
	fake.vaddr_caps = KFD_IOC_VADDR_CAP_REMAP;
	for (i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
		move_refused(malformed[i], "is not [PID/]START-END:NEW");
	move_refused("20000800-20100000:7000", "20000800-20100000:7000: an address is not");
	move_refused("20000000-20100800:7000", "an address is not that of a page");
	move_refused("20000000-20100000:7800", "an address is not that of a page");
	move_refused("20000000-20000000:7000", "nothing between");
	move_refused("20100000-20000000:7000", "nothing between");
	move_refused("20000000-20100000:fffffffffff01000", "does not fit in an address space");
	move_refused("20000000-20100000:7000,200ff000-20202000:9000",
		     "200ff000-20202000:9000 overlaps with 20000000-20100000:7000");
	move_refused("42/20200000-20202000:7000,20000000-20201000:9000", "overlaps with 42/2020");
	move_refused("41/20000000-20100000:7000", "process 41 has no GPU state");
	/* a buffer that sticks out at either end, or at both */
	move_refused("20001000-20100000:7000", "process 42: BO 1 (");
	move_refused("20000000-200ff000:7000", "0x20000000 to 0x20100000, which is only partly");
	move_refused("20001000-20002000:7000", "only partly in it");
	move_refused("50000000-50001000:7000,20000000-20201000:9000", "BO 4 (");
	/* beside the buffers */
	move_refused("1ffff000-20000000:7000", "process 42 has no USERPTR buffer in it (for some");
	move_refused("42/20100000-20200000:7000", "process 42 has no USERPTR buffer in it\n");
	move_refused("20000000-20100000:7000,30000000-40000000:60000000", "no USERPTR buffer");
	done();
}

/* The driver knows a buffer by its GPU address: twins cannot be told apart. */
static void test_move_twins(void)
{
	machine();
	add_bo(KFD_IOC_ALLOC_MEM_FLAGS_USERPTR, MIB, 0x60000000, 500);
	add_bo(KFD_IOC_ALLOC_MEM_FLAGS_USERPTR, MIB, 0x70000000, 500);
	fake.bos[5].addr = fake.bos[1].addr;
	dump_all();
	move_refused("20000000-20100000:7000", "BO 1 (");
	move_refused("70000000-70100000:7000", "have the same GPU address");
	/* none of others' business */
	fake.vaddr_caps = KFD_IOC_VADDR_CAP_REMAP;
	restore_moved("60000000-60100000:7000", 1);
	check_update(0, 4, 0x7000);
	done();
}

static void test_move_driver_errors(void)
{
	machine_to_move();
	want_moves("20000000-20202000:7f1000000000");
	restore_fails(-EOPNOTSUPP, "this driver cannot replace CPU addresses");
	fake.vaddr_caps = KFD_IOC_VADDR_CAP_REMAP;
	fake.vaddr_err = -EINVAL;
	restore_fails(-EOPNOTSUPP, "this driver cannot replace CPU addresses");
	fake.vaddr_err = -ENOTTY;
	restore_fails(-EOPNOTSUPP, "this driver cannot replace CPU addresses");
	fake.vaddr_err = -EBADF;
	restore_fails(-EBADF, "process 42: VADDR_INFO failed");
	CHECK(!fake.nr_updates);
	fake.vaddr_err = 0;
	fake.update_err = -EINVAL;
	restore_fails(-EINVAL, "its CPU address 0x20200000 cannot become 0x7f1000200000");
	CHECK(ktap_logged("process 42: BO 4 (") && fake.nr_updates == 2);
	/* nothing was moved, nothing has to be known */
	fake.vaddr_err = -ENOTTY;
	restore_moved("", 0);
	done();
}

/* A part without a pid is for all; with one, the others do not mind. */
static void test_move_processes(void)
{
	machine();
	CHECK(!dump_kfd_file(ktap_dirfd, fake_open_kfd(KFD_FD), KFD_ID));
	fake.pid = 43;
	fake.real_pid = 4343;
	fake.bos[1].offset = 0x60000000;
	CHECK(!dump_kfd_file(ktap_dirfd, fake_open_kfd(KFD_FD), 30));
	dump_finish();
	fake.vaddr_caps = KFD_IOC_VADDR_CAP_REMAP;
	fake.pid = 42;
	restore_moved("43/60000000-60100000:7000", 0);
	restore_moved("43/60000000-60100000:7000,42/20000000-20100000:9000", 1);
	check_update(0, 1, 0x9000);
	/* the same part of both, to different places */
	restore_moved("43/20000000-60100000:7000,42/20000000-60100000:9000", 1);
	check_update(0, 1, 0x9000);
	restore_moved("20000000-60100000:7000", 1);
	want_moves("43/20000000-60100000:7000,42/20000000-60100000:9000,42/20000000-20100000:7000");
	CHECK(restore_file(ktap_dirfd, KFD_ID) == -EINVAL);
	CHECK(ktap_logged("42/20000000-20100000:7000 overlaps with 42/20000000-60100000:9000"));
	fake.pid = 43;
	want_moves("43/20000000-60100000:7000");
	CHECK(restore_file(ktap_dirfd, 30) >= 0);
	check_update(1, 1, 0x40007000);
	want_moves("20000000-20100000:7000");
	CHECK(restore_file(ktap_dirfd, 30) == -EINVAL);
	CHECK(ktap_logged("process 43 has no USERPTR buffer in it (for some processes only"));
	done();
}

/* Left-overs of another dump in the directory. */
static void test_mixed_dumps(void)
{
	machine();
	dump_all();
	CHECK(!dump_render_file(ktap_dirfd, fake_open_render(128, 60), 60, 128));
	dump_finish();
	restore_fails(-EINVAL, "are of different dumps");
	done();
}

/* A dump without a GPU: the plugin is not there. */
static void test_no_gpu_files(void)
{
	uint64_t off;
	int fd;

	machine();
	CHECK(restore_file(ktap_dirfd, KFD_ID) == -ENOTSUP);
	CHECK(restore_vma(ktap_dirfd, "/dev/kfd", 0, 0, &off, &fd) == -ENOTSUP);
	CHECK(restore_resume(ktap_dirfd, 4242) == -ENOTSUP);
	CHECK(!ktap_log[0]);
	done();
}

static const struct ktap_test tests[] = {
	{ "kfd_first", test_kfd_first },
	{ "render_first", test_render_first },
	{ "swapped_gpus", test_swapped_gpus },
	{ "no_dmabuf", test_no_dmabuf },
	{ "no_bos", test_no_bos },
	{ "no_gpu", test_no_gpu },
	{ "two_kfd_files", test_two_kfd_files },
	{ "two_render_files", test_two_render_files },
	{ "mapped_not_open", test_mapped_not_open },
	{ "not_mapped_not_open", test_not_mapped_not_open },
	{ "bad_vma", test_bad_vma },
	{ "dump_errors", test_dump_errors },
	{ "drain", test_drain },
	{ "dead_file", test_dead_file },
	{ "foreign_file", test_foreign_file },
	{ "wrong_opener", test_wrong_opener },
	{ "restore_errors", test_restore_errors },
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
	{ "wrong_process", test_wrong_process },
	{ "resume_error", test_resume_error },
	{ "resume_unknown", test_resume_unknown },
	{ "resume_bad_image", test_resume_bad_image },
	{ "resume_keep_stopped", test_resume_keep_stopped },
	{ "move", test_move },
	{ "move_refused", test_move_refused },
	{ "move_twins", test_move_twins },
	{ "move_driver_errors", test_move_driver_errors },
	{ "move_processes", test_move_processes },
	{ "mixed_dumps", test_mixed_dumps },
	{ "no_gpu_files", test_no_gpu_files },
};

int main(void)
{
	return ktap_main(tests, sizeof(tests) / sizeof(tests[0]));
}
