// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dumps for which there is no room: RLIMIT_FSIZE is what a test can have
 * without a file system of its own. The dump fails where it must, the process
 * goes on, and nothing is left of its images.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kfd_ioctl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "contents.h"
#include "dump.h"
#include "fake_sys.h"
#include "flow.h"
#include "ktap.h"
#include "room.h"

#define BO_SIZE		(16ul << 20)
/* dump_id is random, and some of them take fewer bytes. */
#define MARGIN		16

static void machine(void)
{
	flow_one_gpu();
	fake.user_gpu_id[0] = 1000;
	fake.bos[0] = (struct kfd_criu_bo_bucket) {
		.addr = 0x7f0000000000, .size = BO_SIZE, .gpu_id = 1000,
		.offset = 0x10000000, .alloc_flags = KFD_IOC_ALLOC_MEM_FLAGS_GTT,
	};
	fake.memory[0] = memfd_create("bo", MFD_CLOEXEC);
	CHECK(fake.memory[0] >= 0 && !ftruncate(fake.memory[0], BO_SIZE));
	fake.nr_bos = 1;
}

/* The first half of the buffer has something in it, the second is zero. */
static void fill(void)
{
	char *map = mmap(NULL, BO_SIZE / 2, PROT_WRITE, MAP_SHARED, fake.memory[0], 0);

	CHECK(map != MAP_FAILED);
	memset(map, 0x5a, BO_SIZE / 2);
	munmap(map, BO_SIZE / 2);
}

static void limit(rlim_t bytes)
{
	struct rlimit l;

	CHECK(!getrlimit(RLIMIT_FSIZE, &l));
	l.rlim_cur = bytes;
	CHECK(!setrlimit(RLIMIT_FSIZE, &l));
}

static off_t size_of(const char *name)
{
	struct stat st;

	CHECK(!fstatat(ktap_dirfd, name, &st, 0));
	return st.st_size;
}

static unsigned int images(void)
{
	DIR *d = opendir(ktap_dir);
	unsigned int n = 0;
	struct dirent *de;

	while ((de = readdir(d)))
		n += !strncmp(de->d_name, "kfd-", 4);
	closedir(d);
	return n;
}

static int dump(void)
{
	int kfd = fake_open_kfd(40), ret;

	ktap_log[0] = '\0';
	ret = dump_kfd_file(ktap_dirfd, kfd, KFD_ID);
	close(kfd);
	return ret;
}

static void done(void)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", sys_topology_root());
	CHECK(!system(cmd));
}

/* With files of at most so many bytes; what was too large is named. */
static void too_large(rlim_t bytes, const char *name)
{
	char text[256];
	int ret;

	limit(bytes);
	ret = dump();
	limit(RLIM_INFINITY);
	CHECK(ret == -EFBIG && !fake.paused && !images());
	CHECK(ktap_logged(name));
	snprintf(text, sizeof(text), "to be written to %s, where no file may have more than %lu ",
		 ktap_dir, (unsigned long)bytes);
	CHECK(ktap_logged(text));
}

static void test_limit(void)
{
	struct sigaction sa;
	off_t file, process;

	machine();
	fill();
	CHECK(!dump());
	file = size_of("kfd-file-7.img");
	process = size_of("kfd-process-7.img");
	CHECK(file + MARGIN < process - 4 * MARGIN);
	dump_finish();
	CHECK(!fake.paused && !sigaction(SIGXFSZ, NULL, &sa) && sa.sa_handler == SIG_DFL);
	CHECK(!unlinkat(ktap_dirfd, "kfd-file-7.img", 0));
	too_large(file - MARGIN, "Error: kfd-file-7.img: cannot be written: ");
	CHECK(!ktap_logged("kfd-process-7.img"));
	/* before any contents have been written */
	too_large(file + MARGIN, "Error: kfd-process-7.img: cannot be written: ");
	too_large(process - 4 * MARGIN, "Error: kfd-process-7.img: cannot be written: ");
	too_large(1u << 20, "contents cannot be written to the image at 0x");
	CHECK(ktap_logged(" bytes had been written"));
	/* what is zero needs no room */
	limit(BO_SIZE / 2 + CONTENTS_DATA_START);
	CHECK(!dump());
	CHECK(images() >= 3 && labs(size_of("kfd-process-7.img") - process) < MARGIN);
	limit(RLIM_INFINITY);
	dump_finish();
	CHECK(!fake.paused);
	done();
}

/* What restore would not take is no use to be written, and contents take long. */
static void test_not_restorable(void)
{
	machine();
	fill();
	fake.bos[0].gpu_id = 77;
	CHECK(dump() == -EINVAL && !fake.paused && !images());
	CHECK(ktap_logged("Error: kfd-process-7.img: BO 0 (GTT, 0x7f0000000000, 16 MiB): "
			  "its GPU 77 is not in the image"));
	fake.bos[0].gpu_id = 1000;
	fake.bos[0].addr = -4096ull;
	CHECK(dump() == -EINVAL && !fake.paused && !images());
	CHECK(ktap_logged("impossible size or address"));
	fake.bos[0].addr = 0x7f0000000000;
	dump_finish();
	/* two GPUs that cannot be told apart */
	fake.nr_gpus = 2;
	fake.nr_used = 1;
	fake.gpu_id[1] = 1000;
	fake.minor_nr[1] = 129;
	fake_write_topology();
	CHECK(dump() == -EINVAL && !fake.paused && !images());
	CHECK(ktap_logged("Error: kfd-file-7.img: GPU id 1000 occurs twice"));
	dump_finish();
	done();
}

/* As many fds as there are buffers are not to be had. */
static void test_no_fds(void)
{
	machine();
	fake.fail_op = KFD_CRIU_OP_CHECKPOINT;
	fake.fail_err = -EMFILE;
	CHECK(dump() == -EMFILE && !fake.paused && !images());
	CHECK(ktap_logged("(criu needs an fd for each buffer: raise ulimit -n"));
	dump_finish();
	done();
}

/* What room_text() says of errors that tests cannot have. */
static void test_text(void)
{
	char text[ROOM_TEXT_SIZE], want[256];
	uint64_t left;

	CHECK(!room_left(ktap_dirfd, &left));
	snprintf(want, sizeof(want), "%s: 5 bytes to be written to %s, which has ",
		 strerror(ENOSPC), ktap_dir);
	CHECK(!strncmp(room_text(text, ktap_dirfd, -ENOSPC, 5), want, strlen(want)));
	CHECK(strstr(room_text(text, ktap_dirfd, -EDQUOT, 5), " left, and a quota"));
	snprintf(want, sizeof(want), "%s: 5 bytes to be written to %s", strerror(EIO), ktap_dir);
	CHECK(!strcmp(room_text(text, ktap_dirfd, -EIO, 5), want));
	/* of the file system itself, not of a limit */
	snprintf(want, sizeof(want), "%s: 5 bytes to be written to %s", strerror(EFBIG), ktap_dir);
	CHECK(!strcmp(room_text(text, ktap_dirfd, -EFBIG, 5), want));
}

static const struct ktap_test tests[] = {
	{ "limit", test_limit },
	{ "not_restorable", test_not_restorable },
	{ "no_fds", test_no_fds },
	{ "text", test_text },
};

int main(void)
{
	return ktap_main(tests, sizeof(tests) / sizeof(tests[0]));
}
