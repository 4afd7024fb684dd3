// SPDX-License-Identifier: GPL-2.0
/*
 * A driver breaks a rule for a destination: that page stays, the others move,
 * no page is lost, on neither side, and the kernel's log says which rule.
 */
#include <string.h>

#include "test.h"

#define PAGES	64
#define EVERY	4

FIXTURE(destinations)
{
	int fd;
	char *memory;
	char *other;
};

FIXTURE_VARIANT(destinations)
{
	enum hmm_test_rule rule;
	bool to_node;
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(destinations, unlocked)
{
	.rule = HMM_TEST_RULE_UNLOCKED,
};

FIXTURE_VARIANT_ADD(destinations, not_valid)
{
	.rule = HMM_TEST_RULE_NOT_VALID,
};

FIXTURE_VARIANT_ADD(destinations, no_locked_flag)
{
	.rule = HMM_TEST_RULE_NO_LOCKED_FLAG,
};

FIXTURE_VARIANT_ADD(destinations, source)
{
	.rule = HMM_TEST_RULE_SOURCE,
};

FIXTURE_VARIANT_ADD(destinations, source_for_a_node)
{
	.rule = HMM_TEST_RULE_SOURCE,
	.to_node = true,
};

FIXTURE_VARIANT_ADD(destinations, other_source)
{
	.rule = HMM_TEST_RULE_OTHER_SOURCE,
};

FIXTURE_VARIANT_ADD(destinations, other_source_for_a_node)
{
	.rule = HMM_TEST_RULE_OTHER_SOURCE,
	.to_node = true,
};

FIXTURE_VARIANT_ADD(destinations, twice)
{
	.rule = HMM_TEST_RULE_TWICE,
};

FIXTURE_VARIANT_ADD(destinations, twice_for_a_node)
{
	.rule = HMM_TEST_RULE_TWICE,
	.to_node = true,
};

FIXTURE_VARIANT_ADD(destinations, mapped)
{
	.rule = HMM_TEST_RULE_MAPPED,
	.to_node = true,
};

FIXTURE_VARIANT_ADD(destinations, page_cache)
{
	.rule = HMM_TEST_RULE_PAGE_CACHE,
	.to_node = true,
};

FIXTURE_VARIANT_ADD(destinations, tail)
{
	.rule = HMM_TEST_RULE_TAIL,
};

FIXTURE_VARIANT_ADD(destinations, order)
{
	.rule = HMM_TEST_RULE_ORDER,
};

FIXTURE_VARIANT_ADD(destinations, order_mismatch)
{
	.rule = HMM_TEST_RULE_ORDER_MISMATCH,
	.flags = HMM_TEST_LARGE,
};

FIXTURE_VARIANT_ADD(destinations, no_such_pfn)
{
	.rule = HMM_TEST_RULE_NO_SUCH_PFN,
};

FIXTURE_VARIANT_ADD(destinations, no_page)
{
	.rule = HMM_TEST_RULE_NO_PAGE,
};

FIXTURE_VARIANT_ADD(destinations, unknown_device)
{
	.rule = HMM_TEST_RULE_UNKNOWN_DEVICE,
};

FIXTURE_VARIANT_ADD(destinations, promise)
{
	.rule = HMM_TEST_RULE_PROMISE,
	.to_node = true,
};

FIXTURE_VARIANT_ADD(destinations, no_reference)
{
	.rule = HMM_TEST_RULE_NO_REFERENCE,
};

FIXTURE_VARIANT_ADD(destinations, garbage)
{
	.rule = HMM_TEST_RULE_GARBAGE,
};

FIXTURE_SETUP(destinations)
{
	on_cpu(0);
	self->fd = own_open();
	ASSERT_GE(self->fd, 0);
	self->memory = pages_map(PAGES);
	self->other = pages_map(1);
	fill(self->memory, PAGES, 1);
	fill(self->other, 1, 9);
	ASSERT_EQ(0, own_in_use(self->fd));
}

FIXTURE_TEARDOWN(destinations)
{
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
	EXPECT_EQ(-1, wrong(self->other, 1, 9));
	pages_unmap(self->memory, PAGES);
	pages_unmap(self->other, 1);
	EXPECT_EQ(0, own_in_use(self->fd));
	close(self->fd);
}

static struct hmm_test_move request(void *memory, enum hmm_test_rule rule)
{
	struct hmm_test_move move = own_request(memory, PAGES,
						HMM_TEST_TO_DEVICE,
						HMM_TEST_FROM_SYSTEM);

	move.driver.rule = rule;
	move.driver.rule_every = EVERY;
	return move;
}

/* The same, with what some rules need beyond that. */
static struct hmm_test_move special(struct hmm_test_move move, bool to_node,
				    unsigned int flags, void *other)
{
	move.flags |= flags;
	if (to_node) {
		move.to = HMM_TEST_TO_NODE;
		move.node = 1;
		move.flags |= HMM_TEST_TO_SYSTEM;
	}
	move.driver.other = (uintptr_t)other;
	return move;
}

TEST_F(destinations, refused)
{
	struct hmm_test_move move = request(self->memory, variant->rule);

	move = special(move, variant->to_node, variant->flags, self->other);
	ASSERT_EQ(0, own_call(self->fd, &move));
	EXPECT_EQ(0, move.result.ret);
	EXPECT_LT(0, move.result.broken)
		TH_LOG("the driver could not break the rule");
	EXPECT_EQ(move.result.broken,
		  move.result.left[HMM_TEST_BAD_DESTINATION])
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(PAGES - move.result.broken, move.result.migrated);
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
	EXPECT_EQ(0, pages_at(self->memory, PAGES, ELSEWHERE));
	injected(move.result.broken, "a destination that breaks a rule");
}

/* Again, with a driver that gets every single page wrong. */
TEST_F(destinations, all_of_them)
{
	struct hmm_test_move move = request(self->memory, variant->rule);

	move = special(move, variant->to_node, variant->flags, self->other);
	move.driver.rule_every = 1;
	ASSERT_EQ(0, own_call(self->fd, &move));
	EXPECT_EQ(move.result.broken,
		  move.result.left[HMM_TEST_BAD_DESTINATION])
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(PAGES, move.result.broken + move.result.migrated);
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
	injected(move.result.broken, "a destination that breaks a rule");

	/* And then with one that gets none wrong. */
	EXPECT_EQ(PAGES, own_to_node(self->fd, self->memory, PAGES, 0) +
			 own_to_system(self->fd, self->memory, PAGES));
	EXPECT_EQ(PAGES, own_to_device(self->fd, self->memory, PAGES));
}

/* A page that is charged would come to be charged twice, and stay so for ever. */
TEST(charged)
{
	char *memory = pages_map(PAGES);
	struct hmm_test_move move;
	int fd = own_open();

	if (!groups_exist())
		SKIP(return, NO_GROUPS);
	ASSERT_GE(fd, 0);
	fill(memory, PAGES, 1);
	move = request(memory, HMM_TEST_RULE_CHARGED);
	move = special(move, true, 0, NULL);
	ASSERT_EQ(0, group_enter("hmm_migrate_charged"));
	EXPECT_EQ(0, own_call(fd, &move));
	EXPECT_EQ(PAGES / EVERY, move.result.broken);
	EXPECT_EQ(PAGES / EVERY, move.result.left[HMM_TEST_BAD_DESTINATION])
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(PAGES - PAGES / EVERY, move.result.migrated);
	EXPECT_EQ(0, group_leave("hmm_migrate_charged"));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

/*
 * Only the owner that a call names can take memory of its device back. Where
 * it names another, or none, the memory stays where it can be used.
 */
TEST(another_owner)
{
	static const enum hmm_test_owner owners[] = {
		HMM_TEST_OWNER_OTHER, HMM_TEST_OWNER_NONE,
	};
	char *memory = pages_map(PAGES);
	struct hmm_test_move move;
	int fd = own_open(), i;

	ASSERT_GE(fd, 0);
	fill(memory, PAGES, 1);
	for (i = 0; i < ARRAY_SIZE(owners); i++) {
		move = request(memory, 0);
		move.owner = owners[i];
		ASSERT_EQ(0, own_call(fd, &move));
		EXPECT_EQ(0, move.result.ret);
		EXPECT_EQ(PAGES, move.result.left[HMM_TEST_BAD_DESTINATION])
			TH_LOG("%s", own_describe(&move.result));
		EXPECT_EQ(0, own_in_use(fd));
	}
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
}

/* Whether a line of the log, of those not read yet, refuses a page for this. */
static bool log_says(int kmsg, const char *why)
{
	char record[1024], *text, *reason;
	bool says = false;
	ssize_t length;

	while ((length = read(kmsg, record, sizeof(record) - 1)) > 0) {
		record[length] = 0;
		text = strchr(record, ';');
		if (!text || strncmp(text + 1, "hmm_migrate: ", 13))
			continue;
		reason = strstr(text, " is refused: ");
		if (reason && !strncmp(reason + 13, why, strlen(why)))
			says = true;
	}
	return says;
}

static const struct {
	enum hmm_test_rule rule;
	const char *why;
} refusals[] = {
	{ HMM_TEST_RULE_UNLOCKED, "it is not locked\n" },
	{ HMM_TEST_RULE_NO_LOCKED_FLAG, "its word has no LOCKED\n" },
	{ HMM_TEST_RULE_NO_REFERENCE, "it is free\n" },
	{ HMM_TEST_RULE_NO_SUCH_PFN, "there is no such page\n" },
	{ HMM_TEST_RULE_ORDER, "its order is not that of the source\n" },
	{ HMM_TEST_RULE_TAIL, "it is part of a larger folio" },
};

/* Messages are rate-limited: the first may come some seconds late. */
TEST(log)
{
	int kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	char *memory = pages_map(PAGES);
	struct hmm_test_move move;
	int fd = own_open(), tries, i;
	bool said;

	ASSERT_GE(fd, 0);
	ASSERT_GE(kmsg, 0);
	fill(memory, PAGES, 1);
	lseek(kmsg, 0, SEEK_END);
	for (i = 0; i < ARRAY_SIZE(refusals); i++) {
		said = false;
		for (tries = 0; tries < 70 && !said; tries++) {
			if (tries)
				sleep_ms(100);
			move = request(memory, refusals[i].rule);
			/* One, or a call would say all that may be said. */
			move.driver.rule_every = PAGES;
			ASSERT_EQ(0, own_call(fd, &move));
			EXPECT_EQ(1, move.result.broken);
			said = log_says(kmsg, refusals[i].why);
			EXPECT_EQ(-1, wrong(memory, PAGES, 1));
		}
		EXPECT_TRUE(said) TH_LOG("%s", refusals[i].why);
	}
}

/* A page in a word that was not offered is nobody's destination. */
TEST(unoffered)
{
	char *memory = pages_map(PAGES);
	struct hmm_test_move move;
	int fd = own_open(), page;

	ASSERT_GE(fd, 0);
	fill(memory, PAGES, 1);
	for (page = 0; page < PAGES; page += EVERY)
		ASSERT_EQ(0, own_hold(fd, pfn_of(memory + page * PAGE),
				      HMM_TEST_HOLD_REFERENCE));
	move = request(memory, HMM_TEST_RULE_UNOFFERED);
	move.driver.rule_every = 1;
	ASSERT_EQ(0, own_call(fd, &move));
	EXPECT_EQ(PAGES / EVERY, move.result.broken);
	EXPECT_EQ(PAGES / EVERY, move.result.left[HMM_TEST_PINNED])
		TH_LOG("%s", own_describe(&move.result));
	EXPECT_EQ(PAGES - PAGES / EVERY, move.result.migrated);
	EXPECT_EQ(PAGES - PAGES / EVERY, own_in_use(fd));
	ASSERT_EQ(0, own_hold(fd, 0, HMM_TEST_RELEASE_ALL));
	EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	EXPECT_EQ(0, own_in_use(fd));
}

/* Holes have destinations too. */
TEST(holes)
{
	static const enum hmm_test_rule rules[] = {
		HMM_TEST_RULE_UNLOCKED, HMM_TEST_RULE_NOT_VALID,
		HMM_TEST_RULE_TWICE, HMM_TEST_RULE_TAIL,
		HMM_TEST_RULE_NO_SUCH_PFN, HMM_TEST_RULE_NO_REFERENCE,
	};
	struct hmm_test_move move;
	int fd = own_open(), i;
	char *memory;
	size_t page;

	ASSERT_GE(fd, 0);
	for (i = 0; i < ARRAY_SIZE(rules); i++) {
		memory = pages_map(PAGES);
		move = request(memory, rules[i]);
		ASSERT_EQ(0, own_call(fd, &move));
		EXPECT_LT(0, move.result.broken);
		EXPECT_EQ(move.result.broken,
			  move.result.left[HMM_TEST_BAD_DESTINATION])
			TH_LOG("rule %d: %s", rules[i],
			       own_describe(&move.result));
		EXPECT_EQ(PAGES - move.result.broken, move.result.migrated);
		EXPECT_EQ(move.result.migrated,
			  pages_at(memory, PAGES, PRIVATE));
		EXPECT_EQ(move.result.broken, pages_at(memory, PAGES, NOWHERE));
		for (page = 0; page < PAGES; page++)
			ASSERT_TRUE(page_is_zero(memory, page));
		pages_unmap(memory, PAGES);
		EXPECT_EQ(0, own_in_use(fd));
	}
}

TEST_HARNESS_MAIN
