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
#define GAP	(PAGES - 2)
#define SPOKEN	2	/* of the page with attributes of its own */
#define WORD	3	/* of that with the queues' word */
#define ATTRS	(5 + KFD_MAX_TEST_GPUS)

/* What GET_ATTR says of a page. */
struct look {
	int ret;
	struct kfd_ioctl_svm_attribute attr[ATTRS];
};

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
 * @was: what was said of each page of @p, and of @save, before the dump
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
	struct look was[PAGES + 1];
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

static uint64_t *page(struct scene *sc, int i)
{
	return (uint64_t *)(sc->p + i * KFD_PAGE);
}

/* Each page has contents of its own. */
static void fill_page(struct scene *sc, int i)
{
	kfd_fill_pattern(page(sc, i), KFD_PAGE, i + 1);
	if (i == WORD)
		*page(sc, i) = 30;
}

static int map_page(struct scene *sc, int i)
{
	int ret = map_fixed(sc->p + i * KFD_PAGE, KFD_PAGE);

	if (!ret)
		fill_page(sc, i);
	return ret;
}

/* All that can be asked, of the range and of every GPU; GPUs by the ids of the image. */
static void look_at(struct kfd *k, struct scene *sc, const void *p, struct look *look)
{
	static const uint32_t types[] = {
		KFD_IOCTL_SVM_ATTR_PREFERRED_LOC, KFD_IOCTL_SVM_ATTR_PREFETCH_LOC,
		KFD_IOCTL_SVM_ATTR_SET_FLAGS, KFD_IOCTL_SVM_ATTR_CLR_FLAGS,
		KFD_IOCTL_SVM_ATTR_GRANULARITY,
	};
	uint32_t n = 0;
	int i;

	memset(look, 0, sizeof(*look));
	for (; n < sizeof(types) / sizeof(types[0]); n++)
		look->attr[n].type = types[n];
	for (i = 0; i < sc->k.num_gpus; i++, n++) {
		look->attr[n].type = KFD_IOCTL_SVM_ATTR_ACCESS;
		look->attr[n].value = sc->k.gpu[i].gpu_id;
	}
	look->ret = kfd_svm_get(k, p, KFD_PAGE, look->attr, n);
}

static int looks_same(struct scene *sc, struct kfd *now)
{
	struct look look;
	int i;

	for (i = 0; i <= PAGES; i++) {
		look_at(now, sc, i < PAGES ? (void *)page(sc, i) : sc->save, &look);
		STEP(sc, look.ret == sc->was[i].ret ? 0 : -EILSEQ);
		STEP(sc, memcmp(look.attr, sc->was[i].attr, sizeof(look.attr)) ? -EILSEQ : 0);
	}
	return 0;
}

static int scene_make(struct scene *sc)
{
	const struct kfd_ioctl_svm_attribute some[] = {
		{ KFD_IOCTL_SVM_ATTR_PREFERRED_LOC, sc->k.gpu[0].gpu_id },
		{ KFD_IOCTL_SVM_ATTR_PREFETCH_LOC, KFD_IOCTL_SVM_LOCATION_SYSMEM },
		{ KFD_IOCTL_SVM_ATTR_SET_FLAGS, KFD_IOCTL_SVM_FLAG_GPU_EXEC },
		{ KFD_IOCTL_SVM_ATTR_GRANULARITY, 5 },
	};
	int i;

	STEP(sc, kfd_svm_alloc(&sc->k, SIZE, 0, &sc->p));
	STEP(sc, munmap(sc->p + SIZE - 2 * KFD_PAGE, KFD_PAGE));
	STEP(sc, kfd_svm_set(&sc->k, page(sc, SPOKEN), KFD_PAGE, some, 4));
	STEP(sc, kfd_svm_set1(&sc->k, sc->p, KFD_PAGE, KFD_IOCTL_SVM_ATTR_ACCESS,
			      sc->k.gpu[sc->k.num_gpus - 1].gpu_id));
	STEP(sc, kfd_svm_alloc(&sc->k, SAVE, 0, &sc->save));
	STEP(sc, kfd_bo_create(&sc->k, 0, MEM_GTT, 64 << 10, &sc->safe));
	STEP(sc, kfd_queue_create(&sc->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &sc->sdma));
	STEP(sc, kfd_svm_queue(&sc->k, 0, sc->save, SAVE, &sc->pm4));
	for (i = 0; i < PAGES; i++)
		if (i != GAP)
			fill_page(sc, i);
	STEP(sc, kfd_gpu_add(&sc->sdma, page(sc, WORD), 3));
	STEP(sc, *page(sc, WORD) == 33 ? 0 : -EILSEQ);
	for (i = 0; i <= PAGES; i++)
		look_at(&sc->k, sc, i < PAGES ? (void *)page(sc, i) : sc->save, &sc->was[i]);
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
		if (i != GAP && i != sc->skip)
			STEP(sc, map_page(sc, i));
	if (sc->skip != PAGES)
		STEP(sc, map_fixed(sc->save, SAVE));
	return 0;
}

/* The slice of the GPU that stands in now. */
static int map_doorbell(struct kfd *now, struct kfd_queue *q)
{
	q->doorbell_offset &= ~(0xffffULL << 46);
	q->doorbell_offset |= (uint64_t)now->gpu[0].gpu_id << 46;
	return kfd_queue_map_doorbell(now, q);
}

/* Into the driver's open file; the GPUs are known by the ids of the image afterwards. */
static int scene_restore_into(struct scene *sc, struct kfd *now)
{
	STEP(sc, kfd_snapshot_restore_op(now, &sc->s));
	STEP(sc, kfd_snapshot_map_bos(now, &sc->s));
	STEP(sc, map_doorbell(now, &sc->sdma));
	STEP(sc, map_doorbell(now, &sc->pm4));
	memcpy(now->gpu, sc->k.gpu, sizeof(now->gpu));
	return scene_map(sc);
}

static int scene_restore(struct scene *sc, struct kfd *now)
{
	STEP(sc, kfd_snapshot_open(now, &sc->s));
	return scene_restore_into(sc, now);
}

static int expect_value(struct kfd *k, const char *p, uint32_t type, uint32_t value)
{
	uint32_t got;
	int ret = kfd_svm_get1(k, p, KFD_PAGE, type, &got);

	return ret ? ret : got == value ? 0 : -EILSEQ;
}

/* How a GPU may reach a range, 0 if not */
static uint32_t access_in(const struct kfd_record_svm *rec, uint32_t gpu_id)
{
	uint32_t i;

	for (i = 0; i < rec->num_access; i++)
		if (rec->gpu_id[i] == gpu_id)
			return rec->access[i];
	return 0;
}

static int same_range(struct scene *sc, const struct kfd_record_svm *was,
		      const struct kfd_record_svm *now)
{
	uint32_t i;

	STEP(sc, was->start == now->start && was->size == now->size ? 0 : -EILSEQ);
	STEP(sc, was->flags == now->flags ? 0 : -EILSEQ);
	STEP(sc, was->granularity == now->granularity ? 0 : -EILSEQ);
	STEP(sc, was->preferred_loc == now->preferred_loc ? 0 : -EILSEQ);
	STEP(sc, was->prefetch_loc == now->prefetch_loc ? 0 : -EILSEQ);
	STEP(sc, was->lost_size == now->lost_size ? 0 : -EILSEQ);
	STEP(sc, was->num_access == now->num_access ? 0 : -EILSEQ);
	STEP(sc, was->others == now->others ? 0 : -EILSEQ);
	for (i = 0; i < was->num_access; i++)
		STEP(sc, access_in(now, was->gpu_id[i]) == was->access[i] ? 0 : -EILSEQ);
	return 0;
}

/* An image of the restored process has the same ranges, and no other. */
static int same_ranges(struct scene *sc, struct kfd *now)
{
	struct kfd_record_svm *was, *is;
	struct kfd_snapshot again;
	int i = 0;

	STEP(sc, kfd_snapshot_checkpoint(now->fd, &again));
	do {
		was = kfd_image_record(&sc->s, KFD_RECORD_SVM, i);
		is = kfd_image_record(&again, KFD_RECORD_SVM, i);
		STEP(sc, !was == !is ? 0 : -EILSEQ);
		if (was)
			STEP(sc, same_range(sc, was, is));
		i++;
	} while (was);
	/*
	 * Pages 0, 1, 2, 3 to 5, 7, and the save area; with XNACK page 0 is as page 1, as each
	 * GPU has access by default.
	 */
	STEP(sc, i - 1 == (sc->xnack ? 5 : 6) ? 0 : -EILSEQ);
	kfd_snapshot_close_fds(&again);
	kfd_snapshot_free(&again);
	return kfd_criu_unpause(now->fd);
}

static int scene_same(struct scene *sc, struct kfd *now)
{
	const char *p = sc->p, *spoken = p + SPOKEN * KFD_PAGE;
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
		if (i != GAP && i != SPOKEN)
			STEP(sc, expect_value(now, p + i * KFD_PAGE,
					      KFD_IOCTL_SVM_ATTR_GRANULARITY,
					      SVM_DEFAULT_GRANULARITY));
	STEP(sc, kfd_svm_access_of(now, p + KFD_PAGE, KFD_PAGE, 0) ==
	     KFD_IOCTL_SVM_ATTR_ACCESS_IN_PLACE ? 0 : -EILSEQ);
	STEP(sc, kfd_svm_access_of(now, p, KFD_PAGE, last) == KFD_IOCTL_SVM_ATTR_ACCESS ?
	     0 : -EILSEQ);
	STEP(sc, looks_same(sc, now));
	return same_ranges(sc, now);
}

/* The GPU finds in each page what is there, and changes nothing beside it. */
static int gpu_sees_all(struct scene *sc)
{
	uint64_t first;
	int i;

	for (i = 0; i < PAGES; i++) {
		if (i == GAP)
			continue;
		first = *page(sc, i);
		STEP(sc, kfd_gpu_add(&sc->sdma, page(sc, i), 12));
		STEP(sc, *page(sc, i) == first + 12 ? 0 : -EILSEQ);
		*page(sc, i) = first;
		if (i == WORD) {
			STEP(sc, first == 30 ? 0 : -EILSEQ);
			continue;
		}
		STEP(sc, kfd_check_pattern(page(sc, i), KFD_PAGE, i + 1) ? 0 : -EILSEQ);
	}
	return 0;
}

/* The GPU reaches it, the queues go on, and the memory is what it was. */
static int scene_runs(struct scene *sc)
{
	volatile uint64_t *word = page(sc, WORD), *first = page(sc, 0);
	uint32_t p[8];

	STEP(sc, gpu_sees_all(sc));
	STEP(sc, kfd_queue_run(&sc->pm4, p, pm4_write_data(p, (uintptr_t)word, 5)));
	STEP(sc, *(volatile uint32_t *)word == 5 ? 0 : -EILSEQ);
	STEP(sc, madvise(sc->p, KFD_PAGE, MADV_DONTNEED));
	STEP(sc, kfd_gpu_add(&sc->sdma, sc->p, 1));
	STEP(sc, *first == 1 ? 0 : -EILSEQ);
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
	     map_page(sc, sc->skip));
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
	/* It takes no harm: with memory there it is as without all that. */
	STEP(sc, map_page(sc, 0));
	STEP(sc, map_page(sc, 1));
	STEP(sc, kfd_criu_resume(now.fd, getpid()));
	STEP(sc, scene_same(sc, &now));
	STEP(sc, scene_runs(sc));
	return 0;
}

/* A RESTORE that fails when XNACK has been switched already. */
static int scene_refused(void *arg)
{
	struct scene *sc = arg;
	struct kfd_record_queue *first, *second;
	struct kfd now = { 0 };
	uint64_t doorbell;
	int mode = !sc->xnack;

	STEP(sc, kfd_snapshot_open(&now, &sc->s));
	STEP(sc, kfd_set_xnack(&now, mode) == mode ? 0 : -EILSEQ);
	first = kfd_image_record(&sc->s, KFD_RECORD_QUEUE, 0);
	second = kfd_image_record(&sc->s, KFD_RECORD_QUEUE, 1);
	STEP(sc, first && second ? 0 : -ENOENT);
	doorbell = second->doorbell_offset;
	second->doorbell_offset = first->doorbell_offset;
	STEP(sc, kfd_snapshot_restore_op(&now, &sc->s) == -EINVAL ? 0 : -EILSEQ);
	STEP(sc, kfd_set_xnack(&now, -1) == mode ? 0 : -EILSEQ);
	/* Nor a range, or those of the right image would be in its way. */
	second->doorbell_offset = doorbell;
	STEP(sc, scene_restore_into(sc, &now));
	STEP(sc, kfd_criu_resume(now.fd, getpid()));
	STEP(sc, scene_same(sc, &now));
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
