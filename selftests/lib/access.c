// SPDX-License-Identifier: GPL-2.0
/* Can one read, or write, a byte there? Without a signal when not. */
#include <unistd.h>

#include "lib.h"

bool can_read(const void *addr)
{
	int pipes[2];
	bool can;

	if (pipe(pipes))
		return false;
	can = write(pipes[1], addr, 1) == 1;
	close(pipes[0]);
	close(pipes[1]);
	return can;
}

bool can_write(void *addr)
{
	int pipes[2];
	bool can;

	if (pipe(pipes))
		return false;
	can = write(pipes[1], "", 1) == 1 && read(pipes[0], addr, 1) == 1;
	close(pipes[0]);
	close(pipes[1]);
	return can;
}
