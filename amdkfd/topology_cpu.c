// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the topology says about the machine itself (floor 4): memory and cores
 * of its NUMA nodes, and what its firmware calls it. Facts only, no state.
 */
#include <linux/acpi.h>
#include <linux/cpumask.h>
#include <linux/mmzone.h>
#include <linux/nodemask.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/topology.h>
#ifdef CONFIG_X86
#include <asm/processor.h>
#include <asm/smp.h>
#endif

#include "topology.h"

/* Values of "type" of an io_link between CPU nodes. */
#define KFD_LINK_TYPE_HYPERTRANSPORT	1
#define KFD_LINK_TYPE_QPI		8

/**
 * kfd_topology_cpu_platform() - what the firmware calls the machine
 * @platform: filled; zeros where there is no ACPI
 *
 * Context: sleeps.
 */
void kfd_topology_cpu_platform(struct kfd_topology_platform *platform)
{
	struct acpi_table_header *dsdt;

	memset(platform, 0, sizeof(*platform));
	if (!IS_ENABLED(CONFIG_ACPI) ||
	    ACPI_FAILURE(acpi_get_table(ACPI_SIG_DSDT, 0, &dsdt)))
		return;

	memcpy(&platform->oem, dsdt->oem_table_id,
	       min(sizeof(platform->oem), sizeof(dsdt->oem_table_id)));
	memcpy(&platform->id, dsdt->oem_id,
	       min(sizeof(platform->id), sizeof(dsdt->oem_id)));
	platform->rev = dsdt->oem_revision;
	acpi_put_table(dsdt);
}

/**
 * kfd_topology_cpu_memory() - memory of a NUMA node
 * @numa_node: an online node
 *
 * Context: any.
 * Return: bytes that the kernel manages there.
 */
u64 kfd_topology_cpu_memory(int numa_node)
{
	struct zone *zones = NODE_DATA(numa_node)->node_zones;
	u64 pages = 0;
	int i;

	for (i = 0; i < MAX_NR_ZONES; i++)
		pages += zone_managed_pages(&zones[i]);
	return pages << PAGE_SHIFT;
}

/**
 * kfd_topology_cpu_first_core() - hardware id of a NUMA node's first CPU
 * @numa_node: an online node with CPUs
 *
 * Context: any.
 * Return: its APIC id where there are such, else its number.
 */
u32 kfd_topology_cpu_first_core(int numa_node)
{
	unsigned int cpu = cpumask_first(cpumask_of_node(numa_node));

	if (cpu >= nr_cpu_ids)
		return 0;
#ifdef CONFIG_X86
	return cpu_physical_id(cpu);
#else
	return cpu;
#endif
}

/**
 * kfd_topology_cpu_link_type() - how the machine's sockets are connected
 *
 * Context: any.
 * Return: "type" of the io_links between CPU nodes.
 */
u32 kfd_topology_cpu_link_type(void)
{
#ifdef CONFIG_X86
	if (boot_cpu_data.x86_vendor != X86_VENDOR_AMD)
		return KFD_LINK_TYPE_QPI;
#endif
	return KFD_LINK_TYPE_HYPERTRANSPORT;
}
