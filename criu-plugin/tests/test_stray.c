// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process that has state of a GPU and no file that leads to it is refused,
 * wherever in the tree it is, and nobody else is.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fake_sys.h"
#include "ktap.h"
#include "stray.h"
#include "sys.h"

#define SAYS	"process 42: has state of a GPU, and no file of /dev/kfd of its own open"

/* criu dumps 4242, which sees itself as 42; the driver lists it and another. */
static void machine(void)
{
	fake.pid = 42;
	fake.real_pid = 4242;
	fake.traced = true;
	fake.users[0] = (struct sys_user) { 77, 77 };
	fake.users[1] = (struct sys_user) { 4242, 9000 };
	fake.nr_users = 2;
}

static void has_file(uint64_t owner)
{
	fake.fd_list[0] = (struct sys_fd) { .fd = 40, .kind = SYS_DEV_KFD };
	fake.nr_fds = 1;
	fake.infos[0] = (struct fake_info) { 40, "kfd-pid", owner };
}

static void test_stray(void)
{
	machine();
	CHECK(stray_check_tree() == -EBUSY);
	CHECK(ktap_logged(SAYS));
}

static void test_own_file(void)
{
	machine();
	has_file(4242);
	CHECK(!stray_check_tree());
}

/* It leads to the state of somebody else. */
static void test_file_of_another(void)
{
	machine();
	has_file(77);
	CHECK(stray_check_tree() == -EBUSY);
}

static void test_render_node_alone(void)
{
	machine();
	has_file(4242);
	fake.fd_list[0].kind = SYS_DEV_RENDER;
	CHECK(stray_check_tree() == -EBUSY);
}

static void test_nothing_to_lose(void)
{
	machine();
	fake.stateless = true;
	CHECK(!stray_check_tree());
	CHECK(!stray_check_below(4242));
}

static void test_not_traced(void)
{
	machine();
	fake.traced = false;
	CHECK(!stray_check_tree());
}

static void test_unlisted(void)
{
	machine();
	fake.unlisted = true;
	CHECK(!stray_check_tree());
	CHECK(!stray_check_below(4242));
}

static void test_nobody(void)
{
	machine();
	fake.nr_users = 0;
	CHECK(!stray_check_tree());
	CHECK(!stray_check_below(4242));
}

static void test_root_itself(void)
{
	machine();
	fake.traced = false;	/* nobody is, that early */
	CHECK(stray_check_below(4242) == -EBUSY);
	CHECK(ktap_logged(SAYS));
}

static void test_descendant(void)
{
	machine();
	CHECK(stray_check_below(4000) == -EBUSY);
}

static void test_other_tree(void)
{
	machine();
	CHECK(!stray_check_below(4300));
}

static const struct ktap_test tests[] = {
	{ "stray", test_stray },
	{ "own_file", test_own_file },
	{ "file_of_another", test_file_of_another },
	{ "render_node_alone", test_render_node_alone },
	{ "nothing_to_lose", test_nothing_to_lose },
	{ "not_traced", test_not_traced },
	{ "unlisted", test_unlisted },
	{ "nobody", test_nobody },
	{ "root_itself", test_root_itself },
	{ "descendant", test_descendant },
	{ "other_tree", test_other_tree },
};

int main(void)
{
	return ktap_main(tests, sizeof(tests) / sizeof(tests[0]));
}
