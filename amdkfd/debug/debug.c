// SPDX-License-Identifier: GPL-2.0-only
/*
 * What debug builds have in addition (floor 6); bugs on demand: see break.h.
 *
 * KUnit suites run at load when the parameter "kunit" asks for it: the modules
 * are loaded more often than there is something new to be learnt from them.
 * Their results are in the kernel log and in debugfs, below kunit/.
 *
 * Stop points: see stop.h; their files are in debugfs, below amdkfd/.
 *
 * Parameters are read without a lock: they are set at load.
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/string.h>
#include <linux/stringify.h>

#include <kunit/test.h>

#include "../criu/phase.h"
#include "../tests/tests.h"
#include "break.h"
#include "debug.h"
#include "stop.h"

static struct dentry *kfd_debugfs;

#ifdef KFD_BREAK
static char *broken = __stringify(KFD_BREAK);
module_param(broken, charp, 0444);
MODULE_PARM_DESC(broken, "Name of the bug to have (BREAK= builds only)");

/**
 * kfd_is_broken - whether this module shall have a bug
 * @bug: "broken=" and its name
 *
 * Context: any.
 * Return: true when it shall.
 */
bool kfd_is_broken(const char *bug)
{
	return !strcmp(broken, bug + strlen("broken="));
}
#endif

#if IS_ENABLED(CONFIG_KUNIT)
static bool kunit;
module_param(kunit, bool, 0444);
MODULE_PARM_DESC(kunit, "Run the KUnit suites at load");

static struct kunit_suite *const kfd_suites[] = {
	&kfd_gate_suite,
	&kfd_image_suite,
	&kfd_mirror_suite,
	&kfd_mqd_suite,
};

static void kfd_debug_run_suites(void)
{
	if (kunit)
		__kunit_test_suites_init((struct kunit_suite **)kfd_suites,
					 ARRAY_SIZE(kfd_suites));
}

static void kfd_debug_forget_suites(void)
{
	if (kunit)
		__kunit_test_suites_exit((struct kunit_suite **)kfd_suites,
					 ARRAY_SIZE(kfd_suites));
}
#else
static void kfd_debug_run_suites(void)
{
}

static void kfd_debug_forget_suites(void)
{
}
#endif

/**
 * kfd_debug_init - at the end of module load
 *
 * Context: module init; everything else is set up.
 * Return: 0 or a negative errno.
 */
int kfd_debug_init(void)
{
	kfd_debugfs = debugfs_create_dir("amdkfd", NULL);
	kfd_stop_init(kfd_debugfs, kfd_phase_names, KFD_NUM_PHASES);
	kfd_debug_run_suites();
	return 0;
}

/**
 * kfd_debug_exit - at module unload
 */
void kfd_debug_exit(void)
{
	kfd_debug_forget_suites();
	debugfs_remove(kfd_debugfs);
}
