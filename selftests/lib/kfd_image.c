// SPDX-License-Identifier: GPL-2.0-only
/*
 * Records of an image: found, lengthened, shortened. The image is trusted.
 */
#include <stdlib.h>
#include <string.h>

#include "kfd_image.h"

static struct kfd_record_header *first_record(struct kfd_snapshot *s)
{
	struct kfd_image_header *h = (void *)s->priv;

	return (void *)(s->priv + h->header_len);
}

static struct kfd_record_header *next_record(struct kfd_record_header *r)
{
	return (void *)((uint8_t *)r + kfd_record_space(r->length));
}

static struct kfd_record_header *find(struct kfd_snapshot *s, uint32_t type, unsigned int index)
{
	struct kfd_image_header *h = (void *)s->priv;
	struct kfd_record_header *r = first_record(s);
	uint32_t i;

	for (i = 0; i < h->num_records; i++, r = next_record(r))
		if (r->type == type && !index--)
			return r;
	return NULL;
}

/* Payload of the @index-th record of a type, or NULL. */
void *kfd_image_record(struct kfd_snapshot *s, uint32_t type, unsigned int index)
{
	struct kfd_record_header *r = find(s, type, index);

	return r ? r + 1 : NULL;
}

/*
 * Make the record @bytes (a multiple of 8) longer, the new bytes being @fill,
 * or shorter. Everything else in the image stays consistent.
 */
int kfd_image_grow(struct kfd_snapshot *s, uint32_t type, unsigned int index, int bytes,
		   uint8_t fill)
{
	struct kfd_record_header *r = find(s, type, index);
	struct kfd_image_header *h;
	uint64_t at, tail;
	uint8_t *priv;

	if (!r || bytes % 8 || (bytes < 0 && r->length < (uint64_t)-bytes))
		return -EINVAL;
	at = (uint8_t *)(r + 1) + r->length - s->priv;
	tail = s->info.priv_data_size - at;
	priv = calloc(1, s->info.priv_data_size + (bytes > 0 ? bytes : 0) + 8);
	if (!priv)
		return -ENOMEM;
	r->length += bytes;
	h = (void *)s->priv;
	h->total_len += bytes;
	if (bytes > 0) {
		memcpy(priv, s->priv, at);
		memset(priv + at, fill, bytes);
		memcpy(priv + at + bytes, s->priv + at, tail);
	} else {
		memcpy(priv, s->priv, at + bytes);
		memcpy(priv + at + bytes, s->priv + at, tail);
	}
	free(s->priv);
	s->priv = priv;
	s->info.priv_data_size += bytes;
	return 0;
}

/* The first queue of a kind. */
struct kfd_record_queue *kfd_image_queue(struct kfd_snapshot *s, uint32_t queue_type)
{
	struct kfd_record_queue *q;
	unsigned int i;

	for (i = 0; (q = kfd_image_record(s, KFD_RECORD_QUEUE, i)); i++)
		if (q->type == queue_type)
			return q;
	return NULL;
}
