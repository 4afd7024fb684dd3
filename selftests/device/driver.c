// SPDX-License-Identifier: GPL-2.0
/*
 * The driver's part of a migration: the two callbacks. They allocate and copy
 * like any driver, and otherwise do what struct hmm_test_driver says.
 */
#include <linux/delay.h>
#include <linux/highmem.h>
#include <linux/pagemap.h>

#include "device.h"

atomic_t driver_in_callback = ATOMIC_INIT(0);
atomic_long_t driver_last_given = ATOMIC_LONG_INIT(0);

/* A fresh folio, locked, with one reference; NULL: there is no memory. */
struct page *driver_alloc(struct call *call, unsigned int order)
{
	gfp_t gfp = order ? GFP_TRANSHUGE : GFP_HIGHUSER_MOVABLE;
	struct folio *folio;

	if (call->driver.memory_pages &&
	    call->result.given >= call->driver.memory_pages)
		return NULL;
	if (call->to_device)
		return memory_alloc(order);
	folio = __folio_alloc(gfp | __GFP_THISNODE, order, call->node, NULL);
	if (!folio)
		return NULL;
	folio_lock(folio);
	return folio_page(folio, 0);
}

/* Brings the contents of page @offset of what is offered to a destination. */
void driver_copy(struct call *call, struct page *destination, hmm_pfn_t offered,
		 unsigned long offset)
{
	struct page *to = memory_content(destination);
	struct page *from;
	unsigned long i;
	u8 *bytes;

	if (offered & HMM_MIGRATE_PFN_EMPTY) {
		clear_highpage(to);
		return;
	}
	from = pfn_to_page(hmm_migrate_pfn_number(offered) + offset);
	copy_highpage(to, memory_content(from));
	if (!call->driver.stamp)
		return;
	bytes = kmap_local_page(to);
	for (i = 0; i < PAGE_SIZE; i++)
		bytes[i] ^= call->driver.stamp;
	kunmap_local(bytes);
}

static bool every(u32 nth, unsigned int count)
{
	return nth && count % nth == 0;
}

/* Is this one of the words that the driver was told to leave? */
static bool is_left(const struct hmm_test_driver *driver, unsigned int asked)
{
	return every(driver->decline_every, asked) ||
	       (asked >= driver->decline_first && asked <= driver->decline_last);
}

/* The word with which the driver leaves a page on purpose, or 0. */
static hmm_pfn_t decline(struct call *call, hmm_pfn_t offered)
{
	const struct hmm_test_driver *driver = &call->driver;
	bool left = is_left(driver, call->asked);

	if (call->fault_errno && (offered & HMM_MIGRATE_PFN_FAULT)) {
		if (call->fault_errno > 0)
			return hmm_migrate_pfn_error(-call->fault_errno);
		return offered & ~HMM_MIGRATE_PFN_MIGRATE;
	}
	if (left && driver->decline_errno) {
		if (driver->decline_errno == E2BIG &&
		    hmm_migrate_pfn_order(offered))
			call->gave_smaller = true;
		return hmm_migrate_pfn_error(-(int)driver->decline_errno);
	}
	if (left ||
	    prandom_u32_state(&call->random) % 100 < driver->drop_percent)
		return offered & ~HMM_MIGRATE_PFN_MIGRATE;
	return 0;
}

/* Somebody comes to use a source whose contents are copied already. */
static void use_source(struct call *call, unsigned long i)
{
	get_page(hmm_migrate_pfn_to_page(call->offered[i]));
	__set_bit(i, call->used);
}

static void put_used_sources(struct call *call)
{
	unsigned long i;

	for_each_set_bit(i, call->used, WINDOW_PAGES)
		put_page(hmm_migrate_pfn_to_page(call->offered[i]));
	bitmap_zero(call->used, WINDOW_PAGES);
}

/*
 * What to write for the part of an order, @offset pages into the folio or hole
 * that @offered begins.
 */
static hmm_pfn_t answer(struct call *call, hmm_pfn_t offered,
			unsigned long offset, unsigned int order,
			unsigned long i)
{
	struct page *page;
	hmm_pfn_t word = 0;
	unsigned long j;

	if (!offered) {
		rules_break(call, offered, i, &word);
		return word;
	}
	call->asked++;
	word = decline(call, offered);
	if (word) {
		call->result.declined++;
		return word;
	}
	if (!offset && rules_break(call, offered, i, &word))
		return word;
	page = driver_alloc(call, order);
	if (!page) {
		call->result.declined++;
		return hmm_migrate_pfn_error(-ENOMEM);
	}
	for (j = 0; j < 1UL << order; j++)
		driver_copy(call, page + j, offered, offset + j);
	if (!offset && !(offered & HMM_MIGRATE_PFN_EMPTY) &&
	    every(call->driver.hold_every, call->asked))
		use_source(call, i);
	call->result.given++;
	call->last_given = hmm_migrate_pfn_large(page_to_pfn(page), order) |
			   (offered & HMM_MIGRATE_PFN_WRITE);
	return call->last_given;
}

/* The order of destinations for what is offered. */
static unsigned int order_of(struct call *call, hmm_pfn_t offered)
{
	unsigned int order = hmm_migrate_pfn_order(offered);
	unsigned int limit = call->driver.order_limit;

	if (!limit || order < limit)
		return order;
	if (!(offered & HMM_MIGRATE_PFN_EMPTY))
		call->gave_smaller = true;
	return limit - 1;
}

/* No less, by the clock that it is measured with: jiffies may lag behind. */
static void take_time(u32 us)
{
	if (us)
		usleep_range(us, us + us / 8);
}

static void alloc_and_copy(struct vm_area_struct *vma, unsigned long start,
			   unsigned long end, hmm_pfn_t *pfns, void *private)
{
	unsigned long npages = (end - start) >> PAGE_SHIFT;
	struct call *call = private;
	unsigned long i, j, nr;
	unsigned int order;
	hmm_pfn_t offered;

	contract_window(call, vma, start, end);
	if (npages > WINDOW_PAGES)
		npages = 0;
	contract_offer(call, vma, pfns, npages);
	/* A test that waits for this may have pages break now. */
	atomic_inc(&driver_in_callback);
	memcpy(call->offered, pfns, npages * sizeof(*pfns));
	call->last_given = 0;

	for (i = 0; i < npages; i += nr) {
		offered = call->offered[i];
		order = order_of(call, offered);
		nr = min(1UL << hmm_migrate_pfn_order(offered), npages - i);
		for (j = 0; j < nr; j += 1UL << order)
			pfns[i + j] = answer(call, offered, j, order, i + j);
	}
	memcpy(call->given, pfns, npages * sizeof(*pfns));
	atomic_long_set(&driver_last_given,
			hmm_migrate_pfn_number(call->last_given));
	take_time(call->driver.delay_alloc_us);
	atomic_long_set(&driver_last_given, 0);
	atomic_dec(&driver_in_callback);
}

static void finalize_and_map(struct vm_area_struct *vma, unsigned long start,
			     unsigned long end, hmm_pfn_t *pfns, void *private)
{
	struct call *call = private;

	atomic_inc(&driver_in_callback);
	contract_final(call, vma, start, end, pfns);
	call->result.windows++;
	call->result.last_start = start;
	call->result.last_end = end;
	take_time(call->driver.delay_finalize_us);
	put_used_sources(call);
	rules_finalize(call);
	if (call->driver.scribble)
		memset64((u64 *)pfns, call->driver.scribble,
			 (end - start) >> PAGE_SHIFT);
	atomic_dec(&driver_in_callback);
}

void driver_ops(struct call *call, void *owner, unsigned long flags)
{
	call->ops.alloc_and_copy = alloc_and_copy;
	call->ops.finalize_and_map = finalize_and_map;
	call->ops.owner = owner;
	call->ops.flags = flags;
	prandom_seed_state(&call->random, call->driver.drop_seed);
}
