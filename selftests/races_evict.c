// SPDX-License-Identifier: GPL-2.0
/*
 * The driver empties its memory by page frame numbers, which no lock of the
 * process hinders from anything: forking, unmapping, moving its mappings,
 * changing their protection, or ending.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "test.h"

#define PAGES	300
#define MILLISECONDS	1500

FIXTURE(races)
{
	int fd;
	char *memory;
	pthread_t thread;
	__u64 begin;
};

static bool stopped;
static unsigned long evicted;
static bool promise_broken;

static void *evict(void *argument)
{
	int fd = *(int *)argument;
	struct hmm_test_stats stats = own_stats(fd);

	while (!__atomic_load_n(&stopped, __ATOMIC_RELAXED)) {
		struct hmm_test_evict evict = {
			.first_pfn = stats.first_pfn,
			.npages = stats.npages,
			.function = HMM_TEST_DEVICE_RANGE,
			.flags = HMM_TEST_TO_SYSTEM,
			.driver.delay_alloc_us = 200,
		};

		if (own_evict(fd, &evict))
			promise_broken = true;
		evicted += evict.result.migrated;
	}
	return NULL;
}

static bool has_evicted(void)
{
	return __atomic_load_n(&evicted, __ATOMIC_RELAXED);
}

FIXTURE_SETUP(races)
{
	self->fd = own_open();
	ASSERT_GE(self->fd, 0);
	self->memory = pages_map(PAGES);
	fill(self->memory, PAGES, 1);
	self->begin = now_ns();
	evicted = 0;
	stopped = false;
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, evict, &self->fd));
}

FIXTURE_TEARDOWN(races)
{
	__atomic_store_n(&stopped, true, __ATOMIC_RELAXED);
	pthread_join(self->thread, NULL);
	EXPECT_FALSE(promise_broken);
	EXPECT_LT(0, evicted);
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
	pages_unmap(self->memory, PAGES);
	EXPECT_EQ(0, own_in_use(self->fd));
	close(self->fd);
}

TEST_F(races, faults)
{
	while (goes_on(self->begin, MILLISECONDS, has_evicted())) {
		own_to_device(self->fd, self->memory, PAGES);
		ASSERT_EQ(-1, wrong(self->memory, PAGES, 1));
		own_to_device(self->fd, self->memory, PAGES);
		fill(self->memory, PAGES, 1);
	}
}

TEST_F(races, unmaps)
{
	char *memory;

	while (goes_on(self->begin, MILLISECONDS, has_evicted())) {
		memory = pages_map(PAGES);
		own_to_device(self->fd, self->memory, PAGES);
		fill(memory, PAGES, 2);
		own_to_device(self->fd, memory, PAGES);
		ASSERT_EQ(0, madvise(memory, 100 * PAGE, MADV_DONTNEED));
		ASSERT_TRUE(page_is_zero(memory, 50));
		pages_unmap(memory, PAGES);
	}
}

TEST_F(races, protections)
{
	while (goes_on(self->begin, MILLISECONDS, has_evicted())) {
		own_to_device(self->fd, self->memory, PAGES);
		ASSERT_EQ(0, mprotect(self->memory, PAGES * PAGE, PROT_READ));
		ASSERT_FALSE(can_write(self->memory));
		ASSERT_EQ(-1, wrong(self->memory, PAGES, 1));
		own_to_device(self->fd, self->memory, PAGES);
		ASSERT_EQ(0, mprotect(self->memory, PAGES * PAGE,
				      PROT_READ | PROT_WRITE));
		fill(self->memory, PAGES, 1);
	}
}

TEST_F(races, moved_mappings)
{
	char *memory = pages_map(PAGES), *other = pages_map(PAGES), *swap;

	fill(memory, PAGES, 2);
	while (goes_on(self->begin, MILLISECONDS, has_evicted())) {
		own_to_device(self->fd, self->memory, PAGES);
		own_to_device(self->fd, memory, PAGES);
		ASSERT_EQ(other, mremap(memory, PAGES * PAGE, PAGES * PAGE,
					MREMAP_MAYMOVE | MREMAP_FIXED, other));
		ASSERT_EQ(-1, wrong(other, PAGES, 2));
		swap = memory;
		memory = other;
		other = swap;
	}
	pages_unmap(memory, PAGES);
}

TEST_F(races, forks)
{
	pid_t child;

	while (goes_on(self->begin, MILLISECONDS, has_evicted())) {
		own_to_device(self->fd, self->memory, PAGES);
		child = fork();
		if (!child) {
			fill(self->memory, PAGES / 2, 2);
			if (wrong(self->memory, PAGES / 2, 2) != -1)
				_exit(1);
			own_to_device(self->fd, self->memory, PAGES);
			_exit(wrong(self->memory, PAGES / 2, 2) == -1 ? 0 : 2);
		}
		ASSERT_EQ(0, end_of(child));
	}
}

/* A new program takes the place of the old one, whose memory is away. */
TEST_F(races, execs)
{
	pid_t child;

	while (goes_on(self->begin, MILLISECONDS, has_evicted())) {
		own_to_device(self->fd, self->memory, PAGES);
		child = fork();
		if (!child) {
			own_to_device(self->fd, self->memory, PAGES);
			execl("/bin/true", "true", NULL);
			_exit(1);
		}
		ASSERT_EQ(0, end_of(child));
	}
}

/* Processes are killed with their memory on the device, or on the way. */
TEST_F(races, kills)
{
	struct pair pair;
	pid_t child;

	while (goes_on(self->begin, MILLISECONDS, has_evicted())) {
		own_to_device(self->fd, self->memory, PAGES);
		pair_init(&pair);
		child = fork();
		if (!child) {
			pair_child_turn(&pair);
			for (;;) {
				own_to_device(self->fd, self->memory, PAGES);
				fill(self->memory, 10, 2);
			}
		}
		ASSERT_TRUE(pair_wait(&pair));
		pair_go(&pair);
		sleep_ms(20);
		kill(child, SIGKILL);
		ASSERT_EQ(128 + SIGKILL, end_of(child));
		close(pair.to_child[1]);
		close(pair.to_child[0]);
		close(pair.to_parent[0]);
	}
}

TEST_HARNESS_MAIN
