// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registered memory that is somewhere else after the restore (KFD_PLUGIN_MOVE_USERPTRS).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "dump.h"
#include "fake_sys.h"
#include "flow.h"
#include "ktap.h"
#include "restore.h"

/* The machine of the tests below: what is in the image as BO 1, 4 and 5. */
static void machine_to_move(void)
{
	flow_machine();
	flow_add_bo(KFD_IOC_ALLOC_MEM_FLAGS_USERPTR, 8192, 0x20200000, 500);
	flow_add_bo(KFD_IOC_ALLOC_MEM_FLAGS_USERPTR, 4096, 0x50000000, 500);
	flow_dump();
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
	flow_check_contents(-1);
	CHECK(!restore_resume(ktap_dirfd, 4242) && fake.resumed == 4242);
	flow_done();
}

static void move_refused(const char *value, const char *message)
{
	want_moves(value);
	flow_restore_fails(-EINVAL, message);
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
	flow_done();
}

/* The driver knows a buffer by its GPU address: twins cannot be told apart. */
static void test_move_twins(void)
{
	flow_machine();
	flow_add_bo(KFD_IOC_ALLOC_MEM_FLAGS_USERPTR, MIB, 0x60000000, 500);
	flow_add_bo(KFD_IOC_ALLOC_MEM_FLAGS_USERPTR, MIB, 0x70000000, 500);
	fake.bos[5].addr = fake.bos[1].addr;
	flow_dump();
	move_refused("20000000-20100000:7000", "BO 1 (");
	move_refused("70000000-70100000:7000", "have the same GPU address");
	/* none of others' business */
	fake.vaddr_caps = KFD_IOC_VADDR_CAP_REMAP;
	restore_moved("60000000-60100000:7000", 1);
	check_update(0, 4, 0x7000);
	flow_done();
}

static void test_move_driver_errors(void)
{
	machine_to_move();
	want_moves("20000000-20202000:7f1000000000");
	flow_restore_fails(-EOPNOTSUPP, "this driver cannot replace CPU addresses");
	fake.vaddr_caps = KFD_IOC_VADDR_CAP_REMAP;
	fake.vaddr_err = -EINVAL;
	flow_restore_fails(-EOPNOTSUPP, "this driver cannot replace CPU addresses");
	fake.vaddr_err = -ENOTTY;
	flow_restore_fails(-EOPNOTSUPP, "this driver cannot replace CPU addresses");
	fake.vaddr_err = -EBADF;
	flow_restore_fails(-EBADF, "process 42: VADDR_INFO failed");
	CHECK(!fake.nr_updates);
	fake.vaddr_err = 0;
	fake.update_err = -EINVAL;
	flow_restore_fails(-EINVAL, "its CPU address 0x20200000 cannot become 0x7f1000200000");
	CHECK(ktap_logged("process 42: BO 4 (") && fake.nr_updates == 2);
	/* nothing was moved, nothing has to be known */
	fake.vaddr_err = -ENOTTY;
	restore_moved("", 0);
	flow_done();
}

/* A part without a pid is for all; with one, the others do not mind. */
static void test_move_processes(void)
{
	flow_machine();
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
	flow_done();
}

static const struct ktap_test tests[] = {
	{ "move", test_move },
	{ "move_refused", test_move_refused },
	{ "move_twins", test_move_twins },
	{ "move_driver_errors", test_move_driver_errors },
	{ "move_processes", test_move_processes },
};

int main(void)
{
	return ktap_main(tests, sizeof(tests) / sizeof(tests[0]));
}
