// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bugs that the in-tree driver had in the course of checkpoint and restore:
 * what comes first, what goes on meanwhile, what is left of a failure. Each
 * test has the name under which Documentation lists its bug. Those about what
 * an image says are in criu_regressions_image.c.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>

#include "lib/kfd_regression.h"
#include "lib/kfd_svm.h"

/*
 * What RESUME walks: three userptrs and three ranges of shared virtual memory.
 * The memory of one of them, in the middle of its kind, is missing when it comes.
 */
#define USERPTRS	3
#define PLACES		6
#define PLACE_SIZE	(2 * KFD_PAGE)

struct resumed {
	struct kfd k;
	struct kfd_bo words, page, user[USERPTRS];
	uint64_t place[PLACES];	/* the userptrs' memory, then the ranges */
	int missing;
	struct kfd_queue q;
	int fd;
};

static int place_memory(struct resumed *r, int i)
{
	void *p = mmap((void *)(uintptr_t)r->place[i], PLACE_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	return p == MAP_FAILED ? -errno : 0;
}

static int resumed_places(struct resumed *r)
{
	int ret = 0, i;

	for (i = 0; i < PLACES && !ret; i++) {
		void *p;

		r->place[i] = kfd_reserve_va(&r->k, PLACE_SIZE);
		/* Neighbours would become one range. */
		kfd_reserve_va(&r->k, KFD_PAGE);
		p = (void *)(uintptr_t)r->place[i];
		ret = place_memory(r, i);
		if (ret)
			break;
		if (i < USERPTRS)
			ret = kfd_bo_userptr(&r->k, 0, p, PLACE_SIZE, &r->user[i]);
		else
			ret = kfd_svm_set1(&r->k, p, PLACE_SIZE,
					   KFD_IOCTL_SVM_ATTR_ACCESS_IN_PLACE,
					   r->k.gpu[0].gpu_id);
	}
	return ret;
}

static int resumed_dump(void *arg)
{
	struct resumed *r = arg;
	struct kfd_snapshot s;
	int ret;

	ret = kfd_start(&r->k);
	if (!ret)
		ret = kfd_bo_create(&r->k, 0, MEM_GTT, KFD_PAGE, &r->words);
	if (!ret)
		ret = kfd_bo_create(&r->k, 0, MEM_DOORBELL, 2 * KFD_PAGE, &r->page);
	if (!ret)
		ret = resumed_places(r);
	if (!ret)
		ret = kfd_queue_create(&r->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, 4096, &r->q);
	if (!ret)
		ret = kfd_snapshot_dump(&r->k, r->k.fd, &s);
	return ret ? ret : kfd_snapshot_write(&s, r->fd);
}

/* Restored, with all of its memory but one, and a packet that waits. */
static int resumed_start(struct resumed *r)
{
	struct kfd_snapshot s;
	uint32_t p[8];
	int ret, i;

	lseek(r->fd, 0, SEEK_SET);
	ret = kfd_snapshot_read(&s, r->fd);
	if (!ret)
		ret = kfd_snapshot_restore(&r->k, &s);
	for (i = 0; i < PLACES && !ret; i++)
		if (i != r->missing)
			ret = place_memory(r, i);
	if (ret)
		return ret;
	r->q.doorbell = (volatile uint64_t *)((char *)r->page.cpu +
					      r->q.doorbell_offset % (2 * KFD_PAGE));
	*(volatile uint32_t *)r->words.cpu = 0;
	ret = kfd_queue_emit(&r->q, p, sdma_fence(p, r->words.va, 0x5afe));
	if (!ret)
		kfd_queue_submit(&r->q);
	return ret;
}

/* Whether the log names what is missing, in what came since @fd was opened. */
static bool log_names(int fd, const struct resumed *r)
{
	const char *what = r->missing < USERPTRS ? "host memory at" : "shared virtual memory";
	static char line[8192];	/* the longest record that there can be */
	char address[32];
	bool found = false;
	ssize_t n;

	snprintf(address, sizeof(address), "%#llx", (unsigned long long)r->place[r->missing]);
	/* a record a time; EPIPE: some were overwritten */
	while ((n = read(fd, line, sizeof(line) - 1)) > 0 || (n < 0 && errno == EPIPE)) {
		line[n > 0 ? n : 0] = '\0';
		found |= strstr(line, what) && strstr(line, address);
	}
	return found;
}

/* RESUME fails and says for what, as often as it is tried; nothing runs. */
static int resumed_fail_twice(struct resumed *r)
{
	int ret = resumed_start(r), log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK), i;

	if (ret)
		return ret;
	if (log < 0 || lseek(log, 0, SEEK_END))
		return -ENXIO;
	for (i = 0; i < 2; i++)
		if (kfd_criu_resume(r->k.fd, getpid()) != -EFAULT)
			return -EPROTO;
	kfd_sleep_ms(100);
	if (*(volatile uint32_t *)r->words.cpu)
		return -EILSEQ;
	ret = log_names(log, r) ? 0 : -ENOMSG;
	close(log);
	return ret;
}

/* After RESUME: what waited is done, and the GPU reaches all but @without. */
static int resumed_works(struct resumed *r, int without)
{
	uint32_t p[8];
	int ret, i;

	ret = kfd_criu_resume(r->k.fd, getpid());
	if (!ret)
		ret = kfd_wait_u32(r->words.cpu, 0x5afe, PATIENCE);
	for (i = 0; i < PLACES && !ret; i++) {
		if (i == without)
			continue;
		ret = kfd_queue_run(&r->q, p, sdma_fence(p, r->place[i] + KFD_PAGE, 70 + i));
		if (!ret && *(volatile uint32_t *)(uintptr_t)(r->place[i] + KFD_PAGE) != 70u + i)
			ret = -EILSEQ;
	}
	if (!ret && kfd_criu_resume(r->k.fd, getpid()) != -EINVAL)
		ret = -EPROTO;
	return ret;
}

static int resumed_with_its_memory(void *arg)
{
	struct resumed *r = arg;
	int ret;

	ret = resumed_fail_twice(r);
	if (!ret)
		ret = place_memory(r, r->missing);
	return ret ? ret : resumed_works(r, -1);
}

static int resumed_without_the_userptr(void *arg)
{
	struct resumed *r = arg;
	int ret;

	ret = resumed_fail_twice(r);
	if (!ret)
		ret = kfd_bo_unmap_gpu(&r->k, &r->user[r->missing], 0);
	if (!ret)
		ret = kfd_bo_free(&r->k, &r->user[r->missing]);
	return ret ? ret : resumed_works(r, r->missing);
}

static int resumed_never(void *arg)
{
	return resumed_fail_twice(arg);
}

TEST_F_TIMEOUT(regression, resume_svm_twice, 180)
{
	static const int missing[] = { 1, USERPTRS + 1, PLACES - 1 };
	struct resumed *r = mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int i;

	REQUIRE_OURS();
	ASSERT_NE(MAP_FAILED, r);
	r->fd = memfd_create("image", MFD_CLOEXEC);
	ASSERT_GE(r->fd, 0);
	ASSERT_OK(kfd_in_child(resumed_dump, r));
	for (i = 0; i < 3; i++) {
		r->missing = missing[i];
		EXPECT_OK(kfd_in_child(resumed_never, r)) TH_LOG("missing: %d", r->missing);
		EXPECT_OK(kfd_in_child(resumed_with_its_memory, r))
			TH_LOG("missing: %d", r->missing);
	}
	r->missing = missing[0];
	EXPECT_OK(kfd_in_child(resumed_without_the_userptr, r));
}

struct racer {
	struct kfd *k;
	volatile int stop;
	volatile unsigned int pause_ms;
	unsigned int rounds;
};

static void *make_events(void *arg)
{
	struct racer *r = arg;

	while (!r->stop) {
		struct kfd_ioctl_create_event_args ev[16];
		int i, n;

		for (n = 0; n < 16; n++)
			if (kfd_event_create(r->k, KFD_IOC_EVENT_SIGNAL, true, &ev[n]))
				break;
		for (i = 0; i < n; i++)
			kfd_event_destroy(r->k, ev[i].event_id);
		r->rounds++;
		if (r->pause_ms)
			kfd_sleep_ms(r->pause_ms);
	}
	return NULL;
}

/* Each event of an image once, and as many of them as it says. */
static bool events_are_consistent(struct kfd_snapshot *s)
{
	struct kfd_record_process *p = kfd_image_record(s, KFD_RECORD_PROCESS, 0);
	struct kfd_image_header *h = (void *)s->priv;
	struct kfd_record_event *ev;
	uint32_t n, last = 0;

	if (h->total_len != s->info.priv_data_size || !p ||
	    p->num_events + p->num_queues != s->info.num_objects)
		return false;
	for (n = 0; (ev = kfd_image_record(s, KFD_RECORD_EVENT, n)); n++) {
		if (ev->id <= last || ev->slot != ev->id || ev->type != KFD_IOC_EVENT_SIGNAL)
			return false;
		last = ev->id;
	}
	return n == p->num_events;
}

/* Events come and go while a checkpoint is made: it is right or refused. */
TEST_F_TIMEOUT(regression, checkpoint_events_race, 60)
{
	uint64_t end = kfd_now_ms() + 3000;
	int ret, good = 0, refused = 0;
	struct racer racer = { 0 };
	struct kfd_snapshot s;
	pthread_t thread;
	struct kfd k;

	ASSERT_OK(kfd_start(&k));
	racer.k = &k;
	ASSERT_OK(pthread_create(&thread, NULL, make_events, &racer));
	while (kfd_now_ms() < end || (!good && kfd_now_ms() < end + PATIENCE)) {
		/* First it disturbs nearly all of them, then ever fewer. */
		if (kfd_now_ms() > end - 1500)
			racer.pause_ms++;
		ret = kfd_snapshot_checkpoint(k.fd, &s);
		if (ret) {
			EXPECT_EQ(-EINVAL, ret);
			refused++;
			continue;
		}
		good++;
		if (kfd_is_ours())
			EXPECT_TRUE(events_are_consistent(&s));
		kfd_snapshot_free(&s);
		EXPECT_OK(kfd_criu_unpause(k.fd));
	}
	racer.stop = 1;
	ASSERT_OK(pthread_join(thread, NULL));
	TH_LOG("%d checkpoints, %d refused, %u rounds of events", good, refused, racer.rounds);
	EXPECT_GT(racer.rounds, 0);
	EXPECT_GT(good, 0);
	EXPECT_GT(refused, 0);
	/* Undisturbed it works. */
	ASSERT_OK(kfd_snapshot_checkpoint(k.fd, &s));
	kfd_snapshot_free(&s);
	EXPECT_OK(kfd_criu_unpause(k.fd));
	kfd_stop(&k);
}

/* There is no room for all the files: then there is none of them. */
TEST_F_TIMEOUT(regression, dmabuf_fd_leak, 60)
{
	struct rlimit old, tight;
	struct kfd_ioctl_criu_args info, args;
	struct kfd_snapshot s;
	struct kfd_bo bo;
	struct kfd k;
	int fds, i;

	ASSERT_OK(kfd_start(&k));
	for (i = 0; i < 20; i++)
		ASSERT_OK(kfd_bo_alloc(&k, 0, i % 2 ? MEM_GTT : MEM_VRAM, KFD_PAGE, &bo));
	ASSERT_OK(kfd_criu_info(k.fd, &info));
	memset(&s, 0, sizeof(s));
	s.info = info;
	ASSERT_OK(kfd_snapshot_alloc(&s));
	kfd_snapshot_args(&s, &args);
	fds = kfd_count_fds();
	ASSERT_OK(getrlimit(RLIMIT_NOFILE, &old));
	for (i = 0; i < 20; i += 3) {
		tight = old;
		tight.rlim_cur = fds + i + 1;
		ASSERT_OK(setrlimit(RLIMIT_NOFILE, &tight));
		EXPECT_ERR(EMFILE, kfd_criu_op(k.fd, &args, KFD_CRIU_OP_CHECKPOINT));
		ASSERT_OK(setrlimit(RLIMIT_NOFILE, &old));
		EXPECT_EQ(fds, kfd_count_fds()) TH_LOG("room for %d", i);
	}
	/* Still paused, and with room it works. */
	EXPECT_OK(kfd_criu_op(k.fd, &args, KFD_CRIU_OP_CHECKPOINT));
	EXPECT_EQ(fds + 20, kfd_count_fds());
	kfd_snapshot_free(&s);
	EXPECT_EQ(fds, kfd_count_fds());
	EXPECT_OK(kfd_criu_unpause(k.fd));
	kfd_stop(&k);
}

/* The same for RESTORE: no file, and no state either. */
static int restore_with_few_fds(void *arg)
{
	struct kfd_snapshot *s = arg;
	struct kfd_ioctl_criu_args info;
	struct rlimit old, tight;
	struct kfd k;
	int fds;

	if (kfd_snapshot_open(&k, s) || getrlimit(RLIMIT_NOFILE, &old))
		return -EPROTO;
	fds = kfd_count_fds();
	tight = old;
	tight.rlim_cur = fds + 2;
	setrlimit(RLIMIT_NOFILE, &tight);
	if (kfd_snapshot_restore_op(&k, s) != -EMFILE)
		return -EILSEQ;
	setrlimit(RLIMIT_NOFILE, &old);
	if (fds != kfd_count_fds())
		return -ENFILE;
	if (kfd_criu_info(k.fd, &info) || info.num_bos || kfd_criu_unpause(k.fd))
		return -EPROTO;
	return kfd_snapshot_restore_op(&k, s);
}

TEST_F_TIMEOUT(regression, dmabuf_fd_leak_in_restore, 60)
{
	REQUIRE_OURS();
	IMAGE();
	EXPECT_OK(kfd_in_child(restore_with_few_fds, &self->s));
}

static int restore_and_resume(void *arg)
{
	struct kfd_snapshot *s = arg;
	struct kfd k;
	int ret;

	ret = kfd_snapshot_open(&k, s);
	if (!ret)
		ret = kfd_snapshot_restore_op(&k, s);
	return ret ? ret : kfd_criu_resume(k.fd, getpid());
}

TEST_F(regression, no_buffer_objects)
{
	struct kfd_ioctl_create_event_args ev;
	struct kfd k;

	REQUIRE_OURS();
	ASSERT_OK(kfd_start(&k));
	ASSERT_OK(kfd_snapshot_checkpoint(k.fd, &self->s));
	EXPECT_EQ(0, self->s.info.num_bos);
	EXPECT_OK(kfd_criu_unpause(k.fd));
	EXPECT_OK(kfd_in_child(restore_and_resume, &self->s));
	kfd_snapshot_free(&self->s);
	/* Nor is an event a buffer. */
	ASSERT_OK(kfd_event_create(&k, KFD_IOC_EVENT_SIGNAL, true, &ev));
	ASSERT_OK(kfd_snapshot_checkpoint(k.fd, &self->s));
	self->have = true;
	EXPECT_EQ(0, self->s.info.num_bos);
	EXPECT_OK(kfd_criu_unpause(k.fd));
	EXPECT_OK(kfd_in_child(restore_and_resume, &self->s));
	kfd_stop(&k);
}

/* A dumper in a process of its own: pause the target, and then fail. */
struct dumper {
	struct kfd_target *t;
	bool by_close;
	int cut;	/* 1: after PROCESS_INFO, 2: after CHECKPOINT */
};

static int failing_dumper(void *arg)
{
	struct dumper *d = arg;
	struct kfd_ioctl_criu_args info;
	struct kfd_snapshot s;
	int ret;

	ret = kfd_target_seize(d->t);
	if (!ret && d->cut == 1)
		ret = kfd_criu_info(d->t->fd, &info);
	else if (!ret)
		ret = kfd_snapshot_checkpoint(d->t->fd, &s);
	if (ret)
		return ret;
	kfd_sleep_ms(50);
	if (d->by_close) {
		if (d->cut == 2)
			kfd_snapshot_close_fds(&s);
		return kfd_target_release(d->t);
	}
	kill(getpid(), SIGKILL);
	return 0;
}

TEST_F_TIMEOUT(regression, paused_forever, 180)
{
	struct kfd_target t;
	int i;

	REQUIRE_OURS();
	for (i = 0; i < 4; i++) {
		struct dumper d = { .t = &t, .by_close = i % 2, .cut = 1 + i / 2 };

		ASSERT_OK(kfd_target_start(&t, self->w, 0));
		/* The dumper is not the target's parent: it must be allowed to trace. */
		EXPECT_EQ(d.by_close ? 0 : -EINTR, kfd_in_child(failing_dumper, &d))
			TH_LOG("case %d", i);
		/* The target runs to its end; its queues must have come back. */
		ASSERT_OK(kfd_target_finish(&t)) TH_LOG("case %d", i);
	}
}

/* It lets the process go, but keeps the file: nobody tells the driver of that. */
TEST_F_TIMEOUT(regression, paused_and_let_go, 60)
{
	struct kfd_ioctl_criu_args info;
	struct kfd_target t;

	REQUIRE_OURS();
	ASSERT_OK(kfd_target_start(&t, self->w, 0));
	ASSERT_OK(kfd_target_seize(&t));
	ASSERT_OK(kfd_criu_info(t.fd, &info));
	/* Longer than the driver looks away: while he is there, the pause holds. */
	kfd_sleep_ms(1200);
	EXPECT_OK(kfd_criu_info(t.fd, &info));
	ASSERT_EQ(0, ptrace(PTRACE_DETACH, t.pid, 0, 0));
	EXPECT_OK(kfd_target_finish(&t));
	close(t.fd);
}

TEST_F(regression, counts_changed)
{
	struct kfd_ioctl_criu_args info, args, now;
	struct kfd_ioctl_create_event_args ev;
	struct kfd_snapshot s;
	struct kfd_bo a, b;
	struct kfd k;
	int fds;

	ASSERT_OK(kfd_start(&k));
	ASSERT_OK(kfd_bo_alloc(&k, 0, MEM_VRAM, KFD_PAGE, &a));
	ASSERT_OK(kfd_criu_info(k.fd, &info));
	memset(&s, 0, sizeof(s));
	s.info = info;
	ASSERT_OK(kfd_snapshot_alloc(&s));
	kfd_snapshot_args(&s, &args);
	fds = kfd_count_fds();
	ASSERT_OK(kfd_bo_alloc(&k, 0, MEM_VRAM, KFD_PAGE, &b));
	EXPECT_ERR(EINVAL, kfd_criu_op(k.fd, &args, KFD_CRIU_OP_CHECKPOINT));
	ASSERT_OK(kfd_bo_free(&k, &b));
	ASSERT_OK(kfd_event_create(&k, KFD_IOC_EVENT_SIGNAL, true, &ev));
	EXPECT_ERR(EINVAL, kfd_criu_op(k.fd, &args, KFD_CRIU_OP_CHECKPOINT));
	ASSERT_OK(kfd_bo_free(&k, &a));
	EXPECT_ERR(EINVAL, kfd_criu_op(k.fd, &args, KFD_CRIU_OP_CHECKPOINT));
	EXPECT_EQ(fds, kfd_count_fds());
	kfd_snapshot_free(&s);
	/* Asked again, it tells the new counts, and with those it works. */
	ASSERT_OK(kfd_criu_info(k.fd, &now));
	EXPECT_EQ(0, now.num_bos);
	ASSERT_OK(kfd_snapshot_checkpoint(k.fd, &s));
	kfd_snapshot_free(&s);
	EXPECT_OK(kfd_criu_unpause(k.fd));
	kfd_stop(&k);
}

/* Doorbells with a gap between them, as queues that are gone leave it. */
struct doorbells {
	struct kfd k;
	struct kfd_bo words, page;
	struct kfd_queue q[3];
	int fd;
};

static int doorbells_dump(void *arg)
{
	struct doorbells *d = arg;
	struct kfd_snapshot s;
	int ret, i;

	ret = kfd_start(&d->k);
	if (!ret)
		ret = kfd_bo_create(&d->k, 0, MEM_GTT, KFD_PAGE, &d->words);
	if (!ret)
		ret = kfd_bo_create(&d->k, 0, MEM_DOORBELL, 2 * KFD_PAGE, &d->page);
	for (i = 0; i < 3 && !ret; i++)
		ret = kfd_queue_create(&d->k, 0, i == 1 ? KFD_IOC_QUEUE_TYPE_SDMA :
				       KFD_IOC_QUEUE_TYPE_COMPUTE, 4096, &d->q[i]);
	if (!ret)
		ret = kfd_queue_destroy(&d->k, &d->q[0]);
	if (!ret)
		ret = kfd_snapshot_dump(&d->k, d->k.fd, &s);
	return ret ? ret : kfd_snapshot_write(&s, d->fd);
}

static uint64_t doorbell_in_slice(const struct kfd_queue *q)
{
	return q->doorbell_offset % (2 * KFD_PAGE);
}

static int doorbells_restore(void *arg)
{
	struct doorbells *d = arg;
	uint64_t next_va = d->k.next_va;
	struct kfd_snapshot s;
	struct kfd_queue *q;
	uint32_t p[8];
	int ret, i;

	lseek(d->fd, 0, SEEK_SET);
	ret = kfd_snapshot_read(&s, d->fd);
	if (!ret)
		ret = kfd_snapshot_restore(&d->k, &s);
	if (!ret)
		ret = kfd_criu_resume(d->k.fd, getpid());
	for (i = 1; i < 3 && !ret; i++) {
		q = &d->q[i];
		q->doorbell = (volatile uint64_t *)((char *)d->page.cpu +
						    doorbell_in_slice(q));
		ret = kfd_queue_run(q, p, i == 1 ? sdma_fence(p, d->words.va + 4 * i, i) :
				    pm4_write_data(p, d->words.va + 4 * i, i));
		if (!ret && ((volatile uint32_t *)d->words.cpu)[i] != (uint32_t)i)
			ret = -EILSEQ;
	}
	/* Theirs are taken, whatever a GPU makes of a wrong doorbell: a new queue tells. */
	d->k.next_va = next_va;
	q = &d->q[0];
	if (!ret)
		ret = kfd_queue_create(&d->k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, 4096, q);
	for (i = 1; i < 3 && !ret; i++)
		if (doorbell_in_slice(q) == doorbell_in_slice(&d->q[i]))
			ret = -EEXIST;
	return ret;
}

TEST_F_TIMEOUT(regression, doorbell_offset, 60)
{
	struct doorbells *d = mmap(NULL, sizeof(*d), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, d);
	d->fd = memfd_create("image", MFD_CLOEXEC);
	ASSERT_GE(d->fd, 0);
	ASSERT_OK(kfd_in_child(doorbells_dump, d));
	EXPECT_OK(kfd_in_child(doorbells_restore, d));
}

KFD_TEST_MAIN
