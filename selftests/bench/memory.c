// SPDX-License-Identifier: GPL-2.0
/*
 * The device's memory. It is handed out from the first page on, and all anew
 * after a reset: to take a page, or to give it back, costs next to nothing.
 */
#include <linux/gfp.h>
#include <linux/memremap.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/slab.h>

#include "bench.h"

#define BLOCK_ORDER	HPAGE_PMD_ORDER

/* The largest range, and some more for what is aligned. */
static unsigned int megabytes = 288;
module_param(megabytes, uint, 0444);
MODULE_PARM_DESC(megabytes, "The device's memory (default 288)");

char memory_owner;

static struct dev_pagemap pgmap;
static struct resource *resource;

/* Ordinary memory plays the part of the device's, in blocks of a huge page. */
static struct page **contents;
static unsigned long nr_blocks;

static atomic_long_t next;	/* the first page that was never handed out */
static DEFINE_PER_CPU(long, in_use);

unsigned long memory_first_pfn(void)
{
	return PHYS_PFN(pgmap.range.start);
}

unsigned long memory_npages(void)
{
	return nr_blocks << BLOCK_ORDER;
}

/* A fresh folio, locked, with one reference; NULL: there is no more. */
struct folio *memory_take(unsigned int order)
{
	unsigned long nr = 1UL << order;
	long first, end = atomic_long_read(&next);
	struct page *page;

	do {
		first = ALIGN(end, nr);
		if (first + nr > memory_npages())
			return NULL;
	} while (!atomic_long_try_cmpxchg(&next, &end, first + nr));

	this_cpu_add(in_use, nr);
	page = pfn_to_page(memory_first_pfn() + first);
	/* What it was, its next user must not be. */
	page->flags.f &= ~PAGE_FLAGS_CHECK_AT_PREP;
	zone_device_folio_init((struct folio *)page, &pgmap, order);
	return page_folio(page);
}

/* Where the contents of a page are, and of all that follow it in its folio. */
struct page *memory_content(struct page *page)
{
	unsigned long i = page_to_pfn(page) - memory_first_pfn();

	return contents[i >> BLOCK_ORDER] + i % (1UL << BLOCK_ORDER);
}

int memory_reset(void)
{
	long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += *per_cpu_ptr(&in_use, cpu);
	if (sum)
		return -EBUSY;
	atomic_long_set(&next, 0);
	return 0;
}

static void memory_folio_free(struct folio *folio)
{
	this_cpu_sub(in_use, folio_nr_pages(folio));
}

static const struct dev_pagemap_ops ops = {
	.folio_free	= memory_folio_free,
	.migrate_to_ram	= call_fault,
};

static void contents_free(void)
{
	unsigned long i;

	for (i = 0; i < nr_blocks && contents[i]; i++)
		__free_pages(contents[i], BLOCK_ORDER);
	kvfree(contents);
}

static int contents_alloc(void)
{
	unsigned long i;

	nr_blocks = ((u64)megabytes << 20) / HPAGE_PMD_SIZE;
	if (!nr_blocks)
		return -EINVAL;
	contents = kvzalloc_objs(*contents, nr_blocks);
	if (!contents)
		return -ENOMEM;
	for (i = 0; i < nr_blocks; i++) {
		contents[i] = alloc_pages_node(first_memory_node, GFP_KERNEL,
					       BLOCK_ORDER);
		if (!contents[i]) {
			contents_free();
			return -ENOMEM;
		}
	}
	return 0;
}

int memory_init(void)
{
	void *ptr;
	int ret;

	ret = contents_alloc();
	if (ret)
		return ret;
	resource = request_free_mem_region(&iomem_resource,
					   nr_blocks * HPAGE_PMD_SIZE,
					   BENCH_MEMORY);
	if (IS_ERR(resource)) {
		ret = PTR_ERR(resource);
		goto free;
	}
	pgmap.type = MEMORY_DEVICE_PRIVATE;
	pgmap.range.start = resource->start;
	pgmap.range.end = resource->end;
	pgmap.nr_range = 1;
	pgmap.owner = &memory_owner;
	pgmap.ops = &ops;
	ptr = memremap_pages(&pgmap, first_memory_node);
	if (!IS_ERR(ptr))
		return 0;
	ret = PTR_ERR(ptr);
	release_mem_region(resource->start, resource_size(resource));
free:
	contents_free();
	return ret;
}

/* Returns when nobody uses the memory any more, however long that takes. */
void memory_exit(void)
{
	memunmap_pages(&pgmap);
	release_mem_region(resource->start, resource_size(resource));
	contents_free();
}
