// SPDX-License-Identifier: GPL-2.0
/*
 * Where the pages of this process are, as the kernel tells everybody: from
 * /proc/self/pagemap, and from /proc/iomem which memory is a device's.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "example/example.h"
#include "lib.h"

#define PM_FRAME	((1ULL << 55) - 1)
#define SWAP_TYPE_BITS	5
#define MAX_REGIONS	64

struct region {
	__u64 first, last;	/* page frame numbers */
};

/* Read anew each time: devices add memory when they need some. */
static int private_regions(struct region *regions)
{
	unsigned long long start, end;
	char line[256], name[128];
	FILE *file;
	int nr = 0;

	file = fopen("/proc/iomem", "r");
	if (!file)
		return 0;
	while (nr < MAX_REGIONS && fgets(line, sizeof(line), file)) {
		if (sscanf(line, " %llx-%llx : %127[^\n]", &start, &end,
			   name) != 3)
			continue;
		if (strcmp(name, "hmm_dmirror") &&
		    strcmp(name, HMM_TEST_MEMORY) &&
		    strcmp(name, HMM_EXAMPLE_MEMORY))
			continue;
		regions[nr].first = start / PAGE;
		regions[nr++].last = end / PAGE;
	}
	fclose(file);
	return nr;
}

/* The two coherent devices of test_hmm lie one after the other. */
bool pfn_is_coherent(__u64 pfn)
{
	static __u64 first[2];
	static const __u64 size = (256 << 20) / PAGE;
	int i;

	for (i = 0; i < 2; i++) {
		if (!first[i])
			first[i] = file_number(i ?
				"/sys/module/test_hmm/parameters/spm_addr_dev1" :
				"/sys/module/test_hmm/parameters/spm_addr_dev0",
				NULL) / PAGE;
		if (first[i] && pfn >= first[i] && pfn < first[i] + size)
			return true;
	}
	return false;
}

static int pagemap_fd(void)
{
	static int fd = -1;
	static pid_t owner;

	/* A child must not look at its parent's. */
	if (owner != getpid()) {
		fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
		owner = getpid();
	}
	return fd;
}

static void read_pagemap(const void *addr, size_t npages, __u64 *entries)
{
	size_t size = npages * sizeof(*entries);

	if (pread(pagemap_fd(), entries, size,
		  (uintptr_t)addr / PAGE * sizeof(*entries)) != size) {
		perror("pagemap");
		exit(1);
	}
}

__u64 pagemap(const void *addr)
{
	__u64 entry = 0;

	read_pagemap(addr, 1, &entry);
	return entry;
}

/* The page frame number in an entry of pagemap, of device memory as well. */
__u64 pfn_in(__u64 entry)
{
	if (entry & PM_SWAP)
		return (entry & PM_FRAME) >> SWAP_TYPE_BITS;
	return entry & PM_FRAME;
}

__u64 pfn_of(const void *addr)
{
	return pfn_in(pagemap(addr));
}

static enum place place_by(__u64 entry, const struct region *regions,
			   int nr)
{
	int i;

	if (entry & PM_PRESENT)
		return pfn_is_coherent(pfn_in(entry)) ? COHERENT : SYSTEM;
	if (!(entry & PM_SWAP))
		return NOWHERE;
	for (i = 0; i < nr; i++)
		if (pfn_in(entry) >= regions[i].first &&
		    pfn_in(entry) <= regions[i].last)
			break;
	return i < nr ? PRIVATE : ELSEWHERE;
}

/* The entries of these pages in pagemap, and, unless NULL, where they are. */
void entries_of(const void *addr, size_t npages, __u64 *entries,
		enum place *places)
{
	struct region regions[MAX_REGIONS];
	int nr = places ? private_regions(regions) : 0;
	size_t page;

	read_pagemap(addr, npages, entries);
	for (page = 0; places && page < npages; page++)
		places[page] = place_by(entries[page], regions, nr);
}

size_t pages_at(const void *addr, size_t npages, enum place place)
{
	struct region regions[MAX_REGIONS];
	int nr = private_regions(regions);
	size_t page, count = 0;

	for (page = 0; page < npages; page++)
		if (place_by(pagemap((char *)addr + page * PAGE), regions,
			     nr) == place)
			count++;
	return count;
}

/* How many pages have a flag in pagemap. */
size_t pages_with(const void *addr, size_t npages, __u64 flag)
{
	size_t page, count = 0;

	for (page = 0; page < npages; page++)
		if (pagemap((const char *)addr + page * PAGE) & flag)
			count++;
	return count;
}

enum place place_of(const void *addr)
{
	struct region regions[MAX_REGIONS];
	int nr = private_regions(regions);

	return place_by(pagemap(addr), regions, nr);
}

/* How many of these pages are in memory of this node. */
size_t pages_on_node(const void *addr, size_t npages, int node)
{
	const void *pages[TABLE];
	int status[TABLE];
	size_t page, i, nr, count = 0;

	if (!nodes_exist())
		return pages_at(addr, npages, SYSTEM);
	for (page = 0; page < npages; page += nr) {
		nr = npages - page < TABLE ? npages - page : TABLE;
		for (i = 0; i < nr; i++)
			pages[i] = (char *)addr + (page + i) * PAGE;
		if (syscall(SYS_move_pages, 0, nr, pages, NULL, status, 0))
			return 0;
		for (i = 0; i < nr; i++)
			count += status[i] == node;
	}
	return count;
}

const char *place_name(enum place place)
{
	static const char * const names[NR_PLACES] = {
		"nowhere", "system", "private", "coherent", "elsewhere",
	};

	return names[place];
}
