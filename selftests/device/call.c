// SPDX-License-Identifier: GPL-2.0
/*
 * A request to the engine: its range is looked up, the engine is called as a
 * real driver would call it, and what it did is judged and written down.
 */
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "device.h"

/* What no word may still be after the call. */
#define POISON	0x5a5a5a5a5a5a5a5aUL

static DEFINE_MUTEX(lock);	/* protects all up to fault_config */
static struct hmm_test_result last;
static struct hmm_test_result last_fault;
static u64 calls;
static u64 faults;
static u32 broken_promises;
static struct hmm_test_fault fault_config;

static char other_owner;

static void *owner_of(u32 owner)
{
	switch (owner) {
	case HMM_TEST_OWNER_DEVICE:
		return &device_owner;
	case HMM_TEST_OWNER_OTHER:
		return &other_owner;
	default:
		return NULL;
	}
}

static bool node_is_good(u32 node)
{
	return node < MAX_NUMNODES && node_state(node, N_MEMORY);
}

static bool bracket(struct mmu_interval_notifier *notifier,
		    const struct mmu_notifier_range *range,
		    unsigned long cur_seq)
{
	struct call *call = container_of(notifier, struct call, notifier);

	mmu_interval_set_seq(notifier, cur_seq);
	if (range->event == MMU_NOTIFY_MIGRATE &&
	    range->owner == call->ops.owner)
		call->result.brackets++;
	else
		call->result.brackets_other++;
	return true;
}

static const struct mmu_interval_notifier_ops bracket_ops = {
	.invalidate = bracket,
};

static struct call *call_new(const struct hmm_test_driver *driver,
			     unsigned long start, unsigned long npages,
			     bool words)
{
	struct call *call;

	call = kvzalloc_obj(*call);
	if (!call)
		return NULL;
	call->driver = *driver;
	call->start = start;
	call->npages = npages;
	if (!words)
		return call;
	call->pfns = kvmalloc_objs(*call->pfns, npages);
	if (!call->pfns) {
		kvfree(call);
		return NULL;
	}
	memset64((u64 *)call->pfns, POISON, npages);
	return call;
}

static void call_free(struct call *call)
{
	kvfree(call->pfns);
	kvfree(call);
}

/* Of calls that nobody looks at, too: the ledger asks what was ever broken. */
static void call_record(struct call *call, struct hmm_test_result *where,
			u64 *number)
{
	mutex_lock(&lock);
	*where = call->result;
	(*number)++;
	broken_promises |= call->result.contract;
	mutex_unlock(&lock);
}

static int run_2016(struct call *call, struct vm_area_struct *vma)
{
	struct caller_2016 caller = { .node = call->node };
	unsigned long end = call->start + call->npages * PAGE_SIZE;
	int ret;

	ret = caller_2016(vma, call->start, end, call->pfns, &caller);
	call->result.windows = caller.windows;
	call->result.offered = caller.copied;
	call->result.given = caller.copied;
	return ret;
}

/* Calls the engine's function over a VMA, with the mmap lock held. */
static void run(struct call *call, u32 function, struct vm_area_struct *vma)
{
	unsigned long end = call->start + call->npages * PAGE_SIZE;
	struct hmm_migrate_result result;

	switch (function) {
	case HMM_TEST_CALLER_2016:
		call->result.ret = run_2016(call, vma);
		contract_return(call, NULL);
		break;
	case HMM_TEST_VMA_MIGRATE:
		call->result.ret = hmm_vma_migrate(&call->ops, vma, call->start,
						   end, call->pfns, call);
		contract_return(call, NULL);
		break;
	case HMM_TEST_RANGE:
		memset(&result, 0xff, sizeof(result));
		call->result.ret = hmm_migrate_range(&call->ops, vma,
						     call->start, end,
						     call->pfns, call, &result);
		contract_return(call, &result);
		break;
	}
}

static long move(struct call *call, u32 function)
{
	struct vm_area_struct *vma;
	long ret;

	ret = rules_prepare(call);
	if (ret)
		goto settle;
	ret = mmu_interval_notifier_insert(&call->notifier, call->mm,
					   call->start,
					   call->npages * PAGE_SIZE,
					   &bracket_ops);
	if (ret)
		goto settle;

	mmap_read_lock(call->mm);
	vma = vma_lookup(call->mm, call->start);
	if (vma)
		run(call, function, vma);
	else
		ret = -EFAULT;
	mmap_read_unlock(call->mm);

	mmu_interval_notifier_remove(&call->notifier);
settle:
	rules_settle(call);
	return ret;
}

static int copy_words(struct call *call, u64 words)
{
	if (words && copy_to_user(u64_to_user_ptr(words), call->pfns,
				  call->npages * sizeof(*call->pfns)))
		return -EFAULT;
	return 0;
}

/* The memory that is to move, so that it stays; NULL: there is none. */
static struct mm_struct *mm_of(u32 number)
{
	struct task_struct *task;
	struct mm_struct *mm;
	struct pid *pid;

	/* Others may have opened the file, but the caller's mm is its own. */
	if (!number) {
		mmget(current->mm);
		return current->mm;
	}
	pid = find_get_pid(number);
	task = get_pid_task(pid, PIDTYPE_PID);
	put_pid(pid);
	if (!task)
		return NULL;
	mm = get_task_mm(task);
	put_task_struct(task);
	return mm;
}

long call_move(struct hmm_test_move *request)
{
	struct call *call;
	long ret;

	if (!request->npages || request->npages > MAX_PAGES ||
	    !PAGE_ALIGNED(request->addr) ||
	    request->addr > TASK_SIZE - request->npages * PAGE_SIZE ||
	    request->function > HMM_TEST_CALLER_2016 ||
	    (request->to == HMM_TEST_TO_NODE && !node_is_good(request->node)))
		return -EINVAL;

	call = call_new(&request->driver, request->addr, request->npages, true);
	if (!call)
		return -ENOMEM;
	ret = -ESRCH;
	call->mm = mm_of(request->pid);
	if (!call->mm)
		goto free;
	call->to_device = request->to == HMM_TEST_TO_DEVICE;
	call->node = request->node;
	driver_ops(call, owner_of(request->owner), request->flags);

	ret = move(call, request->function);
	mmput(call->mm);
	if (!ret) {
		call_record(call, &last, &calls);
		request->result = call->result;
		ret = copy_words(call, request->words);
	}
free:
	call_free(call);
	return ret;
}

/* Calls one of the engine's functions over device memory. */
static void run_by_pfn(struct call *call, u32 function, unsigned long first_pfn)
{
	struct hmm_migrate_result result;

	memset(&result, 0xff, sizeof(result));
	if (function == HMM_TEST_DEVICE_RANGE)
		call->result.ret = hmm_migrate_device_range(&call->ops,
							    first_pfn,
							    call->npages,
							    call->pfns, call,
							    &result);
	else
		call->result.ret = hmm_migrate_device_pfns(&call->ops,
							   call->pfns,
							   call->npages, call,
							   &result);
	contract_return(call, &result);
}

long call_evict(struct hmm_test_evict *request)
{
	bool list = request->function == HMM_TEST_DEVICE_PFNS;
	struct call *call;
	long ret;

	if (!request->npages || request->npages > MAX_PAGES ||
	    (!list && request->function != HMM_TEST_DEVICE_RANGE) ||
	    (list && !request->words) || !node_is_good(request->node))
		return -EINVAL;

	call = call_new(&request->driver, 0, request->npages, request->words);
	if (!call)
		return -ENOMEM;
	call->node = request->node;
	driver_ops(call, owner_of(request->owner), request->flags);

	ret = -EFAULT;
	if (list && copy_from_user(call->pfns, u64_to_user_ptr(request->words),
				   call->npages * sizeof(*call->pfns)))
		goto free;
	ret = rules_prepare(call);
	if (!ret) {
		if (request->mmap_locked)
			mmap_write_lock(current->mm);
		run_by_pfn(call, request->function, request->first_pfn);
		if (request->mmap_locked)
			mmap_write_unlock(current->mm);
	}
	rules_settle(call);
	if (!ret) {
		call_record(call, &last, &calls);
		request->result = call->result;
		ret = copy_words(call, request->words);
	}
free:
	call_free(call);
	return ret;
}

/*
 * Brings everything back to system memory, so that the device can go. Pages
 * that somebody is using now are tried again, for a second altogether.
 */
bool call_evict_all(void)
{
	static const struct hmm_test_driver well;
	struct call *call = call_new(&well, 0, DEVICE_PAGES, false);
	unsigned int tries;
	u64 taken, freed;

	if (!call)
		return false;
	call->node = first_memory_node;
	driver_ops(call, &device_owner,
		   HMM_MIGRATE_FROM_DEVICE | HMM_MIGRATE_TO_SYSTEM |
		   HMM_MIGRATE_LARGE);
	for (tries = 0; tries < 50; tries++) {
		memory_count(&taken, &freed);
		if (taken == freed)
			break;
		if (tries)
			msleep(20);
		call->window_end = 0;
		run_by_pfn(call, HMM_TEST_DEVICE_RANGE, memory_first_pfn());
	}
	call_free(call);
	memory_count(&taken, &freed);
	return taken == freed;
}

/* Spoils one of the arguments that hmm_migrate_fault() can see to be wrong. */
static vm_fault_t fault_with(struct call *call, struct vm_fault *vmf,
			     u32 argument, struct hmm_migrate_result *result)
{
	unsigned long end = call->start + call->npages * PAGE_SIZE;
	struct hmm_migrate_ops *ops = &call->ops;

	switch (argument) {
	case HMM_TEST_ARGUMENT_NULL_OPS:
		ops = NULL;
		break;
	case HMM_TEST_ARGUMENT_NULL_ALLOC:
		ops->alloc_and_copy = NULL;
		break;
	case HMM_TEST_ARGUMENT_NULL_FINALIZE:
		ops->finalize_and_map = NULL;
		break;
	case HMM_TEST_ARGUMENT_UNKNOWN_FLAGS:
		ops->flags |= 1UL << 31;
		break;
	case HMM_TEST_ARGUMENT_EMPTY:
		end = call->start;
		break;
	case HMM_TEST_ARGUMENT_UNALIGNED_START:
		call->start++;
		break;
	}
	return hmm_migrate_fault(ops, vmf, call->start, end, NULL, call,
				 result);
}

static void fault_range(struct vm_fault *vmf, u32 window, unsigned long *start,
			unsigned long *end)
{
	unsigned long size = max(window, 1) * PAGE_SIZE;

	if (window == HMM_TEST_WINDOW_FOLIO) {
		hmm_migrate_fault_range(vmf, start, end);
		return;
	}
	*start = rounddown(vmf->address, size);
	*end = *start + size;
}

vm_fault_t call_fault(struct vm_fault *vmf)
{
	struct hmm_migrate_result result = {};
	struct hmm_test_fault config;
	unsigned long start, end;
	struct call *call;
	vm_fault_t ret;

	mutex_lock(&lock);
	config = fault_config;
	mutex_unlock(&lock);

	fault_range(vmf, config.window, &start, &end);
	call = call_new(&config.driver, start, (end - start) >> PAGE_SHIFT,
			false);
	if (!call)
		return VM_FAULT_OOM;
	call->mm = vmf->vma->vm_mm;
	call->node = numa_mem_id();
	call->fault_errno = config.fault_errno;
	driver_ops(call, &device_owner,
		   HMM_MIGRATE_FROM_DEVICE | HMM_MIGRATE_TO_SYSTEM |
		   HMM_MIGRATE_LARGE);
	ret = fault_with(call, vmf, config.argument, &result);
	rules_settle(call);

	call->result.ret = ret;
	contract_fault(call, &result);
	call_record(call, &last_fault, &faults);
	call_free(call);
	return ret;
}

void call_set_fault(const struct hmm_test_fault *config)
{
	mutex_lock(&lock);
	fault_config = *config;
	mutex_unlock(&lock);
}

void call_stats(struct hmm_test_stats *stats)
{
	stats->first_pfn = memory_first_pfn();
	stats->npages = DEVICE_PAGES;
	memory_count(&stats->allocated, &stats->freed);
	stats->last_given = atomic_long_read(&driver_last_given);
	stats->in_callback = atomic_read(&driver_in_callback);
	mutex_lock(&lock);
	stats->calls = calls;
	stats->faults = faults;
	stats->contract = broken_promises;
	stats->last = last;
	stats->last_fault = last_fault;
	mutex_unlock(&lock);
}
