// SPDX-License-Identifier: GPL-2.0
/* Memory goes away and comes back, and is what it was. */
#include "mover_fixture.h"

#define PAGES	1500	/* three windows, none of them full */

TEST_F(mover, round_trip)
{
	char *memory = pages_map(PAGES + 3) + 3 * PAGE;

	fill(memory, PAGES, 1);
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	EXPECT_TRUE(mover_is_away(&self->mover, memory, PAGES));
	ASSERT_EQ(PAGES, mover_back(&self->mover, memory, PAGES));
	EXPECT_EQ(PAGES, pages_at(memory, PAGES, SYSTEM));
	EXPECT_TRUE(mover_none_away(&self->mover, memory, 1));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

TEST_F(mover, again_and_again)
{
	char *memory = pages_map(64);
	int round;

	for (round = 0; round < 20; round++) {
		fill(memory, 64, round);
		ASSERT_EQ(64, mover_away(&self->mover, memory, 64));
		ASSERT_EQ(64, mover_back(&self->mover, memory, 64));
		ASSERT_EQ(-1, wrong(memory, 64, round));
	}
}

TEST_F(mover, one_page)
{
	char *memory = pages_map(3);

	fill(memory, 3, 1);
	ASSERT_EQ(1, mover_away(&self->mover, memory + PAGE, 1));
	EXPECT_TRUE(mover_is_away(&self->mover, memory + PAGE, 1));
	EXPECT_TRUE(mover_none_away(&self->mover, memory, 1));
	EXPECT_TRUE(mover_none_away(&self->mover, memory + 2 * PAGE, 1));
	ASSERT_EQ(1, mover_back(&self->mover, memory + PAGE, 1));
	EXPECT_EQ(-1, wrong(memory, 3, 1));
}

/* The CPU reads what is away: private memory comes back, other stays. */
TEST_F(mover, cpu_reads)
{
	char *memory = pages_map(PAGES);

	fill(memory, PAGES, 1);
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	EXPECT_EQ(self->mover.away != PRIVATE,
		  mover_is_away(&self->mover, memory, PAGES));
	EXPECT_EQ(self->mover.away == COHERENT ? 0 : PAGES,
		  pages_at(memory, PAGES, SYSTEM));
}

TEST_F(mover, cpu_writes)
{
	char *memory = pages_map(PAGES);
	size_t page;

	fill(memory, PAGES, 1);
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	for (page = 0; page < PAGES; page += 2)
		fill_page(memory, page, 2);
	mover_back(&self->mover, memory, PAGES);
	for (page = 0; page < PAGES; page++)
		ASSERT_TRUE(page_is(memory, page, page % 2 ? 1 : 2));
	EXPECT_EQ(PAGES, pages_at(memory, PAGES, SYSTEM));
}

/* Memory that nobody has touched yet is made where it is asked for. */
TEST_F(mover, holes)
{
	char *memory = pages_map(PAGES);
	size_t page;

	ASSERT_EQ(PAGES, pages_at(memory, PAGES, NOWHERE));
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	EXPECT_TRUE(mover_is_away(&self->mover, memory, PAGES));
	for (page = 0; page < PAGES; page++)
		ASSERT_TRUE(page_is_zero(memory, page));
	fill(memory, PAGES, 1);
	mover_back(&self->mover, memory, PAGES);
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

#define GIGABYTE	(1024UL * 1024 * 1024)
#define HALF	100	/* pages on each side of the boundary */

/*
 * Memory around an address at which a table of an upper level ends. Which of
 * the sides have tables already, of all levels, @sides says in its bits; every
 * other page there is written.
 */
static void across(struct __test_metadata *_metadata, struct mover *mover,
		   unsigned long boundary, unsigned int sides)
{
	char *memory = (char *)(boundary - HALF * PAGE);
	size_t page, npages = 2 * HALF;

	ASSERT_EQ(memory, mmap(memory, npages * PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS |
			       MAP_FIXED_NOREPLACE, -1, 0));
	for (page = 0; page < npages; page += 2)
		if (sides & (page < HALF ? 1 : 2))
			fill_page(memory, page, 1);
	ASSERT_EQ(npages, mover_away(mover, memory, npages));
	EXPECT_TRUE(mover_is_away(mover, memory, npages));
	ASSERT_EQ(npages, mover_back(mover, memory, npages));
	EXPECT_EQ(npages, pages_at(memory, npages, SYSTEM));
	for (page = 0; page < npages; page++)
		ASSERT_TRUE(page % 2 == 0 && sides & (page < HALF ? 1 : 2) ?
			    page_is(memory, page, 1) :
			    page_is_zero(memory, page));
	pages_unmap(memory, npages);
}

/* No page table, nor the tables above it: each boundary is a fresh one. */
TEST_F(mover, no_upper_tables)
{
	unsigned long first = 16 * 1024 * GIGABYTE;
	unsigned int sides;

	for (sides = 0; sides < 4; sides++) {
		across(_metadata, &self->mover,
		       first + (2 * sides + 1) * GIGABYTE, sides);
		/* What one entry of the top table of four levels is for. */
		across(_metadata, &self->mover,
		       first + (sides + 1) * 1024 * GIGABYTE, sides);
	}
}

/* Of a range that is nearly empty, what is at its ends comes back. */
TEST(far_apart)
{
	char *memory = (char *)(32 * 1024 * GIGABYTE - GIGABYTE / 2);
	char *end = memory + GIGABYTE - PAGE;
	int fd = own_open();

	ASSERT_GE(fd, 0);
	ASSERT_EQ(memory, mmap(memory, GIGABYTE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
			       MAP_FIXED_NOREPLACE, -1, 0));
	fill_page(memory, 0, 1);
	fill_page(end, 0, 2);
	ASSERT_EQ(1, own_to_device(fd, memory, 1));
	ASSERT_EQ(1, own_to_device(fd, end, 1));
	EXPECT_EQ(2, own_to_system(fd, memory, GIGABYTE / PAGE));
	EXPECT_EQ(SYSTEM, place_of(memory));
	EXPECT_EQ(SYSTEM, place_of(end));
	EXPECT_EQ(NOWHERE, place_of(memory + GIGABYTE / 2));
	EXPECT_TRUE(page_is(memory, 0, 1));
	EXPECT_TRUE(page_is(end, 0, 2));
	EXPECT_EQ(0, munmap(memory, GIGABYTE));
	close(fd);
}

/* Memory that was only read is the one zero page, many times. */
TEST_F(mover, zero_page)
{
	char *memory = pages_map(PAGES);
	size_t page;

	for (page = 0; page < PAGES; page++)
		ASSERT_TRUE(page_is_zero(memory, page));
	ASSERT_EQ(pfn_of(memory), pfn_of(memory + PAGE));
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	EXPECT_TRUE(mover_is_away(&self->mover, memory, PAGES));
	EXPECT_NE(pfn_of(memory), pfn_of(memory + PAGE));
	for (page = 0; page < PAGES; page += 2)
		fill_page(memory, page, 1);
	for (page = 0; page < PAGES; page++)
		ASSERT_TRUE(page % 2 ? page_is_zero(memory, page) :
				       page_is(memory, page, 1));
}

/* Holes, zero pages and written pages by turns, in one window and more. */
TEST_F(mover, mixed)
{
	char *memory = pages_map(PAGES);
	size_t page;

	for (page = 0; page < PAGES; page++) {
		if (page % 3 == 1)
			fill_page(memory, page, 1);
		else if (page % 3 == 2)
			ASSERT_TRUE(page_is_zero(memory, page));
	}
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	ASSERT_EQ(PAGES, mover_back(&self->mover, memory, PAGES));
	for (page = 0; page < PAGES; page++)
		ASSERT_TRUE(page % 3 == 1 ? page_is(memory, page, 1) :
					    page_is_zero(memory, page));
}

TEST_F(mover, read_only_memory)
{
	char *memory = pages_map(100);

	fill(memory, 100, 1);
	ASSERT_EQ(0, mprotect(memory, 100 * PAGE, PROT_READ));
	ASSERT_EQ(100, mover_away(&self->mover, memory, 100));
	ASSERT_EQ(100, mover_back(&self->mover, memory, 100));
	EXPECT_EQ(-1, wrong(memory, 100, 1));
	ASSERT_EQ(0, mprotect(memory, 100 * PAGE, PROT_READ | PROT_WRITE));
	fill(memory, 100, 2);
	EXPECT_EQ(-1, wrong(memory, 100, 2));
}

/* Protection that is taken away while the memory is away still holds. */
TEST_F(mover, protected_meanwhile)
{
	char *memory = pages_map(100);

	fill(memory, 100, 1);
	ASSERT_EQ(100, mover_away(&self->mover, memory, 100));
	ASSERT_EQ(0, mprotect(memory, 100 * PAGE, PROT_READ));
	ASSERT_EQ(100, mover_back(&self->mover, memory, 100));
	EXPECT_FALSE(can_write(memory));
	EXPECT_EQ(-1, wrong(memory, 100, 1));
}

/* What is away goes with its process, and with its mapping. */
TEST_F(mover, unmapped_meanwhile)
{
	char *memory = pages_map(100);
	long before = status_kb("RssAnon");

	fill(memory, 100, 1);
	ASSERT_EQ(100, mover_away(&self->mover, memory, 100));
	pages_unmap(memory, 100);
	EXPECT_LE(status_kb("RssAnon"), before + 64);
	if (self->mover.kind == OWN_DEVICE)
		EXPECT_EQ(0, own_in_use(self->mover.fd));
}

TEST_F(mover, moved_mapping)
{
	char *memory = pages_map(100), *elsewhere;

	fill(memory, 100, 1);
	ASSERT_EQ(100, mover_away(&self->mover, memory, 100));
	elsewhere = mremap(memory, 100 * PAGE, 200 * PAGE, MREMAP_MAYMOVE);
	ASSERT_NE(MAP_FAILED, elsewhere);
	EXPECT_TRUE(mover_is_away(&self->mover, elsewhere, 100));
	EXPECT_EQ(100, mover_back(&self->mover, elsewhere, 100));
	EXPECT_EQ(-1, wrong(elsewhere, 100, 1));
}

/* The last pages that another processor has made are still in its hands. */
TEST_F(mover, made_by_another_processor)
{
	char *memory = pages_map(PAGES);
	pid_t child;

	on_cpu(1);
	fill(memory, PAGES, 1);
	on_cpu(0);
	EXPECT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	on_cpu(1);
	EXPECT_EQ(PAGES, mover_back(&self->mover, memory, PAGES));
	on_cpu(0);
	EXPECT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	child = fork();
	if (!child)
		_exit(wrong(memory, PAGES, 1) != -1);
	EXPECT_EQ(0, end_of(child));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

/* What nobody may write is not written, though a device has made it. */
TEST_F(mover, holes_in_read_only_memory)
{
	char *memory = pages_map(100);
	size_t page;

	ASSERT_EQ(0, mprotect(memory, 100 * PAGE, PROT_READ));
	ASSERT_EQ(100, mover_away(&self->mover, memory, 100));
	EXPECT_FALSE(can_write(memory));
	mover_back(&self->mover, memory, 100);
	EXPECT_FALSE(can_write(memory));
	for (page = 0; page < 100; page++)
		ASSERT_TRUE(page_is_zero(memory, page));
	ASSERT_EQ(0, mprotect(memory, 100 * PAGE, PROT_READ | PROT_WRITE));
	fill(memory, 100, 1);
	EXPECT_EQ(-1, wrong(memory, 100, 1));
}

/* The bytes went through the driver's copy, not around it. */
TEST(driver_copies)
{
	struct hmm_test_move move;
	char *memory = pages_map(PAGES);
	int fd = own_open();
	size_t i;

	ASSERT_GE(fd, 0);
	fill(memory, PAGES, 1);
	move = own_request(memory, PAGES, HMM_TEST_TO_DEVICE, 0);
	move.driver.stamp = 0xa5;
	ASSERT_EQ(0, own_call(fd, &move));
	ASSERT_EQ(PAGES, move.result.migrated) TH_LOG("%s", own_describe(&move.result));
	for (i = 0; i < PAGES * PAGE; i++)
		memory[i] ^= 0xa5;
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

/* The words after the call say of each page what the result says of all. */
TEST(words)
{
	__u64 words[64];
	struct hmm_test_move move;
	char *memory = pages_map(64);
	int fd = own_open(), i;

	ASSERT_GE(fd, 0);
	fill(memory, 64, 1);
	move = own_request(memory, 64, HMM_TEST_TO_DEVICE, 0);
	move.function = HMM_TEST_VMA_MIGRATE;
	move.words = (uintptr_t)words;
	ASSERT_EQ(0, own_call(fd, &move));
	EXPECT_EQ(0, move.result.ret);
	for (i = 0; i < 64; i++)
		EXPECT_EQ(HMM_TEST_WORD_MIGRATE, words[i]);
	EXPECT_EQ(-1, wrong(memory, 64, 1));
}

TEST_HARNESS_MAIN
