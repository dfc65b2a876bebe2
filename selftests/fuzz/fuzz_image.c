// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer on the parser of checkpoint images: amdkfd/criu/image.c as it is,
 * under ASan and UBSan, with the mutator that knows images. What is accepted
 * must keep what restore relies on (image_check.c) and must come out of the
 * writer again.
 *
 * When it ends by itself it writes what it has seen into the file that
 * FUZZ_STATS names: "runs N", "accepted N", "deep N" (accepted, or refused for
 * something behind the process record), and "fault TYPE FIELD N" for every
 * field that was named as the fault. selftests/fuzz/run judges by these
 * whether the fuzzing was worth anything.
 *
 * libFuzzer collects images that are refused each in its own way, and most
 * mutants of those are refused for the same reason. So the mutator starts three
 * times out of four from an image that was accepted instead: see the pool.
 *
 * One thread; counters and pool need no lock.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image_check.h"
#include "image_mutate.h"

#define MAX_FAULTS	256
#define POOL		64

/* libFuzzer's own */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
/* called by libFuzzer */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *data1, size_t size1, const uint8_t *data2,
				 size_t size2, uint8_t *out, size_t max_size, unsigned int seed);

static struct {
	uint64_t runs, accepted, deep;
	struct {
		const char *field;
		uint32_t type;
		uint64_t hits;
	} faults[MAX_FAULTS];
	unsigned int num_faults;
} stats;

/* Images that were accepted, some of the seeds and some of the mutants. */
static struct {
	uint8_t *data[POOL];
	size_t size[POOL];
	uint32_t used;
	struct image_rng rng;
} pool;

static const char *const type_names[] = {
	"none", "process", "device", "bo", "event", "queue", "mqd", "ctl_stack", "cu_mask", "svm",
	"unknown", "header",
};

_Static_assert(sizeof(type_names) / sizeof(type_names[0]) == KFD_NUM_RECORD_TYPES + 2,
	       "a name for each type");

#define TYPE_UNKNOWN	KFD_NUM_RECORD_TYPES
#define TYPE_HEADER	(KFD_NUM_RECORD_TYPES + 1)

static void write_stats(void)
{
	const char *path = getenv("FUZZ_STATS");
	unsigned int i;
	FILE *f;

	f = path ? fopen(path, "w") : NULL;
	if (!f)
		return;
	fprintf(f, "runs %llu\naccepted %llu\ndeep %llu\n", (unsigned long long)stats.runs,
		(unsigned long long)stats.accepted, (unsigned long long)stats.deep);
	for (i = 0; i < stats.num_faults; i++)
		fprintf(f, "fault %s %s %llu\n", type_names[stats.faults[i].type],
			stats.faults[i].field, (unsigned long long)stats.faults[i].hits);
	fclose(f);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return atexit(write_stats);
}

static void note_fault(const struct kfd_image_fault *fault)
{
	uint32_t type = fault->record < 0 ? TYPE_HEADER :
		fault->type < KFD_NUM_RECORD_TYPES ? fault->type : TYPE_UNKNOWN;
	unsigned int i;

	for (i = 0; i < stats.num_faults; i++)
		if (stats.faults[i].field == fault->field && stats.faults[i].type == type)
			break;
	if (i == MAX_FAULTS)
		abort();
	if (i == stats.num_faults) {
		stats.faults[i].field = fault->field;
		stats.faults[i].type = type;
		stats.num_faults++;
	}
	stats.faults[i].hits++;
}

static void add_to_pool(const uint8_t *data, size_t size)
{
	uint32_t i = pool.used;

	if (i == POOL) {
		if (image_below(&pool.rng, 16))
			return;
		i = image_below(&pool.rng, POOL);
	} else {
		pool.used++;
	}
	free(pool.data[i]);
	pool.data[i] = malloc(size);
	if (!pool.data[i])
		abort();
	memcpy(pool.data[i], data, size);
	pool.size[i] = size;
}

/* Replace what is to be changed by an image of the pool, mostly. */
static size_t start_from_pool(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	uint32_t i;

	if (!pool.used || seed / 32 % 4 == 0)
		return size;
	i = image_below(&pool.rng, pool.used);
	if (pool.size[i] > max_size)
		return size;
	memcpy(data, pool.data[i], pool.size[i]);
	return pool.size[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kfd_image_fault fault;
	struct kfd_image image;
	uint8_t *exact;
	int ret;

	/* A block of just that size: one byte more is an error to ASan. */
	exact = malloc(size);
	if (!exact)
		return 0;
	memcpy(exact, data, size);
	ret = kfd_image_parse(&image, exact, size, &fault);
	stats.runs++;
	if (!ret) {
		stats.accepted++;
		stats.deep++;
		image_check_accepted(&image);
		image_check_rewritten(&image);
		add_to_pool(data, size);
	} else {
		if (!fault.field || fault.offset > size + sizeof(struct kfd_record_queue) ||
		    (ret != -EINVAL && ret != -E2BIG))
			abort();
		stats.deep += fault.record > 0;
		note_fault(&fault);
	}
	free(exact);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	size = start_from_pool(data, size, max_size, seed);
	if (seed % 32 == 0)
		return LLVMFuzzerMutate(data, size, max_size);
	return image_mutate(data, size, max_size, NULL, 0, seed);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *data1, size_t size1, const uint8_t *data2,
				 size_t size2, uint8_t *out, size_t max_size, unsigned int seed)
{
	size_t size = size1 < max_size ? size1 : max_size;

	memcpy(out, data1, size);
	size = start_from_pool(out, size, max_size, seed);
	return image_mutate(out, size, max_size, data2, size2, seed);
}
