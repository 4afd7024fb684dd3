// SPDX-License-Identifier: GPL-2.0
/*
 * arm64 keeps four bits beside each sixteen bytes, and compares them with four
 * of the pointer. A driver's copy engine does not know of them: memory that has
 * some stays where it is, with contents and tags.
 */
#include <asm/hwcap.h>
#include <sys/auxv.h>
#include <sys/prctl.h>

#include "mover_fixture.h"

#define PAGES	64
#define TAG	(5UL << 56)
#define NO_TAGS	"this processor has no memory tags"

#ifndef PROT_MTE
#define PROT_MTE	0x20
#endif

static bool tags_exist(void)
{
	return getauxval(AT_HWCAP2) & HWCAP2_MTE;
}

/* From now on a pointer must have the tag of what it points to. */
static int check_tags(void)
{
	return prctl(PR_SET_TAGGED_ADDR_CTRL,
		     PR_TAGGED_ADDR_ENABLE | PR_MTE_TCF_SYNC |
		     0xfffeUL << PR_MTE_TAG_SHIFT, 0, 0, 0);
}

/* The same memory, by pointers that have the tag; it is written by them. */
static char *tag(char *memory, size_t npages)
{
	char *tagged = (char *)((uintptr_t)memory | TAG), *at;

	for (at = tagged; at < tagged + npages * PAGE; at += 16)
		asm volatile(".arch_extension memtag\n\tstg %0, [%0]"
			     :: "r" (at) : "memory");
	fill(tagged, npages, 1);
	return tagged;
}

static char *tagged_pages(struct __test_metadata *_metadata)
{
	char *memory = mmap(NULL, PAGES * PAGE,
			    PROT_READ | PROT_WRITE | PROT_MTE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, memory);
	ASSERT_EQ(0, check_tags());
	return memory;
}

/* An access by a pointer without the tag ends a process. */
static bool has_tags(char *memory)
{
	pid_t child = fork();

	if (!child) {
		asm volatile("ldrb w9, [%0]" :: "r" (memory) : "w9");
		_exit(0);
	}
	return end_of(child) == 128 + SIGSEGV;
}

TEST_F(mover, tagged)
{
	char *memory, *tagged;

	if (!tags_exist())
		SKIP(return, NO_TAGS);
	memory = tagged_pages(_metadata);
	tagged = tag(memory, PAGES);
	mover_away(&self->mover, memory, PAGES);
	EXPECT_TRUE(mover_none_away(&self->mover, memory, PAGES));
	EXPECT_EQ(-1, wrong(tagged, PAGES, 1));
	EXPECT_TRUE(has_tags(memory));
}

/* What has no page yet is not filled: a device's memory may have no tags. */
TEST_F(mover, hole)
{
	char *memory, *tagged;

	if (!tags_exist())
		SKIP(return, NO_TAGS);
	memory = tagged_pages(_metadata);
	EXPECT_GE(0, mover_away(&self->mover, memory, PAGES));
	EXPECT_EQ(PAGES, pages_at(memory, PAGES, NOWHERE));
	tagged = tag(memory, PAGES);
	EXPECT_EQ(PAGES, pages_at(memory, PAGES, SYSTEM));
	EXPECT_EQ(-1, wrong(tagged, PAGES, 1));
	EXPECT_TRUE(has_tags(memory));
}

/*
 * Tags are asked for while the memory is away. Memory of a device comes back,
 * and gets them; on the other node pages have them at once, and stay.
 */
TEST_F(mover, while_away)
{
	size_t stay = variant->kind == OWN_NODES ? PAGES : 0;
	char *memory = pages_map(PAGES), *tagged;

	if (!tags_exist())
		SKIP(return, NO_TAGS);
	fill(memory, PAGES, 2);
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	ASSERT_EQ(0, mprotect(memory, PAGES * PAGE,
			      PROT_READ | PROT_WRITE | PROT_MTE));
	ASSERT_EQ(PAGES - stay, mover_back(&self->mover, memory, PAGES));
	ASSERT_EQ(-1, wrong(memory, PAGES, 2));
	ASSERT_EQ(0, check_tags());
	tagged = tag(memory, PAGES);
	EXPECT_EQ(-1, wrong(tagged, PAGES, 1));
	EXPECT_TRUE(has_tags(memory));
}

/* Memory that had tags has none for the next one: nothing of it stays. */
TEST_F(mover, gone_with_its_page)
{
	char *memory = pages_map(PAGES), *tagged;

	if (!tags_exist())
		SKIP(return, NO_TAGS);
	fill(memory, PAGES, 1);
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	ASSERT_EQ(0, mprotect(memory, PAGES * PAGE,
			      PROT_READ | PROT_WRITE | PROT_MTE));
	tagged = tag(memory, PAGES);
	EXPECT_EQ(-1, wrong(tagged, PAGES, 1));
	pages_unmap(memory, PAGES);

	memory = pages_map(PAGES);
	fill(memory, PAGES, 2);
	ASSERT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	ASSERT_EQ(PAGES, mover_back(&self->mover, memory, PAGES));
	EXPECT_EQ(PAGES, mover_away(&self->mover, memory, PAGES));
	EXPECT_EQ(-1, wrong(memory, PAGES, 2));
}

TEST_HARNESS_MAIN
