// SPDX-License-Identifier: GPL-2.0-only
/*
 * SMI events of shared virtual memory: what a tool is told of page faults, of
 * pages that are taken off a GPU, and of queues that have to stop for it.
 * smi.c has the files themselves.
 */
#include <sys/mman.h>

#include "lib/kfd_mem.h"
#include "lib/kfd_smi.h"
#include "lib/kfd_svm.h"
#include "lib/kfd_test.h"

#define RING	65536
#define PAGES	16

FIXTURE(svm_smi)
{
	struct kfd k;
	struct kfd_queue q;
	struct kfd_bo safe;
	struct kfd_smi s;	/* of the first GPU; nothing selected yet */
	char *p;		/* PAGES pages that nobody has spoken of */
	uint64_t size;
	uint32_t gpu;
};

FIXTURE_SETUP(svm_smi)
{
	self->size = PAGES * KFD_PAGE;
	ASSERT_OK(kfd_start(&self->k));
	self->gpu = self->k.gpu[0].gpu_id;
	ASSERT_OK(kfd_bo_create(&self->k, 0, MEM_GTT, KFD_PAGE, &self->safe));
	ASSERT_OK(kfd_svm_alloc(&self->k, self->size, -1, &self->p));
	ASSERT_OK(kfd_smi_open(&self->k, 0, 0, &self->s));
}

FIXTURE_TEARDOWN(svm_smi)
{
	kfd_smi_close(&self->s);
	kfd_stop(&self->k);
}

/* A queue of a process whose GPUs wait for pages, or do not. */
static int start_queue(struct kfd *k, int xnack, struct kfd_queue *q)
{
	int ret = kfd_set_xnack(k, xnack);

	if (ret != xnack)
		return ret < 0 ? ret : -EPROTO;
	return kfd_queue_create(k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, q);
}

/* A line of this event and this process, about these pages; -EILSEQ: others. */
static int expect_pages(struct kfd_smi *s, unsigned int event, const char *p, unsigned long pages,
			struct kfd_smi_line *line)
{
	int ret = kfd_smi_expect(s, event, getpid(), line);

	if (ret)
		return ret;
	return line->page == (uintptr_t)p / KFD_PAGE && line->pages == pages ? 0 : -EILSEQ;
}

/* --- XNACK on -------------------------------------------------------------- */

/* One fault: its start, of this kind, and its end, for which nothing moved. */
static int expect_fault(struct kfd_smi *s, const char *p, uint32_t gpu, char kind)
{
	struct kfd_smi_line start, end;
	int ret;

	ret = expect_pages(s, KFD_SMI_EVENT_PAGE_FAULT_START, p, 0, &start);
	if (!ret)
		ret = expect_pages(s, KFD_SMI_EVENT_PAGE_FAULT_END, p, 0, &end);
	if (ret)
		return ret;
	if (start.letter != kind || end.letter != 'U' || end.time < start.time)
		return -EBADMSG;
	return start.gpu_id == gpu && end.gpu_id == gpu ? 0 : -ENODEV;
}

TEST_F(svm_smi, page_faults)
{
	char *to = self->p + 3 * KFD_PAGE, *from = self->p + 11 * KFD_PAGE;
	unsigned int lines;
	uint32_t p[8];

	ASSERT_OK(start_queue(&self->k, 1, &self->q));
	/* A page at a time, so that the second is not brought with the first. */
	ASSERT_OK(kfd_svm_set1(&self->k, self->p, self->size, KFD_IOCTL_SVM_ATTR_GRANULARITY, 0));
	ASSERT_OK(kfd_smi_select(&self->s, SMI_BIT(PAGE_FAULT_START) | SMI_BIT(PAGE_FAULT_END)));
	ASSERT_OK(kfd_gpu_add(&self->q, to, 1));
	EXPECT_OK(expect_fault(&self->s, to, self->gpu, 'W'));
	ASSERT_OK(kfd_queue_run(&self->q, p,
				sdma_copy(p, self->safe.va, (uintptr_t)from, 4)));
	EXPECT_OK(expect_fault(&self->s, from, self->gpu, 'R'));
	/* What is there is not missed. */
	ASSERT_OK(kfd_gpu_add(&self->q, to, 1));
	ASSERT_OK(kfd_smi_drain(&self->s, &lines));
	EXPECT_EQ(0, lines);
}

TEST_F(svm_smi, pages_taken_off_the_gpu)
{
	char *hole = self->p + 4 * KFD_PAGE, *rest = self->p + 8 * KFD_PAGE;
	struct kfd_smi_line line;
	unsigned int lines;

	ASSERT_OK(start_queue(&self->k, 1, &self->q));
	memset(self->p, 0, self->size);
	ASSERT_OK(kfd_svm_set1(&self->k, self->p, self->size, KFD_IOCTL_SVM_ATTR_GRANULARITY, 4));
	ASSERT_OK(kfd_gpu_add(&self->q, self->p, 1));
	ASSERT_OK(kfd_smi_select(&self->s, SMI_BIT(UNMAP_FROM_GPU)));
	ASSERT_OK(munmap(hole, 4 * KFD_PAGE));
	EXPECT_OK(expect_pages(&self->s, KFD_SMI_EVENT_UNMAP_FROM_GPU, hole, 4, &line))
		TH_LOG("%s", line.text);
	EXPECT_EQ(KFD_SVM_UNMAP_TRIGGER_UNMAP_FROM_CPU, line.trigger);
	EXPECT_EQ(self->gpu, line.gpu_id);
	ASSERT_OK(mprotect(rest, 8 * KFD_PAGE, PROT_READ));
	EXPECT_OK(expect_pages(&self->s, KFD_SMI_EVENT_UNMAP_FROM_GPU, rest, 8, &line))
		TH_LOG("%s", line.text);
	EXPECT_EQ(KFD_SVM_UNMAP_TRIGGER_MMU_NOTIFY, line.trigger);
	EXPECT_EQ(self->gpu, line.gpu_id);
	ASSERT_OK(kfd_smi_drain(&self->s, &lines));
	EXPECT_EQ(0, lines);
}

/* --- XNACK off ------------------------------------------------------------- */

TEST_F(svm_smi, eviction_and_restore)
{
	struct kfd_smi_line line;
	long long then;

	ASSERT_OK(start_queue(&self->k, 0, &self->q));
	ASSERT_OK(kfd_svm_set1(&self->k, self->p, self->size, KFD_IOCTL_SVM_ATTR_ACCESS,
			       self->gpu));
	ASSERT_OK(kfd_gpu_add(&self->q, self->p, 1));
	ASSERT_OK(kfd_smi_select(&self->s, SMI_BIT(QUEUE_EVICTION) | SMI_BIT(QUEUE_RESTORE)));
	ASSERT_OK(mprotect(self->p, self->size, PROT_READ));
	ASSERT_OK(kfd_smi_expect(&self->s, KFD_SMI_EVENT_QUEUE_EVICTION, getpid(), &line))
		TH_LOG("%s", line.text);
	EXPECT_EQ(self->gpu, line.gpu_id);
	EXPECT_EQ(KFD_QUEUE_EVICTION_TRIGGER_SVM, line.trigger);
	/* One that is put off says so. */
	do {
		then = line.time;
		ASSERT_OK(kfd_smi_expect(&self->s, KFD_SMI_EVENT_QUEUE_RESTORE, getpid(), &line))
			TH_LOG("%s", line.text);
		EXPECT_EQ(self->gpu, line.gpu_id);
		EXPECT_LE(then, line.time);
	} while (line.letter);
	/* Queues stop before their pages go. */
	ASSERT_OK(kfd_smi_select(&self->s, SMI_BIT(UNMAP_FROM_GPU) | SMI_BIT(QUEUE_EVICTION)));
	ASSERT_OK(munmap(self->p, self->size));
	ASSERT_OK(kfd_smi_expect(&self->s, KFD_SMI_EVENT_QUEUE_EVICTION, getpid(), &line));
	EXPECT_EQ(KFD_QUEUE_EVICTION_TRIGGER_SVM, line.trigger);
	EXPECT_OK(expect_pages(&self->s, KFD_SMI_EVENT_UNMAP_FROM_GPU, self->p, PAGES, &line))
		TH_LOG("%s", line.text);
	EXPECT_EQ(KFD_SVM_UNMAP_TRIGGER_UNMAP_FROM_CPU, line.trigger);
}

KFD_TEST_MAIN
