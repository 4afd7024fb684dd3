// SPDX-License-Identifier: GPL-2.0
/*
 * The driver's part of a migration, the same for both engines: it allocates,
 * copies, and counts what has moved. Its time is taken by one pair of clock
 * readings where it copies, and one where it learns what has moved.
 */
#include <linux/highmem.h>
#include <linux/pagemap.h>
#include <linux/timekeeping.h>

#include "bench.h"
#include "mark.h"

static struct folio *system_take(struct run *run, unsigned int order)
{
	gfp_t gfp = order ? GFP_TRANSHUGE : GFP_HIGHUSER_MOVABLE;
	struct folio *folio;

	folio = __folio_alloc(gfp | __GFP_THISNODE, order, run->node, NULL);
	if (folio)
		__folio_set_locked(folio);
	return folio;
}

/*
 * A destination with the contents of @from and of the pages that follow it, or
 * with zeroes where there is no such page. NULL: there is no memory.
 */
struct folio *driver_copy(struct run *run, struct page *from,
			  unsigned int order)
{
	struct folio *folio;
	struct page *to;
	unsigned long i;

	if (run->to == BENCH_TO_DEVICE)
		folio = memory_take(order);
	else
		folio = system_take(run, order);
	if (!folio)
		return NULL;

	to = folio_page(folio, 0);
	if (run->to == BENCH_TO_DEVICE)
		to = memory_content(to);
	else if (run->to == BENCH_TO_SYSTEM)
		from = memory_content(from);
	for (i = 0; i < 1UL << order; i++) {
		if (from)
			copy_highpage(to + i, from + i);
		else
			clear_highpage(to + i);
	}
	return folio;
}

static void mark_engine(const struct run *run)
{
	bool away = run->to == BENCH_TO_DEVICE;

	if (run->engine == BENCH_MAINLINE && away)
		mark(MARK_ENGINE(BENCH_MAINLINE, true));
	else if (run->engine == BENCH_MAINLINE)
		mark(MARK_ENGINE(BENCH_MAINLINE, false));
	else if (away)
		mark(MARK_ENGINE(BENCH_HMM_MIGRATE, true));
	else
		mark(MARK_ENGINE(BENCH_HMM_MIGRATE, false));
}

void driver_total_begin(struct run *run)
{
	run->total_begin = ktime_get_ns();
	mark_engine(run);
}

void driver_total_end(struct run *run)
{
	mark(MARK_NOTHING);
	run->result.total_ns += ktime_get_ns() - run->total_begin;
}

void driver_copy_begin(struct run *run)
{
	mark(MARK_DRIVER);
	run->copy_begin = ktime_get_ns();
	if (!run->result.windows++)
		run->result.before_ns += run->copy_begin - run->total_begin;
}

void driver_copy_end(struct run *run)
{
	run->copy_end = ktime_get_ns();
	run->result.copy_ns += run->copy_end - run->copy_begin;
	mark_engine(run);
}

void driver_tell_begin(struct run *run)
{
	mark(MARK_DRIVER);
	run->copy_begin = ktime_get_ns();
	run->result.between_ns += run->copy_begin - run->copy_end;
}

void driver_tell_end(struct run *run)
{
	run->result.copy_ns += ktime_get_ns() - run->copy_begin;
	mark_engine(run);
}
