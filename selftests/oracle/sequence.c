// SPDX-License-Identifier: GPL-2.0
/* The operations: which there are, and a random sequence of them. */
#include <string.h>
#include <sys/mman.h>

#include "oracle/oracle.h"

#define IN_FIRST	1	/* only the first process has a userfaultfd */
#define IS_WIDE		2	/* not for mainline */
#define IS_HUGE		4	/* only where there may be huge pages */
#define BY_PAGE		8	/* one page after the other */

static const struct kind {
	const char *name;
	unsigned int weight, flags;
} kinds[NR_OPS] = {
	[OP_MAP]		= { "map", 3, 0 },
	[OP_UNMAP]		= { "unmap", 3, 0 },
	[OP_PROTECT]		= { "protect", 6, 0 },
	[OP_MOVE]		= { "move", 4, 0 },
	[OP_WRITE]		= { "write", 14, BY_PAGE },
	[OP_READ]		= { "read", 8, BY_PAGE },
	[OP_POPULATE_READ]	= { "populate for reading", 3, 0 },
	[OP_POPULATE_WRITE]	= { "populate for writing", 2, 0 },
	[OP_DISCARD]		= { "MADV_DONTNEED", 5, 0 },
	[OP_FREE]		= { "write, MADV_FREE", 4, BY_PAGE },
	[OP_PAGE_OUT]		= { "page out", 4, 0 },
	[OP_GUARD]		= { "install guards", 2, 0 },
	[OP_UNGUARD]		= { "remove guards", 2, 0 },
	[OP_HUGE]		= { "MADV_HUGEPAGE", 3, IS_HUGE },
	[OP_NO_HUGE]		= { "MADV_NOHUGEPAGE", 2, IS_HUGE },
	[OP_LOCK]		= { "mlock", 4, IS_WIDE },
	[OP_UNLOCK]		= { "munlock", 4, IS_WIDE },
	[OP_CLEAR_SOFT_DIRTY]	= { "clear soft-dirty", 5, 0 },
	[OP_WRITE_PROTECT]	= { "userfaultfd protects", 5, IN_FIRST },
	[OP_WRITE_ALLOW]	= { "userfaultfd allows", 2, IN_FIRST },
	[OP_UNREGISTER]		= { "userfaultfd ends", 1, IN_FIRST },
	[OP_FORK]		= { "fork", 5, 0 },
	[OP_EXIT]		= { "exit", 3, 0 },
	[OP_TO_DEVICE]		= { "to the device", 20, 0 },
	[OP_TO_SYSTEM]		= { "to the system", 7, 0 },
	[OP_EVICT]		= { "evict all", 1, 0 },
	[OP_DEVICE_WRITE]	= { "device writes", 10, BY_PAGE },
	[OP_DEVICE_READ]	= { "device reads", 5, BY_PAGE },
	[OP_FAIL_TO_DEVICE]	= { "to the device, no memory", 3, IS_WIDE },
	[OP_FAIL_TO_SYSTEM]	= { "to the system, no memory", 3, IS_WIDE },
};

const char *op_name(enum what what)
{
	return kinds[what].name;
}

bool op_is_by_page(enum what what)
{
	return kinds[what].flags & BY_PAGE;
}

/* One sequence while it is made. */
struct maker {
	struct sequence *sequence;
	__u64 state;
	bool alive[PROCESSES];
	int made;	/* processes so far; none takes another's place */
};

static unsigned int below(struct maker *maker, unsigned int limit)
{
	__u64 x = maker->state += 0x9e3779b97f4a7c15ULL;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return (x >> 33) % limit;
}

static bool one_in(struct maker *maker, unsigned int n)
{
	return !below(maker, n);
}

static struct op *add(struct maker *maker, enum what what)
{
	struct op *op = &maker->sequence->ops[maker->sequence->nr++];

	memset(op, 0, sizeof(*op));
	op->what = what;
	return op;
}

static void add_range(struct maker *maker, enum what what, int who, size_t at,
		      size_t npages)
{
	struct op *op = add(maker, what);

	op->who = who;
	op->at = at;
	op->pages = npages;
	op->how = what == OP_MAP ? PROT_READ | PROT_WRITE : 0;
}

static size_t random_length(struct maker *maker, size_t most)
{
	switch (below(maker, 8)) {
	case 0:
	case 1:
		return 1;
	case 2:
	case 3:
	case 4:
		return 2 + below(maker, 14);
	case 5:
	case 6:
		return 16 + below(maker, most / 2);
	default:
		return most;
	}
}

/* Whole huge pages, half of the time. */
static void random_large_range(struct maker *maker, struct op *op)
{
	if (one_in(maker, 2)) {
		op->at = SMALL + below(maker, 2) * TABLE;
		op->pages = TABLE;
		return;
	}
	op->pages = random_length(maker, LARGE);
	op->at = SMALL + below(maker, LARGE - op->pages + 1);
}

static void random_range(struct maker *maker, struct op *op)
{
	if (maker->sequence->huge && one_in(maker, 2)) {
		random_large_range(maker, op);
		return;
	}
	op->pages = random_length(maker, SMALL);
	op->at = below(maker, SMALL - op->pages + 1);
}

static unsigned int random_protection(struct maker *maker)
{
	switch (below(maker, 6)) {
	case 0:
		return PROT_NONE;
	case 1:
	case 2:
		return PROT_READ;
	default:
		return PROT_READ | PROT_WRITE;
	}
}

static int random_process(struct maker *maker)
{
	int who = below(maker, PROCESSES + 1);

	return who < PROCESSES && maker->alive[who] ? who : 0;
}

/* 0: there is none but the first. */
static int oldest_child(struct maker *maker)
{
	int who;

	for (who = 1; who < PROCESSES; who++)
		if (maker->alive[who])
			return who;
	return 0;
}

static bool is_allowed(struct maker *maker, enum what what)
{
	unsigned int flags = kinds[what].flags;

	if ((flags & IS_WIDE && !maker->sequence->wide) ||
	    (flags & IS_HUGE && !maker->sequence->huge))
		return false;
	if (what == OP_FORK)
		return maker->made < PROCESSES;
	return what != OP_EXIT || oldest_child(maker);
}

static enum what random_kind(struct maker *maker)
{
	unsigned int sum = 0, choice;
	enum what what;

	for (what = 0; what < NR_OPS; what++)
		if (is_allowed(maker, what))
			sum += kinds[what].weight;
	choice = below(maker, sum);
	for (what = 0; what < NR_OPS; what++) {
		if (!is_allowed(maker, what))
			continue;
		if (choice < kinds[what].weight)
			break;
		choice -= kinds[what].weight;
	}
	return what;
}

static void set_how(struct maker *maker, struct op *op)
{
	switch (op->what) {
	case OP_PROTECT:
		op->how = random_protection(maker);
		break;
	case OP_MAP:
		op->how = PROT_READ | PROT_WRITE;
		break;
	case OP_WRITE:
		op->how = one_in(maker, 2) ? HOW_WORD : 0;
		break;
	case OP_FREE:
		op->how = below(maker, (HOW_MIGRATED | HOW_BY_DEVICE) + 1);
		break;
	default:
		break;
	}
}

static void add_random(struct maker *maker)
{
	struct op *op = add(maker, random_kind(maker));
	size_t zone, size;

	op->who = kinds[op->what].flags & IN_FIRST ? 0 : random_process(maker);
	switch (op->what) {
	case OP_FORK:
		op->to = maker->made++;
		maker->alive[op->to] = true;
		return;
	case OP_EXIT:
		op->who = oldest_child(maker);
		maker->alive[op->who] = false;
		return;
	case OP_CLEAR_SOFT_DIRTY:
	case OP_EVICT:
		return;
	default:
		break;
	}
	random_range(maker, op);
	set_how(maker, op);
	if (op->what == OP_MOVE) {
		zone = zone_start(op->at);
		size = zone ? LARGE : SMALL;
		op->to = zone + below(maker, size - op->pages + 1);
	}
}

/* What the device wrote to pages that were freed lazily meets reclaim. */
static void add_reclaim(struct maker *maker)
{
	struct op op = maker->sequence->ops[maker->sequence->nr - 1];

	if (op.what != OP_FREE || op.how != (HOW_MIGRATED | HOW_BY_DEVICE))
		return;
	add_range(maker, OP_TO_SYSTEM, op.who, op.at, op.pages);
	add_range(maker, OP_PAGE_OUT, op.who, op.at, op.pages);
}

/* A huge page away, and back: asked for, or because the process needs it. */
static void add_round_trip(struct maker *maker)
{
	size_t at = SMALL + below(maker, 2) * TABLE;

	add_range(maker, OP_WRITE, 0, at, TABLE);
	add_range(maker, OP_TO_DEVICE, 0, at, TABLE);
	add_range(maker, one_in(maker, 2) ? OP_TO_SYSTEM : OP_READ, 0, at,
		  TABLE);
}

/* Most of the memory is mapped, and most of it written, when it begins. */
static void add_beginning(struct maker *maker)
{
	add_range(maker, OP_MAP, 0, 0, SMALL);
	add_range(maker, OP_WRITE, 0, below(maker, SMALL / 4), SMALL / 2);
	if (!maker->sequence->huge)
		return;
	add_range(maker, OP_MAP, 0, SMALL, LARGE);
	add_range(maker, OP_HUGE, 0, SMALL, LARGE);
	add_range(maker, OP_WRITE, 0, SMALL + below(maker, TABLE), TABLE / 2);
	add_round_trip(maker);
}

/* The end: everybody looks at all that there is. */
static void add_end(struct maker *maker)
{
	int who;

	for (who = PROCESSES - 1; who >= 0; who--) {
		if (!maker->alive[who])
			continue;
		add_range(maker, OP_READ, who, 0, SMALL);
		if (maker->sequence->huge)
			add_range(maker, OP_READ, who, SMALL, LARGE);
		if (who)
			add(maker, OP_EXIT)->who = who;
	}
}

/*
 * Huge pages cost a hundred times as much as others. Mainline dies of them
 * where a device has none and the memory is shared by a fork (W1).
 */
static bool wants_huge(struct maker *maker)
{
	const struct sequence *sequence = maker->sequence;

	return one_in(maker, 8) &&
	       (sequence->wide || sequence->unit != MIRROR_COHERENT);
}

static bool has_room(struct maker *maker)
{
	return maker->sequence->nr < MAX_OPS - 3 * PROCESSES;
}

void make_sequence(struct sequence *sequence, unsigned int seed, int unit,
		   bool wide)
{
	struct maker maker = {
		.sequence = sequence,
		.state = (__u64)seed << 32 | unit << 1 | wide,
		.alive = { true },
		.made = 1,
	};
	unsigned int nr;

	*sequence = (struct sequence) {
		.seed = seed, .unit = unit, .wide = wide,
	};
	sequence->huge = wants_huge(&maker);
	sequence->sizes = wide && sequence->huge && one_in(&maker, 2);
	add_beginning(&maker);
	for (nr = 12 + below(&maker, 30); nr && has_room(&maker); nr--) {
		add_random(&maker);
		add_reclaim(&maker);
	}
	add_end(&maker);
}
