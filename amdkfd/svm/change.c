// SPDX-License-Identifier: GPL-2.0-only
/*
 * How ranges of shared virtual memory change (floor 3).
 *
 * DOC: how ranges change
 *
 * Ranges do not overlap, neighbours with the same attributes are one range,
 * and a range never changes its extent. A change works out what a stretch of
 * addresses shall consist of, makes the ranges that are missing and has them
 * watched (kfd_mirror_watch()) beside the old ones, and then puts the new ones
 * in the old ones' place under notifier_lock: what was present stays so, as
 * the pages on a GPU belong to addresses and not to ranges. An invalidation
 * before that moment is the old ranges' business, and the new ones take note
 * of it as well; one after it is the new ones' alone. All that can fail comes
 * before that moment.
 *
 * svm->lock protects the tree and the attributes, and is held by all callers.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "../criu/image.h"
#include "svm.h"

/**
 * struct svm_change - a change under way
 * @svm: whose ranges
 * @drop: ranges to be replaced, in order
 * @add: what comes in their place, in order
 * @keep: ranges that stay and get attributes of @add's twin of theirs
 * @num_add: number of @add
 * @num_drop: number of @drop
 */
struct svm_change {
	struct kfd_svm *svm;
	struct list_head drop;
	struct list_head add;
	struct list_head keep;
	u32 num_add;
	u32 num_drop;
};

/**
 * struct svm_kept - a range that stays, with new attributes
 * @link: in svm_change.keep
 * @range: the range
 * @attrs: the attributes
 */
struct svm_kept {
	struct list_head link;
	struct kfd_svm_range *range;
	struct kfd_svm_attrs attrs;
};

static enum kfd_mirror_access svm_access(const struct kfd_svm_attrs *attrs)
{
	return attrs->flags & KFD_IOCTL_SVM_FLAG_GPU_RO ?
	       KFD_MIRROR_READ : KFD_MIRROR_WRITE_IF_ALLOWED;
}

/* What comes behind what is there already; joined to it where they match. */
static int svm_emit(struct svm_change *c, u64 start, u64 last,
		    const struct kfd_svm_attrs *attrs)
{
	struct kfd_svm_range *r;

	if (!list_empty(&c->add)) {
		r = list_last_entry(&c->add, struct kfd_svm_range, link);
		if (r->last + 1 == start &&
		    kfd_svm_attrs_equal(&r->attrs, attrs)) {
			r->last = last;
			return 0;
		}
	}
	r = kfd_svm_range_new(c->svm, start, last, attrs);
	if (!r)
		return -ENOMEM;
	list_add_tail(&r->link, &c->add);
	c->num_add++;
	return 0;
}

/* [start, last] with new attributes; @fn NULL: there shall be no range. */
static int svm_emit_changed(struct svm_change *c, u64 start, u64 last,
			    const struct kfd_svm_attrs *old,
			    kfd_svm_change_fn fn, void *arg)
{
	struct kfd_svm_attrs attrs;

	if (!fn)
		return 0;
	if (old)
		attrs = *old;
	else
		kfd_svm_default_attrs(c->svm, &attrs);
	fn(&attrs, arg);
	return svm_emit(c, start, last, &attrs);
}

/* One old range: what sticks out stays, what is inside changes. */
static int svm_emit_old(struct svm_change *c, struct kfd_svm_range *r,
			u64 start, u64 last, kfd_svm_change_fn fn, void *arg)
{
	int ret = 0;

	list_add_tail(&r->link, &c->drop);
	c->num_drop++;
	if (r->last < start || r->start > last)
		return svm_emit(c, r->start, r->last, &r->attrs);
	if (r->start < start)
		ret = svm_emit(c, r->start, start - 1, &r->attrs);
	if (!ret)
		ret = svm_emit_changed(c, max(r->start, start),
				       min(r->last, last), &r->attrs, fn, arg);
	if (!ret && r->last > last)
		ret = svm_emit(c, last + 1, r->last, &r->attrs);
	return ret;
}

/* Fill @c with what [start, last] and its two neighbours shall consist of. */
static int svm_plan(struct svm_change *c, u64 start, u64 last,
		    kfd_svm_change_fn fn, void *arg)
{
	u64 from = start - 1, to = last + 1, next = start;
	struct kfd_svm_range *r;
	int ret = 0;

	for (r = kfd_svm_first(c->svm, from, to); r && !ret;
	     r = kfd_svm_next(r, from, to)) {
		if (r->start > next && next <= last)
			ret = svm_emit_changed(c, next,
					       min(r->start - 1, last), NULL,
					       fn, arg);
		if (!ret)
			ret = svm_emit_old(c, r, start, last, fn, arg);
		next = max(next, r->last + 1);
		cond_resched();
	}
	if (!ret && next <= last)
		ret = svm_emit_changed(c, next, last, NULL, fn, arg);
	return ret;
}

/* A range that would be replaced by one just like it stays. */
static int svm_keep(struct svm_change *c)
{
	struct kfd_svm_range *old, *new, *next_old, *next_new;
	struct svm_kept *kept;

	new = list_first_entry(&c->add, struct kfd_svm_range, link);
	list_for_each_entry_safe(old, next_old, &c->drop, link) {
		while (!list_entry_is_head(new, &c->add, link) &&
		       new->start < old->start)
			new = list_next_entry(new, link);
		if (list_entry_is_head(new, &c->add, link))
			return 0;
		if (new->start != old->start || new->last != old->last)
			continue;
		kept = kmalloc(sizeof(*kept), GFP_KERNEL_ACCOUNT);
		if (!kept)
			return -ENOMEM;
		kept->range = old;
		kept->attrs = new->attrs;
		list_add_tail(&kept->link, &c->keep);
		list_del_init(&old->link);
		c->num_drop--;
		next_new = list_next_entry(new, link);
		list_del(&new->link);
		c->num_add--;
		kfree(new);
		new = next_new;
		cond_resched();
	}
	return 0;
}

static int svm_watch(struct svm_change *c)
{
	struct kfd_svm *svm = c->svm;
	struct kfd_svm_range *r;
	int ret;

	if (svm->num_ranges - c->num_drop + c->num_add > KFD_IMAGE_MAX_SVM)
		return -ENOSPC;
	list_for_each_entry(r, &c->add, link) {
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
		kfd_mirror_init(&r->mirror, &svm->process->mirrors,
				&kfd_svm_mirror_ops, r->start,
				(r->last - r->start + 1) >> PAGE_SHIFT,
				svm_access(&r->attrs));
		kfd_mirror_assume_present(&r->mirror);
		r->gpus = kfd_svm_gpus(svm, &r->attrs);
		ret = kfd_mirror_watch(&r->mirror);
		if (ret)
			return ret;
	}
	return 0;
}

static void svm_unmap_part(struct kfd_svm_range *r, u64 start, u64 last)
{
	if (r->mapped)
		kfd_mirror_deny_locked(&r->mirror, start, last, r->mapped,
				       KFD_MIRROR_TOLD);
}

/* GPUs that have lost access have no pages any more. */
static void svm_unmap_strangers(struct kfd_svm_range *r)
{
	u32 strangers = r->mapped & ~r->gpus;

	if (strangers)
		kfd_mirror_deny_locked(&r->mirror, r->start, r->last, strangers,
				       KFD_MIRROR_CHANGED);
}

/* @new takes over from @old, which it overlaps. */
static void svm_inherit(struct kfd_svm_range *new, struct kfd_svm_range *old)
{
	/* Mapped with other rights: nothing of what they share can stay. */
	if (new->mirror.access != old->mirror.access)
		kfd_mirror_lose_locked(&old->mirror,
				       max(new->start, old->start),
				       min(new->last, old->last));
	kfd_mirror_inherit(&new->mirror, &old->mirror);
	if (new->gpus & ~old->gpus)
		kfd_mirror_lack(&new->mirror, old->start, old->last);
	new->mapped |= old->mapped;
	kfd_mirror_need_locked(&new->mirror, kfd_svm_needs(new));
	if (old->mirror.state == KFD_MIRROR_BROKEN)
		kfd_mirror_break_locked(&new->mirror);
}

/*
 * @new takes over from those of the dropped that it overlaps, of which @old is
 * the first, or is behind it.
 */
static void svm_succeed(struct svm_change *c, struct kfd_svm_range *new,
			struct kfd_svm_range *old)
{
	u64 next = new->start;

	list_for_each_entry_from(old, &c->drop, link) {
		if (old->start > new->last)
			break;
		if (old->start > next)
			kfd_mirror_lack(&new->mirror, next, old->start - 1);
		svm_inherit(new, old);
		next = old->last + 1;
	}
	if (next <= new->last)
		kfd_mirror_lack(&new->mirror, next, new->last);
	svm_unmap_strangers(new);
	kfd_mirror_need_locked(&new->mirror, kfd_svm_needs(new));
}

/*
 * @old is over. What no range has taken over of it is its to take off the GPUs,
 * whatever has become of the mapping: nobody hears of those pages any more.
 * @new is the first of the new ones that it overlaps, or is behind it.
 */
static void svm_end(struct svm_change *c, struct kfd_svm_range *old,
		    struct kfd_svm_range *new)
{
	u64 next = old->start;

	list_for_each_entry_from(new, &c->add, link) {
		if (new->start > old->last)
			break;
		if (new->start > next)
			svm_unmap_part(old, next, new->start - 1);
		next = new->last + 1;
	}
	if (next <= old->last)
		svm_unmap_part(old, next, old->last);
	kfd_mirror_retire(&old->mirror);
}

static void svm_renew(struct svm_kept *kept)
{
	struct kfd_svm_range *r = kept->range;
	struct kfd_mirror *m = &r->mirror;
	u32 had = r->gpus;

	r->attrs = kept->attrs;
	r->gpus = kfd_svm_gpus(r->svm, &r->attrs);
	if (m->access != svm_access(&r->attrs)) {
		kfd_mirror_lose_locked(m, r->start, r->last);
		m->access = svm_access(&r->attrs);
	}
	if (r->gpus & ~had)
		kfd_mirror_lack(m, r->start, r->last);
	svm_unmap_strangers(r);
	kfd_mirror_need_locked(m, kfd_svm_needs(r));
}

static u64 svm_bytes(const struct kfd_svm_range *r,
		     const struct kfd_svm_attrs *attrs)
{
	return kfd_svm_bytes(r->svm, r->start, r->last, attrs);
}

/* Charge for what there will be. The last that can fail. */
static int svm_charge(struct svm_change *c)
{
	u64 total = c->svm->charged;
	struct kfd_svm_range *r;
	struct svm_kept *kept;

	list_for_each_entry(r, &c->add, link)
		total += svm_bytes(r, &r->attrs);
	list_for_each_entry(kept, &c->keep, link)
		total += svm_bytes(kept->range, &kept->attrs) -
			 svm_bytes(kept->range, &kept->range->attrs);
	list_for_each_entry(r, &c->drop, link)
		total -= svm_bytes(r, &r->attrs);
	return kfd_svm_set_charge(c->svm, total);
}

/*
 * The new ones take over, then the old ones end; both are in order. Between two
 * ranges is as good a moment as any for others: each address is watched, by an
 * old one, by a new one, or by both.
 */
static void svm_take_over(struct svm_change *c)
{
	struct kfd_mirrors *mirrors = &c->svm->process->mirrors;
	struct kfd_svm_range *old, *new;
	struct svm_kept *kept;
	u32 n = 0;

	mutex_lock(&mirrors->notifier_lock);
	old = list_first_entry(&c->drop, struct kfd_svm_range, link);
	list_for_each_entry(new, &c->add, link) {
		while (!list_entry_is_head(old, &c->drop, link) &&
		       old->last < new->start)
			old = list_next_entry(old, link);
		svm_succeed(c, new, old);
		kfd_mirrors_breathe(mirrors, &n);
	}
	list_for_each_entry(kept, &c->keep, link) {
		svm_renew(kept);
		kfd_mirrors_breathe(mirrors, &n);
	}
	new = list_first_entry(&c->add, struct kfd_svm_range, link);
	list_for_each_entry(old, &c->drop, link) {
		while (!list_entry_is_head(new, &c->add, link) &&
		       new->last < old->start)
			new = list_next_entry(new, link);
		svm_end(c, old, new);
		kfd_mirrors_breathe(mirrors, &n);
	}
	mutex_unlock(&mirrors->notifier_lock);
}

static void svm_commit(struct svm_change *c)
{
	struct kfd_svm_range *r, *next;

	svm_take_over(c);
	list_for_each_entry(r, &c->drop, link)
		kfd_svm_take(r);
	list_for_each_entry_safe(r, next, &c->add, link) {
		list_del_init(&r->link);
		kfd_svm_insert(r);
	}
	c->svm->num_ranges += c->num_add - c->num_drop;
	list_for_each_entry_safe(r, next, &c->drop, link) {
		kfd_mirror_remove(&r->mirror);
		kfree(r);
		cond_resched();
	}
}

static void svm_abandon(struct svm_change *c)
{
	struct kfd_svm_range *r, *next;

	list_for_each_entry_safe(r, next, &c->add, link) {
		kfd_mirror_remove(&r->mirror);
		kfree(r);
		cond_resched();
	}
}

static int svm_do_change(struct kfd_svm *svm, u64 start, u64 last,
			 kfd_svm_change_fn fn, void *arg)
{
	struct svm_change c = {
		.svm = svm,
		.drop = LIST_HEAD_INIT(c.drop),
		.add = LIST_HEAD_INIT(c.add),
		.keep = LIST_HEAD_INIT(c.keep),
	};
	struct kfd_mirrors *mirrors = &svm->process->mirrors;
	struct svm_kept *kept, *next;
	int ret;

	lockdep_assert_held(&svm->lock);
	mutex_lock(&mirrors->validate_lock);
	ret = svm_plan(&c, start, last, fn, arg);
	if (!ret)
		ret = svm_keep(&c);
	if (!ret)
		ret = svm_watch(&c);
	/* Now that an munmap() is heard of: is there something to map? */
	if (!ret && fn)
		ret = kfd_svm_check_memory(svm->process, start, last);
	if (!ret)
		ret = svm_charge(&c);
	if (ret)
		svm_abandon(&c);
	else
		svm_commit(&c);
	mutex_unlock(&mirrors->validate_lock);
	list_for_each_entry_safe(kept, next, &c.keep, link)
		kfree(kept);
	return ret;
}

/**
 * kfd_svm_change() - give a stretch of addresses new attributes
 * @svm: shared virtual memory of a process
 * @start: first byte, page-aligned
 * @last: last byte of a page
 * @fn: works out the attributes of a part from those it has
 * @arg: its second argument
 *
 * Makes ranges where there are none, splits those that stick out and joins
 * those that have become alike. Pages that are to be present and are not are
 * brought by kfd_svm_validate().
 *
 * Context: svm->lock held; sleeps; takes mmap_lock. A user of the address
 * space.
 * Return: 0; -EFAULT: a part is not mapped, or is a device's; -EADDRINUSE: a
 * buffer is mapped there; -ENOSPC: too many ranges; -ENOMEM: also over the
 * limit on system memory; -EINTR; -KFD_EABSENT: as kfd_mmap_read_lock(). Nothing
 * has changed then.
 */
int kfd_svm_change(struct kfd_svm *svm, u64 start, u64 last,
		   kfd_svm_change_fn fn, void *arg)
{
	return svm_do_change(svm, start, last, fn, arg);
}

/**
 * kfd_svm_remove() - take a stretch of addresses out of the ranges
 * @svm: shared virtual memory of a process
 * @start: first byte, page-aligned
 * @last: last byte of a page
 *
 * Context: svm->lock held; sleeps. A user of the address space.
 * Return: 0; -ENOSPC: too many ranges; -ENOMEM; -EINTR: killed. Nothing has
 * changed then.
 */
int kfd_svm_remove(struct kfd_svm *svm, u64 start, u64 last)
{
	return svm_do_change(svm, start, last, NULL, NULL);
}
