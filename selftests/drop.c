// SPDX-License-Identifier: GPL-2.0
/*
 * The batch is dropped after each stage, with pages in it: whatever was done
 * to them is undone, and they can be moved afterwards.
 */
#include <stdlib.h>

#include "mover_fixture.h"

#define PAGES	(TABLE + 100)

/* Counters of a process may lag by a batch for each processor. */
#define RSS_SLACK	(64 * (long)PAGE / 1024)

/*
 * Once the driver knows what has migrated there is no way back: whoever drops
 * the batch maps that at its destination.
 */
static const struct {
	const char *name;
	bool moves;
} stages[] = {
	{ "collect", false }, { "isolate", false }, { "unmap", false },
	{ "copy", false }, { "finalize", true },
};

static void drop_at_each_stage(struct __test_metadata *_metadata,
			       struct mover *mover, char *memory, size_t npages,
			       bool shared)
{
	long before, huge;
	int stage;

	/* Once without, so that what the test itself needs is there. */
	mover_away(mover, memory, npages);
	mover_back(mover, memory, npages);
	before = status_kb("RssAnon");
	huge = huge_pages_kb(memory);
	for (stage = 0; stage < ARRAY_SIZE(stages); stage++) {
		ASSERT_EQ(0, drop_after(stages[stage].name));
		mover_away(mover, memory, npages);
		ASSERT_EQ(0, drop_after("none"));
		ASSERT_EQ(0, pages_at(memory, npages, ELSEWHERE))
			TH_LOG("after %s", stages[stage].name);
		ASSERT_TRUE(stages[stage].moves ?
			    mover_is_away(mover, memory, npages) :
			    mover_none_away(mover, memory, npages))
			TH_LOG("after %s", stages[stage].name);
		if (huge && !stages[stage].moves)
			ASSERT_EQ(huge, huge_pages_kb(memory))
				TH_LOG("after %s", stages[stage].name);
		ASSERT_EQ(-1, wrong(memory, npages, 1))
			TH_LOG("after %s", stages[stage].name);
		if (!shared)
			fill(memory, npages, 1);
	}
	injected(stage, "a batch, dropped after a stage");
	mover_back(mover, memory, npages);
	EXPECT_LE(labs(status_kb("RssAnon") - before), RSS_SLACK);
	EXPECT_EQ(npages, mover_away(mover, memory, npages));
	EXPECT_TRUE(mover_is_away(mover, memory, npages));
	EXPECT_EQ(-1, wrong(memory, npages, 1));
}

TEST_F(mover, exclusive)
{
	char *memory = pages_map(PAGES);

	fill(memory, PAGES, 1);
	drop_at_each_stage(_metadata, &self->mover, memory, PAGES, false);
}

/* One entry maps it, and does so again, where it moves as a whole. */
TEST_F(mover, huge_page)
{
	char *memory = huge_pages_map(1, 1);

	if (!huge_pages_exist())
		SKIP(return, NO_HUGE_PAGES);
	ASSERT_NE(NULL, memory);
	drop_at_each_stage(_metadata, &self->mover, memory, TABLE, false);
}

TEST_F(mover, shared)
{
	char *memory = pages_map(PAGES);
	struct pair pair;
	pid_t child;

	fill(memory, PAGES, 1);
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
	drop_at_each_stage(_metadata, &self->mover, memory, PAGES, true);
	pair_go(&pair);
	EXPECT_EQ(0, end_of(child));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

TEST_F(mover, holes)
{
	char *memory = pages_map(PAGES);
	int stage;

	for (stage = 0; stage < ARRAY_SIZE(stages); stage++) {
		ASSERT_EQ(0, drop_after(stages[stage].name));
		mover_away(&self->mover, memory, PAGES);
		ASSERT_EQ(0, drop_after("none"));
		ASSERT_EQ(0, pages_at(memory, PAGES, ELSEWHERE))
			TH_LOG("after %s", stages[stage].name);
		ASSERT_EQ(stages[stage].moves ? 0 : PAGES,
			  pages_at(memory, PAGES, NOWHERE))
			TH_LOG("after %s", stages[stage].name);
	}
	injected(stage, "a batch, dropped after a stage");
	pages_unmap(memory, PAGES);
}

/* On the way back, and with every page counted. */
TEST(way_back)
{
	char *memory = pages_map(PAGES);
	int fd = own_open(), stage;
	struct hmm_test_move move;

	ASSERT_GE(fd, 0);
	fill(memory, PAGES, 1);
	ASSERT_EQ(PAGES, own_to_device(fd, memory, PAGES));
	for (stage = 0; !stages[stage].moves; stage++) {
		ASSERT_EQ(0, drop_after(stages[stage].name));
		move = own_request(memory, PAGES, HMM_TEST_TO_NODE,
				   HMM_TEST_FROM_DEVICE | HMM_TEST_TO_SYSTEM);
		EXPECT_EQ(0, own_call(fd, &move))
			TH_LOG("after %s", stages[stage].name);
		ASSERT_EQ(0, drop_after("none"));
		EXPECT_EQ(0, move.result.migrated);
		ASSERT_EQ(PAGES, pages_at(memory, PAGES, PRIVATE))
			TH_LOG("after %s", stages[stage].name);
		EXPECT_EQ(PAGES, own_in_use(fd));
	}
	injected(stage, "a batch, dropped after a stage");
	EXPECT_EQ(PAGES, own_to_system(fd, memory, PAGES));
	EXPECT_EQ(0, own_in_use(fd));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

TEST_HARNESS_MAIN
