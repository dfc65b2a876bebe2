// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mode "uring" of gpu_user: a GPU with work in its queue, one io_uring with
 * a read under way, and one that has nothing to do. criu cannot dump a ring.
 *
 * At the first signal everything has to come to its right end: the GPU's
 * steps, the read, and one more on each ring. Then the rings are drained and
 * closed, as a program has to do before a dump.
 *
 * That is not enough when the kernel has made a thread for a ring: it is ready
 * with one of these, and at the next signal it is rid of that, too, and ready
 * to be dumped, with new work for the GPU.
 */
#define _GNU_SOURCE
#include "gpu_user.h"

#include <linux/io_uring.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "lib/kfd_lib.h"
#include "lib/kfd_packets.h"

#define ENTRIES		4
#define STEPS		32
#define PATIENCE	30000			/* milliseconds */

/* A ring, by the system calls alone. */
struct ring {
	int fd;
	struct io_uring_params p;
	char *rings;
	size_t rings_size;
	struct io_uring_sqe *sqes;
};

static uint32_t *word(const struct ring *r, uint32_t offset)
{
	return (uint32_t *)(r->rings + offset);
}

static void open_ring(struct ring *r)
{
	size_t sq, cq;

	memset(r, 0, sizeof(*r));
	r->fd = syscall(SYS_io_uring_setup, ENTRIES, &r->p);
	REQUIRE(r->fd >= 0 && r->p.features & IORING_FEAT_SINGLE_MMAP);
	sq = r->p.sq_off.array + r->p.sq_entries * sizeof(uint32_t);
	cq = r->p.cq_off.cqes + r->p.cq_entries * sizeof(struct io_uring_cqe);
	r->rings_size = sq > cq ? sq : cq;
	r->rings = mmap(NULL, r->rings_size, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
			IORING_OFF_SQ_RING);
	r->sqes = mmap(NULL, r->p.sq_entries * sizeof(*r->sqes), PROT_READ | PROT_WRITE,
		       MAP_SHARED, r->fd, IORING_OFF_SQES);
	REQUIRE(r->rings != MAP_FAILED && (void *)r->sqes != MAP_FAILED);
}

static void close_ring(struct ring *r)
{
	REQUIRE(!munmap(r->rings, r->rings_size));
	REQUIRE(!munmap(r->sqes, r->p.sq_entries * sizeof(*r->sqes)));
	REQUIRE(!close(r->fd));
}

/* Of a socket, which the ring polls; or, with IOSQE_ASYNC, in a thread. */
static void submit_read(struct ring *r, int fd, void *buf, unsigned int len, int flags)
{
	uint32_t tail = *word(r, r->p.sq_off.tail);
	uint32_t index = tail & *word(r, r->p.sq_off.ring_mask);

	r->sqes[index] = (struct io_uring_sqe) {
		.opcode = IORING_OP_READ, .flags = flags, .fd = fd,
		.addr = (uintptr_t)buf, .len = len, .user_data = len,
	};
	word(r, r->p.sq_off.array)[index] = index;
	__atomic_store_n(word(r, r->p.sq_off.tail), tail + 1, __ATOMIC_RELEASE);
	REQUIRE(syscall(SYS_io_uring_enter, r->fd, 1, 0, 0, NULL, 0) == 1);
}

static unsigned int completions(const struct ring *r)
{
	return __atomic_load_n(word(r, r->p.cq_off.tail), __ATOMIC_ACQUIRE) -
	       *word(r, r->p.cq_off.head);
}

/* The one read that is under way has brought all that it asked for. */
static void reap_read(struct ring *r, unsigned int len)
{
	uint32_t head = *word(r, r->p.cq_off.head);
	const struct io_uring_cqe *cqe;

	REQUIRE(syscall(SYS_io_uring_enter, r->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0) >= 0);
	cqe = (const struct io_uring_cqe *)word(r, r->p.cq_off.cqes) +
	      (head & *word(r, r->p.cq_off.ring_mask));
	if (completions(r) != 1 || cqe->user_data != len || cqe->res != (int)len) {
		report("a ring has %u completions, the first with %d of %u", completions(r),
		       cqe->res, len);
		_exit(1);
	}
	__atomic_store_n(word(r, r->p.cq_off.head), head + 1, __ATOMIC_RELEASE);
}

/* A ring that works: a read of what is there already. */
static void use_ring(struct ring *r, const int *ends, int flags)
{
	char in[4] = "", out[4] = "abc";

	REQUIRE(write(ends[1], out, sizeof(out)) == sizeof(out));
	submit_read(r, ends[0], in, sizeof(in), flags);
	reap_read(r, sizeof(in));
	REQUIRE(!memcmp(in, out, sizeof(in)));
}

/* The kernel's thread stays as long as this one, which has used the ring. */
static pthread_barrier_t barrier;

static void *leave_worker(void *ends)
{
	struct ring r;

	open_ring(&r);
	use_ring(&r, ends, IOSQE_ASYNC);
	close_ring(&r);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return NULL;
}

struct work {
	struct kfd k;
	struct kfd_queue q;
	struct kfd_bo words;		/* the gate, and a word for each step */
	unsigned int done;		/* steps that have been asked for */
};

/* The gate is shut, and there are steps behind it. */
static void queue_work(struct work *w)
{
	uint32_t packet[16];
	unsigned int i, n;

	n = pm4_wait_reg_mem(packet, PM4_FUNC_EQUAL, w->words.va, w->done + STEPS, ~0u);
	REQUIRE_OK(kfd_queue_emit(&w->q, packet, n));
	for (i = 0; i < STEPS; i++) {
		w->done++;
		n = pm4_write_data(packet, w->words.va + w->done * 4, ~w->done);
		REQUIRE_OK(kfd_queue_emit(&w->q, packet, n));
	}
	kfd_queue_submit(&w->q);
}

static void finish_work(struct work *w)
{
	volatile uint32_t *words = w->words.cpu;
	unsigned int i;

	REQUIRE(!words[w->done]);
	words[0] = w->done;
	REQUIRE_OK(kfd_wait_u32((uint32_t *)&words[w->done], ~w->done, PATIENCE));
	for (i = 1; i <= w->done; i++)
		if (words[i] != ~i) {
			report("step %u of %u was not done", i, w->done);
			_exit(1);
		}
}

/* What was under way, and what comes after it. */
static void finish_rings(struct ring *busy, struct ring *quiet, const int *ends, char *buf)
{
	REQUIRE(!completions(busy) && !completions(quiet));
	REQUIRE(write(ends[1], "right", 6) == 6);
	reap_read(busy, 6);
	REQUIRE(!strcmp(buf, "right"));
	use_ring(busy, ends, 0);
	use_ring(quiet, ends, 0);
	close_ring(busy);
	close_ring(quiet);
}

/**
 * use_uring() - a GPU and two rings, to be refused; then a GPU alone
 */
void use_uring(void)
{
	struct work *w = calloc(1, sizeof(*w));
	struct ring busy, quiet;
	pthread_t thread;
	char buf[6] = "";
	int ends[2];

	REQUIRE(w && !socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
	REQUIRE_OK(kfd_start(&w->k));
	REQUIRE_OK(kfd_bo_create(&w->k, 0, MEM_VRAM, KFD_PAGE, &w->words));
	REQUIRE_OK(kfd_queue_create(&w->k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, 8192, &w->q));
	memset(w->words.cpu, 0, KFD_PAGE);
	open_ring(&busy);
	open_ring(&quiet);
	use_ring(&quiet, ends, 0);
	submit_read(&busy, ends[0], buf, sizeof(buf), 0);
	queue_work(w);
	wait_signal();

	finish_rings(&busy, &quiet, ends, buf);
	finish_work(w);
	REQUIRE(!pthread_barrier_init(&barrier, NULL, 2));
	REQUIRE(!pthread_create(&thread, NULL, leave_worker, ends));
	pthread_barrier_wait(&barrier);
	queue_work(w);
	wait_signal();

	finish_work(w);
	pthread_barrier_wait(&barrier);
	REQUIRE(!pthread_join(thread, NULL));
	queue_work(w);
	wait_signal();
	check_fds(0);
	finish_work(w);
}
