// SPDX-License-Identifier: GPL-2.0
/*
 * Memory with known contents. Each word depends on its buffer's seed, its page
 * and its place in the page, so that a page that is lost, doubled, mixed up
 * with another or torn is seen.
 */
#include <sys/mman.h>

#include "lib.h"

#define WORDS	(PAGE / sizeof(__u64))

static __u64 mix(__u64 x)
{
	x ^= x >> 31;
	x *= 0x9e3779b97f4a7c15ULL;
	x ^= x >> 29;
	return x;
}

static __u64 first_word(size_t page, unsigned int seed)
{
	return mix(((__u64)seed << 40) + page + 1);
}

/* Begins at a page table's first page, so that windows can be counted. */
void *pages_map(size_t npages)
{
	size_t size = npages * PAGE, slack = TABLE * PAGE;
	char *addr, *aligned;

	addr = mmap(NULL, size + slack, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (addr == MAP_FAILED)
		return NULL;
	aligned = (char *)(((uintptr_t)addr + slack - 1) & ~(slack - 1));
	if (aligned > addr)
		munmap(addr, aligned - addr);
	munmap(aligned + size, addr + slack - aligned);
	return aligned;
}

void pages_unmap(void *addr, size_t npages)
{
	munmap(addr, npages * PAGE);
}

void fill_page(void *addr, size_t page, unsigned int seed)
{
	__u64 *words = (__u64 *)((char *)addr + page * PAGE);
	__u64 word = first_word(page, seed);
	size_t i;

	for (i = 0; i < WORDS; i++)
		words[i] = word + i * 0x10001;
}

bool page_is(const void *addr, size_t page, unsigned int seed)
{
	const __u64 *words = (__u64 *)((char *)addr + page * PAGE);
	__u64 word = first_word(page, seed), difference = 0;
	size_t i;

	/* Without a branch, which makes it several words at a time. */
	for (i = 0; i < WORDS; i++)
		difference |= words[i] ^ (word + i * 0x10001);
	return !difference;
}

bool page_is_zero(const void *addr, size_t page)
{
	const __u64 *words = (__u64 *)((char *)addr + page * PAGE);
	size_t i;

	for (i = 0; i < WORDS; i++)
		if (words[i])
			return false;
	return true;
}

void fill(void *addr, size_t npages, unsigned int seed)
{
	size_t page;

	for (page = 0; page < npages; page++)
		fill_page(addr, page, seed);
}

/* The first page that is not as it was filled, or -1. */
long wrong(const void *addr, size_t npages, unsigned int seed)
{
	size_t page;

	for (page = 0; page < npages; page++)
		if (!page_is(addr, page, seed))
			return page;
	return -1;
}
