// SPDX-License-Identifier: GPL-2.0-only
/*
 * For LD_PRELOAD of criu: the program that it is about to dump closes /dev/kfd
 * at the last moment, when criu has loaded its plugins and stopped nothing yet.
 * It does so on SIGUSR2.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <unistd.h>

static bool has_kfd(pid_t pid)
{
	char path[PATH_MAX], link[64];
	bool found = false;
	struct dirent *de;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	d = opendir(path);
	while (d && (de = readdir(d))) {
		ssize_t len = readlinkat(dirfd(d), de->d_name, link, sizeof(link) - 1);

		link[len > 0 ? len : 0] = '\0';
		found |= !strcmp(link, "/dev/kfd");
	}
	if (d)
		closedir(d);
	return found;
}

__attribute__((visibility("default")))
long ptrace(enum __ptrace_request request, ...)
{
	long (*next)(enum __ptrace_request request, ...) =
		(long (*)(enum __ptrace_request, ...))dlsym(RTLD_NEXT, "ptrace");
	static bool done;
	void *addr, *data;
	unsigned int i;
	va_list ap;
	pid_t pid;

	va_start(ap, request);
	pid = va_arg(ap, pid_t);
	addr = va_arg(ap, void *);
	data = va_arg(ap, void *);
	va_end(ap);
	if (request == PTRACE_SEIZE && !done) {
		done = true;
		kill(pid, SIGUSR2);
		for (i = 0; i < 1000 && has_kfd(pid); i++)
			usleep(10000);
	}
	return next(request, pid, addr, data);
}
