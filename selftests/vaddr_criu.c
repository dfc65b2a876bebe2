// SPDX-License-Identifier: GPL-2.0-only
/*
 * Replaced CPU addresses and checkpoints: an image knows the address that
 * counts now, and whoever restores may put the memory elsewhere.
 */
#include "lib/kfd_image.h"
#include "lib/kfd_step.h"
#include "lib/kfd_test.h"
#include "lib/kfd_vaddr.h"
#include "lib/kfd_workload.h"

#define RING	65536
#define PAGES	4
#define SIZE	(PAGES * KFD_PAGE)
#define NOWHERE	((char *)0x10000000)

KFD_FIXTURE(vaddr_criu);

/* --- one process, dumped twice ----------------------------------------------- */

/* The record of a buffer, in @s. */
static struct kfd_record_bo *record_of(struct kfd_snapshot *s, uint64_t va)
{
	struct kfd_record_bo *r;
	unsigned int i;

	for (i = 0; (r = kfd_image_record(s, KFD_RECORD_BO, i)); i++)
		if (r->va == va)
			return r;
	return NULL;
}

static int dump(struct kfd *k, struct kfd_snapshot *s)
{
	int ret = kfd_snapshot_checkpoint(k->fd, s);

	if (ret)
		return ret;
	kfd_snapshot_close_fds(s);
	return kfd_criu_unpause(k->fd);
}

TEST_F(vaddr_criu, only_the_address_is_another)
{
	struct kfd_record_bo *was, *is;
	struct kfd_snapshot first, second;
	struct kfd_store s;
	struct kfd_bo bo;
	int live;
	char *p;

	ASSERT_OK(kfd_store_make(KFD_STORE_MEMFD, SIZE, &s));
	ASSERT_OK(kfd_vaddr_bo(&self->k, 0, s.p, SIZE, &bo));
	for (live = 0; live < 2; live++) {
		p = kfd_store_map(&s);
		ASSERT_NE(NULL, p);
		ASSERT_OK(dump(&self->k, &first));
		ASSERT_OK(live ? kfd_vaddr_live(&self->k, &bo) :
				 kfd_vaddr_invalidate(&self->k, &bo));
		ASSERT_OK(kfd_vaddr_update(&self->k, &bo, p));
		ASSERT_OK(dump(&self->k, &second));
		was = record_of(&first, bo.va);
		is = record_of(&second, bo.va);
		ASSERT_NE(NULL, was);
		ASSERT_NE(NULL, is);
		EXPECT_NE(was->user_addr, is->user_addr);
		EXPECT_EQ((uintptr_t)p, is->user_addr);
		is->user_addr = was->user_addr;
		EXPECT_EQ(0, memcmp(was, is, sizeof(*is)));
		EXPECT_EQ(first.info.priv_data_size, second.info.priv_data_size);
		EXPECT_EQ(first.info.num_bos, second.info.num_bos);
		kfd_snapshot_free(&first);
		kfd_snapshot_free(&second);
	}
	kfd_store_drop(&s);
}

/* --- restored elsewhere ------------------------------------------------------ */

/**
 * struct scene - a process whose GPU counts, in memory that its child shares
 * @k: the driver
 * @bo: registered memory, the one that is counted in
 * @other: likewise, another piece
 * @c: the queue that counts
 * @q: a queue that does nothing
 * @fd: where its image is handed on
 * @s: its image, once it has been read back
 * @step: where something failed
 */
struct scene {
	struct kfd k;
	struct kfd_bo bo, other;
	struct kfd_counter c;
	struct kfd_queue q;
	int fd;
	struct kfd_snapshot s;
	int step;
};

/* @at: 0, or where nothing will be in the restored process */
static int anonymous(uint64_t at, char **p)
{
	*p = mmap((void *)(uintptr_t)at, SIZE, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return *p == MAP_FAILED ? -errno : 0;
}

/* In a child: is dumped while its GPU counts. */
static int scene_dump(void *arg)
{
	struct scene *sc = arg;
	struct kfd_snapshot s;
	char *p;

	STEP(sc, kfd_start(&sc->k));
	STEP(sc, anonymous(kfd_reserve_va(&sc->k, SIZE), &p));
	STEP(sc, kfd_vaddr_bo(&sc->k, 0, p, SIZE, &sc->bo));
	STEP(sc, anonymous(kfd_reserve_va(&sc->k, SIZE), &p));
	STEP(sc, kfd_vaddr_bo(&sc->k, 0, p, SIZE, &sc->other));
	STEP(sc, kfd_queue_create(&sc->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &sc->q));
	STEP(sc, kfd_counter_start(&sc->k, 0, sc->bo.va, &sc->c));
	STEP(sc, kfd_word_moves(sc->c.shadow.cpu));
	STEP(sc, kfd_snapshot_dump(&sc->k, sc->k.fd, &s));
	STEP(sc, kfd_snapshot_write(&s, sc->fd));
	return 0;
}

/* As it comes back, all but its registered memory. */
static int scene_restore(struct scene *sc, struct kfd *now)
{
	STEP(sc, kfd_snapshot_restore(now, &sc->s));
	STEP(sc, kfd_queue_map_doorbell(now, &sc->q));
	STEP(sc, kfd_queue_map_doorbell(now, &sc->c.q));
	return 0;
}

/* The same, with memory for it elsewhere; @from: how far it has counted. */
static int scene_restore_beside(struct scene *sc, struct kfd *now, char **p, char **other,
				uint64_t *from)
{
	STEP(sc, scene_restore(sc, now));
	STEP(sc, anonymous(0, p));
	STEP(sc, anonymous(0, other));
	*from = kfd_counter_value(&sc->c);
	return 0;
}

/* It counts in the new memory, where it goes on from zero. */
static int scene_runs(struct scene *sc, struct kfd *now, char *p, char *other, uint64_t from)
{
	STEP(sc, kfd_word_moves(p));
	STEP(sc, kfd_vaddr_reaches(&sc->q, &sc->bo, KFD_PAGE, p));
	STEP(sc, kfd_vaddr_reaches(&sc->q, &sc->other, SIZE - 8, other));
	STEP(sc, kfd_counter_stop(now, &sc->c, p, from));
	return 0;
}

static int scene_elsewhere(void *arg)
{
	struct scene *sc = arg;
	char *p, *other;
	struct kfd now;
	uint64_t from;

	STEP(sc, scene_restore_beside(sc, &now, &p, &other, &from));
	STEP(sc, kfd_vaddr_update(&now, &sc->bo, p));
	STEP(sc, kfd_vaddr_update(&now, &sc->other, other));
	STEP(sc, kfd_word_stands(sc->c.shadow.cpu));
	STEP(sc, kfd_criu_resume(now.fd, getpid()));
	return scene_runs(sc, &now, p, other, from);
}

/* Nothing is looked up before RESUME, which tells what is not there. */
static int scene_not_there(void *arg)
{
	struct scene *sc = arg;
	char *p, *other;
	struct kfd now;
	uint64_t from;

	STEP(sc, scene_restore_beside(sc, &now, &p, &other, &from));
	STEP(sc, kfd_vaddr_update(&now, &sc->other, other));
	STEP_ERR(sc, EFAULT, kfd_criu_resume(now.fd, getpid()));
	STEP(sc, kfd_vaddr_update(&now, &sc->bo, NOWHERE));
	STEP_ERR(sc, EFAULT, kfd_criu_resume(now.fd, getpid()));
	STEP(sc, kfd_vaddr_update(&now, &sc->bo, p));
	STEP(sc, kfd_criu_resume(now.fd, getpid()));
	return scene_runs(sc, &now, p, other, from);
}

static int scene_rules(void *arg)
{
	struct kfd_ioctl_vaddr_info_args info;
	struct kfd_ioctl_criu_args args;
	struct scene *sc = arg;
	struct kfd_bo bo = sc->bo;
	char *p, *other;
	struct kfd now;
	uint64_t from;

	STEP(sc, scene_restore_beside(sc, &now, &p, &other, &from));
	STEP(sc, kfd_vaddr_info(&now, &info));
	STEP(sc, info.num_userptrs == 2 && !info.num_live && !info.held_pages ? 0 : -EILSEQ);
	STEP(sc, info.exec_blockers & KFD_IOC_VADDR_EXEC_RESTORED ? 0 : -EILSEQ);
	STEP_ERR(sc, EINVAL, kfd_vaddr_invalidate(&now, &sc->bo));
	STEP_ERR(sc, EINVAL, kfd_vaddr_live(&now, &sc->bo));
	STEP_ERR(sc, EINVAL, kfd_vaddr_all(&now, VADDR_INVALIDATE));
	STEP_ERR(sc, EINVAL, kfd_vaddr_update(&now, &sc->bo, p + 8));
	STEP_ERR(sc, EINVAL, kfd_vaddr_update(&now, &sc->bo, (char *)-KFD_PAGE));
	bo.size -= KFD_PAGE;
	STEP_ERR(sc, EINVAL, kfd_vaddr_update(&now, &bo, p));
	bo.va += 1ULL << 40;
	STEP_ERR(sc, ENOENT, kfd_vaddr_update(&now, &bo, p));
	/* The last one of several is what counts. */
	STEP(sc, kfd_vaddr_update(&now, &sc->bo, other));
	STEP(sc, kfd_vaddr_update(&now, &sc->bo, p));
	STEP(sc, kfd_vaddr_update(&now, &sc->other, other));
	STEP_ERR(sc, EBUSY, kfd_criu_info(now.fd, &args));
	STEP(sc, kfd_criu_resume(now.fd, getpid()));
	STEP_ERR(sc, EINVAL, kfd_vaddr_update(&now, &sc->bo, p));
	return scene_runs(sc, &now, p, other, from);
}

/* And from there it goes on as any: given up, replaced, dumped. */
static int scene_again(void *arg)
{
	struct kfd_record_bo *r;
	struct scene *sc = arg;
	struct kfd_snapshot s;
	char *p, *other;
	struct kfd now;

	STEP(sc, scene_restore(sc, &now));
	STEP(sc, anonymous(0, &p));
	STEP(sc, anonymous(0, &other));
	STEP(sc, kfd_vaddr_update(&now, &sc->bo, p));
	STEP(sc, kfd_vaddr_update(&now, &sc->other, other));
	STEP(sc, kfd_criu_resume(now.fd, getpid()));
	STEP(sc, dump(&now, &s));
	r = record_of(&s, sc->bo.va);
	STEP(sc, r && r->user_addr == (uintptr_t)p ? 0 : -EILSEQ);
	kfd_snapshot_free(&s);
	STEP(sc, kfd_vaddr_invalidate(&now, &sc->other));
	STEP(sc, kfd_word_stands(p));
	STEP(sc, munmap(other, SIZE));
	STEP(sc, anonymous(0, &other));
	STEP(sc, kfd_vaddr_update(&now, &sc->other, other));
	STEP(sc, kfd_vaddr_reaches(&sc->q, &sc->other, 0, other));
	return kfd_word_moves(p);
}

FIXTURE(vaddr_restore)
{
	struct scene *sc;
};

FIXTURE_SETUP(vaddr_restore)
{
	self->sc = mmap(NULL, sizeof(*self->sc), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->sc);
	self->sc->fd = memfd_create("image", MFD_CLOEXEC);
	ASSERT_OK(kfd_in_child(scene_dump, self->sc)) TH_LOG("line %d", self->sc->step);
	ASSERT_EQ(0, lseek(self->sc->fd, 0, SEEK_SET));
	ASSERT_OK(kfd_snapshot_read(&self->sc->s, self->sc->fd));
}

FIXTURE_TEARDOWN(vaddr_restore)
{
	kfd_snapshot_free(&self->sc->s);
}

TEST_F_TIMEOUT(vaddr_restore, memory_is_elsewhere, 60)
{
	EXPECT_OK(kfd_in_child(scene_elsewhere, self->sc)) TH_LOG("line %d", self->sc->step);
}

TEST_F_TIMEOUT(vaddr_restore, memory_comes_late, 60)
{
	EXPECT_OK(kfd_in_child(scene_not_there, self->sc)) TH_LOG("line %d", self->sc->step);
}

TEST_F_TIMEOUT(vaddr_restore, rules_before_resume, 60)
{
	EXPECT_OK(kfd_in_child(scene_rules, self->sc)) TH_LOG("line %d", self->sc->step);
}

TEST_F_TIMEOUT(vaddr_restore, goes_on_as_any_process, 60)
{
	EXPECT_OK(kfd_in_child(scene_again, self->sc)) TH_LOG("line %d", self->sc->step);
}

KFD_TEST_MAIN_OURS
