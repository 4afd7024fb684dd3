// SPDX-License-Identifier: GPL-2.0
/* A driver may leave what it likes, and may run out of memory. */
#include <errno.h>

#include "test.h"

#define PAGES	1000

FIXTURE(declines)
{
	int fd;
	char *memory;
};

FIXTURE_SETUP(declines)
{
	on_cpu(0);
	self->fd = own_open();
	ASSERT_GE(self->fd, 0);
	self->memory = pages_map(PAGES);
	fill(self->memory, PAGES, 1);
}

FIXTURE_TEARDOWN(declines)
{
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
	EXPECT_EQ(0, own_in_use(self->fd));
	close(self->fd);
}

static void expect_declined(struct __test_metadata *_metadata, int fd,
			    char *memory, struct hmm_test_move *move)
{
	ASSERT_EQ(0, own_call(fd, move));
	EXPECT_EQ(0, move->result.ret);
	EXPECT_LT(0, move->result.declined);
	EXPECT_EQ(move->result.declined, move->result.left[HMM_TEST_DECLINED])
		TH_LOG("%s", own_describe(&move->result));
	EXPECT_EQ(PAGES - move->result.declined, move->result.migrated);
	EXPECT_EQ(move->result.migrated, pages_at(memory, PAGES, PRIVATE));
	EXPECT_EQ(move->result.migrated, own_in_use(fd));
}

TEST_F(declines, every_third)
{
	static const int errors[] = { 0, ENOMEM, EBUSY, EIO, EHWPOISON, 4095 };
	struct hmm_test_move move;
	int i;

	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		move = own_request(self->memory, PAGES, HMM_TEST_TO_DEVICE, 0);
		move.driver.decline_every = 3;
		move.driver.decline_errno = errors[i];
		move.owner = HMM_TEST_OWNER_DEVICE;
		move.flags = HMM_TEST_FROM_SYSTEM;
		expect_declined(_metadata, self->fd, self->memory, &move);
		EXPECT_EQ(PAGES / 3, move.result.declined);
		EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
	}
}

TEST_F(declines, all)
{
	struct hmm_test_move move = own_request(self->memory, PAGES,
						HMM_TEST_TO_DEVICE, 0);

	move.driver.decline_every = 1;
	expect_declined(_metadata, self->fd, self->memory, &move);
	EXPECT_EQ(0, move.result.migrated);
	EXPECT_EQ(2, move.result.windows);
}

TEST_F(declines, at_random)
{
	struct hmm_test_move move;
	int seed;

	for (seed = 1; seed <= 5; seed++) {
		move = own_request(self->memory, PAGES, HMM_TEST_TO_DEVICE,
				   HMM_TEST_FROM_SYSTEM);
		move.driver.drop_percent = 20 * seed - 10;
		move.driver.drop_seed = seed;
		expect_declined(_metadata, self->fd, self->memory, &move);
		EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
	}
}

/* The memory ends in mid-window, and in a later window. */
TEST_F(declines, no_memory_left)
{
	static const int limits[] = { 1, 5, 511, 512, 513, 999 };
	struct hmm_test_move move;
	int i;

	for (i = 0; i < ARRAY_SIZE(limits); i++) {
		move = own_request(self->memory, PAGES, HMM_TEST_TO_DEVICE,
				   HMM_TEST_FROM_SYSTEM);
		move.driver.memory_pages = limits[i];
		expect_declined(_metadata, self->fd, self->memory, &move);
		EXPECT_EQ(limits[i], move.result.migrated);
		EXPECT_EQ(limits[i], pages_at(self->memory, limits[i],
					      PRIVATE));
		EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
	}
}

TEST_F(declines, holes)
{
	char *memory = pages_map(PAGES);
	struct hmm_test_move move;
	size_t page;

	move = own_request(memory, PAGES, HMM_TEST_TO_DEVICE, 0);
	move.driver.decline_every = 2;
	expect_declined(_metadata, self->fd, memory, &move);
	EXPECT_EQ(PAGES / 2, pages_at(memory, PAGES, NOWHERE));
	for (page = 0; page < PAGES; page++)
		ASSERT_TRUE(page_is_zero(memory, page));
	pages_unmap(memory, PAGES);
}

/* On the way back, what is declined stays on the device. */
TEST_F(declines, way_back)
{
	struct hmm_test_move move;

	ASSERT_EQ(PAGES, own_to_device(self->fd, self->memory, PAGES));
	move = own_request(self->memory, PAGES, HMM_TEST_TO_NODE,
			   HMM_TEST_FROM_DEVICE | HMM_TEST_TO_SYSTEM);
	move.driver.drop_percent = 30;
	ASSERT_EQ(0, own_call(self->fd, &move));
	EXPECT_LT(0, move.result.declined);
	EXPECT_EQ(move.result.declined,
		  pages_at(self->memory, PAGES, PRIVATE));
	EXPECT_EQ(move.result.declined, own_in_use(self->fd));
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
}

/* Shared with a child: what is declined is still shared. */
TEST_F(declines, shared)
{
	struct hmm_test_move move;
	struct pair pair;
	pid_t child;

	pair_init(&pair);
	child = fork();
	if (!child) {
		pair_child_turn(&pair);
		_exit(wrong(self->memory, PAGES, 1) == -1 ? 0 : 1);
	}
	ASSERT_TRUE(pair_wait(&pair));
	move = own_request(self->memory, PAGES, HMM_TEST_TO_DEVICE, 0);
	move.driver.drop_percent = 50;
	expect_declined(_metadata, self->fd, self->memory, &move);
	pair_go(&pair);
	EXPECT_EQ(0, end_of(child));
	fill(self->memory, PAGES, 2);
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 2));
	fill(self->memory, PAGES, 1);
}

#define FULL	((256UL << 20) / PAGE)	/* pages of test_hmm's coherent device */

/* It has no more than that: holes are filled until it is full. */
TEST(full_device)
{
	char *memory = pages_map(FULL + PAGES);
	int mirror = mirror_open(MIRROR_COHERENT);

	ASSERT_GE(mirror, 0);
	/* It reads what it has moved, and finds that some is not there. */
	EXPECT_EQ(-ENOENT, mirror_to_device(mirror, memory, FULL + PAGES));
	EXPECT_EQ(FULL, pages_at(memory, FULL + PAGES, COHERENT));
	EXPECT_TRUE(page_is_zero(memory, 0));
	EXPECT_TRUE(page_is_zero(memory, FULL + PAGES - 1));
	EXPECT_EQ(FULL, mirror_to_system(mirror, memory, FULL));
	EXPECT_EQ(0, pages_at(memory, FULL + PAGES, COHERENT));
	close(mirror);
}

TEST_HARNESS_MAIN
