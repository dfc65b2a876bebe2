// SPDX-License-Identifier: GPL-2.0-only
/*
 * What programs that are dumped and restored have in common: how they say how
 * far they are, and that they still have the files that they had.
 */
#define _GNU_SOURCE
#include "gpu_user.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

const char *result_path;
static unsigned int nr_fds;

/**
 * report() - write a line to the result file
 * @format: of the line
 */
void report(const char *format, ...)
{
	int fd = open(result_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	char text[2 * 16384];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (fd < 0 || dprintf(fd, "%s\n", text) < 0)
		_exit(3);
	close(fd);
}

static unsigned int count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned int n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

/**
 * check_fds() - the restored program has the fds that it had
 * @more: and so many others
 */
void check_fds(unsigned int more)
{
	if (count_fds() == nr_fds + more)
		return;
	report("%u fds open, were %u", count_fds(), nr_fds);
	_exit(1);
}

/** wait_signal() - be ready to be dumped; returns when that is over */
void wait_signal(void)
{
	sigset_t set;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	nr_fds = count_fds();
	report("ready");
	sigwait(&set, &sig);
}
