// SPDX-License-Identifier: GPL-2.0-only
/*
 * debugfs: insight into the engines, and faults on demand.
 *
 * /sys/kernel/debug/amdgpu_sim/<index>/
 *	hang_queue	write a doorbell's byte offset: the queues that are
 *			there make no progress and do not stop, as long as they
 *			live; -1: the next queue that would run something; -2:
 *			end of all that. Reads as -1 or -2.
 *	fail_preempt	1: preemptions fail with ETIME at once
 *	delay_nth	every nth packet of a queue waits ...
 *	delay_ms	... for so long
 *	raise_ecc	write: an uncorrectable memory error
 *	reset		write: a GPU reset; loaded queues are lost
 *	vram_used	bytes
 *	queues		one line per queue
 *
 * What is read of running queues is a snapshot without a guarantee.
 */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>

#include "engine.h"

/* The directory that all GPUs share, and how many do. */
static DEFINE_MUTEX(sim_debugfs_lock);
static struct dentry *sim_debugfs_root;
static u32 sim_debugfs_users;

static int sim_hang_get(void *data, u64 *val)
{
	struct sim_gpu *gpu = data;

	*val = atomic_read(&gpu->faults->hang);
	return 0;
}

static int sim_hang_set(void *data, u64 val)
{
	struct sim_gpu *gpu = data;
	s64 hang = val;

	if (hang < SIM_HANG_NONE || hang >= KFD_DOORBELL_SLICE_SIZE)
		return -EINVAL;
	return sim_gpu_set_hang(gpu, hang);
}
DEFINE_DEBUGFS_ATTRIBUTE_SIGNED(sim_hang_fops, sim_hang_get, sim_hang_set,
				"%lld\n");

static int sim_ecc_set(void *data, u64 val)
{
	struct kfd_irq_entry irq = { .source = KFD_IRQ_ECC };
	struct sim_gpu *gpu = data;

	if (!gpu->kfd)
		return -ENODEV;
	kfd_gpu_interrupt(gpu->kfd, &irq);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(sim_ecc_fops, NULL, sim_ecc_set, "%llu\n");

static int sim_reset_set(void *data, u64 val)
{
	struct sim_gpu *gpu = data;

	if (!gpu->kfd)
		return -ENODEV;
	sim_gpu_lose_queues(gpu);
	kfd_gpu_reset(gpu->kfd, true);
	kfd_gpu_reset(gpu->kfd, false);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(sim_reset_fops, NULL, sim_reset_set, "%llu\n");

static int sim_vram_get(void *data, u64 *val)
{
	struct sim_gpu *gpu = data;

	*val = atomic64_read(&gpu->vram_used);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(sim_vram_fops, sim_vram_get, NULL, "%llu\n");

static const char *sim_queue_state(const struct kfd_gpu_queue *q)
{
	if (q->regs.error)
		return "halted";
	if (!q->loaded)
		return "off";
	if (q->hung)
		return "hung";
	if (q->running)
		return "running";
	if (q->retry.waiting)
		return "faulting";
	if (!q->work)
		return "idle";
	if (ktime_get_ns() < q->blocked_until)
		return "blocked";
	return q->slot ? "ready" : "waiting";
}

static void sim_queue_show(struct seq_file *m, const struct kfd_gpu_queue *q)
{
	static const char * const types[] = {
		[KFD_GPU_QUEUE_PM4] = "pm4",
		[KFD_GPU_QUEUE_AQL] = "aql",
		[KFD_GPU_QUEUE_SDMA] = "sdma",
	};
	const struct sim_regs *r = &q->regs;

	seq_printf(m, "%s %s pasid=%u doorbell=0x%x state=%s slot=%u rptr=%llu wptr=%llu ib=%u/%u mid=%llu packets=%llu preemptions=%llu switches=%llu retries=%llu fault=0x%llx error=0x%x\n",
		   q->engine->name, types[q->desc.type], q->desc.pasid,
		   q->desc.doorbell_offset, sim_queue_state(q), q->slot,
		   r->rptr, r->wptr, r->ib ? r->ib_pos : 0,
		   r->ib ? r->ib_size : 0, r->mid, q->packets, q->preemptions,
		   q->switches, q->retry.count,
		   q->retry.waiting ? q->retry.va : 0, r->error);
}

static int sim_queues_show(struct seq_file *m, void *unused)
{
	struct sim_gpu *gpu = m->private;
	struct kfd_gpu_queue *q;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(gpu->engines); i++) {
		struct sim_engine *e = gpu->engines[i];

		spin_lock(&e->lock);
		list_for_each_entry(q, &e->queues, node)
			sim_queue_show(m, q);
		spin_unlock(&e->lock);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(sim_queues);

static struct dentry *sim_debugfs_get_root(void)
{
	mutex_lock(&sim_debugfs_lock);
	if (!sim_debugfs_users++)
		sim_debugfs_root = debugfs_create_dir("amdgpu_sim", NULL);
	mutex_unlock(&sim_debugfs_lock);
	return sim_debugfs_root;
}

static void sim_debugfs_put_root(void)
{
	mutex_lock(&sim_debugfs_lock);
	if (!--sim_debugfs_users) {
		debugfs_remove(sim_debugfs_root);
		sim_debugfs_root = NULL;
	}
	mutex_unlock(&sim_debugfs_lock);
}

/**
 * sim_debugfs_init() - make a GPU's files
 * @gpu: GPU, after sim_engines_init()
 *
 * Context: may sleep.
 * Return: 0; a kernel without debugfs is no error.
 */
int sim_debugfs_init(struct sim_gpu *gpu)
{
	struct sim_faults *faults = gpu->faults;
	struct dentry *dir;
	char name[12];

	snprintf(name, sizeof(name), "%u", gpu->index);
	dir = debugfs_create_dir(name, sim_debugfs_get_root());
	gpu->debugfs = dir;
	debugfs_create_file_unsafe("hang_queue", 0600, dir, gpu,
				   &sim_hang_fops);
	debugfs_create_bool("fail_preempt", 0600, dir, &faults->fail_preempt);
	debugfs_create_u32("delay_nth", 0600, dir, &faults->delay_nth);
	debugfs_create_u32("delay_ms", 0600, dir, &faults->delay_ms);
	debugfs_create_file_unsafe("raise_ecc", 0200, dir, gpu, &sim_ecc_fops);
	debugfs_create_file_unsafe("reset", 0200, dir, gpu, &sim_reset_fops);
	debugfs_create_file_unsafe("vram_used", 0400, dir, gpu,
				   &sim_vram_fops);
	debugfs_create_file("queues", 0400, dir, gpu, &sim_queues_fops);
	debugfs_create_file("peer_attach", 0200, dir, gpu, &sim_peer_fops);
	return 0;
}

/**
 * sim_debugfs_fini() - remove a GPU's files
 * @gpu: GPU, before sim_engines_fini()
 *
 * Waits for those who are reading or writing one. Safe without init.
 *
 * Context: may sleep.
 */
void sim_debugfs_fini(struct sim_gpu *gpu)
{
	if (!gpu->debugfs)
		return;
	debugfs_remove(gpu->debugfs);
	gpu->debugfs = NULL;
	sim_debugfs_put_root();
}
