// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that breaks: before it is moved, while it is, and on a device. Nobody
 * gets to see wrong contents, and only what is broken is lost.
 */
#include <errno.h>
#include <linux/kernel-page-flags.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "test.h"

#define PAGES	64
#define BROKEN	9	/* the page that breaks */
#define DELAY	(200000 * patience())	/* microseconds */

/* Breaking memory signals it; one that only looks away would be killed. */
static void survive(int signal)
{
}

FIXTURE(poison)
{
	int fd;
	char *memory;
	__u64 pfn;
};

FIXTURE_SETUP(poison)
{
	on_cpu(0);
	signal(SIGBUS, survive);
	ASSERT_EQ(0, breaking_on());
	self->fd = own_open();
	ASSERT_GE(self->fd, 0);
	self->memory = pages_map(PAGES);
	fill(self->memory, PAGES, 1);
	self->pfn = pfn_of(self->memory + BROKEN * PAGE);
}

/* The page is mended, for whoever comes next. */
FIXTURE_TEARDOWN(poison)
{
	pages_unmap(self->memory, PAGES);
	EXPECT_EQ(0, own_in_use(self->fd));
	if (page_is_broken(self->pfn))
		EXPECT_EQ(0, page_mend(self->pfn));
	breaking_off();
	close(self->fd);
}

/* Who reads the broken page is killed, and all others are as they were. */
static bool only_one_is_lost(char *memory)
{
	size_t page;
	pid_t child;

	child = fork();
	if (!child) {
		signal(SIGBUS, SIG_DFL);
		_exit(__atomic_load_n(memory + BROKEN * PAGE,
				      __ATOMIC_RELAXED));
	}
	if (end_of(child) != 128 + SIGBUS)
		return false;
	for (page = 0; page < PAGES; page++)
		if (page != BROKEN && !page_is(memory, page, 1))
			return false;
	return true;
}

/* Broken, and known to the page table. */
TEST_F(poison, before)
{
	struct hmm_test_move move;

	ASSERT_EQ(0, madvise(self->memory + BROKEN * PAGE, PAGE,
			     MADV_HWPOISON));
	move = own_request(self->memory, PAGES, HMM_TEST_TO_DEVICE, 0);
	ASSERT_EQ(0, stats_on());
	ASSERT_EQ(0, own_call(self->fd, &move));
	EXPECT_EQ(1, move.result.left[HMM_TEST_POISONED])
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(1, stats_left(HMM_TEST_POISONED));
	stats_off();
	EXPECT_EQ(PAGES - 1, move.result.migrated);
	EXPECT_TRUE(only_one_is_lost(self->memory));
}

static void *thread_breaks(void *argument)
{
	__u64 *pfn = argument;

	return (void *)(long)page_break(*pfn);
}

static bool comes_to(__u64 pfn, unsigned int flag, bool set)
{
	__u64 end = now_ns() + 5000000000ULL * patience();

	while (now_ns() < end) {
		if (!!(page_flags(pfn) & 1ULL << flag) == set)
			return true;
		sleep_ms(1);
	}
	return false;
}

/*
 * Broken, but still mapped: the kernel waits for the page's lock to unmap it.
 * Its contents are not even looked at.
 */
TEST_F(poison, still_mapped)
{
	struct hmm_test_move move;
	pthread_t thread;

	ASSERT_EQ(0, own_hold(self->fd, self->pfn, HMM_TEST_HOLD_LOCK));
	ASSERT_EQ(0, pthread_create(&thread, NULL, thread_breaks, &self->pfn));
	EXPECT_TRUE(comes_to(self->pfn, KPF_HWPOISON, true));
	EXPECT_TRUE(pagemap(self->memory + BROKEN * PAGE) & PM_PRESENT);
	move = own_request(self->memory, PAGES, HMM_TEST_TO_DEVICE, 0);
	EXPECT_EQ(0, own_call(self->fd, &move));
	EXPECT_EQ(1, move.result.left[HMM_TEST_POISONED])
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(PAGES - 1, move.result.migrated);
	ASSERT_EQ(0, own_hold(self->fd, 0, HMM_TEST_RELEASE_ALL));
	pthread_join(thread, NULL);
	EXPECT_TRUE(only_one_is_lost(self->memory));
}

/*
 * Breaks a page of a folio that is off its list: the kernel leaves it so, large,
 * and mapped, and marks nothing but that page.
 */
static void break_whole(struct __test_metadata *_metadata, int fd, __u64 pfn)
{
	vm_settled("nr_mlock");
	ASSERT_EQ(0, own_hold(fd, pfn, HMM_TEST_HOLD_LRU));
	EXPECT_GT(0, page_break(pfn));
	ASSERT_EQ(0, own_hold(fd, 0, HMM_TEST_RELEASE_ALL));
	ASSERT_TRUE(page_is_broken(pfn));
}

/*
 * Of a large folio a driver gets neither the page that is broken nor, with it,
 * all others: they move by themselves.
 */
static void expect_one_left(struct __test_metadata *_metadata, int fd,
			    char *memory, size_t npages, size_t broken)
{
	struct hmm_test_move move = own_request(memory, npages,
						HMM_TEST_TO_DEVICE,
						HMM_TEST_FROM_SYSTEM |
						HMM_TEST_LARGE);
	size_t page;

	ASSERT_EQ(0, own_call(fd, &move));
	EXPECT_EQ(1, move.result.left[HMM_TEST_POISONED])
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(npages - 1, move.result.migrated);
	EXPECT_EQ(npages - 1, move.result.offered);
	EXPECT_EQ(npages - 1, pages_at(memory, npages, PRIVATE));
	for (page = 0; page < npages; page++)
		ASSERT_TRUE(page == broken || page_is(memory, page, 1));
}

/* One page of it breaks: which is the fixture's to mend. */
static void break_huge(struct __test_metadata *_metadata, int fd, size_t page,
		       __u64 *pfn)
{
	char *memory = huge_pages_map(1, 1);

	ASSERT_NE(NULL, memory);
	*pfn = pfn_of(memory + page * PAGE);
	break_whole(_metadata, fd, *pfn);
	ASSERT_EQ(2048, huge_pages_kb(memory));
	expect_one_left(_metadata, fd, memory, TABLE, page);
	pages_unmap(memory, TABLE);
}

TEST_F(poison, huge_page)
{
	if (!huge_pages_exist())
		SKIP(return, NO_HUGE_PAGES);
	break_huge(_metadata, self->fd, 0, &self->pfn);
}

/* Of which the folio as a whole says nothing. */
TEST_F(poison, huge_page_inside)
{
	if (!huge_pages_exist())
		SKIP(return, NO_HUGE_PAGES);
	break_huge(_metadata, self->fd, 5, &self->pfn);
}

/* The same, mapped by small entries. */
TEST_F(poison, large_folio)
{
	char *memory = pages_map(16);

	if (!huge_pages_exist())
		SKIP(return, NO_HUGE_PAGES);
	folio_order_set(4);
	ASSERT_TRUE(huge_pages_ask(memory, 16));
	fill(memory, 16, 1);
	folio_order_reset();
	ASSERT_EQ(1, folios_of_order(memory, 16, 4));
	self->pfn = pfn_of(memory);
	break_whole(_metadata, self->fd, self->pfn);
	expect_one_left(_metadata, self->fd, memory, 16, 0);
	pages_unmap(memory, 16);
}

static void *thread_moves(void *argument)
{
	struct hmm_test_move *move = argument;
	int fd = own_open();
	long ret = own_call(fd, move);

	close(fd);
	return (void *)ret;
}

/*
 * It breaks when it is off its list, where the kernel can do nothing about it,
 * and before a driver has it.
 */
TEST_F(poison, off_its_list)
{
	struct hmm_test_move move;
	pthread_t thread;
	void *ret;

	move = own_request(self->memory, PAGES, HMM_TEST_TO_DEVICE, 0);
	ASSERT_EQ(0, pause_after("isolate"));
	ASSERT_EQ(0, pthread_create(&thread, NULL, thread_moves, &move));
	EXPECT_TRUE(comes_to(self->pfn, KPF_LRU, false));
	page_break(self->pfn);
	EXPECT_TRUE(page_is_broken(self->pfn));
	ASSERT_EQ(0, pause_after("none"));
	ASSERT_EQ(0, pthread_join(thread, &ret));
	EXPECT_EQ(NULL, ret);
	EXPECT_EQ(1, move.result.left[HMM_TEST_POISONED])
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(PAGES - 1, move.result.migrated);
	EXPECT_EQ(self->pfn, pfn_of(self->memory + BROKEN * PAGE));
}

static void begin_copying(struct __test_metadata *_metadata, int fd,
			  pthread_t *thread, struct hmm_test_move *move)
{
	move->driver.delay_alloc_us = DELAY;
	ASSERT_EQ(0, pthread_create(thread, NULL, thread_moves, move));
	ASSERT_EQ(0, own_wait_for_callback(fd));
}

/* Breaks a page while a driver has what it is asked to move. */
static void break_meanwhile(struct __test_metadata *_metadata, int fd,
			    struct hmm_test_move *move, __u64 pfn)
{
	pthread_t thread;
	void *ret;

	begin_copying(_metadata, fd, &thread, move);
	/* The kernel says that it can do nothing about such a page. */
	page_break(pfn);
	EXPECT_TRUE(page_is_broken(pfn));
	EXPECT_EQ(1, own_stats(fd).in_callback);
	ASSERT_EQ(0, pthread_join(thread, &ret));
	EXPECT_EQ(NULL, ret);
}

/* The page stays, whatever has been copied; all others have moved. */
TEST_F(poison, meanwhile)
{
	struct hmm_test_move move;

	move = own_request(self->memory, PAGES, HMM_TEST_TO_DEVICE, 0);
	break_meanwhile(_metadata, self->fd, &move, self->pfn);
	EXPECT_EQ(1, move.result.left[HMM_TEST_POISONED])
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(PAGES - 1, move.result.migrated);
	EXPECT_EQ(self->pfn, pfn_of(self->memory + BROKEN * PAGE));
}

/* Breaks the last page that a driver copies to, and says which that is. */
static __u64 break_destination(struct __test_metadata *_metadata, int fd,
			       struct hmm_test_move *move)
{
	pthread_t thread;
	void *ret;
	__u64 pfn;

	begin_copying(_metadata, fd, &thread, move);
	do
		pfn = own_stats(fd).last_given;
	while (!pfn && own_stats(fd).in_callback);
	ASSERT_NE(0, pfn);
	page_break(pfn);
	EXPECT_TRUE(page_is_broken(pfn));
	EXPECT_EQ(pfn, own_stats(fd).last_given);
	ASSERT_EQ(0, pthread_join(thread, &ret));
	EXPECT_EQ(NULL, ret);
	EXPECT_EQ(1, move->result.left[HMM_TEST_POISONED])
		TH_LOG("%s", own_describe(&move->result));
	EXPECT_EQ(PAGES - 1, move->result.migrated);
	return pfn;
}

/* What has been copied to a page that broke is where it was before. */
TEST_F(poison, destination_meanwhile)
{
	struct hmm_test_move move;

	move = own_request(self->memory, PAGES, HMM_TEST_TO_NODE,
			   HMM_TEST_FROM_SYSTEM | HMM_TEST_TO_SYSTEM);
	self->pfn = break_destination(_metadata, self->fd, &move);
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
}

/* Moves a huge page by a driver that has one of two folios break. */
static struct hmm_test_move
move_broken(struct __test_metadata *_metadata, int fd, char *memory,
	    enum hmm_test_to to, unsigned int flags, enum hmm_test_rule rule)
{
	struct hmm_test_move move;

	move = own_request(memory, TABLE, to, flags | HMM_TEST_LARGE);
	move.driver.rule = rule;
	EXPECT_EQ(0, own_call(fd, &move));
	EXPECT_EQ(1, move.result.broken);
	EXPECT_EQ(0, move.result.contract);
	EXPECT_EQ(-1, wrong(memory, TABLE, 1));
	return move;
}

/*
 * The same of a huge page. It is not freed: else whoever had its memory next
 * would find the broken page.
 */
TEST_F(poison, huge_destination)
{
	struct hmm_test_move move;
	char *memory;

	if (!huge_pages_exist())
		SKIP(return, NO_HUGE_PAGES);
	memory = huge_pages_map(1, 1);
	ASSERT_NE(NULL, memory);
	move = move_broken(_metadata, self->fd, memory, HMM_TEST_TO_NODE,
			   HMM_TEST_FROM_SYSTEM | HMM_TEST_TO_SYSTEM,
			   HMM_TEST_RULE_BROKEN);
	EXPECT_EQ(TABLE, move.result.left[HMM_TEST_POISONED])
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(2048, huge_pages_kb(memory));
	pages_unmap(memory, TABLE);
}

/* Its contents are elsewhere when it breaks, and it is not freed either. */
TEST_F(poison, huge_source)
{
	struct hmm_test_move move;
	char *memory;

	if (!huge_pages_exist())
		SKIP(return, NO_HUGE_PAGES);
	memory = huge_pages_map(1, 1);
	ASSERT_NE(NULL, memory);
	move = move_broken(_metadata, self->fd, memory, HMM_TEST_TO_DEVICE,
			   HMM_TEST_FROM_SYSTEM, HMM_TEST_RULE_SOURCE_BROKEN);
	EXPECT_EQ(TABLE, move.result.migrated)
		TH_LOG("%s", own_describe(&move.result));
	pages_unmap(memory, TABLE);
}

/* A page for a hole that breaks leaves a hole. */
TEST_F(poison, filling_meanwhile)
{
	struct hmm_test_move move;
	char *holes;

	holes = pages_map(PAGES);
	move = own_request(holes, PAGES, HMM_TEST_TO_NODE,
			   HMM_TEST_FROM_SYSTEM | HMM_TEST_TO_SYSTEM);
	self->pfn = break_destination(_metadata, self->fd, &move);
	EXPECT_EQ(PAGES - 1, pages_at(holes, PAGES, SYSTEM));
	EXPECT_EQ(0, holes[(PAGES - 1) * PAGE]);
	pages_unmap(holes, PAGES);
}

/* A huge page stays whole. Another time all but the broken page move. */
TEST_F(poison, huge_page_meanwhile)
{
	struct hmm_test_move move;
	char *memory;

	if (!huge_pages_exist())
		SKIP(return, NO_HUGE_PAGES);
	memory = huge_pages_map(1, 1);
	ASSERT_NE(NULL, memory);
	self->pfn = pfn_of(memory + BROKEN * PAGE);
	move = own_request(memory, TABLE, HMM_TEST_TO_DEVICE,
			   HMM_TEST_FROM_SYSTEM | HMM_TEST_LARGE);
	break_meanwhile(_metadata, self->fd, &move, self->pfn);
	EXPECT_EQ(TABLE, move.result.left[HMM_TEST_POISONED])
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(2048, huge_pages_kb(memory));
	EXPECT_EQ(-1, wrong(memory, TABLE, 1));
	expect_one_left(_metadata, self->fd, memory, TABLE, BROKEN);
	pages_unmap(memory, TABLE);
}

/* The driver alone can tell of its device's memory, and nothing is lost. */
TEST_F(poison, on_the_device)
{
	__u64 pfn;

	ASSERT_EQ(PAGES, own_to_device(self->fd, self->memory, PAGES));
	pfn = pfn_of(self->memory + BROKEN * PAGE);
	EXPECT_GT(0, page_break(pfn));
	EXPECT_EQ(PAGES, own_to_system(self->fd, self->memory, PAGES));
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
}

TEST_HARNESS_MAIN
