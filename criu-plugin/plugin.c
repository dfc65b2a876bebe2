// SPDX-License-Identifier: GPL-2.0-only
/*
 * kfd_plugin.so: dumps and restores processes that use AMD GPUs, with an
 * unmodified criu, 3.17 or later.
 *
 * Only the hooks are here: what is ours, and who handles it. A process that
 * uses no GPU is left alone; but for images of this plugin and the list of
 * processes that use one nothing is opened or read before a device file of ours
 * turns up.
 */
#include "criu_api.h"
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include "criu.h"
#include "dump.h"
#include "inventory.h"
#include "log.h"
#include "options.h"
#include "foreign.h"
#include "restore.h"
#include "shm.h"
#include "stray.h"
#include "sys.h"
#include "tracees.h"

#define EXPORT __attribute__((visibility("default")))
#define NAME "kfd_plugin"

/* criu's inventory has the plugin. */
static bool required;

/* criu has not looked at any process yet, and ends when this fails. */
static int kfd_plugin_init(int stage)
{
	pr_debug("loaded, stage %d\n", stage);
	if (criu_check_headers() || options_check())
		return -1;
	if (stage == CR_PLUGIN_STAGE__DUMP) {
		/* There may be no file or mapping that criu would ask about. */
		if (criu_root() && stray_check_below(criu_root()))
			return -1;
		inventory_begin(criu_get_image_dir());
	}
	if (stage == CR_PLUGIN_STAGE__RESTORE) {
		criu_plugin_is_here(NAME);
		if (inventory_check(criu_get_image_dir())) {
			shm_take_back();
			return -1;
		}
	}
	return 0;
}

/* Of rings criu says little, or nothing: looked for before anything is paused. */
static bool looked_for_rings, refused_rings;

static bool tree_has_rings(void)
{
	if (!looked_for_rings)
		refused_rings = tracees_have_rings();
	looked_for_rings = true;
	return refused_rings;
}

/* All processes have been looked at since they were stopped. */
static bool looked_for_stray;

/* criu has asked nothing, and is done: did a process lose its state meanwhile? */
static void check_unasked(void)
{
	if (looked_for_stray || foreign_tree_is_checked() || !stray_check_tree())
		return;
	if (criu_fail_dump())
		unlinkat(criu_get_image_dir(), "inventory.img", 0);
	else
		pr_err("criu cannot be told so any more: the images lack that state\n");
}

static void kfd_plugin_exit(int stage, int ret)
{
	if (stage == CR_PLUGIN_STAGE__RESTORE) {
		if (ret)
			shm_take_back();
		return;
	}
	/* The processes are stopped still, if criu has come across one itself. */
	if (ret)
		tree_has_rings();
	else if (stage == CR_PLUGIN_STAGE__DUMP)
		check_unasked();
	looked_for_rings = false;
	looked_for_stray = false;
	required = false;
	dump_finish();
	inventory_finish(criu_get_image_dir(), ret);
}

EXPORT CR_PLUGIN_REGISTER(NAME, kfd_plugin_init, kfd_plugin_exit)

/* So that every criu gets as far as init(), which says what is wrong. */
static void __attribute__((constructor)) limit_hooks(void)
{
	CR_PLUGIN_DESC.max_hooks = criu_limit_hooks(CR_PLUGIN_DESC.max_hooks);
}

#define IS_TYPE(fn, type) __builtin_types_compatible_p(__typeof__(fn), type)

/* A header that has another type for a hook than the function has does not compile. */
#define REGISTER_HOOK(hook, fn) \
	_Static_assert(IS_TYPE(fn, hook##_t), "this criu gives " #hook " other arguments"); \
	CR_PLUGIN_REGISTER_HOOK(hook, fn)

/* Nothing is written, and nobody paused, before it is in the inventories. */
static int begin_file(int dir, int id)
{
	int ret = dump_begin();

	if (!ret && !required) {
		ret = criu_require_plugin(NAME);
		if (ret)
			pr_err("file %#x: out of memory\n", id);
		required = !ret;
	}
	return ret ? ret : inventory_add(dir, id, dump_get_id());
}

static int kfd_plugin_dump_file(int fd, int id)
{
	int dir = criu_get_image_dir(), ret;
	unsigned int minor_nr;
	struct stat st;

	if (fstat(fd, &st))
		return -ENOTSUP;
	switch (sys_classify(&st, &minor_nr)) {
	case SYS_DEV_KFD:
		if (tree_has_rings())
			return -1;
		ret = begin_file(dir, id);
		if (!ret)
			ret = dump_kfd_file(dir, fd, id);
		break;
	case SYS_DEV_RENDER:
		if (!dump_is_our_render(minor_nr))
			return -ENOTSUP;
		ret = begin_file(dir, id);
		if (!ret)
			ret = dump_render_file(dir, fd, id, minor_nr);
		break;
	case SYS_DEV_PRIMARY:
		/* criu refuses it; of a GPU of KFD's, this says why. */
		return foreign_check_tree() ? -1 : -ENOTSUP;
	default:
		foreign_check_other(fd);
		return -ENOTSUP;
	}
	return ret ? -1 : 0;
}

REGISTER_HOOK(CR_PLUGIN_HOOK__DUMP_EXT_FILE, kfd_plugin_dump_file)

static int restore_ext_file(int id)
{
	int fd = restore_file(criu_get_image_dir(), id);

	/* It may be another plugin's. Without an inventory nobody knows. */
	if (fd == -ENOTSUP)
		pr_warn("file %#x: if it is a GPU's, kfd-file-%u.img is missing\n", id, id);
	return fd >= 0 || fd == -ENOTSUP ? fd : -1;
}

/* A criu after 4.2 asks whether it shall call again; it does not say no by itself. */
static int restore_ext_file_once(int id, bool *retry_needed)
{
	*retry_needed = false;
	return restore_ext_file(id);
}

/* Which of the two it calls its header says; a third kind does not compile. */
static CR_PLUGIN_HOOK__RESTORE_EXT_FILE_t *const kfd_plugin_restore_file =
	__builtin_choose_expr(IS_TYPE(restore_ext_file_once, CR_PLUGIN_HOOK__RESTORE_EXT_FILE_t),
			      restore_ext_file_once, restore_ext_file);

CR_PLUGIN_REGISTER_HOOK(CR_PLUGIN_HOOK__RESTORE_EXT_FILE, kfd_plugin_restore_file)

/*
 * The tree is stopped, and nothing of it written yet. criu calls this for each
 * process, with or without a GPU; the first call looks at all of them. Not to
 * have done anything with it leaves it to other plugins.
 */
static int kfd_plugin_all_stopped(int pid)
{
	(void)pid;
	if (!looked_for_stray && stray_check_tree())
		return -1;
	looked_for_stray = true;
	return -ENOTSUP;
}

/* CHECKPOINT_DEVICES is there since 4.0: a header before that does not name it. */
#define CHECKPOINT_DEVICES	11

static void __attribute__((constructor)) register_checkpoint_devices(void)
{
	if (CR_PLUGIN_HOOK__MAX > CHECKPOINT_DEVICES)
		CR_PLUGIN_DESC.hooks[CHECKPOINT_DEVICES] = (void *)kfd_plugin_all_stopped;
}

static int kfd_plugin_handle_vma(int fd, const struct stat *st)
{
	unsigned int minor_nr;

	(void)fd;
	switch (sys_classify(st, &minor_nr)) {
	case SYS_DEV_KFD:
		return tree_has_rings() || foreign_check_tree() ? -1 : 0;
	case SYS_DEV_RENDER:
		if (dump_is_our_render(minor_nr))
			return foreign_check_tree() ? -1 : 0;
		pr_info("mapping of renderD%u: of no GPU of KFD that criu may see\n", minor_nr);
		return -ENOTSUP;
	case SYS_DEV_PRIMARY:
		return foreign_check_tree() ? -1 : -ENOTSUP;
	default:
		return -ENOTSUP;
	}
}

REGISTER_HOOK(CR_PLUGIN_HOOK__HANDLE_DEVICE_VMA, kfd_plugin_handle_vma)

static int kfd_plugin_update_vma(const char *path, const uint64_t addr,
				 const uint64_t old_offset, uint64_t *new_offset, int *fd)
{
	return restore_vma(criu_get_image_dir(), path, addr, old_offset, new_offset, fd);
}

REGISTER_HOOK(CR_PLUGIN_HOOK__UPDATE_VMA_MAP, kfd_plugin_update_vma)

static int kfd_plugin_resume(int pid)
{
	int ret = restore_resume(criu_get_image_dir(), pid);

	return !ret || ret == -ENOTSUP ? ret : -1;
}

REGISTER_HOOK(CR_PLUGIN_HOOK__RESUME_DEVICES_LATE, kfd_plugin_resume)
