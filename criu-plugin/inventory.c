// SPDX-License-Identifier: GPL-2.0-only
/*
 * What belongs to a dump: kfd-inventory.img.
 *
 * criu asks for one file after the other, and of one whose image is missing the
 * plugin could only say that it is none of its own. The inventory tells. It is
 * looked at when criu loads the plugin for a restore: what is missing or damaged
 * is named before any process has been made.
 *
 * Each file is in it before anything is written or paused for that file: a
 * directory that cannot be written to fails the dump there, and if criu dies on
 * the way the inventory has what is missing. That it is written anew each time
 * costs little, and at the end of a dump it would be too late to fail it.
 *
 * Dumps of older plugins have none, and their files do not say that there is.
 */
#define _GNU_SOURCE
#include "inventory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image.h"
#include "log.h"
#include "shm.h"

static KfdInventory inventory = KFD_INVENTORY__INIT;
static bool shm_collected;

/**
 * inventory_begin() - a dump begins: what an earlier one has left is of no use
 * @dir: image directory
 *
 * The next one may have no GPU, and would be taken for one with a GPU and
 * without its inventory.
 */
void inventory_begin(int dir)
{
	KfdInventory *old;
	size_t i;

	if (!image_read_inventory(dir, &old)) {
		for (i = 0; i < old->n_ids; i++)
			image_remove(dir, old->ids[i]);
		kfd_inventory__free_unpacked(old, NULL);
	}
	image_remove_inventory(dir);
}

static int collect_shm(void)
{
	if (shm_collected && !shm_changed(&inventory))
		return 0;
	shm_free(&inventory);
	shm_collected = true;
	return shm_collect(&inventory);
}

/**
 * inventory_add() - a file is going to be dumped
 * @dir: image directory
 * @id: criu's number of the file
 * @dump_id: of the dump
 *
 * Return: 0, or a negative errno; the error has been logged.
 */
int inventory_add(int dir, unsigned int id, uint64_t dump_id)
{
	uint32_t *ids = realloc(inventory.ids, (inventory.n_ids + 1) * sizeof(*ids));
	int ret;

	if (!ids) {
		pr_err("file %#x: out of memory\n", id);
		return -ENOMEM;
	}
	inventory.dump_id = dump_id;
	inventory.ids = ids;
	ids[inventory.n_ids++] = id;
	ret = collect_shm();
	return ret ? ret : image_write_inventory(dir, &inventory);
}

/**
 * inventory_finish() - a dump is over
 * @dir: image directory
 * @failed: there is nothing to restore
 */
void inventory_finish(int dir, bool failed)
{
	size_t i;

	for (i = 0; failed && i < inventory.n_ids; i++)
		image_remove(dir, inventory.ids[i]);
	if (failed && inventory.n_ids)
		image_remove_inventory(dir);
	free(inventory.ids);
	shm_free(&inventory);
	shm_collected = false;
	kfd_inventory__init(&inventory);
}

/* The state of a process, with its contents: all there, and whole? */
static int check_state(int dir, unsigned int id, uint64_t dump_id)
{
	unsigned int nr;
	KfdProcess *p;
	int ret;

	ret = image_read_process(dir, id, &p);
	if (ret)
		return ret;
	if (p->dump_id != dump_id) {
		pr_err("kfd-process-%u.img: of another dump than kfd-inventory.img\n", id);
		ret = -EINVAL;
	}
	for (nr = 0; !ret && nr < p->n_contents_sizes; nr++) {
		int fd = image_open_contents(dir, id, nr, p);

		if (fd < 0)
			ret = fd;
		else
			close(fd);
	}
	kfd_process__free_unpacked(p, NULL);
	return ret;
}

static int check_file(int dir, unsigned int id, uint64_t dump_id)
{
	KfdFileEntry *e;
	int ret;

	ret = image_read_file(dir, id, &e);
	if (ret == -ENOENT)
		pr_err("kfd-file-%u.img: missing: kfd-inventory.img says that it belongs to the dump\n",
		       id);
	if (ret)
		return ret;
	if (e->dump_id != dump_id) {
		pr_err("kfd-file-%u.img: of another dump than kfd-inventory.img\n", id);
		ret = -EINVAL;
	} else if (e->kind == KFD_FILE_KFD && e->has_state_id && e->state_id == id) {
		ret = check_state(dir, id, dump_id);
	}
	kfd_file_entry__free_unpacked(e, NULL);
	return ret;
}

/* Without an inventory: is there a file that says that there was one? */
static int check_missing(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;
	KfdFileEntry *e;
	unsigned int id;

	if (!d) {
		ret = -errno;
		pr_err("the image directory cannot be listed: %s\n", strerror(-ret));
		return ret;
	}
	while (!ret && (de = readdir(d))) {
		if (image_file_id(de->d_name, &id) || image_read_file(dir, id, &e))
			continue;
		if (e->has_inventory && e->inventory) {
			pr_err("kfd-inventory.img: missing: kfd-file-%u.img says that there is one\n",
			       id);
			ret = -ENOENT;
		}
		kfd_file_entry__free_unpacked(e, NULL);
	}
	closedir(d);
	return ret;
}

/**
 * inventory_check() - before a restore: is everything there?
 * @dir: image directory
 *
 * Files that are missing elsewhere on the machine are made (shm.c).
 *
 * Return: 0, also for a dump without GPUs; or a negative errno: what is missing
 * or damaged has been logged, all of it.
 */
int inventory_check(int dir)
{
	KfdInventory *i;
	int ret, err;
	size_t n;

	ret = image_read_inventory(dir, &i);
	if (ret == -ENOENT)
		return check_missing(dir);
	if (ret)
		return ret;
	for (n = 0; n < i->n_ids; n++) {
		err = check_file(dir, i->ids[n], i->dump_id);
		ret = ret ? ret : err;
	}
	if (!ret)
		ret = shm_bring(i);
	kfd_inventory__free_unpacked(i, NULL);
	return ret;
}
