// SPDX-License-Identifier: GPL-2.0
/*
 * What a process cannot do through a driver: see what is another's, write what
 * it may not write, or keep the machine from others.
 */
#include <errno.h>
#include <glob.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "fails/fails.h"
#include "test.h"

#define PAGES	64
#define MANY	(32 * TABLE)
#define SEED	(now_ns() % 1000000 * 100 + 30)	/* leaves 30 of 100 words */

FIXTURE(security)
{
	int fd;
};

FIXTURE_SETUP(security)
{
	on_cpu(0);
	self->fd = own_open();
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(0, swap_on());
	folio_order_add(4);
}

FIXTURE_TEARDOWN(security)
{
	EXPECT_EQ(0, own_in_use(self->fd));
	folio_order_reset();
	EXPECT_EQ(0, swap_off());
	close(self->fd);
}

static struct attempt attempt_of(int fd, struct asked asked)
{
	return (struct attempt) {
		.fd = fd,
		.asked = asked,
		.failure = AT_RANDOM,
		.at = SEED,
		.page = HUGE,
	};
}

static void leave_memory_behind(int fd)
{
	char *memory = pages_map(MANY);

	fill(memory, MANY, 9);
	own_to_device(fd, memory, MANY);
	_exit(pages_at(memory, MANY, PRIVATE) == MANY ? 0 : 1);
}

/* The first page that is neither its own nor zeros, or -1. */
static long foreign(const char *memory)
{
	size_t page;

	for (page = 0; page < MANY; page++)
		if (!(page % 3 ? page_is_zero(memory, page) :
				 page_is(memory, page, 1)))
			return page;
	return -1;
}

/* Holes are zeros, wherever they are filled, and whoever was there before. */
TEST_F(security, nothing_of_the_one_before)
{
	static const int tos[] = { HMM_TEST_TO_DEVICE, HMM_TEST_TO_NODE };
	struct hmm_test_move move;
	size_t page, i;
	char *memory;
	pid_t child;

	for (i = 0; i < ARRAY_SIZE(tos); i++) {
		child = fork();
		if (!child)
			leave_memory_behind(self->fd);
		ASSERT_EQ(0, end_of(child));
		ASSERT_EQ(0, own_in_use(self->fd));
		memory = pages_map(MANY);
		for (page = 0; page < MANY; page += 3)
			fill_page(memory, page, 1);
		move = own_request(memory, MANY, tos[i], HMM_TEST_FROM_SYSTEM);
		if (tos[i] == HMM_TEST_TO_NODE)
			move.flags |= HMM_TEST_TO_SYSTEM;
		move.driver.drop_percent = 10;
		ASSERT_EQ(0, own_call(self->fd, &move));
		EXPECT_LT(MANY / 2, move.result.migrated);
		EXPECT_EQ(-1, foreign(memory));
		pages_unmap(memory, MANY);
	}
}

static int pages_are_untouched(const char *memory, const __u64 *before)
{
	__u64 after[PAGES];
	size_t page;

	entries_of(memory, PAGES, after, NULL);
	for (page = 0; page < PAGES; page++)
		if (before[page] != after[page])
			return 1;
	return wrong(memory, PAGES, 2) == -1 ? 0 : 2;
}

/* The addresses in a call are the caller's, whatever others have there. */
TEST_F(security, only_its_own)
{
	char *memory = pages_map(PAGES), *other = pages_map(PAGES);
	__u64 before[PAGES];
	struct pair pair;
	pid_t child;

	fill(memory, PAGES, 1);
	pages_unmap(other, PAGES);
	pair_init(&pair);
	child = fork();
	if (!child) {
		/* Its own by writing, and where the parent has nothing. */
		fill(memory, PAGES, 2);
		if (mmap(other, PAGES * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
		    other)
			_exit(3);
		fill(other, PAGES, 2);
		entries_of(memory, PAGES, before, NULL);
		pair_child_turn(&pair);
		if (pages_are_untouched(memory, before))
			_exit(4);
		_exit(pages_at(other, PAGES, SYSTEM) == PAGES ? 0 : 5);
	}
	ASSERT_TRUE(pair_wait(&pair));
	EXPECT_EQ(PAGES, own_to_device(self->fd, memory, PAGES));
	EXPECT_EQ(-EFAULT, own_to_device(self->fd, other, PAGES));
	EXPECT_EQ(PAGES, own_to_system(self->fd, memory, PAGES));
	EXPECT_EQ(PAGES, own_to_node(self->fd, memory, PAGES, 1));
	EXPECT_EQ(-EFAULT, own_to_node(self->fd, other, PAGES, 1));
	pair_go(&pair);
	EXPECT_EQ(0, end_of(child));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

static const struct asked ways[] = {
	{ .way = AWAY, .flags = 0 },
	{ .way = AWAY, .flags = HMM_TEST_LARGE },
	{ .way = TO_NODE, .flags = 0 },
	{ .way = TO_NODE, .flags = HMM_TEST_LARGE },
	{ .way = BACK, .flags = 0 },
	{ .way = BACK, .flags = HMM_TEST_LARGE },
	{ .way = EVICTED, .flags = 0 },
	{ .way = EVICTED, .flags = HMM_TEST_LARGE },
};

/* The first page that can be written, or -1. */
static long writable(char *memory)
{
	size_t page;

	for (page = 0; page < MIXED_PAGES; page++)
		if (can_write(memory + page * PAGE))
			return page;
	return -1;
}

/* Neither what has moved can be written then, nor what was left. */
TEST_F(security, read_only)
{
	struct attempt attempt;
	const char *wrong;
	char *memory;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		attempt = attempt_of(self->fd, ways[i]);
		ASSERT_TRUE(attempt_prepare(&attempt, MIXED_PAGES));
		memory = attempt.mixed.memory;
		ASSERT_EQ(0, mprotect(memory, MIXED_PAGES * PAGE, PROT_READ));
		ASSERT_EQ(0, attempt_make(&attempt));
		ASSERT_LT(0, attempt_result(&attempt).migrated);
		ASSERT_EQ(-1, writable(memory))
			TH_LOG("way %d, seed %u", ways[i].way, attempt.at);
		ASSERT_EQ(0, mprotect(memory, MIXED_PAGES * PAGE,
				      PROT_READ | PROT_WRITE));
		wrong = attempt_end(&attempt);
		ASSERT_EQ(NULL, wrong) TH_LOG("%s", wrong);
	}
}

/* What may not even be read comes back, when the device goes, just so. */
TEST_F(security, no_access)
{
	struct attempt attempt = attempt_of(self->fd, (struct asked) {
		.way = EVICTED,
		.flags = HMM_TEST_LARGE,
	});
	size_t page, readable = 0;
	const char *wrong;
	char *memory;

	ASSERT_TRUE(attempt_prepare(&attempt, MIXED_PAGES));
	memory = attempt.mixed.memory;
	ASSERT_EQ(0, mprotect(memory, MIXED_PAGES * PAGE, PROT_NONE));
	ASSERT_EQ(0, attempt_make(&attempt));
	ASSERT_LT(0, attempt_result(&attempt).migrated);
	for (page = 0; page < MIXED_PAGES; page++)
		readable += can_read(memory + page * PAGE);
	EXPECT_EQ(0, readable) TH_LOG("seed %u", attempt.at);
	EXPECT_EQ(-1, writable(memory)) TH_LOG("seed %u", attempt.at);
	ASSERT_EQ(0, mprotect(memory, MIXED_PAGES * PAGE,
			      PROT_READ | PROT_WRITE));
	wrong = attempt_end(&attempt);
	ASSERT_EQ(NULL, wrong) TH_LOG("%s", wrong);
}

static int evict_all(int fd)
{
	struct hmm_test_stats stats = own_stats(fd);
	struct hmm_test_evict evict = {
		.first_pfn = stats.first_pfn,
		.npages = stats.npages,
		.function = HMM_TEST_DEVICE_RANGE,
		.flags = HMM_TEST_TO_SYSTEM,
	};

	return own_evict(fd, &evict);
}

/* The same of pages that follow each other, and that no child has mapped. */
TEST_F(security, no_access_to_a_run)
{
	char *memory = pages_map(PAGES);
	size_t page, readable = 0;

	fill(memory, PAGES, 1);
	ASSERT_EQ(PAGES, own_to_device(self->fd, memory, PAGES));
	ASSERT_EQ(0, mprotect(memory, PAGES * PAGE, PROT_NONE));
	ASSERT_EQ(0, evict_all(self->fd));
	ASSERT_EQ(PAGES, pages_at(memory, PAGES, SYSTEM));
	for (page = 0; page < PAGES; page++)
		readable += can_read(memory + page * PAGE);
	EXPECT_EQ(0, readable);
	ASSERT_EQ(0, mprotect(memory, PAGES * PAGE, PROT_READ));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

/* What a child has too is copied when it is written, wherever it has been. */
TEST_F(security, still_copied_on_write)
{
	struct attempt attempt;
	struct pair pair;
	pid_t child;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		attempt = attempt_of(self->fd, ways[i]);
		ASSERT_TRUE(attempt_prepare(&attempt, MIXED_PAGES));
		pair_init(&pair);
		child = fork();
		if (!child) {
			pair_child_turn(&pair);
			_exit(mixed_wrong(&attempt.mixed) == -1 ? 0 : 1);
		}
		ASSERT_TRUE(pair_wait(&pair));
		ASSERT_EQ(0, attempt_make(&attempt));
		ASSERT_LT(0, attempt_result(&attempt).migrated);
		fill(attempt.mixed.memory, MIXED_PAGES, 5);
		pair_go(&pair);
		EXPECT_EQ(0, end_of(child))
			TH_LOG("way %d, seed %u", ways[i].way, attempt.at);
		EXPECT_EQ(-1, wrong(attempt.mixed.memory, MIXED_PAGES, 5));
		ASSERT_EQ(0, mixed_unmap(&attempt.mixed));
	}
}

/* A file of so many pages that nobody has open for writing any more. */
static int read_only_file(void)
{
	char *memory = pages_map(PAGES);
	int file = open("/tmp/file", O_CREAT | O_TRUNC | O_RDWR, 0600);

	fill(memory, PAGES, 1);
	if (write(file, memory, PAGES * PAGE) != PAGES * PAGE)
		return -1;
	close(file);
	pages_unmap(memory, PAGES);
	return open("/tmp/file", O_RDONLY);
}

/* A file's page moves with what the file has, not with what a driver writes. */
TEST_F(security, files_are_not_written)
{
	static const int sharings[] = { MAP_PRIVATE, MAP_SHARED };
	char *memory, *copy = pages_map(PAGES);
	struct hmm_test_move move;
	int file, i;

	for (i = 0; i < ARRAY_SIZE(sharings); i++) {
		file = read_only_file();
		ASSERT_GE(file, 0);
		memory = mmap(NULL, PAGES * PAGE, PROT_READ, sharings[i], file,
			      0);
		ASSERT_NE(MAP_FAILED, memory);
		ASSERT_EQ(-1, wrong(memory, PAGES, 1));
		move = own_request(memory, PAGES, HMM_TEST_TO_NODE,
				   HMM_TEST_FROM_SYSTEM | HMM_TEST_TO_SYSTEM);
		move.node = 1;
		move.driver.stamp = 0x5a;
		ASSERT_EQ(0, own_call(self->fd, &move));
		ASSERT_LT(0, move.result.migrated)
			TH_LOG("%s", own_describe(&move.result));
		EXPECT_FALSE(can_write(memory));
		EXPECT_EQ(-1, wrong(memory, PAGES, 1));
		ASSERT_EQ(PAGES * PAGE, pread(file, copy, PAGES * PAGE, 0));
		EXPECT_EQ(-1, wrong(copy, PAGES, 1));
		munmap(memory, PAGES * PAGE);
		close(file);
	}
	unlink("/tmp/file");
}

struct mission {
	int fd;
	struct hmm_test_move move;
	int ret;
	bool done;
};

static void *thread_moves(void *argument)
{
	struct mission *mission = argument;

	mission->ret = own_call(mission->fd, &mission->move);
	__atomic_store_n(&mission->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static bool is_done(struct mission *mission)
{
	return __atomic_load_n(&mission->done, __ATOMIC_ACQUIRE);
}

static struct mission to_other_node(int fd, char *memory, size_t npages,
				    unsigned int delay)
{
	struct mission mission = {
		.fd = fd,
		.move = own_request(memory, npages, HMM_TEST_TO_NODE,
				    HMM_TEST_FROM_SYSTEM | HMM_TEST_TO_SYSTEM),
	};

	mission.move.node = 1;
	mission.move.driver.delay_alloc_us = delay;
	return mission;
}

static void expect_moved(struct __test_metadata *_metadata,
			 struct mission *mission, pthread_t thread)
{
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, mission->ret);
	EXPECT_EQ(mission->move.npages, mission->move.result.migrated)
		TH_LOG("%s", own_describe(&mission->move.result));
}

#define TABLES	8

static size_t pages_elsewhere(const char *memory, size_t npages)
{
	static enum place places[TABLES * TABLE];
	static __u64 entries[TABLES * TABLE];
	size_t page, count = 0;

	entries_of(memory, npages, entries, places);
	for (page = 0; page < npages; page++)
		count += places[page] == ELSEWHERE;
	return count;
}

/* Of a long range, no more than a page table's pages cannot be accessed. */
TEST_F(security, one_window_at_a_time)
{
	size_t npages = TABLES * TABLE, away, most = 0;
	char *memory = pages_map(npages);
	struct mission mission;
	pthread_t thread;

	fill(memory, npages, 1);
	mission = to_other_node(self->fd, memory, npages, 60000);
	ASSERT_EQ(0, pthread_create(&thread, NULL, thread_moves, &mission));
	while (!is_done(&mission)) {
		away = pages_elsewhere(memory, npages);
		most = away > most ? away : most;
		sleep_ms(1);
	}
	expect_moved(_metadata, &mission, thread);
	EXPECT_LT(0, most);
	/* A look takes its time: it may see the end of one and the next. */
	EXPECT_GE(2 * TABLE, most);
	EXPECT_EQ(-1, wrong(memory, npages, 1));
}

static long mem(const char *name)
{
	return file_number("/proc/meminfo", name);
}

/*
 * KASAN (in a kernel that has kmemleak, too) keeps what was freed, as long as
 * there is room: much more than was in use at any one time.
 */
static void forget_what_was_freed(void)
{
	glob_t caches;
	size_t i;

	if (access("/sys/kernel/debug/kmemleak", F_OK) ||
	    glob("/sys/kernel/slab/*/shrink", 0, NULL, &caches))
		return;
	for (i = 0; i < caches.gl_pathc; i++)
		file_write(caches.gl_pathv[i], "1");
	globfree(&caches);
}

static long kernel_memory(void)
{
	forget_what_was_freed();
	return mem("SUnreclaim") + mem("VmallocUsed");
}

#define PER_CPU_LISTS	"/proc/sys/vm/percpu_pagelist_high_fraction"
#define MEMORY_SLACK	(8 << 10)	/* kB: what processors have aside */
#define KERNEL_SLACK	512		/* kB */

/* It takes the memory of a window, not of the range, to move a range. */
TEST_F(security, memory_of_one_window)
{
	/* The test device has a word for each page. */
	long words_kb = MANY * sizeof(__u64) / 1024;
	long free, kernel, least_free, most_kernel, now;
	char *memory = pages_map(MANY);
	struct mission mission;
	pthread_t thread;

	/* Let the processors keep few pages to themselves. */
	ASSERT_EQ(0, file_write(PER_CPU_LISTS, "100000"));
	fill(memory, MANY, 1);
	mission = to_other_node(self->fd, memory, MANY, 10000);
	free = mem("MemFree");
	kernel = kernel_memory();
	least_free = free;
	most_kernel = kernel;
	ASSERT_EQ(0, pthread_create(&thread, NULL, thread_moves, &mission));
	while (!is_done(&mission)) {
		now = mem("MemFree");
		least_free = now < least_free ? now : least_free;
		now = kernel_memory();
		most_kernel = now > most_kernel ? now : most_kernel;
		sleep_ms(1);
	}
	expect_moved(_metadata, &mission, thread);
	EXPECT_EQ(0, file_write(PER_CPU_LISTS, "0"));
	EXPECT_GE(MEMORY_SLACK, free - least_free);
	EXPECT_GE(words_kb + KERNEL_SLACK, most_kernel - kernel);
	EXPECT_EQ(-1, wrong(memory, MANY, 1));
}

static void *thread_evicts(void *argument)
{
	struct mission *mission = argument;

	mission->ret = evict_all(mission->fd);
	__atomic_store_n(&mission->done, true, __ATOMIC_RELEASE);
	return NULL;
}

/* The longest time since then that nobody else could use the processor. */
static __u64 longest_wait(struct mission *mission, __u64 now)
{
	__u64 longest = 0, before;

	do {
		before = now;
		usleep(500);
		now = now_ns();
		longest = now - before > longest ? now - before : longest;
	} while (!is_done(mission));
	return longest;
}

#define TRIES	10

/* On a processor that works through a long range, others run meanwhile. */
static void expect_others_run(struct __test_metadata *_metadata, int fd,
			      void *(*work)(void *mission))
{
	bool evicts = work == thread_evicts;
	__u64 begin, longest, took;
	struct mission mission;
	pthread_t thread;
	char *memory;
	int i;

	/* One in which the host had no time does not count. */
	for (i = 0; i < TRIES; i++) {
		memory = pages_map(MANY);
		fill(memory, MANY, 1);
		if (evicts)
			ASSERT_EQ(MANY, own_to_device(fd, memory, MANY));
		mission = to_other_node(fd, memory, MANY, 0);
		begin = now_ns();
		ASSERT_EQ(0, pthread_create(&thread, NULL, work, &mission));
		longest = longest_wait(&mission, begin);
		took = now_ns() - begin;
		if (evicts) {
			ASSERT_EQ(0, pthread_join(thread, NULL));
			EXPECT_EQ(0, mission.ret);
			EXPECT_EQ(0, own_in_use(fd));
		} else {
			expect_moved(_metadata, &mission, thread);
		}
		EXPECT_EQ(-1, wrong(memory, MANY, 1));
		pages_unmap(memory, MANY);
		if (longest < took / 4)
			break;
	}
	EXPECT_GT(TRIES, i)
		TH_LOG("a call took %llu us, and nobody else ran for %llu us",
		       took / 1000, longest / 1000);
}

TEST_F(security, others_run)
{
	expect_others_run(_metadata, self->fd, thread_moves);
}

/* The same of one that empties the device. */
TEST_F(security, others_run_while_evicted)
{
	expect_others_run(_metadata, self->fd, thread_evicts);
}

TEST_HARNESS_MAIN
