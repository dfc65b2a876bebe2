/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The private data of a checkpoint, taken apart to be spoilt: finding records
 * of our driver's image and changing their lengths. Knows the layout from the
 * driver's own header; nothing here is of use with the in-tree driver.
 */
#ifndef KFD_TEST_IMAGE_H
#define KFD_TEST_IMAGE_H

#include "../../amdkfd/criu/image.h"
#include "kfd_criu.h"

void *kfd_image_record(struct kfd_snapshot *s, uint32_t type, unsigned int index);
int kfd_image_grow(struct kfd_snapshot *s, uint32_t type, unsigned int index, int bytes,
		   uint8_t fill);
struct kfd_record_queue *kfd_image_queue(struct kfd_snapshot *s, uint32_t queue_type);

#endif
