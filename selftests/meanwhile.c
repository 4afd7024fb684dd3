// SPDX-License-Identifier: GPL-2.0
/*
 * The driver takes its time, and others do something to the memory while it
 * is unmapped: what they do stands, and everything else arrives.
 */
#include <linux/mman.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <semaphore.h>

#include "test.h"

#define PAGES	TABLE
#define HALF	(PAGES / 2)
/* So long that what is done meanwhile is done in time on a busy host, too. */
#define DELAY	(200000 * patience())	/* microseconds */

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL	102
#endif

FIXTURE(meanwhile)
{
	int fd;
	char *memory;
	pthread_t thread;
	struct hmm_test_move move;
};

FIXTURE_SETUP(meanwhile)
{
	on_cpu(0);
	self->fd = own_open();
	ASSERT_GE(self->fd, 0);
	self->memory = pages_map(PAGES);
	fill(self->memory, PAGES, 1);
	self->move = own_request(self->memory, PAGES, HMM_TEST_TO_DEVICE, 0);
	self->move.driver.delay_alloc_us = DELAY;
}

FIXTURE_TEARDOWN(meanwhile)
{
	pages_unmap(self->memory, PAGES);
	EXPECT_EQ(0, own_in_use(self->fd));
	close(self->fd);
}

struct mission {
	int fd;
	struct hmm_test_move *move;
};

static void *thread_moves(void *argument)
{
	struct mission *mission = argument;

	return (void *)(long)own_call(mission->fd, mission->move);
}

/* Returns while the driver sleeps, with all pages unmapped. */
static int start(struct mission *mission, pthread_t *thread)
{
	if (pthread_create(thread, NULL, thread_moves, mission))
		return -1;
	return own_wait_for_callback(mission->fd);
}

/* Whether the driver sleeps still: what was done was done meanwhile. */
static bool is_at_work(int fd)
{
	return own_stats(fd).in_callback == 1;
}

static long finish(pthread_t thread)
{
	void *ret;

	return pthread_join(thread, &ret) ? -1 : (long)ret;
}

TEST_F(meanwhile, thrown_away)
{
	struct mission mission = { self->fd, &self->move };
	size_t page;

	ASSERT_EQ(0, start(&mission, &self->thread));
	ASSERT_EQ(0, madvise(self->memory, HALF * PAGE, MADV_DONTNEED));
	EXPECT_TRUE(is_at_work(self->fd));
	ASSERT_EQ(0, finish(self->thread));
	EXPECT_EQ(HALF, pages_at(self->memory, HALF, NOWHERE));
	EXPECT_EQ(HALF, pages_at(self->memory + HALF * PAGE, HALF, PRIVATE));
	EXPECT_EQ(HALF, own_in_use(self->fd));
	for (page = 0; page < HALF; page++)
		ASSERT_TRUE(page_is_zero(self->memory, page));
	for (page = HALF; page < PAGES; page++)
		ASSERT_TRUE(page_is(self->memory, page, 1));
}

/* With the last entry, the kernel may take the page table away. */
TEST_F(meanwhile, page_table_goes)
{
	struct mission mission = { self->fd, &self->move };

	ASSERT_EQ(0, start(&mission, &self->thread));
	ASSERT_EQ(0, madvise(self->memory, PAGES * PAGE, MADV_DONTNEED));
	EXPECT_TRUE(is_at_work(self->fd));
	ASSERT_EQ(0, finish(self->thread));
	EXPECT_EQ(PAGES, pages_at(self->memory, PAGES, NOWHERE));
	EXPECT_EQ(0, own_in_use(self->fd));
}

TEST_F(meanwhile, written_anew)
{
	struct mission mission = { self->fd, &self->move };
	size_t page;

	ASSERT_EQ(0, start(&mission, &self->thread));
	ASSERT_EQ(0, madvise(self->memory, HALF * PAGE, MADV_DONTNEED));
	fill(self->memory, HALF, 2);
	EXPECT_TRUE(is_at_work(self->fd));
	ASSERT_EQ(0, finish(self->thread));
	EXPECT_EQ(HALF, pages_at(self->memory, HALF, SYSTEM));
	EXPECT_EQ(HALF, own_in_use(self->fd));
	for (page = 0; page < PAGES; page++)
		ASSERT_TRUE(page_is(self->memory, page, page < HALF ? 2 : 1));
}

static bool both_are_at_work(int fd)
{
	__u64 end = now_ns() + 3 * DELAY * 1000ULL;

	while (now_ns() < end) {
		if (own_stats(fd).in_callback == 2)
			return true;
		sleep_ms(1);
	}
	return false;
}

struct later {
	struct mission mission;
	sem_t go;
};

static void *thread_moves_later(void *argument)
{
	struct later *later = argument;

	sem_wait(&later->go);
	return thread_moves(&later->mission);
}

/*
 * Written anew, and on the way once more: the first move must not take the
 * second's entries for its own. The second's thread is there before: to map
 * its stack would wait for the end of the first.
 */
TEST_F(meanwhile, written_anew_and_moved)
{
	struct mission mission = { self->fd, &self->move };
	struct hmm_test_move second = self->move;
	struct later later = { .mission = { self->fd, &second } };
	pthread_t thread;

	self->move.driver.delay_alloc_us = 3 * DELAY;
	second.driver.delay_alloc_us = 6 * DELAY;
	ASSERT_EQ(0, sem_init(&later.go, 0, 0));
	ASSERT_EQ(0, pthread_create(&thread, NULL, thread_moves_later, &later));
	ASSERT_EQ(0, start(&mission, &self->thread));
	ASSERT_EQ(0, madvise(self->memory, PAGES * PAGE, MADV_DONTNEED));
	fill(self->memory, PAGES, 2);
	ASSERT_EQ(0, sem_post(&later.go));
	ASSERT_TRUE(both_are_at_work(self->fd));
	ASSERT_EQ(0, finish(self->thread));
	EXPECT_TRUE(is_at_work(self->fd));
	ASSERT_EQ(0, finish(thread));
	EXPECT_EQ(PAGES, second.result.migrated)
		TH_LOG("%s", own_describe(&second.result));
	EXPECT_EQ(PAGES, pages_at(self->memory, PAGES, PRIVATE));
	EXPECT_EQ(PAGES, own_in_use(self->fd));
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 2));
}

/* What is in use and stays can be accessed at once, whatever is moved. */
TEST_F(meanwhile, what_stays)
{
	struct mission mission = { self->fd, &self->move };
	size_t page;

	self->move.driver.delay_alloc_us = 3 * DELAY;
	for (page = 0; page < HALF; page += 2)
		ASSERT_EQ(0, own_hold(self->fd,
				      pfn_of(self->memory + page * PAGE),
				      HMM_TEST_HOLD_REFERENCE));
	ASSERT_EQ(0, start(&mission, &self->thread));
	for (page = 0; page < HALF; page += 2)
		fill_page(self->memory, page, 1);
	EXPECT_TRUE(is_at_work(self->fd));
	ASSERT_EQ(0, finish(self->thread));
	EXPECT_EQ(HALF / 2, self->move.result.left[HMM_TEST_PINNED])
		TH_LOG("%s", own_describe(&self->move.result));
	ASSERT_EQ(0, own_hold(self->fd, 0, HMM_TEST_RELEASE_ALL));
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
}

/* An access waits for the end of the move, and then finds its page. */
TEST_F(meanwhile, accessed)
{
	struct mission mission = { self->fd, &self->move };
	size_t page;

	ASSERT_EQ(0, start(&mission, &self->thread));
	EXPECT_TRUE(is_at_work(self->fd));
	fill_page(self->memory, 0, 2);
	EXPECT_FALSE(is_at_work(self->fd));
	fill(self->memory, HALF, 2);
	ASSERT_EQ(0, finish(self->thread));
	EXPECT_EQ(PAGES, self->move.result.migrated)
		TH_LOG("%s", own_describe(&self->move.result));
	for (page = 0; page < PAGES; page++)
		ASSERT_TRUE(page_is(self->memory, page, page < HALF ? 2 : 1));
}

TEST_F(meanwhile, accessed_by_a_child)
{
	struct mission mission = { self->fd, &self->move };
	struct pair pair;
	pid_t child;

	pair_init(&pair);
	child = fork();
	if (!child) {
		pair_child_turn(&pair);
		if (!is_at_work(self->fd))
			_exit(1);
		fill_page(self->memory, 0, 2);
		if (is_at_work(self->fd))
			_exit(2);
		fill(self->memory, HALF, 2);
		if (wrong(self->memory, HALF, 2) != -1)
			_exit(3);
		_exit(page_is(self->memory, PAGES - 1, 1) ? 0 : 4);
	}
	ASSERT_TRUE(pair_wait(&pair));
	ASSERT_EQ(0, start(&mission, &self->thread));
	pair_go(&pair);
	ASSERT_EQ(0, finish(self->thread));
	EXPECT_EQ(0, end_of(child));
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
}

/* Forking has to wait; the child then has what the parent has. */
TEST_F(meanwhile, forked)
{
	struct mission mission = { self->fd, &self->move };
	pid_t child;

	ASSERT_EQ(0, start(&mission, &self->thread));
	EXPECT_TRUE(is_at_work(self->fd));
	child = fork();
	if (!child) {
		/* Asked before its first access, for which it works too. */
		if (is_at_work(self->fd))
			_exit(2);
		if (wrong(self->memory, PAGES, 1) != -1)
			_exit(1);
		fill(self->memory, PAGES, 2);
		_exit(0);
	}
	ASSERT_EQ(0, finish(self->thread));
	EXPECT_EQ(0, end_of(child));
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
}

TEST_F(meanwhile, guarded)
{
	struct mission mission = { self->fd, &self->move };
	size_t page;

	ASSERT_EQ(0, start(&mission, &self->thread));
	ASSERT_EQ(0, madvise(self->memory, HALF * PAGE, MADV_GUARD_INSTALL));
	EXPECT_TRUE(is_at_work(self->fd));
	ASSERT_EQ(0, finish(self->thread));
	for (page = 0; page < HALF; page++)
		ASSERT_TRUE(pagemap(self->memory + page * PAGE) & PM_GUARD);
	EXPECT_FALSE(can_read(self->memory));
	EXPECT_EQ(HALF, own_in_use(self->fd));
	for (page = HALF; page < PAGES; page++)
		ASSERT_TRUE(page_is(self->memory, page, 1));
}

/* Somebody begins to wait for writes to the memory. */
TEST_F(meanwhile, write_protected)
{
	struct mission mission = { self->fd, &self->move };
	int uffd = uffd_open(0);
	size_t page;

	ASSERT_GE(uffd, 0);
	ASSERT_EQ(0, uffd_register(uffd, self->memory, PAGES,
				   UFFDIO_REGISTER_MODE_WP));
	ASSERT_EQ(0, start(&mission, &self->thread));
	ASSERT_EQ(0, uffd_wp(uffd, self->memory, PAGES, true));
	EXPECT_TRUE(is_at_work(self->fd));
	ASSERT_EQ(0, finish(self->thread));
	for (page = 0; page < PAGES; page++)
		ASSERT_TRUE(pagemap(self->memory + page * PAGE) & PM_UFFD_WP);
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
	close(uffd);
}

/* A hole that somebody fills is no hole any more. */
TEST_F(meanwhile, holes_are_filled)
{
	struct mission mission = { self->fd, &self->move };
	size_t page;

	ASSERT_EQ(0, madvise(self->memory, PAGES * PAGE, MADV_DONTNEED));
	ASSERT_EQ(0, start(&mission, &self->thread));
	fill(self->memory, HALF, 2);
	EXPECT_TRUE(is_at_work(self->fd));
	ASSERT_EQ(0, finish(self->thread));
	EXPECT_EQ(PAGES - HALF, self->move.result.migrated);
	EXPECT_EQ(HALF, self->move.result.left[HMM_TEST_RACED])
		TH_LOG("%s", own_describe(&self->move.result));
	EXPECT_EQ(HALF, own_in_use(self->fd));
	for (page = 0; page < PAGES; page++)
		ASSERT_TRUE(page < HALF ? page_is(self->memory, page, 2) :
					  page_is_zero(self->memory, page));
}

/* The same for the zero page, which a write replaces. */
TEST_F(meanwhile, zero_page_is_written)
{
	struct mission mission = { self->fd, &self->move };
	size_t page;

	ASSERT_EQ(0, madvise(self->memory, PAGES * PAGE, MADV_DONTNEED));
	for (page = 0; page < PAGES; page++)
		ASSERT_TRUE(page_is_zero(self->memory, page));
	ASSERT_EQ(0, start(&mission, &self->thread));
	fill(self->memory, HALF, 2);
	EXPECT_TRUE(is_at_work(self->fd));
	ASSERT_EQ(0, finish(self->thread));
	EXPECT_EQ(HALF, self->move.result.left[HMM_TEST_RACED])
		TH_LOG("%s", own_describe(&self->move.result));
	for (page = 0; page < PAGES; page++)
		ASSERT_TRUE(page < HALF ? page_is(self->memory, page, 2) :
					  page_is_zero(self->memory, page));
}

/* Given up while it is away: what can be lost stays, or is zero. */
TEST_F(meanwhile, freed_lazily)
{
	struct mission mission = { self->fd, &self->move };
	size_t page;

	ASSERT_EQ(0, start(&mission, &self->thread));
	ASSERT_EQ(0, madvise(self->memory, HALF * PAGE, MADV_FREE));
	EXPECT_TRUE(is_at_work(self->fd));
	ASSERT_EQ(0, finish(self->thread));
	EXPECT_EQ(PAGES, self->move.result.migrated)
		TH_LOG("%s", own_describe(&self->move.result));
	for (page = 0; page < HALF; page++)
		ASSERT_TRUE(page_is(self->memory, page, 1) ||
			    page_is_zero(self->memory, page));
	for (; page < PAGES; page++)
		ASSERT_TRUE(page_is(self->memory, page, 1));
}

#define WINDOWS	4

/* An access waits for the driver's work on its own window, not on others. */
TEST_F(meanwhile, accessed_between_windows)
{
	struct mission mission = { self->fd, &self->move };
	char *memory = pages_map(WINDOWS * PAGES);
	__u64 begin, ms;

	fill(memory, WINDOWS * PAGES, 1);
	self->move = own_request(memory, WINDOWS * PAGES, HMM_TEST_TO_DEVICE,
				 0);
	self->move.driver.delay_alloc_us = 3 * DELAY;
	ASSERT_EQ(0, start(&mission, &self->thread));
	begin = now_ns();
	ASSERT_TRUE(page_is(memory, 0, 1));
	ms = (now_ns() - begin) / 1000000;
	ASSERT_TRUE(page_is(memory, WINDOWS * PAGES - 1, 1));
	ASSERT_EQ(0, finish(self->thread));
	EXPECT_LT(DELAY / 2 / 1000, ms);
	EXPECT_GT(11 * DELAY / 2 / 1000, ms);
	EXPECT_EQ(-1, wrong(memory, WINDOWS * PAGES, 1));
	pages_unmap(memory, WINDOWS * PAGES);
}

/* Two calls for the same memory: the second finds nothing that is free. */
TEST_F(meanwhile, asked_for_twice)
{
	struct mission mission = { self->fd, &self->move };
	struct hmm_test_move second = self->move;

	ASSERT_EQ(0, start(&mission, &self->thread));
	second.to = HMM_TEST_TO_NODE;
	second.flags = HMM_TEST_TO_SYSTEM;
	ASSERT_EQ(0, own_call(self->fd, &second));
	EXPECT_TRUE(is_at_work(self->fd));
	ASSERT_EQ(0, finish(self->thread));
	EXPECT_EQ(PAGES, self->move.result.migrated);
	EXPECT_EQ(PAGES, second.result.left[HMM_TEST_LOCKED])
		TH_LOG("%s", own_describe(&second.result));
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
}

/*
 * The same for a huge page, whose one entry is in use: all of it, or a part,
 * which then is not split either.
 */
TEST_F(meanwhile, huge_page_asked_for_twice)
{
	static const struct {
		size_t from, npages;
		unsigned int flags;
	} asked[] = {
		{ 0, TABLE, HMM_TEST_LARGE }, { 0, TABLE, 0 },
		{ 50, 100, HMM_TEST_LARGE }, { 50, 100, 0 },
	};
	struct mission mission = { self->fd, &self->move };
	char *memory = huge_pages_map(1, 1);
	struct hmm_test_move second;
	int i;

	if (!huge_pages_exist())
		SKIP(return, NO_HUGE_PAGES);
	ASSERT_NE(NULL, memory);
	ASSERT_EQ(0, stats_on());
	self->move = own_request(memory, TABLE, HMM_TEST_TO_DEVICE,
				 HMM_TEST_FROM_SYSTEM | HMM_TEST_LARGE);
	self->move.driver.delay_alloc_us = 3 * DELAY;
	ASSERT_EQ(0, start(&mission, &self->thread));
	for (i = 0; i < ARRAY_SIZE(asked); i++) {
		second = own_request(memory + asked[i].from * PAGE,
				     asked[i].npages, HMM_TEST_TO_NODE,
				     HMM_TEST_TO_SYSTEM | asked[i].flags);
		ASSERT_EQ(0, own_call(self->fd, &second));
		EXPECT_EQ(asked[i].npages, second.result.left[HMM_TEST_LOCKED])
			TH_LOG("%s", own_describe(&second.result));
		EXPECT_EQ(0, second.result.windows);
	}
	EXPECT_TRUE(is_at_work(self->fd));
	ASSERT_EQ(0, finish(self->thread));
	EXPECT_EQ(TABLE, self->move.result.migrated)
		TH_LOG("%s", own_describe(&self->move.result));
	EXPECT_EQ(0, stats("splits"));
	stats_off();
	EXPECT_EQ(TABLE, own_in_use(self->fd));
	ASSERT_EQ(TABLE, own_to_system(self->fd, memory, TABLE));
	EXPECT_EQ(2048, huge_pages_kb(memory));
	EXPECT_EQ(-1, wrong(memory, TABLE, 1));
	pages_unmap(memory, TABLE);
}

TEST_HARNESS_MAIN
