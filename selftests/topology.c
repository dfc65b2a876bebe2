// SPDX-License-Identifier: GPL-2.0-only
/*
 * The topology in sysfs: its shape, which user space parses, and on the
 * simulator every number that it promises.
 */
#include <dirent.h>
#include <libdrm/drm.h>
#include <limits.h>
#include <sys/stat.h>

#include "lib/kfd_test.h"

FIXTURE(topology) { struct kfd k; };

FIXTURE_SETUP(topology)
{
	ASSERT_OK(kfd_open(&self->k));
}

FIXTURE_TEARDOWN(topology)
{
	kfd_stop(&self->k);
}

static uint64_t property(const char *name, const char *fmt, ...)
{
	char path[PATH_MAX];
	uint64_t value;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	return kfd_property(path, name, &value) ? UINT64_MAX : value;
}

/* Lines of "name unsigned-number", names of at most 29 characters. */
static bool well_formed(const char *path)
{
	char text[8192], *line, *save = NULL, *space, *end;
	int lines = 0;

	if (kfd_read_text(path, text, sizeof(text)))
		return false;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		space = strchr(line, ' ');
		if (!space || space == line || space - line > 29)
			return false;
		if (space[1] < '0' || space[1] > '9')
			return false;
		strtoull(space + 1, &end, 10);
		if (*end && strcmp(end, " "))
			return false;
		lines++;
	}
	return lines > 0;
}

static int count_entries(const char *fmt, ...)
{
	char path[PATH_MAX];
	struct dirent *entry;
	va_list ap;
	DIR *dir;
	int n = 0;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

TEST_F(topology, both_paths_are_one)
{
	char a[PATH_MAX], b[PATH_MAX];

	ASSERT_NE(NULL, realpath(KFD_TOPOLOGY, a));
	ASSERT_NE(NULL, realpath("/sys/class/kfd/kfd/topology", b));
	EXPECT_STREQ(a, b);
}

TEST_F(topology, generation_stands_still)
{
	char before[64], after[64];

	ASSERT_OK(kfd_read_text(KFD_TOPOLOGY "/generation_id", before, sizeof(before)));
	ASSERT_OK(kfd_topology_read(&self->k));
	ASSERT_OK(kfd_read_text(KFD_TOPOLOGY "/generation_id", after, sizeof(after)));
	EXPECT_STREQ(before, after);
	EXPECT_GE(strtol(before, NULL, 10), 1);
}

TEST_F(topology, system_properties)
{
	EXPECT_TRUE(well_formed(KFD_TOPOLOGY "/system_properties"));
	EXPECT_NE(UINT64_MAX, property("platform_oem", KFD_TOPOLOGY "/system_properties"));
	EXPECT_NE(UINT64_MAX, property("platform_id", KFD_TOPOLOGY "/system_properties"));
	EXPECT_NE(UINT64_MAX, property("platform_rev", KFD_TOPOLOGY "/system_properties"));
}

TEST_F(topology, nodes_are_numbered_without_gaps)
{
	int n = count_entries(KFD_TOPOLOGY "/nodes"), node;

	ASSERT_GE(n, 2);
	for (node = 0; node < n; node++) {
		char path[PATH_MAX], text[64];

		snprintf(path, sizeof(path), KFD_TOPOLOGY "/nodes/%d/properties", node);
		EXPECT_TRUE(well_formed(path)) TH_LOG("%s", path);
		snprintf(path, sizeof(path), KFD_TOPOLOGY "/nodes/%d/gpu_id", node);
		ASSERT_OK(kfd_read_text(path, text, sizeof(text)));
		EXPECT_LE(strcspn(text, "\n"), 6);
		snprintf(path, sizeof(path), KFD_TOPOLOGY "/nodes/%d/name", node);
		EXPECT_OK(kfd_read_text(path, text, sizeof(text)));
	}
}

TEST_F(topology, node_0_is_the_cpu)
{
	EXPECT_GT(property("cpu_cores_count", KFD_TOPOLOGY "/nodes/0/properties"), 0);
	EXPECT_NE(UINT64_MAX, property("cpu_cores_count", KFD_TOPOLOGY "/nodes/0/properties"));
	EXPECT_EQ(0, property("simd_count", KFD_TOPOLOGY "/nodes/0/properties"));
	EXPECT_GE(count_entries(KFD_TOPOLOGY "/nodes/0/mem_banks"), 1);
	EXPECT_EQ(0, property("heap_type", KFD_TOPOLOGY "/nodes/0/mem_banks/0/properties"));
	EXPECT_GE(count_entries(KFD_TOPOLOGY "/nodes/0/io_links"), self->k.num_gpus);
}

TEST_F(topology, gpu_ids)
{
	int i, j;

	for (i = 0; i < self->k.num_gpus; i++) {
		EXPECT_GT(self->k.gpu[i].gpu_id, 0);
		EXPECT_LE(self->k.gpu[i].gpu_id, 0xffff);
		for (j = 0; j < i; j++)
			EXPECT_NE(self->k.gpu[i].gpu_id, self->k.gpu[j].gpu_id);
	}
}

TEST_F(topology, render_nodes)
{
	int i;

	for (i = 0; i < self->k.num_gpus; i++) {
		char path[64], name[32] = "", date[64], desc[64];
		struct drm_version version = {
			.name = name, .name_len = sizeof(name) - 1,
			.date = date, .date_len = sizeof(date) - 1,
			.desc = desc, .desc_len = sizeof(desc) - 1,
		};

		EXPECT_GE(self->k.gpu[i].render_minor, 128);
		EXPECT_LE(self->k.gpu[i].render_minor, 191);
		snprintf(path, sizeof(path), "/dev/dri/renderD%d", self->k.gpu[i].render_minor);
		ASSERT_OK(kfd_open_drm(&self->k)) TH_LOG("%s", path);
		ASSERT_OK(kfd_call(self->k.gpu[i].drm_fd, DRM_IOCTL_VERSION, &version));
		EXPECT_STREQ("amdgpu", name);
		EXPECT_EQ(3, version.version_major);
	}
}

TEST_F(topology, memory_banks)
{
	uint64_t available;
	int i;

	for (i = 0; i < self->k.num_gpus; i++) {
		int node = self->k.gpu[i].node;
		char path[PATH_MAX];

		ASSERT_GE(count_entries(KFD_TOPOLOGY "/nodes/%d/mem_banks", node), 1);
		snprintf(path, sizeof(path), KFD_TOPOLOGY "/nodes/%d/mem_banks/0/properties",
			 node);
		EXPECT_TRUE(well_formed(path));
		EXPECT_GT(self->k.gpu[i].vram, 0);
		ASSERT_OK(kfd_available(&self->k, i, &available));
		EXPECT_LE(available, self->k.gpu[i].vram);
		EXPECT_GT(available, 0);
	}
}

/* Each link is there from both ends. */
TEST_F(topology, links_go_both_ways)
{
	int nodes = count_entries(KFD_TOPOLOGY "/nodes"), node, link, back;

	for (node = 0; node < nodes; node++) {
		int links = count_entries(KFD_TOPOLOGY "/nodes/%d/io_links", node);

		ASSERT_GE(links, 1);
		for (link = 0; link < links; link++) {
			char path[PATH_MAX];
			uint64_t to;
			bool found = false;
			int other;

			snprintf(path, sizeof(path),
				 KFD_TOPOLOGY "/nodes/%d/io_links/%d/properties", node, link);
			EXPECT_TRUE(well_formed(path)) TH_LOG("%s", path);
			EXPECT_EQ(node, property("node_from", "%s", path));
			to = property("node_to", "%s", path);
			ASSERT_LT(to, nodes);
			other = count_entries(KFD_TOPOLOGY "/nodes/%d/io_links", (int)to);
			for (back = 0; back < other; back++)
				found |= property("node_to",
						  KFD_TOPOLOGY "/nodes/%d/io_links/%d/properties",
						  (int)to, back) == node;
			EXPECT_TRUE(found) TH_LOG("no link from %d back to %d", (int)to, node);
		}
	}
}

TEST_F(topology, caches)
{
	int nodes = count_entries(KFD_TOPOLOGY "/nodes"), node, i;

	for (node = 0; node < nodes; node++) {
		int caches = count_entries(KFD_TOPOLOGY "/nodes/%d/caches", node);

		EXPECT_GE(caches, 0);
		EXPECT_EQ(caches, property("caches_count", KFD_TOPOLOGY "/nodes/%d/properties",
					   node));
		for (i = 0; i < caches; i++)
			EXPECT_NE(UINT64_MAX,
				  property("level", KFD_TOPOLOGY "/nodes/%d/caches/%d/properties",
					   node, i));
	}
}

TEST_F(topology, counts_match_the_directories)
{
	int nodes = count_entries(KFD_TOPOLOGY "/nodes"), node;

	for (node = 0; node < nodes; node++) {
		EXPECT_EQ(count_entries(KFD_TOPOLOGY "/nodes/%d/mem_banks", node),
			  property("mem_banks_count", KFD_TOPOLOGY "/nodes/%d/properties", node));
		EXPECT_EQ(count_entries(KFD_TOPOLOGY "/nodes/%d/io_links", node),
			  property("io_links_count", KFD_TOPOLOGY "/nodes/%d/properties", node));
	}
}

struct expectation {
	const char *name;
	uint64_t value;
};

/* The small gfx900 that the simulator is unless told otherwise. */
static const struct expectation gfx900[] = {
	{ "cpu_cores_count", 0 },
	{ "simd_count", 16 },
	{ "gfx_target_version", 90000 },
	{ "vendor_id", 4098 },
	{ "device_id", 0x6860 },
	{ "array_count", 1 },
	{ "simd_arrays_per_engine", 1 },
	{ "simd_per_cu", 4 },
	{ "wave_front_size", 64 },
	{ "max_waves_per_simd", 10 },
	{ "lds_size_in_kb", 64 },
	{ "num_sdma_engines", 2 },
	{ "num_sdma_queues_per_engine", 2 },
	{ "num_cp_queues", 24 },
	{ "max_slots_scratch_cu", 32 },
	{ "num_gws", 0 },
};

TEST_F(topology, simulated_gpu)
{
	unsigned int i;
	int g;

	REQUIRE_SIM();
	for (g = 0; g < self->k.num_gpus; g++) {
		int node = self->k.gpu[g].node;
		uint64_t cap;

		for (i = 0; i < sizeof(gfx900) / sizeof(gfx900[0]); i++)
			EXPECT_EQ(gfx900[i].value,
				  property(gfx900[i].name, KFD_TOPOLOGY "/nodes/%d/properties",
					   node))
				TH_LOG("%s of node %d", gfx900[i].name, node);
		cap = property("capability", KFD_TOPOLOGY "/nodes/%d/properties", node);
		EXPECT_EQ(0x2000, cap & 0x3000);	/* doorbells of type 2 */
		EXPECT_EQ(0x280, cap & 0xf80);		/* watch points */
		EXPECT_NE(0, property("fw_version", KFD_TOPOLOGY "/nodes/%d/properties", node) &
			  0x3ff);
		EXPECT_NE(0, property("sdma_fw_version", KFD_TOPOLOGY "/nodes/%d/properties",
				      node) & 0x3ff);
		EXPECT_EQ(1, property("heap_type",
				      KFD_TOPOLOGY "/nodes/%d/mem_banks/0/properties", node));
		EXPECT_EQ(2, property("type", KFD_TOPOLOGY "/nodes/%d/io_links/0/properties",
				      node));
		EXPECT_EQ(20, property("weight", KFD_TOPOLOGY "/nodes/%d/io_links/0/properties",
				       node));
		EXPECT_EQ(1, property("flags", KFD_TOPOLOGY "/nodes/%d/io_links/0/properties",
				      node));
	}
}

/* The SVM bit is promised only when the call is there. */
TEST_F(topology, svm_bit_tells_the_truth)
{
	struct kfd_ioctl_svm_args args = { .op = KFD_IOCTL_SVM_OP_GET_ATTR };
	uint64_t cap = property("capability", KFD_TOPOLOGY "/nodes/%d/properties",
				self->k.gpu[0].node);
	int ret = kfd_call(self->k.fd, AMDKFD_IOC_SVM, &args);

	if (ret == -EOPNOTSUPP || ret == -ENOTTY || ret == -EPERM)
		EXPECT_EQ(0, cap & (1 << 27));
}

TEST_F(topology, readable_by_anybody_writable_by_nobody)
{
	struct stat st;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), KFD_TOPOLOGY "/nodes/%d/properties", self->k.gpu[0].node);
	ASSERT_OK(stat(path, &st));
	EXPECT_EQ(0444, st.st_mode & 0777);
}

KFD_TEST_MAIN
