// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/kfd as a file: who may use it, and what it makes of request numbers and
 * argument structs that are not quite its own.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/ioctl.h>

#include "lib/kfd_test.h"

#define REQUEST(nr, size)	_IOC(_IOC_READ | _IOC_WRITE, AMDKFD_IOCTL_BASE, nr, size)

/* Size of every argument struct, by number. */
static const unsigned int arg_size[AMDKFD_EXTENSION_END] = {
	[_IOC_NR(AMDKFD_IOC_GET_VERSION)] = _IOC_SIZE(AMDKFD_IOC_GET_VERSION),
	[_IOC_NR(AMDKFD_IOC_CREATE_QUEUE)] = _IOC_SIZE(AMDKFD_IOC_CREATE_QUEUE),
	[_IOC_NR(AMDKFD_IOC_DESTROY_QUEUE)] = _IOC_SIZE(AMDKFD_IOC_DESTROY_QUEUE),
	[_IOC_NR(AMDKFD_IOC_SET_MEMORY_POLICY)] = _IOC_SIZE(AMDKFD_IOC_SET_MEMORY_POLICY),
	[_IOC_NR(AMDKFD_IOC_GET_CLOCK_COUNTERS)] = _IOC_SIZE(AMDKFD_IOC_GET_CLOCK_COUNTERS),
	[_IOC_NR(AMDKFD_IOC_GET_PROCESS_APERTURES)] = _IOC_SIZE(AMDKFD_IOC_GET_PROCESS_APERTURES),
	[_IOC_NR(AMDKFD_IOC_UPDATE_QUEUE)] = _IOC_SIZE(AMDKFD_IOC_UPDATE_QUEUE),
	[_IOC_NR(AMDKFD_IOC_CREATE_EVENT)] = _IOC_SIZE(AMDKFD_IOC_CREATE_EVENT),
	[_IOC_NR(AMDKFD_IOC_DESTROY_EVENT)] = _IOC_SIZE(AMDKFD_IOC_DESTROY_EVENT),
	[_IOC_NR(AMDKFD_IOC_SET_EVENT)] = _IOC_SIZE(AMDKFD_IOC_SET_EVENT),
	[_IOC_NR(AMDKFD_IOC_RESET_EVENT)] = _IOC_SIZE(AMDKFD_IOC_RESET_EVENT),
	[_IOC_NR(AMDKFD_IOC_WAIT_EVENTS)] = _IOC_SIZE(AMDKFD_IOC_WAIT_EVENTS),
	[_IOC_NR(AMDKFD_IOC_DBG_REGISTER_DEPRECATED)] =
		_IOC_SIZE(AMDKFD_IOC_DBG_REGISTER_DEPRECATED),
	[_IOC_NR(AMDKFD_IOC_DBG_UNREGISTER_DEPRECATED)] =
		_IOC_SIZE(AMDKFD_IOC_DBG_UNREGISTER_DEPRECATED),
	[_IOC_NR(AMDKFD_IOC_DBG_ADDRESS_WATCH_DEPRECATED)] =
		_IOC_SIZE(AMDKFD_IOC_DBG_ADDRESS_WATCH_DEPRECATED),
	[_IOC_NR(AMDKFD_IOC_DBG_WAVE_CONTROL_DEPRECATED)] =
		_IOC_SIZE(AMDKFD_IOC_DBG_WAVE_CONTROL_DEPRECATED),
	[_IOC_NR(AMDKFD_IOC_SET_SCRATCH_BACKING_VA)] =
		_IOC_SIZE(AMDKFD_IOC_SET_SCRATCH_BACKING_VA),
	[_IOC_NR(AMDKFD_IOC_GET_TILE_CONFIG)] = _IOC_SIZE(AMDKFD_IOC_GET_TILE_CONFIG),
	[_IOC_NR(AMDKFD_IOC_SET_TRAP_HANDLER)] = _IOC_SIZE(AMDKFD_IOC_SET_TRAP_HANDLER),
	[_IOC_NR(AMDKFD_IOC_GET_PROCESS_APERTURES_NEW)] =
		_IOC_SIZE(AMDKFD_IOC_GET_PROCESS_APERTURES_NEW),
	[_IOC_NR(AMDKFD_IOC_ACQUIRE_VM)] = _IOC_SIZE(AMDKFD_IOC_ACQUIRE_VM),
	[_IOC_NR(AMDKFD_IOC_ALLOC_MEMORY_OF_GPU)] = _IOC_SIZE(AMDKFD_IOC_ALLOC_MEMORY_OF_GPU),
	[_IOC_NR(AMDKFD_IOC_FREE_MEMORY_OF_GPU)] = _IOC_SIZE(AMDKFD_IOC_FREE_MEMORY_OF_GPU),
	[_IOC_NR(AMDKFD_IOC_MAP_MEMORY_TO_GPU)] = _IOC_SIZE(AMDKFD_IOC_MAP_MEMORY_TO_GPU),
	[_IOC_NR(AMDKFD_IOC_UNMAP_MEMORY_FROM_GPU)] = _IOC_SIZE(AMDKFD_IOC_UNMAP_MEMORY_FROM_GPU),
	[_IOC_NR(AMDKFD_IOC_SET_CU_MASK)] = _IOC_SIZE(AMDKFD_IOC_SET_CU_MASK),
	[_IOC_NR(AMDKFD_IOC_GET_QUEUE_WAVE_STATE)] = _IOC_SIZE(AMDKFD_IOC_GET_QUEUE_WAVE_STATE),
	[_IOC_NR(AMDKFD_IOC_GET_DMABUF_INFO)] = _IOC_SIZE(AMDKFD_IOC_GET_DMABUF_INFO),
	[_IOC_NR(AMDKFD_IOC_IMPORT_DMABUF)] = _IOC_SIZE(AMDKFD_IOC_IMPORT_DMABUF),
	[_IOC_NR(AMDKFD_IOC_ALLOC_QUEUE_GWS)] = _IOC_SIZE(AMDKFD_IOC_ALLOC_QUEUE_GWS),
	[_IOC_NR(AMDKFD_IOC_SMI_EVENTS)] = _IOC_SIZE(AMDKFD_IOC_SMI_EVENTS),
	[_IOC_NR(AMDKFD_IOC_SVM)] = _IOC_SIZE(AMDKFD_IOC_SVM),
	[_IOC_NR(AMDKFD_IOC_SET_XNACK_MODE)] = _IOC_SIZE(AMDKFD_IOC_SET_XNACK_MODE),
	[_IOC_NR(AMDKFD_IOC_CRIU_OP)] = _IOC_SIZE(AMDKFD_IOC_CRIU_OP),
	[_IOC_NR(AMDKFD_IOC_AVAILABLE_MEMORY)] = _IOC_SIZE(AMDKFD_IOC_AVAILABLE_MEMORY),
	[_IOC_NR(AMDKFD_IOC_VADDR_INFO)] = _IOC_SIZE(AMDKFD_IOC_VADDR_INFO),
	[_IOC_NR(AMDKFD_IOC_CHANGE_OWNER)] = _IOC_SIZE(AMDKFD_IOC_CHANGE_OWNER),
};

/* The next number that is one; the in-tree driver has none of the extensions. */
static unsigned int next_request(unsigned int nr)
{
	if (++nr == AMDKFD_COMMAND_END && kfd_is_ours())
		return AMDKFD_EXTENSION_START;
	return nr;
}

static bool is_request(unsigned int nr)
{
	return nr != AMDKFD_COMMAND_END && nr != AMDKFD_EXTENSION_END;
}

/* Not offered is a fine answer for these; success that means nothing is not. */
static bool is_not_offered(int ret)
{
	return ret == -EOPNOTSUPP || ret == -ENOTTY || (!kfd_is_ours() && ret == -EPERM);
}

KFD_FIXTURE(dispatch);

TEST_F(dispatch, version)
{
	struct kfd_ioctl_get_version_args args = { 0 };

	ASSERT_OK(kfd_call(self->k.fd, AMDKFD_IOC_GET_VERSION, &args));
	EXPECT_EQ(KFD_IOCTL_MAJOR_VERSION, args.major_version);
	EXPECT_GE(args.minor_version, KFD_IOCTL_MINOR_VERSION);
	if (kfd_is_ours())
		EXPECT_EQ(KFD_IOCTL_MINOR_VERSION, args.minor_version);
}

/* What a caller leaves out at the end is neither read nor written. */
TEST_F(dispatch, shorter_struct_gets_what_it_has_room_for)
{
	struct kfd_ioctl_get_clock_counters_args args = {
		.gpu_id = self->k.gpu[0].gpu_id, .pad = 0xc0ffee,
	};

	ASSERT_OK(kfd_call(self->k.fd,
			   REQUEST(5, offsetof(struct kfd_ioctl_get_clock_counters_args, pad)),
			   &args));
	EXPECT_NE(0, args.gpu_clock_counter);
	EXPECT_EQ(0xc0ffee, args.pad);
}

TEST_F(dispatch, struct_without_a_mandatory_field_is_EINVAL)
{
	struct kfd_ioctl_get_clock_counters_args args = { 0 };

	REQUIRE_OURS();
	EXPECT_ERR(EINVAL, kfd_call(self->k.fd, REQUEST(5, 8), &args));
	EXPECT_EQ(0, args.cpu_clock_counter);
}

TEST_F(dispatch, longer_struct_with_zero_tail)
{
	struct {
		struct kfd_ioctl_get_clock_counters_args args;
		uint64_t tail[4];
		uint64_t canary;
	} big = { .canary = 0x1234 };

	ASSERT_OK(kfd_call(self->k.fd, REQUEST(5, sizeof(big.args) + sizeof(big.tail)), &big));
	EXPECT_NE(0, big.args.cpu_clock_counter);
	EXPECT_EQ(0, big.tail[0]);
	EXPECT_EQ(0, big.tail[3]);
	EXPECT_EQ(0x1234, big.canary);
}

TEST_F(dispatch, longer_struct_with_unknown_tail)
{
	struct {
		struct kfd_ioctl_get_clock_counters_args args;
		uint64_t tail[4];
	} big = { .tail = { 0, 0, 1, 0 } };

	/* Newer userspace has more to say than the driver knows. */
	ASSERT_OK(kfd_call(self->k.fd, REQUEST(5, sizeof(big)), &big));
	EXPECT_NE(0, big.args.cpu_clock_counter);
	EXPECT_EQ(0, big.tail[0]);
	EXPECT_EQ(1, big.tail[2]);
}

TEST_F(dispatch, longer_extension_with_unknown_tail)
{
	struct {
		struct kfd_ioctl_change_owner_args args;
		uint64_t tail[4];
	} big = { .tail = { 0, 0, 1, 0 } };
	unsigned int cmd = _IOC(_IOC_DIR(AMDKFD_IOC_CHANGE_OWNER), AMDKFD_IOCTL_BASE,
				_IOC_NR(AMDKFD_IOC_CHANGE_OWNER), sizeof(big));
	int ret;

	REQUIRE_OURS();
	EXPECT_ERR(E2BIG, kfd_call(self->k.fd, cmd, &big));
	EXPECT_EQ(1, big.tail[2]);
	/* With zeros it is what it is without. */
	big.tail[2] = 0;
	ret = kfd_call(self->k.fd, AMDKFD_IOC_CHANGE_OWNER, &big.args);
	EXPECT_NE(-E2BIG, ret);
	EXPECT_EQ(ret, kfd_call(self->k.fd, cmd, &big));
}

/*
 * Every request with every length up to past its struct, the argument lying
 * right before a page that cannot be touched: the driver reads and writes
 * exactly what the request number says. What the call answers is no matter.
 */
TEST_F(dispatch, argument_length_sweep)
{
	unsigned int nr, size;
	char *area;

	area = mmap(NULL, 2 * KFD_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		    -1, 0);
	ASSERT_NE(MAP_FAILED, area);
	ASSERT_OK(mprotect(area + KFD_PAGE, KFD_PAGE, PROT_NONE));
	for (nr = AMDKFD_COMMAND_START; is_request(nr); nr = next_request(nr)) {
		ASSERT_NE(0, arg_size[nr]);
		for (size = 0; size <= arg_size[nr] + 16; size += 4) {
			char *at = area + KFD_PAGE - size;
			int ret;

			memset(area, 0, KFD_PAGE);
			at[-1] = 0x5a;
			/* An operation that finds nothing to wait for, not a pause. */
			if (nr == _IOC_NR(AMDKFD_IOC_CRIU_OP) &&
			    size > offsetof(struct kfd_ioctl_criu_args, op))
				memset(at + offsetof(struct kfd_ioctl_criu_args, op), 0x7f, 4);
			ret = kfd_call(self->k.fd, REQUEST(nr, size), at);
			EXPECT_NE(-EFAULT, ret)
				TH_LOG("request %#x with %u bytes", nr, size);
			EXPECT_EQ(0x5a, at[-1])
				TH_LOG("request %#x with %u bytes wrote before them", nr, size);
		}
		/* A short CRIU_OP has operation 0, which pauses. */
		if (nr == _IOC_NR(AMDKFD_IOC_CRIU_OP))
			kfd_criu_unpause(self->k.fd);
	}
}

TEST_F(dispatch, bad_pointer_is_EFAULT)
{
	unsigned int nr;

	for (nr = AMDKFD_COMMAND_START; is_request(nr); nr = next_request(nr)) {
		void *bad[] = { NULL, (void *)8, (void *)0xffff888000000000ULL };
		unsigned int i;

		for (i = 0; i < 3; i++) {
			int ret = kfd_call(self->k.fd, REQUEST(nr, arg_size[nr]), bad[i]);

			EXPECT_TRUE(ret == -EFAULT || is_not_offered(ret))
				TH_LOG("request %#x at %p: %d", nr, bad[i], ret);
		}
	}
}

TEST_F(dispatch, unknown_requests)
{
	static const unsigned int nrs[] = {
		0x00, AMDKFD_COMMAND_END, 0x60, 0x7f, 0x82, AMDKFD_EXTENSION_START - 1,
		AMDKFD_EXTENSION_END, 0xff,
	};
	char arg[64] = { 0 };
	unsigned int i;

	for (i = 0; i < sizeof(nrs) / sizeof(nrs[0]); i++)
		EXPECT_ERR_OR(ENOTTY, EINVAL, kfd_call(self->k.fd, REQUEST(nrs[i], 16), arg))
			TH_LOG("request %#x", nrs[i]);
}

TEST_F(dispatch, withdrawn_debugger_calls)
{
	struct kfd_ioctl_dbg_address_watch_args args = { .gpu_id = self->k.gpu[0].gpu_id };

	EXPECT_TRUE(is_not_offered(kfd_call(self->k.fd, AMDKFD_IOC_DBG_REGISTER_DEPRECATED,
					    &args)));
	EXPECT_TRUE(is_not_offered(kfd_call(self->k.fd, AMDKFD_IOC_DBG_UNREGISTER_DEPRECATED,
					    &args)));
	EXPECT_TRUE(is_not_offered(kfd_call(self->k.fd, AMDKFD_IOC_DBG_ADDRESS_WATCH_DEPRECATED,
					    &args)));
	EXPECT_TRUE(is_not_offered(kfd_call(self->k.fd, AMDKFD_IOC_DBG_WAVE_CONTROL_DEPRECATED,
					    &args)));
}

/* Either the call is not there or it does what it says. */
TEST_F(dispatch, smi_events_work_or_are_refused)
{
	struct kfd_ioctl_smi_events_args args = {
		.gpuid = self->k.gpu[0].gpu_id,
		.anon_fd = KFD_INVALID_FD,
	};
	uint64_t mask = KFD_SMI_EVENT_MASK_FROM_INDEX(KFD_SMI_EVENT_VMFAULT);
	int ret = kfd_call(self->k.fd, AMDKFD_IOC_SMI_EVENTS, &args);

	if (is_not_offered(ret)) {
		EXPECT_EQ(KFD_INVALID_FD, args.anon_fd);
		return;
	}
	ASSERT_OK(ret);
	EXPECT_EQ(sizeof(mask), write((int)args.anon_fd, &mask, sizeof(mask)));
	close((int)args.anon_fd);
}

TEST_F(dispatch, svm_works_or_is_refused)
{
	struct {
		struct kfd_ioctl_svm_args args;
		struct kfd_ioctl_svm_attribute attr;
	} svm = {
		.args = { .op = KFD_IOCTL_SVM_OP_GET_ATTR, .nattr = 1, .size = KFD_PAGE },
		.attr = { .type = KFD_IOCTL_SVM_ATTR_GRANULARITY, .value = 0xdead },
	};
	void *p = mmap(NULL, KFD_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int ret;

	ASSERT_NE(MAP_FAILED, p);
	svm.args.start_addr = (uintptr_t)p;
	ret = kfd_call(self->k.fd, REQUEST(0x20, sizeof(svm)), &svm);
	if (is_not_offered(ret))
		return;
	ASSERT_OK(ret);
	EXPECT_LT(svm.attr.value, 64);
}

TEST_F(dispatch, gws_works_or_is_refused)
{
	struct kfd_ioctl_alloc_queue_gws_args args = { .queue_id = 0x7fffffff, .num_gws = 1 };
	int ret = kfd_call(self->k.fd, AMDKFD_IOC_ALLOC_QUEUE_GWS, &args);

	EXPECT_TRUE(is_not_offered(ret) || ret == -EINVAL || ret == -ENODEV)
		TH_LOG("%d", ret);
}

TEST_F(dispatch, file_of_the_parent_is_EBADF)
{
	struct kfd_ioctl_get_version_args args;
	pid_t child = fork();
	int status;

	if (!child) {
		struct kfd own;
		int ret = kfd_call(self->k.fd, AMDKFD_IOC_GET_VERSION, &args);

		if (ret != -EBADF)
			_exit(1);
		/* One that it opens itself is fine. */
		if (kfd_start(&own))
			_exit(2);
		if (kfd_call(own.fd, AMDKFD_IOC_GET_VERSION, &args))
			_exit(3);
		/* And that does not make the parent's usable. */
		_exit(kfd_call(self->k.fd, AMDKFD_IOC_GET_VERSION, &args) == -EBADF ? 0 : 4);
	}
	ASSERT_GT(child, 0);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_OK(kfd_call(self->k.fd, AMDKFD_IOC_GET_VERSION, &args));
}

/* The same task with another mm: what the file belonged to is gone. */
TEST_F(dispatch, file_across_exec_is_EBADF)
{
	char number[16];
	pid_t child;
	int status;

	REQUIRE_OURS();
	child = fork();
	if (!child) {
		struct kfd own;

		if (kfd_start(&own))
			_exit(100);
		fcntl(own.fd, F_SETFD, 0);
		snprintf(number, sizeof(number), "%d", own.fd);
		execl("/proc/self/exe", "dispatch", "--use-fd", number, NULL);
		_exit(101);
	}
	ASSERT_GT(child, 0);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(EBADF, WEXITSTATUS(status));
}

TEST_F(dispatch, two_files_of_one_process_share_its_state)
{
	struct kfd_bo bo;
	int second = open("/dev/kfd", O_RDWR | O_CLOEXEC);
	int first = self->k.fd;

	ASSERT_GE(second, 0);
	ASSERT_OK(kfd_bo_alloc(&self->k, 0, MEM_GTT, KFD_PAGE, &bo));
	self->k.fd = second;
	EXPECT_OK(kfd_bo_free(&self->k, &bo));
	self->k.fd = first;
	EXPECT_ERR(EINVAL, kfd_bo_free(&self->k, &bo));
	close(second);
}

static void *call_version(void *arg)
{
	struct kfd_ioctl_get_version_args args;

	return (void *)(intptr_t)kfd_call(*(int *)arg, AMDKFD_IOC_GET_VERSION, &args);
}

TEST_F(dispatch, another_thread_may_use_the_file)
{
	pthread_t thread;
	void *ret;

	ASSERT_OK(pthread_create(&thread, NULL, call_version, &self->k.fd));
	ASSERT_OK(pthread_join(thread, &ret));
	EXPECT_EQ(NULL, ret);
}

TEST_F(dispatch, cannot_be_read_written_or_mapped_at_will)
{
	char c = 0;

	EXPECT_EQ(-1, read(self->k.fd, &c, 1));
	EXPECT_EQ(-1, write(self->k.fd, &c, 1));
	/* Type 0 without a GPU, doorbells of no GPU, and beyond the slice. */
	EXPECT_EQ(MAP_FAILED, mmap(NULL, KFD_PAGE, PROT_READ, MAP_SHARED, self->k.fd, 0));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, KFD_PAGE, PROT_READ, MAP_SHARED, self->k.fd,
				   (off_t)(3ULL << 62 | 0xfffeULL << 46)));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 1 << 20, PROT_READ, MAP_SHARED, self->k.fd,
				   (off_t)(3ULL << 62 | (uint64_t)self->k.gpu[0].gpu_id << 46)));
}

TEST_F(dispatch, two_processes_have_nothing_in_common)
{
	struct kfd_bo mine, theirs;
	int status;
	pid_t child;

	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_VRAM, KFD_PAGE, &mine));
	*(volatile uint32_t *)mine.cpu = 0x11111111;
	child = fork();
	if (!child) {
		struct kfd own;

		if (kfd_start(&own))
			_exit(1);
		/* Same address, other memory; and my handle names nothing of yours. */
		munmap(mine.cpu, mine.size);
		if (kfd_bo_create(&own, 0, MEM_VRAM, KFD_PAGE, &theirs) || theirs.va != mine.va)
			_exit(2);
		_exit(*(volatile uint32_t *)theirs.cpu ? 3 : 0);
	}
	ASSERT_GT(child, 0);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0x11111111, *(volatile uint32_t *)mine.cpu);
	EXPECT_OK(kfd_bo_destroy(&self->k, &mine));
}

int main(int argc, char **argv)
{
	struct kfd_ioctl_get_version_args args;

	if (argc == 3 && !strcmp(argv[1], "--use-fd"))
		return -kfd_call(atoi(argv[2]), AMDKFD_IOC_GET_VERSION, &args);
	if (!kfd_present()) {
		ksft_print_header();
		ksft_exit_skip("there is no /dev/kfd here\n");
	}
	return test_harness_run(argc, argv);
}
