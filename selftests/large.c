// SPDX-License-Identifier: GPL-2.0
/*
 * Huge pages of which a part is asked for, or that somebody holds; and those
 * that mainline's engine has brought to a device.
 */
#include <linux/mman.h>

#include "mover_fixture.h"
#include "test_hmm_uapi.h"

#define PAGES	TABLE

static char *huge_pages(struct __test_metadata *_metadata, size_t tables)
{
	char *memory = huge_pages_map(tables, 1);

	ASSERT_NE(NULL, memory)
		TH_LOG("the kernel made no huge pages");
	return memory;
}

TEST_F(mover, whole)
{
	char *memory = huge_pages(_metadata, 1);

	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	EXPECT_TRUE(mover_is_away(&self->mover, memory, PAGES));
	ASSERT_EQ(PAGES, mover_back(&self->mover, memory, PAGES));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	EXPECT_EQ(PAGES, pages_at(memory, PAGES, SYSTEM));
}

/* The part that was not asked for stays. */
TEST_F(mover, part)
{
	char *memory = huge_pages(_metadata, 1);

	ASSERT_EQ(100, mover_away(&self->mover, memory + 50 * PAGE, 100));
	EXPECT_TRUE(mover_is_away(&self->mover, memory + 50 * PAGE, 100));
	EXPECT_TRUE(mover_none_away(&self->mover, memory + 49 * PAGE, 1));
	EXPECT_TRUE(mover_none_away(&self->mover, memory + 150 * PAGE, 1));
	ASSERT_EQ(100, mover_back(&self->mover, memory + 50 * PAGE, 100));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

/* From the middle of one into the middle of the next but one. */
TEST_F(mover, several)
{
	char *memory = huge_pages(_metadata, 3);

	ASSERT_EQ(2 * PAGES, mover_away(&self->mover, memory + 200 * PAGE,
					2 * PAGES));
	EXPECT_TRUE(mover_is_away(&self->mover, memory + 200 * PAGE,
				  2 * PAGES));
	EXPECT_TRUE(mover_none_away(&self->mover, memory, 1));
	EXPECT_EQ(-1, wrong(memory, 3 * PAGES, 1));
}

TEST_F(mover, shared_with_a_child)
{
	char *memory = huge_pages(_metadata, 1);
	struct pair pair;
	pid_t child;

	pair_init(&pair);
	child = fork();
	if (!child) {
		pair_child_turn(&pair);
		if (wrong(memory, PAGES, 1) != -1)
			_exit(1);
		fill(memory, PAGES, 2);
		_exit(wrong(memory, PAGES, 2) == -1 ? 0 : 2);
	}
	ASSERT_TRUE(pair_wait(&pair));
	EXPECT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	pair_go(&pair);
	EXPECT_EQ(0, end_of(child));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	fill(memory, PAGES, 3);
	EXPECT_EQ(-1, wrong(memory, PAGES, 3));
}

/* Somebody holds one of the 512 pages: none can be split off, all stay. */
TEST(held)
{
	char *memory = huge_pages(_metadata, 1);
	int fd = own_open();

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, own_hold(fd, pfn_of(memory + 7 * PAGE),
			      HMM_TEST_HOLD_REFERENCE));
	EXPECT_EQ(0, own_to_device(fd, memory, PAGES));
	EXPECT_EQ(PAGES, pages_at(memory, PAGES, SYSTEM));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	ASSERT_EQ(0, own_hold(fd, 0, HMM_TEST_RELEASE_ALL));
	EXPECT_EQ(PAGES, own_to_device(fd, memory, PAGES));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

/* The zero page there is in that size too. */
TEST_F(mover, huge_zero_page)
{
	char *memory = pages_map(PAGES);
	size_t page;

	ASSERT_EQ(0, madvise(memory, PAGES * PAGE, MADV_HUGEPAGE));
	ASSERT_TRUE(page_is_zero(memory, 5));
	ASSERT_EQ(PAGES, pages_at(memory, PAGES, SYSTEM))
		TH_LOG("the kernel mapped no huge zero page");
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	EXPECT_TRUE(mover_is_away(&self->mover, memory, PAGES));
	for (page = 0; page < PAGES; page++)
		ASSERT_TRUE(page_is_zero(memory, page));
}

FIXTURE(mainline)
{
	int fd;
	char *memory;
};

FIXTURE_SETUP(mainline)
{
	unsigned char snapshot[PAGES] = {};

	on_cpu(0);
	self->fd = mirror_open(MIRROR_PRIVATE);
	ASSERT_GE(self->fd, 0);
	self->memory = huge_pages(_metadata, 1);
	ASSERT_EQ(0, mirror_engine("mainline"));
	EXPECT_EQ(PAGES, mirror_to_device(self->fd, self->memory, PAGES));
	ASSERT_EQ(0, mirror_engine("hmm_migrate"));

	ASSERT_EQ(PAGES, mirror_command(self->fd, HMM_DMIRROR_SNAPSHOT,
					self->memory, PAGES, snapshot));
	ASSERT_EQ(HMM_DMIRROR_PROT_DEV_PRIVATE_LOCAL | HMM_DMIRROR_PROT_WRITE |
		  HMM_DMIRROR_PROT_PMD, snapshot[0])
		TH_LOG("no huge page came to the device");
}

FIXTURE_TEARDOWN(mainline)
{
	mirror_engine("hmm_migrate");
	close(self->fd);
}

TEST_F(mainline, back_by_request)
{
	ASSERT_EQ(PAGES, mirror_to_system(self->fd, self->memory, PAGES));
	EXPECT_EQ(PAGES, pages_at(self->memory, PAGES, SYSTEM));
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
}

TEST_F(mainline, part_back_by_request)
{
	ASSERT_EQ(100, mirror_to_system(self->fd, self->memory + 50 * PAGE,
					100));
	EXPECT_EQ(100, pages_at(self->memory, PAGES, SYSTEM));
	EXPECT_EQ(PAGES - 100, pages_at(self->memory, PAGES, PRIVATE));
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
}

TEST_F(mainline, back_by_fault)
{
	fill_page(self->memory, 300, 1);
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
	EXPECT_EQ(PAGES, pages_at(self->memory, PAGES, SYSTEM));
}

TEST_F(mainline, part_unmapped)
{
	pages_unmap(self->memory, 100);
	EXPECT_EQ(PAGES - 100, pages_at(self->memory + 100 * PAGE, PAGES - 100,
					PRIVATE));
	fill_page(self->memory, 300, 1);
	EXPECT_EQ(PAGES - 100, pages_at(self->memory + 100 * PAGE, PAGES - 100,
					SYSTEM))
		TH_LOG("a fault brings back all that is left of the folio");
	EXPECT_TRUE(page_is(self->memory, 511, 1));
}

TEST_F(mainline, shared_with_a_child)
{
	pid_t child = fork();

	if (!child) {
		if (wrong(self->memory, PAGES, 1) != -1)
			_exit(1);
		fill(self->memory, PAGES, 2);
		_exit(wrong(self->memory, PAGES, 2) == -1 ? 0 : 2);
	}
	fill(self->memory, PAGES, 3);
	EXPECT_EQ(0, end_of(child));
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 3));
}

/* The device is emptied whenever one of its files is closed. */
TEST_F(mainline, evicted)
{
	close(mirror_open(MIRROR_PRIVATE));
	EXPECT_EQ(PAGES, pages_at(self->memory, PAGES, SYSTEM));
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
}

TEST_HARNESS_MAIN
