/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Room in the image directory: see room.c.
 */
#ifndef KFD_PLUGIN_ROOM_H
#define KFD_PLUGIN_ROOM_H

#include <stdint.h>

/* Of what room_text() says: a path, and numbers. */
#define ROOM_TEXT_SIZE		4352

int room_left(int dir, uint64_t *bytes);
const char *room_text(char *buf, int dir, int err, uint64_t need);
int room_reserve(int fd, uint64_t size);
void room_begin(void);
void room_end(void);

#endif
