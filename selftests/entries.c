// SPDX-License-Identifier: GPL-2.0
/*
 * What a page table says of a page beside where it is: whether it may be
 * written, whether it is this process's alone, whether it was used, whether
 * it was written. All that is the same afterwards.
 */
#include <errno.h>
#include <linux/mempolicy.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "mover_fixture.h"
#include "test_hmm_uapi.h"

#define PAGES	256
#define KB(npages)	((npages) * (long)PAGE / 1024)

#ifndef SYS_mseal
#define SYS_mseal	462
#endif

static size_t with_flag(const char *memory, __u64 flag)
{
	return pages_with(memory, PAGES, flag);
}

/* A page that is written where it is, and not copied first. */
static bool written_in_place(char *memory)
{
	__u64 pfns[PAGES];
	size_t page;

	for (page = 0; page < PAGES; page++)
		pfns[page] = pfn_of(memory + page * PAGE);
	fill(memory, PAGES, 2);
	for (page = 0; page < PAGES; page++)
		if (pfns[page] != pfn_of(memory + page * PAGE))
			return false;
	return true;
}

TEST_F(mover, exclusive)
{
	char *memory = pages_map(PAGES);

	fill(memory, PAGES, 1);
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	ASSERT_EQ(PAGES, mover_back(&self->mover, memory, PAGES));
	EXPECT_EQ(PAGES, with_flag(memory, PM_EXCLUSIVE));
	EXPECT_TRUE(written_in_place(memory));
	EXPECT_EQ(-1, wrong(memory, PAGES, 2));
}

TEST_F(mover, exclusive_and_read_only)
{
	char *memory = pages_map(PAGES);

	fill(memory, PAGES, 1);
	ASSERT_EQ(0, mprotect(memory, PAGES * PAGE, PROT_READ));
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	ASSERT_EQ(PAGES, mover_back(&self->mover, memory, PAGES));
	EXPECT_FALSE(can_write(memory));
	EXPECT_EQ(PAGES, with_flag(memory, PM_EXCLUSIVE));
	ASSERT_EQ(0, mprotect(memory, PAGES * PAGE, PROT_READ | PROT_WRITE));
	EXPECT_TRUE(written_in_place(memory));
	EXPECT_EQ(-1, wrong(memory, PAGES, 2));
}

/* What a child has too is not exclusive: the next write makes a copy. */
TEST_F(mover, shared)
{
	char *memory = pages_map(PAGES);
	struct pair pair;
	pid_t child;

	fill(memory, PAGES, 1);
	pair_init(&pair);
	child = fork();
	if (!child) {
		pair_child_turn(&pair);
		_exit(wrong(memory, PAGES, 1) == -1 ? 0 : 1);
	}
	ASSERT_TRUE(pair_wait(&pair));
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	EXPECT_EQ(0, with_flag(memory, PM_EXCLUSIVE));
	ASSERT_EQ(PAGES, mover_back(&self->mover, memory, PAGES));
	EXPECT_EQ(0, with_flag(memory, PM_EXCLUSIVE));
	EXPECT_FALSE(written_in_place(memory));
	EXPECT_EQ(-1, wrong(memory, PAGES, 2));
	pair_go(&pair);
	EXPECT_EQ(0, end_of(child));
}

/* To look at memory is not to use it, nor is to move it. */
TEST(used)
{
	char *memory = pages_map(PAGES);
	int fd = own_open();

	ASSERT_GE(fd, 0);
	on_cpu(0);
	fill(memory, PAGES, 1);
	ASSERT_EQ(0, file_write("/proc/self/clear_refs", "1"));
	ASSERT_EQ(0, smaps_kb(memory, "Referenced"));
	ASSERT_EQ(PAGES, own_to_node(fd, memory, PAGES, 1));
	EXPECT_EQ(0, smaps_kb(memory, "Referenced"));
	ASSERT_EQ(-1, wrong(memory, PAGES, 1));
	ASSERT_EQ(KB(PAGES), smaps_kb(memory, "Referenced"));
	ASSERT_EQ(PAGES, own_to_node(fd, memory, PAGES, 0));
	EXPECT_EQ(KB(PAGES), smaps_kb(memory, "Referenced"));
	close(fd);
}

/* How often a driver that has nothing leaves it as it was. */
static bool left_alone(int fd, void *memory, size_t npages)
{
	struct hmm_test_move move = own_request(memory, npages,
						HMM_TEST_TO_NODE,
						HMM_TEST_TO_SYSTEM |
						HMM_TEST_LARGE);

	move.driver.decline_every = 1;
	return !own_call(fd, &move) &&
	       move.result.left[HMM_TEST_DECLINED] == npages;
}

/* One entry for all of them; and nobody has moved it in the end. */
TEST(huge_page_used)
{
	char *memory = huge_pages_map(1, 1);
	int fd = own_open();

	if (!huge_pages_exist())
		SKIP(return, NO_HUGE_PAGES);
	/* migration_entry_supports_ad() */
	if (!swap_exists())
		SKIP(return, "entries of this kernel do not say what was used");
	ASSERT_GE(fd, 0);
	ASSERT_NE(NULL, memory);
	ASSERT_EQ(0, file_write("/proc/self/clear_refs", "1"));
	ASSERT_EQ(0, smaps_kb(memory, "Referenced"));
	ASSERT_TRUE(left_alone(fd, memory, TABLE));
	EXPECT_EQ(0, smaps_kb(memory, "Referenced"));
	ASSERT_EQ(TABLE, own_to_node(fd, memory, TABLE, 1));
	EXPECT_EQ(0, smaps_kb(memory, "Referenced"));
	ASSERT_TRUE(page_is(memory, 100, 1));
	ASSERT_EQ(KB(TABLE), smaps_kb(memory, "Referenced"));
	ASSERT_TRUE(left_alone(fd, memory, TABLE));
	EXPECT_EQ(KB(TABLE), smaps_kb(memory, "Referenced"));
	ASSERT_EQ(TABLE, own_to_node(fd, memory, TABLE, 0));
	EXPECT_EQ(KB(TABLE), smaps_kb(memory, "Referenced"));
	EXPECT_EQ(2048, huge_pages_kb(memory));
	close(fd);
}

/* Small pages that are left, some used, some not. */
TEST(used_and_left)
{
	char *memory = pages_map(PAGES);
	int fd = own_open();
	size_t page;

	ASSERT_GE(fd, 0);
	fill(memory, PAGES, 1);
	ASSERT_EQ(0, file_write("/proc/self/clear_refs", "1"));
	ASSERT_TRUE(left_alone(fd, memory, PAGES));
	ASSERT_EQ(0, smaps_kb(memory, "Referenced"));
	for (page = 0; page < PAGES; page += 2)
		ASSERT_TRUE(page_is(memory, page, 1));
	ASSERT_EQ(KB(PAGES / 2), smaps_kb(memory, "Referenced"));
	ASSERT_TRUE(left_alone(fd, memory, PAGES));
	EXPECT_EQ(KB(PAGES / 2), smaps_kb(memory, "Referenced"));
	close(fd);
}

TEST_F(mover, soft_dirty)
{
	char *memory = pages_map(PAGES);
	size_t page;

	if (!soft_dirty_exists())
		SKIP(return, NO_SOFT_DIRTY);
	fill(memory, PAGES, 1);
	ASSERT_EQ(0, file_write("/proc/self/clear_refs", "4"));
	for (page = 0; page < PAGES; page += 2)
		fill_page(memory, page, 2);
	ASSERT_EQ(PAGES / 2, with_flag(memory, PM_SOFT_DIRTY));
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	EXPECT_EQ(PAGES / 2, with_flag(memory, PM_SOFT_DIRTY));
	ASSERT_EQ(PAGES, mover_back(&self->mover, memory, PAGES));
	EXPECT_EQ(PAGES / 2, with_flag(memory, PM_SOFT_DIRTY));
	EXPECT_TRUE(pagemap(memory) & PM_SOFT_DIRTY);
	EXPECT_FALSE(pagemap(memory + PAGE) & PM_SOFT_DIRTY);
	fill_page(memory, 1, 2);
	EXPECT_EQ(PAGES / 2 + 1, with_flag(memory, PM_SOFT_DIRTY));
}

/*
 * A device writes without a trace in the page table. What it has written
 * counts as such when it comes back, what it could not write does not.
 */
TEST(soft_dirty_by_a_device)
{
	char *memory = pages_map(PAGES), *copy = pages_map(PAGES);
	size_t half = PAGES / 2, page;
	int fd = mirror_open(MIRROR_PRIVATE);

	if (!soft_dirty_exists())
		SKIP(return, NO_SOFT_DIRTY);
	ASSERT_GE(fd, 0);
	fill(memory, PAGES, 1);
	fill(copy, PAGES, 2);
	ASSERT_EQ(0, mprotect(memory, half * PAGE, PROT_READ));
	ASSERT_EQ(PAGES, mirror_to_device(fd, memory, PAGES));
	ASSERT_EQ(0, file_write("/proc/self/clear_refs", "4"));
	ASSERT_EQ(0, with_flag(memory, PM_SOFT_DIRTY));
	ASSERT_EQ(half, mirror_command(fd, HMM_DMIRROR_WRITE,
				       memory + half * PAGE, half,
				       copy + half * PAGE));
	mirror_to_system(fd, memory, PAGES);
	ASSERT_EQ(PAGES, pages_at(memory, PAGES, SYSTEM));
	EXPECT_EQ(half, with_flag(memory, PM_SOFT_DIRTY));
	EXPECT_TRUE(pagemap(memory + half * PAGE) & PM_SOFT_DIRTY);
	EXPECT_EQ(-1, wrong(memory, half, 1));
	for (page = half; page < PAGES; page++)
		ASSERT_TRUE(page_is(memory, page, 2));
	close(fd);
}

/* Memory that a device has made is written, and new to whoever looks. */
TEST_F(mover, soft_dirty_holes)
{
	char *memory = pages_map(PAGES);

	if (!soft_dirty_exists())
		SKIP(return, NO_SOFT_DIRTY);
	ASSERT_EQ(0, file_write("/proc/self/clear_refs", "4"));
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	EXPECT_EQ(PAGES, with_flag(memory, PM_SOFT_DIRTY));
	ASSERT_EQ(PAGES, mover_back(&self->mover, memory, PAGES));
	EXPECT_EQ(PAGES, with_flag(memory, PM_SOFT_DIRTY));
}

/* What the process may not read a device does not see either. */
TEST_F(mover, no_access)
{
	char *memory = pages_map(PAGES);
	int fd = own_open();

	ASSERT_GE(fd, 0);
	fill(memory, PAGES, 1);
	ASSERT_EQ(0, mprotect(memory, PAGES * PAGE, PROT_NONE));
	EXPECT_EQ(-EINVAL, mover_away(&self->mover, memory, PAGES));
	EXPECT_EQ(-EINVAL, own_to_device(fd, memory, PAGES));
	EXPECT_FALSE(can_read(memory));
	ASSERT_EQ(0, mprotect(memory, PAGES * PAGE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	EXPECT_TRUE(written_in_place(memory));
	close(fd);
}

/* Access that is taken away meanwhile, and given back. */
TEST_F(mover, no_access_while_away)
{
	char *memory = pages_map(PAGES);

	fill(memory, PAGES, 1);
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	ASSERT_EQ(0, mprotect(memory, PAGES * PAGE, PROT_NONE));
	EXPECT_FALSE(can_read(memory));
	EXPECT_EQ(-EINVAL, mover_back(&self->mover, memory, PAGES));
	ASSERT_EQ(0, mprotect(memory, PAGES * PAGE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	mover_back(&self->mover, memory, PAGES);
	EXPECT_TRUE(written_in_place(memory));
}

/* A mapping that can no longer be changed: its pages can be anywhere. */
TEST_F(mover, sealed)
{
	char *memory = pages_map(PAGES);

	fill(memory, PAGES, 1);
	ASSERT_EQ(0, syscall(SYS_mseal, memory, PAGES * PAGE, 0));
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	EXPECT_EQ(-1, munmap(memory, PAGES * PAGE));
	EXPECT_EQ(EPERM, errno);
	ASSERT_EQ(PAGES, mover_back(&self->mover, memory, PAGES));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	EXPECT_TRUE(written_in_place(memory));
}

#define NUMA	"/sys/kernel/debug/sched/numa_balancing/"

/* Touches no memory that matters, and lets the kernel scan the rest. */
static bool hinted(long before)
{
	__u64 end = now_ns() + 8000000000ULL * patience();

	while (now_ns() < end)
		if (vm_count("numa_pte_updates") >= before + PAGES)
			return true;
	return false;
}

static int move_hinted_pages(char *memory, int fd)
{
	long before = vm_count("numa_pte_updates"), faults;

	if (own_to_node(fd, memory, PAGES, 1) != PAGES)
		return 1;
	if (!hinted(before))
		return 2;
	file_write("/proc/sys/kernel/numa_balancing", "0");
	if (own_to_device(fd, memory, PAGES) != PAGES)
		return 3;
	if (own_to_system(fd, memory, PAGES) != PAGES)
		return 4;
	faults = vm_count("numa_hint_faults");
	if (wrong(memory, PAGES, 1) != -1)
		return 5;
	/* Other memory of the process may still have some. */
	return vm_count("numa_hint_faults") < faults + PAGES / 4 ? 0 : 6;
}

/*
 * The kernel has taken access away for a moment, to see which processor
 * misses it. To move such a page is an answer too: the trap is gone. A new
 * process goes by the new periods, and is scanned where it is far from its
 * memory.
 */
TEST(numa_hints)
{
	char *memory = pages_map(PAGES);
	int fd = own_open();
	pid_t child;

	if (access("/proc/sys/kernel/numa_balancing", F_OK))
		SKIP(return, "this kernel has no NUMA balancing");
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, file_write(NUMA "scan_delay_ms", "1"));
	ASSERT_EQ(0, file_write(NUMA "scan_period_min_ms", "20"));
	ASSERT_EQ(0, file_write(NUMA "scan_period_max_ms", "20"));
	ASSERT_EQ(0, file_write("/proc/sys/kernel/numa_balancing", "1"));
	ASSERT_EQ(0, syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0));
	on_cpu(0);
	child = fork();
	if (!child) {
		fill(memory, PAGES, 1);
		_exit(move_hinted_pages(memory, fd));
	}
	EXPECT_EQ(0, end_of(child));
	file_write(NUMA "scan_delay_ms", "1000");
	file_write(NUMA "scan_period_min_ms", "1000");
	file_write(NUMA "scan_period_max_ms", "60000");
	file_write("/proc/sys/kernel/numa_balancing", "1");
	close(fd);
}

/* A stack is anonymous memory like any other. */
TEST_F(mover, stack)
{
	char on_stack[16 * PAGE + PAGE];
	char *memory = (char *)(((uintptr_t)on_stack + PAGE - 1) & -PAGE);

	fill(memory, 16, 1);
	mover_away(&self->mover, memory, 16);
	EXPECT_EQ(-1, wrong(memory, 16, 1));
	mover_back(&self->mover, memory, 16);
	EXPECT_EQ(-1, wrong(memory, 16, 1));
}

TEST_HARNESS_MAIN
