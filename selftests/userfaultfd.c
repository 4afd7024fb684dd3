// SPDX-License-Identifier: GPL-2.0
/*
 * Somebody waits for accesses to the memory, with userfaultfd: the marks move
 * along with the pages, what only a mark is about stays where it is, and no
 * access goes unnoticed.
 */
#include <errno.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdlib.h>

#include "mover_fixture.h"

#define PAGES	64
#define MILLISECONDS	700

#define FROM_SYSTEM	HMM_TEST_FROM_SYSTEM

static int let_write(int uffd, const void *addr)
{
	return uffd_wp(uffd, addr, 1, false);
}

static int give_zeros(int uffd, const void *addr)
{
	return uffd_zero(uffd, addr, 1);
}

static int give_what_is_there(int uffd, const void *addr)
{
	return uffd_continue(uffd, addr, 1);
}

static size_t marked(const char *memory)
{
	size_t page, count = 0;

	for (page = 0; page < PAGES; page++)
		if (pagemap(memory + page * PAGE) & PM_UFFD_WP)
			count++;
	return count;
}

/* All of the range stays, all for this reason. */
static void expect_left(struct __test_metadata *_metadata, void *memory,
			int reason)
{
	struct hmm_test_move move = own_request(memory, PAGES,
						HMM_TEST_TO_DEVICE,
						FROM_SYSTEM);
	int fd = own_open();

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, own_call(fd, &move));
	EXPECT_EQ(PAGES, move.result.left[reason])
		TH_LOG("%s", own_describe(&move.result));
	close(fd);
}

/* Each third page is written, and each write is told of. */
static bool writes_are_told(int uffd, char *memory)
{
	size_t page;

	for (page = 0; page < PAGES; page += 3)
		if (uffd_event(uffd, memory + page * PAGE, true, let_write) !=
		    (UFFD_PAGEFAULT_FLAG_WP | UFFD_PAGEFAULT_FLAG_WRITE))
			return false;
	return marked(memory) == PAGES - (PAGES + 2) / 3;
}

/* Each page is read, and each read is told of, with these flags. */
static bool reads_are_told(int uffd, char *memory, size_t step, long flags,
			   int (*resolve)(int uffd, const void *addr))
{
	size_t page;

	for (page = 0; page < PAGES; page += step)
		if (uffd_event(uffd, memory + page * PAGE, false, resolve) !=
		    flags)
			return false;
	return true;
}

TEST_F(mover, write_protected)
{
	char *memory = pages_map(PAGES);
	int uffd = uffd_open(0);

	ASSERT_GE(uffd, 0);
	fill(memory, PAGES, 1);
	ASSERT_EQ(0, uffd_register(uffd, memory, PAGES,
				   UFFDIO_REGISTER_MODE_WP));
	ASSERT_EQ(0, uffd_wp(uffd, memory, PAGES, true));
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	EXPECT_EQ(PAGES, marked(memory));
	ASSERT_EQ(PAGES, mover_back(&self->mover, memory, PAGES));
	EXPECT_EQ(PAGES, marked(memory));
	EXPECT_TRUE(writes_are_told(uffd, memory));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

/* A write finds its page on the device, and brings it back first. */
TEST_F(mover, written_while_away)
{
	char *memory = pages_map(PAGES);
	int uffd = uffd_open(0);

	ASSERT_GE(uffd, 0);
	fill(memory, PAGES, 1);
	ASSERT_EQ(0, uffd_register(uffd, memory, PAGES,
				   UFFDIO_REGISTER_MODE_WP));
	ASSERT_EQ(0, uffd_wp(uffd, memory, PAGES, true));
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	EXPECT_TRUE(writes_are_told(uffd, memory));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

TEST_F(mover, write_protected_while_away)
{
	char *memory = pages_map(PAGES);
	int uffd = uffd_open(0);

	ASSERT_GE(uffd, 0);
	fill(memory, PAGES, 1);
	ASSERT_EQ(0, uffd_register(uffd, memory, PAGES,
				   UFFDIO_REGISTER_MODE_WP));
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	ASSERT_EQ(0, uffd_wp(uffd, memory, PAGES, true));
	EXPECT_EQ(PAGES, marked(memory));
	ASSERT_EQ(PAGES, mover_back(&self->mover, memory, PAGES));
	EXPECT_EQ(PAGES, marked(memory));
	EXPECT_TRUE(writes_are_told(uffd, memory));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

/* The mark of a page that a child shares is the parent's alone. */
TEST_F(mover, shared_with_a_child)
{
	char *memory = pages_map(PAGES);
	int uffd = uffd_open(0);
	struct pair pair;
	pid_t child;

	ASSERT_GE(uffd, 0);
	fill(memory, PAGES, 1);
	pair_init(&pair);
	child = fork();
	if (!child) {
		pair_child_turn(&pair);
		if (wrong(memory, PAGES, 1) != -1)
			_exit(1);
		fill(memory, PAGES, 2);
		_exit(wrong(memory, PAGES, 2) == -1 ? 0 : 2);
	}
	ASSERT_TRUE(pair_wait(&pair));
	ASSERT_EQ(0, uffd_register(uffd, memory, PAGES,
				   UFFDIO_REGISTER_MODE_WP));
	ASSERT_EQ(0, uffd_wp(uffd, memory, PAGES, true));
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	EXPECT_EQ(PAGES, marked(memory));
	pair_go(&pair);
	EXPECT_EQ(0, end_of(child));
	mover_back(&self->mover, memory, PAGES);
	EXPECT_TRUE(writes_are_told(uffd, memory));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

/* Kernels before 7.3 protect from writes alone. */
#ifdef UFFDIO_RWPROTECT
static int let_access(int uffd, const void *addr)
{
	return uffd_rwp(uffd, addr, 1, false);
}

TEST_F(mover, read_write_protected)
{
	int uffd = uffd_open(UFFD_FEATURE_RWP);
	char *memory = pages_map(PAGES);

	ASSERT_GE(uffd, 0) TH_LOG("no UFFDIO_RWPROTECT in this kernel");
	fill(memory, PAGES, 1);
	ASSERT_EQ(0, uffd_register(uffd, memory, PAGES,
				   UFFDIO_REGISTER_MODE_RWP));
	ASSERT_EQ(0, uffd_rwp(uffd, memory, PAGES, true));
	/* The mirror complains: it may not read what the process may not. */
	mover_away(&self->mover, memory, PAGES);
	EXPECT_TRUE(mover_is_away(&self->mover, memory, PAGES));
	EXPECT_EQ(PAGES, marked(memory));
	ASSERT_EQ(PAGES, mover_back(&self->mover, memory, PAGES));
	EXPECT_EQ(PAGES, marked(memory));
	EXPECT_TRUE(reads_are_told(uffd, memory, 1, UFFD_PAGEFAULT_FLAG_RWP,
				   let_access));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	fill(memory, PAGES, 2);
	EXPECT_EQ(-1, wrong(memory, PAGES, 2));
}

TEST(read_write_protected_zero_page)
{
	int uffd = uffd_open(UFFD_FEATURE_RWP), page;
	char *memory = pages_map(PAGES);

	ASSERT_GE(uffd, 0);
	for (page = 0; page < PAGES; page++)
		ASSERT_TRUE(page_is_zero(memory, page));
	ASSERT_EQ(0, uffd_register(uffd, memory, PAGES,
				   UFFDIO_REGISTER_MODE_RWP));
	ASSERT_EQ(0, uffd_rwp(uffd, memory, PAGES, true));
	expect_left(_metadata, memory, HMM_TEST_KIND);
	EXPECT_EQ(PAGES, marked(memory));
	EXPECT_TRUE(reads_are_told(uffd, memory, 1, UFFD_PAGEFAULT_FLAG_RWP,
				   let_access));
}
#else
TEST(read_write_protected)
{
	SKIP(return, "no UFFDIO_RWPROTECT in this kernel's headers");
}

TEST(read_write_protected_zero_page)
{
	SKIP(return, "no UFFDIO_RWPROTECT in this kernel's headers");
}
#endif

/*
 * Somebody wants to know of the first write to a page that is the zero page:
 * that is forgotten if another page is put in its place.
 */
TEST(write_protected_zero_page)
{
	char *memory = pages_map(PAGES);
	int uffd = uffd_open(0), page;

	ASSERT_GE(uffd, 0);
	for (page = 0; page < PAGES; page++)
		ASSERT_TRUE(page_is_zero(memory, page));
	ASSERT_EQ(0, uffd_register(uffd, memory, PAGES,
				   UFFDIO_REGISTER_MODE_WP));
	ASSERT_EQ(0, uffd_wp(uffd, memory, PAGES, true));
	expect_left(_metadata, memory, HMM_TEST_KIND);
	EXPECT_EQ(PAGES, marked(memory));
	EXPECT_TRUE(writes_are_told(uffd, memory));
}

/* Marks where nothing is yet. */
TEST(unpopulated)
{
	int uffd = uffd_open(UFFD_FEATURE_WP_UNPOPULATED);
	char *memory = pages_map(PAGES);

	ASSERT_GE(uffd, 0);
	ASSERT_EQ(0, uffd_register(uffd, memory, PAGES,
				   UFFDIO_REGISTER_MODE_WP));
	ASSERT_EQ(0, uffd_wp(uffd, memory, PAGES, true));
	ASSERT_EQ(PAGES, marked(memory));
	expect_left(_metadata, memory, HMM_TEST_KIND);
	EXPECT_EQ(PAGES, marked(memory));
	EXPECT_TRUE(writes_are_told(uffd, memory));
}

/* Who waits for missing pages fills them, and no driver does. */
TEST(missing)
{
	char *memory = pages_map(PAGES);
	int uffd = uffd_open(0), page;

	ASSERT_GE(uffd, 0);
	ASSERT_EQ(0, uffd_register(uffd, memory, PAGES,
				   UFFDIO_REGISTER_MODE_MISSING));
	expect_left(_metadata, memory, HMM_TEST_NOTHING);
	EXPECT_EQ(PAGES, pages_at(memory, PAGES, NOWHERE));
	EXPECT_TRUE(reads_are_told(uffd, memory, 7, 0, give_zeros));
	expect_left(_metadata, memory, HMM_TEST_NOTHING);
	for (page = 0; page < PAGES; page += 7)
		ASSERT_TRUE(page_is_zero(memory, page));
	EXPECT_EQ(0, uffd_event(uffd, memory + PAGE, false, give_zeros));
}

/* One mapping of the memory waits for the pages that the other has made. */
TEST(minor)
{
	int uffd = uffd_open(UFFD_FEATURE_MINOR_SHMEM);
	int file = memfd_create("minor", MFD_CLOEXEC);
	char *memory, *other;

	ASSERT_GE(uffd, 0);
	ASSERT_EQ(0, ftruncate(file, PAGES * PAGE));
	memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
		      file, 0);
	other = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
		     file, 0);
	ASSERT_NE(MAP_FAILED, memory);
	ASSERT_NE(MAP_FAILED, other);
	fill(other, PAGES, 1);
	ASSERT_EQ(0, uffd_register(uffd, memory, PAGES,
				   UFFDIO_REGISTER_MODE_MINOR));
	expect_left(_metadata, memory, HMM_TEST_NOTHING);
	EXPECT_TRUE(reads_are_told(uffd, memory, 1, UFFD_PAGEFAULT_FLAG_MINOR,
				   give_what_is_there));
	expect_left(_metadata, memory, HMM_TEST_KIND);
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	EXPECT_EQ(-1, wrong(other, PAGES, 1));
}

/* Pages that are said to be broken, as on a machine that this one replaces. */
TEST(poisoned)
{
	int uffd = uffd_open(UFFD_FEATURE_POISON);
	char *memory = pages_map(PAGES);
	pid_t child;

	ASSERT_GE(uffd, 0);
	ASSERT_EQ(0, uffd_register(uffd, memory, PAGES,
				   UFFDIO_REGISTER_MODE_MISSING));
	ASSERT_EQ(0, uffd_poison(uffd, memory, PAGES));
	expect_left(_metadata, memory, HMM_TEST_KIND);
	child = fork();
	if (!child) {
		signal(SIGBUS, SIG_DFL);
		_exit(__atomic_load_n(memory + 9 * PAGE, __ATOMIC_RELAXED));
	}
	EXPECT_EQ(128 + SIGBUS, end_of(child));
}

/* What is on a device cannot be moved elsewhere in the address space. */
TEST_F(mover, moved_by_address)
{
	char *memory = pages_map(PAGES), *to = pages_map(PAGES);
	int uffd = uffd_open(UFFD_FEATURE_MOVE);

	ASSERT_GE(uffd, 0);
	fill(memory, PAGES, 1);
	ASSERT_EQ(0, uffd_register(uffd, to, PAGES,
				   UFFDIO_REGISTER_MODE_MISSING));
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	if (self->mover.away == PRIVATE) {
		EXPECT_EQ(-EFAULT, uffd_move(uffd, to, memory, PAGES));
		ASSERT_EQ(PAGES, mover_back(&self->mover, memory, PAGES));
	}
	EXPECT_EQ(0, uffd_move(uffd, to, memory, PAGES));
	EXPECT_EQ(-1, wrong(to, PAGES, 1));
	EXPECT_EQ(PAGES, pages_at(memory, PAGES, NOWHERE));
}

static void *thread_moves(void *argument)
{
	struct hmm_test_move *move = argument;
	int fd = own_open();
	long ret = own_call(fd, move);

	close(fd);
	return (void *)ret;
}

/* The move by address waits until the move to the other node is over. */
TEST(moved_by_address_meanwhile)
{
	char *memory = pages_map(PAGES), *to = pages_map(PAGES);
	struct hmm_test_move move = own_request(memory, PAGES, HMM_TEST_TO_NODE,
						FROM_SYSTEM |
						HMM_TEST_TO_SYSTEM);
	int uffd = uffd_open(UFFD_FEATURE_MOVE), fd = own_open();
	pthread_t thread;
	void *ret;

	ASSERT_GE(uffd, 0);
	on_cpu(0);
	fill(memory, PAGES, 1);
	ASSERT_EQ(0, uffd_register(uffd, to, PAGES,
				   UFFDIO_REGISTER_MODE_MISSING));
	move.node = 1;
	move.driver.delay_alloc_us = 100000;
	ASSERT_EQ(0, pthread_create(&thread, NULL, thread_moves, &move));
	ASSERT_EQ(0, own_wait_for_callback(fd));
	EXPECT_EQ(0, uffd_move(uffd, to, memory, PAGES));
	ASSERT_EQ(0, pthread_join(thread, &ret));
	EXPECT_EQ(NULL, ret);
	EXPECT_EQ(PAGES, move.result.migrated)
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(PAGES, pages_on_node(to, PAGES, 1));
	EXPECT_EQ(-1, wrong(to, PAGES, 1));
}

/* Marks come and go while the pages do. */
TEST_F(mover, marks_meanwhile)
{
	char *memory = pages_map(PAGES);
	struct migrator migrator;
	int uffd = uffd_open(0);

	ASSERT_GE(uffd, 0);
	fill(memory, PAGES, 1);
	ASSERT_EQ(0, uffd_register(uffd, memory, PAGES,
				   UFFDIO_REGISTER_MODE_WP));
	migrator_start(&migrator, &self->mover, memory, PAGES);
	while (migrator_goes_on(&migrator, MILLISECONDS, true)) {
		ASSERT_EQ(0, uffd_wp(uffd, memory, PAGES, true));
		ASSERT_EQ(PAGES, marked(memory));
		ASSERT_EQ(0, uffd_wp(uffd, memory, PAGES, false));
		ASSERT_EQ(0, marked(memory));
	}
	ASSERT_EQ(0, uffd_wp(uffd, memory, PAGES, true));
	EXPECT_LT(0, migrator_stop(&migrator));
	mover_back(&self->mover, memory, PAGES);
	EXPECT_TRUE(writes_are_told(uffd, memory));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

TEST_HARNESS_MAIN
