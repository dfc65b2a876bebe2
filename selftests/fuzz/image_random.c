// SPDX-License-Identifier: GPL-2.0-only
/*
 * The numbers that the mutator of checkpoint images works with: random ones,
 * always the same for the same seed, and those that programs like to get wrong.
 *
 * Pure code, used by one thread at a time; there is nothing to lock.
 */
#include <string.h>

#include "image_mutate.h"

/**
 * image_random - the next number
 * @rng: the source
 *
 * Return: 64 random bits.
 */
uint64_t image_random(struct image_rng *rng)
{
	uint64_t x = rng->state += 0x9e3779b97f4a7c15ULL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

/**
 * image_below - the next number below a limit
 * @rng: the source
 * @limit: not 0
 *
 * Return: 0..@limit - 1.
 */
uint32_t image_below(struct image_rng *rng, uint32_t limit)
{
	return (uint32_t)((image_random(rng) >> 32) * limit >> 32);
}

/**
 * image_interesting - a value that programs like to get wrong
 * @rng: the source
 * @old: what there is now
 *
 * Return: the value.
 */
uint64_t image_interesting(struct image_rng *rng, uint64_t old)
{
	static const uint64_t fixed[] = {
		0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 32, 100, 101, 255, 256, 512, 1023, 1024, 2048,
		4095, 4096, 4097, 8191, 8192, 65535, 65536, 0x3fffffff, 0x40000000, 0x7ffffffe,
		0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff, 0x100000000ULL,
		0x7fffffff0000ULL, 0x7fffffffffffULL, 0x800000000000ULL, 0x7fffffffffffffffULL,
		0x8000000000000000ULL, 0xfffffffffffff000ULL, 0xfffffffffffffff8ULL, ~0ULL,
	};
	static const int32_t steps[] = { -4096, -256, -8, -4, -1, 1, 4, 8, 256, 4096 };

	switch (image_below(rng, 8)) {
	case 0:
		return 1ULL << image_below(rng, 64);
	case 1:
		return (1ULL << image_below(rng, 64)) - 1;
	case 2:
	case 3:
		return old + steps[image_below(rng, 10)];
	case 4:
		return old ^ 1ULL << image_below(rng, 64);
	case 5:
		return image_below(rng, 2) ? (uint64_t)image_below(rng, 64) << 12 :
					     image_random(rng);
	default:
		return fixed[image_below(rng, sizeof(fixed) / sizeof(fixed[0]))];
	}
}

/**
 * image_mutate_field - give a number an interesting value
 * @rng: the source
 * @field: the number, at any alignment
 * @bytes: 1..8
 */
void image_mutate_field(struct image_rng *rng, void *field, unsigned int bytes)
{
	uint64_t value = 0;

	memcpy(&value, field, bytes);
	value = image_interesting(rng, value);
	memcpy(field, &value, bytes);
}
