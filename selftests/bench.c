// SPDX-License-Identifier: GPL-2.0
/*
 * The benchmark: mainline's engine and hmm_migrate move the same memory, in
 * turns, through the same driver. Each sample is a line of the output; what is
 * printed meanwhile says how far it is.
 *
 *   bench -o FILE [-c CASE,...] [-m MAX] [-p PAIRS] [-t SECONDS] [-i] [-g]
 *
 * Without a file for the samples nothing is measured: one pair of each case
 * shows that they all still work.
 *
 *   -o  the file that gets the samples
 *   -c  these cases alone
 *   -m  at most so many bytes (64K, 16M)
 *   -p  so many pairs of rounds (default: 40 to 10, by size)
 *   -t  leave out what would take longer than these seconds altogether
 *   -i  instructions are counted, not time: one size, one thread
 *   -g  tell where the time goes, too
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "measure/measure.h"

#define SMALLEST	(16 * KB)
#define LARGEST		(256 * MB)
#define MAX_PAIRS	100
#define FEWEST_PAIRS	10

/* No size of a case may take more than a part in so many of all the time. */
#define SHARES		8

/* What is known about stages holds for a size at which windows are full. */
#define STAGES_BYTES	(16 * MB)

/* Instructions repeat: one size tells them, and it takes long. */
#define COUNTED_BYTES	(8 * MB)

static struct {
	const char *output, *cases;
	size_t max;
	unsigned int pairs, seconds;
	bool instructions, stages;
} options = { .max = LARGEST };

static FILE *output;

static size_t counted_bytes(void)
{
	return options.max < COUNTED_BYTES ? options.max : COUNTED_BYTES;
}

static unsigned int pairs_for(size_t bytes)
{
	if (options.pairs)
		return options.pairs;
	if (options.instructions || bytes > 4 * MB)
		return FEWEST_PAIRS;
	return bytes > 256 * KB ? 20 : 40;
}

static int compare(const void *a, const void *b)
{
	const __s64 *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Of what is not copying, for each page. */
static double overhead(const struct bench_result *results, unsigned int nr)
{
	__s64 values[MAX_PAIRS];
	unsigned int i;

	for (i = 0; i < nr; i++)
		values[i] = results[i].total_ns - results[i].copy_ns;
	qsort(values, nr, sizeof(*values), compare);
	return (values[(nr - 1) / 2] + values[nr / 2]) / 2.0 / results->moved;
}

static const char *size_name(size_t bytes)
{
	static char name[32];

	if (bytes >= MB)
		snprintf(name, sizeof(name), "%zu MiB", bytes / MB);
	else
		snprintf(name, sizeof(name), "%zu KiB", bytes / KB);
	return name;
}

/* Nothing is written while anything is measured. */
static void write_out(void)
{
	fflush(output);
	tcdrain(fileno(output));
	fflush(stdout);
	tcdrain(STDOUT_FILENO);
}

struct records {
	struct bench_result results[NR_DIRECTIONS][BENCH_NR_ENGINES][MAX_PAIRS];
	long flushes[NR_DIRECTIONS][BENCH_NR_ENGINES];
};

static void write_samples(const struct trip *trip,
			  const struct records *records,
			  enum direction direction, unsigned int pairs)
{
	const char *name = trip->bench->name;
	const char *to = direction_name(trip->bench, direction);
	size_t bytes = trip->npages * PAGE;
	enum bench_engine engine;
	unsigned int pair;

	for (pair = 0; pair < pairs; pair++) {
		for (engine = 0; engine < BENCH_NR_ENGINES; engine++) {
			const struct bench_result *result =
				&records->results[direction][engine][pair];

			fprintf(output, "sample %s %s %zu %zu %s %llu %llu\n",
				name, to, bytes, trip->npages,
				engine_name(engine),
				(unsigned long long)result->total_ns,
				(unsigned long long)result->copy_ns);
		}
	}
	for (engine = 0; engine < BENCH_NR_ENGINES; engine++)
		fprintf(output, "flushes %s %s %zu %s %ld %zu\n", name, to,
			bytes, engine_name(engine),
			records->flushes[direction][engine],
			trip->npages * pairs);
}

static void print_result(const struct trip *trip, const struct records *records,
			 enum direction direction, unsigned int pairs)
{
	double mainline, ours;

	mainline = overhead(records->results[direction][BENCH_MAINLINE],
			    pairs);
	ours = overhead(records->results[direction][BENCH_HMM_MIGRATE], pairs);
	printf("    %-16s %-9s %8s %3u pairs  mainline %9.0f  hmm_migrate %9.0f  ratio %6.2f\n",
	       trip->bench->name, direction_name(trip->bench, direction),
	       size_name(trip->npages * PAGE), pairs, mainline, ours,
	       ours > 0 ? mainline / ours : 0);
}

/* One pair of rounds; who is first changes from pair to pair. */
static void run_pair(struct trip *trip, struct records *records, int pair)
{
	enum direction direction;
	unsigned int turn;

	for (turn = 0; turn < BENCH_NR_ENGINES; turn++) {
		enum bench_engine engine = (pair + turn) % BENCH_NR_ENGINES;

		trip_round(trip, engine);
		for (direction = AWAY; direction < NR_DIRECTIONS; direction++) {
			struct sample *sample = &trip->samples[direction];

			records->results[direction][engine][pair] =
				sample->result;
			records->flushes[direction][engine] += sample->flushes;
		}
	}
}

/* Runs in a process of its own, whose memory only one processor has used. */
static void measure(const struct bench_case *bench, size_t bytes,
		    unsigned int pairs)
{
	size_t stages_bytes = options.instructions ? counted_bytes() :
						     STAGES_BYTES;
	static struct records records, warm_up;
	unsigned int pair;
	enum direction direction;
	struct trip trip;
	__u64 said;

	trip_begin(&trip, bench, bytes);
	run_pair(&trip, &warm_up, 0);
	said = now_ns();
	for (pair = 0; pair < pairs; pair++) {
		if (now_ns() - said > 15000000000ULL) {
			printf("    %-16s %8s: pair %u of %u\n", bench->name,
			       size_name(bytes), pair + 1, pairs);
			write_out();
			said = now_ns();
		}
		run_pair(&trip, &records, pair);
	}
	for (direction = AWAY; direction < NR_DIRECTIONS; direction++) {
		if (!case_has(bench, direction))
			continue;
		write_samples(&trip, &records, direction, pairs);
		print_result(&trip, &records, direction, pairs);
	}
	if (options.stages && bench->stages && bytes == stages_bytes)
		stages_tell(&trip, output);
	trip_end(&trip);
	write_out();
}

static bool in_process(const struct bench_case *bench, size_t bytes,
		       unsigned int pairs)
{
	int status;
	pid_t child;

	write_out();
	child = fork();
	if (child < 0)
		fail("no process");
	if (!child) {
		if (on_cpu(0))
			fail("no processor 0");
		measure(bench, bytes, pairs);
		_exit(0);
	}
	return waitpid(child, &status, 0) == child && WIFEXITED(status) &&
	       !WEXITSTATUS(status);
}

static bool is_chosen(const struct bench_case *bench)
{
	const char *at = options.cases;
	size_t length = strlen(bench->name);

	if (bench->order && !huge_pages_exist())
		return false;
	if (bench->kind == NODES && !nodes_exist())
		return false;
	if (!at) {
		if (!options.instructions)
			return !bench->instructions;
		/* They are all of one processor, in turns. */
		return !bench->bystanders && !bench->threads && !bench->part &&
		       strcmp(bench->name, "4k-exclusive-1t");
	}
	for (; at; at = strchr(at, ','), at += !!at)
		if (!strncmp(at, bench->name, length) &&
		    strchr(",", at[length]))
			return true;
	return false;
}

/* Sizes are four times apart; a case has its smallest and largest as well. */
static bool has_size(const struct bench_case *bench, size_t size)
{
	size_t step = SMALLEST;

	if (size < bench->min || size > bench->max || size > options.max)
		return false;
	if (options.instructions)
		return size == counted_bytes();
	while (step < size)
		step *= 4;
	return step == size || size == bench->min || size == bench->max;
}

/* What one case has taken for each byte that it moved, at its last size. */
static double *byte_ns;

/* For how many pairs there is time; 0: not for enough. */
static unsigned int pairs_in_time(size_t number, size_t bytes, __u64 begin)
{
	unsigned int pairs = pairs_for(bytes);
	double whole = options.seconds * 1e9;
	double left = whole - (now_ns() - begin), pair_ns;

	if (!options.seconds)
		return pairs;
	if (left > whole / SHARES)
		left = whole / SHARES;
	pair_ns = byte_ns[number] * bytes;
	if (pair_ns * (pairs + 1) > left && pairs > FEWEST_PAIRS)
		pairs = FEWEST_PAIRS;
	return pair_ns * (pairs + 1) > left ? 0 : pairs;
}

/* By size, so that it is the largest that are left out on a slow machine. */
static bool run_all(void)
{
	__u64 begin = now_ns(), start;
	bool good = true;
	size_t size, i;

	for (size = SMALLEST; size <= LARGEST; size *= 2) {
		for (i = 0; i < nr_bench_cases; i++) {
			const struct bench_case *bench = &bench_cases[i];
			size_t bytes = case_bytes(bench, size);
			unsigned int pairs;

			if (!is_chosen(bench) || !has_size(bench, size))
				continue;
			pairs = pairs_in_time(i, bytes, begin);
			if (!pairs) {
				printf("    %-16s %8s: left out, there is no time for it\n",
				       bench->name, size_name(bytes));
				fprintf(output, "leftout %s %zu\n", bench->name,
					bytes);
				continue;
			}
			start = now_ns();
			good = in_process(bench, bytes, pairs) && good;
			/* One more pair goes first, to warm up. */
			byte_ns[i] = (double)(now_ns() - start) / bytes /
				     (pairs + 1);
		}
	}
	return good;
}

static void machine_line(const char *name, const char *path, const char *key)
{
	char line[256], *value;
	FILE *file = fopen(path, "r");

	while (file && fgets(line, sizeof(line), file)) {
		if (key && strncmp(line, key, strlen(key)))
			continue;
		value = key ? strchr(line, ':') + 1 : line;
		value += strspn(value, " \t");
		fprintf(output, "machine %s %s", name, value);
		break;
	}
	if (file)
		fclose(file);
}

/* The kernel takes the best clock only after some seconds. */
static void wait_for_clock(void)
{
	static const char path[] =
		"/sys/devices/system/clocksource/clocksource0/current_clocksource";
	char name[32] = "";
	unsigned int tries;
	FILE *file;

	for (tries = 0; tries < 100 && strcmp(name, "tsc\n"); tries++) {
		if (tries)
			sleep_ms(100);
		file = fopen(path, "r");
		if (!file || !fgets(name, sizeof(name), file))
			name[0] = 0;
		if (file)
			fclose(file);
	}
	if (strcmp(name, "tsc\n"))
		printf("    the clock is slow (%.*s): short cases seem longer than they are\n",
		       (int)strcspn(name, "\n"), name);
	machine_line("clock", path, NULL);
}

/* At small sizes, with a driver that takes little memory. */
static bool try_all(void)
{
	bool good;

	if (module_load("hmm_migrate_bench", "megabytes=4"))
		fail("there is no driver for the benchmark");
	options.pairs = 1;
	options.max = 64 * KB;
	good = run_all();
	return !module_unload("hmm_migrate_bench") && good;
}

static void describe_machine(void)
{
	struct utsname name;

	if (!uname(&name))
		fprintf(output, "machine kernel %s %s\n", name.release,
			name.version);
	machine_line("cpu", "/proc/cpuinfo", "model name");
	fprintf(output, "machine cpus %ld\n", sysconf(_SC_NPROCESSORS_ONLN));
	machine_line("memory", "/proc/meminfo", "MemTotal");
	wait_for_clock();
	fprintf(output, "machine unit %s\n",
		options.instructions ? "instructions" : "ns");
}

static size_t bytes_of(const char *text)
{
	char *end;
	size_t bytes = strtoul(text, &end, 10);

	if (*end == 'K')
		bytes *= KB;
	else if (*end == 'M')
		bytes *= MB;
	return bytes;
}

static void parse(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "o:c:m:p:t:ig")) != -1) {
		switch (option) {
		case 'o':
			options.output = optarg;
			break;
		case 'c':
			options.cases = optarg;
			break;
		case 'm':
			options.max = bytes_of(optarg);
			break;
		case 'p':
			options.pairs = atoi(optarg);
			break;
		case 't':
			options.seconds = atoi(optarg);
			break;
		case 'i':
			options.instructions = true;
			break;
		case 'g':
			options.stages = true;
			break;
		default:
			exit(2);
		}
	}
	if (options.pairs > MAX_PAIRS) {
		printf("at most %u pairs\n", MAX_PAIRS);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	bool good;

	parse(argc, argv);
	output = fopen(options.output ? : "/dev/null", "w");
	byte_ns = calloc(nr_bench_cases, sizeof(*byte_ns));
	if (!output || !byte_ns) {
		perror(options.output);
		return 1;
	}
	setvbuf(stdout, NULL, _IOFBF, 0);
	if (!options.output)
		return !try_all();
	describe_machine();
	printf("    overhead (all but allocating and copying) in %s a page:\n",
	       options.instructions ? "instructions" : "ns");
	good = run_all();
	fprintf(output, "end %s\n", good ? "good" : "failed");
	write_out();
	return !good;
}
