/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A call over memory of every kind, in which something goes wrong, and what
 * must be true of all its pages afterwards.
 */
#ifndef SELFTESTS_FAILS_H
#define SELFTESTS_FAILS_H

#include "lib.h"

#define SMALL	MIXED_SMALL_PAGES
#define HUGE	(SMALL + 100)	/* a page of the huge page */

/* Who asks for the memory. */
enum way { AWAY, TO_NODE, BACK, EVICTED, ACCESSED };

/* What the driver does. */
enum failure {
	WORKS,
	LEAVES_ONE,	/* one word, by clearing MIGRATE */
	SAYS_WHY,	/* one word, with an errno */
	TOO_BIG,	/* one word, which it wants smaller */
	ENDS,		/* all words from one on, with an errno */
	NO_MEMORY,	/* the same, because there is no memory for more */
	AT_RANDOM,
};

struct asked {
	enum way way;
	unsigned int flags;
	bool locked;
};

/* What the kernel says of the memory, and of the process. */
struct view {
	__u64 entries[MIXED_PAGES];
	enum place places[MIXED_PAGES];
	long rss_kb, swap_kb, pte_kb, locked_kb;
};

struct attempt {
	int fd;
	struct asked asked;
	enum failure failure;
	unsigned int at;	/* the first word; or the seed */
	size_t page;		/* that is accessed */
	unsigned int delay_alloc_us, delay_finalize_us;
	struct mixed mixed;
	struct view before, after;
	struct hmm_test_result result;
	bool answered;		/* the access brought no error */
};

/* attempt.c */
void touch_heap_and_stack(void);
void fault_set(int fd, struct hmm_test_fault fault);
bool attempt_prepare(struct attempt *attempt, size_t npages);
struct hmm_test_driver attempt_driver(const struct attempt *attempt);
int attempt_make(struct attempt *attempt);
struct hmm_test_result attempt_result(const struct attempt *attempt);
void attempt_look(const struct attempt *attempt, struct view *view);
const char *attempt_end(struct attempt *attempt);

/* expect.c: NULL, or what is wrong */
const char *expect_words(const struct attempt *attempt);
const char *expect_any(const struct attempt *attempt);

#endif
