// SPDX-License-Identifier: GPL-2.0
/* The thread that merges pages, and what it counts. */
#include <stdio.h>

#include "lib.h"

#define KSM	"/sys/kernel/mm/ksm/"

long ksm(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), KSM "%s", name);
	return file_number(path, NULL);
}

int ksm_set(const char *name, const char *value)
{
	char path[64];

	snprintf(path, sizeof(path), KSM "%s", name);
	return file_write(path, value);
}

int ksm_fast(void)
{
	ksm_set("smart_scan", "0");
	ksm_set("sleep_millisecs", "1");
	return ksm_set("pages_to_scan", "1000");
}

/* Undoes all that was merged. */
void ksm_stop(void)
{
	ksm_set("run", "2");
	ksm_set("run", "0");
	ksm_set("use_zero_pages", "0");
}
