// SPDX-License-Identifier: GPL-2.0-only
/*
 * A node of the topology in sysfs (floor 4): its directory, those of its memory
 * banks, caches and links, and what their files show. topology.c says which
 * nodes there are and what they have.
 *
 * Files and their formats are those of the in-tree driver, as its readers
 * parse them: "name number" lines.
 *
 * kfd_topology_lock protects which entries a node has. The files are read
 * without it: what they show is complete before its kobject is added and does
 * not change, but for the number of links of a CPU node. Removing a kobject
 * waits for its readers.
 */
#include <linux/cpufreq.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include <linux/topology.h>

#include "topology.h"
#include "topology_node.h"

/* "flags" of a link */
#define KFD_LINK_ENABLED		BIT(0)
#define KFD_WAVE_FRONT_SIZE		64

static const char *const kfd_topo_dirs[KFD_TOPO_NUM_KINDS] = {
	[KFD_TOPO_MEM_BANK] = "mem_banks",
	[KFD_TOPO_CACHE] = "caches",
	[KFD_TOPO_IO_LINK] = "io_links",
	[KFD_TOPO_P2P_LINK] = "p2p_links",
};

/* --- files ----------------------------------------------------------------- */

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

static void kfd_topo_node_release(struct kobject *kobj)
{
	kfree(to_topo_node(kobj));
}

static void kfd_topo_entry_release(struct kobject *kobj)
{
	kfree(container_of(kobj, struct kfd_topo_entry, kobj));
}

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

/**
 * kfd_topo_add_entry() - make the next directory of a kind
 * @node: of this node
 * @tmpl: what it shows
 *
 * Context: kfd_topology_lock held; sleeps.
 * Return: 0, -ENOMEM or what sysfs gives.
 */
int kfd_topo_add_entry(struct kfd_topo_node *node,
		       const struct kfd_topo_entry *tmpl)
{
	struct kfd_topo_entry *e;
	int ret;

	lockdep_assert_held(&kfd_topology_lock);
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

/**
 * kfd_topo_remove_entry() - remove an entry of a node
 * @node: the node
 * @e: the last of its kind, so that numbers stay without a hole
 *
 * Context: kfd_topology_lock held; waits for readers of its file.
 */
void kfd_topo_remove_entry(struct kfd_topo_node *node, struct kfd_topo_entry *e)
{
	lockdep_assert_held(&kfd_topology_lock);
	list_del(&e->link);
	WRITE_ONCE(node->count[e->kind], node->count[e->kind] - 1);
	kobject_del(&e->kobj);
	kobject_put(&e->kobj);
}

/**
 * kfd_topo_remove_node() - remove a node with all of its entries
 * @node: the last of its list, for the same reason
 *
 * Context: kfd_topology_lock held; waits for readers of its files.
 */
void kfd_topo_remove_node(struct kfd_topo_node *node)
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

/**
 * kfd_topo_add_node() - make a node's directory
 * @parent: nodes/
 * @list: whose last the node becomes
 * @tmpl: the node's number and whose it is; nothing else is looked at
 *
 * Context: kfd_topology_lock held; sleeps.
 * Return: the node, which has no entries yet, or an ERR_PTR(): -ENOMEM or what
 * sysfs gives.
 */
struct kfd_topo_node *kfd_topo_add_node(struct kobject *parent,
					struct list_head *list,
					const struct kfd_topo_node *tmpl)
{
	struct kfd_topo_node *node;
	int i, ret;

	lockdep_assert_held(&kfd_topology_lock);
	node = kzalloc(sizeof(*node), GFP_KERNEL);
	if (!node)
		return ERR_PTR(-ENOMEM);
	node->number = tmpl->number;
	node->numa = tmpl->numa;
	node->dev = tmpl->dev;
	node->processor_base = tmpl->processor_base;
	INIT_LIST_HEAD(&node->entries);
	ret = kobject_init_and_add(&node->kobj, &kfd_topo_node_type, parent,
				   "%u", node->number);
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
