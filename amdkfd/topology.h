/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The topology in sysfs (floor 4): /sys/devices/virtual/kfd/kfd/topology.
 */
#ifndef AMDKFD_TOPOLOGY_H
#define AMDKFD_TOPOLOGY_H

#include <linux/types.h>

#include "kfd_device.h"

struct device;

/**
 * struct kfd_topology_platform - what the firmware calls the machine
 * @oem: OEM's name of the machine, eight characters in a number
 * @id: OEM, six characters in a number
 * @rev: revision
 */
struct kfd_topology_platform {
	u64 oem;
	u64 id;
	u64 rev;
};

int kfd_topology_init(struct device *parent);
void kfd_topology_exit(void);

/* struct kfd_device_listener */
int kfd_topology_add(struct kfd_device *dev);
void kfd_topology_remove(struct kfd_device *dev);

/* topology_cpu.c: facts about the machine */
void kfd_topology_cpu_platform(struct kfd_topology_platform *platform);
u64 kfd_topology_cpu_memory(int numa_node);
u32 kfd_topology_cpu_first_core(int numa_node);
u32 kfd_topology_cpu_link_type(void);

#endif
