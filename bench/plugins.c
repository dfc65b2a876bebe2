// SPDX-License-Identifier: GPL-2.0-only
/*
 * This plugin against criu's own, which comes with criu's source: the same
 * criu, module, machine and process. They take turns, who is first too.
 *
 * Before it counts, each of them restores a process that then has to find its
 * memory as it was and its queues working: one that does not do its work could
 * be as fast as it likes.
 */
#include <stdio.h>
#include <unistd.h>

#include "bench.h"

enum { OURS, OWN, PLUGINS };
enum { DUMP, RESTORE, WAYS };

#define MAX_TURNS 16

struct turns {
	double sec[PLUGINS][WAYS][MAX_TURNS];
};

/* A process is dumped, and restored from that; @sec: what each took. */
static void there_and_back(unsigned int mib, const char *plugin_dir, bool check, double sec[WAYS])
{
	struct target t;

	target_start(&t, mib, 0);
	sec[DUMP] = criu_dump(&t, plugin_dir, false).seconds;
	sec[RESTORE] = criu_restore(plugin_dir).seconds;
	if (check)
		target_check(&t);
	target_kill(&t);
	criu_forget();
}

static void take_turns(const struct sizes *sz, struct turns *turns)
{
	const char *const dirs[PLUGINS] = { criu_plugin_dir, amdgpu_plugin_dir };

	/* the first turn of each warms up, is checked, and does not count */
	for (unsigned int r = 0; r <= sz->turns; r++) {
		for (unsigned int i = 0; i < PLUGINS; i++) {
			unsigned int k = (i + r) % PLUGINS;
			double sec[WAYS];

			there_and_back(sz->big_mib, dirs[k], !r, sec);
			for (unsigned int w = 0; r && w < WAYS; w++)
				turns->sec[k][w][r - 1] = sec[w];
		}
		progress("turn %u of %u", r, sz->turns);
	}
}

/**
 * figures_plugins() - dump and restore with this plugin and with criu's own
 * @sz: how much
 *
 * Only when there is a directory with that plugin; it has to be of the criu
 * that is run, and so has ours.
 */
void figures_plugins(const struct sizes *sz)
{
	static const char *const name[WAYS] = { "dump", "restore" };
	static struct turns turns;

	if (!amdgpu_plugin_dir) {
		progress("not measured: criu's own plugin, no directory with it (AMDGPU_PLUGIN)");
		return;
	}
	progress("%u MiB of VRAM, dumped and restored by this plugin and by criu's own",
		 sz->big_mib);
	take_turns(sz, &turns);
	for (unsigned int w = 0; w < WAYS; w++) {
		double ours = median(turns.sec[OURS][w], sz->turns);
		double own = median(turns.sec[OWN][w], sz->turns);

		report_time(text("criu %s with %u MiB VRAM", name[w], sz->big_mib),
			    text("%.2f s", ours), text("%.2f s criu's own plugin", own),
			    own / ours, " times as fast", AT_LEAST, 2);
	}
}
