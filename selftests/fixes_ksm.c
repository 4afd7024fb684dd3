// SPDX-License-Identifier: GPL-2.0
/*
 * What patches/fixes/ repair for KSM: pages that it has merged stay where ksmd
 * can read them, and it knows how many zero pages of its own there are. The
 * manual (fixes.rst) tells which patch each test needs.
 */
#include <linux/userfaultfd.h>
#include <pthread.h>

#include "mainline_fixture.h"

static long zero_pages(void)
{
	return ksm("ksm_zero_pages");
}

/* Has memory merged until a number has come to @wanted, and no longer. */
static bool merge(void *memory, const char *name, long wanted)
{
	int tries;

	ksm_fast();
	if (madvise(memory, TABLE * PAGE, MADV_MERGEABLE))
		return false;
	ksm_set("run", "1");
	for (tries = 0; tries < 500 && ksm(name) != wanted; tries++)
		sleep_ms(20);
	ksm_set("run", "0");
	return ksm(name) == wanted;
}

/* Memory all of which KSM has replaced by the zero page. */
static char *zero_pages_map(void)
{
	char *memory = pages_map(TABLE);
	long before = zero_pages();
	size_t page;

	for (page = 0; page < TABLE; page++)
		__atomic_store_n(memory + page * PAGE, 0, __ATOMIC_RELAXED);
	if (ksm_set("use_zero_pages", "1") ||
	    !merge(memory, "ksm_zero_pages", before + TABLE))
		return NULL;
	return memory;
}

TEST_F(mainline, zero_pages)
{
	long before = zero_pages();
	char *memory = zero_pages_map();

	ASSERT_NE(NULL, memory);
	ASSERT_EQ(TABLE, mirror_to_device(self->mirror, memory, TABLE));
	EXPECT_EQ(before, zero_pages());
	ksm_stop();
}

TEST_F(mainline, pages)
{
	char *memory = pages_map(TABLE);
	const size_t half = TABLE / 2;

	fill(memory, half, 1);
	fill(memory + half * PAGE, half, 1);
	ASSERT_TRUE(merge(memory, "pages_sharing", half));
	mirror_to_device(self->mirror, memory, TABLE);
	EXPECT_EQ(TABLE, pages_at(memory, TABLE, SYSTEM));
	/* Where ksmd can read them, had they gone. */
	mirror_to_system(self->mirror, memory, TABLE);
	EXPECT_EQ(-1, wrong(memory, half, 1));
	ksm_stop();
}

/* A child ends that has @inherited of the pages, of which KSM counts all. */
static void expect_counted(struct __test_metadata *_metadata, long inherited)
{
	long before = zero_pages();
	pid_t child = fork();
	int status;

	if (!child)
		_exit(zero_pages() != before + inherited);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(before, zero_pages());
}

TEST(zero_pages_of_a_child)
{
	long before = zero_pages();
	char *memory = zero_pages_map();

	ASSERT_NE(NULL, memory);
	expect_counted(_metadata, TABLE);
	ASSERT_EQ(0, madvise(memory, TABLE / 2 * PAGE, MADV_DONTFORK));
	expect_counted(_metadata, TABLE / 2);
	pages_unmap(memory, TABLE);
	EXPECT_EQ(before, zero_pages());
	ksm_stop();
}

static bool is_over;

static void *thread_writes(void *memory)
{
	size_t page = 0;

	while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
		page = (page + 7) % TABLE;
		__atomic_store_n((char *)memory + page * PAGE, page & 1,
				 __ATOMIC_RELAXED);
		if (!(page % 64))
			sleep_ms(1);
	}
	return NULL;
}

/* They come and go while the process forks. */
TEST(zero_pages_meanwhile)
{
	long before = zero_pages();
	char *memory = zero_pages_map();
	pthread_t thread;
	int forks;

	ASSERT_NE(NULL, memory);
	ASSERT_EQ(0, pthread_create(&thread, NULL, thread_writes, memory));
	ksm_set("run", "1");
	for (forks = 0; forks < 100; forks++) {
		pid_t child = fork();

		if (!child)
			_exit(0);
		ASSERT_EQ(child, waitpid(child, NULL, 0));
	}
	__atomic_store_n(&is_over, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	ksm_set("run", "0");
	pages_unmap(memory, TABLE);
	EXPECT_EQ(before, zero_pages());
	ksm_stop();
}

TEST(zero_pages_moved)
{
	long before = zero_pages();
	char *memory = zero_pages_map(), *to = pages_map(TABLE);
	int uffd = uffd_open(0);

	ASSERT_NE(NULL, memory);
	ASSERT_GE(uffd, 0);
	ASSERT_EQ(0, uffd_register(uffd, to, TABLE,
				   UFFDIO_REGISTER_MODE_MISSING));
	ASSERT_EQ(0, uffd_move(uffd, to, memory, TABLE));
	ASSERT_TRUE(page_is_zero(to, TABLE - 1));
	EXPECT_EQ(before, zero_pages());
	close(uffd);
	ksm_stop();
}

TEST_HARNESS_MAIN
