// SPDX-License-Identifier: GPL-2.0-only
/*
 * What debug builds of amdgpu_sim.ko have in addition: KUnit suites, run at
 * load when the parameter "kunit" asks for it, as those of amdkfd.ko are.
 *
 * The parameter is read without a lock: it is set at load.
 */
#include <linux/module.h>
#include <linux/moduleparam.h>

#include <kunit/test.h>

#include "../tests/tests.h"
#include "debug.h"

#if IS_ENABLED(CONFIG_KUNIT)
static bool kunit;
module_param(kunit, bool, 0444);
MODULE_PARM_DESC(kunit, "Run the KUnit suites at load");

static struct kunit_suite *const sim_suites[] = {
	&sim_packet_suite,
	&sim_ring_suite,
	&sim_svm_suite,
	&sim_retry_suite,
};

/**
 * sim_debug_init() - at the end of module load
 *
 * Context: module init; everything else is set up.
 */
void sim_debug_init(void)
{
	if (kunit)
		__kunit_test_suites_init((struct kunit_suite **)sim_suites,
					 ARRAY_SIZE(sim_suites));
}

/**
 * sim_debug_exit() - at module unload
 */
void sim_debug_exit(void)
{
	if (kunit)
		__kunit_test_suites_exit((struct kunit_suite **)sim_suites,
					 ARRAY_SIZE(sim_suites));
}
#else
void sim_debug_init(void)
{
}

void sim_debug_exit(void)
{
}
#endif
