// SPDX-License-Identifier: GPL-2.0
/* Where the pages of a process are, as the kernel tells a driver. */
#include <linux/hmm.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "device.h"

static bool invalidate(struct mmu_interval_notifier *notifier,
		       const struct mmu_notifier_range *range,
		       unsigned long cur_seq)
{
	mmu_interval_set_seq(notifier, cur_seq);
	return true;
}

static const struct mmu_interval_notifier_ops look_ops = {
	.invalidate = invalidate,
};

/* Faults nothing in. */
static int find_pages(struct hmm_range *range)
{
	int ret;

	do {
		if (fatal_signal_pending(current))
			return -EINTR;
		range->notifier_seq = mmu_interval_read_begin(range->notifier);
		mmap_read_lock(current->mm);
		ret = hmm_range_fault(range);
		mmap_read_unlock(current->mm);
	} while (ret == -EBUSY || (!ret &&
		 mmu_interval_read_retry(range->notifier,
					 range->notifier_seq)));
	return ret;
}

static int copy_pfns(const unsigned long *hmm_pfns, unsigned long npages,
		     u64 __user *pfns)
{
	unsigned long i;
	u64 pfn;

	for (i = 0; i < npages; i++) {
		pfn = 0;
		if (hmm_pfns[i] & HMM_PFN_VALID)
			pfn = page_to_pfn(hmm_pfn_to_page(hmm_pfns[i]));
		if (put_user(pfn, pfns + i))
			return -EFAULT;
	}
	return 0;
}

long look(const struct hmm_test_look *request)
{
	unsigned long size = request->npages * PAGE_SIZE;
	struct mmu_interval_notifier notifier;
	struct hmm_range range = {
		.notifier = &notifier,
		.start = request->addr,
		.end = request->addr + size,
		.dev_private_owner = &device_owner,
	};
	long ret;

	if (!request->npages || request->npages > MAX_PAGES ||
	    !PAGE_ALIGNED(request->addr) || request->addr > TASK_SIZE - size)
		return -EINVAL;
	range.hmm_pfns = kvzalloc_objs(*range.hmm_pfns, request->npages);
	if (!range.hmm_pfns)
		return -ENOMEM;
	ret = mmu_interval_notifier_insert(&notifier, current->mm, range.start,
					   size, &look_ops);
	if (ret)
		goto free;
	ret = find_pages(&range);
	mmu_interval_notifier_remove(&notifier);
	if (!ret)
		ret = copy_pfns(range.hmm_pfns, request->npages,
				u64_to_user_ptr(request->pfns));
free:
	kvfree(range.hmm_pfns);
	return ret;
}
