// SPDX-License-Identifier: GPL-2.0
/*
 * The differential oracle. A random sequence of operations is run three times
 * in the same boot: without migration, with mainline's engine, and with
 * hmm_migrate. Memory must be the same afterwards, for the device is nothing
 * that a process could notice. Sequences with what mainline does not survive
 * are run two times.
 *
 *   oracle [-t private|coherent] [-n COUNT] [-s SEED] [--ours] [--fixed] [-v]
 *
 * --fixed: the kernel has patches/fixes/, and is not excused for what they
 * repair.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kselftest.h"
#include "oracle/oracle.h"

#define THREE_WAYS	24	/* sequences for each device, if not told */
#define TWO_WAYS	16
#define REPORTS		3	/* failed sequences that are told in full */

static struct {
	const char *only;
	unsigned int count, seed;
	bool ours, fixed, verbose;
} options = { .seed = 1 };

static struct run *runs;

/* Runs a sequence with every engine that it is made for. */
static bool is_alike(const struct sequence *sequence,
		     struct difference *difference, struct tally *tally)
{
	enum engine engine;

	for (engine = 0; engine < NR_ENGINES; engine++)
		if (engine != MAINLINE || !sequence->wide)
			run_sequence(sequence, engine, &runs[engine]);
	return judge(sequence, runs, options.fixed, difference, tally);
}

/* Without the operations that the difference does not need. */
static void make_shorter(struct sequence *sequence,
			 struct difference *difference)
{
	struct difference other;
	struct tally tally = {};
	struct sequence less;
	int number;

	sequence->nr = difference->step + 1;
	for (number = difference->step; number >= 0; number--) {
		less = *sequence;
		less.nr--;
		memmove(&less.ops[number], &less.ops[number + 1],
			(less.nr - number) * sizeof(*less.ops));
		if (is_alike(&less, &other, &tally))
			continue;
		less.nr = other.step + 1;
		*sequence = less;
		if (number > less.nr)
			number = less.nr;
	}
	/* The runs, of which the report tells, are those of the shortest. */
	is_alike(sequence, difference, &tally);
}

static bool try_sequence(unsigned int seed, int unit, bool wide,
			 struct tally *tally, bool tell)
{
	struct sequence sequence;
	struct difference difference;

	make_sequence(&sequence, seed, unit, wide);
	if (options.verbose)
		report_sequence(&sequence, sequence.nr);
	if (is_alike(&sequence, &difference, tally))
		return true;
	if (tell) {
		report(&sequence, runs, &difference);
		make_shorter(&sequence, &difference);
		printf("# the same, shorter:\n");
		report(&sequence, runs, &difference);
	}
	return false;
}

/* Sequences, three ways, that have once shown something. */
static const struct {
	unsigned int seed;
	int unit;
} known[] = {
	/* A split leaves zero pages, and mainline forgets how they are marked. */
	{ 20019, MIRROR_PRIVATE },
	/* A driver's own split leaves a page that looks larger than it is. */
	{ 20189, MIRROR_PRIVATE },
	/* A hole is filled before a fork: the page is not exclusive. */
	{ 40061, MIRROR_COHERENT },
	/* A device forgets what another process's eviction has moved. */
	{ 40165, MIRROR_COHERENT },
};

static unsigned int try_known(int unit, struct tally *tally)
{
	unsigned int i, failed = 0;

	for (i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (known[i].unit == unit)
			failed += !try_sequence(known[i].seed, unit, false,
						tally, true);
	return failed;
}

static void try_sequences(const char *name, int unit, bool wide,
			  unsigned int count)
{
	unsigned int seed, last = options.seed + count - 1, failed = 0;
	struct tally tally = {};

	for (seed = options.seed; seed <= last; seed++)
		if (!try_sequence(seed, unit, wide, &tally, failed < REPORTS)) {
			printf("# again with: oracle -t %s -s %u%s\n", name,
			       seed, wide ? " --ours" : "");
			failed++;
		}
	if (!options.count && !wide)
		failed += try_known(unit, &tally);
	report_tally(&tally);
	/* Not so where somebody has chosen the sequences. */
	if (!options.count && !wide && unit != MIRROR_COHERENT &&
	    !tally.whole && huge_pages_exist()) {
		printf("# no large folio has stayed whole\n");
		failed++;
	}
	ksft_test_result(!failed && tally.moved,
			 "%s memory, %s: %u sequences, seed %u..%u\n", name,
			 wide ? "two ways" : "three ways", count, options.seed,
			 last);
}

static bool is_wanted(const char *name)
{
	return !options.only || !strcmp(options.only, name);
}

static void try_device(const char *name, int unit)
{
	if (!is_wanted(name))
		return;
	if (!options.ours)
		try_sequences(name, unit, false,
			      options.count ? options.count : THREE_WAYS);
	try_sequences(name, unit, true,
		      options.count ? options.count : TWO_WAYS);
}

static void parse(int argc, char **argv)
{
	static const struct option names[] = {
		{ "ours", no_argument, NULL, 'O' },
		{ "fixed", no_argument, NULL, 'f' },
		{ }
	};
	int option;

	while ((option = getopt_long(argc, argv, "n:s:t:v", names, NULL)) > 0) {
		switch (option) {
		case 'n':
			options.count = strtoul(optarg, NULL, 0);
			break;
		case 's':
			options.seed = strtoul(optarg, NULL, 0);
			if (!options.count)
				options.count = 1;
			break;
		case 't':
			options.only = optarg;
			break;
		case 'v':
			options.verbose = true;
			break;
		case 'O':
			options.ours = true;
			break;
		case 'f':
			options.fixed = true;
			break;
		default:
			exit(KSFT_FAIL);
		}
	}
}

int main(int argc, char **argv)
{
	parse(argc, argv);
	ksft_print_header();
	runs = mmap(NULL, NR_ENGINES * sizeof(*runs), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (runs == MAP_FAILED)
		ksft_exit_fail_msg("no memory\n");
	if (!quiet_begin())
		printf("# there is no swap\n");
	look_init();
	ksft_set_plan((is_wanted("private") + is_wanted("coherent")) *
		      (options.ours ? 1 : 2));
	try_device("private", MIRROR_PRIVATE);
	try_device("coherent", MIRROR_COHERENT);
	quiet_end();
	ksft_finished();
}
