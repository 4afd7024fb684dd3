// SPDX-License-Identifier: GPL-2.0
/*
 * A driver takes its time in both callbacks and leaves words at random, while
 * the process goes on: it writes, reads, forks, and has threads come and go.
 */
#include <pthread.h>
#include <stdlib.h>

#include "fails/fails.h"
#include "test.h"

#define PAGES		300
#define MILLISECONDS	800
#define DELAY		2000	/* microseconds */
#define DROPS		30	/* of 100 words */

FIXTURE(busy)
{
	int fd;
	char *memory;
	unsigned int seed;
	pthread_t thread;
	__u64 begin;
};

FIXTURE_VARIANT(busy)
{
	enum way back;
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(busy, back)
{
	.back = BACK,
};

FIXTURE_VARIANT_ADD(busy, back_large)
{
	.back = BACK,
	.flags = HMM_TEST_LARGE,
};

FIXTURE_VARIANT_ADD(busy, evicted)
{
	.back = EVICTED,
};

FIXTURE_VARIANT_ADD(busy, evicted_large)
{
	.back = EVICTED,
	.flags = HMM_TEST_LARGE,
};

FIXTURE_VARIANT_ADD(busy, to_node)
{
	.back = TO_NODE,
	.flags = HMM_TEST_LARGE,
};

/* Moves the memory to and fro. */
static struct mover_thread {
	int fd;
	char *memory;
	enum way back;
	unsigned int flags;
	unsigned int seed;
	bool stopped, broken;
	int ret;		/* of the call that was broken first */
	struct hmm_test_result result;
	unsigned long moved, left;
} job;

static struct hmm_test_driver driver_of(struct mover_thread *job)
{
	return (struct hmm_test_driver) {
		.delay_alloc_us = DELAY,
		.delay_finalize_us = DELAY,
		.drop_percent = DROPS,
		.drop_seed = job->seed++,
	};
}

static void note(struct mover_thread *job, int ret,
		 const struct hmm_test_result *result)
{
	if (!job->broken && (ret || result->ret)) {
		job->broken = true;
		job->ret = ret;
		job->result = *result;
	}
	job->moved += result->migrated;
	job->left += result->left[HMM_TEST_DECLINED];
}

static void move(struct mover_thread *job, int to, int node, unsigned int flags)
{
	struct hmm_test_move move = own_request(job->memory, PAGES, to,
						job->flags | flags);
	int ret;

	move.node = node;
	move.driver = driver_of(job);
	ret = own_call(job->fd, &move);
	note(job, ret, &move.result);
}

static void evict(struct mover_thread *job)
{
	struct hmm_test_stats stats = own_stats(job->fd);
	struct hmm_test_evict evict = {
		.first_pfn = stats.first_pfn,
		.npages = stats.npages,
		.function = HMM_TEST_DEVICE_RANGE,
		.flags = HMM_TEST_TO_SYSTEM | job->flags,
		.driver = driver_of(job),
	};
	int ret = own_evict(job->fd, &evict);

	note(job, ret, &evict.result);
}

/* Some pages have moved by now, and some were left. */
static bool has_worked(void)
{
	return __atomic_load_n(&job.moved, __ATOMIC_RELAXED) &&
	       __atomic_load_n(&job.left, __ATOMIC_RELAXED);
}

static void *move_to_and_fro(void *argument)
{
	struct mover_thread *job = argument;
	int node = 0;

	while (!__atomic_load_n(&job->stopped, __ATOMIC_RELAXED)) {
		switch (job->back) {
		case BACK:
			move(job, HMM_TEST_TO_DEVICE, 0, HMM_TEST_FROM_SYSTEM);
			move(job, HMM_TEST_TO_NODE, 0,
			     HMM_TEST_FROM_DEVICE | HMM_TEST_TO_SYSTEM);
			break;
		case EVICTED:
			move(job, HMM_TEST_TO_DEVICE, 0, HMM_TEST_FROM_SYSTEM);
			evict(job);
			break;
		default:
			node = !node;
			move(job, HMM_TEST_TO_NODE, node,
			     HMM_TEST_FROM_SYSTEM | HMM_TEST_TO_SYSTEM);
			break;
		}
	}
	return NULL;
}

FIXTURE_SETUP(busy)
{
	self->fd = own_open();
	ASSERT_GE(self->fd, 0);
	fault_set(self->fd, (struct hmm_test_fault) {
		.window = 32,
		.driver.delay_alloc_us = DELAY / 4,
		.driver.delay_finalize_us = DELAY / 4,
	});
	/* Of the large folios each word that is left leaves 16 pages. */
	folio_order_add(4);
	self->memory = pages_map(PAGES);
	fill_page(self->memory, PAGES - 1, 1);
	ASSERT_TRUE(huge_pages_ask(self->memory, PAGES));
	fill(self->memory, PAGES, 1);
	job = (struct mover_thread) {
		.fd = self->fd,
		.memory = self->memory,
		.back = variant->back,
		.flags = variant->flags,
		.seed = now_ns() % 100000,
	};
	self->seed = job.seed;
	self->begin = now_ns();
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, move_to_and_fro,
				    &job));
}

FIXTURE_TEARDOWN(busy)
{
	__atomic_store_n(&job.stopped, true, __ATOMIC_RELAXED);
	pthread_join(self->thread, NULL);
	folio_order_reset();
	EXPECT_FALSE(job.broken)
		TH_LOG("seeds from %u: %d, %s", self->seed, job.ret,
		       own_describe(&job.result));
	EXPECT_LT(0, job.moved);
	EXPECT_LT(0, job.left);
	injected(job.left, "the driver, at random, of memory in use");
	EXPECT_EQ(pages_at(self->memory, PAGES, PRIVATE), own_in_use(self->fd));
	pages_unmap(self->memory, PAGES);
	EXPECT_EQ(0, own_in_use(self->fd));
	EXPECT_EQ(0, vm_awaited("nr_isolated_anon", 0));
	close(self->fd);
}

TEST_F(busy, writes_and_reads)
{
	unsigned int round = 1;

	while (goes_on(self->begin, MILLISECONDS, has_worked())) {
		ASSERT_EQ(-1, wrong(self->memory, PAGES, round))
			TH_LOG("seeds from %u", self->seed);
		fill(self->memory, PAGES, ++round);
	}
	EXPECT_EQ(-1, wrong(self->memory, PAGES, round));
}

TEST_F(busy, forks)
{
	unsigned int round = 1;
	pid_t child;

	while (goes_on(self->begin, MILLISECONDS, has_worked())) {
		child = fork();
		if (!child) {
			if (wrong(self->memory, PAGES, round) != -1)
				_exit(1);
			fill(self->memory, PAGES / 2, 77);
			_exit(wrong(self->memory, PAGES / 2, 77) == -1 ? 0 : 2);
		}
		fill(self->memory, PAGES / 3, round);
		ASSERT_EQ(0, end_of(child))
			TH_LOG("seeds from %u", self->seed);
		ASSERT_EQ(-1, wrong(self->memory, PAGES, round))
			TH_LOG("seeds from %u", self->seed);
		fill(self->memory, PAGES, ++round);
	}
}

static void *count_up(void *argument)
{
	unsigned int *numbers = argument;
	size_t page;

	for (page = 0; page < PAGES; page++)
		__atomic_add_fetch(&numbers[page * (PAGE / sizeof(*numbers))],
				   1, __ATOMIC_RELAXED);
	return NULL;
}

/* Threads that end at once: none of what each has written is lost. */
TEST_F(busy, threads_end)
{
	unsigned int *numbers = (unsigned int *)self->memory, threads = 0;
	unsigned int first[PAGES];
	pthread_t thread[3];
	size_t page, i, lost = 0;

	for (page = 0; page < PAGES; page++)
		first[page] = numbers[page * (PAGE / sizeof(*numbers))];
	while (goes_on(self->begin, MILLISECONDS, has_worked())) {
		for (i = 0; i < ARRAY_SIZE(thread); i++)
			ASSERT_EQ(0, pthread_create(&thread[i], NULL, count_up,
						    numbers));
		for (i = 0; i < ARRAY_SIZE(thread); i++)
			ASSERT_EQ(0, pthread_join(thread[i], NULL));
		threads += ARRAY_SIZE(thread);
	}
	for (page = 0; page < PAGES; page++)
		lost += numbers[page * (PAGE / sizeof(*numbers))] !=
			first[page] + threads;
	EXPECT_EQ(0, lost) TH_LOG("seeds from %u", self->seed);
}

TEST_HARNESS_MAIN
