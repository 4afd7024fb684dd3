// SPDX-License-Identifier: GPL-2.0
/*
 * The device's memory: struct pages that the CPU cannot read, each with
 * ordinary memory behind it that plays the part of the device's own.
 */
#include <linux/bitmap.h>
#include <linux/highmem.h>
#include <linux/memremap.h>
#include <linux/pagemap.h>

#include "device.h"

#define GENERIC_BYTES	(2UL << 20)

char device_owner;

static DEFINE_SPINLOCK(lock);	/* protects all up to next_hint */
static DECLARE_BITMAP(in_use, DEVICE_PAGES);
static u64 allocated;
static u64 freed;
static unsigned long next_hint;

/* Memory that the device says it has, and the addresses that stand for it. */
struct region {
	struct dev_pagemap pgmap;
	struct resource *res;
};

static struct region private;
static struct region generic;
static unsigned long next_generic;

unsigned long memory_first_pfn(void)
{
	return PHYS_PFN(private.pgmap.range.start);
}

void memory_count(u64 *nr_allocated, u64 *nr_freed)
{
	spin_lock(&lock);
	*nr_allocated = allocated;
	*nr_freed = freed;
	spin_unlock(&lock);
}

static struct page *take(unsigned int order)
{
	unsigned long nr = 1UL << order, bit;

	if (!IS_ENABLED(CONFIG_DEVICE_PRIVATE))
		return NULL;
	spin_lock(&lock);
	bit = bitmap_find_next_zero_area(in_use, DEVICE_PAGES, next_hint, nr,
					 nr - 1);
	if (bit >= DEVICE_PAGES)
		bit = bitmap_find_next_zero_area(in_use, DEVICE_PAGES, 0, nr,
						 nr - 1);
	if (bit < DEVICE_PAGES) {
		bitmap_set(in_use, bit, nr);
		allocated += nr;
		next_hint = bit + nr;
	}
	spin_unlock(&lock);
	return bit < DEVICE_PAGES ? pfn_to_page(memory_first_pfn() + bit) : NULL;
}

static void give_back(struct page *page, unsigned int order)
{
	unsigned long bit = page_to_pfn(page) - memory_first_pfn();

	spin_lock(&lock);
	bitmap_clear(in_use, bit, 1UL << order);
	freed += 1UL << order;
	spin_unlock(&lock);
}

/* The contents of a folio are pages by themselves: the folio may be split. */
static struct page *content_alloc(unsigned int order)
{
	struct page *content = alloc_pages(GFP_HIGHUSER | __GFP_NOWARN, order);

	if (content && order)
		split_page(content, order);
	return content;
}

static void content_free(struct page *content, unsigned int order)
{
	unsigned long i;

	for (i = 0; i < 1UL << order; i++)
		__free_page(content + i);
}

/* Whether nothing is said of a folio that was said of the last one there. */
static bool is_new(struct folio *folio)
{
	unsigned long allowed = BIT(PG_reserved) | BIT(PG_locked) |
				BIT(PG_head);
	unsigned long i;

	for (i = 0; i < folio_nr_pages(folio); i++) {
		if (folio_page(folio, i)->flags.f &
		    PAGE_FLAGS_CHECK_AT_PREP & ~allowed)
			return false;
		allowed = BIT(PG_reserved);
		if (i == 0)
			allowed |= 0xffUL | BIT(PG_large_rmappable);
	}
	return true;
}

/* A page as a driver has it right after allocation: locked, one reference. */
struct page *memory_alloc(unsigned int order)
{
	struct page *content = content_alloc(order);
	struct page *page;

	if (!content)
		return NULL;
	page = take(order);
	if (!page) {
		content_free(content, order);
		return NULL;
	}
	zone_device_folio_init((struct folio *)page, &private.pgmap, order);
	WARN_ON_ONCE(!is_new((struct folio *)page));
	page->zone_device_data = content;
	return page;
}

/*
 * A page that is reserved for the caller, but free. It may have been part of a
 * larger folio, which only its next user clears.
 */
struct page *memory_alloc_free_page(void)
{
	struct page *page = take(0);

	if (!page)
		return NULL;
	zone_device_folio_init((struct folio *)page, &private.pgmap, 0);
	page->zone_device_data = NULL;
	unlock_page(page);
	set_page_count(page, 0);
	put_dev_pagemap(&private.pgmap);
	return page;
}

/*
 * Frees a page from the above that was not given away, or that was given back
 * without the last reference being put. One that is mapped is in use.
 */
void memory_take_back(struct page *page)
{
	unsigned long bit = page_to_pfn(page) - memory_first_pfn();
	struct folio *folio;

	if (!test_bit(bit, in_use))
		return;
	folio = page_folio(page);
	if (folio_mapped(folio))
		return;
	if (folio_test_locked(folio))
		folio_unlock(folio);
	if (folio_ref_count(folio))
		folio_put(folio);
	else
		give_back(page, 0);
}

/* Where the contents of a page are: a driver's copy engine knows. */
struct page *memory_content(struct page *page)
{
	struct folio *folio = page_folio(page);
	struct page *content;

	if (!folio_is_device_private(folio) ||
	    folio->pgmap != &private.pgmap)
		return page;
	content = folio_zone_device_data(folio);
	return content + folio_page_idx(folio, page);
}

/* The core splits a folio: @tail is one of the new ones, NULL when all are. */
static void memory_folio_split(struct folio *head, struct folio *tail)
{
	struct page *content = folio_zone_device_data(head);

	if (!tail)
		return;
	tail->page.zone_device_data = content + folio_pfn(tail) -
				      folio_pfn(head);
	tail->page.mapping = head->page.mapping;
	tail->pgmap = head->pgmap;
}

static void memory_folio_free(struct folio *folio)
{
	unsigned int order = folio_order(folio);
	struct page *content = folio_zone_device_data(folio);

	hmm_migrate_folio_freed(folio);
	folio_set_zone_device_data(folio, NULL);
	if (content)
		content_free(content, order);
	give_back(&folio->page, order);
}

/*
 * A driver must answer for its memory itself: the kernel takes it for a file's
 * otherwise, and looks at a mapping that is none.
 */
static int memory_breaks(struct dev_pagemap *pgmap, unsigned long pfn,
			 unsigned long nr_pages, int flags)
{
	return -ENXIO;
}

static const struct dev_pagemap_ops private_ops = {
	.folio_free	= memory_folio_free,
	.folio_split	= memory_folio_split,
	.migrate_to_ram	= call_fault,
	.memory_failure	= memory_breaks,
};

static int map(struct region *region, const char *name, unsigned long size)
{
	struct dev_pagemap *pgmap = &region->pgmap;
	struct resource *res;
	void *ptr;

	res = request_free_mem_region(&iomem_resource, size, name);
	if (IS_ERR(res))
		return PTR_ERR(res);
	pgmap->range.start = res->start;
	pgmap->range.end = res->start + size - 1;
	pgmap->nr_range = 1;
	pgmap->owner = &device_owner;
	ptr = memremap_pages(pgmap, NUMA_NO_NODE);
	if (IS_ERR(ptr)) {
		release_mem_region(res->start, resource_size(res));
		return PTR_ERR(ptr);
	}
	region->res = res;
	return 0;
}

static void unmap(struct region *region)
{
	if (!region->res)
		return;
	memunmap_pages(&region->pgmap);
	release_mem_region(region->res->start, resource_size(region->res));
}

/*
 * A locked page of ZONE_DEVICE memory that is no memory of a process: the
 * engine has no business with its type. There is nothing behind the address,
 * so that nobody may read it either. Such pages have one reference when free.
 */
struct page *memory_generic(void)
{
	struct page *page;

	page = pfn_to_page(PHYS_PFN(generic.pgmap.range.start) +
			   next_generic++ % PHYS_PFN(GENERIC_BYTES));
	return trylock_page(page) ? page : NULL;
}

/* A kernel that has no such memory leaves the device with none: it is full. */
static int map_private(void)
{
	if (!IS_ENABLED(CONFIG_DEVICE_PRIVATE))
		return 0;
	private.pgmap.type = MEMORY_DEVICE_PRIVATE;
	private.pgmap.ops = &private_ops;
	return map(&private, HMM_TEST_MEMORY, DEVICE_BYTES);
}

int memory_init(void)
{
	int ret;

	ret = map_private();
	if (ret)
		return ret;
	generic.pgmap.type = MEMORY_DEVICE_GENERIC;
	ret = map(&generic, HMM_TEST_MEMORY " generic", GENERIC_BYTES);
	if (ret)
		unmap(&private);
	return ret;
}

/* Returns when nobody uses the memory any more, however long that takes. */
void memory_exit(void)
{
	unmap(&generic);
	unmap(&private);
}
