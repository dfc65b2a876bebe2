// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process for the fault tests. While everything else fails, a queue with its
 * memory stands beside it and must go on working.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kfd_fault.h"
#include "kfd_packets.h"

#define SEED	0xfa17
#define LAST	(KFD_FAULT_SIZE - KFD_PAGE)	/* the page that packets write to */

/* The first signal event makes the driver's event page, which stays. */
static int make_event_page(struct kfd *k)
{
	struct kfd_ioctl_create_event_args ev;
	int ret = kfd_event_create(k, KFD_IOC_EVENT_SIGNAL, true, &ev);

	return ret ? ret : kfd_event_destroy(k, ev.event_id);
}

int kfd_fault_ctx_start(struct kfd_fault_ctx *f)
{
	int ret;

	memset(f, 0, sizeof(*f));
	f->fd = -1;
	ret = kfd_start(&f->k);
	if (!ret)
		ret = kfd_settle(&f->k);
	if (!ret)
		ret = kfd_bo_create(&f->k, 0, MEM_VRAM, KFD_FAULT_SIZE, &f->vram);
	if (!ret)
		ret = kfd_bo_create(&f->k, 0, MEM_GTT, KFD_FAULT_SIZE, &f->gtt);
	if (!ret)
		ret = kfd_queue_create(&f->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, KFD_PAGE, &f->alive);
	if (!ret)
		ret = make_event_page(&f->k);
	if (ret)
		return ret;
	kfd_fill_pattern(f->vram.cpu, KFD_FAULT_SIZE, SEED);
	kfd_fill_pattern(f->gtt.cpu, LAST, SEED + 1);
	f->user = mmap(NULL, KFD_FAULT_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);
	if (f->user == MAP_FAILED)
		return -errno;
	memset(f->user, 0x77, KFD_FAULT_SIZE);
	return 0;
}

/* The queue runs a packet, and nobody's memory has changed. */
int kfd_fault_alive(void *data)
{
	struct kfd_fault_ctx *f = data;
	volatile uint32_t *word = (uint32_t *)((char *)f->gtt.cpu + LAST);
	uint32_t p[8];
	int ret;

	f->beats++;
	ret = kfd_queue_run(&f->alive, p, sdma_fence(p, f->gtt.va + LAST, f->beats));
	if (ret)
		return ret;
	if (*word != f->beats)
		return -EIO;
	if (!kfd_check_pattern(f->vram.cpu, KFD_FAULT_SIZE, SEED) ||
	    !kfd_check_pattern(f->gtt.cpu, LAST, SEED + 1))
		return -EBADMSG;
	return 0;
}

/* What failed before must not have used up a number. */
int kfd_fault_same_id(struct kfd_fault_ctx *f, uint64_t id)
{
	if (!f->first_id)
		f->first_id = id + 1;
	return f->first_id == id + 1 ? 0 : -ESTALE;
}

int kfd_fault_close_fd(void *data)
{
	struct kfd_fault_ctx *f = data;

	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
	return 0;
}
