// SPDX-License-Identifier: GPL-2.0
/*
 * What patches/fixes/ repair in the rest of the kernel: who tracks writes must
 * not miss any to memory that is on a device, nor to what comes from there.
 * The manual (fixes.rst) tells which patch each test needs.
 */
#include <linux/fs.h>
#include <linux/mempolicy.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>

#include "test.h"
#include "test_hmm_uapi.h"

#define WRITTEN	5	/* the page that is written */

/*
 * So many pages, or one huge page of them, that go to a device. Mainline's
 * engine brings them back with what their entries say, and makes up nothing.
 */
FIXTURE(away)
{
	char *memory;
	int mirror, own;
};

FIXTURE_VARIANT(away)
{
	bool huge;
};

FIXTURE_VARIANT_ADD(away, pages)
{
	.huge = false,
};

FIXTURE_VARIANT_ADD(away, huge_page)
{
	.huge = true,
};

FIXTURE_SETUP(away)
{
	if (variant->huge && !huge_pages_exist())
		SKIP(return, NO_HUGE_PAGES);
	on_cpu(0);
	ASSERT_EQ(0, mirror_engine("mainline"));
	self->mirror = mirror_open(MIRROR_PRIVATE);
	self->own = own_open();
	ASSERT_GE(self->mirror, 0);
	ASSERT_GE(self->own, 0);
	if (variant->huge) {
		self->memory = huge_pages_map(1, 1);
		ASSERT_NE(NULL, self->memory) TH_LOG("no huge page");
	} else {
		self->memory = pages_map(TABLE);
		fill(self->memory, TABLE, 1);
	}
}

/* In the parent, for a child may not come to it. */
FIXTURE_TEARDOWN_PARENT(away)
{
	mirror_engine("hmm_migrate");
}

static int clear_soft_dirty(void)
{
	return file_write("/proc/self/clear_refs", "4");
}

static size_t soft_dirty(const char *memory)
{
	return pages_with(memory, TABLE, PM_SOFT_DIRTY);
}

static bool is_soft_dirty(const char *memory)
{
	return pagemap(memory + WRITTEN * PAGE) & PM_SOFT_DIRTY;
}

/* The device writes a page; false if it cannot. */
static bool device_writes(int mirror, char *memory)
{
	static char pages[WRITTEN + 1][PAGE];

	fill_page(pages, WRITTEN, 2);
	return mirror_command(mirror, HMM_DMIRROR_WRITE,
			      memory + WRITTEN * PAGE, 1, pages[WRITTEN]) == 1;
}

TEST_F(away, device_writes_after_clear_refs)
{
	if (!soft_dirty_exists())
		SKIP(return, NO_SOFT_DIRTY);
	ASSERT_EQ(TABLE, mirror_to_device(self->mirror, self->memory, TABLE));
	ASSERT_EQ(0, clear_soft_dirty());
	EXPECT_EQ(0, soft_dirty(self->memory));
	ASSERT_TRUE(device_writes(self->mirror, self->memory));
	EXPECT_TRUE(is_soft_dirty(self->memory));
	EXPECT_TRUE(page_is(self->memory, WRITTEN, 2));
}

/* The page has come back meanwhile, without the process having asked for it. */
TEST_F(away, process_writes_after_clear_refs)
{
	if (!soft_dirty_exists())
		SKIP(return, NO_SOFT_DIRTY);
	ASSERT_EQ(TABLE, mirror_to_device(self->mirror, self->memory, TABLE));
	ASSERT_EQ(0, clear_soft_dirty());
	close(mirror_open(MIRROR_PRIVATE));
	ASSERT_EQ(TABLE, pages_at(self->memory, TABLE, SYSTEM));
	fill_page(self->memory, WRITTEN, 2);
	EXPECT_TRUE(is_soft_dirty(self->memory));
}

struct eviction {
	int fd;
	__u64 words[TABLE];
};

static void *evict(void *argument)
{
	struct eviction *eviction = argument;
	struct hmm_test_evict evict = {
		.npages = TABLE,
		.words = (uintptr_t)eviction->words,
		.function = HMM_TEST_DEVICE_PFNS,
		.flags = HMM_TEST_TO_SYSTEM | HMM_TEST_LARGE,
		.driver.delay_alloc_us = 500000,
	};

	own_evict(eviction->fd, &evict);
	return NULL;
}

/* The driver empties its memory, and keeps no lock of the process meanwhile. */
TEST_F(away, clear_refs_in_a_migration)
{
	struct eviction eviction = { .fd = self->own };
	pthread_t thread;
	size_t page;

	if (!soft_dirty_exists())
		SKIP(return, NO_SOFT_DIRTY);
	ASSERT_EQ(TABLE, own_to_device(self->own, self->memory, TABLE));
	for (page = 0; page < TABLE; page++)
		eviction.words[page] =
			HMM_TEST_WORD_OF(pfn_of(self->memory + page * PAGE));
	ASSERT_EQ(0, pthread_create(&thread, NULL, evict, &eviction));
	ASSERT_EQ(0, own_wait_for_callback(self->own));
	ASSERT_EQ(0, clear_soft_dirty());
	pthread_join(thread, NULL);
	ASSERT_EQ(TABLE, pages_at(self->memory, TABLE, SYSTEM));
	EXPECT_EQ(TABLE, pages_with(self->memory, TABLE, PM_EXCLUSIVE));
	fill_page(self->memory, WRITTEN, 2);
	EXPECT_TRUE(is_soft_dirty(self->memory));
}

/* How many pages were written since the last scan. */
static long scan(const char *memory)
{
	struct page_region regions[8];
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.flags = PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC,
		.start = (uintptr_t)memory,
		.end = (uintptr_t)memory + TABLE * PAGE,
		.vec = (uintptr_t)regions,
		.vec_len = 8,
		.category_mask = PAGE_IS_WRITTEN,
		.return_mask = PAGE_IS_WRITTEN,
	};
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	long nr = ioctl(fd, PAGEMAP_SCAN, &arg), count = 0, i;

	for (i = 0; i < nr; i++)
		count += (regions[i].end - regions[i].start) / PAGE;
	close(fd);
	return nr < 0 ? nr : count;
}

TEST_F(away, scan)
{
	int uffd = uffd_open(UFFD_FEATURE_WP_ASYNC);

	ASSERT_GE(uffd, 0);
	ASSERT_EQ(0, uffd_register(uffd, self->memory, TABLE,
				   UFFDIO_REGISTER_MODE_WP));
	ASSERT_EQ(TABLE, mirror_to_device(self->mirror, self->memory, TABLE));
	EXPECT_EQ(TABLE, scan(self->memory));
	EXPECT_EQ(0, scan(self->memory));
	ASSERT_TRUE(device_writes(self->mirror, self->memory));
	EXPECT_LT(0, scan(self->memory));
	EXPECT_TRUE(page_is(self->memory, WRITTEN, 2));
	mirror_to_system(self->mirror, self->memory, TABLE);
	ASSERT_EQ(TABLE, pages_at(self->memory, TABLE, SYSTEM));
	EXPECT_EQ(0, scan(self->memory));
	fill_page(self->memory, WRITTEN, 3);
	EXPECT_LT(0, scan(self->memory));
	close(uffd);
}

/* Pages on the device that were written before they went there. */
static void go_away_written(struct __test_metadata *_metadata, int mirror,
			    char *memory)
{
	ASSERT_EQ(0, clear_soft_dirty());
	fill(memory, TABLE, 2);
	ASSERT_EQ(TABLE, mirror_to_device(mirror, memory, TABLE));
	ASSERT_EQ(TABLE, soft_dirty(memory));
}

TEST_F(away, soft_dirty_after_fork)
{
	pid_t child;

	if (!soft_dirty_exists())
		SKIP(return, NO_SOFT_DIRTY);
	go_away_written(_metadata, self->mirror, self->memory);
	child = fork();
	if (!child)
		_exit(soft_dirty(self->memory) == TABLE ? 0 : 1);
	EXPECT_EQ(0, end_of(child));
	EXPECT_EQ(TABLE, soft_dirty(self->memory));
}

TEST_F(away, soft_dirty_after_mprotect)
{
	if (!soft_dirty_exists())
		SKIP(return, NO_SOFT_DIRTY);
	go_away_written(_metadata, self->mirror, self->memory);
	ASSERT_EQ(0, mprotect(self->memory, TABLE * PAGE, PROT_READ));
	EXPECT_EQ(TABLE, soft_dirty(self->memory));
}

TEST_F(away, soft_dirty_after_write_protection)
{
	int uffd = uffd_open(0);

	if (!soft_dirty_exists())
		SKIP(return, NO_SOFT_DIRTY);
	ASSERT_GE(uffd, 0);
	go_away_written(_metadata, self->mirror, self->memory);
	ASSERT_EQ(0, uffd_register(uffd, self->memory, TABLE,
				   UFFDIO_REGISTER_MODE_WP));
	ASSERT_EQ(0, uffd_wp(uffd, self->memory, TABLE, true));
	EXPECT_EQ(TABLE, soft_dirty(self->memory));
	close(uffd);
}

/* Moved to another node, without a device; nobody has written it. */
TEST_F(away, soft_dirty_after_migration)
{
	void *addr = self->memory + WRITTEN * PAGE;
	int node = 1, status = -1;

	if (!soft_dirty_exists())
		SKIP(return, NO_SOFT_DIRTY);
	if (!nodes_exist())
		SKIP(return, NO_NODES);
	ASSERT_EQ(0, clear_soft_dirty());
	ASSERT_EQ(0, syscall(SYS_move_pages, 0, 1, &addr, &node, &status,
			     MPOL_MF_MOVE));
	ASSERT_EQ(1, status);
	EXPECT_EQ(0, soft_dirty(self->memory));
	fill_page(self->memory, WRITTEN, 2);
	EXPECT_TRUE(is_soft_dirty(self->memory));
}

struct access {
	char *addr;
	__u64 cpu_ns;	/* that it took */
};

static void *access_memory(void *argument)
{
	struct access *access = argument;
	struct timespec used;

	__atomic_load_n(access->addr, __ATOMIC_RELAXED);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	access->cpu_ns = used.tv_sec * 1000000000ULL + used.tv_nsec;
	return NULL;
}

/* Who waits for a page that somebody has locked leaves the processor. */
TEST_F(away, fault_waits_for_the_lock)
{
	struct access access = { .addr = self->memory };
	pthread_t thread;

	ASSERT_EQ(TABLE, own_to_device(self->own, self->memory, TABLE));
	ASSERT_EQ(0, own_hold(self->own, pfn_of(self->memory),
			      HMM_TEST_HOLD_LOCK));
	ASSERT_EQ(0, pthread_create(&thread, NULL, access_memory, &access));
	sleep_ms(1500);
	ASSERT_EQ(0, own_hold(self->own, 0, HMM_TEST_RELEASE_ALL));
	pthread_join(thread, NULL);
	EXPECT_GT(500000000ULL, access.cpu_ns);
	EXPECT_EQ(-1, wrong(self->memory, TABLE, 1));
}

/* The driver asks for a part of what it has on its device. */
TEST_F(away, frames_of_a_part)
{
	__u64 pfns[8];
	size_t first, page;

	ASSERT_EQ(TABLE, own_to_device(self->own, self->memory, TABLE));
	for (first = 0; first < TABLE; first += TABLE / 4) {
		ASSERT_EQ(0, own_look(self->own, self->memory + first * PAGE,
				      8, pfns));
		for (page = 0; page < 8; page++)
			EXPECT_EQ(pfn_of(self->memory + (first + page) * PAGE),
				  pfns[page]);
	}
}

#define SOME	8	/* pages that are on the device */

static long scans(void)
{
	return khugepaged_count("full_scans");
}

/* Waits until the kernel's thread has seen the memory, which is in use. */
static bool is_scanned(const char *memory)
{
	long end = scans() + 3;
	size_t page;
	int tries;

	for (tries = 0; tries < 500 && scans() < end; tries++) {
		for (page = SOME; page < TABLE; page++)
			__atomic_load_n(memory + page * PAGE, __ATOMIC_RELAXED);
		sleep_ms(20);
	}
	return scans() >= end;
}

FIXTURE(awake)
{
	int fd;
};

FIXTURE_SETUP(awake)
{
	if (!huge_pages_exist())
		SKIP(return, NO_HUGE_PAGES);
	self->fd = own_open();
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(0, khugepaged_wake());
}

FIXTURE_TEARDOWN(awake)
{
	khugepaged_rest();
	close(self->fd);
}

/* No huge page is made of what a device has. */
TEST_F(awake, khugepaged)
{
	char *memory = pages_map(TABLE);

	fill(memory, TABLE, 1);
	ASSERT_EQ(SOME, own_to_device(self->fd, memory, SOME));
	ASSERT_EQ(0, madvise(memory, TABLE * PAGE, MADV_HUGEPAGE));
	EXPECT_TRUE(is_scanned(memory));
	EXPECT_EQ(SOME, pages_at(memory, SOME, PRIVATE));
	EXPECT_EQ(-1, wrong(memory, TABLE, 1));
}

TEST(collapse)
{
	char *memory = pages_map(TABLE);
	int fd = own_open();

	if (!huge_pages_exist())
		SKIP(return, NO_HUGE_PAGES);
	ASSERT_GE(fd, 0);
	fill(memory, TABLE, 1);
	ASSERT_EQ(SOME, own_to_device(fd, memory, SOME));
	EXPECT_EQ(-1, madvise(memory, TABLE * PAGE, MADV_COLLAPSE));
	EXPECT_EQ(SOME, pages_at(memory, SOME, PRIVATE));
	EXPECT_EQ(-1, wrong(memory, TABLE, 1));
	close(fd);
}

/* A device's memory cannot be taken out of use yet: nothing happens to it. */
TEST(coherent_memory_fails)
{
	char *memory = pages_map(TABLE);
	struct mover mover;

	ASSERT_EQ(0, mover_open(&mover, MIRROR_2));
	fill(memory, TABLE, 1);
	ASSERT_EQ(TABLE, mover_away(&mover, memory, TABLE));
	EXPECT_EQ(-1, madvise(memory + PAGE, PAGE, MADV_HWPOISON));
	EXPECT_EQ(ENXIO, errno);
	EXPECT_EQ(-1, wrong(memory, TABLE, 1));
	EXPECT_TRUE(mover_is_away(&mover, memory, TABLE));
	mover_close(&mover);
}

TEST_HARNESS_MAIN
