// SPDX-License-Identifier: GPL-2.0
/* A difference, told so that a person sees what was done and what is wrong. */
#include <stdio.h>

#include "oracle/oracle.h"

static const char *engine_name(enum engine engine)
{
	static const char * const names[NR_ENGINES] = {
		"no migration", "mainline", "hmm_migrate",
	};

	return names[engine];
}

static const char *field_name(enum field field)
{
	static const char * const names[] = {
		[END] = "the end of the run", [RESULT] = "the result",
		[EVENTS] = "the number of userfaultfd events",
		[ERROR] = "the error of one page",
		[CONTENTS] = "the contents", [PRESENCE] = "the presence",
		[PLACE] = "the place", [UFFD_WP] = "uffd-wp, or a guard",
		[SOFT_DIRTY_LOST] = "soft-dirty, lost",
		[SOFT_DIRTY_ADDED] = "soft-dirty, added",
		[EXCLUSIVE] = "exclusiveness", [ORDER] = "the folio's order",
	};

	return names[field];
}

void report_sequence(const struct sequence *sequence, int last)
{
	int number;

	printf("# seed %u, %s device, %s: %d operations\n", sequence->seed,
	       sequence->unit == MIRROR_COHERENT ? "coherent" : "private",
	       sequence->wide ? "two ways" : "three ways", sequence->nr);
	for (number = 0; number <= last && number < sequence->nr; number++)
		printf("# %3d  %s\n", number, describe(&sequence->ops[number]));
}

void report_tally(const struct tally *tally)
{
	enum excuse excuse;

	printf("# %lu pages moved, %lu swapped, %lu userfaultfd events\n",
	       tally->moved, tally->swapped, tally->events);
	printf("# %lu large folios came back whole\n", tally->whole);
	printf("# sequences in which something is excused:");
	for (excuse = 0; excuse < NR_EXCUSES; excuse++)
		printf("%s %s %u", excuse ? "," : "", excuse_name(excuse),
		       tally->excused[excuse]);
	printf("\n");
}

static void report_run(const struct sequence *sequence, const struct run *run,
		       enum engine engine, const struct difference *difference)
{
	const struct step *step = &run->steps[difference->step];
	size_t page = difference->page;

	printf("#   %-12s ended %#x at %d, returned %ld, %u events",
	       engine_name(engine), run->status, run->now, step->ret,
	       step->events);
	if (difference->who < 0) {
		printf("\n");
		return;
	}
	if (op_is_by_page(sequence->ops[difference->step].what))
		printf(", error %d, contents %08x", step->errors[page],
		       step->contents[page]);
	printf("\n#   %-12s", "");
	if (difference->step)
		printf(" was %s;",
		       look_name(step[-1].looks[difference->who][page]));
	printf(" is %s\n", look_name(step->looks[difference->who][page]));
}

void report(const struct sequence *sequence, const struct run *runs,
	    const struct difference *difference)
{
	enum engine engine;

	report_sequence(sequence, difference->step);
	printf("# after operation %d %s of %s is not that of %s",
	       difference->step, field_name(difference->field),
	       engine_name(difference->engine),
	       engine_name(difference->other));
	if (difference->who >= 0)
		printf(", page %zu of the %s", difference->page,
		       process_name(difference->who));
	printf(":\n");
	for (engine = 0; engine < NR_ENGINES; engine++)
		if (engine != MAINLINE || !sequence->wide)
			report_run(sequence, &runs[engine], engine, difference);
}
