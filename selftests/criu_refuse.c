// SPDX-License-Identifier: GPL-2.0-only
/*
 * Checkpoints that could not be restored faithfully: each is refused before
 * anything is changed, with an errno of its own and a line in fdinfo that names
 * the object; and once the cause is gone the same dump works.
 */
#include <fcntl.h>
#include <libdrm/amdgpu_drm.h>
#include <libdrm/drm.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "lib/kfd_fdinfo.h"
#include "lib/kfd_test.h"
#include "lib/kfd_workload.h"

#define BYTES		(4 * KFD_PAGE)
#define RING		4096

/**
 * struct other - another process that has to do with a buffer of ours
 * @has: what it gets hold of: returns 0 or a negative errno
 * @drop: how it lets go of it; NULL: by its end
 * @dmabuf: our dma-buf of the buffer, which it inherits an fd of
 * @k: its own use of the driver
 * @p: its mapping
 * @handle: its handle
 * @peer: its fd of the peer knob
 * @ready: set when it has it; a negative errno when it could not
 * @go: asks it to let go, then to end
 * @pid: its id
 */
struct other {
	int (*has)(struct other *o);
	void (*drop)(struct other *o);
	int dmabuf;
	struct kfd k;
	void *p;
	uint64_t handle;
	int peer;
	volatile int ready;
	volatile int go;
	pid_t pid;
};

FIXTURE(refuse)
{
	struct kfd k;
	struct kfd_bo bo;
	struct kfd_queue q;
	struct other *o;
	int dmabuf;
};

static char line[512];

/* A dma-buf of the first buffer, as only a checkpoint hands them out. */
static int get_dmabuf(struct kfd *k, uint64_t va, int *dmabuf)
{
	struct kfd_snapshot s;
	uint32_t i;
	int ret;

	ret = kfd_snapshot_checkpoint(k->fd, &s);
	if (ret)
		return ret;
	for (i = 0; i < s.info.num_bos && s.bos[i].addr != va; i++)
		;
	*dmabuf = i < s.info.num_bos ? fcntl((int)s.bos[i].dmabuf_fd, F_DUPFD_CLOEXEC, 0) : -1;
	kfd_snapshot_free(&s);
	ret = kfd_criu_unpause(k->fd);
	return ret ? ret : *dmabuf < 0 ? -ENOENT : 0;
}

FIXTURE_SETUP(refuse)
{
	ASSERT_OK(kfd_start(&self->k));
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_VRAM, BYTES, &self->bo));
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, RING, &self->q));
	self->dmabuf = -1;
	if (kfd_is_ours())
		ASSERT_OK(get_dmabuf(&self->k, self->bo.va, &self->dmabuf));
	self->o = mmap(NULL, sizeof(*self->o), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->o);
	self->o->dmabuf = self->dmabuf;
	self->o->pid = -1;
}

FIXTURE_TEARDOWN(refuse)
{
	if (self->o->pid > 0) {
		kill(self->o->pid, SIGKILL);
		waitpid(self->o->pid, NULL, 0);
	}
	kfd_stop(&self->k);
}

/* --- what others do with the buffer ----------------------------------------- */

static int has_import(struct other *o)
{
	struct kfd_ioctl_import_dmabuf_args args = { .dmabuf_fd = o->dmabuf };
	int ret = kfd_start(&o->k);

	if (ret)
		return ret;
	args.gpu_id = o->k.gpu[0].gpu_id;
	args.va_addr = kfd_reserve_va(&o->k, BYTES);
	ret = kfd_call(o->k.fd, AMDKFD_IOC_IMPORT_DMABUF, &args);
	close(o->dmabuf);
	o->handle = args.handle;
	return ret;
}

static void drop_import(struct other *o)
{
	struct kfd_bo bo = { .handle = o->handle };

	kfd_bo_free(&o->k, &bo);
}

static int has_handle(struct other *o)
{
	struct drm_prime_handle prime = { .fd = o->dmabuf };
	int ret = kfd_open(&o->k);

	if (!ret)
		ret = kfd_open_drm(&o->k);
	if (!ret)
		ret = kfd_call(o->k.gpu[0].drm_fd, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime);
	close(o->dmabuf);
	o->handle = prime.handle;
	return ret;
}

static void drop_handle(struct other *o)
{
	struct drm_gem_close gone = { .handle = (uint32_t)o->handle };

	kfd_call(o->k.gpu[0].drm_fd, DRM_IOCTL_GEM_CLOSE, &gone);
}

/* It has it because it was forked. */
static int has_fd(struct other *o)
{
	return 0;
}

static void drop_fd(struct other *o)
{
	close(o->dmabuf);
}

static int has_mapping(struct other *o)
{
	o->p = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, o->dmabuf, 0);
	if (o->p == MAP_FAILED)
		return -errno;
	return close(o->dmabuf) ? -errno : 0;
}

static void drop_mapping(struct other *o)
{
	munmap(o->p, BYTES);
}

static int has_attachment(struct other *o)
{
	char text[16];
	int len;

	o->peer = open("/sys/kernel/debug/amdgpu_sim/0/peer_attach", O_WRONLY | O_CLOEXEC);
	if (o->peer < 0)
		return -errno;
	len = snprintf(text, sizeof(text), "%d", o->dmabuf);
	if (write(o->peer, text, len) != len)
		return -errno;
	return close(o->dmabuf) ? -errno : 0;
}

static void drop_attachment(struct other *o)
{
	close(o->peer);
}

static void run_other(struct other *o)
{
	int ret;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	ret = o->has(o);
	o->ready = ret ? ret : 1;
	if (!ret && !kfd_wait_flag(&o->go)) {
		if (o->drop)
			o->drop(o);
		o->ready = 2;
		while (o->go != 2)
			kfd_sleep_ms(2);
	}
	_exit(0);
}

static int start_other(struct other *o, int (*has)(struct other *o), void (*drop)(struct other *o))
{
	pid_t pid;
	int ret;

	o->has = has;
	o->drop = drop;
	o->ready = 0;
	o->go = 0;
	fflush(stdout);
	/* Not into @o at once: that is shared, and the child's answer is 0. */
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid)
		run_other(o);
	o->pid = pid;
	ret = kfd_wait_flag(&o->ready);
	return ret ? ret : o->ready < 0 ? o->ready : 0;
}

/* --- what is expected of a refusal ------------------------------------------ */

static int read_line(int fd, const char *key)
{
	static char text[64 << 10];
	int ret = kfd_fdinfo_read(getpid(), fd, text, sizeof(text));

	return ret ? ret : kfd_fdinfo_line(text, key, line, sizeof(line));
}

static uint64_t fd_value(int fd, const char *key)
{
	return read_line(fd, key) ? KFD_FDINFO_NONE : strtoull(line, NULL, 0);
}

static int gpu_evictions(int fd, uint64_t *n)
{
	const char *at;
	int ret = read_line(fd, "kfd-gpu");

	if (ret)
		return ret;
	at = strstr(line, " evictions ");
	*n = at ? strtoull(at + 11, NULL, 0) : 0;
	return at ? 0 : -EPROTO;
}

/*
 * PROCESS_INFO is refused with @err before anything has happened, and says so in
 * words that begin with @text.
 */
static int refused(struct kfd *k, int fd, int err, const char *text)
{
	struct kfd_ioctl_criu_args info;
	uint64_t before, after;
	int ret;

	ret = gpu_evictions(fd, &before);
	if (ret)
		return ret;
	if (kfd_criu_info(fd, &info) != -err)
		return -ENOMSG;
	ret = gpu_evictions(fd, &after);
	if (ret)
		return ret;
	if (before != after || fd_value(fd, "kfd-paused") != 0)
		return -ENOTRECOVERABLE;
	ret = read_line(fd, "kfd-refused");
	if (ret)
		return ret;
	if (strncmp(line, text, strlen(text))) {
		ksft_print_msg("got \"%s\", expected \"%s\"\n", line, text);
		return -EBADMSG;
	}
	return 0;
}

/* What is let go of by another process may take a moment. */
static int allowed(struct kfd *k, int fd)
{
	uint64_t end = kfd_now_ms() + PATIENCE;
	struct kfd_ioctl_criu_args info;
	int ret;

	do {
		ret = kfd_criu_info(fd, &info);
		if (ret && ret != -EMLINK)
			return ret;
		if (ret)
			kfd_sleep_ms(5);
	} while (ret && kfd_now_ms() < end);
	if (ret)
		return ret;
	if (read_line(fd, "kfd-refused") != -ENOENT)
		return -EUCLEAN;
	return kfd_criu_unpause(fd);
}

static void bo_text(char *text, size_t size, const char *err, const struct kfd_bo *bo,
		    const char *why)
{
	snprintf(text, size, "PROCESS_INFO %s buffer 0x%llx (GPU address 0x%llx, %llu bytes) %s",
		 err, (unsigned long long)bo->handle, (unsigned long long)bo->va,
		 (unsigned long long)bo->size, why);
}

static int queue_works(struct kfd_queue *q)
{
	uint32_t p[8];

	return kfd_queue_run(q, p, pm4_nop(p, 4));
}

FIXTURE_VARIANT(refuse)
{
	int (*has)(struct other *o);
	void (*drop)(struct other *o);
	int err;
	const char *name;
	const char *why;
};

FIXTURE_VARIANT_ADD(refuse, imported)
{
	.has = has_import, .drop = drop_import,
	.err = EMLINK, .name = "EMLINK", .why = "is shared with another process",
};

FIXTURE_VARIANT_ADD(refuse, handle_of_another_drm_file)
{
	.has = has_handle, .drop = drop_handle,
	.err = EMLINK, .name = "EMLINK", .why = "is shared with another process",
};

FIXTURE_VARIANT_ADD(refuse, held_fd)
{
	.has = has_fd, .drop = drop_fd,
	.err = EMLINK, .name = "EMLINK", .why = "is held by another process through a dma-buf",
};

FIXTURE_VARIANT_ADD(refuse, mapping)
{
	.has = has_mapping, .drop = drop_mapping,
	.err = EMLINK, .name = "EMLINK", .why = "is held by another process through a dma-buf",
};

FIXTURE_VARIANT_ADD(refuse, attached_to_a_device)
{
	.has = has_attachment, .drop = drop_attachment,
	.err = EREMOTE, .name = "EREMOTE", .why = "is pinned for another device",
};

TEST_F_TIMEOUT(refuse, buffer_that_somebody_else_has, 60)
{
	char text[200];
	int i;

	REQUIRE_OURS();
	REQUIRE_SIM();
	bo_text(text, sizeof(text), variant->name, &self->bo, variant->why);
	/* Let go of, or by its end: either way it can be dumped then. */
	for (i = 0; i < 2; i++) {
		ASSERT_OK(allowed(&self->k, self->k.fd)) TH_LOG("before, round %d", i);
		ASSERT_OK(start_other(self->o, variant->has, variant->drop));
		EXPECT_OK(refused(&self->k, self->k.fd, variant->err, text));
		EXPECT_OK(queue_works(&self->q));
		/* Our own fd has nothing to do with it, nor has its absence. */
		close(self->dmabuf);
		EXPECT_OK(refused(&self->k, self->k.fd, variant->err, text));
		if (i) {
			kill(self->o->pid, SIGKILL);
		} else {
			self->o->go = 1;
			while (self->o->ready != 2)
				kfd_sleep_ms(2);
			EXPECT_OK(allowed(&self->k, self->k.fd)) TH_LOG("%s", line);
			self->o->go = 2;
		}
		waitpid(self->o->pid, NULL, 0);
		self->o->pid = -1;
		EXPECT_OK(allowed(&self->k, self->k.fd)) TH_LOG("%s", line);
		ASSERT_OK(get_dmabuf(&self->k, self->bo.va, &self->dmabuf));
		self->o->dmabuf = self->dmabuf;
	}
}

/* The rest looks at one process, or has no such others. */
FIXTURE(refuse_own)
{
	struct kfd k;
	struct kfd_bo bo;
	int dmabuf;
};

FIXTURE_SETUP(refuse_own)
{
	ASSERT_OK(kfd_start(&self->k));
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, BYTES, &self->bo));
	self->dmabuf = -1;
	if (kfd_is_ours())
		ASSERT_OK(get_dmabuf(&self->k, self->bo.va, &self->dmabuf));
}

FIXTURE_TEARDOWN(refuse_own)
{
	kfd_stop(&self->k);
}

static int import_here(struct kfd *k, int dmabuf, struct kfd_bo *bo)
{
	struct kfd_ioctl_import_dmabuf_args args = {
		.dmabuf_fd = dmabuf, .gpu_id = k->gpu[0].gpu_id,
		.va_addr = kfd_reserve_va(k, BYTES),
	};
	int ret = kfd_call(k->fd, AMDKFD_IOC_IMPORT_DMABUF, &args);

	memset(bo, 0, sizeof(*bo));
	bo->handle = args.handle;
	bo->va = args.va_addr;
	bo->size = BYTES;
	return ret;
}

/* In the process that imports, which is not the one that exported. */
static int importer(void *arg)
{
	int dmabuf = *(int *)arg, ret;
	struct kfd_queue q;
	struct kfd_bo bo;
	char text[200];
	struct kfd k;

	ret = kfd_start(&k);
	if (!ret)
		ret = kfd_queue_create(&k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, RING, &q);
	if (!ret)
		ret = allowed(&k, k.fd);
	if (!ret)
		ret = import_here(&k, dmabuf, &bo);
	close(dmabuf);
	if (ret)
		return ret;
	bo_text(text, sizeof(text), "EXDEV", &bo, "was imported from a dma-buf");
	ret = refused(&k, k.fd, EXDEV, text);
	if (!ret)
		ret = queue_works(&q);
	if (!ret)
		ret = kfd_bo_free(&k, &bo);
	return ret ? ret : allowed(&k, k.fd);
}

TEST_F_TIMEOUT(refuse_own, buffer_imported_from_another_process_is_EXDEV, 60)
{
	REQUIRE_OURS();
	EXPECT_OK(kfd_in_child(importer, &self->dmabuf));
}

/* Nor could an image say that two buffers are one memory. */
TEST_F(refuse_own, buffer_imported_from_oneself_is_EXDEV)
{
	struct kfd_bo bo;
	char text[200];

	REQUIRE_OURS();
	ASSERT_OK(import_here(&self->k, self->dmabuf, &bo));
	bo_text(text, sizeof(text), "EXDEV", &bo, "was imported from a dma-buf");
	EXPECT_OK(refused(&self->k, self->k.fd, EXDEV, text));
	ASSERT_OK(kfd_bo_free(&self->k, &bo));
	EXPECT_OK(allowed(&self->k, self->k.fd));
}

/* What a process itself has of its own buffer is shared with nobody. */
TEST_F(refuse_own, own_fds_handles_and_mappings_are_no_sharing)
{
	struct drm_prime_handle prime = { .fd = self->dmabuf };
	struct drm_prime_handle again = { .flags = DRM_CLOEXEC };
	struct drm_gem_close gone = { 0 };
	struct kfd second;
	void *p;
	int i;

	REQUIRE_OURS();
	ASSERT_GE(dup(self->dmabuf), 0);
	p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, self->dmabuf, 0);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_OK(allowed(&self->k, self->k.fd));
	/* A handle in the DRM file whose VM it is, and in one that libdrm would open. */
	ASSERT_OK(kfd_open(&second));
	ASSERT_OK(kfd_open_drm(&second));
	for (i = 0; i < 2; i++) {
		int drm = i ? second.gpu[0].drm_fd : self->k.gpu[0].drm_fd;

		ASSERT_OK(kfd_call(drm, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime));
		EXPECT_OK(allowed(&self->k, self->k.fd)) TH_LOG("file %d: %s", i, line);
		again.handle = prime.handle;
		ASSERT_OK(kfd_call(drm, DRM_IOCTL_PRIME_HANDLE_TO_FD, &again));
		EXPECT_OK(allowed(&self->k, self->k.fd)) TH_LOG("file %d: %s", i, line);
		close(again.fd);
		EXPECT_OK(allowed(&self->k, self->k.fd)) TH_LOG("file %d: %s", i, line);
	}
	close(self->dmabuf);
	EXPECT_OK(allowed(&self->k, self->k.fd));
	gone.handle = prime.handle;
	ASSERT_OK(kfd_call(second.gpu[0].drm_fd, DRM_IOCTL_GEM_CLOSE, &gone));
	EXPECT_OK(allowed(&self->k, self->k.fd));
	munmap(p, BYTES);
	EXPECT_OK(allowed(&self->k, self->k.fd));
	kfd_stop(&second);
}

/* What comes after the pause began is CHECKPOINT's to refuse. */
TEST_F(refuse_own, import_during_the_pause)
{
	struct kfd_ioctl_criu_args args;
	struct kfd_bo bo, extra;
	struct kfd_snapshot s;

	REQUIRE_OURS();
	ASSERT_OK(kfd_bo_alloc(&self->k, 0, MEM_GTT, BYTES, &extra));
	memset(&s, 0, sizeof(s));
	ASSERT_OK(kfd_criu_info(self->k.fd, &s.info));
	ASSERT_OK(kfd_snapshot_alloc(&s));
	/* Another buffer in its place: the counts are the same. */
	ASSERT_OK(kfd_bo_free(&self->k, &extra));
	ASSERT_OK(import_here(&self->k, self->dmabuf, &bo));
	kfd_snapshot_args(&s, &args);
	EXPECT_ERR(EXDEV, kfd_criu_op(self->k.fd, &args, KFD_CRIU_OP_CHECKPOINT));
	ASSERT_OK(read_line(self->k.fd, "kfd-refused"));
	EXPECT_EQ(0, strncmp(line, "CHECKPOINT EXDEV buffer 0x", 26)) TH_LOG("%s", line);
	EXPECT_OK(kfd_criu_unpause(self->k.fd));
	kfd_snapshot_free(&s);
	ASSERT_OK(kfd_bo_free(&self->k, &bo));
	EXPECT_OK(allowed(&self->k, self->k.fd));
}

static int restored_is_refused(void *arg)
{
	struct kfd k;
	int ret;

	ret = kfd_snapshot_restore(&k, arg);
	if (!ret)
		ret = refused(&k, k.fd, EBUSY,
			      "PROCESS_INFO EBUSY the process was restored and not yet resumed");
	if (!ret)
		ret = kfd_criu_resume(k.fd, getpid());
	return ret ? ret : allowed(&k, k.fd);
}

TEST_F(refuse_own, restored_and_not_resumed_is_EBUSY)
{
	struct kfd_snapshot s;

	REQUIRE_OURS();
	close(self->dmabuf);
	ASSERT_OK(kfd_snapshot_dump(&self->k, self->k.fd, &s));
	ASSERT_OK(kfd_criu_unpause(self->k.fd));
	EXPECT_OK(kfd_in_child(restored_is_refused, &s));
	kfd_snapshot_free(&s);
}

/* It was evicted, so this one comes after something has happened. */
TEST_F_TIMEOUT(refuse_own, queue_that_does_not_stop_is_ETIME_and_named, 60)
{
	struct kfd_ioctl_criu_args info;
	struct kfd_queue good, bad;
	char text[100];

	REQUIRE_OURS();
	REQUIRE_SIM();
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, RING, &good));
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, RING, &bad));
	snprintf(text, sizeof(text), "%llu",
		 (unsigned long long)(bad.doorbell_offset & (2 * KFD_PAGE - 1)));
	ASSERT_OK(kfd_sim_set(0, "hang_queue", text));
	EXPECT_ERR(ETIME, kfd_criu_info(self->k.fd, &info));
	ASSERT_OK(read_line(self->k.fd, "kfd-refused"));
	snprintf(text, sizeof(text), "PROCESS_INFO ETIME queue %u of GPU %u did not stop in time",
		 bad.id, self->k.gpu[0].gpu_id);
	EXPECT_STREQ(text, line);
	ASSERT_OK(kfd_sim_set(0, "hang_queue", "-2"));
	EXPECT_OK(allowed(&self->k, self->k.fd));
}

TEST_F(refuse_own, smi_session_is_EISCONN)
{
	struct kfd_ioctl_smi_events_args smi = { .gpuid = self->k.gpu[0].gpu_id };

	REQUIRE_OURS();
	ASSERT_OK(kfd_call(self->k.fd, AMDKFD_IOC_SMI_EVENTS, &smi));
	EXPECT_EQ(1, fd_value(self->k.fd, "kfd-smi-sessions"));
	EXPECT_OK(refused(&self->k, self->k.fd, EISCONN, "PROCESS_INFO EISCONN the process has 1"));
	close((int)smi.anon_fd);
	EXPECT_OK(allowed(&self->k, self->k.fd));
	EXPECT_EQ(0, fd_value(self->k.fd, "kfd-smi-sessions"));
}

/* --- as a dumper sees it ------------------------------------------------------ */

/*
 * The dumper still has all that the dump before gave him. He has it mapped, and
 * the process's own fds are in his table too, as criu has them.
 */
TEST(dump_again_with_the_first_dumps_fds_open)
{
	struct kfd_workload *w = kfd_workload_new();
	struct kfd_snapshot first, second;
	struct kfd_target t;
	void *p = MAP_FAILED;
	uint32_t i;

	REQUIRE_OURS();
	ASSERT_NE(NULL, w);
	ASSERT_OK(kfd_target_start(&t, w, 0));
	ASSERT_OK(kfd_target_seize(&t));
	ASSERT_OK(kfd_snapshot_checkpoint(t.fd, &first));
	for (i = 0; i < first.info.num_bos && p == MAP_FAILED; i++)
		if (first.bos[i].dmabuf_fd != KFD_INVALID_FD)
			p = mmap(NULL, KFD_PAGE, PROT_READ, MAP_SHARED,
				 (int)first.bos[i].dmabuf_fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	/* In the same pause, and in the next. */
	ASSERT_OK(kfd_snapshot_checkpoint(t.fd, &second));
	kfd_snapshot_free(&second);
	ASSERT_OK(kfd_criu_unpause(t.fd));
	EXPECT_OK(kfd_snapshot_checkpoint(t.fd, &second));
	EXPECT_OK(kfd_criu_unpause(t.fd));
	kfd_snapshot_free(&second);
	kfd_snapshot_free(&first);
	munmap(p, KFD_PAGE);
	EXPECT_OK(allowed(&w->k, t.fd));
	ASSERT_OK(kfd_target_release(&t));
	EXPECT_OK(kfd_target_finish(&t));
}

/* A stopped process whose dump is refused goes on and does its work to the end. */
TEST(dump_refused_and_the_process_goes_on)
{
	struct kfd_workload *w = kfd_workload_new();
	struct kfd_ioctl_criu_args info;
	struct kfd_snapshot s;
	struct kfd_target t;
	pid_t holder;
	uint32_t i;

	REQUIRE_OURS();
	ASSERT_NE(NULL, w);
	ASSERT_OK(kfd_target_start(&t, w, 0));
	ASSERT_OK(kfd_target_seize(&t));
	ASSERT_OK(kfd_snapshot_checkpoint(t.fd, &s));
	ASSERT_OK(kfd_criu_unpause(t.fd));
	holder = fork();
	if (!holder) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	kfd_snapshot_close_fds(&s);
	EXPECT_ERR(EMLINK, kfd_criu_info(t.fd, &info));
	ASSERT_OK(read_line(t.fd, "kfd-refused"));
	EXPECT_NE(NULL, strstr(line, "is held by another process through a dma-buf"));
	/* It is a buffer of the process that is named. */
	for (i = 0; i < s.info.num_bos; i++) {
		char text[64];

		snprintf(text, sizeof(text), "(GPU address 0x%llx,",
			 (unsigned long long)s.bos[i].addr);
		if (strstr(line, text))
			break;
	}
	EXPECT_LT(i, s.info.num_bos) TH_LOG("%s", line);
	kfd_snapshot_free(&s);
	ASSERT_OK(kfd_target_release(&t));
	EXPECT_OK(kfd_target_finish(&t));
	kill(holder, SIGKILL);
	waitpid(holder, NULL, 0);
}

KFD_TEST_MAIN
