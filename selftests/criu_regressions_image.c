// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bugs that the in-tree driver had in restore because it believed an image, or
 * what it was given beside one; each test has the name under which
 * Documentation lists its bug.
 */
#include "lib/kfd_regression.h"
#include "lib/kfd_svm.h"

TEST_F_TIMEOUT(regression, ctl_stack_overread, 60)
{
	REQUIRE_OURS();
	IMAGE();
	EXPECT_REFUSED(&self->s, QUEUE(COMPUTE)->ctl_stack_size += 4096);
	EXPECT_REFUSED(&self->s, QUEUE(COMPUTE)->ctl_stack_size = 0xffffffff);
	EXPECT_REFUSED(&self->s, QUEUE(COMPUTE)->ctl_stack_size = 8);
	EXPECT_REFUSED(&self->s, QUEUE(COMPUTE)->ctl_stack_size = 0);
	EXPECT_REFUSED(&self->s,
		       ASSERT_OK(kfd_image_grow(&bad, KFD_RECORD_CTL_STACK, 0, -4096, 0)));
	EXPECT_REFUSED(&self->s,
		       ASSERT_OK(kfd_image_grow(&bad, KFD_RECORD_CTL_STACK, 0, 4096, 0)));
	/* Both the same, but more than the queue's save area can hold. */
	EXPECT_REFUSED(&self->s,
		       QUEUE(COMPUTE)->cwsr_size = 4096;
		       QUEUE(COMPUTE)->ctl_stack_size += 4096;
		       ASSERT_OK(kfd_image_grow(&bad, KFD_RECORD_CTL_STACK, 0, 4096, 0)));
	EXPECT_OK(kfd_in_child(restore_in_child, &self->s));
}

TEST_F_TIMEOUT(regression, queue_type_bounds, 60)
{
	REQUIRE_OURS();
	IMAGE();
	EXPECT_REFUSED(&self->s, QUEUE(COMPUTE)->type = 4);
	EXPECT_REFUSED(&self->s, QUEUE(COMPUTE)->type = 0x7fffffff);
	EXPECT_REFUSED(&self->s, QUEUE(COMPUTE)->type = 0xffffffff);
	EXPECT_REFUSED(&self->s, QUEUE(SDMA)->type = 0x80000000);
	EXPECT_OK(kfd_in_child(restore_in_child, &self->s));
}

static int lengthen_first_mqd(struct kfd_snapshot *s)
{
	struct kfd_record_queue *q = kfd_image_record(s, KFD_RECORD_QUEUE, 0);

	q->mqd_size += 8;
	return kfd_image_grow(s, KFD_RECORD_MQD, 0, 8, 0);
}

TEST_F_TIMEOUT(regression, mqd_size_mismatch, 60)
{
	REQUIRE_OURS();
	IMAGE();
	EXPECT_REFUSED(&self->s, QUEUE(COMPUTE)->mqd_size = 0);
	EXPECT_REFUSED(&self->s, QUEUE(COMPUTE)->mqd_size += 4);
	EXPECT_REFUSED(&self->s, QUEUE(COMPUTE)->mqd_size = 0xffffffff);
	EXPECT_REFUSED(&self->s, ASSERT_OK(kfd_image_grow(&bad, KFD_RECORD_MQD, 0, -8, 0)));
	EXPECT_REFUSED(&self->s, ASSERT_OK(kfd_image_grow(&bad, KFD_RECORD_MQD, 0, 8, 0)));
	/* In agreement with each other, but not with what an MQD is. */
	EXPECT_REFUSED(&self->s, ASSERT_OK(lengthen_first_mqd(&bad)));
	EXPECT_OK(kfd_in_child(restore_in_child, &self->s));
}

TEST_F_TIMEOUT(regression, sdma_mqd_size, 60)
{
	struct kfd_record_queue *sdma, *compute;

	REQUIRE_OURS();
	IMAGE();
	sdma = kfd_image_queue(&self->s, KFD_IOC_QUEUE_TYPE_SDMA);
	compute = kfd_image_queue(&self->s, KFD_IOC_QUEUE_TYPE_COMPUTE);
	ASSERT_NE(NULL, sdma);
	ASSERT_NE(NULL, compute);
	EXPECT_LT(sdma->mqd_size, compute->mqd_size);
	EXPECT_REFUSED(&self->s, QUEUE(SDMA)->mqd_size = compute->mqd_size);
	EXPECT_REFUSED(&self->s, QUEUE(SDMA)->type = KFD_IOC_QUEUE_TYPE_COMPUTE);
	EXPECT_REFUSED(&self->s, QUEUE(COMPUTE)->type = KFD_IOC_QUEUE_TYPE_SDMA);
	EXPECT_OK(kfd_in_child(restore_in_child, &self->s));
}

TEST_F_TIMEOUT(regression, id_over_int_max, 60)
{
	REQUIRE_OURS();
	IMAGE();
	EXPECT_REFUSED(&self->s, RECORD(BO, 0, bo)->handle |= 0x80000000);
	EXPECT_REFUSED(&self->s, RECORD(BO, 0, bo)->handle |= 0xffffffff);
	EXPECT_REFUSED(&self->s, RECORD(BO, 0, bo)->handle &= ~0xffffffffULL);
	EXPECT_REFUSED(&self->s, RECORD(EVENT, 0, event)->id = 0x80000000);
	EXPECT_REFUSED(&self->s, RECORD(EVENT, 0, event)->id = 0xffffffff);
	/* Its memory event has no slot, so its id is of the other kind. */
	EXPECT_REFUSED(&self->s, RECORD(EVENT, 2, event)->id = 0x80000000);
	EXPECT_REFUSED(&self->s, RECORD(EVENT, 2, event)->id = 0xffffffff);
	EXPECT_REFUSED(&self->s, RECORD(EVENT, 0, event)->id = 0);
	EXPECT_REFUSED(&self->s, RECORD(QUEUE, 0, queue)->id = 0x80000000);
	EXPECT_REFUSED(&self->s, RECORD(QUEUE, 0, queue)->id = KFD_IMAGE_MAX_QUEUES);
	/* The same one twice is no better. */
	EXPECT_REFUSED(&self->s, RECORD(BO, 0, bo)->handle = RECORD(BO, 1, bo)->handle);
	EXPECT_REFUSED(&self->s, RECORD(EVENT, 0, event)->id = RECORD(EVENT, 1, event)->id);
	EXPECT_REFUSED(&self->s, RECORD(QUEUE, 0, queue)->id = RECORD(QUEUE, 1, queue)->id);
	EXPECT_OK(kfd_in_child(restore_in_child, &self->s));
}

/* A process with a queue whose save area is two ranges of shared virtual memory. */
static int dump_queue_in_ranges(void *arg)
{
	uint64_t size = 16 * 1024 * 1024;
	int fd = *(int *)arg, ret;
	struct kfd_snapshot s;
	struct kfd_queue q;
	struct kfd k;
	char *mem;

	ret = kfd_start(&k);
	if (!ret)
		ret = kfd_svm_alloc(&k, size, 0, &mem);
	if (!ret)
		ret = kfd_svm_set1(&k, mem, KFD_PAGE, KFD_IOCTL_SVM_ATTR_GRANULARITY, 3);
	if (!ret)
		ret = kfd_svm_queue(&k, 0, mem, size, &q);
	if (!ret)
		ret = kfd_snapshot_dump(&k, k.fd, &s);
	return ret ? ret : kfd_snapshot_write(&s, fd);
}

#define RANGE(n)	RECORD(SVM, n, svm)

static void take_access(struct kfd_record_svm *svm)
{
	svm->num_access = 0;
	svm->gpu_id[0] = 0;
	svm->access[0] = 0;
}

/* What a queue's save area lies in, it must lie in after RESTORE. */
static void check_queue_in_ranges(struct __test_metadata *_metadata, struct kfd_snapshot *s)
{
	/* The ranges are there, but not where the save area is. */
	EXPECT_REFUSED(s, RANGE(0)->start = KFD_PAGE * 16; RANGE(0)->size = KFD_PAGE);
	EXPECT_REFUSED(s, RANGE(1)->start += 1ULL << 36);
	/* It lies in a part of them. */
	EXPECT_REFUSED(s, RANGE(1)->size = KFD_PAGE);
	EXPECT_REFUSED(s, RANGE(1)->start += KFD_PAGE; RANGE(1)->size -= KFD_PAGE);
	/* The GPU may not reach them, or not write. */
	EXPECT_REFUSED(s, take_access(RANGE(0)));
	EXPECT_REFUSED(s, take_access(RANGE(1)));
	EXPECT_REFUSED(s, RANGE(0)->flags |= KFD_IOCTL_SVM_FLAG_GPU_RO);
	EXPECT_REFUSED(s, RANGE(1)->flags |= KFD_IOCTL_SVM_FLAG_GPU_RO);
	/* In them it is in place before the queue is made. */
	EXPECT_OK(kfd_in_child(restore_in_child, s));
}

/* What CREATE_QUEUE checks of a queue's memory, RESTORE checks too. */
TEST_F_TIMEOUT(regression, restore_without_buffers, 120)
{
	const uint64_t hole = KFD_ARENA_BASE + (1ULL << 36), kernel = 0xffff888000000000;
	struct kfd_snapshot s;
	int fd;

	REQUIRE_OURS();
	IMAGE();
	EXPECT_REFUSED(&self->s, QUEUE(COMPUTE)->ring_base = kernel);
	EXPECT_REFUSED(&self->s, QUEUE(COMPUTE)->read_ptr = kernel);
	EXPECT_REFUSED(&self->s, QUEUE(COMPUTE)->write_ptr = kernel);
	EXPECT_REFUSED(&self->s, QUEUE(COMPUTE)->eop_addr = kernel);
	EXPECT_REFUSED(&self->s, QUEUE(COMPUTE)->cwsr_addr = kernel);
	EXPECT_REFUSED(&self->s, QUEUE(COMPUTE)->ring_base = hole);
	EXPECT_REFUSED(&self->s, QUEUE(COMPUTE)->read_ptr = hole);
	EXPECT_REFUSED(&self->s, QUEUE(COMPUTE)->write_ptr = hole);
	EXPECT_REFUSED(&self->s, QUEUE(COMPUTE)->eop_addr = hole);
	EXPECT_REFUSED(&self->s, QUEUE(COMPUTE)->cwsr_addr = hole);
	EXPECT_REFUSED(&self->s, QUEUE(SDMA)->ring_base = hole);
	EXPECT_REFUSED(&self->s, QUEUE(SDMA)->ring_base += 1);
	EXPECT_REFUSED(&self->s, QUEUE(SDMA)->ring_size *= 2);
	EXPECT_REFUSED(&self->s, QUEUE(SDMA)->ring_size = 3000);
	EXPECT_REFUSED(&self->s, QUEUE(SDMA)->ring_base = kernel);
	EXPECT_REFUSED(&self->s, QUEUE(SDMA)->priority = 16);
	EXPECT_REFUSED(&self->s, QUEUE(SDMA)->percentage = 101);
	EXPECT_OK(kfd_in_child(restore_in_child, &self->s));
	fd = memfd_create("image", MFD_CLOEXEC);
	ASSERT_GE(fd, 0);
	ASSERT_OK(kfd_in_child(dump_queue_in_ranges, &fd));
	ASSERT_EQ(0, lseek(fd, 0, SEEK_SET));
	ASSERT_OK(kfd_snapshot_read(&s, fd));
	check_queue_in_ranges(_metadata, &s);
	kfd_snapshot_free(&s);
	close(fd);
}

TEST_F_TIMEOUT(regression, doorbell_offset_in_a_bad_image, 60)
{
	REQUIRE_OURS();
	IMAGE();
	EXPECT_REFUSED(&self->s, QUEUE(SDMA)->doorbell_offset = 8192);
	EXPECT_REFUSED(&self->s, QUEUE(SDMA)->doorbell_offset = 0xfffffff8);
	EXPECT_REFUSED(&self->s, QUEUE(SDMA)->doorbell_offset += 4);
	EXPECT_REFUSED(&self->s, QUEUE(SDMA)->doorbell_offset = QUEUE(COMPUTE)->doorbell_offset);
	EXPECT_OK(kfd_in_child(restore_in_child, &self->s));
}

TEST_F_TIMEOUT(regression, multi_event_page, 60)
{
	struct kfd_ioctl_create_event_args ev = { .event_type = KFD_IOC_EVENT_SIGNAL };
	struct kfd_workload *w = kfd_workload_new();
	struct kfd_bo first, second;
	struct kfd_target t;
	struct kfd k;

	ASSERT_NE(NULL, w);
	ASSERT_OK(kfd_start(&k));
	/* A page of another process: its handle means nothing here. */
	ASSERT_OK(kfd_target_start(&t, w, WORKLOAD_NO_QUEUES));
	ev.event_page_offset = w->event_page.handle;
	EXPECT_ERR(EINVAL, kfd_call(k.fd, AMDKFD_IOC_CREATE_EVENT, &ev));
	EXPECT_OK(kfd_target_finish(&t));
	/* A second page for a process that has one. */
	ASSERT_OK(kfd_bo_create(&k, 0, MEM_GTT, KFD_EVENT_PAGE_SIZE, &first));
	ASSERT_OK(kfd_bo_create(&k, 0, MEM_GTT, KFD_EVENT_PAGE_SIZE, &second));
	ev.event_page_offset = first.handle;
	ASSERT_OK(kfd_call(k.fd, AMDKFD_IOC_CREATE_EVENT, &ev));
	ev.event_page_offset = second.handle;
	EXPECT_ERR(EINVAL, kfd_call(k.fd, AMDKFD_IOC_CREATE_EVENT, &ev));
	/* Which stays the process's own. */
	EXPECT_OK(kfd_bo_destroy(&k, &second));
	ev.event_page_offset = 0;
	EXPECT_OK(kfd_call(k.fd, AMDKFD_IOC_CREATE_EVENT, &ev));
	kfd_stop(&k);
	if (!kfd_is_ours())
		return;
	IMAGE();
	EXPECT_REFUSED(&self->s, RECORD(PROCESS, 0, process)->event_page_handle ^= 0x100);
	EXPECT_REFUSED(&self->s, RECORD(PROCESS, 0, process)->event_page_user = 1);
	/* The handle of a buffer that is too small for it. */
	EXPECT_REFUSED(&self->s,
		       RECORD(PROCESS, 0, process)->event_page_handle = self->w->words.handle);
	EXPECT_OK(kfd_in_child(restore_in_child, &self->s));
}

/* A restore into a process that has the driver's event page mapped. */
static int restore_over_event_page(void *arg)
{
	struct kfd_ioctl_create_event_args ev = {};
	struct kfd_snapshot *s = arg;
	uint64_t *page;
	struct kfd k;
	int ret, i;

	if (kfd_snapshot_open(&k, s) ||
	    kfd_event_create(&k, KFD_IOC_EVENT_SIGNAL, false, &ev))
		return -EPROTO;
	page = mmap(NULL, KFD_EVENT_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, k.fd,
		    (off_t)ev.event_page_offset);
	if (page == MAP_FAILED || kfd_event_destroy(&k, ev.event_id))
		return -EPROTO;
	page[9] = 0x1234;
	ret = kfd_snapshot_restore_op(&k, s);
	/* What is still mapped must still be ours: let others allocate. */
	for (i = 0; i < 64; i++)
		if (mmap(NULL, KFD_EVENT_PAGE_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0) == MAP_FAILED)
			return -EPROTO;
	return page[9] == 0x1234 ? ret : -EPROTO;
}

TEST_F_TIMEOUT(regression, mapped_event_page, 60)
{
	struct kfd_snapshot bad;

	if (!kfd_is_ours())
		SKIP(return, "the in-tree driver's image is not known here");
	IMAGE();
	ASSERT_OK(kfd_snapshot_copy(&self->s, &bad));
	EXPECT_ERR(EBUSY, kfd_in_child(restore_over_event_page, &bad));
	kfd_snapshot_free(&bad);
	EXPECT_OK(kfd_in_child(restore_in_child, &self->s));
}

/* Restores an image that is refused after its event page was made, then a good one. */
static int restore_after_refusal(void *arg)
{
	struct kfd_snapshot *s = arg;
	struct kfd_record_event *ev;
	struct kfd_snapshot bad;
	struct kfd k;
	int ret;

	ret = kfd_snapshot_copy(s, &bad);
	if (ret)
		return ret;
	/* Two events of one number: found when the second is made. */
	ev = kfd_image_record(&bad, KFD_RECORD_EVENT, 1);
	*ev = *(struct kfd_record_event *)kfd_image_record(&bad, KFD_RECORD_EVENT, 0);
	if (kfd_snapshot_open(&k, s))
		return -EPROTO;
	memcpy(bad.devices, s->devices, sizeof(bad.devices));
	if (kfd_snapshot_restore_op(&k, &bad) != -EINVAL)
		return -EILSEQ;
	return kfd_snapshot_restore_op(&k, s);
}

static int dump_with_event_page(void *arg)
{
	struct kfd_ioctl_create_event_args ev;
	struct kfd_snapshot s;
	int fd = *(int *)arg, ret;
	struct kfd k;

	ret = kfd_start(&k);
	if (!ret)
		ret = kfd_event_create(&k, KFD_IOC_EVENT_SIGNAL, false, &ev);
	if (!ret)
		ret = kfd_event_create(&k, KFD_IOC_EVENT_SIGNAL, true, &ev);
	if (!ret)
		ret = kfd_snapshot_dump(&k, k.fd, &s);
	return ret ? ret : kfd_snapshot_write(&s, fd);
}

/* A refused RESTORE left the driver's event page behind: EBUSY from then on. */
TEST_F_TIMEOUT(regression, event_page_of_a_refused_restore, 60)
{
	struct kfd_snapshot s;
	int fd;

	if (!kfd_is_ours())
		SKIP(return, "the in-tree driver's image is not known here");
	fd = memfd_create("image", MFD_CLOEXEC);
	ASSERT_GE(fd, 0);
	ASSERT_OK(kfd_in_child(dump_with_event_page, &fd));
	ASSERT_EQ(0, lseek(fd, 0, SEEK_SET));
	ASSERT_OK(kfd_snapshot_read(&s, fd));
	EXPECT_OK(kfd_in_child(restore_after_refusal, &s));
	kfd_snapshot_free(&s);
	close(fd);
}

KFD_TEST_MAIN
