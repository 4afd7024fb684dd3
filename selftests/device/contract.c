// SPDX-License-Identifier: GPL-2.0
/*
 * What <linux/hmm_migrate.h> promises to a driver, checked in every call.
 */
#include <linux/memremap.h>
#include <linux/page-flags.h>
#include <linux/sched.h>

#include "device.h"

#define OFFERED_ALWAYS	(HMM_MIGRATE_PFN_VALID | HMM_MIGRATE_PFN_MIGRATE | \
			 HMM_MIGRATE_PFN_LOCKED | HMM_MIGRATE_PFN_READ)
#define OFFERED_NEVER	(HMM_MIGRATE_PFN_ERROR | HMM_MIGRATE_PFN_EMPTY | \
			 HMM_MIGRATE_PFN_SPECIAL | (0xffUL << 56))
#define HOLE		(HMM_MIGRATE_PFN_EMPTY | (0x1fUL << HMM_MIGRATE_ORDER_SHIFT))
#define FROM_ANY	(HMM_MIGRATE_FROM_SYSTEM | HMM_MIGRATE_FROM_DEVICE)

static void require(struct call *call, u32 promise, bool kept)
{
	if (!kept)
		call->result.contract |= promise;
}

void contract_window(struct call *call, struct vm_area_struct *vma,
		     unsigned long start, unsigned long end)
{
	unsigned long last = end - PAGE_SIZE;

	might_sleep();
	require(call, HMM_TEST_CONTRACT_CONTEXT, !!vma == !!call->mm);
	if (vma)
		require(call, HMM_TEST_CONTRACT_CONTEXT,
			rwsem_is_locked(&vma->vm_mm->mmap_lock));
	require(call, HMM_TEST_CONTRACT_PAIRS, !call->in_window);
	require(call, HMM_TEST_CONTRACT_WINDOW,
		start < end && PAGE_ALIGNED(start | end) &&
		end - start <= WINDOW_PAGES * PAGE_SIZE);
	if (vma)
		require(call, HMM_TEST_CONTRACT_WINDOW,
			(start & PMD_MASK) == (last & PMD_MASK));
	/* A source that was offered whole, in vain, is offered page by page. */
	if (call->gave_smaller)
		require(call, HMM_TEST_CONTRACT_WINDOW,
			start >= call->window_start);
	else
		require(call, HMM_TEST_CONTRACT_WINDOW,
			start >= max(call->start, call->window_end));
	call->gave_smaller = false;
	require(call, HMM_TEST_CONTRACT_WINDOW,
		end <= call->start + call->npages * PAGE_SIZE);
	call->in_window = true;
	call->window_start = start;
	call->window_end = end;
}

/* May pages of this kind be offered to a call with these flags? */
static bool asked_for(const struct hmm_migrate_ops *ops, struct folio *folio)
{
	unsigned long from = ops->flags & FROM_ANY;

	if (folio_contain_hwpoisoned_page(folio) || folio_test_ksm(folio))
		return false;
	if (!folio_test_anon(folio) && !(ops->flags & HMM_MIGRATE_TO_SYSTEM))
		return false;
	if (folio_is_zone_device(folio))
		return folio->pgmap->owner == ops->owner &&
		       (!from || from & HMM_MIGRATE_FROM_DEVICE);
	return !from || from & HMM_MIGRATE_FROM_SYSTEM;
}

static void offered_hole(struct call *call, struct vm_area_struct *vma,
			 hmm_pfn_t word)
{
	require(call, HMM_TEST_CONTRACT_WORD, !(word & ~HOLE));
	require(call, HMM_TEST_CONTRACT_KIND, vma && vma_is_anonymous(vma));
	call->result.holes += 1 << hmm_migrate_pfn_order(word);
}

static void offered_page(struct call *call, struct vm_area_struct *vma,
			 hmm_pfn_t word)
{
	struct page *page = hmm_migrate_pfn_to_page(word);
	struct folio *folio;
	bool kept;

	kept = (word & OFFERED_ALWAYS) == OFFERED_ALWAYS &&
	       !(word & OFFERED_NEVER);
	require(call, HMM_TEST_CONTRACT_WORD, kept);
	if (!page)
		return;
	folio = page_folio(page);
	if (!folio_test_anon(folio))
		require(call, HMM_TEST_CONTRACT_CONTEXT,
			current->flags & PF_MEMALLOC_NOFS);
	call->result.offered += 1 << hmm_migrate_pfn_order(word);

	if (vma && !(vma->vm_flags & VM_WRITE))
		require(call, HMM_TEST_CONTRACT_WORD,
			!(word & HMM_MIGRATE_PFN_WRITE));
	require(call, HMM_TEST_CONTRACT_WORD,
		!!(word & HMM_MIGRATE_PFN_DEVICE) ==
		folio_is_zone_device(folio));
	require(call, HMM_TEST_CONTRACT_WORD,
		!!(word & HMM_MIGRATE_PFN_UNADDRESSABLE) ==
		folio_is_device_private(folio));
	require(call, HMM_TEST_CONTRACT_WORD,
		hmm_migrate_pfn_order(word) == folio_order(folio) &&
		hmm_migrate_pfn_number(word) == folio_pfn(folio));
	if (!(call->ops.flags & HMM_MIGRATE_LARGE))
		require(call, HMM_TEST_CONTRACT_WORD,
			!hmm_migrate_pfn_order(word));
	require(call, HMM_TEST_CONTRACT_STATE,
		folio_test_locked(folio) && !folio_mapped(folio) &&
		!folio_test_lru(folio));
	require(call, HMM_TEST_CONTRACT_KIND, asked_for(&call->ops, folio));
}

void contract_offer(struct call *call, struct vm_area_struct *vma,
		    const hmm_pfn_t *pfns, unsigned long npages)
{
	unsigned long i, end = 0;

	for (i = 0; i < npages; i++) {
		if (!pfns[i])
			continue;
		/* What has an order is told in its first word alone. */
		require(call, HMM_TEST_CONTRACT_WORD, i >= end);
		end = i + (1UL << hmm_migrate_pfn_order(pfns[i]));
		require(call, HMM_TEST_CONTRACT_WORD, end <= npages);
		if (pfns[i] & HMM_MIGRATE_PFN_EMPTY)
			offered_hole(call, vma, pfns[i]);
		else
			offered_page(call, vma, pfns[i]);
	}
}

static bool same_page(hmm_pfn_t a, hmm_pfn_t b)
{
	return hmm_migrate_pfn_number(a) == hmm_migrate_pfn_number(b);
}

/* A hole is filled before finalize_and_map, with a page that is still locked. */
static void final_word(struct call *call, bool hole, hmm_pfn_t given,
		       hmm_pfn_t final)
{
	struct page *page = hmm_migrate_pfn_to_page(final);

	if (final & HMM_MIGRATE_PFN_MIGRATE) {
		require(call, HMM_TEST_CONTRACT_FINAL,
			given & HMM_MIGRATE_PFN_MIGRATE && page &&
			same_page(given, final) &&
			folio_test_locked(page_folio(page)));
		if (page && !hole)
			require(call, HMM_TEST_CONTRACT_FINAL,
				!folio_mapped(page_folio(page)));
		return;
	}
	/* What was refused keeps its number, if it was one. */
	if (given & HMM_MIGRATE_PFN_MIGRATE && !call->driver.rule)
		require(call, HMM_TEST_CONTRACT_FINAL,
			final & HMM_MIGRATE_PFN_ERROR &&
			same_page(given, final));
}

void contract_final(struct call *call, struct vm_area_struct *vma,
		    unsigned long start, unsigned long end,
		    const hmm_pfn_t *pfns)
{
	unsigned long npages = (end - start) >> PAGE_SHIFT;
	unsigned long i, hole_end = 0;

	might_sleep();
	require(call, HMM_TEST_CONTRACT_PAIRS,
		call->in_window && start == call->window_start &&
		end == call->window_end);
	call->in_window = false;
	for (i = 0; i < min(npages, WINDOW_PAGES); i++) {
		if (call->offered[i] & HMM_MIGRATE_PFN_EMPTY)
			hole_end = i +
				   (1UL << hmm_migrate_pfn_order(call->offered[i]));
		final_word(call, i < hole_end, call->given[i], pfns[i]);
	}
}

/* What a word says after the call, added to the sums. */
static void count_word(struct call *call, hmm_pfn_t word, u64 *migrated,
		       u64 *left)
{
	enum hmm_migrate_reason reason = hmm_migrate_pfn_reason(word);

	if (word == HMM_MIGRATE_PFN_MIGRATE) {
		(*migrated)++;
		return;
	}
	if (word && (reason >= HMM_MIGRATE_NR_REASONS ||
		     word != hmm_migrate_pfn_error(-(int)reason))) {
		require(call, HMM_TEST_CONTRACT_RETURN, false);
		return;
	}
	left[reason]++;
}

/* How many pages the result is about. */
static u64 take_result(struct call *call,
		       const struct hmm_migrate_result *result)
{
	u64 worked = result->migrated;
	unsigned long i;

	call->result.migrated = result->migrated;
	for (i = 0; i < HMM_MIGRATE_NR_REASONS; i++) {
		call->result.left[i] = result->left[i];
		worked += result->left[i];
	}
	return worked;
}

/* A window around the fault, which others may have worked through meanwhile. */
void contract_fault(struct call *call, const struct hmm_migrate_result *result)
{
	require(call, HMM_TEST_CONTRACT_PAIRS, !call->in_window);
	require(call, HMM_TEST_CONTRACT_RETURN,
		take_result(call, result) <= call->npages);
}

/*
 * The words say the same as the result. @result is NULL where the function
 * has none: then the words alone say it.
 */
void contract_return(struct call *call, const struct hmm_migrate_result *result)
{
	u64 migrated = 0, left[HMM_MIGRATE_NR_REASONS] = {}, worked = 0;
	unsigned long i;

	require(call, HMM_TEST_CONTRACT_PAIRS, !call->in_window);
	if (result)
		worked = take_result(call, result);
	else if (!call->result.ret)
		worked = call->npages;
	require(call, HMM_TEST_CONTRACT_RETURN,
		call->result.ret ? worked < call->npages :
				   worked == call->npages);
	if (!call->pfns)
		return;

	for (i = worked; i < call->npages; i++)
		require(call, HMM_TEST_CONTRACT_RETURN,
			call->result.ret != -EINTR || !call->pfns[i]);
	for (i = 0; i < min(worked, call->npages); i++)
		count_word(call, call->pfns[i], &migrated, left);
	if (!result) {
		call->result.migrated = migrated;
		for (i = 0; i < HMM_MIGRATE_NR_REASONS; i++)
			call->result.left[i] = left[i];
		return;
	}
	require(call, HMM_TEST_CONTRACT_RETURN, migrated == result->migrated);
	for (i = 0; i < HMM_MIGRATE_NR_REASONS; i++)
		require(call, HMM_TEST_CONTRACT_RETURN,
			left[i] == result->left[i]);
}
