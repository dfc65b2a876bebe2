// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPU mappings of buffers, doorbells and the event page.
 */
#include "lib/kfd_test.h"

KFD_FIXTURE(mmap);

static void *map_at(int fd, uint64_t size, uint64_t offset)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
}

/* VmFlags of the mapping that starts at @p, as smaps prints them. */
static int vm_flags(const void *p, char *flags, size_t size)
{
	unsigned long start;
	char line[512];
	bool here = false;
	FILE *maps = fopen("/proc/self/smaps", "r");

	if (!maps)
		return -errno;
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-", &start) == 1 && strchr(line, '-'))
			here = start == (unsigned long)p;
		else if (here && !strncmp(line, "VmFlags:", 8))
			break;
	}
	fclose(maps);
	if (!here)
		return -ENOENT;
	snprintf(flags, size, "%s ", line + 8);
	return 0;
}

TEST_F(mmap, buffers_hold_what_was_written)
{
	static const uint32_t kinds[] = { MEM_VRAM, MEM_GTT };
	unsigned int i;

	for (i = 0; i < 2; i++) {
		struct kfd_bo bo;
		void *again;

		ASSERT_OK(kfd_bo_create(&self->k, 0, kinds[i], 64 << 10, &bo));
		kfd_fill_pattern(bo.cpu, bo.size, i);
		again = map_at(self->k.gpu[0].drm_fd, bo.size, bo.offset);
		ASSERT_NE(MAP_FAILED, again);
		EXPECT_TRUE(kfd_check_pattern(again, bo.size, i));
		munmap(again, bo.size);
		EXPECT_OK(kfd_bo_destroy(&self->k, &bo));
	}
}

/* The start of a buffer can be mapped alone; its middle is an offset only here. */
TEST_F(mmap, part_of_a_buffer)
{
	int drm = self->k.gpu[0].drm_fd;
	struct kfd_bo bo;
	uint32_t *part;

	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_VRAM, 4 * KFD_PAGE, &bo));
	((uint32_t *)bo.cpu)[KFD_PAGE / 4] = 0xfeed;
	part = map_at(drm, 2 * KFD_PAGE, bo.offset);
	ASSERT_NE(MAP_FAILED, part);
	EXPECT_EQ(0xfeed, part[KFD_PAGE / 4]);
	munmap(part, 2 * KFD_PAGE);
	EXPECT_EQ(!kfd_is_ours(),
		  map_at(drm, KFD_PAGE, bo.offset + 2 * KFD_PAGE) == MAP_FAILED);
	EXPECT_OK(kfd_bo_destroy(&self->k, &bo));
}

TEST_F(mmap, beyond_a_buffer_is_refused)
{
	int drm = self->k.gpu[0].drm_fd;
	struct kfd_bo bo;

	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, 4 * KFD_PAGE, &bo));
	EXPECT_EQ(MAP_FAILED, map_at(drm, 5 * KFD_PAGE, bo.offset));
	EXPECT_EQ(MAP_FAILED, map_at(drm, 2 * KFD_PAGE, bo.offset + 3 * KFD_PAGE));
	EXPECT_EQ(MAP_FAILED, map_at(drm, KFD_PAGE, bo.offset + (1ULL << 40)));
	EXPECT_OK(kfd_bo_destroy(&self->k, &bo));
}

/* The offset is no secret: another file of the same node must not map it. */
TEST_F(mmap, another_file_may_not_map_a_buffer)
{
	struct kfd second = self->k;
	struct kfd_bo bo;

	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_VRAM, KFD_PAGE, &bo));
	ASSERT_OK(kfd_open_drm(&second));
	EXPECT_EQ(MAP_FAILED, map_at(second.gpu[0].drm_fd, KFD_PAGE, bo.offset));
	EXPECT_EQ(EACCES, errno);
	close(second.gpu[0].drm_fd);
	EXPECT_OK(kfd_bo_destroy(&self->k, &bo));
}

TEST_F(mmap, freed_buffer_stays_while_mapped_and_cannot_be_mapped_again)
{
	struct kfd_bo bo, other;
	uint64_t offset;
	uint32_t *cpu;

	ASSERT_OK(kfd_bo_alloc(&self->k, 0, MEM_VRAM, KFD_PAGE, &bo));
	ASSERT_OK(kfd_bo_map_cpu(&self->k, &bo));
	cpu = bo.cpu;
	offset = bo.offset;
	*cpu = 0xabcd;
	ASSERT_OK(kfd_bo_free(&self->k, &bo));
	/* The memory must not be another buffer's as long as we can see it. */
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_VRAM, KFD_PAGE, &other));
	*(volatile uint32_t *)other.cpu = 0x1234;
	EXPECT_EQ(0xabcd, *(volatile uint32_t *)cpu);
	EXPECT_OK(kfd_bo_destroy(&self->k, &other));
	munmap(cpu, KFD_PAGE);
	EXPECT_EQ(MAP_FAILED, map_at(self->k.gpu[0].drm_fd, KFD_PAGE, offset));
}

TEST_F(mmap, doorbell_offset_says_what_it_is)
{
	struct kfd_bo bo;

	ASSERT_OK(kfd_bo_alloc(&self->k, 0, MEM_DOORBELL, 2 * KFD_PAGE, &bo));
	EXPECT_EQ(KFD_MMAP_TYPE_DOORBELLS, KFD_MMAP_TYPE(bo.offset));
	EXPECT_EQ(self->k.gpu[0].gpu_id, KFD_MMAP_GPU(bo.offset));
	EXPECT_EQ(0, bo.offset & (KFD_PAGE - 1));
	EXPECT_OK(kfd_bo_free(&self->k, &bo));
}

TEST_F(mmap, doorbell_mapping_is_a_device_mapping)
{
	static const char * const want[] = { " io ", " pf ", " dc ", " de ", " dd " };
	struct kfd_bo bo;
	char flags[512];
	unsigned int i;

	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_DOORBELL, 2 * KFD_PAGE, &bo));
	ASSERT_OK(vm_flags(bo.cpu, flags, sizeof(flags)));
	for (i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		EXPECT_NE(NULL, strstr(flags, want[i])) TH_LOG("%s in %s", want[i], flags);
	EXPECT_OK(kfd_bo_destroy(&self->k, &bo));
}

TEST_F(mmap, doorbells_are_not_inherited)
{
	struct kfd_bo bo;
	char flags[512];
	int status;
	pid_t child;

	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_DOORBELL, 2 * KFD_PAGE, &bo));
	child = fork();
	if (!child)
		_exit(vm_flags(bo.cpu, flags, sizeof(flags)) == -ENOENT ? 0 : 1);
	ASSERT_GT(child, 0);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_OK(kfd_bo_destroy(&self->k, &bo));
}

TEST_F(mmap, doorbell_page_without_a_queue_takes_stores)
{
	struct kfd_bo bo;
	unsigned int i;

	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_DOORBELL, 2 * KFD_PAGE, &bo));
	for (i = 0; i < 2 * KFD_PAGE / 8; i++)
		((volatile uint64_t *)bo.cpu)[i] = 0xffffffffffff;
	kfd_sleep_ms(50);
	EXPECT_OK(kfd_bo_destroy(&self->k, &bo));
}

TEST_F(mmap, another_process_may_not_map_doorbells)
{
	int status;
	pid_t child = fork();

	if (!child)
		_exit(map_at(self->k.fd, 2 * KFD_PAGE,
			     3ULL << 62 | (uint64_t)self->k.gpu[0].gpu_id << 46) == MAP_FAILED ?
		      0 : 1);
	ASSERT_GT(child, 0);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(mmap, hdp_flush_register)
{
	struct kfd_bo bo;

	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_MMIO, KFD_PAGE, &bo));
	EXPECT_EQ(0, KFD_MMAP_TYPE(bo.offset));
	EXPECT_EQ(self->k.gpu[0].gpu_id, KFD_MMAP_GPU(bo.offset));
	((volatile uint32_t *)bo.cpu)[KFD_MMIO_REMAP_HDP_MEM_FLUSH_CNTL / 4] = 1;
	((volatile uint32_t *)bo.cpu)[KFD_MMIO_REMAP_HDP_REG_FLUSH_CNTL / 4] = 1;
	EXPECT_OK(kfd_bo_destroy(&self->k, &bo));
}

TEST_F(mmap, event_page_needs_events)
{
	void *p = map_at(self->k.fd, KFD_EVENT_PAGE_SIZE, 2ULL << 62);

	EXPECT_EQ(MAP_FAILED, p);
}

TEST_F(mmap, event_page_of_the_driver)
{
	struct kfd_ioctl_create_event_args ev;
	uint64_t *slots;

	ASSERT_OK(kfd_event_create(&self->k, KFD_IOC_EVENT_SIGNAL, false, &ev));
	ASSERT_EQ(KFD_MMAP_TYPE_EVENTS, KFD_MMAP_TYPE(ev.event_page_offset));
	slots = map_at(self->k.fd, KFD_EVENT_PAGE_SIZE, ev.event_page_offset);
	ASSERT_NE(MAP_FAILED, slots);
	ASSERT_LT(ev.event_slot_index, KFD_SIGNAL_EVENT_LIMIT);
	EXPECT_EQ(UINT64_MAX, slots[ev.event_slot_index]);
	munmap(slots, KFD_EVENT_PAGE_SIZE);
	/* There is no more than the page. */
	EXPECT_EQ(MAP_FAILED, map_at(self->k.fd, 2 * KFD_EVENT_PAGE_SIZE, ev.event_page_offset));
	EXPECT_OK(kfd_event_destroy(&self->k, ev.event_id));
}

TEST_F(mmap, private_and_executable_mappings_do_no_harm)
{
	struct kfd_bo bo;
	char *p;

	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_VRAM, KFD_PAGE, &bo));
	*(volatile char *)bo.cpu = 7;
	p = mmap(NULL, KFD_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE,
		 self->k.gpu[0].drm_fd, (off_t)bo.offset);
	/* Either refused, or truly private. */
	if (p != MAP_FAILED) {
		*(volatile char *)p = 9;
		EXPECT_EQ(7, *(volatile char *)bo.cpu);
		munmap(p, KFD_PAGE);
	}
	p = mmap(NULL, KFD_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, self->k.fd,
		 (off_t)(3ULL << 62 | (uint64_t)self->k.gpu[0].gpu_id << 46));
	if (p != MAP_FAILED)
		munmap(p, KFD_PAGE);
	EXPECT_OK(kfd_bo_destroy(&self->k, &bo));
}

KFD_TEST_MAIN
