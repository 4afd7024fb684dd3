// SPDX-License-Identifier: GPL-2.0
/*
 * Somebody is killed, ends, or becomes another program while the driver works
 * for it on memory of every kind: the call that is in progress ends as any
 * other, and whoever has the memory too has all of it.
 */
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

#include "fails/fails.h"
#include "test.h"

/* So long that two who look each millisecond both see it, on a busy host, too. */
#define DELAY	(200000 * patience())	/* microseconds */
#define STACK	8192	/* words */
#define DROPS	30	/* of 100 words */

/* How it comes to its end. */
enum end { KILLED, THREAD_KILLED, EXITS, EXECS };

static __u64 stack[STACK];

FIXTURE(dies)
{
	struct attempt attempt;
};

FIXTURE_VARIANT(dies)
{
	struct asked asked;
	bool finalize;		/* in finalize_and_map, else alloc_and_copy */
};

FIXTURE_VARIANT_ADD(dies, away)
{
	.asked.way = AWAY,
	.asked.flags = HMM_TEST_LARGE,
};

FIXTURE_VARIANT_ADD(dies, away_finalize)
{
	.asked.way = AWAY,
	.asked.flags = HMM_TEST_LARGE,
	.finalize = true,
};

FIXTURE_VARIANT_ADD(dies, away_in_pages)
{
	.asked.way = AWAY,
};

FIXTURE_VARIANT_ADD(dies, back)
{
	.asked.way = BACK,
	.asked.flags = HMM_TEST_LARGE,
};

FIXTURE_VARIANT_ADD(dies, back_finalize)
{
	.asked.way = BACK,
	.asked.flags = HMM_TEST_LARGE,
	.finalize = true,
};

FIXTURE_VARIANT_ADD(dies, evicted)
{
	.asked.way = EVICTED,
	.asked.flags = HMM_TEST_LARGE,
};

FIXTURE_VARIANT_ADD(dies, evicted_finalize)
{
	.asked.way = EVICTED,
	.asked.flags = HMM_TEST_LARGE,
	.finalize = true,
};

FIXTURE_VARIANT_ADD(dies, accessed)
{
	.asked.way = ACCESSED,
	.asked.flags = HMM_TEST_LARGE,
};

FIXTURE_VARIANT_ADD(dies, accessed_finalize)
{
	.asked.way = ACCESSED,
	.asked.flags = HMM_TEST_LARGE,
	.finalize = true,
};

FIXTURE_SETUP(dies)
{
	struct attempt *attempt = &self->attempt;

	on_cpu(0);
	*attempt = (struct attempt) {
		.fd = own_open(),
		.asked = variant->asked,
		.page = HUGE,
		.failure = AT_RANDOM,
		.at = now_ns() % 1000000 * 100 + DROPS,
		.delay_alloc_us = variant->finalize ? 0 : DELAY,
		.delay_finalize_us = variant->finalize ? DELAY : 0,
	};
	/* The page that is waited for comes, so that the wait is for it. */
	if (variant->asked.way == ACCESSED)
		attempt->failure = WORKS;
	ASSERT_GE(attempt->fd, 0);
	ASSERT_EQ(0, swap_on());
	folio_order_add(4);
	/* Counted before. */
	memset(stack, 0, sizeof(stack));
	ASSERT_TRUE(attempt_prepare(attempt, MIXED_PAGES));
}

FIXTURE_TEARDOWN(dies)
{
	EXPECT_EQ(0, own_in_use(self->attempt.fd));
	EXPECT_EQ(0, own_stats(self->attempt.fd).in_callback);
	EXPECT_EQ(0, vm_awaited("nr_isolated_anon", 0));
	EXPECT_EQ(0, vm_awaited("nr_isolated_file", 0));
	folio_order_reset();
	EXPECT_EQ(0, swap_off());
	close(self->attempt.fd);
}

static int make(void *argument)
{
	return attempt_make(argument);
}

/*
 * A process of its own, but in our memory: what the call has done is all there.
 * A call ends between two windows; an eviction and a fault are completed.
 */
TEST_F(dies, memory_lives)
{
	struct attempt *attempt = &self->attempt;
	struct hmm_test_result result;
	const char *wrong;
	pid_t child;

	child = clone(make, stack + STACK, CLONE_VM | CLONE_FILES | SIGCHLD,
		      attempt);
	ASSERT_LT(0, child);
	ASSERT_EQ(0, own_wait_for_callback(attempt->fd));
	sleep_ms(30);
	ASSERT_EQ(0, kill(child, SIGKILL));
	ASSERT_EQ(128 + SIGKILL, end_of(child));
	injected(1, "the death of who asked, in a callback");

	attempt_look(attempt, &attempt->after);
	attempt->result = attempt_result(attempt);
	result = attempt->result;
	if (attempt->asked.way == AWAY || attempt->asked.way == BACK) {
		EXPECT_EQ(-EINTR, result.ret)
			TH_LOG("%s", own_describe(&result));
		EXPECT_GT(3, result.windows);
	} else {
		EXPECT_EQ(0, result.ret) TH_LOG("%s", own_describe(&result));
	}
	attempt->answered = true;
	wrong = expect_any(attempt);
	EXPECT_EQ(NULL, wrong) TH_LOG("%s", wrong);
	wrong = attempt_end(attempt);
	EXPECT_EQ(NULL, wrong) TH_LOG("%s", wrong);
}

struct victim {
	struct attempt *attempt;
	pid_t *tid;		/* of the thread that makes the attempt */
};

static void *thread_makes(void *argument)
{
	struct victim *victim = argument;

	*victim->tid = gettid();
	attempt_make(victim->attempt);
	return NULL;
}

/* A process whose leader is not the one that asks, and which ends somehow. */
static void live(struct victim *victim, enum end end)
{
	pthread_t thread;

	/* Of some pages it has its own by now. */
	if (victim->attempt->asked.way == AWAY)
		fill(victim->attempt->mixed.memory + 16 * PAGE, 3, 9);
	if (pthread_create(&thread, NULL, thread_makes, victim) ||
	    own_wait_for_callback(victim->attempt->fd))
		_exit(1);
	if (end == EXITS)
		_exit(7);
	if (end == EXECS)
		execl("/bin/true", "true", NULL);
	for (;;)
		pause();
}

static size_t pages_before(const struct attempt *attempt, enum place place)
{
	size_t page, count = 0;

	for (page = 0; page < MIXED_PAGES; page++)
		count += attempt->before.places[page] == place;
	return count;
}

/* Nothing of it is left but what the others have moved with it. */
static void expect_all_is_there(struct __test_metadata *_metadata,
				struct attempt *attempt)
{
	const char *wrong;

	attempt->result = attempt_result(attempt);
	EXPECT_EQ(0, attempt->result.contract)
		TH_LOG("%s", own_describe(&attempt->result));
	EXPECT_EQ(pages_at(attempt->mixed.memory, MIXED_PAGES, PRIVATE),
		  own_in_use(attempt->fd))
		TH_LOG("%s", own_describe(&attempt->result));
	EXPECT_EQ(pages_before(attempt, ELSEWHERE),
		  pages_at(attempt->mixed.memory, MIXED_PAGES, ELSEWHERE));
	wrong = attempt_end(attempt);
	EXPECT_EQ(NULL, wrong) TH_LOG("%s", wrong);
}

static void live_and_die(struct __test_metadata *_metadata,
			 struct attempt *attempt, enum end end, int status)
{
	__u64 calls = own_stats(attempt->fd).calls;
	__u64 faults = own_stats(attempt->fd).faults;
	struct victim victim = { .attempt = attempt };
	struct hmm_test_stats stats;
	pid_t child;

	victim.tid = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)victim.tid);
	child = fork();
	if (!child)
		live(&victim, end);
	ASSERT_EQ(0, own_wait_for_callback(attempt->fd));
	sleep_ms(30);
	if (end == KILLED)
		ASSERT_EQ(0, kill(child, SIGKILL));
	if (end == THREAD_KILLED)
		ASSERT_EQ(0, syscall(SYS_tgkill, child, *victim.tid, SIGKILL));
	EXPECT_EQ(status, end_of(child));
	injected(1, "the death of the process, in a callback");
	stats = own_stats(attempt->fd);
	EXPECT_LT(calls + faults, stats.calls + stats.faults);
	munmap(victim.tid, PAGE);
	expect_all_is_there(_metadata, attempt);
}

TEST_F(dies, killed)
{
	live_and_die(_metadata, &self->attempt, KILLED, 128 + SIGKILL);
}

TEST_F(dies, thread_killed)
{
	live_and_die(_metadata, &self->attempt, THREAD_KILLED, 128 + SIGKILL);
}

TEST_F(dies, exits)
{
	live_and_die(_metadata, &self->attempt, EXITS, 7);
}

TEST_F(dies, execs)
{
	live_and_die(_metadata, &self->attempt, EXECS, 0);
}

TEST_HARNESS_MAIN
