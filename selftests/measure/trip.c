// SPDX-License-Identifier: GPL-2.0
/*
 * One round of a case by one engine: the memory is made anew, goes away, comes
 * back, and is looked at. Nothing but the engine's work is timed.
 */
#include <errno.h>
#include <linux/mempolicy.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "measure.h"

/* A leg of the trip, which threads may share. */
struct leg {
	struct trip *trip;
	enum bench_engine engine;
	enum bench_to to;
	unsigned int threads;
	struct bench_result results[4];
};

static size_t first_page(const struct leg *leg, unsigned int part)
{
	return leg->trip->npages / leg->threads * part;
}

static void fill_part(unsigned int part, void *arg)
{
	struct leg *leg = arg;
	size_t first = first_page(leg, part), page;

	for (page = first; page < first_page(leg, part + 1); page++)
		fill_page(leg->trip->memory, page, leg->trip->seed);
}

static void move_part(unsigned int part, void *arg)
{
	struct leg *leg = arg;
	struct trip *trip = leg->trip;
	size_t first = first_page(leg, part);

	leg->results[part] = device_move(trip->fd, leg->engine, leg->to, 0,
					 trip->memory + first * PAGE,
					 first_page(leg, part + 1) - first,
					 trip->bench->order);
}

static struct leg leg_of(struct trip *trip, enum bench_engine engine,
			 enum bench_to to)
{
	return (struct leg){
		.trip = trip,
		.engine = engine,
		.to = to,
		.threads = trip->bench->threads ? : 1,
	};
}

/* Threads that move at the same time take as long as one of them does. */
static struct bench_result mean(const struct leg *leg)
{
	struct bench_result mean = {};
	unsigned int i, nr = leg->threads;

	for (i = 0; i < nr; i++) {
		mean.total_ns += leg->results[i].total_ns / nr;
		mean.copy_ns += leg->results[i].copy_ns / nr;
		mean.before_ns += leg->results[i].before_ns / nr;
		mean.between_ns += leg->results[i].between_ns / nr;
		mean.moved += leg->results[i].moved;
		mean.windows += leg->results[i].windows;
	}
	return mean;
}

static struct bench_result move(struct trip *trip, enum bench_engine engine,
				enum bench_to to)
{
	struct leg leg = leg_of(trip, engine, to);

	in_parts(leg.threads, move_part, &leg);
	return mean(&leg);
}

static bool forget(struct trip *trip)
{
	return !madvise(trip->memory, trip->npages * PAGE, MADV_DONTNEED);
}

static void refill(struct trip *trip)
{
	struct leg leg = leg_of(trip, 0, 0);

	trip->seed++;
	in_parts(leg.threads, fill_part, &leg);
}

/* Memory that shares its folios must not be written to, or it has its own. */
static void prepare(struct trip *trip)
{
	if (trip->bench->kind == HOLE || trip->bench->order)
		if (!forget(trip))
			fail("MADV_DONTNEED: %s", strerror(errno));
	if (trip->bench->kind != HOLE && !trip->bench->children)
		refill(trip);
	device_reset(trip->fd);
}

static void check(struct trip *trip)
{
	size_t page;

	if (trip->bench->kind != HOLE) {
		if (wrong(trip->memory, trip->npages, trip->seed) != -1)
			fail("the memory is not what was written to it");
		return;
	}
	for (page = 0; page < trip->npages; page++)
		if (!page_is_zero(trip->memory, page))
			fail("what was a hole is not zero");
}

static struct bench_result touch(struct trip *trip, enum bench_engine engine)
{
	size_t page;

	device_faults_begin(trip->fd, engine, trip->bench->window[engine]);
	for (page = 0; page < trip->npages; page++)
		asm volatile("" : : "r" (trip->memory[page * PAGE]));
	return device_faults_end(trip->fd, trip->npages);
}

/* What move_pages(2) copies cannot be told from the rest. */
static struct bench_result syscall_to_node(struct trip *trip, int node)
{
	static void *pages[256 * MB / PAGE];
	static int nodes[256 * MB / PAGE], status[256 * MB / PAGE];
	struct bench_result result = {};
	size_t page;
	long ret;

	for (page = 0; page < trip->npages; page++) {
		pages[page] = trip->memory + page * PAGE;
		nodes[page] = node;
		status[page] = -1;
	}
	result.total_ns = now_ns();
	ret = syscall(SYS_move_pages, 0, trip->npages, pages, nodes, status,
		      MPOL_MF_MOVE);
	result.total_ns = now_ns() - result.total_ns;
	for (page = 0; page < trip->npages; page++)
		result.moved += status[page] == node;
	if (ret || result.moved != trip->npages)
		fail("move_pages: %ld, %llu of %zu pages moved", ret,
		     (unsigned long long)result.moved, trip->npages);
	return result;
}

static struct bench_result to_node(struct trip *trip, enum bench_engine engine,
				   int node)
{
	struct bench_result result;
	__u64 begin;

	if (engine == BENCH_MAINLINE)
		return syscall_to_node(trip, node);
	begin = now_ns();
	result = device_move(trip->fd, engine, BENCH_TO_NODE, node,
			     trip->memory, trip->npages, false);
	result.total_ns = now_ns() - begin;
	result.copy_ns = 0;
	return result;
}

static struct bench_result go(struct trip *trip, enum bench_engine engine,
			      enum direction direction)
{
	switch (trip->bench->kind) {
	case NODES:
		return to_node(trip, engine, direction == AWAY);
	case FAULT:
		if (direction == BACK)
			return touch(trip, engine);
		break;
	case EVICTION:
		if (direction == BACK)
			return device_evict(trip->fd, engine, trip->npages);
		break;
	default:
		break;
	}
	/* What is not measured is the same for both. */
	if (!case_has(trip->bench, direction))
		engine = BENCH_HMM_MIGRATE;
	return move(trip, engine,
		    direction == AWAY ? BENCH_TO_DEVICE : BENCH_TO_SYSTEM);
}

void trip_round(struct trip *trip, enum bench_engine engine)
{
	enum direction direction;
	struct sample *sample;

	prepare(trip);
	for (direction = AWAY; direction < NR_DIRECTIONS; direction++) {
		sample = &trip->samples[direction];
		if (trip->watch)
			trip->watch(trip, direction, false);
		sample->flushes = remote_flushes();
		sample->result = go(trip, engine, direction);
		sample->flushes = remote_flushes() - sample->flushes;
		if (trip->watch)
			trip->watch(trip, direction, true);
	}
	check(trip);
}

static void check_folios(const struct trip *trip)
{
	unsigned int order = trip->bench->order;
	size_t npages = 1UL << order;

	/* One tells that the kernel gives such folios. */
	if (order && folios_of_order(trip->memory, npages, order) != 1)
		fail("no folio of order %u", order);
}

void trip_begin(struct trip *trip, const struct bench_case *bench, size_t bytes)
{
	unsigned long first_node = 1;

	*trip = (struct trip){
		.bench = bench,
		.fd = device_open(),
		.npages = bytes / PAGE,
	};
	/* Wherever a thread runs. */
	if (bench->kind != NODES && nodes_exist() &&
	    syscall(SYS_set_mempolicy, MPOL_BIND, &first_node,
		    8 * sizeof(first_node)))
		fail("set_mempolicy: %s", strerror(errno));
	trip->memory = pages_map(trip->npages);
	if (!trip->memory ||
	    (huge_pages_exist() &&
	     madvise(trip->memory, bytes,
		     bench->order ? MADV_HUGEPAGE : MADV_NOHUGEPAGE)))
		fail("no memory");
	folio_order_set(bench->order);
	if (bench->kind != HOLE) {
		refill(trip);
		check_folios(trip);
	}
	children_start(bench->children, trip->memory, trip->npages, trip->seed);
	bystanders_start(bench->bystanders);
}

void trip_end(struct trip *trip)
{
	bystanders_stop();
	children_stop();
	folio_order_reset();
	pages_unmap(trip->memory, trip->npages);
	close(trip->fd);
}
