// SPDX-License-Identifier: GPL-2.0
/* The kernel's books are the same before and after. */
#include <stdlib.h>

#include "mover_fixture.h"

#define PAGES	2048
#define KB(npages)	((npages) * (long)PAGE / 1024)

/* What the process has is what it had, to a page, wherever its pages are. */
TEST_F(mover, rss)
{
	char *memory = pages_map(PAGES);
	long before, filled;

	mover_try(&self->mover);
	smaps_kb(memory, "Rss");
	before = status_kb("RssAnon");
	fill(memory, PAGES, 1);
	filled = status_kb("RssAnon");
	ASSERT_EQ(before + KB(PAGES), filled);
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	EXPECT_EQ(filled, status_kb("RssAnon"));
	EXPECT_EQ(KB(PAGES), smaps_kb(memory, "Rss"));
	EXPECT_EQ(KB(PAGES), smaps_kb(memory, "Pss"));
	ASSERT_EQ(PAGES, mover_back(&self->mover, memory, PAGES));
	EXPECT_EQ(filled, status_kb("RssAnon"));
	EXPECT_EQ(KB(PAGES), smaps_kb(memory, "Rss"));
	EXPECT_EQ(KB(PAGES), smaps_kb(memory, "Pss"));
	pages_unmap(memory, PAGES);
	EXPECT_EQ(before, status_kb("RssAnon"));
}

TEST_F(mover, rss_of_holes)
{
	char *memory = pages_map(PAGES);
	long before;

	mover_try(&self->mover);
	smaps_kb(memory, "Pss");
	before = status_kb("RssAnon");
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	EXPECT_EQ(before + KB(PAGES), status_kb("RssAnon"));
	EXPECT_EQ(KB(PAGES), smaps_kb(memory, "Pss"));
	pages_unmap(memory, PAGES);
	EXPECT_EQ(before, status_kb("RssAnon"));
}

/* A child has half of it, on the device as well. */
TEST_F(mover, pss_of_a_child)
{
	char *memory = pages_map(PAGES);
	struct pair pair;
	pid_t child;

	fill(memory, PAGES, 1);
	pair_init(&pair);
	child = fork();
	if (!child) {
		pair_child_turn(&pair);
		_exit(smaps_kb(memory, "Pss") != KB(PAGES) / 2);
	}
	ASSERT_TRUE(pair_wait(&pair));
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	EXPECT_EQ(KB(PAGES), smaps_kb(memory, "Rss"));
	EXPECT_EQ(KB(PAGES) / 2, smaps_kb(memory, "Pss"));
	pair_go(&pair);
	EXPECT_EQ(0, end_of(child));
	EXPECT_EQ(KB(PAGES), smaps_kb(memory, "Pss"));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

/* Written pages come back as such: the first write afterwards is no fault. */
TEST_F(mover, no_more_faults)
{
	char *memory = pages_map(PAGES);
	long before;

	fill(memory, PAGES, 1);
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	ASSERT_EQ(PAGES, mover_back(&self->mover, memory, PAGES));
	before = page_faults();
	fill(memory, PAGES, 2);
	EXPECT_LT(page_faults() - before, PAGES / 4);
	EXPECT_TRUE(pagemap(memory) & PM_EXCLUSIVE);
}

TEST_HARNESS_MAIN
