// SPDX-License-Identifier: GPL-2.0
/* Has the kernel do what it has put off, and add up what processors count. */
#include <fcntl.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ledger.h"
#include "lib.h"

static long negative;

/*
 * A file shows a count below zero as zero. It is in the log when the counts
 * are added up: "vmstat_refresh: NAME NUMBER".
 */
static long negative_in(int log)
{
	char record[1024];
	long value, sum = 0;
	ssize_t length;
	char *words;

	while ((length = read(log, record, sizeof(record) - 1)) > 0) {
		record[length] = '\0';
		words = strstr(record, ";vmstat_refresh: ");
		if (words && sscanf(words, ";vmstat_refresh: %*s %ld",
				    &value) == 1)
			sum += value;
	}
	return sum;
}

void add_up(void)
{
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	lseek(log, 0, SEEK_END);
	file_write("/proc/sys/vm/stat_refresh", "1");
	negative = negative_in(log);
	close(log);
}

/*
 * A processor keeps the top page table of the process that ran there last until
 * another one runs there: this one.
 */
static void visit_processors(void)
{
	cpu_set_t all;
	int cpu;

	if (sched_getaffinity(0, sizeof(all), &all))
		give_up("sched_getaffinity");
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &all))
			on_cpu(cpu);
	sched_setaffinity(0, sizeof(all), &all);
}

/*
 * To drop the page cache empties the lists of each processor first. Memory that
 * is freed after a grace period has most often been freed after one. Compaction
 * is no part of it: it waits as long as too many pages are isolated.
 */
void settle(bool thoroughly)
{
	visit_processors();
	if (thoroughly)
		syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	file_write("/proc/sys/vm/drop_caches", thoroughly ? "3" : "1");
}

/* The sum of the counts that were below zero. */
long below_zero(void)
{
	return negative;
}
