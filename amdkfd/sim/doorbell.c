// SPDX-License-Identifier: GPL-2.0-only
/*
 * Doorbell slices.
 *
 * A slice is two pages that a process writes with plain stores, which nobody
 * sees. So it is in one of two states:
 *
 * open: its pages may be mapped. Whoever has a queue without work in the slice
 *	looks at that queue's write pointer again and again.
 * armed: its pages are not mapped, and nobody looks. The next store faults;
 *	the driver calls sim_doorbell_fault() and maps the pages: open again.
 *
 * Arming: (1) mark armed, (2) unmap, (3) have all engines look at all write
 * pointers once. A process publishes its write pointer before it rings. If its
 * store came before (2), the look of (3) sees the pointer; if it came after,
 * it faulted. A fault between (1) and (2) leaves the slice open but unmapped,
 * which costs a fault and is no harm. The driver keeps (2) out of the time
 * between telling us and mapping, so an armed slice never ends up mapped.
 *
 * A slice stays open while its queues have work and for SIM_HOT_NS after.
 *
 * Lock: doorbell->lock; taken under engine->lock, or alone.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "engine.h"

/* How long an open slice without work is polled. */
#define SIM_HOT_NS	(3 * NSEC_PER_MSEC)

static void sim_doorbell_arm_work(struct work_struct *work)
{
	struct sim_doorbell *d = container_of(work, struct sim_doorbell, arm);

	kfd_gpu_doorbell_zap(d->db);
	sim_gpu_look(d->gpu);
	spin_lock(&d->lock);
	d->zapping--;
	/* Under the lock: fini frees as soon as it sees the count. */
	wake_up_all(&d->wait);
	spin_unlock(&d->lock);
}

/**
 * sim_doorbell_init() - make the pages of a doorbell slice
 * @gpu: struct sim_gpu
 * @db: gets pfn, mmio_pfn and priv
 *
 * Context: may sleep and allocate.
 * Return: 0; -ENOMEM.
 */
int sim_doorbell_init(void *gpu, struct kfd_doorbell *db)
{
	struct sim_doorbell *d = kzalloc(sizeof(*d), GFP_KERNEL_ACCOUNT);

	if (!d)
		return -ENOMEM;
	d->pages = alloc_pages_exact(KFD_DOORBELL_SLICE_SIZE,
				     GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	d->mmio = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!d->pages || !d->mmio) {
		if (d->pages)
			free_pages_exact(d->pages, KFD_DOORBELL_SLICE_SIZE);
		free_page((unsigned long)d->mmio);
		kfree(d);
		return -ENOMEM;
	}
	spin_lock_init(&d->lock);
	init_waitqueue_head(&d->wait);
	INIT_WORK(&d->arm, sim_doorbell_arm_work);
	d->db = db;
	d->gpu = gpu;
	db->pfn = page_to_pfn(virt_to_page(d->pages));
	db->mmio_pfn = page_to_pfn(virt_to_page(d->mmio));
	db->priv = d;
	return 0;
}

static bool sim_doorbell_is_quiet(struct sim_doorbell *d)
{
	bool quiet;

	spin_lock(&d->lock);
	quiet = !d->zapping;
	spin_unlock(&d->lock);
	return quiet;
}

/**
 * sim_doorbell_fini() - free a doorbell slice
 * @gpu: struct sim_gpu
 * @db: no queue uses it any more
 *
 * Context: may sleep; waits for a kfd_gpu_doorbell_zap() that is under way.
 */
void sim_doorbell_fini(void *gpu, struct kfd_doorbell *db)
{
	struct sim_doorbell *d = db->priv;

	wait_event(d->wait, sim_doorbell_is_quiet(d));
	db->priv = NULL;
	free_pages_exact(d->pages, KFD_DOORBELL_SLICE_SIZE);
	free_page((unsigned long)d->mmio);
	kfree(d);
}

/**
 * sim_doorbell_kick() - a doorbell of the slice may have been rung
 * @db: slice
 *
 * Context: any that may take a spinlock; never sleeps.
 */
void sim_doorbell_kick(struct kfd_doorbell *db)
{
	struct sim_doorbell *d = db->priv;

	spin_lock(&d->lock);
	WRITE_ONCE(d->active, ktime_get_ns());
	WRITE_ONCE(d->open, true);
	spin_unlock(&d->lock);
	sim_gpu_look(d->gpu);
}

/**
 * sim_doorbell_fault() - a store found the slice unmapped
 * @gpu: struct sim_gpu
 * @db: slice
 *
 * Context: under mmap_lock; never sleeps.
 */
void sim_doorbell_fault(void *gpu, struct kfd_doorbell *db)
{
	sim_doorbell_kick(db);
}

/**
 * sim_doorbell_active() - a queue of the slice has work
 * @d: slice
 * @now: ktime_get_ns()
 *
 * Context: any.
 */
void sim_doorbell_active(struct sim_doorbell *d, u64 now)
{
	WRITE_ONCE(d->active, now);
}

/**
 * sim_doorbell_expired() - whether an open slice has been polled for long enough
 * @d: slice
 * @now: ktime_get_ns()
 *
 * Context: any.
 * Return: whether to arm it.
 */
bool sim_doorbell_expired(struct sim_doorbell *d, u64 now)
{
	u64 active = READ_ONCE(d->active);

	return now > active && now - active > SIM_HOT_NS;
}

/**
 * sim_doorbell_arm_begin() - mark a slice armed and keep it from being freed
 * @d: slice
 *
 * Context: engine->lock held, with a queue of the slice in the engine's list.
 * Return: whether to call sim_doorbell_arm(), without the lock; false when
 * somebody else does that.
 */
bool sim_doorbell_arm_begin(struct sim_doorbell *d)
{
	bool ours;

	spin_lock(&d->lock);
	ours = d->open && !d->zapping;
	if (ours) {
		WRITE_ONCE(d->open, false);
		d->zapping++;
	}
	spin_unlock(&d->lock);
	return ours;
}

/**
 * sim_doorbell_arm() - have a slice unmapped and its queues looked at
 * @d: slice, from sim_doorbell_arm_begin()
 *
 * Context: engine's thread; never sleeps. Unmapping calls MMU notifiers, and
 * one of them may wait for this thread to let go of a queue.
 */
void sim_doorbell_arm(struct sim_doorbell *d)
{
	queue_work(sim_wq, &d->arm);
}
