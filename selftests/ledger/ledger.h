/* SPDX-License-Identifier: GPL-2.0 */
/* The parts of the ledger. */
#ifndef SELFTESTS_LEDGER_H
#define SELFTESTS_LEDGER_H

#include <stdbool.h>
#include <stddef.h>

#define MAX_NODES	8

/* ledger.c: the book that is being written */
void enter(const char *name, long value);
void give_up(const char *why);

/* settle.c: what the kernel has put off */
void settle(bool thoroughly);
void add_up(void);
long below_zero(void);

/* text.c: files of the kernel */
bool read_text(const char *path, char *text, size_t size);
const char *next_line(const char *line);
long number_of(const char *text, const char *name);
void read_zones(void (*settle)(void));
bool is_node(unsigned int node);
long node_count(unsigned int node, const char *name);
long count(const char *name);

/* owned.c: memory that has an owner, as its owners see it */
struct owned {
	long processes;		/* that have memory */
	long anon;		/* pages, each once */
	long file;
	long tables_kb;
	long tmpfs;		/* pages */
};

void count_owned(struct owned *owned);

/* counters.c: numbers of things that only live while a program runs */
void enter_counters(void);

/* page_owner.c: pages that are allocated, by who has asked for them */
void enter_page_owners(const struct owned *owned);

/* balances.c: what the kernel counts, less what is known to have an owner */
void enter_balances(const struct owned *owned);

#endif
