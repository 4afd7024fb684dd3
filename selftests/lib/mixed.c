// SPDX-License-Identifier: GPL-2.0
/*
 * Memory of every kind that a call can meet in one range, so small that every
 * page of it can be the one at which something goes wrong.
 */
#include <linux/mman.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib.h"

#define ORDER	4	/* of the large folio */
#define SHARED	4
#define SWAPPED	2
#define SEED	1
#define TABLES	3	/* around the range, which ends the first one's */

/* In order. The folio begins where its size wants it to. */
static const struct part {
	enum mixed_kind kind;
	size_t npages;
} parts[] = {
	{ MIXED_FOLIO, 1 << ORDER },
	{ MIXED_SMALL, 4 },
	{ MIXED_HOLE, 2 },
	{ MIXED_ZERO, 2 },
	{ MIXED_SHARED, SHARED },
	{ MIXED_SWAP_CACHE, SWAPPED },
	{ MIXED_SWAPPED, SWAPPED },
	{ MIXED_HUGE, TABLE },
	{ MIXED_NO_TABLE, MIXED_PAGES - MIXED_SMALL_PAGES - TABLE },
};

/* What is locked is never swapped out; and a kernel may have small pages only. */
enum mixed_kind mixed_kind(const struct mixed *mixed, size_t page)
{
	const struct part *part = parts;

	while (page >= part->npages)
		page -= part++->npages;
	if (mixed->locked && (part->kind == MIXED_SWAP_CACHE ||
			      part->kind == MIXED_SWAPPED))
		return MIXED_SMALL;
	if (!mixed->has_large &&
	    (part->kind == MIXED_FOLIO || part->kind == MIXED_HUGE))
		return MIXED_SMALL;
	return part->kind;
}

/* Of how many pages the folio is that this page is the first of; 0: of none. */
size_t mixed_folio_pages(const struct mixed *mixed, size_t page)
{
	switch (mixed_kind(mixed, page)) {
	case MIXED_FOLIO:
		return page ? 0 : 1 << ORDER;
	case MIXED_HUGE:
		return page == MIXED_SMALL_PAGES ? TABLE : 0;
	default:
		return 1;
	}
}

static bool is_zero(enum mixed_kind kind)
{
	return kind == MIXED_HOLE || kind == MIXED_ZERO ||
	       kind == MIXED_NO_TABLE;
}

static void fill_kind(struct mixed *mixed, enum mixed_kind kind)
{
	size_t page;

	for (page = 0; page < mixed->npages; page++)
		if (mixed_kind(mixed, page) == kind)
			fill_page(mixed->memory, page, SEED);
}

static bool kind_is_right(const struct mixed *mixed, enum mixed_kind kind)
{
	size_t page;

	for (page = 0; page < mixed->npages; page++)
		if (mixed_kind(mixed, page) == kind &&
		    !(is_zero(kind) ? page_is_zero(mixed->memory, page) :
				      page_is(mixed->memory, page, SEED)))
			return false;
	return true;
}

/* Where the pages of a kind begin. */
static char *begin_of(const struct mixed *mixed, enum mixed_kind kind)
{
	size_t page = 0;

	while (mixed_kind(mixed, page) != kind)
		page++;
	return mixed->memory + page * PAGE;
}

/* The child looks at its pages at the end, and makes them its own. */
static void share(struct mixed *mixed)
{
	char *shared;

	pair_init(&mixed->pair);
	fill_kind(mixed, MIXED_SHARED);
	mixed->child = fork();
	if (mixed->child)
		return;
	pair_child_turn(&mixed->pair);
	if (!kind_is_right(mixed, MIXED_SHARED))
		_exit(1);
	shared = begin_of(mixed, MIXED_SHARED);
	fill(shared, SHARED, SEED + 1);
	_exit(wrong(shared, SHARED, SEED + 1) == -1 ? 0 : 2);
}

static bool swap_parts(struct mixed *mixed)
{
	fill_kind(mixed, MIXED_SWAP_CACHE);
	fill_kind(mixed, MIXED_SWAPPED);
	return mixed->locked || !swap_exists() ||
	       (swap_out(begin_of(mixed, MIXED_SWAP_CACHE), 2 * SWAPPED) ==
			2 * SWAPPED &&
		kind_is_right(mixed, MIXED_SWAP_CACHE));
}

static bool make_large(struct mixed *mixed)
{
	if (!huge_pages_ask(mixed->memory, mixed->npages))
		return false;
	fill_kind(mixed, MIXED_FOLIO);
	fill_kind(mixed, MIXED_HUGE);
	return folios_of_order(mixed->memory, 1 << ORDER, ORDER) == 1 &&
	       (mixed->npages <= MIXED_SMALL_PAGES ||
		huge_pages_kb(begin_of(mixed, MIXED_HUGE)) == 2048);
}

/*
 * The first so many pages of it. With a swap disk, and with folios of 16 pages
 * where huge pages do not fit; false: it is not as it should be.
 */
bool mixed_map(struct mixed *mixed, size_t npages, bool locked)
{
	*mixed = (struct mixed) {
		.npages = npages,
		.locked = locked,
		.has_large = huge_pages_exist(),
	};
	mixed->mapping = pages_map(TABLES * TABLE);
	mixed->memory = mixed->mapping + (TABLE - MIXED_SMALL_PAGES) * PAGE;
	if (locked && syscall(SYS_mlock2, mixed->memory, npages * PAGE,
			      MLOCK_ONFAULT))
		return false;
	/* A page table, and small pages: no larger folio has room there. */
	share(mixed);
	fill_kind(mixed, MIXED_SMALL);
	if (!pair_wait(&mixed->pair) || !swap_parts(mixed))
		return false;
	return kind_is_right(mixed, MIXED_ZERO) &&
	       (!mixed->has_large || make_large(mixed));
}

/* The first page that is not as it was made, or -1. */
long mixed_wrong(const struct mixed *mixed)
{
	size_t page;

	for (page = 0; page < mixed->npages; page++)
		if (!(is_zero(mixed_kind(mixed, page)) ?
		      page_is_zero(mixed->memory, page) :
		      page_is(mixed->memory, page, SEED)))
			return page;
	return -1;
}

/* 0: the child had what it should have, too. */
int mixed_unmap(struct mixed *mixed)
{
	int status;

	pair_go(&mixed->pair);
	close(mixed->pair.to_child[0]);
	close(mixed->pair.to_child[1]);
	close(mixed->pair.to_parent[0]);
	if (waitpid(mixed->child, &status, 0) != mixed->child)
		return -1;
	pages_unmap(mixed->mapping, TABLES * TABLE);
	return status;
}
