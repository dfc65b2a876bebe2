/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the regression tests of checkpoint and restore share: a process with
 * everything, its image, and images that are good but for one thing.
 */
#ifndef KFD_REGRESSION_H
#define KFD_REGRESSION_H

#include "lib/kfd_image.h"
#include "lib/kfd_test.h"
#include "lib/kfd_workload.h"

FIXTURE(regression)
{
	struct kfd_workload *w;
	struct kfd_snapshot s;	/* of a process with everything */
	bool have;
};

FIXTURE_SETUP(regression)
{
	self->w = kfd_workload_new();
	ASSERT_NE(NULL, self->w);
}

FIXTURE_TEARDOWN(regression)
{
	if (self->have)
		kfd_snapshot_free(&self->s);
}

/* An image of a workload, without its contents. */
static inline int kfd_make_image(struct kfd_workload *w, struct kfd_snapshot *s)
{
	struct kfd_target t;
	int ret;

	ret = kfd_target_start(&t, w, 0);
	if (!ret)
		ret = kfd_target_seize(&t);
	if (!ret)
		ret = kfd_snapshot_checkpoint(t.fd, s);
	if (!ret)
		kfd_snapshot_close_fds(s);
	kfd_target_kill(&t);
	return ret;
}

#define IMAGE() \
	do { \
		ASSERT_OK(kfd_make_image(self->w, &self->s)); \
		self->have = true; \
	} while (0)

/* Restore in a fresh child: 0 or the errno, or -EPROTO when that left traces. */
static inline int restore_in_child(void *arg)
{
	struct kfd_snapshot *s = arg;
	struct kfd_ioctl_criu_args info;
	int fds, ret;
	struct kfd k;

	if (kfd_snapshot_open(&k, s))
		return -EPROTO;
	fds = kfd_count_fds();
	ret = kfd_snapshot_restore_op(&k, s);
	if (ret && fds != kfd_count_fds())
		return -EPROTO;
	if (ret && (kfd_criu_info(k.fd, &info) || info.num_bos))
		return -EPROTO;
	return ret;
}

/* A changed copy of the image is to be refused, and the image itself is good. */
#define EXPECT_REFUSED(s, change) \
	do { \
		struct kfd_snapshot bad; \
		ASSERT_OK(kfd_snapshot_copy(s, &bad)); \
		{ change; } \
		EXPECT_ERR(EINVAL, kfd_in_child(restore_in_child, &bad)); \
		kfd_snapshot_free(&bad); \
	} while (0)

#define QUEUE(kind)	kfd_image_queue(&bad, KFD_IOC_QUEUE_TYPE_##kind)
#define RECORD(kind, n, type) \
	((struct kfd_record_##type *)kfd_image_record(&bad, KFD_RECORD_##kind, n))

#endif
