/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * AQL packets and the signal that completes them.
 *
 * Facts of the HSA specification and of AMD's signal layout. A packet has 64
 * bytes; its header is the low 16 bits of the first dword.
 */
#ifndef HW_AQL_H
#define HW_AQL_H

#define AQL_PACKET_BYTES		64
#define AQL_PACKET_DWORDS		16

#define AQL_TYPE(h)			((h) & 0xffu)
#define  AQL_TYPE_VENDOR		0u
#define  AQL_TYPE_INVALID		1u
#define  AQL_TYPE_KERNEL_DISPATCH	2u
#define  AQL_TYPE_BARRIER_AND		3u
#define  AQL_TYPE_AGENT_DISPATCH	4u
#define  AQL_TYPE_BARRIER_OR		5u
#define AQL_BARRIER			(1u << 8)
#define AQL_ACQUIRE_SCOPE(h)		(((h) >> 9) & 3u)
#define AQL_RELEASE_SCOPE(h)		(((h) >> 11) & 3u)

/* Vendor-specific: format in bits 16..23 of dword 0; dwords 1..4 hold an IB packet. */
#define AQL_VENDOR_FORMAT(d)		(((d) >> 16) & 0xffu)
#define  AQL_VENDOR_PM4_IB		1u
#define AQL_VENDOR_IB_DWORD		1

/* Barriers: five signals' addresses from byte 8 on. */
#define AQL_BARRIER_SIGNALS		5
#define AQL_BARRIER_SIGNAL_DWORD	2

/* Completion signal's address: last 8 bytes of every packet. */
#define AQL_COMPLETION_DWORD		14

/* amd_signal_t, byte offsets */
#define AMD_SIGNAL_KIND			0	/* s64 */
#define AMD_SIGNAL_VALUE		8	/* s64 */
#define AMD_SIGNAL_MAILBOX		16	/* u64, address */
#define AMD_SIGNAL_EVENT_ID		24	/* u32 */
#define AMD_SIGNAL_START_TS		32	/* u64 */
#define AMD_SIGNAL_END_TS		40	/* u64 */
#define AMD_SIGNAL_BYTES		64

#endif
