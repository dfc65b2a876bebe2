// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mode "moved" of gpu_user: a memfd that is mapped twice, and a GPU that
 * works on the first mapping when the program is dumped. It is to be restored
 * with the GPU at the second one: the first is taken away before the GPU may
 * go on, and what it does from then on is looked for in the second.
 *
 * Of two buffers one has the word that the queue waits for, so that the GPU
 * has to read there, too. A third one is elsewhere and stays where it is.
 */
#define _GNU_SOURCE
#include "gpu_user.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "lib/kfd_lib.h"
#include "lib/kfd_packets.h"

#define FIRST		0x100000000000ull
#define SECOND		0x180000000000ull
#define MAP_BYTES	(32 * KFD_PAGE)
#define WORDS_AT	KFD_PAGE		/* buffers, from the mapping's start */
#define DATA_AT		(4 * KFD_PAGE)
#define DATA_BYTES	(16 * KFD_PAGE)
#define STEPS		48			/* two thirds of them after the dump */
#define BEFORE		16
#define SEED		7
#define PATIENCE	30000			/* milliseconds */

/* Words of the buffer at WORDS_AT. */
enum { WORD_GATE, WORD_DONE };

struct moved {
	struct kfd k;
	struct kfd_queue q;
	struct kfd_bo words, data, other;
	uint32_t want[DATA_BYTES / 4];
};

/* Word that a step writes: each page gets some. */
static unsigned int step_word(unsigned int step)
{
	return step % (DATA_BYTES / KFD_PAGE) * (KFD_PAGE / 4) + step;
}

static void emit_steps(struct moved *m, unsigned int from, unsigned int to)
{
	uint32_t packet[16], value;
	unsigned int i, n;

	for (i = from; i < to; i++) {
		value = ~i;
		m->want[step_word(i)] = value;
		n = pm4_write_data(packet, m->data.va + step_word(i) * 4, value);
		REQUIRE_OK(kfd_queue_emit(&m->q, packet, n));
		n = pm4_write_data(packet, m->other.va + i * 4, value);
		REQUIRE_OK(kfd_queue_emit(&m->q, packet, n));
	}
	n = pm4_write_data(packet, m->words.va + WORD_DONE * 4, to);
	REQUIRE_OK(kfd_queue_emit(&m->q, packet, n));
	kfd_queue_submit(&m->q);
}

static void await_steps(const char *map, unsigned int steps)
{
	const uint32_t *words = (const uint32_t *)(map + WORDS_AT);

	REQUIRE_OK(kfd_wait_u32(&words[WORD_DONE], steps, PATIENCE));
}

static char *map_at(uint64_t addr, int flags, int fd)
{
	char *p = mmap((void *)addr, MAP_BYTES, PROT_READ | PROT_WRITE,
		       flags | MAP_FIXED_NOREPLACE, fd, 0);

	REQUIRE(p == (void *)addr);
	return p;
}

/* The GPU does its first steps and comes to the gate. */
static void start_work(struct moved *m, char *first)
{
	uint32_t packet[16];
	unsigned int n;

	kfd_fill_pattern(first + DATA_AT, DATA_BYTES, SEED);
	kfd_fill_pattern(m->want, DATA_BYTES, SEED);
	emit_steps(m, 0, BEFORE);
	n = pm4_wait_reg_mem(packet, PM4_FUNC_EQUAL, m->words.va + WORD_GATE * 4, 1, ~0u);
	REQUIRE_OK(kfd_queue_emit(&m->q, packet, n));
	emit_steps(m, BEFORE, STEPS);
	await_steps(first, BEFORE);
}

static void check_work(const struct moved *m, const char *second, const uint32_t *other,
		       unsigned int steps)
{
	unsigned int i;

	if (memcmp(second + DATA_AT, m->want, DATA_BYTES)) {
		report("after %u steps the GPU's memory is not what it should be", steps);
		_exit(1);
	}
	for (i = 0; i < steps; i++)
		if (other[i] != ~i) {
			report("step %u of %u is not in the buffer that stayed", i, steps);
			_exit(1);
		}
}

/**
 * use_moved() - be restored with the GPU at another mapping
 *
 * Says where the mappings are as KFD_PLUGIN_MOVE_USERPTRS wants it.
 */
void use_moved(void)
{
	struct moved *m = calloc(1, sizeof(*m));
	char *first, *second, *other;
	int fd;

	REQUIRE(m);
	REQUIRE_OK(kfd_start(&m->k));
	fd = memfd_create("moved", MFD_CLOEXEC);
	REQUIRE(fd >= 0 && !ftruncate(fd, MAP_BYTES));
	first = map_at(FIRST, MAP_SHARED, fd);
	second = map_at(SECOND, MAP_SHARED, fd);
	other = map_at(FIRST + MAP_BYTES, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	REQUIRE_OK(kfd_bo_userptr(&m->k, 0, first + WORDS_AT, KFD_PAGE, &m->words));
	REQUIRE_OK(kfd_bo_userptr(&m->k, 0, first + DATA_AT, DATA_BYTES, &m->data));
	REQUIRE_OK(kfd_bo_userptr(&m->k, 0, other, MAP_BYTES, &m->other));
	REQUIRE_OK(kfd_queue_create(&m->k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, 8192, &m->q));
	start_work(m, first);
	report("move %llx-%llx:%llx", FIRST, FIRST + MAP_BYTES, SECOND);

	wait_signal();
	check_fds(0);
	REQUIRE(!munmap(first, MAP_BYTES));
	await_steps(second, BEFORE);
	*(volatile uint32_t *)(second + WORDS_AT + WORD_GATE * 4) = 1;
	await_steps(second, STEPS);
	check_work(m, second, (uint32_t *)other, STEPS);
	emit_steps(m, STEPS, 2 * STEPS);
	await_steps(second, 2 * STEPS);
	check_work(m, second, (uint32_t *)other, 2 * STEPS);
}
