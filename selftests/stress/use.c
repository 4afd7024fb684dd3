// SPDX-License-Identifier: GPL-2.0
/* What a process does with its memory, while others move it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/mman.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stress.h"
#include "test_hmm_uapi.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL	102
#define MADV_GUARD_REMOVE	103
#endif

static const struct part all = { .npages = REGION_PAGES };

static char *at(struct region *region, struct part part)
{
	return region->memory + part.first * PAGE;
}

static int advise(struct region *region, struct part part, int advice)
{
	return madvise(at(region, part), part.npages * PAGE, advice);
}

static bool check(struct region *region)
{
	return region_check(region, region_part(64));
}

/* Again and again the same pages, which movers like best then. */
static bool write_some(struct region *region)
{
	struct part part = region_part(32);
	int round;

	region->busy = part;
	for (round = chance(100); round >= 0 && !is_over(); round--) {
		if (!region_check(region, part))
			return false;
		region_write(region, part);
	}
	return true;
}

static bool throw_away(struct region *region)
{
	struct part part = region_part(TABLE);

	if (advise(region, part, MADV_DONTNEED))
		return true;
	region_is_zero(region, part);
	count(THROWN_AWAY, 1);
	return region_check(region, part);
}

static bool free_lazily(struct region *region)
{
	struct part part = region_part(64);

	if (advise(region, part, MADV_FREE))
		return true;
	region_may_be_zero(region, part);
	count(FREED_LAZILY, 1);
	return region_check(region, part);
}

static bool page_out(struct region *region)
{
	struct part part = region_part(64);

	advise(region, part, MADV_PAGEOUT);
	count(PAGED_OUT, 1);
	return region_check(region, part);
}

/* A child has what its parent had, and the parent sees nothing of what it does. */
static void be_child(struct region *region)
{
	struct part part = region_part(REGION_PAGES);

	if (!region_check(region, all))
		_exit(1);
	region_write(region, part);
	_exit(region_check(region, all) ? 0 : 1);
}

static bool has_ended_well(pid_t child)
{
	int status;

	/* Somebody may kill it; it must not fail. */
	if (waitpid(child, &status, 0) != child)
		return false;
	return !WIFEXITED(status) || !WEXITSTATUS(status);
}

static bool fork_child(struct region *region)
{
	bool ours = true;
	pid_t child = fork();

	if (!child)
		be_child(region);
	if (child < 0)
		return true;
	if (chance(2))
		ours = write_some(region);
	count(FORKED, 1);
	return has_ended_well(child) && ours;
}

static bool execute(struct region *region)
{
	pid_t child = fork();

	if (!child) {
		execl("/bin/busybox", "true", NULL);
		_exit(1);
	}
	if (child < 0)
		return true;
	count(EXECUTED, 1);
	return has_ended_well(child);
}

static bool protect(struct region *region)
{
	struct part part = region_part(TABLE);
	int less = chance(2) ? PROT_READ : PROT_NONE;

	if (mprotect(at(region, part), part.npages * PAGE, less))
		return true;
	if (less == PROT_READ && !region_check(region, part))
		return false;
	count(PROTECTED, 1);
	if (mprotect(at(region, part), part.npages * PAGE,
		     PROT_READ | PROT_WRITE)) {
		storm_fail("region %u cannot be made writable again",
			   region->number);
		return false;
	}
	return region_check(region, part);
}

/* An area that is in pieces moves in none. */
static bool remap(struct region *region)
{
	if (region_move(region))
		count(REMAPPED, 1);
	return check(region);
}

static bool collapse(struct region *region)
{
	advise(region, all, chance(4) ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	if (!advise(region, (struct part){ chance(2) * TABLE, TABLE },
		    MADV_COLLAPSE))
		count(COLLAPSED, 1);
	return check(region);
}

static bool guard(struct region *region)
{
	struct part part = region_part(32);

	if (advise(region, part, MADV_GUARD_INSTALL))
		return true;
	region_is_zero(region, part);
	count(GUARDED, 1);
	if (advise(region, part, MADV_GUARD_REMOVE)) {
		storm_fail("the guards of region %u stay", region->number);
		return false;
	}
	return region_check(region, part);
}

static bool lock(struct region *region)
{
	struct part part = region_part(TABLE);
	bool ok;

	if (mlock(at(region, part), part.npages * PAGE))
		return true;
	count(LOCKED, 1);
	ok = region_check(region, part);
	region_write(region, part);
	munlock(at(region, part), part.npages * PAGE);
	return ok && region_check(region, part);
}

static bool merge(struct region *region)
{
	advise(region, region_part(TABLE),
	       chance(2) ? MADV_MERGEABLE : MADV_UNMERGEABLE);
	count(MERGEABLE, 1);
	return check(region);
}

static bool write_by_device(struct region *region)
{
	struct part part = region_part(64);
	unsigned int seed = region_next_seed(region);
	char *copy = pages_map(REGION_PAGES);
	int fd = region->mirrors[chance(2)];
	size_t page;

	if (!copy)
		return true;
	/* The contents of a page depend on its number. */
	for (page = part.first; page < part.first + part.npages; page++)
		fill_page(copy, page, seed);
	if (mirror_command(fd, HMM_DMIRROR_WRITE, at(region, part),
			   part.npages, copy + part.first * PAGE) ==
	    part.npages)
		count(WRITTEN_BY_DEVICE, part.npages);
	pages_unmap(copy, REGION_PAGES);
	return region_adopt(region, part, seed);
}

/* Pages are in a pipe for a while, by reference. */
static bool pin(struct region *region)
{
	struct part part = region_part(8);
	struct iovec iov = {
		.iov_base = at(region, part),
		.iov_len = part.npages * PAGE,
	};
	int ends[2];

	if (pipe(ends))
		return true;
	if (vmsplice(ends[1], &iov, 1, SPLICE_F_NONBLOCK) > 0) {
		count(PINNED, 1);
		sleep_ms(chance(5));
	}
	close(ends[0]);
	close(ends[1]);
	return region_check(region, part);
}

enum { WRITE = 1 };

static const struct {
	const char *name;
	unsigned int often;
	bool (*use)(struct region *region);
} uses[] = {
	{ "check", 8, check },
	[WRITE] = { "write", 16, write_some },
	{ "throw-away", 3, throw_away },
	{ "free-lazily", 2, free_lazily },
	{ "page-out", 3, page_out },
	{ "fork", 2, fork_child },
	{ "execute", 1, execute },
	{ "protect", 3, protect },
	{ "remap", 1, remap },
	{ "collapse", 1, collapse },
	{ "guard", 1, guard },
	{ "lock", 2, lock },
	{ "merge", 1, merge },
	{ "device-write", 2, write_by_device },
	{ "pin", 2, pin },
	{ "watch-writes", 2, use_watch_writes },
	{ "watch-misses", 2, use_watch_misses },
	{ "break", 1, use_break_page },
	{ "retire", 1, use_retire_pages },
};

/*
 * A life begins with each use once, and each with another one: where little gets
 * done, all of them are.
 */
static unsigned int next_use(struct region *region)
{
	static unsigned int turns;
	unsigned int all_often = 0, i;
	__u64 which;

	if (turns < ARRAY_SIZE(uses))
		return (region->number + turns++) % ARRAY_SIZE(uses);
	for (i = 0; i < ARRAY_SIZE(uses); i++)
		all_often += uses[i].often;
	which = chance(all_often);
	for (i = 0; which >= uses[i].often; i++)
		which -= uses[i].often;
	return i;
}

/* False when something was seen that must not be. */
bool use_something(struct region *region)
{
	unsigned int i = next_use(region);

	/* A write takes the place of what may not happen. */
	if (!(storm->uses & 1U << i))
		i = WRITE;
	region_note(region, uses[i].name);
	return uses[i].use(region);
}
