// SPDX-License-Identifier: GPL-2.0-only
/*
 * The variables of criu's environment that are for this plugin.
 *
 * All their names begin with KFD_PLUGIN_. They are looked at when criu loads
 * the plugin, before it has stopped or made any process: one that is not
 * known, or whose value is not understood, is an error then, whether it is
 * needed or not. An empty one is as good as none.
 *
 * Of KFD_PLUGIN_MOVE_USERPTRS only the name is known here: see move.c.
 */
#define _GNU_SOURCE
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <linux/kfd_ioctl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

#define PREFIX		"KFD_PLUGIN_"
#define DRAIN_MS	PREFIX "DRAIN_MS"
#define DRAIN_ONLY	PREFIX "DRAIN_ONLY"
#define KEEP_STOPPED	PREFIX "KEEP_STOPPED"

static const char * const known[] = {
	DRAIN_MS,
	DRAIN_ONLY,
	KEEP_STOPPED,
	PREFIX "MOVE_USERPTRS",
};

#define NR_KNOWN	(sizeof(known) / sizeof(known[0]))

/* A variable's value, or NULL when there is none to speak of. */
static const char *value_of(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

static bool is_known(const char *variable, size_t len)
{
	size_t i;

	for (i = 0; i < NR_KNOWN; i++)
		if (strlen(known[i]) == len && !strncmp(known[i], variable, len))
			return true;
	return false;
}

static int check_names(void)
{
	int ret = 0;
	size_t i;
	char **e;

	for (e = environ; *e; e++) {
		size_t len = strcspn(*e, "=");

		if (strncmp(*e, PREFIX, sizeof(PREFIX) - 1) || is_known(*e, len))
			continue;
		pr_err("%.*s: there is no such variable\n", (int)len, *e);
		ret = -EINVAL;
	}
	for (i = 0; ret && i < NR_KNOWN; i++)
		pr_err("there is %s\n", known[i]);
	return ret;
}

/* A variable that is 0 or 1; none is 0. */
static int get_switch(const char *name, bool *on)
{
	const char *value = value_of(name);

	*on = value && !strcmp(value, "1");
	if (!value || *on || !strcmp(value, "0"))
		return 0;
	pr_err("%s=%s: neither 0 nor 1\n", name, value);
	return -EINVAL;
}

/**
 * options_drain() - what becomes of work that is under way at a dump
 * @request: out: for PROCESS_INFO, or 0
 *
 * Return: 0, or -EINVAL; the error has been logged.
 */
int options_drain(uint64_t *request)
{
	const char *ms = value_of(DRAIN_MS);
	unsigned long value;
	bool only;
	char *end;

	*request = 0;
	if (get_switch(DRAIN_ONLY, &only))
		return -EINVAL;
	if (!ms) {
		if (!only)
			return 0;
		pr_err(DRAIN_ONLY "=1: without " DRAIN_MS " no queue is waited for\n");
		return -EINVAL;
	}
	errno = 0;
	value = strtoul(ms, &end, 10);
	/* strtoul() would take blanks and a sign too */
	if (!isdigit((unsigned char)*ms) || errno || *end || value > KFD_CRIU_DRAIN_MAX_MS) {
		pr_err(DRAIN_MS "=%s: not a number of milliseconds up to %u\n", ms,
		       KFD_CRIU_DRAIN_MAX_MS);
		return -EINVAL;
	}
	*request = KFD_CRIU_DRAIN | value;
	if (only)
		*request |= KFD_CRIU_DRAIN_ONLY;
	return 0;
}

/**
 * options_keep_stopped() - what becomes of a process whose RESUME fails
 * @keep: out: it goes on, its queues don't
 *
 * Return: 0, or -EINVAL; the error has been logged.
 */
int options_keep_stopped(bool *keep)
{
	return get_switch(KEEP_STOPPED, keep);
}

/**
 * options_check() - look at all variables
 *
 * Return: 0, or -EINVAL; what is wrong has been logged.
 */
int options_check(void)
{
	uint64_t request;
	int ret = check_names();
	bool keep;

	if (options_drain(&request) || options_keep_stopped(&keep))
		ret = -EINVAL;
	return ret;
}
