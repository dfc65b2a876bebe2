/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Restoring the files, mappings and GPU state of a process.
 */
#ifndef KFD_PLUGIN_RESTORE_H
#define KFD_PLUGIN_RESTORE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "image.h"
#include "topology.h"

/**
 * struct file_rec - one kfd-file-ID.img
 * @id: ID
 * @entry: what is in it
 * @mine: this process is the one that criu has open the file
 * @own_fd: number under which this process gets it, or -1
 * @done: it has been opened here
 */
struct file_rec {
	unsigned int id;
	KfdFileEntry *entry;
	bool mine;
	int own_fd;
	bool done;
};

/**
 * struct gpu_slot - one GPU of this machine, to the process being restored
 * @drm_fd: its render node as the process is to have it, kept out of criu's
 *	way; -1: not open (yet, or no longer)
 * @own_fd: number of the process's own fd for it, or -1
 * @vmas: mappings of it that the process had
 */
struct gpu_slot {
	int drm_fd;
	int own_fd;
	unsigned int vmas;
};

/**
 * struct moved_bo - where the mapping of a buffer has gone
 * @old: mmap offset at dump
 * @new: mmap offset now
 * @size: bytes
 * @minor_nr: render minor at dump; 0: it was mapped through /dev/kfd
 * @slot: index of its GPU now
 */
struct moved_bo {
	uint64_t old;
	uint64_t new;
	uint64_t size;
	unsigned int minor_nr;
	size_t slot;
};

/* Nobody used the GPU, so none stands in for it. */
#define RESTORE_UNUSED	SIZE_MAX

/**
 * struct restore_state - what one process being restored knows
 * @pid: the process; criu forks, and a state inherited is not its own
 * @files: all the dump's GPU files
 * @nr_files: their number
 * @saved: the GPUs of the machine at dump (of @files[0])
 * @nr_saved: their number
 * @now: the GPUs of this machine
 * @map: per entry of @saved, index into @now and @slots, or RESTORE_UNUSED
 * @slots: per entry of @now
 * @bos: moved buffers
 * @nr_bos: their number
 * @devices: gpu_ids of the process
 * @nr_devices: their number
 * @holders_known: every file of the dump says who has it
 *
 * A restored process is one thread at this time: no locking.
 */
struct restore_state {
	pid_t pid;
	struct file_rec *files;
	size_t nr_files;
	struct KfdGpu **saved;
	size_t nr_saved;
	struct gpu_list now;
	size_t *map;
	struct gpu_slot *slots;
	struct moved_bo *bos;
	size_t nr_bos;
	KfdDevice *devices;
	size_t nr_devices;
	bool holders_known;
};

int restore_files_get(int dir, struct restore_state **out);
int restore_state_get(int dir, struct restore_state **out);
struct file_rec *restore_find_file(struct restore_state *st, unsigned int id);
bool restore_has_state(const struct restore_state *st, pid_t ns_pid);
int restore_slot_by_old_id(const struct restore_state *st, uint32_t gpu_id);
int restore_slot_by_old_minor(const struct restore_state *st, unsigned int minor_nr);
int restore_slot_open(struct restore_state *st, size_t slot);
void restore_close_unneeded(struct restore_state *st);

int restore_process(int dir, struct restore_state *st, int kfd, unsigned int id);
int restore_file(int dir, unsigned int id);
int restore_vma(int dir, const char *path, uint64_t addr, uint64_t old_offset,
		uint64_t *new_offset, int *fd);

int restore_resume(int dir, pid_t pid);

#endif
