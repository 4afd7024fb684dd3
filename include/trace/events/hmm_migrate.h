/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM hmm_migrate

#if !defined(_TRACE_HMM_MIGRATE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_HMM_MIGRATE_H

#include <linux/hmm_migrate.h>
#include <linux/tracepoint.h>

#ifndef _HMM_MIGRATE_TRACE_ENUMS
#define _HMM_MIGRATE_TRACE_ENUMS

/* Which function a driver has called. */
enum hmm_migrate_function {
	HMM_MIGRATE_FUNCTION_RANGE,
	HMM_MIGRATE_FUNCTION_FAULT,
	HMM_MIGRATE_FUNCTION_DEVICE_RANGE,
	HMM_MIGRATE_FUNCTION_DEVICE_PFNS
};

/* The stages of a window. */
enum hmm_migrate_stage {
	HMM_MIGRATE_STAGE_SPLIT,
	HMM_MIGRATE_STAGE_COLLECT,
	HMM_MIGRATE_STAGE_ISOLATE,
	HMM_MIGRATE_STAGE_UNMAP,
	HMM_MIGRATE_STAGE_COPY,
	HMM_MIGRATE_STAGE_MIGRATE,
	HMM_MIGRATE_STAGE_FINALIZE,
	HMM_MIGRATE_STAGE_SETTLE
};

#endif /* _HMM_MIGRATE_TRACE_ENUMS */

/* The names of the numbers, for readers of the events. */
TRACE_DEFINE_ENUM(HMM_MIGRATE_FUNCTION_RANGE);
TRACE_DEFINE_ENUM(HMM_MIGRATE_FUNCTION_FAULT);
TRACE_DEFINE_ENUM(HMM_MIGRATE_FUNCTION_DEVICE_RANGE);
TRACE_DEFINE_ENUM(HMM_MIGRATE_FUNCTION_DEVICE_PFNS);

#define show_hmm_migrate_function(function)				\
	__print_symbolic(function,					\
		{ HMM_MIGRATE_FUNCTION_RANGE, "range" },		\
		{ HMM_MIGRATE_FUNCTION_FAULT, "fault" },		\
		{ HMM_MIGRATE_FUNCTION_DEVICE_RANGE, "device_range" },	\
		{ HMM_MIGRATE_FUNCTION_DEVICE_PFNS, "device_pfns" })

TRACE_DEFINE_ENUM(HMM_MIGRATE_STAGE_SPLIT);
TRACE_DEFINE_ENUM(HMM_MIGRATE_STAGE_COLLECT);
TRACE_DEFINE_ENUM(HMM_MIGRATE_STAGE_ISOLATE);
TRACE_DEFINE_ENUM(HMM_MIGRATE_STAGE_UNMAP);
TRACE_DEFINE_ENUM(HMM_MIGRATE_STAGE_COPY);
TRACE_DEFINE_ENUM(HMM_MIGRATE_STAGE_MIGRATE);
TRACE_DEFINE_ENUM(HMM_MIGRATE_STAGE_FINALIZE);
TRACE_DEFINE_ENUM(HMM_MIGRATE_STAGE_SETTLE);

#define show_hmm_migrate_stage(stage)					\
	__print_symbolic(stage,						\
		{ HMM_MIGRATE_STAGE_SPLIT, "split" },			\
		{ HMM_MIGRATE_STAGE_COLLECT, "collect" },		\
		{ HMM_MIGRATE_STAGE_ISOLATE, "isolate" },		\
		{ HMM_MIGRATE_STAGE_UNMAP, "unmap" },			\
		{ HMM_MIGRATE_STAGE_COPY, "copy" },			\
		{ HMM_MIGRATE_STAGE_MIGRATE, "migrate" },		\
		{ HMM_MIGRATE_STAGE_FINALIZE, "finalize" },		\
		{ HMM_MIGRATE_STAGE_SETTLE, "settle" })

TRACE_DEFINE_ENUM(HMM_MIGRATE_NOTHING);
TRACE_DEFINE_ENUM(HMM_MIGRATE_KIND);
TRACE_DEFINE_ENUM(HMM_MIGRATE_FOREIGN);
TRACE_DEFINE_ENUM(HMM_MIGRATE_SWAPPED);
TRACE_DEFINE_ENUM(HMM_MIGRATE_POISONED);
TRACE_DEFINE_ENUM(HMM_MIGRATE_LOCKED);
TRACE_DEFINE_ENUM(HMM_MIGRATE_NOT_LRU);
TRACE_DEFINE_ENUM(HMM_MIGRATE_PINNED);
TRACE_DEFINE_ENUM(HMM_MIGRATE_PARTIAL);
TRACE_DEFINE_ENUM(HMM_MIGRATE_NOT_MAPPED);
TRACE_DEFINE_ENUM(HMM_MIGRATE_RACED);
TRACE_DEFINE_ENUM(HMM_MIGRATE_NO_MEMORY);
TRACE_DEFINE_ENUM(HMM_MIGRATE_DECLINED);
TRACE_DEFINE_ENUM(HMM_MIGRATE_BAD_DESTINATION);

#define show_hmm_migrate_reason(reason)					\
	__print_symbolic(reason,					\
		{ HMM_MIGRATE_NOTHING, "nothing" },			\
		{ HMM_MIGRATE_KIND, "kind" },				\
		{ HMM_MIGRATE_FOREIGN, "foreign" },			\
		{ HMM_MIGRATE_SWAPPED, "swapped" },			\
		{ HMM_MIGRATE_POISONED, "poisoned" },			\
		{ HMM_MIGRATE_LOCKED, "locked" },			\
		{ HMM_MIGRATE_NOT_LRU, "not_lru" },			\
		{ HMM_MIGRATE_PINNED, "pinned" },			\
		{ HMM_MIGRATE_PARTIAL, "partial" },			\
		{ HMM_MIGRATE_NOT_MAPPED, "not_mapped" },		\
		{ HMM_MIGRATE_RACED, "raced" },				\
		{ HMM_MIGRATE_NO_MEMORY, "no_memory" },			\
		{ HMM_MIGRATE_DECLINED, "declined" },			\
		{ HMM_MIGRATE_BAD_DESTINATION, "bad_destination" })

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
