/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What debug builds (DEBUG=1) have in addition: KUnit suites, stop points (floor 6).
 */
#ifndef AMDKFD_DEBUG_DEBUG_H
#define AMDKFD_DEBUG_DEBUG_H

#ifdef KFD_DEBUG
int kfd_debug_init(void);
void kfd_debug_exit(void);
#else
static inline int kfd_debug_init(void)
{
	return 0;
}

static inline void kfd_debug_exit(void)
{
}
#endif

#endif
