/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bugs on demand (floor 0): each regression test is known to bite because a
 * build that has its bug is known to fail it.
 *
 * if (!KFD_BROKEN(name) && bad) refuse;
 *
 * A build with BREAK=name has the bug, one with BREAK=all has any of them, one
 * at a time, chosen by amdkfd's parameter "broken". In every other build, and
 * in user space, KFD_BROKEN() is the constant false.
 */
#ifndef AMDKFD_DEBUG_BREAK_H
#define AMDKFD_DEBUG_BREAK_H

#if defined(KFD_BREAK) && defined(__KERNEL__)
#include <linux/types.h>

bool kfd_is_broken(const char *bug);

/* The prefix is what tells a module that can be broken: see scripts/bugs. */
#define KFD_BROKEN(name)	kfd_is_broken("broken=" #name)
#else
#define KFD_BROKEN(name)	0
#endif

#endif
