// SPDX-License-Identifier: GPL-2.0
/*
 * What patches/fixes/ repair in the engine of mainline, mm/migrate_device.c:
 * what happens while it splits folios, collects pages, and empties a device.
 * The manual (fixes.rst) tells which patch each test needs, and what becomes of
 * a machine without it.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "mainline_fixture.h"
#include "test_hmm_uapi.h"

#define MILLISECONDS	3000

/* The next allocation that the device makes is too large for it. */
static void fail_alloc(int mirror)
{
	mirror_command(mirror, HMM_DMIRROR_FLAGS, NULL,
		       HMM_DMIRROR_FLAG_FAIL_ALLOC, NULL);
}

/* A huge page that two processes have gets small pages of the device. */
TEST_F(mainline, split_shared)
{
	char *memory = huge_pages_map(1, 1);
	struct pair pair;
	pid_t child;

	if (!huge_pages_exist())
		SKIP(return, NO_HUGE_PAGES);
	ASSERT_NE(NULL, memory);
	pair_init(&pair);
	child = fork();
	if (!child) {
		pair_child_turn(&pair);
		_exit(wrong(memory, TABLE, 1) == -1 ? 0 : 1);
	}
	ASSERT_TRUE(pair_wait(&pair));
	fail_alloc(self->mirror);
	ASSERT_EQ(TABLE, mirror_to_device(self->mirror, memory, TABLE));
	EXPECT_EQ(TABLE, pages_at(memory, TABLE, PRIVATE));
	pair_go(&pair);
	EXPECT_EQ(0, end_of(child));
	EXPECT_EQ(-1, wrong(memory, TABLE, 1));
}

/* Discards memory some time after it is told to; asleep until then. */
struct discarder {
	char *memory;
	unsigned int up_to_us;
	bool go, stopped;
	pthread_t thread;
};

static void *discard(void *argument)
{
	struct discarder *discarder = argument;
	unsigned int state = 1;

	on_any_cpu();
	while (!__atomic_load_n(&discarder->stopped, __ATOMIC_RELAXED)) {
		if (!__atomic_exchange_n(&discarder->go, false,
					 __ATOMIC_ACQUIRE)) {
			usleep(100);
			continue;
		}
		usleep(rand_r(&state) % discarder->up_to_us);
		madvise(discarder->memory, TABLE * PAGE, MADV_DONTNEED);
	}
	return NULL;
}

static int discarder_start(struct discarder *discarder)
{
	return pthread_create(&discarder->thread, NULL, discard, discarder);
}

static void discarder_go(struct discarder *discarder)
{
	__atomic_store_n(&discarder->go, true, __ATOMIC_RELEASE);
}

static void discarder_stop(struct discarder *discarder)
{
	__atomic_store_n(&discarder->stopped, true, __ATOMIC_RELAXED);
	pthread_join(discarder->thread, NULL);
}

static __u64 deadline(void)
{
	return now_ns() + MILLISECONDS * 1000000ULL;
}

/* Pages on the lists of memory that is somebody's. */
static long listed_pages(void)
{
	return vm_settled("nr_active_anon") + vm_settled("nr_inactive_anon");
}

/* A huge page is discarded while it is away from its page table. */
TEST_F(mainline, split_discarded)
{
	struct discarder discarder = { .up_to_us = 20000 };
	long before = listed_pages();
	__u64 end = deadline();

	if (!huge_pages_exist())
		SKIP(return, NO_HUGE_PAGES);
	discarder.memory = huge_pages_map(1, 1);
	ASSERT_NE(NULL, discarder.memory);
	ASSERT_EQ(0, discarder_start(&discarder));
	while (now_ns() < end) {
		discarder.memory[0] = 1;
		fail_alloc(self->mirror);
		discarder_go(&discarder);
		mirror_to_device(self->mirror, discarder.memory, TABLE);
	}
	discarder_stop(&discarder);
	pages_unmap(discarder.memory, TABLE);
	EXPECT_GT((long)TABLE, listed_pages() - before);
}

/* Pages of folios of this order. */
static char *folios_map(size_t npages, unsigned int order)
{
	char *memory = pages_map(npages);

	folio_order_set(order);
	if (memory && madvise(memory, npages * PAGE, MADV_HUGEPAGE))
		return NULL;
	return memory;
}

#define RELATIVES	64
#define HALF		(TABLE / 2)

/* To split a folio takes long when so many may have mapped it. */
static void fork_relatives(pid_t *children)
{
	int i;

	for (i = 0; i < RELATIVES; i++) {
		children[i] = fork();
		if (!children[i])
			for (;;)
				pause();
	}
}

static void end_relatives(const pid_t *children)
{
	int i;

	for (i = 0; i < RELATIVES; i++) {
		kill(children[i], SIGKILL);
		waitpid(children[i], NULL, 0);
	}
}

/*
 * A page table is emptied, and freed, while half of its pages are collected.
 * Nothing comes to be beyond the range.
 */
TEST_F(mainline, collect_discarded)
{
	struct discarder discarder = { .up_to_us = 20000 };
	char *memory = folios_map(2 * TABLE, 4);
	pid_t children[RELATIVES];
	size_t beyond = 0;
	__u64 end;

	if (!huge_pages_exist())
		SKIP(return, NO_HUGE_PAGES);
	ASSERT_NE(NULL, memory);
	memory[0] = 1;
	fork_relatives(children);
	end = deadline();
	discarder.memory = memory;
	ASSERT_EQ(0, discarder_start(&discarder));
	while (now_ns() < end && !beyond) {
		fill(memory, TABLE, 1);
		discarder_go(&discarder);
		mirror_to_device(self->mirror, memory + HALF * PAGE, HALF);
		beyond = TABLE - pages_at(memory + TABLE * PAGE, TABLE,
					  NOWHERE);
	}
	EXPECT_EQ(0, beyond);
	discarder_stop(&discarder);
	end_relatives(children);
	folio_order_reset();
}

/* The page that is asked for comes with the fault that splits its folio. */
TEST_F(mainline, one_fault)
{
	char *memory = huge_pages_map(1, 1);
	long before;

	if (!huge_pages_exist())
		SKIP(return, NO_HUGE_PAGES);
	ASSERT_NE(NULL, memory);
	ASSERT_EQ(TABLE, mirror_to_device(self->mirror, memory, TABLE));
	pages_unmap(memory + TABLE / 2 * PAGE, TABLE / 2);
	ASSERT_EQ(TABLE / 2, pages_at(memory, TABLE / 2, PRIVATE));
	before = page_faults();
	__atomic_load_n(memory + 5 * PAGE, __ATOMIC_RELAXED);
	EXPECT_EQ(before + 1, page_faults());
	EXPECT_EQ(-1, wrong(memory, TABLE / 2, 1));
}

struct move {
	int mirror;
	char *memory;
	size_t npages;
	bool done;
};

static void *move_away(void *argument)
{
	struct move *move = argument;

	mirror_to_device(move->mirror, move->memory, move->npages);
	__atomic_store_n(&move->done, true, __ATOMIC_RELAXED);
	return NULL;
}

/* The second folio is somebody else's, who may wait for the first. */
TEST_F(mainline, locked_folio)
{
	struct move move = { .mirror = self->mirror, .npages = 32 };
	pthread_t thread;

	if (!huge_pages_exist())
		SKIP(return, NO_HUGE_PAGES);
	move.memory = folios_map(32, 4);
	ASSERT_NE(NULL, move.memory);
	fill(move.memory, 32, 1);
	folio_order_reset();
	ASSERT_EQ(2, folios_of_order(move.memory, 32, 4));
	ASSERT_EQ(0, own_hold(self->own, pfn_of(move.memory + 16 * PAGE),
			      HMM_TEST_HOLD_LOCK));
	ASSERT_EQ(0, pthread_create(&thread, NULL, move_away, &move));
	sleep_ms(1500);
	EXPECT_TRUE(__atomic_load_n(&move.done, __ATOMIC_RELAXED));
	ASSERT_EQ(0, own_hold(self->own, 0, HMM_TEST_RELEASE_ALL));
	pthread_join(thread, NULL);
	EXPECT_EQ(16, pages_at(move.memory, 16, PRIVATE));
	EXPECT_EQ(-1, wrong(move.memory, 32, 1));
}

/*
 * A page that the process has given back while somebody else holds it has no
 * place any more, of which KASAN tells if one looks.
 */
TEST_F(mainline, evict_unmapped)
{
	char *memory = pages_map(TABLE);
	pid_t child = fork();

	if (!child) {
		self->mirror = mirror_open(MIRROR_PRIVATE);
		fill(memory, TABLE, 1);
		if (mirror_to_device(self->mirror, memory, TABLE) != TABLE ||
		    own_hold(self->own, pfn_of(memory),
			     HMM_TEST_HOLD_REFERENCE))
			_exit(1);
		_exit(0);
	}
	ASSERT_EQ(0, end_of(child));
	/* Memory that is freed stays readable for a while. */
	sleep_ms(500);
	close(mirror_open(MIRROR_PRIVATE));
	EXPECT_EQ(0, own_hold(self->own, 0, HMM_TEST_RELEASE_ALL));
}

TEST_HARNESS_MAIN
