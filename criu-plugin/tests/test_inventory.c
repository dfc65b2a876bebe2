// SPDX-License-Identifier: GPL-2.0-only
/*
 * The inventory: what is missing or damaged is named, and libhsakmt's files
 * are made where they are missing, and nowhere else.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image.h"
#include "inventory.h"
#include "ktap.h"
#include "shm.h"

#define DUMP_ID	0x1234u

static char shm[96];

static unsigned int asked;	/* of a file, whether anybody uses it */

static bool always(const struct stat *st)
{
	asked++;
	return st->st_size != 7;	/* somebody else's */
}

static void fresh_shm(void)
{
	char cmd[256];

	snprintf(shm, sizeof(shm), "%s.shm", ktap_dir);
	snprintf(cmd, sizeof(cmd), "rm -rf %s && mkdir %s", shm, shm);
	CHECK(!system(cmd));
	shm_dir = shm;
	shm_used = always;
}

static void drop_shm(void)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", shm);
	CHECK(!system(cmd));
}

static const char *in_shm(const char *name)
{
	static char path[2][256];
	static unsigned int n;

	n ^= 1;
	snprintf(path[n], sizeof(path[n]), "%s/%s", shm, name);
	return path[n];
}

static void put(const char *name, const void *data, size_t len, mode_t mode)
{
	int fd = open(in_shm(name), O_WRONLY | O_CREAT | O_EXCL, 0600);

	CHECK(fd >= 0 && write(fd, data, len) == (ssize_t)len && !fchmod(fd, mode));
	close(fd);
}

static bool has(const char *name, const void *data, size_t len, mode_t mode)
{
	char buf[64];
	struct stat st;
	int fd = open(in_shm(name), O_RDONLY | O_NOFOLLOW);
	bool same;

	if (fd < 0)
		return false;
	same = !fstat(fd, &st) && read(fd, buf, sizeof(buf)) == (ssize_t)len &&
	       !memcmp(buf, data, len) && (st.st_mode & 07777) == mode;
	close(fd);
	return same;
}

static ino_t ino(const char *name)
{
	struct stat st;

	return lstat(in_shm(name), &st) ? 0 : st.st_ino;
}

static unsigned int entries(void)
{
	DIR *d = opendir(shm);
	unsigned int n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static void write_file(unsigned int id, bool kfd)
{
	KfdFileEntry e = KFD_FILE_ENTRY__INIT;

	e.dump_id = DUMP_ID;
	e.kind = kfd ? KFD_FILE_KFD : KFD_FILE_DEAD;
	e.has_pid = kfd;
	e.has_state_id = kfd;
	e.pid = 42;
	e.state_id = id;
	e.has_inventory = 1;
	e.inventory = 1;
	CHECK(!image_write_file(ktap_dirfd, id, &e));
}

/* A process with one contents file of nothing but its header. */
static void write_state(unsigned int id)
{
	uint64_t size = CONTENTS_DATA_START;
	KfdProcess p = KFD_PROCESS__INIT;

	p.dump_id = DUMP_ID;
	p.pid = 42;
	p.contents_sizes = &size;
	p.n_contents_sizes = 1;
	CHECK(!image_write_process(ktap_dirfd, id, &p));
	CHECK(!close(image_create_contents(ktap_dirfd, id, 0, DUMP_ID)));
}

static void dump(void)
{
	ktap_log[0] = '\0';
	inventory_begin(ktap_dirfd);
	CHECK(!inventory_add(ktap_dirfd, 7, DUMP_ID));
	write_state(7);
	write_file(7, true);
	CHECK(!inventory_add(ktap_dirfd, 8, DUMP_ID));
	write_file(8, false);
	inventory_finish(ktap_dirfd, false);
	CHECK(!ktap_logged("Error"));
}

static void check_fails(const char *message)
{
	ktap_log[0] = '\0';
	CHECK(inventory_check(ktap_dirfd) < 0 && ktap_logged(message));
	CHECK(ktap_logged("Error: "));
}

static void check_passes(void)
{
	ktap_log[0] = '\0';
	CHECK(!inventory_check(ktap_dirfd) && !ktap_logged("Error"));
}

/* Each image of a dump taken away, and cut short; what was wrong is named. */
static void test_missing(void)
{
	static const char * const names[] = {
		"kfd-file-7.img", "kfd-file-8.img", "kfd-process-7.img", "kfd-contents-7-0.img",
		"kfd-inventory.img",
	};
	char message[64];
	size_t i;

	fresh_shm();
	dump();
	check_passes();
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct stat st;
		int fd;

		CHECK(!renameat(ktap_dirfd, names[i], ktap_dirfd, "away"));
		snprintf(message, sizeof(message), "Error: %s: ", names[i]);
		check_fails(message);
		CHECK(!renameat(ktap_dirfd, "away", ktap_dirfd, names[i]));
		check_passes();
		fd = openat(ktap_dirfd, names[i], O_RDWR);
		CHECK(fd >= 0 && !fstat(fd, &st));
		CHECK(!ftruncate(fd, st.st_size - 1));
		check_fails(message);
		CHECK(!ftruncate(fd, 10));
		check_fails(message);
		close(fd);
		unlinkat(ktap_dirfd, names[i], 0);
		dump();
	}
	/* all of them at once */
	CHECK(!unlinkat(ktap_dirfd, "kfd-file-7.img", 0));
	CHECK(!unlinkat(ktap_dirfd, "kfd-file-8.img", 0));
	check_fails("kfd-file-7.img: missing");
	CHECK(ktap_logged("kfd-file-8.img: missing"));
	drop_shm();
}

/* Without GPUs, and of a plugin that did not know of it. */
static void test_none(void)
{
	KfdFileEntry e = KFD_FILE_ENTRY__INIT;

	ktap_log[0] = '\0';
	CHECK(!inventory_check(ktap_dirfd) && !ktap_log[0]);
	e.dump_id = DUMP_ID;
	e.kind = KFD_FILE_DEAD;
	CHECK(!image_write_file(ktap_dirfd, 9, &e));
	CHECK(!inventory_check(ktap_dirfd) && !ktap_log[0]);
}

/* What an earlier dump left, and a dump that fails. */
static void test_stale(void)
{
	fresh_shm();
	dump();
	inventory_begin(ktap_dirfd);
	CHECK(faccessat(ktap_dirfd, "kfd-inventory.img", F_OK, 0));
	CHECK(faccessat(ktap_dirfd, "kfd-file-7.img", F_OK, 0));
	CHECK(faccessat(ktap_dirfd, "kfd-process-7.img", F_OK, 0));
	CHECK(faccessat(ktap_dirfd, "kfd-contents-7-0.img", F_OK, 0));
	CHECK(faccessat(ktap_dirfd, "kfd-file-8.img", F_OK, 0));
	/* one without a GPU */
	inventory_finish(ktap_dirfd, false);
	check_passes();
	dump();
	inventory_begin(ktap_dirfd);
	CHECK(!inventory_add(ktap_dirfd, 8, DUMP_ID));
	write_file(8, false);
	inventory_finish(ktap_dirfd, true);
	CHECK(faccessat(ktap_dirfd, "kfd-inventory.img", F_OK, 0));
	CHECK(faccessat(ktap_dirfd, "kfd-file-8.img", F_OK, 0));
	drop_shm();
}

/* criu dies in the middle: what it was at is missing. */
static void test_cut_off(void)
{
	fresh_shm();
	inventory_begin(ktap_dirfd);
	CHECK(!inventory_add(ktap_dirfd, 7, DUMP_ID));
	check_fails("kfd-file-7.img: missing");
	write_file(7, true);
	check_fails("kfd-process-7.img: ");
	write_state(7);
	check_passes();
	CHECK(!inventory_add(ktap_dirfd, 8, DUMP_ID));
	check_fails("kfd-file-8.img: missing");
	drop_shm();
}

/* Of a directory that is gone: nothing can be made in it. */
static void test_not_writable(void)
{
	char line[256];

	fresh_shm();
	CHECK(!rmdir(ktap_dir));
	CHECK(inventory_add(ktap_dirfd, 7, DUMP_ID) == -ENOENT);
	snprintf(line, sizeof(line),
		 "Error: kfd-inventory.img: cannot be written: %s: 45 bytes to be written to %s",
		 strerror(ENOENT), ktap_dir);
	CHECK(ktap_logged(line));
	inventory_finish(ktap_dirfd, true);
	drop_shm();
}

/* Files of a dump are many, processes too: who uses what is asked once. */
static void test_shm_asked_once(void)
{
	unsigned int id;

	fresh_shm();
	put("hsakmt_shared_mem", "12345678", 8, 0644);
	put("sem.hsakmt_semaphore", "semaphore", 10, 0640);
	inventory_begin(ktap_dirfd);
	for (id = 1; id < 100; id++) {
		CHECK(!inventory_add(ktap_dirfd, id, DUMP_ID));
		write_file(id, false);
	}
	CHECK(asked == 2);
	/* criu makes a name when it dumps the one that has the semaphore mapped */
	CHECK(!link(in_shm("sem.hsakmt_semaphore"), in_shm("link_remap.17")));
	for (; id < 200; id++) {
		CHECK(!inventory_add(ktap_dirfd, id, DUMP_ID));
		write_file(id, false);
	}
	CHECK(asked == 4);
	inventory_finish(ktap_dirfd, false);
	fresh_shm();
	check_passes();
	CHECK(entries() == 3 && has("hsakmt_shared_mem", "12345678", 8, 0644));
	CHECK(ino("link_remap.17") && ino("link_remap.17") == ino("sem.hsakmt_semaphore"));
	/* the next dump asks again */
	inventory_begin(ktap_dirfd);
	CHECK(!inventory_add(ktap_dirfd, 7, DUMP_ID) && asked == 6);
	inventory_finish(ktap_dirfd, true);
	drop_shm();
}

/* Another machine: everything is made. Here: everything stays. */
static void test_shm(void)
{
	fresh_shm();
	put("hsakmt_shared_mem", "12345678", 8, 0644);
	put("sem.hsakmt_semaphore", "semaphore", 10, 0640);
	CHECK(!link(in_shm("sem.hsakmt_semaphore"), in_shm("link_remap.17")));
	put("hsakmt_others", "others'", 7, 0644);
	put("link_remap.18", "another's", 9, 0644);
	put("nccl-1", "no business of ours", 19, 0644);
	dump();
	/* nothing is missing */
	check_passes();
	CHECK(entries() == 6 && !ktap_logged("made as it was"));
	/* the semaphore's old name is criu's only as long as it is not restored */
	CHECK(!unlink(in_shm("link_remap.17")));
	check_passes();
	CHECK(ino("link_remap.17") && ino("link_remap.17") == ino("sem.hsakmt_semaphore"));
	/* nothing is there */
	fresh_shm();
	check_passes();
	CHECK(entries() == 3 && has("hsakmt_shared_mem", "12345678", 8, 0644));
	CHECK(has("sem.hsakmt_semaphore", "semaphore", 10, 0640));
	CHECK(ino("link_remap.17") == ino("sem.hsakmt_semaphore"));
	/* a restore that fails leaves what others may have opened */
	shm_take_back();
	CHECK(entries() == 2 && !ino("link_remap.17"));
	drop_shm();
}

/* What others share stays as it is, or is in the way and named. */
static void test_shm_in_use(void)
{
	fresh_shm();
	put("hsakmt_shared_mem", "12345678", 8, 0644);
	put("sem.hsakmt_semaphore", "semaphore", 10, 0640);
	CHECK(!link(in_shm("sem.hsakmt_semaphore"), in_shm("link_remap.17")));
	dump();
	fresh_shm();
	put("hsakmt_shared_mem", "abcdefgh", 8, 0644);
	check_passes();
	CHECK(has("hsakmt_shared_mem", "abcdefgh", 8, 0644));
	fresh_shm();
	put("hsakmt_shared_mem", "abcdefghi", 9, 0644);
	check_fails("hsakmt_shared_mem: the one that is here has 9 bytes and mode 0644, the dump");
	CHECK(has("hsakmt_shared_mem", "abcdefghi", 9, 0644));
	fresh_shm();
	put("hsakmt_shared_mem", "abcdefgh", 8, 0600);
	check_fails("hsakmt_shared_mem: the one that is here");
	/* a link is not followed, a directory not taken for a file */
	fresh_shm();
	CHECK(!symlink("target", in_shm("hsakmt_shared_mem")));
	check_fails("hsakmt_shared_mem: the one that is here");
	CHECK(!ino("target"));
	fresh_shm();
	CHECK(!mkdir(in_shm("link_remap.17"), 0700));
	check_fails("link_remap.17: the one that is here");
	drop_shm();
}

static void hostile(const char *name, uint32_t mode, size_t len)
{
	static uint8_t data[IMAGE_MAX_SHM_SIZE + 1];
	char *names[] = { "hsakmt_first", (char *)name };
	KfdShmFile f = KFD_SHM_FILE__INIT, *list = &f;
	KfdInventory i = KFD_INVENTORY__INIT;

	f.contents.data = data;
	f.contents.len = len;
	f.mode = mode;
	f.uid = getuid();
	f.gid = getgid();
	f.names = names;
	f.n_names = 2;
	i.dump_id = DUMP_ID;
	i.shm = &list;
	i.n_shm = 1;
	CHECK(!image_write_inventory(ktap_dirfd, &i));
	check_fails("kfd-inventory.img: ");
	CHECK(!entries());
}

static void test_shm_hostile(void)
{
	char long_name[300] = "hsakmt_";

	fresh_shm();
	hostile("../x", 0644, 1);
	hostile("hsakmt_/../../x", 0644, 1);
	hostile("/etc/x", 0644, 1);
	hostile("x", 0644, 1);
	hostile("", 0644, 1);
	hostile("hsakmt_\n", 0644, 1);
	hostile("hsakmt_ok", 04755, 1);
	hostile("hsakmt_ok", 0644, IMAGE_MAX_SHM_SIZE + 1);
	memset(long_name + 7, 'x', 290);
	hostile(long_name, 0644, 1);
	drop_shm();
}

static const struct ktap_test tests[] = {
	{ "missing", test_missing },
	{ "none", test_none },
	{ "stale", test_stale },
	{ "cut_off", test_cut_off },
	{ "not_writable", test_not_writable },
	{ "shm_asked_once", test_shm_asked_once },
	{ "shm", test_shm },
	{ "shm_in_use", test_shm_in_use },
	{ "shm_hostile", test_shm_hostile },
};

int main(void)
{
	return ktap_main(tests, sizeof(tests) / sizeof(tests[0]));
}
