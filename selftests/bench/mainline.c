// SPDX-License-Identifier: GPL-2.0
/*
 * Mainline's engine, called as its best users call it: a page table at a time,
 * with large folios where the caller wants them.
 */
#include <linux/migrate.h>
#include <linux/sched.h>

#include "bench.h"

static void copy_window(struct run *run, const unsigned long *src,
			unsigned long *dst, unsigned long npages)
{
	struct folio *folio;
	struct page *page;
	unsigned int order;
	unsigned long i;

	driver_copy_begin(run);
	for (i = 0; i < npages; i++) {
		dst[i] = 0;
		if (!(src[i] & MIGRATE_PFN_MIGRATE))
			continue;
		page = migrate_pfn_to_page(src[i]);
		order = 0;
		if (src[i] & MIGRATE_PFN_COMPOUND)
			order = page ? folio_order(page_folio(page)) :
				       HPAGE_PMD_ORDER;
		folio = driver_copy(run, page, order);
		if (!folio)
			continue;
		dst[i] = migrate_pfn(folio_pfn(folio));
		if (order)
			dst[i] |= MIGRATE_PFN_COMPOUND;
	}
	driver_copy_end(run);
}

static void tell_window(struct run *run, const unsigned long *src,
			const unsigned long *dst, unsigned long npages)
{
	struct page *page;
	unsigned long i;

	driver_tell_begin(run);
	for (i = 0; i < npages; i++) {
		page = migrate_pfn_to_page(dst[i]);
		if (page && (src[i] & MIGRATE_PFN_MIGRATE))
			driver_has_moved(run, page);
	}
	driver_tell_end(run);
}

static int move_window(struct run *run, struct migrate_vma *args)
{
	int ret;

	args->pgmap_owner = &memory_owner;
	if (run->to == BENCH_TO_SYSTEM)
		args->flags = MIGRATE_VMA_SELECT_DEVICE_PRIVATE;
	else
		args->flags = MIGRATE_VMA_SELECT_SYSTEM;
	if (run->large)
		args->flags |= MIGRATE_VMA_SELECT_COMPOUND;

	ret = migrate_vma_setup(args);
	if (ret || !args->cpages)
		return ret;
	copy_window(run, args->src, args->dst, args->npages);
	migrate_vma_pages(args);
	tell_window(run, args->src, args->dst, args->npages);
	migrate_vma_finalize(args);
	return 0;
}

static int move(struct run *run, struct vm_area_struct *vma,
		unsigned long start, unsigned long end, unsigned long *words)
{
	unsigned long addr, next;
	int ret;

	for (addr = start; addr < end; addr = next) {
		struct migrate_vma args = {
			.vma = vma,
			.src = words,
			.dst = words + WINDOW_PAGES,
			.start = addr,
		};

		next = pmd_addr_end(addr, end);
		args.end = next;
		ret = move_window(run, &args);
		if (ret)
			return ret;
		cond_resched();
	}
	return 0;
}

static vm_fault_t fault(struct run *run, struct vm_fault *vmf,
			unsigned long start, unsigned long end)
{
	unsigned long src[BENCH_MAX_WINDOW], dst[BENCH_MAX_WINDOW] = {};
	struct migrate_vma args = {
		.vma = vmf->vma,
		.src = src,
		.dst = dst,
		.start = start,
		.end = end,
		.fault_page = vmf->page,
	};

	return move_window(run, &args) ? VM_FAULT_SIGBUS : 0;
}

static int evict(struct run *run, unsigned long first_pfn,
		 unsigned long npages, unsigned long *words)
{
	unsigned long *src = words, *dst = words + WINDOW_PAGES;
	unsigned long first, nr;

	for (first = 0; first < npages; first += nr) {
		nr = min(npages - first, WINDOW_PAGES);
		migrate_device_range(src, first_pfn + first, nr);
		copy_window(run, src, dst, nr);
		migrate_device_pages(src, dst, nr);
		tell_window(run, src, dst, nr);
		migrate_device_finalize(src, dst, nr);
		cond_resched();
	}
	return 0;
}

static unsigned long words(unsigned long npages)
{
	return 2 * WINDOW_PAGES;
}

const struct engine engine_mainline = {
	.move	= move,
	.fault	= fault,
	.evict	= evict,
	.words	= words,
};
