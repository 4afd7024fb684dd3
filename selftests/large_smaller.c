// SPDX-License-Identifier: GPL-2.0
/*
 * Large folios for which the driver has no destinations as large: they are
 * split, and move in pages, by every way there is.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "test.h"
#include "test_hmm_uapi.h"

#define PAGES	TABLE

FIXTURE(smaller)
{
	int fd;
	char *memory;
};

FIXTURE_VARIANT(smaller)
{
	unsigned int order;	/* of the destinations */
};

FIXTURE_VARIANT_ADD(smaller, pages)
{
	.order = 0,
};

FIXTURE_VARIANT_ADD(smaller, order_2)
{
	.order = 2,
};

FIXTURE_VARIANT_ADD(smaller, order_8)
{
	.order = 8,
};

FIXTURE_SETUP(smaller)
{
	on_cpu(0);
	self->fd = own_open();
	ASSERT_GE(self->fd, 0);
	self->memory = huge_pages_map(1, 1);
	ASSERT_NE(NULL, self->memory);
}

FIXTURE_TEARDOWN(smaller)
{
	pages_unmap(self->memory, PAGES);
	EXPECT_EQ(0, own_in_use(self->fd));
	close(self->fd);
}

static struct hmm_test_move to_device(void *memory, unsigned int order)
{
	struct hmm_test_move move = own_request(memory, PAGES,
						HMM_TEST_TO_DEVICE,
						HMM_TEST_FROM_SYSTEM |
						HMM_TEST_LARGE);

	move.driver.order_limit = order + 1;
	return move;
}

TEST_F(smaller, to_the_device)
{
	struct hmm_test_move move = to_device(self->memory, variant->order);

	ASSERT_EQ(0, own_call(self->fd, &move));
	EXPECT_EQ(PAGES, move.result.migrated)
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(2, move.result.windows);
	EXPECT_EQ(PAGES + (PAGES >> variant->order), move.result.given);
	EXPECT_EQ(PAGES, pages_at(self->memory, PAGES, PRIVATE));
	EXPECT_EQ(PAGES, own_in_use(self->fd));
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
}

TEST_F(smaller, back)
{
	struct hmm_test_move move = own_request(self->memory, PAGES,
						HMM_TEST_TO_NODE,
						HMM_TEST_FROM_DEVICE |
						HMM_TEST_TO_SYSTEM |
						HMM_TEST_LARGE);

	move.driver.order_limit = variant->order + 1;
	ASSERT_EQ(PAGES, own_to_device(self->fd, self->memory, PAGES));
	ASSERT_EQ(0, own_call(self->fd, &move));
	EXPECT_EQ(PAGES, move.result.migrated)
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(0, own_in_use(self->fd));
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
}

/* The fault is served at once: the folio is split under its handler's lock. */
TEST_F(smaller, fault)
{
	struct hmm_test_fault fault = {
		.window = TABLE,
		.driver.order_limit = variant->order + 1,
	};
	__u64 faults;

	ASSERT_EQ(PAGES, own_to_device(self->fd, self->memory, PAGES));
	ASSERT_EQ(0, ioctl(self->fd, HMM_TEST_FAULT, &fault));
	faults = own_stats(self->fd).faults;
	EXPECT_TRUE(page_is(self->memory, 300, 1));
	EXPECT_EQ(faults + 1, own_stats(self->fd).faults);
	EXPECT_EQ(0, own_stats(self->fd).last_fault.contract);
	EXPECT_EQ(PAGES, pages_at(self->memory, PAGES, SYSTEM));
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
	fault = (struct hmm_test_fault) {};
	ASSERT_EQ(0, ioctl(self->fd, HMM_TEST_FAULT, &fault));
}

TEST_F(smaller, evicted_by_range)
{
	struct hmm_test_evict evict = {
		.npages = PAGES,
		.function = HMM_TEST_DEVICE_RANGE,
		.flags = HMM_TEST_TO_SYSTEM | HMM_TEST_LARGE,
		.driver.order_limit = variant->order + 1,
	};

	ASSERT_EQ(PAGES, own_to_device(self->fd, self->memory, PAGES));
	evict.first_pfn = pfn_of(self->memory);
	ASSERT_EQ(0, own_evict(self->fd, &evict));
	EXPECT_EQ(PAGES, evict.result.migrated)
		TH_LOG("%s", own_describe(&evict.result));
	EXPECT_EQ(0, own_in_use(self->fd));
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
}

/*
 * Between the two rounds the driver writes the number of another page of the
 * device into each word. The mmap lock being taken, pages are found by their
 * numbers alone.
 */
TEST_F(smaller, evicted_with_scribbles)
{
	char *other = pages_map(1);
	struct hmm_test_evict evict = {
		.npages = PAGES,
		.function = HMM_TEST_DEVICE_RANGE,
		.flags = HMM_TEST_TO_SYSTEM | HMM_TEST_LARGE,
		.mmap_locked = 1,
		.driver.order_limit = variant->order + 1,
	};

	fill(other, 1, 2);
	ASSERT_EQ(1, own_to_device(self->fd, other, 1));
	ASSERT_EQ(PAGES, own_to_device(self->fd, self->memory, PAGES));
	evict.first_pfn = pfn_of(self->memory);
	evict.driver.scribble = HMM_TEST_WORD_OF(pfn_of(other));
	ASSERT_EQ(0, own_evict(self->fd, &evict));
	EXPECT_EQ(PAGES, evict.result.migrated)
		TH_LOG("%s", own_describe(&evict.result));
	EXPECT_EQ(2, evict.result.windows);
	EXPECT_EQ(PAGES, pages_at(self->memory, PAGES, SYSTEM));
	EXPECT_EQ(PRIVATE, place_of(other));
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
	EXPECT_EQ(-1, wrong(other, 1, 2));
	pages_unmap(other, 1);
}

TEST_F(smaller, evicted_by_list)
{
	__u64 words[PAGES];
	struct hmm_test_evict evict = {
		.npages = PAGES,
		.words = (uintptr_t)words,
		.function = HMM_TEST_DEVICE_PFNS,
		.flags = HMM_TEST_TO_SYSTEM | HMM_TEST_LARGE,
		.driver.order_limit = variant->order + 1,
	};
	size_t page;

	ASSERT_EQ(PAGES, own_to_device(self->fd, self->memory, PAGES));
	for (page = 0; page < PAGES; page++)
		words[page] = HMM_TEST_WORD_OF(pfn_of(self->memory +
						      page * PAGE));
	ASSERT_EQ(0, own_evict(self->fd, &evict));
	EXPECT_EQ(PAGES, evict.result.migrated)
		TH_LOG("%s", own_describe(&evict.result));
	for (page = 0; page < PAGES; page++)
		ASSERT_EQ(HMM_TEST_WORD_MIGRATE, words[page]);
	EXPECT_EQ(0, own_in_use(self->fd));
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
}

/* No entry of the child's is left for a folio that is gone. */
TEST_F(smaller, shared_with_a_child)
{
	struct hmm_test_move move = to_device(self->memory, variant->order);
	struct pair pair;
	pid_t child;

	pair_init(&pair);
	child = fork();
	if (!child) {
		pair_child_turn(&pair);
		if (wrong(self->memory, PAGES, 1) != -1)
			_exit(1);
		fill(self->memory, PAGES, 2);
		_exit(wrong(self->memory, PAGES, 2) == -1 ? 0 : 2);
	}
	ASSERT_TRUE(pair_wait(&pair));
	ASSERT_EQ(0, own_call(self->fd, &move));
	EXPECT_EQ(PAGES, move.result.migrated)
		TH_LOG("%s", own_describe(&move.result));
	pair_go(&pair);
	EXPECT_EQ(0, end_of(child));
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
}

TEST_F(smaller, hole)
{
	struct hmm_test_move move = to_device(self->memory, variant->order);
	size_t page;

	ASSERT_EQ(0, madvise(self->memory, PAGES * PAGE, MADV_DONTNEED));
	ASSERT_EQ(0, own_call(self->fd, &move));
	EXPECT_EQ(PAGES, move.result.migrated)
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(1, move.result.windows);
	EXPECT_EQ(PAGES >> variant->order, move.result.given);
	EXPECT_EQ(PAGES, own_in_use(self->fd));
	for (page = 0; page < PAGES; page++)
		ASSERT_TRUE(page_is_zero(self->memory, page));
}

TEST_F(smaller, huge_zero_page)
{
	struct hmm_test_move move = to_device(self->memory, variant->order);
	size_t page;

	ASSERT_EQ(0, madvise(self->memory, PAGES * PAGE, MADV_DONTNEED));
	ASSERT_TRUE(page_is_zero(self->memory, 5));
	ASSERT_EQ(0, own_call(self->fd, &move));
	EXPECT_EQ(PAGES, move.result.migrated)
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(PAGES, pages_at(self->memory, PAGES, PRIVATE));
	for (page = 0; page < PAGES; page++)
		ASSERT_TRUE(page_is_zero(self->memory, page));
}

/* The memory ends while the pages are offered the second time. */
TEST_F(smaller, no_memory_left)
{
	struct hmm_test_move move = to_device(self->memory, variant->order);
	unsigned int first = PAGES >> variant->order;

	move.driver.memory_pages = first + 88;
	ASSERT_EQ(0, own_call(self->fd, &move));
	EXPECT_EQ(88, move.result.migrated)
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(PAGES - 88, move.result.left[HMM_TEST_DECLINED]);
	EXPECT_EQ(88, own_in_use(self->fd));
	EXPECT_EQ(88, pages_at(self->memory, PAGES, PRIVATE));
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
}

/* The memory ends among the destinations that are too small: nothing leaks. */
TEST_F(smaller, no_memory_for_all_of_it)
{
	struct hmm_test_move move = to_device(self->memory, variant->order);

	move.driver.memory_pages = 1;
	ASSERT_EQ(0, own_call(self->fd, &move));
	EXPECT_EQ(0, move.result.migrated)
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(0, own_in_use(self->fd));
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
}

/* Somebody holds it: it can be neither moved nor split. */
TEST_F(smaller, held)
{
	struct hmm_test_move move = to_device(self->memory, variant->order);

	ASSERT_EQ(0, own_hold(self->fd, pfn_of(self->memory),
			      HMM_TEST_HOLD_REFERENCE));
	ASSERT_EQ(0, own_call(self->fd, &move));
	EXPECT_EQ(PAGES, move.result.left[HMM_TEST_PINNED])
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
	ASSERT_EQ(0, own_hold(self->fd, 0, HMM_TEST_RELEASE_ALL));
}

/* Any piece may be missing, the first as well: the others are given back. */
TEST_F(smaller, missing_at_random)
{
	struct hmm_test_move move;
	unsigned int seed;

	for (seed = 1; seed <= 8; seed++) {
		move = to_device(self->memory, variant->order);
		move.driver.drop_percent = 50;
		move.driver.drop_seed = seed;
		ASSERT_EQ(0, own_call(self->fd, &move));
		EXPECT_EQ(move.result.migrated, own_in_use(self->fd))
			TH_LOG("seed %u: %s", seed,
			       own_describe(&move.result));
		EXPECT_EQ(move.result.migrated,
			  pages_at(self->memory, PAGES, PRIVATE));
		EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
		pages_unmap(self->memory, PAGES);
		ASSERT_EQ(0, own_in_use(self->fd));
		self->memory = huge_pages_map(1, 1);
		ASSERT_NE(NULL, self->memory);
	}
}

TEST_F(smaller, hole_with_pieces_missing)
{
	struct hmm_test_move move = to_device(self->memory, variant->order);

	ASSERT_EQ(0, madvise(self->memory, PAGES * PAGE, MADV_DONTNEED));
	move.driver.drop_percent = 50;
	move.driver.drop_seed = 3;
	ASSERT_EQ(0, own_call(self->fd, &move));
	EXPECT_EQ(move.result.migrated, own_in_use(self->fd))
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(move.result.migrated,
		  pages_at(self->memory, PAGES, PRIVATE));
	EXPECT_EQ(PAGES - move.result.migrated,
		  pages_at(self->memory, PAGES, NOWHERE));
}

/* A split makes the zero page of what is zero. That moves like a hole. */
TEST_F(smaller, hardly_used)
{
	struct hmm_test_move move = to_device(self->memory, variant->order);
	size_t page;

	memset(self->memory, 0, PAGES * PAGE);
	fill_page(self->memory, 17, 1);
	ASSERT_EQ(0, own_call(self->fd, &move));
	EXPECT_EQ(PAGES, move.result.migrated)
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(PAGES, pages_at(self->memory, PAGES, PRIVATE));
	for (page = 0; page < PAGES; page++)
		ASSERT_TRUE(page == 17 ? page_is(self->memory, page, 1) :
					 page_is_zero(self->memory, page));
}

/* Of the folios in one window, some move whole and some must be split. */
TEST(some_of_them)
{
	struct hmm_test_move move;
	int fd = own_open();
	char *memory;

	ASSERT_GE(fd, 0);
	folio_order_set(4);
	memory = pages_map(PAGES);
	ASSERT_EQ(0, madvise(memory, PAGES * PAGE, MADV_HUGEPAGE));
	fill(memory, PAGES, 1);
	folio_order_reset();
	ASSERT_EQ(32, folios_of_order(memory, PAGES, 4));

	/* 10 of the 32, and of their 160 pages 54 once more. */
	move = to_device(memory, 9);
	move.driver.order_limit = 0;
	move.driver.decline_every = 3;
	move.driver.decline_errno = E2BIG;
	ASSERT_EQ(0, own_call(fd, &move));
	EXPECT_EQ(2, move.result.windows);
	EXPECT_EQ(54, move.result.left[HMM_TEST_DECLINED])
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(PAGES - 54, move.result.migrated);
	EXPECT_EQ(PAGES - 54, own_in_use(fd));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	EXPECT_EQ(0, own_in_use(fd));
}

#define FOLIOS		8
#define FOLIO_PAGES	16

static char *folios_map(void)
{
	char *memory = pages_map(FOLIOS * FOLIO_PAGES);

	folio_order_set(4);
	if (!huge_pages_ask(memory, FOLIOS * FOLIO_PAGES))
		return NULL;
	fill(memory, FOLIOS * FOLIO_PAGES, 1);
	folio_order_reset();
	return memory;
}

/*
 * Each folio in its turn cannot be split, because of a reference to any of its
 * pages: it stays, whole, and all others move.
 */
TEST(split_fails_at_each)
{
	struct hmm_test_move move;
	int fd = own_open(), i;
	char *memory, *held;

	ASSERT_GE(fd, 0);
	for (i = 0; i < FOLIOS; i++) {
		memory = folios_map();
		ASSERT_NE(NULL, memory);
		ASSERT_EQ(FOLIOS, folios_of_order(memory, FOLIOS * FOLIO_PAGES,
						  4));
		held = memory + i * FOLIO_PAGES * PAGE;
		ASSERT_EQ(0, own_hold(fd, pfn_of(held + 2 * i * PAGE),
				      HMM_TEST_HOLD_REFERENCE));
		move = own_request(memory, FOLIOS * FOLIO_PAGES,
				   HMM_TEST_TO_DEVICE, HMM_TEST_FROM_SYSTEM);
		ASSERT_EQ(0, own_call(fd, &move));
		EXPECT_EQ((FOLIOS - 1) * FOLIO_PAGES, move.result.migrated);
		EXPECT_EQ(FOLIO_PAGES, move.result.left[HMM_TEST_PINNED])
			TH_LOG("folio %d: %s", i, own_describe(&move.result));
		EXPECT_EQ((FOLIOS - 1) * FOLIO_PAGES, own_in_use(fd));
		EXPECT_EQ(1, folios_of_order(held, FOLIO_PAGES, 4));
		ASSERT_EQ(0, own_hold(fd, 0, HMM_TEST_RELEASE_ALL));
		ASSERT_EQ(FOLIO_PAGES, own_to_device(fd, held, FOLIO_PAGES));
		EXPECT_EQ(-1, wrong(memory, FOLIOS * FOLIO_PAGES, 1));
		pages_unmap(memory, FOLIOS * FOLIO_PAGES);
	}
	EXPECT_EQ(0, own_in_use(fd));
	injected(i, "the split of a folio, each in its turn");
}

struct thrower {
	char *memory;
	bool stop;
	long rounds;
};

static void *throw_away(void *argument)
{
	struct thrower *thrower = argument;

	on_any_cpu();
	while (!__atomic_load_n(&thrower->stop, __ATOMIC_RELAXED)) {
		madvise(thrower->memory, PAGES * PAGE, MADV_DONTNEED);
		fill_page(thrower->memory, 17, 3);
		__atomic_fetch_add(&thrower->rounds, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static long rounds(struct thrower *thrower)
{
	return __atomic_load_n(&thrower->rounds, __ATOMIC_RELAXED);
}

/* Its entry goes, and another folio comes, while it is on its way. */
TEST_F(smaller, thrown_away_meanwhile)
{
	struct thrower thrower = { .memory = self->memory };
	struct hmm_test_move move;
	__u64 begin = now_ns();
	pthread_t thread;
	long moved = 0;

	ASSERT_EQ(0, pthread_create(&thread, NULL, throw_away, &thrower));
	while (goes_on(begin, 1500, moved && rounds(&thrower) > 10)) {
		move = to_device(self->memory, variant->order);
		ASSERT_EQ(0, own_call(self->fd, &move));
		moved += move.result.migrated;
	}
	__atomic_store_n(&thrower.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_LT(10, thrower.rounds);
	EXPECT_LT(0, moved);
	EXPECT_TRUE(page_is(self->memory, 17, 3));
	EXPECT_EQ(pages_at(self->memory, PAGES, PRIVATE),
		  own_in_use(self->fd));
}

static void *call_in_thread(void *argument)
{
	struct hmm_test_move *move = argument;
	int fd = own_open();
	long ret;

	on_any_cpu();
	ret = own_call(fd, move);
	close(fd);
	return (void *)ret;
}

/*
 * Small pages have moved, and large folios wait for the second round, when all
 * is thrown away and a huge page comes, which cannot be split: what has moved
 * is told all the same.
 */
TEST(told_of_once)
{
	char *memory = huge_pages_map(1, 1);
	struct hmm_test_move move;
	const size_t small = PAGES - 2 * FOLIO_PAGES;
	int tries, fd = own_open();
	bool huge = false;
	pthread_t thread;
	void *ret;

	ASSERT_NE(NULL, memory);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, madvise(memory, PAGES * PAGE, MADV_DONTNEED));
	folio_order_set(4);
	fill(memory, 2 * FOLIO_PAGES, 1);
	folio_order_reset();
	fill(memory + 2 * FOLIO_PAGES * PAGE, small, 1);
	ASSERT_EQ(2, folios_of_order(memory, 2 * FOLIO_PAGES, 4));

	move = to_device(memory, 0);
	move.driver.delay_finalize_us = 2000000 * patience();
	ASSERT_EQ(0, pthread_create(&thread, NULL, call_in_thread, &move));
	ASSERT_EQ(0, own_wait_for_callback(fd));
	/* The page table goes where nothing else is to be done meanwhile. */
	for (tries = 0; tries < 20 && !huge; tries++) {
		EXPECT_EQ(0, madvise(memory, PAGES * PAGE, MADV_DONTNEED));
		fill_page(memory, 0, 2);
		huge = folios_of_order(memory, PAGES, 9) == 1;
	}
	EXPECT_TRUE(huge);
	EXPECT_EQ(0, own_hold(fd, pfn_of(memory), HMM_TEST_HOLD_REFERENCE));
	ASSERT_EQ(0, pthread_join(thread, &ret));
	EXPECT_EQ(NULL, ret);
	EXPECT_EQ(small, move.result.migrated)
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(2 * FOLIO_PAGES, move.result.left[HMM_TEST_PINNED]);
	ASSERT_EQ(0, own_hold(fd, 0, HMM_TEST_RELEASE_ALL));
	EXPECT_TRUE(page_is(memory, 0, 2));
	pages_unmap(memory, PAGES);
	EXPECT_EQ(0, own_in_use(fd));
	close(fd);
}

/* test_hmm asks with -E2BIG for pages, when it is told to find no memory. */
TEST(asked_for)
{
	char *memory = huge_pages_map(1, 1);
	int fd = mirror_open(MIRROR_PRIVATE);

	ASSERT_NE(NULL, memory);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, stats_on());
	ASSERT_EQ(0, mirror_command(fd, HMM_DMIRROR_FLAGS, memory,
				    HMM_DMIRROR_FLAG_FAIL_ALLOC, NULL));
	ASSERT_EQ(PAGES, mirror_to_device(fd, memory, PAGES));
	EXPECT_EQ(1, stats("splits"));
	EXPECT_EQ(PAGES, pages_at(memory, PAGES, PRIVATE));
	stats_off();
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	close(fd);
}

TEST_HARNESS_MAIN
