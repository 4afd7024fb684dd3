// SPDX-License-Identifier: GPL-2.0
/*
 * The comparison. A page that is away counts as one that is in memory or on
 * swap: it must hold the same, and bear the same marks. Two engines must
 * also bring the same pages to the device.
 */
#include <errno.h>
#include <string.h>

#include "oracle/judge.h"

struct trial {
	struct view view;
	bool excused[NR_EXCUSES];
	struct difference *found;
	enum engine engine, other;
};

/* Notes a difference; false if there is an excuse for it. */
static bool object(struct trial *trial, enum field field, int who, size_t page)
{
	struct view *view = &trial->view;
	struct difference difference = {
		.step = view->number,
		.engine = trial->engine,
		.other = trial->other,
		.field = field,
		.who = who,
		.page = page,
	};
	enum excuse excuse;

	if (!view->counts[trial->engine] || !view->counts[trial->other])
		return false;
	excuse = excuse_for(view, &difference);
	if (excuse == NR_EXCUSES) {
		*trial->found = difference;
		return true;
	}
	trial->excused[excuse] = true;
	if (excuse_is_final(excuse))
		view->counts[MAINLINE] = false;
	return false;
}

static const struct step *mine(const struct trial *trial)
{
	return current_step(&trial->view, trial->engine);
}

static const struct step *others(const struct trial *trial)
{
	return current_step(&trial->view, trial->other);
}

/* Reclaim does not take the same pages each time, nor what is split. */
static bool was_swapped(const struct trial *trial)
{
	const struct op *op = current_op(&trial->view);
	size_t page;

	for (page = op->at; page < op->at + op->pages; page++)
		if (trial->view.pasts[op->who][page].swapped)
			return true;
	return false;
}

/* The driver's result where not all has moved is an error. */
static bool is_count(const struct op *op, long ret)
{
	return ret >= 0 || (ret == -ENOENT && op_takes_away(op)) ||
	       (ret == -ENOMEM && op->what == OP_FAIL_TO_SYSTEM);
}

/*
 * Without a device all moves, always. Large folios are counted once by
 * mainline, and as often as they have pages by us.
 */
static bool numbers_differ(const struct trial *trial)
{
	const struct op *op = current_op(&trial->view);
	long ret = mine(trial)->ret, other = others(trial)->ret;

	if (ret == other)
		return false;
	if (trial->other != NONE && !trial->view.sequence->huge &&
	    !was_swapped(trial))
		return true;
	return !is_count(op, ret) || !is_count(op, other);
}

static bool results_differ(struct trial *trial)
{
	if (numbers_differ(trial) && object(trial, RESULT, -1, 0))
		return true;
	return mine(trial)->events != others(trial)->events &&
	       object(trial, EVENTS, -1, 0);
}

/* What an operation has found in a page, or why it could not. */
static bool contents_differ(struct trial *trial, size_t page)
{
	const struct step *step = mine(trial), *other = others(trial);
	int who = current_op(&trial->view)->who;

	if (step->errors[page] != other->errors[page])
		return object(trial, ERROR, who, page);
	return step->contents[page] != other->contents[page] &&
	       object(trial, CONTENTS, who, page);
}

/*
 * A huge page is populated, soft-dirty, and shared, as a whole. Its parts are
 * so each for itself once it is split, which an engine does when it likes;
 * then those that have only zeroes become zero pages.
 */
static bool may_be_large(const struct trial *trial, size_t page)
{
	return page >= SMALL || trial->view.sequence->sizes;
}

static bool presence_matters(const struct trial *trial, int who, size_t page)
{
	const struct past *past = &trial->view.pasts[who][page];

	/* Reclaim may take it, but not away. */
	if (past->lazy && current_op(&trial->view)->what == OP_PAGE_OUT)
		return true;
	return !may_be_large(trial, page) &&
	       !(trial->other == NONE && past->filled & 1 << trial->engine);
}

static bool soft_dirty_differs(struct trial *trial, int who, size_t page,
			       look_t look, look_t other)
{
	const struct past *past = &trial->view.pasts[who][page];
	const bool fixed = trial->view.fixed;

	if (trial->other != NONE || !((look ^ other) & IS_SOFT_DIRTY))
		return false;
	if (!past->written && may_be_large(trial, page))
		return false;
	/* What fills a hole is new then; what was there before is not. */
	if (!past->written && past->filled_first & 1 << trial->engine)
		return false;
	/* What the device has written shows when the page is back. */
	if (!fixed && past->by_device && (look & AT_PLACE) == AT_PRIVATE)
		return false;
	if (other & IS_SOFT_DIRTY)
		return object(trial, SOFT_DIRTY_LOST, who, page);
	/* The device may have written to what it was given for writing. */
	return !may_be_large(trial, page) &&
	       (fixed || !(past->was_entry & 1 << trial->engine)) &&
	       object(trial, SOFT_DIRTY_ADDED, who, page);
}

static bool is_in_memory(look_t look)
{
	look_t place = look & AT_PLACE;

	return place == AT_SYSTEM || place == AT_COHERENT;
}

/* What can be told only of two pages that are in the same place. */
static bool places_differ(struct trial *trial, int who, size_t page,
			  look_t look, look_t other)
{
	look_t differ = look ^ other;

	if (trial->view.pasts[who][page].swapped)
		return false;
	/* What filled a hole before a fork is shared; what comes later is not. */
	if (!may_be_large(trial, page) &&
	    !(trial->view.pasts[who][page].filled_first & 1 << trial->engine) &&
	    is_in_memory(look) && is_in_memory(other) &&
	    differ & IS_EXCLUSIVE && object(trial, EXCLUSIVE, who, page))
		return true;
	if (trial->other == NONE)
		return false;
	if (differ & AT_PLACE && object(trial, PLACE, who, page))
		return true;
	return trial->view.orders && is_in_memory(look) &&
	       is_in_memory(other) && differ & (IS_HEAD | IS_TAIL) &&
	       object(trial, ORDER, who, page);
}

static bool looks_differ(struct trial *trial, int who, size_t page)
{
	look_t look = look_after(&trial->view, trial->engine, who, page);
	look_t other = look_after(&trial->view, trial->other, who, page);

	if (look == other)
		return false;
	if ((look ^ other) & (IS_UFFD_WP | IS_GUARD) &&
	    object(trial, UFFD_WP, who, page))
		return true;
	if (presence(look) != presence(other))
		return presence_matters(trial, who, page) &&
		       object(trial, PRESENCE, who, page);
	return soft_dirty_differs(trial, who, page, look, other) ||
	       places_differ(trial, who, page, look, other);
}

static bool pages_differ(struct trial *trial)
{
	const struct op *op = current_op(&trial->view);
	size_t page, npages = pages_used(trial->view.sequence);
	int who;

	if (op_is_by_page(op->what))
		for (page = op->at; page < op->at + op->pages; page++)
			if (contents_differ(trial, page))
				return true;
	for (who = 0; who < PROCESSES; who++)
		for (page = 0; page < npages; page++)
			if (looks_differ(trial, who, page))
				return true;
	return false;
}

static bool differ(struct trial *trial, enum engine engine, enum engine other)
{
	trial->engine = engine;
	trial->other = other;
	return trial->view.counts[engine] && trial->view.counts[other] &&
	       (results_differ(trial) || pages_differ(trial));
}

/* A run that ended before this operation did. */
static bool is_over(struct trial *trial)
{
	enum engine engine;

	for (engine = 0; engine < NR_ENGINES; engine++) {
		if (!trial->view.counts[engine] ||
		    trial->view.runs[engine].now > trial->view.number)
			continue;
		trial->engine = engine;
		trial->other = NONE;
		return object(trial, END, -1, 0);
	}
	return false;
}

static bool is_on_swap(look_t look)
{
	return (look & AT_PLACE) == AT_SWAP;
}

/* How many large folios were away before, and are here with both engines. */
static unsigned long count_whole(const struct view *view)
{
	const struct op *op = current_op(view);
	unsigned long count = 0;
	size_t page;

	for (page = op->at; page < op->at + op->pages; page++)
		count += is_away(look_before(view, OURS, op->who, page)) &&
			 is_away(look_before(view, MAINLINE, op->who, page)) &&
			 look_after(view, OURS, op->who, page) & IS_HEAD &&
			 look_after(view, MAINLINE, op->who, page) & IS_HEAD;
	return count;
}

/* How many pages of the operation were not there before and are there now. */
static unsigned long count_new(const struct view *view, bool (*is)(look_t look))
{
	const struct op *op = current_op(view);
	unsigned long count = 0;
	size_t page;

	for (page = op->at; page < op->at + op->pages; page++)
		count += !is(look_before(view, OURS, op->who, page)) &&
			 is(look_after(view, OURS, op->who, page));
	return count;
}

static void begin(struct trial *trial, const struct sequence *sequence,
		  const struct run *runs, struct difference *found)
{
	struct view *view = &trial->view;

	memset(trial, 0, sizeof(*trial));
	trial->found = found;
	view->sequence = sequence;
	view->runs = runs;
	view->counts[NONE] = true;
	view->counts[OURS] = true;
	view->counts[MAINLINE] = !sequence->wide;
	view->orders = true;
}

static void add_excuses(const struct trial *trial, struct tally *tally)
{
	enum excuse excuse;

	for (excuse = 0; excuse < NR_EXCUSES; excuse++)
		tally->excused[excuse] += trial->excused[excuse];
}

/* Whether the runs of a sequence are alike. */
bool judge(const struct sequence *sequence, const struct run *runs,
	   bool fixed, struct difference *found, struct tally *tally)
{
	static struct trial trial;
	struct view *view = &trial.view;

	begin(&trial, sequence, runs, found);
	view->fixed = fixed;
	for (; view->number < sequence->nr; view->number++) {
		if (is_over(&trial))
			return false;
		history_advance(view);
		if (differ(&trial, MAINLINE, NONE) ||
		    differ(&trial, OURS, NONE) ||
		    differ(&trial, OURS, MAINLINE))
			return false;
		tally->moved += count_new(view, is_away);
		if (view->counts[MAINLINE])
			tally->whole += count_whole(view);
		tally->swapped += count_new(view, is_on_swap);
	}
	tally->events += runs[OURS].events;
	add_excuses(&trial, tally);
	return true;
}
