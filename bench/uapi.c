// SPDX-License-Identifier: GPL-2.0-only
/*
 * Figures taken at the ioctl interface itself, without libhsakmt and without
 * criu, with the selftests' library: a child makes buffers, its parent stops it
 * with ptrace, takes its /dev/kfd file as a dumper would, and runs
 * PROCESS_INFO, CHECKPOINT, UNPAUSE.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "lib/kfd_criu.h"

#define ROUNDS 9

enum bo_kind { BO_VRAM, BO_USERPTR };

/**
 * struct holder - a stopped process with buffers
 * @pid: the process; we are its tracer
 * @kfd: its /dev/kfd file
 * @bos: how many buffers it made
 */
struct holder {
	pid_t pid;
	int kfd;
	unsigned int bos;
};

/* In the child: @n buffers of @bytes each, mapped to the GPU. The kfd fd. */
static int make_bos(enum bo_kind kind, unsigned int n, size_t bytes)
{
	struct kfd_bo bo;
	char *mem = NULL;
	struct kfd k;

	must(kfd_start(&k), "opening the GPU");
	if (kind == BO_USERPTR) {
		mem = mmap(NULL, n * bytes, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (mem == MAP_FAILED)
			die("no memory");
	}
	for (unsigned int i = 0; i < n; i++) {
		if (kind == BO_USERPTR) {
			must(kfd_bo_userptr(&k, 0, mem + i * bytes, bytes, &bo), "userptr buffer");
			continue;
		}
		must(kfd_bo_alloc(&k, 0, MEM_VRAM, bytes, &bo), "VRAM buffer");
		must(kfd_bo_map_gpu(&k, &bo, 0), "mapping a VRAM buffer");
	}
	return k.fd;
}

/* Start a child that makes buffers; stop it and take its kfd file. */
static void holder_start(struct holder *h, enum bo_kind kind, unsigned int n, size_t bytes)
{
	int ready[2], fd = -1, status;

	if (pipe(ready))
		die("pipe: %s", strerror(errno));
	h->bos = n;
	h->pid = fork();
	if (h->pid < 0)
		die("fork: %s", strerror(errno));
	if (!h->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		fd = make_bos(kind, n, bytes);
		if (write(ready[1], &fd, sizeof(fd)) != sizeof(fd))
			_exit(2);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (read(ready[0], &fd, sizeof(fd)) != sizeof(fd))
		die("no process with %u buffers of %zu bytes", n, bytes);
	close(ready[0]);
	if (ptrace(PTRACE_SEIZE, h->pid, 0, 0) || ptrace(PTRACE_INTERRUPT, h->pid, 0, 0) ||
	    waitpid(h->pid, &status, 0) != h->pid || !WIFSTOPPED(status))
		die("cannot stop the process: %s", strerror(errno));
	h->kfd = kfd_steal_fd(h->pid, fd);
	must(h->kfd, "taking the /dev/kfd file");
}

static void holder_end(struct holder *h)
{
	close(h->kfd);
	kill(h->pid, SIGKILL);
	if (waitpid(h->pid, NULL, 0) != h->pid)
		die("waitpid: %s", strerror(errno));
}

/* Pause the process and make room, all of it touched, for a checkpoint; seconds to pause. */
static double pause_it(const struct holder *h, struct kfd_snapshot *s)
{
	double t = now();

	memset(s, 0, sizeof(*s));
	must(kfd_criu_info(h->kfd, &s->info), "PROCESS_INFO");
	t = now() - t;
	must(kfd_snapshot_alloc(s), "memory for a checkpoint");
	memset(s->priv, 1, s->info.priv_data_size);
	memset(s->bos, 1, s->info.num_bos * sizeof(*s->bos));
	if (s->info.num_bos != h->bos)
		die("%u buffers, not %u", s->info.num_bos, h->bos);
	return t;
}

/* CHECKPOINT of a paused process; seconds. */
static double take(const struct holder *h, struct kfd_snapshot *s)
{
	struct kfd_ioctl_criu_args args;
	double t;

	kfd_snapshot_args(s, &args);
	t = now();
	must(kfd_criu_op(h->kfd, &args, KFD_CRIU_OP_CHECKPOINT), "CHECKPOINT");
	return now() - t;
}

static void go_on(const struct holder *h, struct kfd_snapshot *s)
{
	must(kfd_criu_unpause(h->kfd), "UNPAUSE");
	kfd_snapshot_free(s);
}

/* PROCESS_INFO and CHECKPOINT, then back; seconds that the two took. */
static double checkpoint_once(const struct holder *h, enum bo_kind kind)
{
	struct kfd_snapshot s;
	unsigned int fds = 0;
	double took;

	took = pause_it(h, &s);
	took += take(h, &s);
	for (unsigned int i = 0; i < h->bos; i++)
		fds += s.bos[i].dmabuf_fd != KFD_INVALID_FD;
	go_on(h, &s);
	if (fds != (kind == BO_VRAM ? h->bos : 0))
		die("%u dmabufs for %u buffers", fds, h->bos);
	return took;
}

/* Microseconds per object, for two counts whose rounds take turns. */
static void per_object(const struct sizes *sz, enum bo_kind kind, const char *name)
{
	struct holder many, few;
	double us_many[ROUNDS], us_few[ROUNDS], m, f;

	progress("PROCESS_INFO and CHECKPOINT with %u and %u buffers (%s)", sz->many_bos,
		 sz->few_bos, name);
	holder_start(&few, kind, sz->few_bos, 4096);
	holder_start(&many, kind, sz->many_bos, 4096);
	checkpoint_once(&few, kind);
	checkpoint_once(&many, kind);
	for (unsigned int r = 0; r < ROUNDS; r++) {
		us_few[r] = checkpoint_once(&few, kind) * 1e6 / sz->few_bos;
		us_many[r] = checkpoint_once(&many, kind) * 1e6 / sz->many_bos;
	}
	holder_end(&many);
	holder_end(&few);
	m = median(us_many, ROUNDS);
	f = median(us_few, ROUNDS);
	report_time(text("checkpoint per object, %u BOs (%s)", sz->many_bos, name),
		    text("%.2f us", m), text("%.2f us with %u", f, sz->few_bos), m / f, "",
		    AT_MOST, 1.3);
}

/* Free memory of the machine in KiB, with the per-CPU counters folded in. */
static double free_kib(void)
{
	int fd = open("/proc/sys/vm/stat_refresh", O_WRONLY);
	double kib = -1;
	char line[128];
	FILE *f;

	if (fd >= 0) {
		if (write(fd, "1\n", 2) != 2)
			die("stat_refresh: %s", strerror(errno));
		close(fd);
	}
	f = fopen("/proc/meminfo", "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemFree: %lf", &kib) == 1)
			break;
	if (!f || kib < 0)
		die("no MemFree in /proc/meminfo");
	fclose(f);
	return kib;
}

/*
 * Kernel memory in KiB that a checkpoint holds until it is let go of: the most
 * of several rounds, since what a slab keeps from one round is not seen in the
 * next.
 */
static double held_kib(enum bo_kind kind, unsigned int n, size_t bytes)
{
	struct kfd_snapshot s, room;
	double before, most = 0;
	struct holder h;

	holder_start(&h, kind, n, bytes);
	for (unsigned int r = 0; r < ROUNDS; r++) {
		double kib;

		/* the memory for the answer is taken before we look */
		pause_it(&h, &room);
		must(kfd_criu_unpause(h.kfd), "UNPAUSE");
		before = free_kib();
		s = room;
		must(kfd_criu_info(h.kfd, &s.info), "PROCESS_INFO");
		take(&h, &s);
		kib = before - free_kib();
		if (kib > most)
			most = kib;
		go_on(&h, &s);
	}
	holder_end(&h);
	return most;
}

static void held_memory(const struct sizes *sz)
{
	const unsigned int n = 16;
	size_t big = (size_t)sz->rss_big_mib / n << 20, small = 1 << 20;
	double few, many, objects;

	progress("kernel memory held by a checkpoint");
	few = held_kib(BO_VRAM, n, small);
	many = held_kib(BO_VRAM, n, big);
	objects = held_kib(BO_VRAM, sz->few_bos, 4096);
	report(text("kernel memory of a checkpoint, %u MiB", sz->rss_big_mib),
	       text("%.0f KiB held", many), text("%.0f KiB held with %u MiB", few, n),
	       (many - few) / 1024, " MiB more", AT_MOST, 1);
	report(text("kernel memory of a checkpoint, %u BOs", sz->few_bos),
	       text("%.0f KiB held", objects), text("%u objects", sz->few_bos),
	       objects / sz->few_bos, " KiB each", INFO, 0);
}

static void latency(void)
{
	struct kfd_ioctl_get_version_args version;
	struct kfd_ioctl_criu_args info;
	double null_us[101], info_us[101], t, null, pi;
	struct holder h;
	int own;

	progress("latency of PROCESS_INFO");
	/* of the other file only the checkpoint ops are the tracer's */
	own = open("/dev/kfd", O_RDWR | O_CLOEXEC);
	if (own < 0)
		die("/dev/kfd: %s", strerror(errno));
	holder_start(&h, BO_VRAM, 16, 4096);
	for (unsigned int i = 0; i < 101; i++) {
		t = now();
		must(kfd_call(own, AMDKFD_IOC_GET_VERSION, &version), "GET_VERSION");
		null_us[i] = (now() - t) * 1e6;
		t = now();
		must(kfd_criu_info(h.kfd, &info), "PROCESS_INFO");
		info_us[i] = (now() - t) * 1e6;
		must(kfd_criu_unpause(h.kfd), "UNPAUSE");
	}
	holder_end(&h);
	close(own);
	null = median(null_us, 101);
	pi = median(info_us, 101);
	report("PROCESS_INFO, 16 BOs", text("%.1f us", pi), text("%.1f us GET_VERSION", null),
	       pi / null, "", INFO, 0);
}

/**
 * figures_uapi() - cost per object in time and kernel memory
 * @sz: how many objects
 */
void figures_uapi(const struct sizes *sz)
{
	/* a dmabuf for every buffer, and the files we have */
	struct rlimit lim = { sz->many_bos + 256, sz->many_bos + 256 };

	if (setrlimit(RLIMIT_NOFILE, &lim))
		die("cannot have %u files: %s", sz->many_bos, strerror(errno));
	per_object(sz, BO_VRAM, "VRAM");
	per_object(sz, BO_USERPTR, "userptr");
	held_memory(sz);
	latency();
}
