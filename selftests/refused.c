// SPDX-License-Identifier: GPL-2.0
/*
 * Kinds of memory that are not moved: they stay as they were, and the reason
 * is told for each page.
 */
#include <linux/mman.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

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

/* Two pages of equal contents, of which the kernel has made one. */
TEST_F(refused, merged)
{
	char *memory = pages_map(2 * PAGES);
	int tries;

	fill(memory, PAGES, 1);
	fill(memory + PAGES * PAGE, PAGES, 1);
	ASSERT_EQ(0, madvise(memory, 2 * PAGES * PAGE, MADV_MERGEABLE));
	file_write("/sys/kernel/mm/ksm/sleep_millisecs", "1");
	file_write("/sys/kernel/mm/ksm/pages_to_scan", "1000");
	ASSERT_EQ(0, file_write("/sys/kernel/mm/ksm/run", "1"));
	for (tries = 0; tries < 500; tries++) {
		if (file_number("/proc/self/ksm_merging_pages", NULL) ==
		    2 * PAGES)
			break;
		sleep_ms(20);
	}
	file_write("/sys/kernel/mm/ksm/run", "0");
	ASSERT_GT(500, tries) TH_LOG("ksmd has not merged the pages");
	ASSERT_EQ(pfn_of(memory), pfn_of(memory + PAGES * PAGE));
	expect_left(_metadata, self->fd, memory, 2 * PAGES, HMM_TEST_FROM_SYSTEM,
		    HMM_TEST_KIND);
	EXPECT_EQ(pfn_of(memory), pfn_of(memory + PAGES * PAGE));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	EXPECT_EQ(-1, wrong(memory + PAGES * PAGE, PAGES, 1));
	file_write("/sys/kernel/mm/ksm/run", "2");
	file_write("/sys/kernel/mm/ksm/run", "0");
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

/* Breaking memory signals it; one that only looks away would be killed. */
static void survive(int signal)
{
}

/* Broken memory; the process that reads it gets a signal, before and after. */
TEST_F(refused, poisoned)
{
	char *memory = pages_map(PAGES), command[128];
	struct hmm_test_move move;
	pid_t child;
	__u64 pfn;

	fill(memory, PAGES, 1);
	pfn = pfn_of(memory + 9 * PAGE);
	signal(SIGBUS, survive);
	ASSERT_EQ(0, madvise(memory + 9 * PAGE, PAGE, MADV_HWPOISON));
	move = own_request(memory, PAGES, HMM_TEST_TO_DEVICE, 0);
	ASSERT_EQ(0, own_call(self->fd, &move));
	EXPECT_EQ(1, move.result.left[HMM_TEST_POISONED])
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(PAGES - 1, move.result.migrated);
	child = fork();
	if (!child) {
		signal(SIGBUS, SIG_DFL);
		_exit(memory[9 * PAGE]);
	}
	EXPECT_EQ(128 + SIGBUS, end_of(child));
	EXPECT_EQ(-1, wrong(memory, 9, 1));
	pages_unmap(memory, PAGES);

	ASSERT_EQ(0, module_load("hwpoison-inject", ""));
	snprintf(command, sizeof(command), "%#llx", pfn);
	EXPECT_EQ(0, file_write("/sys/kernel/debug/hwpoison/unpoison-pfn",
				command));
	module_unload("hwpoison_inject");
}

static size_t write_protected(const char *memory)
{
	size_t page, count = 0;

	for (page = 0; page < PAGES; page++)
		if (pagemap(memory + page * PAGE) & PM_UFFD_WP)
			count++;
	return count;
}

/*
 * Somebody wants to know of the first write to a page that is the zero page:
 * that is forgotten if another page is put in its place.
 */
TEST_F(refused, write_protected_zero_page)
{
	struct uffdio_api api = { .api = UFFD_API };
	char *memory = pages_map(PAGES);
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)memory, .len = PAGES * PAGE },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};
	struct uffdio_writeprotect protect = {
		.range = reg.range,
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK), page;

	ASSERT_GE(uffd, 0);
	ASSERT_EQ(0, ioctl(uffd, UFFDIO_API, &api));
	for (page = 0; page < PAGES; page++)
		ASSERT_TRUE(page_is_zero(memory, page));
	ASSERT_EQ(0, ioctl(uffd, UFFDIO_REGISTER, &reg));
	ASSERT_EQ(0, ioctl(uffd, UFFDIO_WRITEPROTECT, &protect));
	ASSERT_TRUE(pagemap(memory) & PM_UFFD_WP);
	expect_left(_metadata, self->fd, memory, PAGES, HMM_TEST_FROM_SYSTEM,
		    HMM_TEST_KIND);
	EXPECT_EQ(PAGES, write_protected(memory));
	close(uffd);
}

/* The same of pages with contents: they move, and the mark moves along. */
TEST_F(refused, write_protected_page_keeps_its_mark)
{
	struct uffdio_api api = { .api = UFFD_API };
	char *memory = pages_map(PAGES);
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)memory, .len = PAGES * PAGE },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};
	struct uffdio_writeprotect protect = {
		.range = reg.range,
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	ASSERT_GE(uffd, 0);
	ASSERT_EQ(0, ioctl(uffd, UFFDIO_API, &api));
	fill(memory, PAGES, 1);
	ASSERT_EQ(0, ioctl(uffd, UFFDIO_REGISTER, &reg));
	ASSERT_EQ(0, ioctl(uffd, UFFDIO_WRITEPROTECT, &protect));
	ASSERT_EQ(PAGES, own_to_device(self->fd, memory, PAGES));
	EXPECT_EQ(PAGES, write_protected(memory));
	ASSERT_EQ(PAGES, own_to_system(self->fd, memory, PAGES));
	EXPECT_EQ(PAGES, write_protected(memory));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	close(uffd);
}

TEST_HARNESS_MAIN
