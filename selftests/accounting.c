// SPDX-License-Identifier: GPL-2.0
/* The kernel's books are the same before and after. */
#include <stdlib.h>

#include "mover_fixture.h"

#define PAGES	2048
#define KB(npages)	((npages) * (long)PAGE / 1024)

/* Counters of a process may lag by a batch for each processor. */
#define RSS_SLACK	KB(64)

TEST_F(mover, rss)
{
	char *memory = pages_map(PAGES);
	long before, filled;

	before = status_kb("RssAnon");
	fill(memory, PAGES, 1);
	filled = status_kb("RssAnon");
	ASSERT_GE(filled, before + KB(PAGES) - RSS_SLACK);
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	EXPECT_LE(labs(status_kb("RssAnon") - filled), RSS_SLACK);
	ASSERT_EQ(PAGES, mover_back(&self->mover, memory, PAGES));
	EXPECT_LE(labs(status_kb("RssAnon") - filled), RSS_SLACK);
	pages_unmap(memory, PAGES);
	EXPECT_LE(labs(status_kb("RssAnon") - before), RSS_SLACK);
}

TEST_F(mover, rss_of_holes)
{
	char *memory = pages_map(PAGES);
	long before = status_kb("RssAnon");

	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	EXPECT_GE(status_kb("RssAnon"), before + KB(PAGES) - RSS_SLACK);
	pages_unmap(memory, PAGES);
	EXPECT_LE(labs(status_kb("RssAnon") - before), RSS_SLACK);
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
