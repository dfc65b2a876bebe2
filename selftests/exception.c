// SPDX-License-Identifier: GPL-2.0-only
/*
 * What goes wrong on a GPU and how the process hears of it: accesses without
 * a mapping, packets that are none, hangs, resets and memory errors.
 */
#include "lib/kfd_test.h"

KFD_FIXTURE(exception);

/* Wait for one event of the kind; its data comes back in @data. */
static int await(struct kfd *k, uint32_t id, struct kfd_event_data *data, uint32_t ms)
{
	uint32_t result;
	int ret;

	memset(data, 0, sizeof(*data));
	data->event_id = id;
	ret = kfd_event_wait(k, data, 1, false, ms, &result);
	if (ret)
		return ret;
	return result == KFD_IOC_WAIT_RESULT_COMPLETE ? 0 : -ETIMEDOUT;
}

/* A copy that must fault: start it and fetch the memory exception. */
static int fault(struct kfd *k, uint64_t dst, uint64_t src, struct kfd_event_data *data)
{
	struct kfd_ioctl_create_event_args ev;
	struct kfd_queue q;
	uint32_t p[8];
	int ret;

	ret = kfd_event_create(k, KFD_IOC_EVENT_MEMORY, true, &ev);
	if (ret)
		return ret;
	ret = kfd_queue_create(k, 0, KFD_IOC_QUEUE_TYPE_SDMA, 4096, &q);
	if (ret)
		return ret;
	ret = kfd_queue_emit(&q, p, sdma_copy(p, dst, src, 64));
	if (ret)
		return ret;
	kfd_queue_submit(&q);
	ret = await(k, ev.event_id, data, PATIENCE);
	if (ret)
		return ret;
	return kfd_queue_destroy(k, &q);
}

TEST_F(exception, read_of_nothing)
{
	struct kfd_event_data data;
	struct kfd_bo bo;
	uint64_t nowhere = kfd_reserve_va(&self->k, KFD_PAGE) + 0x40;

	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, KFD_PAGE, &bo));
	ASSERT_OK(fault(&self->k, bo.va, nowhere, &data));
	EXPECT_EQ(1, data.memory_exception_data.failure.NotPresent);
	EXPECT_EQ(0, data.memory_exception_data.failure.ReadOnly);
	EXPECT_EQ(nowhere & ~(KFD_PAGE - 1), data.memory_exception_data.va);
	EXPECT_EQ(self->k.gpu[0].gpu_id, data.memory_exception_data.gpu_id);
	EXPECT_EQ(KFD_MEM_ERR_NO_RAS, data.memory_exception_data.ErrorType);
}

TEST_F(exception, write_to_nothing)
{
	struct kfd_event_data data;
	struct kfd_bo bo;
	uint64_t nowhere = kfd_reserve_va(&self->k, KFD_PAGE);

	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, KFD_PAGE, &bo));
	ASSERT_OK(fault(&self->k, nowhere, bo.va, &data));
	EXPECT_EQ(1, data.memory_exception_data.failure.NotPresent);
	EXPECT_EQ(nowhere, data.memory_exception_data.va);
}

TEST_F(exception, write_to_read_only)
{
	struct kfd_event_data data;
	struct kfd_bo src, dst;

	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, KFD_PAGE, &src));
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT & ~MEM_RW, KFD_PAGE, &dst));
	memset(src.cpu, 0x77, KFD_PAGE);
	ASSERT_OK(fault(&self->k, dst.va, src.va, &data));
	EXPECT_EQ(0, data.memory_exception_data.failure.NotPresent);
	EXPECT_EQ(1, data.memory_exception_data.failure.ReadOnly);
	EXPECT_EQ(dst.va, data.memory_exception_data.va);
	EXPECT_EQ(0, *(volatile uint32_t *)dst.cpu);
}

TEST_F(exception, after_unmap_the_gpu_sees_nothing)
{
	struct kfd_event_data data;
	struct kfd_bo src, dst;

	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_VRAM, KFD_PAGE, &src));
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, KFD_PAGE, &dst));
	ASSERT_OK(kfd_bo_unmap_gpu(&self->k, &src, 0));
	ASSERT_OK(fault(&self->k, dst.va, src.va, &data));
	EXPECT_EQ(1, data.memory_exception_data.failure.NotPresent);
	EXPECT_EQ(src.va, data.memory_exception_data.va);
}

/* A fault of one process is none of another's. */
TEST_F(exception, is_private_to_its_process)
{
	struct kfd_ioctl_create_event_args ev;
	struct kfd_event_data data;
	struct kfd_queue q;
	struct kfd_bo bo;
	uint32_t p[8];
	int status;
	pid_t child;

	ASSERT_OK(kfd_event_create(&self->k, KFD_IOC_EVENT_MEMORY, true, &ev));
	child = fork();
	if (!child) {
		struct kfd_event_data hit;
		struct kfd own;

		if (kfd_start(&own))
			_exit(1);
		_exit(fault(&own, kfd_reserve_va(&own, KFD_PAGE), own.next_va, &hit) ? 2 : 0);
	}
	ASSERT_GT(child, 0);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(-ETIMEDOUT, await(&self->k, ev.event_id, &data, 100));
	/* Our queues run as before. */
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, KFD_PAGE, &bo));
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, 4096, &q));
	ASSERT_OK(kfd_queue_run(&q, p, sdma_fence(p, bo.va, 5)));
	EXPECT_EQ(5, *(volatile uint32_t *)bo.cpu);
}

/* A word that is no packet: the process is told, the GPU lives on. */
static int bad_packet(struct kfd *k, uint32_t type, struct kfd_event_data *data)
{
	uint32_t junk[16] = { 0xdeadbeef, 0xdeadbeef, 0xdeadbeef, 0xdeadbeef };
	struct kfd_ioctl_create_event_args ev;
	struct kfd_queue q;
	int ret;

	if (type == KFD_IOC_QUEUE_TYPE_COMPUTE_AQL)
		junk[0] = 0x0077;
	if (type == KFD_IOC_QUEUE_TYPE_SDMA)
		junk[0] = 0xee;
	ret = kfd_event_create(k, KFD_IOC_EVENT_HW_EXCEPTION, true, &ev);
	if (!ret)
		ret = kfd_queue_create(k, 0, type, 4096, &q);
	if (!ret)
		ret = kfd_queue_emit(&q, junk, 16);
	if (ret)
		return ret;
	kfd_queue_submit(&q);
	ret = await(k, ev.event_id, data, PATIENCE);
	return ret ? ret : kfd_queue_destroy(k, &q);
}

TEST_F(exception, bad_packets)
{
	static const uint32_t types[] = {
		KFD_IOC_QUEUE_TYPE_COMPUTE, KFD_IOC_QUEUE_TYPE_SDMA,
		KFD_IOC_QUEUE_TYPE_COMPUTE_AQL,
	};
	struct kfd_event_data data;
	unsigned int i;

	/* Real hardware may need a reset of the machine for this. */
	REQUIRE_SIM();
	for (i = 0; i < 3; i++) {
		ASSERT_OK(bad_packet(&self->k, types[i], &data)) TH_LOG("type %u", types[i]);
		EXPECT_EQ(KFD_HW_EXCEPTION_GPU_HANG, data.hw_exception_data.reset_cause);
		EXPECT_EQ(self->k.gpu[0].gpu_id, data.hw_exception_data.gpu_id);
		EXPECT_EQ(0, data.hw_exception_data.memory_lost);
	}
}

/*
 * A kernel dispatch either runs (the kernel ends at once) or, on a GPU that
 * runs no shaders, is reported. It is never lost in silence.
 */
TEST_F(exception, kernel_dispatch_runs_or_is_reported)
{
	struct kfd_ioctl_create_event_args ev;
	struct kfd_event_data data;
	struct aql_signal *signal;
	struct kfd_bo code, mem;
	struct kfd_queue q;
	uint64_t end = kfd_now_ms() + PATIENCE;
	uint32_t p[16];
	bool ran = false, told = false;

	ASSERT_OK(kfd_event_create(&self->k, KFD_IOC_EVENT_HW_EXCEPTION, true, &ev));
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, KFD_PAGE, &mem));
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_VRAM, KFD_PAGE, &code));
	((uint64_t *)code.cpu)[2] = 256;		/* entry, from the descriptor */
	((uint32_t *)code.cpu)[64] = 0xbf810000;	/* s_endpgm */
	signal = mem.cpu;
	signal->kind = 1;
	signal->value = 1;
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE_AQL, 4096, &q));
	ASSERT_OK(kfd_queue_emit(&q, p, aql_dispatch(p, code.va, mem.va + 256, 64, mem.va)));
	kfd_queue_submit(&q);
	while (!ran && !told && kfd_now_ms() < end) {
		ran = *(volatile int64_t *)&signal->value == 0;
		told = !await(&self->k, ev.event_id, &data, 10);
	}
	EXPECT_TRUE(ran || told);
	if (told)
		EXPECT_EQ(KFD_HW_EXCEPTION_GPU_HANG, data.hw_exception_data.reset_cause);
}

TEST_F(exception, ecc_error)
{
	struct kfd_ioctl_create_event_args ev;
	struct kfd_event_data data;

	REQUIRE_SIM();
	ASSERT_OK(kfd_event_create(&self->k, KFD_IOC_EVENT_HW_EXCEPTION, true, &ev));
	EXPECT_EQ(-ETIMEDOUT, await(&self->k, ev.event_id, &data, 0));
	ASSERT_OK(kfd_sim_set(0, "raise_ecc", "1"));
	ASSERT_OK(await(&self->k, ev.event_id, &data, PATIENCE));
	EXPECT_EQ(KFD_HW_EXCEPTION_ECC, data.hw_exception_data.reset_cause);
	EXPECT_EQ(self->k.gpu[0].gpu_id, data.hw_exception_data.gpu_id);
}

TEST_F(exception, gpu_reset)
{
	struct kfd_ioctl_create_event_args ev;
	struct kfd_event_data data;

	REQUIRE_SIM();
	ASSERT_OK(kfd_event_create(&self->k, KFD_IOC_EVENT_HW_EXCEPTION, true, &ev));
	ASSERT_OK(kfd_sim_set(0, "reset", "1"));
	ASSERT_OK(await(&self->k, ev.event_id, &data, PATIENCE));
	EXPECT_EQ(KFD_HW_EXCEPTION_WHOLE_GPU_RESET, data.hw_exception_data.reset_type);
	EXPECT_EQ(KFD_HW_EXCEPTION_GPU_HANG, data.hw_exception_data.reset_cause);
	EXPECT_EQ(self->k.gpu[0].gpu_id, data.hw_exception_data.gpu_id);
}

/* After a reset a new process finds a GPU that works. */
TEST_F(exception, gpu_works_after_a_reset)
{
	struct kfd_queue q;
	struct kfd_bo bo;
	uint32_t p[8];

	REQUIRE_SIM();
	ASSERT_OK(kfd_sim_set(0, "reset", "1"));
	kfd_sleep_ms(100);
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_VRAM, KFD_PAGE, &bo));
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, 4096, &q));
	ASSERT_OK(kfd_queue_run(&q, p, sdma_fence(p, bo.va, 99)));
	EXPECT_EQ(99, *(volatile uint32_t *)bo.cpu);
	EXPECT_OK(kfd_queue_destroy(&self->k, &q));
}

/* A queue that stops answering: it can be destroyed all the same. */
TEST_F(exception, hung_queue)
{
	struct kfd_queue hung, other;
	struct kfd_bo bo;
	char id[16];
	uint32_t p[8];

	REQUIRE_SIM();
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, KFD_PAGE, &bo));
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, 4096, &hung));
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, 4096, &other));
	snprintf(id, sizeof(id), "%llu",
		 (unsigned long long)(hung.doorbell_offset & (2 * KFD_PAGE - 1)) / 8);
	ASSERT_OK(kfd_sim_set(0, "hang_queue", id));
	ASSERT_OK(kfd_queue_emit(&hung, p, pm4_write_data(p, bo.va, 1)));
	kfd_queue_submit(&hung);
	kfd_sleep_ms(200);
	EXPECT_EQ(0, *(volatile uint32_t *)bo.cpu);
	ASSERT_OK(kfd_queue_run(&other, p, pm4_write_data(p, bo.va + 4, 2)));
	EXPECT_EQ(2, ((volatile uint32_t *)bo.cpu)[1]);
	EXPECT_OK(kfd_queue_destroy(&self->k, &hung));
	EXPECT_OK(kfd_queue_destroy(&self->k, &other));
}

KFD_TEST_MAIN
