// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every allocation made to fail of the calls that give up and replace the CPU
 * address of buffers, and of the one that adopts a context after exec. See
 * lib/kfd_fault.h.
 */
#include <sys/mman.h>

#include "lib/kfd_fault_test.h"
#include "lib/kfd_scene.h"
#include "lib/kfd_workload.h"

#define SIZE	KFD_FAULT_SIZE
#define TRIES	400
#define PLACES	"a page table has a second way, or a page fault is tried again"

/**
 * struct place - memory that the buffers are on
 * @s: a memfd
 * @again: another mapping of it
 * @bo: a buffer there, mapped on the first GPU
 * @other: another one there, mapped on the last GPU
 * @q: a queue of the first GPU
 */
static struct place {
	struct kfd_store s;
	char *again;
	struct kfd_bo bo, other;
	struct kfd_queue q;
} place;

static int place_make(struct kfd *k)
{
	int ret = kfd_store_make(KFD_STORE_MEMFD, SIZE, &place.s);

	place.again = ret ? NULL : kfd_store_map(&place.s);
	if (!ret)
		ret = kfd_vaddr_bo(k, 0, place.s.p, SIZE, &place.bo);
	if (!ret)
		ret = kfd_vaddr_bo(k, k->num_gpus - 1, place.s.p, SIZE, &place.other);
	if (!ret)
		ret = kfd_queue_create(k, 0, KFD_IOC_QUEUE_TYPE_SDMA, KFD_PAGE, &place.q);
	return ret;
}

static int give_up(void *data)
{
	struct kfd_fault_ctx *f = data;

	return kfd_vaddr_op(f->k.fd, f->op->arg, f->k.gpu[0].gpu_id, place.bo.va, SIZE, 0);
}

static int back(void *data)
{
	return kfd_vaddr_update(&CTX(data)->k, &place.bo, place.s.p);
}

static int give_up_end(void *data, int ret)
{
	ret = ret ? 0 : back(data);
	return ret ? ret : kfd_vaddr_reaches(&place.q, &place.bo, SIZE - 8, place.s.p);
}

static int give_up_all(void *data)
{
	return kfd_vaddr_all(&CTX(data)->k, CTX(data)->op->arg);
}

static int give_up_all_end(void *data, int ret)
{
	if (ret)
		return kfd_vaddr_stands(&CTX(data)->k, 2, 0, 0, 0);
	ret = kfd_vaddr_update(&CTX(data)->k, &place.other, place.s.p);
	return ret ? ret : give_up_end(data, 0);
}

static int replace(void *data)
{
	return kfd_vaddr_update(&CTX(data)->k, &place.bo, place.again);
}

/* Whatever it failed for, it can be called again; then back to the first place. */
static int replace_end(void *data, int ret)
{
	ret = ret ? replace(data) : 0;
	if (!ret)
		ret = kfd_vaddr_reaches(&place.q, &place.bo, 8, place.again);
	if (!ret)
		ret = give_up(data);
	return ret ? ret : back(data);
}

static int ask(void *data)
{
	struct kfd_ioctl_vaddr_info_args info;

	return kfd_vaddr_info(&CTX(data)->k, &info);
}

static int give_up_unmap(void *data)
{
	int ret = give_up(data);

	return ret ? ret : kfd_bo_unmap_gpu(&CTX(data)->k, &place.bo, 0);
}

static int free_invalid(void *data)
{
	return kfd_bo_free(&CTX(data)->k, &place.bo);
}

static int free_invalid_end(void *data, int ret)
{
	ret = ret ? free_invalid(data) : 0;
	return ret ? ret : kfd_vaddr_bo(&CTX(data)->k, 0, place.s.p, SIZE, &place.bo);
}

static const struct kfd_fault_op vaddr_ops[] = {
	{ .name = "INVALIDATE", .op = give_up, .finish = give_up_end },
	{ .name = "INVALIDATE of all", .op = give_up_all, .finish = give_up_all_end },
	{ .name = "UPDATE", .prepare = give_up, .op = replace, .finish = replace_end,
	  .fallback = PLACES },
};

static const struct kfd_fault_op other_ops[] = {
	{ .name = "VADDR_INFO", .op = ask },
	{ .name = "free while invalid", .prepare = give_up_unmap, .op = free_invalid,
	  .finish = free_invalid_end, .fallback = "nothing is refused that frees memory" },
};

FAULT_FIXTURE(fault_vaddr);

TEST_F_TIMEOUT(fault_vaddr, addresses, FAULT_SECONDS)
{
	ASSERT_OK(place_make(&self->f.k));
	FAULT_RUN_ALL_ON("evicted", VADDR_INVALIDATE, vaddr_ops);
	FAULT_RUN_ALL_ON("live", VADDR_LIVE, vaddr_ops);
	FAULT_RUN_ALL_ON("live", VADDR_LIVE, other_ops);
}

/* --- the new owner ----------------------------------------------------------- */

static int new_fails(struct kfd_scene *sc)
{
	struct kfd_ioctl_vaddr_info_args info;
	char *p = kfd_scene_map(sc->data);
	unsigned int n, failed = 0, left;
	int ret;

	STEP(sc, kfd_scene_nobodys(sc));
	for (n = 1; n < TRIES; n++) {
		STEP(sc, kfd_fault_arm(n));
		ret = kfd_change_owner(sc->k.fd);
		STEP(sc, kfd_fault_disarm(&left));
		if (!ret)
			break;
		STEP(sc, ret == -ENOMEM || ret == -EFAULT ? 0 : ret);
		STEP(sc, kfd_scene_charged(sc, getpid(), 0));
		STEP_ERR(sc, EBADF, kfd_vaddr_info(&sc->k, &info));
		STEP(sc, kfd_word_moves(p));
		failed++;
	}
	printf("# CHANGE_OWNER: %u failed\n", failed);
	STEP(sc, ret);
	STEP(sc, failed ? 0 : -ENODATA);
	STEP(sc, kfd_scene_charged(sc, getpid(), SCENE_PAGES));
	return kfd_scene_goes_on(sc, p);
}

static const struct kfd_image_fn images[] = {
	{ "fails", new_fails },
};

TEST_F_TIMEOUT(fault_vaddr, change_owner, FAULT_SECONDS)
{
	struct kfd_scene *sc = kfd_scene_new();
	uint64_t before;

	ASSERT_NE(NULL, sc);
	ASSERT_OK(kfd_available_settled(&self->f.k, 0, &before));
	EXPECT_OK(kfd_scene_run(sc, kfd_scene_old_live, "fails", NULL));
	EXPECT_OK(kfd_vram_is_back(&self->f.k, before));
}

int main(int argc, char **argv)
{
	int ret = kfd_scene_main(argc, argv, images, 1);

	return ret < 0 ? kfd_fault_test_main(argc, argv) : ret;
}
