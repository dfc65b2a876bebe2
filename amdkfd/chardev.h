/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * /dev/kfd (floor 5) and the signature of the handlers in its ioctl table.
 * A handler lives beside the state it changes and is declared in that
 * directory's header.
 */
#ifndef AMDKFD_CHARDEV_H
#define AMDKFD_CHARDEV_H

#include "mmap_offset.h"
#include "process.h"

/**
 * typedef kfd_ioctl_fn - handler of one ioctl
 * @filp: the kfd file
 * @p: process behind the file; p->lock is NOT held
 * @data: kernel copy of the argument struct in its current size, zero-filled
 *	where userspace gave less; copied back when the ioctl is a read
 *
 * Return: 0 or a negative errno. The copy is written back on success only,
 * unless the table entry says otherwise (KFD_IOCTL_COPY_ON_ERROR).
 */
typedef int (*kfd_ioctl_fn)(struct file *filp, struct kfd_process *p,
			    void *data);

int kfd_chardev_init(void);
void kfd_chardev_exit(void);
struct device *kfd_chardev_device(void);

/* fdinfo.c */
struct seq_file;

void kfd_show_fdinfo(struct seq_file *m, struct file *filp);

#endif
