// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stranger test: what hostile processes can make somebody else wait for.
 *
 * A stranger measures, beside hostile processes and beside as many that are merely
 * busy, what it takes it to do what has nothing to do with them. Then they are
 * killed, and it measures until all is as it was.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "crowd.h"
#include "hostile.h"
#include "lib/kfd_criu.h"
#include "lib/kfd_packets.h"
#include "lib/kfd_slow.h"

#define TURNS		3
#define SAMPLES		10	/* of a turn */
#define MEM_BYTES	(1u << 20)
#define RING		4096
/* Netlink families end at 31; none of Debian's has this number. */
#define NO_SUCH_PROTO	31
/* Beyond their death, seconds. */
#define AFTER_S		2.0

enum probe { PACKET, MAP, TRUNCATE, ALLOC, PAUSE, MODULE, EXIT, NR_PROBES };

/**
 * struct stranger - who measures
 * @k: the driver
 * @q: a queue
 * @bo: memory that it writes
 * @fd: a file of its own, mapped and registered
 * @map: its memory
 */
struct stranger {
	struct kfd k;
	struct kfd_queue q;
	struct kfd_bo bo;
	int fd;
	char *map;
};

static void probe_packet(struct stranger *s)
{
	uint32_t p[16];

	must(kfd_queue_run(&s->q, p, pm4_write_data(p, s->bo.va, 1)), "a packet");
}

static void probe_map(struct stranger *s)
{
	char *p = mmap(NULL, MEM_BYTES, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	(void)s;
	if (p == MAP_FAILED || munmap(p, MEM_BYTES))
		die("mmap and munmap: %m");
}

static void probe_truncate(struct stranger *s)
{
	memset(s->map, 1, MEM_BYTES);
	if (ftruncate(s->fd, 0) || ftruncate(s->fd, MEM_BYTES))
		die("ftruncate: %m");
}

static void probe_alloc(struct stranger *s)
{
	struct kfd_bo bo;

	must(kfd_bo_create(&s->k, 0, MEM_VRAM, MEM_BYTES, &bo), "a buffer");
	must(kfd_bo_destroy(&s->k, &bo), "freeing it");
}

static void probe_info(struct stranger *s)
{
	struct kfd_ioctl_criu_args info;

	must(kfd_criu_info(s->k.fd, &info), "PROCESS_INFO");
	must(kfd_criu_unpause(s->k.fd), "UNPAUSE");
}

/* What the kernel has to ask modprobe for, on a workqueue of the whole system. */
static void probe_module(struct stranger *s)
{
	int fd = socket(AF_NETLINK, SOCK_RAW, NO_SUCH_PROTO);

	(void)s;
	if (fd >= 0 || errno != EPROTONOSUPPORT)
		die("netlink protocol %u: %m", NO_SUCH_PROTO);
}

static void use_and_exit(void *arg)
{
	struct stranger s;

	(void)arg;
	must(kfd_start(&s.k), "opening the GPU");
	must(kfd_bo_create(&s.k, 0, MEM_GTT, KFD_PAGE, &s.bo), "a buffer");
	must(kfd_queue_create(&s.k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, RING, &s.q), "a queue");
	probe_packet(&s);
}

static void probe_exit(struct stranger *s)
{
	(void)s;
	in_child(use_and_exit, NULL);
}

static const struct {
	const char *name;
	void (*run)(struct stranger *s);
	void (*prepare)(struct stranger *s);	/* not measured */
} probes[NR_PROBES] = {
	[PACKET]   = { "packet", probe_packet },
	[MAP]      = { "mmap, munmap", probe_map },
	[TRUNCATE] = { "ftruncate", probe_truncate },
	[ALLOC]    = { "ALLOC", probe_alloc },
	/* of a queue that is on the GPU */
	[PAUSE]    = { "PROCESS_INFO", probe_info, probe_packet },
	[MODULE]   = { "module load", probe_module },
	[EXIT]     = { "start and exit", probe_exit },
};

static void stranger_start(struct stranger *s)
{
	struct kfd_bo bo;

	must(kfd_start(&s->k), "opening the GPU");
	must(kfd_bo_create(&s->k, 0, MEM_GTT, KFD_PAGE, &s->bo), "a buffer");
	must(kfd_queue_create(&s->k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, RING, &s->q), "a queue");
	s->fd = memfd_create("stranger", MFD_CLOEXEC);
	if (s->fd < 0 || ftruncate(s->fd, MEM_BYTES))
		die("a file: %m");
	s->map = mmap(NULL, MEM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
	if (s->map == MAP_FAILED)
		die("mapping a file: %m");
	must(kfd_bo_userptr(&s->k, 0, s->map, MEM_BYTES, &bo), "registering memory");
}

/**
 * struct times - what each thing took
 * @n: samples of each
 * @us: microseconds
 */
struct times {
	unsigned int n;
	double us[NR_PROBES][TURNS * SAMPLES];
};

static double probe_once(struct stranger *s, enum probe what)
{
	double t;

	if (probes[what].prepare)
		probes[what].prepare(s);
	t = now();
	probes[what].run(s);
	return (now() - t) * 1e6;
}

static void measure(struct stranger *s, struct times *times)
{
	for (unsigned int what = 0; what < NR_PROBES; what++)
		for (unsigned int i = 0; i < SAMPLES; i++)
			times->us[what][times->n + i] = probe_once(s, what);
	times->n += SAMPLES;
}

/* The least of three: one may be late by chance, and what lasts makes all of them so. */
static double probe_surely(struct stranger *s, enum probe what)
{
	double us[3];

	for (unsigned int i = 0; i < 3; i++)
		us[i] = probe_once(s, what);
	return least(us, 3);
}

/* Seconds from now until nothing takes much longer than it did beside busy processes. */
static double until_as_before(struct stranger *s, const double *usual)
{
	double start = now(), last = 0;

	while (now() - start < 2 * AFTER_S) {
		for (unsigned int what = 0; what < NR_PROBES; what++)
			if (probe_surely(s, what) > 3 * usual[what])
				last = now() - start;
		/* nothing for a while */
		if (now() - start > last + AFTER_S / 2)
			break;
	}
	return last;
}

static void beside_busy(struct stranger *s, const struct kind *kind, struct times *times)
{
	struct crowd c;

	crowd_start(&c, kind->n, be_busy, NULL);
	measure(s, times);
	crowd_kill(&c);
	crowd_wait(&c);
}

/* Returns how many seconds it was felt after their death. */
static double beside_hostile(struct stranger *s, const struct kind *kind, struct times *times,
			     const double *usual)
{
	struct kfd_slow slow;
	struct crowd c;
	double after;

	if (kind->slow) {
		must(kfd_slow_start(&slow, 64, 0), "a file system of a process");
		kfd_slow_block(&slow);
	}
	crowd_start(&c, kind->n, kind->run, &slow);
	measure(s, times);
	crowd_kill(&c);
	after = until_as_before(s, usual);
	if (kind->slow)
		kfd_slow_stop(&slow);
	crowd_wait(&c);
	return after;
}

/* The worst of the stranger's ratios beside a kind, and when it was over; by turns. */
static void figures_kind(struct stranger *s, const struct kind *kind)
{
	static struct times busy, hostile;
	double usual[NR_PROBES], took[NR_PROBES], after, latest = 0;
	unsigned int worst = 0;

	progress("a stranger beside %u processes: %s", kind->n, kind->name);
	busy.n = 0;
	hostile.n = 0;
	for (unsigned int turn = 0; turn < TURNS; turn++) {
		beside_busy(s, kind, &busy);
		for (unsigned int what = 0; what < NR_PROBES; what++)
			usual[what] = median(busy.us[what], busy.n);
		after = beside_hostile(s, kind, &hostile, usual);
		latest = after > latest ? after : latest;
	}
	for (unsigned int what = 0; what < NR_PROBES; what++) {
		took[what] = median(hostile.us[what], hostile.n);
		if (took[what] / usual[what] > took[worst] / usual[worst])
			worst = what;
	}
	report_time(text("stranger, beside %s", kind->name),
		    text("%s: %.0f us", probes[worst].name, took[worst]),
		    text("%.0f us beside busy ones", usual[worst]), took[worst] / usual[worst],
		    "", AT_MOST, 3);
	report_time(text("stranger, after %s", kind->name), text("%.2f s", latest),
		    "their death", latest, " s", AT_MOST, AFTER_S);
}

/**
 * figures_stranger() - what others can make one wait for
 * @sz: whether; not in a quick run
 */
void figures_stranger(const struct sizes *sz)
{
	static struct stranger s;

	if (!sz->stranger) {
		progress("a stranger beside hostile processes: only without QUICK=1");
		return;
	}
	stranger_start(&s);
	for (unsigned int i = 0; i < num_kinds; i++)
		figures_kind(&s, &kinds[i]);
}
