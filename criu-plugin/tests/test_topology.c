// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading the topology from a made-up sysfs, and matching GPUs.
 */
#define _GNU_SOURCE
#include "topology.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ktap.h"

static void put(const char *path, const char *format, ...)
{
	char full[256], *p;
	va_list ap;
	FILE *f;

	snprintf(full, sizeof(full), "%s/%s", ktap_dir, path);
	for (p = strchr(full + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		mkdir(full, 0700);
		*p = '/';
	}
	f = fopen(full, "w");
	CHECK(f);
	va_start(ap, format);
	vfprintf(f, format, ap);
	va_end(ap);
	fclose(f);
}

static void put_node(unsigned int node, unsigned int gpu_id, unsigned int minor_nr,
		     const char *more)
{
	char path[64];

	snprintf(path, sizeof(path), "nodes/%u/gpu_id", node);
	put(path, "%u\n", gpu_id);
	snprintf(path, sizeof(path), "nodes/%u/properties", node);
	put(path, "cpu_cores_count 0\nsimd_count 16\ngfx_target_version 90000\n"
	    "device_id 26720\nfw_version 40\ncapability 138944\n"
	    "drm_render_minor %u\n%s", minor_nr, more);
	snprintf(path, sizeof(path), "nodes/%u/mem_banks/0/properties", node);
	put(path, "heap_type 1\nsize_in_bytes 268435456\nflags 0\n");
}

/* The directory is the test's own: take the tree away for ktap.c. */
static void clean(void)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf %s/nodes", ktap_dir);
	CHECK(!system(cmd));
}

static void test_read(void)
{
	struct gpu_list list;

	put_node(0, 0, 0, "");
	put_node(10, 5000, 129, "");
	put_node(2, 4000, 128, "unique_id 18446744073709551615\n");
	put("nodes/2/mem_banks/1/properties", "heap_type 2\nsize_in_bytes 4096\n");
	put("nodes/2/mem_banks/2/properties", "heap_type 0\nsize_in_bytes 99999\n");
	CHECK(!topology_read(ktap_dir, &list));
	CHECK(list.nr == 2);
	CHECK(list.gpus[0]->gpu_id == 4000 && list.gpus[0]->render_minor == 128);
	CHECK(list.gpus[0]->vram_size == 268435456 + 4096);
	CHECK(list.gpus[1]->gpu_id == 5000 && list.gpus[1]->render_minor == 129);
	CHECK(topology_by_minor(list.gpus, list.nr, 129) == list.gpus[1]);
	CHECK(!topology_by_minor(list.gpus, list.nr, 130));
	CHECK(topology_by_id(list.gpus, list.nr, 4000) == list.gpus[0]);
	CHECK(!topology_by_id(list.gpus, list.nr, 0));
	topology_free(&list);
	CHECK(!list.nr);
	clean();
	CHECK(topology_read(ktap_dir, &list) == -ENOENT);
}

static struct gpu_list read_list(void)
{
	struct gpu_list list;

	CHECK(!topology_read(ktap_dir, &list));
	clean();
	return list;
}

static int match(struct gpu_list a, struct gpu_list b, size_t *map, char *why)
{
	return topology_match(a.gpus, a.nr, b.gpus, b.nr, map, why, 1024);
}

/* gpu_id, minor and node may all have changed. */
static void test_renumbered(void)
{
	struct gpu_list a, b;
	char why[1024];
	size_t map[1];

	put_node(1, 4000, 128, "");
	a = read_list();
	put_node(3, 7000, 131, "");
	b = read_list();
	CHECK(!match(a, b, map, why));
	CHECK(map[0] == 0);
}

/* Two equal GPUs, swapped: by unique_id, else by gpu_id, else in order. */
static void test_preference(void)
{
	struct gpu_list a, b;
	char why[1024];
	size_t map[2];

	put_node(1, 1, 128, "unique_id 111\n");
	put_node(2, 2, 129, "unique_id 222\n");
	a = read_list();
	put_node(1, 1, 128, "unique_id 222\n");
	put_node(2, 2, 129, "unique_id 111\n");
	b = read_list();
	CHECK(!match(a, b, map, why));
	CHECK(map[0] == 1 && map[1] == 0);

	put_node(1, 2, 128, "");
	put_node(2, 1, 129, "");
	b = read_list();
	CHECK(!match(a, b, map, why));
	CHECK(map[0] == 1 && map[1] == 0);

	put_node(1, 8, 128, "");
	put_node(2, 9, 129, "");
	b = read_list();
	CHECK(!match(a, b, map, why));
	CHECK(map[0] != map[1]);
}

/* The first could use either, the second only what the first prefers. */
static void test_augment(void)
{
	struct gpu_list a, b;
	char why[1024];
	size_t map[2];

	put_node(1, 1, 128, "num_cp_queues 8\n");
	put_node(2, 2, 129, "num_cp_queues 24\n");
	a = read_list();
	put_node(1, 1, 128, "num_cp_queues 24\n");
	put_node(2, 9, 129, "num_cp_queues 8\n");
	b = read_list();
	CHECK(!match(a, b, map, why));
	CHECK(map[0] == 1 && map[1] == 0);
}

static void no_match(const char *extra_now, const char *message)
{
	struct gpu_list a, b;
	char why[1024];
	size_t map[1];

	put_node(1, 1, 128, "num_gws 64\nnum_cp_queues 24\n");
	a = read_list();
	put_node(1, 1, 128, extra_now);
	b = read_list();
	CHECK(match(a, b, map, why) == -ENODEV);
	snprintf(ktap_log, sizeof(ktap_log), "%s\n", why);
	CHECK(ktap_logged("GPU 1 of the image (gfx_target_version 90000, device 0x6860)"));
	CHECK(ktap_logged(message));
}

static void test_no_match(void)
{
	no_match("num_gws 0\nnum_cp_queues 24\n", "GPU 1: num_gws is 0, the image needs 64");
	no_match("num_gws 64\nnum_cp_queues 23\n",
		 "num_cp_queues is 23, the image needs at least 24");
}

static void test_vram(void)
{
	struct gpu_list a, b;
	char why[1024];
	size_t map[1];

	put_node(1, 1, 128, "");
	a = read_list();
	put_node(1, 1, 128, "");
	put("nodes/1/mem_banks/0/properties", "heap_type 1\nsize_in_bytes 134217728\n");
	b = read_list();
	CHECK(match(a, b, map, why) == -ENODEV);
	CHECK(strstr(why, "128 MiB of VRAM, the image needs at least 256"));
	CHECK(!match(b, a, map, why));	/* more is as good */
}

/* More GPUs than there are, and none at all. */
static void test_too_few(void)
{
	struct gpu_list a, b, none = { 0 };
	char why[1024];
	size_t map[2];

	put_node(1, 1, 128, "");
	b = read_list();
	put_node(1, 1, 128, "");
	put_node(2, 2, 129, "");
	a = read_list();
	CHECK(match(a, b, map, why) == -ENODEV);
	CHECK(strstr(why, "fits, but another needs it"));
	CHECK(match(a, none, map, why) == -ENODEV);
	CHECK(strstr(why, "there is no GPU"));
	CHECK(!match(none, b, map, why));
}

/* Bits that programs do not depend on may differ, the doorbell type may not. */
static void test_capability(void)
{
	struct gpu_list a, b;
	char why[1024];
	size_t map[1];

	put_node(1, 1, 128, "");
	put("nodes/1/properties", "capability 8832\ndrm_render_minor 128\n");
	a = read_list();
	put_node(1, 1, 128, "");
	put("nodes/1/properties", "capability 1073750656\ndrm_render_minor 128\n");
	b = read_list();
	CHECK(!match(a, b, map, why));
	put_node(1, 1, 128, "");
	put("nodes/1/properties", "capability 4736\ndrm_render_minor 128\n");
	b = read_list();
	CHECK(match(a, b, map, why) == -ENODEV);
}

static const struct ktap_test tests[] = {
	{ "read", test_read },
	{ "renumbered", test_renumbered },
	{ "preference", test_preference },
	{ "augment", test_augment },
	{ "no_match", test_no_match },
	{ "vram", test_vram },
	{ "too_few", test_too_few },
	{ "capability", test_capability },
};

int main(void)
{
	return ktap_main(tests, sizeof(tests) / sizeof(tests[0]));
}
