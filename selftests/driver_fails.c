// SPDX-License-Identifier: GPL-2.0
/*
 * A driver fails at each word of a range in its turn, or from there on, or at
 * random: what it has left is as it was, in every bit of its entry; everything
 * else has moved, and all can be moved afterwards.
 */
#include <errno.h>
#include <stdlib.h>

#include "fails/fails.h"
#include "test.h"

#define SEEDS	10

FIXTURE(fails)
{
	int fd;
	long mlocked, pte_kb, rss_kb;
};

FIXTURE_VARIANT(fails)
{
	struct asked asked;
};

FIXTURE_VARIANT_ADD(fails, away)
{
	.asked.way = AWAY,
};

FIXTURE_VARIANT_ADD(fails, away_large)
{
	.asked.way = AWAY,
	.asked.flags = HMM_TEST_LARGE,
};

FIXTURE_VARIANT_ADD(fails, away_locked)
{
	.asked.way = AWAY,
	.asked.flags = HMM_TEST_LARGE,
	.asked.locked = true,
};

FIXTURE_VARIANT_ADD(fails, to_node)
{
	.asked.way = TO_NODE,
	.asked.flags = HMM_TEST_LARGE,
};

FIXTURE_VARIANT_ADD(fails, back)
{
	.asked.way = BACK,
};

FIXTURE_VARIANT_ADD(fails, back_large)
{
	.asked.way = BACK,
	.asked.flags = HMM_TEST_LARGE,
};

FIXTURE_VARIANT_ADD(fails, evicted)
{
	.asked.way = EVICTED,
};

FIXTURE_VARIANT_ADD(fails, evicted_large)
{
	.asked.way = EVICTED,
	.asked.flags = HMM_TEST_LARGE,
};

FIXTURE_VARIANT_ADD(fails, accessed)
{
	.asked.way = ACCESSED,
	.asked.flags = HMM_TEST_LARGE,
};

FIXTURE_SETUP(fails)
{
	on_cpu(0);
	self->fd = own_open();
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(0, swap_on());
	folio_order_add(4);
	touch_heap_and_stack();
	self->mlocked = vm_settled("nr_mlock");
	self->pte_kb = status_kb("VmPTE");
	self->rss_kb = status_kb("RssAnon");
}

FIXTURE_TEARDOWN(fails)
{
	EXPECT_EQ(0, own_in_use(self->fd));
	EXPECT_EQ(self->mlocked, vm_settled("nr_mlock"));
	EXPECT_EQ(0, vm_awaited("nr_isolated_anon", 0));
	EXPECT_EQ(0, vm_awaited("nr_isolated_file", 0));
	EXPECT_EQ(self->pte_kb, status_kb("VmPTE"));
	/* A page that each call left behind would be more. */
	EXPECT_GE(self->rss_kb + 128, status_kb("RssAnon"));
	EXPECT_EQ(0, status_kb("VmSwap"));
	EXPECT_EQ(0, status_kb("VmLck"));
	folio_order_reset();
	EXPECT_EQ(0, swap_off());
	close(self->fd);
}

static const char *name_of(enum failure failure)
{
	switch (failure) {
	case LEAVES_ONE:
		return "the driver, at one word";
	case SAYS_WHY:
		return "the driver, at one word, with an errno";
	case TOO_BIG:
		return "the driver, which wants a folio smaller";
	case NO_MEMORY:
		return "the driver, which has no memory from one word on";
	case ENDS:
		return "the driver, at all words";
	default:
		return "the driver, at random";
	}
}

/* How many words the driver was asked for. */
static unsigned int try(struct __test_metadata *_metadata,
			struct attempt *attempt, size_t npages)
{
	const char *wrong;

	attempt->page = npages > SMALL ? HUGE : 20;
	ASSERT_TRUE(attempt_prepare(attempt, npages));
	ASSERT_EQ(0, attempt_make(attempt));
	attempt_look(attempt, &attempt->after);
	attempt->result = attempt_result(attempt);
	wrong = attempt->failure == AT_RANDOM ? expect_any(attempt) :
						expect_words(attempt);
	ASSERT_EQ(NULL, wrong) TH_LOG("%s", wrong);
	wrong = attempt_end(attempt);
	ASSERT_EQ(NULL, wrong)
		TH_LOG("%s, failure %d at %u", wrong, attempt->failure,
		       attempt->at);
	injected(1, name_of(attempt->failure));
	return attempt->result.given + attempt->result.declined;
}

/* Each word of the small pages, and some of the huge page and beyond. */
static void each_word(struct __test_metadata *_metadata, int fd,
		      struct asked asked, enum failure failure)
{
	struct attempt attempt = {
		.fd = fd,
		.asked = asked,
		.failure = failure,
	};
	/* No page at all is no limit: that is ENDS. */
	unsigned int first = failure == NO_MEMORY ? 2 : 1, words;

	attempt.at = first;
	do {
		words = try(_metadata, &attempt, SMALL);
	} while (attempt.at++ < words);
	ASSERT_LT(10, attempt.at);

	/* A fault reaches the page table of the huge page alone: one word. */
	if (asked.way == ACCESSED) {
		attempt.at = first;
		try(_metadata, &attempt, MIXED_PAGES);
		return;
	}
	words = try(_metadata, &attempt, MIXED_PAGES);
	attempt.at = (attempt.at + words) / 2;
	try(_metadata, &attempt, MIXED_PAGES);
	attempt.at = words;
	try(_metadata, &attempt, MIXED_PAGES);
}

TEST_F(fails, at_each_word)
{
	struct attempt attempt = {
		.fd = self->fd,
		.asked = variant->asked,
		.failure = ENDS,
		.at = 1,
	};

	try(_metadata, &attempt, MIXED_PAGES);
	each_word(_metadata, self->fd, variant->asked, LEAVES_ONE);
	each_word(_metadata, self->fd, variant->asked, SAYS_WHY);
	each_word(_metadata, self->fd, variant->asked, NO_MEMORY);
	if (variant->asked.flags & HMM_TEST_LARGE)
		each_word(_metadata, self->fd, variant->asked, TOO_BIG);
}

TEST_F(fails, at_random)
{
	struct attempt attempt = {
		.fd = self->fd,
		.asked = variant->asked,
		.failure = AT_RANDOM,
		.at = now_ns() % 100000,
	};
	int i;

	for (i = 0; i < SEEDS; i++) {
		try(_metadata, &attempt, i % 3 ? SMALL : MIXED_PAGES);
		attempt.at += 17;
	}
}

TEST_HARNESS_MAIN
