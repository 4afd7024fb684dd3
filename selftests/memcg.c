// SPDX-License-Identifier: GPL-2.0
/*
 * A control group pays for the memory of its processes wherever it is: the
 * books balance, its limit holds, and one that is killed for it leaves
 * nothing behind.
 */
#include <errno.h>
#include <linux/kernel-page-flags.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "mover_fixture.h"

#define GROUP	"hmm_migrate_memcg"
#define PAGES	1024
#define SLACK	(128 * (long)PAGE)	/* what a processor counts apart */
#define FLUSHED	512	/* changes after which what processors count is added up */

/* Nobody who asks is told of a few changes, but of many. */
static long stat_with_few(const char *key)
{
	char *memory = pages_map(FLUSHED);
	size_t page;

	for (page = 0; page < FLUSHED; page++)
		memory[page * PAGE] = 1;
	pages_unmap(memory, FLUSHED);
	return group_number(GROUP, "memory.stat", key);
}

/*
 * Exact. The kernel adds up every two seconds by itself, too, and if it has
 * just done so there are only a few changes to be told of again.
 */
static long stat_of(const char *key)
{
	long now = stat_with_few(key), last;

	do {
		last = now;
		now = stat_with_few(key);
	} while (now != last);
	return now;
}

static long used(void)
{
	return group_number(GROUP, "memory.current", NULL);
}

static long dying(void)
{
	return file_number("/sys/fs/cgroup/cgroup.stat",
			   "nr_dying_subsys_memory");
}

/* What a process leaves behind may be counted for a while after its end. */
static bool comes_near(long expected)
{
	int tries;

	for (tries = 0; tries < 100; tries++) {
		if (labs(used() - expected) <= SLACK)
			return true;
		sleep_ms(20);
	}
	return false;
}

#define EXPECT_NEAR(expected, seen) \
	EXPECT_GE(SLACK, labs((long)(expected) - (long)(seen)))

/* Who pays stays the same, and for what. */
TEST_F(mover, books)
{
	char *memory = pages_map(PAGES);
	long anon, unevictable, current;

	ASSERT_EQ(0, group_enter(GROUP));
	fill(memory, PAGES, 1);
	ASSERT_EQ(0, mlock(memory, PAGES * PAGE));
	mover_try(&self->mover);
	vm_settled("nr_mlock");
	anon = stat_of("anon");
	unevictable = stat_of("unevictable");
	current = used();
	EXPECT_LE(PAGES * PAGE, anon);
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	EXPECT_EQ(anon, stat_of("anon"));
	EXPECT_NEAR(current, used());
	ASSERT_EQ(PAGES, mover_back(&self->mover, memory, PAGES));
	vm_settled("nr_mlock");
	EXPECT_EQ(anon, stat_of("anon"));
	EXPECT_EQ(unevictable, stat_of("unevictable"));
	EXPECT_NEAR(current, used());
	pages_unmap(memory, PAGES);
	EXPECT_EQ(anon - PAGES * PAGE, stat_of("anon"));
	EXPECT_NEAR(current - PAGES * PAGE, used());
	ASSERT_EQ(0, group_leave(GROUP));
}

static long splits(void)
{
	return vm_count("thp_split_page") + vm_count("thp_split_pmd");
}

/* What is huge is counted as such wherever it is; coherent pages are small. */
TEST_F(mover, huge_books)
{
	bool stays_huge = self->mover.kind != MIRROR_2;
	long before = splits();
	char *memory;

	if (!huge_pages_exist())
		SKIP(return, NO_HUGE_PAGES);
	ASSERT_EQ(0, group_enter(GROUP));
	memory = huge_pages_map(2, 1);
	ASSERT_NE(NULL, memory);
	ASSERT_EQ(2 * TABLE * PAGE, stat_of("anon_thp"));
	ASSERT_EQ(2 * TABLE, mover_away(&self->mover, memory, 2 * TABLE));
	EXPECT_EQ(stays_huge ? 2 * TABLE * PAGE : 0, stat_of("anon_thp"));
	ASSERT_EQ(2 * TABLE, mover_back(&self->mover, memory, 2 * TABLE));
	EXPECT_EQ(huge_pages_kb(memory) * 1024, stat_of("anon_thp"));
	EXPECT_EQ(stays_huge, splits() == before);
	EXPECT_EQ(-1, wrong(memory, 2 * TABLE, 1));
	pages_unmap(memory, 2 * TABLE);
	EXPECT_EQ(0, stat_of("anon_thp"));
	ASSERT_EQ(0, group_leave(GROUP));
}

/* Memory of a file in memory moves within the system; its group pays on. */
TEST(file_books)
{
	struct hmm_test_move move;
	int fd = own_open();
	long mapped, shmem;
	char *memory;

	ASSERT_GE(fd, 0);
	on_cpu(0);
	ASSERT_EQ(0, group_enter(GROUP));
	memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, memory);
	fill(memory, PAGES, 1);
	vm_settled("nr_mlock");
	mapped = stat_of("file_mapped");
	shmem = stat_of("shmem");
	EXPECT_EQ(PAGES * PAGE, shmem);
	EXPECT_LE(PAGES * PAGE, mapped);
	move = own_request(memory, PAGES, HMM_TEST_TO_NODE,
			   HMM_TEST_FROM_SYSTEM | HMM_TEST_TO_SYSTEM |
			   HMM_TEST_LARGE);
	move.node = 1;
	ASSERT_EQ(0, own_call(fd, &move));
	EXPECT_EQ(PAGES, move.result.migrated)
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(mapped, stat_of("file_mapped"));
	EXPECT_EQ(shmem, stat_of("shmem"));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	munmap(memory, PAGES * PAGE);
	EXPECT_EQ(mapped - PAGES * PAGE, stat_of("file_mapped"));
	EXPECT_EQ(0, stat_of("shmem"));
	ASSERT_EQ(0, group_leave(GROUP));
	close(fd);
}

static long on_lists(void)
{
	return stat_of("inactive_anon") + stat_of("active_anon");
}

static long on_all_lists(void)
{
	return (vm_count("nr_inactive_anon") + vm_count("nr_active_anon")) *
	       PAGE;
}

/* The lengths of the lists that reclaim looks at, and what is mapped. */
TEST_F(mover, lists)
{
	char *memory = pages_map(PAGES);
	long mapped, lists, all_lists, gone = 0;

	ASSERT_EQ(0, group_enter(GROUP));
	fill(memory, PAGES, 1);
	mover_try(&self->mover);
	/* What it takes to look is on the lists, too, when it is done. */
	on_lists();
	vm_settled("nr_mlock");
	mapped = vm_count("nr_anon_pages") * PAGE;
	lists = on_lists();
	all_lists = on_all_lists();
	EXPECT_LE(PAGES * PAGE, lists);
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	vm_settled("nr_mlock");
	if (self->mover.away != SYSTEM)
		gone = PAGES * PAGE;
	EXPECT_NEAR(mapped, vm_count("nr_anon_pages") * PAGE);
	EXPECT_EQ(lists - gone, on_lists());
	EXPECT_NEAR(all_lists - gone, on_all_lists());
	ASSERT_EQ(PAGES, mover_back(&self->mover, memory, PAGES));
	vm_settled("nr_mlock");
	EXPECT_NEAR(mapped, vm_count("nr_anon_pages") * PAGE);
	EXPECT_EQ(lists, on_lists());
	EXPECT_NEAR(all_lists, on_all_lists());
	pages_unmap(memory, PAGES);
	vm_settled("nr_mlock");
	EXPECT_NEAR(mapped - PAGES * PAGE, vm_count("nr_anon_pages") * PAGE);
	EXPECT_EQ(lists - PAGES * PAGE, on_lists());
	EXPECT_NEAR(all_lists - PAGES * PAGE, on_all_lists());
	ASSERT_EQ(0, group_leave(GROUP));
}

/* What is made on a device is paid for as well. */
TEST_F(mover, holes)
{
	char *memory = pages_map(PAGES);
	long anon, current;

	ASSERT_EQ(0, group_enter(GROUP));
	mover_try(&self->mover);
	anon = stat_of("anon");
	current = used();
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	EXPECT_EQ(anon + PAGES * PAGE, stat_of("anon"));
	EXPECT_NEAR(current + PAGES * PAGE, used());
	pages_unmap(memory, PAGES);
	EXPECT_EQ(anon, stat_of("anon"));
	EXPECT_NEAR(current, used());
	ASSERT_EQ(0, group_leave(GROUP));
}

/* A group that is gone is gone: no page is charged to it any more. */
TEST_F(mover, group_goes)
{
	long before = dying();
	int round, tries;
	char *memory;

	for (round = 0; round < 3; round++) {
		ASSERT_EQ(0, group_enter(GROUP));
		memory = pages_map(PAGES);
		fill(memory, PAGES / 2, 1);
		ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
		ASSERT_EQ(PAGES, mover_back(&self->mover, memory, PAGES));
		ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
		pages_unmap(memory, PAGES);
		ASSERT_EQ(0, group_leave(GROUP));
	}
	for (tries = 0; tries < 100 && dying() > before; tries++) {
		file_write("/proc/sys/vm/drop_caches", "3");
		sleep_ms(20);
	}
	EXPECT_GE(before, dying());
}

/* The slot on the swap disk is given back, and no longer paid for. */
TEST(swap_slots)
{
	char *memory = pages_map(PAGES);
	int fd = own_open();
	long before;

	if (!swap_exists())
		SKIP(return, NO_SWAP);
	ASSERT_GE(fd, 0);
	on_cpu(0);
	ASSERT_EQ(0, swap_on());
	ASSERT_EQ(0, group_enter(GROUP));
	before = group_number(GROUP, "memory.swap.current", NULL);
	fill(memory, PAGES, 1);
	ASSERT_EQ(PAGES, swap_out(memory, PAGES));
	EXPECT_EQ(before + PAGES * PAGE,
		  group_number(GROUP, "memory.swap.current", NULL));
	ASSERT_EQ(-1, wrong(memory, PAGES, 1));
	EXPECT_EQ(PAGES, own_to_device(fd, memory, PAGES));
	EXPECT_EQ(before, group_number(GROUP, "memory.swap.current", NULL));
	EXPECT_EQ(0, status_kb("VmSwap"));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	pages_unmap(memory, PAGES);
	ASSERT_EQ(0, group_leave(GROUP));
	ASSERT_EQ(0, swap_off());
	close(fd);
}

#define LARGE_ORDER	4
#define LARGE_PAGES	16

/*
 * A large folio that came back from the disk whole: as long as a child has its
 * slots it stays, and then goes, whole.
 */
TEST(swap_slots_of_a_large_folio)
{
	char *memory = pages_map(LARGE_PAGES);
	struct hmm_test_move move;
	int fd = own_open();
	struct pair pair;
	pid_t child;
	long before;

	if (!swap_exists())
		SKIP(return, NO_SWAP);
	if (!huge_pages_exist())
		SKIP(return, NO_HUGE_PAGES);
	ASSERT_GE(fd, 0);
	on_cpu(0);
	ASSERT_EQ(0, swap_on());
	ASSERT_EQ(0, group_enter(GROUP));
	before = group_number(GROUP, "memory.swap.current", NULL);
	folio_order_set(LARGE_ORDER);
	ASSERT_TRUE(huge_pages_ask(memory, LARGE_PAGES));
	fill(memory, LARGE_PAGES, 1);
	ASSERT_EQ(LARGE_PAGES, swap_out(memory, LARGE_PAGES));
	pair_init(&pair);
	child = fork();
	if (!child) {
		pair_child_turn(&pair);
		_exit(0);
	}
	ASSERT_TRUE(pair_wait(&pair));
	ASSERT_EQ(-1, wrong(memory, LARGE_PAGES, 1));
	folio_order_reset();
	ASSERT_EQ(1, folios_of_order(memory, LARGE_PAGES, LARGE_ORDER));
	ASSERT_TRUE(page_flags(pfn_of(memory)) & 1ULL << KPF_SWAPCACHE);
	move = own_request(memory, LARGE_PAGES, HMM_TEST_TO_DEVICE,
			   HMM_TEST_FROM_SYSTEM | HMM_TEST_LARGE);
	ASSERT_EQ(0, own_call(fd, &move));
	EXPECT_EQ(LARGE_PAGES, move.result.left[HMM_TEST_SWAPPED])
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(1, folios_of_order(memory, LARGE_PAGES, LARGE_ORDER));
	pair_go(&pair);
	EXPECT_EQ(0, end_of(child));
	EXPECT_EQ(before + LARGE_PAGES * PAGE,
		  group_number(GROUP, "memory.swap.current", NULL));
	ASSERT_EQ(0, stats_on());
	EXPECT_EQ(LARGE_PAGES, own_to_device(fd, memory, LARGE_PAGES));
	EXPECT_EQ(LARGE_PAGES, stats("order 4"));
	stats_off();
	EXPECT_EQ(before, group_number(GROUP, "memory.swap.current", NULL));
	EXPECT_EQ(-1, wrong(memory, LARGE_PAGES, 1));
	pages_unmap(memory, LARGE_PAGES);
	ASSERT_EQ(0, group_leave(GROUP));
	ASSERT_EQ(0, swap_off());
	close(fd);
}

static int set_limit(long bytes)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", bytes);
	return group_set(GROUP, "memory.max", text);
}

#define LIMIT_PAGES	(4 * PAGES)

/*
 * At the limit a process must not need a page of its own, of its stack or of
 * what it shares with its parent, nor another open file: it would be killed for
 * that, and rightly.
 */
static void touch_what_is_needed(const struct hmm_test_move *move)
{
	char stack[16 * PAGE];

	explicit_bzero(stack, sizeof(stack));
	own_describe(&move->result);
	set_limit(used() + LIMIT_PAGES / 2 * PAGE);
}

static int fill_up_to_limit(void)
{
	char *memory = pages_map(LIMIT_PAGES);
	struct hmm_test_move move;
	int fd = own_open();
	size_t page, moved;
	int limit;

	limit = open("/sys/fs/cgroup/" GROUP "/memory.max", O_WRONLY);
	if (fd < 0 || limit < 0)
		return 1;
	move = own_request(memory, LIMIT_PAGES, HMM_TEST_TO_DEVICE, 0);
	touch_what_is_needed(&move);
	fill(memory, PAGES, 1);
	if (own_call(fd, &move) || pwrite(limit, "max", 3, 0) != 3 ||
	    move.result.ret)
		return 2;
	fprintf(stderr, "# %s\n", own_describe(&move.result));
	moved = move.result.migrated;
	if (moved < PAGES || moved == LIMIT_PAGES)
		return 3;
	if (moved + move.result.left[HMM_TEST_NO_MEMORY] != LIMIT_PAGES)
		return 4;
	if (pages_at(memory, LIMIT_PAGES, PRIVATE) != moved ||
	    pages_at(memory, LIMIT_PAGES, NOWHERE) != LIMIT_PAGES - moved)
		return 5;
	if (own_to_system(fd, memory, PAGES) != PAGES ||
	    wrong(memory, PAGES, 1) != -1)
		return 6;
	if (madvise(memory + PAGES * PAGE, (LIMIT_PAGES - PAGES) * PAGE,
		    MADV_DONTNEED))
		return 7;
	for (page = PAGES; page < PAGES + 10; page++)
		if (!page_is_zero(memory, page))
			return 8;
	return 0;
}

/*
 * The group may have no more: the holes that there is no charge for stay
 * holes, what moves within the limit moves, and nobody is killed.
 */
TEST(limit)
{
	pid_t child;

	ASSERT_EQ(0, group_enter(GROUP));
	ASSERT_EQ(0, group_set(GROUP, "memory.swap.max", "0"));
	child = fork();
	if (!child)
		_exit(fill_up_to_limit());
	EXPECT_EQ(0, end_of(child));
	EXPECT_LT(0, group_number(GROUP, "memory.events", "max"));
	EXPECT_EQ(0, group_number(GROUP, "memory.events", "oom_kill"));
	ASSERT_EQ(0, group_leave(GROUP));
}

#define HOLES	96
#define STOCK	64	/* pages for which a processor may have a charge already */

/* Of the holes, those for which there was a charge; or -1: it is not so. */
static long fill_holes(int fd, int limit, char *memory, size_t npages,
		       unsigned int flags, long room)
{
	struct hmm_test_move move;
	char text[32];
	long moved;
	int length;

	move = own_request(memory, npages, HMM_TEST_TO_DEVICE, flags);
	length = snprintf(text, sizeof(text), "%ld", used() + room * PAGE);
	if (pwrite(limit, text, length, 0) != length || own_call(fd, &move) ||
	    pwrite(limit, "max", 3, 0) != 3 || move.result.ret)
		return -1;
	moved = move.result.migrated;
	if (moved + move.result.left[HMM_TEST_NO_MEMORY] != npages ||
	    own_in_use(fd) != moved ||
	    pages_at(memory, npages, PRIVATE) != moved ||
	    pages_at(memory, npages, NOWHERE) != npages - moved)
		return -1;
	return moved;
}

/* The n-th charge fails, for each n that is not in stock until none does. */
static int fail_each_charge(void)
{
	char *memory = pages_map(TABLE);
	struct hmm_test_result nothing = {};
	int fd = own_open(), limit, steps = 0;
	long room, moved = 0, before = -1;
	size_t page;

	limit = open("/sys/fs/cgroup/" GROUP "/memory.max", O_WRONLY);
	if (fd < 0 || limit < 0)
		return 1;
	/* Neither a page table nor anything of this program is charged then. */
	fill_page(memory, HOLES, 1);
	own_describe(&nothing);
	if (fill_holes(fd, limit, memory, HOLES, 0, 4 * HOLES) != HOLES ||
	    madvise(memory, HOLES * PAGE, MADV_DONTNEED))
		return 2;
	for (room = 0; moved < HOLES; room++) {
		moved = fill_holes(fd, limit, memory, HOLES, 0, room);
		if (moved < 0)
			return 3;
		for (page = 0; page < HOLES; page++)
			if (!page_is_zero(memory, page))
				return 4;
		if (own_in_use(fd) ||
		    madvise(memory, HOLES * PAGE, MADV_DONTNEED))
			return 5;
		steps += moved != before;
		before = moved;
	}
	injected(steps - 1, "a charge, each in its turn");
	return steps > (HOLES - STOCK) / 2 ? 0 : 6;
}

TEST(limit_at_each_page)
{
	pid_t child;

	/* Other processors then have no charges in stock. */
	on_cpu(0);
	ASSERT_EQ(0, group_enter(GROUP));
	ASSERT_EQ(0, group_set(GROUP, "memory.swap.max", "0"));
	child = fork();
	if (!child)
		_exit(fail_each_charge());
	EXPECT_EQ(0, end_of(child));
	EXPECT_EQ(0, group_number(GROUP, "memory.events", "oom_kill"));
	ASSERT_EQ(0, group_leave(GROUP));
}

/* A hole of a huge page is charged at once: all of it or nothing. */
static int fill_huge_hole(void)
{
	unsigned int large = HMM_TEST_FROM_SYSTEM | HMM_TEST_LARGE;
	char *memory = pages_map(TABLE);
	struct hmm_test_result nothing = {};
	int fd = own_open(), limit;
	size_t page;
	long room;

	limit = open("/sys/fs/cgroup/" GROUP "/memory.max", O_WRONLY);
	if (fd < 0 || limit < 0 || !huge_pages_ask(memory, TABLE))
		return 1;
	own_describe(&nothing);
	/* What this program needs for it beside is there then. */
	if (fill_holes(fd, limit, memory, TABLE, large, 2 * TABLE) != TABLE ||
	    madvise(memory, TABLE * PAGE, MADV_DONTNEED))
		return 2;
	for (room = 0; room < TABLE - STOCK; room += STOCK)
		if (fill_holes(fd, limit, memory, TABLE, large, room))
			return 3;
	if (own_in_use(fd))
		return 4;
	if (fill_holes(fd, limit, memory, TABLE, large, 2 * TABLE) != TABLE)
		return 5;
	for (page = 0; page < TABLE; page++)
		if (!page_is_zero(memory, page))
			return 6;
	return 0;
}

TEST(limit_of_a_huge_page)
{
	pid_t child;

	if (!huge_pages_exist())
		SKIP(return, NO_HUGE_PAGES);
	on_cpu(0);
	ASSERT_EQ(0, group_enter(GROUP));
	ASSERT_EQ(0, group_set(GROUP, "memory.swap.max", "0"));
	ASSERT_EQ(0, stats_on());
	child = fork();
	if (!child)
		_exit(fill_huge_hole());
	EXPECT_EQ(0, end_of(child));
	EXPECT_EQ((TABLE / STOCK - 1) * TABLE, stats_left(HMM_TEST_NO_MEMORY));
	EXPECT_EQ(2 * TABLE, stats("order 9"));
	stats_off();
	EXPECT_LT(0, group_number(GROUP, "memory.events", "max"));
	EXPECT_EQ(0, group_number(GROUP, "memory.events", "oom_kill"));
	ASSERT_EQ(0, group_leave(GROUP));
}

/*
 * A huge page that mainline's engine has put into a hole, of a group that has
 * had none before: what the kernel keeps of a group's huge pages need not be
 * there when it comes back.
 */
static int fill_by_mainline(void)
{
	char *memory = pages_map(TABLE);
	int mirror;

	if (!huge_pages_ask(memory, TABLE) || mirror_engine("mainline"))
		return 1;
	mirror = mirror_open(MIRROR_PRIVATE);
	if (mirror < 0 || mirror_to_device(mirror, memory, TABLE) != TABLE)
		return 2;
	if (mirror_engine("hmm_migrate"))
		return 3;
	if (mirror_to_system(mirror, memory, TABLE) != TABLE)
		return 4;
	if (huge_pages_kb(memory) != 2048)
		return 5;
	if (!page_is_zero(memory, 0) || !page_is_zero(memory, TABLE - 1))
		return 6;
	pages_unmap(memory, TABLE);
	return 0;
}

TEST(huge_page_of_mainline)
{
	pid_t child;

	if (!huge_pages_exist())
		SKIP(return, NO_HUGE_PAGES);
	ASSERT_EQ(0, group_enter(GROUP));
	child = fork();
	if (!child)
		_exit(fill_by_mainline());
	EXPECT_EQ(0, end_of(child));
	EXPECT_EQ(0, mirror_engine("hmm_migrate"));
	ASSERT_EQ(0, group_leave(GROUP));
}

struct victim {
	int fd;
	char *memory;
};

/* The driver takes its time, with all pages of a window unmapped. */
static void *thread_moves(void *argument)
{
	struct victim *victim = argument;
	struct hmm_test_move move;

	move = own_request(victim->memory, PAGES, HMM_TEST_TO_DEVICE, 0);
	move.driver.delay_alloc_us = 4000000;
	own_call(victim->fd, &move);
	return NULL;
}

static void be_killed(int fd)
{
	struct victim victim = { fd, pages_map(PAGES) };
	char *memory = pages_map(64 * PAGES);
	pthread_t thread;

	fill(victim.memory, PAGES, 1);
	/* Most of what the limit allows, so that little time is lost later. */
	fill(memory, 6 * PAGES, 2);
	if (pthread_create(&thread, NULL, thread_moves, &victim) ||
	    own_wait_for_callback(fd))
		_exit(1);
	fill(memory + 6 * PAGES * PAGE, 58 * PAGES, 2);
	_exit(2);
}

/* The kernel said that it has taken the memory of a killed process away. */
static bool was_reaped(int kmsg, pid_t pid)
{
	char record[1024], wanted[64];
	bool reaped = false;
	ssize_t length;

	snprintf(wanted, sizeof(wanted), "reaped process %d ", pid);
	/* EPIPE: some have been overwritten meanwhile. */
	while ((length = read(kmsg, record, sizeof(record) - 1)) > 0 ||
	       errno == EPIPE) {
		record[length > 0 ? length : 0] = 0;
		if (strstr(record, wanted))
			reaped = true;
	}
	return reaped;
}

/*
 * A process is killed for its memory while a driver has part of it, and the
 * kernel does not wait for the driver to take the memory away.
 */
TEST(reaped)
{
	int kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	int fd = own_open();
	__u64 begin;
	pid_t child;
	long before;

	ASSERT_GE(fd, 0);
	ASSERT_GE(kmsg, 0);
	lseek(kmsg, 0, SEEK_END);
	ASSERT_EQ(0, group_enter(GROUP));
	ASSERT_EQ(0, set_limit(used() + 8 * PAGES * PAGE));
	ASSERT_EQ(0, group_set(GROUP, "memory.swap.max", "0"));
	before = used();
	begin = now_ns();
	child = fork();
	if (!child)
		be_killed(fd);
	EXPECT_EQ(128 + SIGKILL, end_of(child));
	EXPECT_GT(15000000000ULL * patience(), now_ns() - begin);
	EXPECT_TRUE(was_reaped(kmsg, child));
	EXPECT_EQ(1, group_number(GROUP, "memory.events", "oom_kill"));
	EXPECT_EQ(0, own_in_use(fd));
	EXPECT_EQ(0, own_stats(fd).last.contract);
	EXPECT_TRUE(comes_near(before))
		TH_LOG("%ld bytes before, %ld after", before, used());
	ASSERT_EQ(0, group_leave(GROUP));
	close(kmsg);
	close(fd);
}

/* Killed again and again, with pages on the way. */
TEST_F(mover, killed_for_memory)
{
	struct migrator migrator;
	pid_t child;
	int round;

	ASSERT_EQ(0, group_enter(GROUP));
	ASSERT_EQ(0, set_limit(used() + 8 * PAGES * PAGE));
	ASSERT_EQ(0, group_set(GROUP, "memory.swap.max", "0"));
	for (round = 0; round < 3; round++) {
		child = fork();
		if (!child) {
			char *memory = pages_map(64 * PAGES);
			struct mover mover;

			if (mover_open(&mover, variant->kind))
				_exit(1);
			migrator_start(&migrator, &mover, memory, PAGES);
			fill(memory, 64 * PAGES, 2);
			_exit(2);
		}
		EXPECT_EQ(128 + SIGKILL, end_of(child));
	}
	if (self->mover.kind == OWN_DEVICE)
		EXPECT_EQ(0, own_in_use(self->mover.fd));
	ASSERT_EQ(0, group_leave(GROUP));
}

TEST_HARNESS_MAIN
