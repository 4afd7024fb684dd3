// SPDX-License-Identifier: GPL-2.0
/*
 * Calls of the engine with one wrong argument. User space cannot get these
 * wrong through a driver: a driver can.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "device.h"

/* The arguments of all functions, of which one is spoilt. */
struct arguments {
	struct hmm_migrate_ops *ops;
	struct vm_area_struct *vma;
	unsigned long start;	/* address, or first pfn */
	unsigned long end;	/* address, or number of pages */
	hmm_pfn_t *pfns;
};

static long spoil_common(struct arguments *args, u32 argument)
{
	switch (argument) {
	case HMM_TEST_ARGUMENT_GOOD:
		return 0;
	case HMM_TEST_ARGUMENT_NULL_OPS:
		args->ops = NULL;
		return 0;
	case HMM_TEST_ARGUMENT_NULL_ALLOC:
		args->ops->alloc_and_copy = NULL;
		return 0;
	case HMM_TEST_ARGUMENT_NULL_FINALIZE:
		args->ops->finalize_and_map = NULL;
		return 0;
	case HMM_TEST_ARGUMENT_NULL_PFNS:
		args->pfns = NULL;
		return 0;
	case HMM_TEST_ARGUMENT_UNKNOWN_FLAGS:
		args->ops->flags |= 1UL << 31;
		return 0;
	}
	return -EOPNOTSUPP;
}

static long spoil_range(struct arguments *args, u32 argument)
{
	switch (argument) {
	case HMM_TEST_ARGUMENT_NULL_VMA:
		args->vma = NULL;
		return 0;
	case HMM_TEST_ARGUMENT_EMPTY:
		args->end = args->start;
		return 0;
	case HMM_TEST_ARGUMENT_REVERSED:
		swap(args->start, args->end);
		return 0;
	case HMM_TEST_ARGUMENT_UNALIGNED_START:
		args->start += 8;
		return 0;
	case HMM_TEST_ARGUMENT_UNALIGNED_END:
		args->end -= 8;
		return 0;
	case HMM_TEST_ARGUMENT_BELOW_VMA:
		args->start = args->vma->vm_start - PAGE_SIZE;
		return 0;
	case HMM_TEST_ARGUMENT_ABOVE_VMA:
		args->end = args->vma->vm_end + PAGE_SIZE;
		return 0;
	case HMM_TEST_ARGUMENT_WRAPS:
		args->start = -PAGE_SIZE;
		args->end = PAGE_SIZE;
		return 0;
	}
	return spoil_common(args, argument);
}

static long spoil_pfns(struct arguments *args, u32 argument, bool list)
{
	switch (argument) {
	case HMM_TEST_ARGUMENT_EMPTY:
		args->end = 0;
		return 0;
	case HMM_TEST_ARGUMENT_WRAPS:
		args->start = ULONG_MAX - 1;
		return list ? -EOPNOTSUPP : 0;
	case HMM_TEST_ARGUMENT_NULL_PFNS:
		args->pfns = NULL;
		return list ? 0 : -EOPNOTSUPP;
	}
	return spoil_common(args, argument);
}

static int call_range(const struct arguments *args, u32 function,
		      struct call *call, struct hmm_migrate_result *result)
{
	if (function == HMM_TEST_VMA_MIGRATE)
		return hmm_vma_migrate(args->ops, args->vma, args->start,
				       args->end, args->pfns, call);
	return hmm_migrate_range(args->ops, args->vma, args->start, args->end,
				 args->pfns, call, result);
}

static int call_pfns(const struct arguments *args, u32 function,
		     struct call *call, struct hmm_migrate_result *result)
{
	if (function == HMM_TEST_DEVICE_RANGE)
		return hmm_migrate_device_range(args->ops, args->start,
						args->end, args->pfns, call,
						result);
	return hmm_migrate_device_pfns(args->ops, args->pfns, args->end, call,
				       result);
}

static long over_vma(struct call *call, const struct hmm_test_bad *bad,
		     struct hmm_migrate_result *result)
{
	struct arguments args = {
		.ops = &call->ops,
		.start = bad->addr,
		.end = bad->addr + bad->npages * PAGE_SIZE,
		.pfns = call->pfns,
	};
	long ret = -EFAULT;

	call->mm = current->mm;
	call->start = args.start;
	mmap_read_lock(current->mm);
	args.vma = vma_lookup(current->mm, bad->addr);
	if (args.vma && args.end <= args.vma->vm_end)
		ret = spoil_range(&args, bad->argument);
	if (!ret)
		call->result.ret = call_range(&args, bad->function, call,
					      result);
	mmap_read_unlock(current->mm);
	return ret;
}

static long over_pfns(struct call *call, const struct hmm_test_bad *bad,
		      struct hmm_migrate_result *result)
{
	struct arguments args = {
		.ops = &call->ops,
		.start = memory_first_pfn(),
		.end = bad->npages,
		.pfns = call->pfns,
	};
	long ret;

	ret = spoil_pfns(&args, bad->argument,
			 bad->function == HMM_TEST_DEVICE_PFNS);
	if (!ret)
		call->result.ret = call_pfns(&args, bad->function, call,
					     result);
	return ret;
}

long arguments_call(struct hmm_test_bad *bad)
{
	struct hmm_migrate_result result = {};
	struct call *call;
	unsigned long i;
	long ret;

	if (bad->npages < 2 || bad->npages > WINDOW_PAGES ||
	    !PAGE_ALIGNED(bad->addr))
		return -EINVAL;
	call = kvzalloc_obj(*call);
	if (!call)
		return -ENOMEM;
	call->npages = bad->npages;
	call->node = first_memory_node;
	call->pfns = kvzalloc_objs(*call->pfns, bad->npages);
	ret = -ENOMEM;
	if (!call->pfns)
		goto free;
	for (i = 0; i < bad->npages; i++)
		call->pfns[i] = hmm_migrate_pfn(memory_first_pfn() + i);

	switch (bad->function) {
	case HMM_TEST_VMA_MIGRATE:
	case HMM_TEST_RANGE:
		driver_ops(call, NULL, HMM_MIGRATE_TO_SYSTEM);
		ret = over_vma(call, bad, &result);
		break;
	case HMM_TEST_DEVICE_RANGE:
	case HMM_TEST_DEVICE_PFNS:
		driver_ops(call, &device_owner, HMM_MIGRATE_TO_SYSTEM);
		ret = over_pfns(call, bad, &result);
		break;
	default:
		ret = -EINVAL;
	}
	call->result.migrated = result.migrated;
	for (i = 0; i < HMM_MIGRATE_NR_REASONS; i++)
		call->result.left[i] = result.left[i];
	bad->result = call->result;
free:
	kvfree(call->pfns);
	kvfree(call);
	return ret;
}
