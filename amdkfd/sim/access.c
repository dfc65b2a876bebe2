// SPDX-License-Identifier: GPL-2.0-only
/*
 * How engines reach memory: by GPU virtual address, through what is mapped in
 * a VM: buffers, and where there is none, pages of the process itself.
 *
 * An access is cut into spans that are contiguous in kernel addresses, as long
 * as the pages behind them allow. vm->lock is held for reading throughout one
 * call, and the pages_lock of a userptr for one span: both keep what is used
 * from going away, and nothing in between allocates or touches user memory.
 */
#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/mm.h>
#include <linux/string.h>

#include <asm/barrier.h>

#include "memory.h"

static int sim_fault(struct sim_fault_info *fault, u64 va, bool write,
		     bool not_present)
{
	fault->va = va;
	fault->write = write;
	fault->not_present = not_present;
	fault->curable = not_present;
	return -EFAULT;
}

/**
 * struct sim_backing - what is behind a GPU address
 * @slot: of its page; those that follow are of the pages that follow
 * @last: last byte that these slots are for
 * @bo: buffer whose slots they are; NULL: a leaf of the process's own pages
 */
struct sim_backing {
	unsigned long *slot;
	u64 last;
	struct sim_bo *bo;
};

/*
 * Find what is behind @va, if it may be accessed so: a buffer, else a page of
 * the process itself. vm->lock is held.
 */
static bool sim_vm_reach(struct sim_vm *vm, u64 va, bool write,
			 struct sim_backing *b, struct sim_fault_info *fault)
{
	struct sim_mapping *m;
	struct sim_leaf *leaf;

	b->last = va | (BIT_ULL(SIM_LEAF_SHIFT) - 1);
	m = sim_vm_find(vm, va, &b->last);
	if (m && !(m->flags & (write ? SIM_MAP_WRITE : SIM_MAP_READ))) {
		sim_fault(fault, va, write, false);
		return false;
	}
	if (m) {
		b->bo = m->bo;
		b->slot = &m->bo->slots[(va - m->start + m->offset) >>
					PAGE_SHIFT];
		b->last = m->last;
		return true;
	}
	leaf = sim_svm_find(vm, va);
	if (!leaf) {
		sim_fault(fault, va, write, true);
		return false;
	}
	b->bo = NULL;
	b->slot = sim_leaf_slot(leaf, va);
	return true;
}

/* Only a userptr's pages come and go without vm->lock. */
static bool sim_backing_has_lock(const struct sim_backing *b)
{
	return b->bo && b->bo->kind == SIM_BO_USERPTR;
}

static void sim_backing_lock(const struct sim_backing *b)
{
	if (sim_backing_has_lock(b))
		down_read(&b->bo->pages_lock);
}

static void sim_backing_unlock(const struct sim_backing *b)
{
	if (sim_backing_has_lock(b))
		up_read(&b->bo->pages_lock);
}

/* Two readers that take two locks in different order would meet a writer. */
static void sim_backing_lock_two(const struct sim_backing *a,
				 const struct sim_backing *b)
{
	if (a->bo > b->bo)
		swap(a, b);
	sim_backing_lock(a);
	if (a->bo != b->bo && sim_backing_has_lock(b))
		down_read_nested(&b->bo->pages_lock, SINGLE_DEPTH_NESTING);
}

static void sim_backing_unlock_two(const struct sim_backing *a,
				   const struct sim_backing *b)
{
	sim_backing_unlock(a);
	if (a->bo != b->bo)
		sim_backing_unlock(b);
}

/* What was written may be a doorbell. */
static void sim_backing_written(const struct sim_backing *b)
{
	if (b->bo && b->bo->doorbell)
		sim_doorbell_kick(b->bo->doorbell);
}

/*
 * Kernel address of the byte at @va, which @b is behind, and in *@len (on
 * entry: what is wanted) how many bytes follow each other there. NULL: a fault.
 */
static void *sim_backing_span(const struct sim_backing *b, u64 va, bool write,
			      size_t *len, struct sim_fault_info *fault)
{
	unsigned long *slot = b->slot;
	size_t limit = min_t(u64, *len, b->last - va + 1);
	size_t n = PAGE_SIZE - offset_in_page(va);
	unsigned long next = *slot;

	if (!next) {
		sim_fault(fault, va, write, true);
		return NULL;
	}
	if (write && (next & SIM_SLOT_READONLY)) {
		sim_fault(fault, va, write, false);
		fault->curable = !b->bo;
		return NULL;
	}
	/* struct pages of contiguous memory are contiguous themselves */
	for (; n < limit; n += PAGE_SIZE) {
		next += sizeof(struct page);
		if (*++slot != next)
			break;
	}
	*len = min(n, limit);
	return page_address(sim_slot_page(*b->slot)) + offset_in_page(va);
}

typedef void (*sim_span_fn)(void *addr, size_t len, void *arg);

/* Call @fn for every span of [va, va + len). */
static int sim_vm_walk(struct sim_vm *vm, u64 va, size_t len, bool write,
		       sim_span_fn fn, void *arg, struct sim_fault_info *fault)
{
	struct sim_backing b;
	void *addr;
	size_t n;

	WARN_ON_ONCE(len > SIM_CHUNK);
	down_read(&vm->lock);
	for (; len; len -= n, va += n) {
		if (!sim_vm_reach(vm, va, write, &b, fault))
			break;
		n = len;
		sim_backing_lock(&b);
		addr = sim_backing_span(&b, va, write, &n, fault);
		if (addr)
			fn(addr, n, arg);
		sim_backing_unlock(&b);
		if (!addr)
			break;
		if (write)
			sim_backing_written(&b);
	}
	up_read(&vm->lock);
	return len ? -EFAULT : 0;
}

/*
 * memcpy() upwards with plain words, which emulated CPUs are several times as
 * fast with as with string instructions, and real ones no slower. @d is not
 * inside [s, s + len).
 */
static void sim_copy_up(void *d, const void *s, size_t len)
{
	const unsigned long *from = s;
	unsigned long *to = d;
	unsigned long w0, w1, w2, w3;

	if (IS_ALIGNED((unsigned long)d | (unsigned long)s, sizeof(*to))) {
		for (; len >= 4 * sizeof(*to); len -= 4 * sizeof(*to)) {
			/* once, or the compiler makes it a memcpy() again */
			w0 = READ_ONCE(from[0]);
			w1 = READ_ONCE(from[1]);
			w2 = READ_ONCE(from[2]);
			w3 = READ_ONCE(from[3]);
			WRITE_ONCE(to[0], w0);
			WRITE_ONCE(to[1], w1);
			WRITE_ONCE(to[2], w2);
			WRITE_ONCE(to[3], w3);
			from += 4;
			to += 4;
		}
	}
	memcpy(to, from, len);
}

/**
 * sim_page_copy() - copy a page to another
 * @dst: where to
 * @src: where from
 *
 * Context: any; no lock: the caller keeps both, and engines off them.
 */
void sim_page_copy(struct page *dst, struct page *src)
{
	sim_copy_up(page_address(dst), page_address(src), PAGE_SIZE);
}

/*
 * A word of its natural size and alignment is accessed at once, and in order:
 * a process that sees a fence sees what was written before it.
 */
static void sim_load(void *addr, size_t len, void *arg)
{
	u8 **dst = arg;
	u64 v64;
	u32 v32;

	if (len == sizeof(u64) && IS_ALIGNED((unsigned long)addr, sizeof(u64))) {
		/* pairs with the CPU's stores: data first, then this word */
		v64 = smp_load_acquire((u64 *)addr);
		memcpy(*dst, &v64, sizeof(v64));
	} else if (len == sizeof(u32) &&
		   IS_ALIGNED((unsigned long)addr, sizeof(u32))) {
		/* as above */
		v32 = smp_load_acquire((u32 *)addr);
		memcpy(*dst, &v32, sizeof(v32));
	} else {
		sim_copy_up(*dst, addr, len);
	}
	*dst += len;
}

static void sim_store(void *addr, size_t len, void *arg)
{
	const u8 **src = arg;
	u64 v64;
	u32 v32;

	if (len == sizeof(u64) && IS_ALIGNED((unsigned long)addr, sizeof(u64))) {
		memcpy(&v64, *src, sizeof(v64));
		/* pairs with the CPU's loads: what it tells of comes first */
		smp_store_release((u64 *)addr, v64);
	} else if (len == sizeof(u32) &&
		   IS_ALIGNED((unsigned long)addr, sizeof(u32))) {
		memcpy(&v32, *src, sizeof(v32));
		/* as above */
		smp_store_release((u32 *)addr, v32);
	} else {
		sim_copy_up(addr, *src, len);
	}
	*src += len;
}

/**
 * sim_vm_read() - read GPU virtual memory
 * @vm: address space
 * @va: first byte
 * @dst: where to
 * @len: bytes, at most SIM_CHUNK
 * @fault: filled when there is one
 *
 * Context: sleeps; takes vm->lock and pages_lock for reading.
 * Return: 0, or -EFAULT; bytes before the fault have been read.
 */
int sim_vm_read(struct sim_vm *vm, u64 va, void *dst, size_t len,
		struct sim_fault_info *fault)
{
	return sim_vm_walk(vm, va, len, false, sim_load, &dst, fault);
}

/**
 * sim_vm_write() - write GPU virtual memory
 * @vm: address space
 * @va: first byte
 * @src: where from
 * @len: bytes, at most SIM_CHUNK
 * @fault: filled when there is one
 *
 * Context: as sim_vm_read(). A write to a doorbell kicks it.
 * Return: 0, or -EFAULT; bytes before the fault have been written.
 */
int sim_vm_write(struct sim_vm *vm, u64 va, const void *src, size_t len,
		 struct sim_fault_info *fault)
{
	return sim_vm_walk(vm, va, len, true, sim_store, &src, fault);
}

/**
 * struct sim_fill - a fill under way
 * @pattern: the value, repeated up to 8 bytes
 * @phase: byte of @pattern that comes next
 */
struct sim_fill {
	u64 pattern;
	u32 phase;
};

static void sim_fill_span(void *addr, size_t len, void *arg)
{
	struct sim_fill *fill = arg;
	u8 *p = addr;

	while (len) {
		if (!fill->phase && len >= sizeof(u64) &&
		    IS_ALIGNED((unsigned long)p, sizeof(u64))) {
			WRITE_ONCE(*(u64 *)p, fill->pattern);
			p += sizeof(u64);
			len -= sizeof(u64);
		} else {
			*p++ = fill->pattern >> (8 * fill->phase);
			fill->phase = (fill->phase + 1) % sizeof(u64);
			len--;
		}
	}
}

/**
 * sim_vm_fill() - fill GPU virtual memory with one value
 * @vm: address space
 * @va: first byte
 * @value: the value
 * @size: bytes of @value that count: 1, 2 or 4
 * @len: bytes, a multiple of @size, at most SIM_CHUNK
 * @fault: filled when there is one
 *
 * Context: as sim_vm_read().
 * Return: 0, or -EFAULT; bytes before the fault have been written.
 */
int sim_vm_fill(struct sim_vm *vm, u64 va, u32 value, u32 size, size_t len,
		struct sim_fault_info *fault)
{
	struct sim_fill fill = {};

	switch (size) {
	case 1:
		fill.pattern = (value & 0xff) * 0x0101010101010101ULL;
		break;
	case 2:
		fill.pattern = (value & 0xffff) * 0x0001000100010001ULL;
		break;
	default:
		fill.pattern = (u64)value << 32 | value;
	}
	/* in step with the words of memory, whatever @va is aligned to */
	fill.pattern = rol64(fill.pattern, 8 * (va % sizeof(u64)));
	fill.phase = va % sizeof(u64);
	return sim_vm_walk(vm, va, len, true, sim_fill_span, &fill, fault);
}

static void sim_move(void *d, const void *s, size_t len)
{
	/* memcpy() may go downwards too: not for ranges that overlap at all. */
	if (d < s + len && s < d + len)
		memmove(d, s, len);
	else
		sim_copy_up(d, s, len);
}

/**
 * sim_vm_copy() - copy within GPU virtual memory
 * @vm: address space
 * @dst: first byte to write
 * @src: first byte to read
 * @len: bytes, at most SIM_CHUNK
 * @fault: filled when there is one
 *
 * Goes upwards: ranges may overlap when @dst is below @src.
 *
 * Context: as sim_vm_read().
 * Return: 0, or -EFAULT; bytes before the fault have been copied.
 */
int sim_vm_copy(struct sim_vm *vm, u64 dst, u64 src, size_t len,
		struct sim_fault_info *fault)
{
	struct sim_backing from, to;
	void *d, *s;
	size_t n;

	WARN_ON_ONCE(len > SIM_CHUNK);
	down_read(&vm->lock);
	for (; len; len -= n, dst += n, src += n) {
		if (!sim_vm_reach(vm, src, false, &from, fault) ||
		    !sim_vm_reach(vm, dst, true, &to, fault))
			break;
		n = len;
		sim_backing_lock_two(&from, &to);
		s = sim_backing_span(&from, src, false, &n, fault);
		d = s ? sim_backing_span(&to, dst, true, &n, fault) : NULL;
		if (d)
			sim_move(d, s, n);
		sim_backing_unlock_two(&from, &to);
		if (!d)
			break;
		sim_backing_written(&to);
	}
	up_read(&vm->lock);
	return len ? -EFAULT : 0;
}

/* Most writes of one sim_vm_commit(). */
#define SIM_COMMIT_MAX	6u

/*
 * Have the pages behind all of @b stay, whatever order they come in: the lower
 * address first, as everywhere. A buffer that is there twice counts once.
 */
static void sim_backing_lock_all(const struct sim_backing *b, u32 n, bool lock)
{
	struct sim_bo *last = NULL;
	u32 i, depth;

	for (depth = 0; depth < n; depth++) {
		struct sim_bo *next = NULL;

		for (i = 0; i < n; i++)
			if (sim_backing_has_lock(&b[i]) && b[i].bo > last &&
			    (!next || b[i].bo < next))
				next = b[i].bo;
		if (!next)
			return;
		if (lock)
			down_read_nested(&next->pages_lock, depth);
		else
			up_read(&next->pages_lock);
		last = next;
	}
}

static void sim_effect_do(const struct sim_effect *e, void *addr)
{
	const u8 *src = (const u8 *)&e->value;

	/* Whoever sees this one sees all that came before. */
	if (!e->add && e->size >= sizeof(u32)) {
		sim_store(addr, e->size, &src); /* a release */
		return;
	}
	smp_mb(); /* neither of these orders anything by itself */
	if (!e->add)
		sim_store(addr, e->size, &src);
	else if (e->size == sizeof(u64))
		atomic64_add(e->value, addr);
	else
		atomic_add((int)e->value, addr);
}

/* Where the writes go; an aligned one is within a page. */
static int sim_effects_find(const struct sim_backing *b,
			    const struct sim_effect *effects, u32 n,
			    void **addr, struct sim_fault_info *fault)
{
	size_t len;
	u32 i;

	for (i = 0; i < n; i++) {
		len = effects[i].size;
		addr[i] = sim_backing_span(&b[i], effects[i].va, true, &len,
					   fault);
		if (!addr[i])
			return -EFAULT;
	}
	return 0;
}

/**
 * sim_vm_commit() - do several small writes, all of them or none
 * @vm: address space
 * @effects: the writes, in the order in which they are to be seen
 * @n: their number, at most SIM_COMMIT_MAX
 * @fault: filled when there is one
 *
 * That all can be reached is known before the first is done, and what they
 * reach stays until the last is. Nothing comes between them, so that who waits
 * for the last of them by looking at the first is not misled for long.
 *
 * Context: as sim_vm_read(). A write to a doorbell kicks it.
 * Return: 0, or -EFAULT, also when an address is not aligned.
 */
int sim_vm_commit(struct sim_vm *vm, const struct sim_effect *effects, u32 n,
		  struct sim_fault_info *fault)
{
	struct sim_backing b[SIM_COMMIT_MAX];
	void *addr[SIM_COMMIT_MAX];
	bool locked = false;
	int ret = 0;
	u32 i;

	if (WARN_ON_ONCE(n > SIM_COMMIT_MAX))
		n = SIM_COMMIT_MAX;
	down_read(&vm->lock);
	for (i = 0; i < n && !ret; i++) {
		/* hardware has no unaligned ones; nor is a page to blame */
		if (!IS_ALIGNED(effects[i].va, effects[i].size))
			ret = sim_fault(fault, effects[i].va, true, false);
		else if (!sim_vm_reach(vm, effects[i].va, true, &b[i], fault))
			ret = -EFAULT;
		else
			locked |= sim_backing_has_lock(&b[i]);
	}
	if (ret)
		goto out;
	if (locked)
		sim_backing_lock_all(b, n, true);
	ret = sim_effects_find(b, effects, n, addr, fault);
	if (!ret) {
		preempt_disable();
		for (i = 0; i < n; i++)
			sim_effect_do(&effects[i], addr[i]);
		preempt_enable();
	}
	if (locked)
		sim_backing_lock_all(b, n, false);
	for (i = 0; i < n && !ret; i++)
		sim_backing_written(&b[i]);
out:
	up_read(&vm->lock);
	return ret;
}

/**
 * sim_vm_mapped() - whether a byte can be reached
 * @vm: address space
 * @va: the byte
 * @write: for writing, else for reading
 *
 * Context: as sim_vm_read(). The answer may be old when it arrives.
 * Return: true when its page is present.
 */
bool sim_vm_mapped(struct sim_vm *vm, u64 va, bool write)
{
	struct sim_fault_info fault;
	struct sim_backing b;
	bool mapped = false;
	size_t len = 1;

	down_read(&vm->lock);
	if (sim_vm_reach(vm, va, write, &b, &fault)) {
		sim_backing_lock(&b);
		mapped = sim_backing_span(&b, va, write, &len, &fault);
		sim_backing_unlock(&b);
	}
	up_read(&vm->lock);
	return mapped;
}
