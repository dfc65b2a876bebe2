// SPDX-License-Identifier: GPL-2.0-only
/*
 * Images that nobody's CHECKPOINT made: real ones, spoilt in every way that
 * can be thought of. The driver takes them or refuses them with one of the
 * errnos that are meant for it; a refusal leaves the process as it was.
 */
#include <sys/mman.h>

#include "lib/kfd_image.h"
#include "lib/kfd_svm.h"
#include "lib/kfd_test.h"
#include "lib/kfd_workload.h"

/* No outcome of a restore, but what a child says when something is left over. */
#define TRACES	(-ENOTRECOVERABLE)

FIXTURE(hostile)
{
	struct kfd_snapshot s;
};

/* The workload, and two ranges of shared virtual memory. */
static int run_with_ranges(struct kfd_workload *w)
{
	char *first, *second;
	int ret = kfd_workload_start(w, 0);

	if (!ret)
		ret = kfd_svm_alloc(&w->k, 4 * KFD_PAGE, 0, &first);
	if (!ret)
		ret = kfd_svm_alloc(&w->k, 2 * KFD_PAGE, -1, &second);
	return ret ? ret : kfd_svm_set1(&w->k, second, 2 * KFD_PAGE,
					KFD_IOCTL_SVM_ATTR_PREFERRED_LOC, w->k.gpu[0].gpu_id);
}

/* Dumps itself; the contents are of no interest. */
static int dump_with_ranges(void *arg)
{
	struct kfd_workload *w = kfd_workload_new();
	struct kfd_snapshot s;
	int ret = w ? run_with_ranges(w) : -ENOMEM;

	if (!ret)
		ret = kfd_snapshot_checkpoint(w->k.fd, &s);
	return ret ? ret : kfd_snapshot_write(&s, *(int *)arg);
}

FIXTURE_SETUP(hostile)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	ASSERT_GE(fd, 0);
	ASSERT_OK(kfd_in_child(dump_with_ranges, &fd));
	ASSERT_EQ(0, lseek(fd, 0, SEEK_SET));
	ASSERT_OK(kfd_snapshot_read(&self->s, fd));
	close(fd);
}

FIXTURE_TEARDOWN(hostile)
{
	kfd_snapshot_free(&self->s);
}

static bool is_refusal(int ret)
{
	return ret == -EINVAL || ret == -E2BIG || ret == -ENOMEM || ret == -EFAULT ||
	       ret == -EBADF || ret == -EBUSY || ret == -ENOSPC || ret == -EOPNOTSUPP;
}

/* A refused process has nothing: no buffers, no fds, and is not paused. */
static int is_clean(struct kfd *k, int fds)
{
	struct kfd_ioctl_criu_args info;

	if (fds != kfd_count_fds())
		return TRACES;
	if (kfd_criu_unpause(k->fd) != -EINVAL)
		return TRACES;
	if (kfd_criu_info(k->fd, &info) || info.num_bos || info.num_objects ||
	    kfd_criu_unpause(k->fd))
		return TRACES;
	return kfd_set_xnack(k, -1) ? TRACES : 0;
}

static int restore_once(void *arg)
{
	struct kfd_snapshot *s = arg;
	struct kfd k;
	int ret, fds;

	if (kfd_snapshot_open(&k, s))
		return -EPROTO;
	fds = kfd_count_fds();
	ret = kfd_snapshot_restore_op(&k, s);
	return ret && is_clean(&k, fds) ? TRACES : ret;
}

/**
 * struct sweep - many spoilt images, one after the other
 * @s: the good image
 * @at: where the next one is spoilt; shared with the child that tries
 * @step: bytes from one spot to the next
 * @end: where to stop
 * @flip: what to do to the byte; 0 cuts the image off there instead
 * @taken: how many were accepted
 */
struct sweep {
	struct kfd_snapshot *s;
	uint64_t at, step, end;
	uint8_t flip;
	unsigned int taken;
};

/*
 * Go on with the sweep in this process until an image is accepted: such a
 * process cannot be used again. Returns 0 then, and -ENODATA at the end.
 */
static int sweep_some(void *arg)
{
	struct sweep *w = arg;
	struct kfd_ioctl_criu_args args;
	struct kfd k;
	int ret, fds;

	if (kfd_snapshot_open(&k, w->s))
		return -EPROTO;
	fds = kfd_count_fds();
	while (w->at < w->end) {
		uint64_t at = w->at;

		w->at += w->step;
		kfd_snapshot_args(w->s, &args);
		if (w->flip)
			w->s->priv[at] ^= w->flip;
		else
			args.priv_data_size = at;
		ret = kfd_criu_op(k.fd, &args, KFD_CRIU_OP_RESTORE);
		if (w->flip)
			w->s->priv[at] ^= w->flip;
		if (!ret) {
			w->taken++;
			return 0;
		}
		if (!is_refusal(ret) || is_clean(&k, fds)) {
			printf("# byte %llu: %d\n", (unsigned long long)at, ret);
			return TRACES;
		}
	}
	return -ENODATA;
}

static int sweep_all(struct sweep *template)
{
	struct sweep *w = mmap(NULL, sizeof(*w), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int ret;

	if (w == MAP_FAILED)
		return -errno;
	*w = *template;
	do
		ret = kfd_in_child(sweep_some, w);
	while (!ret);
	template->taken = w->taken;
	munmap(w, sizeof(*w));
	return ret == -ENODATA ? 0 : ret;
}

TEST_F_TIMEOUT(hostile, every_header_byte_flipped, 240)
{
	struct sweep w = { .s = &self->s, .step = 1, .end = 512, .flip = 0xff };

	REQUIRE_OURS();
	ASSERT_LT(512, self->s.info.priv_data_size);
	EXPECT_OK(sweep_all(&w));
	TH_LOG("%u of 512 accepted", w.taken);
}

/* Where every process is dear, fewer of them: criu_fuzz gets about as well. */
TEST_F_TIMEOUT(hostile, bytes_flipped_everywhere, 240)
{
	static const uint8_t flips[] = { 0x01, 0x80, 0xff };
	unsigned int i;

	REQUIRE_OURS();
	for (i = 0; i < 3; i++) {
		struct sweep w = {
			.s = &self->s, .at = 512 + i * 13,
			.step = (61 + i) * kfd_time_scale() | 1,
			.end = self->s.info.priv_data_size, .flip = flips[i],
		};

		EXPECT_OK(sweep_all(&w));
		TH_LOG("flip %#x: %u accepted", flips[i], w.taken);
	}
}

TEST_F_TIMEOUT(hostile, cut_off_everywhere, 240)
{
	struct sweep w = {
		.s = &self->s, .at = 1, .step = 37 * kfd_time_scale(),
		.end = self->s.info.priv_data_size,
	};

	REQUIRE_OURS();
	EXPECT_OK(sweep_all(&w));
	EXPECT_EQ(0, w.taken);
}

#define SPOILT(change, ...) \
	do { \
		struct kfd_snapshot bad; \
		int _ret; \
		ASSERT_OK(kfd_snapshot_copy(&self->s, &bad)); \
		{ change; } \
		_ret = kfd_in_child(restore_once, &bad); \
		EXPECT_TRUE(__VA_ARGS__) TH_LOG("got %d", _ret); \
		kfd_snapshot_free(&bad); \
	} while (0)

#define HEADER		((struct kfd_image_header *)bad.priv)
#define RECORD(kind, n, type) \
	((struct kfd_record_##type *)kfd_image_record(&bad, KFD_RECORD_##kind, n))

TEST_F_TIMEOUT(hostile, overlong, 60)
{
	REQUIRE_OURS();
	/* More than the image says that it is: zeros are room that was not needed. */
	SPOILT(bad.info.priv_data_size += 8, _ret == 0);
	SPOILT(bad.priv[bad.info.priv_data_size] = 1;
	       bad.info.priv_data_size += 8, _ret == -EINVAL || _ret == -E2BIG);
	SPOILT(HEADER->total_len += 8, _ret == -EINVAL);
	SPOILT(HEADER->total_len = UINT64_MAX, _ret == -EINVAL);
	SPOILT(HEADER->num_records++, _ret == -EINVAL);
	SPOILT(HEADER->num_records = 0xffffffff, _ret == -EINVAL);
	SPOILT(HEADER->num_records = 0, _ret == -EINVAL);
	SPOILT(HEADER->header_len = 0, _ret == -EINVAL);
	SPOILT(HEADER->header_len = 0xfffffff8, _ret == -EINVAL || _ret == -E2BIG);
}

/* Records longer than this driver knows: fine when the rest is zero. */
TEST_F_TIMEOUT(hostile, unknown_trailing_bytes_are_E2BIG, 120)
{
	static const uint32_t types[] = {
		KFD_RECORD_PROCESS, KFD_RECORD_DEVICE, KFD_RECORD_BO, KFD_RECORD_EVENT,
		KFD_RECORD_QUEUE, KFD_RECORD_SVM,
	};
	unsigned int i;

	REQUIRE_OURS();
	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		SPOILT(ASSERT_OK(kfd_image_grow(&bad, types[i], 0, 16, 0x7f)), _ret == -E2BIG);
		SPOILT(ASSERT_OK(kfd_image_grow(&bad, types[i], 0, 16, 0)), _ret == 0);
	}
}

TEST_F_TIMEOUT(hostile, records_too_short, 60)
{
	static const uint32_t types[] = {
		KFD_RECORD_DEVICE, KFD_RECORD_EVENT, KFD_RECORD_QUEUE,
		KFD_RECORD_MQD, KFD_RECORD_CTL_STACK,
	};
	const int bo_old = KFD_RECORD_BO_MIN - (int)sizeof(struct kfd_record_bo);
	const int svm_old = KFD_RECORD_SVM_MIN - (int)sizeof(struct kfd_record_svm);
	unsigned int i;

	REQUIRE_OURS();
	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		SPOILT(ASSERT_OK(kfd_image_grow(&bad, types[i], 0, -8, 0)), _ret == -EINVAL);
	/* The process's was shorter before there were ranges: it counts none then. */
	SPOILT(ASSERT_OK(kfd_image_grow(&bad, KFD_RECORD_PROCESS, 0, -8, 0)), _ret == -EINVAL);
	SPOILT(ASSERT_OK(kfd_image_grow(&bad, KFD_RECORD_PROCESS, 0, -16, 0)), _ret == -EINVAL);
	/* So were those of buffers and ranges before lost memory was told of. */
	SPOILT(ASSERT_OK(kfd_image_grow(&bad, KFD_RECORD_BO, 0, bo_old, 0)), _ret == 0);
	SPOILT(ASSERT_OK(kfd_image_grow(&bad, KFD_RECORD_SVM, 0, svm_old, 0)), _ret == 0);
	SPOILT(ASSERT_OK(kfd_image_grow(&bad, KFD_RECORD_BO, 0, bo_old - 8, 0)), _ret == -EINVAL);
	SPOILT(ASSERT_OK(kfd_image_grow(&bad, KFD_RECORD_SVM, 0, svm_old - 8, 0)),
	       _ret == -EINVAL);
}

TEST_F_TIMEOUT(hostile, unknown_kinds, 60)
{
	REQUIRE_OURS();
	SPOILT(((struct kfd_record_header *)RECORD(EVENT, 0, event) - 1)->type = 99,
	       _ret == -E2BIG);
	SPOILT(((struct kfd_record_header *)RECORD(EVENT, 0, event) - 1)->type = 0,
	       _ret == -E2BIG || _ret == -EINVAL);
	SPOILT(HEADER->magic ^= 1, _ret == -EINVAL);
	SPOILT(HEADER->version++, _ret == -E2BIG || _ret == -EINVAL);
	SPOILT(((struct kfd_record_header *)RECORD(BO, 0, bo) - 1)->version = 77,
	       _ret == -E2BIG || _ret == -EINVAL);
}

/* What buckets and records say of one buffer must agree. */
TEST_F_TIMEOUT(hostile, buckets_that_disagree, 120)
{
	REQUIRE_OURS();
	SPOILT(bad.bos[0].addr += KFD_PAGE, _ret == -EINVAL);
	SPOILT(bad.bos[0].size += KFD_PAGE, _ret == -EINVAL);
	SPOILT(bad.bos[0].size = UINT64_MAX, _ret == -EINVAL);
	SPOILT(bad.bos[0].gpu_id ^= 0x8000, _ret == -EINVAL);
	SPOILT(bad.bos[0].alloc_flags ^= 3, _ret == -EINVAL);
	SPOILT(bad.bos[0] = bad.bos[1], _ret == -EINVAL);
	SPOILT(bad.devices[0].user_gpu_id = 0, _ret == -EINVAL);
}

TEST_F_TIMEOUT(hostile, buffers_that_cannot_be, 120)
{
	REQUIRE_OURS();
	SPOILT(bad.bos[0].size = RECORD(BO, 0, bo)->size = 1ULL << 46,
	       _ret == -ENOMEM || _ret == -EINVAL);
	SPOILT(bad.bos[0].size = RECORD(BO, 0, bo)->size = 0, _ret == -EINVAL);
	SPOILT(bad.bos[0].size = RECORD(BO, 0, bo)->size = 4097, _ret == -EINVAL);
	SPOILT(bad.bos[0].addr = RECORD(BO, 0, bo)->va = 0, _ret == -EINVAL);
	SPOILT(bad.bos[0].addr = RECORD(BO, 0, bo)->va = 0xffff888000000000, _ret == -EINVAL);
	SPOILT(bad.bos[0].addr = RECORD(BO, 0, bo)->va = RECORD(BO, 1, bo)->va,
	       _ret == -EINVAL);
	SPOILT(bad.bos[0].alloc_flags = RECORD(BO, 0, bo)->alloc_flags = 0x1f, _ret == -EINVAL);
	SPOILT(bad.bos[0].alloc_flags = RECORD(BO, 0, bo)->alloc_flags = 0, _ret == -EINVAL);
	SPOILT(RECORD(BO, 0, bo)->num_mapped = 9, _ret == -EINVAL);
	SPOILT(RECORD(BO, 0, bo)->num_mapped = 0xffffffff, _ret == -EINVAL);
	SPOILT(RECORD(BO, 0, bo)->mapped[0] = 0xfffe, _ret == -EINVAL);
	SPOILT(RECORD(BO, 0, bo)->num_mapped = 2;
	       RECORD(BO, 0, bo)->mapped[1] = RECORD(BO, 0, bo)->mapped[0], _ret == -EINVAL);
}

/* Make every VRAM buffer of the image @size large, and move them apart. */
static void inflate_vram(struct kfd_snapshot *s, uint64_t size)
{
	uint32_t i;

	for (i = 0; i < s->info.num_bos; i++) {
		struct kfd_record_bo *bo = kfd_image_record(s, KFD_RECORD_BO, i);

		if (!(s->bos[i].alloc_flags & KFD_IOC_ALLOC_MEM_FLAGS_VRAM))
			continue;
		bo->size = size;
		bo->va = KFD_ARENA_BASE + ((i + 1ULL) << 36);
		s->bos[i].size = bo->size;
		s->bos[i].addr = bo->va;
	}
}

/* More VRAM than there is: refused as a whole, and all of it given back. */
TEST_F_TIMEOUT(hostile, more_vram_than_there_is, 60)
{
	uint64_t before;
	struct kfd k;

	REQUIRE_OURS();
	ASSERT_OK(kfd_open(&k));
	ASSERT_OK(kfd_available_settled(&k, 0, &before));
	SPOILT(inflate_vram(&bad, k.gpu[0].vram / 3 * 2 & ~(KFD_PAGE - 1)), _ret == -ENOMEM);
	EXPECT_OK(kfd_vram_is_back(&k, before));
	kfd_stop(&k);
}

TEST_F_TIMEOUT(hostile, events_that_cannot_be, 60)
{
	REQUIRE_OURS();
	SPOILT(RECORD(EVENT, 0, event)->type = 9, _ret == -EINVAL);
	SPOILT(RECORD(EVENT, 0, event)->slot = 4096, _ret == -EINVAL);
	SPOILT(RECORD(EVENT, 0, event)->slot = 0xffffffff, _ret == -EINVAL);
	SPOILT(RECORD(EVENT, 0, event)->auto_reset = 2, _ret == -EINVAL);
	SPOILT(RECORD(EVENT, 0, event)->signaled = 0x80000000, _ret == -EINVAL);
	SPOILT(RECORD(EVENT, 0, event)->reserved = 1, _ret == -EINVAL || _ret == -E2BIG);
	SPOILT(RECORD(EVENT, 0, event)->slot = RECORD(EVENT, 1, event)->slot, _ret == -EINVAL);
}

#define RANGE(n)	RECORD(SVM, n, svm)

static void swap_ranges(struct kfd_snapshot *s)
{
	struct kfd_record_svm *first = kfd_image_record(s, KFD_RECORD_SVM, 0);
	struct kfd_record_svm *second = kfd_image_record(s, KFD_RECORD_SVM, 1);
	struct kfd_record_svm was = *first;

	*first = *second;
	*second = was;
}

TEST_F_TIMEOUT(hostile, ranges_that_cannot_be, 120)
{
	const uint64_t last_page = 0x7ffffffff000;

	REQUIRE_OURS();
	/* Buffers are there, mapped on a GPU: another one's pages would be shared. */
	SPOILT(RANGE(0)->start = RECORD(BO, 0, bo)->va; RANGE(0)->size = KFD_PAGE,
	       _ret == -EINVAL);
	SPOILT(RANGE(0)->start = RECORD(BO, 0, bo)->va - KFD_PAGE; RANGE(0)->size = 2 * KFD_PAGE,
	       _ret == -EINVAL);
	/* Over each other, or not in order. */
	SPOILT(RANGE(1)->start = RANGE(0)->start, _ret == -EINVAL);
	SPOILT(RANGE(1)->start = RANGE(0)->start + RANGE(0)->size - KFD_PAGE, _ret == -EINVAL);
	SPOILT(RANGE(0)->size = 1ULL << 46, _ret == -EINVAL);
	SPOILT(swap_ranges(&bad), _ret == -EINVAL);
	/* Where no process has memory, or not as pages have it. */
	SPOILT(RANGE(0)->start = 0, _ret == -EINVAL);
	SPOILT(RANGE(1)->start = 0xffff888000000000, _ret == -EINVAL);
	SPOILT(RANGE(1)->start = last_page; RANGE(1)->size = 2 * KFD_PAGE, _ret == -EINVAL);
	SPOILT(RANGE(1)->start += 1, _ret == -EINVAL);
	SPOILT(RANGE(1)->size = 0, _ret == -EINVAL);
	SPOILT(RANGE(1)->size = 0xfffffffffffff000, _ret == -EINVAL);
	SPOILT(RECORD(PROCESS, 0, process)->num_svm--, _ret == -EINVAL);
	SPOILT(RECORD(PROCESS, 0, process)->num_svm++, _ret == -EINVAL);
	SPOILT(bad.info.num_objects--, _ret == -EINVAL);
	EXPECT_OK(kfd_in_child(restore_once, &self->s));
}

TEST_F_TIMEOUT(hostile, attributes_that_cannot_be, 120)
{
	REQUIRE_OURS();
	SPOILT(RANGE(0)->flags = 0x80, _ret == -EINVAL);
	SPOILT(RANGE(0)->granularity = 64, _ret == -EINVAL);
	SPOILT(RANGE(0)->num_access = 9, _ret == -EINVAL);
	SPOILT(RANGE(0)->num_access = 0, _ret == -EINVAL);
	SPOILT(RANGE(0)->gpu_id[0] = 0xfffe, _ret == -EINVAL);
	SPOILT(RANGE(0)->num_access = 2; RANGE(0)->access[1] = RANGE(0)->access[0];
	       RANGE(0)->gpu_id[1] = RANGE(0)->gpu_id[0], _ret == -EINVAL);
	SPOILT(RANGE(0)->access[0] = 3, _ret == -EINVAL);
	SPOILT(RANGE(1)->preferred_loc = 0xfffe, _ret == -EINVAL);
	SPOILT(RANGE(1)->prefetch_loc = 0xfffe, _ret == -EINVAL);
	SPOILT(RANGE(1)->others = 2, _ret == -EINVAL);
	SPOILT(RECORD(PROCESS, 0, process)->reserved2 = 1, _ret == -EINVAL);
	SPOILT(RECORD(PROCESS, 0, process)->xnack = 2, _ret == -EINVAL);
	/* Every GPU here can do it, so queues and all come back with it. */
	SPOILT(RECORD(PROCESS, 0, process)->xnack = 1, _ret == 0);
	EXPECT_OK(kfd_in_child(restore_once, &self->s));
}

/*
 * Registers in an MQD are rebuilt, not believed: whatever it says, the queue
 * gets no other VM's memory, and the process goes on or is told of a fault.
 */
static int restore_and_run(void *arg)
{
	struct kfd_snapshot *s = arg;
	struct kfd k;
	int ret;

	if (kfd_snapshot_open(&k, s))
		return -EPROTO;
	ret = kfd_snapshot_restore_op(&k, s);
	if (ret)
		return is_refusal(ret) ? 0 : ret;
	kfd_snapshot_close_fds(s);
	ret = kfd_criu_resume(k.fd, getpid());
	kfd_sleep_ms(20);
	return ret && !is_refusal(ret) && ret != -EIO && ret != -ETIME ? ret : 0;
}

TEST_F_TIMEOUT(hostile, mqds_of_junk, 240)
{
	static const uint8_t junk[] = { 0xff, 0xa5, 0x01 };
	struct kfd_record_queue *q;
	unsigned int i, n;

	REQUIRE_OURS();
	for (n = 0; (q = kfd_image_record(&self->s, KFD_RECORD_QUEUE, n)); n++)
		for (i = 0; i < 3; i++) {
			struct kfd_snapshot bad;
			uint32_t size = q->mqd_size;

			ASSERT_OK(kfd_snapshot_copy(&self->s, &bad));
			memset(kfd_image_record(&bad, KFD_RECORD_MQD, n), junk[i], size);
			EXPECT_OK(kfd_in_child(restore_and_run, &bad))
				TH_LOG("queue %u, junk %#x", n, junk[i]);
			kfd_snapshot_free(&bad);
		}
	ASSERT_GE(n, 2);
	/* The driver is as good as before. */
	EXPECT_OK(kfd_in_child(restore_once, &self->s));
}

TEST_F_TIMEOUT(hostile, nothing_but_random_bytes, 120)
{
	struct kfd_snapshot bad;
	unsigned int i;

	for (i = 0; i < 20; i++) {
		ASSERT_OK(kfd_snapshot_copy(&self->s, &bad));
		kfd_fill_pattern(bad.priv, bad.info.priv_data_size & ~3ULL, i);
		EXPECT_ERR(EINVAL, kfd_in_child(restore_once, &bad));
		kfd_snapshot_free(&bad);
	}
}

KFD_TEST_MAIN
