// SPDX-License-Identifier: GPL-2.0-only
/*
 * fdinfo of a DRM file: what it has.
 *
 * The keys that begin with "kfd-" are for who dumps a process: they count what
 * the program made through this file, which the driver of /dev/kfd knows
 * nothing of and no image of its holds. Buffers of the driver's have no handle
 * in the file, unless the program has imported them. Of a file that the program
 * has closed, and that the driver keeps for its VM, fdinfo of /dev/kfd has the
 * same numbers.
 *
 * A count is taken entry by entry, each under the table's own lock: of a file
 * in use it is true of no one moment, of one that nobody uses it is exact.
 */
#include <linux/idr.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/spinlock.h>
#include <linux/xarray.h>

#include <drm/drm_file.h>

#include "compat/drm.h"

#include "drm_node.h"
#include "memory.h"

static u64 sim_count_idr(struct idr *idr, spinlock_t *lock)
{
	void *entry;
	u64 n = 0;
	int id;

	for (id = 0;; id++) {
		spin_lock(lock);
		entry = idr_get_next(idr, &id);
		spin_unlock(lock);
		if (!entry || id == INT_MAX)
			return n + !!entry;
		n++;
		cond_resched();
	}
}

static u64 sim_count_xa(struct xarray *xa)
{
	unsigned long index;
	void *entry;
	u64 n = 0;

	xa_for_each(xa, index, entry)
		n++;
	return n;
}

static void sim_show_mapped(struct seq_file *m, struct sim_vm *vm)
{
	u64 mapped[SIM_BO_DOORBELL + 1] = {};
	struct sim_mapping *mapping;
	struct rb_node *node;

	down_read(&vm->lock);
	for (node = rb_first_cached(&vm->mappings); node;
	     node = rb_next(node)) {
		mapping = rb_entry(node, struct sim_mapping, rb);
		mapped[mapping->bo->kind] += mapping->last - mapping->start + 1;
	}
	up_read(&vm->lock);

	seq_printf(m, "amdgpu-sim-mapped-vram:\t%llu KiB\n",
		   mapped[SIM_BO_VRAM] >> 10);
	seq_printf(m, "amdgpu-sim-mapped-gtt:\t%llu KiB\n",
		   mapped[SIM_BO_GTT] >> 10);
	seq_printf(m, "amdgpu-sim-mapped-userptr:\t%llu KiB\n",
		   mapped[SIM_BO_USERPTR] >> 10);
}

static void sim_show_owned(struct seq_file *m, struct sim_vm *vm)
{
	mutex_lock(&vm->owner_lock);
	seq_printf(m, "amdgpu-sim-scratch-va:\t0x%llx\n", vm->scratch_va);
	seq_printf(m, "amdgpu-sim-tba:\t0x%llx\n", vm->tba);
	seq_printf(m, "amdgpu-sim-tma:\t0x%llx\n", vm->tma);
	seq_printf(m, "amdgpu-sim-policy:\t%u %u 0x%llx 0x%llx\n",
		   vm->policy_default, vm->policy_alternate,
		   vm->alternate_base, vm->alternate_size);
	mutex_unlock(&vm->owner_lock);
}

/**
 * sim_count_made() - what a program has made through a DRM file
 * @file: the file
 * @made: out: how many of each kind
 *
 * Context: sleeps.
 */
void sim_count_made(struct drm_file *file, struct kfd_gpu_vm_made *made)
{
	struct sim_file *f = to_sim_file(file);

	made->gem_handles = sim_count_idr(&file->object_idr, &file->table_lock);
	made->contexts = sim_count_xa(&f->ctxs);
	made->bo_lists = sim_count_xa(&f->lists);
	made->syncobjs = sim_count_xa(kfd_compat_drm_syncobjs(file));
	made->jobs = sim_vm_jobs(f->vm);
}

static void sim_show_made(struct seq_file *m, struct drm_file *file)
{
	struct kfd_gpu_vm_made made;

	sim_count_made(file, &made);
	seq_printf(m, "kfd-gem-handles:\t%llu\n", made.gem_handles);
	seq_printf(m, "kfd-contexts:\t%llu\n", made.contexts);
	seq_printf(m, "kfd-bo-lists:\t%llu\n", made.bo_lists);
	seq_printf(m, "kfd-syncobjs:\t%llu\n", made.syncobjs);
	seq_printf(m, "kfd-jobs:\t%llu\n", made.jobs);
	/* sim_drm_mmap() */
	seq_puts(m, "kfd-mmap-parts:\t1\n");
}

/**
 * sim_drm_show_fdinfo() - file_operations.show_fdinfo of a DRM node
 * @m: where to
 * @file: the file
 *
 * Context: sleeps; takes vm->lock and vm->owner_lock, one after the other.
 */
void sim_drm_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct drm_file *drm_file = file->private_data;
	struct sim_vm *vm = sim_file_vm(drm_file);

	seq_puts(m, "drm-driver:\tamdgpu\n");
	seq_printf(m, "amdgpu-sim-gpu:\t%u\n", vm->gpu->index);
	seq_printf(m, "pasid:\t%u\n", sim_vm_pasid(vm));
	sim_show_mapped(m, vm);
	sim_show_owned(m, vm);
	sim_show_made(m, drm_file);
}
