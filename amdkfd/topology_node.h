/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A node of the topology and what it has (floor 4); topology.c says which
 * nodes there are. "(lock)" below is kfd_topology_lock.
 */
#ifndef AMDKFD_TOPOLOGY_NODE_H
#define AMDKFD_TOPOLOGY_NODE_H

#include <linux/bits.h>
#include <linux/kobject.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>

#include "kfd_device.h"

/* "heap_type" of a memory bank */
#define KFD_HEAP_SYSTEM			0
#define KFD_HEAP_FB_PUBLIC		1
/* "type" of a cache: which of these it is */
#define KFD_CACHE_DATA			BIT(0)
#define KFD_CACHE_INSTRUCTION		BIT(1)
#define KFD_CACHE_SIMD			BIT(3)
/* "type", "weight" of a PCIe link */
#define KFD_LINK_TYPE_PCIE		2
#define KFD_LINK_WEIGHT_PCIE		20

enum kfd_topo_kind {
	KFD_TOPO_MEM_BANK,
	KFD_TOPO_CACHE,
	KFD_TOPO_IO_LINK,
	KFD_TOPO_P2P_LINK,
	KFD_TOPO_NUM_KINDS,
};

/**
 * struct kfd_topo_node - a CPU or GPU node
 * @kobj: nodes/N
 * @link: in kfd_topo_cpus or kfd_topo_gpus (lock)
 * @entries: list of kfd_topo_entry (lock)
 * @dirs: directories of the entries, by kind
 * @count: entries by kind (lock for writing)
 * @number: N
 * @dev: the GPU, or NULL
 * @numa: NUMA node of a CPU node
 * @processor_base: number of a GPU's first processor
 */
struct kfd_topo_node {
	struct kobject kobj;
	struct list_head link;
	struct list_head entries;
	struct kobject *dirs[KFD_TOPO_NUM_KINDS];
	u32 count[KFD_TOPO_NUM_KINDS];
	u32 number;
	struct kfd_device *dev;
	int numa;
	u32 processor_base;
};

struct kfd_topo_mem {
	u32 heap_type;
	u64 size;
	u32 width;
	u32 clk_max;
};

struct kfd_topo_cache {
	u32 processor;
	u32 level;
	u32 size_kb;
	u32 line_size;
	u32 type;
	u32 first_cu;
	u32 num_cu;
	u32 total_cu;
};

struct kfd_topo_link {
	u32 type;
	u32 from;
	u32 to;
	u32 weight;
};

/**
 * struct kfd_topo_entry - a memory bank, a cache or a link
 * @kobj: its directory
 * @link: in its node's entries (lock)
 * @kind: which member of the union
 * @dev: GPU that it tells about, or NULL
 * @mem: memory bank
 * @cache: cache
 * @io: link
 */
struct kfd_topo_entry {
	struct kobject kobj;
	struct list_head link;
	enum kfd_topo_kind kind;
	struct kfd_device *dev;
	union {
		struct kfd_topo_mem mem;
		struct kfd_topo_cache cache;
		struct kfd_topo_link io;
	};
};

/* topology.c */
extern struct mutex kfd_topology_lock;

struct kfd_topo_node *kfd_topo_add_node(struct kobject *parent,
					struct list_head *list,
					const struct kfd_topo_node *tmpl);
void kfd_topo_remove_node(struct kfd_topo_node *node);
int kfd_topo_add_entry(struct kfd_topo_node *node,
		       const struct kfd_topo_entry *tmpl);
void kfd_topo_remove_entry(struct kfd_topo_node *node,
			   struct kfd_topo_entry *e);

#endif
