/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The benchmarks: what its parts share. Single-threaded. A part that cannot
 * measure prints why and ends the program with exit code 2, which is neither
 * "met" (0) nor "not met" (1).
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * struct sizes - how much is measured
 * @big_mib: VRAM and anonymous memory of the dumped processes, in MiB
 * @small_mib: VRAM of the process that shows what a dump costs without contents
 * @rss_big_mib: VRAM of the larger process whose dump's memory use is measured
 * @rss_small_mib: VRAM of the smaller one
 * @rss_limit_mib: how much more memory the larger one may take
 * @many_bos: objects in the larger process of the per-object figures
 * @few_bos: objects in the smaller one
 * @many_remaps: buffers in the larger process whose CPU addresses are replaced
 * @few_remaps: buffers in the smaller one
 * @many_ranges: ranges of the process that loses them
 * @few_ranges: of the other one
 * @idle_s: seconds for which an idle GPU is watched
 * @repeats: times that a dump is repeated; the fastest counts
 * @turns: times that each of two plugins dumps and restores; the median counts
 * @stranger: hostile processes are tried, which takes minutes
 */
struct sizes {
	unsigned int big_mib, small_mib;
	unsigned int rss_big_mib, rss_small_mib, rss_limit_mib;
	unsigned int many_bos, few_bos;
	unsigned int many_remaps, few_remaps;
	unsigned int many_ranges, few_ranges;
	unsigned int idle_s;
	unsigned int repeats;
	unsigned int turns;
	bool stranger;
};

/**
 * enum limit - how a figure is judged
 * @AT_MOST: met when the value is at most the limit
 * @AT_LEAST: met when the value is at least the limit
 * @INFO: there is no limit
 */
enum limit { AT_MOST, AT_LEAST, INFO };

void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
void must(int ret, const char *what);
void progress(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void report(const char *figure, const char *measured, const char *against, double value,
	    const char *unit, enum limit kind, double limit);
void report_time(const char *figure, const char *measured, const char *against, double value,
		 const char *unit, enum limit kind, double limit);
char *text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
double now(void);
double median(double *v, unsigned int n);
double least(const double *v, unsigned int n);
double memcpy_rate(unsigned int mib);
void *shared_memory(size_t bytes);
pid_t child_start(void (*fn)(void *arg), void *arg);
void child_end(pid_t pid);
void in_child(void (*fn)(void *arg), void *arg);

/**
 * struct target - a process to be dumped
 * @pid: its pid, 0 when there is none
 * @word: path of the file that it says something in
 */
struct target {
	pid_t pid;
	char word[64];
};

/**
 * struct cost - what a run of criu took
 * @seconds: wall clock
 * @rss_mib: peak resident memory of criu and of the children it waited for
 */
struct cost {
	double seconds;
	double rss_mib;
};

void target_start(struct target *t, unsigned int vram_mib, unsigned int anon_mib);
void target_check(struct target *t);
void target_kill(struct target *t);
void target_await_end(struct target *t);
struct cost criu_dump(struct target *t, const char *plugin_dir, bool leave_running);
struct cost criu_restore(const char *plugin_dir);
void criu_forget(void);

struct kfd;

char *make_ranges(struct kfd *k, unsigned int n);

void figures_criu(const struct sizes *sz);
void figures_criu_memory(const struct sizes *sz);
void figures_plugins(const struct sizes *sz);
void figures_uapi(const struct sizes *sz);
void figures_svm(const struct sizes *sz);
void figures_ranges(const struct sizes *sz);
void figures_stranger(const struct sizes *sz);
void figures_remap(const struct sizes *sz);
void figures_idle(const struct sizes *sz);

extern const char *criu_plugin_dir;	/* where kfd_plugin.so is */
extern const char *amdgpu_plugin_dir;	/* where criu's own plugin is, or NULL */
extern const char *target_path;		/* the program to be dumped */
extern const char *work_dir;		/* on tmpfs */

#endif
