// SPDX-License-Identifier: GPL-2.0
/* A process that waits for accesses to its own memory, with userfaultfd. */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib.h"

#define PATIENCE	3000	/* milliseconds */

/* -1: the kernel has none, or not with these features. */
int uffd_open(__u64 features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0 && ioctl(fd, UFFDIO_API, &api)) {
		perror("UFFDIO_API");
		close(fd);
		return -1;
	}
	return fd;
}

static struct uffdio_range range_of(const void *addr, size_t npages)
{
	struct uffdio_range range = {
		.start = (uintptr_t)addr,
		.len = npages * PAGE,
	};

	return range;
}

int uffd_register(int fd, const void *addr, size_t npages, __u64 mode)
{
	struct uffdio_register reg = {
		.range = range_of(addr, npages),
		.mode = mode,
	};

	return ioctl(fd, UFFDIO_REGISTER, &reg) ? -errno : 0;
}

/* Waits for writes from now on, or no longer. */
int uffd_wp(int fd, const void *addr, size_t npages, bool on)
{
	struct uffdio_writeprotect protect = {
		.range = range_of(addr, npages),
		.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	return ioctl(fd, UFFDIO_WRITEPROTECT, &protect) ? -errno : 0;
}

#ifdef UFFDIO_RWPROTECT
/* Waits for any access from now on, or no longer. */
int uffd_rwp(int fd, const void *addr, size_t npages, bool on)
{
	struct uffdio_rwprotect protect = {
		.range = range_of(addr, npages),
		.mode = on ? UFFDIO_RWPROTECT_MODE_RWP : 0,
	};

	return ioctl(fd, UFFDIO_RWPROTECT, &protect) ? -errno : 0;
}
#endif

int uffd_zero(int fd, const void *addr, size_t npages)
{
	struct uffdio_zeropage zero = { .range = range_of(addr, npages) };

	return ioctl(fd, UFFDIO_ZEROPAGE, &zero) ? -errno : 0;
}

int uffd_copy(int fd, void *to, const void *from, size_t npages)
{
	struct uffdio_copy copy = {
		.dst = (uintptr_t)to,
		.src = (uintptr_t)from,
		.len = npages * PAGE,
	};

	return ioctl(fd, UFFDIO_COPY, &copy) ? -errno : 0;
}

int uffd_continue(int fd, const void *addr, size_t npages)
{
	struct uffdio_continue go_on = { .range = range_of(addr, npages) };

	return ioctl(fd, UFFDIO_CONTINUE, &go_on) ? -errno : 0;
}

int uffd_poison(int fd, const void *addr, size_t npages)
{
	struct uffdio_poison poison = { .range = range_of(addr, npages) };

	return ioctl(fd, UFFDIO_POISON, &poison) ? -errno : 0;
}

/* Asks until it is done, or until it can never be. */
int uffd_move(int fd, void *to, const void *from, size_t npages)
{
	struct uffdio_move move = {
		.dst = (uintptr_t)to,
		.src = (uintptr_t)from,
		.len = npages * PAGE,
	};

	while (ioctl(fd, UFFDIO_MOVE, &move)) {
		if (errno != EAGAIN)
			return -errno;
		if (move.move > 0) {
			move.dst += move.move;
			move.src += move.move;
			move.len -= move.move;
		}
	}
	return 0;
}

struct access {
	char *addr;
	bool write;
};

static void *thread_accesses(void *argument)
{
	struct access *access = argument;
	char byte = __atomic_load_n(access->addr, __ATOMIC_RELAXED);

	if (access->write)
		__atomic_store_n(access->addr, byte, __ATOMIC_RELAXED);
	return NULL;
}

/*
 * Another thread reads or writes a page. Returns the flags of the event that
 * comes of it, -1 if none comes; @resolve lets the thread go on.
 */
long uffd_event(int fd, void *addr, bool write,
		int (*resolve)(int fd, const void *addr))
{
	struct access access = { .addr = addr, .write = write };
	struct pollfd poller = { .fd = fd, .events = POLLIN };
	struct uffd_msg msg;
	pthread_t thread;
	long flags = -1;

	if (pthread_create(&thread, NULL, thread_accesses, &access))
		return -1;
	if (poll(&poller, 1, PATIENCE) == 1 &&
	    read(fd, &msg, sizeof(msg)) == sizeof(msg) &&
	    msg.event == UFFD_EVENT_PAGEFAULT &&
	    msg.arg.pagefault.address / PAGE == (uintptr_t)addr / PAGE)
		flags = msg.arg.pagefault.flags;
	if (resolve(fd, addr))
		perror("userfaultfd");
	pthread_join(thread, NULL);
	return flags;
}
