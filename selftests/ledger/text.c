// SPDX-License-Identifier: GPL-2.0
/* Files of the kernel that are read once and hold many numbers. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ledger.h"

static void read_to_end(int fd, const char *name, char *text, size_t size)
{
	size_t length = 0;
	ssize_t got;

	while ((got = read(fd, text + length, size - 1 - length)) > 0)
		length += got;
	if (length == size - 1)
		give_up(name);
	text[length] = '\0';
}

/* False: there is no such file. */
bool read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	read_to_end(fd, path, text, size);
	close(fd);
	return true;
}

/* NULL: that was the last line. */
const char *next_line(const char *line)
{
	line = strchr(line, '\n');
	return line && line[1] ? line + 1 : NULL;
}

/* The number of a line; false: the line is not about @name. */
static bool is_about(const char *line, const char *name, long *number)
{
	size_t length = strlen(name);

	line += strspn(line, " ");
	if (strncmp(line, name, length) || !strchr(" :\t", line[length]))
		return false;
	line += length;
	*number = strtol(line + strspn(line, " :\t"), NULL, 10);
	return true;
}

/* 0: there is no such line. */
long number_of(const char *text, const char *name)
{
	long number;

	for (; text; text = next_line(text))
		if (is_about(text, name, &number))
			return number;
	return 0;
}

static char zones[131072];

/*
 * The nodes, their zones and what processors keep of these, all at one time:
 * pages come and go between them. To read it takes no memory the second time.
 */
void read_zones(void (*settle)(void))
{
	int fd = open("/proc/zoneinfo", O_RDONLY | O_CLOEXEC);

	read_to_end(fd, "/proc/zoneinfo", zones, sizeof(zones));
	settle();
	lseek(fd, 0, SEEK_SET);
	read_to_end(fd, "/proc/zoneinfo", zones, sizeof(zones));
	close(fd);
}

bool is_node(unsigned int node)
{
	return node_count(node, "managed");
}

static long sum_of(const char *name, unsigned int first, unsigned int last)
{
	unsigned int node = 0;
	long number, sum = 0;
	const char *line;

	for (line = zones; line; line = next_line(line)) {
		if (*line == 'N')
			sscanf(line, "Node %u, ", &node);
		if (node >= first && node <= last &&
		    is_about(line, name, &number))
			sum += number;
	}
	return sum;
}

/* What a node has, or the sum of what its zones have. */
long node_count(unsigned int node, const char *name)
{
	return sum_of(name, node, node);
}

long count(const char *name)
{
	return sum_of(name, 0, MAX_NODES - 1);
}
