// SPDX-License-Identifier: GPL-2.0-only
/*
 * The promise of a file that was sealed: what nobody can write to, no GPU writes
 * to either, whenever the seal came.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>

#include "lib/kfd_test.h"
#include "lib/kfd_vaddr.h"

#define TRIES	150
#define BUSY	(32ULL << 20)	/* bytes whose protection is changed all the time */
#define SEALS	(F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)

/**
 * struct seal - a file, and a thread that seals it
 * @fd: the file
 * @map: the one mapping of it
 * @delay_us: how long it waits before it unmaps and seals
 * @state: 0: nothing to do, 1: seal it, 2: that has been tried
 * @ret: what came of it
 * @end: the threads may end
 * @busy: the lock of the address space is asked for while @state is 1
 */
struct seal {
	int fd;
	char *map;
	unsigned int delay_us;
	volatile int state;
	int ret;
	volatile bool end;
	char *busy;
};

KFD_FIXTURE(seal);

static int file_make(struct seal *s)
{
	s->fd = memfd_create("sealed", MFD_ALLOW_SEALING);
	if (s->fd < 0 || ftruncate(s->fd, KFD_PAGE))
		return -errno;
	s->map = mmap(NULL, KFD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
	if (s->map == MAP_FAILED)
		return -errno;
	*s->map = 1;
	return 0;
}

static int file_seal(const struct seal *s)
{
	return fcntl(s->fd, F_ADD_SEALS, SEALS) ? -errno : 0;
}

static void *seals(void *arg)
{
	struct seal *s = arg;

	while (!s->end) {
		if (s->state != 1) {
			usleep(50);
			continue;
		}
		usleep(s->delay_us);
		munmap(s->map, KFD_PAGE);
		s->ret = file_seal(s);
		s->state = 2;
	}
	return NULL;
}

/* Whoever wants the lock of the address space waits, now longer and now less. */
static void *keeps_busy(void *arg)
{
	struct seal *s = arg;

	while (!s->end) {
		if (s->state != 1) {
			usleep(50);
			continue;
		}
		mprotect(s->busy, BUSY, PROT_READ);
		mprotect(s->busy, BUSY, PROT_READ | PROT_WRITE);
	}
	return NULL;
}

TEST_F_TIMEOUT(seal, file_that_was_sealed_meanwhile, 120)
{
	int ret, i, held = 0, sealed = 0;
	pthread_t threads[3];
	struct seal s = {};
	struct kfd_bo bo;

	s.busy = mmap(NULL, BUSY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, s.busy);
	madvise(s.busy, BUSY, MADV_NOHUGEPAGE);
	memset(s.busy, 1, BUSY);
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, i ? keeps_busy : seals, &s));
	for (i = 0; i < TRIES; i++) {
		ASSERT_OK(file_make(&s));
		ASSERT_OK(kfd_vaddr_bo(&self->k, 0, s.map, KFD_PAGE, &bo));
		s.delay_us = i * 37 % 8000;
		s.state = 1;
		ret = kfd_vaddr_live(&self->k, &bo);
		while (s.state != 2)
			usleep(50);
		/* One of them was first. */
		if (!ret)
			ASSERT_EQ(-EBUSY, s.ret) TH_LOG("try %d: held, and sealed", i);
		held += !ret;
		sealed += !s.ret;
		ASSERT_OK(kfd_bo_destroy(&self->k, &bo));
		close(s.fd);
		s.state = 0;
	}
	s.end = true;
	for (i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	munmap(s.busy, BUSY);
	printf("# held %d times, sealed %d times\n", held, sealed);
}

TEST_F(seal, file_that_is_held_is_busy)
{
	struct seal s = {};
	struct kfd_bo bo;

	ASSERT_OK(file_make(&s));
	ASSERT_OK(kfd_vaddr_bo(&self->k, 0, s.map, KFD_PAGE, &bo));
	ASSERT_OK(kfd_vaddr_live(&self->k, &bo));
	munmap(s.map, KFD_PAGE);
	EXPECT_ERR(EBUSY, file_seal(&s));
	ASSERT_OK(kfd_bo_destroy(&self->k, &bo));
	EXPECT_OK(file_seal(&s));
	close(s.fd);
}

/* Nothing is left of one that could not be held. */
TEST_F(seal, file_that_is_not_held_can_be_sealed)
{
	struct seal s = {};
	struct kfd_bo bo;

	ASSERT_OK(file_make(&s));
	ASSERT_OK(kfd_vaddr_bo(&self->k, 0, s.map, KFD_PAGE, &bo));
	ASSERT_OK(ftruncate(s.fd, 0));
	EXPECT_ERR(EFAULT, kfd_vaddr_live(&self->k, &bo));
	munmap(s.map, KFD_PAGE);
	EXPECT_OK(file_seal(&s));
	ASSERT_OK(kfd_bo_destroy(&self->k, &bo));
	close(s.fd);
}

KFD_TEST_MAIN_OURS
