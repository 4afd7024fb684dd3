// SPDX-License-Identifier: GPL-2.0
/*
 * Destinations that break a rule of struct hmm_migrate_ops, on request, and
 * memory that breaks.
 *
 * Nothing may be lost even where the engine is wrong: a page that somebody
 * could come to see has the right contents, and afterwards the driver frees
 * what the engine has not given back. To know that, the pages are the
 * device's own, whose state stays visible when they are free, or pages of
 * which the driver holds a second reference.
 */
#include <linux/file.h>
#include <linux/shmem_fs.h>

#include "device.h"

#define LARGE_ORDER	2

/* What must be made before the call, while one may still take any lock. */
int rules_prepare(struct call *call)
{
	struct page *page;

	switch (call->driver.rule) {
	case HMM_TEST_RULE_MAPPED:
		if (get_user_pages_fast(call->driver.other, 1, 0, &page) != 1)
			return -EFAULT;
		break;
	case HMM_TEST_RULE_PAGE_CACHE:
		call->file = shmem_kernel_file_setup("hmm_migrate_test",
						     PAGE_SIZE,
						     EMPTY_VMA_FLAGS);
		if (IS_ERR(call->file)) {
			call->file = NULL;
			return -ENOMEM;
		}
		page = shmem_read_mapping_page(call->file->f_mapping, 0);
		if (IS_ERR(page))
			return PTR_ERR(page);
		break;
	default:
		return call->driver.rule < HMM_TEST_NR_RULES ? 0 : -EINVAL;
	}
	get_page(page);		/* the reference that is given away */
	call->held = page;
	return 0;
}

static struct page *remember(struct call *call, struct page *page, int kind)
{
	if (page) {
		call->odd[call->nr_odd].page = page;
		call->odd[call->nr_odd++].kind = kind;
	}
	return page;
}

/* A page of the device with the right contents, which is odd in what follows. */
static struct page *ours(struct call *call, hmm_pfn_t offered,
			 unsigned int order)
{
	struct page *page = remember(call, memory_alloc(order), ODD_OURS);

	if (page && (offered & (HMM_MIGRATE_PFN_VALID | HMM_MIGRATE_PFN_EMPTY)))
		driver_copy(call, page, offered, 0);
	return page;
}

static hmm_pfn_t word_of(struct page *page)
{
	return page ? hmm_migrate_pfn(page_to_pfn(page)) : 0;
}

static hmm_pfn_t unlocked(struct call *call, hmm_pfn_t offered)
{
	struct page *page = ours(call, offered, 0);

	if (page)
		unlock_page(page);
	return word_of(page);
}

/* Another source of the same window, of which the pages before @i are known. */
static hmm_pfn_t other_source(struct call *call, unsigned long i)
{
	unsigned long other;

	for (other = 0; other < i; other++)
		if (call->offered[other] & HMM_MIGRATE_PFN_VALID)
			return call->offered[other];
	return 0;
}

/* The page that is held is given away once: a second time it is locked. */
static hmm_pfn_t held(struct call *call)
{
	if (call->nr_odd || !trylock_page(call->held))
		return 0;
	return word_of(remember(call, call->held, ODD_HELD));
}

static hmm_pfn_t tail(struct call *call, hmm_pfn_t offered)
{
	struct page *page = ours(call, offered, LARGE_ORDER);

	return page ? word_of(page + 1) : 0;
}

static hmm_pfn_t large(struct call *call, hmm_pfn_t offered,
		       unsigned int order)
{
	struct page *page = ours(call, offered, order);

	return page ? hmm_migrate_pfn_large(page_to_pfn(page), LARGE_ORDER) : 0;
}

/* The first gap in the machine's memory, or what is behind all of it. */
static hmm_pfn_t no_page(void)
{
	unsigned long pfn = 0;

	while (pfn_valid(pfn))
		pfn += PAGES_PER_SUBSECTION;
	return hmm_migrate_pfn(pfn);
}

static hmm_pfn_t no_reference(struct call *call)
{
	struct page *page = memory_alloc_free_page();

	if (page)
		lock_page(page);
	return word_of(remember(call, page, ODD_OURS));
}

/* The engine gives it back, which frees it, and its charge. */
static hmm_pfn_t charged(struct call *call, hmm_pfn_t offered)
{
	struct page *page = alloc_pages_node(call->node, GFP_HIGHUSER_MOVABLE |
					     __GFP_ACCOUNT, 0);

	if (!page)
		return 0;
	if (!folio_memcg_charged(page_folio(page))) {
		__free_page(page);
		return 0;
	}
	lock_page(page);
	if (offered & HMM_MIGRATE_PFN_VALID)
		driver_copy(call, page, offered, 0);
	return word_of(page);
}

/* What the driver has copied is right, but memory breaks when it will. */
static hmm_pfn_t broken(struct call *call, hmm_pfn_t offered)
{
	unsigned int order = hmm_migrate_pfn_order(offered);
	struct page *page;
	unsigned long i;

	if (call->to_device || !order)
		return 0;
	page = remember(call, driver_alloc(call, order), ODD_BROKEN);
	if (!page)
		return 0;
	for (i = 0; i < 1UL << order; i++)
		driver_copy(call, page + i, offered, i);
	SetPageHWPoison(page + 1);
	return hmm_migrate_pfn_large(page_to_pfn(page), order);
}

/* What the driver gives is right. The source breaks when it has moved. */
static hmm_pfn_t broken_later(struct call *call, hmm_pfn_t offered)
{
	if (offered & HMM_MIGRATE_PFN_VALID && hmm_migrate_pfn_order(offered))
		remember(call, hmm_migrate_pfn_to_page(offered), ODD_SOURCE);
	return 0;
}

static hmm_pfn_t bad_word(struct call *call, hmm_pfn_t offered, unsigned long i)
{
	struct page *page;

	switch (call->driver.rule) {
	case HMM_TEST_RULE_UNLOCKED:
		return unlocked(call, offered);
	case HMM_TEST_RULE_NOT_VALID:
		return word_of(ours(call, offered, 0)) & ~HMM_MIGRATE_PFN_VALID;
	case HMM_TEST_RULE_NO_LOCKED_FLAG:
		return word_of(ours(call, offered, 0)) & ~HMM_MIGRATE_PFN_LOCKED;
	case HMM_TEST_RULE_SOURCE:
		return offered & HMM_MIGRATE_PFN_VALID ? offered : 0;
	case HMM_TEST_RULE_OTHER_SOURCE:
		return other_source(call, i);
	case HMM_TEST_RULE_TWICE:
		return call->last_given;
	case HMM_TEST_RULE_MAPPED:
	case HMM_TEST_RULE_PAGE_CACHE:
		return held(call);
	case HMM_TEST_RULE_TAIL:
		return tail(call, offered);
	case HMM_TEST_RULE_ORDER:
		return large(call, offered, LARGE_ORDER);
	case HMM_TEST_RULE_ORDER_MISMATCH:
		return large(call, offered, 0);
	case HMM_TEST_RULE_NO_SUCH_PFN:
		return hmm_migrate_pfn((1UL << HMM_MIGRATE_PFN_BITS) - 1);
	case HMM_TEST_RULE_NO_PAGE:
		return no_page();
	case HMM_TEST_RULE_UNKNOWN_DEVICE:
		page = memory_generic();
		return word_of(remember(call, page, ODD_GENERIC));
	case HMM_TEST_RULE_PROMISE:
	case HMM_TEST_RULE_UNOFFERED:
		return word_of(ours(call, offered, 0));
	case HMM_TEST_RULE_NO_REFERENCE:
		return no_reference(call);
	case HMM_TEST_RULE_CHARGED:
		return charged(call, offered);
	case HMM_TEST_RULE_GARBAGE:
		return ~HMM_MIGRATE_PFN_ERROR;
	case HMM_TEST_RULE_BROKEN:
		return broken(call, offered);
	case HMM_TEST_RULE_SOURCE_BROKEN:
		return broken_later(call, offered);
	default:
		return 0;
	}
}

/* Puts a bad destination into @word where the rule can be, and shall be, broken. */
bool rules_break(struct call *call, hmm_pfn_t offered, unsigned long i,
		 hmm_pfn_t *word)
{
	const struct hmm_test_driver *driver = &call->driver;
	hmm_pfn_t bad;
	bool unoffered;

	if (!driver->rule || call->nr_odd == MAX_ODD)
		return false;
	/* Only one rule is about words that were not offered. */
	unoffered = driver->rule == HMM_TEST_RULE_UNOFFERED;
	if (unoffered != !offered)
		return false;
	call->breakable++;
	if (driver->rule_every && call->breakable % driver->rule_every)
		return false;
	bad = bad_word(call, offered, i);
	if (!bad)
		return false;
	call->result.broken++;
	call->result.given++;
	*word = bad;
	return true;
}

/* What has moved is not in use any more when the driver is told so. */
void rules_finalize(struct call *call)
{
	unsigned int i;

	for (i = 0; i < call->nr_odd; i++) {
		if (call->odd[i].kind != ODD_SOURCE)
			continue;
		SetPageHWPoison(call->odd[i].page + 1);
		call->odd[i].kind = ODD_BROKEN;
		call->result.broken++;
	}
}

/*
 * Whether the engine has given a held page back is seen by its lock. That is
 * exact as long as nobody else locks a page that only these tests know.
 */
static void settle_held(struct page *page)
{
	if (PageLocked(page)) {
		unlock_page(page);
		put_page(page);
	}
}

/* It is kept, for whoever had its memory next would find the broken page. */
static void settle_broken(struct call *call, struct page *page)
{
	bool kept = PageHead(page) && page_count(page) == 1;

	ClearPageHWPoison(page + 1);
	if (kept)
		put_page(page);
	else
		call->result.contract |= HMM_TEST_CONTRACT_BROKEN;
}

void rules_settle(struct call *call)
{
	unsigned int i;

	for (i = 0; i < call->nr_odd; i++) {
		struct page *page = call->odd[i].page;

		switch (call->odd[i].kind) {
		case ODD_OURS:
			memory_take_back(page);
			break;
		case ODD_HELD:
			settle_held(page);
			break;
		case ODD_GENERIC:
			if (PageLocked(page))
				unlock_page(page);
			break;
		case ODD_BROKEN:
			settle_broken(call, page);
			break;
		case ODD_SOURCE:
			break;
		}
	}
	if (call->held) {
		if (!call->nr_odd)
			put_page(call->held);
		put_page(call->held);
	}
	if (call->file)
		fput(call->file);
}
