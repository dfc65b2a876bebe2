/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages through criu's log.
 *
 * criu exports print_on_level() from its executable; the header that would
 * declare it (criu-log.h) includes one that the distribution does not ship.
 * criu formats into a static buffer, so only the thread that criu called the
 * hook in may use these.
 */
#ifndef KFD_PLUGIN_LOG_H
#define KFD_PLUGIN_LOG_H

void print_on_level(unsigned int level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#define LOG_PREFIX "kfd_plugin: "

#define pr_err(fmt, ...) print_on_level(1, LOG_PREFIX "Error: " fmt, ##__VA_ARGS__)
#define pr_warn(fmt, ...) print_on_level(2, LOG_PREFIX "Warning: " fmt, ##__VA_ARGS__)
#define pr_info(fmt, ...) print_on_level(3, LOG_PREFIX fmt, ##__VA_ARGS__)
#define pr_debug(fmt, ...) print_on_level(4, LOG_PREFIX fmt, ##__VA_ARGS__)

#endif
