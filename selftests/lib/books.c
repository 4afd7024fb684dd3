// SPDX-License-Identifier: GPL-2.0
/* What the kernel counts, of a process, of the machine and of the module. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib.h"

#define DEBUG	"/sys/kernel/debug/hmm_migrate/"

/*
 * The number after @name in the first line of @path that begins with it, or
 * the first number of the file. -1: there is none.
 */
long file_number(const char *path, const char *name)
{
	size_t length = name ? strlen(name) : 0;
	char line[512], *end;
	long number = -1;
	FILE *file;

	file = fopen(path, "r");
	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file)) {
		if (name && (strncmp(line, name, length) ||
			     !strchr(" \t:", line[length])))
			continue;
		number = strtol(line + length + strspn(line + length, ": \t"),
				&end, 0);
		break;
	}
	fclose(file);
	return number;
}

long status_kb(const char *name)
{
	return file_number("/proc/self/status", name);
}

/* Of this thread. */
long page_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_minflt + usage.ru_majflt;
}

/* What smaps has under a name, of the mapping in which @addr is. */
static bool smaps_find(const void *addr, const char *name, char *value,
		       size_t size)
{
	size_t length = strlen(name);
	bool inside = false, found = false;
	unsigned long start, end;
	char line[512];
	FILE *file;

	file = fopen("/proc/self/smaps", "r");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = (uintptr_t)addr >= start &&
				 (uintptr_t)addr < end;
		else if (inside && !strncmp(line, name, length) &&
			 line[length] == ':') {
			snprintf(value, size, "%s", line + length + 1);
			found = true;
		}
	}
	if (file)
		fclose(file);
	return found;
}

/* A number of the mapping in which @addr is; -1: there is none. */
long smaps_kb(const void *addr, const char *name)
{
	char value[512];

	return smaps_find(addr, name, value, sizeof(value)) ?
		       strtol(value, NULL, 10) : -1;
}

/* Whether this kernel keeps such bits: then a new mapping counts as written. */
bool soft_dirty_exists(void)
{
	void *memory = pages_map(1);
	char flags[512] = "";

	smaps_find(memory, "VmFlags", flags, sizeof(flags));
	pages_unmap(memory, 1);
	return strstr(flags, " sd");
}

/* Processors count apart for up to a second; have their counts added up. */
long vm_count(const char *name)
{
	file_write("/proc/sys/vm/stat_refresh", "1");
	return file_number("/proc/vmstat", name);
}

/* The same after every processor has worked off what it put aside. */
long vm_settled(const char *name)
{
	file_write("/proc/sys/vm/drop_caches", "1");
	return vm_count(name);
}

/*
 * For what somebody else may have a part in, as kcompactd has in what is
 * isolated: the count as soon as it is what is wanted, or after a second.
 */
long vm_awaited(const char *name, long wanted)
{
	__u64 end = now_ns() + 1000000000ULL * patience();
	long count;

	while ((count = vm_count(name)) != wanted && now_ns() < end)
		sleep_ms(10);
	return count;
}

/* The flags of a page, by their numbers in <linux/kernel-page-flags.h>. */
__u64 page_flags(__u64 pfn)
{
	int fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	__u64 flags = 0;

	if (pread(fd, &flags, sizeof(flags), pfn * sizeof(flags)) !=
	    sizeof(flags))
		perror("/proc/kpageflags");
	close(fd);
	return flags;
}

int file_write(const char *path, const char *text)
{
	ssize_t length = strlen(text);
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, length) != length)
		ret = errno ? -errno : -EIO;
	close(fd);
	return ret;
}

/* A counter of the engine; -1: there is no such line. */
long stats(const char *name)
{
	return file_number(DEBUG "stats", name);
}

/* Counts from zero. */
int stats_on(void)
{
	int ret = file_write(DEBUG "enable", "1");

	return ret ? ret : file_write(DEBUG "stats", "0");
}

void stats_off(void)
{
	file_write(DEBUG "enable", "0");
}

int drop_after(const char *stage)
{
	return file_write(DEBUG "drop_after", stage);
}

/* Batches wait after that stage until another one, or "none", is asked for. */
int pause_after(const char *stage)
{
	return file_write(DEBUG "pause_after", stage);
}
