// SPDX-License-Identifier: GPL-2.0
/*
 * What patches/fixes/ repair in the engine of mainline, mm/migrate_device.c:
 * kinds of pages that it treats as it must not. The manual (fixes.rst) tells
 * which patch each test needs, and what becomes of a machine without it.
 */
#include <errno.h>
#include <linux/userfaultfd.h>
#include <sys/syscall.h>

#include "mainline_fixture.h"
#include "test_hmm_uapi.h"

TEST_F(mainline, secret_memory)
{
	int file = syscall(SYS_memfd_secret, 0);
	char *memory;

	ASSERT_GE(file, 0);
	ASSERT_EQ(0, ftruncate(file, 8 * PAGE));
	memory = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file,
		      0);
	ASSERT_NE(MAP_FAILED, memory);
	fill(memory, 8, 1);
	EXPECT_EQ(-EINVAL, mirror_to_device(self->mirror, memory, 8));
	EXPECT_EQ(-1, wrong(memory, 8, 1));
}

/* Zero pages, or a huge one, that userfaultfd has write-protected. */
static void protect_zero_pages(struct __test_metadata *_metadata, int mirror,
			       char *memory)
{
	int uffd = uffd_open(0);
	size_t page;

	ASSERT_GE(uffd, 0);
	for (page = 0; page < TABLE; page++)
		ASSERT_TRUE(page_is_zero(memory, page));
	ASSERT_EQ(0, uffd_register(uffd, memory, TABLE,
				   UFFDIO_REGISTER_MODE_WP));
	ASSERT_EQ(0, uffd_wp(uffd, memory, TABLE, true));
	ASSERT_EQ(TABLE, pages_with(memory, TABLE, PM_UFFD_WP));
	mirror_to_device(mirror, memory, TABLE);
	EXPECT_EQ(TABLE, pages_with(memory, TABLE, PM_UFFD_WP));
	EXPECT_EQ(TABLE, pages_at(memory, TABLE, SYSTEM));
	close(uffd);
}

TEST_F(mainline, protected_zero_pages)
{
	protect_zero_pages(_metadata, self->mirror, pages_map(TABLE));
}

TEST_F(mainline, protected_huge_zero_page)
{
	char *memory = pages_map(TABLE);

	if (!huge_pages_exist())
		SKIP(return, NO_HUGE_PAGES);
	ASSERT_EQ(0, madvise(memory, TABLE * PAGE, MADV_HUGEPAGE));
	ASSERT_TRUE(page_is_zero(memory, 5));
	ASSERT_EQ(TABLE, pages_at(memory, TABLE, SYSTEM));
	protect_zero_pages(_metadata, self->mirror, memory);
}

/* The process has given up the contents, and the device has written others. */
TEST_F(mainline, lazily_freed)
{
	char *memory = pages_map(TABLE), *copy = pages_map(TABLE);

	fill(memory, TABLE, 1);
	fill(copy, TABLE, 2);
	ASSERT_EQ(0, madvise(memory, TABLE * PAGE, MADV_FREE));
	ASSERT_EQ(TABLE, mirror_to_device(self->mirror, memory, TABLE));
	ASSERT_EQ(TABLE, mirror_command(self->mirror, HMM_DMIRROR_WRITE,
					memory, TABLE, copy));
	ASSERT_EQ(TABLE, mirror_to_system(self->mirror, memory, TABLE));
	ASSERT_EQ(0, swap_on());
	swap_out(memory, TABLE);
	EXPECT_EQ(-1, wrong(memory, TABLE, 2));
	EXPECT_EQ(0, swap_off());
}

/* Memory that a device has made is new to whoever tracks writes. */
static void expect_soft_dirty_holes(struct __test_metadata *_metadata,
				    int mirror, char *memory)
{
	ASSERT_EQ(0, file_write("/proc/self/clear_refs", "4"));
	ASSERT_EQ(TABLE, mirror_to_device(mirror, memory, TABLE));
	EXPECT_EQ(TABLE, pages_with(memory, TABLE, PM_SOFT_DIRTY));
}

TEST_F(mainline, soft_dirty_holes)
{
	if (!soft_dirty_exists())
		SKIP(return, NO_SOFT_DIRTY);
	expect_soft_dirty_holes(_metadata, self->mirror, pages_map(TABLE));
}

TEST_F(mainline, soft_dirty_huge_hole)
{
	char *memory = pages_map(TABLE);

	if (!huge_pages_exist())
		SKIP(return, NO_HUGE_PAGES);
	if (!soft_dirty_exists())
		SKIP(return, NO_SOFT_DIRTY);
	ASSERT_EQ(0, madvise(memory, TABLE * PAGE, MADV_HUGEPAGE));
	expect_soft_dirty_holes(_metadata, self->mirror, memory);
}

TEST_HARNESS_MAIN
