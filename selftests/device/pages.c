// SPDX-License-Identifier: GPL-2.0
/* What only a look at every page of the machine tells. */
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/sched.h>

#include "device.h"

/* How many pages of a free block are left; 1 where it is none. */
static unsigned long free_block(struct page *page)
{
	if (!PageBuddy(page))
		return 1;
	/* Anything, where it is being taken just now. */
	return 1UL << min_t(unsigned long, READ_ONCE(page->private),
			    MAX_PAGE_ORDER);
}

static void add_tables_of(struct zone *zone, struct hmm_test_tables *tables)
{
	unsigned long pfn, step, nr;
	struct page *page;

	for (pfn = zone->zone_start_pfn; pfn < zone_end_pfn(zone);
	     pfn += step) {
		step = 1;
		page = pfn_to_online_page(pfn);
		if (!page)
			continue;
		step = free_block(page);
		if (PageTable(page)) {
			nr = compound_nr(page);
			tables->all += nr;
			if (ptdesc_test_kernel(page_ptdesc(page)))
				tables->kernel += nr;
		}
		if (!(pfn % 1024))
			cond_resched();
	}
}

struct hmm_test_tables pages_tables(void)
{
	struct hmm_test_tables tables = {};
	struct zone *zones;
	int node, i;

	for_each_online_node(node) {
		zones = NODE_DATA(node)->node_zones;
		for (i = 0; i < MAX_NR_ZONES; i++)
			if (populated_zone(&zones[i]))
				add_tables_of(&zones[i], &tables);
	}
	return tables;
}
