// SPDX-License-Identifier: GPL-2.0
/*
 * Kinds of memory that are not moved: they stay as they were, and the reason
 * is told for each page.
 */
#include <linux/kernel-page-flags.h>
#include <linux/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "test.h"
#include "test_hmm_uapi.h"

#define PAGES	64

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL	102
#endif

FIXTURE(refused)
{
	int fd;
};

FIXTURE_SETUP(refused)
{
	on_cpu(0);
	self->fd = own_open();
	ASSERT_GE(self->fd, 0);
}

FIXTURE_TEARDOWN(refused)
{
	close(self->fd);
}

/* All of the range stays, all for this reason. */
static void expect_left(struct __test_metadata *_metadata, int fd, void *memory,
			size_t npages, unsigned int flags, int reason)
{
	struct hmm_test_move move = own_request(memory, npages,
						HMM_TEST_TO_DEVICE, flags);

	ASSERT_EQ(0, own_call(fd, &move));
	EXPECT_EQ(0, move.result.ret);
	EXPECT_EQ(0, move.result.migrated);
	EXPECT_EQ(npages, move.result.left[reason])
		TH_LOG("%s", own_describe(&move.result));
}

static int file_of(size_t npages)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	char *memory = pages_map(npages);

	fill(memory, npages, 1);
	if (write(fd, memory, npages * PAGE) != npages * PAGE)
		return -1;
	pages_unmap(memory, npages);
	return fd;
}

TEST_F(refused, private_file)
{
	int file = file_of(PAGES);
	struct hmm_test_move move;
	char *memory;

	ASSERT_GE(file, 0);
	memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE,
		      file, 0);
	ASSERT_NE(MAP_FAILED, memory);
	ASSERT_EQ(-1, wrong(memory, PAGES, 1));
	expect_left(_metadata, self->fd, memory, PAGES, HMM_TEST_FROM_SYSTEM,
		    HMM_TEST_KIND);
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));

	/* A copy that was made on writing is the process's own. */
	fill_page(memory, 5, 2);
	move = own_request(memory, PAGES, HMM_TEST_TO_DEVICE, 0);
	ASSERT_EQ(0, own_call(self->fd, &move));
	EXPECT_EQ(1, move.result.migrated);
	EXPECT_EQ(PRIVATE, place_of(memory + 5 * PAGE));
	EXPECT_TRUE(page_is(memory, 5, 2));
}

TEST_F(refused, shared_file)
{
	int file = file_of(PAGES);
	char *memory;

	ASSERT_GE(file, 0);
	memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
		      file, 0);
	ASSERT_NE(MAP_FAILED, memory);
	fill(memory, PAGES, 2);
	expect_left(_metadata, self->fd, memory, PAGES, HMM_TEST_FROM_SYSTEM,
		    HMM_TEST_KIND);
	EXPECT_EQ(PAGES, pages_at(memory, PAGES, SYSTEM));
	EXPECT_EQ(-1, wrong(memory, PAGES, 2));
}

TEST_F(refused, shared_memory)
{
	char *memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, memory);
	fill(memory, PAGES, 2);
	expect_left(_metadata, self->fd, memory, PAGES, HMM_TEST_FROM_SYSTEM,
		    HMM_TEST_KIND);
	EXPECT_EQ(PAGES, pages_at(memory, PAGES, SYSTEM));
	EXPECT_EQ(-1, wrong(memory, PAGES, 2));
}

#define HUGE_FILES	"/tmp/huge_files"

static long splits(void)
{
	return vm_count("thp_split_page") + vm_count("thp_split_pmd");
}

/* A huge page of a file stays one, whoever asks for it or for a part of it. */
TEST_F(refused, shared_huge_page)
{
	int mirror = mirror_open(MIRROR_PRIVATE), file;
	char *area = pages_map(2 * TABLE), *memory;
	long before;

	if (!huge_pages_exist())
		SKIP(return, NO_HUGE_PAGES);
	ASSERT_GE(mirror, 0);
	mkdir(HUGE_FILES, 0755);
	ASSERT_EQ(0, mount("none", HUGE_FILES, "tmpfs", 0, "huge=always"));
	file = open(HUGE_FILES "/file", O_CREAT | O_RDWR, 0600);
	ASSERT_GE(file, 0);
	ASSERT_EQ(0, ftruncate(file, TABLE * PAGE));
	memory = mmap(area, TABLE * PAGE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_FIXED, file, 0);
	ASSERT_EQ(area, memory);
	fill(memory, TABLE, 1);
	ASSERT_EQ(2048, smaps_kb(memory, "ShmemPmdMapped"))
		TH_LOG("the kernel made no huge page");

	before = splits();
	expect_left(_metadata, self->fd, memory, TABLE, HMM_TEST_FROM_SYSTEM,
		    HMM_TEST_KIND);
	expect_left(_metadata, self->fd, memory + 50 * PAGE, 100,
		    HMM_TEST_FROM_SYSTEM, HMM_TEST_KIND);
	mirror_to_device(mirror, memory, TABLE);
	mirror_to_device(mirror, memory + 50 * PAGE, 1);
	EXPECT_EQ(before, splits());
	EXPECT_EQ(2048, smaps_kb(memory, "ShmemPmdMapped"));
	EXPECT_EQ(-1, wrong(memory, TABLE, 1));

	/* The same where it is too crooked for one entry to map it. */
	munmap(memory, TABLE * PAGE);
	memory = mmap(area + PAGE, TABLE * PAGE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_FIXED, file, 0);
	ASSERT_EQ(area + PAGE, memory);
	ASSERT_EQ(-1, wrong(memory, TABLE, 1));
	ASSERT_EQ(0, smaps_kb(memory, "ShmemPmdMapped"));
	ASSERT_TRUE(page_flags(pfn_of(memory)) & 1ULL << KPF_THP);
	before = splits();
	expect_left(_metadata, self->fd, memory, TABLE, HMM_TEST_FROM_SYSTEM,
		    HMM_TEST_KIND);
	mirror_to_device(mirror, memory, TABLE);
	EXPECT_EQ(before, splits());
	EXPECT_TRUE(page_flags(pfn_of(memory)) & 1ULL << KPF_THP);
	EXPECT_EQ(-1, wrong(memory, TABLE, 1));

	munmap(memory, TABLE * PAGE);
	close(file);
	close(mirror);
	EXPECT_EQ(0, umount(HUGE_FILES));
}

/* A huge page on a device is not split for one that may not have it. */
TEST_F(refused, foreign_huge_page)
{
	int mirror = mirror_open(MIRROR_PRIVATE);
	char *memory = pages_map(TABLE);
	unsigned char first = 0;
	unsigned char snapshot[TABLE];

	if (!huge_pages_exist())
		SKIP(return, NO_HUGE_PAGES);
	ASSERT_GE(mirror, 0);
	ASSERT_EQ(0, madvise(memory, TABLE * PAGE, MADV_HUGEPAGE));
	fill(memory, TABLE, 1);
	ASSERT_EQ(0, mirror_engine("mainline"));
	EXPECT_EQ(TABLE, mirror_to_device(mirror, memory, TABLE));
	ASSERT_EQ(0, mirror_engine("hmm_migrate"));
	ASSERT_EQ(TABLE, mirror_command(mirror, HMM_DMIRROR_SNAPSHOT, memory,
					TABLE, snapshot));
	first = snapshot[0];
	ASSERT_TRUE(first & HMM_DMIRROR_PROT_PMD)
		TH_LOG("no huge page came to the device");
	expect_left(_metadata, self->fd, memory, TABLE, 0, HMM_TEST_FOREIGN);
	expect_left(_metadata, self->fd, memory + 50 * PAGE, 100, 0,
		    HMM_TEST_FOREIGN);
	ASSERT_EQ(TABLE, mirror_command(mirror, HMM_DMIRROR_SNAPSHOT, memory,
					TABLE, snapshot));
	EXPECT_EQ(first, snapshot[0]);
	EXPECT_EQ(TABLE, pages_at(memory, TABLE, PRIVATE));
	EXPECT_EQ(-1, wrong(memory, TABLE, 1));
	close(mirror);
}

/* What a file has not been read for yet is not made up as zeros. */
TEST_F(refused, hole_in_a_file)
{
	int file = file_of(PAGES);
	char *memory;

	ASSERT_GE(file, 0);
	memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE,
		      file, 0);
	ASSERT_NE(MAP_FAILED, memory);
	ASSERT_EQ(0, madvise(memory, PAGES * PAGE, MADV_RANDOM));
	expect_left(_metadata, self->fd, memory, PAGES, HMM_TEST_FROM_SYSTEM,
		    HMM_TEST_NOTHING);
	EXPECT_EQ(PAGES, pages_at(memory, PAGES, NOWHERE));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

TEST_F(refused, guard)
{
	char *memory = pages_map(PAGES);
	struct hmm_test_move move;

	fill(memory, PAGES, 1);
	ASSERT_EQ(0, madvise(memory + 8 * PAGE, 4 * PAGE, MADV_GUARD_INSTALL));
	move = own_request(memory, PAGES, HMM_TEST_TO_DEVICE, 0);
	ASSERT_EQ(0, own_call(self->fd, &move));
	EXPECT_EQ(4, move.result.left[HMM_TEST_KIND])
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(PAGES - 4, move.result.migrated);
	EXPECT_TRUE(pagemap(memory + 8 * PAGE) & PM_GUARD);
	EXPECT_FALSE(can_read(memory + 8 * PAGE));
	EXPECT_FALSE(can_read(memory + 11 * PAGE));
	EXPECT_TRUE(can_read(memory + 12 * PAGE));
}

TEST_F(refused, foreign_device)
{
	int mirror = mirror_open(MIRROR_PRIVATE);
	char *memory = pages_map(PAGES);

	ASSERT_GE(mirror, 0);
	fill(memory, PAGES, 1);
	ASSERT_EQ(PAGES, mirror_to_device(mirror, memory, PAGES));
	expect_left(_metadata, self->fd, memory, PAGES, 0,
		    HMM_TEST_FOREIGN);
	EXPECT_EQ(PAGES, pages_at(memory, PAGES, PRIVATE));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	close(mirror);
}

TEST_F(refused, foreign_coherent_device)
{
	int mirror = mirror_open(MIRROR_COHERENT);
	char *memory = pages_map(PAGES);

	ASSERT_GE(mirror, 0);
	fill(memory, PAGES, 1);
	ASSERT_EQ(PAGES, mirror_to_device(mirror, memory, PAGES));
	expect_left(_metadata, self->fd, memory, PAGES, 0,
		    HMM_TEST_FOREIGN);
	EXPECT_EQ(PAGES, pages_at(memory, PAGES, COHERENT));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	close(mirror);
}

/* Each call takes what its flags say, and a driver without memory no device's. */
TEST_F(refused, other_direction)
{
	char *memory = pages_map(PAGES);
	struct hmm_test_move move;

	fill(memory, PAGES, 1);
	expect_left(_metadata, self->fd, memory, PAGES, HMM_TEST_FROM_DEVICE,
		    HMM_TEST_NOTHING);
	ASSERT_EQ(PAGES, own_to_device(self->fd, memory, PAGES));
	expect_left(_metadata, self->fd, memory, PAGES, HMM_TEST_FROM_SYSTEM,
		    HMM_TEST_NOTHING);

	move = own_request(memory, PAGES, HMM_TEST_TO_NODE, HMM_TEST_TO_SYSTEM);
	move.owner = HMM_TEST_OWNER_OTHER;
	ASSERT_EQ(0, own_call(self->fd, &move));
	EXPECT_EQ(PAGES, move.result.left[HMM_TEST_FOREIGN])
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(PAGES, pages_at(memory, PAGES, PRIVATE));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

/* A device that has a page for itself keeps it. */
TEST_F(refused, device_exclusive)
{
	int mirror = mirror_open(MIRROR_PRIVATE);
	char *memory = pages_map(PAGES), *copy = pages_map(PAGES);

	ASSERT_GE(mirror, 0);
	fill(memory, PAGES, 1);
	ASSERT_EQ(PAGES, mirror_command(mirror, HMM_DMIRROR_EXCLUSIVE, memory,
					PAGES, copy));
	expect_left(_metadata, self->fd, memory, PAGES, 0,
		    HMM_TEST_KIND);
	EXPECT_EQ(PAGES, pages_at(memory, PAGES, ELSEWHERE));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	EXPECT_EQ(PAGES, pages_at(memory, PAGES, SYSTEM));
	close(mirror);
}

TEST_HARNESS_MAIN
