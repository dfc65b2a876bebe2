/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What CHECKPOINT gave of one process.
 */
#ifndef KFD_PLUGIN_SNAPSHOT_H
#define KFD_PLUGIN_SNAPSHOT_H

#include <linux/kfd_ioctl.h>
#include <stdint.h>
#include <sys/types.h>

#include "contents.h"
#include "topology.h"

/* In a bucket: there is no dma-buf. */
#define SNAPSHOT_NO_FD		0xffffffffu

/**
 * struct snapshot - what CHECKPOINT gave of one process
 * @args: of the call
 * @devices: @args.num_devices buckets
 * @bos: @args.num_bos buckets, with dma-bufs
 * @priv_data: @args.priv_data_size bytes
 * @recs: per BO, NULL without contents
 * @file_sizes: of the files with contents
 * @nr_files: their number
 * @kfd: our copy of the process's file
 * @pid: of the process as seen from here; 0: not known
 * @ns_pid: as it sees itself
 * @id: criu's number of the file that has its state
 * @dump_id: of the dump
 * @gpus: of this machine
 */
struct snapshot {
	struct kfd_ioctl_criu_args args;
	struct kfd_criu_device_bucket *devices;
	struct kfd_criu_bo_bucket *bos;
	uint8_t *priv_data;
	struct chunk_rec **recs;
	uint64_t file_sizes[CONTENTS_MAX_FILES];
	unsigned int nr_files;
	int kfd;
	pid_t pid;
	pid_t ns_pid;
	unsigned int id;
	uint64_t dump_id;
	const struct gpu_list *gpus;
};

int snapshot_check_maps(const struct snapshot *s);
int snapshot_prepare(int dir, struct snapshot *s);
int snapshot_save_contents(int dir, struct snapshot *s);
int snapshot_write(int dir, struct snapshot *s);
void snapshot_free(struct snapshot *s);

#endif
