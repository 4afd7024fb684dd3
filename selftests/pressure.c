// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel wants the same pages at the same time: to put them together, to
 * swap them out, to make large ones of them, or because the process says that
 * it can do without them. Nobody waits for long, and nothing is lost.
 */
#include <linux/mman.h>
#include <stdlib.h>

#include "mover_fixture.h"

#define PAGES	TABLE
#define MILLISECONDS	800

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL	102
#define MADV_GUARD_REMOVE	103
#endif

/* What the kernel counts of its own part in it, in /proc/vmstat. */
struct part {
	const char *event;
	long before;
};

static struct part part_of(const char *event)
{
	return (struct part) {
		.event = event,
		.before = file_number("/proc/vmstat", event),
	};
}

static bool is_taken(const struct part *part)
{
	return file_number("/proc/vmstat", part->event) > part->before;
}

/* A page of each ten is looked at, and written anew. */
static bool use(char *memory, unsigned int *seed)
{
	size_t page;

	for (page = 0; page < PAGES; page += 10) {
		if (!page_is(memory, page, *seed))
			return false;
		fill_page(memory, page, *seed + 1);
	}
	(*seed)++;
	return true;
}

static bool is_used(char *memory, unsigned int seed)
{
	size_t page;

	for (page = 0; page < PAGES; page++)
		if (!page_is(memory, page, page % 10 ? 1 : seed))
			return false;
	return true;
}

TEST_F(mover, compaction)
{
	char *memory = pages_map(PAGES);
	struct part part = part_of("compact_isolated");
	struct migrator migrator;
	unsigned int seed = 1;

	fill(memory, PAGES, 1);
	migrator_start(&migrator, &self->mover, memory, PAGES);
	while (migrator_goes_on(&migrator, MILLISECONDS, is_taken(&part))) {
		ASSERT_EQ(0, file_write("/proc/sys/vm/compact_memory", "1"));
		ASSERT_TRUE(use(memory, &seed));
	}
	EXPECT_LT(0, migrator_stop(&migrator));
	EXPECT_TRUE(is_taken(&part));
	EXPECT_TRUE(is_used(memory, seed));
}

TEST_F(mover, reclaim)
{
	char *memory = pages_map(PAGES);
	struct part part = part_of("pswpout");
	struct migrator migrator;
	unsigned int seed = 1;

	if (!swap_exists())
		SKIP(return, NO_SWAP);
	ASSERT_EQ(0, swap_on());
	fill(memory, PAGES, 1);
	migrator_start(&migrator, &self->mover, memory, PAGES);
	while (migrator_goes_on(&migrator, MILLISECONDS, is_taken(&part))) {
		ASSERT_EQ(0, madvise(memory, PAGES * PAGE, MADV_PAGEOUT));
		ASSERT_TRUE(use(memory, &seed));
	}
	EXPECT_LT(0, migrator_stop(&migrator));
	EXPECT_TRUE(is_taken(&part));
	EXPECT_TRUE(is_used(memory, seed));
	EXPECT_EQ(0, swap_off());
}

/* Most tries find all pages away; then there is nothing to bring back. */
static void page_out(char *memory)
{
	struct part part = part_of("pswpout");
	int tries;

	for (tries = 0; tries < 100 && !is_taken(&part); tries++)
		madvise(memory, PAGES * PAGE, MADV_PAGEOUT);
}

/* Swap is switched off, and its pages come back, while they are moved. */
TEST_F(mover, swapoff)
{
	char *memory = pages_map(PAGES);
	struct part part = part_of("pswpout");
	struct migrator migrator;
	unsigned int seed = 1;

	if (!swap_exists())
		SKIP(return, NO_SWAP);
	ASSERT_EQ(0, swap_on());
	fill(memory, PAGES, 1);
	migrator_start(&migrator, &self->mover, memory, PAGES);
	while (migrator_goes_on(&migrator, MILLISECONDS, is_taken(&part))) {
		page_out(memory);
		ASSERT_EQ(0, swap_off());
		ASSERT_EQ(0, swap_on());
		ASSERT_TRUE(use(memory, &seed));
	}
	EXPECT_LT(0, migrator_stop(&migrator));
	EXPECT_TRUE(is_taken(&part));
	EXPECT_TRUE(is_used(memory, seed));
	EXPECT_EQ(0, swap_off());
}

/* A huge page is made of them again and again. */
TEST_F(mover, collapse)
{
	char *memory = pages_map(PAGES);
	struct migrator migrator;
	unsigned int seed = 1;
	int tries;

	if (!huge_pages_exist())
		SKIP(return, NO_HUGE_PAGES);
	fill(memory, PAGES, 1);
	migrator_start(&migrator, &self->mover, memory, PAGES);
	/* The collapse brings back what is away: now and then there is time. */
	while (migrator_goes_on(&migrator, MILLISECONDS, true)) {
		madvise(memory, PAGES * PAGE, MADV_COLLAPSE);
		sleep_ms(rand() % (20 * patience()));
		ASSERT_TRUE(use(memory, &seed));
	}
	EXPECT_LT(0, migrator_stop(&migrator));
	EXPECT_TRUE(is_used(memory, seed));
	mover_back(&self->mover, memory, PAGES);
	for (tries = 0; tries < 20; tries++)
		if (!madvise(memory, PAGES * PAGE, MADV_COLLAPSE))
			break;
	EXPECT_GT(20, tries);
	EXPECT_TRUE(is_used(memory, seed));
}

FIXTURE(awake)
{
	struct mover mover;
};

FIXTURE_VARIANT(awake)
{
	enum mover_kind kind;
};

FIXTURE_VARIANT_ADD(awake, mirror_private)
{
	.kind = MIRROR_1,
};

FIXTURE_VARIANT_ADD(awake, mirror_coherent)
{
	.kind = MIRROR_2,
};

FIXTURE_VARIANT_ADD(awake, own_private)
{
	.kind = OWN_DEVICE,
};

FIXTURE_VARIANT_ADD(awake, nodes)
{
	.kind = OWN_NODES,
};

FIXTURE_SETUP(awake)
{
	if (!huge_pages_exist())
		SKIP(return, NO_HUGE_PAGES);
	on_cpu(0);
	ASSERT_EQ(0, mover_open(&self->mover, variant->kind));
	ASSERT_EQ(0, khugepaged_wake());
}

FIXTURE_TEARDOWN(awake)
{
	khugepaged_rest();
	mover_close(&self->mover);
}

/* The same by the thread of the kernel, which nobody has to ask. */
TEST_F(awake, khugepaged)
{
	long before = khugepaged_count("pages_collapsed");
	char *memory = pages_map(PAGES);
	struct migrator migrator;
	unsigned int seed = 1;

	fill(memory, PAGES, 1);
	ASSERT_EQ(0, madvise(memory, PAGES * PAGE, MADV_HUGEPAGE));
	migrator_start(&migrator, &self->mover, memory, PAGES);
	while (migrator_goes_on(&migrator, MILLISECONDS,
				khugepaged_count("pages_collapsed") > before))
		ASSERT_TRUE(use(memory, &seed));
	EXPECT_LT(0, migrator_stop(&migrator));
	EXPECT_LT(before, khugepaged_count("pages_collapsed"));
	EXPECT_TRUE(is_used(memory, seed));
}

/* At once, so that a move seldom comes between: what comes back is dirty. */
static bool give_up_one(char *memory, unsigned int seed)
{
	bool ok;

	fill_page(memory, 1, seed);
	madvise(memory + PAGE, PAGE, MADV_FREE);
	madvise(memory + PAGE, PAGE, MADV_PAGEOUT);
	ok = page_is(memory, 1, seed) || page_is_zero(memory, 1);
	fill_page(memory, 1, seed);
	return ok;
}

/* What was written after it was given up is kept; the rest may be zeros. */
TEST_F(mover, freed_lazily)
{
	char *memory = pages_map(PAGES);
	struct part part = part_of("pglazyfreed");
	struct migrator migrator;
	unsigned int seed = 1;
	size_t page, lost = 0;

	ASSERT_EQ(0, swap_on());
	fill(memory, PAGES, seed);
	migrator_start(&migrator, &self->mover, memory, PAGES);
	for (; migrator_goes_on(&migrator, MILLISECONDS, is_taken(&part));
	     seed++) {
		ASSERT_EQ(0, madvise(memory, PAGES * PAGE, MADV_FREE));
		for (page = 0; page < PAGES; page += 2)
			fill_page(memory, page, seed + 1);
		madvise(memory, PAGES * PAGE, MADV_PAGEOUT);
		for (page = 0; page < PAGES; page += 2)
			lost += !page_is(memory, page, seed + 1);
		for (page = 1; page < PAGES; page += 2) {
			lost += !page_is(memory, page, seed) &&
				!page_is_zero(memory, page);
			fill_page(memory, page, seed + 1);
		}
		lost += !give_up_one(memory, seed + 1);
	}
	EXPECT_LT(0, migrator_stop(&migrator));
	EXPECT_TRUE(is_taken(&part));
	EXPECT_EQ(0, lost);
	EXPECT_EQ(-1, wrong(memory, PAGES, seed));
	EXPECT_EQ(0, swap_off());
}

/* A guard is a guard from the moment it is there. */
TEST_F(mover, guards)
{
	char *memory = pages_map(PAGES);
	struct migrator migrator;
	size_t passed = 0;

	fill(memory, PAGES, 1);
	migrator_start(&migrator, &self->mover, memory, PAGES);
	while (migrator_goes_on(&migrator, MILLISECONDS, true)) {
		ASSERT_EQ(0, madvise(memory, PAGES / 2 * PAGE,
				     MADV_GUARD_INSTALL));
		passed += can_read(memory);
		passed += can_read(memory + (PAGES / 2 - 1) * PAGE);
		ASSERT_EQ(0, madvise(memory, PAGES / 2 * PAGE,
				     MADV_GUARD_REMOVE));
		fill(memory, PAGES / 2, 1);
	}
	EXPECT_LT(0, migrator_stop(&migrator));
	EXPECT_EQ(0, passed);
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

/* The same memory by many threads: each page goes with one of them. */
TEST_F(mover, many_movers)
{
	struct migrator migrators[4];
	char *memory = pages_map(PAGES);
	unsigned int seed = 1;
	long moved = 0, each;
	int i;

	fill(memory, PAGES, 1);
	for (i = 0; i < ARRAY_SIZE(migrators); i++)
		migrator_start(&migrators[i], &self->mover, memory, PAGES);
	while (migrator_goes_on(&migrators[0], MILLISECONDS, true))
		ASSERT_TRUE(use(memory, &seed));
	for (i = 0; i < ARRAY_SIZE(migrators); i++) {
		each = migrator_stop(&migrators[i]);
		EXPECT_LE(0, each);
		moved += each;
	}
	EXPECT_LT(0, moved);
	EXPECT_TRUE(is_used(memory, seed));
	mover_back(&self->mover, memory, PAGES);
	EXPECT_TRUE(is_used(memory, seed));
	EXPECT_EQ(PAGES, pages_at(memory, PAGES, SYSTEM));
}

TEST_HARNESS_MAIN
