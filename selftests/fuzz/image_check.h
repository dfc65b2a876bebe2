/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a restore relies on, checked on every image that the parser accepts.
 *
 * Written from the promises in amdkfd/criu/image.h, not from the parser's
 * code: what the parser forgets to check is found here. No state, no lock.
 */
#ifndef KFD_FUZZ_IMAGE_CHECK_H
#define KFD_FUZZ_IMAGE_CHECK_H

#include "../../amdkfd/criu/image.h"

void image_check_accepted(const struct kfd_image *image);
void image_check_rewritten(const struct kfd_image *image);

#endif
