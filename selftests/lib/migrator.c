// SPDX-License-Identifier: GPL-2.0
/* A thread that moves memory away and back, as fast as it can. */
#include <errno.h>
#include <stdlib.h>

#include "lib.h"

static bool running(struct migrator *migrator)
{
	return !__atomic_load_n(&migrator->stopped, __ATOMIC_RELAXED);
}

/* The mirror has no number where pages have come back meanwhile. */
static size_t moved_by_engine(void)
{
	return stats("moved system private") + stats("moved system coherent");
}

static void *migrate(void *argument)
{
	struct migrator *migrator = argument;
	size_t npages = migrator->npages;
	void *memory = migrator->memory;
	long ret;

	on_any_cpu();
	while (running(migrator)) {
		ret = mover_away(migrator->mover, memory, npages);
		if (ret == -EPROTO)
			break;
		if (ret > 0)
			migrator->moved += ret;
		else if (ret == -ENOENT)
			migrator->moved += moved_by_engine() > 0;
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
		.begin = now_ns(),
	};
	if (stats_on() ||
	    pthread_create(&migrator->thread, NULL, migrate, migrator))
		exit(1);
}

/*
 * For so many milliseconds from its start; longer, where it has not moved
 * anything yet, or what else a test wants to see has not happened.
 */
bool migrator_goes_on(const struct migrator *migrator, unsigned int ms,
		      bool happened)
{
	return goes_on(migrator->begin, ms, happened &&
		       __atomic_load_n(&migrator->moved, __ATOMIC_RELAXED));
}

/* How many pages it has moved away; -1: the engine broke a promise. */
long migrator_stop(struct migrator *migrator)
{
	__atomic_store_n(&migrator->stopped, true, __ATOMIC_RELAXED);
	pthread_join(migrator->thread, NULL);
	stats_off();
	return migrator->broken ? -1 : (long)migrator->moved;
}
