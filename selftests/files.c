// SPDX-License-Identifier: GPL-2.0
/*
 * Pages of files move from node to node, as their file moves them itself. A
 * device gets none of them: they stay as they are.
 */
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "test.h"

#define PAGES	64
#define WHERE	"/tmp/files"

FIXTURE(files)
{
	int fd;
	int file;
	char *memory;
};

FIXTURE_VARIANT(files)
{
	bool on_disk;		/* where pages have buffers; else in memory */
	int sharing;
};

FIXTURE_VARIANT_ADD(files, memory_shared)
{
	.sharing = MAP_SHARED,
};

FIXTURE_VARIANT_ADD(files, memory_private)
{
	.sharing = MAP_PRIVATE,
};

FIXTURE_VARIANT_ADD(files, disk_shared)
{
	.on_disk = true,
	.sharing = MAP_SHARED,
};

FIXTURE_VARIANT_ADD(files, disk_private)
{
	.on_disk = true,
	.sharing = MAP_PRIVATE,
};

/*
 * A file of known contents on a file system that is made for it. What is
 * written at once is in large folios, where the file system has them.
 */
static int file_on(bool on_disk, size_t at_once)
{
	char *memory = pages_map(PAGES);
	size_t page;
	int file;

	mkdir(WHERE, 0755);
	/* What a test before this one has left behind. */
	umount2(WHERE, MNT_DETACH);
	if (on_disk) {
		if (run("mke2fs -b 4096 /dev/pmem0 > /dev/null 2>&1"))
			return -1;
		if (mount("/dev/pmem0", WHERE, "ext2", 0, ""))
			return -1;
	} else if (mount("tmpfs", WHERE, "tmpfs", 0, "")) {
		return -1;
	}
	file = open(WHERE "/file", O_CREAT | O_RDWR, 0600);
	fill(memory, PAGES, 1);
	for (page = 0; page < PAGES; page += at_once)
		if (write(file, memory + page * PAGE, at_once * PAGE) !=
		    at_once * PAGE)
			return -1;
	if (fsync(file))
		return -1;
	pages_unmap(memory, PAGES);
	return file;
}

FIXTURE_SETUP(files)
{
	on_cpu(0);
	self->fd = own_open();
	ASSERT_GE(self->fd, 0);
	self->file = file_on(variant->on_disk, 1);
	ASSERT_GE(self->file, 0);
	self->memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
			    variant->sharing, self->file, 0);
	ASSERT_NE(MAP_FAILED, self->memory);
	ASSERT_EQ(-1, wrong(self->memory, PAGES, 1));
}

FIXTURE_TEARDOWN(files)
{
	munmap(self->memory, PAGES * PAGE);
	close(self->file);
	EXPECT_EQ(0, umount(WHERE));
	close(self->fd);
}

/* Of the process, what is in files of a disk, and what is in memory alone. */
struct file_books {
	long file, shmem, rss, pss;
};

static struct file_books file_books(const char *memory)
{
	return (struct file_books) {
		.file = status_kb("RssFile"),
		.shmem = status_kb("RssShmem"),
		.rss = smaps_kb(memory, "Rss"),
		.pss = smaps_kb(memory, "Pss"),
	};
}

/* What the file itself says, which may be read from the disk once more. */
static long wrong_in_file(int file, unsigned int seed)
{
	char *memory = pages_map(PAGES);
	long page = 0;

	if (pread(file, memory, PAGES * PAGE, 0) == PAGES * PAGE)
		page = wrong(memory, PAGES, seed);
	pages_unmap(memory, PAGES);
	return page;
}

/*
 * How many pages come to be on the node in a second. One that is being written
 * to the disk stays, and is asked for again.
 */
static size_t to_node(int fd, char *memory, size_t npages, int node)
{
	struct hmm_test_move move = own_request(memory, npages,
						HMM_TEST_TO_NODE,
						HMM_TEST_FROM_SYSTEM |
						HMM_TEST_TO_SYSTEM |
						HMM_TEST_LARGE);
	size_t there = 0;
	int tries;

	move.node = node;
	for (tries = 0; tries < 50 && there < npages; tries++) {
		if (tries)
			sleep_ms(20);
		if (own_call(fd, &move))
			break;
		there = pages_on_node(memory, npages, node);
	}
	if (there < npages)
		fprintf(stderr, "# %zu pages on node %d: %s\n", there, node,
			own_describe(&move.result));
	return there;
}

/* What the process has of files is counted as it was. */
TEST_F(files, books)
{
	struct file_books before, after;

	/* The program, too, is a file: all of it that is needed is there then. */
	ASSERT_EQ(PAGES, to_node(self->fd, self->memory, PAGES, 0));
	file_books(self->memory);
	before = file_books(self->memory);
	ASSERT_EQ((long)(PAGES * PAGE / 1024), before.rss);
	ASSERT_LE(before.rss, variant->on_disk ? before.file : before.shmem);
	ASSERT_EQ(PAGES, to_node(self->fd, self->memory, PAGES, 1));
	after = file_books(self->memory);
	EXPECT_EQ(before.file, after.file);
	EXPECT_EQ(before.shmem, after.shmem);
	EXPECT_EQ(before.rss, after.rss);
	EXPECT_EQ(before.pss, after.pss);
	munmap(self->memory, PAGES * PAGE);
	after.rss = status_kb("RssFile") + status_kb("RssShmem");
	EXPECT_EQ(before.file + before.shmem - before.rss, after.rss);
}

TEST_F(files, to_a_node_and_back)
{
	ASSERT_EQ(PAGES, to_node(self->fd, self->memory, PAGES, 1));
	EXPECT_EQ(PAGES, pages_on_node(self->memory, PAGES, 1));
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
	EXPECT_EQ(-1, wrong_in_file(self->file, 1));
	ASSERT_EQ(PAGES, to_node(self->fd, self->memory, PAGES, 0));
	EXPECT_EQ(PAGES, pages_on_node(self->memory, PAGES, 0));
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
	EXPECT_EQ(-1, wrong_in_file(self->file, 1));
}

/* Written before, and again after: all of it reaches the file. */
TEST_F(files, written)
{
	bool shared = variant->sharing == MAP_SHARED;

	fill(self->memory, PAGES / 2, 2);
	ASSERT_EQ(PAGES, to_node(self->fd, self->memory, PAGES, 1));
	EXPECT_EQ(-1, wrong(self->memory, PAGES / 2, 2));
	EXPECT_TRUE(page_is(self->memory, PAGES - 1, 1));
	fill(self->memory, PAGES, 3);
	ASSERT_EQ(0, msync(self->memory, PAGES * PAGE, MS_SYNC));
	ASSERT_EQ(PAGES, to_node(self->fd, self->memory, PAGES, 0));
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 3));
	file_write("/proc/sys/vm/drop_caches", "3");
	EXPECT_EQ(-1, wrong_in_file(self->file, shared ? 3 : 1));
}

TEST_F(files, mapped_by_two)
{
	struct pair pair;
	pid_t child;

	pair_init(&pair);
	child = fork();
	if (!child) {
		if (wrong(self->memory, PAGES, 1) != -1)
			_exit(1);
		pair_child_turn(&pair);
		if (wrong(self->memory, PAGES, 1) != -1)
			_exit(2);
		fill(self->memory, PAGES, 2);
		_exit(0);
	}
	ASSERT_TRUE(pair_wait(&pair));
	ASSERT_EQ(PAGES, to_node(self->fd, self->memory, PAGES, 1));
	pair_go(&pair);
	EXPECT_EQ(0, end_of(child));
	EXPECT_EQ(-1, wrong(self->memory, PAGES,
			    variant->sharing == MAP_SHARED ? 2 : 1));
}

/* The file is cut while its pages are on their way: the driver is slow. */
TEST_F(files, cut_meanwhile)
{
	struct hmm_test_move move = own_request(self->memory, PAGES,
						HMM_TEST_TO_NODE,
						HMM_TEST_FROM_SYSTEM |
						HMM_TEST_TO_SYSTEM |
						HMM_TEST_LARGE);
	pid_t child;

	move.node = 1;
	move.driver.delay_alloc_us = 200000;
	child = fork();
	if (!child) {
		if (own_wait_for_callback(self->fd))
			_exit(1);
		_exit(ftruncate(self->file, PAGES / 2 * PAGE) ? 2 : 0);
	}
	ASSERT_EQ(0, own_call(self->fd, &move));
	EXPECT_EQ(0, end_of(child));
	EXPECT_EQ(0, move.result.ret);
	EXPECT_EQ(-1, wrong(self->memory, PAGES / 2, 1));
	EXPECT_EQ(PAGES / 2, pages_at(self->memory, PAGES, SYSTEM));
}

TEST_F(files, pinned)
{
	ASSERT_EQ(0, own_hold(self->fd, pfn_of(self->memory + 5 * PAGE),
			      HMM_TEST_HOLD_REFERENCE));
	EXPECT_EQ(PAGES - 1, own_to_node(self->fd, self->memory, PAGES, 1));
	if (nodes_exist())
		EXPECT_EQ(PAGES - 1, pages_on_node(self->memory, PAGES, 1));
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
	ASSERT_EQ(0, own_hold(self->fd, 0, HMM_TEST_RELEASE_ALL));
	EXPECT_EQ(1, own_to_node(self->fd, self->memory + 5 * PAGE, 1, 1));
}

/* The file says no when all is copied: its page is back in its place. */
/* A page that the file has given away is no destination for the next. */
TEST_F(files, given_for_another)
{
	struct hmm_test_move move = own_request(self->memory, PAGES,
						HMM_TEST_TO_NODE,
						HMM_TEST_FROM_SYSTEM |
						HMM_TEST_TO_SYSTEM);

	ASSERT_EQ(PAGES, to_node(self->fd, self->memory, PAGES, 1));
	move.node = 0;
	move.driver.rule = HMM_TEST_RULE_OTHER_SOURCE;
	move.driver.rule_every = 4;
	ASSERT_EQ(0, own_call(self->fd, &move));
	EXPECT_LT(0, move.result.broken);
	EXPECT_EQ(move.result.broken,
		  move.result.left[HMM_TEST_BAD_DESTINATION])
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(PAGES - move.result.broken, move.result.migrated);
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
	EXPECT_EQ(-1, wrong_in_file(self->file, 1));
}

TEST_F(files, used_after_the_copy)
{
	struct hmm_test_move move = own_request(self->memory, PAGES,
						HMM_TEST_TO_NODE,
						HMM_TEST_FROM_SYSTEM |
						HMM_TEST_TO_SYSTEM);

	move.node = 1;
	move.driver.hold_every = 4;
	ASSERT_EQ(0, own_call(self->fd, &move));
	EXPECT_EQ(PAGES, move.result.given);
	EXPECT_EQ(PAGES / 4, move.result.left[HMM_TEST_PINNED])
		TH_LOG("%s", own_describe(&move.result));
	if (nodes_exist())
		EXPECT_EQ(PAGES - PAGES / 4, pages_on_node(self->memory, PAGES, 1));
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
	EXPECT_EQ(-1, wrong_in_file(self->file, 1));
	EXPECT_EQ(PAGES, to_node(self->fd, self->memory, PAGES, 1));
}

/* What a disk is reading stays, although its file would move it. */
TEST_F(files, written_to_a_disk)
{
	struct hmm_test_move move = own_request(self->memory, PAGES,
						HMM_TEST_TO_NODE,
						HMM_TEST_FROM_SYSTEM |
						HMM_TEST_TO_SYSTEM);
	int i;

	move.node = 1;
	for (i = 0; i < PAGES; i += 4)
		ASSERT_EQ(0, own_hold(self->fd, pfn_of(self->memory + i * PAGE),
				      HMM_TEST_HOLD_WRITEBACK));
	ASSERT_EQ(0, own_call(self->fd, &move));
	EXPECT_EQ(PAGES / 4, move.result.left[HMM_TEST_LOCKED])
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(PAGES - PAGES / 4, move.result.offered);
	ASSERT_EQ(0, own_hold(self->fd, 0, HMM_TEST_RELEASE_ALL));
	EXPECT_EQ(PAGES, to_node(self->fd, self->memory, PAGES, 1));
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
}

/* Nothing is unmapped for a device that cannot have it. */
TEST_F(files, not_to_a_device)
{
	struct hmm_test_move move = own_request(self->memory, PAGES,
						HMM_TEST_TO_DEVICE,
						HMM_TEST_FROM_SYSTEM |
						HMM_TEST_LARGE);
	long before;

	ASSERT_EQ(0, stats_on());
	ASSERT_EQ(0, own_call(self->fd, &move));
	EXPECT_EQ(PAGES, move.result.left[HMM_TEST_KIND])
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(0, move.result.windows);
	EXPECT_EQ(0, stats("tlb_flushes"));
	stats_off();
	before = page_faults();
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
	EXPECT_GT(PAGES / 4, page_faults() - before);
}

/* A huge page of a file in memory: moved whole, or refused whole. */
TEST(huge)
{
	struct hmm_test_move move;
	char *memory, *place;
	int fd = own_open(), file;

	if (!huge_pages_exist())
		SKIP(return, NO_HUGE_PAGES);
	ASSERT_GE(fd, 0);
	mkdir(WHERE, 0755);
	ASSERT_EQ(0, mount("tmpfs", WHERE, "tmpfs", 0, "huge=always"));
	file = open(WHERE "/file", O_CREAT | O_RDWR, 0600);
	ASSERT_GE(file, 0);
	ASSERT_EQ(0, ftruncate(file, TABLE * PAGE));
	place = pages_map(TABLE);
	memory = mmap(place, TABLE * PAGE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_FIXED, file, 0);
	ASSERT_EQ(place, memory);
	fill(memory, TABLE, 1);
	ASSERT_EQ(2048, smaps_kb(memory, "ShmemPmdMapped"));

	ASSERT_EQ(0, stats_on());
	move = own_request(memory, TABLE, HMM_TEST_TO_DEVICE,
			   HMM_TEST_FROM_SYSTEM | HMM_TEST_LARGE);
	ASSERT_EQ(0, own_call(fd, &move));
	EXPECT_EQ(TABLE, move.result.left[HMM_TEST_KIND]);
	move = own_request(memory, TABLE, HMM_TEST_TO_DEVICE,
			   HMM_TEST_FROM_SYSTEM);
	ASSERT_EQ(0, own_call(fd, &move));
	EXPECT_EQ(TABLE, move.result.left[HMM_TEST_KIND]);
	EXPECT_EQ(2048, smaps_kb(memory, "ShmemPmdMapped"));

	ASSERT_EQ(TABLE, own_to_node(fd, memory, TABLE, 1));
	EXPECT_EQ(TABLE, pages_on_node(memory, TABLE, 1));
	EXPECT_EQ(2048, smaps_kb(memory, "ShmemPmdMapped"));
	EXPECT_EQ(0, stats("splits"));
	stats_off();
	EXPECT_EQ(-1, wrong(memory, TABLE, 1));

	/* Cut, it becomes small folios, which nobody has on a list. */
	ASSERT_EQ(0, fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			       100 * PAGE, 10 * PAGE));
	EXPECT_EQ(-1, wrong(memory, 100, 1));
	EXPECT_TRUE(page_is_zero(memory, 105));
	EXPECT_TRUE(page_is(memory, 511, 1));
	munmap(memory, TABLE * PAGE);
	ASSERT_EQ(0, ftruncate(file, 0));
	ASSERT_EQ(0, ftruncate(file, TABLE * PAGE));
	memory = mmap(place, TABLE * PAGE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_FIXED, file, 0);
	ASSERT_EQ(place, memory);
	fill(memory, TABLE, 1);
	ASSERT_EQ(2048, smaps_kb(memory, "ShmemPmdMapped"));

	/* Split, its pages would be mapped nowhere: a part of it stays. */
	move = own_request(memory + 50 * PAGE, 100, HMM_TEST_TO_NODE,
			   HMM_TEST_FROM_SYSTEM | HMM_TEST_TO_SYSTEM);
	ASSERT_EQ(0, own_call(fd, &move));
	EXPECT_EQ(100, move.result.left[HMM_TEST_PARTIAL])
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(2048, smaps_kb(memory, "ShmemPmdMapped"));
	EXPECT_EQ(-1, wrong(memory, TABLE, 1));
	munmap(memory, TABLE * PAGE);
	close(file);
	EXPECT_EQ(0, umount(WHERE));
}

/*
 * A large folio of the page cache, that a page table maps. Where a mapping of
 * a file begins is a matter of chance otherwise, and it may lie under two.
 */
TEST(large_on_disk)
{
	char *memory, *place = pages_map(PAGES);
	struct hmm_test_move move;
	int fd = own_open(), file;

	if (!huge_pages_exist())
		SKIP(return, NO_HUGE_PAGES);
	ASSERT_GE(fd, 0);
	on_cpu(0);
	file = file_on(true, PAGES);
	ASSERT_GE(file, 0);
	memory = mmap(place, PAGES * PAGE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_FIXED, file, 0);
	ASSERT_EQ(place, memory);
	fill(memory, PAGES, 2);
	ASSERT_EQ(1, folios_of_order(memory, PAGES, 6));
	ASSERT_EQ(PAGES, pages_on_node(memory, PAGES, 0));

	move = own_request(memory + 5 * PAGE, 10, HMM_TEST_TO_NODE,
			   HMM_TEST_FROM_SYSTEM | HMM_TEST_TO_SYSTEM |
			   HMM_TEST_LARGE);
	move.node = 1;
	ASSERT_EQ(0, own_call(fd, &move));
	EXPECT_EQ(10, move.result.left[HMM_TEST_PARTIAL])
		TH_LOG("%s", own_describe(&move.result));
	ASSERT_EQ(PAGES, to_node(fd, memory, PAGES, 1));
	EXPECT_EQ(PAGES, pages_on_node(memory, PAGES, 1));
	EXPECT_EQ(1, folios_of_order(memory, PAGES, 6));
	EXPECT_EQ(-1, wrong(memory, PAGES, 2));
	ASSERT_EQ(0, fsync(file));
	munmap(memory, PAGES * PAGE);
	file_write("/proc/sys/vm/drop_caches", "3");
	EXPECT_EQ(-1, wrong_in_file(file, 2));
	close(file);
	EXPECT_EQ(0, umount(WHERE));
}

/* Two page tables map a part of it each: no window has all, so it stays. */
TEST(large_on_disk_under_two_tables)
{
	char *memory, *place = pages_map(2 * TABLE);
	struct hmm_test_move move;
	int fd = own_open(), file;

	if (!huge_pages_exist())
		SKIP(return, NO_HUGE_PAGES);
	ASSERT_GE(fd, 0);
	on_cpu(0);
	file = file_on(true, PAGES);
	ASSERT_GE(file, 0);
	place += (TABLE - PAGES / 2) * PAGE;
	memory = mmap(place, PAGES * PAGE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_FIXED, file, 0);
	ASSERT_EQ(place, memory);
	fill(memory, PAGES, 2);
	ASSERT_EQ(1, folios_of_order(memory, PAGES, 6));

	ASSERT_EQ(0, stats_on());
	move = own_request(memory, PAGES, HMM_TEST_TO_NODE,
			   HMM_TEST_FROM_SYSTEM | HMM_TEST_TO_SYSTEM |
			   HMM_TEST_LARGE);
	move.node = 1;
	ASSERT_EQ(0, own_call(fd, &move));
	EXPECT_EQ(PAGES, move.result.left[HMM_TEST_PARTIAL])
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(PAGES, stats_left(HMM_TEST_PARTIAL));
	EXPECT_EQ(0, stats("tlb_flushes"));
	EXPECT_EQ(0, stats("splits"));
	stats_off();
	EXPECT_EQ(PAGES, pages_on_node(memory, PAGES, 0));
	EXPECT_EQ(1, folios_of_order(memory, PAGES, 6));
	EXPECT_EQ(-1, wrong(memory, PAGES, 2));
	munmap(memory, PAGES * PAGE);
	close(file);
	EXPECT_EQ(0, umount(WHERE));
}

TEST_HARNESS_MAIN
