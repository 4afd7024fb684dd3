// SPDX-License-Identifier: GPL-2.0
/*
 * Where the time of a case goes, in rounds of their own, because counting costs
 * time. Requests of one page table each, so that the driver's callbacks
 * tell mainline's steps from each other.
 */
#include <string.h>

#include "measure.h"

#define ROUNDS	3

static const char * const names[] = {
	"split", "collect", "isolate", "unmap", "copy", "migrate", "finalize",
	"settle",
};

#define NR_NAMES	(sizeof(names) / sizeof(*names))

struct stages {
	FILE *output;
	bool ours;
	__u64 ns[NR_DIRECTIONS][NR_NAMES];
	struct bench_result sums[NR_DIRECTIONS];
};

static void watch(struct trip *trip, enum direction direction, bool after)
{
	struct stages *stages = trip->watcher;
	char name[64];
	size_t i;

	if (!stages->ours)
		return;
	if (!after && stats_on())
		fail("the module has no statistics");
	for (i = 0; after && i < NR_NAMES; i++) {
		snprintf(name, sizeof(name), "stage %s", names[i]);
		stages->ns[direction][i] += stats(name);
	}
	if (after)
		stats_off();
}

static void line(const struct trip *trip, enum direction direction,
		 enum bench_engine engine, const char *name, __u64 ns)
{
	struct stages *stages = trip->watcher;

	fprintf(stages->output, "stage %s %s %zu %s %s %llu\n",
		trip->bench->name, direction_name(trip->bench, direction),
		trip->npages * PAGE, engine_name(engine), name,
		(unsigned long long)ns / ROUNDS);
}

static void tell(const struct trip *trip, enum direction direction,
		 enum bench_engine engine)
{
	struct stages *stages = trip->watcher;
	const struct bench_result *sum = &stages->sums[direction];
	__u64 rest = sum->total_ns;
	size_t i;

	if (engine == BENCH_MAINLINE) {
		rest -= sum->before_ns + sum->copy_ns + sum->between_ns;
		line(trip, direction, engine, "setup", sum->before_ns);
		line(trip, direction, engine, "copy", sum->copy_ns);
		line(trip, direction, engine, "pages", sum->between_ns);
		line(trip, direction, engine, "finalize", rest);
		return;
	}
	for (i = 0; i < NR_NAMES; i++) {
		line(trip, direction, engine, names[i],
		     stages->ns[direction][i]);
		rest -= stages->ns[direction][i];
	}
	line(trip, direction, engine, "other", rest);
}

static void measure(struct trip *trip, enum bench_engine engine, FILE *output)
{
	struct stages stages = {
		.output = output,
		.ours = engine == BENCH_HMM_MIGRATE,
	};
	enum direction direction;
	struct bench_result *sum, *one;
	unsigned int round;

	trip->watch = watch;
	trip->watcher = &stages;
	for (round = 0; round < ROUNDS; round++) {
		trip_round(trip, engine);
		for (direction = AWAY; direction < NR_DIRECTIONS; direction++) {
			sum = &stages.sums[direction];
			one = &trip->samples[direction].result;
			sum->total_ns += one->total_ns;
			sum->copy_ns += one->copy_ns;
			sum->before_ns += one->before_ns;
			sum->between_ns += one->between_ns;
		}
	}
	for (direction = AWAY; direction < NR_DIRECTIONS; direction++)
		if (case_has(trip->bench, direction))
			tell(trip, direction, engine);
	trip->watch = NULL;
}

void stages_tell(struct trip *trip, FILE *output)
{
	device_chunk(TABLE);
	measure(trip, BENCH_MAINLINE, output);
	measure(trip, BENCH_HMM_MIGRATE, output);
	device_chunk(0);
}
