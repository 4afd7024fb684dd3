// SPDX-License-Identifier: GPL-2.0
/* The engine of this module: one call for a whole range. */
#include <linux/hmm_migrate.h>

#include "bench.h"

static void alloc_and_copy(struct vm_area_struct *vma, unsigned long start,
			   unsigned long end, hmm_pfn_t *pfns, void *private)
{
	unsigned long i, nr, npages = (end - start) >> PAGE_SHIFT;
	struct run *run = private;
	struct folio *folio;
	unsigned int order;

	driver_copy_begin(run);
	for (i = 0; i < npages; i += nr) {
		order = hmm_migrate_pfn_order(pfns[i]);
		nr = 1UL << order;
		if (!(pfns[i] & (HMM_MIGRATE_PFN_MIGRATE |
				 HMM_MIGRATE_PFN_EMPTY)))
			continue;
		folio = driver_copy(run, hmm_migrate_pfn_to_page(pfns[i]),
				    order);
		pfns[i] = folio ? hmm_migrate_pfn_large(folio_pfn(folio), order) :
				  hmm_migrate_pfn_error(-ENOMEM);
	}
	driver_copy_end(run);
}

static void finalize_and_map(struct vm_area_struct *vma, unsigned long start,
			     unsigned long end, hmm_pfn_t *pfns, void *private)
{
	unsigned long i, npages = (end - start) >> PAGE_SHIFT;
	struct run *run = private;

	driver_tell_begin(run);
	for (i = 0; i < npages; i++)
		if (pfns[i] & HMM_MIGRATE_PFN_MIGRATE)
			driver_has_moved(run, hmm_migrate_pfn_to_page(pfns[i]));
	driver_tell_end(run);
}

static struct hmm_migrate_ops ops_of(const struct run *run)
{
	struct hmm_migrate_ops ops = {
		.alloc_and_copy = alloc_and_copy,
		.finalize_and_map = finalize_and_map,
	};

	if (run->to != BENCH_TO_NODE)
		ops.owner = &memory_owner;
	if (run->to == BENCH_TO_SYSTEM)
		ops.flags |= HMM_MIGRATE_FROM_DEVICE;
	else
		ops.flags |= HMM_MIGRATE_FROM_SYSTEM;
	if (run->to != BENCH_TO_DEVICE)
		ops.flags |= HMM_MIGRATE_TO_SYSTEM;
	if (run->large)
		ops.flags |= HMM_MIGRATE_LARGE;
	return ops;
}

static int move(struct run *run, struct vm_area_struct *vma,
		unsigned long start, unsigned long end, unsigned long *words)
{
	struct hmm_migrate_ops ops = ops_of(run);

	return hmm_migrate_range(&ops, vma, start, end, words, run, NULL);
}

static vm_fault_t fault(struct run *run, struct vm_fault *vmf,
			unsigned long start, unsigned long end)
{
	struct hmm_migrate_ops ops = ops_of(run);

	return hmm_migrate_fault(&ops, vmf, start, end, NULL, run, NULL);
}

static int evict(struct run *run, unsigned long first_pfn,
		 unsigned long npages, unsigned long *words)
{
	struct hmm_migrate_ops ops = ops_of(run);

	return hmm_migrate_device_range(&ops, first_pfn, npages, words, run,
					NULL);
}

static unsigned long words(unsigned long npages)
{
	return npages;
}

const struct engine engine_hmm_migrate = {
	.move	= move,
	.fault	= fault,
	.evict	= evict,
	.words	= words,
};
