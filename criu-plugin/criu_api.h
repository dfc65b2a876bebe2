/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * criu's header for plugins, and the one with its version where there is one.
 * criu's source tree has them in criu/include, where a -I that names the
 * directory finds them; installed, they lie in a directory criu.
 */
#ifndef KFD_PLUGIN_CRIU_API_H
#define KFD_PLUGIN_CRIU_API_H

/* It is no system header then, and has functions without a use for their arguments. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#if __has_include("criu-plugin.h")
#include "criu-plugin.h"
#if __has_include("version.h")
#include "version.h"
#endif
#else
#include <criu/criu-plugin.h>
#if __has_include("criu/version.h")
#include <criu/version.h>
#endif
#endif
#pragma GCC diagnostic pop

#endif
