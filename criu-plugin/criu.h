/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The criu that has loaded the plugin: see criu.c.
 */
#ifndef KFD_PLUGIN_CRIU_H
#define KFD_PLUGIN_CRIU_H

#include <stdbool.h>
#include <sys/types.h>

bool criu_closes_fds(void);
int criu_vma_fd(int fd);
pid_t criu_root(void);
bool criu_fail_dump(void);
int criu_require_plugin(const char *name);
void criu_plugin_is_here(const char *name);
unsigned int criu_limit_hooks(unsigned int hooks);
int criu_check_headers(void);

#endif
