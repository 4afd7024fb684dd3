/* SPDX-License-Identifier: GPL-2.0 */
/* What a judgement is made of: the past of each page, and the excuses. */
#ifndef SELFTESTS_ORACLE_JUDGE_H
#define SELFTESTS_ORACLE_JUDGE_H

#include "oracle/oracle.h"

/* What has happened to a page of a process, as far as it matters. */
struct past {
	bool written;		/* since soft-dirty bits were cleared */
	bool by_device;		/* and all of these writes were the device's */
	bool lazy;		/* freed lazily; only the device wrote since */
	bool swapped;
	bool split;		/* by mainline alone, to move it */
	unsigned char was_entry;	/* a device's; a bit for each engine */
	unsigned char rewritten;	/* by fork, mprotect; and not written */
	unsigned char evicted;		/* by frame number */
	unsigned char filled;		/* a page where NONE has a hole */
	unsigned char filled_first;	/* and NONE's hole is filled by now */
};

/* The runs side by side, at one operation. */
struct view {
	const struct sequence *sequence;
	const struct run *runs;
	int number;
	bool orders;		/* reclaim has split no large folio */
	bool fixed;		/* the kernel has patches/fixes/ */
	bool counts[NR_ENGINES];	/* engines that are compared */
	struct past pasts[PROCESSES][ARENA];
};

const struct op *current_op(const struct view *view);
const struct step *current_step(const struct view *view, enum engine engine);
look_t look_before(const struct view *view, enum engine engine, int who,
		   size_t page);
look_t look_after(const struct view *view, enum engine engine, int who,
		  size_t page);
bool op_reaches(const struct op *op, size_t page);
bool op_takes_away(const struct op *op);

/* Nothing, the zero page, or a page: these read alike, but are not alike. */
static inline int presence(look_t look)
{
	look_t place = look & AT_PLACE;

	return place < AT_SYSTEM ? place : AT_SYSTEM;
}

/* history.c */
void history_advance(struct view *view);

/* excuses.c */
enum excuse excuse_for(const struct view *view,
		       const struct difference *difference);
bool excuse_is_final(enum excuse excuse);

#endif
