// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit tests that print KTAP. Each test runs in a process of its own, so that
 * one that crashes or leaves something behind does not disturb the others.
 */
#define _GNU_SOURCE
#include "ktap.h"

#include "criu_api.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"

char ktap_log[65536];
char ktap_dir[64];
int ktap_dirfd;

int criu_get_image_dir(void)
{
	return ktap_dirfd;
}

void print_on_level(unsigned int level, const char *format, ...)
{
	size_t len = strlen(ktap_log);
	va_list ap;

	(void)level;
	va_start(ap, format);
	vsnprintf(ktap_log + len, sizeof(ktap_log) - len, format, ap);
	va_end(ap);
}

/** ktap_logged() - whether the log of this test has @text in it */
bool ktap_logged(const char *text)
{
	return strstr(ktap_log, text);
}

/** ktap_fail() - say what failed and end the test */
void ktap_fail(const char *file, int line, const char *what)
{
	char *line_start, *save = NULL;

	printf("# %s:%d: %s\n", file, line, what);
	for (line_start = strtok_r(ktap_log, "\n", &save); line_start;
	     line_start = strtok_r(NULL, "\n", &save))
		printf("#   log: %s\n", line_start);
	fflush(stdout);
	_exit(1);
}

static void remove_dir(void)
{
	DIR *d = opendir(ktap_dir);
	struct dirent *de;

	while (d && (de = readdir(d)))
		unlinkat(dirfd(d), de->d_name, 0);
	if (d)
		closedir(d);
	rmdir(ktap_dir);
}

static bool run_one(const struct ktap_test *test)
{
	int status = -1;
	pid_t pid;

	snprintf(ktap_dir, sizeof(ktap_dir), "/tmp/kfd-plugin-test.XXXXXX");
	if (!mkdtemp(ktap_dir))
		return false;
	ktap_dirfd = open(ktap_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		alarm(120);
		test->run();
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status))
		printf("# killed by signal %d\n", WTERMSIG(status));
	close(ktap_dirfd);
	remove_dir();
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

/** ktap_main() - run all tests; the program's exit code */
int ktap_main(const struct ktap_test *tests, size_t nr)
{
	size_t i, failed = 0;

	printf("KTAP version 1\n1..%zu\n", nr);
	for (i = 0; i < nr; i++) {
		bool good = run_one(&tests[i]);

		printf("%s %zu %s\n", good ? "ok" : "not ok", i + 1, tests[i].name);
		failed += !good;
	}
	return failed != 0;
}
