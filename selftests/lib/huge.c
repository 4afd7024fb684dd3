// SPDX-License-Identifier: GPL-2.0
/* Large folios: making them, and seeing whether they are still whole. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib.h"

#define HUGE_PAGES	"/sys/kernel/mm/transparent_hugepage"
#define KHUGEPAGED	HUGE_PAGES "/khugepaged/"
#define SCAN_SLEEP	"scan_sleep_millisecs"
#define SIZES		HUGE_PAGES "/hugepages-%lukB/enabled"

#define KPF_COMPOUND_HEAD	_BITULL(15)
#define KPF_COMPOUND_TAIL	_BITULL(16)

/* Whether this kernel has them, and smaller large folios of a process. */
bool huge_pages_exist(void)
{
	return access(HUGE_PAGES, F_OK) == 0;
}

/* Large folios are welcome there, if the kernel has any. */
bool huge_pages_ask(void *addr, size_t npages)
{
	return !huge_pages_exist() ||
	       madvise(addr, npages * PAGE, MADV_HUGEPAGE) == 0;
}

/* What one entry above a page table maps, of the memory mapped at @memory. */
long huge_pages_kb(const char *memory)
{
	return smaps_kb(memory, "AnonHugePages");
}

/* So many tables of memory, each one huge page that is filled; or NULL. */
char *huge_pages_map(size_t tables, unsigned int seed)
{
	char *memory = pages_map(tables * TABLE);

	if (!memory || madvise(memory, tables * TABLE * PAGE, MADV_HUGEPAGE))
		return NULL;
	fill(memory, tables * TABLE, seed);
	return huge_pages_kb(memory) == (long)(tables * 2048) ? memory : NULL;
}

static void folio_size(unsigned int order, const char *when)
{
	char path[128];

	snprintf(path, sizeof(path), SIZES, (PAGE << order) / 1024);
	file_write(path, when);
}

/* From now on page faults in memory that wants it bring folios of this order. */
void folio_order_set(unsigned int order)
{
	unsigned int other;

	for (other = 2; other <= 9; other++)
		folio_size(other, other == order ? "madvise" : "never");
}

/* The same where a huge page does not fit; where one does it is a huge page. */
void folio_order_add(unsigned int order)
{
	folio_size(order, "madvise");
}

void folio_order_reset(void)
{
	unsigned int order;

	for (order = 2; order < 9; order++)
		folio_size(order, "never");
	folio_size(9, "inherit");
}

/* What khugepaged counts, as full_scans, or is told to do. */
long khugepaged_count(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), KHUGEPAGED "%s", name);
	return file_number(path, NULL);
}

static long khugepaged_sleeps;	/* milliseconds, unless it was woken */

/*
 * The kernel's thread that makes huge pages of small ones sleeps while tests
 * run (scripts/init). From now on it does nothing else.
 */
int khugepaged_wake(void)
{
	khugepaged_sleeps = khugepaged_count(SCAN_SLEEP);
	return file_write(KHUGEPAGED SCAN_SLEEP, "0");
}

/* It sleeps again, as it did. */
void khugepaged_rest(void)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", khugepaged_sleeps);
	file_write(KHUGEPAGED SCAN_SLEEP, text);
}

/* How many folios of this order the range consists of, in order. */
size_t folios_of_order(const char *addr, size_t npages, unsigned int order)
{
	size_t count = 0, page, i, nr = 1UL << order;

	for (page = 0; page + nr <= npages; page += nr) {
		if (!(page_flags(pfn_of(addr + page * PAGE)) & KPF_COMPOUND_HEAD))
			continue;
		for (i = 1; i < nr; i++)
			if (!(page_flags(pfn_of(addr +
							 (page + i) * PAGE)) &
			      KPF_COMPOUND_TAIL) ||
			    pfn_of(addr + (page + i) * PAGE) !=
			    pfn_of(addr + page * PAGE) + i)
				break;
		count += i == nr;
	}
	return count;
}
