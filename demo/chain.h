/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The chain of work that the demo runs: what every step does is drawn from a
 * seed, so that the GPU queues and a plain loop on the CPU can both follow it,
 * and must end with the same bytes.
 *
 * Memory is a row of tiles; they may lie in different kinds of memory. One of
 * them is the hole. A step
 *
 *  1. stamps eight dwords into some tile (compute queue),
 *  2. copies a tile into the hole, in two pieces of odd length; the tile it
 *     came from is the hole of the next step, so that nothing is ever lost
 *     (copy engine),
 *  3. fills a few dwords of some tile with a constant (copy engine),
 *  4. adds a number to a 64-bit word of some tile (copy engine).
 *
 * The order within a step and between steps is strict: every byte depends on
 * all steps before.
 */
#ifndef DEMO_CHAIN_H
#define DEMO_CHAIN_H

#include <stdint.h>

#define TILE_BYTES (1u << 20)
#define STAMP_DWORDS 8u

/**
 * struct chain - where a follower of the chain stands
 * @rng: state of the generator
 * @hole: tile that the next copy goes to
 * @tiles: number of tiles
 */
struct chain {
	uint64_t rng;
	uint32_t hole;
	uint32_t tiles;
};

/**
 * struct step - what one step does; offsets and lengths in bytes within a tile
 * @stamp: the dwords of the stamp
 * @stamp_tile: tile that is stamped
 * @stamp_off: where, a multiple of 4
 * @src: tile that is copied
 * @dst: tile that it is copied to
 * @split: length of the first piece of the copy
 * @fill_tile: tile that is filled
 * @fill_off: from where, a multiple of 4
 * @fill_len: how much, a multiple of 4
 * @fill_value: with what
 * @add_tile: tile with the word that is added to
 * @add_off: which word, a multiple of 8
 * @add_value: what is added
 */
struct step {
	uint32_t stamp[STAMP_DWORDS];
	uint32_t stamp_tile, stamp_off;
	uint32_t src, dst, split;
	uint32_t fill_tile, fill_off, fill_len, fill_value;
	uint32_t add_tile, add_off;
	uint64_t add_value;
};

void chain_start(struct chain *c, uint64_t seed, uint32_t tiles);
void chain_next(struct chain *c, struct step *s);
void chain_fill_tile(void *tile, uint64_t seed, uint32_t index);
void chain_replay_step(uint8_t *const *tile, const struct step *s);
uint64_t chain_checksum(uint64_t sum, const void *data, uint64_t bytes);

#endif
