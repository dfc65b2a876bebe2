// SPDX-License-Identifier: GPL-2.0-only
/*
 * The engines' threads. (What the driver and debugfs do to their queues is in
 * queue.c.)
 *
 * See engine.h for the design and the locks. A turn of the thread's loop is:
 * a piece of the next client's first job, then a piece of the first queue of the
 * next client that has work (or whose write pointer is to be looked at), which
 * then goes to the end of the list. With neither, sim_engine_idle() finds out how
 * long it may sleep.
 */
#include <linux/kthread.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "engine.h"

/* Between two tries of a condition in memory that is not true. */
#define SIM_BACKOFF_MIN_NS	(50 * NSEC_PER_USEC)
#define SIM_BACKOFF_MAX_NS	(1 * NSEC_PER_MSEC)

/* Between two looks at the write pointers of open doorbells. */
#define SIM_POLL_MIN_NS		(25 * NSEC_PER_USEC)
#define SIM_POLL_MAX_NS		(800 * NSEC_PER_USEC)

/* How much later than asked for a sleep may end. */
#define SIM_SLACK_NS		(10 * NSEC_PER_USEC)

/* As many as no test has queues for. */
#define SIM_MAX_SLOTS		64

static unsigned int hqd_slots = 8;
module_param(hqd_slots, uint, 0444);
MODULE_PARM_DESC(hqd_slots, "hardware slots for compute queues (1..64)");

static unsigned int sdma_slots = 2;
module_param(sdma_slots, uint, 0444);
MODULE_PARM_DESC(sdma_slots, "hardware slots for queues per SDMA engine (1..64)");

/**
 * enum sim_turn - how a turn of a queue ended
 * @SIM_TURN_AGAIN: it has more to do
 * @SIM_TURN_IDLE: the ring is empty
 * @SIM_TURN_BLOCKED: waits for memory
 * @SIM_TURN_DELAYED: waits for an injected delay
 * @SIM_TURN_RETRY: waits for the driver's reply to a retry fault
 */
enum sim_turn {
	SIM_TURN_AGAIN,
	SIM_TURN_IDLE,
	SIM_TURN_BLOCKED,
	SIM_TURN_DELAYED,
	SIM_TURN_RETRY,
};

/**
 * sim_engine_kick() - have an engine look what there is to do
 * @e: engine
 *
 * Context: any that may wake a task.
 */
void sim_engine_kick(struct sim_engine *e)
{
	atomic_set_release(&e->kick, 1);
	wake_up_process(e->thread);
}

/**
 * sim_gpu_look() - have all engines look at all write pointers once
 * @gpu: GPU
 *
 * Context: any that may wake a task; neither sleeps nor takes a lock.
 */
void sim_gpu_look(struct sim_gpu *gpu)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(gpu->engines); i++) {
		struct sim_engine *e = gpu->engines[i];

		if (!e || list_empty_careful(&e->queues))
			continue;
		atomic_set_release(&e->look, 1);
		sim_engine_kick(e);
	}
}

/**
 * sim_exec_begin() - set up a decoder's context for a turn
 * @x: context
 * @vm: address space
 * @regs: registers to work on
 * @queue: NULL for a job
 * @pasid: who gets interrupts and faults, or 0
 */
void sim_exec_begin(struct sim_exec *x, struct sim_vm *vm,
		    struct sim_regs *regs, struct kfd_gpu_queue *queue,
		    u32 pasid)
{
	x->vm = vm;
	x->regs = regs;
	x->queue = queue;
	x->pasid = pasid;
	x->cost = 0;
	x->unreported = 0;
	x->window_dwords = 0;
}

/**
 * sim_exec_report_fault() - tell the driver of an access without translation
 * @x: context, with @x->fault set
 *
 * Context: engine's thread, no lock held.
 */
void sim_exec_report_fault(struct sim_exec *x)
{
	struct kfd_gpu_fault fault = {
		.pasid = x->pasid,
		.va = x->fault.va & PAGE_MASK,
		.write = x->fault.write,
		.not_present = x->fault.not_present,
	};

	pr_notice_ratelimited("amdgpu_sim%u: no translation: pasid %u, address 0x%llx, %s, %s\n",
			      x->gpu->index, x->pasid, x->fault.va,
			      x->fault.write ? "write" : "read",
			      x->fault.not_present ? "not mapped" : "read-only");
	if (x->pasid)
		kfd_gpu_vm_fault(x->gpu->kfd, &fault);
}

static enum sim_result sim_queue_step(struct sim_exec *x)
{
	switch (x->queue->desc.type) {
	case KFD_GPU_QUEUE_PM4:
		return sim_pm4_step(x);
	case KFD_GPU_QUEUE_SDMA:
		return sim_sdma_step(x);
	default:
		return sim_aql_step(x);
	}
}

/* Read the write pointer. SIM_DONE when there is something to run. */
static enum sim_result sim_queue_look(struct sim_exec *x)
{
	if (sim_read_wptr(x))
		return SIM_FAULT;
	if (sim_queue_is_aql(x->queue))
		return sim_aql_peek(x);
	return x->regs->ib || sim_src_avail(x) ? SIM_DONE : SIM_IDLE;
}

/* The queue stays where it is until somebody changes it or its error. */
static void sim_queue_halt(struct sim_exec *x, enum sim_result res)
{
	struct kfd_gpu_queue *q = x->queue;
	struct sim_regs *r = x->regs;

	switch (res) {
	case SIM_FAULT:
		r->error |= x->fault_error;
		sim_exec_report_fault(x);
		return;
	case SIM_NO_SHADER:
		r->error |= SIM_ERROR_NO_SHADER;
		break;
	default:
		r->error |= SIM_ERROR_BAD_PACKET;
		if (sim_queue_is_aql(q) && !r->ib)
			r->error |= SIM_ERROR_AQL;
		break;
	}
	pr_notice_ratelimited("amdgpu_sim%u: %s: queue of pasid %u at doorbell 0x%x halted: %s (0x%08x, %s 0x%llx)\n",
			      x->gpu->index, q->engine->name, x->pasid,
			      q->desc.doorbell_offset,
			      res == SIM_NO_SHADER ?
			      "kernel dispatch, but this GPU runs no shaders" :
			      "packet can't be decoded", x->head[0],
			      r->ib ? "indirect buffer position" : "read pointer",
			      r->ib ? r->ib_pos : r->rptr);
	kfd_gpu_queue_error(x->gpu->kfd, x->pasid, q->desc.cookie,
			    res == SIM_NO_SHADER ? KFD_QUEUE_ERROR_NO_SHADER :
						   KFD_QUEUE_ERROR_BAD_PACKET);
}

/* An access has no translation: wait for one, or halt. */
static enum sim_turn sim_queue_fault(struct sim_exec *x)
{
	if (sim_retry_raise(x))
		return SIM_TURN_RETRY;
	sim_queue_halt(x, SIM_FAULT);
	return SIM_TURN_IDLE;
}

/* Fault injection: whether the next packet has to wait first. */
static bool sim_queue_delay(struct kfd_gpu_queue *q)
{
	struct sim_faults *faults = q->engine->gpu->faults;
	u32 nth = READ_ONCE(faults->delay_nth);

	if (!nth || q->delayed)
		return false;
	q->delayed = true;
	return !((u32)atomic_inc_return(&faults->packets) % nth);
}

static bool sim_queue_interrupted(const struct kfd_gpu_queue *q)
{
	return READ_ONCE(q->stop) || READ_ONCE(q->hung) || READ_ONCE(q->lost);
}

static enum sim_turn sim_queue_run(struct sim_exec *x)
{
	struct kfd_gpu_queue *q = x->queue;
	enum sim_result res;
	u64 wptr;

	while (x->cost < SIM_TURN_COST && !sim_queue_interrupted(q)) {
		if (sim_queue_delay(q))
			return SIM_TURN_DELAYED;
		x->cost += SIM_PACKET_COST;
		res = sim_queue_step(x);
		switch (res) {
		case SIM_DONE:
			q->packets++;
			q->backoff = 0;
			q->delayed = false;
			if (++x->unreported >= SIM_RPTR_PACKETS &&
			    sim_report_rptr(x))
				return sim_queue_fault(x);
			break;
		case SIM_MORE:
			break;
		case SIM_BLOCKED:
			return SIM_TURN_BLOCKED;
		case SIM_FAULT:
			return sim_queue_fault(x);
		case SIM_IDLE:
			/* Something may have come since the last look. */
			wptr = x->regs->wptr;
			if (sim_read_wptr(x))
				return sim_queue_fault(x);
			if (x->regs->wptr == wptr) {
				q->delayed = false;
				return SIM_TURN_IDLE;
			}
			break;
		default:
			sim_queue_halt(x, res);
			return SIM_TURN_IDLE;
		}
	}
	return SIM_TURN_AGAIN;
}

/*
 * One turn of a queue that is marked running. @peek: look whether there is
 * anything to run; else run it, in a slot.
 */
static enum sim_turn sim_queue_turn(struct sim_engine *e,
				    struct kfd_gpu_queue *q, bool peek)
{
	struct sim_exec *x = &e->exec;
	enum sim_turn turn;

	sim_exec_begin(x, q->vm, &q->regs, q, q->desc.pasid);
	if (peek) {
		enum sim_result res = sim_queue_look(x);

		/* A reload may have come between a packet and its report. */
		if (res == SIM_FAULT || sim_report_rptr(x))
			return sim_queue_fault(x);
		return res == SIM_DONE ? SIM_TURN_AGAIN : SIM_TURN_IDLE;
	}
	turn = sim_queue_run(x);
	/* One fault at a time: while it waits, its next turn reports. */
	if (!q->regs.error && sim_report_rptr(x) && turn != SIM_TURN_RETRY)
		turn = sim_queue_fault(x);
	if (turn != SIM_TURN_RETRY && x->cost)
		q->retry.refused = false; /* the page came after all */
	return turn;
}

/*
 * Take the queue back from the thread. @progress, not a mere look, keeps the
 * doorbell open: half a packet may stand in the ring for ever.
 */
static void sim_queue_put(struct sim_engine *e, struct kfd_gpu_queue *q,
			  enum sim_turn turn, bool progress)
{
	u64 now = ktime_get_ns();

	spin_lock(&e->lock);
	q->running = false;
	q->work = turn != SIM_TURN_IDLE;
	if (q->lost) {
		q->lost = false;
		q->regs.error |= SIM_ERROR_LOST;
	}
	if (progress) {
		sim_doorbell_active(q->doorbell, now);
		e->poll = SIM_POLL_MIN_NS;
	}
	switch (turn) {
	case SIM_TURN_BLOCKED:
		q->backoff = clamp_t(u64, q->backoff * 2, SIM_BACKOFF_MIN_NS,
				     SIM_BACKOFF_MAX_NS);
		q->blocked_until = now + q->backoff;
		break;
	case SIM_TURN_DELAYED:
		q->blocked_until = now + (u64)READ_ONCE(e->gpu->faults->delay_ms) *
					 NSEC_PER_MSEC;
		break;
	case SIM_TURN_AGAIN:
	case SIM_TURN_IDLE:
	case SIM_TURN_RETRY:
		break;
	}
	spin_unlock(&e->lock);
	if (wq_has_sleeper(&e->wait))
		wake_up_all(&e->wait);
}

/* Fault injection: whether this queue is the one to hang. */
static void sim_queue_maybe_hang(struct kfd_gpu_queue *q)
{
	struct sim_faults *faults = q->engine->gpu->faults;

	if (atomic_read(&faults->hang) == SIM_HANG_NEXT &&
	    atomic_cmpxchg(&faults->hang, SIM_HANG_NEXT, SIM_HANG_NONE) ==
	    SIM_HANG_NEXT)
		q->hung = true;
}

static bool sim_queue_can_run(const struct kfd_gpu_queue *q)
{
	return q->loaded && !q->stop && !q->hung && !q->regs.error &&
	       !q->retry.waiting;
}

/*
 * Find out which write pointers are to be looked at: all after sim_gpu_look(),
 * else, every now and then, those behind open doorbells. Also those of queues
 * that are being stopped: that may fail.
 */
static void sim_engine_notice(struct sim_engine *e)
{
	bool look = atomic_read(&e->look) && atomic_xchg(&e->look, 0);
	u64 now = ktime_get_ns();
	struct kfd_gpu_queue *q;

	if (!look && now < e->poll_at)
		return;
	e->poll_at = now + e->poll;
	spin_lock(&e->lock);
	list_for_each_entry(q, &e->queues, node)
		if (q->loaded && !q->work &&
		    (look || READ_ONCE(q->doorbell->open)))
			q->peek = true;
	spin_unlock(&e->lock);
}

/*
 * The queue whose turn it is, or NULL: the next one of the client that had its
 * last turn before all others that have anything to do here. So the number of
 * queues that a process has is no matter to others.
 */
static struct kfd_gpu_queue *sim_engine_next(struct sim_engine *e, bool *peek)
{
	struct kfd_gpu_queue *q, *best = NULL;
	bool asked = false, room = false;
	u64 now = ktime_get_ns();

	lockdep_assert_held(&e->lock);
	list_for_each_entry(q, &e->queues, node) {
		bool look = q->peek && !q->work;

		if (!sim_queue_can_run(q) || (!look && !q->work) ||
		    (best && *best->served <= *q->served))
			continue;
		if (!look && now < q->blocked_until)
			continue;
		if (!look && !q->slot) {
			if (!asked)
				room = sim_slot_room(e, now);
			asked = true;
			if (!room)
				continue;
		}
		best = q;
		*peek = look;
	}
	return best;
}

/* The next queue to work on, marked running, or NULL. */
static struct kfd_gpu_queue *sim_engine_pick(struct sim_engine *e, bool *peek)
{
	struct kfd_gpu_queue *q;

	spin_lock(&e->lock);
	while ((q = sim_engine_next(e, peek))) {
		if (*peek)
			break;
		sim_queue_maybe_hang(q);
		/* There is room; one that hangs is not found again. */
		if (sim_slot_get(q, ktime_get_ns()) && !q->hung)
			break;
	}
	if (q) {
		q->peek = false;
		q->running = true;
		*q->served = ++e->turns;
		list_move_tail(&q->node, &e->queues);
	}
	spin_unlock(&e->lock);
	return q;
}

/**
 * struct sim_rest - what an engine without work may do
 * @again: nothing: look for work again
 * @poll: look at open doorbells again after a while
 * @arm: close this doorbell slice
 * @wake: when something is due, ns
 */
struct sim_rest {
	bool again;
	bool poll;
	struct sim_doorbell *arm;
	u64 wake;
};

static void sim_engine_survey(struct sim_engine *e, struct sim_rest *rest)
{
	u64 now = ktime_get_ns();
	struct kfd_gpu_queue *q;
	bool room;

	spin_lock(&e->lock);
	room = sim_slot_room(e, now);
	list_for_each_entry(q, &e->queues, node) {
		if (!sim_queue_can_run(q))
			continue;
		if (q->work) {
			if (now < q->blocked_until)
				rest->wake = min(rest->wake, q->blocked_until);
			else if (q->slot || room)
				rest->again = true;
		} else if (q->peek) {
			rest->again = true;
		} else if (READ_ONCE(q->doorbell->open)) {
			/*
			 * One that is being armed at this moment too: the
			 * store may have opened it again behind the unmapping.
			 */
			if (sim_doorbell_expired(q->doorbell, now) &&
			    !rest->arm && sim_doorbell_arm_begin(q->doorbell))
				rest->arm = q->doorbell;
			else
				rest->poll = true;
		}
	}
	spin_unlock(&e->lock);
}

static void sim_engine_sleep(struct sim_engine *e, u64 until)
{
	ktime_t expires = ns_to_ktime(until);

	set_current_state(TASK_IDLE);
	if (atomic_xchg(&e->kick, 0) || kthread_should_stop())
		;
	else if (until == U64_MAX)
		schedule();
	else
		schedule_hrtimeout_range(&expires, SIM_SLACK_NS,
					 HRTIMER_MODE_ABS);
	__set_current_state(TASK_RUNNING);
}

/* Nothing to run: close doorbells, sleep. */
static void sim_engine_idle(struct sim_engine *e)
{
	struct sim_rest rest = { .wake = sim_job_wakeup(e) };

	sim_engine_survey(e, &rest);
	if (rest.arm) {
		sim_doorbell_arm(rest.arm);
		return;
	}
	if (rest.again)
		return;
	if (rest.poll) {
		rest.wake = min(rest.wake, e->poll_at);
		e->poll = min_t(u64, e->poll * 2, SIM_POLL_MAX_NS);
	}
	sim_engine_sleep(e, rest.wake);
}

static void sim_engine_turn(struct sim_engine *e, struct kfd_gpu_queue *q,
			    bool peek)
{
	u64 packets = q->packets;
	enum sim_turn turn = sim_queue_turn(e, q, peek);

	sim_queue_put(e, q, turn, q->packets != packets ||
		      (turn == SIM_TURN_AGAIN && !peek));
}

static int sim_engine_thread(void *arg)
{
	struct sim_engine *e = arg;

	while (!kthread_should_stop()) {
		bool busy = sim_job_turn(e), peek;
		struct kfd_gpu_queue *q;

		sim_engine_notice(e);
		q = sim_engine_pick(e, &peek);
		if (q)
			sim_engine_turn(e, q, peek);
		else if (!busy)
			sim_engine_idle(e);
		cond_resched();
	}
	return 0;
}

static void sim_engine_free(struct sim_engine *e)
{
	if (!e)
		return;
	spin_lock(&e->lock);
	e->dead = true;
	spin_unlock(&e->lock);
	if (e->thread)
		kthread_stop(e->thread);
	sim_jobs_cancel(e, -ENODEV);
	WARN_ON(!list_empty(&e->queues));
	kfree(e);
}

static struct sim_engine *sim_engine_create(struct sim_gpu *gpu, u32 index)
{
	struct sim_engine *e = kzalloc(sizeof(*e), GFP_KERNEL);
	struct task_struct *thread;

	if (!e)
		return ERR_PTR(-ENOMEM);
	e->gpu = gpu;
	if (index)
		snprintf(e->name, sizeof(e->name), "sdma%u", index - 1);
	else
		strscpy(e->name, "cp", sizeof(e->name));
	spin_lock_init(&e->lock);
	INIT_LIST_HEAD(&e->queues);
	INIT_LIST_HEAD(&e->lines);
	init_waitqueue_head(&e->wait);
	e->n_slots = index ? sdma_slots : hqd_slots;
	e->poll = SIM_POLL_MIN_NS;
	e->exec.gpu = gpu;
	thread = kthread_create(sim_engine_thread, e, "sim%u:%s", gpu->index,
				e->name);
	if (IS_ERR(thread)) {
		kfree(e);
		return ERR_CAST(thread);
	}
	e->thread = thread;
	return e;
}

/**
 * sim_engines_check_params() - whether the engines' module parameters can be had
 *
 * Context: module init; says in the log what is wrong.
 * Return: 0 or -EINVAL.
 */
int sim_engines_check_params(void)
{
	return sim_check_param("hqd_slots", hqd_slots, SIM_MAX_SLOTS) ?:
	       sim_check_param("sdma_slots", sdma_slots, SIM_MAX_SLOTS);
}

/**
 * sim_engines_init() - make and start a GPU's engines, and its fault knobs
 * @gpu: GPU; index is set
 *
 * Context: may sleep and allocate.
 * Return: 0; -ENOMEM or what kthread_create() says, with nothing left.
 */
int sim_engines_init(struct sim_gpu *gpu)
{
	u32 i;

	gpu->faults = kzalloc(sizeof(*gpu->faults), GFP_KERNEL);
	if (!gpu->faults)
		return -ENOMEM;
	atomic_set(&gpu->faults->hang, SIM_HANG_NONE);
	gpu->faults->delay_ms = 10;
	for (i = 0; i < ARRAY_SIZE(gpu->engines); i++) {
		struct sim_engine *e = sim_engine_create(gpu, i);

		if (IS_ERR(e)) {
			sim_engines_fini(gpu);
			return PTR_ERR(e);
		}
		gpu->engines[i] = e;
	}
	for (i = 0; i < ARRAY_SIZE(gpu->engines); i++)
		wake_up_process(gpu->engines[i]->thread);
	return 0;
}

/**
 * sim_engines_fini() - stop a GPU's engines
 * @gpu: GPU; no queue of it is left; jobs that are end with ENODEV
 *
 * Safe after a failed or absent sim_engines_init().
 *
 * Context: may sleep.
 */
void sim_engines_fini(struct sim_gpu *gpu)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(gpu->engines); i++) {
		sim_engine_free(gpu->engines[i]);
		gpu->engines[i] = NULL;
	}
	kfree(gpu->faults);
	gpu->faults = NULL;
}
