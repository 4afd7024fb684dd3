// SPDX-License-Identifier: GPL-2.0
/*
 * Mappings that are not memory of the kind that moves: the call fails and
 * nothing has changed. (A shadow stack cannot be made on a machine without
 * that feature, which emulation lacks; its flag is checked by KUnit.)
 */
#include <errno.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "test.h"
#include "test_hmm_uapi.h"

FIXTURE(vmas)
{
	int fd;
	int mirror;
};

FIXTURE_SETUP(vmas)
{
	self->fd = own_open();
	ASSERT_GE(self->fd, 0);
	self->mirror = mirror_open(MIRROR_PRIVATE);
	ASSERT_GE(self->mirror, 0);
}

FIXTURE_TEARDOWN(vmas)
{
	close(self->fd);
	close(self->mirror);
}

static void expect_refused(struct __test_metadata *_metadata, int fd,
			   int mirror, void *memory, size_t npages)
{
	struct hmm_test_move move;
	int function;

	for (function = HMM_TEST_VMA_MIGRATE; function <= HMM_TEST_CALLER_2016;
	     function++) {
		move = own_request(memory, npages, HMM_TEST_TO_NODE,
				   HMM_TEST_TO_SYSTEM);
		move.function = function;
		ASSERT_EQ(0, own_call(fd, &move));
		EXPECT_EQ(-EINVAL, move.result.ret)
			TH_LOG("function %d: %s", function,
			       own_describe(&move.result));
		EXPECT_EQ(0, move.result.windows);
	}
	EXPECT_EQ(-EINVAL, own_to_device(fd, memory, npages));
	EXPECT_EQ(-EINVAL, mirror_to_device(mirror, memory, npages));
}

TEST_F(vmas, huge_tlb)
{
	long before = file_number("/proc/sys/vm/nr_hugepages", NULL);
	char *memory;

	ASSERT_EQ(0, file_write("/proc/sys/vm/nr_hugepages", "4"));
	memory = mmap(NULL, TABLE * PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	ASSERT_NE(MAP_FAILED, memory);
	fill(memory, TABLE, 1);
	expect_refused(_metadata, self->fd, self->mirror, memory, TABLE);
	EXPECT_EQ(-1, wrong(memory, TABLE, 1));
	munmap(memory, TABLE * PAGE);
	ASSERT_EQ(0, before);
	EXPECT_EQ(0, file_write("/proc/sys/vm/nr_hugepages", "0"));
}

/* Pages that a driver has put there one by one. */
TEST_F(vmas, mixed_map)
{
	char *memory = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			    self->mirror, 0);

	ASSERT_NE(MAP_FAILED, memory);
	fill(memory, 8, 1);
	expect_refused(_metadata, self->fd, self->mirror, memory, 8);
	EXPECT_EQ(-1, wrong(memory, 8, 1));
	munmap(memory, 8 * PAGE);
}

/* Pages of the kernel's, of which a process sees only the mapping. */
TEST_F(vmas, ring)
{
	struct io_uring_params params = {};
	int ring = syscall(SYS_io_uring_setup, 8, &params);
	char *memory;

	ASSERT_GE(ring, 0);
	memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQ_RING);
	ASSERT_NE(MAP_FAILED, memory);
	expect_refused(_metadata, self->fd, self->mirror, memory, 1);
	munmap(memory, PAGE);
	close(ring);
}

/* The same, which the kernel writes to behind the process's back. */
TEST_F(vmas, perf_ring)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CONTEXT_SWITCHES,
	};
	int event = syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
	char *memory;

	ASSERT_GE(event, 0) TH_LOG("no perf events in this kernel");
	memory = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, event,
		      0);
	ASSERT_NE(MAP_FAILED, memory);
	expect_refused(_metadata, self->fd, self->mirror, memory, 3);
	munmap(memory, 3 * PAGE);
	close(event);
}

static char *mapping_called(const char *name)
{
	unsigned long start = 0;
	char line[256];
	FILE *file = fopen("/proc/self/maps", "r");

	while (file && fgets(line, sizeof(line), file)) {
		if (strstr(line, name)) {
			start = strtoul(line, NULL, 16);
			break;
		}
	}
	if (file)
		fclose(file);
	return (char *)start;
}

/* Addresses without a struct page: the kernel's own variables for a process. */
TEST_F(vmas, pfn_map)
{
	char *memory = mapping_called("[vvar");

	ASSERT_NE(NULL, memory);
	expect_refused(_metadata, self->fd, self->mirror, memory, 1);
	EXPECT_NE(0, now_ns());
}

/* One page of the kernel's that all processes have. */
TEST_F(vmas, vdso)
{
	char *memory = mapping_called("[vdso]");

	ASSERT_NE(NULL, memory);
	expect_refused(_metadata, self->fd, self->mirror, memory, 1);
	EXPECT_NE(0, now_ns());
}

TEST_F(vmas, secret)
{
	char *memory, *copy = pages_map(8);
	int file = syscall(SYS_memfd_secret, 0);

	ASSERT_GE(file, 0) TH_LOG("no memfd_secret in this kernel");
	ASSERT_EQ(0, ftruncate(file, 8 * PAGE));
	memory = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file,
		      0);
	ASSERT_NE(MAP_FAILED, memory);
	fill(memory, 8, 1);
	expect_refused(_metadata, self->fd, self->mirror, memory, 8);
	EXPECT_EQ(-EFAULT, mirror_command(self->mirror, HMM_DMIRROR_READ,
					  memory, 8, copy));
	EXPECT_EQ(-EFAULT, mirror_command(self->mirror, HMM_DMIRROR_WRITE,
					  memory, 8, copy));
	EXPECT_EQ(-1, wrong(memory, 8, 1));
	munmap(memory, 8 * PAGE);
	close(file);
}

/* A file in persistent memory is its own page cache. */
TEST_F(vmas, dax)
{
	const char *where = "/tmp/dax";
	char *memory;
	int file;

	ASSERT_EQ(0, access("/dev/pmem0", F_OK))
		TH_LOG("the machine has no persistent memory");
	ASSERT_EQ(0, run("mke2fs -b 4096 /dev/pmem0 > /dev/null 2>&1"));
	mkdir(where, 0755);
	ASSERT_EQ(0, mount("/dev/pmem0", where, "ext2", 0, "dax"));
	file = open("/tmp/dax/file", O_CREAT | O_RDWR, 0600);
	ASSERT_GE(file, 0);
	ASSERT_EQ(0, ftruncate(file, 8 * PAGE));
	memory = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file,
		      0);
	ASSERT_NE(MAP_FAILED, memory);
	fill(memory, 8, 1);
	expect_refused(_metadata, self->fd, self->mirror, memory, 8);
	EXPECT_EQ(-1, wrong(memory, 8, 1));
	munmap(memory, 8 * PAGE);
	close(file);
	EXPECT_EQ(0, umount(where));
}

/* Two mappings side by side are two ranges. */
TEST_F(vmas, two_mappings)
{
	char *memory = pages_map(16);
	struct hmm_test_move move;

	fill(memory, 16, 1);
	ASSERT_EQ(0, mprotect(memory + 8 * PAGE, 8 * PAGE, PROT_READ));
	move = own_request(memory, 16, HMM_TEST_TO_DEVICE, 0);
	ASSERT_EQ(0, own_call(self->fd, &move));
	EXPECT_EQ(-EINVAL, move.result.ret);
	EXPECT_EQ(16, pages_at(memory, 16, SYSTEM));
	EXPECT_EQ(8, own_to_device(self->fd, memory, 8));
	EXPECT_EQ(8, own_to_device(self->fd, memory + 8 * PAGE, 8));
	EXPECT_EQ(-1, wrong(memory, 16, 1));
}

TEST_HARNESS_MAIN
