// SPDX-License-Identifier: GPL-2.0-only
/*
 * SMI events: who is told what, in which words, and what a file of them does
 * when it is read badly, not at all, or by somebody else.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/prctl.h>

#include "lib/kfd_smi.h"
#include "lib/kfd_test.h"
#include "lib/kfd_workload.h"

#define RING		4096
#define UNKNOWN_BITS	(~0ULL << 20 & ~SMI_BIT(ALL_PROCESS))

FIXTURE(smi)
{
	struct kfd k;
	struct kfd_smi s;	/* nothing selected yet */
	struct kfd_bo bo;	/* registered memory */
	char *p;
};

/* The compiler knows no NULL when it sees one. */
static char *volatile nowhere;

/* Registered memory. A fork must not touch it: that would be an eviction. */
static int registered(struct kfd *k, char **p, struct kfd_bo *bo)
{
	*p = mmap(NULL, 2 * KFD_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (*p == MAP_FAILED)
		return -errno;
	if (madvise(*p, 2 * KFD_PAGE, MADV_DONTFORK))
		return -errno;
	memset(*p, 1, 2 * KFD_PAGE);
	return kfd_bo_userptr(k, 0, *p, 2 * KFD_PAGE, bo);
}

FIXTURE_SETUP(smi)
{
	ASSERT_OK(kfd_start(&self->k));
	ASSERT_OK(registered(&self->k, &self->p, &self->bo));
	ASSERT_OK(kfd_smi_open(&self->k, 0, 0, &self->s));
}

FIXTURE_TEARDOWN(smi)
{
	kfd_smi_close(&self->s);
	kfd_stop(&self->k);
}

static int evict(char *p)
{
	return madvise(p, 2 * KFD_PAGE, MADV_DONTNEED) ? -errno : 0;
}

/* One eviction, and the restore that comes a moment later. */
static int settled(struct kfd *k, char *p)
{
	struct kfd_smi s;
	struct kfd_smi_line line;
	int ret = kfd_smi_open(k, 0, SMI_BIT(QUEUE_RESTORE), &s);

	if (!ret)
		ret = evict(p);
	while (!ret) {
		ret = kfd_smi_expect(&s, KFD_SMI_EVENT_QUEUE_RESTORE, getpid(), &line);
		if (!ret && !line.letter)
			break;
	}
	kfd_smi_close(&s);
	return ret;
}

/* --- what is told ------------------------------------------------------------ */

/* On each GPU that has the memory mapped. */
TEST_F(smi, eviction_and_restore_on_every_gpu)
{
	struct kfd_smi_line line;
	struct kfd_smi s;
	long long then = 0;
	int gpu;

	for (gpu = 0; gpu < self->k.num_gpus; gpu++) {
		ASSERT_OK(kfd_bo_map_gpu(&self->k, &self->bo, gpu));
		ASSERT_OK(kfd_smi_open(&self->k, gpu, SMI_BIT(QUEUE_EVICTION) |
				       SMI_BIT(QUEUE_RESTORE), &s));
		ASSERT_OK(evict(self->p));
		ASSERT_OK(kfd_smi_expect(&s, KFD_SMI_EVENT_QUEUE_EVICTION, getpid(), &line))
			TH_LOG("%s", line.text);
		EXPECT_EQ(self->k.gpu[gpu].gpu_id, line.gpu_id);
		EXPECT_EQ(KFD_QUEUE_EVICTION_TRIGGER_USERPTR, line.trigger);
		EXPECT_LT(then, line.time);
		then = line.time;
		do {
			ASSERT_OK(kfd_smi_expect(&s, KFD_SMI_EVENT_QUEUE_RESTORE, getpid(), &line))
				TH_LOG("%s", line.text);
			EXPECT_EQ(self->k.gpu[gpu].gpu_id, line.gpu_id);
			EXPECT_LE(then, line.time);
			then = line.time;
		} while (line.letter);
		kfd_smi_close(&s);
	}
}

/* Memory that stays away: the restore is put off, and said to be. */
TEST_F(smi, restore_that_is_put_off)
{
	struct kfd_smi_line line;
	int put_off = 0;

	ASSERT_OK(kfd_smi_select(&self->s, SMI_BIT(QUEUE_RESTORE)));
	ASSERT_OK(munmap(self->p, 2 * KFD_PAGE));
	for (;;) {
		ASSERT_OK(kfd_smi_expect(&self->s, KFD_SMI_EVENT_QUEUE_RESTORE, getpid(), &line))
			TH_LOG("%s", line.text);
		if (!line.letter)
			break;
		ASSERT_EQ('R', line.letter);
		put_off++;
	}
	EXPECT_LT(0, put_off);
}

/* In a child: who has an SMI file open itself can't be checkpointed. */
static int pause_is_told(void *arg)
{
	struct kfd_ioctl_criu_args info;
	pid_t *who = arg;
	struct kfd k;
	int ret;

	*who = getpid();
	ret = kfd_start(&k);
	if (!ret)
		ret = kfd_criu_info(k.fd, &info);
	return ret ? ret : kfd_criu_unpause(k.fd);
}

TEST_F(smi, pause_for_a_checkpoint)
{
	struct kfd_smi_line line;
	pid_t *who;

	who = mmap(NULL, sizeof(*who), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, who);
	ASSERT_OK(kfd_smi_select(&self->s, SMI_BIT(QUEUE_EVICTION) | SMI_BIT(QUEUE_RESTORE) |
				 SMI_BIT(ALL_PROCESS)));
	ASSERT_OK(kfd_in_child(pause_is_told, who));
	ASSERT_OK(kfd_smi_expect(&self->s, KFD_SMI_EVENT_QUEUE_EVICTION, *who, &line));
	EXPECT_EQ(KFD_QUEUE_EVICTION_CRIU_CHECKPOINT, line.trigger);
	ASSERT_OK(kfd_smi_expect(&self->s, KFD_SMI_EVENT_QUEUE_RESTORE, *who, &line));
	EXPECT_EQ(0, line.letter);
}

static int restore_is_told(void *arg)
{
	struct kfd_snapshot *snapshot = arg;
	struct kfd_smi_line line;
	struct kfd_smi s;
	struct kfd k;
	int ret;

	ret = kfd_snapshot_open(&k, snapshot);
	if (!ret)
		ret = kfd_smi_open(&k, 0, SMI_BIT(QUEUE_EVICTION) | SMI_BIT(QUEUE_RESTORE), &s);
	if (!ret)
		ret = kfd_snapshot_restore_op(&k, snapshot);
	if (!ret)
		ret = kfd_snapshot_after_restore(&k, snapshot);
	if (!ret)
		ret = kfd_criu_resume(k.fd, getpid());
	if (!ret)
		ret = kfd_smi_expect(&s, KFD_SMI_EVENT_QUEUE_EVICTION, getpid(), &line);
	if (!ret && line.trigger != KFD_QUEUE_EVICTION_CRIU_RESTORE)
		ret = -EILSEQ;
	return ret ? ret : kfd_smi_expect(&s, KFD_SMI_EVENT_QUEUE_RESTORE, getpid(), &line);
}

TEST_F(smi, restore_of_a_checkpoint)
{
	struct kfd_snapshot snapshot;
	struct kfd_bo bo;

	REQUIRE_OURS();
	ASSERT_OK(kfd_bo_destroy(&self->k, &self->bo));
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, KFD_PAGE, &bo));
	/* A checkpoint may refuse a process that has such files open. */
	kfd_smi_close(&self->s);
	ASSERT_OK(kfd_snapshot_dump(&self->k, self->k.fd, &snapshot));
	ASSERT_OK(munmap(bo.cpu, bo.size));
	EXPECT_OK(kfd_in_child(restore_is_told, &snapshot));
	ASSERT_OK(kfd_smi_open(&self->k, 0, 0, &self->s));
}

static int gpu_touches(struct kfd *k, uint64_t va)
{
	struct kfd_queue q;
	uint32_t p[8];
	int ret = kfd_queue_create(k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &q);

	if (!ret)
		ret = kfd_queue_emit(&q, p, sdma_fence(p, va, 1));
	if (!ret)
		kfd_queue_submit(&q);
	return ret;
}

/* A process chooses its name, and must not get to write lines by that. */
TEST_F(smi, vm_fault)
{
	struct kfd_smi_line line;

	ASSERT_OK(kfd_smi_select(&self->s, SMI_BIT(VMFAULT)));
	ASSERT_OK(prctl(PR_SET_NAME, "smi\n3 7\x1b"));
	ASSERT_OK(gpu_touches(&self->k, kfd_reserve_va(&self->k, KFD_PAGE)));
	ASSERT_OK(kfd_smi_expect(&self->s, KFD_SMI_EVENT_VMFAULT, getpid(), &line))
		TH_LOG("%s", line.text);
	if (kfd_is_ours())
		EXPECT_STREQ("smi?3 7?", line.name);
}

TEST_F(smi, resets_are_numbered)
{
	struct kfd_smi_line line;
	unsigned int number;

	REQUIRE_SIM();
	ASSERT_OK(kfd_smi_select(&self->s, SMI_BIT(GPU_PRE_RESET) | SMI_BIT(GPU_POST_RESET)));
	ASSERT_OK(kfd_sim_set(0, "reset", "1"));
	ASSERT_OK(kfd_smi_expect(&self->s, KFD_SMI_EVENT_GPU_PRE_RESET, 0, &line));
	number = line.number;
	ASSERT_OK(kfd_smi_expect(&self->s, KFD_SMI_EVENT_GPU_POST_RESET, 0, &line));
	EXPECT_EQ(number, line.number);
	ASSERT_OK(kfd_sim_set(0, "reset", "1"));
	ASSERT_OK(kfd_smi_expect(&self->s, KFD_SMI_EVENT_GPU_PRE_RESET, 0, &line));
	EXPECT_EQ(number + 1, line.number);
	ASSERT_OK(kfd_smi_expect(&self->s, KFD_SMI_EVENT_GPU_POST_RESET, 0, &line));
	EXPECT_EQ(number + 1, line.number);
}

/* --- the mask ---------------------------------------------------------------- */

TEST_F(smi, nothing_is_selected_at_first)
{
	unsigned int lines;

	ASSERT_OK(settled(&self->k, self->p));
	ASSERT_OK(kfd_smi_drain(&self->s, &lines));
	EXPECT_EQ(0, lines);
}

TEST_F(smi, only_what_is_selected)
{
	struct kfd_smi_line line;
	unsigned int lines;

	ASSERT_OK(kfd_smi_select(&self->s, SMI_BIT(QUEUE_EVICTION)));
	ASSERT_OK(settled(&self->k, self->p));
	ASSERT_OK(kfd_smi_expect(&self->s, KFD_SMI_EVENT_QUEUE_EVICTION, getpid(), &line));
	ASSERT_OK(kfd_smi_drain(&self->s, &lines));
	EXPECT_EQ(0, lines);
	/* Everything but. */
	ASSERT_OK(kfd_smi_select(&self->s, ~(SMI_BIT(QUEUE_EVICTION) | SMI_BIT(QUEUE_RESTORE))));
	ASSERT_OK(settled(&self->k, self->p));
	ASSERT_OK(kfd_smi_drain(&self->s, &lines));
	EXPECT_EQ(0, lines);
}

TEST_F(smi, unknown_bits_mean_nothing)
{
	struct kfd_smi_line line;
	unsigned int lines;

	ASSERT_OK(kfd_smi_select(&self->s, UNKNOWN_BITS));
	ASSERT_OK(settled(&self->k, self->p));
	ASSERT_OK(kfd_smi_drain(&self->s, &lines));
	EXPECT_EQ(0, lines);
	ASSERT_OK(kfd_smi_select(&self->s, UNKNOWN_BITS | SMI_BIT(QUEUE_EVICTION)));
	ASSERT_OK(settled(&self->k, self->p));
	ASSERT_OK(kfd_smi_expect(&self->s, KFD_SMI_EVENT_QUEUE_EVICTION, getpid(), &line));
}

TEST_F(smi, bad_writes)
{
	uint64_t mask[2] = { SMI_BIT(QUEUE_EVICTION), 0 };
	struct kfd_smi_line line;

	EXPECT_EQ(sizeof(mask[0]), write(self->s.fd, mask, sizeof(mask)));
	EXPECT_EQ(-1, write(self->s.fd, mask + 1, 7));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, write(self->s.fd, nowhere, 8));
	EXPECT_EQ(EFAULT, errno);
	/* The mask is as the good one has left it. */
	ASSERT_OK(settled(&self->k, self->p));
	ASSERT_OK(kfd_smi_expect(&self->s, KFD_SMI_EVENT_QUEUE_EVICTION, getpid(), &line));
}

/* --- reading ----------------------------------------------------------------- */

TEST_F(smi, nothing_to_read_is_EAGAIN)
{
	char text[64];

	EXPECT_EQ(0, fcntl(self->s.fd, F_GETFL) & O_NONBLOCK);
	EXPECT_EQ(-1, read(self->s.fd, text, sizeof(text)));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(-1, lseek(self->s.fd, 0, SEEK_SET));
	EXPECT_EQ(ESPIPE, errno);
}

/* Two lines and a half fit: two come. None fits: it comes in pieces. */
TEST_F(smi, small_buffers)
{
	char text[SMI_UNREAD + 1] = "", piece[6];
	struct kfd_smi_line line;
	size_t first, got;
	ssize_t n;

	REQUIRE_OURS();
	ASSERT_OK(kfd_smi_select(&self->s, SMI_BIT(QUEUE_EVICTION)));
	ASSERT_OK(settled(&self->k, self->p));
	ASSERT_OK(settled(&self->k, self->p));
	ASSERT_OK(settled(&self->k, self->p));
	for (got = 0; !got || text[got - 1] != '\n'; got += n) {
		n = read(self->s.fd, piece, 5);
		ASSERT_LT(0, n);
		memcpy(text + got, piece, n);
	}
	first = got;
	ASSERT_EQ(strchr(text, '\n'), text + first - 1);
	text[first - 1] = '\0';
	EXPECT_OK(kfd_smi_parse(text, &line)) TH_LOG("%s", text);
	/* The other two may be a digit longer, not ten. */
	n = read(self->s.fd, text, 2 * first - 10);
	ASSERT_LT(0, n);
	text[n] = '\0';
	ASSERT_EQ(strchr(text, '\n'), text + n - 1);
	text[n - 1] = '\0';
	EXPECT_OK(kfd_smi_parse(text, &line)) TH_LOG("%s", text);
	EXPECT_OK(kfd_smi_expect(&self->s, KFD_SMI_EVENT_QUEUE_EVICTION, getpid(), &line));
}

TEST_F(smi, bad_reads_lose_nothing)
{
	struct kfd_smi_line line;

	REQUIRE_OURS();
	ASSERT_OK(kfd_smi_select(&self->s, SMI_BIT(QUEUE_EVICTION)));
	ASSERT_OK(settled(&self->k, self->p));
	EXPECT_EQ(0, read(self->s.fd, nowhere, 0));
	EXPECT_EQ(-1, read(self->s.fd, nowhere, 100));
	EXPECT_EQ(EFAULT, errno);
	ASSERT_OK(kfd_smi_expect(&self->s, KFD_SMI_EVENT_QUEUE_EVICTION, getpid(), &line));
}

/* What does not fit is dropped; what was there first stays, and stays whole. */
TEST_F(smi, overflow)
{
	unsigned int lines, wanted, before = 0, put_off = 0;
	struct kfd_smi_line line;
	uint64_t dropped = 0;
	bool last = false;
	long long then = 0;
	char path[64], text[512], *at;
	int i;

	ASSERT_OK(kfd_smi_select(&self->s, SMI_BIT(QUEUE_EVICTION) | SMI_BIT(QUEUE_RESTORE)));
	for (i = 0; i < 40; i++)
		ASSERT_OK(settled(&self->k, self->p));
	while (!kfd_smi_next(&self->s, 0, &line)) {
		/* A loaded machine may put a restore off. */
		if (line.letter) {
			put_off++;
			continue;
		}
		/* One after the other, and from the first one on. */
		EXPECT_FALSE(last) TH_LOG("%s", line.text);
		wanted = before % 2 ? KFD_SMI_EVENT_QUEUE_RESTORE : KFD_SMI_EVENT_QUEUE_EVICTION;
		/* A restore is shorter: it may fit where its eviction did not. */
		last = wanted == KFD_SMI_EVENT_QUEUE_EVICTION &&
		       line.event == KFD_SMI_EVENT_QUEUE_RESTORE;
		EXPECT_TRUE(last || line.event == wanted) TH_LOG("%s", line.text);
		EXPECT_LE(then, line.time);
		then = line.time;
		before++;
	}
	EXPECT_LT(10, before);
	EXPECT_LT(before, 80);
	if (kfd_is_ours()) {
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->s.fd);
		ASSERT_OK(kfd_read_text(path, text, sizeof(text)));
		at = strstr(text, "kfd-smi-dropped:");
		ASSERT_NE(NULL, at);
		dropped = strtoull(at + strlen("kfd-smi-dropped:"), NULL, 10);
		EXPECT_LE(80 - before, dropped);
		EXPECT_TRUE(put_off || dropped == 80 - before);
	}
	/* There is room again. */
	ASSERT_OK(settled(&self->k, self->p));
	ASSERT_OK(kfd_smi_drain(&self->s, &lines));
	EXPECT_LE(2, lines);
}

static int wait_for_line(void *arg)
{
	struct pollfd p = { .fd = *(int *)arg, .events = POLLIN };

	if (poll(&p, 1, PATIENCE) != 1)
		return -ETIMEDOUT;
	return p.revents == POLLIN ? 0 : -EPROTO;
}

TEST_F(smi, poll)
{
	struct pollfd p = { .fd = self->s.fd, .events = POLLIN };
	unsigned int lines;
	pid_t child;

	ASSERT_OK(kfd_smi_select(&self->s, SMI_BIT(QUEUE_EVICTION)));
	EXPECT_EQ(0, poll(&p, 1, 20));
	child = fork();
	if (!child)
		_exit(-wait_for_line(&self->s.fd));
	ASSERT_LT(0, child);
	/* Let it wait: if it does not yet, the test is merely weaker. */
	kfd_sleep_ms(50);
	ASSERT_OK(settled(&self->k, self->p));
	EXPECT_OK(kfd_wait_child(child));
	EXPECT_EQ(1, poll(&p, 1, 0));
	EXPECT_EQ(POLLIN, p.revents);
	ASSERT_OK(kfd_smi_drain(&self->s, &lines));
	EXPECT_EQ(0, poll(&p, 1, 0));
}

/* --- whose ------------------------------------------------------------------- */

TEST_F(smi, wrong_gpu)
{
	static const uint32_t ids[] = { 0, 0x10000, 0xffffffff };
	struct kfd_ioctl_smi_events_args args;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		args = (struct kfd_ioctl_smi_events_args){ .gpuid = ids[i], .anon_fd = 77 };
		EXPECT_ERR(EINVAL, kfd_call(self->k.fd, AMDKFD_IOC_SMI_EVENTS, &args));
		EXPECT_EQ(77, args.anon_fd);
	}
}

static int open_in_child(void *arg)
{
	struct kfd_smi s;

	return kfd_smi_open(arg, 0, 0, &s) == -EBADF ? 0 : -EPROTO;
}

TEST_F(smi, not_by_a_file_of_another_process)
{
	REQUIRE_OURS();
	EXPECT_OK(kfd_in_child(open_in_child, &self->k));
}

static int evicts_itself(void *arg)
{
	struct kfd_bo bo;
	struct kfd k;
	char *p;
	int ret;

	(void)arg;
	ret = kfd_start(&k);
	if (!ret)
		ret = registered(&k, &p, &bo);
	return ret ? ret : settled(&k, p);
}

/* How many lines a file has got of somebody else, who has one eviction. */
static int lines_of_another(struct kfd_smi *s, unsigned int *lines)
{
	struct kfd_smi_line line;
	int ret = kfd_in_child(evicts_itself, NULL);

	*lines = 0;
	while (!ret) {
		ret = kfd_smi_next(s, 0, &line);
		if (!ret && line.pid == getpid())
			ret = -EPROTO;
		if (!ret)
			(*lines)++;
	}
	return ret == -ETIMEDOUT ? 0 : ret;
}

TEST_F(smi, others_only_by_capability_and_on_request)
{
	const uint64_t ev = SMI_BIT(QUEUE_EVICTION);
	struct kfd_smi plain, able;
	unsigned int lines;

	ASSERT_OK(kfd_set_caps(~(1ULL << CAP_NR_SYS_ADMIN)));
	ASSERT_OK(kfd_smi_open(&self->k, 0, ev | SMI_BIT(ALL_PROCESS), &plain));
	ASSERT_OK(kfd_set_caps(~0ULL));
	ASSERT_OK(kfd_smi_open(&self->k, 0, ev, &able));

	/* Neither who asked but could not, nor who could but did not ask. */
	ASSERT_OK(lines_of_another(&plain, &lines));
	EXPECT_EQ(0, lines);
	ASSERT_OK(lines_of_another(&able, &lines));
	EXPECT_EQ(0, lines);
	/* The opener's capability is what counts, not that of who asks. */
	ASSERT_OK(kfd_smi_select(&plain, ev | SMI_BIT(ALL_PROCESS)));
	ASSERT_OK(lines_of_another(&plain, &lines));
	EXPECT_EQ(0, lines);

	ASSERT_OK(kfd_smi_select(&able, ev | SMI_BIT(ALL_PROCESS)));
	ASSERT_OK(lines_of_another(&able, &lines));
	EXPECT_LE(1, lines);
	/* One's own are seen all the time. */
	ASSERT_OK(settled(&self->k, self->p));
	ASSERT_OK(kfd_smi_drain(&plain, &lines));
	EXPECT_EQ(1, lines);
	kfd_smi_close(&plain);
	kfd_smi_close(&able);
}

/* --- the file goes elsewhere ------------------------------------------------- */

TEST_F(smi, close_on_exec)
{
	REQUIRE_OURS();
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->s.fd, F_GETFD));
	EXPECT_EQ(O_RDWR, fcntl(self->s.fd, F_GETFL) & O_ACCMODE);
}

static int reads_its_parents(void *arg)
{
	struct kfd_smi_line line;
	int ret = kfd_smi_expect(arg, KFD_SMI_EVENT_QUEUE_EVICTION, getppid(), &line);

	/* And changes what is selected, for both. */
	return ret ? ret : kfd_smi_select(arg, SMI_BIT(QUEUE_RESTORE));
}

TEST_F(smi, a_child_reads_what_its_parent_may)
{
	struct kfd_smi_line line;

	ASSERT_OK(kfd_smi_select(&self->s, SMI_BIT(QUEUE_EVICTION)));
	ASSERT_OK(settled(&self->k, self->p));
	ASSERT_OK(kfd_in_child(reads_its_parents, &self->s));
	ASSERT_OK(settled(&self->k, self->p));
	ASSERT_OK(kfd_smi_expect(&self->s, KFD_SMI_EVENT_QUEUE_RESTORE, getpid(), &line));
}

/* A file whose opener has ended tells of the GPU, and of nobody. */
TEST_F(smi, outlives_its_opener)
{
	struct kfd_smi s = { .fd = -1 };
	struct kfd_smi_line line;
	unsigned int lines;
	int ready[2], go[2];
	pid_t child;
	int fd;

	REQUIRE_SIM();
	ASSERT_OK(pipe(ready));
	ASSERT_OK(pipe(go));
	child = fork();
	if (!child) {
		struct kfd k;
		struct kfd_smi own;
		char c;

		if (kfd_start(&k) || kfd_set_caps(0) || kfd_smi_open(&k, 0, ~0ULL, &own))
			_exit(1);
		if (write(ready[1], &own.fd, sizeof(own.fd)) != sizeof(own.fd))
			_exit(1);
		_exit(read(go[0], &c, 1) != 1);
	}
	ASSERT_LT(0, child);
	ASSERT_EQ(sizeof(fd), read(ready[0], &fd, sizeof(fd)));
	s.fd = kfd_steal_fd(child, fd);
	ASSERT_LE(0, s.fd);
	ASSERT_EQ(1, write(go[1], "g", 1));
	ASSERT_OK(kfd_wait_child(child));
	ASSERT_OK(settled(&self->k, self->p));
	ASSERT_OK(kfd_smi_drain(&s, &lines));
	EXPECT_EQ(0, lines);
	ASSERT_OK(kfd_sim_set(0, "reset", "1"));
	EXPECT_OK(kfd_smi_expect(&s, KFD_SMI_EVENT_GPU_PRE_RESET, 0, &line));
	kfd_smi_close(&s);
}

/* --- all at once ------------------------------------------------------------- */

#define STORM_MS	400
#define STORM_THREADS	3
#define STORM_PATIENCE_MS	30000

/**
 * struct storm - threads that open and close files while there is much to tell
 * @k: the driver
 * @stop: they shall
 * @lines: that they have read
 * @ret: what went wrong
 */
struct storm {
	struct kfd *k;
	volatile bool *stop;
	volatile unsigned int lines;
	int ret;
};

static void *opens_and_closes(void *arg)
{
	struct storm *storm = arg;
	struct kfd_smi_line line;
	struct kfd_smi s;
	int ret = 0;

	while (!ret && !*storm->stop) {
		ret = kfd_smi_open(storm->k, 0, ~0ULL, &s);
		if (ret)
			break;
		/* Some close what they have not read. */
		while (!ret && storm->lines % 5) {
			ret = kfd_smi_next(&s, 2, &line);
			storm->lines += !ret;
		}
		storm->lines++;
		if (ret == -ETIMEDOUT)
			ret = 0;
		kfd_smi_close(&s);
	}
	storm->ret = ret;
	return NULL;
}

/* What the slowest of them has read; a busy machine may not have let one begin. */
static unsigned int least_lines(const struct storm *storms)
{
	unsigned int least = storms[0].lines;
	int i;

	for (i = 1; i < STORM_THREADS; i++)
		if (storms[i].lines < least)
			least = storms[i].lines;
	return least;
}

TEST_F_TIMEOUT(smi, storm, 60)
{
	uint64_t end = kfd_now_ms() + STORM_MS;
	volatile bool stop = false;
	struct storm storms[STORM_THREADS];
	pthread_t threads[STORM_THREADS];
	struct kfd_smi_line line;
	unsigned int told = 0;
	int i, ret;

	for (i = 0; i < STORM_THREADS; i++) {
		storms[i] = (struct storm){ .k = &self->k, .stop = &stop };
		ASSERT_OK(pthread_create(&threads[i], NULL, opens_and_closes, &storms[i]));
	}
	ASSERT_OK(kfd_smi_select(&self->s, ~0ULL));
	while (kfd_now_ms() < end ||
	       (least_lines(storms) < 2 && kfd_now_ms() < end + STORM_PATIENCE_MS)) {
		ASSERT_OK(evict(self->p));
		ASSERT_OK(kfd_in_child(evicts_itself, NULL));
		if (kfd_sim_present())
			ASSERT_OK(kfd_sim_set(0, "reset", "1"));
		while (!(ret = kfd_smi_next(&self->s, 0, &line)))
			told++;
		ASSERT_EQ(-ETIMEDOUT, ret);
	}
	stop = true;
	for (i = 0; i < STORM_THREADS; i++) {
		ASSERT_OK(pthread_join(threads[i], NULL));
		EXPECT_OK(storms[i].ret);
		EXPECT_LT(1, storms[i].lines);
	}
	EXPECT_LT(0, told);
}

static int opens_one(void *arg)
{
	struct kfd_smi one;
	struct kfd k;
	int ret = kfd_start(&k);

	return ret ? ret : kfd_smi_open(&k, 0, 0, &one);
}

/* A limit, so that nobody is told by walking over the files of strangers. */
TEST_F_TIMEOUT(smi, limit_of_files, 60)
{
	struct kfd_smi files[128];
	int i, n, ret = 0;

	REQUIRE_OURS();
	/* One is open. */
	for (n = 0; n < 128 && !ret; n += !ret)
		ret = kfd_smi_open(&self->k, n % self->k.num_gpus, 0, &files[n]);
	EXPECT_EQ(-ENOSPC, ret);
	EXPECT_EQ(127, n);
	/* Another process has its own. */
	EXPECT_OK(kfd_in_child(opens_one, NULL));
	kfd_smi_close(&files[--n]);
	EXPECT_OK(kfd_smi_open(&self->k, 0, 0, &files[n]));
	for (i = 0; i <= n; i++)
		kfd_smi_close(&files[i]);
}

KFD_TEST_MAIN
