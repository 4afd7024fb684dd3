/* SPDX-License-Identifier: GPL-2.0 */
/* Shared by the files of the benchmark's driver. */
#ifndef HMM_MIGRATE_BENCH_H
#define HMM_MIGRATE_BENCH_H

#include <linux/mm.h>

#include "../hmm_migrate_bench_uapi.h"

#define WINDOW_PAGES	PTRS_PER_PTE

/* One call of an engine: what the driver must know, and what it has taken. */
struct run {
	struct bench_result result;
	enum bench_engine engine;
	enum bench_to to;
	int node;		/* of system memory */
	bool large;
	u64 total_begin;
	u64 copy_begin;
	u64 copy_end;
};

/* memory.c: the device's memory */
extern char memory_owner;	/* its address is the owner of the memory */
int memory_init(void);
void memory_exit(void);
int memory_reset(void);
unsigned long memory_first_pfn(void);
unsigned long memory_npages(void);
struct folio *memory_take(unsigned int order);
struct page *memory_content(struct page *page);

/* driver.c: what both engines have the driver do, and its time */
struct folio *driver_copy(struct run *run, struct page *from,
			  unsigned int order);
void driver_total_begin(struct run *run);
void driver_total_end(struct run *run);
void driver_copy_begin(struct run *run);
void driver_copy_end(struct run *run);
void driver_tell_begin(struct run *run);
void driver_tell_end(struct run *run);
static inline void driver_has_moved(struct run *run, struct page *page)
{
	run->result.moved += folio_nr_pages(page_folio(page));
}

/* An engine: moves a range, a fault's window, or device memory by its frames. */
struct engine {
	int (*move)(struct run *run, struct vm_area_struct *vma,
		    unsigned long start, unsigned long end,
		    unsigned long *words);
	vm_fault_t (*fault)(struct run *run, struct vm_fault *vmf,
			    unsigned long start, unsigned long end);
	int (*evict)(struct run *run, unsigned long first_pfn,
		     unsigned long npages, unsigned long *words);
	/* How many words a call for so many pages needs. */
	unsigned long (*words)(unsigned long npages);
};

extern const struct engine engine_mainline;	/* mainline.c */
extern const struct engine engine_hmm_migrate;	/* hmm_migrate.c */

/* call.c: from a request, or a fault, to an engine */
long call_move(struct bench_move *request);
long call_evict(struct bench_evict *request);
long call_faults(struct bench_faults *request);
vm_fault_t call_fault(struct vm_fault *vmf);

#endif
