// SPDX-License-Identifier: GPL-2.0
/*
 * The example driver, as a process sees it: bytes to which the device has added
 * something, wherever they were.
 */
#include <errno.h>
#include <sys/ioctl.h>

#include "test.h"
#include "example/example.h"

#define PAGES	600

FIXTURE(example)
{
	int fd;
	char *memory;
};

FIXTURE_SETUP(example)
{
	ASSERT_EQ(0, module_load("hmm_migrate_example", ""));
	self->fd = open("/dev/hmm_migrate_example", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
	self->memory = pages_map(PAGES);
}

FIXTURE_TEARDOWN(example)
{
	close(self->fd);
	EXPECT_EQ(0, module_unload("hmm_migrate_example"));
}

static struct hmm_example_add add_to(const void *memory, size_t npages,
				     unsigned char value)
{
	return (struct hmm_example_add) {
		.addr = (uintptr_t)memory,
		.npages = npages,
		.value = value,
	};
}

/* Whether each byte is one that all bytes of the memory should be. */
static bool all_are(const char *memory, size_t npages, char value)
{
	size_t i;

	for (i = 0; i < npages * PAGE; i++)
		if (memory[i] != value)
			return false;
	return true;
}

TEST_F(example, adds)
{
	struct hmm_example_add add = add_to(self->memory, PAGES, 3);

	memset(self->memory, 1, PAGES / 2 * PAGE);
	ASSERT_EQ(0, ioctl(self->fd, HMM_EXAMPLE_ADD, &add));
	EXPECT_EQ(PAGES, add.on_device);
	EXPECT_EQ(PAGES, pages_at(self->memory, PAGES, PRIVATE));
	ASSERT_EQ(0, ioctl(self->fd, HMM_EXAMPLE_ADD, &add));
	EXPECT_TRUE(all_are(self->memory, PAGES / 2, 7));
	EXPECT_TRUE(all_are(self->memory + PAGES / 2 * PAGE, PAGES / 2, 6));
	EXPECT_EQ(PAGES, pages_at(self->memory, PAGES, SYSTEM));
}

/* Some pages cannot move; the device uses them where they are. */
TEST_F(example, uses_what_stays)
{
	struct hmm_example_add add = add_to(self->memory, PAGES, 2);
	int own = own_open();

	ASSERT_LE(0, own);
	memset(self->memory, 1, PAGES * PAGE);
	ASSERT_EQ(0, own_hold(own, pfn_of(self->memory + 7 * PAGE),
			      HMM_TEST_HOLD_REFERENCE));
	ASSERT_EQ(0, ioctl(self->fd, HMM_EXAMPLE_ADD, &add));
	EXPECT_EQ(PAGES - 1, add.on_device);
	EXPECT_TRUE(all_are(self->memory, PAGES, 3));
	ASSERT_EQ(0, own_hold(own, 0, HMM_TEST_RELEASE_ALL));
}

/* What a process has had from fork() on is its own, wherever it is. */
TEST_F(example, adds_to_its_own)
{
	struct hmm_example_add add = add_to(self->memory, PAGES, 2);
	pid_t child;
	char word;
	int go[2];

	ASSERT_EQ(0, pipe(go));
	memset(self->memory, 1, PAGES * PAGE);
	ASSERT_EQ(0, ioctl(self->fd, HMM_EXAMPLE_ADD, &add));
	ASSERT_EQ(PAGES, pages_at(self->memory, PAGES, PRIVATE));
	child = fork();
	if (!child) {
		close(go[1]);
		if (read(go[0], &word, 1))
			_exit(2);
		_exit(all_are(self->memory, PAGES, 3) ? 0 : 1);
	}
	add.value = 4;
	ASSERT_EQ(0, ioctl(self->fd, HMM_EXAMPLE_ADD, &add));
	close(go[1]);
	EXPECT_EQ(0, end_of(child));
	EXPECT_TRUE(all_are(self->memory, PAGES, 7));
	close(go[0]);
}

/* The device writes no memory that the process may not. */
TEST_F(example, leaves_what_is_read_only)
{
	struct hmm_example_add add = add_to(self->memory, PAGES, 2);

	memset(self->memory, 1, PAGES * PAGE);
	ASSERT_EQ(0, ioctl(self->fd, HMM_EXAMPLE_ADD, &add));
	ASSERT_EQ(PAGES, pages_at(self->memory, PAGES, PRIVATE));
	ASSERT_EQ(0, mprotect(self->memory, PAGES * PAGE, PROT_READ));
	EXPECT_EQ(-1, ioctl(self->fd, HMM_EXAMPLE_ADD, &add));
	EXPECT_EQ(EPERM, errno);
	EXPECT_TRUE(all_are(self->memory, PAGES, 3));
	ASSERT_EQ(0, mprotect(self->memory, PAGES * PAGE,
			      PROT_READ | PROT_WRITE));
	ASSERT_EQ(0, ioctl(self->fd, HMM_EXAMPLE_ADD, &add));
	EXPECT_TRUE(all_are(self->memory, PAGES, 5));
}

/* The module is unloaded with memory of a process on the device. */
TEST_F(example, goes)
{
	struct hmm_example_add add = add_to(self->memory, PAGES, 4);

	memset(self->memory, 1, PAGES * PAGE);
	ASSERT_EQ(0, ioctl(self->fd, HMM_EXAMPLE_ADD, &add));
	ASSERT_EQ(PAGES, pages_at(self->memory, PAGES, PRIVATE));
	close(self->fd);
	ASSERT_EQ(0, module_unload("hmm_migrate_example"));
	EXPECT_EQ(PAGES, pages_at(self->memory, PAGES, SYSTEM));
	EXPECT_TRUE(all_are(self->memory, PAGES, 5));
	ASSERT_EQ(0, module_load("hmm_migrate_example", ""));
	self->fd = open("/dev/hmm_migrate_example", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
}

TEST_F(example, wrong_requests)
{
	struct hmm_example_add add = add_to(self->memory + 1, 1, 1);

	EXPECT_EQ(-1, ioctl(self->fd, HMM_EXAMPLE_ADD, &add));
	EXPECT_EQ(EINVAL, errno);
	add = add_to(self->memory, 1UL << 52, 1);
	EXPECT_EQ(-1, ioctl(self->fd, HMM_EXAMPLE_ADD, &add));
	EXPECT_EQ(EINVAL, errno);
	pages_unmap(self->memory + PAGE, 1);
	add = add_to(self->memory, 2, 1);
	EXPECT_EQ(-1, ioctl(self->fd, HMM_EXAMPLE_ADD, &add));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_TRUE(all_are(self->memory, 1, 0));
}

TEST_HARNESS_MAIN
