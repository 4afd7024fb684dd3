// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that has an owner, as the owners see it: which pages are mapped, by
 * the page tables of all processes; what files in memory hold.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/kernel-page-flags.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "ledger.h"
#include "lib.h"

#define PM_PFN		(_BITULL(55) - 1)

/* Pages by their numbers, with repetitions. */
struct pages {
	size_t nr;
	__u64 pfns[32768];
};

static struct pages anon, file;

static void add(struct pages *pages, __u64 pfn)
{
	if (pages->nr == sizeof(pages->pfns) / sizeof(*pages->pfns))
		give_up("too many pages");
	pages->pfns[pages->nr++] = pfn;
}

static void add_range(int pagemap, unsigned long start, unsigned long end)
{
	__u64 entries[TABLE];
	ssize_t got, i;

	for (; start < end; start += got * PAGE) {
		got = (end - start) / PAGE;
		got = pread(pagemap, entries,
			    (got < TABLE ? got : TABLE) * sizeof(*entries),
			    start / PAGE * sizeof(*entries));
		got /= (ssize_t)sizeof(*entries);
		if (got <= 0)
			return;
		for (i = 0; i < got; i++)
			if (entries[i] & PM_PRESENT)
				add(entries[i] & PM_FILE ? &file : &anon,
				    entries[i] & PM_PFN);
	}
}

static void add_process(const char *pid, struct owned *owned)
{
	static char maps[65536], status[8192];
	unsigned long start, end;
	char path[64];
	const char *line;
	int pagemap;

	snprintf(path, sizeof(path), "/proc/%s/maps", pid);
	if (!read_text(path, maps, sizeof(maps)) || !maps[0])
		return;
	snprintf(path, sizeof(path), "/proc/%s/status", pid);
	if (!read_text(path, status, sizeof(status)))
		return;
	snprintf(path, sizeof(path), "/proc/%s/pagemap", pid);
	pagemap = open(path, O_RDONLY | O_CLOEXEC);
	if (pagemap < 0)
		return;
	owned->processes++;
	owned->tables_kb += number_of(status, "VmPTE");
	for (line = maps; line; line = next_line(line))
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			add_range(pagemap, start, end);
	close(pagemap);
}

static int by_number(const void *a, const void *b)
{
	__u64 left = *(const __u64 *)a, right = *(const __u64 *)b;

	return left < right ? -1 : left > right;
}

static void each_once(struct pages *pages)
{
	size_t i, nr = 0;

	qsort(pages->pfns, pages->nr, sizeof(*pages->pfns), by_number);
	for (i = 0; i < pages->nr; i++)
		if (!i || pages->pfns[i] != pages->pfns[i - 1])
			pages->pfns[nr++] = pages->pfns[i];
	pages->nr = nr;
}

/* The zero page, and pages of the kernel, are not told apart by pagemap. */
static long really_anon(void)
{
	int flags = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	long nr = 0;
	size_t i;
	__u64 of;

	for (i = 0; i < anon.nr; i++)
		if (pread(flags, &of, sizeof(of),
			  anon.pfns[i] * sizeof(of)) == sizeof(of))
			nr += !!(of & _BITULL(KPF_ANON));
	close(flags);
	return nr;
}

static void count_processes(struct owned *owned)
{
	struct dirent *entry;
	DIR *processes;

	anon.nr = 0;
	file.nr = 0;
	processes = opendir("/proc");
	while (processes && (entry = readdir(processes)))
		if (isdigit((unsigned char)entry->d_name[0]))
			add_process(entry->d_name, owned);
	if (processes)
		closedir(processes);
	each_once(&anon);
	each_once(&file);
	owned->anon = really_anon();
	owned->file = file.nr;
}

/* The pages of all file systems in memory that are mounted. */
static long pages_of_tmpfs(void)
{
	static char mounts[8192];
	unsigned int seen[32], nr = 0, i;
	char path[256];
	const char *line;
	struct statfs fs;
	struct stat root;
	long pages = 0;

	read_text("/proc/self/mounts", mounts, sizeof(mounts));
	for (line = mounts; line; line = next_line(line)) {
		if (sscanf(line, "%*s %255s", path) != 1 || stat(path, &root) ||
		    statfs(path, &fs) || fs.f_type != TMPFS_MAGIC)
			continue;
		for (i = 0; i < nr && seen[i] != root.st_dev; i++)
			;
		if (i < nr || nr == sizeof(seen) / sizeof(*seen))
			continue;
		seen[nr++] = root.st_dev;
		pages += fs.f_blocks - fs.f_bfree;
	}
	return pages;
}

void count_owned(struct owned *owned)
{
	memset(owned, 0, sizeof(*owned));
	count_processes(owned);
	owned->tmpfs = pages_of_tmpfs();
}
