// SPDX-License-Identifier: GPL-2.0
/* What this process has mapped in the arena. */
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "oracle/oracle.h"

static int maps_fd(void)
{
	static int fd = -1;
	static pid_t owner;

	if (owner != getpid()) {
		fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
		owner = getpid();
	}
	return fd;
}

/* PROT_*; nothing where nothing is mapped. */
int page_protection(size_t page)
{
	struct procmap_query query = {
		.size = sizeof(query),
		.query_addr = (uintptr_t)page_address(page),
	};

	if (ioctl(maps_fd(), PROCMAP_QUERY, &query))
		return PROT_NONE;
	return (query.vma_flags & PROCMAP_QUERY_VMA_READABLE ? PROT_READ : 0) |
	       (query.vma_flags & PROCMAP_QUERY_VMA_WRITABLE ? PROT_WRITE : 0);
}
