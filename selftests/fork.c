// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that a process shares with its children after fork: whoever moves
 * it, and whoever writes before, meanwhile or afterwards, each sees its own.
 */
#include "mover_fixture.h"

#define PAGES	600
#define CHILDREN 4

/* Every third page is the child's, the others are as they were. */
static void child_writes(char *memory)
{
	size_t page;

	for (page = 0; page < PAGES; page += 3)
		fill_page(memory, page, 7);
}

static bool child_is_right(const char *memory)
{
	size_t page;

	for (page = 0; page < PAGES; page++)
		if (!page_is(memory, page, page % 3 ? 1 : 7))
			return false;
	return true;
}

TEST_F(mover, writes_before)
{
	char *memory = pages_map(PAGES);
	struct pair pair;
	pid_t child;

	fill(memory, PAGES, 1);
	pair_init(&pair);
	child = fork();
	if (!child) {
		child_writes(memory);
		pair_child_turn(&pair);
		_exit(!child_is_right(memory));
	}
	ASSERT_TRUE(pair_wait(&pair));
	EXPECT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	EXPECT_TRUE(mover_is_away(&self->mover, memory, PAGES));
	pair_go(&pair);
	EXPECT_EQ(0, end_of(child));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

TEST_F(mover, writes_after)
{
	char *memory = pages_map(PAGES);
	struct pair pair;
	size_t page;
	pid_t child;

	fill(memory, PAGES, 1);
	pair_init(&pair);
	child = fork();
	if (!child) {
		pair_child_turn(&pair);
		child_writes(memory);
		if (!child_is_right(memory))
			_exit(1);
		pair_child_turn(&pair);
		_exit(child_is_right(memory) ? 0 : 2);
	}
	ASSERT_TRUE(pair_wait(&pair));
	EXPECT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	pair_go(&pair);
	ASSERT_TRUE(pair_wait(&pair));
	for (page = 1; page < PAGES; page += 2)
		fill_page(memory, page, 2);
	pair_go(&pair);
	EXPECT_EQ(0, end_of(child));
	for (page = 0; page < PAGES; page++)
		ASSERT_TRUE(page_is(memory, page, page % 2 ? 2 : 1));
	mover_back(&self->mover, memory, PAGES);
	for (page = 0; page < PAGES; page++)
		ASSERT_TRUE(page_is(memory, page, page % 2 ? 2 : 1));
}

/* The child writes all the time while the parent moves back and forth. */
TEST_F(mover, writes_meanwhile)
{
	char *memory = pages_map(PAGES);
	struct pair pair;
	int round;
	pid_t child;

	fill(memory, PAGES, 1);
	pair_init(&pair);
	child = fork();
	if (!child) {
		pair_child_turn(&pair);
		for (round = 0; round < 25; round++) {
			child_writes(memory);
			if (!child_is_right(memory))
				_exit(1);
		}
		_exit(0);
	}
	ASSERT_TRUE(pair_wait(&pair));
	pair_go(&pair);
	for (round = 0; round < 5; round++) {
		mover_away(&self->mover, memory, PAGES);
		mover_back(&self->mover, memory, PAGES);
	}
	EXPECT_EQ(0, end_of(child));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

TEST_F(mover, child_moves)
{
	char *memory = pages_map(PAGES);
	struct mover mover;
	pid_t child;

	fill(memory, PAGES, 1);
	child = fork();
	if (!child) {
		if (mover_open(&mover, variant->kind))
			_exit(1);
		if (mover_away(&mover, memory, PAGES) != PAGES)
			_exit(2);
		_exit(wrong(memory, PAGES, 1) == -1 ? 0 : 3);
	}
	EXPECT_EQ(0, end_of(child));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	fill(memory, PAGES, 2);
	EXPECT_EQ(-1, wrong(memory, PAGES, 2));
}

/* Both processes get what is away by using it, at the same time. */
TEST_F(mover, forked_while_away)
{
	char *memory = pages_map(PAGES);
	size_t page;
	pid_t child;

	fill(memory, PAGES, 1);
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	child = fork();
	if (!child) {
		child_writes(memory);
		_exit(!child_is_right(memory));
	}
	for (page = 1; page < PAGES; page += 2)
		fill_page(memory, page, 2);
	EXPECT_EQ(0, end_of(child));
	for (page = 0; page < PAGES; page++)
		ASSERT_TRUE(page_is(memory, page, page % 2 ? 2 : 1));
}

TEST_F(mover, many_children)
{
	char *memory = pages_map(PAGES);
	struct pair pairs[CHILDREN];
	pid_t children[CHILDREN];
	int i;

	fill(memory, PAGES, 1);
	for (i = 0; i < CHILDREN; i++) {
		pair_init(&pairs[i]);
		children[i] = fork();
		if (!children[i]) {
			pair_child_turn(&pairs[i]);
			if (wrong(memory, PAGES, 1) != -1)
				_exit(1);
			fill(memory, PAGES, 10 + i);
			_exit(wrong(memory, PAGES, 10 + i) == -1 ? 0 : 2);
		}
		ASSERT_TRUE(pair_wait(&pairs[i]));
	}
	EXPECT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	for (i = 0; i < CHILDREN; i++)
		pair_go(&pairs[i]);
	for (i = 0; i < CHILDREN; i++)
		EXPECT_EQ(0, end_of(children[i]));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

/* The process that wrote the memory ends; its grandchild still has it. */
TEST_F(mover, only_the_grandchild_is_left)
{
	char *memory = pages_map(PAGES);
	int ends[2], status = -1;
	struct mover mover;
	pid_t child;

	ASSERT_EQ(0, pipe(ends));
	child = fork();
	if (!child) {
		fill(memory, PAGES, 1);
		if (fork())
			_exit(0);
		while (getppid() != 1)
			sleep_ms(1);
		status = 1;
		if (!mover_open(&mover, variant->kind) &&
		    mover_away(&mover, memory, PAGES) == PAGES)
			status = wrong(memory, PAGES, 1) == -1 ? 0 : 2;
		_exit(write(ends[1], &status, sizeof(status)) < 0);
	}
	close(ends[1]);
	EXPECT_EQ(0, end_of(child));
	EXPECT_EQ(sizeof(status), read(ends[0], &status, sizeof(status)));
	EXPECT_EQ(0, status);
}

TEST_HARNESS_MAIN
