/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The image files of GPU state, in criu's image directory. ID is criu's number
 * of the open file, in decimal.
 *
 *   kfd-file-ID.img         an open file of /dev/kfd or of a render node
 *   kfd-process-ID.img      the GPU state of the process behind that file
 *   kfd-contents-ID-N.img   pages of its buffers, written by thread N
 *   kfd-inventory.img       which of the first there are, and small files that
 *                           have to be there elsewhere
 *
 * Every file begins with struct image_header. In those of contents pages follow
 * from byte 4096 on; in the others a protobuf message, and nothing after it.
 * Everything is little-endian.
 */
#ifndef KFD_PLUGIN_IMAGE_H
#define KFD_PLUGIN_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "contents.h"
#include "kfd.pb-c.h"

#define KFD_IMAGE_VERSION	1
#define KFD_IMAGE_MAGIC		"KFDCRIMG"

/* Bounds for what is believed of an image; far above what a driver makes. */
#define IMAGE_MAX_PAYLOAD	(1ULL << 30)
#define IMAGE_MAX_DEVICES	256
/* Of the inventory: names and bytes of a file, and files. */
#define IMAGE_MAX_SHM_NAMES	8
#define IMAGE_MAX_SHM_SIZE	(1U << 20)
#define IMAGE_MAX_SHM		16
#define IMAGE_MAX_BO_SIZE	(1ULL << 47)

/**
 * enum image_kind - what an image file is
 * @IMAGE_FILE: kfd-file-ID.img
 * @IMAGE_PROCESS: kfd-process-ID.img
 * @IMAGE_CONTENTS: kfd-contents-ID-N.img
 * @IMAGE_INVENTORY: kfd-inventory.img
 */
enum image_kind {
	IMAGE_FILE = 1,
	IMAGE_PROCESS = 2,
	IMAGE_CONTENTS = 3,
	IMAGE_INVENTORY = 4,
};

/**
 * enum kfd_file_kind - KfdFileEntry.kind
 * @KFD_FILE_KFD: /dev/kfd
 * @KFD_FILE_RENDER: a render node
 * @KFD_FILE_DEAD: /dev/kfd, opened by a process that is gone; nobody can use it
 */
enum kfd_file_kind {
	KFD_FILE_KFD = 1,
	KFD_FILE_RENDER = 2,
	KFD_FILE_DEAD = 3,
};

/**
 * struct image_header - the first 40 bytes of every image file
 * @magic: KFD_IMAGE_MAGIC, without its terminator
 * @version: KFD_IMAGE_VERSION
 * @kind: enum image_kind
 * @payload: bytes of the message that follows; contents: the file's number N
 * @hash: XXH64 of the message, seed @kind; contents: dump_id of the dump
 * @header_hash: XXH64 of all the above, seed 0
 */
struct image_header {
	char magic[8];
	uint32_t version;
	uint32_t kind;
	uint64_t payload;
	uint64_t hash;
	uint64_t header_hash;
};

int image_check_file(unsigned int id, const KfdFileEntry *entry);
int image_write_file(int dir, unsigned int id, const KfdFileEntry *entry);
int image_write_process(int dir, unsigned int id, const KfdProcess *process);
int image_reserve_process(int dir, unsigned int id, const KfdProcess *process);
int image_create_contents(int dir, unsigned int id, unsigned int nr, uint64_t dump_id);
void image_remove(int dir, unsigned int id);
int image_write_inventory(int dir, const KfdInventory *inventory);
void image_remove_inventory(int dir);

int image_read_file(int dir, unsigned int id, KfdFileEntry **out);
int image_read_process(int dir, unsigned int id, KfdProcess **out);
int image_read_inventory(int dir, KfdInventory **out);
int image_open_contents(int dir, unsigned int id, unsigned int nr,
			const KfdProcess *process);
int image_file_id(const char *name, unsigned int *id);
bool image_wants_tid(pid_t tid, void *arg);

bool bo_has_contents(uint32_t alloc_flags);
const char *bo_label(char *buf, size_t size, size_t index, const KfdBo *bo);

#define BO_LABEL_SIZE		96

#endif
