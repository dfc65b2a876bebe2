// SPDX-License-Identifier: GPL-2.0-only
/*
 * The five checkpoint and restore operations, one by one: what each answers
 * to good and to bad arguments, and that a failure changes nothing.
 */
#include <fcntl.h>
#include <sched.h>

#include "lib/kfd_test.h"
#include "lib/kfd_workload.h"

#define KERNEL_ADDRESS	0xffff888000000000ULL

KFD_FIXTURE(criu_ops);

static int raw(struct kfd *k, struct kfd_ioctl_criu_args *args, uint32_t op)
{
	return kfd_criu_op(k->fd, args, op);
}

/* Room and arguments for a CHECKPOINT of what @info says. */
static int prepare(const struct kfd_ioctl_criu_args *info, struct kfd_snapshot *s,
		   struct kfd_ioctl_criu_args *args)
{
	int ret;

	memset(s, 0, sizeof(*s));
	s->info = *info;
	ret = kfd_snapshot_alloc(s);
	kfd_snapshot_args(s, args);
	return ret;
}

TEST_F(criu_ops, unknown_op_is_EINVAL)
{
	struct kfd_ioctl_criu_args args = { 0 };

	EXPECT_ERR(EINVAL, raw(&self->k, &args, 5));
	EXPECT_ERR(EINVAL, raw(&self->k, &args, 0x7fffffff));
	EXPECT_ERR(EINVAL, raw(&self->k, &args, 0xffffffff));
}

TEST_F(criu_ops, process_info)
{
	struct kfd_ioctl_criu_args a, b;
	struct kfd_ioctl_create_event_args ev;
	struct kfd_bo vram, gtt;

	ASSERT_OK(kfd_criu_info(self->k.fd, &a));
	EXPECT_EQ(self->k.num_gpus, a.num_devices);
	EXPECT_EQ(0, a.num_bos);
	EXPECT_EQ(getpid(), a.pid);
	EXPECT_GT(a.priv_data_size, 0);
	ASSERT_OK(kfd_criu_unpause(self->k.fd));
	ASSERT_OK(kfd_bo_alloc(&self->k, 0, MEM_VRAM, KFD_PAGE, &vram));
	ASSERT_OK(kfd_bo_alloc(&self->k, 0, MEM_GTT, KFD_PAGE, &gtt));
	ASSERT_OK(kfd_event_create(&self->k, KFD_IOC_EVENT_SIGNAL, true, &ev));
	ASSERT_OK(kfd_criu_info(self->k.fd, &b));
	EXPECT_EQ(2, b.num_bos);
	EXPECT_GT(b.num_objects, a.num_objects);
	EXPECT_GT(b.priv_data_size, a.priv_data_size);
	/* Once more while paused: the same. */
	ASSERT_OK(kfd_criu_info(self->k.fd, &a));
	EXPECT_EQ(0, memcmp(&a, &b, sizeof(a)));
	EXPECT_OK(kfd_criu_unpause(self->k.fd));
	EXPECT_OK(kfd_bo_free(&self->k, &vram));
	EXPECT_OK(kfd_bo_free(&self->k, &gtt));
}

static int pid_in_namespace(void *arg)
{
	struct kfd_ioctl_criu_args info;
	struct kfd k;
	int ret;

	(void)arg;
	ret = kfd_start(&k);
	if (!ret)
		ret = kfd_criu_info(k.fd, &info);
	if (ret)
		return ret;
	return getpid() == 1 && info.pid == 1 ? 0 : -EILSEQ;
}

static int with_pid_namespace(void *arg)
{
	if (unshare(CLONE_NEWPID))
		return -errno;
	return kfd_in_child(pid_in_namespace, arg);
}

TEST_F(criu_ops, process_info_tells_the_pid_of_the_targets_namespace)
{
	EXPECT_OK(kfd_in_child(with_pid_namespace, NULL));
}

TEST_F(criu_ops, unpause_unless_paused_is_EINVAL)
{
	struct kfd_ioctl_criu_args info;

	EXPECT_ERR(EINVAL, kfd_criu_unpause(self->k.fd));
	ASSERT_OK(kfd_criu_info(self->k.fd, &info));
	EXPECT_OK(kfd_criu_unpause(self->k.fd));
	EXPECT_ERR(EINVAL, kfd_criu_unpause(self->k.fd));
	/* Two pauses are ended by one unpause. */
	ASSERT_OK(kfd_criu_info(self->k.fd, &info));
	ASSERT_OK(kfd_criu_info(self->k.fd, &info));
	EXPECT_OK(kfd_criu_unpause(self->k.fd));
	EXPECT_ERR(EINVAL, kfd_criu_unpause(self->k.fd));
}

TEST_F(criu_ops, checkpoint_unless_paused_is_EINVAL)
{
	struct kfd_ioctl_criu_args info, args;
	struct kfd_snapshot s;

	ASSERT_OK(kfd_criu_info(self->k.fd, &info));
	ASSERT_OK(kfd_criu_unpause(self->k.fd));
	ASSERT_OK(prepare(&info, &s, &args));
	EXPECT_ERR(EINVAL, raw(&self->k, &args, KFD_CRIU_OP_CHECKPOINT));
	kfd_snapshot_free(&s);
}

TEST_F(criu_ops, checkpoint_with_other_counts_is_EINVAL)
{
	struct kfd_ioctl_criu_args info, args;
	struct kfd_snapshot s;
	struct kfd_bo bo;
	unsigned int i;

	ASSERT_OK(kfd_bo_alloc(&self->k, 0, MEM_VRAM, KFD_PAGE, &bo));
	ASSERT_OK(kfd_criu_info(self->k.fd, &info));
	for (i = 0; i < 8; i++) {
		int step = i % 2 ? 1 : -1;

		ASSERT_OK(prepare(&info, &s, &args));
		args.num_devices += i / 2 == 0 ? step : 0;
		args.num_bos += i / 2 == 1 ? step : 0;
		args.num_objects += i / 2 == 2 ? step : 0;
		args.priv_data_size += i / 2 == 3 ? step : 0;
		EXPECT_ERR(EINVAL, raw(&self->k, &args, KFD_CRIU_OP_CHECKPOINT))
			TH_LOG("case %u", i);
		kfd_snapshot_free(&s);
	}
	/* Still paused, and the right counts still serve. */
	ASSERT_OK(prepare(&info, &s, &args));
	EXPECT_OK(raw(&self->k, &args, KFD_CRIU_OP_CHECKPOINT));
	EXPECT_OK(kfd_criu_unpause(self->k.fd));
	kfd_snapshot_free(&s);
}

TEST_F(criu_ops, checkpoint_into_bad_memory_is_EFAULT)
{
	struct kfd_ioctl_criu_args info, args;
	struct kfd_snapshot s;
	struct kfd_bo bo;
	unsigned int i;
	void *readonly;
	int fds;

	ASSERT_OK(kfd_bo_alloc(&self->k, 0, MEM_VRAM, KFD_PAGE, &bo));
	ASSERT_OK(kfd_criu_info(self->k.fd, &info));
	readonly = mmap(NULL, 1 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, readonly);
	fds = kfd_count_fds();
	for (i = 0; i < 9; i++) {
		uint64_t bad[] = { 16, KERNEL_ADDRESS, (uintptr_t)readonly };

		ASSERT_OK(prepare(&info, &s, &args));
		if (i / 3 == 0)
			args.devices = bad[i % 3];
		else if (i / 3 == 1)
			args.bos = bad[i % 3];
		else
			args.priv_data = bad[i % 3];
		EXPECT_ERR(EFAULT, raw(&self->k, &args, KFD_CRIU_OP_CHECKPOINT))
			TH_LOG("case %u", i);
		EXPECT_EQ(fds, kfd_count_fds()) TH_LOG("case %u left an fd", i);
		s.info.num_bos = 0;	/* what is in the buckets is no fd of ours */
		kfd_snapshot_free(&s);
	}
	EXPECT_OK(kfd_criu_unpause(self->k.fd));
}

TEST_F(criu_ops, checkpoint_null_pointers)
{
	struct kfd_ioctl_criu_args info, args;
	struct kfd_snapshot s;
	struct kfd_bo bo;

	ASSERT_OK(kfd_bo_alloc(&self->k, 0, MEM_VRAM, KFD_PAGE, &bo));
	ASSERT_OK(kfd_criu_info(self->k.fd, &info));
	ASSERT_OK(prepare(&info, &s, &args));
	args.devices = 0;
	EXPECT_ERR_EITHER(EINVAL, EFAULT, raw(&self->k, &args, KFD_CRIU_OP_CHECKPOINT));
	kfd_snapshot_args(&s, &args);
	args.bos = 0;
	EXPECT_ERR_EITHER(EINVAL, EFAULT, raw(&self->k, &args, KFD_CRIU_OP_CHECKPOINT));
	kfd_snapshot_args(&s, &args);
	args.priv_data = 0;
	EXPECT_ERR_EITHER(EINVAL, EFAULT, raw(&self->k, &args, KFD_CRIU_OP_CHECKPOINT));
	EXPECT_OK(kfd_criu_unpause(self->k.fd));
	kfd_snapshot_free(&s);
}

TEST_F(criu_ops, checkpoint_fills_the_buckets)
{
	uint32_t kinds[] = { MEM_VRAM, MEM_GTT, MEM_DOORBELL, MEM_MMIO };
	struct kfd_snapshot s;
	struct kfd_bo bo[4];
	uint32_t i, j;
	int fd;

	for (i = 0; i < 4; i++)
		ASSERT_OK(kfd_bo_alloc(&self->k, 0, kinds[i],
				       i == 3 ? KFD_PAGE : 2 * KFD_PAGE, &bo[i]));
	ASSERT_OK(kfd_snapshot_checkpoint(self->k.fd, &s));
	EXPECT_OK(kfd_criu_unpause(self->k.fd));
	EXPECT_EQ(self->k.num_gpus, s.info.num_devices);
	for (i = 0; i < s.info.num_devices; i++) {
		EXPECT_GE(kfd_gpu_by_id(&self->k, s.devices[i].user_gpu_id), 0);
		EXPECT_EQ(s.devices[i].user_gpu_id, s.devices[i].actual_gpu_id);
	}
	ASSERT_EQ(4, s.info.num_bos);
	for (i = 0; i < 4; i++) {
		for (j = 0; j < 4 && s.bos[j].addr != bo[i].va; j++)
			;
		ASSERT_LT(j, 4) TH_LOG("no bucket for kind %u", i);
		EXPECT_EQ(bo[i].size, s.bos[j].size);
		EXPECT_EQ(bo[i].offset, s.bos[j].offset);
		EXPECT_EQ(self->k.gpu[0].gpu_id, s.bos[j].gpu_id);
		EXPECT_EQ(kinds[i], s.bos[j].alloc_flags);
		fd = (int)s.bos[j].dmabuf_fd;
		if (i >= 2) {
			EXPECT_EQ(KFD_INVALID_FD, s.bos[j].dmabuf_fd);
			continue;
		}
		ASSERT_GT(fd, 2);
		EXPECT_EQ(bo[i].size, lseek(fd, 0, SEEK_END));
		EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	}
	kfd_snapshot_free(&s);
}

TEST_F(criu_ops, checkpoint_twice_in_one_pause)
{
	struct kfd_snapshot a, b;
	struct kfd_bo bo;

	ASSERT_OK(kfd_bo_alloc(&self->k, 0, MEM_VRAM, KFD_PAGE, &bo));
	ASSERT_OK(kfd_snapshot_checkpoint(self->k.fd, &a));
	ASSERT_OK(kfd_snapshot_checkpoint(self->k.fd, &b));
	ASSERT_EQ(a.info.priv_data_size, b.info.priv_data_size);
	EXPECT_EQ(0, memcmp(a.priv, b.priv, a.info.priv_data_size));
	EXPECT_OK(kfd_criu_unpause(self->k.fd));
	kfd_snapshot_free(&a);
	kfd_snapshot_free(&b);
}

TEST_F(criu_ops, restore_into_a_process_with_state_is_EBUSY)
{
	struct kfd_snapshot s;
	struct kfd_bo bo;
	uint32_t i;

	REQUIRE_OURS();
	ASSERT_OK(kfd_bo_alloc(&self->k, 0, MEM_VRAM, KFD_PAGE, &bo));
	ASSERT_OK(kfd_snapshot_checkpoint(self->k.fd, &s));
	ASSERT_OK(kfd_criu_unpause(self->k.fd));
	kfd_snapshot_close_fds(&s);
	for (i = 0; i < s.info.num_devices; i++)
		s.devices[i].drm_fd = self->k.gpu[i].drm_fd;
	EXPECT_ERR_EITHER(EBUSY, EINVAL, kfd_snapshot_restore_op(&self->k, &s));
	/* What there was is still there. */
	EXPECT_OK(kfd_bo_map_gpu(&self->k, &bo, 0));
	EXPECT_OK(kfd_bo_destroy(&self->k, &bo));
	kfd_snapshot_free(&s);
}

/* Nor into one that has no more than a VM on a GPU. */
TEST_F(criu_ops, restore_into_a_process_with_a_vm_is_EBUSY)
{
	struct kfd_snapshot s;

	REQUIRE_OURS();
	ASSERT_OK(kfd_snapshot_checkpoint(self->k.fd, &s));
	ASSERT_OK(kfd_criu_unpause(self->k.fd));
	ASSERT_EQ(0, s.info.num_bos);
	EXPECT_ERR(EBUSY, kfd_snapshot_restore_op(&self->k, &s));
	kfd_snapshot_free(&s);
}

TEST_F(criu_ops, resume_of_nobody)
{
	pid_t child;
	int status;

	EXPECT_ERR_EITHER(EINVAL, ESRCH, kfd_criu_resume(self->k.fd, 0));
	EXPECT_ERR(ESRCH, kfd_criu_resume(self->k.fd, 0x7ffffffe));
	EXPECT_ERR(ESRCH, kfd_criu_resume(self->k.fd, 1));
	/* One that never was restored. */
	EXPECT_ERR(EINVAL, kfd_criu_resume(self->k.fd, getpid()));
	/* One that is gone. */
	child = fork();
	if (!child)
		_exit(0);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_ERR(ESRCH, kfd_criu_resume(self->k.fd, child));
}

/* The rest needs an image, and a process without state for every try. */
FIXTURE(criu_restore)
{
	struct kfd_workload *w;
	struct kfd_snapshot s;
	struct kfd_target t;
};

FIXTURE_SETUP(criu_restore)
{
	self->w = kfd_workload_new();
	ASSERT_NE(NULL, self->w);
	ASSERT_OK(kfd_target_start(&self->t, self->w, 0));
	ASSERT_OK(kfd_target_seize(&self->t));
	ASSERT_OK(kfd_snapshot_checkpoint(self->t.fd, &self->s));
	kfd_snapshot_close_fds(&self->s);
	kfd_target_kill(&self->t);
}

FIXTURE_TEARDOWN(criu_restore)
{
	kfd_snapshot_free(&self->s);
}

/* Try to restore: @bad, and when that fails, that all is as before. */
static int try_restore(struct kfd *k, struct kfd_ioctl_criu_args *args)
{
	struct kfd_ioctl_criu_args info;
	int fds = kfd_count_fds(), ret;

	ret = kfd_criu_op(k->fd, args, KFD_CRIU_OP_RESTORE);
	if (!ret)
		return 0;
	if (fds != kfd_count_fds())
		return -ENFILE;
	if (kfd_criu_info(k->fd, &info) || info.num_bos || kfd_criu_unpause(k->fd))
		return -ENOTRECOVERABLE;
	return ret;
}

TEST_F_TIMEOUT(criu_restore, bad_counts_are_EINVAL, 60)
{
	struct kfd_ioctl_criu_args good, args;
	struct kfd k;

	ASSERT_OK(kfd_snapshot_open(&k, &self->s));
	kfd_snapshot_args(&self->s, &good);
	args = good;
	args.num_devices = 0;
	EXPECT_ERR(EINVAL, try_restore(&k, &args));
	args = good;
	args.num_devices = 0xffffffff;
	EXPECT_ERR(EINVAL, try_restore(&k, &args));
	args = good;
	args.num_bos--;
	EXPECT_ERR(EINVAL, try_restore(&k, &args));
	args = good;
	args.num_bos = 0xffffffff;
	EXPECT_ERR_EITHER(EINVAL, ENOMEM, try_restore(&k, &args));
	args = good;
	args.num_objects++;
	EXPECT_ERR(EINVAL, try_restore(&k, &args));
	args = good;
	args.num_objects = 0xffffffff;
	EXPECT_ERR(EINVAL, try_restore(&k, &args));
	args = good;
	args.priv_data_size = 0;
	EXPECT_ERR(EINVAL, try_restore(&k, &args));
	args = good;
	args.priv_data_size = UINT64_MAX;
	EXPECT_ERR_EITHER(EINVAL, ENOMEM, try_restore(&k, &args));
	args = good;
	args.priv_data_size = 1ULL << 40;
	EXPECT_ERR_EITHER(EINVAL, ENOMEM, try_restore(&k, &args));
	/* After all that the good one is taken. */
	args = good;
	EXPECT_OK(try_restore(&k, &args));
	kfd_stop(&k);
}

TEST_F_TIMEOUT(criu_restore, bad_pointers_are_EFAULT, 60)
{
	struct kfd_ioctl_criu_args good, args;
	struct kfd k;

	ASSERT_OK(kfd_snapshot_open(&k, &self->s));
	kfd_snapshot_args(&self->s, &good);
	args = good;
	args.devices = 16;
	EXPECT_ERR(EFAULT, try_restore(&k, &args));
	args = good;
	args.bos = KERNEL_ADDRESS;
	EXPECT_ERR(EFAULT, try_restore(&k, &args));
	args = good;
	args.priv_data = 16;
	EXPECT_ERR(EFAULT, try_restore(&k, &args));
	args = good;
	EXPECT_OK(try_restore(&k, &args));
	kfd_stop(&k);
}

/* The buckets can be read, but the results cannot be stored. */
TEST_F_TIMEOUT(criu_restore, buckets_in_read_only_memory_are_EFAULT, 60)
{
	size_t size = (self->s.info.num_bos + 1) * sizeof(self->s.bos[0]);
	struct kfd_ioctl_criu_args args;
	struct kfd k;
	void *p;

	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, p);
	memcpy(p, self->s.bos, size);
	ASSERT_OK(mprotect(p, size, PROT_READ));
	ASSERT_OK(kfd_snapshot_open(&k, &self->s));
	kfd_snapshot_args(&self->s, &args);
	args.bos = (uintptr_t)p;
	EXPECT_ERR(EFAULT, try_restore(&k, &args));
	args.bos = (uintptr_t)self->s.bos;
	EXPECT_OK(try_restore(&k, &args));
	kfd_stop(&k);
}

TEST_F_TIMEOUT(criu_restore, bad_devices_are_EINVAL, 60)
{
	struct kfd_criu_device_bucket good[KFD_MAX_TEST_GPUS], *d = self->s.devices;
	struct kfd_ioctl_criu_args args;
	struct kfd k;

	ASSERT_OK(kfd_snapshot_open(&k, &self->s));
	kfd_snapshot_args(&self->s, &args);
	memcpy(good, d, sizeof(good));
	d[0].actual_gpu_id = 0xfffe;
	EXPECT_ERR(EINVAL, try_restore(&k, &args));
	memcpy(d, good, sizeof(good));
	d[0].user_gpu_id ^= 0x1111;
	EXPECT_ERR(EINVAL, try_restore(&k, &args));
	memcpy(d, good, sizeof(good));
	d[0].drm_fd = KFD_INVALID_FD;
	EXPECT_ERR_EITHER(EINVAL, EBADF, try_restore(&k, &args));
	memcpy(d, good, sizeof(good));
	d[0].drm_fd = open("/dev/null", O_RDWR);
	EXPECT_ERR(EINVAL, try_restore(&k, &args));
	memcpy(d, good, sizeof(good));
	if (k.num_gpus > 1) {
		d[0].drm_fd = good[1].drm_fd;
		EXPECT_ERR(EINVAL, try_restore(&k, &args));
		memcpy(d, good, sizeof(good));
		d[1] = d[0];
		EXPECT_ERR_EITHER(EINVAL, EBUSY, try_restore(&k, &args));
		memcpy(d, good, sizeof(good));
	}
	EXPECT_OK(try_restore(&k, &args));
	kfd_stop(&k);
}

/* A render node whose VM is another process's is not taken from it. */
TEST_F_TIMEOUT(criu_restore, owned_render_node_is_refused, 60)
{
	struct kfd_workload *w = kfd_workload_new();
	uint32_t drm_fd;
	struct kfd_target t;
	struct kfd k;
	int stolen;

	ASSERT_NE(NULL, w);
	ASSERT_OK(kfd_target_start(&t, w, WORKLOAD_NO_QUEUES));
	stolen = kfd_steal_fd(t.pid, w->k.gpu[0].drm_fd);
	ASSERT_GE(stolen, 0);
	ASSERT_OK(kfd_snapshot_open(&k, &self->s));
	drm_fd = self->s.devices[0].drm_fd;
	self->s.devices[0].drm_fd = stolen;
	EXPECT_ERR_EITHER(EBUSY, EINVAL, kfd_snapshot_restore_op(&k, &self->s));
	self->s.devices[0].drm_fd = drm_fd;
	EXPECT_OK(kfd_snapshot_restore_op(&k, &self->s));
	EXPECT_OK(kfd_target_finish(&t));
	kfd_stop(&k);
}

TEST_F_TIMEOUT(criu_restore, twice_is_refused, 60)
{
	struct kfd k;

	ASSERT_OK(kfd_snapshot_open(&k, &self->s));
	ASSERT_OK(kfd_snapshot_restore_op(&k, &self->s));
	kfd_snapshot_close_fds(&self->s);
	EXPECT_ERR_EITHER(EBUSY, EINVAL, kfd_snapshot_restore_op(&k, &self->s));
	/* The registered memory is not there yet: not now, but later. */
	EXPECT_ERR(EFAULT, kfd_criu_resume(k.fd, getpid()));
	ASSERT_NE(MAP_FAILED, mmap((void *)(uintptr_t)self->w->user.va, KFD_PAGE,
				   PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
	EXPECT_OK(kfd_criu_resume(k.fd, getpid()));
	EXPECT_ERR(EINVAL, kfd_criu_resume(k.fd, getpid()));
	kfd_stop(&k);
}

TEST_F_TIMEOUT(criu_restore, fds_and_offsets, 60)
{
	int before, want = 0;
	struct kfd k;
	uint32_t i;

	ASSERT_OK(kfd_snapshot_open(&k, &self->s));
	before = kfd_count_fds();
	ASSERT_OK(kfd_snapshot_restore_op(&k, &self->s));
	for (i = 0; i < self->s.info.num_bos; i++) {
		struct kfd_criu_bo_bucket *bo = &self->s.bos[i];
		bool contents = bo->alloc_flags & (KFD_IOC_ALLOC_MEM_FLAGS_VRAM |
						   KFD_IOC_ALLOC_MEM_FLAGS_GTT);

		EXPECT_EQ(contents, bo->dmabuf_fd != KFD_INVALID_FD) TH_LOG("bucket %u", i);
		want += contents;
		if (contents)
			EXPECT_EQ(bo->size, lseek((int)bo->dmabuf_fd, 0, SEEK_END));
		if (bo->alloc_flags & KFD_IOC_ALLOC_MEM_FLAGS_DOORBELL)
			EXPECT_EQ(KFD_MMAP_TYPE_DOORBELLS, KFD_MMAP_TYPE(bo->restored_offset));
	}
	EXPECT_EQ(before + want, kfd_count_fds());
	kfd_snapshot_close_fds(&self->s);
	EXPECT_EQ(before, kfd_count_fds());
	kfd_stop(&k);
}

/* Until RESUME nothing may be awaited from registered memory or queues. */
TEST_F_TIMEOUT(criu_restore, exit_without_resume, 60)
{
	uint64_t before, after, end;
	struct kfd k, probe;
	pid_t child;
	int status;

	ASSERT_OK(kfd_open(&probe));
	ASSERT_OK(kfd_available_settled(&probe, 0, &before));
	child = fork();
	if (!child)
		_exit(kfd_snapshot_open(&k, &self->s) ||
		      kfd_snapshot_restore_op(&k, &self->s) ? 1 : 0);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	end = kfd_now_ms() + PATIENCE;
	do {
		kfd_sleep_ms(5);
		ASSERT_OK(kfd_available(&probe, 0, &after));
	} while (after != before && kfd_now_ms() < end);
	EXPECT_EQ(before, after);
	kfd_stop(&probe);
}

KFD_TEST_MAIN
