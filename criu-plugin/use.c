// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which GPUs the processes of a dump use.
 *
 * A process uses a GPU when
 *
 *  - the driver has state of it there: CHECKPOINT names the GPU. What
 *    libhsakmt can open it takes the VM of, so these are all that a ROCm
 *    program could use. The in-tree driver names every GPU that the process
 *    may see, and wants as many at RESTORE;
 *  - it has the GPU's render node open or mapped;
 *  - it has a page of /dev/kfd mapped that belongs to the GPU.
 *
 * Nothing else of the machine is needed at restore. Whoever else sees more or
 * fewer GPUs (criu on the host, a container with one of them) changes nothing.
 *
 * The last of these, and the driver's, are found out at dump and stand in the
 * process's kfd-file-ID.img; an image without them is of a plugin that did not
 * look, and needs every GPU that the machine had.
 */
#define _GNU_SOURCE
#include "use.h"

#include <errno.h>
#include <stdlib.h>

#include "restore.h"
#include "sys.h"

/**
 * use_add() - a process uses a GPU
 * @list: what it uses
 * @gpu_id: of the topology
 *
 * Return: 0 or -ENOMEM.
 */
int use_add(struct use_list *list, uint32_t gpu_id)
{
	uint32_t *ids;
	size_t i;

	for (i = 0; i < list->nr; i++)
		if (list->ids[i] == gpu_id)
			return 0;
	ids = realloc(list->ids, (list->nr + 1) * sizeof(*ids));
	if (!ids)
		return -ENOMEM;
	list->ids = ids;
	ids[list->nr++] = gpu_id;
	return 0;
}

/**
 * use_add_mappings() - GPUs that a process has pages of /dev/kfd of
 * @list: what it uses
 * @pid: the process as seen from here
 * @gpus: of this machine
 *
 * What the offset of a mapping has may be the id by which the process knows a
 * GPU instead; those the driver names.
 *
 * Return: 0 or a negative errno.
 */
int use_add_mappings(struct use_list *list, pid_t pid, const struct gpu_list *gpus)
{
	uint32_t *ids;
	size_t i, nr;
	int ret;

	ret = sys_find_kfd_vmas(pid, &ids, &nr);
	for (i = 0; !ret && i < nr; i++)
		if (topology_by_id(gpus->gpus, gpus->nr, ids[i]))
			ret = use_add(list, ids[i]);
	free(ids);
	return ret;
}

static bool is_holder(const KfdFileEntry *e, pid_t pid)
{
	size_t i;

	for (i = 0; i < e->n_holders; i++)
		if ((pid_t)e->holders[i]->pid == pid)
			return true;
	return !e->n_holders;	/* not known: it may be */
}

static bool is_mapped(const KfdFileEntry *e, unsigned int minor_nr)
{
	size_t i;

	for (i = 0; i < e->n_vmas; i++)
		if (e->vmas[i]->render_minor == minor_nr && e->vmas[i]->count)
			return true;
	return false;
}

static bool is_used(const KfdFileEntry *e, const KfdGpu *gpu)
{
	size_t i;

	if (e->kind == KFD_FILE_RENDER)
		return e->render_minor == gpu->render_minor;
	if (e->kind == KFD_FILE_DEAD)
		return false;
	if (!e->use || is_mapped(e, gpu->render_minor))
		return true;
	for (i = 0; i < e->use->n_gpu_ids; i++)
		if (e->use->gpu_ids[i] == gpu->gpu_id)
			return true;
	return false;
}

/**
 * use_is_needed() - whether a GPU of the dump's machine has to be there
 * @st: of this process
 * @gpu: one of @st->saved
 * @own: for this process; else for any of the dump
 */
bool use_is_needed(const struct restore_state *st, const KfdGpu *gpu, bool own)
{
	size_t i;

	for (i = 0; i < st->nr_files; i++) {
		const KfdFileEntry *e = st->files[i].entry;

		if (own && !is_holder(e, st->pid) &&
		    (e->kind == KFD_FILE_RENDER || (pid_t)e->pid != st->pid))
			continue;
		if (is_used(e, gpu))
			return true;
	}
	return false;
}

/**
 * use_is_shared() - whether another process has a file of this one's
 * @st: of this process
 *
 * Then they have to agree on what GPU it is of.
 */
bool use_is_shared(const struct restore_state *st)
{
	size_t i, j;

	for (i = 0; i < st->nr_files; i++) {
		const KfdFileEntry *e = st->files[i].entry;

		if (e->kind != KFD_FILE_RENDER || !is_holder(e, st->pid))
			continue;
		if (!e->n_holders)
			return true;
		for (j = 0; j < e->n_holders; j++)
			if ((pid_t)e->holders[j]->pid != st->pid)
				return true;
	}
	return false;
}
