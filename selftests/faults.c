// SPDX-License-Identifier: GPL-2.0
/* The CPU touches what is on the device, and the driver may not be able to. */
#include <errno.h>
#include <linux/mman.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "test.h"

#define PAGES	64
#define FAULT_OOM	0x1
#define FAULT_SIGBUS	0x2
#define FAULT_HWPOISON	0x10

#ifndef BUS_MCEERR_AR
#define BUS_MCEERR_AR	4
#endif

FIXTURE(faults)
{
	int fd;
	char *memory;
};

FIXTURE_SETUP(faults)
{
	on_cpu(0);
	self->fd = own_open();
	ASSERT_GE(self->fd, 0);
	self->memory = pages_map(PAGES);
	fill(self->memory, PAGES, 1);
	ASSERT_EQ(PAGES, own_to_device(self->fd, self->memory, PAGES));
}

static void set(int fd, struct hmm_test_fault fault)
{
	if (ioctl(fd, HMM_TEST_FAULT, &fault))
		perror("HMM_TEST_FAULT");
}

FIXTURE_TEARDOWN(faults)
{
	set(self->fd, (struct hmm_test_fault) {});
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
	EXPECT_EQ(PAGES, pages_at(self->memory, PAGES, SYSTEM));
	EXPECT_EQ(0, own_in_use(self->fd));
	close(self->fd);
}

static sigjmp_buf before_access;
static int bus_code;

static void bus_error(int signal, siginfo_t *info, void *context)
{
	bus_code = info->si_code;
	siglongjmp(before_access, 1);
}

/* The si_code of the SIGBUS that an access brings; 0: it brings none. */
static int access_page(char *page)
{
	struct sigaction action = {
		.sa_sigaction = bus_error,
		.sa_flags = SA_SIGINFO,
	};

	sigaction(SIGBUS, &action, NULL);
	bus_code = 0;
	if (!sigsetjmp(before_access, 1))
		__atomic_load_n(page, __ATOMIC_RELAXED);
	signal(SIGBUS, SIG_DFL);
	return bus_code;
}

TEST_F(faults, one_page)
{
	EXPECT_EQ(0, access_page(self->memory + 5 * PAGE));
	EXPECT_EQ(1, pages_at(self->memory, PAGES, SYSTEM));
	EXPECT_EQ(SYSTEM, place_of(self->memory + 5 * PAGE));
	EXPECT_EQ(0, own_stats(self->fd).last_fault.ret);
	EXPECT_EQ(0, own_stats(self->fd).last_fault.contract);
}

/* A driver may bring more than was asked for, within the mapping. */
TEST_F(faults, window)
{
	set(self->fd, (struct hmm_test_fault) { .window = 16 });
	EXPECT_EQ(0, access_page(self->memory + 20 * PAGE));
	EXPECT_EQ(16, pages_at(self->memory, PAGES, SYSTEM));
	EXPECT_EQ(16, pages_at(self->memory + 16 * PAGE, 16, SYSTEM));

	set(self->fd, (struct hmm_test_fault) { .window = 4096 });
	EXPECT_EQ(0, access_page(self->memory));
	EXPECT_EQ(PAGES, pages_at(self->memory, PAGES, SYSTEM));
	EXPECT_EQ(0, own_stats(self->fd).last_fault.contract);
}

static const struct {
	int error;
	int ret;
	int code;
} declined[] = {
	{ EIO, FAULT_SIGBUS, BUS_ADRERR },
	{ EBUSY, FAULT_SIGBUS, BUS_ADRERR },
	{ -1, FAULT_SIGBUS, BUS_ADRERR },
	{ EHWPOISON, FAULT_HWPOISON, BUS_MCEERR_AR },
};

TEST_F(faults, declined)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(declined); i++) {
		set(self->fd, (struct hmm_test_fault) {
			.fault_errno = declined[i].error,
		});
		EXPECT_EQ(declined[i].code, access_page(self->memory))
			TH_LOG("errno %d", declined[i].error);
		EXPECT_EQ(declined[i].ret, own_stats(self->fd).last_fault.ret);
		EXPECT_EQ(PRIVATE, place_of(self->memory));
	}
}

/* The pages around the one that is declined may come nevertheless. */
TEST_F(faults, declined_in_a_window)
{
	set(self->fd, (struct hmm_test_fault) {
		.window = 16,
		.fault_errno = EIO,
	});
	EXPECT_EQ(BUS_ADRERR, access_page(self->memory + 3 * PAGE));
	EXPECT_EQ(PRIVATE, place_of(self->memory + 3 * PAGE));
	EXPECT_EQ(15, pages_at(self->memory, PAGES, SYSTEM));
}

/* A child that reads a page, and has come to so many faults when this returns. */
static pid_t child_reads(int fd, char *memory, __u64 times)
{
	__u64 faults = own_stats(fd).faults;
	pid_t child = fork();

	if (!child)
		_exit(page_is(memory, 0, 1) ? 0 : 1);
	while (own_stats(fd).faults < faults + times &&
	       !waitpid(child, NULL, WNOHANG))
		sleep_ms(1);
	return child;
}

/* Without memory, the access waits until there is some. */
TEST_F(faults, no_memory)
{
	pid_t child;

	set(self->fd, (struct hmm_test_fault) { .fault_errno = ENOMEM });
	child = child_reads(self->fd, self->memory, 3);
	EXPECT_EQ(FAULT_OOM, own_stats(self->fd).last_fault.ret);
	set(self->fd, (struct hmm_test_fault) {});
	EXPECT_EQ(0, end_of(child));
}

/* Somebody holds the page for a moment: the access waits that long. */
TEST_F(faults, page_is_in_use)
{
	pid_t child;

	ASSERT_EQ(0, own_hold(self->fd, pfn_of(self->memory),
			      HMM_TEST_HOLD_REFERENCE));
	child = child_reads(self->fd, self->memory, 2);
	EXPECT_EQ(0, own_stats(self->fd).last_fault.ret);
	EXPECT_EQ(PRIVATE, place_of(self->memory));
	ASSERT_EQ(0, own_hold(self->fd, 0, HMM_TEST_RELEASE_ALL));
	EXPECT_EQ(0, end_of(child));
}

/*
 * Meanwhile it is repeated again and again. It does not disturb all processors
 * each time.
 */
TEST_F(faults, page_stays_in_use)
{
	long drains, tenths;
	__u64 begin;
	pid_t child;

	ASSERT_EQ(0, own_hold(self->fd, pfn_of(self->memory),
			      HMM_TEST_HOLD_REFERENCE));
	ASSERT_EQ(0, stats_on());
	begin = now_ns();
	child = child_reads(self->fd, self->memory, 50);
	/* In this order: time goes on between the two. */
	drains = stats("lru_drains");
	tenths = (now_ns() - begin) / 100000000;
	EXPECT_GE(tenths + 2, drains);
	EXPECT_LE(1, drains);
	stats_off();
	ASSERT_EQ(0, own_hold(self->fd, 0, HMM_TEST_RELEASE_ALL));
	EXPECT_EQ(0, end_of(child));
}

/* Unmaps a locked page on a processor, which keeps a reference for a while. */
static void *thread_unmaps(void *memory)
{
	on_cpu(1);
	pages_unmap(memory, 1);
	return NULL;
}

/*
 * That reference is in a batch that nobody else empties: the access is repeated
 * until the batch is emptied for it. Now and then something else has emptied it
 * before. A page that is locked only where it is touched is not marked as such
 * on a device.
 */
static void in_a_batch(struct __test_metadata *_metadata, int fd, bool on_fault)
{
	__u64 faults = 0;
	pthread_t thread;
	char *memory;
	pid_t child;
	int round, fds[2];
	char go;

	for (round = 0; round < 8 && faults < 2; round++) {
		memory = pages_map(1);
		if (!on_fault)
			ASSERT_EQ(0, mlock(memory, PAGE));
		fill(memory, 1, 1);
		ASSERT_EQ(1, own_to_device(fd, memory, 1));
		if (on_fault)
			ASSERT_EQ(0, syscall(SYS_mlock2, memory, PAGE,
					     MLOCK_ONFAULT));
		ASSERT_EQ(0, pipe(fds));
		child = fork();
		if (!child)
			_exit(read(fds[0], &go, 1) == 1 &&
			      page_is(memory, 0, 1) ? 0 : 1);
		ASSERT_EQ(0, pthread_create(&thread, NULL, thread_unmaps,
					    memory));
		ASSERT_EQ(0, pthread_join(thread, NULL));
		faults = own_stats(fd).faults;
		ASSERT_EQ(1, write(fds[1], "", 1));
		EXPECT_EQ(0, end_of(child));
		faults = own_stats(fd).faults - faults;
		close(fds[0]);
		close(fds[1]);
	}
	EXPECT_LE(2, faults);
}

TEST_F(faults, in_a_batch_of_another_processor)
{
	in_a_batch(_metadata, self->fd, false);
}

TEST_F(faults, in_a_batch_without_a_mark)
{
	in_a_batch(_metadata, self->fd, true);
}

/* A driver that calls with a wrong argument gets its process a signal. */
TEST_F(faults, bad_argument)
{
	static const int arguments[] = {
		HMM_TEST_ARGUMENT_NULL_OPS, HMM_TEST_ARGUMENT_NULL_ALLOC,
		HMM_TEST_ARGUMENT_NULL_FINALIZE,
		HMM_TEST_ARGUMENT_UNKNOWN_FLAGS, HMM_TEST_ARGUMENT_EMPTY,
		HMM_TEST_ARGUMENT_UNALIGNED_START,
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(arguments); i++) {
		set(self->fd, (struct hmm_test_fault) {
			.argument = arguments[i],
		});
		EXPECT_EQ(BUS_ADRERR, access_page(self->memory))
			TH_LOG("argument %d", arguments[i]);
		EXPECT_EQ(0, own_stats(self->fd).last_fault.windows);
	}
}

TEST_F(faults, bad_destination)
{
	static const int rules[] = {
		HMM_TEST_RULE_UNLOCKED, HMM_TEST_RULE_SOURCE,
		HMM_TEST_RULE_PROMISE, HMM_TEST_RULE_NO_SUCH_PFN,
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(rules); i++) {
		set(self->fd, (struct hmm_test_fault) {
			.driver.rule = rules[i],
		});
		EXPECT_EQ(BUS_ADRERR, access_page(self->memory))
			TH_LOG("rule %d", rules[i]);
		EXPECT_EQ(PRIVATE, place_of(self->memory));
	}
}

/* Others wait for the callbacks, however long these take. */
TEST_F(faults, slow_driver)
{
	pid_t children[4];
	int i;

	set(self->fd, (struct hmm_test_fault) {
		.window = PAGES,
		.driver.delay_alloc_us = 50000,
		.driver.delay_finalize_us = 50000,
	});
	for (i = 0; i < ARRAY_SIZE(children); i++) {
		children[i] = fork();
		if (!children[i])
			_exit(wrong(self->memory, PAGES, 1) == -1 ? 0 : 1);
	}
	for (i = 0; i < ARRAY_SIZE(children); i++)
		EXPECT_EQ(0, end_of(children[i]));
}

#define THREADS	16

static void *thread_reads(void *argument)
{
	on_any_cpu();
	return (void *)wrong(argument, PAGES, 1);
}

/*
 * Many threads want the same pages at once: one of them brings a page, the
 * others wait for it and find it.
 */
TEST_F(faults, many_threads)
{
	__u64 faults = own_stats(self->fd).faults;
	pthread_t threads[THREADS];
	void *ret;
	int i;

	set(self->fd, (struct hmm_test_fault) {
		.driver.delay_alloc_us = 1000,
	});
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, thread_reads,
					    self->memory));
	for (i = 0; i < THREADS; i++) {
		ASSERT_EQ(0, pthread_join(threads[i], &ret));
		EXPECT_EQ((void *)-1, ret);
	}
	EXPECT_EQ(0, own_stats(self->fd).last_fault.contract);
	EXPECT_LE(faults + PAGES, own_stats(self->fd).faults);
	EXPECT_GT(faults + 2 * PAGES, own_stats(self->fd).faults);
}

static void *thread_lets_go(void *argument)
{
	int *fd = argument;

	sleep_ms(100);
	return (void *)(long)own_hold(*fd, 0, HMM_TEST_RELEASE_ALL);
}

/*
 * While a huge page on the device is locked, the core repeats the access. Who
 * waits so leaves the processor to nobody of lower priority; whoever has the
 * lock gets it all the same, in a second.
 */
TEST(of_a_higher_priority)
{
	struct sched_param high = { .sched_priority = 10 }, normal = {};
	char *memory = huge_pages_map(1, 1);
	int fd = own_open();
	pthread_t thread;
	__u64 begin;
	void *ret;

	if (!huge_pages_exist())
		SKIP(return, NO_HUGE_PAGES);
	ASSERT_GE(fd, 0);
	ASSERT_NE(NULL, memory);
	on_cpu(0);
	ASSERT_EQ(TABLE, own_to_device(fd, memory, TABLE));
	ASSERT_EQ(0, own_hold(fd, pfn_of(memory), HMM_TEST_HOLD_LOCK));
	begin = now_ns();
	ASSERT_EQ(0, pthread_create(&thread, NULL, thread_lets_go, &fd));
	ASSERT_EQ(0, sched_setscheduler(0, SCHED_FIFO, &high));
	EXPECT_TRUE(page_is(memory, 5, 1));
	ASSERT_EQ(0, sched_setscheduler(0, SCHED_OTHER, &normal));
	EXPECT_LE(100000000ULL, now_ns() - begin);
	EXPECT_GE(10000000000ULL * patience(), now_ns() - begin);
	ASSERT_EQ(0, pthread_join(thread, &ret));
	EXPECT_EQ(NULL, ret);
	EXPECT_EQ(-1, wrong(memory, TABLE, 1));
	pages_unmap(memory, TABLE);
	close(fd);
}

TEST_HARNESS_MAIN
