// SPDX-License-Identifier: GPL-2.0
/* What was made to go wrong, and how often: scripts/run-tests has a table. */
#include <stdio.h>

#include "lib.h"

void injected(unsigned long times, const char *what)
{
	printf("# made to go wrong %lu: %s\n", times, what);
	fflush(stdout);
}
