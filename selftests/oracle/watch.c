// SPDX-License-Identifier: GPL-2.0
/*
 * Write protection by userfaultfd, in the first process. Each write that it
 * stops is counted, and let through.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "oracle/oracle.h"

static int uffd;
static unsigned int *count;

static int change(__u64 start, __u64 length, bool protect)
{
	struct uffdio_writeprotect request = {
		.range = { .start = start, .len = length },
		.mode = protect ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	return ioctl(uffd, UFFDIO_WRITEPROTECT, &request) ? -errno : 0;
}

static void *let_through(void *nothing)
{
	struct uffd_msg message;
	__u64 address;

	while (read(uffd, &message, sizeof(message)) == sizeof(message)) {
		if (message.event != UFFD_EVENT_PAGEFAULT)
			continue;
		++*count;
		address = message.arg.pagefault.address & ~(PAGE - 1);
		change(address, PAGE, false);
	}
	return NULL;
}

/* Where nothing is mapped yet the protection counts as well. */
int watch_init(unsigned int *events)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_PAGEFAULT_FLAG_WP |
			    UFFD_FEATURE_WP_UNPOPULATED,
	};
	pthread_t thread;

	count = events;
	uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api))
		return -errno;
	return -pthread_create(&thread, NULL, let_through, NULL);
}

static int begin(__u64 start, __u64 length)
{
	struct uffdio_register request = {
		.range = { .start = start, .len = length },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};

	return ioctl(uffd, UFFDIO_REGISTER, &request) ? -errno : 0;
}

int watch_protect(size_t at, size_t npages, bool protect)
{
	__u64 start = (uintptr_t)page_address(at), length = npages * PAGE;
	int ret = protect ? begin(start, length) : 0;

	return ret ? ret : change(start, length, protect);
}

int watch_end(size_t at, size_t npages)
{
	struct uffdio_range range = {
		.start = (uintptr_t)page_address(at),
		.len = npages * PAGE,
	};

	return ioctl(uffd, UFFDIO_UNREGISTER, &range) ? -errno : 0;
}
