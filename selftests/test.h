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

/* Why a test that needs them is left out. */
#define NO_HUGE_PAGES	"this kernel has no huge pages"
#define NO_SOFT_DIRTY	"this kernel has no soft-dirty bits"
#define NO_SWAP		"this kernel does not swap"
#define NO_GROUPS	"this kernel has no memory control groups"
#define NO_NODES	"this machine has one node"

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
