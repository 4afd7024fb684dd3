// SPDX-License-Identifier: GPL-2.0
/* A page that somebody else uses right now stays where it is, untouched. */
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "gup_test.h"
#include "mover_fixture.h"

#define PAGES	64

/* Every page in use is refused with this reason, every other has moved. */
static void expect_left(struct __test_metadata *_metadata, int fd, void *memory,
			int reason, size_t in_use)
{
	struct hmm_test_move move = own_request(memory, PAGES,
						HMM_TEST_TO_DEVICE,
						HMM_TEST_FROM_SYSTEM);

	ASSERT_EQ(0, own_call(fd, &move));
	EXPECT_EQ(0, move.result.ret);
	EXPECT_EQ(in_use, move.result.left[reason])
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(PAGES - in_use, move.result.migrated);
	/* Nobody copies in vain: the driver does not even see them. */
	EXPECT_EQ(PAGES - in_use, move.result.offered);
	EXPECT_EQ(in_use, pages_at(memory, PAGES, SYSTEM));
}

/* A pipe holds a reference on the page, and shows what it had then. */
TEST(in_a_pipe)
{
	char *memory = pages_map(PAGES), *copy = pages_map(1);
	struct iovec page = { .iov_base = memory + 5 * PAGE, .iov_len = PAGE };
	int fd = own_open(), pipes[2];

	ASSERT_GE(fd, 0);
	fill(memory, PAGES, 1);
	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ(PAGE, vmsplice(pipes[1], &page, 1, 0));
	expect_left(_metadata, fd, memory, HMM_TEST_PINNED, 1);
	EXPECT_EQ(SYSTEM, place_of(memory + 5 * PAGE));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));

	ASSERT_EQ(PAGE, read(pipes[0], copy, PAGE));
	EXPECT_EQ(0, memcmp(copy, memory + 5 * PAGE, PAGE));
	expect_left(_metadata, fd, memory, HMM_TEST_PINNED, 0);
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

static int longterm_pin(void *addr, size_t npages)
{
	struct pin_longterm_test pin = {
		.addr = (uintptr_t)addr,
		.size = npages * PAGE,
		.flags = PIN_LONGTERM_TEST_FLAG_USE_WRITE,
	};
	int fd = open("/sys/kernel/debug/gup_test", O_RDWR);

	if (fd >= 0 && ioctl(fd, PIN_LONGTERM_TEST_START, &pin)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* A device that writes to memory by its physical address must go on to. */
TEST(longterm)
{
	char *memory = pages_map(PAGES), *copy = pages_map(8);
	int fd = own_open(), gup;
	__u64 to = (uintptr_t)copy;

	ASSERT_GE(fd, 0);
	fill(memory, PAGES, 1);
	gup = longterm_pin(memory + 16 * PAGE, 8);
	ASSERT_GE(gup, 0) TH_LOG("no gup_test in this kernel");
	expect_left(_metadata, fd, memory, HMM_TEST_PINNED, 8);
	EXPECT_EQ(8, pages_at(memory + 16 * PAGE, 8, SYSTEM));

	/* Both still look at the same page. */
	fill(memory, PAGES, 2);
	ASSERT_EQ(0, ioctl(gup, PIN_LONGTERM_TEST_READ, &to));
	EXPECT_EQ(0, memcmp(copy, memory + 16 * PAGE, 8 * PAGE));
	EXPECT_EQ(-1, wrong(memory, PAGES, 2));
	close(gup);
	expect_left(_metadata, fd, memory, HMM_TEST_PINNED, 0);
	EXPECT_EQ(-1, wrong(memory, PAGES, 2));
}

/* The pin is taken in one process, the move asked for in the other. */
TEST(longterm_then_fork)
{
	char *memory = pages_map(PAGES);
	int fd = own_open(), gup;
	pid_t child;

	ASSERT_GE(fd, 0);
	fill(memory, PAGES, 1);
	gup = longterm_pin(memory, 4);
	ASSERT_GE(gup, 0);
	child = fork();
	if (!child) {
		if (own_to_device(fd, memory, PAGES) != PAGES)
			_exit(1);
		_exit(wrong(memory, PAGES, 1) == -1 ? 0 : 2);
	}
	/* Fork has copied the pinned pages: the child has its own. */
	EXPECT_EQ(0, end_of(child));
	EXPECT_EQ(4, pages_at(memory, 4, SYSTEM));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	close(gup);
}

/* To other nodes, a pinned page does not go either. */
TEST_F(mover, pinned)
{
	char *memory = pages_map(PAGES);
	int gup;

	fill(memory, PAGES, 1);
	gup = longterm_pin(memory + 3 * PAGE, 1);
	ASSERT_GE(gup, 0);
	mover_away(&self->mover, memory, PAGES);
	EXPECT_TRUE(mover_none_away(&self->mover, memory + 3 * PAGE, 1));
	EXPECT_TRUE(mover_is_away(&self->mover, memory, 3));
	EXPECT_TRUE(mover_is_away(&self->mover, memory + 4 * PAGE, PAGES - 4));
	EXPECT_EQ(SYSTEM, place_of(memory + 3 * PAGE));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	close(gup);
}

/* A pin needs the page here, where it then stays: a device does not keep it. */
TEST_F(mover, pinned_while_away)
{
	char *memory = pages_map(PAGES), *copy = pages_map(8);
	__u64 to = (uintptr_t)copy;
	int gup;

	fill(memory, PAGES, 1);
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	gup = longterm_pin(memory, 8);
	ASSERT_GE(gup, 0);
	EXPECT_EQ(8, pages_at(memory, 8, SYSTEM));
	mover_away(&self->mover, memory, 8);
	EXPECT_EQ(8, pages_at(memory, 8, SYSTEM));
	fill(memory, 8, 1);
	ASSERT_EQ(0, ioctl(gup, PIN_LONGTERM_TEST_READ, &to));
	EXPECT_EQ(0, memcmp(copy, memory, 8 * PAGE));
	close(gup);
	mover_back(&self->mover, memory, PAGES);
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

TEST(reference)
{
	char *memory = pages_map(PAGES);
	int fd = own_open(), i;

	ASSERT_GE(fd, 0);
	fill(memory, PAGES, 1);
	for (i = 0; i < PAGES; i += 4)
		ASSERT_EQ(0, own_hold(fd, pfn_of(memory + i * PAGE),
				      HMM_TEST_HOLD_REFERENCE));
	expect_left(_metadata, fd, memory, HMM_TEST_PINNED, PAGES / 4);
	EXPECT_EQ(0, own_hold(fd, 0, HMM_TEST_RELEASE_ALL));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

/* One that somebody has locked is not waited for. */
TEST(locked)
{
	char *memory = pages_map(PAGES);
	int fd = own_open(), i;

	ASSERT_GE(fd, 0);
	fill(memory, PAGES, 1);
	for (i = 0; i < PAGES; i += 4)
		ASSERT_EQ(0, own_hold(fd, pfn_of(memory + i * PAGE),
				      HMM_TEST_HOLD_LOCK));
	expect_left(_metadata, fd, memory, HMM_TEST_LOCKED, PAGES / 4);
	EXPECT_EQ(0, own_hold(fd, 0, HMM_TEST_RELEASE_ALL));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

/* Reclaim, or another move, is just taking it off the list of its node. */
TEST(off_the_list)
{
	char *memory = pages_map(PAGES);
	int fd = own_open(), i;

	ASSERT_GE(fd, 0);
	on_cpu(0);
	fill(memory, PAGES, 1);
	vm_settled("nr_mlock");
	for (i = 0; i < PAGES; i += 4)
		ASSERT_EQ(0, own_hold(fd, pfn_of(memory + i * PAGE),
				      HMM_TEST_HOLD_LRU));
	expect_left(_metadata, fd, memory, HMM_TEST_NOT_LRU, PAGES / 4);
	EXPECT_EQ(0, own_hold(fd, 0, HMM_TEST_RELEASE_ALL));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	expect_left(_metadata, fd, memory, HMM_TEST_NOT_LRU, 0);
}

/* What a disk is reading is not even unmapped. */
TEST(written_to_a_disk)
{
	char *memory = pages_map(PAGES);
	struct hmm_test_move move;
	int fd = own_open(), i;

	ASSERT_GE(fd, 0);
	fill(memory, PAGES, 1);
	for (i = 0; i < PAGES; i += 4)
		ASSERT_EQ(0, own_hold(fd, pfn_of(memory + i * PAGE),
				      HMM_TEST_HOLD_WRITEBACK));
	expect_left(_metadata, fd, memory, HMM_TEST_LOCKED, PAGES / 4);
	ASSERT_EQ(0, stats_on());
	move = own_request(memory, 1, HMM_TEST_TO_NODE, HMM_TEST_TO_SYSTEM);
	ASSERT_EQ(0, own_call(fd, &move));
	EXPECT_EQ(1, move.result.left[HMM_TEST_LOCKED])
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(0, stats("tlb_flushes"));
	stats_off();
	EXPECT_EQ(0, own_hold(fd, 0, HMM_TEST_RELEASE_ALL));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	expect_left(_metadata, fd, memory, HMM_TEST_LOCKED, 0);
}

/*
 * Somebody comes to use a page that the driver has copied already: it is the
 * process's still, and the copy is given back.
 */
TEST(used_after_the_copy)
{
	char *memory = pages_map(PAGES);
	struct hmm_test_move move;
	__u64 pfns[PAGES];
	int fd = own_open(), i;

	ASSERT_GE(fd, 0);
	on_cpu(0);
	fill(memory, PAGES, 1);
	for (i = 0; i < PAGES; i++)
		pfns[i] = pfn_of(memory + i * PAGE);
	move = own_request(memory, PAGES, HMM_TEST_TO_DEVICE,
			   HMM_TEST_FROM_SYSTEM);
	move.driver.hold_every = 4;
	ASSERT_EQ(0, own_call(fd, &move));
	EXPECT_EQ(PAGES, move.result.given);
	EXPECT_EQ(PAGES / 4, move.result.left[HMM_TEST_PINNED])
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(PAGES - PAGES / 4, move.result.migrated);
	EXPECT_EQ(PAGES - PAGES / 4, own_in_use(fd));
	for (i = 3; i < PAGES; i += 4)
		EXPECT_EQ(pfns[i], pfn_of(memory + i * PAGE));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	ASSERT_EQ(PAGES, own_to_device(fd, memory, PAGES));

	move = own_request(memory, PAGES, HMM_TEST_TO_NODE,
			   HMM_TEST_FROM_DEVICE | HMM_TEST_TO_SYSTEM);
	move.driver.hold_every = 4;
	ASSERT_EQ(0, own_call(fd, &move));
	EXPECT_EQ(PAGES, move.result.given);
	EXPECT_EQ(PAGES / 4, move.result.left[HMM_TEST_PINNED])
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(PAGES / 4, pages_at(memory, PAGES, PRIVATE));
	EXPECT_EQ(PAGES / 4, own_in_use(fd));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	EXPECT_EQ(0, own_in_use(fd));
}

/* The same for a huge page, which stays one. */
TEST(huge_page_used_after_the_copy)
{
	char *memory = huge_pages_map(1, 1);
	struct hmm_test_move move;
	int fd = own_open();
	__u64 pfn;

	if (!huge_pages_exist())
		SKIP(return, NO_HUGE_PAGES);
	ASSERT_GE(fd, 0);
	ASSERT_NE(NULL, memory);
	pfn = pfn_of(memory);
	move = own_request(memory, TABLE, HMM_TEST_TO_DEVICE,
			   HMM_TEST_FROM_SYSTEM | HMM_TEST_LARGE);
	move.driver.hold_every = 1;
	ASSERT_EQ(0, own_call(fd, &move));
	EXPECT_EQ(1, move.result.given);
	EXPECT_EQ(TABLE, move.result.left[HMM_TEST_PINNED])
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(0, own_in_use(fd));
	EXPECT_EQ(2048, huge_pages_kb(memory));
	EXPECT_EQ(pfn, pfn_of(memory));
	EXPECT_EQ(-1, wrong(memory, TABLE, 1));
	EXPECT_EQ(TABLE, own_to_device(fd, memory, TABLE));
	EXPECT_EQ(-1, wrong(memory, TABLE, 1));
}

/* Pages on the device can be in use as well. */
TEST(on_the_device)
{
	char *memory = pages_map(PAGES);
	int fd = own_open(), i;
	struct hmm_test_move move;

	ASSERT_GE(fd, 0);
	fill(memory, PAGES, 1);
	ASSERT_EQ(PAGES, own_to_device(fd, memory, PAGES));
	for (i = 0; i < PAGES; i += 4)
		ASSERT_EQ(0, own_hold(fd, pfn_of(memory + i * PAGE),
				      HMM_TEST_HOLD_REFERENCE));
	move = own_request(memory, PAGES, HMM_TEST_TO_NODE,
			   HMM_TEST_FROM_DEVICE | HMM_TEST_TO_SYSTEM);
	ASSERT_EQ(0, own_call(fd, &move));
	EXPECT_EQ(PAGES / 4, move.result.left[HMM_TEST_PINNED])
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(PAGES - PAGES / 4, move.result.migrated);
	EXPECT_EQ(PAGES / 4, pages_at(memory, PAGES, PRIVATE));
	EXPECT_EQ(0, own_hold(fd, 0, HMM_TEST_RELEASE_ALL));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	EXPECT_EQ(0, own_in_use(fd));
}

TEST_HARNESS_MAIN
