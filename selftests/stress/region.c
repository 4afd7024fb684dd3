// SPDX-License-Identifier: GPL-2.0
/* Memory of which one process knows what is in it, page by page. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "stress.h"

#define NUMBERS	256	/* regions whose contents differ */

static char *reserve(char *at, size_t npages)
{
	char *memory = mmap(at, npages * PAGE, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
			    (at ? MAP_FIXED : 0), -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

bool region_init(struct region *region, unsigned int number)
{
	memset(region, 0, sizeof(*region));
	region->number = number % NUMBERS;
	pthread_mutex_init(&region->coherent, NULL);
	region->arena = reserve(NULL, 2 * REGION_PAGES + TABLE);
	if (!region->arena)
		return false;
	region->arena = (char *)(((uintptr_t)region->arena + TABLE * PAGE - 1) &
				 ~(TABLE * PAGE - 1));
	region->memory = mmap(region->arena, REGION_PAGES * PAGE,
			      PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
			      MAP_FIXED, -1, 0);
	return region->memory != MAP_FAILED;
}

char *region_memory(struct region *region)
{
	return __atomic_load_n(&region->memory, __ATOMIC_RELAXED);
}

struct part region_part(size_t most)
{
	struct part part;

	part.npages = 1 + chance(most);
	part.first = chance(REGION_PAGES - part.npages + 1);
	return part;
}

void region_note(struct region *region, const char *what)
{
	region->history[region->done++ % ARRAY_SIZE(region->history)] = what;
}

static const char *history(struct region *region)
{
	static char text[256];
	unsigned int i, n = 0;

	for (i = 0; i < ARRAY_SIZE(region->history); i++) {
		const char *what = region->history[(region->done + i) %
						   ARRAY_SIZE(region->history)];

		if (what)
			n += snprintf(text + n, sizeof(text) - n, " %s", what);
	}
	return text;
}

static void tell(struct region *region, size_t page)
{
	storm_fail("region %u, page %zu: word %#llx is not of seed %u%s; done before:%s",
		   region->number, page,
		   *(unsigned long long *)(region->memory + page * PAGE),
		   region->pages[page].seed,
		   region->pages[page].may_be_zero ? " or zero" : "",
		   history(region));
}

/* What there is to say where a page cannot be accessed, and of what is mapped. */
void region_tell_signal(struct region *region, int signal, const char *addr)
{
	char line[256];
	FILE *maps = fopen("/proc/self/maps", "r");

	storm_fail("region %u, page %zd: signal %d, pagemap %#llx; done before:%s",
		   region->number, (addr - region->memory) / (ssize_t)PAGE,
		   signal, (unsigned long long)pagemap(addr), history(region));
	while (maps && fgets(line, sizeof(line), maps))
		printf("# %s", line);
	fflush(stdout);
}

static bool page_is_right(struct region *region, size_t page)
{
	const char *memory = region->memory;
	unsigned int seed = region->pages[page].seed;

	if (seed && page_is(memory, page, seed))
		return true;
	if (seed && !region->pages[page].may_be_zero)
		return false;
	if (!page_is_zero(memory, page))
		return false;
	/* What has once gone does not come back. */
	region->pages[page].seed = 0;
	region->pages[page].may_be_zero = false;
	return true;
}

bool region_check(struct region *region, struct part part)
{
	size_t page;

	for (page = part.first; page < part.first + part.npages; page++) {
		if (!page_is_right(region, page)) {
			tell(region, page);
			return false;
		}
	}
	count(PAGES_CHECKED, part.npages);
	return true;
}

unsigned int region_next_seed(struct region *region)
{
	return ++region->version * NUMBERS + region->number;
}

void region_set(struct region *region, struct part part, unsigned int seed)
{
	size_t page;

	for (page = part.first; page < part.first + part.npages; page++) {
		region->pages[page].seed = seed;
		region->pages[page].may_be_zero = false;
	}
}

void region_write(struct region *region, struct part part)
{
	unsigned int seed = region_next_seed(region);
	size_t page;

	for (page = part.first; page < part.first + part.npages; page++)
		fill_page(region->memory, page, seed);
	region_set(region, part, seed);
	count(PAGES_WRITTEN, part.npages);
}

void region_is_zero(struct region *region, struct part part)
{
	region_set(region, part, 0);
}

void region_may_be_zero(struct region *region, struct part part)
{
	size_t page;

	for (page = part.first; page < part.first + part.npages; page++)
		region->pages[page].may_be_zero = true;
}

/* A device was to write, and may have come as far as any page. */
bool region_adopt(struct region *region, struct part part, unsigned int seed)
{
	struct part one = { .npages = 1 };

	for (one.first = part.first; one.first < part.first + part.npages;
	     one.first++) {
		if (page_is(region->memory, one.first, seed))
			region_set(region, one, seed);
		else if (!region_check(region, one))
			return false;
	}
	return true;
}

/*
 * To the other place in the arena. The old one is never free in between: a
 * thread that maps something would get it, and unmap it when the region is
 * there again.
 */
bool region_move(struct region *region)
{
	char *from = region->memory, *to = region->arena;

	if (from == to)
		to += REGION_PAGES * PAGE;
	if (mremap(from, REGION_PAGES * PAGE, REGION_PAGES * PAGE,
		   MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, to) != to)
		return false;
	__atomic_store_n(&region->memory, to, __ATOMIC_RELAXED);
	return reserve(from, REGION_PAGES) == from;
}

/* New pages in the place of these, of which some cannot be accessed any more. */
bool region_renew(struct region *region, struct part part)
{
	char *memory = region->memory + part.first * PAGE;

	if (mmap(memory, part.npages * PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
		 -1, 0) != memory)
		return false;
	region_is_zero(region, part);
	return true;
}
