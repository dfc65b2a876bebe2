// SPDX-License-Identifier: GPL-2.0-only
/*
 * The plugin's variables: names and values, right and wrong.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/kfd_ioctl.h>
#include <stdlib.h>

#include "ktap.h"
#include "options.h"

static void set(const char *name, const char *value)
{
	CHECK(!setenv(name, value, 1));
}

static void bad(const char *name, const char *value, const char *message)
{
	set(name, value);
	ktap_log[0] = '\0';
	CHECK(options_check() == -EINVAL && ktap_logged(message));
	CHECK(!unsetenv(name));
}

static void good(void)
{
	ktap_log[0] = '\0';
	CHECK(!options_check() && !ktap_log[0]);
}

static void test_names(void)
{
	good();
	set("KFD_PLUGIN_DRAIN_MS", "20");
	set("KFD_PLUGIN_MOVE_USERPTRS", "1000-2000:3000");
	set("KFD_PLUGI", "other programs' variables");
	set("kfd_plugin_x", "too");
	good();
	bad("KFD_PLUGIN_DRAIN_MSS", "20", "Error: KFD_PLUGIN_DRAIN_MSS: there is no such variable");
	CHECK(ktap_logged("there is KFD_PLUGIN_DRAIN_MS\n"));
	bad("KFD_PLUGIN_DRAIN_M", "20", "KFD_PLUGIN_DRAIN_M: there is no such variable");
	bad("KFD_PLUGIN_", "", "KFD_PLUGIN_: there is no such variable");
	/* an empty one that is not known is as wrong */
	bad("KFD_PLUGIN_DRAIN_ONLI", "", "KFD_PLUGIN_DRAIN_ONLI: there is no such");
	good();
}

static void test_values(void)
{
	static const char * const ms[] = { "x", "10ms", "-1", "+1", " 1", "1 ", "0x10", "1.5",
					   "60001", "99999999999999999999" };
	static const char * const only[] = { "2", "yes", "true", "01", " 1", "-1", "on" };
	uint64_t request;
	size_t i;

	for (i = 0; i < sizeof(ms) / sizeof(ms[0]); i++)
		bad("KFD_PLUGIN_DRAIN_MS", ms[i], ": not a number of milliseconds up to 60000");
	set("KFD_PLUGIN_DRAIN_MS", "20");
	for (i = 0; i < sizeof(only) / sizeof(only[0]); i++) {
		bad("KFD_PLUGIN_DRAIN_ONLY", only[i], ": neither 0 nor 1");
		bad("KFD_PLUGIN_KEEP_STOPPED", only[i], ": neither 0 nor 1");
	}
	set("KFD_PLUGIN_DRAIN_ONLY", "1");
	good();
	CHECK(!options_drain(&request) &&
	      request == (KFD_CRIU_DRAIN | KFD_CRIU_DRAIN_ONLY | 20));
	set("KFD_PLUGIN_DRAIN_ONLY", "0");
	CHECK(!options_drain(&request) && request == (KFD_CRIU_DRAIN | 20));
	set("KFD_PLUGIN_DRAIN_ONLY", "");
	CHECK(!options_drain(&request) && request == (KFD_CRIU_DRAIN | 20));
}

/* One that has no effect without the other. */
static void test_only_without_ms(void)
{
	uint64_t request;

	bad("KFD_PLUGIN_DRAIN_ONLY", "1", "without KFD_PLUGIN_DRAIN_MS no queue is waited for");
	set("KFD_PLUGIN_DRAIN_MS", "");
	bad("KFD_PLUGIN_DRAIN_ONLY", "1", "without KFD_PLUGIN_DRAIN_MS no queue is waited for");
	bad("KFD_PLUGIN_DRAIN_ONLY", "x", "neither 0 nor 1");
	set("KFD_PLUGIN_DRAIN_ONLY", "0");
	good();
	CHECK(!options_drain(&request) && !request);
}

static void test_keep_stopped(void)
{
	bool keep = true;

	CHECK(!options_keep_stopped(&keep) && !keep);
	set("KFD_PLUGIN_KEEP_STOPPED", "1");
	good();
	CHECK(!options_keep_stopped(&keep) && keep);
	set("KFD_PLUGIN_KEEP_STOPPED", "0");
	good();
	CHECK(!options_keep_stopped(&keep) && !keep);
}

static const struct ktap_test tests[] = {
	{ "names", test_names },
	{ "values", test_values },
	{ "only_without_ms", test_only_without_ms },
	{ "keep_stopped", test_keep_stopped },
};

int main(void)
{
	return ktap_main(tests, sizeof(tests) / sizeof(tests[0]));
}
