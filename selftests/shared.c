// SPDX-License-Identifier: GPL-2.0
/*
 * Pages that several processes map are unmapped, and mapped again, by the page
 * table. Each of them has what it had: wherever it has them, in one piece or in
 * many, locked, or written since somebody has looked.
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/wait.h>

#include "mover_fixture.h"

#define PAGES	600	/* under two page tables, or three where they begin late */
#define LATE	(TABLE - 100)

struct sharer {
	struct pair pair;
	pid_t pid;
};

/* What a process does with the memory before it moves; NULL: it cannot. */
typedef char *(*prepare_t)(char *memory);
/* What it finds afterwards; 0: what it should. */
typedef int (*check_t)(char *memory);

/* A child that is told when the memory has moved away, and when it is back. */
static bool share(struct sharer *sharer, char *memory, prepare_t prepare,
		  check_t away, check_t back)
{
	int wrong;

	pair_init(&sharer->pair);
	sharer->pid = fork();
	if (sharer->pid)
		return sharer->pid > 0 && pair_wait(&sharer->pair);

	memory = prepare(memory);
	if (!memory)
		_exit(100);
	pair_child_turn(&sharer->pair);
	wrong = away ? away(memory) : 0;
	if (wrong)
		_exit(wrong);
	pair_child_turn(&sharer->pair);
	_exit(back(memory));
}

static bool next_turn(struct sharer *sharer)
{
	pair_go(&sharer->pair);
	return pair_wait(&sharer->pair);
}

static int has_all(char *memory)
{
	return wrong(memory, PAGES, 1) == -1 ? 0 : 1;
}

static size_t present(const char *memory, size_t npages)
{
	return pages_with(memory, npages, PM_PRESENT);
}

static char *as_it_is(char *memory)
{
	return memory;
}

static enum place away_place;

/* The child's page table alone tells: it looks at nothing. */
static int all_are_away(char *memory)
{
	if (away_place == SYSTEM)
		return present(memory, PAGES) == PAGES ? 0 : 10;
	return pages_at(memory, PAGES, away_place) == PAGES ? 0 : 10;
}

static int all_are_back(char *memory)
{
	return present(memory, PAGES) == PAGES ? has_all(memory) : 11;
}

static void take_away_and_back(struct __test_metadata *_metadata,
			       struct mover *mover, char *memory,
			       struct sharer *sharers, int nr)
{
	int i;

	EXPECT_EQ(PAGES, mover_away(mover, memory, PAGES));
	EXPECT_TRUE(mover_is_away(mover, memory, PAGES));
	for (i = 0; i < nr; i++)
		EXPECT_TRUE(next_turn(&sharers[i]));
	EXPECT_EQ(PAGES, mover_back(mover, memory, PAGES));
	EXPECT_EQ(PAGES, present(memory, PAGES));
	for (i = 0; i < nr; i++) {
		pair_go(&sharers[i].pair);
		EXPECT_EQ(0, end_of(sharers[i].pid));
	}
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

static void one_sharer(struct __test_metadata *_metadata, struct mover *mover,
		       prepare_t prepare, check_t away, check_t back)
{
	char *memory = pages_map(PAGES);
	struct sharer sharer;

	away_place = mover->away;
	fill(memory, PAGES, 1);
	ASSERT_TRUE(share(&sharer, memory, prepare, away, back));
	take_away_and_back(_metadata, mover, memory, &sharer, 1);
	pages_unmap(memory, PAGES);
}

TEST_F(mover, by_many)
{
	char *memory = pages_map(PAGES);
	struct sharer sharers[4];
	int i;

	away_place = self->mover.away;
	fill(memory, PAGES, 1);
	for (i = 0; i < 4; i++)
		ASSERT_TRUE(share(&sharers[i], memory, as_it_is, all_are_away,
				  all_are_back));
	take_away_and_back(_metadata, &self->mover, memory, sharers, 4);
	pages_unmap(memory, PAGES);
}

/* Not at the same distance from the begin of a page table. */
static char *moved(char *memory)
{
	char *to = pages_map(3 * TABLE) + LATE * PAGE;

	memory = mremap(memory, PAGES * PAGE, PAGES * PAGE,
			MREMAP_MAYMOVE | MREMAP_FIXED, to);
	return memory == to ? memory : NULL;
}

TEST_F(mover, elsewhere)
{
	one_sharer(_metadata, &self->mover, moved, all_are_away, all_are_back);
}

/* In areas of 50 pages with different rights, some of which are gone. */
static char *in_pieces(char *memory)
{
	size_t page;

	for (page = 0; page < PAGES; page += 100)
		if (mprotect(memory + page * PAGE, 50 * PAGE, PROT_READ))
			return NULL;
	if (munmap(memory + 200 * PAGE, 10 * PAGE) ||
	    munmap(memory + 345 * PAGE, 10 * PAGE))
		return NULL;
	return memory;
}

static int pieces_are_away(char *memory)
{
	size_t page = pages_at(memory, 200, away_place) +
		      pages_at(memory + 210 * PAGE, 135, away_place) +
		      pages_at(memory + 355 * PAGE, 245, away_place);

	return page == 580 ? 0 : 10;
}

static int pieces_are_right(char *memory)
{
	size_t page;

	for (page = 0; page < PAGES; page++) {
		if ((page >= 200 && page < 210) || (page >= 345 && page < 355))
			continue;
		if (!page_is(memory, page, 1))
			return 12;
	}
	return 0;
}

TEST_F(mover, in_pieces)
{
	one_sharer(_metadata, &self->mover, in_pieces, pieces_are_away,
		   pieces_are_right);
}

/* Twice: at its place, and where nobody but the sharer has it. */
static char *with_own_pages(char *memory)
{
	size_t page;

	for (page = 0; page < PAGES; page += 7)
		fill_page(memory, page, 3);
	return memory;
}

static int own_pages_are_here(char *memory)
{
	size_t page;

	for (page = 0; page < PAGES; page += 7)
		if (!(pagemap(memory + page * PAGE) & PM_PRESENT) ||
		    !page_is(memory, page, 3))
			return 13;
	return 0;
}

static int own_and_shared_are_right(char *memory)
{
	size_t page;

	for (page = 0; page < PAGES; page++)
		if (!page_is(memory, page, page % 7 ? 1 : 3))
			return 14;
	return 0;
}

TEST_F(mover, beside_own_pages)
{
	one_sharer(_metadata, &self->mover, with_own_pages, own_pages_are_here,
		   own_and_shared_are_right);
}

/* Each page table says for itself what has been written. */
static char *clean(char *memory)
{
	return file_write("/proc/self/clear_refs", "4") ? NULL : memory;
}

static int is_clean(char *memory)
{
	return pages_with(memory, PAGES, PM_SOFT_DIRTY) ? 15 : 0;
}

static int is_clean_and_right(char *memory)
{
	return is_clean(memory) ?: has_all(memory);
}

TEST_F(mover, soft_dirty_of_one)
{
	char *memory = pages_map(PAGES);
	struct sharer sharer;

	if (!soft_dirty_exists())
		SKIP(return, NO_SOFT_DIRTY);
	fill(memory, PAGES, 1);
	ASSERT_TRUE(share(&sharer, memory, clean, is_clean,
			  is_clean_and_right));
	ASSERT_EQ(PAGES, pages_with(memory, PAGES, PM_SOFT_DIRTY));
	take_away_and_back(_metadata, &self->mover, memory, &sharer, 1);
	EXPECT_EQ(PAGES, pages_with(memory, PAGES, PM_SOFT_DIRTY));
	pages_unmap(memory, PAGES);
}

static char *locked(char *memory)
{
	return mlock(memory, PAGES * PAGE) ? NULL : memory;
}

static int is_locked(char *memory)
{
	if (smaps_kb(memory, "Locked") != PAGES * PAGE / 1024)
		return 16;
	return has_all(memory);
}

TEST_F(mover, locked_by_one)
{
	long before = vm_settled("nr_mlock");

	one_sharer(_metadata, &self->mover, locked, NULL, is_locked);
	EXPECT_EQ(before, vm_settled("nr_mlock"));
}

/* Everybody writes what is away: each gets a page of its own. */
static int writes(char *memory)
{
	fill(memory, PAGES, 5);
	return wrong(memory, PAGES, 5) == -1 ? 0 : 17;
}

static int has_written(char *memory)
{
	return wrong(memory, PAGES, 5) == -1 ? 0 : 18;
}

TEST_F(mover, written_while_away)
{
	char *memory = pages_map(PAGES);
	struct sharer sharer;

	fill(memory, PAGES, 1);
	ASSERT_TRUE(share(&sharer, memory, as_it_is, writes, has_written));
	EXPECT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	EXPECT_TRUE(next_turn(&sharer));
	/* What nobody can write to where it was has come back for all. */
	EXPECT_EQ(self->mover.away == PRIVATE ? 0 : PAGES,
		  mover_back(&self->mover, memory, PAGES));
	EXPECT_EQ(PAGES, present(memory, PAGES));
	pair_go(&sharer.pair);
	EXPECT_EQ(0, end_of(sharer.pid));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	pages_unmap(memory, PAGES);
}

/* Memory that a process has from its own parent, with some that it has not. */
static struct sharer grandchild;

static char *with_a_child(char *memory)
{
	char *own = with_own_pages(memory);

	if (!share(&grandchild, own, as_it_is, NULL, own_and_shared_are_right))
		return NULL;
	return own;
}

static int grandchild_is_right(char *memory)
{
	if (!next_turn(&grandchild))
		return 19;
	pair_go(&grandchild.pair);
	return end_of(grandchild.pid) ?: own_and_shared_are_right(memory);
}

TEST_F(mover, by_a_grandchild)
{
	one_sharer(_metadata, &self->mover, with_a_child, NULL,
		   grandchild_is_right);
}

/* What one process does with its part of what it shares, and still finds there. */
struct changer {
	char *memory, *places[2];
	unsigned char seeds[PAGES];	/* of the pages; 0: zeroes */
	unsigned int random;
};

static unsigned int below(struct changer *changer, unsigned int limit)
{
	changer->random = changer->random * 1664525 + 1013904223;
	return (changer->random >> 8) % limit;
}

static bool all_is_there(const struct changer *changer)
{
	size_t page;

	for (page = 0; page < PAGES; page++)
		if (changer->seeds[page] ?
		    !page_is(changer->memory, page, changer->seeds[page]) :
		    !page_is_zero(changer->memory, page))
			return false;
	return true;
}

/* There and back, in two steps: pages are found at neither place in between. */
static bool moves(struct changer *changer)
{
	char *to = changer->places[changer->memory == changer->places[0]];

	if (mremap(changer->memory, PAGES * PAGE, PAGES * PAGE,
		   MREMAP_MAYMOVE | MREMAP_FIXED, to) != to)
		return false;
	changer->memory = to;
	return true;
}

static bool forks(struct changer *changer)
{
	pid_t child = fork();

	if (!child)
		_exit(!all_is_there(changer));
	return end_of(child) == 0;
}

static bool changes(struct changer *changer)
{
	size_t page = below(changer, PAGES - 3);
	char *at = changer->memory + page * PAGE;

	switch (below(changer, 6)) {
	case 0:
		return moves(changer);
	case 1:
		return !mprotect(at, 3 * PAGE, PROT_READ) &&
		       !mprotect(at, 3 * PAGE, PROT_READ | PROT_WRITE);
	case 2:
		return forks(changer);
	case 3:
		memset(changer->seeds + page, 0, 3);
		return !madvise(at, 3 * PAGE, MADV_DONTNEED);
	case 4:
		changer->seeds[page] = 7;
		fill_page(changer->memory, page, 7);
		return true;
	default:
		return all_is_there(changer);
	}
}

static int changes_all_the_time(char *memory, unsigned int seed)
{
	struct changer changer = {
		.memory = memory,
		.places = { memory, pages_map(3 * TABLE) + LATE * PAGE },
		.random = seed,
	};
	__u64 end = now_ns() + 1500000000ULL * patience();

	memset(changer.seeds, 1, PAGES);
	while (now_ns() < end)
		if (!changes(&changer))
			return 20;
	return all_is_there(&changer) ? 0 : 21;
}

TEST_F(mover, changed_meanwhile)
{
	char *memory = pages_map(PAGES);
	pid_t children[3];
	int i, ended = 0;

	fill(memory, PAGES, 1);
	for (i = 0; i < 3; i++) {
		children[i] = fork();
		if (!children[i])
			_exit(changes_all_the_time(memory, i + 1));
		ASSERT_LT(0, children[i]);
	}
	while (ended < 3) {
		int status;
		pid_t child;

		mover_away(&self->mover, memory, PAGES);
		mover_back(&self->mover, memory, PAGES);
		ASSERT_EQ(-1, wrong(memory, PAGES, 1));
		while ((child = waitpid(-1, &status, WNOHANG)) > 0) {
			EXPECT_EQ(0, status);
			ended++;
		}
	}
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	pages_unmap(memory, PAGES);
}

/* What somebody else holds stays mapped everywhere; the rest goes. */
TEST(held)
{
	char *memory = pages_map(PAGES);
	int fd = own_open();
	struct sharer sharer;
	size_t page;

	ASSERT_GE(fd, 0);
	fill(memory, PAGES, 1);
	ASSERT_TRUE(share(&sharer, memory, as_it_is, NULL, has_all));
	for (page = 0; page < PAGES; page += 10)
		ASSERT_EQ(0, own_hold(fd, pfn_of(memory + page * PAGE),
				      HMM_TEST_HOLD_REFERENCE));
	EXPECT_EQ(PAGES - PAGES / 10, own_to_device(fd, memory, PAGES));
	EXPECT_EQ(PAGES / 10, present(memory, PAGES));
	EXPECT_TRUE(next_turn(&sharer));
	ASSERT_EQ(0, own_hold(fd, 0, HMM_TEST_RELEASE_ALL));
	pair_go(&sharer.pair);
	EXPECT_EQ(0, end_of(sharer.pid));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	pages_unmap(memory, PAGES);
	EXPECT_EQ(0, own_in_use(fd));
	close(fd);
}

/*
 * The point of it all: the locks that are taken, and the flushes, are of page
 * tables and not of pages.
 */
TEST(few_locks)
{
	char *memory = pages_map(PAGES);
	struct sharer sharers[4];
	int i, fd = own_open();

	ASSERT_GE(fd, 0);
	fill(memory, PAGES, 1);
	for (i = 0; i < 4; i++)
		ASSERT_TRUE(share(&sharers[i], memory, as_it_is, NULL,
				  has_all));
	ASSERT_EQ(0, stats_on());
	EXPECT_EQ(PAGES, own_to_device(fd, memory, PAGES));
	/*
	 * Three or four groups of 256 pages or less, in four page tables on the
	 * way out, in five on the way back.
	 */
	EXPECT_LT(25, stats("page_table_locks"));
	EXPECT_GT(60, stats("page_table_locks"));
	EXPECT_GT(30, stats("tlb_flushes"));
	stats_off();
	for (i = 0; i < 4; i++) {
		EXPECT_TRUE(next_turn(&sharers[i]));
		pair_go(&sharers[i].pair);
		EXPECT_EQ(0, end_of(sharers[i].pid));
	}
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	pages_unmap(memory, PAGES);
	close(fd);
}

TEST_HARNESS_MAIN
