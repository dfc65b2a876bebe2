// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shared virtual memory across checkpoint and restore. The contents are the
 * process's own memory, which whoever restores brings back; here the test.
 */
#include <sys/mman.h>

#include "lib/kfd_image.h"
#include "lib/kfd_mem.h"
#include "lib/kfd_step.h"
#include "lib/kfd_svm.h"
#include "lib/kfd_test.h"
#include "lib/kfd_workload.h"

#define RING	65536
#define PAGES	8
#define SIZE	(PAGES * KFD_PAGE)
#define SAVE	(8 << 20)

/**
 * struct scene - a process with ranges, in memory that its child shares
 * @k: the driver
 * @xnack: mode
 * @p: ranges: three of them, with a gap of one page before the last page
 * @save: range that a compute queue's context save area lies in
 * @safe: a buffer
 * @sdma: a queue
 * @pm4: the queue whose save area is in @save
 * @fd: where its image is handed on
 * @s: its image, once it has been read back
 * @skip: index of a page that the restorer does not map, or -1
 * @step: where something failed
 */
struct scene {
	struct kfd k;
	int xnack;
	char *p;
	char *save;
	struct kfd_bo safe;
	struct kfd_queue sdma, pm4;
	int fd;
	struct kfd_snapshot s;
	int skip;
	int step;
};

static struct scene *scene_new(int xnack)
{
	struct scene *sc = mmap(NULL, sizeof(*sc), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (sc == MAP_FAILED)
		return NULL;
	sc->xnack = xnack;
	sc->skip = -1;
	return sc;
}

static int map_fixed(char *p, uint64_t size)
{
	return mmap(p, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p ? 0 : -errno;
}

static int scene_make(struct scene *sc)
{
	const struct kfd_ioctl_svm_attribute some[] = {
		{ KFD_IOCTL_SVM_ATTR_PREFERRED_LOC, sc->k.gpu[0].gpu_id },
		{ KFD_IOCTL_SVM_ATTR_PREFETCH_LOC, KFD_IOCTL_SVM_LOCATION_SYSMEM },
		{ KFD_IOCTL_SVM_ATTR_SET_FLAGS, KFD_IOCTL_SVM_FLAG_GPU_EXEC },
		{ KFD_IOCTL_SVM_ATTR_GRANULARITY, 5 },
	};

	STEP(sc, kfd_svm_alloc(&sc->k, SIZE, 0, &sc->p));
	STEP(sc, munmap(sc->p + SIZE - 2 * KFD_PAGE, KFD_PAGE));
	STEP(sc, kfd_svm_set(&sc->k, sc->p + 2 * KFD_PAGE, KFD_PAGE, some, 4));
	STEP(sc, kfd_svm_set1(&sc->k, sc->p, KFD_PAGE, KFD_IOCTL_SVM_ATTR_ACCESS,
			      sc->k.gpu[sc->k.num_gpus - 1].gpu_id));
	STEP(sc, kfd_svm_alloc(&sc->k, SAVE, 0, &sc->save));
	STEP(sc, kfd_bo_create(&sc->k, 0, MEM_GTT, 64 << 10, &sc->safe));
	STEP(sc, kfd_queue_create(&sc->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &sc->sdma));
	STEP(sc, kfd_svm_queue(&sc->k, 0, sc->save, SAVE, &sc->pm4));
	STEP(sc, kfd_gpu_add(&sc->sdma, sc->p + 3 * KFD_PAGE, 30));
	return 0;
}

/* In a child: makes the scene and dumps itself. */
static int scene_dump(void *arg)
{
	struct scene *sc = arg;
	struct kfd_snapshot s;

	STEP(sc, kfd_start(&sc->k));
	if (sc->xnack)
		STEP(sc, kfd_set_xnack(&sc->k, 1) == 1 ? 0 : -EPERM);
	STEP(sc, scene_make(sc));
	STEP(sc, kfd_snapshot_dump(&sc->k, sc->k.fd, &s));
	STEP(sc, kfd_snapshot_write(&s, sc->fd));
	return 0;
}

/* Memory as criu would have brought it back, but for the page to be skipped. */
static int scene_map(struct scene *sc)
{
	int i;

	for (i = 0; i < PAGES; i++)
		if (i != PAGES - 2 && i != sc->skip)
			STEP(sc, map_fixed(sc->p + i * KFD_PAGE, KFD_PAGE));
	if (sc->skip != PAGES)
		STEP(sc, map_fixed(sc->save, SAVE));
	*(uint64_t *)(sc->p + 3 * KFD_PAGE) = 30;
	return 0;
}

/* The slice of the GPU that stands in now. */
static int map_doorbell(struct kfd *now, struct kfd_queue *q)
{
	q->doorbell_offset &= ~(0xffffULL << 46);
	q->doorbell_offset |= (uint64_t)now->gpu[0].gpu_id << 46;
	return kfd_queue_map_doorbell(now, q);
}

/* The GPUs are known by the ids of the image afterwards. */
static int scene_restore(struct scene *sc, struct kfd *now)
{
	STEP(sc, kfd_snapshot_open(now, &sc->s));
	STEP(sc, kfd_snapshot_restore_op(now, &sc->s));
	STEP(sc, kfd_snapshot_map_bos(now, &sc->s));
	STEP(sc, map_doorbell(now, &sc->sdma));
	STEP(sc, map_doorbell(now, &sc->pm4));
	memcpy(now->gpu, sc->k.gpu, sizeof(now->gpu));
	return scene_map(sc);
}

static int expect_value(struct kfd *k, const char *p, uint32_t type, uint32_t value)
{
	uint32_t got;
	int ret = kfd_svm_get1(k, p, KFD_PAGE, type, &got);

	return ret ? ret : got == value ? 0 : -EILSEQ;
}

static int scene_same(struct scene *sc, struct kfd *now)
{
	const char *p = sc->p, *spoken = p + 2 * KFD_PAGE;
	int last = sc->k.num_gpus - 1, i;

	STEP(sc, kfd_set_xnack(now, -1) == sc->xnack ? 0 : -EILSEQ);
	STEP(sc, expect_value(now, spoken, KFD_IOCTL_SVM_ATTR_PREFERRED_LOC,
			      sc->k.gpu[0].gpu_id));
	STEP(sc, expect_value(now, spoken, KFD_IOCTL_SVM_ATTR_PREFETCH_LOC,
			      KFD_IOCTL_SVM_LOCATION_SYSMEM));
	STEP(sc, expect_value(now, spoken, KFD_IOCTL_SVM_ATTR_GRANULARITY, 5));
	STEP(sc, expect_value(now, spoken, KFD_IOCTL_SVM_ATTR_SET_FLAGS,
			      SVM_DEFAULT_FLAGS | KFD_IOCTL_SVM_FLAG_GPU_EXEC));
	for (i = 1; i < PAGES; i++)
		if (i != PAGES - 2 && i != 2)
			STEP(sc, expect_value(now, p + i * KFD_PAGE,
					      KFD_IOCTL_SVM_ATTR_GRANULARITY,
					      SVM_DEFAULT_GRANULARITY));
	STEP(sc, kfd_svm_access_of(now, p + KFD_PAGE, KFD_PAGE, 0) ==
	     KFD_IOCTL_SVM_ATTR_ACCESS_IN_PLACE ? 0 : -EILSEQ);
	STEP(sc, kfd_svm_access_of(now, p, KFD_PAGE, last) == KFD_IOCTL_SVM_ATTR_ACCESS ?
	     0 : -EILSEQ);
	return 0;
}

/* The GPU reaches it, the queues go on, and the memory is what it was. */
static int scene_runs(struct scene *sc)
{
	volatile uint64_t *word = (uint64_t *)(sc->p + 3 * KFD_PAGE);
	uint32_t p[8];

	STEP(sc, kfd_gpu_add(&sc->sdma, word, 12));
	STEP(sc, *word == 42 ? 0 : -EILSEQ);
	STEP(sc, kfd_gpu_add(&sc->sdma, sc->p + SIZE - KFD_PAGE, 1));
	STEP(sc, kfd_queue_run(&sc->pm4, p, pm4_write_data(p, (uintptr_t)word, 5)));
	STEP(sc, *(volatile uint32_t *)word == 5 ? 0 : -EILSEQ);
	STEP(sc, madvise(sc->p, KFD_PAGE, MADV_DONTNEED));
	STEP(sc, kfd_gpu_add(&sc->sdma, sc->p, 1));
	return 0;
}

static int scene_go_on(void *arg)
{
	struct scene *sc = arg;
	struct kfd now = { 0 };

	STEP(sc, scene_restore(sc, &now));
	STEP(sc, kfd_criu_resume(now.fd, getpid()));
	STEP(sc, scene_same(sc, &now));
	STEP(sc, scene_runs(sc));
	return 0;
}

/* RESUME as long as something is not there fails, and then it does not. */
static int scene_late(void *arg)
{
	struct scene *sc = arg;
	struct kfd now = { 0 };
	int i;

	STEP(sc, scene_restore(sc, &now));
	for (i = 0; i < 3; i++)
		STEP(sc, kfd_criu_resume(now.fd, getpid()) == -EFAULT ? 0 : -EILSEQ);
	/* Evicted, and not to be spoken to. */
	STEP(sc, kfd_svm_set1(&now, sc->p, KFD_PAGE, KFD_IOCTL_SVM_ATTR_GRANULARITY, 1) ==
	     -EBUSY ? 0 : -EILSEQ);
	STEP(sc, sc->skip == PAGES ? map_fixed(sc->save, SAVE) :
	     map_fixed(sc->p + sc->skip * KFD_PAGE, KFD_PAGE));
	STEP(sc, kfd_criu_resume(now.fd, getpid()));
	STEP(sc, scene_same(sc, &now));
	STEP(sc, scene_runs(sc));
	return 0;
}

static int scene_wrong_place(void *arg)
{
	struct scene *sc = arg;
	struct kfd now = { 0 };

	STEP(sc, scene_restore(sc, &now));
	/* A device's memory where a range shall be. */
	STEP(sc, mmap(sc->p, 2 * KFD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, now.fd,
		      (off_t)(sc->sdma.doorbell_offset & ~(2 * KFD_PAGE - 1))) == sc->p ?
	     0 : -errno);
	STEP(sc, kfd_criu_resume(now.fd, getpid()) == -EFAULT ? 0 : -EILSEQ);
	return 0;
}

/* A RESTORE that fails when XNACK has been switched already. */
static int scene_refused(void *arg)
{
	struct scene *sc = arg;
	struct kfd_record_queue *first, *second;
	struct kfd now = { 0 };
	int mode = !sc->xnack;

	STEP(sc, kfd_snapshot_open(&now, &sc->s));
	STEP(sc, kfd_set_xnack(&now, mode) == mode ? 0 : -EILSEQ);
	first = kfd_image_record(&sc->s, KFD_RECORD_QUEUE, 0);
	second = kfd_image_record(&sc->s, KFD_RECORD_QUEUE, 1);
	STEP(sc, first && second ? 0 : -ENOENT);
	second->doorbell_offset = first->doorbell_offset;
	STEP(sc, kfd_snapshot_restore_op(&now, &sc->s) == -EINVAL ? 0 : -EILSEQ);
	STEP(sc, kfd_set_xnack(&now, -1) == mode ? 0 : -EILSEQ);
	return 0;
}

FIXTURE(svm_criu)
{
	struct scene *sc;
};

FIXTURE_VARIANT(svm_criu)
{
	int xnack;
};

FIXTURE_VARIANT_ADD(svm_criu, xnack_off) { .xnack = 0 };
FIXTURE_VARIANT_ADD(svm_criu, xnack_on) { .xnack = 1 };

FIXTURE_SETUP(svm_criu)
{
	self->sc = scene_new(variant->xnack);
	ASSERT_NE(NULL, self->sc);
	self->sc->fd = memfd_create("image", MFD_CLOEXEC);
	ASSERT_OK(kfd_in_child(scene_dump, self->sc))
		TH_LOG("line %d", self->sc->step);
	ASSERT_EQ(0, lseek(self->sc->fd, 0, SEEK_SET));
	ASSERT_OK(kfd_snapshot_read(&self->sc->s, self->sc->fd));
}

FIXTURE_TEARDOWN(svm_criu)
{
}

TEST_F(svm_criu, goes_on)
{
	EXPECT_OK(kfd_in_child(scene_go_on, self->sc))
		TH_LOG("line %d", self->sc->step);
}

TEST_F(svm_criu, on_the_other_gpu)
{
	self->sc->s.swap = true;
	EXPECT_OK(kfd_in_child(scene_go_on, self->sc))
		TH_LOG("line %d", self->sc->step);
}

TEST_F(svm_criu, a_mapping_comes_late)
{
	/* The first, one in the middle, the last, and that of a queue. */
	static const int skip[] = { 0, 2, PAGES - 1, PAGES };
	const struct scene dumped = *self->sc;
	unsigned int i;

	for (i = 0; i < sizeof(skip) / sizeof(skip[0]); i++) {
		/* The last restored process has written into it. */
		*self->sc = dumped;
		self->sc->skip = skip[i];
		EXPECT_OK(kfd_in_child(scene_late, self->sc))
			TH_LOG("page %d, line %d", skip[i], self->sc->step);
	}
}

TEST_F(svm_criu, refused_restore_leaves_the_mode)
{
	EXPECT_OK(kfd_in_child(scene_refused, self->sc))
		TH_LOG("line %d", self->sc->step);
}

TEST_F(svm_criu, a_device_in_its_place)
{
	EXPECT_OK(kfd_in_child(scene_wrong_place, self->sc))
		TH_LOG("line %d", self->sc->step);
}

KFD_TEST_MAIN
