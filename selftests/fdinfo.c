// SPDX-License-Identifier: GPL-2.0-only
/*
 * /proc/PID/fdinfo/N of /dev/kfd: that it tells all there is and tells it
 * rightly, that no read of it leaves anything out whatever goes on meanwhile,
 * and that a reader who has to wait can be killed.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "lib/kfd_fdinfo.h"
#include "lib/kfd_svm.h"
#include "lib/kfd_test.h"
#include "lib/kfd_workload.h"

#define RING		4096
#define TEXT		(256 << 10)
#define MANY_QUEUES	30	/* their lines take more than a page */

KFD_FIXTURE(fdinfo);

static char text[TEXT];

static int look(struct kfd *k)
{
	return kfd_fdinfo_read(getpid(), k->fd, text, sizeof(text));
}

static uint64_t value(const char *key)
{
	return kfd_fdinfo_value(text, key);
}

/* A word of the line of a queue: "NAME VALUE". */
static int queue_word(uint32_t id, const char *name, char *out, size_t size)
{
	char start[32], word[32];
	const char *line, *at, *end;

	snprintf(start, sizeof(start), "\nkfd-queue:\t%u ", id);
	line = strstr(text, start);
	if (!line)
		return -ENOENT;
	end = strchr(line + 1, '\n');
	snprintf(word, sizeof(word), " %s ", name);
	at = strstr(line, word);
	if (!at || at > end)
		return -ENOENT;
	at += strlen(word);
	snprintf(out, size, "%.*s", (int)strcspn(at, "\n "), at);
	return 0;
}

static uint64_t queue_value(uint32_t id, const char *name)
{
	char word[64];

	return queue_word(id, name, word, sizeof(word)) ? KFD_FDINFO_NONE :
							   strtoull(word, NULL, 0);
}

TEST_F(fdinfo, nothing_is_shown_of_a_process_that_has_nothing)
{
	static const char * const zero[] = {
		"kfd-dead", "kfd-paused", "kfd-paused-by", "kfd-restored", "kfd-bos",
		"kfd-bos-vram", "kfd-bos-gtt", "kfd-bos-userptr", "kfd-bos-doorbell",
		"kfd-bos-mmio", "kfd-bos-imported", "kfd-bo-mappings",
		"kfd-userptrs-absent", "kfd-events", "kfd-queues", "kfd-svm-ranges",
		"kfd-svm-restored", "kfd-sysmem",
	};
	unsigned int i;

	REQUIRE_OURS();
	ASSERT_OK(look(&self->k));
	ASSERT_OK(kfd_fdinfo_check(text));
	for (i = 0; i < sizeof(zero) / sizeof(zero[0]); i++)
		EXPECT_EQ(0, value(zero[i])) TH_LOG("%s", zero[i]);
	EXPECT_EQ(getpid(), value("kfd-pid"));
	EXPECT_EQ(self->k.num_gpus, value("kfd-gpus"));
	EXPECT_EQ(self->k.num_gpus, kfd_fdinfo_lines(text, "kfd-gpu"));
}

TEST_F(fdinfo, buffers_by_kind)
{
	struct kfd_bo vram[2], gtt, far, user, doorbell, mmio;
	int last = self->k.num_gpus - 1;
	void *page;

	REQUIRE_OURS();
	page = mmap(NULL, 3 * KFD_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0);
	ASSERT_NE(MAP_FAILED, page);
	ASSERT_OK(kfd_bo_alloc(&self->k, 0, MEM_VRAM, 5 * KFD_PAGE, &vram[0]));
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_VRAM, 2 * KFD_PAGE, &vram[1]));
	ASSERT_OK(kfd_bo_alloc(&self->k, 0, MEM_GTT, 7 * KFD_PAGE, &gtt));
	ASSERT_OK(kfd_bo_alloc(&self->k, last, MEM_VRAM, 11 * KFD_PAGE, &far));
	ASSERT_OK(kfd_bo_userptr(&self->k, 0, page, 3 * KFD_PAGE, &user));
	ASSERT_OK(kfd_bo_alloc(&self->k, 0, MEM_DOORBELL, 2 * KFD_PAGE, &doorbell));
	ASSERT_OK(kfd_bo_alloc(&self->k, 0, MEM_MMIO, KFD_PAGE, &mmio));
	ASSERT_OK(look(&self->k));
	ASSERT_OK(kfd_fdinfo_check(text));
	EXPECT_EQ(7, value("kfd-bos"));
	EXPECT_EQ(3, value("kfd-bos-vram"));
	EXPECT_EQ(18 * KFD_PAGE, kfd_fdinfo_word(text, "kfd-bos-vram", "bytes"));
	EXPECT_EQ(1, value("kfd-bos-gtt"));
	EXPECT_EQ(7 * KFD_PAGE, kfd_fdinfo_word(text, "kfd-bos-gtt", "bytes"));
	EXPECT_EQ(1, value("kfd-bos-userptr"));
	EXPECT_EQ(3 * KFD_PAGE, kfd_fdinfo_word(text, "kfd-bos-userptr", "bytes"));
	EXPECT_EQ(1, value("kfd-bos-doorbell"));
	EXPECT_EQ(2 * KFD_PAGE, kfd_fdinfo_word(text, "kfd-bos-doorbell", "bytes"));
	EXPECT_EQ(1, value("kfd-bos-mmio"));
	EXPECT_EQ(KFD_PAGE, kfd_fdinfo_word(text, "kfd-bos-mmio", "bytes"));
	EXPECT_EQ(2, value("kfd-bo-mappings"));
	EXPECT_EQ(0, value("kfd-bos-imported"));
	ASSERT_OK(kfd_bo_destroy(&self->k, &vram[1]));
	ASSERT_OK(look(&self->k));
	EXPECT_EQ(6, value("kfd-bos"));
	EXPECT_EQ(2, value("kfd-bos-vram"));
	EXPECT_EQ(16 * KFD_PAGE, kfd_fdinfo_word(text, "kfd-bos-vram", "bytes"));
	EXPECT_EQ(1, value("kfd-bo-mappings"));
}

TEST_F(fdinfo, imported_buffers)
{
	struct kfd_ioctl_import_dmabuf_args import = { .gpu_id = self->k.gpu[0].gpu_id };
	struct kfd_snapshot s;
	struct kfd_bo bo;

	REQUIRE_OURS();
	ASSERT_OK(kfd_bo_alloc(&self->k, 0, MEM_VRAM, 4 * KFD_PAGE, &bo));
	ASSERT_OK(kfd_snapshot_checkpoint(self->k.fd, &s));
	ASSERT_OK(kfd_criu_unpause(self->k.fd));
	import.dmabuf_fd = s.bos[0].dmabuf_fd;
	import.va_addr = kfd_reserve_va(&self->k, 4 * KFD_PAGE);
	ASSERT_OK(kfd_call(self->k.fd, AMDKFD_IOC_IMPORT_DMABUF, &import));
	kfd_snapshot_free(&s);
	ASSERT_OK(look(&self->k));
	EXPECT_EQ(2, value("kfd-bos"));
	EXPECT_EQ(2, value("kfd-bos-vram"));
	EXPECT_EQ(1, value("kfd-bos-imported"));
	EXPECT_EQ(4 * KFD_PAGE, kfd_fdinfo_word(text, "kfd-bos-imported", "bytes"));
}

/* Addresses and attributes of the @n-th range, as it must stand there. */
static int range_is(unsigned int n, const char *p, unsigned int pages, const char *attrs)
{
	const char *at = text;
	char line[256];

	do
		at = strstr(at + 1, "\nkfd-svm-range:\t");
	while (at && n--);
	if (!at)
		return -ENOENT;
	snprintf(line, sizeof(line), "\nkfd-svm-range:\t%#llx-%#llx %s\n",
		 (unsigned long long)(uintptr_t)p,
		 (unsigned long long)(uintptr_t)p + pages * KFD_PAGE - 1, attrs);
	return strncmp(at, line, strlen(line)) ? -EPROTO : 0;
}

TEST_F(fdinfo, ranges_and_their_attributes)
{
	unsigned int first = self->k.gpu[0].gpu_id;
	unsigned int last = self->k.gpu[self->k.num_gpus - 1].gpu_id;
	const struct kfd_ioctl_svm_attribute set[] = {
		{ KFD_IOCTL_SVM_ATTR_PREFERRED_LOC, first },
		{ KFD_IOCTL_SVM_ATTR_PREFETCH_LOC, KFD_IOCTL_SVM_LOCATION_SYSMEM },
		{ KFD_IOCTL_SVM_ATTR_SET_FLAGS, KFD_IOCTL_SVM_FLAG_GPU_EXEC },
		{ KFD_IOCTL_SVM_ATTR_GRANULARITY, 3 },
		{ KFD_IOCTL_SVM_ATTR_ACCESS, last },
	};
	unsigned int flags = SVM_DEFAULT_FLAGS;
	uint64_t unmaps;
	char attrs[128];
	char *p;

	REQUIRE_OURS();
	ASSERT_OK(kfd_svm_alloc(&self->k, 16 * KFD_PAGE, -1, &p));
	memset(p, 1, 16 * KFD_PAGE);
	ASSERT_OK(kfd_svm_set(&self->k, p + 2 * KFD_PAGE, 3 * KFD_PAGE, set, 5));
	ASSERT_OK(kfd_svm_set1(&self->k, p + 8 * KFD_PAGE, 4 * KFD_PAGE,
			       KFD_IOCTL_SVM_ATTR_ACCESS_IN_PLACE, first));
	ASSERT_OK(look(&self->k));
	ASSERT_OK(kfd_fdinfo_check(text));
	EXPECT_EQ(2, value("kfd-svm-ranges"));
	EXPECT_EQ(7 * KFD_PAGE, kfd_fdinfo_word(text, "kfd-svm-ranges", "bytes"));
	EXPECT_EQ(0, kfd_fdinfo_word(text, "kfd-svm-ranges", "absent"));
	EXPECT_EQ(0, kfd_fdinfo_word(text, "kfd-svm-ranges", "faults"));
	EXPECT_EQ(0, value("kfd-svm-restored"));
	snprintf(attrs, sizeof(attrs),
		 "flags %#x granularity 3 preferred %#x prefetch 0x0 access %u in-place -",
		 flags | KFD_IOCTL_SVM_FLAG_GPU_EXEC, first, last);
	EXPECT_OK(range_is(0, p + 2 * KFD_PAGE, 3, attrs)) TH_LOG("no %s in %s", attrs, text);
	snprintf(attrs, sizeof(attrs),
		 "flags %#x granularity 9 preferred 0xffffffff prefetch 0xffffffff access - in-place %u",
		 flags, first);
	EXPECT_OK(range_is(1, p + 8 * KFD_PAGE, 4, attrs)) TH_LOG("no %s in %s", attrs, text);

	/* One is cut in two and loses a page, of which it has four. */
	unmaps = kfd_fdinfo_word(text, "kfd-svm-ranges", "unmaps");
	ASSERT_OK(munmap(p + 9 * KFD_PAGE, KFD_PAGE));
	ASSERT_OK(look(&self->k));
	ASSERT_OK(kfd_fdinfo_check(text));
	EXPECT_EQ(3, value("kfd-svm-ranges"));
	EXPECT_EQ(6 * KFD_PAGE, kfd_fdinfo_word(text, "kfd-svm-ranges", "bytes"));
	EXPECT_EQ(unmaps + 1, kfd_fdinfo_word(text, "kfd-svm-ranges", "unmaps"));
	EXPECT_OK(range_is(1, p + 8 * KFD_PAGE, 1, attrs)) TH_LOG("no %s in %s", attrs, text);
	EXPECT_OK(range_is(2, p + 10 * KFD_PAGE, 2, attrs)) TH_LOG("no %s in %s", attrs, text);
	ASSERT_OK(munmap(p, 16 * KFD_PAGE));
	ASSERT_OK(look(&self->k));
	ASSERT_OK(kfd_fdinfo_check(text));
	EXPECT_EQ(0, value("kfd-svm-ranges"));
	EXPECT_EQ(0, kfd_fdinfo_word(text, "kfd-svm-ranges", "bytes"));
}

static void *wait_for(void *arg)
{
	struct kfd_ioctl_wait_events_args *args = arg;
	struct kfd_event_data *data = (void *)(uintptr_t)args->events_ptr;
	struct kfd k = { .fd = (int)args->wait_result };

	kfd_event_wait(&k, data, 1, false, 60000, NULL);
	return NULL;
}

TEST_F(fdinfo, events_by_type)
{
	struct kfd_ioctl_create_event_args ev[5], waited;
	struct kfd_ioctl_wait_events_args args = { .wait_result = self->k.fd };
	uint64_t end = kfd_now_ms() + PATIENCE;
	struct kfd_event_data data = { 0 };
	pthread_t thread;
	unsigned int i;

	REQUIRE_OURS();
	ASSERT_OK(look(&self->k));
	EXPECT_NE(NULL, strstr(text, "kfd-event-page:\tnone\n"));
	for (i = 0; i < 5; i++)
		ASSERT_OK(kfd_event_create(&self->k, i < 3 ? KFD_IOC_EVENT_SIGNAL :
					   i == 3 ? KFD_IOC_EVENT_MEMORY :
						    KFD_IOC_EVENT_HW_EXCEPTION, false, &ev[i]));
	ASSERT_OK(kfd_event_create(&self->k, KFD_IOC_EVENT_SIGNAL, true, &waited));
	ASSERT_OK(kfd_event_set(&self->k, ev[0].event_id));
	ASSERT_OK(kfd_event_set(&self->k, ev[2].event_id));
	data.event_id = waited.event_id;
	args.events_ptr = (uintptr_t)&data;
	ASSERT_EQ(0, pthread_create(&thread, NULL, wait_for, &args));
	do {
		kfd_sleep_ms(2);
		ASSERT_OK(look(&self->k));
		ASSERT_OK(kfd_fdinfo_check(text));
	} while (kfd_fdinfo_word(text, "kfd-events-signal", "waiters") != 1 &&
		 kfd_now_ms() < end);
	EXPECT_EQ(6, value("kfd-events"));
	EXPECT_EQ(4, value("kfd-events-signal"));
	EXPECT_EQ(2, kfd_fdinfo_word(text, "kfd-events-signal", "signaled"));
	EXPECT_EQ(1, kfd_fdinfo_word(text, "kfd-events-signal", "waiters"));
	EXPECT_EQ(1, value("kfd-events-memory"));
	EXPECT_EQ(0, kfd_fdinfo_word(text, "kfd-events-memory", "signaled"));
	EXPECT_EQ(1, value("kfd-events-hw-exception"));
	EXPECT_EQ(0, value("kfd-events-debug"));
	EXPECT_NE(NULL, strstr(text, "kfd-event-page:\tdriver\n"));
	ASSERT_OK(kfd_event_set(&self->k, waited.event_id));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ASSERT_OK(look(&self->k));
	EXPECT_EQ(0, kfd_fdinfo_word(text, "kfd-events-signal", "waiters"));
}

static int put_nops(struct kfd_queue *q, unsigned int n)
{
	uint32_t p[AQL_DWORDS];
	unsigned int i;
	int ret = 0;

	for (i = 0; i < n && !ret; i++) {
		if (q->type == KFD_IOC_QUEUE_TYPE_COMPUTE)
			ret = kfd_queue_emit(q, p, pm4_nop(p, 4));
		else if (q->type == KFD_IOC_QUEUE_TYPE_COMPUTE_AQL)
			ret = kfd_queue_emit(q, p, aql_barrier(p, AQL_BARRIER_AND, NULL, 0, 0));
		else
			ret = kfd_queue_emit(q, p, sdma_trap(p, 0));
	}
	if (ret)
		return ret;
	kfd_queue_submit(q);
	return kfd_queue_wait(q, PATIENCE);
}

/* Positions are in dwords; those of our library too, but for AQL. */
static uint64_t dwords(const struct kfd_queue *q)
{
	return q->type == KFD_IOC_QUEUE_TYPE_COMPUTE_AQL ? q->wptr * AQL_DWORDS : q->wptr;
}

/*
 * The read pointer that the process sees is reported before the engine gives
 * the queue back: what fdinfo says catches up.
 */
static int settled(struct kfd *k, const struct kfd_queue *q)
{
	uint64_t end = kfd_now_ms() + PATIENCE;
	int ret;

	do {
		ret = look(k);
		if (ret)
			return ret;
		if (queue_value(q->id, "rptr") == dwords(q) &&
		    queue_value(q->id, "wptr") == dwords(q))
			return 0;
		kfd_sleep_ms(1);
	} while (kfd_now_ms() < end);
	return -ETIMEDOUT;
}

TEST_F(fdinfo, queues_and_how_far_they_are)
{
	static const uint32_t types[] = {
		KFD_IOC_QUEUE_TYPE_COMPUTE, KFD_IOC_QUEUE_TYPE_COMPUTE_AQL,
		KFD_IOC_QUEUE_TYPE_SDMA,
	};
	static const char * const names[] = { "compute", "aql", "sdma" };
	struct kfd_ioctl_criu_args info;
	struct kfd_queue q[3];
	char word[32];
	unsigned int i;

	REQUIRE_OURS();
	for (i = 0; i < 3; i++) {
		ASSERT_OK(kfd_queue_create(&self->k, 0, types[i], RING, &q[i]));
		ASSERT_OK(put_nops(&q[i], 40));	/* AQL and SDMA go round or not: both */
		ASSERT_OK(settled(&self->k, &q[i])) TH_LOG("%s", text);
		EXPECT_OK(queue_word(q[i].id, "type", word, sizeof(word)));
		EXPECT_STREQ(names[i], word);
		EXPECT_EQ(self->k.gpu[0].gpu_id, queue_value(q[i].id, "gpu"));
		EXPECT_EQ(q[i].ring.va, queue_value(q[i].id, "ring"));
		EXPECT_EQ(RING, queue_value(q[i].id, "bytes"));
		EXPECT_EQ(1, queue_value(q[i].id, "enabled"));
		EXPECT_EQ(1, queue_value(q[i].id, "loaded"));
		EXPECT_EQ(0, queue_value(q[i].id, "error"));
		EXPECT_EQ(0, queue_value(q[i].id, "evicted"));
	}
	ASSERT_OK(kfd_fdinfo_check(text));
	EXPECT_EQ(3, value("kfd-queues"));

	ASSERT_OK(kfd_criu_info(self->k.fd, &info));
	ASSERT_OK(look(&self->k));
	EXPECT_EQ(1, value("kfd-paused"));
	EXPECT_EQ(getpid(), value("kfd-paused-by"));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, queue_value(q[i].id, "loaded"));
		EXPECT_EQ(1, queue_value(q[i].id, "evicted"));
		EXPECT_EQ(1, queue_value(q[i].id, "evictions"));
		EXPECT_EQ(dwords(&q[i]), queue_value(q[i].id, "rptr"));
		EXPECT_EQ(dwords(&q[i]), queue_value(q[i].id, "wptr"));
	}
	EXPECT_EQ(3, kfd_fdinfo_lines(text, "kfd-queue"));
	EXPECT_NE(NULL, strstr(text, " saved\n"));
	ASSERT_OK(kfd_criu_unpause(self->k.fd));

	/* Off by its own wish, and off by an error. */
	ASSERT_OK(kfd_queue_update(&self->k, &q[2], q[2].ring.va, RING, 0));
	ASSERT_OK(look(&self->k));
	EXPECT_EQ(0, value("kfd-paused"));
	EXPECT_EQ(0, value("kfd-paused-by"));
	EXPECT_EQ(0, queue_value(q[2].id, "enabled"));
	EXPECT_EQ(0, queue_value(q[2].id, "loaded"));
	EXPECT_EQ(1, queue_value(q[0].id, "loaded"));
	EXPECT_EQ(0, queue_value(q[0].id, "evicted"));
	EXPECT_EQ(1, queue_value(q[0].id, "evictions"));
}

TEST_F(fdinfo, queue_behind_and_queue_given_up)
{
	uint32_t p[8];
	uint64_t end = kfd_now_ms() + PATIENCE;
	struct kfd_queue wait, lost;
	struct kfd_bo gate;

	REQUIRE_OURS();
	REQUIRE_SIM();
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, KFD_PAGE, &gate));
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, RING, &wait));
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, RING, &lost));
	ASSERT_OK(kfd_queue_emit(&wait, p,
				 pm4_wait_reg_mem(p, PM4_FUNC_EQUAL, gate.va, 1, ~0u)));
	kfd_queue_submit(&wait);
	ASSERT_OK(kfd_queue_emit(&lost, p, pm4_dispatch_direct(p, 1, 1, 1)));
	kfd_queue_submit(&lost);
	do {
		kfd_sleep_ms(2);
		ASSERT_OK(look(&self->k));
	} while (queue_value(lost.id, "error") != 1 && kfd_now_ms() < end);
	EXPECT_EQ(1, queue_value(lost.id, "error"));
	EXPECT_EQ(0, queue_value(wait.id, "error"));
	EXPECT_EQ(0, queue_value(wait.id, "rptr"));
	EXPECT_EQ(wait.wptr, queue_value(wait.id, "wptr"));
	*(volatile uint32_t *)gate.cpu = 1;
	EXPECT_OK(settled(&self->k, &wait));
}

TEST_F(fdinfo, text_of_more_than_a_page)
{
	static struct kfd_queue q[MANY_QUEUES];
	unsigned int i;

	REQUIRE_OURS();
	for (i = 0; i < MANY_QUEUES; i++)
		ASSERT_OK(kfd_queue_create(&self->k, i % self->k.num_gpus,
					   KFD_IOC_QUEUE_TYPE_COMPUTE, RING, &q[i]));
	ASSERT_OK(look(&self->k));
	EXPECT_GT(strlen(text), 4096);
	ASSERT_OK(kfd_fdinfo_check(text));
	EXPECT_EQ(MANY_QUEUES, value("kfd-queues"));
	for (i = 0; i < MANY_QUEUES; i++)
		EXPECT_EQ(q[i].ring.va, queue_value(q[i].id, "ring")) TH_LOG("queue %u", i);
}

struct restored {
	struct kfd_snapshot *s;
	pid_t dumper;
};

static int restore_and_look(void *arg)
{
	struct restored *r = arg;
	struct kfd k;
	int ret;

	ret = kfd_snapshot_restore(&k, r->s);
	if (!ret)
		ret = look(&k);
	if (ret)
		return ret;
	if (value("kfd-restored") != 1 || value("kfd-bos") != 5 || value("kfd-queues") != 1 ||
	    queue_value(0, "evicted") != 1 || queue_value(0, "loaded") ||
	    value("kfd-svm-restored") != 1 || value("kfd-svm-ranges") || kfd_fdinfo_check(text))
		return -EPROTO;
	ret = kfd_criu_resume(k.fd, getpid());
	if (!ret)
		ret = look(&k);
	if (ret)
		return ret;
	if (value("kfd-svm-restored") || value("kfd-svm-ranges") != 1 || kfd_fdinfo_check(text))
		return -EBADMSG;
	return value("kfd-restored") || queue_value(0, "evicted") ? -EILSEQ : 0;
}

TEST_F(fdinfo, restored_and_not_resumed)
{
	struct kfd_snapshot s;
	struct restored r = { .s = &s };
	struct kfd_queue q;
	struct kfd_bo bo;
	char *p;

	REQUIRE_OURS();
	/* The child that restores has a copy of it. */
	ASSERT_OK(kfd_svm_alloc(&self->k, KFD_PAGE, -1, &p));
	ASSERT_OK(kfd_svm_set1(&self->k, p, KFD_PAGE, KFD_IOCTL_SVM_ATTR_GRANULARITY, 4));
	ASSERT_OK(kfd_bo_alloc(&self->k, 0, MEM_VRAM, KFD_PAGE, &bo));
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, RING, &q));
	ASSERT_OK(kfd_snapshot_dump(&self->k, self->k.fd, &s));
	ASSERT_OK(kfd_criu_unpause(self->k.fd));
	EXPECT_OK(kfd_in_child(restore_and_look, &r));
	kfd_snapshot_free(&s);
}

/* A process whose state is gone, seen by somebody who has its file still. */
TEST_F(fdinfo, dead_process)
{
	struct kfd_workload *w = kfd_workload_new();
	uint64_t end = kfd_now_ms() + PATIENCE;
	struct kfd_target t;
	int fd;

	REQUIRE_OURS();
	ASSERT_NE(NULL, w);
	ASSERT_OK(kfd_target_start(&t, w, WORKLOAD_SMALL));
	fd = kfd_steal_fd(t.pid, w->k.fd);
	ASSERT_GE(fd, 0);
	ASSERT_OK(kfd_fdinfo_read(getpid(), fd, text, sizeof(text)));
	ASSERT_OK(kfd_fdinfo_check(text));
	EXPECT_EQ(0, value("kfd-dead"));
	EXPECT_EQ(t.pid, value("kfd-pid"));
	kfd_target_kill(&t);
	do {
		kfd_sleep_ms(2);
		ASSERT_OK(kfd_fdinfo_read(getpid(), fd, text, sizeof(text)));
	} while (value("kfd-dead") != 1 && kfd_now_ms() < end);
	EXPECT_EQ(1, value("kfd-dead"));
	EXPECT_EQ(1, kfd_fdinfo_lines(text, "kfd-end"));
	EXPECT_EQ(0, kfd_fdinfo_lines(text, "kfd-bos"));
	close(fd);
}

/**
 * struct busy - a thread that makes and frees objects
 * @k: the driver
 * @stop: asks it to end
 * @rounds: how often it has done it all
 * @ret: how it went
 */
struct busy {
	struct kfd k;
	volatile int stop;
	volatile unsigned int rounds;
	int ret;
};

static int make_and_free(struct kfd *k)
{
	struct kfd_ioctl_create_event_args ev;
	struct kfd_ioctl_criu_args info;
	struct kfd_queue q;
	struct kfd_bo bo;
	int ret;

	ret = kfd_bo_create(k, 0, MEM_VRAM, 4 * KFD_PAGE, &bo);
	if (!ret)
		ret = kfd_event_create(k, KFD_IOC_EVENT_SIGNAL, true, &ev);
	if (!ret)
		ret = kfd_event_set(k, ev.event_id);
	if (!ret)
		ret = kfd_queue_create(k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &q);
	if (!ret)
		ret = kfd_criu_info(k->fd, &info);
	if (!ret)
		ret = kfd_criu_unpause(k->fd);
	if (!ret)
		ret = kfd_queue_destroy(k, &q);
	if (!ret)
		ret = kfd_event_destroy(k, ev.event_id);
	return ret ? ret : kfd_bo_destroy(k, &bo);
}

static void *keep_busy(void *arg)
{
	struct busy *b = arg;

	while (!b->stop && !b->ret) {
		b->ret = make_and_free(&b->k);
		b->rounds++;
	}
	return NULL;
}

TEST_F_TIMEOUT(fdinfo, every_read_is_complete_under_contention, 60)
{
	static const char * const changing[] = { "kfd-bos", "kfd-queues", "kfd-paused" };
	uint64_t end = kfd_now_ms() + 3000 * kfd_time_scale(), first;
	unsigned int reads = 0, i, changes = 0;
	struct busy b = { .k = self->k };
	uint64_t last[3] = { 0 };
	pthread_t thread;

	REQUIRE_OURS();
	ASSERT_EQ(0, pthread_create(&thread, NULL, keep_busy, &b));
	first = kfd_now_ms() + PATIENCE;
	do {
		ASSERT_OK(look(&self->k));
		ASSERT_OK(kfd_fdinfo_check(text)) TH_LOG("read %u: %s", reads, text);
		ASSERT_EQ(self->k.num_gpus, kfd_fdinfo_lines(text, "kfd-gpu"));
		for (i = 0; i < 3; i++) {
			changes += value(changing[i]) != last[i];
			last[i] = value(changing[i]);
		}
		reads++;
	} while (kfd_now_ms() < end || (b.rounds < 3 && kfd_now_ms() < first));
	b.stop = 1;
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, b.ret);
	/* It was not all read before anything happened. */
	EXPECT_GE(b.rounds, 3);
	EXPECT_GE(reads, 3);
	EXPECT_GT(changes, 0);
	ksft_print_msg("%u reads, %u rounds, %u changes seen\n", reads, b.rounds, changes);
}

/* PROCESS_INFO waits for a queue that does not stop, inside process->lock. */
static void *hold_the_lock(void *arg)
{
	struct busy *b = arg;
	struct kfd_ioctl_criu_args info;

	b->ret = kfd_criu_info(b->k.fd, &info);
	b->stop = 1;
	return NULL;
}

static pid_t start_reader(int fd, volatile int *phase)
{
	static char own[TEXT];
	pid_t owner = getpid(), pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	*phase = 1;
	kfd_fdinfo_read(owner, fd, own, sizeof(own));
	*phase = 2;
	_exit(0);
}

/*
 * Whether a reader that was waiting when it was killed was gone before what it
 * waited for was over. -EAGAIN: it did not come to wait in time.
 */
static int kill_reader(struct kfd *k, volatile int *phase)
{
	struct busy b = { .k = *k };
	pthread_t thread;
	bool waited, sooner;
	pid_t reader;
	int status;

	*phase = 0;
	if (pthread_create(&thread, NULL, hold_the_lock, &b))
		return -EAGAIN;
	kfd_sleep_ms(200);
	reader = start_reader(k->fd, phase);
	kfd_sleep_ms(400);
	waited = *phase == 1 && !b.stop;
	kill(reader, SIGKILL);
	waitpid(reader, &status, 0);
	sooner = !b.stop;
	pthread_join(thread, NULL);
	if (!waited)
		return -EAGAIN;
	return b.ret == -ETIME && sooner && WIFSIGNALED(status) ? 0 : -EBUSY;
}

TEST_F_TIMEOUT(fdinfo, waiting_reader_can_be_killed, 90)
{
	volatile int *phase = mmap(NULL, KFD_PAGE, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct kfd_queue q;
	uint32_t p[8];
	int ret = -EAGAIN, tries;
	char text8[16];

	REQUIRE_OURS();
	REQUIRE_SIM();
	ASSERT_NE(MAP_FAILED, (void *)phase);
	ASSERT_OK(kfd_queue_create(&self->k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, RING, &q));
	ASSERT_OK(kfd_queue_run(&q, p, pm4_nop(p, 2)));
	snprintf(text8, sizeof(text8), "%llu",
		 (unsigned long long)(q.doorbell_offset & (2 * KFD_PAGE - 1)));
	ASSERT_OK(kfd_sim_set(0, "hang_queue", text8));
	/* On a machine that is busy the first may come too late. */
	for (tries = 0; ret == -EAGAIN && tries < 8; tries++)
		ret = kill_reader(&self->k, phase);
	ASSERT_OK(kfd_sim_set(0, "hang_queue", "-2"));
	EXPECT_OK(ret);
	/* Nothing is held by the one who died. */
	ASSERT_OK(look(&self->k));
	EXPECT_OK(kfd_fdinfo_check(text));
	EXPECT_OK(kfd_queue_run(&q, p, pm4_nop(p, 2)));
}

KFD_TEST_MAIN
