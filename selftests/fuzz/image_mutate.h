/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A mutator that knows checkpoint images, for the fuzzers.
 *
 * It changes what random bytes hardly ever hit: fields of records, their
 * order, number and lengths. Most of its mutants keep what holds an image
 * together (lengths, counts) consistent, so that they get past the checks of
 * the framing and deep into what is behind them; some do not. It is
 * deterministic: the same bytes and the same seed give the same mutant.
 *
 * Pure code, used by one thread at a time; there is nothing to lock.
 */
#ifndef KFD_FUZZ_IMAGE_MUTATE_H
#define KFD_FUZZ_IMAGE_MUTATE_H

#include <stddef.h>
#include <stdint.h>

#define IMAGE_MUTATE_MAX_RECORDS	256	/* of an image that are looked at */

/**
 * struct image_rng - source of numbers (splitmix64)
 * @state: the seed to start with
 */
struct image_rng {
	uint64_t state;
};

uint64_t image_random(struct image_rng *rng);
uint32_t image_below(struct image_rng *rng, uint32_t limit);
uint64_t image_interesting(struct image_rng *rng, uint64_t old);
void image_mutate_field(struct image_rng *rng, void *field, unsigned int bytes);

size_t image_mutate(uint8_t *data, size_t len, size_t room, const uint8_t *other,
		    size_t other_len, uint64_t seed);
void image_make_consistent(uint8_t *data, size_t len);

#endif
