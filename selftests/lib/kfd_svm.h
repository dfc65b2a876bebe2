/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared virtual memory for the selftests: attributes of addresses, and memory
 * that has some.
 */
#ifndef KFD_SVM_H
#define KFD_SVM_H

#include "kfd_lib.h"

#define SVM_MAX_ATTRS	16
#define SVM_QUEUE_RING	65536	/* bytes */

/* What nobody has spoken of has. */
#define SVM_DEFAULT_FLAGS	(KFD_IOCTL_SVM_FLAG_HOST_ACCESS | KFD_IOCTL_SVM_FLAG_COHERENT)
#define SVM_DEFAULT_GRANULARITY	9

/* SET_ATTR and GET_ATTR of @n attributes; the answers are in @attrs. */
int kfd_svm_set(struct kfd *k, const void *addr, uint64_t size,
		const struct kfd_ioctl_svm_attribute *attrs, uint32_t n);
int kfd_svm_get(struct kfd *k, const void *addr, uint64_t size,
		struct kfd_ioctl_svm_attribute *attrs, uint32_t n);
/* One attribute. */
int kfd_svm_set1(struct kfd *k, const void *addr, uint64_t size, uint32_t type, uint32_t value);
int kfd_svm_get1(struct kfd *k, const void *addr, uint64_t size, uint32_t type, uint32_t *value);
/* Which access a GPU has: KFD_IOCTL_SVM_ATTR_ACCESS and so on, or -errno. */
int kfd_svm_access_of(struct kfd *k, const void *addr, uint64_t size, int gpu);
/* New anonymous memory in the arena, that a GPU has access to if @gpu >= 0. */
int kfd_svm_alloc(struct kfd *k, uint64_t size, int gpu, void *addr);
/* A compute queue whose context save area is @mem instead of a buffer. */
int kfd_svm_queue(struct kfd *k, int gpu, char *mem, uint64_t size, struct kfd_queue *q);
/* XNACK on or off: the mode that holds then, or -errno. */
int kfd_set_xnack(struct kfd *k, int on);

#endif
