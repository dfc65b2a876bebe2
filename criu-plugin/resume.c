// SPDX-License-Identifier: GPL-2.0-only
/*
 * RESUME: the queues of a restored process may run.
 *
 * The hook for it is called in criu's main process when everything stands and
 * all tasks of the tree are stopped and traced. criu does not look at what it
 * returns: it would let the tasks go and end with success, and a program would
 * wait for a GPU that stands still.
 *
 * So when one RESUME fails, the whole tree is killed before the hook returns.
 * criu then cannot let go of its first task, takes the restore for failed and
 * exits with an error. Nobody has run until then. Nor is it enough to kill the
 * one process: criu would let those before it run, if only for a moment.
 *
 * KFD_PLUGIN_KEEP_STOPPED=1 in criu's environment is for who wants to look at
 * such a process, or RESUME it himself: it goes on without its queues.
 */
#define _GNU_SOURCE
#include "restore.h"

#include <errno.h>
#include <linux/kfd_ioctl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "options.h"
#include "sys.h"

/* The tree is being killed: nobody's queues are to run any more. */
static bool killed;

static const char *op_hint(int err)
{
	switch (err) {
	case -EACCES:
	case -EPERM:
		return " (criu needs CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN)";
	case -EFAULT:
	case -ENOMEM:
		return " (memory that the GPU works on is not there: the kernel's log names it)";
	default:
		return "";
	}
}

/* The driver's part. */
static int call_driver(pid_t pid)
{
	struct kfd_ioctl_criu_args args = { .op = KFD_CRIU_OP_RESUME, .pid = pid };
	int kfd = sys_open_kfd();
	int ret;

	if (kfd < 0) {
		pr_err("process %d: /dev/kfd cannot be opened: %s\n", pid, strerror(-kfd));
		return kfd;
	}
	ret = sys_criu_op(kfd, &args);
	close(kfd);
	if (ret)
		pr_err("process %d: RESUME failed: %s%s\n", pid, strerror(-ret), op_hint(ret));
	return ret;
}

/* 1: it has GPU state, 0: it has none or is gone. */
static int has_state(int dir, pid_t pid)
{
	struct restore_state *st;
	pid_t ns_pid;
	int ret;

	ret = restore_files_get(dir, &st);
	if (ret)
		return ret == -ENOENT ? 0 : ret;
	ns_pid = sys_ns_pid(pid);
	if (ns_pid > 0)
		return restore_has_state(st, ns_pid);
	if (!sys_exists(pid))
		return 0;
	pr_err("process %d: procfs does not say which one it is\n", pid);
	return -EIO;
}

/**
 * restore_resume() - let a restored process's queues run
 * @dir: image directory
 * @pid: of the process, as criu's main process sees it
 *
 * After a failure everything that criu is restoring is killed, unless the
 * environment wants it otherwise.
 *
 * Return: 0; -ENOTSUP when the process has no GPU state; or another negative
 * errno, logged.
 */
int restore_resume(int dir, pid_t pid)
{
	bool keep = false;
	int ret;

	if (killed)
		return -ESRCH;
	ret = options_keep_stopped(&keep);
	if (!ret)
		ret = has_state(dir, pid);
	if (!ret)
		return -ENOTSUP;
	if (ret > 0)
		ret = call_driver(pid);
	if (!ret) {
		pr_info("process %d: GPU queues run\n", pid);
		return 0;
	}
	if (keep) {
		pr_warn("process %d: goes on, but its GPU queues stay stopped until there is a RESUME, as KFD_PLUGIN_KEEP_STOPPED wants\n",
			pid);
		return ret;
	}
	pr_err("process %d: its GPU queues cannot run, so all that is being restored is killed\n",
	       pid);
	killed = true;
	sys_kill_tracees(pid);
	return ret;
}
