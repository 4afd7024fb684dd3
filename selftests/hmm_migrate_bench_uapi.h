/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * What the benchmark asks of its device. Two engines move the same memory with
 * the same allocator and the same copies, and their time is taken alike.
 */
#ifndef HMM_MIGRATE_BENCH_UAPI_H
#define HMM_MIGRATE_BENCH_UAPI_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define BENCH_PATH	"/dev/hmm_migrate_bench"
#define BENCH_MEMORY	"hmm_migrate_bench"	/* as in /proc/iomem */

enum bench_engine {
	BENCH_MAINLINE,		/* migrate_vma_*(), migrate_device_*() */
	BENCH_HMM_MIGRATE,	/* hmm_migrate_*() */
	BENCH_NR_ENGINES
};

enum bench_to {
	BENCH_TO_DEVICE,
	BENCH_TO_SYSTEM,	/* from the device */
	BENCH_TO_NODE,		/* from system memory; hmm_migrate alone */
};

/**
 * struct bench_result - what a request, or a number of faults, has taken
 * @total_ns: from the first thing an engine does to the last
 * @copy_ns: of these, inside the driver: it allocates, copies, and counts
 * @before_ns: of the first window, before the driver allocates and copies
 * @between_ns: from there to where the driver learns what has moved
 * @moved: base pages
 * @windows: how often the driver has allocated and copied
 *
 * What is left of @total_ns is what comes after the driver, and before it in
 * all windows but the first.
 */
struct bench_result {
	__u64 total_ns;
	__u64 copy_ns;
	__u64 before_ns;
	__u64 between_ns;
	__u64 moved;
	__u64 windows;
};

/**
 * struct bench_move - BENCH_MOVE: move a range of the caller's memory
 * @addr: page-aligned
 * @npages: base pages; all in one mapping
 * @engine: enum bench_engine
 * @to: enum bench_to
 * @node: of the destinations that are system memory
 * @large: the driver takes large folios as they are
 * @result: out
 */
struct bench_move {
	__u64 addr;
	__u64 npages;
	__u32 engine;
	__u32 to;
	__u32 node;
	__u32 large;
	struct bench_result result;
};

/**
 * struct bench_evict - BENCH_EVICT: bring device memory back, found by frame
 * @first: the first page, counted from the device's first
 * @npages: base pages
 * @engine: enum bench_engine
 * @node: of the destinations
 * @result: out
 */
struct bench_evict {
	__u64 first;
	__u64 npages;
	__u32 engine;
	__u32 node;
	struct bench_result result;
};

/**
 * struct bench_faults - BENCH_FAULTS: what happens at the CPU faults that follow
 * @engine: enum bench_engine
 * @node: of the destinations
 * @npages: pages to bring back at once, a power of two up to BENCH_MAX_WINDOW
 * @pad: 0
 * @result: out: sums over the faults since the last request
 * @count: out: how many faults these were
 */
struct bench_faults {
	__u32 engine;
	__u32 node;
	__u32 npages;
	__u32 pad;
	struct bench_result result;
	__u64 count;
};

#define BENCH_MAX_WINDOW	16

#define BENCH_MOVE	_IOWR('B', 0x40, struct bench_move)
#define BENCH_EVICT	_IOWR('B', 0x41, struct bench_evict)
#define BENCH_FAULTS	_IOWR('B', 0x42, struct bench_faults)
/* Hand out the device's memory from its first page on; -EBUSY: some is in use. */
#define BENCH_RESET	_IO('B', 0x43)

#endif /* HMM_MIGRATE_BENCH_UAPI_H */
