// SPDX-License-Identifier: GPL-2.0-only
/*
 * Checkpoint and restore in fdinfo (floor 4): whether a process is paused and
 * by whom, whether it waits for its RESUME, and what it was refused for.
 */
#include <linux/pid.h>
#include <linux/seq_file.h>

#include "criu.h"

/**
 * kfd_criu_show() - the lines of fdinfo about checkpoint and restore
 * @m: where to write
 * @p: the process
 *
 * Context: process->lock held.
 */
void kfd_criu_show(struct seq_file *m, struct kfd_process *p)
{
	lockdep_assert_held(&p->lock);
	seq_printf(m, "kfd-paused:\t%d\n", p->pause.active);
	/* In the reader's pid namespace; 0: by nobody, or not to be seen there. */
	seq_printf(m, "kfd-paused-by:\t%d\n",
		   p->pause.active ? pid_vnr(p->pause.owner) : 0);
	seq_printf(m, "kfd-restored:\t%d\n", p->restored);
	seq_printf(m, "kfd-smi-sessions:\t%d\n",
		   atomic_read(&p->smi_sessions));
	kfd_refusal_show(m, p);
}
