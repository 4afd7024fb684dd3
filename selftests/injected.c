// SPDX-License-Identifier: GPL-2.0
/*
 * Wherever a call allocates something, it may fail: the first allocation, the
 * second, and so on until a call has met none that failed. Beyond those of a
 * few pages, only some of the pages of a huge page that is moved in pieces fail.
 * For kernels with fault injection.
 */
#include <stdlib.h>

#include "test.h"

#define MOST	2000	/* allocations of one call */
#define EACH	48	/* of which so many fail one by one */
#define SOME	41	/* and then one of so many */

/*
 * What is in the range before each call: small pages and holes at the end of a
 * page table, a huge page, and the begin of a table that is not there.
 */
#define FILLED	4
#define HOLES	4
#define HUGE	(FILLED + HOLES)
#define NO_TABLE	(HUGE + TABLE)
#define PAGES	(NO_TABLE + 4)

FIXTURE(injected)
{
	int fd;
};

/* Where the device's memory is. */
static struct hmm_test_stats device;

static int set(const char *attribute, const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", attribute,
		 name);
	return file_write(path, value);
}

FIXTURE_SETUP(injected)
{
	/* Those that may sleep are those of this module. */
	ASSERT_EQ(0, set("failslab", "ignore-gfp-wait", "N"));
	ASSERT_EQ(0, set("fail_page_alloc", "ignore-gfp-wait", "N"));
	ASSERT_EQ(0, set("fail_page_alloc", "ignore-gfp-highmem", "N"));
	ASSERT_EQ(0, set("fail_page_alloc", "min-order", "0"));
	ASSERT_EQ(0, set("failslab", "verbose", "0"));
	ASSERT_EQ(0, set("fail_page_alloc", "verbose", "0"));
	self->fd = own_open();
	ASSERT_GE(self->fd, 0);
	device = own_stats(self->fd);
}

FIXTURE_TEARDOWN(injected)
{
	EXPECT_EQ(0, own_in_use(self->fd));
	close(self->fd);
}

static void fail_nth(unsigned int number)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", number);
	if (file_write("/proc/thread-self/fail-nth", text))
		abort();
}

/* Has the allocation been reached? Those that come next succeed. */
static bool has_failed(void)
{
	bool failed = file_number("/proc/thread-self/fail-nth", NULL) == 0;

	fail_nth(0);
	return failed;
}

/* All of it is one area: a call is refused that reaches into a second one. */
static char *range_map(char **mapping)
{
	char *memory;

	*mapping = pages_map(3 * TABLE);
	memory = *mapping + (TABLE - HUGE) * PAGE;
	fill(memory, FILLED, 1);
	madvise(*mapping, 3 * TABLE * PAGE, MADV_HUGEPAGE);
	fill(memory + HUGE * PAGE, TABLE, 2);
	return memory;
}

static bool range_is_intact(const char *memory)
{
	return wrong(memory, FILLED, 1) == -1 &&
	       page_is_zero(memory, FILLED) &&
	       wrong(memory + HUGE * PAGE, TABLE, 2) == -1 &&
	       page_is_zero(memory, NO_TABLE);
}

/* With an errno it does not come as far as the engine, which is no matter. */
static void move(int fd, char *memory, int to, unsigned int flags)
{
	struct hmm_test_move move = own_request(memory, PAGES, to, flags);

	own_call(fd, &move);
}

static void away(int fd, char *memory)
{
	move(fd, memory, HMM_TEST_TO_DEVICE, HMM_TEST_FROM_SYSTEM);
}

static void away_large(int fd, char *memory)
{
	move(fd, memory, HMM_TEST_TO_DEVICE,
	     HMM_TEST_FROM_SYSTEM | HMM_TEST_LARGE);
}

static void back(int fd, char *memory)
{
	move(fd, memory, HMM_TEST_TO_NODE,
	     HMM_TEST_FROM_DEVICE | HMM_TEST_TO_SYSTEM);
}

static void back_large(int fd, char *memory)
{
	move(fd, memory, HMM_TEST_TO_NODE,
	     HMM_TEST_FROM_DEVICE | HMM_TEST_TO_SYSTEM | HMM_TEST_LARGE);
}

static void evict(int fd, unsigned int flags)
{
	struct hmm_test_evict evict = {
		.first_pfn = device.first_pfn,
		.npages = device.npages,
		.function = HMM_TEST_DEVICE_RANGE,
		.flags = HMM_TEST_TO_SYSTEM | flags,
	};

	own_evict(fd, &evict);
}

static void evicted(int fd, char *memory)
{
	evict(fd, 0);
}

static void evicted_large(int fd, char *memory)
{
	evict(fd, HMM_TEST_LARGE);
}

/* The kernel reads for us: what cannot be read is an error, no signal. */
static void accessed(int fd, char *memory)
{
	can_read(memory + 3 * PAGE);
	can_read(memory + (HUGE + 5) * PAGE);
}

typedef void (*call_t)(int fd, char *memory);

/* Does something, after something else, with every allocation failing once. */
static void fail_each(struct __test_metadata *_metadata, int fd, call_t before,
		      call_t call)
{
	struct hmm_test_stats stats;
	unsigned int number;
	unsigned int failures = 0;
	char *memory, *mapping;
	bool failed = true;

	for (number = 1; failed && number < MOST;
	     number += number < EACH ? 1 : SOME) {
		memory = range_map(&mapping);
		if (before) {
			before(fd, memory);
			ASSERT_EQ(PAGES, own_in_use(fd));
		}
		fail_nth(number);
		call(fd, memory);
		failed = has_failed();
		failures += failed;
		stats = own_stats(fd);
		ASSERT_EQ(0, stats.last.contract)
			TH_LOG("allocation %u: %s", number,
			       own_describe(&stats.last));
		ASSERT_EQ(0, stats.last_fault.contract)
			TH_LOG("allocation %u: %s", number,
			       own_describe(&stats.last_fault));
		ASSERT_EQ(pages_at(memory, PAGES, PRIVATE), own_in_use(fd))
			TH_LOG("allocation %u", number);
		ASSERT_TRUE(range_is_intact(memory))
			TH_LOG("allocation %u", number);
		/* Whatever has failed, nothing is in the way now. */
		away(fd, memory);
		ASSERT_EQ(PAGES, own_in_use(fd))
			TH_LOG("allocation %u", number);
		ASSERT_TRUE(range_is_intact(memory))
			TH_LOG("allocation %u", number);
		pages_unmap(mapping, 3 * TABLE);
		ASSERT_EQ(0, own_in_use(fd)) TH_LOG("allocation %u", number);
	}
	EXPECT_FALSE(failed);
	EXPECT_LT(0, failures);
	injected(failures, "an allocation, each in its turn");
}

TEST_F(injected, away)
{
	fail_each(_metadata, self->fd, NULL, away);
}

TEST_F(injected, away_large)
{
	fail_each(_metadata, self->fd, NULL, away_large);
}

TEST_F(injected, back)
{
	fail_each(_metadata, self->fd, away, back);
}

TEST_F(injected, back_in_pages)
{
	fail_each(_metadata, self->fd, away_large, back);
}

TEST_F(injected, back_large)
{
	fail_each(_metadata, self->fd, away_large, back_large);
}

TEST_F(injected, evicted)
{
	fail_each(_metadata, self->fd, away, evicted);
}

TEST_F(injected, evicted_in_pages)
{
	fail_each(_metadata, self->fd, away_large, evicted);
}

TEST_F(injected, evicted_large)
{
	fail_each(_metadata, self->fd, away_large, evicted_large);
}

TEST_F(injected, accessed)
{
	fail_each(_metadata, self->fd, away, accessed);
}

TEST_F(injected, accessed_large)
{
	fail_each(_metadata, self->fd, away_large, accessed);
}

TEST_HARNESS_MAIN
