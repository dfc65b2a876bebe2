/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Unit tests that print KTAP, and what criu would provide: its log, kept for
 * the tests to look into, and its image directory.
 */
#ifndef KFD_PLUGIN_TEST_KTAP_H
#define KFD_PLUGIN_TEST_KTAP_H

#include <stdbool.h>
#include <stddef.h>

/**
 * struct ktap_test - one test
 * @name: of the test
 * @run: returns when done; CHECK() ends the test at the first failure
 */
struct ktap_test {
	const char *name;
	void (*run)(void);
};

extern char ktap_log[65536];		/* what was logged during this test */
extern char ktap_dir[64];		/* a new directory for each test */
extern int ktap_dirfd;

void ktap_fail(const char *file, int line, const char *what);
bool ktap_logged(const char *text);
int ktap_main(const struct ktap_test *tests, size_t nr);

#define CHECK(x)					\
	do {						\
		if (!(x))				\
			ktap_fail(__FILE__, __LINE__, #x); \
	} while (0)

#endif
