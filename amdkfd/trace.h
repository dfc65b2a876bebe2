/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints of the driver (floor 0): amdkfd_cr:* in tracefs. A kernel without
 * tracing gets empty functions.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM amdkfd_cr

#if !defined(AMDKFD_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define AMDKFD_TRACE_H

#include <linux/string.h>
#include <linux/tracepoint.h>
#include <linux/types.h>

/* Room for the name of a phase. */
#define KFD_TRACE_NAME_MAX	32

/* A CRIU op has come to @phase; @pid: the process that it is about. */
TRACE_EVENT(criu_phase,
	    TP_PROTO(u32 pasid, pid_t pid, const char *phase),
	    TP_ARGS(pasid, pid, phase),
	    TP_STRUCT__entry(__field(u32, pasid)
			     __field(pid_t, pid)
			     __array(char, phase, KFD_TRACE_NAME_MAX)),
	    TP_fast_assign(__entry->pasid = pasid;
			   __entry->pid = pid;
			   strscpy(__entry->phase, phase, KFD_TRACE_NAME_MAX);),
	    TP_printk("pasid=%u pid=%d phase=%s", __entry->pasid, __entry->pid,
		      __entry->phase)
);

#endif

/* This part must be outside of the guard. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH amdkfd
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
