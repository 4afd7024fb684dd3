// SPDX-License-Identifier: GPL-2.0
/*
 * Wherever a call allocates something, it may fail: the first allocation, the
 * second, and so on until a call has met none that failed. Of the many of a huge
 * page that is moved in pieces the first and the last fail one by one, and some
 * between; injected -a has each of those fail, too.
 * For kernels with fault injection.
 */
#include <stdlib.h>
#include <string.h>

#include "test.h"

#define MOST	4000	/* allocations of one call */

/*
 * Of which so many fail one by one, the first and the last, and one of so many
 * between: few on a kernel with checks, where each takes seconds.
 */
static unsigned int first = 48, last = 48;
static unsigned int stride = 41;

/*
 * What is in the range before each call.
 *
 * PIECES:   small pages and holes at the end of a page table, a huge page, and
 *           the begin of a table that is not there
 * NO_TABLE: as much as one huge page, and nothing is there yet, nor are two
 *           levels of tables above; a group that has no large folio pays for it
 * ZERO:     the huge zero page
 * MIXED:    all that mixed.c has: a smaller large folio, what a child has too,
 *           what is in the swap cache
 */
enum range_kind { PIECES, NO_TABLE, ZERO, MIXED };

#define FILLED	4
#define HOLES	4
#define HUGE	(FILLED + HOLES)
#define BEHIND	(HUGE + TABLE)
#define PAGES	(BEHIND + 4)

#define GROUP	"hmm_migrate_injected"

struct range {
	enum range_kind kind;
	char *memory;
	size_t npages;
	size_t swapped;		/* which no call takes */
	char *mapping;
	struct mixed mixed;
};

FIXTURE(injected)
{
	int fd;
};

/* Where the device's memory is. */
static struct hmm_test_stats device;

/* Open all the time: to open it would be one of the allocations. */
static int fail_nth_fd;

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
	fail_nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	ASSERT_GE(fail_nth_fd, 0);
	/* Memory begins on the node that it comes back to. */
	on_cpu(0);
	self->fd = own_open();
	ASSERT_GE(self->fd, 0);
	device = own_stats(self->fd);
	ASSERT_EQ(0, swap_on());
}

FIXTURE_TEARDOWN(injected)
{
	EXPECT_EQ(0, swap_off());
	EXPECT_EQ(0, own_in_use(self->fd));
	close(fail_nth_fd);
	close(self->fd);
}

static void fail_nth(unsigned int number)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", number);

	if (pwrite(fail_nth_fd, text, length, 0) != length)
		abort();
}

/* How many more it were to the one that fails; those that come next succeed. */
static long fail_none(void)
{
	char text[16] = {};

	if (pread(fail_nth_fd, text, sizeof(text) - 1, 0) <= 0)
		abort();
	fail_nth(0);
	return atol(text);
}

/* Which allocation of so many fails after this one. */
static unsigned int next(unsigned int number, unsigned int total)
{
	if (number < first || number + last >= total)
		return number + 1;
	return number + stride + last < total ? number + stride : total - last;
}

/* All of it is one area: a call is refused that reaches into a second one. */
static bool pieces_map(struct range *range)
{
	range->npages = PAGES;
	range->mapping = pages_map(3 * TABLE);
	range->memory = range->mapping + (TABLE - HUGE) * PAGE;
	fill(range->memory, FILLED, 1);
	madvise(range->mapping, 3 * TABLE * PAGE, MADV_HUGEPAGE);
	fill(range->memory + HUGE * PAGE, TABLE, 2);
	return true;
}

/* Far from everything else, so that it is alone in the upper tables. */
static bool no_table_map(struct range *range)
{
	if (groups_exist() && group_enter(GROUP))
		return false;
	range->npages = TABLE;
	range->memory = mmap((void *)(1UL << 44), TABLE * PAGE,
			     PROT_READ | PROT_WRITE, MAP_PRIVATE |
			     MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	return range->memory == (void *)(1UL << 44) &&
	       huge_pages_ask(range->memory, TABLE);
}

static bool zero_map(struct range *range)
{
	range->npages = TABLE;
	range->memory = pages_map(TABLE);
	return huge_pages_ask(range->memory, TABLE) &&
	       page_is_zero(range->memory, 0);
}

static bool all_mixed_map(struct range *range)
{
	size_t page;
	bool made;

	folio_order_add(4);
	made = mixed_map(&range->mixed, MIXED_PAGES, false);
	folio_order_reset();
	range->npages = MIXED_PAGES;
	range->memory = range->mixed.memory;
	for (page = 0; swap_exists() && page < MIXED_PAGES; page++)
		range->swapped += mixed_kind(&range->mixed, page) ==
				  MIXED_SWAPPED;
	return made;
}

static bool range_map(struct range *range, enum range_kind kind)
{
	*range = (struct range){ .kind = kind };
	switch (kind) {
	case PIECES:
		return pieces_map(range);
	case NO_TABLE:
		return no_table_map(range);
	case ZERO:
		return zero_map(range);
	case MIXED:
		return all_mixed_map(range);
	}
	return false;
}

static bool range_is_intact(const struct range *range)
{
	const char *memory = range->memory;
	size_t page;

	switch (range->kind) {
	case PIECES:
		return wrong(memory, FILLED, 1) == -1 &&
		       page_is_zero(memory, FILLED) &&
		       wrong(memory + HUGE * PAGE, TABLE, 2) == -1 &&
		       page_is_zero(memory, BEHIND);
	case MIXED:
		return mixed_wrong(&range->mixed) == -1;
	default:
		for (page = 0; page < TABLE; page++)
			if (!page_is_zero(memory, page))
				return false;
		return true;
	}
}

/* False: a child did not have what it should have. */
static bool range_unmap(struct range *range)
{
	switch (range->kind) {
	case PIECES:
		pages_unmap(range->mapping, 3 * TABLE);
		return true;
	case MIXED:
		return mixed_unmap(&range->mixed) == 0;
	case NO_TABLE:
		pages_unmap(range->memory, TABLE);
		return !groups_exist() || group_leave(GROUP) == 0;
	default:
		pages_unmap(range->memory, TABLE);
		return true;
	}
}

/* With an errno it does not come as far as the engine, which is no matter. */
static void move(int fd, const struct range *range, int to, unsigned int node,
		 unsigned int flags)
{
	struct hmm_test_move move = own_request(range->memory, range->npages,
						to, flags);

	move.node = node;
	own_call(fd, &move);
}

static void away(int fd, const struct range *range)
{
	move(fd, range, HMM_TEST_TO_DEVICE, 0, HMM_TEST_FROM_SYSTEM);
}

static void away_large(int fd, const struct range *range)
{
	move(fd, range, HMM_TEST_TO_DEVICE, 0,
	     HMM_TEST_FROM_SYSTEM | HMM_TEST_LARGE);
}

static void to_node(int fd, const struct range *range)
{
	move(fd, range, HMM_TEST_TO_NODE, 1,
	     HMM_TEST_FROM_SYSTEM | HMM_TEST_TO_SYSTEM);
}

static void to_node_large(int fd, const struct range *range)
{
	move(fd, range, HMM_TEST_TO_NODE, 1,
	     HMM_TEST_FROM_SYSTEM | HMM_TEST_TO_SYSTEM | HMM_TEST_LARGE);
}

static void back(int fd, const struct range *range)
{
	move(fd, range, HMM_TEST_TO_NODE, 0,
	     HMM_TEST_FROM_DEVICE | HMM_TEST_TO_SYSTEM);
}

static void back_large(int fd, const struct range *range)
{
	move(fd, range, HMM_TEST_TO_NODE, 0,
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

static void evicted(int fd, const struct range *range)
{
	evict(fd, 0);
}

static void evicted_large(int fd, const struct range *range)
{
	evict(fd, HMM_TEST_LARGE);
}

/* What of the range is on the device, by a list. */
static void evict_list(int fd, const struct range *range, unsigned int flags)
{
	__u64 words[MIXED_PAGES] = {}, entries[MIXED_PAGES];
	enum place places[MIXED_PAGES];
	/* What this asks for itself does not fail. */
	long left = fail_none();
	struct hmm_test_evict evict = {
		.npages = range->npages,
		.words = (uintptr_t)words,
		.function = HMM_TEST_DEVICE_PFNS,
		.flags = HMM_TEST_TO_SYSTEM | flags,
	};
	size_t page;

	entries_of(range->memory, range->npages, entries, places);
	for (page = 0; page < range->npages; page++)
		if (places[page] == PRIVATE)
			words[page] = HMM_TEST_WORD_OF(pfn_in(entries[page]));
	fail_nth(left);
	own_evict(fd, &evict);
}

static void evicted_by_list(int fd, const struct range *range)
{
	evict_list(fd, range, 0);
}

static void evicted_by_list_large(int fd, const struct range *range)
{
	evict_list(fd, range, HMM_TEST_LARGE);
}

/* The kernel reads for us: what cannot be read is an error, no signal. */
static void accessed(int fd, const struct range *range)
{
	can_read(range->memory + 3 * PAGE);
	can_read(range->memory + (HUGE + 5) * PAGE);
}

typedef void (*call_t)(int fd, const struct range *range);

/* What is done again and again, each time after something else. */
struct plan {
	enum range_kind kind;
	call_t before, call;
	unsigned int failures;		/* allocations that have failed */
	unsigned int of_the_engine;	/* of those, how many it told of */
};

/* Once; tells how many more allocations it were to the one that fails. */
static long try_once(struct __test_metadata *_metadata, int fd,
		     struct plan *plan, unsigned int number)
{
	struct hmm_test_stats stats;
	struct range range;
	long left;

	ASSERT_TRUE(range_map(&range, plan->kind));
	if (plan->before) {
		plan->before(fd, &range);
		ASSERT_EQ(range.npages - range.swapped, own_in_use(fd));
	}
	fail_nth(number);
	plan->call(fd, &range);
	left = fail_none();
	plan->failures += !left;
	stats = own_stats(fd);
	plan->of_the_engine += stats.last.left[HMM_TEST_NO_MEMORY] > 0;
	ASSERT_EQ(0, stats.last.contract)
		TH_LOG("allocation %u: %s", number, own_describe(&stats.last));
	ASSERT_EQ(0, stats.last_fault.contract)
		TH_LOG("allocation %u: %s", number,
		       own_describe(&stats.last_fault));
	ASSERT_EQ(pages_at(range.memory, range.npages, PRIVATE), own_in_use(fd))
		TH_LOG("allocation %u", number);
	ASSERT_TRUE(range_is_intact(&range)) TH_LOG("allocation %u", number);
	/* Whatever has failed, nothing is in the way now. */
	away(fd, &range);
	ASSERT_EQ(range.npages, own_in_use(fd))
		TH_LOG("allocation %u", number);
	ASSERT_TRUE(range_is_intact(&range)) TH_LOG("allocation %u", number);
	ASSERT_TRUE(range_unmap(&range)) TH_LOG("allocation %u", number);
	ASSERT_EQ(0, own_in_use(fd)) TH_LOG("allocation %u", number);
	return left;
}

/*
 * Does something, after something else, with every allocation failing once. To
 * fill holes the engine allocates something itself, and says so when that fails;
 * but what small pages need in place of the huge zero page is there.
 */
static void fail_each(struct __test_metadata *_metadata, int fd,
		      enum range_kind kind, call_t before, call_t call)
{
	struct plan plan = { .kind = kind, .before = before, .call = call };
	unsigned int number = 1, total;

	/*
	 * At first without a failure: what the kernel allocates once and for all
	 * is there then, and how many others there are is known.
	 */
	try_once(_metadata, fd, &plan, MOST);
	total = MOST - try_once(_metadata, fd, &plan, MOST);
	ASSERT_LT(total, MOST);
	while (!try_once(_metadata, fd, &plan, number))
		number = next(number, total);
	EXPECT_LT(0, plan.failures);
	EXPECT_EQ(!before && !(kind == ZERO && call == away),
		  plan.of_the_engine > 0)
		TH_LOG("%u allocations, %u failed, the last was %u", total,
		       plan.failures, number);
	injected(plan.failures, "an allocation, each in its turn");
}

TEST_F(injected, away)
{
	fail_each(_metadata, self->fd, PIECES, NULL, away);
}

TEST_F(injected, away_large)
{
	fail_each(_metadata, self->fd, PIECES, NULL, away_large);
}

TEST_F(injected, no_table)
{
	fail_each(_metadata, self->fd, NO_TABLE, NULL, away);
}

TEST_F(injected, no_table_large)
{
	fail_each(_metadata, self->fd, NO_TABLE, NULL, away_large);
}

TEST_F(injected, no_table_to_node)
{
	fail_each(_metadata, self->fd, NO_TABLE, NULL, to_node_large);
}

TEST_F(injected, zero_page)
{
	fail_each(_metadata, self->fd, ZERO, NULL, away);
}

TEST_F(injected, zero_page_large)
{
	fail_each(_metadata, self->fd, ZERO, NULL, away_large);
}

TEST_F(injected, mixed)
{
	fail_each(_metadata, self->fd, MIXED, NULL, away);
}

TEST_F(injected, mixed_large)
{
	fail_each(_metadata, self->fd, MIXED, NULL, away_large);
}

TEST_F(injected, mixed_to_node)
{
	fail_each(_metadata, self->fd, MIXED, NULL, to_node);
}

TEST_F(injected, mixed_to_node_large)
{
	fail_each(_metadata, self->fd, MIXED, NULL, to_node_large);
}

TEST_F(injected, mixed_back)
{
	fail_each(_metadata, self->fd, MIXED, away_large, back_large);
}

TEST_F(injected, back)
{
	fail_each(_metadata, self->fd, PIECES, away, back);
}

TEST_F(injected, back_in_pages)
{
	fail_each(_metadata, self->fd, PIECES, away_large, back);
}

TEST_F(injected, back_large)
{
	fail_each(_metadata, self->fd, PIECES, away_large, back_large);
}

TEST_F(injected, evicted)
{
	fail_each(_metadata, self->fd, PIECES, away, evicted);
}

TEST_F(injected, evicted_in_pages)
{
	fail_each(_metadata, self->fd, PIECES, away_large, evicted);
}

TEST_F(injected, evicted_large)
{
	fail_each(_metadata, self->fd, PIECES, away_large, evicted_large);
}

TEST_F(injected, evicted_by_list)
{
	fail_each(_metadata, self->fd, MIXED, away_large, evicted_by_list);
}

TEST_F(injected, evicted_by_list_large)
{
	fail_each(_metadata, self->fd, MIXED, away_large,
		  evicted_by_list_large);
}

TEST_F(injected, accessed)
{
	fail_each(_metadata, self->fd, PIECES, away, accessed);
}

TEST_F(injected, accessed_large)
{
	fail_each(_metadata, self->fd, PIECES, away_large, accessed);
}

/* -a: all of them, one by one. */
int main(int argc, char **argv)
{
	if (patience() > 1) {
		/* What the checks allocate comes and goes: the engine's are before. */
		first = 4;
		last = 16;
		stride = 151;
	}
	if (argc > 1 && !strcmp(argv[1], "-a")) {
		stride = 1;
		argv[1] = argv[0];
		argv++;
		argc--;
	}
	return test_harness_run(argc, argv);
}
