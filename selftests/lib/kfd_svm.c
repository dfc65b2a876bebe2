// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shared virtual memory for the selftests, see kfd_svm.h.
 */
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "kfd_svm.h"

/* The request number carries the length. */
static int svm_call(struct kfd *k, struct kfd_ioctl_svm_args *args)
{
	unsigned long size = sizeof(*args) + args->nattr * sizeof(args->attrs[0]);
	unsigned long cmd = _IOC(_IOC_READ | _IOC_WRITE, 'K', _IOC_NR(AMDKFD_IOC_SVM), size);

	return kfd_call(k->fd, cmd, args);
}

static int svm_op(struct kfd *k, uint32_t op, const void *addr, uint64_t size,
		  struct kfd_ioctl_svm_attribute *attrs, uint32_t n)
{
	union {
		struct kfd_ioctl_svm_args args;
		char room[sizeof(struct kfd_ioctl_svm_args) +
			  SVM_MAX_ATTRS * sizeof(struct kfd_ioctl_svm_attribute)];
	} u = {
		.args = {
			.start_addr = (uintptr_t)addr,
			.size = size,
			.op = op,
			.nattr = n,
		},
	};
	int ret;

	if (n > SVM_MAX_ATTRS)
		return -E2BIG;
	memcpy(u.args.attrs, attrs, n * sizeof(*attrs));
	ret = svm_call(k, &u.args);
	memcpy(attrs, u.args.attrs, n * sizeof(*attrs));
	return ret;
}

int kfd_svm_set(struct kfd *k, const void *addr, uint64_t size,
		const struct kfd_ioctl_svm_attribute *attrs, uint32_t n)
{
	struct kfd_ioctl_svm_attribute copy[SVM_MAX_ATTRS];

	if (n > SVM_MAX_ATTRS)
		return -E2BIG;
	memcpy(copy, attrs, n * sizeof(*attrs));
	return svm_op(k, KFD_IOCTL_SVM_OP_SET_ATTR, addr, size, copy, n);
}

int kfd_svm_get(struct kfd *k, const void *addr, uint64_t size,
		struct kfd_ioctl_svm_attribute *attrs, uint32_t n)
{
	return svm_op(k, KFD_IOCTL_SVM_OP_GET_ATTR, addr, size, attrs, n);
}

int kfd_svm_set1(struct kfd *k, const void *addr, uint64_t size, uint32_t type, uint32_t value)
{
	struct kfd_ioctl_svm_attribute attr = { .type = type, .value = value };

	return kfd_svm_set(k, addr, size, &attr, 1);
}

int kfd_svm_get1(struct kfd *k, const void *addr, uint64_t size, uint32_t type, uint32_t *value)
{
	struct kfd_ioctl_svm_attribute attr = { .type = type };
	int ret = kfd_svm_get(k, addr, size, &attr, 1);

	*value = attr.value;
	return ret;
}

int kfd_svm_access_of(struct kfd *k, const void *addr, uint64_t size, int gpu)
{
	struct kfd_ioctl_svm_attribute attr = {
		.type = KFD_IOCTL_SVM_ATTR_ACCESS,
		.value = k->gpu[gpu].gpu_id,
	};
	int ret = kfd_svm_get(k, addr, size, &attr, 1);

	return ret ? ret : (int)attr.type;
}

int kfd_svm_alloc(struct kfd *k, uint64_t size, int gpu, void *addr)
{
	char **p = addr;

	*p = mmap((void *)(uintptr_t)kfd_reserve_va(k, size), size, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (*p == MAP_FAILED)
		return -errno;
	if (gpu < 0)
		return 0;
	return kfd_svm_set1(k, *p, size, KFD_IOCTL_SVM_ATTR_ACCESS_IN_PLACE, k->gpu[gpu].gpu_id);
}

int kfd_set_xnack(struct kfd *k, int on)
{
	struct kfd_ioctl_set_xnack_mode_args args = { .xnack_enabled = on };
	int ret = kfd_call(k->fd, AMDKFD_IOC_SET_XNACK_MODE, &args);

	return ret ? ret : args.xnack_enabled;
}

int kfd_svm_queue(struct kfd *k, int gpu, char *mem, uint64_t size, struct kfd_queue *q)
{
	int ret;

	ret = kfd_queue_buffers(k, gpu, KFD_IOC_QUEUE_TYPE_COMPUTE, SVM_QUEUE_RING, q);
	if (ret)
		return ret;
	if (q->args.ctx_save_restore_size > size)
		return -ENOSPC;
	q->args.ctx_save_restore_address = (uintptr_t)mem;
	return kfd_queue_make(k, q);
}
