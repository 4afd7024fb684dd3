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

static u64 kernel_tables_of(struct zone *zone)
{
	unsigned long pfn, step;
	struct page *page;
	u64 nr = 0;

	for (pfn = zone->zone_start_pfn; pfn < zone_end_pfn(zone);
	     pfn += step) {
		step = 1;
		page = pfn_to_online_page(pfn);
		if (!page)
			continue;
		step = free_block(page);
		nr += PageTable(page) && ptdesc_test_kernel(page_ptdesc(page));
		if (!(pfn % 1024))
			cond_resched();
	}
	return nr;
}

u64 pages_kernel_tables(void)
{
	struct zone *zones;
	int node, i;
	u64 nr = 0;

	for_each_online_node(node) {
		zones = NODE_DATA(node)->node_zones;
		for (i = 0; i < MAX_NR_ZONES; i++)
			if (populated_zone(&zones[i]))
				nr += kernel_tables_of(&zones[i]);
	}
	return nr;
}
