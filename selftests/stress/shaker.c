// SPDX-License-Identifier: GPL-2.0
/* What the kernel is kept busy with, and a driver that empties its device. */
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/swap.h>
#include <unistd.h>

#include "stress.h"

#define SWAP	"/dev/ram0"
#define CPU	"/sys/devices/system/cpu/cpu%d/online"
#define NUMA	"/proc/sys/kernel/numa_balancing"
#define LISTS	"/sys/kernel/mm/lru_gen/enabled"

static void compact(void)
{
	file_write("/proc/sys/vm/compact_memory", "1");
}

static void turn_swap_off(void)
{
	if (!swapoff(SWAP))
		swapon(SWAP, 0);
}

static void turn_ksm(void)
{
	static const char * const run[] = { "0", "1", "1", "2" };

	ksm_set("sleep_millisecs", "10");
	ksm_set("pages_to_scan", "500");
	ksm_set("use_zero_pages", chance(2) ? "1" : "0");
	ksm_set("run", run[chance(4)]);
}

static void forget_caches(void)
{
	file_write("/proc/sys/vm/drop_caches", chance(2) ? "1" : "2");
}

/* Any but the first, which cannot go. */
static void turn_cpu(void)
{
	char path[64];

	snprintf(path, sizeof(path), CPU,
		 1 + (int)chance(sysconf(_SC_NPROCESSORS_CONF) - 1));
	file_write(path, "0");
	sleep_ms(chance(100));
	file_write(path, "1");
}

static void turn_folios(void)
{
	if (chance(2))
		folio_order_set(2 + chance(8));
	else
		folio_order_reset();
}

static void turn_numa(void)
{
	file_write(NUMA, chance(2) ? "1" : "0");
}

static void turn_lists(void)
{
	file_write(LISTS, chance(2) ? "7" : "0");
}

static void squeeze(void)
{
	group_set("stress", "memory.reclaim", "8M");
}

/* Less than they have: the kernel kills workers until the rest fits. */
static void starve(void)
{
	long used = group_number("stress", "memory.current", NULL);
	char limit[32];

	snprintf(limit, sizeof(limit), "%ld", used - used / 4);
	group_set("stress", "memory.swap.max", "0");
	group_set("stress", "memory.max", limit);
	sleep_ms(chance(50));
	group_set("stress", "memory.max", "max");
	group_set("stress", "memory.swap.max", "max");
}

static void (*const shakes[])(void) = {
	compact, turn_swap_off, turn_ksm, forget_caches, turn_cpu, turn_folios,
	turn_numa, turn_lists, squeeze, starve,
};

static pid_t start(__u64 seed)
{
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		chance_init(storm->seed + seed);
	}
	return pid;
}

pid_t shaker_start(void)
{
	bool has_generations = file_number(LISTS, NULL) > 0;
	unsigned int which;
	pid_t pid = start(1000000);

	if (pid)
		return pid;
	while (!is_over()) {
		which = chance(ARRAY_SIZE(shakes));
		if (storm->shakes & 1U << which) {
			shakes[which]();
			count(FIRST_SHAKE + which, 1);
		}
		sleep_ms(chance(300));
	}
	ksm_set("run", "2");
	ksm_set("run", "0");
	folio_order_reset();
	file_write(LISTS, has_generations ? "7" : "0");
	_exit(0);
}

pid_t evictor_start(void)
{
	struct hmm_test_stats stats;
	struct hmm_test_evict evict;
	pid_t pid = start(2000000);
	int fd;

	if (pid)
		return pid;
	fd = own_open();
	stats = own_stats(fd);
	while (!is_over() && storm->evict) {
		evict = (struct hmm_test_evict) {
			.first_pfn = stats.first_pfn,
			.npages = chance(3) ? stats.npages :
					      1 + chance(stats.npages),
			.function = HMM_TEST_DEVICE_RANGE,
			.flags = HMM_TEST_TO_SYSTEM |
				 (chance(2) ? HMM_TEST_LARGE : 0),
		};
		if (own_evict(fd, &evict) || evict.result.ret)
			storm_fail("eviction: %s",
				   own_describe(&evict.result));
		count(EVICTIONS, 1);
		count(EVICTED, evict.result.migrated);
		sleep_ms(chance(2000));
	}
	_exit(0);
}
