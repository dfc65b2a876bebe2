// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stop points (floor 0), see stop.h.
 *
 * At most one point is armed and at most one task is stopped. Who stops waits
 * killably and not for ever: a test that dies must not leave a process in the
 * kernel. A task that is killed while it waits goes on, so that the rest of
 * its way is gone with a fatal signal pending.
 *
 * kfd_stop_lock: everything in kfd_stop except @names and @n, which are set
 * before there is a file or a point.
 */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include "stop.h"

/* How long a task is held at most. */
#define KFD_STOP_SECONDS	30
#define KFD_STOP_NONE		(-1)

static DEFINE_SPINLOCK(kfd_stop_lock); /* kfd_stop */
static DECLARE_WAIT_QUEUE_HEAD(kfd_stop_wait);

static struct {
	const char *const *names;
	unsigned int n;
	int armed;		/* point where the next one stops */
	int at;			/* point where @pid is stopped */
	pid_t pid;
	unsigned int released;	/* counts lettings-go */
} kfd_stop = { .armed = KFD_STOP_NONE, .at = KFD_STOP_NONE };

/**
 * kfd_stop_point - stop here if a test has asked for it
 * @point: index of the point's name
 *
 * Context: sleeps, killably and bounded, when this point is armed.
 */
void kfd_stop_point(unsigned int point)
{
	unsigned int released;
	bool mine;

	if (READ_ONCE(kfd_stop.armed) != (int)point)
		return;
	spin_lock(&kfd_stop_lock);
	mine = kfd_stop.armed == (int)point;
	if (mine) {
		kfd_stop.armed = KFD_STOP_NONE;
		kfd_stop.at = point;
		kfd_stop.pid = task_tgid_nr(current);
	}
	released = kfd_stop.released;
	spin_unlock(&kfd_stop_lock);
	if (!mine)
		return;

	/* Let go, killed or too late: it goes on in any case. */
	wait_event_killable_timeout(kfd_stop_wait,
				    READ_ONCE(kfd_stop.released) != released,
				    KFD_STOP_SECONDS * HZ);
	spin_lock(&kfd_stop_lock);
	/* Else somebody else may be stopped by now. */
	if (kfd_stop.released == released)
		kfd_stop.at = KFD_STOP_NONE;
	spin_unlock(&kfd_stop_lock);
}

static void kfd_stop_arm(int point)
{
	spin_lock(&kfd_stop_lock);
	kfd_stop.armed = point;
	kfd_stop.at = KFD_STOP_NONE;
	WRITE_ONCE(kfd_stop.released, kfd_stop.released + 1);
	spin_unlock(&kfd_stop_lock);
	wake_up_all(&kfd_stop_wait);
}

static ssize_t kfd_stop_at_write(struct file *file, const char __user *user,
				 size_t count, loff_t *pos)
{
	char name[64] = "";
	unsigned int i;

	if (count >= sizeof(name))
		return -EINVAL;
	if (copy_from_user(name, user, count))
		return -EFAULT;
	strim(name);
	if (!name[0]) {
		kfd_stop_arm(KFD_STOP_NONE);
		return count;
	}
	for (i = 0; i < kfd_stop.n; i++) {
		if (strcmp(name, kfd_stop.names[i]))
			continue;
		kfd_stop_arm(i);
		return count;
	}
	return -EINVAL;
}

static int kfd_stop_at_show(struct seq_file *m, void *unused)
{
	int armed = READ_ONCE(kfd_stop.armed);
	unsigned int i;

	for (i = 0; i < kfd_stop.n; i++)
		seq_printf(m, "%s%s\n", kfd_stop.names[i],
			   (int)i == armed ? " *" : "");
	return 0;
}

static int kfd_stop_at_open(struct inode *inode, struct file *file)
{
	return single_open(file, kfd_stop_at_show, NULL);
}

static const struct file_operations kfd_stop_at_fops = {
	.owner = THIS_MODULE,
	.open = kfd_stop_at_open,
	.read = seq_read,
	.write = kfd_stop_at_write,
	.llseek = seq_lseek,
	.release = single_release,
};

static int kfd_stopped_show(struct seq_file *m, void *unused)
{
	pid_t pid;
	int at;

	spin_lock(&kfd_stop_lock);
	at = kfd_stop.at;
	pid = kfd_stop.pid;
	spin_unlock(&kfd_stop_lock);
	if (at != KFD_STOP_NONE)
		seq_printf(m, "%d %s\n", pid, kfd_stop.names[at]);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(kfd_stopped);

/**
 * kfd_stop_init - make the files
 * @dir: debugfs directory; whoever removes it removes them
 * @names: what the points are called, by index; static
 * @n: their number
 *
 * Context: module init.
 */
void kfd_stop_init(struct dentry *dir, const char *const *names,
		   unsigned int n)
{
	kfd_stop.names = names;
	kfd_stop.n = n;
	debugfs_create_file("stop_at", 0600, dir, NULL, &kfd_stop_at_fops);
	debugfs_create_file("stopped", 0400, dir, NULL, &kfd_stopped_fops);
}
