/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stop points (floor 0): places in the driver where a test can have the next
 * task that comes by wait. Debug builds only.
 *
 * /sys/kernel/debug/amdkfd/
 *	stop_at		write a name: the next task to come there stops, once; it
 *			lets go who is stopped. Write nothing or an empty line:
 *			only let go. Reads as the names, one a line, the armed
 *			one with a "*" behind it.
 *	stopped		reads as "PID NAME" of who is stopped, or as nothing
 */
#ifndef AMDKFD_DEBUG_STOP_H
#define AMDKFD_DEBUG_STOP_H

#ifdef KFD_DEBUG
struct dentry;

void kfd_stop_point(unsigned int point);
void kfd_stop_init(struct dentry *dir, const char *const *names,
		   unsigned int n);
#else
static inline void kfd_stop_point(unsigned int point)
{
}
#endif

#endif
