/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What debug builds (DEBUG=1) of amdgpu_sim.ko have in addition.
 */
#ifndef AMDGPU_SIM_DEBUG_H
#define AMDGPU_SIM_DEBUG_H

#ifdef KFD_DEBUG
void sim_debug_init(void);
void sim_debug_exit(void);
#else
static inline void sim_debug_init(void)
{
}

static inline void sim_debug_exit(void)
{
}
#endif

#endif
