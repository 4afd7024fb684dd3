// SPDX-License-Identifier: GPL-2.0
/*
 * Runs a command, and moves the memory of all its processes meanwhile: parts
 * of their heaps, stacks and other private memory go to a device, to another
 * node, and back, and the device is emptied every now and then. The command
 * knows nothing of it.
 *
 *   while_moved [-s SEED] [-r REPORT] COMMAND [ARGUMENT...]
 *
 * The exit status is the command's; 125: nothing was moved, or the engine
 * broke a promise; 128 and more: a signal. What was moved is in REPORT.
 */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib.h"

#define TROUBLE		125
#define MOST_AREAS	1024
#define MOST_PROCESSES	256
#define MOVES		16	/* of a process, before another one is looked for */
#define USUAL		64	/* pages that move at once, at most */
#define MOST		1024	/* sometimes */
#define PAUSE		10	/* milliseconds between two calls, at most */
#define EVICTION	1000	/* milliseconds between two, on average */

struct area {
	unsigned long start, npages;
};

static int fd;
static pid_t self, command;
static struct area areas[MOST_AREAS];
static __u64 to_device, to_node, back, evicted;
static bool broken;

/* 0: there is none, or the process has ended. */
static pid_t parent_of(pid_t pid)
{
	char path[32], line[512], *end;
	pid_t parent = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "r");
	if (!file)
		return 0;
	/* A name may have anything in it. */
	if (fgets(line, sizeof(line), file)) {
		end = strrchr(line, ')');
		if (!end || sscanf(end, ") %*c %d", &parent) != 1)
			parent = 0;
	}
	fclose(file);
	return parent;
}

/* Of the command's: what loses its own parent gets this process as one. */
static bool is_descendant(pid_t pid)
{
	while (pid > 1) {
		pid = parent_of(pid);
		if (pid == self)
			return true;
	}
	return false;
}

/* One of the command's processes; 0: there is none. */
static pid_t choose_process(void)
{
	pid_t found[MOST_PROCESSES];
	unsigned int number = 0;
	struct dirent *entry;
	DIR *all;
	pid_t pid;

	all = opendir("/proc");
	while (all && number < MOST_PROCESSES && (entry = readdir(all))) {
		pid = atoi(entry->d_name);
		if (pid && is_descendant(pid))
			found[number++] = pid;
	}
	if (all)
		closedir(all);
	return number ? found[chance(number)] : 0;
}

/* Private memory of a process: its heap, its stacks, its variables. */
static unsigned int find_areas(pid_t pid)
{
	char path[32], line[512], readable, shared;
	unsigned long start, end;
	unsigned int number = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	file = fopen(path, "r");
	while (file && number < MOST_AREAS && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx %c%*c%*c%c", &start, &end, &readable,
			   &shared) != 4 ||
		    readable != 'r' || shared != 'p' || strstr(line, "[v"))
			continue;
		areas[number++] = (struct area) {
			.start = start,
			.npages = (end - start) / PAGE,
		};
	}
	if (file)
		fclose(file);
	return number;
}

/*
 * Half of the time any: most are small, as are a stack and the variables of a
 * library. Else one that a page of all pages is in.
 */
static struct area choose_area(unsigned int number)
{
	unsigned long pages = 0, page;
	unsigned int i;

	if (chance(2))
		return areas[chance(number)];
	for (i = 0; i < number; i++)
		pages += areas[i].npages;
	page = chance(pages);
	for (i = 0; page >= areas[i].npages; i++)
		page -= areas[i].npages;
	return areas[i];
}

static void judge(int error)
{
	if (error == -EPROTO)
		broken = true;
}

static void move(pid_t pid, struct area area, int to, unsigned int node,
		 unsigned int flags, __u64 *counter)
{
	struct hmm_test_move move;
	int error;

	move = own_request((void *)area.start, area.npages, to,
			   flags | (chance(4) ? HMM_TEST_LARGE : 0));
	move.pid = pid;
	move.node = node;
	/* Processes end, and areas go, in between. */
	error = own_call(fd, &move);
	judge(error);
	if (!error)
		*counter += move.result.migrated;
}

static void move_part(pid_t pid, struct area area)
{
	unsigned long most = chance(32) ? USUAL : MOST, npages;
	unsigned int node = chance(2);

	npages = 1 + chance(area.npages < most ? area.npages : most);
	area.start += chance(area.npages - npages + 1) * PAGE;
	area.npages = npages;
	switch (chance(4)) {
	case 0:
		move(pid, area, HMM_TEST_TO_NODE, node,
		     HMM_TEST_FROM_DEVICE | HMM_TEST_TO_SYSTEM, &back);
		break;
	case 1:
		move(pid, area, HMM_TEST_TO_NODE, node,
		     HMM_TEST_FROM_SYSTEM | HMM_TEST_TO_SYSTEM, &to_node);
		break;
	default:
		move(pid, area, HMM_TEST_TO_DEVICE, 0, HMM_TEST_FROM_SYSTEM,
		     &to_device);
	}
}

static void move_something(void)
{
	pid_t pid = choose_process();
	unsigned int number = pid ? find_areas(pid) : 0, i;

	/* A process that finds all of its memory away, always, does nothing else. */
	for (i = 0; number && i < MOVES; i++) {
		move_part(pid, choose_area(number));
		sleep_ms(chance(PAUSE));
	}
}

static void empty_device(void)
{
	struct hmm_test_stats stats = own_stats(fd);
	struct hmm_test_evict evict = {
		.first_pfn = stats.first_pfn,
		.npages = chance(2) ? stats.npages : 1 + chance(stats.npages),
		.function = HMM_TEST_DEVICE_RANGE,
		.flags = HMM_TEST_TO_SYSTEM | (chance(2) ? HMM_TEST_LARGE : 0),
	};

	judge(own_evict(fd, &evict));
	evicted += evict.result.migrated;
}

static void start(char **arguments)
{
	command = fork();
	if (command)
		return;
	syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0);
	execvp(arguments[0], arguments);
	perror(arguments[0]);
	_exit(127);
}

static int move_until_it_ends(void)
{
	__u64 next = now_ns();
	int status;
	pid_t ended;

	while ((ended = waitpid(-1, &status, WNOHANG)) != command) {
		if (ended)
			continue;
		move_something();
		if (now_ns() > next) {
			empty_device();
			next = now_ns() + chance(2 * EVICTION) * 1000000;
		}
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void report(const char *path)
{
	FILE *file = fopen(path, "w");

	if (!file) {
		perror(path);
		return;
	}
	fprintf(file, "%llu pages to the device, %llu back, %llu evicted; %llu to another node\n",
		(unsigned long long)to_device, (unsigned long long)back,
		(unsigned long long)evicted, (unsigned long long)to_node);
	fclose(file);
}

int main(int argc, char **argv)
{
	const char *to = "/dev/stderr";
	__u64 seed = time(NULL);
	int option, status;

	while ((option = getopt(argc, argv, "+s:r:")) != -1) {
		switch (option) {
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'r':
			to = optarg;
			break;
		default:
			return TROUBLE;
		}
	}
	fd = own_open();
	if (optind == argc || fd < 0)
		return TROUBLE;
	chance_init(seed);
	self = getpid();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	start(argv + optind);
	if (command < 0)
		return TROUBLE;
	/* A command of many processes leaves little time to another one. */
	setpriority(PRIO_PROCESS, 0, -20);
	status = move_until_it_ends();
	report(to);
	return broken || !to_device ? TROUBLE : status;
}
