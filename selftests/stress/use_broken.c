// SPDX-License-Identifier: GPL-2.0
/* Memory that breaks, and memory that is about to. */
#include <linux/mman.h>
#include <sys/mman.h>

#include "stress.h"

static bool is_breaking;

/* Is this signal what a process gets that has its own memory broken? */
bool use_expects_signal(void)
{
	return is_breaking;
}

/* 0: the page is lost. */
static int break_page(struct region *region, char *page)
{
	int ret = -1;

	pthread_mutex_lock(&region->coherent);
	if (place_of(page) != COHERENT) {
		is_breaking = true;
		ret = madvise(page, PAGE, MADV_HWPOISON);
		is_breaking = false;
	}
	pthread_mutex_unlock(&region->coherent);
	return ret;
}

/*
 * A page of its own is lost, with all that is in it. It has contents that no
 * other page has, so that it is nobody else's as well. Whatever came of it,
 * there is a new page then.
 */
bool use_break_page(struct region *region)
{
	struct part part = region_part(1);

	region_write(region, part);
	if (!break_page(region, region->memory + part.first * PAGE))
		count(BROKEN, 1);
	if (!region_renew(region, part)) {
		storm_fail("region %u, page %zu: there is no new page",
			   region->number, part.first);
		return false;
	}
	return region_check(region, part);
}

/* The frames go, and the contents stay. */
bool use_retire_pages(struct region *region)
{
	struct part part = region_part(4);

	if (!madvise(region->memory + part.first * PAGE, part.npages * PAGE,
		     MADV_SOFT_OFFLINE))
		count(RETIRED, 1);
	return region_check(region, part);
}
