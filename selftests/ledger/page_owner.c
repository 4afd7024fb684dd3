// SPDX-License-Identifier: GPL-2.0
/*
 * Pages that are still allocated, by which function of a module under test has
 * asked for them, and those of page faults less what processes have: where the
 * kernel remembers that (page_owner=on). A page that a migration leaves behind
 * was most often allocated in a page fault.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest.h"
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

/* What page faults allocate that is no anonymous memory. */
static const char * const not_anonymous[] = {
	" shmem_", " filemap_", " page_cache_", " __filemap_", " __pte_alloc",
	" pte_alloc", " __pmd_alloc", " __pud_alloc", " __p4d_alloc",
	" __do_fault",
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

static bool begins(const char *line, const char * const *names, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (!strncmp(line, names[i], strlen(names[i])))
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

/* What one stack is about. */
struct stack {
	char module[64];	/* the function of a module, or empty */
	bool kept;
	bool of_a_fault;
	bool anonymous;
};

static const struct stack new_stack = { .anonymous = true };

static void add_line(struct stack *stack, const char *line)
{
	if (begins(line, keepers, ARRAY_SIZE(keepers)))
		stack->kept = true;
	else if (begins(line, not_anonymous, ARRAY_SIZE(not_anonymous)))
		stack->anonymous = false;
	else if (!strncmp(line, " handle_mm_fault+", 17))
		stack->of_a_fault = true;
	else if (!stack->module[0] && is_of_a_module(line))
		snprintf(stack->module, sizeof(stack->module),
			 "pages that %.*s has asked for",
			 (int)strcspn(line + 1, "+"), line + 1);
}

/*
 * A stack is a line for each function, the innermost first, " NAME+0x1/0x2
 * [MODULE]", then "nr_base_pages: NUMBER" and an empty line.
 */
void enter_page_owners(const struct owned *owned)
{
	FILE *stacks = fopen(STACKS, "r");
	struct stack stack = new_stack;
	long pages, of_faults = 0;
	char line[512];
	size_t i;

	if (!stacks)
		return;
	nr_askers = 0;
	memset(askers, 0, sizeof(askers));
	while (fgets(line, sizeof(line), stacks)) {
		if (sscanf(line, "nr_base_pages: %ld", &pages) != 1) {
			add_line(&stack, line);
			continue;
		}
		if (stack.module[0] && !stack.kept)
			add_pages(stack.module, pages);
		else if (stack.of_a_fault && stack.anonymous && !stack.kept)
			of_faults += pages;
		stack = new_stack;
	}
	fclose(stacks);
	for (i = 0; i < nr_askers; i++)
		enter(askers[i].name, askers[i].pages);
	enter("pages of page faults that no process has",
	      of_faults - owned->anon);
}
