// SPDX-License-Identifier: GPL-2.0
/*
 * Pages of equal contents that the kernel has made one, and pages of zeros
 * that it has made the zero page: both stay where they are, and its thread
 * goes on scanning whatever is on a device.
 */
#include <limits.h>

#include "mover_fixture.h"

#define PAGES	64
#define MILLISECONDS	1500

/* Waits until a number is in a range; ten seconds at most. */
static bool comes_between(long (*number)(const char *name), const char *name,
			  long least, long most)
{
	int tries;

	for (tries = 0; tries < 500 * patience(); tries++) {
		long is = number(name);

		if (is >= least && is <= most)
			return true;
		sleep_ms(20);
	}
	return false;
}

static bool comes_to(long (*number)(const char *name), const char *name,
		     long wanted)
{
	return comes_between(number, name, wanted, LONG_MAX);
}

static long own_number(const char *name)
{
	return file_number(name, NULL);
}

#define MERGED	"/proc/self/ksm_merging_pages"

/* The kernel's thread is alive: it comes round twice. */
static bool scans_on(void)
{
	return comes_to(ksm, "full_scans", ksm("full_scans") + 2);
}

/* All of the range stays as a kind that is not moved. */
static void expect_left(struct __test_metadata *_metadata, void *memory,
			size_t npages)
{
	struct hmm_test_move move = own_request(memory, npages,
						HMM_TEST_TO_DEVICE,
						HMM_TEST_FROM_SYSTEM);
	int fd = own_open();

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, own_call(fd, &move));
	EXPECT_EQ(npages, move.result.left[HMM_TEST_KIND])
		TH_LOG("%s", own_describe(&move.result));
	close(fd);
}

/*
 * Merged pages are asked for in vain; then a third range of the same contents
 * comes, for which the kernel looks into those pages.
 */
TEST(merged)
{
	char *memory = pages_map(3 * PAGES), *third = memory + 2 * PAGES * PAGE;
	int fd = own_open();

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, ksm_fast());
	fill(memory, PAGES, 1);
	fill(memory + PAGES * PAGE, PAGES, 1);
	ASSERT_EQ(0, madvise(memory, 3 * PAGES * PAGE, MADV_MERGEABLE));
	ASSERT_EQ(0, ksm_set("run", "1"));
	ASSERT_TRUE(comes_to(own_number, MERGED, 2 * PAGES))
		TH_LOG("the pages are not merged");
	ASSERT_EQ(pfn_of(memory), pfn_of(memory + PAGES * PAGE));
	expect_left(_metadata, memory, 2 * PAGES);
	EXPECT_EQ(pfn_of(memory), pfn_of(memory + PAGES * PAGE));

	fill(third, PAGES, 1);
	EXPECT_TRUE(comes_to(own_number, MERGED, 3 * PAGES));
	EXPECT_EQ(pfn_of(memory), pfn_of(third));
	EXPECT_TRUE(scans_on());

	/* What is no longer merged can be moved. */
	ASSERT_EQ(0, madvise(memory, 3 * PAGES * PAGE, MADV_UNMERGEABLE));
	/* Broken up at once; the thread counts them when it comes round. */
	EXPECT_TRUE(comes_between(own_number, MERGED, 0, 0));
	EXPECT_EQ(3 * PAGES, own_to_device(fd, memory, 3 * PAGES));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	EXPECT_EQ(-1, wrong(memory + PAGES * PAGE, PAGES, 1));
	EXPECT_EQ(-1, wrong(third, PAGES, 1));
	ksm_stop();
}

/* The other way round: the scan comes upon what is away. */
TEST_F(mover, scanned_while_away)
{
	char *memory = pages_map(2 * PAGES);

	ASSERT_EQ(0, ksm_fast());
	fill(memory, PAGES, 1);
	fill(memory + PAGES * PAGE, PAGES, 1);
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	ASSERT_EQ(0, madvise(memory, 2 * PAGES * PAGE, MADV_MERGEABLE));
	ASSERT_EQ(0, ksm_set("run", "1"));
	EXPECT_TRUE(scans_on());
	/* Device memory, whatever the CPU can reach, is not merged. */
	if (self->mover.kind != OWN_NODES)
		EXPECT_TRUE(mover_is_away(&self->mover, memory, PAGES));
	ASSERT_EQ(0, madvise(memory, 2 * PAGES * PAGE, MADV_UNMERGEABLE));
	mover_back(&self->mover, memory, PAGES);
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	EXPECT_EQ(-1, wrong(memory + PAGES * PAGE, PAGES, 1));
	ksm_stop();
}

/* The zero pages that the kernel counts are counted until they are gone. */
TEST(zero_pages)
{
	char *memory = pages_map(PAGES);
	long before = ksm("ksm_zero_pages");
	int page;

	ASSERT_EQ(0, ksm_fast());
	ASSERT_EQ(0, ksm_set("use_zero_pages", "1"));
	ASSERT_EQ(0, madvise(memory, PAGES * PAGE, MADV_MERGEABLE));
	for (page = 0; page < PAGES; page++)
		__atomic_store_n(memory + page * PAGE, 0, __ATOMIC_RELAXED);
	ASSERT_EQ(0, ksm_set("run", "1"));
	ASSERT_TRUE(comes_to(ksm, "ksm_zero_pages", before + PAGES))
		TH_LOG("the pages are not merged");
	ASSERT_EQ(0, ksm_set("run", "0"));
	ASSERT_EQ(pfn_of(memory), pfn_of(memory + PAGE));

	expect_left(_metadata, memory, PAGES);
	EXPECT_EQ(before + PAGES, ksm("ksm_zero_pages"));
	fill(memory, PAGES / 2, 1);
	EXPECT_EQ(before + PAGES / 2, ksm("ksm_zero_pages"));
	pages_unmap(memory, PAGES);
	EXPECT_EQ(before, ksm("ksm_zero_pages"));
	ksm_stop();
}

/* Everything at once: pages are merged, written and moved. */
TEST_F(mover, merged_meanwhile)
{
	char *memory = pages_map(2 * PAGES);
	struct migrator migrator;
	unsigned int seed = 1;

	ASSERT_EQ(0, ksm_fast());
	fill(memory, PAGES, seed);
	fill(memory + PAGES * PAGE, PAGES, seed);
	ASSERT_EQ(0, madvise(memory, 2 * PAGES * PAGE, MADV_MERGEABLE));
	ASSERT_EQ(0, ksm_set("run", "1"));
	migrator_start(&migrator, &self->mover, memory, 2 * PAGES);
	while (migrator_goes_on(&migrator, MILLISECONDS, true)) {
		sleep_ms(20);
		ASSERT_EQ(-1, wrong(memory, PAGES, seed));
		ASSERT_EQ(-1, wrong(memory + PAGES * PAGE, PAGES, seed));
		seed++;
		fill(memory, PAGES, seed);
		fill(memory + PAGES * PAGE, PAGES, seed);
	}
	EXPECT_LT(0, migrator_stop(&migrator));
	EXPECT_TRUE(scans_on());
	EXPECT_EQ(-1, wrong(memory, PAGES, seed));
	EXPECT_EQ(-1, wrong(memory + PAGES * PAGE, PAGES, seed));
	ksm_stop();
}

TEST_HARNESS_MAIN
