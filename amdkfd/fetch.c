// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bringing memory of a process in, with nothing of ours held (floor 2).
 *
 * DOC: who waits for a page
 *
 * A page that is not in memory comes when somebody in user space likes: it may be
 * in a file of a FUSE server or of an NFS host, or watched by userfaultfd. So a
 * look-up of pages (mirror_look.c), which holds locks that others need, takes
 * what is in memory and does not wait for the rest. It tells its caller what is
 * absent (-KFD_EABSENT); the caller lets go of every lock, has it brought in,
 * and makes the look-up again.
 *
 * A task of the process itself brings it in by itself, and is stuck, at worst, as
 * by a touch of the page (kfd_fetch_now()). A work must not be stuck, nor a task
 * of somebody else: a thread of the process's own does it for them, which is
 * there as long as there is something to do and for a second more. Who waits for
 * it waits killably; a work returns, and is queued again when the pages are there.
 *
 * A program may change its mappings without end. It holds mmap_lock nearly always
 * then, so a work's single try does not get it, and what was brought in is
 * write-protected again before the work has come to look. So a work's try lasts a
 * moment (kfd_mmap_read_lock()), the thread waits in the lock's queue like anybody,
 * and whoever wants to (kfd_fetch_request.serve) looks before it lets go.
 *
 * The thread is a user of the address space meanwhile, so the end of the process
 * is not told by the MMU notifier. It is looked for ten times a second: when
 * there is no other user left the thread is killed, as the process's own would
 * have been. Where the kernel waits for a page and heeds no signal (a FUSE server
 * that has taken a request for a single page and does not answer) the thread
 * stays, and with it the process's memory, as that of any process would that
 * touches such a page. What the process has on GPUs goes all the same
 * (kfd_process_kill()): the thread refers to nothing of it.
 *
 * kfd_fetcher.lock, a spinlock, protects the requests and the thread; nothing is
 * taken inside it but what queue_work(), complete() and send_sig() take.
 */
#include <linux/completion.h>
#include <linux/kref.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/clock.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <amdkfd/vma.h>

#include "fetch.h"
#include "process.h"

/* How long the thread waits for more to do. */
#define FETCH_LINGER_MS		1000
/* How often it is looked whether it is the only user of the address space. */
#define FETCH_WATCH_MS		100
/* Pages that are brought in before others may have mmap_lock for writing. */
#define FETCH_BATCH		64
/* How long a work, and a task, tries to get mmap_lock at most. */
#define MMAP_WORK_NS		(500 * NSEC_PER_USEC)
#define MMAP_TASK_NS		(10 * NSEC_PER_MSEC)

/**
 * struct kfd_fetcher - what brings in memory for a process's works
 * @ref: the process's mirrors, the thread, the watch, who waits
 * @mm: the address space; its struct is held
 * @pasid: of the process, for the thread's name
 * @unmaps: how often memory of it has been unmapped that has attributes
 * @lock: protects what follows
 * @process: whose; NULL once closed
 * @task: the thread, or NULL
 * @wait: where it waits for something to do
 * @requests: struct kfd_fetch_request that it has not begun with
 * @current_req: what it is at; NULL: nothing, or nobody wants it any more
 * @called: the one whose @serve is being called
 * @returned: where its end is waited for
 * @serving: it is at something
 * @alone: the last look found it the only user of the address space
 * @watch: looks for that while it is @serving and there is a @process; pending, it
 *	holds a reference
 */
struct kfd_fetcher {
	struct kref ref;
	struct mm_struct *mm;
	u32 pasid;
	atomic_t unmaps;
	spinlock_t lock;	/* requests and thread */
	struct kfd_process *process;
	struct task_struct *task;
	wait_queue_head_t wait;
	struct list_head requests;
	struct kfd_fetch_request *current_req;
	struct kfd_fetch_request *called;
	wait_queue_head_t returned;
	bool serving;
	bool alone;
	struct delayed_work watch;
};

/* --- stretches of pages ---------------------------------------------------- */

/**
 * kfd_runs_add() - add pages behind those that there are
 * @runs: the stretches
 * @start: address of the first page, not below any that is in @runs
 * @end: of the byte behind the last
 *
 * Context: any.
 * Return: false: there is no room for one more stretch.
 */
bool kfd_runs_add(struct kfd_runs *runs, unsigned long start, unsigned long end)
{
	if (runs->n && runs->run[runs->n - 1].end == start) {
		runs->run[runs->n - 1].end = end;
		return true;
	}
	if (runs->n == KFD_MAX_RUNS)
		return false;
	runs->run[runs->n++] = (struct kfd_run) { .start = start, .end = end };
	return true;
}

/**
 * kfd_runs_have() - whether a page is in one of them
 * @runs: the stretches
 * @addr: its address
 *
 * Context: any.
 * Return: true when it is.
 */
bool kfd_runs_have(const struct kfd_runs *runs, unsigned long addr)
{
	u32 i;

	for (i = 0; i < runs->n; i++)
		if (addr >= runs->run[i].start && addr < runs->run[i].end)
			return true;
	return false;
}

/*
 * A page that could not be had. Where there are too many stretches of them the
 * last one takes in what lies between: that has just been brought in, so it is
 * found in memory, and what is found counts first.
 */
static void runs_refuse(struct kfd_runs *refused, unsigned long addr)
{
	struct kfd_run *last;

	if (kfd_runs_have(refused, addr))
		return;
	last = refused->n ? &refused->run[refused->n - 1] : NULL;
	if ((!last || addr >= last->end) &&
	    kfd_runs_add(refused, addr, addr + PAGE_SIZE))
		return;
	last->start = min(last->start, addr);
	last->end = max(last->end, addr + PAGE_SIZE);
}

/* --- mmap_lock ------------------------------------------------------------- */

/**
 * kfd_mmap_read_lock() - take mmap_lock with locks of ours held
 * @mm: the address space
 *
 * A program can have it held for as long as it likes: by a thread that waits for
 * a page with it, and one that wants it for writing. Others want our locks
 * meanwhile: works, who reads fdinfo, a tracer. So nobody waits for that, but for as
 * long as a system call takes that changes the address space: a program that makes
 * one after the other leaves it free for a moment only, which a single try does
 * not meet.
 *
 * Context: sleeps.
 * Return: 0; -EINTR: killed; -KFD_EABSENT: to be waited for with nothing held, as
 * for a page (a look of no pages, kfd_look_again(), kfd_mirrors_fetch()).
 */
int kfd_mmap_read_lock(struct mm_struct *mm)
{
	bool work = current->flags & PF_WQ_WORKER;
	u64 end = local_clock() + (work ? MMAP_WORK_NS : MMAP_TASK_NS);

	while (!mmap_read_trylock(mm)) {
		if (fatal_signal_pending(current))
			return -EINTR;
		if (local_clock() >= end || (work && need_resched()))
			return -KFD_EABSENT;
		cond_resched();
		cpu_relax();
	}
	return 0;
}

/* --- pages ----------------------------------------------------------------- */

/*
 * One page, or what no look-up asks for up to *@addr. mmap_lock held, perhaps let
 * go of meanwhile.
 */
static int fetch_page(struct mm_struct *mm, struct kfd_look *look,
		      unsigned long *addr)
{
	struct vm_area_struct *vma = find_vma(mm, *addr);
	unsigned int flags = FAULT_FLAG_REMOTE;
	bool unlocked = false;
	int ret;

	if (!vma || vma->vm_start > *addr || !kfd_vma_can_share(vma)) {
		/* The look-up sees that for itself. */
		*addr = !vma ? ULONG_MAX & PAGE_MASK :
			vma->vm_start > *addr ? vma->vm_start : vma->vm_end;
		return 0;
	}
	if (look->access == KFD_MIRROR_WRITE ||
	    (look->access == KFD_MIRROR_WRITE_IF_ALLOWED &&
	     vma->vm_flags & VM_WRITE))
		flags |= FAULT_FLAG_WRITE;
	ret = fixup_user_fault(mm, *addr, flags, &unlocked);
	if (ret == -ENOMEM || ret == -EINTR)
		return ret;
	if (ret)
		runs_refuse(&look->refused, *addr);
	*addr += PAGE_SIZE;
	return 0;
}

/*
 * As fetch_page(). 1: memory has been unmapped meanwhile: what is mapped there now
 * may have no attributes, and is not to be touched.
 */
static int fetch_page_if_same(struct kfd_fetcher *f, struct kfd_look *look,
			      unsigned long *addr)
{
	if (kfd_fetcher_unmaps(f) != look->unmaps)
		return 1;
	return fetch_page(f->mm, look, addr);
}

/* A few pages from *@addr on; as fetch_page_if_same(). */
static int fetch_batch(struct kfd_fetcher *f, struct kfd_look *look,
		       unsigned long *addr, unsigned long end)
{
	unsigned int i;
	int ret = 0;

	if (mmap_read_lock_killable(f->mm))
		return -EINTR;
	for (i = 0; i < FETCH_BATCH && *addr < end && !ret; i++)
		ret = fetch_page_if_same(f, look, addr);
	mmap_read_unlock(f->mm);
	return ret;
}

/* Whose look-up it is at, if that is to be made by the thread; or NULL */
static struct kfd_fetch_request *fetch_server_locked(struct kfd_fetcher *f)
{
	struct kfd_fetch_request *req = f->process ? f->current_req : NULL;

	lockdep_assert_held(&f->lock);
	return req && req->serve ? req : NULL;
}

static bool fetch_is_to_serve(struct kfd_fetcher *f)
{
	bool is;

	spin_lock(&f->lock);
	is = fetch_server_locked(f);
	spin_unlock(&f->lock);
	return is;
}

/* Who has asked looks by itself, unless it has been cancelled; mmap_lock held. */
static void fetch_serve(struct kfd_fetcher *f, struct kfd_look *look)
{
	struct kfd_fetch_request *req;

	spin_lock(&f->lock);
	req = fetch_server_locked(f);
	f->called = req;
	spin_unlock(&f->lock);
	if (!req)
		return;
	look->in_line = true;
	req->serve(req, look);
	look->in_line = false;
	spin_lock(&f->lock);
	f->called = NULL;
	wake_up_all(&f->returned);
	spin_unlock(&f->lock);
}

/*
 * A program that changes its mappings without end has changed the pages again
 * before the work comes that wanted them. From the second time on who has asked
 * looks before mmap_lock is let go of.
 */
static int fetch_in_line(struct kfd_fetcher *f, struct kfd_look *look)
{
	unsigned long addr;
	unsigned int n = 0;
	int ret = 0;
	u32 i;

	if (look->rounds < 2 || !fetch_is_to_serve(f))
		return 0;
	if (mmap_read_lock_killable(f->mm))
		return -EINTR;
	for (i = 0; i < look->absent.n && !ret; i++) {
		addr = look->absent.run[i].start;
		while (addr < look->absent.run[i].end && n++ < FETCH_BATCH && !ret)
			ret = fetch_page_if_same(f, look, &addr);
	}
	if (!ret)
		fetch_serve(f, look);
	mmap_read_unlock(f->mm);
	return min(ret, 0);
}

/* 0: as much as can be had is there, or has been; -ENOMEM, -EINTR: killed */
static int fetch(struct kfd_fetcher *f, struct kfd_look *look)
{
	unsigned long addr;
	int ret;
	u32 i;

	look->rounds++;
	/* The look-up could not even look: it is made again when others could. */
	if (!look->absent.n) {
		if (mmap_read_lock_killable(f->mm))
			return -EINTR;
		mmap_read_unlock(f->mm);
	}
	for (i = 0; i < look->absent.n; i++) {
		addr = look->absent.run[i].start;
		while (addr < look->absent.run[i].end) {
			if (fatal_signal_pending(current))
				return -EINTR;
			ret = fetch_batch(f, look, &addr,
					  look->absent.run[i].end);
			if (ret)
				return ret < 0 ? ret : 0;
			cond_resched();
		}
	}
	return 0;
}

/* --- the thread ------------------------------------------------------------ */

static void fetcher_free(struct kref *ref)
{
	struct kfd_fetcher *f = container_of(ref, struct kfd_fetcher, ref);

	mmdrop(f->mm);
	kfree(f);
}

/**
 * kfd_fetcher_get() - take one more reference
 * @f: a fetcher that the caller has a reference on
 *
 * Context: any.
 * Return: @f.
 */
struct kfd_fetcher *kfd_fetcher_get(struct kfd_fetcher *f)
{
	kref_get(&f->ref);
	return f;
}

/**
 * kfd_fetcher_put() - drop a reference
 * @f: the fetcher
 *
 * Context: sleeps.
 */
void kfd_fetcher_put(struct kfd_fetcher *f)
{
	kref_put(&f->ref, fetcher_free);
}

static void fetch_done_locked(struct kfd_fetch_request *req, int ret)
{
	req->ret = ret;
	/* whoever sees it sees what came of it */
	smp_store_release(&req->under_way, false);
	req->done(req);
}

static void fetcher_watch_later(struct kfd_fetcher *f)
{
	lockdep_assert_held(&f->lock);
	if (queue_delayed_work(kfd_process_wq, &f->watch,
			       msecs_to_jiffies(FETCH_WATCH_MS)))
		kref_get(&f->ref);
}

/*
 * The watch pins neither a process nor the module, so it must not be left to its
 * timer. The caller has a reference of its own: this one is not the last.
 */
static void fetcher_watch_no_more(struct kfd_fetcher *f)
{
	lockdep_assert_held(&f->lock);
	if (cancel_delayed_work(&f->watch))
		kref_put(&f->ref, fetcher_free);
}

static void fetcher_watch(struct work_struct *work)
{
	struct kfd_fetcher *f = container_of(to_delayed_work(work),
					     struct kfd_fetcher, watch);
	struct kfd_process *p = NULL;

	spin_lock(&f->lock);
	if (f->serving && f->process) {
		if (atomic_read(&f->mm->mm_users) > 1) {
			f->alone = false;
		} else if (f->alone) {
			/* It has been told, and does not hear. */
			p = kfd_process_get(f->process);
		} else {
			f->alone = true;
			send_sig(SIGKILL, f->task, 1);
		}
		fetcher_watch_later(f);
	}
	spin_unlock(&f->lock);
	if (p) {
		kfd_process_kill(p);
		kfd_process_put(p);
	}
	kfd_fetcher_put(f);
}

/* Begin with the first request; false: there is none. */
static bool fetcher_begin(struct kfd_fetcher *f, struct kfd_look *look)
{
	struct kfd_fetch_request *req;

	spin_lock(&f->lock);
	req = list_first_entry_or_null(&f->requests, struct kfd_fetch_request,
				       node);
	if (req) {
		list_del_init(&req->node);
		*look = req->look;
		f->current_req = req;
		f->serving = true;
		f->alone = false;
		fetcher_watch_later(f);
	}
	spin_unlock(&f->lock);
	return req;
}

static void fetcher_end(struct kfd_fetcher *f, const struct kfd_look *look,
			int ret)
{
	spin_lock(&f->lock);
	f->serving = false;
	fetcher_watch_no_more(f);
	if (f->current_req) {
		f->current_req->look = *look;
		fetch_done_locked(f->current_req, ret);
		f->current_req = NULL;
	}
	spin_unlock(&f->lock);
}

/* Nothing has come for a while: the next one who asks makes another thread. */
static bool fetcher_leave(struct kfd_fetcher *f)
{
	bool leave;

	spin_lock(&f->lock);
	leave = list_empty(&f->requests);
	if (leave)
		f->task = NULL;
	spin_unlock(&f->lock);
	return leave;
}

static int fetcher_thread(void *data)
{
	struct kfd_fetcher *f = data;
	struct kfd_look look;
	int ret;

	allow_signal(SIGKILL);
	do {
		while (fetcher_begin(f, &look)) {
			ret = -ESRCH;
			if (mmget_not_zero(f->mm)) {
				ret = fetch(f, &look);
				if (!ret)
					ret = fetch_in_line(f, &look);
				/* Its end waits for nobody here. */
				mmput_async(f->mm);
			}
			fetcher_end(f, &look, ret);
			flush_signals(current);
		}
		wait_event_interruptible_timeout(f->wait,
						 !list_empty_careful(&f->requests) ||
						 !READ_ONCE(f->process),
						 msecs_to_jiffies(FETCH_LINGER_MS));
		flush_signals(current);
	} while (!fetcher_leave(f));
	kfd_fetcher_put(f);
	module_put_and_kthread_exit(0);
}

/**
 * kfd_fetcher_create() - get ready to bring in memory of a process
 * @p: the process
 * @mm: its address space
 *
 * Context: sleeps.
 * Return: the fetcher with one reference, to be closed; NULL: no memory.
 */
struct kfd_fetcher *kfd_fetcher_create(struct kfd_process *p,
				       struct mm_struct *mm)
{
	struct kfd_fetcher *f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);

	if (!f)
		return NULL;
	kref_init(&f->ref);
	mmgrab(mm);
	f->mm = mm;
	f->process = p;
	f->pasid = p->pasid;
	spin_lock_init(&f->lock);
	init_waitqueue_head(&f->wait);
	init_waitqueue_head(&f->returned);
	INIT_LIST_HEAD(&f->requests);
	INIT_DELAYED_WORK(&f->watch, fetcher_watch);
	return f;
}

/**
 * kfd_fetcher_close() - bring in nothing any more
 * @f: the fetcher; the caller's reference goes
 *
 * Who waits is told (-ESRCH). The thread is not waited for.
 *
 * Context: sleeps. A @done or @serve may be running when it is called, and none is
 * when it has returned.
 */
void kfd_fetcher_close(struct kfd_fetcher *f)
{
	struct kfd_fetch_request *req, *next;

	spin_lock(&f->lock);
	WRITE_ONCE(f->process, NULL);
	spin_unlock(&f->lock);
	wait_event(f->returned, !READ_ONCE(f->called));
	spin_lock(&f->lock);
	if (f->current_req) {
		fetch_done_locked(f->current_req, -ESRCH);
		f->current_req = NULL;
	}
	list_for_each_entry_safe(req, next, &f->requests, node) {
		list_del_init(&req->node);
		fetch_done_locked(req, -ESRCH);
	}
	if (f->task) {
		send_sig(SIGKILL, f->task, 1);
		wake_up(&f->wait);
	}
	/* It may be at something for ever. Nothing begins any more. */
	fetcher_watch_no_more(f);
	spin_unlock(&f->lock);
	kfd_fetcher_put(f);
}

/**
 * kfd_fetcher_unmaps() - how often memory has been unmapped that has attributes
 * @f: the fetcher
 *
 * Context: any.
 * Return: the number, which wraps.
 */
u32 kfd_fetcher_unmaps(struct kfd_fetcher *f)
{
	return atomic_read(&f->unmaps);
}

/**
 * kfd_fetcher_tell_unmap() - memory is being unmapped that has attributes
 * @f: the fetcher
 *
 * What is being brought in may be something else from now on.
 *
 * Context: mmap_lock held for writing.
 */
void kfd_fetcher_tell_unmap(struct kfd_fetcher *f)
{
	atomic_inc(&f->unmaps);
}

/**
 * kfd_fetch_request_init() - get a request ready
 * @req: the request
 * @done: see there
 * @serve: see there; may be NULL
 *
 * Context: any.
 */
void kfd_fetch_request_init(struct kfd_fetch_request *req,
			    void (*done)(struct kfd_fetch_request *req),
			    void (*serve)(struct kfd_fetch_request *req,
					  struct kfd_look *look))
{
	INIT_LIST_HEAD(&req->node);
	req->under_way = false;
	req->done = done;
	req->serve = serve;
}

/* A thread that does not run yet; NULL: there is one, an ERR_PTR: none. */
static struct task_struct *fetcher_make_thread(struct kfd_fetcher *f)
{
	struct task_struct *task;

	if (READ_ONCE(f->task))
		return NULL;
	task = kthread_create(fetcher_thread, f, "kfd_fetch/%u", f->pasid);
	if (IS_ERR(task))
		return task;
	kref_get(&f->ref);
	__module_get(THIS_MODULE);
	return task;
}

/* As kfd_fetch_later(); EAGAIN: the thread has just left. */
static int fetch_ask(struct kfd_fetcher *f, struct kfd_fetch_request *req)
{
	struct task_struct *task = fetcher_make_thread(f), *spare = task;
	int ret = 0;

	if (IS_ERR(task))
		return PTR_ERR(task) == -EINTR ? -EINTR : -ENOMEM;
	spin_lock(&f->lock);
	if (!f->process) {
		ret = -ESRCH;
	} else if (!f->task && !task) {
		ret = -EAGAIN;
	} else if (!req->under_way) {
		req->under_way = true;
		list_add_tail(&req->node, &f->requests);
		if (!f->task) {
			f->task = task;
			spare = NULL;
			wake_up_process(task);
		}
		wake_up(&f->wait);
	}
	spin_unlock(&f->lock);
	if (spare) {
		/* It has never run, and does not. */
		kthread_stop(spare);
		kfd_fetcher_put(f);
		module_put(THIS_MODULE);
	}
	return ret;
}

/**
 * kfd_fetch_later() - have pages brought in for a work
 * @f: the fetcher
 * @req: which; if it is under way already nothing is done
 *
 * @req->done is called when they are there or can't be had.
 *
 * Context: sleeps; nothing of ours held that its process's end waits for.
 * Return: 0; -ESRCH: it is closed; -ENOMEM, -EINTR: there is no thread.
 */
int kfd_fetch_later(struct kfd_fetcher *f, struct kfd_fetch_request *req)
{
	int ret;

	do
		ret = fetch_ask(f, req);
	while (ret == -EAGAIN);
	return ret;
}

/**
 * kfd_fetch_cancel() - nobody waits any more
 * @f: the fetcher
 * @req: the request, under way or not
 *
 * What it is for may be brought in all the same. @req->done and @req->serve are not
 * called any more.
 *
 * Context: sleeps until @req->serve has returned, which waits for no page; no lock
 * held that is taken inside mmap_lock.
 */
void kfd_fetch_cancel(struct kfd_fetcher *f, struct kfd_fetch_request *req)
{
	spin_lock(&f->lock);
	list_del_init(&req->node);
	if (f->current_req == req)
		f->current_req = NULL;
	spin_unlock(&f->lock);
	wait_event(f->returned, READ_ONCE(f->called) != req);
	/* Until now it was the thread's. */
	smp_store_release(&req->under_way, false);
}

/**
 * struct fetch_waiter - who waits for a request of his own
 * @req: the request
 * @completion: it is done
 */
struct fetch_waiter {
	struct kfd_fetch_request req;
	struct completion completion;
};

static void fetch_waiter_done(struct kfd_fetch_request *req)
{
	complete(&container_of(req, struct fetch_waiter, req)->completion);
}

/* For somebody else's process: it may end meanwhile, and so may the caller. */
static int fetch_and_wait(struct kfd_fetcher *f, struct kfd_look *look)
{
	struct fetch_waiter *waiter;
	int ret;

	waiter = kzalloc(sizeof(*waiter), GFP_KERNEL_ACCOUNT);
	if (!waiter)
		return -ENOMEM;
	kfd_fetch_request_init(&waiter->req, fetch_waiter_done, NULL);
	init_completion(&waiter->completion);
	waiter->req.look = *look;
	ret = kfd_fetch_later(f, &waiter->req);
	if (!ret && wait_for_completion_killable(&waiter->completion)) {
		kfd_fetch_cancel(f, &waiter->req);
		ret = -EINTR;
	} else if (!ret) {
		*look = waiter->req.look;
		ret = waiter->req.ret;
	}
	kfree(waiter);
	return ret;
}

/**
 * kfd_fetch_now() - bring in what a look-up has missed
 * @f: the fetcher
 * @look: what it has said; @look->refused is filled
 *
 * Context: sleeps for as long as the memory likes, killably; no lock held, and no
 * use of the address space but what current itself is.
 * Return: 0; -ENOMEM; -EINTR: killed; -ESRCH: the process has ended.
 */
int kfd_fetch_now(struct kfd_fetcher *f, struct kfd_look *look)
{
	return current->mm == f->mm ? fetch(f, look) : fetch_and_wait(f, look);
}
