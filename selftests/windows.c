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
	const long delay = 200 * 1000 * 1000;
	char *memory = pages_map(PAGES);
	struct hmm_test_move move;
	long start, took, locked = delay;
	int tries;

	/* The best of three: the host may stop the machine under a lock. */
	for (tries = 0; tries < 3 && locked >= delay; tries++) {
		fill(memory, PAGES, 1);
		stats_on();
		move = own_request(memory, PAGES, HMM_TEST_TO_DEVICE, 0);
		move.driver.delay_alloc_us = delay / 1000;
		start = now_ns();
		ASSERT_EQ(0, own_call(self->fd, &move));
		ASSERT_EQ(PAGES, move.result.migrated);
		took = now_ns() - start;
		EXPECT_LT(TABLES * delay, took);
		EXPECT_LT(delay, stats("longest window"));
		/* The other windows have had their own time. */
		EXPECT_GT(took - (TABLES - 1) * delay, stats("longest window"));
		locked = stats("longest page_table_lock");
		EXPECT_LT(0, locked);
	}
	EXPECT_GT(delay, locked);
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

#define NO_INTERRUPTS	"this kernel flushes other processors without interrupts"

/* Interrupts by which the other processor was told to flush; -1: it is not. */
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

	if (flush_interrupts() < 0)
		SKIP(return, NO_INTERRUPTS);
	fill(memory, PAGES, 1);
	__atomic_store_n(&stop, false, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_create(&thread, NULL, spin, NULL));
	sleep_ms(50);
	before = flush_interrupts();
	EXPECT_EQ(PAGES, own_to_device(self->fd, memory, PAGES));
	after = flush_interrupts();
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	/* At least one, or nothing was measured; and not one a page. */
	EXPECT_GT(after, before);
	EXPECT_LT(after - before, 8 * TABLES);
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

enum { NOT_YET, SPINS, STOP };

static void wait_for(int *state, int value)
{
	while (__atomic_load_n(state, __ATOMIC_ACQUIRE) != value)
		;
}

/* What a child has too is flushed there with two interrupts a window. */
TEST_F(windows, interrupts_for_a_child)
{
	char *memory = pages_map(PAGES);
	long before, after, flushes;
	pid_t child;
	int *state;

	state = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, state);
	fill(memory, PAGES, 1);
	child = fork();
	if (!child) {
		on_cpu(1);
		if (wrong(memory, PAGES, 1) != -1)
			_exit(1);
		__atomic_store_n(state, SPINS, __ATOMIC_RELEASE);
		wait_for(state, STOP);
		_exit(wrong(memory, PAGES, 1) == -1 ? 0 : 2);
	}
	wait_for(state, SPINS);
	stats_on();
	before = flush_interrupts();
	EXPECT_EQ(PAGES, own_to_device(self->fd, memory, PAGES));
	after = flush_interrupts();
	flushes = stats("tlb_flushes");
	/* It looks at its memory then, and brings it back. */
	__atomic_store_n(state, STOP, __ATOMIC_RELEASE);
	EXPECT_EQ((1 + 2) * TABLES, flushes);
	if (before >= 0)
		EXPECT_GT(after, before);
	EXPECT_LT(after - before, 8 * TABLES);
	EXPECT_EQ(0, end_of(child));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

#define FEW	4
#define ROUNDS	20

static void *make_pages(void *memory)
{
	on_cpu(1);
	fill(memory, FEW, 1);
	return NULL;
}

/*
 * What another processor has just made waits there to come to a list: it is
 * told to get that done, once, and the pages move. Now and then something
 * else has made it do so before.
 */
TEST_F(windows, made_by_another_processor)
{
	int round, drained = 0;
	pthread_t thread;
	char *memory;

	for (round = 0; round < ROUNDS && !drained; round++) {
		memory = pages_map(FEW);
		ASSERT_EQ(0, pthread_create(&thread, NULL, make_pages, memory));
		pthread_join(thread, NULL);
		stats_on();
		ASSERT_EQ(FEW, own_to_device(self->fd, memory, FEW));
		drained = stats("lru_drains");
		ASSERT_GE(1, drained);
		EXPECT_EQ(-1, wrong(memory, FEW, 1));
		pages_unmap(memory, FEW);
	}
	EXPECT_EQ(1, drained);
}

/* Whatever stands in the way of each window: all processors are told once. */
static void expect_one_drain(struct __test_metadata *_metadata, int fd,
			     char *memory, int what, int reason)
{
	struct hmm_test_move move = own_request(memory, PAGES,
						HMM_TEST_TO_DEVICE,
						HMM_TEST_FROM_SYSTEM);
	int table;

	for (table = 0; table < TABLES; table++)
		ASSERT_EQ(0, own_hold(fd, pfn_of(memory + table * TABLE * PAGE),
				      what));
	stats_on();
	ASSERT_EQ(0, own_call(fd, &move));
	EXPECT_EQ(TABLES, move.result.left[reason])
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(PAGES - TABLES, move.result.migrated);
	EXPECT_EQ(TABLES, move.result.windows);
	EXPECT_EQ(1, stats("lru_drains"));
	ASSERT_EQ(0, own_hold(fd, 0, HMM_TEST_RELEASE_ALL));
	ASSERT_EQ(PAGES - TABLES, own_to_system(fd, memory, PAGES));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

TEST_F(windows, one_drain)
{
	char *memory = pages_map(PAGES);

	fill(memory, PAGES, 1);
	vm_settled("nr_mlock");
	expect_one_drain(_metadata, self->fd, memory, HMM_TEST_HOLD_LRU,
			 HMM_TEST_NOT_LRU);
	vm_settled("nr_mlock");
	expect_one_drain(_metadata, self->fd, memory, HMM_TEST_HOLD_REFERENCE,
			 HMM_TEST_PINNED);
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
