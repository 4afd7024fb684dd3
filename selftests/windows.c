// SPDX-License-Identifier: GPL-2.0
/*
 * A window costs one notifier bracket, two holds of the page-table lock and
 * one flush, however many pages it has.
 */
#include <pthread.h>
#include <string.h>

#include "test.h"

#define TABLES	4
#define PAGES	(TABLES * TABLE)

FIXTURE(windows)
{
	int fd;
};

FIXTURE_SETUP(windows)
{
	on_cpu(0);
	self->fd = own_open();
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(0, stats_on());
}

FIXTURE_TEARDOWN(windows)
{
	stats_off();
	close(self->fd);
}

TEST_F(windows, full)
{
	char *memory = pages_map(PAGES);
	struct hmm_test_move move;

	fill(memory, PAGES, 1);
	move = own_request(memory, PAGES, HMM_TEST_TO_DEVICE, 0);
	ASSERT_EQ(0, own_call(self->fd, &move));
	ASSERT_EQ(PAGES, move.result.migrated);
	EXPECT_EQ(TABLES, move.result.windows);
	EXPECT_EQ(TABLES, move.result.brackets);
	EXPECT_EQ(0, move.result.brackets_other);
	EXPECT_EQ((uintptr_t)memory + PAGES * PAGE, move.result.last_end);

	EXPECT_EQ(1, stats("calls"));
	EXPECT_EQ(TABLES, stats("windows"));
	EXPECT_EQ(2 * TABLES, stats("page_table_locks"));
	EXPECT_EQ(TABLES, stats("tlb_flushes"));
	EXPECT_EQ(TABLES, stats("notifier_brackets"));
	/* This processor has made the pages: the others are not disturbed. */
	EXPECT_EQ(0, stats("lru_drains"));
	EXPECT_EQ(PAGES, stats("moved system private"));
}

/* A range that begins in mid-table has one window more. */
TEST_F(windows, unaligned)
{
	char *memory = pages_map(PAGES + TABLE);
	struct hmm_test_move move;

	fill(memory, PAGES + TABLE, 1);
	move = own_request(memory + 100 * PAGE, PAGES, HMM_TEST_TO_DEVICE, 0);
	ASSERT_EQ(0, own_call(self->fd, &move));
	ASSERT_EQ(PAGES, move.result.migrated);
	EXPECT_EQ(TABLES + 1, move.result.windows);
	EXPECT_EQ(TABLES + 1, move.result.brackets);
	EXPECT_EQ(-1, wrong(memory, PAGES + TABLE, 1));
}

TEST_F(windows, back)
{
	char *memory = pages_map(PAGES);
	struct hmm_test_move move;

	fill(memory, PAGES, 1);
	ASSERT_EQ(PAGES, own_to_device(self->fd, memory, PAGES));
	stats_on();
	move = own_request(memory, PAGES, HMM_TEST_TO_NODE,
			   HMM_TEST_FROM_DEVICE | HMM_TEST_TO_SYSTEM);
	ASSERT_EQ(0, own_call(self->fd, &move));
	ASSERT_EQ(PAGES, move.result.migrated);
	EXPECT_EQ(TABLES, move.result.windows);
	EXPECT_EQ(TABLES, move.result.brackets);
	EXPECT_EQ(2 * TABLES, stats("page_table_locks"));
	EXPECT_EQ(TABLES, stats("notifier_brackets"));
	EXPECT_EQ(PAGES, stats("moved private system"));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

/* Filling holes needs a second bracket, for the whole window as well. */
TEST_F(windows, holes)
{
	char *memory = pages_map(PAGES);
	struct hmm_test_move move;

	move = own_request(memory, PAGES, HMM_TEST_TO_DEVICE, 0);
	ASSERT_EQ(0, own_call(self->fd, &move));
	ASSERT_EQ(PAGES, move.result.migrated);
	EXPECT_EQ(PAGES, move.result.holes);
	EXPECT_EQ(TABLES, move.result.windows);
	EXPECT_LE(move.result.brackets, 2 * TABLES);
	EXPECT_EQ(PAGES, stats("moved hole private"));
}

/*
 * How long a process may wait for a page is a matter of one window, not of
 * the call; and under a page-table lock nobody waits for the driver.
 */
TEST_F(windows, held)
{
	const long delay = 50 * 1000 * 1000;
	char *memory = pages_map(PAGES);
	struct hmm_test_move move;
	__u64 start;

	fill(memory, PAGES, 1);
	move = own_request(memory, PAGES, HMM_TEST_TO_DEVICE, 0);
	move.driver.delay_alloc_us = delay / 1000;
	start = now_ns();
	ASSERT_EQ(0, own_call(self->fd, &move));
	ASSERT_EQ(PAGES, move.result.migrated);
	EXPECT_LT(TABLES * delay, now_ns() - start);
	EXPECT_LT(delay, stats("longest window"));
	EXPECT_GT(3 * delay, stats("longest window"));
	EXPECT_LT(0, stats("longest page_table_lock"));
	EXPECT_GT(delay, stats("longest page_table_lock"));
}

/* A window in which nothing is wanted costs the driver nothing. */
TEST_F(windows, nothing_to_do)
{
	char *memory = pages_map(PAGES);
	struct hmm_test_move move;

	fill(memory, PAGES, 1);
	move = own_request(memory, PAGES, HMM_TEST_TO_NODE,
			   HMM_TEST_FROM_DEVICE | HMM_TEST_TO_SYSTEM);
	ASSERT_EQ(0, own_call(self->fd, &move));
	EXPECT_EQ(0, move.result.migrated);
	EXPECT_EQ(0, move.result.windows);
	EXPECT_EQ(PAGES, move.result.left[HMM_TEST_NOTHING]);
	EXPECT_EQ(0, stats("tlb_flushes"));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

static bool stop;

static void *spin(void *unused)
{
	on_cpu(1);
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		;
	return NULL;
}

/* Interrupts by which the other processor was told to flush. */
static long flush_interrupts(void)
{
	char line[256];
	long count = -1;
	FILE *file = fopen("/proc/interrupts", "r");

	while (file && fgets(line, sizeof(line), file))
		if (strstr(line, "TLB:"))
			sscanf(line, " TLB: %*d %ld", &count);
	if (file)
		fclose(file);
	return count;
}

/* What a second thread of the process notices: an interrupt for each flush. */
TEST_F(windows, interrupts)
{
	char *memory = pages_map(PAGES);
	pthread_t thread;
	long before, after;

	fill(memory, PAGES, 1);
	__atomic_store_n(&stop, false, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_create(&thread, NULL, spin, NULL));
	sleep_ms(50);
	before = flush_interrupts();
	ASSERT_GE(before, 0);
	EXPECT_EQ(PAGES, own_to_device(self->fd, memory, PAGES));
	after = flush_interrupts();
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	/* At least one, or nothing was measured; and not one a page. */
	EXPECT_GT(after, before);
	EXPECT_LT(after - before, 8 * TABLES);
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

/* Counting is off unless somebody asks for it. */
TEST_F(windows, off_counts_nothing)
{
	char *memory = pages_map(10);

	fill(memory, 10, 1);
	stats_off();
	ASSERT_EQ(10, own_to_device(self->fd, memory, 10));
	EXPECT_EQ(0, stats("calls"));
	EXPECT_EQ(0, stats("moved system private"));
}

TEST_HARNESS_MAIN
