// SPDX-License-Identifier: GPL-2.0
/* A thread that moves memory away and back, as fast as it can. */
#include <errno.h>
#include <stdlib.h>

#include "lib.h"

static bool running(struct migrator *migrator)
{
	return !__atomic_load_n(&migrator->stopped, __ATOMIC_RELAXED);
}

static void *migrate(void *argument)
{
	struct migrator *migrator = argument;
	size_t npages = migrator->npages;
	void *memory = migrator->memory;
	long ret;

	while (running(migrator)) {
		ret = mover_away(migrator->mover, memory, npages);
		if (ret == -EPROTO)
			break;
		if (ret > 0)
			migrator->moved += ret;
		else if (ret == -ENOENT)
			migrator->moved += pages_at(memory, npages,
						    migrator->mover->away);
		ret = mover_back(migrator->mover, memory, npages);
		if (ret == -EPROTO)
			break;
	}
	migrator->broken = running(migrator);
	return NULL;
}

void migrator_start(struct migrator *migrator, struct mover *mover,
		    void *memory, size_t npages)
{
	*migrator = (struct migrator) {
		.mover = mover,
		.memory = memory,
		.npages = npages,
	};
	if (pthread_create(&migrator->thread, NULL, migrate, migrator))
		exit(1);
}

/* How many pages it has moved away; -1: the engine broke a promise. */
long migrator_stop(struct migrator *migrator)
{
	__atomic_store_n(&migrator->stopped, true, __ATOMIC_RELAXED);
	pthread_join(migrator->thread, NULL);
	return migrator->broken ? -1 : (long)migrator->moved;
}
