// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dumps for which there is no room.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ktap.h"
#include "room.h"

/* What room_text() says of errors that tests cannot have. */
static void test_text(void)
{
	char text[ROOM_TEXT_SIZE], want[256];
	uint64_t left;

	CHECK(!room_left(ktap_dirfd, &left));
	snprintf(want, sizeof(want), "%s: 5 bytes to be written to %s, which has ",
		 strerror(ENOSPC), ktap_dir);
	CHECK(!strncmp(room_text(text, ktap_dirfd, -ENOSPC, 5), want, strlen(want)));
	CHECK(strstr(room_text(text, ktap_dirfd, -EDQUOT, 5), " left, and a quota"));
	snprintf(want, sizeof(want), "%s: 5 bytes to be written to %s", strerror(EIO), ktap_dir);
	CHECK(!strcmp(room_text(text, ktap_dirfd, -EIO, 5), want));
	/* of the file system itself, not of a limit */
	snprintf(want, sizeof(want), "%s: 5 bytes to be written to %s", strerror(EFBIG), ktap_dir);
	CHECK(!strcmp(room_text(text, ktap_dirfd, -EFBIG, 5), want));
}

static const struct ktap_test tests[] = {
	{ "text", test_text },
};

int main(void)
{
	return ktap_main(tests, sizeof(tests) / sizeof(tests[0]));
}
