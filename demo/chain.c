// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the demo's steps do, and the same on the CPU: see chain.h.
 */
#include <string.h>

#include "chain.h"

/* splitmix64: one number per call */
static uint64_t draw(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static uint32_t draw_below(uint64_t *state, uint32_t limit)
{
	return (uint32_t)((draw(state) >> 32) * limit >> 32);
}

/**
 * chain_start() - stand before the first step
 * @c: filled in
 * @seed: of the whole chain
 * @tiles: number of tiles, at least 2; the last one is the first hole
 */
void chain_start(struct chain *c, uint64_t seed, uint32_t tiles)
{
	c->rng = seed;
	c->tiles = tiles;
	c->hole = tiles - 1;
}

/**
 * chain_next() - draw the next step
 * @c: moved on by one step
 * @s: filled in
 */
void chain_next(struct chain *c, struct step *s)
{
	for (uint32_t i = 0; i < STAMP_DWORDS; i++)
		s->stamp[i] = (uint32_t)draw(&c->rng);
	s->stamp_tile = draw_below(&c->rng, c->tiles);
	s->stamp_off = draw_below(&c->rng, TILE_BYTES / 4 - STAMP_DWORDS + 1) * 4;

	s->dst = c->hole;
	s->src = draw_below(&c->rng, c->tiles - 1);
	if (s->src >= c->hole)
		s->src++;
	s->split = 1 + draw_below(&c->rng, TILE_BYTES - 1);
	c->hole = s->src;

	s->fill_tile = draw_below(&c->rng, c->tiles);
	s->fill_len = (1 + draw_below(&c->rng, 4096)) * 4;
	s->fill_off = draw_below(&c->rng, (TILE_BYTES - s->fill_len) / 4 + 1) * 4;
	s->fill_value = (uint32_t)draw(&c->rng);

	s->add_tile = draw_below(&c->rng, c->tiles);
	s->add_off = draw_below(&c->rng, TILE_BYTES / 8) * 8;
	s->add_value = draw(&c->rng);
}

/**
 * chain_fill_tile() - what a tile holds before the first step
 * @tile: TILE_BYTES of memory, 8-byte aligned
 * @seed: of the chain
 * @index: number of the tile
 */
void chain_fill_tile(void *tile, uint64_t seed, uint32_t index)
{
	uint64_t state = seed ^ (uint64_t)(index + 1) << 32;
	uint64_t *word = tile;

	for (uint32_t i = 0; i < TILE_BYTES / 8; i++)
		word[i] = draw(&state);
}

/**
 * chain_replay_step() - do on the CPU, with plain memory, what a step does
 * @tile: the tiles
 * @s: the step
 */
void chain_replay_step(uint8_t *const *tile, const struct step *s)
{
	uint32_t *fill = (uint32_t *)(tile[s->fill_tile] + s->fill_off);
	uint64_t *word = (uint64_t *)(tile[s->add_tile] + s->add_off);

	memcpy(tile[s->stamp_tile] + s->stamp_off, s->stamp, sizeof(s->stamp));
	memcpy(tile[s->dst], tile[s->src], TILE_BYTES);
	for (uint32_t i = 0; i < s->fill_len / 4; i++)
		fill[i] = s->fill_value;
	*word += s->add_value;
}

/**
 * chain_checksum() - go on with a checksum
 * @sum: of what came before, 0 at the start
 * @data: more, 8-byte aligned
 * @bytes: how much, a multiple of 8
 *
 * Return: the new sum; it depends on the order of all words.
 */
uint64_t chain_checksum(uint64_t sum, const void *data, uint64_t bytes)
{
	const uint64_t *word = data;

	for (uint64_t i = 0; i < bytes / 8; i++) {
		sum = (sum ^ word[i]) * 0x9e3779b97f4a7c15;
		sum ^= sum >> 29;
	}
	return sum;
}
