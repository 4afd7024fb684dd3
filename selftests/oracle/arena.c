// SPDX-License-Identifier: GPL-2.0
/* Where the oracle's pages are: at the same addresses in every run. */
#include "oracle/oracle.h"

/* One terabyte up, far from all else; 2 MiB further a page table ends. */
#define TABLE_END	(0x10000000000UL + TABLE * PAGE)
#define SMALL_START	(TABLE_END - SMALL / 2 * PAGE)
#define LARGE_START	(TABLE_END + 32 * TABLE * PAGE)

void *page_address(size_t page)
{
	if (page < SMALL)
		return (void *)(SMALL_START + page * PAGE);
	return (void *)(LARGE_START + (page - SMALL) * PAGE);
}

/* No operation reaches from one part of the arena into the other. */
size_t zone_start(size_t page)
{
	return page < SMALL ? 0 : SMALL;
}

size_t pages_used(const struct sequence *sequence)
{
	return sequence->huge ? ARENA : SMALL;
}
