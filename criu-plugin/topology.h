/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The GPUs of the machine, as KFD's topology in sysfs shows them, and which of
 * them can stand in for which GPU of an image.
 */
#ifndef KFD_PLUGIN_TOPOLOGY_H
#define KFD_PLUGIN_TOPOLOGY_H

#include <stddef.h>

#include "kfd.pb-c.h"

/**
 * struct gpu_list - GPUs, in the order of their nodes
 * @gpus: allocated, as are the entries
 * @nr: number of entries
 */
struct gpu_list {
	KfdGpu **gpus;
	size_t nr;
};

int topology_read(const char *root, struct gpu_list *out);
void topology_free(struct gpu_list *list);
KfdGpu *topology_by_minor(KfdGpu **gpus, size_t nr, unsigned int minor_nr);
KfdGpu *topology_by_id(KfdGpu **gpus, size_t nr, unsigned int gpu_id);
int topology_match(KfdGpu **saved, size_t nr_saved, KfdGpu **now,
		   size_t nr_now, size_t *map, char *why, size_t why_size);

#endif
