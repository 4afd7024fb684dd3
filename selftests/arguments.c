// SPDX-License-Identifier: GPL-2.0
/* A driver gets an argument wrong: the call fails before it does anything. */
#include <errno.h>
#include <sys/ioctl.h>

#include "test.h"

#define PAGES	8

FIXTURE(arguments)
{
	int fd;
	char *memory;
};

FIXTURE_VARIANT(arguments)
{
	enum hmm_test_argument argument;
};

FIXTURE_VARIANT_ADD(arguments, null_ops)
{
	.argument = HMM_TEST_ARGUMENT_NULL_OPS,
};

FIXTURE_VARIANT_ADD(arguments, null_alloc_and_copy)
{
	.argument = HMM_TEST_ARGUMENT_NULL_ALLOC,
};

FIXTURE_VARIANT_ADD(arguments, null_finalize_and_map)
{
	.argument = HMM_TEST_ARGUMENT_NULL_FINALIZE,
};

FIXTURE_VARIANT_ADD(arguments, null_vma)
{
	.argument = HMM_TEST_ARGUMENT_NULL_VMA,
};

FIXTURE_VARIANT_ADD(arguments, null_pfns)
{
	.argument = HMM_TEST_ARGUMENT_NULL_PFNS,
};

FIXTURE_VARIANT_ADD(arguments, unknown_flags)
{
	.argument = HMM_TEST_ARGUMENT_UNKNOWN_FLAGS,
};

FIXTURE_VARIANT_ADD(arguments, empty)
{
	.argument = HMM_TEST_ARGUMENT_EMPTY,
};

FIXTURE_VARIANT_ADD(arguments, reversed)
{
	.argument = HMM_TEST_ARGUMENT_REVERSED,
};

FIXTURE_VARIANT_ADD(arguments, unaligned_start)
{
	.argument = HMM_TEST_ARGUMENT_UNALIGNED_START,
};

FIXTURE_VARIANT_ADD(arguments, unaligned_end)
{
	.argument = HMM_TEST_ARGUMENT_UNALIGNED_END,
};

FIXTURE_VARIANT_ADD(arguments, below_vma)
{
	.argument = HMM_TEST_ARGUMENT_BELOW_VMA,
};

FIXTURE_VARIANT_ADD(arguments, above_vma)
{
	.argument = HMM_TEST_ARGUMENT_ABOVE_VMA,
};

FIXTURE_VARIANT_ADD(arguments, wraps)
{
	.argument = HMM_TEST_ARGUMENT_WRAPS,
};

FIXTURE_SETUP(arguments)
{
	self->fd = own_open();
	ASSERT_GE(self->fd, 0);
	self->memory = pages_map(PAGES);
	fill(self->memory, PAGES, 1);
}

FIXTURE_TEARDOWN(arguments)
{
	EXPECT_EQ(-1, wrong(self->memory, PAGES, 1));
	EXPECT_EQ(PAGES, pages_at(self->memory, PAGES, SYSTEM));
	close(self->fd);
}

static const enum hmm_test_function functions[] = {
	HMM_TEST_VMA_MIGRATE, HMM_TEST_RANGE, HMM_TEST_DEVICE_RANGE,
	HMM_TEST_DEVICE_PFNS,
};

/* Every function that has such an argument. */
TEST_F(arguments, wrong)
{
	struct hmm_test_bad bad;
	int i, tried = 0;

	for (i = 0; i < ARRAY_SIZE(functions); i++) {
		bad = (struct hmm_test_bad) {
			.addr = (uintptr_t)self->memory,
			.npages = PAGES,
			.function = functions[i],
			.argument = variant->argument,
		};
		if (ioctl(self->fd, HMM_TEST_BAD, &bad)) {
			ASSERT_EQ(EOPNOTSUPP, errno);
			continue;
		}
		tried++;
		EXPECT_EQ(-EINVAL, bad.result.ret)
			TH_LOG("function %d: %s", functions[i],
			       own_describe(&bad.result));
		EXPECT_EQ(0, bad.result.windows);
		EXPECT_EQ(0, bad.result.migrated);
	}
	EXPECT_LT(0, tried);
}

/* The same calls with nothing wrong, or the above would prove nothing. */
TEST(good)
{
	char *memory = pages_map(PAGES);
	struct hmm_test_bad good;
	int fd = own_open(), i;

	ASSERT_GE(fd, 0);
	for (i = 0; i < ARRAY_SIZE(functions); i++) {
		fill(memory, PAGES, 1);
		good = (struct hmm_test_bad) {
			.addr = (uintptr_t)memory,
			.npages = PAGES,
			.function = functions[i],
			.argument = HMM_TEST_ARGUMENT_GOOD,
		};
		ASSERT_EQ(0, ioctl(fd, HMM_TEST_BAD, &good));
		EXPECT_EQ(0, good.result.ret);
		EXPECT_EQ(functions[i] <= HMM_TEST_RANGE, good.result.windows);
		EXPECT_EQ(-1, wrong(memory, PAGES, 1));
	}
}

TEST_HARNESS_MAIN
