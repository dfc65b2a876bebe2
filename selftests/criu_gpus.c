// SPDX-License-Identifier: GPL-2.0-only
/*
 * GPUs on which a process has no state: they are not in the checkpoint, and
 * nobody needs them for the restore.
 */
#include <fcntl.h>

#include "lib/kfd_image.h"
#include "lib/kfd_svm.h"
#include "lib/kfd_test.h"
#include "lib/kfd_workload.h"

#define SEED		7
#define BO_BYTES	(4 * KFD_PAGE)
#define RANGE_BYTES	(4 * KFD_PAGE)

/**
 * struct some_gpus - a process that uses some of the GPUs
 * @file: memfd for its image
 * @used: GPU that it has a VM on, in the order of the nodes; -1: none
 * @onto: GPU that it is restored on; -1: none
 * @event: an event that it has
 * @range: shared virtual memory that it has; 0: none
 */
struct some_gpus {
	int file;
	int used;
	int onto;
	uint32_t event;
	uint64_t range;
};

FIXTURE(criu_gpus) { struct some_gpus *t; };

FIXTURE_SETUP(criu_gpus)
{
	struct kfd k;

	ASSERT_OK(kfd_open(&k));
	close(k.fd);
	REQUIRE_GPUS(&k, 2);
	REQUIRE_OURS();
	self->t = mmap(NULL, sizeof(*self->t), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->t);
	self->t->file = memfd_create("image", MFD_CLOEXEC);
	ASSERT_GE(self->t->file, 0);
}

FIXTURE_TEARDOWN(criu_gpus)
{
	if (!self->t)
		return;
	close(self->t->file);
	munmap(self->t, sizeof(*self->t));
}

static int open_render(struct kfd_gpu *gpu)
{
	char path[64];

	snprintf(path, sizeof(path), "/dev/dri/renderD%d", gpu->render_minor);
	gpu->drm_fd = open(path, O_RDWR | O_CLOEXEC);
	return gpu->drm_fd < 0 ? -errno : 0;
}

static int acquire(struct kfd *k, int gpu)
{
	struct kfd_ioctl_acquire_vm_args args = { .gpu_id = k->gpu[gpu].gpu_id };
	int ret = open_render(&k->gpu[gpu]);

	if (ret)
		return ret;
	args.drm_fd = k->gpu[gpu].drm_fd;
	return kfd_call(k->fd, AMDKFD_IOC_ACQUIRE_VM, &args);
}

/* Dump itself into the file: only what it uses is in it. */
static int dump(struct some_gpus *t, struct kfd *k)
{
	struct kfd_snapshot s;
	int ret;

	ret = kfd_snapshot_dump(k, k->fd, &s);
	if (ret)
		return ret;
	if (s.info.num_devices != (t->used < 0 ? 0 : 1))
		return -ENODEV;
	if (t->used >= 0 && s.devices[0].actual_gpu_id != k->gpu[t->used].gpu_id)
		return -ENXIO;
	ret = kfd_snapshot_write(&s, t->file);
	return ret ? ret : kfd_criu_unpause(k->fd);
}

static int start(struct some_gpus *t, struct kfd *k)
{
	struct kfd_ioctl_create_event_args ev;
	int ret;

	ret = kfd_open(k);
	if (!ret && t->used >= 0)
		ret = acquire(k, t->used);
	if (!ret)
		ret = kfd_event_create(k, KFD_IOC_EVENT_SIGNAL, false, &ev);
	t->event = ev.event_id;
	return ret;
}

static int dump_one(void *arg)
{
	struct some_gpus *t = arg;
	struct kfd_bo bo;
	struct kfd k;
	int ret;

	ret = start(t, &k);
	if (!ret)
		ret = kfd_bo_create(&k, t->used, MEM_VRAM, BO_BYTES, &bo);
	if (ret)
		return ret;
	kfd_fill_pattern(bo.cpu, BO_BYTES, SEED);
	return dump(t, &k);
}

/* Where there are no GPUs and no buffers, no pointers are needed to them. */
static int dump_none(void *arg)
{
	struct kfd_ioctl_criu_args args;
	struct some_gpus *t = arg;
	struct kfd_snapshot s = {};
	struct kfd k;
	int ret;

	ret = start(t, &k);
	if (!ret)
		ret = dump(t, &k);
	if (!ret)
		ret = kfd_criu_info(k.fd, &s.info);
	if (!ret)
		ret = kfd_snapshot_alloc(&s);
	if (ret)
		return ret;
	kfd_snapshot_args(&s, &args);
	args.devices = 0;
	args.bos = 0;
	return kfd_criu_op(k.fd, &args, KFD_CRIU_OP_CHECKPOINT);
}

/* With XNACK every GPU may reach every range, those without a VM too. */
static int dump_range(void *arg)
{
	struct some_gpus *t = arg;
	struct kfd k;
	char *mem;
	int ret;

	ret = start(t, &k);
	if (!ret && kfd_set_xnack(&k, 1) != 1)
		ret = -EOPNOTSUPP;
	if (!ret)
		ret = kfd_svm_alloc(&k, RANGE_BYTES, t->used, &mem);
	t->range = (uintptr_t)mem;
	return ret ? ret : dump(t, &k);
}

static int read_image(struct some_gpus *t, struct kfd_snapshot *s)
{
	return lseek(t->file, 0, SEEK_SET) ? -errno : kfd_snapshot_read(s, t->file);
}

/*
 * RESTORE and RESUME with a file of the one GPU that is to be used, which
 * takes the place in @k that belongs to the only bucket.
 */
static int restore(struct some_gpus *t, struct kfd *k, struct kfd_snapshot *s)
{
	struct kfd_gpu gpu;
	int ret;

	ret = read_image(t, s);
	if (!ret)
		ret = kfd_open(k);
	if (!ret && t->onto >= 0) {
		gpu = k->gpu[0];
		k->gpu[0] = k->gpu[t->onto];
		k->gpu[t->onto] = gpu;
		ret = open_render(&k->gpu[0]);
		s->devices[0].actual_gpu_id = k->gpu[0].gpu_id;
		s->devices[0].drm_fd = k->gpu[0].drm_fd;
	}
	if (!ret)
		ret = kfd_snapshot_restore_op(k, s);
	if (!ret)
		ret = kfd_snapshot_after_restore(k, s);
	if (!ret && t->range &&
	    mmap((void *)t->range, RANGE_BYTES, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED)
		ret = -errno;
	return ret ? ret : kfd_criu_resume(k->fd, getpid());
}

static int check_event(struct kfd *k, uint32_t id)
{
	uint32_t result;
	int ret;

	ret = kfd_event_set(k, id);
	if (!ret)
		ret = kfd_event_wait_one(k, id, 0, &result);
	return ret ? ret : result == KFD_IOC_WAIT_RESULT_COMPLETE ? 0 : -ETIME;
}

static int restore_one(void *arg)
{
	struct some_gpus *t = arg;
	struct kfd_snapshot s;
	struct kfd_bo bo;
	struct kfd k;
	int ret;

	ret = restore(t, &k, &s);
	if (ret)
		return ret;
	if (!kfd_check_pattern((void *)(uintptr_t)s.bos[0].addr, BO_BYTES, SEED))
		return -EILSEQ;
	ret = check_event(&k, t->event);
	/* behind the buffer that is there */
	k.next_va = s.bos[0].addr + (1 << 20);
	if (!ret)
		ret = kfd_bo_create(&k, 0, MEM_VRAM, BO_BYTES, &bo);
	/* The other one is known by its own id, unless that stands for the first. */
	if (!ret && t->used == t->onto)
		ret = acquire(&k, 1);
	if (!ret && t->used == t->onto)
		ret = kfd_bo_create(&k, 1, MEM_VRAM, BO_BYTES, &bo);
	return ret;
}

static int restore_none(void *arg)
{
	struct kfd_ioctl_criu_args args;
	struct some_gpus *t = arg;
	struct kfd_snapshot s;
	struct kfd k;
	int ret;

	ret = read_image(t, &s);
	if (!ret)
		ret = kfd_open(&k);
	if (ret)
		return ret;
	kfd_snapshot_args(&s, &args);
	args.devices = 0;
	args.bos = 0;
	ret = kfd_criu_op(k.fd, &args, KFD_CRIU_OP_RESTORE);
	if (!ret)
		ret = kfd_criu_resume(k.fd, getpid());
	if (!ret)
		ret = check_event(&k, t->event);
	if (!ret)
		ret = acquire(&k, 1);
	return ret;
}

static int restore_range(void *arg)
{
	struct some_gpus *t = arg;
	struct kfd_snapshot s;
	struct kfd k;
	int ret, i;

	ret = restore(t, &k, &s);
	if (!ret)
		ret = acquire(&k, 1);
	for (i = 0; i < 2 && !ret; i++) {
		ret = kfd_svm_access_of(&k, (void *)t->range, RANGE_BYTES, i);
		/* of its own accord for the first, by default for the other */
		ret = ret == (i ? KFD_IOCTL_SVM_ATTR_ACCESS :
			      KFD_IOCTL_SVM_ATTR_ACCESS_IN_PLACE) ? 0 : -EACCES;
	}
	return ret;
}

static int trip(struct some_gpus *t, int used, int onto, int (*to)(void *),
		int (*from)(void *))
{
	int ret;

	t->used = used;
	t->onto = onto;
	ret = ftruncate(t->file, 0) || lseek(t->file, 0, SEEK_SET) ? -errno : 0;
	if (!ret)
		ret = kfd_in_child(to, t);
	return ret ? ret : kfd_in_child(from, t);
}

TEST_F_TIMEOUT(criu_gpus, only_those_with_state, 60)
{
	EXPECT_OK(trip(self->t, 0, 0, dump_one, restore_one));
	EXPECT_OK(trip(self->t, 1, 1, dump_one, restore_one));
}

TEST_F_TIMEOUT(criu_gpus, the_other_one_stands_in, 60)
{
	EXPECT_OK(trip(self->t, 0, 1, dump_one, restore_one));
	EXPECT_OK(trip(self->t, 1, 0, dump_one, restore_one));
}

TEST_F_TIMEOUT(criu_gpus, none, 60)
{
	EXPECT_OK(trip(self->t, -1, -1, dump_none, restore_none));
}

TEST_F_TIMEOUT(criu_gpus, default_access_of_the_others, 60)
{
	EXPECT_OK(trip(self->t, 0, 0, dump_range, restore_range));
}

/* The first drivers made a record of each GPU. Those images are as good. */
static int dump_all(void *arg)
{
	struct some_gpus *t = arg;
	struct kfd_record_device *dev;
	struct kfd_snapshot s;
	struct kfd k;
	int ret;

	ret = kfd_start(&k);
	if (!ret)
		ret = kfd_snapshot_dump(&k, k.fd, &s);
	if (ret)
		return ret;
	dev = kfd_image_record(&s, KFD_RECORD_DEVICE, 1);
	if (!dev)
		return -ENODEV;
	dev->has_vm = 0;
	ret = kfd_snapshot_write(&s, t->file);
	return ret ? ret : kfd_criu_unpause(k.fd);
}

static int restore_all(void *arg)
{
	struct kfd_ioctl_criu_args info;
	struct some_gpus *t = arg;
	struct kfd_snapshot s;
	struct kfd k;
	int ret;

	ret = read_image(t, &s);
	if (!ret)
		ret = kfd_snapshot_restore(&k, &s);
	if (!ret)
		ret = kfd_criu_resume(k.fd, getpid());
	if (!ret)
		ret = kfd_criu_info(k.fd, &info);
	return ret ? ret : info.num_devices == s.info.num_devices - 1 ? 0 : -ENODEV;
}

TEST_F_TIMEOUT(criu_gpus, images_that_name_all, 60)
{
	EXPECT_OK(trip(self->t, 0, 0, dump_all, restore_all));
}

KFD_TEST_MAIN
