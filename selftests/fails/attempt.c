// SPDX-License-Identifier: GPL-2.0
/* The call: memory is prepared, the driver told how to fail, and asked. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "fails.h"

void fault_set(int fd, struct hmm_test_fault fault)
{
	if (ioctl(fd, HMM_TEST_FAULT, &fault))
		perror("HMM_TEST_FAULT");
}

static bool begins_on_device(const struct attempt *attempt)
{
	return attempt->asked.way != AWAY && attempt->asked.way != TO_NODE;
}

/* What the process itself needs later must not be counted then. */
void touch_heap_and_stack(void)
{
	char *heap = malloc(1 << 16), stack[1 << 16];

	explicit_bzero(heap, 1 << 16);
	explicit_bzero(stack, sizeof(stack));
	free(heap);
}

bool attempt_prepare(struct attempt *attempt, size_t npages)
{
	struct mixed *mixed = &attempt->mixed;

	/* By and by is slow. */
	fault_set(attempt->fd, (struct hmm_test_fault) { .window = TABLE });
	if (!mixed_map(mixed, npages, attempt->asked.locked))
		return false;
	if (begins_on_device(attempt) &&
	    own_to_device(attempt->fd, mixed->memory, npages) <= 0)
		return false;
	touch_heap_and_stack();
	attempt_look(attempt, &attempt->before);
	return true;
}

void attempt_look(const struct attempt *attempt, struct view *view)
{
	entries_of(attempt->mixed.memory, attempt->mixed.npages, view->entries,
		   view->places);
	view->rss_kb = status_kb("RssAnon");
	view->swap_kb = status_kb("VmSwap");
	view->pte_kb = status_kb("VmPTE");
	view->locked_kb = status_kb("VmLck");
}

struct hmm_test_driver attempt_driver(const struct attempt *attempt)
{
	struct hmm_test_driver driver = {
		.delay_alloc_us = attempt->delay_alloc_us,
		.delay_finalize_us = attempt->delay_finalize_us,
	};

	if (attempt->failure != WORKS && attempt->failure != NO_MEMORY &&
	    attempt->failure != AT_RANDOM) {
		driver.decline_first = attempt->at;
		driver.decline_last = attempt->at;
	}
	switch (attempt->failure) {
	case WORKS:
	case LEAVES_ONE:
		break;
	case SAYS_WHY:
		driver.decline_errno = EIO;
		break;
	case TOO_BIG:
		driver.decline_errno = E2BIG;
		break;
	case ENDS:
		driver.decline_errno = ENOMEM;
		driver.decline_last = -1;
		break;
	case NO_MEMORY:
		driver.memory_pages = attempt->at - 1;
		break;
	case AT_RANDOM:
		driver.drop_percent = attempt->at % 100;
		driver.drop_seed = attempt->at;
		break;
	}
	return driver;
}

static int call(struct attempt *attempt)
{
	struct mixed *mixed = &attempt->mixed;
	enum way way = attempt->asked.way;
	struct hmm_test_move move;
	int ret;

	move = own_request(mixed->memory, mixed->npages,
			   way == AWAY ? HMM_TEST_TO_DEVICE : HMM_TEST_TO_NODE,
			   attempt->asked.flags);
	move.flags |= way == BACK ? HMM_TEST_FROM_DEVICE : HMM_TEST_FROM_SYSTEM;
	if (way != AWAY)
		move.flags |= HMM_TEST_TO_SYSTEM;
	move.node = way == TO_NODE;
	move.driver = attempt_driver(attempt);
	ret = own_call(attempt->fd, &move);
	return ret ? ret : move.result.ret;
}

/* By a range that begins and ends with the device's pages that there are. */
static int evict(struct attempt *attempt)
{
	__u64 first = -1, last = 0, pfn;
	struct hmm_test_evict evict;
	size_t page;
	int ret;

	for (page = 0; page < attempt->mixed.npages; page++) {
		if (attempt->before.places[page] != PRIVATE)
			continue;
		pfn = pfn_in(attempt->before.entries[page]);
		first = pfn < first ? pfn : first;
		last = pfn > last ? pfn : last;
	}
	evict = (struct hmm_test_evict) {
		.first_pfn = first,
		.npages = last + 1 - first,
		.function = HMM_TEST_DEVICE_RANGE,
		.flags = HMM_TEST_TO_SYSTEM | attempt->asked.flags,
		.driver = attempt_driver(attempt),
	};
	ret = own_evict(attempt->fd, &evict);
	return ret ? ret : evict.result.ret;
}

/* The kernel reads for us: what cannot be read is an error, no signal. */
static int access_page(struct attempt *attempt)
{
	fault_set(attempt->fd, (struct hmm_test_fault) {
		.window = TABLE,
		.driver = attempt_driver(attempt),
	});
	attempt->answered = can_read(attempt->mixed.memory +
				     attempt->page * PAGE);
	fault_set(attempt->fd, (struct hmm_test_fault) { .window = TABLE });
	return own_stats(attempt->fd).last_fault.contract ? -EPROTO : 0;
}

int attempt_make(struct attempt *attempt)
{
	switch (attempt->asked.way) {
	case EVICTED:
		return evict(attempt);
	case ACCESSED:
		return access_page(attempt);
	default:
		return call(attempt);
	}
}

/* Also of a process that did not live to see it. */
struct hmm_test_result attempt_result(const struct attempt *attempt)
{
	struct hmm_test_stats stats = own_stats(attempt->fd);

	return attempt->asked.way == ACCESSED ? stats.last_fault : stats.last;
}

/* All that has been left can be moved now, and nothing is lost. */
const char *attempt_end(struct attempt *attempt)
{
	struct mixed *mixed = &attempt->mixed;

	fault_set(attempt->fd, (struct hmm_test_fault) { .window = TABLE });
	if (mixed_wrong(mixed) != -1)
		return "the contents are wrong";
	if (own_to_device(attempt->fd, mixed->memory, mixed->npages) !=
	    mixed->npages)
		return "some pages cannot be moved afterwards";
	if (mixed_wrong(mixed) != -1)
		return "the contents are wrong after another move";
	if (mixed_unmap(mixed))
		return "the child had something else";
	return own_in_use(attempt->fd) ? "pages are left on the device" : NULL;
}
