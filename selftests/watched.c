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

#define PAGES		64
#define PINNED		20	/* the page that somebody holds */
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

TEST_F(watched, by_frame_number)
{
	struct hmm_test_stats device = own_stats(self->fd);
	struct hmm_test_evict evict = {
		.first_pfn = device.first_pfn,
		.npages = device.npages,
		.function = HMM_TEST_DEVICE_RANGE,
		.flags = HMM_TEST_TO_SYSTEM,
	};

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
