// SPDX-License-Identifier: GPL-2.0
/*
 * The storm: for so many seconds processes use their memory in every way,
 * and check it, while it is moved to four places and back, a driver empties
 * its device, and the kernel is kept busy. Processes end, and are killed, and
 * others come.
 *
 *   stress [-d SECONDS] [-p PROCESSES] [-s SEED]
 *	    [-m MOVERS] [-u USES] [-k SHAKES] [-e EVICT]
 *
 * The last four narrow down what a failure needs. Each is a number, whose bits
 * say what may happen, in the order of enum mover_kind, of uses[] in
 * stress/use.c and of shakes[] in stress/shaker.c; EVICT is 0 or 1.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kselftest.h"
#include "stress/stress.h"

#define MOST_PROCESSES	64
#define TELL	10	/* seconds between lines */
#define END	60	/* seconds in which everybody has to end */
#define ALL	300	/* seconds in which everything happens, with patience */

static struct {
	unsigned int seconds, processes;
	__u64 seed;
} options = { .seconds = 60, .processes = 4 };

struct storm *storm;

static const char * const names[NR_EVENTS] = {
	[PAGES_CHECKED] = "pages checked",
	[PAGES_WRITTEN] = "pages written",
	[THROWN_AWAY] = "MADV_DONTNEED",
	[FREED_LAZILY] = "MADV_FREE",
	[PAGED_OUT] = "MADV_PAGEOUT",
	[FORKED] = "fork",
	[EXECUTED] = "exec",
	[PROTECTED] = "mprotect",
	[REMAPPED] = "mremap",
	[COLLAPSED] = "MADV_COLLAPSE",
	[GUARDED] = "guards",
	[LOCKED] = "mlock",
	[MERGEABLE] = "MADV_(UN)MERGEABLE",
	[WRITTEN_BY_DEVICE] = "pages written by a device",
	[PINNED] = "vmsplice",
	[WRITES_TOLD] = "writes told of by userfaultfd",
	[MISSES_FILLED] = "pages filled by userfaultfd",
	[BROKEN] = "MADV_HWPOISON",
	[RETIRED] = "MADV_SOFT_OFFLINE",
	[MOVED_AWAY] = "pages moved away",
	[MOVED_BACK] = "pages moved back",
	[EVICTED] = "pages evicted",
	[EVICTIONS] = "evictions",
	[KILLED] = "processes killed",
	[KILLED_FOR_MEMORY] = "processes killed for memory",
	[ENDED] = "processes that ended",
	[COMPACTED] = "compaction",
	[SWAP_TURNED_OFF] = "swapoff",
	[KSM_TURNED] = "KSM on, off or undone",
	[CACHES_DROPPED] = "drop_caches",
	[CPU_TURNED] = "processor off and on",
	[FOLIOS_TURNED] = "sizes of folios",
	[NUMA_TURNED] = "NUMA balancing on or off",
	[LISTS_TURNED] = "LRU generations on or off",
	[SQUEEZED] = "memory.reclaim",
	[STARVED] = "memory.max below what is used",
};

void count(enum event event, __u64 number)
{
	__atomic_add_fetch(&storm->events[event], number, __ATOMIC_RELAXED);
}

static __u64 counted(enum event event)
{
	return __atomic_load_n(&storm->events[event], __ATOMIC_RELAXED);
}

bool is_over(void)
{
	return __atomic_load_n(&storm->over, __ATOMIC_RELAXED);
}

void storm_fail(const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	printf("# %s\n", text);
	fflush(stdout);
	__atomic_store_n(&storm->failed, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&storm->over, 1, __ATOMIC_RELAXED);
}

static void tell(__u64 seconds)
{
	printf("# %4llu s: %llu pages moved away, %llu written, %llu checked; %llu killed\n",
	       (unsigned long long)seconds,
	       (unsigned long long)counted(MOVED_AWAY),
	       (unsigned long long)counted(PAGES_WRITTEN),
	       (unsigned long long)counted(PAGES_CHECKED),
	       (unsigned long long)counted(KILLED));
	fflush(stdout);
}

static void tell_all(void)
{
	enum event event;

	for (event = 0; event < NR_EVENTS; event++)
		printf("# %-30s %12llu\n", names[event],
		       (unsigned long long)counted(event));
}

/* What has not happened, and could have. */
static unsigned int left_out(void)
{
	unsigned int number = 0;
	enum event event;

	for (event = 0; event < NR_EVENTS; event++) {
		if (counted(event) ||
		    (event == COLLAPSED && !huge_pages_exist()))
			continue;
		printf("# did not happen: %s\n", names[event]);
		number++;
	}
	return number;
}

static bool is_narrowed_down(void)
{
	return (storm->movers & storm->uses & storm->shakes & storm->evict) !=
	       ~0U;
}

static pid_t workers[MOST_PROCESSES];
static unsigned int lives;

/* Children of workers that were killed come here as well. */
static void bury(pid_t pid, int status)
{
	unsigned int i;

	if (WIFEXITED(status) ? WEXITSTATUS(status) :
				WTERMSIG(status) != SIGKILL)
		storm_fail("process %d has ended with status %#x", pid,
			   status);
	for (i = 0; i < options.processes; i++)
		if (workers[i] == pid)
			workers[i] = 0;
}

/* In the place of those that have gone; where there is no memory, later. */
static void keep_up(void)
{
	unsigned int i;

	for (i = 0; i < options.processes; i++)
		if (workers[i] <= 0)
			workers[i] = worker_start(lives++);
}

static void bury_all(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		bury(pid, status);
}

static void kill_one(void)
{
	pid_t pid = workers[chance(options.processes)];

	if (pid > 0 && !kill(pid, SIGKILL))
		count(KILLED, 1);
}

static void run_storm(void)
{
	__u64 start = now_ns(), told = 0, second, killed = 0;

	shaker_start();
	evictor_start();
	while (!is_over()) {
		keep_up();
		sleep_ms(20);
		bury_all();
		second = (now_ns() - start) / 1000000000;
		if (second >= killed + 2) {
			kill_one();
			killed = second;
		}
		if (second >= told + TELL) {
			tell(second);
			told = second;
		}
		if (second >= options.seconds)
			__atomic_store_n(&storm->over, 1, __ATOMIC_RELAXED);
	}
}

/* Nobody hangs: all end by themselves, once they are told. */
static bool everybody_ends(void)
{
	__u64 end = now_ns() + END * 1000000000ULL * patience();
	int status;
	pid_t pid;

	while (now_ns() < end) {
		pid = waitpid(-1, &status, WNOHANG);
		if (pid < 0 && errno == ECHILD)
			return true;
		if (pid > 0)
			bury(pid, status);
		else
			sleep_ms(10);
	}
	return false;
}

static bool device_is_empty(void)
{
	int fd = own_open(), tries;
	bool is_empty = false;

	for (tries = 0; tries < 50 && !is_empty; tries++) {
		sleep_ms(20);
		is_empty = own_in_use(fd) == 0;
	}
	close(fd);
	return is_empty;
}

/* What was broken is no leak, and is not to look like one. */
static void mend(void)
{
	long left = breaking_on();

	if (!left)
		left = pages_mend();
	breaking_off();
	if (left)
		printf("# broken pages that cannot be mended: %ld\n", left);
}

static void parse(int argc, char **argv)
{
	int option;

	options.seed = time(NULL);
	while ((option = getopt(argc, argv, "d:p:s:m:u:k:e:")) != -1) {
		switch (option) {
		case 'd':
			options.seconds = atoi(optarg);
			break;
		case 'p':
			options.processes = atoi(optarg);
			break;
		case 's':
			options.seed = strtoull(optarg, NULL, 0);
			break;
		case 'm':
			storm->movers = strtoul(optarg, NULL, 0);
			break;
		case 'u':
			storm->uses = strtoul(optarg, NULL, 0);
			break;
		case 'k':
			storm->shakes = strtoul(optarg, NULL, 0);
			break;
		case 'e':
			storm->evict = strtoul(optarg, NULL, 0);
			break;
		default:
			exit(KSFT_FAIL);
		}
	}
	if (!options.processes || options.processes > MOST_PROCESSES)
		exit(KSFT_FAIL);
}

int main(int argc, char **argv)
{
	bool ended;

	storm = mmap(NULL, sizeof(*storm), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (storm == MAP_FAILED)
		return KSFT_FAIL;
	storm->movers = ~0U;
	storm->uses = ~0U;
	storm->shakes = ~0U;
	storm->evict = ~0U;
	parse(argc, argv);
	storm->seed = options.seed << 24;
	chance_init(storm->seed + 3000000);
	ksft_print_header();
	ksft_set_plan(5);
	printf("# seed %llu, %u seconds, %u processes\n",
	       (unsigned long long)options.seed, options.seconds,
	       options.processes);
	fflush(stdout);
	/* Where a worker is killed, its children are ours. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	/* Workers set their own. */
	file_write("/proc/self/oom_score_adj", "-1000");
	if (swap_on() || group_enter("stress")) {
		printf("# no swap, or no control group\n");
		return KSFT_FAIL;
	}
	run_storm();
	ended = everybody_ends();
	count(KILLED_FOR_MEMORY,
	      group_number("stress", "memory.events", "oom_kill"));
	tell_all();
	ksft_test_result(!storm->failed, "contents\n");
	ksft_test_result(ended, "everybody_ends\n");
	ksft_test_result(device_is_empty(), "device_is_empty\n");
	ksft_test_result(!vm_settled("nr_isolated_anon"), "nothing_isolated\n");
	if (is_narrowed_down() || options.seconds < ALL * patience())
		ksft_test_result_skip("everything_happened: in all of the storm, and %u seconds\n",
				      ALL * patience());
	else
		ksft_test_result(!left_out(), "everything_happened\n");
	group_leave("stress");
	swap_off();
	mend();
	ksft_finished();
}
