// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stop points of the debug driver, for the selftests.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kfd_lib.h"
#include "kfd_phase.h"

#define STOP_AT		"/sys/kernel/debug/amdkfd/stop_at"
#define STOPPED		"/sys/kernel/debug/amdkfd/stopped"
#define PATIENCE	25000

bool kfd_phase_present(void)
{
	return !access(STOP_AT, W_OK);
}

int kfd_phase_list(struct kfd_phases *phases)
{
	char text[KFD_MAX_PHASES * KFD_PHASE_NAME], *line, *save = NULL;
	int ret;

	phases->n = 0;
	ret = kfd_read_text(STOP_AT, text, sizeof(text));
	if (ret)
		return ret;
	for (line = strtok_r(text, " *\n", &save); line; line = strtok_r(NULL, " *\n", &save)) {
		if (phases->n == KFD_MAX_PHASES || strlen(line) >= KFD_PHASE_NAME)
			return -E2BIG;
		strcpy(phases->name[phases->n++], line);
	}
	return phases->n ? 0 : -ENOENT;
}

/* The next one to come there stops; who is stopped now goes on. */
int kfd_phase_arm(const char *name)
{
	return kfd_write_text(STOP_AT, name);
}

int kfd_phase_let_go(void)
{
	return kfd_write_text(STOP_AT, "\n");
}

/* Until that process is stopped there. ESRCH: another one is. */
int kfd_phase_wait(pid_t pid, const char *name)
{
	uint64_t end = kfd_now_ms() + PATIENCE;
	char text[KFD_PHASE_NAME + 16], at[KFD_PHASE_NAME];
	int ret, who;

	do {
		ret = kfd_read_text(STOPPED, text, sizeof(text));
		if (ret)
			return ret;
		if (sscanf(text, "%d %63s", &who, at) == 2)
			return who == pid && !strcmp(at, name) ? 0 : -ESRCH;
		kfd_sleep_ms(1);
	} while (kfd_now_ms() < end);
	printf("# nobody has come to %s\n", name);
	return -ETIMEDOUT;
}
