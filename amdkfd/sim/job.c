// SPDX-License-Identifier: GPL-2.0-only
/*
 * Indirect buffers that come through the DRM node (CS): they run on an SDMA
 * engine between the turns of user queues, in the order in which they were
 * submitted, and each ends by signalling its fence.
 *
 * The list is protected by engine->lock; its first entry, and the registers
 * that belong to it, are the engine thread's.
 */
#include <linux/kernel.h>
#include <linux/minmax.h>

#include "engine.h"

/* A job that waits longer than this for memory has failed. */
#define SIM_JOB_TIMEOUT_NS	(10 * NSEC_PER_SEC)
#define SIM_JOB_BACKOFF_NS	(200 * NSEC_PER_USEC)

static void sim_job_end(struct sim_job *job, int error)
{
	if (error)
		dma_fence_set_error(job->fence, error);
	sim_vm_job_end(job->vm);
	dma_fence_signal(job->fence);
	job->release(job);
}

/**
 * sim_engine_submit() - queue a job
 * @gpu: GPU
 * @sdma_engine: 0 .. SIM_SDMA_ENGINES - 1
 * @job: job; the engine's from here on, until it calls job->release()
 *
 * Context: any that may take a spinlock; when the GPU is going away, the fence
 * is signalled with ENODEV at once.
 */
void sim_engine_submit(struct sim_gpu *gpu, u32 sdma_engine,
		       struct sim_job *job)
{
	struct sim_engine *e = gpu->engines[1 + sdma_engine % SIM_SDMA_ENGINES];
	bool dead;

	sim_vm_job_begin(job->vm);
	spin_lock(&e->lock);
	dead = e->dead;
	if (!dead)
		list_add_tail(&job->node, &e->jobs);
	spin_unlock(&e->lock);
	if (dead)
		sim_job_end(job, -ENODEV);
	else
		sim_engine_kick(e);
}

static struct sim_job *sim_job_first(struct sim_engine *e)
{
	struct sim_job *job;

	spin_lock(&e->lock);
	job = list_first_entry_or_null(&e->jobs, struct sim_job, node);
	spin_unlock(&e->lock);
	return job;
}

static void sim_job_start(struct sim_engine *e, struct sim_job *job)
{
	e->job_regs = (struct sim_regs) {
		.ib = true,
		.ib_va = job->ib_va & ~3ull,
		.ib_size = job->ib_dwords,
		.ib_pos = min(job->position, job->ib_dwords),
	};
	e->job_deadline = 0;
	e->job_started = true;
}

static void sim_job_finish(struct sim_engine *e, struct sim_job *job,
			   int error)
{
	spin_lock(&e->lock);
	list_del(&job->node);
	spin_unlock(&e->lock);
	e->job_started = false;
	e->job_blocked_until = 0;
	sim_job_end(job, error);
}

/* Put it off; false when it has been waiting for too long. */
static bool sim_job_block(struct sim_engine *e)
{
	u64 now = ktime_get_ns();

	if (!e->job_deadline)
		e->job_deadline = now + SIM_JOB_TIMEOUT_NS;
	e->job_blocked_until = now + SIM_JOB_BACKOFF_NS;
	return now < e->job_deadline;
}

/* 1: goes on, 0: done, else an errno. */
static int sim_job_run(struct sim_engine *e, struct sim_job *job)
{
	struct sim_exec *x = &e->exec;

	sim_exec_begin(x, job->vm, &e->job_regs, NULL, sim_vm_pasid(job->vm));
	while (e->job_regs.ib && x->cost < SIM_TURN_COST) {
		enum sim_result res;

		x->cost += SIM_PACKET_COST;
		res = sim_sdma_step(x);
		job->position = e->job_regs.ib_pos;
		switch (res) {
		case SIM_DONE:
			e->job_deadline = 0;
			break;
		case SIM_MORE:
			break;
		case SIM_BLOCKED:
			return sim_job_block(e) ? 1 : -ETIME;
		case SIM_FAULT:
			sim_exec_report_fault(x);
			return -EFAULT;
		default:
			pr_notice_ratelimited("amdgpu_sim%u: %s: packet 0x%08x of a job can't be decoded\n",
					      x->gpu->index, e->name,
					      x->head[0]);
			return -EINVAL;
		}
	}
	return e->job_regs.ib;
}

/**
 * sim_job_turn() - do a piece of the first job
 * @e: engine
 *
 * Context: engine's thread.
 * Return: whether there was something to do.
 */
bool sim_job_turn(struct sim_engine *e)
{
	struct sim_job *job = sim_job_first(e);
	int ret;

	if (!job || (e->job_blocked_until &&
		     ktime_get_ns() < e->job_blocked_until))
		return false;
	if (!e->job_started)
		sim_job_start(e, job);
	e->job_blocked_until = 0;
	ret = sim_job_run(e, job);
	if (ret <= 0)
		sim_job_finish(e, job, ret);
	return true;
}

/**
 * sim_job_wakeup() - when the first job is to be tried again
 * @e: engine
 *
 * Context: engine's thread, after sim_job_turn() returned false.
 * Return: ns of the monotonic clock, U64_MAX without a job.
 */
u64 sim_job_wakeup(struct sim_engine *e)
{
	return sim_job_first(e) ? e->job_blocked_until : U64_MAX;
}

/**
 * sim_jobs_cancel() - end all jobs unrun
 * @e: engine whose thread is no more
 * @error: for their fences
 *
 * Context: may sleep.
 */
void sim_jobs_cancel(struct sim_engine *e, int error)
{
	struct sim_job *job;

	while ((job = sim_job_first(e)))
		sim_job_finish(e, job, error);
}
