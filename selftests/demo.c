// SPDX-License-Identifier: GPL-2.0
/*
 * The demonstration: 64 MiB of this process go to a device's memory and come
 * back, on every way there is, while the device and the processor change
 * them. Each byte is checked. The table shows what the module counted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib.h"
#include "test_hmm_uapi.h"

#define PAGES	(64UL * 1024 * 1024 / PAGE)
#define HALF	(PAGES / 2)
#define STAGES	8

/* Who wrote what is there now; a number each. */
enum { PROCESS = 1, DEVICE, PROCESS_AGAIN };

static const struct {
	const char *name;
	const char *head;
} stages[STAGES] = {
	{ "split", "split" }, { "collect", "coll." }, { "isolate", "isol." },
	{ "unmap", "unmap" }, { "copy", "copy" }, { "migrate", "migr." },
	{ "finalize", "fin." }, { "settle", "sett." },
};

static char *memory;
static char *device_copy;
static bool failed;

static void check(bool good, const char *what)
{
	if (good)
		return;
	printf("WRONG: %s\n", what);
	failed = true;
}

static void need(bool there, const char *what)
{
	if (there)
		return;
	printf("%s\n", what);
	exit(1);
}

static void check_bytes(size_t first, size_t npages, unsigned int writer,
			const char *where)
{
	size_t page;

	for (page = first; page < first + npages; page++) {
		if (page_is(memory, page, writer))
			continue;
		printf("WRONG: page %zu %s is not what was written last\n",
		       page, where);
		failed = true;
		return;
	}
}

static void check_place(size_t first, size_t npages, enum place place)
{
	size_t there = pages_at(memory + first * PAGE, npages, place);

	if (there == npages)
		return;
	printf("WRONG: %zu of %zu pages are in %s memory\n", there, npages,
	       place_name(place));
	failed = true;
}

static void head(void)
{
	size_t i;

	printf("%-8s %-8s %-8s %5s %5s %6s %6s %5s", "from", "to", "by",
	       "asked", "moved", "ms", "MB/s", "wait");
	for (i = 0; i < STAGES; i++)
		printf(" %5s", stages[i].head);
	printf("\n");
}

static void left_behind(void)
{
	const char *before = "          refused: ";
	size_t i;

	for (i = 0; i < HMM_TEST_NR_REASONS; i++) {
		long count = stats_left(i);

		/* An eviction looks at free pages of the device as well. */
		if (count <= 0 || i == HMM_TEST_NOT_MAPPED)
			continue;
		printf("%s%ld %s", before, count, reason_name(i));
		before = ", ";
	}
	if (*before == ',')
		printf("\n");
}

/* One line of the table, from what the module counted since the last one. */
static void line(enum place from, enum place to, const char *by, long asked)
{
	long ns[STAGES], sum = 0, moved;
	char name[64];
	size_t i;

	snprintf(name, sizeof(name), "moved %s %s", place_name(from),
		 place_name(to));
	moved = stats(name);
	for (i = 0; i < STAGES; i++) {
		snprintf(name, sizeof(name), "stage %s", stages[i].name);
		ns[i] = stats(name);
		check(ns[i] >= 0, "the module does not tell of each stage");
		sum += ns[i];
	}
	printf("%-8s %-8s %-8s %5ld %5ld %6.0f %6.1f %5.1f", place_name(from),
	       place_name(to), by, asked, moved, sum / 1e6,
	       sum ? moved * PAGE * 1e3 / sum : 0,
	       stats("longest window") / 1e6);
	for (i = 0; i < STAGES; i++)
		printf(" %5.1f", sum ? 100.0 * ns[i] / sum : 0);
	printf("\n");
	left_behind();
	check(moved == asked, "not every page has moved");
	stats_on();
}

static void send(int fd, enum place to)
{
	long ret;

	fill(memory, PAGES, PROCESS);
	stats_on();
	ret = mirror_command(fd, HMM_DMIRROR_MIGRATE_TO_DEV, memory, PAGES,
			     device_copy);
	line(SYSTEM, to, "request", PAGES);
	check(ret == PAGES, "the device did not get all of the memory");
	check(wrong(device_copy, PAGES, PROCESS) == -1,
	      "the device reads something else than was written");
	check_place(0, PAGES, to);

	/* The device's own program runs: it changes every page. */
	fill(device_copy, PAGES, DEVICE);
	ret = mirror_command(fd, HMM_DMIRROR_WRITE, memory, PAGES, device_copy);
	check(ret == PAGES, "the device could not write to its memory");
	check_place(0, PAGES, to);
	stats_on();
}

static void first_half_by_request(int fd, enum place from)
{
	long ret = mirror_to_system(fd, memory, HALF);

	line(from, SYSTEM, "request", HALF);
	check(ret == HALF, "the device did not give back what was asked");
	check_place(0, HALF, SYSTEM);
	check_place(HALF, HALF, from);
	check_bytes(0, HALF, DEVICE, "that came back by request");
}

static void private_memory(void)
{
	int fd = mirror_open(MIRROR_PRIVATE);

	need(fd >= 0, "there is no device with private memory");
	send(fd, PRIVATE);
	first_half_by_request(fd, PRIVATE);

	stats_on();
	check_bytes(HALF, HALF, DEVICE, "that came back by CPU faults");
	line(PRIVATE, SYSTEM, "faults", HALF);
	check_place(HALF, HALF, SYSTEM);
	close(fd);
}

static long moved_at_all(void)
{
	return stats("moved coherent system") +
	       stats("moved coherent coherent");
}

static void coherent_memory(void)
{
	int fd = mirror_open(MIRROR_COHERENT), other;
	__u64 begin, ns;

	need(fd >= 0, "there is no device with coherent memory");
	send(fd, COHERENT);
	first_half_by_request(fd, COHERENT);

	stats_on();
	begin = now_ns();
	check_bytes(HALF, HALF, DEVICE, "read in place");
	for (size_t page = HALF; page < PAGES; page++)
		fill_page(memory, page, PROCESS_AGAIN);
	ns = now_ns() - begin;
	printf("%-8s %-8s %-8s %5lu %5ld %6.0f               %s\n", "coherent", "-",
	       "in place", HALF, moved_at_all(), ns / 1e6,
	       "read and written by the CPU where it is");
	check(moved_at_all() == 0, "memory moved that was only used");
	check_place(HALF, HALF, COHERENT);

	/* The driver empties the device's memory whenever a file is closed. */
	other = mirror_open(MIRROR_COHERENT);
	stats_on();
	close(other);
	line(COHERENT, SYSTEM, "eviction", HALF);
	check_place(HALF, HALF, SYSTEM);
	check_bytes(0, HALF, DEVICE, "that came back first");
	check_bytes(HALF, HALF, PROCESS_AGAIN, "that was evicted");
	close(fd);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	memory = pages_map(PAGES);
	device_copy = pages_map(PAGES);
	need(memory && device_copy, "there is not enough memory");
	need(!mirror_engine("hmm_migrate"), "test_hmm has no engine hmm_migrate");
	need(!stats_on(), "the module has no statistics in debugfs");

	printf("64 MiB of a process go to a device and back through hmm_vma_migrate().\n");
	printf("ms: in the module and the driver; then per cent of it, by stage.\n");
	printf("wait: ms for which an access may have had to wait, at worst.\n\n");
	head();
	private_memory();
	coherent_memory();
	stats_off();
	printf("\n%s\n", failed ? "FAILED." :
	       "Every byte is what the process or the device wrote last.");
	return failed;
}
