// SPDX-License-Identifier: GPL-2.0
/* The cases of the benchmark. */
#include "measure.h"

#define ALL	.min = 16 * KB, .max = 256 * MB

const struct bench_case bench_cases[] = {
	{ "4k-exclusive-1t", TRIP, 0, ALL, .stages = true },
	/*
	 * On a busy host each flush may take milliseconds, and mainline has
	 * one for each page.
	 */
	{ "4k-exclusive-2t", TRIP, 0, 16 * KB, 8 * MB, .bystanders = 1 },
	{ "4k-forked-4", TRIP, 0, 16 * KB, 64 * MB, .children = 4,
	  .stages = true },
	{ "64k-mthp", TRIP, 4, 64 * KB, 256 * MB, .stages = true },
	{ "2m-thp", TRIP, 9, 2 * MB, 256 * MB, .stages = true },
	{ "hole", HOLE, 0, ALL, .stages = true },
	{ "fault-1", FAULT, 0, ALL, .window = { 1, 1 } },
	/* Mainline's drivers bring the page that was touched. */
	{ "fault-64k", FAULT, 0, 64 * KB, 256 * MB, .window = { 1, 16 } },
	{ "fault-64k-both", FAULT, 0, 64 * KB, 256 * MB, .window = { 16, 16 } },
	{ "evict", EVICTION, 0, ALL, .stages = true },
	/* What one of the two threads does, alone. */
	{ "4k-parallel-1", TRIP, 0, ALL, .part = 2 },
	{ "4k-parallel-2", TRIP, 0, ALL, .threads = 2 },
	{ "node-4k", NODES, 0, ALL },
	{ "4k-insn", TRIP, 0, ALL, .instructions = true },
};

const size_t nr_bench_cases = sizeof(bench_cases) / sizeof(*bench_cases);

const char *engine_name(enum bench_engine engine)
{
	return engine == BENCH_MAINLINE ? "mainline" : "hmm_migrate";
}

const char *direction_name(const struct bench_case *bench,
			   enum direction direction)
{
	if (bench->kind == NODES)
		return direction == AWAY ? "to_node1" : "to_node0";
	return direction == AWAY ? "to_device" : "to_system";
}

bool case_has(const struct bench_case *bench, enum direction direction)
{
	switch (bench->kind) {
	case HOLE:
		return direction == AWAY;
	case FAULT:
	case EVICTION:
		return direction == BACK;
	default:
		return true;
	}
}

/* How much a case moves at this step of the sizes. */
size_t case_bytes(const struct bench_case *bench, size_t size)
{
	return bench->part ? size / bench->part : size;
}
