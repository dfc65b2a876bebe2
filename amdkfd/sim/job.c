// SPDX-License-Identifier: GPL-2.0-only
/*
 * Indirect buffers that come through the DRM node (CS): they run on an SDMA
 * engine between the turns of user queues, and each ends by signalling its fence.
 *
 * A client's jobs stand in line, in the order in which they were submitted; the
 * lines are served in turn, a piece of the first job each. While one waits for
 * memory the others go on. So nobody waits for what a stranger has submitted
 * longer than for a piece of it, and those pieces are as many as there are
 * clients.
 *
 * A job may wait for memory for SIM_JOB_TIMEOUT_NS in all, at however many
 * packets; then it has failed.
 *
 * The lists are protected by engine->lock; the first job of a line, and the
 * registers that belong to it, are the engine thread's. A job holds its VM, and
 * that the client with the line.
 */
#include <linux/kernel.h>
#include <linux/minmax.h>

#include "engine.h"

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
	u32 index = sdma_engine % SIM_SDMA_ENGINES;
	struct sim_engine *e = gpu->engines[1 + index];
	struct sim_line *line;
	bool dead;

	line = &sim_vm_client(job->vm)->lines[gpu->index][index];
	sim_vm_job_begin(job->vm);
	spin_lock(&e->lock);
	dead = e->dead;
	if (!dead) {
		if (list_empty(&line->jobs))
			list_add_tail(&line->node, &e->lines);
		list_add_tail(&job->node, &line->jobs);
	}
	spin_unlock(&e->lock);
	if (dead)
		sim_job_end(job, -ENODEV);
	else
		sim_engine_kick(e);
}

/* The next line whose first job may be tried, which is then the last; or NULL. */
static struct sim_line *sim_line_pick(struct sim_engine *e)
{
	struct sim_line *line, *found = NULL;
	u64 now = ktime_get_ns();

	spin_lock(&e->lock);
	list_for_each_entry(line, &e->lines, node) {
		if (now < line->blocked_until)
			continue;
		list_move_tail(&line->node, &e->lines);
		found = line;
		break;
	}
	spin_unlock(&e->lock);
	return found;
}

/* There is one: only the engine's thread takes it away. */
static struct sim_job *sim_line_first(struct sim_engine *e,
				      struct sim_line *line)
{
	struct sim_job *job;

	spin_lock(&e->lock);
	job = list_first_entry(&line->jobs, struct sim_job, node);
	spin_unlock(&e->lock);
	return job;
}

static void sim_job_start(struct sim_line *line, struct sim_job *job)
{
	line->regs = (struct sim_regs) {
		.ib = true,
		.ib_va = job->ib_va & ~3ull,
		.ib_size = job->ib_dwords,
		.ib_pos = min(job->position, job->ib_dwords),
	};
	line->blocked_since = 0;
	line->blocked = 0;
	line->started = true;
}

static void sim_job_finish(struct sim_engine *e, struct sim_line *line,
			   struct sim_job *job, int error)
{
	line->started = false;
	line->blocked_until = 0;
	spin_lock(&e->lock);
	list_del(&job->node);
	if (list_empty(&line->jobs))
		list_del(&line->node);
	spin_unlock(&e->lock);
	/* The line may go with the job. */
	sim_job_end(job, error);
}

/* Put it off; false when it has been waiting for too long. */
static bool sim_job_block(struct sim_line *line)
{
	u64 now = ktime_get_ns();

	if (!line->blocked_since)
		line->blocked_since = now;
	line->blocked_until = now + SIM_JOB_BACKOFF_NS;
	return line->blocked + now - line->blocked_since < SIM_JOB_TIMEOUT_NS;
}

static void sim_job_unblock(struct sim_line *line)
{
	if (!line->blocked_since)
		return;
	line->blocked += ktime_get_ns() - line->blocked_since;
	line->blocked_since = 0;
}

/* 1: goes on, 0: done, else an errno. */
static int sim_job_run(struct sim_engine *e, struct sim_line *line,
		       struct sim_job *job)
{
	struct sim_exec *x = &e->exec;

	sim_exec_begin(x, job->vm, &line->regs, NULL, sim_vm_pasid(job->vm));
	while (line->regs.ib && x->cost < SIM_TURN_COST) {
		enum sim_result res;

		x->cost += SIM_PACKET_COST;
		res = sim_sdma_step(x);
		job->position = line->regs.ib_pos;
		switch (res) {
		case SIM_DONE:
			sim_job_unblock(line);
			break;
		case SIM_MORE:
			break;
		case SIM_BLOCKED:
			return sim_job_block(line) ? 1 : -ETIME;
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
	return line->regs.ib;
}

/**
 * sim_job_turn() - do a piece of the next client's first job
 * @e: engine
 *
 * Context: engine's thread.
 * Return: whether there was something to do.
 */
bool sim_job_turn(struct sim_engine *e)
{
	struct sim_line *line = sim_line_pick(e);
	struct sim_job *job;
	int ret;

	if (!line)
		return false;
	job = sim_line_first(e, line);
	if (!line->started)
		sim_job_start(line, job);
	line->blocked_until = 0;
	ret = sim_job_run(e, line, job);
	if (ret <= 0)
		sim_job_finish(e, line, job, ret);
	return true;
}

/**
 * sim_job_wakeup() - when a job is to be tried again
 * @e: engine
 *
 * Context: engine's thread, after sim_job_turn() returned false.
 * Return: ns of the monotonic clock, U64_MAX without a job.
 */
u64 sim_job_wakeup(struct sim_engine *e)
{
	struct sim_line *line;
	u64 wake = U64_MAX;

	spin_lock(&e->lock);
	list_for_each_entry(line, &e->lines, node)
		wake = min(wake, line->blocked_until);
	spin_unlock(&e->lock);
	return wake;
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
	struct sim_line *line;

	/* It takes no more, and nobody else takes any away. */
	while ((line = list_first_entry_or_null(&e->lines, struct sim_line,
						node)))
		sim_job_finish(e, line, sim_line_first(e, line), error);
}
