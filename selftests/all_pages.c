// SPDX-License-Identifier: GPL-2.0
/*
 * What every page of the machine says of itself when all that used it has
 * ended: nobody has it locked, no process's memory is mapped by no process, and
 * each page that is not to be reclaimed is on the list of those. To look at all
 * of them takes seconds, so that it is done once, by the last program but one.
 */
#include <linux/kernel-page-flags.h>

#include "test.h"

#define CHUNK	32768	/* pages to read at once */

static bool is_locked(__u64 flags)
{
	return flags & 1ULL << KPF_LOCKED;
}

static bool is_nobodys(__u64 flags)
{
	return (flags & 1ULL << KPF_ANON) &&
	       !(flags & (1ULL << KPF_MMAP | 1ULL << KPF_SWAPCACHE));
}

/*
 * Pages that broke while somebody had them are lost when they are freed, and
 * look as they did before. A kernel without NUMA does not count them.
 */
static bool count_lost(long *lost)
{
	char path[96];
	int node;

	*lost = 0;
	for (node = 0; node < 8; node++) {
		snprintf(path, sizeof(path),
			 "/sys/devices/system/node/node%d/memory_failure/ignored",
			 node);
		if (!access(path, R_OK))
			*lost += file_number(path, NULL);
	}
	return !access("/sys/devices/system/node/node0", F_OK);
}

/* For a moment the kernel itself may have it so. */
static bool stays(__u64 pfn, bool (*is_so)(__u64 flags))
{
	__u64 end = now_ns() + 1000000000ULL * patience();

	while (is_so(page_flags(pfn))) {
		if (now_ns() > end)
			return true;
		sleep_ms(1);
	}
	return false;
}

struct pages {
	long seen, locked, nobodys, unevictable;
};

static void look_at(struct __test_metadata *_metadata, int fd, __u64 pfn,
		    __u64 end, struct pages *pages)
{
	static __u64 flags[CHUNK];
	size_t most, i;
	ssize_t got;

	while (pfn < end) {
		most = end - pfn < CHUNK ? end - pfn : CHUNK;
		got = pread(fd, flags, most * sizeof(*flags),
			    pfn * sizeof(*flags));
		ASSERT_LT(0, got);
		for (i = 0; i < got / sizeof(*flags); i++, pfn++) {
			pages->seen++;
			pages->unevictable +=
				!!(flags[i] & 1ULL << KPF_UNEVICTABLE);
			if (is_locked(flags[i]) && stays(pfn, is_locked)) {
				TH_LOG("page %#llx is locked", pfn);
				pages->locked++;
			}
			if (is_nobodys(flags[i]) && stays(pfn, is_nobodys)) {
				TH_LOG("page %#llx is nobody's", pfn);
				pages->nobodys++;
			}
		}
	}
}

/* Of a device's pages the kernel tells nothing there. */
TEST(flags)
{
	unsigned long long start, end;
	struct pages pages = {};
	char line[256];
	FILE *regions;
	long lost;
	int fd;

	vm_settled("nr_mlock");
	fd = open("/proc/kpageflags", O_RDONLY);
	ASSERT_GE(fd, 0);
	regions = fopen("/proc/iomem", "r");
	ASSERT_NE(NULL, regions);
	while (fgets(line, sizeof(line), regions))
		if (strstr(line, " : System RAM\n") &&
		    sscanf(line, "%llx-%llx", &start, &end) == 2)
			look_at(_metadata, fd, start / PAGE, (end + 1) / PAGE,
				&pages);
	fclose(regions);
	EXPECT_LE(vm_count("nr_free_pages"), pages.seen);
	EXPECT_EQ(0, pages.locked);
	if (count_lost(&lost))
		EXPECT_GE(lost, pages.nobodys);
	EXPECT_EQ(vm_count("nr_unevictable"), pages.unevictable);
	close(fd);
}

TEST_HARNESS_MAIN
