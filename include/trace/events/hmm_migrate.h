/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM hmm_migrate

#if !defined(_TRACE_HMM_MIGRATE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_HMM_MIGRATE_H

#include <linux/tracepoint.h>

/* The functions, the stages and enum hmm_migrate_reason, as Rust has them. */
#define show_hmm_migrate_function(function)	\
	__print_symbolic(function,		\
		{ 0, "range" },			\
		{ 1, "fault" },			\
		{ 2, "device_range" },		\
		{ 3, "device_pfns" })

#define show_hmm_migrate_stage(stage)		\
	__print_symbolic(stage,			\
		{ 0, "split" },			\
		{ 1, "collect" },		\
		{ 2, "isolate" },		\
		{ 3, "unmap" },			\
		{ 4, "copy" },			\
		{ 5, "migrate" },		\
		{ 6, "finalize" },		\
		{ 7, "settle" })

#define show_hmm_migrate_reason(reason)		\
	__print_symbolic(reason,		\
		{ 0, "nothing" },		\
		{ 1, "kind" },			\
		{ 2, "foreign" },		\
		{ 3, "swapped" },		\
		{ 4, "poisoned" },		\
		{ 5, "locked" },		\
		{ 6, "not_lru" },		\
		{ 7, "pinned" },		\
		{ 8, "partial" },		\
		{ 9, "not_mapped" },		\
		{ 10, "raced" },		\
		{ 11, "no_memory" },		\
		{ 12, "declined" },		\
		{ 13, "bad_destination" })

/* A call, as its driver made it. By frame numbers, @start is the first. */
TRACE_EVENT(hmm_migrate_start,

	TP_PROTO(unsigned int function, unsigned long start,
		 unsigned long npages),

	TP_ARGS(function, start, npages),

	TP_STRUCT__entry(
		__field(unsigned int, function)
		__field(unsigned long, start)
		__field(unsigned long, npages)
	),

	TP_fast_assign(
		__entry->function = function;
		__entry->start = start;
		__entry->npages = npages;
	),

	TP_printk("function=%s start=0x%lx npages=%lu",
		  show_hmm_migrate_function(__entry->function),
		  __entry->start, __entry->npages)
);

/* Its end: what it returned, and pages that are at their destination or not. */
TRACE_EVENT(hmm_migrate_end,

	TP_PROTO(unsigned int function, long ret, unsigned long migrated,
		 unsigned long left),

	TP_ARGS(function, ret, migrated, left),

	TP_STRUCT__entry(
		__field(unsigned int, function)
		__field(long, ret)
		__field(unsigned long, migrated)
		__field(unsigned long, left)
	),

	TP_fast_assign(
		__entry->function = function;
		__entry->ret = ret;
		__entry->migrated = migrated;
		__entry->left = left;
	),

	TP_printk("function=%s ret=%ld migrated=%lu left=%lu",
		  show_hmm_migrate_function(__entry->function),
		  __entry->ret, __entry->migrated, __entry->left)
);

/*
 * A stage of a window: an address, or the bytes from the first page of a call
 * over device memory; the pages that have come so far; how long it took.
 */
TRACE_EVENT(hmm_migrate_stage,

	TP_PROTO(unsigned int stage, unsigned long start, unsigned long npages,
		 unsigned long ns),

	TP_ARGS(stage, start, npages, ns),

	TP_STRUCT__entry(
		__field(unsigned int, stage)
		__field(unsigned long, start)
		__field(unsigned long, npages)
		__field(unsigned long, ns)
	),

	TP_fast_assign(
		__entry->stage = stage;
		__entry->start = start;
		__entry->npages = npages;
		__entry->ns = ns;
	),

	TP_printk("stage=%s start=0x%lx npages=%lu ns=%lu",
		  show_hmm_migrate_stage(__entry->stage), __entry->start,
		  __entry->npages, __entry->ns)
);

/* Pages, one after the other, that have stayed for the same reason. */
TRACE_EVENT(hmm_migrate_left,

	TP_PROTO(unsigned long start, unsigned long npages,
		 unsigned int reason),

	TP_ARGS(start, npages, reason),

	TP_STRUCT__entry(
		__field(unsigned long, start)
		__field(unsigned long, npages)
		__field(unsigned int, reason)
	),

	TP_fast_assign(
		__entry->start = start;
		__entry->npages = npages;
		__entry->reason = reason;
	),

	TP_printk("start=0x%lx npages=%lu reason=%s", __entry->start,
		  __entry->npages, show_hmm_migrate_reason(__entry->reason))
);

#endif /* _TRACE_HMM_MIGRATE_H */

/* This part must be outside protection */
#include <trace/define_trace.h>
