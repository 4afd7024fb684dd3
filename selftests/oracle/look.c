// SPDX-License-Identifier: GPL-2.0
/*
 * How pages look from outside, without touching them: what pagemap tells, put
 * so that it does not depend on which page frame it is.
 */
#include <fcntl.h>
#include <linux/kernel-page-flags.h>
#include <linux/mman.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "oracle/oracle.h"

#define PM_FRAME	((1ULL << 55) - 1)
#define SWAP_TYPE	31
#define SWAP_AREAS	16	/* swap types below are swap areas */

static __u64 zero_pfn, huge_zero_pfn;
static unsigned int marker_type;
static int flags_fd = -1;

static __u64 zero_pfn_at(char *memory)
{
	if (__atomic_load_n(memory, __ATOMIC_RELAXED))
		exit(1);
	return pfn_of(memory);
}

/* A guard is a marker; other markers are of the same type. */
static unsigned int learn_marker_type(char *memory)
{
	if (madvise(memory, PAGE, MADV_GUARD_INSTALL))
		return 0;
	return pagemap(memory) & SWAP_TYPE;
}

/* The memory stays: the huge zero page is only there while it is mapped. */
void look_init(void)
{
	char *memory = pages_map(2 * TABLE);

	madvise(memory, TABLE * PAGE, MADV_HUGEPAGE);
	huge_zero_pfn = zero_pfn_at(memory);
	zero_pfn = zero_pfn_at(memory + TABLE * PAGE);
	marker_type = learn_marker_type(memory + (TABLE + 1) * PAGE);
	flags_fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
}

static bool is_zero_page(__u64 pfn)
{
	return pfn == zero_pfn ||
	       (pfn >= huge_zero_pfn && pfn < huge_zero_pfn + TABLE);
}

static look_t present(__u64 pfn)
{
	if (is_zero_page(pfn))
		return AT_ZERO_PAGE;
	if (pfn_is_coherent(pfn))
		return AT_COHERENT;
	return AT_SYSTEM;
}

static look_t absent(unsigned int type)
{
	if (type == marker_type)
		return AT_NOWHERE;
	return type < SWAP_AREAS ? AT_SWAP : AT_PRIVATE;
}

static look_t look_of(__u64 entry)
{
	look_t look = AT_NOWHERE;

	if (entry & PM_PRESENT)
		look = present(entry & PM_FRAME);
	else if (entry & PM_SWAP)
		look = absent(entry & SWAP_TYPE);
	return look | (entry & PM_SOFT_DIRTY ? IS_SOFT_DIRTY : 0) |
	       (entry & PM_UFFD_WP ? IS_UFFD_WP : 0) |
	       (entry & PM_EXCLUSIVE ? IS_EXCLUSIVE : 0) |
	       (entry & PM_GUARD ? IS_GUARD : 0);
}

/* How many pages, from the first on, lie in memory one after the other. */
static size_t run_length(const __u64 *entries, const look_t *looks,
			 size_t limit)
{
	size_t nr = 0;

	while (nr < limit && (looks[nr] & AT_PLACE) == AT_SYSTEM &&
	       (entries[nr] & PM_FRAME) == (entries[0] & PM_FRAME) + nr)
		nr++;
	return nr;
}

/* Adds which pages are parts of large folios. */
static void look_at_orders(const __u64 *entries, look_t *looks, size_t npages)
{
	static __u64 flags[LARGE];
	size_t page, nr, i, size;

	for (page = 0; page < npages; page += nr) {
		nr = run_length(&entries[page], &looks[page], npages - page);
		if (!nr) {
			nr = 1;
			continue;
		}
		size = nr * sizeof(*flags);
		if (pread(flags_fd, flags, size, (entries[page] & PM_FRAME) *
						 sizeof(*flags)) != size) {
			perror("kpageflags");
			exit(1);
		}
		for (i = 0; i < nr; i++) {
			if (flags[i] & 1ULL << KPF_COMPOUND_HEAD)
				looks[page + i] |= IS_HEAD;
			if (flags[i] & 1ULL << KPF_COMPOUND_TAIL)
				looks[page + i] |= IS_TAIL;
		}
	}
}

static void look_at_zone(int fd, look_t *looks, size_t from, size_t to)
{
	static __u64 entries[ARENA];
	size_t page, size = (to - from) * sizeof(*entries);
	off_t offset = (uintptr_t)page_address(from) / PAGE * sizeof(*entries);

	if (pread(fd, entries, size, offset) != size) {
		perror("pagemap");
		exit(1);
	}
	for (page = from; page < to; page++)
		looks[page] = look_of(entries[page - from]);
	if (from)
		look_at_orders(entries, &looks[from], to - from);
}

void look_at(pid_t pid, look_t *looks, size_t npages)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		perror(path);
		exit(1);
	}
	look_at_zone(fd, looks, 0, SMALL);
	if (npages > SMALL)
		look_at_zone(fd, looks, SMALL, npages);
	close(fd);
}

look_t look_here(size_t page)
{
	return look_of(pagemap(page_address(page)));
}

/* Nothing is there that a write, or a migration, would have to keep. */
bool is_hole(look_t look)
{
	return (look & AT_PLACE) <= AT_ZERO_PAGE &&
	       !(look & (IS_UFFD_WP | IS_GUARD));
}

bool is_away(look_t look)
{
	look_t place = look & AT_PLACE;

	return place == AT_PRIVATE || place == AT_COHERENT;
}

bool is_large(look_t look)
{
	return look & (IS_HEAD | IS_TAIL);
}

const char *look_name(look_t look)
{
	static const char * const places[] = {
		"nowhere", "zero page", "system", "device", "coherent", "swap",
	};
	static char text[128];

	snprintf(text, sizeof(text), "%s%s%s%s%s%s%s", places[look & AT_PLACE],
		 look & IS_SOFT_DIRTY ? ", soft-dirty" : "",
		 look & IS_UFFD_WP ? ", uffd-wp" : "",
		 look & IS_EXCLUSIVE ? ", exclusive" : "",
		 look & IS_GUARD ? ", guard" : "",
		 look & IS_HEAD ? ", head" : "",
		 look & IS_TAIL ? ", tail" : "");
	return text;
}
