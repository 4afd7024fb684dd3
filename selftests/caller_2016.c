// SPDX-License-Identifier: GPL-2.0
/* A caller of 2016, who knows no owner, no flags and no result. */
#include "test.h"

#define PAGES	1100

static struct hmm_test_move request(void *memory, size_t npages,
				    unsigned int node)
{
	struct hmm_test_move move = own_request(memory, npages,
						HMM_TEST_TO_NODE, 0);

	move.function = HMM_TEST_CALLER_2016;
	move.node = node;
	return move;
}

TEST(node_to_node)
{
	struct hmm_test_move move;
	char *memory = pages_map(PAGES);
	int fd = own_open(), round;

	ASSERT_GE(fd, 0);
	on_cpu(0);
	fill(memory, PAGES, 1);
	for (round = 1; round <= 4; round++) {
		move = request(memory, PAGES, round % 2);
		ASSERT_EQ(0, own_call(fd, &move));
		EXPECT_EQ(0, move.result.ret);
		EXPECT_EQ(PAGES, move.result.migrated)
			TH_LOG("%s", own_describe(&move.result));
		EXPECT_EQ(3, move.result.windows);
		EXPECT_EQ(PAGES, pages_on_node(memory, PAGES, round % 2));
		EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	}
}

/* Holes are shown as empty, and such a caller leaves them so. */
TEST(holes)
{
	struct hmm_test_move move;
	char *memory = pages_map(100);
	int fd = own_open(), page;

	ASSERT_GE(fd, 0);
	for (page = 0; page < 100; page += 2)
		fill_page(memory, page, 1);
	move = request(memory, 100, 1);
	ASSERT_EQ(0, own_call(fd, &move));
	EXPECT_EQ(50, move.result.migrated)
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(50, pages_at(memory, 100, NOWHERE));
	for (page = 0; page < 100; page += 2)
		EXPECT_TRUE(page_is(memory, page, 1));
}

/* A driver that names no owner is not handed any device's pages. */
TEST(device_pages)
{
	struct hmm_test_move move;
	char *memory = pages_map(100);
	int fd = own_open();

	ASSERT_GE(fd, 0);
	fill(memory, 100, 1);
	ASSERT_EQ(50, own_to_device(fd, memory, 50));
	move = request(memory, 100, 1);
	ASSERT_EQ(0, own_call(fd, &move));
	EXPECT_EQ(50, move.result.migrated);
	EXPECT_EQ(50, pages_at(memory, 50, PRIVATE));
	EXPECT_EQ(50, pages_on_node(memory + 50 * PAGE, 50, 1));
	EXPECT_EQ(-1, wrong(memory, 100, 1));
	EXPECT_EQ(0, own_in_use(fd));
}

/* The extra reference that 2016 allowed loses nothing either. */
TEST(nothing_is_lost)
{
	struct hmm_test_move move;
	char *memory = pages_map(PAGES);
	long before, after;
	int fd = own_open(), round;

	ASSERT_GE(fd, 0);
	fill(memory, PAGES, 1);
	before = vm_count("nr_free_pages");
	for (round = 0; round < 20; round++) {
		move = request(memory, PAGES, round % 2);
		ASSERT_EQ(0, own_call(fd, &move));
	}
	after = vm_count("nr_free_pages");
	/* 22000 pages were allocated meanwhile. */
	EXPECT_LT(before - after, 2 * PAGES);
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

TEST_HARNESS_MAIN
