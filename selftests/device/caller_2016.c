// SPDX-License-Identifier: GPL-2.0
/*
 * A caller as it would have been written in 2016: the names of that time, a
 * table with the two callbacks and nothing else, and hmm_vma_migrate().
 *
 * It also does what the description of 2016 allows: it keeps a reference of
 * its own on each destination until finalize_and_map.
 */
#define HMM_MIGRATE_2016_NAMES
#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/pagemap.h>

#include "device.h"

static void alloc_and_copy(struct vm_area_struct *vma, unsigned long start,
			   unsigned long end, hmm_pfn_t *pfns, void *private)
{
	struct caller_2016 *caller = private;
	unsigned long addr, i;

	for (addr = start, i = 0; addr < end; addr += PAGE_SIZE, i++) {
		struct page *from = hmm_pfn_to_page(pfns[i]);
		struct page *to;

		if (!from || !(pfns[i] & HMM_PFN_MIGRATE))
			continue;
		to = alloc_pages_node(caller->node, GFP_HIGHUSER_MOVABLE, 0);
		if (!to) {
			pfns[i] &= ~HMM_PFN_MIGRATE;
			continue;
		}
		get_page(to);
		lock_page(to);
		copy_highpage(to, from);
		pfns[i] = hmm_pfn_from_page(to) | HMM_PFN_MIGRATE |
			  HMM_PFN_LOCKED;
		caller->copied++;
	}
}

static void finalize_and_map(struct vm_area_struct *vma, unsigned long start,
			     unsigned long end, hmm_pfn_t *pfns, void *private)
{
	struct caller_2016 *caller = private;
	unsigned long addr, i;

	for (addr = start, i = 0; addr < end; addr += PAGE_SIZE, i++) {
		struct page *to = hmm_pfn_to_page(pfns[i]);

		if (pfns[i] & HMM_PFN_MIGRATE)
			caller->moved++;
		if (to)
			put_page(to);
	}
	caller->windows++;
}

static const struct hmm_migrate_ops ops = {
	.alloc_and_copy = alloc_and_copy,
	.finalize_and_map = finalize_and_map,
};

int caller_2016(struct vm_area_struct *vma, unsigned long start,
		unsigned long end, hmm_pfn_t *pfns, struct caller_2016 *caller)
{
	return hmm_vma_migrate(&ops, vma, start, end, pfns, caller);
}
