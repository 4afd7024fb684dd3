// SPDX-License-Identifier: GPL-2.0
/*
 * Pages that are still allocated, by which function of a module under test has
 * asked for them: where the kernel remembers that (page_owner=on).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger.h"

#define STACKS	"/sys/kernel/debug/page_owner_stacks/show_stacks"

static const char * const modules[] = {
	" [hmm_migrate]", " [hmm_migrate_test]", " [hmm_migrate_example]",
	" [test_hmm]",
};

/*
 * What allocators, and what watches them, keep for the next who asks; and what
 * describes the memory of a device, as long as there is the device.
 */
static const char * const keepers[] = {
	" new_slab+", " allocate_slab+", " stack_depot_save_flags+",
	" __kasan_populate_vmalloc+", " __pte_alloc_kernel+", " pcpu_",
	" memremap_pages+",
};

struct asker {
	char name[64];
	long pages;
};

static struct asker askers[32];
static size_t nr_askers;

static bool is_of_a_module(const char *line)
{
	size_t i;

	for (i = 0; i < sizeof(modules) / sizeof(*modules); i++)
		if (strstr(line, modules[i]))
			return true;
	return false;
}

static bool is_a_keeper(const char *line)
{
	size_t i;

	for (i = 0; i < sizeof(keepers) / sizeof(*keepers); i++)
		if (!strncmp(line, keepers[i], strlen(keepers[i])))
			return true;
	return false;
}

static void add_pages(const char *name, long pages)
{
	size_t i;

	for (i = 0; i < nr_askers && strcmp(askers[i].name, name); i++)
		;
	if (i == sizeof(askers) / sizeof(*askers))
		give_up("too many functions that allocate");
	if (i == nr_askers)
		snprintf(askers[nr_askers++].name, sizeof(askers->name), "%s",
			 name);
	askers[i].pages += pages;
}

/*
 * A stack is a line for each function, the innermost first, " NAME+0x1/0x2
 * [MODULE]", then "nr_base_pages: NUMBER" and an empty line.
 */
void enter_page_owners(void)
{
	FILE *stacks = fopen(STACKS, "r");
	char line[512], name[64] = "";
	bool kept = false;
	size_t i;
	long pages;

	if (!stacks)
		return;
	nr_askers = 0;
	memset(askers, 0, sizeof(askers));
	while (fgets(line, sizeof(line), stacks)) {
		if (sscanf(line, "nr_base_pages: %ld", &pages) == 1) {
			if (name[0] && !kept)
				add_pages(name, pages);
			name[0] = '\0';
			kept = false;
		} else if (is_a_keeper(line)) {
			kept = true;
		} else if (!name[0] && is_of_a_module(line)) {
			snprintf(name, sizeof(name), "pages that %.*s has asked for",
				 (int)strcspn(line + 1, "+"), line + 1);
		}
	}
	fclose(stacks);
	for (i = 0; i < nr_askers; i++)
		enter(askers[i].name, askers[i].pages);
}
