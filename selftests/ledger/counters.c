// SPDX-License-Identifier: GPL-2.0
/*
 * Numbers of what only lives while a program runs, or an operation of it: the
 * programs that stay, and this one, have no part in them.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ledger.h"
#include "lib.h"

/* By node: a page that is taken off on one and put back on another is wrong. */
static const char * const of_nodes[] = {
	"nr_isolated_anon", "nr_isolated_file", "nr_mlock", "nr_unevictable",
	"nr_anon_transparent_hugepages", "nr_shmem_hugepages",
	"nr_shmem_pmdmapped", "nr_file_hugepages", "nr_file_pmdmapped",
	"nr_writeback", "nr_swapcached", "nr_hugetlb",
};

#define KSM	"/sys/kernel/mm/ksm/"
#define THP	"/sys/kernel/mm/transparent_hugepage/"
#define CGROUP	"/sys/fs/cgroup/"

static const char * const files[] = {
	KSM "pages_shared", KSM "pages_sharing",
	/* Mainline loses count where a process forks or moves memory. */
#ifdef FIXES
	KSM "ksm_zero_pages",
#endif
};

static void enter_nodes(void)
{
	unsigned int node, i;
	char name[64];

	for (node = 0; node < MAX_NODES; node++) {
		if (!is_node(node))
			continue;
		for (i = 0; i < sizeof(of_nodes) / sizeof(*of_nodes); i++) {
			snprintf(name, sizeof(name), "node%u %s", node,
				 of_nodes[i]);
			enter(name, node_count(node, of_nodes[i]));
		}
		snprintf(name, sizeof(name), "node%u pinned pages", node);
		enter(name, node_count(node, "nr_foll_pin_acquired") -
			    node_count(node, "nr_foll_pin_released"));
	}
}

/* One kind of folio for each order. */
static void enter_folios(void)
{
	static const char * const what[] = { "nr_anon",
					     "nr_anon_partially_mapped" };
	struct dirent *order;
	char path[384], text[32];
	DIR *orders;
	int i;

	orders = opendir(THP);
	while (orders && (order = readdir(orders))) {
		for (i = 0; i < 2; i++) {
			snprintf(path, sizeof(path), THP "%s/stats/%s",
				 order->d_name, what[i]);
			/* As a number below zero is shown. */
			if (read_text(path, text, sizeof(text)))
				enter(path + strlen(THP),
				      (long)strtoul(text, NULL, 10));
		}
	}
	if (orders)
		closedir(orders);
}

static void enter_device(void)
{
	int fd = access(HMM_TEST_PATH, R_OK) ? -1 : own_open();

	enter("pages of the test device", fd < 0 ? 0 : own_in_use(fd));
	enter("promises to a driver that were broken (by their bits)",
	      fd < 0 ? 0 : own_stats(fd).contract);
	if (fd >= 0)
		close(fd);
}

/* Objects in use, once processors keep none to themselves. */
static void enter_objects(void)
{
	static const char * const caches[] = { "anon_vma", "anon_vma_chain",
					       "vm_area_struct" };
	static char text[65536];
	char path[96];
	int i;

	for (i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "/sys/kernel/slab/%s/shrink",
			 caches[i]);
		file_write(path, "1");
	}
	if (!read_text("/proc/slabinfo", text, sizeof(text)))
		return;
	for (i = 0; i < 3; i++)
		enter(caches[i], number_of(text, caches[i]));
}

void enter_counters(void)
{
	unsigned int i;

	enter("sum of counters below zero (the log has their names)",
	      below_zero());
	enter_nodes();
	enter_folios();
	enter_device();
	enter_objects();
	for (i = 0; i < sizeof(files) / sizeof(*files); i++)
		enter(files[i], file_number(files[i], NULL));
	enter("control groups", file_number(CGROUP "cgroup.stat",
					    "nr_descendants"));
	enter("control groups that do not end",
	      file_number(CGROUP "cgroup.stat", "nr_dying_descendants"));
	enter("SwapTotal (kB)", file_number("/proc/meminfo", "SwapTotal"));
	enter("HugePages_Total", file_number("/proc/meminfo",
					     "HugePages_Total"));
	enter("HugePages_Rsvd", file_number("/proc/meminfo",
					    "HugePages_Rsvd"));
}
