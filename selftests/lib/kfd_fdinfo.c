// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading fdinfo of /dev/kfd; see the header.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kfd_fdinfo.h"
#include "kfd_lib.h"

/* -EOVERFLOW: there is more than @size has room for. */
int kfd_fdinfo_read(pid_t pid, int fd, char *text, size_t size)
{
	char path[64];
	int ret;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fd);
	ret = kfd_read_text(path, text, size);
	if (ret)
		return ret;
	return strlen(text) + 1 < size ? 0 : -EOVERFLOW;
}

/* What follows "\nKEY:\t", or NULL. */
static const char *find(const char *text, const char *key)
{
	size_t len = strlen(key);
	const char *at = text;

	while ((at = strstr(at, key))) {
		if ((at == text || at[-1] == '\n') && at[len] == ':' && at[len + 1] == '\t')
			return at + len + 2;
		at += len;
	}
	return NULL;
}

uint64_t kfd_fdinfo_value(const char *text, const char *key)
{
	const char *at = find(text, key);

	return at ? strtoull(at, NULL, 0) : KFD_FDINFO_NONE;
}

/* The first line that has this key, without the key. */
int kfd_fdinfo_line(const char *text, const char *key, char *line, size_t size)
{
	const char *at = find(text, key);

	if (!at)
		return -ENOENT;
	snprintf(line, size, "%.*s", (int)strcspn(at, "\n"), at);
	return 0;
}

uint64_t kfd_fdinfo_word(const char *text, const char *key, const char *word)
{
	char line[512], start[64];
	const char *at;

	if (kfd_fdinfo_line(text, key, line, sizeof(line)))
		return KFD_FDINFO_NONE;
	snprintf(start, sizeof(start), " %s ", word);
	at = strstr(line, start);
	return at ? strtoull(at + strlen(start), NULL, 0) : KFD_FDINFO_NONE;
}

/* The same of the line with this key whose value is @id. */
uint64_t kfd_fdinfo_word_of(const char *text, const char *key, uint64_t id, const char *word)
{
	const char *at = text;
	char *end;

	while ((at = find(at, key)))
		if (strtoull(at, &end, 0) == id && *end == ' ')
			return kfd_fdinfo_word(at - strlen(key) - 2, key, word);
	return KFD_FDINFO_NONE;
}

unsigned int kfd_fdinfo_lines(const char *text, const char *key)
{
	unsigned int n = 0;

	while ((text = find(text, key)))
		n++;
	return n;
}

static uint64_t sum(const char *text, const char *const *keys)
{
	uint64_t total = 0;

	for (; *keys; keys++)
		total += kfd_fdinfo_value(text, *keys);
	return total;
}

/* Complete, to the last line, and the sums agree: 0 or -EPROTO. */
int kfd_fdinfo_check(const char *text)
{
	static const char *const bos[] = {
		"kfd-bos-vram", "kfd-bos-gtt", "kfd-bos-userptr", "kfd-bos-doorbell",
		"kfd-bos-mmio", NULL
	};
	static const char *const events[] = {
		"kfd-events-signal", "kfd-events-nodechange", "kfd-events-devicestatechange",
		"kfd-events-hw-exception", "kfd-events-system", "kfd-events-debug",
		"kfd-events-profile", "kfd-events-queue", "kfd-events-memory", NULL
	};
	/* Those that wait for RESUME have a line too. */
	static const char *const ranges[] = { "kfd-svm-ranges", "kfd-svm-restored", NULL };
	const char *end = find(text, "kfd-end");

	if (!end || strchr(end, '\n') != text + strlen(text) - 1 ||
	    kfd_fdinfo_value(text, "kfd-end") != kfd_fdinfo_value(text, "kfd-pid"))
		return -EPROTO;
	if (kfd_fdinfo_value(text, "kfd-bos") != sum(text, bos) ||
	    kfd_fdinfo_value(text, "kfd-events") != sum(text, events) ||
	    kfd_fdinfo_value(text, "kfd-queues") != kfd_fdinfo_lines(text, "kfd-queue") ||
	    kfd_fdinfo_value(text, "kfd-gpus") != kfd_fdinfo_lines(text, "kfd-gpu") ||
	    sum(text, ranges) != kfd_fdinfo_lines(text, "kfd-svm-range"))
		return -EPROTO;
	return 0;
}

int kfd_fdinfo_settled(int fd, char *text, size_t size, unsigned int ms)
{
	uint64_t end = kfd_now_ms() + ms;
	int ret;

	do {
		ret = kfd_fdinfo_read(getpid(), fd, text, size);
		if (ret)
			return ret;
		if (!kfd_fdinfo_value(text, "kfd-userptrs-absent") &&
		    !kfd_fdinfo_word(text, "kfd-svm-ranges", "absent") &&
		    !kfd_fdinfo_word(text, "kfd-userptrs-absent", "queues-held"))
			return 0;
		kfd_sleep_ms(20);
	} while (kfd_now_ms() < end);
	return -ETIME;
}
