/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the Rust side of the module sees of the kernel beyond the kernel
 * crate's own bindings.
 */
#ifndef HMM_MIGRATE_FFI_BINDINGS_H
#define HMM_MIGRATE_FFI_BINDINGS_H

#include <linux/cacheflush.h>
#include <linux/compiler_types.h>
#include <linux/folio_batch.h>
#include <linux/fs.h>
#include <linux/hmm_migrate.h>
#include <linux/huge_mm.h>
#include <linux/hugetlb_inline.h>
#include <linux/jump_label.h>
#include <linux/leafops.h>
#include <linux/memcontrol.h>
#include <linux/memremap.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/mmu_notifier.h>
#include <linux/oom.h>
#include <linux/page-flags.h>
#include <linux/pagemap.h>
#include <linux/pgalloc.h>
#include <linux/pgtable.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/secretmem.h>
#include <linux/swap.h>
#include <linux/swapops.h>
#include <linux/userfaultfd_k.h>
#include <trace/events/hmm_migrate.h>
#include <asm/tlbflush.h>
#include "../../internal.h"
#include "../../swap.h"

#if defined(CONFIG_X86) && defined(MODULE)
/*
 * <asm/tlbflush.h> keeps it from modules; it is exported to this one. No page
 * table is freed here, so that processors in lazy TLB mode can be left alone.
 */
void flush_tlb_mm_range(struct mm_struct *mm, unsigned long start,
			unsigned long end, unsigned int stride_shift,
			bool freed_tables);
#define flush_tlb_range(vma, start, end) \
	flush_tlb_mm_range((vma)->vm_mm, start, end, PAGE_SHIFT, false)
#endif

#ifdef __BINDGEN__
/* Macros, and of constants that bindgen does not know on each architecture. */
static const unsigned long HMM_MIGRATE_TABLE_SIZE = PMD_SIZE;
static const gfp_t HMM_MIGRATE_RETRY_MAYFAIL = __GFP_RETRY_MAYFAIL;
static const unsigned long HMM_MIGRATE_WORD_VALID = HMM_MIGRATE_PFN_VALID;
static const unsigned long HMM_MIGRATE_WORD_READ = HMM_MIGRATE_PFN_READ;
static const unsigned long HMM_MIGRATE_WORD_WRITE = HMM_MIGRATE_PFN_WRITE;
static const unsigned long HMM_MIGRATE_WORD_ERROR = HMM_MIGRATE_PFN_ERROR;
static const unsigned long HMM_MIGRATE_WORD_EMPTY = HMM_MIGRATE_PFN_EMPTY;
static const unsigned long HMM_MIGRATE_WORD_FAULT = HMM_MIGRATE_PFN_FAULT;
static const unsigned long HMM_MIGRATE_WORD_DEVICE = HMM_MIGRATE_PFN_DEVICE;
static const unsigned long HMM_MIGRATE_WORD_LOCKED = HMM_MIGRATE_PFN_LOCKED;
static const unsigned long HMM_MIGRATE_WORD_MIGRATE = HMM_MIGRATE_PFN_MIGRATE;
static const unsigned long HMM_MIGRATE_WORD_UNADDRESSABLE = HMM_MIGRATE_PFN_UNADDRESSABLE;
#endif

/* The static key that switches the counters on, in a type that Rust can name. */
struct hmm_migrate_gate {
	struct static_key_false key;
};

extern struct hmm_migrate_gate hmm_migrate_stats_gate;

bool hmm_migrate_may_drain(void);
bool hmm_migrate_may_warn(void);

#endif /* HMM_MIGRATE_FFI_BINDINGS_H */
