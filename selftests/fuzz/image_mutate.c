// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mutator of checkpoint images; see the header. Works in place: an index
 * of the records is made by walking them, every change that moves bytes makes
 * it again. An image whose records cannot be walked is still changed, only
 * with less understanding.
 */
#include <stdbool.h>
#include <string.h>

#include <linux/kfd_ioctl.h>

#include "../../amdkfd/criu/image.h"
#include "image_mutate.h"

#define ONE_IN(rng, n)	(!image_below(rng, n))

/**
 * struct field - a field of a record
 * @offset: its place in the payload
 * @bytes: 4 or 8
 */
struct field {
	uint16_t offset;
	uint16_t bytes;
};

#define FIELD(type, name) \
	{ offsetof(struct kfd_record_##type, name), sizeof(((struct kfd_record_##type *)0)->name) }

static const struct field process_fields[] = {
	FIELD(process, num_devices), FIELD(process, num_bos), FIELD(process, num_events),
	FIELD(process, num_queues), FIELD(process, xnack), FIELD(process, reserved),
	FIELD(process, event_page_handle), FIELD(process, event_page_user),
	FIELD(process, next_event_id), FIELD(process, num_svm), FIELD(process, reserved2),
};

static const struct field device_fields[] = {
	FIELD(device, user_gpu_id), FIELD(device, gfx_target_version), FIELD(device, has_vm),
	FIELD(device, policy_default), FIELD(device, policy_alternate), FIELD(device, reserved),
	FIELD(device, alternate_base), FIELD(device, alternate_size), FIELD(device, scratch_va),
	FIELD(device, tba), FIELD(device, tma),
};

static const struct field bo_fields[] = {
	FIELD(bo, handle), FIELD(bo, va), FIELD(bo, size), FIELD(bo, user_addr),
	FIELD(bo, gpu_id), FIELD(bo, alloc_flags), FIELD(bo, num_mapped), FIELD(bo, reserved),
	FIELD(bo, mapped[0]), FIELD(bo, mapped[1]), FIELD(bo, mapped[7]),
	FIELD(bo, lost_offset), FIELD(bo, lost_size),
};

static const struct field svm_fields[] = {
	FIELD(svm, start), FIELD(svm, size), FIELD(svm, flags), FIELD(svm, granularity),
	FIELD(svm, preferred_loc), FIELD(svm, prefetch_loc), FIELD(svm, num_access),
	FIELD(svm, others), FIELD(svm, gpu_id[0]), FIELD(svm, gpu_id[1]), FIELD(svm, gpu_id[7]),
	FIELD(svm, access[0]), FIELD(svm, access[1]), FIELD(svm, access[7]),
	FIELD(svm, lost_offset), FIELD(svm, lost_size),
};

static const struct field event_fields[] = {
	FIELD(event, id), FIELD(event, type), FIELD(event, auto_reset), FIELD(event, signaled),
	FIELD(event, slot), FIELD(event, reserved), FIELD(event, data[0]), FIELD(event, data[3]),
};

static const struct field queue_fields[] = {
	FIELD(queue, id), FIELD(queue, gpu_id), FIELD(queue, type), FIELD(queue, priority),
	FIELD(queue, percentage), FIELD(queue, flags), FIELD(queue, ring_base),
	FIELD(queue, ring_size), FIELD(queue, read_ptr), FIELD(queue, write_ptr),
	FIELD(queue, doorbell_offset), FIELD(queue, sdma_engine), FIELD(queue, sdma_queue),
	FIELD(queue, mqd_size), FIELD(queue, eop_addr), FIELD(queue, cwsr_addr),
	FIELD(queue, eop_size), FIELD(queue, cwsr_size), FIELD(queue, ctl_stack_size),
	FIELD(queue, cu_mask_size), FIELD(queue, error), FIELD(queue, reserved),
};

#define KIND(array)	{ array, sizeof(array) / sizeof((array)[0]) }

static const struct {
	const struct field *fields;
	uint32_t num;
} kinds[KFD_NUM_RECORD_TYPES] = {
	[KFD_RECORD_PROCESS] = KIND(process_fields),
	[KFD_RECORD_DEVICE] = KIND(device_fields),
	[KFD_RECORD_BO] = KIND(bo_fields),
	[KFD_RECORD_SVM] = KIND(svm_fields),
	[KFD_RECORD_EVENT] = KIND(event_fields),
	[KFD_RECORD_QUEUE] = KIND(queue_fields),
};

/* Where the process's record tells how many there are. */
static const uint16_t count_at[KFD_NUM_RECORD_TYPES] = {
	[KFD_RECORD_DEVICE] = offsetof(struct kfd_record_process, num_devices),
	[KFD_RECORD_BO] = offsetof(struct kfd_record_process, num_bos),
	[KFD_RECORD_SVM] = offsetof(struct kfd_record_process, num_svm),
	[KFD_RECORD_EVENT] = offsetof(struct kfd_record_process, num_events),
	[KFD_RECORD_QUEUE] = offsetof(struct kfd_record_process, num_queues),
};

/* Types that count_at says something of. */
static const uint8_t counted[] = {
	KFD_RECORD_DEVICE, KFD_RECORD_BO, KFD_RECORD_SVM, KFD_RECORD_EVENT, KFD_RECORD_QUEUE,
};

#define NUM_COUNTED	(sizeof(counted) / sizeof(counted[0]))

/* Where a part's length is told in the queue that it belongs to. */
static const uint16_t part_size_at[KFD_NUM_RECORD_TYPES] = {
	[KFD_RECORD_MQD] = offsetof(struct kfd_record_queue, mqd_size),
	[KFD_RECORD_CTL_STACK] = offsetof(struct kfd_record_queue, ctl_stack_size),
	[KFD_RECORD_CU_MASK] = offsetof(struct kfd_record_queue, cu_mask_size),
};

/**
 * struct span - a record as it lies in the image
 * @at: offset of its header
 * @bytes: header, payload and padding
 * @len: payload
 * @type: enum kfd_record_type, or anything else
 */
struct span {
	size_t at;
	size_t bytes;
	size_t len;
	uint32_t type;
};

/**
 * struct mutant - an image being changed
 * @rng: what decides
 * @data: the bytes
 * @len: their number
 * @room: how many they may become
 * @other: another image, or NULL
 * @other_len: its bytes
 * @num: entries of @span
 * @span: the records
 */
struct mutant {
	struct image_rng rng;
	uint8_t *data;
	size_t len, room;
	const uint8_t *other;
	size_t other_len;
	uint32_t num;
	struct span span[IMAGE_MUTATE_MAX_RECORDS];
};

static uint64_t get(const uint8_t *p, unsigned int bytes)
{
	uint64_t v = 0;

	memcpy(&v, p, bytes);
	return v;
}

static void set(uint8_t *p, unsigned int bytes, uint64_t v)
{
	memcpy(p, &v, bytes);
}

static uint64_t header_get(const uint8_t *data, size_t len, size_t offset, unsigned int bytes)
{
	return len >= sizeof(struct kfd_image_header) ? get(data + offset, bytes) : 0;
}

#define HEADER_AT(name)	offsetof(struct kfd_image_header, name)

/* Walk the records to the end of the bytes, whatever the header says of them. */
static uint32_t walk(const uint8_t *data, size_t len, struct span *span, uint32_t max)
{
	size_t at = header_get(data, len, HEADER_AT(header_len), 4);
	struct kfd_record_header hdr;
	uint32_t n = 0;

	if (at < sizeof(struct kfd_image_header))
		return 0;
	while (n < max && at < len && len - at >= sizeof(hdr)) {
		memcpy(&hdr, data + at, sizeof(hdr));
		if (hdr.length > len || kfd_record_space(hdr.length) > len - at)
			break;
		span[n].at = at;
		span[n].len = hdr.length;
		span[n].bytes = kfd_record_space(hdr.length);
		span[n].type = hdr.type;
		at += span[n].bytes;
		n++;
	}
	return n;
}

static void reindex(struct mutant *m)
{
	m->num = walk(m->data, m->len, m->span, IMAGE_MUTATE_MAX_RECORDS);
}

static uint8_t *payload(struct mutant *m, uint32_t i)
{
	return m->data + m->span[i].at + sizeof(struct kfd_record_header);
}

static void count_records(uint8_t *data, const struct span *span, uint32_t num)
{
	uint32_t count[KFD_NUM_RECORD_TYPES] = { 0 };
	uint8_t *process;
	uint32_t i;

	for (i = 0; i < num; i++)
		if (span[i].type < KFD_NUM_RECORD_TYPES)
			count[span[i].type]++;
	if (!num || span[0].type != KFD_RECORD_PROCESS)
		return;
	process = data + span[0].at + sizeof(struct kfd_record_header);
	for (i = 0; i < NUM_COUNTED; i++)
		if (count_at[counted[i]] + 4u <= span[0].len)
			set(process + count_at[counted[i]], 4, count[counted[i]]);
}

static void fix_framing(struct mutant *m)
{
	if (m->len < sizeof(struct kfd_image_header))
		return;
	set(m->data + HEADER_AT(total_len), 8, m->len);
	set(m->data + HEADER_AT(num_records), 4, m->num);
}

/**
 * image_make_consistent - have the header and the process record tell the truth
 * @data: an image
 * @len: its bytes
 */
void image_make_consistent(uint8_t *data, size_t len)
{
	struct mutant m = { .data = data, .len = len };

	reindex(&m);
	fix_framing(&m);
	count_records(data, m.span, m.num);
}

/* After a change of records: nearly always what counts them follows. */
static void settle(struct mutant *m)
{
	reindex(m);
	if (!ONE_IN(&m->rng, 48))
		fix_framing(m);
	if (!ONE_IN(&m->rng, 24))
		count_records(m->data, m->span, m->num);
}

static void take_out(struct mutant *m, size_t at, size_t bytes)
{
	memmove(m->data + at, m->data + at + bytes, m->len - at - bytes);
	m->len -= bytes;
}

static bool make_room(struct mutant *m, size_t at, size_t bytes)
{
	if (bytes > m->room - m->len)
		return false;
	memmove(m->data + at + bytes, m->data + at, m->len - at);
	m->len += bytes;
	return true;
}

static void reverse(uint8_t *p, size_t n)
{
	size_t i;

	for (i = 0; i < n / 2; i++) {
		uint8_t t = p[i];

		p[i] = p[n - 1 - i];
		p[n - 1 - i] = t;
	}
}

/* Exchange two neighbouring blocks, of @a and @b bytes. */
static void rotate(uint8_t *p, size_t a, size_t b)
{
	reverse(p, a);
	reverse(p + a, b);
	reverse(p, a + b);
}

static bool is_part(uint32_t type)
{
	return type >= KFD_RECORD_MQD && type <= KFD_RECORD_CU_MASK;
}

/* Its place in the order of records: types are numbered by their age. */
static uint32_t rank(uint32_t type)
{
	if (type == KFD_RECORD_SVM)
		return 2 * KFD_RECORD_BO + 1;
	return type > KFD_NUM_RECORD_TYPES ? UINT32_MAX : 2 * type;
}

/* The bytes from record @i on that belong together: a queue has its parts. */
static size_t group_bytes(const struct span *span, uint32_t num, uint32_t i, bool whole)
{
	size_t bytes = span[i].bytes;

	if (whole && span[i].type == KFD_RECORD_QUEUE)
		while (++i < num && is_part(span[i].type))
			bytes += span[i].bytes;
	return bytes;
}

/* A record; 0 (the process) less often than others. */
static uint32_t pick(struct mutant *m)
{
	uint32_t i = image_below(&m->rng, m->num);

	return i || m->num < 2 || ONE_IN(&m->rng, 4) ? i : 1 + image_below(&m->rng, m->num - 1);
}

/* The same field of another record of that type, if there is one. */
static bool borrow(struct mutant *m, uint32_t i, const struct field *f, uint64_t *value)
{
	uint32_t j = image_below(&m->rng, m->num), tries;

	for (tries = 0; tries < 16; tries++, j = j + 1 == m->num ? 0 : j + 1) {
		if (j == i || m->span[j].type != m->span[i].type ||
		    m->span[j].len < f->offset + f->bytes)
			continue;
		*value = get(payload(m, j) + f->offset, f->bytes);
		return true;
	}
	return false;
}

/* Any number that is somewhere in a record. */
static uint64_t foreign(struct mutant *m, unsigned int bytes)
{
	uint32_t j = image_below(&m->rng, m->num);
	size_t words = m->span[j].len / bytes;

	if (words > 24)
		words = 24;
	return words ? get(payload(m, j) + image_below(&m->rng, words) * bytes, bytes) : 0;
}

static void change_field(struct mutant *m)
{
	uint32_t i, how, tries;
	const struct field *f;
	uint64_t value;
	uint8_t *p;

	for (tries = 0; tries < 8; tries++) {
		i = pick(m);
		if (m->span[i].type < KFD_NUM_RECORD_TYPES && kinds[m->span[i].type].num)
			break;
	}
	if (tries == 8)
		return;
	f = &kinds[m->span[i].type].fields[image_below(&m->rng, kinds[m->span[i].type].num)];
	if (m->span[i].len < f->offset + f->bytes)
		return;
	p = payload(m, i) + f->offset;
	how = image_below(&m->rng, 8);
	value = get(p, f->bytes);
	if (how >= 3 || (how < 2 && !borrow(m, i, f, &value)))
		value = image_interesting(&m->rng, value);
	else if (how == 2)
		value = foreign(m, f->bytes);
	/* Addresses and sizes that are no multiple of a page do not get far. */
	if (f->bytes == 8 && ONE_IN(&m->rng, 2))
		value &= ~4095ULL;
	set(p, f->bytes, value);
}

static void change_header(struct mutant *m)
{
	static const struct field fields[] = {
		{ HEADER_AT(magic), 8 }, { HEADER_AT(version), 4 }, { HEADER_AT(header_len), 4 },
		{ HEADER_AT(total_len), 8 }, { HEADER_AT(num_records), 4 },
		{ HEADER_AT(reserved), 4 },
	};
	const struct field *f = &fields[image_below(&m->rng, 6)];

	image_mutate_field(&m->rng, m->data + f->offset, f->bytes);
}

/* A longer header, its new bytes nearly always zero. */
static void grow_header(struct mutant *m)
{
	uint64_t old = get(m->data + HEADER_AT(header_len), 4);
	size_t bytes = 8 + 8 * image_below(&m->rng, 3);

	if (old < sizeof(struct kfd_image_header) || old > m->len || !make_room(m, old, bytes))
		return;
	memset(m->data + old, ONE_IN(&m->rng, 4) ? 0x80 : 0, bytes);
	set(m->data + HEADER_AT(header_len), 4, old + bytes);
	settle(m);
}

static void change_record_header(struct mutant *m)
{
	static const struct field fields[] = {
		{ offsetof(struct kfd_record_header, type), 4 },
		{ offsetof(struct kfd_record_header, version), 4 },
		{ offsetof(struct kfd_record_header, length), 8 },
	};
	const struct field *f = &fields[image_below(&m->rng, 3)];

	image_mutate_field(&m->rng, m->data + m->span[pick(m)].at + f->offset, f->bytes);
	reindex(m);
}

static void drop_record(struct mutant *m)
{
	uint32_t i = pick(m);

	take_out(m, m->span[i].at,
		 group_bytes(m->span, m->num, i, !ONE_IN(&m->rng, 8)));
	settle(m);
}

/* Where a record is added: beside its like, or anywhere. */
static size_t insert_at(struct mutant *m, uint32_t type)
{
	uint32_t i;

	if (!ONE_IN(&m->rng, 8))
		for (i = m->num; i-- > 0;)
			if (rank(m->span[i].type) <= rank(type) || is_part(m->span[i].type))
				return m->span[i].at + m->span[i].bytes;
	i = pick(m);
	return m->span[i].at;
}

/* A duplicate with a number of its own, so that only the rest is the same. */
static void renumber(struct mutant *m, size_t at, uint32_t type)
{
	uint8_t *p = m->data + at + sizeof(struct kfd_record_header);
	uint64_t handle;

	if (type == KFD_RECORD_QUEUE || type == KFD_RECORD_DEVICE) {
		set(p, 4, get(p, 4) + 1 + image_below(&m->rng, 4));
	} else if (type == KFD_RECORD_EVENT) {
		set(p, 4, get(p, 4) + 1 + image_below(&m->rng, 4));
		p += offsetof(struct kfd_record_event, slot);
		if (get(p, 4))
			set(p, 4, get(m->data + at + sizeof(struct kfd_record_header), 4));
	} else if (type == KFD_RECORD_BO) {
		handle = get(p, 8) + 1 + image_below(&m->rng, 64);
		set(p, 8, handle);
		p += offsetof(struct kfd_record_bo, va);
		set(p, 8, get(p, 8) + 0x100000000ULL * (1 + image_below(&m->rng, 64)));
	} else if (type == KFD_RECORD_SVM) {
		/* right behind the first one, or anywhere behind it */
		if (ONE_IN(&m->rng, 2))
			set(p, 8, get(p, 8) + get(p + offsetof(struct kfd_record_svm, size), 8));
		else
			set(p, 8, get(p, 8) + 0x10000000ULL * (1 + image_below(&m->rng, 64)));
	}
}

static void duplicate_record(struct mutant *m)
{
	uint32_t i = pick(m), type = m->span[i].type;
	size_t bytes = group_bytes(m->span, m->num, i, !ONE_IN(&m->rng, 8));
	size_t from = m->span[i].at, to = insert_at(m, type);

	if (to > from && to < from + bytes)
		to = from;
	if (!make_room(m, to, bytes))
		return;
	if (from >= to)
		from += bytes;
	memcpy(m->data + to, m->data + from, bytes);
	if (!ONE_IN(&m->rng, 3) && m->span[i].len >= sizeof(struct kfd_record_process))
		renumber(m, to, type);
	settle(m);
}

/* Exchange neighbours, or any two. */
static void move_record(struct mutant *m)
{
	uint32_t i = pick(m), j = pick(m);
	size_t a, b;

	if (i > j) {
		uint32_t t = i;

		i = j;
		j = t;
	}
	a = group_bytes(m->span, m->num, i, true);
	if (ONE_IN(&m->rng, 2)) {
		/* the one at i to where j is: mostly out of order */
		if (m->span[i].at + a > m->span[j].at)
			return;
		b = m->span[j].at - m->span[i].at - a;
	} else {
		/* with the next group: mostly in order */
		for (j = i + 1; j < m->num && m->span[j].at < m->span[i].at + a; j++)
			;
		if (j == m->num)
			return;
		b = group_bytes(m->span, m->num, j, true);
	}
	rotate(m->data + m->span[i].at, a, b);
	settle(m);
}

/* Have the queue before a part know the part's new length. */
static void tell_queue(struct mutant *m, uint32_t part, uint64_t len)
{
	uint32_t type = m->span[part].type;

	if (!is_part(type))
		return;
	while (part-- > 0) {
		if (m->span[part].type != KFD_RECORD_QUEUE)
			continue;
		if (m->span[part].len >= sizeof(struct kfd_record_queue))
			set(payload(m, part) + part_size_at[type], 4, len);
		return;
	}
}

static void resize_record(struct mutant *m)
{
	uint32_t i = pick(m);
	size_t old = m->span[i].len, by, end;
	uint64_t len;

	by = ONE_IN(&m->rng, 2) ? 8 : 1 + image_below(&m->rng, 40);
	end = m->span[i].at + sizeof(struct kfd_record_header) + old;
	if (ONE_IN(&m->rng, 2) && by <= old) {
		len = old - by;
		take_out(m, end - by, m->span[i].bytes -
			 kfd_record_space(len));
	} else {
		len = old + by;
		if (!make_room(m, end, kfd_record_space(len) - m->span[i].bytes))
			return;
		memset(m->data + end, ONE_IN(&m->rng, 3) ? 0x7f : 0, by);
	}
	/* the padding, which moved along or is new */
	end = m->span[i].at + sizeof(struct kfd_record_header) + len;
	if (!ONE_IN(&m->rng, 8))
		memset(m->data + end, 0, m->span[i].at + kfd_record_space(len) - end);
	set(m->data + m->span[i].at + offsetof(struct kfd_record_header, length), 8, len);
	if (!ONE_IN(&m->rng, 4))
		tell_queue(m, i, len);
	settle(m);
}

/* A record of another image, with what belongs to it. */
static void splice(struct mutant *m)
{
	struct span span[64];
	uint32_t num, i;
	size_t bytes, to;

	if (!m->other) {
		duplicate_record(m);
		return;
	}
	num = walk(m->other, m->other_len, span, 64);
	if (!num)
		return;
	i = image_below(&m->rng, num);
	bytes = group_bytes(span, num, i, true);
	to = insert_at(m, span[i].type);
	if (!make_room(m, to, bytes))
		return;
	memcpy(m->data + to, m->other + span[i].at, bytes);
	settle(m);
}

static void flip_bits(struct mutant *m)
{
	uint32_t n = 1 + image_below(&m->rng, 4);

	while (n--)
		m->data[image_below(&m->rng, m->len)] ^= ONE_IN(&m->rng, 2) ? 0xff :
			1u << image_below(&m->rng, 8);
	reindex(m);
}

/* Inside MQDs, control stacks and CU masks anything goes. */
static void junk_in_part(struct mutant *m)
{
	uint32_t i, tries, n;
	uint8_t *p;

	for (tries = 0; tries < 8; tries++) {
		i = pick(m);
		if (is_part(m->span[i].type) && m->span[i].len >= 4)
			break;
	}
	if (tries == 8)
		return;
	for (n = 1 + image_below(&m->rng, 8); n; n--) {
		p = payload(m, i) + image_below(&m->rng, m->span[i].len / 4) * 4;
		set(p, 4, ONE_IN(&m->rng, 4) ? foreign(m, 4) : image_interesting(&m->rng,
										 get(p, 4)));
	}
}

static void cut_or_extend(struct mutant *m)
{
	size_t by = ONE_IN(&m->rng, 2) ? 8 : image_below(&m->rng, 256);

	if (ONE_IN(&m->rng, 2)) {
		m->len -= by < m->len ? by : m->len / 2;
	} else if (by <= m->room - m->len) {
		memset(m->data + m->len, ONE_IN(&m->rng, 4) ? 1 : 0, by);
		m->len += by;
	}
	reindex(m);
	if (ONE_IN(&m->rng, 4))
		fix_framing(m);
}

static void change_counts(struct mutant *m)
{
	uint8_t *p;

	uint32_t at = count_at[counted[image_below(&m->rng, NUM_COUNTED)]];

	if (m->span[0].type != KFD_RECORD_PROCESS || m->span[0].len < at + 4)
		return;
	p = payload(m, 0) + at;
	set(p, 4, image_interesting(&m->rng, get(p, 4)));
}

/* Ids of some of the GPUs that there are, at @ids; their number. */
static uint32_t some_gpus(struct mutant *m, uint8_t *ids)
{
	uint32_t n = image_below(&m->rng, KFD_IMAGE_MAX_GPUS / 2), i, j;

	memset(ids, 0, KFD_IMAGE_MAX_GPUS * 4);
	for (j = 0; j < n; j++) {
		i = 1 + image_below(&m->rng, 3);
		if (i < m->num && m->span[i].type == KFD_RECORD_DEVICE)
			set(ids + 4 * j, 4, get(payload(m, i), 4));
	}
	return n;
}

/* Access for some of the GPUs, hardly ever of a kind that there is not. */
static void share_range(struct mutant *m, uint8_t *svm)
{
	uint32_t n = some_gpus(m, svm + offsetof(struct kfd_record_svm, gpu_id)), j;

	set(svm + offsetof(struct kfd_record_svm, num_access), 4, n);
	for (j = 0; j < KFD_IMAGE_MAX_GPUS; j++)
		set(svm + offsetof(struct kfd_record_svm, access[j]), 4,
		    j < n ? 1 + image_below(&m->rng, ONE_IN(&m->rng, 8) ? 3 : 2) : 0);
	if (n && ONE_IN(&m->rng, 2))
		set(svm + offsetof(struct kfd_record_svm, preferred_loc), 4,
		    get(svm + offsetof(struct kfd_record_svm, gpu_id), 4));
}

/* Have a buffer mapped on some of the GPUs, or a range reached by some. */
static void give_to_gpus(struct mutant *m)
{
	uint32_t type = ONE_IN(&m->rng, 2) ? KFD_RECORD_BO : KFD_RECORD_SVM;
	uint32_t i = image_below(&m->rng, m->num), tries;
	uint8_t *p;

	for (tries = 0; tries < m->num && m->span[i].type != type; tries++)
		i = i + 1 == m->num ? 0 : i + 1;
	p = payload(m, i);
	if (tries == m->num)
		return;
	if (type == KFD_RECORD_SVM && m->span[i].len >= KFD_RECORD_SVM_MIN)
		share_range(m, p);
	else if (type == KFD_RECORD_BO && m->span[i].len >= KFD_RECORD_BO_MIN)
		set(p + offsetof(struct kfd_record_bo, num_mapped), 4,
		    some_gpus(m, p + offsetof(struct kfd_record_bo, mapped)));
}

static void mutate_once(struct mutant *m)
{
	static const struct {
		void (*fn)(struct mutant *m);
		uint32_t weight;
	} ways[] = {
		{ change_field, 50 }, { duplicate_record, 7 }, { drop_record, 6 },
		{ resize_record, 7 }, { splice, 6 }, { move_record, 5 }, { junk_in_part, 6 },
		{ flip_bits, 2 }, { change_record_header, 2 }, { change_header, 2 },
		{ grow_header, 2 }, { cut_or_extend, 2 }, { change_counts, 1 }, { give_to_gpus, 2 },
	};
	uint32_t i, at = image_below(&m->rng, 100);

	if (!m->num || m->len < sizeof(struct kfd_image_header)) {
		if (m->len)
			flip_bits(m);
		return;
	}
	for (i = 0; at >= ways[i].weight; i++)
		at -= ways[i].weight;
	ways[i].fn(m);
}

/**
 * image_mutate - change an image
 * @data: the image; changed in place
 * @len: its bytes
 * @room: bytes at @data, at least @len
 * @other: another image to take records from, or NULL
 * @other_len: its bytes
 * @seed: decides what is done
 *
 * Return: bytes of the mutant, at most @room.
 */
size_t image_mutate(uint8_t *data, size_t len, size_t room, const uint8_t *other,
		    size_t other_len, uint64_t seed)
{
	struct mutant m = {
		.rng = { seed }, .data = data, .len = len, .room = room,
		.other = other, .other_len = other_len,
	};
	uint32_t n;

	reindex(&m);
	/* Half of them once, a quarter twice... */
	for (n = 0; n < 6; n++) {
		mutate_once(&m);
		if (ONE_IN(&m.rng, 2))
			break;
	}
	return m.len;
}
