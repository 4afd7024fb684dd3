/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Migration of the memory behind a range of a process's addresses, with a
 * driver's own allocator and copy engine.
 *
 * The manual has a driver to start from, mm/hmm_migrate/selftests/example/;
 * lib/test_hmm.c is one that moves large folios, too.
 */
#ifndef LINUX_HMM_MIGRATE_H
#define LINUX_HMM_MIGRATE_H

#include <linux/bitops.h>
#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/page-flags.h>
#include <linux/vmstat.h>

/**
 * DOC: the word
 *
 * One word stands for one page of a window::
 *
 *   bits  0-10  flags, HMM_MIGRATE_PFN_*
 *   bits 11-50  page frame number; with ERROR and without VALID, the errno of a
 *		 driver, or the reason of the module
 *   bits 51-55  order of the folio that begins with this page
 *   bits 56-63  zero
 */

/**
 * typedef hmm_pfn_t - one word
 */
typedef unsigned long hmm_pfn_t;

/**
 * DOC: flags
 *
 * HMM_MIGRATE_PFN_VALID
 *   there is a page, whose frame number the word has
 * HMM_MIGRATE_PFN_READ
 *   its entry is readable
 * HMM_MIGRATE_PFN_WRITE
 *   its entry is writable
 * HMM_MIGRATE_PFN_ERROR
 *   it has not moved, or will not
 * HMM_MIGRATE_PFN_EMPTY
 *   a hole, or the zero page
 * HMM_MIGRATE_PFN_FAULT
 *   the CPU waits for it
 * HMM_MIGRATE_PFN_DEVICE
 *   it is ZONE_DEVICE memory
 * HMM_MIGRATE_PFN_LOCKED
 *   it is locked
 * HMM_MIGRATE_PFN_SPECIAL
 *   had a meaning in 2016; no word has it
 * HMM_MIGRATE_PFN_MIGRATE
 *   it is offered, given, or has moved
 * HMM_MIGRATE_PFN_UNADDRESSABLE
 *   the CPU cannot read it
 */
#define HMM_MIGRATE_PFN_VALID		BIT(0)
#define HMM_MIGRATE_PFN_READ		BIT(1)
#define HMM_MIGRATE_PFN_WRITE		BIT(2)
#define HMM_MIGRATE_PFN_ERROR		BIT(3)
#define HMM_MIGRATE_PFN_EMPTY		BIT(4)
#define HMM_MIGRATE_PFN_FAULT		BIT(5)
#define HMM_MIGRATE_PFN_DEVICE		BIT(6)
#define HMM_MIGRATE_PFN_LOCKED		BIT(7)
#define HMM_MIGRATE_PFN_SPECIAL		BIT(8)
#define HMM_MIGRATE_PFN_MIGRATE		BIT(9)
#define HMM_MIGRATE_PFN_UNADDRESSABLE	BIT(10)

#define HMM_MIGRATE_PFN_SHIFT		11
#define HMM_MIGRATE_PFN_BITS		40
#define HMM_MIGRATE_ORDER_SHIFT		(HMM_MIGRATE_PFN_SHIFT + HMM_MIGRATE_PFN_BITS)
#define HMM_MIGRATE_ORDER_BITS		5

/**
 * enum hmm_migrate_flags - what a call takes, and where it promises to put it
 * @HMM_MIGRATE_FROM_SYSTEM: take system pages, holes and the zero page
 * @HMM_MIGRATE_FROM_DEVICE: take ZONE_DEVICE pages of &hmm_migrate_ops.owner
 * @HMM_MIGRATE_TO_SYSTEM: every destination is ordinary system memory; only
 *	then are pages of files taken, and pages whose swap slot is shared
 * @HMM_MIGRATE_LARGE: the driver understands words with an order
 *
 * With neither FROM flag a call takes system pages and, where the owner is
 * not NULL, the owner's device pages.
 */
enum hmm_migrate_flags {
	HMM_MIGRATE_FROM_SYSTEM	= 1,
	HMM_MIGRATE_FROM_DEVICE	= 2,
	HMM_MIGRATE_TO_SYSTEM	= 4,
	HMM_MIGRATE_LARGE	= 8,
};

/**
 * enum hmm_migrate_reason - why a page is still where it was
 * @HMM_MIGRATE_NOTHING: there is nothing that the call asks for
 * @HMM_MIGRATE_KIND: a kind that is not moved: file (without TO_SYSTEM), KSM,
 *	special, marker, with memory tags
 * @HMM_MIGRATE_FOREIGN: a device page of another owner
 * @HMM_MIGRATE_SWAPPED: swapped out, or its swap slot is shared
 * @HMM_MIGRATE_POISONED: the memory is broken, or that for it to go to
 * @HMM_MIGRATE_LOCKED: somebody else has locked it, or is writing it back
 * @HMM_MIGRATE_NOT_LRU: somebody else has taken it off the LRU
 * @HMM_MIGRATE_PINNED: somebody else holds a reference or a pin
 * @HMM_MIGRATE_PARTIAL: a large folio that could not be split
 * @HMM_MIGRATE_NOT_MAPPED: no process maps it
 * @HMM_MIGRATE_RACED: the page table changed meanwhile
 * @HMM_MIGRATE_NO_MEMORY: a hole, for whose page the process cannot be charged,
 *	or for whose page table there is no memory
 * @HMM_MIGRATE_DECLINED: the driver did not want it
 * @HMM_MIGRATE_BAD_DESTINATION: the driver's destination breaks a rule
 * @HMM_MIGRATE_NR_REASONS: how many there are
 */
enum hmm_migrate_reason {
	HMM_MIGRATE_NOTHING,
	HMM_MIGRATE_KIND,
	HMM_MIGRATE_FOREIGN,
	HMM_MIGRATE_SWAPPED,
	HMM_MIGRATE_POISONED,
	HMM_MIGRATE_LOCKED,
	HMM_MIGRATE_NOT_LRU,
	HMM_MIGRATE_PINNED,
	HMM_MIGRATE_PARTIAL,
	HMM_MIGRATE_NOT_MAPPED,
	HMM_MIGRATE_RACED,
	HMM_MIGRATE_NO_MEMORY,
	HMM_MIGRATE_DECLINED,
	HMM_MIGRATE_BAD_DESTINATION,
	HMM_MIGRATE_NR_REASONS
};

/**
 * struct hmm_migrate_result - what became of each page of a call
 * @migrated: base pages that are at their destination
 * @left: base pages that are where they were, by &enum hmm_migrate_reason
 *
 * The sum of all is the number of pages in the range that was worked
 * through. It is written even when the call returns an error.
 */
struct hmm_migrate_result {
	unsigned long migrated;
	unsigned long left[HMM_MIGRATE_NR_REASONS];
};

/**
 * struct hmm_migrate_ops - a driver's part in a migration
 * @alloc_and_copy: allocate destinations and copy the sources to them
 * @finalize_and_map: learn what moved; but for filled holes processes cannot
 *	use it yet. Neither callback may be NULL
 * @owner: &dev_pagemap.owner of the driver's device pages; NULL where there
 *	are none. MMU notifiers get it for the window of a range or a fault; what
 *	is unmapped elsewhere, or by its frame number, they learn as
 *	MMU_NOTIFY_CLEAR
 * @flags: &enum hmm_migrate_flags, or 0
 *
 * Both get the area, the addresses and the words of a window, and the @private of
 * the call.
 *
 * A call works through its range in windows of at most one page table (512
 * pages on x86-64). Each round of a window calls both callbacks, in this order,
 * exactly once, with the window's @start, @end and words, or neither. A second
 * round there is only where large folios had to be split, see below. Calls over
 * device memory have no @vma, and @start and @end are the bytes from the first
 * page of the call.
 *
 * Context: both run in process context and may sleep. The sources are locked
 * and unmapped, and stay so: their locks and references are not the driver's,
 * nor is the mmap lock. The callbacks must not touch the range through user
 * addresses, take the mmap lock, or wait for another migration. Where sources
 * may be pages of files, allocations do not wait for file systems (as within
 * memalloc_nofs_save()), and a callback must not do so either. The copies
 * must be complete when @alloc_and_copy returns, and the words are not there
 * any more when a callback has returned.
 *
 * No caller may hold a lock that the callbacks take, nor one that the device's
 * folio_free() or folio_split() takes, nor one that the invalidate() of an MMU
 * notifier takes: all of these are called from within.
 *
 * A word that is offered has VALID, MIGRATE, LOCKED, READ and a pfn; WRITE
 * where its entry is writable (unknown for pages found by pfn); DEVICE for
 * ZONE_DEVICE memory, UNADDRESSABLE where the CPU cannot read it; FAULT where
 * the CPU is waiting for the page. A hole that may be filled has EMPTY, and an
 * order. Every other word is 0.
 *
 * To move a page, write hmm_migrate_pfn() of a destination over its word: a
 * fresh page, locked, with one reference that is given away, mapped nowhere,
 * not on the LRU, and charged to nobody (no __GFP_ACCOUNT); device memory is
 * that of @owner. To leave it, clear MIGRATE (for a hole, leave EMPTY), or say
 * why with hmm_migrate_pfn_error(). What can be seen to be no such page is
 * refused, and the log says why, if not too often. One whose word is not VALID
 * or was not offered, or that is free, not locked, in use or given twice stays
 * the driver's: nobody else drops the reference or clears the lock that it may
 * have.
 *
 * With HMM_MIGRATE_LARGE a folio of order n is offered by one word, which has
 * the order; the words of its other pages are 0. So is a hole as large as
 * what a page table maps. Give a folio of the same order, that can be mapped
 * in parts, with hmm_migrate_pfn_large(). Where there is none, the error -E2BIG
 * asks for the source's pages by themselves: it is split, where the core can,
 * and the window has a second round with what is left of it. Smaller folios,
 * each in the word of its first page, do the same, for nothing: they are given
 * back. A hole takes them, of any order but 1, where they are aligned in it;
 * -E2BIG declines it.
 * Destinations in device-coherent memory are of order 0 always.
 *
 * In @finalize_and_map a word with MIGRATE has moved: it has VALID, and the
 * frame number and order of the destination; the source's is gone. A word with
 * ERROR has not; with VALID it has its destination, which is unlocked and put
 * when the callback has returned. A filled hole is in the page table already; other
 * pages follow, and the process may have unmapped one meanwhile. A driver fills
 * the device's own page table under mmu_interval_read_retry(): it is simplest
 * to do it after the call, with hmm_range_fault().
 */
struct hmm_migrate_ops {
	void (*alloc_and_copy)(struct vm_area_struct *vma, unsigned long start,
			       unsigned long end, hmm_pfn_t *pfns,
			       void *private);
	void (*finalize_and_map)(struct vm_area_struct *vma,
				 unsigned long start, unsigned long end,
				 hmm_pfn_t *pfns, void *private);
	void *owner;
	unsigned long flags;
};

/**
 * hmm_migrate_pfn() - the word for a destination of order 0
 * @pfn: page frame number
 *
 * Return: a word with VALID, MIGRATE and LOCKED.
 */
static inline hmm_pfn_t hmm_migrate_pfn(unsigned long pfn)
{
	BUILD_BUG_ON(MAX_PHYSMEM_BITS - PAGE_SHIFT > HMM_MIGRATE_PFN_BITS);
	return (pfn << HMM_MIGRATE_PFN_SHIFT) | HMM_MIGRATE_PFN_VALID |
	       HMM_MIGRATE_PFN_MIGRATE | HMM_MIGRATE_PFN_LOCKED;
}

/**
 * hmm_migrate_pfn_large() - the word for a destination of any order
 * @pfn: page frame number of the first page
 * @order: the destination covers 1 << @order pages; never 1
 *
 * Return: a word with VALID, MIGRATE and LOCKED.
 */
static inline hmm_pfn_t hmm_migrate_pfn_large(unsigned long pfn,
					      unsigned int order)
{
	return hmm_migrate_pfn(pfn) |
	       ((hmm_pfn_t)order << HMM_MIGRATE_ORDER_SHIFT);
}

/**
 * hmm_migrate_pfn_error() - the word for a page that the driver leaves
 * @error: negative errno that says why
 *
 * Three of them do something: -E2BIG for a large source asks for its pages by
 * themselves, and for a page with FAULT -ENOMEM and -EHWPOISON say how the
 * access ends (see hmm_migrate_fault()). All others are one: the page stays,
 * and is told as DECLINED.
 *
 * Return: a word with ERROR and the errno.
 */
static inline hmm_pfn_t hmm_migrate_pfn_error(int error)
{
	return ((hmm_pfn_t)-error << HMM_MIGRATE_PFN_SHIFT) |
	       HMM_MIGRATE_PFN_ERROR;
}

/**
 * hmm_migrate_pfn_number() - the page frame number in a word
 * @word: a word with VALID
 *
 * Return: the page frame number.
 */
static inline unsigned long hmm_migrate_pfn_number(hmm_pfn_t word)
{
	return (word >> HMM_MIGRATE_PFN_SHIFT) &
	       ((1UL << HMM_MIGRATE_PFN_BITS) - 1);
}

/**
 * hmm_migrate_pfn_to_page() - the page in a word
 * @word: any word
 *
 * Return: the page, or NULL where the word is not VALID.
 */
static inline struct page *hmm_migrate_pfn_to_page(hmm_pfn_t word)
{
	if (!(word & HMM_MIGRATE_PFN_VALID))
		return NULL;
	return pfn_to_page(hmm_migrate_pfn_number(word));
}

/**
 * hmm_migrate_pfn_order() - the order in a word
 * @word: a word with VALID, or EMPTY
 *
 * Return: the order of the folio, or of the hole, that begins here.
 */
static inline unsigned int hmm_migrate_pfn_order(hmm_pfn_t word)
{
	return (word >> HMM_MIGRATE_ORDER_SHIFT) &
	       ((1U << HMM_MIGRATE_ORDER_BITS) - 1);
}

/**
 * hmm_migrate_pfn_reason() - why a page did not move
 * @word: a word, after the call has returned
 *
 * Return: the reason; HMM_MIGRATE_NOTHING where the word has no ERROR, also
 * where the page has moved.
 */
static inline enum hmm_migrate_reason hmm_migrate_pfn_reason(hmm_pfn_t word)
{
	if (!(word & HMM_MIGRATE_PFN_ERROR))
		return HMM_MIGRATE_NOTHING;
	return (enum hmm_migrate_reason)hmm_migrate_pfn_number(word);
}

/**
 * hmm_migrate_fault_range() - where the folio of a fault is mapped
 * @vmf: the fault, as the driver got it
 * @start: (out) first address of the folio that is in the area
 * @end: (out) the address behind the last
 *
 * What to ask hmm_migrate_fault() for where pages of the device may be large
 * folios: one that is not within the range as a whole has to be split. After
 * mremap() it may begin at any page, and parts of it may be elsewhere.
 *
 * Context: dev_pagemap_ops.migrate_to_ram, which is called with the folio
 * locked.
 */
static inline void hmm_migrate_fault_range(const struct vm_fault *vmf,
					   unsigned long *start,
					   unsigned long *end)
{
	struct folio *folio = page_folio(vmf->page);
	unsigned long addr = vmf->address & PAGE_MASK;
	unsigned long before = addr & (folio_size(folio) - 1);
	unsigned long after;

	/* Under a huge entry the page of the fault is the folio's first. */
	if (vmf->pte)
		before = folio_page_idx(folio, vmf->page) << PAGE_SHIFT;
	after = folio_size(folio) - before;
	*start = addr - min(before, addr - vmf->vma->vm_start);
	*end = addr + min(after, vmf->vma->vm_end - addr);
}

/**
 * hmm_migrate_folio_freed() - make device memory fit for its next user
 * @folio: what dev_pagemap_ops.folio_free has got
 *
 * Clears the flags that the folio has from the process whose memory it was, but
 * those that say that it is large or broken, and takes it out of the count of
 * locked memory. Nobody else does that for pages of a device: what the last user
 * has made of one would be said of the next.
 *
 * Context: Any context. Nobody has a reference to the folio.
 */
static inline void hmm_migrate_folio_freed(struct folio *folio)
{
	const unsigned long kept = BIT(PG_head) | BIT(PG_reserved);

	if (folio_test_clear_mlocked(folio))
		zone_stat_mod_folio(folio, NR_MLOCK, -folio_nr_pages(folio));
	set_mask_bits(&folio->flags.f, PAGE_FLAGS_CHECK_AT_PREP & ~kept, 0);
	/* Of a large one the second page has some, too; and the order, in 8 bits. */
	if (folio_test_large(folio))
		set_mask_bits(&folio_page(folio, 1)->flags.f,
			      PAGE_FLAGS_SECOND & ~0xffUL, 0);
}

/**
 * DOC: words and results
 *
 * The five functions below have a word for each page of the range in @pfns. Only
 * hmm_migrate_device_pfns() reads it: words with VALID name pages. It may be
 * NULL for a fault and for a range of frame numbers, and @result may always.
 * Nobody but the callbacks touches the words before the call has returned.
 * After the call each word has MIGRATE alone where the page has moved, ERROR and
 * a reason where it has not, or is 0; no frame number survives the call. Of a
 * large folio that moved, too, each page has MIGRATE. Nothing that the call asks
 * for, which is HMM_MIGRATE_NOTHING, is also what is there already. With a bad
 * argument, that is -EINVAL or an early VM_FAULT_SIGBUS, the words are as they
 * were, and @result is 0. Where the page of a fault is broken already, all words
 * and @result are 0.
 */

/**
 * hmm_vma_migrate() - move the memory behind a range, as proposed in 2016
 * @ops: the driver's part
 * @vma: the area in which the range is
 * @start: first address, a multiple of PAGE_SIZE
 * @end: the address behind the last, a multiple of PAGE_SIZE
 * @pfns: a word for each page
 * @private: for the callbacks
 *
 * As hmm_migrate_range() without a result.
 *
 * Context: Process context; may sleep. The mmap lock is held for reading, with
 * a reference of mm_users (mmget(), not mmgrab()).
 * Return: as hmm_migrate_range().
 */
int hmm_vma_migrate(const struct hmm_migrate_ops *ops,
		    struct vm_area_struct *vma, unsigned long start,
		    unsigned long end, hmm_pfn_t *pfns, void *private);

/**
 * hmm_migrate_range() - move the memory behind a range
 * @ops: the driver's part
 * @vma: the area in which the range is
 * @start: first address, a multiple of PAGE_SIZE
 * @end: the address behind the last, a multiple of PAGE_SIZE
 * @pfns: a word for each page
 * @private: for the callbacks
 * @result: (out) what became of the pages, or NULL
 *
 * Context: Process context; may sleep. The mmap lock is held for reading, with
 * a reference of mm_users (mmget(), not mmgrab()).
 * Return: 0 when the range was worked through, moved or not; -EINVAL for a bad
 * argument, and for an area of which nothing can ever move (hugetlb, DAX, shadow
 * stacks, secret memory, VM_IO, VM_PFNMAP and other special ones) or that may not
 * be read; -EINTR when a fatal signal came between two windows: what has moved
 * stays moved.
 */
int hmm_migrate_range(const struct hmm_migrate_ops *ops,
		      struct vm_area_struct *vma, unsigned long start,
		      unsigned long end, hmm_pfn_t *pfns, void *private,
		      struct hmm_migrate_result *result);

/**
 * hmm_migrate_fault() - bring back the page that the CPU waits for
 * @ops: the driver's part
 * @vmf: the fault, as the driver got it
 * @start: first address, a multiple of PAGE_SIZE
 * @end: the address behind the last; the fault is between the two
 * @pfns: a word for each page, or NULL
 * @private: for the callbacks
 * @result: (out) what became of the pages, or NULL
 *
 * For dev_pagemap_ops.migrate_to_ram alone. One window around the fault is
 * worked through.
 *
 * Context: Process context; may sleep. The mmap lock is the fault handler's.
 * Return: 0, and the access is repeated; or what becomes of the access:
 * VM_FAULT_OOM where the driver has left the word with FAULT with -ENOMEM,
 * VM_FAULT_HWPOISON with -EHWPOISON, or where the page is broken, and then no
 * callback is called; VM_FAULT_SIGBUS where it has left it in another way, or with
 * a bad argument or destination. -E2BIG for a large folio is no such error.
 */
vm_fault_t hmm_migrate_fault(const struct hmm_migrate_ops *ops,
			     struct vm_fault *vmf, unsigned long start,
			     unsigned long end, hmm_pfn_t *pfns, void *private,
			     struct hmm_migrate_result *result);

/**
 * hmm_migrate_device_range() - move device memory away, by frame numbers
 * @ops: the driver's part, with an owner
 * @first_pfn: the first page frame number
 * @npages: how many pages, the first included
 * @pfns: a word for each page, or NULL
 * @private: for the callbacks
 * @result: (out) what became of the pages, or NULL
 *
 * They are moved whoever maps them, and wherever. Each must be ordinary memory,
 * which is left alone, or memory of a device that stays during the call. Pages
 * that are busy stay: repeat the call, with a pause, until the driver has handed
 * out no page. Free ones are left as NOT_MAPPED.
 *
 * Windows are shorter where pages are mapped here and there. Where a process
 * maps pages one after the other, its mmap lock is held for reading during the
 * callbacks, as it is in other calls; it is only tried for.
 *
 * Context: Process context; may sleep. No lock is needed. A signal does not end
 * it: a driver empties its memory with it when a killed process closes it.
 * Return: 0; -EINVAL for a bad argument, and where @ops has no owner or the flags
 * leave no device memory to take.
 */
int hmm_migrate_device_range(const struct hmm_migrate_ops *ops,
			     unsigned long first_pfn, unsigned long npages,
			     hmm_pfn_t *pfns, void *private,
			     struct hmm_migrate_result *result);

/**
 * hmm_migrate_device_pfns() - the same, by a list of frame numbers
 * @ops: the driver's part, with an owner
 * @pfns: a word for each page; those with VALID have its frame number
 * @npages: how many words there are
 * @private: for the callbacks
 * @result: (out) what became of the pages, or NULL
 *
 * Context: as hmm_migrate_device_range().
 * Return: as hmm_migrate_device_range().
 */
int hmm_migrate_device_pfns(const struct hmm_migrate_ops *ops,
			    hmm_pfn_t *pfns, unsigned long npages,
			    void *private, struct hmm_migrate_result *result);

#ifdef HMM_MIGRATE_2016_NAMES
/*
 * What a driver of 2016 says. <linux/hmm.h> of today has the same names with
 * another layout.
 */
#ifdef LINUX_HMM_H
#error "HMM_MIGRATE_2016_NAMES and <linux/hmm.h> exclude each other"
#endif
#define HMM_PFN_VALID		HMM_MIGRATE_PFN_VALID
#define HMM_PFN_READ		HMM_MIGRATE_PFN_READ
#define HMM_PFN_WRITE		HMM_MIGRATE_PFN_WRITE
#define HMM_PFN_ERROR		HMM_MIGRATE_PFN_ERROR
#define HMM_PFN_EMPTY		HMM_MIGRATE_PFN_EMPTY
#define HMM_PFN_FAULT		HMM_MIGRATE_PFN_FAULT
#define HMM_PFN_DEVICE		HMM_MIGRATE_PFN_DEVICE
#define HMM_PFN_LOCKED		HMM_MIGRATE_PFN_LOCKED
#define HMM_PFN_SPECIAL		HMM_MIGRATE_PFN_SPECIAL
#define HMM_PFN_MIGRATE		HMM_MIGRATE_PFN_MIGRATE
#define HMM_PFN_UNADDRESSABLE	HMM_MIGRATE_PFN_UNADDRESSABLE
#define HMM_PFN_SHIFT		HMM_MIGRATE_PFN_SHIFT

static inline struct page *hmm_pfn_to_page(hmm_pfn_t pfn)
{
	return hmm_migrate_pfn_to_page(pfn);
}

static inline unsigned long hmm_pfn_to_pfn(hmm_pfn_t pfn)
{
	return (pfn & HMM_PFN_VALID) ? hmm_migrate_pfn_number(pfn) : -1UL;
}

static inline hmm_pfn_t hmm_pfn_from_pfn(unsigned long pfn)
{
	return (pfn << HMM_PFN_SHIFT) | HMM_PFN_VALID;
}

static inline hmm_pfn_t hmm_pfn_from_page(struct page *page)
{
	return hmm_pfn_from_pfn(page_to_pfn(page));
}
#endif /* HMM_MIGRATE_2016_NAMES */

#endif /* LINUX_HMM_MIGRATE_H */
