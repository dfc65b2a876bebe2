/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Dumping the files of a process that uses a GPU.
 *
 * All of these run in criu's main process, in its main thread, which traces
 * the processes being dumped.
 */
#ifndef KFD_PLUGIN_DUMP_H
#define KFD_PLUGIN_DUMP_H

#include <stdbool.h>
#include <stdint.h>

int dump_begin(void);
bool dump_is_our_render(unsigned int minor_nr);
int dump_kfd_file(int dir, int fd, unsigned int id);
int dump_render_file(int dir, int fd, unsigned int id, unsigned int minor_nr);
uint64_t dump_get_id(void);
void dump_finish(void);

#endif
