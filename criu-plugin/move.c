// SPDX-License-Identifier: GPL-2.0-only
/*
 * USERPTR buffers whose memory a restored process has somewhere else.
 *
 * KFD_PLUGIN_MOVE_USERPTRS of criu's environment is a list of parts of the
 * address space, START-END:NEW, each for every process with GPU state or, as
 * PID/START-END:NEW, for one. A buffer in a part gets the CPU address at the
 * same distance from NEW. Its GPU address stays.
 *
 * One environment serves all processes, and each restores itself and sees no
 * other's buffers. So a part has to meet a buffer in every process that it is
 * for: one that meets none would leave the GPU, without a word, at memory that
 * it was meant to leave. Where processes differ, the parts name their pids.
 *
 * A restored process is one thread at this time: no locking.
 */
#define _GNU_SOURCE
#include "move.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/kfd_ioctl.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "sys.h"

#define VARIABLE	"KFD_PLUGIN_MOVE_USERPTRS"

/* A part of the address space: [start, end) is now at @to. */
struct part {
	const char *text;
	pid_t pid;			/* 0: of all processes */
	uint64_t start;
	uint64_t end;
	uint64_t to;
};

struct part_list {
	char *text;			/* what the parts' texts are in */
	struct part *list;
	size_t nr;
};

/* A number that ends with @stop; what comes after that, or NULL. */
static const char *parse_number(const char *at, int base, char stop, uint64_t *value)
{
	char *end;

	/* strtoull() would take blanks and a sign too */
	if (!at || !isxdigit((unsigned char)*at))
		return NULL;
	errno = 0;
	*value = strtoull(at, &end, base);
	return errno || *end != stop ? NULL : end + 1;
}

static int parse_part(const char *text, struct part *part)
{
	uint64_t pid = 0;
	const char *at = text;

	part->text = text;
	if (strchr(text, '/')) {
		at = parse_number(at, 10, '/', &pid);
		if (!pid || pid > INT32_MAX)
			at = NULL;
	}
	part->pid = pid;
	at = parse_number(at, 16, '-', &part->start);
	at = parse_number(at, 16, ':', &part->end);
	at = parse_number(at, 16, '\0', &part->to);
	if (!at) {
		pr_err(VARIABLE ": \"%s\" is not [PID/]START-END:NEW with addresses in hexadecimal\n",
		       text);
		return -EINVAL;
	}
	if ((part->start | part->end | part->to) % CONTENTS_PAGE) {
		pr_err(VARIABLE ": %s: an address is not that of a page\n", text);
		return -EINVAL;
	}
	if (part->start >= part->end) {
		pr_err(VARIABLE ": %s: there is nothing between its addresses\n", text);
		return -EINVAL;
	}
	if (part->to + (part->end - part->start) < part->to) {
		pr_err(VARIABLE ": %s: it does not fit in an address space at its new place\n",
		       text);
		return -EINVAL;
	}
	return 0;
}

/* A part against those before it, and against the processes of the dump. */
static int check_part(const struct restore_state *st, const struct part_list *parts,
		      const struct part *part)
{
	size_t i;

	if (part->pid && !restore_has_state(st, part->pid)) {
		pr_err(VARIABLE ": %s: process %d has no GPU state\n", part->text, part->pid);
		return -EINVAL;
	}
	for (i = 0; i < parts->nr; i++) {
		const struct part *other = &parts->list[i];

		if (part->pid && other->pid && part->pid != other->pid)
			continue;
		if (part->start >= other->end || other->start >= part->end)
			continue;
		pr_err(VARIABLE ": %s overlaps with %s\n", part->text, other->text);
		return -EINVAL;
	}
	return 0;
}

static void free_parts(struct part_list *parts)
{
	free(parts->list);
	free(parts->text);
}

static int parse_parts(const struct restore_state *st, const char *value, struct part_list *parts)
{
	const char *comma;
	char *rest, *text;
	size_t max = 1;
	int ret = 0;

	for (comma = strchr(value, ','); comma; comma = strchr(comma + 1, ','))
		max++;
	parts->text = strdup(value);
	parts->list = calloc(max, sizeof(*parts->list));
	if (!parts->text || !parts->list) {
		pr_err("process %d: out of memory\n", st->pid);
		return -ENOMEM;
	}
	rest = parts->text;
	while (!ret && (text = strsep(&rest, ","))) {
		struct part *part = &parts->list[parts->nr];

		ret = parse_part(text, part);
		if (!ret)
			ret = check_part(st, parts, part);
		parts->nr++;
	}
	return ret;
}

static int plan_part(const struct restore_state *st, const struct part *part,
		     struct move_plan *plan)
{
	char label[BO_LABEL_SIZE];
	size_t i, met = 0;

	for (i = 0; i < plan->nr; i++) {
		struct move *m = &plan->list[i];
		uint64_t start = m->bo->offset, end = start + m->bo->size;

		if (start >= part->end || end <= part->start)
			continue;
		if (start < part->start || end > part->end) {
			pr_err(VARIABLE ": %s: process %d: %s has 0x%" PRIx64 " to 0x%" PRIx64
			       ", which is only partly in it\n", part->text, st->pid,
			       bo_label(label, sizeof(label), m->index, m->bo), start, end);
			return -EINVAL;
		}
		m->to = part->to + (start - part->start);
		m->moved = true;
		met++;
	}
	if (met)
		return 0;
	pr_err(VARIABLE ": %s: process %d has no USERPTR buffer in it%s\n", part->text, st->pid,
	       part->pid ? "" : " (for some processes only: PID/START-END:NEW)");
	return -EINVAL;
}

/* By what VADDR_UPDATE knows a buffer by. */
static int compare_moves(const void *a, const void *b)
{
	const KfdBo *x = ((const struct move *)a)->bo;
	const KfdBo *y = ((const struct move *)b)->bo;

	if (x->gpu_id != y->gpu_id)
		return x->gpu_id < y->gpu_id ? -1 : 1;
	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	if (x->size != y->size)
		return x->size < y->size ? -1 : 1;
	return 0;
}

/*
 * Of several buffers at the same GPU address the driver takes the one that is
 * mapped, and the image does not say which that is.
 */
static int check_unique(const struct restore_state *st, const struct move_plan *plan)
{
	char label[BO_LABEL_SIZE], other[BO_LABEL_SIZE];
	size_t i;

	for (i = 1; i < plan->nr; i++) {
		const struct move *a = &plan->list[i - 1], *b = &plan->list[i];

		if (compare_moves(a, b) || (!a->moved && !b->moved))
			continue;
		pr_err(VARIABLE ": process %d: %s and %s have the same GPU address: they cannot be moved\n",
		       st->pid, bo_label(label, sizeof(label), a->index, a->bo),
		       bo_label(other, sizeof(other), b->index, b->bo));
		return -EINVAL;
	}
	return 0;
}

static int fill_plan(const struct restore_state *st, const KfdProcess *p, struct move_plan *plan)
{
	size_t i;

	plan->list = calloc(p->n_bos + 1, sizeof(*plan->list));
	if (!plan->list) {
		pr_err("process %d: out of memory for %zu BOs\n", st->pid, p->n_bos);
		return -ENOMEM;
	}
	for (i = 0; i < p->n_bos; i++) {
		if (!(p->bos[i]->alloc_flags & KFD_IOC_ALLOC_MEM_FLAGS_USERPTR))
			continue;
		plan->list[plan->nr++] = (struct move) {
			.bo = p->bos[i], .index = i, .to = p->bos[i]->offset,
		};
	}
	return 0;
}

/**
 * move_make_plan() - which buffers the environment wants at other CPU addresses
 * @st: of this process
 * @p: its image, which has to stay while @plan is used
 * @plan: filled in, empty where nothing is wanted; its list is to be freed also
 *	after an error
 *
 * Return: 0, or, logged, -EINVAL: the variable is malformed or does not fit
 * the image; or -ENOMEM.
 */
int move_make_plan(const struct restore_state *st, const KfdProcess *p, struct move_plan *plan)
{
	const char *value = getenv(VARIABLE);
	struct part_list parts = {};
	size_t i;
	int ret;

	memset(plan, 0, sizeof(*plan));
	if (!value || !*value)
		return 0;
	ret = parse_parts(st, value, &parts);
	if (!ret)
		ret = fill_plan(st, p, plan);
	for (i = 0; !ret && i < parts.nr; i++)
		if (!parts.list[i].pid || parts.list[i].pid == st->pid)
			ret = plan_part(st, &parts.list[i], plan);
	free_parts(&parts);
	if (ret)
		return ret;
	qsort(plan->list, plan->nr, sizeof(*plan->list), compare_moves);
	return check_unique(st, plan);
}

static int check_driver(const struct restore_state *st, int kfd)
{
	struct kfd_ioctl_vaddr_info_args info = {};
	int ret = sys_vaddr_info(kfd, &info);

	/* A driver that would ignore the flags of VADDR_UPDATE says one of these. */
	if (ret == -EINVAL || ret == -ENOTTY ||
	    (!ret && !(info.capabilities & KFD_IOC_VADDR_CAP_REMAP))) {
		pr_err("process %d: this driver cannot replace CPU addresses, as " VARIABLE
		       " wants\n", st->pid);
		return -EOPNOTSUPP;
	}
	if (ret)
		pr_err("process %d: VADDR_INFO failed: %s\n", st->pid, strerror(-ret));
	return ret;
}

/**
 * move_apply() - tell the driver of new CPU addresses
 * @st: of this process
 * @kfd: its file of /dev/kfd, after RESTORE and before RESUME
 * @plan: from move_make_plan()
 *
 * RESUME is the first to look whether there is memory at an address.
 *
 * Return: 0, or, logged, -EOPNOTSUPP: the driver cannot do that; or another
 * negative errno of the driver.
 */
int move_apply(const struct restore_state *st, int kfd, const struct move_plan *plan)
{
	char label[BO_LABEL_SIZE];
	size_t i, moved = 0;
	int ret;

	for (i = 0; i < plan->nr; i++) {
		const struct move *m = &plan->list[i];
		struct kfd_ioctl_alloc_memory_of_gpu_args args = {
			.va_addr = m->bo->addr, .size = m->bo->size, .gpu_id = m->bo->gpu_id,
			.mmap_offset = m->to,
			.flags = KFD_IOC_ALLOC_MEM_FLAGS_USERPTR |
				 KFD_IOC_ALLOC_MEM_FLAGS_VADDR_UPDATE,
		};

		if (!m->moved)
			continue;
		ret = moved++ ? 0 : check_driver(st, kfd);
		if (ret)
			return ret;
		bo_label(label, sizeof(label), m->index, m->bo);
		ret = sys_vaddr_update(kfd, &args);
		if (ret) {
			pr_err("process %d: %s: its CPU address 0x%" PRIx64
			       " cannot become 0x%" PRIx64 ": %s%s\n", st->pid, label,
			       m->bo->offset, m->to, strerror(-ret),
			       ret == -EINVAL ? " (not an address of user space?)" : "");
			return ret;
		}
		pr_debug("process %d: %s: its CPU address 0x%" PRIx64 " is 0x%" PRIx64 " now\n",
			 st->pid, label, m->bo->offset, m->to);
	}
	if (moved)
		pr_info("process %d: %zu of %zu USERPTR BOs have other CPU addresses now\n",
			st->pid, moved, plan->nr);
	return 0;
}
