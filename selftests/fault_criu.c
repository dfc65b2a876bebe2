// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every allocation made to fail in what a process does once: open the driver,
 * take a VM, give the event page; be dumped, be restored, be resumed. See
 * lib/kfd_fault.h.
 *
 * What cannot be undone is done by a child, which tries until it succeeds and
 * then is a process like any other. When it succeeded although something had
 * failed, another child goes on with the next allocation.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "lib/kfd_fault_test.h"
#include "lib/kfd_fdinfo.h"
#include "lib/kfd_mem.h"
#include "lib/kfd_svm.h"
#include "lib/kfd_workload.h"

#define FLAGS		WORKLOAD_SMALL
#define RANGES		4
#define RANGES_SIZE	(2 * RANGES * KFD_PAGE)
#define FALLBACK	"kvmalloc() has a second way, and so has " XARRAY

/**
 * struct fault_once - an operation tried by child after child
 * @w: the process that is dumped and restored
 * @image: file with its image
 * @op: the operation
 * @tally: how it goes, over all children
 * @k: the child's driver
 * @s: the image
 * @bos: the buckets as they were before a RESTORE wrote into them
 * @page: the event page
 * @fresh: a buffer that has not been exported yet: a DMA-BUF is kept
 * @ranges: memory of the process that is dumped: RANGES ranges of a page, each
 *	before a page that has none
 * @half: two pages of it that were registered, of which the second is gone
 *
 * In memory that all children share.
 */
struct fault_once {
	struct kfd_workload *w;
	int image;
	const struct kfd_fault_op *op;
	struct kfd_fault_tally tally;
	struct kfd k;
	struct kfd_snapshot s;
	struct kfd_criu_bo_bucket *bos;
	struct kfd_bo page;
	struct kfd_bo fresh;
	char *ranges;
	char *half;
};

FIXTURE(fault_criu) { struct fault_once *once; };

FIXTURE_SETUP(fault_criu)
{
	self->once = mmap(NULL, sizeof(*self->once), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->once);
	self->once->w = kfd_workload_new();
	ASSERT_NE(NULL, self->once->w);
	self->once->image = memfd_create("image", MFD_CLOEXEC);
	ASSERT_GE(self->once->image, 0);
}

FIXTURE_TEARDOWN(fault_criu)
{
	close(self->once->image);
}

#define ONCE(data)	((struct fault_once *)(data))

/* --- ranges of shared virtual memory ----------------------------------------- */

static int half_make(struct fault_once *o)
{
	static char text[256 << 10];
	struct kfd *k = &o->w->k;
	struct kfd_bo bo;
	int ret;

	o->half = kfd_some_memory(k, 2 * KFD_PAGE);
	if (!o->half)
		return -ENOMEM;
	ret = kfd_bo_userptr(k, 0, o->half, 2 * KFD_PAGE, &bo);
	if (!ret && munmap(o->half + KFD_PAGE, KFD_PAGE))
		ret = -errno;
	/* The queues stand still until it has been given up. */
	return ret ? ret : kfd_fdinfo_settled(k->fd, text, sizeof(text),
					      20000 * kfd_time_scale());
}

static int half_map(struct fault_once *o)
{
	return mmap(o->half, KFD_PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == o->half ?
	       0 : -errno;
}

/* Each a little different; the GPU can reach those of even number. */
static int ranges_make(struct fault_once *o)
{
	struct kfd *k = &o->w->k;
	struct kfd_ioctl_svm_attribute attrs[] = {
		{ KFD_IOCTL_SVM_ATTR_GRANULARITY, 0 },
		{ KFD_IOCTL_SVM_ATTR_ACCESS, k->gpu[0].gpu_id },
	};
	unsigned int i;
	int ret;

	ret = kfd_svm_alloc(k, RANGES_SIZE, -1, &o->ranges);
	for (i = 0; i < RANGES && !ret; i++) {
		attrs[0].value = i;
		ret = kfd_svm_set(k, o->ranges + 2 * i * KFD_PAGE, KFD_PAGE, attrs, 2 - i % 2);
	}
	return ret ? ret : half_make(o);
}

/* Memory at their place, as criu would have brought it back. */
static int ranges_map(struct fault_once *o)
{
	return mmap(o->ranges, RANGES_SIZE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == o->ranges ?
	       half_map(o) : -errno;
}

static int ranges_check(struct fault_once *o, struct kfd *k)
{
	const uint32_t kinds[] = { KFD_IOCTL_SVM_ATTR_ACCESS, KFD_IOCTL_SVM_ATTR_NO_ACCESS };
	uint32_t value;
	unsigned int i;
	int ret = 0;

	for (i = 0; i < 2 * RANGES && !ret; i++) {
		char *p = o->ranges + i * KFD_PAGE;
		uint32_t gran = i % 2 ? SVM_DEFAULT_GRANULARITY : i / 2;

		ret = kfd_svm_get1(k, p, KFD_PAGE, KFD_IOCTL_SVM_ATTR_GRANULARITY, &value);
		if (!ret && value != gran)
			ret = -EILSEQ;
		if (!ret && kfd_svm_access_of(k, p, KFD_PAGE, 0) != kinds[i % 4 != 0])
			ret = -EACCES;
	}
	if (ret)
		printf("# page %u of the ranges: %d\n", i - 1, ret);
	return ret;
}

/* --- PROCESS_INFO, CHECKPOINT, UNPAUSE of a busy process --------------------- */

static int info(void *data)
{
	return kfd_criu_info(ONCE(data)->w->k.fd, &ONCE(data)->s.info);
}

static int unpause(void *data)
{
	return kfd_criu_unpause(ONCE(data)->w->k.fd);
}

static int info_end(void *data, int ret)
{
	return ret ? 0 : unpause(data);
}

static int unpause_end(void *data, int ret)
{
	return ret ? unpause(data) : 0;
}

static int checkpoint_prepare(void *data)
{
	struct fault_once *o = data;
	int ret;

	memset(&o->s, 0, sizeof(o->s));
	ret = kfd_bo_alloc(&o->w->k, 0, MEM_VRAM, KFD_PAGE, &o->fresh);
	if (!ret)
		ret = info(data);
	return ret ? ret : kfd_snapshot_alloc(&o->s);
}

static int checkpoint(void *data)
{
	struct fault_once *o = data;
	struct kfd_ioctl_criu_args args;

	kfd_snapshot_args(&o->s, &args);
	return kfd_criu_op(o->w->k.fd, &args, KFD_CRIU_OP_CHECKPOINT);
}

static int checkpoint_end(void *data, int ret)
{
	struct fault_once *o = data;

	if (ret)
		o->s.info.num_bos = 0;	/* numbers in the buckets are no files of ours */
	kfd_snapshot_free(&o->s);
	ret = kfd_bo_free(&o->w->k, &o->fresh);
	return ret ? ret : unpause(data);
}

static const struct kfd_fault_op dump_ops[] = {
	{ .name = "PROCESS_INFO", .op = info, .finish = info_end },
	{ .name = "CHECKPOINT", .prepare = checkpoint_prepare, .op = checkpoint,
	  .finish = checkpoint_end, .fallback = FALLBACK },
	{ .name = "UNPAUSE", .prepare = info, .op = unpause, .finish = unpause_end },
};

TEST_F_TIMEOUT(fault_criu, dump, FAULT_SECONDS)
{
	struct fault_once *o = self->once;
	unsigned int i;

	ASSERT_OK(kfd_workload_start(o->w, FLAGS));
	ASSERT_OK(ranges_make(o));
	for (i = 0; i < sizeof(dump_ops) / sizeof(dump_ops[0]); i++)
		EXPECT_OK(fault_run(&o->w->k, &dump_ops[i], o, NULL))
			TH_LOG("in %s", dump_ops[i].name);
	EXPECT_OK(ranges_check(o, &o->w->k));
	EXPECT_OK(kfd_workload_finish(o->w)) TH_LOG("%s", o->w->step);
}

/* --- what is done once ------------------------------------------------------- */

static int once_child(void *data)
{
	struct fault_once *o = data;
	int ret;

	memset(&o->k, 0, sizeof(o->k));
	o->k.fd = -1;
	ret = o->op->setup ? o->op->setup(data) : 0;
	if (ret) {
		printf("# %s: setup: %d\n", o->op->name, ret);
		return ret;
	}
	return kfd_fault_loop(&o->k, o->op, data, NULL, &o->tally);
}

static int run_once(struct fault_once *o, const struct kfd_fault_op *op)
{
	int ret, ret2;

	o->op = op;
	o->tally = (struct kfd_fault_tally){ .n = 1 };
	do
		ret = kfd_in_child(once_child, o);
	while (ret == -EAGAIN);
	ret2 = fault_report(op, &o->tally);
	return ret ? ret : ret2;
}

static int dump_child(void *data)
{
	struct fault_once *o = data;
	struct kfd_snapshot s;
	int ret;

	ret = kfd_workload_start(o->w, FLAGS);
	if (!ret)
		ret = ranges_make(o);
	if (!ret)
		ret = kfd_workload_save(o->w, &s);
	return ret ? ret : kfd_snapshot_write(&s, o->image);
}

static int read_image(struct fault_once *o)
{
	if (lseek(o->image, 0, SEEK_SET))
		return -errno;
	return kfd_snapshot_read(&o->s, o->image);
}

static int restore_setup(void *data)
{
	struct fault_once *o = data;
	size_t size;
	int ret;

	ret = read_image(o);
	if (!ret)
		ret = kfd_snapshot_open(&o->k, &o->s);
	if (ret)
		return ret;
	size = o->s.info.num_bos * sizeof(*o->bos);
	o->bos = malloc(size);
	if (!o->bos)
		return -ENOMEM;
	memcpy(o->bos, o->s.bos, size);
	return 0;
}

static int restore_prepare(void *data)
{
	struct fault_once *o = data;

	memcpy(o->s.bos, o->bos, o->s.info.num_bos * sizeof(*o->bos));
	return 0;
}

static int restore(void *data)
{
	return kfd_snapshot_restore_op(&ONCE(data)->k, &ONCE(data)->s);
}

/* The process that came of it goes on to its end; a copy: others follow. */
static int go_on(struct fault_once *o, struct kfd_workload *w)
{
	struct kfd_workload copy = *w;
	int ret = ranges_check(o, &copy.k);

	if (ret)
		return ret;
	ret = kfd_workload_finish(&copy);
	if (ret)
		printf("# the restored process fails in: %s\n", copy.step);
	return ret;
}

static int restore_end(void *data, int ret)
{
	struct fault_once *o = data;
	struct kfd_workload w = *o->w;

	if (ret)
		return 0;
	ret = kfd_snapshot_after_restore(&o->k, &o->s);
	if (!ret)
		ret = kfd_workload_adopt(&w, &o->k);
	if (!ret)
		ret = ranges_map(o);
	if (!ret)
		ret = kfd_criu_resume(w.k.fd, getpid());
	return ret ? ret : go_on(o, &w);
}

static int resume_setup(void *data)
{
	struct fault_once *o = data;
	struct kfd_workload w = *o->w;
	int ret;

	ret = read_image(o);
	if (!ret)
		ret = kfd_snapshot_open(&o->k, &o->s);
	if (!ret)
		ret = kfd_snapshot_restore_op(&o->k, &o->s);
	if (!ret)
		ret = kfd_snapshot_after_restore(&o->k, &o->s);
	if (!ret)
		ret = kfd_workload_adopt(&w, &o->k);
	if (!ret)
		ret = ranges_map(o);
	o->k = w.k;
	return ret;
}

static int resume(void *data)
{
	return kfd_criu_resume(ONCE(data)->k.fd, getpid());
}

/* One that failed half-way goes on where it was when it is asked again. */
static int resume_end(void *data, int ret)
{
	struct fault_once *o = data;
	struct kfd_workload w = *o->w;

	ret = ret ? resume(data) : 0;
	w.k = o->k;
	return ret ? ret : go_on(o, &w);
}

static int open_kfd(void *data)
{
	ONCE(data)->k.fd = open("/dev/kfd", O_RDWR | O_CLOEXEC);
	return ONCE(data)->k.fd < 0 ? -errno : 0;
}

/* It is a process that can do everything. */
static int use(struct kfd *k)
{
	struct kfd_bo bo;
	int ret;

	ret = kfd_bo_create(k, 0, MEM_VRAM, KFD_PAGE, &bo);
	if (!ret)
		*(volatile int *)bo.cpu = 1;
	return ret ? ret : kfd_bo_destroy(k, &bo);
}

static int open_end(void *data, int ret)
{
	struct fault_once *o = data;

	if (ret)
		return 0;
	close(o->k.fd);
	ret = kfd_start(&o->k);
	return ret ? ret : use(&o->k);
}

static int acquire_setup(void *data)
{
	int ret = kfd_open(&ONCE(data)->k);

	return ret ? ret : kfd_open_drm(&ONCE(data)->k);
}

static int acquire(void *data)
{
	struct fault_once *o = data;
	struct kfd_ioctl_acquire_vm_args args = {
		.drm_fd = o->k.gpu[0].drm_fd, .gpu_id = o->k.gpu[0].gpu_id,
	};

	return kfd_call(o->k.fd, AMDKFD_IOC_ACQUIRE_VM, &args);
}

static int acquire_end(void *data, int ret)
{
	return ret ? 0 : use(&ONCE(data)->k);
}

static int page_setup(void *data)
{
	struct fault_once *o = data;
	int ret = kfd_start(&o->k);

	return ret ? ret : kfd_bo_create(&o->k, 0, MEM_GTT, KFD_EVENT_PAGE_SIZE, &o->page);
}

static int give_page(void *data)
{
	struct fault_once *o = data;
	struct kfd_ioctl_create_event_args ev = {
		.event_type = KFD_IOC_EVENT_SIGNAL, .event_page_offset = o->page.handle,
	};

	return kfd_call(o->k.fd, AMDKFD_IOC_CREATE_EVENT, &ev);
}

/* The page is held, and one more event has its slot there. */
static int page_end(void *data, int ret)
{
	struct kfd_ioctl_create_event_args ev;
	struct fault_once *o = data;
	uint64_t *slots = o->page.cpu;

	if (ret)
		return 0;
	ret = kfd_event_create(&o->k, KFD_IOC_EVENT_SIGNAL, false, &ev);
	if (ret)
		return ret;
	return slots[ev.event_slot_index] == UINT64_MAX ? 0 : -EILSEQ;
}

static const struct kfd_fault_op open_op = {
	.name = "open /dev/kfd", .op = open_kfd, .finish = open_end, .once = true,
	.fallback = XARRAY,
};

static const struct kfd_fault_op acquire_op = {
	.name = "ACQUIRE_VM", .setup = acquire_setup, .op = acquire, .finish = acquire_end,
	.once = true, .fallback = XARRAY,
};

static const struct kfd_fault_op page_op = {
	.name = "event page", .setup = page_setup, .op = give_page, .finish = page_end,
	.once = true, .fallback = XARRAY,
};

static const struct kfd_fault_op restore_op = {
	.name = "RESTORE", .setup = restore_setup, .prepare = restore_prepare, .op = restore,
	.finish = restore_end, .once = true, .fallback = FALLBACK,
};

static const struct kfd_fault_op resume_op = {
	.name = "RESUME", .setup = resume_setup, .op = resume, .finish = resume_end,
	.once = true, .partly = true, .fallback = FALLBACK,
};

TEST_F_TIMEOUT(fault_criu, open_the_driver, FAULT_SECONDS)
{
	EXPECT_OK(run_once(self->once, &open_op));
}

TEST_F_TIMEOUT(fault_criu, take_a_vm, FAULT_SECONDS)
{
	EXPECT_OK(run_once(self->once, &acquire_op));
}

TEST_F_TIMEOUT(fault_criu, give_the_event_page, FAULT_SECONDS)
{
	EXPECT_OK(run_once(self->once, &page_op));
}

TEST_F_TIMEOUT(fault_criu, restore, FAULT_SECONDS)
{
	ASSERT_OK(kfd_in_child(dump_child, self->once));
	EXPECT_OK(run_once(self->once, &restore_op));
}

TEST_F_TIMEOUT(fault_criu, resume, FAULT_SECONDS)
{
	ASSERT_OK(kfd_in_child(dump_child, self->once));
	EXPECT_OK(run_once(self->once, &resume_op));
}

KFD_FAULT_TEST_MAIN
