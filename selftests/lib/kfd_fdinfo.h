/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading /proc/PID/fdinfo/N of /dev/kfd: the lines are "KEY:\tVALUE", then
 * words and their values in pairs.
 */
#ifndef KFD_FDINFO_H
#define KFD_FDINFO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* There is no such line or word. */
#define KFD_FDINFO_NONE	UINT64_MAX

int kfd_fdinfo_read(pid_t pid, int fd, char *text, size_t size);
uint64_t kfd_fdinfo_value(const char *text, const char *key);
uint64_t kfd_fdinfo_word(const char *text, const char *key, const char *word);
uint64_t kfd_fdinfo_word_of(const char *text, const char *key, uint64_t id, const char *word);
int kfd_fdinfo_line(const char *text, const char *key, char *line, size_t size);
unsigned int kfd_fdinfo_lines(const char *text, const char *key);
int kfd_fdinfo_check(const char *text);
/* Wait until nobody misses memory, and the queues run; @text is the last look */
int kfd_fdinfo_settled(int fd, char *text, size_t size, unsigned int ms);

#endif
