// SPDX-License-Identifier: GPL-2.0-only
/*
 * The plugin as criu sees it: its descriptor, and what the hooks in it answer.
 * Built for a criu with as many hooks as the header has, and for some with more
 * and fewer (CRIU_MORE: how many more).
 */
#define _GNU_SOURCE
#include "criu_api.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "fake_sys.h"
#include "flow.h"
#include "ktap.h"

#define EXPORT		__attribute__((visibility("default")))
#define CRIU_HOOKS	(CR_PLUGIN_HOOK__MAX + CRIU_MORE)
#define ASKS_TO_RETRY	__builtin_types_compatible_p(CR_PLUGIN_HOOK__RESTORE_EXT_FILE_t, \
						     int (int, bool *))

EXPORT struct {
	void *head[2];
	void *hooks[CRIU_HOOKS][2];
} cr_plugin_ctl;

/* What the version in the header says of a criu. */
#if defined(CRIU_VERSION) && CRIU_VERSION_MAJOR * 100 + CRIU_VERSION_MINOR >= 319
EXPORT int restore_task_cgroup(void)
{
	return 0;
}
#endif

static unsigned int nr_images(void)
{
	unsigned int nr = 0;
	struct dirent *de;
	DIR *d = opendir(ktap_dir);

	while ((de = readdir(d)))
		nr += de->d_name[0] != '.';
	closedir(d);
	return nr;
}

/* It is taken, so that it can say what is wrong, and does nothing else. */
static void test_another_criu(void)
{
	int stage;

	flow_one_gpu();
	CHECK(CR_PLUGIN_DESC.max_hooks <= CRIU_HOOKS);
	for (stage = 0; stage < CR_PLUGIN_STAGE_MAX; stage++) {
		ktap_log[0] = '\0';
		CHECK(CR_PLUGIN_DESC.init(stage));
		CHECK(ktap_logged("Error: built for criu "));
		CHECK(ktap_logged("build it with the headers of this criu"));
	}
	CHECK(!nr_images());
	flow_done();
}

static void test_this_criu(void)
{
	int stage;

	flow_one_gpu();
	CHECK(CR_PLUGIN_DESC.max_hooks == CR_PLUGIN_HOOK__MAX);
	for (stage = 0; stage < CR_PLUGIN_STAGE_MAX; stage++) {
		CHECK(!CR_PLUGIN_DESC.init(stage));
		CR_PLUGIN_DESC.exit(stage, 0);
	}
	CHECK(!ktap_logged("Error") && !ktap_logged("Warning"));
	flow_done();
}

static int dump_file(int fd, int id)
{
	CR_PLUGIN_HOOK__DUMP_EXT_FILE_t *hook =
		CR_PLUGIN_DESC.hooks[CR_PLUGIN_HOOK__DUMP_EXT_FILE];

	return hook(fd, id);
}

/* As criu calls it: @retry is set to nothing in particular before. */
static int restore_file(int id, bool *retry)
{
	int (*hook)(int id, bool *retry) =
		CR_PLUGIN_DESC.hooks[CR_PLUGIN_HOOK__RESTORE_EXT_FILE];

	*retry = true;
	return hook(id, retry);
}

static void dump(void)
{
	flow_machine();
	fake.traced = true;
	CHECK(!CR_PLUGIN_DESC.init(CR_PLUGIN_STAGE__DUMP));
	CHECK(!dump_file(fake_open_kfd(KFD_FD), KFD_ID));
	CHECK(!dump_file(fake_open_render(fake.minor_nr[0], RENDER_FD), RENDER_ID));
	CR_PLUGIN_DESC.exit(CR_PLUGIN_STAGE__DUMP, 0);
	CHECK(!fake.paused);
	CHECK(!CR_PLUGIN_DESC.init(CR_PLUGIN_STAGE__RESTORE));
}

static void test_no_retry(void)
{
	bool retry;

	dump();
	flow_install(restore_file(KFD_ID, &retry), KFD_FD);
	CHECK(retry == !ASKS_TO_RETRY);
	flow_install(restore_file(RENDER_ID, &retry), RENDER_FD);
	CHECK(retry == !ASKS_TO_RETRY);
	flow_done();
}

static void test_no_retry_of_anothers(void)
{
	bool retry;

	dump();
	CHECK(restore_file(77, &retry) == -ENOTSUP);
	CHECK(retry == !ASKS_TO_RETRY);
	flow_done();
}

static void test_no_retry_after_failure(void)
{
	bool retry;

	dump();
	fake.fail_op = KFD_CRIU_OP_RESTORE;
	fake.fail_err = -ENOMEM;
	CHECK(restore_file(KFD_ID, &retry) == -1);
	CHECK(retry == !ASKS_TO_RETRY);
	flow_done();
}

/* criu calls it since 4.0, when all is stopped: a last look, and no more than that. */
static void test_all_stopped(void)
{
	int (*hook)(int pid) = NULL;

	if (CR_PLUGIN_HOOK__MAX > 11)
		hook = CR_PLUGIN_DESC.hooks[11];
	flow_one_gpu();
	fake.traced = true;
	CHECK(!CR_PLUGIN_DESC.init(CR_PLUGIN_STAGE__DUMP));
	CHECK(!!hook == (CR_PLUGIN_HOOK__MAX >= 12));
	if (!hook)
		return;
	CHECK(hook(4242) == -ENOTSUP && hook(4243) == -ENOTSUP);
	CHECK(!strcmp(ktap_log, "kfd_plugin: loaded, stage 0\n"));
	CR_PLUGIN_DESC.exit(CR_PLUGIN_STAGE__DUMP, 0);

	/* it has closed /dev/kfd since the plugin was loaded */
	CHECK(!CR_PLUGIN_DESC.init(CR_PLUGIN_STAGE__DUMP));
	fake.users[0] = (struct sys_user) { 4242, 9000 };
	fake.nr_users = 1;
	CHECK(hook(4242) == -1);
	CHECK(ktap_logged("process 42: has state of a GPU, and no file of /dev/kfd"));
	CR_PLUGIN_DESC.exit(CR_PLUGIN_STAGE__DUMP, -1);
	flow_done();
}

static const struct ktap_test tests[] = {
	{ "all_stopped", test_all_stopped },
	{ "this_criu", test_this_criu },
	{ "no_retry", test_no_retry },
	{ "no_retry_of_anothers", test_no_retry_of_anothers },
	{ "no_retry_after_failure", test_no_retry_after_failure },
};

static const struct ktap_test another[] = {
	{ "another_criu", test_another_criu },
};

int main(void)
{
	if (CRIU_MORE)
		return ktap_main(another, sizeof(another) / sizeof(another[0]));
	return ktap_main(tests, sizeof(tests) / sizeof(tests[0]));
}
