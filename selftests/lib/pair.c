// SPDX-License-Identifier: GPL-2.0
/* Two processes that take turns. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib.h"

void pair_init(struct pair *pair)
{
	if (pipe(pair->to_child) || pipe(pair->to_parent)) {
		perror("pipe");
		exit(1);
	}
}

static void tell(int fd)
{
	char byte = 0;

	if (write(fd, &byte, 1) != 1)
		exit(1);
}

/* False: the other side is gone. */
static bool hear(int fd)
{
	char byte;

	return read(fd, &byte, 1) == 1;
}

/* The child lets the parent go on, and waits for its turn. */
void pair_child_turn(struct pair *pair)
{
	close(pair->to_child[1]);
	pair->to_child[1] = -1;
	tell(pair->to_parent[1]);
	if (!hear(pair->to_child[0]))
		exit(1);
}

/* The parent waits until the child has come to its next turn. */
bool pair_wait(struct pair *pair)
{
	close(pair->to_parent[1]);
	pair->to_parent[1] = -1;
	return hear(pair->to_parent[0]);
}

void pair_go(struct pair *pair)
{
	tell(pair->to_child[1]);
}
