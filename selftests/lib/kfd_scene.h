/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A process that becomes another program and keeps its GPU context, for the
 * selftests. The new program is the test's own: --image says which part of it,
 * and a file that is open over the exec has what the programs and the test tell
 * each other.
 */
#ifndef KFD_SCENE_H
#define KFD_SCENE_H

#include "kfd_step.h"
#include "kfd_vaddr.h"

#define SCENE_PAGES	4
#define SCENE_SIZE	(SCENE_PAGES * KFD_PAGE)
#define SCENE_VRAM	(2 << 20)

/**
 * struct kfd_scene - a process and the programs that it becomes
 * @file: this struct, open in all of them
 * @data: memory that lives, and
 * @data2: memory that does not, likewise; files of SCENE_SIZE bytes
 * @next: names of the programs to become
 * @image: which of them is next
 * @k: the driver
 * @live: registered memory in @data, on the first GPU, that a queue counts in
 * @dead: registered memory in @data2, on the last GPU, that a queue counts in
 * @counter: of @live
 * @stopped: of @dead
 * @idle: a queue with nothing to do
 * @pm4: likewise
 * @vram: a buffer with a pattern
 * @set: an event that was set and not waited for
 * @later: an event that was not set
 * @evictions: of the first GPU before the exec
 * @before: VRAM that there was before all
 * @pid: another process that has to do with it
 * @ready: how far it is
 * @go: how far it may go
 * @end: the other process may end
 * @what: which kind of it
 * @step: where it failed
 */
struct kfd_scene {
	int file, data, data2;
	char next[2][32];
	int image;
	struct kfd k;
	struct kfd_bo live, dead;
	struct kfd_counter counter, stopped;
	struct kfd_queue idle, pm4;
	struct kfd_bo vram;
	struct kfd_ioctl_create_event_args set, later;
	uint64_t evictions;
	uint64_t before;
	volatile pid_t pid;
	volatile int ready, go, end;
	int what;
	int step;
};

/**
 * struct kfd_image_fn - a part of the new program
 * @name: what it is asked for by
 * @run: what it does; its negative errno becomes the exit code
 */
struct kfd_image_fn {
	const char *name;
	int (*run)(struct kfd_scene *sc);
};

/* The test: a scene, a process that becomes up to two programs, their result */
struct kfd_scene *kfd_scene_new(void);
pid_t kfd_scene_start(struct kfd_scene *sc, int (*old)(void *arg), const char *next,
		      const char *then);
int kfd_scene_run(struct kfd_scene *sc, int (*old)(void *arg), const char *next,
		  const char *then);
/* main(): the exit code, or -1: this is the test */
int kfd_scene_main(int argc, char **argv, const struct kfd_image_fn *images, unsigned int n);

/* The program before */
int kfd_scene_become(struct kfd_scene *sc);
int kfd_scene_base(struct kfd_scene *sc);
int kfd_scene_live(struct kfd_scene *sc);
int kfd_scene_dead(struct kfd_scene *sc);
int kfd_scene_blockers(struct kfd_scene *sc);
int kfd_scene_old_live(void *arg);

/* The program after */
char *kfd_scene_map(int fd);
int kfd_scene_nobodys(struct kfd_scene *sc);
int kfd_scene_map_again(struct kfd_scene *sc);
int kfd_scene_events(struct kfd_scene *sc);
int kfd_scene_charged(struct kfd_scene *sc, pid_t pid, uint64_t pages);
int kfd_scene_adopt(struct kfd_scene *sc);
int kfd_scene_goes_on(struct kfd_scene *sc, char *p);

#endif
