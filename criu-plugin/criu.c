// SPDX-License-Identifier: GPL-2.0-only
/*
 * The criu that has loaded the plugin.
 *
 * Plugins are built with the headers of one version and may be loaded by
 * another, and all call themselves the same to a plugin. So what differs is
 * found out from what criu's executable exports (all of it, for plugins). One
 * with another number of hooks, or other arguments to them, than the headers
 * have is told so, and gets no further. Within such a group there are
 * differences that no header shows:
 *
 *  - Up to 3.18 criu duplicates the fd that UPDATE_VMA_MAP gives it, since 3.19
 *    it owns that fd, and closes it.
 *  - Up to 3.19 criu runs scripts after it has unloaded plugins, so that these
 *    can still make a dump fail; since 4.0 before, but it has a hook then for
 *    when all is stopped.
 *  - Since 4.1 criu's inventory lists the plugins that a restore needs.
 *
 * Each process has one thread when hooks are called: no locking.
 */
#define _GNU_SOURCE
#include "criu.h"

#include "criu_api.h"
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

/* criu's list of plugins: its head, and a list per hook. */
struct plugin_ctl {
	void *head[2];
	void *hooks[][2];
};

static void *find(const char *name)
{
	return dlsym(RTLD_DEFAULT, name);
}

/* The beginnings of what criu knows of a process; the same in all versions. */
struct criu_item;

struct criu_pid {
	struct criu_item *item;
	pid_t real;
};

struct criu_item {
	struct criu_item *parent;
	void *children[2];
	void *sibling[2];
	struct criu_pid *pid;
};

/* How many hooks this criu knows; 0: it does not say. */
static size_t count_hooks(void)
{
	const Elf64_Sym *sym = NULL;
	Dl_info info;
	void *ctl = find("cr_plugin_ctl");

	if (!ctl || !dladdr1(ctl, &info, (void **)&sym, RTLD_DL_SYMENT) || !sym ||
	    info.dli_saddr != ctl || sym->st_size < sizeof(struct plugin_ctl))
		return 0;
	return (sym->st_size - sizeof(struct plugin_ctl)) /
	       sizeof(((struct plugin_ctl *)NULL)->hooks[0]);
}

/**
 * criu_closes_fds() - whether the fd that UPDATE_VMA_MAP gives becomes criu's
 */
bool criu_closes_fds(void)
{
	/* new in 3.19, and still there; and what is sure to be newer */
	return find("restore_task_cgroup") || find("prepare_cgroup_namespace") ||
	       find("rpc_query_external_files") || find("add_inventory_plugin") ||
	       count_hooks() > 10;
}

/**
 * criu_vma_fd() - what to give criu to make a mapping through
 * @fd: what the plugin or the process has, and keeps; -1: nothing
 *
 * A criu that owns what it gets does not look at it when the mapping before was
 * of the same file: it takes what it was given then. Nobody would close the
 * other fd. So it is made to end what it has, as it does itself before a
 * mapping of another file, and takes the new one. In criu only mappings that
 * are shared come to this, as those of devices are.
 *
 * Return: the fd for criu, or a negative errno.
 */
int criu_vma_fd(int fd)
{
	void (*begin)(bool close);
	void (*end)(void);

	if (fd < 0 || !criu_closes_fds())
		return fd;
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	end = find("filemap_ctx_fini");
	begin = find("filemap_ctx_init");
	if (end && begin) {
		end();
		begin(false);
	}
	return fd;
}

/**
 * criu_root() - the first of the processes that are going to be dumped
 *
 * criu has noted it by the time that it loads plugins, and nothing else of it.
 *
 * Return: its pid; 0: this criu does not say.
 */
pid_t criu_root(void)
{
	struct criu_item **root = find("root_item"), *item = root ? *root : NULL;

	/* Empty lists and a way back are what it looks like, if it is one. */
	if (!item || item->parent || item->children[0] != item->children ||
	    item->sibling[0] != item->sibling || !item->pid || item->pid->item != item)
		return 0;
	return item->pid->real > 0 ? item->pid->real : 0;
}

/**
 * criu_require_plugin() - a restore of this dump shall not be tried without the plugin
 * @name: of the plugin
 *
 * Since 4.1 criu lists in its inventory which plugins a restore needs.
 *
 * Return: 0, also where criu has no such list; -ENOMEM.
 */
int criu_require_plugin(const char *name)
{
	int (*add)(const char *name) = (int (*)(const char *))find("add_inventory_plugin");

	return add && add(name) ? -ENOMEM : 0;
}

/**
 * criu_plugin_is_here() - criu is about to restore what may need the plugin
 * @name: of the plugin
 *
 * Where it does, criu would miss it otherwise. What is restored goes by the
 * plugin's own inventory: a dump may be of an older plugin, which has not listed
 * itself.
 */
void criu_plugin_is_here(const char *name)
{
	bool (*take)(const char *name, size_t len) =
		(bool (*)(const char *, size_t))find("check_and_remove_inventory_plugin");

	if (take)
		take(name, strlen(name));
}

/* Whether criu was called as "criu dump ...", and by no other program's message. */
static bool is_command(void)
{
	FILE *f = fopen("/proc/self/cmdline", "re");
	bool dump = false, service = false;
	char *arg = NULL;
	size_t size = 0;

	while (f && getdelim(&arg, &size, '\0', f) > 0) {
		dump |= !strcmp(arg, "dump");
		service |= !strcmp(arg, "swrk") || !strcmp(arg, "service");
	}
	free(arg);
	if (f)
		fclose(f);
	return dump && !service;
}

/**
 * criu_fail_dump() - criu unloads the plugin, and shall not call the dump good
 *
 * It does not ask, at this point. But up to 3.19 it runs its scripts afterwards,
 * and when one of them fails, it lets the processes go on as after any failure,
 * and ends with an error. Who talks to criu by messages has no scripts.
 *
 * Return: whether it will.
 */
bool criu_fail_dump(void)
{
	int (*add)(char *path) = (int (*)(char *))find("add_script");
	static char script[] = "false";

	return add && count_hooks() <= 10 && is_command() && !add(script);
}

/**
 * criu_limit_hooks() - how many hooks to show to this criu
 * @hooks: how many the plugin has been built with
 *
 * One that has fewer takes no plugin with more, and calls it corrupted.
 *
 * Return: at most as many as this criu has.
 */
unsigned int criu_limit_hooks(unsigned int hooks)
{
	size_t here = count_hooks();

	return here && here < hooks ? here : hooks;
}

#define BUILD_ANEW ": build it with the headers of this criu\n"

/* The versions that have so many hooks. */
static const char *versions_with(size_t hooks)
{
	if (hooks < 10)
		return "before 3.17";
	if (hooks < 12)
		return "3.17 to 3.19";
	if (hooks < 13)
		return "4.0 or 4.1";
	return hooks == 13 ? "4.2" : "after 4.2";
}

/**
 * criu_check_headers() - this criu is one that the plugin has been built for
 *
 * Hooks have numbers and arguments, and both come from the header. Versions
 * that have the same ones differ otherwise, in what this file finds out.
 *
 * Return: 0, also when this criu does not say; -EINVAL, logged.
 */
int criu_check_headers(void)
{
	size_t hooks = count_hooks();

	if (hooks && hooks != CR_PLUGIN_HOOK__MAX) {
		pr_err("built for criu %s (%d hooks), loaded by criu %s (%zu hooks)" BUILD_ANEW,
		       versions_with(CR_PLUGIN_HOOK__MAX), CR_PLUGIN_HOOK__MAX,
		       versions_with(hooks), hooks);
		return -EINVAL;
	}
#ifdef CRIU_VERSION
	if ((CRIU_VERSION_MAJOR * 100 + CRIU_VERSION_MINOR >= 319) != criu_closes_fds()) {
		pr_err("built for criu " CRIU_VERSION ", loaded by one of %s" BUILD_ANEW,
		       criu_closes_fds() ? "3.19 or later" : "3.18 or earlier");
		return -EINVAL;
	}
#endif
	return 0;
}
