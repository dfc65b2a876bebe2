// SPDX-License-Identifier: GPL-2.0-only
/*
 * The topology in sysfs (floor 4).
 *
 *	topology/generation_id, system_properties
 *	topology/nodes/N/gpu_id, name, properties
 *	topology/nodes/N/{mem_banks,caches,io_links,p2p_links}/M/properties
 *
 * Nodes are numbered from 0 without a hole: the machine's NUMA nodes that have
 * CPUs first, then the GPUs in order of registration. When a GPU comes or goes,
 * all GPU nodes and the links to them are made anew and generation_id counts
 * up; readers compare it before and after.
 *
 * Files and their formats are those of the in-tree driver, as its readers
 * parse them: "name number" lines.
 *
 * kfd_topology_lock protects the lists and the numbering. The files are read
 * without it: what they show is complete before its kobject is added and does
 * not change, but for the number of links of a CPU node and the generation.
 * Removing a kobject waits for its readers.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bits.h>
#include <linux/cpufreq.h>
#include <linux/device.h>
#include <linux/kernel.h>
#include <linux/kobject.h>
#include <linux/list.h>
#include <linux/nodemask.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include <linux/topology.h>

#include "topology.h"

/* "heap_type" of a memory bank */
#define KFD_HEAP_SYSTEM			0
#define KFD_HEAP_FB_PUBLIC		1
/* "type" of a cache: which of these it is */
#define KFD_CACHE_DATA			BIT(0)
#define KFD_CACHE_INSTRUCTION		BIT(1)
#define KFD_CACHE_SIMD			BIT(3)
/* "type", "weight", "flags" of a PCIe link */
#define KFD_LINK_TYPE_PCIE		2
#define KFD_LINK_WEIGHT_PCIE		20
#define KFD_LINK_ENABLED		BIT(0)
/* GPUs' processors are numbered from here, to be unlike any CPU's */
#define KFD_GPU_PROCESSOR_BASE		0x80001000U
#define KFD_WAVE_FRONT_SIZE		64

enum kfd_topo_kind {
	KFD_TOPO_MEM_BANK,
	KFD_TOPO_CACHE,
	KFD_TOPO_IO_LINK,
	KFD_TOPO_P2P_LINK,
	KFD_TOPO_NUM_KINDS,
};

static const char *const kfd_topo_dirs[KFD_TOPO_NUM_KINDS] = {
	[KFD_TOPO_MEM_BANK] = "mem_banks",
	[KFD_TOPO_CACHE] = "caches",
	[KFD_TOPO_IO_LINK] = "io_links",
	[KFD_TOPO_P2P_LINK] = "p2p_links",
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

/* Caches of gfx9, and how many CUs share one; 0: all of the GPU. */
static const struct {
	u32 level;
	u32 size_kb;
	u32 type;
	u32 cus;
} kfd_gfx9_caches[] = {
	{ 1, 16, KFD_CACHE_SIMD | KFD_CACHE_DATA, 1 },
	{ 1, 32, KFD_CACHE_SIMD | KFD_CACHE_INSTRUCTION, 3 },
	{ 1, 16, KFD_CACHE_SIMD | KFD_CACHE_DATA, 3 },
	{ 2, 4096, KFD_CACHE_SIMD | KFD_CACHE_DATA, 0 },
};

#define KFD_GFX9_CACHE_LINE	64

static DEFINE_MUTEX(kfd_topology_lock);
static LIST_HEAD(kfd_topo_cpus);
static LIST_HEAD(kfd_topo_gpus);
static struct kfd_topology_platform kfd_topo_platform;
static struct kobject *kfd_topo_root;
static struct kobject *kfd_topo_nodes;
static unsigned int kfd_topo_generation;

/* --- files ----------------------------------------------------------------- */

static ssize_t generation_id_show(struct kobject *kobj,
				  struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(kfd_topo_generation));
}

static ssize_t system_properties_show(struct kobject *kobj,
				      struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "platform_oem %llu\nplatform_id %llu\nplatform_rev %llu\n",
			  kfd_topo_platform.oem, kfd_topo_platform.id,
			  kfd_topo_platform.rev);
}

static struct kobj_attribute generation_id_attr = __ATTR_RO(generation_id);
static struct kobj_attribute system_properties_attr = __ATTR_RO(system_properties);

static struct attribute *kfd_topo_root_attrs[] = {
	&generation_id_attr.attr,
	&system_properties_attr.attr,
	NULL,
};
ATTRIBUTE_GROUPS(kfd_topo_root);

static struct kfd_topo_node *to_topo_node(struct kobject *kobj)
{
	return container_of(kobj, struct kfd_topo_node, kobj);
}

static bool kfd_topo_hidden(const struct kfd_device *dev)
{
	return dev && !kfd_device_allowed(dev);
}

static ssize_t gpu_id_show(struct kobject *kobj, struct kobj_attribute *attr,
			   char *buf)
{
	struct kfd_topo_node *node = to_topo_node(kobj);

	if (kfd_topo_hidden(node->dev))
		return -EPERM;
	return sysfs_emit(buf, "%u\n", node->dev ? node->dev->id : 0);
}

static ssize_t name_show(struct kobject *kobj, struct kobj_attribute *attr,
			 char *buf)
{
	struct kfd_topo_node *node = to_topo_node(kobj);

	if (kfd_topo_hidden(node->dev))
		return -EPERM;
	return sysfs_emit(buf, "%s\n", node->dev ? node->dev->info.name : "");
}

/* One "name number" line. */
static void kfd_emit(char *buf, ssize_t *at, const char *name, u64 value)
{
	*at += sysfs_emit_at(buf, *at, "%s %llu\n", name, value);
}

static ssize_t kfd_emit_compute(const struct kfd_topo_node *node, char *buf,
				ssize_t at)
{
	static const struct kfd_device_info none;
	const struct kfd_device_info *info = node->dev ? &node->dev->info : &none;
	u32 arrays = max(info->array_count, 1U);

	kfd_emit(buf, &at, "cpu_core_id_base",
		 node->dev ? 0 : kfd_topology_cpu_first_core(node->numa));
	kfd_emit(buf, &at, "simd_id_base", node->processor_base);
	kfd_emit(buf, &at, "max_waves_per_simd", info->waves_per_simd);
	kfd_emit(buf, &at, "lds_size_in_kb", info->lds_size_kb);
	kfd_emit(buf, &at, "gds_size_in_kb", 0);
	kfd_emit(buf, &at, "num_gws", 0);
	kfd_emit(buf, &at, "wave_front_size",
		 node->dev ? KFD_WAVE_FRONT_SIZE : 0);
	kfd_emit(buf, &at, "array_count", info->array_count);
	kfd_emit(buf, &at, "simd_arrays_per_engine", info->arrays_per_engine);
	kfd_emit(buf, &at, "cu_per_simd_array", info->cu_count / arrays);
	kfd_emit(buf, &at, "simd_per_cu", info->simd_per_cu);
	kfd_emit(buf, &at, "max_slots_scratch_cu", info->max_slots_scratch_cu);
	kfd_emit(buf, &at, "gfx_target_version", info->gfx_target_version);
	kfd_emit(buf, &at, "vendor_id", info->vendor_id);
	kfd_emit(buf, &at, "device_id", info->device_id);
	kfd_emit(buf, &at, "location_id", info->location_id);
	kfd_emit(buf, &at, "domain", info->domain);
	kfd_emit(buf, &at, "drm_render_minor", info->drm_render_minor);
	kfd_emit(buf, &at, "hive_id", 0);
	kfd_emit(buf, &at, "num_sdma_engines", info->num_sdma_engines);
	kfd_emit(buf, &at, "num_sdma_xgmi_engines", 0);
	kfd_emit(buf, &at, "num_sdma_queues_per_engine",
		 info->num_sdma_queues_per_engine);
	kfd_emit(buf, &at, "num_cp_queues", info->num_cp_queues);
	return at;
}

static ssize_t kfd_emit_gpu(const struct kfd_device_info *info, char *buf,
			    ssize_t at)
{
	kfd_emit(buf, &at, "max_engine_clk_fcompute",
		 info->max_engine_clk_fcompute);
	/* The memory banks tell; readers add this to them. */
	kfd_emit(buf, &at, "local_mem_size", 0);
	kfd_emit(buf, &at, "fw_version", info->fw_version);
	kfd_emit(buf, &at, "capability", info->capability);
	kfd_emit(buf, &at, "debug_prop", info->debug_prop);
	kfd_emit(buf, &at, "sdma_fw_version", info->sdma_fw_version);
	kfd_emit(buf, &at, "unique_id", info->unique_id);
	return at;
}

static ssize_t properties_show(struct kobject *kobj,
			       struct kobj_attribute *attr, char *buf)
{
	struct kfd_topo_node *node = to_topo_node(kobj);
	struct kfd_device *dev = node->dev;
	ssize_t at = 0;

	if (kfd_topo_hidden(dev))
		return -EPERM;

	kfd_emit(buf, &at, "cpu_cores_count",
		 dev ? 0 : cpumask_weight(cpumask_of_node(node->numa)));
	kfd_emit(buf, &at, "simd_count",
		 dev ? dev->info.cu_count * dev->info.simd_per_cu : 0);
	kfd_emit(buf, &at, "mem_banks_count",
		 READ_ONCE(node->count[KFD_TOPO_MEM_BANK]));
	kfd_emit(buf, &at, "caches_count",
		 READ_ONCE(node->count[KFD_TOPO_CACHE]));
	kfd_emit(buf, &at, "io_links_count",
		 READ_ONCE(node->count[KFD_TOPO_IO_LINK]));
	kfd_emit(buf, &at, "p2p_links_count",
		 READ_ONCE(node->count[KFD_TOPO_P2P_LINK]));
	at = kfd_emit_compute(node, buf, at);
	if (dev)
		at = kfd_emit_gpu(&dev->info, buf, at);
	kfd_emit(buf, &at, "max_engine_clk_ccompute",
		 cpufreq_quick_get_max(0) / 1000);
	return at;
}

static struct kobj_attribute gpu_id_attr = __ATTR_RO(gpu_id);
static struct kobj_attribute name_attr = __ATTR_RO(name);
static struct kobj_attribute properties_attr = __ATTR_RO(properties);

static struct attribute *kfd_topo_node_attrs[] = {
	&gpu_id_attr.attr,
	&name_attr.attr,
	&properties_attr.attr,
	NULL,
};
ATTRIBUTE_GROUPS(kfd_topo_node);

static ssize_t kfd_emit_mem(const struct kfd_topo_mem *mem, char *buf)
{
	ssize_t at = 0;

	kfd_emit(buf, &at, "heap_type", mem->heap_type);
	kfd_emit(buf, &at, "size_in_bytes", mem->size);
	kfd_emit(buf, &at, "flags", 0);
	kfd_emit(buf, &at, "width", mem->width);
	kfd_emit(buf, &at, "mem_clk_max", mem->clk_max);
	return at;
}

static ssize_t kfd_emit_cache(const struct kfd_topo_cache *cache, char *buf)
{
	ssize_t at = 0;
	u32 i;

	kfd_emit(buf, &at, "processor_id_low", cache->processor);
	kfd_emit(buf, &at, "level", cache->level);
	kfd_emit(buf, &at, "size", cache->size_kb);
	kfd_emit(buf, &at, "cache_line_size", cache->line_size);
	kfd_emit(buf, &at, "cache_lines_per_tag", 1);
	kfd_emit(buf, &at, "association", 0);
	kfd_emit(buf, &at, "latency", 0);
	kfd_emit(buf, &at, "type", cache->type);
	at += sysfs_emit_at(buf, at, "sibling_map ");
	for (i = 0; i < cache->total_cu; i++)
		at += sysfs_emit_at(buf, at, "%s%d", i ? "," : "",
				    i >= cache->first_cu &&
				    i < cache->first_cu + cache->num_cu);
	at += sysfs_emit_at(buf, at, "\n");
	return at;
}

static ssize_t kfd_emit_link(const struct kfd_topo_link *io, char *buf)
{
	ssize_t at = 0;

	kfd_emit(buf, &at, "type", io->type);
	kfd_emit(buf, &at, "version_major", 0);
	kfd_emit(buf, &at, "version_minor", 0);
	kfd_emit(buf, &at, "node_from", io->from);
	kfd_emit(buf, &at, "node_to", io->to);
	kfd_emit(buf, &at, "weight", io->weight);
	kfd_emit(buf, &at, "min_latency", 0);
	kfd_emit(buf, &at, "max_latency", 0);
	kfd_emit(buf, &at, "min_bandwidth", 0);
	kfd_emit(buf, &at, "max_bandwidth", 0);
	kfd_emit(buf, &at, "recommended_transfer_size", 0);
	kfd_emit(buf, &at, "flags", KFD_LINK_ENABLED);
	return at;
}

static ssize_t kfd_topo_entry_show(struct kobject *kobj,
				   struct kobj_attribute *attr, char *buf)
{
	struct kfd_topo_entry *e = container_of(kobj, struct kfd_topo_entry, kobj);

	if (kfd_topo_hidden(e->dev))
		return -EPERM;
	switch (e->kind) {
	case KFD_TOPO_MEM_BANK:
		return kfd_emit_mem(&e->mem, buf);
	case KFD_TOPO_CACHE:
		return kfd_emit_cache(&e->cache, buf);
	default:
		return kfd_emit_link(&e->io, buf);
	}
}

static struct kobj_attribute kfd_topo_entry_attr =
	__ATTR(properties, 0444, kfd_topo_entry_show, NULL);

static struct attribute *kfd_topo_entry_attrs[] = {
	&kfd_topo_entry_attr.attr,
	NULL,
};
ATTRIBUTE_GROUPS(kfd_topo_entry);

/* --- directories ----------------------------------------------------------- */

static void kfd_topo_root_release(struct kobject *kobj)
{
	kfree(kobj);
}

static void kfd_topo_node_release(struct kobject *kobj)
{
	kfree(to_topo_node(kobj));
}

static void kfd_topo_entry_release(struct kobject *kobj)
{
	kfree(container_of(kobj, struct kfd_topo_entry, kobj));
}

static struct kobj_type kfd_topo_root_type = {
	.release = kfd_topo_root_release,
	.sysfs_ops = &kobj_sysfs_ops,
	.default_groups = kfd_topo_root_groups,
};

static struct kobj_type kfd_topo_node_type = {
	.release = kfd_topo_node_release,
	.sysfs_ops = &kobj_sysfs_ops,
	.default_groups = kfd_topo_node_groups,
};

static struct kobj_type kfd_topo_entry_type = {
	.release = kfd_topo_entry_release,
	.sysfs_ops = &kobj_sysfs_ops,
	.default_groups = kfd_topo_entry_groups,
};

/* Put @tmpl's data into the next directory of its kind of @node. */
static int kfd_topo_add_entry(struct kfd_topo_node *node,
			      const struct kfd_topo_entry *tmpl)
{
	struct kfd_topo_entry *e;
	int ret;

	e = kmemdup(tmpl, sizeof(*e), GFP_KERNEL);
	if (!e)
		return -ENOMEM;
	memset(&e->kobj, 0, sizeof(e->kobj));
	ret = kobject_init_and_add(&e->kobj, &kfd_topo_entry_type,
				   node->dirs[e->kind], "%u",
				   node->count[e->kind]);
	if (ret) {
		kobject_put(&e->kobj);
		return ret;
	}
	list_add_tail(&e->link, &node->entries);
	WRITE_ONCE(node->count[e->kind], node->count[e->kind] + 1);
	return 0;
}

/* The newest come last, so that numbers stay without a hole. */
static void kfd_topo_remove_entry(struct kfd_topo_node *node,
				  struct kfd_topo_entry *e)
{
	list_del(&e->link);
	WRITE_ONCE(node->count[e->kind], node->count[e->kind] - 1);
	kobject_del(&e->kobj);
	kobject_put(&e->kobj);
}

static void kfd_topo_remove_node(struct kfd_topo_node *node)
{
	struct kfd_topo_entry *e, *next;
	int i;

	list_for_each_entry_safe_reverse(e, next, &node->entries, link)
		kfd_topo_remove_entry(node, e);
	for (i = 0; i < KFD_TOPO_NUM_KINDS; i++) {
		kobject_del(node->dirs[i]);
		kobject_put(node->dirs[i]);
	}
	list_del(&node->link);
	kobject_del(&node->kobj);
	kobject_put(&node->kobj);
}

static struct kfd_topo_node *kfd_topo_add_node(struct list_head *list,
					       u32 number, int numa,
					       struct kfd_device *dev,
					       u32 processor_base)
{
	struct kfd_topo_node *node;
	int i, ret;

	node = kzalloc(sizeof(*node), GFP_KERNEL);
	if (!node)
		return ERR_PTR(-ENOMEM);
	node->number = number;
	node->numa = numa;
	node->dev = dev;
	node->processor_base = processor_base;
	INIT_LIST_HEAD(&node->entries);
	ret = kobject_init_and_add(&node->kobj, &kfd_topo_node_type,
				   kfd_topo_nodes, "%u", number);
	if (ret) {
		kobject_put(&node->kobj);
		return ERR_PTR(ret);
	}
	list_add_tail(&node->link, list);
	for (i = 0; i < KFD_TOPO_NUM_KINDS; i++) {
		node->dirs[i] = kobject_create_and_add(kfd_topo_dirs[i],
						       &node->kobj);
		if (!node->dirs[i]) {
			kfd_topo_remove_node(node);
			return ERR_PTR(-ENOMEM);
		}
	}
	return node;
}

/* --- CPU nodes ------------------------------------------------------------- */

static int kfd_topo_add_cpu(int numa, u32 number)
{
	struct kfd_topo_entry bank = {
		.kind = KFD_TOPO_MEM_BANK,
		.mem.heap_type = KFD_HEAP_SYSTEM,
		.mem.size = kfd_topology_cpu_memory(numa),
	};
	struct kfd_topo_node *node;

	node = kfd_topo_add_node(&kfd_topo_cpus, number, numa, NULL, 0);
	if (IS_ERR(node))
		return PTR_ERR(node);
	return kfd_topo_add_entry(node, &bank);
}

static int kfd_topo_add_cpu_links(void)
{
	struct kfd_topo_node *from, *to;
	int ret;

	list_for_each_entry(from, &kfd_topo_cpus, link) {
		list_for_each_entry(to, &kfd_topo_cpus, link) {
			struct kfd_topo_entry link = {
				.kind = KFD_TOPO_IO_LINK,
				.io.type = kfd_topology_cpu_link_type(),
				.io.from = from->number,
				.io.to = to->number,
				.io.weight = node_distance(from->numa, to->numa),
			};

			if (from == to)
				continue;
			ret = kfd_topo_add_entry(from, &link);
			if (ret)
				return ret;
		}
	}
	return 0;
}

static int kfd_topo_add_cpus(void)
{
	u32 number = 0;
	int numa, ret;

	for_each_online_node(numa) {
		if (cpumask_empty(cpumask_of_node(numa)))
			continue;
		ret = kfd_topo_add_cpu(numa, number++);
		if (ret)
			return ret;
	}
	return kfd_topo_add_cpu_links();
}

/* --- GPU nodes ------------------------------------------------------------- */

static int kfd_topo_add_caches(struct kfd_topo_node *node)
{
	const struct kfd_device_info *info = &node->dev->info;
	u32 i, first, shared;
	int ret;

	for (i = 0; i < ARRAY_SIZE(kfd_gfx9_caches); i++) {
		shared = kfd_gfx9_caches[i].cus ?: info->cu_count;
		for (first = 0; first < info->cu_count; first += shared) {
			struct kfd_topo_entry cache = {
				.kind = KFD_TOPO_CACHE,
				.dev = node->dev,
				.cache.processor = node->processor_base + first,
				.cache.level = kfd_gfx9_caches[i].level,
				.cache.size_kb = kfd_gfx9_caches[i].size_kb,
				.cache.line_size = KFD_GFX9_CACHE_LINE,
				.cache.type = kfd_gfx9_caches[i].type,
				.cache.first_cu = first,
				.cache.num_cu = shared,
				.cache.total_cu = info->cu_count,
			};

			ret = kfd_topo_add_entry(node, &cache);
			if (ret)
				return ret;
		}
	}
	return 0;
}

/* The CPU node that a GPU hangs at. */
static struct kfd_topo_node *kfd_topo_home(const struct kfd_device *dev)
{
	int numa = dev->parent ? dev_to_node(dev->parent) : NUMA_NO_NODE;
	struct kfd_topo_node *node;

	list_for_each_entry(node, &kfd_topo_cpus, link)
		if (node->numa == numa)
			return node;
	return list_first_entry_or_null(&kfd_topo_cpus, struct kfd_topo_node,
					link);
}

static int kfd_topo_add_gpu_links(struct kfd_topo_node *gpu)
{
	struct kfd_topo_node *cpu = kfd_topo_home(gpu->dev);
	struct kfd_topo_entry link = {
		.kind = KFD_TOPO_IO_LINK,
		.dev = gpu->dev,
		.io.type = KFD_LINK_TYPE_PCIE,
		.io.weight = KFD_LINK_WEIGHT_PCIE,
	};
	int ret;

	if (!cpu)
		return 0;
	link.io.from = gpu->number;
	link.io.to = cpu->number;
	ret = kfd_topo_add_entry(gpu, &link);
	if (ret)
		return ret;
	link.io.from = cpu->number;
	link.io.to = gpu->number;
	return kfd_topo_add_entry(cpu, &link);
}

static int kfd_topo_add_gpu(struct kfd_device *dev, u32 number,
			    u32 processor_base)
{
	struct kfd_topo_entry bank = {
		.kind = KFD_TOPO_MEM_BANK,
		.dev = dev,
		.mem.heap_type = KFD_HEAP_FB_PUBLIC,
		.mem.size = dev->info.vram_size,
		.mem.width = dev->info.mem_width,
		.mem.clk_max = dev->info.mem_clk_max,
	};
	struct kfd_topo_node *node;
	int ret;

	node = kfd_topo_add_node(&kfd_topo_gpus, number, NUMA_NO_NODE, dev,
				 processor_base);
	if (IS_ERR(node))
		return PTR_ERR(node);
	dev->node = number;
	ret = kfd_topo_add_entry(node, &bank);
	if (!ret)
		ret = kfd_topo_add_caches(node);
	if (!ret)
		ret = kfd_topo_add_gpu_links(node);
	return ret;
}

static void kfd_topo_remove_gpus(void)
{
	struct kfd_topo_node *node, *next_node;
	struct kfd_topo_entry *e, *next;

	list_for_each_entry(node, &kfd_topo_cpus, link)
		list_for_each_entry_safe_reverse(e, next, &node->entries, link)
			if (e->dev)
				kfd_topo_remove_entry(node, e);
	list_for_each_entry_safe_reverse(node, next_node, &kfd_topo_gpus, link)
		kfd_topo_remove_node(node);
}

/* Make the GPU nodes of these GPUs, in place of those that there are. */
static int kfd_topo_set_gpus(struct kfd_device *const *devs, u32 count)
{
	u32 base = KFD_GPU_PROCESSOR_BASE;
	struct kfd_topo_node *node;
	u32 i, number = 0;
	int ret = 0;

	lockdep_assert_held(&kfd_topology_lock);
	list_for_each_entry(node, &kfd_topo_cpus, link)
		number++;

	kfd_topo_remove_gpus();
	for (i = 0; i < count && !ret; i++) {
		ret = kfd_topo_add_gpu(devs[i], number + i, base);
		base += devs[i]->info.cu_count;
	}
	WRITE_ONCE(kfd_topo_generation, kfd_topo_generation + 1);
	return ret;
}

/* The GPUs that are shown, but for @except. */
static u32 kfd_topo_get_gpus(struct kfd_device **devs,
			     const struct kfd_device *except)
{
	struct kfd_topo_node *node;
	u32 count = 0;

	lockdep_assert_held(&kfd_topology_lock);
	list_for_each_entry(node, &kfd_topo_gpus, link)
		if (node->dev != except && count < KFD_MAX_GPUS)
			devs[count++] = node->dev;
	return count;
}

/**
 * kfd_topology_add() - show a GPU
 * @dev: the GPU, with its id
 *
 * Context: sleeps.
 * Return: 0, -ENOSPC, -ENOMEM or what sysfs gives; the GPU is not shown then.
 */
int kfd_topology_add(struct kfd_device *dev)
{
	struct kfd_device *devs[KFD_MAX_GPUS];
	u32 count;
	int ret = -ENOSPC;

	mutex_lock(&kfd_topology_lock);
	count = kfd_topo_get_gpus(devs, NULL);
	if (count < KFD_MAX_GPUS) {
		devs[count] = dev;
		ret = kfd_topo_set_gpus(devs, count + 1);
		if (ret && kfd_topo_set_gpus(devs, count))
			pr_err("out of memory: GPUs are missing in sysfs\n");
	}
	mutex_unlock(&kfd_topology_lock);
	return ret;
}

/**
 * kfd_topology_remove() - show a GPU no longer
 * @dev: the GPU; not looked at any more when this returns
 *
 * Context: sleeps; waits for readers of its files.
 */
void kfd_topology_remove(struct kfd_device *dev)
{
	struct kfd_device *devs[KFD_MAX_GPUS];
	u32 count;

	mutex_lock(&kfd_topology_lock);
	count = kfd_topo_get_gpus(devs, dev);
	if (kfd_topo_set_gpus(devs, count))
		pr_err("out of memory: GPUs are missing in sysfs\n");
	mutex_unlock(&kfd_topology_lock);
}

/* --- init and exit --------------------------------------------------------- */

static void kfd_topo_remove_all(void)
{
	struct kfd_topo_node *node, *next;

	kfd_topo_remove_gpus();
	list_for_each_entry_safe_reverse(node, next, &kfd_topo_cpus, link)
		kfd_topo_remove_node(node);
	kobject_del(kfd_topo_nodes);
	kobject_put(kfd_topo_nodes);
	kobject_del(kfd_topo_root);
	kobject_put(kfd_topo_root);
	kfd_topo_nodes = NULL;
	kfd_topo_root = NULL;
}

static int kfd_topo_add_root(struct device *parent)
{
	int ret;

	kfd_topo_root = kzalloc(sizeof(*kfd_topo_root), GFP_KERNEL);
	if (!kfd_topo_root)
		return -ENOMEM;
	ret = kobject_init_and_add(kfd_topo_root, &kfd_topo_root_type,
				   &parent->kobj, "topology");
	if (ret) {
		kobject_put(kfd_topo_root);
		kfd_topo_root = NULL;
		return ret;
	}
	kfd_topo_nodes = kobject_create_and_add("nodes", kfd_topo_root);
	return kfd_topo_nodes ? 0 : -ENOMEM;
}

/**
 * kfd_topology_init() - show the machine's CPU nodes
 * @parent: device of /dev/kfd
 *
 * Context: module init.
 * Return: 0, -ENOMEM or what sysfs gives.
 */
int kfd_topology_init(struct device *parent)
{
	int ret;

	kfd_topology_cpu_platform(&kfd_topo_platform);

	mutex_lock(&kfd_topology_lock);
	ret = kfd_topo_add_root(parent);
	if (!ret)
		ret = kfd_topo_add_cpus();
	if (ret)
		kfd_topo_remove_all();
	else
		WRITE_ONCE(kfd_topo_generation, 1);
	mutex_unlock(&kfd_topology_lock);
	return ret;
}

/**
 * kfd_topology_exit() - undo kfd_topology_init()
 *
 * Context: module exit; no GPU is registered.
 */
void kfd_topology_exit(void)
{
	mutex_lock(&kfd_topology_lock);
	kfd_topo_remove_all();
	mutex_unlock(&kfd_topology_lock);
}
