// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel counts, less what is known to have an owner. The shell that
 * runs the programs uses memory, more or less of it; the difference stays as
 * it is whatever that does, and a page that nobody owns any more is one more.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ledger.h"
#include "lib.h"

static const char * const on_lists[] = {
	"nr_inactive_anon", "nr_active_anon", "nr_inactive_file",
	"nr_active_file", "nr_unevictable", "nr_isolated_anon",
	"nr_isolated_file",
};

static long lists_of(unsigned int node)
{
	unsigned int i;
	long sum = 0;

	for (i = 0; i < sizeof(on_lists) / sizeof(*on_lists); i++)
		sum += node_count(node, on_lists[i]);
	return sum;
}

/* A page on the lists is mapped, or in the page cache. */
static void enter_lists(void)
{
	unsigned int node;
	char name[64];

	for (node = 0; node < MAX_NODES; node++) {
		if (!is_node(node))
			continue;
		snprintf(name, sizeof(name),
			 "node%u pages on LRU lists that nothing uses", node);
		enter(name, lists_of(node) -
			    node_count(node, "nr_anon_pages") -
			    node_count(node, "nr_file_pages"));
	}
}

/*
 * The kernel keeps its own page tables when what they have mapped is gone. On
 * arm64 mainline takes those of a device's struct pages, which it does not add
 * when they come, off the count when the device goes.
 */
static long enter_tables(const struct owned *owned)
{
	int fd = access(HMM_TEST_PATH, R_OK) ? -1 : own_open();
	struct hmm_test_tables tables = {};
	long counted = count("nr_page_table_pages");

	if (fd >= 0 && own_tables(fd, &tables)) {
		enter("page tables of no process",
		      tables.all - tables.kernel -
		      owned->tables_kb * 1024 / (long)PAGE);
#if !defined(__aarch64__) || defined(FIXES)
		enter("page tables that are counted and do not exist",
		      counted - tables.all);
#endif
		counted = tables.all;
	}
	if (fd >= 0)
		close(fd);
	return counted;
}

/* Those of which nobody could be told to let go, by the log. */
static long lost_by_log(void)
{
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char record[1024];
	ssize_t length;
	long pages = 0;

	while ((length = read(log, record, sizeof(record) - 1)) > 0) {
		record[length] = '\0';
		pages += strstr(record, ": recovery action for ") &&
			 strstr(record, ": Ignored");
	}
	close(log);
	return pages;
}

static long lost(void)
{
	char path[96];
	unsigned int node;
	long pages = 0;

	if (access("/sys/devices/system/node/node0", F_OK))
		return lost_by_log();
	for (node = 0; node < MAX_NODES; node++) {
		if (!is_node(node))
			continue;
		snprintf(path, sizeof(path),
			 "/sys/devices/system/node/node%u/memory_failure/ignored",
			 node);
		if (!access(path, R_OK))
			pages += file_number(path, NULL);
	}
	return pages;
}

/*
 * Pages that broke go out of use. When they are mended all come back, but those
 * that could not be taken from whoever had them; a kernel without NUMA has no
 * count of these.
 */
static long broken(void)
{
	long all = file_number("/proc/meminfo", "HardwareCorrupted") * 1024 /
		   (long)PAGE;
	long never = lost();

	return all > never ? all : never;
}

/* All that is neither free nor in use for something that is counted. */
static long uncounted(long tables)
{
	static const char * const counted[] = {
		"nr_free_pages",
		"count",	/* free, at a processor */
		"nr_slab_reclaimable", "nr_slab_unreclaimable", "nr_vmalloc",
		"nr_sec_page_table_pages",
	};
	static char text[32768];
	unsigned int i;
	long pages;

	pages = count("managed") - broken() - tables;
	for (i = 0; i < sizeof(on_lists) / sizeof(*on_lists); i++)
		pages -= count(on_lists[i]);
	for (i = 0; i < sizeof(counted) / sizeof(*counted); i++)
		pages -= count(counted[i]);
	/* Where they are mapped by vmalloc they are counted there. */
#ifndef CONFIG_VMAP_STACK
	pages -= count("nr_kernel_stack") * 1024 / (long)PAGE;
#endif
	if (read_text("/proc/vmstat", text, sizeof(text)))
		pages -= number_of(text, "nr_memmap_pages");
	if (read_text("/proc/meminfo", text, sizeof(text)))
		pages -= (number_of(text, "Percpu") +
			  number_of(text, "Hugetlb")) * 1024 / (long)PAGE;
	return pages;
}

void enter_balances(const struct owned *owned)
{
	long tables;

	enter("processes", owned->processes);
	enter("anonymous pages mapped by no process",
	      count("nr_anon_pages") - owned->anon);
	enter("file pages mapped by no process",
	      count("nr_mapped") - owned->file);
	enter("shared memory in no file system",
	      count("nr_shmem") - owned->tmpfs);
	enter("page cache that cannot be dropped",
	      count("nr_file_pages") - count("nr_shmem") -
	      count("nr_swapcached"));
	tables = enter_tables(owned);
	enter_lists();
	/* What KASAN and kmemleak use for themselves is in no count. */
	if (access("/sys/kernel/debug/kmemleak", F_OK))
		enter("pages in use that no counter is about", uncounted(tables));
}
