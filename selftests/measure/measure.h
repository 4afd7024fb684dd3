/* SPDX-License-Identifier: GPL-2.0 */
/* Shared by the files of the benchmark. */
#ifndef SELFTESTS_MEASURE_H
#define SELFTESTS_MEASURE_H

#include <stdio.h>

#include "lib.h"
#include "hmm_migrate_bench_uapi.h"

#define KB	1024UL
#define MB	(1024 * KB)

enum direction { AWAY, BACK, NR_DIRECTIONS };

/* What is measured. */
enum kind {
	TRIP,		/* a range goes to the device and comes back */
	HOLE,		/* what was never touched is filled on the device */
	FAULT,		/* comes back page by page, as it is touched */
	EVICTION,	/* comes back by frame number */
	NODES,		/* goes to another node; there is move_pages(2) */
};

struct bench_case {
	const char *name;
	enum kind kind;
	unsigned int order;	/* of the folios */
	size_t min, max;	/* bytes */
	unsigned int bystanders; /* threads of the process that just run */
	unsigned int children;	/* processes that share the memory */
	unsigned int threads;	/* that each move their share; 0: one */
	unsigned int part;	/* moves but one part in so many; 0: all */
	unsigned int window[BENCH_NR_ENGINES];	/* pages a fault brings */
	bool stages;		/* tell where the time goes */
	bool instructions;	/* a case for when instructions are counted */
};

/* cases.c */
extern const struct bench_case bench_cases[];
extern const size_t nr_bench_cases;
const char *engine_name(enum bench_engine engine);
const char *direction_name(const struct bench_case *bench,
			   enum direction direction);
bool case_has(const struct bench_case *bench, enum direction direction);
size_t case_bytes(const struct bench_case *bench, size_t size);

/* What one engine took for one direction. */
struct sample {
	struct bench_result result;
	long flushes;	/* of TLBs of other processors */
};

/* device.c: requests to the driver; what has not moved ends the benchmark */
int device_open(void);
void device_chunk(size_t npages);
void device_reset(int fd);
struct bench_result device_move(int fd, enum bench_engine engine,
				enum bench_to to, unsigned int node,
				void *memory, size_t npages, bool large);
struct bench_result device_evict(int fd, enum bench_engine engine,
				 size_t npages);
void device_faults_begin(int fd, enum bench_engine engine, size_t window);
struct bench_result device_faults_end(int fd, size_t npages);
void fail(const char *format, ...);

/* company.c: others that use the same memory, or the same processors */
void bystanders_start(unsigned int number);
void bystanders_stop(void);
void children_start(unsigned int number, const void *memory, size_t npages,
		    unsigned int seed);
void children_stop(void);
long remote_flushes(void);
void in_parts(unsigned int threads, void (*work)(unsigned int part, void *arg),
	      void *arg);

/* trip.c: one round of a case by one engine */
struct trip {
	const struct bench_case *bench;
	int fd;
	char *memory;
	size_t npages;
	unsigned int seed;
	struct sample samples[NR_DIRECTIONS];
	/* Called before and after each direction. */
	void (*watch)(struct trip *trip, enum direction direction, bool after);
	void *watcher;
};

void trip_begin(struct trip *trip, const struct bench_case *bench,
		size_t bytes);
void trip_round(struct trip *trip, enum bench_engine engine);
void trip_end(struct trip *trip);

/* stages.c: where the time goes, in rounds of their own */
void stages_tell(struct trip *trip, FILE *output);

#endif
