// SPDX-License-Identifier: GPL-2.0
/* Can one read, or write there? Without a signal when not. */
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib.h"

/* One fault: a copy that fails may be tried once more, a number is not. */
bool can_read(const void *addr)
{
	int pipes[2];
	bool can;

	if (pipe(pipes))
		return false;
	can = ioctl(pipes[0], FIONBIO, addr) == 0;
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
