/* SPDX-License-Identifier: GPL-2.0 */
/* Shared by the files of the test device. */
#ifndef HMM_MIGRATE_TEST_DEVICE_H
#define HMM_MIGRATE_TEST_DEVICE_H

#include <linux/hmm_migrate.h>
#include <linux/mmu_notifier.h>
#include <linux/pgtable.h>
#include <linux/prandom.h>

#include "../hmm_migrate_test_uapi.h"

#define DEVICE_BYTES	(128UL << 20)
#define DEVICE_PAGES	(DEVICE_BYTES >> PAGE_SHIFT)
#define WINDOW_PAGES	PTRS_PER_PTE
#define MAX_ODD		64
#define MAX_PAGES	262144UL

/* A page that somebody must get rid of: a destination, or a source that breaks. */
struct odd {
	struct page *page;
	enum {
		ODD_OURS, ODD_HELD, ODD_GENERIC, ODD_BROKEN, ODD_SOURCE,
	} kind;
};

/* One call of the engine, from the request to its result. */
struct call {
	struct hmm_test_driver driver;
	struct hmm_test_result result;
	struct hmm_migrate_ops ops;
	struct mmu_interval_notifier notifier;
	struct mm_struct *mm;		/* NULL where a call has no VMA */
	unsigned long start;		/* of the range, as callbacks see it */
	unsigned long npages;
	hmm_pfn_t *pfns;		/* may be NULL */
	bool to_device;
	int node;
	int fault_errno;		/* see struct hmm_test_fault */

	/* The window that is in progress, or the last one. */
	bool in_window;
	unsigned long window_start;
	unsigned long window_end;
	hmm_pfn_t offered[WINDOW_PAGES];
	hmm_pfn_t given[WINDOW_PAGES];
	hmm_pfn_t last_given;
	bool gave_smaller;		/* than a source; it comes again */
	DECLARE_BITMAP(used, WINDOW_PAGES);	/* sources, by somebody else */

	unsigned int asked;		/* words that could be moved, so far */
	unsigned int breakable;		/* of these, that could break the rule */
	struct rnd_state random;
	struct page *held;		/* for ODD_HELD: two references of ours */
	struct file *file;		/* of the held page, or NULL */
	struct odd odd[MAX_ODD];
	unsigned int nr_odd;
};

/* pages.c: all pages of the machine */
struct hmm_test_tables pages_tables(void);

/* look.c: the pages of a process */
long look(const struct hmm_test_look *request);

/* memory.c: the device's pages */
extern char device_owner;	/* its address is the owner of the memory */
int memory_init(void);
void memory_exit(void);
unsigned long memory_first_pfn(void);
void memory_count(u64 *allocated, u64 *freed);
struct page *memory_alloc(unsigned int order);
struct page *memory_alloc_free_page(void);
void memory_take_back(struct page *page);
struct page *memory_content(struct page *page);
struct page *memory_generic(void);

/* call.c: from a request to the engine and back */
long call_move(struct hmm_test_move *move);
long call_evict(struct hmm_test_evict *evict);
bool call_evict_all(void);
vm_fault_t call_fault(struct vm_fault *vmf);
void call_set_fault(const struct hmm_test_fault *fault);
void call_stats(struct hmm_test_stats *stats);

/* driver.c: the callbacks */
extern atomic_t driver_in_callback;
extern atomic_long_t driver_last_given;
void driver_ops(struct call *call, void *owner, unsigned long flags);
struct page *driver_alloc(struct call *call, unsigned int order);
void driver_copy(struct call *call, struct page *destination, hmm_pfn_t offered,
		 unsigned long offset);

/* contract.c: what the engine promised */
void contract_window(struct call *call, struct vm_area_struct *vma,
		     unsigned long start, unsigned long end);
void contract_offer(struct call *call, struct vm_area_struct *vma,
		    const hmm_pfn_t *pfns, unsigned long npages);
void contract_final(struct call *call, struct vm_area_struct *vma,
		    unsigned long start, unsigned long end,
		    const hmm_pfn_t *pfns);
void contract_return(struct call *call,
		     const struct hmm_migrate_result *result);
void contract_fault(struct call *call, const struct hmm_migrate_result *result);

/* rules.c: destinations that break a rule */
int rules_prepare(struct call *call);
bool rules_break(struct call *call, hmm_pfn_t offered, unsigned long i,
		 hmm_pfn_t *word);
void rules_finalize(struct call *call);
void rules_settle(struct call *call);

/* arguments.c: wrong arguments */
long arguments_call(struct hmm_test_bad *bad);

/* caller_2016.c: a caller of 2016, which knows nothing of the above */
struct caller_2016 {
	int node;
	unsigned long copied;
	unsigned long moved;
	unsigned long windows;
};

int caller_2016(struct vm_area_struct *vma, unsigned long start,
		unsigned long end, hmm_pfn_t *pfns, struct caller_2016 *caller);

#endif
