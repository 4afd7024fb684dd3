// SPDX-License-Identifier: GPL-2.0
/* Modules, processors, time. */
#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib.h"

/* More than one. */
bool nodes_exist(void)
{
	return !access("/sys/devices/system/node/node1", F_OK);
}

/*
 * The kernel looks from time to time at which processor uses memory, and has
 * devices forget it for that. Where a test says what a device sees, it must
 * not: memory with a policy of its own is left alone.
 */
static void __attribute__((constructor)) no_numa_balancing(void)
{
	unsigned long nodes = 3;

	if (nodes_exist() &&
	    syscall(SYS_set_mempolicy, MPOL_BIND, &nodes, 8 * sizeof(nodes)))
		perror("set_mempolicy");
}

int module_load(const char *name, const char *options)
{
	char path[128];
	int fd, ret = 0;

	snprintf(path, sizeof(path), "/modules/%s.ko", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (syscall(SYS_finit_module, fd, options, 0) && errno != EEXIST)
		ret = -errno;
	close(fd);
	return ret;
}

int module_unload(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}

#define DISK	"/dev/ram0"

bool swap_exists(void)
{
	return !access("/proc/swaps", F_OK);
}

/* A swap disk in memory; none for a kernel that does not swap. */
int swap_on(void)
{
	int ret;

	if (!swap_exists())
		return 0;
	ret = module_load("brd", "rd_nr=1 rd_size=32768");
	if (ret)
		return ret;
	if (run("mkswap " DISK " > /dev/null"))
		return -EIO;
	return swapon(DISK, 0) ? -errno : 0;
}

int swap_off(void)
{
	if (!swap_exists())
		return 0;
	return swapoff(DISK) ? -errno : module_unload("brd");
}

/*
 * How many pages are swapped out. Reclaim takes what it can get: some pages
 * may take a second try.
 */
size_t swap_out(void *memory, size_t npages)
{
	size_t out = 0;
	int tries;

	for (tries = 0; tries < 10 && out < npages; tries++) {
		madvise(memory, npages * PAGE, MADV_PAGEOUT);
		out = pages_at(memory, npages, ELSEWHERE);
	}
	return out;
}

/* The exit status of a command, its output being part of ours. */
int run(const char *command)
{
	int status = system(command);

	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void sleep_ms(unsigned int ms)
{
	usleep(ms * 1000);
}

__u64 now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/*
 * For so many milliseconds since then; where nothing has happened that a test
 * wants to see, which a busy machine may be slow to do, for up to twenty times
 * as long.
 */
bool goes_on(__u64 begin, unsigned int ms, bool happened)
{
	__u64 took = (now_ns() - begin) / 1000000 / patience();

	return took < ms || (took < 20 * ms && !happened);
}

int on_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set);
}

/* For a thread, which else is where the one that began it had to be. */
void on_any_cpu(void)
{
	cpu_set_t set;

	memset(&set, 0xff, sizeof(set));
	sched_setaffinity(0, sizeof(set), &set);
}
