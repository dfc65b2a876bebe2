// SPDX-License-Identifier: GPL-2.0-only
/*
 * System memory that GPUs may use (floor 1): what is charged, and the limit.
 *
 * DOC: the limit on system memory
 *
 * Memory of GPUs that is not VRAM is the machine's: GTT buffers, memory that a
 * process registers (userptrs, those of the render node too) and shared virtual
 * memory. All of it, of all processes and GPUs, is charged here before any page
 * of it is looked up or allocated, and what does not fit is refused at once with
 * ENOMEM, not by the OOM killer when the pages come.
 *
 * What is charged when:
 *
 *  - A GTT buffer by its provider, with its pages, until they are freed: they
 *    may outlive the process in a dma-buf. Likewise a userptr of the render
 *    node, as long as its buffer.
 *  - A USERPTR buffer from ALLOC or RESTORE until it is freed, whether its pages
 *    are there or not. Two over the same memory are charged twice, as in
 *    mainline.
 *  - Shared virtual memory by address: a byte that some GPU may access is
 *    charged once, however often it is registered and whatever ranges it is in.
 *    With XNACK on nothing is: GPUs wait for pages there, nobody fills memory
 *    for them. Ranges of an image are charged by RESTORE, not by RESUME.
 *
 * The default is what mainline has, fifteen sixteenths of the memory that can
 * be had when the module is loaded.
 *
 * Nothing here sleeps or takes a lock: the sum is an atomic, and a charge that
 * would go past the limit leaves it alone.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/export.h>
#include <linux/mm.h>
#include <linux/module.h>

#include <amdkfd/device.h>

#include "process.h"
#include "sysmem.h"

static atomic64_t kfd_sysmem_used = ATOMIC64_INIT(0);
/* Bytes. 0: not worked out yet. */
static u64 kfd_sysmem_limit;
static u64 kfd_sysmem_default;

static int kfd_sysmem_limit_set(const char *text, const struct kernel_param *kp)
{
	u64 most = (u64)totalram_pages() << PAGE_SHIFT;
	u64 mb;
	int ret;

	ret = kstrtou64(text, 0, &mb);
	if (ret)
		return ret;
	if (mb > most >> 20) {
		pr_err("system_mem_limit_mb: there are only %llu MiB of memory\n",
		       most >> 20);
		return -EINVAL;
	}
	WRITE_ONCE(kfd_sysmem_limit, mb ? mb << 20 : kfd_sysmem_default);
	return 0;
}

static int kfd_sysmem_limit_get(char *text, const struct kernel_param *kp)
{
	return sysfs_emit(text, "%llu\n", READ_ONCE(kfd_sysmem_limit) >> 20);
}

static const struct kernel_param_ops kfd_sysmem_limit_ops = {
	.set = kfd_sysmem_limit_set,
	.get = kfd_sysmem_limit_get,
};

module_param_cb(system_mem_limit_mb, &kfd_sysmem_limit_ops, NULL, 0644);
MODULE_PARM_DESC(system_mem_limit_mb, "system memory that GPUs may use, MiB (0: 15/16 of what can be had at load)");

static int kfd_sysmem_used_set(const char *text, const struct kernel_param *kp)
{
	return -EPERM;
}

static int kfd_sysmem_used_get(char *text, const struct kernel_param *kp)
{
	return sysfs_emit(text, "%llu\n",
			  (u64)atomic64_read(&kfd_sysmem_used));
}

static const struct kernel_param_ops kfd_sysmem_used_ops = {
	.set = kfd_sysmem_used_set,
	.get = kfd_sysmem_used_get,
};

module_param_cb(system_mem_used, &kfd_sysmem_used_ops, NULL, 0444);
MODULE_PARM_DESC(system_mem_used, "system memory that is charged now, bytes (read only)");

/**
 * kfd_sysmem_init() - work the default limit out
 *
 * Context: module init, before any process exists.
 */
void kfd_sysmem_init(void)
{
	u64 memory = (u64)si_mem_available() << PAGE_SHIFT;

	kfd_sysmem_default = PAGE_ALIGN(memory - memory / 16);
	if (!kfd_sysmem_limit)
		kfd_sysmem_limit = kfd_sysmem_default;
}

/**
 * kfd_gpu_sysmem_charge() - a GPU may use more system memory
 * @bytes: how much
 *
 * Context: any.
 * Return: 0; -ENOMEM: that is more than is left, nothing has been charged.
 */
int kfd_gpu_sysmem_charge(u64 bytes)
{
	u64 limit = READ_ONCE(kfd_sysmem_limit);
	s64 used = atomic64_read(&kfd_sysmem_used);

	do {
		/* Nothing more is never too much, though the limit be lower now. */
		if (bytes && (used > limit || bytes > limit - used))
			return -ENOMEM;
	} while (!atomic64_try_cmpxchg(&kfd_sysmem_used, &used, used + bytes));
	return 0;
}
EXPORT_SYMBOL_GPL(kfd_gpu_sysmem_charge);

/**
 * kfd_gpu_sysmem_uncharge() - undo kfd_gpu_sysmem_charge(), or a part of it
 * @bytes: how much
 *
 * Context: any.
 */
void kfd_gpu_sysmem_uncharge(u64 bytes)
{
	WARN_ON_ONCE(atomic64_sub_return(bytes, &kfd_sysmem_used) < 0);
}
EXPORT_SYMBOL_GPL(kfd_gpu_sysmem_uncharge);

/**
 * kfd_sysmem_charge() - charge memory of a process that its GPUs may use
 * @p: the process
 * @bytes: how much
 *
 * Context: any.
 * Return: 0; -ENOMEM: that is more than is left, nothing has been charged.
 */
int kfd_sysmem_charge(struct kfd_process *p, u64 bytes)
{
	int ret = kfd_gpu_sysmem_charge(bytes);

	if (!ret)
		atomic64_add(bytes, &p->sysmem);
	return ret;
}

/**
 * kfd_sysmem_uncharge() - undo kfd_sysmem_charge(), or a part of it
 * @p: the process, maybe dead
 * @bytes: how much
 *
 * Context: any.
 */
void kfd_sysmem_uncharge(struct kfd_process *p, u64 bytes)
{
	WARN_ON_ONCE(atomic64_sub_return(bytes, &p->sysmem) < 0);
	kfd_gpu_sysmem_uncharge(bytes);
}
