// SPDX-License-Identifier: GPL-2.0
/* Memory that is swapped out, or was, on a swap disk in memory. */
#include "test.h"
#include "test_hmm_uapi.h"

#define PAGES	256

FIXTURE(swap)
{
	int fd;
};

FIXTURE_SETUP(swap)
{
	on_cpu(0);
	self->fd = own_open();
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(0, swap_on());
}

FIXTURE_TEARDOWN(swap)
{
	EXPECT_EQ(0, swap_off());
	close(self->fd);
}

TEST_F(swap, swapped_out)
{
	char *memory = pages_map(PAGES);
	struct hmm_test_move move;

	fill(memory, PAGES, 1);
	ASSERT_EQ(PAGES, swap_out(memory, PAGES)) TH_LOG("nothing is swapped out");
	move = own_request(memory, PAGES, HMM_TEST_TO_DEVICE, 0);
	ASSERT_EQ(0, own_call(self->fd, &move));
	EXPECT_EQ(PAGES, move.result.left[HMM_TEST_SWAPPED])
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(PAGES, pages_at(memory, PAGES, ELSEWHERE));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

/* In memory again, a page may still have its slot on the swap disk. */
TEST_F(swap, swapped_in)
{
	char *memory = pages_map(PAGES);

	fill(memory, PAGES, 1);
	ASSERT_EQ(PAGES, swap_out(memory, PAGES));
	ASSERT_EQ(-1, wrong(memory, PAGES, 1));
	EXPECT_EQ(PAGES, own_to_device(self->fd, memory, PAGES));
	EXPECT_EQ(PAGES, pages_at(memory, PAGES, PRIVATE));
	EXPECT_EQ(0, status_kb("VmSwap"));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

/* Of two processes, one has read it back, the other has not. */
TEST_F(swap, slot_is_shared)
{
	char *memory = pages_map(PAGES);
	struct hmm_test_move move;
	struct pair pair;
	pid_t child;

	fill(memory, PAGES, 1);
	ASSERT_EQ(PAGES, swap_out(memory, PAGES));
	pair_init(&pair);
	child = fork();
	if (!child) {
		pair_child_turn(&pair);
		_exit(wrong(memory, PAGES, 1) == -1 ? 0 : 1);
	}
	ASSERT_TRUE(pair_wait(&pair));
	ASSERT_EQ(-1, wrong(memory, PAGES, 1));
	move = own_request(memory, PAGES, HMM_TEST_TO_DEVICE, 0);
	ASSERT_EQ(0, own_call(self->fd, &move));
	EXPECT_EQ(PAGES, move.result.left[HMM_TEST_SWAPPED])
		TH_LOG("%s", own_describe(&move.result));
	pair_go(&pair);
	EXPECT_EQ(0, end_of(child));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

/* Both have read it back: one slot, one page, two mappings. */
TEST_F(swap, slot_and_page_are_shared)
{
	char *memory = pages_map(PAGES);
	struct pair pair;
	pid_t child;

	fill(memory, PAGES, 1);
	ASSERT_EQ(PAGES, swap_out(memory, PAGES));
	pair_init(&pair);
	child = fork();
	if (!child) {
		if (wrong(memory, PAGES, 1) != -1)
			_exit(1);
		pair_child_turn(&pair);
		_exit(wrong(memory, PAGES, 1) == -1 ? 0 : 2);
	}
	ASSERT_TRUE(pair_wait(&pair));
	ASSERT_EQ(-1, wrong(memory, PAGES, 1));
	EXPECT_EQ(PAGES, own_to_device(self->fd, memory, PAGES));
	EXPECT_EQ(0, vm_settled("nr_swapcached"));
	EXPECT_EQ(PAGES, pages_at(memory, PAGES, PRIVATE));
	pair_go(&pair);
	EXPECT_EQ(0, end_of(child));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

/*
 * Read back, then written: the slot has what was before. Another node's page
 * may keep the slot, but must not be taken for its copy.
 */
TEST_F(swap, written_after_swapped_in)
{
	char *memory = pages_map(PAGES);

	fill(memory, PAGES, 1);
	ASSERT_EQ(PAGES, swap_out(memory, PAGES));
	ASSERT_EQ(-1, wrong(memory, PAGES, 1));
	fill(memory, PAGES, 2);
	ASSERT_EQ(PAGES, own_to_node(self->fd, memory, PAGES, 1));
	EXPECT_EQ(PAGES, swap_out(memory, PAGES));
	EXPECT_EQ(-1, wrong(memory, PAGES, 2));
}

/* The same where the process reads back what it shares with a child. */
TEST_F(swap, slot_goes_to_another_node)
{
	char *memory = pages_map(PAGES);
	struct pair pair;
	pid_t child;

	fill(memory, PAGES, 1);
	ASSERT_EQ(PAGES, swap_out(memory, PAGES));
	pair_init(&pair);
	child = fork();
	if (!child) {
		pair_child_turn(&pair);
		_exit(wrong(memory, PAGES, 1) == -1 ? 0 : 1);
	}
	ASSERT_TRUE(pair_wait(&pair));
	ASSERT_EQ(-1, wrong(memory, PAGES, 1));
	EXPECT_EQ(PAGES, own_to_node(self->fd, memory, PAGES, 1));
	fill(memory, PAGES, 2);
	pair_go(&pair);
	EXPECT_EQ(0, end_of(child));
	EXPECT_EQ(-1, wrong(memory, PAGES, 2));
}

/* What comes back from the device can be swapped out, and in again. */
TEST_F(swap, after_coming_back)
{
	char *memory = pages_map(PAGES);

	fill(memory, PAGES, 1);
	ASSERT_EQ(PAGES, own_to_device(self->fd, memory, PAGES));
	EXPECT_EQ(0, madvise(memory, PAGES * PAGE, MADV_PAGEOUT));
	EXPECT_EQ(PAGES, pages_at(memory, PAGES, PRIVATE));
	ASSERT_EQ(PAGES, own_to_system(self->fd, memory, PAGES));
	EXPECT_EQ(PAGES, swap_out(memory, PAGES));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

/*
 * The process has said that it may lose the contents; but then the device
 * has written, and that must not be lost.
 */
TEST_F(swap, freed_lazily)
{
	char *memory = pages_map(PAGES);
	struct hmm_test_move move;
	size_t i;

	fill(memory, PAGES, 1);
	ASSERT_EQ(0, madvise(memory, PAGES * PAGE, MADV_FREE));
	move = own_request(memory, PAGES, HMM_TEST_TO_DEVICE, 0);
	move.driver.stamp = 0x5a;
	ASSERT_EQ(0, own_call(self->fd, &move));
	ASSERT_EQ(PAGES, move.result.migrated);
	ASSERT_EQ(PAGES, own_to_system(self->fd, memory, PAGES));
	swap_out(memory, PAGES);
	for (i = 0; i < PAGES * PAGE; i++)
		memory[i] ^= 0x5a;
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

/* Given up, written again, and moved by somebody who keeps the books. */
TEST_F(swap, freed_lazily_and_written)
{
	char *memory = pages_map(PAGES);
	int node;

	for (node = 1; node >= 0; node--) {
		fill(memory, PAGES, 1);
		ASSERT_EQ(0, madvise(memory, PAGES * PAGE, MADV_FREE));
		fill(memory, PAGES, 2);
		ASSERT_EQ(PAGES, own_to_node(self->fd, memory, PAGES, node));
		swap_out(memory, PAGES);
		ASSERT_EQ(-1, wrong(memory, PAGES, 2));
	}
	ASSERT_EQ(0, madvise(memory, PAGES * PAGE, MADV_FREE));
	fill(memory, PAGES, 3);
	ASSERT_EQ(PAGES, own_to_device(self->fd, memory, PAGES));
	ASSERT_EQ(PAGES, own_to_system(self->fd, memory, PAGES));
	swap_out(memory, PAGES);
	EXPECT_EQ(-1, wrong(memory, PAGES, 3));
}

/* The device writes to it where it is, and no page table entry says so. */
TEST_F(swap, freed_lazily_and_written_by_a_device)
{
	char *memory = pages_map(PAGES), *copy = pages_map(PAGES);
	int mirror = mirror_open(MIRROR_PRIVATE);

	ASSERT_GE(mirror, 0);
	fill(memory, PAGES, 1);
	fill(copy, PAGES, 2);
	ASSERT_EQ(0, madvise(memory, PAGES * PAGE, MADV_FREE));
	ASSERT_EQ(PAGES, mirror_command(mirror, HMM_DMIRROR_WRITE, memory,
					PAGES, copy));
	EXPECT_EQ(PAGES, swap_out(memory, PAGES));
	EXPECT_EQ(-1, wrong(memory, PAGES, 2));
	close(mirror);
}

TEST_HARNESS_MAIN
