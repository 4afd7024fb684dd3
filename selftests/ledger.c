// SPDX-License-Identifier: GPL-2.0
/*
 * What a program leaves behind: the kernel's counters before it ran and after.
 *
 *   ledger FILE      writes the counters down
 *   ledger -c FILE   tells which are not as they were written down, and writes
 *                    down what they are now, so that it is told once. The exit
 *                    status is 1 when there are any.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/ledger.h"
#include "lib.h"

/* How long what a program has set going may take after its end. */
#define PATIENCE_MS	20000

/*
 * What is under way when there is nothing yet to compare with, memory that
 * grace periods or work of the kernel put off will free, has ended when the
 * counters were the same so many times, half a second apart.
 */
#define STILL		5
#define STILL_TRIES	60

struct book {
	size_t nr;
	struct {
		char name[72];
		long value;
	} entries[192];
};

static struct book *open_book;

void give_up(const char *why)
{
	perror(why);
	exit(2);
}

void enter(const char *name, long value)
{
	struct book *book = open_book;

	if (book->nr == sizeof(book->entries) / sizeof(*book->entries))
		give_up("too many counters");
	snprintf(book->entries[book->nr].name, sizeof(book->entries->name),
		 "%s", name);
	book->entries[book->nr++].value = value;
}

static void take(struct book *book, bool thoroughly)
{
	struct owned owned;

	book->nr = 0;
	open_book = book;
	settle(thoroughly);
	count_owned(&owned);
	read_zones(add_up);
	enter_counters();
	enter_balances(&owned);
	enter_page_owners();
}

/* What is not there is zero: a file of the kernel may come and go. */
static long value_of(const struct book *book, const char *name)
{
	size_t i;

	for (i = 0; i < book->nr; i++)
		if (!strcmp(book->entries[i].name, name))
			return book->entries[i].value;
	return 0;
}

/*
 * Takes the counters until each of them, by itself, was once what @before says:
 * programs that stay are at work in between. The book says so then, whatever a
 * counter is in the end. 0: they all were.
 *
 * The first time this process itself comes to use more memory.
 */
static unsigned int compare(const struct book *before, struct book *now)
{
	__u64 end = now_ns() + PATIENCE_MS * 1000000ULL * patience();
	static bool seen[sizeof(now->entries) / sizeof(*now->entries)];
	unsigned int tries, differ;
	size_t i;
	long was;

	for (tries = 0; tries < 3 || now_ns() < end; tries++) {
		take(now, tries > 2);
		differ = 0;
		for (i = 0; i < now->nr; i++) {
			was = value_of(before, now->entries[i].name);
			seen[i] |= now->entries[i].value == was;
			if (seen[i])
				now->entries[i].value = was;
			else
				differ++;
		}
		if (!differ)
			break;
		if (tries > 1)
			sleep_ms(tries < 10 ? 50 : 500);
	}
	return differ;
}

static void tell(const struct book *before, const struct book *now)
{
	size_t i;
	long was;

	for (i = 0; i < now->nr; i++) {
		was = value_of(before, now->entries[i].name);
		if (was != now->entries[i].value)
			printf("%s: %ld before, %ld after\n",
			       now->entries[i].name, was,
			       now->entries[i].value);
	}
}

static void wait_until_still(struct book *now)
{
	static struct book before;
	unsigned int tries, same = 0;

	take(now, true);
	for (tries = 0; same < STILL && tries < STILL_TRIES; tries++) {
		before = *now;
		sleep_ms(500);
		take(now, true);
		same = memcmp(&before, now, sizeof(before)) ? 0 : same + 1;
	}
}

static void save(const struct book *book, const char *path)
{
	FILE *file = fopen(path, "w");
	size_t i;

	if (!file)
		give_up(path);
	for (i = 0; i < book->nr; i++)
		fprintf(file, "%ld %s\n", book->entries[i].value,
			book->entries[i].name);
	if (fclose(file))
		give_up(path);
}

static void load(struct book *book, const char *path)
{
	FILE *file = fopen(path, "r");
	char name[72];
	long value;

	if (!file)
		give_up(path);
	open_book = book;
	while (fscanf(file, "%ld %71[^\n]", &value, name) == 2)
		enter(name, value);
	fclose(file);
}

int main(int argc, char **argv)
{
	static struct book before, now;
	bool check = argc == 3 && !strcmp(argv[1], "-c");
	unsigned int differ = 0;

	if (argc != 2 && !check) {
		fprintf(stderr, "usage: ledger [-c] FILE\n");
		return 2;
	}
	if (check) {
		load(&before, argv[2]);
		differ = compare(&before, &now);
		tell(&before, &now);
	} else {
		wait_until_still(&now);
	}
	save(&now, argv[argc - 1]);
	return differ ? 1 : 0;
}
