// SPDX-License-Identifier: GPL-2.0
/* What must be true after a call in which the driver left some words. */
#include <stdarg.h>
#include <stdio.h>

#include "fails.h"

#define KB(npages)	((npages) * (long)PAGE / 1024)

static const char *wrong_with(const struct attempt *attempt,
			      const char *format, ...)
{
	static char text[900];
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	snprintf(text + n, sizeof(text) - n,
		 "; failure %d, word or seed %u of %zu pages: %s",
		 attempt->failure, attempt->at, attempt->mixed.npages,
		 own_describe(&attempt->result));
	return text;
}

/* The range begins so that its huge page has a table's place. */
static size_t table_of(size_t page)
{
	return (page + TABLE - SMALL) / TABLE;
}

static bool fills_holes(const struct attempt *attempt)
{
	return attempt->asked.way == AWAY || attempt->asked.way == TO_NODE;
}

static bool is_offered(const struct attempt *attempt, size_t page)
{
	if (fills_holes(attempt))
		return attempt->before.places[page] != ELSEWHERE;
	/* A fault does not reach beyond its page table. */
	if (attempt->asked.way == ACCESSED &&
	    table_of(page) != table_of(attempt->page))
		return false;
	return attempt->before.places[page] == PRIVATE;
}

/* The pages in the order in which they are offered; how many that are. */
static size_t order_of_offers(const struct attempt *attempt, size_t *pages)
{
	bool by_pfn = attempt->asked.way == EVICTED;
	const __u64 *entries = attempt->before.entries;
	size_t nr = 0, page, i;

	for (page = 0; page < attempt->mixed.npages; page++) {
		if (!is_offered(attempt, page))
			continue;
		for (i = nr++; by_pfn && i; i--) {
			if (pfn_in(entries[pages[i - 1]]) <
			    pfn_in(entries[page]))
				break;
			pages[i] = pages[i - 1];
		}
		pages[i] = page;
	}
	return nr;
}

/* Which pages must be where they were; how many words that are. */
static unsigned int must_stay(const struct attempt *attempt, bool *stays)
{
	struct hmm_test_driver driver = attempt_driver(attempt);
	bool large = attempt->asked.flags & HMM_TEST_LARGE, left = false;
	unsigned int word = 0, words = 0;
	size_t pages[MIXED_PAGES], nr, i, folio;

	if (attempt->failure == NO_MEMORY) {
		driver.decline_first = attempt->at;
		driver.decline_last = -1;
	}
	nr = order_of_offers(attempt, pages);
	for (i = 0; i < nr; i++) {
		folio = mixed_folio_pages(&attempt->mixed, pages[i]);
		if (!large || folio) {
			word++;
			left = word >= driver.decline_first &&
			       word <= driver.decline_last;
			words += left;
		}
		/* What is too big comes again, page by page. */
		if (large && folio > 1 && attempt->failure == TOO_BIG)
			left = false;
		stays[pages[i]] = left;
	}
	return words;
}

/* What has the entry that it had has not been touched. */
static void have_stayed(const struct attempt *attempt, bool *stays)
{
	size_t page;

	for (page = 0; page < attempt->mixed.npages; page++)
		stays[page] = is_offered(attempt, page) &&
			      attempt->after.entries[page] ==
			      attempt->before.entries[page];
}

static const char *expect_places(const struct attempt *attempt,
				 const bool *stays)
{
	const struct view *before = &attempt->before, *after = &attempt->after;
	enum place there = attempt->asked.way == AWAY ? PRIVATE : SYSTEM;
	size_t page;

	for (page = 0; page < attempt->mixed.npages; page++) {
		if (!stays[page] && is_offered(attempt, page)) {
			if (after->places[page] != there ||
			    pfn_in(before->entries[page]) ==
			    pfn_in(after->entries[page]))
				return wrong_with(attempt,
						  "page %zu has not moved",
						  page);
		} else if (before->entries[page] != after->entries[page]) {
			return wrong_with(attempt,
					  "page %zu had entry %#llx, has %#llx",
					  page, before->entries[page],
					  after->entries[page]);
		}
	}
	return NULL;
}

struct sums {
	size_t left, moved, swapped, filled, on_device;
};

static struct sums sums_of(const struct attempt *attempt, const bool *stays)
{
	const struct view *before = &attempt->before, *after = &attempt->after;
	struct sums sums = {};
	size_t page;

	for (page = 0; page < attempt->mixed.npages; page++) {
		sums.swapped += before->places[page] == ELSEWHERE;
		sums.on_device += after->places[page] == PRIVATE;
		if (!is_offered(attempt, page))
			continue;
		sums.left += stays[page];
		sums.moved += !stays[page];
		if (!stays[page] && fills_holes(attempt))
			sums.filled += before->places[page] == NOWHERE ||
				       mixed_kind(&attempt->mixed, page) ==
				       MIXED_ZERO;
	}
	return sums;
}

static const char *expect_result(const struct attempt *attempt,
				 const struct sums *sums)
{
	const struct hmm_test_result *result = &attempt->result;

	if (result->contract)
		return wrong_with(attempt, "a promise was broken");
	if (result->migrated != sums->moved)
		return wrong_with(attempt, "%zu pages have moved", sums->moved);
	/* A call that is ended says nothing of what it did not come to. */
	if (result->ret >= 0 && result->left[HMM_TEST_DECLINED] != sums->left)
		return wrong_with(attempt, "%zu pages are left", sums->left);
	if (result->ret >= 0 && fills_holes(attempt) &&
	    result->left[HMM_TEST_SWAPPED] != sums->swapped)
		return wrong_with(attempt, "%zu pages are swapped out",
				  sums->swapped);
	if (own_in_use(attempt->fd) != sums->on_device)
		return wrong_with(attempt, "the device has %llu pages, not %zu",
				  own_in_use(attempt->fd), sums->on_device);
	return NULL;
}

static const char *expect_books(const struct attempt *attempt,
				const struct sums *sums)
{
	const struct view *before = &attempt->before, *after = &attempt->after;
	/* The holes at the end have no table, which comes with a page. */
	long pte_kb = attempt->mixed.npages > SMALL ? KB(1) : 0;

	if (after->rss_kb != before->rss_kb + KB(sums->filled))
		return wrong_with(attempt, "RssAnon was %ld, is %ld",
				  before->rss_kb, after->rss_kb);
	if (after->swap_kb != before->swap_kb)
		return wrong_with(attempt, "VmSwap was %ld, is %ld",
				  before->swap_kb, after->swap_kb);
	if (after->locked_kb != before->locked_kb)
		return wrong_with(attempt, "VmLck was %ld, is %ld",
				  before->locked_kb, after->locked_kb);
	if (after->pte_kb < before->pte_kb ||
	    after->pte_kb > before->pte_kb + pte_kb)
		return wrong_with(attempt, "VmPTE was %ld, is %ld",
				  before->pte_kb, after->pte_kb);
	return NULL;
}

static const char *expect(const struct attempt *attempt, const bool *stays)
{
	struct sums sums = sums_of(attempt, stays);
	const char *wrong = expect_places(attempt, stays);

	if (!wrong)
		wrong = expect_result(attempt, &sums);
	if (!wrong)
		wrong = expect_books(attempt, &sums);
	if (!wrong && attempt->asked.way == ACCESSED &&
	    attempt->answered == stays[attempt->page])
		wrong = wrong_with(attempt, "the access %s",
				   attempt->answered ? "has brought something" :
						       "has failed");
	return wrong;
}

/* Those words have failed that were to fail, and no others. */
const char *expect_words(const struct attempt *attempt)
{
	bool stays[MIXED_PAGES] = {};
	unsigned int words = must_stay(attempt, stays);

	if (words != attempt->result.declined)
		return wrong_with(attempt, "it should leave %u words", words);
	return expect(attempt, stays);
}

/* Whatever has failed, it is as before, and everybody says the same of it. */
const char *expect_any(const struct attempt *attempt)
{
	bool stays[MIXED_PAGES] = {};

	have_stayed(attempt, stays);
	return expect(attempt, stays);
}
