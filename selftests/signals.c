// SPDX-License-Identifier: GPL-2.0
/*
 * A process that is killed does not have to wait for the end of a long call:
 * it ends between two windows, and what has moved until then has moved.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>

#include "test.h"

#define TABLES	8
#define PAGES	(TABLES * TABLE)
#define STACK	65536

/* What a child is to do. */
struct job {
	int fd;
	struct hmm_test_move move;
};

FIXTURE(signals)
{
	int fd;
	char *memory;
	struct job job;
};

FIXTURE_SETUP(signals)
{
	on_cpu(0);
	self->fd = own_open();
	ASSERT_GE(self->fd, 0);
	self->memory = pages_map(PAGES);
	fill(self->memory, PAGES, 1);
	self->job.fd = self->fd;
	self->job.move = own_request(self->memory, PAGES, HMM_TEST_TO_DEVICE,
				     0);
	self->job.move.driver.delay_alloc_us = 100000 * patience();
}

FIXTURE_TEARDOWN(signals)
{
	pages_unmap(self->memory, PAGES);
	EXPECT_EQ(0, own_in_use(self->fd));
	close(self->fd);
}

static int child_moves(void *argument)
{
	struct job *job = argument;

	return own_call(job->fd, &job->move) ? 1 : 0;
}

/* A process of its own, but in our memory, so that we see what it did to it. */
static pid_t start(struct job *job)
{
	static __u64 stack[STACK / sizeof(__u64)];

	return clone(child_moves, stack + STACK / sizeof(__u64),
		     CLONE_VM | CLONE_FILES | SIGCHLD, job);
}

/* Waits until the first window is done: the others take their time yet. */
static bool has_begun_to_move(const char *memory)
{
	__u64 end = now_ns() + 10000000000ULL * patience();

	while (now_ns() < end) {
		if (place_of(memory) == PRIVATE)
			return true;
		sleep_ms(1);
	}
	return false;
}

TEST_F(signals, killed)
{
	struct hmm_test_result result;
	__u64 calls = own_stats(self->fd).calls;
	size_t worked = 0;
	pid_t child;
	int i;

	child = start(&self->job);
	ASSERT_LT(0, child);
	ASSERT_TRUE(has_begun_to_move(self->memory));
	ASSERT_EQ(0, kill(child, SIGKILL));
	EXPECT_EQ(128 + SIGKILL, end_of(child));

	ASSERT_EQ(calls + 1, own_stats(self->fd).calls);
	result = own_stats(self->fd).last;
	EXPECT_EQ(-EINTR, result.ret) TH_LOG("%s", own_describe(&result));
	EXPECT_EQ(0, result.contract);
	EXPECT_LT(0, result.migrated);
	EXPECT_GT(PAGES, result.migrated);
	EXPECT_EQ(result.windows * TABLE, result.migrated);
	for (i = 0; i < HMM_TEST_NR_REASONS; i++)
		worked += result.left[i];
	EXPECT_EQ(0, worked);

	EXPECT_EQ(result.migrated, pages_at(self->memory, PAGES, PRIVATE));
	EXPECT_EQ(result.migrated, pages_at(self->memory, result.migrated,
					    PRIVATE));
	EXPECT_EQ(PAGES - result.migrated,
		  pages_at(self->memory, PAGES, SYSTEM));
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
}

static void ignore(int signal)
{
}

/* A signal that kills nobody does not end the call. */
TEST_F(signals, handled)
{
	struct hmm_test_result result;
	__u64 calls = own_stats(self->fd).calls;
	pid_t child;

	signal(SIGUSR1, ignore);
	self->job.move.driver.delay_alloc_us = 50000 * patience();
	child = start(&self->job);
	ASSERT_LT(0, child);
	ASSERT_EQ(0, own_wait_for_callback(self->fd));
	ASSERT_EQ(0, kill(child, SIGUSR1));
	EXPECT_EQ(calls, own_stats(self->fd).calls);
	EXPECT_EQ(0, end_of(child));
	result = own_stats(self->fd).last;
	EXPECT_EQ(0, result.ret);
	EXPECT_EQ(PAGES, result.migrated);
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
}

/* The process goes with all of its memory while its pages are unmapped. */
TEST_F(signals, killed_with_its_memory)
{
	struct hmm_test_result result;
	pid_t child = fork();

	if (!child)
		_exit(child_moves(&self->job));
	ASSERT_EQ(0, own_wait_for_callback(self->fd));
	ASSERT_EQ(0, kill(child, SIGKILL));
	EXPECT_EQ(128 + SIGKILL, end_of(child));
	result = own_stats(self->fd).last;
	EXPECT_EQ(-EINTR, result.ret) TH_LOG("%s", own_describe(&result));
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
}

TEST_HARNESS_MAIN
