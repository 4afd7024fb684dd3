// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that is locked against paging, and memory that may be dropped: what
 * the kernel counts is exactly the same afterwards.
 */
#include <linux/mman.h>
#include <sys/syscall.h>

#include "mover_fixture.h"

#define PAGES	1024
#define KB(npages)	((npages) * (long)PAGE / 1024)

struct counts {
	long mlock;
	long unevictable;
};

static struct counts counts(void)
{
	struct counts counts = {
		.mlock = vm_settled("nr_mlock"),
		.unevictable = vm_count("nr_unevictable"),
	};

	return counts;
}

/* As before, but for so many pages. */
static void expect_counts(struct __test_metadata *_metadata,
			  struct counts before, long npages)
{
	struct counts now = counts();

	EXPECT_EQ(before.mlock + npages, now.mlock);
	EXPECT_EQ(before.unevictable + npages, now.unevictable);
}

TEST_F(mover, round_trip)
{
	struct counts before = counts();
	char *memory = pages_map(PAGES);

	fill(memory, PAGES, 1);
	ASSERT_EQ(0, mlock(memory, PAGES * PAGE));
	expect_counts(_metadata, before, PAGES);
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	EXPECT_EQ(before.mlock + PAGES, vm_settled("nr_mlock"));
	ASSERT_EQ(PAGES, mover_back(&self->mover, memory, PAGES));
	expect_counts(_metadata, before, PAGES);
	EXPECT_EQ(KB(PAGES), status_kb("VmLck"));
	EXPECT_EQ(KB(PAGES), smaps_kb(memory, "Locked"));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	ASSERT_EQ(0, munlock(memory, PAGES * PAGE));
	expect_counts(_metadata, before, 0);
	pages_unmap(memory, PAGES);
	expect_counts(_metadata, before, 0);
}

/*
 * Unlocked while it is away, the memory is never seen again by anybody but
 * the driver, which has to undo the count.
 */
TEST_F(mover, unlocked_while_away)
{
	struct counts before = counts();
	char *memory = pages_map(PAGES);

	fill(memory, PAGES, 1);
	ASSERT_EQ(0, mlock(memory, PAGES * PAGE));
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	ASSERT_EQ(0, munlock(memory, PAGES * PAGE));
	pages_unmap(memory, PAGES);
	expect_counts(_metadata, before, 0);
}

TEST_F(mover, unmapped_while_away)
{
	struct counts before = counts();
	char *memory = pages_map(PAGES);

	fill(memory, PAGES, 1);
	ASSERT_EQ(0, mlock(memory, PAGES * PAGE));
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	pages_unmap(memory, PAGES);
	expect_counts(_metadata, before, 0);
}

/* To lock memory is to bring it here, where a CPU can reach it. */
TEST_F(mover, locked_while_away)
{
	struct counts before = counts();
	char *memory = pages_map(PAGES);

	fill(memory, PAGES, 1);
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	ASSERT_EQ(0, mlock(memory, PAGES * PAGE));
	if (self->mover.away == PRIVATE)
		EXPECT_EQ(PAGES, pages_at(memory, PAGES, SYSTEM));
	/* Device memory that stays there is not counted until it comes back. */
	if (self->mover.away != COHERENT)
		expect_counts(_metadata, before, PAGES);
	mover_back(&self->mover, memory, PAGES);
	expect_counts(_metadata, before, PAGES);
	ASSERT_EQ(0, munlock(memory, PAGES * PAGE));
	expect_counts(_metadata, before, 0);
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

/* Locked as it is touched: half of it is, and the device touches the rest. */
TEST_F(mover, on_fault)
{
	struct counts before = counts();
	char *memory = pages_map(PAGES);

	ASSERT_EQ(0, syscall(SYS_mlock2, memory, PAGES * PAGE, MLOCK_ONFAULT));
	fill(memory, PAGES / 2, 1);
	expect_counts(_metadata, before, PAGES / 2);
	ASSERT_EQ(PAGES / 2, mover_away(&self->mover, memory, PAGES / 2));
	ASSERT_EQ(PAGES / 2, mover_back(&self->mover, memory, PAGES / 2));
	expect_counts(_metadata, before, PAGES / 2);
	EXPECT_EQ(KB(PAGES / 2), smaps_kb(memory, "Locked"));
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	ASSERT_EQ(PAGES, mover_back(&self->mover, memory, PAGES));
	expect_counts(_metadata, before, PAGES);
	EXPECT_EQ(KB(PAGES), smaps_kb(memory, "Locked"));
	EXPECT_EQ(-1, wrong(memory, PAGES / 2, 1));
	pages_unmap(memory, PAGES);
	expect_counts(_metadata, before, 0);
}

/* A child that locks the memory, and has it locked until it is told to end. */
static pid_t child_locks(struct pair *pair, char *memory)
{
	pid_t child;

	pair_init(pair);
	child = fork();
	if (child)
		return child;
	if (mlock(memory, PAGES * PAGE))
		_exit(1);
	pair_child_turn(pair);
	_exit(wrong(memory, PAGES, 1) == -1 ? 0 : 2);
}

/* Two processes share it, and the one that has not locked it moves it. */
TEST_F(mover, shared)
{
	struct counts before = counts();
	char *memory = pages_map(PAGES);
	struct pair pair;
	pid_t child;

	fill(memory, PAGES, 1);
	/* Who locks what it may write to gets pages of its own. */
	ASSERT_EQ(0, mprotect(memory, PAGES * PAGE, PROT_READ));
	child = child_locks(&pair, memory);
	ASSERT_TRUE(pair_wait(&pair));
	mover_away(&self->mover, memory, PAGES);
	mover_back(&self->mover, memory, PAGES);
	pair_go(&pair);
	EXPECT_EQ(0, end_of(child));
	pages_unmap(memory, PAGES);
	expect_counts(_metadata, before, 0);
}

/* Both have locked it: it stays locked until the last of them unlocks it. */
TEST_F(mover, locked_twice)
{
	struct counts before = counts();
	char *memory = pages_map(PAGES);
	struct pair pair;
	pid_t child;

	fill(memory, PAGES, 1);
	ASSERT_EQ(0, mprotect(memory, PAGES * PAGE, PROT_READ));
	child = child_locks(&pair, memory);
	ASSERT_TRUE(pair_wait(&pair));
	ASSERT_EQ(0, mlock(memory, PAGES * PAGE));
	expect_counts(_metadata, before, PAGES);
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	/* On the way back from a node it is other pages that come late. */
	if (self->mover.away != SYSTEM)
		ASSERT_EQ(PAGES, mover_back(&self->mover, memory, PAGES));
	expect_counts(_metadata, before, PAGES);
	ASSERT_EQ(0, munlock(memory, PAGES * PAGE));
	expect_counts(_metadata, before, PAGES);
	pair_go(&pair);
	EXPECT_EQ(0, end_of(child));
	expect_counts(_metadata, before, 0);
	pages_unmap(memory, PAGES);
}

/* The same of a file, which the second process locks when it has moved. */
TEST(file_locked_twice)
{
	struct counts before = counts();
	int fd = own_open();
	struct pair pair;
	char *memory;
	pid_t child;

	ASSERT_GE(fd, 0);
	on_cpu(0);
	memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, memory);
	fill(memory, PAGES, 1);
	ASSERT_EQ(0, mlock(memory, PAGES * PAGE));
	ASSERT_EQ(PAGES, own_to_node(fd, memory, PAGES, nodes_exist()));
	child = child_locks(&pair, memory);
	ASSERT_TRUE(pair_wait(&pair));
	expect_counts(_metadata, before, PAGES);
	ASSERT_EQ(0, munlock(memory, PAGES * PAGE));
	expect_counts(_metadata, before, PAGES);
	pair_go(&pair);
	EXPECT_EQ(0, end_of(child));
	expect_counts(_metadata, before, 0);
	pages_unmap(memory, PAGES);
	close(fd);
}

/*
 * Memory that the kernel may drop when it needs some, and that reads as
 * zeros then: it may still do so when the memory has been away.
 */
TEST_F(mover, droppable)
{
	char *memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
			    MAP_ANONYMOUS | MAP_DROPPABLE, -1, 0);
	size_t page, dropped = 0, zeros = 0;
	int tries;

	ASSERT_NE(MAP_FAILED, memory);
	fill(memory, PAGES, 1);
	mover_away(&self->mover, memory, PAGES);
	mover_back(&self->mover, memory, PAGES);
	ASSERT_EQ(-1, wrong(memory, PAGES, 1));
	for (tries = 0; tries < 10 && dropped < PAGES; tries++) {
		ASSERT_EQ(0, madvise(memory, PAGES * PAGE, MADV_PAGEOUT));
		dropped = pages_at(memory, PAGES, NOWHERE);
	}
	EXPECT_EQ(PAGES, dropped);
	for (page = 0; page < PAGES; page++)
		zeros += page_is_zero(memory, page);
	EXPECT_EQ(PAGES, zeros);
}

TEST_HARNESS_MAIN
