// SPDX-License-Identifier: GPL-2.0
/*
 * Requests to the benchmark's driver. A request that does not move every page
 * has not done the work that is measured: it ends the case.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "measure.h"

static size_t chunk;

void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("    FAILED: ");
	vprintf(format, args);
	printf("\n");
	va_end(args);
	fflush(stdout);
	_exit(1);
}

int device_open(void)
{
	int fd = open(BENCH_PATH, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		fail(BENCH_PATH ": %s", strerror(errno));
	return fd;
}

/* So many pages at most from now on in a request. 0: whatever is asked for. */
void device_chunk(size_t npages)
{
	chunk = npages;
}

static size_t next_chunk(size_t left)
{
	return chunk && chunk < left ? chunk : left;
}

static void add(struct bench_result *sum, const struct bench_result *result)
{
	sum->total_ns += result->total_ns;
	sum->copy_ns += result->copy_ns;
	sum->before_ns += result->before_ns;
	sum->between_ns += result->between_ns;
	sum->moved += result->moved;
	sum->windows += result->windows;
}

static void check_moved(const struct bench_result *result, size_t npages,
			enum bench_engine engine, const char *what)
{
	if (result->moved != npages)
		fail("%s: %s: %llu of %zu pages moved", engine_name(engine),
		     what, (unsigned long long)result->moved, npages);
}

void device_reset(int fd)
{
	if (ioctl(fd, BENCH_RESET))
		fail("reset: %s: is device memory still in use?",
		     strerror(errno));
}

struct bench_result device_move(int fd, enum bench_engine engine,
				enum bench_to to, unsigned int node,
				void *memory, size_t npages, bool large)
{
	struct bench_result sum = {};
	size_t page, nr;

	for (page = 0; page < npages; page += nr) {
		struct bench_move move = {
			.addr = (uintptr_t)memory + page * PAGE,
			.engine = engine,
			.to = to,
			.node = node,
			.large = large,
		};

		nr = next_chunk(npages - page);
		move.npages = nr;
		if (ioctl(fd, BENCH_MOVE, &move))
			fail("%s: move: %s", engine_name(engine),
			     strerror(errno));
		add(&sum, &move.result);
	}
	check_moved(&sum, npages, engine, "move");
	return sum;
}

struct bench_result device_evict(int fd, enum bench_engine engine,
				 size_t npages)
{
	struct bench_result sum = {};
	size_t page, nr;

	for (page = 0; page < npages; page += nr) {
		struct bench_evict evict = {
			.first = page,
			.engine = engine,
		};

		nr = next_chunk(npages - page);
		evict.npages = nr;
		if (ioctl(fd, BENCH_EVICT, &evict))
			fail("%s: eviction: %s", engine_name(engine),
			     strerror(errno));
		add(&sum, &evict.result);
	}
	check_moved(&sum, npages, engine, "eviction");
	return sum;
}

static struct bench_faults faults_now(int fd, enum bench_engine engine,
				      size_t window)
{
	struct bench_faults faults = { .engine = engine, .npages = window };

	if (ioctl(fd, BENCH_FAULTS, &faults))
		fail("faults: %s", strerror(errno));
	return faults;
}

/* From here on the engine answers CPU faults with so many pages. */
void device_faults_begin(int fd, enum bench_engine engine, size_t window)
{
	faults_now(fd, engine, window);
}

struct bench_result device_faults_end(int fd, size_t npages)
{
	struct bench_faults faults = faults_now(fd, BENCH_HMM_MIGRATE, 1);

	if (faults.result.moved != npages)
		fail("%llu faults moved %llu of %zu pages",
		     (unsigned long long)faults.count,
		     (unsigned long long)faults.result.moved, npages);
	return faults.result;
}
