// SPDX-License-Identifier: GPL-2.0-only
/*
 * The GPUs of the machine, as KFD's topology in sysfs shows them, and which of
 * them can stand in for which GPU of an image.
 *
 * A GPU stands in for another when what its queues and its programs depend on
 * is equal, and it has at least as much of what may only not shrink. gpu_id,
 * render minor and node number belong to the machine and its boot and do not
 * matter; where there is a choice, the same physical GPU, or else the same
 * gpu_id, is preferred, and after that the order of nodes. GPUs are matched as
 * a whole (augmenting paths), so one that several could use goes where it is
 * needed.
 */
#define _GNU_SOURCE
#include "topology.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_GPUS		256
#define MAX_PROPERTIES		256
#define NAME_SIZE		64
#define NO_MATCH		SIZE_MAX
/* HSA heap types of a GPU's own memory: public and private frame buffer */
#define HEAP_FB_PUBLIC		1
#define HEAP_FB_PRIVATE		2

enum rule_kind {
	RULE_EQUAL,
	RULE_AT_LEAST,
};

struct rule {
	const char *name;
	enum rule_kind kind;
	uint64_t mask;		/* of the bits that count; 0: all */
};

/* In "capability": how wide doorbells are, and whether there is SVM. */
#define CAP_DOORBELL_TYPE	0x3000
#define CAP_SVM			(1ULL << 27)

/* A property that neither side has is equal; one missing on a side is 0. */
static const struct rule rules[] = {
	{ "gfx_target_version", RULE_EQUAL, 0 },
	{ "vendor_id", RULE_EQUAL, 0 },
	{ "device_id", RULE_EQUAL, 0 },
	{ "simd_count", RULE_EQUAL, 0 },
	{ "simd_per_cu", RULE_EQUAL, 0 },
	{ "array_count", RULE_EQUAL, 0 },
	{ "simd_arrays_per_engine", RULE_EQUAL, 0 },
	{ "cu_per_simd_array", RULE_EQUAL, 0 },
	{ "num_xcc", RULE_EQUAL, 0 },
	{ "wave_front_size", RULE_EQUAL, 0 },
	{ "max_waves_per_simd", RULE_EQUAL, 0 },
	{ "max_slots_scratch_cu", RULE_EQUAL, 0 },
	{ "lds_size_in_kb", RULE_EQUAL, 0 },
	{ "gds_size_in_kb", RULE_EQUAL, 0 },
	{ "num_gws", RULE_EQUAL, 0 },
	{ "capability", RULE_EQUAL, CAP_DOORBELL_TYPE },
	{ "capability", RULE_AT_LEAST, CAP_SVM },
	{ "num_sdma_engines", RULE_AT_LEAST, 0 },
	{ "num_sdma_xgmi_engines", RULE_AT_LEAST, 0 },
	{ "num_sdma_queues_per_engine", RULE_AT_LEAST, 0 },
	{ "num_cp_queues", RULE_AT_LEAST, 0 },
	{ "fw_version", RULE_AT_LEAST, 0 },
	{ "sdma_fw_version", RULE_AT_LEAST, 0 },
};

static uint64_t property(const KfdGpu *gpu, const char *name)
{
	size_t i;

	for (i = 0; i < gpu->n_properties; i++)
		if (!strcmp(gpu->properties[i]->name, name))
			return gpu->properties[i]->value;
	return 0;
}

static FILE *open_at(const char *dir, const char *name)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return NULL;
	return fopen(path, "re");
}

static int add_property(KfdGpu *gpu, const char *name, uint64_t value)
{
	KfdProperty *p;

	if (gpu->n_properties == MAX_PROPERTIES)
		return -E2BIG;
	if (!gpu->properties)
		gpu->properties = calloc(MAX_PROPERTIES, sizeof(*gpu->properties));
	p = malloc(sizeof(*p));
	if (!p || !gpu->properties) {
		free(p);
		return -ENOMEM;
	}
	kfd_property__init(p);
	p->name = strdup(name);
	p->value = value;
	if (!p->name) {
		free(p);
		return -ENOMEM;
	}
	gpu->properties[gpu->n_properties++] = p;
	return 0;
}

static int read_properties(const char *node, KfdGpu *gpu)
{
	FILE *f = open_at(node, "properties");
	char name[NAME_SIZE];
	uint64_t value;
	int ret = 0;

	if (!f)
		return -errno;
	while (!ret && fscanf(f, "%63s %" SCNu64, name, &value) == 2)
		ret = add_property(gpu, name, value);
	fclose(f);
	gpu->render_minor = property(gpu, "drm_render_minor");
	return ret;
}

/* Bytes of a memory bank if it is the GPU's own memory, else 0. */
static uint64_t bank_size(const char *bank)
{
	FILE *f = open_at(bank, "properties");
	uint64_t value, heap = 0, size = 0;
	char name[NAME_SIZE];

	if (!f)
		return 0;
	while (fscanf(f, "%63s %" SCNu64, name, &value) == 2) {
		if (!strcmp(name, "heap_type"))
			heap = value;
		else if (!strcmp(name, "size_in_bytes"))
			size = value;
	}
	fclose(f);
	return heap == HEAP_FB_PUBLIC || heap == HEAP_FB_PRIVATE ? size : 0;
}

static uint64_t vram_size(const char *node)
{
	char path[PATH_MAX], bank[PATH_MAX + NAME_MAX + 2];
	struct dirent *de;
	uint64_t sum = 0;
	DIR *d;

	if (snprintf(path, sizeof(path), "%s/mem_banks", node) >= (int)sizeof(path))
		return 0;
	d = opendir(path);
	if (!d)
		return 0;
	while ((de = readdir(d))) {
		if (de->d_name[0] == '.')
			continue;
		snprintf(bank, sizeof(bank), "%s/%s", path, de->d_name);
		sum += bank_size(bank);
	}
	closedir(d);
	return sum;
}

/* 1: a GPU; 0: a node without one, or one hidden from this cgroup. */
static int read_node(const char *node, KfdGpu *gpu)
{
	FILE *f = open_at(node, "gpu_id");
	unsigned int id = 0;
	int n, ret;

	if (!f)
		return errno == EPERM || errno == EACCES ? 0 : -errno;
	n = fscanf(f, "%u", &id);
	fclose(f);
	if (n != 1 || !id)
		return 0;
	kfd_gpu__init(gpu);
	gpu->gpu_id = id;
	ret = read_properties(node, gpu);
	if (ret)
		return ret == -EPERM || ret == -EACCES ? 0 : ret;
	gpu->vram_size = vram_size(node);
	return 1;
}

static void free_gpu(KfdGpu *gpu)
{
	size_t i;

	for (i = 0; i < gpu->n_properties; i++) {
		free(gpu->properties[i]->name);
		free(gpu->properties[i]);
	}
	free(gpu->properties);
	free(gpu);
}

static int add_node(struct gpu_list *out, const char *node)
{
	KfdGpu *gpu = calloc(1, sizeof(*gpu));
	KfdGpu **gpus;
	int ret;

	if (!gpu)
		return -ENOMEM;
	ret = read_node(node, gpu);
	if (ret <= 0)
		goto drop;
	ret = -ENOMEM;
	gpus = realloc(out->gpus, (out->nr + 1) * sizeof(*gpus));
	if (!gpus)
		goto drop;
	out->gpus = gpus;
	gpus[out->nr++] = gpu;
	return 0;
drop:
	free_gpu(gpu);
	return ret;
}

static int only_numbers(const struct dirent *de)
{
	return de->d_name[0] >= '0' && de->d_name[0] <= '9';
}

/**
 * topology_read() - the GPUs of this machine
 * @root: directory of the topology
 * @out: filled in; topology_free() it
 *
 * Return: 0, also when there is no GPU; or a negative errno (ENOENT: no KFD
 * driver), with @out empty.
 */
int topology_read(const char *root, struct gpu_list *out)
{
	char nodes[PATH_MAX], node[PATH_MAX + NAME_MAX + 2];
	struct dirent **names;
	int i, n, ret = 0;

	memset(out, 0, sizeof(*out));
	if (snprintf(nodes, sizeof(nodes), "%s/nodes", root) >= (int)sizeof(nodes))
		return -ENAMETOOLONG;
	n = scandir(nodes, &names, only_numbers, versionsort);
	if (n < 0)
		return -errno;
	for (i = 0; i < n; i++) {
		snprintf(node, sizeof(node), "%s/%s", nodes, names[i]->d_name);
		if (!ret && out->nr < MAX_GPUS)
			ret = add_node(out, node);
		free(names[i]);
	}
	free(names);
	if (ret)
		topology_free(out);
	return ret;
}

/**
 * topology_free() - give back what topology_read() allocated
 * @list: is empty then
 */
void topology_free(struct gpu_list *list)
{
	size_t i;

	for (i = 0; i < list->nr; i++)
		free_gpu(list->gpus[i]);
	free(list->gpus);
	memset(list, 0, sizeof(*list));
}

/**
 * topology_by_minor() - the GPU behind a render node
 * @gpus: to look in
 * @nr: number of @gpus
 * @minor_nr: of the render node
 *
 * Return: an entry of @gpus, or NULL.
 */
KfdGpu *topology_by_minor(KfdGpu **gpus, size_t nr, unsigned int minor_nr)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (gpus[i]->render_minor == minor_nr)
			return gpus[i];
	return NULL;
}

/**
 * topology_by_id() - the GPU of an id
 * @gpus: to look in
 * @nr: number of @gpus
 * @gpu_id: as in the topology
 *
 * Return: an entry of @gpus, or NULL.
 */
KfdGpu *topology_by_id(KfdGpu **gpus, size_t nr, unsigned int gpu_id)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (gpus[i]->gpu_id == gpu_id)
			return gpus[i];
	return NULL;
}

/* false: @now can stand in for @saved; else @why says why it cannot. */
static bool differs(const KfdGpu *saved, const KfdGpu *now, char *why, size_t size)
{
	size_t i;

	for (i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		uint64_t mask = rules[i].mask ? rules[i].mask : ~0ULL;
		uint64_t a = property(saved, rules[i].name) & mask;
		uint64_t b = property(now, rules[i].name) & mask;

		if (rules[i].kind == RULE_EQUAL ? a == b : b >= a)
			continue;
		snprintf(why, size, "%s is %" PRIu64 ", the image needs %s%" PRIu64,
			 rules[i].name, b,
			 rules[i].kind == RULE_EQUAL ? "" : "at least ", a);
		return true;
	}
	if (now->vram_size >= saved->vram_size)
		return false;
	snprintf(why, size, "%" PRIu64 " MiB of VRAM, the image needs at least %" PRIu64,
		 now->vram_size >> 20, saved->vram_size >> 20);
	return true;
}

/* 0: anything that fits, 1: same id, 2: the same piece of hardware. */
static int preference(const KfdGpu *saved, const KfdGpu *now)
{
	uint64_t unique = property(saved, "unique_id");

	if (unique && unique == property(now, "unique_id"))
		return 2;
	return saved->gpu_id == now->gpu_id;
}

struct matching {
	KfdGpu **saved;
	KfdGpu **now;
	size_t nr_now;
	size_t *user;		/* per entry of now: the entry of saved, NO_MATCH */
	bool *seen;
};

/* Give saved[i] a GPU, moving others to where they fit as well. */
static bool assign(struct matching *m, size_t i)
{
	char why[128];
	int rank;
	size_t j;

	for (rank = 2; rank >= 0; rank--) {
		for (j = 0; j < m->nr_now; j++) {
			if (m->seen[j] || preference(m->saved[i], m->now[j]) != rank ||
			    differs(m->saved[i], m->now[j], why, sizeof(why)))
				continue;
			m->seen[j] = true;
			if (m->user[j] == NO_MATCH || assign(m, m->user[j])) {
				m->user[j] = i;
				return true;
			}
		}
	}
	return false;
}

/* What every GPU lacks for saved GPU @gpu. */
static void explain(const KfdGpu *gpu, KfdGpu **now, size_t nr_now,
		    char *why, size_t size)
{
	size_t len, j;
	char one[128];

	len = snprintf(why, size,
		       "no GPU here can stand in for GPU %u of the image (gfx_target_version %ju, device 0x%jx)",
		       gpu->gpu_id, (uintmax_t)property(gpu, "gfx_target_version"),
		       (uintmax_t)property(gpu, "device_id"));
	if (!nr_now && len < size)
		snprintf(why + len, size - len, ": there is no GPU");
	for (j = 0; j < nr_now && len < size; j++) {
		if (!differs(gpu, now[j], one, sizeof(one)))
			snprintf(one, sizeof(one), "fits, but another needs it");
		len += snprintf(why + len, size - len, "; GPU %u: %s", now[j]->gpu_id, one);
	}
}

/**
 * topology_match() - find a GPU of this machine for every GPU of an image
 * @saved: GPUs of the image
 * @nr_saved: their number
 * @now: GPUs of this machine
 * @nr_now: their number
 * @map: out: per entry of @saved, the index in @now
 * @why: out: when there is no match, what the first unmatched GPU lacks
 * @why_size: of @why
 *
 * The same lists always give the same result, whatever process asks.
 *
 * Return: 0, -ENODEV when there is no match, -ENOMEM.
 */
int topology_match(KfdGpu **saved, size_t nr_saved, KfdGpu **now,
		   size_t nr_now, size_t *map, char *why, size_t why_size)
{
	struct matching m = { .saved = saved, .now = now, .nr_now = nr_now };
	int ret = -ENOMEM;
	size_t i, j;

	why[0] = '\0';
	m.user = malloc((nr_now + 1) * sizeof(*m.user));
	m.seen = calloc(nr_now + 1, sizeof(*m.seen));
	if (!m.user || !m.seen)
		goto out;
	for (j = 0; j < nr_now; j++)
		m.user[j] = NO_MATCH;
	for (i = 0; i < nr_saved; i++) {
		memset(m.seen, 0, (nr_now + 1) * sizeof(*m.seen));
		if (!assign(&m, i)) {
			explain(saved[i], now, nr_now, why, why_size);
			ret = -ENODEV;
			goto out;
		}
	}
	for (j = 0; j < nr_now; j++)
		if (m.user[j] != NO_MATCH)
			map[m.user[j]] = j;
	ret = 0;
out:
	free(m.user);
	free(m.seen);
	return ret;
}
