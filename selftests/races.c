// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that others use in every way they can while it is moved. Each test
 * goes on for a while; afterwards all contents are right, every process
 * has ended by itself, and no page of the device is left.
 */
#include <errno.h>

#include "mover_fixture.h"

#define PAGES	600
#define MILLISECONDS	1000

/* Reads and writes: no write may be lost, no old contents come back. */
TEST_F(mover, page_faults)
{
	char *memory = pages_map(PAGES);
	struct migrator migrator;
	unsigned int seed = 1;
	size_t page;

	fill(memory, PAGES, seed);
	migrator_start(&migrator, &self->mover, memory, PAGES);
	while (migrator_goes_on(&migrator, MILLISECONDS, true)) {
		for (page = 0; page < PAGES; page++) {
			ASSERT_TRUE(page_is(memory, page, seed));
			fill_page(memory, page, seed + 1);
		}
		seed++;
	}
	EXPECT_LT(0, migrator_stop(&migrator));
	EXPECT_EQ(-1, wrong(memory, PAGES, seed));
}

/* What is thrown away is zero afterwards, and never what it was. */
TEST_F(mover, dontneed)
{
	char *memory = pages_map(PAGES);
	struct migrator migrator;
	size_t page;

	migrator_start(&migrator, &self->mover, memory, PAGES);
	while (migrator_goes_on(&migrator, MILLISECONDS, true)) {
		for (page = 0; page < PAGES; page += 50) {
			fill_page(memory, page, 1);
			ASSERT_TRUE(page_is(memory, page, 1));
		}
		ASSERT_EQ(0, madvise(memory, PAGES * PAGE, MADV_DONTNEED));
		for (page = 0; page < PAGES; page += 50)
			ASSERT_TRUE(page_is_zero(memory, page));
	}
	EXPECT_LT(0, migrator_stop(&migrator));
	madvise(memory, PAGES * PAGE, MADV_DONTNEED);
	if (self->mover.kind == OWN_DEVICE)
		EXPECT_EQ(0, own_in_use(self->mover.fd));
}

/* Children come and go, each with its own view of the memory. */
TEST_F(mover, forks)
{
	char *memory = pages_map(PAGES);
	struct migrator migrator;
	int children = 0;
	pid_t child;

	fill(memory, PAGES, 1);
	migrator_start(&migrator, &self->mover, memory, PAGES);
	while (migrator_goes_on(&migrator, MILLISECONDS, true) || children < 3) {
		child = fork();
		if (!child) {
			if (wrong(memory, PAGES, 1) != -1)
				_exit(1);
			fill(memory, PAGES, 2);
			_exit(wrong(memory, PAGES, 2) == -1 ? 0 : 2);
		}
		ASSERT_LT(0, child);
		ASSERT_EQ(0, end_of(child));
		children++;
	}
	EXPECT_LT(0, migrator_stop(&migrator));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

/* Two that move the same memory, to different places. */
TEST_F(mover, two_movers)
{
	char *memory = pages_map(PAGES);
	struct migrator migrator;
	struct mover other;
	size_t page;

	ASSERT_EQ(0, mover_open(&other, self->mover.kind == OWN_NODES ?
					OWN_DEVICE : OWN_NODES));
	fill(memory, PAGES, 1);
	migrator_start(&migrator, &self->mover, memory, PAGES);
	while (migrator_goes_on(&migrator, MILLISECONDS, true)) {
		ASSERT_NE(-EPROTO, mover_away(&other, memory, PAGES));
		for (page = 0; page < PAGES; page += 10)
			ASSERT_TRUE(page_is(memory, page, 1));
		ASSERT_NE(-EPROTO, mover_back(&other, memory, PAGES));
	}
	EXPECT_LT(0, migrator_stop(&migrator));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	mover_close(&other);
}

TEST_HARNESS_MAIN
