// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mappings of a restored process with one criu and with the other: what it
 * does with the fd that the hook gives it. Built once for each (CRIU_HOOKS: how
 * many hooks it has); what the plugin asks of criu's executable is here.
 */
#define _GNU_SOURCE
#include "criu_api.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "criu.h"
#include "dump.h"
#include "fake_sys.h"
#include "flow.h"
#include "ktap.h"
#include "restore.h"

#define EXPORT		__attribute__((visibility("default")))
#define OWNS_FDS	(CRIU_HOOKS > 10)
#define RENDER		"/dev/dri/renderD128"

/* A mapping that criu is going to make. */
struct mapping {
	const char *path;
	uint64_t offset;
	int want;		/* number of the process's own fd; -1: criu's */
	int fd;
	bool close;		/* after it has been made */
};

#define MAP(path, offset, want)	{ path, offset, want, -1, false }

EXPORT struct {
	void *head[2];
	void *hooks[CRIU_HOOKS][2];
} cr_plugin_ctl;

static struct {
	const char *path;
	int fd;
	struct mapping *last;
} ctx;

EXPORT void filemap_ctx_init(bool close)
{
	CHECK(!close);
	memset(&ctx, 0, sizeof(ctx));
	ctx.fd = -1;
}

EXPORT void filemap_ctx_fini(void)
{
	if (ctx.last)
		ctx.last->close = true;
}

#if OWNS_FDS
EXPORT int restore_task_cgroup(void)
{
	return 0;
}
#endif

/* One mapping after the other gets its fd, successive ones of a file the same. */
static void open_files(struct mapping *maps, size_t nr)
{
	uint64_t offset;
	size_t i;
	int fd;

	filemap_ctx_init(false);
	for (i = 0; i < nr; i++) {
		fd = -1;
		restore_vma(ktap_dirfd, maps[i].path, 0x1000 * (i + 1), maps[i].offset, &offset,
			    &fd);
		if (!ctx.path || strcmp(ctx.path, maps[i].path)) {
			if (fd < 0)
				fd = open("/dev/null", O_RDWR);
			else if (!OWNS_FDS)
				fd = dup(fd);
			filemap_ctx_fini();
			ctx.path = maps[i].path;
			ctx.fd = fd;
		}
		ctx.last = &maps[i];
		maps[i].fd = ctx.fd;
	}
	filemap_ctx_fini();
}

static void make_mappings(const struct mapping *maps, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		CHECK(fcntl(maps[i].fd, F_GETFD) >= 0);
		if (maps[i].want >= 0)
			CHECK(fake_ino(maps[i].fd) == fake_ino(maps[i].want));
		if (maps[i].close)
			CHECK(!close(maps[i].fd));
	}
}

/* A process as it is before its mappings are made. */
static void restore_files(void)
{
	unsigned int i;

	flow_one_gpu();
	fake.user_gpu_id[0] = 1000;
	fake.render_vmas = 4;
	for (i = 1; i <= 3; i++)
		flow_add_bo(KFD_IOC_ALLOC_MEM_FLAGS_GTT, 4096, i * 0x10000000, 1000);
	flow_dump();
	flow_install(restore_file(ktap_dirfd, KFD_ID), KFD_FD);
	flow_install(restore_file(ktap_dirfd, RENDER_ID), RENDER_FD);
}

/* Nothing but the mappings is there that was not there before. */
static void map_all(struct mapping *maps, size_t nr)
{
	unsigned int fds;

	restore_files();
	fds = fake_open_fds();
	open_files(maps, nr);
	make_mappings(maps, nr);
	CHECK(fake_open_fds() == fds);
	CHECK(fcntl(KFD_FD, F_GETFD) >= 0 && fcntl(RENDER_FD, F_GETFD) >= 0);
	CHECK(!ktap_logged("Error"));
	flow_done();
}

static void test_one_after_the_other(void)
{
	struct mapping maps[] = {
		MAP(RENDER, 0x10000000, RENDER_FD), MAP(RENDER, 0x20000000, RENDER_FD),
		MAP(RENDER, 0x30000000, RENDER_FD),
	};

	map_all(maps, 3);
}

static void test_others_between(void)
{
	struct mapping maps[] = {
		MAP("/dev/kfd", DOORBELL, KFD_FD), MAP(RENDER, 0x10000000, RENDER_FD),
		MAP("/lib/other", 0, -1), MAP(RENDER, 0x20000000, RENDER_FD),
		MAP(RENDER, 0x20000000, RENDER_FD), MAP("/dev/kfd", DOORBELL, KFD_FD),
		MAP("/dev/kfd", DOORBELL, KFD_FD), MAP("/lib/other", 0, -1),
		MAP(RENDER, 0x30000000, RENDER_FD),
	};

	map_all(maps, 9);
}

static void test_cannot_be_mapped(void)
{
	struct mapping map = MAP(RENDER, 0x40000000, RENDER_FD);
	unsigned int fds;

	restore_files();
	fds = fake_open_fds();
	open_files(&map, 1);
	CHECK(fcntl(map.fd, F_GETFD) < 0 && fake_open_fds() == fds);
	flow_done();
}

static void test_versions(void)
{
	bool other = CRIU_HOOKS != CR_PLUGIN_HOOK__MAX;

#ifdef CRIU_VERSION
	other = other ||
		OWNS_FDS != (CRIU_VERSION_MAJOR * 100 + CRIU_VERSION_MINOR >= 319);
#endif
	CHECK(criu_closes_fds() == OWNS_FDS);
	CHECK(criu_limit_hooks(3) == 3 && criu_limit_hooks(100) == CRIU_HOOKS);
	CHECK(criu_check_headers() == (other ? -EINVAL : 0));
	CHECK(ktap_logged("Error: built for criu ") == other);
}

/* What criu knows of the first process, as it has it. */
struct item;

struct item_pid {
	struct item *item;
	pid_t real;
	int state;
};

struct list {
	struct list *next, *prev;
};

struct item {
	struct item *parent;
	struct list children;
	struct list sibling;
	struct item_pid *pid;
};

EXPORT struct item *root_item;

static void test_root(void)
{
	struct item item;
	struct item_pid pid = { &item, 4242, 0 };

	CHECK(!criu_root());
	memset(&item, 0, sizeof(item));
	item.pid = &pid;
	root_item = &item;
	CHECK(!criu_root());	/* it does not look like one */
	item.children = (struct list) { &item.children, &item.children };
	item.sibling = (struct list) { &item.sibling, &item.sibling };
	CHECK(criu_root() == 4242);
	pid.real = -1;
	CHECK(!criu_root());
	pid.real = 4242;
	pid.item = NULL;
	CHECK(!criu_root());
}

static unsigned int scripts;

EXPORT int add_script(char *path)
{
	CHECK(path);
	scripts++;
	return 0;
}

/* This one was not called as "criu dump": it may be bound to messages. */
static void test_no_script_without_command(void)
{
	CHECK(!criu_fail_dump());
	CHECK(!scripts);
}

/* Only criu since 4.1 has a list; these two have the hooks of 4.1 and of later. */
#define LISTS_PLUGINS	(CRIU_HOOKS >= 12)

static char listed[64];

#if LISTS_PLUGINS
EXPORT int add_inventory_plugin(const char *name)
{
	snprintf(listed, sizeof(listed), "%s", name);
	return strcmp(name, "no memory") ? 0 : -1;
}

EXPORT bool check_and_remove_inventory_plugin(const char *name, size_t n)
{
	bool is_it = !strncmp(name, listed, n);

	CHECK(n == strlen(name));
	if (is_it)
		listed[0] = '\0';
	return is_it;
}
#endif

static void test_required(void)
{
	CHECK(!criu_require_plugin("some_plugin"));
	CHECK(!strcmp(listed, LISTS_PLUGINS ? "some_plugin" : ""));
	criu_plugin_is_here("some_plugin");
	CHECK(!listed[0]);
	/* a dump by who has not listed it */
	criu_plugin_is_here("some_plugin");
	CHECK(criu_require_plugin("no memory") == (LISTS_PLUGINS ? -ENOMEM : 0));
}

static const struct ktap_test tests[] = {
	{ "required", test_required },
	{ "root", test_root },
	{ "no_script_without_command", test_no_script_without_command },
	{ "one_after_the_other", test_one_after_the_other },
	{ "others_between", test_others_between },
	{ "cannot_be_mapped", test_cannot_be_mapped },
	{ "versions", test_versions },
};

int main(void)
{
	return ktap_main(tests, sizeof(tests) / sizeof(tests[0]));
}
