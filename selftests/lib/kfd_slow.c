// SPDX-License-Identifier: GPL-2.0-only
/*
 * A FUSE server as small as it gets: one file, "f", of zeroes. It speaks the
 * kernel's protocol directly (linux/fuse.h), which needs no library.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kfd_lib.h"
#include "kfd_slow.h"

#define ROOT_INO	FUSE_ROOT_ID
#define FILE_INO	2
#define FOREVER		3600	/* seconds that what was said is true */
#define MAX_REQUEST	(256 << 10)

/**
 * struct kfd_slow_shared - between test and server
 * @block: reads are not answered
 * @blocked: how many were not
 */
struct kfd_slow_shared {
	volatile int block;
	volatile int blocked;
};

static void answer(int dev, uint64_t unique, int err, const void *data, size_t size)
{
	struct fuse_out_header head = {
		.len = sizeof(head) + size, .error = -err, .unique = unique,
	};
	struct iovec part[] = { { &head, sizeof(head) }, { (void *)data, size } };

	/* ENOENT: nobody waits for it any more */
	if (writev(dev, part, size ? 2 : 1) < 0 && errno != ENOENT)
		perror("# fuse");
}

static void fill_attr(struct fuse_attr *attr, uint64_t ino, uint64_t pages)
{
	memset(attr, 0, sizeof(*attr));
	attr->ino = ino;
	attr->nlink = 1;
	attr->blksize = KFD_PAGE;
	attr->mode = ino == ROOT_INO ? S_IFDIR | 0755 : S_IFREG | 0666;
	attr->size = ino == ROOT_INO ? 0 : pages * KFD_PAGE;
}

static void serve_read(struct kfd_slow *s, const struct fuse_in_header *in)
{
	static const char zeroes[MAX_REQUEST];
	const struct fuse_read_in *arg = (const void *)(in + 1);
	uint64_t size = s->pages * KFD_PAGE;
	uint64_t left = arg->offset < size ? size - arg->offset : 0;

	if (s->shared->block) {
		__sync_fetch_and_add(&s->shared->blocked, 1);
		return;
	}
	if (left > arg->size)
		left = arg->size;
	answer(s->dev, in->unique, 0, zeroes, left < MAX_REQUEST ? left : MAX_REQUEST);
}

static void serve(struct kfd_slow *s, const struct fuse_in_header *in, unsigned int ahead)
{
	struct fuse_init_out init = {
		.major = FUSE_KERNEL_VERSION, .minor = 31, .max_readahead = ahead * KFD_PAGE,
		.max_background = 1000, .congestion_threshold = 900,
		.max_write = KFD_PAGE, .flags = ahead ? FUSE_ASYNC_READ : 0,
	};
	struct fuse_entry_out entry = {
		.nodeid = FILE_INO, .entry_valid = FOREVER, .attr_valid = FOREVER,
	};
	struct fuse_attr_out attr = { .attr_valid = FOREVER };
	struct fuse_open_out opened = { .fh = 1, .open_flags = FOPEN_KEEP_CACHE };

	switch (in->opcode) {
	case FUSE_INIT:
		answer(s->dev, in->unique, 0, &init, sizeof(init));
		break;
	case FUSE_LOOKUP:
		fill_attr(&entry.attr, FILE_INO, s->pages);
		answer(s->dev, in->unique, 0, &entry, sizeof(entry));
		break;
	case FUSE_GETATTR:
		fill_attr(&attr.attr, in->nodeid, s->pages);
		answer(s->dev, in->unique, 0, &attr, sizeof(attr));
		break;
	case FUSE_OPEN:
		answer(s->dev, in->unique, 0, &opened, sizeof(opened));
		break;
	case FUSE_READ:
		serve_read(s, in);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break;
	case FUSE_RELEASE:
	case FUSE_FLUSH:
		answer(s->dev, in->unique, 0, NULL, 0);
		break;
	default:
		answer(s->dev, in->unique, EOPNOTSUPP, NULL, 0);
	}
}

static void server(struct kfd_slow *s, unsigned int ahead)
{
	char *request = malloc(MAX_REQUEST);
	ssize_t n;

	signal(SIGTERM, SIG_DFL);
	for (;;) {
		n = request ? read(s->dev, request, MAX_REQUEST) : -1;
		if (n >= (ssize_t)sizeof(struct fuse_in_header))
			serve(s, (struct fuse_in_header *)request, ahead);
		else if (n < 0 && errno != EINTR && errno != ENOENT)
			_exit(0);
	}
}

int kfd_slow_start(struct kfd_slow *s, uint64_t pages, unsigned int ahead)
{
	char options[128];
	int ret;

	memset(s, 0, sizeof(*s));
	s->pages = pages;
	s->shared = mmap(NULL, KFD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
			 0);
	if (s->shared == MAP_FAILED)
		return -ENOMEM;
	if (access("/dev/fuse", F_OK) && system("modprobe -q fuse") != 0)
		return -ENODEV;
	s->dev = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (s->dev < 0)
		return errno == ENOENT || errno == ENXIO ? -ENODEV : -errno;
	snprintf(s->dir, sizeof(s->dir), "/tmp/kfd_slow.%d", getpid());
	if (mkdir(s->dir, 0755) && errno != EEXIST)
		return -errno;
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other",
		 s->dev);
	if (mount("kfd_slow", s->dir, "fuse", MS_NOSUID | MS_NODEV, options)) {
		ret = -errno;
		close(s->dev);
		return ret;
	}
	s->server = fork();
	if (!s->server)
		server(s, ahead);
	return s->server < 0 ? -errno : 0;
}

static void *slow_map(struct kfd_slow *s, uint64_t page, int prot, int flags)
{
	char path[96];
	void *p;
	int fd;

	snprintf(path, sizeof(path), "%s/f", s->dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	p = mmap(NULL, KFD_PAGE, prot, flags, fd, (off_t)(page * KFD_PAGE));
	close(fd);
	return p == MAP_FAILED ? NULL : p;
}

void *kfd_slow_map(struct kfd_slow *s, uint64_t page)
{
	return slow_map(s, page, PROT_READ, MAP_SHARED);
}

void *kfd_slow_map_own(struct kfd_slow *s, uint64_t page)
{
	return slow_map(s, page, PROT_READ | PROT_WRITE, MAP_PRIVATE);
}

void kfd_slow_block(struct kfd_slow *s)
{
	s->shared->block = 1;
}

int kfd_slow_drop(struct kfd_slow *s)
{
	struct {
		struct fuse_out_header head;
		struct fuse_notify_inval_inode_out what;
	} message = {
		.head = { .len = sizeof(message), .error = FUSE_NOTIFY_INVAL_INODE },
		.what = { .ino = FILE_INO },
	};

	return write(s->dev, &message, sizeof(message)) < 0 ? -errno : 0;
}

unsigned int kfd_slow_blocked(struct kfd_slow *s, unsigned int ms)
{
	uint64_t end = kfd_now_ms() + ms;

	while (!s->shared->blocked && kfd_now_ms() < end)
		kfd_sleep_ms(5);
	return s->shared->blocked;
}

void kfd_slow_stop(struct kfd_slow *s)
{
	if (s->server > 0) {
		kill(s->server, SIGKILL);
		waitpid(s->server, NULL, 0);
	}
	close(s->dev);
	umount2(s->dir, MNT_DETACH);
	rmdir(s->dir);
	munmap(s->shared, KFD_PAGE);
}
