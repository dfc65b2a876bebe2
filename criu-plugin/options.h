/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What criu's environment asks of the plugin.
 */
#ifndef KFD_PLUGIN_OPTIONS_H
#define KFD_PLUGIN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

int options_check(void);
int options_drain(uint64_t *request);
int options_keep_stopped(bool *keep);

#endif
