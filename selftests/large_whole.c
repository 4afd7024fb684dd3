// SPDX-License-Identifier: GPL-2.0
/*
 * Large folios that all of is asked for, with destinations as large: they move
 * whole, away and back, and are mapped as before. Only what goes to a coherent
 * device is split.
 */
#include <linux/mman.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "mover_fixture.h"

#define PAGES	TABLE
#define RSS_SLACK	64	/* kB: the stack, and what the C library keeps */
#define MLOCK_BATCHES	64	/* pages that processors have yet to count */

static char *huge_page(struct __test_metadata *_metadata)
{
	char *memory = huge_pages_map(1, 1);

	ASSERT_NE(NULL, memory)
		TH_LOG("the kernel made no huge page");
	return memory;
}

static char *folios_of_16(struct __test_metadata *_metadata)
{
	char *memory = pages_map(PAGES);

	folio_order_set(4);
	ASSERT_EQ(0, madvise(memory, PAGES * PAGE, MADV_HUGEPAGE));
	fill(memory, PAGES, 1);
	folio_order_reset();
	ASSERT_EQ(32, folios_of_order(memory, PAGES, 4));
	return memory;
}

static bool stays_whole(const struct mover *mover)
{
	return mover->away != COHERENT;
}

/* Away and back, in one piece if the destination lets it. */
static void round_trip(struct __test_metadata *_metadata, struct mover *mover,
		       char *memory)
{
	ASSERT_EQ(0, stats_on());
	ASSERT_EQ(PAGES, mover_away(mover, memory, PAGES));
	EXPECT_TRUE(mover_is_away(mover, memory, PAGES));
	ASSERT_EQ(PAGES, mover_back(mover, memory, PAGES));
	EXPECT_EQ(PAGES, pages_at(memory, PAGES, SYSTEM));
	if (stays_whole(mover))
		EXPECT_EQ(0, stats("splits"));
	stats_off();
}

TEST_F(mover, huge_page)
{
	long huge = vm_count("nr_anon_transparent_hugepages");
	char *memory = huge_page(_metadata);

	round_trip(_metadata, &self->mover, memory);
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	if (stays_whole(&self->mover))
		EXPECT_EQ(2048, huge_pages_kb(memory));
	pages_unmap(memory, PAGES);
	EXPECT_EQ(huge, vm_count("nr_anon_transparent_hugepages"));
}

/* Folios of every order between a page and a page table. */
TEST_F(mover, mthp)
{
	unsigned int order;
	char *memory;

	for (order = 2; order < 9; order++) {
		folio_order_set(order);
		memory = pages_map(PAGES);
		ASSERT_EQ(0, madvise(memory, PAGES * PAGE, MADV_HUGEPAGE));
		fill(memory, PAGES, order);
		folio_order_reset();
		ASSERT_EQ(PAGES >> order, folios_of_order(memory, PAGES, order))
			TH_LOG("the kernel made other folios than of order %u",
			       order);

		round_trip(_metadata, &self->mover, memory);
		EXPECT_EQ(-1, wrong(memory, PAGES, order));
		if (stays_whole(&self->mover))
			EXPECT_EQ(PAGES >> order,
				  folios_of_order(memory, PAGES, order))
				TH_LOG("order %u", order);
		pages_unmap(memory, PAGES);
	}
}

/* mTHP of which a window has only a part: the others move whole all the same. */
TEST_F(mover, mthp_in_part)
{
	char *memory;

	memory = folios_of_16(_metadata);

	ASSERT_EQ(100, mover_away(&self->mover, memory + 10 * PAGE, 100));
	EXPECT_TRUE(mover_is_away(&self->mover, memory + 10 * PAGE, 100));
	EXPECT_TRUE(mover_none_away(&self->mover, memory + 9 * PAGE, 1));
	EXPECT_TRUE(mover_none_away(&self->mover, memory + 110 * PAGE, 1));
	ASSERT_EQ(100, mover_back(&self->mover, memory + 10 * PAGE, 100));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	if (stays_whole(&self->mover))
		EXPECT_EQ(30, folios_of_order(memory, PAGES, 4));
}

/* The device, or the copy, sees all of the pages. */
TEST(device_changes_all_pages)
{
	struct hmm_test_move move;
	char *memory = huge_page(_metadata);
	int fd = own_open();

	ASSERT_GE(fd, 0);
	move = own_request(memory, PAGES, HMM_TEST_TO_DEVICE,
			   HMM_TEST_FROM_SYSTEM | HMM_TEST_LARGE);
	move.driver.stamp = 0x5a;
	ASSERT_EQ(0, own_call(fd, &move));
	EXPECT_EQ(PAGES, move.result.migrated);
	EXPECT_EQ(1, move.result.given);
	ASSERT_EQ(PAGES, own_to_system(fd, memory, PAGES));
	EXPECT_EQ(0, wrong(memory, PAGES, 1));
	move.driver.stamp = 0x5a;
	ASSERT_EQ(0, own_call(fd, &move));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	EXPECT_EQ(0, own_in_use(fd));
}

TEST_F(mover, shared_with_a_child)
{
	char *memory = huge_page(_metadata);
	struct pair pair;
	pid_t child;

	pair_init(&pair);
	child = fork();
	if (!child) {
		pair_child_turn(&pair);
		if (wrong(memory, PAGES, 1) != -1)
			_exit(1);
		fill(memory, PAGES, 2);
		_exit(wrong(memory, PAGES, 2) == -1 ? 0 : 2);
	}
	ASSERT_TRUE(pair_wait(&pair));
	round_trip(_metadata, &self->mover, memory);
	EXPECT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	pair_go(&pair);
	EXPECT_EQ(0, end_of(child));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	fill(memory, PAGES, 3);
	EXPECT_EQ(-1, wrong(memory, PAGES, 3));
}

/* The child has written to a part of it: its page table maps the rest. */
TEST_F(mover, shared_in_part)
{
	char *memory = huge_page(_metadata);
	struct pair pair;
	pid_t child;

	pair_init(&pair);
	child = fork();
	if (!child) {
		fill(memory, 100, 2);
		pair_child_turn(&pair);
		if (wrong(memory, 100, 2) != -1)
			_exit(1);
		_exit(page_is(memory, 100, 1) && page_is(memory, 511, 1) ? 0 :
									   2);
	}
	ASSERT_TRUE(pair_wait(&pair));
	round_trip(_metadata, &self->mover, memory);
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	pair_go(&pair);
	EXPECT_EQ(0, end_of(child));
}

/* The CPU touches one page of it, and all of it comes back. */
TEST_F(mover, fault)
{
	struct hmm_test_fault whole = { .window = TABLE };
	char *memory = huge_page(_metadata);

	if (self->mover.kind == OWN_DEVICE)
		ASSERT_EQ(0, ioctl(self->mover.fd, HMM_TEST_FAULT, &whole));
	ASSERT_EQ(0, stats_on());
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	EXPECT_TRUE(page_is(memory, 300, 1));
	if (self->mover.away == PRIVATE) {
		EXPECT_EQ(PAGES, pages_at(memory, PAGES, SYSTEM));
		EXPECT_EQ(2048, huge_pages_kb(memory));
		EXPECT_EQ(0, stats("splits"));
	}
	stats_off();
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

/* A page table maps it, because a part of it has been unmapped. */
TEST_F(mover, fault_on_the_rest)
{
	char *memory = huge_page(_metadata);

	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	pages_unmap(memory, 100);
	EXPECT_TRUE(page_is(memory, 300, 1));
	EXPECT_TRUE(page_is(memory, 100, 1));
	EXPECT_TRUE(page_is(memory, 511, 1));
	fill_page(memory, 400, 2);
	EXPECT_TRUE(page_is(memory, 400, 2));
}

/* As large as what a page table maps, four of them in one request. */
TEST(holes)
{
	struct hmm_test_move move;
	char *memory = pages_map(4 * TABLE);
	int fd = own_open();
	size_t page;

	ASSERT_GE(fd, 0);
	move = own_request(memory, 4 * TABLE, HMM_TEST_TO_DEVICE,
			   HMM_TEST_FROM_SYSTEM | HMM_TEST_LARGE);
	ASSERT_EQ(0, own_call(fd, &move));
	EXPECT_EQ(4 * TABLE, move.result.holes);
	EXPECT_EQ(4 * TABLE, move.result.migrated);
	EXPECT_EQ(4, move.result.given)
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(4 * TABLE, pages_at(memory, 4 * TABLE, PRIVATE));
	ASSERT_EQ(4 * TABLE, own_to_system(fd, memory, 4 * TABLE));
	EXPECT_EQ(4 * 2048, huge_pages_kb(memory));
	for (page = 0; page < 4 * TABLE; page++)
		ASSERT_TRUE(page_is_zero(memory, page));
	EXPECT_EQ(0, own_in_use(fd));
}

TEST_F(mover, hole)
{
	char *memory = pages_map(PAGES);
	long before = status_kb("RssAnon"), tables = status_kb("VmPTE");
	size_t page;

	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	EXPECT_TRUE(mover_is_away(&self->mover, memory, PAGES));
	EXPECT_LE(labs(status_kb("RssAnon") - before - 2048), RSS_SLACK);
	for (page = 0; page < PAGES; page++)
		ASSERT_TRUE(page_is_zero(memory, page));
	fill(memory, PAGES, 1);
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	pages_unmap(memory, PAGES);
	EXPECT_LE(labs(status_kb("RssAnon") - before), RSS_SLACK);
	EXPECT_EQ(tables, status_kb("VmPTE"));
}

/* Memory that wants no huge pages gets none from a device either. */
static void expect_small_pages(struct __test_metadata *_metadata, char *memory)
{
	struct hmm_test_move move;
	int fd = own_open();

	ASSERT_GE(fd, 0);
	move = own_request(memory, PAGES, HMM_TEST_TO_DEVICE,
			   HMM_TEST_FROM_SYSTEM | HMM_TEST_LARGE);
	ASSERT_EQ(0, own_call(fd, &move));
	EXPECT_EQ(PAGES, move.result.migrated);
	EXPECT_EQ(PAGES, move.result.given);
	EXPECT_EQ(PAGES, own_to_system(fd, memory, PAGES));
	EXPECT_EQ(0, huge_pages_kb(memory));
	close(fd);
}

TEST(hole_of_small_pages)
{
	char *memory = pages_map(TABLE);

	ASSERT_EQ(0, madvise(memory, PAGES * PAGE, MADV_NOHUGEPAGE));
	expect_small_pages(_metadata, memory);
}

/* Nor does that of a process which wants none. */
TEST(hole_of_a_process_of_small_pages)
{
	char *memory = pages_map(TABLE);

	ASSERT_EQ(0, prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	expect_small_pages(_metadata, memory);
}

TEST(huge_zero_page_of_small_pages)
{
	char *memory = pages_map(PAGES);

	ASSERT_EQ(0, madvise(memory, PAGES * PAGE, MADV_HUGEPAGE));
	ASSERT_TRUE(page_is_zero(memory, 5));
	ASSERT_EQ(PAGES, pages_at(memory, PAGES, SYSTEM));
	ASSERT_EQ(0, madvise(memory, PAGES * PAGE, MADV_NOHUGEPAGE));
	expect_small_pages(_metadata, memory);
}

TEST(huge_zero_page)
{
	struct hmm_test_move move;
	char *memory = pages_map(PAGES);
	int fd = own_open();
	size_t page;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, madvise(memory, PAGES * PAGE, MADV_HUGEPAGE));
	ASSERT_TRUE(page_is_zero(memory, 5));
	ASSERT_EQ(PAGES, pages_at(memory, PAGES, SYSTEM));
	move = own_request(memory, PAGES, HMM_TEST_TO_DEVICE,
			   HMM_TEST_FROM_SYSTEM | HMM_TEST_LARGE);
	ASSERT_EQ(0, own_call(fd, &move));
	EXPECT_EQ(PAGES, move.result.migrated);
	EXPECT_EQ(1, move.result.given);
	EXPECT_EQ(PAGES, pages_at(memory, PAGES, PRIVATE));
	for (page = 0; page < PAGES; page++)
		ASSERT_TRUE(page_is_zero(memory, page));
	fill(memory, PAGES, 1);
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

/* Somebody holds one of the pages: all stay, and are not split for nothing. */
TEST_F(mover, held)
{
	char *memory = huge_page(_metadata);
	int fd = own_open();

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, own_hold(fd, pfn_of(memory + 7 * PAGE),
			      HMM_TEST_HOLD_REFERENCE));
	mover_away(&self->mover, memory, PAGES);
	EXPECT_TRUE(mover_none_away(&self->mover, memory, PAGES));
	EXPECT_EQ(2048, huge_pages_kb(memory));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	ASSERT_EQ(0, own_hold(fd, 0, HMM_TEST_RELEASE_ALL));
	round_trip(_metadata, &self->mover, memory);
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

static bool is_soft_dirty(const char *memory)
{
	return pagemap(memory + 5 * PAGE) & PM_SOFT_DIRTY;
}

/* Nobody has written, nor may a device: it is as clean afterwards. */
TEST_F(mover, soft_dirty)
{
	char *memory = huge_page(_metadata);

	if (!soft_dirty_exists())
		SKIP(return, NO_SOFT_DIRTY);
	ASSERT_EQ(0, file_write("/proc/self/clear_refs", "4"));
	ASSERT_FALSE(is_soft_dirty(memory));
	round_trip(_metadata, &self->mover, memory);
	EXPECT_FALSE(is_soft_dirty(memory));

	ASSERT_EQ(0, mprotect(memory, PAGES * PAGE, PROT_READ));
	ASSERT_EQ(0, file_write("/proc/self/clear_refs", "4"));
	round_trip(_metadata, &self->mover, memory);
	EXPECT_FALSE(is_soft_dirty(memory));

	ASSERT_EQ(0, mprotect(memory, PAGES * PAGE, PROT_READ | PROT_WRITE));
	fill_page(memory, 5, 2);
	round_trip(_metadata, &self->mover, memory);
	EXPECT_TRUE(is_soft_dirty(memory));
}

TEST_F(mover, write_protected)
{
	char *memory = huge_page(_metadata);
	struct uffdio_api api = {
		.api = UFFD_API, .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP,
	};
	struct uffdio_register reg = {
		.range = { (uintptr_t)memory, PAGES * PAGE },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};
	struct uffdio_writeprotect protect = {
		.range = { (uintptr_t)memory, PAGES * PAGE },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	size_t page;

	ASSERT_GE(uffd, 0);
	ASSERT_EQ(0, ioctl(uffd, UFFDIO_API, &api));
	ASSERT_EQ(0, ioctl(uffd, UFFDIO_REGISTER, &reg));
	ASSERT_EQ(0, ioctl(uffd, UFFDIO_WRITEPROTECT, &protect));
	round_trip(_metadata, &self->mover, memory);
	for (page = 0; page < PAGES; page++)
		ASSERT_TRUE(pagemap(memory + page * PAGE) & PM_UFFD_WP);
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	EXPECT_EQ(0, close(uffd));
}

TEST_F(mover, exclusive_as_before)
{
	char *memory = huge_page(_metadata);
	size_t page;

	round_trip(_metadata, &self->mover, memory);
	for (page = 0; page < PAGES; page++)
		ASSERT_TRUE(pagemap(memory + page * PAGE) & PM_EXCLUSIVE);
}

TEST_F(mover, mlocked)
{
	long locked = vm_count("nr_mlock");
	char *memory = huge_page(_metadata);

	ASSERT_EQ(0, mlock(memory, PAGES * PAGE));
	round_trip(_metadata, &self->mover, memory);
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	EXPECT_EQ(2048, status_kb("VmLck"));
	pages_unmap(memory, PAGES);
	EXPECT_LE(labs(vm_count("nr_mlock") - locked), MLOCK_BATCHES);
}

/* A page table maps it, and it counts as locked afterwards all the same. */
TEST_F(mover, mlocked_mthp)
{
	long locked = vm_count("nr_mlock");
	char *memory;

	memory = folios_of_16(_metadata);
	ASSERT_EQ(0, mlock(memory, PAGES * PAGE));
	round_trip(_metadata, &self->mover, memory);
	EXPECT_LE(labs(vm_count("nr_mlock") - locked - (long)PAGES),
		  MLOCK_BATCHES);
	pages_unmap(memory, PAGES);
	EXPECT_LE(labs(vm_count("nr_mlock") - locked), MLOCK_BATCHES);
}

/* Some pages of each folio may be written, and are this process's alone. */
TEST_F(mover, mlocked_mthp_of_differing_pages)
{
	long locked = vm_count("nr_mlock");
	char *memory = folios_of_16(_metadata);
	size_t page;
	pid_t child;

	ASSERT_EQ(0, mlock(memory, PAGES * PAGE));
	child = fork();
	if (!child)
		_exit(0);
	ASSERT_EQ(0, end_of(child));
	for (page = 0; page < PAGES; page += 16)
		fill_page(memory, page + 3, 1);
	ASSERT_EQ(32, folios_of_order(memory, PAGES, 4));
	round_trip(_metadata, &self->mover, memory);
	EXPECT_LE(labs(vm_count("nr_mlock") - locked - (long)PAGES),
		  MLOCK_BATCHES);
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	pages_unmap(memory, PAGES);
	EXPECT_LE(labs(vm_count("nr_mlock") - locked), MLOCK_BATCHES);
}

/* It is the child's pages that are locked, and its parent's that are moved. */
TEST_F(mover, mlocked_mthp_of_a_child)
{
	long locked = vm_count("nr_mlock");
	char *memory = folios_of_16(_metadata);
	struct pair pair;
	pid_t child;

	pair_init(&pair);
	child = fork();
	if (!child) {
		if (syscall(SYS_mlock2, memory, PAGES * PAGE, MLOCK_ONFAULT))
			_exit(1);
		pair_child_turn(&pair);
		_exit(wrong(memory, PAGES, 1) == -1 ? 0 : 2);
	}
	ASSERT_TRUE(pair_wait(&pair));
	ASSERT_LE(labs(vm_count("nr_mlock") - locked - (long)PAGES),
		  MLOCK_BATCHES);
	round_trip(_metadata, &self->mover, memory);
	EXPECT_LE(labs(vm_count("nr_mlock") - locked - (long)PAGES),
		  MLOCK_BATCHES);
	pair_go(&pair);
	EXPECT_EQ(0, end_of(child));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	EXPECT_LE(labs(vm_count("nr_mlock") - locked), MLOCK_BATCHES);
}

#define SIZE_STATS \
	"/sys/kernel/mm/transparent_hugepage/hugepages-64kB/stats/"

static long partly_mapped(void)
{
	return file_number(SIZE_STATS "nr_anon_partially_mapped", NULL);
}

/* Shared folios that the driver leaves are not queued to be split. */
TEST(declined_mthp)
{
	struct hmm_test_move move;
	char *memory = folios_of_16(_metadata);
	long before = partly_mapped();
	int fd = own_open();
	struct pair pair;
	pid_t child;

	ASSERT_GE(fd, 0);
	ASSERT_LE(0, before);
	pair_init(&pair);
	child = fork();
	if (!child) {
		pair_child_turn(&pair);
		_exit(wrong(memory, PAGES, 1) == -1 ? 0 : 2);
	}
	ASSERT_TRUE(pair_wait(&pair));
	move = own_request(memory, PAGES, HMM_TEST_TO_DEVICE,
			   HMM_TEST_FROM_SYSTEM | HMM_TEST_LARGE);
	move.driver.drop_percent = 100;
	ASSERT_EQ(0, own_call(fd, &move));
	EXPECT_EQ(PAGES, move.result.left[HMM_TEST_DECLINED]);
	EXPECT_EQ(before, partly_mapped());
	EXPECT_EQ(32, folios_of_order(memory, PAGES, 4));
	pair_go(&pair);
	EXPECT_EQ(0, end_of(child));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	close(fd);
}

#define GROUP	"/sys/fs/cgroup/hmm_migrate_large"

/* A group without any large folio gets its first one from the device. */
TEST(hole_in_a_new_group)
{
	char *memory = pages_map(TABLE);
	int fd = own_open();
	pid_t child;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, mkdir(GROUP, 0755));
	child = fork();
	if (!child) {
		struct hmm_test_fault whole = { .window = TABLE };

		if (file_write(GROUP "/cgroup.procs", "0"))
			_exit(1);
		if (ioctl(fd, HMM_TEST_FAULT, &whole) ||
		    own_to_device(fd, memory, PAGES) != PAGES)
			_exit(2);
		if (!page_is_zero(memory, 5) ||
		    huge_pages_kb(memory) != 2048)
			_exit(3);
		/* Queued to be split, of one order and then of another. */
		pages_unmap(memory, 100);
		fill(memory + 100 * PAGE, 400, 1);
		_exit(wrong(memory + 100 * PAGE, 400, 1) == -1 ? 0 : 4);
	}
	EXPECT_EQ(0, end_of(child));
	EXPECT_EQ(0, rmdir(GROUP));
	EXPECT_EQ(0, own_in_use(fd));
}

static long evict(struct __test_metadata *_metadata, int fd, __u64 first,
		  __u64 npages)
{
	struct hmm_test_evict evict = {
		.first_pfn = first,
		.npages = npages,
		.function = HMM_TEST_DEVICE_RANGE,
		.flags = HMM_TEST_TO_SYSTEM | HMM_TEST_LARGE,
	};

	EXPECT_EQ(0, own_evict(fd, &evict));
	EXPECT_EQ(0, evict.result.ret);
	return evict.result.migrated;
}

TEST(evicted)
{
	char *memory = huge_page(_metadata);
	int fd = own_open();

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, stats_on());
	ASSERT_EQ(PAGES, own_to_device(fd, memory, PAGES));
	EXPECT_EQ(PAGES, evict(_metadata, fd, pfn_of(memory), PAGES));
	EXPECT_EQ(0, stats("splits"));
	stats_off();
	EXPECT_EQ(2048, huge_pages_kb(memory));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	EXPECT_EQ(0, own_in_use(fd));
}

/* The range begins and ends inside the folio. */
TEST(evicted_in_part)
{
	char *memory = huge_page(_metadata);
	int fd = own_open();

	ASSERT_GE(fd, 0);
	ASSERT_EQ(PAGES, own_to_device(fd, memory, PAGES));
	EXPECT_EQ(100, evict(_metadata, fd, pfn_of(memory) + 50, 100));
	EXPECT_EQ(100, pages_at(memory + 50 * PAGE, 100, SYSTEM));
	EXPECT_EQ(PAGES - 100, pages_at(memory, PAGES, PRIVATE));
	EXPECT_EQ(PAGES - 100, own_in_use(fd));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	EXPECT_EQ(0, own_in_use(fd));
}

/* The range begins before the folio: no window of it ends inside. */
TEST(evicted_with_neighbours)
{
	char *memory;
	int fd = own_open();

	ASSERT_GE(fd, 0);
	memory = folios_of_16(_metadata);
	ASSERT_EQ(PAGES, own_to_device(fd, memory, PAGES));
	ASSERT_EQ(0, stats_on());
	EXPECT_EQ(32, evict(_metadata, fd, pfn_of(memory), 32));
	EXPECT_EQ(16 + 4, evict(_metadata, fd, pfn_of(memory + 44 * PAGE), 20));
	EXPECT_EQ(1, stats("splits"));
	stats_off();
	EXPECT_EQ(PAGES - 52, own_in_use(fd));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	EXPECT_EQ(0, own_in_use(fd));
}

/* Two folios lie across the borders of areas: they come back whole as well. */
TEST(evicted_across_areas)
{
	char *memory;
	int fd = own_open();

	ASSERT_GE(fd, 0);
	memory = folios_of_16(_metadata);
	ASSERT_EQ(PAGES, own_to_device(fd, memory, PAGES));
	ASSERT_EQ(0, mprotect(memory + 24 * PAGE, 80 * PAGE, PROT_READ));
	ASSERT_EQ(0, stats_on());
	EXPECT_EQ(PAGES, evict(_metadata, fd, pfn_of(memory), PAGES));
	EXPECT_EQ(0, stats("splits"));
	stats_off();
	EXPECT_EQ(32, folios_of_order(memory, PAGES, 4));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	EXPECT_EQ(0, own_in_use(fd));
}

/* Only the rest comes back: the memory of the other pages is free. */
TEST(evicted_after_a_part_is_gone)
{
	char *memory = huge_page(_metadata);
	int fd = own_open();
	size_t page;
	__u64 first;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(PAGES, own_to_device(fd, memory, PAGES));
	first = pfn_of(memory);
	pages_unmap(memory, 500);
	EXPECT_EQ(12, evict(_metadata, fd, first, PAGES));
	EXPECT_EQ(0, own_in_use(fd));
	EXPECT_EQ(0, folios_of_order(memory + 500 * PAGE, 8, 2));
	for (page = 500; page < PAGES; page++)
		ASSERT_TRUE(page_is(memory, page, 1));
}

TEST_HARNESS_MAIN
