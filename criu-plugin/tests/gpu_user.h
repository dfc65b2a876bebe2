/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Programs to be dumped and restored: see gpu_user.c and matrix/main.c.
 */
#ifndef KFD_PLUGIN_TEST_GPU_USER_H
#define KFD_PLUGIN_TEST_GPU_USER_H

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* user.c */
extern const char *result_path;

void __attribute__((format(printf, 1, 2))) report(const char *format, ...);
void wait_signal(void);
void check_fds(unsigned int more);

/* For calls that set errno. */
#define REQUIRE(x)								\
	do {									\
		if (!(x)) {							\
			report("line %d: %s: %s", __LINE__, #x, strerror(errno)); \
			_exit(1);						\
		}								\
	} while (0)

/* For calls that return a negative errno. */
#define REQUIRE_OK(x)								\
	do {									\
		int err_ = -(x);						\
										\
		if (err_) {							\
			report("line %d: %s: %s", __LINE__, #x, strerror(err_)); \
			_exit(1);						\
		}								\
	} while (0)

/* gpu_user_moved.c */
void use_moved(void);

/* gpu_held.c */
void use_orphan(bool exec);
void use_inherited(bool outside);
void hold_files(int kfd, int drm);

/* gpu_user_foreign.c */
bool use_foreign(const char *mode);

/* gpu_user_split.c */
void use_split(void);

/* gpu_user_stray.c */
void use_stray(void);
void use_stray_late(void);
void use_looked(void);

/* gpu_uring.c */
void use_uring(void);

#endif
