// SPDX-License-Identifier: GPL-2.0-only
/*
 * amdkfd.ko (floor 6): init, exit, and who is connected to whom.
 *
 * There is one KFD in a system: /dev/kfd and the class "kfd" in sysfs have one
 * name each. Where the kernel's own amdgpu provides them this module refuses to
 * load, before it has done anything.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kernfs.h>
#include <linux/kobject.h>
#include <linux/module.h>

#include <linux/kfd_ioctl.h>

#include "chardev.h"
#include "compat/compat.h"
#include "criu/criu.h"
#include "debug/debug.h"
#include "event/event.h"
#include "memory/memory.h"
#include "process.h"
#include "process_sysfs.h"
#include "queue/queue.h"
#include "smi.h"
#include "svm/svm.h"
#include "sysmem.h"
#include "topology.h"

/* --- upward calls of GPUs -------------------------------------------------- */

static void kfd_sink_interrupt(struct kfd_process *p, struct kfd_device *dev,
			       const struct kfd_irq_entry *irq)
{
	if (irq->source == KFD_IRQ_ECC)
		kfd_event_hw_exception(p, dev, KFD_HW_EXCEPTION_ECC, false,
				       true);
	else
		kfd_event_interrupt(p, dev, irq);
}

static void kfd_sink_vm_fault(struct kfd_process *p, struct kfd_device *dev,
			      const struct kfd_gpu_fault *fault)
{
	if (fault->retry)
		kfd_svm_gpu_fault(p, dev, fault);
	else
		kfd_event_vm_fault(p, dev, fault);
}

static void kfd_sink_queue_error(struct kfd_process *p, struct kfd_device *dev,
				 void *cookie, enum kfd_queue_error error)
{
	kfd_queue_gave_up(p, dev, cookie, error);
	kfd_event_hw_exception(p, dev, KFD_HW_EXCEPTION_GPU_HANG, false, false);
}

static void kfd_sink_reset(struct kfd_process *p, struct kfd_device *dev,
			   bool begin)
{
	/* Nothing is lost before it has happened. */
	if (!begin)
		kfd_event_hw_exception(p, dev, KFD_HW_EXCEPTION_GPU_HANG, true,
				       true);
}

static const struct kfd_gpu_sink kfd_sink = {
	.interrupt = kfd_sink_interrupt,
	.vm_fault = kfd_sink_vm_fault,
	.queue_error = kfd_sink_queue_error,
	.reset = kfd_sink_reset,
};

static void kfd_device_removed(struct kfd_device *dev)
{
	kfd_topology_remove(dev);
	kfd_smi_device_gone(dev);
}

static const struct kfd_device_listener kfd_listener = {
	.added = kfd_topology_add,
	.removed = kfd_device_removed,
	.unused = kfd_svm_device_unused,
};

/* --- init and exit --------------------------------------------------------- */

/* Whether /sys/class/kfd exists, mounted and visible to us or not. */
static bool kfd_class_exists(void)
{
	struct kernfs_node *classes, *kfd = NULL;

	classes = kernfs_find_and_get(kfd_compat_kernfs_parent(kernel_kobj->sd), "class");
	if (classes)
		kfd = kernfs_find_and_get(classes, "kfd");
	kernfs_put(classes);
	kernfs_put(kfd);
	return kfd;
}

static void kfd_connect(void)
{
	kfd_process_register_component(KFD_COMPONENT_SVM,
				       &kfd_svm_component_ops);
	kfd_process_register_svm_ops(&kfd_svm_ops);
	kfd_process_register_component(KFD_COMPONENT_EVENT,
				       &kfd_event_component_ops);
	kfd_process_register_component(KFD_COMPONENT_QUEUE,
				       &kfd_queue_component_ops);
	kfd_process_register_sched(&kfd_queue_sched_ops);
	kfd_process_set_sink(&kfd_sink);
	kfd_device_set_listener(&kfd_listener);
	kfd_process_sysfs_connect();
}

static int __init kfd_module_init(void)
{
	int ret;

	if (kfd_class_exists()) {
		pr_err("another driver (amdgpu?) provides /dev/kfd already, not loading\n");
		return -EEXIST;
	}

	kfd_sysmem_init();
	ret = kfd_process_init();
	if (ret)
		return ret;
	kfd_memory_init();
	ret = kfd_svm_init();
	if (ret)
		goto err_process;
	ret = kfd_criu_init();
	if (ret)
		goto err_svm;
	kfd_connect();
	ret = kfd_chardev_init();
	if (ret)
		goto err_criu;
	ret = kfd_process_sysfs_init(kfd_chardev_device());
	if (ret)
		goto err_chardev;
	ret = kfd_topology_init(kfd_chardev_device());
	if (ret)
		goto err_sysfs;
	ret = kfd_debug_init();
	if (ret)
		goto err_topology;

	pr_info("interface %u.%u\n", KFD_IOCTL_MAJOR_VERSION,
		KFD_IOCTL_MINOR_VERSION);
	return 0;

err_topology:
	kfd_topology_exit();
err_sysfs:
	kfd_process_sysfs_exit();
err_chardev:
	kfd_chardev_exit();
err_criu:
	kfd_criu_exit();
err_svm:
	kfd_svm_exit();
err_process:
	kfd_process_exit();
	return ret;
}

static void __exit kfd_module_exit(void)
{
	/*
	 * Every provider, file and process holds this module: there are none.
	 * What may still run are the last instructions of their works.
	 */
	kfd_debug_exit();
	kfd_topology_exit();
	kfd_process_sysfs_exit();
	kfd_chardev_exit();
	kfd_criu_exit();
	kfd_svm_exit();
	kfd_process_exit();
}

module_init(kfd_module_init);
module_exit(kfd_module_exit);

MODULE_DESCRIPTION("AMD KFD compute driver with checkpoint and restore");
MODULE_LICENSE("GPL");
MODULE_VERSION(KFD_PACKAGE_VERSION);
/* memory/dmabuf.c */
KFD_COMPAT_IMPORT_NS(DMA_BUF);
