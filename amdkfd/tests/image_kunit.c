// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: the image's codec (criu/image.c) as the kernel builds it.
 *
 * The parser's rules are tested in user space (selftests/image), with
 * sanitizers and a fuzzer. Here is what may differ in the kernel: that the
 * structs have the same layout, that what is written can be read, at every
 * length and at any alignment, and that the writer never leaves its buffer.
 *
 * No locks: pure code.
 */
#include <kunit/test.h>

#include <linux/kfd_ioctl.h>

#include "../criu/image.h"
#include "tests.h"

#define IMAGE_BYTES	8192
#define GUARD		0xa5

/* An image with a device, a buffer and a range; bytes. */
static u64 image_write(struct kunit *test, void *buf, u64 size)
{
	struct kfd_record_process process = {
		.num_devices = 1, .num_bos = 1, .num_svm = 1,
	};
	struct kfd_record_device device = { .user_gpu_id = 0x1234, .has_vm = 1 };
	struct kfd_record_bo bo = {
		.handle = 0x1234ULL << 32 | 1,
		.gpu_id = 0x1234,
		.va = 0x100000,
		.size = 0x2000,
		.alloc_flags = KFD_IOC_ALLOC_MEM_FLAGS_VRAM,
		.num_mapped = 1,
		.mapped = { 0x1234 },
	};
	struct kfd_record_svm svm = {
		.start = 0x200000,
		.size = 0x3000,
		.flags = KFD_IOCTL_SVM_FLAG_COHERENT,
		.granularity = 9,
		.preferred_loc = 0x1234,
		.prefetch_loc = KFD_IOCTL_SVM_LOCATION_SYSMEM,
		.num_access = 1,
		.gpu_id = { 0x1234 },
		.access = { KFD_RECORD_SVM_IN_PLACE },
	};
	struct kfd_image_writer w;

	KUNIT_ASSERT_EQ(test, 0, kfd_image_writer_init(&w, buf, size));
	KUNIT_ASSERT_EQ(test, 0, kfd_image_put(&w, KFD_RECORD_PROCESS, &process,
					       sizeof(process)));
	KUNIT_ASSERT_EQ(test, 0, kfd_image_put(&w, KFD_RECORD_DEVICE, &device,
					       sizeof(device)));
	KUNIT_ASSERT_EQ(test, 0, kfd_image_put(&w, KFD_RECORD_BO, &bo,
					       sizeof(bo)));
	KUNIT_ASSERT_EQ(test, 0, kfd_image_put(&w, KFD_RECORD_SVM, &svm,
					       sizeof(svm)));
	kfd_image_finish(&w);
	return w.used;
}

/* The layout is a file format: user space has the same numbers. */
static void image_layout(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, 0, (int)(sizeof(struct kfd_image_header) % 8));
	KUNIT_EXPECT_EQ(test, 16, (int)sizeof(struct kfd_record_header));
	KUNIT_EXPECT_EQ(test, 0, (int)(sizeof(struct kfd_record_process) % 8));
	KUNIT_EXPECT_EQ(test, 0, (int)(sizeof(struct kfd_record_device) % 8));
	KUNIT_EXPECT_EQ(test, 0, (int)(sizeof(struct kfd_record_bo) % 8));
	KUNIT_EXPECT_EQ(test, 0, (int)(sizeof(struct kfd_record_svm) % 8));
	KUNIT_EXPECT_EQ(test, 0, (int)(sizeof(struct kfd_record_event) % 8));
	/* What images from before there were ranges have. */
	KUNIT_EXPECT_EQ(test, KFD_RECORD_PROCESS_MIN,
			(int)offsetof(struct kfd_record_process, num_svm));
	KUNIT_EXPECT_EQ(test, 0, (int)(sizeof(struct kfd_record_queue) % 8));
}

static void image_round_trip(struct kunit *test)
{
	struct kfd_image_fault fault = {};
	struct kfd_record_bo bo;
	struct kfd_image image;
	struct kfd_record rec;
	void *buf = kunit_kzalloc(test, IMAGE_BYTES, GFP_KERNEL);
	u64 len;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	len = image_write(test, buf, IMAGE_BYTES);
	KUNIT_ASSERT_EQ_MSG(test, 0, kfd_image_parse(&image, buf, len, &fault),
			    "record %d at %llu: %s", fault.record,
			    (u64)fault.offset, fault.field ?: "?");
	KUNIT_EXPECT_EQ(test, 1u, image.count[KFD_RECORD_DEVICE]);
	KUNIT_EXPECT_EQ(test, 1u, image.count[KFD_RECORD_BO]);
	KUNIT_EXPECT_EQ(test, 0u, image.count[KFD_RECORD_QUEUE]);
	KUNIT_ASSERT_TRUE(test, kfd_image_find(&image, KFD_RECORD_BO, 0, &rec));
	KUNIT_ASSERT_EQ(test, 0, kfd_record_read(&rec, &bo, sizeof(bo),
						 sizeof(bo)));
	KUNIT_EXPECT_EQ(test, 0x100000ULL, (u64)bo.va);
	KUNIT_EXPECT_EQ(test, 0x1234u, (u32)bo.mapped[0]);
	KUNIT_EXPECT_FALSE(test, kfd_image_find(&image, KFD_RECORD_BO, 1, &rec));
	KUNIT_EXPECT_FALSE(test, kfd_image_find(&image, KFD_RECORD_EVENT, 0,
						&rec));
}

/* The range as it was written, and one change a time that is refused. */
static void image_svm(struct kunit *test)
{
	u8 *buf = kunit_kzalloc(test, IMAGE_BYTES, GFP_KERNEL);
	struct kfd_record_svm svm, *forged;
	struct kfd_image image;
	struct kfd_record rec;
	u64 len;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	len = image_write(test, buf, IMAGE_BYTES);
	KUNIT_ASSERT_EQ(test, 0, kfd_image_parse(&image, buf, len, NULL));
	KUNIT_EXPECT_EQ(test, 1u, image.count[KFD_RECORD_SVM]);
	KUNIT_ASSERT_TRUE(test, kfd_image_find(&image, KFD_RECORD_SVM, 0, &rec));
	KUNIT_ASSERT_EQ(test, 0, kfd_record_read(&rec, &svm, sizeof(svm),
						 sizeof(svm)));
	KUNIT_EXPECT_EQ(test, 0x200000ULL, (u64)svm.start);
	KUNIT_EXPECT_EQ(test, 0x3000ULL, (u64)svm.size);
	KUNIT_EXPECT_EQ(test, 0x1234u, (u32)svm.preferred_loc);
	KUNIT_EXPECT_EQ(test, (u32)KFD_RECORD_SVM_IN_PLACE, (u32)svm.access[0]);
	KUNIT_EXPECT_EQ(test, 0u, (u32)svm.access[1]);

	forged = (void *)(buf + rec.offset);
#define REFUSED(change) do {						\
		svm = *forged;						\
		change;							\
		KUNIT_EXPECT_EQ_MSG(test, -EINVAL,			\
			kfd_image_parse(&image, buf, len, NULL), #change); \
		*forged = svm;						\
	} while (0)
	REFUSED(forged->start = 0);
	REFUSED(forged->start = U64_MAX - 0xfff);
	REFUSED(forged->size = 0);
	REFUSED(forged->size = U64_MAX - 0xfff);
	REFUSED(forged->flags = U32_MAX);
	REFUSED(forged->granularity = 64);
	REFUSED(forged->preferred_loc = 0x4321);
	REFUSED(forged->prefetch_loc = 0x4321);
	REFUSED(forged->num_access = 2);
	REFUSED(forged->num_access = U32_MAX);
	REFUSED(forged->gpu_id[0] = 0x4321);
	REFUSED(forged->access[0] = 0);
	REFUSED(forged->others = 2);
	REFUSED(forged->lost_offset = 0x1000);
	REFUSED(forged->lost_size = 0x4000);
	REFUSED(forged->lost_size = U64_MAX - 0xfff);
	REFUSED(forged->lost_size = 0x800);
#undef REFUSED
	KUNIT_EXPECT_EQ(test, 0, kfd_image_parse(&image, buf, len, NULL));
}

/* Cut off anywhere: refused, and nothing behind the end is read (KASAN). */
static void image_truncated(struct kunit *test)
{
	void *buf = kunit_kzalloc(test, IMAGE_BYTES, GFP_KERNEL);
	struct kfd_image image;
	u64 len, cut;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	len = image_write(test, buf, IMAGE_BYTES);
	for (cut = 0; cut < len; cut++) {
		void *part = kmemdup(buf, cut ?: 1, GFP_KERNEL);
		int ret;

		KUNIT_ASSERT_NOT_NULL(test, part);
		ret = kfd_image_parse(&image, part, cut, NULL);
		kfree(part);
		KUNIT_EXPECT_EQ_MSG(test, -EINVAL, ret, "cut at %llu", cut);
	}
}

/* The image lies at any address: what is copied in may not be aligned. */
static void image_unaligned(struct kunit *test)
{
	u8 *buf = kunit_kzalloc(test, 2 * IMAGE_BYTES, GFP_KERNEL);
	struct kfd_image image;
	u32 shift;
	u64 len;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	len = image_write(test, buf, IMAGE_BYTES);
	for (shift = 1; shift < 8; shift++) {
		memcpy(buf + IMAGE_BYTES + shift, buf, len);
		KUNIT_EXPECT_EQ_MSG(test, 0,
				    kfd_image_parse(&image,
						    buf + IMAGE_BYTES + shift,
						    len, NULL),
				    "shifted by %u", shift);
	}
}

/* Each byte of it turned over: answered, one way or the other. */
static void image_bytes_flipped(struct kunit *test)
{
	u8 *buf = kunit_kzalloc(test, IMAGE_BYTES, GFP_KERNEL);
	struct kfd_image image;
	u64 len, i;
	int ret;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	len = image_write(test, buf, IMAGE_BYTES);
	for (i = 0; i < len; i++) {
		buf[i] ^= 0xff;
		ret = kfd_image_parse(&image, buf, len, NULL);
		buf[i] ^= 0xff;
		KUNIT_EXPECT_TRUE_MSG(test, !ret || ret == -EINVAL ||
				      ret == -E2BIG, "byte %llu: %d", i, ret);
	}
	KUNIT_EXPECT_EQ(test, 0, kfd_image_parse(&image, buf, len, NULL));
}

/* Every payload length: the space is what was said, what is over is zero. */
static void image_writer_lengths(struct kunit *test)
{
	u8 *buf = kunit_kmalloc(test, IMAGE_BYTES, GFP_KERNEL);
	u8 data[64];
	u32 len;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	memset(data, 0x5a, sizeof(data));
	for (len = 0; len <= sizeof(data); len++) {
		struct kfd_image_writer w;
		u64 before, i;

		memset(buf, GUARD, IMAGE_BYTES);
		KUNIT_ASSERT_EQ(test, 0,
				kfd_image_writer_init(&w, buf, IMAGE_BYTES));
		before = w.used;
		KUNIT_ASSERT_EQ(test, 0, kfd_image_put(&w, KFD_RECORD_MQD,
						       data, len));
		KUNIT_EXPECT_EQ(test, (u64)kfd_record_space(len),
				(u64)w.used - before);
		KUNIT_EXPECT_EQ(test, 0, (int)(w.used % 8));
		for (i = before + 16 + len; i < w.used; i++)
			KUNIT_EXPECT_EQ(test, 0, (int)buf[i]);
		KUNIT_EXPECT_EQ(test, GUARD, (int)buf[w.used]);
	}
}

/* A record that does not fit leaves everything as it was. */
static void image_writer_full(struct kunit *test)
{
	u8 *buf = kunit_kmalloc(test, IMAGE_BYTES, GFP_KERNEL);
	u8 data[40] = {};
	u64 size, full = sizeof(struct kfd_image_header) +
			 kfd_record_space(sizeof(data));

	KUNIT_ASSERT_NOT_NULL(test, buf);
	for (size = 0; size <= full; size++) {
		struct kfd_image_writer w;
		int ret;

		memset(buf, GUARD, IMAGE_BYTES);
		ret = kfd_image_writer_init(&w, buf, size);
		KUNIT_EXPECT_EQ_MSG(test, size < sizeof(struct kfd_image_header) ?
				    -EINVAL : 0, ret, "size %llu", size);
		if (ret)
			continue;
		ret = kfd_image_put(&w, KFD_RECORD_MQD, data, sizeof(data));
		KUNIT_EXPECT_EQ_MSG(test, size < full ? -EINVAL : 0, ret,
				    "size %llu", size);
		KUNIT_EXPECT_EQ(test, ret ? 0u : 1u, (u32)w.num_records);
		KUNIT_EXPECT_EQ(test, ret ? (u64)sizeof(struct kfd_image_header) :
				full, (u64)w.used);
		KUNIT_EXPECT_EQ(test, GUARD, (int)buf[size]);
		/* Full: not even an empty one. */
		KUNIT_EXPECT_EQ(test, w.used + 16 <= size ? 0 : -EINVAL,
				kfd_image_put(&w, KFD_RECORD_MQD, data, 0));
	}
}

/* Lengths whose sums would wrap; the data must not be looked at. */
static void image_writer_overflow(struct kunit *test)
{
	static const u64 lengths[] = {
		IMAGE_BYTES, U32_MAX, KFD_IMAGE_MAX_BYTES,
		KFD_IMAGE_MAX_BYTES + 1ULL, S64_MAX, U64_MAX - 24,
		U64_MAX - 23, U64_MAX - 16, U64_MAX - 15, U64_MAX - 7,
		U64_MAX - 1, U64_MAX,
	};
	u8 *buf = kunit_kzalloc(test, IMAGE_BYTES, GFP_KERNEL);
	struct kfd_image_writer w;
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	KUNIT_ASSERT_EQ(test, 0, kfd_image_writer_init(&w, buf, IMAGE_BYTES));
	for (i = 0; i < ARRAY_SIZE(lengths); i++)
		KUNIT_EXPECT_EQ_MSG(test, -EINVAL,
				    kfd_image_put(&w, KFD_RECORD_MQD, buf,
						  lengths[i]),
				    "length %llx", lengths[i]);
	KUNIT_EXPECT_EQ(test, (u64)sizeof(struct kfd_image_header), (u64)w.used);
}

/* Records of other versions: shorter, longer, longer with something in it. */
static void image_record_versions(struct kunit *test)
{
	u8 data[24] = { 1, 2, 3, 4, 5, 6, 7, 8 }, out[16];
	struct kfd_record rec = { .data = data };

	rec.len = 7;
	KUNIT_EXPECT_EQ(test, -EINVAL, kfd_record_read(&rec, out, 16, 8));
	rec.len = 8;
	memset(out, GUARD, sizeof(out));
	KUNIT_EXPECT_EQ(test, 0, kfd_record_read(&rec, out, 16, 8));
	KUNIT_EXPECT_EQ(test, 8, (int)out[7]);
	KUNIT_EXPECT_EQ(test, 0, (int)out[8]);
	KUNIT_EXPECT_EQ(test, 0, (int)out[15]);
	rec.len = 24;
	KUNIT_EXPECT_EQ(test, 0, kfd_record_read(&rec, out, 16, 8));
	data[23] = 1;
	KUNIT_EXPECT_EQ(test, -E2BIG, kfd_record_read(&rec, out, 16, 8));
}

static struct kunit_case image_cases[] = {
	KUNIT_CASE(image_layout),
	KUNIT_CASE(image_round_trip),
	KUNIT_CASE(image_svm),
	KUNIT_CASE(image_truncated),
	KUNIT_CASE(image_unaligned),
	KUNIT_CASE(image_bytes_flipped),
	KUNIT_CASE(image_writer_lengths),
	KUNIT_CASE(image_writer_full),
	KUNIT_CASE(image_writer_overflow),
	KUNIT_CASE(image_record_versions),
	{}
};

struct kunit_suite kfd_image_suite = {
	.name = "kfd_image",
	.test_cases = image_cases,
};
