// SPDX-License-Identifier: GPL-2.0
/*
 * What is left when all is over: nothing. The last program, so that it also
 * looks at what the others have left behind.
 */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

#define PAGES	2048

/* KASAN keeps what is freed for a while, until the slabs are shrunk. */
static void shrink_slabs(void)
{
	DIR *slabs = opendir("/sys/kernel/slab");
	struct dirent *slab;
	char path[320];

	while (slabs && (slab = readdir(slabs))) {
		snprintf(path, sizeof(path), "/sys/kernel/slab/%s/shrink",
			 slab->d_name);
		file_write(path, "1");
	}
	if (slabs)
		closedir(slabs);
}

/* Waits until the kernel has freed what it keeps for later: the free memory. */
static long settle(void)
{
	long now = 0, before;
	int tries = 20;

	do {
		before = now;
		file_write("/proc/sys/vm/drop_caches", "3");
		shrink_slabs();
		file_write("/proc/sys/vm/compact_memory", "1");
		sleep_ms(200);
		now = file_number("/proc/meminfo", "MemFree");
	} while (tries-- && now > before + 1024);
	return now;
}

TEST(isolated_pages)
{
	settle();
	EXPECT_EQ(0, vm_awaited("nr_isolated_anon", 0));
	EXPECT_EQ(0, vm_awaited("nr_isolated_file", 0));
}

TEST(locked_and_pinned_pages)
{
	EXPECT_EQ(0, vm_count("nr_mlock"));
	EXPECT_EQ(vm_count("nr_foll_pin_acquired"),
		  vm_count("nr_foll_pin_released"));
}

TEST(device_pages)
{
	int fd = own_open();

	ASSERT_GE(fd, 0);
	EXPECT_EQ(0, own_in_use(fd));
	EXPECT_EQ(0, own_stats(fd).in_callback);
	close(fd);
}

/* Of the test device, if it was that one. */
static const char *last_call(void)
{
	struct hmm_test_stats stats = own_stats(own_open());

	return own_describe(&stats.last);
}

/* All the ways to move, in a process that ends with half of it away. */
static void round_of_everything(struct __test_metadata *_metadata)
{
	struct mover mover;
	char *memory;
	pid_t child;
	long moved;
	int kind;

	child = fork();
	if (!child) {
		memory = pages_map(PAGES);
		fill(memory, PAGES, 1);
		for (kind = 0; kind < NR_MOVERS; kind++) {
			if (mover_open(&mover, kind))
				_exit(1);
			moved = mover_away(&mover, memory, PAGES);
			if (moved != PAGES) {
				ksft_print_msg("mover %d: %ld moved, last call: %s\n",
					       kind, moved, last_call());
				_exit(2);
			}
			if (fork() == 0)
				_exit(wrong(memory, PAGES, 1) != -1);
			mover_back(&mover, memory, PAGES / 2);
			mover_back(&mover, memory, PAGES);
			if (wrong(memory, PAGES, 1) != -1)
				_exit(3);
			while (wait(NULL) > 0)
				;
			/* What its end had a reference to till now. */
			mover_back(&mover, memory, PAGES);
		}
		mover_open(&mover, OWN_DEVICE);
		if (mover_away(&mover, memory, PAGES / 2) != PAGES / 2)
			_exit(4);
		_exit(0);
	}
	ASSERT_EQ(0, end_of(child));
}

#define PER_CPU_LISTS	"/proc/sys/vm/percpu_pagelist_high_fraction"

/*
 * Three rounds alike. One per cent would be allowed, but a leak of all pages
 * on one of the ways is less than that. Where more is free afterwards, memory
 * of an earlier program was freed meanwhile, and could hide a leak: again.
 */
TEST(free_memory)
{
	long before, after, allowed;
	int round, tries = 4;

	/* Let the processors keep few pages to themselves. */
	ASSERT_EQ(0, file_write(PER_CPU_LISTS, "100000"));
	round_of_everything(_metadata);
	after = settle();
	do {
		before = after;
		allowed = before / 400;
		for (round = 0; round < 3; round++)
			round_of_everything(_metadata);
		after = settle();
		TH_LOG("%ld kB before, %ld kB after", before, after);
	} while (after >= before + allowed && --tries);
	ASSERT_EQ(0, file_write(PER_CPU_LISTS, "0"));
	EXPECT_LT(labs(after - before), allowed);
}

TEST(device_pages_after_that)
{
	int fd = own_open();

	ASSERT_GE(fd, 0);
	EXPECT_EQ(0, own_in_use(fd));
	close(fd);
}

/*
 * A module that goes waits for what is under way, and empties its device: much
 * less than a second, where nothing stands in its way, and of an emulated
 * machine some. One that waits for somebody who does not come takes for ever.
 */
#define LONGEST	(10000 * patience())	/* milliseconds */

/* Unloads a module; how long it took, in milliseconds, or -errno. */
static long unload(const char *name)
{
	__u64 begin = now_ns();
	pid_t child = fork();
	long ret;

	if (!child)
		_exit(-module_unload(name));
	ret = end_of(child);
	return ret ? -ret : (long)((now_ns() - begin) / 1000000);
}

/*
 * A module of which a page or a reference is still somewhere does not go. The
 * memory that is on the device then comes back to its process.
 */
TEST(test_device_goes)
{
	char *memory = pages_map(PAGES);
	int fd;
	long ms;

	fd = own_open();
	ASSERT_GE(fd, 0);
	EXPECT_EQ(-EWOULDBLOCK, unload("hmm_migrate_test"));
	fill(memory, PAGES, 1);
	ASSERT_EQ(PAGES, own_to_device(fd, memory, PAGES));
	close(fd);
	ASSERT_EQ(PAGES, pages_at(memory, PAGES, PRIVATE));
	ms = unload("hmm_migrate_test");
	ASSERT_LE(0, ms);
	EXPECT_GE(LONGEST, ms);
	EXPECT_EQ(PAGES, pages_at(memory, PAGES, SYSTEM));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	ASSERT_EQ(0, module_load("hmm_migrate_test", ""));
}

static bool stopped;

/* Reads and writes, forks and ends, in memory that begins on the device. */
static void *thread_uses(void *argument)
{
	char *memory = argument;
	unsigned int seed = 1;
	pid_t child;

	while (!__atomic_load_n(&stopped, __ATOMIC_RELAXED)) {
		child = fork();
		if (!child)
			_exit(wrong(memory, PAGES, seed) == -1 ? 0 : 1);
		if (end_of(child))
			return (void *)1;
		fill(memory, PAGES / 2, seed);
	}
	return NULL;
}

/*
 * The same while threads of processes use what is on the device, and bring it
 * back by that; what nobody uses is there in any case.
 */
TEST(test_device_goes_under_load)
{
	char *memory[2], *idle = pages_map(PAGES);
	size_t used = 0;
	pthread_t threads[2];
	int fd, round, i;
	void *ret;
	long ms;

	fill(idle, PAGES, 1);

	for (round = 0; round < 3; round++) {
		fd = own_open();
		ASSERT_GE(fd, 0);
		__atomic_store_n(&stopped, false, __ATOMIC_RELAXED);
		for (i = 0; i < 2; i++) {
			memory[i] = pages_map(PAGES);
			fill(memory[i], PAGES, 1);
			ASSERT_EQ(PAGES, own_to_device(fd, memory[i], PAGES));
		}
		ASSERT_EQ(PAGES, own_to_device(fd, idle, PAGES));
		close(fd);
		for (i = 0; i < 2; i++)
			ASSERT_EQ(0, pthread_create(&threads[i], NULL,
						    thread_uses, memory[i]));
		for (i = 0; i < 2; i++)
			used += pages_at(memory[i], PAGES, PRIVATE);
		ASSERT_EQ(PAGES, pages_at(idle, PAGES, PRIVATE));
		ms = unload("hmm_migrate_test");
		EXPECT_LE(0, ms);
		EXPECT_GE(LONGEST, ms);
		EXPECT_EQ(PAGES, pages_at(idle, PAGES, SYSTEM));
		EXPECT_EQ(-1, wrong(idle, PAGES, 1));
		__atomic_store_n(&stopped, true, __ATOMIC_RELAXED);
		for (i = 0; i < 2; i++) {
			ASSERT_EQ(0, pthread_join(threads[i], &ret));
			EXPECT_EQ(NULL, ret);
			EXPECT_EQ(PAGES, pages_at(memory[i], PAGES, SYSTEM));
			EXPECT_EQ(-1, wrong(memory[i], PAGES, 1));
			pages_unmap(memory[i], PAGES);
		}
		ASSERT_EQ(0, module_load("hmm_migrate_test", ""));
	}
	EXPECT_LT(0, used);
}

#define PARAMETERS	"/sys/module/test_hmm/parameters/"

static const char *mirror_options(void)
{
	static char options[128];

	snprintf(options, sizeof(options), "spm_addr_dev0=%ld spm_addr_dev1=%ld",
		 file_number(PARAMETERS "spm_addr_dev0", NULL),
		 file_number(PARAMETERS "spm_addr_dev1", NULL));
	return options;
}

/* Most of its time is for taking a gigabyte of memory out of the kernel. */
TEST(mirror_goes)
{
	const char *options = mirror_options();
	long ms = unload("test_hmm");

	ASSERT_LE(0, ms);
	EXPECT_GE(LONGEST, ms);
	ASSERT_EQ(0, module_load("test_hmm", options));
	EXPECT_EQ(0, access("/dev/hmm_dmirror2", F_OK));
}

/*
 * Opens the device, has memory there, uses it, and closes, over and over. Every
 * second time it stays away as long as that took: on a slow machine there would
 * be no moment at which none of two has it open.
 */
static void come_and_go(void)
{
	char *memory = pages_map(PAGES);
	unsigned int seed = 0;
	__u64 begin;
	int mirror;

	while (1) {
		begin = now_ns();
		mirror = access("/dev/hmm_dmirror0", F_OK) ?
				 -1 : mirror_open(MIRROR_PRIVATE);
		if (mirror < 0) {
			sleep_ms(1);
			continue;
		}
		fill(memory, PAGES, ++seed);
		mirror_to_device(mirror, memory, PAGES);
		if (wrong(memory, PAGES / 2, seed) != -1)
			_exit(1);
		close(mirror);
		if (wrong(memory, PAGES, seed) != -1)
			_exit(2);
		if (seed % 2 == 0)
			sleep_ms((now_ns() - begin) / 1000000);
	}
}

/*
 * The device of test_hmm goes in the moment that nobody has it open, however
 * often it is opened; and what its users have is as it was.
 */
TEST(mirror_goes_under_load)
{
	__u64 begin = now_ns(), most = 50000000000ULL * patience();
	const char *options = mirror_options();
	pid_t children[2];
	long ret;
	int i;

	ASSERT_EQ(0, stats_on());
	for (i = 0; i < 2; i++) {
		children[i] = fork();
		if (!children[i])
			come_and_go();
	}
	while (file_number("/sys/module/test_hmm/refcnt", NULL) < 1 &&
	       now_ns() - begin < most)
		sleep_ms(1);
	do {
		ret = unload("test_hmm");
	} while (ret == -EWOULDBLOCK && now_ns() - begin < most);
	EXPECT_LE(0, ret);
	EXPECT_GE(LONGEST, ret);
	/* What was there when it was closed came back then. */
	EXPECT_LT(0, stats("moved private system"));
	stats_off();
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, kill(children[i], SIGKILL));
		EXPECT_EQ(128 + SIGKILL, end_of(children[i]));
	}
	ASSERT_EQ(0, module_load("test_hmm", options));
	EXPECT_EQ(0, access("/dev/hmm_dmirror2", F_OK));
}

/* The engine itself, once nobody calls it. */
TEST(engine_goes)
{
	const char *options = mirror_options();
	long ms;

	EXPECT_EQ(-EWOULDBLOCK, unload("hmm_migrate"));
	ASSERT_LE(0, unload("hmm_migrate_test"));
	ASSERT_LE(0, unload("test_hmm"));
	ms = unload("hmm_migrate");
	EXPECT_LE(0, ms);
	EXPECT_GE(LONGEST, ms);
	ASSERT_EQ(0, module_load("hmm-migrate", ""));
	ASSERT_EQ(0, module_load("test_hmm", options));
	ASSERT_EQ(0, module_load("hmm_migrate_test", ""));
}

TEST_HARNESS_MAIN
