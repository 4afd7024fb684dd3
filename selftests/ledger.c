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

#define TWICE		2
#define MOST	192

struct book {
	size_t nr;
	struct {
		char name[72];
		long value;
	} entries[MOST];
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

	if (book->nr == MOST)
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
	enter_page_owners(&owned);
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

/* What became of each entry of the book that is compared. */
static struct {
	long now;
	unsigned int same;	/* readings in a row that were as before */
} found[MOST];

/* A counter that has come is in the book from now on: it was zero. */
static void add_new(struct book *before, const struct book *now)
{
	size_t i, j;

	for (i = 0; i < now->nr; i++) {
		for (j = 0; j < before->nr; j++)
			if (!strcmp(before->entries[j].name,
				    now->entries[i].name))
				break;
		open_book = before;
		if (j == before->nr)
			enter(now->entries[i].name, 0);
	}
}

/*
 * Takes the counters until each of them, by itself, was twice running what
 * @before says: programs that stay are at work in between. The book says so
 * then, whatever a counter is in the end.
 *
 * The first time this process itself comes to use more memory.
 */
static void compare(struct book *before)
{
	__u64 end = now_ns() + PATIENCE_MS * 1000000ULL * patience();
	static struct book now;
	unsigned int tries, left = 1;
	size_t i;

	for (tries = 0; left && (tries < 3 || now_ns() < end); tries++) {
		if (tries > 2)
			sleep_ms(tries < 10 ? 50 : 500);
		take(&now, tries > 2);
		add_new(before, &now);
		left = 0;
		for (i = 0; i < before->nr; i++) {
			if (found[i].same == TWICE)
				continue;
			found[i].now = value_of(&now, before->entries[i].name);
			if (found[i].now == before->entries[i].value)
				found[i].same++;
			else
				found[i].same = 0;
			left += found[i].same < TWICE;
		}
	}
}

/* How many are not as they were; the book has what they are now. */
static unsigned int tell(struct book *before)
{
	unsigned int differ = 0;
	size_t i;

	for (i = 0; i < before->nr; i++) {
		if (found[i].same)
			continue;
		printf("%s: %ld before, %ld after\n", before->entries[i].name,
		       before->entries[i].value, found[i].now);
		before->entries[i].value = found[i].now;
		differ++;
	}
	return differ;
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
	bool check = argc == 3 && !strcmp(argv[1], "-c");
	unsigned int differ = 0;
	static struct book book;

	if (argc != 2 && !check) {
		fprintf(stderr, "usage: ledger [-c] FILE\n");
		return 2;
	}
	if (check) {
		load(&book, argv[2]);
		compare(&book);
		differ = tell(&book);
	} else {
		wait_until_still(&book);
	}
	save(&book, argv[argc - 1]);
	return differ ? 1 : 0;
}
