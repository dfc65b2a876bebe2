// SPDX-License-Identifier: GPL-2.0-only
/*
 * The topology in sysfs (floor 4): which nodes there are, and what they have.
 *
 *	topology/generation_id, system_properties
 *	topology/nodes/N/gpu_id, name, properties
 *	topology/nodes/N/{mem_banks,caches,io_links,p2p_links}/M/properties
 *
 * Nodes are numbered from 0 without a hole: the machine's NUMA nodes that have
 * CPUs first, then the GPUs in order of registration. When a GPU comes or goes,
 * all GPU nodes and the links to them are made anew and generation_id counts
 * up; readers compare it before and after. topology_node.c makes the
 * directories and has their files.
 *
 * kfd_topology_lock protects the lists, the numbering and what is in a node.
 * The files are read without it: what they show is complete before it can be
 * seen and does not change, but for the number of links of a CPU node and the
 * generation.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/device.h>
#include <linux/kernel.h>
#include <linux/kobject.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include <linux/topology.h>

#include "topology.h"
#include "topology_node.h"

/* GPUs' processors are numbered from here, to be unlike any CPU's */
#define KFD_GPU_PROCESSOR_BASE		0x80001000U

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

DEFINE_MUTEX(kfd_topology_lock);
static LIST_HEAD(kfd_topo_cpus);
static LIST_HEAD(kfd_topo_gpus);
static struct kfd_topology_platform kfd_topo_platform;
static struct kobject *kfd_topo_root;
static struct kobject *kfd_topo_nodes;
static unsigned int kfd_topo_generation;

/* --- CPU nodes ------------------------------------------------------------- */

static int kfd_topo_add_cpu(int numa, u32 number)
{
	struct kfd_topo_entry bank = {
		.kind = KFD_TOPO_MEM_BANK,
		.mem.heap_type = KFD_HEAP_SYSTEM,
		.mem.size = kfd_topology_cpu_memory(numa),
	};
	const struct kfd_topo_node cpu = {
		.number = number,
		.numa = numa,
	};
	struct kfd_topo_node *node;

	node = kfd_topo_add_node(kfd_topo_nodes, &kfd_topo_cpus, &cpu);
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
	const struct kfd_topo_node gpu = {
		.number = number,
		.numa = NUMA_NO_NODE,
		.dev = dev,
		.processor_base = processor_base,
	};
	struct kfd_topo_node *node;
	int ret;

	node = kfd_topo_add_node(kfd_topo_nodes, &kfd_topo_gpus, &gpu);
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

/* --- the topology itself --------------------------------------------------- */

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

static void kfd_topo_root_release(struct kobject *kobj)
{
	kfree(kobj);
}

static struct kobj_type kfd_topo_root_type = {
	.release = kfd_topo_root_release,
	.sysfs_ops = &kobj_sysfs_ops,
	.default_groups = kfd_topo_root_groups,
};

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
