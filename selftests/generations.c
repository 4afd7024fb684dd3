// SPDX-License-Identifier: GPL-2.0
/*
 * The multi-generational LRU, which many distributions switch on: pages come
 * off its lists, and back to them, as they do with the lists of old.
 */
#include <stdio.h>
#include <string.h>

#include "mover_fixture.h"

#define PAGES	TABLE
#define MILLISECONDS	800
#define GROUP	"generations"
#define ENABLED	"/sys/kernel/mm/lru_gen/enabled"
#define LISTS	"/sys/kernel/debug/lru_gen"
#define NO_GENERATIONS	"this kernel has no generations of a control group"

static bool generations_exist(void)
{
	return !access(ENABLED, F_OK) && groups_exist();
}

/* What is in the generations of the group; to look takes memory the first time. */
struct lists {
	unsigned long long id;	/* of the group */
	unsigned long newest;	/* of node 0 */
	unsigned int used;	/* how many of node 0 have anonymous pages */
	long pages[2];		/* anonymous ones, by node */
};

static struct lists lists(void)
{
	unsigned long long id;
	struct lists lists = {};
	char line[512], path[64];
	bool inside = false;
	unsigned long seq;
	FILE *file;
	int node;
	long anon;

	/* What waits in front of the lists comes there. */
	file_write("/proc/sys/vm/drop_caches", "1");
	file = fopen(LISTS, "r");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "memcg %llu %63s", &id, path) == 2) {
			inside = !strcmp(path, "/" GROUP);
			if (inside)
				lists.id = id;
		} else if (inside && sscanf(line, " node %d", &node) == 1) {
			node = !!node;
		} else if (inside &&
			   sscanf(line, "%lu %*u %ld", &seq, &anon) == 2) {
			lists.pages[node] += anon;
			lists.used += !node && anon;
			if (!node)
				lists.newest = seq;
		}
	}
	if (file)
		fclose(file);
	return lists;
}

static long pages_on_lists(void)
{
	struct lists now = lists();

	return now.pages[0] + now.pages[1];
}

/* As before, but for so many pages of node 0, and of another one. */
static void expect_lists(struct __test_metadata *_metadata,
			 struct lists before, long here, long elsewhere)
{
	struct lists now = lists();

	EXPECT_EQ(before.pages[0] + here, now.pages[0]);
	EXPECT_EQ(before.pages[1] + elsewhere, now.pages[1]);
}

/* The process, which enters the group, has some itself. */
static struct lists lists_of_group(struct __test_metadata *_metadata,
				   struct mover *mover)
{
	mover_try(mover);
	ASSERT_EQ(0, group_enter(GROUP));
	lists();
	return lists();
}

/* Whoever has been used since the last time is of the newest generation. */
static int begin_generation(void)
{
	struct lists now = lists();
	char command[64];

	snprintf(command, sizeof(command), "+ %llu 0 %lu", now.id, now.newest);
	return file_write(LISTS, command);
}

/* There, where device memory is on no list, and back, and then it ends. */
static void round_trip(struct __test_metadata *_metadata, struct mover *mover,
		       char *memory, struct lists before)
{
	expect_lists(_metadata, before, PAGES, 0);
	ASSERT_EQ(PAGES, mover_away(mover, memory, PAGES));
	expect_lists(_metadata, before, 0,
		     mover->away == SYSTEM ? PAGES : 0);
	ASSERT_EQ(PAGES, mover_back(mover, memory, PAGES));
	expect_lists(_metadata, before, PAGES, 0);
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	pages_unmap(memory, PAGES);
	expect_lists(_metadata, before, 0, 0);
	EXPECT_EQ(0, group_leave(GROUP));
}

TEST_F(mover, books)
{
	struct lists before;
	char *memory;

	if (!generations_exist())
		SKIP(return, NO_GENERATIONS);
	before = lists_of_group(_metadata, &self->mover);
	memory = pages_map(PAGES);
	fill(memory, PAGES, 1);
	round_trip(_metadata, &self->mover, memory, before);
}

TEST_F(mover, huge_page)
{
	struct lists before;
	char *memory;

	if (!generations_exist())
		SKIP(return, NO_GENERATIONS);
	if (!huge_pages_exist())
		SKIP(return, NO_HUGE_PAGES);
	before = lists_of_group(_metadata, &self->mover);
	memory = huge_pages_map(1, 1);
	ASSERT_NE(NULL, memory);
	round_trip(_metadata, &self->mover, memory, before);
}

/* Half of it is of one generation, half of the next. */
TEST_F(mover, old_and_new)
{
	struct lists before;
	char *memory;
	int i;

	if (!generations_exist())
		SKIP(return, NO_GENERATIONS);
	before = lists_of_group(_metadata, &self->mover);
	memory = pages_map(PAGES);
	fill(memory, PAGES / 2, 1);
	/* A page has to be left alone for two more to be an old one. */
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, begin_generation());
	fill(memory, PAGES, 1);
	ASSERT_LE(2, lists().used);
	round_trip(_metadata, &self->mover, memory, before);
}

/* What nobody may page out is of no generation. */
TEST_F(mover, locked)
{
	struct lists before;
	char *memory;

	if (!generations_exist())
		SKIP(return, NO_GENERATIONS);
	before = lists_of_group(_metadata, &self->mover);
	memory = pages_map(PAGES);
	fill(memory, PAGES, 1);
	ASSERT_EQ(0, mlock(memory, PAGES * PAGE));
	expect_lists(_metadata, before, 0, 0);
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	expect_lists(_metadata, before, 0, 0);
	ASSERT_EQ(PAGES, mover_back(&self->mover, memory, PAGES));
	expect_lists(_metadata, before, 0, 0);
	ASSERT_EQ(0, munlock(memory, PAGES * PAGE));
	expect_lists(_metadata, before, PAGES, 0);
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	EXPECT_EQ(0, group_leave(GROUP));
}

/* What has come back is found there when memory is short. */
TEST_F(mover, reclaimed)
{
	char *memory = pages_map(PAGES);

	if (!generations_exist())
		SKIP(return, NO_GENERATIONS);
	if (!swap_exists())
		SKIP(return, NO_SWAP);
	ASSERT_EQ(0, swap_on());
	ASSERT_EQ(0, group_enter(GROUP));
	fill(memory, PAGES, 1);
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	ASSERT_EQ(PAGES, mover_back(&self->mover, memory, PAGES));
	/* It may find a little less than it was asked for. */
	group_set(GROUP, "memory.reclaim", "2M");
	EXPECT_LT(PAGES / 2, pages_with(memory, PAGES, PM_SWAP));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	EXPECT_EQ(0, group_leave(GROUP));
	EXPECT_EQ(0, swap_off());
}

static int reclaim_some(void)
{
	group_set(GROUP, "memory.reclaim", "512K");
	return 0;
}

static int turn_off_and_on(void)
{
	int ret = file_write(ENABLED, "0");

	return ret ? ret : file_write(ENABLED, "7");
}

/*
 * The kernel is at the lists while the pages are moved, until it has also
 * counted some @event, unless that is NULL.
 */
static void meanwhile(struct __test_metadata *_metadata, struct mover *mover,
		      int (*use_lists)(void), const char *event)
{
	long events = event ? vm_count(event) : -1;
	char *memory = pages_map(PAGES);
	struct migrator migrator;
	unsigned int seed = 1;
	long all;

	ASSERT_EQ(0, swap_on());
	lists_of_group(_metadata, mover);
	fill(memory, PAGES, seed);
	migrator_start(&migrator, mover, memory, PAGES);
	while (migrator_goes_on(&migrator, MILLISECONDS,
				seed > 1 &&
				(!event || vm_count(event) > events))) {
		ASSERT_EQ(0, use_lists());
		ASSERT_EQ(-1, wrong(memory, PAGES, seed));
		fill(memory, PAGES, ++seed);
	}
	EXPECT_LT(0, migrator_stop(&migrator));
	mover_back(mover, memory, PAGES);
	EXPECT_EQ(-1, wrong(memory, PAGES, seed));
	EXPECT_EQ(0, swap_off());
	/* The first look may need pages of the process itself that were out. */
	lists();
	all = pages_on_lists();
	pages_unmap(memory, PAGES);
	EXPECT_EQ(all - PAGES, pages_on_lists());
	EXPECT_EQ(0, group_leave(GROUP));
}

TEST_F(mover, reclaimed_meanwhile)
{
	if (!generations_exist())
		SKIP(return, NO_GENERATIONS);
	if (!swap_exists())
		SKIP(return, NO_SWAP);
	meanwhile(_metadata, &self->mover, reclaim_some, "pswpout");
}

TEST_F(mover, aged_meanwhile)
{
	if (!generations_exist())
		SKIP(return, NO_GENERATIONS);
	meanwhile(_metadata, &self->mover, begin_generation, NULL);
}

/* All pages go from the lists of one kind to those of the other. */
TEST_F(mover, turned_meanwhile)
{
	if (!generations_exist())
		SKIP(return, NO_GENERATIONS);
	meanwhile(_metadata, &self->mover, turn_off_and_on, NULL);
}

/* Whatever becomes of the tests, the lists are then of the kind that they were. */
int main(int argc, char **argv)
{
	bool were_on = file_number(ENABLED, NULL) > 0;
	int ret;

	file_write(ENABLED, "7");
	ret = test_harness_run(argc, argv);
	file_write(ENABLED, were_on ? "7" : "0");
	return ret;
}
