// SPDX-License-Identifier: GPL-2.0-only
/*
 * The limit on system memory that GPUs may use: every kind of it is refused
 * at once when it does not fit, and charged and given back to the byte.
 *
 * The limit is lowered for these tests, by its parameter.
 */
#include <amdgpu_drm.h>
#include <drm.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>

#include "lib/kfd_fdinfo.h"
#include "lib/kfd_step.h"
#include "lib/kfd_svm.h"
#include "lib/kfd_test.h"
#include "lib/kfd_workload.h"

#define MIB	(1ULL << 20)
#define PARAM	"/sys/module/amdkfd/parameters/"
#define LIMIT	(32 * MIB)

static int set_limit(const char *mb)
{
	return kfd_write_text(PARAM "system_mem_limit_mb", mb);
}

static uint64_t param(const char *path)
{
	char text[64] = "";

	return kfd_read_text(path, text, sizeof(text)) ? UINT64_MAX : strtoull(text, NULL, 10);
}

static uint64_t used(void)
{
	return param(PARAM "system_mem_used");
}

/* What a process had is given back a moment after its end. */
static int used_becomes(uint64_t bytes)
{
	uint64_t end = kfd_now_ms() + PATIENCE;

	while (used() != bytes) {
		if (kfd_now_ms() > end)
			return -ETIMEDOUT;
		kfd_sleep_ms(5);
	}
	return 0;
}

/* What fdinfo says is this process's. */
static uint64_t mine(const struct kfd *k)
{
	static char text[1 << 16];

	return kfd_fdinfo_read(getpid(), k->fd, text, sizeof(text)) ? UINT64_MAX :
	       kfd_fdinfo_value(text, "kfd-sysmem");
}

static void *anon(uint64_t bytes)
{
	return mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

FIXTURE(sysmem)
{
	struct kfd k;
	struct kfd_bo bo;
	uint32_t handle;
	char *mem;
};

FIXTURE_SETUP(sysmem)
{
	REQUIRE_OURS();
	ASSERT_OK(used_becomes(0));
	ASSERT_OK(set_limit("32"));
	ASSERT_OK(kfd_start(&self->k));
}

FIXTURE_TEARDOWN(sysmem)
{
	kfd_stop(&self->k);
	set_limit("0");
}

/* --- every kind ------------------------------------------------------------ */

enum kind { GTT, USERPTR, SVM, GEM_GTT, GEM_USERPTR, NUM_KINDS };

static const char *const names[] = { "GTT", "USERPTR", "SVM", "GEM GTT", "GEM USERPTR" };

/**
 * struct piece - some memory that GPUs may use
 * @kind: which
 * @bo: GTT, USERPTR
 * @handle: of the render node
 * @mem: the process's own
 * @size: bytes
 */
struct piece {
	enum kind kind;
	struct kfd_bo bo;
	uint32_t handle;
	char *mem;
	uint64_t size;
};

static int gem_gtt(struct kfd *k, uint64_t size, uint32_t *handle)
{
	union drm_amdgpu_gem_create make = {
		.in = { .bo_size = size, .alignment = KFD_PAGE, .domains = AMDGPU_GEM_DOMAIN_GTT },
	};
	int ret = kfd_call(k->gpu[0].drm_fd, DRM_IOCTL_AMDGPU_GEM_CREATE, &make);

	*handle = make.out.handle;
	return ret;
}

static int gem_userptr(struct kfd *k, void *mem, uint64_t size, uint32_t *handle)
{
	struct drm_amdgpu_gem_userptr make = {
		.addr = (uintptr_t)mem, .size = size,
		.flags = AMDGPU_GEM_USERPTR_ANONONLY | AMDGPU_GEM_USERPTR_REGISTER,
	};
	int ret = kfd_call(k->gpu[0].drm_fd, DRM_IOCTL_AMDGPU_GEM_USERPTR, &make);

	*handle = make.handle;
	return ret;
}

static int take(struct kfd *k, enum kind of, uint64_t size, struct piece *p)
{
	int ret;

	memset(p, 0, sizeof(*p));
	p->kind = of;
	p->size = size;
	p->mem = anon(size);
	if (p->mem == MAP_FAILED)
		return -EOVERFLOW;
	switch (of) {
	case GTT:
		ret = kfd_bo_alloc(k, 0, MEM_GTT, size, &p->bo);
		break;
	case USERPTR:
		/* Not mapped on a GPU: that would be another step. */
		ret = kfd_bo_userptr(k, 0, p->mem, size, &p->bo);
		break;
	case SVM:
		ret = kfd_svm_set1(k, p->mem, size, KFD_IOCTL_SVM_ATTR_ACCESS,
				   k->gpu[0].gpu_id);
		break;
	case GEM_GTT:
		ret = gem_gtt(k, size, &p->handle);
		break;
	default:
		ret = gem_userptr(k, p->mem, size, &p->handle);
		break;
	}
	if (ret)
		munmap(p->mem, size);
	return ret;
}

static int give(struct kfd *k, struct piece *p)
{
	struct drm_gem_close gem = { .handle = p->handle };
	int ret;

	switch (p->kind) {
	case GTT:
		ret = kfd_bo_free(k, &p->bo);
		break;
	case USERPTR:
		ret = kfd_bo_destroy(k, &p->bo);
		break;
	case SVM:
		ret = kfd_svm_set1(k, p->mem, p->size, KFD_IOCTL_SVM_ATTR_NO_ACCESS,
				   k->gpu[0].gpu_id);
		break;
	default:
		ret = kfd_call(k->gpu[0].drm_fd, DRM_IOCTL_GEM_CLOSE, &gem);
		break;
	}
	munmap(p->mem, p->size);
	return ret;
}

TEST_F(sysmem, each_kind_up_to_the_limit)
{
	struct piece a, b, c;
	unsigned int i;

	for (i = 0; i < NUM_KINDS; i++) {
		bool ours = i == GTT || i == USERPTR || i == SVM;

		ASSERT_OK(take(&self->k, i, 24 * MIB, &a)) TH_LOG("%s", names[i]);
		EXPECT_EQ(24 * MIB, used());
		EXPECT_EQ(ours ? 24 * MIB : 0, mine(&self->k)) TH_LOG("%s", names[i]);
		EXPECT_ERR(ENOMEM, take(&self->k, i, 8 * MIB + KFD_PAGE, &b))
			TH_LOG("%s", names[i]);
		EXPECT_EQ(24 * MIB, used()) TH_LOG("%s", names[i]);
		ASSERT_OK(take(&self->k, i, 8 * MIB, &b)) TH_LOG("%s", names[i]);
		EXPECT_EQ(LIMIT, used());
		EXPECT_ERR(ENOMEM, take(&self->k, i, KFD_PAGE, &c)) TH_LOG("%s", names[i]);
		EXPECT_OK(give(&self->k, &a)) TH_LOG("%s", names[i]);
		EXPECT_EQ(8 * MIB, used()) TH_LOG("%s", names[i]);
		EXPECT_OK(give(&self->k, &b)) TH_LOG("%s", names[i]);
		EXPECT_EQ(0, used()) TH_LOG("%s", names[i]);
		EXPECT_EQ(0, mine(&self->k));
	}
}

/* One limit for all of them. */
TEST_F(sysmem, all_kinds_together)
{
	struct piece p[NUM_KINDS], more;
	unsigned int i, j;

	for (i = 0; i < NUM_KINDS; i++)
		ASSERT_OK(take(&self->k, i, 6 * MIB, &p[i])) TH_LOG("%s", names[i]);
	EXPECT_EQ(30 * MIB, used());
	for (j = 0; j < NUM_KINDS; j++)
		EXPECT_ERR(ENOMEM, take(&self->k, j, 3 * MIB, &more)) TH_LOG("%s", names[j]);
	EXPECT_EQ(30 * MIB, used());
	for (i = 0; i < NUM_KINDS; i++)
		EXPECT_OK(give(&self->k, &p[i]));
	EXPECT_EQ(0, used());
}

/* VRAM is not system memory, and another GPU's GTT is the same memory. */
TEST_F(sysmem, what_counts)
{
	struct kfd_bo vram, gtt;

	ASSERT_OK(kfd_bo_alloc(&self->k, 0, MEM_VRAM, 64 * MIB, &vram));
	EXPECT_EQ(0, used());
	ASSERT_OK(kfd_bo_alloc(&self->k, self->k.num_gpus - 1, MEM_GTT, 20 * MIB, &gtt));
	EXPECT_ERR(ENOMEM, kfd_bo_alloc(&self->k, 0, MEM_GTT, 20 * MIB, &self->bo));
	EXPECT_OK(kfd_bo_free(&self->k, &gtt));
	EXPECT_OK(kfd_bo_free(&self->k, &vram));
	EXPECT_EQ(0, used());
}

/* A call that fails for another reason gives back what it had been charged. */
TEST_F(sysmem, errors_give_back)
{
	struct kfd_ioctl_alloc_memory_of_gpu_args args = { .size = MIB, .flags = MEM_GTT };
	char *hole = anon(4 * MIB);
	struct piece p;

	ASSERT_NE(MAP_FAILED, hole);
	ASSERT_EQ(0, munmap(hole + MIB, MIB));
	EXPECT_ERR(EFAULT, kfd_bo_userptr(&self->k, 0, hole, 4 * MIB, &self->bo));
	EXPECT_EQ(0, used());
	EXPECT_ERR(EFAULT, kfd_svm_set1(&self->k, hole, 4 * MIB, KFD_IOCTL_SVM_ATTR_ACCESS,
					self->k.gpu[0].gpu_id));
	EXPECT_EQ(0, used());
	ASSERT_OK(take(&self->k, SVM, MIB, &p));
	/* Its addresses are taken. */
	args.gpu_id = self->k.gpu[0].gpu_id;
	args.va_addr = (uintptr_t)p.mem;
	EXPECT_ERR(EADDRINUSE, kfd_call(self->k.fd, AMDKFD_IOC_ALLOC_MEMORY_OF_GPU, &args));
	EXPECT_EQ(MIB, used());
	EXPECT_OK(give(&self->k, &p));
	EXPECT_EQ(0, used());
}

/* --- shared virtual memory -------------------------------------------------- */

#define ACCESS(from, size) \
	kfd_svm_set1(&self->k, mem + (from), size, KFD_IOCTL_SVM_ATTR_ACCESS, gpu)

TEST_F(sysmem, svm_counts_each_byte_once)
{
	char *mem = anon(16 * MIB);
	uint32_t gpu = self->k.gpu[0].gpu_id, value;

	ASSERT_NE(MAP_FAILED, mem);
	/* What nobody may access is nobody's. */
	ASSERT_OK(kfd_svm_set1(&self->k, mem, 16 * MIB, KFD_IOCTL_SVM_ATTR_GRANULARITY, 4));
	EXPECT_EQ(0, used());
	ASSERT_OK(ACCESS(0, 8 * MIB));
	EXPECT_EQ(8 * MIB, used());
	ASSERT_OK(ACCESS(0, 8 * MIB));
	EXPECT_EQ(8 * MIB, used());
	ASSERT_OK(ACCESS(4 * MIB, 8 * MIB));
	EXPECT_EQ(12 * MIB, used());
	/* Split, and join. */
	ASSERT_OK(kfd_svm_set1(&self->k, mem + 2 * MIB, MIB, KFD_IOCTL_SVM_ATTR_GRANULARITY, 7));
	EXPECT_EQ(12 * MIB, used());
	ASSERT_OK(kfd_svm_set1(&self->k, mem + 2 * MIB, MIB, KFD_IOCTL_SVM_ATTR_GRANULARITY, 4));
	EXPECT_EQ(12 * MIB, used());
	ASSERT_OK(kfd_svm_set1(&self->k, mem + MIB, MIB, KFD_IOCTL_SVM_ATTR_NO_ACCESS, gpu));
	EXPECT_EQ(11 * MIB, used());
	EXPECT_EQ(11 * MIB, mine(&self->k));
	/* A hole is struck out by who comes next. */
	ASSERT_EQ(0, munmap(mem + 5 * MIB, 2 * MIB));
	EXPECT_OK(kfd_svm_get1(&self->k, mem, MIB, KFD_IOCTL_SVM_ATTR_GRANULARITY, &value));
	EXPECT_EQ(9 * MIB, used());
	ASSERT_EQ(0, munmap(mem, 16 * MIB));
	EXPECT_OK(used_becomes(0));
}

/* What does not fit changes no attribute. */
TEST_F(sysmem, svm_refused_as_a_whole)
{
	uint32_t gpu = self->k.gpu[0].gpu_id;
	char *mem = anon(64 * MIB);

	ASSERT_NE(MAP_FAILED, mem);
	ASSERT_OK(ACCESS(0, 30 * MIB));
	EXPECT_ERR(ENOMEM, ACCESS(0, 64 * MIB));
	EXPECT_EQ(30 * MIB, used());
	EXPECT_EQ(KFD_IOCTL_SVM_ATTR_NO_ACCESS,
		  kfd_svm_access_of(&self->k, mem + 30 * MIB, MIB, 0));
	EXPECT_EQ(KFD_IOCTL_SVM_ATTR_ACCESS, kfd_svm_access_of(&self->k, mem, 30 * MIB, 0));
	ASSERT_OK(ACCESS(30 * MIB, 2 * MIB));
	ASSERT_EQ(0, munmap(mem, 64 * MIB));
	EXPECT_OK(used_becomes(0));
}

/* With XNACK on nothing is filled for a GPU; switched off, all has to fit. */
TEST_F(sysmem, xnack)
{
	uint32_t gpu = self->k.gpu[0].gpu_id;
	char *mem = anon(64 * MIB);

	ASSERT_NE(MAP_FAILED, mem);
	ASSERT_EQ(1, kfd_set_xnack(&self->k, 1));
	ASSERT_OK(ACCESS(0, 64 * MIB));
	EXPECT_EQ(0, used());
	EXPECT_ERR(ENOMEM, kfd_set_xnack(&self->k, 0));
	EXPECT_EQ(1, kfd_set_xnack(&self->k, -1));
	EXPECT_EQ(0, used());
	ASSERT_EQ(0, munmap(mem, 40 * MIB));
	EXPECT_OK(kfd_svm_set1(&self->k, mem + 40 * MIB, KFD_PAGE, KFD_IOCTL_SVM_ATTR_GRANULARITY,
			       3));
	EXPECT_EQ(0, kfd_set_xnack(&self->k, 0));
	EXPECT_EQ(24 * MIB, used());
	EXPECT_EQ(1, kfd_set_xnack(&self->k, 1));
	EXPECT_EQ(0, used());
}

/* --- processes -------------------------------------------------------------- */

/* Has some of every kind and waits to be killed. */
static void hold_all(int ready)
{
	struct piece p[NUM_KINDS];
	struct kfd k;
	int ret = kfd_start(&k), i;

	for (i = 0; i < NUM_KINDS && !ret; i++)
		ret = take(&k, i, 4 * MIB, &p[i]);
	if (write(ready, &ret, sizeof(ret)) == sizeof(ret))
		pause();
}

TEST_F(sysmem, given_back_at_the_end)
{
	int ready[2], ret, how;
	pid_t pid;

	for (how = 0; how < 2; how++) {
		ASSERT_EQ(0, pipe(ready));
		pid = fork();
		ASSERT_GE(pid, 0);
		if (!pid) {
			signal(SIGTERM, how ? exit : SIG_DFL);
			hold_all(ready[1]);
			_exit(1);
		}
		ASSERT_EQ(sizeof(ret), read(ready[0], &ret, sizeof(ret)));
		EXPECT_EQ(0, ret);
		EXPECT_EQ(NUM_KINDS * 4 * MIB, used());
		kill(pid, how ? SIGTERM : SIGKILL);
		ASSERT_EQ(pid, waitpid(pid, NULL, 0));
		EXPECT_OK(used_becomes(0));
		close(ready[0]);
		close(ready[1]);
	}
}

/* The limit is one for all who ask at the same time. */
TEST_F(sysmem, processes_at_once)
{
	int start[2], done[2], i, ret, total = 0;
	pid_t pid[4];
	char c;

	ASSERT_EQ(0, pipe(start));
	ASSERT_EQ(0, pipe(done));
	for (i = 0; i < 4; i++) {
		pid[i] = fork();
		ASSERT_GE(pid[i], 0);
		if (!pid[i]) {
			struct piece p[40];
			struct kfd k;
			int n = 0;

			if (kfd_start(&k) || read(start[0], &c, 1) != 1)
				_exit(1);
			while (n < 40 && !take(&k, n % NUM_KINDS, MIB, &p[n]))
				n++;
			if (write(done[1], &n, sizeof(n)) == sizeof(n))
				pause();
			_exit(1);
		}
	}
	ASSERT_EQ(4, write(start[1], "abcd", 4));
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(sizeof(ret), read(done[0], &ret, sizeof(ret)));
		total += ret;
	}
	EXPECT_EQ(32, total);
	EXPECT_EQ(LIMIT, used());
	for (i = 0; i < 4; i++) {
		kill(pid[i], SIGKILL);
		EXPECT_EQ(pid[i], waitpid(pid[i], NULL, 0));
	}
	EXPECT_OK(used_becomes(0));
}

/* A child has none of it; its parent's stays the parent's. */
TEST_F(sysmem, fork)
{
	struct piece p[NUM_KINDS];
	unsigned int i;
	pid_t pid;

	for (i = 0; i < NUM_KINDS; i++)
		ASSERT_OK(take(&self->k, i, MIB, &p[i]));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid)
		_exit(0);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	EXPECT_EQ(NUM_KINDS * MIB, used());
	for (i = 0; i < NUM_KINDS; i++)
		EXPECT_OK(give(&self->k, &p[i]));
	EXPECT_EQ(0, used());
}

/* Memory that a dma-buf keeps is there, whoever made it. */
TEST_F(sysmem, dmabuf)
{
	struct drm_prime_handle prime = { .flags = DRM_CLOEXEC | DRM_RDWR };
	struct drm_gem_close gem;

	ASSERT_OK(gem_gtt(&self->k, 8 * MIB, &prime.handle));
	ASSERT_OK(kfd_call(self->k.gpu[0].drm_fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime));
	gem = (struct drm_gem_close){ .handle = prime.handle };
	ASSERT_OK(kfd_call(self->k.gpu[0].drm_fd, DRM_IOCTL_GEM_CLOSE, &gem));
	EXPECT_EQ(8 * MIB, used());
	close(prime.fd);
	EXPECT_OK(used_becomes(0));
}

/* --- restore ---------------------------------------------------------------- */

/**
 * struct scene - a process to be restored, in memory that its child shares
 * @k: the driver
 * @s: its image, read back
 * @fd: where it is handed on
 * @mem: registered memory, shared memory
 * @step: where something failed
 */
struct scene {
	struct kfd k;
	struct kfd_snapshot s;
	int fd;
	char *mem;
	int step;
};

static int scene_dump(void *arg)
{
	struct scene *sc = arg;
	struct kfd_snapshot s;
	struct kfd_bo bo;

	STEP(sc, kfd_start(&sc->k));
	STEP(sc, kfd_bo_create(&sc->k, 0, MEM_GTT, 8 * MIB, &bo));
	STEP(sc, kfd_svm_alloc(&sc->k, 16 * MIB, 0, &sc->mem));
	STEP(sc, used() == 24 * MIB ? 0 : -EILSEQ);
	STEP(sc, kfd_snapshot_dump(&sc->k, sc->k.fd, &s));
	STEP(sc, kfd_snapshot_write(&s, sc->fd));
	return 0;
}

static int scene_restore(void *arg)
{
	struct scene *sc = arg;
	struct kfd now = { 0 };

	STEP(sc, kfd_snapshot_open(&now, &sc->s));
	STEP(sc, set_limit("23"));
	STEP_ERR(sc, ENOMEM, kfd_snapshot_restore_op(&now, &sc->s));
	STEP(sc, used() ? -EILSEQ : 0);
	STEP(sc, mine(&now) ? -EILSEQ : 0);
	STEP(sc, set_limit("24"));
	STEP(sc, kfd_snapshot_restore_op(&now, &sc->s));
	STEP(sc, used() == 24 * MIB ? 0 : -EILSEQ);
	STEP(sc, mine(&now) == 24 * MIB ? 0 : -EILSEQ);
	STEP(sc, mmap(sc->mem, 16 * MIB, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == sc->mem ? 0 : -errno);
	STEP(sc, kfd_snapshot_map_bos(&now, &sc->s));
	/* It was charged by RESTORE: nobody else can have taken it. */
	STEP(sc, set_limit("1"));
	STEP(sc, kfd_criu_resume(now.fd, getpid()));
	STEP(sc, used() == 24 * MIB ? 0 : -EILSEQ);
	STEP(sc, mine(&now) == 24 * MIB ? 0 : -EILSEQ);
	return 0;
}

TEST_F(sysmem, restore)
{
	struct scene *sc = mmap(NULL, sizeof(*sc), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, sc);
	kfd_stop(&self->k);
	sc->fd = memfd_create("image", MFD_CLOEXEC);
	ASSERT_OK(kfd_in_child(scene_dump, sc)) TH_LOG("line %d", sc->step);
	ASSERT_EQ(0, lseek(sc->fd, 0, SEEK_SET));
	ASSERT_OK(kfd_snapshot_read(&sc->s, sc->fd));
	ASSERT_OK(used_becomes(0));
	EXPECT_OK(kfd_in_child(scene_restore, sc)) TH_LOG("line %d", sc->step);
	EXPECT_OK(used_becomes(0));
}

/* --- the parameter ---------------------------------------------------------- */

TEST_F(sysmem, impossible_limits)
{
	static const char *const bad[] = { "-1", "x", "12x", "99999999999", "0x10000000000000" };
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		EXPECT_NE(0, set_limit(bad[i])) TH_LOG("'%s'", bad[i]);
		EXPECT_EQ(32, param(PARAM "system_mem_limit_mb"));
	}
	/* Less than is in use: nothing more is given out, nothing is taken away. */
	ASSERT_OK(kfd_bo_alloc(&self->k, 0, MEM_GTT, 8 * MIB, &self->bo));
	ASSERT_OK(set_limit("4"));
	EXPECT_EQ(8 * MIB, used());
	EXPECT_ERR(ENOMEM, kfd_bo_alloc(&self->k, 0, MEM_GTT, KFD_PAGE, &(struct kfd_bo){ 0 }));
	EXPECT_OK(kfd_bo_free(&self->k, &self->bo));
	EXPECT_EQ(0, used());
}

/* As things are without a parameter: no page of it is looked up. */
TEST_F(sysmem, nearly_all_memory_is_refused_at_once)
{
	struct sysinfo info;
	uint64_t size, limit;
	unsigned char *there;
	struct piece p;
	int i;

	ASSERT_OK(set_limit("0"));
	ASSERT_EQ(0, sysinfo(&info));
	limit = param(PARAM "system_mem_limit_mb");
	EXPECT_LT(limit, info.totalram * info.mem_unit / 16 * 15 / MIB + 1);
	EXPECT_GT(limit, info.totalram * info.mem_unit / MIB / 2);
	size = (limit + 1) * MIB;
	there = malloc(size / KFD_PAGE);
	for (i = 0; i < NUM_KINDS; i++) {
		EXPECT_ERR(ENOMEM, take(&self->k, i, size, &p)) TH_LOG("%s", names[i]);
		EXPECT_EQ(0, used());
	}
	self->mem = anon(size);
	ASSERT_NE(MAP_FAILED, self->mem);
	EXPECT_ERR(ENOMEM, kfd_bo_userptr(&self->k, 0, self->mem, size, &self->bo));
	ASSERT_EQ(0, mincore(self->mem, size, there));
	EXPECT_EQ(NULL, memchr(there, 1, size / KFD_PAGE));
}

KFD_TEST_MAIN
