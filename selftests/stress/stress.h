/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The storm: processes that know what is in their memory and use it in every
 * way, movers that move it meanwhile, and a kernel that is kept busy.
 */
#ifndef SELFTESTS_STRESS_H
#define SELFTESTS_STRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "kselftest.h"
#include "lib.h"

#define REGION_PAGES	(2 * TABLE)

/* What is counted, in the order of the table at the end. */
enum event {
	PAGES_CHECKED, PAGES_WRITTEN,
	FIRST_USE,
	THROWN_AWAY = FIRST_USE, FREED_LAZILY, PAGED_OUT, FORKED, EXECUTED,
	PROTECTED, REMAPPED, COLLAPSED, GUARDED, LOCKED, MERGEABLE,
	WRITTEN_BY_DEVICE, PINNED, WRITES_TOLD, MISSES_FILLED, BROKEN, RETIRED,
	MOVED_AWAY, MOVED_BACK, EVICTED, EVICTIONS,
	KILLED, KILLED_FOR_MEMORY, ENDED,
	FIRST_SHAKE,
	COMPACTED = FIRST_SHAKE, SWAP_TURNED_OFF, KSM_TURNED, CACHES_DROPPED,
	CPU_TURNED, FOLIOS_TURNED, NUMA_TURNED, LISTS_TURNED, SQUEEZED,
	STARVED,
	NR_EVENTS
};

/* What all processes of the storm share. */
struct storm {
	__u64 events[NR_EVENTS];
	int failed;		/* somebody has seen what must not be */
	int over;		/* everybody ends by himself */
	__u64 seed;
	unsigned int movers, uses, shakes, evict;	/* what may happen */
};

extern struct storm *storm;

void count(enum event event, __u64 number);
bool is_over(void);
void __printf(1, 2) storm_fail(const char *format, ...);

/* Some of a region's pages. */
struct part {
	size_t first, npages;
};

/* region.c: memory of which one process knows what is in it */
struct region {
	char *memory;		/* read by movers, too, and moved by its owner */
	struct part busy;	/* what its owner is writing; movers want it, too */
	char *arena;		/* where it may be: two places */
	unsigned int number, version;
	struct {
		unsigned int seed;	/* 0: the page is zero */
		bool may_be_zero;
	} pages[REGION_PAGES];
	/*
	 * The mirrors that write to it, which are also those that move it: one
	 * of the same device is not told of what another one moves.
	 */
	int mirrors[2];
	/*
	 * Held by who moves pages to the coherent device, or wants none there:
	 * the kernel does not survive it that such memory breaks
	 * (patches/fixes/0020).
	 */
	pthread_mutex_t coherent;
	const char *history[8];	/* what was done last */
	unsigned int done;
};

bool region_init(struct region *region, unsigned int number);
char *region_memory(struct region *region);
struct part region_part(size_t most);
void region_tell_signal(struct region *region, int signal, const char *addr);
void region_note(struct region *region, const char *what);
bool region_check(struct region *region, struct part part);
void region_write(struct region *region, struct part part);
void region_set(struct region *region, struct part part, unsigned int seed);
void region_is_zero(struct region *region, struct part part);
void region_may_be_zero(struct region *region, struct part part);
unsigned int region_next_seed(struct region *region);
bool region_adopt(struct region *region, struct part part, unsigned int seed);
bool region_move(struct region *region);
bool region_renew(struct region *region, struct part part);

/* use.c: what a process does with its memory */
bool use_something(struct region *region);

/* use_uffd.c: accesses that somebody waits for */
bool use_watch_writes(struct region *region);
bool use_watch_misses(struct region *region);

/* use_broken.c: memory that breaks */
bool use_break_page(struct region *region);
bool use_retire_pages(struct region *region);
bool use_expects_signal(void);

/* worker.c: a process that lives for a while */
pid_t worker_start(unsigned int number);

/* shaker.c: what the kernel is kept busy with */
pid_t shaker_start(void);
pid_t evictor_start(void);

#endif
