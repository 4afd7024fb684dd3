// SPDX-License-Identifier: GPL-2.0
/*
 * A driver moves the memory of a process that is not the caller: what a device
 * that serves several processes does, or one that makes room.
 */
#include <pthread.h>
#include <signal.h>

#include "test.h"

#define PAGES	600

FIXTURE(other)
{
	int fd;
	char *memory;
	struct pair pair;
	pid_t child;
};

static bool is_there(const char *memory, enum place place, unsigned int seed)
{
	return pages_at(memory, PAGES, place) == PAGES &&
	       wrong(memory, PAGES, seed) == -1;
}

/* What is in its own memory, at the same addresses as the parent's. */
static void be_moved(char *memory, struct pair *pair)
{
	fill(memory, PAGES, 2);
	pair_child_turn(pair);
	if (pages_at(memory, PAGES, PRIVATE) != PAGES)
		_exit(1);
	pair_child_turn(pair);
	_exit(is_there(memory, SYSTEM, 2) ? 0 : 2);
}

FIXTURE_SETUP(other)
{
	self->fd = own_open();
	ASSERT_GE(self->fd, 0);
	self->memory = pages_map(PAGES);
	fill(self->memory, PAGES, 1);
	pair_init(&self->pair);
	self->child = fork();
	if (!self->child)
		be_moved(self->memory, &self->pair);
	ASSERT_TRUE(pair_wait(&self->pair));
}

/* Whatever became of the child, this process's memory is as it was. */
FIXTURE_TEARDOWN(other)
{
	EXPECT_TRUE(is_there(self->memory, SYSTEM, 1));
	EXPECT_EQ(0, own_in_use(self->fd));
	close(self->fd);
}

static struct hmm_test_move request(char *memory, int to, unsigned int flags,
				    pid_t pid)
{
	struct hmm_test_move move = own_request(memory, PAGES, to, flags);

	move.pid = pid;
	return move;
}

TEST_F(other, there_and_back)
{
	struct hmm_test_move move;

	move = request(self->memory, HMM_TEST_TO_DEVICE, 0, self->child);
	ASSERT_EQ(0, own_call(self->fd, &move));
	EXPECT_EQ(PAGES, move.result.migrated);
	EXPECT_EQ(PAGES, own_in_use(self->fd));
	pair_go(&self->pair);
	ASSERT_TRUE(pair_wait(&self->pair)) TH_LOG("the child is not away");

	move = request(self->memory, HMM_TEST_TO_NODE,
		       HMM_TEST_FROM_DEVICE | HMM_TEST_TO_SYSTEM, self->child);
	ASSERT_EQ(0, own_call(self->fd, &move));
	EXPECT_EQ(PAGES, move.result.migrated);
	pair_go(&self->pair);
	EXPECT_EQ(0, end_of(self->child));
}

struct mission {
	int fd;
	struct hmm_test_move move;
	int error;
};

static void *carry_out(void *argument)
{
	struct mission *mission = argument;

	mission->error = own_call(mission->fd, &mission->move);
	return NULL;
}

/* Killed while the driver has its pages: the call ends, and so does all else. */
TEST_F(other, is_killed)
{
	struct mission mission = {
		self->fd, request(self->memory, HMM_TEST_TO_DEVICE, 0,
				  self->child),
	};
	pthread_t thread;

	mission.move.driver.delay_alloc_us = 200000;
	ASSERT_EQ(0, pthread_create(&thread, NULL, carry_out, &mission));
	ASSERT_EQ(0, own_wait_for_callback(self->fd));
	ASSERT_EQ(0, kill(self->child, SIGKILL));
	EXPECT_EQ(128 + SIGKILL, end_of(self->child));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, mission.error);
	EXPECT_LT(0, mission.move.result.migrated);
}

/* The process has gone, though somebody still has to be told. */
TEST_F(other, has_ended)
{
	struct hmm_test_move move;
	siginfo_t info;

	move = request(self->memory, HMM_TEST_TO_DEVICE, 0, self->child);
	ASSERT_EQ(0, kill(self->child, SIGKILL));
	ASSERT_EQ(0, waitid(P_PID, self->child, &info, WEXITED | WNOWAIT));
	EXPECT_EQ(-ESRCH, own_call(self->fd, &move));
	EXPECT_EQ(128 + SIGKILL, end_of(self->child));
	EXPECT_EQ(-ESRCH, own_call(self->fd, &move));
}

/* A thread of the kernel has no memory that could move. */
TEST_F(other, is_of_the_kernel)
{
	struct hmm_test_move move;

	move = request(self->memory, HMM_TEST_TO_DEVICE, 0, 2);
	EXPECT_EQ(-ESRCH, own_call(self->fd, &move));
	kill(self->child, SIGKILL);
	EXPECT_EQ(128 + SIGKILL, end_of(self->child));
}

TEST_HARNESS_MAIN
