// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whole dumps and restores, hook by hook as criu calls them, with a driver
 * that exists only here (fake_sys.c): what comes back, and what is refused.
 * More of it: test_gpus.c, test_move.c, test_resume.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "dump.h"
#include "fake_sys.h"
#include "flow.h"
#include "ktap.h"
#include "restore.h"

static void round_trip(bool kfd_first)
{
	unsigned int fds, old_minor;

	flow_machine();
	flow_dump();
	CHECK(fake.calls[KFD_CRIU_OP_UNPAUSE] == 1);
	old_minor = fake.minor_nr[0];
	fake.gpu_id[0] = 3000;
	fake.minor_nr[0] = 135;
	fake_write_topology();
	fds = fake_open_fds();
	if (kfd_first)
		flow_install(restore_file(ktap_dirfd, KFD_ID), KFD_FD);
	flow_install(restore_file(ktap_dirfd, RENDER_ID), RENDER_FD);
	if (!kfd_first)
		flow_install(restore_file(ktap_dirfd, KFD_ID), KFD_FD);
	CHECK(fake_open_fds() == fds + 2);	/* nothing else is left open */
	CHECK(fake.devices[0].user_gpu_id == 500 && fake.devices[0].actual_gpu_id == 3000);
	CHECK(fake.drm_ino[0] == fake_ino(RENDER_FD));
	flow_check_contents(RENDER_FD);
	flow_check_vmas(old_minor);
	CHECK(!restore_resume(ktap_dirfd, 4242) && fake.resumed == 4242);
	fake.resumed = 0;
	CHECK(restore_resume(ktap_dirfd, 17) == -ENOTSUP && !fake.resumed);
	CHECK(restore_file(ktap_dirfd, 99) == -ENOTSUP);
	CHECK(!ktap_logged("Error"));
	flow_done();
}

static void test_kfd_first(void)
{
	round_trip(true);
}

static void test_render_first(void)
{
	round_trip(false);
}

/* Without a dmabuf, contents go through the process's render node. */
static void test_no_dmabuf(void)
{
	flow_machine();
	fake.no_dmabuf = true;
	flow_dump();
	flow_install(restore_file(ktap_dirfd, KFD_ID), KFD_FD);
	flow_install(restore_file(ktap_dirfd, RENDER_ID), RENDER_FD);
	flow_check_contents(RENDER_FD);
	flow_done();
}

static void test_no_bos(void)
{
	flow_machine_without_bos();
	flow_dump();
	flow_install(restore_file(ktap_dirfd, KFD_ID), KFD_FD);
	flow_install(restore_file(ktap_dirfd, RENDER_ID), RENDER_FD);
	CHECK(fake.calls[KFD_CRIU_OP_RESTORE] == 1);
	flow_done();
}

/* /dev/kfd opened while there was no GPU: there is nothing, and that is fine. */
static void test_no_gpu(void)
{
	flow_machine_without_bos();
	fake.nr_gpus = 0;
	fake_write_topology();
	fake.fail_op = KFD_CRIU_OP_PROCESS_INFO;
	fake.fail_err = -ENODEV;
	CHECK(!dump_kfd_file(ktap_dirfd, fake_open_kfd(KFD_FD), KFD_ID));
	dump_finish();
	CHECK(!fake.calls[KFD_CRIU_OP_CHECKPOINT] && !fake.calls[KFD_CRIU_OP_UNPAUSE]);
	flow_install(restore_file(ktap_dirfd, KFD_ID), KFD_FD);
	CHECK(!fake.calls[KFD_CRIU_OP_RESTORE]);
	CHECK(restore_resume(ktap_dirfd, 4242) == -ENOTSUP);
	flow_done();
}

/* /dev/kfd opened twice by a process: one state. */
static void test_two_kfd_files(void)
{
	flow_machine();
	CHECK(!dump_kfd_file(ktap_dirfd, fake_open_kfd(30), 30));
	flow_dump();
	CHECK(fake.calls[KFD_CRIU_OP_CHECKPOINT] == 1 && fake.calls[KFD_CRIU_OP_UNPAUSE] == 1);
	flow_install(restore_file(ktap_dirfd, KFD_ID), KFD_FD);
	flow_install(restore_file(ktap_dirfd, 30), 30);
	flow_install(restore_file(ktap_dirfd, RENDER_ID), RENDER_FD);
	CHECK(fake.calls[KFD_CRIU_OP_RESTORE] == 1);
	CHECK(fake_ino(30) != fake_ino(KFD_FD));
	flow_check_contents(RENDER_FD);
	flow_done();
}

/* Two render node fds that were two files: both can map the buffers. */
static void test_two_render_files(void)
{
	unsigned int fds;

	flow_machine();
	CHECK(!dump_render_file(ktap_dirfd, fake_open_render(128, 60), 60, 128));
	flow_dump();
	fds = fake_open_fds();
	flow_install(restore_file(ktap_dirfd, RENDER_ID), RENDER_FD);
	flow_install(restore_file(ktap_dirfd, KFD_ID), KFD_FD);
	flow_install(restore_file(ktap_dirfd, 60), 60);
	CHECK(fake_ino(60) == fake_ino(RENDER_FD));
	CHECK(fake_open_fds() == fds + 3);
	flow_done();
}

/* Mapped, but the process had closed its render node: one fd stays. */
static void test_mapped_not_open(void)
{
	unsigned int fds;
	uint64_t off;
	int fd;

	flow_machine();
	CHECK(!dump_kfd_file(ktap_dirfd, fake_open_kfd(KFD_FD), KFD_ID));
	dump_finish();
	fds = fake_open_fds();
	flow_install(restore_file(ktap_dirfd, KFD_ID), KFD_FD);
	CHECK(restore_vma(ktap_dirfd, "/dev/dri/renderD128", 0, 0x30000000, &off, &fd) == 1);
	CHECK(fake_ino(fd) == fake.drm_ino[0] && off == fake.restored[2].restored_offset);
	CHECK(fake_open_fds() == fds + 2);
	CHECK(ktap_logged("renderD128 is mapped but not open"));
	flow_done();
}

/* Neither mapped nor open: no fd stays. */
static void test_not_mapped_not_open(void)
{
	unsigned int fds;

	flow_machine();
	fake.render_vmas = 0;
	CHECK(!dump_kfd_file(ktap_dirfd, fake_open_kfd(KFD_FD), KFD_ID));
	dump_finish();
	fds = fake_open_fds();
	flow_install(restore_file(ktap_dirfd, KFD_ID), KFD_FD);
	CHECK(fake_open_fds() == fds + 1);
	flow_done();
}

/* A mapping that cannot be right must not be made, which needs a trick. */
static void test_bad_vma(void)
{
	uint64_t off = 1;
	int fd = -1;

	flow_machine();
	flow_dump();
	flow_install(restore_file(ktap_dirfd, KFD_ID), KFD_FD);
	flow_install(restore_file(ktap_dirfd, RENDER_ID), RENDER_FD);
	CHECK(restore_vma(ktap_dirfd, "/dev/dri/renderD128", 0x5000, 0x40000000, &off, &fd) == 1);
	CHECK(off == ~0xfffULL && dup(fd) < 0);
	CHECK(ktap_logged("mapping of /dev/dri/renderD128 at 0x5000, offset 0x40000000"));
	CHECK(restore_vma(ktap_dirfd, "/dev/kfd", 0x6000, 77ULL << 46, &off, &fd) == 1);
	CHECK(off == ~0xfffULL && dup(fd) < 0);
	flow_done();
}

static void test_dump_errors(void)
{
	flow_machine();
	flow_dump_fails(KFD_CRIU_OP_PROCESS_INFO, -EACCES, "CAP_CHECKPOINT_RESTORE");
	flow_dump_fails(KFD_CRIU_OP_PROCESS_INFO, -ETIME, "a queue did not stop in time");
	flow_dump_fails(KFD_CRIU_OP_CHECKPOINT, -EINVAL, "CHECKPOINT of 1 GPUs, 4 BOs");
	CHECK(!ktap_logged("the driver refused"));
	/* its own words are printed as they are */
	fake.refusal = "PROCESS_INFO EXDEV buffer 0x7 was imported from a dma-buf";
	flow_dump_fails(KFD_CRIU_OP_PROCESS_INFO, -EXDEV, "it has imported a buffer");
	flow_dump_fails(KFD_CRIU_OP_PROCESS_INFO, -EXDEV,
			"the driver refused: PROCESS_INFO EXDEV buffer 0x7 was imported from a dma-buf");
	flow_dump_fails(KFD_CRIU_OP_CHECKPOINT, -EXDEV, "the driver refused: ");
	fake.refusal = NULL;
	fake.bos[0].size = 0;
	flow_dump_fails(-1, -EINVAL, "BO 0 (VRAM, 0x7f0000000000, 0 MiB): impossible size");
	/* a buffer smaller than it says: SIGBUS while it is read */
	fake.bos[0].size = 64 * MIB;
	flow_dump_fails(-1, -EFAULT, "64 MiB): mapped buffer cannot be accessed at 0x");
	flow_done();
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
	flow_machine();
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
	flow_done();
}

/* A file whose process is gone comes back as one whose process is gone. */
static void test_dead_file(void)
{
	flow_machine();
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
	flow_done();
}

/* What EBADF means is said, and nothing is left. */
static void test_foreign_file(void)
{
	flow_machine();
	fake.owner = 17;
	flow_dump_fails(KFD_CRIU_OP_PROCESS_INFO, -EBADF,
			"process 42: its file of /dev/kfd is process 17's, which is not dumped");
	fake.owner = fake.real_pid;
	flow_dump_fails(KFD_CRIU_OP_PROCESS_INFO, -EBADF,
			"process 42: its file of /dev/kfd is from before an exec");
	fake.owner = 0;
	flow_dump_fails(KFD_CRIU_OP_PROCESS_INFO, -EBADF,
			"process 42: its file of /dev/kfd was opened by a process that is gone or is not");
	flow_done();
}

/* What could not be restored is not dumped: see test_wrong_process(). */
static void test_wrong_opener(void)
{
	flow_machine();
	fake.holder_pid = 41;
	flow_dump_fails(-1, -EXDEV,
			"is process 42's, but at restore process 41 would have to open it");
	CHECK(!fake.calls[KFD_CRIU_OP_CHECKPOINT]);
	flow_done();
}

static void test_restore_errors(void)
{
	flow_machine();
	flow_dump();
	fake.fail_op = KFD_CRIU_OP_RESTORE;
	fake.fail_err = -ENOMEM;
	flow_restore_fails(-ENOMEM, "not enough VRAM");
	fake.fail_err = -EINVAL;
	flow_restore_fails(-EINVAL, "the image is damaged");
	/* who is too old is told */
	fake.fail_err = -E2BIG;
	flow_restore_fails(-E2BIG, "made by a newer driver: update this one");
	fake.fail_err = -ENOTTY;
	flow_restore_fails(-ENOTTY, "the KFD driver is too old for checkpoints");
	fake.fail_op = -1;
	flow_spoil("kfd-process-7.img", 100);
	flow_restore_fails(-EINVAL, "kfd-process-7.img: checksum mismatch");
	flow_spoil("kfd-process-7.img", 100);
	CHECK(!renameat(ktap_dirfd, "kfd-contents-7-0.img", ktap_dirfd, "away"));
	flow_restore_fails(-ENOENT, "kfd-contents-7-0.img: cannot be opened");
	CHECK(!renameat(ktap_dirfd, "away", ktap_dirfd, "kfd-contents-7-0.img"));
	flow_spoil("kfd-contents-7-0.img", 4096 + 2 * MIB);
	flow_restore_fails(-EIO, "contents checksum mismatch at 0x");
	CHECK(ktap_logged("process 42: BO "));
	flow_spoil("kfd-contents-7-0.img", 4096 + 2 * MIB);
	CHECK(restore_file(ktap_dirfd, KFD_ID) >= 0);
	flow_done();
}

/* A shared file that criu would have the wrong process open. */
static void test_wrong_process(void)
{
	flow_machine();
	flow_dump();
	fake.pid = 41;
	flow_restore_fails(-EINVAL, "the GPU state behind it is process 42's");
	flow_done();
}

/* Left-overs of another dump in the directory. */
static void test_mixed_dumps(void)
{
	flow_machine();
	flow_dump();
	CHECK(!dump_render_file(ktap_dirfd, fake_open_render(128, 60), 60, 128));
	dump_finish();
	flow_restore_fails(-EINVAL, "are of different dumps");
	flow_done();
}

/* A dump without a GPU: the plugin is not there. */
static void test_no_gpu_files(void)
{
	uint64_t off;
	int fd;

	flow_machine();
	CHECK(restore_file(ktap_dirfd, KFD_ID) == -ENOTSUP);
	CHECK(restore_vma(ktap_dirfd, "/dev/kfd", 0, 0, &off, &fd) == -ENOTSUP);
	CHECK(restore_resume(ktap_dirfd, 4242) == -ENOTSUP);
	CHECK(!ktap_log[0]);
	flow_done();
}

static const struct ktap_test tests[] = {
	{ "kfd_first", test_kfd_first },
	{ "render_first", test_render_first },
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
	{ "wrong_process", test_wrong_process },
	{ "mixed_dumps", test_mixed_dumps },
	{ "no_gpu_files", test_no_gpu_files },
};

int main(void)
{
	return ktap_main(tests, sizeof(tests) / sizeof(tests[0]));
}
