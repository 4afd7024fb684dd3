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

TEST(flags)
{
	static __u64 flags[CHUNK];
	long locked = 0, nobodys = 0, unevictable = 0, lost;
	__u64 pfn = 0;
	ssize_t got;
	int fd, i;

	vm_settled("nr_mlock");
	fd = open("/proc/kpageflags", O_RDONLY);
	ASSERT_GE(fd, 0);
	while ((got = read(fd, flags, sizeof(flags))) > 0) {
		for (i = 0; i < got / sizeof(*flags); i++, pfn++) {
			unevictable += !!(flags[i] & 1ULL << KPF_UNEVICTABLE);
			if (is_locked(flags[i]) && stays(pfn, is_locked)) {
				TH_LOG("page %#llx is locked", pfn);
				locked++;
			}
			if (is_nobodys(flags[i]) && stays(pfn, is_nobodys)) {
				TH_LOG("page %#llx is nobody's", pfn);
				nobodys++;
			}
		}
	}
	EXPECT_LT(0, pfn);
	EXPECT_EQ(0, locked);
	if (count_lost(&lost))
		EXPECT_GE(lost, nobodys);
	EXPECT_EQ(vm_count("nr_unevictable"), unevictable);
	close(fd);
}

TEST_HARNESS_MAIN
