// SPDX-License-Identifier: GPL-2.0
/* The driver empties its memory, by ranges and by lists of its pages. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "test.h"
#include "test_hmm_uapi.h"

#define PAGES	700

/* What patches/fixes/ repair takes the device's right with the marks. */
#ifdef FIXES
#define MAY_WRITE	0
#else
#define MAY_WRITE	1
#endif

FIXTURE(evict)
{
	int fd;
	char *memory;
	__u64 first_pfn;
	__u64 device_pages;
};

FIXTURE_SETUP(evict)
{
	struct hmm_test_stats stats;

	on_cpu(0);
	self->fd = own_open();
	ASSERT_GE(self->fd, 0);
	stats = own_stats(self->fd);
	self->first_pfn = stats.first_pfn;
	self->device_pages = stats.npages;
	ASSERT_EQ(0, own_in_use(self->fd));
	self->memory = pages_map(PAGES);
	fill(self->memory, PAGES, 1);
	ASSERT_EQ(PAGES, own_to_device(self->fd, self->memory, PAGES));
}

FIXTURE_TEARDOWN(evict)
{
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
	EXPECT_EQ(0, own_in_use(self->fd));
	close(self->fd);
}

static struct hmm_test_evict range(__u64 first, __u64 npages)
{
	struct hmm_test_evict evict = {
		.first_pfn = first,
		.npages = npages,
		.function = HMM_TEST_DEVICE_RANGE,
		.flags = HMM_TEST_TO_SYSTEM,
	};

	return evict;
}

static struct hmm_test_evict list(__u64 *words, __u64 npages)
{
	struct hmm_test_evict evict = {
		.npages = npages,
		.words = (uintptr_t)words,
		.function = HMM_TEST_DEVICE_PFNS,
		.flags = HMM_TEST_TO_SYSTEM,
	};

	return evict;
}

TEST_F(evict, everything)
{
	struct hmm_test_evict evict = range(self->first_pfn,
					    self->device_pages);

	ASSERT_EQ(0, own_evict(self->fd, &evict));
	EXPECT_EQ(0, evict.result.ret);
	EXPECT_EQ(PAGES, evict.result.migrated)
		TH_LOG("%s", own_describe(&evict.result));
	EXPECT_EQ(0, own_in_use(self->fd));
	EXPECT_EQ(PAGES, pages_at(self->memory, PAGES, SYSTEM));
}

/* With an array of words, which say of each page what became of it. */
TEST_F(evict, with_words)
{
	__u64 *words = calloc(self->device_pages, sizeof(*words));
	struct hmm_test_evict evict = range(self->first_pfn,
					    self->device_pages);
	size_t i, moved = 0;

	evict.words = (uintptr_t)words;
	ASSERT_EQ(0, own_evict(self->fd, &evict));
	for (i = 0; i < self->device_pages; i++)
		moved += words[i] == HMM_TEST_WORD_MIGRATE;
	EXPECT_EQ(PAGES, moved);
	EXPECT_EQ(PAGES, evict.result.migrated);
}

/* Somebody comes to use a page that is copied: it is still the device's. */
TEST_F(evict, used_after_the_copy)
{
	struct hmm_test_evict evict = range(self->first_pfn,
					    self->device_pages);

	evict.driver.hold_every = 4;
	ASSERT_EQ(0, own_evict(self->fd, &evict));
	EXPECT_EQ(PAGES, evict.result.given);
	EXPECT_EQ(PAGES / 4, evict.result.left[HMM_TEST_PINNED])
		TH_LOG("%s", own_describe(&evict.result));
	EXPECT_EQ(PAGES - PAGES / 4, evict.result.migrated);
	EXPECT_EQ(PAGES / 4, own_in_use(self->fd));
	EXPECT_EQ(PAGES / 4, pages_at(self->memory, PAGES, PRIVATE));
}

/* One page after the other, and half a window: just those come back. */
TEST_F(evict, parts)
{
	struct hmm_test_evict evict;
	__u64 pfn;
	int page;

	for (page = 0; page < 5; page++) {
		pfn = pfn_of(self->memory + page * PAGE);
		evict = range(pfn, 1);
		ASSERT_EQ(0, own_evict(self->fd, &evict));
		EXPECT_EQ(1, evict.result.migrated)
			TH_LOG("%s", own_describe(&evict.result));
		EXPECT_EQ(SYSTEM, place_of(self->memory + page * PAGE));
		EXPECT_EQ(page + 1, pages_at(self->memory, PAGES, SYSTEM));
	}
}

/*
 * What the device could write is soft-dirty when it is back, and what it could
 * not is not: of a few pages as well, and where the mmap lock cannot be had.
 */
TEST_F(evict, soft_dirty)
{
	struct hmm_test_evict evict;
	__u64 words[3];
	int page;

	if (!soft_dirty_exists())
		SKIP(return, NO_SOFT_DIRTY);
	ASSERT_EQ(0, mprotect(self->memory, PAGE, PROT_READ));
	ASSERT_EQ(0, file_write("/proc/self/clear_refs", "4"));
	ASSERT_EQ(0, pages_with(self->memory, PAGES, PM_SOFT_DIRTY));
	for (page = 0; page < 3; page++)
		words[page] = HMM_TEST_WORD_OF(pfn_of(self->memory +
						      page * PAGE));
	evict = list(words, 3);
	ASSERT_EQ(0, own_evict(self->fd, &evict));
	ASSERT_EQ(3, evict.result.migrated)
		TH_LOG("%s", own_describe(&evict.result));
	EXPECT_FALSE(pagemap(self->memory) & PM_SOFT_DIRTY);
	EXPECT_EQ(2 * MAY_WRITE,
		  pages_with(self->memory, PAGES, PM_SOFT_DIRTY));

	evict = range(self->first_pfn, self->device_pages);
	evict.mmap_locked = 1;
	ASSERT_EQ(0, own_evict(self->fd, &evict));
	EXPECT_EQ(PAGES - 3, evict.result.migrated)
		TH_LOG("%s", own_describe(&evict.result));
	EXPECT_EQ((PAGES - 1) * MAY_WRITE,
		  pages_with(self->memory, PAGES, PM_SOFT_DIRTY));
}

/* The same of a huge page that has an entry for each of its pages. */
TEST_F(evict, soft_dirty_huge)
{
	struct hmm_test_evict evict;
	char *memory;

	if (!soft_dirty_exists())
		SKIP(return, NO_SOFT_DIRTY);
	if (!huge_pages_exist())
		SKIP(return, NO_HUGE_PAGES);
	memory = huge_pages_map(1, 1);
	ASSERT_NE(NULL, memory);
	ASSERT_EQ(TABLE, own_to_device(self->fd, memory, TABLE));
	ASSERT_EQ(0, mprotect(memory, PAGE, PROT_READ));
	ASSERT_EQ(0, file_write("/proc/self/clear_refs", "4"));
	ASSERT_EQ(0, pages_with(memory, TABLE, PM_SOFT_DIRTY));
	evict = range(pfn_of(memory), TABLE);
	evict.flags |= HMM_TEST_LARGE;
	evict.mmap_locked = 1;
	ASSERT_EQ(0, own_evict(self->fd, &evict));
	ASSERT_EQ(TABLE, evict.result.migrated)
		TH_LOG("%s", own_describe(&evict.result));
	EXPECT_EQ(1, evict.result.given);
	EXPECT_EQ((TABLE - 1) * MAY_WRITE,
		  pages_with(memory, TABLE, PM_SOFT_DIRTY));
	EXPECT_EQ(-1, wrong(memory, TABLE, 1));
	pages_unmap(memory, TABLE);
}

static void *thread_moves(void *argument)
{
	int fd = own_open();
	long ret = own_call(fd, argument);

	close(fd);
	return (void *)ret;
}

/* To make a thread later would wait for the mmap lock. */
static void *thread_clears(void *argument)
{
	int *fd = argument;
	long ret = own_wait_for_callback(*fd);

	if (!ret)
		ret = file_write("/proc/self/clear_refs", "4");
	return (void *)ret;
}

/*
 * Marks are taken from a huge page that is on its way, and comes back to where
 * the device may write. Who has the mmap lock for a while, and who waits for
 * it, keep an eviction from having it.
 */
TEST_F(evict, soft_dirty_huge_meanwhile)
{
	const unsigned int ms = 300 * patience();
	struct hmm_test_evict evict;
	struct hmm_test_move move;
	pthread_t mover, clearer;
	char *memory, *other;
	void *ret;

	if (!soft_dirty_exists())
		SKIP(return, NO_SOFT_DIRTY);
	if (!huge_pages_exist())
		SKIP(return, NO_HUGE_PAGES);
	memory = huge_pages_map(1, 1);
	ASSERT_NE(NULL, memory);
	ASSERT_EQ(TABLE, own_to_device(self->fd, memory, TABLE));
	evict = range(pfn_of(memory), TABLE);
	evict.flags |= HMM_TEST_LARGE;
	evict.driver.decline_every = 1;
	evict.driver.delay_alloc_us = 4 * ms * 1000;
	other = pages_map(1);
	fill(other, 1, 1);
	move = own_request(other, 1, HMM_TEST_TO_DEVICE, 0);
	move.driver.delay_alloc_us = 2 * ms * 1000;
	ASSERT_EQ(0, pthread_create(&clearer, NULL, thread_clears, &self->fd));
	ASSERT_EQ(0, pthread_create(&mover, NULL, thread_moves, &move));
	ASSERT_EQ(0, own_wait_for_callback(self->fd));
	sleep_ms(ms);
	ASSERT_EQ(0, own_evict(self->fd, &evict));
	EXPECT_EQ(1, evict.result.declined);
	ASSERT_EQ(0, pthread_join(mover, &ret));
	EXPECT_EQ(NULL, ret);
	ASSERT_EQ(0, pthread_join(clearer, &ret));
	EXPECT_EQ(NULL, ret);
	ASSERT_EQ(0, pages_with(memory, TABLE, PM_SOFT_DIRTY));
	evict.driver = (struct hmm_test_driver) {};
	evict.mmap_locked = 1;
	ASSERT_EQ(0, own_evict(self->fd, &evict));
	EXPECT_EQ(1, evict.result.given);
	EXPECT_EQ(TABLE * MAY_WRITE, pages_with(memory, TABLE, PM_SOFT_DIRTY));
	EXPECT_EQ(-1, wrong(memory, TABLE, 1));
	pages_unmap(memory, TABLE);
	pages_unmap(other, 1);
}

/* Whatever lies beside the device's memory is not touched. */
TEST_F(evict, beyond_the_device)
{
	struct hmm_test_evict evict = range(self->first_pfn - 100,
					    self->device_pages + 200);

	ASSERT_EQ(0, own_evict(self->fd, &evict));
	EXPECT_EQ(0, evict.result.ret);
	EXPECT_EQ(PAGES, evict.result.migrated)
		TH_LOG("%s", own_describe(&evict.result));
}

/*
 * Every second page, the first one first or the last. Pages that the list does
 * not have stay, whatever follows on the device.
 */
static void listed(struct __test_metadata *_metadata, int fd, char *memory,
		   bool up)
{
	struct hmm_test_evict evict;
	__u64 words[PAGES];
	int page;

	for (page = 0; page < PAGES / 2; page++)
		words[page] = HMM_TEST_WORD_OF(pfn_of(memory +
				(up ? 2 * page : PAGES - 2 - 2 * page) * PAGE));
	evict = list(words, PAGES / 2);
	ASSERT_EQ(0, own_evict(fd, &evict));
	EXPECT_EQ(0, evict.result.ret);
	EXPECT_EQ(PAGES / 2, evict.result.migrated)
		TH_LOG("%s", own_describe(&evict.result));
	for (page = 0; page < PAGES; page++)
		ASSERT_EQ(page % 2 ? PRIVATE : SYSTEM,
			  place_of(memory + page * PAGE));
	for (page = 0; page < PAGES / 2; page++)
		EXPECT_EQ(HMM_TEST_WORD_MIGRATE, words[page]);
}

/* In both orders: a device hands out its pages in one, and then in the other. */
TEST_F(evict, list)
{
	int round;

	for (round = 0; round < 4; round++) {
		listed(_metadata, self->fd, self->memory, round % 2);
		own_to_system(self->fd, self->memory, PAGES);
		ASSERT_EQ(0, own_in_use(self->fd));
		ASSERT_EQ(PAGES, own_to_device(self->fd, self->memory, PAGES));
	}
}

/* A list with gaps, the same page twice, and all sorts of nonsense. */
TEST_F(evict, odd_list)
{
	char *system = pages_map(1);
	struct hmm_test_evict evict;
	__u64 words[10];

	fill(system, 1, 2);
	words[0] = 0;
	words[1] = HMM_TEST_WORD_OF(pfn_of(self->memory));
	words[2] = HMM_TEST_WORD_OF(pfn_of(self->memory));
	words[3] = HMM_TEST_WORD_OF(pfn_of(system));
	words[4] = ~0ULL;
	words[5] = HMM_TEST_WORD_OF((1ULL << 40) - 1);
	words[6] = HMM_TEST_WORD_OF(0xfee00);
	words[7] = HMM_TEST_WORD_OF(0);
	words[8] = 0x1234567 << 1;
	words[9] = HMM_TEST_WORD_OF(pfn_of(self->memory + PAGE));
	evict = list(words, 10);
	ASSERT_EQ(0, own_evict(self->fd, &evict));
	EXPECT_EQ(0, evict.result.ret);
	EXPECT_EQ(2, evict.result.migrated)
		TH_LOG("%s", own_describe(&evict.result));
	EXPECT_EQ(2, pages_at(self->memory, PAGES, SYSTEM));
	EXPECT_EQ(SYSTEM, place_of(self->memory));
	EXPECT_EQ(SYSTEM, place_of(self->memory + PAGE));
	EXPECT_EQ(HMM_TEST_WORD_MIGRATE, words[9]);
	EXPECT_EQ(-1, wrong(system, 1, 2));
}

/* Another device's pages, by a driver that has no business with them. */
TEST_F(evict, foreign)
{
	int mirror = mirror_open(MIRROR_PRIVATE);
	char *memory = pages_map(10);
	struct hmm_test_evict evict;
	__u64 words[10];
	int page;

	ASSERT_GE(mirror, 0);
	fill(memory, 10, 2);
	ASSERT_EQ(10, mirror_to_device(mirror, memory, 10));
	for (page = 0; page < 10; page++)
		words[page] = HMM_TEST_WORD_OF(pfn_of(memory + page * PAGE));
	evict = list(words, 10);
	ASSERT_EQ(0, own_evict(self->fd, &evict));
	EXPECT_EQ(0, evict.result.migrated);
	EXPECT_EQ(10, evict.result.left[HMM_TEST_FOREIGN])
		TH_LOG("%s", own_describe(&evict.result));
	EXPECT_EQ(10, pages_at(memory, 10, PRIVATE));

	evict = range(pfn_of(memory), 1);
	ASSERT_EQ(0, own_evict(self->fd, &evict));
	EXPECT_EQ(1, evict.result.left[HMM_TEST_FOREIGN]);
	EXPECT_EQ(-1, wrong(memory, 10, 2));
	close(mirror);
}

/* And nobody else has any with this device's. */
TEST_F(evict, not_the_owner)
{
	struct hmm_test_evict evict;

	evict = range(self->first_pfn, self->device_pages);
	evict.owner = HMM_TEST_OWNER_OTHER;
	ASSERT_EQ(0, own_evict(self->fd, &evict));
	EXPECT_EQ(0, evict.result.migrated)
		TH_LOG("%s", own_describe(&evict.result));
	EXPECT_EQ(0, evict.result.ret);
	EXPECT_EQ(PAGES, own_in_use(self->fd));
	EXPECT_EQ(PAGES, pages_at(self->memory, PAGES, PRIVATE));
}

/*
 * A driver comes again until its device is empty: a call that can take nothing
 * of it must not look as if it had been of use.
 */
TEST_F(evict, takes_nothing)
{
	struct hmm_test_evict evict;
	__u64 word = HMM_TEST_WORD_OF(self->first_pfn);

	evict = range(self->first_pfn, self->device_pages);
	evict.owner = HMM_TEST_OWNER_NONE;
	ASSERT_EQ(0, own_evict(self->fd, &evict));
	EXPECT_EQ(-EINVAL, evict.result.ret);
	evict = range(self->first_pfn, self->device_pages);
	evict.flags |= HMM_TEST_FROM_SYSTEM;
	ASSERT_EQ(0, own_evict(self->fd, &evict));
	EXPECT_EQ(-EINVAL, evict.result.ret);
	evict = list(&word, 1);
	evict.owner = HMM_TEST_OWNER_NONE;
	ASSERT_EQ(0, own_evict(self->fd, &evict));
	EXPECT_EQ(-EINVAL, evict.result.ret);
	EXPECT_EQ(HMM_TEST_WORD_OF(self->first_pfn), word);
	EXPECT_EQ(PAGES, own_in_use(self->fd));
	EXPECT_EQ(PAGES, pages_at(self->memory, PAGES, PRIVATE));
}

/* Pages that nobody uses, or that nobody uses any more. */
TEST_F(evict, free_pages)
{
	struct hmm_test_evict evict = range(self->first_pfn,
					    self->device_pages);
	char *gone = pages_map(10);
	__u64 words[10];
	int page;

	fill(gone, 10, 2);
	ASSERT_EQ(10, own_to_device(self->fd, gone, 10));
	for (page = 0; page < 10; page++)
		words[page] = HMM_TEST_WORD_OF(pfn_of(gone + page * PAGE));
	pages_unmap(gone, 10);
	ASSERT_EQ(PAGES, own_in_use(self->fd));
	evict = list(words, 10);
	ASSERT_EQ(0, own_evict(self->fd, &evict));
	EXPECT_EQ(0, evict.result.migrated);
	EXPECT_EQ(10, evict.result.left[HMM_TEST_NOT_MAPPED])
		TH_LOG("%s", own_describe(&evict.result));
	EXPECT_EQ(PAGES, own_in_use(self->fd));
}

/* Somebody still uses pages of a process that is gone, with all its areas. */
TEST_F(evict, nobody_maps_them)
{
	struct hmm_test_evict evict = range(self->first_pfn,
					    self->device_pages);
	pid_t child = fork();
	char *memory;
	int page;

	if (!child) {
		memory = pages_map(20);
		fill(memory, 20, 2);
		if (own_to_device(self->fd, memory, 20) != 20)
			_exit(1);
		for (page = 0; page < 20; page++)
			if (own_hold(self->fd, pfn_of(memory + page * PAGE),
				     HMM_TEST_HOLD_REFERENCE))
				_exit(2);
		_exit(0);
	}
	ASSERT_EQ(0, end_of(child));
	ASSERT_EQ(PAGES + 20, own_in_use(self->fd));
	ASSERT_EQ(0, own_evict(self->fd, &evict));
	EXPECT_EQ(PAGES, evict.result.migrated)
		TH_LOG("%s", own_describe(&evict.result));
	EXPECT_EQ(20, own_in_use(self->fd));
	ASSERT_EQ(0, own_hold(self->fd, 0, HMM_TEST_RELEASE_ALL));
}

/* Busy pages stay; the driver comes again. */
TEST_F(evict, busy)
{
	struct hmm_test_evict evict = range(self->first_pfn,
					    self->device_pages);
	int page;

	for (page = 0; page < 10; page++)
		ASSERT_EQ(0, own_hold(self->fd,
				      pfn_of(self->memory + page * PAGE),
				      page < 5 ? HMM_TEST_HOLD_REFERENCE :
						 HMM_TEST_HOLD_LOCK));
	ASSERT_EQ(0, own_evict(self->fd, &evict));
	EXPECT_EQ(5, evict.result.left[HMM_TEST_PINNED])
		TH_LOG("%s", own_describe(&evict.result));
	EXPECT_EQ(5, evict.result.left[HMM_TEST_LOCKED]);
	EXPECT_EQ(PAGES - 10, evict.result.migrated);
	EXPECT_EQ(10, pages_at(self->memory, 10, PRIVATE));

	ASSERT_EQ(0, own_hold(self->fd, 0, HMM_TEST_RELEASE_ALL));
	evict = range(self->first_pfn, self->device_pages);
	ASSERT_EQ(0, own_evict(self->fd, &evict));
	EXPECT_EQ(10, evict.result.migrated);
	EXPECT_EQ(0, own_in_use(self->fd));
}

TEST_F(evict, shared)
{
	struct hmm_test_evict evict = range(self->first_pfn,
					    self->device_pages);
	struct pair pair;
	pid_t child;

	pair_init(&pair);
	child = fork();
	if (!child) {
		pair_child_turn(&pair);
		if (pages_at(self->memory, PAGES, SYSTEM) != PAGES)
			_exit(1);
		if (wrong(self->memory, PAGES, 1) != -1)
			_exit(2);
		fill(self->memory, PAGES, 2);
		_exit(wrong(self->memory, PAGES, 2) == -1 ? 0 : 3);
	}
	ASSERT_TRUE(pair_wait(&pair));
	ASSERT_EQ(0, own_evict(self->fd, &evict));
	EXPECT_EQ(PAGES, evict.result.migrated)
		TH_LOG("%s", own_describe(&evict.result));
	pair_go(&pair);
	EXPECT_EQ(0, end_of(child));
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
}

/* The driver declines, and breaks a rule, here as well. */
TEST_F(evict, bad_driver)
{
	struct hmm_test_evict evict = range(self->first_pfn,
					    self->device_pages);

	evict.driver.decline_every = 3;
	evict.driver.rule = HMM_TEST_RULE_PROMISE;
	evict.driver.rule_every = 8;
	ASSERT_EQ(0, own_evict(self->fd, &evict));
	EXPECT_LT(0, evict.result.declined);
	EXPECT_LT(0, evict.result.broken);
	EXPECT_EQ(evict.result.declined, evict.result.left[HMM_TEST_DECLINED])
		TH_LOG("%s", own_describe(&evict.result));
	EXPECT_EQ(evict.result.broken,
		  evict.result.left[HMM_TEST_BAD_DESTINATION]);
	EXPECT_EQ(PAGES - evict.result.declined - evict.result.broken,
		  evict.result.migrated);
}

/* Page by page: where one is missing, the device looks for all that follow. */
static bool device_reads(int fd, char *memory, unsigned int seed)
{
	char *copy = pages_map(PAGES);
	size_t page;

	for (page = 0; page < PAGES; page++)
		if (mirror_command(fd, HMM_DMIRROR_READ, memory + page * PAGE,
				   1, copy + page * PAGE) != 1)
			return false;
	page = wrong(copy, PAGES, seed);
	pages_unmap(copy, PAGES);
	return page == (size_t)-1;
}

/*
 * Who empties a device does not know whose memory that is: every process that
 * mirrors it must forget what it has, though the device is its own. Pages that
 * follow each other on the device are evicted in another way than others: they
 * are handed out in one order, and after a round trip in the other.
 */
static void evicted_by_another(struct __test_metadata *_metadata, int unit,
			       bool turned)
{
	char *memory = pages_map(PAGES);
	int fd = mirror_open(unit), other = mirror_open(unit);

	ASSERT_GE(fd, 0);
	ASSERT_GE(other, 0);
	fill(memory, PAGES, 1);
	if (turned) {
		ASSERT_EQ(PAGES, mirror_to_device(fd, memory, PAGES));
		mirror_to_system(fd, memory, PAGES);
		ASSERT_EQ(PAGES, pages_at(memory, PAGES, SYSTEM));
	}
	ASSERT_EQ(PAGES, mirror_to_device(fd, memory, PAGES));
	ASSERT_TRUE(device_reads(fd, memory, 1));
	/* Whoever closes the device empties it. */
	close(other);
	ASSERT_EQ(PAGES, pages_at(memory, PAGES, SYSTEM));
	fill(memory, PAGES, 2);
	EXPECT_TRUE(device_reads(fd, memory, 2));
	close(fd);
	pages_unmap(memory, PAGES);
}

TEST(mirrors_forget)
{
	evicted_by_another(_metadata, MIRROR_PRIVATE, false);
	evicted_by_another(_metadata, MIRROR_PRIVATE, true);
	evicted_by_another(_metadata, MIRROR_COHERENT, false);
	evicted_by_another(_metadata, MIRROR_COHERENT, true);
}

TEST_HARNESS_MAIN
