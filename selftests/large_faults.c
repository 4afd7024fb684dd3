// SPDX-License-Identifier: GPL-2.0
/*
 * The CPU touches one page of a large folio that is on the device, and the
 * driver brings all of the folio, wherever it is mapped: what
 * hmm_migrate_fault_range() is for.
 */
#include <sys/ioctl.h>

#include "test.h"

#define PAGES	TABLE
#define FOLIO	16	/* pages of a smaller folio */
#define LOW	((char *)0x10000)	/* the first address of a process */

FIXTURE(folio)
{
	int fd;
	char *memory;
};

FIXTURE_VARIANT(folio)
{
	size_t pages;
};

FIXTURE_VARIANT_ADD(folio, huge)
{
	.pages = TABLE,
};

FIXTURE_VARIANT_ADD(folio, smaller)
{
	.pages = FOLIO,
};

/* A folio on the device; of smaller ones there are more. */
FIXTURE_SETUP(folio)
{
	struct hmm_test_fault all = { .window = HMM_TEST_WINDOW_FOLIO };

	on_cpu(0);
	self->fd = own_open();
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(0, ioctl(self->fd, HMM_TEST_FAULT, &all));
	if (variant->pages == FOLIO)
		folio_order_set(4);
	self->memory = pages_map(PAGES);
	ASSERT_TRUE(huge_pages_ask(self->memory, PAGES));
	fill(self->memory, PAGES, 1);
	folio_order_reset();
	ASSERT_EQ(PAGES, own_to_device(self->fd, self->memory, PAGES));
}

/* Closing the file ends what it has asked for. */
FIXTURE_TEARDOWN(folio)
{
	EXPECT_EQ(0, own_stats(self->fd).last_fault.ret);
	EXPECT_EQ(0, own_stats(self->fd).last_fault.contract);
	close(self->fd);
}

static bool moved_to(void *to, void *from, size_t npages)
{
	return mremap(from, npages * PAGE, npages * PAGE,
		      MREMAP_MAYMOVE | MREMAP_FIXED, to) == to;
}

static bool is_whole(char *first, size_t pages)
{
	return folios_of_order(first, pages, pages == TABLE ? 9 : 4) == 1;
}

TEST_F(folio, where_it_was)
{
	size_t touched = 300, first = touched / variant->pages * variant->pages;

	ASSERT_TRUE(page_is(self->memory, touched, 1));
	EXPECT_EQ(variant->pages, pages_at(self->memory, PAGES, SYSTEM));
	EXPECT_EQ(variant->pages, pages_at(self->memory + first * PAGE,
					   variant->pages, SYSTEM));
	EXPECT_TRUE(is_whole(self->memory + first * PAGE, variant->pages));
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
}

/*
 * After mremap() nothing is aligned. A huge page lies in two page tables, and
 * what is in the first comes, page by page.
 */
TEST_F(folio, elsewhere)
{
	char *other = pages_map(2 * PAGES) + 3 * PAGE;
	size_t touched = 300, first = touched / variant->pages * variant->pages;
	size_t expected = variant->pages == TABLE ? TABLE - 3 : FOLIO;

	ASSERT_TRUE(moved_to(other, self->memory, PAGES));
	ASSERT_TRUE(page_is(other, touched, 1));
	EXPECT_EQ(expected, pages_at(other, PAGES, SYSTEM));
	EXPECT_EQ(expected, pages_at(other + first * PAGE, expected, SYSTEM));
	EXPECT_EQ(variant->pages == FOLIO,
		  is_whole(other + first * PAGE, variant->pages));
	EXPECT_EQ(-1, wrong(other, PAGES, 1));
}

/* A part of it is in another area, at an address below the folio's size. */
TEST_F(folio, in_parts)
{
	size_t first = 304, npages = 8, page;
	char *as_before = (char *)((uintptr_t)LOW - first * PAGE);

	ASSERT_TRUE(moved_to(LOW, self->memory + first * PAGE, npages));
	ASSERT_TRUE(page_is(as_before, first + 2, 1));
	EXPECT_EQ(npages, pages_at(LOW, npages, SYSTEM));
	EXPECT_EQ(0, pages_at(self->memory, first, SYSTEM));
	EXPECT_EQ(0, pages_at(self->memory + (first + npages) * PAGE,
			      PAGES - first - npages, SYSTEM));
	EXPECT_EQ(-1, wrong(self->memory, first, 1));
	for (page = first; page < PAGES; page++)
		ASSERT_TRUE(page_is(page < first + npages ? as_before :
							     self->memory,
				    page, 1));
	pages_unmap(LOW, npages);
}

TEST_HARNESS_MAIN
