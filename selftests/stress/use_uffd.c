// SPDX-License-Identifier: GPL-2.0
/* A process that waits for accesses to its own memory while others move it. */
#include <errno.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "stress.h"

#define MOST	64

/* A thread that is told of accesses, and lets them go on. */
static struct {
	pthread_t thread;
	int fd;
	bool stopped;
	char *memory;		/* of the region */
	struct part part;
	unsigned int seed;	/* of the contents that it gives; 0: none */
	bool told[MOST];	/* of which pages of the part */
} watcher;

static void give(size_t page)
{
	static char contents[PAGE];

	/* The contents of a page depend on its number. */
	fill_page(contents - page * PAGE, page, watcher.seed);
	uffd_copy(watcher.fd, watcher.memory + page * PAGE, contents, 1);
}

static void resolve(size_t page)
{
	/* Whoever waits goes on before the call is over. */
	__atomic_store_n(&watcher.told[page - watcher.part.first], true,
			 __ATOMIC_RELEASE);
	if (watcher.seed)
		give(page);
	else
		uffd_wp(watcher.fd, watcher.memory + page * PAGE, 1, false);
}

static void *watch(void *argument)
{
	struct pollfd poller = { .fd = watcher.fd, .events = POLLIN };
	struct uffd_msg msg;

	while (!__atomic_load_n(&watcher.stopped, __ATOMIC_RELAXED)) {
		if (poll(&poller, 1, 10) == 1 &&
		    read(watcher.fd, &msg, sizeof(msg)) == sizeof(msg) &&
		    msg.event == UFFD_EVENT_PAGEFAULT)
			resolve((msg.arg.pagefault.address -
				 (uintptr_t)watcher.memory) / PAGE);
	}
	return NULL;
}

static bool start(struct region *region, struct part part, __u64 mode,
		  unsigned int seed)
{
	memset(&watcher, 0, sizeof(watcher));
	watcher.fd = uffd_open(0);
	watcher.memory = region->memory;
	watcher.part = part;
	watcher.seed = seed;
	if (watcher.fd < 0)
		return false;
	if (!uffd_register(watcher.fd, region->memory + part.first * PAGE,
			   part.npages, mode) &&
	    !pthread_create(&watcher.thread, NULL, watch, NULL))
		return true;
	close(watcher.fd);
	return false;
}

/* With the file, what was registered goes, and the marks with it. */
static void stop(void)
{
	__atomic_store_n(&watcher.stopped, true, __ATOMIC_RELAXED);
	pthread_join(watcher.thread, NULL);
	close(watcher.fd);
}

static bool was_told(struct region *region)
{
	size_t page;

	for (page = 0; page < watcher.part.npages; page++) {
		if (watcher.told[page])
			continue;
		storm_fail("region %u, page %zu: nobody was told of a write",
			   region->number, watcher.part.first + page);
		return false;
	}
	return true;
}

/* Each page is protected, and the first write to each is told of. */
bool use_watch_writes(struct region *region)
{
	struct part part = region_part(MOST);
	int round = 1 + chance(10);
	bool ok = true;

	region_write(region, part);
	if (!start(region, part, UFFDIO_REGISTER_MODE_WP, 0))
		return true;
	region->busy = part;
	while (ok && round-- && !is_over()) {
		memset(watcher.told, 0, sizeof(watcher.told));
		if (uffd_wp(watcher.fd, region->memory + part.first * PAGE,
			    part.npages, true))
			break;
		ok = region_check(region, part);
		region_write(region, part);
		ok = ok && was_told(region);
		count(WRITES_TOLD, part.npages);
	}
	stop();
	return ok && region_check(region, part);
}

/* What is not there comes from somebody else, and not as zeros. */
bool use_watch_misses(struct region *region)
{
	struct part part = region_part(MOST);
	unsigned int seed = region_next_seed(region);
	bool ok = true;

	if (!start(region, part, UFFDIO_REGISTER_MODE_MISSING, seed))
		return true;
	region->busy = part;
	if (!madvise(region->memory + part.first * PAGE, part.npages * PAGE,
		     MADV_DONTNEED)) {
		region_set(region, part, seed);
		ok = region_check(region, part);
		count(MISSES_FILLED, part.npages);
	}
	stop();
	return ok && region_check(region, part);
}
