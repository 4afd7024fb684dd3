// SPDX-License-Identifier: GPL-2.0
/* Pages that break, as far as the kernel is told, and that are mended again. */
#include <errno.h>
#include <fcntl.h>
#include <linux/const.h>
#include <linux/kernel-page-flags.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib.h"

#define INJECT	"/sys/kernel/debug/hwpoison/"
#define BROKEN	_BITULL(KPF_HWPOISON)
#define CHUNK	4096	/* pages whose flags are read at once */

static int write_pfn(const char *path, __u64 pfn)
{
	char text[32];

	snprintf(text, sizeof(text), "%#llx", (unsigned long long)pfn);
	return file_write(path, text);
}

/* So that pages can break, or be mended. */
int breaking_on(void)
{
	return module_load("hwpoison-inject", "");
}

void breaking_off(void)
{
	module_unload("hwpoison_inject");
}

int page_break(__u64 pfn)
{
	return write_pfn(INJECT "corrupt-pfn", pfn);
}

int page_mend(__u64 pfn)
{
	return write_pfn(INJECT "unpoison-pfn", pfn);
}

bool page_is_broken(__u64 pfn)
{
	return page_flags(pfn) & BROKEN;
}

/*
 * Whether page_owner, if there is one, has the page for somebody's. What soft
 * offlining has retired is nobody's any more: mending it would free it once
 * more, as page_owner sees it.
 */
static bool is_owned(int owners, __u64 pfn)
{
	char record[PAGE], wanted[32];
	ssize_t length;

	length = pread(owners, record, sizeof(record) - 1, pfn);
	if (length < 0)
		return true;
	record[length] = 0;
	snprintf(wanted, sizeof(wanted), "\nPFN 0x%llx ",
		 (unsigned long long)pfn);
	return strstr(record, wanted);
}

/*
 * The kernel keeps a page that has broken, as a page of who had it. Mends them
 * all, so that they are free, and says how many cannot be.
 */
long pages_mend(void)
{
	int pages = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	int owners = open("/sys/kernel/debug/page_owner", O_RDONLY | O_CLOEXEC);
	static __u64 flags[CHUNK];
	ssize_t got, i;
	__u64 pfn = 0;
	long left = 0;

	while ((got = read(pages, flags, sizeof(flags))) > 0)
		for (i = 0; i < got / (ssize_t)sizeof(*flags); i++, pfn++)
			if (flags[i] & BROKEN && is_owned(owners, pfn) &&
			    page_mend(pfn))
				left++;
	close(owners);
	close(pages);
	return pfn ? left : -EIO;
}
