// SPDX-License-Identifier: GPL-2.0
/* What the kernel counts, of a process, of the machine and of the module. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* Processors count apart for up to a second; have their counts added up. */
long vm_count(const char *name)
{
	file_write("/proc/sys/vm/stat_refresh", "1");
	return file_number("/proc/vmstat", name);
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
