// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pause between PROCESS_INFO and UNPAUSE (floor 4).
 *
 * A paused process has one eviction on all its queues. The pause belongs to
 * whoever made it and must not outlive him. Three things end it:
 *
 *  - UNPAUSE;
 *  - the owner's last fd of the kfd file is closed, also by his death
 *    (->flush(), kfd_criu_file_closed()). A close() can't be killed, so it waits
 *    for nobody: if somebody is inside the process, the work below does it;
 *  - the owner is gone, or no longer the tracer of the process, although his
 *    file table lives on in somebody who shares it. Nothing in the kernel
 *    tells a driver of a ptrace detach, so a work item looks twice a second,
 *    only while a process is paused.
 *
 * process->pause is protected by process->lock, and pause->lock where it says so.
 * The work holds a reference on the process for as long as it is pending. It does
 * not wait for process->lock either, which may take as long as a page of
 * somebody's file, while the works of other processes stand behind it.
 */
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/ptrace.h>
#include <linux/sched/signal.h>
#include <linux/workqueue.h>

#include "../debug/break.h"
#include "../queue/queue.h"
#include "../svm/svm.h"
#include "criu.h"

#define KFD_PAUSE_WATCH_MS	500
/* Between two tries to get into a process that somebody is in. */
#define KFD_PAUSE_RETRY_MS	20

static struct workqueue_struct *kfd_pause_wq;

/* The work runs in @ms, also if it would have later. */
static void kfd_pause_watch_in(struct kfd_process *p, unsigned int ms)
{
	if (KFD_BROKEN(paused_forever))
		return;
	kfd_process_get(p);
	/* true: it was pending, with a reference of its own */
	if (mod_delayed_work(kfd_pause_wq, &p->pause.watch,
			     msecs_to_jiffies(ms)))
		kfd_process_put(p);
}

/* Whether the owner is alive and still is the process or its tracer. */
static bool kfd_pause_owner_there(struct kfd_process *p)
{
	struct task_struct *leader, *tracer, *owner;
	bool there = false;

	rcu_read_lock();
	owner = pid_task(p->pause.owner, PIDTYPE_TGID);
	leader = pid_task(p->tgid, PIDTYPE_TGID);
	if (owner && p->pause.owner == p->tgid) {
		there = true;
	} else if (owner && leader) {
		tracer = ptrace_parent(leader);
		there = tracer && same_thread_group(tracer, owner);
	}
	rcu_read_unlock();
	return there;
}

static void kfd_pause_forget(struct kfd_process *p)
{
	struct kfd_pause *pause = &p->pause;

	pause->active = false;
	spin_lock(&pause->lock);
	pause->files = NULL;
	pause->filp = NULL;
	pause->closed = false;
	spin_unlock(&pause->lock);
	put_pid(pause->owner);
	pause->owner = NULL;
}

static void kfd_pause_watch(struct work_struct *work)
{
	struct kfd_process *p = container_of(to_delayed_work(work),
					     struct kfd_process, pause.watch);

	if (!mutex_trylock(&p->lock)) {
		/* At its end the teardown does what is left to do. */
		if (!READ_ONCE(p->dead))
			kfd_pause_watch_in(p, KFD_PAUSE_RETRY_MS);
		kfd_process_put(p);
		return;
	}
	if (p->pause.active && p->dead) {
		/* Its queues are gone: only the bookkeeping is left. */
		kfd_pause_forget(p);
	} else if (p->pause.active && READ_ONCE(p->pause.closed)) {
		kfd_pause_end(p);
	} else if (p->pause.active && kfd_pause_owner_there(p)) {
		kfd_pause_watch_in(p, KFD_PAUSE_WATCH_MS);
	} else if (p->pause.active) {
		pr_info("pasid %u: whoever paused it is gone, its queues go on\n",
			p->pasid);
		kfd_pause_end(p);
	}
	mutex_unlock(&p->lock);
	kfd_process_put(p);
}

/* An eviction has failed: name the queue that did not stop. */
static int kfd_pause_refuse(struct kfd_process *p, int err)
{
	const struct kfd_queue *q = kfd_queue_first_loaded(p);

	/* It has stopped since, a moment too late. */
	if (!q)
		return kfd_refuse(p, err, "a queue did not stop in time");
	return kfd_refuse(p, err, "queue %u of GPU %u did not stop in time",
			  q->id, q->pdd->user_gpu_id);
}

/**
 * kfd_pause_begin - evict the queues on behalf of the caller
 * @p: the process
 * @filp: the kfd file that the caller does it by
 *
 * Pausing a paused process again makes the caller the owner.
 *
 * Context: sleeps; process->lock held.
 * Return: 0; -ETIME: a queue did not stop: nothing has changed.
 */
int kfd_pause_begin(struct kfd_process *p, const struct file *filp)
{
	struct kfd_pause *pause = &p->pause;
	int ret;

	lockdep_assert_held(&p->lock);
	if (!pause->active) {
		ret = kfd_process_evict(p,
					KFD_QUEUE_EVICTION_CRIU_CHECKPOINT);
		if (ret) {
			ret = kfd_pause_refuse(p, ret);
			kfd_process_restore(p);
			return ret;
		}
	}
	pause->again = pause->active;
	put_pid(pause->owner);
	pause->owner = get_pid(task_tgid(current));
	/* Once: the work of an earlier pause may still be running. */
	if (!pause->watch.work.func)
		INIT_DELAYED_WORK(&pause->watch, kfd_pause_watch);
	spin_lock(&pause->lock);
	pause->files = current->files;
	pause->filp = filp;
	pause->closed = false;
	spin_unlock(&pause->lock);
	if (!pause->active) {
		WRITE_ONCE(pause->active, true);
		kfd_pause_watch_in(p, KFD_PAUSE_WATCH_MS);
	}
	return 0;
}

/**
 * kfd_pause_end - let the queues go on
 * @p: a paused process
 *
 * Context: sleeps; process->lock held.
 */
void kfd_pause_end(struct kfd_process *p)
{
	struct kfd_pause *pause = &p->pause;

	lockdep_assert_held(&p->lock);
	kfd_pause_forget(p);
	kfd_svm_unpaused(p);
	kfd_process_restore(p);
	/* The watch may be what runs this: it ends by itself. */
	if (cancel_delayed_work(&pause->watch))
		kfd_process_put(p);
}

static int kfd_pause_same_file(const void *filp, struct file *file,
			       unsigned int fd)
{
	return file == filp;
}

/* Whether it is the pause's file; if it is to be noted, the watch ends it. */
static bool kfd_pause_is_of(struct kfd_pause *pause, fl_owner_t id,
			    const struct file *filp, bool closed)
{
	bool is;

	spin_lock(&pause->lock);
	is = pause->filp && pause->files == id && pause->filp == filp;
	if (is && closed)
		WRITE_ONCE(pause->closed, true);
	spin_unlock(&pause->lock);
	return is;
}

/**
 * kfd_criu_file_closed - an fd of a kfd file was closed
 * @p: process behind the file
 * @id: file table that it was closed in
 * @filp: the file
 *
 * The pause that it may have been of is over when this returns, or, where
 * somebody is inside the process, as soon as he has left.
 *
 * Context: sleeps, for no process; ->flush() of /dev/kfd.
 */
void kfd_criu_file_closed(struct kfd_process *p, fl_owner_t id,
			  struct file *filp)
{
	if (!kfd_pause_is_of(&p->pause, id, filp, false) ||
	    KFD_BROKEN(paused_forever))
		return;
	/* Another fd of the same file keeps the pause. */
	if (iterate_fd(id, 0, kfd_pause_same_file, filp))
		return;
	if (!mutex_trylock(&p->lock)) {
		if (kfd_pause_is_of(&p->pause, id, filp, true))
			kfd_pause_watch_in(p, 0);
		return;
	}
	if (!p->dead && p->pause.active &&
	    kfd_pause_is_of(&p->pause, id, filp, false))
		kfd_pause_end(p);
	mutex_unlock(&p->lock);
}

/**
 * kfd_criu_init - at module load
 *
 * Return: 0; -ENOMEM.
 */
int kfd_criu_init(void)
{
	kfd_pause_wq = alloc_workqueue("kfd_pause", WQ_UNBOUND, 0);
	return kfd_pause_wq ? 0 : -ENOMEM;
}

/**
 * kfd_criu_exit - at module unload; no process is left
 */
void kfd_criu_exit(void)
{
	destroy_workqueue(kfd_pause_wq);
}
