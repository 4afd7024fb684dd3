// SPDX-License-Identifier: GPL-2.0
/* The kernel's books are the same before and after. */
#include <stdlib.h>
#include <sys/stat.h>

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

#define GROUP	"/sys/fs/cgroup/hmm_migrate_accounting"

static long group_anon(void)
{
	return file_number(GROUP "/memory.stat", "anon");
}

static long group_current(void)
{
	return file_number(GROUP "/memory.current", NULL);
}

/* Who pays for the pages stays the same, wherever they are. */
TEST_F(mover, memcg)
{
	const long size = PAGES * PAGE, slack = size / 8;
	long filled, filled_current;
	char *memory, pid[16];

	rmdir(GROUP);
	file_write("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	ASSERT_EQ(0, mkdir(GROUP, 0755));
	snprintf(pid, sizeof(pid), "%d", getpid());
	ASSERT_EQ(0, file_write(GROUP "/cgroup.procs", pid));

	memory = pages_map(PAGES);
	fill(memory, PAGES, 1);
	filled = group_anon();
	filled_current = group_current();
	EXPECT_GE(filled, size - slack);
	EXPECT_GE(filled_current, size - slack);
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	EXPECT_LE(labs(group_anon() - filled), slack);
	EXPECT_LE(labs(group_current() - filled_current), slack);
	ASSERT_EQ(PAGES, mover_back(&self->mover, memory, PAGES));
	EXPECT_LE(labs(group_anon() - filled), slack);
	EXPECT_LE(labs(group_current() - filled_current), slack);
	pages_unmap(memory, PAGES);
	EXPECT_LE(group_anon(), filled - size + slack);
	EXPECT_LE(group_current(), filled_current - size + slack);

	ASSERT_EQ(0, file_write("/sys/fs/cgroup/cgroup.procs", pid));
	EXPECT_EQ(0, rmdir(GROUP));
}

static size_t soft_dirty(const char *memory)
{
	size_t page, count = 0;

	for (page = 0; page < PAGES; page++) {
		bool dirty = pagemap(memory + page * PAGE) & PM_SOFT_DIRTY;

		/* A wrong page counts so much that no test can miss it. */
		if (dirty)
			count += page % 2 ? PAGES : 1;
	}
	return count;
}

/* What checkpointing asks for: which pages were written since. */
TEST_F(mover, soft_dirty)
{
	char *memory = pages_map(PAGES);
	size_t page;

	fill(memory, PAGES, 1);
	ASSERT_EQ(0, file_write("/proc/self/clear_refs", "4"));
	for (page = 0; page < PAGES; page += 2)
		fill_page(memory, page, 2);
	ASSERT_EQ(PAGES / 2, soft_dirty(memory));
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	EXPECT_EQ(PAGES / 2, soft_dirty(memory));
	ASSERT_EQ(PAGES, mover_back(&self->mover, memory, PAGES));
	EXPECT_EQ(PAGES / 2, soft_dirty(memory));
	fill_page(memory, 1, 2);
	EXPECT_EQ(PAGES / 2 + PAGES, soft_dirty(memory));
}

/* Written pages come back as such: the first write afterwards is no fault. */
TEST_F(mover, no_more_faults)
{
	char *memory = pages_map(PAGES);
	long before;

	fill(memory, PAGES, 1);
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	ASSERT_EQ(PAGES, mover_back(&self->mover, memory, PAGES));
	before = vm_count("pgfault");
	fill(memory, PAGES, 2);
	EXPECT_LT(vm_count("pgfault") - before, PAGES / 4);
	EXPECT_TRUE(pagemap(memory) & PM_EXCLUSIVE);
}

TEST_F(mover, mlock)
{
	char *memory = pages_map(PAGES);
	long before = vm_count("nr_mlock");

	fill(memory, PAGES, 1);
	ASSERT_EQ(0, mlock(memory, PAGES * PAGE));
	EXPECT_GE(vm_count("nr_mlock"), before + PAGES - 64);
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	ASSERT_EQ(PAGES, mover_back(&self->mover, memory, PAGES));
	EXPECT_EQ(KB(PAGES), status_kb("VmLck"));
	ASSERT_EQ(0, munlock(memory, PAGES * PAGE));
	pages_unmap(memory, PAGES);
	EXPECT_LE(labs(vm_count("nr_mlock") - before), 64);
}

/*
 * Unlocked while it is away, the memory is never seen again by anybody but
 * the driver, which has to undo the count.
 */
TEST(munlock_while_away)
{
	char *memory = pages_map(PAGES);
	long before = vm_count("nr_mlock");
	int fd = own_open();

	ASSERT_GE(fd, 0);
	fill(memory, PAGES, 1);
	ASSERT_EQ(0, mlock(memory, PAGES * PAGE));
	ASSERT_EQ(PAGES, own_to_device(fd, memory, PAGES));
	ASSERT_EQ(0, munlock(memory, PAGES * PAGE));
	pages_unmap(memory, PAGES);
	EXPECT_LE(labs(vm_count("nr_mlock") - before), 64);
}

TEST_HARNESS_MAIN
