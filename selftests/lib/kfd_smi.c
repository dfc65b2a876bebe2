// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files of SMI events for the selftests.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kfd_smi.h"

#define PATIENCE	(20000 * kfd_time_scale())

int kfd_smi_select(struct kfd_smi *smi, uint64_t mask)
{
	ssize_t n = write(smi->fd, &mask, sizeof(mask));

	return n == sizeof(mask) ? 0 : n < 0 ? -errno : -EPROTO;
}

int kfd_smi_open(struct kfd *k, int gpu, uint64_t mask, struct kfd_smi *smi)
{
	struct kfd_ioctl_smi_events_args args = {
		.gpuid = k->gpu[gpu].gpu_id,
		.anon_fd = KFD_INVALID_FD,
	};
	int ret = kfd_call(k->fd, AMDKFD_IOC_SMI_EVENTS, &args);

	memset(smi, 0, sizeof(*smi));
	smi->fd = ret ? -1 : (int)args.anon_fd;
	return ret ? ret : kfd_smi_select(smi, mask);
}

void kfd_smi_close(struct kfd_smi *smi)
{
	close(smi->fd);
	smi->fd = -1;
}

/* The line with the values that were found in it: must be the line itself. */
static int smi_print(const struct kfd_smi_line *l, char *to, size_t size)
{
	switch (l->event) {
	case KFD_SMI_EVENT_VMFAULT:
		return snprintf(to, size, "%x %x:%s", l->event, l->pid, l->name);
	case KFD_SMI_EVENT_GPU_PRE_RESET:
	case KFD_SMI_EVENT_GPU_POST_RESET:
		return snprintf(to, size, "%x %x", l->event, l->number);
	case KFD_SMI_EVENT_MIGRATE_START:
		return snprintf(to, size, "%x %lld -%d @%lx(%lx) %x->%x %x:%x %d", l->event,
				l->time, l->pid, l->page, l->pages, l->from, l->to, l->prefetch,
				l->preferred, l->trigger);
	case KFD_SMI_EVENT_MIGRATE_END:
		return snprintf(to, size, "%x %lld -%d @%lx(%lx) %x->%x %d", l->event, l->time,
				l->pid, l->page, l->pages, l->from, l->to, l->trigger);
	case KFD_SMI_EVENT_PAGE_FAULT_START:
	case KFD_SMI_EVENT_PAGE_FAULT_END:
		return snprintf(to, size, "%x %lld -%d @%lx(%x) %c", l->event, l->time, l->pid,
				l->page, l->gpu_id, l->letter);
	case KFD_SMI_EVENT_QUEUE_EVICTION:
		return snprintf(to, size, "%x %lld -%d %x %d", l->event, l->time, l->pid,
				l->gpu_id, l->trigger);
	case KFD_SMI_EVENT_QUEUE_RESTORE:
		return snprintf(to, size, "%x %lld -%d %x%s", l->event, l->time, l->pid, l->gpu_id,
				l->letter ? " R" : "");
	case KFD_SMI_EVENT_UNMAP_FROM_GPU:
		return snprintf(to, size, "%x %lld -%d @%lx(%lx) %x %d", l->event, l->time, l->pid,
				l->page, l->pages, l->gpu_id, l->trigger);
	}
	return snprintf(to, size, "?");
}

static void smi_scan(const char *s, struct kfd_smi_line *l)
{
	switch (l->event) {
	case KFD_SMI_EVENT_VMFAULT:
		sscanf(s, "%*x %x:%31[^\n]", (unsigned int *)&l->pid, l->name);
		break;
	case KFD_SMI_EVENT_GPU_PRE_RESET:
	case KFD_SMI_EVENT_GPU_POST_RESET:
		sscanf(s, "%*x %x", &l->number);
		break;
	case KFD_SMI_EVENT_MIGRATE_START:
		sscanf(s, "%*x %lld -%d @%lx(%lx) %x->%x %x:%x %d", &l->time, &l->pid, &l->page,
		       &l->pages, &l->from, &l->to, &l->prefetch, &l->preferred, &l->trigger);
		break;
	case KFD_SMI_EVENT_MIGRATE_END:
		sscanf(s, "%*x %lld -%d @%lx(%lx) %x->%x %d", &l->time, &l->pid, &l->page,
		       &l->pages, &l->from, &l->to, &l->trigger);
		break;
	case KFD_SMI_EVENT_PAGE_FAULT_START:
	case KFD_SMI_EVENT_PAGE_FAULT_END:
		sscanf(s, "%*x %lld -%d @%lx(%x) %c", &l->time, &l->pid, &l->page, &l->gpu_id,
		       &l->letter);
		break;
	case KFD_SMI_EVENT_QUEUE_EVICTION:
		sscanf(s, "%*x %lld -%d %x %d", &l->time, &l->pid, &l->gpu_id, &l->trigger);
		break;
	case KFD_SMI_EVENT_QUEUE_RESTORE:
		sscanf(s, "%*x %lld -%d %x %c", &l->time, &l->pid, &l->gpu_id, &l->letter);
		break;
	case KFD_SMI_EVENT_UNMAP_FROM_GPU:
		sscanf(s, "%*x %lld -%d @%lx(%lx) %x %d", &l->time, &l->pid, &l->page, &l->pages,
		       &l->gpu_id, &l->trigger);
		break;
	}
}

/* EBADMSG: a line that is not to the letter what its kind looks like. */
int kfd_smi_parse(const char *text, struct kfd_smi_line *line)
{
	char again[2 * KFD_SMI_EVENT_MSG_SIZE];

	memset(line, 0, sizeof(*line));
	if (strlen(text) >= sizeof(line->text) || sscanf(text, "%x ", &line->event) != 1)
		return -EBADMSG;
	strcpy(line->text, text);
	smi_scan(text, line);
	smi_print(line, again, sizeof(again));
	return strcmp(text, again) ? -EBADMSG : 0;
}

/* Take the first line of what was read, if there is a whole one. */
static bool smi_take(struct kfd_smi *smi, char *line, size_t size)
{
	char *end = memchr(smi->text, '\n', smi->used);
	size_t len;

	if (!end)
		return false;
	len = end - smi->text;
	snprintf(line, size, "%.*s", (int)len, smi->text);
	smi->used -= len + 1;
	memmove(smi->text, end + 1, smi->used);
	return true;
}

/* The next line; ETIMEDOUT: none came; ENODATA: the end; else as read() or parse. */
int kfd_smi_next(struct kfd_smi *smi, unsigned int ms, struct kfd_smi_line *line)
{
	struct pollfd p = { .fd = smi->fd, .events = POLLIN };
	uint64_t now, end = kfd_now_ms() + ms;
	char text[SMI_UNREAD + 1];
	ssize_t n;

	while (!smi_take(smi, text, sizeof(text))) {
		n = read(smi->fd, smi->text + smi->used, SMI_UNREAD - smi->used);
		if (n > 0) {
			smi->used += n;
			continue;
		}
		if (!n)
			return -ENODATA;
		if (errno != EAGAIN)
			return -errno;
		now = kfd_now_ms();
		if (now >= end)
			return -ETIMEDOUT;
		poll(&p, 1, end - now);
	}
	return kfd_smi_parse(text, line);
}

/*
 * The next line is one of this event, and of process @pid unless that is 0.
 * EPROTO: another one, which is in @line then.
 */
int kfd_smi_expect(struct kfd_smi *smi, unsigned int event, int pid, struct kfd_smi_line *line)
{
	int ret = kfd_smi_next(smi, PATIENCE, line);

	if (ret)
		return ret;
	return line->event == event && (!pid || line->pid == pid) ? 0 : -EPROTO;
}

/* Read what there is now; every line must be one. */
int kfd_smi_drain(struct kfd_smi *smi, unsigned int *lines)
{
	struct kfd_smi_line line;
	int ret;

	*lines = 0;
	for (;;) {
		ret = kfd_smi_next(smi, 0, &line);
		if (ret)
			return ret == -ETIMEDOUT ? 0 : ret;
		(*lines)++;
	}
}
