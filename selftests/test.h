/* SPDX-License-Identifier: GPL-2.0 */
/* What every test program includes. */
#ifndef SELFTESTS_TEST_H
#define SELFTESTS_TEST_H

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"

#include "lib.h"

/* Can one read, or write, a byte there? Without a signal when not. */
static inline bool can_read(const void *addr)
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

static inline bool can_write(void *addr)
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

/* The exit status of a child; 128 + the signal that ended it. */
static inline int end_of(pid_t child)
{
	int status;

	if (waitpid(child, &status, 0) != child)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) :
				   128 + WTERMSIG(status);
}

#endif
