// SPDX-License-Identifier: GPL-2.0
/*
 * From a request, or a fault, to an engine. Nothing but the engine's work, with
 * the lock that its callers take, lies between the two readings of the clock.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "bench.h"

static const struct engine * const engines[BENCH_NR_ENGINES] = {
	[BENCH_MAINLINE]	= &engine_mainline,
	[BENCH_HMM_MIGRATE]	= &engine_hmm_migrate,
};

static DEFINE_SPINLOCK(lock);	/* protects both below */
static struct bench_faults faults = {
	.engine = BENCH_HMM_MIGRATE,
	.npages = 1,
};

static bool node_is_good(u32 node)
{
	return node < MAX_NUMNODES && node_state(node, N_MEMORY);
}

static long over_vma(struct run *run, const struct engine *engine,
		     unsigned long start, unsigned long end,
		     unsigned long *words)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	long ret = -EFAULT;

	driver_total_begin(run);
	mmap_read_lock(mm);
	vma = vma_lookup(mm, start);
	if (vma && end <= vma->vm_end)
		ret = engine->move(run, vma, start, end, words);
	mmap_read_unlock(mm);
	driver_total_end(run);
	return ret;
}

long call_move(struct bench_move *request)
{
	struct run run = {
		.engine = request->engine,
		.to = request->to,
		.node = request->node,
		.large = request->large,
	};
	const struct engine *engine;
	unsigned long *words;
	long ret;

	if (request->engine >= BENCH_NR_ENGINES ||
	    request->to > BENCH_TO_NODE || !node_is_good(request->node) ||
	    (request->to == BENCH_TO_NODE &&
	     request->engine != BENCH_HMM_MIGRATE) ||
	    !request->npages || request->npages > memory_npages() ||
	    !PAGE_ALIGNED(request->addr) ||
	    request->addr > TASK_SIZE - request->npages * PAGE_SIZE)
		return -EINVAL;

	engine = engines[request->engine];
	words = kvzalloc_objs(*words, engine->words(request->npages));
	if (!words)
		return -ENOMEM;
	ret = over_vma(&run, engine, request->addr,
		       request->addr + request->npages * PAGE_SIZE, words);
	request->result = run.result;
	kvfree(words);
	return ret;
}

long call_evict(struct bench_evict *request)
{
	struct run run = {
		.engine = request->engine,
		.to = BENCH_TO_SYSTEM,
		.node = request->node,
		.large = true,
	};
	const struct engine *engine;
	unsigned long *words;
	long ret;

	if (request->engine >= BENCH_NR_ENGINES ||
	    !node_is_good(request->node) || !request->npages ||
	    request->first > memory_npages() ||
	    request->npages > memory_npages() - request->first)
		return -EINVAL;

	engine = engines[request->engine];
	words = kvzalloc_objs(*words, engine->words(request->npages));
	if (!words)
		return -ENOMEM;
	driver_total_begin(&run);
	ret = engine->evict(&run, memory_first_pfn() + request->first,
			    request->npages, words);
	driver_total_end(&run);
	request->result = run.result;
	kvfree(words);
	return ret;
}

long call_faults(struct bench_faults *request)
{
	struct bench_faults next = {
		.engine = request->engine,
		.node = request->node,
		.npages = request->npages,
	};

	if (request->engine >= BENCH_NR_ENGINES ||
	    !node_is_good(request->node) ||
	    request->npages > BENCH_MAX_WINDOW ||
	    !is_power_of_2(request->npages))
		return -EINVAL;

	spin_lock(&lock);
	request->result = faults.result;
	request->count = faults.count;
	faults = next;
	spin_unlock(&lock);
	return 0;
}

static void faults_add(const struct bench_result *result)
{
	struct bench_result *sum = &faults.result;

	spin_lock(&lock);
	faults.count++;
	sum->total_ns += result->total_ns;
	sum->copy_ns += result->copy_ns;
	sum->before_ns += result->before_ns;
	sum->between_ns += result->between_ns;
	sum->moved += result->moved;
	sum->windows += result->windows;
	spin_unlock(&lock);
}

vm_fault_t call_fault(struct vm_fault *vmf)
{
	unsigned long size = READ_ONCE(faults.npages) * PAGE_SIZE;
	struct run run = {
		.engine = READ_ONCE(faults.engine),
		.to = BENCH_TO_SYSTEM,
		.node = READ_ONCE(faults.node),
	};
	const struct engine *engine = engines[run.engine];
	unsigned long start, end;
	vm_fault_t ret;

	driver_total_begin(&run);
	start = max(ALIGN_DOWN(vmf->address, size), vmf->vma->vm_start);
	end = min(ALIGN_DOWN(vmf->address, size) + size, vmf->vma->vm_end);
	ret = engine->fault(&run, vmf, start, end);
	driver_total_end(&run);
	faults_add(&run.result);
	return ret;
}
