/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * criu's header for plugins. criu's source tree has it in criu/include, where a
 * -I that names the directory finds it; installed, it lies in a directory criu.
 */
#ifndef KFD_PLUGIN_CRIU_API_H
#define KFD_PLUGIN_CRIU_API_H

/* It is no system header then, and has functions without a use for their arguments. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#if __has_include("criu-plugin.h")
#include "criu-plugin.h"
#else
#include <criu/criu-plugin.h>
#endif
#pragma GCC diagnostic pop

#endif
