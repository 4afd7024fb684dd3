// SPDX-License-Identifier: GPL-2.0
/*
 * What the engine tells of its calls: tracepoints, and counters in debugfs.
 * Each is compared with what the call itself has said.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "test.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL	102
#endif

#define PAGES		64
#define PINNED		20	/* the page that somebody holds */
#define LISTED		10	/* the pages of a list, among them: */
#define UNNAMED		4
#define FREE		7
#define TRACING		"/sys/kernel/tracing"
#define INSTANCE	TRACING "/instances/watched"
#define ENABLE		INSTANCE "/events/hmm_migrate/enable"

FIXTURE(watched)
{
	int fd;
	char *memory;
};

/* The memory is there, of small pages, and one of them is held. */
FIXTURE_SETUP(watched)
{
	on_cpu(0);
	self->fd = own_open();
	ASSERT_GE(self->fd, 0);
	self->memory = pages_map(PAGES);
	fill(self->memory, PAGES, 1);
	ASSERT_EQ(0, own_hold(self->fd, pfn_of(self->memory + PINNED * PAGE),
			      HMM_TEST_HOLD_REFERENCE));
	if (mount("tracefs", TRACING, "tracefs", 0, NULL))
		ASSERT_EQ(EBUSY, errno);
	ASSERT_EQ(0, mkdir(INSTANCE, 0700));
}

FIXTURE_TEARDOWN(watched)
{
	EXPECT_EQ(0, rmdir(INSTANCE));
	EXPECT_EQ(0, own_hold(self->fd, 0, HMM_TEST_RELEASE_ALL));
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
	close(self->fd);
}

/* How many lines of the trace have this text. */
static int traced(const char *format, ...)
{
	char text[256], line[512];
	va_list arguments;
	int count = 0;
	FILE *file;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	file = fopen(INSTANCE "/trace", "r");
	while (file && fgets(line, sizeof(line), file))
		count += !!strstr(line, text);
	if (file)
		fclose(file);
	return count;
}

TEST_F(watched, by_address)
{
	static const char * const before[] = { "collect", "isolate", "unmap" };
	static const char * const after[] = { "copy", "migrate", "finalize" };
	unsigned long start = (unsigned long)self->memory;
	int i;

	ASSERT_EQ(0, file_write(ENABLE, "1"));
	ASSERT_EQ(PAGES - 1, own_to_device(self->fd, self->memory, PAGES));
	ASSERT_EQ(0, file_write(ENABLE, "0"));
	EXPECT_EQ(1, traced("hmm_migrate_start: function=range start=0x%lx npages=%d\n",
			    start, PAGES));
	/* A first round ends at the pin: a per-CPU list might have it. */
	for (i = 0; i < ARRAY_SIZE(before); i++)
		EXPECT_EQ(2, traced("hmm_migrate_stage: stage=%s start=0x%lx npages=%d ",
				    before[i], start, PAGES))
			TH_LOG("%s", before[i]);
	for (i = 0; i < ARRAY_SIZE(after); i++)
		EXPECT_EQ(1, traced("hmm_migrate_stage: stage=%s start=0x%lx npages=%d ",
				    after[i], start, PAGES - 1))
			TH_LOG("%s", after[i]);
	EXPECT_EQ(2, traced("hmm_migrate_stage: stage=settle start=0x%lx npages=%d ",
			    start, PAGES - 1));
	EXPECT_EQ(1, traced("hmm_migrate_left: start=0x%lx npages=1 reason=pinned\n",
			    start + PINNED * PAGE));
	EXPECT_EQ(1, traced("hmm_migrate_end: function=range ret=0 migrated=%d left=1\n",
			    PAGES - 1));
}

TEST_F(watched, by_a_fault)
{
	ASSERT_EQ(PAGES - 1, own_to_device(self->fd, self->memory, PAGES));
	ASSERT_EQ(0, file_write(ENABLE, "1"));
	EXPECT_TRUE(page_is(self->memory, 0, 1));
	ASSERT_EQ(0, file_write(ENABLE, "0"));
	EXPECT_EQ(1, traced("hmm_migrate_start: function=fault start=0x"));
	EXPECT_EQ(1, traced("hmm_migrate_end: function=fault ret=0 migrated="));
	EXPECT_LT(0, pages_at(self->memory, PAGES, SYSTEM) - 1);
}

static struct hmm_test_evict all_of_the_device(int fd)
{
	struct hmm_test_stats device = own_stats(fd);

	return (struct hmm_test_evict) {
		.first_pfn = device.first_pfn,
		.npages = device.npages,
		.function = HMM_TEST_DEVICE_RANGE,
		.flags = HMM_TEST_TO_SYSTEM,
	};
}

TEST_F(watched, by_frame_number)
{
	struct hmm_test_evict evict = all_of_the_device(self->fd);

	ASSERT_EQ(PAGES - 1, own_to_device(self->fd, self->memory, PAGES));
	ASSERT_EQ(0, file_write(ENABLE, "1"));
	ASSERT_EQ(0, own_evict(self->fd, &evict));
	ASSERT_EQ(0, file_write(ENABLE, "0"));
	EXPECT_EQ(PAGES - 1, evict.result.migrated);
	EXPECT_EQ(1, traced("hmm_migrate_start: function=device_range start=0x%llx npages=%llu\n",
			    evict.first_pfn, evict.npages));
	EXPECT_EQ(1, traced("hmm_migrate_end: function=device_range ret=0 migrated=%d left=%llu\n",
			    PAGES - 1, evict.npages - (PAGES - 1)));
}

/* By a list, of which one word names nothing and one a page that is free. */
TEST_F(watched, by_list)
{
	struct hmm_test_evict evict = {
		.npages = LISTED,
		.function = HMM_TEST_DEVICE_PFNS,
		.flags = HMM_TEST_TO_SYSTEM,
	};
	__u64 words[LISTED] = {};
	int i;

	ASSERT_EQ(PAGES - 1, own_to_device(self->fd, self->memory, PAGES));
	for (i = 0; i < LISTED; i++)
		if (i != UNNAMED)
			words[i] = HMM_TEST_WORD_OF(pfn_of(self->memory +
							   i * PAGE));
	ASSERT_EQ(1, own_to_system(self->fd, self->memory + FREE * PAGE, 1));
	evict.words = (uintptr_t)words;
	ASSERT_EQ(0, file_write(ENABLE, "1"));
	ASSERT_EQ(0, own_evict(self->fd, &evict));
	ASSERT_EQ(0, file_write(ENABLE, "0"));
	EXPECT_EQ(LISTED - 2, evict.result.migrated);
	EXPECT_EQ(1, traced("hmm_migrate_start: function=device_pfns start=0x0 npages=%d\n",
			    LISTED));
	EXPECT_EQ(1, traced("hmm_migrate_left: start=0x%lx npages=1 reason=nothing\n",
			    UNNAMED * PAGE));
	EXPECT_EQ(1, traced("hmm_migrate_left: start=0x%lx npages=1 reason=not_mapped\n",
			    FREE * PAGE));
	EXPECT_EQ(1, traced("hmm_migrate_end: function=device_pfns ret=0 migrated=%d left=2\n",
			    LISTED - 2));
}

TEST_F(watched, refused)
{
	struct hmm_test_move move;

	ASSERT_EQ(0, file_write(ENABLE, "1"));
	move = own_request(self->memory, PAGES, HMM_TEST_TO_DEVICE, 1 << 30);
	EXPECT_EQ(0, own_call(self->fd, &move));
	EXPECT_EQ(-EINVAL, move.result.ret);
	ASSERT_EQ(0, file_write(ENABLE, "0"));
	EXPECT_EQ(1, traced("hmm_migrate_end: function=range ret=-22 migrated=0 left=0\n"));
}

/* Of a stage: all windows, however long they took. */
static long latencies(const char *stage)
{
	long count, sum = 0;
	char name[64];
	int bit;

	for (bit = 0; bit < 40; bit++) {
		snprintf(name, sizeof(name), "latency %s %lu", stage,
			 1UL << bit);
		count = stats(name);
		sum += count > 0 ? count : 0;
	}
	return sum;
}

TEST_F(watched, counted)
{
	ASSERT_EQ(0, stats_on());
	EXPECT_EQ(0, latencies("settle"));
	ASSERT_EQ(PAGES - 1, own_to_device(self->fd, self->memory, PAGES));
	EXPECT_EQ(1, stats("calls"));
	EXPECT_EQ(1, stats("windows"));
	EXPECT_EQ(PAGES - 1, stats("moved system private"));
	EXPECT_EQ(PAGES - 1, stats("order 0"));
	EXPECT_EQ(1, stats("left pinned"));
	EXPECT_EQ(2, latencies("collect"));
	EXPECT_EQ(1, latencies("copy"));
	EXPECT_LT(0, stats("stage copy"));
	stats_off();
	ASSERT_EQ(PAGES - 1, own_to_system(self->fd, self->memory, PAGES));
	EXPECT_EQ(0, stats("moved private system"));
	ASSERT_EQ(0, stats_on());
	EXPECT_EQ(0, stats("order 0") + latencies("collect"));
	stats_off();
}

static void expect_left(struct __test_metadata *_metadata,
			const struct hmm_test_result *result)
{
	int i;

	for (i = 0; i < HMM_TEST_NR_REASONS; i++) {
		EXPECT_EQ(result->left[i], stats_left(i))
			TH_LOG("%s", reason_name(i));
	}
}

static bool hold(int fd, const char *memory, size_t npages, unsigned int what)
{
	size_t page;

	for (page = 0; page < npages; page++)
		if (own_hold(fd, pfn_of(memory + page * PAGE), what))
			return false;
	return true;
}

/* How many pages the trace says stay, each for the reason of its word; or -1. */
static long traced_left(const char *memory, const __u64 *words)
{
	char line[512], reason[32];
	unsigned long start, npages, page;
	long count = 0;
	char *event;
	FILE *file;

	file = fopen(INSTANCE "/trace", "r");
	while (file && fgets(line, sizeof(line), file)) {
		event = strstr(line, "hmm_migrate_left: ");
		if (!event ||
		    sscanf(event, "%*s start=0x%lx npages=%lu reason=%31s",
			   &start, &npages, reason) != 3)
			continue;
		page = (start - (uintptr_t)memory) / PAGE;
		for (; npages; npages--, page++, count++)
			if (words[page] & HMM_TEST_WORD_MIGRATE ||
			    strcmp(reason,
				   reason_name(HMM_TEST_WORD_REASON(words[page]))))
				count = -TABLE;
	}
	if (file)
		fclose(file);
	return count;
}

/*
 * One range in which pages stay for one reason beside pages that stay for
 * another, of each reason another number.
 */
TEST_F(watched, each_reason)
{
	int mirror = mirror_open(MIRROR_PRIVATE);
	char *memory = pages_map(TABLE);
	size_t swapped = swap_exists() ? 8 : 0;
	struct hmm_test_move move;
	__u64 words[TABLE];
	int i;

	ASSERT_GE(mirror, 0);
	ASSERT_EQ(0, swap_on());
	fill(memory, TABLE, 1);
	ASSERT_EQ(swapped, swap_out(memory + 100 * PAGE, swapped));
	ASSERT_EQ(7, mirror_to_device(mirror, memory + 120 * PAGE, 7));
	ASSERT_EQ(6, own_to_device(self->fd, memory + 140 * PAGE, 6));
	ASSERT_EQ(0, madvise(memory + 160 * PAGE, 5 * PAGE,
			     MADV_GUARD_INSTALL));
	vm_settled("nr_mlock");
	ASSERT_TRUE(hold(self->fd, memory + 180 * PAGE, 4, HMM_TEST_HOLD_LRU));
	ASSERT_TRUE(hold(self->fd, memory + 200 * PAGE, 2, HMM_TEST_HOLD_LOCK));
	ASSERT_TRUE(hold(self->fd, memory + 220 * PAGE, 1,
			 HMM_TEST_HOLD_WRITEBACK));
	ASSERT_TRUE(hold(self->fd, memory + 240 * PAGE, 1,
			 HMM_TEST_HOLD_REFERENCE));
	move = own_request(memory, TABLE, HMM_TEST_TO_DEVICE,
			   HMM_TEST_FROM_SYSTEM);
	move.words = (uintptr_t)words;
	move.driver.decline_first = 1;
	move.driver.decline_last = 9;
	move.driver.rule = HMM_TEST_RULE_UNLOCKED;
	move.driver.rule_every = 40;
	ASSERT_EQ(0, stats_on());
	ASSERT_EQ(0, file_write(ENABLE, "1"));
	ASSERT_EQ(0, own_call(self->fd, &move));
	ASSERT_EQ(0, file_write(ENABLE, "0"));

	EXPECT_EQ(swapped, move.result.left[HMM_TEST_SWAPPED]);
	EXPECT_EQ(7, move.result.left[HMM_TEST_FOREIGN]);
	EXPECT_EQ(6, move.result.left[HMM_TEST_NOTHING]);
	EXPECT_EQ(5, move.result.left[HMM_TEST_KIND]);
	EXPECT_EQ(4, move.result.left[HMM_TEST_NOT_LRU]);
	EXPECT_EQ(3, move.result.left[HMM_TEST_LOCKED]);
	EXPECT_EQ(1, move.result.left[HMM_TEST_PINNED]);
	EXPECT_EQ(9, move.result.left[HMM_TEST_DECLINED]);
	EXPECT_EQ(move.result.broken,
		  move.result.left[HMM_TEST_BAD_DESTINATION]);
	EXPECT_LT(9, move.result.broken);
	expect_left(_metadata, &move.result);
	EXPECT_EQ(TABLE - move.result.migrated, traced_left(memory, words));

	stats_off();
	for (i = 0; i < TABLE; i++)
		EXPECT_TRUE((i >= 160 && i < 165) || page_is(memory, i, 1));
	/* The locked ones are in the way of nobody who comes next. */
	EXPECT_EQ(0, own_hold(self->fd, 0, HMM_TEST_RELEASE_ALL));
	pages_unmap(memory, TABLE);
	close(mirror);
	EXPECT_EQ(0, swap_off());
}

/* By frame number: most pages of the device are free. */
TEST_F(watched, not_mapped)
{
	struct hmm_test_evict evict = all_of_the_device(self->fd);

	ASSERT_EQ(PAGES - 1, own_to_device(self->fd, self->memory, PAGES));
	ASSERT_EQ(0, stats_on());
	ASSERT_EQ(0, own_evict(self->fd, &evict));
	EXPECT_EQ(evict.npages - (PAGES - 1),
		  evict.result.left[HMM_TEST_NOT_MAPPED]);
	expect_left(_metadata, &evict.result);
	EXPECT_EQ(1, stats("calls"));
	stats_off();
}

/* This direction alone has been counted, and in it so many pages. */
static void expect_moved(struct __test_metadata *_metadata,
			 const char *direction, long npages)
{
	static const char * const kinds[] = { "system", "private", "coherent",
					      "hole" };
	char name[64];
	int from, to;

	for (from = 0; from < ARRAY_SIZE(kinds); from++) {
		for (to = 0; to < 3; to++) {
			snprintf(name, sizeof(name), "moved %s %s",
				 kinds[from], kinds[to]);
			EXPECT_EQ(strcmp(name + strlen("moved "), direction) ?
				  0 : npages, stats(name))
				TH_LOG("%s, where %s has moved", name,
				       direction);
		}
	}
	EXPECT_EQ(npages, stats("order 0"));
	EXPECT_EQ(0, stats_on());
}

TEST_F(watched, directions)
{
	int mirror = mirror_open(MIRROR_COHERENT);
	char *memory = pages_map(PAGES), *holes = pages_map(3 * PAGES);
	struct hmm_test_move move;

	ASSERT_GE(mirror, 0);
	fill(memory, PAGES, 1);
	ASSERT_EQ(0, stats_on());
	ASSERT_EQ(PAGES, own_to_node(self->fd, memory, PAGES, 1));
	expect_moved(_metadata, "system system", PAGES);
	ASSERT_EQ(PAGES, mirror_to_device(mirror, memory, PAGES));
	expect_moved(_metadata, "system coherent", PAGES);
	ASSERT_EQ(PAGES, mirror_to_system(mirror, memory, PAGES));
	expect_moved(_metadata, "coherent system", PAGES);
	ASSERT_EQ(PAGES, own_to_device(self->fd, memory, PAGES));
	expect_moved(_metadata, "system private", PAGES);
	move = own_request(memory, PAGES, HMM_TEST_TO_DEVICE,
			   HMM_TEST_FROM_DEVICE);
	ASSERT_EQ(0, own_call(self->fd, &move));
	expect_moved(_metadata, "private private", PAGES);
	ASSERT_EQ(PAGES, own_to_system(self->fd, memory, PAGES));
	expect_moved(_metadata, "private system", PAGES);
	ASSERT_EQ(PAGES, own_to_node(self->fd, holes, PAGES, 1));
	expect_moved(_metadata, "hole system", PAGES);
	ASSERT_EQ(PAGES, own_to_device(self->fd, holes + PAGES * PAGE, PAGES));
	expect_moved(_metadata, "hole private", PAGES);
	ASSERT_EQ(PAGES, mirror_to_device(mirror, holes + 2 * PAGES * PAGE,
					  PAGES));
	expect_moved(_metadata, "hole coherent", PAGES);
	stats_off();
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	close(mirror);
}

/* Of a stage that one window went through once: from how long on; or 0. */
static unsigned long took_from(const char *stage)
{
	char name[64];
	int bit;

	for (bit = 0; bit < 40; bit++) {
		snprintf(name, sizeof(name), "latency %s %lu", stage,
			 1UL << bit);
		if (stats(name) == 1)
			return 1UL << bit;
	}
	return 0;
}

#define COPY_MS		50
#define FINALIZE_MS	100
#define MS		1000000UL	/* nanoseconds */

/* The driver's time is in its stages, at least that, and no more than all. */
TEST_F(watched, time_of_the_driver)
{
	struct hmm_test_move move = own_request(self->memory, PAGES,
						HMM_TEST_TO_DEVICE, 0);
	unsigned long ns;

	move.driver.delay_alloc_us = COPY_MS * 1000;
	move.driver.delay_finalize_us = FINALIZE_MS * 1000;
	ASSERT_EQ(0, stats_on());
	ns = now_ns();
	ASSERT_EQ(0, own_call(self->fd, &move));
	ns = now_ns() - ns;
	EXPECT_LT(COPY_MS * MS, 2 * took_from("copy"));
	EXPECT_GE(ns, took_from("copy"));
	EXPECT_LT(FINALIZE_MS * MS, 2 * took_from("finalize"));
	EXPECT_GE(ns, took_from("finalize"));
	EXPECT_LE(COPY_MS * MS, stats("stage copy"));
	EXPECT_LE(FINALIZE_MS * MS, stats("stage finalize"));
	EXPECT_GE(ns, stats("stage copy") + stats("stage finalize"));
	EXPECT_LE((COPY_MS + FINALIZE_MS) * MS, stats("longest window"));
	EXPECT_GE(ns, stats("longest window"));
	stats_off();
}

/* A huge page that the driver does not take whole; it is split once. */
TEST_F(watched, split)
{
	char *memory = huge_pages_map(1, 1);
	struct hmm_test_move move;

	if (!huge_pages_exist())
		SKIP(return, NO_HUGE_PAGES);
	ASSERT_NE(NULL, memory);
	move = own_request(memory, TABLE, HMM_TEST_TO_DEVICE,
			   HMM_TEST_FROM_SYSTEM);
	ASSERT_EQ(0, stats_on());
	ASSERT_EQ(0, file_write(ENABLE, "1"));
	ASSERT_EQ(0, own_call(self->fd, &move));
	ASSERT_EQ(0, file_write(ENABLE, "0"));
	EXPECT_EQ(TABLE, move.result.migrated);
	EXPECT_EQ(1, traced("hmm_migrate_stage: stage=split start=0x%lx npages=%lu ",
			    (unsigned long)memory, TABLE));
	EXPECT_EQ(1, traced("hmm_migrate_stage: stage=copy start=0x%lx npages=%lu ",
			    (unsigned long)memory, TABLE));
	EXPECT_EQ(1, stats("splits"));
	EXPECT_EQ(1, latencies("split"));
	EXPECT_LT(0, stats("stage split"));
	EXPECT_EQ(TABLE, stats("order 0"));
	EXPECT_EQ(0, stats("order 9"));
	stats_off();
	EXPECT_EQ(-1, wrong(memory, TABLE, 1));
}

TEST_F(watched, faults_counted)
{
	ASSERT_EQ(PAGES - 1, own_to_device(self->fd, self->memory, PAGES));
	ASSERT_EQ(0, stats_on());
	EXPECT_TRUE(page_is(self->memory, 0, 1));
	EXPECT_EQ(1, stats("calls"));
	EXPECT_EQ(1, stats("windows"));
	stats_off();
}

TEST_F(watched, counted_by_order)
{
	char *memory = huge_pages_map(1, 1);

	if (!huge_pages_exist())
		SKIP(return, NO_HUGE_PAGES);
	ASSERT_NE(NULL, memory);
	ASSERT_EQ(0, stats_on());
	ASSERT_EQ(0, own_call(self->fd, &(struct hmm_test_move) {
		.addr = (uintptr_t)memory,
		.npages = TABLE,
		.function = HMM_TEST_RANGE,
		.to = HMM_TEST_TO_DEVICE,
		.flags = HMM_TEST_FROM_SYSTEM | HMM_TEST_LARGE,
	}));
	EXPECT_EQ(TABLE, stats("order 9"));
	EXPECT_EQ(0, stats("order 0"));
	stats_off();
	EXPECT_EQ(-1, wrong(memory, TABLE, 1));
}

#define SHOWN	"/tmp/shown"

/* A number in the line that begins with this word, after another one. */
static long shown(const char *word)
{
	char line[256], name[32];
	long number = -1, second;
	FILE *file;

	file = fopen(SHOWN, "r");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%31s %*s %ld", name, &second) == 2 &&
		    !strcmp(name, word))
			number = second;
	if (file)
		fclose(file);
	return number;
}

/* For a second; and the counters are then as they were. */
TEST_F(watched, top)
{
	int status = -1;
	pid_t child;

	stats_off();
	child = fork();
	if (!child)
		_exit(run("hmm-migrate-top -d 1 -n 1 > " SHOWN));
	while (waitpid(child, &status, WNOHANG) == 0) {
		own_to_device(self->fd, self->memory, PAGES);
		own_to_system(self->fd, self->memory, PAGES);
	}
	EXPECT_EQ(0, status);
	/* Pages a second to private memory; and how long a window took. */
	EXPECT_LT(0, shown("system"));
	EXPECT_EQ(0, run("grep -q '^copy  *[0-9]* %  *[1-9]' " SHOWN));
	EXPECT_EQ(0, file_number("/sys/kernel/debug/hmm_migrate/enable", NULL));
	unlink(SHOWN);
}

TEST_HARNESS_MAIN
