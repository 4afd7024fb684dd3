// SPDX-License-Identifier: GPL-2.0
/* Looking things up in the records of several runs. */
#include "oracle/judge.h"

const struct op *current_op(const struct view *view)
{
	return &view->sequence->ops[view->number];
}

const struct step *current_step(const struct view *view, enum engine engine)
{
	return &view->runs[engine].steps[view->number];
}

static look_t look_in(const struct step *step, int who, size_t page)
{
	return step->alive[who] ? step->looks[who][page] : AT_NOWHERE;
}

look_t look_before(const struct view *view, enum engine engine, int who,
		   size_t page)
{
	if (!view->number)
		return AT_NOWHERE;
	return look_in(current_step(view, engine) - 1, who, page);
}

look_t look_after(const struct view *view, enum engine engine, int who,
		  size_t page)
{
	return look_in(current_step(view, engine), who, page);
}

bool op_reaches(const struct op *op, size_t page)
{
	return page >= op->at && page < op->at + op->pages;
}

bool op_takes_away(const struct op *op)
{
	return op->what == OP_TO_DEVICE || op->what == OP_FAIL_TO_DEVICE ||
	       (op->what == OP_FREE && op->how & HOW_MIGRATED);
}
