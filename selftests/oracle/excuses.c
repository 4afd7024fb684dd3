// SPDX-License-Identifier: GPL-2.0
/*
 * Where mainline's engine, or the core below both, is known to be wrong. A
 * difference that is not in this table is a failure, whoever is wrong.
 */
#include "oracle/judge.h"

static const struct past *past_of(const struct view *view,
				  const struct difference *difference)
{
	return &view->pasts[difference->who][difference->page];
}

/*
 * W7. A page that was freed lazily stays so on the device: when it is back,
 * reclaim throws away what the device has written.
 */
static bool lost_lazily(const struct view *view,
			const struct difference *difference)
{
	return difference->field == PRESENCE &&
	       difference->engine == MAINLINE &&
	       current_op(view)->what == OP_PAGE_OUT &&
	       past_of(view, difference)->lazy;
}

/*
 * Where a fault is on a page of a large folio that a page table maps, mainline
 * splits the folio, and may leave its first page on the device (W4, W21).
 */
static bool left_at_the_head(const struct view *view,
			     const struct difference *difference)
{
	look_t after = look_after(view, MAINLINE, difference->who,
				  difference->page);

	return difference->field == PLACE && difference->other == MAINLINE &&
	       !op_takes_away(current_op(view)) &&
	       (after & AT_PLACE) == AT_PRIVATE &&
	       difference->page >= SMALL &&
	       (difference->page - SMALL) % TABLE == 0;
}

static bool is_zero_page(look_t look)
{
	return (look & AT_PLACE) == AT_ZERO_PAGE;
}

/*
 * W9. A zero page is replaced, and the mark that it bore is forgotten. Where a
 * large folio is split, zero pages come in the place of what was never written:
 * of those that it makes, mainline leaves nothing to be seen.
 */
static bool lost_protection(const struct view *view,
			    const struct difference *difference)
{
	look_t before, ours;

	if (difference->engine != MAINLINE ||
	    (difference->field != UFFD_WP && difference->field != PRESENCE))
		return false;
	before = look_before(view, MAINLINE, difference->who,
			     difference->page);
	ours = look_after(view, OURS, difference->who, difference->page);
	return op_takes_away(current_op(view)) && before & IS_UFFD_WP &&
	       (is_zero_page(before) ||
		(is_large(before) && is_zero_page(ours)));
}

/*
 * A page that may be written comes back as soft-dirty as it went: what the
 * device has written is not seen, nor what the process writes afterwards.
 */
static bool writes_unseen(const struct view *view,
			  const struct difference *difference)
{
	return difference->field == SOFT_DIRTY_LOST &&
	       difference->engine == MAINLINE &&
	       past_of(view, difference)->was_entry & 1 << MAINLINE;
}

/*
 * fork() and mprotect() make a device's writable entry anew, and say that
 * they do not keep soft-dirty: copy_nonpresent_pte(), change_softleaf_pte().
 */
static bool lost_by_core(const struct view *view,
			 const struct difference *difference)
{
	return difference->field == SOFT_DIRTY_LOST &&
	       past_of(view, difference)->rewritten & 1 << difference->engine;
}

/*
 * Who evicts by frame number leaves it to the core to make a device's writable
 * entry one of a page on its way. It comes back writable, and as soft-dirty as
 * it was: what is written afterwards is not seen, nor what the device wrote.
 */
static bool lost_in_eviction(const struct view *view,
			     const struct difference *difference)
{
	return difference->field == SOFT_DIRTY_LOST &&
	       past_of(view, difference)->evicted & 1 << difference->engine;
}

/*
 * A large folio that a page table maps is split by mainline before it moves, be
 * it away or back (migrate_vma_split_folio()); ours stays whole.
 */
static bool split_by_mainline(const struct view *view,
			      const struct difference *difference)
{
	return difference->field == ORDER && difference->other == MAINLINE &&
	       past_of(view, difference)->split;
}

/*
 * After a final one mainline's memory is not what it should be, and the rest
 * of the sequence is not compared to it. A kernel with patches/fixes/ needs
 * none of them but LEFT and SPLIT.
 */
static const struct {
	const char *name;
	bool final;
	bool (*applies)(const struct view *view,
			const struct difference *difference);
} excuses[NR_EXCUSES] = {
	[LEFT] = { "left by mainline", true, left_at_the_head },
	[W7] = { "W7", true, lost_lazily },
	[W9] = { "W9", true, lost_protection },
	[SOFT_DIRTY_UNSEEN] = {
		"soft-dirty of mainline", false, writes_unseen
	},
	[SOFT_DIRTY_REWRITTEN] = {
		"soft-dirty of the core", false, lost_by_core
	},
	[SOFT_DIRTY_EVICTED] = {
		"soft-dirty of the core, evicted", false, lost_in_eviction
	},
	[SPLIT] = { "split by mainline", false, split_by_mainline },
};

/* NR_EXCUSES: there is none. */
enum excuse excuse_for(const struct view *view,
		       const struct difference *difference)
{
	enum excuse excuse;

	for (excuse = 0; excuse < NR_EXCUSES; excuse++)
		if ((excuse == LEFT || excuse == SPLIT || !view->fixed) &&
		    excuses[excuse].applies(view, difference))
			break;
	return excuse;
}

bool excuse_is_final(enum excuse excuse)
{
	return excuses[excuse].final;
}

const char *excuse_name(enum excuse excuse)
{
	return excuses[excuse].name;
}
