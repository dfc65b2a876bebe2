/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SMI events for the selftests: files of lines, taken apart as strictly as a
 * tool might that trusts mainline's formats.
 */
#ifndef KFD_SMI_H
#define KFD_SMI_H

#include "kfd_lib.h"

#define SMI_BIT(event)	KFD_SMI_EVENT_MASK_FROM_INDEX(KFD_SMI_EVENT_##event)
#define SMI_UNREAD	1024	/* bytes that the driver keeps */

/**
 * struct kfd_smi - an open file
 * @fd: its number
 * @used: bytes in @text
 * @text: what was read and not yet looked at
 */
struct kfd_smi {
	int fd;
	size_t used;
	char text[SMI_UNREAD + 1];
};

/**
 * struct kfd_smi_line - a line of any kind
 * @event: KFD_SMI_EVENT_*
 * @text: all of it, without its end
 * @time: when, in ns since boot
 * @pid: whose it is
 * @page: first page
 * @pages: how many
 * @gpu_id: which GPU
 * @from: where pages came from: GPU id or 0
 * @to: where they go
 * @prefetch: prefetch location
 * @preferred: preferred location
 * @trigger: why
 * @letter: R, W, M, U or 0
 * @name: of the process
 * @number: of the reset
 *
 * What a kind of line does not have is zero.
 */
struct kfd_smi_line {
	unsigned int event;
	char text[KFD_SMI_EVENT_MSG_SIZE];
	long long time;
	int pid;
	unsigned long page, pages;
	unsigned int gpu_id, from, to, prefetch, preferred;
	int trigger;
	char letter;
	char name[32];
	unsigned int number;
};

int kfd_smi_open(struct kfd *k, int gpu, uint64_t mask, struct kfd_smi *smi);
void kfd_smi_close(struct kfd_smi *smi);
int kfd_smi_select(struct kfd_smi *smi, uint64_t mask);
int kfd_smi_parse(const char *text, struct kfd_smi_line *line);
int kfd_smi_next(struct kfd_smi *smi, unsigned int ms, struct kfd_smi_line *line);
int kfd_smi_expect(struct kfd_smi *smi, unsigned int event, int pid, struct kfd_smi_line *line);
int kfd_smi_drain(struct kfd_smi *smi, unsigned int *lines);

#endif
