/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the differential oracle share. A sequence of operations
 * is run with each engine in turn, in fresh processes; what each operation
 * returned, and how every page looks afterwards, is recorded; the records
 * must be the same.
 */
#ifndef SELFTESTS_ORACLE_H
#define SELFTESTS_ORACLE_H

#include <sys/types.h>

#include "lib.h"

/*
 * Pages are numbered. The first SMALL lie on both sides of the end of a page
 * table; the others, at an address for huge pages, are used by some sequences.
 */
#define SMALL		128
#define LARGE		(2 * TABLE)
#define ARENA		(SMALL + LARGE)

#define PROCESSES	4
#define MAX_OPS		64

enum engine { NONE, MAINLINE, OURS, NR_ENGINES };

enum what {
	OP_MAP, OP_UNMAP, OP_PROTECT, OP_MOVE,
	OP_WRITE, OP_READ, OP_POPULATE_READ, OP_POPULATE_WRITE,
	OP_DISCARD, OP_FREE, OP_PAGE_OUT, OP_GUARD, OP_UNGUARD,
	OP_HUGE, OP_NO_HUGE, OP_LOCK, OP_UNLOCK,
	OP_CLEAR_SOFT_DIRTY, OP_WRITE_PROTECT, OP_WRITE_ALLOW, OP_UNREGISTER,
	OP_FORK, OP_EXIT,
	OP_TO_DEVICE, OP_TO_SYSTEM, OP_EVICT, OP_DEVICE_WRITE, OP_DEVICE_READ,
	OP_FAIL_TO_DEVICE, OP_FAIL_TO_SYSTEM,
	NR_OPS
};

struct op {
	enum what what;
	int who;		/* which process does it */
	size_t at, pages;	/* to these pages */
	size_t to;		/* OP_MOVE: to there; OP_FORK: as this one */
	unsigned int how;	/* protection, or HOW_* */
};

#define HOW_WORD	1	/* OP_WRITE: a word of each page, not all */
#define HOW_MIGRATED	1	/* OP_FREE: away before it is written again */
#define HOW_BY_DEVICE	2	/* OP_FREE: the device writes it again */

struct sequence {
	unsigned int seed;
	int unit;		/* which of test_hmm's devices */
	bool wide;		/* with what mainline cannot do */
	bool huge;		/* with the pages from SMALL on */
	bool sizes;		/* and with large folios of all sizes */
	int nr;
	struct op ops[MAX_OPS];
};

/* How a page looks in one process. */
enum {
	AT_NOWHERE, AT_ZERO_PAGE, AT_SYSTEM, AT_PRIVATE, AT_COHERENT, AT_SWAP,
	AT_PLACE = 7,
	IS_SOFT_DIRTY = 8, IS_UFFD_WP = 16, IS_EXCLUSIVE = 32, IS_GUARD = 64,
	IS_HEAD = 128, IS_TAIL = 256,
};

typedef __u16 look_t;

/* What is left of one operation. */
struct step {
	long ret;
	unsigned int events;	/* of userfaultfd, so far */
	bool alive[PROCESSES];
	look_t looks[PROCESSES][ARENA];
	/* of operations that look at, or write, one page after the other */
	short errors[ARENA];
	__u32 contents[ARENA];
};

/* What one engine made of a sequence, in memory that its processes share. */
struct run {
	int now;		/* the operation that is going on */
	int status;		/* of the first process */
	pid_t pids[PROCESSES];
	unsigned int events;
	struct step steps[MAX_OPS];
};

/* sequence.c */
void make_sequence(struct sequence *sequence, unsigned int seed, int unit,
		   bool wide);
const char *op_name(enum what what);
bool op_is_by_page(enum what what);

/* describe.c */
const char *describe(const struct op *op);
const char *process_name(int who);

/* arena.c */
void *page_address(size_t page);
size_t zone_start(size_t page);
size_t pages_used(const struct sequence *sequence);

/* area.c */
int page_protection(size_t page);

/* look.c */
void look_init(void);
void look_at(pid_t pid, look_t *looks, size_t npages);
look_t look_here(size_t page);
bool is_hole(look_t look);
bool is_away(look_t look);
bool is_large(look_t look);
const char *look_name(look_t look);

/* access.c */
void access_init(void);
void page_fill(void *memory, size_t page, unsigned int seed);
int page_write(size_t page, unsigned int seed, bool word);
int page_read(size_t page, __u32 *contents);
__u32 contents_of(const void *page);

/* watch.c */
int watch_init(unsigned int *events);
int watch_protect(size_t at, size_t npages, bool protect);
int watch_end(size_t at, size_t npages);

/* device.c */
struct device {
	enum engine engine;
	int unit;
	int fd;
};

void device_init(struct device *device, enum engine engine, int unit);
void device_forked(struct device *device);
long device_move(struct device *device, size_t at, size_t npages, bool away);
long device_fail(struct device *device, size_t at, size_t npages, bool away);
long device_evict(struct device *device);
int device_write(struct device *device, size_t page, unsigned int seed);
int device_read(struct device *device, size_t page, __u32 *contents);

/* act.c */
void act(struct device *device, const struct op *op, int number,
	 struct step *step);

/* processes.c */
void run_sequence(const struct sequence *sequence, enum engine engine,
		  struct run *run);

/* judge.c */
enum field {
	END, RESULT, EVENTS, ERROR, CONTENTS, PRESENCE, PLACE, UFFD_WP,
	SOFT_DIRTY_LOST, SOFT_DIRTY_ADDED, EXCLUSIVE, ORDER,
};

struct difference {
	int step;
	enum engine engine;	/* which is not as it should be */
	enum engine other;	/* compared to which */
	enum field field;
	int who;		/* -1: it is not about one page */
	size_t page;
};

enum excuse {
	LEFT, W7, W9, SOFT_DIRTY_UNSEEN, SOFT_DIRTY_REWRITTEN,
	SOFT_DIRTY_EVICTED, SPLIT, NR_EXCUSES
};

struct tally {
	unsigned long moved;	/* pages that our engine has brought away */
	unsigned long whole;	/* large folios that came back with both */
	unsigned long swapped, events;
	unsigned int excused[NR_EXCUSES];	/* sequences */
};

bool judge(const struct sequence *sequence, const struct run *runs,
	   bool fixed, struct difference *difference, struct tally *tally);

/* excuses.c */
const char *excuse_name(enum excuse excuse);

/* report.c */
void report_sequence(const struct sequence *sequence, int last);
void report(const struct sequence *sequence, const struct run *runs,
	    const struct difference *difference);
void report_tally(const struct tally *tally);

/* quiet.c */
bool quiet_begin(void);
void quiet_allow_sizes(bool allow);
void quiet_end(void);

#endif
