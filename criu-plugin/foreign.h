/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a process has of a GPU that no image holds: see foreign.c.
 */
#ifndef KFD_PLUGIN_FOREIGN_H
#define KFD_PLUGIN_FOREIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "sys.h"

/**
 * struct mapped_bo - a buffer as it can be mapped
 * @minor_nr: of its render node
 * @offset: in the node
 * @size: bytes
 */
struct mapped_bo {
	unsigned int minor_nr;
	uint64_t offset;
	uint64_t size;
};

int foreign_check_tree(void);
int foreign_check_file(const struct sys_holder *holder, int fd, unsigned int minor_nr);
int foreign_check_maps(const struct sys_holder *holder, int kfd, const struct mapped_bo *bos,
		       size_t nr_bos);
void foreign_check_other(int fd);
bool foreign_tree_is_checked(void);
void foreign_check_finish(void);

#endif
