/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Processes of many kinds, dumped: the real images that the fuzzers start
 * from. Each is small, for fuzzing is quick on small images.
 */
#ifndef KFD_FUZZ_SCENES_H
#define KFD_FUZZ_SCENES_H

#include "lib/kfd_criu.h"

/* In the last words of every queue's page of pointers: queues wait for it to be 1. */
#define FUZZ_SCENE_GATE_AT	(2 * KFD_PAGE - 64)

/**
 * struct fuzz_scene - a kind of process
 * @name: for messages and file names
 * @num_gpus: GPUs that it needs
 * @build: makes everything, in a process of its own
 */
struct fuzz_scene {
	const char *name;
	int num_gpus;
	int (*build)(struct kfd *k);
};

extern const struct fuzz_scene fuzz_scenes[];
extern const unsigned int fuzz_num_scenes;

int fuzz_scene_dump(const struct fuzz_scene *scene, struct kfd_snapshot *s);

#endif
