// SPDX-License-Identifier: GPL-2.0-only
/*
 * User-mode queues: made of every kind, changed, stopped, destroyed, and all
 * the ways of asking for one that cannot be.
 */
#include "lib/kfd_image.h"
#include "lib/kfd_test.h"

#define RING		4096

KFD_FIXTURE(queue);

static const uint32_t types[] = {
	KFD_IOC_QUEUE_TYPE_COMPUTE, KFD_IOC_QUEUE_TYPE_SDMA, KFD_IOC_QUEUE_TYPE_COMPUTE_AQL,
};

#define NUM_TYPES (sizeof(types) / sizeof(types[0]))

/*
 * Have a queue of any type write @value to @va: a packet, or for AQL an
 * indirect buffer of them at @ib, which the caller provides.
 */
static int order_write(struct kfd_queue *q, uint64_t va, uint32_t value, struct kfd_bo *ib)
{
	uint32_t p[16];
	unsigned int n;
	int ret;

	switch (q->type) {
	case KFD_IOC_QUEUE_TYPE_COMPUTE:
		n = pm4_write_data(p, va, value);
		break;
	case KFD_IOC_QUEUE_TYPE_COMPUTE_AQL:
		n = pm4_write_data(ib->cpu, va, value);
		n = aql_pm4_ib(p, ib->va, n, 0);
		break;
	default:
		n = sdma_fence(p, va, value);
	}
	ret = kfd_queue_emit(q, p, n);
	if (!ret)
		kfd_queue_submit(q);
	return ret;
}

static int create(struct kfd *k, struct kfd_queue *q)
{
	return kfd_call(k->fd, AMDKFD_IOC_CREATE_QUEUE, &q->args);
}

TEST_F(queue, every_type_runs)
{
	struct kfd_bo bo, ib;
	unsigned int i;

	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, KFD_PAGE, &bo));
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, KFD_PAGE, &ib));
	for (i = 0; i < NUM_TYPES; i++) {
		volatile uint32_t *word = (uint32_t *)bo.cpu + i;
		struct kfd_queue q;

		ASSERT_OK(kfd_queue_create(&self->k, 0, types[i], RING, &q))
			TH_LOG("type %u", types[i]);
		EXPECT_EQ(KFD_MMAP_TYPE_DOORBELLS, KFD_MMAP_TYPE(q.doorbell_offset));
		EXPECT_EQ(self->k.gpu[0].gpu_id, KFD_MMAP_GPU(q.doorbell_offset));
		EXPECT_EQ(0, q.doorbell_offset % 8);
		ASSERT_OK(order_write(&q, bo.va + i * 4, 0x100 + i, &ib));
		EXPECT_OK(kfd_wait_u32(word, 0x100 + i, PATIENCE)) TH_LOG("type %u", types[i]);
		EXPECT_OK(kfd_queue_wait(&q, PATIENCE)) TH_LOG("type %u", types[i]);
		EXPECT_OK(kfd_queue_destroy(&self->k, &q));
	}
}

TEST_F(queue, on_every_gpu)
{
	int g;

	for (g = 0; g < self->k.num_gpus; g++) {
		struct kfd_queue q;
		struct kfd_bo bo;

		ASSERT_OK(kfd_bo_create(&self->k, g, MEM_VRAM, KFD_PAGE, &bo));
		ASSERT_OK(kfd_queue_create(&self->k, g, KFD_IOC_QUEUE_TYPE_SDMA, RING, &q));
		ASSERT_OK(order_write(&q, bo.va, 0x42 + g, NULL));
		EXPECT_OK(kfd_wait_u32(bo.cpu, 0x42 + g, PATIENCE));
		EXPECT_OK(kfd_queue_destroy(&self->k, &q));
		EXPECT_OK(kfd_bo_destroy(&self->k, &bo));
	}
}

/* Many times around the ring, in bursts of various lengths. */
TEST_F(queue, ring_wraps)
{
	unsigned int i, t;
	struct kfd_bo bo, ib;

	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, KFD_PAGE, &bo));
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, KFD_PAGE, &ib));
	for (t = 0; t < NUM_TYPES; t++) {
		struct kfd_queue q;

		*(volatile uint32_t *)bo.cpu = 0;
		ASSERT_OK(kfd_queue_create(&self->k, 0, types[t], 1024, &q));
		for (i = 1; i <= 1000; i++)
			ASSERT_OK(order_write(&q, bo.va, i, &ib))
				TH_LOG("type %u packet %u", types[t], i);
		EXPECT_OK(kfd_wait_u32(bo.cpu, 1000, PATIENCE)) TH_LOG("type %u", types[t]);
		EXPECT_OK(kfd_queue_wait(&q, PATIENCE)) TH_LOG("type %u", types[t]);
		EXPECT_OK(kfd_queue_destroy(&self->k, &q));
	}
}

/* No ring or no share: nothing runs. Given back, the queue goes on. */
TEST_F(queue, disable_and_go_on)
{
	struct kfd_bo bo, ib;
	unsigned int t, way;

	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, KFD_PAGE, &bo));
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, KFD_PAGE, &ib));
	for (t = 0; t < NUM_TYPES; t++) {
		struct kfd_queue q;
		uint32_t value = 0;

		ASSERT_OK(kfd_queue_create(&self->k, 0, types[t], RING, &q));
		for (way = 0; way < 2; way++) {
			ASSERT_OK(order_write(&q, bo.va, ++value, &ib));
			ASSERT_OK(kfd_wait_u32(bo.cpu, value, PATIENCE));
			ASSERT_OK(kfd_queue_update(&self->k, &q, way == 0 ? 0 : q.ring.va, RING,
						   way == 1 ? 0 : 100))
				TH_LOG("way %u", way);
			ASSERT_OK(order_write(&q, bo.va, ++value, &ib));
			kfd_sleep_ms(50);
			EXPECT_EQ(value - 1, *(volatile uint32_t *)bo.cpu)
				TH_LOG("type %u ran though disabled, way %u", types[t], way);
			ASSERT_OK(kfd_queue_update(&self->k, &q, q.ring.va, RING, 100));
			EXPECT_OK(kfd_wait_u32(bo.cpu, value, PATIENCE))
				TH_LOG("type %u did not go on, way %u", types[t], way);
		}
		EXPECT_OK(kfd_queue_destroy(&self->k, &q));
	}
}

TEST_F(queue, created_disabled)
{
	struct kfd_bo bo;
	struct kfd_queue q;

	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, KFD_PAGE, &bo));
	ASSERT_OK(kfd_queue_buffers(&self->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &q));
	q.args.queue_percentage = 0;
	ASSERT_OK(create(&self->k, &q));
	q.id = q.args.queue_id;
	q.doorbell_offset = q.args.doorbell_offset;
	ASSERT_OK(kfd_queue_map_doorbell(&self->k, &q));
	ASSERT_OK(order_write(&q, bo.va, 1, NULL));
	kfd_sleep_ms(50);
	EXPECT_EQ(0, *(volatile uint32_t *)bo.cpu);
	ASSERT_OK(kfd_queue_update(&self->k, &q, q.ring.va, RING, 100));
	EXPECT_OK(kfd_wait_u32(bo.cpu, 1, PATIENCE));
	EXPECT_OK(kfd_queue_destroy(&self->k, &q));
}

TEST_F(queue, create_bad_arguments)
{
	struct kfd_queue q;
	uint64_t rptr;

	ASSERT_OK(kfd_queue_buffers(&self->k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, RING, &q));
	q.args.queue_type = 4;
	EXPECT_ERR(EINVAL, create(&self->k, &q));
	q.args.queue_type = 0xffffffff;
	EXPECT_ERR(EINVAL, create(&self->k, &q));
	q.args.queue_type = KFD_IOC_QUEUE_TYPE_COMPUTE;
	q.args.queue_percentage = 101;
	EXPECT_ERR(EINVAL, create(&self->k, &q));
	q.args.queue_percentage = 100;
	q.args.queue_priority = 16;
	EXPECT_ERR(EINVAL, create(&self->k, &q));
	q.args.queue_priority = 7;
	q.args.gpu_id = 0xfffe;
	EXPECT_ERR(EINVAL, create(&self->k, &q));
	q.args.gpu_id = self->k.gpu[0].gpu_id;
	q.args.ring_size = RING - 4;
	EXPECT_ERR(EINVAL, create(&self->k, &q));
	q.args.ring_size = 3 * 1024;
	EXPECT_ERR(EINVAL, create(&self->k, &q));
	q.args.ring_size = RING;
	rptr = q.args.read_pointer_address;
	q.args.read_pointer_address = 0xffff888000000000;
	EXPECT_ERR_EITHER(EFAULT, EINVAL, create(&self->k, &q));
	q.args.read_pointer_address = rptr;
	rptr = q.args.write_pointer_address;
	q.args.write_pointer_address = 0xffff888000000000;
	EXPECT_ERR_EITHER(EFAULT, EINVAL, create(&self->k, &q));
	q.args.write_pointer_address = rptr;
	q.args.ring_base_address = 0xffff888000000000;
	EXPECT_ERR_EITHER(EFAULT, EINVAL, create(&self->k, &q));
	/* Nothing of all that has stuck. */
	q.args.ring_base_address = q.ring.va;
	ASSERT_OK(create(&self->k, &q));
	q.id = q.args.queue_id;
	EXPECT_OK(kfd_queue_destroy(&self->k, &q));
}

/* What a queue is to use has to be mapped on its GPU, in full and writable. */
TEST_F(queue, create_with_unmapped_buffers)
{
	struct kfd_ioctl_create_queue_args good;
	struct kfd_queue q;
	uint64_t hole;

	REQUIRE_OURS();
	hole = kfd_reserve_va(&self->k, 1 << 20);
	ASSERT_OK(kfd_queue_buffers(&self->k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, RING, &q));
	good = q.args;
	q.args.ring_base_address = hole;
	EXPECT_ERR(EINVAL, create(&self->k, &q));
	q.args = good;
	q.args.ring_size = 64 * RING;
	EXPECT_ERR(EINVAL, create(&self->k, &q));
	q.args = good;
	q.args.read_pointer_address = hole;
	EXPECT_ERR(EINVAL, create(&self->k, &q));
	q.args = good;
	q.args.write_pointer_address = hole;
	EXPECT_ERR(EINVAL, create(&self->k, &q));
	q.args = good;
	q.args.eop_buffer_address = hole;
	EXPECT_ERR(EINVAL, create(&self->k, &q));
	q.args = good;
	q.args.ctx_save_restore_address = hole;
	EXPECT_ERR(EINVAL, create(&self->k, &q));
	q.args = good;
	q.args.ctx_save_restore_size += 1 << 20;
	EXPECT_ERR(EINVAL, create(&self->k, &q));
	q.args = good;
	q.args.ctl_stack_size = q.args.ctx_save_restore_size + KFD_PAGE;
	EXPECT_ERR(EINVAL, create(&self->k, &q));
	q.args = good;
	q.args.ring_base_address = q.ring.va + 64;
	EXPECT_ERR(EINVAL, create(&self->k, &q));
	q.args = good;
	ASSERT_OK(create(&self->k, &q));
	q.id = q.args.queue_id;
	EXPECT_OK(kfd_queue_destroy(&self->k, &q));
}

/* Sums that wrap must not look like small numbers. */
TEST_F(queue, create_with_sizes_that_overflow)
{
	struct kfd_ioctl_create_queue_args good;
	struct kfd_queue q;

	REQUIRE_OURS();
	ASSERT_OK(kfd_queue_buffers(&self->k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, RING, &q));
	good = q.args;
	q.args.ring_size = 1u << 31;
	EXPECT_ERR(EINVAL, create(&self->k, &q));
	q.args = good;
	q.args.eop_buffer_size = UINT64_MAX;
	EXPECT_ERR(EINVAL, create(&self->k, &q));
	q.args = good;
	q.args.eop_buffer_size = 1ULL << 63;
	EXPECT_ERR(EINVAL, create(&self->k, &q));
	q.args = good;
	q.args.ctx_save_restore_size = 0xffffffff;
	EXPECT_ERR(EINVAL, create(&self->k, &q));
	q.args = good;
	q.args.ctl_stack_size = 0xffffffff;
	EXPECT_ERR(EINVAL, create(&self->k, &q));
	q.args = good;
	q.args.ring_base_address = 0xffffffffffffff00;
	EXPECT_ERR_EITHER(EINVAL, EFAULT, create(&self->k, &q));
}

/* The memory of a queue stays mapped as long as the queue is there. */
TEST_F(queue, its_memory_cannot_be_taken_away)
{
	struct kfd_queue q;

	REQUIRE_OURS();
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, RING, &q));
	EXPECT_ERR(EBUSY, kfd_bo_unmap_gpu(&self->k, &q.ring, 0));
	EXPECT_ERR(EBUSY, kfd_bo_unmap_gpu(&self->k, &q.ptrs, 0));
	EXPECT_ERR(EBUSY, kfd_bo_unmap_gpu(&self->k, &q.eop, 0));
	EXPECT_ERR(EBUSY, kfd_bo_unmap_gpu(&self->k, &q.cwsr, 0));
	EXPECT_OK(kfd_queue_destroy(&self->k, &q));
}

TEST_F(queue, bad_ids)
{
	static const uint32_t bad[] = { 0, 1, 1023, 1024, 0x7fffffff, 0xffffffff };
	uint32_t mask = 0xf;
	char stack[KFD_PAGE];
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct kfd_ioctl_destroy_queue_args destroy = { .queue_id = bad[i] };
		struct kfd_ioctl_update_queue_args update = {
			.queue_id = bad[i], .queue_percentage = 100,
		};
		struct kfd_ioctl_set_cu_mask_args cu = {
			.queue_id = bad[i], .num_cu_mask = 32, .cu_mask_ptr = (uintptr_t)&mask,
		};
		struct kfd_ioctl_get_queue_wave_state_args wave = {
			.queue_id = bad[i], .ctl_stack_address = (uintptr_t)stack,
		};

		EXPECT_ERR(EINVAL, kfd_call(self->k.fd, AMDKFD_IOC_DESTROY_QUEUE, &destroy));
		EXPECT_ERR_OR(EINVAL, EFAULT,
			      kfd_call(self->k.fd, AMDKFD_IOC_UPDATE_QUEUE, &update));
		EXPECT_ERR_OR(EINVAL, EFAULT,
			      kfd_call(self->k.fd, AMDKFD_IOC_SET_CU_MASK, &cu));
		EXPECT_ERR_OR(EINVAL, EFAULT,
			      kfd_call(self->k.fd, AMDKFD_IOC_GET_QUEUE_WAVE_STATE, &wave));
	}
}

TEST_F(queue, update_bad_arguments)
{
	struct kfd_queue q;

	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &q));
	EXPECT_ERR(EINVAL, kfd_queue_update(&self->k, &q, q.ring.va, 3000, 100));
	EXPECT_ERR(EINVAL, kfd_queue_update(&self->k, &q, q.ring.va, RING, 101));
	EXPECT_ERR_EITHER(EINVAL, EFAULT,
			  kfd_queue_update(&self->k, &q, 0xffff888000000000, RING, 100));
	if (kfd_is_ours())
		EXPECT_ERR(EINVAL, kfd_queue_update(&self->k, &q,
						    kfd_reserve_va(&self->k, RING), RING, 100));
	EXPECT_OK(kfd_queue_destroy(&self->k, &q));
}

TEST_F(queue, moved_to_another_ring)
{
	struct kfd_bo bo, ring, old;
	struct kfd_queue q;

	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, KFD_PAGE, &bo));
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, RING, &ring));
	memset(ring.cpu, 0, RING);
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &q));
	ASSERT_OK(order_write(&q, bo.va, 1, NULL));
	ASSERT_OK(kfd_wait_u32(bo.cpu, 1, PATIENCE));
	ASSERT_OK(kfd_queue_wait(&q, PATIENCE));
	ASSERT_OK(kfd_queue_update(&self->k, &q, ring.va, RING, 100));
	old = q.ring;
	q.ring = ring;
	ASSERT_OK(order_write(&q, bo.va, 2, NULL));
	EXPECT_OK(kfd_wait_u32(bo.cpu, 2, PATIENCE));
	/* The old one may go now. */
	EXPECT_OK(kfd_bo_destroy(&self->k, &old));
	ASSERT_OK(order_write(&q, bo.va, 3, NULL));
	EXPECT_OK(kfd_wait_u32(bo.cpu, 3, PATIENCE));
	EXPECT_OK(kfd_queue_destroy(&self->k, &q));
}

TEST_F(queue, cu_mask)
{
	uint32_t mask[4] = { 0x3, 0, 0, 0 };
	struct kfd_ioctl_set_cu_mask_args args = {
		.num_cu_mask = 32, .cu_mask_ptr = (uintptr_t)mask,
	};
	struct kfd_queue q, sdma;
	struct kfd_bo bo;

	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, RING, &q));
	args.queue_id = q.id;
	EXPECT_OK(kfd_call(self->k.fd, AMDKFD_IOC_SET_CU_MASK, &args));
	args.num_cu_mask = 128;
	EXPECT_OK(kfd_call(self->k.fd, AMDKFD_IOC_SET_CU_MASK, &args));
	args.num_cu_mask = 0;
	EXPECT_ERR(EINVAL, kfd_call(self->k.fd, AMDKFD_IOC_SET_CU_MASK, &args));
	args.num_cu_mask = 33;
	EXPECT_ERR(EINVAL, kfd_call(self->k.fd, AMDKFD_IOC_SET_CU_MASK, &args));
	args.num_cu_mask = 32;
	args.cu_mask_ptr = 16;
	EXPECT_ERR(EFAULT, kfd_call(self->k.fd, AMDKFD_IOC_SET_CU_MASK, &args));
	/* It still runs. */
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, KFD_PAGE, &bo));
	ASSERT_OK(order_write(&q, bo.va, 9, NULL));
	EXPECT_OK(kfd_wait_u32(bo.cpu, 9, PATIENCE));
	if (kfd_is_ours()) {
		args.cu_mask_ptr = (uintptr_t)mask;
		ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &sdma));
		args.queue_id = sdma.id;
		EXPECT_ERR(EINVAL, kfd_call(self->k.fd, AMDKFD_IOC_SET_CU_MASK, &args));
		EXPECT_OK(kfd_queue_destroy(&self->k, &sdma));
	}
	EXPECT_OK(kfd_queue_destroy(&self->k, &q));
}

/* A mask of 4 billion bits is neither read nor allocated. */
TEST_F(queue, cu_mask_of_any_length)
{
	uint32_t mask = 1;
	struct kfd_ioctl_set_cu_mask_args args = {
		.num_cu_mask = 0xffffffe0, .cu_mask_ptr = (uintptr_t)&mask,
	};
	struct kfd_queue q;
	int ret;

	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, RING, &q));
	args.queue_id = q.id;
	ret = kfd_call(self->k.fd, AMDKFD_IOC_SET_CU_MASK, &args);
	EXPECT_TRUE(ret == 0 || ret == -EFAULT || ret == -EINVAL) TH_LOG("%d", ret);
	EXPECT_OK(kfd_queue_destroy(&self->k, &q));
}

TEST_F(queue, wave_state)
{
	struct kfd_ioctl_get_queue_wave_state_args args = { 0 };
	struct kfd_queue q, sdma;
	char *stack;

	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, RING, &q));
	stack = calloc(1, q.ctl_stack);
	ASSERT_NE(NULL, stack);
	args.queue_id = q.id;
	args.ctl_stack_address = (uintptr_t)stack;
	/* Not of a queue that runs. */
	EXPECT_ERR(EINVAL, kfd_call(self->k.fd, AMDKFD_IOC_GET_QUEUE_WAVE_STATE, &args));
	ASSERT_OK(kfd_queue_update(&self->k, &q, q.ring.va, RING, 0));
	ASSERT_OK(kfd_call(self->k.fd, AMDKFD_IOC_GET_QUEUE_WAVE_STATE, &args));
	EXPECT_LE(args.ctl_stack_used_size, q.ctl_stack);
	EXPECT_LE(args.save_area_used_size, q.args.ctx_save_restore_size);
	args.ctl_stack_address = 16;
	if (kfd_is_ours() && args.ctl_stack_used_size)
		EXPECT_ERR(EFAULT, kfd_call(self->k.fd, AMDKFD_IOC_GET_QUEUE_WAVE_STATE, &args));
	EXPECT_OK(kfd_queue_destroy(&self->k, &q));
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &sdma));
	args.queue_id = sdma.id;
	args.ctl_stack_address = (uintptr_t)stack;
	EXPECT_ERR(EINVAL, kfd_call(self->k.fd, AMDKFD_IOC_GET_QUEUE_WAVE_STATE, &args));
	EXPECT_OK(kfd_queue_destroy(&self->k, &sdma));
	free(stack);
}

TEST_F(queue, limit_of_sdma_queues)
{
	uint32_t limit = self->k.gpu[0].sdma_engines * self->k.gpu[0].sdma_queues, n;
	struct kfd_queue qs[65];
	int ret = 0;

	REQUIRE_OURS();
	ASSERT_LE(limit, 64);
	for (n = 0; n <= limit; n++) {
		ret = kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &qs[n]);
		if (ret)
			break;
	}
	EXPECT_EQ(limit, n);
	EXPECT_ERR_EITHER(ENOSPC, ENOMEM, ret);
	while (n--)
		EXPECT_OK(kfd_queue_destroy(&self->k, &qs[n]));
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &qs[0]));
	EXPECT_OK(kfd_queue_destroy(&self->k, &qs[0]));
}

/* Where the queues of an image are: each in a place of its own. */
TEST_F(queue, sdma_queues_have_places_of_their_own)
{
	uint32_t limit = self->k.gpu[0].sdma_engines * self->k.gpu[0].sdma_queues, n, i;
	struct kfd_record_queue *rec, *other;
	struct kfd_snapshot s;
	struct kfd_queue qs[64];

	REQUIRE_OURS();
	ASSERT_LE(limit, 64);
	for (n = 0; n < limit; n++)
		ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &qs[n]));
	/* The first of its engine goes, the others of it stay. */
	ASSERT_OK(kfd_queue_destroy(&self->k, &qs[0]));
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &qs[0]));
	ASSERT_OK(kfd_snapshot_checkpoint(self->k.fd, &s));
	for (n = 0; (rec = kfd_image_record(&s, KFD_RECORD_QUEUE, n)); n++) {
		EXPECT_GT(self->k.gpu[0].sdma_queues, rec->sdma_queue);
		for (i = 0; i < n; i++) {
			other = kfd_image_record(&s, KFD_RECORD_QUEUE, i);
			EXPECT_FALSE(rec->sdma_engine == other->sdma_engine &&
				     rec->sdma_queue == other->sdma_queue)
				TH_LOG("queues %u and %u: engine %u, place %u", rec->id,
				       other->id, rec->sdma_engine, rec->sdma_queue);
		}
	}
	EXPECT_EQ(limit, n);
	kfd_snapshot_close_fds(&s);
	kfd_snapshot_free(&s);
	EXPECT_OK(kfd_criu_unpause(self->k.fd));
	for (n = 0; n < limit; n++)
		EXPECT_OK(kfd_queue_destroy(&self->k, &qs[n]));
}

/* As many as a process has doorbells; here they share all of their memory. */
TEST_F_TIMEOUT(queue, limit_of_compute_queues, 120)
{
	struct kfd_ioctl_destroy_queue_args *ids;
	struct kfd_queue q;
	uint32_t n = 0;
	int ret;

	REQUIRE_OURS();
	ids = calloc(1025, sizeof(*ids));
	ASSERT_NE(NULL, ids);
	ASSERT_OK(kfd_queue_buffers(&self->k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, RING, &q));
	q.args.eop_buffer_address = 0;
	q.args.eop_buffer_size = 0;
	q.args.ctx_save_restore_address = 0;
	q.args.ctx_save_restore_size = 0;
	q.args.ctl_stack_size = 0;
	do {
		ret = create(&self->k, &q);
		if (!ret)
			ids[n++].queue_id = q.args.queue_id;
	} while (!ret && n <= 1024);
	EXPECT_EQ(-ENOSPC, ret);
	EXPECT_EQ(1024, n);
	while (n--)
		EXPECT_OK(kfd_call(self->k.fd, AMDKFD_IOC_DESTROY_QUEUE, &ids[n]));
	EXPECT_OK(create(&self->k, &q));
	free(ids);
}

TEST_F(queue, ids_and_doorbells_are_unique)
{
	struct kfd_queue q[4];
	int i, j;

	for (i = 0; i < 4; i++)
		ASSERT_OK(kfd_queue_create(&self->k, 0, types[i % NUM_TYPES], RING, &q[i]));
	for (i = 0; i < 4; i++)
		for (j = 0; j < i; j++) {
			EXPECT_NE(q[i].id, q[j].id);
			EXPECT_NE(q[i].doorbell_offset, q[j].doorbell_offset);
		}
	for (i = 0; i < 4; i++)
		EXPECT_OK(kfd_queue_destroy(&self->k, &q[i]));
}

TEST_F(queue, destroyed_queue_is_gone)
{
	struct kfd_ioctl_destroy_queue_args args;
	struct kfd_queue q;

	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &q));
	args.queue_id = q.id;
	EXPECT_OK(kfd_call(self->k.fd, AMDKFD_IOC_DESTROY_QUEUE, &args));
	EXPECT_ERR(EINVAL, kfd_call(self->k.fd, AMDKFD_IOC_DESTROY_QUEUE, &args));
	/* Its doorbell rings for nobody. */
	*q.doorbell = 64;
	kfd_sleep_ms(20);
	EXPECT_EQ(0, kfd_queue_rptr(&q));
}

TEST_F(queue, destroyed_while_it_waits_for_ever)
{
	struct kfd_bo bo;
	unsigned int t;
	uint32_t p[8];

	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, KFD_PAGE, &bo));
	for (t = 0; t < 2; t++) {
		unsigned int n = t ? sdma_poll(p, PM4_FUNC_EQUAL, bo.va, 1, ~0u) :
				     pm4_wait_reg_mem(p, PM4_FUNC_EQUAL, bo.va, 1, ~0u);
		struct kfd_queue q;
		uint64_t start;

		ASSERT_OK(kfd_queue_create(&self->k, 0, types[t], RING, &q));
		ASSERT_OK(kfd_queue_emit(&q, p, n));
		kfd_queue_submit(&q);
		kfd_sleep_ms(50);
		start = kfd_now_ms();
		EXPECT_OK(kfd_queue_destroy(&self->k, &q));
		EXPECT_LT(kfd_now_ms() - start, 10000);
	}
}

TEST_F(queue, xnack_mode_is_fixed_while_queues_exist)
{
	struct kfd_ioctl_set_xnack_mode_args ask = { .xnack_enabled = -1 }, args;
	struct kfd_queue q;

	ASSERT_OK(kfd_call(self->k.fd, AMDKFD_IOC_SET_XNACK_MODE, &ask));
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &q));
	args.xnack_enabled = !ask.xnack_enabled;
	EXPECT_ERR_EITHER(EBUSY, EPERM, kfd_call(self->k.fd, AMDKFD_IOC_SET_XNACK_MODE, &args));
	args.xnack_enabled = -1;
	EXPECT_OK(kfd_call(self->k.fd, AMDKFD_IOC_SET_XNACK_MODE, &args));
	EXPECT_EQ(ask.xnack_enabled, args.xnack_enabled);
	EXPECT_OK(kfd_queue_destroy(&self->k, &q));
}

/* Slots are fewer than queues: all the same every queue gets its turn. */
TEST_F(queue, more_queues_than_slots_make_progress)
{
	struct kfd_queue q[20];
	struct kfd_bo bo;
	uint32_t p[8];
	int i, n = self->k.gpu[0].cp_queues < 20 ? self->k.gpu[0].cp_queues : 20;

	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, KFD_PAGE, &bo));
	for (i = 0; i < n; i++) {
		ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, RING, &q[i]));
		/* Each waits for the one after it: the last frees the chain. */
		if (i < n - 1)
			ASSERT_OK(kfd_queue_emit(&q[i], p,
						 pm4_wait_reg_mem(p, PM4_FUNC_EQUAL,
								  bo.va + (i + 1) * 4, 1, ~0u)));
		ASSERT_OK(kfd_queue_emit(&q[i], p, pm4_write_data(p, bo.va + i * 4, 1)));
		kfd_queue_submit(&q[i]);
	}
	EXPECT_OK(kfd_wait_u32(bo.cpu, 1, 25000));
	for (i = 0; i < n; i++) {
		EXPECT_EQ(1, ((volatile uint32_t *)bo.cpu)[i]) TH_LOG("queue %d", i);
		EXPECT_OK(kfd_queue_destroy(&self->k, &q[i]));
	}
}

TEST_F(queue, killed_process_leaves_a_working_gpu)
{
	struct kfd_queue q;
	struct kfd_bo bo;
	uint32_t p[8];
	int status;
	pid_t child = fork();

	if (!child) {
		struct kfd_queue spin;
		struct kfd_bo flag;
		struct kfd own;

		if (kfd_start(&own) || kfd_bo_create(&own, 0, MEM_VRAM, KFD_PAGE, &flag) ||
		    kfd_queue_create(&own, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &spin) ||
		    kfd_queue_emit(&spin, p, sdma_poll(p, PM4_FUNC_EQUAL, flag.va, 1, ~0u)))
			_exit(1);
		kfd_queue_submit(&spin);
		kfd_sleep_ms(50);
		kill(getpid(), SIGKILL);
	}
	ASSERT_GT(child, 0);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_TRUE(WIFSIGNALED(status));
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_VRAM, KFD_PAGE, &bo));
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &q));
	ASSERT_OK(kfd_queue_run(&q, p, sdma_fence(p, bo.va, 3)));
	EXPECT_EQ(3, *(volatile uint32_t *)bo.cpu);
	EXPECT_OK(kfd_queue_destroy(&self->k, &q));
}

KFD_TEST_MAIN
