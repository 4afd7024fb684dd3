// SPDX-License-Identifier: GPL-2.0
/* What has happened to each page of each process, operation by operation. */
#include <string.h>

#include "oracle/judge.h"

/* Operations that write a device's entry anew, and without its soft-dirty. */
static bool rewrites(const struct op *op, size_t page)
{
	switch (op->what) {
	case OP_FORK:
		return true;
	case OP_PROTECT:
	case OP_WRITE_PROTECT:
	case OP_WRITE_ALLOW:
	case OP_UNREGISTER:
		return op_reaches(op, page);
	default:
		return false;
	}
}

static bool discards(const struct op *op, size_t page)
{
	switch (op->what) {
	case OP_MAP:
	case OP_UNMAP:
	case OP_DISCARD:
	case OP_GUARD:
		return op_reaches(op, page);
	default:
		return false;
	}
}

static void note_discarded(struct past *past)
{
	past->written = false;
	past->by_device = false;
	past->lazy = false;
	past->evicted = 0;
	past->filled_first = 0;
}

static void note_write(struct past *past, const struct op *op)
{
	bool by_device = op->what == OP_DEVICE_WRITE ||
			 (op->what == OP_FREE && op->how & HOW_BY_DEVICE);

	past->by_device = by_device && (past->by_device || !past->written);
	past->written = true;
	past->rewritten = 0;
	if (op->what == OP_FREE)
		past->lazy = by_device;
	else if (!by_device)
		past->lazy = false;
}

static void note_cleared(struct past *past)
{
	past->written = false;
	past->by_device = false;
	past->was_entry = 0;
	past->rewritten = 0;
	past->evicted = 0;
	past->filled_first = 0;
}

static bool is_written(const struct view *view, size_t page)
{
	const struct op *op = current_op(view);

	switch (op->what) {
	case OP_WRITE:
	case OP_FREE:
	case OP_DEVICE_WRITE:
		return op_reaches(op, page) &&
		       !current_step(view, NONE)->errors[page];
	default:
		return false;
	}
}

static bool is_entry(look_t look)
{
	return (look & AT_PLACE) == AT_PRIVATE;
}

static void note_rewritten(struct view *view, size_t page)
{
	int who = current_op(view)->who;
	enum engine engine;

	for (engine = 0; engine < NR_ENGINES; engine++)
		if (view->counts[engine] &&
		    is_entry(look_before(view, engine, who, page)))
			view->pasts[who][page].rewritten |= 1 << engine;
}

/* What the operation does to a page of the process that does it. */
static void note_operation(struct view *view, size_t page)
{
	const struct op *op = current_op(view);
	struct past *past = &view->pasts[op->who][page];

	if (rewrites(op, page))
		note_rewritten(view, page);
	if (op->what == OP_CLEAR_SOFT_DIRTY)
		note_cleared(past);
	if (discards(op, page))
		note_discarded(past);
	if (is_written(view, page))
		note_write(past, op);
}

static void note_look(struct past *past, enum engine engine, look_t look)
{
	if (is_entry(look))
		past->was_entry |= 1 << engine;
	if ((look & AT_PLACE) == AT_SWAP)
		past->swapped = true;
}

/* A child closes its device when it ends, and that evicts as well. */
static void note_evicted(struct view *view, enum engine engine, int who,
			 size_t page)
{
	enum what what = current_op(view)->what;

	if ((what == OP_EVICT || what == OP_EXIT) &&
	    is_entry(look_before(view, engine, who, page)) &&
	    !is_entry(look_after(view, engine, who, page)))
		view->pasts[who][page].evicted |= 1 << engine;
}

/* Where one may only read, a migration fills a hole, and nothing else does. */
static void note_filled(struct view *view, enum engine engine, int who,
			size_t page)
{
	const struct op *op = current_op(view);
	struct past *past = &view->pasts[who][page];
	look_t look = look_after(view, engine, who, page);
	look_t without = look_after(view, NONE, who, page);
	bool fills = who == op->who && op_takes_away(op) &&
		     op_reaches(op, page);

	if (presence(look) == presence(without)) {
		if (fills)
			past->filled_first |= past->filled & 1 << engine;
		past->filled &= ~(1 << engine);
	} else if (fills && is_hole(without) && is_away(look)) {
		past->filled |= 1 << engine;
	}
}

/* It comes back in pieces, or is left in pieces, where ours is whole. */
static void note_split(struct view *view, int who, size_t page)
{
	const struct op *op = current_op(view);
	struct past *past = &view->pasts[who][page];
	look_t before = look_before(view, MAINLINE, who, page);
	look_t look = look_after(view, MAINLINE, who, page);
	bool moves = op_takes_away(op) || op->what == OP_TO_SYSTEM;

	if (is_large(look) || !is_large(look_after(view, OURS, who, page)))
		past->split = false;
	else if (is_away(before) || (moves && is_large(before)))
		past->split = true;
}

static void note_looks(struct view *view, int who, size_t page)
{
	enum engine engine;

	if (view->counts[MAINLINE])
		note_split(view, who, page);
	for (engine = 0; engine < NR_ENGINES; engine++) {
		if (!view->counts[engine])
			continue;
		note_look(&view->pasts[who][page], engine,
			  look_after(view, engine, who, page));
		note_evicted(view, engine, who, page);
		note_filled(view, engine, who, page);
	}
}

/* A child begins with its parent's past; what is moved keeps its own. */
static void note_copies(struct view *view)
{
	const struct op *op = current_op(view);
	struct past *past = view->pasts[op->who];

	if (op->what == OP_FORK)
		memcpy(view->pasts[op->to], past, sizeof(*view->pasts));
	if (op->what == OP_MOVE && !current_step(view, NONE)->ret) {
		memcpy(&past[op->to], &past[op->at],
		       op->pages * sizeof(*past));
		memset(&past[op->at], 0, op->pages * sizeof(*past));
	}
}

void history_advance(struct view *view)
{
	const struct op *op = current_op(view);
	size_t page, npages = pages_used(view->sequence);
	int who;

	if (op->what == OP_PAGE_OUT && zone_start(op->at))
		view->orders = false;
	for (page = 0; page < npages; page++)
		note_operation(view, page);
	note_copies(view);
	for (who = 0; who < PROCESSES; who++)
		for (page = 0; page < npages; page++)
			note_looks(view, who, page);
}
