// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes to be dumped: started, asked whether all is as it was, and ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

/* What it says in its file, which is gone then; false: it ends, or takes too long. */
static bool await_word(struct target *t, char *word, size_t size)
{
	double end = now() + 120;
	ssize_t n = 0;
	int fd;

	while (!n) {
		fd = open(t->word, O_RDONLY | O_CLOEXEC);
		if (fd >= 0) {
			n = read(fd, word, size - 1);
			close(fd);
		}
		if (n || waitpid(t->pid, NULL, WNOHANG) == t->pid || kill(t->pid, 0) ||
		    now() > end)
			break;
		usleep(20000);
	}
	word[n > 0 ? n : 0] = '\0';
	unlink(t->word);
	return n > 0;
}

static void show(const char *path)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "tail -n 20 %s >&2", path);
	if (system(cmd))
		fprintf(stderr, "bench: no %s\n", path);
}

/**
 * target_start() - start a process to be dumped and wait until it is ready
 * @t: filled in
 * @vram_mib: VRAM that it holds; with none it does not use the driver at all
 * @anon_mib: plain memory that it holds
 */
void target_start(struct target *t, unsigned int vram_mib, unsigned int anon_mib)
{
	static unsigned int count;
	char *log = text("%s/target-%u.log", work_dir, count);
	char *vram = text("%u", vram_mib), *anon = text("%u", anon_mib), word[64];
	int fd;

	snprintf(t->word, sizeof(t->word), "%s/word-%u", work_dir, count++);
	t->pid = fork();
	if (t->pid < 0)
		die("fork: %s", strerror(errno));
	if (!t->pid) {
		/* nothing that criu would have to ask about: no terminal, no pipes */
		setsid();
		fd = open("/dev/null", O_RDONLY);
		dup2(fd, 0);
		fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
		dup2(fd, 1);
		dup2(fd, 2);
		for (fd = 3; fd < 64; fd++)
			close(fd);
		execl(target_path, "target", t->word, vram, anon, NULL);
		_exit(127);
	}
	if (!await_word(t, word, sizeof(word)) || strcmp(word, "ready")) {
		show(log);
		die("the process with %u MiB VRAM does not start", vram_mib);
	}
	free(log);
	free(vram);
	free(anon);
}

/**
 * target_check() - have it look whether all is as it was, and its queues work
 * @t: the process, dumped and restored or not
 *
 * Ends the program when it is not.
 */
void target_check(struct target *t)
{
	char word[64];

	kill(t->pid, SIGUSR1);
	if (!await_word(t, word, sizeof(word)))
		die("process %d says nothing", t->pid);
	if (strcmp(word, "right"))
		die("process %d: %s", t->pid, word);
}

/**
 * target_await_end() - wait until it is gone
 * @t: the process, our child or not
 */
void target_await_end(struct target *t)
{
	double end = now() + 60;

	/* a restored one is init's child, not ours */
	while (waitpid(t->pid, NULL, WNOHANG) != t->pid && !kill(t->pid, 0)) {
		if (now() > end)
			die("process %d does not end", t->pid);
		usleep(20000);
	}
}

/**
 * target_kill() - end a process and wait until it is gone
 * @t: the process, our child or not
 */
void target_kill(struct target *t)
{
	if (!t->pid)
		return;
	kill(t->pid, SIGKILL);
	target_await_end(t);
	t->pid = 0;
}
