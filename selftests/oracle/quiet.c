// SPDX-License-Identifier: GPL-2.0
/*
 * Nothing may happen to the memory but what the oracle does: whatever works
 * in the background stands still meanwhile. There is swap, on a disk in memory.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/swap.h>
#include <unistd.h>

#include "oracle/oracle.h"

#define HUGE_PAGES	"/sys/kernel/mm/transparent_hugepage/"
#define SIZES		HUGE_PAGES "hugepages-"

static const struct setting {
	const char *path, *value;
} settings[] = {
	{ "/sys/module/test_hmm/parameters/engine", "hmm_migrate" },
	{ HUGE_PAGES "enabled", "madvise" },
	{ HUGE_PAGES "defrag", "madvise" },
	{ HUGE_PAGES "use_zero_page", "1" },
	{ HUGE_PAGES "khugepaged/scan_sleep_millisecs", "4000000000" },
	{ SIZES "16kB/enabled", "never" },
	{ SIZES "64kB/enabled", "never" },
	{ SIZES "512kB/enabled", "never" },
	{ "/sys/kernel/mm/ksm/run", "0" },
	{ "/proc/sys/kernel/numa_balancing", "0" },
	{ "/proc/sys/vm/compaction_proactiveness", "0" },
	{ "/proc/sys/vm/page-cluster", "0" },
};

#define NR_SETTINGS	(sizeof(settings) / sizeof(*settings))

static char before[NR_SETTINGS][64];
static bool has_swap;

/* Of several words, the chosen one is in brackets. */
static void keep(const char *path, char *kept)
{
	char text[256], *word = text;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	close(fd);
	text[length > 0 ? length : 0] = 0;
	if (strchr(text, '['))
		word = strchr(text, '[') + 1;
	word[strcspn(word, "]\n")] = 0;
	snprintf(kept, sizeof(*before), "%.63s", word);
}

/* Whether there may be large folios that are smaller than a huge page. */
void quiet_allow_sizes(bool allow)
{
	static bool allowed;
	int i;

	if (allow == allowed)
		return;
	for (i = 0; i < NR_SETTINGS; i++)
		if (!strncmp(settings[i].path, SIZES, strlen(SIZES)))
			file_write(settings[i].path,
				   allow ? "madvise" : "never");
	allowed = allow;
}

static void begin_swap(void)
{
	has_swap = !module_load("brd", "rd_nr=1 rd_size=65536") &&
		   !run("mkswap /dev/ram0 > /dev/null") &&
		   !swapon("/dev/ram0", 0);
}

static void end_swap(void)
{
	if (has_swap)
		swapoff("/dev/ram0");
	module_unload("brd");
}

/* Whether there is swap. */
bool quiet_begin(void)
{
	int i;

	for (i = 0; i < NR_SETTINGS; i++) {
		keep(settings[i].path, before[i]);
		file_write(settings[i].path, settings[i].value);
	}
	begin_swap();
	return has_swap;
}

void quiet_end(void)
{
	int i;

	for (i = 0; i < NR_SETTINGS; i++)
		file_write(settings[i].path, before[i]);
	end_swap();
}
