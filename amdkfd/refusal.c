// SPDX-License-Identifier: GPL-2.0-only
/*
 * Why a checkpoint was refused (floor 2): the last reason, in words, kept with
 * the process for fdinfo.
 *
 * An errno says of what kind a reason is, the text names the object. Who
 * refuses an op calls kfd_refuse() and returns what it returns.
 *
 * process->lock protects all of it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kernel.h>
#include <linux/seq_file.h>

#include "process.h"

/* The errnos that refusals have; see the uAPI's dictionary. */
static const char *kfd_refusal_errno(int err)
{
	switch (err) {
	case -E2BIG:
		return "E2BIG";
	case -EBUSY:
		return "EBUSY";
	case -EFAULT:
		return "EFAULT";
	case -EISCONN:
		return "EISCONN";
	case -EMLINK:
		return "EMLINK";
	case -EREMOTE:
		return "EREMOTE";
	case -ETIME:
		return "ETIME";
	case -EXDEV:
		return "EXDEV";
	default:
		return "EINVAL";
	}
}

/**
 * kfd_refuse() - an op is refused: remember why
 * @p: the process that it is about
 * @err: what it will answer
 * @fmt: why, naming the object; one line without an end of line
 *
 * Context: process->lock held.
 * Return: @err.
 */
int kfd_refuse(struct kfd_process *p, int err, const char *fmt, ...)
{
	struct kfd_refusal *refusal = &p->refusal;
	va_list args;

	lockdep_assert_held(&p->lock);
	refusal->err = err;
	va_start(args, fmt);
	vscnprintf(refusal->text, sizeof(refusal->text), fmt, args);
	va_end(args);
	pr_debug("pasid %u: %s refused: %s: %s\n", p->pasid, refusal->op,
		 kfd_refusal_errno(err), refusal->text);
	return err;
}

/**
 * kfd_refusal_begin() - an op begins: what was said of the one before is over
 * @p: the process that it is about
 * @op: its name, a constant
 *
 * Context: process->lock held.
 */
void kfd_refusal_begin(struct kfd_process *p, const char *op)
{
	lockdep_assert_held(&p->lock);
	p->refusal.op = op;
	p->refusal.err = 0;
}

/**
 * kfd_refusal_show() - the line of fdinfo, if the last op was refused
 * @m: where to write
 * @p: the process
 *
 * Context: process->lock held.
 */
void kfd_refusal_show(struct seq_file *m, struct kfd_process *p)
{
	lockdep_assert_held(&p->lock);
	if (p->refusal.err)
		seq_printf(m, "kfd-refused:\t%s %s %s\n", p->refusal.op,
			   kfd_refusal_errno(p->refusal.err), p->refusal.text);
}
