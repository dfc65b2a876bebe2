/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which GPUs the processes of a dump use: see use.c.
 */
#ifndef KFD_PLUGIN_USE_H
#define KFD_PLUGIN_USE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "topology.h"

struct restore_state;

/**
 * struct use_list - gpu_ids of the topology at dump, each once
 * @ids: allocated; free() it
 * @nr: their number
 */
struct use_list {
	uint32_t *ids;
	size_t nr;
};

int use_add(struct use_list *list, uint32_t gpu_id);
int use_add_mappings(struct use_list *list, pid_t pid, const struct gpu_list *gpus);
bool use_is_needed(const struct restore_state *st, const KfdGpu *gpu, bool own);
bool use_is_shared(const struct restore_state *st);

#endif
